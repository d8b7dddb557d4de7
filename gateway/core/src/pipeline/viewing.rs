//! A snapshot for the console.

use std::sync::Arc;
use std::time::Duration;

use super::Pipeline;
use super::telling::awaits_yes;
use crate::community::scene::{Scene, Status};
use crate::community::{Community, SourceKind};
use crate::detect::anomaly::budget::Budget;
use crate::event::message::State;
use crate::event::verdict::Raised;
use crate::event::{Key, Live};
use crate::reading::{DeviceIndex, Quality, SourceIndex, Timestamp};
use crate::statistics::window::Window;
use crate::view::{BudgetView, Counts, DeviceView, EventView, SourceView, View};

/// Events that are over, shown so that somebody may judge them.
const CLOSED: usize = 20;

const WEEK: Duration = Duration::from_hours(7 * 24);

/// Events that a scene's models raised in the last week.
fn used(scene: &Scene, raised: &[&Raised], now: Timestamp) -> u32 {
    let is_model = |id: &String| scene.detectors.iter().any(|d| d.id == *id && d.model.is_some());
    let counts = |raised: &&&Raised| {
        raised.scene == scene.head.id
            && now.since(raised.opened) <= WEEK
            && raised.speakers.iter().any(|(_, detector)| is_model(detector))
    };
    u32::try_from(raised.iter().filter(counts).count()).unwrap_or(u32::MAX)
}

impl Pipeline {
    /// Everything that the console may see, at `now`.
    pub fn view(&self, now: Timestamp) -> View {
        let is_there = |live: &Live| live.data.state != State::Cleared;
        let events = self.event_views(self.book.open(), is_there);
        let returned = self.event_views(self.book.all(), Live::is_returned);
        let is_open = |id: &str| events.iter().chain(&returned).any(|event| event.data.event == id);
        let closed = self.ledger.newest().into_iter().filter(|raised| !is_open(&raised.event));
        let closed = closed.take(CLOSED).cloned().collect();
        View {
            at: now,
            time_quality: self.time_quality,
            events,
            returned,
            closed,
            scenes: self.records(now),
            devices: (0..self.devices.len())
                .map(|i| self.device_view(DeviceIndex(i), now))
                .collect(),
            sources: self
                .community
                .sources
                .iter()
                .zip(&self.sources)
                .enumerate()
                .map(|(at, (source, state))| SourceView {
                    id: source.id.clone(),
                    down: state.down.clone(),
                    has_been_up: state.has_been_up || !self.is_awaited(SourceIndex(at)),
                    dropped: state.dropped.clone(),
                })
                .collect(),
            budgets: self.budgets_view(now),
            counts: Counts {
                unstored: self.batches.saturating_sub(self.stored),
                ..self.counts.clone()
            },
        }
    }

    /// Whether a source is to be heard from: a replay says when it is over, and no more.
    fn is_awaited(&self, source: SourceIndex) -> bool {
        let is_replay = self.community.sources[source.0].kind == SourceKind::Replay;
        !is_replay && self.community.devices.iter().any(|device| device.source == source)
    }

    /// What a device said lately, or since shortly before its event began; in our time.
    pub fn around(&self, device: &str) -> Option<Window> {
        let index = self.community.find_device(device)?;
        let (device, state) = (self.community.device(index), self.devices.get(index.0)?);
        let points = device.device_type.points.iter().map(|point| point.name.as_str());
        let mut window = state.around.look(&device.id, points);
        for (at, _) in &mut window.rows {
            *at = state.here(*at);
        }
        Some(window)
    }

    fn event_views<'l>(
        &self,
        lives: impl Iterator<Item = (&'l Key, &'l Live)>,
        is_shown: impl Fn(&Live) -> bool,
    ) -> Vec<EventView> {
        let view = |(_, live): (&Key, &Live)| EventView {
            started: live.started,
            data: live.data.clone(),
            is_pilot: !live.is_heard_of && self.status(&live.data.scene) == Status::Pilot,
            needs_review: awaits_yes(&self.community, live),
        };
        let mut events: Vec<_> = lives.filter(|(_, live)| is_shown(live)).map(view).collect();
        events.sort_by_key(|event| (event.data.level, event.started));
        events
    }

    /// Whether a scene is on trial; what needs no file is live.
    pub(super) fn status(&self, scene: &str) -> Status {
        let mut scenes = self.community.scenes.iter();
        scenes.find(|s| s.head.id == scene).map_or(Status::Live, |s| s.head.status)
    }

    fn budgets_view(&self, now: Timestamp) -> Vec<BudgetView> {
        let raised = self.ledger.newest();
        let scenes = self.community.scenes.iter().zip(&self.budgets);
        let view = |(scene, budget): (&Arc<Scene>, &Option<Budget>)| {
            let budget = budget.as_ref()?;
            Some(BudgetView {
                scene: scene.head.id.clone(),
                rate: budget.rate(),
                correction: budget.correction(),
                used: used(scene, &raised, now),
                held_back: budget.held_back(),
            })
        };
        scenes.filter_map(view).collect()
    }

    fn device_view(&self, index: DeviceIndex, now: Timestamp) -> DeviceView {
        let device = self.community.device(index);
        let state = &self.devices[index.0];
        let there = state.there(now);
        let points = (0..device.device_type.points.len())
            .map(|point| {
                let memory = state.gate.point(point);
                let limit = Community::stale_after(&device.device_type, point);
                let quality = match (memory.good, memory.quality) {
                    (Some((at, _)), Some(Quality::Good)) if there.since(at) > limit => {
                        Quality::Stale
                    }
                    (_, Some(quality)) => quality,
                    (_, None) => Quality::Missing,
                };
                (memory.good.map(|(_, value)| value), quality)
            })
            .collect();
        DeviceView {
            id: device.id.clone(),
            index: index.0,
            last_frame: self.silence.last_heard(index),
            silent: self.silence.is_silent(index),
            frames: state.frames,
            points,
            learning: state.learning(),
            refused: state.refused.clone(),
        }
    }
}
