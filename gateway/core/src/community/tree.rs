//! A TOML file as a tree that remembers where everything stands and can be mended.
//!
//! The `toml` crate stops at the first error. Here its spanned tree is copied into [`Node`]s, which
//! feed serde themselves, so that an [`Error`] names the very node that it is about and says in
//! which way it is wrong. [`super::document`] mends that node and tries again.

use std::fmt;
use std::ops::Range;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, Expected, IntoDeserializer, Unexpected};
use serde::forward_to_deserialize_any;
use toml::de::{DeTable, DeValue};

use super::wording::Found;

/// A value, where it stands, and a number of its own within its tree.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) id: usize,
    pub(super) span: Range<usize>,
    pub(super) content: Content,
    /// Set for a value that the file does not have: which stand-in it is.
    pub(super) stand_in: Option<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    /// A date, a time or both, which TOML writes without quotes.
    Date(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) node: Node,
}

impl Node {
    /// Numbers the nodes from `next` on.
    pub(super) fn root(table: &DeTable<'_>, next: &mut usize) -> Self {
        Self::table(table, 0..0, next)
    }

    fn table(table: &DeTable<'_>, span: Range<usize>, next: &mut usize) -> Self {
        let id = count(next);
        let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
            let name: &std::borrow::Cow<'_, str> = key.get_ref();
            Entry {
                key: name.to_string(),
                key_span: key.span(),
                node: Self::value(value.get_ref(), value.span(), next),
            }
        };
        let content = Content::Table(table.iter().map(entry).collect());
        Self { id, span, content, stand_in: None }
    }

    fn value(value: &DeValue<'_>, span: Range<usize>, next: &mut usize) -> Self {
        let content = match value {
            DeValue::Table(table) => return Self::table(table, span, next),
            DeValue::String(text) => Content::Text(text.to_string()),
            DeValue::Integer(number) => {
                // A number past 64 bits is wrong wherever it stands; as a float it is told so.
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Content::Integer(number),
                    Err(_) => Content::Float(number.as_str().parse().unwrap_or(f64::NAN)),
                }
            }
            DeValue::Float(number) => Content::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(value) => Content::Bool(*value),
            DeValue::Datetime(date) => Content::Date(date.to_string()),
            DeValue::Array(list) => Content::List(
                list.iter().map(|item| Self::value(item.get_ref(), item.span(), next)).collect(),
            ),
        };
        Self { id: count(next), span, content, stand_in: None }
    }

    /// The nodes below, with the step that leads to each.
    fn children(&self) -> Vec<(String, &Self)> {
        match &self.content {
            Content::List(items) => {
                items.iter().enumerate().map(|(i, item)| (i.to_string(), item)).collect()
            }
            Content::Table(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), &entry.node)).collect()
            }
            Content::Text(_)
            | Content::Integer(_)
            | Content::Float(_)
            | Content::Bool(_)
            | Content::Date(_) => Vec::new(),
        }
    }

    pub(super) fn child(&self, step: &str) -> Option<&Self> {
        match &self.content {
            Content::List(items) => items.get(step.parse::<usize>().ok()?),
            Content::Table(_) => self.entry(step).map(|entry| &entry.node),
            Content::Text(_)
            | Content::Integer(_)
            | Content::Float(_)
            | Content::Bool(_)
            | Content::Date(_) => None,
        }
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        let Content::Table(entries) = &self.content else { return None };
        entries.iter().find(|entry| entry.key == key)
    }

    /// The steps that lead to the node of that number.
    pub(super) fn path_to(&self, id: usize) -> Option<Vec<String>> {
        if self.id == id {
            return Some(Vec::new());
        }
        self.children().into_iter().find_map(|(step, child)| {
            let mut path = child.path_to(id)?;
            path.insert(0, step);
            Some(path)
        })
    }

    pub(super) fn at_mut(&mut self, path: &[String]) -> Option<&mut Self> {
        let Some((step, rest)) = path.split_first() else { return Some(self) };
        let child = match &mut self.content {
            Content::List(items) => items.get_mut(step.parse::<usize>().ok()?)?,
            Content::Table(entries) => {
                &mut entries.iter_mut().find(|entry| entry.key == *step)?.node
            }
            Content::Text(_)
            | Content::Integer(_)
            | Content::Float(_)
            | Content::Bool(_)
            | Content::Date(_) => return None,
        };
        child.at_mut(rest)
    }

    fn unexpected(&self) -> Unexpected<'_> {
        match &self.content {
            Content::Text(text) => Unexpected::Str(text),
            Content::Integer(number) => Unexpected::Signed(*number),
            Content::Float(number) => Unexpected::Float(*number),
            Content::Bool(value) => Unexpected::Bool(*value),
            Content::Date(text) if text.contains('-') => Unexpected::Other("a date"),
            Content::Date(_) => Unexpected::Other("a time"),
            Content::List(_) => Unexpected::Seq,
            Content::Table(_) => Unexpected::Map,
        }
    }
}

impl Content {
    #[expect(clippy::cast_precision_loss, reason = "shown to a person")]
    pub(super) fn as_found(&self) -> Found<'_> {
        match self {
            Self::Text(text) => Found::Text(text),
            Self::Integer(number) => Found::Number(*number as f64),
            Self::Float(number) => Found::Number(*number),
            Self::Date(text) => Found::Date(text),
            Self::Bool(_) | Self::List(_) | Self::Table(_) => Found::Other,
        }
    }
}

pub(super) fn count(next: &mut usize) -> usize {
    *next += 1;
    *next
}

