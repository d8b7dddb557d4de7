//! Does the local bus hold together: what device types ask of a chip, and where the chips are.

use super::super::device_type::{DeviceType, Via};
use super::super::document::Document;
use super::super::fault::nearest;
use super::super::localbus::{BusKind, Chip};
use super::super::site::DeviceEntry;
use super::super::{Address, Source, SourceKind};
use super::site::find;
use crate::reading::SourceIndex;

mod settings;

pub(super) fn check_type(document: &mut Document, device_type: &DeviceType) {
    let is_local = device_type.head.via == Via::Localbus;
    let is_sure = !document.is_mended("device-type.via");
    match (is_local, &device_type.localbus) {
        (true, None) if is_sure => document.fault(
            "device-type.via",
            "a device type via `localbus` needs a section `[localbus]`",
            Some("add `[localbus]` with `chip` and `every`".to_owned()),
        ),
        (false, Some(_)) if is_sure => document.fault(
            "localbus",
            "`[localbus]` is for device types via `localbus`",
            Some("set `via = \"localbus\"`, or remove the section".to_owned()),
        ),
        (true, Some(localbus)) => {
            settings::check(document, device_type, localbus);
            check_channels(document, device_type, localbus.chip);
        }
        (true | false, None | Some(_)) => {}
    }
}

fn check_channels(document: &mut Document, device_type: &DeviceType, chip: Chip) {
    if document.is_mended("localbus.chip") {
        return;
    }
    for (position, point) in device_type.points.iter().enumerate() {
        let Some(channel) = &point.at.channel else { continue };
        let path = format!("point.{position}.at.channel");
        let channels = chip.channels();
        if chip == Chip::Hwmon {
            if Chip::hwmon_divisor(channel).is_none() {
                let message = format!("`{channel}` is not an input that the kernel tells");
                let help = "as in `temp1_input`, `in1_input`, `curr1_input`, `humidity1_input`, `fan1_input`";
                document.fault(&path, message, Some(help.to_owned()));
            }
        } else if !channels.iter().any(|(known, _)| known == channel) {
            let message = format!("a `{}` has no channel `{channel}`", chip.word());
            let help = nearest(channel, channels.iter().map(|(known, _)| *known));
            document.fault(&path, message, help);
        } else if !["scale", "offset"].iter().any(|key| document.has(&format!("point.{position}.{key}")))
            && let Some((_, unit)) = channels.iter().find(|(known, _)| known == channel)
            && point.unit != *unit
            // The sides of a pin, and counts, may be called what they are.
            && *unit != "1"
        {
            let message =
                format!("`{channel}` comes in `{unit}`, and the point is in `{}`", point.unit);
            let help = format!("write `unit = \"{unit}\"`, or a `scale` that makes it so");
            document.fault(&format!("point.{position}.unit"), message, Some(help));
        }
    }
}

/// Where a device is on the buses of the box.
pub(super) fn on_bus(
    document: &mut Document,
    path: &str,
    entry: &DeviceEntry,
    device_type: &DeviceType,
    sources: Option<&[Source]>,
) -> Option<(SourceIndex, Address)> {
    let chip = device_type.localbus.as_ref()?.chip;
    let place = chip.place(entry.address.as_deref());
    if let Err(message) = &place {
        let key = format!("{path}.address");
        let at = if entry.address.is_some() { &key } else { path };
        document.fault(at, message.clone(), None);
    }
    let Some(id) = &entry.bus else {
        let message = format!("missing key `bus`; `{}` is wired to the box", entry.device_type);
        document.fault(path, message, None);
        return None;
    };
    let at = format!("{path}.bus");
    let buses: Vec<(SourceIndex, &str)> =
        of_buses(sources?).map(|(index, id, _)| (index, id)).collect();
    let source = find(document, &at, "bus", id, &buses)?;
    let kind = of_buses(sources?).find(|(index, ..)| *index == source).map(|(_, _, kind)| kind)?;
    if kind != chip.bus() {
        let (word, wanted, found) = (chip.word(), chip.bus().word(), kind.word());
        let message = format!("a `{word}` is on `{wanted}`, and bus `{id}` is `{found}`");
        let fitting = of_buses(sources?).filter(|(.., kind)| *kind == chip.bus());
        let help = nearest("", fitting.map(|(_, id, _)| id));
        document.fault(&at, message, help);
        return None;
    }
    Some((source, Address::Chip(place.ok()?)))
}

fn of_buses(sources: &[Source]) -> impl Iterator<Item = (SourceIndex, &str, BusKind)> {
    sources.iter().enumerate().filter_map(|(index, source)| match source.kind {
        SourceKind::Bus(kind) => Some((SourceIndex(index), source.id.as_str(), kind)),
        SourceKind::Broker | SourceKind::Line | SourceKind::Camera | SourceKind::Replay => None,
    })
}
