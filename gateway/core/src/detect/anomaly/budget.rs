//! How many false alarms a scene may raise, as a threshold for each of its points.
//!
//! The budget is divided among the scene's points. From what a point may raise per sample follows its
//! threshold, by a line that was fitted to normal recordings, instead of the detector's fixed one.
//! A line fitted elsewhere is wrong here by some factor, so that the scene corrects it by its own count:
//! each event raises the threshold, and time lets it sink. The correction has no upper end while
//! abnormalities have one, so that in the long run no more events come than the budget allows.

use serde::{Deserialize, Serialize};

use super::constants::{
    BUDGET_AT_ONE, BUDGET_FLOOR, BUDGET_GAIN, BUDGET_LOWEST, BUDGET_PER_DECADE, BUDGET_START,
};
use crate::reading::Timestamp;

/// A scene's budget and what has been used of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// Events a second, for the whole scene.
    rate: f64,
    /// Points among which it is divided.
    points: usize,
    state: State,
}

/// What a restart should know of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Powers of ten on top of what the line says.
    correction: f64,
    at: Option<Timestamp>,
}

/// What one point may raise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    /// Events a second.
    rate: f64,
    correction: f64,
}

impl Budget {
    /// `rate` events a second for all `points` together.
    pub fn new(rate: f64, points: usize) -> Self {
        Self { rate, points: points.max(1), state: State { correction: BUDGET_START, at: None } }
    }

    /// What each point may raise at that time.
    pub fn allowance(&mut self, now: Timestamp) -> Allowance {
        let State { correction, at } = self.state;
        let expected = self.rate * at.map_or(0.0, |at| now.since(at).as_secs_f64());
        let correction = (correction - BUDGET_GAIN * expected).max(BUDGET_LOWEST);
        self.state = State { correction, at: Some(now) };
        Allowance { rate: self.rate / self.points as f64, correction }
    }

    /// One of its points raised an event.
    pub fn note_event(&mut self, now: Timestamp) {
        self.allowance(now);
        self.state.correction += BUDGET_GAIN;
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// Goes on from what was used before.
    pub fn recall(&mut self, state: State) {
        if state.correction.is_finite() {
            self.state = state;
        }
    }

    /// The wall clock was set.
    pub fn shift(&mut self, to: impl Fn(Timestamp) -> Timestamp) {
        self.state.at = self.state.at.map(to);
    }
}

impl Allowance {
    /// The abnormality from which a point with samples at that distance (seconds) may raise an event;
    /// `None` while the distance is not known.
    pub fn threshold(&self, interval: f64) -> Option<f64> {
        let rarity = self.rarity(interval)?;
        Some((BUDGET_AT_ONE + BUDGET_PER_DECADE * rarity + self.correction).max(BUDGET_FLOOR))
    }

    /// How rare rows that do not fit must be to raise an event, in powers of ten.
    pub fn powers(&self, interval: f64) -> Option<f64> {
        Some(self.rarity(interval)? + self.correction)
    }

    /// Samples for one event, in powers of ten.
    fn rarity(&self, interval: f64) -> Option<f64> {
        let per_sample = self.rate * interval;
        (per_sample > 0.0).then(|| -per_sample.log10())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK: f64 = 604_800.0;

    #[test]
    fn a_smaller_share_and_quicker_samples_need_more_to_raise() {
        let threshold = |rate, points, interval| {
            Budget::new(rate, points).allowance(Timestamp(0)).threshold(interval)
        };
        let known = |rate, points, interval| threshold(rate, points, interval).unwrap();

        assert!(known(1.0 / WEEK, 1, 300.0) > 3.5, "it begins cautious");
        let one = known(1.0 / WEEK, 1, 300.0);
        assert!((one - (1.0 - 1.778 + 1.383 * 3.3046)).abs() < 1e-3, "{one}");
        assert!(known(1.0 / WEEK, 10, 300.0) > one + 1.3);
        assert!(known(1.0 / WEEK, 1, 30.0) > one + 1.3);
        assert_eq!(threshold(1.0 / WEEK, 1, 0.0), None, "nothing is known of it");
    }

    #[test]
    fn a_scene_that_cries_every_hour_is_heard_as_often_as_its_budget_allows() {
        let mut budget = Budget::new(2.0 / WEEK, 1);
        let mut heard = 0;
        // A year of abnormalities as high as 8, every hour.
        for hour in 0..24 * 365 {
            let now = Timestamp(hour * 3_600_000);
            if budget.allowance(now).threshold(300.0).is_some_and(|limit| limit <= 8.0) {
                budget.note_event(now);
                heard += 1;
            }
        }

        assert!((98..=125).contains(&heard), "{heard} in 52 weeks");
    }
}
