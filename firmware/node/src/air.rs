//! The air node's job: five chips, each with its own filter.

use gatehouse_contract::air::{
    CALIBRATE_CO2, CLEAN_AIR, CO2, CO2_REFERENCE, GAS, HUMIDITY, MAP, PM2_5, PM10, TEMPERATURE,
    TEMPERATURE_OFFSET,
};
use gatehouse_contract::{Map, NoData};

use crate::SECOND;
use crate::bank::Bank;
use crate::filter::Filter;
use crate::node::{Done, Job};
use crate::plan::Turn;
use crate::sense::{Measured, Quantity};
use crate::settings::{CALIBRATIONS, OWN, Settings};

/// Where the calibrations keep the gas element's resistance in clean air, ohm; 0: never calibrated.
const R0: usize = 0;

#[derive(Debug, Default)]
pub struct Air {
    temperature: Filter,
    humidity: Filter,
    co2: Filter,
    pm2_5: Filter,
    pm10: Filter,
    gas: Filter,
}

impl Job for Air {
    const MAP: &'static Map = &MAP;
    const PRODUCT: &'static str = "node-air";
    const TURNS: &'static [Turn] = &[
        Turn { quantity: Quantity::Temperature, every: 2 * SECOND },
        Turn { quantity: Quantity::Humidity, every: 2 * SECOND },
        // An SCD4x has a new value every 5 s, a PMS5003 speaks every 0.2 to 2.3 s.
        Turn { quantity: Quantity::Co2, every: 5 * SECOND },
        Turn { quantity: Quantity::Pm2_5, every: 5 * SECOND },
        Turn { quantity: Quantity::Pm10, every: 5 * SECOND },
        Turn { quantity: Quantity::Gas, every: 5 * SECOND },
        Turn { quantity: Quantity::Supply, every: 10 * SECOND },
    ];
    /// No offset; outdoor air.
    const OWN: [u16; OWN] = [0, 420, 0, 0];
    const CALIBRATION: [f32; CALIBRATIONS] = [0.0; CALIBRATIONS];

    fn take(
        &mut self,
        what: Quantity,
        measured: Measured,
        with: &Settings,
        bank: &mut Bank,
        _: u64,
    ) {
        let value = measured.map(|[value, ..]| value);
        let (filter, register) = match what {
            Quantity::Temperature => (&mut self.temperature, &TEMPERATURE),
            Quantity::Humidity => (&mut self.humidity, &HUMIDITY),
            Quantity::Co2 => (&mut self.co2, &CO2),
            Quantity::Pm2_5 => (&mut self.pm2_5, &PM2_5),
            Quantity::Pm10 => (&mut self.pm10, &PM10),
            Quantity::Gas => (&mut self.gas, &GAS),
            Quantity::Supply
            | Quantity::Field
            | Quantity::Distance
            | Quantity::Load
            | Quantity::Gravity => return,
        };
        filter.take(value);
        let value = match what {
            Quantity::Temperature => {
                filter.value().map(|value| value + bank.value(&TEMPERATURE_OFFSET).unwrap_or(0.0))
            }
            Quantity::Gas if with.calibration[R0] > 0.0 => {
                filter.value().map(|resistance| resistance / with.calibration[R0])
            }
            Quantity::Gas => Err(NoData::Absent),
            _other => filter.value(),
        };
        bank.put(register, value);
    }

    fn command(&mut self, word: u16, settings: &mut Settings, bank: &mut Bank, _: u64) -> Done {
        match (word, self.gas.value(), bank.counts(&CO2_REFERENCE)) {
            (CALIBRATE_CO2, _, Ok(ppm)) => Done::CalibrateCo2(u16::try_from(ppm).unwrap_or(420)),
            (CLEAN_AIR, Ok(resistance), _) if resistance > 0.0 => {
                settings.calibration[R0] = resistance;
                Done::Keep
            }
            _ => Done::Failed,
        }
    }
}
