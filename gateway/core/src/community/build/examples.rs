//! What a device sent and what that must mean, run through the decoder that frames run through.

use super::super::device_type::{DeviceType, Example, Kind, Order, Point, Via};
use super::super::document::Document;
use super::super::fault::nearest;
use super::writables;
use crate::decode::{Decoder, Raw};
use crate::reading::{Block, Body, Quality, Timestamp};

/// Differences that a 32-bit float makes are no faults.
const TOLERANCE: f64 = 1e-6;

pub(super) fn check(document: &mut Document, device_type: &DeviceType) {
    if device_type.examples.is_empty() && device_type.head.via != Via::Replay {
        let help = "add an `[[example]]` with what the device sent and what it means";
        document.fault(
            "example",
            "a device type carries at least one example",
            Some(help.to_owned()),
        );
    }
    for (position, example) in device_type.examples.iter().enumerate() {
        let path = format!("example.{position}");
        if !example.write.is_empty() {
            writables::run_example(document, position, device_type, example);
            continue;
        }
        for (key, is_set) in
            [("topic", example.topic.is_some()), ("own-topic", example.own_topic.is_some())]
        {
            if is_set {
                let message = format!("`{key}` belongs to an example with `write`");
                document.key_fault(&format!("{path}.{key}"), message, None);
            }
        }
        let names = example.expect.keys().map(|name| ("expect", name));
        let names = names.chain(example.values.keys().map(|name| ("values", name)));
        let are_points_sure = !document.has_doubtful("point", "name");
        for (key, name) in names.chain(example.quality.keys().map(|name| ("quality", name))) {
            if device_type.point(name).is_none() && are_points_sure {
                let help =
                    nearest(name, device_type.points.iter().map(|point| point.name.as_str()));
                let message = format!("there is no point `{name}`");
                document.key_fault(&format!("{path}.{key}.{name}"), message, help);
            }
        }
        if example.expect.is_empty() && example.quality.is_empty() {
            document.fault(&path, "the example expects nothing", Some("add `expect`".to_owned()));
        }
        let Some(body) = body(document, &path, device_type, example) else { continue };
        // A stand-in is told already; examples would only repeat it.
        let wire = ["modbus", "device-type.via"].map(str::to_owned);
        let sent = ["words", "tables", "payload", "payload-hex", "values"]
            .map(|key| format!("{path}.{key}"));
        if !wire.iter().chain(&sent).any(|part| document.is_mended(part)) {
            run(document, position, device_type, example, &body);
        }
    }
}

