//! Rows of finished boxes: a corner or a centre and a size, in pixels or fractions of the input, and a
//! score for each class, in one tensor or in two.

use serde::Deserialize;
use toml::Spanned;

use super::{Candidate, likeliest};
use crate::manifest::{Around, Fault, Kind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Table {
    #[serde(rename = "kind")]
    _kind: Kind,
    r#box: Corners,
    unit: Unit,
    /// The tensor of the boxes, and that of the scores where it is another.
    boxes: Option<Spanned<String>>,
    scores: Option<Spanned<String>>,
    #[serde(default)]
    box_from: usize,
    objectness: Option<usize>,
    #[serde(default)]
    classes_from: usize,
    /// Columns of classes; as many as there are labels, and the background.
    classes: Option<Spanned<usize>>,
    /// The class that is none, and has no label.
    background: Option<Spanned<usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Corners {
    /// Centre, width and height.
    Cxcywh,
    /// Two corners.
    Xyxy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Pixel,
    Fraction,
}

/// Where in which tensor something lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    output: usize,
    width: usize,
    from: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rows {
    corners: Corners,
    /// What a box is multiplied by to be in pixels: across, down.
    unit: [f32; 2],
    boxes: Columns,
    scores: Columns,
    classes: usize,
    objectness: Option<usize>,
    background: Option<usize>,
}

impl Table {
    pub(crate) fn check(&self, around: &Around<'_>, labels: usize) -> Result<Rows, Fault> {
        let (boxes, of_boxes) = around.output(self.boxes.as_ref())?;
        let (scores, of_scores) = match &self.scores {
            Some(scores) => around.output(Some(scores))?,
            None => (boxes, of_boxes),
        };
        let (&[rows, box_columns], &[score_rows, score_columns]) = (of_boxes, of_scores) else {
            return Err(around.fault("the tensors must have the shape [1, rows, columns]"));
        };
        if rows != score_rows {
            return Err(around.fault(format!("there are {rows} boxes, but {score_rows} scores")));
        }
        let wanted = labels + usize::from(self.background.is_some());
        let classes = self.classes.as_ref().map_or(wanted, |classes| *classes.get_ref());
        if classes != wanted {
            let reason =
                format!("{labels} labels, and the background if any, make {wanted} classes");
            return Err(Fault::new(self.classes.as_ref().map_or(0..0, Spanned::span), reason));
        }
        let background = self.background.as_ref().map(|background| *background.get_ref());
        if let Some(at) = self.background.as_ref().filter(|b| *b.get_ref() >= classes) {
            return Err(Fault::new(at.span(), format!("there are {classes} classes, from 0")));
        }
        let fits = |from: usize, count: usize, columns: usize| {
            from.checked_add(count).is_some_and(|end| end <= columns)
        };
        if !fits(self.box_from, 4, box_columns)
            || !fits(self.classes_from, classes, score_columns)
            || self.objectness.is_some_and(|column| column >= score_columns)
        {
            return Err(around.fault(format!(
                "boxes have {box_columns} columns and scores {score_columns}; what is named lies beyond"
            )));
        }
        Ok(Rows {
            corners: self.r#box,
            unit: match self.unit {
                Unit::Pixel => [1.0; 2],
                Unit::Fraction => around.size().map(|side| side as f32),
            },
            boxes: Columns { output: boxes, width: box_columns, from: self.box_from },
            scores: Columns { output: scores, width: score_columns, from: self.classes_from },
            classes,
            objectness: self.objectness,
            background,
        })
    }
}

impl Rows {
    pub(crate) fn read(&self, outputs: &[Vec<f32>], at_least: f32) -> Vec<Candidate> {
        let rows = |columns: &Columns| outputs[columns.output].chunks_exact(columns.width);
        rows(&self.boxes)
            .zip(rows(&self.scores))
            .filter_map(|(boxes, scores)| {
                let objectness = self.objectness.map_or(1.0, |column| scores[column]);
                if objectness < at_least {
                    return None;
                }
                let classes = &scores[self.scores.from..self.scores.from + self.classes];
                let named = classes.iter().enumerate().filter(|(i, _)| Some(*i) != self.background);
                let (label, class) = likeliest(named.map(|(_, class)| *class));
                let score = objectness * class;
                if score < at_least {
                    return None;
                }
                let [across, down] = self.unit;
                let from = self.boxes.from;
                let [a, b, c, d] = [
                    boxes[from] * across,
                    boxes[from + 1] * down,
                    boxes[from + 2] * across,
                    boxes[from + 3] * down,
                ];
                Some(match self.corners {
                    Corners::Cxcywh => Candidate::around(label, score, [a, b, c, d]),
                    Corners::Xyxy => {
                        Candidate { label, score, left: a, top: b, right: c, bottom: d }
                    }
                })
            })
            .collect()
    }
}
