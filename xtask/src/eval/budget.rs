//! Whether the false-alarm budget holds on recordings of ordinary life.
//!
//! Each column is a series of its own at its own step. The program is shown the whole of it; the first
//! 70 % are what it may learn from, and events are counted in the last 30 %. Pooled over all series the
//! count must be one that a Poisson process with the budget's mean would give in 95 of 100 cases, and
//! must not be zero: a detector that never speaks keeps every budget.
//!
//! Not all of it is quiet life. Haze over Beijing is real, so its months are named with what was raised.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::normal::{self, Recording};
use super::program::{Program, SCENE};
use super::{Report, poisson, time};
use crate::step;

/// Share of a series that may be learned from.
const LEARNING: f64 = 0.7;
const WEEK: f64 = 604_800.0;
/// Where a scene writes its budget: words, or a number of events a week.
const KEYS: [&str; 3] = ["false-alarms", "false-alarm-budget", "budget"];
const KEY_PER_WEEK: &str = "false-alarms-per-week";
/// A month with a mean above this is one of haze: "moderately polluted" in HJ 633-2012, ug/m3.
const HAZE: f64 = 115.0;
/// The point that haze is seen in.
const PM25: &str = "pm2.5";

/// What came of one series.
struct Counted {
    set: &'static str,
    point: String,
    /// Time with values in the judged part.
    weeks: f64,
    events: u64,
    /// Events in the part that may be learned from; no part of the verdict.
    before: u64,
    /// Month to mean value and events; for PM2.5 alone.
    haze: BTreeMap<String, (f64, u64)>,
    took: Duration,
}

pub(super) fn run(program: &Program, data: &Path, asked: Option<f64>) -> Result<Option<Report>> {
    let recordings = normal::recordings(data)?;
    if recordings.is_empty() {
        eprintln!("eval: skipped budget: no normal recordings in `{}`", data.display());
        return Ok(None);
    }
    let given = asked.map(|rate| program.with_budget(rate)).transpose()?;
    let program = given.as_ref().unwrap_or(program);
    let mut counted = Vec::new();
    for recording in &recordings {
        counted.push(count(program, recording)?);
    }
    let budget = match asked {
        Some(rate) => Some(rate),
        None => declared()?,
    };
    Ok(Some(report(&counted, budget)))
}

/// Events a week from words such as `0.5 / week` or `2 per day`.
pub(super) fn per_week(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let weeks = match unit.trim().trim_start_matches("per").trim_start_matches('/').trim() {
        "day" => 1.0 / 7.0,
        "week" => 1.0,
        "month" => 365.25 / 12.0 / 7.0,
        "year" => 365.25 / 7.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? / weeks)
}

/// What the scene promises; none when it promises nothing.
fn declared() -> Result<Option<f64>> {
    let path = step::workspace().join(format!("config/scenes/{SCENE}.toml"));
    let text = fs::read_to_string(&path).with_context(|| format!("no `{}`", path.display()))?;
    Ok(in_scene(&text))
}

fn in_scene(text: &str) -> Option<f64> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let value = value.split('#').next()?.trim().trim_matches('"');
        match key.trim() {
            KEY_PER_WEEK => value.parse().ok(),
            key => KEYS.contains(&key).then(|| per_week(value))?,
        }
    })
}

fn count(program: &Program, recording: &Recording) -> Result<Counted> {
    let values: Vec<[Option<f64>; 1]> = recording.rows.iter().map(|(_, value)| [*value]).collect();
    let rows = recording.rows.iter().zip(&values).map(|((at, _), value)| (*at, value.as_slice()));
    let said = program.replay_rows(&["value".to_owned()], rows)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the rows")]
    let cut = (recording.rows.len() as f64 * LEARNING) as usize;
    let number = |opens: &[bool]| opens.iter().filter(|opens| **opens).count() as u64;
    let present = recording.rows[cut..].iter().filter(|(_, value)| value.is_some()).count();
    let mut months: BTreeMap<String, (f64, f64, u64)> = BTreeMap::new();
    if recording.point == PM25 {
        for ((at, value), opens) in recording.rows[cut..].iter().zip(&said.opens[cut..]) {
            let month = months.entry(time::month(*at)).or_default();
            if let Some(value) = value {
                month.0 += value;
                month.1 += 1.0;
            }
            month.2 += u64::from(*opens);
        }
    }
    let haze = months.into_iter().map(|(month, (sum, rows, events))| (month, (sum / rows, events)));
    Ok(Counted {
        set: recording.set,
        point: recording.point.clone(),
        weeks: if is_constant(recording) {
            0.0
        } else {
            present as f64 * recording.step() as f64 / WEEK
        },
        events: number(&said.opens[cut..]),
        before: number(&said.opens[..cut]),
        haze: haze.filter(|(_, (mean, _))| *mean >= HAZE).collect(),
        took: said.took,
    })
}

