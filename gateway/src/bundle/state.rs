//! The word on disk for which bundle stands: one small file, replaced as a whole.
//!
//! What a newer program writes into it beside this is passed over: a program that was taken back must
//! be able to read what the one after it has left.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use gatehouse_core::community::quantity::Text;
use gatehouse_core::reading::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BundleError, unreadable, unwritable};

const FILE: &str = "state";

/// Which bundles there are, by the names of their folders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) current: Option<String>,
    pub(super) previous: Option<String>,
    /// Runs beside the one that stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) candidate: Option<Candidate>,
    /// When the one that stands was promoted, in ms; it has the one before to fall back on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) promoted: Option<u64>,
    /// Who has not proven itself yet, most often the one that stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trial: Option<Trial>,
    /// By name, the version that has proven itself last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) proven: BTreeMap<String, String>,
    /// The last one that did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<Failed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Candidate {
    pub(super) id: String,
    /// When it was installed, in ms.
    pub(super) at: u64,
}

/// A bundle that was put in the place of another and has not proven itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trial {
    pub(super) id: String,
    /// A gateway runs with it; or one did, and ended otherwise than by being stopped.
    pub(super) is_running: bool,
}

/// A bundle that was taken back from its trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Name and version.
    pub title: String,
    /// In one sentence, what is back included.
    pub why: Text,
    /// When it was taken back, in ms.
    pub at: Timestamp,
    /// The event about it was given to the pipeline.
    pub is_told: bool,
}

impl State {
    pub(super) fn ids(&self) -> impl Iterator<Item = &String> {
        let candidate = self.candidate.iter().map(|candidate| &candidate.id);
        self.current.iter().chain(&self.previous).chain(candidate)
    }

    /// Whether the bundle that stands has yet to prove itself.
    pub(super) fn trial(&self) -> Option<&Trial> {
        self.trial.as_ref().filter(|trial| self.current.as_ref() == Some(&trial.id))
    }

    /// This bundle in the place of the one that stands, on trial. Who has not proven itself is nothing to
    /// fall back on: the one before it stays; only where there is none, one that was never loaded does.
    pub(super) fn with(self, id: String) -> Self {
        let has_before = self.previous.is_some();
        let is_in_trial = self.trial().is_some_and(|trial| trial.is_running || has_before);
        let before = self.current.filter(|current| !is_in_trial && *current != id);
        Self {
            previous: before.or(self.previous),
            candidate: self.candidate.filter(|candidate| candidate.id != id),
            promoted: None,
            trial: Some(Trial { id: id.clone(), is_running: false }),
            current: Some(id),
            ..self
        }
    }

    /// What stands below this folder; nothing where nothing was installed.
    pub(super) fn read(folder: &Path) -> Result<Self, BundleError> {
        let path = folder.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            // Where the store's folder is a file, opening the store will say so.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(Self::default());
            }
            Err(error) => return Err(unreadable(&path)(error)),
        };
        let state: Option<Self> = serde_json::from_slice(&text).ok();
        // An id is one name: it leads nowhere else.
        let is_id = |id: &String| !id.contains('/') && !id.starts_with('.');
        state
            .filter(|s| s.ids().all(is_id))
            .ok_or_else(|| BundleError::Changed(path.display().to_string()))
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), BundleError> {
        let (path, partial) = (folder.join(FILE), folder.join(".state"));
        let written = File::create(&partial).and_then(|mut file| {
            file.write_all(&serde_json::to_vec(self)?)?;
            file.sync_all()?;
            // The new bundle's folder before the word that names it.
            File::open(folder)?.sync_all()?;
            fs::rename(&partial, &path)?;
            File::open(folder)?.sync_all()
        });
        written.map_err(unwritable(&path))
    }
}
