//! A scene's detectors, compiled once, and fastened to each device that has the points.

use std::sync::Arc;
use std::time::Duration;

use cel::Env;

use super::anomaly::budget::Allowance;
use super::anomaly::{FLOOR, INPUTS, OUTPUTS, abnormality_of};
use super::condition::{Change, Delays, Phase, Running};
use super::rule::{Feature, Need, NotARule, Rule};
use super::score::{Series, Verdict};
use super::soon::Soon;
use super::together::Together;
use super::warning::{INPUTS as WARNING_INPUTS, OUTPUTS as WARNING_OUTPUTS, Outlook};
use crate::admission::Gate;
use crate::community::ModelSpec;
use crate::community::calendar::{Calendar, Moment, Spells};
use crate::community::device_type::DeviceType;
use crate::community::quantity::Text;
use crate::community::scene::{Detector, Scene};
use crate::event::verdict::Lesson;
use crate::reading::{Quality, Reading, Timestamp};
use crate::window::Recent;

/// The score from which the general detector raises an event when nobody says otherwise.
const THRESHOLD: f64 = 0.5;

/// How rare, in powers of ten, is what raises an event of points together when nobody says otherwise:
/// the tail of the normal deviate from which they do not fit.
const TOGETHER: f64 = 2.9;

/// A detector of a scene, ready to be fastened to devices.
pub struct Compiled {
    /// Position in [`crate::community::Community::scenes`].
    pub scene: usize,
    pub id: String,
    pub(super) title: Option<Text>,
    pub delays: Delays,
    pub(super) certainty: Option<f64>,
    /// What a model's points may raise, when the scene has a budget.
    pub allowance: Option<Allowance>,
    pub(super) judge: Judge,
    /// When it looks.
    pub(super) spells: Spells,
    /// By whose time; absent when nothing here asks for it.
    pub(super) calendar: Option<Arc<Calendar>>,
}

pub(super) enum Judge {
    High {
        point: String,
        limit: f64,
        deadband: f64,
    },
    Low {
        point: String,
        limit: f64,
        deadband: f64,
    },
    Rule {
        text: String,
        when: Rule,
        clear: Option<Box<Rule>>,
    },
    /// `threshold` is a score, 0..1.
    Model {
        spec: ModelSpec,
        points: Vec<String>,
        threshold: f64,
        every: Duration,
        /// By whose hours and days of rest it knows what is usual.
        calendar: Option<Arc<Calendar>>,
    },
    Soon(Box<Soon>),
}

/// The detector names no way of judging, or one that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("detector `{0}` needs exactly one of `limit-high`, `limit-low`, `when` and `model`")]
    NoJudge(String),
    #[error("detector `{0}`: a limit needs a `point`")]
    NoPoint(String),
    #[error("detector `{0}`: {1}")]
    Rule(String, NotARule),
    #[error("detector `{0}`: model `{1}` is not installed")]
    NoModel(String, String),
    #[error(
        "detector `{0}`: model `{1}` takes {2} numbers and answers {3}, expected {INPUTS} and {OUTPUTS}"
    )]
    OtherShape(String, String, usize, usize),
    #[error(
        "detector `{0}`: the model takes {1} numbers and answers {2}, expected {WARNING_INPUTS} and {WARNING_OUTPUTS}"
    )]
    OtherWarningShape(String, usize, usize),
}

impl Compiled {
    /// # Errors
    /// The detector cannot work; `check` tells this with its place in the file.
    pub fn new(
        scene: usize,
        detector: &Detector,
        models: &[ModelSpec],
        calendar: Option<&Arc<Calendar>>,
        env: &Arc<Env>,
    ) -> Result<Self, Unusable> {
        let id = detector.id.clone();
        let rule = |text: &str| {
            Rule::compile(text, env).map_err(|why| Unusable::Rule(detector.id.clone(), why))
        };
        let point = || detector.point.clone().ok_or_else(|| Unusable::NoPoint(id.clone()));
        let deadband = detector.deadband.as_ref().map_or(0.0, |q| q.value);
        let judge =
            match (&detector.limit_high, &detector.limit_low, &detector.when, &detector.model) {
                (Some(limit), None, None, None) => {
                    Judge::High { point: point()?, limit: limit.value, deadband }
                }
                (None, Some(limit), None, None) => {
                    Judge::Low { point: point()?, limit: limit.value, deadband }
                }
                (None, None, Some(text), None) => Judge::Rule {
                    text: text.clone(),
                    when: rule(text)?,
                    clear: detector.clear_when.as_deref().map(rule).transpose()?.map(Box::new),
                },
                (None, None, None, Some(name)) => {
                    let spec = models.iter().find(|m| m.name == *name).cloned();
                    let spec = spec.ok_or_else(|| Unusable::NoModel(id.clone(), name.clone()))?;
                    if (spec.window, spec.outputs) != (INPUTS, OUTPUTS) {
                        let (inputs, outputs) = (spec.window, spec.outputs);
                        return Err(Unusable::OtherShape(id, spec.name, inputs, outputs));
                    }
                    Judge::Model {
                        spec,
                        points: detector.points.clone(),
                        threshold: detector.threshold.unwrap_or(THRESHOLD),
                        every: detector.every.map_or(Duration::ZERO, |p| p.0),
                        calendar: calendar.cloned(),
                    }
                }
                _ => return Err(Unusable::NoJudge(id)),
            };
        let delays = Delays { on: detector.on_delay.0, off: detector.off_delay.0 };
        let (title, certainty) = (detector.title.clone(), detector.certainty);
        let spells = Spells { during: detector.during, not_during: detector.not_during };
        let asks_time = match &judge {
            Judge::Rule { when, clear, .. } => {
                when.asks_calendar() || clear.as_deref().is_some_and(Rule::asks_calendar)
            }
            Judge::High { .. } | Judge::Low { .. } | Judge::Model { .. } | Judge::Soon(_) => false,
        };
        let asks_time = asks_time || spells.during.is_some() || spells.not_during.is_some();
        let calendar = calendar.filter(|_| asks_time).cloned();
        Ok(Self { scene, id, title, delays, certainty, allowance: None, judge, spells, calendar })
    }

