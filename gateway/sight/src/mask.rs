//! The only way in which a picture leaves memory: with everybody in it made unrecognisable.
//!
//! [`mask`] asks what must be hidden, hides it, and asks again about what came out, until nothing is found
//! any more; where something still is, there is no [`Masked`] and so nothing that could be written or sent.
//! [`Masked`] has no other maker, and holds the picture as JPEG (ITU-T T.81) without metadata.
//!
//! What is hidden is replaced by a mosaic of a few cells, each of one colour with few steps. A face or a
//! body keeps at most four cells across, and no cell is smaller than [`CELL`] pixels: less than any method that
//! restores faces can start from. A vehicle keeps at most eight, and sixteen along it, so that one sees that it is
//! a vehicle; its plate, about a quarter of its width, keeps two or three.

use jpeg_encoder::{ColorType, Encoder};

use crate::picture::Picture;
use crate::seen::Region;

/// Share of its size by which a hidden region is larger than what was found: hair, hands, a mirror.
const MARGIN: f32 = 0.15;
/// Colour steps that are left of 256.
const STEP: u8 = 16;
/// Times that what came out is looked at again.
const ROUNDS: u32 = 6;
/// Somebody who is found this surely, of 1, is seen. What is found with less is hidden all the same.
const SEEN: f32 = 0.5;
/// Pixels of a cell's side at least. A plate in which each of seven characters has three cells would be as wide
/// as a quarter of the largest still.
const CELL: usize = 8;
/// JPEG quality: a still is for a person's eye, and the store is small. The first that fits into [`BYTES`] is
/// taken, else the last.
const QUALITIES: [u8; 3] = [75, 60, 45];
/// Bytes of a still that is large enough.
pub const BYTES: usize = 48 * 1024;
/// Largest width and height that JPEG can say.
const LARGEST: usize = 65_535;

/// What kind of thing must be hidden, for how much of it may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Face,
    Person,
    Plate,
    /// For its plate, and for who sits in it.
    Vehicle,
}

impl Kind {
    /// The side of a cell of the mosaic over so many pixels. Of a vehicle that is cut off by the picture's
    /// edge the longer side says more of how large it is.
    fn cell(self, width: usize, height: usize) -> usize {
        let (short, long) = (width.min(height), width.max(height));
        let cell = match self {
            Self::Plate => short.div_ceil(2),
            Self::Face | Self::Person => short.div_ceil(4),
            Self::Vehicle => short.div_ceil(8).max(long.div_ceil(16)),
        };
        cell.max(CELL)
    }
}

/// Something that must not be recognised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hide {
    pub kind: Kind,
    /// How sure it is that something is there, 0..1.
    pub score: f32,
    pub region: Region,
}

/// A still that shows nobody, as JPEG.
#[derive(Clone, PartialEq, Eq)]
pub struct Masked {
    jpeg: Vec<u8>,
    hidden: usize,
}

impl Masked {
    /// The file.
    pub fn jpeg(&self) -> &[u8] {
        &self.jpeg
    }

    /// How many places were hidden.
    pub fn hidden(&self) -> usize {
        self.hidden
    }
}

impl std::fmt::Debug for Masked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { jpeg, hidden } = self;
        write!(f, "Masked({} bytes, {hidden} hidden)", jpeg.len())
    }
}

/// Why there is no masked still. The picture stays in memory and is forgotten with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmasked<E> {
    /// Whoever looks for people and faces could not; without that nothing is shown.
    #[error("nobody could say what must be hidden: {0}")]
    NotLooked(E),
    /// What came out still shows somebody.
    #[error("somebody could still be made out after {ROUNDS} rounds of masking")]
    StillSeen,
    /// Larger than the format allows.
    #[error("the picture cannot be written as JPEG")]
    NotWritten,
}

