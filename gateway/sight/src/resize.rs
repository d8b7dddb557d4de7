//! Bilinear resizing between the four nearest pixels, to the bit as `OpenCV`'s `INTER_LINEAR` on bytes.
//!
//! The figures of published detectors were made with it, and a level of 255 moves the edge of a box by half
//! a pixel. Weights have eleven bits; a row is interpolated across first, and then between two rows, where
//! the lowest four bits of the first step and sixteen of the second fall away, as they do there. Rows come out
//! one by one.

use multiversion::multiversion;

use crate::picture::Picture;

/// Room that is kept from picture to picture.
#[derive(Debug, Default)]
pub(crate) struct Linear {
    across: Vec<Step>,
    down: Vec<Step>,
    /// For each pixel of a row the two that it is made of, and their parts for each of four bytes: side by side, to
    /// be calculated many at once.
    pairs: [Vec<[u8; 4]>; 2],
    parts: [Vec<[i16; 4]>; 2],
    /// Two rows of the source, interpolated across; an even one and an odd one.
    rows: [Vec<[i16; 4]>; 2],
    mixed: Vec<[u8; 4]>,
}

/// Which two of the source make one of the target, and in what parts of 2048.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    from: [usize; 2],
    parts: [u16; 2],
}

const WHOLE: f32 = 2_048.0;

impl Linear {
    /// Makes the cut (left, top, width, height) of a picture, in which it lies, as large as `to` says (width,
    /// height). `row` is given each row from the top.
    pub(crate) fn resize(
        &mut self,
        picture: &Picture,
        [left, top, cut_width, cut_height]: [f64; 4],
        [width, height]: [usize; 2],
        mut row: impl FnMut(usize, &[[u8; 4]]),
    ) {
        let Self { across, down, pairs, parts, rows, mixed } = self;
        steps(across, left, cut_width, width);
        steps(down, top, cut_height, height);
        for (which, parts) in parts.iter_mut().enumerate() {
            parts.clear();
            parts.extend(across.iter().map(|step| [step.parts[which].cast_signed(); 4]));
        }
        for (pixels, row) in pairs.iter_mut().zip(rows.iter_mut()) {
            pixels.resize(width, [0; 4]);
            row.resize(width, [0; 4]);
        }
        mixed.resize(width, [0; 4]);
        let mut held = [usize::MAX; 2];
        for (at, step) in down.iter().enumerate() {
            for from in step.from {
                if held[from % 2] != from {
                    held[from % 2] = from;
                    let source = &picture.pixels()[from * picture.width()..][..picture.width()];
                    pick(pairs, source, across);
                    mix(&mut rows[from % 2], pairs, parts);
                }
            }
            blend(mixed, step.from.map(|from| rows[from % 2].as_slice()), step.parts);
            row(at, mixed);
        }
    }
}

/// One row out of two, as many at once as the processor can.
#[multiversion(targets("x86_64+avx2"))]
fn blend(mixed: &mut [[u8; 4]], rows: [&[[i16; 4]]; 2], parts: [u16; 2]) {
    let ([first, second], levels) = (rows.map(<[_]>::as_flattened), mixed.as_flattened_mut());
    let [a_part, b_part] = parts.map(u16::cast_signed);
    let high = |a: i16, b: i16| ((i32::from(a) * i32::from(b)) >> 16) as i16;
    for ((level, a), b) in levels.iter_mut().zip(first).zip(second) {
        let sum = high(*a, a_part) + high(*b, b_part) + 2;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 255: parts of 2048 of at most 255 * 128"
        )]
        let mixed = (sum >> 2) as u8;
        *level = mixed;
    }
}

/// The two pixels of which each of a row is made.
#[multiversion(targets("x86_64+avx2"))]
fn pick([first, second]: &mut [Vec<[u8; 4]>; 2], source: &[[u8; 4]], steps: &[Step]) {
    for ((first, second), step) in first.iter_mut().zip(second).zip(steps) {
        [*first, *second] = step.from.map(|from| source[from]);
    }
}

/// One row, interpolated across: sixteenths of parts of 2048, at most 255 * 128.
#[multiversion(targets("x86_64+avx2"))]
fn mix(row: &mut [[i16; 4]], pairs: &[Vec<[u8; 4]>; 2], parts: &[Vec<[i16; 4]>; 2]) {
    let [first, second] = pairs.each_ref().map(|pixels| pixels.as_flattened());
    let [a_part, b_part] = parts.each_ref().map(|parts| parts.as_flattened());
    let levels = first.iter().zip(a_part).zip(second.iter().zip(b_part));
    for (mixed, ((a, a_part), (b, b_part))) in row.as_flattened_mut().iter_mut().zip(levels) {
        let product = |level: u8, part: i16| i32::from(level) * i32::from(part);
        #[expect(clippy::cast_possible_truncation, reason = "at most 255 * 128")]
        let sum = ((product(*a, *a_part) + product(*b, *b_part)) >> 4) as i16;
        *mixed = sum;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a picture, which are limited to it; OpenCV calculates in single precision too"
)]
fn steps(steps: &mut Vec<Step>, start: f64, long: f64, to: usize) {
    let first = start.floor();
    let last = ((start + long).ceil() - 1.0 - first).max(0.0);
    let scale = 1.0 / (to as f64 / long);
    steps.clear();
    steps.extend((0..to).map(|at| {
        let place = ((at as f64 + 0.5) * scale - 0.5 + (start - first)) as f32;
        let floor = place.floor();
        let (floor, share) = if floor < 0.0 {
            (0.0, 0.0)
        } else if f64::from(floor) >= last {
            (last as f32, 0.0)
        } else {
            (floor, place - floor)
        };
        let from = first as usize + floor as usize;
        let next = from + usize::from(f64::from(floor) < last);
        let part = |share: f32| (share * WHOLE).round_ties_even() as u16;
        Step { from: [from, next], parts: [part(1.0 - share), part(share)] }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_those_of_opencv_to_the_bit() {
        // x = (x * 1664525 + 1013904223) mod 2^32 from 7, x >> 24, as 7 x 5 pixels; then
        // cv2.resize(picture, (4, 3)) and cv2.resize(picture, (9, 2)).
        let mut x = 7_u32;
        let mut byte = || {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            x.to_be_bytes()[0]
        };
        let picture: Vec<u8> = (0..7 * 5 * 3).map(|_| byte()).collect();
        let picture = Picture::of_rgb(7, 5, &picture).unwrap();
        let mut linear = Linear::default();
        for (size, expected) in [([4, 3], SMALLER.as_slice()), ([9, 2], LARGER.as_slice())] {
            let mut target = Vec::new();

            linear.resize(&picture, [0.0, 0.0, 7.0, 5.0], size, |_, row| {
                target.extend(row.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]));
            });

            assert_eq!(target, expected, "{size:?}");
        }
    }

    const SMALLER: [u8; 36] = [
        137, 116, 165, 153, 38, 56, 139, 161, 108, 151, 189, 90, 97, 197, 109, 91, 231, 138, 137,
        118, 68, 152, 138, 23, 170, 101, 142, 127, 92, 184, 144, 80, 117, 104, 125, 167,
    ];
    const LARGER: [u8; 54] = [
        108, 76, 182, 182, 72, 120, 215, 51, 90, 198, 39, 83, 150, 83, 56, 148, 160, 55, 158, 207,
        67, 158, 192, 79, 144, 122, 83, 153, 155, 202, 131, 121, 163, 147, 106, 145, 177, 135, 139,
        164, 227, 107, 190, 94, 90, 201, 105, 74, 149, 130, 114, 40, 104, 213,
    ];
}
