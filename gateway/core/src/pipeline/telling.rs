//! Findings become events, events become records: what the world hears, and when.

use std::sync::Arc;

use super::boundary::{Batch, Output};
use super::concern::{level_of, place_of, scene_concern};
use super::health::Health;
use super::{Pipeline, TICK};
use crate::community::Community;
use crate::community::quantity::{Language, Text};
use crate::community::scene::{Per, Status};
use crate::detect::bound::{Bound, Compiled};
use crate::detect::condition::Phase;
use crate::detect::rule::GradeQuestion;
use crate::detect::silence::{Change as SilenceChange, Subject};
use crate::event::identity::Kind;
use crate::event::message::{EventData, Message, Record, State, Transition};
use crate::event::{Change, Finding, Key, Live, World};
use crate::reading::{DeviceIndex, Quality, Reading, Ticket, Timestamp};

/// Version of the event message; a change that breaks a reader raises it.
const SCHEMA: &str = "urn:gatehouse:schema:event:v1";

/// Stands between what a warning is about and its detector; no id has it.
const AHEAD: char = '+';

impl Pipeline {
    /// A detector on a device counts from now on.
    pub(super) fn raise(
        &mut self,
        index: DeviceIndex,
        position: usize,
        since: Timestamp,
        now: Timestamp,
    ) {
        let state = &self.devices[index.0];
        let device = self.community.device(index);
        let bound = &state.bounds[position];
        let compiled = &self.compiled[bound.detector];
        let finding = Finding {
            device: device.id.clone(),
            since,
            evidence: bound.evidence(compiled, state.sight(device)),
            affected: Vec::new(),
            is_silent: false,
        };
        let key = self.key_of(index, compiled);
        let echo = state.echo.clone();
        let community = &self.community;
        let scene = compiled.scene;
        let title = compiled.event_title(bound, state.sight(device));
        self.book.raise(key, finding, echo, || {
            let mut concern = scene_concern(community, index, scene, now);
            if let Some(title) = title {
                concern.data.title = title;
            }
            concern
        });
        self.speaking.insert(index);
        self.tick.get_or_insert(now + TICK);
    }

    /// A detector on a device is over.
    pub(super) fn drop_finding(&mut self, index: DeviceIndex, position: usize) {
        let compiled = &self.compiled[self.devices[index.0].bounds[position].detector];
        let key = self.key_of(index, compiled);
        let device = &self.community.device(index).id;
        self.book.drop_finding(&key, device, &compiled.id);
        if !self.devices[index.0].bounds.iter().any(|b| b.phase.is_active()) {
            self.speaking.remove(&index);
        }
    }

    /// Keeps the events of a device that still speaks up to date with its newest readings.
    pub(super) fn follow(&mut self, index: DeviceIndex, readings: &[Reading], now: Timestamp) {
        let community = Arc::clone(&self.community);
        let device = community.device(index);
        let state = &self.devices[index.0];
        let there = state.there(now);
        let mut fresh = Vec::new();
        for bound in state.bounds.iter().filter(|b| b.phase.is_active()) {
            let is_seen = readings
                .iter()
                .any(|r| r.quality == Quality::Good && bound.points.contains(&r.point));
            if is_seen && !state.is_stale(&device.device_type, bound, there) {
                let compiled = &self.compiled[bound.detector];
                let over = bound.over(compiled, state.sight(device));
                fresh.push((bound.detector, over));
            }
        }
        for (detector, over) in fresh {
            let compiled = &self.compiled[detector];
            let key = self.key_of(index, compiled);
            self.book.set_silent(&key, &device.id, &compiled.id, false);
            // A tenth worse than what was told: worth another look at the level.
            if self
                .book
                .over(&key, &device.id, &compiled.id)
                .is_some_and(|told| over > told * 1.1 + 0.01)
            {
                self.refresh(index, detector);
            }
        }
    }

    fn refresh(&mut self, index: DeviceIndex, detector: usize) {
        let state = &self.devices[index.0];
        let device = self.community.device(index);
        let compiled = &self.compiled[detector];
        // After a restart the values are not known yet: what was told stands.
        let is_known = |b: &&Bound| b.points.iter().all(|p| state.gate.point(*p).good.is_some());
        let bound = state.bounds.iter().find(|b| b.detector == detector);
        if let Some(bound) = bound.filter(is_known).filter(|bound| bound.has_evidence()) {
            let key = self.key_of(index, compiled);
            self.book.refresh(&key, &device.id, bound.evidence(compiled, state.sight(device)));
        }
    }

