//! A picture, or a region of it, as a model wants to see it.
//!
//! [`Input`] keeps its room from picture to picture.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use multiversion::multiversion;

use crate::manifest::{Colour, Filter, Fit, Layout, PictureInput};
use crate::picture::Picture;
use crate::resize::Linear;
use crate::seen::Region;

/// Where what is shown of a picture lies in the input, in pixels of the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    pub(crate) left: f32,
    pub(crate) top: f32,
    pub(crate) width: f32,
    pub(crate) height: f32,
    /// What is shown of the picture.
    pub(crate) region: Region,
}

impl Placement {
    /// A point of the input as fractions of the whole picture.
    pub(crate) fn in_picture(&self, x: f32, y: f32) -> (f32, f32) {
        let Region { left, top, right, bottom } = self.region;
        (
            left + (x - self.left) / self.width * (right - left),
            top + (y - self.top) / self.height * (bottom - top),
        )
    }
}

/// The picture could not be made into a tensor; its sizes are too far apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the picture cannot be made {0}")]
pub struct NoInput(String);

/// Makes input tensors for one model.
pub struct Input {
    spec: PictureInput,
    /// What a level becomes, by channel of the tensor.
    becomes: [Becomes; 3],
    /// A row of pixels, colour by colour.
    levels: Vec<u8>,
    linear: Linear,
    resizer: Resizer,
    /// The pixels of the input that the picture takes up.
    shown: Vec<[u8; 4]>,
    tensor: Vec<f32>,
    /// Where in the tensor the last picture lay; around it is padding already.
    last: Option<[usize; 4]>,
}

/// Whole pixels: left, top, width, height.
type Pixels = [usize; 4];

impl Input {
    pub fn new(spec: PictureInput) -> Self {
        let std = *spec.std.get_ref();
        let becomes = [0, 1, 2].map(|channel| Becomes {
            scale: spec.scale,
            mean: spec.mean[channel],
            std: std[channel],
        });
        let [width, height] = *spec.size.get_ref();
        let tensor = vec![0.0; width * height * 3];
        Self {
            spec,
            becomes,
            levels: Vec::new(),
            linear: Linear::default(),
            resizer: Resizer::new(),
            shown: Vec::new(),
            tensor,
            last: None,
        }
    }

    pub fn shape(&self) -> [usize; 4] {
        self.spec.shape()
    }

