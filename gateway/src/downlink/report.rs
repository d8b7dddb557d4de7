//! What the gateway says of itself to `gateway.report`: how it stands, and no reading and no person.

use std::sync::Arc;

use gatehouse_core::community::Community;
use gatehouse_core::view::View;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::hands::Report;
use crate::clock::Clock;
use crate::console::Configuration;
use crate::store::Store;

/// Devices that are named at most; the others are counted.
const NAMED: usize = 200;

/// Where a report looks.
pub struct Sight {
    pub view: watch::Receiver<Arc<View>>,
    pub community: watch::Receiver<Arc<Community>>,
    pub configuration: watch::Receiver<Configuration>,
    pub store: Store,
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
        let down = view.sources.iter().filter_map(|s| Some(json!([s.id, s.down.as_ref()?])));
        let scenes = community.scenes.iter().map(|scene| {
            let id = &scene.head.id;
            let tally = view.scenes.iter().find(|seen| seen.id == *id).map(|seen| &seen.tally);
            json!({
                "id": id,
                "status": scene.head.status,
                // In the last 90 days, by what people said.
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
            "counts": {
                "frames": view.counts.frames,
                "readings": view.counts.readings,
                "refused": view.counts.refused,
                "records": view.counts.records,
                "open": view.events.len(),
            },
            "devices": view.devices.len(),
            "silent": { "count": silent.len(), "devices": silent.iter().take(NAMED).collect::<Vec<_>>() },
            "sources_down": down.collect::<Vec<_>>(),
            "scenes": scenes.collect::<Vec<_>>(),
            "models": models.collect::<Vec<_>>(),
            "engine": configuration.engine,
            "bundle": configuration.bundle,
        })
    }
}
