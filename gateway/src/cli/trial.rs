//! A bundle on trial in `gatehouse run`: it proves itself, or what stood before comes back.
//!
//! [`at_start`] comes before anything is loaded, and takes a bundle back that a gateway began to run with
//! and neither proved nor stopped. [`Watch`] looks at one that runs: what a start or a reload found out
//! tells at once, the rest when its time is over. A gateway that hangs never gets there; whoever ends it
//! then has given the verdict.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use gatehouse_core::community::Community;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::pipeline::{Input, Withdrawn};
use gatehouse_core::view::{Counts, View};
use tokio::time::{Instant, sleep_until};

use super::check::{self, Faults, Over};
use super::run::reload;
use crate::audit::{Note, Outcome};
use crate::bundle::BundleError;
use crate::bundle::installed::Installed;
use crate::bundle::keys::Trust;
use crate::bundle::trial::{Failed, OnTrial};
use crate::clock;
use crate::config::GatewayConfig;
use crate::service::Running;
use crate::store::moving;

/// Lines of faults that are told; the first one is most often the reason of the others.
const FAULTS: usize = 3;
/// After a verdict that could not be written down.
const PAUSE: Duration = Duration::from_mins(1);
/// The scene of events about devices whose frames are refused.
const REFUSED: &str = "device-refused";

/// Notes that a bundle on trial is about to be loaded; takes it back if that was noted before.
pub(super) fn at_start(folder: &Path) {
    let Some(config) = check::settings(folder) else { return };
    clock::recall(&config.store.path);
    let installed = Installed::below(&config.store.path);
    if installed.trial().is_none() {
        return;
    }
    // One that runs is nobody's to judge; opening the store will say that it does.
    let Ok(_nobody_runs) = moving::hold_in_time(&config.store.path) else { return };
    let Some(OnTrial { id, is_running }) = installed.trial() else { return };
    if is_running {
        let why = Text::new(
            "网关在其试运行期间异常退出（崩溃、被终止或断电）",
            "the gateway crashed, was killed or lost its power while it ran",
        );
        if check::load_with(folder, Over::Previous).is_ok() {
            return take_back(&installed, &config, &id, &why);
        }
        tracing::error!("{id}: {}; what stood before cannot be loaded either", why.en);
    }
    mark(&installed, true);
}

/// Neither what is on trial nor what stood before could be loaded: the bundle was not tried.
pub(super) fn not_tried(folder: &Path) {
    if let Some(config) = check::settings(folder) {
        mark(&Installed::below(&config.store.path), false);
    }
}

/// What is on trial cannot be loaded, and what stood before can.
pub(super) fn cannot_load(folder: &Path, faults: &Faults) {
    let Some(config) = check::settings(folder) else { return };
    let installed = Installed::below(&config.store.path);
    if let Some(OnTrial { id, .. }) = installed.trial() {
        take_back(&installed, &config, &id, &not_loaded(&faults.plain()));
    }
}

/// A gateway that runs is about to load what lies there, or has stopped in good order.
pub(super) fn mark(installed: &Installed, is_running: bool) {
    if let Err(error) = installed.mark_trial(is_running) {
        tracing::error!("the trial of a bundle cannot be noted: {error:#}");
    }
}

/// As [`mark`], where nothing may wait: somebody who installs holds the folder meanwhile.
pub(super) async fn mark_aside(installed: &Installed, is_running: bool) {
    let installed = installed.clone();
    // It cannot panic.
    _ = tokio::task::spawn_blocking(move || mark(&installed, is_running)).await;
}

fn not_loaded(faults: &str) -> Text {
    let first: Vec<&str> = faults.lines().take(FAULTS).collect();
    let first = first.join("; ");
    Text::new(format!("配置无法加载：{first}"), format!("the configuration does not load: {first}"))
}

fn take_back(installed: &Installed, config: &GatewayConfig, id: &str, why: &Text) {
    let trust = Trust::read(&config.bundles.trusted_keys);
    match trust.and_then(|trust| installed.fail(id, &trust, why, clock::wall())) {
        Ok(failed) => tracing::error!("{}", failed.why.en),
        Err(error) => tracing::error!("{id}: {}; going back failed: {error:#}", why.en),
    }
}

/// Looks at the bundle on trial, if there is one.
#[derive(Default)]
pub(super) struct Watch {
    on: Option<On>,
}

struct On {
    id: String,
    until: Instant,
    /// As it was when the trial began.
    refused: BTreeSet<String>,
    counts: Counts,
    /// No verdict before: the last one could not be written down.
    again: Option<Instant>,
}

/// What comes of a trial.
pub(super) enum Verdict {
    Proven { id: String },
    Failed { id: String, why: Text },
}

