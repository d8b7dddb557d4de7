//! `models/<name>/model.toml`: what a model takes, what it answers, and how to tell that it is whole.
//!
//! A model is of a series or of pictures: the one has a `window`, the other a `[picture]`, and everything
//! else that is said of a model is said of both.
//!
//! Only this file is read by `check` to learn a model's shape; the network itself is loaded and put to
//! the manifest's own test vectors in [`super::engine`] before anyone may ask it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gatehouse_core::community::ModelSpec;
use gatehouse_core::community::quantity::Text;
use gatehouse_sight::manifest::{Fault, Says, typed};
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::picture_manifest::PictureKind;
use super::{InferError, Shelves};

/// The name of the manifest in a model's folder.
pub(super) const FILE: &str = "model.toml";

/// `model.toml`, and the folder that it was found in.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    pub(super) folder: PathBuf,
    pub(super) head: Head,
    pub(super) kind: Kind,
    /// Line and column of the checksum.
    checksum_at: (usize, usize),
}

/// What a model is shown, and what is read of its answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Series(Series),
    Picture(Box<PictureKind>),
}

/// What a manifest says of its model, for people and scripts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct About {
    pub name: String,
    pub version: String,
    pub title: Text,
    pub licence: String,
    pub training_data: String,
    pub inputs: Vec<Tensor>,
    pub outputs: Vec<Tensor>,
    /// What a picture model knows, in the order of its classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Of the network, as declared.
    pub sha256: String,
    /// Test vectors.
    pub tests: usize,
    /// How good it is, by name.
    pub figures: BTreeMap<String, f64>,
    pub folder: PathBuf,
}

/// What is to be known of a model without loading it.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    Series(ModelSpec),
    Picture(PictureSpec),
}

/// A picture model as device types refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureSpec {
    pub name: String,
    pub version: String,
    pub says: Says,
    /// In the order of its classes.
    pub labels: Vec<String>,
}

/// A tensor of 32-bit floats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tensor {
    pub name: String,
    /// Sizes, and names of those that may vary.
    pub shape: Vec<String>,
    pub unit: String,
}

/// What is said of every model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Head {
    /// The folder's own name; scenes and device types refer to it.
    pub(super) name: String,
    pub(super) version: String,
    /// What it does, for lists.
    title: Text,
    /// The network, beside the manifest.
    pub(super) file: PathBuf,
    /// Of `file`, in hexadecimal.
    pub(super) sha256: Spanned<String>,
    licence: String,
    training_data: String,
    #[serde(rename = "input")]
    pub(super) inputs: Vec<Port>,
    #[serde(rename = "output")]
    pub(super) answers: Vec<Port>,
    /// How good it is, by name.
    figures: BTreeMap<String, f64>,
}

/// What is said of a model of a series alone.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Series {
    /// Numbers that it is shown per sample: a window, and what is known beside it.
    pub(super) window: usize,
    /// Numbers that it answers per window.
    pub(super) outputs: usize,
    /// Reading it is what refuses a kind that the gateway does not do.
    normalisation: Normalisation,
    #[serde(rename = "test")]
    pub(super) tests: Vec<TestVector>,
}

/// The keys of [`Series`], and of [`PictureKind`].
const OF_SERIES: [&str; 4] = ["window", "outputs", "normalisation", "test"];
const OF_PICTURES: [&str; 3] = ["picture", "decode", "test"];

/// `[normalisation]`: what the gateway does to a window before it asks.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Normalisation {
    kind: NormalisationKind,
    centre: String,
    scale: String,
    clamp: f64,
}

/// The normalisations that the gateway knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NormalisationKind {
    /// The window's own median, and its mean or median absolute deviation, whichever is larger, as
    /// `gatehouse_core::detect::anomaly` does it.
    MedianSpread,
    /// The newest sample, and how far the point moves in a step, now and usually, as
    /// `gatehouse_core::detect::warning` does it.
    LastStep,
}

