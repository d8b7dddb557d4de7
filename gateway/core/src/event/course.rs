//! One event's course through people's hands: what a deed does to it, what time does to it.
//!
//! [`step`](super::handling::step) says which stage comes next; here stand the timers, who did what, and
//! what is told of it. [`super::life`] judges the condition beside it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Action, Deed, NotDone};
use super::handling::{
    ANSWER_WITHIN, Asked, CALM_LEVEL, DRILL_LASTS, LONGEST_SHELF, LONGEST_WAIT, Sight, step,
    transition,
};
use super::message::{EventData, Stage, State, Transition};
use super::{Live, REPORT, World};
use crate::community::scene::Tier;
use crate::reading::Timestamp;

/// Who does what the box does by itself: the condition is gone, or time has passed.
const SENSOR: &str = "sensor";
const GATEWAY: &str = "gateway";

const NOBODY_ANSWERED: &str = "无人答复，期限已过 / nobody answered in time";
const TOO_MANY: &str =
    "等待确认的事件过多，最早的已关闭 / too many waited, so the oldest was closed";

/// Times of an event's handling; what is told of it stands in [`EventData::handling`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Course {
    /// From when the time of the present stage counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timed: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shelved: Option<Timestamp>,
    /// When it is escalated if nothing happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<Timestamp>,
    /// A person has said that it may be sent on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_approved: bool,
    /// A person has said that it is not over, whatever the sensor says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_insisted: bool,
    /// Too many wait: it is not waited for any longer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_given_up: bool,
    /// Not told yet, though it was done.
    #[serde(skip)]
    said: Vec<Transition>,
    /// What is kept of it has changed.
    #[serde(skip)]
    pub(super) is_touched: bool,
}

impl Course {
    /// When it wants to be looked at, apart from its condition.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.due.into_iter().chain(self.shelved).min()
    }

    pub(super) fn shift(&mut self, moved: impl Fn(Timestamp) -> Timestamp) {
        for at in [&mut self.timed, &mut self.due].into_iter().flatten() {
            *at = moved(*at);
        }
        // A person named that hour of the day: it does not move.
    }
}

impl Live {
    pub fn stage(&self) -> Stage {
        self.data.handling.stage
    }

    /// Whether a person must say yes before anybody hears of it.
    pub fn needs_review(&self) -> bool {
        self.asked() == Asked::Pending && !self.stage().is_over()
    }

    pub fn is_approved(&self) -> bool {
        self.course.is_approved
    }

    /// Gone, and kept because nobody has looked at it: returned to normal, unacknowledged (ISA-18.2).
    pub fn is_returned(&self) -> bool {
        self.data.state == State::Cleared && self.waits_for_person()
    }

    fn asked(&self) -> Asked {
        match (self.data.review.required, self.course.is_approved || self.is_heard_of) {
            (false, _) => Asked::Never,
            (true, false) => Asked::Pending,
            (true, true) => Asked::Approved,
        }
    }

    fn waits_for_person(&self) -> bool {
        let is_grave = self.data.level < CALM_LEVEL && self.is_heard_of;
        self.needs_review()
            || (is_grave || self.course.is_insisted) && self.stage() == Stage::Raised
    }

    /// Does what somebody wants done; false when there was nothing left to do.
    pub(super) fn act(&mut self, action: &Action, now: Timestamp) -> Result<bool, NotDone> {
        let before = self.stage();
        let has_sensor = !self.data.drill && !self.is_reported();
        let is_seen = has_sensor && self.data.state == State::Open;
        let sight = Sight { is_seen, review: self.asked() };
        let after = step(before, &action.deed, sight)
            .map_err(|why| NotDone::NotNow { stage: before, why })?;
        let handling = &mut self.data.handling;
        let course = &mut self.course;
        let is_news = match &action.deed {
            Deed::Shelve { until } => {
                if *until <= now || *until > now + LONGEST_SHELF {
                    return Err(NotDone::BadTime);
                }
                course.shelved.replace(*until) != Some(*until)
            }
            Deed::Unshelve => course.shelved.take().is_some(),
            Deed::Approve => !std::mem::replace(&mut course.is_approved, true),
            Deed::Dispatch { to } if after == Stage::Dispatched => {
                handling.assignee.replace(to.clone()).as_ref() != Some(to) || after != before
            }
            Deed::Acknowledge
            | Deed::Dispatch { .. }
            | Deed::Handle
            | Deed::Verify
            | Deed::Dismiss { .. }
            | Deed::Close
            | Deed::Reopen
            | Deed::Refuse => after != before,
        };
        if !is_news {
            return Ok(false);
        }
        handling.stage = after;
        course.is_touched = true;
        // A report that is taken up again is back by itself.
        let is_back = matches!(action.deed, Deed::Reopen)
            && self.data.scene == REPORT
            && self.data.state == State::Cleared;
        course.said.extend(transition(&action.deed).filter(|_| !is_back));
        if after.is_over() {
            course.shelved = None;
        }
        if matches!(action.deed, Deed::Reopen) {
            course.is_insisted = true;
        }
        // Who is sent has the time that began when somebody took it up.
        if (before, after) != (Stage::Acknowledged, Stage::Dispatched) {
            course.timed = Some(now);
        }
        let note = Some(action.note.clone()).filter(|note| !note.is_empty());
        self.sign(&action.actor.name, note, now);
        // Where no sensor looks, people's word is all there is.
        let ends_drill = self.data.drill && after >= Stage::Handled;
        if ends_drill || self.is_reported() && after >= Stage::Verified {
            self.findings.clear();
        }
        if matches!(action.deed, Deed::Approve) {
            self.data.review.by = Some(action.actor.name.clone());
            self.data.review.at = Some(now.rfc3339());
        }
        Ok(true)
    }

