//! What is known of a device's points together, as bytes for the disk, so that a restart learns nothing
//! anew.
//!
//! Per point an age, the reference level in full, and ten numbers beside it; then, per scale, the upper
//! half of the second moments: 48 bytes a point and 12 a pair, 78 bytes a point for four. The form
//! changes with [`FORM`]; another one is not read.

use super::learned::{Learned, Point};
use super::{Joint, RELEARN, SCALES};
use crate::detect::bytes::{Bytes, put};

/// Raised when the layout or a constant changes.
const FORM: u8 = 1;

impl Joint {
    /// What it knows, as bytes. Episodes are not among it: they are counted for a budget of its own only.
    pub fn remember(&self) -> Vec<u8> {
        let points = &self.learned.points;
        let mut bytes = vec![FORM, u8::from(self.is_open)];
        bytes.extend(u16::try_from(self.odd).unwrap_or(0).to_le_bytes());
        for point in points {
            bytes.extend(point.age.to_le_bytes());
            bytes.extend(point.reference.to_le_bytes());
            // Levels lie near the reference: what 32 bits can tell is the distance.
            let [_, middle, slow] = point.smooth;
            for level in [point.last, point.level, middle, slow] {
                put(&mut bytes, level - point.reference);
            }
            put(&mut bytes, point.forecast.map_or(f64::NAN, |level| level - point.reference));
            put(&mut bytes, point.difference);
            point.variance.iter().for_each(|variance| put(&mut bytes, *variance));
        }
        for moments in &self.learned.moments {
            pairs(points.len()).for_each(|(i, j)| put(&mut bytes, moments[i * points.len() + j]));
        }
        bytes
    }

    /// One that goes on from there; `None` when these are no such bytes of so many points.
    pub fn recall(points: usize, bytes: &[u8]) -> Option<Self> {
        let mut from = Bytes(bytes);
        let [form, is_open] = from.array()?;
        let odd = u32::from(u16::from_le_bytes(from.array()?));
        if form != FORM || odd > RELEARN {
            return None;
        }
        let mut learned = Learned::new(points);
        for point in &mut learned.points {
            *point = recall_point(&mut from)?;
        }
        for moments in &mut learned.moments {
            for (i, j) in pairs(points) {
                let [moment] = from.numbers()?;
                (moments[i * points + j], moments[j * points + i]) = (moment, moment);
            }
        }
        from.0.is_empty().then(|| Self {
            learned,
            is_open: is_open != 0,
            odd,
            ..Self::new(0, None)
        })
    }
}

fn recall_point(from: &mut Bytes) -> Option<Point> {
    let age = u32::from_le_bytes(from.array()?);
    let reference = f64::from_le_bytes(from.array()?);
    let [last, level, middle, slow] = from.numbers()?.map(|distance: f64| reference + distance);
    let forecast = f64::from(f32::from_le_bytes(from.array()?));
    let [difference] = from.numbers()?;
    let variance: [f64; SCALES.len()] = from.numbers()?;
    let is_sound =
        reference.is_finite() && difference >= 0.0 && variance.iter().all(|part| *part >= 0.0);
    is_sound.then(|| Point {
        age,
        reference,
        last,
        forecast: forecast.is_finite().then_some(reference + forecast),
        difference,
        // The fastest scale is the row itself.
        smooth: [reference, middle, slow],
        level,
        variance,
    })
}

/// Each point with itself and those after it.
fn pairs(points: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..points).flat_map(move |i| (i..points).map(move |j| (i, j)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(points: usize) -> impl Strategy<Value = Vec<Vec<Option<f64>>>> {
        let value = prop_oneof![8 => (-1e3..1e3).prop_map(Some), 1 => (-1e14..1e14).prop_map(Some), 2 => Just(None)];
        prop::collection::vec(prop::collection::vec(value, points), 0..600)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_comes_back_judges_the_next_row_as_what_was_written(
            (points, rows, next) in (1_usize..6).prop_flat_map(|points| {
                let next = prop::collection::vec((-1e3..1e3).prop_map(Some), points);
                (Just(points), rows(points), next)
            })
        ) {
            let mut joint = Joint::new(points, None);
            for row in &rows {
                joint.handle(row);
            }
            let bytes = joint.remember();
            let mut back = Joint::recall(points, &bytes).unwrap();

            prop_assert_eq!(&back.remember(), &bytes, "nothing drifts by being written");
            prop_assert!(bytes.len() <= 4 + points * 256);
            let (was, is) = (joint.handle(&next), back.handle(&next));
            prop_assert_eq!(was.is_learning, is.is_learning);
            let off = (was.deviate - is.deviate).abs();
            prop_assert!(off <= 1e-3 * (1.0 + was.deviate.abs()), "{was:?} {is:?}");
        }

        #[test]
        fn any_bytes_are_read_without_harm(points in 0_usize..4, bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Some(mut joint) = Joint::recall(points, &bytes) {
                joint.handle(&vec![Some(1.0); points]);
            }
        }
    }

    #[test]
    fn bytes_of_another_form_or_of_other_points_are_not_read() {
        let bytes = Joint::new(3, None).remember();

        assert_eq!(Joint::recall(3, &bytes).map(|joint| joint.remember()).as_ref(), Some(&bytes));
        assert_eq!(Joint::recall(2, &bytes), None);
        assert_eq!(Joint::recall(4, &bytes), None);
        for length in 0..bytes.len() {
            assert_eq!(Joint::recall(3, &bytes[..length]), None, "{length} bytes");
        }
        let mut other = bytes;
        other[0] = FORM + 1;
        assert_eq!(Joint::recall(3, &other), None);
    }
}
