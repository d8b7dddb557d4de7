//! The last values of something, oldest overwritten first, as 32-bit floats.

/// Grows up to its length, then goes round.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ring {
    values: Vec<f32>,
    length: usize,
    count: u64,
}

impl Ring {
    pub(super) fn new(length: usize) -> Self {
        Self { values: Vec::new(), length, count: 0 }
    }

    #[expect(clippy::cast_possible_truncation, reason = "memory is kept as f32")]
    pub(super) fn push(&mut self, value: f64) {
        let value = value as f32;
        if self.values.len() < self.length {
            if self.values.len() == self.values.capacity() {
                // Doubling would leave a third of the memory of a full ring unused.
                self.values.reserve_exact((self.length / 4).min(self.length - self.values.len()));
            }
            self.values.push(value);
        } else {
            let slot = self.oldest();
            self.values[slot] = value;
        }
        self.count += 1;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The values, in two runs that follow each other; oldest first.
    pub(super) fn runs(&self) -> [&[f32]; 2] {
        if self.values.len() < self.length {
            return [&self.values, &[]];
        }
        let (newer, older) = self.values.split_at(self.oldest());
        [older, newer]
    }

    /// The values, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = f64> + '_ {
        self.runs().into_iter().flatten().map(|value| f64::from(*value))
    }

    /// Mean of `width` values that end `back` before the newest, as far as there are any.
    pub(super) fn mean(&self, width: usize, back: usize) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for value in self.iter().rev().skip(back).take(width) {
            sum += value;
            count += 1.0;
        }
        if count > 0.0 { sum / count } else { 0.0 }
    }

    /// Median of all; 0 when there are none.
    pub(super) fn median(&self) -> f64 {
        median(&mut self.values.clone())
    }

    /// Where the oldest value stands once it is full.
    #[expect(clippy::cast_possible_truncation, reason = "below the length")]
    fn oldest(&self) -> usize {
        (self.count % self.length as u64) as usize
    }
}

/// The median of the values, which are put into another order; 0 when there are none.
pub(super) fn median(values: &mut [f32]) -> f64 {
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
    use super::*;

    #[test]
    fn a_full_ring_forgets_its_oldest_value() {
        let mut ring = Ring::new(4);
        for value in 0..6 {
            ring.push(f64::from(value));
        }

        assert_eq!(ring.iter().collect::<Vec<_>>(), [2.0, 3.0, 4.0, 5.0]);
        assert!((ring.mean(2, 1) - 3.5).abs() < 1e-9, "the two before the newest");
        assert!((ring.mean(9, 0) - 3.5).abs() < 1e-9, "as many as there are");
        assert!((ring.median() - 3.5).abs() < 1e-9);
    }

    #[test]
    fn the_median_of_nothing_is_nothing() {
        assert_eq!(median(&mut []).to_bits(), 0.0_f64.to_bits());
        assert_eq!(median(&mut [3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
    }
}
