//! One line per event: what lists, reports and the API need of it.
//!
//! The store keeps it beside the journal; it follows the event from its first transition to its last.

use serde::{Deserialize, Serialize};

use super::message::{Stage, State};
use super::verdict::Verdict;
use crate::community::quantity::Text;
use crate::community::scene::{Category, Tier};
use crate::reading::Timestamp;

/// An event in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The event's id.
    pub event: String,
    pub scene: String,
    pub category: Category,
    /// The area's id.
    pub area: String,
    /// The device's id.
    pub device: String,
    pub title: Text,
    /// The worst that it had, 1 to 4.
    pub level: u8,
    pub tier: Tier,
    pub state: State,
    pub stage: Stage,
    pub assignee: Option<String>,
    pub drill: bool,
    pub verdict: Option<Verdict>,
    /// When the condition began.
    pub started: Timestamp,
    pub opened: Timestamp,
    pub acknowledged: Option<Timestamp>,
    pub dispatched: Option<Timestamp>,
    pub handled: Option<Timestamp>,
    pub cleared: Option<Timestamp>,
    pub verified: Option<Timestamp>,
    pub closed: Option<Timestamp>,
    /// How often nobody came in time.
    pub escalated: u8,
    pub reopened: u8,
    /// The detector's id within the scene.
    pub detector: String,
}
