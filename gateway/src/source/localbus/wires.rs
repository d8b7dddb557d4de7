//! The buses of a Linux box, opened: I2C, SPI and pins by `linux-embedded-hal`, UARTs by the serial port, and
//! folders of the kernel.

use std::io::Read as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{Phase, Polarity};
use embedded_io::ReadReady;
use gatehouse_core::community::localbus::{Localbus, Place};
use gatehouse_drivers::mcp3208;
use linux_embedded_hal::gpio_cdev::{self, LineRequestFlags};
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};
use linux_embedded_hal::{CdevPin, I2cdev, SpidevDevice};
use tokio_serial::{ClearBuffer, SerialPort};

use super::chips::{self, Read, Trouble};
use super::kernel;
use crate::config::BusConfig;

/// A read that waits longer has been told of bytes that are not there.
const PORT_TIMEOUT: Duration = Duration::from_millis(100);

/// Opens the bus for one chip. Each has a handle of its own; one task uses them one after the other.
pub(super) fn open(
    bus: &BusConfig,
    localbus: &Localbus,
    place: &Place,
    wanted: &[String],
) -> Result<Read, Trouble> {
    let read = match (bus, place) {
        (BusConfig { i2c: Some(path), .. }, Place::I2c(address)) => {
            let i2c = I2cdev::new(path).map_err(|error| closed(path, error))?;
            chips::on_i2c(localbus, *address, wanted, i2c, Sleep)
        }
        (BusConfig { spi: Some(path), .. }, Place::Alone) => {
            chips::on_spi(localbus, wanted, spi(path)?)
        }
        (BusConfig { uart: Some(path), .. }, Place::Alone) => {
            let port = port(path, chips::baud(localbus.chip))?;
            let same = port.0.try_clone().map_err(|error| closed(path, error))?;
            chips::on_uart(localbus.chip, port, Sleep).map(|read| fresh(path, same, read))
        }
        (BusConfig { one_wire: Some(folder), .. }, Place::Name(name)) => {
            Some(kernel::thermometer(folder, name))
        }
        (BusConfig { hwmon: Some(folder), .. }, Place::Name(name)) => {
            Some(kernel::hwmon(folder, name, wanted))
        }
        (BusConfig { gpio: Some(path), .. }, Place::Line(line)) => {
            Some(chips::on_pin(pin(path, *line)?))
        }
        (_, Place::I2c(_) | Place::Alone | Place::Name(_) | Place::Line(_)) => None,
    };
    let word = localbus.chip.word();
    read.ok_or_else(|| Trouble::Closed(format!("a `{word}` is not on such a bus")))
}

/// With the mode and the speed of the MCP3208, which is behind every chip that is on SPI.
fn spi(path: &Path) -> Result<SpidevDevice, Trouble> {
    let mut device = SpidevDevice::open(path).map_err(|error| closed(path, error))?;
    let idle = match mcp3208::MODE.polarity {
        Polarity::IdleLow => SpiModeFlags::empty(),
        Polarity::IdleHigh => SpiModeFlags::SPI_CPOL,
    };
    let phase = match mcp3208::MODE.phase {
        Phase::CaptureOnFirstTransition => SpiModeFlags::empty(),
        Phase::CaptureOnSecondTransition => SpiModeFlags::SPI_CPHA,
    };
    let options = SpidevOptions::new()
        .bits_per_word(8)
        .max_speed_hz(mcp3208::CLOCK_HZ)
        .mode(idle | phase)
        .build();
    device.configure(&options).map_err(|error| closed(path, error))?;
    Ok(device)
}

fn pin(path: &Path, line: u32) -> Result<CdevPin, Trouble> {
    let wrong = |error: gpio_cdev::Error| closed(path, error);
    let mut chip = gpio_cdev::Chip::new(path).map_err(wrong)?;
    let line = chip.get_line(line).map_err(wrong)?;
    let handle = line.request(LineRequestFlags::INPUT, 0, "gatehouse").map_err(wrong)?;
    CdevPin::new(handle).map_err(wrong)
}

