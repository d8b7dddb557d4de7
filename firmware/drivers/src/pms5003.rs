//! Plantower PMS5003: particles in the air over a UART.
//!
//! Source: "PMS5003 series data manual", version 2.3 (2016), appendix I and II. 9600 baud, 8N1. By
//! itself it sends a frame every 0.2 to 2.3 s: "BM", length 28, 13 words (high byte first), the sum of
//! all bytes before. After power-on or waking, the fan needs 30 s before a measurement is one
//! (section "Circuit attentions"): who wakes it waits.

use embedded_hal::delay::DelayNs;
use embedded_io::{Read, ReadReady, Write};

use crate::Error;
use crate::uart::{self, Format, Framer};

pub const BAUD: u32 = 9_600;
/// From waking until a measurement can be believed.
pub const WARMS_UP_FOR_MS: u32 = 30_000;
/// One frame at its slowest, and some more.
const PATIENCE_MS: u32 = 3_000;
/// Effective range of PM2.5, section "Technical index": 0 to 500 ug/m3, at least 1000 at most.
const MOST_UG_M3: u16 = 1_000;

/// How its frames look: 2 x 13 bytes of words and 2 of sum follow the length.
pub const FORMAT: Format<32> = Format {
    head: &[0x42, 0x4D, 0x00, 28],
    is_whole: |frame| uart::sum(&frame[..30]) == u16::from_be_bytes([frame[30], frame[31]]),
};

/// What floats in the air, in the air as it is (data 4 to 6, "under atmospheric environment").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub pm1_0_ug_m3: u16,
    pub pm2_5_ug_m3: u16,
    pub pm10_ug_m3: u16,
    /// Particles in 0.1 l of air, over 0.3, 0.5, 1.0, 2.5, 5.0 and 10 um.
    pub particles_per_0_1_l: [u16; 6],
}

/// What a frame means; none when it is beyond what the sensor can measure.
pub fn parse(frame: [u8; 32]) -> Option<Reading> {
    // Data 1 stands at byte 4.
    let data = |number: usize| u16::from_be_bytes([frame[2 + 2 * number], frame[3 + 2 * number]]);
    let (fine, medium, coarse) = (data(4), data(5), data(6));
    // The larger the particle, the fewer: what says otherwise is no count.
    let particles_per_0_1_l = core::array::from_fn(|size| data(7 + size));
    let is_possible = medium <= MOST_UG_M3
        && fine <= medium
        && medium <= coarse
        && particles_per_0_1_l.is_sorted_by(|larger, smaller| larger >= smaller);
    is_possible.then_some(Reading {
        pm1_0_ug_m3: fine,
        pm2_5_ug_m3: medium,
        pm10_ug_m3: coarse,
        particles_per_0_1_l,
    })
}

/// What it can be told (appendix II).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Fan and laser off.
    Sleep,
    Wake,
    /// Speak by itself, as after power-on.
    Active,
    /// Speak when asked.
    Passive,
    /// Ask, in passive mode.
    Read,
}

