//! Sensirion SHT30, SHT31, SHT35: temperature and humidity over I2C.
//!
//! Source: Datasheet SHT3x-DIS, version 7 (December 2022). One single-shot measurement of high
//! repeatability per reading, so the chip sleeps in between. The
//! chip has no identity register.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::Error;
use crate::crc;

/// The address with the pin ADDR low; 0x45 with it high (section 3.4, table 8).
pub const ADDRESS: u8 = 0x44;
/// Single shot, high repeatability, no clock stretching (section 4.3, table 9).
const MEASURE: [u8; 2] = [0x24, 0x00];
/// Section 2.2, table 4: at most 15.5 ms.
const MEASURES_FOR_MS: u32 = 16;

/// What the air is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    pub temperature_deg_c: f32,
    pub humidity_percent: f32,
}

/// What six bytes of answer mean; none when they are damaged (section 4.13).
pub fn parse(raw: &[u8; 6]) -> Option<Reading> {
    let [temperature, humidity] = crc::words(raw)?;
    Some(Reading {
        temperature_deg_c: -45.0 + 175.0 * f32::from(temperature) / 65535.0,
        humidity_percent: 100.0 * f32::from(humidity) / 65535.0,
    })
}

/// One sensor on a bus.
pub struct Sht3x<I2C> {
    i2c: I2C,
    address: u8,
}

impl<I2C> Sht3x<I2C> {
    pub fn new(i2c: I2C, address: u8) -> Self {
        Self { i2c, address }
    }
}

impl<I2C: I2c> Sht3x<I2C> {
    /// Measures once, sleeping through it.
    pub fn read(&mut self, delay: &mut impl DelayNs) -> Result<Reading, Error<I2C::Error>> {
        let mut raw = [0; 6];
        self.i2c.write(self.address, &MEASURE).map_err(Error::Bus)?;
        delay.delay_ms(MEASURES_FOR_MS);
        self.i2c.read(self.address, &mut raw).map_err(Error::Bus)?;
        parse(&raw).ok_or(Error::Checksum)
    }
}

#[cfg(feature = "async")]
impl<I2C: embedded_hal_async::i2c::I2c> Sht3x<I2C> {
    /// The same without blocking.
    pub async fn read_async(
        &mut self,
        delay: &mut impl embedded_hal_async::delay::DelayNs,
    ) -> Result<Reading, Error<I2C::Error>> {
        let mut raw = [0; 6];
        self.i2c.write(self.address, &MEASURE).await.map_err(Error::Bus)?;
        delay.delay_ms(MEASURES_FOR_MS).await;
        self.i2c.read(self.address, &mut raw).await.map_err(Error::Bus)?;
        parse(&raw).ok_or(Error::Checksum)
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::vec;

    use super::*;

    /// 0xBEEF is the datasheet's own word (section 4.12); so much of 65535 is 74.58 %.
    const RAW: [u8; 6] = [0xBE, 0xEF, 0x92, 0xBE, 0xEF, 0x92];

    #[test]
    fn a_measurement_is_asked_for_and_read() {
        let mut i2c = Mock::new(&[
            Transaction::write(0x44, vec![0x24, 0x00]),
            Transaction::read(0x44, RAW.to_vec()),
        ]);

        let reading = Sht3x::new(&mut i2c, ADDRESS).read(&mut NoopDelay).unwrap();

        assert!((reading.temperature_deg_c - 85.523).abs() < 0.001, "{reading:?}");
        assert!((reading.humidity_percent - 74.584).abs() < 0.001, "{reading:?}");
        i2c.done();
    }

    #[test]
    fn a_damaged_word_is_reported_and_not_guessed() {
        let mut raw = RAW;
        raw[5] ^= 1;
        let mut i2c = Mock::new(&[
            Transaction::write(0x45, vec![0x24, 0x00]),
            Transaction::read(0x45, raw.to_vec()),
        ]);

        let outcome = Sht3x::new(&mut i2c, 0x45).read(&mut NoopDelay);

        assert_eq!(outcome, Err(Error::Checksum));
        i2c.done();
    }

    #[test]
    fn an_empty_address_is_a_bus_error() {
        let nobody = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        let mut i2c = Mock::new(&[Transaction::write(0x44, vec![0x24, 0x00]).with_error(nobody)]);

        let outcome = Sht3x::new(&mut i2c, ADDRESS).read(&mut NoopDelay);

        assert_eq!(outcome, Err(Error::Bus(nobody)));
        i2c.done();
    }

    #[test]
    fn the_ends_of_the_scale_are_those_of_the_formula() {
        let raw = |word: u16| {
            let [high, low] = word.to_be_bytes();
            let crc = crc::crc8(&[high, low]);
            [high, low, crc, high, low, crc]
        };

        let low = Reading { temperature_deg_c: -45.0, humidity_percent: 0.0 };
        let high = Reading { temperature_deg_c: 130.0, humidity_percent: 100.0 };
        assert_eq!(parse(&raw(0)), Some(low));
        assert_eq!(parse(&raw(0xFFFF)), Some(high));
    }

    #[cfg(feature = "async")]
    #[test]
    fn the_async_twin_says_the_same() {
        let mut i2c = Mock::new(&[
            Transaction::write(0x44, vec![0x24, 0x00]),
            Transaction::read(0x44, RAW.to_vec()),
        ]);

        let mut sensor = Sht3x::new(i2c.clone(), ADDRESS);
        let reading = crate::stand_in::block_on(sensor.read_async(&mut NoopDelay));

        assert_eq!(reading, Ok(parse(&RAW).unwrap()));
        i2c.done();
    }
}
