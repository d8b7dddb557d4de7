//! Records → the township's platform.
//!
//! The store is the only truth. A connection ([`link`]) and what is under way on it ([`in_flight`])
//! are thrown away together at the first sign of trouble, and everything that the platform's broker
//! has not confirmed is sent anew: at least once, with ids by which the platform drops the second
//! copy. A record leaves the store when the acknowledgement for that very record is here; or, where
//! the platform's own word is wanted ([`confirming`]), when that has come.
//!
//! Ends after `stop`, when nothing waits any more or [`GRACE`] is over.

pub mod confirming;
mod in_flight;
mod link;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::delivery::Loss;
use gatehouse_core::reading::Timestamp;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::clock::Clock;
use crate::config::{Identity, UplinkConfig};
use crate::retry::Retry;
use crate::store::{Store, Waiting};
use crate::tls::{AccessError, Credentials};
use confirming::Confirmations;
use in_flight::{InFlight, Item};
use link::{Link, Sign};

/// Records under way at once; smaller than the client's stock of packet ids.
const WINDOW: usize = 32;
/// Records that the broker has and the platform has not confirmed; beyond, only urgent ones follow.
const MOST_AWAITED: usize = 1_000;
/// Levels I and II.
const URGENT: u8 = 2;
/// A longer record is given up on record: brokers confirm what is too long for them and drop it.
const MAX_RECORD: usize = 200 * 1024;
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Nothing heard for so long: the connection is dead, whatever the kernel says.
const DEAD: Duration = Duration::from_secs(40);
/// A broker that lives but does not confirm for so long is asked on a new connection.
const UNCONFIRMED: Duration = Duration::from_mins(1);
/// The status is sent at most this often.
const STATUS_EVERY: Duration = Duration::from_secs(30);
/// After "stop": how long the outbox may take to empty.
const GRACE: Duration = Duration::from_secs(5);
const GOODBYE: Duration = Duration::from_secs(1);
/// Pause before the store is asked again after it could not be read.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// How the uplink stands, for the console and the metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    pub is_up: bool,
    /// Why it is not up; `None` before the first attempt has ended.
    pub why: Option<String>,
    /// Since when it is as it is.
    pub since: Timestamp,
    /// Connections made since start.
    pub connections: u64,
    /// Messages handed to the broker, repeated ones included.
    pub sent: u64,
    /// Messages that it confirmed.
    pub confirmed: u64,
}

/// Counts for the status message, made when it is due.
pub type Figures = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;

/// Starts to deliver. Cancel `stop` once nothing more will be stored.
pub fn start(
    config: &UplinkConfig,
    identity: &Identity,
    store: Store,
    clock: Clock,
    figures: Figures,
    stop: CancellationToken,
) -> Result<(JoinHandle<()>, watch::Receiver<Standing>, Confirmations), AccessError> {
    let credentials = Credentials::read(&config.url, &config.access)?;
    crate::tls::warn_if_exposed(&config.access);
    let base = format!("gatehouse/v1/{}/{}", identity.township, identity.id);
    let (standing, seen) = watch::channel(Standing { since: clock.now(), ..Standing::default() });
    let confirmations = Confirmations::new(store.clone(), config.confirm);
    let uplink = Uplink {
        credentials,
        confirmations: confirmations.clone(),
        resend_after: config.resend_after.0,
        client_id: identity.id.clone(),
        source: format!("/townships/{}/gateways/{}", identity.township, identity.id),
        events_topic: config.events_topic.clone().unwrap_or_else(|| format!("{base}/events")),
        status_topic: format!("{base}/status"),
        store,
        clock,
        figures,
        standing,
        stop,
        grace: None,
    };
    let retry = Retry::new(config.retry_min.0, config.retry_max.0);
    let task = uplink.run(retry).instrument(tracing::info_span!("uplink"));
    Ok((tokio::spawn(task), seen, confirmations))
}

struct Uplink {
    credentials: Credentials,
    confirmations: Confirmations,
    /// How long the platform may take to confirm.
    resend_after: Duration,
    client_id: String,
    source: String,
    events_topic: String,
    status_topic: String,
    store: Store,
    clock: Clock,
    figures: Figures,
    standing: watch::Sender<Standing>,
    stop: CancellationToken,
    /// Set once we were told to stop: when to go at the latest.
    grace: Option<Instant>,
}

