//! How rare is this statistic for this very point? A histogram of its own past answers.
//!
//! The bins grow by a constant ratio, so that 24 of them span three powers of ten; old samples fade
//! with a time constant, so that a new normal is learnt. Beyond what was seen the tail is extrapolated:
//! as a Pareto tail by the mean log excess (Hill's estimator) for single statistics, as an exponential
//! tail by the mean excess for their sum.

use std::f64::consts::LN_10;

use super::constants::{BINS, LOWEST, RATIO, SEEN_BEFORE, TAIL_LEAST, TAU};

/// How the past goes on beyond its largest values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    Pareto,
    Exponential,
}

/// The past of one statistic.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histogram {
    /// In units of `one`.
    counts: [f32; BINS],
    total: f32,
    /// What the newest sample weighs: it grows, which is cheaper than shrinking all the others.
    one: f32,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0.0; BINS], total: 0.0, one: 1.0 }
    }
}

impl Histogram {
    /// One that remembers samples of those weights, bin by bin.
    #[expect(clippy::cast_possible_truncation, reason = "memory is kept as f32")]
    pub(super) fn from_weights(weights: [f64; BINS]) -> Self {
        let total: f64 = weights.iter().sum();
        Self { counts: weights.map(|weight| weight as f32), total: total as f32, one: 1.0 }
    }

    /// What the samples weigh that it remembers.
    pub(super) fn weight(&self) -> f64 {
        f64::from(self.total / self.one)
    }

    /// Forgets a little, counts `x`.
    #[expect(clippy::cast_possible_truncation, reason = "memory is kept as f32")]
    pub(super) fn learn(&mut self, x: f64) {
        self.one *= (1.0 / TAU).exp() as f32;
        self.counts[bin(x)] += self.one;
        self.total += self.one;
        if self.one > 2.0 {
            self.counts = self.counts.map(|count| count / 2.0);
            self.total /= 2.0;
            self.one /= 2.0;
        }
    }

    /// `-log10` of the share of the past that was at least `x`; the tail is the largest `share`.
    pub(super) fn rarity(&self, x: f64, share: f64, tail: Tail) -> f64 {
        let ratio = RATIO.ln();
        let (bin, weight) = (bin(x), self.weight());
        let seen = self.sum_from(bin);
        let needed = TAIL_LEAST.max(share * weight);
        let (mut edge, mut mass) = (BINS, 1e-9);
        while edge > 0 && mass < needed {
            edge -= 1;
            mass += self.count(edge);
        }
        if bin <= edge {
            return -((seen + 0.5) / (weight + 1.0)).min(1.0).log10();
        }
        let lower = |bin: f64| LOWEST * (bin * ratio).exp();
        let beyond = |excess: &dyn Fn(f64) -> f64| {
            (edge..BINS).map(|j| self.count(j) * excess(j as f64 + 0.5)).sum::<f64>() / mass
        };
        let (excess, mean, often) = match tail {
            Tail::Pareto => {
                let mean = beyond(&|at| (at - edge as f64) * ratio) + 0.02;
                ((x / LOWEST).ln() - edge as f64 * ratio, mean, SEEN_BEFORE)
            }
            Tail::Exponential => {
                let from = lower(edge as f64);
                (x - from, beyond(&|at| lower(at) - from) + 0.02 * from, 1.0)
            }
        };
        let rarity = -(mass / (weight + 1.0)).log10() + excess / mean / LN_10;
        if seen > 0.0 {
            rarity.min(-(often * seen / (weight + 1.0)).min(1.0).log10())
        } else {
            rarity
        }
    }

    /// What the samples weigh that fell into a bin.
    pub(super) fn count(&self, bin: usize) -> f64 {
        f64::from(self.counts[bin] / self.one)
    }

    fn sum_from(&self, bin: usize) -> f64 {
        self.counts[bin..].iter().map(|count| f64::from(*count)).sum::<f64>() / f64::from(self.one)
    }
}

/// Which bin a value falls into.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked and bounded")]
fn bin(x: f64) -> usize {
    if x > LOWEST { (((x / LOWEST).ln() / RATIO.ln()) as usize).min(BINS - 1) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taught(values: impl IntoIterator<Item = f64>) -> Histogram {
        let mut histogram = Histogram::default();
        values.into_iter().for_each(|value| histogram.learn(value));
        histogram
    }

    #[test]
    fn what_was_common_is_not_rare_and_what_was_never_seen_is() {
        let past = taught((0..3000).map(|i| f64::from(i * 7919 % 100) / 50.0));
        let rarity = |x| past.rarity(x, 0.03, Tail::Pareto);

        assert!(rarity(0.5) < 0.5, "{}", rarity(0.5));
        assert!(rarity(1.9) > 0.5 && rarity(1.9) < 2.0, "{}", rarity(1.9));
        assert!(rarity(20.0) > 3.5, "{}", rarity(20.0));
        assert!(rarity(40.0) > rarity(20.0));
    }

    #[test]
    fn what_came_ten_times_is_no_news() {
        let past = taught((0..3000).map(|i| if i % 300 == 0 { 30.0 } else { 0.4 }));

        assert!(past.rarity(30.0, 0.03, Tail::Pareto) < 2.3);
        assert!(past.rarity(30.0, 0.03, Tail::Exponential) < 2.6);
    }

    #[test]
    fn the_past_fades_at_its_pace_however_long_it_was() {
        let past = taught((0..40_000).map(|_| 1.0));

        assert!((past.weight() - TAU).abs() < 20.0, "{}", past.weight());
        assert!((past.sum_from(0) - past.weight()).abs() < 1.0, "{}", past.sum_from(0));
        assert!(past.one <= 2.0);
    }
}
