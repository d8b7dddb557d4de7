//! How a store is found at start: locked, opened, checked; set aside when it is damaged, written
//! anew when it has grown fat.
//!
//! The folder holds `lock`, `marks`, `CURRENT` (which database counts), the database itself, `store-<n>`,
//! and what is written apart from it, `apart-<n>`. A damaged one is renamed to `quarantine-<time>` and never deleted.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gatehouse_core::delivery::{Gap, Loss};
use gatehouse_core::pipeline::Damage;
use gatehouse_core::reading::Timestamp;

use super::apart::{Apart, Rows};
use super::book::Book;
use super::disk::{Disk, guarded};
use super::layout::{
    Entry, FORMAT, META_ANCHOR, META_BOOT, META_FLOOR, META_FORMAT, META_GAPS, anchor_of,
    journal_key, number, outbox_place,
};
use super::marks::Marks;
use super::{StoreError, index, moving};

/// How long a gateway waits for whoever still has the store: one that ends, or a reader.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// A database file below this is left alone, however little of it is alive.
const FAT_BYTES: u64 = 64 << 20;
/// A file this many times larger than what lives in it is written anew.
const FAT_TIMES: u64 = 4;
/// After a lost database, sequences go on this far beyond the last one that is known of.
const SEQUENCE_MARGIN: u64 = 10_000;

/// An open store and everything that was read from it.
pub(super) struct Opened {
    pub(super) lock: File,
    pub(super) disk: Disk,
    pub(super) marks: Marks,
    pub(super) book: Book,
    pub(super) boot: u64,
    pub(super) sequence: u64,
    pub(super) states: Rows,
    pub(super) apart: Apart,
    pub(super) damage: Option<Damage>,
}

/// States of so many bytes are too much to stay in sled's cache.
const MUCH: usize = 1 << 20;

/// Opens the store for the program that owns it, and counts the start.
pub(super) fn open(folder: &Path) -> Result<Opened, StoreError> {
    create(folder).map_err(|e| StoreError::folder(folder, e))?;
    let lock = lock(folder, PATIENCE)?;
    // Whatever cannot be read there was put there by somebody.
    let retired = match std::fs::read_to_string(folder.join(moving::RETIRED)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(error.to_string()),
        Ok(why) => Some(why.trim().to_owned()),
    };
    if let Some(why) = retired {
        return Err(StoreError::Retired { path: folder.to_owned(), why });
    }
    moving::remove_leftovers(folder);
    let on_folder = |e| StoreError::folder(folder, e);
    let marks = Marks::open(folder).map_err(on_folder)?;
    let name = current(folder).map_err(on_folder)?;
    let database = folder.join(&name);
    let found = Disk::open(&database).and_then(|disk| Ok((load(&disk.db)?, disk)));
    let (mut loaded, disk, damage) = match found {
        Ok((loaded, disk)) => (loaded, disk, None),
        Err(error) if error.is_damage() => {
            let to = set_aside(folder, &database).map_err(on_folder)?;
            let to = to.display().to_string();
            let damage = Damage::SetAside { to, why: error.to_string() };
            tracing::error!(%damage, "store");
            let disk = Disk::open(&database)?;
            (load(&disk.db)?, disk, Some(damage))
        }
        Err(error) => return Err(error),
    };
    choose(folder, &name).map_err(on_folder)?;
    remove_leftovers(folder, &name);
    let mut disk = slim(folder, &name, disk, FAT_BYTES)?;
    index::mend(&mut disk, loaded.book.last)?;
    let read: usize = loaded.states.iter().map(|(_, value)| value.len()).sum();
    let disk = if read > MUCH { disk.afresh()? } else { disk };
    let apart = Apart::join(folder, &mut loaded.states).map_err(on_folder)?;
    let mut opened = Opened {
        lock,
        disk,
        apart,
        boot: loaded.boot.max(marks.boot) + 1,
        sequence: loaded.sequence(),
        marks,
        book: loaded.book,
        states: loaded.states,
        damage,
    };
    opened.make_good()?;
    Ok(opened)
}

