//! A backup's way into a new box. The whole file is read and judged before anything is touched; then it is
//! unpacked beside what is there, synced, and moved to its place name by name.
//!
//! Each file is restored once. Where it is restored a second time, sequences would be given out twice: the
//! time since it was made, what is in the store's place, and [`Wish::again`] keep them apart.

use std::fs::{self, DirBuilder, File};
use std::io::{BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatehouse_core::reading::Timestamp;

use super::BackupError;
use super::archive::{Head, Item, Opener, Place};
use crate::clock;
use crate::store::moving::{self, GivenOut, MARKS, Rebuilding, Rebuilt, Step};

/// What was there before is kept under a name that begins so.
pub const ASIDE: &str = "before-restore-";
/// Where it is unpacked.
const STAGING: &str = ".restoring";
/// A retired box is gone on with at once; a file that is older may have been restored before.
const AT_ONCE: Duration = Duration::from_hours(24);
/// No `gateway.toml` is longer.
const LONGEST_CONFIG: usize = 1 << 20;

/// Where to, and how.
#[derive(Debug)]
pub struct Wish<'a> {
    pub folder: &'a Path,
    /// The one that the configuration in the backup names, when left out.
    pub store: Option<&'a Path>,
    pub passphrase: Option<&'a str>,
    /// Set aside what is there.
    pub replace: bool,
    /// How often this file was restored before, on whatever box.
    pub again: u8,
}

/// What came of it.
#[derive(Debug)]
pub struct Restored {
    pub head: Head,
    pub store: PathBuf,
    /// What `gateway.toml` says; another one than `store` has to be mended by hand.
    pub named: PathBuf,
    pub database: Rebuilt,
}

/// Makes this box the gateway of the backup.
pub fn restore(wish: &Wish<'_>, file: &Path) -> Result<Restored, BackupError> {
    let open = || {
        let input = BufReader::new(File::open(file).map_err(BackupError::file(file))?);
        Opener::begin(input, wish.passphrase)
    };
    let (head, named) = judge(open()?)?;
    let store = wish.store.unwrap_or(&named);
    for folder in [wish.folder, store] {
        if !wish.replace && !is_empty(folder)? {
            return Err(BackupError::NotEmpty(folder.to_owned()));
        }
    }
    for (folder, mode) in [(wish.folder, 0o755), (store, 0o700)] {
        let made = DirBuilder::new().recursive(true).mode(mode).create(folder);
        made.map_err(BackupError::file(folder))?;
    }
    let _nobody_runs = moving::hold(store)?;
    let before = if is_of_another(wish.folder, &head) {
        GivenOut::default()
    } else {
        moving::given_out(store)?
    };
    let step = step(&head, wish.again, clock::wall());
    let to = Unpacking::into(wish.folder, store)?;
    let database = to.unpack(open()?, step, before)?;
    // Made by whoever restores, and the gateway must be able to hold it.
    to.give(&store.join("lock"))?;
    // The store first: a box with its identity and without its sequences would give them out again.
    let aside = format!("{ASIDE}{}", clock::wall().rfc3339().replace([':', '-', '.'], ""));
    for (folder, staging) in [(store, &to.store), (wish.folder, &to.folder)] {
        settle(folder, staging, store, &aside).map_err(BackupError::file(folder))?;
    }
    Ok(Restored { head, store: store.to_owned(), named, database })
}

/// How far the store goes on beyond the backup.
fn step(head: &Head, again: u8, now: Timestamp) -> Step {
    // A clock that is behind it is wrong, and so is no reason to think of the file as old.
    let age = head.made.parse().map_or(Duration::MAX, |made| now.since(made));
    if head.is_retired && again == 0 && age < AT_ONCE {
        return Step::NONE;
    }
    Step::beyond(age, again)
}

/// Whether the box was another gateway: its sequences are none of ours. One without a configuration that can
/// be read may be the one whose restoring was cut short.
fn is_of_another(folder: &Path, head: &Head) -> bool {
    let text = fs::read_to_string(folder.join("gateway.toml")).unwrap_or_default();
    let Ok(table) = text.parse::<toml::Table>() else { return false };
    let is_other = |key, ours: &str| {
        let theirs = table.get("gateway").and_then(|gateway| gateway.get(key)?.as_str());
        theirs.is_some_and(|theirs| theirs != ours)
    };
    is_other("id", &head.gateway) || is_other("township", &head.township)
}

