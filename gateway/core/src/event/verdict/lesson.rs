//! What verdicts teach a detector on a device: by how much its threshold is moved.
//!
//! A false alarm raises the threshold by 0.25 powers of ten of rarity, an event that was real lowers it
//! by 0.1, never beyond [-0.5, 1.5]. Budgets need some 1.4 for ten times fewer events
//! ([`crate::detect::anomaly::budget`]), so that one false alarm makes events about a third rarer, and all
//! of them together at most twelve times. It takes more than two that were real to make up for one that
//! was not: people are called by both, but only one of them cost their trust. Half of it is forgotten in
//! 90 days: a mistake of last year blinds nobody.

use std::time::Duration;

use super::{Said, Verdict};
use crate::community::quantity::Text;
use crate::reading::Timestamp;

/// What a verdict adds to a threshold, in powers of ten.
const FALSE_ALARM: f64 = 0.25;
const REAL: f64 = -0.1;

/// All verdicts together move a threshold no farther than this.
pub const LOWEST: f64 = -0.5;
pub const HIGHEST: f64 = 1.5;

/// Half of what a verdict did is forgotten after this.
const HALF_LIFE: Duration = Duration::from_hours(90 * 24);

/// Less than this is no shift worth a word.
const NOTHING: f64 = 0.005;

/// A detector of a scene on a device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Whom {
    pub scene: String,
    pub detector: String,
    pub device: String,
}

/// What a detector on a device has been taught.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    /// Powers of ten by which its threshold is higher.
    pub shift: f64,
    false_alarms: u32,
    reals: u32,
    at: Timestamp,
    by: String,
}

impl Verdict {
    /// What it adds to a threshold.
    pub(super) fn weight(self) -> Option<f64> {
        match self {
            Self::FalseAlarm => Some(FALSE_ALARM),
            Self::Real => Some(REAL),
            Self::PlannedWork => None,
        }
    }
}

impl Lesson {
    pub(super) fn take(&mut self, said: &Said, weight: f64) {
        self.shift = (self.left(said.at) + weight).clamp(LOWEST, HIGHEST);
        match said.verdict {
            Verdict::FalseAlarm => self.false_alarms += 1,
            Verdict::Real => self.reals += 1,
            Verdict::PlannedWork => {}
        }
        self.at = said.at;
        self.by.clone_from(&said.by);
    }

    /// What is left of the shift at that time.
    pub(super) fn left(&self, now: Timestamp) -> f64 {
        let lives = now.since(self.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        self.shift * (-lives).exp2()
    }

    /// What was done to the threshold and by whom; `None` when nothing is left of it.
    pub fn told(&self) -> Option<Text> {
        let moved = moved(self.shift)?;
        let day = self.at.rfc3339();
        let day = day.get(..10).unwrap_or(&day);
        let (mut zh, mut en) = (Vec::new(), Vec::new());
        let counts =
            [(self.false_alarms, "误报", "false alarm"), (self.reals, "属实", "real event")];
        for (n, name_zh, name_en) in counts.into_iter().filter(|(n, ..)| *n > 0) {
            zh.push(format!("{name_zh} {n} 次"));
            en.push(format!("{n} {name_en}{}", if n == 1 { "" } else { "s" }));
        }
        Some(Text::new(
            format!("因{}，{}（最近一次 {day}，{}）", zh.join("、"), moved.zh, self.by),
            format!("{} after {}, last on {day} by {}", moved.en, en.join(" and "), self.by),
        ))
    }
}

impl Default for Lesson {
    fn default() -> Self {
        Self { shift: 0.0, false_alarms: 0, reals: 0, at: Timestamp(0), by: String::new() }
    }
}

/// As in `threshold raised by 0.25`; `None` when it is as it was configured.
pub fn moved(shift: f64) -> Option<Text> {
    let by = format!("{:.2}", shift.abs());
    if shift >= NOTHING {
        Some(Text::new(format!("阈值提高 {by}"), format!("threshold raised by {by}")))
    } else if shift <= -NOTHING {
        Some(Text::new(format!("阈值降低 {by}"), format!("threshold lowered by {by}")))
    } else {
        None
    }
}