impl Opened {
    /// Accounts for what is missing, and puts this start on disk.
    fn make_good(&mut self) -> Result<(), StoreError> {
        let known = self.marks.sequence;
        let last = self.sequence;
        match &self.damage {
            Some(_) if known > 0 => {
                self.sequence = known + SEQUENCE_MARGIN;
                self.book.open_gap().add_range(1, self.sequence, Loss::StoreDamaged);
            }
            None if known > last => {
                let damage = Damage::CutShort { from: last + 1, to: known };
                tracing::error!(%damage, "store");
                self.sequence = known;
                self.book.open_gap().add_range(last + 1, known, Loss::StoreDamaged);
                self.damage = Some(damage);
            }
            Some(_) | None => {}
        }
        let mut batch = sled::Batch::default();
        batch.insert(META_FORMAT, &FORMAT.to_be_bytes());
        batch.insert(META_BOOT, &self.boot.to_be_bytes());
        self.book.clear_up(&mut batch);
        self.disk.commit(batch, true)?;
        self.book.gone.clear();
        self.book.is_gap_changed = false;
        self.marks
            .set(self.boot, self.sequence)
            .and_then(|()| self.marks.sync())
            .map_err(|e| StoreError::folder(&self.disk.folder, e))
    }
}

/// Makes sure of a folder that is closed to others: who came and went is in it. An existing one that
/// lets in none but a group was made so on purpose.
fn create(folder: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut rights = folder.metadata()?.permissions();
    if rights.mode() & 0o007 != 0 {
        rights.set_mode(0o700);
        if let Err(error) = std::fs::set_permissions(folder, rights) {
            tracing::warn!(folder = %folder.display(), %error,
                "others on this box can read the store; close its folder to them (`chmod 700`)");
        }
    }
    Ok(())
}

/// Opens what is there for somebody who only looks: nothing is created, counted or repaired but the
/// index, which holds nothing of its own.
pub(super) fn open_to_read(folder: &Path) -> Result<Opened, StoreError> {
    let name = folder
        .exists()
        .then(|| current(folder))
        .transpose()
        .map_err(|e| StoreError::folder(folder, e))?
        .filter(|name| folder.join(name).exists())
        .ok_or_else(|| StoreError::Nothing(folder.to_owned()))?;
    let lock = lock(folder, Duration::ZERO)?;
    let marks = Marks::open(folder).map_err(|e| StoreError::folder(folder, e))?;
    let mut disk = Disk::open(&folder.join(name))?;
    let Loaded { book, boot, mut states, floor: _ } = load(&disk.db)?;
    let apart = Apart::join(folder, &mut states).map_err(|e| StoreError::folder(folder, e))?;
    if let Err(error) = index::mend(&mut disk, book.last) {
        tracing::warn!(%error, "the list of events could not be made anew; it may be short");
    }
    let sequence = book.last;
    Ok(Opened { lock, disk, marks, book, boot, sequence, states, apart, damage: None })
}

pub(super) fn lock(folder: &Path, patience: Duration) -> Result<File, StoreError> {
    let until = Instant::now() + patience;
    let path = folder.join("lock");
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(|e| StoreError::folder(&path, e))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(StoreError::folder(&path, error)),
        }
    }
}

/// The name of the database that counts.
fn current(folder: &Path) -> io::Result<String> {
    let text = match std::fs::read_to_string(folder.join("CURRENT")) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => String::new(),
        Err(e) => return Err(e),
    };
    if generation(text.trim()).is_some() {
        return Ok(text.trim().to_owned());
    }
    let newest = databases(folder)?.into_iter().max().unwrap_or(1);
    Ok(format!("store-{newest}"))
}

/// The number in `store-<n>`.
fn generation(name: &str) -> Option<u64> {
    name.strip_prefix("store-")?.parse().ok()
}

fn databases(folder: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder)? {
        found.extend(file?.file_name().to_str().and_then(generation));
    }
    Ok(found)
}

/// Makes a database the one that counts: in one step, and through a power cut.
pub(super) fn choose(folder: &Path, name: &str) -> io::Result<()> {
    let path = folder.join("CURRENT");
    if std::fs::read_to_string(&path).is_ok_and(|text| text.trim() == name) {
        return Ok(());
    }
    let draft = folder.join("CURRENT.new");
    let mut file = File::create(&draft)?;
    writeln!(file, "{name}")?;
    file.sync_all()?;
    std::fs::rename(&draft, &path)?;
    File::open(folder)?.sync_all()
}

