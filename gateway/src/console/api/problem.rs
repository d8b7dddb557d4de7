//! RFC 9457: what is said to a script that gets nothing. `type` is a word that stays, whatever the
//! language of the rest.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// Stands before every word.
const KIND: &str = "urn:gatehouse:problem:";

/// Why a request got nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(in crate::console) struct Problem {
    /// `urn:gatehouse:problem:` and a word that never changes its meaning: what a program looks at.
    #[serde(rename = "type")]
    kind: String,
    /// What happened, for a person, in the reader's language.
    title: String,
    /// The same as the answer's.
    status: u16,
    /// What to do about it.
    detail: String,
}

impl Problem {
    pub(in crate::console) fn new(
        word: &str,
        status: StatusCode,
        title: &str,
        detail: String,
    ) -> Self {
        let (kind, title) = (format!("{KIND}{word}"), title.to_owned());
        Self { kind, title, status: status.as_u16(), detail }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = (status, Json(self)).into_response();
        let mime = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, mime);
        response
    }
}
