//! What others may read: what waits for the platform, and the journal.
//!
//! These calls touch the disk. They are quick, but not for a task that must never wait; the uplink
//! and the console call them on a blocking thread.

use std::ops::RangeInclusive;

use gatehouse_core::event::message::Message;
use gatehouse_core::event::verdict::Raised;
use serde::{Deserialize, Serialize};

use super::disk::guarded;
use super::layout::{Entry, Hash, META_ANCHOR, anchor_of, event_prefix, journal_key, number};
use super::opening::states;
use super::{Store, StoreError};

/// Entries read at once while the journal is walked.
const PAGE: usize = 128;

/// A record that waits for the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub sequence: u64,
    /// At which it waits now; the event may have been raised since it was made.
    pub level: u8,
    /// The message, as it goes out.
    pub json: Vec<u8>,
}

/// What a look at the whole hash chain found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Every entry is as it was written. `holes`: sequences that were given up before they could be
    /// written.
    Whole { entries: u64, first: u64, last: u64, holes: Vec<(u64, u64)> },
    /// This entry, or its place in the chain, is not what was written.
    Broken { sequence: u64 },
}

impl Store {
    /// The most urgent synced records that `skip` does not hold back, at most `limit`.
    pub fn waiting(
        &self,
        limit: usize,
        skip: impl Fn(u64) -> bool,
    ) -> Result<Vec<Waiting>, StoreError> {
        let places: Vec<(u64, u8)> = {
            let book = self.0.book();
            let visible = book.visible;
            let ready = book.outbox.iter().filter(|(s, _)| *s <= visible && !skip(*s));
            ready.take(limit).collect()
        };
        let mut found = Vec::with_capacity(places.len());
        for (sequence, level) in places {
            // Gone since: given up to make room.
            if let Some(entry) = self.entry(sequence)? {
                found.push(Waiting { sequence, level, json: entry.json });
            }
        }
        Ok(found)
    }

    /// Like [`Store::waiting`], for a task that must not touch the disk: `None` when one of the
    /// records would have to be read.
    pub fn waiting_in_memory(
        &self,
        limit: usize,
        skip: impl Fn(u64) -> bool,
    ) -> Option<Vec<Waiting>> {
        let book = self.0.book();
        let visible = book.visible;
        let ready = book.outbox.iter().filter(|(s, _)| *s <= visible && !skip(*s));
        let of = |(sequence, level)| {
            let json = book.fresh.get(&sequence)?.clone();
            Some(Waiting { sequence, level, json })
        };
        ready.take(limit).map(of).collect()
    }

    /// The synced records that wait and are meant by `is_meant`.
    pub fn waiting_among(&self, is_meant: impl Fn(u64) -> bool) -> Vec<u64> {
        let book = self.0.book();
        let visible = book.visible;
        let waiting = book.outbox.iter().map(|(sequence, _)| sequence);
        waiting.filter(|sequence| *sequence <= visible && is_meant(*sequence)).collect()
    }

    /// Every state that the pipeline keeps, as it was last written.
    pub fn states(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        states(&self.0.db()?)
    }

    /// The last events that were raised ([`gatehouse_core::event::verdict::Ledger`]), those that nobody was
    /// told of among them.
    pub fn raised(&self) -> Result<Vec<Raised>, StoreError> {
        let raised = |(key, json): (String, Vec<u8>)| {
            key.starts_with("raised/").then(|| serde_json::from_slice(&json).ok())?
        };
        Ok(self.states()?.into_iter().filter_map(raised).collect())
    }

    /// Every row of the alerts' room.
    pub fn mail(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let db = self.0.db()?;
        let mut found = Vec::new();
        let mut rows = db.scan_prefix(b"a");
        while let Some((key, value)) = guarded(|| rows.next().transpose())? {
            let key = String::from_utf8(key[1..].to_vec()).map_err(|_| StoreError::Unreadable)?;
            found.push((key, value.to_vec()));
        }
        Ok(found)
    }

    /// One entry of the journal.
    pub fn entry(&self, sequence: u64) -> Result<Option<Entry>, StoreError> {
        let db = self.0.db()?;
        let key = journal_key(sequence);
        let value = guarded(|| db.get(key))?;
        value.map(|v| Entry::decode(&key, &v).ok_or(StoreError::Unreadable)).transpose()
    }

    /// First and last sequence in the journal, when there is any.
    pub fn span(&self) -> Option<RangeInclusive<u64>> {
        let book = self.0.book();
        (book.first <= book.visible).then_some(book.first..=book.visible)
    }

