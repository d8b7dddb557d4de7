//! What must survive a power cut: the journal of records, the outbox of what the platform has not
//! confirmed, and the pipeline's states. sled, behind types of our own.
//!
//! The way of a record: the engine sends a [`Batch`] ([`BatchSender`]) → [`writer`] writes it with
//! all that has gathered, syncs, says `Input::Stored` → only then [`Store::waiting`] shows it →
//! the uplink sends it, and calls [`Store::done`] once the platform has it. The journal keeps it,
//! chained by hashes, until newer ones need the room.
//!
//! If the power fails: before the sync, nothing of the batch was promised and the sensor's broker
//! still has the frames; after it, the batch is whole. A confirmation that was not written yet sends
//! a record twice, never not at all.
//!
//! Rooms: [`layout`] (keys and bytes), [`book`] (the picture in memory), [`disk`] (sled, made
//! durable), [`index`] (a line per event), [`marks`] (what must not run backwards), [`reserve`] (room for a start), [`kept`] (readings
//! of the past, beside the database), [`apart`] (states that belong to no decision; both of [`pages`]), [`moving`] (to another box), [`opening`], [`writer`].

mod apart;
mod book;
mod disk;
mod index;
pub mod kept;
mod layout;
mod marks;
pub mod moving;
mod opening;
mod pages;
mod reading;
mod reserve;
mod writer;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;

use gatehouse_core::delivery::{Gap, Loss};
use gatehouse_core::pipeline::{Damage, Input, Restored};
use tokio::sync::mpsc::WeakSender;
use tokio::sync::{Notify, watch};

use apart::Apart;
use book::{Book, Limits};
use disk::Disk;
pub use index::{Filter, Past, Place};
pub use layout::Entry;
use marks::Marks;
pub use reading::{Verdict, Waiting};
use writer::Queue;
pub use writer::{BatchSender, Hold};

use crate::config::StoreConfig;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Ask the running gateway instead, or end what reads.
    #[error(
        "the store in {} is in use: a gateway is running on it (ask its console or API, or stop it \
         first), or a command still reads it, such as `gatehouse events export` in a pager (end it)",
        .0.display()
    )]
    InUse(PathBuf),
    /// Check `store.path`.
    #[error("there is no store in {}; `store.path` in gateway.toml says where it is", .0.display())]
    Nothing(PathBuf),
    /// Check the folder's rights and the disk.
    #[error("the store's file {} cannot be used: {error}", .path.display())]
    Folder { path: PathBuf, error: io::Error },
    /// Make room; nothing is damaged, and a supervisor may start the program again and again.
    #[error(
        "the disk that holds the store in {path} is full ({why}); nothing is damaged: make at least \
         16 MB of room there (`df -h {path}` shows what is left) and start again",
        path = .path.display()
    )]
    Full { path: PathBuf, why: String },
    /// Run the box that it was moved to, or remove the file.
    #[error(
        "the store in {path} was moved to another box ({why}); two boxes with one identity would give out \
         the same sequences. If that box never ran, remove {path}/{name}",
        path = .path.display(), name = moving::RETIRED
    )]
    Retired { path: PathBuf, why: String },
    /// Start the newer program again.
    #[error("the store has format {0}, this program knows format {format}", format = layout::FORMAT)]
    Format(u64),
    #[error("the database failed: {0}")]
    Database(sled::Error),
    /// Damage: at start it is set aside.
    #[error("the database broke down: {0}")]
    Broken(String),
    /// Damage: at start it is set aside.
    #[error("the database holds something that is none of ours")]
    Unreadable,
    /// Come again later: the writer is opening it anew.
    #[error("the database is closed after a failure and is being opened again")]
    Closed,
}

impl StoreError {
    fn folder(path: &Path, error: io::Error) -> Self {
        Self::Folder { path: path.to_owned(), error }
    }

    /// Whether there is no room on the disk.
    fn is_full(&self) -> bool {
        let is_full =
            |kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        match self {
            Self::Database(sled::Error::Io(error)) | Self::Folder { error, .. } => {
                is_full(error.kind())
            }
            // Where sled does not expect it, it breaks down and tells it in words only.
            Self::Broken(text) => {
                ["StorageFull", "QuotaExceeded", "No space left"].iter().any(|w| text.contains(w))
            }
            Self::Full { .. } => true,
            Self::InUse(_)
            | Self::Nothing(_)
            | Self::Retired { .. }
            | Self::Format(_)
            | Self::Database(_)
            | Self::Unreadable
            | Self::Closed => false,
        }
    }

