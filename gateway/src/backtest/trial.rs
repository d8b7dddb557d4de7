//! The changed scene, tried on what was kept.
//!
//! Limits, and rules over values, are judged quarter by quarter ([`gatehouse_core::detect::coarse`]);
//! models are shown the means of the quarters, all devices together, so that they share the scene's
//! budget as they do in life. Around events every reading is known: there the scene's rules are played.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::community::scene::{Detector, Per, Scene};
use gatehouse_core::community::{Community, Device};
use gatehouse_core::detect::bound::{Compiled, Unusable};
use gatehouse_core::detect::coarse::{Known, NeedsMore};
use gatehouse_core::reading::{DeviceIndex, Timestamp};
use gatehouse_core::statistics::episode::{Episode, Extent, Glance, Spotter};
use gatehouse_core::statistics::quarter::{LENGTH, Quarter, Statistic};
use gatehouse_core::window::LOOK_BACK;
use serde::Serialize;

use super::past::Past;
use super::play::Play;
use super::span::Span;
use crate::infer::Models;
use crate::stage;

/// What began before the time in question.
const DELAYS: Duration = Duration::from_hours(24);
/// A model learns from some 225 samples; two weeks of quarters are 1,344.
const LEARNING: Duration = Duration::from_hours(14 * 24);

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum How {
    /// From every reading, around an event.
    Readings,
    /// From the extremes of quarters of an hour.
    Quarters,
    /// By a model that was shown the means of quarters: coarse.
    Means,
}

/// Something that the changed scene would have raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The device, or the area where the scene makes one event of all its devices.
    pub(super) subject: String,
    #[serde(serialize_with = "time")]
    pub(super) from: Timestamp,
    #[serde(serialize_with = "time")]
    pub(super) until: Timestamp,
    pub(super) how: How,
    /// Else perhaps.
    pub(super) is_sure: bool,
    pub(super) detectors: BTreeSet<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
pub(super) fn time<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&at.rfc3339())
}

/// The changed scene, ready to be tried.
pub(super) struct Trial<'c> {
    pub(super) community: &'c Community,
    pub(super) scene: Arc<Scene>,
    pub(super) detectors: Vec<(Detector, Compiled)>,
    /// The devices that it looks at, and which of their points.
    pub(super) devices: BTreeMap<DeviceIndex, BTreeSet<usize>>,
}

impl<'c> Trial<'c> {
    pub(super) fn new(community: &'c Community, id: &str) -> anyhow::Result<Self> {
        let found = community.scenes.iter().find(|scene| scene.head.id == id);
        let scene = found.ok_or_else(|| anyhow::anyhow!("the scene `{id}` was not loaded"))?;
        let calendar = community.calendar.as_ref();
        let compile = |detector: &Detector| {
            let compiled = Compiled::alone(detector, &community.models, calendar)?;
            Ok::<_, Unusable>((detector.clone(), compiled))
        };
        let detectors: Vec<_> = scene.detectors.iter().map(compile).collect::<Result<_, _>>()?;
        let mut devices: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (index, device) in (0..).map(DeviceIndex).zip(&community.devices) {
            for (_, compiled) in &detectors {
                if let Some(bound) = compiled.bind(0, scene, &device.device_type) {
                    devices.entry(index).or_default().extend(bound.points);
                }
            }
        }
        Ok(Self { community, scene: Arc::clone(scene), detectors, devices })
    }

    /// The models that it asks.
    pub(super) fn models(&self) -> BTreeSet<&str> {
        self.scene.detectors.iter().filter_map(|d| d.model.as_deref()).collect()
    }

    /// How much of the time before is of use.
    pub(super) fn warm_up(&self) -> Duration {
        if self.models().is_empty() { DELAYS } else { LEARNING }
    }

    /// What an event on this device is about.
    pub(super) fn subject(&self, device: &Device) -> String {
        match self.scene.head.per {
            Per::Device => device.id.clone(),
            Per::Area => self.community.areas[device.area].id.clone(),
        }
    }

