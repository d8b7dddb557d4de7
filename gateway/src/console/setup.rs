//! `/setup`: whoever has the set-up password makes the first admin of the box, and is signed in as him.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, Extension, Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tokio::time::Instant;

use super::Console;
use super::access::{SESSION, Who};
use super::account::{new_password, told};
use super::door::Peer;
use super::failure::Failure;
use super::guard::{Pass, Reader};
use super::login::set_cookie;
use super::page;
use super::words::Words;
use super::words::access::AccessWords;
use crate::accounts::password;
use crate::audit::Outcome;
use crate::clock;

#[derive(Deserialize)]
pub(super) struct First {
    name: String,
    password: String,
    again: String,
}

/// `GET /setup`.
pub(super) async fn form(
    Extension(reader): Extension<Reader>,
    Extension(pass): Extension<Pass>,
) -> Response {
    show(&reader, &pass, "", "")
}

/// `POST /setup`.
pub(super) async fn make(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(pass): Extension<Pass>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    form: Result<Form<First>, FormRejection>,
) -> Response {
    let Ok(Form(First { name, password, again })) = form else {
        return Failure::BadForm.answer(&reader);
    };
    if let Err(why) = password::check(&name, &password) {
        return show(&reader, &pass, &name, &AccessWords::weak(why, reader.language));
    }
    if password != again {
        let differ = AccessWords::of(reader.language).differ;
        return show(&reader, &pass, &name, differ);
    }
    let hash = match console.hashing.hash(password).await {
        Ok(hash) => hash,
        Err(error) => return Failure::from(error).answer(&reader),
    };
    let asked = name.clone();
    let made = console.change(move |book| book.add_first(&asked, hash, clock::wall())).await;
    let name = match made {
        Ok(name) => name,
        Err(error) => return show(&reader, &pass, &name, &told(&error, reader.language)),
    };
    console.note("set-up", "account.add", &name, Outcome::Done, "admin, the first");
    tracing::info!(name, "the first admin is made; the set-up password is void");
    let who = Who::of(&name, &console.accounts.book());
    let session =
        who.map(|who| console.access().enter(who, peer.ip(), clock::wall(), Instant::now()));
    let Some(Ok(session)) = session else { return Redirect::to("/login").into_response() };
    let mut response = Redirect::to("/").into_response();
    set_cookie(&mut response, &console, &session.0, SESSION.as_secs());
    response
}

fn show(reader: &Reader, pass: &Pass, name: &str, wrong: &str) -> Response {
    let Pass::Session(session) = pass else { return Redirect::to("/login").into_response() };
    let (words, own) = (Words::of(reader.language), AccessWords::of(reader.language));
    let body: Markup = html! {
        main #main .door {
            h1 { (own.setup) }
            p { (own.setup_hint) }
            form method="post" action="/setup" {
                input type="hidden" name="csrf" value=(session.csrf());
                label for="name" { (own.name) }
                input #name name="name" value=(name) autocomplete="username" maxlength="40"
                    autocapitalize="none" spellcheck="false" required autofocus;
                (new_password(own, Some(wrong).filter(|wrong| !wrong.is_empty())))
                button type="submit" { (own.setup_do) }
            }
            p .language {
                a href={ "/setup?lang=" (words.other.0) } lang=(words.other.0) { (words.other.1) }
            }
        }
    };
    page::html(page::bare(reader.language, own.setup, &body)).into_response()
}
