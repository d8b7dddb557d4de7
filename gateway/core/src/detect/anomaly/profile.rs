//! What is usual at this hour, on a working day or at the weekend, and how far that explains the point.

use super::constants::{CELL_NEWEST, CELLS, PROFILE_DECAY};
use crate::reading::Timestamp;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Mean deviation from the long median per hour of the day, working days and weekends apart (UTC).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Profile {
    pub(super) means: [f32; CELLS],
    /// Days that each cell has seen.
    pub(super) days: [u8; CELLS],
    /// Squared deviations before and after the profile, fading.
    pub(super) before: f64,
    pub(super) after: f64,
    /// The hour that is going on: its cell, the sum of its deviations, how many.
    pub(super) current: Option<(usize, f64, f64)>,
}

impl Default for Profile {
    fn default() -> Self {
        Self { means: [0.0; CELLS], days: [0; CELLS], before: 0.0, after: 0.0, current: None }
    }
}

impl Profile {
    /// Share of the deviations that it explains, 0..1.
    pub(super) fn reliability(&self) -> f64 {
        if self.before > 0.0 { (1.0 - self.after / self.before).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The usual deviation at that time.
    pub(super) fn at(&self, at: Timestamp) -> f64 {
        f64::from(self.means[cell(at)])
    }

    /// What is left of a deviation after the profile; then learns it.
    #[expect(clippy::cast_possible_truncation, reason = "memory is kept as f32")]
    pub(super) fn take(&mut self, at: Timestamp, deviation: f64) -> f64 {
        let cell = cell(at);
        let usual = f64::from(self.means[cell]);
        let left = deviation - self.reliability() * usual;
        if self.days[cell] > 0 {
            self.before = self.before * PROFILE_DECAY + deviation * deviation;
            self.after = self.after * PROFILE_DECAY + (deviation - usual).powi(2);
        }
        match &mut self.current {
            Some((current, sum, count)) if *current == cell => {
                *sum += deviation;
                *count += 1.0;
            }
            _ => {
                let (over, sum, count) =
                    self.current.replace((cell, deviation, 1.0)).unwrap_or((cell, 0.0, 0.0));
                if count > 0.0 {
                    self.days[over] = self.days[over].saturating_add(1);
                    let newest = CELL_NEWEST.max(1.0 / f64::from(self.days[over]));
                    let mean = f64::from(self.means[over]);
                    self.means[over] = (mean + newest * (sum / count - mean)) as f32;
                }
            }
        }
        left
    }
}

/// Hour of the day; 24 more at the weekend. 1 January 1970 was a Thursday.
fn cell(at: Timestamp) -> usize {
    let hour = at.0.rem_euclid(DAY_MS) / HOUR_MS;
    let weekday = (at.0.div_euclid(DAY_MS) + 3).rem_euclid(7);
    usize::try_from(hour + if weekday >= 5 { 24 } else { 0 }).unwrap_or(0).min(CELLS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 March 2026, midnight: a Sunday.
    const SUNDAY: Timestamp = Timestamp(1_772_323_200_000);

    #[test]
    fn hours_and_weekends_have_cells_of_their_own() {
        let hours = |hours: i64| Timestamp(SUNDAY.0 + hours * HOUR_MS);

        assert_eq!([cell(hours(0)), cell(hours(13)), cell(hours(24 + 13))], [24, 37, 13]);
        assert_eq!(cell(Timestamp(-1)), 23, "before 1970");
    }

    #[test]
    fn a_daily_rhythm_is_explained_after_some_days() {
        let mut profile = Profile::default();
        let mut left = 0.0;
        for quarter in 0..96 * 21 {
            let hour = f64::from(quarter / 4 % 24);
            let deviation = (hour / 24.0 * std::f64::consts::TAU).sin();
            left = profile.take(Timestamp(SUNDAY.0 + i64::from(quarter) * HOUR_MS / 4), deviation);
        }

        assert!(profile.reliability() > 0.95, "{}", profile.reliability());
        assert!(left.abs() < 0.05, "{left}");
    }
}
