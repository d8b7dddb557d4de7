//! The book of events: one per cause, from its first finding until it is over.
//!
//! Findings come from [`crate::detect`]; changes go out as [`message`]s. Findings with one key are
//! one event, however many detectors and devices speak; what happened within one step of the
//! pipeline makes at most one message. An event whose sensors have all fallen silent is *unknown*
//! and stays; one whose findings are all gone is *cleared*, and reopened when they come back soon.
//!
//! What people do about it goes its own way beside the condition ([`handling`]); an event leaves the book
//! when its condition is gone for good and nobody has to look at it any more.
//!
//! 1. [`identity`]: ids and sequences,
//! 2. `life`: what becomes of one event's condition,
//! 3. [`action`], [`handling`] and `course`: what people do about it, and what time does,
//! 4. [`message`]: what leaves the box,
//! 5. [`verdict`]: what people say of it afterwards,
//! 6. [`view`]: what of it those get who go there,
//! 7. [`summary`]: an event in one line.

pub mod action;
mod course;
pub mod handling;
pub mod identity;
mod life;
pub mod message;
pub mod summary;
pub mod verdict;
pub mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::community::people::Times;
use crate::community::quantity::Text;
use crate::detect::Evidence;
use crate::detect::rule::GradeQuestion;
use crate::reading::Timestamp;
use action::{Action, NotDone};
use handling::MOST_RETURNED;
use message::{EventData, Reported, Review, State, Transition};

/// What makes two findings one event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    pub scene: String,
    /// A device's, area's, source's or feeder's id, as the scene counts.
    pub subject: String,
}

/// A detector on a device that says something is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The device's id; for a whole wire, the devices' ids stand in [`Finding::affected`].
    pub device: String,
    pub since: Timestamp,
    pub evidence: Evidence,
    /// Devices concerned beyond `device`.
    pub affected: Vec<String>,
    /// The device has fallen silent: nobody can tell whether it still holds.
    pub is_silent: bool,
}

/// A clock that was set forward by this much was wrong; what it dated is told anew.
const WRONG: Duration = Duration::from_mins(1);

/// An event that is not over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    pub data: EventData,
    pub started: Timestamp,
    people: u32,
    reopen_within: Duration,
    cleared: Option<Timestamp>,
    /// When it was last graded.
    #[serde(default)]
    judged: Timestamp,
    /// By device and detector.
    findings: BTreeMap<String, Finding>,
    /// The findings that are on disk.
    #[serde(default)]
    kept: BTreeSet<String>,
    /// What the last message said.
    told: Told,
    /// It is gone, waits for a person, and its key is free for another one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_aside: bool,
    /// How far people are with it.
    #[serde(default)]
    course: course::Course,
    /// Its times were moved since the last message: the clock was wrong when it was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_redated: bool,
    /// Its `opened` went out: what becomes of it goes out, too. What is on disk has been heard of.
    #[serde(default = "heard_of")]
    pub is_heard_of: bool,
}

fn heard_of() -> bool {
    true
}

/// What the last message said, as far as it decides whether another one is due.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Told {
    state: Option<State>,
    level: u8,
    speakers: BTreeSet<String>,
    affected: BTreeSet<String>,
    #[serde(default)]
    device: String,
    at: Timestamp,
    #[serde(default)]
    review: Review,
    #[serde(default)]
    reports: usize,
    #[serde(default)]
    evidence: usize,
}

/// Where a device stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The area's id.
    pub area: String,
    pub location: Text,
}

/// What a new event is about; but for the device and its place fixed for its life.
#[derive(Debug, Clone, PartialEq)]
pub struct Concern {
    /// With `event`, `level`, `state`, `started`, `detected`, `cause` and `affected` still to be filled.
    pub data: EventData,
    pub people: u32,
    pub reopen_within: Duration,
}

