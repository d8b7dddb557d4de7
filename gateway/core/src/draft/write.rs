//! The file of a draft: its keys with a word on each, and the sample as the example that must hold.

use std::fmt::Write as _;

use super::sample::spaced;
use super::{Chosen, Draft, Place, Sample};
use crate::community::device_type::{Function, TimeFormat};
use crate::community::quantity::Text;
use crate::decode::Raw;

impl Draft {
    /// The file. It is not checked: what an integrator mistyped is told at its place by whoever loads it.
    pub fn toml(&self) -> String {
        let mut out = String::new();
        self.head(&mut out);
        let values = self.values();
        for (position, point) in self.points.iter().enumerate() {
            write_point(&mut out, point, position == 0);
        }
        self.example(&mut out, &values);
        out
    }

    fn head(&self, out: &mut String) {
        let via = match self.sample {
            Sample::Json(_) | Sample::Bytes(_) => "mqtt",
            Sample::Words { .. } => "modbus",
        };
        let id = text(&self.id);
        let title = texts(&self.title);
        line(out, "[device-type]", "");
        line(out, &format!("id = {id}"), "devices refer to it by this name");
        line(out, &format!("title = {title}"), "what people call the product");
        line(out, &format!("via = \"{via}\""), "the wire that it speaks on");
        if let Some(time) = &self.time {
            let format = match time.format {
                TimeFormat::UnixS => "unix-s",
                TimeFormat::UnixMs => "unix-ms",
                TimeFormat::Rfc3339 => "rfc3339",
            };
            let json = text(&time.json);
            let key = format!("time = {{ json = {json}, format = \"{format}\" }}");
            line(out, &key, "the device's own time");
        }
        if let Sample::Words { function, start, .. } = &self.sample {
            let every = text(&self.every.to_string());
            line(out, "\n[modbus]", "");
            let function = function_word(*function);
            line(
                out,
                &format!("function = \"{function}\""),
                "the table: input, holding, coil, discrete",
            );
            line(out, &format!("start = {start}"), "address of word 0, as on the wire, from 0");
            line(out, &format!("every = {every}"), "time between two polls");
        }
    }

    fn example(&self, out: &mut String, values: &[Raw]) {
        line(out, "\n[[example]]", "what was on the wire and what it means; `check` runs it");
        let sent = match &self.sample {
            Sample::Json(json) => format!("payload = {}", literal(json)),
            Sample::Bytes(bytes) => format!("payload-hex = \"{}\"", spaced(bytes)),
            Sample::Words { words, .. } => {
                let words: Vec<String> = words.iter().map(u16::to_string).collect();
                format!("words = [{}]", words.join(", "))
            }
        };
        line(out, &sent, "");
        let (mut expect, mut quality) = (Vec::new(), Vec::new());
        for (position, (point, value)) in self.points.iter().zip(values).enumerate() {
            // A name that is there twice is told where it stands as a point's.
            if self.points[..position].iter().any(|before| before.name == point.name) {
                continue;
            }
            let name = key(&point.name);
            match value {
                Ok(value) => expect.push(format!("{name} = {}", number(*value))),
                Err(why) => quality.push(format!("{name} = \"{}\"", why.word())),
            }
        }
        for (key, told) in [("expect", expect), ("quality", quality)] {
            if !told.is_empty() {
                line(out, &format!("{key} = {{ {} }}", told.join(", ")), "");
            }
        }
    }
}

/// The first one says what its keys are.
fn write_point(out: &mut String, point: &Chosen, explains: bool) {
    let mut say = |key: String, why: &str| line(out, &key, if explains { why } else { "" });
    say("\n[[point]]".to_owned(), "");
    say(format!("name = {}", text(&point.name)), "rules use this word");
    if let Some(title) = &point.title {
        say(format!("title = {}", texts(title)), "what people call it");
    }
    say(format!("at = {}", place(&point.place)), "where it stands");
    #[expect(clippy::float_cmp, reason = "what stands in the file is exactly this, or left out")]
    if point.scale != 1.0 {
        say(format!("scale = {}", number(point.scale)), "value = raw * scale + offset");
    }
    if point.offset != 0.0 {
        say(format!("offset = {}", number(point.offset)), "");
    }
    say(format!("unit = {}", text(&point.unit)), "as in UCUM; 1 for a number without a unit");
    if let Some((low, high)) = point.range {
        let range = format!("range = [{}, {}]", number(low), number(high));
        say(range, "outside: `out-of-range`, and no detector sees it");
    }
    if let Some(stale) = &point.stale {
        say(format!("stale = {}", text(&stale.to_string())), "older than this is no value");
    }
    if !point.words.is_empty() {
        let words = point.words.iter().map(|(word, n)| format!("{} = {}", key(word), number(*n)));
        let words: Vec<String> = words.collect();
        say(format!("words = {{ {} }}", words.join(", ")), "texts that stand for numbers");
    }
}

fn place(place: &Place) -> String {
    let at = place.at();
    let (mut parts, ways) = match place {
        Place::Json(pointer) => (vec![format!("json = {}", text(pointer))], None),
        Place::Byte { at, .. } => (vec![format!("byte = {at}")], place.reading()),
        Place::Word { at, .. } => (vec![format!("word = {at}")], place.reading()),
    };
    if let Some((kind, order)) = ways {
        parts.extend(at.kind.map(|_| format!("type = \"{kind}\"")));
        parts.extend(at.order.map(|_| format!("order = \"{order}\"")));
    }
    format!("{{ {} }}", parts.join(", "))
}

/// The configuration's word for a table.
pub fn function_word(function: Function) -> &'static str {
    match function {
        Function::Coil => "coil",
        Function::Discrete => "discrete",
        Function::Holding => "holding",
        Function::Input => "input",
    }
}

fn line(out: &mut String, key: &str, why: &str) {
    // Writing into a String cannot fail.
    let _ =
        if why.is_empty() { writeln!(out, "{key}") } else { writeln!(out, "{key:<32}  # {why}") };
}

/// A number that comes back as itself; whole ones without a point.
fn number(value: f64) -> String {
    #[expect(clippy::float_cmp, reason = "a whole number is exactly whole")]
    let is_whole = value.trunc() == value && value.abs() < 1e15;
    if is_whole { format!("{value:.0}") } else { format!("{value:?}") }
}

/// A bare key, or one in quotes.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let is_plain = !name.is_empty() && name.chars().all(is_bare);
    if is_plain { name.to_owned() } else { text(name) }
}

fn texts(title: &Text) -> String {
    format!("{{ zh = {}, en = {} }}", text(&title.zh), text(&title.en))
}

/// A basic string: JSON's escapes are TOML's, and the one control character that JSON leaves as it is.
fn text(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.replace('\u{7f}', "\\u007F")
}

/// As it was sent, where a literal string can hold it.
fn literal(json: &str) -> String {
    let is_shown = |c: char| c == '\n' || c == '\t' || !c.is_control();
    if json.contains("'''") || json.ends_with('\'') || !json.chars().all(is_shown) {
        text(json)
    } else if json.contains(['\n', '\'']) {
        format!("'''\n{json}'''")
    } else {
        format!("'{json}'")
    }
}
