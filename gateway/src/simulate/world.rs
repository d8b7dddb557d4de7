//! Every device of a `community.toml`, and what it would say at any moment.
//!
//! A device behaves as `[[simulation.behaviour]]` describes its type until an anomaly of its own
//! takes over. A value never changes faster than its point's `max-rate` allows (a room does not
//! fill with dust in a second), except to and from values that the sensor cannot mean: a broken
//! sensor needs no time to be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::community::device_type::{DeviceType, Via};
use gatehouse_core::community::quantity::Period;
use gatehouse_core::community::site::{Anomaly, Behaviour, DeviceEntry, Site};
use gatehouse_core::reading::Timestamp;

use super::behaviour::{Chance, Moment, noise, ordinary};

/// How often an MQTT device speaks when `[simulation] every` does not say.
const EVERY: Duration = Duration::from_mins(1);

/// Share of a point's `max-rate` that values move with. Frames travel, so the gateway may see them
/// closer together than they were made.
const CALM: f64 = 0.5;

/// The simulated devices and the moment their time began.
#[derive(Debug, Clone)]
pub struct World {
    pub start: Timestamp,
    pub units: Vec<Unit>,
}

/// One simulated device.
#[derive(Debug, Clone)]
pub struct Unit {
    pub id: String,
    pub device_type: Arc<DeviceType>,
    pub wire: Wire,
    chance: Chance,
    /// By point of the device type.
    behaviours: Vec<Option<Behaviour>>,
    /// Counted from the start of the simulation.
    anomalies: Vec<Anomaly>,
}

/// How a simulated device is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wire {
    /// Publishes there, this often.
    Mqtt { topic: String, every: Duration },
    /// Answers on this line under this unit id.
    Modbus { line: String, unit: u8 },
    /// Is seen through a camera, this often.
    Camera { every: Duration },
}

/// What a device says when it is its turn.
#[derive(Debug, Clone, PartialEq)]
pub enum Saying {
    /// One value per point of its type.
    Values(Vec<f64>),
    /// This, whatever it means.
    Payload(String),
    Nothing,
}

/// Why a community cannot be simulated; every message names what to change in `community.toml`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSimulated {
    #[error("device `{device}` is of type `{device_type}`, which is not in device-types/")]
    UnknownType { device: String, device_type: String },

    #[error("device `{device}` is on a Modbus line, so it needs `line` and `unit`")]
    NoLine { device: String },

    #[error(
        "a behaviour is declared for point `{point}` of type `{device_type}`, which has none such"
    )]
    UnknownPoint { device_type: String, point: String },

    #[error("an anomaly is planned for device `{device}`, which is not listed")]
    UnknownDevice { device: String },

    #[error("an anomaly of device `{device}` sets `{point}`, which its type does not measure")]
    UnknownSet { device: String, point: String },
}

impl World {
    /// Puts the devices of a site in place; devices of type `via = "replay"` are left out.
    pub fn new(
        site: &Site,
        types: &[Arc<DeviceType>],
        seed: u64,
        start: Timestamp,
    ) -> Result<Self, NotSimulated> {
        let types: BTreeMap<&str, &Arc<DeviceType>> =
            types.iter().map(|t| (t.head.id.as_str(), t)).collect();
        let simulation = site.simulation.clone().unwrap_or_default();

        for behaviour in &simulation.behaviours {
            let known = types.get(behaviour.device_type.as_str());
            if known.is_none_or(|t| t.point(&behaviour.point).is_none()) {
                return Err(NotSimulated::UnknownPoint {
                    device_type: behaviour.device_type.clone(),
                    point: behaviour.point.clone(),
                });
            }
        }
        for anomaly in &simulation.anomalies {
            if !site.devices.iter().any(|d| d.id == anomaly.device) {
                return Err(NotSimulated::UnknownDevice { device: anomaly.device.clone() });
            }
        }

        let mut units = Vec::with_capacity(site.devices.len());
        for entry in &site.devices {
            let device_type =
                types.get(entry.device_type.as_str()).ok_or_else(|| NotSimulated::UnknownType {
                    device: entry.id.clone(),
                    device_type: entry.device_type.clone(),
                })?;
            let every = simulation.every.get(&entry.device_type).map_or(EVERY, |p| p.0);
            let every = every.max(Duration::from_millis(1));
            let wire = match device_type.head.via {
                Via::Mqtt => Wire::Mqtt { topic: topic(site, entry), every },
                Via::Modbus => line(entry)?,
                // Numbers go straight to the gateway, as those of cameras do.
                Via::Camera | Via::Localbus => Wire::Camera { every },
                Via::Replay => continue,
            };
            let of_device = |a: &&Anomaly| a.device == entry.id;
            let counted = |a: &Anomaly| Anomaly {
                starts: Some(Period(a.first(site.calendar.as_ref(), start).since(start))),
                at: None,
                repeats: a.again().map(Period),
                ..a.clone()
            };
            let mut anomalies: Vec<_> =
                simulation.anomalies.iter().filter(of_device).map(counted).collect();
            anomalies.sort_by_key(|a| a.starts);
            if let Some(point) =
                anomalies.iter().flat_map(|a| a.set.keys()).find(|p| device_type.point(p).is_none())
            {
                return Err(NotSimulated::UnknownSet {
                    device: entry.id.clone(),
                    point: point.clone(),
                });
            }
            let behaviours = device_type
                .points
                .iter()
                .map(|p| {
                    let of_point =
                        |b: &&Behaviour| b.device_type == entry.device_type && b.point == p.name;
                    simulation.behaviours.iter().find(of_point).cloned()
                })
                .collect();
            units.push(Unit {
                id: entry.id.clone(),
                device_type: Arc::clone(device_type),
                wire,
                chance: Chance::new(seed).of(&entry.id),
                behaviours,
                anomalies,
            });
        }
        Ok(Self { start, units })
    }

