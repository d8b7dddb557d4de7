//! After a restart, and when the configuration is replaced: nothing opens twice, nothing hangs.
//!
//! Kept on disk are the events that are not over (`event/<scene>/<subject>`, written with each of
//! their records), delays that were running ([`super::keeping`]), and what was heard of each device
//! ([`super::remembering`]).

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::boundary::Restored;
use super::health::Health;
use super::recording::Occasion;
use super::{Pipeline, TICK, inheriting, keeping, remembering};
use crate::community::Community;
use crate::detect::condition::{Phase, Running};
use crate::detect::silence::{Silence, Subject};
use crate::event::{Finding, Key, Live};
use crate::reading::{DeviceIndex, SourceIndex, Timestamp};

impl Pipeline {
    pub(super) fn restore(&mut self, restored: Restored, now: Timestamp) {
        // One block for all of it, which is given back as a whole: what it came in is room on the heap
        // for what is made of it.
        let mut block = Vec::with_capacity(restored.states.iter().map(|(_, v)| v.len()).sum());
        let states: Vec<(String, Range<usize>)> = restored
            .states
            .into_iter()
            .map(|(key, value)| {
                let from = block.len();
                block.extend(value);
                (key, from..block.len())
            })
            .collect();
        // A delay goes on from where the events stand.
        let (delays, others): (Vec<_>, Vec<_>) =
            states.into_iter().partition(|(key, _)| key.starts_with("armed/"));
        for (key, range) in others.into_iter().chain(delays) {
            let value = &block[range];
            let parts: Vec<&str> = key.split('/').collect();
            let taken = match parts.as_slice() {
                ["event", scene, subject] => {
                    serde_json::from_slice::<Live>(value).is_ok_and(|live| {
                        let key =
                            Key { scene: (*scene).to_owned(), subject: (*subject).to_owned() };
                        self.restore_event(key, live, now);
                        true
                    })
                }
                ["heard" | "noted", device] => self.restore_heard(device, value),
                ["raised", _] => self.restore_raised(value),
                ["budget", scene] => self.restore_budget(scene, value),
                ["learnt", device, scene, detector, point] => {
                    self.restore_learnt([device, scene, detector, point], value)
                }
                ["together", device, scene, detector] => {
                    self.restore_together([device, scene, detector], value)
                }
                ["armed", device, scene, detector] => serde_json::from_slice::<Running>(value)
                    .is_ok_and(|running| {
                        self.restore_armed([device, scene, detector], running, now)
                    }),
                _ => true,
            };
            if !taken {
                self.batch.states.push((key, None));
            }
        }
        self.forget_unknown(true);
        self.raise_homeless(now);
        self.learn_verdicts(now);
    }

    fn restore_event(&mut self, key: Key, live: Live, now: Timestamp) {
        for finding in live.findings() {
            self.restore_finding(&key, finding, now);
        }
        self.book.restore(key, live);
        self.tick.get_or_insert(now + TICK);
    }

    fn restore_finding(&mut self, key: &Key, finding: &Finding, now: Timestamp) {
        let health = Health::from_id(&key.scene);
        if let Some(health) = health.filter(|health| health.has_happened()) {
            self.happened.insert(health, finding.since);
        }
        if health == Some(Health::ChannelDown) {
            self.channels_down.insert(key.subject.clone(), None);
        }
        let Some(index) = self.community.find_device(&finding.device) else { return };
        match health {
            None => {
                for position in self.positions(index, &key.scene, &finding.evidence.detector) {
                    let bound = &mut self.devices[index.0].bounds[position];
                    if !bound.phase.is_active() {
                        bound.phase = Phase::Active { since: finding.since };
                        bound.timer = None;
                    }
                    self.speaking.insert(index);
                }
            }
            Some(Health::DeviceSilent) => self.silence.recall(Subject::Device(index), now),
            Some(Health::SourceSilent) => {
                let source = self.community.sources.iter().position(|s| s.id == key.subject);
                if let Some(source) = source {
                    self.silence.recall(Subject::Source(SourceIndex(source)), now);
                }
            }
            Some(Health::FeederSilent) => {
                let feeder = self.community.feeders.iter().position(|f| f.id == key.subject);
                if let Some(feeder) = feeder {
                    self.silence.recall(Subject::Feeder(feeder), now);
                }
            }
            Some(Health::DeviceRefused) => {
                self.devices[index.0].refusals.recall(now);
                self.refusing.insert(index);
            }
            Some(Health::ClockWentBack) => {
                self.went_back.insert(index, now);
            }
            Some(
                Health::StoreFailed
                | Health::StoreDamaged
                | Health::ModelsMissing
                | Health::ChannelDown
                | Health::CandidateStopped
                | Health::BundleWithdrawn
                | Health::SettingsSetAside
                | Health::FlashWears,
            ) => {}
        }
    }

