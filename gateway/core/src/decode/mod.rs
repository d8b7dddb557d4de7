//! Frames become raw values, exactly as the device type says and no further.
//!
//! A [`Decoder`] is compiled once per device type and called for every frame. It answers with one
//! result per point, in the device type's order: a number in the point's unit, or the [`Quality`]
//! that says why there is none. Whether a number can be believed is for [`crate::admission`] to say.
//! A frame that cannot be read at all is [`Undecodable`]; any bytes whatever end in one of the two.
//!
//! 1. [`layout`]: bytes and words as numbers,
//! 2. [`json`]: one pass over a JSON text that picks out what the points ask for,
//! 3. [`encode`]: the way back, for simulated devices,
//! 4. [`order`]: the way back of one value, for devices that are written to.

pub mod encode;
mod json;
mod layout;
pub mod order;

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::community::device_type::{DeviceType, Function, Point};
use crate::reading::{Block, Body, Quality, Timestamp, WireFault};

use json::Document;
use layout::Layout;

/// A number in the point's unit, or why there is none (never [`Quality::Good`]).
pub type Raw = Result<f64, Quality>;

/// What a frame says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decoded {
    /// The device's own time, when its type says where it stands and the frame has it.
    pub at: Option<Timestamp>,
    /// One per point, in the device type's order.
    pub values: Vec<Raw>,
    /// Fields to carry along in an event: position in the device type's `echo`, and the value.
    pub echo: Vec<(usize, serde_json::Value)>,
}

impl Decoded {
    /// The echoed fields by name, as an event carries them.
    pub fn echo_fields(&self, device_type: &DeviceType) -> BTreeMap<String, serde_json::Value> {
        let name = |at: usize| device_type.head.echo.get(at).cloned();
        self.echo.iter().filter_map(|(at, value)| Some((name(*at)?, value.clone()))).collect()
    }
}

/// Why nothing can be read from a frame. Counted per device; nobody retries because of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    #[error("the payload is empty")]
    Empty,
    #[error("the payload is not UTF-8 from byte {at} on")]
    NotUtf8 { at: usize },
    #[error("the payload is not JSON at line {line}, column {column}: {what}")]
    NotJson { line: usize, column: usize, what: String },
    #[error("the payload nests deeper than 128 levels")]
    TooDeep,
    #[error("the payload is {found} where a JSON object was expected")]
    NotAnObject { found: &'static str },
    #[error("the payload has {got} bytes, but point `{point}` ends at byte {needed}")]
    TooShort { point: String, needed: usize, got: usize },
    #[error("the device's time is unreadable: {what}")]
    BadTime { what: Cow<'static, str> },
    /// Another device than the type is for, or another version of it. Give it the type of that one.
    #[error("`{point}` is {found}, and this device type only reads what has {expected} there")]
    OtherDevice { point: String, expected: String, found: String },
    /// The device is configured for another kind of wire than the frame came from.
    #[error("the frame holds {found}, but the device type reads {expected}")]
    WrongWire { expected: &'static str, found: &'static str },
}

impl Undecodable {
    /// The word used in metrics and events.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotUtf8 { .. } => "not-utf8",
            Self::NotJson { .. } => "not-json",
            Self::TooDeep => "too-deep",
            Self::NotAnObject { .. } => "not-an-object",
            Self::TooShort { .. } => "too-short",
            Self::BadTime { .. } => "bad-time",
            Self::OtherDevice { .. } => "other-device",
            Self::WrongWire { .. } => "wrong-wire",
        }
    }
}

/// A device type made ready to read frames.
#[derive(Debug, Clone)]
pub struct Decoder {
    slots: Vec<Slot>,
    form: Form,
}

/// What a frame's content must be.
#[derive(Debug, Clone)]
enum Form {
    Json(Document),
    Binary,
    Words,
    /// Values alone (recordings).
    Values,
}

impl Form {
    fn describe(&self) -> &'static str {
        match self {
            Self::Json(_) => "a JSON payload",
            Self::Binary => "a binary payload",
            Self::Words => "Modbus registers",
            Self::Values => "recorded values",
        }
    }
}

