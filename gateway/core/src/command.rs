//! What the platform may ask of the gateway, and how it is answered.
//!
//! One message on `…/commands` is one [`Command`], one on `…/replies` its [`Reply`]. Here a command is
//! read and judged by its form and its expiry, and nothing is carried out: what does not pass changes
//! nothing, and its [`Refusal`] says why. Whether a signature is right is for the shell to find out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::community::fault::nearest;
use crate::reading::Timestamp;

/// A longer id is nobody's.
const LONGEST_ID: usize = 128;

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
    /// A detached JWS (`EdDSA`) over the canonical JSON of the other fields. `events.confirm` needs none.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reply {
    /// The command's; none when it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether it was done.
    pub ok: bool,
    /// Why it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Refusal>,
}

/// Why a command changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Refusal {
    /// It is not a command. Mend the sender.
    #[error("not a command: {reason}")]
    Malformed { reason: String },
    /// No such command. The nearest one is in `help`.
    #[error("there is no command `{command}`")]
    Unknown {
        command: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        help: Option<String>,
    },
    /// It came too late. Send it anew, and look at the clocks of both sides.
    #[error("it has expired at {expires}")]
    Expired { expires: String },
    /// It needs a signature and has none.
    #[error("`{command}` needs a signature in `sig`")]
    Unsigned { command: String },
}

impl Command {
    /// Reads a message and judges its form and its expiry.
    ///
    /// # Errors
    /// The reply to send when it does not pass.
    pub fn read(payload: &[u8], now: Timestamp) -> Result<Self, Reply> {
        let message: Map<String, Value> = serde_json::from_slice(payload)
            .map_err(|error| Reply::refused(None, malformed(&error)))?;
        let id = message.get("id").and_then(Value::as_str).filter(|id| is_id(id));
        let id = id.map(str::to_owned);
        Self::judge(message, now).map_err(|refusal| Reply::refused(id, refusal))
    }

    fn judge(message: Map<String, Value>, now: Timestamp) -> Result<Self, Refusal> {
        if let Some(Value::String(name)) = message.get("command")
            && !NAMES.contains(&name.as_str())
        {
            return Err(Refusal::Unknown { command: name.clone(), help: nearest(name, NAMES) });
        }
        let command: Self =
            serde_json::from_value(Value::Object(message)).map_err(|error| malformed(&error))?;
        if !is_id(&command.id) {
            let reason = format!("`id` has 1 to {LONGEST_ID} characters");
            return Err(Refusal::Malformed { reason });
        }
        let expires: Timestamp = command.expires.parse().map_err(|error| malformed(&error))?;
        if expires <= now {
            return Err(Refusal::Expired { expires: command.expires });
        }
        if command.sig.is_none() && command.command != Name::EventsConfirm {
            return Err(Refusal::Unsigned { command: command.command.as_str().to_owned() });
        }
        Ok(command)
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
    pub fn done(id: String) -> Self {
        Self { id: Some(id), ok: true, error: None }
    }

    /// The command changed nothing.
    pub fn refused(id: Option<String>, why: Refusal) -> Self {
        Self { id, ok: false, error: Some(why) }
    }
}

fn malformed(error: &impl ToString) -> Refusal {
    Refusal::Malformed { reason: error.to_string() }
}

fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_772_323_200_000);
    const LATER: &str = "2026-03-01T00:01:00Z";

    fn whole() -> Value {
        json!({
            "id": "c-1", "expires": LATER, "command": "event.acknowledge",
            "args": { "event": "01J" }, "sig": "e30..x"
        })
    }

    fn with(key: &str, value: Value) -> Value {
        let mut command = whole();
        command[key] = value;
        command
    }

    fn without(mut command: Value, key: &str) -> Value {
        command.as_object_mut().unwrap().remove(key);
        command
    }

    fn read(command: &Value) -> Result<Command, Reply> {
        Command::read(command.to_string().as_bytes(), NOW)
    }

    #[test]
    fn a_command_that_is_whole_is_read_as_it_was_sent() {
        let command = read(&whole()).unwrap();

        assert_eq!(command.command, Name::EventAcknowledge);
        assert_eq!(serde_json::to_value(&command).unwrap(), whole());
    }

    #[test]
    fn every_name_is_written_as_it_is_read() {
        for text in NAMES {
            let name: Name = serde_json::from_value(json!(text)).unwrap();
            assert_eq!(name.as_str(), text);
        }
    }

    #[test]
    fn a_command_that_does_not_pass_is_answered_with_a_typed_error() {
        let cases = [
            (with("command", json!("event.acknowlege")), "unknown"),
            (with("command", json!("self.destruct")), "unknown"),
            (with("command", json!(7)), "malformed"),
            (without(whole(), "command"), "malformed"),
            (without(whole(), "expires"), "malformed"),
            (with("expires", json!("soon")), "malformed"),
            (with("args", json!([1])), "malformed"),
            (with("force", json!(true)), "malformed"),
            (with("expires", json!("2026-03-01T00:00:00Z")), "expired"),
            (without(whole(), "sig"), "unsigned"),
        ];
        for (command, kind) in cases {
            let reply = serde_json::to_value(read(&command).unwrap_err()).unwrap();
            assert_eq!(reply["error"]["kind"], kind, "{command} {reply}");
            assert_eq!((&reply["id"], &reply["ok"]), (&json!("c-1"), &json!(false)), "{command}");
        }
    }

    #[test]
    fn an_unknown_command_is_told_the_nearest_one() {
        let reply = read(&with("command", json!("event.acknowlege"))).unwrap_err();

        let help = Some("did you mean `event.acknowledge`?".to_owned());
        let command = "event.acknowlege".to_owned();
        assert_eq!(reply.error, Some(Refusal::Unknown { command, help }));
    }

    #[test]
    fn what_has_no_id_is_answered_without_one() {
        let long = "x".repeat(LONGEST_ID + 1);
        for payload in ["", "null", "[]", "{", "{\"id\": 5}", &format!("{{\"id\": \"{long}\"}}")] {
            let reply = Command::read(payload.as_bytes(), NOW).unwrap_err();
            assert_eq!(reply.id, None, "{payload}");
            assert!(matches!(reply.error, Some(Refusal::Malformed { .. })), "{payload}");
        }
        assert!(Command::read(b"\xff\xfe", NOW).is_err());
    }

    #[test]
    fn confirming_events_needs_no_signature() {
        let confirm = with("command", json!("events.confirm"));
        let confirm = without(without(confirm, "sig"), "args");

        assert_eq!(read(&confirm).map(|command| command.command), Ok(Name::EventsConfirm));
    }
}
