//! What a point's detector knows, as bytes for the disk: small, and close enough to go on from.
//!
//! The first [`CALIBRATION`] bytes are what was learnt: each bin of the eight histograms in 7 bits on a
//! logarithmic scale (within 6 %), the hours of the profile in 8 bits each, and ten numbers. After them
//! come the last samples: 64 as they are, the others and the blocks as 256ths of the range, which is
//! all that shapes need. The form changes with [`FORM`]; another one is not read.

use super::Detector;
use super::calibrate::Histogram;
use super::constants::{
    BINS, BLOCKS_EXACT, CELLS, DEVIATION_TAU, EXACT, RESIDUAL_SIZE, RING, STEP,
};
use super::profile::Profile;
use super::ring::{Past, Ring};
use super::witness::Witnesses;
use crate::detect::bytes::{Bytes, put};
use crate::reading::Timestamp;

/// Bytes of what was learnt: histograms, profile, ten numbers.
const CALIBRATION: usize = 8 * HISTOGRAM + CELLS + 10 * 4;
const HISTOGRAM: usize = BINS * 7 / 8;

/// Raised when the layout or a constant changes.
const FORM: u8 = 1;

/// Weights are kept as powers of this, from [`LIGHTEST`] on.
const LIGHTEST: f64 = 0.01;
const STEP_OF_WEIGHT: f64 = 1.112;

impl Detector {
    /// What it knows, as bytes.
    pub fn remember(&self) -> Vec<u8> {
        let w = &self.witnesses;
        let [low, high] = w.range.unwrap_or_default();
        let [block_low, block_high] = w.block_range.unwrap_or_default();
        let mut bytes = Vec::with_capacity(2 * RING);
        for histogram in self.past.iter().chain([&self.past_sum]) {
            bytes.extend(pack(histogram));
        }
        let unit = w.profile.means.iter().fold(0.0, |most: f32, mean| most.max(mean.abs())) / 127.0;
        let cells = w.profile.means.iter().zip(w.profile.days);
        bytes.extend(cells.map(|(mean, days)| cell(*mean, unit, days > 0)));
        let deviation = w.deviation[0] / w.deviation[1].max(1.0);
        let numbers = [w.median, deviation, low, high, block_low, block_high];
        let profile = [w.profile.before, w.profile.after, f64::from(unit)];
        numbers.into_iter().chain(profile).for_each(|number| put(&mut bytes, number));
        bytes.extend(u32::try_from(w.count).unwrap_or(u32::MAX).to_le_bytes());
        debug_assert_eq!(bytes.len(), CALIBRATION);

        bytes.push(FORM);
        bytes.extend(w.last.map_or(i64::MIN, |at| at.0).to_le_bytes());
        let ago = self.opened.and_then(|then| u16::try_from(w.count - then).ok());
        bytes.extend(ago.unwrap_or(u16::MAX).to_le_bytes());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..100")]
        bytes.push(self.spoken as u8);
        let (hour, sum, samples) = w.profile.current.unwrap_or((CELLS, 0.0, 0.0));
        bytes.push(u8::try_from(hour).unwrap_or(u8::MAX));
        for number in [w.interval, w.block, w.block_novelty.unwrap_or(-1.0), sum, samples] {
            put(&mut bytes, number);
        }
        put_ring(&mut bytes, w.residuals.iter());
        put_ring(&mut bytes, w.left.iter());
        let mut room = [0.0; RING];
        let raw = w.raw.values(&mut room);
        let (older, exact) = raw.split_at(raw.len().saturating_sub(EXACT));
        put_ring(&mut bytes, exact.iter().map(|value| f64::from(*value)));
        put_share(&mut bytes, older, [low, high]);
        put_share(&mut bytes, w.blocks.values(&mut [0.0; RING]), [block_low, block_high]);
        bytes
    }

    /// A detector that goes on from there; `None` when these are no such bytes.
    pub fn recall(bytes: &[u8]) -> Option<Self> {
        let mut from = Bytes(bytes);
        let mut histograms = Vec::with_capacity(8);
        for _ in 0..8 {
            histograms.push(unpack(from.take(HISTOGRAM)?));
        }
        let past_sum = histograms.pop()?;
        let cells = from.take(CELLS)?;
        let [median, deviation, low, high] = from.numbers()?;
        let [block_low, block_high, before, after, unit] = from.numbers()?;
        let count = u64::from(u32::from_le_bytes(from.array()?));
        if from.take(1)? != [FORM] || low > high || block_low > block_high {
            return None;
        }
        let last = i64::from_le_bytes(from.array()?);
        let ago = u16::from_le_bytes(from.array()?);
        let [spoken, hour] = from.array()?;
        let [interval, block, block_novelty, sum, samples] = from.numbers()?;
        let residuals = ring(RESIDUAL_SIZE, from.ring()?)?;
        let left = ring(2 * STEP, from.ring()?)?;
        let exact = from.ring()?;
        let older = from.share([low, high])?;
        let raw = past(EXACT, older.into_iter().chain(exact).collect())?;
        let blocks = past(BLOCKS_EXACT, from.share([block_low, block_high])?)?;
        let weight = DEVIATION_TAU * (1.0 - (1.0 - 1.0 / DEVIATION_TAU).powf(count as f64));
        let hour = usize::from(hour);
        let profile = Profile {
            means: std::array::from_fn(|i| mean(cells[i], unit)),
            days: std::array::from_fn(|i| if cells[i] == UNSEEN { 0 } else { 4 }),
            before,
            after,
            current: (hour < CELLS && samples > 0.0).then_some((hour, sum, samples)),
        };
        let witnesses = Witnesses {
            count,
            range: (count > 0).then_some([low, high]),
            block_range: (blocks.len() > 0).then_some([block_low, block_high]),
            raw,
            left,
            blocks,
            block,
            residuals,
            median,
            deviation: [deviation * weight, weight],
            block_novelty: (block_novelty >= 0.0).then_some(block_novelty),
            profile,
            last: (last != i64::MIN).then_some(Timestamp(last)),
            interval,
            since_gap: count,
        };
        Some(Self {
            witnesses,
            past: histograms.try_into().ok()?,
            past_sum,
            spoken: f64::from(spoken),
            asked: None,
            forecast: None,
            opened: (ago != u16::MAX).then(|| count.saturating_sub(u64::from(ago))),
            wanted: None,
        })
    }
}

