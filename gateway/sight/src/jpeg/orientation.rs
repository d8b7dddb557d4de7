//! Which way up a picture is shown: a telephone that is held upright sends its pixels on their side, and says so
//! in a tag.
//!
//! Source: CIPA DC-008 (Exif 2.3), sections 4.5.4 (the segment), 4.6.2 (its structure) and 4.6.4 (the tag
//! `Orientation`). Where that cannot be read, the picture is shown as it lies.

use crate::picture::Picture;

const IDENTIFIER: &[u8] = b"Exif\0\0";
const TAG: usize = 0x0112;
/// Two bytes.
const SHORT: usize = 3;
const ENTRY_BYTES: usize = 12;

/// What is done to the pixels as they lie, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Orientation {
    /// Rows become columns.
    is_transposed: bool,
    /// Left becomes right.
    is_mirrored: bool,
    is_upside_down: bool,
}

impl Orientation {
    /// What an APP1 segment says; `None` when it says nothing of it.
    pub(super) fn of_segment(content: &[u8]) -> Option<Self> {
        let tiff = content.strip_prefix(IDENTIFIER)?;
        let is_little = match tiff.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        let number = |at: usize, count: usize| {
            let mut bytes = tiff.get(at..at.checked_add(count)?)?.to_vec();
            if is_little {
                bytes.reverse();
            }
            Some(bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
        };
        let first = number(4, 4)?;
        let entries = number(first, 2)?;
        let mut places = (0..entries).map(|nth| first.saturating_add(2 + nth * ENTRY_BYTES));
        let place = places.find(|at| number(*at, 2) == Some(TAG))?;
        let value = number(place + 8, 2).filter(|_| number(place + 2, 2) == Some(SHORT));
        let (is_transposed, is_mirrored, is_upside_down) = match value? {
            1 => (false, false, false),
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => return None,
        };
        Some(Self { is_transposed, is_mirrored, is_upside_down })
    }

    /// A width and a height as they lie, as they are shown; and the other way round.
    pub(super) fn sides(self, (width, height): (usize, usize)) -> (usize, usize) {
        if self.is_transposed { (height, width) } else { (width, height) }
    }

    /// The picture as it is to be shown.
    pub(super) fn turn(self, picture: Picture) -> Picture {
        if self == Self::default() {
            return picture;
        }
        let (width, height) = self.sides((picture.width(), picture.height()));
        let (from, row) = (picture.pixels(), picture.width());
        let mut pixels = Vec::with_capacity(picture.bytes().len());
        for y in 0..height {
            let y = if self.is_upside_down { height - 1 - y } else { y };
            for x in 0..width {
                let x = if self.is_mirrored { width - 1 - x } else { x };
                let (x, y) = self.sides((x, y));
                pixels.extend(from[y * row + x]);
            }
        }
        Picture::new(width, height, pixels).unwrap_or(picture)
    }
}
