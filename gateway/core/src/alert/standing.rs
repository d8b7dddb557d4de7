//! How a channel stands: when it last delivered, when it last did not and why, and whether it is down.
//!
//! A channel that is down is an event of the gateway's own ([`SCENE`]), one for each channel, until it
//! delivers again. That event never goes by the channel that it is about.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Outcome, Recipient, Settled};
use crate::event::message::EventData;
use crate::reading::Timestamp;

/// The scene of the events about channels that are down.
pub const SCENE: &str = "channel-down";
/// A channel that delivered nothing for so long, though it was tried, is down.
pub const DOWN_AFTER: Duration = Duration::from_mins(10);
/// Who cannot be told by then is told another way as well.
pub const PASS_ON: Duration = Duration::from_mins(2);

/// What is wrong with a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trouble {
    /// Nothing went out for [`DOWN_AFTER`].
    Unreachable,
    /// A key, a robot or an address must be mended first.
    Misconfigured,
    /// It does not take messages for somebody.
    Refused,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    pub delivered: Option<Timestamp>,
    pub failed: Option<Timestamp>,
    /// What was said at the last failure; empty before one.
    pub why: String,
    /// Messages that were given up.
    pub given_up: u64,
    /// The first failure since the last delivery.
    failing_since: Option<Timestamp>,
    is_misconfigured: bool,
    /// Recipients whose last message was given up, by id.
    refused: BTreeSet<String>,
}

impl Standing {
    pub(super) fn note(
        &mut self,
        to: &Recipient,
        outcome: &Outcome,
        settled: &Settled,
        now: Timestamp,
    ) {
        let why = match outcome {
            Outcome::Sent => {
                self.delivered = Some(now);
                self.failing_since = None;
                self.is_misconfigured = false;
                self.refused.remove(&to.id);
                return;
            }
            Outcome::Later { why, .. }
            | Outcome::Misconfigured { why }
            | Outcome::Unfit { why } => why,
        };
        self.failed = Some(now);
        self.why.clone_from(why);
        self.is_misconfigured = matches!(outcome, Outcome::Misconfigured { .. });
        // One message that is not wanted says nothing of the others.
        if !matches!(outcome, Outcome::Unfit { .. }) {
            self.failing_since.get_or_insert(now);
        }
        if *settled == Settled::GivenUp {
            self.given_up += 1;
            self.refused.insert(to.id.clone());
        }
    }

    /// Forgets those who are not told any more, and how long nothing went out when nobody waits for it.
    pub(super) fn retain(&mut self, is_told: impl Fn(&String) -> bool, is_awaited: bool) {
        self.refused.retain(is_told);
        self.failing_since = self.failing_since.filter(|_| is_awaited);
    }

    /// Times that are still to come are taken for now.
    pub(super) fn clamp(&mut self, now: Timestamp) {
        let times = [&mut self.delivered, &mut self.failed, &mut self.failing_since];
        times.into_iter().flatten().for_each(|time| *time = (*time).min(now));
    }

    /// `None` while all is well.
    pub fn trouble(&self) -> Option<Trouble> {
        let failing = self.failed.zip(self.failing_since);
        if self.is_misconfigured {
            Some(Trouble::Misconfigured)
        } else if failing.is_some_and(|(last, first)| last.since(first) >= DOWN_AFTER) {
            Some(Trouble::Unreachable)
        } else {
            (!self.refused.is_empty()).then_some(Trouble::Refused)
        }
    }
}

/// The channel that an event is about: what it affects beside the gateway.
pub(super) fn about(data: &EventData) -> Option<&str> {
    let channel = data.affected.iter().find(|id| **id != data.device).unwrap_or(&data.device);
    (data.scene == SCENE).then_some(channel)
}