    pub(super) fn positions(&self, index: DeviceIndex, scene: &str, detector: &str) -> Vec<usize> {
        let is_it = |detector_index: usize| {
            let compiled = &self.compiled[detector_index];
            compiled.id == detector && self.community.scenes[compiled.scene].head.id == scene
        };
        let bounds = &self.devices[index.0].bounds;
        (0..bounds.len()).filter(|i| is_it(bounds[*i].detector)).collect()
    }

    /// Ends the findings whose device, scene or detector is no longer configured, and those that a
    /// start disproves.
    fn forget_unknown(&mut self, is_start: bool) {
        let mut book = std::mem::take(&mut self.book);
        book.retain_findings(|key, finding| {
            let device = self.community.find_device(&finding.device);
            let has =
                |mut ids: Box<dyn Iterator<Item = &String> + '_>| ids.any(|id| *id == key.subject);
            if key.is_by_people() {
                return true;
            }
            match (Health::from_id(&key.scene), device) {
                // The store was opened: it works.
                (Some(Health::StoreFailed), _) => !is_start,
                // The shell says so, or the opposite, at each start.
                (Some(Health::ModelsMissing | Health::ChannelDown | Health::FlashWears), _) => true,
                (Some(health), _) if health.has_happened() => true,
                (_, None) => false,
                (Some(Health::SourceSilent), Some(_)) => {
                    has(Box::new(self.community.sources.iter().map(|s| &s.id)))
                }
                (Some(Health::FeederSilent), Some(_)) => {
                    has(Box::new(self.community.feeders.iter().map(|f| &f.id)))
                }
                (Some(_), Some(_)) => true,
                (None, Some(index)) => {
                    let bounds = &self.devices[index.0].bounds;
                    self.positions(index, &key.scene, &finding.evidence.detector)
                        .iter()
                        .any(|p| self.key_of(index, &self.compiled[bounds[*p].detector]) == *key)
                }
            }
        });
        self.book = book;
    }

