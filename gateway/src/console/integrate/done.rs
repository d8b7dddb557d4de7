//! `GET /integrate/done`: the end of the way, the device's newest reading.

use std::sync::Arc;

use axum::extract::{Extension, Query, State};
use axum::response::Response;
use gatehouse_core::reasons::told;
use maud::{Markup, html};
use serde::Deserialize;

use super::Visit;
use crate::accounts::Principal;
use crate::console::figures::quantity;
use crate::console::guard::Reader;
use crate::console::page::{ago, device_title, translated};
use crate::console::{Console, Snapshot, terms};

#[derive(Deserialize)]
pub(super) struct Made {
    #[serde(default, rename = "type")]
    device_type: String,
    #[serde(default)]
    device: String,
    /// The gateway had not loaded it when the page was made.
    #[serde(default)]
    late: Option<String>,
}

pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(who): Extension<Principal>,
    Query(made): Query<Made>,
) -> Response {
    let visit = Visit { console: &console, reader: &reader, who: &who };
    let (words, snapshot) = (visit.words(), console.snapshot());
    let main = html! {
        @if made.late.is_some() { p .notice role="alert" { (words.late) } }
        @if !made.device_type.is_empty() {
            p .good role="status" { (words.saved) " " span .id { (made.device_type) } }
        }
        @if made.device.is_empty() {
            p { (words.no_device) }
        } @else {
            (readings(&visit, &snapshot, &made.device))
        }
        p { a href="/integrate" { (words.more) } }
    };
    visit.page(words.title, Some(4), &main)
}

/// What the device says now; kept fresh by the script, and by reloading without it.
fn readings(visit: &Visit<'_>, snapshot: &Snapshot, id: &str) -> Markup {
    let (words, language) = (visit.words(), visit.reader.language);
    let view = snapshot.view.devices.iter().find(|device| device.id == id);
    let device = snapshot.community.devices.iter().find(|device| device.id == id);
    html! {
        section #readings .panel data-live aria-labelledby="device" {
            h2 #device { (device_title(&snapshot.community, id, language)) " " span .id { (id) } }
            @match view.and_then(|view| Some((view, view.last_frame?))) {
                None => p { (words.waiting) },
                Some((view, at)) => {
                    p .hint { (ago(snapshot, at, language)) }
                    dl .points {
                        @for (at, (value, quality)) in view.points.iter().enumerate() {
                            @if let Some(point) = device.and_then(|d| d.device_type.points.get(at)) {
                                div {
                                    dt {
                                        (point.title.as_ref().map_or(point.name.as_str(), |t| translated(t, language)))
                                    }
                                    dd {
                                        @match value {
                                            Some(value) => (quantity(*value, &point.unit)),
                                            None => "–",
                                        }
                                        @if *quality != gatehouse_core::reading::Quality::Good {
                                            span .quality { (terms::quality(language, *quality)) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if let Some(refused) = view.map(|view| &view.refused) {
                @for (why, many) in refused { p .refused { (told(language, why)) ": " (many) } }
            }
        }
    }
}
