//! In which order records leave the box, and what is given up when too many wait.
//!
//! [`Outbox`] is the picture of what waits: most urgent level first, within a level the oldest
//! first. An event that is raised takes its waiting records with it, so that its own messages stay
//! in order. Over the limit, the oldest record of the lowest level is given up; [`Gap`] keeps
//! account of those, and [`Gap::message`] is what the platform is told of them.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::reading::{TimeQuality, Timestamp};

/// A gap names at most this many ranges; closer ones are drawn together beyond.
const MAX_RANGES: usize = 500;

/// What waits for the platform, in the order of delivery. Holds no content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outbox {
    order: BTreeMap<(u8, u64), String>,
    levels: BTreeMap<u64, u8>,
    by_event: BTreeMap<String, BTreeSet<u64>>,
}

/// A waiting record that changes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    pub sequence: u64,
    pub from: u8,
    pub to: u8,
}

impl Outbox {
    /// Adds a record, and tells which older ones of its event become more urgent with it.
    pub fn put(&mut self, sequence: u64, level: u8, event: &str) -> Vec<Moved> {
        let siblings: Vec<u64> = self.by_event.get(event).into_iter().flatten().copied().collect();
        let moved: Vec<Moved> = siblings
            .into_iter()
            .filter(|s| *s < sequence)
            .filter_map(|s| Some(Moved { sequence: s, from: *self.levels.get(&s)?, to: level }))
            .filter(|m| m.from > level)
            .collect();
        for m in &moved {
            self.order.remove(&(m.from, m.sequence));
            self.order.insert((m.to, m.sequence), event.to_owned());
            self.levels.insert(m.sequence, m.to);
        }
        self.load(sequence, level, event.to_owned());
        moved
    }

    /// Adds a record at the place where it stood before a restart.
    pub fn load(&mut self, sequence: u64, level: u8, event: String) {
        self.levels.insert(sequence, level);
        self.by_event.entry(event.clone()).or_default().insert(sequence);
        self.order.insert((level, sequence), event);
    }

    /// Takes a record out, and tells at which level it stood.
    pub fn done(&mut self, sequence: u64) -> Option<u8> {
        let level = self.levels.remove(&sequence)?;
        if let Some(event) = self.order.remove(&(level, sequence))
            && let Some(siblings) = self.by_event.get_mut(&event)
        {
            siblings.remove(&sequence);
            if siblings.is_empty() {
                self.by_event.remove(&event);
            }
        }
        Some(level)
    }

    /// Sequences and levels, most urgent first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u8)> {
        self.order.keys().map(|(level, sequence)| (*sequence, *level))
    }

    /// The one to let go when there are too many: the oldest of the lowest level.
    pub fn least(&self) -> Option<(u64, u8)> {
        let (lowest, _) = self.order.keys().next_back()?;
        self.order.range((*lowest, 0)..).next().map(|((level, sequence), _)| (*sequence, *level))
    }

    /// The oldest of all.
    pub fn oldest(&self) -> Option<u64> {
        self.levels.keys().next().copied()
    }

    /// At which level a record waits.
    pub fn level(&self, sequence: u64) -> Option<u8> {
        self.levels.get(&sequence).copied()
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

/// Why records will never reach the platform.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// More waited than `store.max-waiting` allows.
    OutboxFull,
    /// The disk took nothing, and memory was full.
    DiskFailed,
    /// The store was damaged; what could be read of it was set aside.
    StoreDamaged,
    /// Longer than a broker message may be.
    TooLarge,
    /// Another box goes on from a backup; what the old one said after it was made is in between.
    BoxReplaced,
}

/// One record that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenUp<'a> {
    pub sequence: u64,
    pub level: u8,
    /// The message's `type`.
    pub kind: &'a str,
    /// The message's `time`.
    pub time: &'a str,
    pub why: Loss,
}

/// Account of what was given up: the `data` of a `gatehouse.gap` message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// First and last sequence of each stretch; some in between may have arrived all the same.
    pub ranges: Vec<(u64, u64)>,
    pub missing: Vec<Missing>,
    /// RFC 3339; empty when unknown.
    pub first: String,
    /// RFC 3339; empty when unknown.
    pub last: String,
    pub why: BTreeSet<Loss>,
}

/// How many messages of one kind and level are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Missing {
    /// A message `type`.
    pub kind: String,
    pub level: u8,
    pub count: u64,
}

