//! Devices, models and scenes, as the engine's snapshot and the configuration have them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::Json;
use gatehouse_core::community::Community;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::community::scene::{Category, Status};
use gatehouse_core::reading::Timestamp;
use gatehouse_core::view::DeviceView;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::accounts::{Principal, Right};
use crate::console::Console;
use crate::console::devices::configured;
use crate::console::page::may;
use crate::console::scenes::{WEEK, budget};

/// A device and what it said last.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeviceNow {
    /// Its id.
    device: String,
    title: Option<Text>,
    /// The id of its device type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The area's id.
    area: Option<String>,
    silent: bool,
    /// When it spoke last (RFC 3339).
    last_frame: Option<String>,
    /// Frames since the start.
    frames: u64,
    points: Vec<PointNow>,
    /// Frames and readings turned away since the start, by reason.
    refused: BTreeMap<&'static str, u64>,
}

/// One of its points.
#[derive(Debug, Serialize, JsonSchema)]
struct PointNow {
    point: String,
    value: Option<f64>,
    /// UCUM.
    unit: String,
    quality: &'static str,
    /// A model does not know it well enough yet.
    learning: bool,
}

/// A scene, and how often it was right in the last 90 days.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SceneNow {
    /// Its id.
    scene: String,
    title: Text,
    category: Category,
    status: Status,
    /// Events that it raised; on trial, that it would have raised.
    events: u32,
    real: u32,
    false_alarms: u32,
    planned: u32,
    /// Of those that somebody judged, planned work left out, the share that was real, 0..1.
    precision: Option<f64>,
    /// What its file says, where something else lies over it.
    status_in_file: Option<Status>,
    /// Its file.
    file: Option<String>,
    /// False alarms that its models may raise a week; absent without a budget.
    budget_per_week: Option<f64>,
    /// How many they raised in the last week.
    budget_used: Option<u64>,
    /// What would have been raised without a budget, since start.
    budget_held_back: Option<u64>,
}

/// What judges here.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Models {
    #[serde(rename = "models")]
    installed: Vec<Named>,
    /// `onnxruntime` or `tract`; none while no model is asked.
    engine: Option<&'static str>,
    /// The bundle that is laid over the configuration's own files.
    bundle: Option<String>,
    /// How the candidate does beside it.
    candidate: Option<Map<String, Value>>,
    /// Why the candidate does not run.
    candidate_fault: Option<String>,
    /// How the bundle that was promoted last does, or did.
    probation: Option<Map<String, Value>>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Named {
    name: String,
    version: String,
}

/// `GET /api/v1/devices`.
pub(super) async fn devices(State(console): State<Arc<Console>>) -> Json<Vec<DeviceNow>> {
    let snapshot = console.snapshot();
    Json(snapshot.view.devices.iter().map(|view| device(&snapshot.community, view)).collect())
}

fn device(community: &Community, view: &DeviceView) -> DeviceNow {
    let device = configured(community, view).map(|(_, device)| device);
    let declared = device.map(|d| d.device_type.points.as_slice()).unwrap_or_default();
    let points = declared.iter().zip(&view.points).enumerate();
    let points = points.map(|(at, (point, (value, quality)))| PointNow {
        point: point.name.clone(),
        value: value.filter(|value| value.is_finite()),
        unit: point.unit.clone(),
        quality: quality.word(),
        learning: view.learning.contains(&at),
    });
    DeviceNow {
        device: view.id.clone(),
        title: device.map(|d| d.title.clone()),
        kind: device.map(|d| d.device_type.head.id.clone()),
        area: device.and_then(|d| community.areas.get(d.area)).map(|area| area.id.clone()),
        silent: view.silent,
        last_frame: view.last_frame.map(Timestamp::rfc3339),
        frames: view.frames,
        points: points.collect(),
        refused: view.refused.clone(),
    }
}

/// `GET /api/v1/scenes`: those that the reader may see.
pub(super) async fn scenes(
    State(console): State<Arc<Console>>,
    Extension(principal): Extension<Principal>,
) -> Json<Vec<SceneNow>> {
    let snapshot = console.snapshot_for(&principal);
    let sees_pilots = may(&snapshot, Right::SeePilots);
    let scenes = snapshot.community.scenes.iter().map(|scene| &scene.head);
    let scenes = scenes.filter(|head| sees_pilots || head.status != Status::Pilot);
    let scenes = scenes.map(|head| {
        let known = snapshot.view.scenes.iter().find(|known| known.id == head.id);
        let tally = known.map(|known| known.tally).unwrap_or_default();
        let budget = budget(&snapshot, &head.id);
        let origin = snapshot.configuration.origins.scenes.get(&head.id);
        SceneNow {
            scene: head.id.clone(),
            title: head.title.clone(),
            category: head.category,
            status: head.status,
            events: tally.events,
            real: tally.real,
            false_alarms: tally.false_alarms,
            planned: tally.planned,
            precision: tally.precision(),
            status_in_file: origin.map(|(_, status)| *status),
            file: origin.map(|(file, _)| file.clone()),
            budget_per_week: budget.map(|b| b.rate * WEEK),
            budget_used: budget.map(|b| b.used.into()),
            budget_held_back: budget.map(|b| b.held_back),
        }
    });
    Json(scenes.collect())
}

/// `GET /api/v1/models`.
pub(super) async fn models(State(console): State<Arc<Console>>) -> Json<Models> {
    let snapshot = console.snapshot();
    let models = snapshot.community.models.iter();
    let named =
        |name: &String, version: &String| Named { name: name.clone(), version: version.clone() };
    let kept = &snapshot.watched.kept;
    Json(Models {
        installed: models.map(|model| named(&model.name, &model.version)).collect(),
        engine: snapshot.configuration.engine,
        bundle: snapshot.configuration.bundle.clone(),
        candidate: kept.candidate.as_ref().and_then(fields),
        candidate_fault: snapshot.watched.fault.clone(),
        probation: kept.probation.as_ref().and_then(fields),
    })
}

fn fields(account: &impl Serialize) -> Option<Map<String, Value>> {
    match serde_json::to_value(account) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}
