//! Networks, loaded and put to the test, on whichever engine this box has.
//!
//! ONNX Runtime when its library is found, the built-in tract otherwise. The choice is made once per
//! process and stands; both give the same answers to four digits, which the test vectors of every
//! manifest show at each start. A process has one environment, whoever asks first.
//!
//! tract is asked directly: `ort` keeps what it learnt of the type of each answer for ever, and on a box
//! that nobody visits that adds up; and what it says of the inputs of some networks ends the process.
//!
//! Everything that the engines say arrives here as text: no type of `ort` leaves this module.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use gatehouse_sight::seen::are_finite;
use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{OutputSelector, RunOptions, Session};
use ort::value::{Outlet, Tensor as OrtTensor, TensorElementType, TensorRef};
use sha2::{Digest, Sha256};
use tract_onnx::prelude::{
    Datum, Framework, InferenceFact, InferenceModelExt, IntoRunnable, OutletId, Tensor,
    TractResult, TypedFact, TypedRunnableModel, tvec,
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

/// A network whose file and tensors are what its manifest says.
pub(super) struct Runner {
    how: How,
    /// For each declared answer its place among those of the network.
    order: Vec<usize>,
}

enum How {
    Session(Session),
    Plan(Arc<TypedRunnableModel>),
}

impl Runner {
    /// Loads a network. A network with sizes that may vary is loaded for `fixed` alone, when that is given.
    pub(super) fn load(
        manifest: &Manifest,
        fixed: Option<&[usize]>,
        library: Option<&Path>,
    ) -> Result<Self, InferError> {
        let head = &manifest.head;
        let path = manifest.network();
        let bytes = std::fs::read(&path)
            .map_err(|source| InferError::Unreadable { path: path.clone(), source })?;
        let rejected = |reason: String| InferError::Rejected { path: path.clone(), reason };

        let checksum = sha256(&bytes);
        if !checksum.eq_ignore_ascii_case(head.sha256.get_ref()) {
            return Err(manifest.tampered(&checksum));
        }

        let engine = engine(library)?;
        let (how, [inputs, outputs]) = if engine.name == TRACT {
            // Of networks that it does not know it may despair.
            let planned = catch_unwind(AssertUnwindSafe(|| plan(&bytes, fixed)));
            let planned = planned.map_err(|_panic| rejected("tract breaks down on it".into()))?;
            let (plan, tensors) = planned.map_err(|e| rejected(first_line(&e)))?;
            (How::Plan(plan), tensors)
        } else {
            let session =
                open(&engine.environment, &bytes).map_err(|e| rejected(first_line(&e)))?;
            let tensors = [session.inputs(), session.outputs()]
                .map(|all| all.iter().map(described).collect());
            (How::Session(session), tensors)
        };
        check_ports("input", &inputs, &head.inputs, fixed.is_some()).map_err(rejected)?;
        let order =
            check_ports("output", &outputs, &head.answers, fixed.is_some()).map_err(rejected)?;
        Ok(Self { how, order })
    }

    /// Shows it one tensor, and gives the declared answers, [`check`]ed.
    pub(super) fn run(
        &mut self,
        input: &[f32],
        shape: &[usize],
        answers: &[Vec<usize>],
    ) -> Result<Vec<Vec<f32>>, String> {
        let numbers = self.ask(input, shape, answers)?;
        check(&numbers, answers)?;
        Ok(numbers)
    }

    /// Shows it one tensor, and gives what it makes of it.
    pub(super) fn ask(
        &mut self,
        input: &[f32],
        shape: &[usize],
        answers: &[Vec<usize>],
    ) -> Result<Vec<Vec<f32>>, String> {
        match &mut self.how {
            How::Session(session) => {
                ask_session(session, input, shape, answers, &self.order).map_err(|e| first_line(&e))
            }
            How::Plan(plan) => {
                ask_plan(plan, input, shape, &self.order).map_err(|e| first_line(&e))
            }
        }
    }
}

/// Each answer must have the size that is named. Anything that is not a finite number is no answer.
pub(super) fn check(numbers: &[Vec<f32>], answers: &[Vec<usize>]) -> Result<(), String> {
    for (numbers, shape) in numbers.iter().zip(answers) {
        if numbers.len() != shape.iter().product::<usize>() {
            let got = numbers.len();
            return Err(format!("the model gave {got} numbers for an answer of {shape:?}"));
        }
        if !are_finite(numbers) {
            return Err("the model gave something that is not a number".into());
        }
    }
    Ok(())
}

/// The answers' room is ours: what ONNX Runtime makes room for by itself, `ort` asks the type of and
/// keeps that for ever.
fn ask_session(
    session: &mut Session,
    input: &[f32],
    shape: &[usize],
    answers: &[Vec<usize>],
    order: &[usize],
) -> ort::Result<Vec<Vec<f32>>> {
    let mut selected = OutputSelector::no_default();
    let mut names = Vec::with_capacity(order.len());
    for (place, shape) in order.iter().zip(answers) {
        let name = session.outputs()[*place].name().to_owned();
        let numbers = vec![0.0_f32; shape.iter().product()];
        let room = OrtTensor::from_array((shape.as_slice(), numbers))?;
        selected = selected.with(name.as_str()).preallocate(name.as_str(), room);
        names.push(name);
    }
    let options = RunOptions::new()?.with_outputs(selected);
    let input = TensorRef::from_array_view((shape, input))?;
    let answers = session.run_with_options(ort::inputs![input], &options)?;
    names
        .iter()
        .map(|name| Ok(answers[name.as_str()].try_extract_tensor::<f32>()?.1.to_vec()))
        .collect()
}

/// A tensor of a network, by the network's own account.
struct Found {
    name: String,
    kind: String,
    /// -1 where a size may vary.
    shape: Vec<i64>,
}

const F32: &str = "f32";

fn described(outlet: &Outlet) -> Found {
    let kind = outlet.dtype();
    let is_f32 = kind.tensor_type() == Some(TensorElementType::Float32);
    Found {
        name: outlet.name().to_owned(),
        kind: if is_f32 { F32.to_owned() } else { kind.to_string() },
        shape: kind.tensor_shape().map(|shape| shape.to_vec()).unwrap_or_default(),
    }
}

/// The network, and its inputs and outputs. Their names are not tract's, they are those of the file.
fn plan(
    mut bytes: &[u8],
    fixed: Option<&[usize]>,
) -> TractResult<(Arc<TypedRunnableModel>, [Vec<Found>; 2])> {
    let onnx = tract_onnx::onnx();
    let file = onnx.proto_model_for_read(&mut bytes)?;
    let model = onnx.model_for_proto_model(&file)?;
    let model = match fixed {
        Some(shape) => {
            model.with_input_fact(0, InferenceFact::dt_shape(f32::datum_type(), shape))?
        }
        None => model,
    };
    let model = model.into_optimized()?;
    let graph = file.graph.unwrap_or_default();
    // Older files list their weights among the inputs.
    let weights: BTreeSet<&str> = graph.initializer.iter().map(|w| w.name.as_str()).collect();
    let inputs =
        graph.input.iter().map(|port| &port.name).filter(|n| !weights.contains(n.as_str()));
    let outputs = graph.output.iter().map(|port| &port.name);
    let port = |name: &String, fact: &TypedFact| Found {
        name: name.clone(),
        kind: if fact.datum_type == f32::datum_type() {
            F32.into()
        } else {
            format!("{:?}", fact.datum_type)
        },
        shape: fact.shape.iter().map(|size| size.as_i64().unwrap_or(-1)).collect(),
    };
    let of = |names: Vec<&String>, outlets: &[OutletId]| -> TractResult<Vec<Found>> {
        names.into_iter().zip(outlets).map(|(n, o)| Ok(port(n, model.outlet_fact(*o)?))).collect()
    };
    let tensors = [
        of(inputs.collect(), model.input_outlets()?)?,
        of(outputs.collect(), model.output_outlets()?)?,
    ];
    Ok((model.into_runnable()?, tensors))
}

fn ask_plan(
    plan: &Arc<TypedRunnableModel>,
    input: &[f32],
    shape: &[usize],
    order: &[usize],
) -> TractResult<Vec<Vec<f32>>> {
    let input = Tensor::from_shape(shape, input)?;
    let answers = plan.run(tvec!(input.into()))?;
    let numbers =
        |place: &usize| Ok(answers[*place].to_plain_array_view::<f32>()?.iter().copied().collect());
    order.iter().map(numbers).collect()
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

/// The place in the network of each declared tensor.
fn check_ports(
    kind: &str,
    found: &[Found],
    declared: &[Port],
    is_fixed: bool,
) -> Result<Vec<usize>, String> {
    if found.len() != declared.len() {
        let (found, declared) = (found.len(), declared.len());
        return Err(format!("it has {found} {kind}s, expected {declared}"));
    }
    declared.iter().map(|declared| check_port(kind, found, declared, is_fixed)).collect()
}

fn check_port(
    kind: &str,
    found: &[Found],
    declared: &Port,
    is_fixed: bool,
) -> Result<usize, String> {
    let name = &declared.name;
    let place = found.iter().position(|found| found.name == *name).ok_or_else(|| {
        let names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
        format!("its {kind} is `{}`, but model.toml says `{name}`", names.join("`, `"))
    })?;
    let Found { kind: of, shape, .. } = &found[place];
    if of != F32 {
        return Err(format!("{kind} `{name}` is {of}, expected f32"));
    }
    let fits = shape.len() == declared.shape.len()
        && shape.iter().zip(&declared.shape).all(|(found, declared)| match declared {
            Dimension::Fixed(size) => found == size || (is_fixed && *found < 0),
            Dimension::Any(_) => *found < 0,
        });
    if fits {
        Ok(place)
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
