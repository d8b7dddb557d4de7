//! Is this frame new? By the device's own clock, and by what was counted before.
//!
//! A wire may deliver again what it has delivered (MQTT does, after a reconnection), and a device's
//! clock may be set back. Both show as frames that are older than the newest one. They are told apart
//! by their pace: what is delivered again comes in a burst, faster than it was sent, while a device
//! that goes on counting moves with our own clock. So [`CONFIRMING`] frames in a row, each newer than
//! the one before, none of them counted already, and in step with our clock, are a clock that went
//! back; everything else that is old is dropped.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::reading::Timestamp;

/// Counted frames that are remembered by time and content.
const REMEMBERED: usize = 8;

/// Frames in a row after which a clock that went back is believed.
const CONFIRMING: usize = 3;

/// They must take at least this long by our clock.
const CONFIRMED_OVER: Duration = Duration::from_secs(2);

/// How much faster than our clock they may move.
const IN_STEP: u32 = 2;

/// What is known of one device's clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OwnClock {
    /// The time of the newest frame that was counted.
    last: Option<Timestamp>,
    /// The last few that were counted: time and fingerprint of the content.
    counted: VecDeque<(Timestamp, u64)>,
    /// Its time is not believed; our own stands in.
    #[serde(default)]
    pub(super) is_doubted: bool,
    /// Frames from an earlier point that may show a clock that went back: their time, and ours.
    #[serde(skip)]
    suspects: VecDeque<(Timestamp, Timestamp)>,
}

/// How a counted frame follows the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Forward,
    /// The device's clock was set back by about this.
    WentBack(Duration),
}

impl OwnClock {
    /// Whether it has counted a frame newer than this.
    pub(super) fn is_behind(&self, at: Timestamp) -> bool {
        self.last.is_some_and(|last| at < last)
    }

    /// Counts a frame once.
    ///
    /// # Errors
    /// It was counted before, or may have been.
    pub(super) fn admit(
        &mut self,
        at: Timestamp,
        fingerprint: u64,
        now: Timestamp,
    ) -> Result<Order, Refusal> {
        if self.counted.contains(&(at, fingerprint)) {
            self.suspects.clear();
            return Err(Refusal::Repeated);
        }
        let order = match self.last {
            Some(last) if at < last => self.suspect(at, last, now)?,
            Some(_) | None => Order::Forward,
        };
        self.suspects.clear();
        self.last = Some(at);
        if self.counted.len() >= REMEMBERED {
            self.counted.pop_front();
        }
        self.counted.push_back((at, fingerprint));
        Ok(order)
    }

    fn suspect(
        &mut self,
        at: Timestamp,
        last: Timestamp,
        now: Timestamp,
    ) -> Result<Order, Refusal> {
        if self.suspects.back().is_some_and(|(before, _)| at <= *before) {
            self.suspects.clear();
        }
        if self.suspects.len() >= CONFIRMING {
            self.suspects.pop_front();
        }
        self.suspects.push_back((at, now));
        let (there, here) = self.suspects[0];
        let (there, here) = (at.since(there), now.since(here));
        let is_confirmed =
            self.suspects.len() == CONFIRMING && here >= CONFIRMED_OVER && there <= here * IN_STEP;
        if is_confirmed {
            Ok(Order::WentBack(last.since(self.suspects[0].0)))
        } else {
            Err(Refusal::NotNewer { behind_ms: last.0.saturating_sub(at.0) })
        }
    }
}

/// Tells one payload from another, the same in every version of the program (FNV-1a).
pub fn fingerprint(payload: &[u8]) -> u64 {
    payload.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(1_772_323_200_000 + seconds * 1_000)
    }

    /// Frames as (device's time, our time, content), to how each was taken.
    fn taken(clock: &mut OwnClock, frames: &[(i64, i64, u64)]) -> Vec<&'static str> {
        frames
            .iter()
            .map(|(there, here, print)| match clock.admit(at(*there), *print, at(*here)) {
                Ok(Order::Forward) => "ok",
                Ok(Order::WentBack(_)) => "went back",
                Err(refusal) => refusal.word(),
            })
            .collect()
    }

    #[test]
    fn what_was_counted_is_not_counted_again_even_within_one_moment() {
        let mut clock = OwnClock::default();

        assert_eq!(
            taken(&mut clock, &[(0, 0, 1), (0, 0, 2), (0, 0, 1), (0, 0, 2), (1, 1, 3)]),
            ["ok", "ok", "repeated", "repeated", "ok"]
        );
    }

    #[test]
    fn a_burst_of_old_frames_is_dropped_however_long_it_is() {
        let mut clock = OwnClock::default();
        let sent: Vec<_> = (0..1_000_i64).map(|i| (i * 10, i * 10, i.unsigned_abs())).collect();
        taken(&mut clock, &sent);

        let again: Vec<_> = sent.iter().map(|(there, _, print)| (*there, 10_000, *print)).collect();

        assert!(
            taken(&mut clock, &again).iter().all(|word| ["repeated", "not-newer"].contains(word))
        );
    }

    #[test]
    fn a_clock_that_goes_on_from_an_earlier_point_is_believed_after_three_frames() {
        let mut clock = OwnClock::default();
        taken(&mut clock, &[(7_200, 7_200, 1)]);

        let frames = [(3_610, 7_210, 2), (3_620, 7_220, 3), (3_630, 7_230, 4), (3_640, 7_240, 5)];

        assert_eq!(taken(&mut clock, &frames), ["not-newer", "not-newer", "went back", "ok"]);
    }

    #[test]
    fn stragglers_between_newer_frames_are_no_clock_that_went_back() {
        let mut clock = OwnClock::default();
        taken(&mut clock, &[(100, 100, 1)]);

        let frames: Vec<_> = (0..20_i64)
            .flat_map(|i| {
                let now = 110 + i * 10;
                [(now, now, now.unsigned_abs()), (now - 15, now + 1, now.unsigned_abs() + 1_000)]
            })
            .collect();

        assert!(!taken(&mut clock, &frames).contains(&"went back"));
    }
}
