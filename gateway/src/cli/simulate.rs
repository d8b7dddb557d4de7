//! `gatehouse simulate`: the simulated devices alone, against any broker and any Modbus master.
//!
//! The load of a fault test: every message carries its number, and `--truth` says beforehand what
//! goes wrong when.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use gatehouse_core::community::device_type::DeviceType;
use gatehouse_core::community::site::Site;
use serde_json::json;

use super::INVALID;
use super::run::stop_signal;
use crate::clock::Clock;
use crate::config::Access;
use crate::simulate::play::{Play, Sent};
use crate::simulate::world::{Wire, World};
use crate::simulate::{devices, modbus, plan};

/// How far the truth looks ahead at most.
const TRUTH_AHEAD: Duration = Duration::from_hours(7 * 24);
/// How long the broker may take to confirm the last messages.
const GRACE: Duration = Duration::from_secs(10);

/// Simulate a community's devices
///
/// Devices behave as `[simulation]` in the community file says, and go wrong as planned there.
/// Their types are read from `device-types/` beside the file.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The community to simulate, such as config/community.toml
    #[arg(long, value_name = "FILE")]
    pub community: PathBuf,
    /// Where MQTT devices publish
    #[arg(long, value_name = "URL", default_value = "mqtt://127.0.0.1:1883")]
    pub broker: String,
    /// Serve Modbus TCP here: the first line by name takes this port, the next one the port after it,
    /// and so on. Without it Modbus devices stay away
    #[arg(long, value_name = "ADDR")]
    pub modbus: Option<SocketAddr>,
    /// MQTT messages a second, all devices together; as often as declared when left out
    #[arg(long, value_name = "R", value_parser = factor)]
    pub rate: Option<f64>,
    /// Another number, another day; the same number, the same day
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Write the planned anomalies here, a JSON object a line: those within --for, at most those of
    /// a week
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
    /// How much faster than the world time passes. A gateway that lives in the world's time refuses
    /// messages dated too far ahead
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = factor)]
    pub speed: f64,
    /// End after so many seconds of the world's time
    #[arg(long = "for", value_name = "SECS", value_parser = seconds)]
    pub lasts: Option<Duration>,
    /// Who the devices are to the broker
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub user: Option<String>,
    /// File that holds the password alone
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// PEM: the authority that the broker's certificate must come from (mqtts://)
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Write the summary to stdout as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs until `--for` has passed or Ctrl-C, then waits for the last confirmations.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (site, types) = match load(&args.community) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("error: {error:#}");
            return Ok(ExitCode::from(INVALID));
        }
    };

    let clock = Clock::new(args.speed);
    let world = match World::new(&site, &types, args.seed, clock.now()) {
        Ok(world) => world,
        Err(error) => {
            eprintln!("error: {}: {error}", args.community.display());
            return Ok(ExitCode::from(INVALID));
        }
    };
    if let Some(path) = &args.truth {
        write_truth(path, &site, &world, &args)?;
    }

    let play = Play::new(world, clock);
    let natural = devices::natural_rate(&play.world) * args.speed;
    let talking = if natural > 0.0 {
        let pace = args.rate.map_or(1.0, |rate| rate / natural);
        match devices::start(play.clone(), pace, &args.broker, &access(&args)) {
            Ok(talking) => Some(talking),
            Err(error) => {
                eprintln!("error: {:#}", anyhow::Error::new(error));
                return Ok(ExitCode::from(INVALID));
            }
        }
    } else {
        None
    };
    serve_modbus(&args, &play).await?;

    until_over(args.lasts).await?;
    play.stop.cancel();
    let ended = match talking {
        Some(talking) => talking.finish(GRACE).await,
        None => Ok(()),
    };
    report(play.tally.read(), args.json)?;
    ended.with_context(|| {
        format!("the broker `{}` has not confirmed what the devices said", args.broker)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn access(args: &Args) -> Access {
    Access {
        user: args.user.clone(),
        password_file: args.password_file.clone(),
        ca_file: args.ca_file.clone(),
        ..Access::default()
    }
}

/// Reads a community file and the device types beside it.
pub(super) fn load(path: &Path) -> anyhow::Result<(Site, Vec<Arc<DeviceType>>)> {
    let site = parse(path)?;
    let folder = path.parent().unwrap_or(Path::new("")).join("device-types");
    let mut types = Vec::new();
    let entries = std::fs::read_dir(&folder);
    for entry in entries.with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            types.push(Arc::new(parse(&path)?));
        }
    }
    if types.is_empty() {
        bail!("{} holds no device type", folder.display());
    }
    Ok((site, types))
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not valid", path.display()))
}

