//! One sled database in one folder, made to keep its promises.
//!
//! sled's own `flush` asks the kernel to start writing and never waits for the disk; the file is
//! synced here, after it. Its panics end here as well: whatever it does, the caller gets an error.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::StoreError;

/// Enough for what waits and what people look at; sled's default is 1 GiB.
const CACHE_BYTES: u64 = 4 << 20;
/// How long sled's threads may hold on to a database that was just closed.
const CLOSING: Duration = Duration::from_secs(5);

/// An open database. Cloning the inner `Db` shares it.
pub(super) struct Disk {
    pub(super) db: sled::Db,
    pub(super) folder: PathBuf,
    /// sled's single file, to sync what sled only flushes.
    file: File,
    /// Large values live in files of their own, which sled does not sync either.
    synced_blobs: HashSet<OsString>,
}

impl Disk {
    /// Opens or creates the database, and makes sure that its existence survives a power cut.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|e| StoreError::folder(folder, e))?;
        let config = sled::Config::new()
            .path(folder)
            .cache_capacity(CACHE_BYTES)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(None);
        let patience = Instant::now() + CLOSING;
        let db = loop {
            match open_apart(&config, folder) {
                // The folder is ours alone (its lock is held), so this is sled still closing, unless
                // somebody else has a hand on the file.
                Err(StoreError::Database(sled::Error::Io(error)))
                    if error.to_string().contains("acquire lock") =>
                {
                    if Instant::now() >= patience {
                        return Err(StoreError::InUse(folder.to_owned()));
                    }
                    thread::sleep(Duration::from_millis(10));
                }
                other => break other?,
            }
        };
        let file = File::open(folder.join("db")).map_err(|e| StoreError::folder(folder, e))?;
        let mut disk = Self { db, folder: folder.to_owned(), file, synced_blobs: HashSet::new() };
        disk.sync_new(folder).map_err(|e| StoreError::folder(folder, e))?;
        Ok(disk)
    }

    /// The same database with nothing in its cache: sled bounds that only once a page was looked up for
    /// the 64th time, and so would hold for days whatever the start has read.
    pub(super) fn afresh(self) -> Result<Self, StoreError> {
        let folder = self.folder.clone();
        drop(self);
        Self::open(&folder)
    }

    fn sync_new(&mut self, folder: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        File::open(folder.join("conf"))?.sync_all()?;
        File::open(folder)?.sync_all()?;
        if let Some(parent) = folder.parent() {
            File::open(parent)?.sync_all()?;
        }
        self.sync_blobs()
    }

    /// Writes the batch, all of it or nothing. With `durable` it would survive a power cut once
    /// this returns; without, only the end of this process.
    pub(super) fn commit(&mut self, batch: sled::Batch, durable: bool) -> Result<(), StoreError> {
        guarded(|| {
            self.db.apply_batch(batch)?;
            self.db.flush()
        })?;
        if durable {
            self.file
                .sync_data()
                .and_then(|()| self.sync_blobs())
                .map_err(|e| StoreError::folder(&self.folder, e))?;
        }
        Ok(())
    }

    fn sync_blobs(&mut self) -> io::Result<()> {
        let folder = self.folder.join("blobs");
        let mut present = HashSet::new();
        for file in std::fs::read_dir(&folder)? {
            let name = file?.file_name();
            if !self.synced_blobs.contains(&name) {
                match File::open(folder.join(&name)) {
                    Ok(blob) => blob.sync_all()?,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
            }
            present.insert(name);
        }
        if present != self.synced_blobs {
            File::open(&folder)?.sync_all()?;
            self.synced_blobs = present;
        }
        Ok(())
    }

    /// Length of sled's file, which never shrinks.
    pub(super) fn file_bytes(&self) -> u64 {
        self.file.metadata().map_or(0, |m| m.len())
    }
}

/// Opens sled on a thread that ends with it, because a thread has a heap of its own: sled sets 21 MB aside
/// that it never touches, of which the main heap would clear, and so hold, a quarter.
fn open_apart(config: &sled::Config, folder: &Path) -> Result<sled::Db, StoreError> {
    thread::scope(|scope| {
        let opening = thread::Builder::new()
            .spawn_scoped(scope, || guarded(|| config.open()))
            .map_err(|error| StoreError::folder(folder, error))?;
        opening.join().unwrap_or(Err(StoreError::Unreadable))
    })
}

/// Runs something of sled's; a panic in there becomes an error here.
pub(super) fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(StoreError::Database),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
                .unwrap_or_default();
            Err(StoreError::Broken(text))
        }
    }
}
