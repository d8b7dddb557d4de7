//! Bilinear resizing between the four nearest pixels, to the bit as `OpenCV`'s `INTER_LINEAR` on bytes.
//!
//! The figures of published detectors were made with it, and a level of 255 moves the edge of a box by half
//! a pixel. Weights have eleven bits; a row is interpolated across first, and then between two rows, where
//! the lowest four bits of the first step and sixteen of the second fall away, as they do there.

/// Room that is kept from picture to picture.
#[derive(Debug, Default)]
pub(crate) struct Linear {
    across: Vec<Step>,
    down: Vec<Step>,
    /// Two rows of the source, interpolated across; an even one and an odd one.
    rows: [Vec<i16>; 2],
}

/// Which two of the source make one of the target, and in what parts of 2048.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    from: [usize; 2],
    parts: [i32; 2],
}

const WHOLE: f32 = 2_048.0;

impl Linear {
    /// Fills `target` (width, height) from the cut (left, top, width, height) of a picture as wide as
    /// `width`; all of three bytes a pixel. The cut lies in the picture.
    pub(crate) fn resize(
        &mut self,
        rgb: &[u8],
        width: usize,
        [left, top, cut_width, cut_height]: [f64; 4],
        target: &mut [u8],
        [to_width, to_height]: [usize; 2],
    ) {
        steps(&mut self.across, left, cut_width, to_width);
        steps(&mut self.down, top, cut_height, to_height);
        let mut held = [usize::MAX; 2];
        for (line, step) in target.chunks_exact_mut(to_width * 3).zip(&self.down) {
            for from in step.from {
                if held[from % 2] != from {
                    held[from % 2] = from;
                    let source = &rgb[from * width * 3..][..width * 3];
                    across(&mut self.rows[from % 2], source, &self.across);
                }
            }
            let [first, second] = step.from.map(|from| &self.rows[from % 2]);
            for ((byte, a), b) in line.iter_mut().zip(first).zip(second) {
                let part = |of: i16, part: i32| (i32::from(of) * part) >> 16;
                let sum = part(*a, step.parts[0]) + part(*b, step.parts[1]) + 2;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "at most 255: parts of 2048 of at most 255 * 128"
                )]
                let level = (sum >> 2) as u8;
                *byte = level;
            }
        }
    }
}

/// One row, interpolated across: sixteenths of parts of 2048, at most 255 * 128.
fn across(row: &mut Vec<i16>, source: &[u8], steps: &[Step]) {
    let pixels = source.as_chunks::<3>().0;
    row.resize(steps.len() * 3, 0);
    for (mixed, Step { from, parts }) in row.as_chunks_mut::<3>().0.iter_mut().zip(steps) {
        let [a, b] = from.map(|from| pixels[from]);
        #[expect(clippy::cast_possible_truncation, reason = "at most 255 * 128")]
        let mix =
            |c: usize| ((i32::from(a[c]) * parts[0] + i32::from(b[c]) * parts[1]) >> 4) as i16;
        *mixed = [mix(0), mix(1), mix(2)];
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
        let part = |share: f32| (share * WHOLE).round_ties_even() as i32;
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
        let mut linear = Linear::default();
        for (size, expected) in [([4, 3], SMALLER.as_slice()), ([9, 2], LARGER.as_slice())] {
            let mut target = vec![0; size[0] * size[1] * 3];

            linear.resize(&picture, 7, [0.0, 0.0, 7.0, 5.0], &mut target, size);

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
