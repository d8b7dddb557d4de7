//! `/metrics`: what can be counted, in the `OpenMetrics` text that Prometheus reads.
//!
//! Nothing is counted here; each scrape tells the newest snapshot. Labels come from the configuration
//! and from fixed lists of words, never from what a device sends, so their number is bounded; a
//! device's refusals stand there only once it has some.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use gatehouse_core::alert::standing::Standing;
use gatehouse_core::community::scene::Status;
use gatehouse_core::event::verdict::Verdict;
use gatehouse_core::reading::TimeQuality;
use gatehouse_core::view::SceneView;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::page::is_heard;
use super::{Console, Snapshot};
use crate::resident::resident_bytes;
use crate::wear;

/// `GET /metrics`.
pub(super) async fn scrape(State(console): State<Arc<Console>>) -> Response {
    let figures = Figures {
        snapshot: console.snapshot(),
        uptime: console.started.elapsed(),
        resident: resident_bytes(),
        written: wear::own(),
        alerts: console.sources.alerts.as_ref().map(|alerts| alerts.counts.all()),
        channels: console.sources.alerts.as_ref().map(|alerts| alerts.standings.borrow().clone()),
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(figures));
    let mut body = String::new();
    if text::encode(&mut body, &registry).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

struct Figures {
    snapshot: Snapshot,
    uptime: Duration,
    resident: Option<u64>,
    written: Option<u64>,
    alerts: Option<Vec<(String, &'static str, u64)>>,
    channels: Option<BTreeMap<String, Standing>>,
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut sheet = Sheet(encoder);
        self.intake(&mut sheet)?;
        self.events(&mut sheet)?;
        self.state(&mut sheet)
    }
}

impl Figures {
    fn intake(&self, sheet: &mut Sheet) -> fmt::Result {
        let view = &self.snapshot.view;
        let counts = &view.counts;
        sheet.count("frames", "Frames that reached the pipeline.", counts.frames)?;
        sheet.count("readings", "Values taken from them.", counts.readings)?;
        sheet.counts(
            "refused",
            "Frames and readings turned away, by reason.",
            counts.refused.iter().map(|(reason, n)| (vec![("reason", *reason)], *n)),
        )?;
        let by_device = view.devices.iter().flat_map(|device| {
            let some = device.refused.iter().filter(|(_, n)| **n > 0);
            some.map(|(reason, n)| (vec![("device", &*device.id), ("reason", *reason)], *n))
        });
        sheet.counts("device_refused", "The same by device, where there were any.", by_device)?;
        let dropped = view.sources.iter().flat_map(|source| {
            let some = source.dropped.iter();
            some.map(|(reason, n)| (vec![("source", &*source.id), ("reason", *reason)], *n))
        });
        sheet.counts("dropped", "Frames that a source had to let go, by reason.", dropped)?;
        let cameras = &self.snapshot.cameras;
        let looks = cameras.iter().map(|c| (vec![("camera", &*c.camera)], c.looks));
        sheet.counts("camera_looks", "Pictures that were looked at.", looks)?;
        let shed = cameras.iter().map(|c| (vec![("camera", &*c.camera)], c.shed));
        sheet.counts("camera_shed", "Pictures let go for newer ones.", shed)?;
        let load = cameras.iter().map(|c| (vec![("camera", &*c.camera)], c.load));
        sheet.fractions("camera_load_ratio", "Part of one core that a camera takes.", load)
    }

    fn events(&self, sheet: &mut Sheet) -> fmt::Result {
        let view = &self.snapshot.view;
        let counts = &view.counts;
        sheet.counts(
            "records",
            "Changes of events recorded, by transition; those of exercises are `drill`.",
            counts.records.iter().map(|(word, n)| (vec![("transition", *word)], *n)),
        )?;
        let mut open = BTreeMap::from([("1", 0), ("2", 0), ("3", 0), ("4", 0)]);
        for event in view.events.iter().filter(|event| event.counts()) {
            let level = ["1", "2", "3", "4"][usize::from(event.data.level.clamp(1, 4)) - 1];
            *open.entry(level).or_default() += 1;
        }
        let open = open.into_iter().map(|(level, n)| (vec![("level", level)], n));
        sheet.gauges("events_open", "Open events, by level; 1 is the most urgent.", open)?;
        let verdicts = |is_pilot: bool| {
            let of = move |scene: &&SceneView| (scene.status == Status::Pilot) == is_pilot;
            view.scenes.iter().filter(of).flat_map(verdicts)
        };
        let help = "Events of the last 90 days, by scene and what people said of them.";
        sheet.gauges("scene_verdicts", help, verdicts(false))?;
        let help = "What scenes on trial would have raised, by scene and what people said of it.";
        sheet.gauges("pilot_verdicts", help, verdicts(true))?;
        sheet.gauge("records_unstored", "Records made and not yet on disk.", counts.unstored)?;
        let store = &self.snapshot.store;
        sheet.gauge("outbox_waiting", "Records that wait for the platform.", store.waiting)?;
        sheet.gauge("stored_sequence", "The last sequence on disk.", store.sequence)?;
        sheet.count("model_asked", "Windows that models were asked about.", counts.asked)?;
        sheet.count("model_answered", "Windows that they answered.", counts.answered)?;
        sheet.count("model_unanswered", "Windows given up on.", counts.unanswered)?;
        let budgets = &view.budgets;
        sheet.counts(
            "budget_held_back",
            "What would have raised an event if its scene had no budget of false alarms.",
            budgets.iter().map(|b| (vec![("scene", &*b.scene)], b.held_back)),
        )?;
        sheet.fractions(
            "budget_events_per_second",
            "Events that a scene may raise.",
            budgets.iter().map(|b| (vec![("scene", &*b.scene)], b.rate)),
        )?;
        sheet.fractions(
            "budget_correction",
            "Powers of ten that a scene's thresholds are raised; 1 for each event, less by time.",
            budgets.iter().map(|b| (vec![("scene", &*b.scene)], b.correction)),
        )
    }

    fn state(&self, sheet: &mut Sheet) -> fmt::Result {
        let view = &self.snapshot.view;
        let silent = view.devices.iter().filter(|d| d.silent).count() as u64;
        let heard = view.devices.iter().filter(|d| is_heard(d)).count() as u64;
        let awaited = view.devices.len() as u64 - heard - silent;
        let devices = [("heard", heard), ("silent", silent), ("awaited", awaited)];
        let devices = devices.map(|(state, n)| (vec![("state", state)], n));
        sheet.gauges(
            "devices",
            "Configured devices: heard, fallen silent, or awaited since the start.",
            devices,
        )?;
        let sources = view.sources.iter();
        let sources = sources.map(|s| (vec![("source", &*s.id)], u64::from(s.down.is_none())));
        sheet.gauges("source_up", "1 while the broker or line is up.", sources)?;
        let configuration = &self.snapshot.configuration;
        let loaded = configuration.loaded;
        sheet.count("configuration_loaded", "Configurations taken while running.", loaded)?;
        let refused = configuration.refused;
        sheet.count("configuration_refused", "Bad ones; the old one goes on.", refused)?;
        let engine = configuration.engine.map(|engine| (vec![("engine", engine)], 1));
        sheet.gauges("inference_info", "Which engine answers for the models.", engine)?;
        if let Some(alerts) = &self.alerts {
            let help = "Messages to people, by channel and what came of them.";
            let rows = alerts.iter();
            let rows = rows.map(|(to, came, n)| (vec![("channel", &**to), ("outcome", *came)], *n));
            sheet.counts("alerts", help, rows)?;
        }
        if let Some(channels) = &self.channels {
            let up = channels.iter().map(|(id, standing)| {
                (vec![("channel", &**id)], u64::from(standing.trouble().is_none()))
            });
            sheet.gauges("alert_channel_up", "0 while a channel to people is down.", up)?;
        }
        let fine = u64::from(self.snapshot.store.fault.is_none());
        sheet.gauge("store_up", "1 while the store can write.", fine)?;
        let synced = u64::from(view.time_quality == TimeQuality::Synced);
        sheet.gauge("clock_synced", "1 while a time server disciplines the clock.", synced)?;
        if let Some(bytes) = self.written {
            let help = "Bytes that this process has had written to storage since its start.";
            sheet.count("storage_written_bytes", help, bytes)?;
        }
        let wear = self.snapshot.store.wear;
        let help = "Bytes written to the flash below the store, whoever wrote them, over restarts.";
        sheet.count("flash_written_bytes", help, wear.total)?;
        if let Some(bytes) = wear.a_day() {
            let help = "The same a day, over the last month or so.";
            sheet.gauge("flash_written_bytes_per_day", help, bytes)?;
        }
        if let Some(resident) = self.resident {
            sheet.gauge("resident_memory_bytes", "Memory that the process holds.", resident)?;
        }
        sheet.gauge("uptime_seconds", "Time since the console started.", self.uptime.as_secs())?;
        let version = [(vec![("version", env!("CARGO_PKG_VERSION"))], 1)];
        sheet.gauges("build_info", "Which program this is.", version)
    }
}

/// What people said of a scene's events.
fn verdicts(scene: &SceneView) -> impl Iterator<Item = Row<'_>> {
    let tally = &scene.tally;
    let said = [
        ("none", tally.unjudged()),
        (Verdict::FalseAlarm.word(), tally.false_alarms),
        (Verdict::Real.word(), tally.real),
        (Verdict::PlannedWork.word(), tally.planned),
    ];
    let row = |(verdict, n): (&'static str, u32)| {
        (vec![("scene", &*scene.id), ("verdict", verdict)], n.into())
    };
    said.into_iter().map(row)
}

