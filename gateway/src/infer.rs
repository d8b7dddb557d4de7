//! Asks models: bounded questions in, answers out, on a thread of their own.
//!
//! [`Models`] loads and answers, one call at a time, and is all that `replay` needs. [`Inference`] puts
//! it on a thread, so that a slow network never delays a reading. [`manifest`] is `model.toml`;
//! `engine` is the only place that knows which inference engine runs.
//!
//! [`pictures`] is the same for models of pictures, on the thread that looks at them.
//!
//! A model is used only after its file had the declared checksum, its tensors the declared shapes, and
//! its answers to the manifest's test windows the declared values.

mod engine;
pub mod manifest;
mod network;
pub mod noise;
mod picture_manifest;
pub mod pictures;
mod questions;
mod shelves;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use gatehouse_core::community::ModelSpec;
use gatehouse_core::pipeline::{Answer, Input, Question};
use tokio::sync::mpsc::WeakSender;

use manifest::{About, Manifest, Spec};
use network::Network;
use pictures::PictureModels;
use questions::{Questions, Turn};
pub use shelves::Shelves;

/// Why a model cannot be used. Rules go on without it; `check` and `run` say so.
#[derive(Debug, thiserror::Error)]
pub enum InferError {
    /// Correct the scene, or copy the model's folder to where the message says.
    #[error("there is no model `{name}` in {shelves}; installed: {}", list(installed))]
    NotInstalled { name: String, shelves: Shelves, installed: Vec<String> },

    /// Look at the file's rights, or install the model again.
    #[error("cannot read {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },

    /// Correct `model.toml` at the place named.
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Malformed { path: PathBuf, line: usize, column: usize, reason: String },

    /// The network is another one than the manifest was written for; install the model again from
    /// where it came from. The place is that of the checksum.
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Tampered { path: PathBuf, line: usize, column: usize, reason: String },

    /// The model is not what its manifest says; install it again from where it came from.
    #[error("{}: {reason}", path.display())]
    Rejected { path: PathBuf, reason: String },

    /// Ask only for models that were opened.
    #[error("model `{0}` is not loaded")]
    NotLoaded(String),

    /// Nothing is known of this picture; ask about the next one.
    #[error("model `{model}` gave no answer: {reason}")]
    Unanswered { model: String, reason: String },

    /// Neither ONNX Runtime nor the built-in engine started.
    #[error("no inference engine could be started: {0}")]
    NoEngine(String),

    /// The system is out of threads or memory.
    #[error("cannot start the inference thread")]
    NoThread(#[source] io::Error),
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// What is to be known of a model, from `model.toml` alone.
pub fn load_spec(shelves: &Shelves, name: &str) -> Result<Spec, InferError> {
    Manifest::read(shelves, name).map(|manifest| manifest.spec())
}

/// Loads a model of either kind and puts it to its tests.
pub fn try_out(
    shelves: &Shelves,
    name: &str,
    onnxruntime: Option<&Path>,
) -> Result<(), InferError> {
    match load_spec(shelves, name)? {
        Spec::Series(_) => Models::open(shelves, [name], onnxruntime).map(drop),
        Spec::Picture(_) => {
            let (_, missing) = PictureModels::open(shelves, [name], onnxruntime);
            missing.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
        }
    }
}

/// What the manifest of a model says, for people; nothing is loaded.
pub fn about(shelves: &Shelves, name: &str) -> Result<About, InferError> {
    Manifest::read(shelves, name).map(|manifest| manifest.about())
}

/// `onnxruntime` or `tract`: the engine that answers in this process. Starts it.
pub fn engine_name(onnxruntime: Option<&Path>) -> Result<&'static str, InferError> {
    engine::engine_name(onnxruntime)
}

/// Models that have been loaded and have passed their tests.
pub struct Models {
    networks: Vec<Network>,
    engine_name: &'static str,
}

impl Models {
    /// Loads every named model; `onnxruntime` is the library to prefer, when one is configured.
    ///
    /// The engine is chosen by the first call in a process and stays.
    pub fn open(
        shelves: impl Into<Shelves>,
        names: impl IntoIterator<Item = impl AsRef<str>>,
        onnxruntime: Option<&Path>,
    ) -> Result<Self, InferError> {
        let shelves = shelves.into();
        let networks = names
            .into_iter()
            .map(|name| Network::load(Manifest::read(&shelves, name.as_ref())?, onnxruntime))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { networks, engine_name: engine::engine_name(onnxruntime)? })
    }

