//! The points of one device, judged together: each may look normal while they do not fit each other.
//!
//! A row is one value per point at one time. Per point it is compared with a forecast and with a slow
//! reference, at three scales (this row, some 4 rows, some 16): a small deviation that stays is as
//! telling as a large one that is over at once. A deviation becomes a Student-t by the point's own
//! variance, with the fewer degrees of freedom the more the point wanders by itself, and that a normal
//! deviate. Per scale the deviates `u` give Hotelling's `T2 = u' Q u`, where `Q` is the inverse of
//! their shrunk correlations, and the largest deviate of a point *given the others*. The most unlikely
//! of these is the joint score.
//!
//! Leaving a point out lowers `T2` by exactly `(Q u)_i^2 / Q_ii`: the point with the largest drop is the
//! one that mattered, and what was expected of it is its mean given the others.
//!
//! Rows come from good readings of a device ([`super::bound`]), judgements become findings there.

mod deviate;
mod learned;
mod matrix;
mod memory;

#[cfg(test)]
mod tests;

use std::f64::consts::LN_10;

use deviate::{from_chi_square, from_largest, to_student};
use learned::{Learned, Seen};

/// Rows until it may speak: eight independent ones at the slowest scale.
pub const LEARNING: u32 = 256;
/// Smoothing of the scales: the weight of the newest row.
const SCALES: [f64; 3] = [1.0, 0.25, 0.0625];
/// Where an episode begins: one row in a thousand, the usual limit of T2 charts.
const THRESHOLD: f64 = 3.09;
/// Where it ends; in between it goes on.
const EXIT: f64 = 2.0;
/// An episode of so many rows is how things are now: told once, then learned.
const RELEARN: u32 = 512;
/// Memory, in rows, of how often and how high episodes come.
const EPISODES: f64 = 20_000.0;
/// What was not seen yet counts half (Jeffreys).
const HALF: f64 = 0.5;
/// One disaster counts as an excess of this, at most: it must not deafen.
const PEAK: f64 = 20.0;
const HIGHEST: f64 = 40.0;

/// A device under watch.
#[derive(Debug, Clone, PartialEq)]
pub struct Joint {
    learned: Learned,
    episodes: Episodes,
    /// Episodes a row that the budget allows; `None`: [`THRESHOLD`] as it is.
    rate: Option<f64>,
    is_open: bool,
    /// Rows for which it has looked wrong, raised or not; nothing is learned from them.
    odd: u32,
}

/// What a row comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// As a normal deviate.
    pub deviate: f64,
    /// 0..1, 0.5 where an episode begins; 0 while learning.
    pub score: f64,
    /// How rare it is here that an episode comes so high: rows for one of them, in powers of ten.
    pub powers: f64,
    pub is_open: bool,
    pub is_learning: bool,
    /// The episode has lasted so long that it is the new normal.
    pub has_settled: bool,
    /// Who mattered; `None` when nothing is remarkable.
    pub culprit: Option<Culprit>,
}

/// The point that did not fit, in its own unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Culprit {
    pub point: usize,
    pub observed: f64,
    /// Given the other points.
    pub expected: f64,
    pub band: (f64, f64),
    /// Each point's part in the score, adding up to 1.
    pub shares: Vec<f64>,
}

/// How often episodes come and how high: peaks over a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Episodes {
    rows: f64,
    count: f64,
    excess: f64,
    /// Of the one that goes on.
    peak: f64,
    /// Where one is raised.
    threshold: f64,
}

/// One scale's view of a row.
struct Sight {
    deviate: f64,
    scale: usize,
    /// `Q u`, and the diagonal of `Q`.
    pulled: Vec<f64>,
    diagonal: Vec<f64>,
    drops: Vec<f64>,
}

impl Joint {
    /// A device of so many points. `rate`: episodes a row that a budget allows, more than 0.
    pub fn new(points: usize, rate: Option<f64>) -> Self {
        Self {
            learned: Learned::new(points),
            episodes: Episodes::default(),
            rate: rate.filter(|rate| *rate > 0.0),
            is_open: false,
            odd: 0,
        }
    }

    /// After an outage or a clock step: no forecast is believed, deviations build up anew.
    pub fn handle_gap(&mut self) {
        self.learned.handle_gap();
    }

