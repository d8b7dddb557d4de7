//! A line per event beside the journal, in the order in which they opened: what lists, figures and
//! reports read instead of the messages.
//!
//! It is written in the same batch as the records it is folded from, and goes with the last of them.
//! It holds nothing of its own: where it is missing, or another program wrote the journal without it, it
//! is made anew when the store is opened ([`mend`]).
//!
//! Reading is bounded: a page looks at no more than [`LOOKS`] events, and says where to go on when it has
//! not found enough by then.

use std::collections::{BTreeMap, BTreeSet};

use gatehouse_core::community::quantity::Language;
use gatehouse_core::community::scene::Category;
use gatehouse_core::event::message::{EventData, Message, Stage};
use gatehouse_core::event::summary::Summary;
use gatehouse_core::reading::Timestamp;
use serde::Deserialize;

use super::disk::{Disk, guarded};
use super::layout::{Entry, META_INDEX, event_prefix, index_key, index_place, number, place_key};
use super::{Store, StoreError};

/// Events that are looked at for one page.
const LOOKS: usize = 10_000;
/// Messages of one event that are shown: the first, and the newest.
const MESSAGES: usize = 200;
/// Entries of the journal that are folded into one batch while the index is made anew.
const AT_ONCE: usize = 2_000;
/// What the index means; another number in the store makes it anew.
const VERSION: u8 = 2;

/// Which events to show; what is `None` or empty leaves none out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Part of the title or of an id, in any case.
    pub text: String,
    /// Areas and devices whose names hold the text, by id: the store knows ids only.
    pub named: BTreeSet<String>,
    pub scene: Option<String>,
    pub area: Option<String>,
    pub device: Option<String>,
    pub level: Option<u8>,
    pub stage: Option<Stage>,
    pub category: Option<Category>,
    /// Exercises only, or none.
    pub drill: Option<bool>,
    /// Events that are not shown, by id.
    pub not_events: BTreeSet<String>,
}

/// A place in the list of events: when one opened, and its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub opened: Timestamp,
    pub event: String,
}

/// Some events, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    pub events: Vec<Summary>,
    /// Where to go on; `None` at the end.
    pub next: Option<Place>,
}

/// What the store keeps of an event: its line, and the newest record that is in it.
struct Row {
    last: u64,
    summary: Summary,
}

/// The part of a message that a line is made of.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "type")]
    kind: String,
    time: String,
    data: EventData,
}

/// What one batch changes in the index.
pub(super) struct Draft<'d> {
    db: &'d sled::Db,
    /// By event; `None` for one that goes.
    rows: BTreeMap<String, Option<Row>>,
    /// Places of those that go.
    gone: Vec<Place>,
    through: Option<u64>,
    failed: Option<StoreError>,
}

impl Filter {
    fn lets_in(&self, summary: &Summary) -> bool {
        fn is_or_any<T: PartialEq>(wanted: Option<&T>, found: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == found)
        }
        is_or_any(self.scene.as_ref(), &summary.scene)
            && is_or_any(self.area.as_ref(), &summary.area)
            && is_or_any(self.device.as_ref(), &summary.device)
            && is_or_any(self.level.as_ref(), &summary.level)
            && is_or_any(self.stage.as_ref(), &summary.stage)
            && is_or_any(self.category.as_ref(), &summary.category)
            && is_or_any(self.drill.as_ref(), &summary.drill)
            && !self.not_events.contains(&summary.event)
            && self.names(summary)
    }

    fn names(&self, summary: &Summary) -> bool {
        let text = self.text.trim().to_lowercase();
        let holds = |part: &str| part.to_lowercase().contains(&text);
        text.is_empty()
            || [Language::Zh, Language::En].into_iter().any(|l| holds(summary.title.get(l)))
            || [&summary.event, &summary.scene, &summary.area, &summary.device]
                .into_iter()
                .chain(&summary.assignee)
                .any(|id| holds(id))
            || [&summary.area, &summary.device].into_iter().any(|id| self.named.contains(id))
    }
}

impl Place {
    fn of(summary: &Summary) -> Self {
        Self { opened: summary.opened, event: summary.event.clone() }
    }

    fn key(&self) -> Vec<u8> {
        index_key(self.opened, &self.event)
    }
}

impl Row {
    fn encode(&self) -> Vec<u8> {
        let summary = serde_json::to_vec(&self.summary).unwrap_or_default();
        [&self.last.to_be_bytes()[..], &summary].concat()
    }

    /// `None` when the bytes are no row.
    fn decode(value: &[u8]) -> Option<Self> {
        let (last, summary) = value.split_at_checked(8)?;
        Some(Self { last: number(last)?, summary: serde_json::from_slice(summary).ok()? })
    }
}

impl<'d> Draft<'d> {
    pub(super) fn new(db: &'d sled::Db) -> Self {
        Self { db, rows: BTreeMap::new(), gone: Vec::new(), through: None, failed: None }
    }

    /// Takes a new entry of the journal in. One that is no message of an event leaves no line.
    pub(super) fn note(&mut self, entry: &Entry) {
        self.through = Some(entry.sequence);
        let Ok(told) = serde_json::from_slice::<Told>(&entry.json) else { return };
        let transition = told.kind.rsplit_once('.').map(|(_, word)| word.to_owned());
        let transition = transition
            .and_then(|word| serde_json::from_value(serde_json::Value::String(word)).ok());
        let (Some(transition), Ok(at)) = (transition, told.time.parse()) else { return };
        let before = self.take(&entry.event).map(|row| row.summary);
        let mut summary = Summary::apply(before, transition, at, &told.data);
        summary.event.clone_from(&entry.event);
        self.rows.insert(entry.event.clone(), Some(Row { last: entry.sequence, summary }));
    }

