//! `/a/<token>`: the buttons of alerts. Looking shows what the link would do; the button on that page
//! does it, through the same door as everything that people do about events. A link that asks whether
//! an event is fixed is answered by [`answer`].
//!
//! Open to all: who holds the token was sent it. Mail scanners and chat previews look at every link, so a
//! look changes nothing.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::message::EventData;
use maud::{Markup, html};
use tokio::time::Instant;

use super::api::problem::Problem;
use super::guard::Reader;
use super::inbox::row::badge;
use super::page::{self, translated};
use super::phone::answer;
use super::words::link::LinkWords;
use super::words::phone::PhoneWords;
use super::{Console, failure::Failure};
use crate::alert::link::{BadLink, Claim, Deed};
use crate::audit::Outcome;

/// Where links begin: those that act, and those of a person.
const PREFIXES: [&str; 2] = ["/a/", "/p/"];

/// `GET /a/{token}`.
pub(super) async fn look(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Path(token): Path<String>,
) -> Response {
    let claim = match check(&console, &token) {
        Ok(claim) => claim,
        Err(bad) => return refused(&console, bad, &reader),
    };
    let words = LinkWords::of(reader.language);
    let question = match claim.deed {
        Deed::Acknowledge => words.acknowledge,
        Deed::FalseAlarm => words.false_alarm,
        Deed::Answer => return answer::look(&console, &reader, &claim).await,
        Deed::Errands => return refused(&console, BadLink::Forged, &reader),
    };
    let event = event(&console, &claim).await;
    let main = html! {
        main #main .door {
            h1 { (question) }
            (about(event.as_ref(), reader.language))
            form method="post" { button type="submit" { (words.yes) } }
            p { (words.nothing_yet) }
        }
    };
    page::html(page::bare(reader.language, question, &main)).into_response()
}

/// `POST /a/{token}`. Goes on to its end when the reader hangs up: a link that was taken is used or given
/// back.
pub(super) async fn act(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Path(token): Path<String>,
    form: Result<Form<answer::Said>, FormRejection>,
) -> Response {
    let told = reader.clone();
    let acted = tokio::spawn(async move { use_once(console, reader, token, form).await });
    acted.await.unwrap_or_else(|_| Failure::NotHeard.answer(&told))
}

async fn use_once(
    console: Arc<Console>,
    reader: Reader,
    token: String,
    form: Result<Form<answer::Said>, FormRejection>,
) -> Response {
    let claim = match check(&console, &token) {
        Ok(claim) => claim,
        Err(bad) => return refused(&console, bad, &reader),
    };
    if claim.deed == Deed::Answer {
        return match form {
            Ok(Form(said)) => answer::act(&console, &reader, &claim, said).await,
            Err(refused) => Failure::from(refused).answer(&reader),
        };
    }
    let links = &console.sources.links;
    let Some(action) = claim.action() else {
        return refused(&console, BadLink::Forged, &reader);
    };
    if let Err(bad) = links.take(&claim) {
        return refused(&console, bad, &reader);
    }
    let words = LinkWords::of(reader.language);
    match console.sources.desk.act(action).await {
        Ok(acted) => {
            let is_done = acted.result.is_ok();
            tracing::info!(event = claim.event, person = claim.person, is_done, "a link was used");
            let outcome = if is_done { Outcome::Done } else { Outcome::Refused };
            console.note(&claim.person, "event.link", &claim.event, outcome, &acted.told.en);
            if !links.keep(&claim, console.sources.clock.now()).await {
                tracing::warn!(
                    event = claim.event,
                    "that a link was used could not be written down"
                );
            }
            let title = if is_done { words.done } else { words.not_done };
            let event = event(&console, &claim).await;
            let main = html! {
                main #main .door {
                    h1 { (title) }
                    p role="status" { (translated(&acted.told, reader.language)) }
                    (about(event.as_ref(), reader.language))
                }
            };
            page::html(page::bare(reader.language, title, &main)).into_response()
        }
        Err(error) => {
            links.give_back(&claim);
            tracing::warn!(%error, event = claim.event, "a link came to nothing");
            Failure::NotHeard.answer(&reader)
        }
    }
}

/// The event that a link is about, open or over.
async fn event(console: &Console, claim: &Claim) -> Option<EventData> {
    let view = console.snapshot().view;
    if let Some(open) = view.events.iter().find(|event| event.data.event == claim.event) {
        return Some(open.data.clone());
    }
    let (store, id) = (console.sources.events.clone(), claim.event.clone());
    let history = tokio::task::spawn_blocking(move || store.history(&id)).await.ok()?;
    let history = history.inspect_err(|error| tracing::warn!(%error, "an event's history"));
    history.ok()?.pop().map(|message| message.data)
}

/// What it is about, and the way to the rest of it.
fn about(event: Option<&EventData>, language: Language) -> Markup {
    html! {
        @if let Some(data) = event {
            p .head { (badge(data.level, language)) b { (translated(&data.title, language)) } }
            p {
                (translated(&data.location, language))
                br;
                (translated(&data.cause.why, language))
            }
            p { a href={ "/events/" (data.event) } { (PhoneWords::of(language).see) } }
        } @else {
            p { (LinkWords::of(language).unknown) }
        }
    }
}

fn check(console: &Console, token: &str) -> Result<Claim, BadLink> {
    console.sources.links.check(token, console.sources.clock.now())
}

/// Says why a link does nothing, here, in the log and in the audit log.
pub(super) fn refused(console: &Console, bad: BadLink, reader: &Reader) -> Response {
    tracing::warn!(why = %bad, "a link was refused");
    let why = bad.to_string();
    let is_news = console.access().is_news(&why, Instant::now());
    if is_news {
        console.note("", "link", "", Outcome::Refused, &why);
    }
    let words = LinkWords::of(reader.language);
    let (status, title) = match bad {
        BadLink::Forged => (StatusCode::NOT_FOUND, words.forged),
        BadLink::Expired => (StatusCode::GONE, words.expired),
        BadLink::Used => (StatusCode::GONE, words.used),
        BadLink::Revoked => (StatusCode::GONE, words.revoked),
        BadLink::Past => (StatusCode::GONE, words.past),
    };
    if !reader.wants_page {
        return Problem::new(bad.word(), status, title, words.then.to_owned()).into_response();
    }
    (status, page::html(page::notice(reader.language, title, words.then))).into_response()
}

/// Whether such an address may be asked for without a login, and under any name of this box.
pub(super) fn is_link(path: &str) -> bool {
    PREFIXES.iter().any(|prefix| path.starts_with(prefix))
}
