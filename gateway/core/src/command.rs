//! What the platform may ask of the gateway, and how it is answered.
//!
//! One message on `…/commands` is one [`Command`], one on `…/replies` its [`Reply`]. Here a command is
//! read and judged, and nothing is carried out: what does not pass changes nothing, and its [`Refusal`]
//! says why. The way of a command:
//!
//! 1. [`json`]: the one thing that its text means, and the text that is signed,
//! 2. [`Command::judge`]: its time and its [`signature`]; whether that holds is for the shell to find out,
//! 3. [`memory`]: whether its id was there before,
//! 4. [`task`]: what it asks for.

pub mod base64;
pub mod json;
pub mod memory;
mod refusal;
pub mod signature;
pub mod task;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::community::fault::nearest;
use crate::reading::Timestamp;
pub use refusal::Refusal;
use signature::Signature;

/// A longer id is nobody's.
const LONGEST_ID: usize = 128;

/// A command that is valid for longer would have to be remembered for longer.
pub const LONGEST_VALID: Duration = Duration::from_hours(7 * 24);

/// Longer messages are none, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// A message on the topic `commands`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Chosen by the sender, and repeated in the reply: 1 to 128 characters.
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
    /// RFC 3339. From then on the command is refused.
    #[schemars(extend("format" = "date-time"))]
    pub expires: String,
    pub command: Name,
    /// What the command needs to know.
    #[serde(default)]
    pub args: Map<String, Value>,
    /// A detached JWS (`EdDSA`) over the canonical JSON of the other fields. `events.confirm` needs none
    /// where both sides show certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sig: Option<String>,
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Name {
    /// The platform has these events; they may leave the outbox.
    #[serde(rename = "events.confirm")]
    EventsConfirm,
    #[serde(rename = "event.acknowledge")]
    EventAcknowledge,
    #[serde(rename = "event.dispatch")]
    EventDispatch,
    #[serde(rename = "event.handle")]
    EventHandle,
    #[serde(rename = "event.verify")]
    EventVerify,
    #[serde(rename = "event.shelve")]
    EventShelve,
    #[serde(rename = "event.dismiss")]
    EventDismiss,
    #[serde(rename = "event.close")]
    EventClose,
    /// Only points that are declared writable, within their limits.
    #[serde(rename = "device.write")]
    DeviceWrite,
    #[serde(rename = "gateway.report")]
    GatewayReport,
    /// A picture with faces and plates masked.
    #[serde(rename = "gateway.snapshot")]
    GatewaySnapshot,
    /// Fetched, checked as `gatehouse bundle install` does, and taken up while the gateway runs.
    #[serde(rename = "bundle.install")]
    BundleInstall,
    #[serde(rename = "drill.start")]
    DrillStart,
}

/// Every [`Name`] as it is written.
pub const NAMES: [&str; 13] = [
    "events.confirm",
    "event.acknowledge",
    "event.dispatch",
    "event.handle",
    "event.verify",
    "event.shelve",
    "event.dismiss",
    "event.close",
    "device.write",
    "gateway.report",
    "gateway.snapshot",
    "bundle.install",
    "drill.start",
];

/// A message on the topic `replies`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reply {
    /// The command's; none when it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether it was done.
    pub ok: bool,
    /// What came of it, where the command has something to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Refusal>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What a command is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    pub now: Timestamp,
    /// Whether `now` can be believed.
    pub is_clock_known: bool,
    /// Whether the way that it came already says who sends: TLS with certificates on both sides.
    pub is_mutual: bool,
}

/// A command as it was read, and the text that its signature is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    pub command: Command,
    /// The canonical JSON of all fields but `sig`.
    pub payload: String,
}

impl Received {
    /// Reads a message and judges its form.
    ///
    /// # Errors
    /// The reply to send when it is no command.
    pub fn read(message: &[u8]) -> Result<Self, Box<Reply>> {
        if message.len() > LONGEST {
            let reason = format!("it is {} bytes long; {LONGEST} at most", message.len());
            return Err(Reply::refused(None, malformed(&reason)).into());
        }
        let fields = match json::read(message) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Err(Reply::refused(None, malformed(&"it is not a JSON object")).into()),
            Err(error) => return Err(Reply::refused(None, malformed(&error)).into()),
        };
        let id = fields.get("id").and_then(Value::as_str).filter(|id| is_id(id));
        let id = id.map(str::to_owned);
        Self::form(fields).map_err(|refusal| Reply::refused(id, refusal).into())
    }

    fn form(mut fields: Map<String, Value>) -> Result<Self, Refusal> {
        if let Some(Value::String(name)) = fields.get("command")
            && !NAMES.contains(&name.as_str())
        {
            return Err(Refusal::Unknown { command: name.clone(), help: nearest(name, NAMES) });
        }
        let whole = Value::Object(fields.clone());
        let command: Command = serde_json::from_value(whole).map_err(|error| malformed(&error))?;
        if !is_id(&command.id) {
            return Err(malformed(&format!("`id` has 1 to {LONGEST_ID} characters")));
        }
        command.until()?;
        fields.shift_remove("sig");
        Ok(Self { command, payload: json::canonical(&Value::Object(fields)) })
    }

    /// Judges its time and whether it must be signed; gives the signature that has to hold.
    ///
    /// # Errors
    /// It may not be carried out.
    pub fn judge(&self, around: Circumstances) -> Result<Option<Signature>, Refusal> {
        let command = &self.command;
        let needs_none = command.command == Name::EventsConfirm && around.is_mutual;
        let signature = match &command.sig {
            None if needs_none => None,
            None => {
                return Err(Refusal::Unsigned { command: command.command.as_str().to_owned() });
            }
            Some(text) => {
                let read = Signature::read(text, &self.payload);
                Some(read.map_err(|reason| Refusal::Unverified { reason })?)
            }
        };
        if !around.is_clock_known {
            // To confirm twice does no harm, and without it the outbox would fill up.
            return if needs_none { Ok(signature) } else { Err(Refusal::ClockUnknown) };
        }
        let until = command.until()?;
        if until <= around.now {
            return Err(Refusal::Expired { expires: command.expires.clone() });
        }
        if until > around.now + LONGEST_VALID {
            return Err(Refusal::TooFarAhead { days: LONGEST_VALID.as_secs() / 86_400 });
        }
        Ok(signature)
    }
}

impl Command {
    /// When it expires.
    ///
    /// # Errors
    /// That is not a time.
    pub fn until(&self) -> Result<Timestamp, Refusal> {
        self.expires.parse().map_err(|error| malformed(&format!("`expires`: {error}")))
    }
}

impl Name {
    /// As it is written in a command.
    pub fn as_str(self) -> &'static str {
        NAMES[self as usize]
    }
}

impl Reply {
    /// The command was carried out.
    pub fn done(id: String, result: Option<Value>) -> Self {
        Self { id: Some(id), ok: true, result, error: None, message: None }
    }

    /// The command changed nothing.
    pub fn refused(id: Option<String>, why: Refusal) -> Self {
        let message = Some(why.to_string());
        Self { id, ok: false, result: None, error: Some(why), message }
    }
}

fn malformed(error: &(impl ToString + ?Sized)) -> Refusal {
    Refusal::Malformed { reason: error.to_string() }
}

fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.chars().count())
}

#[cfg(test)]
mod tests;
