//! Sensors that are played: an ordinary day on which nothing ever happens.

use gatehouse_node::contract::NoData;
use gatehouse_node::sense::{Measured, one};
use gatehouse_node::{Quantity, Sense};

/// The dust sensor's pace, to have a chip that fails now and then.
const FAILS_EVERY: u32 = 40;

#[derive(Default)]
pub struct Played {
    asked_for_dust: u32,
}

impl Sense for Played {
    fn measure(&mut self, what: Quantity) -> Measured {
        Ok(match what {
            Quantity::Supply => one(12_050.0),
            Quantity::Temperature => one(21.5),
            Quantity::Humidity => one(56.25),
            Quantity::Co2 => one(640.0),
            Quantity::Pm2_5 => {
                self.asked_for_dust = self.asked_for_dust.wrapping_add(1);
                if self.asked_for_dust.is_multiple_of(FAILS_EVERY) {
                    return Err(NoData::Timeout);
                }
                one(38.5)
            }
            Quantity::Pm10 => one(61.0),
            Quantity::Gas => return Err(NoData::Absent),
            Quantity::Field => [18.0, -3.5, 42.0],
            Quantity::Distance => one(575.0),
            Quantity::Load => one(84_000.0),
            Quantity::Gravity => [0.0, 0.35, 9.8],
        })
    }

    fn calibrate_co2(&mut self, _ppm: u16) -> Result<(), NoData> {
        Ok(())
    }
}