/// In which way a node does not fit its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The node's key is none of these.
    UnknownKey { key: String, known: Vec<&'static str> },
    /// The node, a table, lacks this key.
    MissingKey(&'static str),
    /// The node's text is none of these.
    UnknownWord { word: String, known: Vec<&'static str> },
    /// The node is something else than what is wanted.
    Type { found: String, wanted: String },
    /// Whatever a type's own parser says.
    Other(String),
}

impl Wrong {
    /// The words that it might have been.
    pub(super) fn known(&self) -> &[&'static str] {
        match self {
            Self::UnknownKey { known, .. } | Self::UnknownWord { known, .. } => known,
            Self::MissingKey(_) | Self::Type { .. } | Self::Other(_) => &[],
        }
    }
}

/// Why a tree does not fit its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Error {
    /// Known by the time that the error leaves [`read`].
    pub(super) node: Option<usize>,
    /// The node's key is meant, and not its value.
    pub(super) is_key: bool,
    pub(super) wrong: Wrong,
}

impl Error {
    fn new(wrong: Wrong) -> Self {
        Self { node: None, is_key: false, wrong }
    }

    fn within(mut self, node: &Node) -> Self {
        self.node.get_or_insert(node.id);
        self
    }

    fn of_key(mut self, node: &Node) -> Self {
        self.is_key |= self.node.is_none();
        self.within(node)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.wrong)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Wrong::Other(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::new(Wrong::Type { found: found_words(found), wanted: wanted_words(wanted) })
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::invalid_type(found, wanted)
    }

    fn invalid_length(length: usize, wanted: &dyn Expected) -> Self {
        let found = format!("a list of {length}");
        Self::new(Wrong::Type { found, wanted: wanted_words(wanted) })
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::new(Wrong::UnknownWord { word: word.to_owned(), known: known.to_vec() })
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new(Wrong::UnknownKey { key: key.to_owned(), known: known.to_vec() })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Wrong::MissingKey(key))
    }
}

fn found_words(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("the text {text:?}"),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

fn wanted_words(wanted: &dyn Expected) -> String {
    let wanted = wanted.to_string();
    let words = match wanted.as_str() {
        "f64" | "f32" => "a number",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "a string" | "path string" | "string" => "a text in quotes",
        "a boolean" => "`true` or `false`",
        "a sequence" => "a list",
        "a map" => "a table",
        "a tuple of size 2" => "a list of 2",
        "struct Text" => "a text in both languages, as in `{ zh = \"…\", en = \"…\" }`",
        other if other.starts_with("struct ") => "a table",
        other if other.contains("enum ") => "a word in quotes",
        other => other,
    };
    words.to_owned()
}

/// Reads a tree as `T`.
pub(super) fn read<T: de::DeserializeOwned>(root: &Node) -> Result<T, Error> {
    T::deserialize(root).map_err(|error| error.within(root))
}

impl<'de> Deserializer<'de> for &Node {
    type Error = Error;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match &self.content {
            Content::Text(text) => visitor.visit_str(text),
            Content::Integer(number) => visitor.visit_i64(*number),
            Content::Float(number) => visitor.visit_f64(*number),
            Content::Bool(value) => visitor.visit_bool(*value),
            Content::Date(_) => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
            Content::List(items) => visitor.visit_seq(Items(items.iter())),
            Content::Table(entries) => visitor.visit_map(Entries { rest: entries, value: None }),
        };
        result.map_err(|error| error.within(self))
    }

    fn deserialize_tuple<V: de::Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.content {
            Content::List(items) if items.len() != length => {
                let wanted = format!("a list of {length}");
                let found = format!("a list of {}", items.len());
                Err(Error::new(Wrong::Type { found, wanted }).within(self))
            }
            Content::List(_)
            | Content::Text(_)
            | Content::Integer(_)
            | Content::Float(_)
            | Content::Bool(_)
            | Content::Date(_)
            | Content::Table(_) => self.deserialize_any(visitor),
        }
    }

    /// Derived types would take a list for their fields in order, which nobody means in TOML.
    fn deserialize_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if matches!(self.content, Content::List(_)) {
            let error: Error = de::Error::invalid_type(self.unexpected(), &visitor);
            return Err(error.within(self));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self).map_err(|error: Error| error.within(self))
    }

    fn deserialize_newtype_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self).map_err(|error: Error| error.within(self))
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Content::Text(text) = &self.content else {
            let wanted = format!("one of {}", super::fault::listed(known));
            let found = found_words(self.unexpected());
            return Err(Error::new(Wrong::Type { found, wanted }).within(self));
        };
        visitor.visit_enum(word(text)).map_err(|error| error.within(self))
    }

    forward_to_deserialize_any! {
        bool u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 char str string seq
        bytes byte_buf map unit
        ignored_any unit_struct tuple_struct identifier
    }
}

fn word(text: &str) -> StrDeserializer<'_, Error> {
    text.into_deserializer()
}

struct Items<'n>(std::slice::Iter<'n, Node>);

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(item) = self.0.next() else { return Ok(None) };
        seed.deserialize(item).map(Some).map_err(|error| error.within(item))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Entries<'n> {
    rest: &'n [Entry],
    value: Option<&'n Node>,
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some((entry, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        self.value = Some(&entry.node);
        seed.deserialize(word(&entry.key)).map(Some).map_err(|error| error.of_key(&entry.node))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some(node) = self.value.take() else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        seed.deserialize(node).map_err(|error| error.within(node))
    }
}
