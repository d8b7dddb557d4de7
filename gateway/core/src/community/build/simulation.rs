//! Does what the simulator plays refer to things that exist.

use super::super::device_type::{DeviceType, Via};
use super::super::document::Document;
use super::super::fault::nearest;
use super::super::scene::Scene;
use super::super::site::{Simulation, Site};
use super::Known;

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
