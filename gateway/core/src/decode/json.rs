//! One pass over a JSON text that picks out what the points ask for.
//!
//! The JSON pointers of a device type are split beforehand into a tree of names. The parser walks
//! the text once; where a name leads nowhere in the tree, the value is checked and forgotten, so no
//! document is ever built. `serde_json` stops at 128 levels. Of a repeated name the last one counts.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

use crate::community::device_type::{DeviceType, TimeFormat};
use crate::reading::{Quality, Timestamp};

use super::{Decoded, Raw, Slot, Undecodable};

/// The last moment of the year 9999; a number beyond it is no date.
const LAST_MS: f64 = 253_402_300_799_999.0;

/// The names that a device type asks for.
#[derive(Debug, Clone)]
pub(super) struct Document {
    root: Node,
    time: TimeFormat,
}

/// A place in the text.
#[derive(Debug, Clone, Default)]
struct Node {
    children: Vec<(String, Node)>,
    /// Points that stand here, by position.
    points: Vec<usize>,
    is_time: bool,
    echo: Option<usize>,
}

static NOWHERE: Node =
    Node { children: Vec::new(), points: Vec::new(), is_time: false, echo: None };

impl Document {
    pub(super) fn new(device_type: &DeviceType) -> Self {
        let mut root = Node::default();
        for (position, point) in device_type.points.iter().enumerate() {
            if let Some(pointer) = &point.at.json {
                root.at(names(pointer)).points.push(position);
            }
        }
        if let Some(time) = &device_type.head.time {
            root.at(names(&time.json)).is_time = true;
        }
        for (position, name) in device_type.head.echo.iter().enumerate() {
            root.at([name.clone()]).echo = Some(position);
        }
        let time = device_type.head.time.as_ref().map_or(TimeFormat::UnixMs, |time| time.format);
        Self { root, time }
    }

    pub(super) fn read(&self, slots: &[Slot], bytes: &[u8]) -> Result<Decoded, Undecodable> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Undecodable::NotUtf8 { at: error.valid_up_to() })?;
        if text.trim_ascii().is_empty() {
            return Err(Undecodable::Empty);
        }
        let values = vec![Err(Quality::Missing); slots.len()];
        let mut found = Found {
            slots,
            time: self.time,
            decoded: Decoded { at: None, values, echo: Vec::new() },
            bad_time: None,
        };
        let mut parser = serde_json::Deserializer::from_str(text);
        let shape = Walk { node: &self.root, found: &mut found, is_echo: false }
            .deserialize(&mut parser)
            .and_then(|shape| parser.end().map(|()| shape))
            .map_err(|error| refusal(&error))?;

        let fits = match shape {
            Shape::Object => true,
            Shape::Array => self.root.children.iter().any(|(name, _)| is_index(name)),
            Shape::Scalar(_) => !self.root.points.is_empty(),
        };
        if !fits {
            return Err(Undecodable::NotAnObject { found: shape.describe() });
        }
        match found.bad_time {
            Some(what) => Err(Undecodable::BadTime { what: what.into() }),
            None => Ok(found.decoded),
        }
    }
}

impl Node {
    /// The node at the end of these names, made when it is not there.
    fn at(&mut self, names: impl IntoIterator<Item = String>) -> &mut Self {
        let mut node = self;
        for name in names {
            let position = node.children.iter().position(|(known, _)| *known == name);
            let position = position.unwrap_or_else(|| {
                node.children.push((name, Self::default()));
                node.children.len() - 1
            });
            node = &mut node.children[position].1;
        }
        node
    }

    fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|(known, _)| known == name).map(|(_, child)| child)
    }
}

/// The names in a JSON pointer (RFC 6901, section 4).
pub(super) fn names(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"))
}

fn is_index(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

fn refusal(error: &serde_json::Error) -> Undecodable {
    let text = error.to_string();
    if text.starts_with("recursion limit exceeded") {
        return Undecodable::TooDeep;
    }
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = text.strip_suffix(&place).unwrap_or(&text).to_owned();
    Undecodable::NotJson { line: error.line(), column: error.column(), what }
}

/// What the walk has found.
struct Found<'s> {
    slots: &'s [Slot],
    time: TimeFormat,
    decoded: Decoded,
    bad_time: Option<&'static str>,
}

/// What a value turned out to be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Object,
    Array,
    Scalar(&'static str),
}

impl Shape {
    fn describe(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::Scalar(name) => name,
        }
    }
}

/// Goes through one value.
struct Walk<'n, 'f, 's> {
    node: &'n Node,
    found: &'f mut Found<'s>,
    /// The value has been kept already.
    is_echo: bool,
}

