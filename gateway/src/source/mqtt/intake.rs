//! From a broker's messages to the pipeline: a frame for each device, and what is told about the broker
//! itself.
//!
//! The pipeline's channel may be full. Frames wait for [`PATIENCE`]; what cannot wait is counted, and
//! the counts are told when there is room again.

use std::collections::BTreeMap;
use std::time::Duration;

use gatehouse_core::community::quantity::Text;
use gatehouse_core::pipeline::{Input, WriteOrder};
use gatehouse_core::reading::{Body, DeviceIndex, Frame, SourceIndex, Ticket};
use rumqttc::{Publish, QoS};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{SendTimeoutError, TrySendError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connection::End;
use super::routes::{Routes, matches};
use super::settle::Shared;

/// How long the socket may wait for room in the pipeline; well below what the broker's keep-alive
/// forgives.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Counts of dropped frames are told at most this often.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// The way into the pipeline, over all connections to one broker.
pub(super) struct Intake {
    source: SourceIndex,
    max_payload: usize,
    routes: Routes,
    /// Topics of cameras, which are heard on connections of their own.
    pictures: Vec<String>,
    ledger: Shared,
    /// `None` after "stop".
    inputs: Option<mpsc::Sender<Input>>,
    /// Frames let go and not told yet.
    dropped: BTreeMap<(&'static str, Option<DeviceIndex>), u64>,
    told: Option<Instant>,
    /// The last change of `is_up`, when there was no room to tell it.
    reports: Option<Input>,
    is_up: Option<bool>,
    /// There was no room for [`PATIENCE`], and has been none since.
    is_stalled: bool,
}

impl Intake {
    pub(super) fn new(
        source: SourceIndex,
        max_payload: usize,
        routes: Routes,
        ledger: Shared,
        inputs: mpsc::Sender<Input>,
    ) -> Self {
        Self {
            source,
            max_payload,
            routes,
            pictures: Vec::new(),
            ledger,
            inputs: Some(inputs),
            dropped: BTreeMap::new(),
            told: None,
            reports: None,
            is_up: None,
            is_stalled: false,
        }
    }

    /// Lets go of what comes on these topics, which no device listens to.
    pub(super) fn leave(&mut self, pictures: Vec<String>) {
        self.pictures = pictures;
    }

    /// What the session must not be subscribed to.
    pub(super) fn left(&self) -> &[String] {
        &self.pictures
    }

    /// What to subscribe to.
    pub(super) fn filters(&self) -> &[String] {
        self.routes.filters()
    }

    /// Lets go of the pipeline's channel.
    pub(super) fn close(&mut self) {
        self.inputs = None;
    }

    /// Hands a publish in as a frame for each of its devices.
    pub(super) async fn take(&mut self, publish: Publish) -> Result<(), End> {
        let Some(inputs) = &self.inputs else {
            // After "stop": the broker keeps it.
            return Ok(());
        };
        let needs_ack = publish.qos != QoS::AtMostOnce;
        if self.pictures.iter().any(|topic| matches(&publish.topic, topic)) {
            // Its camera hears the newest. This one the session has kept: nobody knows how old it is.
            if needs_ack {
                self.ledger.lock().enter(publish.pkid, 0);
            }
            self.count("retained", None);
            return Ok(());
        }
        let devices = self.routes.find(&publish.topic);
        let refusal = match devices.first() {
            None => Some("unknown-topic"),
            // Kept by the broker for newcomers: nobody knows how old it is.
            Some(_) if publish.retain => Some("retained"),
            Some(_) if publish.payload.len() > self.max_payload => Some("too-long"),
            Some(_) => None,
        };
        if let Some(reason) = refusal {
            let device = devices.first().copied();
            if needs_ack {
                self.ledger.lock().enter(publish.pkid, 0);
            }
            self.count(reason, device);
            return Ok(());
        }
        let id = needs_ack.then(|| self.ledger.lock().enter(publish.pkid, devices.len()));
        let ticket = id.map(|id| Ticket { source: self.source, id });
        let mut payload = Vec::from(publish.payload);
        for (at, device) in devices.iter().enumerate() {
            let is_last = at + 1 == devices.len();
            let body = if is_last { std::mem::take(&mut payload) } else { payload.clone() };
            let frame = Frame { device: *device, ticket, body: Body::Payload(body) };
            match inputs.try_send(Input::Frame(frame)) {
                Ok(()) => self.is_stalled = false,
                Err(TrySendError::Closed(_)) => return Err(End::Stopped),
                Err(TrySendError::Full(_)) if self.is_stalled && needs_ack => {
                    return Err(End::Stalled);
                }
                Err(TrySendError::Full(_)) if self.is_stalled => {
                    *self.dropped.entry(("overload", Some(*device))).or_default() += 1;
                }
                Err(TrySendError::Full(input)) => {
                    match inputs.send_timeout(input, PATIENCE).await {
                        Ok(()) => {}
                        Err(SendTimeoutError::Closed(_)) => return Err(End::Stopped),
                        Err(SendTimeoutError::Timeout(_)) => {
                            self.is_stalled = true;
                            if needs_ack {
                                return Err(End::Stalled);
                            }
                            *self.dropped.entry(("overload", Some(*device))).or_default() += 1;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn count(&mut self, reason: &'static str, device: Option<DeviceIndex>) {
        *self.dropped.entry((reason, device)).or_default() += 1;
    }

    pub(super) fn is_up(&self) -> bool {
        self.is_up == Some(true)
    }

    /// Notes that the broker is there; whether that is news.
    pub(super) fn up(&mut self) -> bool {
        if self.is_up() {
            return false;
        }
        self.is_up = Some(true);
        self.reports = Some(Input::Source { source: self.source, down: None });
        self.tell();
        true
    }

    /// Notes that the broker is away; whether that is news.
    pub(super) fn down(&mut self, why: String) -> bool {
        let is_news = self.is_up != Some(false);
        if is_news {
            self.is_up = Some(false);
            self.reports =
                Some(Input::Source { source: self.source, down: Some(Text::alike(why)) });
        }
        self.tell();
        is_news
    }

    /// Tells what changed and what was dropped, as far as there is room.
    pub(super) fn tell(&mut self) {
        let Some(inputs) = &self.inputs else { return };
        if let Some(report) = self.reports.take()
            && let Err(TrySendError::Full(report)) = inputs.try_send(report)
        {
            self.reports = Some(report);
        }
        let is_due = self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        if self.dropped.is_empty() || !is_due {
            return;
        }
        self.told = Some(Instant::now());
        let source = self.source;
        self.dropped.retain(|(reason, device), count| {
            let told = Input::Dropped { source, device: *device, reason, count: *count };
            inputs.try_send(told).is_err()
        });
    }

    /// What became of a value that was to be written. Without room the pipeline gives up on it by itself.
    pub(super) fn written(&self, ticket: u64, result: Result<(), String>) {
        if let Some(inputs) = &self.inputs {
            let _full = inputs.try_send(Input::Written { ticket, result });
        }
    }

    /// Nothing may be written later than it was wanted.
    pub(super) fn refuse(&self, orders: &mut mpsc::Receiver<WriteOrder>) {
        while let Ok(order) = orders.try_recv() {
            self.written(order.ticket, Err("its broker is not connected".to_owned()));
        }
    }

    pub(super) async fn tell_while_waiting(
        &mut self,
        pause: Duration,
        orders: &mut mpsc::Receiver<WriteOrder>,
    ) {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            self.refuse(orders);
            let rest = until.duration_since(Instant::now());
            tokio::time::sleep(rest.min(TELL_EVERY)).await;
            self.tell();
        }
    }

    /// Returns once half of the pipeline's channel is free, or false when it is time to go.
    pub(super) async fn wait_for_room(&mut self, stop: &CancellationToken) -> bool {
        let Some(inputs) = &self.inputs else { return false };
        let half = inputs.max_capacity().div_ceil(2);
        let room = stop.run_until_cancelled(inputs.reserve_many(half)).await;
        self.is_stalled = false;
        matches!(room, Some(Ok(_)))
    }
}
