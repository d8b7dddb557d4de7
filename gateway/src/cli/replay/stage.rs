//! The community of one device that a recording is played in.

use std::collections::BTreeSet;
use std::sync::Arc;

use gatehouse_core::community::build::recording_type;
use gatehouse_core::community::device_type::DeviceType;
use gatehouse_core::community::fault::{listed, nearest};
use gatehouse_core::community::people::Duties;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::community::rule::check_detector;
use gatehouse_core::community::scene::{Detector, Scene, SceneHead, Status};
use gatehouse_core::community::{Address, Community, Device, Source, SourceKind, site};
use gatehouse_core::reading::SourceIndex;

/// What to play, by id.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) device_type: &'a str,
    /// Every live one that fits when left out.
    pub(super) scene: Option<&'a str>,
}

/// What was asked for cannot be played; tell the person who asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unplayable {
    #[error("there is no device type `{id}`; {help}")]
    NoType { id: String, help: String },
    #[error("there is no scene `{id}`; {help}")]
    NoScene { id: String, help: String },
    #[error("the scene `{scene}` does not look at device type `{found}`; it takes {takes}")]
    OtherScene { scene: String, found: String, takes: String },
}

/// The community to play in, and what the person who asked should know.
pub(super) fn set(
    shipped: &Community,
    wanted: Wanted<'_>,
    columns: &[String],
) -> Result<(Community, Vec<String>), Unplayable> {
    let types = || shipped.device_types.iter();
    let Some(device_type) = types().find(|t| t.head.id == wanted.device_type) else {
        let help = nearest(wanted.device_type, types().map(|t| t.head.id.as_str()));
        let id = wanted.device_type.to_owned();
        return Err(Unplayable::NoType { id, help: help.unwrap_or_default() });
    };
    let id = &device_type.head.id;
    let mut warnings = Vec::new();
    let is_known = |name: &&String| device_type.head.any_point || device_type.point(name).is_some();
    for column in columns.iter().filter(|column| !is_known(column)) {
        warnings.push(format!(
            "column `{column}` is no point of `{id}`; it is taken as a number without unit or limits"
        ));
    }
    let scenes = scenes(shipped, wanted, device_type)?;
    let names: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
    if scenes.is_empty() {
        warnings.push(format!("no live scene looks at `{id}`, so nothing can come of it"));
    }
    for scene in &scenes {
        if !scene.detectors.iter().any(|detector| has_points(detector, &names)) {
            warnings.push(format!(
                "no detector of the scene `{}` finds its points among the columns",
                scene.head.id
            ));
        }
    }
    let device_type = Arc::new(recording_type(device_type, columns));
    Ok((one_device(&device_type, scenes, shipped), warnings))
}

/// The scenes to play. One that is asked for by name is played even while it is on trial or off.
fn scenes(
    shipped: &Community,
    wanted: Wanted<'_>,
    device_type: &DeviceType,
) -> Result<Vec<Arc<Scene>>, Unplayable> {
    let found = &device_type.head.id;
    let fits = |scene: &Scene| {
        let takes = &scene.head.device_types;
        takes.is_empty() || takes.contains(found)
    };
    let Some(id) = wanted.scene else {
        let is_live = |scene: &&Arc<Scene>| scene.head.status == Status::Live && fits(scene);
        return Ok(shipped.scenes.iter().filter(is_live).map(|scene| on_stage(scene)).collect());
    };
    match shipped.scenes.iter().find(|scene| scene.head.id == id) {
        Some(scene) if fits(scene) => Ok(vec![on_stage(scene)]),
        Some(scene) => {
            let takes = listed(&scene.head.device_types);
            Err(Unplayable::OtherScene { scene: id.to_owned(), found: found.clone(), takes })
        }
        None => {
            let help = nearest(id, shipped.scenes.iter().map(|scene| scene.head.id.as_str()));
            Err(Unplayable::NoScene { id: id.to_owned(), help: help.unwrap_or_default() })
        }
    }
}

pub(in crate::cli) fn on_stage(scene: &Scene) -> Arc<Scene> {
    let head = SceneHead { status: Status::Live, review: false, ..scene.head.clone() };
    Arc::new(Scene { head, ..scene.clone() })
}

/// Whether the points that a detector looks at are all there.
fn has_points(detector: &Detector, names: &BTreeSet<&str>) -> bool {
    let mut wanted = detector.point.iter().chain(&detector.points);
    let mut rules = detector.when.iter().chain(&detector.clear_when);
    wanted.all(|point| names.contains(point.as_str()))
        && rules.all(|rule| check_detector(rule, names).is_ok())
}

/// The models that its scenes name.
pub(super) fn models(community: &Community) -> BTreeSet<&str> {
    let detectors = community.scenes.iter().flat_map(|scene| &scene.detectors);
    detectors.flat_map(Detector::models).collect()
}

/// The configured community with nothing in it but the recording's device.
pub(in crate::cli) fn one_device(
    device_type: &Arc<DeviceType>,
    scenes: Vec<Arc<Scene>>,
    shipped: &Community,
) -> Community {
    let title = Text::new("回放", "replay");
    Community {
        areas: vec![site::Area { id: "replay".into(), title: title.clone(), people: 0 }],
        feeders: Vec::new(),
        sources: vec![Source { id: "replay".into(), kind: SourceKind::Replay }],
        devices: vec![Device {
            id: "replay".into(),
            title,
            device_type: Arc::clone(device_type),
            area: 0,
            location: None,
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
