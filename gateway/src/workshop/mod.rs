//! Device types and devices that integrators make on the console: `overlay` in the store's folder. They
//! are laid over the configuration like a bundle, at the start and at each reload; `/etc` stays as it is.
//!
//! ```text
//! overlay/device-types/<id>.toml    each a device type of its own
//! overlay/devices.toml              the `[[device]]` entries, as community.toml has them
//! ```
//!
//! A change is made beside it first, in `.incoming`, and held against all that `run` would load. Only
//! what has no fault is put in place, file by file; then the gateway is asked to load anew.

mod shelf;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gatehouse_core::community::site::DeviceEntry;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use shelf::Shelf;
pub use shelf::{DEVICE_TYPES, DEVICES, below};

/// A device type that was pasted together is some kilobytes long.
pub const LONGEST: usize = 64 * 1024;

/// Judges a configuration with the overlay in this folder; may touch the disk for a second.
pub type Judge = Box<dyn Fn(&Path) -> Result<(), Vec<Told>> + Send + Sync>;

/// One fault, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The file's name without its folder.
    pub file: String,
    /// From 1, as the column.
    pub line: usize,
    pub column: usize,
    pub message: String,
    pub help: Option<String>,
}

/// What somebody wants changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A device type's file; in the place of the one of that id, when there is one and that was said.
    AddType {
        text: String,
        replaces: Option<String>,
    },
    AddDevice(Box<DeviceEntry>),
    RemoveDevice(String),
    RemoveType(String),
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Mend these.
    #[error("{} faults", .0.len())]
    Faults(Vec<Told>),
    /// See the disk.
    #[error("the overlay cannot be written: {0}")]
    Disk(#[from] io::Error),
}

/// `devices.toml`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Devices {
    #[serde(rename = "device", default)]
    devices: Vec<DeviceEntry>,
}

/// What was made here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kept {
    /// Ids of device types, with their files' text.
    pub types: Vec<(String, String)>,
    pub devices: Vec<DeviceEntry>,
}

/// The place where changes are made.
pub struct Workshop {
    shelf: Shelf,
    judge: Judge,
    wanted: Notify,
}

impl fmt::Debug for Workshop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workshop").field("shelf", &self.shelf).finish_non_exhaustive()
    }
}

impl Workshop {
    /// Over a store's folder.
    pub fn new(store: &Path, judge: Judge) -> Arc<Self> {
        Arc::new(Self { shelf: Shelf::new(below(store)), judge, wanted: Notify::new() })
    }

    /// What lies there. Waits for the disk.
    pub fn kept(&self) -> Kept {
        self.shelf.kept()
    }

    /// Whether the changes would do. Waits for the disk.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn try_on(&self, changes: &[Change]) -> Result<(), Refused> {
        let _lock = self.shelf.lock()?;
        self.stage(changes).map(|_staged| ())
    }

    /// Makes the changes, all or none. Waits for the disk. The gateway is to be asked by
    /// [`Workshop::reload`] then.
    ///
    /// # Errors
    /// What is wrong with them; nothing has changed.
    pub fn make(&self, changes: &[Change]) -> Result<(), Refused> {
        let _lock = self.shelf.lock()?;
        let staged = self.stage(changes)?;
        Ok(self.shelf.take_over(&staged)?)
    }

    /// Asks the gateway to load its configuration anew.
    pub fn reload(&self) {
        self.wanted.notify_one();
    }

    /// Returns when that was asked.
    pub async fn asked(&self) {
        self.wanted.notified().await;
    }

    fn stage(&self, changes: &[Change]) -> Result<PathBuf, Refused> {
        let staged = self.shelf.stage(changes)?;
        (self.judge)(&staged).map_err(Refused::Faults)?;
        Ok(staged)
    }
}