    /// How many pixels a picture, which was sent with so many, should have for as many as the model is shown
    /// of a region of it. More would be thrown away.
    pub fn wants_of(
        &self,
        region: Option<Region>,
        (width, height): (usize, usize),
    ) -> (usize, usize) {
        let (wide, high) = self.wants(region);
        let (across, down) =
            (wide as f64 / width.max(1) as f64, high as f64 / height.max(1) as f64);
        // The shape is kept: padding needs no pixels.
        let ratio = match *self.spec.fit.get_ref() {
            Fit::Stretch => return (wide, high),
            Fit::LetterboxTopLeft | Fit::LetterboxCentre => across.min(down),
            Fit::CropCentre => across.max(down),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a wish, not negative"
        )]
        let side = |side: usize| (side as f64 * ratio).round() as usize;
        (side(width), side(height))
    }

    /// How many pixels a picture of the model's shape should have for as many as it is shown of a region.
    pub fn wants(&self, region: Option<Region>) -> (usize, usize) {
        let [width, height] = *self.spec.size.get_ref();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a wish: at most a few thousand, and a small region wants the whole picture"
        )]
        let whole =
            |side: usize, share: f32| (side as f32 / share.clamp(1e-3, 1.0)).ceil() as usize;
        region.map_or((width, height), |r| {
            (whole(width, r.right - r.left), whole(height, r.bottom - r.top))
        })
    }

    /// Fills the tensor with a picture, or with a region of it in whole pixels.
    pub fn fill(
        &mut self,
        picture: &Picture,
        region: Option<Region>,
    ) -> Result<(&[f32], Placement), NoInput> {
        let cut = pixels(picture, region);
        let (source, target, placement) = self.place(picture, cut);
        let [left, top, width, height] = target;
        if self.last != Some(target) {
            self.pad();
            self.last = Some(target);
        }
        let all = [0, 0, picture.width(), picture.height()];
        if cut == all && [width, height] == all[2..] {
            self.spread(picture.pixels(), target);
        } else if self.spec.filter == Filter::Linear {
            let mut linear = std::mem::take(&mut self.linear);
            linear.resize(picture, source, [width, height], |row, pixels| {
                self.write([left, top + row], pixels);
            });
            self.linear = linear;
        } else {
            let mut shown = std::mem::take(&mut self.shown);
            shown.resize(width * height, [0; 4]);
            let done = self.antialiased(picture, source, &mut shown, [width, height]);
            if done.is_ok() {
                self.spread(&shown, target);
            }
            self.shown = shown;
            done?;
        }
        Ok((&self.tensor, placement))
    }

    /// Fills the tensor with pixels that are as many as it has: for test vectors.
    pub fn fill_exactly(&mut self, picture: &Picture) -> Result<&[f32], NoInput> {
        let [width, height] = *self.spec.size.get_ref();
        if [picture.width(), picture.height()] != [width, height] {
            return Err(NoInput(format!("{width} x {height} as it is")));
        }
        Ok(self.fill(picture, None)?.0)
    }

    /// What is cut out of the picture, and where in the input it goes.
    fn place(&self, picture: &Picture, cut: Pixels) -> ([f64; 4], Pixels, Placement) {
        let [width, height] = *self.spec.size.get_ref();
        let [x, y, w, h] = cut.map(|n| n as f64);
        let (across, down) = (width as f64 / w, height as f64 / h);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and at most the input's size"
        )]
        let whole = |side: f64, most: usize| (side as usize).clamp(1, most);
        let mut source = [x, y, w, h];
        let (target, [left, top], [wide, high]) = match self.spec.fit.get_ref() {
            Fit::Stretch => ([0, 0, width, height], [0.0, 0.0], [width as f64, height as f64]),
            fit @ (Fit::LetterboxTopLeft | Fit::LetterboxCentre) => {
                // Rounded down, and the ratio back not rounded: as the authors of YOLOX and HyperLPR do.
                let ratio = across.min(down);
                let (w, h) = (w * ratio, h * ratio);
                let (new_w, new_h) = (whole(w, width), whole(h, height));
                let (left, top) = match fit {
                    Fit::LetterboxCentre => ((width - new_w) / 2, (height - new_h) / 2),
                    Fit::LetterboxTopLeft | Fit::Stretch | Fit::CropCentre => (0, 0),
                };
                ([left, top, new_w, new_h], [left as f64, top as f64], [w, h])
            }
            Fit::CropCentre => {
                let ratio = across.max(down);
                // Of a division and its reverse may come a little more than there is.
                let (seen_w, seen_h) =
                    ((width as f64 / ratio).min(w), (height as f64 / ratio).min(h));
                source = [x + (w - seen_w) / 2.0, y + (h - seen_h) / 2.0, seen_w, seen_h];
                let (wide, high) = (w * ratio, h * ratio);
                let corner = [(width as f64 - wide) / 2.0, (height as f64 - high) / 2.0];
                ([0, 0, width, height], corner, [wide, high])
            }
        };
        let (all_w, all_h) = (picture.width() as f64, picture.height() as f64);
        #[expect(clippy::cast_possible_truncation, reason = "fractions and pixels of an input")]
        let placement = Placement {
            left: left as f32,
            top: top as f32,
            width: wide as f32,
            height: high as f32,
            region: Region {
                left: (x / all_w) as f32,
                top: (y / all_h) as f32,
                right: ((x + w) / all_w) as f32,
                bottom: ((y + h) / all_h) as f32,
            },
        };
        (source, target, placement)
    }

    fn antialiased(
        &mut self,
        picture: &Picture,
        [x, y, w, h]: [f64; 4],
        shown: &mut [[u8; 4]],
        [width, height]: [usize; 2],
    ) -> Result<(), NoInput> {
        let no = |why: &dyn ToString| NoInput(format!("{width} x {height}: {}", why.to_string()));
        let side = |side: usize| u32::try_from(side).map_err(|e| no(&e));
        let (from_w, from_h) = (side(picture.width())?, side(picture.height())?);
        let source =
            ImageRef::new(from_w, from_h, picture.bytes(), PixelType::U8x4).map_err(|e| no(&e))?;
        let shown = shown.as_flattened_mut();
        let mut target = Image::from_slice_u8(side(width)?, side(height)?, shown, PixelType::U8x4)
            .map_err(|e| no(&e))?;
        let filter = ResizeAlg::Convolution(FilterType::Bilinear);
        let options = ResizeOptions::new().resize_alg(filter).crop(x, y, w, h).use_alpha(false);
        self.resizer.resize(&source, &mut target, &options).map_err(|e| no(&e))
    }

    /// Writes pixels into their place in the tensor.
    fn spread(&mut self, pixels: &[[u8; 4]], [left, top, width, _]: Pixels) {
        for (row, line) in pixels.chunks_exact(width).enumerate() {
            self.write([left, top + row], line);
        }
    }

    /// Writes a row of the picture, colour by colour, from a pixel on.
    fn write(&mut self, [left, top]: [usize; 2], pixels: &[[u8; 4]]) {
        let [width, height] = *self.spec.size.get_ref();
        let first = top * width + left;
        self.levels.resize(pixels.len() * 3, 0);
        let (red, rest) = self.levels.split_at_mut(pixels.len());
        let (green, blue) = rest.split_at_mut(pixels.len());
        part(pixels, [red, green, blue]);
        for (colour, levels) in [red, green, blue].into_iter().enumerate() {
            let channel = match self.spec.colour {
                Colour::Rgb => colour,
                Colour::Bgr => 2 - colour,
            };
            let becomes = self.becomes[channel];
            match self.spec.layout {
                Layout::Nchw => {
                    becomes.all(levels, &mut self.tensor[channel * width * height + first..]);
                }
                Layout::Nhwc => {
                    let row = &mut self.tensor.as_chunks_mut::<3>().0[first..];
                    let row = row.iter_mut().zip(levels);
                    row.for_each(|(to, level)| to[channel] = becomes.one(*level));
                }
            }
        }
    }

    fn pad(&mut self) {
        let pad = self.spec.pad.unwrap_or_default();
        let values = self.becomes.map(|becomes| becomes.one(pad));
        match self.spec.layout {
            Layout::Nchw => {
                let plane = self.tensor.len() / 3;
                for (plane, value) in self.tensor.chunks_exact_mut(plane).zip(values) {
                    plane.fill(value);
                }
            }
            Layout::Nhwc => {
                for pixel in self.tensor.as_chunks_mut::<3>().0 {
                    *pixel = values;
                }
            }
        }
    }
}

