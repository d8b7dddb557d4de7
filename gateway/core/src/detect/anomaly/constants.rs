//! Every number of the detector, in one place, with what it is for.
//!
//! They were found on recordings whose figures stand in `models/forecast/card.md`; the golden
//! recording beside this file fails when one of them changes by accident.

/// Raw samples and blocks of four that are remembered: a day and a half at 5 min, 0.9 kB each.
pub(super) const RING: usize = 512;
/// The newest of them that are kept as they are.
pub(super) const EXACT: usize = 2 * STEP;
pub(super) const BLOCKS_EXACT: usize = 32;
/// The long median is sorted anew this often: it moves slowly, and sorting is the dearest step.
pub(super) const MEDIAN_EVERY: u64 = 16;
/// Memory of the mean absolute deviation, in samples: a week at 5 min.
pub(super) const DEVIATION_TAU: f64 = 2000.0;
/// A sample leaves the range seen so far by at most this many times the range: a glitch of 1e30 is an
/// outlier like another, and forgotten like another.
pub(super) const HOLD: f64 = 8.0;
/// Beyond this a 32-bit float has no room.
pub(super) const LARGEST: f64 = 1e37;

/// Half of the band that holds 90 % of normal noise, in mean absolute deviations.
pub(super) const USUAL_BAND: f64 = 2.06;

/// A level over two samples sees spikes, one over sixteen sees shifts.
pub(super) const SHORT: usize = 2;
pub(super) const LONG: usize = 16;
/// The mean of the last 32 against the 32 before sees a change.
pub(super) const STEP: usize = 32;

/// The shape of the last 12 samples, and of the last 8 blocks of 4.
pub(super) const SHAPE: usize = 12;
pub(super) const BLOCK: u64 = 4;
pub(super) const BLOCK_SHAPE: usize = 8;
/// Deviations below a tenth of the range seen so far count as none: small wiggles are no shape.
pub(super) const DEAD: f64 = 0.1;
/// Brings distances between shapes into the histogram's range.
pub(super) const SHAPE_GAIN: f64 = 10.0;

/// Hours of a working day and of a day at the weekend.
pub(super) const CELLS: usize = 48;
/// A cell follows the latest days, not the year.
pub(super) const CELL_NEWEST: f64 = 0.3;
/// Memory of how well the profile explains.
pub(super) const PROFILE_DECAY: f64 = 0.999;

/// Samples that the network is shown.
pub(super) const WINDOW: usize = 32;
/// Its inputs are held within this.
pub(super) const CLAMP: f64 = 20.0;
/// The narrowest half band that is believed, in scales of the window.
pub(super) const NARROWEST: f64 = 0.05;
/// The probabilities of its quantiles, as normal scores.
pub(super) const NORMAL_SCORES: [f64; super::OUTPUTS] =
    [-2.3263, -1.6449, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.6449, 2.3263];
/// Residuals are judged as a mean over 16 and a mean size over 32, not singly.
pub(super) const RESIDUAL_MEAN: usize = 16;
pub(super) const RESIDUAL_SIZE: usize = 32;
/// A sample that comes this many times later than usual was not the one forecast.
pub(super) const GAP: f64 = 10.0;
/// One that comes so many times sooner is of a burst, and brings the usual distance down by this only.
pub(super) const BURST: f64 = 16.0;
pub(super) const BURST_FALL: f64 = 0.99;

/// 24 bins from 0.05 to 67, each 1.35 times as wide as the one before.
pub(super) const BINS: usize = 24;
pub(super) const LOWEST: f64 = 0.05;
pub(super) const RATIO: f64 = 1.35;
/// Forgetting, in samples: three weeks at 5 min.
pub(super) const TAU: f64 = 6000.0;
/// Samples before a calibrator speaks.
pub(super) const READY: f64 = 100.0;
/// The tail is the largest share of the past, at least so many samples.
pub(super) const TAIL_LEAST: f64 = 10.0;
pub(super) const TAIL_WITNESS: f64 = 0.03;
pub(super) const TAIL_SUM: f64 = 0.01;
/// What was seen k times has at least the probability 2 k / n, whatever the tail says.
pub(super) const SEEN_BEFORE: f64 = 2.0;
/// One witness alone says at most 1e-5.
pub(super) const CAP: f64 = 5.0;

/// What each witness counts: spike, shift, step, shape of 12, shape of 32, residual mean, and size.
pub(super) const WEIGHTS: [f64; super::WITNESSES] = [1.0, 0.5, 0.5, 1.0, 1.0, 0.33, 0.33];
/// Share of the plain sum beside the point's own rank of it.
pub(super) const BLEND: f64 = 0.1;
/// The one fixed threshold, in powers of ten.
pub(super) const THRESHOLD: f64 = 2.6;
/// One event per half day, but no less than 48 and no more than 120 samples, in seconds and samples.
pub(super) const QUIET: f64 = 43_200.0;
pub(super) const QUIET_LEAST: f64 = 48.0;
pub(super) const QUIET_MOST: f64 = 120.0;

/// Threshold of a point that may raise one event a sample, and how much more each power of ten fewer
/// needs: fitted to the first 70 % by time of four normal recordings.
pub(super) const BUDGET_AT_ONE: f64 = -1.778;
pub(super) const BUDGET_PER_DECADE: f64 = 1.383;
/// However generous the budget, the more usual half of a point's samples opens nothing (0.3 is one in
/// two).
pub(super) const BUDGET_FLOOR: f64 = 0.3;
/// What an event adds to the threshold, and an expected one takes from it. As the correction is the
/// integral of the error, any stretch of time brings the expected number and as many more as the
/// correction rose, divided by this: thresholds move over three or four powers of ten, so 1 keeps the
/// count within three or four events of the budget. A smaller one carries early debts for months.
pub(super) const BUDGET_GAIN: f64 = 1.0;
/// A scene begins as if it had just raised an event: young points take much for new.
pub(super) const BUDGET_START: f64 = BUDGET_GAIN;
/// However long a scene was quiet, it saves up three events.
pub(super) const BUDGET_LOWEST: f64 = -3.0 * BUDGET_GAIN;
/// In a longer pause between samples, in seconds, nothing was judged, and so nothing is saved up for it.
pub(super) const BUDGET_PAUSE: f64 = 86_400.0;
