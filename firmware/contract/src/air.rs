//! The air node: temperature, humidity, carbon dioxide, dust, and one gas element.

use crate::map::{Map, measured, settable};
use crate::register::Coding::{I16, U16};
use crate::register::Register;

pub const TEMPERATURE: Register = Register {
    max_rate: 0.5,
    ..measured(0, "temperature", ("temperature", "温度"), "degC", I16, (1, 100), (-4_000, 12_500))
};
pub const HUMIDITY: Register = Register {
    max_rate: 5.0,
    ..measured(1, "humidity", ("relative humidity", "相对湿度"), "%", U16, (1, 100), (0, 10_000))
};
pub const CO2: Register =
    measured(2, "co2", ("carbon dioxide", "二氧化碳"), "ppm", U16, (1, 1), (0, 40_000));
pub const PM2_5: Register =
    measured(3, "pm2_5", ("PM2.5", "PM2.5"), "ug/m3", U16, (1, 10), (0, 10_000));
pub const PM10: Register =
    measured(4, "pm10", ("PM10", "PM10"), "ug/m3", U16, (1, 10), (0, 10_000));
/// Resistance of the gas element by its resistance in clean air: the less, the more gas.
pub const GAS: Register = measured(
    5,
    "gas",
    ("gas element, Rs/R0", "气敏元件电阻比 Rs/R0"),
    "1",
    U16,
    (1, 1_000),
    (0, 60_000),
);

/// Added to what the chip says: the warmth of the node's own electronics, with a minus sign.
pub const TEMPERATURE_OFFSET: Register = settable(measured(
    0,
    "temperature_offset",
    ("added to the temperature", "温度修正"),
    "K",
    I16,
    (1, 100),
    (-1_000, 1_000),
));
/// What [`CALIBRATE_CO2`] takes the present air for. 420 ppm is outdoor air.
pub const CO2_REFERENCE: Register = settable(measured(
    1,
    "co2_reference",
    ("carbon dioxide at calibration", "CO2 标定浓度"),
    "ppm",
    U16,
    (1, 1),
    (400, 2_000),
));

/// Forced recalibration of the CO2 chip in air of [`CO2_REFERENCE`]; the air must have been so for 3 min.
pub const CALIBRATE_CO2: u16 = 16;
/// The present air is clean: the gas element's resistance becomes R0.
pub const CLEAN_AIR: u16 = 17;

pub const MAP: Map = Map {
    name: "air",
    title_en: "Gatehouse air node",
    title_zh: "Gatehouse 空气节点",
    kind: 1,
    version: 1,
    every_s: 10,
    registers: &[TEMPERATURE, HUMIDITY, CO2, PM2_5, PM10, GAS, TEMPERATURE_OFFSET, CO2_REFERENCE],
    commands: &[
        (CALIBRATE_CO2, "calibrate CO2", "CO2 标定"),
        (CLEAN_AIR, "air is clean", "洁净空气标定"),
    ],
};
