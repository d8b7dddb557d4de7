//! How fast events were handled, and how many in time.
//!
//! A span counts from the opening of the event. A quantile is by nearest rank: the shortest of the
//! spans that at least so large a share of them does not exceed. A span below zero (the clock was set
//! back in between) counts nowhere.

use std::time::Duration;

use super::counting::level;
use crate::community::people::Duties;
use crate::event::message::Stage;
use crate::event::summary::Summary;
use crate::reading::Timestamp;

/// How soon somebody has to come, level I to IV; `None` where nothing is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    pub acknowledge: [Option<Duration>; 4],
    /// From when it was acknowledged, or should have been.
    pub handle: [Option<Duration>; 4],
}

impl Limits {
    /// Those at which an event goes up a tier.
    pub fn of(duties: &Duties) -> Self {
        let times = [1, 2, 3, 4].map(|level| duties.times(level));
        Self {
            acknowledge: times.map(|times| times.map(|t| t.acknowledge)),
            handle: times.map(|times| times.map(|t| t.handle)),
        }
    }

    fn acknowledge_by(&self, event: &Summary) -> Option<Timestamp> {
        Some(event.opened + self.acknowledge[usize::from(level(event) - 1)]?)
    }

    fn handle_by(&self, event: &Summary) -> Option<Timestamp> {
        let from = first_look(event).or_else(|| self.acknowledge_by(event))?;
        Some(from + self.handle[usize::from(level(event) - 1)]?)
    }
}

/// How fast some events were handled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    pub events: u32,
    pub acknowledge: Spans,
    pub handle: Spans,
    /// Until it was closed, or dismissed.
    pub close: Spans,
}

/// How long one step took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spans {
    /// Events that got so far.
    pub reached: u32,
    pub median: Option<Duration>,
    /// Nine of ten did not take longer.
    pub ninth: Option<Duration>,
    pub timely: Timely,
}

/// How many were in time, of those that had a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timely {
    pub in_time: u32,
    pub of: u32,
}

impl Timely {
    /// 0 to 1; `None` when nothing had a limit.
    pub fn share(self) -> Option<f64> {
        (self.of > 0).then(|| f64::from(self.in_time) / f64::from(self.of))
    }

    pub fn late(self) -> u32 {
        self.of.saturating_sub(self.in_time)
    }

    pub(super) fn note(&mut self, is_in_time: bool) {
        self.of += 1;
        self.in_time += u32::from(is_in_time);
    }
}

impl Pace {
    pub(super) fn of<'a>(
        events: impl Iterator<Item = &'a Summary>,
        limits: &Limits,
        until: Timestamp,
    ) -> Self {
        let (mut acknowledge, mut handle, mut close) =
            (Step::default(), Step::default(), Step::default());
        let mut count = 0;
        for event in events {
            count += 1;
            acknowledge.note(event, first_look(event), limits.acknowledge_by(event), until);
            handle.note(event, event.handled, limits.handle_by(event), until);
            close.note(event, event.closed, None, until);
        }
        Self {
            events: count,
            acknowledge: acknowledge.spans(),
            handle: handle.spans(),
            close: close.spans(),
        }
    }
}

/// When somebody first took notice; who sends for help or mends it has.
fn first_look(event: &Summary) -> Option<Timestamp> {
    [event.acknowledged, event.dispatched, event.handled].into_iter().flatten().min()
}

/// Whether somebody looked in time; `None` when nothing was asked of anybody.
pub(super) fn looked_in_time(event: &Summary, limits: &Limits, until: Timestamp) -> Option<bool> {
    is_in_time(event, first_look(event), limits.acknowledge_by(event), until)
}

/// An event that was over by itself before its limit had passed asked nothing of anybody; nor has one
/// whose limit has not passed yet.
fn is_in_time(
    event: &Summary,
    done: Option<Timestamp>,
    due: Option<Timestamp>,
    until: Timestamp,
) -> Option<bool> {
    let due = due?;
    if let Some(done) = done.filter(|done| *done <= until) {
        return (done >= event.opened).then_some(done <= due);
    }
    let over = [event.cleared, event.verified, event.closed].into_iter().flatten().min();
    let asked_nothing = event.stage == Stage::Dismissed || over.is_some_and(|over| over <= due);
    (!asked_nothing && until > due).then_some(false)
}

#[derive(Default)]
struct Step {
    spans: Vec<Duration>,
    timely: Timely,
}

impl Step {
    fn note(
        &mut self,
        event: &Summary,
        done: Option<Timestamp>,
        due: Option<Timestamp>,
        until: Timestamp,
    ) {
        let reached = done.filter(|done| (event.opened..=until).contains(done));
        self.spans.extend(reached.map(|done| done.since(event.opened)));
        if let Some(is_in_time) = is_in_time(event, done, due, until) {
            self.timely.note(is_in_time);
        }
    }

    fn spans(mut self) -> Spans {
        self.spans.sort_unstable();
        Spans {
            reached: u32::try_from(self.spans.len()).unwrap_or(u32::MAX),
            median: quantile(&self.spans, 5),
            ninth: quantile(&self.spans, 9),
            timely: self.timely,
        }
    }
}

/// By nearest rank, of spans from short to long.
pub(super) fn quantile(sorted: &[Duration], tenths: usize) -> Option<Duration> {
    let rank = (sorted.len() * tenths).div_ceil(10);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_spans_and_never_shorter_than_its_share() {
        let of = |seconds: &[u64]| -> Vec<Duration> {
            seconds.iter().copied().map(Duration::from_secs).collect()
        };
        let ten = of(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 100]);

        assert_eq!(quantile(&ten, 5), Some(Duration::from_secs(5)));
        assert_eq!(quantile(&ten, 9), Some(Duration::from_secs(9)));
        assert_eq!(quantile(&of(&[7]), 9), Some(Duration::from_secs(7)));
        assert_eq!(quantile(&of(&[1, 2, 3]), 5), Some(Duration::from_secs(2)));
        assert_eq!(quantile(&[], 5), None);
    }
}
