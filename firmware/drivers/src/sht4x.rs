//! Sensirion SHT40, SHT41, SHT45: temperature and humidity over I2C, spoken with by the crate `sht4x`.
//!
//! Source: Datasheet `SHT4x`, version 6.5 (2023). Here its words become numbers (section 4.6) and its
//! faults ours.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
pub use sht4x::Address;
use sht4x::{Error as Fault, Precision, SensorData, Sht4x as Chip};

use crate::Error;
pub use crate::sht3x::Reading;

/// One sensor on a bus.
pub struct Sht4x<I2C, D> {
    chip: Chip<I2C, D>,
}

impl<I2C: I2c, D: DelayNs> Sht4x<I2C, D> {
    pub fn new(i2c: I2C, address: Address) -> Self {
        Self { chip: Chip::new_with_address(i2c, address) }
    }

    /// Measures once with high precision, sleeping through it.
    pub fn read(&mut self, delay: &mut D) -> Result<Reading, Error<I2C::Error>> {
        self.chip.measure_raw(Precision::High, delay).map(reading).map_err(fault)
    }
}

/// The same without blocking.
#[cfg(feature = "async")]
pub struct Sht4xAsync<I2C, D> {
    chip: sht4x::Sht4xAsync<I2C, D>,
}

#[cfg(feature = "async")]
impl<I2C, D> Sht4xAsync<I2C, D>
where
    I2C: embedded_hal_async::i2c::I2c,
    D: embedded_hal_async::delay::DelayNs,
{
    pub fn new(i2c: I2C, address: Address) -> Self {
        Self { chip: sht4x::Sht4xAsync::new_with_address(i2c, address) }
    }

    /// Measures once with high precision, sleeping through it.
    pub async fn read(&mut self, delay: &mut D) -> Result<Reading, Error<I2C::Error>> {
        self.chip.measure_raw(Precision::High, delay).await.map(reading).map_err(fault)
    }
}

/// The address that the sensor answers at; none for one that none of them has (section 9).
pub fn address(address: u8) -> Option<Address> {
    match address {
        0x44 => Some(Address::Address0x44),
        0x45 => Some(Address::Address0x45),
        0x46 => Some(Address::Address0x46),
        _ => None,
    }
}

/// Section 4.6: humidity may come out a little past both ends, where it is cut.
fn reading(raw: SensorData) -> Reading {
    Reading {
        temperature_deg_c: -45.0 + 175.0 * f32::from(raw.temperature) / 65535.0,
        humidity_percent: (-6.0 + 125.0 * f32::from(raw.humidity) / 65535.0).clamp(0.0, 100.0),
    }
}

fn fault<E>(fault: Fault<E>) -> Error<E> {
    match fault {
        Fault::I2c(error) => Error::Bus(error),
        // The crate may add faults; none but these two leaves the bus in order.
        _ => Error::Checksum,
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
    use crate::crc::crc8;

    #[test]
    fn a_measurement_becomes_degrees_and_percent() {
        let raw = [0xBE, 0xEF, 0x92, 0x80, 0x00, crc8(&[0x80, 0x00])];

        let reading = outcome(raw.to_vec()).unwrap();

        assert!((reading.temperature_deg_c - 85.523).abs() < 0.001, "{reading:?}");
        assert!((reading.humidity_percent - 56.501).abs() < 0.001, "{reading:?}");
    }

    #[test]
    fn humidity_past_the_ends_is_cut() {
        let raw = |word: u16| SensorData { temperature: 0, humidity: word };

        assert!(reading(raw(0)).humidity_percent.abs() < f32::EPSILON);
        assert!((reading(raw(0xFFFF)).humidity_percent - 100.0).abs() < f32::EPSILON);
    }

    #[test]
    fn a_damaged_answer_is_a_checksum_error() {
        assert_eq!(outcome(vec![0xBE, 0xEF, 0x93, 0, 0, 0x81]), Err(Error::Checksum));
    }

    #[test]
    fn an_empty_address_is_a_bus_error() {
        let nobody = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        let mut i2c = Mock::new(&[Transaction::write(0x45, vec![0xFD]).with_error(nobody)]);

        let mut sensor = Sht4x::new(&mut i2c, address(0x45).unwrap());

        assert_eq!(sensor.read(&mut NoopDelay), Err(Error::Bus(nobody)));
        i2c.done();
    }

    #[test]
    fn no_sensor_of_the_family_is_looked_for_elsewhere() {
        let known: Vec<u8> = (0..=255).filter(|&a| address(a).is_some()).collect();
        assert_eq!(known, [0x44, 0x45, 0x46]);
    }

    #[cfg(feature = "async")]
    #[test]
    fn the_async_twin_says_the_same() {
        let raw = vec![0xBE, 0xEF, 0x92, 0xBE, 0xEF, 0x92];
        let mut i2c = bus(raw.clone());
        let mut sensor = Sht4xAsync::new(i2c.clone(), Address::Address0x44);

        let reading = crate::stand_in::block_on(sensor.read(&mut NoopDelay));

        assert_eq!(reading, outcome(raw));
        i2c.done();
    }

    /// Table 8: 0xFD measures with high precision.
    fn bus(raw: Vec<u8>) -> Mock {
        Mock::new(&[Transaction::write(0x44, vec![0xFD]), Transaction::read(0x44, raw)])
    }

    fn outcome(raw: Vec<u8>) -> Result<Reading, Error<ErrorKind>> {
        let mut i2c = bus(raw);
        let outcome = Sht4x::new(&mut i2c, Address::Address0x44).read(&mut NoopDelay);
        i2c.done();
        outcome
    }
}
