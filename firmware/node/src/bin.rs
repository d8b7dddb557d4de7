//! The bin node's job: how full, how heavy, how upright, how hot.

use gatehouse_contract::bin::{
    DISTANCE, EMPTY_DISTANCE, FILL, FULL_DISTANCE, LEVEL, MAP, SPAN, SPAN_WEIGHT, TARE,
    TEMPERATURE, TILT, WEIGHT,
};
use gatehouse_contract::{Map, NoData};

use crate::SECOND;
use crate::bank::Bank;
use crate::filter::Filter;
use crate::node::{Done, Job};
use crate::plan::Turn;
use crate::sense::{Measured, Quantity};
use crate::settings::{CALIBRATIONS, OWN, Settings};

/// Where the calibrations keep the raw load of the empty bin, and kg for each count; 0: never calibrated.
const TARE_LOAD: usize = 0;
const KG_PER_COUNT: usize = 1;
/// Which way is up, three numbers.
const UP: usize = 2;
/// Tilted further the sensor in the lid looks elsewhere. A lid that is left open stands at 80 and more.
const UPRIGHT_DEG: f32 = 30.0;
/// An echo from so much below the bottom is none of the bin: tolerance of an ultrasonic sensor.
const SLACK_MM: f32 = 50.0;

#[derive(Debug, Default)]
pub struct Bin {
    distance: Filter,
    load: Filter,
    temperature: Filter,
    gravity: [Filter; 3],
}

impl Job for Bin {
    const MAP: &'static Map = &MAP;
    const PRODUCT: &'static str = "node-bin";
    const TURNS: &'static [Turn] = &[
        Turn { quantity: Quantity::Distance, every: 10 * SECOND },
        Turn { quantity: Quantity::Load, every: 5 * SECOND },
        // A fire is seen within half a minute.
        Turn { quantity: Quantity::Temperature, every: 5 * SECOND },
        Turn { quantity: Quantity::Gravity, every: 5 * SECOND },
        Turn { quantity: Quantity::Supply, every: 10 * SECOND },
    ];
    /// A 240 l bin (EN 840-1) is about a metre deep.
    const OWN: [u16; OWN] = [1_000, 150, 400, 0];
    const CALIBRATION: [f32; CALIBRATIONS] = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0];

    fn take(
        &mut self,
        what: Quantity,
        measured: Measured,
        with: &Settings,
        bank: &mut Bank,
        _: u64,
    ) {
        let first = measured.map(|[value, ..]| value);
        match what {
            Quantity::Distance => self.distance.take(first),
            Quantity::Load => self.load.take(first),
            Quantity::Temperature => self.temperature.take(first),
            Quantity::Gravity => {
                for (axis, filter) in self.gravity.iter_mut().enumerate() {
                    filter.take(measured.map(|axes| axes[axis]));
                }
            }
            Quantity::Supply
            | Quantity::Humidity
            | Quantity::Co2
            | Quantity::Pm2_5
            | Quantity::Pm10
            | Quantity::Gas
            | Quantity::Field => return,
        }
        let tilt = self.gravity().and_then(|now| angle(now, up(with)));
        bank.put(&TILT, tilt);
        bank.put(&DISTANCE, self.distance.value());
        bank.put(&TEMPERATURE, self.temperature.value());
        bank.put(&WEIGHT, self.load.value().and_then(|load| weight(load, with)));
        // Without a tilt sensor the bin is taken for upright.
        let is_upright = tilt.is_err() || tilt.is_ok_and(|tilt| tilt <= UPRIGHT_DEG);
        let fill = match (bank.value(&EMPTY_DISTANCE), bank.value(&FULL_DISTANCE)) {
            (Ok(empty), Ok(full)) if is_upright => {
                self.distance.value().and_then(|distance| fill(distance, empty, full))
            }
            _ => Err(NoData::Absent),
        };
        bank.put(&FILL, fill);
    }

    fn command(&mut self, word: u16, settings: &mut Settings, bank: &mut Bank, _: u64) -> Done {
        let keeps = &mut settings.calibration;
        match word {
            TARE => {
                let Ok(load) = self.load.value() else { return Done::Failed };
                keeps[TARE_LOAD] = load;
                if let Ok(distance) = self.distance.value() {
                    bank.put(&EMPTY_DISTANCE, Ok(distance));
                    // Only what is a distance to a bottom is kept.
                    let word = bank.word(EMPTY_DISTANCE.access, EMPTY_DISTANCE.address);
                    let (Ok(_), Some(word)) = (bank.counts(&EMPTY_DISTANCE), word) else {
                        bank.count(&EMPTY_DISTANCE, Ok(i32::from(settings.own[0])));
                        return Done::Failed;
                    };
                    settings.own[0] = word;
                }
                Done::Keep
            }
            SPAN => match (self.load.value(), bank.value(&SPAN_WEIGHT)) {
                (Ok(load), Ok(weight)) if (load - keeps[TARE_LOAD]).abs() >= 1.0 => {
                    keeps[KG_PER_COUNT] = weight / (load - keeps[TARE_LOAD]);
                    Done::Keep
                }
                _ => Done::Failed,
            },
            LEVEL => match self.gravity() {
                Ok(now) if angle(now, now).is_ok() => {
                    keeps[UP..UP + 3].copy_from_slice(&now);
                    Done::Keep
                }
                _ => Done::Failed,
            },
            _ => Done::Failed,
        }
    }
}

