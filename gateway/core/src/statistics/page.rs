//! Quarters as bytes.
//!
//! A page is [`VERSION`] and then devices, each with the names of its points and its pieces, so that it
//! can be read whatever the configuration has become. Whole numbers are LEB128. A point in a piece is a
//! byte that says what follows ([`flags`]), the counts, and
//!
//! - nothing, when no reading was good,
//! - one number, when all were the same,
//! - else the smallest and the largest reading, and mean and last as 65,535ths of the way between:
//!   15 bytes, as long as fewer than 128 readings were good and all were.
//!
//! Numbers are `f32`, chosen so that the smallest is never above and the largest never below what was
//! measured; and read back as the shortest decimal number that they stand for, so that a reading of 0.1
//! is 0.1 again and not a little more than a limit of 0.1.

use super::quarter::{Quarter, Statistic};

/// The first byte of a page.
const VERSION: u8 = 1;

/// What follows for a point.
mod flags {
    pub(super) const GOOD: u8 = 1;
    pub(super) const CONSTANT: u8 = 2;
    pub(super) const BAD: u8 = 4;
}

/// Positions between the smallest and the largest reading.
const STEPS: f64 = 65_535.0;

/// A piece of one quarter of one device: all of it, unless a restart or a clock came between.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    pub quarter: Quarter,
    /// A later quarter was told of before it: what detectors made of it depends on their order.
    pub is_out_of_order: bool,
    /// In the order of [`Pieces::points`].
    pub points: Vec<Statistic>,
}

/// What a page tells of one device.
#[derive(Debug, Clone, PartialEq)]
pub struct Pieces {
    pub device: String,
    /// Names.
    pub points: Vec<String>,
    pub pieces: Vec<Piece>,
}

/// An empty page.
pub fn begin() -> Vec<u8> {
    vec![VERSION]
}

/// Whether devices were written to it.
pub fn is_begun(page: &[u8]) -> bool {
    page.len() > 1
}

/// Reads a page; `None` when it is none of ours.
pub fn read(bytes: &[u8]) -> Option<Vec<Pieces>> {
    read_some(bytes, |_| true)
}

/// Reads what a page holds of one device; `None` when that is nothing.
pub fn read_device(bytes: &[u8], device: &str) -> Option<Pieces> {
    read_some(bytes, |found| found == device)?.pop()
}

fn read_some(bytes: &[u8], is_wanted: impl Fn(&str) -> bool) -> Option<Vec<Pieces>> {
    let mut bytes = Bytes(bytes.strip_prefix(&[VERSION])?);
    let mut devices = Vec::new();
    while !bytes.0.is_empty() {
        let device = bytes.text()?;
        let names = bytes.count()?;
        let points = (0..names).map(|_| bytes.text()).collect::<Option<Vec<_>>>()?;
        let count = bytes.count()?;
        let pieces = (0..count).map(|_| read_piece(&mut bytes, names)).collect::<Option<_>>()?;
        if is_wanted(&device) {
            devices.push(Pieces { device, points, pieces });
        }
    }
    Some(devices)
}

pub(super) fn write_device<'p>(
    device: &str,
    points: impl ExactSizeIterator<Item = &'p str>,
    count: usize,
    pieces: &[u8],
    page: &mut Vec<u8>,
) {
    write_text(device, page);
    write_number(points.len() as u64, page);
    points.for_each(|point| write_text(point, page));
    write_number(count as u64, page);
    page.extend_from_slice(pieces);
}

pub(super) fn write_piece(piece: &Piece, out: &mut Vec<u8>) {
    let zigzag = (piece.quarter.0 << 1) ^ (piece.quarter.0 >> 63);
    write_number(zigzag.cast_unsigned(), out);
    out.push(u8::from(piece.is_out_of_order));
    piece.points.iter().for_each(|point| write_point(point, out));
}

