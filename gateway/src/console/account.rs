//! `/account`: one's own password and sessions.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, Extension, Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use gatehouse_core::community::quantity::Language;
use maud::{Markup, html};
use serde::Deserialize;
use tokio::time::Instant;

use super::access::{Listed, SESSION, Who};
use super::door::Peer;
use super::failure::Failure;
use super::guard::{Pass, Reader};
use super::inbox::row::moment;
use super::login::{let_in, set_cookie};
use super::page::{self, Here};
use super::words::Words;
use super::words::access::AccessWords;
use super::{Console, Snapshot};
use crate::accounts::kept::AccountsError;
use crate::accounts::{Principal, Right, password};
use crate::audit::Outcome;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Change {
    /// `password` or `end`.
    deed: String,
    old: String,
    password: String,
    again: String,
    session: String,
}

/// `GET /account`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    Extension(pass): Extension<Pass>,
) -> Response {
    show(&console, &reader, &principal, &pass, None)
}

/// `POST /account`.
pub(super) async fn change(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    Extension(pass): Extension<Pass>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    form: Result<Form<Change>, FormRejection>,
) -> Response {
    let (Ok(Form(change)), Pass::Session(_)) = (form, &pass) else {
        return Failure::BadForm.answer(&reader);
    };
    let own = AccessWords::of(reader.language);
    match change.deed.as_str() {
        "end" => {
            let ended = console.access().end(&change.session, Some(&principal.name));
            if ended.is_some() {
                console.note(&principal.name, "session.end", &principal.name, Outcome::Done, "");
            }
            Redirect::to("/account").into_response()
        }
        "password" => {
            let told = |text: String| show(&console, &reader, &principal, &pass, Some(&text));
            if let Err(why) = password::check(&principal.name, &change.password) {
                return told(AccessWords::weak(why, reader.language));
            }
            if change.password != change.again {
                return told(own.differ.to_owned());
            }
            // As at the door: who found a browser open must not guess the password in peace.
            let known = let_in(&console, &principal.name, change.old, peer.ip()).await;
            let session = match known {
                Ok((session, Who::Account { .. })) => session,
                Ok(_) | Err(Failure::WrongPassword) => return told(own.old_wrong.to_owned()),
                Err(failure) => return failure.answer(&reader),
            };
            console.access().logout(&session);
            replace(&console, &reader, &principal, change.password, peer.ip()).await
        }
        _ => Failure::BadForm.answer(&reader),
    }
}

async fn replace(
    console: &Console,
    reader: &Reader,
    principal: &Principal,
    password: String,
    from: std::net::IpAddr,
) -> Response {
    let hash = match console.hashing.hash(password).await {
        Ok(hash) => hash,
        Err(error) => return Failure::from(error).answer(reader),
    };
    let name = principal.name.clone();
    if let Err(error) = console.change(move |book| book.set_hash(&name, hash)).await {
        return failed(&error, reader);
    }
    console.note(&principal.name, "account.password", &principal.name, Outcome::Done, "");
    let own = AccessWords::of(reader.language);
    let notice = page::notice(reader.language, own.password_changed, own.sessions_ended);
    let mut response = page::html(notice).into_response();
    // All sessions have ended with the old password; this browser gets a new one.
    let who = Who::of(&principal.name, &console.accounts.book());
    let now = (crate::clock::wall(), Instant::now());
    let session = who.and_then(|who| console.access().enter(who, from, now.0, now.1).ok());
    if let Some(session) = session {
        set_cookie(&mut response, console, &session.0, SESSION.as_secs());
    }
    response
}

/// What went wrong with the accounts, as a page.
pub(super) fn failed(error: &AccountsError, reader: &Reader) -> Response {
    match error {
        AccountsError::NotChanged(_) => {
            let own = AccessWords::of(reader.language);
            let text = told(error, reader.language);
            let page = page::html(page::notice(reader.language, own.not_changed, &text));
            (axum::http::StatusCode::CONFLICT, page).into_response()
        }
        AccountsError::Io { .. } | AccountsError::Damaged { .. } | AccountsError::Stopped => {
            tracing::error!(%error, "the accounts stay as they are");
            Failure::NotKept.answer(reader)
        }
    }
}

/// What went wrong with the accounts, in one sentence.
pub(super) fn told(error: &AccountsError, language: Language) -> String {
    match error {
        AccountsError::NotChanged(why) => AccessWords::not_changed(why, language),
        AccountsError::Io { .. } | AccountsError::Damaged { .. } | AccountsError::Stopped => {
            tracing::error!(%error, "the accounts stay as they are");
            AccessWords::of(language).not_kept.to_owned()
        }
    }
}

/// Two fields for a new password, and what was wrong with the last one.
pub(super) fn new_password(own: &AccessWords, wrong: Option<&str>) -> Markup {
    html! {
        label for="new" { (own.new_password) }
        input #new type="password" name="password" autocomplete="new-password" minlength="12"
            maxlength="256" required aria-describedby="rule"
            aria-invalid=[wrong.map(|_| "true")];
        p #rule .hint { (own.rule) }
        label for="again" { (own.again) }
        input #again type="password" name="again" autocomplete="new-password" maxlength="256" required;
        @if let Some(wrong) = wrong { p #wrong .wrong role="alert" { (wrong) } }
    }
}

fn show(
    console: &Console,
    reader: &Reader,
    principal: &Principal,
    pass: &Pass,
    wrong: Option<&str>,
) -> Response {
    let language = reader.language;
    let (words, own) = (Words::of(language), AccessWords::of(language));
    let snapshot = console.snapshot_for(principal);
    let mine: Vec<Listed> = {
        let all = console.access().list(Instant::now());
        all.into_iter().filter(|session| session.name == principal.name).collect()
    };
    let this = match pass {
        Pass::Session(session) => session.id(),
        Pass::Open | Pass::Script => String::new(),
    };
    let has_password = console.accounts.book().account(&principal.name).is_some();
    let main = html! {
        main #main tabindex="-1" .access {
            h1 { (own.account) }
            p { b { (principal.name) } " · " (own.role(principal.role)) }
            @if principal.may(Right::Administer) { p { a href="/users" { (own.users) } } }
            @if has_password {
                h2 { (own.change_password) }
                form .entry method="post" action="/account" {
                    (page::csrf(principal))
                    input type="hidden" name="deed" value="password";
                    label for="old" { (own.old_password) }
                    input #old type="password" name="old" autocomplete="current-password" required;
                    (new_password(own, wrong))
                    button type="submit" { (own.change_password) }
                }
            }
            h2 { (own.sessions) }
            (sessions(&snapshot, &mine, &this, principal, "/account", own, words))
        }
    };
    page::html(page::full(&snapshot, language, Here::Account, &main)).into_response()
}

/// Who is signed in, each with a button to end it.
pub(super) fn sessions(
    snapshot: &Snapshot,
    listed: &[Listed],
    this: &str,
    principal: &Principal,
    action: &str,
    own: &AccessWords,
    words: &Words,
) -> Markup {
    html! {
        ul .rows {
            @for session in listed {
                li {
                    span { b { (session.name) } " · " (session.from) }
                    span .hint {
                        (own.since) " " (moment(snapshot, session.at)) " · " (own.idle) " " (words.age(session.idle))
                    }
                    @if session.id == this {
                        span .tag { (own.this_one) }
                    } @else {
                        form method="post" action=(action) {
                            (page::csrf(principal))
                            input type="hidden" name="session" value=(session.id);
                            button type="submit" name="deed" value="end" { (own.end) }
                        }
                    }
                }
            }
        }
    }
}
