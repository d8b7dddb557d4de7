//! What hangs on the box itself: which chips are known, on which bus, at which addresses, and what each
//! of them tells.
//!
//! The one table of chips. `gatehouse check` holds device types and devices against it; the shell's
//! `source/localbus` reads the chips and hands over a number for each channel, in the units that stand
//! here. A point makes its own of it with `scale` and `offset`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::device_type::{DeviceType, Point};
use super::quantity::Period;
pub use gas::Gas;

mod gas;

/// `[localbus]`: which chip, and how often it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Localbus {
    /// What is read.
    pub chip: Chip,
    /// Time between two readings.
    pub every: Period,
    /// `current-loop`, `current-loop-mcp3208`: the resistor that the current makes its voltage at, in ohm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shunt_ohm: Option<f64>,
    /// `mcp3208`, `current-loop-mcp3208`: what stands at the pin VREF, in volt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_volt: Option<f64>,
    /// `gas`: what its voltages mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gas: Option<Gas>,
}

impl Localbus {
    /// One that needs no settings of its own, or has none yet.
    pub fn new(chip: Chip, every: Period) -> Self {
        Self { chip, every, shunt_ohm: None, reference_volt: None, gas: None }
    }
}

/// A chip that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Chip {
    /// Sensirion SHT30, SHT31, SHT35.
    Sht3x,
    /// Sensirion SHT40, SHT41, SHT45.
    Sht4x,
    /// Sensirion SCD40, SCD41.
    Scd4x,
    /// ST LIS3MDL, a magnetometer.
    Lis3mdl,
    /// TI ADS1115: four voltages.
    Ads1115,
    /// Up to four 4-20 mA transmitters at an ADS1115, each across a resistor (`shunt-ohm`).
    CurrentLoop,
    /// Up to four gas sensors at an ADS1115 (`[localbus.gas]`). It warns of a leak; it is no measuring
    /// instrument, and no alarm that a law asks for.
    Gas,
    /// Microchip MCP3208: eight voltages (`reference-volt`).
    Mcp3208,
    /// Up to eight 4-20 mA transmitters at an MCP3208, each across a resistor (`shunt-ohm`).
    CurrentLoopMcp3208,
    /// Plantower PMS5003, particles.
    Pms5003,
    /// DYP A02YYUW, ultrasonic distance.
    A02yyuw,
    /// Benewake TF-Luna, optical distance.
    TfLuna,
    /// Maxim DS18B20, a thermometer, read by the kernel.
    Ds18b20,
    /// What the kernel's own drivers tell under `hwmon`.
    Hwmon,
    /// A contact or a logic output on a pin of the box.
    Pin,
}

/// A kind of bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusKind {
    I2c,
    Spi,
    Uart,
    OneWire,
    Hwmon,
    Gpio,
}

impl BusKind {
    /// As it is written in `gateway.toml`.
    pub fn word(self) -> &'static str {
        match self {
            Self::I2c => "i2c",
            Self::Spi => "spi",
            Self::Uart => "uart",
            Self::OneWire => "one-wire",
            Self::Hwmon => "hwmon",
            Self::Gpio => "gpio",
        }
    }
}

/// Where a chip is found on its bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An I2C address of 7 bits.
    I2c(u8),
    /// The only one on its UART, or at its select line of an SPI bus.
    Alone,
    /// The kernel's name of it: `28-00000a1b2c3d` on 1-Wire, `cpu_thermal` under `hwmon`.
    Name(String),
    /// A line of the GPIO chip, by offset.
    Line(u32),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::I2c(address) => write!(f, "{address:#04x}"),
            Self::Alone => Ok(()),
            Self::Name(name) => f.write_str(name),
            Self::Line(line) => write!(f, "{line}"),
        }
    }
}