    /// Once a minute while something is open: brings evidence up to date, finds values that have
    /// grown too old to tell, and ends what has been quiet for long enough.
    pub(super) fn look_again(&mut self, now: Timestamp) {
        for index in self.speaking.clone() {
            let state = &self.devices[index.0];
            let device = self.community.device(index);
            let there = state.there(now);
            let active: Vec<(usize, bool)> = state
                .bounds
                .iter()
                .filter(|b| matches!(b.phase, Phase::Active { .. }))
                // Who has not spoken since the start may still do so; its silence is told if not.
                .map(|b| {
                    let is_stale = state.is_stale(&device.device_type, b, there);
                    (b.detector, is_stale && state.frames > 0)
                })
                .collect();
            for (detector, is_stale) in active {
                if is_stale && self.settings.is_live {
                    let compiled = &self.compiled[detector];
                    let key = self.key_of(index, compiled);
                    let device = &self.community.device(index).id;
                    self.book.set_silent(&key, device, &compiled.id, true);
                } else {
                    self.refresh(index, detector);
                }
            }
        }
        self.look_at_own(now);
        let is_calm = self.speaking.is_empty() && !self.has_own_events();
        self.tick = (!is_calm).then(|| now + TICK);
    }

    pub(super) fn handle_silence(&mut self, change: SilenceChange, now: Timestamp) {
        match change {
            SilenceChange::Fell { subject, since, devices } => {
                let Some(first) = devices.first().copied() else { return };
                self.set_silent(&devices, true);
                let (health, id, name) = self.silent_subject(subject);
                let list: Vec<&str> =
                    devices.iter().map(|d| self.community.device(*d).id.as_str()).collect();
                let list = list.join(", ");
                let down = match subject {
                    Subject::Source(source) => self.sources[source.0].down.clone(),
                    Subject::Device(_) | Subject::Feeder(_) => None,
                };
                let told = |language| {
                    down.as_ref().map(|why| format!(" ({})", why.get(language))).unwrap_or_default()
                };
                let (zh, en) = (told(Language::Zh), told(Language::En));
                let why = match health {
                    Health::DeviceSilent => {
                        let minutes = now.since(since).as_secs().div_ceil(60);
                        Text::new(
                            format!("{}已 {minutes} 分钟没有数据", name.zh),
                            format!("{} has said nothing for {minutes} min", name.en),
                        )
                    }
                    _ => Text::new(
                        format!("{}失联{zh}，涉及 {} 台设备：{list}", name.zh, devices.len()),
                        format!(
                            "{} is silent{en}, with {} devices: {list}",
                            name.en,
                            devices.len()
                        ),
                    ),
                };
                let affected =
                    devices.iter().map(|d| self.community.device(*d).id.clone()).collect();
                if health != Health::DeviceSilent {
                    for device in &devices {
                        let id = self.community.device(*device).id.clone();
                        self.drop_health(Health::DeviceSilent, &id);
                    }
                }
                self.raise_health(health, &id, first, affected, why, since, now);
            }
            SilenceChange::Spoke { subject } => {
                let (health, id, _) = self.silent_subject(subject);
                self.drop_health(health, &id);
            }
        }
    }

    /// What silence means for what those devices have told before.
    fn set_silent(&mut self, devices: &[DeviceIndex], is_silent: bool) {
        for index in devices {
            let state = &self.devices[index.0];
            for bound in state.bounds.iter().filter(|b| b.phase.is_active()) {
                let compiled = &self.compiled[bound.detector];
                let key = self.key_of(*index, compiled);
                let device = &self.community.device(*index).id;
                self.book.set_silent(&key, device, &compiled.id, is_silent);
            }
        }
    }

    fn silent_subject(&self, subject: Subject) -> (Health, String, Text) {
        match subject {
            Subject::Device(index) => {
                let device = self.community.device(index);
                (Health::DeviceSilent, device.id.clone(), device.title.clone())
            }
            Subject::Source(index) => {
                let id = self.community.sources[index.0].id.clone();
                let name = Text::new(format!("“{id}”"), format!("`{id}`"));
                (Health::SourceSilent, id, name)
            }
            Subject::Feeder(index) => {
                let feeder = &self.community.feeders[index];
                (Health::FeederSilent, feeder.id.clone(), feeder.title.clone())
            }
        }
    }

    /// What makes findings of this scene on this device one event.
    pub(super) fn key_of(&self, index: DeviceIndex, compiled: &Compiled) -> Key {
        let device = self.community.device(index);
        let head = &self.community.scenes[compiled.scene].head;
        let subject = match head.per {
            Per::Device => device.id.clone(),
            Per::Area => self.community.areas[device.area].id.clone(),
        };
        // What may come is another event than what is.
        let subject = if compiled.is_warning() {
            format!("{subject}{AHEAD}{}", compiled.id)
        } else {
            subject
        };
        Key { scene: head.id.clone(), subject }
    }

