//! JPEG as cameras send it, made into a picture, scaled down while it is decoded where that is enough.
//!
//! What a camera sends is not to be trusted: [`decode`] reads the header itself first, and gives nothing
//! to a decoder that would take more memory or time than [`MOST_PIXELS`], [`MOST_HEADER`] and
//! [`MOST_SCANS`] allow. A whole picture is decoded by `zune-jpeg`; one to four eighths of it are made here
//! ([`reduced`]) out of fewer of the same numbers: of a 4K picture in a fraction of the time and the memory.
//! It is turned as its [`orientation`] says: who lies on their side is not found by models that mask people.

mod huffman;
mod orientation;
mod reduced;

use std::panic::{AssertUnwindSafe, catch_unwind};

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

use self::orientation::Orientation;
use crate::picture::Picture;

/// Of a picture at most: 50 MB when it is decoded as a whole.
pub const MOST_PIXELS: usize = 1 << 24;
/// Of a progressive one, whose decoder holds up to six bytes more for each.
pub const MOST_PROGRESSIVE_PIXELS: usize = MOST_PIXELS / 4;
/// Bytes before the pixels begin; a photograph's colour profile and thumbnail fit.
pub const MOST_HEADER: usize = 1 << 19;
/// Passes over a progressive picture; encoders make about ten, and each costs as much as decoding.
pub const MOST_SCANS: usize = 64;

/// Why bytes are not a picture. The camera is asked for the next one; its name is added by who knows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPicture {
    /// Something else is sent: a page that asks for a login, say.
    #[error("it is no JPEG: it does not begin with FF D8")]
    NotJpeg,

    #[error("its header is broken: {0}")]
    Header(&'static str),

    /// Counted once it is plain that no picture follows.
    #[error("its header goes on for more than {MOST_HEADER} bytes")]
    EndlessHeader,

    #[error("it is cut off after {0} bytes")]
    Truncated(usize),

    #[error("it has no pixel: {width} x {height}")]
    Empty { width: usize, height: usize },

    /// Set the camera to a smaller picture.
    #[error("it has {width} x {height} pixels; {most} at most are decoded")]
    TooLarge { width: usize, height: usize, most: usize },

    /// Set the camera to baseline or progressive JPEG with 8 bits, grey or in colour.
    #[error("it is coded as {0}, expected baseline or progressive JPEG")]
    Unsupported(&'static str),

    #[error("its pixels cannot be decoded: {0}")]
    Broken(String),
}

/// Decodes a JPEG into a picture that may be smaller than it was sent, but in neither direction smaller
/// than `at_least` (width, height) where it was not before.
pub fn decode(bytes: &[u8], at_least: (usize, usize)) -> Result<Picture, NotAPicture> {
    decode_for(bytes, |_| at_least)
}

/// As [`decode`], for whoever has to know how large the picture was sent (width, height, as it is shown) to say
/// how large it has to be.
pub fn decode_for(
    bytes: &[u8],
    at_least: impl FnOnce((usize, usize)) -> (usize, usize),
) -> Result<Picture, NotAPicture> {
    let header = Header::read(bytes)?;
    header.check(bytes)?;
    let orientation = header.orientation;
    let shown = orientation.sides((header.width, header.height));
    let eighths = header.eighths(orientation.sides(at_least(shown)));
    // A decoder that nobody here wrote, and bytes that anybody may have.
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        let reduced = eighths.and_then(|eighths| reduced::decode(bytes, eighths));
        let picture = reduced.map_or_else(|| whole(bytes, &header), Ok)?;
        Ok(orientation.turn(picture))
    }));
    decoded.unwrap_or_else(|_panic| Err(broken("the decoder broke down on it")))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn broken(why: impl ToString) -> NotAPicture {
    NotAPicture::Broken(why.to_string())
}

fn whole(bytes: &[u8], header: &Header) -> Result<Picture, NotAPicture> {
    let options = DecoderOptions::default()
        .set_max_width(header.width)
        .set_max_height(header.height)
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::RGBA);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let pixels = decoder.decode().map_err(|e| broken(&e))?;
    let (width, height) = decoder.dimensions().ok_or_else(|| broken("it has no size"))?;
    Picture::new(width, height, pixels).ok_or_else(|| broken("it has another number of pixels"))
}

/// What the frame header says (ITU-T T.81, B.2.2), and where the pixels begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    width: usize,
    height: usize,
    components: u8,
    precision: u8,
    /// The marker of the frame header, which names the way of coding.
    coding: u8,
    orientation: Orientation,
    /// The first scan's place.
    pixels_at: usize,
}

