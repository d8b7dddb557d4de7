//! What is known of a device's points: levels, noise, wander, and how they go together.

use super::SCALES;
use super::deviate::from_student;

/// Rows before a point's deviates mean anything.
const SETTLING: u32 = 32;
/// Memory of the reference level, in rows: longer than a fault may be missed, shorter than a day.
const REFERENCE: u32 = 512;
/// Memory of variances and correlations, in rows.
const MEMORY: u32 = 1_024;
/// Learning sees at most so many deviations: one burst must not widen the band.
const CLIP: f64 = 3.0;
/// Rows after which it does.
const CLIP_AFTER: u32 = 64;
/// Smoothing sees at most so many deviations: one absurd value must not be felt for hours.
const FAR: f64 = 50.0;
/// Gain of the forecast, an exponential smoothing.
const GAIN: f64 = 0.25;
/// A variance below this part of what the noise alone gives is an accident of few rows.
const FLOOR: f64 = 0.25;
/// Variance of a point that was never seen to differ, as part of its deviates'.
const UNKNOWN: f64 = 0.03;

/// State of one device, a few hundred bytes per point.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Learned {
    pub(super) points: Vec<Point>,
    /// Per scale: second moments of the clipped deviations, row by row.
    pub(super) moments: [Vec<f64>; SCALES.len()],
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Point {
    /// Rows learned; one point may be missing for days.
    pub(super) age: u32,
    pub(super) reference: f64,
    pub(super) last: f64,
    /// `None` after a gap.
    pub(super) forecast: Option<f64>,
    /// Mean squared difference of neighbours: twice the variance of white noise.
    pub(super) difference: f64,
    pub(super) smooth: [f64; SCALES.len()],
    /// The same as the slowest, of values as they are.
    pub(super) level: f64,
    pub(super) variance: [f64; SCALES.len()],
}

/// A row as deviations, per scale and point.
pub(super) struct Seen {
    pub(super) points: [Vec<Deviation>; SCALES.len()],
    /// The same as normal deviates.
    pub(super) deviates: [Vec<f64>; SCALES.len()],
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Deviation {
    pub(super) size: f64,
    pub(super) variance: f64,
    /// Independent rows that the variance rests on.
    pub(super) freedom: f64,
}

impl Learned {
    pub(super) fn new(points: usize) -> Self {
        let mut moments = vec![0.0; points * points];
        moments.iter_mut().step_by(points + 1).for_each(|moment| *moment = UNKNOWN);
        Self {
            points: vec![Point::default(); points],
            moments: std::array::from_fn(|_| moments.clone()),
        }
    }

    pub(super) fn handle_gap(&mut self) {
        for point in &mut self.points {
            point.age = point.age.min(MEMORY);
            point.smooth = [point.reference; SCALES.len()];
            point.forecast = None;
        }
    }

    /// The age that half of the points have.
    pub(super) fn middle_age(&self) -> u32 {
        let mut ages: Vec<u32> = self.points.iter().map(|point| point.age).collect();
        ages.sort_unstable();
        ages.get(ages.len() / 2).copied().unwrap_or(0)
    }

    pub(super) fn reference(&self, point: usize) -> f64 {
        self.points.get(point).map_or(0.0, |point| point.reference)
    }

    /// Takes a row in as far as forecasts and smoothing go, and says how far it is from what is known.
    pub(super) fn look(&mut self, row: &[Option<f64>]) -> Seen {
        let none = Deviation { size: 0.0, variance: 1.0, freedom: 1.0 };
        let mut seen = Seen {
            points: std::array::from_fn(|_| vec![none; row.len()]),
            deviates: std::array::from_fn(|_| vec![0.0; row.len()]),
        };
        for (i, (point, value)) in self.points.iter_mut().zip(row).enumerate() {
            let Some(value) = value else { continue };
            for (scale, deviation) in point.look(*value).into_iter().enumerate() {
                seen.points[scale][i] = deviation;
                if point.age > SETTLING {
                    let t = deviation.size / deviation.variance.sqrt();
                    seen.deviates[scale][i] = from_student(t, deviation.freedom);
                }
            }
        }
        seen
    }

