//! The files that pages load: style, scripts and icon, built into the program.
//!
//! Their addresses carry a fingerprint of their content, so a browser keeps them for good and still
//! takes new ones after an update.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::figures::fingerprint;

/// One embedded file.
pub(super) struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
    tag: u64,
}

const fn asset(name: &'static str, kind: &'static str, content: &'static str) -> Asset {
    Asset { name, kind, content, tag: fingerprint(content.as_bytes()) }
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

pub(super) static STYLE: Asset =
    asset("style.css", "text/css; charset=utf-8", include_str!("static/style.css"));
pub(super) static LIVE: Asset = asset("live.js", SCRIPT, include_str!("static/live.js"));
pub(super) static KEYS: Asset = asset("keys.js", SCRIPT, include_str!("static/keys.js"));
pub(super) static VOICE: Asset = asset("voice.js", SCRIPT, include_str!("static/voice.js"));
pub(super) static DRAW: Asset = asset("draw.js", SCRIPT, include_str!("static/draw.js"));
pub(super) static ICON: Asset = asset("icon.svg", "image/svg+xml", include_str!("static/icon.svg"));

static ALL: [&Asset; 6] = [&STYLE, &LIVE, &KEYS, &VOICE, &DRAW, &ICON];

impl Asset {
    /// Where a page finds it.
    pub(super) fn address(&self) -> String {
        format!("/static/{}?v={:016x}", self.name, self.tag)
    }

    fn etag(&self) -> String {
        format!("\"{:016x}\"", self.tag)
    }
}

/// `/static/{name}`; anybody may have them.
pub(super) async fn get(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ALL.into_iter().find(|a| a.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let known = [
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
        (header::ETAG, asset.etag()),
    ];
    let has = headers.get(header::IF_NONE_MATCH).and_then(|tag| tag.to_str().ok());
    if has.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == asset.etag())) {
        return (StatusCode::NOT_MODIFIED, known).into_response();
    }
    (known, [(header::CONTENT_TYPE, asset.kind)], asset.content).into_response()
}
