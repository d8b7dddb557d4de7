//! `[picture]` and `[decode]` of a picture model's `model.toml`: how a picture becomes the input tensor,
//! and how the output tensors become boxes, a class or a mask.
//!
//! Everything is checked here against the tensors that the manifest declares, so that [`Decoder::read`]
//! has only to calculate. The rest of `model.toml` is the gateway's; it hands over these two tables.

use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::DeValue;

use crate::boxes::{Candidate, Keep, fastestdet::FastestDet, rows::Rows, ssd::Ssd, yolox::Yolox};
use crate::classes::Classifier;
use crate::grid::Mask;
use crate::input::Placement;
use crate::seen::Seen;

/// What is wrong with a manifest, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub at: Range<usize>,
    pub reason: String,
}

impl Fault {
    pub(crate) fn new(at: Range<usize>, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }
}

/// `[picture]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PictureInput {
    /// Width and height of what the network is shown, in pixels.
    pub size: Spanned<[usize; 2]>,
    pub layout: Layout,
    pub colour: Colour,
    pub fit: Spanned<Fit>,
    /// Around a letterboxed picture, 0..255.
    pub pad: Option<u8>,
    #[serde(default)]
    pub filter: Filter,
    /// A value is `(pixel * scale - mean) / std`; the channels in the order of `colour`.
    pub scale: f32,
    pub mean: [f32; 3],
    pub std: Spanned<[f32; 3]>,
}

/// Whether the channels are planes or lie side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    Nchw,
    Nhwc,
}

/// The order of the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    Rgb,
    Bgr,
}

/// What becomes of a picture with another ratio of width to height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    Stretch,
    LetterboxTopLeft,
    LetterboxCentre,
    CropCentre,
}

/// How pixels are made fewer or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// Between the four nearest pixels, as `OpenCV`'s `INTER_LINEAR`.
    #[default]
    Linear,
    /// Over all pixels that become one, as Pillow's `BILINEAR`.
    Antialiased,
}

/// No network of this program's size is shown more.
const MOST_SIDE: usize = 2_048;

impl PictureInput {
    /// The tensor that it makes.
    pub fn shape(&self) -> [usize; 4] {
        let [width, height] = *self.size.get_ref();
        match self.layout {
            Layout::Nchw => [1, 3, height, width],
            Layout::Nhwc => [1, height, width, 3],
        }
    }

    /// The first contradiction in it.
    pub fn problem(&self) -> Option<Fault> {
        let is_letterbox =
            matches!(self.fit.get_ref(), Fit::LetterboxTopLeft | Fit::LetterboxCentre);
        if !self.size.get_ref().iter().all(|side| (1..=MOST_SIDE).contains(side)) {
            let reason = format!("a side is not between 1 and {MOST_SIDE} pixels");
            Some(Fault::new(self.size.span(), reason))
        } else if is_letterbox && self.pad.is_none() {
            Some(Fault::new(self.fit.span(), "a letterbox needs `pad`, 0 to 255"))
        } else if !self.std.get_ref().iter().all(|s| s.is_finite() && *s != 0.0) {
            Some(Fault::new(self.std.span(), "std divides; 0 cannot be in it"))
        } else {
            None
        }
    }
}

/// A declared output: its name and its sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub name: String,
    pub shape: Vec<usize>,
}

/// What kind of thing a model says; see [`Seen`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    Boxes,
    Class,
    Mask,
}

/// `[decode]`, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoder {
    how: How,
    labels: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum How {
    Yolox(Keep, Yolox),
    FastestDet(Keep, FastestDet),
    Rows(Keep, Rows),
    Ssd(Keep, Ssd),
    Classifier(Classifier),
    Mask(Mask),
}

/// The kind alone: it says how the rest is to be read.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct OfKind {
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Yolox,
    FastestDet,
    Rows,
    Ssd,
    Classifier,
    Mask,
}

impl Decoder {
    /// Reads the table, and refuses it where it does not fit the declared outputs.
    pub fn new(
        table: Spanned<DeValue<'_>>,
        input: &PictureInput,
        outputs: &[Output],
    ) -> Result<Self, Fault> {
        let around = Around { input, outputs, at: table.span() };
        let how = match typed::<OfKind>(table.clone())?.kind {
            Kind::Yolox => {
                let (keep, table) = Keep::take(table)?;
                let how: crate::boxes::yolox::Table = typed(table)?;
                let how = how.check(&around, keep.labels.len())?;
                (How::Yolox(keep.keep, how), keep.labels)
            }
            Kind::FastestDet => {
                let (keep, table) = Keep::take(table)?;
                let how: crate::boxes::fastestdet::Table = typed(table)?;
                let how = how.check(&around, keep.labels.len())?;
                (How::FastestDet(keep.keep, how), keep.labels)
            }
            Kind::Rows => {
                let (keep, table) = Keep::take(table)?;
                let how: crate::boxes::rows::Table = typed(table)?;
                let how = how.check(&around, keep.labels.len())?;
                (How::Rows(keep.keep, how), keep.labels)
            }
            Kind::Ssd => {
                let (keep, table) = Keep::take(table)?;
                let how: crate::boxes::ssd::Table = typed(table)?;
                let how = how.check(&around, keep.labels.len())?;
                (How::Ssd(keep.keep, how), keep.labels)
            }
            Kind::Classifier => {
                let table: crate::classes::Table = typed(table)?;
                let labels = table.labels.get_ref().clone();
                (How::Classifier(table.check(&around)?), labels)
            }
            Kind::Mask => {
                let table: crate::grid::Table = typed(table)?;
                let labels = table.labels.clone();
                (How::Mask(table.check(&around)?), labels)
            }
        };
        Ok(Self { how: how.0, labels: how.1 })
    }

