//! `/devices/{id}`: everything about one device: what it is, how far it is believed, each point's newest
//! value and last day, what was refused and what to do about it, its events.

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::community::{Address, Device};
use gatehouse_core::event::summary::Summary;
use gatehouse_core::reading::Timestamp;
use gatehouse_core::reasons;
use gatehouse_core::view::DeviceView;
use maud::{Markup, html};

use super::camera;
use super::chart::{self, Day, Range};
use super::devices::{Condition, believed, condition, configured, is_in_doubt};
use super::failure::Failure;
use super::figures::{count, percent, quantity};
use super::guard::Reader;
use super::page::{self, Here, ago, is_heard, translated};
use super::place;
use super::terms;
use super::words::Words;
use super::words::site::SiteWords;
use super::{Console, Snapshot};
use crate::accounts::Principal;
use crate::lookout::quarters;
use crate::store::Filter;

/// Events of the past that are shown.
const EVENTS: usize = 12;

/// The last day of each point, by name.
type Days = crate::lookout::Points;

/// `GET /devices/{id}`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Response {
    let snapshot = console.snapshot_for(&principal);
    let language = reader.language;
    let Some(view) = snapshot.view.devices.iter().find(|view| view.id == id) else {
        return Failure::NotFound.answer(&reader);
    };
    let Some((_, device)) = configured(&snapshot.community, view) else {
        return Failure::NotFound.answer(&reader);
    };
    let (days, past) = console.past_of(&id, snapshot.now).await;
    let main = html! {
        main #main tabindex="-1" {
            p .crumbs { a href="/devices" { (Words::of(language).devices) } }
            h1 { (translated(&device.title, language)) }
            div #device data-live {
                (about(&snapshot, device, view, language))
                (camera::panel(&console, &snapshot, device, view, language))
                (refusals(view, language))
                (points(&snapshot, device, view, &days, language))
                (events(&snapshot, view, &past, language))
            }
        }
    };
    page::html(page::full(&snapshot, language, Here::Devices, &main)).into_response()
}

impl Console {
    /// What is kept of the device's last day, and its newest events; nothing where nothing can be read.
    async fn past_of(&self, device: &str, now: Timestamp) -> (Days, Vec<Summary>) {
        let (place, device) = (&self.sources.place, device.to_owned());
        let (folder, events) = (place.store.clone(), place.events.clone());
        let read = move || {
            let days = quarters(&folder, &device, now - chart::SPAN, now).unwrap_or_default();
            let filter = Filter { device: Some(device), ..Filter::default() };
            let past = events.and_then(|events| events.past(&filter, None, EVENTS).ok());
            (days, past.map(|past| past.events).unwrap_or_default())
        };
        tokio::task::spawn_blocking(read).await.unwrap_or_default()
    }
}

fn about(snapshot: &Snapshot, device: &Device, view: &DeviceView, language: Language) -> Markup {
    let (words, more) = (Words::of(language), SiteWords::of(language));
    let community = &snapshot.community;
    let area = community.areas.get(device.area);
    let source = community.sources.get(device.source.0);
    let kind = &device.device_type.head;
    let file = snapshot.configuration.origins.device_types.get(&kind.id);
    html! {
        section .panel aria-labelledby="about" {
            h2 #about {
                @match condition(community, view) {
                    Condition::Well => { span .good { (more.well) } }
                    Condition::Doubtful => { span .bad { (more.doubtful) } }
                    Condition::Silent => { span .bad { (words.silent) } }
                }
            }
            dl .facts {
                dt { (more.device) }
                dd .id { (view.id) }
                @if let Some(area) = area {
                    dt { (more.area) }
                    dd { a href={ "/devices?area=" (area.id) } { (translated(&area.title, language)) } }
                }
                @if let Some(location) = &device.location {
                    dt { (more.location) }
                    dd { (translated(location, language)) }
                }
                dt { (more.kind) }
                dd {
                    a href={ "/devices?type=" (kind.id) } { (translated(&kind.title, language)) }
                    @if let Some(file) = file { " " span .id { (file) } }
                }
                dt { (more.source) }
                dd {
                    (source.map_or("–", |source| &source.id)) " "
                    span .id { (address(&device.address, language)) }
                }
                @if let Some(feeder) = device.feeder.and_then(|at| community.feeders.get(at)) {
                    dt { (more.feeder) }
                    dd { (translated(&feeder.title, language)) }
                }
                dt { (words.last_reading) }
                dd {
                    @match view.last_frame {
                        Some(at) => (ago(snapshot, at, language)),
                        None => (words.never),
                    }
                }
                dt { (more.messages) }
                dd { (count(view.frames)) }
                dt { (more.believed) }
                dd .bad[believed(view).is_some_and(|share| share < 0.95)] {
                    (believed(view).map_or("–".to_owned(), percent))
                }
            }
        }
    }
}