/// One connection's state.
struct Session {
    link: Link,
    flight: InFlight,
    is_connected: bool,
    heard: Instant,
    /// When something was last confirmed, or nothing was under way.
    confirmed: Instant,
    /// Records that the broker has and the platform has not confirmed, and when each is sent again.
    awaited: BTreeMap<u64, Instant>,
    /// The same of the gap.
    gap_awaited: Option<Instant>,
    /// Ask the store again, at this time at the latest.
    fill_at: Option<Instant>,
    /// The status as it was last sent.
    status: Option<serde_json::Value>,
}

impl Uplink {
    async fn run(mut self, mut retry: Retry) {
        loop {
            let Err(why) = self.session(&mut retry).await else { return };
            let pause = retry.pause();
            let why = if retry.is_quarrel() {
                format!("{why}; is another gateway using the id `{}`?", self.client_id)
            } else {
                why
            };
            self.down(&why, pause);
            let stop = self.stop.clone();
            let until = Instant::now() + pause;
            tokio::select! {
                () = sleep_until(until) => {}
                () = stop.cancelled(), if self.grace.is_none() => self.begin_to_stop(),
            }
            let is_late = self.grace.is_some_and(|grace| Instant::now() >= grace);
            if is_late || (self.grace.is_some() && self.is_done()) {
                return;
            }
        }
    }

    /// One connection. Ends well only when it is time to go.
    async fn session(&mut self, retry: &mut Retry) -> Result<(), String> {
        let offline = self.status("offline").to_string().into_bytes();
        let link = Link::open(&self.credentials, &self.client_id, &self.status_topic, offline);
        let now = Instant::now();
        let mut session = Session {
            link,
            flight: InFlight::default(),
            is_connected: false,
            heard: now,
            confirmed: now,
            awaited: BTreeMap::new(),
            gap_awaited: None,
            fill_at: None,
            status: None,
        };
        let mut status = tokio::time::interval_at(now + STATUS_EVERY, STATUS_EVERY);
        status.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.stop.clone();
        loop {
            let due = session.deadline(self.grace);
            // Cancel-safe all of them: a channel, two timers, notifications that are not lost, a
            // token.
            tokio::select! {
                sign = session.link.next() => self.heard(&mut session, sign, retry)?,
                () = self.store.arrived(), if session.is_connected => {
                    session.fill_at = Some(Instant::now());
                }
                () = self.confirmations.changed() => session.heed(&self.confirmations),
                _ = status.tick(), if session.is_connected => self.send_status(&mut session)?,
                () = sleep_until(due) => session.check()?,
                () = stop.cancelled(), if self.grace.is_none() => self.begin_to_stop(),
            }
            if session.is_connected && session.fill_at.is_some_and(|at| at <= Instant::now()) {
                self.fill(&mut session).await?;
                session.come_back();
            }
            if let Some(grace) = self.grace {
                let is_done = session.is_connected && self.is_sent(&session);
                if is_done || Instant::now() >= grace {
                    self.say_goodbye(session).await;
                    return Ok(());
                }
            }
        }
    }

    fn heard(
        &mut self,
        session: &mut Session,
        sign: Sign,
        retry: &mut Retry,
    ) -> Result<(), String> {
        session.heard = Instant::now();
        match sign {
            Sign::Connected => {
                session.is_connected = true;
                session.confirmed = Instant::now();
                session.fill_at = Some(Instant::now());
                retry.connected();
                self.up();
                self.send_status(session)
            }
            Sign::WentOut(packet) if session.flight.went_out(packet) => Ok(()),
            Sign::WentOut(_) => Err("the client lost count of its messages".to_owned()),
            Sign::Confirmed(packet) => {
                session.confirmed = Instant::now();
                let Some(item) = session.flight.confirmed(packet) else {
                    return Err("the broker confirmed what was not sent".to_owned());
                };
                self.delivered(session, item);
                self.standing.send_modify(|standing| standing.confirmed += 1);
                if session.flight.records().len() <= WINDOW / 2 {
                    session.fill_at = Some(Instant::now());
                }
                Ok(())
            }
            Sign::Alive => Ok(()),
            Sign::Lost(why) => Err(why),
        }
    }

