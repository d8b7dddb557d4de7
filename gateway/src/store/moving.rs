//! Taking a database to another box: [`Store::snapshot`] writes what must move into a file of its own,
//! [`Rebuilding`] makes a database out of it.
//!
//! The file is rows, each a length of its key, one of its value, the key and the value. Entries of the
//! journal never change, so they are read while the gateway writes on; the rest, and the entries that came
//! meanwhile, are read between two batches and so belong together. Lists that hold nothing of their own
//! (`e`, `i`, `p`) are made anew.
//!
//! **Sequences.** The old box may have sent more after the file was made, and so may a box that the same file
//! was restored on before. A sequence must never mean two things. So the new one goes on a [`Step`] further,
//! beyond whatever a store of this gateway in the same place has [`given_out`], and a `gatehouse.gap` tells of
//! what is between. There is no step where nothing was sent after the file: when the old store was [`retire`]d.

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
use super::{Store, StoreError, apart, opening};
use crate::wear;

/// More than a box says in weeks, and little of what the journal may span: that is counted in sequences.
const SKIPPED: u64 = 10_000;
/// Starts of the old box after the file was made.
const SKIPPED_BOOTS: u64 = 1_000;
/// One more is skipped for each minute that the file is old, so that two boxes on which it is restored at
/// different times begin at different places: 1,440 a day are more than twice what a box says. That ends after
/// 55 days. The journal spans 200,000 sequences, and what waits may be 100,000 of them; a step of 90,000 pushes
/// none of those out, however old the file is.
const SKIPPED_LATER: u64 = 80_000;
/// Names of the files begin so.
const SNAPSHOT: &str = "snapshot-";
/// In a store's folder, what must not run backwards; never missing while another store takes its place.
pub const MARKS: &str = "marks";
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
        || ["lock", MARKS, "reserve", RETIRED, wear::KEPT].contains(&name)
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
    /// So many up to it were not given out by this store, and a gap tells of them.
    pub skipped: u64,
    /// How many wait for the platform.
    pub waiting: usize,
}

/// How far a store goes on beyond the backup that it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    sequences: u64,
    boots: u64,
}

impl Step {
    /// For a backup after which nobody has sent anything.
    pub const NONE: Self = Self { sequences: 0, boots: 0 };

    /// For a backup of that age which was restored so often before: each time has a stretch of its own.
    pub fn beyond(age: Duration, again: u8) -> Self {
        let later = (age.as_secs() / 60).min(SKIPPED_LATER);
        let times = u64::from(again) + 1;
        Self { sequences: SKIPPED * times + later, boots: SKIPPED_BOOTS * times + later }
    }
}

/// The last numbers that a store has given out, as far as its marks know: they may lag by what the box was
/// writing when its power failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GivenOut {
    boot: u64,
    sequence: u64,
}

/// What the store in a folder has given out; nothing where there is none.
pub fn given_out(folder: &Path) -> Result<GivenOut, StoreError> {
    // Marks that are opened are made.
    if !folder.join(MARKS).exists() {
        return Ok(GivenOut::default());
    }
    let marks = Marks::open(folder).map_err(|error| StoreError::folder(folder, error))?;
    Ok(GivenOut { boot: marks.boot, sequence: marks.sequence })
}

/// Every file of what is written apart from the database, open, so that a gateway that runs takes none of its rows away.
pub fn hold_apart(folder: &Path) -> io::Result<Vec<(String, File)>> {
    apart::hold(folder)
}

