//! The bundles of this box: `bundles/` in the store's folder.
//!
//! Each is a folder of its own; `state` names the one that stands and the one before, and is replaced
//! as a whole. So a power cut leaves the old one or the new one, and going back is one step.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::head::Head;
use super::keys::Trust;
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
        if state == State::default() {
            return Err(BundleError::NothingBefore);
        }
        self.layer(state.previous.as_deref(), trust)
    }

    /// Unpacks a bundle, has it judged, and puts it in the place of the one that stands. Until then
    /// nothing has changed; the one that stood is kept.
    pub fn install(
        &self,
        file: &Path,
        trust: &Trust,
        judge: impl FnOnce(&Layer) -> Result<(), BundleError>,
    ) -> Result<Layer, BundleError> {
        let _lock = self.lock()?;
        let state = self.state()?;
        let mut bytes = BufReader::new(File::open(file).map_err(unreadable(file))?);
        let head = Head::read(&mut bytes, trust)?;
        let id = head.id();
        if state.current.as_ref() == Some(&id) && self.layer(Some(&id), trust).is_ok() {
            return Err(BundleError::InUse(head.contents.title()));
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
        let previous = state.current.filter(|current| *current != id).or(state.previous);
        self.stand(&State { current: Some(id), previous })?;
        Ok(layer(folder))
    }

    /// Puts what stood before in its place again, after it was judged; once more undoes that.
    pub fn go_back(
        &self,
        trust: &Trust,
        judge: impl FnOnce(Option<&Layer>) -> Result<(), BundleError>,
    ) -> Result<Option<Layer>, BundleError> {
        let _lock = self.lock()?;
        let State { current, previous } = self.state()?;
        let before = self.previous(trust)?;
        judge(before.as_ref())?;
        self.stand(&State { current: previous, previous: current })?;
        Ok(before)
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
            .filter(|s| s.current.iter().chain(&s.previous).all(is_id))
            .ok_or_else(|| BundleError::Changed(path.display().to_string()))
    }

    fn stand(&self, state: &State) -> Result<(), BundleError> {
        let (path, partial) = (self.0.join(STATE), self.0.join(".state"));
        let written = File::create(&partial).and_then(|mut file| {
            file.write_all(&serde_json::to_vec(state)?)?;
            file.sync_all()?;
            // The new bundle's folder before the word that names it.
            File::open(&self.0)?.sync_all()?;
            fs::rename(&partial, &path)?;
            File::open(&self.0)?.sync_all()
        });
        written.map_err(unwritable(&path))?;
        for entry in fs::read_dir(&self.0).map_err(unreadable(&self.0))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_kept = state.current.iter().chain(&state.previous).any(|id| *id == name);
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