fn address(address: &Address, language: Language) -> String {
    match address {
        Address::Topic(topic) => topic.clone(),
        Address::Unit(unit) => format!("{} {unit}", SiteWords::of(language).unit),
        Address::Chip(place) => place.to_string(),
        Address::Camera(_) | Address::Replay => String::new(),
    }
}

/// What was turned away since the start, why, and what helps.
fn refusals(view: &DeviceView, language: Language) -> Markup {
    let words = Words::of(language);
    let mut refused: Vec<_> = view.refused.iter().collect();
    refused.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
    html! {
        @if !refused.is_empty() {
            section .panel aria-labelledby="refused" {
                h2 #refused { (words.refused) }
                ul .reasons role="list" {
                    @for (reason, number) in refused {
                        li {
                            p { b { (reasons::told(language, reason)) } " " span .tag { (count(*number)) } }
                            @if let Some(advice) = reasons::advice(language, reason) {
                                p .reason { (advice) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn points(
    snapshot: &Snapshot,
    device: &Device,
    view: &DeviceView,
    days: &Days,
    language: Language,
) -> Markup {
    let more = SiteWords::of(language);
    let declared = device.device_type.points.iter().zip(&view.points).enumerate();
    html! {
        section aria-labelledby="points" {
            h2 #points .above { (more.points) }
            ul .measured role="list" {
                @for (at, (point, (value, quality))) in declared {
                    @let doubt = is_heard(view) && is_in_doubt(Some(point), *quality);
                    @let title = point.title.as_ref().map_or(&*point.name, |t| translated(t, language));
                    li .panel.odd[doubt] {
                        h3 { (title) }
                        p .newest {
                            b { (value.map_or("–".to_owned(), |value| quantity(value, &point.unit))) }
                            @if doubt { span .quality { (terms::quality(language, *quality)) } }
                            @if value.is_some() && view.learning.contains(&at) {
                                span .learning { (Words::of(language).learning) }
                            }
                        }
                        (last_day(snapshot, title, &point.unit, days.get(&point.name), language))
                    }
                }
            }
        }
    }
}

fn last_day(
    snapshot: &Snapshot,
    title: &str,
    unit: &str,
    day: Option<&Day>,
    language: Language,
) -> Markup {
    let more = SiteWords::of(language);
    let Some((day, Range { least, most, mean })) = day.and_then(|d| Some((d, chart::range(d)?)))
    else {
        return html! { p .reason { (more.no_day) } };
    };
    let told = format!(
        "{} {} – {} · {} {}",
        more.last_day,
        quantity(least, unit),
        quantity(most, unit),
        more.mean,
        quantity(mean, unit)
    );
    html! {
        (chart::draw(&snapshot.community, day, snapshot.now, &format!("{title}: {told}")))
        p .reason { (told) }
    }
}

/// What is open about it, and what was.
fn events(snapshot: &Snapshot, view: &DeviceView, past: &[Summary], language: Language) -> Markup {
    let (words, more) = (Words::of(language), SiteWords::of(language));
    let concerns = |of: &str, affected: &[String]| of == view.id || affected.contains(&view.id);
    let open: Vec<_> =
        place::open(snapshot).filter(|e| concerns(&e.data.device, &e.data.affected)).collect();
    let is_open = |id: &str| open.iter().any(|event| event.data.event == id);
    let over: Vec<_> = past.iter().filter(|summary| !is_open(&summary.event)).collect();
    let line = |event: &str, level: u8, title: &str, when: Markup| {
        html! {
            li class={ "level-" (level.clamp(1, 4)) } {
                span .badge { (words.level(level).0) }
                a href={ "/events/" (event) } { (title) }
                span .reason { (when) }
            }
        }
    };
    html! {
        section .panel aria-labelledby="its-events" {
            h2 #its-events { (words.events) }
            @if open.is_empty() && over.is_empty() { p .reason { (more.no_events) } }
            ul .open-here role="list" {
                @for event in &open {
                    @let data = &event.data;
                    (line(&data.event, data.level, translated(&data.title, language), html! {
                        (terms::state(language, data.state)) " · " (ago(snapshot, event.started, language))
                    }))
                }
                @for summary in &over {
                    (line(&summary.event, summary.level, translated(&summary.title, language), html! {
                        (terms::state(language, summary.state)) " · "
                        (ago(snapshot, summary.opened, language))
                    }))
                }
            }
        }
    }
}
