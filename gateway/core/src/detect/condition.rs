//! A condition with delays: when does "it is true now" become "it is so", and when is it over?
//!
//! ISA-18.2's on-delay and off-delay. Time here is the device's own, so that a backlog that arrives
//! late is judged as it would have been when it was measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::reading::Timestamp;

/// Where a condition stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    #[default]
    Normal,
    /// True since then, not yet for long enough.
    Pending { since: Timestamp },
    /// It counts; it began then.
    Active { since: Timestamp },
    /// It counts, but has been false since `gone`, not yet for long enough.
    Clearing { since: Timestamp, gone: Timestamp },
}

/// A delay that is running, as it is kept for the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Since when the condition is true, or has counted.
    pub since: Timestamp,
    /// Since when it is false again, if it is the off-delay that runs.
    #[serde(default)]
    pub gone: Option<Timestamp>,
}

/// What changed for the world outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It counts from now on; it began at `since`.
    Raised { since: Timestamp },
    /// It is over.
    Dropped,
}

/// On-delay and off-delay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delays {
    pub on: Duration,
    pub off: Duration,
}

impl Phase {
    /// Notes whether the condition is true at `at`.
    pub fn handle(&mut self, is_true: bool, delays: Delays, at: Timestamp) -> Option<Change> {
        *self = match (*self, is_true) {
            (Self::Normal, true) => Self::Pending { since: at },
            (Self::Pending { .. }, false) => Self::Normal,
            (Self::Active { since }, false) => Self::Clearing { since, gone: at },
            (Self::Clearing { since, .. }, true) => Self::Active { since },
            (phase, _) => phase,
        };
        self.handle_timeout(delays, at)
    }

    /// Lets time pass until `at`.
    pub fn handle_timeout(&mut self, delays: Delays, at: Timestamp) -> Option<Change> {
        match *self {
            Self::Pending { since } if at >= since + delays.on => {
                *self = Self::Active { since };
                Some(Change::Raised { since })
            }
            Self::Clearing { gone, .. } if at >= gone + delays.off => {
                *self = Self::Normal;
                Some(Change::Dropped)
            }
            Self::Normal | Self::Pending { .. } | Self::Active { .. } | Self::Clearing { .. } => {
                None
            }
        }
    }

    /// When [`Phase::handle_timeout`] will have something to say, if nothing else happens.
    pub fn due(&self, delays: Delays) -> Option<Timestamp> {
        match *self {
            Self::Pending { since } => Some(since + delays.on),
            Self::Clearing { gone, .. } => Some(gone + delays.off),
            Self::Normal | Self::Active { .. } => None,
        }
    }

    /// The delay that is running, if any.
    pub fn running(&self) -> Option<Running> {
        match *self {
            Self::Pending { since } => Some(Running { since, gone: None }),
            Self::Clearing { since, gone } => Some(Running { since, gone: Some(gone) }),
            Self::Normal | Self::Active { .. } => None,
        }
    }

    /// Puts a delay back that ran before a restart; false when it says nothing any more, because what
    /// it belonged to is over or has counted since.
    pub fn resume(&mut self, running: Running) -> bool {
        *self = match (*self, running.gone) {
            (Self::Normal, None) => Self::Pending { since: running.since },
            (Self::Active { since }, Some(gone)) => Self::Clearing { since, gone },
            (_, _) => return false,
        };
        true
    }

    /// The same condition after the clock that times it was set.
    #[must_use]
    pub fn moved(self, to: impl Fn(Timestamp) -> Timestamp) -> Self {
        match self {
            Self::Normal => Self::Normal,
            Self::Pending { since } => Self::Pending { since: to(since) },
            Self::Active { since } => Self::Active { since: to(since) },
            Self::Clearing { since, gone } => Self::Clearing { since: to(since), gone: to(gone) },
        }
    }

    /// The same condition when its delay has passed without a value that could be believed.
    #[must_use]
    pub fn without_evidence(self) -> Self {
        match self {
            Self::Normal | Self::Pending { .. } => Self::Normal,
            Self::Active { since } | Self::Clearing { since, .. } => Self::Active { since },
        }
    }

    pub fn is_active(&self) -> bool {
        matches!(self, Self::Active { .. } | Self::Clearing { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAYS: Delays = Delays { on: Duration::from_mins(1), off: Duration::from_secs(30) };

    fn at(seconds: u64) -> Timestamp {
        Timestamp(0) + Duration::from_secs(seconds)
    }

    #[test]
    fn a_condition_counts_after_its_on_delay_and_is_over_after_its_off_delay() {
        let mut phase = Phase::default();
        let raised = Some(Change::Raised { since: at(0) });

        assert_eq!(phase.handle(true, DELAYS, at(0)), None);
        assert_eq!(phase.due(DELAYS), Some(at(60)));
        assert_eq!(phase.handle(true, DELAYS, at(59)), None);
        assert_eq!(phase.handle_timeout(DELAYS, at(60)), raised);
        assert_eq!(phase.handle(false, DELAYS, at(70)), None);
        assert_eq!(phase.handle_timeout(DELAYS, at(99)), None);
        assert_eq!(phase.handle_timeout(DELAYS, at(100)), Some(Change::Dropped));
        assert_eq!(phase, Phase::Normal);
    }

    #[test]
    fn a_short_lapse_neither_raises_nor_drops() {
        let mut phase = Phase::default();
        phase.handle(true, DELAYS, at(0));
        phase.handle(false, DELAYS, at(30));
        assert_eq!(phase, Phase::Normal);

        phase.handle(true, DELAYS, at(40));
        phase.handle(true, DELAYS, at(100));
        phase.handle(false, DELAYS, at(110));
        assert_eq!(phase.handle(true, DELAYS, at(120)), None);
        assert_eq!(phase, Phase::Active { since: at(40) });
    }

    #[test]
    fn without_delays_it_follows_at_once() {
        let mut phase = Phase::default();
        let none = Delays::default();

        assert_eq!(phase.handle(true, none, at(5)), Some(Change::Raised { since: at(5) }));
        assert_eq!(phase.handle(false, none, at(6)), Some(Change::Dropped));
    }
}
