//! After a restart, and when the configuration is replaced: nothing opens twice, nothing hangs.
//!
//! Kept on disk are the events that are not over (`event/<scene>/<subject>`, written with each of
//! their records) and delays that were running (`armed/<device>/<scene>/<detector>`, written when
//! one of at least [`WORTH_KEEPING`] begins): a parking sensor speaks once when a car comes, and the
//! power may fail before its five minutes have passed.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::boundary::Restored;
use super::health::Health;
use super::{Pipeline, TICK};
use crate::community::Community;
use crate::detect::condition::Phase;
use crate::detect::silence::{Silence, Subject};
use crate::event::{Finding, Key, Live};
use crate::reading::{DeviceIndex, SourceIndex, Timestamp};

/// Shorter delays start anew after a restart.
const WORTH_KEEPING: Duration = Duration::from_secs(10);

/// At most one write in this time for one detector, so that a value that hovers at its limit does
/// not wear the disk.
const KEEP_PACE: Duration = Duration::from_mins(1);

/// Stands in for the time of a delay that was kept and is over; its write still counts for the pace.
const FORGOTTEN: Timestamp = Timestamp(i64::MIN);

/// After a start the broker's backlog may still disprove what was pending.
const HEARING: Duration = Duration::from_secs(30);

/// A delay that is running, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Armed {
    since: Timestamp,
    /// What the detector's points were: name, time, value.
    points: Vec<(String, Timestamp, f64)>,
}

impl Pipeline {
    /// Keeps the delays of a device that have begun, forgets those that are over.
    pub(super) fn keep_armed(&mut self, index: DeviceIndex, now: Timestamp) {
        let device = self.community.device(index);
        let state = &mut self.devices[index.0];
        for bound in &mut state.bounds {
            let compiled = &self.compiled[bound.detector];
            if compiled.delays.on < WORTH_KEEPING {
                continue;
            }
            let scene = &self.community.scenes[compiled.scene].head.id;
            let key = || format!("armed/{}/{scene}/{}", device.id, compiled.id);
            match (bound.phase, bound.armed) {
                (Phase::Pending { since }, kept) if kept.is_none_or(|(from, _)| from != since) => {
                    if kept.is_some_and(|(_, at)| now.since(at) < KEEP_PACE) {
                        continue;
                    }
                    let points = bound.points.iter().filter_map(|p| {
                        let (at, value) = state.gate.point(*p).good?;
                        Some((device.device_type.points[*p].name.clone(), at, value))
                    });
                    let armed = Armed { since, points: points.collect() };
                    bound.armed = Some((since, now));
                    let json = serde_json::to_vec(&armed).ok();
                    self.batch.states.extend(json.map(|json| (key(), Some(json))));
                }
                (Phase::Active { .. } | Phase::Clearing { .. }, Some(_)) => {
                    bound.armed = None;
                    self.batch.states.push((key(), None));
                }
                // Forgotten at once, else a restart would bring back what was disproved.
                (Phase::Normal, Some((since, at))) if since != FORGOTTEN => {
                    bound.armed = Some((FORGOTTEN, at));
                    self.batch.states.push((key(), None));
                }
                (_, _) => {}
            }
        }
    }

    pub(super) fn restore(&mut self, restored: Restored, now: Timestamp) {
        for (key, value) in restored.states {
            let parts: Vec<&str> = key.split('/').collect();
            let taken = match parts.as_slice() {
                ["event", scene, subject] => {
                    serde_json::from_slice::<Live>(&value).is_ok_and(|live| {
                        let key =
                            Key { scene: (*scene).to_owned(), subject: (*subject).to_owned() };
                        self.restore_event(key, live, now);
                        true
                    })
                }
                ["armed", device, scene, detector] => serde_json::from_slice::<Armed>(&value)
                    .is_ok_and(|armed| self.restore_armed(device, scene, detector, &armed, now)),
                _ => true,
            };
            if !taken {
                self.batch.states.push((key, None));
            }
        }
        self.forget_unknown();
    }

    fn restore_event(&mut self, key: Key, live: Live, now: Timestamp) {
        for finding in live.findings() {
            self.restore_finding(&key, finding, now);
        }
        self.book.restore(key, live);
        self.tick.get_or_insert(now + TICK);
    }

