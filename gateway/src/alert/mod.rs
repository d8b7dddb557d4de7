//! Records → people: by whom, when and in which words decides [`gatehouse_core::alert`]; here are the
//! wires.
//!
//! One task reads what is new in the journal, hands it to the board, writes what the board must remember
//! into the store's room for alerts, and only then sends: a message that was on its way in a power cut
//! goes out again under the same number. Each channel is a file of its own ([`wecom`], [`dingtalk`],
//! [`feishu`], [`email`], [`webhook`], [`sms`], [`relay`], [`speech`]); [`link`] makes and checks the
//! buttons. Nothing here waits for a person, and nobody waits for us.

pub mod channel;
mod code;
pub mod config;
mod counts;
mod dingtalk;
mod directory;
mod email;
mod feishu;
mod http;
pub mod link;
pub(crate) mod relay;
mod robot;
#[cfg(test)]
mod sample;
mod sms;
mod smtp;
mod speech;
#[cfg(test)]
mod tests;
pub mod trial;
pub(crate) mod webhook;
mod wecom;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::alert::board::Board;
use gatehouse_core::alert::letter::Letter;
use gatehouse_core::alert::standing::{Standing, Trouble};
use gatehouse_core::alert::{Load, Outcome, Parcel, Recipient, Settled};
use gatehouse_core::community::Community;
use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::message::{Message as Record, Transition};
use gatehouse_core::pipeline::Input;
use gatehouse_core::reading::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::clock::Clock;
use crate::config::GatewayConfig;
use crate::store::{Entry, Hold, Store, StoreError};
use channel::{Links, Message, Relay};
use config::ChannelConfig;
pub use counts::Counts;
use link::{Deed, Signer};

const MINUTE: Duration = Duration::from_mins(1);
/// Messages under way at once.
const AT_ONCE: usize = 16;
/// Records read at once.
const PAGE: usize = 128;
/// With nothing due, the task looks up this often.
const IDLE: Duration = Duration::from_hours(1);
/// After "stop": how long what is under way may take, so that it is not sent again.
const GRACE: Duration = Duration::from_secs(3);
/// Pause before the store is asked again after it could not be read.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// A disk that has not taken what is to be remembered by then takes it later; people are told all the
/// same, twice perhaps.
const DISK: Duration = Duration::from_secs(10);

/// What others see of the alerts. Cheap to clone.
#[derive(Clone)]
pub struct Alerts {
    pub counts: Counts,
    pub links: Signer,
    /// How each configured channel stands.
    pub standings: watch::Receiver<BTreeMap<String, Standing>>,
}

/// What the alerts are made of.
pub struct Parts {
    pub store: Store,
    pub clock: Clock,
    pub community: watch::Receiver<Arc<Community>>,
    /// The way to devices that can be switched; none, and relays are told as misconfigured.
    pub relay: Option<Arc<dyn Relay>>,
    /// Makes the buttons.
    pub links: Signer,
    /// Where it is told which channels are down; the engine ends when nobody else holds it.
    pub inputs: mpsc::WeakSender<Input>,
}

/// Begins to tell people; `None` when the configuration has no channel. To be called before anything new
/// is recorded: a box that never told anybody does not begin with the past.
///
/// # Errors
/// The store cannot be read.
pub fn start(
    config: &GatewayConfig,
    parts: Parts,
    stop: CancellationToken,
) -> Result<Option<(Alerts, JoinHandle<()>)>, StoreError> {
    let Parts { store, clock, community, relay, links, inputs } = parts;
    if config.channels.is_empty() {
        // Those that were down before are gone.
        if let Some(inputs) = inputs.upgrade() {
            let _told = inputs.try_send(Input::Channels { down: BTreeMap::new() });
        }
        return Ok(None);
    }
    let rows = store.mail()?;
    let is_first = !rows.iter().any(|(key, _)| key == "c");
    let mut board = Board::restore(&config.gateway.id, rows, clock.now());
    let end = store.span().map_or(0, |span| *span.end());
    if is_first {
        board.skip_to(end);
    }
    if board.waiting() > 0 {
        tracing::info!(boxes = board.waiting(), "messages wait from before");
    }
    let (standings, seen) = watch::channel(BTreeMap::new());
    let alerts = Alerts { counts: Counts::default(), links, standings: seen };
    let sender = Sender {
        gateway: config.gateway.id.clone(),
        language: config.gateway.language,
        channels: Arc::new(config.channels.clone()),
        alerts: alerts.clone(),
        hold: store.hold_writer(),
        store,
        clock,
        community,
        relay,
        inputs,
        standings,
        down: None,
        board,
        under_way: JoinSet::new(),
        read_at: Some(Instant::now()),
    };
    let task = sender.run(stop).instrument(tracing::info_span!("alert"));
    Ok(Some((alerts, tokio::spawn(task))))
}

