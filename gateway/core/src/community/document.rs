//! One file of the configuration: its value, its faults, and where everything in it stands.
//!
//! A file is read again and again, each time with the last fault mended by a stand-in, until it fits
//! its type or cannot be mended. So one visit tells an installer about every fault. Later checks
//! report through [`Document::fault`], which keeps quiet about stand-ins: their faults are told.
//!
//! Places are written as paths: `detector.0.limit-high` is that key of the first `[[detector]]`.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::de::DeTable;

use super::fault::{Fault, line_and_column, listed, nearest};
use super::tree::{Content, Entry, Error, Node, Wrong, count, read};

/// More faults than this in one file are not told one by one.
const MOST_FAULTS: usize = 200;

/// A file after reading.
#[derive(Debug, Clone)]
pub struct Document {
    file: String,
    text: String,
    root: Node,
    /// The last number given to a node.
    last_id: usize,
    /// Paths whose value is not the file's own.
    mended: Vec<String>,
    faults: Vec<Fault>,
}

impl Document {
    /// Reads `text` as `T`. The value is absent when the file cannot be read at all; where it has
    /// faults, stand-ins make up for what is missing.
    pub fn read<T: DeserializeOwned>(file: &str, text: &str) -> (Self, Option<T>) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut last_id = 0;
        let root = Node::root(table.get_ref(), &mut last_id);
        let mut document = Self {
            file: file.to_owned(),
            text: text.to_owned(),
            root,
            last_id,
            mended: Vec::new(),
            faults: Vec::new(),
        };
        if errors.is_empty() {
            let value = document.mend();
            return (document, value);
        }
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            document.push(span, error.message().to_owned(), None);
        }
        (document, None)
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The text at a path, even in a file that could not be read as a whole.
    pub fn text_at(&self, path: &str) -> Option<&str> {
        let node = steps(path).try_fold(&self.root, |node, step| node.child(step))?;
        match &node.content {
            Content::Text(text) => Some(text),
            Content::Integer(_)
            | Content::Float(_)
            | Content::Bool(_)
            | Content::Date
            | Content::List(_)
            | Content::Table(_) => None,
        }
    }

    /// Whether the file itself has something at the path.
    pub fn has(&self, path: &str) -> bool {
        let node = steps(path).try_fold(&self.root, |node, step| node.child(step));
        node.is_some_and(|node| node.stand_in.is_none())
    }

    /// Whether the value at the path, something in it or something around it is a stand-in.
    pub fn is_mended(&self, path: &str) -> bool {
        let covers = |outer: &str, inner: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.mended.iter().any(|mended| covers(mended, path) || covers(path, mended))
    }

    /// Where the value at a path stands, or what comes nearest around it.
    pub fn span(&self, path: &str) -> Range<usize> {
        let mut node = &self.root;
        for step in steps(path) {
            match node.child(step) {
                Some(child) => node = child,
                None => break,
            }
        }
        node.span.clone()
    }

    /// Line and column of the value at a path, from 1.
    pub fn line_and_column(&self, path: &str) -> (usize, usize) {
        line_and_column(&self.text, self.span(path).start)
    }

    /// Where the key at the end of a path stands.
    fn key_span(&self, path: &str) -> Range<usize> {
        let (table, key) = path.rsplit_once('.').unwrap_or(("", path));
        let node = steps(table).try_fold(&self.root, |node, step| node.child(step));
        let entry = node.and_then(|node| node.entry(key));
        entry.map_or_else(|| self.span(path), |entry| entry.key_span.clone())
    }

    /// Bytes within the text at a path, when the file spells that text without escapes.
    pub fn span_inside(&self, path: &str, inside: Range<usize>) -> Range<usize> {
        let outer = self.span(path);
        let Some((text, raw)) = self.text_at(path).zip(self.text.get(outer.clone())) else {
            return outer;
        };
        match raw.find(text) {
            Some(shift) if inside.end <= text.len() => {
                outer.start + shift + inside.start..outer.start + shift + inside.end
            }
            _ => outer,
        }
    }

    /// Reports a fault of the value at a path.
    pub fn fault(&mut self, path: &str, message: impl Into<String>, help: Option<String>) {
        if !self.is_mended(path) {
            self.push(self.span(path), message.into(), help);
        }
    }

    /// Reports a fault of the key at the end of a path.
    pub fn key_fault(&mut self, path: &str, message: impl Into<String>, help: Option<String>) {
        if !self.is_mended(path) {
            self.push(self.key_span(path), message.into(), help);
        }
    }

    /// Reports a fault of some bytes within the text at a path.
    pub fn fault_inside(
        &mut self,
        path: &str,
        inside: Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        if !self.is_mended(path) {
            self.push(self.span_inside(path, inside), message.into(), help);
        }
    }

    fn push(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault { file: self.file.clone(), span, message, help });
        }
    }

    /// Reads the tree, mending it fault by fault.
    fn mend<T: DeserializeOwned>(&mut self) -> Option<T> {
        // Each fault may need every stand-in before one fits, and stand-ins have parts of their own.
        for _ in 0..MOST_FAULTS * STAND_INS * 4 {
            match read(&self.root) {
                Ok(value) => return Some(value),
                Err(error) => self.mend_one(&error)?,
            }
        }
        None
    }

    fn mend_one(&mut self, error: &Error) -> Option<()> {
        let path = self.root.path_to(error.node?)?;
        let node = self.root.at_mut(&path)?;
        let span = node.span.clone();
        let stands_in = node.stand_in;
        let name = path.iter().rfind(|step| step.parse::<usize>().is_err()).cloned();
        let dotted = path.join(".");

        if let (Wrong::MissingKey(key), false) = (&error.wrong, error.is_key) {
            let id = count(&mut self.last_id);
            let new = Node { id, span: span.clone(), content: stand_in(0), stand_in: Some(0) };
            let Content::Table(entries) = &mut node.content else { return None };
            entries.push(Entry { key: (*key).to_owned(), key_span: span.clone(), node: new });
            if stands_in.is_none() {
                let dotted = [dotted.as_str(), key].join(".");
                self.mended.push(dotted.trim_start_matches('.').to_owned());
                self.push(span, format!("missing key `{key}`"), None);
            }
            return Some(());
        }
        if error.is_key {
            let span = self.key_span(&dotted);
            let (key, table) = path.split_last()?;
            let Content::Table(entries) = &mut self.root.at_mut(table)?.content else {
                return None;
            };
            entries.retain(|entry| entry.key != *key);
            self.mended.push(dotted);
            let (message, help) = told(&error.wrong, "");
            self.push(span, message, help);
            return Some(());
        }
        let turn = stands_in.map_or(0, |turn| turn + 1);
        if turn >= STAND_INS {
            return None;
        }
        node.content = match &error.wrong {
            Wrong::UnknownWord { known, .. } => Content::Text((*known.first()?).to_owned()),
            Wrong::UnknownKey { .. }
            | Wrong::MissingKey(_)
            | Wrong::Type { .. }
            | Wrong::Other(_) => stand_in(turn),
        };
        node.stand_in = Some(turn);
        if stands_in.is_none() {
            self.mended.push(dotted);
            let (message, help) = told(&error.wrong, name.as_deref().unwrap_or("the file"));
            self.push(span, message, help);
        }
        Some(())
    }
}

fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split('.').filter(|step| !step.is_empty())
}

/// How many stand-ins there are to try.
const STAND_INS: usize = 9;

/// Something that a type may take in place of what is missing or wrong.
fn stand_in(turn: usize) -> Content {
    match turn {
        0 => Content::Text(String::new()),
        1 => Content::Text("1 s".to_owned()),
        2 => Content::Integer(1),
        3 => Content::Bool(false),
        4 => Content::List(Vec::new()),
        5 => Content::List((0..2).map(|_| number()).collect()),
        6 => Content::Text("127.0.0.1:0".to_owned()),
        7 => Content::Float(0.5),
        _ => Content::Table(Vec::new()),
    }
}

/// One of two; nobody will find it wrong, so that it needs no number of its own.
fn number() -> Node {
    let content = Content::Integer(1);
    Node { id: 0, span: 0..0, content, stand_in: Some(STAND_INS) }
}

/// The message and the help for the person who wrote the file.
fn told(wrong: &Wrong, name: &str) -> (String, Option<String>) {
    match wrong {
        Wrong::UnknownKey { key, known } => {
            (format!("unknown key `{key}`"), nearest(key, known.iter().copied()))
        }
        Wrong::MissingKey(key) => (format!("missing key `{key}`"), None),
        Wrong::UnknownWord { word, known } if name.is_empty() => {
            (format!("unknown key `{word}`"), nearest(word, known.iter().copied()))
        }
        Wrong::UnknownWord { word, known } => (
            format!("`{name}` must be one of {}, found the text {word:?}", listed(known)),
            nearest(word, known.iter().copied()).filter(|help| help.starts_with("did")),
        ),
        Wrong::Type { found, wanted } => {
            (format!("`{name}` must be {wanted}, found {found}"), None)
        }
        Wrong::Other(message) if message.contains("untagged enum Bits") => (
            format!(
                "`{name}` must be a bit, as in `3`, or the lowest and the highest of a field, as in `[0, 3]`"
            ),
            None,
        ),
        Wrong::Other(message) => (format!("`{name}`: {message}"), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::community::device_type::DeviceType;
    use crate::community::scene::Scene;

    #[test]
    fn five_different_faults_in_one_file_are_five_faults() {
        let text = r#"[device-type]
id = "t"
title = { zh = "", eng = "" }
via = "modbuss"
[modbus]
function = "input"
every = "10 parsecs"
[[point]]
name = "a"
at = { word = 0, type = "i16" }
scale = "abc"
unti = "degC"
"#;
        assert_eq!(
            told_of::<DeviceType>(text),
            [
                "3:9 missing key `en`",
                "3:20 unknown key `eng` (did you mean `en`?)",
                "4:7 `via` must be one of `mqtt`, `modbus`, `replay`, found the text \"modbuss\" (did you mean `modbus`?)",
                "7:9 `every`: `10 parsecs` is not a length of time; expected a number and a unit, as in \"5 s\" or \"10 min\"",
                "8:1 missing key `unit`",
                "11:9 `scale` must be a number, found the text \"abc\"",
                "12:1 unknown key `unti` (did you mean `unit`?)",
            ]
        );
    }

    #[test]
    fn each_kind_of_wrong_value_is_told_in_words() {
        let head = "[device-type]\nid='t'\ntitle={zh='',en=''}\nvia='modbus'\n";
        let cases = [
            (
                "silent-after = 5",
                "5:16 `silent-after` must be a text in quotes, found the number 5",
            ),
            ("any-point = 1", "5:13 `any-point` must be `true` or `false`, found the number 1"),
            ("echo = 'seq'", "5:8 `echo` must be a list, found the text \"seq\""),
            ("echo = [1]", "5:9 `echo` must be a text in quotes, found the number 1"),
            ("time = 2024-01-01", "5:8 `time` must be a table, found a date"),
            (
                "[modbus]\nfunction='input'\nevery='1 s'\nstart=70000",
                "8:7 `start` must be a whole number from 0 to 65535, found the number 70000",
            ),
            (
                "[modbus]\nfunction='input'\nevery='1 s'\nholes=[[1,2,3]]",
                "8:8 `holes` must be a list of 2, found a list of 3",
            ),
            (
                "[[point]]\nname='a'\nunit='1'\nat={word=0,bits='low'}",
                "8:17 `bits` must be a bit, as in `3`, or the lowest and the highest of a field, as in `[0, 3]`",
            ),
            (
                "[[example]]\n[example.tables]\ninptu=[1]",
                "7:1 unknown key `inptu` (did you mean `input`?)",
            ),
            ("[[point]", "5:9 unclosed array table, expected `]`"),
            ("id = 't2'", "5:1 duplicate key"),
        ];
        for (line, expected) in cases {
            assert_eq!(told_of::<DeviceType>(&format!("{head}{line}")), [expected], "{line}");
        }
    }

    #[test]
    fn an_empty_file_lacks_its_section_and_nothing_else() {
        assert_eq!(told_of::<Scene>(""), ["1:1 missing key `scene`"]);
    }

    #[test]
    fn what_a_stand_in_lacks_is_told_once() {
        let text = "[device-type]\nid = 5\ntitle = { zh = '', en = '' }\nvia = 'mqtt'\n";
        let (mut document, value) = Document::read::<DeviceType>("f", text);
        assert!(value.is_some());

        document.fault("device-type.id", "not an id", None);
        document.fault("device-type.via", "no example", None);

        let messages: Vec<_> = document.faults().iter().map(|f| f.message.as_str()).collect();
        assert_eq!(messages, ["`id` must be a text in quotes, found the number 5", "no example"]);
    }

    #[test]
    fn a_place_inside_a_text_is_found_when_it_is_spelt_out() {
        let (document, _) = Document::read::<toml::Table>("f", "a = \"x > y\"\nb = \"x\\ty\"");

        assert_eq!(document.span_inside("a", 4..5), 9..10);
        assert_eq!(document.span_inside("b", 2..3), document.span("b"), "escaped: the whole text");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_told(text in r#"(\[{0,2}(device-type|point|modbus|x)\]{0,2}\n|(id|at|via|word|title) ?= ?['"{}\[\]0-9a-z. =,]{0,8}\n){0,8}"#) {
            let (document, value) = Document::read::<DeviceType>("f", &text);
            proptest::prop_assert!(value.is_some() || !document.faults().is_empty(), "{}", text);
            for fault in document.faults() {
                proptest::prop_assert!(fault.span.end <= text.len(), "{:?}", fault);
            }
        }
    }

    /// `line:column message (help)`, in the order of the file.
    fn told_of<T: DeserializeOwned>(text: &str) -> Vec<String> {
        let (document, _) = Document::read::<T>("f", text);
        let mut faults = document.faults().to_vec();
        faults.sort_by_key(|fault| (fault.span.start, fault.message.clone()));
        let told = |fault: &Fault| {
            let (line, column) = line_and_column(text, fault.span.start);
            let help = fault.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
            format!("{line}:{column} {}{help}", fault.message)
        };
        faults.iter().map(told).collect()
    }
}
