//! Does the community hold together: areas, feeders, devices, and where each device is found.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::device_type::{DeviceType, Via};
use super::super::document::Document;
use super::super::fault::nearest;
use super::super::localbus::Place;
use super::super::quantity::Text;
use super::super::site::{DeviceEntry, Site};
use super::super::{Address, Device, Source, SourceKind};
use super::{CameraTopic, Known, Surroundings, cameras, check_id, localbus, plan, unique};
use crate::reading::SourceIndex;

/// Checks the site and resolves its devices; those with faults are left out.
pub(super) fn check(
    document: &mut Document,
    site: &Site,
    types: &Known<'_, DeviceType>,
    around: &Surroundings,
) -> Vec<Device> {
    check_id(document, "community.id", &site.community.id);
    if site.areas.is_empty() && !document.is_mended("area") {
        document.fault("community", "a community needs at least one `[[area]]`", None);
    }
    plan::check(document, site);
    unique(document, "area", "id", site.areas.iter().map(|area| &area.id));
    unique(document, "feeder", "id", site.feeders.iter().map(|feeder| &feeder.id));
    unique(document, "device", "id", site.devices.iter().map(|device| &device.id));
    let lists = [
        ("area", site.areas.iter().map(|area| &area.id).collect::<Vec<_>>()),
        ("feeder", site.feeders.iter().map(|feeder| &feeder.id).collect()),
        ("device", site.devices.iter().map(|device| &device.id).collect()),
    ];
    for (list, ids) in lists {
        for (position, id) in ids.into_iter().enumerate() {
            check_id(document, &format!("{list}.{position}.id"), id);
        }
    }

    let mut taken = BTreeMap::new();
    let mut devices = Vec::new();
    for (position, entry) in site.devices.iter().enumerate() {
        let path = format!("device.{position}");
        let device = check_device(document, &path, entry, site, types, around);
        // A copy that kept its id is told once.
        let is_copy = document.is_doubtful(&format!("{path}.id"));
        if let Some((device, place)) = device.filter(|_| !is_copy) {
            check_address(document, &path, &place, &device, &mut taken);
            devices.push(device);
        }
    }
    check_overlaps(document, site, &devices);
    check_camera_topics(document, site, &devices, around);
    devices
}

fn check_device(
    document: &mut Document,
    path: &str,
    entry: &DeviceEntry,
    site: &Site,
    types: &Known<'_, DeviceType>,
    around: &Surroundings,
) -> Option<(Device, String)> {
    types.check(document, &format!("{path}.type"), "device type", &entry.device_type);
    let area = site.areas.iter().position(|area| area.id == entry.area);
    if area.is_none() && !document.has_doubtful("area", "id") {
        let help = nearest(&entry.area, site.areas.iter().map(|area| area.id.as_str()));
        document.fault(&format!("{path}.area"), format!("there is no area `{}`", entry.area), help);
    }
    let feeder = entry.feeder.as_ref().map(|id| {
        let feeder = site.feeders.iter().position(|feeder| feeder.id == *id);
        if feeder.is_none() && !document.has_doubtful("feeder", "id") {
            let help = nearest(id, site.feeders.iter().map(|feeder| feeder.id.as_str()));
            document.fault(&format!("{path}.feeder"), format!("there is no feeder `{id}`"), help);
        }
        feeder
    });
    let device_type = types.get(&entry.device_type)?;
    check_keys(document, path, entry, device_type.head.via);
    let sources = around.sources.as_deref();
    let (source, address) = match device_type.head.via {
        Via::Mqtt => at_broker(document, path, entry, site, sources)?,
        Via::Modbus => on_line(document, path, entry, sources)?,
        Via::Camera => {
            let drawings = &around.drawings;
            cameras::at_camera(document, path, entry, device_type, sources, drawings)?
        }
        Via::Localbus => localbus::on_bus(document, path, entry, device_type, sources)?,
        Via::Replay => {
            let message =
                format!("`{}` is for recordings and cannot be installed", entry.device_type);
            document.fault(&format!("{path}.type"), message, None);
            return None;
        }
    };
    let place = match &address {
        Address::Topic(topic) => format!("{} {topic}", source.0),
        Address::Unit(unit) => format!("{} {unit}", source.0),
        Address::Chip(place) => format!("{} {place}", source.0),
        Address::Camera(_) | Address::Replay => String::new(),
    };
    let device = Device {
        id: entry.id.clone(),
        title: entry.title.clone().unwrap_or_else(|| Text::new(&entry.id, &entry.id)),
        device_type: Arc::clone(device_type),
        area: area?,
        location: entry.location.clone(),
        at: entry.at,
        feeder: feeder.flatten(),
        source,
        address,
    };
    Some((device, place))
}

