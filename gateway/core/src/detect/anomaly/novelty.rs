//! Has this shape been seen before? The distance of the newest values to the nearest earlier ones.
//!
//! The idea of a matrix profile's left discord: what is far from everything that came before is new.
//! Values are taken relative to the long median and the range seen so far, and small deviations count
//! as none, so that noise has no shape.

use super::constants::{DEAD, RING};
use super::ring::Past;

/// Where shapes are measured from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    pub(super) median: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Distance of the last `width` values to the nearest earlier ones that overlap them by less than half.
pub(super) fn novelty(past: &Past, width: usize, frame: Frame) -> f64 {
    let Frame { median, low, high } = frame;
    let span = (high - low).max(1e-12 * high.abs() + 1e-300);
    let mut shapes = [0.0; RING];
    let mut room = [0.0; RING];
    let values = past.values(&mut room);
    for (shape, value) in shapes.iter_mut().zip(&*values) {
        let deviation = (f64::from(*value) - median) / span;
        *shape = (deviation - DEAD).max(0.0) + (deviation + DEAD).min(0.0);
    }
    let shapes = &shapes[..values.len()];
    let Some(start) = shapes.len().checked_sub(width) else { return 0.0 };
    let newest = &shapes[start..];
    let earlier = shapes.get(..shapes.len().saturating_sub(width / 2 + 2)).unwrap_or_default();
    let mut best = f64::INFINITY;
    for other in earlier.windows(width) {
        let mut distance = 0.0;
        // From the newest back: that is where two shapes part soonest.
        for (a, b) in other.iter().zip(newest).rev() {
            distance += (a - b) * (a - b);
            if distance >= best {
                break;
            }
        }
        best = best.min(distance);
    }
    if best.is_finite() { best.sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame { median: 0.0, low: -1.0, high: 1.0 };

    fn past(values: impl IntoIterator<Item = f64>) -> Past {
        let mut past = Past::new(64);
        values.into_iter().for_each(|value| past.push(value));
        past
    }

    #[test]
    fn a_wave_is_like_itself_and_a_flat_piece_of_it_is_not() {
        let wave = |i: u32| (f64::from(i) / 10.0).sin();
        let usual = novelty(&past((0..600).map(wave)), 12, FRAME);
        let broken =
            novelty(&past((0..600).map(|i| if i < 588 { wave(i) } else { 0.7 })), 12, FRAME);

        assert!(usual < 0.02, "{usual}");
        assert!(broken > 10.0 * usual, "{broken}");
    }

    #[test]
    fn a_constant_and_a_short_past_have_no_new_shapes() {
        let flat = Frame { median: 5.0, low: 5.0, high: 5.0 };

        assert!(novelty(&past([5.0; 100]), 12, flat) < 1e-12);
        assert!(novelty(&past([5.0, 6.0]), 12, flat) < 1e-12);
    }
}
