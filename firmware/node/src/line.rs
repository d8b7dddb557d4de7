//! Bytes of an RS-485 line become frames: silence of 3.5 characters ends one.
//!
//! Modbus over serial line V1.02, section 2.5.1.1. The silence within a frame (1.5 characters) is not
//! judged: serial servers and USB adapters cut frames into pieces, and the CRC tells what belongs
//! together. Whoever serves the line calls [`Line::frame`] at least every half millisecond.

/// Longest frame: Modbus over serial line V1.02, section 2.4.
pub const LONGEST: usize = 256;
/// Above this rate the silence is a fixed time, section 2.5.1.1.
const FAST: u32 = 19_200;
const FAST_SILENCE: u64 = 1_750;
/// Start bit, 8 data bits, parity or a second stop bit, stop bit: section 2.5.1.
const BITS: u64 = 11;

/// How long one character takes, in microseconds, rounded up.
pub const fn character(baud: u32) -> u64 {
    (BITS * 1_000_000).div_ceil(baud as u64)
}

/// The silence that ends a frame, in microseconds.
pub const fn silence(baud: u32) -> u64 {
    if baud > FAST { FAST_SILENCE } else { (character(baud) * 7).div_ceil(2) }
}

/// The frame that is coming in.
#[derive(Debug, Clone)]
pub struct Line {
    bytes: [u8; LONGEST],
    many: usize,
    /// A byte came damaged, or one too many.
    is_bad: bool,
    last: u64,
    silence: u64,
}

/// What has come in when the silence is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// So many bytes, to be had by [`Line::bytes`].
    Frame(usize),
    /// Nothing that can be a frame.
    Noise,
}

impl Line {
    pub fn new(baud: u32) -> Self {
        Self { bytes: [0; LONGEST], many: 0, is_bad: false, last: 0, silence: silence(baud) }
    }

    /// A byte that ended at `now`.
    pub fn byte(&mut self, byte: u8, now: u64) {
        self.last = now;
        match self.bytes.get_mut(self.many) {
            Some(place) => {
                *place = byte;
                self.many += 1;
            }
            None => self.is_bad = true,
        }
    }

    /// A byte whose parity or stop bit was wrong, or that was lost.
    pub fn damaged(&mut self, now: u64) {
        self.last = now;
        self.is_bad = true;
    }

    /// What came, once, when the line has been silent for long enough.
    pub fn frame(&mut self, now: u64) -> Option<Heard> {
        let is_empty = self.many == 0 && !self.is_bad;
        if is_empty || now.saturating_sub(self.last) < self.silence {
            return None;
        }
        let heard = if self.is_bad { Heard::Noise } else { Heard::Frame(self.many) };
        (self.many, self.is_bad) = (0, false);
        Some(heard)
    }

    /// The first bytes of what came last; they stay until the next byte comes.
    pub fn bytes(&self, many: usize) -> &[u8] {
        &self.bytes[..many.min(LONGEST)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_silence_is_that_of_the_standard() {
        let cases = [(9_600, 4_011), (19_200, 2_006), (38_400, 1_750), (115_200, 1_750)];

        for (baud, expected) in cases {
            assert_eq!(silence(baud), expected, "{baud}");
        }
    }

    #[test]
    fn a_frame_ends_with_silence_and_comes_once() {
        let mut line = Line::new(9_600);
        line.byte(1, 0);
        line.byte(2, 3_000);

        assert_eq!(line.frame(7_010), None);
        assert_eq!(line.frame(7_011), Some(Heard::Frame(2)));
        assert_eq!(line.bytes(2), [1, 2]);
        assert_eq!(line.frame(99_999), None);
    }

    #[test]
    fn what_is_too_long_or_damaged_is_noise() {
        let mut line = Line::new(9_600);
        for _ in 0..=LONGEST {
            line.byte(0, 0);
        }
        assert_eq!(line.frame(10_000), Some(Heard::Noise));

        line.byte(1, 20_000);
        line.damaged(21_000);
        assert_eq!(line.frame(30_000), Some(Heard::Noise));

        line.byte(1, 40_000);
        assert_eq!(line.frame(50_000), Some(Heard::Frame(1)), "and it is forgotten");
    }
}
