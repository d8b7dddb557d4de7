//! Sensirion SCD40, SCD41: CO2, temperature and humidity over I2C, spoken with by the crate `libscd`.
//!
//! Source: Datasheet `SCD4x`, version 1.4 (2023). The chip measures by itself every 5 s (section 3.6) and
//! keeps on through a restart of who listens; so it is stopped first, asked who it is, and started.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use libscd::error::Error as Fault;
use libscd::measurement::Measurement;
use libscd::synchronous::scd4x::Scd4x as Chip;

use crate::Error;

/// The only address that it has (section 3.3, table 8).
pub const ADDRESS: u8 = 0x62;
/// Between two measurements (section 3.6.1).
pub const MEASURES_EVERY_MS: u32 = 5_000;
/// How often it is asked whether a measurement is there, and how many times: 6 s, one and a bit.
const ASKED_EVERY_MS: u32 = 100;
const ASKED_TIMES: u32 = 60;

/// What the air is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    pub co2_ppm: u16,
    pub temperature_deg_c: f32,
    pub humidity_percent: f32,
}

/// One sensor, which keeps the bus and a clock to wait by.
pub struct Scd4x<I2C, D> {
    chip: Chip<I2C, D>,
    delay: D,
}

impl<I2C: I2c, D: DelayNs + Clone> Scd4x<I2C, D> {
    pub fn new(i2c: I2C, delay: D) -> Self {
        Self { chip: Chip::new(i2c, delay.clone()), delay }
    }

    /// Starts measuring, once after power-on or whenever it was silent. Takes half a second.
    pub fn start(&mut self) -> Result<(), Error<I2C::Error>> {
        self.chip.stop_periodic_measurement().map_err(fault)?;
        // All zeros and all ones are what a bus without a chip reads as.
        let serial = self.chip.serial_number().map_err(fault)?;
        if serial == 0 || serial == 0xFFFF_FFFF_FFFF {
            return Err(Error::Silent);
        }
        self.chip.start_periodic_measurement().map_err(fault)
    }

    /// The measurement that is there, or none yet.
    pub fn poll(&mut self) -> Result<Option<Reading>, Error<I2C::Error>> {
        if !self.chip.data_ready().map_err(fault)? {
            return Ok(None);
        }
        self.chip
            .read_measurement()
            .map_err(fault)
            .and_then(|measured| reading(&measured))
            .map(Some)
    }

    /// Waits for the next measurement, 6 s at most.
    pub fn read(&mut self) -> Result<Reading, Error<I2C::Error>> {
        for _ in 0..ASKED_TIMES {
            if let Some(reading) = self.poll()? {
                return Ok(reading);
            }
            self.delay.delay_ms(ASKED_EVERY_MS);
        }
        Err(Error::Silent)
    }

    /// Tells it what the present air holds, which it has measured for three minutes (section 3.8.1), and has it
    /// measure on. [`Error::NoMeasurement`] when it has not, or the reference is none that it takes. Takes a second.
    pub fn calibrate(&mut self, co2_ppm: u16) -> Result<(), Error<I2C::Error>> {
        self.chip.stop_periodic_measurement().map_err(fault)?;
        let corrected = self.chip.perform_forced_recalibration(co2_ppm).map_err(fault);
        self.chip.start_periodic_measurement().map_err(fault)?;
        corrected?.map(|_by| ()).ok_or(Error::NoMeasurement)
    }

    /// Tells it the air pressure, which CO2 depends on (section 3.7.5): 700 to 1200 hPa, else
    /// [`Error::NoMeasurement`].
    pub fn set_pressure(&mut self, pressure_hpa: u16) -> Result<(), Error<I2C::Error>> {
        self.chip.set_ambient_pressure(pressure_hpa).map_err(fault)
    }
}

/// The same without blocking.
#[cfg(feature = "async")]
pub struct Scd4xAsync<I2C, D> {
    chip: libscd::asynchronous::scd4x::Scd4x<I2C, D>,
    delay: D,
}

