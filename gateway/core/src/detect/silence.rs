//! Who has fallen silent, and is it one device or the wire that they share?
//!
//! A silent sensor is not a healthy one: its silence is a finding. But when a broker, a line or a
//! feeder dies, all its devices fall silent for one reason, and that is *one* finding that names
//! them. So a device's own silence is held back while every other device of its group has missed
//! several of its usual frames too, and is absorbed when the group's finding comes.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::community::Community;
use crate::reading::{DeviceIndex, SourceIndex, Timestamp};

/// A source that is down for longer than this is a finding.
const SOURCE_GRACE: Duration = Duration::from_secs(30);

/// A device that has missed this many of its usual frames is quiet.
const MISSED: u32 = 3;

/// At most one look in this time.
const PACE: Duration = Duration::from_secs(1);

/// Whose silence it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Device(DeviceIndex),
    Source(SourceIndex),
    /// Position in [`Community::feeders`].
    Feeder(usize),
}

/// A silence that began or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Fell { subject: Subject, since: Timestamp, devices: Vec<DeviceIndex> },
    Spoke { subject: Subject },
}

/// The ears of the gateway.
#[derive(Debug, Clone)]
pub struct Silence {
    heard: Vec<Heard>,
    groups: Vec<Group>,
    silent: BTreeSet<Subject>,
    next: Timestamp,
}

#[derive(Debug, Clone)]
struct Heard {
    spoke: Option<Timestamp>,
    /// Silence counts from here: the last word, the start, or the end of its group's silence.
    last: Timestamp,
    /// Usual distance of its frames, once known.
    pace: Option<Duration>,
    patience: Duration,
}

#[derive(Debug, Clone)]
struct Group {
    subject: Subject,
    devices: Vec<DeviceIndex>,
    /// Reported by the source itself.
    down: Option<Timestamp>,
}

impl Heard {
    fn is_quiet(&self, now: Timestamp) -> bool {
        let usual = self.pace.map_or(self.patience, |pace| (pace * MISSED).min(self.patience));
        now.since(self.last) > usual
    }

    fn is_silent(&self, now: Timestamp) -> bool {
        now.since(self.last) >= self.patience
    }
}

impl Silence {
    /// Everybody has `now` as the time of the last word, so that a start is not a silence.
    pub fn new(community: &Community, now: Timestamp) -> Self {
        let heard = community
            .devices
            .iter()
            .map(|device| Heard {
                spoke: None,
                last: now,
                pace: None,
                patience: device.device_type.silent_after(),
            })
            .collect();
        let members = |wanted: &dyn Fn(&crate::community::Device) -> bool| {
            (0..)
                .zip(&community.devices)
                .filter(|(_, d)| wanted(d))
                .map(|(i, _)| DeviceIndex(i))
                .collect()
        };
        let sources = (0..community.sources.len()).map(|index| Group {
            subject: Subject::Source(SourceIndex(index)),
            devices: members(&|d| d.source == SourceIndex(index)),
            down: None,
        });
        let feeders = (0..community.feeders.len()).map(|index| Group {
            subject: Subject::Feeder(index),
            devices: members(&|d| d.feeder == Some(index)),
            down: None,
        });
        let groups = sources.chain(feeders).collect();
        Self { heard, groups, silent: BTreeSet::new(), next: now + PACE }
    }

    /// Takes over what `before` knew of a device.
    pub fn inherit(&mut self, device: DeviceIndex, before: &Self, was: DeviceIndex) {
        let Heard { last, spoke, pace, .. } = before.heard[was.0];
        let heard = &mut self.heard[device.0];
        (heard.last, heard.spoke, heard.pace) = (last, spoke, pace);
    }

    /// Takes over whether a wire was reported as down.
    pub fn inherit_group(&mut self, subject: Subject, before: &Self, was: Subject) {
        let down = before.groups.iter().find(|g| g.subject == was).and_then(|g| g.down);
        for group in self.groups.iter_mut().filter(|g| g.subject == subject) {
            group.down = down;
        }
    }

    /// Takes up a silence that was told before a restart: it goes on until somebody speaks.
    pub fn recall(&mut self, subject: Subject, now: Timestamp) {
        for device in self.devices_of(subject) {
            let heard = &mut self.heard[device.0];
            heard.last = now - heard.patience * 2;
        }
        for group in self.groups.iter_mut().filter(|g| g.subject == subject) {
            if group.devices.len() == 1 {
                group.down = Some(now - SOURCE_GRACE);
            }
        }
        self.silent.insert(subject);
    }

