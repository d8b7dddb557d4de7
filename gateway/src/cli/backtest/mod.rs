//! `gatehouse backtest`: what a changed scene would have raised on what this box has kept.
//!
//! [`crate::backtest`] does it; here are what is asked for and what is told.
//!
//! The files are read beside a running gateway, and the journal through its socket as `gatehouse events`
//! does.

#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use gatehouse_core::reading::Timestamp;

use super::{INVALID, check};
use crate::backtest::report::Report;
use crate::backtest::span::{Moment, Span};
use crate::backtest::{Ground, try_scene};
use crate::clock;

/// Try a changed scene on what the box has kept of the past
///
/// Says per device and day which events the live scene raised, which the changed one would have raised,
/// surely or perhaps, and what the kept data cannot show. Days and times are UTC.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the configuration, which says where the store is
    #[arg(long, value_name = "DIR", default_value = "config")]
    pub config: PathBuf,
    /// The changed scene; it is taken for the configured one of its id
    #[arg(long, value_name = "FILE")]
    pub scene: PathBuf,
    /// From when on: RFC 3339, `YYYY-MM-DD`, or back from now as in `-7d`
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Moment,
    /// Until when; now when left out
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "-0s")]
    pub to: Moment,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(report) = look(args, clock::wall())? else { return Ok(ExitCode::from(INVALID)) };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        out.write_all(report.text().as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The whole work; `None` when what was asked for is wrong, which has been told.
fn look(args: &Args, now: Timestamp) -> anyhow::Result<Option<Report>> {
    let Some(span) = Span::new(args.from, args.to, now) else {
        eprintln!("error: `--from` is not before `--to`, or not before now");
        return Ok(None);
    };
    let changed = match check::load_changed(&args.config, &args.scene) {
        Ok(changed) => changed,
        Err(faults) => {
            faults.print();
            return Ok(None);
        }
    };
    for warning in &changed.warnings {
        eprintln!("warning: {warning}");
    }
    let setup = changed.loaded.into_setup();
    let ground = Ground {
        store: &setup.config.store.path,
        models: &setup.models,
        library: setup.config.models.onnxruntime.as_deref(),
    };
    try_scene(&setup.community, &changed.scene, span, ground).map(Some)
}