/// Reads all of it; returns the store's folder that its configuration names, too.
fn judge(mut opener: Opener<impl std::io::Read>) -> Result<(Head, PathBuf), BackupError> {
    let (mut config, mut has_rows) = (Vec::new(), false);
    while let Some(item) = opener.item()? {
        let is_config = item.place == Place::Config && item.path == "gateway.toml";
        has_rows |= item.place == Place::Database;
        if item.place == Place::Store && moving::is_of_the_database(&item.path) {
            return Err(BackupError::Elsewhere(item.path));
        }
        loop {
            let block = opener.block()?;
            if block.is_empty() {
                break;
            }
            if is_config && config.len() < LONGEST_CONFIG {
                config.extend(block);
            }
        }
    }
    let text = String::from_utf8(config).map_err(|_| BackupError::Incomplete)?;
    let table: toml::Table = text.parse().map_err(|_| BackupError::Incomplete)?;
    if !has_rows || table.is_empty() {
        return Err(BackupError::Incomplete);
    }
    let named = table.get("store").and_then(|store| store.get("path")).and_then(|p| p.as_str());
    Ok((opener.head, named.unwrap_or("data").into()))
}

/// Whether a folder holds nothing that somebody may miss.
fn is_empty(folder: &Path) -> Result<bool, BackupError> {
    if !folder.exists() {
        return Ok(true);
    }
    for entry in fs::read_dir(folder).map_err(BackupError::file(folder))? {
        let name = entry.map_err(BackupError::file(folder))?.file_name();
        if !stays(&name.to_string_lossy()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Neither somebody's nor ours to move.
pub(super) fn stays(name: &str) -> bool {
    name.starts_with(ASIDE) || [STAGING, "lock", "lost+found"].contains(&name)
}

/// Folders beside what is there, which go when nothing came of it.
struct Unpacking {
    folder: PathBuf,
    store: PathBuf,
    /// Of the store's folder.
    owner: (u32, u32),
}

impl Unpacking {
    fn into(folder: &Path, store: &Path) -> Result<Self, BackupError> {
        let owner = fs::metadata(store).map_err(BackupError::file(store))?;
        let owner = (owner.uid(), owner.gid());
        let (folder, store) = (folder.join(STAGING), store.join(STAGING));
        for staging in [&folder, &store] {
            if staging.exists() {
                fs::remove_dir_all(staging).map_err(BackupError::file(staging))?;
            }
            DirBuilder::new().mode(0o700).create(staging).map_err(BackupError::file(staging))?;
        }
        Ok(Self { folder, store, owner })
    }

    fn unpack(
        &self,
        mut opener: Opener<impl std::io::Read>,
        step: Step,
        before: GivenOut,
    ) -> Result<Rebuilt, BackupError> {
        let mut rebuilding = Rebuilding::begin(&self.store)?;
        while let Some(item) = opener.item()? {
            let root = match item.place {
                Place::Config => &self.folder,
                Place::Store => &self.store,
                Place::Database => {
                    loop {
                        let block = opener.block()?;
                        if block.is_empty() {
                            break;
                        }
                        rebuilding.take(&block)?;
                    }
                    continue;
                }
            };
            let path = root.join(&item.path);
            self.write(&item, &path, &mut opener)?;
        }
        let rebuilt = rebuilding.finish(step, before)?;
        self.give(&self.store)?;
        sync(&self.folder)?;
        sync(&self.store)?;
        Ok(rebuilt)
    }

    fn write(
        &self,
        item: &Item,
        path: &Path,
        opener: &mut Opener<impl std::io::Read>,
    ) -> Result<(), BackupError> {
        let on_file = BackupError::file(path);
        if item.is_folder() {
            DirBuilder::new().mode(0o700).create(path).map_err(&on_file)?;
        }
        let file = (!item.is_folder())
            .then(|| File::options().create_new(true).write(true).mode(0o600).open(path));
        let mut file = file.transpose().map_err(&on_file)?;
        loop {
            let block = opener.block()?;
            if block.is_empty() {
                break;
            }
            if let Some(file) = &mut file {
                file.write_all(&block).map_err(&on_file)?;
            }
        }
        // A folder without rights of ours could not be filled.
        let own = if item.is_folder() { 0o700 } else { 0 };
        let rights = fs::Permissions::from_mode(item.mode & 0o777 | own);
        fs::set_permissions(path, rights).map_err(&on_file)?;
        let mine = fs::metadata(path).map_err(&on_file)?;
        let (user, group) = item.is_of_the_gateway;
        let user = Some(self.owner.0).filter(|owner| user && *owner != mine.uid());
        let group = Some(self.owner.1).filter(|owner| group && *owner != mine.gid());
        if user.is_some() || group.is_some() {
            chown(path, user, group).map_err(&on_file)?;
        }
        file.map_or(Ok(()), |file| file.sync_all()).map_err(&on_file)
    }

    /// What was made here and not unpacked: the database.
    fn give(&self, path: &Path) -> Result<(), BackupError> {
        let on_file = BackupError::file(path);
        let about = fs::symlink_metadata(path).map_err(&on_file)?;
        if (about.uid(), about.gid()) != self.owner {
            chown(path, Some(self.owner.0), Some(self.owner.1)).map_err(&on_file)?;
        }
        if about.is_dir() {
            for entry in fs::read_dir(path).map_err(&on_file)? {
                self.give(&entry.map_err(&on_file)?.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Unpacking {
    fn drop(&mut self) {
        for staging in [&self.folder, &self.store] {
            drop(fs::remove_dir_all(staging));
        }
    }
}

/// Has the folders' names survive a power cut; the files' contents do.
fn sync(folder: &Path) -> Result<(), BackupError> {
    let on_folder = BackupError::file(folder);
    for entry in fs::read_dir(folder).map_err(&on_folder)? {
        let path = entry.map_err(&on_folder)?.path();
        if path.is_dir() {
            sync(&path)?;
        }
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(on_folder)
}

/// Moves what was unpacked to its place, after what is there has been set aside. What must not run
/// backwards comes first, and in one step: should the power fail in between, sequences go on beyond it.
fn settle(folder: &Path, staging: &Path, store: &Path, aside: &str) -> std::io::Result<()> {
    let store = store.canonicalize()?;
    let names = |folder: &Path| -> std::io::Result<Vec<_>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            names.push(entry?.file_name());
        }
        names.sort_by_key(|name| (name != MARKS, name.clone()));
        Ok(names)
    };
    let mut there = names(folder)?;
    let real = folder.canonicalize()?;
    // The store may lie within the configuration's folder.
    there.retain(|name| !stays(&name.to_string_lossy()) && !store.starts_with(real.join(name)));
    if !there.is_empty() {
        let aside = folder.join(aside);
        DirBuilder::new().mode(0o700).create(&aside)?;
        for name in there {
            let (from, to) = (folder.join(&name), aside.join(&name));
            // Those that come take their place.
            if name == MARKS && from.is_file() && staging.join(MARKS).is_file() {
                fs::copy(from, to)?;
            } else {
                fs::rename(from, to)?;
            }
        }
    }
    for name in names(staging)? {
        fs::rename(staging.join(&name), folder.join(&name))?;
    }
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(is_retired: bool) -> Head {
        Head {
            gateway: "gw".into(),
            township: "town".into(),
            made: "2026-11-22T12:00:00.000Z".into(),
            program: "0.1.0".into(),
            is_retired,
            has_evidence: false,
            has_passphrase: false,
            salt: [7; 16],
        }
    }

    #[test]
    fn only_a_retired_backup_that_is_restored_at_once_and_first_goes_on_without_a_step() {
        let hours = |many: u64| Duration::from_secs(many * 3_600);
        let cases = [
            ("at once", true, 0, "2026-11-22T12:10:00Z", Step::NONE),
            ("the next morning", true, 0, "2026-11-23T11:59:59Z", Step::NONE),
            ("a day later", true, 0, "2026-11-23T12:00:00Z", Step::beyond(hours(24), 0)),
            ("once more", true, 1, "2026-11-22T13:00:00Z", Step::beyond(hours(1), 1)),
            ("a clock that is behind", true, 0, "2026-01-01T00:00:00Z", Step::NONE),
            ("an ordinary one", false, 0, "2026-11-22T15:00:00Z", Step::beyond(hours(3), 0)),
            ("ordinary, clock behind", false, 0, "2026-01-01T00:00:00Z", Step::beyond(hours(0), 0)),
        ];
        for (why, is_retired, again, now, expected) in cases {
            assert_eq!(step(&head(is_retired), again, now.parse().unwrap()), expected, "{why}");
        }
    }

    #[test]
    fn a_box_is_another_gateway_only_when_its_configuration_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let cases = [
            ("[gateway]\nid = \"gw\"\ntownship = \"town\"", false),
            ("[gateway]\nid = \"gw-2\"\ntownship = \"town\"", true),
            ("[gateway]\nid = \"gw\"\ntownship = \"city\"", true),
            ("cut sho", false),
        ];
        assert!(!is_of_another(folder.path(), &head(false)), "there is none");
        for (text, expected) in cases {
            fs::write(folder.path().join("gateway.toml"), text).unwrap();
            assert_eq!(is_of_another(folder.path(), &head(false)), expected, "{text}");
        }
    }
}