    /// An entry goes from the journal's old end.
    pub(super) fn forget(&mut self, entry: &Entry) {
        let Some(row) = self.take(&entry.event) else { return };
        let is_last = row.last <= entry.sequence;
        if is_last {
            self.gone.push(Place::of(&row.summary));
        }
        self.rows.insert(entry.event.clone(), (!is_last).then_some(row));
    }

    fn take(&mut self, event: &str) -> Option<Row> {
        match self.rows.remove(event) {
            Some(row) => row,
            None => read(self.db, event).unwrap_or_else(|error| {
                self.failed.get_or_insert(error);
                None
            }),
        }
    }

    /// Enters the changes into the batch.
    pub(super) fn write(self, batch: &mut sled::Batch) -> Result<(), StoreError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        for place in self.gone {
            batch.remove(place.key());
            batch.remove(place_key(&place.event));
        }
        for row in self.rows.into_values().flatten() {
            let Row { summary, .. } = &row;
            batch.insert(place_key(&summary.event), &summary.opened.0.to_be_bytes());
            batch.insert(index_key(summary.opened, &summary.event), row.encode());
        }
        if let Some(through) = self.through {
            batch.insert(META_INDEX, mark(through));
        }
        Ok(())
    }
}

fn mark(through: u64) -> Vec<u8> {
    [&[VERSION][..], &through.to_be_bytes()].concat()
}

/// The line of an event, as it is on disk.
fn read(db: &sled::Db, event: &str) -> Result<Option<Row>, StoreError> {
    let Some(opened) = guarded(|| db.get(place_key(event)))? else { return Ok(None) };
    let Some(opened) = opened.as_ref().try_into().ok().map(i64::from_be_bytes) else {
        return Ok(None);
    };
    let value = guarded(|| db.get(index_key(Timestamp(opened), event)))?;
    Ok(value.and_then(|value| Row::decode(&value)))
}

/// Makes the index anew when it does not reach to the journal's end.
pub(super) fn mend(disk: &mut Disk, last: u64) -> Result<(), StoreError> {
    let found = guarded(|| disk.db.get(META_INDEX))?;
    if found.is_some_and(|found| *found == mark(last)) {
        return Ok(());
    }
    let db = disk.db.clone();
    let mut batch = sled::Batch::default();
    for prefix in [b"i", b"p"] {
        let mut rows = db.scan_prefix(prefix).keys();
        while let Some(key) = guarded(|| rows.next().transpose())? {
            batch.remove(key);
        }
    }
    batch.remove(META_INDEX);
    disk.commit(batch, false)?;
    let mut rows = db.scan_prefix(b"j");
    loop {
        let mut draft = Draft::new(&db);
        let mut many = 0;
        while many < AT_ONCE
            && let Some((key, value)) = guarded(|| rows.next().transpose())?
        {
            many += 1;
            if let Some(entry) = Entry::decode(&key, &value) {
                draft.note(&entry);
            }
        }
        let mut batch = sled::Batch::default();
        draft.write(&mut batch)?;
        if many < AT_ONCE {
            batch.insert(META_INDEX, mark(last));
            return disk.commit(batch, true);
        }
        disk.commit(batch, false)?;
    }
}

impl Store {
    /// The events that opened from `from` on and before `to`, oldest first.
    pub fn summaries(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Summary>, StoreError> {
        let db = self.0.db()?;
        let mut rows = db.range(index_key(from, "")..index_key(to, ""));
        let mut found = Vec::new();
        while let Some((_, value)) = guarded(|| rows.next().transpose())? {
            found.extend(Row::decode(&value).map(|row| row.summary));
        }
        Ok(found)
    }

    /// Some of the events that the filter lets in, newest first, from `before` on into the past.
    pub fn past(
        &self,
        filter: &Filter,
        before: Option<&Place>,
        many: usize,
    ) -> Result<Past, StoreError> {
        let db = self.0.db()?;
        let end = before.map_or_else(|| b"j".to_vec(), Place::key);
        let mut rows = db.range(b"i".to_vec()..end).rev();
        let mut past = Past::default();
        let mut looked = 0;
        while let Some((key, value)) = guarded(|| rows.next().transpose())? {
            if past.events.len() == many || looked == LOOKS {
                return Ok(past);
            }
            looked += 1;
            past.next = index_place(&key).map(|(opened, event)| Place { opened, event });
            let row = Row::decode(&value).map(|row| row.summary);
            past.events.extend(row.filter(|summary| filter.lets_in(summary)));
        }
        past.next = None;
        Ok(past)
    }

    /// The line of one event.
    pub fn summary(&self, event: &str) -> Result<Option<Summary>, StoreError> {
        Ok(read(&self.0.db()?, event)?.map(|row| row.summary))
    }

    /// An event's messages, from old to new; of very many the first, and the newest.
    pub fn history(&self, event: &str) -> Result<Vec<Message>, StoreError> {
        let db = self.0.db()?;
        let prefix = event_prefix(event);
        let mut sequences = Vec::new();
        let mut rows = db.scan_prefix(&prefix).keys();
        while let Some(key) = guarded(|| rows.next().transpose())? {
            sequences.extend(key.get(prefix.len()..).and_then(number));
        }
        if sequences.len() > MESSAGES {
            sequences.drain(1..=sequences.len() - MESSAGES);
        }
        let mut messages = Vec::with_capacity(sequences.len());
        for sequence in sequences {
            let entry = self.entry(sequence)?;
            messages.extend(entry.and_then(|entry| serde_json::from_slice(&entry.json).ok()));
        }
        Ok(messages)
    }
}