/// `[[input]]`, `[[output]]`: a tensor by name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) shape: Vec<Dimension>,
    /// Reading it is what refuses another element type.
    r#type: ElementType,
    unit: String,
}

/// A fixed size, or a name for one that may vary.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Dimension {
    Fixed(i64),
    Any(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ElementType {
    F32,
}

/// `[[test]]`: one window and what the model must answer on every engine.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TestVector {
    /// What the window shows, for the message when the answer is another one.
    pub(super) why: String,
    pub(super) input: Vec<f32>,
    pub(super) output: Vec<f32>,
    pub(super) tolerance: f32,
}

impl Manifest {
    /// Reads and checks the `model.toml` of a model; the network beside it is not touched.
    pub(super) fn read(shelves: &Shelves, name: &str) -> Result<Self, InferError> {
        let folder = shelves.find(name).ok_or_else(|| InferError::NotInstalled {
            name: name.to_owned(),
            shelves: shelves.clone(),
            installed: shelves.names(),
        })?;
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path)
            .map_err(|source| InferError::Unreadable { path: path.clone(), source })?;
        let malformed = |fault: Fault| {
            let (line, column) = place(&text, fault.at.start);
            InferError::Malformed { path: path.clone(), line, column, reason: fault.reason }
        };
        let (head, kind) = parse(&text).map_err(malformed)?;
        match head.problem(name).or_else(|| kind.problem(&head)) {
            None => {
                let checksum_at = place(&text, head.sha256.span().start);
                Ok(Self { folder, head, kind, checksum_at })
            }
            Some(reason) => Err(InferError::Rejected { path, reason }),
        }
    }

    /// The network's file.
    pub(super) fn network(&self) -> PathBuf {
        self.folder.join(&self.head.file)
    }

    /// The network beside it has another checksum.
    pub(super) fn tampered(&self, found: &str) -> InferError {
        let (line, column) = self.checksum_at;
        let expected = self.head.sha256.get_ref();
        let file = self.head.file.display();
        let reason = format!("`{file}` has the SHA-256 {found}, but the manifest says {expected}");
        InferError::Tampered { path: self.folder.join(FILE), line, column, reason }
    }

    /// What is told of it to people and scripts.
    pub(super) fn about(&self) -> About {
        let head = &self.head;
        About {
            name: head.name.clone(),
            version: head.version.clone(),
            title: head.title.clone(),
            licence: head.licence.clone(),
            training_data: head.training_data.clone(),
            inputs: head.inputs.iter().map(Port::about).collect(),
            outputs: head.answers.iter().map(Port::about).collect(),
            labels: match &self.kind {
                Kind::Series(_) => Vec::new(),
                Kind::Picture(picture) => picture.decoder.labels().to_vec(),
            },
            sha256: head.sha256.get_ref().clone(),
            tests: match &self.kind {
                Kind::Series(series) => series.tests.len(),
                Kind::Picture(picture) => picture.tests.len(),
            },
            figures: head.figures.clone(),
            folder: self.folder.clone(),
        }
    }

    /// What is to be known of it without loading it.
    pub(super) fn spec(&self) -> Spec {
        let (name, version) = (self.head.name.clone(), self.head.version.clone());
        match &self.kind {
            Kind::Series(Series { window, outputs, .. }) => {
                Spec::Series(ModelSpec { name, version, window: *window, outputs: *outputs })
            }
            Kind::Picture(picture) => Spec::Picture(PictureSpec {
                name,
                version,
                says: picture.decoder.says(),
                labels: picture.decoder.labels().to_vec(),
            }),
        }
    }
}

