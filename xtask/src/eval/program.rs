//! The gateway's `replay` on one recording, and what it wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::files::Table;
use super::time;
use crate::step;

/// What recorded everything here, and the scene that judges it.
const DEVICE_TYPE: &str = "generic-series";
pub(super) const SCENE: &str = "general";
/// From this score on the program itself would raise an event.
pub(super) const RAISED: f64 = 0.5;

/// The program under judgement, and a folder for what it writes.
pub(super) struct Program {
    path: PathBuf,
    scratch: PathBuf,
    /// Configuration folder; the shipped one when absent.
    config: Option<PathBuf>,
}

/// What it said about a recording, row by row.
pub(super) struct Said {
    pub(super) scores: Vec<f64>,
    /// Whether an event opens at the row.
    pub(super) opens: Vec<bool>,
    /// From when to when each event of the scene was open, in seconds of Unix time.
    pub(super) open: Vec<(i64, i64)>,
    /// Start of the process to its end.
    pub(super) took: Duration,
}

impl Program {
    pub(super) fn new(path: PathBuf) -> Result<Self> {
        // One folder a process: two evaluations at once must not read each other's answers.
        let scratch = step::target().join(format!("eval/{}", std::process::id()));
        fs::create_dir_all(&scratch)?;
        Ok(Self { path, scratch, config: None })
    }

    /// The same program on the shipped configuration, whose scene has this budget of events a week.
    pub(super) fn with_budget(&self, per_week: f64) -> Result<Self> {
        let scratch = self.scratch.join("budget");
        let config = scratch.join("config");
        fs::create_dir_all(&scratch)?;
        for folder in ["config", "models"] {
            let from = step::workspace().join(folder);
            step::run(Command::new("cp").arg("-rT").arg(from).arg(scratch.join(folder)))?;
        }
        let scene = config.join(format!("scenes/{SCENE}.toml"));
        let text = fs::read_to_string(&scene)?;
        let declared = format!("[scene]\nfalse-alarms = \"{per_week} per week\"");
        fs::write(&scene, text.replacen("[scene]", &declared, 1))?;
        Ok(Self { path: self.path.clone(), scratch, config: Some(config) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs it on a file that has the form already.
    pub(super) fn replay(&self, input: &Path) -> Result<Said> {
        let (scores, events) = (self.scratch.join("scores.csv"), self.scratch.join("events.jsonl"));
        let mut command = Command::new(&self.path);
        command.current_dir(step::workspace());
        command.args(["replay", "--device-type", DEVICE_TYPE, "--scene", SCENE]);
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command.arg("--input").arg(input).arg("--scores").arg(&scores).arg("--events").arg(&events);
        let started = Instant::now();
        let output = command.output().with_context(|| format!("no `{}`", self.path.display()))?;
        let took = started.elapsed();
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            bail!("replay of `{}` ended with {}: {}", input.display(), output.status, why.trim());
        }
        let table = Table::read(&scores, ',')?;
        let (score, event) = (table.column("score")?, table.column("event")?);
        let mut said = Said { scores: Vec::new(), opens: Vec::new(), open: Vec::new(), took };
        for (line, row) in table.rows.iter().enumerate() {
            let value = Table::number(row, score).with_context(|| {
                format!("row {} of the scores of `{}` has no score", line + 1, input.display())
            })?;
            said.scores.push(value);
            said.opens.push(row.get(event).is_some_and(|cell| cell == "1"));
        }
        said.open = spans(&fs::read_to_string(&events)?)?;
        Ok(said)
    }

    /// Writes rows of values and runs it on them; a value that is missing is an empty cell.
    pub(super) fn replay_rows<'a>(
        &self,
        points: &[String],
        rows: impl Iterator<Item = (i64, &'a [Option<f64>])>,
    ) -> Result<Said> {
        let input = self.scratch.join("input.csv");
        let mut text = format!("timestamp,{}\n", points.join(","));
        for (at, values) in rows {
            text += &time::format(at);
            for value in values {
                text.push(',');
                if let Some(value) = value {
                    text += &value.to_string();
                }
            }
            text.push('\n');
        }
        fs::write(&input, text)?;
        self.replay(&input)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // What stays is scratch in the build folder; the next run has a folder of its own.
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

/// From event messages, a JSON object a line: when each event of the scene was open. One that never
/// cleared is open until the end of time. Empty cells are told of by the gateway's own scenes.
fn spans(messages: &str) -> Result<Vec<(i64, i64)>> {
    let mut spans: Vec<(String, i64, i64)> = Vec::new();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line).context("an event message is no JSON")?;
        let text = |key: &str| message[key].as_str().unwrap_or_default();
        let is_meant = message["data"]["scene"] == SCENE;
        let Some(at) = time::parse(text("time")).filter(|_| is_meant) else { continue };
        let event = text("subject");
        match text("type").trim_start_matches("gatehouse.event.") {
            "opened" | "reopened" => spans.push((event.to_owned(), at, i64::MAX)),
            "cleared" | "closed" => {
                let still =
                    spans.iter_mut().rev().find(|(id, _, end)| id == event && *end == i64::MAX);
                if let Some((_, _, end)) = still {
                    *end = at;
                }
            }
            _ => {}
        }
    }
    Ok(spans.into_iter().map(|(_, from, to)| (from, to)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_open_from_its_opening_to_its_clearing() {
        let message = |word: &str, subject: &str, second: u8| {
            let scene = if subject == "other" { "device-refused" } else { SCENE };
            format!(
                "{{\"type\":\"gatehouse.event.{word}\",\"subject\":\"{subject}\",\
                 \"time\":\"1970-01-01T00:00:{second:02}.000Z\",\"data\":{{\"scene\":\"{scene}\"}}}}\n"
            )
        };
        let messages = message("opened", "a", 1)
            + &message("updated", "a", 2)
            + &message("opened", "b", 3)
            + &message("opened", "other", 3)
            + &message("cleared", "a", 4)
            + &message("reopened", "a", 6)
            + &message("cleared", "a", 7);

        assert_eq!(spans(&messages).unwrap(), [(1, 4), (3, i64::MAX), (6, 7)]);
    }
}
