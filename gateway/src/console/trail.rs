//! `GET /api/v1/audit`: who did what, newest first. The page draws the same lines.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;

use super::Console;
use super::failure::Failure;
use super::guard::Reader;
use crate::audit::Filter;

/// Lines of one answer at most.
const MOST: usize = 1_000;

/// Which lines; `before` and `many` go from page to page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    who: Option<String>,
    action: Option<String>,
    about: Option<String>,
    before: Option<u64>,
    many: Option<usize>,
}

impl Wanted {
    /// A field that was left empty asks for nothing.
    pub(super) fn filter(self) -> Filter {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Filter {
            who: given(self.who),
            action: given(self.action),
            about: given(self.about),
            before: self.before,
            many: self.many.unwrap_or(100).min(MOST),
        }
    }
}

pub(super) async fn list(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    let Ok(Query(wanted)) = wanted else { return Failure::BadForm.answer(&reader) };
    match console.sources.audit.recent(wanted.filter()).await {
        Ok(lines) => Json(lines).into_response(),
        Err(error) => {
            tracing::error!(%error, "the audit log cannot be read");
            Failure::NotKept.answer(&reader)
        }
    }
}
