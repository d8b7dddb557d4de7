//! The general detector of one point: how unlike its own past is this sample?
//!
//! A sample goes in, seven [`witness`]es say what it is like, each is held against its own past
//! ([`calibrate`]), and the weighted sum of their surprise against *its* past. What comes out is an
//! abnormality in powers of ten, on one scale for all points, and one fixed threshold for all of them.
//! Nothing is trained per sensor and nothing looks ahead.
//!
//! One of the witnesses is a forecaster, a network that runs elsewhere: [`Detector::take`] gives what
//! it should be shown, [`Detector::answer`] takes what it said *of the next sample*. So nothing waits
//! for the network; when its answer is late or missing, that witness is silent for one sample.
//!
//! 1. [`ring`], [`novelty`], [`profile`], [`forecast`]: the past, seen in four ways,
//! 2. [`witness`]: the statistics,
//! 3. [`calibrate`]: their rarity,
//! 4. [`budget`]: how many events may come of it,
//! 5. [`memory`]: over a restart,
//! 6. [`constants`]: every number.

pub mod budget;
mod calibrate;
mod constants;
mod forecast;
mod memory;
mod novelty;
mod profile;
mod ring;
mod witness;

use calibrate::{Histogram, Tail};
use constants::{
    BLEND, CAP, QUIET, QUIET_LEAST, QUIET_MOST, READY, TAIL_SUM, TAIL_WITNESS, THRESHOLD, WEIGHTS,
};
use forecast::{Forecast, Scale};
use witness::{Statement, Witnesses};

use crate::community::calendar::Calendar;
use crate::reading::Timestamp;

/// Numbers that the network is shown per sample.
pub const INPUTS: usize = constants::WINDOW + 3;

/// Quantiles that it answers with: 1, 5, 10, 25, 50, 75, 90, 95 and 99 %.
pub const OUTPUTS: usize = 9;

/// However generous a threshold, nothing is raised below this abnormality.
pub(super) const FLOOR: f64 = constants::BUDGET_FLOOR;

const WITNESSES: usize = 7;

/// Who says that something is unlike before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// Far from the usual level, for a moment.
    Spike,
    /// Far from the usual level, for a while.
    Shift,
    /// The level has just changed.
    Step,
    /// The last twelve samples run as they never did.
    Shape,
    /// The last 32 samples run as they never did.
    LongShape,
    /// The forecast is off to one side.
    Residual,
    /// The forecast is off by more, or by less, than usual.
    ResidualSize,
}

const ALL: [Witness; WITNESSES] = [
    Witness::Spike,
    Witness::Shift,
    Witness::Step,
    Witness::Shape,
    Witness::LongShape,
    Witness::Residual,
    Witness::ResidualSize,
];

/// A score below this opens nothing; what is abnormal and opens nothing is reported right under it.
pub(super) const UNOPENED: f64 = 0.499;

/// One point under watch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Detector {
    witnesses: Witnesses,
    /// The past of each witness, then that of their sum.
    past: [Histogram; WITNESSES],
    past_sum: Histogram,
    /// Samples since a witness first spoke, as far as it matters.
    spoken: f64,
    /// The question that is on its way: which sample it was asked at, and its scale.
    asked: Option<(u64, Scale)>,
    forecast: Option<Forecast>,
    /// The sample at which an event last opened.
    opened: Option<u64>,
    /// The sample at which one would have opened without a budget, until it opens or it is too late.
    wanted: Option<u64>,
}

/// What a sample came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// Powers of ten; 0 while learning.
    pub abnormality: f64,
    /// There are too few samples to tell.
    pub is_learning: bool,
    /// An event opens here: abnormal, and none opened lately.
    pub opens: bool,
    /// 5 %, 50 % and 95 % of what was expected of it, in the point's unit.
    pub expected: Option<[f64; 3]>,
    /// Who says most, if anyone says anything.
    pub loudest: Option<Witness>,
}

/// The abnormality that a score from 0 to 1 stands for; 0.5 is the one fixed threshold.
pub fn abnormality_of(score: f64) -> f64 {
    if score < 1.0 { THRESHOLD * score.max(0.0) / (1.0 - score) } else { f64::INFINITY }
}

/// The score from 0 to 1 of an abnormality.
pub fn score_of(abnormality: f64) -> f64 {
    abnormality / (abnormality + THRESHOLD)
}

impl Judgement {
    /// The score as it is told: from 0.5 only where an event opens.
    pub fn reported(&self) -> f64 {
        let score = score_of(self.abnormality);
        if self.opens { score } else { score.min(UNOPENED) }
    }
}

