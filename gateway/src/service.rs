//! The gateway as one service: open, connect, start, serve, stop.
//!
//! The one place that builds the world. Shutdown flows downstream: only the sources hear `stop`; the
//! engine ends when they have hung up, the store's thread when the engine has, and the uplink has a
//! few seconds to send what is left. [`platform`] and [`showing`] begin what looks outwards, [`timekeeping`] watches the clock and [`flash`] what is written, [`sources`] starts and ends the sources of a configuration, and
//! [`reload`] changes over to another one while the gateway runs.

mod flash;
mod platform;
pub mod reload;
mod showing;
mod sources;
mod timekeeping;

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::community::Community;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::event::message::Message;
use gatehouse_core::pipeline::{Input, Pipeline, Settings};
use gatehouse_core::view::View;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::alert;
use crate::alert::link::Signer;
use crate::alert::relay::Switch;
use crate::audit::Audit;
use crate::bays;
use crate::bundle::installed::Layer;
use crate::clock::Clock;
use crate::config::{GatewayConfig, StoreConfig};
use crate::console::Configuration;
use crate::console::place::Reload;
use crate::desk::{self, Desk};
use crate::downlink::fetching::{Fetching, Install};
use crate::downlink::hands::Hands;
use crate::downlink::report;
use crate::engine::{self, Change, Effects};
use crate::evidence;
use crate::infer::{Inference, Models, Shelves};
use crate::journal::serve as journal;
use crate::lookout::{self, Lookout};
use crate::origins::Origins;
use crate::pace::Pace;
use crate::shadow::Verdict;
use crate::shadow::watch::{self as shadow, Reports};
use crate::sight::{self, Asked};
use crate::stills::Pictures;
use crate::store::Store;
use crate::wear::Wear;
use crate::workshop::Workshop;
use crate::writes::Writes;
use platform::{start_downlink, start_uplink};
pub use showing::At;
use showing::{Shown, start_console};
use sources::{Ground, Started};
use timekeeping::watch_clock;

/// Inputs that may wait for the engine. A Modbus line waits for room; a broker's messages are left
/// unacknowledged, or counted as dropped.
const INPUTS: usize = 1_024;

/// What the uplink may take after the engine has ended; it gives up by itself a little before.
const GRACE: Duration = Duration::from_secs(8);

/// Verdicts that may wait: a configuration gives two at most, and one that is lost is given again at the
/// next start.
const VERDICTS: usize = 8;

/// People who may wait for a reload.
const REQUESTS: usize = 4;

/// Everything that must be known to start.
#[derive(Debug, Clone)]
pub struct Setup {
    pub config: GatewayConfig,
    pub community: Arc<Community>,
    /// Where its models lie.
    pub models: Shelves,
    /// What is laid over the configuration.
    pub bundle: Option<Layer>,
    /// Who says what in it.
    pub origins: Arc<Origins>,
    /// What runs beside it and tells nobody; why not, when it cannot.
    pub candidate: Option<Result<Box<Setup>, String>>,
    /// The console's one-time password is an admin's.
    pub is_demo: bool,
    /// Where integrators make device types; nobody can where there is none.
    pub workshop: Option<Arc<Workshop>>,
}

/// A gateway that runs.
pub struct Running {
    /// Where the console listens, and how to get in.
    pub console: Option<At>,
    /// The engine's snapshot, at most twice a second.
    pub view: watch::Receiver<Arc<View>>,
    /// The store, to look at.
    pub store: Store,
    /// Who did what.
    pub audit: Audit,
    /// As it is in effect.
    config: GatewayConfig,
    ground: Ground,
    sources: Started,
    inputs: mpsc::WeakSender<Input>,
    changes: mpsc::Sender<Change>,
    community: watch::Sender<Arc<Community>>,
    configuration: watch::Sender<Configuration>,
    reports: Reports,
    verdicts: Option<mpsc::Receiver<Verdict>>,
    requests: Option<mpsc::Receiver<Reload>>,
    installs: Option<mpsc::Receiver<Install>>,
    lookout: Lookout,
    tasks: Tasks,
}

/// A task with a stop of its own.
type Stoppable = (JoinHandle<()>, CancellationToken);

