//! Avia HX711: the bridge of a load cell over two pins.
//!
//! Source: HX711 datasheet, "Serial interface" and table 3. DOUT falls when a measurement is there; 24
//! pulses on SCK bring it, highest bit first; a 25th asks for channel A at gain 128 next and has DOUT
//! rise. SCK must not stay high for longer than 60 us, or the chip goes to sleep: a node reads it with
//! its interrupts held off. The box cannot: its clock is no such thing. The kernel has a driver of its own,
//! under IIO, and the gateway reads nothing from there, so a load cell hangs on a node.
//!
//! The crate `hx711` waits without end for a chip that is not there, and so does not stand here.

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{InputPin, OutputPin};

use crate::Error;

/// Ten measurements a second, four of them until it has settled (table "settling time").
const SETTLES_FOR_MS: u32 = 400;
/// 0.2 us at least, 50 us at most (figure 2, T3 and T4).
const PULSE_US: u32 = 1;
/// Longer than 60 us sends it to sleep (section "Reset and power-down").
const SLEEP_US: u32 = 70;

/// What the bridge says: a number that grows with the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub counts: i32,
}

/// 24 bits as they come; none where the bridge is beyond what the chip can measure.
pub fn parse(bits: u32) -> Option<Reading> {
    // Section "Output data": saturated it says 0x7FFFFF or 0x800000.
    if matches!(bits & 0x00FF_FFFF, 0x7F_FFFF | 0x80_0000) {
        return None;
    }
    // The sign stands in bit 23.
    Some(Reading { counts: (bits << 8).cast_signed() >> 8 })
}

/// How counts become kilograms: two weighings, one of them with nothing in the bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    zero_counts: i32,
    counts_per_kg: f32,
}

impl Scale {
    /// None when the two weighings do not differ enough to tell a kilogram from noise.
    pub fn of(empty: Reading, loaded: Reading, load_kg: f32) -> Option<Self> {
        #[expect(clippy::cast_precision_loss, reason = "24 bits fit into the fraction of an f32")]
        let counts_per_kg = (loaded.counts - empty.counts) as f32 / load_kg;
        // Noise is some 100 counts.
        let is_usable = load_kg > 0.0 && counts_per_kg.is_finite() && counts_per_kg.abs() > 100.0;
        is_usable.then_some(Self { zero_counts: empty.counts, counts_per_kg })
    }

    /// What hangs on the cell.
    pub fn mass_kg(&self, reading: Reading) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "24 bits fit into the fraction of an f32")]
        let load = (reading.counts - self.zero_counts) as f32;
        load / self.counts_per_kg
    }
}

/// One chip on two pins. The pins have one error type, as pins of one port do.
pub struct Hx711<IN, OUT> {
    data: IN,
    clock: OUT,
}

impl<E, IN: InputPin<Error = E>, OUT: OutputPin<Error = E>> Hx711<IN, OUT> {
    pub fn new(data: IN, clock: OUT) -> Self {
        Self { data, clock }
    }

    /// The next measurement, 0.4 s at most.
    pub fn read(&mut self, delay: &mut impl DelayNs) -> Result<Reading, Error<E>> {
        self.clock.set_low().map_err(Error::Bus)?;
        let mut waited_ms = 0;
        while self.data.is_high().map_err(Error::Bus)? {
            if waited_ms == SETTLES_FOR_MS {
                return Err(Error::Silent);
            }
            delay.delay_ms(1);
            waited_ms += 1;
        }
        self.shift(delay)
    }

    /// Puts it to sleep and wakes it, which also ends whatever it was confused by.
    pub fn reset(&mut self, delay: &mut impl DelayNs) -> Result<(), Error<E>> {
        self.clock.set_high().map_err(Error::Bus)?;
        delay.delay_us(SLEEP_US);
        self.clock.set_low().map_err(Error::Bus)
    }

    fn shift(&mut self, delay: &mut impl DelayNs) -> Result<Reading, Error<E>> {
        let mut bits = 0;
        for _ in 0..24 {
            bits = bits << 1 | u32::from(self.pulse(delay)?);
        }
        // Data stays low where nobody drives it: a wire that is off, or shorted.
        if !self.pulse(delay)? {
            return Err(Error::Checksum);
        }
        parse(bits).ok_or(Error::NoMeasurement)
    }

    /// Whether data is high after a pulse.
    fn pulse(&mut self, delay: &mut impl DelayNs) -> Result<bool, Error<E>> {
        self.clock.set_high().map_err(Error::Bus)?;
        delay.delay_us(PULSE_US);
        self.clock.set_low().map_err(Error::Bus)?;
        delay.delay_us(PULSE_US);
        self.data.is_high().map_err(Error::Bus)
    }
}

