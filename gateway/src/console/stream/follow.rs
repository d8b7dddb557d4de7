//! The journal's records as they come, from a place that the reader knows or from now on.
//!
//! Nothing is missing and nothing comes twice: the place moves on with what was read. Where the journal
//! no longer has what comes next, or too much of it, that is said instead.

use tokio::sync::watch;

use crate::store::{Store, StoreError};

/// Records that are sent again to one who was away; who missed more starts anew.
const REPLAYED: u64 = 1_000;
/// Records that are read at once.
const AT_ONCE: usize = 100;

/// Where somebody is in the journal.
pub(super) struct Follow {
    store: Store,
    reached: watch::Receiver<u64>,
    /// The last sequence that was sent.
    pub at: u64,
}

/// How it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    /// From now on.
    Fresh,
    /// After what the reader has.
    Resumed,
    /// From now on: what the reader lacks is not there, or is too much.
    Reset,
}

/// What came.
pub(super) enum News {
    /// The view has changed.
    Picture,
    /// Sequences and messages; never again.
    Records(Vec<(u64, String)>),
    /// Something is not there any more; it goes on after it.
    Reset,
}

impl Follow {
    /// `last` is the last sequence that the reader has; a word that is none counts as one that we do not
    /// know.
    pub(super) fn begin(store: &Store, last: Option<&str>) -> (Self, Begun) {
        let reached = store.reached();
        let end = *reached.borrow();
        let mut follow = Self { store: store.clone(), reached, at: end };
        let Some(last) = last else { return (follow, Begun::Fresh) };
        let first = store.span().map_or(end + 1, |span| *span.start());
        let known = last.parse().ok().filter(|last: &u64| {
            *last <= end && end - last <= REPLAYED && (*last == end || last + 1 >= first)
        });
        match known {
            Some(last) => follow.at = last,
            None => return (follow, Begun::Reset),
        }
        (follow, Begun::Resumed)
    }

    /// Whether something stands in the journal that was not sent.
    pub(super) fn is_behind(&self) -> bool {
        *self.reached.borrow() > self.at
    }

    /// Waits for what comes next. Whoever drops it half way loses nothing.
    pub(super) async fn news(&mut self) -> Option<News> {
        let at = self.at;
        let end = *self.reached.wait_for(|end| *end > at).await.ok()?;
        let store = self.store.clone();
        let read = tokio::task::spawn_blocking(move || read(&store, at, end)).await;
        Some(match read.unwrap_or(Err(StoreError::Closed)) {
            Ok(Some(records)) => {
                let is_all = records.len() < AT_ONCE;
                self.at = if is_all { end } else { records.last().map_or(end, |(at, _)| *at) };
                News::Records(records)
            }
            Ok(None) => self.reset(end),
            Err(error) => {
                tracing::warn!(%error, "the journal cannot be followed");
                self.reset(end)
            }
        })
    }

    fn reset(&mut self, end: u64) -> News {
        self.at = end;
        News::Reset
    }
}

/// Some of what stands after `at`; `None` when its beginning is gone.
fn read(store: &Store, at: u64, end: u64) -> Result<Option<Vec<(u64, String)>>, StoreError> {
    let mut records = Vec::new();
    for entry in store.journal(at + 1..=end).take(AT_ONCE) {
        let entry = entry?;
        let mut json = String::from_utf8_lossy(&entry.json).into_owned();
        // A stream's line could not hold it; in JSON it never stands bare.
        json.retain(|letter| letter != '\r');
        records.push((entry.sequence, json));
    }
    let is_gone = store.span().is_some_and(|span| *span.start() > at + 1);
    let is_torn = records.first().is_none_or(|(first, _)| *first > at + 1);
    Ok((!(is_gone && is_torn)).then_some(records))
}