    /// Ends a step: tells what changed, hands the batch to the store, settles the frame.
    pub(super) fn finish(&mut self, ticket: Option<Ticket>, now: Timestamp) {
        for question in self.asking.poll_questions(now) {
            self.counts.asked += question.rows as u64;
            self.outputs.push_back(Output::Ask(question));
        }
        let mut over = Vec::new();
        let changes = {
            let (community, grades) = (&self.community, &self.grades);
            let grade = |scene: &str, question: &GradeQuestion| {
                level_of(community, grades, scene, question)
            };
            let place = |device: &str| Some(place_of(community, community.find_device(device)?));
            let times = |live: &Live| {
                let is_told =
                    live.is_heard_of || awaits_yes(community, live) || may_tell(community, live);
                community.duties.times(live.data.level).filter(|_| is_told)
            };
            let world = World { grade: &grade, place: &place, times: &times };
            self.book.poll_changes(&world, &mut over, now)
        };
        for change in changes {
            self.tell(change, now);
        }
        self.complete_answers();
        for key in over {
            self.batch.states.push((state_key(&key), None));
        }
        self.take_last_chance(now);
        self.keep_concerned();
        let mut needs = 0;
        if !self.batch.is_empty() {
            self.batches += 1;
            needs = self.batches;
            let batch = std::mem::take(&mut self.batch);
            self.outputs.push_back(Output::Store(Batch { number: needs, ..batch }));
        }
        self.give_answers();
        if let Some(ticket) = ticket
            && self.settling.handle(ticket, needs)
        {
            self.outputs.push_back(Output::Settle(ticket));
        }
    }

    fn tell(&mut self, change: Change, now: Timestamp) {
        let Change { key, mut news, mut live } = change;
        // Who heard the beginning hears the rest, whatever becomes of the scene; an event whose scene
        // becomes live while it lasts begins then, and one that waited for a person's yes with it.
        let is_there = live.data.state != State::Cleared || live.is_approved();
        let begins = !live.is_heard_of && is_there && may_tell(&self.community, &live);
        if begins {
            news = vec![(Transition::Opened, live.data.clone())];
        }
        live.is_heard_of |= begins;
        if news.iter().any(|(t, _)| matches!(t, Transition::Opened | Transition::Reopened)) {
            self.note_begun(&key.scene);
        }
        let is_told = live.is_heard_of;
        if live.data.event.is_empty() {
            // What is withheld takes no sequence, so its ids count down from the other end.
            self.withheld += u64::from(!is_told);
            let number = if is_told { self.mint.next() } else { u64::MAX - self.withheld };
            live.data.event = self.mint.id(Kind::Event, number, now);
        }
        self.book.name(&key, &live.data.event, is_told);
        self.note_raised(&live.data, live.findings(), is_told, now);
        if is_told || awaits_yes(&self.community, &live) {
            let state = serde_json::to_vec(&live).ok().map(|json| (state_key(&key), Some(json)));
            self.batch.states.extend(state);
        }
        if !is_told {
            *self.counts.records.entry("withheld").or_default() += news.len() as u64;
            return;
        }
        for (transition, mut data) in news {
            data.event.clone_from(&live.data.event);
            if !matches!(transition, Transition::Opened | Transition::Reopened) {
                data.echo.clear();
            }
            self.send(transition, data, now);
        }
    }

    /// Makes a record of it for the platform.
    pub(super) fn send(&mut self, transition: Transition, data: EventData, now: Timestamp) {
        let sequence = self.mint.take();
        // An exercise is in no figure.
        let word = if data.drill { "drill" } else { transition.word() };
        let record = self.record(sequence, transition, data, now);
        self.batch.records.extend(record);
        *self.counts.records.entry(word).or_default() += 1;
    }

    /// Scenes on trial, and those that need a person's yes first, are sent to nobody.
    pub(super) fn is_told(&self, scene: &str) -> bool {
        is_told(&self.community, scene, false)
    }

    fn record(
        &self,
        sequence: u64,
        transition: Transition,
        data: EventData,
        now: Timestamp,
    ) -> Option<Record> {
        let (event, level) = (data.event.clone(), data.level);
        let message = Message {
            specversion: "1.0".to_owned(),
            id: self.mint.id(Kind::Message, sequence, now),
            source: format!(
                "/townships/{}/gateways/{}",
                self.community.township, self.community.gateway
            ),
            kind: format!("gatehouse.event.{}", transition.word()),
            subject: event.clone(),
            time: now.rfc3339(),
            datacontenttype: "application/json".to_owned(),
            dataschema: SCHEMA.to_owned(),
            sequence: format!("{sequence:020}"),
            bootid: format!("{:010}", self.boot),
            timequality: self.time_quality,
            data,
        };
        // Numbers in it are finite and keys are strings: serde_json has nothing to refuse.
        serde_json::to_vec(&message).ok().map(|json| Record { sequence, level, event, json })
    }
}

fn is_told(community: &Community, scene: &str, is_approved: bool) -> bool {
    let scene = community.scenes.iter().find(|s| s.head.id == scene);
    scene.is_none_or(|s| s.head.status == Status::Live && (is_approved || !s.head.review))
}

/// Whether nothing but a person's yes keeps an event from being told.
pub(super) fn awaits_yes(community: &Community, live: &Live) -> bool {
    live.needs_review() && is_told(community, &live.data.scene, true)
}

/// Whether the world may hear of an event; of an exercise it always may.
fn may_tell(community: &Community, live: &Live) -> bool {
    live.data.drill || is_told(community, &live.data.scene, live.is_approved())
}

/// The key under which an event that is not over is kept.
pub(super) fn state_key(key: &Key) -> String {
    format!("event/{}/{}", key.scene, key.subject)
}
