//! `gatehouse modbus`: who is on a line of `gateway.toml`, and what stands in its registers, while no
//! gateway runs. While one does, its console asks between its polls.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use gatehouse_core::draft::function_word;
use tokio_util::sync::CancellationToken;

use super::draft::Table;
use super::{INVALID, check};
use crate::source::modbus::{self, Found, Prober};
use crate::store::{Store, StoreError};

/// Look at a Modbus line while no gateway runs
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// Folder of gateway.toml
    #[arg(long, value_name = "DIR", default_value = "config", global = true)]
    config: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Ask who is there; what a unit has is shown as its first registers
    Scan {
        /// A [[line]] of gateway.toml
        #[arg(long, value_name = "ID")]
        line: String,
        /// Units to ask, such as 1-32 or 7
        #[arg(long, value_name = "FROM-TO", default_value = "1-32", value_parser = units)]
        units: (u8, u8),
        /// Write one JSON object a unit
        #[arg(long)]
        json: bool,
    },
    /// Read a block of registers or bits
    Read {
        /// A [[line]] of gateway.toml
        #[arg(long, value_name = "ID")]
        line: String,
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=247))]
        unit: u8,
        #[arg(long, value_enum, default_value = "input")]
        table: Table,
        /// The first address, as on the wire, from 0
        #[arg(long, value_name = "ADDRESS", default_value_t = 0)]
        start: u16,
        #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=125))]
        count: u16,
    },
}

fn units(text: &str) -> Result<(u8, u8), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let unit = |text: &str| text.trim().parse::<u8>().ok().filter(|unit| (1..=247).contains(unit));
    let both = unit(first).zip(unit(last)).filter(|(first, last)| first <= last);
    both.ok_or_else(|| "expected units from 1 to 247, such as 1-32 or 7".to_owned())
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let gateway = match check::load_gateway(&args.config) {
        Ok(gateway) => gateway,
        Err(faults) => {
            faults.print();
            return Ok(ExitCode::from(INVALID));
        }
    };
    let (Command::Scan { line, .. } | Command::Read { line, .. }) = &args.command;
    let config = gateway.config.lines.iter().find(|config| config.id == *line).cloned();
    let config = config.with_context(|| {
        let known: Vec<&str> = gateway.config.lines.iter().map(|line| line.id.as_str()).collect();
        format!("there is no line `{line}` in gateway.toml; known are {}", known.join(", "))
    })?;
    // Two masters on one line would take each other's answers. Held until we have done.
    let store = Store::open_to_read(&gateway.config.store.path);
    if matches!(store, Err(StoreError::InUse(_))) {
        bail!(
            "a gateway runs here and polls the line `{line}`; look at it on its console, under \
             /integrate/modbus, where questions go between the polls, or stop the gateway"
        );
    }
    let stop = CancellationToken::new();
    let (asking, probes) = modbus::probes();
    let asked = async {
        let done = ask(&args.command, &asking).await;
        stop.cancel();
        done
    };
    let ((), done) = tokio::join!(modbus::alone(config, probes, stop.clone()), asked);
    drop(store);
    done
}

async fn ask(command: &Command, prober: &Prober) -> anyhow::Result<ExitCode> {
    match command {
        Command::Scan { units: (first, last), json, .. } => {
            let mut told = Vec::new();
            modbus::scan(prober, *first..=*last, |_, found| told.extend(found)).await?;
            let mut out = std::io::stdout().lock();
            for found in &told {
                if *json {
                    writeln!(out, "{}", as_json(found))?;
                } else {
                    write!(out, "{}", as_text(found))?;
                }
            }
            if told.is_empty() {
                bail!(
                    "nobody answers from unit {first} to {last}; are wires, baud rate and parity right?"
                );
            }
        }
        Command::Read { unit, table, start, count, .. } => {
            let read = modbus::read(prober, *unit, (*table).into(), *start, *count).await?;
            let words = read.with_context(|| format!("unit {unit}"))?;
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", joined(&words))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn as_text(found: &Found) -> String {
    let mut said: Vec<&str> = found.identity.iter().map(|(_, text)| text.as_str()).collect();
    said.extend(found.server.as_deref());
    let mut text = format!("unit {}  {}\n", found.unit, said.join(" "));
    for table in &found.tables {
        let (function, words) = (function_word(table.function), joined(&table.words));
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  {function:<9} {:>5}: {words}", table.start);
    }
    text
}

fn as_json(found: &Found) -> serde_json::Value {
    let tables = found.tables.iter().map(|table| {
        serde_json::json!({
            "table": function_word(table.function), "start": table.start, "words": table.words,
        })
    });
    let identity = found.identity.iter().map(|(id, text)| (id.to_string(), text.clone().into()));
    serde_json::json!({
        "unit": found.unit,
        "identity": identity.collect::<serde_json::Map<_, _>>(),
        "server": found.server,
        "tables": tables.collect::<Vec<_>>(),
    })
}

fn joined(words: &[u16]) -> String {
    let words: Vec<String> = words.iter().map(u16::to_string).collect();
    words.join(", ")
}
