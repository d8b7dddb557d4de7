//! The buses of a Linux box, opened: I2C and pins by `linux-embedded-hal`, UARTs by the serial port, and
//! folders of the kernel.

use std::io::Read as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use embedded_hal::delay::DelayNs;
use embedded_io::ReadReady;
use gatehouse_core::community::localbus::{Localbus, Place};
use linux_embedded_hal::gpio_cdev::{self, LineRequestFlags};
use linux_embedded_hal::{CdevPin, I2cdev};
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
        (BusConfig { uart: Some(path), .. }, Place::Alone) => {
            chips::on_uart(localbus.chip, port(path, chips::baud(localbus.chip))?, Sleep)
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

fn pin(path: &Path, line: u32) -> Result<CdevPin, Trouble> {
    let wrong = |error: gpio_cdev::Error| closed(path, error);
    let mut chip = gpio_cdev::Chip::new(path).map_err(wrong)?;
    let line = chip.get_line(line).map_err(wrong)?;
    let handle = line.request(LineRequestFlags::INPUT, 0, "gatehouse").map_err(wrong)?;
    CdevPin::new(handle).map_err(wrong)
}

fn port(path: &Path, baud: u32) -> Result<Port, Trouble> {
    let port = tokio_serial::new(path.to_string_lossy(), baud)
        .timeout(PORT_TIMEOUT)
        .open()
        .map_err(|error| closed(path, error))?;
    // What was said while nobody listened is old.
    port.clear(ClearBuffer::All).map_err(|error| closed(path, error))?;
    Ok(Port(port))
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
