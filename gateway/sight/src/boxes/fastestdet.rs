//! `FastestDet`: one grid; planes objectness, x, y, w, h, classes.
//!
//! As the authors' demonstration decodes it: the centre is the cell and `tanh(xy)`, in cells; the size
//! `sigmoid(wh)` of the picture; the score `objectness^0.6 * class^0.4`.

use serde::Deserialize;
use toml::Spanned;

use super::{Candidate, likeliest, sigmoid};
use crate::manifest::{Around, Fault, Kind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Table {
    #[serde(rename = "kind")]
    _kind: Kind,
    output: Option<Spanned<String>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FastestDet {
    output: usize,
    classes: usize,
    /// Cells across and down.
    grid: [usize; 2],
    /// Of the input, in pixels.
    size: [usize; 2],
}

impl Table {
    pub(crate) fn check(&self, around: &Around<'_>, classes: usize) -> Result<FastestDet, Fault> {
        let (output, shape) = around.output(self.output.as_ref())?;
        match *shape {
            [planes, height, width] if planes == 5 + classes && width * height > 0 => {
                Ok(FastestDet { output, classes, grid: [width, height], size: around.size() })
            }
            _ => {
                Err(around
                    .fault(format!("{classes} labels need the shape [1, {}, H, W]", 5 + classes)))
            }
        }
    }
}

impl FastestDet {
    pub(crate) fn read(&self, outputs: &[Vec<f32>], at_least: f32) -> Vec<Candidate> {
        let [across, down] = self.grid;
        let [width, height] = self.size.map(|side| side as f32);
        let cells = across * down;
        let planes = &outputs[self.output];
        let mut found = Vec::new();
        for cell in 0..cells {
            let plane = |number: usize| planes[number * cells + cell];
            // Most cells show nothing: a class is never above 1.
            let objectness = plane(0).max(0.0).powf(0.6);
            if objectness < at_least {
                continue;
            }
            let (label, class) = likeliest((0..self.classes).map(|class| plane(5 + class)));
            let score = objectness * class.max(0.0).powf(0.4);
            if score < at_least {
                continue;
            }
            let x = ((cell % across) as f32 + plane(1).tanh()) / across as f32;
            let y = ((cell / across) as f32 + plane(2).tanh()) / down as f32;
            let (w, h) = (sigmoid(plane(3)), sigmoid(plane(4)));
            found.push(Candidate::around(
                label,
                score,
                [x * width, y * height, w * width, h * height],
            ));
        }
        found
    }
}
