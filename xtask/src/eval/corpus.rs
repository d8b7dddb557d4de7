//! The Numenta Anomaly Benchmark, or any folder of its form: `data/<group>/<name>.csv` with
//! `timestamp,value`, and `windows.json` (or `labels/combined_windows.json`) with the labelled windows.
//!
//! Two answers: the one threshold that the program itself has (an event opens: that is a detection),
//! and the benchmark's own rule, which chooses the best threshold over the scores afterwards.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use super::files::Table;
use super::nab::{self, Labels, PROFILES, Profile};
use super::program::{Program, Said};
use super::{Report, ranges, time};

/// Buffers of VUS-PR, in rows: none to a hundred.
const BUFFERS: [usize; 11] = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100];
/// Detections are moments and windows are wide on purpose: a window counts as found when it is touched.
const EXISTENCE: f64 = 1.0;

/// One series, what is true of it, and what was said.
struct Judged {
    name: String,
    labels: Labels,
    said: Said,
}

/// The second set of yardsticks, for one series.
struct Ranges {
    precision: Option<f64>,
    recall: Option<f64>,
    vus_pr: Option<f64>,
}

pub(super) fn run(program: &Program, data: &Path) -> Result<Option<Report>> {
    let folder = data.join("nab");
    let Some(windows) = windows(&folder)? else {
        eprintln!("eval: skipped nab: no `windows.json` in `{}`", folder.display());
        return Ok(None);
    };
    let mut judged = Vec::new();
    for (name, windows) in &windows {
        let path = folder.join("data").join(name);
        if !path.is_file() {
            eprintln!("eval: skipped `{name}`: labelled, but not there");
            continue;
        }
        let labels = labels(&path, windows)?;
        let said = program.replay(&path)?;
        if said.scores.len() != labels.rows {
            bail!("`{name}` has {} rows, but {} were scored", labels.rows, said.scores.len());
        }
        judged.push(Judged { name: name.clone(), labels, said });
    }
    Ok(Some(report(&judged)))
}

/// The labelled windows by file; none when the folder has no such list.
fn windows(folder: &Path) -> Result<Option<Map<String, Value>>> {
    for name in ["windows.json", "labels/combined_windows.json"] {
        if let Ok(text) = fs::read_to_string(folder.join(name)) {
            let windows = serde_json::from_str(&text);
            return windows.map(Some).with_context(|| format!("`{name}` is no list of windows"));
        }
    }
    Ok(None)
}

fn labels(path: &Path, windows: &Value) -> Result<Labels> {
    let table = Table::read(path, ',')?;
    let column = table.column("timestamp")?;
    let times: Vec<i64> = table
        .rows
        .iter()
        .map(|row| row.get(column).and_then(|cell| time::parse(cell)))
        .collect::<Option<_>>()
        .with_context(|| format!("a timestamp of `{}` is none", path.display()))?;
    let mut rows = Vec::new();
    for window in windows.as_array().into_iter().flatten() {
        let end = |i: usize| window[i].as_str().and_then(time::parse);
        let ends = end(0).zip(end(1));
        let (from, to) = ends.with_context(|| format!("`{window}` is no window"))?;
        let inside = |at: &i64| (from..=to).contains(at);
        if let Some((first, last)) =
            times.iter().position(inside).zip(times.iter().rposition(inside))
        {
            rows.push((first, last));
        }
    }
    Ok(Labels { rows: times.len(), windows: rows })
}

fn report(judged: &[Judged]) -> Report {
    let windows: usize = judged.iter().map(|one| one.labels.windows.len()).sum();
    let rows: usize = judged.iter().map(|one| one.labels.rows).sum();
    let took: Duration = judged.iter().map(|one| one.said.took).sum();
    let scored: Vec<(&Labels, &[f64])> =
        judged.iter().map(|one| (&one.labels, one.said.scores.as_slice())).collect();
    let mut text = format!(
        "### NAB: {} series, {windows} windows, {rows} rows replayed in {:.1} s (wanted: under 60)\n\n\
         | profile | one fixed threshold: an event opens | best threshold over the score | that threshold |\n\
         | --- | --- | --- | --- |\n",
        judged.len(),
        took.as_secs_f64()
    );
    let mut profiles = Map::new();
    for profile in PROFILES {
        let fixed = fixed(judged, windows, &profile);
        let (threshold, best) = nab::best(&scored, &profile);
        let _ = writeln!(text, "| {} | {fixed:.2} | {best:.2} | {threshold:.6} |", profile.name);
        profiles.insert(
            profile.name.into(),
            json!({ "fixed": fixed, "best": best, "best_threshold": threshold }),
        );
    }
    let each: Vec<Ranges> = judged.iter().map(Ranges::of).collect();
    let mean = |pick: fn(&Ranges) -> Option<f64>| {
        let values: Vec<f64> = each.iter().filter_map(pick).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let means = Ranges {
        precision: mean(|one| one.precision),
        recall: mean(|one| one.recall),
        vus_pr: mean(|one| one.vus_pr),
    };
    text += "\nTP: windows found; FN: windows missed; FP: events outside of windows; raw: the standard \
             profile's part of the series. Precision and recall by range (a window is found when an \
             event opens in it), VUS-PR of the score with buffers of 0 to 100 rows; no value where \
             nothing is labelled or nothing was raised. Probation is left out everywhere.\n\n\
             | series | TP | FN | FP | raw | precision | recall | VUS-PR |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- |\n";
    let mut series = Vec::new();
    for (one, ranges) in judged.iter().zip(&each) {
        let tally = nab::tally(&one.labels, &one.said.opens, &PROFILES[0]);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:.2} | {} |",
            one.name,
            tally.hits,
            tally.misses,
            tally.false_detections,
            tally.raw,
            ranges.cells()
        );
        series.push(json!({
            "series": one.name, "tp": tally.hits, "fn": tally.misses, "fp": tally.false_detections,
            "raw": tally.raw, "ranges": ranges.json(), "seconds": one.said.took.as_secs_f64(),
        }));
    }
    let _ = writeln!(text, "| mean | | | | | {} |\n", means.cells());
    let json = json!({
        "series": judged.len(), "windows": windows, "rows": rows, "seconds": took.as_secs_f64(),
        "profiles": profiles, "ranges": means.json(), "each": series,
    });
    Report { markdown: text, json }
}

