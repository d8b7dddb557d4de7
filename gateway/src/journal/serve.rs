//! Answers those who ask for the journal.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use gatehouse_core::event::verdict::Opinion;
use gatehouse_core::reading::Timestamp;

use super::{Ask, Line, Plea, SOCKET, Told};
use crate::desk::Desk;
use crate::store::{Entry, Store, StoreError};

/// Clients at once; a further one waits.
const CLIENTS: usize = 4;
/// How long a client may take to ask, and to take what it is told.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// An [`Ask`] is a word and perhaps an event's id, at most a person's opinion of it.
const LONGEST_ASK: u64 = 4_096;
/// Entries read and told at once.
const PAGE: usize = 64;
/// Pause after a failed `accept`, as when the process has no file handles left.
const BREATH: Duration = Duration::from_millis(200);

/// Listens in the folder of a store that we own, until `stop`. A client that keeps us waiting for longer
/// than `patience` is cut off.
pub fn start(
    folder: &Path,
    store: Store,
    desk: Arc<Desk>,
    patience: Duration,
    stop: CancellationToken,
) -> io::Result<JoinHandle<()>> {
    let path = folder.join(SOCKET);
    // We hold the store's lock, so a socket that is there already has lost its owner.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    let owner = std::fs::metadata(&path)?.uid();
    Ok(tokio::spawn(async move {
        // Cancel-safe: whoever is cut off here sees that `end` is missing.
        stop.run_until_cancelled(accept(listener, owner, (store, desk), patience)).await;
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::debug!(%error, "the journal's socket stays behind");
        }
    }))
}

