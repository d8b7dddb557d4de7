//! What a model answered about a picture.

/// A rectangle in fractions of the picture's width and height, 0..1, x to the right and y down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    pub left: f32,
    pub top: f32,
    pub right: f32,
    pub bottom: f32,
}

/// One thing found in a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Position in the model's labels.
    pub label: usize,
    /// How sure the model is, 0..1.
    pub score: f32,
    pub region: Region,
}

/// What a picture model says, by kind of model.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// Things and where they are, surest first.
    Boxes(Vec<Detection>),
    /// The probability of each label; `sure` is the likeliest one, where it is likely enough.
    Class { probabilities: Vec<f32>, sure: Option<usize> },
    /// How likely each cell of a grid over the picture shows what the model looks for, 0..1, row by row.
    Mask { width: usize, height: usize, cells: Vec<f32> },
}

/// Whether all of what a model answered are numbers. There are hundreds of thousands, so nothing is skipped after
/// one that is none: then many are looked at together.
pub fn are_finite(numbers: &[f32]) -> bool {
    numbers.iter().fold(true, |all, number| all & number.is_finite())
}
