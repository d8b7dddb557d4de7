//! One event's life: how bad it is, where it is, and what the world should hear of it.
//!
//! [`Book`](super::Book) keeps its findings; what is told goes out as [`message`](super::message)s.

use std::collections::BTreeSet;
use std::time::Duration;

use super::handling::LONGEST_WAIT;
use super::message::{Cause, Certainty, Contribution, Grading, Stage, State, Transition, Urgency};
use super::{Finding, Live, Place, REPORT, Told, World};
use crate::detect::rule::GradeQuestion;
use crate::reading::Timestamp;

/// Between two `updated` messages of one event, unless it becomes more urgent.
const CALM: Duration = Duration::from_secs(10);

/// How often an open event is graded anew, since "how long" grows by itself.
const REGRADE: Duration = Duration::from_mins(1);

impl Live {
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.values()
    }

    pub(super) fn is_kept(&self) -> bool {
        self.findings.len() == self.kept.len() && self.findings.keys().eq(self.kept.iter())
    }

    /// Whether it cleared too long ago to reopen.
    fn is_past(&self, now: Timestamp) -> bool {
        self.cleared.is_some_and(|at| now >= at + self.reopen_within)
    }

    /// Whether it is over for good at `now`, and nobody has to look at it.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.is_past(now) && (self.stage().is_over() || self.told.state.is_none())
    }

    /// Whether it makes room for another event of its key from now on, though it still waits for a
    /// person.
    pub(super) fn moves_aside(&mut self, now: Timestamp) -> bool {
        let moves = !self.is_aside && self.is_past(now) && !self.is_over(now);
        self.is_aside |= moves;
        moves
    }

    /// A person saw it and no sensor does.
    pub(super) fn is_reported(&self) -> bool {
        self.data.scene == REPORT
    }

    /// When it wants to be looked at again, if nothing happens to it.
    pub(super) fn due(&self) -> Timestamp {
        let condition = match self.cleared {
            Some(at) if self.is_aside => at + LONGEST_WAIT,
            Some(at) => at + self.reopen_within,
            None if self.has_news() => self.told.at + CALM,
            None => self.judged + REGRADE,
        };
        let others = [self.course.next(), self.ends_by_itself()];
        others.into_iter().flatten().fold(condition, Ord::min)
    }

    /// Brings level, state and cause up to what the findings say.
    pub(super) fn judge(&mut self, world: &World<'_>, scene: &str, now: Timestamp) {
        self.judged = now;
        let Some(leading) = self
            .findings
            .values()
            .max_by(|a, b| f64::total_cmp(&a.evidence.over, &b.evidence.over))
        else {
            self.data.state = State::Cleared;
            self.data.urgency = Urgency::Past;
            self.cleared.get_or_insert(now);
            return;
        };
        let is_back = self.cleared.take().is_some();
        // It stays with the device that it was told of for as long as that one speaks.
        if is_back || self.findings.values().all(|f| f.device != self.data.device) {
            self.data.device.clone_from(&leading.device);
            if let Some(Place { area, location }) = (world.place)(&leading.device) {
                (self.data.area, self.data.location) = (area, location);
            }
        }
        if is_back {
            self.started = self.findings.values().map(|f| f.since).min().unwrap_or(now);
            self.told.level = 5;
            self.data.detected = now.rfc3339();
        }
        let affected: BTreeSet<String> = self
            .findings
            .values()
            .flat_map(|f| std::iter::once(&f.device).chain(&f.affected))
            .cloned()
            .collect();
        let certainty = self.findings.values().map(|f| f.evidence.certainty).fold(0.0, f64::max);
        let grading = Grading {
            over: leading.evidence.over,
            lasted: now.since(self.started).as_secs_f64(),
            people: self.people,
            certainty,
            devices: u32::try_from(affected.len()).unwrap_or(u32::MAX),
        };
        let question = GradeQuestion {
            over: grading.over,
            lasted: grading.lasted,
            people: f64::from(grading.people),
            certainty,
            devices: f64::from(grading.devices),
            detectors: self.findings.values().map(|f| f.evidence.detector.clone()).collect(),
        };
        // An event keeps the worst level that it has had while it lasts.
        let level = (world.grade)(scene, &question).clamp(1, 4);
        self.data.level = if self.told.level == 0 { level } else { level.min(self.told.level) };
        let all_silent = self.findings.values().all(|f| f.is_silent);
        self.data.state = if all_silent { State::Unknown } else { State::Open };
        self.data.urgency = match self.data.level {
            1 | 2 => Urgency::Immediate,
            _ => Urgency::Expected,
        };
        self.data.certainty = match certainty {
            c if all_silent || c < 0.5 => Certainty::Possible,
            c if c < 0.9 => Certainty::Likely,
            _ => Certainty::Observed,
        };
        let shares = self.findings.len() as f64;
        let evidence = leading.evidence.clone();
        self.data.cause = Cause {
            detector: evidence.detector,
            model: evidence.model,
            score: evidence.score,
            threshold: evidence.threshold,
            false_alarms_per_week: None,
            why: evidence.why,
            contributions: self
                .findings
                .values()
                .flat_map(|f| f.evidence.contributions.iter().map(|c| (&f.device, c)))
                .map(|(device, c)| Contribution {
                    device: device.clone(),
                    share: c.share / shares,
                    ..c.clone()
                })
                .collect(),
            grading,
            quality: evidence.quality,
        };
        self.data.started = self.started.rfc3339();
        self.data.affected = affected.into_iter().collect();
    }

    /// What the world should hear, if anything, and if it may be told already.
    pub(super) fn transition(&self, now: Timestamp) -> Option<Transition> {
        let is_reviewed = self.is_redated
            || self.data.review != self.told.review
            || self.data.reports.len() != self.told.reports
            || self.data.evidence.len() != self.told.evidence;
        match (self.told.state, self.data.state) {
            // Raised and dropped within one step: nobody needs to know.
            (None, State::Cleared) => None,
            (Some(State::Cleared), State::Cleared) => is_reviewed.then_some(Transition::Updated),
            (None, State::Open | State::Unknown) => Some(Transition::Opened),
            (Some(State::Cleared), State::Open | State::Unknown) => Some(Transition::Reopened),
            (Some(State::Open | State::Unknown), State::Cleared) => Some(Transition::Cleared),
            (Some(State::Open), State::Unknown) => Some(Transition::Unknown),
            (Some(State::Unknown), State::Open) => Some(Transition::Updated),
            (Some(_), State::Open | State::Unknown) => {
                let is_worse = self.data.level < self.told.level;
                // What was dismissed was not that bad.
                if is_worse && self.stage() == Stage::Dismissed {
                    return Some(Transition::Reopened);
                }
                let may_tell = now >= self.told.at + CALM;
                (is_worse || is_reviewed || self.has_news() && may_tell)
                    .then_some(Transition::Updated)
            }
        }
    }

    /// More devices or detectors speak than the last message named, or it is with another device.
    fn has_news(&self) -> bool {
        let has_moved = !self.told.device.is_empty() && self.told.device != self.data.device;
        self.cleared.is_none()
            && (has_moved
                || self.findings.keys().any(|speaker| !self.told.speakers.contains(speaker))
                || self.data.affected.iter().any(|device| !self.told.affected.contains(device)))
    }

    /// Moves the times that messages show.
    pub(super) fn redate(&mut self, moved: impl Fn(Timestamp) -> Timestamp) {
        for time in [&mut self.data.started, &mut self.data.detected] {
            if let Ok(at) = time.parse::<Timestamp>() {
                *time = moved(at).rfc3339();
            }
        }
        self.is_redated = true;
    }

    pub(super) fn tell(&mut self, now: Timestamp) {
        self.is_redated = false;
        self.told = Told {
            state: Some(self.data.state),
            level: self.data.level,
            speakers: self.findings.keys().cloned().collect(),
            affected: self.data.affected.iter().cloned().collect(),
            device: self.data.device.clone(),
            at: now,
            review: self.data.review.clone(),
            reports: self.data.reports.len(),
            evidence: self.data.evidence.len(),
        };
    }
}
