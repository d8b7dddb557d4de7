//! What stays of a detector on a device when the configuration is replaced.
//!
//! Where it stands (what is pending, what counts, which delay runs) stays while it judges as it did, by
//! points that measure what they did; how it is called and what is advised does not matter. What was
//! learnt of a point stays as long as the point. A delay that does not go on is forgotten on disk, too:
//! a restart would bring it back.

use super::{Pipeline, keeping};
use crate::admission::Gate;
use crate::community::device_type::{DeviceType, Point};
use crate::community::quantity::Period;
use crate::community::scene::{Detector, Scene};
use crate::detect::bound::{Bound, Compiled};
use crate::detect::condition::Phase;
use crate::detect::soon::SUFFIX;
use crate::detect::warning::Outlook;
use crate::reading::{DeviceIndex, Timestamp};

impl Pipeline {
    /// `points` says where the points are that were in that place.
    pub(super) fn inherit_bound(
        &mut self,
        index: DeviceIndex,
        scene: &Scene,
        was: &Compiled,
        points: &[Option<usize>],
        before: Bound,
    ) {
        let key = keeping::key(&self.community.device(index).id, &scene.head.id, &was.id);
        let is_kept = before.kept.running.is_some();
        let goes_on = self
            .positions(index, &scene.head.id, &was.id)
            .first()
            .is_some_and(|position| self.inherit_at(index, *position, scene, was, points, before));
        if is_kept && !goes_on {
            self.batch.states.push((key, None));
        }
    }

    /// True when it goes on from where it stood.
    fn inherit_at(
        &mut self,
        index: DeviceIndex,
        position: usize,
        scene: &Scene,
        was: &Compiled,
        points: &[Option<usize>],
        before: Bound,
    ) -> bool {
        let bound = &mut self.devices[index.0].bounds[position];
        let compiled = &self.compiled[bound.detector];
        let place = |point: &usize| points[*point];
        let has_same_points =
            before.points.iter().map(place).eq(bound.points.iter().map(|p| Some(*p)));
        for was in before.series {
            let place = place(&was.point);
            if let Some(now) = bound.series.iter_mut().find(|now| Some(now.point) == place) {
                now.inherit(was);
            }
        }
        if !has_same_points {
            return false;
        }
        if let (Some(now), Some(was)) = (&mut bound.together, before.together) {
            now.inherit(was);
        }
        let now_scene = &self.community.scenes[compiled.scene];
        let (then, now) = (detector_of(scene, was), detector_of(now_scene, compiled));
        let goes_on = then.zip(now).is_some_and(|(then, now)| judge_alike(then, now));
        if goes_on {
            let due = before.phase.due(compiled.delays);
            bound.timer = if was.delays == compiled.delays { before.timer } else { due };
            bound.phase = before.phase;
            bound.kept = before.kept;
            bound.explains = before.explains;
            if let Some(grounds) = before.grounds.iter().map(place).collect() {
                bound.grounds = grounds;
            }
            bound.outlook = before.outlook;
        } else if let (Some(now), Some(seen)) =
            (&mut bound.outlook, before.outlook.as_ref().and_then(Outlook::remember))
        {
            now.recall(&seen);
        }
        goes_on
    }

    /// What counts and stands in no event any more (its scene counts by areas now, or its device is in
    /// another) makes one anew: at once when it can explain itself, else with the next reading.
    pub(super) fn raise_homeless(&mut self, now: Timestamp) {
        for index in (0..self.devices.len()).map(DeviceIndex) {
            for position in 0..self.devices[index.0].bounds.len() {
                let state = &self.devices[index.0];
                let bound = &state.bounds[position];
                let compiled = &self.compiled[bound.detector];
                let device = &self.community.device(index).id;
                let (Phase::Active { since } | Phase::Clearing { since, .. }) = bound.phase else {
                    continue;
                };
                if self.book.over(&self.key_of(index, compiled), device, &compiled.id).is_some() {
                    continue;
                }
                let is_known = bound.points.iter().all(|p| state.gate.point(*p).good.is_some());
                let is_judged = bound.series.iter().all(|series| series.verdict.is_some());
                if is_known && is_judged && bound.has_evidence() {
                    self.raise(index, position, since, now);
                } else {
                    let bound = &mut self.devices[index.0].bounds[position];
                    (bound.phase, bound.timer) = (Phase::Normal, None);
                }
            }
        }
    }
}

/// By the position that points had, where they are now.
pub(super) fn places(before: &DeviceType, now: &DeviceType) -> Vec<Option<usize>> {
    let place = |point: &Point| {
        now.point(&point.name).filter(|place| measure_alike(point, &now.points[*place]))
    };
    before.points.iter().map(place).collect()
}

/// The gate of a device whose points have other places now.
pub(super) fn moved(before: &Gate, places: &[Option<usize>], now: &DeviceType) -> Gate {
    let mut gate = Gate::new(now.points.len());
    gate.recall_clock(before.clock().clone());
    for (was, place) in places.iter().enumerate() {
        if let Some(place) = place {
            gate.recall(*place, *before.point(was));
        }
    }
    gate
}

/// The lines of its scene that made a detector; those of a warning are its limit's.
fn detector_of<'a>(scene: &'a Scene, compiled: &Compiled) -> Option<&'a Detector> {
    let id = compiled.id.as_str();
    let id = if compiled.is_warning() { id.strip_suffix(SUFFIX)? } else { id };
    scene.detectors.iter().find(|detector| detector.id == id)
}

fn judge_alike(one: &Detector, other: &Detector) -> bool {
    let bare = |detector: &Detector| Detector {
        title: None,
        certainty: None,
        on_delay: Period::default(),
        off_delay: Period::default(),
        ..detector.clone()
    };
    bare(one) == bare(other)
}

fn measure_alike(one: &Point, other: &Point) -> bool {
    let numbers = |point: &Point| (point.scale, point.offset);
    numbers(one) == numbers(other)
        && (&one.at, &one.unit, &one.words) == (&other.at, &other.unit, &other.words)
}
