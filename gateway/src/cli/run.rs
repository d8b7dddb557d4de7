//! `gatehouse run`: the gateway, until SIGTERM or Ctrl-C. A second signal ends it at once. SIGHUP loads
//! the configuration anew; one with faults changes nothing. A promoted bundle that breaks its budget of
//! false alarms is taken back here, and one that does not stand its trial ([`super::trial`]).

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, bail};
use gatehouse_core::command::Refusal;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::pipeline::{Input, Withdrawn};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::check::aside::{Aside, load_without};
use super::check::{Faults, Loaded, Over};
use super::{INVALID, bundle, check, trial};
use crate::audit::{Note, Outcome};
use crate::bundle::installed::{Installed, Layer};
use crate::clock::{self, Clock};
use crate::console::place::Reload;
use crate::downlink::fetching::Install;
use crate::pace::Pace;
use crate::service::reload::Opened;
use crate::service::{self, Running};
use crate::shadow::Verdict;
use crate::supervisor::{self, Supervisor};
use crate::workshop::Workshop;

/// Characters of a reason that goes to the platform.
const LONGEST_REASON: usize = 2_000;

/// What `run` is called for while the gateway runs.
enum Call {
    /// By SIGHUP, or by somebody who waits for what comes of it.
    Reload(Option<Reload>),
    Verdict(Verdict),
    /// By the platform, which waits for what comes of it.
    Install(Install),
    Trial(trial::Verdict),
}

/// Run the gateway
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of gateway.toml, community.toml, device-types/ and scenes/
    #[arg(long, value_name = "DIR", default_value = "config")]
    pub config: PathBuf,
}

pub async fn run(args: Args, pace: Pace) -> anyhow::Result<ExitCode> {
    trial::at_start(&args.config);
    let (loaded, aside) = match load(&args.config) {
        Ok(found) => found,
        Err(faults) => {
            faults.print();
            trial::not_tried(&args.config);
            return Ok(ExitCode::from(INVALID));
        }
    };
    let (stop, supervisor) = (CancellationToken::new(), Rc::new(Supervisor::from_environment()));
    if let Some(Layer { title, signer, .. }) = &loaded.bundle {
        tracing::info!(signer, "the bundle {title} is laid over the configuration");
    }
    let mut setup = loaded.into_setup();
    setup.candidate = check::load_candidate(&args.config, &setup.config);
    let workshop = Workshop::new(&setup.config.store.path, check::judge(&args.config));
    setup.workshop = Some(Arc::clone(&workshop));
    let mut hangup = signal(SignalKind::hangup())?;
    let mut stopped = pin!(stop_signal());
    let mut running = service::start(setup, Clock::new(1.0), pace, stop.clone()).await?;
    if let Some(at) = &running.console {
        tracing::info!("console on {}", at.url());
        if let Some(tls) = &at.tls {
            tracing::info!(
                "SHA-256 fingerprint of the console's certificate: {}",
                tls.fingerprint()
            );
        }
        if let Some(password) = &at.password {
            tracing::info!("nobody has an account yet; set-up password, good once: {password}");
        }
    }
    if let Some(aside) = aside {
        tell_aside(&running, &aside).await;
    }
    trial::tell(&running).await;
    let mut on_trial = trial::Watch::after(trial::Watch::default(), &running);
    tracing::info!("running");
    let console = running.console.as_ref().map(|at| format!("console on {}", at.url()));
    supervisor.ready(&console.unwrap_or_else(|| "running without a console".into()));
    let (told, pulse, stopped_too) = (Rc::clone(&supervisor), running.pulse(), stop.clone());
    tokio::task::spawn_local(async move {
        supervisor::keep_alive(&told, pulse, &stopped_too).await;
    });
    let mut verdicts = running.take_verdicts().context("only `run` takes them")?;
    let mut requests = running.take_requests().context("only `run` takes them")?;
    let mut installs = running.take_installs().context("only `run` takes them")?;
    loop {
        running.show_trial(on_trial.is_on());
        let call = tokio::select! {
            signal = &mut stopped => break signal?,
            () = running.broke_down() => bail!("a part of the gateway broke down; see the log"),
            Some(()) = hangup.recv() => Call::Reload(None),
            () = workshop.asked() => Call::Reload(None),
            Some(request) = requests.recv() => Call::Reload(Some(request)),
            Some(verdict) = verdicts.recv() => Call::Verdict(verdict),
            Some(bundle) = installs.recv() => Call::Install(bundle),
            verdict = on_trial.verdict(&running) => Call::Trial(verdict),
        };
        match call {
            Call::Reload(request) => {
                let outcome = reload(&mut running, &args.config).await;
                // Who asked may not wait any more.
                _ = request.map(|Reload(answer)| answer.send(outcome));
            }
            Call::Install(Install { file, shadow, answer }) => {
                let outcome = install(&mut running, &args.config, file, shadow).await;
                _ = answer.send(outcome.map_err(|error| {
                    // Files in the configuration's folder are many; the platform needs the first lines.
                    let reason = format!("{error:#}").chars().take(LONGEST_REASON).collect();
                    Refusal::NotInstalled { reason }
                }));
            }
            Call::Verdict(verdict) => carry_out(&mut running, &args.config, verdict).await,
            Call::Trial(verdict) => {
                let is_settled = trial::settle(&mut running, &args.config, verdict).await;
                on_trial = if is_settled { trial::Watch::default() } else { on_trial.later() };
            }
        }
        on_trial = trial::Watch::after(on_trial, &running);
    }
    tracing::info!("stopping; a second signal ends at once");
    supervisor.stopping();
    stop.cancel();
    let installed = Installed::below(&running.config().store.path);
    tokio::select! {
        () = running.finish() => {
            trial::mark(&installed, false);
            Ok(ExitCode::SUCCESS)
        }
        signal = stop_signal() => {
            signal?;
            bail!("ended before everything was written; what was promised is on disk")
        }
    }
}

