//! The way in and out: a name and a password at `/login` for a session in a cookie.
//!
//! An unknown name is answered like a wrong password, after the same time. A box without accounts, and
//! `demo`, take their one-time password without a name.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{ConnectInfo, Extension, Form, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tokio::time::Instant;

use super::Console;
use super::access::{Denied, SESSION, Session, Who};
use super::door::Peer;
use super::failure::Failure;
use super::guard::{Pass, Reader, escaped};
use super::page;
use super::words::Words;
use super::words::access::AccessWords;
use crate::accounts::book::tidy;
use crate::audit::Outcome;
use crate::clock;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Back {
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    #[serde(default)]
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `GET /login`.
pub(super) async fn form(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    back: Result<Query<Back>, QueryRejection>,
) -> Response {
    let next = back.map(|Query(back)| back.next).unwrap_or_default();
    page::html(show(&console, &reader, "", &next, false)).into_response()
}

/// `POST /login`.
pub(super) async fn login(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    form: Result<Form<Credentials>, FormRejection>,
) -> Response {
    let Ok(Form(Credentials { name, password, next })) = form else {
        return Failure::BadForm.answer(&reader);
    };
    let (name, from) = (tidy(&name), peer.ip());
    match let_in(&console, &name, password, from).await {
        Ok((session, who)) => {
            let next = if who == Who::Setup { "/setup" } else { local(&next) };
            let mut response = Redirect::to(next).into_response();
            set_cookie(&mut response, &console, &session.0, SESSION.as_secs());
            response
        }
        Err(Failure::WrongPassword) => {
            let page = show(&console, &reader, &name, &next, true);
            (StatusCode::UNAUTHORIZED, page::html(page)).into_response()
        }
        Err(failure) => failure.answer(&reader),
    }
}

/// A session for whoever knows the password.
pub(super) async fn let_in(
    console: &Console,
    name: &str,
    password: String,
    from: IpAddr,
) -> Result<(Session, Who), Failure> {
    console.look_again().await;
    let otherwise = match console.access().attempt(name, from, Instant::now()) {
        Ok(otherwise) => otherwise,
        // Those who were locked out are not noted once more: they would fill the log.
        Err(denied) => return Err(refused(&denied)),
    };
    let known = if name.is_empty() {
        console.access().one_time(&password)
    } else {
        let book = console.accounts.book();
        let hash = book.account(name).map(|account| account.hash.clone());
        let is_right = console.hashing.verify(password, hash).await?;
        // As it was when its password was judged: a change meanwhile ends the session at once.
        Who::of(name, &book).filter(|_| is_right)
    };
    let Some(who) = known else {
        let detail = format!("from {from}: {otherwise}");
        console.note(name, "login", "", Outcome::Refused, &detail);
        if let Denied::Locked(wait) = otherwise {
            tracing::warn!(?wait, %from, "console locked after wrong passwords");
        }
        return Err(refused(&otherwise));
    };
    let entered = console.access().enter(who.clone(), from, clock::wall(), Instant::now());
    let session = entered.map_err(|error| refused(&Denied::NoRandom(error)))?;
    console.note(who.name(), "login", "", Outcome::Done, &format!("from {from}"));
    Ok((session, who))
}

fn refused(denied: &Denied) -> Failure {
    match denied {
        Denied::Wrong => Failure::WrongPassword,
        Denied::Locked(wait) => Failure::Locked(*wait),
        Denied::NoRandom(error) => {
            tracing::error!(%error, "no session");
            Failure::NoRandom
        }
    }
}

/// `POST /logout`.
pub(super) async fn logout(
    State(console): State<Arc<Console>>,
    Extension(pass): Extension<Pass>,
) -> Response {
    if let Pass::Session(session) = pass {
        let mut access = console.access();
        if let Some(who) = access.who(&session, Instant::now()) {
            console.note(who.name(), "logout", "", Outcome::Done, "");
        }
        access.logout(&session);
    }
    let mut response = Redirect::to("/login").into_response();
    set_cookie(&mut response, &console, "", 0);
    response
}

/// `Secure` only with TLS: on loopback the console speaks plain HTTP, and a browser would drop it.
pub(super) fn set_cookie(response: &mut Response, console: &Console, value: &str, seconds: u64) {
    let name = &console.cookie;
    let secure = if console.tls.is_some() { "; Secure" } else { "" };
    let text =
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
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

fn show(console: &Console, reader: &Reader, name: &str, next: &str, wrong: bool) -> Markup {
    let (words, own) = (Words::of(reader.language), AccessWords::of(reader.language));
    let has_one_time = console.access().has_one_time();
    let has_accounts = !console.accounts.are_none();
    let body = html! {
        main #main .door {
            h1 { (words.login) }
            @if has_one_time { p { (words.login_hint) } }
            form method="post" action="/login" {
                @if has_accounts {
                    label for="name" { (own.name) }
                    input #name name="name" value=(name) autocomplete="username" maxlength="100"
                        autocapitalize="none" spellcheck="false" required[!has_one_time]
                        autofocus[name.is_empty()];
                }
                label for="password" { (words.password) }
                input #password type="password" name="password" autocomplete="current-password"
                    autocapitalize="none" spellcheck="false" required
                    autofocus[!has_accounts || !name.is_empty()]
                    aria-invalid=[wrong.then_some("true")]
                    aria-describedby=[wrong.then_some("wrong")];
                @if wrong {
                    p #wrong .wrong role="alert" {
                        (if has_accounts { own.wrong } else { words.wrong })
                    }
                }
                input type="hidden" name="next" value=(local(next));
                button type="submit" { (words.enter) }
            }
            @if let Some(tls) = &console.tls {
                details .fingerprint {
                    summary { (own.certificate) }
                    p { (own.certificate_hint) }
                    code { (tls.fingerprint()) }
                }
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