impl Chip {
    pub const ALL: [Self; 15] = [
        Self::Sht3x,
        Self::Sht4x,
        Self::Scd4x,
        Self::Lis3mdl,
        Self::Ads1115,
        Self::CurrentLoop,
        Self::Gas,
        Self::Mcp3208,
        Self::CurrentLoopMcp3208,
        Self::Pms5003,
        Self::A02yyuw,
        Self::TfLuna,
        Self::Ds18b20,
        Self::Hwmon,
        Self::Pin,
    ];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sht3x => "sht3x",
            Self::Sht4x => "sht4x",
            Self::Scd4x => "scd4x",
            Self::Lis3mdl => "lis3mdl",
            Self::Ads1115 => "ads1115",
            Self::CurrentLoop => "current-loop",
            Self::Gas => "gas",
            Self::Mcp3208 => "mcp3208",
            Self::CurrentLoopMcp3208 => "current-loop-mcp3208",
            Self::Pms5003 => "pms5003",
            Self::A02yyuw => "a02yyuw",
            Self::TfLuna => "tf-luna",
            Self::Ds18b20 => "ds18b20",
            Self::Hwmon => "hwmon",
            Self::Pin => "pin",
        }
    }

    pub fn bus(self) -> BusKind {
        match self {
            Self::Sht3x
            | Self::Sht4x
            | Self::Scd4x
            | Self::Lis3mdl
            | Self::Ads1115
            | Self::CurrentLoop
            | Self::Gas => BusKind::I2c,
            Self::Mcp3208 | Self::CurrentLoopMcp3208 => BusKind::Spi,
            Self::Pms5003 | Self::A02yyuw | Self::TfLuna => BusKind::Uart,
            Self::Ds18b20 => BusKind::OneWire,
            Self::Hwmon => BusKind::Hwmon,
            Self::Pin => BusKind::Gpio,
        }
    }

    /// What it tells, and the unit (UCUM) of each. None for `hwmon`, where each driver has its own.
    pub fn channels(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Sht3x | Self::Sht4x => &[("temperature", "degC"), ("humidity", "%")],
            Self::Scd4x => &[("co2", "ppm"), ("temperature", "degC"), ("humidity", "%")],
            Self::Lis3mdl => &[("x", "uT"), ("y", "uT"), ("z", "uT"), ("chip-temperature", "degC")],
            Self::Ads1115 => &[("a0", "V"), ("a1", "V"), ("a2", "V"), ("a3", "V")],
            Self::CurrentLoop => &[("a0", "mA"), ("a1", "mA"), ("a2", "mA"), ("a3", "mA")],
            Self::Gas => &[("a0", "ppm"), ("a1", "ppm"), ("a2", "ppm"), ("a3", "ppm")],
            Self::Mcp3208 => &[
                ("a0", "V"),
                ("a1", "V"),
                ("a2", "V"),
                ("a3", "V"),
                ("a4", "V"),
                ("a5", "V"),
                ("a6", "V"),
                ("a7", "V"),
            ],
            Self::CurrentLoopMcp3208 => &[
                ("a0", "mA"),
                ("a1", "mA"),
                ("a2", "mA"),
                ("a3", "mA"),
                ("a4", "mA"),
                ("a5", "mA"),
                ("a6", "mA"),
                ("a7", "mA"),
            ],
            Self::Pms5003 => &[("pm1-0", "ug/m3"), ("pm2-5", "ug/m3"), ("pm10", "ug/m3")],
            Self::A02yyuw => &[("distance", "mm")],
            Self::TfLuna => &[("distance", "mm"), ("strength", "1"), ("chip-temperature", "degC")],
            Self::Ds18b20 => &[("temperature", "degC")],
            Self::Hwmon => &[],
            Self::Pin => &[("high", "1"), ("low", "1")],
        }
    }

    /// I2C addresses that it can have; the first one unless a device says otherwise.
    pub fn addresses(self) -> &'static [u8] {
        match self {
            Self::Sht3x => &[0x44, 0x45],
            Self::Sht4x => &[0x44, 0x45, 0x46],
            Self::Scd4x => &[0x62],
            Self::Lis3mdl => &[0x1C, 0x1E],
            Self::Ads1115 | Self::CurrentLoop | Self::Gas => &[0x48, 0x49, 0x4A, 0x4B],
            Self::Mcp3208
            | Self::CurrentLoopMcp3208
            | Self::Pms5003
            | Self::A02yyuw
            | Self::TfLuna
            | Self::Ds18b20
            | Self::Hwmon
            | Self::Pin => &[],
        }
    }

    /// Where it is, by a device's `address`; or what was expected there.
    pub fn place(self, address: Option<&str>) -> Result<Place, String> {
        match (self.bus(), address) {
            (BusKind::I2c, None) => {
                let first = self.addresses().first().copied();
                first.map(Place::I2c).ok_or_else(|| "it has no address".to_owned())
            }
            (BusKind::I2c, Some(text)) => {
                let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
                let parsed = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                let known = parsed.filter(|address| self.addresses().contains(address));
                known.map(Place::I2c).ok_or_else(|| {
                    let all: Vec<String> =
                        self.addresses().iter().map(|a| format!("`{a:#04x}`")).collect();
                    format!("a `{}` is at {}, found `{text}`", self.word(), all.join(" or "))
                })
            }
            (BusKind::Uart | BusKind::Spi, None) => Ok(Place::Alone),
            (BusKind::Uart, Some(_)) => {
                Err(format!("a `{}` is alone on its UART and has no address", self.word()))
            }
            (BusKind::Spi, Some(_)) => {
                Err(format!("a `{}` is alone at its select line and has no address", self.word()))
            }
            (BusKind::OneWire, Some(name)) if is_one_wire(name) => Ok(Place::Name(name.to_owned())),
            (BusKind::OneWire, found) => Err(expected(
                "the kernel's name of it, such as `28-00000a1b2c3d` (`ls` of the bus shows them)",
                found,
            )),
            // It becomes part of a path.
            (BusKind::Hwmon, Some(name)) if is_word(name) => Ok(Place::Name(name.to_owned())),
            (BusKind::Hwmon, found) => {
                Err(expected("the name that the driver has, such as `cpu_thermal`", found))
            }
            (BusKind::Gpio, found) => match found.and_then(|line| line.parse().ok()) {
                Some(line) => Ok(Place::Line(line)),
                None => Err(expected("the number of the line, such as `17`", found)),
            },
        }
    }

    /// What `hwmon` tells in thousandths: `temp1_input` in m degC, `in1_input` in mV, `curr1_input` in mA,
    /// `humidity1_input` in m%; the rest as it stands (Linux, Documentation/hwmon/sysfs-interface).
    /// None for what is no input of the kernel's.
    pub fn hwmon_divisor(channel: &str) -> Option<f64> {
        let quantity =
            channel.strip_suffix("_input")?.trim_end_matches(|c: char| c.is_ascii_digit());
        match quantity {
            "temp" | "in" | "curr" | "humidity" => Some(1_000.0),
            "fan" => Some(1.0),
            _ => None,
        }
    }
}

