//! What two configurations raised from the same readings, side by side, and what each used of its
//! budgets. Pure: the caller brings the time.
//!
//! Events of the two are one when they are of the same scene and device (of the same area, where a
//! scene has one event for all) and overlap in time, or the second begins within [`NEAR`] after the end
//! of the first. Each is paired once: who raises an event three times where the other raises it once
//! disagrees twice. What nobody has paired yet is what they disagree about.

use std::collections::BTreeMap;
use std::time::Duration;

use gatehouse_core::community::Community;
use gatehouse_core::community::frequency::{Frequency, Span};
use gatehouse_core::community::quantity::Text;
use gatehouse_core::community::scene::Per;
use gatehouse_core::event::REPORT;
use gatehouse_core::event::message::{Message, Record};
use gatehouse_core::reading::Timestamp;
use serde::{Deserialize, Serialize};

use super::chance::likely;

/// Fewer events never break a budget: a bad hour is no bad model.
pub const FEWEST: u64 = 5;

/// Two events of the same thing may be so far apart and are one.
pub const NEAR: Duration = Duration::from_mins(15);

/// Disagreements that are kept of each scene once nothing can be paired with them any more.
const KEPT: usize = 50;

/// Those that may still be paired: a storm of events must not look like a disagreement.
const PAIRABLE: usize = 1_000;

const WEEK: f64 = 604_800.0;

/// Who raised something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    Live,
    Candidate,
}

/// What happened since somebody began to count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Account {
    /// The bundle's folder, and when it was installed or promoted.
    pub run: String,
    /// Its name and version.
    pub title: String,
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    #[serde(with = "rfc3339")]
    pub as_of: Timestamp,
    /// Time that was counted: the gateway ran, and the bundle with it.
    pub ran_seconds: f64,
    /// Inputs that both saw, and those that did not fit into the candidate's queue.
    pub inputs: u64,
    pub dropped: u64,
    /// By id.
    pub scenes: BTreeMap<String, SceneAccount>,
    /// Why it was stopped or taken back.
    pub broke: Option<Broke>,
}

/// One scene.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SceneAccount {
    pub title: Text,
    pub live: Side,
    pub candidate: Side,
    /// Events that both raised.
    pub both: u64,
    /// The last ones that only one of them raised, oldest first.
    pub disagreements: Vec<Disagreement>,
}

/// What one of the two raised in a scene.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Side {
    pub raised: u64,
    /// `None` for scenes that promise nothing.
    pub budget: Option<Spent>,
}

/// A budget of false alarms over the time that was counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Spent {
    pub per_week: f64,
    /// Events that it allows for on average.
    pub expected: f64,
    /// Events that models raised.
    pub raised: u64,
}

/// An event that only one of the two raised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Disagreement {
    pub by: By,
    pub event: String,
    pub device: String,
    /// What both would have to speak of: the device, or the area.
    about: String,
    pub title: Text,
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    #[serde(default, with = "rfc3339_or_none")]
    pub ended: Option<Timestamp>,
}

/// A broken budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Broke {
    pub scene: String,
    pub title: Text,
    pub raised: u64,
    /// At most so many are likely.
    pub likely: u64,
    pub per_week: f64,
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
}

/// What a record says that matters here.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub event: String,
    pub scene: String,
    pub device: String,
    pub about: String,
    pub title: Text,
    pub at: Timestamp,
    pub step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Whether a model did, so that it counts against the budget.
    Raised {
        by_model: bool,
    },
    Ended,
}

impl Told {
    /// `None` for records that neither begin nor end an event.
    pub fn of(record: &Record, community: &Community) -> Option<Self> {
        let message: Message = serde_json::from_slice(&record.json).ok()?;
        let data = message.data;
        // What people begin, no model answers for.
        if data.drill || data.scene == REPORT {
            return None;
        }
        let scene = community.scenes.iter().find(|scene| scene.head.id == data.scene);
        let step = match message.kind.rsplit('.').next()? {
            "opened" | "reopened" => {
                let detectors = scene.iter().flat_map(|scene| &scene.detectors);
                let mut models = detectors.filter(|detector| detector.model.is_some());
                let by_model = models.any(|detector| detector.id == data.cause.detector);
                Step::Raised { by_model }
            }
            "cleared" | "dismissed" | "closed" => Step::Ended,
            _ => return None,
        };
        let about = match scene.map_or(Per::Device, |scene| scene.head.per) {
            Per::Device => &data.device,
            Per::Area => &data.area,
        };
        Some(Self {
            about: about.clone(),
            event: data.event,
            scene: data.scene,
            device: data.device,
            title: data.title,
            at: message.time.parse().ok()?,
            step,
        })
    }
}

impl Account {
    pub fn new(run: String, title: String, now: Timestamp) -> Self {
        Self {
            run,
            title,
            since: now,
            as_of: now,
            ran_seconds: 0.0,
            inputs: 0,
            dropped: 0,
            scenes: BTreeMap::new(),
            broke: None,
        }
    }

