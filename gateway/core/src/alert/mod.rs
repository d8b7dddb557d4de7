//! Whom to tell of which event, and when: the part of alerting that is decided, without any wire.
//!
//! The shell reads the journal and hands in one record after the other with those who are on duty for
//! it; a [`board::Board`] keeps a box of mail for each [`Recipient`] and gives out [`Parcel`]s when they
//! are due. What it must remember over a restart it gives out as rows ([`board::Board::take_changes`]),
//! which are on disk before a parcel is sent: after a power cut a parcel goes out again, under the same
//! number, and none is lost.
//!
//! - [`mailbox`]: what gathers for one recipient: hours, budget, digest, flood, retry,
//! - [`pace`]: how often a channel may be used,
//! - [`board`]: all boxes, and who was told of which event,
//! - [`standing`]: which channels are down, and since when,
//! - [`letter`]: a parcel in words.
//!
//! What people are told keeps to a few rules:
//! - An event of level I goes out within a second or two, at any hour, whatever the budget says.
//! - Others wait until nothing more came for [`mailbox::QUIET`], [`mailbox::LONGEST`] at most; more than
//!   [`mailbox::FEW`] of them are one summary, and after a summary there is a pause: a flood is one
//!   message.
//! - Outside of a recipient's hours they wait for the hours to begin; over the budget of a day, for one
//!   digest on the next morning.
//! - Who was told of an event is told that it is over.
//! - Who cannot be reached one way within [`standing::PASS_ON`] is told by their next way as well, of each
//!   event that waits.

pub mod board;
pub mod letter;
pub mod mailbox;
pub mod pace;
pub mod standing;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::community::calendar::dates::{Hours, Offset};
use crate::community::quantity::{Language, Text};
use crate::event::message::EventData;

/// One way to reach somebody: a person by one channel, or the group that a channel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Names the box of mail across restarts.
    pub id: String,
    /// Whom a button in the message stands for: a person's or a channel's id.
    pub name: String,
    pub language: Language,
    /// The channel's id.
    pub channel: String,
    /// Telephone number, mailbox; empty where the channel is the address.
    pub address: String,
    /// Levels that are told, 1 to 4.
    pub levels: Vec<u8>,
    /// When the levels below I may disturb; `None` for always.
    pub hours: Option<Hours>,
    /// Messages a day; `None` for as many as there are.
    pub budget: Option<u32>,
    /// Position among a person's ways; `None` for a channel that is told by itself.
    pub way: Option<usize>,
}

/// Why somebody is told of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is news to them.
    Raised,
    /// They knew, and it has become more urgent.
    Worse,
    /// It was given to them to handle.
    Assigned,
    /// It is over, and they were told that it began.
    Over,
}

/// One line of mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The record that holds the event as it then stood.
    pub sequence: u64,
    pub event: String,
    pub kind: Kind,
    /// 1 most urgent .. 4.
    pub level: u8,
    pub title: Text,
    pub place: Text,
    /// The condition is gone, also when its beginning was never told.
    pub is_over: bool,
    pub drill: bool,
    /// Who it is for was told of it another way.
    #[serde(default)]
    pub is_passed_on: bool,
}

/// A message that is to go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The same on every retry, so that a repeat can be told.
    pub id: String,
    pub recipient: Recipient,
    pub load: Load,
    /// How often it was tried before.
    pub attempts: u32,
}

/// What a message tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Load {
    One(Item),
    Many {
        items: Vec<Item>,
        /// Events by level that had no room among the items.
        more: [u32; 4],
        /// What was over the budget or outside of the hours, and not a flood.
        is_digest: bool,
    },
}

/// What came of sending a parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The other side has taken it.
    Sent,
    /// It may go well later; not before so long, when the other side says so and it is not unreasonably long.
    Later { why: String, after: Option<Duration> },
    /// It goes well once somebody has mended the configuration.
    Misconfigured { why: String },
    /// This one message will never be taken.
    Unfit { why: String },
}

impl Outcome {
    /// The label of the metric.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Later { .. } => "later",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Unfit { .. } => "unfit",
        }
    }
}

/// What the board did with an outcome, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    Done,
    /// Tried again after so long.
    Retry(Duration),
    GivenUp,
    /// Nobody asked for it.
    Unknown,
}

/// Whether an event may be told at all: what touches a person's rights waits for a person's yes. The
/// pipeline records nothing before; this holds should it ever.
pub fn is_told(data: &EventData) -> bool {
    !data.review.required || data.review.by.is_some()
}

/// The community's own time; UTC when nobody has said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Zone(pub Option<Offset>);

#[cfg(test)]
mod tests;
#[cfg(test)]
mod ways;
