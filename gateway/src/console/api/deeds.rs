//! `POST /api/v1/events/{id}/…`: somebody does something about an event.
//!
//! Each goes to the engine ([`crate::desk::Desk::act`]), which alone says what an event allows, and into
//! the audit log, whatever came of it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Json;
use axum::routing::{MethodRouter, post};
use gatehouse_core::event::action::{Action, Actor, Deed, NotDone, Side};
use gatehouse_core::event::message::EventData;
use gatehouse_core::event::verdict::Verdict;
use gatehouse_core::reading::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::events::visible;
use super::{Route, told};
use crate::accounts::Principal;
use crate::audit::Outcome;
use crate::console::Console;
use crate::console::failure::Failure;
use crate::console::guard::Reader;
use crate::console::inbox::acting::note;

/// One line.
const LINE: &str = r"^[^\u0000-\u001F\u007F-\u009F]*$";

/// What most deeds need: nothing, or a word about it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Noted {
    #[serde(default)]
    #[schemars(length(max = 500), extend("pattern" = LINE))]
    note: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Dispatched {
    /// A person's or team's id.
    #[schemars(length(min = 1, max = 80), extend("pattern" = LINE))]
    to: String,
    #[serde(default)]
    #[schemars(length(max = 500), extend("pattern" = LINE))]
    note: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shelved {
    /// RFC 3339, within seven days.
    #[schemars(extend("format" = "date-time"))]
    until: String,
    #[serde(default)]
    #[schemars(length(max = 500), extend("pattern" = LINE))]
    note: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Dismissed {
    #[serde(rename = "as")]
    as_: Why,
    #[serde(default)]
    #[schemars(length(max = 500), extend("pattern" = LINE))]
    note: String,
}

/// Why it needs nobody.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Why {
    FalseAlarm,
    PlannedWork,
}

/// What is done, and what is said about it.
type Said = (Deed, String);

/// The deeds of the table.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::deed::<Noted>(
            "/api/v1/events/{id}/acknowledge",
            "acknowledgeEvent",
            "Somebody has seen it and will see to it",
            true,
            || deed(|said: Noted| Ok((Deed::Acknowledge, said.note))),
        ),
        Route::deed::<Dispatched>(
            "/api/v1/events/{id}/dispatch",
            "dispatchEvent",
            "Somebody is sent",
            false,
            || deed(|said: Dispatched| Ok((Deed::Dispatch { to: said.to }, said.note))),
        ),
        Route::deed::<Noted>(
            "/api/v1/events/{id}/handle",
            "handleEvent",
            "What could be done there was done",
            true,
            || deed(|said: Noted| Ok((Deed::Handle, said.note))),
        ),
        Route::deed::<Noted>(
            "/api/v1/events/{id}/verify",
            "verifyEvent",
            "Somebody has seen that it is over",
            true,
            || deed(|said: Noted| Ok((Deed::Verify, said.note))),
        ),
        Route::deed::<Shelved>(
            "/api/v1/events/{id}/shelve",
            "shelveEvent",
            "It is put aside for a time",
            false,
            || deed(shelved),
        ),
        Route::deed::<Noted>(
            "/api/v1/events/{id}/unshelve",
            "unshelveEvent",
            "It is taken up again",
            true,
            || deed(|said: Noted| Ok((Deed::Unshelve, said.note))),
        ),
        Route::deed::<Dismissed>(
            "/api/v1/events/{id}/dismiss",
            "dismissEvent",
            "It needs nobody",
            false,
            || deed(|said| Ok(dismissed(said))),
        ),
        Route::deed::<Noted>(
            "/api/v1/events/{id}/close",
            "closeEvent",
            "It is over, and nothing is left to do",
            true,
            || deed(|said: Noted| Ok((Deed::Close, said.note))),
        ),
        Route::deed::<Noted>(
            "/api/v1/events/{id}/reopen",
            "reopenEvent",
            "It is not over: everything begins anew",
            true,
            || deed(|said: Noted| Ok((Deed::Reopen, said.note))),
        ),
        Route::deed::<Noted>(
            "/api/v1/events/{id}/approve",
            "approveEvent",
            "The required review: it may be sent on",
            true,
            || deed(|said: Noted| Ok((Deed::Approve, said.note))),
        ),
        Route::deed::<Noted>(
            "/api/v1/events/{id}/refuse",
            "refuseEvent",
            "The required review: it is sent to nobody, and dismissed",
            true,
            || deed(|said: Noted| Ok((Deed::Refuse, said.note))),
        ),
    ]
}

fn shelved(said: Shelved) -> Result<Said, Failure> {
    let until: Timestamp =
        said.until.parse().map_err(|error| Failure::Malformed(format!("until: {error}")))?;
    Ok((Deed::Shelve { until }, said.note))
}

fn dismissed(said: Dismissed) -> Said {
    let as_ = match said.as_ {
        Why::FalseAlarm => Verdict::FalseAlarm,
        Why::PlannedWork => Verdict::PlannedWork,
    };
    (Deed::Dismiss { as_ }, said.note)
}

/// The handler of one deed.
fn deed<B: DeserializeOwned + 'static>(
    understand: fn(B) -> Result<Said, Failure>,
) -> MethodRouter<Arc<Console>> {
    post(
        move |State(console): State<Arc<Console>>,
              Extension(reader): Extension<Reader>,
              Extension(principal): Extension<Principal>,
              id: Result<Path<String>, PathRejection>,
              headers: HeaderMap,
              body: Result<Bytes, BytesRejection>| async move {
            let acted = async {
                let id = visible(&console.snapshot_for(&principal), id)?;
                let (deed, word) = understand(read(&headers, body)?)?;
                act(&console, &principal, id, deed, word).await
            };
            told(&reader, acted.await.map(Json))
        },
    )
}

/// The body as an object; none at all is an empty one.
fn read<B: DeserializeOwned>(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<B, Failure> {
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Failure::TooLong,
        _ => Failure::Malformed(error.body_text()),
    })?;
    let fields: Map<String, Value> = if body.is_empty() {
        Map::new()
    } else if is_json(headers) {
        serde_json::from_slice(&body).map_err(|error| malformed(&error))?
    } else {
        return Err(Failure::NotJson);
    };
    serde_json::from_value(Value::Object(fields)).map_err(|error| malformed(&error))
}

fn malformed(error: &serde_json::Error) -> Failure {
    Failure::Malformed(error.to_string())
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
}

async fn act(
    console: &Console,
    principal: &Principal,
    event: String,
    deed: Deed,
    word: String,
) -> Result<EventData, Failure> {
    let actor = Actor { name: principal.name.clone(), side: Side::Box };
    let action = Action { event: event.clone(), deed: deed.clone(), actor, note: word.clone() };
    let acted = match console.sources.desk.act(action).await {
        Ok(acted) => acted,
        Err(error) => {
            tracing::warn!(%error, "a deed was not taken down");
            note(console, principal, &deed, &event, Outcome::Failed, &error.to_string());
            return Err(Failure::NotHeard);
        }
    };
    match acted.result {
        Ok(data) => {
            note(console, principal, &deed, &event, Outcome::Done, &word);
            Ok(*data)
        }
        Err(why) => {
            note(console, principal, &deed, &event, Outcome::Refused, &why.to_string());
            Err(if why == NotDone::Unknown { Failure::NoEvent } else { Failure::NotDone(why) })
        }
    }
}
