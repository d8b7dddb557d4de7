//! Free parking bays, lot by lot (a lot is an area): counted from the engine's snapshot for the console and
//! for parking clouds ([`cloud`]). Numbers only, of nobody's car.
//!
//! Two kinds of parking sensors are counted: one per bay, whose point `occupied` is 0 or 1, and guidance
//! systems that tell `free` and `total` themselves. Only good readings of devices that are heard count;
//! a bay of which nothing is known is not free.

pub(crate) mod cloud;

use gatehouse_core::community::Community;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::reading::Quality;
use gatehouse_core::view::{DeviceView, View};
use serde::Serialize;

/// How the ids of types that know of bays begin.
const PARKING: [&str; 2] = ["parking-", "bay-"];

/// One lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Lot {
    /// Its id.
    #[serde(rename = "lot")]
    pub area: String,
    pub title: Text,
    /// Bays that are surely free.
    pub free: u64,
    /// Bays of which something is known.
    pub known: u64,
    pub total: u64,
}

/// Every area with a parking sensor, in the order of the configuration.
pub(crate) fn lots(community: &Community, view: &View) -> Vec<Lot> {
    let mut lots: Vec<Option<Lot>> = vec![None; community.areas.len()];
    for view in &view.devices {
        let Some(device) = community.find_device(&view.id) else { continue };
        let device = community.device(device);
        let device_type = &device.device_type;
        let good = |name: &str| good(view, device_type.point(name)?);
        let (known, free, total) = match (device_type.point("total"), device_type.point("occupied"))
        {
            _ if !PARKING.iter().any(|start| device_type.head.id.starts_with(start)) => continue,
            (Some(at), _) => {
                let total = last(view, at).unwrap_or(0);
                (good("total").unwrap_or(0), good("free").unwrap_or(0).min(total), total)
            }
            (None, Some(_)) => {
                let occupied = good("occupied");
                (u64::from(occupied.is_some()), u64::from(occupied == Some(0)), 1)
            }
            (None, None) => continue,
        };
        let Some(area) = community.areas.get(device.area) else { continue };
        let lot = lots[device.area].get_or_insert_with(|| Lot {
            area: area.id.clone(),
            title: area.title.clone(),
            free: 0,
            known: 0,
            total: 0,
        });
        (lot.free, lot.known, lot.total) = (lot.free + free, lot.known + known, lot.total + total);
    }
    lots.into_iter().flatten().collect()
}

/// A count that can be believed.
fn good(view: &DeviceView, point: usize) -> Option<u64> {
    let (_, quality) = view.points.get(point)?;
    let is_heard = view.last_frame.is_some() && !view.silent;
    (is_heard && *quality == Quality::Good).then(|| last(view, point)).flatten()
}

/// A count, whether it can be believed or not.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to a million, by the filter"
)]
fn last(view: &DeviceView, point: usize) -> Option<u64> {
    let (value, _) = view.points.get(point)?;
    value.filter(|value| (0.0..1e6).contains(value)).map(|value| value.round() as u64)
}