/// Keys of another wire than the device's.
fn check_keys(document: &mut Document, path: &str, entry: &DeviceEntry, via: Via) {
    let keys = [
        (Via::Mqtt, "broker", entry.broker.is_some()),
        (Via::Mqtt, "topic", entry.topic.is_some()),
        (Via::Modbus, "line", entry.line.is_some()),
        (Via::Modbus, "unit", entry.unit.is_some()),
        (Via::Camera, "camera", entry.camera.is_some()),
        (Via::Camera, "zone", !entry.zones.is_empty()),
        (Via::Camera, "tripwire", !entry.tripwires.is_empty()),
        (Via::Localbus, "bus", entry.bus.is_some()),
        (Via::Localbus, "address", entry.address.is_some()),
    ];
    let words = |via| match via {
        Via::Mqtt => ("MQTT", "speaks MQTT"),
        Via::Modbus => ("Modbus", "speaks Modbus"),
        Via::Camera => ("cameras", "looks through a camera"),
        Via::Localbus => ("the local bus", "is wired to the box"),
        Via::Replay => ("recordings", "is for recordings"),
    };
    for (of, key, _) in keys.iter().filter(|(of, _, is_set)| *is_set && *of != via) {
        let message = format!(
            "`{key}` is for {}, but `{}` {}",
            words(*of).0,
            entry.device_type,
            words(via).1
        );
        document.key_fault(&format!("{path}.{key}"), message, None);
    }
}

fn at_broker(
    document: &mut Document,
    path: &str,
    entry: &DeviceEntry,
    site: &Site,
    sources: Option<&[Source]>,
) -> Option<(SourceIndex, Address)> {
    let topic =
        entry.topic.clone().unwrap_or_else(|| format!("sense/{}/{}", site.community.id, entry.id));
    if let Some(what) = wrong_filter(&topic) {
        let message = format!("`{topic}` is not a topic filter: {what}");
        document.fault(&format!("{path}.topic"), message, None);
        return None;
    }
    let brokers = of_kind(sources?, SourceKind::Broker);
    let source = match (&entry.broker, brokers.as_slice()) {
        (Some(id), _) => find(document, &format!("{path}.broker"), "broker", id, &brokers)?,
        (None, [(index, _)]) => *index,
        (None, []) => {
            let help = "add a `[[broker]]` to gateway.toml".to_owned();
            document.fault(path, "there is no broker for this device", Some(help));
            return None;
        }
        (None, [_, ..]) => {
            let help = nearest("", brokers.iter().map(|(_, id)| *id));
            document.fault(path, "missing key `broker`; there are several", help);
            return None;
        }
    };
    Some((source, Address::Topic(topic)))
}

fn on_line(
    document: &mut Document,
    path: &str,
    entry: &DeviceEntry,
    sources: Option<&[Source]>,
) -> Option<(SourceIndex, Address)> {
    for (key, is_set) in [("line", entry.line.is_some()), ("unit", entry.unit.is_some())] {
        if !is_set {
            let message = format!("missing key `{key}`; `{}` speaks Modbus", entry.device_type);
            document.fault(path, message, None);
        }
    }
    let unit = entry.unit;
    if let Some(unit) = unit.filter(|unit| !(1..=247).contains(unit)) {
        let message = format!("`unit` is 1 to 247, found {unit}");
        document.fault(&format!("{path}.unit"), message, None);
    }
    let lines = of_kind(sources?, SourceKind::Line);
    let source = find(document, &format!("{path}.line"), "line", entry.line.as_ref()?, &lines)?;
    Some((source, Address::Unit(unit?)))
}

pub(super) fn of_kind(sources: &[Source], kind: SourceKind) -> Vec<(SourceIndex, &str)> {
    let all = sources.iter().enumerate().filter(|(_, source)| source.kind == kind);
    all.map(|(index, source)| (SourceIndex(index), source.id.as_str())).collect()
}

