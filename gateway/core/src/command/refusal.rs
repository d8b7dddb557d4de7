//! Why a command changes nothing, or what went wrong when it was carried out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Typed, so that a program can tell what to do; [`std::fmt::Display`] is for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
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
    /// It would be valid for longer than an id is remembered. Let it expire sooner.
    #[error("it expires more than {days} days from now")]
    TooFarAhead { days: u64 },
    /// It needs a signature and has none.
    #[error("`{command}` needs a signature in `sig`")]
    Unsigned { command: String },
    /// Its signature is not one of a trusted key over these very fields.
    #[error("its signature does not hold: {reason}")]
    Unverified { reason: String },
    /// The gateway does not know what time it is, so neither whether the command has expired. Send it
    /// again when the gateway's status says `synced`.
    #[error("the gateway's clock is not known to be right")]
    ClockUnknown,
    /// The id belongs to another command. Choose a new one.
    #[error("another command had this id")]
    IdTaken,
    /// The gateway ended while it was carried out: it may have been done or not. Look, then send a new
    /// one if need be.
    #[error("the gateway ended while it was carried out; it may have been done or not")]
    Interrupted,
    /// Too much at once. Wait, then send a new one.
    #[error("{reason}; try again later")]
    Busy { reason: String },
    /// The gateway cannot do that, or not yet.
    #[error("{reason}")]
    Unsupported { reason: String },
    /// A sequence of `events.confirm` that the platform cannot have. Wait for it to come.
    #[error("{reason}")]
    NotSent { reason: String },
    /// There is no such event, device, point or person here.
    #[error("there is no {what} `{id}`")]
    NotFound { what: String, id: String },
    /// The event is not at a stage at which this can be done.
    #[error("{reason}")]
    NotNow { reason: String },
    /// The point is not declared `writable`.
    #[error("`{point}` of `{device}` is not writable")]
    NotWritable { device: String, point: String },
    /// Outside of what its device type allows.
    #[error("{reason}")]
    OutOfLimits { reason: String },
    /// What must hold before this is written does not hold, or is not known.
    #[error("{reason}")]
    Interlocked { reason: String },
    /// The device did not take it.
    #[error("the device did not take it: {reason}")]
    NotWritten { reason: String },
    /// The device took it, and shows another value.
    #[error("{written} was written and {read} is there")]
    Mismatch { written: f64, read: f64 },
    /// The device took it, and nothing was heard of it since.
    #[error("{written} was written, and the device has not shown its value since")]
    NotReadBack { written: f64 },
    /// The bundle could not be fetched from where it is said to lie. Mend that, then send a new command.
    #[error("the bundle could not be fetched: {reason}")]
    NotFetched { reason: String },
    /// What lies there is another file. Look at the address and at the SHA-256.
    #[error("what was fetched has not the SHA-256 that the command names")]
    WrongHash,
    /// The bundle must not or cannot be installed; what was active goes on.
    #[error("nothing has changed: {reason}")]
    NotInstalled { reason: String },
    /// There is no such camera, or it has sent no picture of late.
    #[error("{reason}")]
    NoCamera { reason: String },
    /// No still of the event was kept, or its time is over.
    #[error("no still of event `{event}` is kept")]
    NotKept { event: String },
    /// Nobody can say that the picture shows nobody; it is not sent.
    #[error("the picture is not sent: {reason}")]
    NotMasked { reason: String },
    /// The gateway's configuration has no `[evidence]`.
    #[error("{reason}")]
    NotAllowed { reason: String },
    /// The gateway could not do it; its log says why.
    #[error("{reason}")]
    Failed { reason: String },
}