    /// The journal from old to new. It may grow while it is read.
    pub fn journal(
        &self,
        range: RangeInclusive<u64>,
    ) -> impl Iterator<Item = Result<Entry, StoreError>> + use<> {
        let store = self.clone();
        let mut next = Some(*range.start());
        let mut page = Vec::new().into_iter();
        std::iter::from_fn(move || {
            if let Some(entry) = page.next() {
                return Some(Ok(entry));
            }
            match store.page(next?..=*range.end()) {
                Ok(entries) => {
                    next = entries.last().map(|e: &Entry| e.sequence + 1);
                    page = entries.into_iter();
                    page.next().map(Ok)
                }
                Err(error) => {
                    next = None;
                    Some(Err(error))
                }
            }
        })
    }

    fn page(&self, range: RangeInclusive<u64>) -> Result<Vec<Entry>, StoreError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let db = self.0.db()?;
        let mut rows = db.range(journal_key(*range.start())..=journal_key(*range.end()));
        let mut entries = Vec::with_capacity(PAGE);
        while entries.len() < PAGE
            && let Some((key, value)) = guarded(|| rows.next().transpose())?
        {
            entries.push(Entry::decode(&key, &value).ok_or(StoreError::Unreadable)?);
        }
        Ok(entries)
    }

    /// Everything that the journal holds about one event, from old to new.
    pub fn find(&self, event: &str) -> Result<Vec<Entry>, StoreError> {
        let db = self.0.db()?;
        let prefix = event_prefix(event);
        let mut rows = db.scan_prefix(&prefix);
        let mut found = Vec::new();
        while let Some((key, _)) = guarded(|| rows.next().transpose())? {
            let sequence = key.get(prefix.len()..).and_then(number);
            found.extend(self.entry(sequence.ok_or(StoreError::Unreadable)?)?);
        }
        Ok(found)
    }

    /// The last that the journal holds about one event.
    pub fn newest(&self, event: &str) -> Result<Option<Message>, StoreError> {
        let db = self.0.db()?;
        let prefix = event_prefix(event);
        let mut rows = db.scan_prefix(&prefix).keys().rev();
        let key = guarded(|| rows.next().transpose())?;
        let Some(sequence) = key.and_then(|key| number(key.get(prefix.len()..)?)) else {
            return Ok(None);
        };
        let entry = self.entry(sequence)?;
        Ok(entry.and_then(|entry| serde_json::from_slice(&entry.json).ok()))
    }

    /// Recomputes the whole hash chain.
    pub fn verify(&self) -> Result<Verdict, StoreError> {
        self.verify_from(self.anchor()?)
    }

    /// The newest entry that was removed from the journal's old end; what is left is chained to it.
    pub(super) fn anchor(&self) -> Result<(u64, Hash), StoreError> {
        let db = self.0.db()?;
        let anchor = guarded(|| db.get(META_ANCHOR))?.and_then(|v| anchor_of(&v));
        Ok(anchor.unwrap_or_default())
    }

    pub(super) fn verify_from(&self, mut anchor: (u64, Hash)) -> Result<Verdict, StoreError> {
        loop {
            let mut last = anchor.0;
            let verdict = self.walk(&mut last, anchor.1)?;
            anchor = self.anchor()?;
            // The journal's old end has been removed past where the walk was: no link is broken.
            let is_overtaken = matches!(verdict, Verdict::Broken { .. }) && anchor.0 > last;
            if !is_overtaken {
                return Ok(verdict);
            }
        }
    }

    /// Follows the chain from the entry `last` with this hash; `last` is then the last that fits.
    fn walk(&self, last: &mut u64, mut hash: Hash) -> Result<Verdict, StoreError> {
        let Some(span) = self.span() else {
            return Ok(Verdict::Whole { entries: 0, first: 0, last: 0, holes: Vec::new() });
        };
        let (mut entries, mut holes) = (0, Vec::new());
        for sequence in self.journal(0..=u64::MAX) {
            let entry = match sequence {
                Ok(entry) => entry,
                Err(StoreError::Unreadable) => {
                    return Ok(Verdict::Broken { sequence: self.unreadable_after(*last) });
                }
                Err(error) => return Err(error),
            };
            if entry.chained(&hash) != entry.hash {
                return Ok(Verdict::Broken { sequence: entry.sequence });
            }
            if entry.sequence > *last + 1 {
                holes.push((*last + 1, entry.sequence - 1));
            }
            (*last, hash) = (entry.sequence, entry.hash);
            entries += 1;
        }
        Ok(Verdict::Whole { entries, first: *span.start(), last: *last, holes })
    }

    fn unreadable_after(&self, last: u64) -> u64 {
        let end = self.span().map_or(last + 1, |span| *span.end());
        (last + 1..=end).find(|sequence| self.entry(*sequence).is_err()).unwrap_or(last + 1)
    }
}
