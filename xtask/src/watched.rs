//! Runs the tests and ends them when nothing has been heard of them for long: a test that waits for what never
//! comes is named and fails, instead of using up the time that somebody gave the whole run.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// No test of ours says nothing for so long, on the slowest machine that we know of.
const SILENCE: Duration = Duration::from_mins(10);

/// As [`crate::step::run`] does, with what the command prints on standard output passed on line by line.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    run_with(command, SILENCE)
}

fn run_with(command: &mut Command, silence: Duration) -> Result<()> {
    let shown = crate::step::shown(command);
    eprintln!("xtask: {shown}");
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let output = child.stdout.take().context("it was asked for a moment ago")?;
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(output).split(b'\n').map_while(Result::ok);
        lines
            .map(|line| String::from_utf8_lossy(&line).into_owned())
            .all(|line| sender.send(line).is_ok())
    });
    let mut slow = Slow::default();
    loop {
        match lines.recv_timeout(silence) {
            Ok(line) => {
                slow.hear(&line);
                writeln!(std::io::stdout().lock(), "{line}")?;
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                end(&mut child)?;
                bail!("`{shown}` has been silent for {silence:?}; not ended: {slow}");
            }
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// With all that it has started: cargo leaves the tests that it runs to themselves, and so do they with
/// theirs.
fn end(child: &mut Child) -> Result<()> {
    let below: Vec<String> = below(child.id()).iter().map(u32::to_string).collect();
    child.kill()?;
    Command::new("kill").arg("-KILL").args(&below).stderr(Stdio::null()).status().ok();
    child.wait()?;
    Ok(())
}

/// The processes that one has started, and those that they have.
fn below(process: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let children = tasks.flat_map(|task| {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()
    });
    children.flat_map(|child| std::iter::once(child).chain(below(child))).collect()
}

/// The tests that were said to take long and have not been said to have ended.
#[derive(Default)]
struct Slow(BTreeSet<String>);

impl Slow {
    fn hear(&mut self, line: &str) {
        let Some(line) = line.strip_prefix("test ") else { return };
        if let Some((name, _)) = line.split_once(" has been running for over ") {
            self.0.insert(name.to_owned());
        } else if let Some((name, _)) = line.split_once(" ... ") {
            self.0.remove(name);
        }
    }
}

impl std::fmt::Display for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.0.iter().map(String::as_str).collect();
        f.write_str(if names.is_empty() { "nobody knows what" } else { "" })?;
        f.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Result<()> {
        run_with(Command::new("sh").args(["-c", script]), Duration::from_secs(1))
    }

    #[test]
    fn what_never_ends_is_named_and_ended() {
        let error = sh("echo 'test a has been running for over 60 seconds'
            echo 'test b has been running for over 60 seconds'; echo 'test b ... ok'; sleep 600")
        .unwrap_err();

        assert!(error.to_string().ends_with("not ended: a"), "{error}");
    }

    #[test]
    fn what_it_has_started_ends_with_it_and_a_line_that_is_no_text_is_a_line() {
        let mark = format!("{}", 86_400 + std::process::id());
        let error = sh(&format!(
            "printf '\\377\\n'; echo 'test c has been running for over 60 seconds'; sh -c 'sleep {mark}; :'"
        ))
        .unwrap_err();

        assert!(error.to_string().ends_with("not ended: c"), "{error}");
        let left = Command::new("pgrep").args(["-f", &format!("^sleep {mark}")]).output().unwrap();
        assert!(left.stdout.is_empty(), "{left:?}");
    }

    #[test]
    fn what_ends_is_judged_by_how() {
        assert!(sh("true").is_ok());
        assert!(sh("exit 3").unwrap_err().to_string().contains("exit status: 3"));
    }
}
