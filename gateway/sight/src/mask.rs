//! The only way in which a picture leaves memory: with everybody in it made unrecognisable.
//!
//! [`mask`] asks what must be hidden, hides it, and asks again about what came out, until nothing is found
//! any more; where something still is, there is no [`Masked`] and so nothing that could be written or sent.
//! [`Masked`] has no other maker, and holds the picture as JPEG (ITU-T T.81) without metadata.
//!
//! What is hidden is replaced by a mosaic of a few cells, each of one colour with few steps. A face or a
//! body keeps about four cells across: less than any method that restores faces can start from. A vehicle
//! keeps ten, so that one sees that it is a vehicle; its plate, about a quarter of it, keeps two or three.

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
/// JPEG quality: a still is for a person's eye, and the store is small.
const QUALITY: u8 = 75;
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
    /// Cells of the mosaic across the shorter side.
    fn cells(self) -> usize {
        match self {
            Self::Plate => 2,
            Self::Face | Self::Person => 4,
            Self::Vehicle => 10,
        }
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
            work = if round == 0 {
                mosaic(work, region, hide.kind.cells())
            } else {
                filled(work, region)
            };
        }
    }
    Err(Unmasked::StillSeen)
}

/// Replaces a region by the mean colour of what is just around it.
fn filled(picture: Picture, region: Region) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let (left, right, top, bottom) = pixels(region, width, height);
    let mut sums = [0_usize; 4];
    let ring = region.grown(MARGIN);
    let (x0, x1, y0, y1) = pixels(ring, width, height);
    let rgb = picture.rgb();
    for y in y0..y1 {
        for x in x0..x1 {
            if (left..right).contains(&x) && (top..bottom).contains(&y) {
                continue;
            }
            for (sum, value) in sums.iter_mut().zip(&rgb[(y * width + x) * 3..][..3]) {
                *sum += usize::from(*value);
            }
            sums[3] += 1;
        }
    }
    let mean = |sum: usize| u8::try_from(sum / sums[3].max(1)).unwrap_or(u8::MAX);
    let colour = [mean(sums[0]), mean(sums[1]), mean(sums[2])];
    let mut rgb = picture.into_rgb();
    for y in top..bottom {
        for pixel in rgb[(y * width + left) * 3..(y * width + right) * 3].chunks_exact_mut(3) {
            pixel.copy_from_slice(&colour);
        }
    }
    Picture::from_parts(width, height, rgb)
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

/// Replaces a region by a mosaic with so many cells across its shorter side.
fn mosaic(picture: Picture, region: Region, cells: usize) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let (left, right, top, bottom) = pixels(region, width, height);
    let cell = (right.saturating_sub(left)).min(bottom.saturating_sub(top)).div_ceil(cells).max(1);
    let mut rgb = picture.into_rgb();
    for y in (top..bottom).step_by(cell) {
        for x in (left..right).step_by(cell) {
            let (lower, farther) = ((y + cell).min(bottom), (x + cell).min(right));
            let mut sums = [0_usize; 3];
            for row in y..lower {
                for pixel in rgb[(row * width + x) * 3..(row * width + farther) * 3].chunks_exact(3)
                {
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
                for pixel in
                    rgb[(row * width + x) * 3..(row * width + farther) * 3].chunks_exact_mut(3)
                {
                    pixel.copy_from_slice(&colour);
                }
            }
        }
    }
    Picture::from_parts(width, height, rgb)
}

fn written(picture: &Picture, hidden: usize) -> Option<Masked> {
    if picture.width().max(picture.height()) > LARGEST {
        return None;
    }
    let (width, height) =
        (u16::try_from(picture.width()).ok()?, u16::try_from(picture.height()).ok()?);
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, QUALITY).encode(picture.rgb(), width, height, ColorType::Rgb).ok()?;
    Some(Masked { jpeg, hidden })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: Region = Region { left: 0.4, top: 0.3, right: 0.6, bottom: 0.6 };

    /// Stripes of one pixel, where details can be counted.
    fn stripes() -> Picture {
        let rgb = (0..120 * 80).flat_map(|i| [if i % 2 == 0 { 250 } else { 5 }; 3]).collect();
        Picture::new(120, 80, rgb).unwrap()
    }

    /// Finds somebody wherever there is still detail around the middle.
    fn look(picture: &Picture) -> Vec<Hide> {
        let row = 36 * 120;
        let seen: Vec<u8> = (48..72).map(|x| picture.rgb()[(row + x) * 3]).collect();
        let detail = seen.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) > 100).count();
        if detail > 4 {
            vec![Hide { kind: Kind::Face, score: 0.9, region: FACE }]
        } else {
            Vec::new()
        }
    }

    #[test]
    fn what_is_hidden_keeps_no_detail_and_the_rest_is_as_it_was() {
        let region = FACE.grown(MARGIN);
        let out = mosaic(stripes(), region, Kind::Face.cells());
        let colours: std::collections::BTreeSet<u8> = (24..48)
            .flat_map(|y| (50..70).map(move |x| (y, x)))
            .map(|(y, x)| out.rgb()[(y * 120 + x) * 3])
            .collect();
        assert!(colours.len() <= 2, "{colours:?}");
        assert_eq!(out.rgb()[..120 * 3 * 10], stripes().rgb()[..120 * 3 * 10]);
    }

    #[test]
    fn a_masked_picture_is_looked_at_again_and_gives_nothing() {
        let mut looks = 0;
        let masked = mask(&stripes(), |picture| {
            looks += 1;
            Ok::<_, ()>(look(picture))
        });
        let masked = masked.unwrap();
        assert_eq!((looks, masked.hidden()), (2, 1));
        assert!(masked.jpeg().starts_with(&[0xFF, 0xD8]));
    }

    #[test]
    fn who_is_still_found_is_not_shown() {
        let always =
            |_: &Picture| Ok::<_, ()>(vec![Hide { kind: Kind::Person, score: 0.9, region: FACE }]);
        assert_eq!(mask(&stripes(), always).err(), Some(Unmasked::StillSeen));
    }

    #[test]
    fn a_vehicle_may_still_be_seen_to_be_one() {
        let always =
            |_: &Picture| Ok::<_, ()>(vec![Hide { kind: Kind::Vehicle, score: 0.9, region: FACE }]);
        assert!(mask(&stripes(), always).is_ok());
    }

    #[test]
    fn nobody_to_look_means_no_still() {
        let nobody = |_: &Picture| Err("the model is not installed");
        let error = mask(&stripes(), nobody).err();
        assert_eq!(error, Some(Unmasked::NotLooked("the model is not installed")));
    }

    #[test]
    fn a_region_that_reaches_over_the_edge_or_is_no_number_does_no_harm() {
        for region in [
            Region { left: -3.0, top: -1.0, right: 9.0, bottom: 2.0 },
            Region { left: f32::NAN, top: f32::NAN, right: f32::NAN, bottom: f32::NAN },
            Region { left: 0.9, top: 0.9, right: 0.1, bottom: 0.1 },
        ] {
            assert_eq!(mosaic(stripes(), region, 4).width(), 120);
        }
    }
}
