//! What goes out on the wire when a point is written: the way back of a single value.

use serde::{Deserialize, Serialize};

use super::encode::number;
use super::{Place, Slot};
use crate::community::device_type::{DeviceType, Function, Point};
use crate::community::writable::Writable;

/// Differences that a 32-bit float makes are none.
const TOLERANCE: f64 = 1e-6;

/// Something to write to a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Function 5, or 15 when `multiple`.
    Coil { address: u16, on: bool, multiple: bool },
    /// Function 6, or 16 for two registers or when `multiple`.
    Registers { address: u16, words: Vec<u16>, multiple: bool },
    /// `QoS` 1, not retained.
    Publish { topic: String, payload: String },
}

/// Why a value cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoOrder {
    #[error("it is not declared `writable`")]
    NotWritable,
    #[error("{0}")]
    OutOfLimits(String),
    #[error("{0}")]
    NoPlace(&'static str),
}

impl Order {
    /// What writes `value` to a point; `own_topic` is the device's own, for MQTT.
    ///
    /// # Errors
    /// It may not be written, or cannot.
    pub fn new(
        device_type: &DeviceType,
        point: &Point,
        value: f64,
        own_topic: Option<&str>,
    ) -> Result<Self, NoOrder> {
        let writable = point.writable.as_deref().ok_or(NoOrder::NotWritable)?;
        limits(writable, point, value)?;
        if device_type.modbus.is_some() {
            modbus(device_type, point, writable, value)
        } else {
            publish(device_type, point, writable, value, own_topic)
        }
    }
}

/// Whether two values are the same on any wire.
pub fn is_same(one: f64, other: f64) -> bool {
    (one - other).abs() <= TOLERANCE * one.abs().max(1.0)
}

fn limits(writable: &Writable, point: &Point, value: f64) -> Result<(), NoOrder> {
    let (lowest, highest) = writable.range;
    let (name, unit) = (&point.name, &point.unit);
    let refused = |what: String| Err(NoOrder::OutOfLimits(what));
    if !(lowest..=highest).contains(&value) {
        return refused(format!("`{name}` may be {lowest} to {highest} {unit}, not {value}"));
    }
    if let Some(step) = writable.step {
        let steps = (value - lowest) / step;
        if !is_same(steps, steps.round()) {
            return refused(format!("`{name}` goes from {lowest} in steps of {step}"));
        }
    }
    if !writable.words.is_empty() && !writable.words.values().any(|word| is_same(*word, value)) {
        return refused(format!("`{name}` takes {:?} and nothing else", writable.words.values()));
    }
    Ok(())
}

fn modbus(
    device_type: &DeviceType,
    point: &Point,
    writable: &Writable,
    value: f64,
) -> Result<Order, NoOrder> {
    let mut place = point.clone();
    if let Some(at) = &writable.at {
        place.at = at.clone();
    }
    let slot = Slot::new(device_type, &place);
    let Place::Word(function, address, layout) = slot.place else {
        return Err(NoOrder::NoPlace("it stands nowhere on the wire"));
    };
    let mut cell = [0; 4];
    let cell = &mut cell[..layout.bytes()];
    layout.write(slot.scale.undo(value), cell);
    let back = slot.value(layout.read(cell));
    if !back.is_ok_and(|back| is_same(value, back)) {
        let name = &point.name;
        let message = match back {
            Ok(back) => format!("the device counts coarser: `{name}` would be {back}, not {value}"),
            Err(_) => format!("{value} is the device's code for \"no data\""),
        };
        return Err(NoOrder::OutOfLimits(message));
    }
    let words: Vec<u16> =
        cell.chunks_exact(2).map(|word| u16::from_be_bytes([word[0], word[1]])).collect();
    let multiple = writable.multiple;
    match function {
        Function::Coil => Ok(Order::Coil { address, on: words != [0], multiple }),
        Function::Holding => Ok(Order::Registers { address, words, multiple }),
        Function::Discrete | Function::Input => {
            Err(NoOrder::NoPlace("discrete inputs and input registers are only read"))
        }
    }
}

fn publish(
    device_type: &DeviceType,
    point: &Point,
    writable: &Writable,
    value: f64,
    own_topic: Option<&str>,
) -> Result<Order, NoOrder> {
    let (Some(topic), Some(payload)) = (&writable.topic, &writable.payload) else {
        return Err(NoOrder::NoPlace("it has no `topic` or no `payload`"));
    };
    let word = writable.words.iter().find(|(_, word)| is_same(**word, value));
    let text = match word {
        Some((text, _)) => text.clone(),
        None => number(Slot::new(device_type, point).scale.undo(value)).to_string(),
    };
    let topic = addressed(topic, own_topic.unwrap_or_default())?;
    Ok(Order::Publish { topic, payload: payload.replace("{value}", &text) })
}

