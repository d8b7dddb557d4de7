//! What goes into the pipeline and what comes out of it: plain data, no behaviour.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alert::standing::Trouble;
use crate::command::Refusal;
use crate::community::Community;
use crate::community::quantity::Text;
use crate::decode::order::Order;
use crate::event::action::{Acted, Action, Drill, Report};
use crate::event::message::{EventData, Record};
use crate::event::verdict::{Opinion, Verdict};
use crate::reading::{DeviceIndex, Frame, SourceIndex, Ticket, TimeQuality, Timestamp};

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A device spoke, or did not answer.
    Frame(Frame),
    /// A broker or line came up, or went down and why.
    Source { source: SourceIndex, down: Option<Text> },
    /// A source had to let frames go before anyone saw them.
    Dropped { source: SourceIndex, device: Option<DeviceIndex>, reason: &'static str, count: u64 },
    /// A model's answer.
    Answer(Answer),
    /// Everything up to this batch would survive a power cut.
    Stored { through: u64 },
    /// A batch could not be written.
    StoreFailed { why: String },
    /// The disk is full, though the store still writes for a while; `None` when it has room again.
    DiskFull { why: Option<String> },
    /// Models could not be loaded, and why; `None` when all of them are.
    ModelsMissing { why: Option<Text> },
    /// The flash below the store will be worn out before long, or not.
    FlashWears { why: Option<Text> },
    /// All channels to people that are down, by id; at start, and when that changes.
    Channels { down: BTreeMap<String, Trouble> },
    /// What people had set on the console could not be used at this start, and lies aside.
    SettingsSetAside { why: Text },
    /// What is known about the wall clock.
    Clock(TimeQuality),
    /// The wall clock was set by this many milliseconds.
    ClockStepped { by_ms: i64 },
    /// A bundle raised more than its budget of false alarms makes likely, and is not asked any more.
    Withdrawn(Withdrawn),
    /// A new configuration; state is kept where ids match. Positions in what comes after it are those
    /// of the new one.
    Config(Arc<Community>),
    /// What a person says of an event, and the newest that the journal knows of it: an event that is
    /// over for good stands nowhere else. Answered with an [`Output::Ruling`].
    Verdict { opinion: Opinion, journal: Option<Box<EventData>> },
    /// What somebody does about an event, and the newest that the journal knows of it. This one and the
    /// next two are answered with an [`Output::Acted`] of the same ticket.
    Act { action: Action, ticket: u64, journal: Option<Box<EventData>> },
    /// What a person saw.
    Report { report: Report, ticket: u64 },
    /// An exercise begins.
    Drill { drill: Drill, ticket: u64 },
    /// A masked still of an event is kept on the box, and how it is asked for.
    Evidence { event: String, reference: String },
    /// A value is to be written to a device. Answered with an [`Output::Written`] of the same ticket.
    Write { ticket: u64, write: Write },
    /// A source has handed the value of [`Output::Write`] to its device, or why not.
    Written { ticket: u64, result: Result<(), String> },
}

/// A value that somebody wants written to a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// By id.
    pub device: String,
    /// By name.
    pub point: String,
    /// In the point's unit.
    pub value: f64,
}

/// A value on its way to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOrder {
    pub ticket: u64,
    pub device: DeviceIndex,
    pub order: Order,
}

/// What should be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Write this, all of it or nothing, then say [`Input::Stored`].
    Store(Batch),
    /// Ask a model.
    Ask(Question),
    /// Nothing of this frame can be lost any more: acknowledge it.
    Settle(Ticket),
    /// A person's verdict is on disk, and this is what it did.
    Ruling(Ruling),
    /// What somebody did is on disk, and this is what came of it.
    Acted { ticket: u64, acted: Acted },
    /// Hand this to its device, once, then say [`Input::Written`].
    Write { source: SourceIndex, order: WriteOrder },
    /// The device shows the value that was written to it; or why not.
    Written { ticket: u64, result: Result<f64, Refusal> },
}

/// What a person's verdict did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ruling {
    pub event: String,
    pub verdict: Option<Verdict>,
    /// Whether there is such an event; else nothing was done.
    pub is_known: bool,
    /// Thresholds that can move, where they were and where they are.
    pub shifts: Vec<Shift>,
    /// The same in words.
    pub told: Text,
}

/// A detector's threshold on a device, in powers of ten above what it would be by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    pub device: String,
    pub detector: String,
    pub from: f64,
    pub to: f64,
}

/// What must reach the disk together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Counts up from 1 at each start.
    pub number: u64,
    /// In the order of their sequence; they follow what is stored without a gap.
    pub records: Vec<Record>,
    /// Values to keep (`Some`) or forget (`None`), by key.
    pub states: Vec<(String, Option<Vec<u8>>)>,
    /// What is kept of readings. Nothing depends on it: it is let go when there is no room.
    pub kept: Vec<Kept>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.states.is_empty() && self.kept.is_empty()
    }
}

/// What is kept of readings, to try other rules on. It is never read back here.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    /// Quarters of an hour of many devices ([`crate::statistics::page`]), written at that time.
    Statistics { at: Timestamp, page: Vec<u8> },
    /// The readings of a device around an event, from that time on ([`crate::statistics::window`]).
    Window { at: Timestamp, device: String, bytes: Vec<u8> },
}

/// Windows that a model is to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub id: u64,
    pub model: String,
    /// `rows` windows, one after the other.
    pub features: Vec<f32>,
    pub rows: usize,
}

/// What the model said, or why it said nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub question: u64,
    /// `rows * outputs` numbers.
    pub outputs: Result<Vec<f32>, String>,
}

/// A bundle that broke its budget. Worth an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn {
    /// It had been promoted, and the one before is back; else it ran beside the live one.
    pub was_live: bool,
    pub why: Text,
}

/// What was on disk at start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Restored {
    /// The last sequence that was given out.
    pub sequence: u64,
    /// Counts this start.
    pub boot: u64,
    /// Every kept state by key, in key order.
    pub states: Vec<(String, Vec<u8>)>,
    /// What was wrong with the store.
    pub damage: Option<Damage>,
}

/// What happened to the store before a start. Worth an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// It could not be used; a fresh one was begun.
    SetAside { to: String, why: String },
    /// It opened, but its newest records are gone.
    CutShort { from: u64, to: u64 },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetAside { to, why } => {
                write!(f, "the store was damaged and set aside as {to}: {why}")
            }
            Self::CutShort { from, to } => {
                write!(f, "the store lost its newest records, sequences {from} to {to}")
            }
        }
    }
}
