//! Frames from the devices of one MQTT broker.
//!
//! The session is persistent and acknowledgement is ours ([`Settler`]): a publish leaves the broker
//! only when nothing that it led to can be lost here. Until then the broker is the buffer.
//!
//! The connection's task awaits its event loop and, for a moment, room in the pipeline's channel:
//! not reading from the socket is the gentlest way to slow a broker down. When there is no room for
//! [`PATIENCE`], a publish of QoS 0 is dropped and counted; for one of QoS 1 the connection is
//! closed, and made again when there is room, so that the broker sends everything unacknowledged
//! anew. A connection is never mended, only replaced.

mod routes;
mod settle;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::FutureExt;
use gatehouse_core::pipeline::Input;
use gatehouse_core::reading::{Body, DeviceIndex, Frame, SourceIndex, Ticket};
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, NetworkOptions, Outgoing, Packet,
    PubAck, Publish, QoS, StateError, SubscribeFilter, SubscribeReasonCode, TlsConfiguration,
    Transport,
};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{SendTimeoutError, TrySendError};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::{BrokerConfig, Identity};
use crate::retry::Retry;
use crate::tls::{AccessError, Credentials, explain};
use routes::Routes;
pub use settle::Settler;
use settle::Shared;

const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Nothing heard or sent for so long: the connection is dead, whatever the kernel says.
const DEAD: Duration = Duration::from_secs(40);
const CONNECT: u64 = 10;
/// How long the socket may wait for room in the pipeline; well below what the broker's keep-alive
/// forgives.
const PATIENCE: Duration = Duration::from_secs(2);
/// A broker that does not answer a subscription by then is asked on a new connection.
const SUBSCRIBED: Duration = Duration::from_secs(10);
/// After "stop": how long the last acknowledgements may take.
const GRACE: Duration = Duration::from_secs(2);
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// Larger packets end the connection; anything below is read and, when too long, refused.
const MAX_PACKET: usize = 16 << 20;
const FILTERS_PER_PACKET: usize = 64;
/// How long an acknowledgement waits for others to go out with it.
const GATHER: Duration = Duration::from_millis(50);
/// Counts of dropped frames are told at most this often.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// Starts to listen to a broker; the frames' devices are found by topic.
///
/// The task ends after `stop`, when what it handed in is settled or a short grace is over. It lets
/// go of `inputs` at once on `stop`.
pub fn start(
    config: &BrokerConfig,
    identity: &Identity,
    source: SourceIndex,
    routes: Vec<(DeviceIndex, String)>,
    inputs: mpsc::Sender<Input>,
    stop: CancellationToken,
) -> Result<(JoinHandle<()>, Settler), AccessError> {
    let credentials = Credentials::read(&config.url, &config.access)?;
    let client_id =
        config.client_id.clone().unwrap_or_else(|| format!("gatehouse-{}", identity.id));
    let ledger = Shared::default();
    let settler = Settler::new(&ledger);
    let listener = Listener {
        broker: config.id.clone(),
        source,
        credentials,
        client_id,
        max_payload: config.max_payload_bytes,
        routes: Routes::new(routes),
        inputs: Some(inputs),
        stop,
        ledger,
        dropped: BTreeMap::new(),
        told: None,
        reports: None,
        is_up: None,
        is_stalled: false,
        too_large: None,
    };
    Ok((tokio::spawn(listener.run()), settler))
}

