//! What the pages about the place need beside the snapshot: the past on disk, and who reads the
//! configuration again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatehouse_core::community::scene::Status;
use gatehouse_core::reading::Timestamp;
use gatehouse_core::view::EventView;
use tokio::sync::{mpsc, oneshot};

use super::page::may;
use super::{Console, Snapshot};
use crate::accounts::Right;
use crate::backtest::report::Report;
use crate::heat::Heat;
use crate::store::Store;

/// A page does not wait longer for what is being counted.
const PATIENCE: Duration = Duration::from_millis(30);
/// A reload opens models.
const RELOAD: Duration = Duration::from_mins(1);

/// Where the pages find it.
pub struct Place {
    /// The store's folder.
    pub store: PathBuf,
    /// The events of the past; none in tests of pages that need none.
    pub events: Option<Store>,
    /// Events of the last thirty days.
    pub heat: Heat,
    /// Who reads the configuration again; closed where nobody does.
    pub reload: mpsc::Sender<Reload>,
    /// Anybody may see how many bays are free.
    pub has_public_bays: bool,
}

/// Somebody has changed a setting and waits for what comes of it: nothing, or what is wrong.
pub struct Reload(pub oneshot::Sender<Result<(), String>>);

/// What came of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reloaded {
    InEffect,
    /// Nobody reads the configuration here.
    NextStart,
    Refused(String),
}

/// One scene at a time is tried on the past; the last outcome stays.
#[derive(Default)]
pub(super) struct Bench(Mutex<Option<Attempt>>);

/// A scene that is, or was, tried on the past.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub scene: String,
    pub days: u32,
    pub begun: Timestamp,
    /// `None` while it runs.
    pub outcome: Option<Result<Arc<Report>, String>>,
}

impl Bench {
    fn lock(&self) -> MutexGuard<'_, Option<Attempt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn last(&self) -> Option<Attempt> {
        self.lock().clone()
    }

    /// Takes the place; false while another one runs.
    pub(super) fn begin(&self, attempt: Attempt) -> bool {
        let mut last = self.lock();
        let is_free = last.as_ref().is_none_or(|last| last.outcome.is_some());
        if is_free {
            *last = Some(attempt);
        }
        is_free
    }

    pub(super) fn end(&self, outcome: Result<Report, String>) {
        if let Some(last) = self.lock().as_mut() {
            last.outcome = Some(outcome.map(Arc::new));
        }
    }
}

/// The open events that the reader may see: those of scenes on trial are for integrators.
pub(super) fn open(snapshot: &Snapshot) -> impl Iterator<Item = &EventView> {
    let sees_all = may(snapshot, Right::SeePilots);
    let scenes = &snapshot.community.scenes;
    let is_pilot = |id: &str| {
        scenes.iter().any(|scene| scene.head.id == id && scene.head.status == Status::Pilot)
    };
    snapshot.view.events.iter().filter(move |event| sees_all || !is_pilot(&event.data.scene))
}

impl Console {
    /// Events of the last thirty days by area; `None` while they are still being counted.
    pub(super) async fn heat(&self, now: Timestamp) -> Option<BTreeMap<String, u64>> {
        let heat = self.sources.place.heat.clone();
        let look = tokio::task::spawn_blocking(move || heat.look(now));
        let looked = tokio::time::timeout(PATIENCE, look).await.ok().and_then(Result::ok);
        looked.flatten().or_else(|| self.sources.place.heat.last())
    }

    /// Has the configuration read again.
    pub(super) async fn reload(&self) -> Reloaded {
        let (answer, outcome) = oneshot::channel();
        if self.sources.place.reload.try_send(Reload(answer)).is_err() {
            return Reloaded::NextStart;
        }
        match tokio::time::timeout(RELOAD, outcome).await {
            Ok(Ok(Ok(()))) => Reloaded::InEffect,
            Ok(Ok(Err(why))) => Reloaded::Refused(why),
            Ok(Err(_)) | Err(_) => Reloaded::NextStart,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Principal, Role};
    use crate::console::{Configuration, StoreState, sample};

    #[test]
    fn what_a_pilot_has_raised_is_for_integrators() {
        let mut community = sample::community();
        let scene = "detector = []\n[scene]\nid = \"air-quality\"\nstatus = \"pilot\"\n\
            category = \"waste\"\ntitle = { zh = \"\", en = \"\" }\nadvice = { zh = \"\", en = \"\" }\n";
        community.scenes = vec![Arc::new(toml::from_str(scene).unwrap())];
        let (view, community) = (Arc::new(sample::troubled()), Arc::new(community));
        let seen = |role| {
            let snapshot = Snapshot {
                who: Some(Principal { name: "li".into(), role, csrf: None }),
                view: Arc::clone(&view),
                community: Arc::clone(&community),
                configuration: Configuration::default(),
                watched: Arc::default(),
                store: StoreState::default(),
                cameras: Vec::new(),
                now: sample::NOW,
                speed: 1.0,
            };
            open(&snapshot).count()
        };

        assert_eq!([Role::Viewer, Role::Manager, Role::Integrator].map(seen), [0, 0, 3]);
    }

    #[test]
    fn one_scene_at_a_time_is_tried() {
        let bench = Bench::default();
        let attempt = |scene: &str| Attempt {
            scene: scene.to_owned(),
            days: 7,
            begun: Timestamp(0),
            outcome: None,
        };

        assert!(bench.begin(attempt("air")));
        assert!(!bench.begin(attempt("bin")));
        bench.end(Err("no past".to_owned()));
        let last = bench.last().unwrap();
        assert_eq!(
            (last.scene.as_str(), last.outcome.unwrap().unwrap_err().as_str()),
            ("air", "no past")
        );
        assert!(bench.begin(attempt("bin")));
    }
}
