//! The parking node: a magnetometer in or on the bay, and a distance sensor as a second opinion.

use crate::map::{Map, measured, settable};
use crate::register::Coding::{I16, U16};
use crate::register::Register;

/// No data while the node learns what its bay is like without a car.
pub const OCCUPIED: Register =
    measured(0, "occupied", ("occupied", "占用"), "1", U16, (1, 1), (0, 1));
/// How far the field is from that of the empty bay, all three axes together.
pub const FIELD: Register =
    measured(1, "field", ("disturbance of the field", "磁场变化"), "uT", U16, (1, 10), (0, 16_000));
/// How far the empty bay's field has wandered since it was learnt.
pub const DRIFT: Register = measured(
    2,
    "drift",
    ("drift of the empty bay's field", "基线漂移"),
    "uT",
    U16,
    (1, 10),
    (0, 16_000),
);
pub const DISTANCE: Register = measured(
    3,
    "distance",
    ("distance to what is above", "上方物体距离"),
    "mm",
    U16,
    (1, 1),
    (0, 12_000),
);
pub const TEMPERATURE: Register =
    measured(4, "temperature", ("temperature", "温度"), "degC", I16, (1, 10), (-400, 850));
/// Stops at the highest count.
pub const ARRIVALS: Register = measured(
    5,
    "arrivals",
    ("cars that came since the start", "启动后到达车辆数"),
    "{cars}",
    U16,
    (1, 1),
    (0, 65_000),
);

/// A disturbance over this is a car, one under 60 % of it is none.
pub const THRESHOLD: Register = settable(measured(
    0,
    "threshold",
    ("disturbance that is a car", "占用判定阈值"),
    "uT",
    U16,
    (1, 10),
    (30, 2_000),
));
/// Nearer than this is a car; 0: there is no distance sensor, or it is not to be asked.
pub const CAR_DISTANCE: Register = settable(measured(
    1,
    "car_distance",
    ("nearer is a car", "车辆判定距离"),
    "mm",
    U16,
    (1, 1),
    (0, 12_000),
));

/// The bay is empty now: learn it anew.
pub const LEARN: u16 = 16;

pub const MAP: Map = Map {
    name: "parking",
    title_en: "Gatehouse parking node",
    title_zh: "Gatehouse 车位节点",
    kind: 2,
    version: 1,
    every_s: 5,
    registers: &[OCCUPIED, FIELD, DRIFT, DISTANCE, TEMPERATURE, ARRIVALS, THRESHOLD, CAR_DISTANCE],
    commands: &[(LEARN, "learn the empty bay", "学习空车位")],
};
