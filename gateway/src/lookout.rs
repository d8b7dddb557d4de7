//! What a device said around an event, for a page that draws it: asked of the engine while it remembers
//! it, else read from what was put aside; and where the single readings are gone, the statistics of each
//! quarter of an hour. It stays on the box.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatehouse_core::reading::Timestamp;
use gatehouse_core::statistics::page::{self, Piece};
use gatehouse_core::statistics::quarter::{Quarter, Statistic};
use gatehouse_core::statistics::window::{self, Window};
use tokio::sync::{mpsc, oneshot};

use crate::store::kept;

/// Questions that may wait for the engine.
pub const LOOKS: usize = 8;

/// What the engine may take; a page is drawn without the readings then.
const PATIENCE: Duration = Duration::from_secs(2);

/// Before and after a condition that its statistics are shown, and how much of it at most.
const MARGIN: Duration = Duration::from_hours(2);
const LONGEST: Duration = Duration::from_hours(24);

/// A page of statistics is written so long after what it tells of at most.
const LATEST: Duration = Duration::from_hours(24);

/// What a device said around an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Around {
    /// Each reading.
    Readings(Window),
    /// What is left when those are gone.
    Quarters { device: String, points: Points },
}

/// The quarters of an hour of each point, by name.
pub type Points = BTreeMap<String, BTreeMap<Quarter, Statistic>>;

impl Around {
    /// Whose it is, by id.
    pub fn device(&self) -> &str {
        match self {
            Self::Readings(window) => &window.device,
            Self::Quarters { device, .. } => device,
        }
    }
}

/// What a store's folder keeps of a device's quarters that begin from `from` on and before `to`. Reads the
/// disk.
pub fn quarters(store: &Path, device: &str, from: Timestamp, to: Timestamp) -> io::Result<Points> {
    let mut points = Points::new();
    for bytes in kept::pages(store, from, to + LATEST)? {
        let Some(told) = page::read_device(&bytes?, device) else { continue };
        let is_meant = |piece: &&Piece| (from..to).contains(&piece.quarter.start());
        for piece in told.pieces.iter().filter(is_meant) {
            for (name, statistic) in told.points.iter().zip(&piece.points) {
                let quarters = points.entry(name.clone()).or_default();
                quarters.entry(piece.quarter).or_default().merge(statistic);
            }
        }
    }
    Ok(points)
}

/// A question to the engine.
#[derive(Debug)]
pub struct Look {
    /// By id.
    pub device: String,
    pub back: oneshot::Sender<Option<Window>>,
}

/// Where to ask.
#[derive(Debug, Clone)]
pub struct Lookout {
    looks: mpsc::Sender<Look>,
    /// The store's.
    folder: PathBuf,
}

impl Lookout {
    pub fn new(looks: mpsc::Sender<Look>, folder: PathBuf) -> Self {
        Self { looks, folder }
    }

    /// The readings of a device around a condition that lasted from `since` to `until`; `None` when nothing is
    /// kept of them any more.
    pub async fn around(&self, device: &str, since: Timestamp, until: Timestamp) -> Option<Around> {
        let live = self.ask(device).await.filter(|live| !live.rows.is_empty());
        if live.as_ref().is_some_and(|live| live.rows[0].0 <= since) {
            return live.map(Around::Readings);
        }
        let (folder, id) = (self.folder.clone(), device.to_owned());
        let read = move || {
            let kept = kept::window(&folder, &id, since).ok().flatten();
            let kept = kept.and_then(|bytes| window::read(&bytes));
            let holds_it = |kept: &Window| kept.rows.last().is_some_and(|(end, _)| *end >= since);
            if let Some(kept) = kept.filter(holds_it) {
                return Some(Around::Readings(kept));
            }
            let to = until.min(since + LONGEST) + MARGIN;
            let points = quarters(&folder, &id, since - MARGIN, to).ok()?;
            (!points.is_empty()).then_some(Around::Quarters { device: id, points })
        };
        let kept = tokio::task::spawn_blocking(read).await.ok().flatten();
        // Of a device that has not spoken for long, what it said since is all there is.
        kept.or(live.map(Around::Readings))
    }

    /// Whether the engine answers: it is asked about no device.
    pub async fn is_answered(&self) -> bool {
        let (back, answer) = oneshot::channel();
        let asked = async {
            self.looks.send(Look { device: String::new(), back }).await.ok()?;
            answer.await.ok()
        };
        matches!(tokio::time::timeout(PATIENCE, asked).await, Ok(Some(_)))
    }

    async fn ask(&self, device: &str) -> Option<Window> {
        let (back, answer) = oneshot::channel();
        self.looks.try_send(Look { device: device.to_owned(), back }).ok()?;
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()?
    }
}