    /// The clock was set forward by this; nobody falls silent by that.
    pub fn handle_clock_step(&mut self, by_ms: i64, now: Timestamp) {
        let by = Duration::from_millis(by_ms.unsigned_abs());
        for heard in &mut self.heard {
            heard.last = (heard.last + by).min(now);
            heard.spoke = heard.spoke.map(|spoke| spoke + by);
        }
        for group in &mut self.groups {
            group.down = group.down.map(|since| (since + by).min(now));
        }
        self.next = now;
    }

    pub fn is_silent(&self, device: DeviceIndex) -> bool {
        self.silent.contains(&Subject::Device(device))
            || self
                .groups
                .iter()
                .any(|g| self.silent.contains(&g.subject) && g.devices.contains(&device))
    }

    /// When the device was last heard, if ever since start.
    pub fn last_heard(&self, device: DeviceIndex) -> Option<Timestamp> {
        self.heard[device.0].spoke
    }

    /// A device spoke.
    pub fn handle_frame(&mut self, device: DeviceIndex, now: Timestamp) {
        let heard = &mut self.heard[device.0];
        let was_quiet = heard.is_quiet(now);
        if let Some(before) = heard.spoke {
            // The longest of the recent gaps: a burst does not make a patient device impatient.
            let gap = now.since(before);
            heard.pace = Some(heard.pace.map_or(gap, |pace| gap.max(pace * 7 / 8)));
        }
        heard.last = now;
        heard.spoke = Some(now);
        if was_quiet {
            // Whoever speaks on a wire shows that it is up, whatever was remembered of it.
            for group in self.groups.iter_mut().filter(|g| g.devices.as_slice() == [device]) {
                group.down = None;
            }
        }
        if was_quiet && !self.silent.is_empty() {
            self.next = now;
        }
    }

    /// A source came up or went down.
    pub fn handle_source(&mut self, source: SourceIndex, is_down: bool, now: Timestamp) {
        for group in &mut self.groups {
            if group.subject == Subject::Source(source) {
                group.down = is_down.then(|| group.down.unwrap_or(now));
            }
        }
        self.next = self.next.min(if is_down { now + SOURCE_GRACE } else { now });
    }

    /// When [`Silence::handle_timeout`] wants to look next.
    pub fn due(&self) -> Timestamp {
        self.next
    }

