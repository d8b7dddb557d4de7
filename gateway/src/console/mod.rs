//! The console: pages, live stream, API and metrics for people and scripts on this box.
//!
//! It reads snapshots of the pipeline and of the configuration and shows them; it never calls the
//! pipeline, so however many browsers look, the engine does not notice. In the order a request takes:
//!
//! 1. [`door`], [`tls`]: is there room, does it come to the point, and can nobody listen in,
//! 2. [`guard`]: is it meant for us, may it come in, in which language (with [`access`]: sessions;
//!    [`rights`]: what an address asks for; [`lockout`]: who was wrong too often; [`token`]: the token of
//!    a file; [`failure`]: what is said to those who may not),
//! 3. [`login`], [`setup`]: the way in and out, and the first way in; [`account`], [`users`], [`trail`]: one's
//!    own account, everybody's, and who did what,
//! 4. [`inbox`]: what needs somebody and what is over, and what people do about it; [`event`]: one event,
//! 5. [`devices`], [`models`]: the other pages, with [`events`]'s numbers (with [`page`]: what stands
//!    around them; [`look`]: large letters; [`words`], [`terms`] and [`figures`]: texts and numbers as
//!    people read them; [`assets`]: style and scripts),
//!    [`map`] (with [`plan`]: its geometry), [`device`] (with [`chart`]), [`scenes`], [`people`], [`settings`],
//!    [`bays`]: the place; [`place`]: what they need beside the snapshot,
//! 6. [`judging`]: what a person says of an event, and how often each scene was right,
//! 7. [`report`]: what a month came to, as a page and as a PDF,
//! 8. [`stream`]: the open events, live,
//! 9. [`api`]: the same as JSON, with its document, for scripts and other programs,
//! 10. [`metrics`], [`health`]: for those who watch many gateways,
//! 11. [`integrate`]: from what an unknown sensor sent to its readings,
//! 12. [`link`]: what the buttons of alerts open; [`phone`]: errands and reports of those on the spot, also
//!     without an account, a resident's answer, and exercises,
//! 13. [`camera`]: what is told of cameras; [`drawing`]: zones drawn on the picture.
//!
//! But for the accounts, all state is in memory and ends with the program.

pub mod access;
mod account;
mod api;
mod assets;
mod audit;
mod bays;
mod camera;
mod chart;
mod device;
mod devices;
mod door;
mod drawing;
mod event;
mod events;
mod failure;
mod figures;
mod flash;
mod guard;
mod health;
mod inbox;
mod integrate;
mod judging;
mod link;
mod lockout;
mod login;
mod look;
mod map;
mod metrics;
mod models;
mod page;
mod people;
mod phone;
pub mod place;
mod plan;
mod report;
mod rights;
#[cfg(test)]
pub(crate) mod sample;
mod scenes;
mod settings;
mod setup;
mod stream;
mod terms;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod token;
mod trail;
mod users;
mod words;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use access::Access;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use gatehouse_core::community::Community;
use gatehouse_core::community::quantity::{Language, Text};
use gatehouse_core::reading::Timestamp;
use gatehouse_core::view::View;
use place::{Bench, Place};
use tls::Tls;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::accounts::Principal;
use crate::accounts::book::{Book, NotChanged};
use crate::accounts::kept::{Accounts, AccountsError};
use crate::accounts::password::Hashing;
use crate::alert::Alerts;
use crate::alert::link::Signer;
use crate::audit::{Audit, Note, Outcome};
use crate::bundle::trial::Failed;
use crate::clock::Clock;
use crate::desk::Desk;
use crate::journal::ask::Journal;
use crate::lookout::Lookout;
use crate::origins::Origins;
use crate::report::collect::Maker;
use crate::shadow::Watched;
use crate::sight::{Tallies, Tally};
use crate::source::Wires;
use crate::stills::Pictures;
use crate::store::Store;
use crate::wear::{Endurance, Wear};
use crate::workshop::Workshop;
pub use api::document::document as openapi;

/// Live streams at once; each holds a connection and nothing else.
const MAX_STREAMS: usize = 64;
/// Those of the free bays, which anybody may open.
const MAX_PUBLIC_STREAMS: usize = 16;
/// The only bodies we take are the fields of a form, Chinese escaped to nine bytes a letter.
const MAX_BODY: usize = 64 * 1024;
/// Of somebody whom we do not know yet.
const MAX_LOGIN: usize = 8 * 1024;
/// How long a request that is under way may take to end after `stop`.
const GRACE: Duration = Duration::from_secs(2);

