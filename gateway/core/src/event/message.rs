//! What leaves the box: one CloudEvents 1.0 message per change of an event, and the record that
//! carries it through the store.
//!
//! CloudEvents 1.0.2, JSON format, structured mode. The schema (`gatehouse schema event`) is
//! generated from these types; field order here is field order on the wire.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::community::quantity::Text;
use crate::community::scene::{Category, Tier};
use crate::reading::TimeQuality;

/// One change of an event, as stored for delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Gapless per gateway, across restarts.
    pub sequence: u64,
    /// 1 most urgent .. 4; the order of delivery.
    pub level: u8,
    /// The event that it is about ([`EventData::event`]).
    pub event: String,
    /// The [`Message`] as JSON, exactly as it goes out, on every retry.
    pub json: Vec<u8>,
}

/// The envelope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    pub specversion: String,
    /// A ULID; the same on every retry.
    pub id: String,
    /// `/townships/<t>/gateways/<g>`.
    pub source: String,
    /// `gatehouse.event.<transition>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The event's id.
    pub subject: String,
    /// RFC 3339, UTC.
    pub time: String,
    pub datacontenttype: String,
    pub dataschema: String,
    /// Gapless per gateway, zero-padded decimal.
    pub sequence: String,
    /// Counts the starts of this box, zero-padded decimal.
    pub bootid: String,
    pub timequality: TimeQuality,
    pub data: EventData,
}

/// What happened to an event.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    Opened,
    Updated,
    Escalated,
    Acknowledged,
    Dispatched,
    Handled,
    Cleared,
    Unknown,
    Reopened,
    Verified,
    Shelved,
    Unshelved,
    Dismissed,
    Closed,
}

impl Transition {
    pub fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::Escalated => "escalated",
            Self::Acknowledged => "acknowledged",
            Self::Dispatched => "dispatched",
            Self::Handled => "handled",
            Self::Cleared => "cleared",
            Self::Unknown => "unknown",
            Self::Reopened => "reopened",
            Self::Verified => "verified",
            Self::Shelved => "shelved",
            Self::Unshelved => "unshelved",
            Self::Dismissed => "dismissed",
            Self::Closed => "closed",
        }
    }
}

/// Where an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The condition holds.
    Open,
    /// Its sensor fell silent: nobody can tell. It stays open.
    Unknown,
    /// The condition is gone.
    Cleared,
}

/// Common Alerting Protocol 1.2, `urgency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Urgency {
    Immediate,
    Expected,
    Future,
    Past,
}

/// Common Alerting Protocol 1.2, `certainty`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Certainty {
    Observed,
    Likely,
    Possible,
    Unlikely,
}

/// The whole event as it stands after the transition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventData {
    /// A ULID; one per event, on both sides.
    pub event: String,
    pub scene: String,
    pub category: Category,
    pub title: Text,
    /// 1 extraordinary (red) .. 4 general (blue); Extreme .. Minor in CAP's words.
    pub level: u8,
    pub urgency: Urgency,
    pub certainty: Certainty,
    pub state: State,
    pub tier: Tier,
    /// The area's id.
    pub area: String,
    /// The device's id; for an event of a whole line, broker, feeder or area, that of the first
    /// that is concerned; it changes when that one is over and others are not.
    pub device: String,
    pub location: Text,
    /// When the condition began (RFC 3339).
    pub started: String,
    /// When it counted as an event.
    pub detected: String,
    pub cause: Cause,
    /// Every device concerned.
    pub affected: Vec<String>,
    /// What to do.
    pub advice: Text,
    /// References to masked stills kept on the box.
    pub evidence: Vec<String>,
    pub review: Review,
    /// An exercise, not the real thing.
    pub drill: bool,
    /// How far people are with it.
    #[serde(default)]
    pub handling: Handling,
    /// People who reported it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<Reported>,
    /// In `opened` and `reopened`: fields of the raising frame, as its device type lists them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub echo: BTreeMap<String, serde_json::Value>,
}

/// How far people are with an event; what the sensors see is its [`State`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Handling {
    pub stage: Stage,
    /// A person's or team's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// Who did what was done last: a person, `platform`, or `sensor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What that person wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Put aside until then (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shelved_until: Option<String>,
    /// When it is escalated if nothing happens (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
}

/// How far people are; in this order, and a later one wins over an earlier one.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Nobody has taken it up.
    #[default]
    Raised,
    /// Somebody has seen it.
    Acknowledged,
    /// Somebody was sent.
    Dispatched,
    /// What could be done was done.
    Handled,
    /// It is seen to be over, by its sensor or by a person.
    Verified,
    /// It is over for good.
    Closed,
    /// It was a false alarm, planned work, or refused at its review.
    Dismissed,
}

impl Stage {
    pub fn word(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Acknowledged => "acknowledged",
            Self::Dispatched => "dispatched",
            Self::Handled => "handled",
            Self::Verified => "verified",
            Self::Closed => "closed",
            Self::Dismissed => "dismissed",
        }
    }

    /// Whether nobody has to do anything any more.
    pub fn is_over(self) -> bool {
        match self {
            Self::Closed | Self::Dismissed => true,
            Self::Raised
            | Self::Acknowledged
            | Self::Dispatched
            | Self::Handled
            | Self::Verified => false,
        }
    }
}

/// What a person said who reported it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reported {
    pub by: String,
    /// When (RFC 3339).
    pub at: String,
    pub text: String,
}

/// Why the event stands as it does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cause {
    /// The detector's id within the scene.
    pub detector: String,
    /// `rule`, or the model as `name@version`.
    pub model: String,
    /// 0..1 for a model; for a limit, the value that passed it.
    pub score: f64,
    /// The score or limit from which it counts.
    pub threshold: f64,
    /// Expected false alarms a week; absent when nobody has measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_alarms_per_week: Option<f64>,
    /// One sentence a person can act on.
    pub why: Text,
    pub contributions: Vec<Contribution>,
    /// The numbers that led to the level.
    pub grading: Grading,
    /// Share of good readings in the window that was judged, 0..1.
    pub quality: f64,
}

/// What one point had to do with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contribution {
    /// The device's id.
    #[serde(default)]
    pub device: String,
    pub point: String,
    /// `null` when there was no value (a silent device).
    pub observed: Option<f64>,
    /// What would have been normal: `[from, to]`, open ends `null`.
    pub expected: (Option<f64>, Option<f64>),
    pub unit: String,
    /// Shares add up to 1.
    pub share: f64,
}

/// What the grading table was given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Grading {
    /// How far past the limit, as a share of it; for a model, its score.
    pub over: f64,
    /// Seconds since the condition began.
    pub lasted: f64,
    /// People in the area.
    pub people: u32,
    /// 0..1.
    pub certainty: f64,
    /// Devices concerned.
    pub devices: u32,
}

/// Whether a person must look first, and what one said of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Review {
    pub required: bool,
    /// `false-alarm`, `real` or `planned-work`; absent when nobody has said so, or took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Who said it, or took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}
