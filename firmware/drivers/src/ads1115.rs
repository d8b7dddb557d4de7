//! TI ADS1115: four voltages over I2C, spoken with by the crate `ads1x1x`.
//!
//! Source: datasheet SBAS444E. One conversion per reading, 128 a second, at 4.096 V full scale: what a
//! 165 ohm shunt or a gas sensor's divider gives at a supply of 3.3 V.

pub use ads1x1x::TargetAddr as Address;
use ads1x1x::ic::{Ads1115 as Ic, Resolution16Bit};
use ads1x1x::mode::OneShot;
use ads1x1x::{Ads1x1x, Error as Fault, FullScaleRange, channel};
use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::Error;

/// Section 9.3.3, table 9-3: 4.096 V is 32768 counts.
const VOLTS_PER_COUNT: f32 = 4.096 / 32_768.0;
/// A conversion takes 7.8 ms (128 a second), 10 % more at most (section 7.5).
const PATIENCE_MS: u32 = 20;

/// One of its four inputs, against ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    A0,
    A1,
    A2,
    A3,
}

/// One voltage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    pub volts: f32,
}

/// One chip on a bus.
pub struct Ads1115<I2C> {
    chip: Ads1x1x<I2C, Ic, Resolution16Bit, OneShot>,
    is_set: bool,
}

impl<I2C: I2c> Ads1115<I2C> {
    pub fn new(i2c: I2C, address: Address) -> Self {
        Self { chip: Ads1x1x::new_ads1115(i2c, address), is_set: false }
    }

    /// Measures one input, 20 ms at most. [`Error::NoMeasurement`] when it is beyond full scale.
    pub fn read(
        &mut self,
        channel: Channel,
        delay: &mut impl DelayNs,
    ) -> Result<Reading, Error<I2C::Error>> {
        if !self.is_set {
            self.chip.set_full_scale_range(FullScaleRange::Within4_096V).map_err(fault)?;
            self.is_set = true;
        }
        let outcome = self.convert(channel, delay);
        // It may have lost its supply, and its settings with it.
        self.is_set = outcome.is_ok();
        match outcome? {
            i16::MAX => Err(Error::NoMeasurement),
            counts => Ok(Reading { volts: f32::from(counts) * VOLTS_PER_COUNT }),
        }
    }

    fn convert(
        &mut self,
        channel: Channel,
        delay: &mut impl DelayNs,
    ) -> Result<i16, Error<I2C::Error>> {
        let mut is_started = false;
        for _ in 0..PATIENCE_MS {
            let outcome = match channel {
                Channel::A0 => self.chip.read(channel::SingleA0),
                Channel::A1 => self.chip.read(channel::SingleA1),
                Channel::A2 => self.chip.read(channel::SingleA2),
                Channel::A3 => self.chip.read(channel::SingleA3),
            };
            match outcome {
                Ok(counts) if is_started => return Ok(counts),
                // Of a conversion that an earlier call gave up waiting for.
                Ok(_old) => {}
                Err(nb::Error::WouldBlock) => {
                    is_started = true;
                    delay.delay_ms(1);
                }
                Err(nb::Error::Other(error)) => return Err(fault(error)),
            }
        }
        Err(Error::Silent)
    }
}

/// The chip's address as the bus knows it; none for one that no ADS1115 has (section 9.5.1.1).
pub fn address(address: u8) -> Option<Address> {
    match address {
        0x48 => Some(Address::Gnd),
        0x49 => Some(Address::Vdd),
        0x4A => Some(Address::Sda),
        0x4B => Some(Address::Scl),
        _ => None,
    }
}

fn fault<E>(fault: Fault<E>) -> Error<E> {
    match fault {
        Fault::I2C(error) => Error::Bus(error),
        Fault::InvalidInputData => Error::NoMeasurement,
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::vec;
    use std::vec::Vec;

    use super::*;

    /// Section 9.6.3: 4.096 V, single shot, 128 a second, comparator off. Bit 15 starts a conversion, and
    /// reads as "at rest".
    const RANGE: [u8; 3] = [0x01, 0x83, 0x83];

    #[test]
    fn counts_become_volts() {
        // 0x5DC0 = 24000 counts of 125 uV.
        let mut i2c = Mock::new(&[range(), start(0xC3), busy(), done(0x5DC0)].concat());

        let reading = Ads1115::new(&mut i2c, Address::Gnd).read(Channel::A0, &mut NoopDelay);

        assert!((reading.unwrap().volts - 3.0).abs() < 0.000_1);
        i2c.done();
    }

    #[test]
    fn each_input_is_asked_for_by_its_own_bits() {
        for (channel, high) in [(Channel::A1, 0xD3), (Channel::A2, 0xE3), (Channel::A3, 0xF3)] {
            let mut i2c = Mock::new(&[range(), start(high), done(8)].concat());
            let reading = Ads1115::new(&mut i2c, Address::Gnd).read(channel, &mut NoopDelay);
            assert_eq!(reading, Ok(Reading { volts: 0.001 }));
            i2c.done();
        }
    }

    #[test]
    fn beyond_full_scale_is_no_voltage() {
        let mut i2c = Mock::new(&[range(), start(0xC3), done(0x7FFF)].concat());

        let reading = Ads1115::new(&mut i2c, Address::Gnd).read(Channel::A0, &mut NoopDelay);

        assert_eq!(reading, Err(Error::NoMeasurement));
        i2c.done();
    }

    #[test]
    fn who_never_ends_is_silent_and_its_late_answer_is_not_taken() {
        let busy_for = |looks: u32| (0..looks).flat_map(|_| busy()).collect::<Vec<_>>();
        // It remembers which input it looked at last.
        let again = vec![Transaction::write(0x48, vec![0x01, 0xC3, 0x83])];
        let mut i2c = Mock::new(
            &[
                range(),
                start(0xC3),
                busy_for(PATIENCE_MS - 1),
                again,
                done(0x1111),
                start(0xC3),
                done(0x5DC0),
            ]
            .concat(),
        );
        let mut chip = Ads1115::new(i2c.clone(), Address::Gnd);

        assert_eq!(chip.read(Channel::A0, &mut NoopDelay), Err(Error::Silent));
        assert!((chip.read(Channel::A0, &mut NoopDelay).unwrap().volts - 3.0).abs() < 0.000_1);

        i2c.done();
    }

    #[test]
    fn an_empty_address_is_a_bus_error() {
        let nobody = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        let mut i2c = Mock::new(&[Transaction::write(0x4B, RANGE.to_vec()).with_error(nobody)]);

        let outcome =
            Ads1115::new(&mut i2c, address(0x4B).unwrap()).read(Channel::A0, &mut NoopDelay);

        assert_eq!(outcome, Err(Error::Bus(nobody)));
        i2c.done();
    }

    fn range() -> Vec<Transaction> {
        vec![Transaction::write(0x48, RANGE.to_vec())]
    }

    fn start(high: u8) -> Vec<Transaction> {
        vec![
            Transaction::write_read(0x48, vec![0x01], vec![0x83, 0x83]),
            Transaction::write(0x48, vec![0x01, high, 0x83]),
        ]
    }

    fn busy() -> Vec<Transaction> {
        vec![Transaction::write_read(0x48, vec![0x01], vec![0x03, 0x83])]
    }

    fn done(counts: u16) -> Vec<Transaction> {
        vec![
            Transaction::write_read(0x48, vec![0x01], vec![0x83, 0x83]),
            Transaction::write_read(0x48, vec![0x00], counts.to_be_bytes().to_vec()),
        ]
    }
}
