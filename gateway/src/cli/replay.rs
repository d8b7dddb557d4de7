//! `gatehouse replay`: recorded data through the same pipeline as `run`, in the data's own time.
//!
//! A row becomes a frame of values at the row's time; before the next row every model has answered.
//! So a row's score depends on the rows up to it and on nothing else, and a recording gives the same
//! scores and events on every machine.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use gatehouse_core::community::build::recording_type;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::community::scene::{Scene, Status};
use gatehouse_core::community::{Address, Community, Device, Source, SourceKind, site};
use gatehouse_core::event::message::Transition;
use gatehouse_core::pipeline::{Input, Output, Pipeline, Restored, Settings};
use gatehouse_core::reading::{Body, DeviceIndex, Frame, SourceIndex, Timestamp};

use super::{INVALID, check};
use crate::infer::Models;

/// How long after the last row delays may still run out.
const AFTERMATH: Duration = Duration::from_hours(24);

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
    /// The recording
    #[arg(long, value_name = "FILE.csv")]
    pub input: PathBuf,
    /// Write `timestamp,score,event` here, a row per row of the recording
    #[arg(long, value_name = "FILE.csv")]
    pub scores: Option<PathBuf>,
    /// Write the event messages here, a JSON object a line
    #[arg(long, value_name = "FILE.jsonl")]
    pub events: Option<PathBuf>,
}

