//! The sources of a configuration: made ready, started, ended.
//!
//! Making them ready reads all files that they need. So whatever can be wrong is known before those that
//! run are asked to stop, and a configuration that cannot work changes nothing.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::Context;
use gatehouse_core::community::device_type::DeviceType;
use gatehouse_core::community::localbus::Place;
use gatehouse_core::community::{Address, Community, SourceKind};
use gatehouse_core::pipeline::{Input, WriteOrder};
use gatehouse_core::reading::{DeviceIndex, SourceIndex};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::log_panic;
use crate::clock::Clock;
use crate::config::GatewayConfig;
use crate::config::camera::CameraConfig;
use crate::pace::Pace;
use crate::sight::{Kept, Looking, Sight, Tallies};
use crate::source::camera::{Camera, MOST_PUBLISHED, Surroundings};
use crate::source::mqtt::{Listener, Session, Settler, Tap};
use crate::source::{Published, Wires, localbus, modbus, mqtt};

/// Values that may wait for a line or a broker; one more is refused.
const WRITES: usize = 8;

/// What all sources share, over all configurations.
pub(super) struct Ground {
    pub(super) clock: Clock,
    pub(super) pace: Pace,
    /// Heard by all of them.
    pub(super) stop: CancellationToken,
    /// By the brokers' ids.
    sessions: BTreeMap<String, Session>,
    /// Tells who wants to look at the wires.
    pub(super) wires: watch::Sender<Arc<Wires>>,
    /// What the next one who looks needs, while nobody does.
    pub(super) kept: Kept,
    pub(super) tallies: Tallies,
}

/// Sources that only wait to be started.
pub(super) struct Ready {
    listeners: Vec<Listener>,
    /// And buses of the box.
    lines: Vec<Pin<Box<dyn Future<Output = ()>>>>,
    cameras: Vec<Camera>,
    sight: Option<Sight>,
    inputs: mpsc::WeakSender<Input>,
    stop: CancellationToken,
    settlers: Vec<Option<Settler>>,
    wires: Wires,
    writers: Vec<Option<mpsc::Sender<WriteOrder>>>,
}

/// Sources that run.
pub(super) struct Started {
    tasks: Vec<JoinHandle<()>>,
    /// Those of lines and buses, which nobody catches when they break down.
    lines: Vec<AbortHandle>,
    /// Takes what the cameras show.
    looking: Option<Looking>,
    stop: CancellationToken,
}

impl Ground {
    pub(super) fn new(clock: Clock, pace: Pace, stop: CancellationToken) -> Self {
        let wires = watch::Sender::default();
        let (kept, tallies) = (Kept::default(), Tallies::default());
        Self { clock, pace, stop, sessions: BTreeMap::new(), wires, kept, tallies }
    }

