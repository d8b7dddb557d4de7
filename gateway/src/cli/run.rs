//! `gatehouse run`: the gateway, until SIGTERM or Ctrl-C. A second signal ends it at once.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{INVALID, check};
use crate::clock::Clock;
use crate::pace::Pace;
use crate::service;

/// Run the gateway
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of gateway.toml, community.toml, device-types/ and scenes/
    #[arg(long, value_name = "DIR", default_value = "config")]
    pub config: PathBuf,
}

pub async fn run(args: Args, pace: Pace) -> anyhow::Result<ExitCode> {
    let loaded = match check::load(&args.config) {
        Ok(loaded) => loaded,
        Err(faults) => {
            faults.print();
            return Ok(ExitCode::from(INVALID));
        }
    };
    let stop = CancellationToken::new();
    let setup = loaded.into_setup();
    let running = service::start(setup, Clock::new(1.0), pace, stop.clone()).await?;
    if let Some((address, password)) = &running.console {
        tracing::info!("console on http://{address}/, password of this start: {password}");
    }
    tracing::info!("running");
    tokio::select! {
        signal = stop_signal() => signal?,
        () = running.broke_down() => bail!("a part of the gateway broke down; see the log"),
    }
    tracing::info!("stopping; a second signal ends at once");
    stop.cancel();
    tokio::select! {
        () = running.finish() => Ok(ExitCode::SUCCESS),
        signal = stop_signal() => {
            signal?;
            bail!("ended before everything was written; what was promised is on disk")
        }
    }
}

/// Returns at SIGTERM or SIGINT.
pub async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
