//! `gatehouse bundle`: make, look at, install and take back signed models and configuration.
//!
//! What is installed takes effect when the gateway loads its configuration: at a start, or at SIGHUP.
//! Installing and going back put the configuration as it would be through everything that `check`
//! does, models and stories included, so that neither can leave a gateway that would not start.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::check::{Faults, Over, load_all};
use super::{INVALID, check};
use crate::bundle::head::Head;
use crate::bundle::installed::{Before, Installed, Layer, Terms};
use crate::bundle::keys::{self, Signer, Trust};
use crate::bundle::{BundleError, pack};
use crate::config::GatewayConfig;
use crate::infer::{Shelves, try_out};
use crate::shadow::misfit;
use crate::simulate::scratch::Scratch;

/// Signed bundles of models and configuration
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the configuration, which says whose bundles are believed and where the store is
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
    /// Make a pair of keys: FILE, which signs and stays secret, and FILE.pub, which gateways trust
    Keygen { file: PathBuf },
    /// Sign a folder: bundle.toml with `name` and `version`, community.toml, device-types/, scenes/,
    /// models/
    Sign {
        /// The private key
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        folder: PathBuf,
        /// NAME-VERSION.bundle in the present folder when left out
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Check a bundle without installing it: signature, files, and its models with their tests
    Verify {
        file: PathBuf,
        /// Believe this public key instead of those in the configuration
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Check a bundle with all that it will work with, and put it in the place of the one before
    Install {
        file: PathBuf,
        /// As a candidate: it runs beside the one that stands, tells nobody, and is compared
        /// (`gatehouse models compare`) until it is promoted or dropped
        #[arg(long)]
        shadow: bool,
        /// Though it is an older version of what is installed
        #[arg(long)]
        older: bool,
    },
    /// Go back to what was installed before; once more undoes that
    Rollback,
}

/// What installing does not do.
pub(super) const THEN: &str = "takes effect when the gateway is started or gets SIGHUP";

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let told = match &args.action {
        Action::Keygen { file } => {
            keys::generate(file)?;
            serde_json::json!({ "private": file, "public": format!("{}.pub", file.display()) })
        }
        Action::Sign { key, folder, out } => {
            let (file, contents) = pack::sign(folder, &Signer::read(key)?, out.clone())?;
            serde_json::json!({ "file": file, "bundle": contents.title(), "files": contents.files.len() })
        }
        Action::Verify { file, key: Some(key) } => verify(file, &Trust::read(&[key])?, None)?,
        Action::Verify { .. } | Action::Install { .. } | Action::Rollback => {
            let gateway = match check::load_gateway(&args.config) {
                Ok(gateway) => gateway,
                Err(faults) => {
                    faults.print();
                    return Ok(ExitCode::from(INVALID));
                }
            };
            of_gateway(args, &gateway.config)?
        }
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{told}")?;
    } else {
        for (key, value) in told.as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            writeln!(out, "{key}: {text}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What only a gateway can do.
fn of_gateway(args: &Args, config: &GatewayConfig) -> anyhow::Result<serde_json::Value> {
    let trust = Trust::read(&config.bundles.trusted_keys)?;
    let installed = Installed::below(&config.store.path);
    let then = THEN;
    Ok(match &args.action {
        Action::Install { file, shadow, older } => {
            let terms = Terms { beside: *shadow, may_be_older: *older };
            let refused = || format!("{} is refused; nothing has changed", file.display());
            let judge = |layer: &Layer| judge_as(&args.config, layer, terms);
            let layer = installed.install(file, &trust, terms, judge).with_context(refused)?;
            let place = if *shadow { "candidate" } else { "installed" };
            serde_json::json!({
                place: layer.title, "signed-by": layer.signer, "folder": layer.folder, "note": then
            })
        }
        Action::Rollback => {
            let layer = installed.go_back(&trust, |layer| judge(&args.config, layer))?;
            let title = layer.map_or_else(|| "no bundle".to_owned(), |layer| layer.title);
            serde_json::json!({ "installed": title, "note": then })
        }
        Action::Verify { file, .. } => verify(file, &trust, config.models.onnxruntime.as_deref())?,
        Action::Keygen { .. } | Action::Sign { .. } => serde_json::Value::Null,
    })
}

/// Puts the configuration with this bundle through all that `check` does.
fn judge_as(folder: &Path, layer: &Layer, terms: Terms) -> Result<(), BundleError> {
    judge(folder, Some(layer))?;
    if terms.beside { judge_beside(folder, layer) } else { Ok(()) }
}

/// Installs a bundle for a gateway that runs, never an older one: [`Installed::settle`] when it is in effect,
/// [`Installed::take_back`] when it cannot be.
pub(super) fn install_running(
    folder: &Path,
    file: &Path,
    shadow: bool,
) -> anyhow::Result<(Installed, Layer, Before)> {
    let gateway = check::load_gateway(folder).map_err(|faults| anyhow::anyhow!(faults.plain()))?;
    let trust = Trust::read(&gateway.config.bundles.trusted_keys)?;
    let installed = Installed::below(&gateway.config.store.path);
    let terms = Terms { beside: shadow, may_be_older: false };
    let judge = |layer: &Layer| judge_as(folder, layer, terms);
    let (layer, before) = installed.install_on_trial(file, &trust, terms, judge)?;
    Ok((installed, layer, before))
}

/// Goes back from a promoted bundle that broke its budget; gives the name of what is back.
pub(super) fn withdraw(folder: &Path, id: &str) -> anyhow::Result<String> {
    let gateway = check::load_gateway(folder).map_err(|faults| anyhow::anyhow!(faults.plain()))?;
    let trust = Trust::read(&gateway.config.bundles.trusted_keys)?;
    let installed = Installed::below(&gateway.config.store.path);
    let layer = installed.withdraw(id, &trust, |layer| judge(folder, layer))?;
    Ok(layer.map_or_else(|| "no bundle".to_owned(), |layer| layer.title))
}

/// A candidate must read the same devices as the configuration that runs.
fn judge_beside(folder: &Path, candidate: &Layer) -> Result<(), BundleError> {
    let read = |over| check::load_with(folder, over).map_err(|faults| would_have(&faults));
    let live = read(Over::Installed)?;
    let beside = read(Over::This(Some(candidate)))?;
    let why = misfit(&live.built.community, &beside.built.community);
    why.map_or(Ok(()), |why| Err(BundleError::Refused(why)))
}

/// The configuration as it would be.
pub(super) fn judge(folder: &Path, layer: Option<&Layer>) -> Result<(), BundleError> {
    load_all(folder, Over::This(layer)).map(drop).map_err(|faults| would_have(&faults))
}

fn would_have(faults: &Faults) -> BundleError {
    let faults = faults.plain();
    BundleError::Refused(format!(
        "the configuration would have these faults:\n{}",
        faults.trim_end()
    ))
}

fn verify(
    file: &Path,
    trust: &Trust,
    onnxruntime: Option<&Path>,
) -> anyhow::Result<serde_json::Value> {
    let scratch = Scratch::new().context("cannot make a temporary folder")?;
    let mut bytes = BufReader::new(
        File::open(file).with_context(|| format!("cannot read {}", file.display()))?,
    );
    let refused = || format!("{} is refused", file.display());
    let head = Head::read(&mut bytes, trust).with_context(refused)?;
    head.unpack(&mut bytes, scratch.path()).with_context(refused)?;
    let shelves = Shelves::from(scratch.path().join("models").as_path());
    let models = shelves.names();
    for name in &models {
        try_out(&shelves, name, onnxruntime).with_context(refused)?;
    }
    Ok(serde_json::json!({
        "bundle": head.contents.title(),
        "signed-by": head.signer,
        "files": head.contents.files.len(),
        "models": models.join(", "),
    }))
}