struct Listener {
    /// For the log. A span of its own would cost every message some microseconds.
    broker: String,
    source: SourceIndex,
    credentials: Credentials,
    client_id: String,
    max_payload: usize,
    routes: Routes,
    /// `None` after "stop".
    inputs: Option<mpsc::Sender<Input>>,
    stop: CancellationToken,
    ledger: Shared,
    /// Frames let go and not told yet.
    dropped: BTreeMap<(&'static str, Option<DeviceIndex>), u64>,
    told: Option<Instant>,
    /// The last change of `is_up`, when there was no room to tell it.
    reports: Option<Input>,
    is_up: Option<bool>,
    /// There was no room for [`PATIENCE`], and has been none since.
    is_stalled: bool,
    /// When a packet was larger than [`MAX_PACKET`], last time.
    too_large: Option<Instant>,
}

/// Why a connection ended.
enum End {
    /// We were told to stop, or the pipeline is gone.
    Stopped,
    /// The pipeline has no room.
    Stalled,
    Lost(String),
    /// The broker sent a packet that nobody can hold.
    TooLarge(usize),
}

impl Listener {
    async fn run(mut self) {
        let mut retry = Retry::new(RETRY.0, RETRY.1);
        let mut forget_session = false;
        while !self.stop.is_cancelled() {
            let connection = AssertUnwindSafe(self.connection(forget_session, &mut retry));
            let end = connection.catch_unwind().await;
            self.ledger.lock().lost();
            forget_session = false;
            let why = match end {
                Ok(End::Stopped) => break,
                Ok(End::Stalled) => {
                    let broker = &self.broker;
                    tracing::warn!(
                        broker,
                        "the pipeline has no room; the broker keeps what follows"
                    );
                    if self.wait_for_room().await {
                        continue;
                    }
                    break;
                }
                Ok(End::TooLarge(bytes)) => {
                    forget_session = self.is_again_too_large();
                    self.count("too-long", None);
                    format!("the broker sent a packet of {bytes} bytes")
                }
                Ok(End::Lost(why)) => why,
                Err(_panic) => "the client broke down on what the broker sent".to_owned(),
            };
            let pause = retry.pause();
            let why = if retry.is_quarrel() {
                format!("{why}; is another client using the id `{}`?", self.client_id)
            } else {
                why
            };
            self.down(why, pause);
            let stop = self.stop.clone();
            let _stopped = stop.run_until_cancelled(self.tell_while_waiting(pause)).await;
        }
        if self.is_up == Some(true) {
            tracing::info!(broker = self.broker, "stopped");
        }
    }

    /// One connection from its first packet to its last.
    async fn connection(&mut self, forget_session: bool, retry: &mut Retry) -> End {
        let (client, mut eventloop) = self.client(forget_session);
        let first = tokio::select! {
            first = eventloop.poll() => first,
            () = self.stop.cancelled() => return End::Stopped,
        };
        match first {
            Ok(Event::Incoming(Packet::ConnAck(_))) if forget_session => {
                let broker = &self.broker;
                tracing::warn!(broker, "gave up the session with what the broker held in it");
                let _sent = client.try_disconnect();
                let _closed = timeout(GRACE, eventloop.poll()).await;
                return End::Lost("the session was begun anew".to_owned());
            }
            Ok(Event::Incoming(Packet::ConnAck(_))) => {}
            Ok(other) => return End::Lost(format!("expected a connection, got {other:?}")),
            Err(error) => return End::Lost(explain(&error.to_string())),
        }
        self.ledger.lock().connected(client.clone());
        // Even when the session is still there: the configuration may have changed since.
        if !self.subscribe(&client) {
            return End::Lost("the subscriptions do not fit the client's channel".to_owned());
        }
        retry.connected();
        let mut link = Link {
            unconfirmed: self.routes.filters().len().div_ceil(FILTERS_PER_PACKET),
            since: Instant::now(),
            heard: Instant::now(),
            acknowledged: Instant::now(),
            stopping: None,
            timer: Box::pin(tokio::time::sleep(SUBSCRIBED)),
        };
        loop {
            if let Err(end) = self.step(&mut eventloop, &mut link).await {
                if link.stopping.is_some() {
                    let _sent = client.try_disconnect();
                    let _closed = timeout(GRACE, async {
                        while !matches!(
                            eventloop.poll().await,
                            Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)
                        ) {}
                    })
                    .await;
                }
                return end;
            }
        }
    }

