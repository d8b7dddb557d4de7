//! A limit's early warning, fastened to one device: asks the model at each sample, speaks while its
//! answer is sure enough, and is silent once the limit is passed: then the limit's own detector speaks.

use std::sync::Arc;
use std::time::Duration;

use super::bound::{Bound, Compiled, Judge, Sight, Unusable, fresh};
use super::condition::{Change, Delays};
use super::warning::{FARTHEST, INPUTS, MODEL, OUTPUTS, Side};
use crate::community::ModelSpec;
use crate::community::calendar::{Calendar, Spells};
use crate::community::device_type::Point;
use crate::community::quantity::Text;
use crate::community::scene::Detector;
use crate::reading::{Reading, Timestamp};

/// What a warning's id adds to that of its limit.
pub const SUFFIX: &str = "-soon";

/// Sure enough, when a scene does not say.
pub const SURE: f64 = 0.5;

/// A warning is taken back below this part of what raised it.
const STAY: f64 = 0.6;

/// What is forecast is never told as observed: its probabilities are less often right than they say.
const SUREST: f64 = 0.89;

/// How a limit's warning judges.
pub(super) struct Soon {
    pub(super) spec: ModelSpec,
    pub(super) point: String,
    pub(super) side: Side,
    pub(super) limit: f64,
    pub(super) within: Duration,
    pub(super) every: Duration,
    pub(super) sure: f64,
}

impl Soon {
    /// How far it looks ahead, in samples.
    fn ahead(&self) -> f64 {
        (self.within.as_secs_f64() / self.every.as_secs_f64().max(1e-3)).clamp(1.0, FARTHEST)
    }

    /// How sure it must be when people's verdicts moved the odds by `shift` powers of ten. No shift asks
    /// for more than a forecast can be.
    pub(super) fn wanted(&self, shift: f64) -> f64 {
        let moved = 1.0 / (1.0 + (1.0 - self.sure) / self.sure * 10_f64.powf(-shift));
        if moved > self.sure { moved.min(SUREST.max(self.sure)) } else { moved }
    }

    fn is_past(&self, value: f64) -> bool {
        match self.side {
            Side::Above => value > self.limit,
            Side::Below => value < self.limit,
        }
    }

    /// What a warning is called.
    fn title(point: &Point) -> Text {
        let name = point.title.clone().unwrap_or_else(|| Text::new(&point.name, &point.name));
        Text::new(
            format!("{}预计将越过限值", name.zh),
            format!("{} expected to pass the limit", name.en),
        )
    }

    /// As in `passes 150 µg/m³ within 3 h, 62 % sure; now 118 µg/m³`.
    pub(super) fn why(&self, point: &Point, observed: Option<f64>, probability: f64) -> Text {
        let name = point.title.clone().unwrap_or_else(|| Text::new(&point.name, &point.name));
        let unit = super::explain::printed_after(&point.unit);
        let limit = super::explain::number(self.limit);
        let now = observed.map_or("?".into(), super::explain::number);
        let minutes = self.within.as_secs() / 60;
        let (within, within_zh) = if minutes.is_multiple_of(60) && minutes > 0 {
            (format!("{} h", minutes / 60), format!("{} 小时", minutes / 60))
        } else if self.within.as_secs().is_multiple_of(60) {
            (format!("{minutes} min"), format!("{minutes} 分钟"))
        } else {
            (format!("{} s", self.within.as_secs()), format!("{} 秒", self.within.as_secs()))
        };
        let sure = super::explain::number((probability * 100.0).round());
        let (verb, verb_zh) = match self.side {
            Side::Above => ("passes", "升过"),
            Side::Below => ("falls below", "降到其下："),
        };
        Text::new(
            format!(
                "{}预计 {within_zh}内{verb_zh} {limit}{unit}，把握 {sure} %；现为 {now}{unit}",
                name.zh
            ),
            format!(
                "{} {verb} {limit}{unit} within {within}, {sure} % sure; now {now}{unit}",
                name.en
            ),
        )
    }
}

