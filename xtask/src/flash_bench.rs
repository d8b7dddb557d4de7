//! `cargo xtask flash-bench`: what a day at rest takes of the flash.
//!
//! The gateway of `demo` runs on a community in which nothing goes wrong, faster than the world: the code of
//! `run`, with devices and brokers in the same process, of which none writes to a disk. What is counted is the
//! kernel's: pages of the process's files that became dirty (`write_bytes` of proc(5)'s `io`). What the file
//! system writes beside them, its journal and its inodes, is not in it.
//!
//! A day is the last 24 hours or, of a shorter run, four times the last six: every device writes once in them what
//! it has learnt. What goes by the box's own clock and not by the community's is added.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::crowd;
use crate::step;

/// From one time that a device writes what it has learnt to the next.
const ROUND: Duration = Duration::from_hours(6);
const DAY: Duration = Duration::from_hours(24);
const MINUTES: u64 = 42;
/// How fast the communities live: in that of the demo a minute's silence is an event, and must not be
/// the machine's.
const DEMO_SPEED: u32 = 20;
const CROWD_SPEED: u32 = 60;

/// The time that was right, and the count of what was written: a page each, every hour of the box's own clock.
const HOURLY: u64 = 2 * 4_096;

const DEVICES: usize = 1_000;
/// What a day may take, in bytes.
const DEMO: f64 = 5_000_000.0;
const CROWD: f64 = 60_000_000.0;

const PACE: Duration = Duration::from_millis(100);
/// The first build of a model and a store takes its time in a debug program.
const START: Duration = Duration::from_mins(5);
const STOP: Duration = Duration::from_mins(5);

pub(crate) fn run(words: &[&str]) -> Result<()> {
    let (mut program, mut is_debug, mut is_judged, mut minutes) = (None, false, false, MINUTES);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("`{word}` needs a value"));
        match *word {
            "--program" => program = Some(PathBuf::from(value()?)),
            "--debug" => is_debug = true,
            "--judge" => is_judged = true,
            "--minutes" => minutes = value()?.parse().context("--minutes: a number")?,
            _ => bail!("`{word}`: expected --program PATH, --debug, --judge or --minutes N"),
        }
    }
    let lasts = Duration::from_mins(minutes);
    if lasts * DEMO_SPEED < ROUND {
        let least = ROUND.as_secs() / 60 / u64::from(DEMO_SPEED);
        bail!("--minutes: at least {least}, six hours of the demo community");
    }
    let (profile, below) = if is_debug { ("dev", "debug") } else { ("release", "release") };
    if program.is_none() {
        step::run(&mut step::cargo(&["build", "--profile", profile]))?;
    }
    let program = program.unwrap_or_else(|| step::target().join(below).join("gatehouse"));
    let folder = step::target().join(format!("flash-bench/{}", std::process::id()));
    let measured = measure(&program, &folder, lasts);
    fs::remove_dir_all(&folder)?;
    let (table, holds) = measured?;
    std::io::stdout().lock().write_all(table.as_bytes())?;
    if is_judged && !holds {
        bail!("it writes more than it may");
    }
    Ok(())
}

