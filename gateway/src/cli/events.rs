//! `gatehouse events`: the journal, to look at, to take along, and to check.
//!
//! Works on the store's folder, and through [`crate::journal`] while a gateway runs on it. An event is
//! what its newest record says; its history is all of them. Two more say what it was worth ([`judging`]):
//! `verdict` tells a gateway that runs, `precision` counts what people said. So do those who see to events
//! ([`acting`]).

mod acting;
mod judging;
mod reporter;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use gatehouse_core::community::quantity::{Language, Text};
use gatehouse_core::event::action::Deed;
use gatehouse_core::event::message::{EventData, Message, State};
use gatehouse_core::reading::Timestamp;

use super::{INVALID, check};
use crate::clock::Clock;
use crate::journal::Line;
use crate::journal::ask::Journal;
use crate::store::Verdict;

/// Look at the journal of events, of a gateway that runs or of one that does not
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the configuration, which says where the store is
    #[arg(long, value_name = "DIR", default_value = "config", global = true)]
    pub config: PathBuf,
    /// Folder of the store, instead of the one in the configuration
    #[arg(long, value_name = "DIR", global = true)]
    pub store: Option<PathBuf>,
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Events, each as it stands, oldest first
    List {
        #[command(flatten)]
        wanted: Wanted,
        /// JSON lines
        #[arg(long)]
        json: bool,
    },
    /// One event with its whole history
    Show {
        /// The event's id
        id: String,
        /// JSON lines: its messages
        #[arg(long)]
        json: bool,
    },
    /// Every message in the journal, in the order of its sequence
    Export {
        #[command(flatten)]
        wanted: Wanted,
        #[arg(long, value_enum, default_value_t = Format::Jsonl)]
        format: Format,
    },
    /// Say what an event was worth, so that its detector learns from it; needs a gateway that runs
    Verdict(judging::Said),
    /// Say that somebody has seen it and sees to it; needs a gateway that runs, as all that follow
    Acknowledge(acting::Done),
    /// Send a person or a team
    Dispatch(acting::Sent),
    /// Say that what could be done was done; its sensor, or a person, verifies it
    Handle(acting::Done),
    /// Put it aside for a time, seven days at most
    Shelve(acting::PutAside),
    /// Take it up again
    Unshelve(acting::Done),
    /// Say that it needs nobody: a false alarm, or planned work
    Dismiss(acting::Dismissed),
    /// Say that it is over, and nothing is left to do
    Close(acting::Done),
    /// Say that it is not over: everything begins anew
    Reopen(acting::Done),
    /// Answer a required review: it may be sent on
    Approve(acting::Done),
    /// Answer a required review: it is sent to nobody
    Refuse(acting::Done),
    /// Report what a person saw; it joins the event that a sensor has open there
    Report(acting::Seen),
    /// Print a person's own link: errands and a form to report, without an account
    Reporter(reporter::For),
    /// Begin an exercise
    Drill(acting::Exercise),
    /// How often each scene was right, by what people said of its events; what a pilot would have raised
    /// stands in a row of its own
    Precision(judging::Precision),
    /// Check that the journal is what was written: its hash chain, entry by entry; with an event's id:
    /// say that somebody has seen that the event is over
    Verify(acting::Verify),
}