    /// Takes a new configuration; state is kept where ids match. A configuration with a scene that
    /// cannot work changes nothing (the shell checks before it sends one).
    pub(super) fn replace(&mut self, community: Arc<Community>, now: Timestamp) {
        // Points may have other places from here on.
        self.write_statistics(Occasion::End, now);
        self.close_windows();
        let before_community = std::mem::replace(&mut self.community, community);
        let before_compiled = std::mem::take(&mut self.compiled);
        let before_grades = std::mem::take(&mut self.grades);
        let before_devices = std::mem::take(&mut self.devices);
        let before_budgets = std::mem::take(&mut self.budgets);
        if self.compile().is_err() {
            self.budgets = before_budgets;
            self.community = before_community;
            self.compiled = before_compiled;
            self.grades = before_grades;
            self.devices = before_devices;
            return;
        }
        for (scene, before) in before_community.scenes.iter().zip(before_budgets) {
            let now = self.community.scenes.iter().position(|s| s.head.id == scene.head.id);
            if let (Some(now), Some(before)) = (now, before)
                && let Some(budget) = &mut self.budgets[now]
            {
                budget.inherit(&before);
            }
        }
        let before_silence =
            std::mem::replace(&mut self.silence, Silence::new(&self.community, now));
        self.timers.clear();
        self.speaking.clear();
        self.refusing.clear();
        self.went_back.clear();
        self.asking.clear();
        self.replace_sources(&before_community, &before_silence);
        for (was, mut state) in before_devices.into_iter().enumerate() {
            let before = &before_community.devices[was];
            let Some(index) = self.community.find_device(&before.id) else {
                self.batch.states.extend(remembering::keys(&before.id).map(|key| (key, None)));
                for bound in state.bounds.iter().filter(|bound| bound.kept.running.is_some()) {
                    let compiled = &before_compiled[bound.detector];
                    let scene = &before_community.scenes[compiled.scene].head.id;
                    let key = keeping::key(&before.id, scene, &compiled.id);
                    self.batch.states.push((key, None));
                }
                continue;
            };
            let device_type = Arc::clone(&self.community.device(index).device_type);
            let places = inheriting::places(&before.device_type, &device_type);
            let same_points = places.iter().copied().eq((0..device_type.points.len()).map(Some));
            self.silence.inherit(index, &before_silence, DeviceIndex(was));
            state.give_up_questions();
            let before_bounds = std::mem::take(&mut state.bounds);
            let gate = inheriting::moved(&state.gate, &places, &device_type);
            self.devices[index.0].inherit(state, same_points);
            if !same_points {
                self.devices[index.0].gate = gate;
            }
            for before in before_bounds {
                let compiled = &before_compiled[before.detector];
                let scene = &before_community.scenes[compiled.scene];
                self.inherit_bound(index, scene, compiled, &places, before);
            }
            self.set_timer(index);
        }
        self.forget_unknown(false);
        let findings: Vec<(Key, Finding)> = self
            .book
            .all()
            .flat_map(|(key, live)| live.findings().map(|f| (key.clone(), f.clone())))
            .collect();
        for (key, finding) in findings {
            self.restore_finding(&key, &finding, now);
        }
        self.raise_homeless(now);
        self.book.bring_up_unheard();
        self.learn_verdicts(now);
        self.tick.get_or_insert(now + TICK);
    }

    /// Sources and feeders are found again by their ids; their positions may have changed.
    fn replace_sources(&mut self, before: &Community, silence: &Silence) {
        let moved: Vec<Option<SourceIndex>> = before
            .sources
            .iter()
            .map(|s| self.community.sources.iter().position(|now| now.id == s.id).map(SourceIndex))
            .collect();
        let before_states = std::mem::take(&mut self.sources);
        self.sources.resize_with(self.community.sources.len(), Default::default);
        for (was, state) in before_states.into_iter().enumerate() {
            let Some(index) = moved[was] else { continue };
            self.sources[index.0] = state;
            let (now, was) = (Subject::Source(index), Subject::Source(SourceIndex(was)));
            self.silence.inherit_group(now, silence, was);
        }
        for (was, feeder) in before.feeders.iter().enumerate() {
            if let Some(now) = self.community.feeders.iter().position(|f| f.id == feeder.id) {
                self.silence.inherit_group(Subject::Feeder(now), silence, Subject::Feeder(was));
            }
        }
        self.settling.renumber(|was| moved.get(was.0).copied().flatten());
    }

    /// The wall clock was set forward: what was timed by it moves along, so that no delay passes and
    /// nobody falls silent by a jump of the clock.
    pub(super) fn handle_clock_step(&mut self, by_ms: i64, now: Timestamp) {
        if by_ms > 0 {
            let by = Duration::from_millis(by_ms.unsigned_abs());
            let before = now - by;
            self.silence.handle_clock_step(by_ms, now);
            self.book.handle_clock_step(by, before);
            self.shift_raised(|at| if at <= before { at + by } else { at });
            for budget in self.budgets.iter_mut().flatten() {
                budget.shift(|at| if at <= before { at + by } else { at });
            }
            for at in self.happened.values_mut().filter(|at| **at <= before) {
                *at = *at + by;
            }
            self.tick = self.tick.map(|due| if due <= now { due + by } else { due });
            for index in (0..self.devices.len()).map(DeviceIndex) {
                let has_own_time = self.community.device(index).device_type.head.time.is_some();
                self.devices[index.0].handle_clock_step(by_ms, before, has_own_time);
                self.set_timer(index);
            }
        }
    }
}
