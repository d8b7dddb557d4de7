//! `/users`: the accounts, tokens and sessions of the box, for admins.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tokio::time::Instant;

use super::Console;
use super::account::{failed, sessions};
use super::failure::Failure;
use super::guard::{Pass, Reader};
use super::page::{self, Here};
use super::words::Words;
use super::words::access::AccessWords;
use crate::accounts::book::{Book, NotChanged, Scope, tidy};
use crate::accounts::kept::AccountsError;
use crate::accounts::{Principal, Role, password};
use crate::audit::Outcome;
use crate::clock;

/// Days that a token may live at most.
const LONGEST_DAYS: u64 = 3_650;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Change {
    /// What to do: `add`, `role`, `password`, `remove`, `token`, `revoke`, `end`.
    deed: String,
    name: String,
    role: String,
    password: String,
    scope: String,
    days: String,
    session: String,
}

/// `GET /users`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    Extension(pass): Extension<Pass>,
) -> Response {
    let main = show(&console, &reader, &principal, &pass);
    let snapshot = console.snapshot_for(&principal);
    page::html(page::full(&snapshot, reader.language, Here::Account, &main)).into_response()
}

/// `POST /users`.
pub(super) async fn change(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    form: Result<Form<Change>, FormRejection>,
) -> Response {
    let Ok(Form(change)) = form else { return Failure::BadForm.answer(&reader) };
    let name = tidy(&change.name);
    let me = &principal.name;
    let role = change.role.parse::<Role>();
    let done = match change.deed.as_str() {
        "add" | "password" => {
            return with_password(&console, &reader, me, change, role.ok()).await;
        }
        "token" => return token(&console, &reader, me, &change).await,
        "end" => {
            let ended = console.access().end(&change.session, None);
            ended.map(|of| ("session.end", of, String::new(), Ok(())))
        }
        "role" => {
            let Ok(role) = role else { return Failure::BadForm.answer(&reader) };
            let to = name.clone();
            let changed = console.change(move |book| book.set_role(&to, role)).await;
            Some(("account.role", name, role.to_string(), changed))
        }
        "remove" => {
            let gone = name.clone();
            let changed = console.change(move |book| book.remove(&gone)).await;
            Some(("account.remove", name, String::new(), changed))
        }
        "revoke" => {
            let gone = name.clone();
            let changed = console.change(move |book| book.remove_token(&gone)).await;
            Some(("token.remove", name, String::new(), changed))
        }
        _ => return Failure::BadForm.answer(&reader),
    };
    let Some((action, about, detail, changed)) = done else {
        return Redirect::to("/users").into_response();
    };
    finish(&console, &reader, (me, action, &about, &detail), changed)
}

/// Takes it down and goes back to the list, or says what was wrong.
fn finish(
    console: &Console,
    reader: &Reader,
    (who, action, about, detail): (&str, &'static str, &str, &str),
    changed: Result<(), AccountsError>,
) -> Response {
    match changed {
        Ok(()) => {
            console.note(who, action, about, Outcome::Done, detail);
            Redirect::to("/users").into_response()
        }
        Err(error) => {
            console.note(who, action, about, Outcome::Refused, &error.to_string());
            failed(&error, reader)
        }
    }
}

/// Adds an account, or gives one another password.
async fn with_password(
    console: &Console,
    reader: &Reader,
    me: &str,
    change: Change,
    role: Option<Role>,
) -> Response {
    let is_new = change.deed == "add";
    let own = AccessWords::of(reader.language);
    let name = tidy(&change.name);
    if is_new && role.is_none() {
        return Failure::BadForm.answer(reader);
    }
    if let Err(why) = password::check(&name, &change.password) {
        let text = AccessWords::weak(why, reader.language);
        let page = page::html(page::notice(reader.language, own.not_changed, &text));
        return (axum::http::StatusCode::BAD_REQUEST, page).into_response();
    }
    let hash = match console.hashing.hash(change.password).await {
        Ok(hash) => hash,
        Err(error) => return Failure::from(error).answer(reader),
    };
    let asked = name.clone();
    let set = move |book: &mut Book| -> Result<(), NotChanged> {
        match role.filter(|_| is_new) {
            Some(role) => book.add(&asked, role, hash, clock::wall()).map(drop),
            None => book.set_hash(&asked, hash),
        }
    };
    let changed = console.change(set).await;
    let detail = role.filter(|_| is_new).map(Role::word).unwrap_or_default();
    let action = if is_new { "account.add" } else { "account.password" };
    finish(console, reader, (me, action, &name, detail), changed)
}

/// Makes a token and shows it, once.
async fn token(console: &Console, reader: &Reader, me: &str, change: &Change) -> Response {
    let scope = Scope::ALL.into_iter().find(|scope| scope.word() == change.scope);
    let days = match change.days.trim() {
        "" => Some(None),
        days => days.parse::<u64>().ok().filter(|d| (1..=LONGEST_DAYS).contains(d)).map(Some),
    };
    let (Some(scope), Some(days)) = (scope, days) else { return Failure::BadForm.answer(reader) };
    let (name, now) = (tidy(&change.name), clock::wall());
    let expires = days.map(|days| now + Duration::from_hours(24 * days));
    let asked = name.clone();
    let made = console.change(move |book| book.add_token(&asked, scope, expires, now)).await;
    match made {
        Ok(secret) => {
            let detail = expires.map_or(String::new(), |at| format!(", until {}", at.rfc3339()));
            let detail = format!("{}{detail}", scope.word());
            console.note(me, "token.add", &name, Outcome::Done, &detail);
            let own = AccessWords::of(reader.language);
            let main = html! {
                main #main .door {
                    h1 { (own.token_made) }
                    p { (own.token_once) }
                    p { code { (secret) } }
                    p { a href="/users" { (own.users) } }
                }
            };
            page::html(page::bare(reader.language, own.token_made, &main)).into_response()
        }
        Err(error) => finish(console, reader, (me, "token.add", &name, scope.word()), Err(error)),
    }
}

