//! Just enough reading of Rust to tell code from comments, and what a file names from what it says.

/// The text with comments and the contents of literals blanked; line breaks stay where they are.
pub(super) fn without_prose(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        if let Some(end) = prose_end(&chars, at) {
            code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            code.push(chars[at]);
            at += 1;
        }
    }
    code
}

/// Where the comment or literal that begins here ends.
fn prose_end(chars: &[char], at: usize) -> Option<usize> {
    let rest = &chars[at..];
    let follows_word = at > 0 && is_word(chars[at - 1]);
    let length = match rest {
        ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment(rest),
        ['"', ..] => string(rest, 0),
        ['r', '"' | '#', ..] if !follows_word => {
            let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
            if rest.get(1 + hashes) != Some(&'"') {
                return None; // a raw identifier
            }
            1 + hashes + string(&rest[1 + hashes..], hashes)
        }
        ['\'', '\\', ..] => 3 + rest[3..].iter().position(|c| *c == '\'')?,
        ['\'', _, '\'', ..] => 3,
        _ => return None,
    };
    Some((at + length).min(chars.len()))
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a string that begins with its quote; a raw one ends with as many hashes.
fn string(rest: &[char], hashes: usize) -> usize {
    let mut at = 1;
    while at < rest.len() {
        let is_plain = hashes == 0;
        match rest[at] {
            '\\' if is_plain => at += 2,
            '"' if rest[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes => {
                return at + 1 + hashes;
            }
            _ => at += 1,
        }
    }
    rest.len()
}

/// The code without its `#[cfg(test)]` modules, and the names of those that are files of their own.
pub(super) fn without_tests(code: &str) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::new();
    let mut files = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        kept.push_str(&rest[..at]);
        let item = &rest[at + MARK.len()..];
        let body = item.find(['{', ';']).unwrap_or(item.len());
        let head = item[..body].trim();
        let name = head.rsplit("mod ").next().unwrap_or_default().trim();
        if !head.contains("mod ") {
            // Not a module: left in, for the rule that forbids it.
            kept.push_str(MARK);
            rest = item;
        } else if item[body..].starts_with('{') {
            rest = &item[body + block_length(&item[body..])..];
        } else {
            files.push(name.to_owned());
            rest = item.get(body + 1..).unwrap_or_default();
        }
    }
    kept.push_str(rest);
    (kept, files)
}

fn block_length(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

/// Every path that the code names, with the groups of `use` written out: `a::{b, c::d}` is `a::b` and
/// `a::c::d`. A lone word is a path of one.
pub(super) fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(start) = rest.find(is_word) {
        let taken = path(&rest[start..], "", &mut found);
        rest = &rest[start + taken..];
    }
    found
}

/// Reads one path at the start of `text`; says how much of it was that.
fn path(text: &str, prefix: &str, found: &mut Vec<String>) -> usize {
    let word = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let so_far = format!("{prefix}{}", &text[..word]);
    let rest = &text[word..];
    if rest.starts_with("::{") {
        let inside = block_length(&rest[2..]);
        let group = &rest[3..(2 + inside).saturating_sub(1).max(3)];
        let mut at = 0;
        while let Some(start) = group[at..].find(is_word) {
            at += start;
            at += path(&group[at..], &format!("{so_far}::"), found);
        }
        word + 2 + inside
    } else if rest.starts_with("::") && rest[2..].starts_with(is_word) {
        word + 2 + path(&rest[2..], &format!("{so_far}::"), found)
    } else {
        found.push(so_far);
        word
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn comments_and_literals_are_not_code() {
    let text =
        "let a = \"sled::Db\"; // sled\nlet b = '\"'; /* std::fs /* x */ y */ f::<'a>(r#\"ort\"#)";

    let code = without_prose(text);

    assert_eq!(paths(&code), ["let", "a", "let", "b", "f", "a"]);
    assert_eq!(code.lines().count(), 2);
}

#[test]
fn groups_are_written_out() {
    let code = "use std::{env, fs::{self, File}};\nuse crate::store;";

    assert_eq!(
        paths(code),
        ["use", "std::env", "std::fs::self", "std::fs::File", "use", "crate::store"]
    );
}

#[test]
fn test_modules_are_cut_out_and_nothing_else() {
    let code =
        "a();\n#[cfg(test)]\nmod tests { fn x() { y() } }\nb();\n#[cfg(test)]\nmod story;\nc();";

    let (kept, files) = without_tests(code);

    assert_eq!(paths(&kept), ["a", "b", "c"]);
    assert_eq!(files, ["story"]);
}
