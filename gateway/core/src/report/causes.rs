//! What raised events most: a detector on a device, a device, and devices that fell silent.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{device_title, most, whole};
use crate::community::Community;
use crate::community::quantity::Text;
use crate::event::summary::Summary;
use crate::event::verdict::Verdict;
use crate::reading::Timestamp;

/// Lines of each list.
const MANY: usize = 10;

/// The gateway's own scenes that are about silence.
const SILENCES: [&str; 3] = ["device-silent", "source-silent", "feeder-silent"];

/// A detector on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Of the scene's events.
    pub title: Text,
    pub detector: String,
    pub device: Text,
    pub events: u32,
    pub false_alarms: u32,
    /// How often one came back after it was over.
    pub returns: u32,
}

/// A device, whatever it raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub device: Text,
    pub area: Text,
    pub events: u32,
    pub false_alarms: u32,
}

/// A device that was not heard, or the first one of a line, broker or feeder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silent {
    /// What the events are called: a device, a line, a feeder.
    pub title: Text,
    pub device: Text,
    pub times: u32,
    /// All its silences together.
    pub total: Duration,
    pub is_over: bool,
}

#[derive(Default)]
struct Sum<'a> {
    last: Option<&'a Summary>,
    events: u32,
    false_alarms: u32,
    returns: u32,
}

impl<'a> Sum<'a> {
    fn note(&mut self, event: &'a Summary) {
        self.last = Some(event);
        self.events += 1;
        self.false_alarms += u32::from(event.verdict == Some(Verdict::FalseAlarm));
        self.returns += u32::from(event.reopened);
    }
}

pub(super) fn causes(events: &[&Summary], community: &Community) -> Vec<Cause> {
    let mut sums: BTreeMap<(&str, &str, &str), Sum<'_>> = BTreeMap::new();
    for event in events.iter().filter(|e| !is_silence(e)) {
        let key = (event.scene.as_str(), event.detector.as_str(), event.device.as_str());
        sums.entry(key).or_default().note(event);
    }
    let cause = |((scene, detector, device), sum): ((&str, &str, &str), Sum<'_>)| Cause {
        title: sum.last.map_or_else(|| Text::new(scene, scene), |e| whole(&e.title, scene)),
        detector: detector.to_owned(),
        device: device_title(community, device),
        events: sum.events,
        false_alarms: sum.false_alarms,
        returns: sum.returns,
    };
    most(sums, |sum| sum.events, MANY).into_iter().map(cause).collect()
}

pub(super) fn sources(events: &[&Summary], community: &Community) -> Vec<Source> {
    let mut sums: BTreeMap<&str, Sum<'_>> = BTreeMap::new();
    for event in events.iter().filter(|e| !is_silence(e)) {
        sums.entry(event.device.as_str()).or_default().note(event);
    }
    let source = |(device, sum): (&str, Sum<'_>)| {
        let area = sum.last.map_or("", |e| e.area.as_str());
        let known = community.areas.iter().find(|a| a.id == area);
        Source {
            device: device_title(community, device),
            area: known.map_or_else(|| Text::new(area, area), |a| whole(&a.title, area)),
            events: sum.events,
            false_alarms: sum.false_alarms,
        }
    };
    most(sums, |sum| sum.events, MANY).into_iter().map(source).collect()
}

pub(super) fn silent(events: &[&Summary], community: &Community, until: Timestamp) -> Vec<Silent> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Summary>> = BTreeMap::new();
    for event in events.iter().filter(|e| is_silence(e)) {
        groups.entry((event.scene.as_str(), event.device.as_str())).or_default().push(event);
    }
    let silent = |((scene, device), group): ((&str, &str), Vec<&Summary>)| {
        let ended = |e: &Summary| e.cleared.or(e.closed).filter(|at| *at <= until);
        Silent {
            title: group.last().map_or_else(|| Text::new(scene, scene), |e| whole(&e.title, scene)),
            device: device_title(community, device),
            times: super::count(group.iter()),
            total: group
                .iter()
                .map(|e| ended(e).unwrap_or(until).since(e.opened))
                .fold(Duration::ZERO, Duration::saturating_add),
            is_over: group.iter().all(|e| ended(e).is_some()),
        }
    };
    let times = |group: &Vec<&Summary>| super::count(group.iter());
    most(groups, times, MANY).into_iter().map(silent).collect()
}

fn is_silence(event: &Summary) -> bool {
    SILENCES.contains(&event.scene.as_str())
}
