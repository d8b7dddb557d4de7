//! How many false alarms a scene may raise, as a threshold for each of its points.
//!
//! The budget is divided among the scene's points. From what a point may raise per sample follows its
//! threshold, by a line that was fitted to normal recordings, instead of the detector's fixed one.
//! A line fitted elsewhere is wrong here by some factor, so that the scene corrects it by its own count:
//! each event raises the threshold, and time lets it sink (an integral of the error, as in the adaptive
//! conformal inference of Gibbs & Candès 2021). From one time to another come
//!
//! ```text
//! events = expected + (correction then - correction before) / gain
//! ```
//!
//! and the correction is bounded: below, so that a quiet year saves up no flood, and above by the largest
//! abnormality there is, so that what cries all the time is heard as often as the budget allows.

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
    /// What would have opened without a budget, since start.
    held_back: u64,
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
        let state = State { correction: BUDGET_START, at: None };
        Self { rate, points: points.max(1), state, held_back: 0 }
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

    /// So many would have raised events by the detectors' fixed thresholds, and did not.
    pub fn note_held_back(&mut self, count: u64) {
        self.held_back += count;
    }

    pub fn held_back(&self) -> u64 {
        self.held_back
    }

    /// Events a second, for the whole scene.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Powers of ten on top of what the line says, when an event was last judged by it.
    pub fn correction(&self) -> f64 {
        self.state.correction
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

    /// Goes on from the same scene's before its configuration was replaced.
    pub fn inherit(&mut self, before: &Self) {
        self.recall(before.state);
        self.held_back = before.held_back;
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

    /// How often in so many hours a detector is heard that says `says` every hour.
    fn heard(budget: &mut Budget, hours: std::ops::Range<i64>, says: impl Fn(i64) -> f64) -> f64 {
        let mut heard = 0.0;
        for hour in hours {
            let now = Timestamp(hour * 3_600_000);
            if budget.allowance(now).threshold(3_600.0).is_some_and(|limit| limit <= says(hour)) {
                budget.note_event(now);
                heard += 1.0;
            }
        }
        heard
    }

    #[test]
    fn a_scene_that_cries_every_hour_is_heard_as_often_as_its_budget_allows() {
        let heard = heard(&mut Budget::new(2.0 / WEEK, 1), 0..24 * 365, |_| 8.0);

        assert!((103.0..=111.0).contains(&heard), "{heard} in 52 weeks");
    }

    #[test]
    fn a_quiet_year_saves_up_no_flood() {
        let mut budget = Budget::new(2.0 / WEEK, 1);
        let year = 24 * 365;
        assert!(heard(&mut budget, 0..year, |_| 0.2) < 1.0);

        let flood = heard(&mut budget, year..year + 24 * 7, |_| 8.0);

        // Two that are allowed, three that were saved up, and what it takes to raise the threshold to 8.
        assert!(flood <= 2.0 + 3.0 + 8.0, "{flood} in a week");
    }

    #[test]
    fn a_budget_is_met_and_not_more_than_met_where_the_line_is_wrong_by_a_factor() {
        // How abnormal an hour is: what the line expects of chance, times a factor.
        let says = |hour: i64, off: f64| {
            let mut mixed =
                hour.cast_unsigned().wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let share = ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
            BUDGET_AT_ONE + BUDGET_PER_DECADE * (off - (1.0 - share).log10())
        };
        for per_week in [0.05, 0.1, 0.2, 0.5, 1.0, 2.0] {
            for off in [-0.3, 0.0, 0.7] {
                let mut budget = Budget::new(per_week / WEEK, 1);
                let year = 24 * 7 * 52;
                heard(&mut budget, 0..year, |hour| says(hour, off));

                let second = heard(&mut budget, year..3 * year, |hour| says(hour, off));

                let wrong = (second - per_week * 104.0).abs();
                assert!(wrong <= 2.5, "{second} in 104 weeks of {per_week}, off by {off}");
            }
        }
    }
}
