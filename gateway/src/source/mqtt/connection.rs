//! One connection to the broker, from its first packet to its last.
//!
//! Polls the client's event loop, hands in what it brings, and writes acknowledgements by itself, many
//! in one go. Whatever goes wrong ends the connection.

use std::fmt::Write as _;
use std::pin::{Pin, pin};
use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, Outgoing, Packet, PubAck, QoS, StateError,
    SubAck, SubscribeFilter, SubscribeReasonCode,
};
use tokio::time::{Instant, Sleep, timeout};

use gatehouse_core::decode::order::Order;
use gatehouse_core::pipeline::WriteOrder;

use super::intake::Intake;
use super::settle::Shared;
use super::{Listener, network, options};
use crate::retry::Retry;
use crate::tls::explain;

const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Nothing heard or sent for so long: the connection is dead, whatever the kernel says.
const DEAD: Duration = Duration::from_secs(40);
/// A broker that does not answer a subscription by then is asked on a new connection.
const SUBSCRIBED: Duration = Duration::from_secs(10);
/// After "stop": how long the last acknowledgements may take.
const GRACE: Duration = Duration::from_secs(2);
/// Larger packets end the connection; anything below is read and, when too long, refused.
const MAX_PACKET: usize = 16 << 20;
const FILTERS_PER_PACKET: usize = 64;
/// A broker that refuses some subscriptions is asked again, on a new connection, after this long.
const ASK_AGAIN: Duration = Duration::from_mins(5);
/// Refused subscriptions that are named.
const NAMED: usize = 5;
/// How long an acknowledgement waits for others to go out with it.
const GATHER: Duration = Duration::from_millis(50);

/// Why a connection ended.
pub(super) enum End {
    /// We were told to stop, or the pipeline is gone.
    Stopped,
    /// The pipeline has no room.
    Stalled,
    Lost(String),
    /// The broker sent a packet that nobody can hold.
    TooLarge(usize),
}

impl Listener {
    /// One connection from its first packet to its last.
    pub(super) async fn connection(&mut self, forget_session: bool, retry: &mut Retry) -> End {
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
        if self.intake.filters().is_empty() {
            self.up();
        }
        self.intake.refuse(&mut self.orders);
        let mut link = Link {
            client: client.clone(),
            writing: None,
            unconfirmed: self.intake.filters().len().div_ceil(FILTERS_PER_PACKET),
            refused: Vec::new(),
            since: Instant::now(),
            heard: Instant::now(),
            acknowledged: Instant::now(),
            stopping: None,
            timer: Box::pin(tokio::time::sleep(SUBSCRIBED)),
        };
        loop {
            if let Err(end) = self.step(&mut eventloop, &mut link).await {
                if let Some(ticket) = link.writing {
                    let why =
                        "the connection to its broker was lost; it may have been written or not";
                    self.intake.written(ticket, Err(why.to_owned()));
                }
                if link.stopping.is_some() {
                    let _sent = client.try_disconnect();
                    // Until the broker hangs up: then it has read the last acknowledgements, and
                    // whoever connects next is not sent those publishes again.
                    let _closed =
                        timeout(GRACE, async { while eventloop.poll().await.is_ok() {} }).await;
                }
                return end;
            }
        }
    }

    fn client(&self, clean_session: bool) -> (AsyncClient, EventLoop) {
        let mut options = options(&self.credentials, &self.client_id);
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_session(clean_session)
            .set_manual_acks(true)
            .set_max_packet_size(MAX_PACKET, MAX_PACKET);
        let packets = self.intake.filters().len().div_ceil(FILTERS_PER_PACKET);
        let capacity = 8 + packets + self.intake.left().len();
        let (client, mut eventloop) = AsyncClient::new(options, capacity);
        eventloop.set_network_options(network());
        (client, eventloop)
    }

    fn subscribe(&self, client: &AsyncClient) -> bool {
        // The session may be older than the rule that no picture comes through it.
        if !self.intake.left().iter().all(|topic| client.try_unsubscribe(topic).is_ok()) {
            return false;
        }
        self.intake.filters().chunks(FILTERS_PER_PACKET).all(|filters| {
            let wanted = filters.iter();
            let wanted = wanted.map(|f| SubscribeFilter::new(f.clone(), QoS::AtLeastOnce));
            client.try_subscribe_many(wanted).is_ok()
        })
    }

