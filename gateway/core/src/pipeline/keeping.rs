//! Delays that run, kept on disk: a parking sensor speaks once when a car comes and once when it
//! goes, and the power may fail before the minutes after it have passed.
//!
//! `armed/<device>/<scene>/<detector>` is written when a delay that [`is_worth_keeping`] begins, and removed when
//! it ends. A value that hovers at its limit would wear the disk, so that one detector writes at most once in
//! [`KEEP_PACE`]; what had to wait is written as soon as that has passed. Of cars that come and go, few stay for a
//! day, and of flows at night few last till morning: a long on-delay, and any of values that come again meanwhile, is
//! written once a part of it has passed, which is what a power cut costs at most. What was disproved is forgotten
//! at once, else a restart would bring it back.

use std::time::Duration;

use super::Pipeline;
use crate::community::Community;
use crate::detect::condition::{Delays, Phase, Running};
use crate::reading::{DeviceIndex, Timestamp};

/// Shorter on-delays start anew after a restart.
const WORTH_KEEPING: Duration = Duration::from_secs(10);

/// So do those of values that come again within this time, and before the delay has passed: a camera sees who is
/// still there, at once.
const RENEWED: Duration = Duration::from_mins(1);

/// Off-delays of such values up to this length, too: an event ends that much later at most.
const SHORT: Duration = Duration::from_mins(5);

/// On-delays of this length and more are written when one part of so many has passed.
const LONG: Duration = Duration::from_hours(1);
const PARTS: u32 = 24;

/// And those of values that come again before the delay has passed, when one part of so many has.
const RENEWED_PARTS: u32 = 8;

/// At most one delay is written in this time for one detector.
const KEEP_PACE: Duration = Duration::from_mins(1);

/// After a start the broker's backlog may still disprove what was pending. What was ending is not
/// held back: an event that is over should not outlive its time.
const HEARING: Duration = Duration::from_secs(30);

impl Pipeline {
    /// Keeps the delays of a device that have begun, forgets those that are over.
    pub(super) fn keep_armed(&mut self, index: DeviceIndex, now: Timestamp) {
        self.keep_armed_by(index, now, false);
    }

    /// The same; `at_once`: without regard to how much is written.
    fn keep_armed_by(&mut self, index: DeviceIndex, now: Timestamp, at_once: bool) {
        let device = self.community.device(index);
        let (mut due, mut is_written): (Option<Timestamp>, _) = (None, false);
        let mut wait = |until: Timestamp| due = Some(due.map_or(until, |due| due.min(until)));
        for bound in &mut self.devices[index.0].bounds {
            let compiled = &self.compiled[bound.detector];
            let stale = |point: &usize| Community::stale_after(&device.device_type, *point);
            // An orderly stop costs no delay.
            let renewed = bound.grounds.iter().map(stale).max().filter(|_| !at_once);
            let mut running = bound
                .phase
                .running()
                .filter(|running| is_worth_keeping(*running, compiled.delays, renewed));
            if let Some(Running { since, gone: None }) = running
                && let unwritten = unwritten(compiled.delays.on, renewed)
                && now < since + unwritten
                && !at_once
            {
                wait(since + unwritten);
                running = None;
            }
            if running == bound.kept.running {
                continue;
            }
            let is_early = bound.kept.at.is_some_and(|at| now.since(at) < KEEP_PACE);
            if running.is_some() && is_early && !at_once {
                wait(now + KEEP_PACE);
                continue;
            }
            if running.is_some() {
                bound.kept.at = Some(now);
            } else if matches!(bound.phase, Phase::Active { .. })
                && bound.kept.running.is_some_and(|kept| kept.gone.is_none())
            {
                // It counts now: its end is another matter, and need not wait.
                bound.kept.at = None;
            }
            bound.kept.running = running;
            let scene = &self.community.scenes[compiled.scene].head.id;
            let key = key(&device.id, scene, &compiled.id);
            let json = running.and_then(|running| serde_json::to_vec(&running).ok());
            self.batch.states.push((key, json));
            is_written = true;
        }
        if is_written {
            self.concerned.push(index);
        }
        if let Some(due) = due {
            self.unkept = Some(self.unkept.map_or(due, |unkept| unkept.min(due)));
        }
    }

    /// Writes what was held back for a while.
    pub(super) fn keep_what_waited(&mut self, now: Timestamp) {
        if self.unkept.take_if(|due| *due <= now).is_some() {
            for index in (0..self.devices.len()).map(DeviceIndex) {
                self.keep_armed(index, now);
            }
        }
    }

    /// Writes all delays that run.
    pub(super) fn keep_all_armed(&mut self, now: Timestamp) {
        self.unkept = None;
        for index in (0..self.devices.len()).map(DeviceIndex) {
            self.keep_armed_by(index, now, true);
        }
    }

    /// Takes up a delay; false when nothing is left that it belongs to.
    pub(super) fn restore_armed(
        &mut self,
        [device, scene, detector]: [&str; 3],
        running: Running,
        now: Timestamp,
    ) -> bool {
        let Some(index) = self.community.find_device(device) else { return false };
        let mut is_taken = false;
        for position in self.positions(index, scene, detector) {
            let state = &mut self.devices[index.0];
            let hearing = state.there(now) + HEARING;
            let bound = &mut state.bounds[position];
            if !bound.phase.resume(running) {
                continue;
            }
            let due = bound.phase.due(self.compiled[bound.detector].delays);
            bound.timer = match running.gone {
                Some(_) => due,
                None => due.map(|due| due.max(hearing)),
            };
            bound.kept.running = Some(running);
            bound.kept.at = Some(now);
            is_taken = true;
            self.set_timer(index);
        }
        is_taken
    }
}

/// Whether a delay is that runs, of a value that comes again within a time.
fn is_worth_keeping(running: Running, delays: Delays, renewed: Option<Duration>) -> bool {
    let renewed = renewed.filter(|renewed| *renewed <= RENEWED);
    match running.gone {
        Some(_) => renewed.is_none() || delays.off > SHORT,
        None => delays.on >= WORTH_KEEPING && renewed.is_none_or(|renewed| delays.on >= renewed),
    }
}

/// How much of an on-delay may pass before it is written, of a value that comes again within a time.
fn unwritten(on: Duration, renewed: Option<Duration>) -> Duration {
    if renewed.is_some_and(|renewed| renewed <= on) {
        on / RENEWED_PARTS
    } else if on >= LONG {
        on / PARTS
    } else {
        Duration::ZERO
    }
}

/// Where a detector's delay is kept.
pub(super) fn key(device: &str, scene: &str, detector: &str) -> String {
    format!("armed/{device}/{scene}/{detector}")
}
