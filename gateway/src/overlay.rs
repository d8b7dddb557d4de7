//! Settings that people made on the console or by `gatehouse scenes`, and what they drew on pictures: `settings.toml` in the store's
//! folder. It lies over the configuration and the installed bundle, at the start and at each reload.
//!
//! Replaced as a whole, so that a power cut leaves the old one or the new one. What is set to what the
//! configuration says anyway is taken out, and the configuration rules again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use gatehouse_core::community::camera::{Drawing, Tripwire, Zone};
use gatehouse_core::community::document::Document;
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Overlay {
    /// By the scene's id.
    #[serde(rename = "scene", skip_serializing_if = "BTreeMap::is_empty")]
    pub scenes: BTreeMap<String, SceneSetting>,
    /// What was drawn on the picture, by the device's id; instead of all that the configuration draws.
    #[serde(rename = "device", skip_serializing_if = "BTreeMap::is_empty")]
    pub devices: BTreeMap<String, DeviceSetting>,
}

impl Overlay {
    /// What was drawn, by device; only what is sound.
    pub fn drawings(&self) -> BTreeMap<String, Drawing> {
        let drawings = self.devices.iter().map(|(id, set)| (id.clone(), set.drawing()));
        drawings.filter(|(_, drawing)| drawing.faults().is_empty()).collect()
    }

    /// Tells what is wrong with what was drawn.
    pub fn check(&self, document: &mut Document) {
        for (id, set) in &self.devices {
            for (below, message, help) in set.drawing().faults() {
                document.fault(&format!("device.{id}.{below}"), message, help);
            }
        }
    }
}

/// `[device.<id>]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeviceSetting {
    /// Who drew it.
    pub by: String,
    /// When; RFC 3339.
    pub at: String,
    #[serde(rename = "zone", default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<Zone>,
    #[serde(rename = "tripwire", default, skip_serializing_if = "Vec::is_empty")]
    pub tripwires: Vec<Tripwire>,
}

impl DeviceSetting {
    fn drawing(&self) -> Drawing {
        Drawing { zones: self.zones.clone(), tripwires: self.tripwires.clone() }
    }
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
    change(store, |overlay| {
        let Wish { scene, written, status, by, at } = wish;
        if status == written {
            overlay.scenes.remove(scene);
        } else {
            let setting = SceneSetting { status, by: name(by), at: at.rfc3339() };
            overlay.scenes.insert(scene.to_owned(), setting);
        }
    })
}

/// What the configuration draws for a device, and what somebody drew instead.
#[derive(Debug, Clone, Copy)]
pub struct Drawn<'d> {
    pub device: &'d str,
    /// What its file says.
    pub written: &'d Drawing,
    /// An empty one is the whole picture; `None` lets the configuration rule.
    pub drawing: Option<&'d Drawing>,
    pub by: &'d str,
    pub at: Timestamp,
}

/// Sets what is drawn on the picture for a device. Waits for the disk. [`Drawing::faults`] must have found
/// none.
///
/// # Errors
/// The overlay cannot be read or written.
pub fn set_drawing(store: &Path, drawn: Drawn<'_>) -> Result<(), NotSet> {
    change(store, |overlay| {
        let Drawn { device, written, drawing, by, at } = drawn;
        let Some(drawing) = drawing.filter(|drawing| *drawing != written) else {
            overlay.devices.remove(device);
            return;
        };
        let Drawing { zones, tripwires } = drawing.clone();
        let setting = DeviceSetting { by: name(by), at: at.rfc3339(), zones, tripwires };
        overlay.devices.insert(device.to_owned(), setting);
    })
}

fn name(by: &str) -> String {
    by.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}

fn change(store: &Path, make: impl FnOnce(&mut Overlay)) -> Result<(), NotSet> {
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
    make(&mut overlay);
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
    fn what_was_drawn_is_kept_until_it_is_what_the_file_draws_anyway() {
        let store = tempfile::tempdir().unwrap();
        let corners = vec![[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]];
        let zones = vec![Zone { name: "lane".into(), corners }];
        let (nothing, lane) = (Drawing::default(), Drawing { zones, tripwires: Vec::new() });
        let set = |written, drawing| {
            let drawn = Drawn { device: "c", written, drawing, by: "li", at: Timestamp(0) };
            set_drawing(store.path(), drawn).unwrap();
            read(store.path()).drawings()
        };
        let drawn = |drawing: &Drawing| BTreeMap::from([("c".to_owned(), drawing.clone())]);

        assert_eq!(set(&nothing, Some(&lane)), drawn(&lane));
        assert_eq!(set(&nothing, Some(&nothing)), BTreeMap::new());
        // Nothing drawn over something is a drawing, too.
        assert_eq!(set(&lane, Some(&nothing)), drawn(&nothing));
        assert_eq!(set(&lane, None), BTreeMap::new());
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
