//! All boxes of mail, who was told of which event, and what must be remembered of it.
//!
//! Drive it like any state machine: `handle_*` tells what happened, [`Board::take_changes`] gives the
//! rows that must be on disk before [`Board::poll_send`]'s parcel is really sent, [`Board::poll_timeout`]
//! says when to ask again.

mod passing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::mailbox::{Mailbox, RETRY_MAX};
use super::pace::{Limit, Pace};
use super::standing::{Standing, about};
use super::{Item, Kind, Outcome, Parcel, Recipient, Settled, Zone, is_told};
use crate::event::message::{EventData, State, Transition};
use crate::reading::Timestamp;

/// What is known of an event that is over is forgotten after so long: it does not come back.
const FORGET: Duration = Duration::from_hours(7 * 24);
/// Events that are remembered; beyond, the oldest that are over go first.
const MOST_TOLD: usize = 10_000;
/// Records that changed nothing are noted as read this often.
const NOTE_EVERY: u64 = 500;

/// A row to write, or to remove when there is no value.
pub type Change = (String, Option<Vec<u8>>);

/// Whom an event was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    /// The most urgent level that was told.
    level: u8,
    /// Recipients' ids.
    to: BTreeSet<String>,
    /// It waits for a person's yes.
    is_held: bool,
    /// The channel that it is about.
    #[serde(default)]
    about: Option<String>,
    over: Option<Timestamp>,
}

/// How far the journal was read, and the number of the last parcel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    through: u64,
    parcels: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Board {
    /// Before the number of a parcel.
    prefix: String,
    zone: Zone,
    directory: BTreeMap<String, Recipient>,
    boxes: BTreeMap<String, Mailbox>,
    told: BTreeMap<String, Told>,
    paces: BTreeMap<String, Pace>,
    standings: BTreeMap<String, Standing>,
    cursor: Cursor,
    noted: u64,
    dirty: BTreeSet<String>,
}

const CURSOR: &str = "c";
const BOX: &str = "b/";
const TOLD: &str = "t/";
const STANDING: &str = "s/";

impl Board {
    /// Takes up what was written before; rows that cannot be read are left out.
    pub fn restore(
        prefix: &str,
        rows: impl IntoIterator<Item = (String, Vec<u8>)>,
        now: Timestamp,
    ) -> Self {
        let mut board = Self { prefix: prefix.to_owned(), ..Self::default() };
        for (key, value) in rows {
            if key == CURSOR {
                board.cursor = serde_json::from_slice(&value).unwrap_or_default();
            } else if let Some(id) = key.strip_prefix(BOX) {
                board.boxes.extend(serde_json::from_slice(&value).map(|b| (id.to_owned(), b)));
            } else if let Some(event) = key.strip_prefix(TOLD) {
                board.told.extend(serde_json::from_slice(&value).map(|t| (event.to_owned(), t)));
            } else if let Some(channel) = key.strip_prefix(STANDING) {
                let standing = serde_json::from_slice(&value);
                board.standings.extend(standing.map(|s| (channel.to_owned(), s)));
            }
        }
        board.noted = board.cursor.through;
        board.boxes.values_mut().for_each(|mail| mail.clamp(now));
        board.standings.values_mut().for_each(|standing| standing.clamp(now));
        board
    }

    /// Everybody who can be told, and how often their channels may be used. What waits for somebody who
    /// is gone goes with them; their boxes' ids are returned.
    pub fn set_directory(
        &mut self,
        recipients: Vec<Recipient>,
        limits: BTreeMap<String, Vec<Limit>>,
        zone: Zone,
    ) -> Vec<String> {
        self.zone = zone;
        self.directory = recipients.into_iter().map(|to| (to.id.clone(), to)).collect();
        let gone = self.standings.extract_if(.., |channel, _| !limits.contains_key(channel));
        self.dirty.extend(gone.map(|(channel, _)| format!("{STANDING}{channel}")));
        for (channel, standing) in &mut self.standings {
            let awaits = |(id, mail): (&String, &Mailbox)| {
                let to = self.directory.get(id);
                mail.retry().is_some() && to.is_some_and(|to| to.channel == *channel)
            };
            let is_awaited = self.boxes.iter().any(awaits);
            standing.retain(|id| self.directory.contains_key(id), is_awaited);
        }
        for (channel, limits) in limits {
            self.paces.entry(channel).or_default().set_limits(limits);
        }
        let strangers: Vec<String> =
            self.boxes.keys().filter(|id| !self.directory.contains_key(*id)).cloned().collect();
        let mut dropped = Vec::new();
        for id in strangers {
            if self.boxes.remove(&id).is_some_and(|gone| !gone.is_empty()) {
                dropped.push(id.clone());
            }
            self.dirty.insert(format!("{BOX}{id}"));
        }
        dropped
    }

    /// Records up to this one were handled.
    pub fn through(&self) -> u64 {
        self.cursor.through
    }

