//! A picture in memory.
//!
//! It has no way out: it is not written, not serialised and not shown by `Debug`.

use std::fmt;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

/// Pixels as rows from the top, four bytes each: red, green, blue, and one that means nothing. A
/// processor moves and calculates four at once where it takes three one by one.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    /// Of four bytes for each pixel; `None` when there is no pixel, or when the bytes are not four for each.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Option<Self> {
        let wanted = width.checked_mul(height)?.checked_mul(4)?;
        (wanted > 0 && pixels.len() == wanted).then_some(Self { width, height, pixels })
    }

    /// Of three bytes for each pixel: red, green, blue.
    pub fn of_rgb(width: usize, height: usize, rgb: &[u8]) -> Option<Self> {
        let (rgb, []) = rgb.as_chunks() else { return None };
        Self::new(width, height, rgb.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect())
    }

    /// In pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// In pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// As large as fits into so many pixels, in the same shape; as it is when it fits. `None` when a size is
    /// nothing or too much.
    pub fn within(&self, width: usize, height: usize) -> Option<Self> {
        if self.width <= width && self.height <= height {
            return Some(self.clone());
        }
        let by_width = self.width * height > self.height * width;
        let (wide, high) = if by_width {
            (width, (self.height * width / self.width).max(1))
        } else {
            ((self.width * height / self.height).max(1), height)
        };
        let side = |side: usize| u32::try_from(side).ok();
        let from =
            ImageRef::new(side(self.width)?, side(self.height)?, &self.pixels, PixelType::U8x4)
                .ok()?;
        let mut to = Image::new(side(wide)?, side(high)?, PixelType::U8x4);
        let filter = ResizeAlg::Convolution(FilterType::Bilinear);
        let options = ResizeOptions::new().resize_alg(filter).use_alpha(false);
        Resizer::new().resize(&from, &mut to, &options).ok()?;
        Self::new(wide, high, to.into_vec())
    }

    /// Row by row from the top.
    pub fn pixels(&self) -> &[[u8; 4]] {
        self.pixels.as_chunks().0
    }

    /// The same, to change them in place.
    pub(crate) fn pixels_mut(&mut self) -> &mut [[u8; 4]] {
        self.pixels.as_chunks_mut().0
    }

    /// All of them, byte by byte.
    pub fn bytes(&self) -> &[u8] {
        &self.pixels
    }

    /// Three bytes for each: red, green, blue.
    pub fn to_rgb(&self) -> Vec<u8> {
        self.pixels().iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect()
    }
}

/// Its size alone: what it shows is nobody's business.
impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({} x {})", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_is_too_large_keeps_its_shape() {
        let wide = Picture::of_rgb(40, 10, &[7; 1200]).unwrap();
        let small = wide.within(20, 20).unwrap();
        assert_eq!((small.width(), small.height(), small.pixels()[0]), (20, 5, [7, 7, 7, 255]));
        let high = Picture::of_rgb(10, 40, &[7; 1200]).unwrap().within(20, 20).unwrap();
        assert_eq!((high.width(), high.height()), (5, 20));
        assert_eq!(wide.within(40, 10).unwrap(), wide);
        assert!(wide.within(0, 0).is_none_or(|none| none.width() > 0));
    }
}