/// The profile's score when an opening event is a detection.
fn fixed(judged: &[Judged], windows: usize, profile: &Profile) -> f64 {
    let raw = judged.iter().map(|one| nab::tally(&one.labels, &one.said.opens, profile).raw).sum();
    nab::normalised(raw, windows, profile)
}

impl Ranges {
    fn of(one: &Judged) -> Self {
        let start = one.labels.probation();
        let labelled: Vec<_> = one
            .labels
            .windows
            .iter()
            .filter(|(_, last)| *last >= start)
            .map(|(first, last)| first.saturating_sub(start)..last + 1 - start)
            .collect();
        let predicted = ranges::runs(&one.said.opens[start..]);
        let is_labelled = !labelled.is_empty();
        let precision = ranges::precision(&labelled, &predicted).filter(|_| is_labelled);
        Self {
            precision,
            recall: ranges::recall(&labelled, &predicted, EXISTENCE),
            vus_pr: ranges::vus_pr(&labelled, &one.said.scores[start..], &BUFFERS),
        }
    }

    fn cells(&self) -> String {
        [self.precision, self.recall, self.vus_pr]
            .map(|value| value.map_or_else(|| "-".into(), |value| format!("{value:.2}")))
            .join(" | ")
    }

    fn json(&self) -> Value {
        json!({ "precision": self.precision, "recall": self.recall, "vus_pr": self.vus_pr })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::files;

    /// The published scores of the Windowed Gaussian detector give its published score: 36.71 for the
    /// part of the corpus that has 57 windows, 39.65 for the whole of it.
    #[test]
    fn the_scorer_agrees_with_the_published_score_of_another_detector() {
        let Some(data) = std::env::var_os("GATEHOUSE_DATA") else {
            eprintln!("skipped: GATEHOUSE_DATA does not name the recordings");
            return;
        };
        let folder = files::series(Path::new(&data)).unwrap().join("nab");
        let path = folder.join("windowed_gaussian.csv.gz");
        if !path.is_file() {
            eprintln!("skipped: no published scores in `{}`", folder.display());
            return;
        }
        let table = Table::read(&path, ',').unwrap();
        let mut all = Vec::new();
        for (name, windows) in windows(&folder).unwrap().unwrap() {
            let rows = table.rows.iter().filter(|row| row[0] == name);
            let scores: Vec<f64> = rows.map(|row| row[2].parse().unwrap()).collect();
            let path = folder.join("data").join(&name);
            if scores.is_empty() || !path.is_file() {
                eprintln!("skipped: `{name}`");
                continue;
            }
            let labels = labels(&path, &windows).unwrap();
            assert_eq!(scores.len(), labels.rows, "{name}");
            all.push((labels, scores));
        }
        let windows: usize = all.iter().map(|(labels, _)| labels.windows.len()).sum();

        let raw = all.iter().map(|(labels, scores)| {
            let detected: Vec<bool> = scores.iter().map(|score| *score >= 1.0).collect();
            nab::tally(labels, &detected, &PROFILES[0]).raw
        });
        let at_one = nab::normalised(raw.sum(), windows, &PROFILES[0]);

        match (all.len(), windows) {
            (31, 57) => assert_eq!(format!("{at_one:.2}"), "36.71"),
            (58, _) => assert_eq!(format!("{at_one:.2}"), "39.65"),
            (series, _) => eprintln!("skipped: nothing is published for {series} series alone"),
        }
        let scored: Vec<(&Labels, &[f64])> =
            all.iter().map(|(labels, scores)| (labels, scores.as_slice())).collect();
        let (_, best) = nab::best(&scored, &PROFILES[0]);
        assert!(best >= at_one - 1e-9, "{best} at the best threshold and {at_one} at 1");
    }
}
