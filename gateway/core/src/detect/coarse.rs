//! What a detector can tell from the [`Statistic`]s of a quarter of an hour, and what it cannot.
//!
//! A limit can tell much: above it all the time, at times, or never. A rule over several points, or one
//! that no single value decides, is tried on what may have been ([`scenarios`]) and tells no more than
//! "perhaps". What looks at the minutes before a reading cannot tell anything: [`Compiled::needs_more`].
//! [`crate::statistics::episode`] makes episodes of it.

use std::sync::Arc;

use super::bound::{Compiled, Judge, Unusable};
use super::rule::{Feature, Rule};
use crate::community::ModelSpec;
use crate::community::calendar::{Calendar, Moment};
use crate::community::device_type::DeviceType;
use crate::community::scene::Detector;
use crate::reading::Timestamp;
use crate::statistics::episode::{Extent, Glance};
use crate::statistics::quarter::{LENGTH, Quarter, Statistic};

/// The calendar changes on the minute.
const MINUTE_MS: i64 = 60_000;

/// A rule over more points is tried on their extremes together, and not on every mixture.
const MIXED: usize = 4;

/// Why a detector sees nothing in quarters of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NeedsMore {
    /// `rate`, `mean` or `held`.
    Minutes,
    /// A model: it is shown a row of samples.
    Samples,
}

/// What is known of a device in a quarter; both by the position of the point in its type.
#[derive(Debug, Clone, Copy)]
pub struct Known<'k> {
    pub points: &'k [Statistic],
    /// The newest value of each point before.
    pub before: &'k [Option<f64>],
}

/// The part of a quarter in which the detector looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    Always,
    AtTimes,
    Never,
}

impl Compiled {
    /// A detector by itself, to look at what was kept; its scene has the position 0.
    ///
    /// # Errors
    /// The detector cannot work.
    pub fn alone(
        detector: &Detector,
        models: &[ModelSpec],
        calendar: Option<&Arc<Calendar>>,
    ) -> Result<Self, Unusable> {
        Self::new(0, detector, models, calendar, &Arc::new(cel::Env::stdlib()))
    }

    /// What it would need to see anything.
    pub fn needs_more(&self) -> Option<NeedsMore> {
        let looks_back =
            |rule: &Rule| rule.needs().iter().any(|need| need.feature != Feature::Value);
        match &self.judge {
            Judge::High { .. } | Judge::Low { .. } => None,
            Judge::Rule { when, clear, .. } => {
                let is_blind = looks_back(when) || clear.as_deref().is_some_and(looks_back);
                is_blind.then_some(NeedsMore::Minutes)
            }
            Judge::Model { .. } | Judge::Soon(_) => Some(NeedsMore::Samples),
        }
    }

    /// What it tells of a quarter; `None` when nothing was heard in it that it looks at.
    pub fn glance(
        &self,
        device_type: &DeviceType,
        known: Known<'_>,
        quarter: Quarter,
    ) -> Option<Glance> {
        let heard = |name: &str| {
            let point = known.points.get(device_type.point(name)?)?;
            (point.good > 0).then_some(point)
        };
        match &self.judge {
            Judge::High { point, limit, deadband } => {
                let point = heard(point)?;
                let is_sure = point.surely_reached() > *limit;
                let told = told(point.min > *limit, is_sure, point.max > *limit);
                Some(self.in_time(told, point.max <= limit - deadband, quarter))
            }
            Judge::Low { point, limit, deadband } => {
                let point = heard(point)?;
                let is_sure = point.surely_sank_to() < *limit;
                let told = told(point.max < *limit, is_sure, point.min < *limit);
                Some(self.in_time(told, point.min >= limit + deadband, quarter))
            }
            Judge::Rule { when, clear, .. } => {
                let mut names: Vec<&str> = when
                    .needs()
                    .iter()
                    .chain(clear.iter().flat_map(|clear| clear.needs()))
                    .map(|need| need.point.as_str())
                    .collect();
                names.sort_unstable();
                names.dedup();
                let is_heard = names.iter().any(|name| heard(name).is_some());
                let seen: Vec<Statistic> =
                    names.iter().map(|name| known.of(device_type, name)).collect::<Option<_>>()?;
                is_heard.then(|| self.try_rule((when, clear.as_deref()), &names, &seen, quarter))
            }
            Judge::Model { .. } | Judge::Soon(_) => None,
        }
    }

