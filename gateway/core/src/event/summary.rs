//! An event in one line: for lists, figures and reports.
//!
//! Folded from the event's messages, oldest first ([`Summary::apply`]); the store keeps it beside the
//! journal, so that nobody has to read whole messages to count them. What is told of a time is when it
//! happened for the first time, but for `cleared`, `verified` and `closed`: those are of the last time,
//! and none while the event lasts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::{EventData, Stage, State, Transition};
use super::verdict::Verdict;
use crate::community::quantity::Text;
use crate::community::scene::{Category, Tier};
use crate::reading::Timestamp;

/// What lists and figures need of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub event: String,
    pub scene: String,
    pub category: Category,
    pub area: String,
    pub device: String,
    pub title: Text,
    /// The worst that it has had; 1 most urgent .. 4.
    pub level: u8,
    /// Who handles it now.
    pub tier: Tier,
    pub state: State,
    pub stage: Stage,
    /// A person's or team's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    pub drill: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// When the condition began.
    pub started: Timestamp,
    /// When it counted as an event; never changes, so that lists are in this order.
    pub opened: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispatched: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handled: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Timestamp>,
    /// Closed, or dismissed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
    /// How often it went up a tier.
    #[serde(default)]
    pub escalated: u8,
    /// How often it came back.
    #[serde(default)]
    pub reopened: u8,
    /// How often it was put aside.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shelved: u8,
    /// Milliseconds for which it was, but for the stay that lasts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shelved_ms: u64,
    /// Since when it is; `None` when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shelved_since: Option<Timestamp>,
    /// The detector's id within the scene.
    pub detector: String,
}

impl Summary {
    /// What it is after one more message of the event: this transition at that time, and the event as it
    /// stands since. Where the first messages are gone, what is left of them in the data counts.
    #[must_use]
    pub fn apply(
        before: Option<Self>,
        transition: Transition,
        at: Timestamp,
        data: &EventData,
    ) -> Self {
        let mut summary = before.unwrap_or_else(|| Self::begin(transition, at, data));
        summary.scene.clone_from(&data.scene);
        summary.category = data.category;
        summary.area.clone_from(&data.area);
        summary.device.clone_from(&data.device);
        summary.title.clone_from(&data.title);
        summary.level = summary.level.min(data.level);
        summary.tier = data.tier;
        summary.state = data.state;
        summary.stage = data.handling.stage;
        summary.assignee.clone_from(&data.handling.assignee);
        summary.drill = data.drill;
        let said = data.review.verdict.as_deref();
        summary.verdict = Verdict::ALL.into_iter().find(|known| Some(known.word()) == said);
        summary.shelve(data.handling.shelved_until.is_some(), at);
        match transition {
            Transition::Acknowledged => _ = summary.acknowledged.get_or_insert(at),
            Transition::Dispatched => _ = summary.dispatched.get_or_insert(at),
            Transition::Handled => _ = summary.handled.get_or_insert(at),
            Transition::Cleared => summary.cleared = Some(at),
            Transition::Verified => summary.verified = Some(at),
            Transition::Closed | Transition::Dismissed => summary.closed = Some(at),
            Transition::Escalated => summary.escalated = summary.escalated.saturating_add(1),
            Transition::Reopened => {
                summary.reopened = summary.reopened.saturating_add(1);
                (summary.cleared, summary.verified, summary.closed) = (None, None, None);
            }
            Transition::Opened
            | Transition::Updated
            | Transition::Unknown
            | Transition::Shelved
            | Transition::Unshelved => {}
        }
        summary
    }

    fn begin(transition: Transition, at: Timestamp, data: &EventData) -> Self {
        let is_first = transition == Transition::Opened;
        let opened = if is_first { None } else { data.detected.parse().ok() };
        Self {
            event: data.event.clone(),
            scene: String::new(),
            category: data.category,
            area: String::new(),
            device: String::new(),
            title: Text::default(),
            level: data.level,
            tier: data.tier,
            state: data.state,
            stage: data.handling.stage,
            assignee: None,
            drill: data.drill,
            verdict: None,
            started: data.started.parse().unwrap_or(at),
            opened: opened.unwrap_or(at),
            acknowledged: None,
            dispatched: None,
            handled: None,
            cleared: None,
            verified: None,
            closed: None,
            escalated: 0,
            reopened: 0,
            shelved: 0,
            shelved_ms: 0,
            shelved_since: None,
            detector: data.cause.detector.clone(),
        }
    }

    /// Whatever takes it up again, the data says that it is not put aside any more.
    fn shelve(&mut self, is_shelved: bool, at: Timestamp) {
        match self.shelved_since {
            None if is_shelved => {
                self.shelved = self.shelved.saturating_add(1);
                self.shelved_since = Some(at);
            }
            Some(_) if !is_shelved => {
                self.shelved_ms = self.shelved_for(at).map_or(0, milliseconds);
                self.shelved_since = None;
            }
            None | Some(_) => {}
        }
    }

    /// How long it was put aside by then, in all; `None` when it never was.
    pub fn shelved_for(&self, by: Timestamp) -> Option<Duration> {
        let lasts = self.shelved_since.map_or(Duration::ZERO, |since| by.since(since));
        let before = Duration::from_millis(self.shelved_ms);
        (self.shelved > 0).then(|| before.saturating_add(lasts))
    }

    /// Whether nobody has to do anything about it any more.
    pub fn is_over(&self) -> bool {
        self.stage.is_over()
    }
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}
