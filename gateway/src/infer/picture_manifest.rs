//! What is said of a picture model alone in its `model.toml`: `[picture]`, `[decode]`, and tests by seed.

use gatehouse_sight::manifest::{Decoder, Fault, Output, PictureInput, typed};
use gatehouse_sight::picture::Picture;
use serde::Deserialize;
use toml::Spanned;
use toml::de::DeValue;

use super::manifest::{Dimension, Head, Port};

/// Read and checked against the declared tensors.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PictureKind {
    pub(super) input: PictureInput,
    pub(super) decoder: Decoder,
    /// The outputs' names and sizes, as declared.
    pub(super) outputs: Vec<Output>,
    pub(super) tests: Vec<PixelTest>,
}

/// The tables as written; `decode` is read once its kind is known.
#[derive(Deserialize)]
struct Written {
    picture: PictureInput,
    #[serde(rename = "decode")]
    _decode: serde::de::IgnoredAny,
    #[serde(rename = "test", default)]
    tests: Vec<PixelTest>,
}

/// `[[test]]`: a made-up picture, and some numbers of the answer on every engine.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PixelTest {
    pub(super) why: String,
    pub(super) seed: u32,
    /// The tensor that is looked at.
    pub(super) output: Spanned<String>,
    /// Places in it, as if it were flat.
    pub(super) at: Spanned<Vec<usize>>,
    pub(super) expect: Vec<f32>,
    pub(super) tolerance: f32,
}

impl PictureKind {
    pub(super) fn new(tables: Spanned<DeValue<'_>>, head: &Head) -> Result<Self, Fault> {
        let decode = tables.get_ref().get("decode").cloned();
        let all = tables.span();
        let Written { picture: input, tests, .. } = typed(tables)?;
        if let Some(fault) = input.problem() {
            return Err(fault);
        }
        let at_size = || input.size.span();
        match head.inputs.as_slice() {
            [port] if sizes(port).as_deref() == Some(&input.shape()) => {}
            _ => {
                let reason =
                    format!("[picture] makes one [[input]] of the shape {:?}", input.shape());
                return Err(Fault { at: at_size(), reason });
            }
        }
        let mut outputs = Vec::new();
        for port in &head.answers {
            let Some(shape) = sizes(port) else {
                let name = &port.name;
                let reason =
                    format!("output `{name}` needs fixed sizes: pictures are asked one by one");
                return Err(Fault { at: at_size(), reason });
            };
            outputs.push(Output { name: port.name.clone(), shape });
        }
        let decode =
            decode.ok_or_else(|| Fault { at: all, reason: "there is no [decode]".into() })?;
        let decoder = Decoder::new(decode, &input, &outputs)?;
        if tests.is_empty() {
            let reason =
                "there is no [[test]]; at least one seed with numbers of its answer is needed";
            return Err(Fault { at: at_size(), reason: reason.into() });
        }
        match tests.iter().find_map(|test| test.problem(&outputs)) {
            Some(fault) => Err(fault),
            None => Ok(Self { input, decoder, outputs, tests }),
        }
    }
}

/// A port's sizes, when none of them varies.
fn sizes(port: &Port) -> Option<Vec<usize>> {
    let size = |dimension: &Dimension| match dimension {
        Dimension::Fixed(size) => usize::try_from(*size).ok().filter(|size| *size > 0),
        Dimension::Any(_) => None,
    };
    let sizes: Vec<usize> = port.shape.iter().map(size).collect::<Option<_>>()?;
    // An answer of more than 64 MB is a slip of the pen.
    sizes.iter().try_fold(1_usize, |all, size| all.checked_mul(*size).filter(|n| *n <= 1 << 24))?;
    Some(sizes)
}

impl PixelTest {
    fn problem(&self, outputs: &[Output]) -> Option<Fault> {
        let why = &self.why;
        let Some(output) = outputs.iter().find(|o| o.name == *self.output.get_ref()) else {
            let reason = format!("test `{why}`: no [[output]] is `{}`", self.output.get_ref());
            return Some(Fault { at: self.output.span(), reason });
        };
        let numbers: usize = output.shape.iter().product();
        let at = self.at.get_ref();
        let reason = if at.is_empty() || at.len() != self.expect.len() {
            format!("test `{why}` looks at {} places and expects {}", at.len(), self.expect.len())
        } else if at.iter().any(|at| *at >= numbers) {
            format!("test `{why}`: `{}` has {numbers} numbers, from 0", output.name)
        } else if self.tolerance.is_nan() || self.tolerance <= 0.0 {
            format!("test `{why}` has the tolerance {}, expected more than 0", self.tolerance)
        } else {
            return None;
        };
        Some(Fault { at: self.at.span(), reason })
    }
}

/// A picture of noise: the same for the same seed, here and in every other language.
///
/// The generator is that of W. Press et al., "Numerical Recipes", its upper eight bits a byte.
pub(super) fn noise(seed: u32, [width, height]: [usize; 2]) -> Option<Picture> {
    let mut x = seed;
    let bytes = std::iter::repeat_with(|| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        x.to_be_bytes()[0]
    });
    let rgb: Vec<u8> = bytes.take(width.checked_mul(height)?.checked_mul(3)?).collect();
    Picture::of_rgb(width, height, &rgb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_bytes_that_other_languages_give() {
        // Calculated with Python's integers.
        assert_eq!(noise(7, [2, 1]).unwrap().to_rgb(), PYTHON);
        assert!(noise(7, [0, 1]).is_none());
    }

    const PYTHON: [u8; 6] = [61, 233, 156, 237, 12, 219];
}