    /// Begins after this record, or goes on there when what lies before is gone.
    pub fn skip_to(&mut self, through: u64) {
        self.cursor.through = self.cursor.through.max(through);
        self.dirty.insert(CURSOR.to_owned());
    }

    /// A record of the journal, in its order; `to` are those who are responsible now.
    pub fn handle_record(
        &mut self,
        sequence: u64,
        transition: Transition,
        data: &EventData,
        to: &[String],
        now: Timestamp,
    ) {
        if sequence <= self.cursor.through {
            return;
        }
        self.cursor.through = sequence;
        if sequence >= self.noted + NOTE_EVERY {
            self.dirty.insert(CURSOR.to_owned());
        }
        let known = self.told.get(&data.event);
        let was_held = known.is_some_and(|told| told.is_held);
        let is_more_urgent = known.is_some_and(|told| data.level < told.level);
        if !is_told(data) {
            if known.is_none() {
                self.note(&data.event, |told| told.is_held = true);
            }
            return;
        }
        let is_over = data.state == State::Cleared;
        match transition {
            Transition::Opened | Transition::Reopened | Transition::Escalated => {
                self.tell(sequence, data, to, now);
            }
            Transition::Dispatched => {
                self.put(sequence, data, to, |_| Kind::Assigned, now);
            }
            Transition::Cleared | Transition::Closed | Transition::Dismissed => {
                if was_held && transition == Transition::Cleared {
                    self.tell(sequence, data, to, now);
                }
                self.end(sequence, data, now);
            }
            Transition::Updated
            | Transition::Acknowledged
            | Transition::Handled
            | Transition::Unknown
            | Transition::Verified
            | Transition::Shelved
            | Transition::Unshelved => {
                if (was_held || is_more_urgent) && !is_over {
                    self.tell(sequence, data, to, now);
                }
            }
        }
    }

    /// Tells those who are responsible, and those who knew when it has become worse.
    fn tell(&mut self, sequence: u64, data: &EventData, to: &[String], now: Timestamp) {
        let known = self.told.get(&data.event).filter(|told| told.over.is_none());
        let before = known.map(|told| told.to.clone()).unwrap_or_default();
        let all: Vec<String> =
            to.iter().chain(&before).cloned().collect::<BTreeSet<_>>().into_iter().collect();
        self.put(
            sequence,
            data,
            &all,
            |id| if before.contains(id) { Kind::Worse } else { Kind::Raised },
            now,
        );
    }

    fn put(
        &mut self,
        sequence: u64,
        data: &EventData,
        to: &[String],
        kind: impl Fn(&str) -> Kind,
        now: Timestamp,
    ) {
        let mut reached = Vec::new();
        for id in to {
            let Some(recipient) = self.directory.get(id) else { continue };
            if about(data) == Some(&*recipient.channel) {
                continue;
            }
            let kind = kind(id);
            if kind == Kind::Assigned || recipient.levels.contains(&data.level) {
                self.boxes.entry(id.clone()).or_default().put(item(sequence, data, kind), now);
                self.dirty.insert(format!("{BOX}{id}"));
                reached.push(id.clone());
            }
        }
        self.note(&data.event, |told| {
            if told.over.take().is_some() || told.level == 0 {
                told.level = data.level;
            }
            told.level = told.level.min(data.level);
            told.is_held = false;
            told.about = about(data).map(str::to_owned);
            told.to.extend(reached);
        });
    }

    /// Tells those who knew that it is over.
    fn end(&mut self, sequence: u64, data: &EventData, now: Timestamp) {
        let Some(told) = self.told.get(&data.event).filter(|told| told.over.is_none()) else {
            return;
        };
        for id in told.to.clone() {
            if !self.directory.contains_key(&id) {
                continue;
            }
            self.boxes.entry(id.clone()).or_default().put(item(sequence, data, Kind::Over), now);
            self.dirty.insert(format!("{BOX}{id}"));
        }
        self.note(&data.event, |told| told.over = Some(now));
        self.forget(now);
    }

    fn note(&mut self, event: &str, change: impl FnOnce(&mut Told)) {
        change(self.told.entry(event.to_owned()).or_default());
        self.dirty.insert(format!("{TOLD}{event}"));
    }

    fn forget(&mut self, now: Timestamp) {
        let is_old = |told: &Told| told.over.is_some_and(|over| now.since(over) >= FORGET);
        let mut old: Vec<String> = self
            .told
            .iter()
            .filter(|(_, told)| is_old(told))
            .map(|(event, _)| event.clone())
            .collect();
        if self.told.len() > MOST_TOLD {
            // Ids begin with their time, so that the first is the oldest.
            let over = self.told.iter().filter(|(_, told)| told.over.is_some());
            old.extend(over.take(self.told.len() - MOST_TOLD).map(|(event, _)| event.clone()));
        }
        for event in old {
            self.told.remove(&event);
            self.dirty.insert(format!("{TOLD}{event}"));
        }
    }

