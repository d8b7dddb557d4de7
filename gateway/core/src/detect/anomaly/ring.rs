//! The last values of something, oldest overwritten first: few as they are, many with the older ones in
//! 8 bits.
//!
//! A thousand devices have four thousand points, and what is remembered of a point is mostly its last 512
//! samples. The newest of them are looked at one by one and stay 32-bit floats; of the older ones only
//! the shape and the median count.

use super::constants::RING;

/// The last few values, as they are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ring {
    /// Empty until the first value comes.
    values: Box<[f32]>,
    length: usize,
    count: u64,
}

impl Ring {
    pub(super) fn new(length: usize) -> Self {
        Self { values: Box::default(), length, count: 0 }
    }

    #[expect(clippy::cast_possible_truncation, reason = "memory is kept as f32")]
    pub(super) fn push(&mut self, value: f64) {
        if self.values.is_empty() {
            self.values = vec![0.0; self.length].into();
        }
        let slot = self.next();
        self.values[slot] = value as f32;
        self.count += 1;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.count).map_or(self.length, |count| count.min(self.length))
    }

    /// The values, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = f64> + '_ {
        let (newer, older) = self.values.split_at(self.next().min(self.values.len()));
        let older = if self.len() < self.length { &[] } else { older };
        older.iter().chain(newer).map(|value| f64::from(*value))
    }

    /// Mean of `width` values that end `back` before the newest, as far as there are any.
    pub(super) fn mean(&self, width: usize, back: usize) -> f64 {
        mean(self.iter().rev().skip(back).take(width))
    }

    /// Where the next value goes.
    #[expect(clippy::cast_possible_truncation, reason = "below the length")]
    fn next(&self) -> usize {
        (self.count % self.length as u64) as usize
    }
}

/// So many older ones share a range.
const SEGMENT: usize = 32;

/// The last [`RING`] values: at least the newest `exact` as they are, the older ones as 255ths of the
/// range of the [`SEGMENT`] around them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Past {
    exact: usize,
    /// Empty until the first value comes, as is what follows.
    newest: Box<[f32]>,
    /// Each overwritten when it is the oldest.
    older: Box<[Segment]>,
    count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Segment {
    low: f32,
    high: f32,
    codes: [u8; SEGMENT],
}

impl Past {
    /// Keeps that many as they are: a multiple of [`SEGMENT`].
    pub(super) fn new(exact: usize) -> Self {
        Self { exact, newest: Box::default(), older: Box::default(), count: 0 }
    }

    #[expect(clippy::cast_possible_truncation, reason = "memory is kept as f32")]
    pub(super) fn push(&mut self, value: f64) {
        if self.newest.is_empty() {
            let nothing = Segment { low: 0.0, high: 0.0, codes: [0; SEGMENT] };
            self.newest = vec![0.0; self.exact + SEGMENT].into();
            self.older = vec![nothing; (RING - self.exact) / SEGMENT].into();
        }
        let mut at = self.exact();
        if at == self.newest.len() {
            let oldest = self.sealed() % self.older.len();
            self.older[oldest] = Segment::of(&self.newest[..SEGMENT]);
            self.newest.copy_within(SEGMENT.., 0);
            at = self.exact;
        }
        self.newest[at] = value as f32;
        self.count += 1;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.count).map_or(RING, |count| count.min(RING))
    }

    /// The values, oldest first, in the room given.
    pub(super) fn values<'a>(&self, room: &'a mut [f32; RING]) -> &'a mut [f32] {
        let values = &mut room[..self.len()];
        let newest = self.newest();
        let Some(mut left) = values.len().checked_sub(newest.len()) else { return values };
        values[left..].copy_from_slice(newest);
        for number in (0..self.sealed()).rev() {
            let segment = &self.older[number % self.older.len()];
            let here = left.min(SEGMENT);
            let codes = &segment.codes[SEGMENT - here..];
            for (value, code) in values[left - here..left].iter_mut().zip(codes) {
                *value = segment.value(*code);
            }
            left -= here;
            if left == 0 {
                break;
            }
        }
        values
    }

    /// At least the newest values that are kept as they are, or all; oldest first.
    pub(super) fn newest(&self) -> &[f32] {
        &self.newest[..self.exact()]
    }

    /// Mean of `width` values that end `back` before the newest, both within what is kept as it is.
    pub(super) fn mean(&self, width: usize, back: usize) -> f64 {
        mean(self.newest().iter().rev().skip(back).take(width).map(|value| f64::from(*value)))
    }

    /// Median of all; 0 when there are none.
    pub(super) fn median(&self) -> f64 {
        median(self.values(&mut [0.0; RING]))
    }

    /// Segments that were filled, overwritten ones included.
    #[expect(clippy::cast_possible_truncation, reason = "samples of a thousand years fit")]
    fn sealed(&self) -> usize {
        (self.count.saturating_sub(self.exact as u64 + 1) / SEGMENT as u64) as usize
    }

    /// Values that are as they came.
    #[expect(clippy::cast_possible_truncation, reason = "fewer than are sealed")]
    fn exact(&self) -> usize {
        (self.count - (self.sealed() * SEGMENT) as u64) as usize
    }
}