/// What a level becomes in the tensor.
#[derive(Clone, Copy)]
struct Becomes {
    scale: f32,
    mean: f32,
    std: f32,
}

impl Becomes {
    fn one(self, level: u8) -> f32 {
        (f32::from(level) * self.scale - self.mean) / self.std
    }

    fn all(self, levels: &[u8], to: &mut [f32]) {
        becomes(levels, self, to);
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn becomes(levels: &[u8], becomes: Becomes, to: &mut [f32]) {
    to.iter_mut().zip(levels).for_each(|(to, level)| *to = becomes.one(*level));
}

/// Each colour of some pixels by itself.
#[multiversion(targets("x86_64+avx2"))]
fn part(pixels: &[[u8; 4]], [red, green, blue]: [&mut [u8]; 3]) {
    for (((red, green), blue), pixel) in red.iter_mut().zip(green).zip(blue).zip(pixels) {
        [*red, *green, *blue] = [pixel[0], pixel[1], pixel[2]];
    }
}

/// A region in whole pixels, at least one, inside the picture.
fn pixels(picture: &Picture, region: Option<Region>) -> Pixels {
    let (width, height) = (picture.width(), picture.height());
    let Some(region) = region else { return [0, 0, width, height] };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a fraction between 0 and 1 of a size"
    )]
    let between = |from: f32, to: f32, side: usize| {
        let at = |fraction: f32| {
            let fraction = if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) };
            (f64::from(fraction) * side as f64).round() as usize
        };
        let first = at(from).min(side - 1);
        (first, at(to).clamp(first + 1, side) - first)
    };
    let (left, w) = between(region.left, region.right, width);
    let (top, h) = between(region.top, region.bottom, height);
    [left, top, w, h]
}

#[cfg(test)]
mod tests;
