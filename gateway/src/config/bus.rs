//! `[[bus]]`: what sensors are wired to on the box itself.

use std::path::PathBuf;

use gatehouse_core::community::localbus::BusKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[[bus]]`: exactly one of `i2c`, `spi`, `uart`, `one-wire`, `hwmon` and `gpio`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BusConfig {
    /// The name that devices refer to.
    pub id: String,
    /// An I2C bus: `/dev/i2c-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub i2c: Option<PathBuf>,
    /// A select line of an SPI bus, with one chip at it: `/dev/spidev0.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spi: Option<PathBuf>,
    /// A serial port with one sensor that talks by itself: `/dev/ttyS1`. Modbus goes on a `[[line]]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uart: Option<PathBuf>,
    /// The kernel's folder of 1-Wire slaves: `/sys/bus/w1/devices`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_wire: Option<PathBuf>,
    /// The kernel's folder of hardware monitors: `/sys/class/hwmon`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hwmon: Option<PathBuf>,
    /// A GPIO chip: `/dev/gpiochip0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpio: Option<PathBuf>,
}

impl BusConfig {
    /// What is given, of which there must be one.
    pub fn ends(&self) -> Vec<(BusKind, &PathBuf)> {
        let all = [
            (BusKind::I2c, &self.i2c),
            (BusKind::Spi, &self.spi),
            (BusKind::Uart, &self.uart),
            (BusKind::OneWire, &self.one_wire),
            (BusKind::Hwmon, &self.hwmon),
            (BusKind::Gpio, &self.gpio),
        ];
        all.into_iter().filter_map(|(kind, path)| Some((kind, path.as_ref()?))).collect()
    }
}
