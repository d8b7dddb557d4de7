//! What gathers for one recipient, and when it leaves.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::standing::PASS_ON;
use super::{Item, Kind, Load, Recipient, Zone};
use crate::reading::Timestamp;

/// An event of level I waits so long for others of the same moment.
pub const AT_ONCE: Duration = Duration::from_secs(1);
/// After a message, the next one about level I waits so long.
pub const BETWEEN_URGENT: Duration = Duration::from_secs(15);
/// The others wait until nothing more has come for so long ...
pub const QUIET: Duration = Duration::from_secs(5);
/// ... but not longer than this.
pub const LONGEST: Duration = Duration::from_mins(1);
/// More than so many events at a time are one summary.
pub const FEW: usize = 3;
/// After a summary nothing but level I goes out for so long.
pub const AFTER_SUMMARY: Duration = Duration::from_mins(1);
/// Events that a box tells one by one; what comes beyond is counted by level.
pub const MOST: usize = 200;
/// The first pause before a failed message is tried again; each further one doubles.
const RETRY_MIN: Duration = Duration::from_secs(5);
/// No pause is longer, whatever the other side asks for: an outage is to be seen as one.
pub(super) const RETRY_MAX: Duration = Duration::from_mins(10);
/// What only a person can mend is not tried every few seconds.
const RETRY_MISCONFIGURED: Duration = Duration::from_mins(5);
/// A message that could not be delivered for so long is given up.
pub const GIVE_UP: Duration = Duration::from_hours(24);
/// And not before it was tried so often: the clock may have been set forward.
const TRIES: u32 = 20;
/// When a digest is read, on the community's clock.
const MORNING: i8 = 8;

/// One recipient's mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Mailbox {
    waiting: Vec<Waiting>,
    /// By level: what no longer had room among those.
    more: [u32; 4],
    pub(super) parcels: VecDeque<Packed>,
    /// The day of the community's clock that is counted, and its messages.
    day: i64,
    sent: u32,
    last: Option<Timestamp>,
    was_summary: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    since: Timestamp,
    item: Item,
}

/// A message that has its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Packed {
    pub(super) number: u64,
    pub(super) load: Load,
    pub(super) attempts: u32,
    pub(super) made: Timestamp,
    pub(super) next: Timestamp,
    #[serde(skip)]
    pub(super) is_out: bool,
}

/// Which mail may leave at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    All { is_digest: bool },
    Urgent,
}

