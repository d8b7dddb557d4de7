//! Whether the false-alarm budget holds on recordings of ordinary life.
//!
//! Each column is a series of its own at its own step, with a scene and a budget of its own; then the
//! columns of a recording are the points of one device, under one scene that divides one budget among
//! them. The program is shown the whole of it; the first 70 % are what it may learn from, and events are
//! counted in the last 30 %. Pooled, the count must be one that a Poisson process with the budget's mean
//! would give in 95 of 100 cases, and must not be zero: a detector that never speaks keeps every budget.
//!
//! In a week without any change nothing can be taken for an alarm: such weeks (of snow, in summer) are
//! not expected to use their budget. What comes out with them is told beside it.
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
/// Seconds.
const WEEK: i64 = 604_800;
/// Where a scene writes its budget: words, or a number of events a week.
const KEYS: [&str; 3] = ["false-alarms", "false-alarm-budget", "budget"];
const KEY_PER_WEEK: &str = "false-alarms-per-week";
/// A month with a mean above this is one of haze: "moderately polluted" in HJ 633-2012, ug/m3.
const HAZE: f64 = 115.0;
/// The point that haze is seen in.
const PM25: &str = "pm2.5";

/// What came of one scene.
struct Counted {
    set: &'static str,
    points: String,
    /// Time with values in the judged part, in weeks in which some value changed.
    weeks: f64,
    /// The same in all weeks, unless nothing ever changed.
    all_weeks: f64,
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
    let budget = match asked {
        Some(rate) => Some(rate),
        None => declared()?,
    };
    let (mut markdown, mut json) = (String::new(), serde_json::Map::new());
    let alone: Vec<Recording> = recordings.iter().flat_map(Recording::split).collect();
    for (whose, recordings) in [("series", alone), ("device", recordings)] {
        let counted: Vec<Counted> =
            recordings.iter().map(|recording| count(program, recording)).collect::<Result<_>>()?;
        let report = report(whose, &counted, budget);
        markdown += &report.markdown;
        json.insert(whose.into(), report.json);
    }
    Ok(Some(Report { markdown, json: json.into() }))
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
    let rows = recording.rows.iter().map(|(at, values)| (*at, values.as_slice()));
    // Names of columns may not be names of points.
    let columns: Vec<String> = (1..=recording.points.len()).map(|i| format!("p{i}")).collect();
    let said = program.replay_rows(&columns, rows)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the rows")]
    let cut = (recording.rows.len() as f64 * LEARNING) as usize;
    let judged = recording.rows.get(cut..).unwrap_or_default();
    let from = judged.first().map_or(i64::MAX, |(at, _)| *at);
    let opened = |is_meant: &dyn Fn(i64) -> bool| {
        said.open.iter().filter(|(at, _)| is_meant(*at)).count() as u64
    };
    let mut months: BTreeMap<String, (f64, f64, u64)> = BTreeMap::new();
    if recording.points == [PM25] {
        for (at, values) in judged {
            let month = months.entry(time::month(*at)).or_default();
            if let Some(value) = values[0] {
                month.0 += value;
                month.1 += 1.0;
            }
            month.2 += opened(&|opened| opened == *at);
        }
    }
    let haze = months.into_iter().map(|(month, (sum, rows, events))| (month, (sum / rows, events)));
    let mut by_week: BTreeMap<i64, Vec<&[Option<f64>]>> = BTreeMap::new();
    for (at, values) in judged {
        by_week.entry((at - from).div_euclid(WEEK)).or_default().push(values);
    }
    let time = |rows: usize| rows as f64 * recording.step() as f64 / WEEK as f64;
    let present =
        |rows: &[&[Option<f64>]]| rows.iter().filter(|v| v.iter().any(Option::is_some)).count();
    let has_moved = moves(recording.rows.iter().map(|(_, values)| values.as_slice()));
    let moving = by_week.values().filter(|rows| moves(rows.iter().copied()));
    Ok(Counted {
        set: recording.set,
        points: recording.points.join(", "),
        weeks: moving.map(|rows| time(present(rows))).sum(),
        all_weeks: by_week.values().filter(|_| has_moved).map(|rows| time(present(rows))).sum(),
        events: opened(&|at| at >= from),
        before: opened(&|at| at < from),
        haze: haze.filter(|(_, (mean, _))| *mean >= HAZE).collect(),
        took: said.took,
    })
}