    fn in_time(&self, extent: Extent, is_calm: bool, quarter: Quarter) -> Glance {
        match self.looks(quarter) {
            Looks::Always => Glance { extent, is_calm },
            Looks::AtTimes => Glance { extent: extent.min(Extent::Maybe), is_calm },
            Looks::Never => Glance { extent: Extent::None, is_calm: true },
        }
    }

    fn looks(&self, quarter: Quarter) -> Looks {
        let is_bound = self.spells.during.is_some() || self.spells.not_during.is_some();
        if !is_bound {
            return Looks::Always;
        }
        let mut told = self.moments(quarter).map(|m| self.spells.admit(m.as_ref()) == Some(true));
        let first = told.next().unwrap_or(false);
        match (first, told.all(|told| told == first)) {
            (true, true) => Looks::Always,
            (false, true) => Looks::Never,
            (_, false) => Looks::AtTimes,
        }
    }

    /// The minutes of a quarter; one stands for all when nobody asks for the time.
    fn moments(&self, quarter: Quarter) -> impl Iterator<Item = Option<Moment>> + '_ {
        let minutes = if self.calendar.is_some() { LENGTH.as_secs() / 60 } else { 1 };
        (0_i64..).take(usize::try_from(minutes).unwrap_or(1)).map(move |minute| {
            let at = Timestamp(quarter.start().0.saturating_add(minute * MINUTE_MS));
            self.calendar.as_ref()?.at(at)
        })
    }

    /// One value that is the same all the time decides a rule over it alone; else it is tried.
    fn try_rule(
        &self,
        (when, clear): (&Rule, Option<&Rule>),
        names: &[&str],
        seen: &[Statistic],
        quarter: Quarter,
    ) -> Glance {
        let is_decided = matches!(seen, [only] if only.min >= only.max);
        let (mut all, mut any, mut ends) = (true, false, true);
        for moment in self.moments(quarter) {
            for values in scenarios(seen) {
                let ask = |rule: &Rule| {
                    rule.test(moment.as_ref(), |need| {
                        let at = names.iter().position(|name| *name == need.point)?;
                        values.get(at).copied()
                    })
                };
                let is_true = ask(when);
                all &= is_true == Some(true);
                any |= is_true == Some(true);
                ends &= clear.map_or(is_true == Some(false), |clear| ask(clear) == Some(true));
            }
        }
        let told = told(all && is_decided, all && is_decided, any);
        self.in_time(told, ends, quarter)
    }
}

impl Known<'_> {
    /// A point in the quarter, or as it was before when it said nothing in it.
    fn of(&self, device_type: &DeviceType, name: &str) -> Option<Statistic> {
        let at = device_type.point(name)?;
        let point = self.points.get(at).copied().filter(|point| point.good > 0);
        point.or_else(|| {
            let mut held = Statistic::default();
            held.push((*self.before.get(at)?)?);
            Some(held)
        })
    }
}

fn told(all: bool, some: bool, maybe: bool) -> Extent {
    match (all, some, maybe) {
        (true, _, _) => Extent::All,
        (false, true, _) => Extent::Some,
        (false, false, true) => Extent::Maybe,
        (false, false, false) => Extent::None,
    }
}

/// What may have been at once: every point at its mean, and mixtures of smallest and largest.
fn scenarios(seen: &[Statistic]) -> Vec<Vec<f64>> {
    let mut all = vec![seen.iter().map(Statistic::mean).collect::<Vec<_>>()];
    let masks: Vec<u32> =
        if seen.len() <= MIXED { (0..1 << seen.len()).collect() } else { vec![0, u32::MAX] };
    for mask in masks {
        let at = |(i, point): (usize, &Statistic)| {
            if mask.checked_shr(u32::try_from(i).unwrap_or(0)).unwrap_or(mask) & 1 == 0 {
                point.min
            } else {
                point.max
            }
        };
        all.push(seen.iter().enumerate().map(at).collect());
    }
    all
}