#[cfg(feature = "async")]
impl<I2C, D> Scd4xAsync<I2C, D>
where
    I2C: embedded_hal_async::i2c::I2c,
    D: embedded_hal_async::delay::DelayNs + Clone,
{
    pub fn new(i2c: I2C, delay: D) -> Self {
        Self { chip: libscd::asynchronous::scd4x::Scd4x::new(i2c, delay.clone()), delay }
    }

    /// As [`Scd4x::start`].
    pub async fn start(&mut self) -> Result<(), Error<I2C::Error>> {
        self.chip.stop_periodic_measurement().await.map_err(fault)?;
        let serial = self.chip.serial_number().await.map_err(fault)?;
        if serial == 0 || serial == 0xFFFF_FFFF_FFFF {
            return Err(Error::Silent);
        }
        self.chip.start_periodic_measurement().await.map_err(fault)
    }

    /// As [`Scd4x::calibrate`].
    pub async fn calibrate(&mut self, co2_ppm: u16) -> Result<(), Error<I2C::Error>> {
        self.chip.stop_periodic_measurement().await.map_err(fault)?;
        let corrected = self.chip.perform_forced_recalibration(co2_ppm).await.map_err(fault);
        self.chip.start_periodic_measurement().await.map_err(fault)?;
        corrected?.map(|_by| ()).ok_or(Error::NoMeasurement)
    }

    /// As [`Scd4x::read`].
    pub async fn read(&mut self) -> Result<Reading, Error<I2C::Error>> {
        for _ in 0..ASKED_TIMES {
            if self.chip.data_ready().await.map_err(fault)? {
                return self
                    .chip
                    .read_measurement()
                    .await
                    .map_err(fault)
                    .and_then(|measured| reading(&measured));
            }
            self.delay.delay_ms(ASKED_EVERY_MS).await;
        }
        Err(Error::Silent)
    }
}

/// 0 ppm is what it says before its first measurement; no air on earth has it.
fn reading<E>(measured: &Measurement) -> Result<Reading, Error<E>> {
    if measured.co2 == 0 {
        return Err(Error::NoMeasurement);
    }
    Ok(Reading {
        co2_ppm: measured.co2,
        temperature_deg_c: measured.temperature,
        humidity_percent: measured.humidity,
    })
}

fn fault<E>(fault: Fault<E>) -> Error<E> {
    match fault {
        Fault::I2C(error) => Error::Bus(error),
        Fault::CRC => Error::Checksum,
        // It measures and was asked what it answers only at rest, or was told what it cannot take.
        Fault::NotAllowed | Fault::InvalidInput => Error::NoMeasurement,
    }
}

#[cfg(test)]
mod tests {
    use crate::stand_in::NoWait;
    use embedded_hal::i2c::ErrorKind;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::vec;
    use std::vec::Vec;

    use super::*;

    /// Datasheet section 3.6.2, the worked example of `read_measurement`: 500 ppm, 25 degC, 37 %.
    const MEASURED: [u8; 9] = [0x01, 0xF4, 0x33, 0x66, 0x67, 0xA2, 0x5E, 0xB9, 0x3C];
    /// Section 3.10.2, the worked example of `get_serial_number`.
    const SERIAL: [u8; 9] = [0xF8, 0x96, 0x31, 0x9F, 0x07, 0xC2, 0x3B, 0xBE, 0x89];

    #[test]
    fn the_datasheets_example_comes_out() {
        let mut i2c =
            Mock::new(&[ready(), told([0x80, 0x06, 0x04]), asked(), measured(MEASURED)].concat());

        let reading = Scd4x::new(&mut i2c, NoWait).read().unwrap();

        assert_eq!(reading.co2_ppm, 500);
        assert!((reading.temperature_deg_c - 25.0).abs() < 0.01, "{reading:?}");
        assert!((reading.humidity_percent - 37.0).abs() < 0.01, "{reading:?}");
        i2c.done();
    }

    #[test]
    fn it_is_stopped_asked_who_it_is_and_started() {
        let mut i2c = Mock::new(&start(SERIAL));

        assert_eq!(Scd4x::new(&mut i2c, NoWait).start(), Ok(()));

        i2c.done();
    }

    #[test]
    fn a_bus_that_reads_as_nothing_is_no_sensor() {
        // 0x81 is the checksum of two zeros.
        let mut i2c = Mock::new(&start([0, 0, 0x81, 0, 0, 0x81, 0, 0, 0x81])[..3]);

        assert_eq!(Scd4x::new(&mut i2c, NoWait).start(), Err(Error::Silent));

        i2c.done();
    }

