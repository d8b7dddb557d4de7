//! Early warning: how sure it is that a point passes its limit within the next samples.
//!
//! Good readings come in from [`super::bound`]. A full window becomes [`INPUTS`] numbers for the model
//! `limit-forecast`, whose answer, quantiles of the largest of the next samples, [`crossing`] turns into
//! a probability. A lower limit is an upper limit of the mirrored values. What each input means and how
//! well the probabilities come true stands in `models/limit-forecast/card.md`.

pub mod crossing;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::reading::Timestamp;

/// The model's name in `models/`.
pub const MODEL: &str = "limit-forecast";
/// Samples that the model is shown.
pub const WINDOW: usize = 32;
/// Numbers that it takes: the window, and seven about the point's level, spread and hour.
pub const INPUTS: usize = WINDOW + 7;
/// Numbers that it answers.
pub const OUTPUTS: usize = crossing::HORIZONS.len() * crossing::QUANTILES.len();
/// The farthest that it looks ahead, in samples.
pub const FARTHEST: f64 = 6.0;

/// Memory of the long run, in samples: a month of hours.
const LONG: f64 = 720.0;
/// Inputs in scales are held within this.
const CLAMP: f64 = 20.0;
/// Ratios of scales are held within these.
const RATIO: (f64, f64) = (0.05, 50.0);
/// After a window of samples one goes at most so many usual steps: what goes farther is a glitch, and
/// does not move what is usual by more than a fifth.
const REACH: f64 = 64.0;
/// Steps of a window that are not asked what is usual: a glitch has two.
const STRAYS: usize = 2;
/// So many samples may be missing and stand in as the one before; after more the window begins anew.
const MISSING: u32 = 3;

/// Which side of the limit is abnormal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Above,
    Below,
}

impl Side {
    fn sign(self) -> f64 {
        match self {
            Self::Above => 1.0,
            Self::Below => -1.0,
        }
    }
}

/// One point on its way to a limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    every: Duration,
    last: Option<Timestamp>,
    /// The newest samples, oldest first.
    window: VecDeque<f64>,
    /// The newest sample, as far as it is believed.
    held: Option<f64>,
    /// Running mean, mean absolute deviation and mean absolute step of the long run.
    mean: f64,
    deviation: f64,
    step: f64,
    count: u64,
    /// A question is out that was not answered yet.
    pub is_waiting: bool,
    /// What the newest answer came to.
    pub forecast: Option<Forecast>,
}

/// What is kept of a point over a restart.
#[derive(Serialize, Deserialize)]
struct Seen {
    every_ms: u128,
    last: Timestamp,
    window: Vec<f64>,
    long: [f64; 3],
    count: u64,
}

/// What is expected of the horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// That the limit is passed, 0..1.
    pub probability: f64,
    /// 5 % and 95 % of the value farthest to the limit's side, in the point's unit.
    pub band: (f64, f64),
}

impl Outlook {
    /// A point whose samples lie `every` apart.
    pub fn new(every: Duration) -> Self {
        Self {
            every,
            last: None,
            window: VecDeque::with_capacity(WINDOW),
            held: None,
            mean: 0.0,
            deviation: 0.0,
            step: 0.0,
            count: 0,
            is_waiting: false,
            forecast: None,
        }
    }

    /// Takes a good reading; true when it is a sample.
    pub fn take(&mut self, at: Timestamp, value: f64) -> bool {
        if !value.is_finite() || !self.is_due(at) {
            return false;
        }
        self.fill_gap(at);
        self.last = Some(at);
        self.push(value);
        true
    }

    /// The number of the newest sample; an answer belongs to the one that it was asked at.
    pub fn samples(&self) -> u64 {
        self.count
    }

    /// What the model should see; `hour` is that of the day where the point is, 0..24, if known. `None`
    /// while the window is not full.
    #[expect(clippy::cast_possible_truncation, reason = "the model takes 32-bit floats")]
    pub fn inputs(&self, side: Side, hour: Option<f64>) -> Option<[f32; INPUTS]> {
        let (last, scale) = self.scale()?;
        let sign = side.sign();
        let within = |value: f64| (sign * value / scale).clamp(-CLAMP, CLAMP);
        let ratio = |value: f64| (value / scale).clamp(RATIO.0, RATIO.1).ln();
        let far = (last.abs() / scale).min(CLAMP) / 4.0;
        let angle = hour.map(|hour| hour * std::f64::consts::TAU / 24.0);
        let mut inputs = [0.0; INPUTS];
        for (input, value) in inputs.iter_mut().zip(&self.window) {
            *input = within(value - last) as f32;
        }
        let others = [
            far * sign * last.signum(),
            far,
            within(self.mean - last) / 2.0,
            ratio(self.deviation),
            ratio(self.step),
            angle.map_or(0.0, f64::sin),
            angle.map_or(0.0, f64::cos),
        ];
        for (input, value) in inputs[WINDOW..].iter_mut().zip(others) {
            *input = value as f32;
        }
        Some(inputs)
    }

