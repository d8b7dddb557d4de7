//! A device of several points with labelled faults: the Skoltech benchmark, or any folder of its form:
//! `anomaly-free/anomaly-free.csv`, and other folders with files of the same columns and `anomaly`.
//!
//! Both sides know the anomaly-free recording and nothing else. The program is shown its rows, then the
//! file's rows as if they followed at once; a row is called abnormal while an event is open or when its
//! score would raise one. Beside it, on the same rows in the same run, principal components with T² and Q.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use super::files::{self, Table};
use super::pca::Components;
use super::program::{Program, RAISED};
use super::{Report, time};

/// Columns that are no points.
const LABELS: [&str; 3] = ["datetime", "anomaly", "changepoint"];
/// Of the variance held by the components, and of the normal rows within the limits.
const SHARE: f64 = 0.95;
const QUANTILE: f64 = 0.99;
/// The benchmark's own way for T²: the first rows of the file itself are normal.
const OWN_ROWS: usize = 400;

const GATEHOUSE: &str = "Gatehouse";
const T2: &str = "PCA, T²";
const T2_Q: &str = "PCA, T² or Q";
const OWN: &str = "PCA, T² or Q, limits learned on the file's own first 400 rows";

/// Rows of one file.
struct Rows {
    points: Vec<String>,
    times: Vec<i64>,
    values: Vec<Vec<Option<f64>>>,
    anomalous: Vec<bool>,
}

/// Rows by what is true and what was said.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Confusion {
    hits: f64,
    misses: f64,
    false_alarms: f64,
    quiet: f64,
}

pub(super) fn run(program: &Program, data: &Path) -> Result<Option<Report>> {
    let folder = data.join("skab");
    let training = folder.join("anomaly-free/anomaly-free.csv");
    if !training.is_file() {
        eprintln!("eval: skipped skab: no `{}`", training.display());
        return Ok(None);
    }
    let normal = read(&training)?;
    let mut text = String::new();
    let mut sets = Map::new();
    for set in sets_in(&folder)? {
        let name = set.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (markdown, json) = judge(program, &name, &files::files(&set, "csv")?, &normal)?;
        text += &markdown;
        sets.insert(name, json);
    }
    Ok(Some(Report { markdown: text, json: sets.into() }))
}

/// Folders with faults.
fn sets_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut sets = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("anomaly-free") {
            sets.push(path);
        }
    }
    sets.sort();
    Ok(sets)
}

fn judge(
    program: &Program,
    set: &str,
    paths: &[PathBuf],
    normal: &Rows,
) -> Result<(String, Value)> {
    let trained = Components::fit(&normal.whole(), SHARE, QUANTILE);
    let mut all: Vec<(&str, Confusion)> =
        [GATEHOUSE, T2, T2_Q, OWN].map(|method| (method, Confusion::default())).into();
    let mut each = Map::new();
    let mut took = Duration::ZERO;
    for path in paths {
        let file = read(path)?;
        if file.points != normal.points {
            bail!("`{}` has other columns than the anomaly-free rows", path.display());
        }
        let (said, spent) = said(program, normal, &file)?;
        took += spent;
        let rows = file.whole();
        let own = Components::fit(&rows[..rows.len().min(OWN_ROWS)], SHARE, QUANTILE);
        let by = |components: &Components, with_q: bool| -> Vec<bool> {
            let beyond = |(t2, q)| t2 > components.t2_limit || with_q && q > components.q_limit;
            rows.iter().map(|row| beyond(components.judge(row))).collect()
        };
        let calls = [said, by(&trained, false), by(&trained, true), by(&own, true)];
        for ((_, pooled), calls) in all.iter_mut().zip(&calls) {
            pooled.count(&file.anomalous, calls);
        }
        let mut ours = Confusion::default();
        ours.count(&file.anomalous, &calls[0]);
        each.insert(path.file_name().unwrap_or_default().to_string_lossy().into(), ours.json());
    }
    let mut text = format!(
        "### SKAB {set}: {} files, {} points, {} normal rows before each, replayed in {:.1} s\n\n\
         Row by row, all files together; {} components hold {:.0} % of the variance.\n\n\
         | method | F1 | false alarms (FAR) | missed (MAR) |\n| --- | --- | --- | --- |\n",
        paths.len(),
        normal.points.len(),
        normal.times.len(),
        took.as_secs_f64(),
        trained.count(),
        100.0 * SHARE,
    );
    let mut methods = Map::new();
    for (method, pooled) in &all {
        let _ = writeln!(
            text,
            "| {method} | {:.3} | {:.1} % | {:.1} % |",
            pooled.f1(),
            100.0 * pooled.false_alarm_rate(),
            100.0 * pooled.missed_rate()
        );
        methods.insert((*method).into(), pooled.json());
    }
    text.push('\n');
    let json = json!({ "methods": methods, "files": each, "seconds": took.as_secs_f64() });
    Ok((text, json))
}

