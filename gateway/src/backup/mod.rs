//! Swapping the box: everything that makes a gateway this gateway in one file, and back.
//!
//! [`make`] reads the configuration's folder, the store's folder and the database, which a gateway that
//! runs copies for it; [`restore`] puts them into folders of a new box. [`archive`] is the file between.
//! What lies outside of both folders (models of the package, the system's certificates) stays outside, and
//! [`Made::outside`] names it.

pub mod archive;
pub mod restore;

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::accounts::password;
use crate::clock;
use crate::config::GatewayConfig;
use crate::evidence;
use crate::journal::ask::{Journal, NoJournal};
use crate::store::{StoreError, moving};
use archive::{Head, Item, Place, Sealer};

/// Why there is no backup, or it is not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("this is no backup of Gatehouse; `gatehouse backup FILE` makes one")]
    NotOurs,
    #[error("this backup was made by a newer Gatehouse; restore it with that version")]
    Newer,
    #[error("this backup is encrypted; give its passphrase with `--passphrase-file FILE`")]
    WantsPassphrase,
    #[error("the passphrase is not the one of this backup, or the file is damaged")]
    WrongPassphrase,
    /// Whoever made it up knows no passphrase.
    #[error(
        "this backup is not encrypted, though a passphrase was given; without one anybody may have made it"
    )]
    NotEncrypted,
    #[error("the backup is cut short; copy it again")]
    CutShort,
    #[error("the backup is damaged or was changed (piece {0}); copy it again, or take another one")]
    Damaged(u64),
    #[error("the backup has no configuration or no database; take another one")]
    Incomplete,
    #[error("the backup holds `{0}`, which leads out of its folder; somebody has made it up")]
    Elsewhere(String),
    /// Nothing was touched.
    #[error(
        "{} holds something; `--replace` sets that aside there as `{}<time>` and goes on",
        .0.display(), restore::ASIDE
    )]
    NotEmpty(PathBuf),
    #[error("{} exists; give another name or remove it", .0.display())]
    Exists(PathBuf),
    /// Stop the gateway first.
    #[error(
        "a gateway runs on {}; stop it first (`systemctl stop gatehouse`), since `--retire` makes sure \
         that it says nothing after the backup", .0.display()
    )]
    Runs(PathBuf),
    #[error("{} cannot be used: {error}", .path.display())]
    File { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Journal(#[from] NoJournal),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] password::NoHash),
    #[error("the cipher failed")]
    Sealing,
}

impl BackupError {
    /// Another one in the place of `CutShort`.
    fn or(self, other: Self) -> Self {
        if matches!(self, Self::CutShort) { other } else { self }
    }

    fn file(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |error| Self::File { path: path.to_owned(), error }
    }
}

/// What to make.
#[derive(Debug)]
pub struct Wish<'a> {
    /// Folder of the configuration.
    pub folder: &'a Path,
    pub config: &'a GatewayConfig,
    pub passphrase: Option<&'a str>,
    pub with_evidence: bool,
    /// Close the store for good, so that the new box goes on without a gap.
    pub retire: bool,
}

/// What was made.
#[derive(Debug)]
pub struct Made {
    pub bytes: u64,
    pub files: usize,
    /// Named in `gateway.toml`, and not in the backup.
    pub outside: Vec<String>,
}

/// Makes a backup in a new file; half of one never bears its name.
pub fn make(wish: &Wish<'_>, file: &Path) -> Result<Made, BackupError> {
    if file.exists() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let store = &wish.config.store.path;
    let journal = Journal::open(store)?;
    if wish.retire && matches!(journal, Journal::Gateway(_)) {
        return Err(BackupError::Runs(store.clone()));
    }
    let mut partial = file.as_os_str().to_owned();
    partial.push(".part");
    let partial = PathBuf::from(partial);
    let made = write(wish, &journal, &partial)
        .and_then(|made| {
            if wish.retire {
                let why = format!("{}, {}", clock::wall().rfc3339(), file.display());
                moving::retire(store, &why).map_err(BackupError::file(store))?;
            }
            fs::rename(&partial, file).map_err(BackupError::file(file))?;
            Ok(made)
        })
        .inspect_err(|_| drop(fs::remove_file(&partial)))?;
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(made)
}

