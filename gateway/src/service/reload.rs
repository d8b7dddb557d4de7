//! Another configuration for a gateway that runs: its community, device types, scenes and models, and
//! with them its brokers and lines.
//!
//! In this order, so that no reading is lost or judged by the wrong half: everything that may fail;
//! the old sources end, having handed in what they had read; the engine changes over between two
//! inputs; the new sources start. What a broker gets meanwhile waits in its session.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use gatehouse_core::community::Community;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::community::scene::Detector;
use gatehouse_core::pipeline::Input;

use super::{Running, Setup};
use crate::bundle::installed::Installed;
use crate::config::GatewayConfig;
use crate::engine::Change;
use crate::infer::{InferError, Inference, Models};
use crate::shadow::watch::{self as shadow, States};
use crate::sight::Sight;

/// A configuration whose models answer.
pub struct Opened {
    setup: Setup,
    models: Option<Models>,
    sight: Option<Sight>,
}

impl Opened {
    /// Loads the models that the scenes name. Takes a while: to be called on a thread that may wait.
    ///
    /// # Errors
    /// A model is not what its manifest says.
    pub fn new(setup: Setup) -> Result<Self, InferError> {
        let models = open_models(&setup)?;
        let sight = open_sight(&setup);
        Ok(Self { setup, models, sight })
    }
}

/// The models that the scenes of a configuration name; `None` when they name none.
pub(crate) fn open_models(setup: &Setup) -> Result<Option<Models>, InferError> {
    let names = model_names(&setup.community);
    let library = setup.config.models.onnxruntime.as_deref();
    (!names.is_empty()).then(|| Models::open(&setup.models, names, library)).transpose()
}

/// What looks at the cameras' pictures, as far as its models load; its points are no data without.
pub(super) fn open_sight(setup: &Setup) -> Option<Sight> {
    let (sight, missing) = Sight::prepare(&setup.config, &setup.community, &setup.models);
    for (model, error) in missing {
        let error = anyhow::Error::new(error);
        tracing::error!(model, "no picture is shown to it until this is mended: {error:#}");
    }
    sight
}

pub(super) fn model_names(community: &Community) -> BTreeSet<&str> {
    let detectors = community.scenes.iter().flat_map(|scene| &scene.detectors);
    detectors.flat_map(Detector::models).collect()
}

impl Running {
    /// Changes over to another configuration.
    ///
    /// # Errors
    /// It cannot be used while running; then nothing has changed.
    pub async fn reload(&mut self, opened: Opened) -> anyhow::Result<()> {
        let Opened { setup, models, sight } = opened;
        let identity =
            |config: &GatewayConfig| (config.gateway.id.clone(), config.gateway.township.clone());
        if identity(&setup.config) != identity(&self.config) {
            bail!("`gateway.id` and `gateway.township` cannot change while the gateway runs");
        }
        let inputs = self.inputs.upgrade().context("the gateway is about to end")?;
        let mut ready = self.ground.prepare(&setup.config, &setup.community, sight, &inputs)?;
        let start = |models| Inference::start(models, inputs.downgrade());
        let inference = models.map(start).transpose()?;
        let engine = inference.as_ref().map(Inference::engine_name);

        if let Some(kept) = self.sources.end().await {
            self.ground.kept = kept;
        }
        let states = self.states(&setup).await;
        let (reports, before) = (self.reports.clone(), self.tasks.shadow.take());
        let (feed, shadow) =
            shadow::start(&setup, states, reports, before, self.ground.clock.now());
        self.tasks.shadow = shadow;
        let Setup {
            config,
            community,
            models: _,
            bundle,
            origins,
            candidate: _,
            is_demo: _,
            workshop: _,
        } = setup;
        let (settlers, writers) = (ready.settlers(), ready.writers());
        let change = Change { settlers, writers, inference, feed };
        self.changes.send(change).await.ok().context("the engine has gone")?;
        let replaced = inputs.send(Input::Config(community.clone())).await;
        replaced.ok().context("the engine has gone")?;
        drop(inputs.send(Input::ModelsMissing { why: None }).await);
        self.sources = ready.start(&mut self.ground);

        if let Some(tls) = self.console.as_ref().and_then(|at| at.tls.clone()) {
            let reloaded = tokio::task::spawn_blocking(move || tls.reload()).await;
            if let Ok(Err(error)) = reloaded {
                tracing::error!(%error, "the console keeps the certificate that it has");
            }
        }
        for key in needs_restart(&self.config, &config) {
            tracing::warn!(key, "is read at start; the change waits for the next one");
        }
        self.community.send_replace(community);
        self.configuration.send_modify(|c| {
            c.loaded += 1;
            c.engine = engine;
            c.missing.clear();
            c.bundle = bundle.map(|layer| layer.title);
            c.origins = origins;
            // Whoever loads it anew knows of it, and the configuration is whole without.
            c.set_aside = None;
        });
        // The store and what else was opened at start stays with what it was opened with.
        let GatewayConfig {
            evidence, store, uplink, console, alerts, channels, bays_webhooks, ..
        } = self.config.clone();
        self.config = GatewayConfig {
            evidence,
            store,
            uplink,
            console,
            alerts,
            channels,
            bays_webhooks,
            ..config
        };
        Ok(())
    }

    /// What a candidate is to begin with.
    async fn states(&self, setup: &Setup) -> States {
        if setup.candidate.is_none() {
            return States::new();
        }
        let store = self.store.clone();
        let read = tokio::task::spawn_blocking(move || store.states()).await;
        read.map_err(anyhow::Error::from).and_then(|states| Ok(states?)).unwrap_or_else(|error| {
            tracing::warn!("the candidate begins without what is known: {error:#}");
            States::new()
        })
    }

    /// Shows on every page what of the configuration lies aside.
    pub fn set_aside(&self, why: Text) {
        self.configuration.send_modify(|c| c.set_aside = Some(why));
    }

    /// Shows whether what is laid over the configuration is on trial, and what was taken back last.
    pub fn show_trial(&self, is_on_trial: bool) {
        let failed = Installed::below(&self.config.store.path).failed();
        self.configuration.send_if_modified(|c| {
            let is_other = c.is_on_trial != is_on_trial || c.failed != failed;
            (c.is_on_trial, c.failed) = (is_on_trial, failed);
            is_other
        });
    }

    /// Notes that a configuration was bad and the old one goes on.
    pub fn refused(&self) {
        self.configuration.send_modify(|c| c.refused += 1);
    }
}

fn needs_restart(old: &GatewayConfig, new: &GatewayConfig) -> impl Iterator<Item = &'static str> {
    [
        ("store", old.store != new.store),
        ("uplink", old.uplink != new.uplink),
        ("console", old.console != new.console),
        ("evidence", old.evidence != new.evidence),
        ("alerts", old.alerts != new.alerts),
        ("channel", old.channels != new.channels),
        ("bays-webhook", old.bays_webhooks != new.bays_webhooks),
        ("gateway.language", old.gateway.language != new.gateway.language),
        ("bundles.ca-file", old.bundles.ca_file != new.bundles.ca_file),
        ("models.onnxruntime", old.models.onnxruntime != new.models.onnxruntime),
    ]
    .into_iter()
    .filter_map(|(key, differs)| differs.then_some(key))
}