    /// Takes what the event loop has next.
    async fn step(&mut self, eventloop: &mut EventLoop, link: &mut Link) -> Result<(), End> {
        let Some(event) = self.next(eventloop, link).await? else {
            self.begin_to_stop(link);
            // With nothing owed, nothing would come to wake us before the grace is over.
            return if self.ledger.lock().is_clear() { Err(End::Stopped) } else { Ok(()) };
        };
        match event {
            Event::Incoming(Packet::Publish(publish)) => self.intake.take(publish).await?,
            Event::Incoming(Packet::SubAck(ack)) => {
                self.subscribed(&ack, link)?;
            }
            Event::Outgoing(Outgoing::PubAck(_)) => self.ledger.lock().woken(),
            // One value at a time is under way, and nothing else is ever published.
            Event::Incoming(Packet::PubAck(_)) => {
                if let Some(ticket) = link.writing.take() {
                    self.intake.written(ticket, Ok(()));
                }
            }
            Event::Incoming(_) | Event::Outgoing(_) => {}
        }
        if eventloop.state.events.is_empty() {
            self.acknowledge(eventloop, link).await?;
            self.intake.tell();
            if link.stopping.is_none() && self.stop.is_cancelled() {
                self.begin_to_stop(link);
            }
        }
        if link.stopping.is_some() && self.ledger.lock().is_clear() {
            return Err(End::Stopped);
        }
        Ok(())
    }

    /// Answers come in the order of the questions.
    fn subscribed(&mut self, ack: &SubAck, link: &mut Link) -> Result<(), End> {
        let mut asked = self.intake.filters().chunks(FILTERS_PER_PACKET);
        let packets = asked.len();
        if let Some(filters) = asked.nth(packets.saturating_sub(link.unconfirmed)) {
            let answers = filters.iter().zip(&ack.return_codes);
            let refused = answers.filter(|(_, code)| **code == SubscribeReasonCode::Failure);
            link.refused.extend(refused.map(|(filter, _)| filter.clone()));
        }
        link.unconfirmed = link.unconfirmed.saturating_sub(1);
        if link.unconfirmed > 0 {
            return Ok(());
        }
        let all = self.intake.filters().len();
        match link.why_down(all) {
            None => {
                self.up();
                Ok(())
            }
            Some(why) if link.refused.len() == all => Err(End::Lost(why)),
            // What it does not refuse goes on coming.
            Some(why) => {
                tracing::error!(broker = self.broker, why);
                self.intake.down(why);
                link.timer_until(link.deadline());
                Ok(())
            }
        }
    }

    fn up(&mut self) {
        if self.intake.up() {
            let endpoint = &self.credentials.endpoint;
            tracing::info!(broker = self.broker, %endpoint, "connected");
        }
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
                () = &mut link.timer => look_after(&self.ledger, &self.intake, link)?,
                Some(order) = self.orders.recv(), if link.writing.is_none() => {
                    write(&self.intake, link, order);
                }
            }
        }
    }

    fn begin_to_stop(&mut self, link: &mut Link) {
        link.stopping = Some(Instant::now() + GRACE);
        link.timer_until(Instant::now() + GRACE);
        self.ledger.lock().overdue();
        self.intake.close();
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
}

/// The timer went off: are acknowledgements owed, is the connection dead?
fn look_after(ledger: &Shared, intake: &Intake, link: &mut Link) -> Result<(), End> {
    let now = Instant::now();
    let overdue = link.acknowledged + GATHER;
    let mut deadline = link.deadline();
    if now >= overdue {
        ledger.lock().overdue();
    } else if ledger.lock().is_owing() {
        deadline = deadline.min(overdue);
    }
    if now >= deadline {
        return Err(match link.stopping {
            Some(_) => End::Stopped,
            None => End::Lost(
                link.why_down(intake.filters().len())
                    .unwrap_or_else(|| "the broker has gone quiet".to_owned()),
            ),
        });
    }
    link.timer.as_mut().reset(deadline);
    Ok(())
}

/// Hands a value to the client.
fn write(intake: &Intake, link: &mut Link, order: WriteOrder) {
    let sent = match order.order {
        Order::Publish { topic, payload } => {
            link.client.try_publish(topic, QoS::AtLeastOnce, false, payload).is_ok()
        }
        Order::Coil { .. } | Order::Registers { .. } => false,
    };
    if sent {
        link.writing = Some(order.ticket);
    } else {
        intake.written(order.ticket, Err("the client takes nothing now".to_owned()));
    }
}

/// What is known of the present connection.
struct Link {
    client: AsyncClient,
    /// The value that was published and that the broker has not confirmed, by ticket.
    writing: Option<u64>,
    /// Subscription packets that the broker has not answered.
    unconfirmed: usize,
    /// Subscriptions that it does not grant.
    refused: Vec<String>,
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
            None if !self.refused.is_empty() => quiet.min(self.since + ASK_AGAIN),
            None => quiet,
        }
    }

    /// What keeps a broker that is there from being of use.
    fn why_down(&self, all: usize) -> Option<String> {
        let first = self.refused.first()?;
        let mut named = format!("`{first}`");
        for filter in self.refused.iter().take(NAMED).skip(1) {
            let _ = write!(named, ", `{filter}`");
        }
        if self.refused.len() > NAMED {
            named.push_str(", ...");
        }
        let refused = self.refused.len();
        Some(format!(
            "the broker refuses {refused} of {all} subscriptions ({named}); check its access list"
        ))
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
