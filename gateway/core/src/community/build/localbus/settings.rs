//! Does a chip have the settings that it needs, and none that are another's?

use super::super::super::device_type::DeviceType;
use super::super::super::document::Document;
use super::super::super::localbus::{Chip, Gas, Localbus};

/// What an ADS1115 reads at most, in volt; see the driver.
const ADS1115_VOLTS: f64 = 4.096;
/// So much of what an ADC reads may be needed; the rest is for what resistors and references are off by.
const USABLE: f64 = 0.96;
/// A transmitter says that it has failed with so many amperes (NAMUR NE 43): they must be told from a short.
const FAILURE_AMPERES: f64 = 0.021;

pub(super) fn check(document: &mut Document, device_type: &DeviceType, localbus: &Localbus) {
    if localbus.every.0.is_zero() {
        document.fault("localbus.every", "`every` must be longer than nothing", None);
    }
    if document.is_mended("localbus.chip") {
        return;
    }
    check_keys(document, localbus);
    if let Some(volt) = localbus.reference_volt
        && !(0.25..=5.5).contains(&volt)
    {
        let message = format!("`reference-volt` is {volt}, expected 0.25 to 5.5");
        document.fault("localbus.reference-volt", message, None);
    }
    check_shunt(document, localbus);
    if let (Chip::Gas, Some(gas)) = (localbus.chip, &localbus.gas)
        && !document.is_doubtful("localbus.gas")
    {
        check_gas(document, gas);
        check_calibration(document, device_type, gas);
    }
}

fn check_keys(document: &mut Document, localbus: &Localbus) {
    let keys = [
        (
            "shunt-ohm",
            localbus.shunt_ohm.is_some(),
            &[Chip::CurrentLoop, Chip::CurrentLoopMcp3208][..],
            "a current is measured across a resistor",
            "as in `shunt-ohm = 150`",
        ),
        (
            "reference-volt",
            localbus.reference_volt.is_some(),
            &[Chip::Mcp3208, Chip::CurrentLoopMcp3208],
            "it measures in parts of what stands at its pin VREF",
            "as in `reference-volt = 3.3`",
        ),
        (
            "gas",
            localbus.gas.is_some(),
            &[Chip::Gas],
            "a voltage says nothing of a gas without its sensor's curve",
            "add `[localbus.gas]`",
        ),
    ];
    for (key, is_given, chips, why, example) in keys {
        match (chips.contains(&localbus.chip), is_given) {
            (true, false) if !document.is_doubtful(&format!("localbus.{key}")) => {
                let message = format!("missing key `{key}`; {why}");
                document.fault("localbus", message, Some(example.to_owned()));
            }
            (false, true) => {
                let all: Vec<String> =
                    chips.iter().map(|chip| format!("`chip = \"{}\"`", chip.word())).collect();
                let message = format!("`{key}` is for {}", all.join(" or "));
                document.key_fault(&format!("localbus.{key}"), message, None);
            }
            (true | false, true | false) => {}
        }
    }
}

fn check_shunt(document: &mut Document, localbus: &Localbus) {
    let reads_to = match localbus.chip {
        Chip::CurrentLoop => Some(ADS1115_VOLTS),
        Chip::CurrentLoopMcp3208 => localbus.reference_volt,
        _ => None,
    };
    let (Some(ohm), Some(reads_to)) = (localbus.shunt_ohm, reads_to) else { return };
    let most = (USABLE * reads_to / FAILURE_AMPERES).floor();
    if !(10.0..=most).contains(&ohm) {
        let message = format!("`shunt-ohm` is {ohm}, expected 10 to {most}");
        let help = format!("21 mA must stay within the {reads_to} V that the ADC reads");
        document.fault("localbus.shunt-ohm", message, Some(help));
    }
}

fn check_gas(document: &mut Document, gas: &Gas) {
    let within = |low: f64, value: f64, high: f64| low < value && value < high;
    let known = gas.least_ppm..=gas.most_ppm;
    let endless = f64::INFINITY;
    let cases = [
        ("supply-volt", within(0.0, gas.supply_volt, 30.0), "more than 0 and less than 30"),
        ("from-ppm", within(0.0, gas.from_ppm, endless), "more than 0"),
        ("to-ppm", within(gas.from_ppm, gas.to_ppm, endless), "more than `from-ppm`"),
        (
            "ratio",
            within(0.0, gas.ratio, 1.0),
            "between 0 and 1: the more gas, the less resistance",
        ),
        ("least-ppm", within(0.0, gas.least_ppm, endless), "more than 0"),
        ("most-ppm", within(gas.least_ppm, gas.most_ppm, endless), "more than `least-ppm`"),
        (
            "calibration-ppm",
            known.contains(&gas.calibration_ppm),
            "between `least-ppm` and `most-ppm`, where the curve holds",
        ),
    ];
    for (key, is_good, expected) in cases {
        if !is_good {
            let path = format!("localbus.gas.{key}");
            document.fault(&path, format!("`{key}` must be {expected}"), None);
        }
    }
}

fn check_calibration(document: &mut Document, device_type: &DeviceType, gas: &Gas) {
    let path = "localbus.gas.calibration-volt";
    for (input, volt) in &gas.calibration_volt {
        let at = format!("{path}.{input}");
        let supply = gas.supply_volt;
        if !Chip::Gas.channels().iter().any(|(known, _)| known == input) {
            document.key_fault(&at, format!("a `gas` has no channel `{input}`"), None);
        } else if !(supply / 100.0 < *volt && *volt < supply * 0.99) {
            let message = format!("`{input}` is at {volt} V, which is no part of {supply} V");
            let help = "the sensor is off or shorted, or the load is far from its resistance";
            document.fault(&at, message, Some(help.to_owned()));
        } else {
            let most = gas.volts_at(*volt, gas.most_ppm);
            // Beyond what the ADC reads there would be no data, just where there is most gas.
            if most > USABLE * ADS1115_VOLTS {
                let ppm = gas.most_ppm;
                let message = format!(
                    "in {ppm} ppm `{input}` would be at {most:.2} V, too near to the 4.096 V that the ADS1115 reads"
                );
                let help = "take a smaller load resistor, and calibrate again".to_owned();
                document.fault(&at, message, Some(help));
            }
        }
    }
    for (position, point) in device_type.points.iter().enumerate() {
        let Some(input) = &point.at.channel else { continue };
        let is_known = Chip::Gas.channels().iter().any(|(known, _)| known == input);
        if is_known && !gas.calibration_volt.contains_key(input) {
            let message =
                format!("`{input}` was not calibrated: `calibration-volt` does not name it");
            document.fault(&format!("point.{position}.at.channel"), message, None);
        }
    }
}
