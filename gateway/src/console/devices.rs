//! `/devices`: what each device last said, by area, and how far it is believed.
//! [`super::device`] tells all about one of them.

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

use super::figures::{count, percent, quantity};
use super::guard::Reader;
use super::page::{self, Here, ago, is_heard, translated};
use super::terms;
use super::words::Words;
use super::words::site::SiteWords;
use super::{Console, Snapshot, flash};
use crate::accounts::Principal;
use gatehouse_core::reasons;

/// What to leave out; all when empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// `trouble`: only devices that are silent or have a value in doubt. [`STATES`] has the others.
    show: String,
    /// An area's id.
    area: String,
    /// A device type's id.
    #[serde(rename = "type")]
    kind: String,
    /// Part of the device's id, name or place.
    text: String,
}

/// Words for `show`.
const STATES: [&str; 6] = ["", "trouble", "silent", "doubtful", "refused", "learning"];

/// How a device does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Well,
    /// Heard, with a value that cannot be believed.
    Doubtful,
    Silent,
}

/// `GET /devices`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Html<String> {
    let snapshot = console.snapshot_for(&principal);
    let language = reader.language;
    let words = Words::of(language);
    let wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    let main = html! {
        main #main tabindex="-1" {
            h1 { (words.devices) }
            (search(&snapshot, &wanted, language))
            div #devices data-live {
                (sources(&snapshot, language))
                (flash::section(&snapshot, language))
                (areas(&snapshot, language, &wanted))
            }
        }
    };
    page::html(page::full(&snapshot, language, Here::Devices, &main))
}

/// The form that leaves devices out.
fn search(snapshot: &Snapshot, wanted: &Wanted, language: Language) -> Markup {
    let words = SiteWords::of(language);
    let community = &snapshot.community;
    let choice = |value: &str, is: bool, title: &str| {
        html! { option value=(value) selected[is] { (title) } }
    };
    html! {
        form .narrow method="get" action="/devices" role="search" {
            label {
                (words.text)
                input type="search" name="text" value=(wanted.text) maxlength="80";
            }
            label {
                (words.area)
                select name="area" {
                    (choice("", wanted.area.is_empty(), words.every))
                    @for area in &community.areas {
                        (choice(&area.id, area.id == wanted.area, translated(&area.title, language)))
                    }
                }
            }
            label {
                (words.kind)
                select name="type" {
                    (choice("", wanted.kind.is_empty(), words.every))
                    @for kind in community.device_types.iter().filter(|kind| is_installed(community, &kind.head.id)) {
                        @let head = &kind.head;
                        (choice(&head.id, head.id == wanted.kind, translated(&head.title, language)))
                    }
                }
            }
            label {
                (words.state)
                select name="show" {
                    @for state in STATES {
                        @let is_meant = |view: &&DeviceView| is_shown(community, view, state);
                        @let number = snapshot.view.devices.iter().filter(is_meant).count();
                        @let title = format!("{} ({number})", state_title(state, language));
                        (choice(state, state == wanted.show, &title))
                    }
                }
            }
            button type="submit" { (words.look) }
        }
    }
}

fn is_installed(community: &Community, kind: &str) -> bool {
    community.devices.iter().any(|device| device.device_type.head.id == kind)
}

fn state_title(state: &str, language: Language) -> &'static str {
    let (words, more) = (Words::of(language), SiteWords::of(language));
    match state {
        "trouble" => words.troubled,
        "silent" => words.silent,
        "doubtful" => more.doubtful,
        "refused" => words.refused,
        "learning" => words.learning,
        _ => words.all,
    }
}

/// Whether a device is one of those that `show` asks for.
fn is_shown(community: &Community, view: &DeviceView, show: &str) -> bool {
    let condition = || condition(community, view);
    match show {
        "trouble" => condition() != Condition::Well,
        "silent" => condition() == Condition::Silent,
        "doubtful" => condition() == Condition::Doubtful,
        "refused" => !view.refused.is_empty(),
        "learning" => !view.learning.is_empty(),
        _ => true,
    }
}

impl Wanted {
    fn fits(&self, community: &Community, view: &DeviceView, device: Option<&Device>) -> bool {
        let area = device.and_then(|d| community.areas.get(d.area)).map_or("", |a| &a.id);
        let kind = device.map_or("", |d| &d.device_type.head.id);
        let text = self.text.trim().to_lowercase();
        let has = |part: &str| part.to_lowercase().contains(&text);
        let is_named = || {
            let location = device.and_then(|d| d.location.as_ref());
            let texts = device.map(|d| &d.title).into_iter().chain(location);
            has(&view.id) || texts.into_iter().any(|t| has(&t.zh) || has(&t.en))
        };
        (self.area.is_empty() || self.area == area)
            && (self.kind.is_empty() || self.kind == kind)
            && is_shown(community, view, &self.show)
            && (text.is_empty() || is_named())
    }
}

/// The device behind a view, and its position. They come on different ways, so while the configuration
/// is being replaced a position may not be what it was.
pub(super) fn configured<'a>(
    community: &'a Community,
    view: &DeviceView,
) -> Option<(usize, &'a Device)> {
    let at_its_place = community.devices.get(view.index).filter(|d| d.id == view.id);
    let elsewhere = || community.devices.iter().enumerate().find(|(_, d)| d.id == view.id);
    at_its_place.map(|device| (view.index, device)).or_else(elsewhere)
}

fn device_of<'a>(community: &'a Community, view: &DeviceView) -> Option<&'a Device> {
    configured(community, view).map(|(_, device)| device)
}

/// How a device does now.
pub(super) fn condition(community: &Community, view: &DeviceView) -> Condition {
    if view.silent {
        return Condition::Silent;
    }
    let device = device_of(community, view);
    let is_doubtful = is_heard(view)
        && view.points.iter().enumerate().any(|(at, (_, quality))| {
            let point = device.and_then(|d| d.device_type.points.get(at));
            is_in_doubt(point, *quality)
        });
    if is_doubtful { Condition::Doubtful } else { Condition::Well }
}

/// The share of readings since the start that were believed; `None` when there was none. A frame that
/// was refused as a whole counts as all its readings.
pub(super) fn believed(view: &DeviceView) -> Option<f64> {
    let points = view.points.len().max(1) as f64;
    let all = view.frames as f64 * points;
    let lost = |(reason, number): (&&str, &u64)| {
        *number as f64 * if Quality::ALL.iter().any(|q| q.word() == *reason) { 1.0 } else { points }
    };
    let lost: f64 = view.refused.iter().map(lost).sum();
    (all > 0.0).then(|| (1.0 - lost / all).max(0.0))
}

/// A point that a device may leave out is not in doubt because it did.
pub(super) fn is_in_doubt(point: Option<&Point>, quality: Quality) -> bool {
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
                            Some(why) => { span .bad { (words.down) } span .reason { (why.get(language)) } }
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

fn areas(snapshot: &Snapshot, language: Language, wanted: &Wanted) -> Markup {
    let words = Words::of(language);
    let community = &snapshot.community;
    let rows: Vec<_> = snapshot
        .view
        .devices
        .iter()
        .map(|view| (device_of(community, view), view))
        .filter(|(device, view)| wanted.fits(community, view, *device))
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
                a href={ "/devices/" (view.id) } { b { (title.unwrap_or(&view.id)) } }
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
                @if let Some(share) = believed(view).filter(|share| *share < 0.995) {
                    span .bad { (SiteWords::of(language).believed) " " (percent(share)) }
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