/// Something that the world should hear.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub key: Key,
    /// In their order, each with the event as it stood then. None: nothing to hear, but the state to
    /// keep has changed.
    pub news: Vec<(Transition, EventData)>,
    /// The event's state to keep, to be found again after a restart.
    pub live: Live,
}

/// What the book asks of those around it.
pub struct World<'w> {
    /// The level of a scene's event.
    pub grade: &'w dyn Fn(&str, &GradeQuestion) -> u8,
    /// Where a device stands.
    pub place: &'w dyn Fn(&str) -> Option<Place>,
    /// How long an event waits for people; `None` when nobody is called about it.
    pub times: &'w dyn Fn(&Live) -> Option<Times>,
}

/// People who are named as reporters of one event.
const MOST_REPORTS: usize = 16;

/// Ends the subject of an exercise.
const DRILL: &str = "~drill";

/// The scene of what people report.
pub const REPORT: &str = "report";

/// Stands between what an event was about and its id, once its key is free for another one. No id of the
/// configuration has it.
const ASIDE: char = '~';

impl Key {
    /// An exercise of a scene at a place.
    pub fn drill(scene: &str, place: &str) -> Self {
        Self { scene: scene.to_owned(), subject: format!("{place}{DRILL}") }
    }

    /// No sensor stands behind it, so that no configuration ends it.
    pub fn is_by_people(&self) -> bool {
        self.scene == REPORT || self.subject.ends_with(DRILL)
    }
}

/// The book.
#[derive(Debug, Clone, Default)]
pub struct Book {
    live: BTreeMap<Key, Live>,
    dirty: BTreeSet<Key>,
    next: Option<Timestamp>,
}

impl Book {
    /// Events that are open or unknown.
    pub fn open(&self) -> impl Iterator<Item = (&Key, &Live)> {
        self.live.iter().filter(|(_, live)| live.told.state.is_some_and(|s| s != State::Cleared))
    }

    /// Every event that is not over, cleared ones that may reopen included.
    pub fn all(&self) -> impl Iterator<Item = (&Key, &Live)> {
        self.live.iter()
    }

    /// Puts an event back that was alive before a restart.
    pub fn restore(&mut self, key: Key, live: Live) {
        self.dirty.insert(key.clone());
        self.live.insert(key, live);
    }

    /// Gives an event its id, and notes whether the world has heard of it.
    pub fn name(&mut self, key: &Key, id: &str, is_heard_of: bool) {
        if let Some(live) = self.live.get_mut(key) {
            id.clone_into(&mut live.data.event);
            live.is_heard_of = is_heard_of;
        }
    }

    /// Brings up once more what the world has not heard of: its scene may be live now.
    pub fn bring_up_unheard(&mut self) {
        for (key, live) in self.live.iter_mut().filter(|(_, live)| !live.is_heard_of) {
            live.kept.clear();
            self.dirty.insert(key.clone());
        }
    }

    /// Notes what a person says of an event; false when it is not in the book. The condition goes on: a
    /// verdict is about the alarm, not about the world.
    pub fn review(&mut self, event: &str, review: impl FnOnce(&Review) -> Review) -> bool {
        self.amend(event, |data| data.review = review(&data.review))
    }

    /// Notes that something kept on the box shows an event; false when it is not in the book.
    pub fn attach(&mut self, event: &str, reference: String) -> bool {
        self.amend(event, |data| {
            if !data.evidence.contains(&reference) {
                data.evidence.push(reference);
            }
        })
    }

    fn amend(&mut self, event: &str, amend: impl FnOnce(&mut EventData)) -> bool {
        let Some((key, live)) = self.live.iter_mut().find(|(_, live)| live.data.event == event)
        else {
            return false;
        };
        amend(&mut live.data);
        self.dirty.insert(key.clone());
        true
    }

    /// The event of that id.
    pub fn find(&self, event: &str) -> Option<(&Key, &Live)> {
        self.live.iter().find(|(_, live)| live.data.event == event && !event.is_empty())
    }

    pub fn get(&self, key: &Key) -> Option<&Live> {
        self.live.get(key)
    }