    #[test]
    fn who_never_has_a_measurement_is_silent() {
        let never: Vec<_> =
            (0..ASKED_TIMES).flat_map(|_| [ready(), told([0x80, 0x00, 0xA2])].concat()).collect();
        let mut i2c = Mock::new(&never);

        assert_eq!(Scd4x::new(&mut i2c, NoWait).read(), Err(Error::Silent));

        i2c.done();
    }

    #[test]
    fn a_damaged_measurement_and_zero_are_no_measurement() {
        let mut damaged = MEASURED;
        damaged[8] ^= 0x10;
        let mut zero = MEASURED;
        zero[..3].copy_from_slice(&[0, 0, 0x81]);

        for (raw, expected) in [(damaged, Error::Checksum), (zero, Error::NoMeasurement)] {
            let mut i2c =
                Mock::new(&[ready(), told([0x80, 0x06, 0x04]), asked(), measured(raw)].concat());
            let outcome: Result<_, Error<ErrorKind>> = Scd4x::new(&mut i2c, NoWait).read();
            assert_eq!(outcome, Err(expected));
            i2c.done();
        }
    }

    /// Section 3.8.1, the worked example of `perform_forced_recalibration`: to 480 ppm, by -50 ppm.
    #[test]
    fn it_measures_on_after_its_reference_was_told_and_says_when_it_was_refused() {
        for (told, expected) in
            [([0x7F, 0xCE, 0x7B], Ok(())), ([0xFF, 0xFF, 0xAC], Err(Error::NoMeasurement))]
        {
            let mut i2c = Mock::new(&calibration(told));
            assert_eq!(Scd4x::new(i2c.clone(), NoWait).calibrate(480), expected);
            i2c.done();

            #[cfg(feature = "async")]
            {
                let mut i2c = Mock::new(&calibration(told));
                let mut sensor = Scd4xAsync::new(i2c.clone(), NoWait);
                assert_eq!(crate::stand_in::block_on(sensor.calibrate(480)), expected);
                i2c.done();
            }
        }
    }

    fn calibration(told: [u8; 3]) -> [Transaction; 4] {
        [
            Transaction::write(ADDRESS, vec![0x3F, 0x86]),
            Transaction::write(ADDRESS, vec![0x36, 0x2F, 0x01, 0xE0, 0xB4]),
            Transaction::read(ADDRESS, told.to_vec()),
            Transaction::write(ADDRESS, vec![0x21, 0xB1]),
        ]
    }

    #[cfg(feature = "async")]
    #[test]
    fn the_async_twin_starts_and_reads() {
        let read = [ready(), told([0x80, 0x06, 0x04]), asked(), measured(MEASURED)].concat();
        let mut i2c = Mock::new(&[start(SERIAL), read].concat());
        let mut sensor = Scd4xAsync::new(i2c.clone(), NoWait);

        let reading = crate::stand_in::block_on(async {
            sensor.start().await?;
            sensor.read().await
        });

        assert_eq!(reading.map(|reading| reading.co2_ppm), Ok(500));
        i2c.done();
    }

    fn start(serial: [u8; 9]) -> Vec<Transaction> {
        vec![
            Transaction::write(ADDRESS, vec![0x3F, 0x86]),
            Transaction::write(ADDRESS, vec![0x36, 0x82]),
            Transaction::read(ADDRESS, serial.to_vec()),
            Transaction::write(ADDRESS, vec![0x21, 0xB1]),
        ]
    }

    fn ready() -> Vec<Transaction> {
        vec![Transaction::write(ADDRESS, vec![0xE4, 0xB8])]
    }

    /// Section 3.8.2: none ready while the lowest 11 bits are 0.
    fn told(word: [u8; 3]) -> Vec<Transaction> {
        vec![Transaction::read(ADDRESS, word.to_vec())]
    }

    fn asked() -> Vec<Transaction> {
        vec![Transaction::write(ADDRESS, vec![0xEC, 0x05])]
    }

    fn measured(raw: [u8; 9]) -> Vec<Transaction> {
        vec![Transaction::read(ADDRESS, raw.to_vec())]
    }
}