struct Tasks {
    watch_clock: JoinHandle<()>,
    engine: JoinHandle<()>,
    writer: std::thread::JoinHandle<()>,
    shadow: Option<std::thread::JoinHandle<()>>,
    uplink: Option<Stoppable>,
    downlink: Option<JoinHandle<()>>,
    alert: Option<JoinHandle<()>>,
    journal: Option<JoinHandle<()>>,
    console: Option<JoinHandle<()>>,
    /// Those that are told of free bays; they end at `stop`.
    clouds: JoinSet<()>,
}

/// Opens the store, takes up what was open, connects, and serves until `stop`. Must be called within
/// a `LocalSet`: a Modbus connection never changes threads.
///
/// # Errors
/// The store, a certificate or the console's address cannot be used, or a scene cannot work.
#[expect(
    clippy::too_many_lines,
    reason = "the one place that builds the world, in the order in which it comes up"
)]
pub async fn start(
    setup: Setup,
    clock: Clock,
    pace: Pace,
    stop: CancellationToken,
) -> anyhow::Result<Running> {
    let (store, restored) = Store::open(&setup.config.store)?;
    if let Some(damage) = store.damage() {
        tracing::error!(?damage, "the store was damaged; it was set aside and a fresh one begun");
    }
    let states = setup.candidate.as_ref().map(|_| restored.states.clone()).unwrap_or_default();
    let pipeline =
        Pipeline::new(Arc::clone(&setup.community), Settings::default(), restored, clock.now())?;
    let (inputs, received) = mpsc::channel(INPUTS);
    let (batches, writer) = store.spawn_writer(inputs.downgrade())?;
    let (inference, missing) = start_inference(&setup, &inputs);
    let eyes = reload::open_sight(&setup);
    let (watched, watched_seen) = watch::channel(Arc::default());
    let (to_judge, verdicts) = mpsc::channel(VERDICTS);
    let reports = Reports { watched, verdicts: to_judge };
    let (feed, shadow) = shadow::start(&setup, states, reports.clone(), None, clock.now());
    let Setup { config, community, models: _, bundle, origins, candidate: _, is_demo, workshop } =
        setup;
    let (view_sender, view) = watch::channel(Arc::new(pipeline.view(clock.now())));

    let (pictures, stills) = Pictures::of(config.evidence.as_ref(), &config.store.path);
    let (opened, raised) = mpsc::channel(sight::OPENED);
    let mut ground = Ground::new(clock.clone(), pace.clone(), stop.clone());
    let keep = |evidence| Asked { stills, opened: raised, evidence };
    ground.kept.asked = pictures.evidence.clone().map(keep);
    let mut ready = ground.prepare(&config, &community, eyes, &inputs)?;
    let (settlers, writers) = (ready.settlers(), ready.writers());
    let to_devices = Writes::new(inputs.downgrade());
    let sources = ready.start(&mut ground);
    let wires = ground.wires.subscribe();
    let tallies = ground.tallies.clone();
    let weak = inputs.downgrade();
    let (rulings, told) = mpsc::channel(desk::ANSWERS);
    let desk = Arc::new(Desk::new(inputs.downgrade(), told, recall(&store)));
    let trusts = config.uplink.as_ref().is_some_and(|uplink| uplink.trust_clock);
    let keep_in = (config.store.path.clone(), trusts);
    let watching = watch_clock(clock.clone(), inputs, keep_in, stop.clone());
    let watch_clock = tokio::spawn(watching);

    let engine_name = inference.as_ref().map(Inference::engine_name);
    let (changes, to_engine) = mpsc::channel(1);
    let (looks, asked) = mpsc::channel(lookout::LOOKS);
    let lookout = Lookout::new(looks, config.store.path.clone());
    let effects = Effects {
        looks: asked,
        batches,
        inference,
        settlers,
        writers,
        written: to_devices.waiting(),
        view: view_sender,
        rulings,
        waiting: desk.waiting(),
        feed,
        changes: to_engine,
        opened: config.evidence.is_some().then_some(opened),
        pace,
    };
    let (community, community_seen) = watch::channel(community);
    let links = Signer::open(&config.alerts, &config.store.path, store.clone())?;
    let audit = Audit::in_store(&config.store.path)?;
    let siren = Switch { writes: to_devices.clone(), audit: audit.clone() };
    // Before anything new is recorded.
    let alerting = alert::Parts {
        store: store.clone(),
        clock: clock.clone(),
        community: community_seen.clone(),
        relay: Some(Arc::new(siren)),
        links: links.clone(),
        inputs: weak.clone(),
    };
    let (alerts, alert) = alert::start(&config, alerting, stop.clone())?.unzip();
    let clouds = bays::cloud::start(&config, &view, &community_seen, &clock, &stop);
    let engine = tokio::spawn(engine::run(pipeline, received, effects, clock.clone()));
    let (uplink, confirmations) = start_uplink(&config, &store, &view, &clock)?.unzip();
    let bundle = bundle.map(|layer| layer.title);
    let configuration =
        Configuration { engine: engine_name, missing, bundle, origins, ..Configuration::default() };
    let (reload, requests) = mpsc::channel(REQUESTS);
    let (configuration, configuration_seen) = watch::channel(configuration);
    let (counted, flash) = watch::channel(Wear::default());
    let StoreConfig { path, endurance, .. } = config.store.clone();
    let outlook = report::Sight {
        flash: flash.clone(),
        endurance,
        view: view.clone(),
        community: community_seen.clone(),
        configuration: configuration_seen.clone(),
        store: store.clone(),
        clock: clock.clone(),
    };
    let (install, installs) = mpsc::channel(1);
    tokio::spawn(flash::watch_flash(path, endurance, counted, weak.clone(), stop.clone()));
    let kept = (pictures.evidence.clone(), config.store.path.clone());
    tokio::spawn(evidence::keep_removing(kept.0, kept.1, clock.clone(), stop.clone()));
    let downlink = confirmations.map(|confirmations| {
        let (desk, report) = (Arc::clone(&desk), outlook.reports());
        let fetching = Fetching::of(&config, install);
        let pictures = pictures.clone();
        let hands = Hands { confirmations, desk, writes: to_devices, report, fetching, pictures };
        start_downlink(&config, &clock, hands, &audit, &stop)
    });
    let downlink = downlink.transpose()?.flatten();
    let shown = Shown {
        audit: audit.clone(),
        is_demo,
        view: view.clone(),
        community: community_seen,
        configuration: configuration_seen,
        watched: watched_seen,
        store: store.clone(),
        flash,
        lookout: lookout.clone(),
        desk: Arc::clone(&desk),
        workshop,
        wires,
        tallies,
        reload,
        alerts,
        links,
        pictures,
    };
    let (console, console_task) = start_console(&config, shown, &clock, &stop).await?;
    let journal = start_journal(&config, &store, desk, &stop);
    let tasks = Tasks {
        watch_clock,
        engine,
        writer,
        shadow,
        uplink,
        downlink,
        alert,
        journal,
        console: console_task,
        clouds,
    };
    Ok(Running {
        console,
        view,
        store,
        audit,
        config,
        ground,
        sources,
        inputs: weak,
        changes,
        community,
        configuration,
        reports,
        verdicts: Some(verdicts),
        requests: Some(requests),
        installs: Some(installs),
        lookout,
        tasks,
    })
}