    /// Does what somebody wants done; `None` when the event is not in the book, false when there was
    /// nothing left to do.
    pub fn act(&mut self, action: &Action, now: Timestamp) -> Option<Result<bool, NotDone>> {
        let key = self.find(&action.event)?.0.clone();
        let live = self.live.get_mut(&key)?;
        let done = live.act(action, now);
        self.dirty.insert(key);
        Some(done)
    }

    /// Notes a finding of an event that is in the book.
    pub fn raise_known(&mut self, key: &Key, finding: Finding) {
        if let Some(live) = self.live.get_mut(key) {
            live.findings.insert(speaker(&finding.device, &finding.evidence.detector), finding);
            self.dirty.insert(key.clone());
        }
    }

    /// Adds somebody who reports an event, as one more witness.
    pub fn add_report(&mut self, key: &Key, reported: Reported) {
        if let Some(live) = self.live.get_mut(key)
            && live.data.reports.len() < MOST_REPORTS
        {
            live.data.reports.push(reported);
            self.dirty.insert(key.clone());
        }
    }

    /// Notes a finding; the first one of its key makes an event of the `concern`.
    ///
    /// `echo` belongs to the frame that raised it; an event keeps that of the frame which opened or
    /// reopened it.
    pub fn raise(
        &mut self,
        key: Key,
        finding: Finding,
        echo: BTreeMap<String, serde_json::Value>,
        concern: impl FnOnce() -> Concern,
    ) {
        let live = self.live.entry(key.clone()).or_insert_with(|| {
            let Concern { data, people, reopen_within } = concern();
            Live {
                data,
                started: finding.since,
                people,
                reopen_within,
                cleared: None,
                judged: finding.since,
                kept: BTreeSet::new(),
                findings: BTreeMap::new(),
                told: Told::default(),
                is_aside: false,
                course: course::Course::default(),
                is_redated: false,
                is_heard_of: false,
            }
        });
        if live.findings.is_empty() {
            live.data.echo = echo;
        }
        live.findings.insert(speaker(&finding.device, &finding.evidence.detector), finding);
        self.dirty.insert(key);
    }

    /// Brings a finding's evidence up to date, if it is in the book. An event explains itself by the
    /// worst that was seen: what is less bad than what is known changes nothing.
    pub fn refresh(&mut self, key: &Key, device: &str, evidence: Evidence) {
        if let Some(live) = self.live.get_mut(key)
            && let Some(finding) = live.findings.get_mut(&speaker(device, &evidence.detector))
            && evidence.over >= finding.evidence.over
        {
            finding.evidence = evidence;
            self.dirty.insert(key.clone());
        }
    }

    /// How far over the limit a finding was when it was last noted.
    pub fn over(&self, key: &Key, device: &str, detector: &str) -> Option<f64> {
        let finding = self.live.get(key)?.findings.get(&speaker(device, detector))?;
        Some(finding.evidence.over)
    }

    /// Notes that all findings of an event are over.
    pub fn drop_all(&mut self, key: &Key) {
        if let Some(live) = self.live.get_mut(key)
            && !live.findings.is_empty()
        {
            live.findings.clear();
            self.dirty.insert(key.clone());
        }
    }

    /// Notes that a finding is over.
    pub fn drop_finding(&mut self, key: &Key, device: &str, detector: &str) {
        if let Some(live) = self.live.get_mut(key)
            && live.findings.remove(&speaker(device, detector)).is_some()
        {
            self.dirty.insert(key.clone());
        }
    }

    /// Notes whether anybody can still tell what a detector on a device said.
    pub fn set_silent(&mut self, key: &Key, device: &str, detector: &str, is_silent: bool) {
        let Some(live) = self.live.get_mut(key) else { return };
        if let Some(finding) = live.findings.get_mut(&speaker(device, detector))
            && finding.is_silent != is_silent
        {
            finding.is_silent = is_silent;
            self.dirty.insert(key.clone());
        }
    }