    /// What one of the two promises from here on. What was counted stays.
    pub fn promise(&mut self, by: By, community: &Community) {
        for account in self.scenes.values_mut() {
            // A scene that has gone raises nothing more; its count stands.
            if let Some(budget) = &mut account.side(by).budget {
                budget.per_week = 0.0;
            }
        }
        for scene in &community.scenes {
            let account = self.scenes.entry(scene.head.id.clone()).or_default();
            account.title.clone_from(&scene.head.title);
            if let Some(frequency) = scene.head.false_alarms {
                let budget = account.side(by).budget.get_or_insert_default();
                budget.per_week = per_week(frequency);
            }
        }
    }

    /// Time has passed while both ran.
    pub fn pass(&mut self, time: Duration, now: Timestamp) {
        self.as_of = now;
        self.ran_seconds += time.as_secs_f64();
        let sides = self.scenes.values_mut().flat_map(|s| [&mut s.live, &mut s.candidate]);
        for budget in sides.filter_map(|side| side.budget.as_mut()) {
            budget.expected += budget.per_week * time.as_secs_f64() / WEEK;
        }
    }

    /// One of the two told something.
    pub fn note(&mut self, by: By, told: Told) {
        let account = self.scenes.entry(told.scene.clone()).or_default();
        match told.step {
            Step::Raised { by_model } => account.raised(by, by_model, told),
            Step::Ended => account.ended(by, &told),
        }
    }

    /// The first scene that this one breaks the budget of.
    pub fn broken(&self, by: By) -> Option<Broke> {
        self.scenes.iter().find_map(|(id, account)| {
            let side = match by {
                By::Live => &account.live,
                By::Candidate => &account.candidate,
            };
            let budget = side.budget.as_ref().filter(|budget| budget.is_broken())?;
            Some(Broke {
                scene: id.clone(),
                title: account.title.clone(),
                raised: budget.raised,
                likely: budget.likely(),
                per_week: budget.per_week,
                at: self.as_of,
            })
        })
    }

    pub fn ran(&self) -> Duration {
        Duration::try_from_secs_f64(self.ran_seconds).unwrap_or_default()
    }
}

impl SceneAccount {
    fn side(&mut self, by: By) -> &mut Side {
        match by {
            By::Live => &mut self.live,
            By::Candidate => &mut self.candidate,
        }
    }

    /// Events that only this one raised.
    pub fn only(&self, by: By) -> u64 {
        let raised = match by {
            By::Live => self.live.raised,
            By::Candidate => self.candidate.raised,
        };
        raised.saturating_sub(self.both)
    }

    fn raised(&mut self, by: By, by_model: bool, told: Told) {
        if self.title == Text::default() {
            self.title.clone_from(&told.title);
        }
        let side = self.side(by);
        side.raised += 1;
        if let Some(budget) = side.budget.as_mut().filter(|_| by_model) {
            budget.raised += 1;
        }
        let pair = self
            .disagreements
            .iter()
            .position(|d| d.by != by && d.about == told.about && d.is_near(told.at));
        if let Some(pair) = pair {
            self.disagreements.remove(pair);
            self.both += 1;
            return;
        }
        let Told { event, device, about, title, at, scene: _, step: _ } = told;
        self.disagreements.push(Disagreement { by, event, device, about, title, at, ended: None });
        while self.disagreements.len() > KEPT {
            let lost = self.disagreements.iter().position(|d| !d.is_near(at));
            match lost {
                Some(lost) => drop(self.disagreements.remove(lost)),
                None if self.disagreements.len() > PAIRABLE => drop(self.disagreements.remove(0)),
                None => return,
            }
        }
    }

    fn ended(&mut self, by: By, told: &Told) {
        let mut open = self.disagreements.iter_mut();
        let is_it = |d: &&mut Disagreement| d.by == by && d.event == told.event;
        if let Some(open) = open.rfind(is_it).filter(|d| d.ended.is_none()) {
            open.ended = Some(told.at);
        }
    }
}

impl Disagreement {
    /// Whether an event of the other that begins at `at` is the same.
    fn is_near(&self, at: Timestamp) -> bool {
        self.ended.is_none_or(|ended| at.since(ended.max(self.at)) <= NEAR)
    }
}

impl Spent {
    /// At most so many events are likely.
    pub fn likely(&self) -> u64 {
        likely(self.expected)
    }

    pub fn is_broken(&self) -> bool {
        self.raised >= FEWEST && self.raised > self.likely()
    }
}

fn per_week(frequency: Frequency) -> f64 {
    frequency.per_second() / Frequency { count: 1.0, per: Span::Week }.per_second()
}

/// Times in the file and in what scripts get are those that people read.
mod rfc3339 {
    use gatehouse_core::reading::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&at.rfc3339())
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

mod rfc3339_or_none {
    use gatehouse_core::reading::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    #[expect(clippy::ref_option, reason = "serde wants it so")]
    pub(super) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(Timestamp::rfc3339).serialize(to)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests;
