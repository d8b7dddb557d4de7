//! `/bays`, `/api/v1/bays` and its stream: how many parking bays are free, lot by lot (a lot is an area).
//! For anybody where `[console] public-bays` says so, else for who is logged in.
//!
//! Two kinds of parking sensors are counted: one per bay, whose point `occupied` is 0 or 1, and guidance
//! systems that tell `free` and `total` themselves. Only good readings of devices that are heard count;
//! a bay of which nothing is known is not free.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::reading::Quality;
use gatehouse_core::view::{DeviceView, View};
use maud::html;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::devices::configured;
use super::failure::Failure;
use super::figures::fingerprint;
use super::guard::{Pass, Reader};
use super::page::{self, is_heard, translated};
use super::words::site::SiteWords;
use super::{Console, Snapshot};

/// How the ids of types that know of bays begin.
const PARKING: [&str; 2] = ["parking-", "bay-"];

/// One lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Lot {
    /// Its id.
    #[serde(rename = "lot")]
    pub area: String,
    pub title: Text,
    /// Bays that are surely free.
    pub free: u64,
    /// Bays of which something is known.
    pub known: u64,
    pub total: u64,
}

/// `GET /bays`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
) -> Response {
    let snapshot = console.snapshot();
    let language = reader.language;
    let words = SiteWords::of(language);
    let lots = lots(&snapshot);
    let main = html! {
        main #main .bays tabindex="-1" {
            h1 {
                (words.bays) " "
                small { (translated(&snapshot.community.title, language)) }
            }
            @if lots.is_empty() { p .calm { (words.no_bays) } }
            ul .lots role="list" {
                @for lot in &lots {
                    li .panel.odd[lot.known > 0 && lot.free == 0] {
                        h2 { (translated(&lot.title, language)) }
                        @if lot.known == 0 {
                            p .reason { (words.unknown_bays) }
                        } @else {
                            p .free {
                                b { (lot.free) } " "
                                @if lot.free == 0 { (words.full) } @else { (words.free) }
                                " " small { (words.of_all) " " (lot.total) }
                            }
                        }
                    }
                }
            }
            p .reason { (words.as_of) " " time datetime=(snapshot.view.at.rfc3339()) { (local(&snapshot)) } }
        }
    };
    page::html(page::bare(language, words.bays, &main)).into_response()
}

/// `GET /api/v1/bays`; answers 304 to who has the newest.
pub(super) async fn list(State(console): State<Arc<Console>>, headers: HeaderMap) -> Response {
    let json = json(&console.snapshot());
    let tag = format!("\"{:016x}\"", fingerprint(json.as_bytes()));
    let known = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    let has = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    if has.is_some_and(|tags| tags.split(',').any(|one| one.trim() == tag)) {
        return (StatusCode::NOT_MODIFIED, known).into_response();
    }
    (known, [(header::CONTENT_TYPE, "application/json")], json).into_response()
}

/// `GET /api/v1/bays/stream`: `event: bays`, the same list, at once and on each change.
pub(super) async fn stream(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(pass): Extension<Pass>,
) -> Response {
    let Ok(permit) = Arc::clone(&console.public_streams).try_acquire_owned() else {
        return Failure::TooManyStreams.answer(&reader);
    };
    let mut view = console.sources.view.clone();
    view.mark_changed();
    let watching = Watching { console, pass, view, last: None, _permit: permit };
    let messages = unfold(watching, |mut watching| async move {
        let json = watching.next().await?;
        Some((Ok::<_, Infallible>(Event::default().event("bays").data(json)), watching))
    });
    Sse::new(messages).keep_alive(KeepAlive::default()).into_response()
}

struct Watching {
    console: Arc<Console>,
    pass: Pass,
    view: watch::Receiver<Arc<View>>,
    last: Option<String>,
    _permit: OwnedSemaphorePermit,
}

impl Watching {
    /// The next picture that is another one; `None` when the program or the session ends.
    async fn next(&mut self) -> Option<String> {
        loop {
            let stop = self.console.stop.clone();
            stop.run_until_cancelled(self.view.changed()).await?.ok()?;
            if !self.pass.holds(&self.console, Instant::now()) {
                return None;
            }
            let json = json(&self.console.snapshot());
            if self.last.as_ref() != Some(&json) {
                self.last = Some(json.clone());
                return Some(json);
            }
        }
    }
}

/// When the snapshot was made, by the community's clock (by UTC's, without a calendar).
fn local(snapshot: &Snapshot) -> String {
    let at = snapshot.view.at;
    let zone = snapshot.community.calendar.as_ref().map(|calendar| calendar.time_zone);
    zone.and_then(|zone| zone.local(at)).map_or_else(
        || at.rfc3339(),
        |local| format!("{} {:02}:{:02}", local.date(), local.hour(), local.minute()),
    )
}

fn json(snapshot: &Snapshot) -> String {
    // Numbers and strings only: serde_json has nothing to refuse.
    serde_json::to_string(&lots(snapshot)).unwrap_or_default()
}

/// Every area with a parking sensor, in the order of the configuration.
pub(super) fn lots(snapshot: &Snapshot) -> Vec<Lot> {
    let community = &snapshot.community;
    let mut lots: Vec<Option<Lot>> = vec![None; community.areas.len()];
    for view in &snapshot.view.devices {
        let Some((_, device)) = configured(community, view) else { continue };
        let device_type = &device.device_type;
        let good = |name: &str| good(view, device_type.point(name)?);
        let (known, free, total) = match (device_type.point("total"), device_type.point("occupied"))
        {
            _ if !PARKING.iter().any(|start| device_type.head.id.starts_with(start)) => continue,
            (Some(at), _) => {
                let total = last(view, at).unwrap_or(0);
                (good("total").unwrap_or(0), good("free").unwrap_or(0).min(total), total)
            }
            (None, Some(_)) => {
                let occupied = good("occupied");
                (u64::from(occupied.is_some()), u64::from(occupied == Some(0)), 1)
            }
            (None, None) => continue,
        };
        let Some(area) = community.areas.get(device.area) else { continue };
        let lot = lots[device.area].get_or_insert_with(|| Lot {
            area: area.id.clone(),
            title: area.title.clone(),
            free: 0,
            known: 0,
            total: 0,
        });
        (lot.free, lot.known, lot.total) = (lot.free + free, lot.known + known, lot.total + total);
    }
    lots.into_iter().flatten().collect()
}

/// A count that can be believed.
fn good(view: &DeviceView, point: usize) -> Option<u64> {
    let (_, quality) = view.points.get(point)?;
    (is_heard(view) && *quality == Quality::Good).then(|| last(view, point)).flatten()
}

/// A count, whether it can be believed or not.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to a million, by the filter"
)]
fn last(view: &DeviceView, point: usize) -> Option<u64> {
    let (value, _) = view.points.get(point)?;
    value.filter(|value| (0.0..1e6).contains(value)).map(|value| value.round() as u64)
}
