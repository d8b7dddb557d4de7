//! What is usual at this hour, on a working day or a day of rest, and how far that explains the point.
//!
//! Hours and days are the community's own where it has a calendar: a holiday is a day of rest, and a
//! Saturday on which people work is none.

use super::constants::{CELL_NEWEST, CELLS, PROFILE_DECAY};
use crate::community::calendar::Calendar;
use crate::reading::Timestamp;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Mean deviation from the long median per hour of the day, working days and days of rest apart.
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
    pub(super) fn at(&self, at: Timestamp, calendar: Option<&Calendar>) -> f64 {
        f64::from(self.means[cell(at, calendar)])
    }

    /// What is left of a deviation after the profile; then learns it.
    #[expect(clippy::cast_possible_truncation, reason = "memory is kept as f32")]
    pub(super) fn take(
        &mut self,
        at: Timestamp,
        deviation: f64,
        calendar: Option<&Calendar>,
    ) -> f64 {
        let cell = cell(at, calendar);
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

/// Hour of the day; 24 more on days of rest. Without a calendar those of UTC and weekends.
fn cell(at: Timestamp, calendar: Option<&Calendar>) -> usize {
    let moment = calendar.and_then(|calendar| calendar.at(at));
    #[expect(clippy::cast_possible_truncation, reason = "0 to below 24")]
    let (hour, is_rest) = match moment {
        Some(moment) => (moment.hour as i64, !moment.business_day),
        // 1 January 1970 was a Thursday.
        None => {
            (at.0.rem_euclid(DAY_MS) / HOUR_MS, (at.0.div_euclid(DAY_MS) + 3).rem_euclid(7) >= 5)
        }
    };
    usize::try_from(hour + if is_rest { 24 } else { 0 }).unwrap_or(0).min(CELLS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 March 2026, midnight: a Sunday.
    const SUNDAY: Timestamp = Timestamp(1_772_323_200_000);

    #[test]
    fn hours_and_weekends_have_cells_of_their_own() {
        let hours = |hours: i64| Timestamp(SUNDAY.0 + hours * HOUR_MS);

        let cells = [0, 13, 24 + 13].map(|hour| cell(hours(hour), None));
        assert_eq!(cells, [24, 37, 13]);
        assert_eq!(cell(Timestamp(-1), None), 23, "before 1970");
    }

    #[test]
    fn a_community_rests_and_works_by_its_own_calendar() {
        let calendar: Calendar = toml::from_str(
            r#"
            time-zone = "+08:00"
            holidays = ["2026-03-04"]
            working-days = ["2026-03-07"]
            "#,
        )
        .unwrap();
        let at = |text: &str| cell(text.parse().unwrap(), Some(&calendar));

        assert_eq!(at("2026-03-02T07:59:00+08:00"), 7, "a Monday, and still Sunday in UTC");
        assert_eq!(at("2026-03-04T07:59:00+08:00"), 31, "a holiday");
        assert_eq!(at("2026-03-07T23:59:00+08:00"), 23, "a Saturday that is worked");
        assert_eq!(at("2026-03-08T00:00:00+08:00"), 24);
    }

    #[test]
    fn a_daily_rhythm_is_explained_after_some_days() {
        let mut profile = Profile::default();
        let mut left = 0.0;
        for quarter in 0..96 * 21 {
            let hour = f64::from(quarter / 4 % 24);
            let deviation = (hour / 24.0 * std::f64::consts::TAU).sin();
            let at = Timestamp(SUNDAY.0 + i64::from(quarter) * HOUR_MS / 4);
            left = profile.take(at, deviation, None);
        }

        assert!(profile.reliability() > 0.95, "{}", profile.reliability());
        assert!(left.abs() < 0.05, "{left}");
    }
}
