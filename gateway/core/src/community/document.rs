//! One file of the configuration: its value, its faults, and where everything in it stands.
//!
//! A file is read again and again, each time with the last fault mended by a stand-in, until it fits
//! its type or cannot be mended. So one visit tells an installer about every fault. A misspelt key is
//! read as the one that was meant. Later checks report through [`Document::fault`], which keeps quiet
//! about stand-ins: their faults are told; and whoever would judge one value by another asks first
//! whether that other one [is in doubt](Document::is_doubtful).
//!
//! Places are written as paths: `detector.0.limit-high` is that key of the first `[[detector]]`.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::de::DeTable;

use super::fault::{Fault, closest, line_and_column, listed, nearest};
use super::syntax;
use super::tree::{Content, Entry, Error, Node, Wrong, count, read};
use super::wording::{Found, meant, no_such_word, rewritten, wanted};

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
    /// Paths whose value has a fault, or that a misspelt key may have been meant for.
    doubted: Vec<String>,
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
            doubted: Vec::new(),
            faults: Vec::new(),
        };
        if errors.is_empty() {
            let value = document.mend();
            return (document, value);
        }
        let errors: Vec<_> =
            errors.iter().map(|error| (error.span().unwrap_or(0..0), error.message())).collect();
        for (span, message, help) in syntax::told(text, &errors) {
            document.push(span, message, help);
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
            | Content::Date(_)
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
        self.mended.iter().any(|mended| covers(mended, path) || covers(path, mended))
    }

    /// Whether something is wrong at the path or in it, so that nothing should be judged by it.
    pub fn is_doubtful(&self, path: &str) -> bool {
        self.is_mended(path) || self.doubted.iter().any(|doubted| covers(path, doubted))
    }

    /// Whether that key is in doubt anywhere in a list, so that no other value can be looked up there.
    pub fn has_doubtful(&self, list: &str, key: &str) -> bool {
        let is_number = |step: &str| step.parse::<usize>().is_ok();
        let rest = |path: &'_ String| {
            path.strip_prefix(list).map(|rest| rest.trim_start_matches('.').to_owned())
        };
        let is_key = |rest: &str| {
            rest.is_empty()
                || rest.split_once('.').is_some_and(|(at, of)| is_number(at) && of == key)
        };
        let in_doubt = self.mended.iter().chain(&self.doubted).filter_map(rest);
        let elements = self.mended.iter().filter_map(rest).any(|rest| is_number(&rest));
        elements || in_doubt.into_iter().any(|rest| is_key(&rest))
    }

    /// Marks a value as told already.
    fn doubt(&mut self, path: &str) {
        self.doubted.push(path.to_owned());
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
            self.doubt(path);
            self.push(self.span(path), message.into(), help);
        }
    }

    /// Reports a fault of the key at the end of a path.
    pub fn key_fault(&mut self, path: &str, message: impl Into<String>, help: Option<String>) {
        if !self.is_mended(path) {
            self.doubt(path);
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
            self.doubt(path);
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
                let help = matches!(*key, "zh" | "en")
                    .then(|| "a text is there in Chinese, `zh`, and in English, `en`".to_owned());
                self.push(span, format!("missing key `{key}`"), help);
            }
            return Some(());
        }
        if error.is_key {
            let span = self.key_span(&dotted);
            let (key, table) = path.split_last()?;
            let (message, help) = told(&error.wrong, "", &Found::Other);
            let Content::Table(entries) = &mut self.root.at_mut(table)?.content else {
                return None;
            };
            let known = error.wrong.known();
            let near = closest(key, known.iter().copied());
            let meant = near.filter(|meant| entries.iter().all(|entry| entry.key != *meant));
            let entry = entries.iter_mut().find(|entry| entry.key == *key);
            if let Some((meant, entry)) = meant.zip(entry) {
                meant.clone_into(&mut entry.key);
            } else {
                entries.retain(|entry| entry.key != *key);
                self.mended.push(dotted);
                // It may have been meant for one that is there as well, or for one that begins alike.
                let is_meant =
                    |known: &&&str| Some(**known) == near || known.starts_with(key.as_str());
                let paths = known
                    .iter()
                    .filter(is_meant)
                    .map(|known| [table.join(".").as_str(), known].join("."));
                self.doubted.extend(paths.map(|path| path.trim_start_matches('.').to_owned()));
            }
            self.push(span, message, help);
            return Some(());
        }
        if self.make_a_list(error, &path) {
            return Some(());
        }
        let node = self.root.at_mut(&path)?;
        let turn = stands_in.map_or(0, |turn| turn + 1);
        if turn >= STAND_INS {
            return None;
        }
        let content = match &error.wrong {
            Wrong::UnknownWord { known, .. } => Content::Text((*known.first()?).to_owned()),
            Wrong::UnknownKey { .. }
            | Wrong::MissingKey(_)
            | Wrong::Type { .. }
            | Wrong::Other(_) => stand_in(turn),
        };
        let was = std::mem::replace(&mut node.content, content);
        node.stand_in = Some(turn);
        if stands_in.is_none() {
            self.mended.push(dotted);
            let name = name.as_deref().unwrap_or("the file");
            let (message, help) = told(&error.wrong, name, &was.as_found());
            let is_doubled = message.contains("must be a table")
                && self.text.get(span.start..).is_some_and(|text| text.starts_with("[["));
            let help = help.or_else(|| is_doubled.then(|| format!("write `[{name}]`")));
            self.push(span, message, help);
        }
        Some(())
    }

    /// `[point]` where `[[point]]` belongs is the only element of its list.
    fn make_a_list(&mut self, error: &Error, path: &[String]) -> bool {
        let Wrong::Type { wanted, .. } = &error.wrong else { return false };
        let id = count(&mut self.last_id);
        let Some(node) = self.root.at_mut(path) else { return false };
        let opens = self.text.get(node.span.start..).is_some_and(|text| text.starts_with('['));
        if wanted != "a list" || !opens || !matches!(node.content, Content::Table(_)) {
            return false;
        }
        let span = node.span.clone();
        let list =
            Node { id, span: span.clone(), content: Content::List(Vec::new()), stand_in: None };
        let table = std::mem::replace(node, list);
        node.content = Content::List(vec![table]);
        let name = path.join(".");
        let message = format!("`[{name}]` is one of a list");
        self.push(span, message, Some(format!("write `[[{name}]]`")));
        true
    }
}

/// Whether one path leads to the other one, or to something in it.
fn covers(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
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
fn told(wrong: &Wrong, name: &str, found_there: &Found<'_>) -> (String, Option<String>) {
    match wrong {
        Wrong::UnknownKey { key, known } => {
            (format!("unknown key `{key}`"), nearest(key, known.iter().copied()))
        }
        Wrong::MissingKey(key) => (format!("missing key `{key}`"), None),
        Wrong::UnknownWord { word, known } if name.is_empty() => {
            (format!("unknown key `{word}`"), nearest(word, known.iter().copied()))
        }
        Wrong::UnknownWord { word, known } => {
            let message =
                format!("`{name}` must be one of {}, found the text {word:?}", listed(known));
            let help = meant(name, word)
                .map(|meant| format!("did you mean `{meant}`?"))
                .or_else(|| no_such_word(name, word))
                .or_else(|| nearest(word, known.iter().copied()))
                .filter(|help| !help.starts_with("known"));
            (message, help)
        }
        Wrong::Type { found, wanted: of_type } => {
            let wanted = wanted(name, of_type);
            let help = rewritten(name, found_there, of_type);
            (format!("`{name}` must be {wanted}, found {found}"), help)
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
mod tests;
