//! Picture models: a picture in, boxes, a class or a mask out, on the thread of whoever asks.
//!
//! Sensors never wait for them: they are another set than [`super::Models`], for the thread that looks
//! at pictures. They share the one engine of the process, and each is asked about one picture at a time.

use std::path::Path;
use std::time::{Duration, Instant};

use gatehouse_sight::input::Input;
use gatehouse_sight::picture::Picture;
use gatehouse_sight::seen::{Region, Seen};

use super::engine::{self, Runner};
use super::manifest::{Kind, Manifest, PictureSpec, Spec};
use super::picture_manifest::{PictureKind, noise};
use super::{InferError, Shelves};

/// Picture models that have been loaded and have passed their tests.
#[derive(Default)]
pub struct PictureModels {
    models: Vec<Model>,
}

struct Model {
    manifest: Manifest,
    kind: PictureKind,
    runner: Runner,
    input: Input,
    /// Sizes of the answers.
    shapes: Vec<Vec<usize>>,
}

/// How long the two halves of a look took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Took {
    /// The network alone.
    pub inference: Duration,
    /// Making the tensor, and making sense of the answer.
    pub around: Duration,
}

impl PictureModels {
    /// Loads what can be loaded of the named models, and says of the others why not.
    ///
    /// `onnxruntime` is the library to prefer; the engine is chosen by the first call in a process.
    pub fn open<'a>(
        shelves: &Shelves,
        names: impl IntoIterator<Item = &'a str>,
        onnxruntime: Option<&Path>,
    ) -> (Self, Vec<(String, InferError)>) {
        let (mut models, mut missing) = (Vec::new(), Vec::new());
        for name in names {
            match Manifest::read(shelves, name).and_then(|m| Model::load(m, onnxruntime)) {
                Ok(model) => models.push(model),
                Err(error) => missing.push((name.to_owned(), error)),
            }
        }
        (Self { models }, missing)
    }

    /// What is loaded, in the order in which it was named.
    pub fn specs(&self) -> Vec<PictureSpec> {
        let picture = |model: &Model| match model.manifest.spec() {
            Spec::Picture(spec) => Some(spec),
            Spec::Series(_) => None,
        };
        self.models.iter().filter_map(picture).collect()
    }

    /// How many pixels a picture should have, so that a region of it is shown to the model as it is;
    /// `None` when the model is not loaded.
    pub fn wants(&self, model: &str, region: Option<Region>) -> Option<(usize, usize)> {
        let model = self.models.iter().find(|m| m.manifest.head.name == model)?;
        Some(model.input.wants(region))
    }

    /// The same of a picture that was sent with so many pixels.
    pub fn wants_of(
        &self,
        model: &str,
        region: Option<Region>,
        sent: (usize, usize),
    ) -> Option<(usize, usize)> {
        let model = self.models.iter().find(|m| m.manifest.head.name == model)?;
        Some(model.input.wants_of(region, sent))
    }

    /// What the model's classes are called; none when it is not loaded.
    pub fn labels(&self, model: &str) -> &[String] {
        let model = self.models.iter().find(|m| m.manifest.head.name == model);
        model.map_or(&[], |model| model.kind.decoder.labels())
    }

    /// From which score on a model says that something is there; 1 when it tells no boxes.
    pub fn sure(&self, model: &str) -> f32 {
        let model = self.models.iter().find(|m| m.manifest.head.name == model);
        model.map_or(1.0, |model| model.kind.decoder.sure())
    }

    /// A made-up picture, as large as the model wants it; for timing it.
    pub fn noise(&self, model: &str, seed: u32) -> Option<Picture> {
        let (width, height) = self.wants(model, None)?;
        noise(seed, [width, height])
    }

    /// Shows a picture, or a region of it, to a model. Boxes are in fractions of the whole picture; a
    /// mask lies over the region.
    pub fn look(
        &mut self,
        model: &str,
        picture: &Picture,
        region: Option<Region>,
    ) -> Result<Seen, InferError> {
        self.look_timed(model, picture, region).map(|(seen, _)| seen)
    }

    /// As [`PictureModels::look`], with the boxes that score less than the manifest asks for, but at least
    /// `score`: for those who would rather have one too many.
    pub fn look_eagerly(
        &mut self,
        model: &str,
        picture: &Picture,
        region: Option<Region>,
        score: f32,
    ) -> Result<Seen, InferError> {
        self.ask(model, picture, region, score).map(|(seen, _)| seen)
    }

    /// As [`PictureModels::look`], and how long it took.
    pub fn look_timed(
        &mut self,
        model: &str,
        picture: &Picture,
        region: Option<Region>,
    ) -> Result<(Seen, Took), InferError> {
        self.ask(model, picture, region, 1.0)
    }

    fn ask(
        &mut self,
        model: &str,
        picture: &Picture,
        region: Option<Region>,
        score: f32,
    ) -> Result<(Seen, Took), InferError> {
        let found = self.models.iter_mut().find(|m| m.manifest.head.name == model);
        let model = found.ok_or_else(|| InferError::NotLoaded(model.to_owned()))?;
        let unanswered = |reason: String| InferError::Unanswered {
            model: model.manifest.head.name.clone(),
            reason,
        };
        let begun = Instant::now();
        let shape = model.input.shape();
        let (tensor, placement) =
            model.input.fill(picture, region).map_err(|e| unanswered(e.to_string()))?;
        let asked = Instant::now();
        let answers = model.runner.ask(tensor, &shape, &model.shapes).map_err(unanswered)?;
        let answered = Instant::now();
        engine::check(&answers, &model.shapes).map_err(unanswered)?;
        let seen = model.kind.decoder.read_from(&answers, &placement, score);
        let inference = answered - asked;
        Ok((seen, Took { inference, around: begun.elapsed().saturating_sub(inference) }))
    }
}

impl Model {
    /// Loads a network and refuses it unless it is exactly what its manifest says.
    fn load(manifest: Manifest, library: Option<&Path>) -> Result<Self, InferError> {
        let path = manifest.network();
        let rejected = |reason| InferError::Rejected { path, reason };
        let Kind::Picture(kind) = &manifest.kind else {
            return Err(rejected("it is a model of a series; it cannot be shown a picture".into()));
        };
        let kind = PictureKind::clone(kind);
        let shape = kind.input.shape();
        let runner = Runner::load(&manifest, Some(&shape), library)?;
        let shapes = kind.outputs.iter().map(|output| output.shape.clone()).collect();
        let input = Input::new(kind.input.clone());
        let mut model = Self { manifest, kind, runner, input, shapes };
        model.test().map_err(rejected)?;
        Ok(model)
    }

    fn test(&mut self) -> Result<(), String> {
        let shape = self.input.shape();
        for test in &self.kind.tests {
            let why = &test.why;
            let failed = |reason: String| format!("test `{why}`: {reason}");
            let picture = noise(test.seed, *self.kind.input.size.get_ref())
                .ok_or_else(|| failed("no picture".into()))?;
            let tensor = self.input.fill_exactly(&picture).map_err(|e| failed(e.to_string()))?;
            let answers = self.runner.run(tensor, &shape, &self.shapes).map_err(failed)?;
            let output = self.kind.outputs.iter().position(|o| o.name == *test.output.get_ref());
            let answer = output.and_then(|place| answers.get(place));
            for (at, expected) in test.at.get_ref().iter().zip(&test.expect) {
                let got = answer.and_then(|answer| answer.get(*at));
                let got = got.ok_or_else(|| failed(format!("there is no place {at}")))?;
                if (got - expected).abs() > test.tolerance {
                    return Err(failed(format!("gave {got} at {at}, expected {expected}")));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
