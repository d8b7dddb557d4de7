//! What a node can measure. A board answers for it with drivers.

use gatehouse_contract::NoData;

/// What is measured, and in which unit a board hands it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// mV.
    Supply,
    /// Degrees Celsius.
    Temperature,
    /// Percent.
    Humidity,
    /// ppm.
    Co2,
    /// ug/m3.
    Pm2_5,
    /// ug/m3.
    Pm10,
    /// Resistance of the gas element, ohm.
    Gas,
    /// Three axes, uT.
    Field,
    /// mm.
    Distance,
    /// The load cell's raw number.
    Load,
    /// Three axes, in any unit: only the direction counts.
    Gravity,
}

/// Three axes, or one value and two zeros.
pub type Measured = Result<[f32; 3], NoData>;

/// A measurement with one value.
pub const fn one(value: f32) -> [f32; 3] {
    [value, 0.0, 0.0]
}

/// The sensors of a board.
pub trait Sense {
    /// Measures once. May take as long as the chip does; the line is served meanwhile.
    fn measure(&mut self, what: Quantity) -> Measured;

    /// Before its next measurement each chip is started anew, and asked who it is where it can tell.
    fn ask_who(&mut self) {}

    /// Tells the CO2 chip what the present air holds.
    fn calibrate_co2(&mut self, ppm: u16) -> Result<(), NoData> {
        let _ = ppm;
        Err(NoData::Absent)
    }
}
