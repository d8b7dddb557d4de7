//! ST LIS3MDL: the earth's magnetic field in three axes over I2C, and what a car above does to it.
//!
//! Source: datasheet `DocID024204` Rev 4. Full scale 4 gauss, ten measurements a second, ultra-high
//! performance: the earth's field is 25 to 65 uT, a car changes it by a few. The field drifts with the
//! chip's temperature, so that is read as well. The only crate for it is on embedded-hal 0.2.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::Error;

/// The address with SDO/SA1 low; 0x1E with it high (section 5.1.1, table 11).
pub const ADDRESS: u8 = 0x1C;
/// `WHO_AM_I`, section 7.1.
const WHO_AM_I: u8 = 0x0F;
const IDENTITY: u8 = 0x3D;
/// Section 5.1.1: the highest bit of a register's address has the next bytes read from the next ones.
const AND_ON: u8 = 0x80;
/// `CTRL_REG1` to 5, sections 7.2 to 7.6: temperature on, X and Y ultra-high performance, 10 Hz;
/// 4 gauss; continuous; Z ultra-high performance; a word changes as a whole.
const SETTINGS: [u8; 6] = [0x20 | AND_ON, 0xF0, 0x00, 0x00, 0x0C, 0x40];
/// `STATUS_REG`, section 7.7: bit 3 a new measurement on all axes.
const STATUS: u8 = 0x27;
const IS_NEW: u8 = 1 << 3;
/// `OUT_X_L` to `OUT_Z_H`, section 7.8, and `TEMP_OUT_L`, section 7.9. Reading on past the last of
/// the field begins anew with its first, so the temperature is asked for by itself.
const FIELD: u8 = 0x28 | AND_ON;
const TEMPERATURE: u8 = 0x2E | AND_ON;
/// Table 3: 6842 LSB/gauss at 4 gauss; a gauss is 100 uT.
const LSB_PER_MICROTESLA: f32 = 68.42;
/// Ten measurements a second, and half as long again.
const PATIENCE_MS: u32 = 150;

/// The field, and how warm the chip was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    pub x_microtesla: f32,
    pub y_microtesla: f32,
    pub z_microtesla: f32,
    pub chip_temperature_deg_c: f32,
}

/// What the registers mean; none where the field is beyond the scale (a magnet on the housing).
pub fn parse(field: [u8; 6], temperature: [u8; 2]) -> Option<Reading> {
    let word = |at: usize| i16::from_le_bytes([field[at], field[at + 1]]);
    let axes = [word(0), word(2), word(4)];
    if axes.iter().any(|axis| matches!(*axis, i16::MIN | i16::MAX)) {
        return None;
    }
    let [x_microtesla, y_microtesla, z_microtesla] =
        axes.map(|axis| f32::from(axis) / LSB_PER_MICROTESLA);
    // Table 4: 8 LSB/degC, 0 at 25 degC.
    let chip_temperature_deg_c = 25.0 + f32::from(i16::from_le_bytes(temperature)) / 8.0;
    Some(Reading { x_microtesla, y_microtesla, z_microtesla, chip_temperature_deg_c })
}

/// One sensor on a bus.
pub struct Lis3mdl<I2C> {
    i2c: I2C,
    address: u8,
}

impl<I2C> Lis3mdl<I2C> {
    pub fn new(i2c: I2C, address: u8) -> Self {
        Self { i2c, address }
    }
}

impl<I2C: I2c> Lis3mdl<I2C> {
    /// Makes sure of the chip and starts measuring; once after power-on, or when it was silent.
    pub fn start(&mut self) -> Result<(), Error<I2C::Error>> {
        let mut found = [0];
        self.i2c.write_read(self.address, &[WHO_AM_I], &mut found).map_err(Error::Bus)?;
        identified(found[0])?;
        self.i2c.write(self.address, &SETTINGS).map_err(Error::Bus)
    }

    /// The next measurement, 150 ms at most.
    pub fn read(&mut self, delay: &mut impl DelayNs) -> Result<Reading, Error<I2C::Error>> {
        for _ in 0..PATIENCE_MS / 10 {
            let mut status = [0];
            self.i2c.write_read(self.address, &[STATUS], &mut status).map_err(Error::Bus)?;
            if status[0] & IS_NEW != 0 {
                let (mut field, mut temperature) = ([0; 6], [0; 2]);
                self.i2c.write_read(self.address, &[FIELD], &mut field).map_err(Error::Bus)?;
                self.i2c
                    .write_read(self.address, &[TEMPERATURE], &mut temperature)
                    .map_err(Error::Bus)?;
                return parse(field, temperature).ok_or(Error::NoMeasurement);
            }
            delay.delay_ms(10);
        }
        Err(Error::Silent)
    }
}

#[cfg(feature = "async")]
impl<I2C: embedded_hal_async::i2c::I2c> Lis3mdl<I2C> {
    /// [`Lis3mdl::start`] without blocking.
    pub async fn start_async(&mut self) -> Result<(), Error<I2C::Error>> {
        let mut found = [0];
        self.i2c.write_read(self.address, &[WHO_AM_I], &mut found).await.map_err(Error::Bus)?;
        identified(found[0])?;
        self.i2c.write(self.address, &SETTINGS).await.map_err(Error::Bus)
    }

