//! How many events each area had in the last thirty days, for the map.
//!
//! Counted from the journal, which is read on from where the last look ended: the first look of a long
//! journal takes a while, the others nothing. Exercises do not count, nor what nobody was told of.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use gatehouse_core::reading::Timestamp;
use serde::Deserialize;

use crate::store::Store;

/// How far back.
pub const SPAN: Duration = Duration::from_hours(30 * 24);

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The counts, for all who look. Cheap to clone.
#[derive(Clone, Default)]
pub struct Heat {
    store: Option<Store>,
    counts: Arc<Mutex<Counts>>,
    last: Arc<Mutex<Option<BTreeMap<String, u64>>>>,
}

#[derive(Debug, Default)]
struct Counts {
    /// The first sequence that was not looked at.
    next: u64,
    /// By day since 1970 and area.
    days: BTreeMap<i64, BTreeMap<String, u64>>,
}

/// What is read of a message.
#[derive(Deserialize)]
struct Told<'m> {
    #[serde(rename = "type")]
    kind: &'m str,
    time: &'m str,
    data: Where,
}

#[derive(Deserialize)]
struct Where {
    area: String,
    drill: bool,
}

impl Heat {
    pub fn of(store: Store) -> Self {
        Self { store: Some(store), ..Self::default() }
    }

    /// Events by area up to now; `None` while somebody else counts. Reads the disk: to be called on a
    /// thread that may wait.
    pub fn look(&self, now: Timestamp) -> Option<BTreeMap<String, u64>> {
        let mut counts = match self.counts.try_lock() {
            Ok(counts) => counts,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        if let Some(store) = &self.store {
            for entry in store.journal(counts.next..=u64::MAX) {
                // A journal that cannot be read is told of elsewhere.
                let Ok(entry) = entry else { break };
                counts.next = entry.sequence + 1;
                counts.note(&entry.json);
            }
        }
        let areas = counts.by_area(now);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(areas.clone());
        Some(areas)
    }

    /// What came of the last look.
    pub fn last(&self) -> Option<BTreeMap<String, u64>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Counts {
    fn note(&mut self, json: &[u8]) {
        let Ok(told) = serde_json::from_slice::<Told<'_>>(json) else { return };
        if !told.kind.ends_with(".opened") || told.data.drill {
            return;
        }
        let Ok(at) = told.time.parse::<Timestamp>() else { return };
        let day = self.days.entry(at.0.div_euclid(DAY_MS)).or_default();
        *day.entry(told.data.area).or_default() += 1;
    }

    fn by_area(&mut self, now: Timestamp) -> BTreeMap<String, u64> {
        let first = (now - SPAN).0.div_euclid(DAY_MS);
        self.days = self.days.split_off(&first);
        let mut areas = BTreeMap::new();
        for (area, number) in self.days.values().flatten() {
            *areas.entry(area.clone()).or_default() += number;
        }
        areas
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: &str, day: i64, area: &str, drill: bool) -> Vec<u8> {
        let time = Timestamp(day * DAY_MS + 5).rfc3339();
        let message = serde_json::json!({
            "type": format!("gatehouse.event.{kind}"), "time": time,
            "data": { "area": area, "drill": drill, "device": "d" },
        });
        serde_json::to_vec(&message).unwrap()
    }

    #[test]
    fn events_are_counted_once_and_for_thirty_days() {
        let mut counts = Counts::default();
        for message in [
            told("opened", 10, "east", false),
            told("opened", 41, "east", false),
            told("cleared", 41, "east", false),
            told("opened", 42, "west", false),
            told("opened", 42, "west", true),
            b"{".to_vec(),
        ] {
            counts.note(&message);
        }

        let areas = counts.by_area(Timestamp(42 * DAY_MS + DAY_MS / 2));

        assert_eq!(areas, [("east".to_owned(), 1), ("west".to_owned(), 1)].into());
        assert_eq!(counts.days.len(), 2, "what is too old is forgotten");
    }
}
