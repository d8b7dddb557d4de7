//! Numbers as bytes for the disk: little-endian, and floats in 32 bits, as learnt state is kept.

/// What is left to read.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(count)?;
        self.0 = left;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// Finite numbers.
    pub(super) fn numbers<const N: usize>(&mut self) -> Option<[f64; N]> {
        let mut numbers = [0.0; N];
        for number in &mut numbers {
            *number = f64::from(f32::from_le_bytes(self.array()?));
        }
        numbers.iter().all(|number| number.is_finite()).then_some(numbers)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "memory is kept as f32")]
pub(super) fn put(bytes: &mut Vec<u8>, number: f64) {
    bytes.extend((number as f32).to_le_bytes());
}
