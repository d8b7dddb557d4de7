//! Events that people begin: what somebody reports from a phone, and exercises.
//!
//! A report joins the event that a sensor has open in that area for the same cause, as one more witness;
//! else it opens an event of the core's own scene [`REPORT`], one per area and category, which no sensor
//! watches: people's word ends it. An exercise goes the whole way of an event of its scene; it is marked
//! everywhere, and teaches and counts nothing.

use std::collections::BTreeMap;

use super::Pipeline;
use super::concern::{Own, empty_concern, scene_concern};
use super::health::Health;
use crate::community::quantity::Text;
use crate::community::scene::Category;
use crate::detect::Evidence;
use crate::event::action::{Deed, Drill, NotDone, Report};
use crate::event::message::{Reported, Stage, State};
use crate::event::{Finding, Key, REPORT};
use crate::reading::{DeviceIndex, Timestamp};

/// The detector of what people see.
const PERSON: &str = "person";

/// The detector of an exercise.
const DRILL: &str = "drill";

/// From so far over on, a report is level III: what may hurt somebody.
pub(super) const DANGEROUS: f64 = 1.0;

impl Pipeline {
    /// Takes down what a person saw.
    pub(super) fn handle_report(&mut self, report: Report, ticket: u64, now: Timestamp) {
        match report.checked().and_then(|report| self.report(&report, now)) {
            Ok(key) => self.begun.push((ticket, key)),
            Err(error) => self.answer_act(ticket, String::new(), Err(error)),
        }
    }

    fn report(&mut self, report: &Report, now: Timestamp) -> Result<Key, NotDone> {
        let Some(area) = self.community.areas.iter().position(|area| area.id == report.area) else {
            return Err(NotDone::NoSuchPlace(report.area.clone()));
        };
        if let Some(cause) = &report.cause
            && !self.community.scenes.iter().any(|scene| scene.head.id == *cause)
        {
            return Err(NotDone::NoSuchPlace(cause.clone()));
        }
        let reported =
            Reported { by: report.by.clone(), at: now.rfc3339(), text: report.text.clone() };
        let key = match self.same_cause(report) {
            Some(key) => key,
            None => self.open_report(report, area, now),
        };
        self.book.add_report(&key, reported);
        Ok(key)
    }

    /// The event that somebody sees who reports this, if one is open: the most urgent one.
    fn same_cause(&self, report: &Report) -> Option<Key> {
        let events = self.book.open().filter(|(key, live)| {
            let is_cause = match &report.cause {
                Some(scene) => live.data.scene == *scene,
                None => live.data.category == report.category,
            };
            // What was said to be handled or dismissed is reported because it is not.
            let is_joined = live.stage() < Stage::Handled && live.data.state != State::Cleared;
            is_cause
                && is_joined
                && live.is_heard_of
                && live.data.area == report.area
                && !live.data.drill
                && Health::from_id(&key.scene).is_none()
        });
        let urgent = events.min_by_key(|(_, live)| (live.data.level, live.started));
        urgent.map(|(key, _)| key.clone())
    }

    fn open_report(&mut self, report: &Report, area: usize, now: Timestamp) -> Key {
        let (word, name) = named(report.category);
        let mut key = Key { scene: REPORT.to_owned(), subject: format!("{}~{word}", report.area) };
        // One that waits for an answer is another matter.
        if self.book.get(&key).is_some() {
            key.subject = format!("{}~{}", key.subject, now.0);
        }
        let over = if report.category == Category::Safety { DANGEROUS } else { 0.0 };
        let why = Text::new(report.text.clone(), report.text.clone());
        let finding = self.by_people(&self.community.gateway, PERSON, over, why, now);
        let community = &self.community;
        let place = &community.areas[area];
        self.book.raise(key.clone(), finding, BTreeMap::new(), || {
            let own = Own {
                device: community.gateway.clone(),
                area: place.id.clone(),
                location: place.title.clone(),
                people: place.people,
            };
            let mut concern = empty_concern(own, now);
            REPORT.clone_into(&mut concern.data.scene);
            concern.data.category = report.category;
            concern.data.title =
                Text::new(format!("人工上报：{}", name.zh), format!("Reported: {}", name.en));
            concern.data.advice = Text::new(
                "到现场查看；处置后请上报人或其他人核实。",
                "Go and look; when it is handled, the one who reported it or another one verifies it.",
            );
            concern
        });
        key
    }