#[cfg(feature = "async")]
impl<E, IN: InputPin<Error = E>, OUT: OutputPin<Error = E>> Hx711<IN, OUT> {
    /// Waits without blocking; the 25 pulses, some 50 us, are made at one go, as they must be.
    pub async fn read_async(
        &mut self,
        wait: &mut impl embedded_hal_async::delay::DelayNs,
        delay: &mut impl DelayNs,
    ) -> Result<Reading, Error<E>> {
        self.clock.set_low().map_err(Error::Bus)?;
        let mut waited_ms = 0;
        while self.data.is_high().map_err(Error::Bus)? {
            if waited_ms == SETTLES_FOR_MS {
                return Err(Error::Silent);
            }
            wait.delay_ms(1).await;
            waited_ms += 1;
        }
        self.shift(delay)
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};
    use std::vec;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn twenty_four_bits_come_highest_first_and_a_pulse_ends_them() {
        let outcome = read(2, 0x12_3456, true);
        assert_eq!(outcome, Ok(Reading { counts: 0x12_3456 }));
    }

    #[test]
    fn a_number_below_zero_is_one() {
        assert_eq!(read(0, 0xFF_FFFE, true), Ok(Reading { counts: -2 }));
        assert_eq!(parse(0x80_0001), Some(Reading { counts: -8_388_607 }));
    }

    #[test]
    fn both_ends_of_the_scale_are_no_measurement() {
        assert_eq!(read(0, 0x7F_FFFF, true), Err(Error::NoMeasurement));
        assert_eq!(read(0, 0x80_0000, true), Err(Error::NoMeasurement));
    }

    #[test]
    fn a_chip_that_is_not_there_is_silent() {
        let waits = usize::try_from(SETTLES_FOR_MS).unwrap() + 1;
        let mut data = Mock::new(&vec![Transaction::get(State::High); waits]);
        let mut clock = Mock::new(&[Transaction::set(State::Low)]);

        let outcome = Hx711::new(data.clone(), clock.clone()).read(&mut NoopDelay);

        assert_eq!(outcome, Err(Error::Silent));
        data.done();
        clock.done();
    }

    #[test]
    fn a_shorted_wire_is_not_a_weight_of_nothing() {
        assert_eq!(read(0, 0, false), Err(Error::Checksum));
        assert_eq!(read(0, 0, true), Ok(Reading { counts: 0 }));
    }

    #[test]
    fn a_reset_is_a_pulse_too_long() {
        let mut data = Mock::new(&[]);
        let mut clock = Mock::new(&[Transaction::set(State::High), Transaction::set(State::Low)]);

        assert_eq!(Hx711::new(data.clone(), clock.clone()).reset(&mut NoopDelay), Ok(()));

        data.done();
        clock.done();
    }

    #[test]
    fn two_weighings_make_a_scale() {
        let reading = |counts| Reading { counts };
        let scale = Scale::of(reading(8_400), reading(218_400), 10.0).unwrap();

        assert!((scale.mass_kg(reading(50_400)) - 2.0).abs() < 0.000_1);
        assert!((scale.mass_kg(reading(-12_600)) + 1.0).abs() < 0.000_1);
        // A cell that hangs the wrong way round counts down.
        let turned = Scale::of(reading(0), reading(-210_000), 10.0).unwrap();
        assert!((turned.mass_kg(reading(-42_000)) - 2.0).abs() < 0.000_1);
        assert_eq!(Scale::of(reading(8_400), reading(8_500), 10.0), None, "nothing was put in");
        assert_eq!(Scale::of(reading(0), reading(210_000), 0.0), None);
    }

    #[cfg(feature = "async")]
    #[test]
    fn the_async_twin_says_the_same() {
        let (mut data, mut clock) = pins(3, 0x12_3456, true);
        let mut chip = Hx711::new(data.clone(), clock.clone());

        let outcome = crate::stand_in::block_on(chip.read_async(&mut NoopDelay, &mut NoopDelay));

        assert_eq!(outcome, Ok(Reading { counts: 0x12_3456 }));
        data.done();
        clock.done();
    }

    fn read(
        waits: usize,
        bits: u32,
        ends_high: bool,
    ) -> Result<Reading, Error<embedded_hal_mock::eh1::MockError>> {
        let (mut data, mut clock) = pins(waits, bits, ends_high);
        let outcome = Hx711::new(data.clone(), clock.clone()).read(&mut NoopDelay);
        data.done();
        clock.done();
        outcome
    }

    /// Data that is high for so many looks, then low, then the bits; and the clock that goes with it.
    fn pins(waits: usize, bits: u32, ends_high: bool) -> (Mock, Mock) {
        let get = |is_high| Transaction::get(if is_high { State::High } else { State::Low });
        let mut data: Vec<_> = vec![get(true); waits];
        data.push(get(false));
        data.extend((0..24).rev().map(|bit| get(bits >> bit & 1 == 1)));
        data.push(get(ends_high));
        let mut clock = vec![Transaction::set(State::Low)];
        for _ in 0..25 {
            clock.extend([Transaction::set(State::High), Transaction::set(State::Low)]);
        }
        (Mock::new(&data), Mock::new(&clock))
    }
}
