//! The seven statistics of a sample: how far, how new, how unexpected, each in its own unit.
//!
//! Levels are measured in mean absolute deviations from the long median, as they are and after the
//! daily profile; shapes in ranges seen so far; residuals in normal scores of the forecast.

use super::constants::{
    BLOCK, BLOCK_SHAPE, BLOCKS_EXACT, BURST, BURST_FALL, DEVIATION_TAU, EXACT, GAP, HOLD, LARGEST,
    LONG, MEDIAN_EVERY, READY, RESIDUAL_MEAN, RESIDUAL_SIZE, SHAPE, SHAPE_GAIN, SHORT, STEP,
    USUAL_BAND,
};
use super::forecast::{Forecast, Scale, inputs};
use super::novelty::{Frame, novelty};
use super::profile::Profile;
use super::ring::{Past, Ring};
use super::{INPUTS, WITNESSES};
use crate::community::calendar::Calendar;
use crate::reading::Timestamp;

/// What each witness says; `None` as long as it cannot tell.
pub(super) type Statement = [Option<f64>; WITNESSES];

/// The point's past, as far as the witnesses need it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Witnesses {
    /// Samples taken.
    pub(super) count: u64,
    pub(super) raw: Past,
    /// Deviations that the profile does not explain.
    pub(super) left: Ring,
    /// Means of four samples.
    pub(super) blocks: Past,
    pub(super) block: f64,
    /// Normal scores of what was forecast.
    pub(super) residuals: Ring,
    pub(super) median: f64,
    /// Sum of absolute deviations and its weight, fading.
    pub(super) deviation: [f64; 2],
    pub(super) range: Option<[f64; 2]>,
    pub(super) block_range: Option<[f64; 2]>,
    pub(super) block_novelty: Option<f64>,
    pub(super) profile: Profile,
    pub(super) last: Option<Timestamp>,
    /// The usual distance of samples, in seconds; 0 until known.
    pub(super) interval: f64,
    /// Samples since the last gap: what looks further back would see the gap, not the point.
    pub(super) since_gap: u64,
}

impl Default for Witnesses {
    fn default() -> Self {
        Self {
            count: 0,
            raw: Past::new(EXACT),
            left: Ring::new(2 * STEP),
            blocks: Past::new(BLOCKS_EXACT),
            block: 0.0,
            residuals: Ring::new(RESIDUAL_SIZE),
            median: 0.0,
            deviation: [0.0; 2],
            range: None,
            block_range: None,
            block_novelty: None,
            profile: Profile::default(),
            last: None,
            interval: 0.0,
            since_gap: 0,
        }
    }
}

impl Witnesses {
    /// Takes a sample in and says what it is like; `forecast` was made before it.
    pub(super) fn take(
        &mut self,
        at: Timestamp,
        value: f64,
        forecast: Option<&Forecast>,
        calendar: Option<&Calendar>,
    ) -> Statement {
        let value = self.held(value);
        // As it is remembered: a sample that is its own median has no deviation.
        #[expect(clippy::cast_possible_truncation, reason = "memory is kept as f32")]
        let value = f64::from(value as f32);
        self.since_gap = if self.is_gap(at) { 1 } else { self.since_gap + 1 };
        if let Some(forecast) = forecast {
            self.residuals.push(forecast.normal_score(value));
        }
        // The median is that of the past, without this sample.
        if self.count == 0 {
            self.median = value;
        } else if self.count.is_multiple_of(MEDIAN_EVERY) {
            self.median = self.raw.median();
        }
        let deviation = value - self.median;
        let [sum, weight] = self.deviation;
        let mean = if weight > 0.0 { sum / weight } else { 0.0 };
        let scale = mean.max(1e-12 + 1e-9 * value.abs());
        let keep = 1.0 - 1.0 / DEVIATION_TAU;
        self.deviation = [sum * keep + deviation.abs(), weight * keep + 1.0];
        self.left.push(self.profile.take(at, deviation, calendar));
        self.raw.push(value);
        self.count += 1;
        let range = widen(&mut self.range, value);
        self.take_into_block(value);

        let mut says = [None; WITNESSES];
        let sees = |width: usize| self.since_gap >= width as u64;
        if self.count > 2 * STEP as u64 {
            let level = |width| {
                let raw = (self.raw.mean(width, 0) - self.median).abs();
                0.5 * (raw + self.left.mean(width, 0).abs()) / scale
            };
            let step = |mean: &dyn Fn(usize) -> f64| (mean(0) - mean(STEP)).abs();
            says[0] = sees(SHORT).then(|| level(SHORT));
            says[1] = sees(LONG).then(|| level(LONG));
            says[2] = sees(2 * STEP).then(|| {
                let raw = step(&|back| self.raw.mean(STEP, back));
                0.5 * (raw + step(&|back| self.left.mean(STEP, back))) / scale
            });
        }
        if self.count > 2 * SHAPE as u64 && sees(SHAPE) {
            says[3] = Some(SHAPE_GAIN * novelty(&self.raw, SHAPE, self.frame(range)));
        }
        says[4] = self.block_novelty.filter(|_| sees(BLOCK_SHAPE * 4));
        if forecast.is_some() && self.residuals.len() == RESIDUAL_SIZE {
            let size = self.residuals.iter().map(f64::abs).sum::<f64>() / RESIDUAL_SIZE as f64;
            says[5] = Some(self.residuals.mean(RESIDUAL_MEAN, 0).abs());
            says[6] = Some((size - 1.0).abs());
        }
        self.note_interval(at);
        says
    }

