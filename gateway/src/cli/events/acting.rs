//! `gatehouse events acknowledge`, `dispatch`, … `refuse`, `report` and `drill`: what people do about events.
//!
//! Each goes to the gateway that runs, through the journal's socket; what came of it is told once it is on
//! disk. What the event does not allow now ends with status 1 and says why.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use gatehouse_core::community::quantity::Period;
use gatehouse_core::community::scene::Category;
use gatehouse_core::event::action::{Acted, Action, Actor, Deed, Drill, Report, Side};
use gatehouse_core::event::verdict::Verdict;
use gatehouse_core::reading::Timestamp;

use super::{language, pick};
use crate::journal::Plea;
use crate::journal::ask::Journal;

/// On whose event, who, and why.
#[derive(Debug, clap::Args)]
pub struct Done {
    /// The event's id, as `gatehouse events list` shows it
    pub id: String,
    #[command(flatten)]
    pub said: Said,
}

#[derive(Debug, clap::Args)]
pub struct Said {
    /// Who does it
    #[arg(long, value_name = "NAME")]
    pub by: String,
    /// Why, or what was found
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// The journal without an id, an event with one.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The event's id; the journal is checked without one
    #[arg(requires = "by")]
    pub id: Option<String>,
    /// Who has seen that the event is over
    #[arg(long, value_name = "NAME", requires = "id")]
    pub by: Option<String>,
    /// What was found
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

impl Verify {
    /// What is done about an event; else whether the check of the journal is told in JSON.
    pub(super) fn done(self) -> Result<Done, bool> {
        let Self { id, by, note, json } = self;
        let (id, by) = id.zip(by).ok_or(json)?;
        Ok(Done { id, said: Said { by, note, json } })
    }
}

#[derive(Debug, clap::Args)]
pub struct Sent {
    #[command(flatten)]
    pub done: Done,
    /// The person or team of community.toml who is sent, by id
    #[arg(long, value_name = "WHO")]
    pub to: String,
}

#[derive(Debug, clap::Args)]
pub struct PutAside {
    #[command(flatten)]
    pub done: Done,
    /// For how long (`2h`, at most `7d`), or until when (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = until)]
    pub until: Until,
}

#[derive(Debug, clap::Args)]
pub struct Dismissed {
    #[command(flatten)]
    pub done: Done,
    /// What it was; its detector learns from a false alarm
    #[arg(long = "as", value_enum, default_value = "false-alarm")]
    pub as_: Worth,
}

#[derive(Debug, clap::Args)]
pub struct Seen {
    /// The area where it is, by id
    #[arg(long, value_name = "ID")]
    pub area: String,
    /// What it is about
    #[arg(long, value_enum)]
    pub category: About,
    /// The scene whose event it is, when you know
    #[arg(long, value_name = "ID")]
    pub scene: Option<String>,
    #[command(flatten)]
    pub said: Said,
}

#[derive(Debug, clap::Args)]
pub struct Exercise {
    /// The scene that is played, by id
    #[arg(long, value_name = "ID")]
    pub scene: String,
    /// The area or device where it is played, by id
    #[arg(long = "at", value_name = "ID")]
    pub place: String,
    #[command(flatten)]
    pub said: Said,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Worth {
    FalseAlarm,
    PlannedWork,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum About {
    Environment,
    Parking,
    Waste,
    Camera,
    Facility,
    Safety,
}

/// A time, or how long from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    At(Timestamp),
    In(Duration),
}

fn until(text: &str) -> Result<Until, String> {
    let period = text.parse::<Period>().map(|period| Until::In(period.0));
    period.or_else(|_| text.parse().map(Until::At)).map_err(|_| {
        "expected how long, as in `2h`, or until when, as in `2026-03-01T08:00:00+08:00`".to_owned()
    })
}

/// Does something that needs no more than the event and who does it.
pub(super) fn act(
    journal: &Journal,
    deed: Deed,
    done: Done,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let Done { id, said: Said { by, note, json } } = done;
    let actor = Actor { name: by, side: Side::Box };
    ask(journal, Plea::Act(Action { event: id, deed, actor, note }), json, out)
}

pub(super) fn dispatch(
    journal: &Journal,
    sent: Sent,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    act(journal, Deed::Dispatch { to: sent.to }, sent.done, out)
}

pub(super) fn shelve(
    journal: &Journal,
    PutAside { done, until }: PutAside,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let until = match until {
        Until::At(at) => at,
        Until::In(period) => now + period,
    };
    act(journal, Deed::Shelve { until }, done, out)
}

pub(super) fn dismiss(
    journal: &Journal,
    Dismissed { done, as_ }: Dismissed,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let as_ = match as_ {
        Worth::FalseAlarm => Verdict::FalseAlarm,
        Worth::PlannedWork => Verdict::PlannedWork,
    };
    act(journal, Deed::Dismiss { as_ }, done, out)
}

pub(super) fn report(
    journal: &Journal,
    Seen { area, category, scene, said: Said { by, note, json } }: Seen,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let category = match category {
        About::Environment => Category::Environment,
        About::Parking => Category::Parking,
        About::Waste => Category::Waste,
        About::Camera => Category::Camera,
        About::Facility => Category::Facility,
        About::Safety => Category::Safety,
    };
    let report = Report { category, area, text: note, by, cause: scene };
    ask(journal, Plea::Report(report), json, out)
}

pub(super) fn drill(
    journal: &Journal,
    Exercise { scene, place, said: Said { by, note, json } }: Exercise,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    ask(journal, Plea::Drill(Drill { scene, place, by, text: note }), json, out)
}

fn ask(
    journal: &Journal,
    plea: Plea,
    is_json: bool,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let Acted { event, result, told } = journal.plead(plea)?;
    let code = if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if is_json {
        let (data, error) = (result.as_ref().ok(), result.as_ref().err());
        let object = serde_json::json!({
            "event": event, "data": data, "error": error, "told": told,
        });
        writeln!(out, "{object}")?;
    } else if result.is_ok() {
        writeln!(out, "{event}  {}", pick(&told, language()))?;
    } else {
        eprintln!("{}", pick(&told, language()));
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_and_until_when_are_both_understood() {
        assert_eq!(until("2h"), Ok(Until::In(Duration::from_hours(2))));
        let at = "2026-03-01T08:00:00+08:00";
        assert_eq!(until(at), Ok(Until::At(at.parse().unwrap())));
        assert!(until("soon").is_err());
    }
}