    /// Fastens the detector to devices of that type, if they are meant and have its points.
    pub fn bind(&self, index: usize, scene: &Scene, device_type: &DeviceType) -> Option<Bound> {
        let wanted = &scene.head.device_types;
        if !wanted.is_empty() && !wanted.contains(&device_type.head.id) {
            return None;
        }
        let position = |name: &String| device_type.point(name);
        let points: Vec<usize> = match &self.judge {
            Judge::High { point, .. } | Judge::Low { point, .. } => vec![position(point)?],
            Judge::Soon(soon) => vec![position(&soon.point)?],
            Judge::Rule { when, clear, .. } => {
                let mut points = Vec::new();
                for need in when.needs().iter().chain(clear.iter().flat_map(|clear| clear.needs()))
                {
                    let point = position(&need.point)?;
                    if !points.contains(&point) {
                        points.push(point);
                    }
                }
                points
            }
            Judge::Model { points, .. } if points.is_empty() => {
                (0..device_type.points.len()).collect()
            }
            Judge::Model { points, .. } => points.iter().map(position).collect::<Option<_>>()?,
        };
        let series = match &self.judge {
            Judge::Model { every, .. } => {
                points.iter().map(|point| Series::new(*point, *every)).collect()
            }
            Judge::High { .. } | Judge::Low { .. } | Judge::Rule { .. } | Judge::Soon(_) => {
                Vec::new()
            }
        };
        let outlook = match &self.judge {
            Judge::Soon(soon) => Some(Outlook::new(soon.every)),
            Judge::High { .. } | Judge::Low { .. } | Judge::Rule { .. } | Judge::Model { .. } => {
                None
            }
        };
        let together = match &self.judge {
            Judge::Model { every, .. } if points.len() > 1 => Some(Together::new(&points, *every)),
            Judge::Model { .. }
            | Judge::High { .. }
            | Judge::Low { .. }
            | Judge::Rule { .. }
            | Judge::Soon(_) => None,
        };
        (!points.is_empty()).then(|| Bound {
            detector: index,
            points,
            series,
            together,
            outlook,
            phase: Phase::default(),
            timer: None,
            kept: Kept::default(),
            lesson: None,
            held_back: 0,
        })
    }

    /// What the calendar says of a reading's time; `None` when it is not asked or cannot tell.
    fn moment(&self, sight: Sight<'_>, at: Timestamp) -> Option<Moment> {
        self.calendar.as_ref().filter(|_| sight.knows_time)?.at(at)
    }

    /// The model that it asks.
    pub fn model(&self) -> Option<&ModelSpec> {
        match &self.judge {
            Judge::Model { spec, .. } => Some(spec),
            Judge::Soon(soon) => Some(&soon.spec),
            Judge::High { .. } | Judge::Low { .. } | Judge::Rule { .. } => None,
        }
    }

    /// The abnormality from which a point may raise an event: what the budget leaves; without one, or
    /// while nobody knows how often the point is sampled, that of the score `threshold`.
    ///
    /// What people said of its events moves it by `shift`, but never below what is unusual at all.
    pub(super) fn limit(&self, threshold: f64, series: &Series, shift: f64) -> f64 {
        let left = self.allowance.and_then(|allowance| allowance.threshold(series.interval()));
        let fixed = abnormality_of(threshold);
        // Somebody asked for more certainty than the general detector does by itself.
        let is_stricter = threshold > THRESHOLD;
        let limit = left.map_or(fixed, |left| if is_stricter { left.max(fixed) } else { left });
        (limit + shift).max(limit.min(FLOOR))
    }