    /// What kind of thing the model says of a picture.
    pub fn says(&self) -> Says {
        match &self.how {
            How::Yolox(..) | How::FastestDet(..) | How::Rows(..) | How::Ssd(..) => Says::Boxes,
            How::Classifier(_) => Says::Class,
            How::Mask(_) => Says::Mask,
        }
    }

    /// In the order of the classes.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// What the model says: `outputs` as declared, of the declared sizes, and finite.
    pub fn read(&self, outputs: &[Vec<f32>], placement: &Placement) -> Seen {
        self.read_from(outputs, placement, 1.0)
    }

    /// The score that the manifest asks of a box; 1 where it tells no boxes.
    pub fn sure(&self) -> f32 {
        match &self.how {
            How::Yolox(keep, _)
            | How::FastestDet(keep, _)
            | How::Rows(keep, _)
            | How::Ssd(keep, _) => keep.score,
            How::Classifier(_) | How::Mask(_) => 1.0,
        }
    }

    /// The same, with the boxes that score less than the manifest asks for, but at least `score`.
    pub fn read_from(&self, outputs: &[Vec<f32>], placement: &Placement, score: f32) -> Seen {
        let boxes = |keep: &Keep, read: &dyn Fn(f32) -> Vec<Candidate>| {
            let keep = keep.at_least(score);
            Seen::Boxes(keep.best(read(keep.score), placement))
        };
        match &self.how {
            How::Yolox(keep, how) => boxes(keep, &|least| how.read(outputs, least)),
            How::FastestDet(keep, how) => boxes(keep, &|least| how.read(outputs, least)),
            How::Rows(keep, how) => boxes(keep, &|least| how.read(outputs, least)),
            How::Ssd(keep, how) => boxes(keep, &|least| how.read(outputs, least)),
            How::Classifier(how) => how.read(outputs),
            How::Mask(how) => how.read(outputs, placement),
        }
    }
}

/// Reads a table into a type; a fault is where it stands in the text.
pub fn typed<T: DeserializeOwned>(table: Spanned<DeValue<'_>>) -> Result<T, Fault> {
    let all = table.span();
    T::deserialize(toml::de::ValueDeserializer::from(table))
        .map_err(|e| Fault::new(e.span().unwrap_or(all), e.message()))
}

/// What a way of decoding is checked against.
pub(crate) struct Around<'a> {
    pub(crate) input: &'a PictureInput,
    pub(crate) outputs: &'a [Output],
    /// The table's own place.
    pub(crate) at: Range<usize>,
}

impl Around<'_> {
    pub(crate) fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault::new(self.at.clone(), reason)
    }

    /// Width and height of the input, in pixels.
    pub(crate) fn size(&self) -> [usize; 2] {
        *self.input.size.get_ref()
    }

    /// The place and the shape, without the leading 1, of the output of that name; of the only one
    /// where none is named.
    pub(crate) fn output(
        &self,
        name: Option<&Spanned<String>>,
    ) -> Result<(usize, &[usize]), Fault> {
        let place = match name {
            Some(name) => {
                let place = self.outputs.iter().position(|o| o.name == *name.get_ref());
                place.ok_or_else(|| {
                    let known: Vec<&str> = self.outputs.iter().map(|o| o.name.as_str()).collect();
                    let reason =
                        format!("no [[output]] is `{}`: {}", name.get_ref(), known.join(", "));
                    Fault::new(name.span(), reason)
                })?
            }
            None if self.outputs.len() == 1 => 0,
            None => return Err(self.fault("there are several [[output]]; say which is read")),
        };
        match self.outputs[place].shape.as_slice() {
            [1, rest @ ..] if !rest.is_empty() => Ok((place, rest)),
            shape => {
                let name = &self.outputs[place].name;
                Err(self
                    .fault(format!("output `{name}` has the shape {shape:?}, expected 1 first")))
            }
        }
    }
}
