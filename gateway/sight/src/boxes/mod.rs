//! Boxes: what is common to all ways in which networks give them.
//!
//! Each way makes [`Candidate`]s in pixels of the network's input; [`Keep`] leaves the best of those that
//! lie over one another, and puts them where they are in the picture.

pub(crate) mod fastestdet;
pub(crate) mod rows;
pub(crate) mod ssd;
#[cfg(test)]
mod tests;
pub(crate) mod yolox;

use serde::Deserialize;
use toml::Spanned;
use toml::de::DeValue;

use crate::input::Placement;
use crate::manifest::{Fault, typed};
use crate::seen::{Detection, Region};

/// The surest so many are compared with one another; comparing takes the square of it.
const MOST_CANDIDATES: usize = 1_000;

/// A box in pixels of the network's input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) label: usize,
    pub(crate) score: f32,
    pub(crate) left: f32,
    pub(crate) top: f32,
    pub(crate) right: f32,
    pub(crate) bottom: f32,
}

impl Candidate {
    pub(crate) fn around(label: usize, score: f32, [x, y, width, height]: [f32; 4]) -> Self {
        let (w, h) = (width / 2.0, height / 2.0);
        Self { label, score, left: x - w, top: y - h, right: x + w, bottom: y + h }
    }

    /// Intersection over union.
    fn iou(&self, other: &Self) -> f32 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        if width <= 0.0 || height <= 0.0 {
            return 0.0;
        }
        let area = |c: &Self| (c.right - c.left) * (c.bottom - c.top);
        width * height / (area(self) + area(other) - width * height)
    }
}

/// Which candidates are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Keep {
    pub(crate) score: f32,
    iou: f32,
    across_classes: bool,
}

/// The keys that all ways of giving boxes have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Common {
    score: Spanned<f32>,
    iou: Spanned<f32>,
    #[serde(default)]
    across_classes: bool,
    labels: Spanned<Vec<String>>,
}

/// [`Keep`], and what the classes are called.
pub(crate) struct Labelled {
    pub(crate) keep: Keep,
    pub(crate) labels: Vec<String>,
}

impl Keep {
    /// Takes the common keys out of `[decode]`; what is left belongs to the kind alone.
    pub(crate) fn take(
        table: Spanned<DeValue<'_>>,
    ) -> Result<(Labelled, Spanned<DeValue<'_>>), Fault> {
        let at = table.span();
        let DeValue::Table(mut own) = table.into_inner() else {
            return Err(Fault::new(at, "[decode] is not a table"));
        };
        let (mut common, all) = (toml::de::DeTable::new(), std::mem::take(&mut own));
        for (key, value) in all {
            let is_common =
                ["score", "iou", "across-classes", "labels"].contains(&key.get_ref().as_ref());
            if is_common { &mut common } else { &mut own }.insert(key, value);
        }
        let common: Common = typed(Spanned::new(at.clone(), DeValue::Table(common)))?;
        for share in [&common.score, &common.iou] {
            if !(0.0..=1.0).contains(share.get_ref()) {
                return Err(Fault::new(share.span(), "expected 0 to 1"));
            }
        }
        if common.labels.get_ref().is_empty() {
            return Err(Fault::new(common.labels.span(), "there is no label"));
        }
        let (score, iou) = (common.score.into_inner(), common.iou.into_inner());
        let keep = Self { score, iou, across_classes: common.across_classes };
        let labels = common.labels.into_inner();
        Ok((Labelled { keep, labels }, Spanned::new(at, DeValue::Table(own))))
    }

    /// Boxes of this score are kept too.
    pub(crate) fn at_least(&self, score: f32) -> Self {
        Self { score: self.score.min(score), ..*self }
    }

    /// Non-maximum suppression: of those that lie over one another the surest, and those in the picture.
    pub(crate) fn best(&self, mut all: Vec<Candidate>, placement: &Placement) -> Vec<Detection> {
        all.retain(|c| c.score >= self.score && c.right > c.left && c.bottom > c.top);
        all.sort_by(|a, b| b.score.total_cmp(&a.score));
        all.truncate(MOST_CANDIDATES);
        let mut kept: Vec<Candidate> = Vec::new();
        for one in all {
            let is_same = |other: &Candidate| {
                (self.across_classes || one.label == other.label) && one.iou(other) > self.iou
            };
            if !kept.iter().any(is_same) {
                kept.push(one);
            }
        }
        kept.iter()
            .filter_map(|c| {
                let (left, top) = placement.in_picture(c.left, c.top);
                let (right, bottom) = placement.in_picture(c.right, c.bottom);
                let inside = |n: f32| n.clamp(0.0, 1.0);
                let region = Region {
                    left: inside(left),
                    top: inside(top),
                    right: inside(right),
                    bottom: inside(bottom),
                };
                let is_seen = region.right > region.left && region.bottom > region.top;
                is_seen.then_some(Detection { label: c.label, score: c.score.min(1.0), region })
            })
            .collect()
    }
}

/// The likeliest class and how likely it is.
pub(crate) fn likeliest(classes: impl IntoIterator<Item = f32>) -> (usize, f32) {
    let first = (0, f32::NEG_INFINITY);
    classes.into_iter().enumerate().fold(first, |best, one| if one.1 > best.1 { one } else { best })
}

pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
