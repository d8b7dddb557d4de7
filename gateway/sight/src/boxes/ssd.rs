//! Offsets against a grid of anchors, as `MediaPipe`'s `BlazeFace` gives them before its own decoding.
//!
//! The anchors are those of `SsdAnchorsCalculator` with `fixed_anchor_size`: for each stride a grid, in
//! each cell `per-cell` anchors at its middle, one input wide and high. A box is the anchor's centre and
//! the offset, and the size itself, in pixels of the input.

use serde::Deserialize;
use toml::Spanned;

use super::{Candidate, likeliest, sigmoid};
use crate::manifest::{Around, Fault, Kind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Table {
    #[serde(rename = "kind")]
    _kind: Kind,
    boxes: Spanned<String>,
    scores: Spanned<String>,
    anchors: Spanned<Vec<Anchors>>,
    /// The scores are logits.
    sigmoid: bool,
    /// Logits are limited to this on both sides first.
    clamp: Option<f32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Anchors {
    stride: usize,
    per_cell: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ssd {
    boxes: usize,
    /// Columns of a box: four, and landmarks that are not looked at.
    columns: usize,
    scores: usize,
    classes: usize,
    /// Centres in pixels of the input.
    anchors: Vec<[f32; 2]>,
    sigmoid: bool,
    clamp: f32,
}

impl Table {
    pub(crate) fn check(&self, around: &Around<'_>, classes: usize) -> Result<Ssd, Fault> {
        let (boxes, of_boxes) = around.output(Some(&self.boxes))?;
        let (scores, of_scores) = around.output(Some(&self.scores))?;
        let sides = around.size();
        let mut anchors = Vec::new();
        for Anchors { stride, per_cell } in self.anchors.get_ref() {
            if *stride == 0 || *per_cell == 0 || *per_cell > 16 {
                let reason = "stride must be at least 1, and per-cell 1 to 16";
                return Err(Fault::new(self.anchors.span(), reason));
            }
            let [across, down] = sides.map(|side| side.div_ceil(*stride));
            let middle = |cell: usize, cells: usize, side: usize| {
                (cell as f32 + 0.5) / cells as f32 * side as f32
            };
            for (y, x) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
                let centre = [middle(x, across, sides[0]), middle(y, down, sides[1])];
                anchors.extend(std::iter::repeat_n(centre, *per_cell));
            }
        }
        let rows = anchors.len();
        match (of_boxes, of_scores) {
            (&[r, columns], &[s, c]) if r == rows && s == rows && columns >= 4 && c == classes => {
                let (sigmoid, clamp) = (self.sigmoid, self.clamp.unwrap_or(f32::MAX).abs());
                Ok(Ssd { boxes, columns, scores, classes, anchors, sigmoid, clamp })
            }
            _ => Err(Fault::new(
                self.anchors.span(),
                format!(
                    "these are {rows} anchors: boxes must have the shape [1, {rows}, 4 or more], \
                     scores [1, {rows}, {classes}]"
                ),
            )),
        }
    }
}

impl Ssd {
    pub(crate) fn read(&self, outputs: &[Vec<f32>], at_least: f32) -> Vec<Candidate> {
        let boxes = outputs[self.boxes].chunks_exact(self.columns);
        let scores = outputs[self.scores].chunks_exact(self.classes);
        boxes
            .zip(scores)
            .zip(&self.anchors)
            .filter_map(|((offset, scores), anchor)| {
                let (label, score) = likeliest(scores.iter().copied());
                let score = score.clamp(-self.clamp, self.clamp);
                let score = if self.sigmoid { sigmoid(score) } else { score };
                let place = [anchor[0] + offset[0], anchor[1] + offset[1], offset[2], offset[3]];
                (score >= at_least).then(|| Candidate::around(label, score, place))
            })
            .collect()
    }
}
