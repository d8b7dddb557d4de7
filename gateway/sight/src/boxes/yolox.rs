//! YOLOX: one row for each cell of three grids, finest first; columns x, y, w, h, objectness, classes.
//!
//! Z. Ge et al., "YOLOX: Exceeding YOLO Series in 2021": the centre is `(xy + cell) * stride`, the size
//! `exp(wh) * stride`, the score objectness times class, both sigmoids already.

use serde::Deserialize;
use toml::Spanned;

use super::{Candidate, likeliest};
use crate::manifest::{Around, Fault, Kind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Table {
    #[serde(rename = "kind")]
    _kind: Kind,
    output: Option<Spanned<String>>,
    strides: Spanned<Vec<usize>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Yolox {
    output: usize,
    classes: usize,
    /// Stride, and the grid's width and height.
    grids: Vec<[usize; 3]>,
}

impl Table {
    pub(crate) fn check(&self, around: &Around<'_>, classes: usize) -> Result<Yolox, Fault> {
        let (output, shape) = around.output(self.output.as_ref())?;
        let [width, height] = around.size();
        let strides = self.strides.get_ref();
        if strides.is_empty() || strides.iter().any(|s| *s == 0 || width % s > 0 || height % s > 0)
        {
            let reason = format!("each stride must divide {width} and {height}");
            return Err(Fault::new(self.strides.span(), reason));
        }
        let grids: Vec<_> = strides.iter().map(|s| [*s, width / s, height / s]).collect();
        let rows: usize = grids.iter().map(|[_, w, h]| w * h).sum();
        if shape != [rows, 5 + classes] {
            let reason = format!(
                "these strides and {classes} labels need the shape [1, {rows}, {}]",
                5 + classes
            );
            return Err(Fault::new(self.strides.span(), reason));
        }
        Ok(Yolox { output, classes, grids })
    }
}

impl Yolox {
    pub(crate) fn read(&self, outputs: &[Vec<f32>], at_least: f32) -> Vec<Candidate> {
        let rows = outputs[self.output].chunks_exact(5 + self.classes);
        let cells = self.grids.iter().flat_map(|&[stride, width, height]| {
            (0..height)
                .flat_map(move |y| (0..width).map(move |x| (stride as f32, x as f32, y as f32)))
        });
        rows.zip(cells)
            // Most cells show nothing: a score is never above its objectness.
            .filter(|(row, _)| row[4] >= at_least)
            .map(|(row, (stride, x, y))| {
                let (label, class) = likeliest(row[5..].iter().copied());
                let centre = [(row[0] + x) * stride, (row[1] + y) * stride];
                let size = [row[2].exp() * stride, row[3].exp() * stride];
                Candidate::around(label, row[4] * class, [centre[0], centre[1], size[0], size[1]])
            })
            .filter(|candidate| candidate.score >= at_least)
            .collect()
    }
}