fn read_piece(bytes: &mut Bytes<'_>, points: usize) -> Option<Piece> {
    let zigzag = bytes.number()?;
    let quarter = Quarter((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed());
    let is_out_of_order = bytes.byte()? != 0;
    let points = (0..points).map(|_| read_point(bytes)).collect::<Option<_>>()?;
    Some(Piece { quarter, is_out_of_order, points })
}

fn write_point(point: &Statistic, out: &mut Vec<u8>) {
    let (low, high) = (floor(point.min), ceil(point.max));
    let is_constant = low >= high;
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    let is_good = point.good > 0;
    out.push(
        flag(is_good, flags::GOOD)
            | flag(is_constant && is_good, flags::CONSTANT)
            | flag(point.bad > 0, flags::BAD),
    );
    if point.bad > 0 {
        write_number(u64::from(point.bad), out);
    }
    if !is_good {
        return;
    }
    write_number(u64::from(point.good), out);
    out.extend_from_slice(&low.to_le_bytes());
    if !is_constant {
        out.extend_from_slice(&high.to_le_bytes());
        for value in [point.mean(), point.last] {
            let share = (value - decimal(low)) / (decimal(high) - decimal(low));
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "0..=STEPS"
            )]
            let step = (share.clamp(0.0, 1.0) * STEPS).round() as u16;
            out.extend_from_slice(&step.to_le_bytes());
        }
    }
}

fn read_point(bytes: &mut Bytes<'_>) -> Option<Statistic> {
    let flag = bytes.byte()?;
    let has = |wanted: u8| flag & wanted != 0;
    let small = |number: u64| u32::try_from(number).ok();
    let bad = if has(flags::BAD) { small(bytes.number()?)? } else { 0 };
    if !has(flags::GOOD) {
        return Some(Statistic { bad, ..Statistic::default() });
    }
    let good = small(bytes.number()?)?;
    let min = decimal(f32::from_le_bytes(bytes.array()?));
    let (max, mean, last) = if has(flags::CONSTANT) {
        (min, min, min)
    } else {
        let max = decimal(f32::from_le_bytes(bytes.array()?));
        let mut between = || {
            let step = u16::from_le_bytes(bytes.array()?);
            let value = min + (max - min) * (f64::from(step) / STEPS);
            Some(if value.is_finite() { value } else { min })
        };
        (max, between()?, between()?)
    };
    Some(Statistic { good, bad, min, max, last, sum: mean * f64::from(good) })
}

/// The number of which `value` is the shortest decimal form.
pub(crate) fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::NAN)
}

/// The nearest `f32`.
#[expect(clippy::cast_possible_truncation, reason = "what it is for")]
pub(crate) fn nearest(value: f64) -> f32 {
    value as f32
}

/// The largest `f32` that is read back as no more than `value`.
fn floor(value: f64) -> f32 {
    let near = nearest(value);
    if decimal(near) <= value { near } else { near.next_down() }
}

/// The smallest `f32` that is read back as no less than `value`.
fn ceil(value: f64) -> f32 {
    -floor(-value)
}

pub(crate) fn write_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(low_bits(number) | 0x80);
        number >>= 7;
    }
    out.push(low_bits(number));
}

fn low_bits(number: u64) -> u8 {
    (number & 0x7f) as u8
}

pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    write_number(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

/// Bytes that are read from the front; every answer is `None` when there are too few.
pub(crate) struct Bytes<'b>(pub(crate) &'b [u8]);

