//! Every value that may stand in a sample: JSON fields that are numbers, or bytes and registers in every
//! type and order. Which ones look like a measurement is a hint and no more.

use serde_json::Value;

use super::known::meaning;
use super::place::{ORDERS, width};
use super::sample::{MOST_PLACES, Sample, spaced};
use super::{Place, is_bits, reading, values};
use crate::community::device_type::{Kind, Order, TimeField, TimeFormat};
use crate::decode::Raw;

/// JSON fields that are listed.
const MOST_FIELDS: usize = 200;

/// What may be picked.
#[derive(Debug, Clone, PartialEq)]
pub enum Candidates {
    Fields(Vec<Field>),
    Rows(Vec<Row>),
}

/// A field of a JSON payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub pointer: String,
    /// As it was sent.
    pub sent: String,
    pub value: Raw,
    /// The texts that stand for numbers, when it is such a text.
    pub words: Vec<(String, f64)>,
}

/// What begins at one byte or register.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Counted from the first of the sample.
    pub at: usize,
    /// The byte, or the register's two.
    pub hex: String,
    /// The same as text, where it is one.
    pub ascii: Option<String>,
    pub cells: Vec<Cell>,
}

/// One way to read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    pub place: Place,
    pub value: Raw,
    /// It is of a size that measurements have.
    pub is_plausible: bool,
}

impl Candidates {
    pub fn of(sample: &Sample) -> Self {
        match sample {
            Sample::Json(text) => Self::Fields(fields(sample, text)),
            Sample::Bytes(bytes) => {
                let hex = |at: usize| bytes.get(at..=at).unwrap_or_default().to_vec();
                Self::Rows(rows(sample, bytes.len(), hex))
            }
            Sample::Words { words, .. } => {
                let hex = |at: usize| words.get(at).map_or(Vec::new(), |w| w.to_be_bytes().into());
                Self::Rows(rows(sample, words.len(), hex))
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Self::Fields(fields) => fields.is_empty(),
            Self::Rows(rows) => rows.is_empty(),
        }
    }
}

fn fields(sample: &Sample, text: &str) -> Vec<Field> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        walk(&value, String::new(), &mut found);
    }
    let places = found.iter().map(|(pointer, _)| Place::Json(pointer.clone()).at());
    let mut device_type = reading(sample, places);
    for (point, (_, value)) in device_type.points.iter_mut().zip(&found) {
        point.words = value.as_str().map(meaning).unwrap_or_default().into_iter().collect();
    }
    let values = values(&device_type, sample);
    let points = device_type.points.into_iter();
    let fields =
        found.into_iter().zip(points).zip(values).map(|(((pointer, sent), point), value)| Field {
            pointer,
            sent: sent.to_string(),
            value,
            words: point.words.into_iter().collect(),
        });
    fields.collect()
}

