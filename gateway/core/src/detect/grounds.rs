//! What a detector's word rests on: which values may still be believed, and what a rule makes of them.
//!
//! Values come in by a [`Sight`] of the device; [`super::bound`] asks when a reading comes, the pipeline
//! when a delay has passed. A value older than its point's `stale` is no value.

use super::bound::{Bound, Compiled, Judge, Sight};
use super::condition::Phase;
use super::rule::{Feature, Need, Rule};
use super::score::{Series, Verdict};
use crate::community::Community;
use crate::community::calendar::Moment;
use crate::reading::Timestamp;

impl Sight<'_> {
    /// Whether a point's value is too old to tell anything at that time.
    pub fn is_stale(&self, point: usize, at: Timestamp) -> bool {
        let limit = Community::stale_after(self.device_type, point);
        self.gate.point(point).good.is_some_and(|(then, _)| at.since(then) > limit)
    }

    /// The point's value, if it can be believed at that time.
    fn believed(&self, point: usize, at: Timestamp) -> Option<f64> {
        self.value(point).filter(|_| !self.is_stale(point, at))
    }

    /// Those of the points whose value could be believed when the device last spoke.
    pub(super) fn known(&self, points: &[usize]) -> Vec<usize> {
        let last = self.gate.last_at();
        let is_known = |point: &usize| match last {
            Some(last) => self.believed(*point, last).is_some(),
            None => self.value(*point).is_some(),
        };
        points.iter().copied().filter(is_known).collect()
    }

    fn lookup(&self, need: &Need, at: Timestamp) -> Option<f64> {
        let point = self.device_type.point(&need.point)?;
        let value = self.believed(point, at)?;
        let recent = || self.recent.get(point).filter(|recent| !recent.is_empty());
        match need.feature {
            Feature::Value => Some(value),
            Feature::Held => Some(self.gate.point(point).held(at).as_secs_f64()),
            Feature::Rate => Some(recent()?.rate()),
            Feature::Mean => Some(recent()?.mean()),
        }
    }
}

impl Bound {
    /// Whether a rule's condition is true at `at`; `None` when it cannot tell.
    pub(super) fn ask(
        &mut self,
        compiled: &Compiled,
        sight: Sight<'_>,
        moment: Option<&Moment>,
        at: Timestamp,
    ) -> Option<bool> {
        let Judge::Rule { when, clear, .. } = &compiled.judge else { return None };
        let test = |rule: &Rule| rule.test(moment, |need| sight.lookup(need, at));
        let end = clear.as_deref().filter(|_| self.phase.is_active());
        let told = match end {
            Some(end) => test(end).map(|is_over| !is_over),
            None if compiled.spells.admit(moment)? => test(when),
            None => Some(false),
        };
        let Some(is_true) = told else {
            if end.is_none() && self.is_gone(compiled, sight, moment, at) {
                return Some(false);
            }
            self.grounds.clone_from(&self.points);
            return None;
        };
        self.explains = if end.is_some() { test(when) == Some(true) } else { is_true };
        if is_true {
            let (asked, answer) = end.map_or((when, true), |end| (end, false));
            self.grounds = self.needed(sight, |points| {
                let is_among = |need: &Need| {
                    sight.device_type.point(&need.point).is_some_and(|p| points.contains(&p))
                };
                let lookup = |need: &Need| sight.lookup(need, at).filter(|_| is_among(need));
                asked.test(moment, lookup) == Some(answer)
            });
        }
        Some(is_true)
    }

    /// Whether what made a rule true says otherwise by now, and only points that died cannot tell: they
    /// hold no event open.
    fn is_gone(
        &self,
        compiled: &Compiled,
        sight: Sight<'_>,
        moment: Option<&Moment>,
        at: Timestamp,
    ) -> bool {
        let is_known = |point: &usize| sight.believed(*point, at).is_some();
        self.phase != Phase::Normal
            && moment.is_some() == compiled.calendar.is_some()
            && self.grounds.iter().all(is_known)
            && !self.points.iter().all(is_known)
    }

    /// What a model's points came to last, but for those that died: a value that was too old when the newest
    /// came says nothing any more.
    pub(super) fn current(&self, sight: Sight<'_>) -> impl Iterator<Item = (&Series, Verdict)> {
        let verdicts = || self.series.iter().filter_map(|s| Some((s, s.verdict?)));
        let newest = verdicts().map(|(_, verdict)| verdict.at).max();
        let device_type = sight.device_type;
        verdicts().filter(move |(series, verdict)| {
            let limit = Community::stale_after(device_type, series.point);
            newest.is_none_or(|newest| newest.since(verdict.at) <= limit)
        })
    }

    /// The points that an answer needs; of two that would do alike, the one that spoke last.
    fn needed(&self, sight: Sight<'_>, is_enough: impl Fn(&[usize]) -> bool) -> Vec<usize> {
        let mut needed = self.points.clone();
        needed.sort_by_key(|point| sight.gate.point(*point).good.map(|(at, _)| at));
        for point in needed.clone() {
            let fewer: Vec<usize> = needed.iter().copied().filter(|p| *p != point).collect();
            if is_enough(&fewer) {
                needed = fewer;
            }
        }
        needed
    }

    /// Whether what its delay waits for still stands at a moment that no reading tells of: the values
    /// are as they were, but the time is not. `None` when nobody can tell any more.
    pub fn may_still_hold(
        &self,
        compiled: &Compiled,
        sight: Sight<'_>,
        at: Timestamp,
    ) -> Option<bool> {
        let moment = compiled.moment(sight, at);
        let moment = moment.as_ref();
        let is_pending = matches!(self.phase, Phase::Pending { .. });
        if is_pending && compiled.spells.admit(moment) == Some(false) {
            return Some(false);
        }
        let test = |rule: &Rule| rule.test(moment, |need| sight.lookup(need, at));
        let told = match &compiled.judge {
            Judge::Rule { when, .. } if is_pending => test(when),
            Judge::Rule { when, clear, .. } => test(clear.as_deref().unwrap_or(when)).map(|_| true),
            Judge::High { .. } | Judge::Low { .. } | Judge::Model { .. } | Judge::Soon(_) => None,
        };
        // A past that a restart has cut off makes no value too old.
        told.or_else(|| {
            (!self.grounds.iter().any(|point| sight.is_stale(*point, at))).then_some(true)
        })
    }
}