impl Segment {
    fn of(values: &[f32]) -> Self {
        let low = values.iter().copied().fold(f32::INFINITY, f32::min);
        let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let span = f64::from(high) - f64::from(low);
        let mut codes = [0; SEGMENT];
        for (code, value) in codes.iter_mut().zip(values).filter(|_| span > 0.0) {
            let share = (f64::from(*value) - f64::from(low)) / span;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=1")]
            let share = (share * f64::from(u8::MAX)).round() as u8;
            *code = share;
        }
        Self { low, high, codes }
    }

    #[expect(clippy::cast_possible_truncation, reason = "memory is kept as f32")]
    fn value(&self, code: u8) -> f32 {
        let span = f64::from(self.high) - f64::from(self.low);
        (f64::from(self.low) + span * (f64::from(code) / f64::from(u8::MAX))) as f32
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value;
        count += 1.0;
    }
    if count > 0.0 { sum / count } else { 0.0 }
}

/// The median of the values, which are put into another order; 0 when there are none.
fn median(values: &mut [f32]) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    let is_odd = values.len() % 2 == 1;
    let (below, upper, _) = values.select_nth_unstable_by(middle, f32::total_cmp);
    let upper = f64::from(*upper);
    if is_odd {
        return upper;
    }
    let lower = below.iter().copied().max_by(f32::total_cmp).map_or(upper, f64::from);
    f64::midpoint(lower, upper)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_full_ring_forgets_its_oldest_value() {
        let mut ring = Ring::new(4);
        assert_eq!((ring.len(), ring.iter().count()), (0, 0));
        for value in 0..6 {
            ring.push(f64::from(value));
        }

        assert_eq!(ring.iter().collect::<Vec<_>>(), [2.0, 3.0, 4.0, 5.0]);
        assert!((ring.mean(2, 1) - 3.5).abs() < 1e-9, "the two before the newest");
        assert!((ring.mean(9, 0) - 3.5).abs() < 1e-9, "as many as there are");
    }

    proptest! {
        #[test]
        fn a_past_is_what_came_last_within_a_255th_of_what_came_around_it(
            values in prop::collection::vec(prop_oneof![4 => -50.0_f32..50.0, 1 => Just(7.25_f32), 1 => -1e37_f32..1e37], 0..1_500),
        ) {
            const EXACT: usize = 64;
            let mut past = Past::new(EXACT);
            for value in &values {
                past.push(f64::from(*value));
            }
            let mut room = [0.0; RING];
            let back = past.values(&mut room);

            let last = &values[values.len().saturating_sub(RING)..];
            prop_assert_eq!(back.len(), last.len());
            let exact = last.len().saturating_sub(EXACT);
            prop_assert_eq!(&back[exact..], &last[exact..], "the newest as they are");
            prop_assert!(past.newest().ends_with(&last[exact..]));
            for (at, (is, was)) in back.iter().zip(last).enumerate() {
                let around = &last[at.saturating_sub(SEGMENT - 1)..(at + SEGMENT).min(last.len())];
                let low = around.iter().copied().fold(f32::INFINITY, f32::min);
                let high = around.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let span = f64::from(high) - f64::from(low);
                let off = (f64::from(*is) - f64::from(*was)).abs();
                // The oldest may have had a neighbour that is gone.
                let is_whole = at >= SEGMENT || last.len() < RING;
                prop_assert!(!is_whole || off <= span / 509.0 + f64::from(was.abs()) * 1e-7, "{at}: {is} {was}");
            }
        }
    }

    #[test]
    fn what_stays_the_same_stays_exactly_the_same() {
        let mut past = Past::new(64);
        (0..600).for_each(|i| past.push(if i % 50 == 0 { 1013.2 } else { 21.3 }));

        assert_eq!(past.median().to_bits(), f64::from(21.3_f32).to_bits());
        assert_eq!(past.newest()[0].to_bits(), 21.3_f32.to_bits());
        assert!((past.mean(32, 0) - 21.3).abs() < 40.0);
    }

    #[test]
    fn five_hundred_values_take_less_than_a_kilobyte() {
        let mut past = Past::new(64);
        past.push(1.0);
        let bytes = size_of_val(&*past.newest) + size_of_val(&*past.older);
        assert!(bytes <= 950, "{bytes}");
    }

    #[test]
    fn the_median_of_nothing_is_nothing() {
        assert_eq!(Past::new(64).median().to_bits(), 0.0_f64.to_bits());
        assert_eq!(median(&mut [3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
    }
}