/// Both communities side by side: time is what they need most.
fn measure(program: &Path, folder: &Path, lasts: Duration) -> Result<(String, bool)> {
    let (demo, crowd) = (folder.join("demo"), folder.join("crowd"));
    shipped(&demo.join("config"))?;
    crowded(&crowd.join("config"))?;
    on_a_disk(folder)?;
    let mut begun = Vec::new();
    for (name, folder, speed, bound) in [
        ("the demo community", demo, DEMO_SPEED, DEMO),
        ("1,000 devices of 4 points", crowd, CROWD_SPEED, CROWD),
    ] {
        begun.push((name, Played::begin(program, &folder, speed, lasts)?, bound));
    }
    while begun.iter().any(|(_, played, _)| played.exited.is_none()) {
        thread::sleep(PACE);
        for (name, played, _) in &mut begun {
            played.look().with_context(|| (*name).to_owned())?;
        }
    }

    let mut table = format!(
        "{:58} {:>11} {:>11} {:>8} {:>6}\n",
        "what", "bytes", "times a day", "MB a day", "bound"
    );
    let mut holds = true;
    for (name, played, bound) in begun {
        let day = played.day()?;
        let mut sum = 0.0;
        let mut row = |what: &str, bytes: u64, times: f64| {
            let product = bytes as f64 * times;
            sum += product;
            writeln!(table, "{what:58} {bytes:11} {times:11.1} {:>8}", megabytes(product))
        };
        let times = DAY.div_duration_f64(day.length);
        let hours = day.length.as_secs_f64() / 3_600.0;
        row(&format!("{name}, the last {hours:.1} hours"), day.bytes, times)?;
        if day.rounds.len() > 1 {
            for (nth, bytes) in (1..).zip(&day.rounds) {
                row(&format!("  of them six hours, the {nth}. time"), *bytes, 0.0)?;
            }
        }
        row("  hourly by the box's own clock (not run)", HOURLY, 24.0)?;
        row("  a stop, and what led to it (no part of a day)", day.stop, 0.0)?;
        let is_held = sum < bound;
        let (what, word) = (
            "  a day",
            match (is_held, day.events) {
                (true, _) => "held",
                (false, 0) => "missed",
                (false, _) => "missed, but events came: it was not at rest",
            },
        );
        let (sum, bound) = (megabytes(sum), megabytes(bound));
        writeln!(table, "{what:58} {:>11} {:>11} {sum:>8} {bound:>6} {word}", "", "")?;
        let Day { hours, frames, events, .. } = day;
        writeln!(table, "  after {hours:.1} hours with {frames} frames and {events} events")?;
        holds &= is_held;
    }
    Ok((table, holds))
}

/// What is written to memory is no measure.
fn on_a_disk(folder: &Path) -> Result<()> {
    let told = Command::new("stat").args(["-f", "-c", "%T"]).arg(folder).output()?;
    let kind = String::from_utf8_lossy(&told.stdout).trim().to_owned();
    if ["tmpfs", "ramfs"].contains(&kind.as_str()) {
        bail!("{} lies in memory ({kind}), where nothing is counted", folder.display());
    }
    Ok(())
}

/// The shipped configuration, in which nothing is planned to go wrong.
fn shipped(folder: &Path) -> Result<()> {
    let from = step::workspace().join("config");
    for below in ["", "device-types", "scenes"] {
        fs::create_dir_all(folder.join(below))?;
        for file in fs::read_dir(from.join(below))? {
            let path = file?.path();
            if let (true, Some(name)) = (path.is_file(), path.file_name()) {
                fs::copy(&path, folder.join(below).join(name))?;
            }
        }
    }
    let path = folder.join("community.toml");
    let (mut is_planned, mut calm) = (false, String::new());
    for line in fs::read_to_string(&path)?.lines() {
        if line.starts_with('[') {
            is_planned = line.starts_with("[[simulation.anomaly]]");
        }
        if !is_planned {
            writeln!(calm, "{line}")?;
        }
    }
    fs::write(path, calm)?;
    let path = folder.join("gateway.toml");
    let models = step::workspace().join("models").display().to_string();
    Ok(fs::write(&path, fs::read_to_string(&path)?.replace("../models", &models))?)
}

/// The crowd, with what its devices show on an ordinary day.
fn crowded(folder: &Path) -> Result<()> {
    // The ports are those of the play, whatever is written here.
    crowd::configure(folder, DEVICES, [1_883, 8_080])?;
    let path = folder.join("community.toml");
    let mut community = fs::read_to_string(&path)?;
    for (point, [low, high]) in crowd::POINTS {
        let (low, span) = (f64::from(low), f64::from(high - low));
        let [mean, swing, noise] = [low + 0.4 * span, 0.1 * span, 0.012 * span];
        writeln!(
            community,
            "[[simulation.behaviour]]\ndevice-type = \"four\"\npoint = \"{point}\"\n\
             mean = {mean:.3}\nswing = {swing:.3}\nnoise = {noise:.3}"
        )?;
    }
    Ok(fs::write(path, community)?)
}

/// A demonstration, and what it has written by when.
struct Played {
    child: Child,
    folder: PathBuf,
    lasts: Duration,
    started: Instant,
    /// When the devices began to speak.
    begun: Option<Instant>,
    seen: Vec<(Instant, u64)>,
    exited: Option<u64>,
}

