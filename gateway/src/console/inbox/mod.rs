//! `/`: what needs somebody now, most urgent first, and what is over; what to do about it is one click
//! away, for one event or for many.
//!
//! Open events come from the engine's snapshot and stay fresh by [`super::stream`]; those of the past come
//! from the store, page by page, on a blocking thread.
//!
//! 1. [`filter`]: which events somebody wants to see,
//! 2. [`row`]: an event in the list,
//! 3. [`acting`]: `POST /events/act`,
//! 4. [`notices`]: what came of it.

pub(super) mod acting;
pub(super) mod filter;
pub(super) mod notices;
pub(super) mod row;

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::Html;
use gatehouse_core::community::quantity::Language;
use gatehouse_core::reading::Timestamp;
use maud::{Markup, html};

use super::guard::Reader;
use super::judging;
use super::page::{self, Frame, Here, ago, csrf, is_heard, last_frame, may};
use super::words::Words;
use super::words::inbox::InboxWords;
use super::words::phone::PhoneWords;
use super::{Console, Snapshot};
use crate::accounts::{Principal, Right};
use crate::store::{Past, StoreError};
use filter::Wanted;
use notices::Owner;

/// Events of the past on one page.
const MANY: usize = 25;

/// `GET /`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Html<String> {
    let wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    let snapshot = console.snapshot_for(&principal);
    let (store, filter) = (console.sources.events.clone(), wanted.filter(&snapshot));
    let place = wanted.place();
    let read = move || store.past(&filter, place.as_ref(), MANY);
    let past = tokio::task::spawn_blocking(read).await.unwrap_or(Err(StoreError::Closed));
    let notice = console.notices.take(&Owner::from(&principal), &wanted.notice);
    let language = reader.language;
    let address = wanted.address("/");
    let main = html! {
        main #main tabindex="-1" {
            h1 { (Words::of(language).events) }
            @if may(&snapshot, Right::Act) {
                p .up { a href="/report" { (PhoneWords::of(language).report) } " · "
                    a href="/errands" { (PhoneWords::of(language).errands) } }
            }
            (notices::shown(notice.as_ref(), language))
            (filter::form(&snapshot, &wanted, language))
            @if may(&snapshot, Right::Act) {
                form #bulk method="post" action="/events/act" {
                    (csrf(&principal))
                    input type="hidden" name="deed" value="acknowledge";
                    input type="hidden" name="next" value=(address);
                }
            }
            @if wanted.before.is_empty() { (open(&snapshot, &wanted, language)) }
            (earlier(&snapshot, &wanted, past, language))
            @if wanted.before.is_empty() { (judging::records(&snapshot, language)) }
        }
    };
    let title = Words::of(language).events;
    let feed = wanted.address("/live");
    let frame = Frame { here: Here::Events, title, address: &address, feed: &feed };
    page::html(page::framed(&snapshot, language, frame, &main))
}

/// The open events, or the good news that there are none.
pub(super) fn open(snapshot: &Snapshot, wanted: &Wanted, language: Language) -> Markup {
    let words = InboxWords::of(language);
    let events = wanted.open(snapshot);
    html! {
        div #events data-live data-count=(events.len()) {
            @if events.is_empty() && wanted.is_narrow() {
                p .none { (words.no_match) }
            } @else if events.is_empty() {
                (calm(snapshot, language))
            } @else {
                ol .events role="list" {
                    @for event in &events { (row::open(snapshot, event, language)) }
                }
                @if may(snapshot, Right::Act) && events.len() > 1 {
                    p .bulk { button type="submit" form="bulk" { (words.chosen) } }
                }
            }
        }
    }
}

fn calm(snapshot: &Snapshot, language: Language) -> Markup {
    let words = Words::of(language);
    let view = &snapshot.view;
    if view.at == Timestamp::default() {
        return html! {
            div .calm { p .headline { (words.starting) } p { (words.starting_hint) } }
        };
    }
    let heard = view.devices.iter().filter(|d| is_heard(d)).count();
    html! {
        div .calm {
            svg viewBox="0 0 48 48" width="48" height="48" aria-hidden="true" {
                circle cx="24" cy="24" r="22" {}
                path d="M14 25l7 7 14-15" {}
            }
            p .headline { (words.calm) }
            p {
                (words.heard) " " (heard) " / " (view.devices.len()) " · "
                @match last_frame(snapshot) {
                    Some(at) => { (words.last_reading) " " (ago(snapshot, at, language)) }
                    None => (words.no_reading),
                }
            }
        }
    }
}

/// Events of the past, and the way further back.
fn earlier(
    snapshot: &Snapshot,
    wanted: &Wanted,
    past: Result<Past, StoreError>,
    language: Language,
) -> Markup {
    let words = InboxWords::of(language);
    let past = past.inspect_err(|error| tracing::warn!(%error, "events of the past"));
    html! {
        section #past .past data-live aria-labelledby="past-title" {
            h2 #past-title { (words.past) }
            @match past {
                Err(_) => p .none { (words.unreadable) },
                Ok(past) => {
                    @if past.events.is_empty() {
                        p .none {
                            (if wanted.is_narrow() { words.no_past } else { words.none_yet })
                        }
                    }
                    ol .lines role="list" {
                        @for summary in &past.events { (row::past(snapshot, summary, language)) }
                    }
                    p .onward {
                        @if !wanted.before.is_empty() {
                            a href=(wanted.address("/")) { (words.newest) }
                        }
                        @if let Some(next) = past.next {
                            @let before = format!("{}-{}", next.opened.0, next.event);
                            a rel="next" href=(page::with(&wanted.address("/"), "before", &before)) {
                                (words.older)
                            }
                            @if past.events.len() < MANY {
                                small {
                                    (words.searched_back) " "
                                    (row::moment(snapshot, next.opened))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