/// Labels and the number that stands behind them.
type Row<'a> = (Vec<(&'static str, &'a str)>, u64);

/// Writes families under our prefix.
struct Sheet<'e>(DescriptorEncoder<'e>);

impl Sheet<'_> {
    fn count(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let name = format!("gatehouse_{name}");
        write(true, value, self.0.encode_descriptor(&name, help, None, MetricType::Counter)?)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let name = format!("gatehouse_{name}");
        write(false, value, self.0.encode_descriptor(&name, help, None, MetricType::Gauge)?)
    }

    fn counts<'a>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = Row<'a>>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Counter, rows)
    }

    fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = Row<'a>>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, rows)
    }

    fn fractions<'a>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Vec<(&'static str, &'a str)>, f64)>,
    ) -> fmt::Result {
        let name = format!("gatehouse_{name}");
        let mut family = self.0.encode_descriptor(&name, help, None, MetricType::Gauge)?;
        for (labels, value) in rows {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn family<'a>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        rows: impl IntoIterator<Item = Row<'a>>,
    ) -> fmt::Result {
        let is_counter = matches!(kind, MetricType::Counter);
        let name = format!("gatehouse_{name}");
        let mut family = self.0.encode_descriptor(&name, help, None, kind)?;
        for (labels, value) in rows {
            write(is_counter, value, family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn write(is_counter: bool, value: u64, encoder: MetricEncoder) -> fmt::Result {
    if is_counter {
        ConstCounter::new(value).encode(encoder)
    } else {
        ConstGauge::new(value).encode(encoder)
    }
}