    /// Correlations of the deviations, shrunk towards none: so many points want so many independent
    /// rows.
    pub(super) fn correlations(&self, scale: usize, seen: &Seen, row: &[Option<f64>]) -> Vec<f64> {
        let n = row.len();
        let moments = &self.moments[scale];
        let trust: Vec<f64> = (0..n)
            .map(|i| {
                let freedom = seen.points[scale][i].freedom;
                let known = (freedom / (freedom + n as f64)).sqrt();
                if row[i].is_some() { known / (moments[i * n + i].sqrt() + 1e-12) } else { 0.0 }
            })
            .collect();
        let mut correlations = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                correlations[i * n + j] =
                    if i == j { 1.0 } else { moments[i * n + j] * trust[i] * trust[j] };
            }
        }
        correlations
    }

    /// Learns a row that looks as it should.
    pub(super) fn learn(&mut self, row: &[Option<f64>], seen: &Seen) {
        let n = row.len();
        for (scale, moments) in self.moments.iter_mut().enumerate() {
            let clipped = |i: usize| {
                let Deviation { size, variance, .. } = seen.points[scale][i];
                (size / variance.sqrt()).clamp(-CLIP, CLIP)
            };
            for i in 0..n {
                for j in 0..n {
                    let age = self.points[i].age.min(self.points[j].age);
                    if row[i].is_some() && row[j].is_some() && age > SETTLING {
                        let weight = 1.0 / f64::from(age.min(MEMORY - 1) + 1);
                        let moment = &mut moments[i * n + j];
                        *moment += weight * (clipped(i) * clipped(j) - *moment);
                    }
                }
            }
        }
        for (i, (point, value)) in self.points.iter_mut().zip(row).enumerate() {
            if let Some(value) = value {
                let deviations = std::array::from_fn(|scale| seen.points[scale][i].size);
                point.learn(*value, deviations);
            }
        }
        self.note(row);
    }

    /// Remembers a row for the next one's difference, and nothing else.
    pub(super) fn note(&mut self, row: &[Option<f64>]) {
        for (point, value) in self.points.iter_mut().zip(row) {
            if let Some(value) = value {
                point.last = *value;
            }
        }
    }

    /// Things are as they are now: the slowest scale becomes the reference.
    pub(super) fn settle(&mut self) {
        for point in &mut self.points {
            point.reference = point.level;
            point.smooth = [point.level; SCALES.len()];
        }
    }
}

impl Point {
    fn look(&mut self, value: f64) -> [Deviation; SCALES.len()] {
        if self.age == 0 {
            (self.reference, self.last) = (value, value);
            self.smooth = [value; SCALES.len()];
            self.level = value;
        }
        if self.forecast.is_none() {
            self.last = value;
        }
        self.level += SCALES[SCALES.len() - 1] * (value - self.level);
        // A point that never moves still has the noise of its last digits.
        let digits = 1e-6 * self.reference.abs() + 1e-12;
        let noise = self.difference / 2.0 + digits * digits;
        let far = FAR * (self.variance[1].sqrt() + noise.sqrt());
        let near = if self.age > SETTLING {
            value.clamp(self.reference - far, self.reference + far)
        } else {
            value
        };
        let forecast = self.forecast.unwrap_or(value);
        self.forecast = Some(forecast + GAIN * (near - forecast));
        let age = f64::from(self.age);
        std::array::from_fn(|scale| {
            let weight = SCALES[scale];
            let size = if scale == 0 {
                value - forecast
            } else {
                let smooth = &mut self.smooth[scale];
                *smooth += weight.max(1.0 / (age + 1.0)) * (near - *smooth);
                *smooth - self.reference
            };
            // What smoothing leaves of white noise.
            let share = weight / (2.0 - weight);
            let variance = self.variance[scale].max(FLOOR * noise * share);
            let wander = (variance / (noise * share)).max(1.0);
            let freedom = (age.min(f64::from(MEMORY)) * share / wander).max(1.0);
            Deviation { size, variance, freedom }
        })
    }

    fn learn(&mut self, value: f64, deviations: [f64; SCALES.len()]) {
        let weight = 1.0 / f64::from((self.age + 1).min(MEMORY));
        let difference = value - self.last;
        self.difference += weight * (difference * difference - self.difference);
        for (variance, deviation) in self.variance.iter_mut().zip(deviations) {
            let limit = CLIP * variance.sqrt();
            let deviation =
                if self.age > CLIP_AFTER { deviation.clamp(-limit, limit) } else { deviation };
            *variance += weight * (deviation * deviation - *variance);
        }
        self.reference += (value - self.reference) / f64::from((self.age + 1).min(REFERENCE));
        self.age = self.age.saturating_add(1);
    }
}