impl Detector {
    /// Judges a sample, then learns it. Events open from `threshold` (an abnormality) on; what is usual
    /// at which hour goes by `calendar`. What the network should be shown next is appended to `features`; true when there is something.
    pub fn take(
        &mut self,
        at: Timestamp,
        value: f64,
        threshold: f64,
        calendar: Option<&Calendar>,
        features: &mut Vec<f32>,
    ) -> (Judgement, bool) {
        let forecast = self.forecast.take().filter(|_| !self.witnesses.is_gap(at));
        let says = self.witnesses.take(at, value, forecast.as_ref(), calendar);
        let (abnormality, loudest) = self.judge(&says);
        let is_learning = self.is_learning();
        let abnormality = if is_learning { 0.0 } else { abnormality };
        let now = self.witnesses.count;
        let is_quiet = self.opened.is_some_and(|then| (now - then) as f64 <= self.quiet());
        let opens = !is_learning && abnormality >= threshold && !is_quiet;
        if opens {
            self.opened = Some(now);
        }
        let usual = self.witnesses.usual(at, calendar);
        let expected = expected(value, forecast.map(|forecast| forecast.band()), usual);
        let judgement = Judgement { abnormality, is_learning, opens, expected, loudest };
        if self.asked.is_some() {
            return (judgement, false);
        }
        let question = self.witnesses.question(calendar);
        self.asked = question.map(|(scale, _)| (now, scale));
        features.extend(question.iter().flat_map(|(_, inputs)| inputs));
        (judgement, question.is_some())
    }

    /// Takes the network's quantiles of the sample after number `asked_at`; false when that has come
    /// already, or they are none.
    pub fn answer(&mut self, asked_at: u64, quantiles: &[f32]) -> bool {
        let Some((at, scale)) = self.asked.take_if(|(at, _)| *at == asked_at) else { return false };
        let is_in_time = at == self.samples();
        self.forecast =
            if is_in_time { Forecast::new(scale, quantiles) } else { self.forecast.take() };
        is_in_time && self.forecast.is_some()
    }

    /// The question will not be answered.
    pub fn give_up(&mut self) {
        self.asked = None;
    }

    /// Whether an event that `fixed` would have let open was held back: told once, when it is clear that
    /// none opened in its stead.
    pub fn was_held_back(&mut self, judgement: &Judgement, fixed: f64) -> bool {
        let (now, quiet) = (self.samples(), self.quiet());
        let is_lately = |then: u64| (now - then) as f64 <= quiet;
        let is_too_late = self.wanted.is_some_and(|then| !is_lately(then));
        if judgement.opens || is_too_late {
            self.wanted = None;
        }
        if judgement.abnormality >= fixed && !self.opened.is_some_and(is_lately) {
            self.wanted.get_or_insert(now);
        }
        is_too_late && !judgement.opens
    }

    /// What opened last was nothing; the next one need not wait.
    pub fn retract(&mut self) {
        self.opened = None;
    }

    /// Whether there are too few samples to tell anything.
    pub fn is_learning(&self) -> bool {
        self.spoken < READY
    }

    /// Samples taken: what an answer has to name.
    pub fn samples(&self) -> u64 {
        self.witnesses.count
    }

    /// When the newest sample was taken.
    pub fn last(&self) -> Option<Timestamp> {
        self.witnesses.last
    }

    /// The usual distance of samples, in seconds; 0 until known.
    pub fn interval(&self) -> f64 {
        self.witnesses.interval
    }

    /// The clock that times the samples was set.
    pub fn shift(&mut self, to: impl Fn(Timestamp) -> Timestamp) {
        self.witnesses.shift(to);
    }

    /// Holds each witness against its own past, adds, and holds the sum against the past of sums.
    fn judge(&mut self, says: &Statement) -> (f64, Option<Witness>) {
        let (mut sum, mut has_spoken) = (0.0, false);
        let (mut most, mut loudest) = (0.0, None);
        for (i, (past, said)) in self.past.iter_mut().zip(says).enumerate() {
            let Some(x) = *said else { continue };
            if past.weight() >= READY {
                let part = WEIGHTS[i] * past.rarity(x, TAIL_WITNESS, Tail::Pareto).min(CAP);
                sum += part;
                has_spoken = true;
                if part > most {
                    (most, loudest) = (part, Some(ALL[i]));
                }
            }
            past.learn(x);
        }
        let is_known = self.past_sum.weight() >= READY && sum > 0.0;
        let rarity =
            if is_known { self.past_sum.rarity(sum, TAIL_SUM, Tail::Exponential) } else { 0.0 };
        self.past_sum.learn(sum);
        if has_spoken && self.spoken < READY {
            self.spoken += 1.0;
        }
        (if is_known { rarity + BLEND * sum } else { 0.0 }, loudest)
    }

    /// Samples after an event in which no other opens.
    fn quiet(&self) -> f64 {
        let interval = self.witnesses.interval;
        let samples = if interval > 0.0 { (QUIET / interval).floor() } else { QUIET_MOST };
        samples.clamp(QUIET_LEAST, QUIET_MOST)
    }
}

/// The band to hold a sample against: the forecast, or what is usual when the forecast has come to
/// terms with what began a few samples before.
fn expected(value: f64, forecast: Option<[f64; 3]>, usual: [f64; 3]) -> Option<[f64; 3]> {
    let is_outside = |[low, _, high]: [f64; 3]| value < low || value > high;
    let usual = Some(usual).filter(|usual| is_outside(*usual));
    forecast.filter(|band| is_outside(*band)).or(usual).or(forecast)
}

#[cfg(test)]
mod tests;
