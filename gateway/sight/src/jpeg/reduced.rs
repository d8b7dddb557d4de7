//! A JPEG as small as it is needed, made of fewer of its numbers.
//!
//! A block of 8 x 8 pixels is coded as 64 waves. Its first 4 x 4, looked at in 4 x 4 places instead of 8 x 8, are
//! the same block at half the size, and so on for 3, 2 and 1; colours that were sent at half the size already
//! are looked at in twice as many places, and fit. What is done here is what nearly all cameras send: all
//! colours in one scan, coded by Huffman. Everything else is left to the decoder of whole pictures.

#![expect(clippy::inline_always, reason = "compiled for the processor of whom they are part of")]

use multiversion::multiversion;

use super::MOST_PIXELS;
use super::huffman::{self, Bits, Codes, ZIGZAG};
use crate::picture::Picture;

/// The smallest that is made is this part of eight, and the largest.
pub(super) const EIGHTHS: std::ops::RangeInclusive<usize> = 1..=4;

/// What the segments before the scan say.
#[derive(Default)]
struct Tables {
    /// What numbers are multiplied by, in the order in which they are written.
    steps: [Option<[f32; 64]>; 4],
    means: [Option<Codes>; 4],
    waves: [Option<Codes>; 4],
    /// Of the picture.
    width: usize,
    height: usize,
    colours: Vec<Frame>,
    /// Groups of blocks between two restart markers.
    interval: Option<usize>,
}

/// One colour, as the frame header has it.
struct Frame {
    id: u8,
    /// Blocks of a group.
    across: usize,
    down: usize,
    steps: usize,
}

/// One colour, ready to be read.
struct Colour<'a> {
    across: usize,
    down: usize,
    steps: &'a [f32; 64],
    means: &'a Codes,
    waves: &'a Codes,
    shape: Shape,
    last: i32,
    /// The pixels of a row of groups, in rows.
    pixels: Vec<f32>,
}

/// Into how many pixels a block is made, and what each wave is worth in each.
struct Shape {
    width: usize,
    height: usize,
    /// The place of the last wave that is needed, in the order in which they are written.
    upto: usize,
    across: [[f32; 8]; 8],
    down: [[f32; 8]; 8],
}

/// `eighths` of a picture; `None` when it is none of those that are done here, or broken.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt"))]
pub(super) fn decode(bytes: &[u8], eighths: usize) -> Option<Picture> {
    let mut tables = Tables::default();
    let (scan, rest) = tables.read(bytes)?;
    let most = |side: fn(&Frame) -> usize| tables.colours.iter().map(side).max();
    let (across, down) = (most(|c| c.across)?, most(|c| c.down)?);
    let mut colours: Vec<Colour<'_>> = tables
        .colours
        .iter()
        .map(|frame| tables.colour(frame, scan, [across, down], eighths))
        .collect::<Option<_>>()?;
    let (width, height) =
        ((tables.width * eighths).div_ceil(8), (tables.height * eighths).div_ceil(8));
    let groups = tables.width.div_ceil(across * 8);
    // Each block is written as if it had eight pixels across.
    let stride = groups * across * eighths + 8;
    for colour in &mut colours {
        colour.pixels.resize(stride * down * eighths, 0.0);
    }
    let mut pixels = Vec::with_capacity(width * height * 4);
    let mut run = Vec::with_capacity(rest.len());
    let mut rest = huffman::run(rest, &mut run);
    let mut bits = Bits::default();
    let mut left = tables.interval;
    for _ in 0..tables.height.div_ceil(down * 8) {
        for group in 0..groups {
            if left == Some(0) {
                let [0xFF, 0xD0..=0xD7, behind @ ..] = rest else { return None };
                rest = huffman::run(behind, &mut run);
                bits = Bits::default();
                left = tables.interval;
                for colour in &mut colours {
                    colour.last = 0;
                }
            }
            left = left.map(|left| left - 1);
            for colour in &mut colours {
                colour.group(&run, &mut bits, group, stride)?;
            }
            if bits.is_past(&run) {
                return None;
            }
        }
        let rows = (down * eighths).min(height - pixels.len() / (width * 4));
        (0..rows).for_each(|row| paint(&mut pixels, &colours, row * stride..row * stride + width));
    }
    Picture::new(width, height, pixels)
}

