//! What the sight thread needs to know of the configuration: for each camera the devices that look through
//! it, what their points ask, and where.

use gatehouse_core::community::camera::{self as core, SightPoint};
use gatehouse_core::community::{Community, Device};
use gatehouse_core::reading::DeviceIndex;
use gatehouse_sight::load::Target;
use gatehouse_sight::manifest::Says;
use gatehouse_sight::watch::{See, Shown, Want, Watch};
use gatehouse_sight::zone::{Tripwire, Way, Zone};

use super::memory::Place;
use crate::config::GatewayConfig;
use crate::infer::pictures::PictureModels;

/// One camera and those who look through it.
pub(super) struct Post {
    pub(super) id: String,
    pub(super) place: Place,
    pub(super) target: Target,
    pub(super) seats: Vec<Seat>,
}

/// One device at a camera.
pub(super) struct Seat {
    pub(super) device: DeviceIndex,
    /// By id.
    pub(super) id: String,
    /// Loaded; nothing is asked without it.
    pub(super) model: Option<String>,
    /// Time between two looks, in ms.
    pub(super) every: i64,
    pub(super) watch: Watch,
    /// When it looked last, and when the model was asked last, in ms.
    pub(super) looked: Option<i64>,
    pub(super) asked: Option<i64>,
}

/// By position of the camera; at one that is not read nobody sits.
pub(super) fn posts(
    config: &GatewayConfig,
    community: &Community,
    models: &PictureModels,
) -> Vec<Post> {
    community
        .cameras()
        .map(|camera| (camera, config.camera(camera.id)))
        .map(|(camera, config)| Post {
            id: camera.id.to_owned(),
            place: config.map_or(Place::default(), |config| {
                [config.url.clone(), config.broker.clone(), config.topic.clone()]
            }),
            target: Target {
                every: config.map_or(0, |config| millis(config.every.0)),
                share: config
                    .and_then(|config| config.share)
                    .map(crate::config::camera::Share::of_a_core),
            },
            seats: community
                .devices
                .iter()
                .enumerate()
                .filter(|_| config.is_some())
                .filter(|(_, device)| device.sight().is_some_and(|s| s.camera == camera.index))
                .map(|(index, device)| seat(DeviceIndex(index), device, models))
                .collect(),
        })
        .collect()
}

fn millis(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn seat(index: DeviceIndex, device: &Device, models: &PictureModels) -> Seat {
    let drawing = device.sight().map(|sight| sight.drawing.clone()).unwrap_or_default();
    let spec = device
        .device_type
        .picture_model()
        .and_then(|name| models.specs().into_iter().find(|spec| spec.name == name));
    let labels = spec.as_ref().map_or(&[][..], |spec| &spec.labels);
    let wants = device.sight_points().iter().map(|point| want(point, &drawing, labels)).collect();
    let zones = drawing.zones.iter().filter_map(|zone| Zone::new(spots(&zone.corners))).collect();
    let wires = drawing.tripwires.iter();
    let wires = wires.map(|wire| Tripwire { from: spot(wire.from), to: spot(wire.to) }).collect();
    let looking = device.device_type.camera.as_ref();
    let shown = if spec.as_ref().is_some_and(|spec| spec.says == Says::Class) {
        Shown::Zones
    } else {
        let sure = spec.as_ref().map_or(1.0, |spec| models.sure(&spec.name));
        Shown::Whole { tiles: looking.map_or([1, 1], core::Looking::tiles), sure }
    };
    let every = looking.map_or(1000, |looking| millis(looking.every.0));
    Seat {
        device: index,
        id: device.id.clone(),
        model: spec.map(|spec| spec.name),
        every,
        watch: Watch::new(wants, zones, wires, shown),
        looked: None,
        asked: None,
    }
}

fn want(point: &SightPoint, drawing: &core::Drawing, labels: &[String]) -> Want {
    let place = |wanted: &String| {
        // A label that the model lacks is nothing that it will ever see.
        labels.iter().position(|label| label == wanted).unwrap_or(usize::MAX)
    };
    let zone = point.zone.as_ref();
    let tripwire = point.tripwire.as_ref();
    Want {
        see: see(point),
        labels: point.labels.iter().map(place).collect(),
        zone: zone.and_then(|name| drawing.zones.iter().position(|zone| zone.name == *name)),
        tripwire: tripwire
            .and_then(|name| drawing.tripwires.iter().position(|wire| wire.name == *name)),
    }
}

fn see(point: &SightPoint) -> See {
    match point.see {
        core::See::Count => See::Count,
        core::See::Present => See::Present,
        core::See::Dwell => See::Dwell,
        core::See::Crossings => See::Crossings(point.way.map(|way| match way {
            core::Way::In => Way::In,
            core::Way::Out => Way::Out,
        })),
        core::See::Class => See::Class,
        core::See::Probability => See::Probability,
        core::See::Dark => See::Dark,
        core::See::Blurred => See::Blurred,
        core::See::Covered => See::Covered,
        core::See::Frozen => See::Frozen,
        core::See::Moved => See::Moved,
        core::See::Brightness => See::Brightness,
        core::See::Sharpness => See::Sharpness,
        core::See::Motion => See::Motion,
    }
}

fn spots(corners: &[[f64; 2]]) -> Vec<(f32, f32)> {
    corners.iter().copied().map(spot).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "a fraction of a picture")]
fn spot([x, y]: [f64; 2]) -> (f32, f32) {
    (x as f32, y as f32)
}
