//! `gatehouse backtest`: what a changed scene would have raised on what this box has kept.
//!
//! Kept are the statistics of each quarter of an hour, and every reading around events
//! ([`crate::store::kept`]). [`past`] reads them,
//! [`trial`] judges them by the changed scene, [`play`] is the pipeline for what has to be played,
//! [`report`] holds it against what the live scene raised, by the journal, and [`limits`] says what
//! nobody can know.
//!
//! The files are read beside a running gateway, and the journal through its socket as `gatehouse events`
//! does.

mod limits;
mod past;
mod play;
mod report;
mod span;
#[cfg(test)]
mod tests;
mod trial;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use gatehouse_core::event::message::Message;
use gatehouse_core::reading::Timestamp;

use super::{INVALID, check};
use crate::clock;
use crate::infer::Models;
use crate::journal::ask::Journal;
use past::Past;
use report::Report;
use span::{Moment, Span};
use trial::Trial;

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
    let store = &setup.config.store.path;
    let trial = Trial::new(&setup.community, &changed.scene)?;
    let live = play::raised(&live(&Journal::open(store)?, &changed.scene)?);
    let past = Past::read(store, &setup.community, span.before(trial.warm_up()))
        .with_context(|| format!("cannot read what is kept in {}", store.display()))?;
    let names = trial.models();
    let library = setup.config.models.onnxruntime.as_deref();
    let models =
        if names.is_empty() { None } else { Some(Models::open(&setup.models, names, library)?) };
    let found = trial.run(&past, span, models)?;
    Ok(Some(Report::new(&trial, &past, &live, found, span)))
}

/// What the live scene of that id told.
fn live(journal: &Journal, scene: &str) -> anyhow::Result<Vec<Message>> {
    let mut messages = Vec::new();
    for line in journal.lines()? {
        let line = line?;
        let message: Message = serde_json::from_str(&line.json)
            .with_context(|| format!("sequence {} holds no event message", line.sequence))?;
        if message.data.scene == scene {
            messages.push(message);
        }
    }
    Ok(messages)
}