    /// Begins an exercise.
    pub(super) fn handle_drill(&mut self, drill: Drill, ticket: u64, now: Timestamp) {
        match drill.checked().and_then(|drill| self.drill(&drill, now)) {
            Ok(key) => self.begun.push((ticket, key)),
            Err(error) => self.answer_act(ticket, String::new(), Err(error)),
        }
    }

    fn drill(&mut self, drill: &Drill, now: Timestamp) -> Result<Key, NotDone> {
        let community = &self.community;
        let nowhere = |id: &String| NotDone::NoSuchPlace(id.clone());
        let scene = community.scenes.iter().position(|scene| scene.head.id == drill.scene);
        let scene = scene.ok_or_else(|| nowhere(&drill.scene))?;
        let area = community.areas.iter().position(|area| area.id == drill.place);
        let device = community.find_device(&drill.place).or_else(|| {
            let there = |device: &crate::community::Device| Some(device.area) == area;
            area.and(community.devices.iter().position(there)).map(DeviceIndex)
        });
        let device = device.ok_or_else(|| nowhere(&drill.place))?;
        let key = Key::drill(&drill.scene, &drill.place);
        let why = Text::new(
            format!("演练（{}）：{}", drill.by, drill.text),
            format!("exercise ({}): {}", drill.by, drill.text),
        );
        let id = community.device(device).id.clone();
        let finding = self.by_people(&id, DRILL, 0.0, why, now);
        self.book.raise(key.clone(), finding, BTreeMap::new(), || {
            let mut concern = scene_concern(community, device, scene, now);
            let title = &mut concern.data.title;
            *title = Text::new(format!("【演练】{}", title.zh), format!("Drill: {}", title.en));
            concern.data.drill = true;
            concern.data.review.required = false;
            concern
        });
        Ok(key)
    }

    fn by_people(
        &self,
        device: &str,
        detector: &str,
        over: f64,
        why: Text,
        now: Timestamp,
    ) -> Finding {
        let evidence = Evidence {
            detector: detector.to_owned(),
            model: PERSON.to_owned(),
            score: 1.0,
            threshold: 1.0,
            over,
            certainty: 0.5,
            why,
            contributions: Vec::new(),
            quality: 1.0,
        };
        let device = device.to_owned();
        Finding { device, since: now, evidence, affected: Vec::new(), is_silent: false }
    }

    /// Somebody says that a report is not over: its condition is there again.
    pub(super) fn raise_again(&mut self, event: &str, deed: &Deed, now: Timestamp) {
        let Some((key, live)) = self.book.find(event) else { return };
        let is_gone = live.data.state == State::Cleared;
        if !matches!(deed, Deed::Reopen) || !is_gone || key.scene != REPORT {
            return;
        }
        let (key, why, over) =
            (key.clone(), live.data.cause.why.clone(), live.data.cause.grading.over);
        let finding = self.by_people(&self.community.gateway, PERSON, over, why, now);
        self.book.raise_known(&key, finding);
    }
}

/// A category's word and name.
fn named(category: Category) -> (&'static str, Text) {
    match category {
        Category::Environment => ("environment", Text::new("环境", "environment")),
        Category::Parking => ("parking", Text::new("停车", "parking")),
        Category::Waste => ("waste", Text::new("垃圾", "waste")),
        Category::Camera => ("camera", Text::new("视频", "camera")),
        Category::Facility => ("facility", Text::new("设施", "facility")),
        Category::Safety => ("safety", Text::new("安全", "safety")),
    }
}
