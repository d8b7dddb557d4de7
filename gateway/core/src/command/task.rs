//! What a command asks for, with its arguments read.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Name, Refusal, malformed};
use crate::reading::Timestamp;

/// More ranges than this are confirmed in several commands.
const MOST_RANGES: usize = 1_000;

/// Something that can be carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// The platform has the events of these sequences, both ends included.
    Confirm(Vec<(u64, u64)>),
    Act(EventArgs, Name),
    Write(WriteArgs),
    Report,
    Snapshot(SnapshotArgs),
    Install(InstallArgs),
    Drill(Map<String, Value>),
}

/// `args` of `events.confirm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmArgs {
    /// First and last sequence of each stretch, as numbers or as the texts of the messages.
    pub ranges: Vec<(Sequence, Sequence)>,
}

/// A sequence, as a number or as in a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Sequence {
    Number(u64),
    Text(String),
}

/// `args` of `event.*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventArgs {
    /// The event's id, as in `data.event`.
    pub event: String,
    /// `event.dispatch`: a person or a team, by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// `event.shelve`: RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub until: Option<String>,
    /// `event.dismiss`: what it was instead, `false-alarm` or `planned-work`.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub as_: Option<String>,
    /// For those who read the journal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// `args` of `device.write`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteArgs {
    pub device: String,
    pub point: String,
    /// In the point's unit.
    pub value: f64,
}

/// `args` of `gateway.snapshot`: one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotArgs {
    /// What this camera sees now, by its id in `gateway.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
    /// What was kept of this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

/// `args` of `bundle.install`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstallArgs {
    /// Where the bundle's file lies: `https`, or `http` on the gateway itself.
    pub url: String,
    /// The SHA-256 of the file, 64 hexadecimal digits.
    #[schemars(extend("pattern" = "^[0-9a-fA-F]{64}$"))]
    pub sha256: String,
    /// As a candidate that runs beside what stands, instead of in its place.
    #[serde(default)]
    pub shadow: bool,
}

/// `args` of commands that need none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoArgs {}

impl Task {
    /// Reads the arguments that a command needs.
    ///
    /// # Errors
    /// They are not what the command takes.
    pub fn read(name: Name, args: &Map<String, Value>) -> Result<Self, Refusal> {
        Ok(match name {
            Name::EventsConfirm => Self::Confirm(ranges(&of::<ConfirmArgs>(args)?)?),
            Name::EventAcknowledge
            | Name::EventDispatch
            | Name::EventHandle
            | Name::EventVerify
            | Name::EventShelve
            | Name::EventDismiss
            | Name::EventClose => Self::Act(event(name, args)?, name),
            Name::DeviceWrite => Self::Write(of(args)?),
            Name::GatewayReport => {
                of::<NoArgs>(args)?;
                Self::Report
            }
            Name::GatewaySnapshot => Self::Snapshot(snapshot(args)?),
            Name::BundleInstall => Self::Install(install(args)?),
            Name::DrillStart => Self::Drill(args.clone()),
        })
    }
}

fn of<T: DeserializeOwned>(args: &Map<String, Value>) -> Result<T, Refusal> {
    let args = Value::Object(args.clone());
    serde_json::from_value(args).map_err(|error| wrong(&error.to_string()))
}

fn wrong(reason: &str) -> Refusal {
    malformed(&format!("`args`: {reason}"))
}

/// Each deed's own argument is there, and no other one's.
fn event(name: Name, args: &Map<String, Value>) -> Result<EventArgs, Refusal> {
    let read: EventArgs = of(args)?;
    let own = [
        ("to", read.to.is_some(), Name::EventDispatch),
        ("until", read.until.is_some(), Name::EventShelve),
        ("as", read.as_.is_some(), Name::EventDismiss),
    ];
    for (key, is_there, of) in own {
        if is_there && of != name {
            return Err(wrong(&format!("`{key}` belongs to `{}`", of.as_str())));
        }
        if !is_there && of == name {
            return Err(wrong(&format!("`{}` needs `{key}`", of.as_str())));
        }
    }
    if let Some(until) = &read.until {
        until.parse::<Timestamp>().map_err(|error| wrong(&format!("`until`: {error}")))?;
    }
    Ok(read)
}

fn snapshot(args: &Map<String, Value>) -> Result<SnapshotArgs, Refusal> {
    let read: SnapshotArgs = of(args)?;
    let is_one = read.camera.is_some() != read.event.is_some();
    if is_one { Ok(read) } else { Err(wrong("give one of `camera` and `event`")) }
}

fn install(args: &Map<String, Value>) -> Result<InstallArgs, Refusal> {
    let read: InstallArgs = of(args)?;
    let is_digest = read.sha256.len() == 64 && read.sha256.bytes().all(|b| b.is_ascii_hexdigit());
    if is_digest { Ok(read) } else { Err(wrong("`sha256` has 64 hexadecimal digits")) }
}

fn ranges(args: &ConfirmArgs) -> Result<Vec<(u64, u64)>, Refusal> {
    if !(1..=MOST_RANGES).contains(&args.ranges.len()) {
        return Err(wrong(&format!("`ranges` holds 1 to {MOST_RANGES} of them")));
    }
    let number = |sequence: &Sequence| match sequence {
        Sequence::Number(number) => Some(*number),
        Sequence::Text(text) => text.parse().ok(),
    };
    let range = |(from, to): &(Sequence, Sequence)| {
        let range = number(from).zip(number(to)).filter(|(from, to)| 1 <= *from && from <= to);
        range.ok_or_else(|| wrong("a range is `[from, to]`, two sequences, the lower one first"))
    };
    args.ranges.iter().map(range).collect()
}
