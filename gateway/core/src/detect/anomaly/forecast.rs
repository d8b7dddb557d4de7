//! What the network is shown, and what its answer says of the sample that came.

use super::constants::{CLAMP, NARROWEST, NORMAL_SCORES, WINDOW};
use super::ring::Past;
use super::{INPUTS, OUTPUTS};

/// Position and scale of a window: what is taken from the samples before the network sees them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    centre: f64,
    scale: f64,
}

/// What the network says of the next sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Forecast {
    quantiles: [f32; OUTPUTS],
    scale: Scale,
}

/// The network's inputs: the window without its position and scale, what the profile says of its end
/// and of the next sample, and how much the profile explains. `None` while there are too few samples.
#[expect(clippy::cast_possible_truncation, reason = "networks take f32")]
pub(super) fn inputs(
    past: &Past,
    [now, next]: [f64; 2],
    reliability: f64,
) -> Option<(Scale, [f32; INPUTS])> {
    let window: [f32; WINDOW] = *past.newest().last_chunk()?;
    let window = window.map(f64::from);
    let centre = median_of(window);
    let deviations = window.map(|value| (value - centre).abs());
    let mean = deviations.iter().sum::<f64>() / WINDOW as f64;
    let scale = (1.4826 * median_of(deviations)).max(mean).max(1e-3 * centre.abs() + 1e-9);
    let held = |by: f64| (by / scale).clamp(-CLAMP, CLAMP);
    let mut inputs = [0.0; INPUTS];
    for (input, value) in inputs.iter_mut().zip(window) {
        *input = held(value - centre) as f32;
    }
    inputs[WINDOW] = (held(now - centre) * reliability) as f32;
    inputs[WINDOW + 1] = (held(next - now) * reliability) as f32;
    inputs[WINDOW + 2] = reliability as f32;
    Some((Scale { centre, scale }, inputs))
}

impl Forecast {
    /// `None` when these are no quantiles: not as many, not finite, or not in order.
    pub(super) fn new(scale: Scale, quantiles: &[f32]) -> Option<Self> {
        let quantiles: [f32; OUTPUTS] = quantiles.try_into().ok()?;
        // Sums of 32-bit floats may swap neighbours by a hair.
        let is_sound = quantiles.iter().all(|q| q.is_finite())
            && quantiles.windows(2).all(|pair| pair[0] <= pair[1] + 1e-3);
        is_sound.then_some(Self { quantiles, scale })
    }

    /// Where the sample lies among the quantiles, as a normal score; beyond them in half bands.
    pub(super) fn normal_score(&self, value: f64) -> f64 {
        let Scale { centre, scale } = self.scale;
        let (q, z) = (self.quantiles.map(f64::from), &NORMAL_SCORES);
        let (last, middle) = (OUTPUTS - 1, OUTPUTS / 2);
        let y = ((value - centre) / scale).clamp(-CLAMP, CLAMP);
        if y >= q[last] {
            let half = (q[last] - q[middle]).max(NARROWEST);
            return z[last] + (y - q[last]) / half * z[last];
        }
        if y <= q[0] {
            let half = (q[middle] - q[0]).max(NARROWEST);
            return z[0] + (y - q[0]) / half * z[last];
        }
        let above = q.iter().position(|quantile| y <= *quantile).unwrap_or(last).max(1);
        let (from, to) = (above - 1, above);
        z[from] + (y - q[from]) / (q[to] - q[from]).max(1e-9) * (z[to] - z[from])
    }

    /// The 5 %, 50 % and 95 % quantiles in the point's own unit.
    pub(super) fn band(&self) -> [f64; 3] {
        let Scale { centre, scale } = self.scale;
        [1, OUTPUTS / 2, OUTPUTS - 2].map(|i| f64::from(self.quantiles[i]) * scale + centre)
    }
}

fn median_of(window: [f64; WINDOW]) -> f64 {
    let mut sorted = window;
    sorted.sort_unstable_by(f64::total_cmp);
    f64::midpoint(sorted[WINDOW / 2 - 1], sorted[WINDOW / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUANTILES: [f32; OUTPUTS] = [-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0];

    fn forecast() -> Forecast {
        Forecast::new(Scale { centre: 20.0, scale: 2.0 }, &QUANTILES).unwrap()
    }

    #[test]
    fn a_sample_in_the_middle_is_normal_and_one_beyond_the_band_is_not() {
        for (value, expected) in
            [(20.0, 0.0), (22.0, 1.2816), (24.0, 2.3263), (16.0, -2.3263), (28.0, 2.0 * 2.3263)]
        {
            let score = forecast().normal_score(value);
            assert!((score - expected).abs() < 1e-9, "{value}: {score}");
        }
        assert_eq!(forecast().band().map(f64::to_bits), [17.0, 20.0, 23.0].map(f64::to_bits));
    }

    #[test]
    fn an_answer_that_is_none_is_refused() {
        let scale = Scale { centre: 0.0, scale: 1.0 };
        let mut unsorted = QUANTILES;
        unsorted.swap(0, 8);

        assert_eq!(Forecast::new(scale, &QUANTILES[..3]), None);
        assert_eq!(Forecast::new(scale, &unsorted), None);
        assert_eq!(Forecast::new(scale, &[f32::NAN; OUTPUTS]), None);
    }

    #[test]
    fn a_constant_window_gives_finite_inputs() {
        let mut past = Past::new(64);
        (0..31).for_each(|_| past.push(0.0));
        assert_eq!(inputs(&past, [0.0; 2], 0.0), None, "one sample too few");
        past.push(0.0);

        let (_, inputs) = inputs(&past, [1e30, -1e30], 1.0).unwrap();

        assert!(inputs.iter().all(|x| x.is_finite() && x.abs() <= 20.0), "{inputs:?}");
    }
}
