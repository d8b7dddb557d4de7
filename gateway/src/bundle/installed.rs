//! The bundles of this box: `bundles/` in the store's folder.
//!
//! Each is a folder of its own; `state` names the one that stands, the one before and the candidate that
//! runs beside, and is replaced as a whole. So a power cut leaves the old one or the new one, and going
//! back is one step.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::contents::Contents;
use super::head::{HEAD, Head};
use super::keys::Trust;
use super::version;
use super::{BundleError, unreadable, unwritable};

const STATE: &str = "state";
/// A bundle on its way in.
const INCOMING: &str = ".incoming";
const LOCK: &str = ".lock";

/// The folder of bundles.
#[derive(Debug, Clone)]
pub struct Installed(PathBuf);

/// A bundle whose signature and files hold, to be laid over the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub folder: PathBuf,
    /// `name version`.
    pub title: String,
    /// The name of the trusted key.
    pub signer: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    current: Option<String>,
    previous: Option<String>,
    /// Runs beside the one that stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    candidate: Option<Candidate>,
    /// When the one that stands was promoted, in ms; it has the one before to fall back on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    promoted: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Candidate {
    id: String,
    /// When it was installed, in ms.
    at: u64,
}

impl State {
    fn ids(&self) -> impl Iterator<Item = &String> {
        let candidate = self.candidate.iter().map(|candidate| &candidate.id);
        self.current.iter().chain(&self.previous).chain(candidate)
    }
}

/// What stood before something was installed on trial.
#[derive(Debug)]
#[must_use = "what is installed on trial is settled or taken back"]
pub struct Before(State);

/// What a bundle is installed as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// It runs beside the one that stands, as a candidate, instead of in its place.
    pub beside: bool,
    /// It may be an older version of the one that stands.
    pub may_be_older: bool,
}