fn write(wish: &Wish<'_>, journal: &Journal, to: &Path) -> Result<Made, BackupError> {
    let Wish { folder, config, passphrase, with_evidence, retire } = *wish;
    let store = &config.store.path;
    let head = Head {
        gateway: config.gateway.id.clone(),
        township: config.gateway.township.clone(),
        made: clock::wall().rfc3339(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        is_retired: retire,
        has_evidence: with_evidence,
        has_passphrase: passphrase.is_some(),
        salt: archive::salt()?,
    };
    let on_file = BackupError::file(to);
    let out = File::options().create(true).truncate(true).write(true).mode(0o600).open(to);
    let mut sealer = Sealer::begin(BufWriter::new(out.map_err(&on_file)?), &head, passphrase)?;
    let real = |path: &Path| path.canonicalize().map_err(BackupError::file(path));
    let (real_store, real_file) = (real(store)?, real(to)?);
    let owner = fs::metadata(store).map_err(BackupError::file(store))?;
    let owner = (owner.uid(), owner.gid());

    let config_files = every_file(&real(folder)?, &|path, name| {
        path == real_store || path == real_file || restore::stays(name)
    })?;
    let store_files = every_file(&real_store, &|path, name| {
        path == real_file
            || moving::is_of_the_database(name)
            || moving::is_apart(name)
            || restore::stays(name)
            || (name == evidence::FOLDER && !with_evidence)
    })?;
    let mut files = 0;
    for (place, root, paths) in
        [(Place::Config, real(folder)?, config_files), (Place::Store, real_store, store_files)]
    {
        for path in paths {
            let from = root.join(&path);
            let file = match File::open(&from) {
                // It has gone meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(BackupError::file(&from))?,
            };
            add(&mut sealer, place, path, file, owner)?;
            files += 1;
        }
    }
    for (name, file) in moving::hold_apart(store).map_err(BackupError::file(store))? {
        add(&mut sealer, Place::Store, name, file, owner)?;
        files += 1;
    }
    // Last, so that nothing beside the database is newer than what the journal tells of it.
    let snapshot = store.join(journal.snapshot()?);
    let rows = File::open(&snapshot).map_err(BackupError::file(&snapshot));
    let added = rows.and_then(|rows| {
        let (path, mode) = ("rows".to_owned(), 0o600);
        let item = Item { place: Place::Database, path, mode, is_of_the_gateway: (true, true) };
        sealer.add(&item, rows)
    });
    drop(fs::remove_file(&snapshot));
    added?;
    let out = sealer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    out.sync_all().map_err(&on_file)?;
    let bytes = out.metadata().map_err(&on_file)?.len();
    Ok(Made { bytes, files, outside: outside(folder, store)? })
}

/// Adds a file or a folder.
fn add(
    sealer: &mut Sealer<BufWriter<File>>,
    place: Place,
    path: String,
    file: File,
    owner: (u32, u32),
) -> Result<(), BackupError> {
    let about = file.metadata()?;
    let is_of_the_gateway = (about.uid() == owner.0, about.gid() == owner.1);
    let item = Item { place, path, mode: about.permissions().mode() & 0o777, is_of_the_gateway };
    if item.is_folder() { sealer.add(&item, io::empty()) } else { sealer.add(&item, file) }
}

/// Files and folders below a folder, each folder before what is in it; folders' names end in `/`. What is
/// left out is judged by its path and its name. A link to a file counts as the file; one to a folder leads
/// elsewhere and is left out, as are sockets.
fn every_file(
    root: &Path,
    is_out: &dyn Fn(&Path, &str) -> bool,
) -> Result<Vec<String>, BackupError> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(prefix) = folders.pop() {
        let folder = root.join(&prefix);
        for entry in fs::read_dir(&folder).map_err(BackupError::file(&folder))? {
            let entry = entry.map_err(BackupError::file(&folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // What belongs to the database lies at the top.
            let word = if prefix.is_empty() { name.as_str() } else { "" };
            if is_out(&entry.path(), word) {
                continue;
            }
            let kind = entry.file_type().map_err(BackupError::file(&folder))?;
            let path = format!("{prefix}{name}");
            if kind.is_dir() {
                found.push(format!("{path}/"));
                folders.push(format!("{path}/"));
            } else if fs::metadata(entry.path()).is_ok_and(|to| to.is_file()) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Files that `gateway.toml` names in neither folder.
fn outside(folder: &Path, store: &Path) -> Result<Vec<String>, BackupError> {
    let path = folder.join("gateway.toml");
    let text = fs::read_to_string(&path).map_err(BackupError::file(&path))?;
    let table: toml::Table = text.parse().unwrap_or_default();
    let mut named = Vec::new();
    name_files(&toml::Value::Table(table), false, &mut named);
    let inside: Vec<_> = [folder, store].iter().filter_map(|f| f.canonicalize().ok()).collect();
    let is_outside = |name: &String| {
        let real = folder.join(name).canonicalize();
        real.is_ok_and(|real| !inside.iter().any(|folder| real.starts_with(folder)))
    };
    named.sort();
    named.dedup();
    Ok(named.into_iter().filter(is_outside).collect())
}

/// By the words that keys of files end in.
fn name_files(value: &toml::Value, is_file: bool, named: &mut Vec<String>) {
    match value {
        toml::Value::String(text) if is_file => named.push(text.clone()),
        toml::Value::Array(values) => {
            for value in values {
                name_files(value, is_file, named);
            }
        }
        toml::Value::Table(table) => {
            for (key, value) in table {
                let is_file = key.ends_with("-file") || key.ends_with("-keys");
                name_files(value, is_file, named);
            }
        }
        _ => {}
    }
}
