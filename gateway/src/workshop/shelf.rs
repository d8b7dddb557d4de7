//! The overlay's folder: what lies in it, and how it is changed so that a power cut leaves each file as it
//! was or as it is to be.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::{Change, Devices, Kept, Refused, Told};

/// The folder of device types in the overlay.
pub const DEVICE_TYPES: &str = "device-types";
/// The file of devices in the overlay.
pub const DEVICES: &str = "devices.toml";
const INCOMING: &str = ".incoming";
const LOCK: &str = ".lock";
/// A file whose device type does not tell its id; such a file is never put in place.
const NAMELESS: &str = "new";
const HEAD: &str =
    "# Devices that were installed on the console. They are laid over community.toml.\n\n";

/// The overlay of a store's folder.
pub fn below(store: &Path) -> PathBuf {
    store.join("overlay")
}

#[derive(Debug)]
pub(super) struct Shelf(PathBuf);

impl Shelf {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// One change at a time; held until dropped.
    pub(super) fn lock(&self) -> io::Result<File> {
        fs::create_dir_all(&self.0)?;
        let lock = File::create(self.0.join(LOCK))?;
        lock.lock()?;
        Ok(lock)
    }

    pub(super) fn kept(&self) -> Kept {
        let types = type_files(&self.0.join(DEVICE_TYPES)).into_iter().filter_map(|path| {
            let id = path.file_stem()?.to_str()?.to_owned();
            Some((id, fs::read_to_string(path).ok()?))
        });
        let devices = devices(&self.0).unwrap_or_default();
        Kept { types: types.collect(), devices: devices.devices }
    }

    /// A copy of the overlay with the changes in it; for whoever holds the lock.
    pub(super) fn stage(&self, changes: &[Change]) -> Result<PathBuf, Refused> {
        let staged = self.0.join(INCOMING);
        match fs::remove_dir_all(&staged) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        fs::create_dir_all(staged.join(DEVICE_TYPES))?;
        for path in type_files(&self.0.join(DEVICE_TYPES)) {
            fs::copy(&path, staged.join(DEVICE_TYPES).join(path.file_name().unwrap_or_default()))?;
        }
        let mut devices = devices(&self.0)?;
        for change in changes {
            match change {
                Change::AddType { text, replaces } => {
                    let id = type_id(text).unwrap_or_else(|| NAMELESS.to_owned());
                    if let Some(before) = replaces.as_deref().filter(|before| is_id(before)) {
                        remove(&type_file(&staged, before))?;
                    }
                    let path = type_file(&staged, &id);
                    if path.exists() {
                        return Err(Refused::Faults(vec![taken(text, &id)]));
                    }
                    fs::write(path, text)?;
                }
                Change::AddDevice(entry) => devices.devices.push((**entry).clone()),
                Change::RemoveDevice(id) => devices.devices.retain(|device| device.id != *id),
                Change::RemoveType(id) if is_id(id) => remove(&type_file(&staged, id))?,
                Change::RemoveType(_) => {}
            }
        }
        let text = toml::to_string(&devices).map_err(io::Error::other)?;
        if !devices.devices.is_empty() {
            fs::write(staged.join(DEVICES), format!("{HEAD}{text}"))?;
        }
        Ok(staged)
    }

    /// Puts what was staged in place: what is referred to before what refers to it, and the other way
    /// round for what goes.
    pub(super) fn take_over(&self, staged: &Path) -> io::Result<()> {
        let types = self.0.join(DEVICE_TYPES);
        fs::create_dir_all(&types)?;
        for path in type_files(&staged.join(DEVICE_TYPES)) {
            place(&path, &types.join(path.file_name().unwrap_or_default()))?;
        }
        let devices = staged.join(DEVICES);
        if devices.is_file() {
            place(&devices, &self.0.join(DEVICES))?;
        } else {
            remove(&self.0.join(DEVICES))?;
        }
        for path in type_files(&types) {
            let name = path.file_name().unwrap_or_default();
            if !staged.join(DEVICE_TYPES).join(name).exists() {
                remove(&path)?;
            }
        }
        File::open(&types)?.sync_all()?;
        File::open(&self.0)?.sync_all()?;
        fs::remove_dir_all(staged)
    }
}

/// The new one or the old one is there, whatever happens.
fn place(from: &Path, to: &Path) -> io::Result<()> {
    let bytes = fs::read(from)?;
    if fs::read(to).is_ok_and(|before| before == bytes) {
        return Ok(());
    }
    let partial = to.with_extension("partial");
    let mut file = File::create(&partial)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(partial, to)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn devices(overlay: &Path) -> io::Result<Devices> {
    match fs::read_to_string(overlay.join(DEVICES)) {
        Ok(text) => toml::from_str(&text).map_err(io::Error::other),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Devices::default()),
        Err(error) => Err(error),
    }
}

fn type_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    files.sort();
    files
}

fn type_file(overlay: &Path, id: &str) -> PathBuf {
    overlay.join(DEVICE_TYPES).join(format!("{id}.toml"))
}

/// The id in a device type's text, where it can be a file's name.
pub(super) fn type_id(text: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(text).ok()?;
    let id = table.get("device-type")?.get("id")?.as_str()?;
    is_id(id).then(|| id.to_owned())
}

fn is_id(id: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !id.is_empty() && id.len() <= 64 && id.chars().all(is_plain)
}

fn taken(text: &str, id: &str) -> Told {
    let line = text.lines().position(|line| line.trim_start().starts_with("id")).unwrap_or(0);
    Told {
        file: format!("{id}.toml"),
        line: line + 1,
        column: 1,
        message: format!("the id `{id}` is taken already by a device type that was made here"),
        help: Some("choose another id, or remove that one first".to_owned()),
    }
}