/// The configuration with the installed bundle and what was set on the console; where that cannot be used,
/// without the latter, or with the bundle before.
fn load(folder: &Path) -> Result<(Loaded, Option<Aside>), Faults> {
    let (loaded, aside) = load_any(folder)?;
    for line in loaded.notices().plain().lines() {
        tracing::warn!("{line}");
    }
    Ok((loaded, aside))
}

fn load_any(folder: &Path) -> Result<(Loaded, Option<Aside>), Faults> {
    let faults = match check::load(folder) {
        Ok(loaded) => return Ok((loaded, None)),
        Err(faults) => faults,
    };
    let without = |over| load_without(folder, over, &faults, clock::wall());
    if let Some((loaded, aside)) = without(Over::Installed) {
        return Ok((loaded, Some(aside)));
    }
    // Without a bundle over it, the configuration itself has to be mended.
    if !check::has_bundle(folder) {
        return Err(faults);
    }
    let before = check::load_with(folder, Over::Previous).ok().map(|loaded| (loaded, None));
    let before =
        before.or_else(|| without(Over::Previous).map(|(loaded, aside)| (loaded, Some(aside))));
    let Some(before) = before else { return Err(faults) };
    for line in faults.plain().lines() {
        tracing::error!("{line}");
    }
    tracing::error!("the installed bundle is refused; what was installed before it goes on");
    trial::cannot_load(folder, &faults);
    Ok(before)
}

/// Says in the log, on the console, in the audit log and as an event what lies aside.
async fn tell_aside(running: &Running, aside: &Aside) {
    for line in aside.faults.lines() {
        tracing::error!("{line}");
    }
    let why = aside.why();
    tracing::error!("{}", why.en);
    running.audit.note(Note {
        who: "gatehouse".into(),
        action: "configuration.set-aside",
        about: String::new(),
        outcome: Outcome::Done,
        detail: why.en.clone(),
    });
    running.set_aside(why.clone());
    running.tell(Input::SettingsSetAside { why }).await;
}

