//! The open events as server-sent events, and for scripts what happens to them.
//!
//! `/live` and the messages `events` carry states, not steps: each is the whole picture, so a reader that
//! was slow or away misses nothing by getting only the newest. For those who want each step,
//! `/api/v1/events/stream` also sends the journal's records ([`follow`]): a `record` has the record's
//! sequence as its `id`, and a reader that comes back with `Last-Event-ID` gets what came after it, or a
//! `reset` when that cannot be had. It ends when the program stops or the session that opened it does.

mod follow;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use gatehouse_core::view::View;
use maud::html;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::api::events::data;
use super::failure::Failure;
use super::guard::{Pass, Reader};
use super::inbox::filter::Wanted;
use super::{Console, Snapshot, inbox, page};
use crate::accounts::Principal;
use follow::{Begun, Follow, News};

/// A comment this often shows proxies and browsers that the line is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A browser that lost the line comes back after this time.
const COME_BACK: Duration = Duration::from_secs(2);

/// Where a reader left off.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resumed {
    /// The `id` of the last message that came, for those who cannot send the header `Last-Event-ID`.
    #[serde(rename = "last-event-id")]
    last: Option<String>,
}

/// `GET /api/v1/events/stream`: `event: events`, the list of `/api/v1/events`, at first and on each change;
/// `event: record`, what goes to the platform, each once.
pub(super) async fn events(
    State(console): State<Arc<Console>>,
    pass: Extension<Pass>,
    principal: Extension<Principal>,
    reader: Extension<Reader>,
    headers: HeaderMap,
    resumed: Result<Query<Resumed>, QueryRejection>,
) -> Response {
    let last = match resumed {
        Ok(Query(resumed)) => resumed.last,
        Err(error) => return Failure::Malformed(error.body_text()).answer(&reader),
    };
    let header = headers.get("last-event-id").map(|last| last.to_str().unwrap_or_default());
    let follow = Follow::begin(&console.sources.events, header.or(last.as_deref()));
    stream(console, (pass.0, principal.0), reader, Some(follow), |snapshot, _| {
        ("events", serde_json::to_string(&data(snapshot)))
    })
}

/// `GET /live`: the header strip and the open events as the inbox has them, in the reader's language and
/// by the same query.
pub(super) async fn fragments(
    State(console): State<Arc<Console>>,
    pass: Extension<Pass>,
    principal: Extension<Principal>,
    reader: Extension<Reader>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    let wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    stream(console, (pass.0, principal.0), reader, None, move |snapshot, reader| {
        let strip = page::strip(snapshot, reader.language);
        let faults = page::faults(snapshot, reader.language);
        let list = inbox::open(snapshot, &wanted, reader.language);
        // As a JSON string: HTML may hold line ends that server-sent events cannot carry.
        ("page", serde_json::to_string(html! { (faults) (strip) (list) }.0.as_str()))
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
    follow: Option<Follow>,
    /// Messages on their way.
    ready: VecDeque<Event>,
    picture: F,
    last: String,
    /// The next picture stands for all that came before it.
    is_anew: bool,
    _permit: OwnedSemaphorePermit,
}

fn stream<F>(
    console: Arc<Console>,
    (pass, principal): (Pass, Principal),
    Extension(reader): Extension<Reader>,
    follow: Option<(Follow, Begun)>,
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
    let begun = follow.as_ref().map(|(_, begun)| *begun);
    let mut watching = Watching {
        console,
        pass,
        principal,
        reader,
        view,
        follow: follow.map(|(follow, _)| follow),
        ready: VecDeque::new(),
        picture,
        last: String::new(),
        is_anew: begun == Some(Begun::Fresh),
        _permit: permit,
    };
    if begun == Some(Begun::Reset) {
        watching.reset();
    }
    Sse::new(messages(watching)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

impl<F: Fn(&Snapshot, &Reader) -> Picture> Watching<F> {
    /// Waits for something to tell; `None` when the engine is gone and nothing will ever change again.
    async fn news(&mut self) -> Option<News> {
        let Some(follow) = &mut self.follow else {
            return self.view.changed().await.ok().map(|()| News::Picture);
        };
        // What somebody missed comes before what is so now.
        if follow.is_behind() {
            return follow.news().await;
        }
        tokio::select! {
            news = follow.news() => news,
            changed = self.view.changed() => changed.ok().map(|()| News::Picture),
        }
    }

    /// The whole picture, where it is another one than the last.
    fn draw(&mut self) -> Option<()> {
        self.view.mark_unchanged();
        let snapshot = self.console.snapshot_for(&self.principal);
        let (name, content) = (self.picture)(&snapshot, &self.reader);
        let content = content.ok()?;
        let is_anew = std::mem::take(&mut self.is_anew);
        if is_anew || content != self.last {
            let mut event = Event::default().event(name);
            if let Some(follow) = self.follow.as_ref().filter(|_| is_anew) {
                event = event.id(follow.at.to_string()).retry(COME_BACK);
            }
            self.ready.push_back(event.data(&content));
            self.last = content;
        }
        Some(())
    }

    /// Says that the reader lacks something, and has the whole picture come next.
    fn reset(&mut self) {
        let through = self.follow.as_ref().map_or(0, |follow| follow.at);
        let told = format!("{{\"through\":{through}}}");
        self.ready.push_back(Event::default().event("reset").id(through.to_string()).data(told));
        self.is_anew = true;
        self.view.mark_changed();
    }
}

fn messages<F>(watching: Watching<F>) -> impl Stream<Item = Result<Event, Infallible>>
where
    F: Fn(&Snapshot, &Reader) -> Picture + Send + 'static,
{
    unfold(watching, async |mut watching| {
        loop {
            if let Some(event) = watching.ready.pop_front() {
                return Some((Ok(event), watching));
            }
            let stop = watching.console.stop.clone();
            let news = stop.run_until_cancelled(watching.news()).await??;
            if !watching.pass.holds(&watching.console, Instant::now()) {
                return None;
            }
            match news {
                News::Picture => watching.draw()?,
                News::Records(records) => {
                    let record = |(sequence, json): (u64, String)| {
                        Event::default().event("record").id(sequence.to_string()).data(json)
                    };
                    watching.ready.extend(records.into_iter().map(record));
                }
                News::Reset => watching.reset(),
            }
        }
    })
}
