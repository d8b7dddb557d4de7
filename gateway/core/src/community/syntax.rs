//! Text that is no TOML, told for a person who has never read the specification of TOML.
//!
//! A parser that goes on after its first error finds more on the same line, and none of them is
//! another mistake. So each line is told once, in words that say what to type.

use std::collections::BTreeSet;
use std::ops::Range;

use super::fault::line_and_column;

/// What is wrong at some bytes: place, message, help.
pub(super) type Told = (Range<usize>, String, Option<String>);

/// Says each error of a parser in words; one a line.
pub(super) fn told(text: &str, errors: &[(Range<usize>, &str)]) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    let mut lines = BTreeSet::new();
    let mut lone_tables = BTreeSet::new();
    let mut errors = errors.to_vec();
    errors.sort_by_key(|(span, _)| span.start);
    for (span, message) in &errors {
        let (line, _) = line_and_column(text, span.start);
        if !lines.insert(line) {
            continue;
        }
        if !message.starts_with("duplicate key") {
            told.push(one(text, span, message));
        } else if let Some((at, name)) = lone_table(text, span.start) {
            // Its keys come twice as well, and all its neighbours.
            if lone_tables.insert(name) {
                let message = format!("`[{name}]` is one table, but there are several");
                told.push((at, message, Some(format!("write `[[{name}]]`, each time"))));
            }
        } else {
            told.push(duplicate(text, span));
        }
    }
    told
}

fn one(text: &str, span: &Range<usize>, message: &str) -> Told {
    let (before, rest) = around(text, span.start);
    let value = rest.split(['#', ']', '}']).next().unwrap_or(rest);
    let first = value.split(',').next().unwrap_or(value).trim();
    let told = |message: &str, help: String| (span.clone(), message.to_owned(), Some(help));
    if message.starts_with("string values must be quoted") {
        let is_in_list = !before.trim_start().contains('=') || before.contains(['[', '{']);
        let mut words = first.split_whitespace();
        return match (words.next(), words.next()) {
            (Some(one), Some(next)) if is_in_list && is_value(one) => {
                let help = format!("write `{one}, {next}`");
                told("a comma is missing between two values", help)
            }
            (Some(one), Some(_)) if is_value(one) && first.contains('=') => {
                told("the line goes on after its value", "a line has one `key = value`".to_owned())
            }
            _ => told("a text stands in quotes", format!("write `\"{first}\"`")),
        };
    }
    if message.starts_with("invalid datetime") {
        // Where a value begins, though the parser has read on for a while.
        let value = format!("{before}{rest}");
        let value = value.split_once('=').map_or(value.as_str(), |(_, value)| value);
        let value = value.split(['#', ',', ']']).next().unwrap_or(value);
        let value = value.trim().trim_start_matches('[').trim();
        return told("a text stands in quotes", format!("write `\"{value}\"`"));
    }
    if message.starts_with("missing comma") {
        return told("a comma is missing", "values and pairs are parted by commas".to_owned());
    }
    if message.starts_with("invalid basic string") || message.starts_with("invalid literal string")
    {
        return told("the text in quotes does not end", "close the quotes".to_owned());
    }
    if rest.starts_with(',') && before.ends_with(is_digit) && rest[1..].starts_with(is_digit) {
        let whole = before.rsplit(|c: char| !is_digit(c)).next().unwrap_or_default();
        let part = rest[1..].split(|c: char| !is_digit(c)).next().unwrap_or_default();
        return told("a decimal has a point and no comma", format!("write `{whole}.{part}`"));
    }
    if message.starts_with("invalid mantissa") && rest.starts_with('.') {
        return told("a decimal begins with a digit", format!("write `0{first}`"));
    }
    let line = format!("{before}{rest}");
    if let Some((key, value)) = line.split_once(':')
        && !line.contains('=')
        && message.contains("key")
    {
        let help = format!("write `{} = {}`", key.trim(), value.trim());
        return told("a key and its value are joined by `=`", help);
    }
    if message.starts_with("unexpected key or value") {
        let message = "the line goes on after its value";
        return told(message, "a line has one `key = value`".to_owned());
    }
    (span.clone(), message.to_owned(), None)
}

