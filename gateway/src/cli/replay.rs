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
use gatehouse_core::community::device_type::DeviceType;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::community::scene::{Scene, SceneHead, Status};
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
    let mut scores = args.scores.as_ref().map(create).transpose()?;
    if let Some(scores) = &mut scores {
        writeln!(scores, "timestamp,score,event")?;
    }
    let events = args.events.as_ref().map(create).transpose()?;
    let mut replay = Replay::new(community, models, events)?;
    let mut record = csv::StringRecord::new();
    while rows.read_record(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        let place = || format!("{}:{line}", args.input.display());
        let written = record.get(columns.timestamp).unwrap_or_default();
        let at: Timestamp = written.parse().with_context(place)?;
        let values = columns.values(&record).with_context(place)?;
        let Row { score, opens } = replay.row(at, values)?;
        if let Some(scores) = &mut scores {
            writeln!(scores, "{written},{score:.6},{}", u8::from(opens))?;
        }
    }
    let summary = replay.finish()?;
    scores.map(|mut file| file.flush()).transpose()?;
    writeln!(
        std::io::stdout().lock(),
        "{} rows, {} refused, {} events opened",
        summary.rows,
        summary.refused,
        summary.opened
    )?;
    Ok(ExitCode::SUCCESS)
}

fn create(path: &PathBuf) -> anyhow::Result<BufWriter<File>> {
    File::create(path)
        .map(BufWriter::new)
        .with_context(|| format!("cannot write `{}`", path.display()))
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
    let known =
        |column: &&String| device_type.head.any_point || device_type.point(column).is_some();
    for column in points.iter().filter(|column| !known(column)) {
        eprintln!(
            "warning: {}:1: column `{column}` is no point of `{}`; it is taken as a number without \
             unit or limits",
            args.input.display(),
            device_type.head.id
        );
    }
    let device_type = Arc::new(recording_type(device_type, points));
    let wanted = |scene: &&Arc<Scene>| match &args.scene {
        Some(id) => scene.head.id == *id,
        None => scene.head.status == Status::Live,
    };
    // A scene that is asked for by name is played even while it is on trial or off.
    let on_stage = |scene: &Arc<Scene>| {
        let head = SceneHead { status: Status::Live, review: false, ..scene.head.clone() };
        Arc::new(Scene { head, ..Scene::clone(scene) })
    };
    let scenes: Vec<Arc<Scene>> = shipped.scenes.iter().filter(wanted).map(on_stage).collect();
    if let Some(id) = &args.scene
        && scenes.is_empty()
    {
        let ids: Vec<&str> = shipped.scenes.iter().map(|s| s.head.id.as_str()).collect();
        eprintln!("error: there is no scene `{id}`; there are {}", ids.join(", "));
        return None;
    }
    Some(one_device(&device_type, scenes, shipped))
}

/// The configured community with nothing in it but the recording's device.
fn one_device(
    device_type: &Arc<DeviceType>,
    scenes: Vec<Arc<Scene>>,
    shipped: &Community,
) -> Community {
    let title = Text::new("回放", "replay");
    Community {
        areas: vec![site::Area { id: "replay".into(), title: title.clone(), people: 0 }],
        feeders: Vec::new(),
        sources: vec![Source { id: "replay".into(), kind: SourceKind::Replay }],
        devices: vec![Device {
            id: "replay".into(),
            title,
            device_type: Arc::clone(device_type),
            area: 0,
            location: None,
            feeder: None,
            source: SourceIndex(0),
            address: Address::Replay,
        }],
        scenes,
        ..shipped.clone()
    }
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
struct Replay<W> {
    pipeline: Pipeline,
    models: Models,
    now: Timestamp,
    /// Where event messages go.
    events: Option<W>,
    summary: Summary,
}

/// What came of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    /// 0..1; 0 for a row that was no sample (refused, no data, too soon after the one before).
    score: f64,
    /// An event opened at this row, or in the time before it since the last one.
    opens: bool,
}

