//! Settings that people made on the console or by `gatehouse scenes`: `settings.toml` in the store's
//! folder. It lies over the configuration and the installed bundle, at the start and at each reload.
//!
//! Replaced as a whole, so that a power cut leaves the old one or the new one. What is set to what the
//! configuration says anyway is taken out, and the configuration rules again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use gatehouse_core::community::scene::Status;
use gatehouse_core::reading::Timestamp;
use serde::{Deserialize, Serialize};

use crate::replace;

const FILE: &str = "settings.toml";
const LOCK: &str = ".settings.lock";
const HEAD: &str = "# Settings made on the console or by `gatehouse scenes`; they lie over the configuration.\n\
    # Without this file the configuration rules.\n\n";
/// Letters of a name.
const LONGEST_NAME: usize = 80;

/// `settings.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Overlay {
    /// By the scene's id.
    #[serde(rename = "scene", skip_serializing_if = "BTreeMap::is_empty")]
    pub scenes: BTreeMap<String, SceneSetting>,
}

/// `[scene.<id>]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SceneSetting {
    pub status: Status,
    /// Who set it.
    pub by: String,
    /// When; RFC 3339.
    pub at: String,
}

/// A scene's status in the configuration, and what somebody wants instead.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'w> {
    pub scene: &'w str,
    /// What its file says.
    pub written: Status,
    pub status: Status,
    pub by: &'w str,
    pub at: Timestamp,
}

/// The overlay cannot be changed; nothing has.
#[derive(Debug, thiserror::Error)]
pub enum NotSet {
    #[error("`{}` cannot be written: {source}", .path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("`{}` is damaged: {reason}; mend it or remove it", .path.display())]
    Damaged { path: PathBuf, reason: String },
}

/// Where it lies below a store's folder.
pub fn path(store: &Path) -> PathBuf {
    store.join(FILE)
}

/// Its text; `None` while nobody has set anything.
///
/// # Errors
/// There is one, and it cannot be read.
pub fn text(store: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path(store)) {
        Ok(text) => Ok(Some(text)),
        // Where the store's folder is a file, opening the store will say so.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Sets a scene's status. Waits for the disk.
///
/// # Errors
/// The overlay cannot be read or written.
pub fn set_status(store: &Path, wish: Wish<'_>) -> Result<(), NotSet> {
    let path = path(store);
    let unwritable = |source| NotSet::Unwritable { path: path.clone(), source };
    fs::create_dir_all(store).map_err(unwritable)?;
    let lock = File::create(store.join(LOCK)).map_err(unwritable)?;
    lock.lock().map_err(unwritable)?;
    let before = text(store).map_err(unwritable)?.unwrap_or_default();
    let mut overlay: Overlay = toml::from_str(&before).map_err(|error| NotSet::Damaged {
        path: path.clone(),
        reason: error.message().to_owned(),
    })?;
    let Wish { scene, written, status, by, at } = wish;
    if status == written {
        overlay.scenes.remove(scene);
    } else {
        let by = by.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
        let setting = SceneSetting { status, by, at: at.rfc3339() };
        overlay.scenes.insert(scene.to_owned(), setting);
    }
    let body = toml::to_string(&overlay).map_err(|error| unwritable(io::Error::other(error)))?;
    replace::file(&path, format!("{HEAD}{body}").as_bytes()).map_err(unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(scene: &str, written: Status, status: Status) -> Wish<'_> {
        Wish { scene, written, status, by: "li\n", at: Timestamp(0) }
    }

    fn read(store: &Path) -> Overlay {
        toml::from_str(&text(store).unwrap().unwrap_or_default()).unwrap()
    }

    #[test]
    fn a_setting_is_kept_until_it_is_what_the_file_says_anyway() {
        let store = tempfile::tempdir().unwrap();
        assert_eq!(read(store.path()), Overlay::default());

        set_status(store.path(), wish("air", Status::Pilot, Status::Live)).unwrap();
        set_status(store.path(), wish("bin", Status::Live, Status::Off)).unwrap();
        let both = read(store.path());
        set_status(store.path(), wish("air", Status::Pilot, Status::Pilot)).unwrap();

        assert_eq!(both.scenes["air"].status, Status::Live);
        assert_eq!(both.scenes["air"].by, "li");
        assert_eq!(read(store.path()).scenes.into_keys().collect::<Vec<_>>(), ["bin"]);
    }

    #[test]
    fn a_damaged_overlay_is_not_written_over() {
        let store = tempfile::tempdir().unwrap();
        fs::write(path(store.path()), "scene = 3\n").unwrap();

        let told = set_status(store.path(), wish("air", Status::Pilot, Status::Live)).unwrap_err();

        assert!(told.to_string().contains("mend it or remove it"), "{told}");
        assert_eq!(text(store.path()).unwrap().as_deref(), Some("scene = 3\n"));
    }
}
