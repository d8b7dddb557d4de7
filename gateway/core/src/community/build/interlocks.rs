//! Do the community's interlocks hold together: a point that can be written, and a condition over
//! points that there are.

use super::super::device_type::{DeviceType, Point};
use super::super::document::Document;
use super::super::fault::nearest;
use super::super::site::Site;
use super::super::writable::VALUE;
use super::{Known, writables};

/// Reports what is wrong with `[[interlock]]`.
pub(super) fn check(document: &mut Document, site: &Site, types: &Known<'_, DeviceType>) {
    for (position, interlock) in site.interlocks.iter().enumerate() {
        let path = format!("interlock.{position}");
        let places = [format!("{path}.device"), format!("{path}.point")];
        let (device, point) = (interlock.device.as_str(), interlock.point.as_str());
        let written = find(document, &places, site, types, device, point);
        if written.is_some_and(|written| written.writable.is_none()) {
            let message = format!("`{point}` of `{device}` is not writable, so nothing locks it");
            document.fault(&places[1], message, None);
        }
        for (name, place) in &interlock.of {
            let path = format!("{path}.of.{name}");
            if name == VALUE {
                let message = format!("`{VALUE}` is what is to be written; choose another name");
                document.key_fault(&path, message, None);
            }
            let Some((device, point)) = place.split_once('/') else {
                let help = "as in `tank-1/level`".to_owned();
                document.fault(&path, format!("`{place}` is no `device/point`"), Some(help));
                continue;
            };
            find(document, &[path.clone(), path], site, types, device, point);
        }
        let names = interlock.of.keys().map(String::as_str).collect();
        writables::check_when(document, &format!("{path}.when"), &interlock.when, names);
    }
}

/// The point, where it can be told; what there is not is reported at the device's or the point's place.
fn find<'t>(
    document: &mut Document,
    [at_device, at_point]: &[String; 2],
    site: &Site,
    types: &Known<'t, DeviceType>,
    device: &str,
    point: &str,
) -> Option<&'t Point> {
    let Some(entry) = site.devices.iter().find(|entry| entry.id == device) else {
        if !document.has_doubtful("device", "id") {
            let help = nearest(device, site.devices.iter().map(|entry| entry.id.as_str()));
            document.fault(at_device, format!("there is no device `{device}`"), help);
        }
        return None;
    };
    let points = &types.get(&entry.device_type)?.points;
    let found = points.iter().find(|known| known.name == point);
    if found.is_none() && types.has_sure_points(&entry.device_type) {
        let help = nearest(point, points.iter().map(|known| known.name.as_str()));
        document.fault(at_point, format!("`{device}` has no point `{point}`"), help);
    }
    found
}
