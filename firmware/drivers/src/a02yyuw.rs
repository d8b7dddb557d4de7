//! DYP `A02YYUW` (`SEN0311` of DFRobot): waterproof ultrasonic distance over a UART, for bins and bays.
//!
//! Source: the product's wiki page "SEN0311", UART Output Form. 9600 baud, 8N1; it talks by itself,
//! a frame every 100 to 300 ms: 0xFF, distance in mm (high byte first), the low byte of their sum.

use embedded_hal::delay::DelayNs;
use embedded_io::{Read, ReadReady};

use crate::Error;
use crate::uart::{self, Format, Framer};

pub const BAUD: u32 = 9_600;
/// Three frames at its slowest.
const PATIENCE_MS: u32 = 1_000;
/// Nearer it hears its own call, farther nothing (specification: 3 to 450 cm).
const NEAREST_MM: u16 = 30;
const FARTHEST_MM: u16 = 4_500;

/// How its frames look.
pub const FORMAT: Format<4> =
    Format { head: &[0xFF], is_whole: |frame| uart::sum(&frame[..3]).to_le_bytes()[0] == frame[3] };

/// How far something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub distance_mm: u16,
}

/// What a frame means; none where there is no echo or one from too near.
pub fn parse(frame: [u8; 4]) -> Option<Reading> {
    let distance_mm = u16::from_be_bytes([frame[1], frame[2]]);
    (NEAREST_MM..=FARTHEST_MM).contains(&distance_mm).then_some(Reading { distance_mm })
}

/// One sensor on a UART.
pub struct A02yyuw<U> {
    uart: U,
    framer: Framer<4>,
}

impl<U> A02yyuw<U> {
    pub fn new(uart: U) -> Self {
        Self { uart, framer: Framer::new(FORMAT) }
    }
}

impl<U: Read + ReadReady> A02yyuw<U> {
    /// The next frame, a second at most.
    pub fn read(&mut self, delay: &mut impl DelayNs) -> Result<Reading, Error<U::Error>> {
        let frame = uart::read_frame(&mut self.uart, &mut self.framer, delay, PATIENCE_MS)?;
        parse(frame).ok_or(Error::NoMeasurement)
    }
}

#[cfg(feature = "async")]
impl<U: embedded_io_async::Read> A02yyuw<U> {
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

    /// The wiki's own example: 0x07A1, so 1953 mm.
    const EXAMPLE: [u8; 4] = [0xFF, 0x07, 0xA1, 0xA7];

    #[test]
    fn the_makers_example_comes_out() {
        assert_eq!(read(&EXAMPLE), Ok(Reading { distance_mm: 1_953 }));
    }

    #[test]
    fn who_comes_in_late_waits_for_the_next_frame() {
        let wire = [&EXAMPLE[2..], &EXAMPLE].concat();
        assert_eq!(read(&wire), Ok(Reading { distance_mm: 1_953 }));
    }

    #[test]
    fn what_is_not_measured_is_not_told() {
        assert_eq!(read(&[0xFF, 0x07, 0xA1, 0xA8]), Err(Error::Checksum));
        assert_eq!(read(&[]), Err(Error::Silent));
        assert_eq!(read(&[0xFF, 0, 0, 0xFF]), Err(Error::NoMeasurement), "no echo");
        assert_eq!(read(&[0xFF, 0x11, 0x95, 0xA5]), Err(Error::NoMeasurement), "4501 mm");
        assert_eq!(read(&[0xFF, 0x11, 0x94, 0xA4]), Ok(Reading { distance_mm: 4_500 }));
    }

    fn read(wire: &[u8]) -> Result<Reading, Error<core::convert::Infallible>> {
        A02yyuw::new(Uart::new(wire)).read(&mut NoopDelay)
    }
}