impl Walk<'_, '_, '_> {
    /// Notes a value for every point that stands here.
    fn note(&mut self, value: impl Fn(&Slot) -> Raw) {
        for point in &self.node.points {
            if let (Some(slot), Some(place)) =
                (self.found.slots.get(*point), self.found.decoded.values.get_mut(*point))
            {
                *place = value(slot);
            }
        }
    }

    fn note_time(&mut self, at: Result<Option<Timestamp>, &'static str>) {
        if self.node.is_time {
            match at {
                Ok(at) => self.found.decoded.at = at,
                Err(what) => self.found.bad_time = Some(what),
            }
        }
    }

    fn note_number(mut self, number: f64) -> Shape {
        self.note(|slot| slot.value(number));
        if self.node.is_time {
            self.note_time(moment(number, self.found.time).map(Some));
        }
        Shape::Scalar("a number")
    }
}

/// A number as a moment.
fn moment(number: f64, format: TimeFormat) -> Result<Timestamp, &'static str> {
    let ms = match format {
        TimeFormat::UnixS => number * 1_000.0,
        TimeFormat::UnixMs => number,
        TimeFormat::Rfc3339 => return Err("it is a number where a text was expected"),
    };
    if !(0.0..=LAST_MS).contains(&ms) {
        return Err("the number is not within the years 1970 to 9999");
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded just above")]
    Ok(Timestamp(ms.round() as i64))
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_, '_> {
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        let Some(echo) = self.node.echo.filter(|_| !self.is_echo) else {
            return deserializer.deserialize_any(self);
        };
        let value = <Value as serde::Deserialize>::deserialize(deserializer)?;
        let shape = (&value)
            .deserialize_any(Walk { node: self.node, found: &mut *self.found, is_echo: true })
            .map_err(D::Error::custom)?;
        let kept = &mut self.found.decoded.echo;
        kept.retain(|(position, _)| *position != echo);
        kept.push((echo, value));
        Ok(shape)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_, '_> {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(mut self, value: bool) -> Result<Shape, E> {
        self.note(|slot| slot.value(f64::from(u8::from(value))));
        self.note_time(Err("it is true or false where a time was expected"));
        Ok(Shape::Scalar("true or false"))
    }

    #[expect(clippy::cast_precision_loss, reason = "sensors do not count past 2^53")]
    fn visit_i64<E>(self, value: i64) -> Result<Shape, E> {
        Ok(self.note_number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "sensors do not count past 2^53")]
    fn visit_u64<E>(self, value: u64) -> Result<Shape, E> {
        Ok(self.note_number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Shape, E> {
        Ok(self.note_number(value))
    }

    fn visit_str<E>(mut self, text: &str) -> Result<Shape, E> {
        self.note(|slot| slot.text(text));
        if self.node.is_time {
            self.note_time(match self.found.time {
                TimeFormat::Rfc3339 => {
                    text.parse().map(Some).map_err(|_| "the text is not a time as in RFC 3339")
                }
                TimeFormat::UnixS | TimeFormat::UnixMs => {
                    Err("it is a text where a number was expected")
                }
            });
        }
        Ok(Shape::Scalar("a text"))
    }

    fn visit_unit<E>(mut self) -> Result<Shape, E> {
        self.note(|_| Err(Quality::NoData));
        self.note_time(Ok(None));
        Ok(Shape::Scalar("null"))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Shape, A::Error> {
        self.note(|_| Err(Quality::WrongType));
        self.note_time(Err("it is an object where a time was expected"));
        while let Some(child) = map.next_key_seed(Name(self.node))? {
            let node = child.unwrap_or(&NOWHERE);
            map.next_value_seed(Walk { node, found: &mut *self.found, is_echo: false })?;
        }
        Ok(Shape::Object)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Shape, A::Error> {
        self.note(|_| Err(Quality::WrongType));
        self.note_time(Err("it is an array where a time was expected"));
        let mut index = 0_usize;
        loop {
            let node = match self.node.children.as_slice() {
                [] => &NOWHERE,
                _ => self.node.child(&index.to_string()).unwrap_or(&NOWHERE),
            };
            let walk = Walk { node, found: &mut *self.found, is_echo: false };
            if seq.next_element_seed(walk)?.is_none() {
                return Ok(Shape::Array);
            }
            index += 1;
        }
    }
}

/// Recognises a name without keeping it.
struct Name<'n>(&'n Node);

impl<'de, 'n> DeserializeSeed<'de> for Name<'n> {
    type Value = Option<&'n Node>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for Name<'n> {
    type Value = Option<&'n Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.child(name))
    }
}
