//! From quarters of an hour to what a detector would have raised: surely, perhaps, surely not.
//!
//! When a reading came within its quarter is not known. So what held in every reading of n quarters in a
//! row has held for longer than n - 2 quarters, and it cannot have held for longer than n + 1: it began
//! after the reading before, and a reading of the next quarter ended it at the latest. "Surely" and
//! "perhaps" are just that, as far as readings go: whether a sensor was silent meanwhile is another matter.

use std::time::Duration;

use super::quarter::{LENGTH, Quarter};
use crate::detect::condition::Delays;

/// In how many readings of a quarter a condition held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    None,
    /// Perhaps in some.
    Maybe,
    /// In one at least.
    Some,
    All,
}

/// What a detector tells of a quarter in which there were readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    pub extent: Extent,
    /// Every reading in it would have ended it.
    pub is_calm: bool,
}

/// A stretch in which a detector would have raised something, once at least or perhaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Episode {
    pub from: Quarter,
    /// The quarter after the last.
    pub until: Quarter,
    pub is_sure: bool,
}

/// Follows one detector on one device from quarter to quarter.
#[derive(Debug, Clone)]
pub struct Spotter {
    delays: Delays,
    current: Option<Current>,
}

#[derive(Debug, Clone)]
struct Current {
    from: Quarter,
    /// Quarters in a row in which every reading held, without a gap.
    all: u32,
    /// Quarters in a row in which it may have held without an end.
    span: u32,
    is_sure: bool,
    is_possible: bool,
    /// The first quarter of those that would have ended it.
    calm: Option<Quarter>,
}

impl Spotter {
    pub fn new(delays: Delays) -> Self {
        Self { delays, current: None }
    }

    /// Takes the next quarter, none left out; `None` when there were no readings. Gives the episode
    /// that is over by then.
    pub fn handle(&mut self, quarter: Quarter, glance: Option<Glance>) -> Option<Episode> {
        let is_over = self
            .current
            .as_ref()
            .and_then(|current| current.calm)
            .is_some_and(|calm| quarter.start() >= calm.end() + self.delays.off);
        let over = if is_over { self.finish(quarter) } else { None };
        match (glance, &mut self.current) {
            (Some(Glance { extent: Extent::None, .. }) | None, None) => {}
            (Some(glance), None) => {
                let current = self.current.insert(Current::new(quarter));
                current.note(quarter, glance, self.delays.on);
            }
            (Some(glance), Some(current)) => current.note(quarter, glance, self.delays.on),
            // Nothing ended it: the last value may have stood.
            (None, Some(current)) => {
                current.all = 0;
                if current.span > 0 {
                    current.span += 1;
                }
            }
        }
        over
    }

    /// Nothing is going on, as far as it knows.
    pub fn is_idle(&self) -> bool {
        self.current.is_none()
    }

    /// The episode that goes on when there is no more.
    pub fn finish(&mut self, until: Quarter) -> Option<Episode> {
        let mut current = self.current.take()?;
        current.is_possible |= current.span > 0 && lasts(current.span) >= self.delays.on;
        let Current { from, is_sure, is_possible, .. } = current;
        (is_sure || is_possible).then_some(Episode { from, until, is_sure })
    }
}

impl Current {
    fn new(from: Quarter) -> Self {
        Self { from, all: 0, span: 0, is_sure: false, is_possible: false, calm: None }
    }

    fn note(&mut self, quarter: Quarter, Glance { extent, is_calm }: Glance, on: Duration) {
        // A reading of this quarter ended what held until then, at the latest.
        let reached = if self.span > 0 || extent > Extent::None {
            lasts(self.span + 1)
        } else {
            Duration::ZERO
        };
        self.is_possible |= (self.span > 0 || extent > Extent::None) && reached > on;
        match extent {
            Extent::All => {
                self.all += 1;
                self.span += 1;
                self.is_sure |= on.is_zero() || (self.all > 2 && lasts(self.all - 2) >= on);
            }
            Extent::Some | Extent::Maybe => {
                self.is_sure |= on.is_zero() && extent == Extent::Some;
                (self.all, self.span) = (0, 1);
            }
            Extent::None => (self.all, self.span) = (0, 0),
        }
        self.calm =
            if is_calm && extent == Extent::None { self.calm.or(Some(quarter)) } else { None };
    }
}

fn lasts(quarters: u32) -> Duration {
    LENGTH.saturating_mul(quarters)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: Duration = Duration::from_mins(20);

    /// Quarters as letters: all, some, maybe, none and calm, none and not calm, gap.
    fn spot(quarters: &str, on: Duration, off: Duration) -> String {
        let mut spotter = Spotter::new(Delays { on, off });
        let mut told = String::new();
        let mut note = |episode: Option<Episode>| {
            use std::fmt::Write as _;
            if let Some(Episode { from, until, is_sure }) = episode {
                let word = if is_sure { "sure" } else { "perhaps" };
                write!(told, "{word} {}-{} ", from.0, until.0).unwrap();
            }
        };
        for (at, letter) in (0..).zip(quarters.chars()) {
            let glance = |extent, is_calm| Some(Glance { extent, is_calm });
            note(spotter.handle(
                Quarter(at),
                match letter {
                    'A' => glance(Extent::All, false),
                    'S' => glance(Extent::Some, false),
                    'M' => glance(Extent::Maybe, false),
                    '.' => glance(Extent::None, true),
                    ',' => glance(Extent::None, false),
                    _ => None,
                },
            ));
        }
        note(spotter.finish(Quarter(i64::try_from(quarters.len()).unwrap())));
        told.trim_end().to_owned()
    }

    #[test]
    fn how_long_it_held_decides_between_surely_perhaps_and_not() {
        let none = Duration::ZERO;
        let cases = [
            (".A...", ON, "perhaps 1-3"),
            ("..S...", ON, "perhaps 2-4"),
            (".AA..", ON, "perhaps 1-4"),
            (".AAA..", ON, "perhaps 1-5"),
            (".AAAA..", ON, "sure 1-6"),
            (".AA AA..", ON, "perhaps 1-7"),
            (".S....", Duration::from_mins(30), ""),
            (".SS...", Duration::from_mins(30), ""),
            (".SA...", Duration::from_mins(30), "perhaps 1-4"),
            (".S...", none, "sure 1-3"),
            (".M...", none, "perhaps 1-3"),
            ("A", Duration::from_mins(15), "perhaps 0-1"),
            (".....", none, ""),
            ("     ", none, ""),
        ];
        for (quarters, on, expected) in cases {
            assert_eq!(spot(quarters, on, none), expected, "{quarters} {on:?}");
        }
    }

    #[test]
    fn an_episode_is_over_when_it_was_calm_for_long_enough() {
        let off = Duration::from_mins(30);

        assert_eq!(spot("S..S....", Duration::ZERO, off), "sure 0-7");
        assert_eq!(spot("S...S....", Duration::ZERO, off), "sure 0-4 sure 4-8");
        assert_eq!(spot("S,,,S....", Duration::ZERO, off), "sure 0-8", "within the deadband");
    }
}