impl Mailbox {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.parcels.is_empty() && self.more == [0; 4]
    }

    /// Takes times that are still to come for now: a box without a clock of its own may start in the past.
    pub(super) fn clamp(&mut self, now: Timestamp) {
        let waiting = self.waiting.iter_mut().map(|waiting| &mut waiting.since);
        let parcels = self.parcels.iter_mut().flat_map(|p| [&mut p.made, &mut p.next]);
        for time in waiting.chain(parcels).chain(self.last.iter_mut()) {
            *time = (*time).min(now);
        }
    }

    /// Puts a line in; one about the same event that still waits is brought up to date.
    pub(super) fn put(&mut self, item: Item, now: Timestamp) {
        if let Some(old) = self.waiting.iter_mut().find(|old| old.item.event == item.event) {
            let kind = if old.item.kind == Kind::Raised { Kind::Raised } else { item.kind };
            let level = old.item.level.min(item.level);
            old.item = Item { kind, level, ..item };
            return;
        }
        self.waiting.push(Waiting { since: now, item });
        if self.waiting.len() > MOST {
            // The oldest of the least urgent.
            let lowest = self.waiting.iter().map(|w| w.item.level).max();
            if let Some(at) = self.waiting.iter().position(|w| Some(w.item.level) == lowest) {
                let gone = self.waiting.remove(at);
                self.more[usize::from(gone.item.level.clamp(1, 4)) - 1] += 1;
            }
        }
    }

    /// When something is to be packed or sent; `None` while nothing waits or a parcel is out.
    pub(super) fn due(&self, to: &Recipient, zone: Zone) -> Option<Timestamp> {
        if let Some(parcel) = self.parcels.front() {
            return (!parcel.is_out).then_some(parcel.next);
        }
        let urgent = self.urgent_due();
        let others = self.others_due(to, zone).map(|(due, _)| due);
        urgent.into_iter().chain(others).min()
    }

    fn urgent_due(&self) -> Option<Timestamp> {
        let first = self.waiting.iter().filter(|w| w.item.level <= 1).map(|w| w.since).min()?;
        Some((first + AT_ONCE).max(self.last.map_or(first, |last| last + BETWEEN_URGENT)))
    }

    /// When all may leave, and whether that is a digest.
    fn others_due(&self, to: &Recipient, zone: Zone) -> Option<(Timestamp, bool)> {
        let first = self.waiting.iter().map(|w| w.since).min()?;
        let last = self.waiting.iter().map(|w| w.since).max()?;
        let gathered = (first + LONGEST).min(last + QUIET);
        let rest = self.last.filter(|_| self.was_summary).map(|at| at + AFTER_SUMMARY);
        let mut due = rest.map_or(gathered, |rest| rest.max(gathered));
        let mut is_late = false;
        if self.is_spent(to, zone, due) {
            due = zone.morning_after(due);
            is_late = true;
        }
        if let Some(open) = zone.next_in(to, due)
            && open > due
        {
            due = open;
            is_late = true;
        }
        Some((due, is_late))
    }

    /// Whether a message that goes out anyway may take the levels below I along.
    fn may_disturb(&self, to: &Recipient, zone: Zone, now: Timestamp) -> bool {
        !self.is_spent(to, zone, now) && zone.next_in(to, now) == Some(now)
    }

    fn is_spent(&self, to: &Recipient, zone: Zone, at: Timestamp) -> bool {
        to.budget.is_some_and(|budget| self.day == zone.day(at) && self.sent >= budget)
    }

    /// Makes parcels of what may leave; each takes a number.
    pub(super) fn pack(
        &mut self,
        to: &Recipient,
        zone: Zone,
        mut number: impl FnMut() -> u64,
        now: Timestamp,
    ) {
        if !self.parcels.is_empty() {
            return;
        }
        let which = match (self.others_due(to, zone), self.urgent_due()) {
            (Some((due, is_digest)), _) if due <= now => Which::All { is_digest },
            (_, Some(due)) if due <= now && self.may_disturb(to, zone, now) => {
                Which::All { is_digest: false }
            }
            (_, Some(due)) if due <= now => Which::Urgent,
            _ => return,
        };
        let mut loads: Vec<Item> = Vec::new();
        let mut kept = Vec::new();
        for waiting in self.waiting.drain(..) {
            if which == Which::Urgent && waiting.item.level > 1 {
                kept.push(waiting);
            } else {
                loads.push(waiting.item);
            }
        }
        self.waiting = kept;
        loads.sort_by_key(|item| (item.level, item.sequence));
        let more = match which {
            Which::All { .. } => std::mem::take(&mut self.more),
            // What has no line left goes with the last that has one.
            Which::Urgent if self.waiting.is_empty() => std::mem::take(&mut self.more),
            Which::Urgent => [std::mem::take(&mut self.more[0]), 0, 0, 0],
        };
        let left = to.budget.map_or(usize::MAX, |budget| {
            let sent = if self.day == zone.day(now) { self.sent } else { 0 };
            budget.saturating_sub(sent).max(1) as usize
        });
        let is_few = loads.len() <= if which == Which::Urgent { FEW } else { FEW.min(left) };
        let packed = |number, load| Packed {
            number,
            load,
            attempts: 0,
            made: now,
            next: now,
            is_out: false,
        };
        if is_few && more == [0; 4] {
            self.parcels.extend(loads.into_iter().map(|item| packed(number(), Load::One(item))));
        } else {
            let is_digest = which == Which::All { is_digest: true };
            let load = Load::Many { items: loads, more, is_digest };
            self.parcels.push_back(packed(number(), load));
        }
    }

    /// When the first parcel is tried again; `None` while none has failed.
    pub(super) fn retry(&self) -> Option<Timestamp> {
        self.parcels.front().filter(|parcel| parcel.attempts > 0).map(|parcel| parcel.next)
    }

    /// What is late when nothing leaves before `until`, each line once. What waits for the recipient's
    /// hours or for another day is not.
    pub(super) fn late(
        &mut self,
        to: &Recipient,
        zone: Zone,
        until: Timestamp,
        now: Timestamp,
    ) -> Vec<Item> {
        if until <= now || self.parcels.front().is_some_and(|parcel| parcel.is_out) {
            return Vec::new();
        }
        let may_disturb = self.may_disturb(to, zone, now);
        let parcels = self.parcels.iter_mut();
        let packed = parcels.flat_map(|p| p.load.items_mut().iter_mut().map(|item| (p.made, item)));
        let waiting = self.waiting.iter_mut().map(|waiting| (waiting.since, &mut waiting.item));
        let waiting = waiting.filter(|(_, item)| may_disturb || item.level <= 1);
        let late = packed.chain(waiting).filter(|(since, _)| until.since(*since) >= PASS_ON);
        late.filter_map(|(_, item)| item.pass_on()).collect()
    }

    /// The first parcel is not tried any more: its lines that nobody was told another way.
    pub(super) fn give_up(&mut self) -> Vec<Item> {
        let parcel = self.parcels.pop_front();
        let mut load = parcel.map(|parcel| parcel.load);
        let items = load.iter_mut().flat_map(Load::items_mut);
        items.filter_map(Item::pass_on).collect()
    }

    /// The first parcel was taken.
    pub(super) fn sent(&mut self, zone: Zone, now: Timestamp) {
        let Some(parcel) = self.parcels.pop_front() else { return };
        if self.day != zone.day(now) {
            (self.day, self.sent) = (zone.day(now), 0);
        }
        self.sent += 1;
        self.was_summary = matches!(parcel.load, Load::Many { .. });
        self.last = Some(now);
    }

    /// It was not: the pause before it is tried again, or `None` when it is to be given up.
    pub(super) fn failed(
        &mut self,
        is_misconfigured: bool,
        after: Option<Duration>,
        now: Timestamp,
    ) -> Option<Duration> {
        let parcel = self.parcels.front_mut()?;
        if now.since(parcel.made) >= GIVE_UP && parcel.attempts >= TRIES {
            return None;
        }
        let doubled = RETRY_MIN.saturating_mul(1 << parcel.attempts.min(16)).min(RETRY_MAX);
        let least = if is_misconfigured { RETRY_MISCONFIGURED } else { Duration::ZERO };
        let pause = doubled.max(least).max(after.unwrap_or_default());
        parcel.attempts += 1;
        parcel.is_out = false;
        parcel.next = now + pause;
        Some(pause)
    }
}

