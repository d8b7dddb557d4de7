//! `gatehouse models`: what is installed, whether it is what it was when it was tested, and how fast it
//! runs on this box.
//!
//! Only `gateway.toml` is read, for the folders and the engine; a fault in a scene keeps nobody from
//! looking at the models. [`bench`] takes the times; [`look`] shows a picture; [`compare`] and [`promote`] are about the candidate
//! that runs beside them.

mod bench;
mod compare;
mod look;
mod promote;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gatehouse_core::community::quantity::Language;
use gatehouse_core::pipeline::Question;
use serde_json::{Value, json};

use super::{INVALID, check};
use crate::bundle::BundleError;
use crate::bundle::installed::Layer;
use crate::config::GatewayConfig;
use crate::infer::manifest::{About, Tensor};
use crate::infer::noise::Noise;
use crate::infer::{InferError, Models, Shelves, about, engine_name, try_out};

/// Look at the models of this box
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of gateway.toml, which says where the models are
    #[arg(long, value_name = "DIR", default_value = "config", global = true)]
    pub config: PathBuf,
    /// Write one JSON object to stdout
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Debug, Clone, clap::Subcommand)]
pub enum Action {
    /// What is installed, and which engine runs it
    List,
    /// Check each model: checksum, tensors, and its own test vectors on the engine that would run it
    Verify,
    /// Time each model here: asked about one window and about 64 at once, or about a picture
    Bench {
        /// Ask about so many windows, 64 at a time, instead of for half a second
        #[arg(long, value_name = "N")]
        rows: Option<NonZeroUsize>,
        /// Show this JPEG to the models of pictures, and time the whole way; else a made-up picture
        #[arg(long, value_name = "FILE")]
        picture: Option<PathBuf>,
    },
    /// Compare the candidate with the live one: what each raised, and its budgets of false alarms
    Compare,
    /// Put the candidate in the place of what is installed; that is kept for going back
    Promote {
        /// Though it broke its budget, or has run for less than a day
        #[arg(long)]
        anyway: bool,
    },
    /// Remove the candidate
    DropCandidate,
    /// Print what a model of pictures sees in a JPEG, in numbers
    #[command(hide = true)]
    Look { model: String, picture: PathBuf },
    /// Print what a model answers to made-up windows, a line each, to compare engines
    #[command(hide = true)]
    Answers {
        model: String,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[arg(long, default_value_t = 64)]
        rows: usize,
    },
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let check::Gateway { config, models: shelves, bundle } = match check::load_gateway(&args.config)
    {
        Ok(gateway) => gateway,
        Err(faults) => {
            faults.print();
            return Ok(ExitCode::from(INVALID));
        }
    };
    let told = match &args.action {
        Action::List => list(&config, &shelves, &bundle)?,
        Action::Verify => verify(&config, &shelves, &bundle)?,
        Action::Bench { rows, picture } => {
            bench::bench(&config, &shelves, *rows, picture.as_deref())?
        }
        Action::Look { model, picture } => look::look(&config, &shelves, model, picture)?,
        Action::Answers { model, seed, rows } => answers(&config, &shelves, model, *seed, *rows)?,
        Action::Compare => compare::compare(&config)?,
        Action::Promote { anyway } => promote::promote(&args.config, &config, *anyway)?,
        Action::DropCandidate => promote::drop_candidate(&config)?,
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", told.json)?;
    } else {
        out.write_all(told.text.as_bytes())?;
    }
    Ok(if told.holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a command has to say.
struct Told {
    json: Value,
    text: String,
    /// Everything is as it should be.
    holds: bool,
}

fn library(config: &GatewayConfig) -> Option<&Path> {
    config.models.onnxruntime.as_deref()
}

fn list(
    config: &GatewayConfig,
    shelves: &Shelves,
    bundle: &Result<Option<Layer>, BundleError>,
) -> anyhow::Result<Told> {
    let engine = engine_name(library(config))?;
    let (mut models, mut faults) = (Vec::new(), Vec::new());
    let mut text = format!("inference runs on {engine}\n");
    for name in shelves.names() {
        match about(shelves, &name) {
            Ok(about) => {
                let layer = bundle.as_ref().ok().and_then(Option::as_ref);
                let layer = layer.filter(|layer| about.folder.starts_with(&layer.folder));
                text += &described(&about, layer);
                let mut model = serde_json::to_value(about)?;
                model["signed-by"] = json!(layer.map(|layer| &layer.signer));
                model["bundle"] = json!(layer.map(|layer| &layer.title));
                models.push(model);
            }
            Err(error) => {
                let reason = reason(error);
                let _ = writeln!(text, "\n{name}: cannot be read\n  {reason}");
                faults.push(json!({ "name": name, "reason": reason }));
            }
        }
    }
    if models.is_empty() && faults.is_empty() {
        let _ = writeln!(text, "no model in {shelves}");
    }
    let holds = faults.is_empty();
    Ok(Told { json: json!({ "engine": engine, "models": models, "faults": faults }), text, holds })
}

fn described(about: &About, layer: Option<&Layer>) -> String {
    let About { name, version, title, licence, training_data, inputs, outputs, labels, .. } = about;
    let mut text = format!("\n{name} {version}: {}\n", title.get(Language::En));
    let _ = writeln!(text, "  in       {}", tensors(inputs));
    let _ = writeln!(text, "  out      {}", tensors(outputs));
    if !labels.is_empty() {
        let _ = writeln!(text, "  labels   {}", labels.join(", "));
    }
    let _ = writeln!(text, "  sha256   {}", about.sha256);
    let _ = writeln!(text, "  licence  {licence}");
    let _ = writeln!(text, "  trained  {training_data}");
    let figures: Vec<String> =
        about.figures.iter().map(|(name, n)| format!("{name} {n}")).collect();
    let _ = writeln!(text, "  figures  {}", figures.join(", "));
    let _ = writeln!(text, "  tests    {}", about.tests);
    let signed = layer.map_or_else(
        || "nobody: no bundle brought it".to_owned(),
        |layer| format!("{} (bundle {})", layer.signer, layer.title),
    );
    let _ = writeln!(text, "  signed   {signed}");
    let _ = writeln!(text, "  folder   {}", about.folder.display());
    text
}

fn tensors(tensors: &[Tensor]) -> String {
    let one = |t: &Tensor| format!("{} [{}]: {}", t.name, t.shape.join(", "), t.unit);
    tensors.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Opens every installed model, as `run` opens those that a scene names.
fn verify(
    config: &GatewayConfig,
    shelves: &Shelves,
    bundle: &Result<Option<Layer>, BundleError>,
) -> anyhow::Result<Told> {
    let engine = engine_name(library(config))?;
    let mut text = format!("inference runs on {engine}\n");
    let mut holds = bundle.is_ok();
    let refused = bundle.as_ref().err().map(ToString::to_string);
    match bundle {
        Ok(None) => {}
        Ok(Some(Layer { title, signer, .. })) => {
            let _ = writeln!(text, "bundle {title}: holds (signed by {signer})");
        }
        Err(error) => {
            let _ = writeln!(text, "bundle: REFUSED\n  {error}");
        }
    }
    let mut models = Vec::new();
    for name in shelves.names() {
        let opened = try_out(shelves, &name, library(config));
        let fault = opened.err().map(reason);
        holds &= fault.is_none();
        match &fault {
            None => {
                let about = about(shelves, &name)?;
                let _ = writeln!(
                    text,
                    "{name} {}: holds ({} tests, sha256 {})",
                    about.version, about.tests, about.sha256
                );
            }
            Some(reason) => {
                let _ = writeln!(text, "{name}: REFUSED\n  {reason}");
            }
        }
        models.push(json!({ "name": name, "holds": fault.is_none(), "reason": fault }));
    }
    let title = bundle.as_ref().ok().and_then(Option::as_ref).map(|layer| &layer.title);
    let bundle = json!({ "installed": title, "reason": refused });
    Ok(Told { json: json!({ "engine": engine, "bundle": bundle, "models": models }), text, holds })
}

/// With its causes, in one line.
fn reason(error: InferError) -> String {
    format!("{:#}", anyhow::Error::new(error))
}

fn answers(
    config: &GatewayConfig,
    shelves: &Shelves,
    model: &str,
    seed: u64,
    rows: usize,
) -> anyhow::Result<Told> {
    let mut models = Models::open(shelves, [model], library(config))?;
    let mut noise = Noise::new(seed);
    let mut lines = Vec::new();
    for _ in 0..rows {
        let answer = ask(&mut models, model, 1, &mut noise)?;
        lines.push(answer);
    }
    let text = lines.iter().fold(String::new(), |mut text, line| {
        let line: Vec<String> = line.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "{}", line.join(","));
        text
    });
    let json = json!({ "engine": models.engine_name(), "answers": lines });
    Ok(Told { json, text, holds: true })
}

/// What a model says to made-up windows.
fn ask(
    models: &mut Models,
    model: &str,
    rows: usize,
    noise: &mut Noise,
) -> anyhow::Result<Vec<f32>> {
    let width = models.specs().iter().find(|spec| spec.name == model).map_or(0, |spec| spec.window);
    let features = noise.features(width * rows);
    let question = Question { id: 0, model: model.to_owned(), features, rows };
    models.answer(&question).outputs.map_err(anyhow::Error::msg)
}