pub(super) fn find(
    document: &mut Document,
    path: &str,
    what: &str,
    id: &str,
    among: &[(SourceIndex, &str)],
) -> Option<SourceIndex> {
    let found = among.iter().find(|(_, known)| *known == id).map(|(index, _)| *index);
    if found.is_none() {
        let help = nearest(id, among.iter().map(|(_, known)| *known));
        document.fault(path, format!("there is no {what} `{id}` in gateway.toml"), help);
    }
    found
}

/// Two devices at one place would answer for each other.
fn check_address(
    document: &mut Document,
    path: &str,
    place: &str,
    device: &Device,
    taken: &mut BTreeMap<String, String>,
) {
    let key = match &device.address {
        Address::Topic(_) => "topic",
        Address::Unit(_) => "unit",
        // On a UART there is room for one.
        Address::Chip(Place::Alone) => "bus",
        Address::Chip(_) => "address",
        // Several devices look through one camera.
        Address::Camera(_) | Address::Replay => return,
    };
    if let Some(other) = taken.get(place) {
        let message = format!("`{other}` has this `{key}` already");
        document.fault(&format!("{path}.{key}"), message, None);
    } else {
        taken.insert(place.to_owned(), device.id.clone());
    }
}

/// A filter with wildcards must not take in another device's topic.
fn check_overlaps(document: &mut Document, site: &Site, devices: &[Device]) {
    for device in devices {
        let Address::Topic(filter) = &device.address else { continue };
        if !filter.contains(['+', '#']) {
            continue;
        }
        let other = devices.iter().find(|other| {
            let Address::Topic(topic) = &other.address else { return false };
            other.id != device.id
                && other.source == device.source
                && topic != filter
                && overlap(filter, topic)
        });
        if let Some(other) = other
            && let Some(position) = site.devices.iter().position(|entry| entry.id == device.id)
        {
            let message = format!("`{filter}` takes in messages of `{}` too", other.id);
            document.fault(&format!("device.{position}.topic"), message, None);
        }
    }
}

/// What a device listens to waits at the broker while the gateway is away, on its disk: pictures must not be among it.
fn check_camera_topics(
    document: &mut Document,
    site: &Site,
    devices: &[Device],
    around: &Surroundings,
) {
    let Some(sources) = &around.sources else { return };
    for device in devices {
        let Address::Topic(filter) = &device.address else { continue };
        let camera = around.camera_topics.iter().find(|camera| {
            let broker = sources.get(device.source.0);
            broker.is_some_and(|broker| broker.id == camera.broker)
                && overlap(filter, &camera.topic)
        });
        if let Some(CameraTopic { camera, .. }) = camera
            && let Some(position) = site.devices.iter().position(|entry| entry.id == device.id)
        {
            let message = format!(
                "`{filter}` takes in the pictures of camera `{camera}`; the broker would keep them for the gateway"
            );
            let help = "name the topics of the device alone, or have the camera publish elsewhere";
            document.fault(&format!("device.{position}.topic"), message, Some(help.to_owned()));
        }
    }
}

/// Whether some topic fits both filters (MQTT 3.1.1, section 4.7).
fn overlap(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.split('/'), b.split('/'));
    loop {
        match (a.next(), b.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(one), Some(other)) if one == other => {}
            (Some(_) | None, Some(_)) | (Some(_), None) => return false,
        }
    }
}

/// What is wrong with a topic filter, if anything (MQTT 3.1.1, section 4.7).
fn wrong_filter(filter: &str) -> Option<&'static str> {
    if filter.is_empty() {
        return Some("it is empty");
    }
    if filter.len() > 65_535 || filter.contains('\0') {
        return Some("it is too long or contains a zero");
    }
    if filter.starts_with("$share/") {
        return Some("a shared subscription shares a device's messages out among gateways");
    }
    if filter.contains('*') {
        return Some(
            "`*` is no wildcard; `+` stands for one level, a last `#` for all that follow",
        );
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            return Some("`#` stands alone, as the last level");
        }
        if level.contains('+') && level != "+" {
            return Some("`+` stands alone between two `/`");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_no_message_comes_by_is_refused() {
        for filter in ["", "a/#/b", "a/b+", "a/*", "$share/gateways/a/b"] {
            assert!(wrong_filter(filter).is_some(), "{filter}");
        }
        for filter in ["a/b", "+/b", "a/#", "#"] {
            assert_eq!(wrong_filter(filter), None, "{filter}");
        }
    }
}