/// The line of a byte, before and from it.
fn around(text: &str, at: usize) -> (&str, &str) {
    let (before, rest) = (text.get(..at).unwrap_or(text), text.get(at..).unwrap_or_default());
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (&before[start..], rest.lines().next().unwrap_or_default())
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// A number, a switch or a text in quotes, which stands for itself.
fn is_value(word: &str) -> bool {
    let is_quoted = word.starts_with(['"', '\'']);
    is_quoted
        || word == "true"
        || word == "false"
        || word.trim_start_matches(['-', '+']).starts_with(is_digit)
}

/// Name and places of every table that is opened in single or double brackets.
fn headers(text: &str) -> impl Iterator<Item = (Range<usize>, &str, bool)> {
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = at + (line.len() - line.trim_start().len());
        at += line.len();
        let header = line.split('#').next()?.trim();
        let inner = header.strip_prefix('[')?.strip_suffix(']')?;
        let list = inner.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
        let name = list.unwrap_or(inner).trim();
        Some((start..start + header.len(), name, list.is_some()))
    })
}

/// The `[name]` that should be `[[name]]`, when the byte lies in a later table of that name.
fn lone_table(text: &str, at: usize) -> Option<(Range<usize>, &str)> {
    let (last, name, is_last_list) =
        headers(text).take_while(|(span, ..)| span.start <= at).last()?;
    let (first, _, is_first_list) = headers(text).find(|(_, other, _)| *other == name)?;
    let lone = match (is_first_list, is_last_list) {
        (false, _) => first.clone(),
        (true, false) => last.clone(),
        (true, true) => return None,
    };
    (first.start < last.start).then_some((lone, name))
}

/// A key that its table has already.
fn duplicate(text: &str, span: &Range<usize>) -> Told {
    let key = text.get(span.clone()).unwrap_or_default();
    let opened = headers(text).take_while(|(header, ..)| header.start <= span.start).last();
    let start = opened.map_or(0, |(header, ..)| header.end);
    let is_same = |line: &str| line.split('=').next().is_some_and(|before| before.trim() == key);
    let mut at = start;
    let first =
        text.get(start..span.start).unwrap_or_default().split_inclusive('\n').find_map(|line| {
            at += line.len();
            is_same(line).then(|| line_and_column(text, at - line.len()).0)
        });
    let message = match first {
        Some(line) => format!("`{key}` is given already, in line {line}"),
        None => format!("`{key}` is given twice"),
    };
    (span.clone(), message, Some("keep one of them".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::super::fault::line_and_column;

    #[test]
    fn text_that_is_no_toml_is_told_once_a_line_with_what_to_type() {
        let cases = [
            (
                "words = [561 253, 3]",
                "1:10 a comma is missing between two values (write `561, 253`)",
            ),
            (
                "at = { word = 1 type = \"i16\" }",
                "1:15 a comma is missing between two values (write `1, type`)",
            ),
            ("via = modbus # bus", "1:7 a text stands in quotes (write `\"modbus\"`)"),
            ("every = 5 s", "1:9 a text stands in quotes (write `\"5 s\"`)"),
            ("time-zone = +08:00", "1:13 a text stands in quotes (write `\"+08:00\"`)"),
            ("hours = 22:00-06:00 # h", "1:9 a text stands in quotes (write `\"22:00-06:00\"`)"),
            ("unit = \"%\nscale = 1", "1:10 the text in quotes does not end (close the quotes)"),
            ("scale = 0,1", "1:10 a decimal has a point and no comma (write `0.1`)"),
            ("scale = .1", "1:9 a decimal begins with a digit (write `0.1`)"),
            (
                "via: \"modbus\"",
                "1:4 a key and its value are joined by `=` (write `via = \"modbus\"`)",
            ),
            ("a = 1 b = 2", "1:5 the line goes on after its value (a line has one `key = value`)"),
            ("id = 1\nx = 2\nid = 3", "3:1 `id` is given already, in line 1 (keep one of them)"),
            (
                "[point]\nid = 1\n[[point]]\nid = 2\n[[point]]",
                "1:1 `[point]` is one table, but there are several (write `[[point]]`, each time)",
            ),
            (
                "[[line]]\nid = 1\n[line]\nid = 2",
                "3:1 `[line]` is one table, but there are several (write `[[line]]`, each time)",
            ),
            (
                "[a]\n[point]\nid = 1\n[point]\nid = 2\nx = 1",
                "2:1 `[point]` is one table, but there are several (write `[[point]]`, each time)",
            ),
        ];
        for (text, expected) in cases {
            let (document, _) = Document::read::<toml::Table>("f", text);
            let told: Vec<String> = document
                .faults()
                .iter()
                .map(|fault| {
                    let (line, column) = line_and_column(text, fault.span.start);
                    let help = fault.help.as_deref().unwrap_or_default();
                    format!("{line}:{column} {} ({help})", fault.message)
                })
                .collect();
            assert_eq!(told, [expected], "{text}");
        }
    }
}
