//! The journal of a gateway that runs, for those who look at it from the same box.
//!
//! The store has one owner, so `gatehouse events` cannot open it beside a running gateway. It asks
//! the owner instead, through a Unix socket in the store's folder: [`SOCKET`], mode 0600, and only the
//! gateway's own user and root are answered. No token, no port. They may also say of an event whether it
//! was right, and see to it, which the engine hears through the [`crate::desk`].
//!
//! A client sends one [`Ask`] as a line of JSON and reads [`Told`] lines until `end`; without `end` it
//! has not heard everything. [`serve`] answers, [`ask`] asks. Nothing is held for a client: entries
//! are read page by page as it takes them, and one that stops reading is cut off. It may ask again from
//! where it was, as `gatehouse events export | less` does when a person has read a page.

pub mod ask;
pub mod serve;
#[cfg(test)]
mod tests;

use gatehouse_core::event::action::{Acted, Action, Drill, Report};
use gatehouse_core::event::summary::Summary;
use gatehouse_core::event::verdict::{Opinion, Raised};
use gatehouse_core::pipeline::Ruling;
use gatehouse_core::reading::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::{Entry, Verdict};

/// The socket's name in the store's folder.
pub const SOCKET: &str = "journal.sock";

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Ask {
    /// Every entry from this sequence on, from old to new.
    Entries { from: u64 },
    /// The entries about one event.
    Event(String),
    /// A line per event that opened from a time on and before another.
    Summaries { from: Timestamp, to: Timestamp },
    /// The last events that were raised, those of scenes on trial among them.
    Raised,
    /// A look at the whole hash chain.
    Verify,
    /// Takes down what a person says of an event.
    Judge(Opinion),
    /// Does something about one.
    Plead(Plea),
    /// A copy of the database, for another box.
    Snapshot,
}

/// What somebody wants done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plea {
    Act(Action),
    Report(Report),
    Drill(Drill),
}

/// A line of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Told {
    Line(Line),
    Summary(Box<Summary>),
    Raised(Box<Raised>),
    Verdict(Verdict),
    /// What a person's word did.
    Ruling(Ruling),
    /// What came of what somebody did.
    Acted(Box<Acted>),
    /// The copy's name in the store's folder.
    Snapshot(String),
    /// Why there will be no more.
    Failed(String),
    /// That was everything.
    End,
}

/// A message in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub sequence: u64,
    /// As it went out, to the byte: a text, since JSON within JSON would be written anew.
    pub json: String,
}

impl From<Entry> for Line {
    fn from(entry: Entry) -> Self {
        // The pipeline makes nothing but JSON, which is UTF-8; what is not, was damaged, and shows.
        Self { sequence: entry.sequence, json: String::from_utf8_lossy(&entry.json).into_owned() }
    }
}
