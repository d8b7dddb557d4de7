//! `/api/v1/events` and what stands below it to read. Open events come from the engine's snapshot, those
//! of the past from the store, on a blocking thread.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderName, Uri, header};
use axum::response::{IntoResponse, Json, Response};
use gatehouse_core::community::scene::Category;
use gatehouse_core::event::message::{EventData, Message, Stage};
use schemars::JsonSchema;
use serde::Deserialize;

use super::told;
use crate::accounts::Principal;
use crate::console::failure::Failure;
use crate::console::guard::Reader;
use crate::console::inbox::filter::{self, open_events, seen};
use crate::console::{Console, Snapshot};
use crate::store::{Filter, Past, Place, Store, StoreError};

/// Events of one page, when nobody says how many.
const MANY: u16 = 50;
const MOST: u16 = 200;

/// Which events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// `open`: those that need somebody, all at once. `all`: those that are over as well, page by page.
    show: Option<Show>,
    /// Part of the title, of an id, or of the name of an area or device.
    #[schemars(length(max = 80))]
    text: Option<String>,
    /// 1 most urgent .. 4.
    #[schemars(range(min = 1, max = 4))]
    level: Option<u8>,
    /// The area's id.
    area: Option<String>,
    /// The device's id.
    device: Option<String>,
    /// The scene's id.
    scene: Option<String>,
    category: Option<Category>,
    /// How far people are.
    stage: Option<Stage>,
    /// Exercises only, or none.
    drill: Option<bool>,
    /// Where the page begins; the `next` link of the page before has it.
    #[schemars(regex(pattern = r"^[0-9]{1,15}-[0-9A-Za-z-]{1,40}$"))]
    before: Option<String>,
    /// Events of a page; it may have fewer, and yet another one after it.
    #[schemars(range(min = 1, max = 200))]
    many: Option<u16>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Show {
    #[default]
    Open,
    All,
}

impl Wanted {
    fn checked(self) -> Result<Self, Failure> {
        let check = |is_good: bool, expected: &str| {
            if is_good { Ok(()) } else { Err(Failure::Malformed(expected.to_owned())) }
        };
        check(self.level.is_none_or(|level| (1..=4).contains(&level)), "level: 1 to 4")?;
        check(self.many.is_none_or(|many| (1..=MOST).contains(&many)), "many: 1 to 200")?;
        let is_short = self.text.as_ref().is_none_or(|text| text.chars().count() <= 80);
        check(is_short, "text: 80 letters at most")?;
        let is_place = self.before.as_ref().is_none_or(|before| place(before).is_some());
        check(is_place, "before: take it from the page before")?;
        Ok(self)
    }

    fn filter(&self, snapshot: &Snapshot) -> Filter {
        let text = self.text.clone().unwrap_or_default();
        Filter {
            named: filter::named(&snapshot.community, &text),
            text,
            scene: self.scene.clone(),
            area: self.area.clone(),
            device: self.device.clone(),
            level: self.level,
            stage: self.stage,
            category: self.category,
            drill: self.drill,
            ..Filter::default()
        }
    }
}

fn place(before: &str) -> Option<Place> {
    let (opened, event) = before.split_once('-')?;
    let is_id = (1..=40).contains(&event.len())
        && event.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_time = opened.len() <= 15 && opened.bytes().all(|b| b.is_ascii_digit());
    let opened = gatehouse_core::reading::Timestamp(opened.parse().ok()?);
    (is_id && is_time).then(|| Place { opened, event: event.to_owned() })
}

/// `GET /api/v1/events`.
pub(super) async fn list(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    uri: Uri,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    let snapshot = console.snapshot_for(&principal);
    let wanted = wanted.map_err(|error| Failure::Malformed(error.body_text()));
    let wanted = wanted.and_then(|Query(wanted)| wanted.checked());
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(failure) => return failure.answer(&reader),
    };
    let filter = wanted.filter(&snapshot);
    match wanted.show.unwrap_or_default() {
        Show::Open => {
            let mut events = data(&snapshot);
            events.retain(|event| filter::wants(&filter, event));
            Json(events).into_response()
        }
        Show::All => {
            let store = console.sources.events.clone();
            let before = wanted.before.as_deref().and_then(place);
            let many = usize::from(wanted.many.unwrap_or(MANY));
            let read = move || page(&store, &filter, before.as_ref(), many);
            told(&reader, read_off(read).await.map(|read| shown(&snapshot, read, &uri)))
        }
    }
}

