//! A scene's worked stories: what is seen, and what must come of it.
//!
//! `gatehouse check` plays every `[[story]]` through the pipeline that `run` uses, at simulated time,
//! on a community of one device. Models are not asked; what only they would notice is not told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::community::calendar::Calendar;
use crate::community::device_type::DeviceType;
use crate::community::expectation::Expectation;
use crate::community::people::Duties;
use crate::community::quantity::Text;
use crate::community::scene::{Scene, SceneHead, Status, Story};
use crate::community::{Address, Community, Device, ModelSpec, Source, SourceKind, site};
use crate::event::message::{Message, Transition};
use crate::pipeline::{Input, Output, Pipeline, Restored, Settings, Unusable};
use crate::reading::{Body, DeviceIndex, Frame, SourceIndex, Timestamp};

/// Stories that do not say when they begin do so on 1 March 2026, midnight UTC.
const START: Timestamp = Timestamp(1_772_323_200_000);

/// What came of a story, in its own words: `2m opened 3`.
///
/// # Errors
/// The scene cannot work.
pub fn play(
    scene: &Scene,
    story: &Story,
    device_type: &Arc<DeviceType>,
    models: &[ModelSpec],
    calendar: Option<&Arc<Calendar>>,
) -> Result<Vec<Expectation>, Unusable> {
    let own = story.calendar.clone().map(Arc::new);
    let calendar = own.as_ref().or(calendar);
    let start = match (story.starts, calendar) {
        (Some(starts), Some(calendar)) => calendar.time_zone.moment(starts),
        (Some(_), None) | (None, _) => START,
    };
    let community = Community { calendar: calendar.cloned(), ..stage(scene, device_type, models) };
    let community = Arc::new(community);
    let mut pipeline = Pipeline::new(community, Settings::default(), Restored::default(), start)?;
    let mut told = Vec::new();
    let mut values: BTreeMap<&str, f64> = BTreeMap::new();
    let mut is_silent = false;
    let mut steps = story.steps.iter().peekable();
    let every = story.every.0.max(Duration::from_millis(1));
    let mut at = Duration::ZERO;
    while at <= story.lasts.0 {
        pass(&mut pipeline, start, start + at, &scene.head.id, &mut told);
        while let Some(step) = steps.next_if(|step| step.at.0 <= at) {
            values.extend(step.set.iter().map(|(name, value)| (name.as_str(), *value)));
            is_silent = step.silent;
        }
        if !is_silent {
            let value = |name: &str| values.get(name).copied().unwrap_or(f64::NAN);
            let values = device_type.points.iter().map(|p| value(&p.name)).collect();
            let body = Body::Values { at: start + at, values };
            let frame = Frame { device: DeviceIndex(0), ticket: None, body };
            pipeline.handle(Input::Frame(frame), start + at);
            drain(&mut pipeline, start, start + at, &scene.head.id, &mut told);
        }
        at += every;
    }
    pass(&mut pipeline, start, start + story.lasts.0, &scene.head.id, &mut told);
    Ok(told)
}

fn pass(
    pipeline: &mut Pipeline,
    start: Timestamp,
    until: Timestamp,
    scene: &str,
    told: &mut Vec<Expectation>,
) {
    while let Some(due) = pipeline.poll_timeout()
        && due < until
    {
        pipeline.handle_timeout(due);
        drain(pipeline, start, due, scene, told);
    }
}

fn drain(
    pipeline: &mut Pipeline,
    start: Timestamp,
    now: Timestamp,
    scene: &str,
    told: &mut Vec<Expectation>,
) {
    while let Some(output) = pipeline.poll_output() {
        let Output::Store(batch) = output else { continue };
        for record in &batch.records {
            let Ok(message) = serde_json::from_slice::<Message>(&record.json) else { continue };
            let word = message.kind.rsplit('.').next().unwrap_or_default();
            // Every event that is over and needs nobody is closed; no story has to say so.
            if message.data.scene == scene && word != Transition::Closed.word() {
                let line = format!("0s {word} {}", message.data.level);
                let told_now = line.parse::<Expectation>().ok();
                told.extend(told_now.map(|told| Expectation { at: now.since(start), ..told }));
            }
        }
        pipeline.handle(Input::Stored { through: batch.number }, now);
    }
}

/// A scene on trial is played like a live one.
fn on_stage(scene: &Scene) -> Scene {
    let head = SceneHead { status: Status::Live, review: false, ..scene.head.clone() };
    Scene { head, ..scene.clone() }
}

/// A community of one device and one scene.
fn stage(scene: &Scene, device_type: &Arc<DeviceType>, models: &[ModelSpec]) -> Community {
    let title = Text::new("故事", "story");
    Community {
        id: "story".into(),
        title: title.clone(),
        township: "story".into(),
        gateway: "story".into(),
        calendar: None,
        plan_size: None,
        interlocks: Vec::new(),
        areas: vec![site::Area {
            id: "story".into(),
            title: title.clone(),
            people: 100,
            ..site::Area::default()
        }],
        duties: Duties::default(),
        feeders: Vec::new(),
        sources: vec![Source { id: "story".into(), kind: SourceKind::Replay }],
        device_types: vec![Arc::clone(device_type)],
        devices: vec![Device {
            id: "story".into(),
            title,
            device_type: Arc::clone(device_type),
            area: 0,
            location: None,
            at: None,
            feeder: None,
            source: SourceIndex(0),
            address: Address::Replay,
        }],
        scenes: vec![Arc::new(on_stage(scene))],
        models: models.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::community::tests::community;

    #[test]
    fn a_story_is_told_as_it_was_written() {
        let scene: Scene = toml::from_str(
            r#"
            [scene]
            id = "heat"
            title = { zh = "高温", en = "too hot" }
            category = "environment"
            advice = { zh = "去看看", en = "go and look" }
            [[detector]]
            id = "hot"
            point = "temperature"
            limit-high = "40 degC"
            on-delay = "2 min"
            off-delay = "1 min"
            [[grade]]
            level = 2
            when = "lasted >= 300.0"
            [[grade]]
            level = 3
            when = "people >= 100.0"
            [[story]]
            title = "a hot quarter of an hour"
            device-type = "thermometer"
            every = "30 s"
            lasts = "20 min"
            steps = [
              { at = "0 s", set = { temperature = 20.0 } },
              { at = "5 min", set = { temperature = 41.0 } },
              { at = "12 min", silent = true },
              { at = "18 min", set = { temperature = 20.0 } },
            ]
            expect = ["7m opened 3", "10m updated 2", "12m 30s unknown 2", "18m updated 2", "19m cleared 2"]
            "#,
        )
        .unwrap();
        let device_type = Arc::clone(&community().device_types[0]);

        let told = play(&scene, &scene.stories[0], &device_type, &[], None).unwrap();

        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(told, scene.stories[0].expect);
    }
}