fn write_truth(path: &Path, site: &Site, world: &World, args: &Args) -> anyhow::Result<()> {
    let lasts = args.lasts.map_or(TRUTH_AHEAD, |real| real.mul_f64(args.speed).min(TRUTH_AHEAD));
    let until = world.start + lasts;
    let anomalies = site.simulation.as_ref().map_or(&[][..], |s| s.anomalies.as_slice());
    let mut lines = String::new();
    for planned in plan::unroll(anomalies, site.calendar.as_ref(), world.start, until) {
        writeln!(lines, "{}", planned.json()?)?;
    }
    std::fs::write(path, lines).with_context(|| format!("cannot write {}", path.display()))
}

/// Opens a server per Modbus line, and says where.
async fn serve_modbus(args: &Args, play: &Play) -> anyhow::Result<()> {
    let on_modbus = |wire: &Wire| matches!(wire, Wire::Modbus { .. });
    let silent = play.world.units.iter().filter(|unit| on_modbus(&unit.wire)).count();
    let Some(mut address) = args.modbus else {
        if silent > 0 {
            eprintln!("{silent} Modbus devices stay away; give them an address with --modbus");
        }
        return Ok(());
    };

    for line in play.world.lines() {
        let served = modbus::open(play.clone(), line, address).await;
        let served = served.with_context(|| format!("cannot serve Modbus on {address}"))?;
        eprintln!("line `{line}` answers on {served}");
        if address.port() != 0 {
            let next = address.port().checked_add(1);
            address.set_port(next.context("no port follows 65535; choose a lower one")?);
        }
    }
    Ok(())
}

/// Waits for the end of `--for`, or to be asked to stop.
pub(super) async fn until_over(lasts: Option<Duration>) -> anyhow::Result<()> {
    let end = async {
        match lasts {
            Some(lasts) => tokio::time::sleep(lasts).await,
            None => std::future::pending().await,
        }
    };
    // Cancel-safe: neither has anything to lose.
    tokio::select! {
        () = end => Ok(()),
        signal = stop_signal() => signal.context("cannot listen for signals"),
    }
}

/// How much faster, or how many a second.
pub(super) fn factor(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{text}` is not a number from 0.001 to 1000000");
    let factor: f64 = text.parse().map_err(|_| wrong())?;
    if (0.001..=1_000_000.0).contains(&factor) { Ok(factor) } else { Err(wrong()) }
}

/// A length of time in the world, as in `30` or `0.5`.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a number of seconds, from 0 to a thousand million");
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    if !(0.0..=1e9).contains(&seconds) {
        return Err(wrong());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

fn report(sent: Sent, as_json: bool) -> anyhow::Result<()> {
    let Sent { made, confirmed, repeated, bytes } = sent;
    if as_json {
        let summary = json!({
            "made": made, "confirmed": confirmed, "repeated": repeated, "bytes": bytes
        });
        writeln!(std::io::stdout().lock(), "{summary}")?;
    } else {
        eprintln!("{made} messages sent, {confirmed} confirmed, {repeated} of them sent twice");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_no_run_can_use_are_refused() {
        for wrong in ["", "fast", "0", "-1", "nan", "inf", "1e30"] {
            assert!(factor(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "soon", "-1", "nan", "inf", "1e30"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        assert_eq!((factor("60"), seconds("0.5")), (Ok(60.0), Ok(Duration::from_millis(500))));
    }
}
