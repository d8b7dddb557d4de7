//! The console of a gateway that runs: where it listens, and what it looks at.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use gatehouse_core::community::Community;
use gatehouse_core::view::View;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::alert::Alerts;
use crate::alert::link::Signer;
use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::GatewayConfig;
use crate::console::access::Access;
use crate::console::place::{Place, Reload};
use crate::console::tls::Tls;
use crate::console::token::Token;
use crate::console::{self, Configuration, StoreState};
use crate::desk::Desk;
use crate::heat::Heat;
use crate::lookout::Lookout;
use crate::shadow::Watched;
use crate::source::Wires;
use crate::stills::Pictures;
use crate::store::Store;
use crate::wear::Wear;
use crate::workshop::Workshop;

/// Where the console listens.
#[derive(Debug, Clone)]
pub struct At {
    pub address: SocketAddr,
    /// The one-time password, where there is one.
    pub password: Option<String>,
    pub tls: Option<Tls>,
}

impl At {
    /// For a browser on this box.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }
}

/// What the console looks at.
pub(super) struct Shown {
    pub(super) view: watch::Receiver<Arc<View>>,
    pub(super) community: watch::Receiver<Arc<Community>>,
    pub(super) configuration: watch::Receiver<Configuration>,
    pub(super) watched: watch::Receiver<Arc<Watched>>,
    pub(super) store: Store,
    pub(super) flash: watch::Receiver<Wear>,
    pub(super) lookout: Lookout,
    pub(super) desk: Arc<Desk>,
    pub(super) workshop: Option<Arc<Workshop>>,
    pub(super) wires: watch::Receiver<Arc<Wires>>,
    pub(super) tallies: crate::sight::Tallies,
    pub(super) reload: mpsc::Sender<Reload>,
    pub(super) audit: Audit,
    pub(super) is_demo: bool,
    pub(super) alerts: Option<Alerts>,
    pub(super) links: Signer,
    pub(super) pictures: Pictures,
}

pub(super) async fn start_console(
    config: &GatewayConfig,
    shown: Shown,
    clock: &Clock,
    stop: &CancellationToken,
) -> anyhow::Result<(Option<At>, Option<JoinHandle<()>>)> {
    if !config.console.enabled {
        return Ok((None, None));
    }
    let listener = console::bind(config.console.listen).await?;
    let address = listener.local_addr()?;
    let token = config.console.token_file.as_deref().map(Token::read).transpose()?;
    let tls = Tls::of(&config.console, &config.store.path).context("the console")?;
    let (access, password) = Access::open(&config.store.path, shown.is_demo)?;
    let access = access.with_token(token);
    let Shown {
        view,
        community,
        configuration,
        watched,
        store,
        flash,
        lookout,
        desk,
        audit,
        alerts,
        links,
        workshop,
        wires,
        tallies,
        reload,
        pictures,
        is_demo: _,
    } = shown;
    let endurance = config.store.endurance;
    let place = Place {
        store: config.store.path.clone(),
        events: Some(store.clone()),
        heat: Heat::of(store.clone()),
        reload,
        has_public_bays: config.console.public_bays,
    };
    let sources = console::Sources {
        view,
        community,
        configuration,
        watched,
        events: store.clone(),
        lookout,
        store: Box::new(move || StoreState {
            waiting: store.depth() as u64,
            sequence: store.span().map_or(0, |span| *span.end()),
            fault: store.fault(),
            wear: *flash.borrow(),
            endurance,
        }),
        desk,
        workshop,
        wires,
        tallies,
        audit,
        alerts,
        links,
        pictures,
        clock: clock.clone(),
        language: config.gateway.language,
        place,
    };
    let serve = console::serve(listener, tls.clone(), access, sources, stop.clone());
    let task = tokio::spawn(async move {
        if let Err(error) = serve.await {
            tracing::error!(%error, "the console has ended");
        }
    });
    Ok((Some(At { address, password, tls }), Some(task)))
}
