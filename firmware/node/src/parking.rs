//! The parking node's job: is there a car?
//!
//! A car bends the earth's field. The bay's own field is learnt while it is empty and followed while it
//! stays so, because temperature and ageing move a magnetometer by more than a small car does in a week.
//! While a car stands there it is left alone: what is measured then is the car.
//!
//! The field makes a car, and a distance sensor, where there is one, can say no: nothing stands above.
//! It cannot say yes by itself, because dirt on its window looks like a car too.

use gatehouse_contract::parking::{
    ARRIVALS, CAR_DISTANCE, DISTANCE, DRIFT, FIELD, LEARN, MAP, OCCUPIED, TEMPERATURE, THRESHOLD,
};
use gatehouse_contract::{Map, NoData};

use crate::SECOND;
use crate::bank::Bank;
use crate::filter::{Debounce, Filter};
use crate::node::{Done, Job};
use crate::plan::Turn;
use crate::sense::{Measured, Quantity};
use crate::settings::{CALIBRATIONS, OWN, Settings};

/// Steady measurements that make a baseline: half a minute.
const LEARNT_AFTER: u16 = 60;
/// A baseline is learnt while the field stays within this, uT; a car that rolls by moves it more.
const STEADY: f32 = 2.0;
/// The share of the threshold under which a car has left: hysteresis.
const LEFT: f32 = 0.6;
/// The share of the threshold up to which the empty bay is taken for quite empty.
const QUIET: f32 = 1.0 / 3.0;
/// How long a change has to last: a car is parked slower than this, one that passes is gone.
const HOLD: u64 = 3 * SECOND;
/// The baseline follows an empty bay within half an hour, faster than the sun warms it;
/// with something near by (a car in the next bay) within six hours.
const FOLLOW: f32 = 1_800.0;
const FOLLOW_NEAR: f32 = 21_600.0;
/// The distance sensor sees nothing, and the field still says car: learn anew after this long.
const CONTRADICTED: u64 = 600 * SECOND;
/// The period of the magnetometer.
const EVERY: u64 = SECOND / 2;

#[derive(Debug, Default)]
pub struct Parking {
    field: [Filter; 3],
    distance: Filter,
    temperature: Filter,
    baseline: Baseline,
    car: Debounce,
    contradicted_since: Option<u64>,
}

/// The field of the empty bay.
#[derive(Debug, Clone, Copy)]
enum Baseline {
    /// Mean so far, and of how many.
    Learning([f32; 3], u16),
    Known {
        now: [f32; 3],
        learnt: [f32; 3],
    },
}

impl Default for Baseline {
    fn default() -> Self {
        Self::Learning([0.0; 3], 0)
    }
}

impl Job for Parking {
    const MAP: &'static Map = &MAP;
    const PRODUCT: &'static str = "node-parking";
    const TURNS: &'static [Turn] = &[
        Turn { quantity: Quantity::Field, every: EVERY },
        // Its median has to be there when the field has held for [`HOLD`].
        Turn { quantity: Quantity::Distance, every: SECOND },
        Turn { quantity: Quantity::Temperature, every: 60 * SECOND },
        Turn { quantity: Quantity::Supply, every: 10 * SECOND },
    ];
    /// 12 uT, a quarter of the earth's field; no distance sensor.
    const OWN: [u16; OWN] = [120, 0, 0, 0];
    /// The baseline is learnt anew at every start unless it was kept: three axes, and a 1.
    const CALIBRATION: [f32; CALIBRATIONS] = [0.0; CALIBRATIONS];

    fn start(&mut self, with: &Settings) {
        let [x, y, z, is_known, ..] = with.calibration;
        if is_known > 0.0 {
            self.baseline = Baseline::Known { now: [x, y, z], learnt: [x, y, z] };
        }
    }

    fn take(
        &mut self,
        what: Quantity,
        measured: Measured,
        _: &Settings,
        bank: &mut Bank,
        now: u64,
    ) {
        let first = measured.map(|[value, ..]| value);
        match what {
            Quantity::Field => {
                for (axis, filter) in self.field.iter_mut().enumerate() {
                    filter.take(measured.map(|axes| axes[axis]));
                }
                self.judge(bank, now);
            }
            Quantity::Distance => {
                self.distance.take(first);
                bank.put(&DISTANCE, self.distance.value());
            }
            Quantity::Temperature => {
                self.temperature.take(first);
                bank.put(&TEMPERATURE, self.temperature.value());
            }
            Quantity::Supply
            | Quantity::Humidity
            | Quantity::Co2
            | Quantity::Pm2_5
            | Quantity::Pm10
            | Quantity::Gas
            | Quantity::Load
            | Quantity::Gravity => {}
        }
    }

    fn command(&mut self, word: u16, settings: &mut Settings, bank: &mut Bank, now: u64) -> Done {
        let (LEARN, Ok([x, y, z])) = (word, self.field()) else { return Done::Failed };
        settings.calibration[..4].copy_from_slice(&[x, y, z, 1.0]);
        self.start(settings);
        (self.car, self.contradicted_since) = (Debounce::default(), None);
        self.judge(bank, now);
        Done::Keep
    }

    fn is_learning(&self) -> bool {
        matches!(self.baseline, Baseline::Learning(..))
    }
}