async fn accept(
    listener: UnixListener,
    owner: u32,
    (store, desk): (Store, Arc<Desk>),
    patience: Duration,
) {
    let seats = Arc::new(Semaphore::new(CLIENTS));
    let mut clients = tokio::task::JoinSet::new();
    loop {
        while clients.try_join_next().is_some() {}
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let client = match listener.accept().await {
            Ok((client, _)) => client,
            Err(error) => {
                tracing::debug!(%error, "nobody could be let in to the journal");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let (store, desk) = (store.clone(), Arc::clone(&desk));
        clients.spawn(async move {
            let answered = match client.peer_cred().map(|from| from.uid()) {
                // The file's mode says the same, but only a moment after it was made.
                Ok(from) if from != owner && from != 0 => {
                    Err(io::ErrorKind::PermissionDenied.into())
                }
                Ok(_) => answer(client, &store, &desk, patience).await,
                Err(error) => Err(error),
            };
            if let Err(error) = answered {
                tracing::debug!(%error, "a reader of the journal was cut off");
            }
            drop(seat);
        });
    }
}

async fn answer(
    client: UnixStream,
    store: &Store,
    desk: &Desk,
    patience: Duration,
) -> io::Result<()> {
    let (reads, writes) = client.into_split();
    let mut asked = String::new();
    let mut reads = BufReader::new(reads.take(LONGEST_ASK));
    in_time(patience, reads.read_line(&mut asked)).await?;
    let mut teller = Teller { writes, patience, text: Vec::new() };
    let told = match serde_json::from_str(&asked) {
        Ok(Ask::Entries { from }) => entries(store, from, &mut teller).await?,
        Ok(Ask::Event(id)) => event(store, id, &mut teller).await?,
        Ok(Ask::Summaries { from, to }) => summaries(store, from, to, &mut teller).await?,
        Ok(Ask::Raised) => raised(store, &mut teller).await?,
        Ok(Ask::Verify) => verify(store, &mut teller).await?,
        Ok(Ask::Judge(opinion)) => judge(desk, opinion, &mut teller).await?,
        Ok(Ask::Plead(plea)) => plead(desk, plea, &mut teller).await?,
        Ok(Ask::Snapshot) => snapshot(store, &mut teller).await?,
        Err(error) => Err(format!("this is no question about the journal: {error}")),
    };
    teller.tell(&told.map_or_else(Told::Failed, |()| Told::End)).await
}

/// What is on disk now; what comes later is for who asks later.
async fn entries(store: &Store, from: u64, teller: &mut Teller) -> io::Result<Result<(), String>> {
    let Some(span) = store.span() else { return Ok(Ok(())) };
    let mut left = store.journal(from..=*span.end());
    loop {
        let page = aside(move || (left.by_ref().take(PAGE).collect::<Vec<_>>(), left)).await?;
        left = page.1;
        if page.0.is_empty() {
            return Ok(Ok(()));
        }
        if let Err(error) = teller.lines(page.0).await? {
            return Ok(Err(error));
        }
    }
}

async fn event(store: &Store, id: String, teller: &mut Teller) -> io::Result<Result<(), String>> {
    let store = store.clone();
    match aside(move || store.find(&id)).await? {
        Ok(entries) => teller.lines(entries.into_iter().map(Ok)).await,
        Err(error) => Ok(Err(error.to_string())),
    }
}

async fn summaries(
    store: &Store,
    from: Timestamp,
    to: Timestamp,
    teller: &mut Teller,
) -> io::Result<Result<(), String>> {
    let store = store.clone();
    match aside(move || store.summaries(from, to)).await? {
        Ok(found) => teller.each(found, |summary| Told::Summary(Box::new(summary))).await.map(Ok),
        Err(error) => Ok(Err(error.to_string())),
    }
}

async fn raised(store: &Store, teller: &mut Teller) -> io::Result<Result<(), String>> {
    let store = store.clone();
    match aside(move || store.raised()).await? {
        Ok(found) => teller.each(found, |raised| Told::Raised(Box::new(raised))).await.map(Ok),
        Err(error) => Ok(Err(error.to_string())),
    }
}

async fn verify(store: &Store, teller: &mut Teller) -> io::Result<Result<(), String>> {
    let store = store.clone();
    match aside(move || store.verify()).await? {
        Ok(verdict) => teller.tell(&Told::Verdict(verdict)).await.map(Ok),
        Err(error) => Ok(Err(error.to_string())),
    }
}

async fn snapshot(store: &Store, teller: &mut Teller) -> io::Result<Result<(), String>> {
    let store = store.clone();
    match aside(move || store.snapshot()).await? {
        Ok(name) => teller.tell(&Told::Snapshot(name)).await.map(Ok),
        Err(error) => Ok(Err(error.to_string())),
    }
}

async fn judge(
    desk: &Desk,
    opinion: Opinion,
    teller: &mut Teller,
) -> io::Result<Result<(), String>> {
    match desk.say(opinion).await {
        Ok(ruling) => teller.tell(&Told::Ruling(ruling)).await.map(Ok),
        Err(error) => Ok(Err(error.to_string())),
    }
}

async fn plead(desk: &Desk, plea: Plea, teller: &mut Teller) -> io::Result<Result<(), String>> {
    let acted = match plea {
        Plea::Act(action) => desk.act(action).await,
        Plea::Report(report) => desk.report(report).await,
        Plea::Drill(drill) => desk.drill(drill).await,
    };
    match acted {
        Ok(acted) => teller.tell(&Told::Acted(Box::new(acted))).await.map(Ok),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// The store touches the disk, and others must not wait for it.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    tokio::time::timeout(patience, work).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// Writes lines to a client that takes them in time.
struct Teller {
    writes: tokio::net::unix::OwnedWriteHalf,
    patience: Duration,
    text: Vec<u8>,
}

impl Teller {
    async fn lines(
        &mut self,
        entries: impl IntoIterator<Item = Result<Entry, StoreError>>,
    ) -> io::Result<Result<(), String>> {
        let mut failed = Ok(());
        for entry in entries {
            match entry {
                Ok(entry) => self.note(&Told::Line(Line::from(entry)))?,
                Err(error) => failed = Err(error.to_string()),
            }
        }
        self.flush().await?;
        Ok(failed)
    }

    async fn each<T>(&mut self, found: Vec<T>, told: impl Fn(T) -> Told) -> io::Result<()> {
        for (at, one) in (1..).zip(found) {
            self.note(&told(one))?;
            if at % PAGE == 0 {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn tell(&mut self, told: &Told) -> io::Result<()> {
        self.note(told)?;
        self.flush().await
    }

    fn note(&mut self, told: &Told) -> io::Result<()> {
        serde_json::to_writer(&mut self.text, told)?;
        self.text.push(b'\n');
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        in_time(self.patience, self.writes.write_all(&self.text)).await?;
        self.text.clear();
        Ok(())
    }
}