/// Where the console gets what it shows.
pub struct Sources {
    /// The engine's snapshot, at most twice a second.
    pub view: watch::Receiver<Arc<View>>,
    /// The configuration, which can be replaced while running.
    pub community: watch::Receiver<Arc<Community>>,
    /// Where that came from, and what became of others.
    pub configuration: watch::Receiver<Configuration>,
    /// The candidate beside it, and what became of the last one.
    pub watched: watch::Receiver<Arc<Watched>>,
    /// The events of the past.
    pub events: Store,
    /// What a device said around an event.
    pub lookout: Lookout,
    /// Asked on every page and scrape; must return at once.
    pub store: Box<dyn Fn() -> StoreState + Send + Sync>,
    /// Where people's verdicts go.
    pub desk: Arc<Desk>,
    /// Where integrators make device types; `None` where nothing is kept, as in `demo`.
    pub workshop: Option<Arc<Workshop>>,
    /// Lines and brokers, for integrators.
    pub wires: watch::Receiver<Arc<Wires>>,
    /// How the cameras do.
    pub tallies: Tallies,
    /// Where handlers note what was done.
    pub audit: Audit,
    /// The engine's clock, for ages.
    pub clock: Clock,
    /// How people are told; `None` when nobody is.
    pub alerts: Option<Alerts>,
    /// Makes and checks the links that act without an account.
    pub links: Signer,
    /// Masked stills, where `[evidence]` allows them.
    pub pictures: Pictures,
    /// What to speak to a browser that does not say.
    pub language: Language,
    /// What the pages about the place need beside that.
    pub place: Place,
}

/// What is known of the configurations of this start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Configuration {
    /// Configurations that were taken while running.
    pub loaded: u64,
    /// Configurations that were bad, so that the old one went on.
    pub refused: u64,
    /// Models that scenes name and that did not load at the start.
    pub missing: Vec<String>,
    /// `onnxruntime` or `tract`; `None` while no model is asked.
    pub engine: Option<&'static str>,
    /// The bundle that is laid over the configuration's own files.
    pub bundle: Option<String>,
    /// It has yet to prove itself.
    pub is_on_trial: bool,
    /// The last one that did not, and was taken back.
    pub failed: Option<Failed>,
    /// What was set on the console, could not be used at this start and lies aside.
    pub set_aside: Option<Text>,
    /// Who says what in it.
    pub origins: Arc<Origins>,
}

/// What the store says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreState {
    /// Records that the platform has not confirmed.
    pub waiting: u64,
    /// The last sequence that would survive a power cut.
    pub sequence: u64,
    /// Why it cannot write; `None` while it can.
    pub fault: Option<String>,
    /// What the flash below it has taken, and can take.
    pub wear: Wear,
    pub endurance: Option<Endurance>,
}

/// The address cannot be had: another program has it, or it is not ours.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{listen}` for the console; is `console.listen` in gateway.toml free?")]
pub struct CannotListen {
    pub listen: SocketAddr,
    pub source: std::io::Error,
}

/// Takes the console's address. Port 0 takes any; the listener knows which.
pub async fn bind(listen: SocketAddr) -> Result<TcpListener, CannotListen> {
    TcpListener::bind(listen).await.map_err(|source| CannotListen { listen, source })
}

/// Serves until `stop`, then lets requests that are under way end.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    access: Access,
    sources: Sources,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let bound = listener.local_addr()?;
    let reports = Journal::Store(sources.events.clone());
    let console = Arc::new(Console {
        sources,
        accounts: access.accounts().clone(),
        hashing: Hashing::default(),
        access: Mutex::new(access),
        cookie: format!("gatehouse-session-{}", bound.port()),
        names: tls::names(),
        tls: tls.clone(),
        bound,
        started: Instant::now(),
        scans: integrate::Scans::default(),
        ears: integrate::Ears::default(),
        streams: Arc::new(Semaphore::new(MAX_STREAMS)),
        notices: inbox::notices::Notices::default(),
        public_streams: Arc::new(Semaphore::new(MAX_PUBLIC_STREAMS)),
        bench: Bench::default(),
        stop: stop.clone(),
        reports: Maker::new(reports),
        reported: phone::Pace::default(),
        held: drawing::Held::default(),
    });
    let door = door::Door::new(listener, tls.as_ref(), tls::names());
    let service = router(console).into_make_service_with_connect_info::<door::Peer>();
    if let Some(tls) = tls {
        tokio::spawn(tls.keep(stop.clone()));
    }
    let server = axum::serve(door, service).with_graceful_shutdown(stop.clone().cancelled_owned());

    tokio::select! {
        ended = async { server.await } => ended,
        // A browser that stopped reading would hold us for ever.
        () = async { stop.cancelled().await; tokio::time::sleep(GRACE).await } => Ok(()),
    }
}