    /// The clock that times events was set forward from `before`; what it has timed moves along.
    pub fn handle_clock_step(&mut self, by: Duration, before: Timestamp) {
        let moved = |at: Timestamp| if at <= before { at + by } else { at };
        for (key, live) in &mut self.live {
            live.started = moved(live.started);
            live.judged = moved(live.judged);
            live.told.at = moved(live.told.at);
            live.cleared = live.cleared.map(moved);
            live.course.shift(moved);
            for finding in live.findings.values_mut() {
                finding.since = moved(finding.since);
            }
            // Drift is nobody's business.
            if by >= WRONG {
                live.redate(moved);
                self.dirty.insert(key.clone());
            }
        }
        self.next = self.next.map(moved);
    }

    /// Ends events whose scene or devices are no longer configured.
    pub fn retain_findings(&mut self, mut is_known: impl FnMut(&Key, &Finding) -> bool) {
        for (key, live) in &mut self.live {
            let before = live.findings.len();
            live.findings.retain(|_, finding| is_known(key, finding));
            if live.findings.len() != before {
                self.dirty.insert(key.clone());
            }
        }
    }

    /// When [`Book::poll_changes`] is wanted again, if nothing else happens.
    pub fn due(&self) -> Option<Timestamp> {
        self.next
    }

    /// What has changed since the last call.
    ///
    /// Events that nobody has to look at any more are forgotten; the keys that are free stand in `over`.
    pub fn poll_changes(
        &mut self,
        world: &World<'_>,
        over: &mut Vec<Key>,
        now: Timestamp,
    ) -> Vec<Change> {
        let is_due = self.next.is_some_and(|due| now >= due);
        if !is_due && self.dirty.is_empty() {
            return Vec::new();
        }
        if is_due {
            let due = self.live.iter().filter(|(_, live)| live.due() <= now);
            self.dirty.extend(due.map(|(key, _)| key.clone()));
        }
        let mut changes = Vec::new();
        while let Some(mut key) = self.dirty.pop_first() {
            let Some(live) = self.live.get_mut(&key) else { continue };
            if live.ends_by_itself().is_some_and(|at| at <= now) {
                live.findings.clear();
            }
            live.judge(world, &key.scene, now);
            let news = live.news(world, now);
            let is_moved = live.moves_aside(now);
            if live.is_over(now) {
                over.push(key.clone());
                if let Some(live) = self.live.remove(&key).filter(|_| !news.is_empty()) {
                    changes.push(Change { key, news, live });
                }
                continue;
            }
            let is_known = live.is_kept() || live.told.state.is_none();
            if news.is_empty() && !live.course.is_touched && !is_moved && is_known {
                continue;
            }
            live.course.is_touched = false;
            live.kept = live.findings.keys().cloned().collect();
            let live = live.clone();
            if is_moved {
                over.push(key.clone());
                self.live.remove(&key);
                key.subject = format!("{}{ASIDE}{}", key.subject, live.data.event);
                self.live.insert(key.clone(), live.clone());
                self.give_up_oldest();
            }
            changes.push(Change { key, news, live });
        }
        let soonest = self.live.values().map(Live::due).min();
        self.next = if is_due { soonest } else { self.next.into_iter().chain(soonest).min() };
        changes
    }

    /// Closes what has waited longest for a person when too much does.
    fn give_up_oldest(&mut self) {
        let aside = self.live.iter().filter(|(_, live)| live.is_aside);
        if aside.clone().count() > MOST_RETURNED
            && let Some(key) =
                aside.min_by_key(|(_, live)| live.cleared).map(|(key, _)| key.clone())
            && let Some(live) = self.live.get_mut(&key)
        {
            live.course.is_given_up = true;
            self.dirty.insert(key);
        }
    }
}

/// The name of a detector on a device within an event.
fn speaker(device: &str, detector: &str) -> String {
    format!("{device}/{detector}")
}

#[cfg(test)]
mod tests;
