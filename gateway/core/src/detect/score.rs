//! One point under the general detector's eyes: which readings are its samples, and what they came to.
//!
//! Good readings come in from [`super::bound`]; [`super::anomaly`] judges them. A model's answers come
//! in by the number of the sample that they were asked at.

use std::time::Duration;

use super::anomaly::{Detector, Judgement, Witness, score_of};
use crate::community::calendar::Calendar;
use crate::reading::Timestamp;

/// One point under watch.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Position of the point in its device type.
    pub point: usize,
    every: Duration,
    last: Option<Timestamp>,
    /// Absent until the first sample comes: it is large, and many a device is configured and never speaks.
    detector: Option<Box<Detector>>,
    /// What the newest sample came to.
    pub verdict: Option<Verdict>,
}

/// What is said of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    pub at: Timestamp,
    pub observed: f64,
    pub judgement: Judgement,
}

impl Verdict {
    /// 0..1; 0 while the point is being learnt.
    pub fn score(&self) -> f64 {
        score_of(self.judgement.abnormality)
    }

    /// The witness that says most.
    pub fn loudest(&self) -> Option<Witness> {
        self.judgement.loudest
    }
}

impl Series {
    pub fn new(point: usize, every: Duration) -> Self {
        Self { point, every, last: None, detector: None, verdict: None }
    }

    /// Takes a good reading. `None` when it is no sample; else whether, and at which sample, `features`
    /// got something that the model should see. An event opens from the abnormality `threshold` on.
    pub fn handle(
        &mut self,
        at: Timestamp,
        value: f64,
        threshold: f64,
        calendar: Option<&Calendar>,
        features: &mut Vec<f32>,
    ) -> Option<Option<u64>> {
        if !self.is_due(at) || !value.is_finite() {
            return None;
        }
        self.last = Some(at);
        let detector = self.detector.get_or_insert_default();
        let (judgement, asks) = detector.take(at, value, threshold, calendar, features);
        self.verdict = Some(Verdict { at, observed: value, judgement });
        Some(asks.then(|| detector.samples()))
    }

    /// Whether an event that `fixed` would have let open was held back, told once and afterwards.
    pub fn was_held_back(&mut self, fixed: f64) -> bool {
        let Self { detector: Some(detector), verdict: Some(verdict), .. } = self else {
            return false;
        };
        detector.was_held_back(&verdict.judgement, fixed)
    }

    /// Takes the model's quantiles of the sample after number `asked_at`.
    pub fn handle_answer(&mut self, asked_at: u64, quantiles: &[f32]) -> bool {
        self.detector.as_mut().is_some_and(|detector| detector.answer(asked_at, quantiles))
    }

    /// The question was not answered; the next sample may ask again.
    pub fn give_up(&mut self) {
        if let Some(detector) = &mut self.detector {
            detector.give_up();
        }
    }

    /// What opened was nothing: it did not last for as long as it should.
    pub fn retract(&mut self) {
        if let Some(detector) = &mut self.detector {
            detector.retract();
        }
    }

    /// Whether there are too few samples to tell anything.
    pub fn is_learning(&self) -> bool {
        self.detector.as_ref().is_none_or(|detector| detector.is_learning())
    }

    /// The usual distance of samples, in seconds; 0 until known.
    pub fn interval(&self) -> f64 {
        self.detector.as_ref().map_or(0.0, |detector| detector.interval())
    }

    /// What it knows, as bytes for the disk.
    pub fn remember(&self) -> Vec<u8> {
        self.detector.as_ref().map_or_else(|| Detector::default().remember(), |d| d.remember())
    }

    /// Goes on from what was kept; false when it cannot be read.
    pub fn recall(&mut self, bytes: &[u8]) -> bool {
        let Some(detector) = Detector::recall(bytes) else { return false };
        self.last = detector.last();
        self.detector = Some(Box::new(detector));
        true
    }

    /// Goes on from what was learnt under an earlier configuration.
    pub fn inherit(&mut self, before: Self) {
        *self = Self { point: self.point, every: self.every, ..before };
    }

    /// The clock that times the samples was set.
    pub fn shift(&mut self, to: impl Fn(Timestamp) -> Timestamp) {
        self.last = self.last.map(&to);
        if let Some(detector) = &mut self.detector {
            detector.shift(&to);
        }
        self.verdict = self.verdict.map(|v| Verdict { at: to(v.at), ..v });
    }

    /// Time that goes back was set back: what was admitted counts, from there on.
    fn is_due(&self, at: Timestamp) -> bool {
        self.last.is_none_or(|last| at < last || at.since(last) >= self.every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_keep_their_distance() {
        let mut series = Series::new(0, Duration::from_mins(1));
        let mut take = |seconds: i64, value| {
            series.handle(Timestamp(seconds * 1000), value, 2.6, None, &mut Vec::new()).is_some()
        };

        assert!(take(0, 1.0));
        assert!(!take(59, 1.0), "too soon");
        assert!(take(60, 1.0));
        assert!(!take(120, f64::NAN), "no number");
        assert!(take(121, 1.0));
        assert!(take(30, 1.0), "the clock was set back");
        assert!(take(90, 1.0));
    }

    #[test]
    fn two_readings_of_one_moment_are_two_samples_where_each_reading_counts() {
        let mut series = Series::new(0, Duration::ZERO);
        let mut features = Vec::new();

        assert_eq!(series.handle(Timestamp(0), 1.0, 2.6, None, &mut features), Some(None));
        assert_eq!(series.handle(Timestamp(0), 2.0, 2.6, None, &mut features), Some(None));
        assert!(series.is_learning() && features.is_empty());
    }
}