    fn sign(&mut self, by: &str, note: Option<String>, now: Timestamp) {
        let handling = &mut self.data.handling;
        handling.by = Some(by.to_owned());
        handling.at = Some(now.rfc3339());
        handling.note = note;
    }

    /// What no sensor watches ends by itself, at the latest then.
    pub(super) fn ends_by_itself(&self) -> Option<Timestamp> {
        if self.findings.is_empty() {
            None
        } else if self.data.drill {
            Some(self.started + DRILL_LASTS)
        } else if self.is_reported() && self.stage() == Stage::Handled {
            self.course.timed.map(|since| since + ANSWER_WITHIN)
        } else {
            None
        }
    }

    /// What the world should hear now, each with the event as it stood then.
    pub(super) fn news(
        &mut self,
        world: &World<'_>,
        now: Timestamp,
    ) -> Vec<(Transition, EventData)> {
        let mut news = Vec::new();
        let level = self.told.level;
        let condition = self.transition(now);
        for transition in std::mem::take(&mut self.course.said) {
            self.note(&mut news, transition, world, now);
        }
        // What was done carries the whole event already.
        let is_told = condition == Some(Transition::Updated) && !news.is_empty();
        if let Some(transition) = condition.filter(|_| !is_told) {
            match transition {
                Transition::Opened => self.course.timed = Some(now),
                Transition::Reopened => self.begin_again(now),
                Transition::Updated
                | Transition::Escalated
                | Transition::Acknowledged
                | Transition::Dispatched
                | Transition::Handled
                | Transition::Cleared
                | Transition::Unknown
                | Transition::Verified
                | Transition::Shelved
                | Transition::Unshelved
                | Transition::Dismissed
                | Transition::Closed => {}
            }
            self.note(&mut news, transition, world, now);
        }
        let is_worse = self.data.level < level;
        self.date(world, now);
        while let Some(transition) = self.settle(is_worse, now) {
            self.note(&mut news, transition, world, now);
        }
        news
    }

    fn note(
        &mut self,
        news: &mut Vec<(Transition, EventData)>,
        transition: Transition,
        world: &World<'_>,
        now: Timestamp,
    ) {
        self.date(world, now);
        self.tell(now);
        news.push((transition, self.data.clone()));
    }

    /// It is back: nobody has looked at it yet.
    fn begin_again(&mut self, now: Timestamp) {
        self.data.handling.stage = Stage::Raised;
        self.course.timed = Some(now);
        self.course.shelved = None;
        self.course.is_insisted = false;
    }

    /// What the box does by itself, one thing at a time.
    fn settle(&mut self, is_worse: bool, now: Timestamp) -> Option<Transition> {
        self.told.state?;
        let is_gone = self.data.state == State::Cleared;
        if is_gone && self.stage() == Stage::Handled {
            self.sign(SENSOR, None, now);
            self.data.handling.stage = Stage::Verified;
            return Some(Transition::Verified);
        }
        if self.course.shelved.is_some_and(|until| until <= now || is_worse) {
            self.course.shelved = None;
            self.course.timed = Some(now);
            return Some(Transition::Unshelved);
        }
        if self.course.due.is_some_and(|due| due <= now) {
            self.data.tier = above(self.data.tier)?;
            self.course.timed = Some(now);
            return Some(Transition::Escalated);
        }
        let gone_for = self.cleared.map(|at| now.since(at))?;
        if gone_for < self.reopen_within || self.stage().is_over() {
            return None;
        }
        let note = match self.waits_for_person() {
            true if self.course.is_given_up => Some(TOO_MANY),
            true if gone_for < LONGEST_WAIT => return None,
            true => Some(NOBODY_ANSWERED),
            false => None,
        };
        let by = if note.is_some() { GATEWAY } else { SENSOR };
        self.sign(by, note.map(str::to_owned), now);
        self.data.handling.stage = Stage::Closed;
        self.course.shelved = None;
        Some(Transition::Closed)
    }

    /// Works out when it is escalated, and writes down what is told of its times.
    fn date(&mut self, world: &World<'_>, now: Timestamp) {
        let since = *self.course.timed.get_or_insert(now);
        self.course.due = self.waits().and_then(|wait| {
            let times = (world.times)(self)?;
            above(self.data.tier)?;
            Some(since + wait(&times))
        });
        let handling = &mut self.data.handling;
        handling.due = self.course.due.map(Timestamp::rfc3339);
        handling.shelved_until = self.course.shelved.map(Timestamp::rfc3339);
    }

    /// Which time runs; none when nobody has to do anything now.
    fn waits(&self) -> Option<fn(&crate::community::people::Times) -> Duration> {
        if self.needs_review() {
            return Some(|times| times.review);
        }
        if self.data.state == State::Cleared || self.course.shelved.is_some() {
            return None;
        }
        match self.stage() {
            Stage::Raised => Some(|times| times.acknowledge),
            Stage::Acknowledged | Stage::Dispatched | Stage::Handled => Some(|times| times.handle),
            Stage::Verified | Stage::Closed | Stage::Dismissed => None,
        }
    }
}

/// Who is called after that tier.
fn above(tier: Tier) -> Option<Tier> {
    match tier {
        Tier::Grid => Some(Tier::Community),
        Tier::Community => Some(Tier::Township),
        Tier::Township => None,
    }
}
