//! What an integrator writes once per product: how its bytes become points.
//!
//! These types *are* the file format of `config/device-types/*.toml`; their doc comments are its
//! reference (`gatehouse schema device-type`). [`crate::decode`] gives them effect.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::camera::{Looking, See, Way};
use super::localbus::Localbus;
use super::quantity::{Period, Text};
use super::writable::Writable;

/// One file in `config/device-types`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeviceType {
    #[serde(rename = "device-type")]
    pub head: Head,
    /// How to poll it; required when `via = "modbus"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modbus: Option<Modbus>,
    /// What looks at the picture; required when `via = "camera"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Looking>,
    /// What is read; required when `via = "localbus"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub localbus: Option<Localbus>,
    /// The values that it measures.
    #[serde(rename = "point", default)]
    pub points: Vec<Point>,
    /// What it sends and what that means; at least one. `gatehouse check` runs them all.
    #[serde(rename = "example", default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

impl DeviceType {
    /// Position of the point of that name.
    pub fn point(&self, name: &str) -> Option<usize> {
        self.points.iter().position(|p| p.name == name)
    }

    /// How often it is asked, when it is.
    pub fn polled_every(&self) -> Option<Duration> {
        let modbus = self.modbus.as_ref().map(|modbus| modbus.every.0);
        modbus.or(self.localbus.as_ref().map(|localbus| localbus.every.0))
    }

    /// After this long without a frame the device counts as silent.
    pub fn silent_after(&self) -> Duration {
        let declared = self.head.silent_after.map(|p| p.0);
        let polled = self.polled_every().map(|every| every * 5);
        let seen = self.camera.as_ref().map(Looking::silent_after);
        declared.or(polled).or(seen).unwrap_or(Duration::from_mins(15))
    }
}

/// `[device-type]`: who it is and how it talks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Head {
    /// Lower case, digits and dashes; the name that devices refer to.
    pub id: String,
    /// What people call the product.
    pub title: Text,
    /// The wire that it speaks on.
    pub via: Via,
    /// Silent for longer than this: the device itself becomes a finding. Five polls for Modbus
    /// and the local bus, ten looks and at least a minute for a camera, 15 min otherwise, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_after: Option<Period>,
    /// Top-level JSON fields of a frame that an event carries along, such as a message counter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub echo: Vec<String>,
    /// Where the device's own time stands in its JSON; the time of arrival when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeField>,
    /// Every column of a recording becomes a point (`generic-series`); no `[[point]]` then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_point: bool,
}

/// The wire of a device type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    Mqtt,
    Modbus,
    /// Looks at the pictures of a camera.
    Camera,
    /// Wired to the box itself.
    Localbus,
    /// Recorded data only.
    Replay,
}

/// The device's own time within its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TimeField {
    /// JSON pointer (RFC 6901), as in `/ts`.
    pub json: String,
    pub format: TimeFormat,
    /// Frames dated further ahead of the gateway are refused; 5 min when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ahead: Option<Period>,
    /// Frames older than this are refused; 7 days when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Period>,
}

/// How a device writes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TimeFormat {
    /// Seconds since 1970, UTC.
    UnixS,
    /// Milliseconds since 1970, UTC.
    UnixMs,
    /// Text as in `2026-01-31T08:15:00+08:00`.
    Rfc3339,
}

/// `[modbus]`: what to ask for and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Modbus {
    /// The table that points are read from unless they say otherwise.
    pub function: Function,
    /// Address of word 0 of this file, as on the wire (0-based).
    #[serde(default)]
    pub start: u16,
    /// Registers that exist from `start` on; reads never go past them. Left out: as far as the
    /// points reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u16>,
    /// Time between two polls.
    pub every: Period,
    /// Most registers (or, for bits, sixteenths of the count) in one request; some devices take 16.
    #[serde(default = "max_block")]
    pub max_block: u16,
    /// Words, counted from `start`, that must not be read: `[first, last]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holes: Vec<(u16, u16)>,
}

/// Modbus application protocol V1.1b3, section 6.3: 125 registers in one read.
fn max_block() -> u16 {
    125
}

/// The four tables of a Modbus device.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Function {
    /// Function code 1.
    Coil,
    /// Function code 2.
    Discrete,
    /// Function code 3.
    Holding,
    /// Function code 4.
    Input,
}

