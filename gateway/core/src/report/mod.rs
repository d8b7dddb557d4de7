//! What a month of events comes to: figures, and what to change.
//!
//! Summaries of events, the community and the time come in; [`Report::of`] counts. It reads no clock and
//! writes no sentence that has no number behind it. How it looks, on a page or on paper, is the shell's.
//!
//! 1. [`month`]: which month, by the community's own clock,
//! 2. [`handling`]: how fast events were handled, and how many in time,
//! 3. [`counting`]: how many, of what, where and when,
//! 4. [`causes`]: what raised them most,
//! 5. [`advice`]: what to change.

pub mod advice;
pub mod causes;
pub mod counting;
pub mod handling;
pub mod month;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use advice::Advice;
use causes::{Cause, Silent, Source};
use counting::{Counts, Row};
use handling::{Limits, Pace};
use month::Month;

use crate::community::Community;
use crate::community::calendar::dates::Offset;
use crate::community::quantity::Text;
use crate::community::scene::Category;
use crate::event::summary::Summary;
use crate::event::verdict::{Raised, Tally};
use crate::reading::Timestamp;

/// What a report is made from.
#[derive(Debug, Clone)]
pub struct Grounds<'a> {
    pub community: &'a Community,
    /// How soon somebody has to come, by level.
    pub limits: Limits,
    /// Events that opened since the beginning of the month before, in any order.
    pub events: &'a [Summary],
    /// Events that opened while the clock showed a year before [`month::FIRST_YEAR`].
    pub undated: &'a [Summary],
    /// The last events that were raised, for those of scenes on trial among them.
    pub raised: &'a [Raised],
    /// The oldest that the journal holds.
    pub known_since: Option<Timestamp>,
}

/// A month of a community.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub community: Text,
    pub month: Month,
    pub stretch: Stretch,
    pub left_out: LeftOut,
    pub total: Counts,
    /// The same stretch of the month before; `None` when there are no records of it.
    pub before: Option<Counts>,
    /// Opened in the month before and not over at the end of this one.
    pub carried: u32,
    /// How fast, level I to IV.
    pub levels: [Pace; 4],
    /// All levels together.
    pub pace: Pace,
    /// Events of each day, by level.
    pub days: Vec<[u32; 4]>,
    /// Events by weekday, Monday first, and hour.
    pub hours: [[u32; 24]; 7],
    pub areas: Vec<Row>,
    pub scenes: Vec<Row>,
    pub categories: Vec<(Category, u32)>,
    /// What raised most, most first.
    pub causes: Vec<Cause>,
    /// The devices that raised most.
    pub sources: Vec<Source>,
    /// The devices that fell silent most.
    pub silent: Vec<Silent>,
    /// What scenes on trial would have raised, most first.
    pub trials: Vec<Trial>,
    /// Not all of that is remembered any more: it is counted from here on, and may lie after the month.
    pub trials_since: Option<Timestamp>,
    pub advice: Vec<Advice>,
}

/// A scene on trial, and how right it would have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    pub title: Text,
    pub tally: Tally,
}

/// The part of the month that is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub from: Timestamp,
    /// The end of the month, or now.
    pub to: Timestamp,
    pub is_over: bool,
    pub offset: Offset,
    /// The community has no calendar, so it is UTC's month.
    pub is_utc: bool,
    /// Nothing is on record before this moment of the month.
    pub known_since: Option<Timestamp>,
}

/// Events of the month that no figure counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    pub drills: u32,
    /// Alerts that scenes on trial would have raised; the journal holds none of them.
    pub pilots: u32,
    /// Opened before the clock was set, and something was done about them in this month.
    pub undated: u32,
}

impl Stretch {
    /// The whole of a month as far as it has passed by `now`.
    pub fn of(
        month: Month,
        community: &Community,
        known_since: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let offset = community.calendar.as_ref().map(|c| c.time_zone);
        let is_utc = offset.is_none();
        let offset = offset.unwrap_or_default();
        let (from, end) = (month.begins(offset), month.ends(offset));
        let known_since = known_since.filter(|since| *since > from && *since < end);
        Self { from, to: end.min(now.max(from)), is_over: now >= end, offset, is_utc, known_since }
    }

    fn holds(&self, at: Timestamp) -> bool {
        (self.from..self.to).contains(&at)
    }
}

