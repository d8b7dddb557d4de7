//! The form of a line: a JSON object whose last member is the SHA-256 of all that stands before it.
//!
//! `{"n":7,"at":"…","who":"…","action":"…","about":"…","outcome":"done","detail":"…","prev":"…","hash":"…"}`
//!
//! `prev` is the `hash` of line `n - 1` (64 zeros for the first), so a line cannot be changed, taken
//! out or moved without all that follow. The hash is over the very bytes of the line up to `,"hash"`,
//! so checking needs no agreement on how JSON is written.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Note, Outcome};

/// What stands before the first line.
pub const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Letters of each text at most; somebody may send us a long one.
const LONGEST: usize = 500;
const SEAL: &str = ",\"hash\":\"";

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Line {
    /// Counts from 1 without gaps.
    pub n: u64,
    /// RFC 3339, the box's wall clock.
    pub at: String,
    pub who: String,
    pub action: String,
    pub about: String,
    pub outcome: Outcome,
    pub detail: String,
    /// The hash of the line before.
    pub prev: String,
    /// The hash of this one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
}

impl Line {
    /// The line that follows, and its text without the line end.
    pub(super) fn after(n: u64, prev: &str, at: &str, note: &Note) -> (Self, String) {
        let short = |text: &str| text.chars().take(LONGEST).collect::<String>();
        let mut line = Self {
            n,
            at: at.to_owned(),
            who: short(&note.who),
            action: note.action.to_owned(),
            about: short(&note.about),
            outcome: note.outcome,
            detail: short(&note.detail),
            prev: prev.to_owned(),
            hash: String::new(),
        };
        let mut text = serde_json::to_string(&line).expect("strings and numbers are JSON");
        text.pop();
        line.hash = digest(&text);
        write!(text, "{SEAL}{}\"}}", line.hash).expect("a String takes all that is written to it");
        (line, text)
    }

    /// Reads a line and holds it against its own hash.
    pub fn read(text: &str) -> Option<Self> {
        let line: Self = serde_json::from_str(text).ok()?;
        let (sealed, _) = text.rsplit_once(SEAL)?;
        (digest(sealed) == line.hash && text == format!("{sealed}{SEAL}{}\"}}", line.hash))
            .then_some(line)
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes all that is written to it");
        hex
    })
}