/// Whether any point has two values: what never moves proves nothing about false alarms.
fn moves<'a>(rows: impl Iterator<Item = &'a [Option<f64>]>) -> bool {
    let mut first: Vec<Option<f64>> = Vec::new();
    for row in rows {
        first.resize(row.len(), None);
        for (first, value) in first.iter_mut().zip(row) {
            if first.is_some() && value.is_some() && first != value {
                return true;
            }
            *first = first.or(*value);
        }
    }
    false
}

/// `whose` scenes they are: each series', or each device's.
fn report(whose: &str, counted: &[Counted], budget: Option<f64>) -> Report {
    let events: u64 = counted.iter().map(|one| one.events).sum();
    let weeks: f64 = counted.iter().map(|one| one.weeks).sum();
    let all_weeks: f64 = counted.iter().map(|one| one.all_weeks).sum();
    let took: Duration = counted.iter().map(|one| one.took).sum();
    let mut text = format!(
        "### False-alarm budget for each {whose}: {} scenes, {weeks:.0} weeks judged, replayed in {:.1} s\n\n\
         | set | points | weeks judged | events | events in the 70 % before |\n\
         | --- | --- | --- | --- | --- |\n",
        counted.len(),
        took.as_secs_f64()
    );
    for one in counted {
        let _ = writeln!(
            text,
            "| {} | {} | {:.1} | {} | {} |",
            one.set, one.points, one.weeks, one.events, one.before
        );
    }
    let before: u64 = counted.iter().map(|one| one.before).sum();
    let _ = writeln!(text, "| all | | {weeks:.1} | {events} | {before} |\n");
    let (low, high) = poisson::means_for(events);
    let _ = writeln!(
        text,
        "{events} events in {weeks:.1} weeks: {:.3} a week (exact 95 % interval {:.3} to {:.3}). A week in \
         which no value changes is none.",
        events as f64 / weeks,
        low / weeks,
        high / weeks
    );
    let verdict = budget.map(|budget| Verdict::of(events, budget * weeks));
    let with_all = budget.map(|budget| Verdict::of(events, budget * all_weeks));
    match (&verdict, &with_all, budget) {
        (Some(verdict), Some(all), Some(budget)) => {
            let _ = writeln!(
                text,
                "Budget: {budget:.3} a week and {whose}, {:.1} in all; 95 % of counts lie from {} to {}. \
                 **{}**. With the weeks in which nothing changes ({all_weeks:.1} in all): {:.1}, from {} \
                 to {}; {}.",
                verdict.expected,
                verdict.low,
                verdict.high,
                verdict.word,
                all.expected,
                all.low,
                all.high,
                all.word
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
            json!({ "set": one.set, "points": one.points, "weeks": one.weeks,
                    "all_weeks": one.all_weeks, "events": one.events, "before": one.before })
        })
        .collect();
    let json = json!({
        "events": events, "weeks": weeks, "all_weeks": all_weeks, "seconds": took.as_secs_f64(), "haze": haze, "each": each,
        "budget_per_week": budget,
        "verdict": verdict.map(|v| v.json()), "with_all_weeks": with_all.map(|v| v.json()),
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

    fn json(&self) -> Value {
        let Self { expected, low, high, word } = self;
        json!({ "expected": expected, "low": low, "high": high, "verdict": word })
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
    fn what_has_one_value_or_none_does_not_move() {
        let moves = |rows: &[[Option<f64>; 2]]| moves(rows.iter().map(<[_; 2]>::as_slice));

        assert!(!moves(&[[Some(1.0), None], [None, Some(2.0)], [Some(1.0), Some(2.0)]]));
        assert!(moves(&[[Some(1.0), None], [None, None], [Some(1.5), None]]));
        assert!(!moves(&[]));
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