fn expected(what: &str, found: Option<&str>) -> String {
    match found {
        Some(found) => format!("`address` is {what}, found `{found}`"),
        None => format!("missing key `address`: {what}"),
    }
}

/// Family and number, as Linux names the folder of a slave.
fn is_one_wire(name: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    name.split_once('-').is_some_and(|(family, number)| {
        family.len() == 2 && number.len() == 12 && is_hex(family) && is_hex(number)
    })
}

/// Letters, digits, dashes and underscores: no way out of a folder.
fn is_word(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

impl DeviceType {
    /// Values by point out of what each point's channel says, `NaN` for no data.
    pub fn of_channels(&self, channel: impl Fn(&Point) -> f64) -> Vec<f64> {
        self.points.iter().map(|point| channel(point) * point.scale + point.offset).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chip_has_a_word_channels_and_a_place() {
        for chip in Chip::ALL {
            let word = serde_json::to_value(chip).unwrap();
            assert_eq!(word, chip.word());
            assert_eq!(chip.channels().is_empty(), chip == Chip::Hwmon, "{word}");
            assert_eq!(chip.addresses().is_empty(), chip.bus() != BusKind::I2c, "{word}");
            for (channel, unit) in chip.channels() {
                assert!(crate::community::quantity::is_unit(unit), "{word} {channel}");
            }
        }
    }

    #[test]
    fn an_address_is_one_that_the_chip_can_have() {
        let place = |chip: Chip, address| chip.place(address).ok();

        assert_eq!(place(Chip::Sht4x, None), Some(Place::I2c(0x44)));
        assert_eq!(place(Chip::Sht4x, Some("0x46")), Some(Place::I2c(0x46)));
        assert_eq!(place(Chip::Sht4x, Some("0x47")), None);
        assert_eq!(place(Chip::Sht4x, Some("68")), None, "a number in another base is a trap");
        assert_eq!(place(Chip::Pms5003, None), Some(Place::Alone));
        assert_eq!(place(Chip::Pms5003, Some("1")), None);
        assert_eq!(place(Chip::Mcp3208, None), Some(Place::Alone));
        assert_eq!(place(Chip::Mcp3208, Some("0")), None);
        assert_eq!(place(Chip::Gas, Some("0x4b")), Some(Place::I2c(0x4B)));
        assert_eq!(place(Chip::Pin, Some("17")), Some(Place::Line(17)));
        assert_eq!(place(Chip::Pin, None), None);
        let probe = "28-00000a1b2c3d";
        assert_eq!(place(Chip::Ds18b20, Some(probe)), Some(Place::Name(probe.to_owned())));
        for name in ["", "28", "28-../../etc", "28-00000a1b2c3"] {
            assert_eq!(place(Chip::Ds18b20, Some(name)), None, "{name}");
        }
        assert_eq!(place(Chip::Hwmon, Some("../x")), None);
    }

    #[test]
    fn the_kernels_thousandths_are_known() {
        let cases =
            [("temp1_input", Some(1_000.0)), ("fan12_input", Some(1.0)), ("temp1_crit", None)];
        for (channel, expected) in cases {
            assert_eq!(Chip::hwmon_divisor(channel), expected, "{channel}");
        }
    }
}
