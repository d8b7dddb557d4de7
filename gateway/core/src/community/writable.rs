//! What may be written to a device, and what must hold before it is.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::device_type::At;
use super::quantity::{Period, Text};

/// `[point.writable]`: the point can be set by a command, within these limits. An `[[example]]` with
/// `write` shows what then goes out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Writable {
    /// `[lowest, highest]` that may be written, in the point's unit.
    pub range: (f64, f64),
    /// Only the lowest value and those that many steps above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
    /// Modbus: where it is written, when that is not where it is read. A coil is written with function
    /// 5, one register with 6, two with 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
    /// Modbus: the device knows only functions 15 and 16.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multiple: bool,
    /// MQTT: the topic that is written to. `{topic}` stands for the device's own one, `{1}`, `{2}` and
    /// so on for its levels: `cmnd/{2}/POWER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// MQTT: what is written; `{value}` stands for the value as the device counts, or its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// MQTT: texts that stand for values, `{ ON = 1, OFF = 0 }`; then only these may be written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, f64>,
    /// A condition (CEL) over the device's points and `value`, the one that is to be written. It must
    /// hold; while a point that it looks at is not known or too old, nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What people are told when `when` does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Text>,
    /// At most one write in so long.
    #[serde(default = "every")]
    pub every: Period,
    /// How long the device may take to show the new value; after that the write has failed.
    #[serde(default = "within")]
    pub within: Period,
}

/// `[[interlock]]` of community.toml: what must hold at any devices before a point of one of them is
/// written. What its device type says must hold too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Interlock {
    /// The device that is written to, by id.
    pub device: String,
    /// Its point.
    pub point: String,
    /// The points that `when` looks at, by names for them: `{ level = "tank-1/level" }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub of: BTreeMap<String, String>,
    /// A condition (CEL) over these names and `value`, the one that is to be written. It must hold;
    /// while a point that it looks at is not known or too old, nothing is written.
    pub when: String,
    /// What people are told when it does not.
    pub why: Text,
}

/// The word by which `when` calls what is to be written.
pub const VALUE: &str = "value";

fn every() -> Period {
    Period(Duration::from_secs(5))
}

fn within() -> Period {
    Period(Duration::from_secs(10))
}