    fn client(&self, clean_session: bool) -> (AsyncClient, EventLoop) {
        let endpoint = &self.credentials.endpoint;
        let mut options = MqttOptions::new(&self.client_id, &endpoint.host, endpoint.port);
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_session(clean_session)
            .set_manual_acks(true)
            .set_max_packet_size(MAX_PACKET, MAX_PACKET);
        if let Some((user, password)) = &self.credentials.login {
            options.set_credentials(user, password);
        }
        if let Some(tls) = &self.credentials.tls {
            let tls = TlsConfiguration::Rustls(tls.clone());
            options.set_transport(Transport::tls_with_config(tls));
        }
        let capacity = 8 + self.routes.filters().len().div_ceil(FILTERS_PER_PACKET);
        let (client, mut eventloop) = AsyncClient::new(options, capacity);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(CONNECT);
        eventloop.set_network_options(network);
        (client, eventloop)
    }

    fn subscribe(&self, client: &AsyncClient) -> bool {
        self.routes.filters().chunks(FILTERS_PER_PACKET).all(|filters| {
            let wanted = filters.iter();
            let wanted = wanted.map(|f| SubscribeFilter::new(f.clone(), QoS::AtLeastOnce));
            client.try_subscribe_many(wanted).is_ok()
        })
    }

    /// Takes what the event loop has next.
    async fn step(&mut self, eventloop: &mut EventLoop, link: &mut Link) -> Result<(), End> {
        let Some(event) = self.next(eventloop, link).await? else {
            self.begin_to_stop(link);
            return Ok(());
        };
        match event {
            Event::Incoming(Packet::Publish(publish)) => self.take(publish, link).await?,
            Event::Incoming(Packet::SubAck(ack)) => {
                let refused = ack.return_codes.contains(&SubscribeReasonCode::Failure);
                if refused {
                    let broker = &self.broker;
                    tracing::error!(broker, "refuses a subscription; check its access list");
                }
                link.unconfirmed = link.unconfirmed.saturating_sub(1);
                if link.unconfirmed == 0 {
                    self.up();
                }
            }
            Event::Outgoing(Outgoing::PubAck(_)) => self.ledger.lock().woken(),
            Event::Incoming(_) | Event::Outgoing(_) => {}
        }
        if eventloop.state.events.is_empty() {
            self.acknowledge(eventloop, link).await?;
            self.tell();
            if link.stopping.is_none() && self.stop.is_cancelled() {
                self.begin_to_stop(link);
            }
        }
        if link.stopping.is_some() && self.ledger.lock().is_clear() {
            return Err(End::Stopped);
        }
        Ok(())
    }

    /// What the event loop has next; `None` when it is time to begin to stop.
    async fn next(
        &mut self,
        eventloop: &mut EventLoop,
        link: &mut Link,
    ) -> Result<Option<Event>, End> {
        if !eventloop.state.events.is_empty() {
            return eventloop.poll().await.map(Some).map_err(|error| lost(&error));
        }
        link.heard = Instant::now();
        // One future for the whole wait: dropped in the middle, it might forget what it writes.
        let mut poll = pin!(eventloop.poll());
        loop {
            if self.ledger.lock().is_owing() {
                link.timer_until(link.heard + GATHER);
            }
            tokio::select! {
                biased;
                event = &mut poll => return event.map(Some).map_err(|error| lost(&error)),
                // What the poll has read so far stays in its buffers.
                () = self.stop.cancelled(), if link.stopping.is_none() => return Ok(None),
                () = &mut link.timer => self.look_after(link)?,
            }
        }
    }

    /// The timer went off: are acknowledgements owed, is the connection dead?
    fn look_after(&mut self, link: &mut Link) -> Result<(), End> {
        let now = Instant::now();
        let overdue = link.acknowledged + GATHER;
        let mut deadline = link.deadline();
        if now >= overdue {
            self.ledger.lock().overdue();
        } else if self.ledger.lock().is_owing() {
            deadline = deadline.min(overdue);
        }
        if now >= deadline {
            return Err(match link.stopping {
                Some(_) => End::Stopped,
                None => End::Lost("the broker has gone quiet".to_owned()),
            });
        }
        link.timer.as_mut().reset(deadline);
        Ok(())
    }

    fn begin_to_stop(&mut self, link: &mut Link) {
        link.stopping = Some(Instant::now() + GRACE);
        link.timer_until(Instant::now() + GRACE);
        self.ledger.lock().overdue();
        self.inputs = None;
    }