/// Which rows of the file the program calls abnormal, and how long that took.
fn said(program: &Program, normal: &Rows, file: &Rows) -> Result<(Vec<bool>, Duration)> {
    let start = normal.times.last().map_or(0, |last| last + 1);
    let shift = start - file.times.first().copied().unwrap_or_default();
    let times: Vec<i64> = file.times.iter().map(|at| at + shift).collect();
    let at = normal.times.iter().chain(&times).copied();
    let values = normal.values.iter().chain(&file.values).map(Vec::as_slice);
    let said = program.replay_rows(&normal.points, at.zip(values))?;
    let scores = &said.scores[normal.times.len()..];
    let calls = times.iter().zip(scores).map(|(at, score)| {
        *score >= RAISED || said.open.iter().any(|(from, to)| (*from..*to).contains(at))
    });
    Ok((calls.collect(), said.took))
}

fn read(path: &Path) -> Result<Rows> {
    let table = Table::read(path, ';')?;
    let is_point = |name: &String| !LABELS.contains(&name.as_str());
    let columns: Vec<usize> =
        (0..table.header.len()).filter(|i| is_point(&table.header[*i])).collect();
    let clock = table.column("datetime")?;
    let label = table.column("anomaly").ok();
    let mut rows = Rows {
        points: columns.iter().map(|i| table.header[*i].clone()).collect(),
        times: Vec::new(),
        values: Vec::new(),
        anomalous: Vec::new(),
    };
    for row in &table.rows {
        let at = row.get(clock).and_then(|cell| time::parse(cell));
        rows.times.push(at.with_context(|| format!("no time in a row of `{}`", path.display()))?);
        rows.values.push(columns.iter().map(|i| Table::number(row, *i)).collect());
        let label = label.and_then(|column| Table::number(row, column));
        rows.anomalous.push(label.is_some_and(|label| label > 0.0));
    }
    Ok(rows)
}

impl Rows {
    /// Values alone; what is missing stays as it was, since components cannot do without.
    fn whole(&self) -> Vec<Vec<f64>> {
        let mut last = vec![0.0; self.points.len()];
        self.values
            .iter()
            .map(|row| {
                for (last, value) in last.iter_mut().zip(row) {
                    *last = value.unwrap_or(*last);
                }
                last.clone()
            })
            .collect()
    }
}

impl Confusion {
    fn count(&mut self, truth: &[bool], calls: &[bool]) {
        for (is_abnormal, is_called) in truth.iter().zip(calls) {
            match (is_abnormal, is_called) {
                (true, true) => self.hits += 1.0,
                (true, false) => self.misses += 1.0,
                (false, true) => self.false_alarms += 1.0,
                (false, false) => self.quiet += 1.0,
            }
        }
    }

    fn f1(&self) -> f64 {
        2.0 * self.hits / (2.0 * self.hits + self.misses + self.false_alarms).max(1.0)
    }

    fn false_alarm_rate(&self) -> f64 {
        self.false_alarms / (self.false_alarms + self.quiet).max(1.0)
    }

    fn missed_rate(&self) -> f64 {
        self.misses / (self.misses + self.hits).max(1.0)
    }

    fn json(&self) -> Value {
        json!({ "f1": self.f1(), "far": self.false_alarm_rate(), "mar": self.missed_rate() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_what_could_have_been_missed_or_raised() {
        let mut rows = Confusion::default();
        let truth = [true, true, true, false, false, false, false, false];
        let calls = [true, true, false, true, false, false, false, false];

        rows.count(&truth, &calls);

        assert_eq!(rows, Confusion { hits: 2.0, misses: 1.0, false_alarms: 1.0, quiet: 4.0 });
        assert!((rows.f1() - 2.0 / 3.0).abs() < 1e-9);
        assert!((rows.false_alarm_rate() - 0.2).abs() < 1e-9);
        assert!((rows.missed_rate() - 1.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn who_says_nothing_scores_nothing_and_does_not_divide_by_zero() {
        let rows = Confusion::default();

        assert_eq!((rows.f1(), rows.false_alarm_rate(), rows.missed_rate()), (0.0, 0.0, 0.0));
    }
}
