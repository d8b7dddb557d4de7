//! `GET /api/v1/audit`: who did what, newest first. The page draws the same lines.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse, Json, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Console;
use super::failure::Failure;
use super::guard::Reader;
use crate::audit::Filter;

/// Lines of one answer at most.
const MOST: usize = 1_000;

/// Which lines; `before` and `many` go from page to page.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// An account, `token:NAME`, `platform` or `gatehouse`.
    who: Option<String>,
    /// The beginning of an action: `event.`, `login`.
    action: Option<String>,
    /// What it was done to.
    about: Option<String>,
    /// Lines before the one with this number.
    #[schemars(range(max = u64::MAX))]
    before: Option<u64>,
    /// Lines of a page.
    #[schemars(range(max = 1_000))]
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
    let is_long = |wanted: &Wanted| wanted.many.is_some_and(|many| many > MOST);
    let wanted = match wanted {
        Ok(Query(wanted)) if is_long(&wanted) => {
            return Failure::Malformed(format!("many: {MOST} at most")).answer(&reader);
        }
        Ok(Query(wanted)) => wanted,
        Err(error) => return Failure::Malformed(error.body_text()).answer(&reader),
    };
    match console.sources.audit.recent(wanted.filter()).await {
        Ok(lines) => Json(lines).into_response(),
        Err(error) => {
            tracing::error!(%error, "the audit log cannot be read");
            Failure::NotKept.answer(&reader)
        }
    }
}
