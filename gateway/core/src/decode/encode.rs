//! The way back: what a device of this type would send. Only simulated devices need it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::community::device_type::{DeviceType, Function, Point, TimeFormat};
use crate::reading::{Block, Body, Timestamp};

use super::json::names;
use super::layout::Layout;
use super::{Decoder, Form, Place, Slot};

/// A Modbus device's tables, address by address as on the wire.
pub type Tables = BTreeMap<(Function, u16), u16>;

/// What a device of this type sends at `at` when its points have these values, in the order of
/// the type. `None` is the device's own code for "no data", or as near to it as its form allows.
/// `more` are further top-level fields of a JSON payload (a message counter, say).
pub fn encode(
    device_type: &DeviceType,
    values: &[Option<f64>],
    more: &Map<String, Value>,
    at: Timestamp,
) -> Body {
    let decoder = Decoder::new(device_type);
    match decoder.form {
        Form::Json(_) => Body::Payload(json(device_type, &decoder.slots, values, more, at)),
        Form::Binary => Body::Payload(binary(&decoder.slots, values)),
        Form::Words => Body::Blocks(blocks(&tables(device_type, values))),
        Form::Values => {
            let values = values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
            Body::Values { at, values }
        }
    }
}

/// The registers of a Modbus device whose points have these values.
pub fn tables(device_type: &DeviceType, values: &[Option<f64>]) -> Tables {
    let mut tables = Tables::new();
    for (slot, value) in Decoder::new(device_type).slots.iter().zip(values) {
        let Place::Word(function, address, layout) = slot.place else { continue };
        let addresses = || (address..=u16::MAX).take(usize::from(layout.words()));
        let mut cell: Vec<u8> = addresses()
            .flat_map(|address| {
                tables.get(&(function, address)).map_or([0; 2], |w| w.to_be_bytes())
            })
            .collect();
        layout.write(slot.raw(*value, layout), &mut cell);
        for (address, word) in addresses().zip(cell.chunks_exact(2)) {
            tables.insert((function, address), u16::from_be_bytes([word[0], word[1]]));
        }
    }
    tables
}

/// The tables as the answers to the fewest requests, without regard to any limit.
fn blocks(tables: &Tables) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for ((function, address), word) in tables {
        if let Some(Block { function: f, start, words: Ok(words), count }) = blocks.last_mut()
            && *f == *function
            && start.checked_add(*count) == Some(*address)
        {
            words.push(*word);
            *count += 1;
        } else {
            let words = Ok(vec![*word]);
            blocks.push(Block { function: *function, start: *address, words, count: 1 });
        }
    }
    blocks
}

fn binary(slots: &[Slot], values: &[Option<f64>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (slot, value) in slots.iter().zip(values) {
        let Place::Byte(at, layout) = slot.place else { continue };
        let end = at + layout.bytes();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        layout.write(slot.raw(*value, layout), &mut bytes[at..end]);
    }
    bytes
}

fn json(
    device_type: &DeviceType,
    slots: &[Slot],
    values: &[Option<f64>],
    more: &Map<String, Value>,
    at: Timestamp,
) -> Vec<u8> {
    let mut root = Value::Object(more.clone());
    for ((point, slot), value) in device_type.points.iter().zip(slots).zip(values) {
        let Some(pointer) = &point.at.json else { continue };
        if let Some(value) = slot.json(point, *value) {
            put(&mut root, pointer, value);
        }
    }
    if let Some(time) = &device_type.head.time {
        let value = match time.format {
            TimeFormat::UnixS => Value::from(at.0.div_euclid(1_000)),
            TimeFormat::UnixMs => Value::from(at.0),
            TimeFormat::Rfc3339 => Value::from(at.rfc3339()),
        };
        put(&mut root, &time.json, value);
    }
    root.to_string().into_bytes()
}

/// Sets the value at a JSON pointer. Indices become names: a pointer reads both alike.
fn put(root: &mut Value, pointer: &str, value: Value) {
    let mut place = root;
    for name in names(pointer) {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(fields) = place else { return };
        place = fields.entry(name).or_insert(Value::Null);
    }
    *place = value;
}

impl Slot {
    /// The number on the wire for a value, or for none.
    fn raw(&self, value: Option<f64>, layout: Layout) -> f64 {
        let nothing = || self.no_data.first().copied().unwrap_or_else(|| layout.nothing());
        value.map_or_else(nothing, |value| self.scale.undo(value))
    }

    /// The same in JSON; an optional point without a value is left out.
    fn json(&self, point: &Point, value: Option<f64>) -> Option<Value> {
        let Some(value) = value else {
            let code = self.no_data.first().map(|code| number(*code));
            return if point.optional { None } else { Some(code.unwrap_or(Value::Null)) };
        };
        let raw = self.scale.undo(value);
        let word = point.words.iter().find(|(_, number)| (**number - raw).abs() < 1e-9);
        Some(word.map_or_else(|| number(raw), |(word, _)| Value::from(word.as_str())))
    }
}

/// Whole numbers without a fraction, as devices write them.
pub(super) fn number(raw: f64) -> Value {
    let whole = raw.fract() == 0.0 && raw.abs() < 9e15;
    #[expect(clippy::cast_possible_truncation, reason = "whole and small")]
    if whole { Value::from(raw as i64) } else { Value::from(raw) }
}
