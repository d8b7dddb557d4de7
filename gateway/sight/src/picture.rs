//! A picture in memory.
//!
//! It has no way out: it is not written, not serialised and not shown by `Debug`.

use std::fmt;

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
