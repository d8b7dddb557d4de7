//! How abnormal is this sample? A forecaster's answer becomes a score.
//!
//! A model is shown the window *before* a sample and answers with the 5 %, 50 % and 95 % quantiles
//! of what should come, in the window's own scale. The sample's distance from the middle, in half
//! widths of that band, is compared with the distances that this very point has had before: with an
//! exponential tail of that mean, `p = exp(-z / mean)` is the chance of a distance at least as large,
//! and the score is `1 - p`. Each sample is judged by what came before it alone.

use std::time::Duration;

use crate::reading::Timestamp;
use crate::window::{Normal, Samples};

/// Samples that must have been scored before a point may say that something is wrong.
const LEARNING: u32 = 64;

/// Weight of the newest distance in the running mean.
const NEWEST: f64 = 0.02;

/// Narrowest half band, in scales of the window: a model that is too sure of itself is not believed.
const NARROWEST: f64 = 0.25;

/// One point under a model's eyes.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Position of the point in its device type.
    pub point: usize,
    samples: Samples,
    waiting: Option<Waiting>,
    distance: f64,
    scored: u32,
    /// What the newest answered sample came to.
    pub verdict: Option<Verdict>,
}

/// A sample whose question is on its way.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Waiting {
    at: Timestamp,
    value: f64,
    normal: Normal,
}

/// What a model's answer says of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    pub at: Timestamp,
    pub observed: f64,
    /// The band that the model expected.
    pub expected: (f64, f64),
    /// 0..1; 0 while the point is being learnt.
    pub score: f64,
}

impl Series {
    pub fn new(point: usize, window: usize, every: Duration) -> Self {
        Self {
            point,
            samples: Samples::new(window, every),
            waiting: None,
            distance: 1.0,
            scored: 0,
            verdict: None,
        }
    }

    /// Takes a good reading; true when `features` got a window that the model should see.
    pub fn handle(&mut self, at: Timestamp, value: f64, features: &mut Vec<f32>) -> bool {
        if !self.samples.is_due(at) {
            return false;
        }
        let asks = self.samples.is_full() && self.waiting.is_none();
        if asks {
            let normal = self.samples.features(features);
            self.waiting = Some(Waiting { at, value, normal });
        }
        self.samples.push(at, value);
        asks
    }

    /// Takes the model's answer; `quantiles` are the 5 %, 50 % and 95 % of the sample asked about.
    pub fn handle_answer(&mut self, quantiles: &[f32]) -> Option<Verdict> {
        let Waiting { at, value, normal } = self.waiting.take()?;
        let &[low, middle, high] = quantiles else { return None };
        let [low, middle, high] = [low, middle, high].map(f64::from);
        if ![low, middle, high].iter().all(|q| q.is_finite()) {
            return None;
        }
        let sample = (value - normal.centre) / normal.scale;
        let half = if sample >= middle { high - middle } else { middle - low }.max(NARROWEST);
        let distance = (sample - middle).abs() / half;
        let tail = (-distance / self.distance).exp();
        let score = if self.scored < LEARNING { 0.0 } else { 1.0 - tail };
        self.learn(distance);
        let back = |q: f64| q * normal.scale + normal.centre;
        let verdict = Verdict { at, observed: value, expected: (back(low), back(high)), score };
        self.verdict = Some(verdict);
        Some(verdict)
    }

    /// Whether a question about it is on its way.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// The question was not answered; the next sample may ask again.
    pub fn give_up(&mut self) {
        self.waiting = None;
    }

    /// The clock that times the samples was set.
    pub fn shift(&mut self, to: impl Fn(Timestamp) -> Timestamp) {
        self.samples.shift(&to);
        self.waiting = self.waiting.map(|w| Waiting { at: to(w.at), ..w });
        self.verdict = self.verdict.map(|v| Verdict { at: to(v.at), ..v });
    }

    /// An outlier moves the mean by at most five times itself: one bad hour does not make the next
    /// one look normal.
    fn learn(&mut self, distance: f64) {
        let weight = NEWEST.max(1.0 / f64::from(self.scored + 1));
        let bounded = if self.scored < LEARNING / 2 {
            distance.min(20.0)
        } else {
            distance.min(5.0 * self.distance)
        };
        self.distance = (self.distance + weight * (bounded - self.distance)).max(1e-3);
        self.scored = self.scored.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(series: &mut Series, values: impl IntoIterator<Item = f64>) -> Vec<f64> {
        let mut features = Vec::new();
        let mut scores = Vec::new();
        for (i, value) in (0..).zip(values) {
            if series.handle(Timestamp(i * 1_000), value, &mut features) {
                let verdict = series.handle_answer(&[-1.0, 0.0, 1.0]).unwrap();
                scores.push(verdict.score);
            }
        }
        scores
    }

    fn noise(count: u32) -> impl Iterator<Item = f64> {
        (0..count).map(|i| 20.0 + f64::from(i * 7919 % 101) / 50.0 - 1.0)
    }

    #[test]
    fn a_sample_far_out_of_the_band_scores_high_once_the_point_is_known() {
        let mut series = Series::new(0, 32, Duration::ZERO);
        let calm = fed(&mut series, noise(200));
        let mut known = series.clone();
        let mut features = Vec::new();
        known.handle(Timestamp(300_000), 60.0, &mut features);
        let verdict = known.handle_answer(&[-1.0, 0.0, 1.0]).unwrap();

        assert!(calm.iter().all(|score| *score < 0.999), "{calm:?}");
        assert!(verdict.score > 0.999_99, "{verdict:?}");
        assert!(verdict.expected.0 > 15.0 && verdict.expected.1 < 25.0, "{verdict:?}");
    }

    #[test]
    fn a_point_that_is_still_learnt_accuses_nobody() {
        let mut series = Series::new(0, 32, Duration::ZERO);

        let scores = fed(&mut series, noise(32).chain([1e30, -1e30, 0.0]));

        assert_eq!(scores, [0.0; 3]);
    }

    #[test]
    fn an_answer_that_is_no_number_is_no_verdict() {
        let mut series = Series::new(0, 4, Duration::ZERO);
        let mut features = Vec::new();
        for i in 0..5 {
            series.handle(Timestamp(i), 1.0, &mut features);
        }

        assert_eq!(series.handle_answer(&[f32::NAN, 0.0, 1.0]), None);
        assert_eq!(series.handle_answer(&[-1.0, 0.0, 1.0]), None, "nothing was waiting");
    }
}