/// The topic with what stands for parts of the device's own one.
fn addressed(template: &str, own: &str) -> Result<String, NoOrder> {
    let mut topic = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let wrong = || NoOrder::NoPlace("its `topic` has a `{` without a `}`");
        let (name, then) = after.split_once('}').ok_or_else(wrong)?;
        let level = name.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        let part = match level {
            _ if name == "topic" => Some(own),
            Some(level) => own.split('/').nth(level),
            None => None,
        };
        let part = part.filter(|part| !part.is_empty());
        let part = part.ok_or(NoOrder::NoPlace("the device's own topic has no such level"))?;
        topic.push_str(before);
        topic.push_str(part);
        rest = then;
    }
    topic.push_str(rest);
    if topic.is_empty() || topic.contains(['+', '#', '\0']) {
        return Err(NoOrder::NoPlace("its topic has a wildcard, so nobody knows where to write"));
    }
    Ok(topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device_type(text: &str) -> DeviceType {
        toml::from_str(text).unwrap()
    }

    fn pump(at: &str, more: &str) -> DeviceType {
        device_type(&format!(
            "[device-type]\nid = 'p'\ntitle = {{ zh = 'p', en = 'p' }}\nvia = 'modbus'\n\
             [modbus]\nfunction = 'holding'\nstart = 100\nevery = '1 s'\n\
             [[point]]\nname = 'x'\nat = {{ {at} }}\nunit = '1'\n{more}"
        ))
    }

    fn order(device_type: &DeviceType, value: f64) -> Result<Order, NoOrder> {
        Order::new(device_type, &device_type.points[0], value, Some("tele/plug/SENSOR"))
    }

    #[test]
    fn a_value_becomes_what_the_device_reads() {
        let wide = "writable = { range = [-1e6, 1e6] }";
        let coarse = "scale = 0.1\nwritable = { range = [0, 100] }";
        let coil = "writable = { range = [0, 1], at = { word = 3, function = 'coil' } }";
        let registers =
            |words: &[u16]| Order::Registers { address: 104, words: words.into(), multiple: false };
        for (at, more, value, expected) in [
            ("word = 4", coarse, 25.3, registers(&[253])),
            ("word = 4, type = 'i16'", wide, -2.0, registers(&[0xfffe])),
            ("word = 4, type = 'f32'", wide, 100.0, registers(&[0x42c8, 0])),
            ("word = 4, type = 'f32', order = 'big-swapped'", wide, 100.0, registers(&[0, 0x42c8])),
            ("word = 4, type = 'u32'", wide, 70_000.0, registers(&[1, 4_464])),
            ("word = 4", coil, 1.0, Order::Coil { address: 103, on: true, multiple: false }),
        ] {
            assert_eq!(order(&pump(at, more), value), Ok(expected), "{at} {more}");
        }
    }

    #[test]
    fn what_the_limits_or_the_device_do_not_hold_is_refused() {
        for (more, value) in [
            ("writable = { range = [0, 100] }", 101.0),
            ("writable = { range = [0, 100] }", -0.1),
            ("writable = { range = [0, 100] }", f64::NAN),
            ("writable = { range = [0, 100] }", 1.5),
            ("writable = { range = [10, 100], step = 5 }", 12.0),
            ("writable = { range = [-10, 100] }", -1.0),
            ("writable = { range = [0, 1e9] }", 70_000.0),
            ("no-data = [65535]\nwritable = { range = [0, 1e9] }", 65_535.0),
        ] {
            let refused = order(&pump("word = 4", more), value);
            assert!(matches!(refused, Err(NoOrder::OutOfLimits(_))), "{more} {value} {refused:?}");
        }
        assert_eq!(order(&pump("word = 4", ""), 1.0), Err(NoOrder::NotWritable));
        let input = pump("word = 4, function = 'input'", "writable = { range = [0, 1] }");
        assert!(matches!(order(&input, 1.0), Err(NoOrder::NoPlace(_))));
    }

    fn plug(writable: &str) -> DeviceType {
        device_type(&format!(
            "[device-type]\nid = 'p'\ntitle = {{ zh = 'p', en = 'p' }}\nvia = 'mqtt'\n\
             [[point]]\nname = 'x'\nat = {{ json = '/x' }}\nunit = '1'\nscale = 0.1\n\
             writable = {{ range = [0, 10], {writable} }}"
        ))
    }

    #[test]
    fn a_topic_is_made_of_the_device_s_own_one() {
        let publish = |topic: &str, payload: &str| {
            Ok(Order::Publish { topic: topic.into(), payload: payload.into() })
        };
        let words = "topic = 'cmnd/{2}/POWER', payload = '{value}', words = { ON = 1, OFF = 0 }";
        assert_eq!(order(&plug(words), 1.0), publish("cmnd/plug/POWER", "ON"));
        assert!(matches!(order(&plug(words), 2.0), Err(NoOrder::OutOfLimits(_))));
        let json = "topic = '{topic}/set', payload = '{\"x\": {value}}'";
        assert_eq!(order(&plug(json), 2.5), publish("tele/plug/SENSOR/set", "{\"x\": 25}"));
        for topic in ["{9}/set", "{0}/set", "{x}/set", "{1", "a/+", ""] {
            let wrong = plug(&format!("topic = '{topic}', payload = '{{value}}'"));
            assert!(matches!(order(&wrong, 1.0), Err(NoOrder::NoPlace(_))), "{topic}");
        }
    }
}