impl Bytes<'_> {
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A number of things that follow; each takes a byte at least.
    pub(crate) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        let length = self.count()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ledger::Ledger;
    use super::*;
    use crate::reading::{Quality, Reading, Timestamp};

    /// Values as sensors have them (tenths), and as nobody wants them.
    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (-400..8_000_i32).prop_map(|tenths| f64::from(tenths) / 10.0),
            1 => any::<f64>(),
            1 => Just(1e30),
        ]
    }

    fn read_back(ledger: &mut Ledger) -> Vec<Pieces> {
        let mut page = begin();
        ledger.close();
        ledger.renew();
        ledger.write("t1", ["temperature", "humidity"].into_iter(), &mut page);
        read(&page).unwrap()
    }

    fn frame(temperature: f64) -> [Reading; 2] {
        let good = Reading { point: 0, value: temperature, quality: Quality::Good };
        [good, Reading { point: 1, value: 0.0, quality: Quality::NoData }]
    }

    #[test]
    fn a_point_takes_fifteen_bytes_and_a_constant_one_six() {
        let mut varied = Statistic::default();
        (0..90).for_each(|i| varied.push(f64::from(i) / 10.0));
        let mut constant = Statistic::default();
        (0..90).for_each(|_| constant.push(21.5));
        let length = |point| {
            let mut out = Vec::new();
            write_point(point, &mut out);
            out.len()
        };

        assert_eq!((length(&varied), length(&constant)), (14, 6));
        assert_eq!(length(&Statistic::default()), 1);
    }

    #[test]
    fn a_clock_that_goes_back_marks_the_piece_and_pieces_are_bounded() {
        let mut ledger = Ledger::default();
        for minute in [0, 16, 1, 31] {
            ledger.note(2, &frame(20.0), Timestamp(minute * 60_000));
        }
        let pieces = &read_back(&mut ledger)[0].pieces;
        let seen: Vec<_> = pieces.iter().map(|p| (p.quarter.0, p.is_out_of_order)).collect();
        assert_eq!(seen, [(0, false), (1, false), (0, true), (2, false)]);

        for number in 0..10_000 {
            ledger.note(2, &frame(20.0), Timestamp(number % 2 * 900_000));
        }
        let pieces = &read_back(&mut ledger)[0].pieces;
        assert_eq!(pieces.len(), 201);
        assert_eq!(pieces.iter().map(|p| p.points[0].good).sum::<u32>(), 10_000, "none is lost");
        assert!(pieces[200].is_out_of_order);
    }

    #[test]
    fn tenths_are_read_back_as_they_were_measured() {
        for tenths in -400..8_000 {
            let value = f64::from(tenths) / 10.0;
            assert_eq!((decimal(floor(value)), decimal(ceil(value))), (value, value));
        }
    }

    proptest! {
        #[test]
        fn what_is_read_back_holds_what_was_measured(
            values in proptest::collection::vec(value(), 1..50),
        ) {
            let mut ledger = Ledger::default();
            let mut whole = Statistic::default();
            for value in &values {
                ledger.note(2, &frame(*value), Timestamp(0));
                whole.push(*value);
            }
            let read = &read_back(&mut ledger)[0];
            let (point, silent) = (read.pieces[0].points[0], read.pieces[0].points[1]);

            prop_assert_eq!((point.good, point.bad), (whole.good, whole.bad));
            prop_assert_eq!((silent.good, silent.bad), (0, u32::try_from(values.len()).unwrap()));
            if whole.good > 0 {
                prop_assert!(point.min <= whole.min && whole.max <= point.max, "{point:?} {whole:?}");
                let largest = whole.max.abs().max(whole.min.abs());
                if largest < 1e38 {
                    let near = |a: f64, b: f64, by: f64| (a - b).abs() <= by + largest * 1e-6 + 1e-6;
                    let step = (whole.max - whole.min) * 1e-4;
                    prop_assert!(near(point.last, whole.last, step), "{point:?} {whole:?}");
                    prop_assert!(near(point.mean(), whole.mean(), step), "{point:?} {whole:?}");
                    prop_assert!(near(point.min, whole.min, 0.0) && near(point.max, whole.max, 0.0));
                }
            }
        }

        #[test]
        fn however_readings_are_written_the_quarters_are_the_same(
            readings in proptest::collection::vec((0..5_000_i64, -400..800_i32), 1..200),
            writes in proptest::collection::vec(any::<bool>(), 200),
        ) {
            let mut sorted = readings;
            sorted.sort_unstable();
            let (mut once, mut often) = (Ledger::default(), Ledger::default());
            let mut pages = Vec::new();
            for ((second, tenths), writes) in sorted.iter().zip(writes) {
                let (at, frame) = (Timestamp(second * 1_000), frame(f64::from(*tenths) / 10.0));
                once.note(2, &frame, at);
                often.note(2, &frame, at);
                if writes {
                    pages.extend(read_back(&mut often));
                }
            }
            pages.extend(read_back(&mut often));
            let merge = |pages: &[Pieces]| {
                let mut quarters = std::collections::BTreeMap::<i64, Statistic>::new();
                for piece in pages.iter().flat_map(|page| &page.pieces) {
                    quarters.entry(piece.quarter.0).or_default().merge(&piece.points[0]);
                }
                quarters
            };
            let (whole, parts) = (merge(&read_back(&mut once)), merge(&pages));

            prop_assert_eq!(whole.len(), parts.len());
            for ((quarter, whole), (also, part)) in whole.iter().zip(&parts) {
                prop_assert_eq!((quarter, whole.good), (also, part.good));
                prop_assert_eq!((whole.min, whole.max), (part.min, part.max));
                prop_assert!((whole.last - part.last).abs() < 0.01);
                prop_assert!((whole.mean() - part.mean()).abs() < 0.01);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let _ = read(&[&[VERSION], &bytes[..]].concat());
        }
    }
}
