//! Semiconductor gas sensors: a voltage across a load resistor, a ratio of resistances, a
//! concentration.
//!
//! The sensor and a load resistor divide the supply. Gas lowers the sensor's resistance `Rs`, and over
//! its range the logarithm of `Rs` falls in a straight line with the logarithm of the concentration. So
//! two figures of the datasheet make the curve, and one calibration per sensor, in a known gas, puts
//! its own resistance on it: two of a kind may differ by ten times.
//!
//! It warns of a leak. It is no measuring instrument, and no alarm that a law asks for.

use libm::{logf, powf};

/// Sensor and load resistor in series at a supply; the voltage is taken across the load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Divider {
    pub supply_volts: f32,
    pub load_ohm: f32,
}

impl Divider {
    /// `Rs = (Vc / Vout - 1) x RL` (Figaro, TGS2611 product information, "Basic measuring circuit").
    /// None where the voltage is no divided one: the sensor is off, shorted, or its heater is.
    pub fn sensor_ohm(&self, volts: f32) -> Option<f32> {
        // Within a hundredth of either end a count of the ADC is more than the reading.
        let edge = self.supply_volts / 100.0;
        let is_divided = volts > edge && volts < self.supply_volts - edge;
        is_divided.then(|| (self.supply_volts / volts - 1.0) * self.load_ohm)
    }
}

/// How a kind of sensor answers to its gas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curve {
    /// Where `Rs` is `Ro`, by the maker's definition.
    pub reference_ppm: f32,
    /// Two concentrations, and `Rs` at the higher over `Rs` at the lower.
    pub from_ppm: f32,
    pub to_ppm: f32,
    pub ratio: f32,
    /// Where the maker vouches for the curve.
    pub least_ppm: f32,
    pub most_ppm: f32,
}

/// Figaro TGS2611 for methane. Source: product information TGS2611 (rev. 10/05), table
/// "Specifications": `Ro` at 5000 ppm, 0.68 to 6.8 kohm; Rs(9000 ppm) / Rs(3000 ppm) = 0.60 +- 0.06;
/// typical detection range 500 to 10000 ppm. A tenth of the lower explosive limit is 5000 ppm.
pub const TGS2611_METHANE: Curve = Curve {
    reference_ppm: 5_000.0,
    from_ppm: 3_000.0,
    to_ppm: 9_000.0,
    ratio: 0.60,
    least_ppm: 500.0,
    most_ppm: 10_000.0,
};

/// How much gas there is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Concentration {
    /// Less than the curve reaches down to, which is given.
    Below(f32),
    /// Parts per million.
    Ppm(f32),
    /// More than the curve reaches up to, which is given.
    Above(f32),
}

impl Concentration {
    /// The number alone: the nearest that is known.
    pub fn ppm(self) -> f32 {
        match self {
            Self::Below(ppm) | Self::Ppm(ppm) | Self::Above(ppm) => ppm,
        }
    }
}

impl Curve {
    /// What a ratio `Rs / Ro` means; none for one that cannot be.
    pub fn concentration(&self, ratio: f32) -> Option<Concentration> {
        if !ratio.is_finite() || ratio <= 0.0 {
            return None;
        }
        let ppm = self.reference_ppm * powf(ratio, 1.0 / self.slope());
        Some(if ppm < self.least_ppm {
            Concentration::Below(self.least_ppm)
        } else if ppm > self.most_ppm {
            Concentration::Above(self.most_ppm)
        } else {
            Concentration::Ppm(ppm)
        })
    }

    /// `Ro` of one sensor that shows `sensor_ohm` in a known concentration.
    pub fn calibrated(&self, sensor_ohm: f32, ppm: f32) -> Option<f32> {
        let reference_ohm = sensor_ohm / self.ratio_at(ppm);
        (reference_ohm.is_finite() && reference_ohm > 0.0).then_some(reference_ohm)
    }

    /// `Rs / Ro` at a concentration.
    fn ratio_at(&self, ppm: f32) -> f32 {
        powf(ppm / self.reference_ppm, self.slope())
    }

    /// Below zero: the more gas, the less resistance.
    fn slope(&self) -> f32 {
        logf(self.ratio) / logf(self.to_ppm / self.from_ppm)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_makers_two_figures_come_out() {
        let at = |ppm| TGS2611_METHANE.ratio_at(ppm);

        assert!((at(9_000.0) / at(3_000.0) - 0.60).abs() < 0.000_1);
        assert!((at(5_000.0) - 1.0).abs() < 0.000_1);
        // Figure "Sensitivity characteristics": about 2 at 1000 ppm.
        assert!((at(1_000.0) - 2.0).abs() < 0.2, "{}", at(1_000.0));
    }

    #[test]
    fn a_voltage_becomes_a_concentration() {
        let divider = Divider { supply_volts: 5.0, load_ohm: 3_000.0 };

        // Half the supply: the sensor is as large as the load.
        let ohm = divider.sensor_ohm(2.5).unwrap();
        let ratio = ohm / TGS2611_METHANE.calibrated(3_000.0, 5_000.0).unwrap();

        let found = TGS2611_METHANE.concentration(ratio).unwrap();
        assert!((found.ppm() - 5_000.0).abs() < 1.0, "{found:?}");
    }

    #[test]
    fn a_sensor_that_is_off_or_shorted_measures_nothing() {
        let divider = Divider { supply_volts: 5.0, load_ohm: 3_000.0 };

        for volts in [0.0, 0.05, 4.95, 5.0, 5.3, -0.2, f32::NAN] {
            assert_eq!(divider.sensor_ohm(volts), None, "{volts} V");
        }
    }

    #[test]
    fn past_the_ends_of_the_curve_nothing_is_made_up() {
        let found = |ratio| TGS2611_METHANE.concentration(ratio);

        assert_eq!(found(10.0), Some(Concentration::Below(500.0)), "clean air");
        assert_eq!(found(0.3), Some(Concentration::Above(10_000.0)));
        for ratio in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert_eq!(found(ratio), None);
        }
    }

    proptest! {
        #[test]
        fn a_concentration_survives_the_curve(ppm in 500.5_f32..9_990.0) {
            let ratio = TGS2611_METHANE.ratio_at(ppm);
            let back = TGS2611_METHANE.concentration(ratio).unwrap();
            prop_assert!((back.ppm() / ppm - 1.0).abs() < 0.001, "{:?}", back);
        }

        #[test]
        fn more_gas_is_never_told_as_less(a in 0.01_f32..100.0, b in 0.01_f32..100.0) {
            let ppm = |ratio| TGS2611_METHANE.concentration(ratio).unwrap().ppm();
            prop_assert!(a > b || ppm(a) >= ppm(b));
        }
    }
}