    /// Takes the model's answer to sample number `asked_at`; false when it is not about the newest, or
    /// has no such form. `ahead` is how far to look, in samples.
    pub fn answer(
        &mut self,
        asked_at: u64,
        outputs: &[f32],
        side: Side,
        limit: f64,
        ahead: f64,
    ) -> bool {
        let Some((last, scale)) = self.scale().filter(|_| asked_at == self.count) else {
            return false;
        };
        let sign = side.sign();
        let Some(tops) = crossing::Tops::new(outputs) else { return false };
        let probability = tops.probability(sign * (limit - last) / scale, ahead);
        let (low, high) = tops.band(ahead);
        let value = |scaled: f64| last + sign * scaled * scale;
        let (a, b) = (value(low), value(high));
        self.forecast = Some(Forecast { probability, band: (a.min(b), a.max(b)) });
        true
    }

    /// What it has seen, as JSON for the disk; `None` before the first sample.
    pub fn remember(&self) -> Option<Vec<u8>> {
        let seen = Seen {
            every_ms: self.every.as_millis(),
            last: self.last?,
            window: self.window.iter().copied().collect(),
            long: [self.mean, self.deviation, self.step],
            count: self.count,
        };
        serde_json::to_vec(&seen).ok()
    }

    /// Goes on from what was kept; false when it cannot be read or its samples lay otherwise apart.
    pub fn recall(&mut self, json: &[u8]) -> bool {
        let Ok(seen) = serde_json::from_slice::<Seen>(json) else { return false };
        let is_usable = seen.every_ms == self.every.as_millis()
            && seen.window.len() <= WINDOW
            && seen.window.iter().chain(&seen.long).all(|value| value.is_finite());
        if is_usable {
            self.last = Some(seen.last);
            self.held = seen.window.last().copied();
            self.window = seen.window.into();
            [self.mean, self.deviation, self.step] = seen.long;
            self.count = seen.count;
        }
        is_usable
    }

    /// The clock that times the samples was set.
    pub fn shift(&mut self, to: impl Fn(Timestamp) -> Timestamp) {
        self.last = self.last.map(to);
    }

    /// Time that goes back was set back: what was admitted counts, from there on.
    fn is_due(&self, at: Timestamp) -> bool {
        self.last.is_none_or(|last| at < last || at.since(last) >= self.every)
    }

    fn fill_gap(&mut self, at: Timestamp) {
        let (Some(last), Some(value)) = (self.last, self.window.back().copied()) else { return };
        let gap = at.since(last);
        // Half a distance of jitter is none.
        if gap > self.every * (MISSING + 1) + self.every / 2 {
            self.window.clear();
            self.held = None;
            return;
        }
        let mut filled = self.every + self.every / 2;
        while filled < gap {
            self.push(value);
            filled += self.every;
        }
    }

    fn push(&mut self, value: f64) {
        let reach = self.reach();
        let before = self.held.replace(value);
        let held = before.map_or(value, |before| value.clamp(before - reach, before + reach));
        self.held = Some(held);
        self.count += 1;
        #[expect(clippy::cast_precision_loss, reason = "below 720 where it matters")]
        let gain = 1.0 / (self.count as f64).min(LONG);
        if self.count == 1 {
            self.mean = held;
        } else {
            self.mean += gain * (held - self.mean);
        }
        self.deviation += gain * ((held - self.mean).abs() - self.deviation);
        if let Some(before) = before {
            self.step += gain * ((held - before).abs() - self.step);
        }
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(value);
    }

    /// The steps of the window, regardless of their direction.
    fn steps(&self) -> impl Iterator<Item = f64> + '_ {
        self.window.iter().zip(self.window.iter().skip(1)).map(|(a, b)| (b - a).abs())
    }

    /// The farthest that one step is believed to go; infinite while too little is known.
    fn reach(&self) -> f64 {
        if self.count < WINDOW as u64 {
            return f64::INFINITY;
        }
        let mut steps: Vec<f64> = self.steps().collect();
        steps.sort_by(f64::total_cmp);
        steps.truncate(steps.len().saturating_sub(STRAYS));
        #[expect(clippy::cast_precision_loss, reason = "29 at most")]
        let lately = steps.iter().sum::<f64>() / steps.len().max(1) as f64;
        match REACH * lately.max(self.step) {
            reach if reach > 0.0 => reach,
            _ => f64::INFINITY,
        }
    }

    /// The newest sample, and how the point moves in a step, now and usually.
    fn scale(&self) -> Option<(f64, f64)> {
        let last = *self.window.back().filter(|_| self.window.len() == WINDOW)?;
        let reach = self.reach();
        let squares: f64 = self.steps().map(|step| step.min(reach) * step.min(reach)).sum();
        #[expect(clippy::cast_precision_loss, reason = "31")]
        let now = squares / (WINDOW - 1) as f64;
        let usual = 1.25 * self.step;
        let scale = (0.5 * now + 0.5 * usual * usual).sqrt();
        let floor = (0.02 * self.deviation).max(1e-4 * last.abs() + 1e-9);
        Some((last, scale.max(floor))).filter(|(_, scale)| scale.is_finite())
    }
}

#[cfg(test)]
mod tests;