impl Running {
    /// How the cameras do, also after the end.
    pub fn tallies(&self) -> crate::sight::Tallies {
        self.ground.tallies.clone()
    }

    /// The settings, as they are in effect.
    pub fn config(&self) -> &GatewayConfig {
        &self.config
    }

    /// Models that scenes name and that did not load.
    pub fn missing(&self) -> Vec<String> {
        self.configuration.borrow().missing.clone()
    }

    /// What is configured, as it is in effect.
    pub fn community(&self) -> Arc<Community> {
        self.community.borrow().clone()
    }

    /// Where frames go; closed once the gateway ends.
    pub fn inputs(&self) -> mpsc::WeakSender<Input> {
        self.inputs.clone()
    }

    /// Waits until the sources have heard `stop`, then for everybody downstream.
    pub async fn finish(mut self) {
        let Tasks {
            watch_clock,
            engine,
            writer,
            shadow,
            uplink,
            downlink,
            alert,
            journal,
            console,
            clouds,
        } = self.tasks;
        drop(clouds);
        drop(self.sources.ended().await);
        log_panic("clock", watch_clock.await);
        log_panic("engine", engine.await);
        let written = tokio::task::spawn_blocking(move || writer.join()).await;
        if !matches!(written, Ok(Ok(()))) {
            tracing::error!("the store's thread broke down");
        }
        let watched =
            tokio::task::spawn_blocking(move || shadow.map(std::thread::JoinHandle::join)).await;
        if !matches!(watched, Ok(None | Some(Ok(())))) {
            tracing::error!("the thread that watches the models broke down");
        }
        if let Some((task, stop)) = uplink {
            stop.cancel();
            if tokio::time::timeout(GRACE, task).await.is_err() {
                tracing::warn!("the uplink did not end in time; what is left waits in the store");
            }
        }
        self.audit.flush().await;
        let others =
            [("downlink", downlink), ("alert", alert), ("journal", journal), ("console", console)];
        for (name, task) in others {
            if let Some(task) = task {
                log_panic(name, task.await);
            }
        }
    }