    fn restore_finding(&mut self, key: &Key, finding: &Finding, now: Timestamp) {
        let Some(index) = self.community.find_device(&finding.device) else { return };
        match Health::from_id(&key.scene) {
            None => {
                for position in self.positions(index, &key.scene, &finding.evidence.detector) {
                    let bound = &mut self.devices[index.0].bounds[position];
                    bound.phase = Phase::Active { since: finding.since };
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
            // The store was opened: it works.
            Some(Health::StoreFailed) => {}
        }
    }

    fn restore_armed(
        &mut self,
        device: &str,
        scene: &str,
        detector: &str,
        armed: &Armed,
        now: Timestamp,
    ) -> bool {
        let Some(index) = self.community.find_device(device) else { return false };
        let positions = self.positions(index, scene, detector);
        for position in &positions {
            let device_type = &self.community.device(index).device_type;
            let state = &mut self.devices[index.0];
            for (name, at, value) in &armed.points {
                if let Some(point) = device_type.point(name) {
                    state.gate.recall(point, *at, *value);
                }
            }
            let bound = &mut state.bounds[*position];
            bound.phase = Phase::Pending { since: armed.since };
            let due = bound.phase.due(self.compiled[bound.detector].delays);
            bound.timer = due.map(|due| due.max(now + HEARING));
            bound.armed = Some((armed.since, now));
            self.set_timer(index);
        }
        !positions.is_empty()
    }

    fn positions(&self, index: DeviceIndex, scene: &str, detector: &str) -> Vec<usize> {
        let is_it = |detector_index: usize| {
            let compiled = &self.compiled[detector_index];
            compiled.id == detector && self.community.scenes[compiled.scene].head.id == scene
        };
        let bounds = &self.devices[index.0].bounds;
        (0..bounds.len()).filter(|i| is_it(bounds[*i].detector)).collect()
    }

    /// Ends the findings whose device, scene or detector is no longer configured, and those that a
    /// start disproves.
    fn forget_unknown(&mut self) {
        let mut book = std::mem::take(&mut self.book);
        book.retain_findings(|key, finding| {
            let device = self.community.find_device(&finding.device);
            let has =
                |mut ids: Box<dyn Iterator<Item = &String> + '_>| ids.any(|id| *id == key.subject);
            match (Health::from_id(&key.scene), device) {
                (Some(Health::StoreFailed), _) | (_, None) => false,
                (Some(Health::SourceSilent), Some(_)) => {
                    has(Box::new(self.community.sources.iter().map(|s| &s.id)))
                }
                (Some(Health::FeederSilent), Some(_)) => {
                    has(Box::new(self.community.feeders.iter().map(|f| &f.id)))
                }
                (Some(_), Some(_)) => true,
                (None, Some(index)) => {
                    let bounds = &self.devices[index.0].bounds;
                    self.positions(index, &key.scene, &finding.evidence.detector).iter().any(|p| {
                        self.key_of(index, self.compiled[bounds[*p].detector].scene) == *key
                    })
                }
            }
        });
        self.book = book;
    }

    /// Takes a new configuration; state is kept where ids match. A configuration with a scene that
    /// cannot work changes nothing (the shell checks before it sends one).
    pub(super) fn replace(&mut self, community: Arc<Community>, now: Timestamp) {
        let before_community = std::mem::replace(&mut self.community, community);
        let before_compiled = std::mem::take(&mut self.compiled);
        let before_grades = std::mem::take(&mut self.grades);
        let before_devices = std::mem::take(&mut self.devices);
        if self.compile().is_err() {
            self.community = before_community;
            self.compiled = before_compiled;
            self.grades = before_grades;
            self.devices = before_devices;
            return;
        }
        let before_silence =
            std::mem::replace(&mut self.silence, Silence::new(&self.community, now));
        self.timers.clear();
        self.speaking.clear();
        self.refusing.clear();
        self.asking.clear();
        self.sources.resize_with(self.community.sources.len(), Default::default);
        let detectors_match = before_community.scenes == self.community.scenes
            && before_community.models == self.community.models;
        for (was, mut state) in before_devices.into_iter().enumerate() {
            let before = &before_community.devices[was];
            let Some(index) = self.community.find_device(&before.id) else { continue };
            let same_points = before.device_type == self.community.device(index).device_type;
            self.silence.inherit(index, &before_silence, DeviceIndex(was));
            state.give_up_questions();
            self.devices[index.0].inherit(state, same_points, detectors_match);
            self.set_timer(index);
        }
        self.forget_unknown();
        let findings: Vec<(Key, Finding)> = self
            .book
            .all()
            .flat_map(|(key, live)| live.findings().map(|f| (key.clone(), f.clone())))
            .collect();
        for (key, finding) in findings {
            self.restore_finding(&key, &finding, now);
        }
        self.tick.get_or_insert(now + TICK);
    }

    /// The wall clock was set forward: what was timed by it moves along, so that no delay passes and
    /// nobody falls silent by a jump of the clock.
    pub(super) fn handle_clock_step(&mut self, by_ms: i64, now: Timestamp) {
        if by_ms > 0 {
            let by = Duration::from_millis(by_ms.unsigned_abs());
            let before = now - by;
            self.silence.handle_clock_step(by_ms, now);
            self.book.handle_clock_step(by, before);
            self.tick = self.tick.map(|due| if due <= now { due + by } else { due });
            for index in (0..self.devices.len()).map(DeviceIndex) {
                let has_own_time = self.community.device(index).device_type.head.time.is_some();
                self.devices[index.0].handle_clock_step(by_ms, before, has_own_time);
                self.set_timer(index);
            }
        }
    }
}
