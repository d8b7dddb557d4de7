//! How each known chip is read: generic over embedded-hal and embedded-io, so that a mock, a
//! microcontroller's bus and Linux's are the same to it.
//!
//! A [`Read`] says what each channel of [`gatehouse_core::community::localbus::Chip`] measures now, in the
//! units that stand there. It keeps what must be kept between two readings, such as that the chip has
//! been started; after silence it starts anew.

mod analog;

use std::fmt::Debug;

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::InputPin;
use embedded_hal::i2c::I2c;
use embedded_hal::spi::SpiDevice;
use embedded_io::ReadReady;
use gatehouse_core::community::localbus::{Chip, Localbus};
use gatehouse_drivers::{Error, a02yyuw, lis3mdl, pms5003, scd4x, sht3x, sht4x, tf_luna};

/// What the channels said, by name; one that is missing has no data.
pub(super) type Said = Vec<(String, f64)>;

/// Reads one chip. Blocks for as long as the chip needs, 3 s at most.
pub(super) type Read = Box<dyn FnMut() -> Result<Said, Trouble> + Send>;

/// Why there is nothing to say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// The bus itself cannot be used: look at the path and at who may open it.
    #[error("cannot be opened: {0}")]
    Closed(String),
    /// Nobody answers as this chip does: look at the wires.
    #[error("{0}")]
    Silent(String),
    /// It answers and has no measurement.
    #[error("{0}")]
    NoData(String),
    /// It has measured nothing new since it was asked last.
    #[error("nothing new yet")]
    NotYet,
}

impl<E: Debug> From<Error<E>> for Trouble {
    fn from(error: Error<E>) -> Self {
        let text = error.to_string();
        match error {
            Error::Bus(_) | Error::Silent | Error::WrongIdentity { .. } => Self::Silent(text),
            Error::Checksum | Error::NoMeasurement => Self::NoData(text),
        }
    }
}

/// A chip on I2C; `wanted` are the channels that somebody asks for. None for one that is not on I2C, or
/// not at such an address.
pub(super) fn on_i2c<I, D>(
    localbus: &Localbus,
    address: u8,
    wanted: &[String],
    i2c: I,
    mut delay: D,
) -> Option<Read>
where
    I: I2c + Send + 'static,
    D: DelayNs + Clone + Send + 'static,
{
    Some(match localbus.chip {
        Chip::Sht3x => {
            let mut chip = sht3x::Sht3x::new(i2c, address);
            Box::new(move || Ok(air(chip.read(&mut delay)?)))
        }
        Chip::Sht4x => {
            let mut chip = sht4x::Sht4x::new(i2c, sht4x::address(address)?);
            Box::new(move || Ok(air(chip.read(&mut delay)?)))
        }
        Chip::Scd4x => {
            let mut chip = scd4x::Scd4x::new(i2c, delay);
            let mut is_started = false;
            Box::new(move || {
                if !is_started {
                    chip.start()?;
                }
                let polled = chip.poll();
                is_started = polled.is_ok() || matches!(polled, Err(Error::Checksum));
                let told = polled?.ok_or(Trouble::NotYet)?;
                Ok(said([
                    ("co2", f64::from(told.co2_ppm)),
                    ("temperature", told.temperature_deg_c.into()),
                    ("humidity", told.humidity_percent.into()),
                ]))
            })
        }
        Chip::Lis3mdl => {
            let mut chip = lis3mdl::Lis3mdl::new(i2c, address);
            let mut is_started = false;
            Box::new(move || {
                if !is_started {
                    chip.start()?;
                }
                let read = chip.read(&mut delay);
                is_started = read.is_ok();
                let told = read?;
                Ok(said([
                    ("x", told.x_microtesla.into()),
                    ("y", told.y_microtesla.into()),
                    ("z", told.z_microtesla.into()),
                    ("chip-temperature", told.chip_temperature_deg_c.into()),
                ]))
            })
        }
        Chip::Ads1115 | Chip::CurrentLoop | Chip::Gas => {
            analog::over_ads1115(localbus, address, wanted, i2c, delay)?
        }
        Chip::Mcp3208
        | Chip::CurrentLoopMcp3208
        | Chip::Pms5003
        | Chip::A02yyuw
        | Chip::TfLuna
        | Chip::Ds18b20
        | Chip::Hwmon
        | Chip::Pin => return None,
    })
}