fn port(path: &Path, baud: u32) -> Result<Port, Trouble> {
    let port = tokio_serial::new(path.to_string_lossy(), baud).timeout(PORT_TIMEOUT).open();
    Ok(Port(port.map_err(|error| closed(path, error))?))
}

/// What was said while nobody listened is old, and a full port keeps the oldest of it: it is emptied before each
/// reading.
fn fresh(path: &Path, port: Box<dyn SerialPort>, mut read: Read) -> Read {
    let path = path.to_owned();
    Box::new(move || {
        port.clear(ClearBuffer::Input).map_err(|error| closed(&path, error))?;
        read()
    })
}

fn closed(path: &Path, error: impl std::fmt::Display) -> Trouble {
    Trouble::Closed(format!("`{}`: {error}", path.display()))
}

/// Waits on the thread that it is called on.
#[derive(Debug, Clone, Copy)]
struct Sleep;

impl DelayNs for Sleep {
    fn delay_ns(&mut self, ns: u32) {
        thread::sleep(Duration::from_nanos(ns.into()));
    }

    fn delay_us(&mut self, us: u32) {
        thread::sleep(Duration::from_micros(us.into()));
    }

    fn delay_ms(&mut self, ms: u32) {
        thread::sleep(Duration::from_millis(ms.into()));
    }
}

/// A serial port as drivers know one.
struct Port(Box<dyn SerialPort>);

/// What went wrong on a port.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct PortError(#[from] std::io::Error);

impl embedded_io::Error for PortError {
    fn kind(&self) -> embedded_io::ErrorKind {
        embedded_io::ErrorKind::Other
    }
}

impl embedded_io::ErrorType for Port {
    type Error = PortError;
}

impl ReadReady for Port {
    fn read_ready(&mut self) -> Result<bool, PortError> {
        let waiting = self.0.bytes_to_read().map_err(std::io::Error::from)?;
        Ok(waiting > 0)
    }
}

impl embedded_io::Read for Port {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, PortError> {
        Ok(self.0.read(into)?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio_serial::SerialStream;

    use super::*;

    fn frame(distance: u16) -> [u8; 4] {
        let [high, low] = distance.to_be_bytes();
        [0xFF, high, low, 0xFF_u8.wrapping_add(high).wrapping_add(low)]
    }

    #[test]
    fn a_select_line_that_is_not_there_is_a_closed_bus() {
        let localbus = "chip = \"mcp3208\"\nevery = \"5 s\"\nreference-volt = 3.3";
        let localbus: Localbus = toml::from_str(localbus).unwrap();
        // The second one is there, and knows nothing of modes and speeds.
        for path in ["/dev/spidev-none", "/dev/null"] {
            let bus = format!("id = \"adc\"\nspi = \"{path}\"");
            let bus: BusConfig = toml::from_str(&bus).unwrap();

            let Err(Trouble::Closed(why)) = open(&bus, &localbus, &Place::Alone, &[]) else {
                panic!("{path} is no SPI bus")
            };

            assert!(why.starts_with(&format!("`{path}`: ")), "{why}");
        }
    }

    /// A terminal of the kernel's own, with a sensor at its other end that talked for an hour to nobody.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_sensor_says_now_is_read_and_not_what_fills_the_port() {
        let (mut sensor, port) = SerialStream::pair().unwrap();
        let bus = format!("id = \"bin\"\nuart = \"{}\"", port.name().unwrap());
        // Two cannot hold it.
        drop(port);
        let bus: BusConfig = toml::from_str(&bus).unwrap();
        let localbus: Localbus = toml::from_str("chip = \"a02yyuw\"\nevery = \"30 s\"").unwrap();
        let mut read = open(&bus, &localbus, &Place::Alone, &[]).unwrap();
        for distance in [500, 600] {
            while sensor.try_write(&frame(300)).is_ok() {}
            let begun = Instant::now();
            let said = thread::scope(|scope| {
                scope.spawn(|| {
                    while begun.elapsed() < Duration::from_secs(2) {
                        thread::sleep(Duration::from_millis(100));
                        drop(sensor.try_write(&frame(distance)));
                    }
                });
                read().unwrap()
            });

            assert_eq!(said, [("distance".to_owned(), f64::from(distance))]);
        }
    }
}
