//! What the gateway says of itself to `gateway.report`: how it stands, and no reading and no person.

use std::sync::Arc;

use gatehouse_core::community::Community;
use gatehouse_core::view::{EventView, View};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::hands::Report;
use crate::bundle::trial::Failed;
use crate::clock::Clock;
use crate::console::Configuration;
use crate::store::Store;
use crate::wear::{Endurance, Wear};

/// Devices that are named at most; the others are counted.
const NAMED: usize = 200;

/// Where a report looks.
pub struct Sight {
    pub view: watch::Receiver<Arc<View>>,
    pub community: watch::Receiver<Arc<Community>>,
    pub configuration: watch::Receiver<Configuration>,
    pub store: Store,
    pub flash: watch::Receiver<Wear>,
    pub endurance: Option<Endurance>,
    pub clock: Clock,
}

impl Sight {
    /// Counts uptime from now.
    pub fn reports(self) -> Report {
        let started = Instant::now();
        Arc::new(move || self.report(started.elapsed().as_secs()))
    }

    fn report(&self, uptime: u64) -> Value {
        let view = self.view.borrow().clone();
        let community = self.community.borrow().clone();
        let configuration = self.configuration.borrow().clone();
        let silent: Vec<&str> =
            view.devices.iter().filter(|d| d.silent).map(|d| d.id.as_str()).collect();
        let down = view.sources.iter().filter_map(|s| Some(json!([s.id, s.down.as_ref()?.en])));
        let scenes = community.scenes.iter().map(|scene| {
            let id = &scene.head.id;
            let tally = view.scenes.iter().find(|seen| seen.id == *id).map(|seen| &seen.tally);
            json!({
                "id": id,
                "status": scene.head.status,
                // In the last 90 days, by what people said; of a pilot, what it would have raised.
                "events": tally.map_or(0, |t| t.events),
                "real": tally.map_or(0, |t| t.real),
                "false_alarms": tally.map_or(0, |t| t.false_alarms),
            })
        });
        let models = community.models.iter().map(|model| {
            let is_missing = configuration.missing.contains(&model.name);
            json!({ "model": format!("{}@{}", model.name, model.version), "loaded": !is_missing })
        });
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_s": uptime,
            "boot": self.store.boot(),
            "clock": self.clock.quality(),
            "time": self.clock.now().rfc3339(),
            "outbox": self.store.depth(),
            "store": self.store.fault().map_or_else(|| json!("ok"), |why| json!({ "fault": why })),
            "flash": flash(*self.flash.borrow(), self.endurance),
            "counts": counts(&view),
            "devices": view.devices.len(),
            "silent": { "count": silent.len(), "devices": silent.iter().take(NAMED).collect::<Vec<_>>() },
            "sources_down": down.collect::<Vec<_>>(),
            "scenes": scenes.collect::<Vec<_>>(),
            "models": models.collect::<Vec<_>>(),
            "engine": configuration.engine,
            "bundle": configuration.bundle,
            "bundle_on_trial": configuration.is_on_trial,
            "bundle_failed": configuration.failed.map(|Failed { title, why, at, is_told: _ }| {
                json!({ "bundle": title, "why": why, "time": at.rfc3339() })
            }),
        })
    }
}

/// What was written to the flash since it was first counted, and how long it lasts at the present pace.
fn flash(wear: Wear, endurance: Option<Endurance>) -> Value {
    json!({
        "written_bytes": wear.total,
        "written_bytes_per_day": wear.a_day(),
        "endurance_bytes": endurance.map(|Endurance(bytes)| bytes),
        "left_s": endurance.and_then(|endurance| wear.left(endurance)),
    })
}

/// Counts since the start, and events that are open: without exercises, and without what the platform
/// does not hear of.
pub fn counts(view: &View) -> Value {
    let is_told = |event: &&EventView| event.counts() && !event.needs_review;
    json!({
        "frames": view.counts.frames,
        "readings": view.counts.readings,
        "refused": view.counts.refused,
        "records": view.counts.records,
        "open": view.events.iter().filter(is_told).count(),
    })
}

#[cfg(test)]
mod tests {
    use gatehouse_core::reading::Timestamp;

    use super::*;
    use crate::sample;

    #[test]
    fn how_long_the_flash_lasts_is_told_when_it_is_known() {
        let mut wear = Wear::default();
        wear.note(1_000, std::time::Duration::from_hours(240));
        let endurance = Some(Endurance(10_000));
        assert_eq!(
            flash(wear, endurance),
            json!({ "written_bytes": 1_000, "written_bytes_per_day": 100, "endurance_bytes": 10_000, "left_s": 7_776_000 })
        );
        let nothing = flash(Wear::default(), None);
        assert_eq!(nothing["left_s"], Value::Null);
    }

    #[test]
    fn no_exercise_and_nothing_on_trial_is_an_open_event_to_the_platform() {
        let event = |is_drill, is_pilot, needs_review| {
            let mut data = sample::message().data;
            data.drill = is_drill;
            EventView { started: Timestamp(0), data, is_pilot, needs_review }
        };
        let events = vec![
            event(false, false, false),
            event(true, false, false),
            event(false, true, false),
            event(false, false, true),
        ];

        assert_eq!(counts(&View { events, ..View::default() })["open"], 1);
    }
}
