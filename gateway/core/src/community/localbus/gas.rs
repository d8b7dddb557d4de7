//! What the voltages of gas sensors mean.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[localbus.gas]`: semiconductor gas sensors of one kind, each in series with a load resistor; the
/// voltage is taken across the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Gas {
    /// What sensor and load divide between them, in volt.
    pub supply_volt: f64,
    /// The lower of two concentrations for which the datasheet has a resistance.
    pub from_ppm: f64,
    /// The higher one.
    pub to_ppm: f64,
    /// The sensor's resistance at the higher one over that at the lower one.
    pub ratio: f64,
    /// From where on the maker vouches for the curve; less is told as this.
    pub least_ppm: f64,
    /// Up to where; more is told as this.
    pub most_ppm: f64,
    /// The known concentration that `calibration-volt` was measured in.
    pub calibration_ppm: f64,
    /// What each sensor showed in it, by input. Two of a kind may differ by ten times.
    pub calibration_volt: BTreeMap<String, f64>,
}

impl Gas {
    /// What an input shows in a concentration, by what it showed in the known one.
    pub fn volts_at(&self, calibration_volt: f64, ppm: f64) -> f64 {
        let slope = self.ratio.ln() / (self.to_ppm / self.from_ppm).ln();
        let resistance = self.supply_volt / calibration_volt - 1.0;
        self.supply_volt / (1.0 + resistance * (ppm / self.calibration_ppm).powf(slope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_gas_is_more_voltage_and_the_known_one_comes_out() {
        let gas = Gas {
            supply_volt: 5.0,
            from_ppm: 3_000.0,
            to_ppm: 9_000.0,
            ratio: 0.60,
            least_ppm: 500.0,
            most_ppm: 10_000.0,
            calibration_ppm: 3_000.0,
            calibration_volt: BTreeMap::new(),
        };

        assert!((gas.volts_at(2.5, 3_000.0) - 2.5).abs() < 1e-9);
        // As large as the load before, 0.6 of it after.
        assert!((gas.volts_at(2.5, 9_000.0) - 5.0 / 1.6).abs() < 1e-9);
    }
}
