//! Large letters: chosen once per browser, kept in a cookie, and told to every page by a small sheet of
//! its own, so that no page has to know.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use gatehouse_core::community::quantity::Language;
use maud::{Markup, html};
use serde::Deserialize;

use super::guard::{cookie, escaped};
use super::login::local;
use super::words::frame::FrameWords;

const LARGE: &str = "letters=large; Path=/; Max-Age=31536000; SameSite=Strict";
const NORMAL: &str = "letters=; Path=/; Max-Age=0; SameSite=Strict";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    letters: String,
    next: String,
}

/// `GET /look`: another size of letters, and back to the page.
pub(super) async fn choose(choice: Result<Query<Choice>, QueryRejection>) -> Response {
    let Query(choice) = choice.unwrap_or_default();
    let cookie = if choice.letters == "large" { LARGE } else { NORMAL };
    let mut response = Redirect::to(local(&choice.next)).into_response();
    response.headers_mut().append(header::SET_COOKIE, HeaderValue::from_static(cookie));
    response
}

/// `GET /static/look.css`.
pub(super) async fn sheet(headers: HeaderMap) -> Response {
    let is_large = cookie(&headers, "letters") == Some("large");
    let sheet = if is_large {
        ":root { font-size: 137.5%; } .to-large { display: none; }"
    } else {
        ".to-normal { display: none; }"
    };
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], sheet).into_response()
}

/// The way to the other size; the sheet hides the one that is in use.
pub(super) fn switch(address: &str, language: Language) -> Markup {
    let words = FrameWords::of(language);
    let to = |letters: &str| format!("/look?letters={letters}&next={}", escaped(address));
    html! {
        a .to-large href=(to("large")) { (words.large) }
        a .to-normal href=(to("normal")) { (words.normal) }
    }
}
