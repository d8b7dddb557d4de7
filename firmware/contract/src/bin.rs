//! The bin node: fill by a distance sensor in the lid, weight by a load cell, tilt, temperature.

use crate::map::{Map, measured, settable};
use crate::register::Coding::{I16, U16};
use crate::register::Register;

/// No data while the bin is tilted or its lid open: the sensor then looks elsewhere.
pub const FILL: Register =
    measured(0, "fill", ("fill level", "满溢度"), "%", U16, (1, 10), (0, 1_000));
pub const DISTANCE: Register = measured(
    1,
    "distance",
    ("distance to the content", "距内容物距离"),
    "mm",
    U16,
    (1, 1),
    (0, 12_000),
);
/// A load cell without a bin on it drifts a little below zero.
pub const WEIGHT: Register =
    measured(2, "weight", ("weight", "重量"), "kg", I16, (1, 20), (-100, 20_000));
pub const TEMPERATURE: Register = Register {
    max_rate: 10.0,
    ..measured(
        3,
        "temperature",
        ("temperature inside", "桶内温度"),
        "degC",
        I16,
        (1, 10),
        (-400, 1_250),
    )
};
pub const TILT: Register = measured(4, "tilt", ("tilt", "倾角"), "deg", U16, (1, 10), (0, 1_800));

pub const EMPTY_DISTANCE: Register = settable(measured(
    0,
    "empty_distance",
    ("distance to the bottom", "空桶距离"),
    "mm",
    U16,
    (1, 1),
    (200, 4_000),
));
pub const FULL_DISTANCE: Register = settable(measured(
    1,
    "full_distance",
    ("distance when full", "满桶距离"),
    "mm",
    U16,
    (1, 1),
    (30, 2_000),
));
/// What [`SPAN`] takes the present load for.
pub const SPAN_WEIGHT: Register = settable(measured(
    2,
    "span_weight",
    ("weight at calibration", "标定砝码重量"),
    "kg",
    U16,
    (1, 20),
    (20, 10_000),
));

/// The bin is empty: the load is 0 kg, and the present distance is that to the bottom.
pub const TARE: u16 = 16;
/// The load is [`SPAN_WEIGHT`].
pub const SPAN: u16 = 17;
/// The bin stands upright: this is 0 degrees.
pub const LEVEL: u16 = 18;

pub const MAP: Map = Map {
    name: "bin",
    title_en: "Gatehouse bin node",
    title_zh: "Gatehouse 垃圾桶节点",
    kind: 3,
    version: 1,
    every_s: 30,
    registers: &[
        FILL,
        DISTANCE,
        WEIGHT,
        TEMPERATURE,
        TILT,
        EMPTY_DISTANCE,
        FULL_DISTANCE,
        SPAN_WEIGHT,
    ],
    commands: &[
        (TARE, "tare", "去皮"),
        (SPAN, "calibrate weight", "称重标定"),
        (LEVEL, "is upright", "直立标定"),
    ],
};