/// Which events.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Wanted {
    /// Only events of this scene
    #[arg(long, value_name = "ID")]
    pub scene: Option<String>,
    /// Only events in this area
    #[arg(long, value_name = "ID")]
    pub area: Option<String>,
    /// Only this level or a more urgent one (1 is the most urgent)
    #[arg(long, value_name = "1-4", value_parser = clap::value_parser!(u8).range(1..=4))]
    pub level: Option<u8>,
    /// Only what happened at this time or later (RFC 3339, or `YYYY-MM-DD HH:MM:SS` in UTC)
    #[arg(long, value_name = "TIME")]
    pub since: Option<Timestamp>,
    /// Only what happened before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line, as it went to the platform
    Jsonl,
    /// One line a message, the main fields
    Csv,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { config, store, action } = args;
    let path = match store {
        Some(path) => path,
        None => match check::load_gateway(&config) {
            Ok(gateway) => gateway.config.store.path,
            Err(faults) => {
                faults.print();
                eprintln!("help: `--store` names a store without its configuration");
                return Ok(ExitCode::from(INVALID));
            }
        },
    };
    let journal = Journal::open(&path)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let done = match action {
        Action::List { wanted, json } => list(&journal, &wanted, json, &mut out),
        Action::Show { id, json } => show(&journal, &id, json, &mut out),
        Action::Export { wanted, format } => export(&journal, &wanted, format, &mut out),
        Action::Verdict(verdict) => judging::say(&journal, verdict, &mut out),
        Action::Acknowledge(done) => acting::act(&journal, Deed::Acknowledge, done, &mut out),
        Action::Dispatch(sent) => acting::dispatch(&journal, sent, &mut out),
        Action::Handle(done) => acting::act(&journal, Deed::Handle, done, &mut out),
        Action::Shelve(aside) => acting::shelve(&journal, aside, now(), &mut out),
        Action::Unshelve(done) => acting::act(&journal, Deed::Unshelve, done, &mut out),
        Action::Dismiss(dismissed) => acting::dismiss(&journal, dismissed, &mut out),
        Action::Close(done) => acting::act(&journal, Deed::Close, done, &mut out),
        Action::Reopen(done) => acting::act(&journal, Deed::Reopen, done, &mut out),
        Action::Approve(done) => acting::act(&journal, Deed::Approve, done, &mut out),
        Action::Refuse(done) => acting::act(&journal, Deed::Refuse, done, &mut out),
        Action::Report(seen) => acting::report(&journal, seen, &mut out),
        Action::Drill(exercise) => acting::drill(&journal, exercise, &mut out),
        Action::Reporter(whose) => reporter::link(&config, &path, whose, now(), &mut out),
        Action::Precision(wanted) => judging::precision(&journal, &wanted, now(), &mut out),
        Action::Verify(asked) => match asked.done() {
            Ok(done) => acting::act(&journal, Deed::Verify, done, &mut out),
            Err(json) => verify(&journal, json, &mut out),
        },
    };
    match done.and_then(|code| out.flush().map(|()| code).map_err(Into::into)) {
        Err(error) if is_closed_pipe(&error) => Ok(ExitCode::SUCCESS),
        other => other,
    }
}

/// The wall clock's time: by it the journal was written.
fn now() -> Timestamp {
    Clock::new(1.0).now()
}

/// `gatehouse events list | head` is no failure.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let mut io = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    io.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// A journal entry, read as a message.
fn message(entry: &Line) -> anyhow::Result<Message> {
    serde_json::from_str(&entry.json)
        .with_context(|| format!("sequence {} holds no event message", entry.sequence))
}

/// The same where one bad record must hide no other: it is told and left out.
fn readable(entry: &Line) -> Option<Message> {
    message(entry).inspect_err(|why| eprintln!("warning: {why:#}; it is left out")).ok()
}

impl Wanted {
    fn fits(&self, message: &Message) -> bool {
        let data = &message.data;
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|w| w == value);
        let at: Option<Timestamp> = message.time.parse().ok();
        is(&self.scene, &data.scene)
            && is(&self.area, &data.area)
            && self.level.is_none_or(|level| data.level <= level)
            && self.since.is_none_or(|since| at.is_some_and(|at| at >= since))
            && self.until.is_none_or(|until| at.is_some_and(|at| at < until))
    }
}

