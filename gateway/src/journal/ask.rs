//! The journal for `gatehouse events`: from the store itself, or, while a gateway runs on it, from that
//! gateway. Whoever reads it cannot tell.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatehouse_core::event::action::Acted;
use gatehouse_core::event::summary::Summary;
use gatehouse_core::event::verdict::{Opinion, Raised};
use gatehouse_core::pipeline::Ruling;
use gatehouse_core::reading::Timestamp;

use super::{Ask, Line, Plea, SOCKET, Told};
use crate::store::{Store, StoreError, Verdict};

/// A look at the whole chain of a full journal takes seconds, and a busy box has other work.
const PATIENCE: Duration = Duration::from_mins(2);

/// Where the journal is read.
#[derive(Clone)]
pub enum Journal {
    Store(Store),
    /// The socket of the gateway that owns the store.
    Gateway(PathBuf),
}

/// Why the journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NoJournal {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Ask as the gateway's user (`sudo -u gatehouse`), or stop the gateway.
    #[error(
        "the store in {} is in use, and its owner does not answer at {SOCKET}: {error}; \
         ask as the gateway's user, or stop the gateway",
        .folder.display()
    )]
    NoAnswer { folder: PathBuf, error: io::Error },
    /// Ask again.
    #[error("the gateway was cut off while it told its journal: {0}")]
    CutOff(io::Error),
    #[error("the gateway could not do that: {0}")]
    Failed(String),
    /// Start the gateway.
    #[error(
        "no gateway runs on this store, so there is nobody to hear it; start it and say it again"
    )]
    NobodyRuns,
    /// Gateway and command are of different versions.
    #[error("the gateway answered with something else than its journal: {0}")]
    Unexpected(serde_json::Error),
}

type Lines = Box<dyn Iterator<Item = Result<Line, NoJournal>>>;

