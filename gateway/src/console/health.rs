//! `/healthz` and `/readyz`: for a supervisor that wants one answer, without a login.
//!
//! They name what is not ready but not why: the reasons (addresses, file paths) are for those who
//! are logged in.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use gatehouse_core::reading::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Console, Snapshot};

/// `GET /healthz`: the program answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// The answer of `/readyz`.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Readiness {
    ready: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_ready: Vec<Part>,
}

#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct Part {
    part: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// `GET /readyz`: 200 when configured, all sources up (each has been, and none is down), all models loaded and the store writing; 503 otherwise.
pub(super) async fn ready(State(console): State<Arc<Console>>) -> (StatusCode, Json<Readiness>) {
    let not_ready = lacking(&console.snapshot());
    let ready = not_ready.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, not_ready }))
}

fn lacking(snapshot: &Snapshot) -> Vec<Part> {
    let mut parts = Vec::new();
    if snapshot.community.devices.is_empty() {
        parts.push(Part { part: "configuration", id: None });
    }
    if snapshot.view.at == Timestamp::default() {
        parts.push(Part { part: "pipeline", id: None });
    }
    for source in snapshot.view.sources.iter().filter(|s| s.down.is_some() || !s.has_been_up) {
        parts.push(Part { part: "source", id: Some(source.id.clone()) });
    }
    for model in &snapshot.configuration.missing {
        parts.push(Part { part: "model", id: Some(model.clone()) });
    }
    if snapshot.store.fault.is_some() {
        parts.push(Part { part: "store", id: None });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::super::sample::{NOW, community, quiet};
    use super::super::{Configuration, StoreState};
    use super::*;

    #[test]
    fn a_model_that_did_not_load_is_named() {
        let missing = vec!["forecast".to_owned()];
        let snapshot = Snapshot {
            who: None,
            view: Arc::new(quiet()),
            community: Arc::new(community()),
            configuration: Configuration { missing, ..Configuration::default() },
            watched: Arc::default(),
            store: StoreState::default(),
            cameras: Vec::new(),
            now: NOW,
            speed: 1.0,
        };

        let parts = lacking(&snapshot);

        assert_eq!(parts, [Part { part: "model", id: Some("forecast".to_owned()) }]);
    }
}
