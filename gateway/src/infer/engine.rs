//! Networks, loaded and put to the test, on whichever engine this box has.
//!
//! ONNX Runtime when its library is found, the built-in tract otherwise. The choice is made once per
//! process and stands; both give the same answers to four digits, which the test vectors of every
//! manifest show at each start. A process has one environment, whoever asks first.
//!
//! tract is loaded and checked through `ort` like the other, and then asked directly: `ort` keeps what it
//! learnt of the type of each answer for ever, and on a box that nobody visits that adds up.
//!
//! Everything that the engines say arrives here as text: no type of `ort` leaves this module.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{OutputSelector, RunOptions, Session};
use ort::value::{Outlet, Tensor as OrtTensor, TensorElementType, TensorRef};
use sha2::{Digest, Sha256};
use tract_onnx::prelude::{
    Framework, InferenceModelExt, IntoRunnable, Tensor, TractResult, TypedRunnableModel, tvec,
};

use super::InferError;
use super::manifest::{Dimension, Manifest, Port};

/// Loading a foreign library has been seen to hang; longer than this and it is left alone.
const DEADLINE: Duration = Duration::from_secs(10);

/// Where a system keeps ONNX Runtime, and under which names.
const USUAL_FOLDERS: [&str; 7] = [
    "/usr/lib/gatehouse",
    "/usr/local/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/opt/onnxruntime/lib",
];
const USUAL_NAMES: [&str; 2] = ["libonnxruntime.so", "libonnxruntime.so.1"];

const TRACT: &str = "tract";

/// The one engine of this process.
struct Engine {
    name: &'static str,
    environment: Environment,
}

static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();

/// A network that has answered its own test vectors.
pub(super) struct Network {
    manifest: Manifest,
    runner: Runner,
}

enum Runner {
    Session(Session),
    Plan(Arc<TypedRunnableModel>),
}

impl Network {
    /// Loads a network and refuses it unless it is exactly what its manifest says.
    pub(super) fn load(manifest: Manifest, library: Option<&Path>) -> Result<Self, InferError> {
        let path = manifest.folder.join(&manifest.content.file);
        let bytes = std::fs::read(&path)
            .map_err(|source| InferError::Unreadable { path: path.clone(), source })?;
        let rejected = |reason| InferError::Rejected { path: path.clone(), reason };

        let found = sha256(&bytes);
        if !found.eq_ignore_ascii_case(manifest.content.sha256.get_ref()) {
            return Err(manifest.tampered(&found));
        }

        let engine = engine(library)?;
        let session = open(&engine.environment, &bytes).map_err(|e| rejected(first_line(&e)))?;
        check_port("input", session.inputs(), &manifest.content.inputs).map_err(rejected)?;
        check_port("output", session.outputs(), &manifest.content.answers).map_err(rejected)?;

        let runner = if engine.name == TRACT {
            Runner::Plan(plan(&bytes).map_err(|e| rejected(first_line(&e)))?)
        } else {
            Runner::Session(session)
        };
        let mut network = Self { manifest, runner };
        network.test().map_err(rejected)?;
        Ok(network)
    }

    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Answers `rows` windows, or says why not. Anything that is not a finite number is no answer.
    pub(super) fn run(&mut self, features: &[f32], rows: usize) -> Result<Vec<f32>, String> {
        let (window, outputs) = (self.manifest.content.window, self.manifest.content.outputs);
        if rows.checked_mul(window) != Some(features.len()) {
            let got = features.len();
            return Err(format!("{got} features for {rows} windows of {window} samples"));
        }
        if rows == 0 {
            return Ok(Vec::new());
        }
        let numbers = match &mut self.runner {
            Runner::Session(session) => {
                ask_session(session, features, [rows, window], [rows, outputs])
                    .map_err(|e| first_line(&e))?
            }
            Runner::Plan(plan) => {
                ask_plan(plan, features, rows, window).map_err(|e| first_line(&e))?
            }
        };
        if numbers.len() != rows * outputs {
            let got = numbers.len();
            return Err(format!("the model gave {got} numbers for {rows} windows of {outputs}"));
        }
        if numbers.iter().all(|n| n.is_finite()) {
            Ok(numbers)
        } else {
            Err("the model gave something that is not a number".into())
        }
    }

    fn test(&mut self) -> Result<(), String> {
        let tests = std::mem::take(&mut self.manifest.content.tests);
        for test in &tests {
            let why = &test.why;
            let got = self.run(&test.input, 1).map_err(|e| format!("test `{why}`: {e}"))?;
            let expected = &test.output;
            let off = got.iter().zip(expected).any(|(g, e)| (g - e).abs() > test.tolerance);
            if off {
                return Err(format!("test `{why}` gave {got:?}, expected {expected:?}"));
            }
        }
        self.manifest.content.tests = tests;
        Ok(())
    }
}

/// The answer's room is ours: what ONNX Runtime makes room for by itself, `ort` asks the type of and
/// keeps that for ever.
fn ask_session(
    session: &mut Session,
    features: &[f32],
    input: [usize; 2],
    output: [usize; 2],
) -> ort::Result<Vec<f32>> {
    let name = session.outputs()[0].name().to_owned();
    let room = OrtTensor::from_array((output, vec![0.0_f32; output[0] * output[1]]))?;
    let options =
        RunOptions::new()?.with_outputs(OutputSelector::default().preallocate(name, room));
    let input = TensorRef::from_array_view((input, features))?;
    let answers = session.run_with_options(ort::inputs![input], &options)?;
    let (_, numbers) = answers[0].try_extract_tensor::<f32>()?;
    Ok(numbers.to_vec())
}