impl Watch {
    /// After a start or a reload; a trial that is under way goes on.
    pub(super) fn after(before: Self, running: &Running) -> Self {
        let config = running.config();
        let trial = Installed::below(&config.store.path).trial();
        // What was installed at the desk and not loaded yet is not tried here.
        let Some(OnTrial { id, .. }) = trial.filter(|trial| trial.is_running) else {
            return Self { on: None };
        };
        if let Some(on) = before.on.filter(|on| on.id == id) {
            return Self { on: Some(on) };
        }
        let time = config.bundles.trial.0;
        tracing::info!(?time, "{id} is on trial");
        let view = running.view.borrow();
        let (refused, counts) = (refused(&view), view.counts.clone());
        let until = Instant::now() + time;
        Self { on: Some(On { id, until, refused, counts, again: None }) }
    }

    /// The same trial goes on, and is judged again after a pause.
    pub(super) fn later(mut self) -> Self {
        if let Some(on) = &mut self.on {
            on.again = Some(Instant::now() + PAUSE);
        }
        self
    }

    pub(super) fn is_on(&self) -> bool {
        self.on.is_some()
    }

    /// Returns when there is a verdict; never, when nobody is on trial. May be dropped and called again.
    pub(super) async fn verdict(&self, running: &Running) -> Verdict {
        let Some(On { id, until, refused, counts, again }) = &self.on else {
            return std::future::pending().await;
        };
        if let Some(again) = again {
            sleep_until(*again).await;
        }
        let missing = running.missing();
        let failed = |why| Verdict::Failed { id: id.clone(), why };
        if !missing.is_empty() {
            let names = missing.join(", ");
            return failed(Text::new(
                format!("模型未能加载：{names}"),
                format!("models did not load: {names}"),
            ));
        }
        sleep_until(*until).await;
        let view = running.view.borrow().clone();
        match ails(&view, &running.community(), refused, counts) {
            Some(why) => failed(why),
            None => Verdict::Proven { id: id.clone() },
        }
    }
}

/// What is wrong at the end of a trial that was right at its beginning.
fn ails(
    view: &View,
    community: &Community,
    refused_before: &BTreeSet<String>,
    before: &Counts,
) -> Option<Text> {
    let asked = view.counts.unanswered > before.unanswered;
    if asked && view.counts.answered <= before.answered {
        return Some(Text::new("模型从未给出结果", "its models were asked and never answered"));
    }
    let refused = refused(view);
    let is_worse = |id: &String| refused.contains(id) && !refused_before.contains(id);
    community.device_types.iter().find_map(|device_type| {
        let of_type =
            community.devices.iter().filter(|d| d.device_type.head.id == device_type.head.id);
        let spoke = |id: &&String| view.devices.iter().any(|d| d.id == **id && d.frames > 0);
        let mut heard = of_type.map(|device| &device.id).filter(spoke).peekable();
        let id = &device_type.head.id;
        (heard.peek().is_some() && heard.all(is_worse)).then(|| {
            Text::new(
                format!("型号 {id} 的所有设备的数据都被拒收"),
                format!("what devices of the type {id} send is refused, of all of them"),
            )
        })
    })
}

/// Devices whose frames are being refused.
fn refused(view: &View) -> BTreeSet<String> {
    let events = view.events.iter().filter(|event| event.data.scene == REFUSED);
    events.map(|event| event.data.device.clone()).collect()
}

/// Writes a verdict down, and loads what is back when it is not proven; false when it could not be.
pub(super) async fn settle(running: &mut Running, folder: &Path, verdict: Verdict) -> bool {
    let (installed, keys) = {
        let config = running.config();
        (Installed::below(&config.store.path), config.bundles.trusted_keys.clone())
    };
    let write = move || -> Result<Option<Failed>, BundleError> {
        let trust = Trust::read(&keys)?;
        match verdict {
            Verdict::Proven { id } => {
                installed.prove(&id, &trust)?;
                tracing::info!("{id} has stood its trial");
                Ok(None)
            }
            Verdict::Failed { id, why } => {
                installed.fail(&id, &trust, &why, clock::wall()).map(Some)
            }
        }
    };
    let written = tokio::task::spawn_blocking(write).await.map_err(anyhow::Error::from);
    match written.and_then(|written| written.map_err(anyhow::Error::from)) {
        Ok(None) => true,
        Ok(Some(failed)) => {
            tracing::error!("{}", failed.why.en);
            // What is wrong has been told.
            _ = reload(running, folder).await;
            tell(running).await;
            true
        }
        Err(error) => {
            tracing::error!("a bundle's trial cannot be settled: {error:#}");
            false
        }
    }
}

/// Says as an event and in the audit log what was taken back, if nobody has been told.
pub(super) async fn tell(running: &Running) {
    let installed = Installed::below(&running.config().store.path);
    let Some(Failed { title, why, .. }) = installed.failed().filter(|failed| !failed.is_told)
    else {
        return;
    };
    running.audit.note(Note {
        who: "gatehouse".into(),
        action: "bundle.taken-back",
        about: title,
        outcome: Outcome::Done,
        detail: why.en.clone(),
    });
    running.tell(Input::Withdrawn(Withdrawn { was_live: true, why })).await;
    let told = tokio::task::spawn_blocking(move || installed.mark_told());
    if let Ok(Err(error)) = told.await {
        tracing::warn!("what was taken back is told again at the next start: {error:#}");
    }
}
