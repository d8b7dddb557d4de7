//! Benewake TF-Luna: time-of-flight distance up to 8 m over a UART, for bays and bins.
//!
//! Source: TF-Luna Product Manual SJ-PM-TF-Luna A05, section 5.4 and appendix I, "9-byte/cm". 115200
//! baud, 8N1; a frame every 10 ms by itself: 0x59 0x59, distance in cm, strength, temperature (low
//! bytes first), the low byte of their sum.

use embedded_hal::delay::DelayNs;
use embedded_io::{Read, ReadReady};

use crate::Error;
use crate::uart::{self, Format, Framer};

pub const BAUD: u32 = 115_200;
/// Ten frames.
const PATIENCE_MS: u32 = 100;
/// Below it, or when it is 65535, the distance is not to be relied on (section 5.4).
const WEAKEST: u16 = 100;
const OVEREXPOSED: u16 = 0xFFFF;
/// Operating range, section 3: 0.2 to 8 m.
const NEAREST_CM: u16 = 20;
const FARTHEST_CM: u16 = 800;

/// How its frames look.
pub const FORMAT: Format<9> = Format {
    head: &[0x59, 0x59],
    is_whole: |frame| uart::sum(&frame[..8]).to_le_bytes()[0] == frame[8],
};

/// How far something is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    pub distance_mm: u16,
    /// How much light comes back; the weaker, the less sure.
    pub strength: u16,
    /// Of the chip, not of the air.
    pub chip_temperature_deg_c: f32,
}

/// What a frame means; none where the light is too weak, too strong, or the thing too near or far.
pub fn parse(frame: [u8; 9]) -> Option<Reading> {
    let word = |at: usize| u16::from_le_bytes([frame[at], frame[at + 1]]);
    let (distance_cm, strength) = (word(2), word(4));
    let is_sure = (WEAKEST..OVEREXPOSED).contains(&strength);
    let is_near = (NEAREST_CM..=FARTHEST_CM).contains(&distance_cm);
    (is_sure && is_near).then(|| Reading {
        distance_mm: distance_cm * 10,
        strength,
        chip_temperature_deg_c: f32::from(word(6)) / 8.0 - 256.0,
    })
}

/// One sensor on a UART.
pub struct TfLuna<U> {
    uart: U,
    framer: Framer<9>,
}

impl<U> TfLuna<U> {
    pub fn new(uart: U) -> Self {
        Self { uart, framer: Framer::new(FORMAT) }
    }
}

impl<U: Read + ReadReady> TfLuna<U> {
    /// The next frame, a tenth of a second at most.
    pub fn read(&mut self, delay: &mut impl DelayNs) -> Result<Reading, Error<U::Error>> {
        let frame = uart::read_frame(&mut self.uart, &mut self.framer, delay, PATIENCE_MS)?;
        parse(frame).ok_or(Error::NoMeasurement)
    }
}

#[cfg(feature = "async")]
impl<U: embedded_io_async::Read> TfLuna<U> {
    /// The same without blocking.
    pub async fn read_async(
        &mut self,
        delay: &mut impl embedded_hal_async::delay::DelayNs,
    ) -> Result<Reading, Error<U::Error>> {
        let (uart, framer) = (&mut self.uart, &mut self.framer);
        let frame = uart::read_frame_async(uart, framer, delay, PATIENCE_MS).await?;
        parse(frame).ok_or(Error::NoMeasurement)
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::delay::NoopDelay;

    use super::*;
    use crate::stand_in::Uart;

    #[test]
    fn a_frame_becomes_a_distance_a_strength_and_a_temperature() {
        // 250 cm, strength 800, (25 + 256) * 8 = 2248.
        let expected = Reading { distance_mm: 2_500, strength: 800, chip_temperature_deg_c: 25.0 };
        assert_eq!(read(&frame(250, 800)), Ok(expected));
    }

    #[test]
    fn a_distance_that_the_maker_does_not_vouch_for_is_none() {
        let cases = [
            ("too little light", frame(250, 99), false),
            ("just enough", frame(250, 100), true),
            ("overexposed", frame(250, 0xFFFF), false),
            ("nearer than it can", frame(19, 800), false),
            ("farther than it can", frame(801, 800), false),
            ("at its farthest", frame(800, 800), true),
        ];
        for (why, wire, is_told) in cases {
            let outcome = read(&wire);
            assert_eq!(outcome.is_ok(), is_told, "{why}");
            assert!(is_told || outcome == Err(Error::NoMeasurement), "{why}");
        }
    }

    #[test]
    fn a_head_within_a_frame_does_not_mislead() {
        // 0x59 0x59 as the strength, and the reader comes in right before it.
        let wire = frame(250, 0x5959);
        assert_eq!(read(&[&wire[4..], &wire].concat()).map(|r| r.strength), Ok(0x5959));
    }

    #[test]
    fn damage_and_silence_are_told_apart() {
        let mut damaged = frame(250, 800);
        damaged[3] ^= 1;
        assert_eq!(read(&damaged), Err(Error::Checksum));
        assert_eq!(read(&[]), Err(Error::Silent));
    }

    fn frame(distance_cm: u16, strength: u16) -> [u8; 9] {
        let mut frame = [0x59; 9];
        frame[2..4].copy_from_slice(&distance_cm.to_le_bytes());
        frame[4..6].copy_from_slice(&strength.to_le_bytes());
        frame[6..8].copy_from_slice(&2_248_u16.to_le_bytes());
        frame[8] = uart::sum(&frame[..8]).to_le_bytes()[0];
        frame
    }

    fn read(wire: &[u8]) -> Result<Reading, Error<core::convert::Infallible>> {
        TfLuna::new(Uart::new(wire)).read(&mut NoopDelay)
    }
}
