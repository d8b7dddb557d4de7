//! 4-20 mA: what a transmitter says with a current, such as the level of a tank.
//!
//! Source: IEC 60381-1 (4 mA is the bottom of the span, 20 mA its top) and NAMUR NE 43: a current from
//! 3.8 to 20.5 mA is a measurement; 3.6 mA or less, and 21 mA or more, says that the transmitter or the
//! wire has failed. In between it is at the end of what it can measure.

/// NAMUR NE 43, the signal levels in mA.
const BROKEN_LOW: f32 = 3.6;
const LOWEST: f32 = 3.8;
const HIGHEST: f32 = 20.5;
const BROKEN_HIGH: f32 = 21.0;

/// Why a current is no measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 3.6 mA or less: a broken wire, no supply, or the transmitter says that it has failed.
    Low,
    /// 21 mA or more: a short, or the transmitter says that it has failed.
    High,
}

/// Current through a shunt.
pub fn milliamperes(volts: f32, shunt_ohm: f32) -> f32 {
    volts / shunt_ohm * 1_000.0
}

/// The current that may be used as a measurement, from 3.8 to 20.5 mA.
pub fn judge(milliamperes: f32) -> Result<f32, Fault> {
    if milliamperes >= BROKEN_HIGH {
        Err(Fault::High)
    } else if milliamperes > BROKEN_LOW {
        Ok(milliamperes.clamp(LOWEST, HIGHEST))
    } else {
        // And what is no number.
        Err(Fault::Low)
    }
}

/// What 4 and 20 mA stand for, in the unit of the measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    pub at_4_ma: f32,
    pub at_20_ma: f32,
}

impl Span {
    /// The measurement that a judged current stands for.
    pub fn value(&self, milliamperes: f32) -> f32 {
        self.at_4_ma + (milliamperes - 4.0) / 16.0 * (self.at_20_ma - self.at_4_ma)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_limits_of_namur_ne_43_hold() {
        let cases = [
            ("a broken wire", 0.0, Err(Fault::Low)),
            ("failure, low", 3.6, Err(Fault::Low)),
            ("just above it, at the end", 3.61, Ok(3.8)),
            ("the lowest measurement", 3.8, Ok(3.8)),
            ("the bottom of the span", 4.0, Ok(4.0)),
            ("the top of the span", 20.0, Ok(20.0)),
            ("the highest measurement", 20.5, Ok(20.5)),
            ("at the end", 20.9, Ok(20.5)),
            ("failure, high", 21.0, Err(Fault::High)),
            ("a short", 140.0, Err(Fault::High)),
            ("no number", f32::NAN, Err(Fault::Low)),
        ];
        for (why, current, expected) in cases {
            assert_eq!(judge(current), expected, "{why}");
        }
    }

    #[test]
    fn a_tank_of_five_metres_is_half_full_at_twelve() {
        let tank = Span { at_4_ma: 0.0, at_20_ma: 5.0 };

        // 1.98 V across 165 ohm.
        let current = judge(milliamperes(1.98, 165.0)).unwrap();

        assert!((tank.value(current) - 2.5).abs() < 0.000_1);
    }

    proptest! {
        #[test]
        fn what_passes_is_within_the_limits(current: f32) {
            if let Ok(usable) = judge(current) {
                prop_assert!((LOWEST..=HIGHEST).contains(&usable));
                prop_assert!(current > BROKEN_LOW && current < BROKEN_HIGH);
            }
        }
    }
}