/// The CloudEvents envelope of a gap. It has no `sequence` of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GapMessage {
    pub specversion: String,
    /// A ULID made of the content: the same on every retry.
    pub id: String,
    /// `/townships/<t>/gateways/<g>`.
    pub source: String,
    /// `gatehouse.gap`.
    #[serde(rename = "type")]
    pub kind: String,
    /// RFC 3339, UTC.
    pub time: String,
    pub datacontenttype: String,
    pub timequality: TimeQuality,
    pub data: Gap,
}

impl Gap {
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Enters one record.
    pub fn add(&mut self, lost: &GivenUp<'_>) {
        self.add_range(lost.sequence, lost.sequence, lost.why);
        if self.first.is_empty() || lost.time < self.first.as_str() {
            lost.time.clone_into(&mut self.first);
        }
        if lost.time > self.last.as_str() {
            lost.time.clone_into(&mut self.last);
        }
        let same = |m: &&mut Missing| m.kind == lost.kind && m.level == lost.level;
        match self.missing.iter_mut().find(same) {
            Some(missing) => missing.count += 1,
            None => self.missing.push(Missing {
                kind: lost.kind.to_owned(),
                level: lost.level,
                count: 1,
            }),
        }
    }

    /// Enters a stretch of which nothing else is known.
    pub fn add_range(&mut self, from: u64, to: u64, why: Loss) {
        self.why.insert(why);
        self.ranges.push((from, to));
        self.ranges.sort_unstable();
        self.ranges.dedup_by(|next, kept| {
            let touches = next.0 <= kept.1.saturating_add(1);
            if touches {
                kept.1 = kept.1.max(next.1);
            }
            touches
        });
        while self.ranges.len() > MAX_RANGES {
            let closest = (1..self.ranges.len())
                .min_by_key(|i| self.ranges[*i].0 - self.ranges[*i - 1].1)
                .unwrap_or(1);
            self.ranges[closest - 1].1 = self.ranges[closest].1;
            self.ranges.remove(closest);
        }
    }

    /// Takes another account over.
    pub fn merge(&mut self, other: Self) {
        for why in other.why {
            for (from, to) in &other.ranges {
                self.add_range(*from, *to, why);
            }
        }
        for missing in other.missing {
            let same = |m: &&mut Missing| m.kind == missing.kind && m.level == missing.level;
            match self.missing.iter_mut().find(same) {
                Some(mine) => mine.count += missing.count,
                None => self.missing.push(missing),
            }
        }
        if self.first.is_empty() || (!other.first.is_empty() && other.first < self.first) {
            self.first = other.first;
        }
        self.last = std::mem::take(&mut self.last).max(other.last);
    }

