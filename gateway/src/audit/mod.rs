//! Who did what here, when, and what came of it: lines on disk, each chained to the one before.
//!
//! [`Audit::note`] hands a line to a thread of its own, which writes and syncs it ([`book`]); nobody
//! waits for the disk. A line that could not be written waits in memory and is written when the disk
//! takes lines again. `gatehouse user` writes into the same files while a gateway runs: each takes a
//! lock for as long as a line takes. [`chain`] is the form of a line, and how a changed, cut or
//! reordered file is found.

pub mod book;
pub mod chain;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::clock;
use book::{AuditError, Book};
pub use chain::Line;

/// Folder of the audit log within the store's.
pub const FOLDER: &str = "audit";
/// Lines that may wait for a disk that takes none; the oldest ones give way, and that is written.
const WAITING: usize = 2_000;
/// How long to wait before a line is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// An account, `token:NAME`, `platform`, or `gatehouse` itself.
    pub who: String,
    /// Subject and verb: `login`, `account.add`, `event.acknowledge`, `configuration.reload`.
    pub action: &'static str,
    /// What it was done to: an account, an event's id, a device.
    pub about: String,
    pub outcome: Outcome,
    /// What else should be known; no secret, no phone number, no picture.
    pub detail: String,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Done,
    /// Not allowed, not known, or not now.
    Refused,
    /// Allowed, but it did not work.
    Failed,
}

/// Which lines, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub who: Option<String>,
    /// The beginning of an action: `event.`, `login`.
    pub action: Option<String>,
    pub about: Option<String>,
    /// Only lines before this number: the next page.
    pub before: Option<u64>,
    pub many: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Self { who: None, action: None, about: None, before: None, many: 100 }
    }
}

impl Filter {
    fn takes(&self, line: &Line) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|w| w == found);
        is(&self.who, &line.who)
            && is(&self.about, &line.about)
            && self.action.as_ref().is_none_or(|a| line.action.starts_with(a))
            && self.before.is_none_or(|before| line.n < before)
    }
}

/// The audit log. Cheap to clone; all clones write into one.
#[derive(Debug, Clone)]
pub struct Audit(Option<Arc<Open>>);

#[derive(Debug)]
struct Open {
    folder: PathBuf,
    thread: SyncSender<Message>,
}

enum Message {
    Note(Box<(String, Note)>),
    /// Answer when all that came before is written, or cannot be.
    Flush(oneshot::Sender<()>),
}

impl Audit {
    /// The log in the store's folder. Its thread ends with the last clone.
    ///
    /// # Errors
    /// The system starts no thread.
    pub fn in_store(store: &Path) -> std::io::Result<Self> {
        let folder = store.join(FOLDER);
        let (thread, notes) = sync_channel(WAITING);
        let book = Book::new(&folder);
        std::thread::Builder::new().name("audit".into()).spawn(move || write_all(&book, &notes))?;
        Ok(Self(Some(Arc::new(Open { folder, thread }))))
    }

    /// Forgets what it is told: for tests of what notes.
    pub fn nowhere() -> Self {
        Self(None)
    }

    /// Takes down what was done. Returns at once.
    pub fn note(&self, note: Note) {
        let Some(open) = &self.0 else { return };
        let at = clock::wall().rfc3339();
        if let Err(error) = open.thread.try_send(Message::Note(Box::new((at, note)))) {
            tracing::error!(%error, "the audit log is not written; a line is lost");
        }
    }

    /// The newest lines that the filter takes, newest first.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn recent(&self, filter: Filter) -> Result<Vec<Line>, AuditError> {
        self.flush().await;
        let Some(open) = &self.0 else { return Ok(Vec::new()) };
        let book = Book::new(&open.folder);
        let read = tokio::task::spawn_blocking(move || {
            book.newest(|line| filter.takes(line), filter.many)
        });
        read.await.map_err(|_| AuditError::Stopped)?
    }

    /// Checks the whole chain; how many lines there are.
    ///
    /// # Errors
    /// The first line that is not what was written.
    pub async fn verify(&self) -> Result<u64, AuditError> {
        self.flush().await;
        let Some(open) = &self.0 else { return Ok(0) };
        let book = Book::new(&open.folder);
        let checked = tokio::task::spawn_blocking(move || book.verify());
        checked.await.map_err(|_| AuditError::Stopped)?
    }

    /// Returns when what was noted so far is on disk, or has been tried.
    pub async fn flush(&self) {
        let Some(open) = &self.0 else { return };
        let (done, is_done) = oneshot::channel();
        if open.thread.try_send(Message::Flush(done)).is_ok() {
            drop(is_done.await);
        }
    }
}

fn write_all(book: &Book, notes: &Receiver<Message>) {
    let mut waiting: VecDeque<(String, Note)> = VecDeque::new();
    let (mut lost, mut is_failing) = (0_u64, false);
    loop {
        let received = if waiting.is_empty() {
            notes.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            notes.recv_timeout(AGAIN)
        };
        let mut flushes = Vec::new();
        let is_over = matches!(received, Err(RecvTimeoutError::Disconnected));
        for message in received.into_iter().chain(notes.try_iter()) {
            match message {
                Message::Note(note) => waiting.push_back(*note),
                Message::Flush(done) => flushes.push(done),
            }
        }
        while waiting.len() > WAITING {
            waiting.pop_front();
            lost += 1;
        }
        if lost > 0 && !is_failing {
            waiting.push_back((clock::wall().rfc3339(), gave_up(lost)));
            lost = 0;
        }
        match book.append(waiting.make_contiguous()) {
            Ok(()) => {
                if is_failing {
                    tracing::info!("the audit log is written again");
                }
                is_failing = false;
                waiting.clear();
            }
            Err(error) => {
                if !is_failing {
                    tracing::error!(%error, "the audit log cannot be written; lines wait");
                }
                is_failing = true;
            }
        }
        for done in flushes {
            // Who no longer waits needs no answer.
            let _gone = done.send(());
        }
        if is_over {
            return;
        }
    }
}

fn gave_up(lines: u64) -> Note {
    Note {
        who: "gatehouse".into(),
        action: "audit.lost",
        about: String::new(),
        outcome: Outcome::Failed,
        detail: format!("{lines} lines were given up while the disk took none"),
    }
}
