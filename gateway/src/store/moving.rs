//! Taking a database to another box: [`Store::snapshot`] writes what must move into a file of its own,
//! [`Rebuilding`] makes a database out of it.
//!
//! The file is rows, each a length of its key, one of its value, the key and the value. Entries of the
//! journal never change, so they are read while the gateway writes on; the rest, and the entries that came
//! meanwhile, are read between two batches and so belong together. Lists that hold nothing of their own
//! (`e`, `i`, `p`) are made anew.
//!
//! **Sequences.** The old box may have sent more after the file was made, and a sequence must never mean
//! two things. So the new one goes on [`SKIPPED`] further, and a `gatehouse.gap` tells of what is between,
//! unless the old store was [`retire`]d when the file was made: then nothing was sent after it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatehouse_core::delivery::{Gap, Loss};

use super::disk::{Disk, guarded};
use super::layout::{
    Entry, META_ANCHOR, META_BOOT, META_FLOOR, META_GAPS, META_INDEX, anchor_of, event_key,
    journal_key,
};
use super::marks::Marks;
use super::{Store, StoreError, opening};
use crate::wear;

/// More than a box says in weeks, and little of what the journal may span: that is counted in sequences.
const SKIPPED: u64 = 10_000;
/// Starts of the old box after the file was made.
const SKIPPED_BOOTS: u64 = 1_000;
/// Names of the files begin so.
const SNAPSHOT: &str = "snapshot-";
/// Says in a store's folder that another box goes on with it.
pub(super) const RETIRED: &str = "retired";
/// Entries that are read while the writer waits.
const FEW: u64 = 1_000;
/// Written at once.
const BATCH_BYTES: usize = 1 << 20;

impl Store {
    /// Writes what another box needs to go on into a file in the store's folder, and returns its name.
    /// Whoever asked removes it; what stays behind goes at the next start.
    pub fn snapshot(&self) -> Result<String, StoreError> {
        let folder = self.folder();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let name = format!("{SNAPSHOT}{now}");
        let path = folder.join(&name);
        self.write_rows(&path).inspect_err(|_| drop(std::fs::remove_file(&path)))?;
        Ok(name)
    }

    fn folder(&self) -> &Path {
        self.0.database.parent().unwrap_or(&self.0.database)
    }

    fn write_rows(&self, path: &Path) -> Result<(), StoreError> {
        let on_file = |error| StoreError::folder(path, error);
        let file = File::options().create_new(true).write(true).mode(0o600).open(path);
        let mut out = BufWriter::new(file.map_err(on_file)?);
        let mut next = 0;
        // Until so few are left that they can be read while the writer waits.
        while let Some(end) = self.span().map(|span| *span.end()).filter(|end| *end > next + FEW) {
            for entry in self.journal(next..=end) {
                let entry = entry?;
                put(&mut out, &journal_key(entry.sequence), &entry.encode()).map_err(on_file)?;
            }
            next = end + 1;
        }
        let _between_batches = self.0.writing();
        let db = self.0.db()?;
        let newest = db.range(journal_key(next)..=journal_key(u64::MAX));
        let others = [b"o", b"s", b"a", b"m"].map(|prefix| db.scan_prefix(prefix));
        for mut rows in std::iter::once(newest).chain(others) {
            while let Some((key, value)) = guarded(|| rows.next().transpose())? {
                put(&mut out, &key, &value).map_err(on_file)?;
            }
        }
        out.flush().map_err(on_file)
    }
}

/// Has the gateway refuse to run on a store, which must be held open for reading.
pub fn retire(folder: &Path, why: &str) -> io::Result<()> {
    let path = folder.join(RETIRED);
    crate::replace::file(&path, why.as_bytes())?;
    // Root may have asked; the gateway must be able to say why it does not start.
    let (owner, mine) = (std::fs::metadata(folder)?, std::fs::metadata(&path)?);
    if (owner.uid(), owner.gid()) == (mine.uid(), mine.gid()) {
        return Ok(());
    }
    chown(path, Some(owner.uid()), Some(owner.gid()))
}

/// Holds a folder so that no gateway runs on it; [`StoreError::InUse`] when one does.
pub fn hold(folder: &Path) -> Result<File, StoreError> {
    opening::lock(folder, Duration::ZERO)
}

/// As [`hold`], but waits for one that is about to end, as a start does.
pub fn hold_in_time(folder: &Path) -> Result<File, StoreError> {
    opening::lock(folder, opening::PATIENCE)
}

/// Removes snapshots that nobody took away.
pub(super) fn remove_leftovers(folder: &Path) {
    for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if file.file_name().to_string_lossy().starts_with(SNAPSHOT) {
            drop(std::fs::remove_file(file.path()));
        }
    }
}

/// Whether a file in a store's folder belongs to the database, to who runs on it, or to this very flash.
pub fn is_of_the_database(name: &str) -> bool {
    ["store-", "CURRENT", "quarantine-", SNAPSHOT].iter().any(|word| name.starts_with(word))
        || ["lock", "marks", "reserve", RETIRED, wear::KEPT].contains(&name)
}