fn remove_leftovers(folder: &Path, name: &str) {
    for number in databases(folder).unwrap_or_default() {
        let other = format!("store-{number}");
        if other != name
            && let Err(error) = std::fs::remove_dir_all(folder.join(&other))
        {
            tracing::warn!(other, %error, "an unused database could not be removed");
        }
    }
}

fn set_aside(folder: &Path, database: &Path) -> io::Result<PathBuf> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let time = Timestamp(i64::try_from(seconds).unwrap_or(0).saturating_mul(1_000)).rfc3339();
    let time: String = time.chars().filter(char::is_ascii_alphanumeric).collect();
    let to = (0u32..u32::MAX)
        .map(|n| match n {
            0 => folder.join(format!("quarantine-{time}")),
            n => folder.join(format!("quarantine-{time}-{n}")),
        })
        .find(|to| !to.exists())
        .ok_or(io::ErrorKind::AlreadyExists)?;
    std::fs::rename(database, &to)?;
    File::open(folder)?.sync_all()?;
    Ok(to)
}

/// What a database holds besides the journal.
pub(super) struct Loaded {
    pub(super) book: Book,
    pub(super) boot: u64,
    pub(super) states: Rows,
    pub(super) floor: u64,
}

impl Loaded {
    /// The last sequence that was given out, or must not be.
    pub(super) fn sequence(&self) -> u64 {
        self.book.last.max(self.floor)
    }
}

/// Reads everything that must be known at start. A record that waits without a readable message is
/// given up on record.
pub(super) fn load(db: &sled::Db) -> Result<Loaded, StoreError> {
    let meta = |name: &[u8]| guarded(|| db.get(name));
    let format = meta(META_FORMAT)?.and_then(|v| number(&v)).unwrap_or(FORMAT);
    if format != FORMAT {
        return Err(StoreError::Format(format));
    }
    let anchor = meta(META_ANCHOR)?.and_then(|v| anchor_of(&v));
    let newest = guarded(|| db.scan_prefix(b"j").next_back().transpose())?;
    let oldest = guarded(|| db.scan_prefix(b"j").next().transpose())?;
    let (last, hash) = match newest {
        Some((key, value)) => {
            let entry = Entry::decode(&key, &value).ok_or(StoreError::Unreadable)?;
            (entry.sequence, entry.hash)
        }
        None => anchor.unwrap_or_default(),
    };
    let mut book = Book { visible: last, last, hash, first: last + 1, ..Book::default() };
    if let Some((key, _)) = oldest {
        book.first = number(&key[1..]).ok_or(StoreError::Unreadable)?;
    }
    if let Some(gaps) = meta(META_GAPS)? {
        let gaps: Vec<Gap> = serde_json::from_slice(&gaps).map_err(|_| StoreError::Unreadable)?;
        // It may have been sent before the restart, so it stays as it is.
        book.is_gap_out = !gaps.is_empty();
        book.gaps = gaps;
    }
    load_waiting(db, &mut book)?;
    let states = states(db)?;
    let starts = meta(META_BOOT)?.and_then(|v| number(&v)).unwrap_or(0);
    let floor = meta(META_FLOOR)?.and_then(|v| number(&v)).unwrap_or(0);
    Ok(Loaded { book, boot: starts, states, floor })
}

/// Every kept state, in key order.
pub(super) fn states(db: &sled::Db) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let mut states = Vec::new();
    let mut rows = db.scan_prefix(b"s");
    while let Some((key, value)) = guarded(|| rows.next().transpose())? {
        let key = String::from_utf8(key[1..].to_vec()).map_err(|_| StoreError::Unreadable)?;
        states.push((key, value.to_vec()));
    }
    Ok(states)
}

