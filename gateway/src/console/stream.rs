//! The open events as server-sent events: as JSON for scripts, as ready HTML for our own page.
//!
//! A stream carries states, not steps: each message is the whole picture, so a reader that was slow
//! or away misses nothing by getting only the newest. It says something when the picture has changed
//! and ends when the program stops or the session that opened it does.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use gatehouse_core::view::View;
use maud::html;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::failure::Failure;
use super::guard::{Pass, Reader};
use super::inbox::filter::Wanted;
use super::{Console, Snapshot, events, inbox, page};
use crate::accounts::Principal;

/// A comment this often shows proxies and browsers that the line is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// `GET /api/v1/events/stream`: `event: events`, the list of `/api/v1/events`, on each change.
pub(super) async fn events(
    console: State<Arc<Console>>,
    pass: Extension<Pass>,
    principal: Extension<Principal>,
    reader: Extension<Reader>,
) -> Response {
    stream(console, (pass.0, principal.0), reader, |snapshot, _| {
        ("events", serde_json::to_string(&events::data(snapshot)))
    })
}

/// `GET /live`: the header strip and the open events as the inbox has them, in the reader's language and
/// by the same query.
pub(super) async fn fragments(
    console: State<Arc<Console>>,
    pass: Extension<Pass>,
    principal: Extension<Principal>,
    reader: Extension<Reader>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    let wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    stream(console, (pass.0, principal.0), reader, move |snapshot, reader| {
        let strip = page::strip(snapshot, reader.language);
        let list = inbox::open(snapshot, &wanted, reader.language);
        // As a JSON string: HTML may hold line ends that server-sent events cannot carry.
        ("page", serde_json::to_string(html! { (strip) (list) }.0.as_str()))
    })
}

/// The name of a message and its content.
type Picture = (&'static str, serde_json::Result<String>);

struct Watching<F> {
    console: Arc<Console>,
    pass: Pass,
    principal: Principal,
    reader: Reader,
    view: watch::Receiver<Arc<View>>,
    picture: F,
    last: String,
    _permit: OwnedSemaphorePermit,
}

fn stream<F>(
    State(console): State<Arc<Console>>,
    (pass, principal): (Pass, Principal),
    Extension(reader): Extension<Reader>,
    picture: F,
) -> Response
where
    F: Fn(&Snapshot, &Reader) -> Picture + Send + 'static,
{
    let Ok(permit) = Arc::clone(&console.streams).try_acquire_owned() else {
        return Failure::TooManyStreams.answer(&reader);
    };
    let mut view = console.sources.view.clone();
    view.mark_changed();
    let watching = Watching {
        console,
        pass,
        principal,
        reader,
        view,
        picture,
        last: String::new(),
        _permit: permit,
    };
    Sse::new(messages(watching)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

fn messages<F>(watching: Watching<F>) -> impl Stream<Item = Result<Event, Infallible>>
where
    F: Fn(&Snapshot, &Reader) -> Picture + Send + 'static,
{
    unfold(watching, async |mut watching| {
        loop {
            let stop = watching.console.stop.clone();
            let changed = stop.run_until_cancelled(watching.view.changed()).await;
            // Stopping, or the engine is gone: nothing will ever change again.
            changed?.ok()?;
            if !watching.pass.holds(&watching.console, Instant::now()) {
                return None;
            }
            watching.view.mark_unchanged();
            let snapshot = watching.console.snapshot_for(&watching.principal);
            let (name, content) = (watching.picture)(&snapshot, &watching.reader);
            let content = content.ok()?;
            if content != watching.last {
                watching.last.clone_from(&content);
                return Some((Ok(Event::default().event(name).data(content)), watching));
            }
        }
    })
}