    /// Judges a row and learns from it. `None`: missing, or of bad quality.
    pub fn handle(&mut self, row: &[Option<f64>]) -> Judgement {
        let values: Vec<Option<f64>> =
            row.iter().map(|v| v.filter(|v| v.is_finite() && v.abs() < 1e15)).collect();
        let seen = self.learned.look(&values);
        let sight = (0..SCALES.len())
            .map(|scale| self.sight(scale, &seen, &values))
            .max_by(|a, b| a.deviate.total_cmp(&b.deviate));
        let is_learning = self.learned.middle_age() < LEARNING;
        let (Some(sight), false) = (sight, is_learning) else {
            self.learned.learn(&values, &seen);
            return Judgement::learning();
        };

        let deviate = sight.deviate;
        let is_odd = deviate > if self.odd > 0 { EXIT } else { THRESHOLD };
        self.is_open = deviate > if self.is_open { EXIT } else { self.episodes.threshold };
        self.odd = if is_odd { self.odd + 1 } else { 0 };
        let powers = self.episodes.powers(deviate);
        self.episodes.count(deviate, self.rate);
        let has_settled = self.odd > RELEARN;
        if has_settled {
            (self.is_open, self.odd) = (false, 0);
            self.learned.settle();
        }
        let culprit = (deviate > EXIT).then(|| self.culprit(&sight, &seen, &values)).flatten();
        if self.odd == 0 {
            self.learned.learn(&values, &seen);
        } else {
            self.learned.note(&values);
        }
        let score = deviate.max(0.0) / (deviate.max(0.0) + self.episodes.threshold);
        let is_open = self.is_open;
        Judgement { deviate, score, powers, is_open, is_learning, has_settled, culprit }
    }

    fn sight(&self, scale: usize, seen: &Seen, values: &[Option<f64>]) -> Sight {
        let n = values.len();
        let inverse = matrix::invert(&self.learned.correlations(scale, seen, values), n);
        let deviates = &seen.deviates[scale];
        let pulled = matrix::times(&inverse, deviates);
        let diagonal: Vec<f64> = (0..n).map(|i| inverse[i * n + i]).collect();
        let sum: f64 = deviates.iter().zip(&pulled).map(|(u, q)| u * q).sum();
        let drops: Vec<f64> = pulled.iter().zip(&diagonal).map(|(q, d)| q * q / d).collect();
        let largest = drops.iter().copied().fold(0.0, f64::max).sqrt();
        let here = values.iter().flatten().count().max(1) as f64;
        let deviate = from_chi_square(sum, here).max(from_largest(largest, here));
        Sight { deviate, scale, pulled, diagonal, drops }
    }

    fn culprit(&self, sight: &Sight, seen: &Seen, values: &[Option<f64>]) -> Option<Culprit> {
        let point = (0..values.len()).max_by(|a, b| sight.drops[*a].total_cmp(&sight.drops[*b]))?;
        let value = values[point]?;
        let Sight { scale, pulled, diagonal, drops, .. } = sight;
        let of = &seen.points[*scale][point];
        let (observed, base) = match scale {
            0 => (value, value - of.size),
            _ => (of.size + self.learned.reference(point), self.learned.reference(point)),
        };
        let in_unit = |u: f64| base + to_student(u, of.freedom) * of.variance.sqrt();
        // The mean of a deviate given the others, and how far it may be from there.
        let given = seen.deviates[*scale][point] - pulled[point] / diagonal[point];
        let half = THRESHOLD / diagonal[point].sqrt();
        let total = drops.iter().sum::<f64>() + 1e-12;
        Some(Culprit {
            point,
            observed,
            expected: in_unit(given),
            band: (in_unit(given - half), in_unit(given + half)),
            shares: drops.iter().map(|drop| drop / total).collect(),
        })
    }
}

impl Judgement {
    fn learning() -> Self {
        Self {
            deviate: 0.0,
            score: 0.0,
            powers: 0.0,
            is_open: false,
            is_learning: true,
            has_settled: false,
            culprit: None,
        }
    }
}

impl Episodes {
    /// Counts a row, and sets the threshold to what comes as rarely as the budget allows.
    fn count(&mut self, deviate: f64, rate: Option<f64>) {
        self.rows += 1.0 - self.rows / EPISODES;
        self.count -= self.count / EPISODES;
        self.excess -= self.excess / EPISODES;
        if deviate > if self.peak > 0.0 { EXIT } else { THRESHOLD } {
            self.peak = self.peak.max(deviate);
        } else if self.peak > 0.0 {
            self.count += 1.0;
            self.excess += (self.peak - THRESHOLD).min(PEAK);
            self.peak = 0.0;
        }
        if let Some(rate) = rate {
            let (mean, seen) = self.tail();
            self.threshold = (THRESHOLD + mean * (seen / rate).ln().max(0.0)).min(HIGHEST);
        }
    }

    /// Rows for one episode as high as that, in powers of ten.
    fn powers(&self, deviate: f64) -> f64 {
        let (mean, seen) = self.tail();
        (deviate - THRESHOLD).clamp(0.0, PEAK) / mean / LN_10 - seen.log10()
    }

    /// Episodes come at a rate a row, and their peaks exceed [`THRESHOLD`] by an exponential: its mean,
    /// and the rate.
    fn tail(&self) -> (f64, f64) {
        ((self.excess + 1.0) / (self.count + 1.0), (self.count + HALF) / self.rows.max(1.0))
    }
}

impl Default for Episodes {
    fn default() -> Self {
        Self { rows: 0.0, count: 0.0, excess: 0.0, peak: 0.0, threshold: THRESHOLD }
    }
}