/// `[[point]]`: one value that the device measures, and what can be believed of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Point {
    /// A word that rules can use: lower case letters, digits, underscores.
    pub name: String,
    /// What people call it; the name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    pub at: At,
    /// Value = raw * scale + offset.
    #[serde(default = "one")]
    pub scale: f64,
    #[serde(default)]
    pub offset: f64,
    /// As in UCUM: `degC`, `%`, `ug/m3`; `1` for a number without a unit, `{people}` for a count.
    pub unit: String,
    /// `[lowest, highest]` that the sensor can mean; outside: `out-of-range`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<(f64, f64)>,
    /// Fastest believable change, in units a second; faster: `jumped`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<f64>,
    /// The very same value for this long: `stuck`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck_after: Option<Period>,
    /// A value older than this is no value: `stale`. Three times the polling period, as
    /// `silent-after` for a camera, or 15 min, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<Period>,
    /// Raw values that mean "no data", before scaling: `[-200]`, `[65535]`. NaN always does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_data: Vec<f64>,
    /// The only raw value with which the rest of a Modbus frame means what this file says, as in a
    /// version of a register map; with another one the frame is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_be: Option<f64>,
    /// Texts that stand for numbers: `{ occupied = 1, free = 0 }`. Booleans are 1 and 0 anyway.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, f64>,
    /// A frame may lack it without being refused (a device that sends what changed).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// It can be set by a command, within limits. Left out: it is only read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writable: Option<Box<Writable>>,
}

fn one() -> f64 {
    1.0
}

/// Where a point stands in a frame, or what it sees: one of `json`, `byte`, `word`, `see`, `channel`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct At {
    /// MQTT, JSON payload: a JSON pointer (RFC 6901), as in `/data/t`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<String>,
    /// MQTT, binary payload: offset of the first byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte: Option<usize>,
    /// Modbus: the register (or coil), counted from `start`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word: Option<u16>,
    /// Modbus: another table than the file's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<Function>,
    /// How the bytes are to be read; `u16` for words, `bool` for coils and discrete inputs.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Order of the bytes; `big` when left out. With four bytes ABCD on the wire: `big` = ABCD,
    /// `little` = DCBA, `big-swapped` = CDAB (low word first), `little-swapped` = BADC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// One bit, 0 the lowest; or a field, `[lowest, highest]`, as an unsigned number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<Bits>,
    /// Camera: what is asked of the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub see: Option<See>,
    /// Camera: the model's labels that count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Camera: a zone of the device, by name; its first one, or the whole picture, when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Camera, for `crossings`: a tripwire of the device, by name; its first one when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tripwire: Option<String>,
    /// Camera, for `crossings`: one way; both ways when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way: Option<Way>,
    /// Local bus: what the chip tells, by name, such as `temperature`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

/// How bytes are read as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
}

/// Order of bytes and words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// ABCD; AB for 16 bits.
    #[default]
    Big,
    /// DCBA; BA for 16 bits.
    Little,
    /// CDAB: low word first, bytes in network order.
    BigSwapped,
    /// BADC: high word first, bytes swapped within each word.
    LittleSwapped,
}

/// A bit or a field of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Bits {
    One(u8),
    Field(u8, u8),
}

/// `[[example]]`: what was on the wire and what it means; or, with `write`, what must go out on it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Example {
    /// A payload as text (JSON).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// A binary payload in hexadecimal, as in `"01 A4 00"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_hex: Option<String>,
    /// Modbus: the words of the file's own table from `start` on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<Vec<u16>>,
    /// Modbus: the words of other tables from `start` on, by table.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<Function, Vec<u16>>,
    /// Camera: what was seen, by point; a point that is left out had no data. Local bus: what its
    /// channel said, before `scale` and `offset`; `nan` for no data.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    // JSON, in which editors weigh TOML, has null where TOML has nan.
    #[schemars(with = "BTreeMap<String, Option<f64>>")]
    pub values: BTreeMap<String, f64>,
    /// A point and the value that is written to it. What goes out is then `words` (or `tables`, for a
    /// coil) or `payload`, and the example expects nothing else.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub write: BTreeMap<String, f64>,
    /// MQTT, with `write`: the device's own topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_topic: Option<String>,
    /// MQTT, with `write`: the topic that is written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Values that must come out with quality `good`, by point.
    pub expect: BTreeMap<String, f64>,
    /// Points that must come out with another quality, by point.
    pub quality: BTreeMap<String, crate::reading::Quality>,
}
