//! `cargo xtask eval`: the program by the field's own yardsticks, on recordings that nobody here made.
//!
//! The recordings are not part of this repository: a folder is named by `--data` or by the variable
//! `GATEHOUSE_DATA`. What a yardstick needs and the folder lacks is skipped and said so. The program is
//! run as a person would run it (`gatehouse replay`), one series at a time, and only what it wrote is
//! judged. The tables go to stdout in Markdown, so that docs/benchmarks.md can hold what was printed.
//!
//! 1. [`files`] and [`time`] read recordings, [`program`] runs the gateway on one,
//! 2. [`nab`] and [`ranges`] score one-point series, [`corpus`] does it for a folder,
//! 3. [`skab`] scores a device of several points, beside [`pca`] on the same rows,
//! 4. [`normal`] holds recordings of ordinary life, [`budget`] counts what was raised in them and asks
//!    [`poisson`] whether that is what was promised,
//! 5. [`bounds`] says what of it the project promises.

mod bounds;
mod budget;
mod corpus;
mod files;
mod nab;
mod normal;
mod pca;
mod poisson;
mod program;
mod ranges;
mod skab;
mod time;

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::step;
use program::Program;

const USAGE: &str = "usage: cargo xtask eval [--data FOLDER] [--program PATH] [--json] [--judge] \
                     [--budget 'N / week'] [nab|skab|budget|all]";

/// What was asked for.
#[derive(Debug, Default, PartialEq)]
struct Asked {
    data: Option<PathBuf>,
    program: Option<PathBuf>,
    is_json: bool,
    /// Fail when the figures are not those that are promised.
    is_judged: bool,
    /// Events a week and point, instead of what the scene declares.
    budget: Option<f64>,
    /// Empty for all.
    parts: Vec<String>,
}

/// What a yardstick found.
struct Report {
    markdown: String,
    json: Value,
}

pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let asked = parse(arguments)?;
    let named = asked.data.clone().or_else(|| std::env::var_os("GATEHOUSE_DATA").map(Into::into));
    let Some(data) = named else {
        eprintln!(
            "eval: skipped nab, skab and budget: no recordings; name their folder with --data"
        );
        return Ok(());
    };
    let data = files::series(&data)?;
    let program = if let Some(path) = &asked.program {
        path.canonicalize().with_context(|| format!("no `{}`", path.display()))?
    } else {
        step::run(&mut step::cargo(&["build", "--release"]))?;
        step::target().join("release/gatehouse")
    };
    let program = Program::new(program)?;
    let mut markdown = String::new();
    let mut all = serde_json::Map::new();
    all.insert("program".into(), json!(version(&program)?));
    for part in ["nab", "skab", "budget"] {
        if !asked.parts.is_empty() && !asked.parts.iter().any(|p| p == part) {
            continue;
        }
        let report = match part {
            "nab" => corpus::run(&program, &data)?,
            "skab" => skab::run(&program, &data)?,
            _ => budget::run(&program, &data, asked.budget)?,
        };
        if let Some(report) = report {
            markdown += &report.markdown;
            all.insert(part.into(), report.json);
        } else {
            all.insert(part.into(), json!("skipped"));
        }
    }
    let mut out = std::io::stdout().lock();
    if asked.is_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
    } else {
        out.write_all(markdown.as_bytes())?;
    }
    let missed = if asked.is_judged { bounds::missed(&all) } else { Vec::new() };
    if !missed.is_empty() {
        bail!("{}", missed.join("; "));
    }
    Ok(())
}

fn parse(arguments: &[&str]) -> Result<Asked> {
    let mut asked = Asked::default();
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        let mut value = || rest.next().with_context(|| format!("`{word}` needs a value; {USAGE}"));
        match *word {
            "--data" => asked.data = Some(value()?.into()),
            "--program" => asked.program = Some(value()?.into()),
            "--json" => asked.is_json = true,
            "--judge" => asked.is_judged = true,
            "--budget" => {
                let text = value()?;
                let rate = budget::per_week(text);
                asked.budget = Some(rate.with_context(|| {
                    format!("`{text}` is no budget; write a number and a time, as in `0.5 / week`")
                })?);
            }
            "all" => asked.parts.clear(),
            "nab" | "skab" | "budget" => asked.parts.push((*word).to_owned()),
            other => bail!("`{other}` is none of the words of this chore; {USAGE}"),
        }
    }
    Ok(asked)
}

fn version(program: &Program) -> Result<String> {
    let output = Command::new(program.path()).arg("--version").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_may_come_in_any_order() {
        let asked = parse(&["nab", "--data", "here", "--budget", "2 / week", "--json"]).unwrap();

        let expected = Asked {
            data: Some("here".into()),
            program: None,
            is_json: true,
            is_judged: false,
            budget: Some(2.0),
            parts: vec!["nab".into()],
        };
        assert_eq!(asked, expected);
    }

    #[test]
    fn a_word_that_is_none_is_named() {
        let error = parse(&["nap"]).unwrap_err().to_string();

        assert!(error.contains("`nap`"), "{error}");
        assert!(parse(&["--data"]).unwrap_err().to_string().contains("needs a value"));
    }
}
