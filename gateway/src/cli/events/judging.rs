//! `gatehouse events verdict` and `precision`: what events were worth.
//!
//! A verdict goes to the gateway that runs, which writes it into the journal as a message of its own.
//! So precision is counted from the journal; but for scenes on trial, which leave nothing there: what they
//! would have raised is counted from what the store remembers of the last events, in a row of its own.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use gatehouse_core::event::verdict::{self, Opinion, RECORD, Tally};
use gatehouse_core::reading::Timestamp;

use super::{language, pick};
use crate::journal::ask::Journal;

#[derive(Debug, clap::Args)]
pub struct Said {
    /// The event's id, as `gatehouse events list` shows it
    pub id: String,
    #[arg(value_enum)]
    pub verdict: Word,
    /// Who says so
    #[arg(long, value_name = "NAME")]
    pub by: String,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Precision {
    /// Only this scene
    #[arg(long, value_name = "ID")]
    pub scene: Option<String>,
    /// JSON lines
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Word {
    /// Nothing was the matter: the detector becomes less sensitive on that device
    FalseAlarm,
    /// Something was: it becomes a little more sensitive
    Real,
    /// Somebody was at work there: it stays as it is
    PlannedWork,
    /// Takes back what was said
    Withdraw,
}

impl Word {
    fn verdict(self) -> Option<verdict::Verdict> {
        match self {
            Self::FalseAlarm => Some(verdict::Verdict::FalseAlarm),
            Self::Real => Some(verdict::Verdict::Real),
            Self::PlannedWork => Some(verdict::Verdict::PlannedWork),
            Self::Withdraw => None,
        }
    }
}

pub(super) fn say(journal: &Journal, said: Said, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let Said { id, verdict, by, note, json } = said;
    let opinion = Opinion { event: id, verdict: verdict.verdict(), by, note };
    let ruling = journal.judge(opinion)?;
    if json {
        writeln!(out, "{}", serde_json::to_string(&ruling)?)?;
    } else {
        writeln!(out, "{}", pick(&ruling.told, language()))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn precision(
    journal: &Journal,
    wanted: &Precision,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let is_wanted = |scene: &str| wanted.scene.as_ref().is_none_or(|wanted| wanted == scene);
    // By scene, and whether it was on trial: what it would have raised is no event.
    let mut tallies: BTreeMap<(String, bool), Tally> = BTreeMap::new();
    let mut count = |scene: &str, is_pilot, said| {
        if is_wanted(scene) {
            tallies.entry((scene.to_owned(), is_pilot)).or_default().count(said);
        }
    };
    let since = now - RECORD;
    // An exercise is nobody's mistake.
    let events = journal.summaries(since, Timestamp(i64::MAX))?;
    for event in events.iter().filter(|event| !event.drill) {
        count(&event.scene, false, event.verdict);
    }
    let raised = journal.raised()?;
    for raised in raised.iter().filter(|raised| raised.is_pilot && raised.opened >= since) {
        count(&raised.scene, true, raised.verdict());
    }
    if !wanted.json {
        let [scene, right] = ["scene", "right"];
        writeln!(out, "{scene:28} {right:>6}  events  real  false  planned  unjudged")?;
    }
    for ((scene, is_pilot), tally) in tallies {
        let Tally { events, real, false_alarms, planned } = tally;
        let (unjudged, precision) = (tally.unjudged(), tally.precision());
        if wanted.json {
            let object = serde_json::json!({
                "scene": scene, "pilot": is_pilot, "events": events, "real": real,
                "false_alarms": false_alarms, "planned": planned, "unjudged": unjudged,
                "precision": precision,
            });
            writeln!(out, "{object}")?;
        } else {
            let scene = if is_pilot { format!("{scene} (pilot)") } else { scene };
            let right = precision.map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0));
            writeln!(
                out,
                "{scene:28} {right:>6}  {events:6}  {real:4}  {false_alarms:5}  {planned:7}  {unjudged:8}"
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