impl Compiled {
    /// The warning that a limit's detector asks for beside itself, if it does.
    ///
    /// # Errors
    /// The warning cannot work; `check` tells this with its place in the file.
    pub fn soon(
        scene: usize,
        detector: &Detector,
        models: &[ModelSpec],
        calendar: Option<&Arc<Calendar>>,
    ) -> Result<Option<Self>, Unusable> {
        let Some(within) = detector.warn_within else { return Ok(None) };
        let (side, limit) = match (&detector.limit_high, &detector.limit_low) {
            (Some(limit), None) => (Side::Above, limit.value),
            (None, Some(limit)) => (Side::Below, limit.value),
            (Some(_), Some(_)) | (None, None) => return Ok(None),
        };
        let id = format!("{}{SUFFIX}", detector.id);
        let point = detector.point.clone().ok_or_else(|| Unusable::NoPoint(id.clone()))?;
        let spec = models.iter().find(|m| m.name == MODEL).cloned();
        let spec = spec.ok_or_else(|| Unusable::NoModel(id.clone(), MODEL.to_owned()))?;
        if (spec.window, spec.outputs) != (INPUTS, OUTPUTS) {
            return Err(Unusable::OtherWarningShape(id, spec.window, spec.outputs));
        }
        let judge = Judge::Soon(Box::new(Soon {
            spec,
            point,
            side,
            limit,
            within: within.0,
            every: detector.every.map_or(within.0, |every| every.0),
            sure: detector.warn_sure.unwrap_or(SURE),
        }));
        Ok(Some(Self {
            scene,
            id,
            title: None,
            delays: Delays::default(),
            certainty: None,
            allowance: None,
            judge,
            spells: Spells::default(),
            calendar: calendar.cloned(),
        }))
    }

    /// The title of an event of its own, for a warning.
    pub fn event_title(&self, bound: &Bound, sight: Sight<'_>) -> Option<Text> {
        match &self.judge {
            Judge::Soon(_) => {
                Some(Soon::title(sight.device_type.points.get(*bound.points.first()?)?))
            }
            Judge::High { .. } | Judge::Low { .. } | Judge::Rule { .. } | Judge::Model { .. } => {
                None
            }
        }
    }

    /// Whether it warns of a limit, and does not judge what is.
    pub fn is_warning(&self) -> bool {
        matches!(self.judge, Judge::Soon(_))
    }
}

impl Bound {
    /// Takes a warning's reading; `None` when it changes nothing before the model has answered.
    pub(super) fn look_ahead(
        &mut self,
        soon: &Soon,
        readings: &[Reading],
        hour: Option<f64>,
        asks: &mut Vec<(usize, u64)>,
        features: &mut Vec<f32>,
        at: Timestamp,
    ) -> Option<bool> {
        let value = fresh(readings, *self.points.first()?)?;
        let outlook = self.outlook.as_mut()?;
        let mut may_go_on = true;
        if outlook.take(at, value) {
            // Without an answer to the sample before, nothing holds the warning up.
            may_go_on = !outlook.is_waiting;
            let inputs = outlook.inputs(soon.side, hour);
            outlook.is_waiting = inputs.is_some();
            may_go_on &= inputs.is_some();
            if let Some(inputs) = inputs {
                features.extend(inputs);
                asks.push((0, outlook.samples()));
            }
        }
        (!may_go_on || soon.is_past(value)).then_some(false)
    }

    /// Takes the model's answer about a sample: is it sure enough?
    pub fn handle_outlook(
        &mut self,
        compiled: &Compiled,
        sight: Sight<'_>,
        asked_at: u64,
        outputs: &[f32],
        at: Timestamp,
    ) -> Option<Change> {
        let Judge::Soon(soon) = &compiled.judge else { return None };
        let outlook = self.outlook.as_mut()?;
        if !outlook.answer(asked_at, outputs, soon.side, soon.limit, soon.ahead()) {
            return None;
        }
        outlook.is_waiting = false;
        let wanted = soon.wanted(self.lesson.as_ref().map_or(0.0, |lesson| lesson.shift));
        let edge = if self.phase.is_active() { STAY * wanted } else { wanted };
        let value = sight.value(*self.points.first()?)?;
        let is_true = !soon.is_past(value) && outlook.forecast?.probability >= edge;
        self.phase.handle(is_true, compiled.delays, at)
    }

    /// What the warning is sure of, and what it expects; `None` before the first answer.
    pub(super) fn expects(&self) -> Option<(f64, (f64, f64))> {
        let forecast = self.outlook.as_ref()?.forecast?;
        Some((forecast.probability.min(SUREST), forecast.band))
    }

    /// Whether it has something to show: a warning, after a restart, only once it was answered; a rule only
    /// while it holds.
    pub fn has_evidence(&self) -> bool {
        self.explains && self.outlook.as_ref().is_none_or(|outlook| outlook.forecast.is_some())
    }
}
