//! Masks: how likely each cell of a grid over the picture shows what the model looks for.

use serde::Deserialize;
use toml::Spanned;

use crate::boxes::sigmoid;
use crate::input::Placement;
use crate::manifest::{Around, Fault, Kind, Layout};
use crate::seen::Seen;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Table {
    #[serde(rename = "kind")]
    _kind: Kind,
    output: Option<Spanned<String>>,
    #[serde(default)]
    channel: usize,
    /// The numbers are logits.
    #[serde(default)]
    sigmoid: bool,
    pub(crate) labels: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mask {
    output: usize,
    sigmoid: bool,
    width: usize,
    height: usize,
    /// A cell's number is at `first + cell * step`.
    first: usize,
    step: usize,
    /// Of the input, in pixels.
    size: [usize; 2],
}

impl Table {
    pub(crate) fn check(&self, around: &Around<'_>) -> Result<Mask, Fault> {
        let (output, shape) = around.output(self.output.as_ref())?;
        let (channels, height, width) = match (shape, around.input.layout) {
            (&[c, h, w], Layout::Nchw) | (&[h, w, c], Layout::Nhwc) => (c, h, w),
            (&[h, w], _) => (1, h, w),
            _ => return Err(around.fault("a mask has the shape [1, C, H, W] or [1, H, W, C]")),
        };
        if self.channel >= channels || width * height == 0 {
            return Err(around.fault(format!("there are {channels} channels, from 0")));
        }
        let (first, step) = match around.input.layout {
            Layout::Nchw => (self.channel * width * height, 1),
            Layout::Nhwc => (self.channel, channels),
        };
        Ok(Mask { output, sigmoid: self.sigmoid, width, height, first, step, size: around.size() })
    }
}

impl Mask {
    /// The grid lies over what was shown of the picture, not over what is around it in the input.
    pub(crate) fn read(&self, outputs: &[Vec<f32>], placement: &Placement) -> Seen {
        let Self { width, height, .. } = *self;
        let numbers = &outputs[self.output];
        let nearest = |cell: usize, cells: usize, from: f32, long: f32, side: usize| {
            let pixel = from + (cell as f32 + 0.5) / cells as f32 * long;
            let there = pixel / side as f32 * cells as f32;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "limited to the grid just before"
            )]
            let there = there.clamp(0.0, (cells - 1) as f32) as usize;
            there
        };
        let mut cells = Vec::with_capacity(width * height);
        for y in 0..height {
            let y = nearest(y, height, placement.top, placement.height, self.size[1]);
            for x in 0..width {
                let x = nearest(x, width, placement.left, placement.width, self.size[0]);
                let number = numbers[self.first + (y * width + x) * self.step];
                cells.push(if self.sigmoid { sigmoid(number) } else { number.clamp(0.0, 1.0) });
            }
        }
        Seen::Mask { width, height, cells }
    }
}