    /// Loads what can be loaded of the named models, and says of the others why not; `None` when there
    /// is none.
    pub fn open_some<'a>(
        shelves: &Shelves,
        names: impl IntoIterator<Item = &'a str>,
        onnxruntime: Option<&Path>,
    ) -> (Option<Self>, Vec<(String, InferError)>) {
        let mut missing = Vec::new();
        let mut some: Option<Self> = None;
        for name in names {
            match Self::open(shelves, [name], onnxruntime) {
                Ok(one) => match &mut some {
                    Some(some) => some.networks.extend(one.networks),
                    None => some = Some(one),
                },
                Err(error) => missing.push((name.to_owned(), error)),
            }
        }
        (some, missing)
    }

    /// `onnxruntime` or `tract`.
    pub fn engine_name(&self) -> &'static str {
        self.engine_name
    }

    /// What the loaded models look like from outside, in the order they were named.
    pub fn specs(&self) -> Vec<ModelSpec> {
        let series = |network: &Network| match network.manifest().spec() {
            Spec::Series(spec) => Some(spec),
            Spec::Picture(_) => None,
        };
        self.networks.iter().filter_map(series).collect()
    }

    /// Answers at once, on the caller's thread.
    pub fn answer(&mut self, question: &Question) -> Answer {
        let outputs = self
            .networks
            .iter_mut()
            .find(|network| network.manifest().head.name == question.model)
            .ok_or_else(|| format!("model `{}` is not loaded", question.model))
            .and_then(|network| network.run(&question.features, question.rows));
        Answer { question: question.id, outputs }
    }
}

/// The inference thread, seen from the engine.
///
/// The thread ends when this is dropped, or when the engine has gone. It is not waited for: a thread
/// that hands over an answer waits for the engine, so an engine that waited for it could wait for ever.
pub struct Inference {
    questions: Arc<Questions>,
    engine_name: &'static str,
}

impl Inference {
    /// Answers questions to these models into `inputs` for as long as that is open.
    pub fn start(models: Models, inputs: WeakSender<Input>) -> Result<Self, InferError> {
        let engine_name = models.engine_name();
        let questions = Arc::new(Questions::default());
        let theirs = Arc::clone(&questions);
        thread::Builder::new()
            .name("infer".into())
            .spawn(move || work(models, &theirs, &inputs))
            .map_err(InferError::NoThread)?;
        Ok(Self { questions, engine_name })
    }

    /// Leaves a question for the thread; never waits.
    ///
    /// Eight questions may wait. A further one takes the place of the oldest to the same model; the
    /// one that lost its place is answered with an error, so that nobody waits for it.
    pub fn ask(&self, question: Question) {
        self.questions.put(question);
    }

    /// `onnxruntime` or `tract`.
    pub fn engine_name(&self) -> &'static str {
        self.engine_name
    }

    /// Questions that lost their place to a newer one, since start.
    pub fn replaced(&self) -> u64 {
        self.questions.replaced()
    }
}

impl Drop for Inference {
    fn drop(&mut self) {
        self.questions.close();
    }
}

/// Takes turns until the questions are closed or nobody is left to hear an answer.
fn work(mut models: Models, questions: &Questions, inputs: &WeakSender<Input>) {
    while let Some(turn) = questions.take() {
        let answer = match turn {
            Turn::Answer(question) => {
                let id = question.id;
                // An engine that breaks down on one question must not leave all others unanswered.
                catch_unwind(AssertUnwindSafe(|| models.answer(&question))).unwrap_or_else(
                    |_panic| Answer {
                        question: id,
                        outputs: Err("the model broke down on it".into()),
                    },
                )
            }
            Turn::Refuse(question) => {
                let why = "a newer question took its place before it could be asked";
                Answer { question, outputs: Err(why.into()) }
            }
        };
        let Some(inputs) = inputs.upgrade() else { break };
        // A full channel is drained by the engine; when the engine has gone, this is an error.
        if inputs.blocking_send(Input::Answer(answer)).is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests;
