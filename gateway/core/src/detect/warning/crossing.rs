//! From quantiles of the largest of the next samples to the probability that it reaches a limit.

use super::FARTHEST;

/// How far ahead each group of the model's answer looks, in samples.
pub const HORIZONS: [f64; 4] = [1.0, 2.0, 3.0, FARTHEST];
/// The probabilities of the quantiles in a group.
pub const QUANTILES: [f64; 11] = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/// Beyond the outermost quantiles the tail falls by half over the distance of the last two, at least this.
const NARROWEST: f64 = 1e-3;

/// Quantiles of the largest of the next 1, 2, 3 and 6 samples, in scales from the newest.
#[derive(Debug, Clone, PartialEq)]
pub struct Tops([[f64; QUANTILES.len()]; HORIZONS.len()]);

impl Tops {
    /// `None` unless these are as many finite numbers as there should be.
    pub fn new(outputs: &[f32]) -> Option<Self> {
        if outputs.len() != super::OUTPUTS || !outputs.iter().all(|q| q.is_finite()) {
            return None;
        }
        let mut tops = [[0.0; QUANTILES.len()]; HORIZONS.len()];
        for (group, found) in tops.iter_mut().zip(outputs.chunks_exact(QUANTILES.len())) {
            for (quantile, value) in group.iter_mut().zip(found) {
                *quantile = f64::from(*value);
            }
            group.sort_by(f64::total_cmp);
        }
        Some(Self(tops))
    }

    /// The probability that the largest of the next `ahead` samples reaches `limit`, for each horizon;
    /// never lower for a longer one.
    pub fn probabilities(&self, limit: f64) -> [f64; HORIZONS.len()] {
        let mut most: f64 = 0.0;
        self.0.each_ref().map(|group| {
            most = most.max(exceed(group, limit));
            most
        })
    }

    /// The same for any number of samples ahead, straight between the horizons.
    pub fn probability(&self, limit: f64, ahead: f64) -> f64 {
        between(&self.probabilities(limit), ahead)
    }

    /// 5 % and 95 % of the largest of the next `ahead` samples.
    pub fn band(&self, ahead: f64) -> (f64, f64) {
        let [low, high] = [0, QUANTILES.len() - 1]
            .map(|quantile| between(&self.0.each_ref().map(|group| group[quantile]), ahead));
        (low, high)
    }
}

/// What holds at the horizons, at a number of samples between them.
fn between(values: &[f64; HORIZONS.len()], ahead: f64) -> f64 {
    let ahead = ahead.clamp(HORIZONS[0], FARTHEST);
    let after = HORIZONS.iter().position(|horizon| *horizon >= ahead).unwrap_or(HORIZONS.len() - 1);
    let Some(before) = after.checked_sub(1) else { return values[0] };
    let share = (ahead - HORIZONS[before]) / (HORIZONS[after] - HORIZONS[before]);
    values[before] + share * (values[after] - values[before])
}

/// P(value >= limit) by sorted quantiles: straight between them, exponential beyond.
fn exceed(quantiles: &[f64; QUANTILES.len()], limit: f64) -> f64 {
    let q = quantiles;
    let last = q.len() - 1;
    let tail = |width: f64, beyond: f64| {
        let fall = (width / std::f64::consts::LN_2).max(NARROWEST);
        QUANTILES[0] * (-(beyond / fall).min(50.0)).exp()
    };
    if limit <= q[0] {
        return 1.0 - tail(q[1] - q[0], q[0] - limit);
    }
    if limit > q[last] {
        return tail(q[last] - q[last - 1], limit - q[last]);
    }
    let above = q.iter().position(|value| *value >= limit).unwrap_or(last).max(1);
    let width = q[above] - q[above - 1];
    let share = if width > 0.0 { (limit - q[above - 1]) / width } else { 1.0 };
    1.0 - (QUANTILES[above - 1] + share * (QUANTILES[above] - QUANTILES[above - 1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same quantiles -5..5 at each horizon, moved up by half a scale with each.
    fn tops() -> Tops {
        let groups = [0.0_f32, 0.5, 1.0, 1.5];
        let steps = [-5.0_f32, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let outputs: Vec<f32> = groups.iter().flat_map(|g| steps.map(|s| s + g)).collect();
        Tops::new(&outputs).unwrap()
    }

    fn is_near(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-9
    }

    #[test]
    fn a_limit_at_a_quantile_is_passed_as_often_as_the_quantile_says() {
        assert!(is_near(tops().probability(0.0, 1.0), 0.5));
        assert!(is_near(tops().probability(5.0, 1.0), 0.05));
        assert!(is_near(tops().probability(6.0, 1.0), 0.025), "half as often a step farther");
        assert!(is_near(tops().probability(-6.0, 1.0), 0.975));
    }

    #[test]
    fn a_longer_horizon_is_never_less_sure_and_between_two_lies_between_them() {
        let tops = tops();
        for limit in [-9.0, -1.3, 0.2, 4.0, 8.0] {
            let found = tops.probabilities(limit);
            assert!(found.is_sorted(), "{limit}: {found:?}");
            let middle = tops.probability(limit, 4.5);
            assert!(is_near(middle, f64::midpoint(found[2], found[3])));
        }
        assert!(is_near(tops.probability(0.0, 99.0), tops.probability(0.0, 6.0)));
    }

    #[test]
    fn an_answer_of_another_form_is_none() {
        assert_eq!(Tops::new(&[0.0; 9]), None);
        assert_eq!(Tops::new(&[f32::NAN; super::super::OUTPUTS]), None);
    }
}
