//! `gatehouse run`: the gateway, until SIGTERM or Ctrl-C. A second signal ends it at once. SIGHUP loads
//! the configuration anew; one with faults changes nothing.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;

use anyhow::bail;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::check::{Faults, Loaded, Over};
use super::{INVALID, check};
use crate::bundle::installed::Layer;
use crate::clock::Clock;
use crate::pace::Pace;
use crate::service::reload::Opened;
use crate::service::{self, Running};

/// Run the gateway
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of gateway.toml, community.toml, device-types/ and scenes/
    #[arg(long, value_name = "DIR", default_value = "config")]
    pub config: PathBuf,
}

pub async fn run(args: Args, pace: Pace) -> anyhow::Result<ExitCode> {
    let loaded = match load(&args.config) {
        Ok(loaded) => loaded,
        Err(faults) => {
            faults.print();
            return Ok(ExitCode::from(INVALID));
        }
    };
    let stop = CancellationToken::new();
    if let Some(Layer { title, signer, .. }) = &loaded.bundle {
        tracing::info!(signer, "the bundle {title} is laid over the configuration");
    }
    let setup = loaded.into_setup();
    let mut hangup = signal(SignalKind::hangup())?;
    let mut stopped = pin!(stop_signal());
    let mut running = service::start(setup, Clock::new(1.0), pace, stop.clone()).await?;
    if let Some((address, password)) = &running.console {
        tracing::info!("console on http://{address}/, password of this start: {password}");
    }
    tracing::info!("running");
    loop {
        tokio::select! {
            signal = &mut stopped => break signal?,
            () = running.broke_down() => bail!("a part of the gateway broke down; see the log"),
            Some(()) = hangup.recv() => {}
        }
        reload(&mut running, &args.config).await;
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

/// The configuration with the installed bundle; where that cannot be used, with the one before it.
fn load(folder: &Path) -> Result<Loaded, Faults> {
    check::load(folder).or_else(|faults| {
        // Without a bundle over it, the configuration itself has to be mended.
        let before = check::has_bundle(folder).then(|| check::load_with(folder, Over::Previous));
        let Some(Ok(before)) = before else { return Err(faults) };
        for line in faults.plain().lines() {
            tracing::error!("{line}");
        }
        tracing::error!("the installed bundle is refused; what was installed before it goes on");
        Ok(before)
    })
}

/// Changes over to the configuration as it lies there, or says what is wrong with it.
async fn reload(running: &mut Running, folder: &Path) {
    let folder = folder.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let loaded = check::load_all(&folder, Over::Installed).map_err(|f| f.plain())?;
        Opened::new(loaded.into_setup()).map_err(|error| format!("{:#}", anyhow::Error::new(error)))
    });
    let refused = match opened.await {
        Ok(Ok(opened)) => running.reload(opened).await.err().map(|error| format!("{error:#}")),
        Ok(Err(faults)) => Some(faults),
        Err(error) => Some(error.to_string()),
    };
    match refused {
        None => tracing::info!("the new configuration is in effect"),
        Some(why) => {
            running.refused();
            for line in why.lines() {
                tracing::error!("{line}");
            }
            tracing::error!("the new configuration is refused; the old one goes on");
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