impl Journal {
    /// Opens the store in a folder, or finds the gateway that has it open.
    pub fn open(folder: &Path) -> Result<Self, NoJournal> {
        match Store::open_to_read(folder) {
            Ok(store) => Ok(Self::Store(store)),
            Err(StoreError::InUse(folder)) => {
                let socket = folder.join(SOCKET);
                match UnixStream::connect(&socket) {
                    Ok(_) => Ok(Self::Gateway(socket)),
                    Err(error) => Err(NoJournal::NoAnswer { folder, error }),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Every message, from old to new.
    pub fn lines(&self) -> Result<Lines, NoJournal> {
        match self {
            Self::Store(store) => {
                let entries = store.journal(0..=u64::MAX);
                Ok(Box::new(entries.map(|entry| Ok(Line::from(entry?)))))
            }
            Self::Gateway(socket) => Ok(Box::new(entries(socket.clone())?)),
        }
    }

    /// The messages about one event, from old to new.
    pub fn event(&self, id: &str) -> Result<Vec<Line>, NoJournal> {
        match self {
            Self::Store(store) => Ok(store.find(id)?.into_iter().map(Line::from).collect()),
            Self::Gateway(socket) => {
                ask(socket, &Ask::Event(id.to_owned()))?.map(|told| line(told?)).collect()
            }
        }
    }

    /// The events that opened from `from` on and before `to`, oldest first.
    pub fn summaries(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Summary>, NoJournal> {
        match self {
            Self::Store(store) => Ok(store.summaries(from, to)?),
            Self::Gateway(socket) => ask(socket, &Ask::Summaries { from, to })?
                .map(|told| match told? {
                    Told::Summary(summary) => Ok(*summary),
                    other @ (Told::Line(_)
                    | Told::Raised(_)
                    | Told::Verdict(_)
                    | Told::Ruling(_)
                    | Told::Acted(_)
                    | Told::Snapshot(_)
                    | Told::Failed(_)
                    | Told::End) => Err(unexpected(&other)),
                })
                .collect(),
        }
    }

    /// The last events that were raised, those of scenes on trial among them.
    pub fn raised(&self) -> Result<Vec<Raised>, NoJournal> {
        match self {
            Self::Store(store) => Ok(store.raised()?),
            Self::Gateway(socket) => ask(socket, &Ask::Raised)?
                .map(|told| match told? {
                    Told::Raised(raised) => Ok(*raised),
                    other @ (Told::Line(_)
                    | Told::Summary(_)
                    | Told::Verdict(_)
                    | Told::Ruling(_)
                    | Told::Acted(_)
                    | Told::Snapshot(_)
                    | Told::Failed(_)
                    | Told::End) => Err(unexpected(&other)),
                })
                .collect(),
        }
    }

    /// Looks at the whole hash chain.
    pub fn verify(&self) -> Result<Verdict, NoJournal> {
        match self {
            Self::Store(store) => Ok(store.verify()?),
            Self::Gateway(socket) => match ask(socket, &Ask::Verify)?.next() {
                Some(Ok(Told::Verdict(verdict))) => Ok(verdict),
                Some(Ok(other)) => Err(unexpected(&other)),
                Some(Err(error)) => Err(error),
                None => Err(NoJournal::Failed("it said nothing".to_owned())),
            },
        }
    }

    /// Does something about an event; only a gateway that runs can.
    pub fn plead(&self, plea: Plea) -> Result<Acted, NoJournal> {
        match self {
            Self::Store(_) => Err(NoJournal::NobodyRuns),
            Self::Gateway(socket) => match ask(socket, &Ask::Plead(plea))?.next() {
                Some(Ok(Told::Acted(acted))) => Ok(*acted),
                Some(Ok(other)) => Err(unexpected(&other)),
                Some(Err(error)) => Err(error),
                None => Err(NoJournal::Failed("it said nothing".to_owned())),
            },
        }
    }

    /// Has a copy of the database made; returns its name in the store's folder.
    pub fn snapshot(&self) -> Result<String, NoJournal> {
        match self {
            Self::Store(store) => Ok(store.snapshot()?),
            Self::Gateway(socket) => match ask(socket, &Ask::Snapshot)?.next() {
                Some(Ok(Told::Snapshot(name))) => Ok(name),
                Some(Ok(other)) => Err(unexpected(&other)),
                Some(Err(error)) => Err(error),
                None => Err(NoJournal::Failed("it said nothing".to_owned())),
            },
        }
    }

    /// Says what a person thinks of an event; only a gateway that runs can take it to heart.
    pub fn judge(&self, opinion: Opinion) -> Result<Ruling, NoJournal> {
        match self {
            Self::Store(_) => Err(NoJournal::NobodyRuns),
            Self::Gateway(socket) => match ask(socket, &Ask::Judge(opinion))?.next() {
                Some(Ok(Told::Ruling(ruling))) => Ok(ruling),
                Some(Ok(other)) => Err(unexpected(&other)),
                Some(Err(error)) => Err(error),
                None => Err(NoJournal::Failed("it said nothing".to_owned())),
            },
        }
    }
}

/// Every message from a gateway, who cuts us off when we read slowly: then we ask for the rest.
fn entries(
    socket: PathBuf,
) -> Result<impl Iterator<Item = Result<Line, NoJournal>> + use<>, NoJournal> {
    let (mut next, mut asked_from) = (0, 0);
    let mut answer = ask(&socket, &Ask::Entries { from: next })?;
    Ok(std::iter::from_fn(move || {
        loop {
            match answer.next()?.and_then(line) {
                Ok(line) => {
                    next = line.sequence + 1;
                    return Some(Ok(line));
                }
                Err(NoJournal::CutOff(_)) if next > asked_from => {
                    asked_from = next;
                    match ask(&socket, &Ask::Entries { from: next }) {
                        Ok(rest) => answer = rest,
                        Err(error) => return Some(Err(error)),
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }))
}

fn line(told: Told) -> Result<Line, NoJournal> {
    match told {
        Told::Line(line) => Ok(line),
        other @ (Told::Summary(_)
        | Told::Raised(_)
        | Told::Verdict(_)
        | Told::Ruling(_)
        | Told::Acted(_)
        | Told::Snapshot(_)
        | Told::Failed(_)
        | Told::End) => Err(unexpected(&other)),
    }
}

fn unexpected(told: &Told) -> NoJournal {
    NoJournal::Unexpected(serde::de::Error::custom(format!("{told:?}")))
}

/// What a gateway tells, until `end`.
fn ask(
    socket: &Path,
    question: &Ask,
) -> Result<impl Iterator<Item = Result<Told, NoJournal>> + use<>, NoJournal> {
    let open = || {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut text = serde_json::to_vec(question)?;
        text.push(b'\n');
        stream.write_all(&text)?;
        Ok(stream)
    };
    let mut lines = BufReader::new(open().map_err(NoJournal::CutOff)?).lines();
    let mut is_over = false;
    Ok(std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let told = match lines.next() {
            None => Err(NoJournal::CutOff(io::ErrorKind::UnexpectedEof.into())),
            Some(Err(error)) => Err(NoJournal::CutOff(error)),
            Some(Ok(text)) => match serde_json::from_str(&text) {
                // Half a line is how a gateway stops in the middle.
                Err(error) if error.is_eof() => Err(NoJournal::CutOff(error.into())),
                Err(error) => Err(NoJournal::Unexpected(error)),
                Ok(Told::Failed(why)) => Err(NoJournal::Failed(why)),
                Ok(Told::End) => {
                    is_over = true;
                    return None;
                }
                Ok(told) => Ok(told),
            },
        };
        is_over = told.is_err();
        Some(told)
    }))
}