/// Whether a file in a store's folder is one of [`hold_apart`].
pub fn is_apart(name: &str) -> bool {
    apart::number(name).is_some()
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

    /// Makes it a store that can be opened, which goes on a step further, and beyond what a store in its place
    /// has given out.
    pub fn finish(mut self, step: Step, before: GivenOut) -> Result<Rebuilt, StoreError> {
        if !self.rest.is_empty() {
            return Err(StoreError::Unreadable);
        }
        self.batch.remove(META_INDEX);
        self.disk.commit(std::mem::take(&mut self.batch), false)?;
        self.drop_what_the_old_box_dropped()?;
        let loaded = opening::load(&self.disk.db)?;
        let (last, boot) = (loaded.sequence(), loaded.boot);
        let mut next = GivenOut { boot: boot + step.boots, sequence: last + step.sequences };
        // Marks may lag, so both go on beyond them when one shows that the store ran after the backup.
        if before.boot > boot || before.sequence > last {
            next.boot = next.boot.max(before.boot.saturating_add(SKIPPED_BOOTS));
            next.sequence = next.sequence.max(before.sequence.saturating_add(SKIPPED));
        }
        let GivenOut { boot, sequence } = next;
        let mut batch = sled::Batch::default();
        if sequence > last {
            let mut gaps = loaded.book.gaps;
            let mut gap = Gap::default();
            gap.add_range(last + 1, sequence, Loss::BoxReplaced);
            gaps.push(gap);
            batch.insert(META_GAPS, serde_json::to_vec(&gaps).unwrap_or_default());
        }
        batch.insert(META_FLOOR, &sequence.to_be_bytes());
        batch.insert(META_BOOT, &boot.to_be_bytes());
        self.disk.commit(batch, true)?;
        let on_folder = |error| StoreError::folder(&self.folder, error);
        let mut marks = Marks::open(&self.folder).map_err(on_folder)?;
        marks.set(boot, sequence).and_then(|()| marks.sync()).map_err(on_folder)?;
        opening::choose(&self.folder, "store-1").map_err(on_folder)?;
        let entries = (loaded.book.last + 1).saturating_sub(loaded.book.first);
        let (skipped, waiting) = (sequence - last, loaded.book.outbox.len());
        Ok(Rebuilt { entries, sequence, skipped, waiting })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::StoreConfig;

    const LAST: GivenOut = GivenOut { boot: 3, sequence: 500 };

    fn rebuilt(step: Step, before: GivenOut) -> GivenOut {
        let folder = tempfile::tempdir().unwrap();
        let mut rebuilding = Rebuilding::begin(folder.path()).unwrap();
        let mut rows = Vec::new();
        put(&mut rows, META_FLOOR, &LAST.sequence.to_be_bytes()).unwrap();
        put(&mut rows, META_BOOT, &LAST.boot.to_be_bytes()).unwrap();
        rebuilding.take(&rows).unwrap();
        let rebuilt = rebuilding.finish(step, before).unwrap();
        let next = given_out(folder.path()).unwrap();
        assert_eq!(
            (next.sequence, next.sequence - LAST.sequence),
            (rebuilt.sequence, rebuilt.skipped)
        );
        let (store, _) =
            Store::open(&StoreConfig { path: folder.path().to_owned(), ..StoreConfig::default() })
                .unwrap();
        let told = store.gap().map(|gap| gap.ranges);
        let expected = (rebuilt.skipped > 0).then(|| vec![(LAST.sequence + 1, next.sequence)]);
        assert_eq!(told, expected);
        next
    }

    #[test]
    fn a_restored_store_begins_beyond_the_one_in_its_place() {
        let given = |boot, sequence| GivenOut { boot, sequence };
        let usual = Step::beyond(Duration::ZERO, 0);
        let cases = [
            ("nothing was there", Step::NONE, given(0, 0), given(3, 500)),
            ("it is the old store itself", Step::NONE, LAST, given(3, 500)),
            ("one that began later", Step::NONE, given(1, 20), given(3, 500)),
            ("it went on", Step::NONE, given(4, 507), given(1_004, 10_507)),
            ("it started, and its marks lag", Step::NONE, given(4, 500), given(1_004, 10_500)),
            ("an ordinary one", usual, given(0, 0), given(1_003, 10_500)),
            ("it went on, an ordinary one", usual, given(1_004, 10_501), given(2_004, 20_501)),
            ("one that is far behind", Step::beyond(Duration::ZERO, 4), LAST, given(5_003, 50_500)),
        ];
        for (why, step, before, expected) in cases {
            assert_eq!(rebuilt(step, before), expected, "{why}");
        }
    }

    #[test]
    fn boxes_that_the_same_file_is_restored_on_begin_at_different_places() {
        let hours = |many: u64| Duration::from_secs(many * 3_600);
        let first = Step::beyond(hours(5), 0);

        assert_eq!(first, Step { sequences: 10_300, boots: 1_300 });
        assert_eq!(Step::beyond(hours(6), 0), Step { sequences: 10_360, boots: 1_360 });
        assert_eq!(Step::beyond(hours(5), 1), Step { sequences: 20_300, boots: 2_300 });
    }

    #[test]
    fn a_step_from_an_old_file_pushes_nothing_out_of_the_journal_that_waits() {
        let StoreConfig { max_waiting, max_journal, .. } = StoreConfig::default();
        let step = Step::beyond(Duration::MAX, 0);

        assert!(step.sequences + max_waiting as u64 <= max_journal as u64);
    }
}