    /// Everything that it would have raised in that time, each once.
    pub(super) fn run(
        &self,
        past: &Past,
        span: Span,
        models: Option<Models>,
    ) -> anyhow::Result<Vec<Finding>> {
        let mut found = self.on_windows(past, span)?;
        let mut coarse = self.on_quarters(past, span);
        // Where every reading is known, nothing is left open.
        coarse.retain(|finding| finding.is_sure || !self.is_covered(past, finding));
        if let Some(models) = models {
            coarse.extend(self.on_means(past, span, models)?);
        }
        for finding in coarse {
            add(&mut found, finding);
        }
        found.sort_by(|a, b| (a.from, &a.subject).cmp(&(b.from, &b.subject)));
        Ok(found)
    }

    fn is_covered(&self, past: &Past, finding: &Finding) -> bool {
        let devices = self
            .devices
            .keys()
            .filter(|device| self.subject(self.community.device(**device)) == finding.subject);
        devices.into_iter().all(|device| past.is_covered(*device, finding.from, finding.until))
    }

    /// The scene's rules on every reading around events. What a model would say needs a longer past.
    fn on_windows(&self, past: &Past, span: Span) -> anyhow::Result<Vec<Finding>> {
        let mut scene = Scene::clone(&stage::on_stage(&self.scene));
        scene.detectors.retain(|detector| detector.model.is_none());
        for detector in &mut scene.detectors {
            detector.warn_within = None;
        }
        let scene = Arc::new(scene);
        let mut found: Vec<Finding> = Vec::new();
        for around in &past.windows {
            let device = self.community.device(around.device);
            let scenes = vec![Arc::clone(&scene)];
            let community = stage::one_device(&device.device_type, scenes, self.community);
            let mut play = Play::new(community, None, around.first())?;
            for (at, values) in &around.rows {
                play.frame(DeviceIndex(0), *at, values.clone());
            }
            // What opens after the last reading would need it to stand.
            let last = around.last() + Duration::from_millis(1);
            for event in play.finish(last) {
                if event.scene != scene.head.id || !span.contains(event.opened) {
                    continue;
                }
                let is_sure = !self.looked_back(&event.detector, event.opened, around.first());
                let finding = Finding {
                    subject: self.subject(device),
                    from: event.opened,
                    until: event
                        .cleared
                        .unwrap_or(last)
                        .max(event.opened + Duration::from_millis(1)),
                    how: How::Readings,
                    is_sure,
                    detectors: [event.detector].into(),
                };
                if !found.iter().any(|other| is_same(other, &finding)) {
                    found.push(finding);
                }
            }
        }
        Ok(found)
    }

    /// Whether a detector may have been misled by what lies before the first reading.
    fn looked_back(&self, detector: &str, opened: Timestamp, first: Timestamp) -> bool {
        let of_id = self.detectors.iter().find(|(written, _)| written.id == detector);
        of_id.is_none_or(|(_, compiled)| {
            compiled.needs_more().is_some() && opened - compiled.delays.on < first + LOOK_BACK
        })
    }

    fn on_quarters(&self, past: &Past, span: Span) -> Vec<Finding> {
        let mut found: Vec<Finding> = Vec::new();
        for index in self.devices.keys() {
            let device = self.community.device(*index);
            for (detector, compiled) in &self.detectors {
                let is_bound = compiled.bind(0, &self.scene, &device.device_type).is_some();
                if !is_bound || compiled.needs_more().is_some() {
                    continue;
                }
                for episode in episodes(*index, device, compiled, past, span) {
                    let until = episode.until.start().min(span.to);
                    let finding = Finding {
                        subject: self.subject(device),
                        from: episode.from.start(),
                        until,
                        how: How::Quarters,
                        is_sure: episode.is_sure,
                        detectors: [detector.id.clone()].into(),
                    };
                    if span.contains(finding.from) {
                        add(&mut found, finding);
                    }
                }
            }
        }
        found
    }