fn load_waiting(db: &sled::Db, book: &mut Book) -> Result<(), StoreError> {
    let mut rows = db.scan_prefix(b"o");
    let mut unreadable = Vec::new();
    while let Some((key, event)) = guarded(|| rows.next().transpose())? {
        let (level, sequence) = outbox_place(&key).ok_or(StoreError::Unreadable)?;
        let event = String::from_utf8(event.to_vec()).map_err(|_| StoreError::Unreadable)?;
        book.outbox.load(sequence, level, event);
        let key = journal_key(sequence);
        let entry = guarded(|| db.get(key))?.and_then(|value| Entry::decode(&key, &value));
        if entry.is_none() {
            unreadable.push(sequence);
        }
    }
    for sequence in unreadable {
        book.give_up(sequence, Loss::StoreDamaged, None);
    }
    Ok(())
}

/// Copies what lives to a new database when the file has grown far beyond it, since sled's file
/// never shrinks. When that fails, the fat one goes on.
fn slim(folder: &Path, name: &str, disk: Disk, fat: u64) -> Result<Disk, StoreError> {
    let bytes = disk.file_bytes();
    if bytes < fat {
        return Ok(disk);
    }
    let mut alive = 0;
    let mut rows = disk.db.iter();
    while let Some((key, value)) = guarded(|| rows.next().transpose())? {
        alive += (key.len() + value.len()) as u64;
    }
    drop(rows);
    if bytes < alive * FAT_TIMES {
        return Ok(disk);
    }
    let next = format!("store-{}", generation(name).unwrap_or(0) + 1);
    let copied = copy(&disk, &folder.join(&next)).and_then(|copy| {
        choose(folder, &next).map_err(|e| StoreError::folder(folder, e))?;
        Ok(copy)
    });
    match copied {
        Ok(copy) => {
            tracing::info!(from = bytes, to = copy.file_bytes(), "store written anew");
            drop(disk);
            remove_leftovers(folder, &next);
            Ok(copy)
        }
        Err(error) => {
            tracing::warn!(%error, "the store could not be written anew and stays as it is");
            remove_leftovers(folder, name);
            Ok(disk)
        }
    }
}

fn copy(from: &Disk, to: &Path) -> Result<Disk, StoreError> {
    if to.exists() {
        std::fs::remove_dir_all(to).map_err(|e| StoreError::folder(to, e))?;
    }
    let mut copy = Disk::open(to)?;
    let mut batch = sled::Batch::default();
    let mut bytes = 0;
    let mut rows = from.db.iter();
    while let Some((key, value)) = guarded(|| rows.next().transpose())? {
        bytes += key.len() + value.len();
        batch.insert(key, value);
        if bytes > 1 << 20 {
            copy.commit(std::mem::take(&mut batch), false)?;
            bytes = 0;
        }
    }
    copy.commit(batch, true)?;
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fat_database_is_written_anew_and_the_new_one_counts() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Disk::open(&folder.path().join("store-1")).unwrap();
        for round in 0u32..200 {
            let mut batch = sled::Batch::default();
            batch.insert(b"j12345678".as_slice(), vec![7; 9_000]);
            batch.insert(b"sstate".as_slice(), &round.to_be_bytes());
            disk.commit(batch, true).unwrap();
        }
        let before = disk.file_bytes();

        let slimmed = slim(folder.path(), "store-1", disk, before).unwrap();

        assert!(slimmed.file_bytes() < before);
        assert_eq!(slimmed.db.get(b"sstate").unwrap().unwrap(), &199u32.to_be_bytes());
        assert_eq!(slimmed.db.get(b"j12345678").unwrap().unwrap(), vec![7; 9_000]);
        assert_eq!(current(folder.path()).unwrap(), "store-2");
        assert!(!folder.path().join("store-1").exists());

        let kept = slim(folder.path(), "store-2", slimmed, u64::MAX).unwrap();
        assert_eq!(kept.folder, folder.path().join("store-2"));
    }

    #[test]
    fn an_interrupted_rewrite_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()).unwrap());
        std::fs::create_dir(folder.path().join("store-2")).unwrap();
        std::fs::write(folder.path().join("store-2/db"), "half").unwrap();

        let opened = open(folder.path()).unwrap();

        assert_eq!(opened.disk.folder, folder.path().join("store-1"));
        assert_eq!(opened.boot, 2);
        assert!(!folder.path().join("store-2").exists());
    }
}