    /// Whether points that do not fit each other may raise an event by the budget, and by what people
    /// said of earlier ones.
    fn may_raise(&self, together: &Together, shift: f64) -> bool {
        let left = self.allowance.and_then(|allowance| allowance.powers(together.interval()));
        let needed = left.or((shift > 0.0).then_some(TOGETHER));
        together.is_open() && needed.is_none_or(|needed| together.powers() >= needed + shift)
    }

    /// Whether what people say of its events moves its threshold. What somebody declared stays.
    pub fn learns(&self) -> bool {
        match &self.judge {
            Judge::Model { .. } | Judge::Soon(_) => true,
            Judge::High { .. } | Judge::Low { .. } | Judge::Rule { .. } => false,
        }
    }

    /// Whether rules look at the past of the points.
    pub fn looks_back(&self) -> bool {
        let back = |rule: &Rule| {
            rule.needs().iter().any(|n| matches!(n.feature, Feature::Rate | Feature::Mean))
        };
        match &self.judge {
            Judge::Rule { when, clear, .. } => back(when) || clear.as_deref().is_some_and(back),
            Judge::High { .. } | Judge::Low { .. } | Judge::Model { .. } | Judge::Soon(_) => false,
        }
    }
}

/// A detector on one device, with its state.
#[derive(Debug, Clone)]
pub struct Bound {
    /// Position in the list of [`Compiled`].
    pub detector: usize,
    /// The points that it looks at, by position in the device type.
    pub points: Vec<usize>,
    /// What its model looks at.
    pub series: Vec<Series>,
    /// The same points judged together, where there are several.
    pub together: Option<Together>,
    /// A warning's view of its point.
    pub outlook: Option<Outlook>,
    pub phase: Phase,
    /// When its delay will have passed, in the device's time.
    pub timer: Option<Timestamp>,
    /// What the disk says of its running delay.
    pub kept: Kept,
    /// What people's verdicts have taught it.
    pub lesson: Option<Box<Lesson>>,
    /// What the budget held back since this was last asked.
    pub held_back: u64,
}

/// What the disk says of a detector's running delay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    pub running: Option<Running>,
    /// When one was last written.
    pub at: Option<Timestamp>,
}

/// What a device has said, as far as detectors may see it.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    pub device_type: &'a DeviceType,
    pub gate: &'a Gate,
    /// Per point; empty when no rule looks back.
    pub recent: &'a [Recent],
    /// Whether the time of its readings can be believed, so that the calendar may be asked.
    pub knows_time: bool,
}

impl Sight<'_> {
    pub(super) fn value(&self, point: usize) -> Option<f64> {
        self.gate.point(point).good.map(|(_, value)| value)
    }

    fn lookup(&self, need: &Need, at: Timestamp) -> Option<f64> {
        let point = self.device_type.point(&need.point)?;
        let value = self.value(point)?;
        match need.feature {
            Feature::Value => Some(value),
            Feature::Held => Some(self.gate.point(point).held(at).as_secs_f64()),
            Feature::Rate => self.recent.get(point).map(Recent::rate),
            Feature::Mean => self.recent.get(point).map(Recent::mean),
        }
    }
}

impl Bound {
    /// Powers of ten by which people's verdicts have raised its threshold.
    pub fn shift(&self) -> f64 {
        self.lesson.as_ref().map_or(0.0, |lesson| lesson.shift)
    }

