//! How many events, of what, where and when.

use std::collections::BTreeMap;
use std::time::Duration;

use super::month::Month;
use super::{Stretch, Trial, handling, whole};
use crate::community::Community;
use crate::community::calendar::dates::Offset;
use crate::community::quantity::Text;
use crate::community::scene::Category;
use crate::event::message::{Stage, State};
use crate::event::summary::Summary;
use crate::event::verdict::{MOST, RECORD, Raised, Tally, Verdict};
use crate::reading::Timestamp;

/// How many events, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub events: u32,
    /// Level I to IV.
    pub levels: [u32; 4],
    /// By what people said of them.
    pub real: u32,
    pub false_alarms: u32,
    pub planned: u32,
    pub acknowledged: u32,
    pub handled: u32,
    /// Events that went up a tier, because nobody came in time.
    pub escalated: u32,
    /// Events that came back after they were over.
    pub reopened: u32,
    pub dismissed: u32,
    /// Events that were put aside for a time (ISA-18.2's shelving), and for how long in all.
    pub shelved: u32,
    pub shelved_for: Duration,
    /// Not over at the end.
    pub open: u32,
}

impl Counts {
    pub(super) fn of<'a>(events: impl Iterator<Item = &'a Summary>, until: Timestamp) -> Self {
        let mut counts = Self::default();
        for event in events {
            counts.events += 1;
            counts.levels[usize::from(level(event) - 1)] += 1;
            match event.verdict {
                Some(Verdict::Real) => counts.real += 1,
                Some(Verdict::FalseAlarm) => counts.false_alarms += 1,
                Some(Verdict::PlannedWork) => counts.planned += 1,
                None => {}
            }
            counts.acknowledged += u32::from(event.acknowledged.is_some());
            counts.handled += u32::from(event.handled.is_some());
            counts.escalated += u32::from(event.escalated > 0);
            counts.reopened += u32::from(event.reopened > 0);
            counts.dismissed += u32::from(event.stage == Stage::Dismissed);
            if let Some(span) = event.shelved_for(until) {
                counts.shelved += 1;
                counts.shelved_for = counts.shelved_for.saturating_add(span);
            }
            counts.open += u32::from(!is_over(event, until));
        }
        counts
    }

    /// Events of which somebody said what they were.
    pub fn judged(&self) -> u32 {
        self.real + self.false_alarms + self.planned
    }

    /// The share that was right of those that were right or false; planned work is neither.
    pub fn precision(&self) -> Option<f64> {
        let of = self.real + self.false_alarms;
        (of > 0).then(|| f64::from(self.real) / f64::from(of))
    }
}

/// One area or scene.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub id: String,
    pub title: Text,
    pub counts: Counts,
    /// Events in the same stretch of the month before.
    pub before: u32,
    /// Until it was handled, half of them.
    pub handled_in: Option<Duration>,
}

/// Whatever is out of the scale counts as the nearest level.
pub(super) fn level(event: &Summary) -> u8 {
    event.level.clamp(1, 4)
}

/// Whether nothing was left to do by then.
pub(super) fn is_over(event: &Summary, by: Timestamp) -> bool {
    let is_past = |at: Option<Timestamp>| at.is_some_and(|at| at <= by);
    let has_cleared = event.state == State::Cleared && is_past(event.cleared);
    has_cleared || is_past(event.closed) || event.stage == Stage::Dismissed
}

pub(super) fn days(events: &[&Summary], month: Month, offset: Offset) -> Vec<[u32; 4]> {
    let mut days = vec![[0; 4]; usize::from(month.days())];
    for event in events {
        let day = offset.local(event.opened).map(|local| local.day().unsigned_abs());
        if let Some(day) = day.and_then(|day| days.get_mut(usize::from(day).checked_sub(1)?)) {
            day[usize::from(level(event) - 1)] += 1;
        }
    }
    days
}

pub(super) fn hours(events: &[&Summary], offset: Offset) -> [[u32; 24]; 7] {
    let mut hours = [[0; 24]; 7];
    for local in events.iter().filter_map(|event| offset.local(event.opened)) {
        let weekday = local.date().weekday().to_monday_zero_offset().unsigned_abs();
        hours[usize::from(weekday)][usize::from(local.hour().unsigned_abs())] += 1;
    }
    hours
}

