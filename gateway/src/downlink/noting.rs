//! What of commands goes into the audit log. What somebody sends who is believed is noted line by line;
//! what anybody may send, only so many lines a minute, and then how many more there were.

use std::time::Duration;

use gatehouse_core::command::{Command, Refusal, Reply};
use serde_json::Value;
use tokio::time::Instant;

use crate::audit::{Audit, Note, Outcome};

/// Refused commands that are noted one by one.
const A_MINUTE: u64 = 30;
const MINUTE: Duration = Duration::from_mins(1);

/// Notes commands.
pub(super) struct Noting {
    audit: Audit,
    since: Instant,
    refused: u64,
}

impl Noting {
    pub(super) fn new(audit: Audit) -> Self {
        Self { audit, since: Instant::now(), refused: 0 }
    }

    /// It was no command.
    pub(super) fn unreadable(&mut self, reply: &Reply) {
        let why = reply.message.clone().unwrap_or_default();
        self.turned_away("command", reply.id.clone().unwrap_or_default(), why);
    }

    /// It was one, and must not be carried out.
    pub(super) fn refused(&mut self, command: &Command, refusal: &Refusal) {
        let detail = format!("{}: {refusal}", command.id);
        self.turned_away(command.command.as_str(), about(command), detail);
    }

    /// Somebody who is believed asked for it.
    pub(super) fn carried_out(
        &mut self,
        command: &Command,
        who: &str,
        result: &Result<Value, Refusal>,
    ) {
        let action = command.command.as_str();
        let (outcome, detail) = match result {
            Ok(_) => (Outcome::Done, command.id.clone()),
            Err(
                refusal @ (Refusal::Failed { .. }
                | Refusal::NotWritten { .. }
                | Refusal::Mismatch { .. }
                | Refusal::NotFetched { .. }
                | Refusal::NotInstalled { .. }
                | Refusal::NotReadBack { .. }),
            ) => (Outcome::Failed, format!("{}: {refusal}", command.id)),
            Err(refusal) => (Outcome::Refused, format!("{}: {refusal}", command.id)),
        };
        tracing::info!(who, action, ?outcome, detail, "command");
        self.note(who, action, about(command), outcome, detail);
    }

    fn turned_away(&mut self, action: &'static str, about: String, detail: String) {
        if self.since.elapsed() >= MINUTE {
            let more = self.refused.saturating_sub(A_MINUTE);
            if more > 0 {
                let detail = format!("{more} more that were refused");
                self.note("platform", "command", String::new(), Outcome::Refused, detail);
            }
            (self.since, self.refused) = (Instant::now(), 0);
        }
        self.refused += 1;
        if self.refused <= A_MINUTE {
            tracing::warn!(action, detail, "a command is refused");
            self.note("platform", action, about, Outcome::Refused, detail);
        }
    }

    fn note(
        &self,
        who: &str,
        action: &'static str,
        about: String,
        outcome: Outcome,
        detail: String,
    ) {
        // What a stranger writes must not make the log long.
        let short = |text: String| text.chars().take(200).collect();
        let (about, detail) = (short(about), short(detail));
        self.audit.note(Note { who: who.to_owned(), action, about, outcome, detail });
    }
}

/// The event, the device or the bundle that it is about.
fn about(command: &Command) -> String {
    let text = |key: &str| command.args.get(key).and_then(Value::as_str).map(str::to_owned);
    let device = || match (text("device"), text("point")) {
        (Some(device), Some(point)) => Some(format!("{device}/{point}")),
        (device, _) => device,
    };
    let named = text("event").or_else(|| text("camera")).or_else(device).or_else(|| text("scene"));
    named.or_else(|| text("sha256")).unwrap_or_default()
}