fn show(console: &Console, reader: &Reader, principal: &Principal, pass: &Pass) -> Markup {
    let (words, own) = (Words::of(reader.language), AccessWords::of(reader.language));
    let book = console.accounts.book();
    let listed = console.access().list(Instant::now());
    let this = match pass {
        Pass::Session(session) => session.id(),
        Pass::Open | Pass::Script => String::new(),
    };
    html! {
        main #main tabindex="-1" .access {
            h1 { (own.users) }
            (accounts(&book, principal, own))
            (add(principal, own))
            h2 { (own.tokens) }
            p .hint { (own.tokens_hint) }
            (tokens(&book, principal, own))
            h2 { (own.sessions) }
            (sessions(&console.snapshot(), &listed, &this, principal, "/users", own, words))
            @if let Some(tls) = &console.tls {
                h2 { (own.certificate) }
                p .hint { (own.certificate_hint) }
                p { code { (tls.fingerprint()) } }
            }
        }
    }
}

fn roles(chosen: Role, own: &AccessWords) -> Markup {
    html! {
        select name="role" aria-label=(own.role_label) {
            @for role in Role::ALL {
                option value=(role.word()) selected[role == chosen] { (own.role(role)) }
            }
        }
    }
}

fn accounts(book: &Book, principal: &Principal, own: &AccessWords) -> Markup {
    html! {
        ul .rows {
            @for account in &book.accounts {
                li {
                    span { b { (account.name) } " · " (own.role(account.role)) }
                    span .hint { (own.since) " " (day(&account.since)) }
                    details {
                        summary { (own.change) }
                        form method="post" action="/users" {
                            (page::csrf(principal))
                            input type="hidden" name="name" value=(account.name);
                            (roles(account.role, own))
                            button type="submit" name="deed" value="role" { (own.change_role) }
                        }
                        form method="post" action="/users" {
                            (page::csrf(principal))
                            input type="hidden" name="name" value=(account.name);
                            input type="password" name="password" aria-label=(own.new_password)
                                autocomplete="new-password" minlength="12" maxlength="256" required;
                            button type="submit" name="deed" value="password" { (own.change_password) }
                        }
                        form method="post" action="/users" {
                            (page::csrf(principal))
                            input type="hidden" name="name" value=(account.name);
                            button type="submit" name="deed" value="remove" { (own.remove) }
                        }
                    }
                }
            }
        }
    }
}

fn add(principal: &Principal, own: &AccessWords) -> Markup {
    html! {
        details {
            summary { (own.add) }
            form .entry method="post" action="/users" {
                (page::csrf(principal))
                label for="add-name" { (own.name) }
                input #add-name name="name" maxlength="40" autocomplete="off" autocapitalize="none"
                    spellcheck="false" required;
                label for="add-password" { (own.new_password) }
                input #add-password type="password" name="password" autocomplete="new-password"
                    minlength="12" maxlength="256" required aria-describedby="add-rule";
                p #add-rule .hint { (own.rule) }
                (roles(Role::Viewer, own))
                p .hint { (own.roles_hint) }
                button type="submit" name="deed" value="add" { (own.add) }
            }
        }
    }
}

fn tokens(book: &Book, principal: &Principal, own: &AccessWords) -> Markup {
    html! {
        ul .rows {
            @for token in &book.tokens {
                li {
                    span { b { (token.name) } " · " (token.scope.word()) }
                    span .hint {
                        (own.since) " " (day(&token.since))
                        @if let Some(until) = &token.expires { " · " (own.until) " " (day(until)) }
                        " · " (own.used) " " (token.used.as_deref().unwrap_or("–"))
                    }
                    form method="post" action="/users" {
                        (page::csrf(principal))
                        input type="hidden" name="name" value=(token.name);
                        button type="submit" name="deed" value="revoke" { (own.revoke) }
                    }
                }
            }
        }
        details {
            summary { (own.add_token) }
            form .entry method="post" action="/users" {
                (page::csrf(principal))
                label for="token-name" { (own.name) }
                input #token-name name="name" maxlength="40" autocomplete="off"
                    autocapitalize="none" spellcheck="false" required;
                label for="token-scope" { (own.scope) }
                select #token-scope name="scope" {
                    @for scope in Scope::ALL { option value=(scope.word()) { (scope.word()) } }
                }
                label for="token-days" { (own.days) }
                input #token-days name="days" inputmode="numeric" pattern="[0-9]*" value="90";
                button type="submit" name="deed" value="token" { (own.add_token) }
            }
        }
    }
}

/// The day of a time, as it is kept.
fn day(at: &str) -> &str {
    at.get(..10).unwrap_or(at)
}