/// A chip at its own select line of an SPI bus; `wanted` as above. None for one that is not on SPI.
pub(super) fn on_spi<S>(localbus: &Localbus, wanted: &[String], spi: S) -> Option<Read>
where
    S: SpiDevice + Send + 'static,
{
    match localbus.chip {
        Chip::Mcp3208 | Chip::CurrentLoopMcp3208 => analog::over_mcp3208(localbus, wanted, spi),
        Chip::Sht3x
        | Chip::Sht4x
        | Chip::Scd4x
        | Chip::Lis3mdl
        | Chip::Ads1115
        | Chip::CurrentLoop
        | Chip::Gas
        | Chip::Pms5003
        | Chip::A02yyuw
        | Chip::TfLuna
        | Chip::Ds18b20
        | Chip::Hwmon
        | Chip::Pin => None,
    }
}

/// A chip that talks on a UART; none for one that does not.
pub(super) fn on_uart<U, D>(chip: Chip, uart: U, mut delay: D) -> Option<Read>
where
    U: embedded_io::Read + ReadReady + Send + 'static,
    D: DelayNs + Send + 'static,
{
    Some(match chip {
        Chip::Pms5003 => {
            let mut chip = pms5003::Pms5003::new(uart);
            Box::new(move || {
                let told = chip.read(&mut delay)?;
                Ok(said([
                    ("pm1-0", f64::from(told.pm1_0_ug_m3)),
                    ("pm2-5", f64::from(told.pm2_5_ug_m3)),
                    ("pm10", f64::from(told.pm10_ug_m3)),
                ]))
            })
        }
        Chip::A02yyuw => {
            let mut chip = a02yyuw::A02yyuw::new(uart);
            Box::new(move || {
                Ok(said([("distance", f64::from(chip.read(&mut delay)?.distance_mm))]))
            })
        }
        Chip::TfLuna => {
            let mut chip = tf_luna::TfLuna::new(uart);
            Box::new(move || {
                let told = chip.read(&mut delay)?;
                Ok(said([
                    ("distance", f64::from(told.distance_mm)),
                    ("strength", f64::from(told.strength)),
                    ("chip-temperature", told.chip_temperature_deg_c.into()),
                ]))
            })
        }
        Chip::Sht3x
        | Chip::Sht4x
        | Chip::Scd4x
        | Chip::Lis3mdl
        | Chip::Ads1115
        | Chip::CurrentLoop
        | Chip::Gas
        | Chip::Mcp3208
        | Chip::CurrentLoopMcp3208
        | Chip::Ds18b20
        | Chip::Hwmon
        | Chip::Pin => return None,
    })
}

/// The speed of a chip's UART.
pub(super) fn baud(chip: Chip) -> u32 {
    if chip == Chip::TfLuna { tf_luna::BAUD } else { a02yyuw::BAUD }
}

/// A pin: both of its sides, so that a contact is 1 when closed whichever way it pulls.
pub(super) fn on_pin<P: InputPin + Send + 'static>(mut pin: P) -> Read {
    Box::new(move || {
        let is_high = pin.is_high().map_err(Error::Bus)?;
        Ok(said([("high", f64::from(u8::from(is_high))), ("low", f64::from(u8::from(!is_high)))]))
    })
}

fn air(told: sht3x::Reading) -> Said {
    said([
        ("temperature", told.temperature_deg_c.into()),
        ("humidity", told.humidity_percent.into()),
    ])
}

fn said<const N: usize>(channels: [(&str, f64); N]) -> Said {
    channels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests;