fn router(console: Arc<Console>) -> Router {
    Router::new()
        .route("/", get(inbox::page))
        .route("/events/act", axum::routing::post(inbox::acting::act))
        .route("/events/{id}", get(event::page))
        .route("/events/{id}/still", get(event::still::get))
        .route("/draw/{id}", get(drawing::page).post(drawing::save))
        .route("/draw/{id}/still", get(drawing::still))
        .route("/look", get(look::choose))
        .route("/static/look.css", get(look::sheet))
        .route("/devices", get(devices::page))
        .route("/verdict", axum::routing::post(judging::say))
        .route("/models", get(models::page))
        .route("/devices/{id}", get(device::page))
        .route("/map", get(map::page))
        .route("/scenes", get(scenes::page))
        .route("/scenes/{id}", get(scenes::one))
        .route("/scenes/{id}/status", post(scenes::set))
        .route("/scenes/{id}/backtest", post(scenes::try_it))
        .route("/people", get(people::page))
        .route("/audit", get(audit::page))
        .route("/audit/export", get(audit::export))
        .route("/settings", get(settings::page))
        .route("/api/v1/settings", get(settings::list))
        .route("/bays", get(bays::page))
        .route("/api/v1/bays", get(bays::list))
        .route("/api/v1/bays/stream", get(bays::stream))
        .route("/reports", get(report::list))
        .route("/reports/{month}", get(report::show))
        .route(
            "/login",
            get(login::form).post(login::login).layer(DefaultBodyLimit::max(MAX_LOGIN)),
        )
        .route("/logout", axum::routing::post(login::logout))
        .route("/setup", get(setup::form).post(setup::make))
        .route("/account", get(account::page).post(account::change))
        .route("/users", get(users::page).post(users::change))
        .route("/live", get(stream::fragments))
        .merge(integrate::routes())
        .route("/a/{token}", get(link::look).post(link::act))
        .merge(phone::routes())
        .route("/metrics", get(metrics::scrape))
        .route("/static/{name}", get(assets::get))
        .merge(api::router())
        .fallback(failure::not_found)
        .method_not_allowed_fallback(failure::wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&console), guard::guard))
        .with_state(console)
}

/// What every request shares.
struct Console {
    sources: Sources,
    accounts: Accounts,
    hashing: Hashing,
    access: Mutex<Access>,
    tls: Option<Tls>,
    /// What this box is called on its network.
    names: Vec<String>,
    /// Browsers do not tell ports apart, so two gateways on one box need two cookies.
    cookie: String,
    bound: SocketAddr,
    started: Instant,
    scans: integrate::Scans,
    ears: integrate::Ears,
    streams: Arc<Semaphore>,
    /// What came of what somebody did, until the page is shown that tells it.
    notices: inbox::notices::Notices,
    /// For anybody; they must not take those of people who work here.
    public_streams: Arc<Semaphore>,
    /// Where scenes are tried on the past.
    bench: Bench,
    stop: CancellationToken,
    reports: Maker,
    /// How much each person has reported.
    reported: phone::Pace,
    /// Stills on their way to a page.
    held: drawing::Held,
}

impl Console {
    fn access(&self) -> MutexGuard<'_, Access> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the accounts again if `gatehouse user` has changed them.
    async fn look_again(&self) {
        let accounts = self.accounts.clone();
        let looked = tokio::task::spawn_blocking(move || accounts.refresh()).await;
        if let Ok(Err(error)) = looked {
            tracing::error!(%error, "nobody can sign in until this is mended");
        }
    }

    /// Changes the accounts, off this thread.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Book) -> Result<T, NotChanged> + Send + 'static,
    ) -> Result<T, AccountsError> {
        let accounts = self.accounts.clone();
        let changed = tokio::task::spawn_blocking(move || accounts.change(change)).await;
        changed.unwrap_or(Err(AccountsError::Stopped))
    }

    /// Takes down what was done.
    fn note(&self, who: &str, action: &'static str, about: &str, outcome: Outcome, detail: &str) {
        let (who, about, detail) = (who.to_owned(), about.to_owned(), detail.to_owned());
        self.sources.audit.note(Note { who, action, about, outcome, detail });
    }

    /// What a page for that reader is made of.
    fn snapshot_for(&self, principal: &Principal) -> Snapshot {
        Snapshot { who: Some(principal.clone()), ..self.snapshot() }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            who: None,
            view: Arc::clone(&self.sources.view.borrow()),
            community: Arc::clone(&self.sources.community.borrow()),
            configuration: self.sources.configuration.borrow().clone(),
            watched: Arc::clone(&self.sources.watched.borrow()),
            store: (self.sources.store)(),
            cameras: self.sources.tallies.now(),
            now: self.sources.clock.now(),
            speed: speed(&self.sources.clock),
        }
    }
}

/// How many seconds of the clock pass in one of the world; 1 but for `demo`.
fn speed(clock: &Clock) -> f64 {
    let hour = Duration::from_hours(1);
    hour.as_secs_f64() / clock.real(hour).as_secs_f64().max(f64::MIN_POSITIVE)
}

/// All that a page is made of, at one moment.
struct Snapshot {
    /// Who reads it; nobody where it is no page.
    who: Option<Principal>,
    view: Arc<View>,
    community: Arc<Community>,
    configuration: Configuration,
    watched: Arc<Watched>,
    store: StoreState,
    cameras: Vec<Tally>,
    now: Timestamp,
    speed: f64,
}