/// A point made ready.
#[derive(Debug, Clone)]
struct Slot {
    name: String,
    place: Place,
    scale: Scale,
    no_data: Vec<f64>,
    must_be: Option<f64>,
    words: BTreeMap<String, f64>,
    optional: bool,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// In the JSON document, which knows where.
    Json,
    Byte(usize, Layout),
    Word(Function, u16, Layout),
    /// Not in any frame: only values by point reach it.
    Nowhere,
}

impl Decoder {
    /// Expects a device type that passed [`crate::community::build`]; of a point that contradicts
    /// itself every frame says `missing`.
    pub fn new(device_type: &DeviceType) -> Self {
        let slots: Vec<Slot> =
            device_type.points.iter().map(|point| Slot::new(device_type, point)).collect();
        let has = |wanted: fn(&Place) -> bool| slots.iter().any(|slot| wanted(&slot.place));
        let form = if device_type.modbus.is_some() {
            Form::Words
        } else if has(|place| matches!(place, Place::Byte(..))) {
            Form::Binary
        } else if has(|place| matches!(place, Place::Json)) {
            Form::Json(Document::new(device_type))
        } else {
            Form::Values
        };
        Self { slots, form }
    }

    /// Reads one frame.
    pub fn decode(&self, body: &Body) -> Result<Decoded, Undecodable> {
        match (body, &self.form) {
            (Body::Values { at, values }, _) => Ok(self.values(*at, values)),
            (Body::Payload(bytes), Form::Json(document)) => document.read(&self.slots, bytes),
            (Body::Payload(bytes), Form::Binary) => self.binary(bytes),
            (Body::Blocks(blocks), Form::Words) => self.words(blocks),
            (Body::Payload(_), Form::Words | Form::Values) => Err(self.wrong_wire("a payload")),
            (Body::Blocks(_), Form::Json(_) | Form::Binary | Form::Values) => {
                Err(self.wrong_wire("Modbus registers"))
            }
        }
    }

    /// Recorded values are in the point's unit already.
    fn values(&self, at: Timestamp, values: &[f64]) -> Decoded {
        let value = |(i, slot): (usize, &Slot)| match values.get(i) {
            Some(value) => slot.recorded(*value),
            None => Err(Quality::Missing),
        };
        let values = self.slots.iter().enumerate().map(value).collect();
        Decoded { at: Some(at), values, echo: Vec::new() }
    }

    fn binary(&self, bytes: &[u8]) -> Result<Decoded, Undecodable> {
        if bytes.is_empty() {
            return Err(Undecodable::Empty);
        }
        let mut values = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            let Place::Byte(at, layout) = slot.place else {
                values.push(Err(Quality::Missing));
                continue;
            };
            let needed = at.saturating_add(layout.bytes());
            match bytes.get(at..needed) {
                Some(cell) => values.push(slot.value(layout.read(cell))),
                None if slot.optional => values.push(Err(Quality::Missing)),
                None => {
                    let point = slot.name.clone();
                    return Err(Undecodable::TooShort { point, needed, got: bytes.len() });
                }
            }
        }
        Ok(Decoded { at: None, values, echo: Vec::new() })
    }

    fn words(&self, blocks: &[Block]) -> Result<Decoded, Undecodable> {
        let mut values = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            let raw = slot.found(blocks);
            if let (Ok(found), Some(expected)) = (raw, slot.must_be)
                && found.to_bits() != expected.to_bits()
            {
                let point = slot.name.clone();
                let (expected, found) = (expected.to_string(), found.to_string());
                return Err(Undecodable::OtherDevice { point, expected, found });
            }
            values.push(raw.and_then(|raw| slot.value(raw)));
        }
        Ok(Decoded { at: None, values, echo: Vec::new() })
    }

    fn wrong_wire(&self, found: &'static str) -> Undecodable {
        Undecodable::WrongWire { expected: self.form.describe(), found }
    }
}