impl Tables {
    /// Reads up to the scan: its segment, and what follows. The segments are known to be whole.
    fn read<'a>(&mut self, bytes: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let mut rest = bytes.get(2..)?;
        loop {
            let [0xFF, marker, behind @ ..] = rest else { return None };
            rest = match marker {
                0xFF => rest.get(1..)?,
                0x01 | 0xD0..=0xD7 => behind,
                _ => {
                    let length = usize::from(u16::from_be_bytes(*behind.first_chunk()?));
                    let (segment, behind) = (behind.get(2..length)?, behind.get(length..)?);
                    match (marker, segment) {
                        (0xDB, _) => self.read_steps(segment)?,
                        (0xC4, _) => self.read_codes(segment)?,
                        (0xC0 | 0xC1, _) => self.read_frame(segment)?,
                        (0xDD, &[high, low]) => {
                            let interval = usize::from(u16::from_be_bytes([high, low]));
                            self.interval = Some(interval).filter(|interval| *interval > 0);
                        }
                        // Adobe's note that colours are no brightness and two differences.
                        (0xEE, [b'A', b'd', b'o', b'b', b'e', .., transform])
                            if *transform != 1 =>
                        {
                            return None;
                        }
                        (0xDA, _) => return Some((segment, behind)),
                        _ => {}
                    }
                    behind
                }
            };
        }
    }

    fn read_steps(&mut self, mut segment: &[u8]) -> Option<()> {
        while let [head, rest @ ..] = segment {
            let size = if head >> 4 == 0 { 1 } else { 2 };
            let (table, rest) = rest.split_at_checked(64 * size)?;
            let mut steps = [0.0; 64];
            for (step, bytes) in steps.iter_mut().zip(table.chunks_exact(size)) {
                *step = bytes.iter().fold(0.0, |step, byte| step * 256.0 + f32::from(*byte));
            }
            *self.steps.get_mut(usize::from(head & 15))? = Some(steps);
            segment = rest;
        }
        Some(())
    }

    fn read_codes(&mut self, mut segment: &[u8]) -> Option<()> {
        while let [head, rest @ ..] = segment {
            let (counts, rest) = rest.split_first_chunk()?;
            let many = counts.iter().map(|count| usize::from(*count)).sum();
            let (symbols, rest) = rest.split_at_checked(many)?;
            let kind = if head >> 4 == 0 { &mut self.means } else { &mut self.waves };
            *kind.get_mut(usize::from(head & 15))? = Some(Codes::new(counts, symbols)?);
            segment = rest;
        }
        Some(())
    }

    fn read_frame(&mut self, segment: &[u8]) -> Option<()> {
        let ([8, h1, h0, w1, w0, _], colours) = segment.split_first_chunk()? else { return None };
        self.height = usize::from(u16::from_be_bytes([*h1, *h0]));
        self.width = usize::from(u16::from_be_bytes([*w1, *w0]));
        let colour = |[id, sampling, steps]: &[u8; 3]| Frame {
            id: *id,
            across: usize::from(sampling >> 4),
            down: usize::from(sampling & 15),
            steps: usize::from(*steps),
        };
        self.colours = colours.as_chunks().0.iter().map(colour).collect();
        // Grey is sent block by block, whatever is said of groups.
        if let [grey] = self.colours.as_mut_slice() {
            (grey.across, grey.down) = (1, 1);
        }
        let is_rgb = self.colours.iter().map(|colour| colour.id).eq(*b"RGB");
        let is_known = matches!(self.colours.len(), 1 | 3) && !is_rgb;
        // The check of the header lets no other through; here it is divided by them.
        let has_pixels = (1..=MOST_PIXELS).contains(&(self.width * self.height));
        (is_known && has_pixels).then_some(())
    }

    /// A colour, when the scan has all of them.
    fn colour<'a>(
        &'a self,
        frame: &Frame,
        scan: &[u8],
        most: [usize; 2],
        eighths: usize,
    ) -> Option<Colour<'a>> {
        let [many, rest @ ..] = scan else { return None };
        let (colours, [0, 63, 0]) = rest.split_at_checked(usize::from(*many) * 2)? else {
            return None;
        };
        let is_all = usize::from(*many) == self.colours.len();
        let codes = colours.as_chunks().0.iter().find(|[id, _]| *id == frame.id);
        let [_, codes] = codes.filter(|_| is_all)?;
        let side = |most: usize, own: usize| {
            let is_even = own > 0 && most.is_multiple_of(own);
            is_even.then(|| eighths * most / own).filter(|side| *side <= 8)
        };
        Some(Colour {
            across: frame.across,
            down: frame.down,
            steps: self.steps.get(frame.steps)?.as_ref()?,
            means: self.means.get(usize::from(codes >> 4))?.as_ref()?,
            waves: self.waves.get(usize::from(codes & 15))?.as_ref()?,
            shape: Shape::new(side(most[0], frame.across)?, side(most[1], frame.down)?),
            last: 0,
            pixels: Vec::new(),
        })
    }
}

