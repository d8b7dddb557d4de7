//! `/devices`: what each device last said, by area, and how far it is believed.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::Html;
use gatehouse_core::community::device_type::Point;
use gatehouse_core::community::quantity::Language;
use gatehouse_core::community::{Community, Device};
use gatehouse_core::reading::Quality;
use gatehouse_core::view::DeviceView;
use maud::{Markup, html};
use serde::Deserialize;

use super::figures::{count, quantity};
use super::guard::Reader;
use super::page::{self, Here, ago, is_heard, translated};
use super::terms;
use super::words::Words;
use super::{Console, Snapshot};
use gatehouse_core::reasons;

/// What to leave out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// `trouble`: only devices that are silent or have a value in doubt.
    show: String,
}

/// `GET /devices`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Html<String> {
    let snapshot = console.snapshot();
    let language = reader.language;
    let words = Words::of(language);
    let only_trouble = wanted.is_ok_and(|Query(wanted)| wanted.show == "trouble");
    let devices = snapshot.view.devices.iter();
    let troubled = devices.filter(|d| is_troubled(&snapshot.community, d)).count();
    let main = html! {
        main #main tabindex="-1" {
            h1 { (words.devices) }
            div #devices data-live {
                p .filter {
                    a href="/devices" aria-current=[(!only_trouble).then_some("true")] {
                        (words.all) " " (snapshot.view.devices.len())
                    }
                    a href="/devices?show=trouble" aria-current=[only_trouble.then_some("true")] {
                        (words.troubled) " " (troubled)
                    }
                }
                (sources(&snapshot, language))
                (areas(&snapshot, language, only_trouble))
            }
        }
    };
    page::html(page::full(&snapshot, language, Here::Devices, &main))
}

/// The device behind a view. They come on different ways, so while the configuration is being
/// replaced a position may not be what it was.
pub(super) fn configured<'a>(community: &'a Community, view: &DeviceView) -> Option<&'a Device> {
    let at_its_place = community.devices.get(view.index).filter(|d| d.id == view.id);
    at_its_place.or_else(|| community.devices.iter().find(|d| d.id == view.id))
}

/// Silent, or heard with a value that cannot be believed.
fn is_troubled(community: &Community, view: &DeviceView) -> bool {
    let device = configured(community, view);
    view.silent
        || is_heard(view)
            && view.points.iter().enumerate().any(|(at, (_, quality))| {
                let point = device.and_then(|d| d.device_type.points.get(at));
                is_in_doubt(point, *quality)
            })
}

/// A point that a device may leave out is not in doubt because it did.
fn is_in_doubt(point: Option<&Point>, quality: Quality) -> bool {
    let may_lack = quality == Quality::Missing && point.is_some_and(|p| p.optional);
    quality != Quality::Good && !may_lack
}

fn sources(snapshot: &Snapshot, language: Language) -> Markup {
    let words = Words::of(language);
    html! {
        section .sources aria-labelledby="sources" {
            h2 #sources { (words.sources) }
            ul role="list" {
                @for source in &snapshot.view.sources {
                    li .odd[source.down.is_some()] {
                        b { (source.id) }
                        @match &source.down {
                            Some(why) => { span .bad { (words.down) } span .reason { (why) } }
                            None => { span .good { (words.up) } }
                        }
                        @for (reason, number) in &source.dropped {
                            span .reason { (words.dropped) " " (count(*number)) " (" (reasons::told(language, reason)) ")" }
                        }
                    }
                }
            }
        }
    }
}

fn areas(snapshot: &Snapshot, language: Language, only_trouble: bool) -> Markup {
    let words = Words::of(language);
    let community = &snapshot.community;
    let rows: Vec<_> = snapshot
        .view
        .devices
        .iter()
        .filter(|view| !only_trouble || is_troubled(community, view))
        .map(|view| (configured(community, view), view))
        .collect();
    let of_area = |area: Option<usize>| {
        rows.iter().filter(move |(device, _)| {
            device.map(|d| d.area).filter(|a| *a < community.areas.len()) == area
        })
    };
    let known = community.areas.iter().enumerate();
    let known = known.map(|(at, area)| (Some(at), translated(&area.title, language)));
    html! {
        @if rows.is_empty() { p .calm { (words.no_devices) } }
        @for (at, title) in known.chain([(None, words.unknown_area)]) {
            @let number = of_area(at).count();
            @if number > 0 {
                section .area {
                    h2 { (title) " " small { (number) } }
                    ul .devices role="list" {
                        @for (device, view) in of_area(at) {
                            (row(snapshot, *device, view, language))
                        }
                    }
                }
            }
        }
    }
}

fn row(
    snapshot: &Snapshot,
    device: Option<&Device>,
    view: &DeviceView,
    language: Language,
) -> Markup {
    let words = Words::of(language);
    let title = device.map(|d| translated(&d.title, language)).filter(|t| !t.is_empty());
    let location = device.and_then(|d| d.location.as_ref()).map(|l| translated(l, language));
    html! {
        li .device.odd[view.silent] {
            p .head {
                b { (title.unwrap_or(&view.id)) }
                @if view.silent { span .bad { (words.silent) } }
                span .age {
                    @match view.last_frame {
                        Some(at) => (ago(snapshot, at, language)),
                        None => (words.never),
                    }
                }
            }
            p .where {
                @if title.is_some_and(|t| t != view.id) { span { (view.id) } }
                @if let Some(location) = location { span { (location) } }
                @if let Some(device) = device {
                    span { (translated(&device.device_type.head.title, language)) }
                }
            }
            @if let Some(device) = device { (points(device, view, language)) }
            @if !view.refused.is_empty() {
                p .refused {
                    (words.refused) ": "
                    @for (at, (reason, number)) in view.refused.iter().enumerate() {
                        @if at > 0 { ", " }
                        (reasons::told(language, reason)) " " (count(*number))
                    }
                }
            }
        }
    }
}

fn points(device: &Device, view: &DeviceView, language: Language) -> Markup {
    html! {
        dl .points {
            @let declared = device.device_type.points.iter().zip(&view.points).enumerate();
            @for (at, (point, (value, quality))) in declared {
                @let doubt = is_heard(view) && is_in_doubt(Some(point), *quality);
                div .odd[doubt] {
                    dt { (point.title.as_ref().map_or(&*point.name, |t| translated(t, language))) }
                    dd {
                        @match value {
                            Some(value) => (quantity(*value, &point.unit)),
                            None => "–",
                        }
                        @if doubt {
                            span .quality { (terms::quality(language, *quality)) }
                        }
                        @if value.is_some() && view.learning.contains(&at) {
                            span .learning { (Words::of(language).learning) }
                        }
                    }
                }
            }
        }
    }
}