    /// What the platform is told.
    pub fn message(&self, source: String, quality: TimeQuality, now: Timestamp) -> GapMessage {
        let content = serde_json::to_vec(self).unwrap_or_default();
        let digest = Sha256::new().chain_update(&source).chain_update(content).finalize();
        let chance = digest.iter().take(10).fold(0u128, |sum, byte| (sum << 8) | u128::from(*byte));
        let at = self.last.parse::<Timestamp>().unwrap_or_default().0;
        let id = ulid::Ulid::from_parts(u64::try_from(at).unwrap_or(0), chance).to_string();
        GapMessage {
            specversion: "1.0".into(),
            id,
            source,
            kind: "gatehouse.gap".into(),
            time: now.rfc3339(),
            datacontenttype: "application/json".into(),
            timequality: quality,
            data: self.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(outbox: &Outbox) -> Vec<(u64, u8)> {
        outbox.iter().collect()
    }

    #[test]
    fn the_most_urgent_goes_first_and_within_a_level_the_oldest() {
        let mut outbox = Outbox::default();

        for (sequence, level) in [(1, 4), (2, 2), (3, 4), (4, 1), (5, 2)] {
            assert_eq!(outbox.put(sequence, level, &format!("event {sequence}")), []);
        }

        assert_eq!(order(&outbox), [(4, 1), (2, 2), (5, 2), (1, 4), (3, 4)]);
    }

    #[test]
    fn a_raised_event_takes_its_waiting_records_with_it() {
        let mut outbox = Outbox::default();
        outbox.put(1, 4, "pump");
        outbox.put(2, 3, "bin");
        outbox.put(3, 4, "pump");

        let moved = outbox.put(4, 2, "pump");

        assert_eq!(
            moved,
            [Moved { sequence: 1, from: 4, to: 2 }, Moved { sequence: 3, from: 4, to: 2 }]
        );
        assert_eq!(order(&outbox), [(1, 2), (3, 2), (4, 2), (2, 3)]);
    }

    #[test]
    fn a_lowered_event_leaves_its_waiting_records_where_they_are() {
        let mut outbox = Outbox::default();
        outbox.put(1, 1, "pump");

        assert_eq!(outbox.put(2, 4, "pump"), []);

        assert_eq!(order(&outbox), [(1, 1), (2, 4)]);
    }

    #[test]
    fn the_oldest_of_the_lowest_level_is_let_go_first() {
        let mut outbox = Outbox::default();
        for (sequence, level) in [(1, 1), (2, 3), (3, 3), (4, 2)] {
            outbox.put(sequence, level, &format!("event {sequence}"));
        }

        assert_eq!(outbox.least(), Some((2, 3)));
        assert_eq!(outbox.done(2), Some(3));
        assert_eq!(outbox.least(), Some((3, 3)));
        assert_eq!(outbox.done(2), None);
        assert_eq!(outbox.oldest(), Some(1));
    }

    #[test]
    fn an_empty_outbox_keeps_nothing_of_what_passed_through() {
        let mut outbox = Outbox::default();
        for sequence in 1..100 {
            outbox.put(sequence, u8::try_from(sequence % 4).unwrap() + 1, "e");
        }

        for sequence in 1..100 {
            assert!(outbox.done(sequence).is_some());
        }

        assert_eq!(outbox, Outbox::default());
    }

    #[test]
    fn a_gap_says_what_is_missing() {
        let mut gap = Gap::default();
        let lost = |sequence, kind, time| GivenUp {
            sequence,
            level: 4,
            kind,
            time,
            why: Loss::OutboxFull,
        };

        gap.add(&lost(7, "gatehouse.event.opened", "2026-01-01T00:00:02.000Z"));
        gap.add(&lost(5, "gatehouse.event.opened", "2026-01-01T00:00:01.000Z"));
        gap.add(&lost(6, "gatehouse.event.cleared", "2026-01-01T00:00:03.000Z"));
        gap.add(&lost(9, "gatehouse.event.opened", "2026-01-01T00:00:04.000Z"));

        let missing = |kind: &str, count| Missing { kind: kind.into(), level: 4, count };
        assert_eq!(
            gap,
            Gap {
                ranges: vec![(5, 7), (9, 9)],
                missing: vec![
                    missing("gatehouse.event.opened", 3),
                    missing("gatehouse.event.cleared", 1)
                ],
                first: "2026-01-01T00:00:01.000Z".into(),
                last: "2026-01-01T00:00:04.000Z".into(),
                why: BTreeSet::from([Loss::OutboxFull]),
            }
        );
        let message = |now| gap.message("/townships/t/gateways/g".into(), TimeQuality::Synced, now);
        assert_eq!(message(Timestamp(1)).id, message(Timestamp(2)).id, "same content, same id");
    }

    #[test]
    fn a_gap_stays_small_however_scattered_the_losses() {
        let mut gap = Gap::default();

        for sequence in 0..5_000 {
            gap.add_range(sequence * 3, sequence * 3, Loss::DiskFailed);
        }

        assert_eq!(gap.ranges.len(), MAX_RANGES);
        assert_eq!(gap.ranges.first().map(|r| r.0), Some(0));
        assert_eq!(gap.ranges.last().map(|r| r.1), Some(4_999 * 3));
    }

    #[test]
    fn merging_two_gaps_is_as_good_as_one_account() {
        let lost = |sequence, time| GivenUp {
            sequence,
            level: 3,
            kind: "gatehouse.event.opened",
            time,
            why: Loss::DiskFailed,
        };
        let (a, b) = (lost(1, "2026-01-01T00:00:01.000Z"), lost(2, "2026-01-01T00:00:02.000Z"));
        let (mut whole, mut first, mut second) = (Gap::default(), Gap::default(), Gap::default());
        whole.add(&a);
        whole.add(&b);
        first.add(&a);
        second.add(&b);

        first.merge(second);

        assert_eq!(first, whole);
    }
}