struct Sender {
    gateway: String,
    language: Language,
    channels: Arc<Vec<ChannelConfig>>,
    alerts: Alerts,
    /// The store's thread writes what came of the last messages before it ends.
    hold: Hold,
    store: Store,
    clock: Clock,
    community: watch::Receiver<Arc<Community>>,
    relay: Option<Arc<dyn Relay>>,
    inputs: mpsc::WeakSender<Input>,
    standings: watch::Sender<BTreeMap<String, Standing>>,
    /// What the pipeline was told last.
    down: Option<BTreeMap<String, Trouble>>,
    board: Board,
    under_way: JoinSet<(Recipient, Outcome)>,
    /// Look into the journal, at this time at the latest.
    read_at: Option<Instant>,
}

impl Sender {
    async fn run(mut self, stop: CancellationToken) {
        self.set_directory();
        loop {
            if self.read_at.is_some_and(|at| at <= Instant::now()) {
                self.read().await;
            }
            if !self.send().await {
                return;
            }
            self.show().await;
            let now = self.clock.now();
            let idle = Instant::now() + IDLE;
            let has_room = self.under_way.len() < AT_ONCE;
            let due = self.board.poll_timeout(now).filter(|_| has_room);
            let due = due.map_or(idle, |due| self.clock.instant(due).min(idle));
            let due = self.read_at.map_or(due, |at| at.min(due));
            // All are cancel-safe: a notification that is not lost, a set of tasks, a watch, a timer.
            tokio::select! {
                () = self.store.recorded() => self.read_at = Some(Instant::now()),
                Some(ended) = self.under_way.join_next() => self.settle(ended),
                Ok(()) = self.community.changed() => self.set_directory(),
                () = sleep_until(due) => {}
                () = stop.cancelled() => return self.finish().await,
            }
        }
    }

    fn set_directory(&mut self) {
        let community = Arc::clone(&self.community.borrow_and_update());
        let recipients = directory::recipients(&community, &self.channels, self.language);
        let limits = directory::limits(&self.channels);
        for recipient in self.board.set_directory(recipients, limits, directory::zone(&community)) {
            tracing::warn!(
                recipient,
                "is not in the configuration any more; what waited is dropped"
            );
        }
    }

