//! Masked stills of events, kept on the box for a while.
//!
//! What comes in is a [`Masked`] picture, which nothing but `gatehouse_sight::mask` makes; a picture that
//! shows somebody has no way here. One file an event in the folder `evidence` of the store: `<event>.jpg`,
//! synced before anybody hears of it. A file goes when it is older than the limit of `[evidence]`, and the
//! oldest go when there are too many; going is what the limit means, so a file's name tells its time and no
//! index can keep it. Who looks at one is for the caller to take down ([`crate::audit`]).

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatehouse_core::reading::Timestamp;
use gatehouse_sight::mask::Masked;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// Within the store's folder.
pub(crate) const FOLDER: &str = "evidence";
/// Stills that are kept at most, and bytes that they may take together.
const STILLS: usize = 2_000;
const BYTES: u64 = 256 << 20;
/// What an event's page and the platform call a still.
const REFERENCE: &str = "still/";

/// What stands behind an event's id for the still that shows how it was left.
const PROOF: &str = "-proof";
/// What stands there for a picture that somebody sent with what they said of it.
const SENT: &str = "-sent";
/// How often stills are looked through for those whose time is over.
const ROUNDS: Duration = Duration::from_mins(10);
/// What stands behind a still's name while it is written, which takes seconds on a slow card. What still has it
/// after so long was left by a power cut.
const PART: &str = "part";
const WRITTEN: Duration = Duration::from_hours(1);

/// By what a still that shows how an event was left is kept; the still of the event itself stays.
pub fn proof(event: &str) -> String {
    format!("{event}{PROOF}")
}

/// By what a picture that somebody sent is kept, beside that of a camera.
pub fn sent(event: &str) -> String {
    format!("{event}{SENT}")
}

/// What an event says of a still of that name.
pub fn reference(name: &str) -> String {
    format!("{REFERENCE}{name}")
}

/// Removes stills when their time is over, until `stop`; where `[evidence]` is left out (`None`), all that
/// were kept before.
pub async fn keep_removing(
    evidence: Option<Evidence>,
    store: PathBuf,
    clock: Clock,
    stop: CancellationToken,
) {
    let evidence = evidence.unwrap_or_else(|| Evidence::in_store(&store, Duration::ZERO));
    loop {
        let (evidence, now) = (evidence.clone(), clock.now());
        match tokio::task::spawn_blocking(move || evidence.expire(now)).await {
            Ok(Ok(round)) => round.tell(),
            Ok(Err(error)) => tracing::error!(%error, "stills stay beyond their time"),
            Err(error) => tracing::error!(%error, "stills stay beyond their time"),
        }
        if stop.run_until_cancelled(tokio::time::sleep(ROUNDS)).await.is_none() {
            return;
        }
    }
}

/// What came of looking through the stills once.
#[derive(Debug, Default)]
pub struct Round {
    pub removed: usize,
    /// Should be gone, and could not be removed; the next round tries again.
    pub stuck: Vec<(PathBuf, io::Error)>,
}

impl Round {
    /// One line for all that are stuck: what holds one mostly holds them all.
    fn tell(&self) {
        if self.removed > 0 {
            tracing::info!(stills = self.removed, "their time is over, so they were removed");
        }
        if let Some((path, error)) = self.stuck.first() {
            let (stills, first) = (self.stuck.len(), path.display());
            tracing::warn!(stills, %first, %error, "stills stay beyond their time; the next round tries again");
        }
    }
}

/// Where masked stills are kept.
#[derive(Debug, Clone)]
pub struct Evidence {
    folder: PathBuf,
    keep: Duration,
}

/// A still as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Still {
    /// When the picture was taken.
    pub at: Timestamp,
    /// How many places in it are hidden.
    pub hidden: usize,
    /// JPEG.
    pub jpeg: Vec<u8>,
}

/// Why a still is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum NoStill {
    /// None was kept of this event, or it was removed when its time was over.
    #[error("no still of event `{0}` is kept")]
    NotKept(String),
    #[error("cannot use {}", path.display())]
    Unusable { path: PathBuf, source: io::Error },
}

impl Evidence {
    /// In a store's folder; a still is kept for so long.
    pub fn in_store(store: &Path, keep: Duration) -> Self {
        Self { folder: store.join(FOLDER), keep }
    }