    /// What becomes of the models, for who runs the gateway; once.
    pub fn take_verdicts(&mut self) -> Option<mpsc::Receiver<Verdict>> {
        self.verdicts.take()
    }

    /// Who wants the configuration read again, for who runs the gateway; once. Dropped, nobody can.
    pub fn take_requests(&mut self) -> Option<mpsc::Receiver<Reload>> {
        self.requests.take()
    }

    /// The bundles that the platform wants installed, for who runs the gateway; once. Dropped, nobody
    /// can.
    pub fn take_installs(&mut self) -> Option<mpsc::Receiver<Install>> {
        self.installs.take()
    }

    /// Tells the pipeline something about the gateway itself.
    pub async fn tell(&self, input: Input) {
        if let Some(inputs) = self.inputs.upgrade() {
            // The engine has gone: nobody is left to tell.
            drop(inputs.send(input).await);
        }
    }

    /// Tells whether what works hangs; to be asked while it runs.
    pub fn pulse(&self) -> impl AsyncFn() -> bool + 'static {
        let (lookout, store) = (self.lookout.clone(), self.store.clone());
        async move || !store.is_stuck() && lookout.is_answered().await
    }

    /// Returns when a task that should run until `stop` has ended before.
    pub async fn broke_down(&self) {
        loop {
            let has_ended = self.tasks.engine.is_finished() || self.tasks.writer.is_finished();
            if has_ended || self.sources.broke_down() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Without some of its models a gateway runs on: rules speak, and the other models. Which are missing
/// is told and returned.
fn start_inference(
    setup: &Setup,
    inputs: &mpsc::Sender<Input>,
) -> (Option<Inference>, Vec<String>) {
    let names = reload::model_names(&setup.community);
    let library = setup.config.models.onnxruntime.as_deref();
    let (models, mut missing) = Models::open_some(&setup.models, names.iter().copied(), library);
    let start = |models| Inference::start(models, inputs.downgrade());
    let inference = models.map(start).transpose().unwrap_or_else(|error| {
        missing.push(("all".to_owned(), error));
        None
    });
    if let Some(inference) = &inference {
        tracing::info!(engine = inference.engine_name(), "models are loaded");
    }
    let (mut names, mut why) = (Vec::new(), Vec::new());
    for (model, error) in missing {
        let error = anyhow::Error::new(error);
        tracing::error!(model, "does not speak until this is mended, rules go on: {error:#}");
        why.push(format!("{model} ({error:#})"));
        names.push(model);
    }
    let why = why.join("; ");
    let why = (!names.is_empty())
        .then(|| Text::new(format!("未能加载：{why}"), format!("did not load: {why}")));
    // Nothing else is in the channel yet.
    let _told = inputs.try_send(Input::ModelsMissing { why });
    (inference, names)
}

/// The newest that the journal holds of an event.
fn recall(store: &Store) -> desk::Recall {
    let store = store.clone();
    Arc::new(move |event| {
        let newest = store.find(event).ok()?.pop()?;
        serde_json::from_slice::<Message>(&newest.json).ok().map(|message| message.data)
    })
}

/// The gateway's work does not depend on it.
fn start_journal(
    config: &GatewayConfig,
    store: &Store,
    desk: Arc<Desk>,
    stop: &CancellationToken,
) -> Option<JoinHandle<()>> {
    let folder = &config.store.path;
    match journal::start(folder, store.clone(), desk, journal::PATIENCE, stop.clone()) {
        Ok(task) => Some(task),
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error,
                "`gatehouse events` cannot ask this gateway; it can be asked when it has ended");
            None
        }
    }
}

fn log_panic(name: &str, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(task = name, %error, "broke down");
    }
}