pub(super) fn categories(events: &[&Summary]) -> Vec<(Category, u32)> {
    let all = [
        Category::Safety,
        Category::Facility,
        Category::Environment,
        Category::Waste,
        Category::Parking,
        Category::Camera,
    ];
    let mut counted = all.map(|of| (of, super::count(events.iter().filter(|e| e.category == of))));
    counted.sort_by_key(|(_, events)| std::cmp::Reverse(*events));
    counted.into_iter().filter(|(_, events)| *events > 0).collect()
}

pub(super) fn areas(
    events: &[&Summary],
    before: &[&Summary],
    community: &Community,
    until: Timestamp,
) -> Vec<Row> {
    // An area without events is worth its line: nothing happened there.
    let known = community.areas.iter().map(|a| (a.id.as_str(), whole(&a.title, &a.id))).collect();
    rows(events, before, |e| &e.area, &known, until)
}

pub(super) fn scenes(
    events: &[&Summary],
    before: &[&Summary],
    community: &Community,
    until: Timestamp,
) -> Vec<Row> {
    let mut known: BTreeMap<&str, Text> =
        events.iter().map(|e| (e.scene.as_str(), whole(&e.title, &e.scene))).collect();
    for scene in &community.scenes {
        if let Some(title) = known.get_mut(scene.head.id.as_str()) {
            *title = whole(&scene.head.title, &scene.head.id);
        }
    }
    rows(events, before, |e| &e.scene, &known, until)
}

/// What scenes on trial would have raised; what other scenes raised stands in the journal.
pub(super) fn trials(raised: &[Raised], community: &Community, stretch: &Stretch) -> Vec<Trial> {
    let mut groups: BTreeMap<&str, (Text, Tally)> = BTreeMap::new();
    for raised in raised.iter().filter(|raised| raised.is_pilot && stretch.holds(raised.opened)) {
        let known = community.scenes.iter().find(|scene| scene.head.id == raised.scene);
        let title = known.map_or(&raised.title, |scene| &scene.head.title);
        let (_, tally) = groups
            .entry(&raised.scene)
            .or_insert_with(|| (whole(title, &raised.scene), Tally::default()));
        tally.count(raised.verdict());
    }
    let found = super::most(groups, |(_, tally)| tally.events, usize::MAX);
    found.into_iter().map(|(_, (title, tally))| Trial { title, tally }).collect()
}

/// From when on all that was raised is still remembered; what nobody has judged is forgotten first.
pub(super) fn trials_since(raised: &[Raised], now: Timestamp) -> Option<Timestamp> {
    let opened = |is_judged| {
        raised.iter().filter(move |raised| raised.said.is_some() == is_judged).map(|r| r.opened)
    };
    let is_full = raised.len() >= MOST;
    // With nothing but judged ones left, whatever was not judged may be gone.
    let oldest = opened(false).min().or_else(|| opened(true).max()).filter(|_| is_full);
    oldest.max(Some(now - RECORD))
}

fn rows(
    events: &[&Summary],
    before: &[&Summary],
    key: impl Fn(&Summary) -> &str,
    known: &BTreeMap<&str, Text>,
    until: Timestamp,
) -> Vec<Row> {
    let mut groups: BTreeMap<&str, Vec<&Summary>> = BTreeMap::new();
    for event in events {
        groups.entry(key(event)).or_default().push(event);
    }
    for id in known.keys() {
        groups.entry(id).or_default();
    }
    let found = super::most(groups, |group| super::count(group.iter()), usize::MAX);
    let row = |(id, group): (&str, Vec<&Summary>)| {
        let mut spans: Vec<Duration> = group
            .iter()
            .filter_map(|e| {
                let handled = e.handled.filter(|at| (e.opened..=until).contains(at))?;
                Some(handled.since(e.opened))
            })
            .collect();
        spans.sort_unstable();
        Row {
            id: id.to_owned(),
            title: known.get(id).cloned().unwrap_or_else(|| Text::new(id, id)),
            counts: Counts::of(group.iter().copied(), until),
            before: super::count(before.iter().filter(|e| key(e) == id)),
            handled_in: handling::quantile(&spans, 5),
        }
    };
    found.into_iter().map(row).collect()
}