/// What came over the wire.
fn body(
    document: &mut Document,
    path: &str,
    device_type: &DeviceType,
    example: &Example,
) -> Option<Body> {
    let given = [
        ("payload", example.payload.is_some()),
        ("payload-hex", example.payload_hex.is_some()),
        ("words", example.words.is_some() || !example.tables.is_empty()),
        ("values", !example.values.is_empty()),
    ];
    let given: Vec<&str> =
        given.iter().filter(|(_, is_set)| *is_set).map(|(key, _)| *key).collect();
    match (device_type.head.via, given.as_slice()) {
        (Via::Mqtt, ["payload"]) => {
            Some(Body::Payload(example.payload.as_ref()?.clone().into_bytes()))
        }
        (Via::Mqtt, ["payload-hex"]) => {
            let bytes = bytes(example.payload_hex.as_ref()?);
            if bytes.is_none() {
                let message = "`payload-hex` is bytes in hexadecimal, as in `01 A4 00`";
                document.fault(&format!("{path}.payload-hex"), message, None);
            }
            bytes.map(Body::Payload)
        }
        (Via::Modbus, ["words"]) => blocks(device_type, example),
        (Via::Camera, ["values"]) => Some(seen(device_type, example)),
        (Via::Localbus, ["values"]) => Some(told(device_type, example)),
        (via, _) => {
            let expected = match via {
                Via::Mqtt => "`payload` or `payload-hex`",
                Via::Modbus => "`words`",
                Via::Camera | Via::Localbus => "`values`",
                Via::Replay => "nothing: a recording needs no example",
            };
            document.fault(path, format!("an example of this device type has {expected}"), None);
            None
        }
    }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.split_whitespace().collect();
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn blocks(device_type: &DeviceType, example: &Example) -> Option<Body> {
    let modbus = device_type.modbus.as_ref()?;
    let own = example.words.as_ref().map(|words| (&modbus.function, words));
    let block = |(function, words): (&_, &Vec<u16>)| Block {
        function: *function,
        start: modbus.start,
        words: Ok(words.clone()),
        count: u16::try_from(words.len()).unwrap_or(u16::MAX),
    };
    Some(Body::Blocks(own.into_iter().chain(&example.tables).map(block).collect()))
}

/// The numbers as whoever looks gives them.
fn seen(device_type: &DeviceType, example: &Example) -> Body {
    let value = |point: &Point| example.values.get(&point.name).copied().unwrap_or(f64::NAN);
    Body::Values { at: Timestamp(0), values: device_type.points.iter().map(value).collect() }
}

/// What the channels said, made into values as the source makes them.
fn told(device_type: &DeviceType, example: &Example) -> Body {
    let raw = |point: &Point| example.values.get(&point.name).copied().unwrap_or(f64::NAN);
    Body::Values { at: Timestamp(0), values: device_type.of_channels(raw) }
}

fn run(
    document: &mut Document,
    position: usize,
    device_type: &DeviceType,
    example: &Example,
    body: &Body,
) {
    let title = format!("example {}", position + 1);
    let path = format!("example.{position}");
    let frame = match Decoder::new(device_type).decode(body) {
        Ok(frame) => frame,
        Err(refusal) => {
            if !document.is_doubtful("point") {
                document.fault(&path, format!("{title}: {refusal}"), None);
            }
            return;
        }
    };
    // What is wrong with a point is told where the point stands.
    let in_doubt: Vec<bool> = (0..device_type.points.len())
        .map(|position| document.is_doubtful(&format!("point.{position}")))
        .collect();
    let found = |name: &str| {
        let position = device_type.point(name)?;
        let point = &device_type.points[position];
        let is_sure = !in_doubt.get(position)?;
        is_sure.then_some((position, point, judged(point, *frame.values.get(position)?)))
    };
    for (name, expected) in &example.expect {
        let Some((at, point, value)) = found(name) else { continue };
        if !matches!(value, Judged::Good(value) if is_near(value, *expected)) {
            let message = format!(
                "{title}: `{name}` is {}, expected {}",
                value.words(point),
                with_unit(*expected, point)
            );
            let help = match &value {
                Judged::OutOfRange(value) if is_near(*value, *expected) => {
                    Some("is `range` right?".to_owned())
                }
                Judged::Good(value) | Judged::OutOfRange(value) => {
                    hint_order(device_type, at, body, *expected)
                        .or_else(|| hint_scale(*value, *expected))
                }
                Judged::Bad(Quality::Missing) => hint_words(point, body),
                Judged::Bad(_) => None,
            };
            document.fault(&format!("{path}.expect.{name}"), message, help);
        }
    }
    for (name, expected) in &example.quality {
        let Some((_, point, value)) = found(name) else { continue };
        if value.quality() != *expected {
            let message = format!(
                "{title}: `{name}` is {}, expected quality `{}`",
                value.words(point),
                expected.word()
            );
            document.fault(&format!("{path}.quality.{name}"), message, None);
        }
    }
}

/// A value and whether it can be believed by itself.
enum Judged {
    Good(f64),
    OutOfRange(f64),
    Bad(Quality),
}

fn judged(point: &Point, raw: Raw) -> Judged {
    match (raw, point.range) {
        (Ok(value), Some((lowest, highest))) if value < lowest || value > highest => {
            Judged::OutOfRange(value)
        }
        (Ok(value), _) => Judged::Good(value),
        (Err(quality), _) => Judged::Bad(quality),
    }
}

impl Judged {
    fn quality(&self) -> Quality {
        match self {
            Self::Good(_) => Quality::Good,
            Self::OutOfRange(_) => Quality::OutOfRange,
            Self::Bad(quality) => *quality,
        }
    }

    fn words(&self, point: &Point) -> String {
        match self {
            Self::Good(value) => with_unit(*value, point),
            Self::OutOfRange(value) => {
                let (lowest, highest) = point.range.unwrap_or_default();
                format!("{}, outside its range [{lowest}, {highest}]", with_unit(*value, point))
            }
            Self::Bad(quality) => format!("`{}`", quality.word()),
        }
    }
}

fn with_unit(value: f64, point: &Point) -> String {
    // As many digits as a 32-bit float holds: more would be noise.
    let value = format!("{value:.6}").parse().unwrap_or(value);
    if point.unit == "1" { format!("{value}") } else { format!("{value} {}", point.unit) }
}

fn is_near(value: f64, expected: f64) -> bool {
    (value - expected).abs() <= TOLERANCE * expected.abs().max(1.0)
}

/// Another order of the bytes that gives what was expected.
fn hint_order(device_type: &DeviceType, at: usize, body: &Body, expected: f64) -> Option<String> {
    let kind = device_type.points[at].at.kind?;
    if !matches!(kind, Kind::U16 | Kind::I16 | Kind::U32 | Kind::I32 | Kind::F32) {
        return None;
    }
    let orders = [
        (Order::Big, "big"),
        (Order::Little, "little"),
        (Order::BigSwapped, "big-swapped"),
        (Order::LittleSwapped, "little-swapped"),
    ];
    let (_, word) = orders.iter().find(|(order, _)| {
        let mut other = device_type.clone();
        other.points[at].at.order = Some(*order);
        let frame = Decoder::new(&other).decode(body);
        frame.is_ok_and(|frame| frame.values[at].is_ok_and(|value| is_near(value, expected)))
    })?;
    Some(format!("with `order = \"{word}\"` it would be right"))
}

fn hint_scale(value: f64, expected: f64) -> Option<String> {
    let ratio = expected / value;
    let power = ratio.abs().log10();
    let is_power =
        power.is_finite() && (power - power.round()).abs() < 1e-6 && power.round() != 0.0;
    (is_power && ratio > 0.0).then(|| "is `scale` right?".to_owned())
}

/// How many words there are, when there are too few.
fn hint_words(point: &Point, body: &Body) -> Option<String> {
    let (Body::Blocks(blocks), Some(word)) = (body, point.at.word) else { return None };
    let [block] = blocks.as_slice() else { return None };
    let given = block.words.as_ref().ok()?.len();
    Some(format!("the point is at word {word}, counted from 0; the example has {given} words"))
}