    /// The Modbus lines that devices stand on, by name.
    pub fn lines(&self) -> BTreeSet<&str> {
        let lines = self.units.iter().filter_map(|unit| match &unit.wire {
            Wire::Modbus { line, .. } => Some(line.as_str()),
            Wire::Mqtt { .. } | Wire::Camera { .. } => None,
        });
        lines.collect()
    }

    /// What a device says at that time.
    pub fn ask(&self, unit: &Unit, at: Timestamp) -> Saying {
        let moment = Moment { at, since: at.since(self.start) };
        for anomaly in unit.anomalies.iter().filter(|a| is_current(a, moment.since)) {
            if anomaly.silent {
                return Saying::Nothing;
            }
            if let Some(payload) = &anomaly.payload {
                return Saying::Payload(payload.clone());
            }
        }
        let points = 0..unit.device_type.points.len();
        Saying::Values(points.map(|point| unit.value(point, moment)).collect())
    }
}

impl Unit {
    /// Spreads the devices of a type over their period, so that they do not speak in chorus.
    pub fn phase(&self, every: Duration) -> Duration {
        every.mul_f64(self.chance.of("phase").share())
    }

    fn value(&self, position: usize, moment: Moment) -> f64 {
        let point = &self.device_type.points[position];
        let rate = point.max_rate.map(|rate| rate * CALM);
        let behaviour = self.behaviours[position].as_ref();
        let usual = |moment| {
            let idle = point.range.map_or(0.0, |(low, high)| f64::midpoint(low, high));
            behaviour.map_or(idle, |b| ordinary(b, rate, self.chance, moment))
        };

        let mut value = usual(moment);
        for anomaly in &self.anomalies {
            let Some(&target) = anomaly.set.get(&point.name) else { continue };
            let Some(begun) = last_start(anomaly, moment.since) else { continue };
            let is_believable =
                point.range.is_none_or(|(low, high)| (low..=high).contains(&target));
            let step = |span: Duration| match rate {
                Some(rate) if is_believable => rate * span.as_secs_f64(),
                Some(_) | None => f64::INFINITY,
            };
            let since_begun = moment.since.saturating_sub(begun);
            let before = usual(Moment { at: moment.at - since_begun, since: begun });
            value = match since_begun.checked_sub(anomaly.lasts.0) {
                None => towards(before, target, step(since_begun)),
                Some(over_for) => {
                    let reached = towards(before, target, step(anomaly.lasts.0));
                    towards(reached, value, step(over_for))
                }
            };
        }
        let chance = self.chance.of(&point.name);
        value += behaviour.map_or(0.0, |b| noise(b, chance, moment));
        // Two decimals are what products show in text; where whole numbers are scaled, the wire rounds.
        if point.scale.abs() < 1.0 { value } else { (value * 100.0).round() / 100.0 }
    }
}

/// When the anomaly last began, counted from the start of the simulation.
fn last_start(anomaly: &Anomaly, since: Duration) -> Option<Duration> {
    let run = since.checked_sub(anomaly.starts?.0)?;
    let into = match anomaly.repeats {
        Some(repeats) if !repeats.0.is_zero() => {
            let millis = run.as_millis() % repeats.0.as_millis().max(1);
            Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
        }
        Some(_) | None => run,
    };
    since.checked_sub(into)
}

fn is_current(anomaly: &Anomaly, since: Duration) -> bool {
    last_start(anomaly, since).is_some_and(|begun| since.saturating_sub(begun) < anomaly.lasts.0)
}

fn towards(from: f64, to: f64, step: f64) -> f64 {
    if (to - from).abs() <= step { to } else { from + step * (to - from).signum() }
}

/// A filter is where the gateway listens; a device publishes to one topic within it.
fn topic(site: &Site, entry: &DeviceEntry) -> String {
    let usual = || format!("sense/{}/{}", site.community.id, entry.id);
    entry.topic.clone().map_or_else(usual, |filter| filter.replace(['+', '#'], &entry.id))
}