    /// What the network is to be shown about the sample after the newest one.
    pub(super) fn question(&self, calendar: Option<&Calendar>) -> Option<(Scale, [f32; INPUTS])> {
        let now = self.last?;
        #[expect(clippy::cast_possible_truncation, reason = "a bounded number of milliseconds")]
        let next = Timestamp(now.0.saturating_add((self.interval * 1000.0) as i64));
        let usual = [now, next].map(|at| self.median + self.profile.at(at, calendar));
        inputs(&self.raw, usual, self.profile.reliability())
    }

    /// 5 %, 50 % and 95 % of what is usual at that time of day.
    pub(super) fn usual(&self, at: Timestamp, calendar: Option<&Calendar>) -> [f64; 3] {
        let middle = self.median + self.profile.reliability() * self.profile.at(at, calendar);
        let half = USUAL_BAND * self.deviation[0] / self.deviation[1].max(1.0);
        [middle - half, middle, middle + half]
    }

    /// The clock that times the samples was set.
    pub(super) fn shift(&mut self, to: impl Fn(Timestamp) -> Timestamp) {
        self.last = self.last.map(to);
    }

    /// The value, but not absurdly far out of the range seen so far.
    fn held(&self, value: f64) -> f64 {
        let value = value.clamp(-LARGEST, LARGEST);
        match self.range {
            Some([low, high]) if high > low && self.count as f64 >= READY => {
                let span = HOLD * (high - low);
                value.clamp(low - span, high + span)
            }
            Some(_) | None => value,
        }
    }

    /// Whether a sample at that time comes so late that it is not the one forecast.
    pub(super) fn is_gap(&self, at: Timestamp) -> bool {
        self.last.is_some_and(|last| at.since(last).as_secs_f64() > GAP * self.interval)
    }

    fn take_into_block(&mut self, value: f64) {
        self.block += value / BLOCK as f64;
        if !self.count.is_multiple_of(BLOCK) {
            return;
        }
        let block = std::mem::take(&mut self.block);
        let range = widen(&mut self.block_range, block);
        self.blocks.push(block);
        if self.blocks.len() > 2 * BLOCK_SHAPE {
            self.block_novelty =
                Some(SHAPE_GAIN * novelty(&self.blocks, BLOCK_SHAPE, self.frame(range)));
        }
    }

    fn frame(&self, [low, high]: [f64; 2]) -> Frame {
        Frame { median: self.median, low, high }
    }

    /// The interval follows a shorter one at once and a longer one slowly: losses do not look like a
    /// slower sensor. Nor does a burst of what was held back look like a quicker one.
    fn note_interval(&mut self, at: Timestamp) {
        if let Some(last) = self.last.filter(|last| at > *last) {
            let since = at.since(last).as_secs_f64();
            self.interval = if self.interval <= 0.0 {
                since
            } else if since * BURST < self.interval {
                self.interval * BURST_FALL
            } else {
                since.min(self.interval * 1.05)
            };
        }
        self.last = Some(at);
    }
}

fn widen(range: &mut Option<[f64; 2]>, value: f64) -> [f64; 2] {
    let [low, high] = range.unwrap_or([value; 2]);
    let wider = [low.min(value), high.max(value)];
    *range = Some(wider);
    wider
}