/// A command as it goes out: "BM", what, two bytes, the sum of all bytes before.
pub fn command(command: Command) -> [u8; 7] {
    let (what, value) = match command {
        Command::Read => (0xE2, 0),
        Command::Passive => (0xE1, 0),
        Command::Active => (0xE1, 1),
        Command::Sleep => (0xE4, 0),
        Command::Wake => (0xE4, 1),
    };
    let mut bytes = [0x42, 0x4D, what, 0, value, 0, 0];
    let sum = uart::sum(&bytes[..5]);
    bytes[5..].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// One sensor on a UART.
pub struct Pms5003<U> {
    uart: U,
    framer: Framer<32>,
}

impl<U> Pms5003<U> {
    pub fn new(uart: U) -> Self {
        Self { uart, framer: Framer::new(FORMAT) }
    }
}

impl<U: Read + ReadReady> Pms5003<U> {
    /// The next frame, 3 s at most.
    pub fn read(&mut self, delay: &mut impl DelayNs) -> Result<Reading, Error<U::Error>> {
        let frame = uart::read_frame(&mut self.uart, &mut self.framer, delay, PATIENCE_MS)?;
        parse(frame).ok_or(Error::NoMeasurement)
    }
}

impl<U: Write> Pms5003<U> {
    /// Tells it something. What came before is no answer.
    pub fn tell(&mut self, what: Command) -> Result<(), Error<U::Error>> {
        self.framer.clear();
        self.uart.write_all(&command(what)).map_err(Error::Bus)?;
        self.uart.flush().map_err(Error::Bus)
    }
}

#[cfg(feature = "async")]
impl<U: embedded_io_async::Read> Pms5003<U> {
    /// The same as [`Pms5003::read`] without blocking.
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
    use proptest::prelude::*;

    use super::*;
    use crate::stand_in::Uart;

    #[test]
    fn the_words_stand_where_the_manual_says() {
        // Appendix I: data 1 to 3 for the factory, 4 to 6 for the air, 7 to 12 counts, 13 reserved.
        let wire = frame([20, 31, 35, 18, 27, 30, 4_500, 1_300, 210, 25, 6, 2, 0x9700]);

        let expected = Reading {
            pm1_0_ug_m3: 18,
            pm2_5_ug_m3: 27,
            pm10_ug_m3: 30,
            particles_per_0_1_l: [4_500, 1_300, 210, 25, 6, 2],
        };
        assert_eq!(read(&wire), Ok(expected));
    }

    #[test]
    fn what_cannot_be_is_no_measurement() {
        let good = [20, 31, 35, 18, 27, 30, 4_500, 1_300, 210, 25, 6, 2, 0];
        let with = |number: usize, value| {
            let mut data = good;
            data[number - 1] = value;
            read(&frame(data))
        };

        assert!(read(&frame(good)).is_ok());
        assert_eq!(with(5, 1_001), Err(Error::NoMeasurement), "more than it can measure");
        assert_eq!(with(6, 20), Err(Error::NoMeasurement), "less PM10 than PM2.5");
        assert_eq!(with(12, 9), Err(Error::NoMeasurement), "more large than small particles");
    }

    #[test]
    fn damage_silence_and_another_model_are_not_read() {
        let mut damaged = frame([1; 13]);
        damaged[10] ^= 0x40;
        // The PMS3003 sends 20 bytes after its length: nothing here begins like that.
        let other = [0x42, 0x4D, 0x00, 20, 0, 1, 0, 2, 0, 3];

        assert_eq!(read(&damaged), Err(Error::Checksum));
        assert_eq!(read(&[]), Err(Error::Silent));
        assert_eq!(read(&other), Err(Error::Silent));
    }

    #[test]
    fn commands_go_out_with_their_sum() {
        let cases = [
            (Command::Read, [0x42, 0x4D, 0xE2, 0, 0, 0x01, 0x71]),
            (Command::Passive, [0x42, 0x4D, 0xE1, 0, 0, 0x01, 0x70]),
            (Command::Active, [0x42, 0x4D, 0xE1, 0, 1, 0x01, 0x71]),
            (Command::Sleep, [0x42, 0x4D, 0xE4, 0, 0, 0x01, 0x73]),
            (Command::Wake, [0x42, 0x4D, 0xE4, 0, 1, 0x01, 0x74]),
        ];
        for (what, expected) in cases {
            let mut sensor = Pms5003::new(Uart::new(&[]));
            assert_eq!(sensor.tell(what), Ok(()));
            assert_eq!(sensor.uart.told, expected, "{what:?}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_byte_is_never_read(at in 4..32_usize, by in 1..=255_u8) {
            let mut wire = frame([20, 31, 35, 18, 27, 30, 4_500, 1_300, 210, 25, 6, 2, 0]);
            wire[at] ^= by;
            prop_assert_eq!(read(&wire), Err(Error::Checksum));
        }
    }

    fn frame(data: [u16; 13]) -> [u8; 32] {
        let mut frame = [0; 32];
        frame[..4].copy_from_slice(FORMAT.head);
        for (place, word) in frame[4..30].chunks_mut(2).zip(data) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        let sum = uart::sum(&frame[..30]);
        frame[30..].copy_from_slice(&sum.to_be_bytes());
        frame
    }

    fn read(wire: &[u8]) -> Result<Reading, Error<core::convert::Infallible>> {
        Pms5003::new(Uart::new(wire)).read(&mut NoopDelay)
    }
}