/// One word of the answers, or why it is not there.
fn word(blocks: &[Block], function: Function, address: u16) -> Result<u16, Quality> {
    let covers = |block: &&Block| {
        block.function == function
            && address.checked_sub(block.start).is_some_and(|offset| offset < block.count)
    };
    let block = blocks.iter().find(covers).ok_or(Quality::Missing)?;
    match &block.words {
        Ok(words) => words.get(usize::from(address - block.start)).copied().ok_or(Quality::Garbled),
        Err(WireFault::Timeout | WireFault::Disconnected) => Err(Quality::Timeout),
        Err(WireFault::Exception(_)) => Err(Quality::Exception),
        Err(WireFault::Garbled) => Err(Quality::Garbled),
    }
}

impl Slot {
    fn new(device_type: &DeviceType, point: &Point) -> Self {
        Self {
            name: point.name.clone(),
            place: place(device_type, point).unwrap_or(Place::Nowhere),
            scale: Scale::new(point.scale, point.offset),
            no_data: point.no_data.clone(),
            must_be: point.must_be,
            words: point.words.clone(),
            optional: point.optional,
        }
    }

    /// The raw number that stands in the words of a poll.
    fn found(&self, blocks: &[Block]) -> Raw {
        let Place::Word(function, address, layout) = self.place else {
            return Err(Quality::Missing);
        };
        let mut cell = [0; 4];
        let cell = &mut cell[..layout.bytes()];
        for (pair, address) in cell.chunks_mut(2).zip(address..=u16::MAX) {
            let word = word(blocks, function, address)?.to_be_bytes();
            pair.copy_from_slice(&word);
        }
        Ok(layout.read(cell))
    }

    /// A raw number as the device sent it.
    fn value(&self, raw: f64) -> Raw {
        if self.no_data.contains(&raw) {
            return Err(Quality::NoData);
        }
        let value = self.scale.apply(raw);
        if value.is_finite() { Ok(value) } else { Err(Quality::NoData) }
    }

    /// A text as the device sent it: one of its words, or a number in quotes.
    fn text(&self, text: &str) -> Raw {
        let number = || text.trim().parse().ok().filter(|number: &f64| number.is_finite());
        let raw = self.words.get(text).copied().or_else(number);
        raw.map_or(Err(Quality::WrongType), |raw| self.value(raw))
    }

    /// A value that was scaled before it was recorded; so were the codes for "no data".
    fn recorded(&self, value: f64) -> Raw {
        let is_code = |code: &f64| (self.scale.apply(*code) - value).abs() <= f64::EPSILON;
        if !value.is_finite() || self.no_data.iter().any(is_code) {
            return Err(Quality::NoData);
        }
        Ok(value)
    }
}

fn place(device_type: &DeviceType, point: &Point) -> Option<Place> {
    let at = &point.at;
    if at.json.is_some() {
        return Some(Place::Json);
    }
    if let Some(byte) = at.byte {
        return Some(Place::Byte(byte, Layout::of_byte(at)));
    }
    let modbus = device_type.modbus.as_ref()?;
    let function = at.function.unwrap_or(modbus.function);
    let layout = Layout::of_word(at, function);
    let address = modbus.start.checked_add(at.word?)?;
    // The last word must have an address too.
    address.checked_add(layout.words() - 1)?;
    Some(Place::Word(function, address, layout))
}

/// raw * scale + offset, so that 253 tenths are 25.3 and not 25.300000000000001.
#[derive(Debug, Clone, Copy)]
struct Scale {
    factor: f64,
    /// 1 / scale where that is a whole number: dividing rounds once, multiplying by 0.1 twice.
    divisor: Option<f64>,
    offset: f64,
}

impl Scale {
    fn new(scale: f64, offset: f64) -> Self {
        let inverse = (1.0 / scale).round();
        let is_whole = inverse.abs() >= 2.0 && (inverse * scale - 1.0).abs() < 1e-12;
        Self { factor: scale, divisor: is_whole.then_some(inverse), offset }
    }

    fn apply(self, raw: f64) -> f64 {
        self.divisor.map_or_else(|| raw * self.factor, |divisor| raw / divisor) + self.offset
    }

    fn undo(self, value: f64) -> f64 {
        let raw = value - self.offset;
        self.divisor.map_or_else(|| raw / self.factor, |divisor| raw * divisor)
    }
}

#[cfg(test)]
mod tests;
