//! What a device said around an event, for a page that draws it: asked of the engine while it remembers
//! it, else read from what was put aside. It stays on the box.

use std::path::PathBuf;
use std::time::Duration;

use gatehouse_core::reading::Timestamp;
use gatehouse_core::statistics::window::{self, Window};
use tokio::sync::{mpsc, oneshot};

use crate::store::kept;

/// Questions that may wait for the engine.
pub const LOOKS: usize = 8;

/// What the engine may take; a page is drawn without the readings then.
const PATIENCE: Duration = Duration::from_secs(2);

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

    /// The readings of a device around a condition that began at `since`; `None` when they are not kept
    /// any more.
    pub async fn around(&self, device: &str, since: Timestamp) -> Option<Window> {
        let live = self.ask(device).await.filter(|live| !live.rows.is_empty());
        if live.as_ref().is_some_and(|live| live.rows[0].0 <= since) {
            return live;
        }
        let (folder, id) = (self.folder.clone(), device.to_owned());
        let read = move || kept::window(&folder, &id, since).ok().flatten();
        let bytes = tokio::task::spawn_blocking(read).await.ok().flatten();
        let kept = bytes.and_then(|bytes| window::read(&bytes));
        let holds_it = |kept: &Window| kept.rows.last().is_some_and(|(end, _)| *end >= since);
        // Of a device that has not spoken for long, what it said since is all there is.
        kept.filter(holds_it).or(live)
    }

    async fn ask(&self, device: &str) -> Option<Window> {
        let (back, answer) = oneshot::channel();
        self.looks.try_send(Look { device: device.to_owned(), back }).ok()?;
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()?
    }
}