    /// Whether the bytes are certainly to blame. A system out of files, a disk that does not answer
    /// or one without rights is no reason to set a store aside; a supervisor starts us again.
    fn is_damage(&self) -> bool {
        use io::ErrorKind::{InvalidData, InvalidInput, NotFound, Other, UnexpectedEof};

        if self.is_full() {
            return false;
        }
        match self {
            // `Other` is what sled says of its own. A file of its own that is not there, and a place in
            // a file that cannot be, come of what it read.
            Self::Database(sled::Error::Io(error)) => matches!(
                error.kind(),
                InvalidData | InvalidInput | NotFound | Other | UnexpectedEof
            ),
            // Where sled does not expect an error of the system, it breaks down on it.
            Self::Broken(text) => {
                !text.contains("Os { code")
                    || text.contains("InvalidInput")
                    || text.contains("NotFound")
            }
            Self::Database(_) | Self::Unreadable => true,
            // sled left out a file of its own.
            Self::Folder { error, .. } => error.kind() == io::ErrorKind::NotFound,
            Self::InUse(_)
            | Self::Nothing(_)
            | Self::Full { .. }
            | Self::Retired { .. }
            | Self::Format(_)
            | Self::Closed => false,
        }
    }
}

/// An open store. Cheap to clone; the last clone that goes writes what is left to write.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

/// What the handles and the writer share.
struct Shared {
    /// Folder of the database that counts.
    database: PathBuf,
    limits: Limits,
    /// Days of statistics that are kept.
    statistics_days: usize,
    /// `None` while the writer opens it anew.
    db: RwLock<Option<sled::Db>>,
    book: Mutex<Book>,
    queue: Arc<Queue>,
    /// Rings when there is something new to send.
    arrived: Notify,
    /// Rings when there are new records for the alerts.
    to_alert: Notify,
    /// The newest sequence that would survive a power cut.
    reached: watch::Sender<u64>,
    damage: Option<Damage>,
    /// Why the last write failed; `None` when it did not.
    fault: Mutex<Option<String>>,
    /// Taken along by the writer; the disk comes back here when it ends.
    held: Mutex<Held>,
    /// Held while a batch is written.
    writing: Mutex<()>,
    boot: u64,
    _lock: std::fs::File,
}

/// What only one may write with.
struct Held {
    disk: Option<Disk>,
    marks: Option<Marks>,
    apart: Option<Apart>,
}

impl Store {
    /// Opens or creates the store in `config.path` and counts this start, durably.
    ///
    /// A damaged one is set aside and a fresh one begun: see [`Store::damage`].
    pub fn open(config: &StoreConfig) -> Result<(Self, Restored), StoreError> {
        let opened = match opening::open(&config.path) {
            Err(error) if error.is_full() && reserve::spend(&config.path) => {
                tracing::error!(
                    path = %config.path.display(),
                    "the disk is full; the store opens in the room that was kept for that: make room"
                );
                opening::open(&config.path)
            }
            other => other,
        };
        let mut opened = opened.map_err(|error| {
            if error.is_full() {
                StoreError::Full { path: config.path.clone(), why: error.to_string() }
            } else {
                error
            }
        })?;
        reserve::lay_by(&config.path);
        let restored = Restored {
            sequence: opened.sequence,
            boot: opened.boot,
            states: std::mem::take(&mut opened.states),
            damage: opened.damage.clone(),
        };
        let limits = Limits {
            waiting: config.max_waiting.max(1),
            journal: u64::try_from(config.max_journal.max(config.max_waiting)).unwrap_or(u64::MAX),
        };
        Ok((Self::new(opened, limits, config.statistics_days), restored))
    }