    /// The next parcel that may go now. Its changes must be on disk before it is sent; it is out until
    /// [`Board::handle_outcome`].
    pub fn poll_send(&mut self, now: Timestamp) -> Option<Parcel> {
        self.pass_on_late(now);
        let mut ready: Vec<(u8, Timestamp, &String)> = Vec::new();
        for (id, mail) in &mut self.boxes {
            let Some(to) = self.directory.get(id) else { continue };
            if mail.due(to, self.zone).is_none_or(|due| due > now) {
                continue;
            }
            if mail.parcels.is_empty() {
                let cursor = &mut self.cursor;
                let number = || {
                    cursor.parcels += 1;
                    cursor.parcels
                };
                mail.pack(to, self.zone, number, now);
                self.dirty.insert(format!("{BOX}{id}"));
            }
            let pace = self.paces.entry(to.channel.clone()).or_default();
            if let Some(parcel) = mail.parcels.front()
                && pace.next(now) <= now
            {
                ready.push((parcel.load.level(), parcel.next, id));
            }
        }
        let id = ready.into_iter().min()?.2.clone();
        let to = self.directory.get(&id)?.clone();
        let parcel = self.boxes.get_mut(&id)?.parcels.front_mut()?;
        parcel.is_out = true;
        self.paces.entry(to.channel.clone()).or_default().sent(now);
        Some(Parcel {
            id: format!("{}-{}", self.prefix, parcel.number),
            recipient: to,
            load: parcel.load.clone(),
            attempts: parcel.attempts,
        })
    }

    /// What came of a parcel for this recipient.
    pub fn handle_outcome(&mut self, to: &Recipient, outcome: &Outcome, now: Timestamp) -> Settled {
        let Some(mail) = self
            .boxes
            .get_mut(&to.id)
            .filter(|mail| mail.parcels.front().is_some_and(|parcel| parcel.is_out))
        else {
            return Settled::Unknown;
        };
        self.dirty.insert(format!("{BOX}{}", to.id));
        let pause = match outcome {
            Outcome::Sent => {
                mail.sent(self.zone, now);
                return self.note_standing(to, outcome, Settled::Done, now);
            }
            Outcome::Later { after, .. } => {
                let after = after.map(|after| after.min(RETRY_MAX));
                if let Some(after) = after {
                    self.paces.entry(to.channel.clone()).or_default().hold(now + after);
                }
                mail.failed(false, after, now)
            }
            Outcome::Misconfigured { .. } => mail.failed(true, None, now),
            Outcome::Unfit { .. } => None,
        };
        let settled = if let Some(pause) = pause {
            Settled::Retry(pause)
        } else {
            let items = mail.give_up();
            self.pass_on(to, items, now);
            Settled::GivenUp
        };
        self.note_standing(to, outcome, settled, now)
    }

    /// When [`Board::poll_send`] is wanted again if nothing else happens.
    pub fn poll_timeout(&self, now: Timestamp) -> Option<Timestamp> {
        let due = self.boxes.iter().filter_map(|(id, mail)| {
            let to = self.directory.get(id)?;
            let due = mail.due(to, self.zone)?;
            Some(self.paces.get(&to.channel).map_or(due, |pace| pace.next(now).max(due)))
        });
        due.min()
    }

    /// Messages and events that wait, over all boxes.
    pub fn waiting(&self) -> usize {
        self.boxes.values().filter(|mail| !mail.is_empty()).count()
    }

    /// What must be written since the last call; empty when nothing must.
    pub fn take_changes(&mut self) -> Vec<Change> {
        if self.dirty.is_empty() {
            return Vec::new();
        }
        self.dirty.insert(CURSOR.to_owned());
        self.noted = self.cursor.through;
        let row = |key: &str| {
            if let Some(id) = key.strip_prefix(BOX) {
                serde_json::to_vec(self.boxes.get(id)?).ok()
            } else if let Some(event) = key.strip_prefix(TOLD) {
                serde_json::to_vec(self.told.get(event)?).ok()
            } else if let Some(channel) = key.strip_prefix(STANDING) {
                serde_json::to_vec(self.standings.get(channel)?).ok()
            } else {
                serde_json::to_vec(&self.cursor).ok()
            }
        };
        let changes = self.dirty.iter().map(|key| (key.clone(), row(key))).collect();
        self.dirty.clear();
        changes
    }
}

fn item(sequence: u64, data: &EventData, kind: Kind) -> Item {
    Item {
        sequence,
        event: data.event.clone(),
        kind,
        level: data.level.clamp(1, 4),
        title: data.title.clone(),
        place: data.location.clone(),
        is_over: kind == Kind::Over || data.state == State::Cleared,
        drill: data.drill,
        is_passed_on: false,
    }
}
