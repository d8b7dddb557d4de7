//! A community of one device, for what is played from recordings and from what the box has kept.

use std::sync::Arc;

use gatehouse_core::community::device_type::DeviceType;
use gatehouse_core::community::people::Duties;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::community::scene::{Scene, SceneHead, Status};
use gatehouse_core::community::{Address, Community, Device, Source, SourceKind, site};
use gatehouse_core::reading::SourceIndex;

/// A scene that speaks, whatever it is in life.
pub(crate) fn on_stage(scene: &Scene) -> Arc<Scene> {
    let head = SceneHead { status: Status::Live, review: false, ..scene.head.clone() };
    Arc::new(Scene { head, ..scene.clone() })
}

/// The configured community with nothing in it but the recording's device.
pub(crate) fn one_device(
    device_type: &Arc<DeviceType>,
    scenes: Vec<Arc<Scene>>,
    shipped: &Community,
) -> Community {
    let title = Text::new("回放", "replay");
    Community {
        areas: vec![site::Area {
            id: "replay".into(),
            title: title.clone(),
            people: 0,
            ..site::Area::default()
        }],
        feeders: Vec::new(),
        sources: vec![Source { id: "replay".into(), kind: SourceKind::Replay }],
        devices: vec![Device {
            id: "replay".into(),
            title,
            device_type: Arc::clone(device_type),
            area: 0,
            location: None,
            at: None,
            feeder: None,
            source: SourceIndex(0),
            address: Address::Replay,
        }],
        scenes,
        // Nobody is called about the past.
        duties: Duties::default(),
        // A recording of anything comes from anywhere.
        calendar: shipped.calendar.clone().filter(|_| !device_type.head.any_point),
        ..shipped.clone()
    }
}