impl Colour<'_> {
    /// Reads the blocks of one group.
    #[inline(always)]
    fn group(&mut self, run: &[u8], bits: &mut Bits, group: usize, stride: usize) -> Option<()> {
        let Shape { width, height, upto, .. } = self.shape;
        for down in 0..self.down {
            for across in 0..self.across {
                let mut waves = [0.0; 64];
                self.last = self.last.wrapping_add(self.means.difference(run, bits)?);
                waves[0] = self.last as f32 * self.steps[0];
                let last = self.waves.waves(run, bits, upto, self.steps, &mut waves)?;
                let left = (group * self.across + across) * width;
                let rows = self.pixels[down * height * stride..].chunks_exact_mut(stride);
                self.shape.make(&waves, last, rows.map(|row| &mut row[left..]));
            }
        }
        Some(())
    }
}

#[inline(always)]
fn add(to: &mut [f32; 8], what: &[f32; 8], times: f32) {
    for (to, what) in to.iter_mut().zip(what) {
        *to += what * times;
    }
}

impl Shape {
    /// Makes a block of waves up to the one in a place, down first and then across. Eight pixels of each row are
    /// written; the next block covers what is too much.
    #[inline(always)]
    fn make<'a>(&self, waves: &[f32; 64], last: usize, rows: impl Iterator<Item = &'a mut [f32]>) {
        // Waves are written from corner to corner, so there is none further across or down.
        let many = usize::from(ZIGZAG[last] / 8 + ZIGZAG[last] % 8) + 1;
        for (y, row) in rows.take(self.height).enumerate() {
            let mut line = [waves[0] / 8.0; 8];
            if many > 1 {
                let mut mixed = [0.0; 8];
                for (waves, worth) in
                    waves.as_chunks().0.iter().zip(&self.down).take(many.min(self.height))
                {
                    add(&mut mixed, waves, worth[y]);
                }
                line = [0.0; 8];
                for (wave, worth) in mixed.iter().zip(&self.across).take(many.min(self.width)) {
                    add(&mut line, worth, *wave);
                }
            }
            row[..8].copy_from_slice(&line);
        }
    }

    fn new(width: usize, height: usize) -> Self {
        let is_needed = |at: &usize| {
            usize::from(ZIGZAG[*at] & 7) < width && usize::from(ZIGZAG[*at] >> 3) < height
        };
        Self {
            width,
            height,
            upto: (0..64).rev().find(is_needed).unwrap_or_default(),
            across: worth(width),
            down: worth(height),
        }
    }
}

/// What each wave is worth in each of so many places (T.81, A.3.3).
fn worth(places: usize) -> [[f32; 8]; 8] {
    let at = |wave: usize, place: usize| {
        let angle = (2 * place + 1) as f32 * wave as f32 * std::f32::consts::PI;
        let whole = if wave == 0 { std::f32::consts::FRAC_1_SQRT_2 } else { 1.0 };
        whole / 2.0 * (angle / (2 * places) as f32).cos()
    };
    std::array::from_fn(|wave| std::array::from_fn(|place| at(wave, place)))
}

/// One row of pixels out of brightness and two differences (ITU-T T.871), or of brightness alone.
#[inline(always)]
fn paint(painted: &mut Vec<u8>, colours: &[Colour<'_>], row: std::ops::Range<usize>) {
    let level = |value: f32| {
        // The whole part of a number that is 2^23 and more is in its lowest bits.
        let [lowest, ..] = (value.clamp(0.0, 255.0) + 8_388_608.0).to_bits().to_le_bytes();
        lowest
    };
    match colours {
        [grey] => painted.extend(grey.pixels[row].iter().flat_map(|grey| {
            let level = level(grey + 128.0);
            [level, level, level, 255]
        })),
        [grey, blue, red] => {
            let pixels = grey.pixels[row.clone()].iter().zip(&blue.pixels[row.clone()]);
            let pixels = pixels.zip(&red.pixels[row]);
            painted.extend(pixels.flat_map(|((grey, blue), red)| {
                let grey = grey + 128.0;
                [
                    level(grey + 1.402 * red),
                    level(grey - 0.344_136 * blue - 0.714_136 * red),
                    level(grey + 1.772 * blue),
                    255,
                ]
            }));
        }
        _ => {}
    }
}