/// 24 weights in 21 bytes.
fn pack(histogram: &Histogram) -> [u8; HISTOGRAM] {
    let mut packed = [0; HISTOGRAM];
    for bin in 0..BINS {
        let weight = histogram.count(bin);
        let code = if weight < LIGHTEST / 2.0 {
            0
        } else {
            let power = (weight / LIGHTEST).ln() / STEP_OF_WEIGHT.ln();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
            let power = power.round().clamp(0.0, 126.0) as u16;
            power + 1
        };
        let (byte, bit) = (bin * 7 / 8, bin * 7 % 8);
        let [first, second] = (code << bit).to_le_bytes();
        packed[byte] |= first;
        if second > 0 {
            packed[byte + 1] |= second;
        }
    }
    packed
}

fn unpack(packed: &[u8]) -> Histogram {
    let byte = |i: usize| u16::from(packed.get(i).copied().unwrap_or(0));
    Histogram::from_weights(std::array::from_fn(|bin| {
        let (at, bit) = (bin * 7 / 8, bin * 7 % 8);
        let code = (byte(at) | byte(at + 1) << 8) >> bit & 0x7f;
        if code == 0 { 0.0 } else { LIGHTEST * STEP_OF_WEIGHT.powi(i32::from(code) - 1) }
    }))
}

/// A cell that has seen no day.
const UNSEEN: u8 = 0x80;

#[expect(clippy::cast_possible_truncation, reason = "bounded")]
fn cell(mean: f32, unit: f32, is_seen: bool) -> u8 {
    if !is_seen {
        return UNSEEN;
    }
    let code = if unit > 0.0 { (mean / unit).round().clamp(-127.0, 127.0) } else { 0.0 };
    (code as i8).to_le_bytes()[0]
}

#[expect(clippy::cast_possible_truncation, reason = "memory is kept as f32")]
fn mean(cell: u8, unit: f64) -> f32 {
    if cell == UNSEEN { 0.0 } else { (f64::from(i8::from_le_bytes([cell])) * unit) as f32 }
}

fn put_ring(bytes: &mut Vec<u8>, values: impl Iterator<Item = f64>) {
    let values: Vec<f64> = values.collect();
    put_length(bytes, values.len());
    for value in values {
        put(bytes, value);
    }
}

/// Values as 256ths of the way from low to high.
fn put_share(bytes: &mut Vec<u8>, values: &[f32], [low, high]: [f64; 2]) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
    let share = |value: &f32| {
        let share = (f64::from(*value) - low) / (high - low) * 255.0;
        if high > low { share.round() as u8 } else { 0 }
    };
    put_length(bytes, values.len());
    bytes.extend(values.iter().map(share));
}

fn put_length(bytes: &mut Vec<u8>, length: usize) {
    bytes.extend(u16::try_from(length).unwrap_or(0).to_le_bytes());
}

fn past(exact: usize, values: Vec<f64>) -> Option<Past> {
    let fits = values.len() <= RING;
    let mut past = Past::new(exact);
    for value in values {
        past.push(value);
    }
    fits.then_some(past)
}

fn ring(length: usize, values: Vec<f64>) -> Option<Ring> {
    let mut ring = Ring::new(length);
    let fits = values.len() <= length;
    for value in values {
        ring.push(value);
    }
    fits.then_some(ring)
}

impl Bytes<'_> {
    fn length(&mut self) -> Option<usize> {
        Some(usize::from(u16::from_le_bytes(self.array()?)))
    }

    fn ring(&mut self) -> Option<Vec<f64>> {
        (0..self.length()?).map(|_| self.numbers().map(|[number]| number)).collect()
    }

    fn share(&mut self, [low, high]: [f64; 2]) -> Option<Vec<f64>> {
        let length = self.length()?;
        let value = |share: &u8| low + f64::from(*share) / 255.0 * (high - low);
        Some(self.take(length)?.iter().map(value).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learnt_takes_a_quarter_of_a_kilobyte() {
        assert_eq!(CALIBRATION, 256);
    }

    #[test]
    fn weights_come_back_within_six_percent() {
        let mut histogram = Histogram::default();
        (0..5_000).for_each(|i| histogram.learn(f64::from(i % 97) / 10.0));

        let back = unpack(&pack(&histogram));

        for bin in 0..BINS {
            let (is, was) = (back.count(bin), histogram.count(bin));
            assert!((is - was).abs() <= 0.06 * was, "bin {bin}: {is} instead of {was}");
        }
    }

    #[test]
    fn other_bytes_are_not_read() {
        let bytes = Detector::default().remember();

        assert_eq!(Detector::recall(&bytes), Some(Detector::default()));
        for length in 0..bytes.len() {
            assert_eq!(Detector::recall(&bytes[..length]), None, "{length} bytes");
        }
        let mut other = bytes;
        other[CALIBRATION] = FORM + 1;
        assert_eq!(Detector::recall(&other), None);
    }
}