impl Report {
    pub fn of(month: Month, grounds: &Grounds<'_>, now: Timestamp) -> Self {
        let community = grounds.community;
        let stretch = Stretch::of(month, community, grounds.known_since, now);
        let trials = counting::trials(grounds.raised, community, &stretch);
        let mut left_out = LeftOut {
            pilots: trials.iter().map(|trial| trial.tally.events).sum(),
            undated: count(grounds.undated.iter().filter(|e| was_touched(e, &stretch))),
            ..LeftOut::default()
        };
        let events: Vec<&Summary> = grounds
            .events
            .iter()
            .filter(|e| stretch.holds(e.opened))
            .filter(|e| {
                left_out.drills += u32::from(e.drill);
                !e.drill
            })
            .collect();
        let before = before(month, grounds, &stretch);
        let pace = |level: Option<u8>| {
            let of_level = events.iter().filter(|e| level.is_none_or(|l| counting::level(e) == l));
            Pace::of(of_level.copied(), &grounds.limits, stretch.to)
        };
        let is_known = grounds.known_since.is_none_or(|since| since < stretch.from);
        let mut report = Self {
            community: community.title.clone(),
            month,
            left_out,
            total: Counts::of(events.iter().copied(), stretch.to),
            before: is_known.then(|| Counts::of(before.same.iter().copied(), stretch.to)),
            carried: count(before.all.iter().filter(|e| !counting::is_over(e, stretch.to))),
            levels: [1, 2, 3, 4].map(|level| pace(Some(level))),
            pace: pace(None),
            days: counting::days(&events, month, stretch.offset),
            hours: counting::hours(&events, stretch.offset),
            areas: counting::areas(&events, &before.same, community, stretch.to),
            scenes: counting::scenes(&events, &before.same, community, stretch.to),
            categories: counting::categories(&events),
            causes: causes::causes(&events, community),
            sources: causes::sources(&events, community),
            silent: causes::silent(&events, community, stretch.to),
            trials,
            trials_since: counting::trials_since(grounds.raised, now)
                .filter(|since| *since > stretch.from),
            advice: Vec::new(),
            stretch,
        };
        report.advice = advice::of(&report, &events, grounds);
        report
    }
}

/// The month before.
struct Before<'a> {
    all: Vec<&'a Summary>,
    /// As much of it as has passed of this month.
    same: Vec<&'a Summary>,
}

fn before<'a>(month: Month, grounds: &Grounds<'a>, stretch: &Stretch) -> Before<'a> {
    let begins = month.before().map_or(stretch.from, |before| before.begins(stretch.offset));
    let passed =
        if stretch.is_over { stretch.from } else { begins + stretch.to.since(stretch.from) };
    let counts = |e: &&Summary| (begins..stretch.from).contains(&e.opened) && !e.drill;
    let all: Vec<&Summary> = grounds.events.iter().filter(counts).collect();
    let same = all.iter().copied().filter(|e| e.opened < passed).collect();
    Before { all, same }
}

fn was_touched(event: &Summary, stretch: &Stretch) -> bool {
    [
        event.acknowledged,
        event.dispatched,
        event.handled,
        event.cleared,
        event.verified,
        event.closed,
    ]
    .into_iter()
    .flatten()
    .any(|at| stretch.holds(at))
}

/// How many there are.
fn count<T>(of: impl Iterator<Item = T>) -> u32 {
    u32::try_from(of.count()).unwrap_or(u32::MAX)
}

/// The keys that most belong to, most first; equal ones by key, so that a report is made twice alike.
fn most<K: Ord + Clone, T>(
    groups: BTreeMap<K, T>,
    size: impl Fn(&T) -> u32,
    many: usize,
) -> Vec<(K, T)> {
    let mut groups: Vec<(K, T)> = groups.into_iter().collect();
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(size(group)));
    groups.truncate(many);
    groups
}

/// What people call a device; its id when the configuration knows none.
fn device_title(community: &Community, id: &str) -> Text {
    let device = community.devices.iter().find(|d| d.id == id);
    device.map_or_else(|| Text::new(id, id), |d| whole(&d.title, id))
}

/// A text in both languages: what is missing in one is taken from the other, or from the id.
fn whole(text: &Text, id: &str) -> Text {
    let or = |wanted: &str, other: &str| {
        [wanted, other, id].into_iter().find(|t| !t.is_empty()).unwrap_or_default().to_owned()
    };
    Text { zh: or(&text.zh, &text.en), en: or(&text.en, &text.zh) }
}
