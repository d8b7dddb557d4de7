//! Microchip MCP3208: eight voltages over SPI, against a reference of one's own.
//!
//! Source: datasheet DS21298E. One conversion per reading, clocked by the transfer itself: three bytes
//! (section 6.1, figure 6-1) that end with a null bit and twelve bits of measurement.
//!
//! The chip has no identity and no checksum. Its null bit tells a wire that is pulled up, or driven by
//! somebody else, and nothing tells a data wire that lies at ground from eight inputs at 0 V. An input
//! that never rests at zero, such as 4-20 mA, shows it.

use embedded_hal::spi::{MODE_0, Mode, SpiDevice};

use crate::Error;

/// Section 5.0: modes 0,0 and 1,1.
pub const MODE: Mode = MODE_0;
/// Section 1.0, "Timing Parameters": 2 MHz at a supply of 5 V, 1 MHz at 2.7 V. Below 10 kHz the sampled
/// voltage would leak away (section 6.2).
pub const CLOCK_HZ: u32 = 1_000_000;
/// Twelve bits.
const FULL_SCALE: u16 = 0x0FFF;
const COUNTS: f32 = 4_096.0;
/// In the second byte: what comes before the highest bit of the measurement, always low.
const NULL_BIT: u8 = 0x10;

/// One of its eight inputs, against ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Channel {
    A0,
    A1,
    A2,
    A3,
    A4,
    A5,
    A6,
    A7,
}

/// One voltage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    pub volts: f32,
}

/// What asks for an input: five zeros, the start bit, single-ended, and the input's three bits.
pub fn ask(channel: Channel) -> [u8; 3] {
    let number = channel as u8;
    [0b0000_0110 | number >> 2, number << 6, 0]
}

/// Twelve bits out of the three bytes that came meanwhile; none where the null bit is missing. Nobody
/// drives the wire before it, so what stands there means nothing.
pub fn parse(raw: [u8; 3]) -> Option<u16> {
    let [_, high, low] = raw;
    let counts = u16::from_be_bytes([high, low]) & FULL_SCALE;
    (high & NULL_BIT == 0).then_some(counts)
}

/// One chip at its own select line.
pub struct Mcp3208<SPI> {
    spi: SPI,
    reference_volts: f32,
}

impl<SPI> Mcp3208<SPI> {
    /// `reference_volts` is what stands at the pin VREF.
    pub fn new(spi: SPI, reference_volts: f32) -> Self {
        Self { spi, reference_volts }
    }

    fn reading<E>(&self, raw: [u8; 3]) -> Result<Reading, Error<E>> {
        match parse(raw).ok_or(Error::Silent)? {
            // The reference, or anything above it.
            FULL_SCALE => Err(Error::NoMeasurement),
            counts => Ok(Reading { volts: f32::from(counts) / COUNTS * self.reference_volts }),
        }
    }
}

impl<SPI: SpiDevice> Mcp3208<SPI> {
    /// Measures one input. [`Error::NoMeasurement`] when it is at the reference or above.
    pub fn read(&mut self, channel: Channel) -> Result<Reading, Error<SPI::Error>> {
        let mut raw = ask(channel);
        self.spi.transfer_in_place(&mut raw).map_err(Error::Bus)?;
        self.reading(raw)
    }
}