    /// Looks at the readings of one frame; what the model should see is appended to `features`, and the
    /// positions in [`Bound::series`] and samples that it belongs to to `asks`.
    pub fn handle_readings(
        &mut self,
        compiled: &Compiled,
        sight: Sight<'_>,
        readings: &[Reading],
        asks: &mut Vec<(usize, u64)>,
        features: &mut Vec<f32>,
        at: Timestamp,
    ) -> Option<Change> {
        let concerned =
            readings.iter().any(|r| r.quality == Quality::Good && self.points.contains(&r.point));
        if !concerned {
            return None;
        }
        let shift = self.shift();
        let moment = compiled.moment(sight, at);
        let moment = moment.as_ref();
        let is_time = || compiled.spells.admit(moment);
        let is_true = match &compiled.judge {
            Judge::High { limit, deadband, .. } => {
                let edge = if self.phase.is_active() { limit - deadband } else { *limit };
                fresh(readings, self.points[0])? > edge && is_time()?
            }
            Judge::Low { limit, deadband, .. } => {
                let edge = if self.phase.is_active() { limit + deadband } else { *limit };
                fresh(readings, self.points[0])? < edge && is_time()?
            }
            Judge::Rule { when, clear, .. } => match clear {
                Some(clear) if self.phase.is_active() => {
                    !clear.test(moment, |n| sight.lookup(n, at))?
                }
                Some(_) | None => is_time()? && when.test(moment, |n| sight.lookup(n, at))?,
            },
            Judge::Model { threshold, calendar, .. } => {
                let (mut is_sample, mut opens) = (false, false);
                for (index, series) in self.series.iter_mut().enumerate() {
                    let Some(value) = fresh(readings, series.point) else { continue };
                    let limit = compiled.limit(*threshold, series, shift);
                    let Some(asked) =
                        series.handle(at, value, limit, calendar.as_deref(), features)
                    else {
                        continue;
                    };
                    asks.extend(asked.map(|sample| (index, sample)));
                    is_sample = true;
                    opens |= series.verdict.is_some_and(|v| v.judgement.opens);
                    self.held_back += u64::from(series.was_held_back(abnormality_of(*threshold)));
                }
                let is_row = self.together.as_mut().is_some_and(|t| t.handle(readings, at));
                if !is_sample && !is_row {
                    return None;
                }
                if let Some(together) = &mut self.together {
                    let raises = compiled.may_raise(together, shift);
                    self.held_back += u64::from(is_row && together.was_held_back(raises));
                    opens |= raises;
                }
                let goes_on = self.together.as_ref().is_some_and(Together::is_open)
                    || self.series.iter().filter_map(|series| series.verdict).any(|verdict| {
                        // Not the budget's limit: that sinks while the event lasts.
                        verdict.judgement.abnormality >= abnormality_of(*threshold)
                    });
                opens || goes_on && self.phase != Phase::Normal
            }
            Judge::Soon(soon) => {
                let hour = moment.map(|moment| moment.hour);
                self.look_ahead(soon, readings, hour, asks, features, at)?
            }
        };
        let was_pending = matches!(self.phase, Phase::Pending { .. });
        let change = self.phase.handle(is_true, compiled.delays, at);
        if was_pending && self.phase == Phase::Normal {
            self.series.iter_mut().for_each(Series::retract);
        }
        change
    }

    /// Whether what it waits for may still come at a moment that no reading tells of: the values are
    /// as they were, but the time is not.
    pub fn may_still_hold(&self, compiled: &Compiled, sight: Sight<'_>, at: Timestamp) -> bool {
        if compiled.calendar.is_none() || !matches!(self.phase, Phase::Pending { .. }) {
            return true;
        }
        let moment = compiled.moment(sight, at);
        let holds = match &compiled.judge {
            Judge::Rule { when, .. } => when.test(moment.as_ref(), |n| sight.lookup(n, at)),
            Judge::High { .. } | Judge::Low { .. } | Judge::Model { .. } | Judge::Soon(_) => None,
        };
        holds != Some(false) && compiled.spells.admit(moment.as_ref()) != Some(false)
    }

    /// The highest score of the newest sample, as it is told; `None` for rules and before there is one.
    pub fn score(&self) -> Option<f64> {
        let alone = self.newest().map(|v| v.judgement.reported());
        alone.chain(self.together.as_ref().map(Together::score)).max_by(f64::total_cmp)
    }

    /// What the newest sample came to, by point.
    pub(super) fn newest(&self) -> impl Iterator<Item = Verdict> + '_ {
        let verdicts = || self.series.iter().filter_map(|s| s.verdict);
        let newest = verdicts().map(|v| v.at).max();
        verdicts().filter(move |v| Some(v.at) == newest)
    }

    /// How far past the limit it is now, as a share of it; for a model, the score.
    pub fn over(&self, compiled: &Compiled, sight: Sight<'_>) -> f64 {
        // Bounded, since JSON has no infinity.
        let past = |limit: f64, by: f64| (by / limit.abs().max(1e-9)).clamp(0.0, 1e9);
        let value = self.points.first().and_then(|p| sight.value(*p));
        match (&compiled.judge, value) {
            (Judge::High { limit, .. }, Some(value)) => past(*limit, value - limit),
            (Judge::Low { limit, .. }, Some(value)) => past(*limit, limit - value),
            (Judge::Model { .. }, _) => {
                let alone = self.newest().map(|v| v.score());
                let together = self.together.as_ref().map(Together::score);
                alone.chain(together).max_by(f64::total_cmp).unwrap_or(0.0)
            }
            (Judge::High { .. } | Judge::Low { .. }, None)
            | (Judge::Rule { .. } | Judge::Soon(_), _) => 0.0,
        }
    }
}

pub(super) fn fresh(readings: &[Reading], point: usize) -> Option<f64> {
    readings.iter().find(|r| r.point == point && r.quality == Quality::Good).map(|r| r.value)
}