/// The open events that the reader may see, and those that wait for a person.
pub(in crate::console) fn data(snapshot: &Snapshot) -> Vec<EventData> {
    seen(snapshot).map(|event| event.data.clone()).collect()
}

fn page(
    store: &Store,
    filter: &Filter,
    before: Option<&Place>,
    many: usize,
) -> Result<(Past, Vec<EventData>), StoreError> {
    let past = store.past(filter, before, many)?;
    let mut events = Vec::with_capacity(past.events.len());
    for line in &past.events {
        let newest = store.newest(&line.event)?;
        events.extend(newest.map(|message| message.data));
    }
    Ok((past, events))
}

/// What is open is shown as the engine sees it now.
fn shown(snapshot: &Snapshot, (past, mut events): (Past, Vec<EventData>), uri: &Uri) -> Response {
    for event in &mut events {
        if let Some(now) = seen(snapshot).find(|now| now.data.event == event.event) {
            event.clone_from(&now.data);
        }
    }
    let next = past.next.map(|next| {
        let fields = uri.query().unwrap_or_default().split('&');
        let fields: Vec<_> = fields.filter(|field| !field.starts_with("before=")).collect();
        let query = fields.join("&");
        let link = format!(
            "<{}?{query}&before={}-{}>; rel=\"next\"",
            uri.path(),
            next.opened.0,
            next.event
        );
        [(header::LINK, link)]
    });
    match next {
        Some(link) => (link, Json(events)).into_response(),
        None => (<[(HeaderName, String); 0]>::default(), Json(events)).into_response(),
    }
}

/// `GET /api/v1/events/{id}`.
pub(super) async fn one(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let snapshot = console.snapshot_for(&principal);
    let found = async {
        let id = visible(&snapshot, id)?;
        if let Some(open) = open_events(&snapshot).find(|event| event.data.event == id) {
            return Ok(Json(open.data.clone()));
        }
        let store = console.sources.events.clone();
        let newest = read_off(move || store.newest(&id)).await?;
        newest.map(|message| Json(message.data)).ok_or(Failure::NoEvent)
    };
    told(&reader, found.await)
}

/// `GET /api/v1/events/{id}/history`.
pub(super) async fn history(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let snapshot = console.snapshot_for(&principal);
    let found = async {
        let id = visible(&snapshot, id)?;
        let is_open = open_events(&snapshot).any(|event| event.data.event == id);
        let store = console.sources.events.clone();
        let history: Vec<Message> = read_off(move || store.history(&id)).await?;
        // An event that was told to nobody yet has none.
        if history.is_empty() && !is_open { Err(Failure::NoEvent) } else { Ok(Json(history)) }
    };
    told(&reader, found.await)
}

/// The id, unless it is of an event on trial that the reader may not see.
pub(in crate::console) fn visible(
    snapshot: &Snapshot,
    id: Result<Path<String>, PathRejection>,
) -> Result<String, Failure> {
    let Path(id) = id.map_err(|_| Failure::NoEvent)?;
    let is_open = open_events(snapshot).any(|event| event.data.event == id);
    let is_seen = seen(snapshot).any(|event| event.data.event == id);
    if is_open && !is_seen { Err(Failure::NoEvent) } else { Ok(id) }
}

/// Reads from the store on a thread that may wait.
async fn read_off<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Failure> {
    let read = tokio::task::spawn_blocking(read).await.unwrap_or(Err(StoreError::Closed));
    read.map_err(|error| {
        tracing::warn!(%error, "the journal cannot be read");
        Failure::NotKept
    })
}
