//! Windows that mean nothing: for timing a model, and for comparing the engines on it.

/// An endless series of numbers between -4 and 4, the same for the same seed.
///
/// xorshift64*: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled".
#[derive(Debug, Clone)]
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        // Zero would stay zero.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Rows of features, one after the other.
    pub fn features(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.number()).collect()
    }

    fn number(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let [high, low, ..] = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D).to_be_bytes();
        f32::from(u16::from_be_bytes([high, low])) / 8_192.0 - 4.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_seed_others() {
        let numbers = Noise::new(7).features(10_000);

        assert_eq!(numbers, Noise::new(7).features(10_000));
        assert_ne!(numbers, Noise::new(8).features(10_000));
        assert!(numbers.iter().all(|n| (-4.0..4.0).contains(n)));
        assert!(numbers.iter().any(|n| *n < -3.9) && numbers.iter().any(|n| *n > 3.9));
    }
}