    /// Keeps a still of an event, durably, and gives its reference. The one that was there stays: it is
    /// nearer to what happened.
    pub fn keep(&self, event: &str, at: Timestamp, still: &Masked) -> Result<String, NoStill> {
        let reference = reference(event);
        if self.find(event)?.is_some() {
            return Ok(reference);
        }
        let name = format!("{:013}-{}-{}.jpg", at.0.max(0), still.hidden(), plain(event));
        let path = self.folder.join(&name);
        let part = self.folder.join(format!("{name}.{PART}"));
        let write = || {
            fs::create_dir_all(&self.folder)?;
            let mut file = File::create(&part)?;
            file.write_all(still.jpeg())?;
            file.sync_all()?;
            fs::rename(&part, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|source| NoStill::Unusable { path, source })?;
        Ok(reference)
    }

    /// The still of an event. Blocks on the disk.
    pub fn still(&self, event: &str) -> Result<Still, NoStill> {
        let (at, path) = self.find(event)?.ok_or_else(|| NoStill::NotKept(event.to_owned()))?;
        match fs::read(&path) {
            Ok(jpeg) => Ok(Still { at, hidden: hidden(&path), jpeg }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                Err(NoStill::NotKept(event.to_owned()))
            }
            Err(source) => Err(NoStill::Unusable { path, source }),
        }
    }

    /// The still of an event, or what somebody sent of it where no camera saw it. Blocks on the disk.
    pub fn of_event(&self, event: &str) -> Result<Still, NoStill> {
        match self.still(event) {
            Err(NoStill::NotKept(event)) => {
                self.still(&sent(&event)).map_err(|error| match error {
                    NoStill::NotKept(_) => NoStill::NotKept(event),
                    NoStill::Unusable { .. } => error,
                })
            }
            read => read,
        }
    }

    /// Whether there is one.
    pub fn has(&self, event: &str) -> bool {
        self.find(event).is_ok_and(|found| found.is_some())
    }

    /// How many stills are kept now. Blocks on the disk.
    pub fn many(&self) -> Result<usize, NoStill> {
        let stills = self.newest_first()?.into_iter();
        Ok(stills.filter(|(_, path)| path.extension().is_some_and(|end| end == "jpg")).count())
    }

    /// Removes what has been kept for long enough, and the oldest of what is too much. One that cannot be
    /// removed keeps no other. Blocks on the disk.
    pub fn expire(&self, now: Timestamp) -> Result<Round, NoStill> {
        let (mut many, mut size, mut round) = (0, 0, Round::default());
        for (at, path) in self.newest_first()? {
            if is_being_written(&path) {
                continue;
            }
            many += 1;
            size += path.metadata().map_or(0, |about| about.len());
            // A clock that was wrong must not keep a still for ever.
            let is_old = now.since(at) > self.keep || at.since(now) > self.keep;
            if !is_old && many <= STILLS && size <= BYTES {
                continue;
            }
            match fs::remove_file(&path) {
                Ok(()) => round.removed += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => round.stuck.push((path, error)),
            }
        }
        Ok(round)
    }

    fn find(&self, event: &str) -> Result<Option<(Timestamp, PathBuf)>, NoStill> {
        let end = format!("-{}.jpg", plain(event));
        let found = self.newest_first()?.into_iter().find(|(_, path)| {
            path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&end))
        });
        Ok(found)
    }

    fn newest_first(&self) -> Result<Vec<(Timestamp, PathBuf)>, NoStill> {
        let unusable = |source| NoStill::Unusable { path: self.folder.clone(), source };
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(unusable)?,
        };
        let mut stills = Vec::new();
        for entry in entries {
            let path = entry.map_err(unusable)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let at = name.split('-').next().and_then(|at| at.parse().ok()).map(Timestamp);
            // What a power cut left half written is no still.
            let is_whole = path.extension().is_some_and(|end| end == "jpg");
            stills.push((at.filter(|_| is_whole).unwrap_or_default(), path));
        }
        stills.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Ok(stills)
    }
}

/// By the disk's own times, which no faster clock of a play moves.
fn is_being_written(path: &Path) -> bool {
    let is_part = path.extension().is_some_and(|end| end == PART);
    let touched = || path.metadata().and_then(|about| about.modified()).ok();
    is_part
        && touched().is_some_and(|touched| {
            let age = touched.elapsed().unwrap_or_else(|ahead| ahead.duration());
            age < WRITTEN
        })
}

/// As [`Evidence::keep`] has written it down.
fn hidden(path: &Path) -> usize {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('-').nth(1).and_then(|hidden| hidden.parse().ok()).unwrap_or_default()
}

/// Letters and digits alone, so that an id is no path.
fn plain(event: &str) -> String {
    event.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}