    /// Hands a publish in as a frame for each of its devices.
    async fn take(&mut self, publish: Publish, link: &Link) -> Result<(), End> {
        let Some(inputs) = &self.inputs else {
            // After "stop": the broker keeps it.
            return Ok(());
        };
        let needs_ack = publish.qos != QoS::AtMostOnce;
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
        debug_assert!(link.stopping.is_none(), "inputs are gone by then");
        Ok(())
    }

    /// Writes what may be acknowledged, many in one go.
    async fn acknowledge(&mut self, eventloop: &mut EventLoop, link: &mut Link) -> Result<(), End> {
        let ready = self.ledger.lock().take_ready();
        let Some(network) = eventloop.network.as_mut().filter(|_| !ready.is_empty()) else {
            return Ok(());
        };
        link.acknowledged = Instant::now();
        let written = timeout(DEAD, async {
            for packet in ready {
                network.write(Packet::PubAck(PubAck::new(packet))).await?;
            }
            network.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(End::Lost(error.to_string())),
            Err(_) => Err(End::Lost("the broker takes no acknowledgements".to_owned())),
        }
    }

    fn is_again_too_large(&mut self) -> bool {
        let before = self.too_large.replace(Instant::now());
        before.is_some_and(|before| before.elapsed() < RETRY.1 * 2)
    }

    fn count(&mut self, reason: &'static str, device: Option<DeviceIndex>) {
        *self.dropped.entry((reason, device)).or_default() += 1;
    }

    fn up(&mut self) {
        if self.is_up != Some(true) {
            tracing::info!(broker = self.broker, endpoint = %self.credentials.endpoint, "connected");
            self.is_up = Some(true);
            self.reports = Some(Input::Source { source: self.source, down: None });
            self.tell();
        }
    }

    fn down(&mut self, why: String, pause: Duration) {
        if self.is_up == Some(false) {
            tracing::debug!(broker = self.broker, why, ?pause, "still not connected");
        } else {
            tracing::warn!(broker = self.broker, why, ?pause, "not connected");
            self.is_up = Some(false);
            self.reports = Some(Input::Source { source: self.source, down: Some(why) });
        }
        self.tell();
    }

    /// Tells what changed and what was dropped, as far as there is room.
    fn tell(&mut self) {
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

    async fn tell_while_waiting(&mut self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            let rest = until.duration_since(Instant::now());
            tokio::time::sleep(rest.min(TELL_EVERY)).await;
            self.tell();
        }
    }

    /// Returns once half of the pipeline's channel is free, or false when it is time to go.
    async fn wait_for_room(&mut self) -> bool {
        let Some(inputs) = &self.inputs else { return false };
        let half = inputs.max_capacity().div_ceil(2);
        let room = self.stop.run_until_cancelled(inputs.reserve_many(half)).await;
        self.is_stalled = false;
        matches!(room, Some(Ok(_)))
    }
}

/// What is known of the present connection.
struct Link {
    /// Subscription packets that the broker has not answered.
    unconfirmed: usize,
    since: Instant,
    /// When the broker was heard last.
    heard: Instant,
    /// When acknowledgements went out last.
    acknowledged: Instant,
    /// Until when the last acknowledgements may take.
    stopping: Option<Instant>,
    /// Goes off at the deadline or before; set back only then, since most messages change nothing
    /// about it.
    timer: Pin<Box<Sleep>>,
}

impl Link {
    fn deadline(&self) -> Instant {
        let quiet = self.heard + DEAD;
        match self.stopping {
            Some(stopping) => stopping,
            None if self.unconfirmed > 0 => quiet.min(self.since + SUBSCRIBED),
            None => quiet,
        }
    }

    /// Brings the timer forward.
    fn timer_until(&mut self, until: Instant) {
        if until < self.timer.deadline() {
            self.timer.as_mut().reset(until);
        }
    }
}

fn lost(error: &ConnectionError) -> End {
    if let ConnectionError::MqttState(StateError::Deserialization(
        rumqttc::Error::PayloadSizeLimitExceeded(bytes),
    )) = error
    {
        return End::TooLarge(*bytes);
    }
    End::Lost(explain(&error.to_string()))
}