fn plan(mut bytes: &[u8]) -> TractResult<Arc<TypedRunnableModel>> {
    tract_onnx::onnx().model_for_read(&mut bytes)?.into_optimized()?.into_runnable()
}

fn ask_plan(
    plan: &Arc<TypedRunnableModel>,
    features: &[f32],
    rows: usize,
    window: usize,
) -> TractResult<Vec<f32>> {
    let input = Tensor::from_shape(&[rows, window], features)?;
    let answers = plan.run(tvec!(input.into()))?;
    Ok(answers[0].to_plain_array_view::<f32>()?.iter().copied().collect())
}

/// `onnxruntime` or `tract`, once something has been loaded.
pub(super) fn engine_name(library: Option<&Path>) -> Result<&'static str, InferError> {
    Ok(engine(library)?.name)
}

fn engine(library: Option<&Path>) -> Result<&'static Engine, InferError> {
    ENGINE.get_or_init(|| start(library)).as_ref().map_err(|e| InferError::NoEngine(e.clone()))
}

fn start(library: Option<&Path>) -> Result<Engine, String> {
    let name = if load_onnxruntime(library) {
        "onnxruntime"
    } else if ort::set_api(ort_tract::api()) {
        TRACT
    } else {
        return Err("another part of this process has already chosen one".into());
    };
    let environment = within_deadline(|| {
        let environment = ort::init().with_name("gatehouse").with_telemetry(false).build();
        environment.map_err(|e| first_line(&e))
    })
    .map_err(|reason| format!("{name}: {reason}"))?;
    tracing::info!(engine = name, "inference is ready");
    Ok(Engine { name, environment })
}

/// Whether ONNX Runtime's library could be loaded.
///
/// There is one attempt per process: in this release of `ort` a second `init_from` after a failed one
/// reports success without a library. So the file is chosen first, by looking.
fn load_onnxruntime(configured: Option<&Path>) -> bool {
    let Some(path) = library_path(configured) else { return false };
    let theirs = path.clone();
    let outcome =
        within_deadline(move || ort::init_from(theirs).map(drop).map_err(|e| first_line(&e)));
    if let Err(reason) = &outcome {
        tracing::warn!(path = %path.display(), reason, "ONNX Runtime cannot be used; tract is");
    }
    outcome.is_ok()
}

/// The configured library, else the one that `ORT_DYLIB_PATH` names, else what the system has.
fn library_path(configured: Option<&Path>) -> Option<PathBuf> {
    let named = configured.map(Path::to_owned).or_else(|| {
        std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from)
    });
    match named {
        // Absolute, because `ort` would look beside the program first.
        Some(path) => Some(std::path::absolute(&path).unwrap_or(path)),
        None => USUAL_FOLDERS
            .into_iter()
            .flat_map(|folder| USUAL_NAMES.map(|name| Path::new(folder).join(name)))
            .find(|path| path.is_file()),
    }
}

/// What `work` gives, unless it crashes or takes too long; then it is left to itself.
fn within_deadline<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (done, outcome) = mpsc::channel();
    thread::Builder::new()
        .name("infer-start".into())
        .spawn(move || done.send(work()))
        .map_err(|e| e.to_string())?;
    outcome.recv_timeout(DEADLINE).unwrap_or_else(|error| {
        Err(match error {
            RecvTimeoutError::Timeout => format!("it did not answer within {DEADLINE:?}"),
            RecvTimeoutError::Disconnected => "it crashed".into(),
        })
    })
}

fn open(environment: &Environment, bytes: &[u8]) -> ort::Result<Session> {
    Session::builder(environment)?
        // tract optimises only when it is told to: fifty times slower without.
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        // One thread and no spinning: a pool that waits busily costs more than these networks.
        .with_intra_threads(1)?
        .with_intra_op_spinning(false)?
        .commit_from_memory(bytes)
}

fn check_port(kind: &str, found: &[Outlet], declared: &[Port]) -> Result<(), String> {
    let ([found], [declared]) = (found, declared) else {
        return Err(format!("it has {} {kind}s, expected 1", found.len()));
    };
    let name = found.name();
    if name != declared.name {
        return Err(format!("its {kind} is `{name}`, but model.toml says `{}`", declared.name));
    }
    if found.dtype().tensor_type() != Some(TensorElementType::Float32) {
        return Err(format!("{kind} `{name}` is {}, expected f32", found.dtype()));
    }
    let shape: &[i64] = found.dtype().tensor_shape().map_or(&[], |shape| shape);
    let fits = shape.len() == declared.shape.len()
        && shape.iter().zip(&declared.shape).all(|(found, declared)| match declared {
            Dimension::Fixed(size) => found == size,
            Dimension::Any(_) => *found < 0,
        });
    if fits {
        Ok(())
    } else {
        Err(format!("{kind} `{name}` has the shape {shape:?} (-1: any), model.toml another"))
    }
}

/// In lower-case hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Engines append backtraces and file positions on further lines.
fn first_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