fn list(
    journal: &Journal,
    wanted: &Wanted,
    is_json: bool,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    // An event's newest message stands for it, at the place of its first one.
    let mut order: Vec<String> = Vec::new();
    let mut newest: BTreeMap<String, Message> = BTreeMap::new();
    for entry in journal.lines()? {
        let Some(message) = readable(&entry?) else { continue };
        if newest.insert(message.subject.clone(), message.clone()).is_none() {
            order.push(message.subject);
        }
    }
    let found = order.iter().filter_map(|id| newest.get(id)).filter(|m| wanted.fits(m));
    let language = language();
    for message in found {
        if is_json {
            writeln!(out, "{}", serde_json::to_string(message)?)?;
        } else {
            writeln!(out, "{}", line(message, language))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(message: &Message, language: Language) -> String {
    let data = &message.data;
    format!(
        "{}  {:9} {:7} {:10} {}  {}",
        message.time,
        level(data),
        state(data.state),
        data.area,
        message.subject,
        pick(&data.title, language),
    )
}

fn level(data: &EventData) -> String {
    let (roman, colour) = match data.level {
        1 => ("I", "red"),
        2 => ("II", "orange"),
        3 => ("III", "yellow"),
        _ => ("IV", "blue"),
    };
    format!("{roman} {colour}")
}

fn state(state: State) -> &'static str {
    match state {
        State::Open => "open",
        State::Unknown => "unknown",
        State::Cleared => "cleared",
    }
}

fn pick(text: &Text, language: Language) -> &str {
    match language {
        Language::Zh => &text.zh,
        Language::En => &text.en,
    }
}

fn language() -> Language {
    let lang = std::env::var("LC_ALL").or_else(|_| std::env::var("LANG")).unwrap_or_default();
    if lang.starts_with("zh") { Language::Zh } else { Language::En }
}

fn show(
    journal: &Journal,
    id: &str,
    is_json: bool,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let entries = journal.event(id)?;
    let Some(newest) = entries.last() else {
        bail!("the journal holds no event `{id}`; `gatehouse events list` shows what it holds");
    };
    if is_json {
        for entry in &entries {
            writeln!(out, "{}", entry.json)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let language = language();
    let newest = message(newest)?;
    let data = &newest.data;
    let mut text = String::new();
    writeln!(text, "{}", pick(&data.title, language))?;
    let mut field = |name: &str, value: &str| writeln!(text, "  {name:10} {value}");
    field("event", id)?;
    field("level", &level(data))?;
    field("state", state(data.state))?;
    for (name, value) in acting::fields(data) {
        field(name, &value)?;
    }
    field("scene", &data.scene)?;
    field("area", &data.area)?;
    field("location", pick(&data.location, language))?;
    field("devices", &data.affected.join(", "))?;
    field("started", &data.started)?;
    field("why", pick(&data.cause.why, language))?;
    if let (Some(verdict), Some(by)) = (&data.review.verdict, &data.review.by) {
        field("judged", &format!("{verdict}, by {by}"))?;
    }
    field("by", &format!("{} ({})", data.cause.detector, data.cause.model))?;
    for part in &data.cause.contributions {
        let observed = part.observed.map_or("no value".to_owned(), |v| v.to_string());
        let (low, high) = part.expected;
        let end = |end: Option<f64>| end.map_or(String::new(), |v| v.to_string());
        let value = format!(
            "{} = {observed} {}, expected {}..{}, share {:.0} %",
            part.point,
            part.unit,
            end(low),
            end(high),
            part.share * 100.0
        );
        field("because", &value)?;
    }
    field("advice", pick(&data.advice, language))?;
    writeln!(text, "  history")?;
    for entry in &entries {
        let Some(then) = readable(entry) else { continue };
        let kind = then.kind.strip_prefix("gatehouse.event.").unwrap_or(&then.kind);
        let level = level(&then.data);
        writeln!(text, "    {}  {:12} {level:9} sequence {}", then.time, kind, entry.sequence)?;
    }
    out.write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn export(
    journal: &Journal,
    wanted: &Wanted,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    match format {
        Format::Jsonl => {
            for entry in journal.lines()? {
                let entry = entry?;
                if readable(&entry).is_some_and(|message| wanted.fits(&message)) {
                    writeln!(out, "{}", entry.json)?;
                }
            }
        }
        Format::Csv => {
            let mut rows = csv::Writer::from_writer(out);
            rows.write_record([
                "sequence", "time", "type", "event", "scene", "category", "level", "state", "area",
                "device", "started", "title_zh", "title_en", "why_zh", "why_en",
            ])?;
            for entry in journal.lines()? {
                let entry = entry?;
                let Some(message) = readable(&entry) else { continue };
                if wanted.fits(&message) {
                    rows.write_record(columns(&entry, &message))?;
                }
            }
            rows.flush()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn columns(entry: &Line, message: &Message) -> [String; 15] {
    let data = &message.data;
    let category = serde_json::to_value(data.category).unwrap_or_default();
    [
        entry.sequence.to_string(),
        message.time.clone(),
        message.kind.clone(),
        message.subject.clone(),
        data.scene.clone(),
        category.as_str().unwrap_or_default().to_owned(),
        data.level.to_string(),
        state(data.state).to_owned(),
        data.area.clone(),
        data.device.clone(),
        data.started.clone(),
        data.title.zh.clone(),
        data.title.en.clone(),
        data.cause.why.zh.clone(),
        data.cause.why.en.clone(),
    ]
}

fn verify(journal: &Journal, is_json: bool, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let verdict = journal.verify()?;
    let code = match &verdict {
        Verdict::Whole { .. } => ExitCode::SUCCESS,
        Verdict::Broken { .. } => ExitCode::FAILURE,
    };
    if is_json {
        let object = match verdict {
            Verdict::Whole { entries, first, last, holes } => serde_json::json!({
                "whole": true, "entries": entries, "first": first, "last": last, "holes": holes,
            }),
            Verdict::Broken { sequence } => {
                serde_json::json!({ "whole": false, "sequence": sequence })
            }
        };
        writeln!(out, "{object}")?;
        return Ok(code);
    }
    match verdict {
        Verdict::Whole { entries: 0, .. } => writeln!(out, "the journal is empty")?,
        Verdict::Whole { entries, first, last, holes } => {
            writeln!(out, "whole: {entries} entries, sequences {first} to {last}")?;
            for (from, to) in holes {
                writeln!(out, "sequences {from} to {to} were given up before they were written")?;
            }
        }
        Verdict::Broken { sequence } => {
            writeln!(out, "broken at sequence {sequence}: it is not what was written")?;
        }
    }
    Ok(code)
}

#[cfg(test)]
mod tests;