#[cfg(feature = "async")]
impl<SPI: embedded_hal_async::spi::SpiDevice> Mcp3208<SPI> {
    /// The same without blocking.
    pub async fn read_async(&mut self, channel: Channel) -> Result<Reading, Error<SPI::Error>> {
        let mut raw = ask(channel);
        self.spi.transfer_in_place(&mut raw).await.map_err(Error::Bus)?;
        self.reading(raw)
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::spi::{Mock, Transaction};
    use std::vec;
    use std::vec::Vec;

    use super::*;

    const ALL: [Channel; 8] = [
        Channel::A0,
        Channel::A1,
        Channel::A2,
        Channel::A3,
        Channel::A4,
        Channel::A5,
        Channel::A6,
        Channel::A7,
    ];

    #[test]
    fn counts_become_volts() {
        // 0x800: half the reference. Whatever stands before the null bit is noise.
        for noise in [[0x00, 0x00], [0xFF, 0xE0]] {
            let mut spi = Mock::new(&told([0x06, 0x00, 0x00], [noise[0], noise[1] | 0x08, 0x00]));

            let reading = Mcp3208::new(&mut spi, 3.3).read(Channel::A0);

            assert_eq!(reading, Ok(Reading { volts: 1.65 }));
            spi.done();
        }
    }

    #[test]
    fn each_input_is_asked_for_by_its_own_bits() {
        // Table 5-2 and figure 6-1: start, single-ended, D2 | D1, D0.
        let asked = [
            [0b0000_0110, 0b0000_0000],
            [0b0000_0110, 0b0100_0000],
            [0b0000_0110, 0b1000_0000],
            [0b0000_0110, 0b1100_0000],
            [0b0000_0111, 0b0000_0000],
            [0b0000_0111, 0b0100_0000],
            [0b0000_0111, 0b1000_0000],
            [0b0000_0111, 0b1100_0000],
        ];
        for (channel, [first, second]) in ALL.into_iter().zip(asked) {
            let mut spi = Mock::new(&told([first, second, 0x00], [0x00, 0x00, 0x01]));

            let reading = Mcp3208::new(&mut spi, 4.096).read(channel);

            assert_eq!(reading, Ok(Reading { volts: 0.001 }), "{channel:?}");
            spi.done();
        }
    }

    #[test]
    fn a_wire_that_nobody_pulls_down_is_silence() {
        for raw in [[0xFF; 3], [0x00, 0x10, 0x00]] {
            let mut spi = Mock::new(&told([0x06, 0x00, 0x00], raw));

            let outcome = Mcp3208::new(&mut spi, 3.3).read(Channel::A0);

            assert_eq!(outcome, Err(Error::Silent), "{raw:02x?}");
            spi.done();
        }
    }

    #[test]
    fn all_zeros_are_zero_volts() {
        let mut spi = Mock::new(&told([0x06, 0x00, 0x00], [0x00; 3]));

        let reading = Mcp3208::new(&mut spi, 3.3).read(Channel::A0);

        assert_eq!(reading, Ok(Reading { volts: 0.0 }));
        spi.done();
    }

    #[test]
    fn the_reference_and_beyond_is_no_voltage_and_just_below_is_one() {
        let highest = told([0x07, 0xC0, 0x00], [0x00, 0x0F, 0xFE]);
        let full = told([0x07, 0xC0, 0x00], [0x00, 0x0F, 0xFF]);
        let mut spi = Mock::new(&[highest, full].concat());
        let mut chip = Mcp3208::new(spi.clone(), 4.096);

        assert!((chip.read(Channel::A7).unwrap().volts - 4.094).abs() < 0.000_1);
        assert_eq!(chip.read(Channel::A7), Err(Error::NoMeasurement));

        spi.done();
    }

    #[cfg(feature = "async")]
    #[test]
    fn the_async_twin_says_the_same() {
        let mut spi = Mock::new(&told([0x06, 0x40, 0x00], [0x00, 0x08, 0x00]));
        let mut chip = Mcp3208::new(spi.clone(), 3.3);

        let reading = crate::stand_in::block_on(chip.read_async(Channel::A1));

        assert_eq!(reading, Ok(Reading { volts: 1.65 }));
        spi.done();
    }

    /// One transfer, with the select line held for all of it.
    fn told(asked: [u8; 3], answer: [u8; 3]) -> Vec<Transaction<u8>> {
        vec![
            Transaction::transaction_start(),
            Transaction::transfer_in_place(asked.to_vec(), answer.to_vec()),
            Transaction::transaction_end(),
        ]
    }
}
