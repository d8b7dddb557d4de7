//! What a point did lately: enough of the past for rules (`rate`, `mean`) and models.
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

/// The last samples of one point at a fixed distance, as a model sees them.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    values: VecDeque<f64>,
    length: usize,
    every: Duration,
    last: Option<Timestamp>,
}

/// A window without its own position and scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normal {
    pub centre: f64,
    pub scale: f64,
}

impl Samples {
    /// `length` samples, at least `every` apart.
    pub fn new(length: usize, every: Duration) -> Self {
        Self { values: VecDeque::with_capacity(length), length, every, last: None }
    }

    /// Whether a reading of that time would be the next sample.
    pub fn is_due(&self, at: Timestamp) -> bool {
        self.last.is_none_or(|last| at > last && at.since(last) >= self.every)
    }

    pub fn is_full(&self) -> bool {
        self.values.len() == self.length
    }

    pub fn push(&mut self, at: Timestamp, value: f64) {
        if self.values.len() == self.length {
            self.values.pop_front();
        }
        self.values.push_back(value);
        self.last = Some(at);
    }

    /// The clock that times the samples was set.
    pub fn shift(&mut self, to: impl Fn(Timestamp) -> Timestamp) {
        self.last = self.last.map(to);
    }

    /// Appends the window to `features`, oldest first: `(x - centre) / scale`, cut at ±20.
    ///
    /// Centre is the median and scale 1.4826 times the median absolute deviation (which equals the
    /// standard deviation for normal noise), but at least a thousandth of the centre.
    pub fn features(&self, features: &mut Vec<f32>) -> Normal {
        let centre = median(self.values.iter().copied());
        let deviation = median(self.values.iter().map(|x| (x - centre).abs()));
        let scale = (1.4826 * deviation).max(1e-3 * centre.abs() + 1e-9);
        #[expect(clippy::cast_possible_truncation, reason = "models take f32")]
        features
            .extend(self.values.iter().map(|x| ((x - centre) / scale).clamp(-20.0, 20.0) as f32));
        Normal { centre, scale }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    if sorted.is_empty() {
        return 0.0;
    }
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
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

    #[test]
    fn samples_keep_their_distance_and_lose_their_scale() {
        let mut samples = Samples::new(4, Duration::from_secs(10));
        for (second, value) in [(0, 10.0), (10, 12.0), (20, 8.0), (30, 10.0)] {
            assert!(samples.is_due(at(second)));
            samples.push(at(second), value);
        }
        let mut features = Vec::new();
        let normal = samples.features(&mut features);

        assert!(!samples.is_due(at(39)));
        assert!(samples.is_full());
        assert_eq!(normal, Normal { centre: 10.0, scale: 1.4826 });
        assert_eq!(features[0].to_bits(), 0.0_f32.to_bits());
        assert!((features[1] - 1.349).abs() < 1e-3);
    }

    #[test]
    fn a_constant_series_gives_finite_features() {
        let mut samples = Samples::new(4, Duration::ZERO);
        for i in 0..4 {
            samples.push(at(i), 0.0);
        }
        let mut features = Vec::new();
        samples.features(&mut features);

        assert_eq!(features, [0.0; 4]);
    }
}
