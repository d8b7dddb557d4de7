//! Chips that measure voltages, and what a voltage means that a transmitter or a gas sensor makes.

use std::collections::BTreeMap;
use std::fmt::Debug;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use embedded_hal::spi::SpiDevice;
use gatehouse_core::community::localbus::{Chip, Gas, Localbus};
use gatehouse_drivers::gas::{Curve, Divider};
use gatehouse_drivers::{Error, ads1115, current_loop, mcp3208};

use super::{Read, Said};

/// What the voltage of an input means; none for no data.
type Meaning = Box<dyn Fn(&str, f32) -> Option<f64> + Send>;

/// Inputs of an ADS1115; none for a chip that is not read over one.
pub(super) fn over_ads1115<I, D>(
    localbus: &Localbus,
    address: u8,
    wanted: &[String],
    i2c: I,
    mut delay: D,
) -> Option<Read>
where
    I: I2c + Send + 'static,
    D: DelayNs + Send + 'static,
{
    use ads1115::Channel;

    let inputs =
        [("a0", Channel::A0), ("a1", Channel::A1), ("a2", Channel::A2), ("a3", Channel::A3)];
    let mut chip = ads1115::Ads1115::new(i2c, ads1115::address(address)?);
    let volts = move |channel| Ok(chip.read(channel, &mut delay)?.volts);
    Some(read(inputs, wanted, volts, meaning(localbus)?))
}

/// Inputs of an MCP3208; none for a chip that is not read over one.
pub(super) fn over_mcp3208<S>(localbus: &Localbus, wanted: &[String], spi: S) -> Option<Read>
where
    S: SpiDevice + Send + 'static,
{
    use mcp3208::Channel;

    let inputs = [
        ("a0", Channel::A0),
        ("a1", Channel::A1),
        ("a2", Channel::A2),
        ("a3", Channel::A3),
        ("a4", Channel::A4),
        ("a5", Channel::A5),
        ("a6", Channel::A6),
        ("a7", Channel::A7),
    ];
    let mut chip = mcp3208::Mcp3208::new(spi, single(localbus.reference_volt?));
    let volts = move |channel| Ok(chip.read(channel)?.volts);
    Some(read(inputs, wanted, volts, meaning(localbus)?))
}

/// The inputs that somebody asks for, one after the other.
fn read<C, E, const N: usize>(
    inputs: [(&'static str, C); N],
    wanted: &[String],
    mut volts: impl FnMut(C) -> Result<f32, Error<E>> + Send + 'static,
    meaning: Meaning,
) -> Read
where
    C: Copy + Send + 'static,
    E: Debug,
{
    let asked: Vec<_> =
        inputs.into_iter().filter(|(name, _)| wanted.iter().any(|w| w == name)).collect();
    Box::new(move || {
        let mut said = Said::new();
        for (name, channel) in &asked {
            match volts(*channel) {
                Ok(volts) => {
                    said.extend(meaning(name, volts).map(|number| ((*name).to_owned(), number)));
                }
                // One input that is beyond its scale says nothing of the others.
                Err(Error::NoMeasurement) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(said)
    })
}

/// None without the settings that the chip needs.
fn meaning(localbus: &Localbus) -> Option<Meaning> {
    match localbus.chip {
        Chip::CurrentLoop | Chip::CurrentLoopMcp3208 => {
            let ohm = single(localbus.shunt_ohm?);
            Some(Box::new(move |_, volts| {
                current_loop::judge(current_loop::milliamperes(volts, ohm)).ok().map(f64::from)
            }))
        }
        Chip::Gas => Some(concentration(localbus.gas.as_ref()?)),
        _ => Some(Box::new(|_, volts| Some(volts.into()))),
    }
}

/// Parts per million. Sensor and load are one ratio and the calibration is another of the same two, so
/// the load resistor's own value comes to nothing: resistances are counted in loads.
fn concentration(gas: &Gas) -> Meaning {
    let divider = Divider { supply_volts: single(gas.supply_volt), load_ohm: 1.0 };
    let known_ppm = single(gas.calibration_ppm);
    let curve = Curve {
        reference_ppm: known_ppm,
        from_ppm: single(gas.from_ppm),
        to_ppm: single(gas.to_ppm),
        ratio: single(gas.ratio),
        least_ppm: single(gas.least_ppm),
        most_ppm: single(gas.most_ppm),
    };
    let calibrated = |volt: f64| curve.calibrated(divider.sensor_ohm(single(volt))?, known_ppm);
    let known = gas.calibration_volt.iter();
    let references: BTreeMap<String, f32> =
        known.filter_map(|(input, volt)| Some((input.clone(), calibrated(*volt)?))).collect();
    Box::new(move |input, volts| {
        let ratio = divider.sensor_ohm(volts)? / references.get(input)?;
        curve.concentration(ratio).map(|found| found.ppm().into())
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a setting has a few digits")]
fn single(setting: f64) -> f32 {
    setting as f32
}
