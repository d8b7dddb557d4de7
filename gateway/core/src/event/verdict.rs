//! What people say of events, and what follows from it.
//!
//! A person looks at an event and says: a false alarm, real, or planned work. [`Ledger`] keeps the last
//! events, each with the last that was said of it and nothing that was said before, so that another
//! verdict, or none at all, undoes the one before exactly. From it follows
//!
//! 1. per scene, how often it was right: [`Tally`],
//! 2. per detector and device, by how much its threshold is moved: [`Lesson`]. The pipeline hands it to
//!    detectors that learn; a limit that somebody declared is not moved by anybody but him.
//!
//! Nothing here reads a clock; time is an argument.

mod ledger;
mod lesson;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use ledger::{Ledger, MOST, RECORD};
pub use lesson::{HIGHEST, LOWEST, Lesson, Whom, moved};

use crate::community::quantity::Text;
use crate::reading::Timestamp;

/// Letters of a name and of a note, at most.
const LONGEST_NAME: usize = 80;
const LONGEST_NOTE: usize = 500;

/// What a person says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing was the matter.
    FalseAlarm,
    /// Something was.
    Real,
    /// Somebody was at work there: neither the detector's fault nor its merit.
    PlannedWork,
}

impl Verdict {
    pub const ALL: [Self; 3] = [Self::FalseAlarm, Self::Real, Self::PlannedWork];

    pub fn word(self) -> &'static str {
        match self {
            Self::FalseAlarm => "false-alarm",
            Self::Real => "real",
            Self::PlannedWork => "planned-work",
        }
    }
}

/// Somebody's word on an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    /// The event's id.
    pub event: String,
    /// `None` takes back what was said.
    pub verdict: Option<Verdict>,
    /// Who says so.
    pub by: String,
    #[serde(default)]
    pub note: String,
}

/// An opinion that cannot be taken down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoOpinion {
    #[error("who says so? A verdict needs a name")]
    Nameless,
    #[error("a name has at most {LONGEST_NAME} letters, a note {LONGEST_NOTE}, on one line each")]
    TooLong,
}

impl Opinion {
    /// Tidies it up.
    ///
    /// # Errors
    /// It names nobody, or is no plain text.
    pub fn checked(mut self) -> Result<Self, NoOpinion> {
        for text in [&mut self.event, &mut self.by, &mut self.note] {
            *text = text.trim().to_owned();
        }
        let is_plain =
            |text: &str, most| text.chars().count() <= most && !text.contains(char::is_control);
        if self.by.is_empty() {
            return Err(NoOpinion::Nameless);
        }
        let fits = is_plain(&self.event, LONGEST_NAME)
            && is_plain(&self.by, LONGEST_NAME)
            && is_plain(&self.note, LONGEST_NOTE);
        if fits { Ok(self) } else { Err(NoOpinion::TooLong) }
    }
}

/// What was said of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub verdict: Verdict,
    pub by: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    pub at: Timestamp,
}

/// An event that was raised, as far as a verdict needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    pub event: String,
    pub scene: String,
    pub title: Text,
    pub why: Text,
    pub area: String,
    pub device: String,
    pub level: u8,
    pub opened: Timestamp,
    /// When it was cleared; `None` while it lasts.
    pub over: Option<Timestamp>,
    /// Who raised it, device and detector.
    pub speakers: BTreeSet<(String, String)>,
    pub said: Option<Said>,
    /// Its scene was on trial, and nobody was told: an alert that would have been.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_pilot: bool,
}

/// How often a scene was right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub events: u32,
    pub real: u32,
    pub false_alarms: u32,
    pub planned: u32,
}

impl Raised {
    pub fn verdict(&self) -> Option<Verdict> {
        self.said.as_ref().map(|said| said.verdict)
    }
}

impl Tally {
    pub fn count(&mut self, verdict: Option<Verdict>) {
        self.events += 1;
        match verdict {
            Some(Verdict::Real) => self.real += 1,
            Some(Verdict::FalseAlarm) => self.false_alarms += 1,
            Some(Verdict::PlannedWork) => self.planned += 1,
            None => {}
        }
    }

    /// Events of which nobody has said anything.
    pub fn unjudged(&self) -> u32 {
        self.events.saturating_sub(self.real + self.false_alarms + self.planned)
    }

    /// The share of real ones among those that were real or false; `None` when none was.
    pub fn precision(&self) -> Option<f64> {
        let judged = self.real + self.false_alarms;
        (judged > 0).then(|| f64::from(self.real) / f64::from(judged))
    }
}
