//! What the platform must confirm itself, when it is not its broker's word that counts.
//!
//! Every record that is handed to a connection is noted here, and stays until the platform names its
//! sequence with `events.confirm`. A range that holds a waiting record which was never sent since this
//! start is refused as a whole: the platform cannot have it, or it has it from before and gets it again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::config::Confirm;
use crate::store::Store;

/// So many that wait no longer do no harm.
const MANY: usize = 1_000;

/// Takes the platform's word. Cheap to clone.
#[derive(Clone)]
pub struct Confirmations(Arc<Shared>);

struct Shared {
    store: Store,
    confirm: Confirm,
    sent: Mutex<Sent>,
    changed: Notify,
}

/// What was handed to a connection since start and waits for the platform's word.
#[derive(Default)]
struct Sent {
    records: BTreeSet<u64>,
    gap: bool,
}

/// Why nothing was confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotConfirmed {
    /// Leave it be.
    #[error("this gateway goes by the broker's word: `uplink.confirm` is \"broker\"")]
    NotAsked,
    /// Wait for it to come, again perhaps.
    #[error("sequence {0} has not been sent since this gateway's start")]
    NotSent(u64),
}

impl Confirmations {
    pub(super) fn new(store: Store, confirm: Confirm) -> Self {
        let (sent, changed) = (Mutex::default(), Notify::new());
        Self(Arc::new(Shared { store, confirm, sent, changed }))
    }

    /// Whether the platform's word is wanted.
    pub(super) fn are_wanted(&self) -> bool {
        self.0.confirm == Confirm::Platform
    }

    pub(super) fn sent(&self, sequence: u64) {
        if !self.are_wanted() {
            return;
        }
        let (store, mut sent) = (&self.0.store, self.0.sent());
        sent.records.insert(sequence);
        // What was given up meanwhile must not pile up here.
        if sent.records.len() > 2 * store.depth() + MANY {
            let waiting = store.waiting_among(|_| true).into_iter().collect();
            sent.records = &sent.records & &waiting;
        }
    }

    pub(super) fn gap_sent(&self) {
        self.0.sent().gap = self.are_wanted();
    }

    /// Whether that record still waits for the platform's word.
    pub(super) fn awaits(&self, sequence: u64) -> bool {
        self.0.sent().records.contains(&sequence)
    }

    pub(super) fn awaits_gap(&self) -> bool {
        self.0.sent().gap
    }

    /// Let go for another reason.
    pub(super) fn forget(&self, sequence: u64) {
        self.0.sent().records.remove(&sequence);
    }

    /// Returns when the platform has confirmed something. For one waiter.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Takes what the platform has off the outbox; gives how many records waited for it. A gap that was
    /// told is confirmed with the ranges that it tells of. To be called where the disk may be touched.
    pub fn confirm(&self, ranges: &[(u64, u64)]) -> Result<usize, NotConfirmed> {
        if !self.are_wanted() {
            return Err(NotConfirmed::NotAsked);
        }
        let store = &self.0.store;
        let newest = store.span().map_or(0, |span| *span.end());
        if let Some((_, to)) = ranges.iter().find(|(_, to)| *to > newest) {
            return Err(NotConfirmed::NotSent(*to));
        }
        let is_meant = |sequence| ranges.iter().any(|(from, to)| (*from..=*to).contains(&sequence));
        let waiting = store.waiting_among(is_meant);
        let mut sent = self.0.sent();
        if let Some(unsent) = waiting.iter().find(|sequence| !sent.records.contains(sequence)) {
            return Err(NotConfirmed::NotSent(*unsent));
        }
        sent.records.retain(|sequence| !is_meant(*sequence));
        store.done(&waiting);
        let told = if sent.gap { store.gap() } else { None };
        let covers = |(from, to): &(u64, u64)| ranges.iter().any(|r| r.0 <= *from && *to <= r.1);
        if told.is_some_and(|gap| gap.ranges.iter().all(covers)) {
            sent.gap = false;
            store.gap_done();
        }
        drop(sent);
        self.0.changed.notify_one();
        Ok(waiting.len())
    }
}

impl Shared {
    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
