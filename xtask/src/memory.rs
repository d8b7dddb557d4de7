//! `cargo xtask memory`: what `gatehouse run` holds of the memory, idle and with a community in full swing.
//!
//! A community of so many devices of four points, all of them under the general detector; one broker on
//! loopback; frames ten minutes apart by the devices' clocks and as fast as they go by ours, until every
//! ring of every point is full. Then the gateway is stopped and started again, since what it takes up from
//! its disk lies in memory as well. All figures are the kernel's: `/proc/<pid>/status`.

mod feed;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::crowd;
use crate::running::{Broker, Gateway, free_port, until};
use crate::step;
use feed::Feed;

/// What `run` may hold, in bytes: idle, and with a thousand devices of four points.
const IDLE: u64 = 32_000_000;
const LOADED: u64 = 48_000_000;

const DEVICES: usize = 1_000;
/// The slowest ring of a point holds 512 means of four samples.
const ROUNDS: usize = 2_100;
/// Rounds that may be on their way.
const AHEAD: usize = 8;

/// What is freed and what is put off happens within this.
const SETTLE: Duration = Duration::from_secs(4);

pub(crate) fn run(words: &[&str]) -> Result<()> {
    let mut program = None;
    let (mut devices, mut rounds) = (DEVICES, ROUNDS);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("`{word}` needs a value"));
        match *word {
            "--program" => program = Some(PathBuf::from(value()?)),
            "--devices" => devices = value()?.parse().context("--devices: a number")?,
            "--rounds" => rounds = value()?.parse().context("--rounds: a number")?,
            _ => bail!("`{word}`: expected --program PATH, --devices N or --rounds N"),
        }
    }
    let program = if let Some(program) = program {
        program
    } else {
        step::run(&mut step::cargo(&["build", "--release"]))?;
        step::target().join("release/gatehouse")
    };
    measure(&program, devices, rounds)
}

fn measure(program: &Path, devices: usize, rounds: usize) -> Result<()> {
    let folder = step::target().join(format!("memory/{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let broker = Broker::start(&folder)?;
    let console = free_port()?;
    crowd::configure(&folder, devices, [broker.port, console])?;

    let gateway = Gateway::start(program, &folder, console)?;
    thread::sleep(SETTLE);
    let idle = gateway.memory()?;
    let mut feed = Feed::connect(broker.port, devices, rounds)?;
    let mut sent = 0;
    for round in 0..rounds {
        sent += feed.round()?;
        if round % AHEAD == 0 {
            wait_for(&gateway, sent.saturating_sub(AHEAD * devices))?;
        }
    }
    wait_for(&gateway, sent)?;
    thread::sleep(SETTLE);
    let loaded = gateway.memory()?;
    gateway.stop()?;

    let gateway = Gateway::start(program, &folder, console)?;
    feed.round()?;
    wait_for(&gateway, devices)?;
    thread::sleep(SETTLE);
    let again = gateway.memory()?;
    gateway.stop()?;
    fs::remove_dir_all(&folder)?;

    let mut table = format!(
        "{devices} devices of 4 points, {rounds} samples each; MB resident, of these private, most so far, bound\n"
    );
    let mut holds = true;
    for (when, memory, bound) in
        [("idle", idle, IDLE), ("loaded", loaded, LOADED), ("after a restart", again, LOADED)]
    {
        let [resident, private, most] = memory.map(megabytes);
        let _ =
            writeln!(table, "{when:16} {resident:6} {private:6} {most:6} {:6}", megabytes(bound));
        holds &= memory[0] <= bound;
    }
    std::io::stdout().lock().write_all(table.as_bytes())?;
    if !holds {
        bail!("it holds more than it may");
    }
    Ok(())
}

/// Frames that it has taken in, by its own metrics.
fn frames(gateway: &Gateway) -> Result<usize> {
    let answer = String::from_utf8(gateway.get("/metrics")?)?;
    let frames = answer.lines().find_map(|line| line.strip_prefix("gatehouse_frames_total "));
    frames.and_then(|count| count.trim().parse().ok()).context("no count of frames in /metrics")
}

fn wait_for(gateway: &Gateway, many: usize) -> Result<()> {
    until("the gateway has taken in what was sent", || Ok(frames(gateway)? >= many))
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}