fn line(entry: &DeviceEntry) -> Result<Wire, NotSimulated> {
    match (&entry.line, entry.unit) {
        (Some(line), Some(unit)) => Ok(Wire::Modbus { line: line.clone(), unit }),
        (None, _) | (_, None) => Err(NotSimulated::NoLine { device: entry.id.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::sample;

    const SITE: &str = r#"
        [[device]]
        id = "air-1"
        type = "air"
        area = "east"
        topic = "sensors/+/up"
        [[device]]
        id = "air-2"
        type = "air"
        area = "east"
        [simulation]
        every = { air = "10 s" }
        [[simulation.behaviour]]
        device-type = "air"
        point = "dust"
        mean = 20.0
        [[simulation.anomaly]]
        device = "air-1"
        starts = "1 min"
        lasts = "5 min"
        repeats = "20 min"
        set = { dust = 80 }
        scene = "air-quality"
        [[simulation.anomaly]]
        device = "air-1"
        starts = "10 min"
        lasts = "1 min"
        set = { dust = 5000 }
        [[simulation.anomaly]]
        device = "air-2"
        starts = "1 min"
        lasts = "1 min"
        silent = true
        [[simulation.anomaly]]
        device = "air-2"
        starts = "3 min"
        lasts = "1 min"
        payload = "{"
    "#;

    const AIR: &str = r#"
        [device-type]
        id = "air"
        title = { zh = "空气", en = "Air" }
        via = "mqtt"
        [[point]]
        name = "dust"
        at = { json = "/dust" }
        unit = "ug/m3"
        range = [0, 1000]
        max-rate = 1.0
    "#;

    #[test]
    fn an_anomaly_comes_as_fast_as_the_point_may_change_goes_and_comes_again() {
        let world = world(SITE);
        let cases = [
            ("before", 59, 20.0),
            ("half a unit a second", 60 + 60, 50.0),
            ("reached", 60 + 120, 80.0),
            ("to the end", 359, 80.0),
            ("on its way back", 360 + 60, 50.0),
            ("ordinary again", 360 + 120, 20.0),
            ("the second time", 1_260 + 120, 80.0),
        ];

        for (why, second, expected) in cases {
            assert_eq!(ask(&world, 0, second), Saying::Values(vec![expected]), "{why}");
        }
    }

    #[test]
    fn a_value_that_the_sensor_cannot_mean_comes_at_once_and_goes_at_once() {
        let world = world(SITE);

        for (second, expected) in [(599, 20.0), (600, 5_000.0), (659, 5_000.0), (660, 20.0)] {
            assert_eq!(ask(&world, 0, second), Saying::Values(vec![expected]), "{second}");
        }
    }

    #[test]
    fn a_device_can_fall_silent_or_send_rubbish() {
        let world = world(SITE);

        assert_eq!(ask(&world, 1, 60), Saying::Nothing);
        assert_eq!(ask(&world, 1, 120), Saying::Values(vec![20.0]));
        assert_eq!(ask(&world, 1, 180), Saying::Payload("{".into()));
    }

    #[test]
    fn a_device_publishes_where_the_gateway_listens() {
        let topics: Vec<_> = world(SITE).units.into_iter().map(|u| u.wire).collect();

        let every = Duration::from_secs(10);
        let expected = ["sensors/air-1/up", "sense/c/air-2"]
            .map(|topic| Wire::Mqtt { topic: topic.into(), every });
        assert_eq!(topics, expected);
    }

    #[test]
    fn lines_come_in_the_order_of_their_names() {
        let wired = |device: &str, line: &str| {
            let old = format!("id = \"{device}\"\n");
            (old.clone(), format!("{old}        line = \"{line}\"\n        unit = 1\n"))
        };
        let (first, second) = (wired("air-1", "pump-room"), wired("air-2", "meters"));
        let site = SITE.replace(&first.0, &first.1).replace(&second.0, &second.1);
        let air = AIR.replace("via = \"mqtt\"", "via = \"modbus\"");
        let world = sample::world(&site, &air, Timestamp(0)).unwrap();

        assert_eq!(world.lines().into_iter().collect::<Vec<_>>(), ["meters", "pump-room"]);
    }

    #[test]
    fn what_cannot_be_simulated_is_named() {
        let unknown_type =
            NotSimulated::UnknownType { device: "air-1".into(), device_type: "hair".into() };
        let unknown_point =
            NotSimulated::UnknownPoint { device_type: "air".into(), point: "noise".into() };
        let unknown_device = NotSimulated::UnknownDevice { device: "air-9".into() };
        let unknown_set = NotSimulated::UnknownSet { device: "air-1".into(), point: "co2".into() };
        let cases = [
            (" type = \"air\"", " type = \"hair\"", unknown_type),
            ("point = \"dust\"", "point = \"noise\"", unknown_point),
            ("device = \"air-2\"", "device = \"air-9\"", unknown_device),
            ("dust = 80", "co2 = 80", unknown_set),
        ];

        for (right, wrong, expected) in cases {
            assert_eq!(build(&SITE.replace(right, wrong)).err(), Some(expected), "{wrong}");
        }
    }

    fn world(site: &str) -> World {
        build(site).unwrap()
    }

    fn build(site: &str) -> Result<World, NotSimulated> {
        sample::world(site, AIR, Timestamp(0))
    }

    fn ask(world: &World, unit: usize, second: u64) -> Saying {
        world.ask(&world.units[unit], world.start + Duration::from_secs(second))
    }
}