/// What it comes to.
struct Day {
    /// Bytes of the time that a day is told by, and of the stop after it.
    bytes: u64,
    /// What it is made of: bytes of each six hours, the earliest first.
    rounds: Vec<u64>,
    length: Duration,
    stop: u64,
    hours: f64,
    frames: u64,
    events: u64,
}

impl Played {
    fn begin(program: &Path, folder: &Path, speed: u32, lasts: Duration) -> Result<Self> {
        let log = fs::File::create(folder.join("log"))?;
        let summary = fs::File::create(folder.join("summary.json"))?;
        let speed = speed.to_string();
        let mut command = Command::new(program);
        command.args(["demo", "--json", "--speed", &speed, "--for", &lasts.as_secs().to_string()]);
        command.arg("--config").arg(folder.join("config"));
        // Where it keeps its store.
        command.env("TMPDIR", folder).env("LC_ALL", "C").stdout(summary).stderr(log);
        eprintln!("xtask: {}", step::shown(&command));
        let child =
            command.spawn().with_context(|| format!("cannot start `{}`", program.display()))?;
        let (folder, started) = (folder.to_owned(), Instant::now());
        Ok(Self { child, folder, lasts, started, begun: None, seen: Vec::new(), exited: None })
    }

    /// Notes what it has written by now; who has ended can be asked until somebody has waited for it.
    fn look(&mut self) -> Result<()> {
        if self.exited.is_some() {
            return Ok(());
        }
        let written = written(self.child.id())?;
        let now = Instant::now();
        self.seen.push((now, written));
        if is_over(self.child.id())? {
            // It may have written between the two looks.
            self.exited = Some(self::written(self.child.id())?);
            let status = self.child.wait()?;
            if !status.success() {
                bail!("the demonstration ended with {status}:\n{}", self.log());
            }
        } else if self.begun.is_none() {
            let log = self.log();
            self.begun = log.contains("times are the community's own").then_some(now);
            if self.begun.is_none() && self.started.elapsed() > START {
                bail!("it did not begin within {START:?}:\n{log}");
            }
        } else if self.begun.is_some_and(|begun| begun.elapsed() > self.lasts + STOP) {
            bail!("it did not end within {STOP:?}");
        }
        Ok(())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn day(self) -> Result<Day> {
        let begun = self.begun.with_context(|| format!("it never began:\n{}", self.log()))?;
        let summary = fs::read_to_string(self.folder.join("summary.json"))?;
        let summary: serde_json::Value = serde_json::from_str(&summary)
            .with_context(|| format!("it ended without a summary:\n{}", self.log()))?;
        let number = |name: &str| summary[name].as_f64().context("a number in the summary");
        let count = |name: &str| summary[name].as_u64().context("a count in the summary");
        let (real, simulated) = (number("seconds")?, number("simulated_seconds")?);
        let end = begun + self.lasts;
        // Of a machine that does not keep pace the community's clock waits.
        let lived = Duration::from_secs_f64(simulated);
        let rounds = if lived < DAY { 1 } else { 4 };
        let round = ROUND.min(lived);
        let at = |when: Instant| {
            let before = self.seen.iter().take_while(|(seen, _)| *seen <= when);
            before.last().map_or(0, |(_, bytes)| *bytes)
        };
        // So many rounds before the end.
        let before = |count: u32| {
            let ago = round.mul_f64(f64::from(count) * real / simulated);
            at(end.checked_sub(ago).map_or(begun, |from| from.max(begun)))
        };
        let last = self.exited.unwrap_or_default();
        Ok(Day {
            bytes: before(0) - before(rounds),
            rounds: (0..rounds).rev().map(|after| before(after) - before(after + 1)).collect(),
            length: round * rounds,
            stop: last - at(end),
            hours: simulated / 3_600.0,
            frames: count("frames")?,
            events: count("events")?,
        })
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process caused to be written.
fn written(process: u32) -> Result<u64> {
    let io = fs::read_to_string(format!("/proc/{process}/io"))?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes:"));
    line.and_then(|bytes| bytes.trim().parse().ok()).context("no write_bytes in the process's io")
}

/// Whether a process has ended, and nobody has waited for it.
fn is_over(process: u32) -> Result<bool> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    Ok(stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

fn megabytes(bytes: f64) -> String {
    format!("{:.2}", bytes / 1e6)
}
