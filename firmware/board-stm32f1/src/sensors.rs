//! The sensors of this board: an LIS3MDL on I2C1, and the supply through a divider.

use gatehouse_drivers::Error;
use gatehouse_drivers::lis3mdl::{ADDRESS, Lis3mdl, Reading};
use gatehouse_node::contract::NoData;
use gatehouse_node::sense::{Measured, one};
use gatehouse_node::{Quantity, Sense};
use stm32f1xx_hal::adc::Adc;
use stm32f1xx_hal::gpio::{Analog, PA0};
use stm32f1xx_hal::i2c::BlockingI2c;
use stm32f1xx_hal::pac::{ADC1, I2C1, TIM2};
use stm32f1xx_hal::prelude::*;
use stm32f1xx_hal::timer::DelayUs;

/// 100 kOhm over 10 kOhm, and 3.3 V on 4095 counts: millivolts of the supply for each count.
const MILLIVOLTS_PER_COUNT: f32 = 3_300.0 / 4_095.0 * 11.0;

pub(crate) struct Sensors {
    field: Lis3mdl<BlockingI2c<I2C1>>,
    is_started: bool,
    warmth: Result<f32, NoData>,
    adc: Adc<ADC1>,
    supply: PA0<Analog>,
    delay: DelayUs<TIM2>,
}

impl Sensors {
    pub(crate) fn new(
        bus: BlockingI2c<I2C1>,
        adc: Adc<ADC1>,
        supply: PA0<Analog>,
        delay: DelayUs<TIM2>,
    ) -> Self {
        let field = Lis3mdl::new(bus, ADDRESS);
        Self { field, is_started: false, warmth: Err(NoData::Absent), adc, supply, delay }
    }

    /// A chip that was silent may have lost its settings: it is started anew.
    fn field(&mut self) -> Result<Reading, NoData> {
        if !self.is_started {
            self.field.start().map_err(|error| why(&error))?;
            self.is_started = true;
        }
        let read = self.field.read(&mut self.delay).map_err(|error| why(&error));
        self.is_started = read.is_ok();
        self.warmth = read.map(|reading| reading.chip_temperature_deg_c);
        read
    }
}

impl Sense for Sensors {
    fn measure(&mut self, what: Quantity) -> Measured {
        match what {
            Quantity::Field => {
                let Reading { x_microtesla, y_microtesla, z_microtesla, .. } = self.field()?;
                Ok([x_microtesla, y_microtesla, z_microtesla])
            }
            Quantity::Temperature => self.warmth.map(one),
            Quantity::Supply => {
                let counts: Result<u16, _> = self.adc.read(&mut self.supply);
                let counts = counts.map_err(|_waiting| NoData::Timeout)?;
                Ok(one(f32::from(counts) * MILLIVOLTS_PER_COUNT))
            }
            // Not fitted.
            Quantity::Humidity
            | Quantity::Co2
            | Quantity::Pm2_5
            | Quantity::Pm10
            | Quantity::Gas
            | Quantity::Distance
            | Quantity::Load
            | Quantity::Gravity => Err(NoData::Absent),
        }
    }

    fn ask_who(&mut self) {
        self.is_started = false;
    }
}

fn why<E>(error: &Error<E>) -> NoData {
    match error {
        Error::Bus(_) | Error::Silent => NoData::Timeout,
        Error::Checksum | Error::WrongIdentity { .. } => NoData::Fault,
        Error::NoMeasurement => NoData::Range,
    }
}
