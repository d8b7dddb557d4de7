//! The two ways between a gateway that runs and the township's platform: records up, commands down.

use std::sync::Arc;

use anyhow::Context as _;
use gatehouse_core::view::View;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Stoppable;
use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::GatewayConfig;
use crate::downlink::hands::Hands;
use crate::store::Store;
use crate::uplink::confirming::Confirmations;
use crate::{downlink, uplink};

pub(super) fn start_uplink(
    config: &GatewayConfig,
    store: &Store,
    view: &watch::Receiver<Arc<View>>,
    clock: &Clock,
) -> anyhow::Result<Option<(Stoppable, Confirmations)>> {
    let Some(uplink) = &config.uplink else { return Ok(None) };
    let stop = CancellationToken::new();
    let view = view.clone();
    let figures: uplink::Figures = Arc::new(move || downlink::report::counts(&view.borrow()));
    let (store, clock) = (store.clone(), clock.clone());
    let (task, _, confirmations) =
        uplink::start(uplink, &config.gateway, store, clock, figures, stop.clone())
            .context("the platform's broker")?;
    Ok(Some(((task, stop), confirmations)))
}

/// Hears the platform's commands, where there is a platform.
pub(super) fn start_downlink(
    config: &GatewayConfig,
    clock: &Clock,
    hands: Hands,
    audit: &Audit,
    stop: &CancellationToken,
) -> anyhow::Result<Option<JoinHandle<()>>> {
    let Some(uplink) = &config.uplink else { return Ok(None) };
    let (clock, audit, stop) = (clock.clone(), audit.clone(), stop.clone());
    downlink::start(uplink, &config.gateway, &config.store.path, clock, hands, audit, stop)
        .map(Some)
        .context("the platform's commands")
}