    /// Makes the sources of a configuration ready; `sight` is what looks at its cameras' pictures. They
    /// must not run before others with the same brokers have ended.
    pub(super) fn prepare(
        &mut self,
        config: &GatewayConfig,
        community: &Community,
        sight: Option<Sight>,
        inputs: &mpsc::Sender<Input>,
    ) -> anyhow::Result<Ready> {
        let stop = self.stop.child_token();
        let (mut listeners, mut lines, mut settlers) = (Vec::new(), Vec::new(), Vec::new());
        let mut asking = BTreeMap::new();
        let mut writers = Vec::new();
        let cameras = self.cameras(config, community, sight.as_ref(), inputs, &stop)?;
        for (index, source) in community.sources.iter().enumerate() {
            let index = SourceIndex(index);
            let (writer, orders) = mpsc::channel(WRITES);
            let is_written = match source.kind {
                SourceKind::Broker | SourceKind::Line => true,
                SourceKind::Camera | SourceKind::Bus(_) | SourceKind::Replay => false,
            };
            writers.push(is_written.then_some(writer));
            let settler = match source.kind {
                SourceKind::Broker => {
                    let broker = config.brokers.iter().find(|b| b.id == source.id);
                    let broker = broker.context("a broker without configuration")?;
                    let session = self.sessions.entry(source.id.clone()).or_default();
                    let topics = topics(community, index);
                    let (inputs, stop) = (inputs.clone(), stop.clone());
                    let identity = &config.gateway;
                    let listener =
                        mqtt::prepare(broker, identity, index, topics, session, inputs, stop)
                            .with_context(|| format!("broker `{}`", source.id))?;
                    let listener = listener.writing(orders).without(published(config, &source.id));
                    listeners.push(listener);
                    Some(session.settler())
                }
                SourceKind::Line => {
                    let line = config.lines.iter().find(|l| l.id == source.id);
                    let line = line.context("a line without configuration")?.clone();
                    let units = units(community, index);
                    let (inputs, stop) = (inputs.clone(), stop.clone());
                    let (clock, pace) = (self.clock.clone(), self.pace.clone());
                    let (ours, probes) = modbus::probes();
                    asking.insert(line.id.clone(), ours);
                    lines.push(Box::pin(modbus::run(
                        line, index, units, orders, inputs, probes, clock, pace, stop,
                    )) as Pin<Box<dyn Future<Output = ()>>>);
                    None
                }
                SourceKind::Bus(_) => {
                    // A play has devices on it and no bus.
                    if let Some(bus) = config.buses.iter().find(|b| b.id == source.id) {
                        let (bus, chips) = (bus.clone(), chips(community, index));
                        let (inputs, stop) = (inputs.clone(), stop.clone());
                        let clock = self.clock.clone();
                        // Without a chip it ends at once.
                        if !chips.is_empty() {
                            let run = localbus::run(bus, index, chips, inputs, clock, stop);
                            lines.push(Box::pin(run) as Pin<Box<dyn Future<Output = ()>>>);
                        }
                    }
                    None
                }
                // Wants nothing back.
                SourceKind::Camera | SourceKind::Replay => None,
            };
            settlers.push(settler);
        }
        let identity = Some(config.gateway.clone());
        let wires = Wires { lines: asking, brokers: config.brokers.clone(), identity };
        let inputs = inputs.downgrade();
        Ok(Ready { listeners, lines, cameras, sight, inputs, stop, settlers, wires, writers })
    }

    fn cameras(
        &self,
        config: &GatewayConfig,
        community: &Community,
        sight: Option<&Sight>,
        inputs: &mpsc::Sender<Input>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Vec<Camera>> {
        let mut cameras = Vec::new();
        let Some(sight) = sight else { return Ok(cameras) };
        for camera in community.cameras() {
            let Some(its) = config.camera(camera.id) else { continue };
            let there = where_published(config, its)?;
            let around = Surroundings {
                slots: Arc::clone(&sight.slots),
                feedback: sight.feedback.clone(),
                clock: self.clock.clone(),
                inputs: inputs.downgrade(),
                stop: stop.clone(),
            };
            cameras.push(Camera::prepare(its, there, camera.index, camera.source, around)?);
        }
        Ok(cameras)
    }
}

impl Ready {
    /// By position; `None` for sources that want nothing back.
    pub(super) fn settlers(&mut self) -> Vec<Option<Settler>> {
        std::mem::take(&mut self.settlers)
    }

    /// By position; `None` for sources that cannot be written to.
    pub(super) fn writers(&mut self) -> Vec<Option<mpsc::Sender<WriteOrder>>> {
        std::mem::take(&mut self.writers)
    }

