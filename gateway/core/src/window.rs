//! What a point did lately: enough of the past for rules (`rate`, `mean`).
//!
//! Good readings come in from [`crate::admission`]; [`crate::detect`] reads the features. Memory is
//! bounded by count as well as by time, so that a device that talks too fast costs no more.

use std::collections::VecDeque;
use std::time::Duration;

use crate::reading::Timestamp;

/// Readings that a [`Recent`] keeps at most.
const MOST: usize = 128;

/// How far back rules look.
pub const LOOK_BACK: Duration = Duration::from_mins(5);

/// A rate over less than this says more about the network than about the point.
const SHORTEST: Duration = Duration::from_secs(5);

/// The last five minutes of one point.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recent {
    values: VecDeque<(Timestamp, f64)>,
}

impl Recent {
    pub fn push(&mut self, at: Timestamp, value: f64) {
        while self.values.len() >= MOST
            || self.values.front().is_some_and(|(then, _)| at.since(*then) > LOOK_BACK)
        {
            self.values.pop_front();
        }
        self.values.push_back((at, value));
    }

    /// Nothing is known of the past.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Change a minute: the slope of the least-squares line; 0 within the first seconds.
    pub fn rate(&self) -> f64 {
        let (Some(&(start, _)), Some(&(end, _))) = (self.values.front(), self.values.back()) else {
            return 0.0;
        };
        if end.since(start) < SHORTEST {
            return 0.0;
        }
        let count = self.values.len() as f64;
        let minutes = |at: Timestamp| at.since(start).as_secs_f64() / 60.0;
        let mean_t = self.values.iter().map(|(at, _)| minutes(*at)).sum::<f64>() / count;
        let mean_v = self.mean();
        let (mut above, mut below) = (0.0, 0.0);
        for (at, value) in &self.values {
            let dt = minutes(*at) - mean_t;
            above += dt * (value - mean_v);
            below += dt * dt;
        }
        if below > 0.0 { above / below } else { 0.0 }
    }

    /// Mean of the readings; NaN when there is none.
    pub fn mean(&self) -> f64 {
        self.values.iter().map(|(_, value)| value).sum::<f64>() / self.values.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp(0) + Duration::from_secs(seconds)
    }

    #[test]
    fn a_steady_rise_has_its_rate_a_minute() {
        let mut recent = Recent::default();
        for i in 0..10_u32 {
            recent.push(at(u64::from(i) * 10), f64::from(i));
        }

        assert!((recent.rate() - 6.0).abs() < 1e-9, "{}", recent.rate());
        assert!((recent.mean() - 4.5).abs() < 1e-9);
    }

    #[test]
    fn the_past_is_bounded_by_time_and_by_count() {
        let mut slow = Recent::default();
        slow.push(at(0), 100.0);
        slow.push(at(301), 1.0);
        let mut fast = Recent::default();
        for i in 0..10_000 {
            fast.push(Timestamp(i), 1.0);
        }

        assert!((slow.mean() - 1.0).abs() < 1e-9);
        assert_eq!(fast.values.len(), MOST);
    }
}
