//! The last events that were raised, each with the last that was said of it.
//!
//! [`crate::pipeline`] notes each change of an event here and keeps the entries on disk, one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Lesson, Opinion, Raised, Said, Tally, Whom};
use crate::community::quantity::Text;
use crate::event::message::{EventData, State};
use crate::reading::Timestamp;

/// How far back a scene's record goes.
pub const RECORD: Duration = Duration::from_hours(90 * 24);

/// What was said counts for so long; a sixteenth of it is left by then.
const JUDGED_FOR: Duration = Duration::from_hours(360 * 24);

/// Events that are remembered at most.
pub const MOST: usize = 512;

/// Detectors on devices that one event names at most.
const SPEAKERS: usize = 16;

/// Letters of a reason that are remembered.
const LONGEST_WHY: usize = 200;

/// The last events and what was said of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    events: BTreeMap<String, Raised>,
}

impl Ledger {
    pub fn get(&self, event: &str) -> Option<&Raised> {
        self.events.get(event)
    }

    /// Puts an event back that was kept.
    pub fn restore(&mut self, raised: Raised) {
        self.events.insert(raised.event.clone(), raised);
    }

    /// Notes an event as it stands, raised by `speakers`; true when that is news.
    pub fn note<'a>(
        &mut self,
        data: &EventData,
        speakers: impl Iterator<Item = (&'a str, &'a str)>,
        now: Timestamp,
    ) -> bool {
        let raised = self.events.entry(data.event.clone()).or_insert_with(|| Raised {
            event: data.event.clone(),
            scene: data.scene.clone(),
            title: data.title.clone(),
            why: Text::default(),
            area: data.area.clone(),
            device: data.device.clone(),
            level: 0,
            opened: data.detected.parse().unwrap_or(now),
            over: None,
            speakers: BTreeSet::new(),
            said: None,
            is_pilot: false,
        });
        let before = (raised.level, raised.over, raised.speakers.len());
        raised.level = data.level;
        raised.why = shortened(&data.cause.why);
        raised.over = (data.state == State::Cleared).then(|| raised.over.unwrap_or(now));
        for (device, detector) in speakers {
            if raised.speakers.len() < SPEAKERS {
                raised.speakers.insert((device.to_owned(), detector.to_owned()));
            }
        }
        before != (raised.level, raised.over, raised.speakers.len())
    }

    /// Whether an event is one that nobody was told of, since its scene is on trial; true when that is news.
    pub fn mark_pilot(&mut self, event: &str, is_pilot: bool) -> bool {
        let marked = self.events.get_mut(event).map(|raised| &mut raised.is_pilot);
        marked.is_some_and(|marked| std::mem::replace(marked, is_pilot) != is_pilot)
    }

    /// Takes down what somebody says; `None` when nobody knows the event.
    pub fn judge(&mut self, opinion: &Opinion, now: Timestamp) -> Option<&Raised> {
        let raised = self.events.get_mut(&opinion.event)?;
        raised.said = opinion.verdict.map(|verdict| Said {
            verdict,
            by: opinion.by.clone(),
            note: opinion.note.clone(),
            at: now,
        });
        Some(raised)
    }

    /// Forgets what is too old or too much: first what nobody has judged. Gives the events' ids.
    pub fn forget(&mut self, now: Timestamp) -> Vec<String> {
        let mut order: Vec<(bool, Timestamp, &String)> = self
            .events
            .values()
            .map(|raised| match &raised.said {
                Some(said) => (true, said.at, &raised.event),
                None => (false, raised.opened, &raised.event),
            })
            .collect();
        order.sort();
        let too_many = order.len().saturating_sub(MOST);
        let is_old = |is_judged, at| now.since(at) > if is_judged { JUDGED_FOR } else { RECORD };
        let over: Vec<String> = order
            .into_iter()
            .enumerate()
            .filter(|(i, (is_judged, at, _))| *i < too_many || is_old(*is_judged, *at))
            .map(|(_, (_, _, event))| event.clone())
            .collect();
        for event in &over {
            self.events.remove(event);
        }
        over
    }

    /// What each detector on each device has been taught, as far as anything was.
    pub fn lessons(&self, now: Timestamp) -> BTreeMap<Whom, Lesson> {
        let mut said: Vec<(&Said, &Raised)> = self
            .events
            .values()
            .filter_map(|raised| Some((raised.said.as_ref()?, raised)))
            .collect();
        // In the order in which it was said, whatever was said and taken back in between.
        said.sort_by_key(|(said, raised)| (said.at, &raised.event));
        let mut lessons = BTreeMap::new();
        for (said, raised) in said {
            let Some(weight) = said.verdict.weight() else { continue };
            for (device, detector) in &raised.speakers {
                let whom = Whom {
                    scene: raised.scene.clone(),
                    detector: detector.clone(),
                    device: device.clone(),
                };
                lessons.entry(whom).or_insert_with(Lesson::default).take(said, weight);
            }
        }
        for lesson in lessons.values_mut() {
            lesson.shift = lesson.left(now);
        }
        lessons
    }

    /// How often each scene was right lately, by its events or by those it would have raised.
    pub fn tallies(
        &self,
        now: Timestamp,
        is_pilot: impl Fn(&str) -> bool,
    ) -> BTreeMap<&str, Tally> {
        let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
        let is_recent = |raised: &&Raised| now.since(raised.opened) <= RECORD;
        for raised in self.events.values().filter(is_recent) {
            if raised.is_pilot == is_pilot(&raised.scene) {
                tallies.entry(&raised.scene).or_default().count(raised.verdict());
            }
        }
        tallies
    }

    /// From the newest to the oldest.
    pub fn newest(&self) -> Vec<&Raised> {
        let mut all: Vec<&Raised> = self.events.values().collect();
        all.sort_by_key(|raised| std::cmp::Reverse(raised.over.unwrap_or(raised.opened)));
        all
    }

    /// The wall clock was set; gives the events whose times moved along.
    pub fn shift(&mut self, to: impl Fn(Timestamp) -> Timestamp) -> Vec<String> {
        let mut moved = Vec::new();
        for raised in self.events.values_mut() {
            let before = raised.clone();
            raised.opened = to(raised.opened);
            raised.over = raised.over.map(&to);
            if let Some(said) = &mut raised.said {
                said.at = to(said.at);
            }
            if *raised != before {
                moved.push(raised.event.clone());
            }
        }
        moved
    }
}

/// A dead wire names hundreds of devices.
fn shortened(text: &Text) -> Text {
    let short = |text: &str| match text.char_indices().nth(LONGEST_WHY) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    };
    Text::new(short(&text.zh), short(&text.en))
}