/// The head of the text, and what is of its kind.
fn parse(text: &str) -> Result<(Head, Kind), Fault> {
    let table = DeTable::parse(text).map_err(|e| fault(&e))?;
    let (at, mut rest) = (table.span(), table.into_inner());
    let is_of_pictures = rest.keys().any(|key| key.get_ref() == "picture");
    let keys: &[&str] = if is_of_pictures { &OF_PICTURES } else { &OF_SERIES };
    let mut own = DeTable::new();
    for (key, value) in std::mem::take(&mut rest) {
        let is_own = keys.contains(&key.get_ref().as_ref());
        if is_own { &mut own } else { &mut rest }.insert(key, value);
    }
    let all = |table| Spanned::new(at.clone(), DeValue::Table(table));
    let head: Head = typed(all(rest))?;
    let kind = if is_of_pictures {
        Kind::Picture(Box::new(PictureKind::new(all(own), &head)?))
    } else {
        Kind::Series(typed(all(own))?)
    };
    Ok((head, kind))
}

fn fault(error: &toml::de::Error) -> Fault {
    Fault { at: error.span().unwrap_or(0..0), reason: error.message().to_owned() }
}

impl Head {
    /// The first contradiction in what is said of every model.
    fn problem(&self, folder: &str) -> Option<String> {
        let file_name = self.file.file_name();
        if self.name != folder {
            Some(format!("name is `{}`, but the folder is `{folder}`", self.name))
        } else if file_name.is_none_or(|name| name != self.file.as_os_str()) {
            Some(format!("file is `{}`, expected a file in this folder", self.file.display()))
        } else {
            None
        }
    }
}

impl Kind {
    /// A model of pictures has been checked while it was read.
    fn problem(&self, head: &Head) -> Option<String> {
        match self {
            Self::Series(series) => series.problem(head),
            Self::Picture(_) => None,
        }
    }
}

impl Series {
    /// The first contradiction in it.
    fn problem(&self, head: &Head) -> Option<String> {
        if self.window == 0 || self.outputs == 0 {
            Some("window and outputs must be at least 1".into())
        } else if let Some(reason) = port_problem("input", &head.inputs, self.window) {
            Some(reason)
        } else if let Some(reason) = port_problem("output", &head.answers, self.outputs) {
            Some(reason)
        } else if self.tests.is_empty() {
            Some("there is no [[test]]; at least one window with its answer is needed".into())
        } else {
            self.tests.iter().find_map(|test| test.problem(self.window, self.outputs))
        }
    }
}

impl Port {
    fn about(&self) -> Tensor {
        let Self { name, shape, r#type: ElementType::F32, unit } = self;
        let shape = shape.iter().map(|dimension| match dimension {
            Dimension::Fixed(size) => size.to_string(),
            Dimension::Any(name) => name.clone(),
        });
        Tensor { name: name.clone(), shape: shape.collect(), unit: unit.clone() }
    }
}

impl TestVector {
    fn problem(&self, window: usize, outputs: usize) -> Option<String> {
        let why = &self.why;
        if self.input.len() != window {
            let got = self.input.len();
            Some(format!("test `{why}` has {got} inputs, expected window = {window}"))
        } else if self.output.len() != outputs {
            let got = self.output.len();
            Some(format!("test `{why}` has {got} outputs, expected outputs = {outputs}"))
        } else if self.tolerance.is_nan() || self.tolerance <= 0.0 {
            Some(format!("test `{why}` has the tolerance {}, expected more than 0", self.tolerance))
        } else {
            None
        }
    }
}

/// The gateway asks with one tensor of windows and reads one tensor of answers, a row per window.
fn port_problem(kind: &str, ports: &[Port], width: usize) -> Option<String> {
    let [port] = ports else {
        return Some(format!("there are {} [[{kind}]] tables, expected 1", ports.len()));
    };
    match port.shape.as_slice() {
        [Dimension::Any(_), Dimension::Fixed(size)] if usize::try_from(*size) == Ok(width) => None,
        _ => Some(format!("{kind} `{}` has another shape than [\"N\", {width}]", port.name)),
    }
}

/// Line and column of a byte, both from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}
