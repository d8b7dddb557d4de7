//! The way in and out: the password at `/login` for a session in a cookie.

use std::sync::Arc;

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Extension, Form, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tokio::time::Instant;

use super::Console;
use super::access::{Denied, SESSION};
use super::failure::Failure;
use super::guard::{Pass, Reader, escaped};
use super::page;
use super::words::Words;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Back {
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    password: String,
    #[serde(default)]
    next: String,
}

/// `GET /login`.
pub(super) async fn form(
    Extension(reader): Extension<Reader>,
    back: Result<Query<Back>, QueryRejection>,
) -> Response {
    let next = back.map(|Query(back)| back.next).unwrap_or_default();
    page::html(show(&reader, &next, false)).into_response()
}

/// `POST /login`.
pub(super) async fn login(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    form: Result<Form<Credentials>, FormRejection>,
) -> Response {
    let Ok(Form(given)) = form else { return Failure::BadForm.answer(&reader) };
    let outcome = console.access().login(&given.password, Instant::now());
    match outcome {
        Ok(session) => {
            let mut response = Redirect::to(local(&given.next)).into_response();
            let lasts = SESSION.as_secs();
            set_cookie(&mut response, &console.cookie, &session.0, lasts);
            response
        }
        Err(Denied::Wrong) => {
            (StatusCode::UNAUTHORIZED, page::html(show(&reader, &given.next, true))).into_response()
        }
        Err(Denied::Locked(wait)) => {
            tracing::warn!(?wait, "console locked after wrong passwords");
            Failure::Locked(wait).answer(&reader)
        }
        Err(Denied::NoRandom(error)) => {
            tracing::error!(%error, "no random numbers for a session");
            Failure::NoRandom.answer(&reader)
        }
    }
}

/// `POST /logout`.
pub(super) async fn logout(
    State(console): State<Arc<Console>>,
    Extension(pass): Extension<Pass>,
) -> Response {
    if let Pass::Session(session) = pass {
        console.access().logout(&session);
    }
    let mut response = Redirect::to("/login").into_response();
    set_cookie(&mut response, &console.cookie, "", 0);
    response
}

/// No `Secure`: the console speaks plain HTTP on loopback, and a browser would drop the cookie.
fn set_cookie(response: &mut Response, name: &str, value: &str, seconds: u64) {
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// Where to go after the login: only to a path of our own.
pub(super) fn local(next: &str) -> &str {
    let is_path = next.starts_with('/') && !next.starts_with("//");
    let is_plain = next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if is_path && is_plain { next } else { "/" }
}

fn show(reader: &Reader, next: &str, wrong: bool) -> Markup {
    let words = Words::of(reader.language);
    let body = html! {
        main #main .door {
            h1 { (words.login) }
            p { (words.login_hint) }
            form method="post" action="/login" {
                label for="password" { (words.password) }
                input #password type="password" name="password" autocomplete="current-password"
                    autocapitalize="none" spellcheck="false" required autofocus
                    aria-invalid=[wrong.then_some("true")]
                    aria-describedby=[wrong.then_some("wrong")];
                @if wrong { p #wrong .wrong role="alert" { (words.wrong) } }
                input type="hidden" name="next" value=(local(next));
                button type="submit" { (words.enter) }
            }
            p .language {
                a href={ "/login?lang=" (words.other.0) "&next=" (escaped(local(next))) }
                    lang=(words.other.0) { (words.other.1) }
            }
        }
    };
    page::bare(reader.language, words.login, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_only_to_our_own_pages() {
        for next in ["/devices", "/devices?area=east&show=trouble"] {
            assert_eq!(local(next), next);
        }
        for next in
            ["", "devices", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb"]
        {
            assert_eq!(local(next), "/", "{next:?}");
        }
    }
}