    /// Opens an existing store to look at it, while no gateway runs on it.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let limits = Limits { waiting: usize::MAX, journal: u64::MAX };
        Ok(Self::new(opening::open_to_read(path)?, limits, 0))
    }

    fn new(opened: opening::Opened, limits: Limits, statistics_days: usize) -> Self {
        Self(Arc::new(Shared {
            database: opened.disk.folder.clone(),
            limits,
            statistics_days,
            db: RwLock::new(Some(opened.disk.db.clone())),
            reached: watch::Sender::new(opened.book.visible),
            book: Mutex::new(opened.book),
            queue: Arc::default(),
            arrived: Notify::new(),
            to_alert: Notify::new(),
            damage: opened.damage,
            fault: Mutex::default(),
            held: Mutex::new(Held {
                disk: Some(opened.disk),
                marks: Some(opened.marks),
                apart: Some(opened.apart),
            }),
            writing: Mutex::default(),
            boot: opened.boot,
            _lock: opened.lock,
        }))
    }

    /// Starts the thread that writes. It ends, with everything written, when the sender is dropped.
    ///
    /// `Stored` and `StoreFailed` go to `inputs` for as long as somebody else holds that channel.
    pub fn spawn_writer(
        &self,
        inputs: WeakSender<Input>,
    ) -> io::Result<(BatchSender, JoinHandle<()>)> {
        let shared = Arc::clone(&self.0);
        let (marks, apart) = {
            let mut held = shared.held();
            (held.marks.take(), held.apart.take())
        };
        let Some((marks, apart)) = marks.zip(apart) else {
            return Err(io::Error::other("the store had a writer before"));
        };
        let disk = shared.held().disk.take();
        let queue = Arc::clone(&shared.queue);
        let writer = writer::Writer {
            boot: shared.boot,
            disk,
            marks,
            apart,
            short_since: None,
            shelf: kept::Shelf::new(
                shared.database.parent().unwrap_or(&shared.database),
                shared.statistics_days,
            ),
            queue: Arc::clone(&queue),
            inputs,
            shared,
        };
        let thread =
            std::thread::Builder::new().name("store".into()).spawn(move || writer.run())?;
        Ok((BatchSender(queue), thread))
    }

    /// Counts this start.
    pub fn boot(&self) -> u64 {
        self.0.boot
    }

    /// What was wrong with the store at this start.
    pub fn damage(&self) -> Option<&Damage> {
        self.0.damage.as_ref()
    }

    /// Forgets records that the platform has. Written within a second or so, and synced by the next
    /// batch; when that is lost, they are sent again.
    pub fn done(&self, sequences: &[u64]) {
        let changed = {
            let mut book = self.0.book();
            sequences.iter().filter(|s| book.confirm(**s)).count() > 0
        };
        if changed {
            self.0.queue.confirmations();
        }
    }

    /// Lets a waiting record go, on record.
    pub fn give_up(&self, sequence: u64, why: Loss) {
        let entry = self.entry(sequence).ok().flatten();
        self.0.book().give_up(sequence, why, entry.as_ref());
        self.0.queue.confirmations();
    }

    /// What was given up and not told yet. It stays as it is until [`Store::gap_done`].
    pub fn gap(&self) -> Option<Gap> {
        self.0.book().take_out_gap()
    }

    /// The platform has the gap that [`Store::gap`] gave.
    pub fn gap_done(&self) {
        self.0.book().gap_done();
        self.0.queue.confirmations();
    }

    /// Why the disk takes nothing at the moment.
    pub fn fault(&self) -> Option<String> {
        self.0.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the thread that writes has not come back from the disk for a minute.
    pub fn is_stuck(&self) -> bool {
        self.0.queue.is_stuck()
    }

    /// Whether something was given up and not told yet.
    pub fn has_gap(&self) -> bool {
        !self.0.book().gaps.is_empty()
    }

    /// How many records wait for the platform.
    pub fn depth(&self) -> usize {
        self.0.book().outbox.len()
    }

    /// Returns when there is something new to send. For one waiter; what happened before the call
    /// counts.
    pub async fn arrived(&self) {
        self.0.arrived.notified().await;
    }

    /// The newest sequence that is on disk, for all who follow the journal.
    pub fn reached(&self) -> watch::Receiver<u64> {
        self.0.reached.subscribe()
    }
}

/// The alerts' room.
impl Store {
    /// Returns when there are new records. For one waiter; what happened before the call counts.
    pub async fn recorded(&self) {
        self.0.to_alert.notified().await;
    }

    /// Has the thread that writes wait for this to be dropped, when the engine has gone.
    pub fn hold_writer(&self) -> Hold {
        Hold::new(&self.0.queue)
    }

    /// Writes rows, or removes those without a value; whether they would survive a power cut. All of them
    /// or none. False once the store's thread has gone.
    pub async fn keep_mail(&self, rows: Vec<(String, Option<Vec<u8>>)>) -> bool {
        self.0.queue.mail(rows).await.is_ok()
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database, unless it is being opened anew.
    fn db(&self) -> Result<sled::Db, StoreError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        db.clone().ok_or(StoreError::Closed)
    }

    fn take_db(&self) {
        drop(self.db.write().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Takes over what was read from the disk; what was confirmed meanwhile stays confirmed, and what
    /// was given up waits again.
    fn replace(&self, mut fresh: Book, db: sled::Db) {
        let mut book = self.book();
        for gone in book.gone.iter().filter(|gone| gone.is_confirmed) {
            fresh.confirm(gone.sequence);
        }
        *book = fresh;
        let visible = book.visible;
        drop(book);
        *self.db.write().unwrap_or_else(PoisonError::into_inner) = Some(db);
        self.reached.send_replace(visible);
        self.arrived.notify_one();
    }

    fn set_fault(&self, why: Option<String>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// No batch is half written while this is held.
    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    /// The writer has ended before; what was confirmed since is written here.
    fn drop(&mut self) {
        let book = self.book.get_mut().unwrap_or_else(PoisonError::into_inner);
        let held = self.held.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(mut disk) = held.disk.take() else { return };
        if book.gone.is_empty() && !book.is_gap_changed {
            return;
        }
        let mut batch = sled::Batch::default();
        book.clear_up(&mut batch);
        if let Err(error) = disk.commit(batch, true) {
            tracing::warn!(%error, "confirmations were not written; their records go out again");
        }
    }
}