    /// Must be called within a `LocalSet`: a Modbus connection never changes threads.
    pub(super) fn start(self, ground: &mut Ground) -> Started {
        ground.wires.send_replace(Arc::new(self.wires));
        // Of cameras that are no more nothing is told.
        ground.tallies.tell(Vec::new());
        let looking = self.sight.and_then(|sight| {
            let (kept, tallies) = (std::mem::take(&mut ground.kept), ground.tallies.clone());
            let looking = sight.start(self.inputs, ground.clock.clone(), kept, tallies);
            looking.inspect_err(|error| tracing::error!(%error, "nobody looks at pictures")).ok()
        });
        let mut tasks: Vec<_> = self.lines.into_iter().map(tokio::task::spawn_local).collect();
        let lines = tasks.iter().map(JoinHandle::abort_handle).collect();
        tasks.extend(self.listeners.into_iter().map(Listener::spawn));
        tasks.extend(self.cameras.into_iter().map(Camera::spawn));
        Started { tasks, lines, looking, stop: self.stop }
    }
}

impl Started {
    /// Whether a line has ended before it was told to.
    pub(super) fn broke_down(&self) -> bool {
        !self.stop.is_cancelled() && self.lines.iter().any(AbortHandle::is_finished)
    }

    /// Asks them to stop, and waits until all that they have read is handed in. Gives what whoever looks
    /// next needs; nothing when nobody looked.
    pub(super) async fn end(&mut self) -> Option<Kept> {
        self.stop.cancel();
        self.ended().await
    }

    /// Waits until they have heard a stop.
    pub(super) async fn ended(&mut self) -> Option<Kept> {
        for task in self.tasks.drain(..) {
            log_panic("source", task.await);
        }
        let looking = self.looking.take()?;
        tokio::task::spawn_blocking(move || looking.end()).await.ok()
    }
}

/// Where a camera publishes its pictures, if it does.
fn where_published(
    config: &GatewayConfig,
    camera: &CameraConfig,
) -> anyhow::Result<Option<Box<dyn Published>>> {
    let broker = camera.broker.as_ref();
    let broker = broker.and_then(|id| config.brokers.iter().find(|broker| broker.id == *id));
    let Some((broker, topic)) = broker.zip(camera.topic.as_ref()) else { return Ok(None) };
    let tap = Tap::new(broker, &config.gateway, topic, MOST_PUBLISHED);
    Ok(Some(Box::new(tap.with_context(|| format!("camera `{}`", camera.id))?)))
}

/// Topics of the pictures that cameras publish at a broker, whether somebody looks at them or not.
fn published(config: &GatewayConfig, broker: &str) -> Vec<String> {
    let cameras = config.cameras.iter();
    let there = cameras.filter(|camera| camera.broker.as_deref() == Some(broker));
    there.filter_map(|camera| camera.topic.clone()).collect()
}

fn topics(community: &Community, source: SourceIndex) -> Vec<(DeviceIndex, String)> {
    community
        .devices
        .iter()
        .enumerate()
        .filter(|(_, device)| device.source == source)
        .filter_map(|(index, device)| match &device.address {
            Address::Topic(topic) => Some((DeviceIndex(index), topic.clone())),
            Address::Unit(_) | Address::Camera(_) | Address::Chip(_) | Address::Replay => None,
        })
        .collect()
}

fn units(community: &Community, source: SourceIndex) -> Vec<(DeviceIndex, u8, Arc<DeviceType>)> {
    community
        .devices
        .iter()
        .enumerate()
        .filter(|(_, device)| device.source == source)
        .filter_map(|(index, device)| match &device.address {
            Address::Unit(unit) => {
                Some((DeviceIndex(index), *unit, Arc::clone(&device.device_type)))
            }
            Address::Topic(_) | Address::Camera(_) | Address::Chip(_) | Address::Replay => None,
        })
        .collect()
}

fn chips(community: &Community, source: SourceIndex) -> Vec<(DeviceIndex, Place, Arc<DeviceType>)> {
    community
        .devices
        .iter()
        .enumerate()
        .filter(|(_, device)| device.source == source)
        .filter_map(|(index, device)| match &device.address {
            Address::Chip(place) => {
                Some((DeviceIndex(index), place.clone(), Arc::clone(&device.device_type)))
            }
            Address::Topic(_) | Address::Unit(_) | Address::Camera(_) | Address::Replay => None,
        })
        .collect()
}