    /// [`Lis3mdl::read`] without blocking.
    pub async fn read_async(
        &mut self,
        delay: &mut impl embedded_hal_async::delay::DelayNs,
    ) -> Result<Reading, Error<I2C::Error>> {
        let address = self.address;
        for _ in 0..PATIENCE_MS / 10 {
            let mut status = [0];
            self.i2c.write_read(address, &[STATUS], &mut status).await.map_err(Error::Bus)?;
            if status[0] & IS_NEW != 0 {
                let (mut field, mut temperature) = ([0; 6], [0; 2]);
                self.i2c.write_read(address, &[FIELD], &mut field).await.map_err(Error::Bus)?;
                self.i2c
                    .write_read(address, &[TEMPERATURE], &mut temperature)
                    .await
                    .map_err(Error::Bus)?;
                return parse(field, temperature).ok_or(Error::NoMeasurement);
            }
            delay.delay_ms(10).await;
        }
        Err(Error::Silent)
    }
}

fn identified<E>(found: u8) -> Result<(), Error<E>> {
    let (expected, found) = (u16::from(IDENTITY), u16::from(found));
    if found == expected { Ok(()) } else { Err(Error::WrongIdentity { expected, found }) }
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::vec;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_field_becomes_microtesla() {
        // One gauss, minus half a gauss, nothing; 6842, -3421, 0. And 16 LSB over 25 degC.
        let field = [0xBA, 0x1A, 0xA3, 0xF2, 0x00, 0x00];
        let mut i2c = Mock::new(&[asked(0x00), asked(0x08), told(field), warm([0x10, 0])].concat());

        let reading = Lis3mdl::new(&mut i2c, ADDRESS).read(&mut NoopDelay).unwrap();

        let expected = [100.0, -50.0, 0.0, 27.0];
        let found = [
            reading.x_microtesla,
            reading.y_microtesla,
            reading.z_microtesla,
            reading.chip_temperature_deg_c,
        ];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 0.001, "{reading:?}");
        }
        i2c.done();
    }

    #[test]
    fn it_is_asked_who_it_is_and_told_how_to_measure() {
        let settings = Transaction::write(0x1E, vec![0xA0, 0xF0, 0x00, 0x00, 0x0C, 0x40]);
        let mut i2c = Mock::new(&[Transaction::write_read(0x1E, vec![0x0F], vec![0x3D]), settings]);

        assert_eq!(Lis3mdl::new(&mut i2c, 0x1E).start(), Ok(()));

        i2c.done();
    }

    #[test]
    fn another_chip_at_its_address_is_named() {
        // 0x33 is ST's LIS3DH, an accelerometer.
        let mut i2c = Mock::new(&[Transaction::write_read(0x1C, vec![0x0F], vec![0x33])]);

        let outcome = Lis3mdl::new(&mut i2c, ADDRESS).start();

        assert_eq!(outcome, Err(Error::WrongIdentity { expected: 0x3D, found: 0x33 }));
        i2c.done();
    }

    #[test]
    fn who_measures_nothing_is_silent_and_who_is_saturated_says_so() {
        let never: Vec<_> = (0..PATIENCE_MS / 10).flat_map(|_| asked(0)).collect();
        let mut silent = Mock::new(&never);
        let saturated = [0xFF, 0x7F, 0, 0, 0, 0];
        let mut magnet = Mock::new(&[asked(0x08), told(saturated), warm([0, 0])].concat());

        let silence = Lis3mdl::new(&mut silent, ADDRESS).read(&mut NoopDelay);
        let beyond = Lis3mdl::new(&mut magnet, ADDRESS).read(&mut NoopDelay);

        assert_eq!(silence, Err(Error::Silent));
        assert_eq!(beyond, Err(Error::NoMeasurement));
        silent.done();
        magnet.done();
    }

    #[cfg(feature = "async")]
    #[test]
    fn the_async_twin_starts_and_reads() {
        let start = vec![
            Transaction::write_read(ADDRESS, vec![0x0F], vec![0x3D]),
            Transaction::write(ADDRESS, SETTINGS.to_vec()),
        ];
        let read = [asked(0), asked(0x0F), told([0; 6]), warm([0, 0])].concat();
        let mut i2c = Mock::new(&[start, read].concat());
        let mut sensor = Lis3mdl::new(i2c.clone(), ADDRESS);

        let reading = crate::stand_in::block_on(async {
            sensor.start_async().await?;
            sensor.read_async(&mut NoopDelay).await
        });

        assert_eq!(reading, Ok(parse([0; 6], [0; 2]).unwrap()));
        i2c.done();
    }

    fn asked(status: u8) -> Vec<Transaction> {
        vec![Transaction::write_read(ADDRESS, vec![0x27], vec![status])]
    }

    fn told(field: [u8; 6]) -> Vec<Transaction> {
        vec![Transaction::write_read(ADDRESS, vec![0xA8], field.to_vec())]
    }

    fn warm(temperature: [u8; 2]) -> Vec<Transaction> {
        vec![Transaction::write_read(ADDRESS, vec![0xAE], temperature.to_vec())]
    }
}