impl Layer {
    /// The name of its folder, which no other bundle has.
    pub fn id(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl Installed {
    /// Those below a store's folder; nothing is read.
    pub fn below(store: &Path) -> Self {
        Self(store.join("bundles"))
    }

    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Whether a bundle stands, sound or not.
    pub fn has_current(&self) -> bool {
        self.state().is_ok_and(|state| state.current.is_some())
    }

    /// The bundle that stands; `None` when the configuration's own files do.
    pub fn current(&self, trust: &Trust) -> Result<Option<Layer>, BundleError> {
        self.layer(self.state()?.current.as_deref(), trust)
    }

    /// What stood before; `None` where those were the configuration's own files.
    pub fn previous(&self, trust: &Trust) -> Result<Option<Layer>, BundleError> {
        let state = self.state()?;
        if state.current.is_none() && state.previous.is_none() {
            return Err(BundleError::NothingBefore);
        }
        self.layer(state.previous.as_deref(), trust)
    }

    /// The bundle that runs beside.
    pub fn candidate(&self, trust: &Trust) -> Result<Option<Layer>, BundleError> {
        self.layer(self.state()?.candidate.as_ref().map(|candidate| candidate.id.as_str()), trust)
    }

    /// The candidate's folder, and when it was installed: what is counted of it begins anew when it is
    /// installed again. `None` when there is none; nothing is checked.
    pub fn run_of_candidate(&self) -> Option<String> {
        let Candidate { id, at } = self.state().ok()?.candidate?;
        Some(run(&id, at))
    }

    /// The same for the bundle that stands, when it was a candidate before.
    pub fn run_of_promoted(&self) -> Option<String> {
        let State { current, promoted, .. } = self.state().ok()?;
        Some(run(&current?, promoted?))
    }

    /// Unpacks a bundle, has it judged, and puts it in the place of the one that stands, or of the
    /// candidate. Until then nothing has changed; the one that stood is kept.
    pub fn install(
        &self,
        file: &Path,
        trust: &Trust,
        terms: Terms,
        judge: impl FnOnce(&Layer) -> Result<(), BundleError>,
    ) -> Result<Layer, BundleError> {
        let (layer, _before) = self.install_on_trial(file, trust, terms, judge)?;
        self.settle()?;
        Ok(layer)
    }

    /// The same, and nothing is removed: [`Self::settle`] does that, [`Self::take_back`] undoes it.
    pub fn install_on_trial(
        &self,
        file: &Path,
        trust: &Trust,
        terms: Terms,
        judge: impl FnOnce(&Layer) -> Result<(), BundleError>,
    ) -> Result<(Layer, Before), BundleError> {
        let _lock = self.lock()?;
        let state = self.state()?;
        let mut bytes = BufReader::new(File::open(file).map_err(unreadable(file))?);
        let head = Head::read(&mut bytes, trust)?;
        let id = head.id();
        if state.current.as_ref() == Some(&id) && self.layer(Some(&id), trust).is_ok() {
            return Err(BundleError::InUse(head.contents.title()));
        }
        if !terms.may_be_older {
            self.refuse_older(&head.contents, state.current.as_deref(), trust)?;
        }
        let incoming = self.0.join(INCOMING);
        remove(&incoming)?;
        fs::create_dir(&incoming).map_err(unwritable(&incoming))?;
        let layer =
            |folder| Layer { folder, title: head.contents.title(), signer: head.signer.clone() };
        let judged =
            head.unpack(&mut bytes, &incoming).and_then(|()| judge(&layer(incoming.clone())));
        if let Err(error) = judged {
            remove(&incoming)?;
            return Err(error);
        }
        sync_folders(&incoming).map_err(unwritable(&incoming))?;
        let folder = self.0.join(&id);
        // A damaged copy of the same bundle, at most.
        remove(&folder)?;
        fs::rename(&incoming, &folder).map_err(unwritable(&folder))?;
        let before = Before(state.clone());
        self.write(&if terms.beside {
            State { candidate: Some(Candidate { id, at: now_ms() }), ..state }
        } else {
            let previous = state.current.filter(|current| *current != id).or(state.previous);
            let candidate = state.candidate.filter(|candidate| candidate.id != id);
            State { current: Some(id), previous, candidate, promoted: None }
        })?;
        Ok((layer(folder), before))
    }

    /// What was installed on trial stays; what nothing names any more is removed.
    pub fn settle(&self) -> Result<(), BundleError> {
        let _lock = self.lock()?;
        self.sweep(&self.state()?)
    }

    /// All is as it was before something was installed on trial.
    pub fn take_back(&self, before: &Before) -> Result<(), BundleError> {
        let _lock = self.lock()?;
        self.stand(&before.0)
    }

    /// Puts the candidate in the place of the one that stands, after it was judged.
    pub fn promote(
        &self,
        trust: &Trust,
        judge: impl FnOnce(&Layer) -> Result<(), BundleError>,
    ) -> Result<Layer, BundleError> {
        let _lock = self.lock()?;
        let State { current, previous: _, candidate, promoted: _ } = self.state()?;
        let candidate = candidate.map(|candidate| candidate.id);
        let layer = self.layer(candidate.as_deref(), trust)?.ok_or(BundleError::NoCandidate)?;
        judge(&layer)?;
        let (previous, promoted) = (current, Some(now_ms()));
        self.stand(&State { current: candidate, previous, candidate: None, promoted })?;
        Ok(layer)
    }

    /// Removes the candidate; gives its folder's name.
    pub fn drop_candidate(&self) -> Result<String, BundleError> {
        let _lock = self.lock()?;
        let state = self.state()?;
        let Candidate { id, .. } = state.candidate.clone().ok_or(BundleError::NoCandidate)?;
        self.stand(&State { candidate: None, ..state })?;
        Ok(id)
    }

    /// Puts what stood before in its place again, after it was judged; once more undoes that.
    pub fn go_back(
        &self,
        trust: &Trust,
        judge: impl FnOnce(Option<&Layer>) -> Result<(), BundleError>,
    ) -> Result<Option<Layer>, BundleError> {
        let _lock = self.lock()?;
        self.fall_back(trust, judge)
    }

    /// Goes back from a promoted bundle, if it still stands. The gateway does that by itself.
    pub fn withdraw(
        &self,
        id: &str,
        trust: &Trust,
        judge: impl FnOnce(Option<&Layer>) -> Result<(), BundleError>,
    ) -> Result<Option<Layer>, BundleError> {
        let _lock = self.lock()?;
        let state = self.state()?;
        if state.promoted.is_none() || state.current.as_deref() != Some(id) {
            return Err(BundleError::Refused(format!("`{id}` is not what stands any more")));
        }
        self.fall_back(trust, judge)
    }

    fn fall_back(
        &self,
        trust: &Trust,
        judge: impl FnOnce(Option<&Layer>) -> Result<(), BundleError>,
    ) -> Result<Option<Layer>, BundleError> {
        let State { current, previous, candidate, promoted: _ } = self.state()?;
        let before = self.previous(trust)?;
        judge(before.as_ref())?;
        let (current, previous) = (previous, current);
        self.stand(&State { current, previous, candidate, promoted: None })?;
        Ok(before)
    }

    /// A bundle of the same name that is older than the one that stands was not meant. When that one
    /// cannot be read, anything is better.
    fn refuse_older(
        &self,
        new: &Contents,
        current: Option<&str>,
        trust: &Trust,
    ) -> Result<(), BundleError> {
        let head = current.and_then(|id| File::open(self.0.join(id).join(HEAD)).ok());
        let head = head.and_then(|file| Head::read(&mut BufReader::new(file), trust).ok());
        let Some(Head { contents: old, .. }) = head else { return Ok(()) };
        if old.name == new.name && version::compare(&new.version, &old.version).is_lt() {
            return Err(BundleError::Older { new: new.title(), old: old.title() });
        }
        Ok(())
    }

    fn layer(&self, id: Option<&str>, trust: &Trust) -> Result<Option<Layer>, BundleError> {
        let Some(id) = id else { return Ok(None) };
        let folder = self.0.join(id);
        let Head { contents, signer, .. } = Head::of_folder(&folder, trust)?;
        Ok(Some(Layer { folder, title: contents.title(), signer }))
    }

    fn state(&self) -> Result<State, BundleError> {
        let path = self.0.join(STATE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            // Where the store's folder is a file, opening the store will say so.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(State::default());
            }
            Err(error) => return Err(unreadable(&path)(error)),
        };
        let state: Option<State> = serde_json::from_slice(&text).ok();
        // An id is one name: it leads nowhere else.
        let is_id = |id: &String| !id.contains('/') && !id.starts_with('.');
        state
            .filter(|s| s.ids().all(is_id))
            .ok_or_else(|| BundleError::Changed(path.display().to_string()))
    }

    fn stand(&self, state: &State) -> Result<(), BundleError> {
        self.write(state)?;
        self.sweep(state)
    }

    fn write(&self, state: &State) -> Result<(), BundleError> {
        let (path, partial) = (self.0.join(STATE), self.0.join(".state"));
        let written = File::create(&partial).and_then(|mut file| {
            file.write_all(&serde_json::to_vec(state)?)?;
            file.sync_all()?;
            // The new bundle's folder before the word that names it.
            File::open(&self.0)?.sync_all()?;
            fs::rename(&partial, &path)?;
            File::open(&self.0)?.sync_all()
        });
        written.map_err(unwritable(&path))
    }

    /// Removes the folders that the state does not name.
    fn sweep(&self, state: &State) -> Result<(), BundleError> {
        for entry in fs::read_dir(&self.0).map_err(unreadable(&self.0))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_kept = state.ids().any(|id| *id == name);
            if !is_kept && !name.starts_with('.') && entry.path().is_dir() {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// One change at a time. Given back when the file is closed.
    fn lock(&self) -> Result<File, BundleError> {
        fs::create_dir_all(&self.0).map_err(unwritable(&self.0))?;
        let path = self.0.join(LOCK);
        let file = File::create(&path).map_err(unwritable(&path))?;
        file.lock().map_err(unwritable(&path))?;
        Ok(file)
    }
}

fn run(id: &str, at: u64) -> String {
    format!("{id} {at}")
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Removes a folder, if there is one.
fn remove(folder: &Path) -> Result<(), BundleError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(unwritable(folder)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The files are on the disk; now their names.
fn sync_folders(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    File::open(folder)?.sync_all()
}
