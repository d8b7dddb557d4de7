//! A picture in memory.
//!
//! It has no way out: it is not written, not serialised and not shown by `Debug`.

use std::fmt;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

/// Pixels as rows from the top, three bytes each: red, green, blue.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Picture {
    /// `None` when there is no pixel, or when the bytes are not three for each.
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> Option<Self> {
        let wanted = width.checked_mul(height)?.checked_mul(3)?;
        (wanted > 0 && rgb.len() == wanted).then_some(Self { width, height, rgb })
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
        let from = ImageRef::new(side(self.width)?, side(self.height)?, &self.rgb, PixelType::U8x3)
            .ok()?;
        let mut to = Image::new(side(wide)?, side(high)?, PixelType::U8x3);
        let filter = ResizeAlg::Convolution(FilterType::Bilinear);
        let options = ResizeOptions::new().resize_alg(filter).use_alpha(false);
        Resizer::new().resize(&from, &mut to, &options).ok()?;
        Self::new(wide, high, to.into_vec())
    }

    /// Red, green, blue; row by row from the top.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The bytes, to change them in place.
    pub(crate) fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }

    /// Of bytes that came out of a picture of this size.
    pub(crate) fn from_parts(width: usize, height: usize, rgb: Vec<u8>) -> Self {
        debug_assert_eq!(width * height * 3, rgb.len());
        Self { width, height, rgb }
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
        let wide = Picture::new(40, 10, vec![7; 1200]).unwrap();
        let small = wide.within(20, 20).unwrap();
        assert_eq!((small.width(), small.height(), small.rgb()[0]), (20, 5, 7));
        let high = Picture::new(10, 40, vec![7; 1200]).unwrap().within(20, 20).unwrap();
        assert_eq!((high.width(), high.height()), (5, 20));
        assert_eq!(wide.within(40, 10).unwrap(), wide);
        assert!(wide.within(0, 0).is_none_or(|none| none.width() > 0));
    }
}