impl Header {
    /// Walks over the segments up to the first scan.
    fn read(bytes: &[u8]) -> Result<Self, NotAPicture> {
        if !bytes.starts_with(&[0xFF, 0xD8]) {
            return Err(NotAPicture::NotJpeg);
        }
        let short = || NotAPicture::Truncated(bytes.len());
        let (mut frame, mut orientation) = (None, None);
        let mut at = 2;
        loop {
            if at > MOST_HEADER {
                return Err(NotAPicture::EndlessHeader);
            }
            let [mark, marker] =
                *bytes.get(at..at + 2).and_then(|b| b.as_array()).ok_or_else(short)?;
            if mark != 0xFF {
                return Err(NotAPicture::Header("a segment does not begin with FF"));
            }
            match marker {
                // Bytes of FF may fill the space before a marker.
                0xFF => {
                    at += 1;
                    continue;
                }
                0x01 | 0xD0..=0xD7 => {
                    at += 2;
                    continue;
                }
                0xD9 => return Err(NotAPicture::Header("it ends before its pixels")),
                0xDA => {
                    let frame: Self =
                        frame.ok_or(NotAPicture::Header("pixels come before a size"))?;
                    let orientation = orientation.unwrap_or_default();
                    return Ok(Self { orientation, pixels_at: at, ..frame });
                }
                _ => {}
            }
            let length = bytes.get(at + 2..at + 4).ok_or_else(short)?;
            let length = usize::from(length[0]) << 8 | usize::from(length[1]);
            if length < 2 {
                return Err(NotAPicture::Header("a segment is shorter than its length"));
            }
            if matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC) {
                if frame.is_some() {
                    return Err(NotAPicture::Header("it has two sizes"));
                }
                let sof: [u8; 6] =
                    *bytes.get(at + 4..at + 10).and_then(|b| b.as_array()).ok_or_else(short)?;
                let [precision, h1, h0, w1, w0, components] = sof;
                frame = Some(Self {
                    width: usize::from(w1) << 8 | usize::from(w0),
                    height: usize::from(h1) << 8 | usize::from(h0),
                    components,
                    precision,
                    coding: marker,
                    orientation: Orientation::default(),
                    pixels_at: 0,
                });
            }
            if marker == 0xE1 && orientation.is_none() {
                let content = bytes.get(at + 4..at + 2 + length).ok_or_else(short)?;
                orientation = Orientation::of_segment(content);
            }
            at += 2 + length;
        }
    }

    /// Whether a decoder may be let at it.
    fn check(&self, bytes: &[u8]) -> Result<(), NotAPicture> {
        let Self { width, height, .. } = *self;
        let coding = match (self.coding, self.precision, self.components) {
            (0xC0..=0xC2, 8, 1 | 3) => None,
            // For print; what is made of them depends on who wrote them.
            (0xC0..=0xC2, 8, 4) => Some("four colours (CMYK)"),
            (0xC0..=0xC2, 8, _) => Some("another number of colours than 1 or 3"),
            (0xC0..=0xC2, ..) => Some("more than 8 bits"),
            (0xC3, ..) => Some("lossless JPEG"),
            (0xC9..=0xCF, ..) => Some("JPEG with arithmetic coding"),
            _ => Some("hierarchical JPEG"),
        };
        if let Some(coding) = coding {
            return Err(NotAPicture::Unsupported(coding));
        }
        if width == 0 || height == 0 {
            return Err(NotAPicture::Empty { width, height });
        }
        let most = if self.coding == 0xC2 { MOST_PROGRESSIVE_PIXELS } else { MOST_PIXELS };
        if width * height > most {
            return Err(NotAPicture::TooLarge { width, height, most });
        }
        let pixels = &bytes[self.pixels_at..];
        let (mut ends, mut scans, mut rest) = (false, 0, pixels);
        while let Some(at) = rest.iter().position(|byte| *byte == 0xFF) {
            rest = &rest[at + 1..];
            ends |= rest.first() == Some(&0xD9);
            scans += usize::from(rest.first() == Some(&0xDA));
        }
        if !ends {
            return Err(NotAPicture::Truncated(bytes.len()));
        }
        if scans > MOST_SCANS {
            return Err(NotAPicture::Unsupported("far too many scans"));
        }
        Ok(())
    }

    /// How many eighths of the picture are enough; `None` when it has to be the whole.
    fn eighths(&self, at_least: (usize, usize)) -> Option<usize> {
        // A progressive picture costs nearly the same at every size.
        if self.coding == 0xC2 {
            return None;
        }
        let fits = |eighths: &usize| {
            (self.width * eighths).div_ceil(8) >= at_least.0.max(1)
                && (self.height * eighths).div_ceil(8) >= at_least.1.max(1)
        };
        reduced::EIGHTHS.into_iter().find(fits)
    }
}

#[cfg(test)]
mod tests;
