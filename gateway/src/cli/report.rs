//! `gatehouse report`: a month as a PDF or as JSON, of a gateway that runs or of one that does not.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use gatehouse_core::community::quantity::Language;
use gatehouse_core::report::month::Month;

use super::{INVALID, check};
use crate::clock::Clock;
use crate::journal::ask::Journal;
use crate::report::{collect, figures, paper, pdf};

/// Make the monthly report, as a PDF or as JSON
///
/// What happened, how fast it was handled, what to change. Needs no network.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which month, by the community's clock, as in 2026-11
    #[arg(long, value_name = "YEAR-MONTH")]
    pub month: Month,
    /// The gateway's own language when left out
    #[arg(long, value_enum)]
    pub lang: Option<Lang>,
    /// The file to write; one that is there is replaced
    #[arg(long, value_name = "FILE.pdf", required_unless_present = "json")]
    pub output: Option<PathBuf>,
    /// The figures as one JSON object on stdout, beside the PDF or instead of it
    #[arg(long)]
    pub json: bool,
    /// Folder of the configuration
    #[arg(long, value_name = "DIR", default_value = "config")]
    pub config: PathBuf,
    /// Folder of the store, instead of the one in the configuration
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// Chinese
    Zh,
    /// English
    En,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let loaded = match check::load(&args.config) {
        Ok(loaded) => loaded,
        Err(faults) => {
            faults.print();
            return Ok(ExitCode::from(INVALID));
        }
    };
    let community = &loaded.built.community;
    let language = args.lang.map_or(loaded.config.gateway.language, |lang| match lang {
        Lang::Zh => Language::Zh,
        Lang::En => Language::En,
    });
    let now = Clock::new(1.0).now();
    let journal = Journal::open(&args.store.unwrap_or(loaded.config.store.path))?;
    let past = collect::past(&journal, community, args.month)?;
    let report = past.report(community, args.month, now);
    let mut out = std::io::stdout().lock();
    if let Some(file) = &args.output {
        let pdf = pdf::render(&paper(&report, language, now))?;
        fs::write(file, pdf).with_context(|| format!("{} cannot be written", file.display()))?;
        if !args.json {
            writeln!(out, "{}", file.display())?;
        }
    }
    if args.json {
        writeln!(out, "{}", figures(&report))?;
    }
    Ok(ExitCode::SUCCESS)
}