/// Every field that is neither an object nor a list, with its JSON pointer.
fn walk(value: &Value, pointer: String, found: &mut Vec<(String, Value)>) {
    match value {
        _ if found.len() >= MOST_FIELDS => {}
        Value::Object(entries) => {
            for (name, value) in entries {
                let name = name.replace('~', "~0").replace('/', "~1");
                walk(value, format!("{pointer}/{name}"), found);
            }
        }
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                walk(value, format!("{pointer}/{at}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.push((pointer, value.clone()));
        }
    }
}

fn rows(sample: &Sample, long: usize, bytes: impl Fn(usize) -> Vec<u8>) -> Vec<Row> {
    let places: Vec<Place> =
        (0..long.min(MOST_PLACES)).flat_map(|at| readings(sample, at, long)).collect();
    let values = values(&reading(sample, places.iter().map(Place::at)), sample);
    let mut rows: Vec<Row> = Vec::new();
    for (place, value) in places.into_iter().zip(values) {
        let at = match &place {
            Place::Json(_) => continue,
            Place::Byte { at, .. } => *at,
            Place::Word { at, .. } => usize::from(*at),
        };
        if rows.last().is_none_or(|row| row.at != at) {
            let bytes = bytes(at);
            let is_text = bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
            let ascii = is_text.then(|| String::from_utf8_lossy(&bytes).into_owned());
            rows.push(Row { at, hex: spaced(&bytes), ascii, cells: Vec::new() });
        }
        let is_plausible = value.is_ok_and(|value| is_plausible(&place, value));
        if let Some(row) = rows.last_mut() {
            row.cells.push(Cell { place, value, is_plausible });
        }
    }
    rows
}

/// Every type and order that fits in from there on.
fn readings(sample: &Sample, at: usize, long: usize) -> Vec<Place> {
    use Kind::{Bool, F32, I8, I16, I32, U8, U16, U32};
    let (kinds, per): (&[Kind], usize) = match sample {
        Sample::Json(_) => (&[], 1),
        Sample::Bytes(_) => (&[U8, I8, U16, I16, U32, I32, F32], 1),
        Sample::Words { function, .. } if is_bits(*function) => (&[Bool], 1),
        Sample::Words { .. } => (&[U16, I16, U32, I32, F32], 2),
    };
    let fits = |kind: &&Kind| at + width(**kind).div_ceil(per) <= long;
    let ways = kinds.iter().filter(fits).flat_map(|kind| {
        // Two bytes have two orders, and one byte has one.
        let is_order = move |order: &Order| match width(*kind) {
            1 => *order == Order::Big,
            2 => matches!(order, Order::Big | Order::Little),
            _ => true,
        };
        ORDERS.iter().map(|(order, ..)| *order).filter(is_order).map(move |order| (*kind, order))
    });
    let place = |(kind, order)| match sample {
        Sample::Words { .. } => Place::Word { at: u16::try_from(at).unwrap_or(0), kind, order },
        Sample::Json(_) | Sample::Bytes(_) => Place::Byte { at, kind, order },
    };
    ways.map(place).collect()
}

/// Zero says nothing of the type; codes for "nothing", numbers of millions and the dust that integers
/// make as floats are rarely measurements.
fn is_plausible(place: &Place, value: f64) -> bool {
    let kind = match place {
        Place::Json(_) => return true,
        Place::Byte { kind, .. } | Place::Word { kind, .. } => *kind,
    };
    match kind {
        Kind::Bool => true,
        Kind::U8 => value > 0.0 && value < 255.0,
        Kind::I8 => (-100.0..0.0).contains(&value),
        Kind::U16 => value > 0.0 && value < 32_767.0,
        Kind::I16 => (-5_000.0..0.0).contains(&value),
        Kind::U32 => (65_536.0..10_000_000.0).contains(&value),
        Kind::I32 => (-100_000.0..0.0).contains(&value),
        Kind::F32 => (0.01..1_000_000.0).contains(&value.abs()),
    }
}

/// Places that look like the device's own time. Seconds and milliseconds are told apart by their size.
pub fn times(sample: &Sample) -> Vec<TimeField> {
    let Sample::Json(text) = sample else { return Vec::new() };
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        walk(&value, String::new(), &mut found);
    }
    let time = |(json, value): (String, Value)| {
        let format = match (value.as_f64(), value.as_str()) {
            // The years 2020 to 2100.
            (Some(number), _) if (1.577e9..4.103e9).contains(&number) => TimeFormat::UnixS,
            (Some(number), _) if (1.577e12..4.103e12).contains(&number) => TimeFormat::UnixMs,
            (_, Some(text))
                if text.contains('T') && text.parse::<crate::reading::Timestamp>().is_ok() =>
            {
                TimeFormat::Rfc3339
            }
            _ => return None,
        };
        Some(TimeField { json, format, max_ahead: None, max_age: None })
    };
    found.into_iter().filter_map(time).collect()
}
