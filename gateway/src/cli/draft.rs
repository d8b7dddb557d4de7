//! `gatehouse draft`: a device type's file from what a sensor sent, for integrators who do not click.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::ValueEnum;
use gatehouse_core::community::device_type::Function;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::draft::candidate::{Candidates, times};
use gatehouse_core::draft::sample::LONGEST;
use gatehouse_core::draft::{Chosen, Draft, EVERY, Form, Place, Sample};

/// Draft a device type from what a sensor sent
///
/// Prints the file to stdout, with the sample as its example; look over its names, units and limits, put
/// it into device-types/ and run `gatehouse check`. With --list it prints what may be picked instead.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One MQTT message, as JSON, hexadecimal or Base64; - for stdin
    #[arg(long, value_name = "FILE", conflicts_with = "words", required_unless_present = "words")]
    payload: Option<PathBuf>,
    /// What the payload is, when that is not clear
    #[arg(long, value_enum, default_value = "guess")]
    form: Written,
    /// The words of a Modbus answer, such as 253,561 or 0x00FD,0x0231
    #[arg(long, value_name = "WORDS")]
    words: Option<String>,
    /// The table that the words were read from
    #[arg(long, value_enum, default_value = "input")]
    table: Table,
    /// The address of the first word, as on the wire
    #[arg(long, value_name = "ADDRESS", default_value_t = 0)]
    start: u16,
    /// What becomes a point: PLACE, or PLACE=NAME,UNIT,SCALE; every field, or every word as u16, when left out
    #[arg(long, value_name = "PLACE")]
    pick: Vec<String>,
    /// The device type's id
    #[arg(long, default_value = "new-device")]
    id: String,
    /// Print every value that may stand in it, with its place
    #[arg(long)]
    list: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Written {
    Guess,
    Json,
    Hex,
    Base64,
}

/// The four tables of a Modbus device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Table {
    Input,
    Holding,
    Coil,
    Discrete,
}

impl From<Table> for Function {
    fn from(table: Table) -> Self {
        match table {
            Table::Input => Self::Input,
            Table::Holding => Self::Holding,
            Table::Coil => Self::Coil,
            Table::Discrete => Self::Discrete,
        }
    }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let sample = sample(args)?;
    let text = if args.list { listed(&sample) } else { drafted(args, sample)? };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn sample(args: &Args) -> anyhow::Result<Sample> {
    if let Some(words) = &args.words {
        return Ok(Sample::read_words(words, args.table.into(), args.start)?);
    }
    let path = args.payload.clone().unwrap_or_default();
    let mut bytes = Vec::new();
    // One byte more shows that there is more.
    let most = LONGEST as u64 + 1;
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        let file = std::fs::File::open(&path).with_context(|| path.display().to_string())?;
        file.take(most).read_to_end(&mut bytes)?;
    }
    let form = match args.form {
        Written::Guess => Form::Guess,
        Written::Json => Form::Json,
        Written::Hex => Form::Hex,
        Written::Base64 => Form::Base64,
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Sample::read(text, form)?),
        // As it came from the wire.
        Err(_) => Ok(Sample::of_bytes(&bytes)?),
    }
}

fn drafted(args: &Args, sample: Sample) -> anyhow::Result<String> {
    let mut points = Vec::new();
    for pick in &args.pick {
        points.push(picked(pick)?);
    }
    let time = times(&sample).into_iter().next();
    if points.is_empty() {
        let is_time = |pointer: &str| time.as_ref().is_some_and(|time| time.json == pointer);
        points = match Candidates::of(&sample) {
            Candidates::Fields(fields) => fields
                .into_iter()
                .filter(|field| field.value.is_ok() && !is_time(&field.pointer))
                .map(|field| Chosen {
                    words: field.words.into_iter().collect(),
                    ..Chosen::suggested(Place::Json(field.pointer))
                })
                .collect(),
            Candidates::Rows(rows) => {
                let first = rows.into_iter().filter_map(|row| row.cells.into_iter().next());
                first.map(|cell| Chosen::suggested(cell.place)).collect()
            }
        };
    }
    if points.is_empty() {
        bail!("there is no value in it that could be a reading; --list shows what there is");
    }
    tell_apart(&mut points);
    let title = Text::new(&args.id, &args.id);
    let mut draft = Draft { id: args.id.clone(), title, sample, time, every: EVERY, points };
    let values = draft.values();
    for (point, value) in draft.points.iter_mut().zip(values) {
        let is_within = |(low, high)| value.is_ok_and(|value| (low..=high).contains(&value));
        point.range = point.range.filter(|range| is_within(*range));
    }
    Ok(draft.toml())
}

/// `PLACE` or `PLACE=NAME,UNIT,SCALE`.
fn picked(text: &str) -> anyhow::Result<Chosen> {
    let (place, said) = text.rsplit_once('=').unwrap_or((text, ""));
    let mut point = Chosen::suggested(place.parse()?);
    let mut said = said.split(',').map(str::trim);
    if let Some(name) = said.next().filter(|name| !name.is_empty()) {
        name.clone_into(&mut point.name);
    }
    if let Some(unit) = said.next() {
        unit.clone_into(&mut point.unit);
    }
    if let Some(scale) = said.next() {
        point.scale =
            scale.parse().with_context(|| format!("`{scale}` is no number, in `{text}`"))?;
    }
    Ok(point)
}

fn tell_apart(points: &mut [Chosen]) {
    let mut taken = BTreeSet::new();
    for point in points {
        let name = point.name.clone();
        for number in 2.. {
            if taken.insert(point.name.clone()) {
                break;
            }
            point.name = format!("{name}_{number}");
        }
    }
}

/// A line for each place: the place, the value, and a mark where it has the size of a measurement.
fn listed(sample: &Sample) -> String {
    let mut out = String::new();
    let mut line = |place: &Place, value, mark: &str| {
        let value = match value {
            Ok(value) if value != 0.0 && !(1e-4..1e12).contains(&f64::abs(value)) => {
                format!("{value:.4e}")
            }
            Ok(value) => format!("{value}"),
            Err(quality) => format!("{quality:?}").to_lowercase(),
        };
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{:<36} {value:<24} {mark}", place.to_string());
    };
    match Candidates::of(sample) {
        Candidates::Fields(fields) => {
            for field in fields {
                line(&Place::Json(field.pointer), field.value, "");
            }
        }
        Candidates::Rows(rows) => {
            for cell in rows.into_iter().flat_map(|row| row.cells) {
                line(&cell.place, cell.value, if cell.is_plausible { "likely" } else { "" });
            }
        }
    }
    out
}
