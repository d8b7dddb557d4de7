//! The bundles of this box: `bundles/` in the store's folder.
//!
//! Each is a folder of its own; [`super::state`] names the one that stands, the one before and the candidate
//! that runs beside, and is replaced as a whole. So a power cut leaves the old one or the new one, and
//! going back is one step. What was put in the place of another is on trial at first ([`super::trial`]).

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::contents::Contents;
use super::head::{HEAD, Head};
use super::keys::Trust;
use super::state::{Candidate, State};
use super::version;
use super::{BundleError, unreadable, unwritable};

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
            self.refuse_older(&head.contents, &state, trust)?;
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
        let state = if terms.beside {
            State { candidate: Some(Candidate { id, at: now_ms() }), ..state }
        } else {
            state.with(id)
        };
        state.write(&self.0)?;
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
        let state = self.state()?;
        let Candidate { id, .. } = state.candidate.clone().ok_or(BundleError::NoCandidate)?;
        let layer = self.layer(Some(&id), trust)?.ok_or(BundleError::NoCandidate)?;
        judge(&layer)?;
        self.stand(&State { promoted: Some(now_ms()), ..state.with(id) })?;
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
        let state = self.state()?;
        let before = self.previous(trust)?;
        judge(before.as_ref())?;
        let (current, previous) = (state.previous.clone(), state.current.clone());
        self.stand(&State { current, previous, promoted: None, ..state })?;
        Ok(before)
    }

    /// A bundle that is older than one of its name that stands, or has proven itself here before, was not
    /// meant. When the one that stands cannot be read, anything is better.
    fn refuse_older(
        &self,
        new: &Contents,
        state: &State,
        trust: &Trust,
    ) -> Result<(), BundleError> {
        let stands = state.current.as_deref().and_then(|id| self.contents(id, trust));
        let stands = stands.filter(|old| old.name == new.name).map(|old| old.version);
        let proven = state.proven.get(&new.name).cloned();
        for (old, how) in [(stands, "is installed"), (proven, "has been in use here")] {
            if let Some(old) = old
                && version::compare(&new.version, &old).is_lt()
            {
                let old = format!("{} {old}", new.name);
                return Err(BundleError::Older { new: new.title(), old, how });
            }
        }
        Ok(())
    }

    /// What is in a bundle, by its signed list; its files are not looked at.
    pub(super) fn contents(&self, id: &str, trust: &Trust) -> Option<Contents> {
        let file = File::open(self.0.join(id).join(HEAD)).ok()?;
        Head::read(&mut BufReader::new(file), trust).ok().map(|head| head.contents)
    }

    fn layer(&self, id: Option<&str>, trust: &Trust) -> Result<Option<Layer>, BundleError> {
        let Some(id) = id else { return Ok(None) };
        let folder = self.0.join(id);
        let Head { contents, signer, .. } = Head::of_folder(&folder, trust)?;
        Ok(Some(Layer { folder, title: contents.title(), signer }))
    }

    pub(super) fn state(&self) -> Result<State, BundleError> {
        State::read(&self.0)
    }

    pub(super) fn stand(&self, state: &State) -> Result<(), BundleError> {
        state.write(&self.0)?;
        self.sweep(state)
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
    pub(super) fn lock(&self) -> Result<File, BundleError> {
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
