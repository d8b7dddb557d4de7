//! The community itself: areas, devices, feeders, and what the simulator plays on them.
//!
//! These types *are* the file format of `config/community.toml`.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::calendar::dates::DayTime;
use super::camera::{Drawing, Tripwire, Zone};
use super::frequency::Frequency;
use super::people::{Duties, Escalation, Person, Shift, Team};
use super::quantity::{Period, Text};
use super::writable::Interlock;
use crate::reading::Timestamp;

/// `config/community.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Site {
    pub community: SiteHead,
    /// Time, holidays and quiet hours, for rules that ask for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Calendar>,
    #[serde(rename = "area", default)]
    pub areas: Vec<Area>,
    #[serde(rename = "feeder", default, skip_serializing_if = "Vec::is_empty")]
    pub feeders: Vec<Feeder>,
    #[serde(rename = "device", default)]
    pub devices: Vec<DeviceEntry>,
    #[serde(rename = "interlock", default, skip_serializing_if = "Vec::is_empty")]
    pub interlocks: Vec<Interlock>,
    #[serde(rename = "team", default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<Team>,
    #[serde(rename = "person", default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<Person>,
    #[serde(rename = "shift", default, skip_serializing_if = "Vec::is_empty")]
    pub shifts: Vec<Shift>,
    #[serde(rename = "escalation", default, skip_serializing_if = "Vec::is_empty")]
    pub escalations: Vec<Escalation>,
    /// For `demo` and `simulate` only; `run` checks it and otherwise leaves it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulation: Option<Simulation>,
}

impl Site {
    /// Who is called.
    pub fn duties(&self) -> Duties {
        Duties {
            teams: self.teams.clone(),
            people: self.people.clone(),
            shifts: self.shifts.clone(),
            escalations: self.escalations.clone(),
        }
    }
}

/// `[community]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SiteHead {
    pub id: String,
    pub title: Text,
    /// How many false alarms `model` detectors may raise; divided among the scenes that have some and
    /// no `false-alarms` of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_alarms: Option<Frequency>,
    /// How wide and how high the floor plan is, in metres; just what the outlines need when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_size: Option<[f64; 2]>,
}

/// `[[area]]`: one grid cell (网格).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Area {
    pub id: String,
    pub title: Text,
    /// People who live or work there; weighs in the grading.
    #[serde(default)]
    pub people: u32,
    /// Its corners on the floor plan in order, `[x, y]` in metres: x to the right, y down. The map shows
    /// it as a tile when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outline: Vec<[f64; 2]>,
}

/// `[[feeder]]`: a power or network supply that devices share; when it dies they all fall silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Feeder {
    pub id: String,
    pub title: Text,
}

/// `[[device]]`: one installed unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeviceEntry {
    pub id: String,
    /// What people call it; the id when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// A device type, by id.
    #[serde(rename = "type")]
    pub device_type: String,
    /// An area, by id.
    pub area: String,
    /// Where exactly, for the person who goes there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Text>,
    /// Where it is on the floor plan, `[x, y]` in metres as in its area's `outline`; somewhere in the
    /// area when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<[f64; 2]>,
    /// A feeder, by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feeder: Option<String>,
    /// MQTT: a broker of `gateway.toml`, by id; may be left out when there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
    /// MQTT: the topic filter; `sense/<community>/<device>` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Modbus: a line of `gateway.toml`, by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// Modbus: the unit id (slave address).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<u8>,
    /// Local bus: a bus of `gateway.toml`, by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<String>,
    /// Local bus: where on it. I2C: `"0x44"`, the chip's own when left out; 1-Wire: `"28-00000a1b2c3d"`;
    /// hwmon: the driver's name; GPIO: the line, `"17"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Camera: a camera of `gateway.toml`, by id. Several devices may look through one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
    /// Camera: the parts of the picture that it looks at; the whole picture when left out.
    #[serde(rename = "zone", default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<Zone>,
    /// Camera: the lines at which it counts who crosses.
    #[serde(rename = "tripwire", default, skip_serializing_if = "Vec::is_empty")]
    pub tripwires: Vec<Tripwire>,
}

impl DeviceEntry {
    /// What its file draws on the picture.
    pub fn drawing(&self) -> Drawing {
        Drawing { zones: self.zones.clone(), tripwires: self.tripwires.clone() }
    }
}

/// `[simulation]`: how the simulated devices behave, and what goes wrong when.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Simulation {
    /// How often a simulated MQTT device speaks, by device type.
    pub every: BTreeMap<String, Period>,
    #[serde(rename = "behaviour")]
    pub behaviours: Vec<Behaviour>,
    #[serde(rename = "anomaly")]
    pub anomalies: Vec<Anomaly>,
}

/// `[[simulation.behaviour]]`: a point on an ordinary day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Behaviour {
    pub device_type: String,
    pub point: String,
    /// Mean, or the only value when nothing else is given.
    pub mean: f64,
    /// Height of the daily wave.
    #[serde(default)]
    pub swing: f64,
    /// Standard deviation of what comes on top.
    #[serde(default)]
    pub noise: f64,
    /// Rises by this much an hour, and starts over at `mean` once past `until` (a bin that is emptied).
    #[serde(default)]
    pub rise: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<f64>,
    /// Switches between 0 and 1, each state lasting about this long (a parking bay).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toggles: Option<Period>,
}

/// `[[simulation.anomaly]]`: something that goes wrong, and the scene that must notice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Anomaly {
    pub device: String,
    /// Counted from the start of the simulation; this or `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Period>,
    /// The time of the day at which it comes, each day, by the community's `[calendar]`: `"22:30"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DayTime>,
    pub lasts: Period,
    /// Comes again after this long, counted from start to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Period>,
    /// Values that the points take meanwhile.
    #[serde(default)]
    pub set: BTreeMap<String, f64>,
    /// The device says nothing meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
    /// The device sends this meanwhile, whatever it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The scene that must raise an event; none when nothing may come of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene: Option<String>,
}

impl Anomaly {
    /// When it first begins in a simulation that begins at `start`.
    pub fn first(&self, calendar: Option<&Calendar>, start: Timestamp) -> Timestamp {
        match (self.at, calendar) {
            (Some(at), Some(calendar)) => at.next(calendar.time_zone, start),
            (Some(_), None) | (None, _) => start + self.starts.unwrap_or_default().0,
        }
    }

    /// How long after one start the next one comes.
    pub fn again(&self) -> Option<Duration> {
        let daily = self.at.map(|_| Duration::from_hours(24));
        self.repeats.map(|repeats| repeats.0).or(daily).filter(|again| !again.is_zero())
    }
}