    /// The broker has it.
    fn delivered(&self, session: &mut Session, item: Item) {
        let again = Instant::now() + self.resend_after;
        match item {
            Item::Record(sequence) if !self.confirmations.are_wanted() => {
                self.store.done(&[sequence]);
            }
            // The platform may have been quicker than its broker's acknowledgement.
            Item::Record(sequence) if self.confirmations.awaits(sequence) => {
                session.awaited.insert(sequence, again);
            }
            Item::Gap if !self.confirmations.are_wanted() => self.store.gap_done(),
            Item::Gap => session.gap_awaited = Some(again),
            Item::Record(_) | Item::Status => {}
        }
    }

    /// Hands over what waits, as far as the window allows.
    async fn fill(&self, session: &mut Session) -> Result<(), String> {
        session.fill_at = None;
        let now = Instant::now();
        session.awaited.retain(|_, again| *again > now);
        session.gap_awaited = session.gap_awaited.filter(|again| *again > now);
        if !session.flight.has(Item::Gap)
            && session.gap_awaited.is_none()
            && let Some(gap) = self.store.gap()
        {
            let message = gap.message(self.source.clone(), self.clock.quality(), self.clock.now());
            let payload = serde_json::to_vec(&message).unwrap_or_default();
            self.hand_over(session, Item::Gap, payload)?;
            self.confirmations.gap_sent();
        }
        let room = WINDOW.saturating_sub(session.flight.records().len());
        if room == 0 {
            return Ok(());
        }
        let Some(waiting) = self.waiting(session, room).await? else { return Ok(()) };
        let has_room = session.awaited.len() < MOST_AWAITED;
        for record in waiting.into_iter().filter(|record| has_room || record.level <= URGENT) {
            if record.json.len() > MAX_RECORD {
                let (sequence, bytes) = (record.sequence, record.json.len());
                tracing::error!(sequence, bytes, "a record is too long to be sent");
                self.store.give_up(sequence, Loss::TooLarge);
                self.confirmations.forget(sequence);
                session.fill_at = Some(Instant::now());
                continue;
            }
            self.confirmations.sent(record.sequence);
            self.hand_over(session, Item::Record(record.sequence), record.json)?;
        }
        Ok(())
    }

