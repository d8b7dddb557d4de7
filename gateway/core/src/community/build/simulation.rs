//! Does what the simulator plays refer to things that exist.

use super::super::device_type::{DeviceType, Via};
use super::super::document::Document;
use super::super::fault::nearest;
use super::super::scene::Scene;
use super::super::site::{Anomaly, Simulation, Site};
use super::Known;
use super::calendar::is_in_doubt;

pub(super) fn check(
    document: &mut Document,
    simulation: &Simulation,
    site: &Site,
    types: &Known<'_, DeviceType>,
    scenes: &Known<'_, Scene>,
) {
    for (id, every) in &simulation.every {
        let path = format!("simulation.every.{id}");
        types.check(document, &path, "device type", id);
        if every.0.is_zero() {
            document.fault(&path, "it must be longer than nothing", None);
        }
    }
    for (position, behaviour) in simulation.behaviours.iter().enumerate() {
        let path = format!("simulation.behaviour.{position}");
        types.check(
            document,
            &format!("{path}.device-type"),
            "device type",
            &behaviour.device_type,
        );
        if let Some(device_type) = types.get(&behaviour.device_type) {
            let path = format!("{path}.point");
            check_point(document, &path, device_type, &behaviour.point, types);
        }
        if behaviour.noise < 0.0 {
            document.fault(&format!("{path}.noise"), "`noise` is a deviation, 0 or more", None);
        }
    }
    for (position, anomaly) in simulation.anomalies.iter().enumerate() {
        let path = format!("simulation.anomaly.{position}");
        if anomaly.lasts.0.is_zero() {
            document.fault(&format!("{path}.lasts"), "`lasts` must be longer than nothing", None);
        }
        if anomaly.repeats.is_some_and(|repeats| repeats <= anomaly.lasts) {
            let message = "`repeats` counts from start to start, so it is longer than `lasts`";
            document.fault(&format!("{path}.repeats"), message, None);
        }
        check_start(document, &path, anomaly, site);
        if let Some(scene) = &anomaly.scene {
            scenes.check(document, &format!("{path}.scene"), "scene", scene);
        }
        let Some(entry) = site.devices.iter().find(|device| device.id == anomaly.device) else {
            if document.has_doubtful("device", "id") {
                continue;
            }
            let help = nearest(&anomaly.device, site.devices.iter().map(|d| d.id.as_str()));
            let message = format!("there is no device `{}`", anomaly.device);
            document.fault(&format!("{path}.device"), message, help);
            continue;
        };
        let Some(device_type) = types.get(&entry.device_type) else { continue };
        for name in anomaly.set.keys() {
            check_key(document, &format!("{path}.set.{name}"), device_type, name, types);
        }
        if anomaly.payload.is_some() && device_type.head.via != Via::Mqtt {
            document.key_fault(&format!("{path}.payload"), "only MQTT devices send payloads", None);
        }
    }
}

/// An anomaly begins some time after the start, or at a time of the day.
fn check_start(document: &mut Document, path: &str, anomaly: &Anomaly, site: &Site) {
    let example = "as in `starts = \"5 min\"` after the start, or `at = \"22:30\"` each day";
    match (anomaly.starts, anomaly.at) {
        (None, None) => {
            document.fault(path, "missing key `starts` or `at`", Some(example.to_owned()));
        }
        (Some(_), Some(_)) => {
            let message = "an anomaly has one of `starts` and `at`, found both";
            document.key_fault(&format!("{path}.at"), message, None);
        }
        (None, Some(_)) if site.calendar.is_none() && !is_in_doubt(document) => {
            let message = "`at` is by the community's clock, but there is no `[calendar]`";
            let help = "write `[calendar]` with `time-zone = \"+08:00\"`";
            document.fault(&format!("{path}.at"), message, Some(help.to_owned()));
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
}

/// A point by name.
fn check_point(
    document: &mut Document,
    path: &str,
    device_type: &DeviceType,
    name: &str,
    types: &Known<'_, DeviceType>,
) {
    if let Some((message, help)) = no_point(device_type, name, types) {
        document.fault(path, message, help);
    }
}

/// A point as the key of a value.
pub(super) fn check_key(
    document: &mut Document,
    path: &str,
    device_type: &DeviceType,
    name: &str,
    types: &Known<'_, DeviceType>,
) {
    if let Some((message, help)) = no_point(device_type, name, types) {
        document.key_fault(path, message, help);
    }
}

fn no_point(
    device_type: &DeviceType,
    name: &str,
    types: &Known<'_, DeviceType>,
) -> Option<(String, Option<String>)> {
    let id = &device_type.head.id;
    if device_type.point(name).is_some() || !types.has_sure_points(id) {
        return None;
    }
    let help = nearest(name, device_type.points.iter().map(|point| point.name.as_str()));
    Some((format!("device type `{id}` has no point `{name}`"), help))
}