fn put(out: &mut impl Write, key: &[u8], value: &[u8]) -> io::Result<()> {
    for part in [key, value] {
        let length = u32::try_from(part.len()).map_err(io::Error::other)?;
        out.write_all(&length.to_be_bytes())?;
    }
    out.write_all(key)?;
    out.write_all(value)
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    pub entries: u64,
    /// The next record gets the one after it.
    pub sequence: u64,
    /// How many wait for the platform.
    pub waiting: usize,
}

/// A database that is being made out of a snapshot, in a folder that holds nothing.
pub struct Rebuilding {
    folder: PathBuf,
    disk: Disk,
    batch: sled::Batch,
    bytes: usize,
    rest: Vec<u8>,
}

impl Rebuilding {
    pub fn begin(folder: &Path) -> Result<Self, StoreError> {
        let disk = Disk::open(&folder.join("store-1"))?;
        let batch = sled::Batch::default();
        Ok(Self { folder: folder.to_owned(), disk, batch, bytes: 0, rest: Vec::new() })
    }

    /// Takes the next bytes of a snapshot, cut anywhere.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.rest.extend_from_slice(bytes);
        let mut rest = std::mem::take(&mut self.rest);
        let mut at = 0;
        while let Some((key, value, end)) = row(&rest, at) {
            if let Some(entry) = Entry::decode(key, value) {
                self.batch.insert(event_key(&entry.event, entry.sequence), &[]);
            }
            self.batch.insert(key, value);
            self.bytes += end - at;
            at = end;
            if self.bytes > BATCH_BYTES {
                self.disk.commit(std::mem::take(&mut self.batch), false)?;
                self.bytes = 0;
            }
        }
        rest.drain(..at);
        self.rest = rest;
        Ok(())
    }

    /// Makes it a store that can be opened. `is_alone`: the old box sends nothing more.
    pub fn finish(mut self, is_alone: bool) -> Result<Rebuilt, StoreError> {
        if !self.rest.is_empty() {
            return Err(StoreError::Unreadable);
        }
        self.batch.remove(META_INDEX);
        self.disk.commit(std::mem::take(&mut self.batch), false)?;
        self.drop_what_the_old_box_dropped()?;
        let loaded = opening::load(&self.disk.db)?;
        let (mut sequence, mut boot) = (loaded.sequence(), loaded.boot);
        let mut batch = sled::Batch::default();
        if !is_alone {
            let mut gaps = loaded.book.gaps;
            let mut gap = Gap::default();
            gap.add_range(sequence + 1, sequence + SKIPPED, Loss::BoxReplaced);
            gaps.push(gap);
            batch.insert(META_GAPS, serde_json::to_vec(&gaps).unwrap_or_default());
            (sequence, boot) = (sequence + SKIPPED, boot + SKIPPED_BOOTS);
        }
        batch.insert(META_FLOOR, &sequence.to_be_bytes());
        batch.insert(META_BOOT, &boot.to_be_bytes());
        self.disk.commit(batch, true)?;
        let on_folder = |error| StoreError::folder(&self.folder, error);
        let mut marks = Marks::open(&self.folder).map_err(on_folder)?;
        marks.set(boot, sequence).and_then(|()| marks.sync()).map_err(on_folder)?;
        opening::choose(&self.folder, "store-1").map_err(on_folder)?;
        let last = loaded.book.last;
        let entries = (last + 1).saturating_sub(loaded.book.first);
        Ok(Rebuilt { entries, sequence, waiting: loaded.book.outbox.len() })
    }

    /// Entries that left the journal's old end while the snapshot was made are before its anchor.
    fn drop_what_the_old_box_dropped(&mut self) -> Result<(), StoreError> {
        let db = &self.disk.db;
        let anchor = guarded(|| db.get(META_ANCHOR))?.and_then(|value| anchor_of(&value));
        let Some((last, _)) = anchor else { return Ok(()) };
        let mut batch = sled::Batch::default();
        let mut rows = db.range(journal_key(0)..=journal_key(last));
        while let Some((key, value)) = guarded(|| rows.next().transpose())? {
            if let Some(entry) = Entry::decode(&key, &value) {
                batch.remove(event_key(&entry.event, entry.sequence));
            }
            batch.remove(key);
        }
        self.disk.commit(batch, false)
    }
}

/// The row at a place, and where it ends; `None` while it is not whole.
fn row(bytes: &[u8], at: usize) -> Option<(&[u8], &[u8], usize)> {
    let (key, rest) = bytes.get(at..)?.split_first_chunk()?;
    let (value, rest) = rest.split_first_chunk()?;
    let length = |bytes: [u8; 4]| usize::try_from(u32::from_be_bytes(bytes)).ok();
    let (key, value) = (length(*key)?, length(*value)?);
    let (key, rest) = rest.split_at_checked(key)?;
    let value = rest.get(..value)?;
    Some((key, value, at + 8 + key.len() + value.len()))
}