impl Bin {
    fn gravity(&self) -> Measured {
        let [x, y, z] = &self.gravity;
        Ok([x.value()?, y.value()?, z.value()?])
    }
}

fn up(with: &Settings) -> [f32; 3] {
    let keeps = &with.calibration;
    [keeps[UP], keeps[UP + 1], keeps[UP + 2]]
}

fn weight(load: f32, with: &Settings) -> Result<f32, NoData> {
    let keeps = &with.calibration;
    match keeps[KG_PER_COUNT] {
        0.0 => Err(NoData::Absent),
        kg_per_count => Ok((load - keeps[TARE_LOAD]) * kg_per_count),
    }
}

/// Percent of the way from the bottom to what counts as full.
fn fill(distance: f32, empty: f32, full: f32) -> Result<f32, NoData> {
    if full >= empty {
        return Err(NoData::Fault);
    }
    if distance > empty + SLACK_MM {
        return Err(NoData::Range);
    }
    Ok(((empty - distance) / (empty - full) * 100.0).clamp(0.0, 100.0))
}

/// The angle between two directions, degrees.
fn angle(a: [f32; 3], b: [f32; 3]) -> Result<f32, NoData> {
    let dot = |a: [f32; 3], b: [f32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let lengths = libm::sqrtf(dot(a, a) * dot(b, b));
    if !lengths.is_normal() {
        return Err(NoData::Fault);
    }
    Ok(libm::acosf((dot(a, b) / lengths).clamp(-1.0, 1.0)).to_degrees())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_is_as_full_as_its_content_is_high() {
        let cases = [
            ("empty", 1_000.0, Ok(0.0)),
            ("a little below the bottom", 1_040.0, Ok(0.0)),
            ("no bottom at all", 1_060.0, Err(NoData::Range)),
            ("half", 575.0, Ok(50.0)),
            ("heaped", 40.0, Ok(100.0)),
        ];
        for (why, distance, expected) in cases {
            assert_eq!(fill(distance, 1_000.0, 150.0), expected, "{why}");
        }
        assert_eq!(fill(100.0, 150.0, 150.0), Err(NoData::Fault), "set the wrong way round");
    }

    #[test]
    fn an_angle_is_that_between_two_directions_of_any_length() {
        let cases = [
            ([0.0, 0.0, 9.81], [0.0, 0.0, 1.0], 0.0),
            ([0.0, 1.0, 1.0], [0.0, 0.0, 1.0], 45.0),
            ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0], 90.0),
            ([0.0, 0.0, -1.0], [0.0, 0.0, 1.0], 180.0),
        ];
        for (a, b, expected) in cases {
            let found = angle(a, b).unwrap();
            assert!((found - expected).abs() < 0.01, "{a:?} {b:?}: {found}");
        }
        assert_eq!(angle([0.0; 3], [0.0, 0.0, 1.0]), Err(NoData::Fault));
    }
}
