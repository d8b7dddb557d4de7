//! A quarter of an hour, and what a point was in it.

use std::time::Duration;

use super::page;
use crate::reading::Timestamp;

/// How long a quarter is.
pub const LENGTH: Duration = Duration::from_mins(15);

const LENGTH_MS: i64 = 15 * 60 * 1_000;

/// A quarter of an hour of UTC: how many have passed since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quarter(pub i64);

impl Quarter {
    /// The one that a moment lies in.
    pub fn of(at: Timestamp) -> Self {
        Self(at.0.div_euclid(LENGTH_MS))
    }

    pub fn start(self) -> Timestamp {
        Timestamp(self.0.saturating_mul(LENGTH_MS))
    }

    /// The start of the next.
    pub fn end(self) -> Timestamp {
        self.next().start()
    }

    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// One point in one quarter. Its numbers are those of good readings, in the point's unit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Statistic {
    /// Readings that detectors saw.
    pub good: u32,
    /// Readings that had another quality.
    pub bad: u32,
    /// At most the smallest reading.
    pub min: f64,
    /// At least the largest one.
    pub max: f64,
    /// The newest.
    pub last: f64,
    pub(super) sum: f64,
}

impl Statistic {
    /// Notes a good reading.
    pub fn push(&mut self, value: f64) {
        if !value.is_finite() {
            return self.push_bad();
        }
        let is_first = self.good == 0;
        self.min = if is_first { value } else { self.min.min(value) };
        self.max = if is_first { value } else { self.max.max(value) };
        self.last = value;
        self.sum += value;
        self.good = self.good.saturating_add(1);
    }

    /// Notes a reading that no detector saw.
    pub fn push_bad(&mut self) {
        self.bad = self.bad.saturating_add(1);
    }

    /// Mean of the good readings; NaN when there is none.
    pub fn mean(&self) -> f64 {
        if self.good == 0 {
            return f64::NAN;
        }
        (self.sum / f64::from(self.good)).max(self.min).min(self.max)
    }

    /// A reading was this or more, whatever was lost in writing it down.
    pub fn surely_reached(&self) -> f64 {
        if self.min < self.max {
            page::decimal(page::nearest(self.max).next_down())
        } else {
            self.min
        }
    }

    /// A reading was this or less.
    pub fn surely_sank_to(&self) -> f64 {
        if self.min < self.max {
            page::decimal(page::nearest(self.min).next_up())
        } else {
            self.max
        }
    }

    /// Nothing was said.
    pub fn is_empty(&self) -> bool {
        self.good == 0 && self.bad == 0
    }

    /// Adds what came later in the same quarter.
    pub fn merge(&mut self, later: &Self) {
        self.bad = self.bad.saturating_add(later.bad);
        if later.good == 0 {
            return;
        }
        let is_first = self.good == 0;
        self.min = if is_first { later.min } else { self.min.min(later.min) };
        self.max = if is_first { later.max } else { self.max.max(later.max) };
        self.last = later.last;
        self.sum += later.sum;
        self.good = self.good.saturating_add(later.good);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Statistic {
        let mut statistic = Statistic::default();
        for value in values {
            statistic.push(*value);
        }
        statistic
    }

    #[test]
    fn quarters_are_those_of_the_clock_and_reach_before_1970() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let quarter = Quarter::of(at("2026-03-01T10:14:59.999Z"));

        assert_eq!(quarter.start(), at("2026-03-01T10:00:00Z"));
        assert_eq!(quarter.end(), at("2026-03-01T10:15:00Z"));
        assert_eq!(Quarter::of(quarter.end()), quarter.next());
        assert_eq!(Quarter::of(Timestamp(-1)), Quarter(-1));
        assert!(Quarter(i64::MAX).end() >= Quarter(i64::MAX).start(), "bounded");
    }

    #[test]
    fn what_is_no_number_is_no_good_reading() {
        let mut statistic = of(&[f64::NAN, 20.0, f64::INFINITY, 22.0]);
        statistic.push_bad();

        assert_eq!((statistic.good, statistic.bad), (2, 3));
        assert_eq!((statistic.min, statistic.max, statistic.last), (20.0, 22.0, 22.0));
        assert!((statistic.mean() - 21.0).abs() < 1e-9);
    }

    proptest::proptest! {
        #[test]
        fn two_parts_put_together_are_the_whole(
            values in proptest::collection::vec(-1e6..1e6_f64, 0..40),
            at in 0_usize..40,
        ) {
            let (before, after) = values.split_at(at.min(values.len()));
            let mut joined = of(before);
            joined.merge(&of(after));
            let whole = of(&values);

            proptest::prop_assert_eq!(
                (joined.good, joined.min, joined.max, joined.last),
                (whole.good, whole.min, whole.max, whole.last)
            );
            proptest::prop_assert!((joined.sum - whole.sum).abs() <= 1e-6);
        }
    }
}
