//! `gatehouse replay`: recorded data through the same pipeline as `run`, in the data's own time.
//!
//! A row becomes a frame of values at the row's time; before the next row every model has answered.
//! So a row's score depends on the rows up to it and on nothing else, and a recording gives the same
//! scores and events on every machine. [`recording`] reads rows and refuses what is none, [`stage`]
//! builds the community of one device, [`play`] runs it, [`summary`] says what came of it.

mod play;
mod recording;
pub(super) mod stage;
mod summary;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::{INVALID, check};
use crate::infer::Models;
use play::{Replay, Row};
use recording::{Recording, Written};
use summary::Summary;

/// Run recorded data through the gateway's own code
///
/// The CSV has a header; its column `timestamp` is RFC 3339 or `YYYY-MM-DD HH:MM:SS` (UTC), every
/// other column a point.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of device-types/ and scenes/
    #[arg(long, value_name = "DIR", default_value = "config")]
    pub config: PathBuf,
    /// What recorded it; `generic-series` takes every column as a point
    #[arg(long, value_name = "ID")]
    pub device_type: String,
    /// Only this scene; every live one that fits the device type when left out
    #[arg(long, value_name = "ID")]
    pub scene: Option<String>,
    /// The recording; `-` reads it from stdin
    #[arg(long, value_name = "FILE.csv")]
    pub input: PathBuf,
    /// Write `timestamp,score,event` here, a row per row of the recording
    #[arg(long, value_name = "FILE.csv")]
    pub scores: Option<PathBuf>,
    /// Write the event messages here, a JSON object a line
    #[arg(long, value_name = "FILE.jsonl")]
    pub events: Option<PathBuf>,
    /// Write the summary as one JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let loaded = match check::load(&args.config) {
        Ok(loaded) => loaded,
        Err(faults) => {
            faults.print();
            return Ok(ExitCode::from(INVALID));
        }
    };
    let setup = loaded.into_setup();
    let (name, input) = open(&args.input)?;
    let mut recording = Recording::open(&name, input)?;
    let wanted = stage::Wanted { device_type: &args.device_type, scene: args.scene.as_deref() };
    let community = match stage::set(&setup.community, wanted, recording.points()) {
        Ok((community, warnings)) => {
            for warning in warnings {
                eprintln!("warning: {warning}");
            }
            community
        }
        Err(fault) => {
            eprintln!("error: {fault}");
            return Ok(ExitCode::from(INVALID));
        }
    };
    for written in [&args.scores, &args.events].into_iter().flatten() {
        if is_same_file(written, &args.input) {
            eprintln!("error: `{}` is the recording itself; name another file", written.display());
            return Ok(ExitCode::from(INVALID));
        }
    }
    let names = stage::models(&community);
    let models = Models::open(&setup.models, names, setup.config.models.onnxruntime.as_deref())?;
    let mut scores = args.scores.as_deref().map(create).transpose()?.map(csv::Writer::from_writer);
    if let Some(scores) = &mut scores {
        scores.write_record(["timestamp", "score", "event"])?;
    }
    let events = args.events.as_deref().map(create).transpose()?;
    let mut replay = Replay::new(community, models, events)?;
    while let Some(Written { timestamp, values }) = recording.next()? {
        // A row without a time has no place among the others, but keeps its line.
        let row = match values {
            Some((at, values)) => replay.row(at, values)?,
            None => Row::REFUSED,
        };
        if let Some(scores) = &mut scores {
            let event = if row.opens { "1" } else { "0" };
            scores.write_record([timestamp.as_str(), &format!("{:.6}", row.score), event])?;
        }
    }
    scores.map(|mut file| file.flush()).transpose()?;
    let (opened, counts) = replay.finish()?;
    let summary = Summary::new(recording.finish(), opened, &counts);
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&summary)?)?;
    } else {
        out.write_all(summary.text().as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether both names lead to one file, by whatever way.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| path.metadata().ok().map(|data| (data.dev(), data.ino()));
    file(one).is_some_and(|one| file(other) == Some(one))
}

/// The recording, and what to call it.
fn open(path: &Path) -> anyhow::Result<(String, Box<dyn Read>)> {
    if path == Path::new("-") {
        return Ok(("stdin".to_owned(), Box::new(std::io::stdin().lock())));
    }
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot open `{name}`"))?;
    Ok((name, Box::new(file)))
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    File::create(path)
        .map(BufWriter::new)
        .with_context(|| format!("cannot write `{}`", path.display()))
}