impl Parking {
    fn field(&self) -> Measured {
        let [x, y, z] = &self.field;
        Ok([x.value()?, y.value()?, z.value()?])
    }

    fn judge(&mut self, bank: &mut Bank, now: u64) {
        if bank.counts(&ARRIVALS).is_err() {
            bank.count(&ARRIVALS, Ok(0));
        }
        let (field, baseline) = match (self.field(), self.baseline) {
            (Ok(field), Baseline::Known { now, .. }) => (field, now),
            (Ok(field), Baseline::Learning(mean, many)) => {
                self.baseline = learn(field, mean, many);
                return tell_nothing(bank, NoData::Absent);
            }
            (Err(why), _) => return tell_nothing(bank, why),
        };
        let threshold = bank.value(&THRESHOLD).unwrap_or(12.0);
        let disturbance = apart(field, baseline);
        let is_near = self.is_near(bank);
        let share = if self.car.state { LEFT } else { 1.0 };
        let is_car = disturbance > threshold * share && is_near != Some(false);
        if self.car.wish(is_car, HOLD, now) && self.car.state {
            bank.count_up(&ARRIVALS);
        }
        self.follow(field, disturbance, threshold);
        self.contradict(disturbance > threshold, is_near, now);
        bank.put(&FIELD, Ok(disturbance));
        bank.count(&OCCUPIED, Ok(i32::from(self.car.state)));
        if let Baseline::Known { now, learnt } = self.baseline {
            bank.put(&DRIFT, Ok(apart(now, learnt)));
        }
    }

    /// What the distance sensor says, where there is one.
    fn is_near(&self, bank: &Bank) -> Option<bool> {
        let limit = bank.value(&CAR_DISTANCE).ok().filter(|limit| *limit > 0.0)?;
        match self.distance.value() {
            Ok(distance) => Some(distance < limit),
            // Out of its reach is nothing above; a sensor that fails says nothing.
            Err(NoData::Range) => Some(false),
            Err(NoData::Absent | NoData::Timeout | NoData::Fault) => None,
        }
    }

    /// Moves the baseline after an empty bay.
    fn follow(&mut self, field: [f32; 3], disturbance: f32, threshold: f32) {
        let Baseline::Known { now, .. } = &mut self.baseline else { return };
        if self.car.state || disturbance > threshold {
            return;
        }
        let seconds = if disturbance <= threshold * QUIET { FOLLOW } else { FOLLOW_NEAR };
        let share = 0.5 / seconds;
        for (baseline, field) in now.iter_mut().zip(field) {
            *baseline += (field - *baseline) * share;
        }
    }

    fn contradict(&mut self, is_over: bool, is_near: Option<bool>, now: u64) {
        if !is_over || is_near != Some(false) {
            self.contradicted_since = None;
            return;
        }
        let since = *self.contradicted_since.get_or_insert(now);
        if now - since >= CONTRADICTED {
            self.baseline = Baseline::default();
            self.contradicted_since = None;
        }
    }
}

/// One more measurement of a bay that has to hold still.
fn learn(field: [f32; 3], mean: [f32; 3], many: u16) -> Baseline {
    if many > 0 && apart(field, mean) > STEADY {
        return Baseline::Learning(field, 1);
    }
    let mut next = mean;
    for (mean, field) in next.iter_mut().zip(field) {
        *mean += (field - *mean) / f32::from(many + 1);
    }
    if many + 1 < LEARNT_AFTER {
        Baseline::Learning(next, many + 1)
    } else {
        Baseline::Known { now: next, learnt: next }
    }
}

fn tell_nothing(bank: &mut Bank, why: NoData) {
    for register in [&OCCUPIED, &FIELD, &DRIFT] {
        bank.put(register, Err(why));
    }
}

fn apart(a: [f32; 3], b: [f32; 3]) -> f32 {
    let squares = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    libm::sqrtf(squares)
}
