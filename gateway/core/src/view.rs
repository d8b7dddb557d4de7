//! What the console and the metrics may see: a snapshot of the pipeline, made on request.

use std::collections::BTreeMap;

use crate::community::quantity::Text;
use crate::community::scene::Status;
use crate::event::message::EventData;
use crate::event::verdict::{Raised, Tally};
use crate::reading::{Quality, TimeQuality, Timestamp};

/// Everything at one moment. Lists are in the order of the configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    pub at: Timestamp,
    pub time_quality: TimeQuality,
    /// Events whose condition holds or cannot be told, most urgent first, then oldest first.
    pub events: Vec<EventView>,
    /// Events whose condition is gone and that wait for a person nevertheless, in the same order.
    pub returned: Vec<EventView>,
    /// The last ones that are over, newest first.
    pub closed: Vec<Raised>,
    /// How often each scene was right in the last 90 days, where it raised anything.
    pub scenes: Vec<SceneView>,
    pub devices: Vec<DeviceView>,
    pub sources: Vec<SourceView>,
    /// Of the scenes that have one.
    pub budgets: Vec<BudgetView>,
    pub counts: Counts,
}

/// An open event.
#[derive(Debug, Clone, PartialEq)]
pub struct EventView {
    pub started: Timestamp,
    pub data: EventData,
    /// Its scene is on trial: only integrators see it, and nobody is told.
    pub is_pilot: bool,
    /// A person must say first whether it may be sent on; nobody is told before.
    pub needs_review: bool,
}

impl EventView {
    /// Whether it stands in figures: an exercise does not, nor what nobody is told of.
    pub fn counts(&self) -> bool {
        !self.data.drill && !self.is_pilot
    }
}

/// How often a scene was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SceneView {
    pub id: String,
    pub title: Text,
    pub status: Status,
    /// Of a scene on trial: of what it would have raised; else of what it raised.
    pub tally: Tally,
}

/// A device as the gateway sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceView {
    pub id: String,
    /// Position in [`crate::community::Community::devices`].
    pub index: usize,
    pub last_frame: Option<Timestamp>,
    pub silent: bool,
    pub frames: u64,
    /// Per point of its type: the last value, when there was one, and its quality now.
    pub points: Vec<(Option<f64>, Quality)>,
    /// Points that a model does not know well enough yet, by position.
    pub learning: Vec<usize>,
    /// Frames and readings turned away since start, by the reason's word.
    pub refused: BTreeMap<&'static str, u64>,
}

/// A broker or line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceView {
    pub id: String,
    /// Why it is down; `None` while it is up.
    pub down: Option<Text>,
    /// It has been up since the start; so has one that nothing is expected of.
    pub has_been_up: bool,
    /// Frames that it had to let go, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
}

/// A scene's budget of false alarms.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetView {
    pub scene: String,
    /// Events a second.
    pub rate: f64,
    /// Powers of ten that its thresholds lie above where normal recordings would have them.
    pub correction: f64,
    /// Events that its models raised in the last seven days.
    pub used: u32,
    /// What would have raised events without a budget, since start.
    pub held_back: u64,
}

/// Counts since start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub frames: u64,
    pub readings: u64,
    /// Frames and readings turned away, by the reason's word.
    pub refused: BTreeMap<&'static str, u64>,
    /// Records made, by transition; those of exercises are `drill`, and what nobody was told is `withheld`.
    pub records: BTreeMap<&'static str, u64>,
    /// Records made and not yet stored.
    pub unstored: u64,
    /// Windows that models were asked about, answered, and gave up on.
    pub asked: u64,
    pub answered: u64,
    pub unanswered: u64,
}