/// Changes over to the configuration as it lies there, or says what is wrong with it.
pub(super) async fn reload(running: &mut Running, folder: &Path) -> Result<(), String> {
    let installed = Installed::below(&running.config().store.path);
    let was_running = installed.trial().is_some_and(|trial| trial.is_running);
    trial::mark_aside(&installed, true).await;
    let folder = folder.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let loaded = check::load_all(&folder, Over::Installed).map_err(|f| f.plain())?;
        let mut setup = loaded.into_setup();
        setup.candidate = check::load_candidate(&folder, &setup.config);
        Opened::new(setup).map_err(|error| format!("{:#}", anyhow::Error::new(error)))
    });
    let refused = match opened.await {
        Ok(Ok(opened)) => running.reload(opened).await.err().map(|error| format!("{error:#}")),
        Ok(Err(faults)) => Some(faults),
        Err(error) => Some(error.to_string()),
    };
    let outcome = if refused.is_none() { Outcome::Done } else { Outcome::Refused };
    running.audit.note(Note {
        who: "gatehouse".into(),
        action: "configuration.reload",
        about: String::new(),
        outcome,
        detail: refused.clone().unwrap_or_default(),
    });
    match refused {
        None => {
            tracing::info!("the new configuration is in effect");
            Ok(())
        }
        Some(why) => {
            running.refused();
            if !was_running {
                // It was not tried.
                trial::mark_aside(&installed, false).await;
            }
            for line in why.lines() {
                tracing::error!("{line}");
            }
            tracing::error!("the new configuration is refused; the old one goes on");
            Err(why)
        }
    }
}

/// Installs a bundle and changes over to it; says what is active now. What cannot be loaded is taken
/// back.
async fn install(
    running: &mut Running,
    folder: &Path,
    file: PathBuf,
    shadow: bool,
) -> anyhow::Result<Value> {
    let from = folder.to_owned();
    let install = move || bundle::install_running(&from, &file, shadow);
    let (installed, layer, before) = tokio::task::spawn_blocking(install).await??;
    let in_effect = reload(running, folder).await;
    let is_in_effect = in_effect.is_ok();
    let end = move || if is_in_effect { installed.settle() } else { installed.take_back(&before) };
    let ended = tokio::task::spawn_blocking(end).await.map_err(anyhow::Error::from);
    if let Err(error) = ended.and_then(|ended| Ok(ended?)) {
        tracing::error!(is_in_effect, "the bundles' folder is not as it should be: {error:#}");
    }
    if let Err(why) = in_effect {
        bail!(why);
    }
    let Layer { folder: _, title, signer } = layer;
    tracing::info!(signer, shadow, "the platform has installed {title}");
    let place = if shadow { "candidate" } else { "active" };
    Ok(json!({ place: title, "signed_by": signer }))
}

/// Goes back from what broke its budget, and tells it as an event. A candidate has been stopped.
async fn carry_out(running: &mut Running, folder: &Path, verdict: Verdict) {
    let why = verdict.why();
    let Verdict { was_live, bundle: id, .. } = verdict;
    let then = if was_live { take_back(running, folder, id).await } else { Text::default() };
    let why = Text::new(why.zh + &then.zh, why.en + &then.en);
    running.tell(Input::Withdrawn(Withdrawn { was_live, why })).await;
}

/// Goes back to what was installed before; says what came of it.
async fn take_back(running: &mut Running, folder: &Path, id: String) -> Text {
    let from = folder.to_owned();
    let back = tokio::task::spawn_blocking(move || bundle::withdraw(&from, &id));
    match back.await.map_err(anyhow::Error::from).flatten() {
        Ok(title) => {
            tracing::warn!("{title} is back");
            // What is wrong has been told.
            _ = reload(running, folder).await;
            Text::new(format!("；已恢复 {title}"), format!("; {title} is back"))
        }
        Err(error) => {
            tracing::error!("going back failed: {error:#}");
            Text::new(
                format!("；自动回退失败：{error:#}"),
                format!("; going back failed: {error:#}"),
            )
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