    /// What is to be sent next; `None` when the store could not be read.
    async fn waiting(
        &self,
        session: &mut Session,
        room: usize,
    ) -> Result<Option<Vec<Waiting>>, String> {
        let (flying, awaited) = (session.flight.records(), &session.awaited);
        let is_held_back = |s: u64| flying.contains(&s) || awaited.contains_key(&s);
        let in_memory = self.store.waiting_in_memory(room, is_held_back);
        if in_memory.is_some() {
            return Ok(in_memory);
        }
        let under_way: HashSet<u64> = flying.iter().chain(awaited.keys()).copied().collect();
        let store = self.store.clone();
        let read = move || store.waiting(room, |sequence| under_way.contains(&sequence));
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(waiting)) => Ok(Some(waiting)),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the store could not be read");
                session.fill_at = Some(Instant::now() + STORE_RETRY);
                Ok(None)
            }
            Err(_cancelled) => Err("the store could not be asked".to_owned()),
        }
    }

    fn hand_over(&self, session: &mut Session, item: Item, payload: Vec<u8>) -> Result<(), String> {
        let (topic, is_retained) = match item {
            Item::Record(_) | Item::Gap => (&self.events_topic, false),
            Item::Status => (&self.status_topic, true),
        };
        if session.flight.is_empty() {
            session.confirmed = Instant::now();
        }
        if !session.link.publish(topic, payload, is_retained) {
            return Err("the connection is closed or takes no messages".to_owned());
        }
        session.flight.handed_over(item);
        self.standing.send_modify(|standing| standing.sent += 1);
        Ok(())
    }

    fn status(&self, state: &str) -> serde_json::Value {
        json!({
            "state": state,
            "version": env!("CARGO_PKG_VERSION"),
            "clock": self.clock.quality(),
            "outbox": self.store.depth(),
            "counts": (self.figures)(),
        })
    }

    /// Sends the status when it has changed.
    fn send_status(&self, session: &mut Session) -> Result<(), String> {
        let status = self.status("online");
        if session.status.as_ref() == Some(&status) || session.flight.has(Item::Status) {
            return Ok(());
        }
        self.hand_over(session, Item::Status, status.to_string().into_bytes())?;
        session.status = Some(status);
        Ok(())
    }

    async fn say_goodbye(&self, mut session: Session) {
        let offline = self.status("offline").to_string().into_bytes();
        if session.is_connected && self.hand_over(&mut session, Item::Status, offline).is_ok() {
            let _late = tokio::time::timeout(GOODBYE, async {
                while session.flight.has(Item::Status) {
                    match session.link.next().await {
                        Sign::WentOut(packet) => _ = session.flight.went_out(packet),
                        Sign::Confirmed(packet) => {
                            if let Some(item) = session.flight.confirmed(packet) {
                                self.delivered(&mut session, item);
                            }
                        }
                        Sign::Connected | Sign::Alive => {}
                        Sign::Lost(_) => return,
                    }
                }
            })
            .await;
        }
        session.link.close(GOODBYE).await;
        tracing::info!(waiting = self.store.depth(), "stopped");
    }

    fn begin_to_stop(&mut self) {
        self.grace = Some(Instant::now() + GRACE);
    }

    /// Whether the broker has everything; the platform's word may take longer than we have.
    fn is_sent(&self, session: &Session) -> bool {
        let waiting = self.store.depth();
        let has_gap = self.store.has_gap() && session.gap_awaited.is_none();
        session.awaited.len() >= waiting && !has_gap
    }

    fn is_done(&self) -> bool {
        self.store.depth() == 0 && !self.store.has_gap()
    }

    fn up(&self) {
        tracing::info!(endpoint = %self.credentials.endpoint, "connected");
        let now = self.clock.now();
        self.standing.send_modify(|standing| {
            standing.connections += 1;
            (standing.is_up, standing.why, standing.since) = (true, None, now);
        });
    }

    fn down(&self, why: &str, pause: Duration) {
        let was = self.standing.borrow().clone();
        if was.is_up || was.why.is_none() {
            tracing::warn!(why, ?pause, waiting = self.store.depth(), "not connected");
        } else {
            tracing::debug!(why, ?pause, "still not connected");
        }
        let since = if was.is_up { self.clock.now() } else { was.since };
        self.standing.send_modify(|standing| {
            (standing.is_up, standing.why, standing.since) = (false, Some(why.to_owned()), since);
        });
    }
}

impl Session {
    /// When to look after the connection again.
    fn deadline(&self, grace: Option<Instant>) -> Instant {
        let mut due = self.heard + DEAD;
        if !self.flight.is_empty() {
            due = due.min(self.confirmed + UNCONFIRMED);
        }
        let fill_at = self.fill_at.filter(|_| self.is_connected);
        for earlier in [fill_at, grace].into_iter().flatten() {
            due = due.min(earlier);
        }
        due
    }

    /// Fill again when something is to be sent anew.
    fn come_back(&mut self) {
        let again = self.awaited.values().copied().chain(self.gap_awaited);
        self.fill_at = again.chain(self.fill_at).min();
    }

    /// The platform has confirmed something.
    fn heed(&mut self, confirmations: &Confirmations) {
        self.awaited.retain(|sequence, _| confirmations.awaits(*sequence));
        self.gap_awaited = self.gap_awaited.filter(|_| confirmations.awaits_gap());
        self.fill_at = Some(Instant::now());
    }

    fn check(&self) -> Result<(), String> {
        if self.heard.elapsed() >= DEAD {
            return Err("the broker has gone quiet".to_owned());
        }
        if !self.flight.is_empty() && self.confirmed.elapsed() >= UNCONFIRMED {
            return Err("the broker does not confirm".to_owned());
        }
        Ok(())
    }
}