impl<W: Write> Replay<W> {
    fn new(community: Community, models: Models, events: Option<W>) -> anyhow::Result<Self> {
        let settings = Settings { gather: Duration::ZERO, is_live: false };
        let now = Timestamp(0);
        let pipeline = Pipeline::new(Arc::new(community), settings, Restored::default(), now)?;
        Ok(Self { pipeline, models, now, events, summary: Summary::default() })
    }

    fn row(&mut self, at: Timestamp, values: Vec<f64>) -> anyhow::Result<Row> {
        let opened = self.summary.opened;
        self.pass_until(at)?;
        self.now = self.now.max(at);
        let asked = self.pipeline.asked();
        let frame =
            Frame { device: DeviceIndex(0), ticket: None, body: Body::Values { at, values } };
        self.pipeline.handle(Input::Frame(frame), self.now);
        self.drain()?;
        self.pipeline.handle_timeout(self.now);
        self.drain()?;
        self.summary.rows += 1;
        let is_sample = self.pipeline.asked() > asked;
        let model = self.pipeline.score(DeviceIndex(0)).filter(|_| is_sample);
        let rule = f64::from(u8::from(self.pipeline.has_rule_speaking(DeviceIndex(0))));
        let score = model.unwrap_or(0.0).max(rule);
        Ok(Row { score, opens: self.summary.opened > opened })
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
        self.events.map(|mut file| file.flush()).transpose()?;
        Ok(self.summary)
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SERIES: &str = r#"
        [device-type]
        id = "series"
        title = { zh = "序列", en = "series" }
        via = "replay"
        [[point]]
        name = "value"
        at = {}
        unit = "1"
    "#;
    const UNUSUAL: &str = r#"
        [scene]
        id = "unusual"
        title = { zh = "异常", en = "unusual" }
        category = "environment"
        advice = { zh = "看", en = "look" }
        [[detector]]
        id = "forecast"
        model = "window-forecast"
        threshold = 0.999
    "#;

    fn scores(values: &[f64]) -> Vec<Row> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        let models = Models::open(&folder, ["window-forecast"], None).unwrap();
        let device_type: Arc<DeviceType> = Arc::new(toml::from_str(SERIES).unwrap());
        let scene: Scene = toml::from_str(UNUSUAL).unwrap();
        let community = one_device(
            &device_type,
            vec![Arc::new(scene)],
            &Community { models: models.specs(), ..nobody() },
        );
        let mut replay = Replay::new(community, models, None::<Vec<u8>>).unwrap();
        (0..)
            .zip(values)
            .map(|(i, v)| replay.row(Timestamp(i * 60_000), vec![*v]).unwrap())
            .collect()
    }

    fn nobody() -> Community {
        Community {
            id: "c".into(),
            title: Text::default(),
            township: "t".into(),
            gateway: "g".into(),
            areas: Vec::new(),
            feeders: Vec::new(),
            sources: Vec::new(),
            device_types: Vec::new(),
            devices: Vec::new(),
            scenes: Vec::new(),
            models: Vec::new(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]

        #[test]
        fn a_score_depends_on_the_rows_up_to_it_alone(
            values in prop::collection::vec(prop_oneof![9 => 10.0..11.0_f64, 1 => Just(90.0), 1 => Just(f64::NAN)], 150..250),
            cut in 100_usize..150,
        ) {
            let whole = scores(&values);
            let prefix = scores(&values[..cut]);

            prop_assert_eq!(&whole[..cut], &prefix[..]);
            prop_assert!(whole.iter().any(|row| row.score > 0.0), "the model has spoken");
        }
    }

    #[test]
    fn an_outlier_opens_an_event_in_its_own_row() {
        let noise = (0..200_u32).map(|i| 20.0 + f64::from(i * 7919 % 101) / 100.0);
        let values: Vec<f64> = noise.chain([80.0]).collect();

        let rows = scores(&values);

        assert!(rows.last().unwrap().opens && rows.last().unwrap().score > 0.999, "{rows:?}");
        assert!(!rows[..200].iter().any(|row| row.opens));
    }
}