    /// Hands the board what is new in the journal.
    async fn read(&mut self) {
        self.read_at = None;
        let Some(span) = self.store.span() else { return };
        if *span.start() > self.board.through() + 1 {
            let missed = *span.start() - self.board.through() - 1;
            if self.board.through() > 0 {
                tracing::error!(missed, "records left the journal before anybody was told");
            }
            self.board.skip_to(*span.start() - 1);
        }
        let (store, from, end) = (self.store.clone(), self.board.through() + 1, *span.end());
        if from > end {
            return;
        }
        let read = move || store.journal(from..=end).take(PAGE).collect::<Result<Vec<Entry>, _>>();
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(entries)) => {
                let is_last = entries.last().is_none_or(|entry| entry.sequence >= end);
                for entry in entries {
                    self.take(&entry);
                }
                if !is_last {
                    self.read_at = Some(Instant::now());
                }
            }
            Ok(Err(error)) => self.read_later(&error),
            Err(_cancelled) => {}
        }
    }

    fn read_later(&mut self, error: &StoreError) {
        tracing::warn!(%error, "the journal could not be read");
        self.read_at = Some(Instant::now() + STORE_RETRY);
    }

    fn take(&mut self, entry: &Entry) {
        let now = self.clock.now();
        let record = serde_json::from_slice::<Record>(&entry.json).ok();
        let Some((record, transition)) =
            record.and_then(|r| Some((transition(&r.kind)?, r)).map(|(t, r)| (r, t)))
        else {
            // A gap, or another message about the gateway itself.
            self.board.skip_to(entry.sequence);
            return;
        };
        let community = Arc::clone(&self.community.borrow());
        let data = &record.data;
        let to = directory::responsible(&community, &self.channels, transition, data, now);
        self.board.handle_record(entry.sequence, transition, data, &to, now);
    }

    /// Sends what is due; false when the store's thread has gone.
    async fn send(&mut self) -> bool {
        let now = self.clock.now();
        let mut parcels = Vec::new();
        while self.under_way.len() + parcels.len() < AT_ONCE
            && let Some(parcel) = self.board.poll_send(now)
        {
            parcels.push(parcel);
        }
        let rows = self.board.take_changes();
        if !rows.is_empty() {
            match tokio::time::timeout(DISK, self.store.keep_mail(rows)).await {
                Ok(true) => {}
                Ok(false) => return false,
                Err(_) => tracing::warn!("the disk is slow; a message may go out twice"),
            }
        }
        for parcel in parcels {
            self.dispatch(parcel, now);
        }
        true
    }

    fn dispatch(&mut self, parcel: Parcel, now: Timestamp) {
        let channels = Arc::clone(&self.channels);
        let (store, links, relay) =
            (self.store.clone(), self.alerts.links.clone(), self.relay.clone());
        let (gateway, zone) = (self.gateway.clone(), directory::zone(&self.community.borrow()));
        self.under_way.spawn(async move {
            let event = match &parcel.load {
                Load::One(item) => recall(store, item.sequence).await,
                Load::Many { .. } => None,
            };
            let message = Message {
                letter: Letter::of(&parcel, event.as_ref().map(|record| &record.data), zone),
                address: parcel.recipient.address.clone(),
                links: links_of(&parcel, &links, now),
                event: event.map(|record| record.data),
                items: parcel.load.items().to_vec(),
                gateway,
                now,
            };
            let config = channels.iter().find(|config| config.id == parcel.recipient.channel);
            let outcome = match config {
                Some(config) => channel::send(config, relay.as_ref(), &message).await,
                None => Outcome::Unfit { why: "the channel is gone".to_owned() },
            };
            (parcel.recipient, outcome)
        });
    }

    fn settle(&mut self, ended: Result<(Recipient, Outcome), tokio::task::JoinError>) {
        let Ok((to, outcome)) = ended else {
            tracing::error!("a message broke down on its way; it goes out again after a restart");
            return;
        };
        let settled = self.board.handle_outcome(&to, &outcome, self.clock.now());
        let (channel, recipient) = (&to.channel, &to.name);
        self.alerts.counts.note(channel, outcome.word());
        let (is_bad, why) = match &outcome {
            Outcome::Sent => return,
            Outcome::Later { why, .. } => (false, why),
            Outcome::Misconfigured { why } | Outcome::Unfit { why } => (true, why),
        };
        match settled {
            Settled::Retry(pause) if is_bad => {
                tracing::error!(
                    channel,
                    recipient,
                    why,
                    ?pause,
                    "cannot tell people until this is mended"
                );
            }
            Settled::Retry(pause) => {
                tracing::warn!(channel, recipient, why, ?pause, "a message did not go out");
            }
            Settled::GivenUp => {
                self.alerts.counts.note(channel, "given-up");
                tracing::error!(channel, recipient, why, "a message is given up");
            }
            Settled::Done | Settled::Unknown => {}
        }
    }

    /// Shows how the channels stand, and has the pipeline tell which are down.
    async fn show(&mut self) {
        let standings = self.board.standings();
        let all = self.channels.iter().map(|channel| {
            (channel.id.clone(), standings.get(&channel.id).cloned().unwrap_or_default())
        });
        let all: BTreeMap<String, Standing> = all.collect();
        let down = all.iter().filter_map(|(id, standing)| Some((id.clone(), standing.trouble()?)));
        let down: BTreeMap<String, Trouble> = down.collect();
        self.standings.send_if_modified(|shown| {
            let is_new = *shown != all;
            *shown = all;
            is_new
        });
        if self.down.as_ref() == Some(&down) {
            return;
        }
        let Some(inputs) = self.inputs.upgrade() else { return };
        if inputs.send(Input::Channels { down: down.clone() }).await.is_ok() {
            self.down = Some(down);
        }
    }

    /// What is under way may come back, so that it is not sent a second time.
    async fn finish(mut self) {
        let all = async {
            while let Some(ended) = self.under_way.join_next().await {
                self.settle(ended);
            }
        };
        let _late = tokio::time::timeout(GRACE, all).await;
        let rows = self.board.take_changes();
        if !rows.is_empty() {
            self.store.keep_mail(rows).await;
        }
        drop(self.hold);
        tracing::info!(boxes = self.board.waiting(), "stopped");
    }
}

/// The record of that sequence, while the journal holds it.
async fn recall(store: Store, sequence: u64) -> Option<Record> {
    let read = tokio::task::spawn_blocking(move || store.entry(sequence)).await.ok()?;
    serde_json::from_slice(&read.ok()??.json).ok()
}

fn links_of(parcel: &Parcel, links: &Signer, now: Timestamp) -> Links {
    let Some(base) = links.base() else { return Links::default() };
    match &parcel.load {
        Load::One(item) => {
            let act = |deed| links.link(deed, &item.event, &parcel.recipient.name, now);
            let act = |deed| act(deed).filter(|_| !item.is_over);
            Links {
                page: Some(format!("{base}/events/{}", item.event)),
                acknowledge: act(Deed::Acknowledge),
                false_alarm: act(Deed::FalseAlarm),
            }
        }
        Load::Many { .. } => Links { page: Some(format!("{base}/")), ..Links::default() },
    }
}

/// Of a message's `type`.
fn transition(kind: &str) -> Option<Transition> {
    let word = kind.strip_prefix("gatehouse.event.")?;
    serde_json::from_value(serde_json::Value::from(word)).ok()
}