/// A meter that never moved proves nothing about false alarms.
fn is_constant(recording: &Recording) -> bool {
    let mut values = recording.rows.iter().filter_map(|(_, value)| *value);
    let first = values.next();
    values.all(|value| Some(value) == first)
}

fn report(counted: &[Counted], budget: Option<f64>) -> Report {
    let events: u64 = counted.iter().map(|one| one.events).sum();
    let weeks: f64 = counted.iter().map(|one| one.weeks).sum();
    let took: Duration = counted.iter().map(|one| one.took).sum();
    let mut text = format!(
        "### False-alarm budget: {} series, {weeks:.0} weeks judged, replayed in {:.1} s\n\n\
         | set | point | weeks judged | events | events in the 70 % before |\n\
         | --- | --- | --- | --- | --- |\n",
        counted.len(),
        took.as_secs_f64()
    );
    for one in counted {
        let _ = writeln!(
            text,
            "| {} | {} | {:.1} | {} | {} |",
            one.set, one.point, one.weeks, one.events, one.before
        );
    }
    let before: u64 = counted.iter().map(|one| one.before).sum();
    let _ = writeln!(text, "| all | | {weeks:.1} | {events} | {before} |\n");
    let (low, high) = poisson::means_for(events);
    let _ = writeln!(
        text,
        "{events} events in {weeks:.1} series-weeks: {:.3} a week (exact 95 % interval {:.3} to {:.3}). \
         A series that never moves adds no weeks.",
        events as f64 / weeks,
        low / weeks,
        high / weeks
    );
    let verdict = budget.map(|budget| Verdict::of(events, budget * weeks));
    match (&verdict, budget) {
        (Some(verdict), Some(budget)) => {
            let _ = writeln!(
                text,
                "Budget: {budget:.3} a week and series, {:.1} in all; 95 % of counts lie from {} to {}. \
                 **{}**.",
                verdict.expected, verdict.low, verdict.high, verdict.word
            );
        }
        _ => text += "The scene declares no budget, so there is no verdict.\n",
    }
    let haze: Vec<String> = counted
        .iter()
        .flat_map(|one| &one.haze)
        .map(|(month, (mean, events))| format!("{month} ({mean:.0} ug/m3, {events} events)"))
        .collect();
    if !haze.is_empty() {
        let _ = writeln!(
            text,
            "Months of haze in the judged part (mean PM2.5 of {HAZE} ug/m3 or more; events of PM2.5): {}.",
            haze.join(", ")
        );
    }
    text.push('\n');
    let each: Vec<Value> = counted
        .iter()
        .map(|one| {
            json!({ "set": one.set, "point": one.point, "weeks": one.weeks, "events": one.events,
                    "before": one.before })
        })
        .collect();
    let json = json!({
        "events": events, "weeks": weeks, "seconds": took.as_secs_f64(), "haze": haze, "each": each,
        "budget_per_week": budget,
        "verdict": verdict.map(|v| json!({
            "expected": v.expected, "low": v.low, "high": v.high, "verdict": v.word })),
    });
    Report { markdown: text, json }
}

/// Whether a count is one that the budget would give.
struct Verdict {
    expected: f64,
    low: u64,
    high: u64,
    word: &'static str,
}

impl Verdict {
    fn of(events: u64, expected: f64) -> Self {
        let (low, high) = poisson::counts_for(expected);
        let word = match events {
            0 => "outside: nothing was raised",
            few if few < low => "outside: fewer than the budget",
            many if many > high => "outside: more than the budget",
            _ => "within, and not zero",
        };
        Self { expected, low, high, word }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_number_and_a_time() {
        assert_eq!(per_week("0.5 / week"), Some(0.5));
        assert_eq!(per_week("2 per day"), Some(14.0));
        assert_eq!(per_week("2/day"), Some(14.0));
        assert_eq!(per_week("1 / fortnight"), None);
        assert_eq!(per_week("often"), None);
    }

    #[test]
    fn the_budget_of_a_scene_is_found_among_its_keys() {
        let scene = "[scene]\nid = \"x\"\nfalse-alarms = \"1 / week\" # for all of it\n";

        assert_eq!(in_scene(scene), Some(1.0));
        assert_eq!(in_scene("false-alarms-per-week = 0.25"), Some(0.25));
        assert_eq!(in_scene("[scene]\nid = \"x\"\n"), None);
    }

    #[test]
    fn a_count_is_held_against_what_the_budget_would_give() {
        let cases = [
            (0, 10.0, "outside: nothing was raised"),
            (3, 10.0, "outside: fewer than the budget"),
            (4, 10.0, "within, and not zero"),
            (17, 10.0, "within, and not zero"),
            (18, 10.0, "outside: more than the budget"),
            (0, 1.0, "outside: nothing was raised"),
        ];
        for (events, expected, word) in cases {
            assert_eq!(Verdict::of(events, expected).word, word, "{events} of {expected}");
        }
    }
}