impl Item {
    /// A copy for another way; `None` when there was one.
    fn pass_on(&mut self) -> Option<Self> {
        let copy = self.clone();
        (!std::mem::replace(&mut self.is_passed_on, true)).then_some(copy)
    }
}

impl Load {
    /// The events that it tells one by one.
    pub fn items(&self) -> &[Item] {
        match self {
            Self::One(item) => std::slice::from_ref(item),
            Self::Many { items, .. } => items,
        }
    }

    fn items_mut(&mut self) -> &mut [Item] {
        match self {
            Self::One(item) => std::slice::from_mut(item),
            Self::Many { items, .. } => items,
        }
    }

    /// Of the most urgent event in it.
    pub fn level(&self) -> u8 {
        match self {
            Self::One(item) => item.level,
            Self::Many { items, .. } => items.iter().map(|item| item.level).min().unwrap_or(4),
        }
    }
}

impl Zone {
    /// The day of the community's clock, counted.
    fn day(self, at: Timestamp) -> i64 {
        const DAY_MS: i64 = 86_400_000;
        (at.0 + self.ahead_ms()).div_euclid(DAY_MS)
    }

    fn ahead_ms(self) -> i64 {
        self.0.map_or(0, |offset| i64::from(offset.minutes()) * 60_000)
    }

    /// Eight o'clock of the next day.
    fn morning_after(self, at: Timestamp) -> Timestamp {
        let midnight = (self.day(at) + 1) * 86_400_000 - self.ahead_ms();
        Timestamp(midnight + i64::from(MORNING) * 3_600_000)
    }

    /// The first minute from `from` on that lies in the recipient's hours.
    fn next_in(self, to: &Recipient, from: Timestamp) -> Option<Timestamp> {
        const MINUTE_MS: i64 = 60_000;
        let Some(hours) = to.hours else { return Some(from) };
        let ahead = self.ahead_ms();
        let is_open = |at: Timestamp| {
            let shown = jiff::Timestamp::from_millisecond(at.0 + ahead).ok()?;
            Some(hours.contains(jiff::tz::Offset::UTC.to_datetime(shown).time()))
        };
        if is_open(from)? {
            return Some(from);
        }
        let next = (from.0.div_euclid(MINUTE_MS) + 1) * MINUTE_MS;
        (0..24 * 60)
            .map(|minute| Timestamp(next + minute * MINUTE_MS))
            .find(|at| is_open(*at) == Some(true))
    }

    /// As a clock on the wall there shows it: `03-01 21:50`.
    pub fn shown(self, at: Timestamp) -> String {
        let shown = jiff::Timestamp::from_millisecond(at.0 + self.ahead_ms());
        let Ok(shown) = shown else { return at.rfc3339() };
        let text = jiff::tz::Offset::UTC.to_datetime(shown).strftime("%m-%d %H:%M").to_string();
        if self.0.is_some() { text } else { text + " UTC" }
    }
}