    /// The scene's models on the means, and nothing else of it.
    fn on_means(&self, past: &Past, span: Span, models: Models) -> anyhow::Result<Vec<Finding>> {
        let is_model = |detector: &&Detector| detector.model.is_some();
        let mut scene = Scene::clone(&stage::on_stage(&self.scene));
        scene.detectors = self.scene.detectors.iter().filter(is_model).cloned().collect();
        let community = Community { scenes: vec![Arc::new(scene)], ..self.community.clone() };
        let early = span.before(self.warm_up());
        let mut play = Play::new(community, Some(models), early.from)?;
        for quarter in early.quarters() {
            for index in self.devices.keys() {
                let Some(points) = past.quarter(*index, quarter) else { continue };
                let means = points.iter().map(Statistic::mean).collect();
                play.frame(*index, quarter.end(), means);
            }
        }
        let raised = play
            .finish(span.to)
            .into_iter()
            .filter(|event| event.scene == self.scene.head.id && span.contains(event.opened));
        let finding = |event: super::play::Raised| Finding {
            subject: match self.scene.head.per {
                Per::Device => event.device,
                Per::Area => event.area,
            },
            // The mean of a quarter is known at its end.
            from: event.opened - LENGTH,
            until: event.cleared.unwrap_or(span.to),
            how: How::Means,
            is_sure: false,
            detectors: [event.detector].into(),
        };
        Ok(raised.map(finding).collect())
    }

    /// Detectors that see nothing in quarters, and why.
    pub(super) fn blind(&self) -> impl Iterator<Item = (&str, NeedsMore)> {
        self.detectors.iter().filter_map(|(d, c)| Some((d.id.as_str(), c.needs_more()?)))
    }
}

fn episodes(
    index: DeviceIndex,
    device: &Device,
    compiled: &Compiled,
    past: &Past,
    span: Span,
) -> Vec<Episode> {
    let mut spotter = Spotter::new(compiled.delays);
    let mut before = vec![None; device.device_type.points.len()];
    let mut found = Vec::new();
    let mut last = Quarter::of(span.from);
    for quarter in span.before(DELAYS).quarters() {
        last = quarter.next();
        // Where every reading is known, quarters say no more, unless a delay began before or goes on after.
        let enough = quarter.end() + compiled.delays.on + LENGTH;
        if spotter.is_idle() && past.is_covered(index, quarter.start(), enough) {
            continue;
        }
        let glance = past.quarter(index, quarter).and_then(|points| {
            let known = Known { points, before: &before };
            let glance = compiled.glance(&device.device_type, known, quarter)?;
            let is_ordered = !past.out_of_order.contains(&(index, quarter));
            let doubtful = Glance { extent: glance.extent.min(Extent::Maybe), is_calm: false };
            Some(if is_ordered { glance } else { doubtful })
        });
        found.extend(spotter.handle(quarter, glance));
        for (before, point) in before.iter_mut().zip(past.quarter(index, quarter).unwrap_or(&[])) {
            if point.good > 0 {
                *before = Some(point.last);
            }
        }
    }
    found.extend(spotter.finish(last));
    found
}

/// Draws a finding together with those of the same subject and time.
fn add(found: &mut Vec<Finding>, mut finding: Finding) {
    found.retain(|other| {
        let is_same = is_same(other, &finding);
        if is_same {
            finding.from = finding.from.min(other.from);
            finding.until = finding.until.max(other.until);
            finding.is_sure |= other.is_sure;
            finding.how = finding.how.min(other.how);
            finding.detectors.extend(other.detectors.iter().cloned());
        }
        !is_same
    });
    found.push(finding);
}

/// Whether two findings are about one thing at one time.
fn is_same(a: &Finding, b: &Finding) -> bool {
    a.subject == b.subject && a.from < b.until && b.from < a.until
}
