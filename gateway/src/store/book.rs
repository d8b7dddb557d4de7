//! The store's picture of what is on disk: what waits, where the journal begins and ends, what was
//! given up. The writer plans one database batch with it; everybody else reads it.
//!
//! It is changed before the batch is synced. What is not synced yet stays out of sight by
//! [`Book::visible`], and a batch that fails has the whole picture built anew from the disk.

use std::collections::BTreeMap;

use gatehouse_core::delivery::{Gap, GivenUp, Loss, Outbox};
use gatehouse_core::event::message::Record;
use serde::Deserialize;

use super::index::Draft;
use super::layout::{
    Entry, Hash, META_ANCHOR, META_GAPS, anchor_value, event_key, journal_key, outbox_key,
};

/// Records that are kept in memory beside the disk, a few kB each.
const FRESH: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) outbox: Outbox,
    /// Records up to this sequence are synced.
    pub(super) visible: u64,
    /// Newest entry of the journal.
    pub(super) last: u64,
    pub(super) hash: Hash,
    /// Oldest entry of the journal; `last + 1` when it is empty.
    pub(super) first: u64,
    /// What was given up and not told yet. The first is not changed any more once it was handed out.
    pub(super) gaps: Vec<Gap>,
    pub(super) is_gap_out: bool,
    pub(super) is_gap_changed: bool,
    /// No longer waiting, and still on disk.
    pub(super) gone: Vec<Gone>,
    /// Messages of the newest records that wait: most are sent right after they were written.
    pub(super) fresh: BTreeMap<u64, Vec<u8>>,
}

/// A record that waits on disk only.
#[derive(Debug)]
pub(super) struct Gone {
    level: u8,
    pub(super) sequence: u64,
    /// The platform has it. What was given up is found out again, with its account, when the disk did
    /// not take this; that the platform has it would be forgotten.
    pub(super) is_confirmed: bool,
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) waiting: usize,
    pub(super) journal: u64,
}

/// The part of a message that a gap tells of.
#[derive(Debug, Default, Deserialize)]
struct Head {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    time: String,
}

impl Book {
    /// Takes a record off the list of what waits.
    pub(super) fn confirm(&mut self, sequence: u64) -> bool {
        self.remove(sequence, true)
    }

    fn remove(&mut self, sequence: u64, is_confirmed: bool) -> bool {
        self.fresh.remove(&sequence);
        let level = self.outbox.done(sequence);
        self.gone.extend(level.map(|level| Gone { level, sequence, is_confirmed }));
        level.is_some()
    }

    /// Lets a waiting record go, on record.
    pub(super) fn give_up(&mut self, sequence: u64, why: Loss, entry: Option<&Entry>) {
        let Some(level) = self.outbox.level(sequence) else { return };
        if self.remove(sequence, false) {
            enter_loss(self.open_gap(), sequence, level, why, entry.map(|e| e.json.as_slice()));
        }
    }

    /// The account that new losses go to.
    pub(super) fn open_gap(&mut self) -> &mut Gap {
        self.is_gap_changed = true;
        if self.gaps.is_empty() || (self.gaps.len() == 1 && self.is_gap_out) {
            self.gaps.push(Gap::default());
        }
        self.gaps.last_mut().expect("one was pushed when there was none")
    }

    /// Enters the records into the picture and into the batch, and makes room for them.
    pub(super) fn put(
        &mut self,
        records: &[Record],
        limits: Limits,
        batch: &mut sled::Batch,
        index: &mut Draft<'_>,
        read: impl Fn(u64) -> Option<Entry>,
    ) {
        let fresh = records.iter().filter(|r| {
            let is_new = r.sequence > self.last;
            if !is_new {
                tracing::debug!(sequence = r.sequence, "record is in the journal already");
            }
            is_new
        });
        let mut entries: Vec<Entry> = Vec::with_capacity(records.len());
        for record in fresh {
            let before = entries.last().map_or(self.hash, |e| e.hash);
            if entries.last().is_some_and(|e| e.sequence >= record.sequence) {
                continue;
            }
            let entry = Entry::new(record, &before);
            batch.insert(&journal_key(entry.sequence), entry.encode());
            batch.insert(event_key(&entry.event, entry.sequence), &[]);
            index.note(&entry);
            for moved in self.outbox.put(entry.sequence, entry.level, &entry.event) {
                batch.remove(&outbox_key(moved.from, moved.sequence));
                batch.insert(&outbox_key(moved.to, moved.sequence), entry.event.as_bytes());
            }
            batch.insert(&outbox_key(entry.level, entry.sequence), entry.event.as_bytes());
            entries.push(entry);
        }
        if let Some(newest) = entries.last() {
            if self.first > self.last {
                self.first = entries[0].sequence;
            }
            (self.last, self.hash) = (newest.sequence, newest.hash);
        }
        let lookup = |sequence: u64| {
            let at = entries.binary_search_by_key(&sequence, |e| e.sequence).ok();
            at.map_or_else(|| read(sequence), |i| Some(entries[i].clone()))
        };
        self.make_room(limits, batch, index, lookup);
        for entry in entries {
            self.fresh.insert(entry.sequence, entry.json);
            if self.fresh.len() > FRESH {
                self.fresh.pop_first();
            }
        }
    }

    fn make_room(
        &mut self,
        limits: Limits,
        batch: &mut sled::Batch,
        index: &mut Draft<'_>,
        read: impl Fn(u64) -> Option<Entry>,
    ) {
        while self.outbox.len() > limits.waiting
            && let Some((sequence, _)) = self.outbox.least()
        {
            self.give_up(sequence, Loss::OutboxFull, read(sequence).as_ref());
        }
        let mut anchor = None;
        while (self.last + 1).saturating_sub(self.first) > limits.journal {
            let entry = read(self.first);
            self.give_up(self.first, Loss::OutboxFull, entry.as_ref());
            if let Some(entry) = entry {
                batch.remove(&journal_key(entry.sequence));
                batch.remove(event_key(&entry.event, entry.sequence));
                index.forget(&entry);
                anchor = Some(anchor_value(entry.sequence, &entry.hash));
            }
            self.first += 1;
        }
        if let Some(anchor) = anchor {
            batch.insert(META_ANCHOR, anchor);
        }
    }

    /// Enters what was confirmed or given up into the batch.
    pub(super) fn clear_up(&self, batch: &mut sled::Batch) {
        for gone in &self.gone {
            batch.remove(&outbox_key(gone.level, gone.sequence));
        }
        if self.is_gap_changed {
            batch.insert(META_GAPS, serde_json::to_vec(&self.gaps).unwrap_or_default());
        }
    }

    /// The first gap, which from now on stays as it is.
    pub(super) fn take_out_gap(&mut self) -> Option<Gap> {
        let gap = self.gaps.first()?.clone();
        self.is_gap_out = true;
        Some(gap)
    }

    /// The platform has the gap that was handed out.
    pub(super) fn gap_done(&mut self) {
        if std::mem::take(&mut self.is_gap_out) && !self.gaps.is_empty() {
            self.gaps.remove(0);
            self.is_gap_changed = true;
        }
    }
}

/// Enters a record into an account, as far as its message can be read.
pub(super) fn enter_loss(gap: &mut Gap, sequence: u64, level: u8, why: Loss, json: Option<&[u8]>) {
    let head: Head = json.and_then(|json| serde_json::from_slice(json).ok()).unwrap_or_default();
    gap.add(&GivenUp { sequence, level, kind: &head.kind, time: &head.time, why });
}