/// Hides what `look` finds in a picture, until it finds nothing more in what comes out that must not be
/// found: a face, a person, a plate, as surely as [`SEEN`]. A vehicle may still be seen to be one.
///
/// A model that is eager to find people also finds them in mosaics. So what is found again goes as a whole,
/// in the colour of what is around it, which leaves no outline to take for somebody.
///
/// # Errors
/// `look` failed, or still finds somebody.
pub fn mask<E>(
    picture: &Picture,
    mut look: impl FnMut(&Picture) -> Result<Vec<Hide>, E>,
) -> Result<Masked, Unmasked<E>> {
    let mut work = picture.clone();
    let mut hidden = 0;
    for round in 0..=ROUNDS {
        let mut found = look(&work).map_err(Unmasked::NotLooked)?;
        if round == 0 {
            hidden = found.len();
        } else {
            found.retain(|hide| hide.kind != Kind::Vehicle);
            if !found.iter().any(|hide| hide.score >= SEEN) {
                return written(&work, hidden).ok_or(Unmasked::NotWritten);
            }
        }
        if found.is_empty() {
            return written(&work, hidden).ok_or(Unmasked::NotWritten);
        }
        for hide in &found {
            let region = hide.region.grown(MARGIN);
            work = if round == 0 { mosaic(work, region, hide.kind) } else { filled(work, region) };
        }
    }
    Err(Unmasked::StillSeen)
}

/// Replaces a region by the mean colour of what is just around it.
fn filled(mut picture: Picture, region: Region) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let (left, right, top, bottom) = pixels(region, width, height);
    let (mut sums, mut count) = ([0_usize; 4], 0);
    let ring = region.grown(MARGIN);
    let (x0, x1, y0, y1) = pixels(ring, width, height);
    for y in y0..y1 {
        for x in x0..x1 {
            if (left..right).contains(&x) && (top..bottom).contains(&y) {
                continue;
            }
            for (sum, value) in sums.iter_mut().zip(picture.pixels()[y * width + x]) {
                *sum += usize::from(value);
            }
            count += 1;
        }
    }
    let colour = sums.map(|sum| u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX));
    for y in top..bottom {
        picture.pixels_mut()[y * width + left..y * width + right].fill(colour);
    }
    picture
}

/// Left, right, top and bottom of a region, rounded outwards; nothing where it is no region.
fn pixels(region: Region, width: usize, height: usize) -> (usize, usize, usize, usize) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place within a picture"
    )]
    let between = |low: f32, high: f32, size: usize| {
        let low = (low.clamp(0.0, 1.0) * size as f32).floor() as usize;
        let high = (high.clamp(0.0, 1.0) * size as f32).ceil() as usize;
        (low.min(high).min(size), high.min(size))
    };
    let (left, right) = between(region.left, region.right, width);
    let (top, bottom) = between(region.top, region.bottom, height);
    (left, right, top, bottom)
}

/// Replaces a region by a mosaic.
fn mosaic(mut picture: Picture, region: Region, kind: Kind) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let (left, right, top, bottom) = pixels(region, width, height);
    let cell = kind.cell(right.saturating_sub(left), bottom.saturating_sub(top));
    let pixels = picture.pixels_mut();
    for y in (top..bottom).step_by(cell) {
        for x in (left..right).step_by(cell) {
            let (lower, farther) = ((y + cell).min(bottom), (x + cell).min(right));
            let mut sums = [0_usize; 4];
            for row in y..lower {
                for pixel in &pixels[row * width + x..row * width + farther] {
                    for (sum, value) in sums.iter_mut().zip(pixel) {
                        *sum += usize::from(*value);
                    }
                }
            }
            let count = ((lower - y) * (farther - x)).max(1);
            let colour = sums.map(|sum| {
                let mean = u8::try_from(sum / count).unwrap_or(u8::MAX);
                mean / STEP * STEP + STEP / 2
            });
            for row in y..lower {
                pixels[row * width + x..row * width + farther].fill(colour);
            }
        }
    }
    picture
}

fn written(picture: &Picture, hidden: usize) -> Option<Masked> {
    if picture.width().max(picture.height()) > LARGEST {
        return None;
    }
    let (width, height) =
        (u16::try_from(picture.width()).ok()?, u16::try_from(picture.height()).ok()?);
    let mut jpeg = Vec::new();
    for quality in QUALITIES {
        jpeg.clear();
        Encoder::new(&mut jpeg, quality)
            .encode(picture.bytes(), width, height, ColorType::Rgba)
            .ok()?;
        if jpeg.len() <= BYTES {
            break;
        }
    }
    Some(Masked { jpeg, hidden })
}

#[cfg(test)]
mod tests;