    /// Looks who is silent; a silence that is told is told once until it ends.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        if now < self.next {
            return changes;
        }
        self.forgive(now);
        let silent = self.judge(now);
        for subject in self.silent.difference(&silent) {
            changes.push(Change::Spoke { subject: *subject });
        }
        for subject in silent.difference(&self.silent) {
            let devices = self.devices_of(*subject);
            let since = devices.iter().map(|d| self.heard[d.0].last).max().unwrap_or(now);
            changes.push(Change::Fell { subject: *subject, since, devices });
        }
        self.silent = silent;
        self.next = self.next_look(now);
        changes
    }

    /// When a wire lives again, the silence of those who have not spoken on it yet counts from here:
    /// else each of them would be told on its own at the moment when all is well again.
    fn forgive(&mut self, now: Timestamp) {
        let revived: Vec<DeviceIndex> = self
            .groups
            .iter()
            .filter(|g| self.silent.contains(&g.subject) && !self.is_dead(g, now))
            .flat_map(|g| g.devices.iter().copied())
            .collect();
        for device in revived {
            self.heard[device.0].last = now;
        }
    }

    fn devices_of(&self, subject: Subject) -> Vec<DeviceIndex> {
        match subject {
            Subject::Device(device) => vec![device],
            Subject::Source(_) | Subject::Feeder(_) => self
                .groups
                .iter()
                .find(|g| g.subject == subject)
                .map(|g| g.devices.clone())
                .unwrap_or_default(),
        }
    }

    fn judge(&self, now: Timestamp) -> BTreeSet<Subject> {
        let mut silent = BTreeSet::new();
        // A device is in at most one source and one feeder; the groups come in that order.
        let mut covered = vec![false; self.heard.len()];
        let mut held_back = vec![false; self.heard.len()];
        for group in &self.groups {
            let is_dead = self.is_dead(group, now);
            let may_be_dead = group.devices.len() > 1
                && group.devices.iter().all(|d| self.heard[d.0].is_quiet(now));
            for device in &group.devices {
                covered[device.0] |= is_dead;
                held_back[device.0] |= may_be_dead || group.down.is_some();
            }
            let explained = !is_dead
                || matches!(group.subject, Subject::Feeder(_))
                    && group.devices.iter().all(|d| self.is_covered_by_source(*d, &silent));
            if !explained {
                silent.insert(group.subject);
            }
        }
        for (index, heard) in self.heard.iter().enumerate() {
            let waits = held_back[index] && now.since(heard.last) < heard.patience * 3 / 2;
            if heard.is_silent(now) && !covered[index] && !waits {
                silent.insert(Subject::Device(DeviceIndex(index)));
            }
        }
        silent
    }

    fn is_dead(&self, group: &Group, now: Timestamp) -> bool {
        let is_down = group.down.is_some_and(|since| now.since(since) >= SOURCE_GRACE);
        let all_quiet = group.devices.len() > 1
            && group.devices.iter().all(|d| self.heard[d.0].is_quiet(now))
            && group.devices.iter().any(|d| self.heard[d.0].is_silent(now));
        is_down || all_quiet
    }

    fn is_covered_by_source(&self, device: DeviceIndex, silent: &BTreeSet<Subject>) -> bool {
        self.groups.iter().any(|g| {
            matches!(g.subject, Subject::Source(_))
                && silent.contains(&g.subject)
                && g.devices.contains(&device)
        })
    }

    /// The first moment at which anything could change, but not before [`PACE`] has passed.
    fn next_look(&self, now: Timestamp) -> Timestamp {
        let devices = self.heard.iter().flat_map(|heard| {
            let usual =
                heard.pace.map_or(heard.patience, |pace| (pace * MISSED).min(heard.patience));
            [heard.last + usual, heard.last + heard.patience, heard.last + heard.patience * 3 / 2]
        });
        let sources = self.groups.iter().filter_map(|g| g.down.map(|since| since + SOURCE_GRACE));
        devices
            .chain(sources)
            .filter(|due| *due > now)
            .min()
            .unwrap_or(now + Duration::from_mins(1))
            .max(now + PACE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::community::tests::community;

    fn at(seconds: u64) -> Timestamp {
        Timestamp(0) + Duration::from_secs(seconds)
    }

    /// Lets the devices speak every ten seconds from `from` to `to` and collects what is told.
    fn run(
        silence: &mut Silence,
        speaks: impl Fn(usize, u64) -> bool,
        seconds: std::ops::Range<u64>,
    ) -> Vec<(u64, String)> {
        let mut told = Vec::new();
        for second in seconds {
            for device in 0..silence.heard.len() {
                if second % 10 == 0 && speaks(device, second) {
                    silence.handle_frame(DeviceIndex(device), at(second));
                }
            }
            for change in silence.handle_timeout(at(second)) {
                told.push((
                    second,
                    match change {
                        Change::Fell { subject, devices, .. } => {
                            format!("{subject:?} fell silent, {} devices", devices.len())
                        }
                        Change::Spoke { subject } => format!("{subject:?} spoke"),
                    },
                ));
            }
        }
        told
    }

    #[test]
    fn one_silent_device_is_told_once_and_its_return_too() {
        let mut silence = Silence::new(&community(), at(0));

        let told = run(&mut silence, |d, s| d != 0 || !(100..400).contains(&s), 0..500);

        assert_eq!(
            told,
            [
                (150, "Device(DeviceIndex(0)) fell silent, 1 devices".to_owned()),
                (400, "Device(DeviceIndex(0)) spoke".to_owned()),
            ]
        );
    }

    #[test]
    fn a_dead_feeder_is_one_finding_that_names_its_devices() {
        let mut silence = Silence::new(&community(), at(0));

        // The third device hangs on the same broker but on no feeder.
        let told = run(&mut silence, |d, s| d == 2 || !(100..400).contains(&s), 0..500);

        assert_eq!(
            told,
            [
                (150, "Feeder(0) fell silent, 2 devices".to_owned()),
                (400, "Feeder(0) spoke".to_owned()),
            ]
        );
    }

    #[test]
    fn a_broker_that_goes_down_is_one_finding_and_its_return_is_no_flood() {
        let mut silence = Silence::new(&community(), at(0));
        let mut told = run(&mut silence, |_, _| true, 0..100);

        silence.handle_source(SourceIndex(0), true, at(100));
        told.extend(run(&mut silence, |_, _| false, 100..1_000));
        silence.handle_source(SourceIndex(0), false, at(1_000));
        told.extend(run(&mut silence, |d, s| d == 0 || s > 1_040, 1_000..1_200));

        assert_eq!(
            told,
            [
                (130, "Source(SourceIndex(0)) fell silent, 3 devices".to_owned()),
                (1_000, "Source(SourceIndex(0)) spoke".to_owned()),
            ]
        );
    }
}