/// What came of a recording.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Summary {
    rows: u64,
    refused: u64,
    opened: u64,
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
    let file = File::open(&args.input)
        .with_context(|| format!("cannot open `{}`", args.input.display()))?;
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let columns = Columns::of(rows.headers()?, &args.input)?;
    let Some(community) = community(&setup.community, args, &columns.points) else {
        return Ok(ExitCode::from(INVALID));
    };
    let models =
        open_models(&community, &setup.models, setup.config.models.onnxruntime.as_deref())?;
    let mut replay = Replay::new(community, models, args)?;
    let mut record = csv::StringRecord::new();
    while rows.read_record(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        let place = || format!("{}:{line}", args.input.display());
        let at = record.get(columns.timestamp).unwrap_or_default();
        let at: Timestamp = at.parse().with_context(place)?;
        let values = columns.values(&record).with_context(place)?;
        replay.row(at, values, record.get(columns.timestamp).unwrap_or_default())?;
    }
    let summary = replay.finish()?;
    writeln!(
        std::io::stdout().lock(),
        "{} rows, {} refused, {} events opened",
        summary.rows,
        summary.refused,
        summary.opened
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Where the time and the points stand in a row.
struct Columns {
    timestamp: usize,
    points: Vec<String>,
    positions: Vec<usize>,
}

impl Columns {
    fn of(header: &csv::StringRecord, file: &Path) -> anyhow::Result<Self> {
        let Some(timestamp) = header.iter().position(|name| name.trim() == "timestamp") else {
            bail!("{}:1: the header has no column `timestamp`", file.display());
        };
        let others = || header.iter().enumerate().filter(move |(i, _)| *i != timestamp);
        let points: Vec<String> = others().map(|(_, name)| name.trim().to_owned()).collect();
        if points.is_empty() {
            bail!("{}:1: the header has no column besides `timestamp`", file.display());
        }
        if points.iter().collect::<BTreeSet<_>>().len() != points.len() {
            bail!("{}:1: two columns have the same name", file.display());
        }
        Ok(Self { timestamp, points, positions: others().map(|(i, _)| i).collect() })
    }

    /// Empty cells and `NaN` are no data; anything else must be a number.
    fn values(&self, record: &csv::StringRecord) -> anyhow::Result<Vec<f64>> {
        let value = |(position, name): (&usize, &String)| {
            let cell = record.get(*position).unwrap_or_default().trim();
            if cell.is_empty() {
                return Ok(f64::NAN);
            }
            cell.parse::<f64>().with_context(|| format!("column `{name}`: `{cell}` is no number"))
        };
        self.positions.iter().zip(&self.points).map(value).collect()
    }
}

/// A community of one device; `None` after telling what does not exist.
fn community(shipped: &Community, args: &Args, points: &[String]) -> Option<Community> {
    let types = || shipped.device_types.iter();
    let Some(device_type) = types().find(|t| t.head.id == args.device_type) else {
        let ids: Vec<&str> = types().map(|t| t.head.id.as_str()).collect();
        eprintln!(
            "error: there is no device type `{}`; there are {}",
            args.device_type,
            ids.join(", ")
        );
        return None;
    };
    let device_type = Arc::new(recording_type(device_type, points));
    let wanted = |scene: &&Arc<Scene>| match &args.scene {
        Some(id) => scene.head.id == *id,
        None => scene.head.status == Status::Live,
    };
    let scenes: Vec<Arc<Scene>> = shipped.scenes.iter().filter(wanted).cloned().collect();
    if let Some(id) = &args.scene
        && scenes.is_empty()
    {
        let ids: Vec<&str> = shipped.scenes.iter().map(|s| s.head.id.as_str()).collect();
        eprintln!("error: there is no scene `{id}`; there are {}", ids.join(", "));
        return None;
    }
    Some(Community {
        areas: vec![site::Area {
            id: "replay".into(),
            title: Text::new("回放", "replay"),
            people: 0,
        }],
        feeders: Vec::new(),
        sources: vec![Source { id: "replay".into(), kind: SourceKind::Replay }],
        devices: vec![Device {
            id: "replay".into(),
            title: device_type.head.title.clone(),
            device_type: Arc::clone(&device_type),
            area: 0,
            location: None,
            feeder: None,
            source: SourceIndex(0),
            address: Address::Replay,
        }],
        scenes,
        ..shipped.clone()
    })
}

fn open_models(
    community: &Community,
    folder: &Path,
    library: Option<&Path>,
) -> anyhow::Result<Models> {
    let detectors = community.scenes.iter().flat_map(|scene| &scene.detectors);
    let names: BTreeSet<&str> = detectors.filter_map(|d| d.model.as_deref()).collect();
    Ok(Models::open(folder, names, library)?)
}

/// A recording under way.
struct Replay {
    pipeline: Pipeline,
    models: Models,
    now: Timestamp,
    scores: Option<BufWriter<File>>,
    events: Option<BufWriter<File>>,
    /// Whether an event has opened since the last row.
    has_opened: bool,
    summary: Summary,
}

impl Replay {
    fn new(community: Community, models: Models, args: &Args) -> anyhow::Result<Self> {
        let settings = Settings { gather: Duration::ZERO, is_live: false };
        let start = Timestamp(0);
        let pipeline = Pipeline::new(Arc::new(community), settings, Restored::default(), start)?;
        let create = |path: &PathBuf| {
            File::create(path)
                .map(BufWriter::new)
                .with_context(|| format!("cannot write `{}`", path.display()))
        };
        let mut scores = args.scores.as_ref().map(create).transpose()?;
        if let Some(scores) = &mut scores {
            writeln!(scores, "timestamp,score,event")?;
        }
        Ok(Self {
            pipeline,
            models,
            now: start,
            scores,
            events: args.events.as_ref().map(create).transpose()?,
            has_opened: false,
            summary: Summary::default(),
        })
    }

    fn row(&mut self, at: Timestamp, values: Vec<f64>, written: &str) -> anyhow::Result<()> {
        self.pass_until(at)?;
        self.has_opened = false;
        self.now = self.now.max(at);
        let frame =
            Frame { device: DeviceIndex(0), ticket: None, body: Body::Values { at, values } };
        let asked = self.pipeline.asked();
        self.pipeline.handle(Input::Frame(frame), self.now);
        self.drain()?;
        self.pipeline.handle_timeout(self.now);
        self.drain()?;
        self.summary.rows += 1;
        if let Some(scores) = &mut self.scores {
            // A row that was no sample (refused, no data) says nothing by itself.
            let is_new = self.pipeline.asked() > asked;
            let score = self.pipeline.score(DeviceIndex(0)).filter(|_| is_new);
            let event = u8::from(self.has_opened);
            writeln!(scores, "{written},{:.6},{event}", score.unwrap_or(0.0))?;
        }
        Ok(())
    }

    /// Carries out what is due before `until`.
    fn pass_until(&mut self, until: Timestamp) -> anyhow::Result<()> {
        while let Some(due) = self.pipeline.poll_timeout()
            && due < until
        {
            self.now = self.now.max(due);
            self.pipeline.handle_timeout(self.now);
            self.drain()?;
        }
        Ok(())
    }

    fn drain(&mut self) -> anyhow::Result<()> {
        while let Some(output) = self.pipeline.poll_output() {
            match output {
                Output::Store(batch) => {
                    for record in &batch.records {
                        let opened = format!("gatehouse.event.{}\"", Transition::Opened.word());
                        if contains(&record.json, opened.as_bytes()) {
                            self.has_opened = true;
                            self.summary.opened += 1;
                        }
                        if let Some(events) = &mut self.events {
                            events.write_all(&record.json)?;
                            events.write_all(b"\n")?;
                        }
                    }
                    self.pipeline.handle(Input::Stored { through: batch.number }, self.now);
                }
                Output::Ask(question) => {
                    let answer = self.models.answer(&question);
                    self.pipeline.handle(Input::Answer(answer), self.now);
                }
                Output::Settle(_) => {}
            }
        }
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<Summary> {
        self.pass_until(self.now + AFTERMATH)?;
        self.summary.refused = self.pipeline.view(self.now).counts.refused.values().sum();
        for mut file in self.scores.into_iter().chain(self.events) {
            file.flush()?;
        }
        Ok(self.summary)
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
