//! `/` and `/api/v1/events`: what needs somebody now, most urgent first, and what is over.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::{Html, Json};
use gatehouse_core::community::quantity::{Language, printed_unit};
use gatehouse_core::event::message::{EventData, State as Standing};
use gatehouse_core::reading::Timestamp;
use gatehouse_core::view::EventView;
use maud::{Markup, html};

use super::figures::{fingerprint, percent, range, value};
use super::guard::Reader;
use super::judging;
use super::page::{
    self, Here, age, ago, area_title, device_title, is_heard, last_frame, translated,
};
use super::terms;
use super::words::Words;
use super::{Console, Snapshot};
use crate::accounts::Principal;

/// `GET /`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
) -> Html<String> {
    let snapshot = console.snapshot_for(&principal);
    let main = html! {
        main #main tabindex="-1" {
            h1 { (Words::of(reader.language).events) }
            (lists(&snapshot, reader.language))
        }
    };
    page::html(page::full(&snapshot, reader.language, Here::Events, &main))
}

/// `GET /api/v1/events`: the open events as they leave the box.
pub(super) async fn list(State(console): State<Arc<Console>>) -> Json<Vec<EventData>> {
    Json(data(&console.snapshot()))
}

pub(super) fn data(snapshot: &Snapshot) -> Vec<EventData> {
    snapshot.view.events.iter().map(|event| event.data.clone()).collect()
}

/// What is open, what is over, and how often each scene was right.
pub(super) fn lists(snapshot: &Snapshot, language: Language) -> Markup {
    html! {
        (open(snapshot, language))
        (judging::closed(snapshot, language))
        (judging::records(snapshot, language))
    }
}

/// The list of open events, or the good news that there is none.
fn open(snapshot: &Snapshot, language: Language) -> Markup {
    let events = &snapshot.view.events;
    html! {
        div #events data-live data-count=(events.len()) {
            @if events.is_empty() {
                (calm(snapshot, language))
            } @else {
                ol .events role="list" {
                    @for event in events { (card(snapshot, event, language)) }
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

fn card(snapshot: &Snapshot, event: &EventView, language: Language) -> Markup {
    let words = Words::of(language);
    let data = &event.data;
    let (numeral, level) = words.level(data.level);
    let title = translated(&data.title, language);
    let area = area_title(&snapshot.community, &data.area, language);
    let device = device_title(&snapshot.community, &data.device, language);
    let location = translated(&data.location, language);
    let json = serde_json::to_vec(data).unwrap_or_default();
    let why = translated(&data.cause.why, language);
    html! {
        li .card.{ "level-" (data.level.clamp(1, 4)) } data-key=(data.event) data-level=(data.level)
            data-rev=(format!("{:x}", fingerprint(&json)))
            data-say={ (numeral) " " (level) ": " (title) ", " (area) } {
            article aria-labelledby={ "title-" (data.event) } {
                p .head {
                    span .badge { b { (numeral) } " " (level) }
                    @if data.drill { span .tag { (words.drill) } }
                    @let verdict = data.review.verdict.as_deref();
                    @if let Some(verdict) = verdict {
                        (judging::said(verdict, data.review.by.as_deref(), language))
                    } @else if data.review.required {
                        span .tag { (words.review) }
                    }
                    span .state.unknown[data.state == Standing::Unknown] {
                        (terms::state(language, data.state))
                    }
                    span .age { (words.since) " " (age(snapshot, event.started, language)) }
                }
                h2 id={ "title-" (data.event) } { (title) }
                p .where {
                    span { (area) } span { (device) }
                    @if !location.is_empty() { span { (location) } }
                }
                @if !why.is_empty() { p .why { (why) } }
                @let advice = translated(&data.advice, language);
                @if !advice.is_empty() {
                    details { summary { (words.what_to_do) } p .advice { (advice) } }
                }
                details { summary { (words.numbers) } (numbers(snapshot, data, language)) }
                (judging::form(snapshot, &data.event, verdict.is_some(), language))
            }
        }
    }
}

/// What the detector saw, for whoever wants to check it.
fn numbers(snapshot: &Snapshot, data: &EventData, language: Language) -> Markup {
    let words = Words::of(language);
    let cause = &data.cause;
    html! {
        @if !cause.contributions.is_empty() { (contributions(snapshot, data, language)) }
        dl .facts {
            dt { (words.detector) }
            dd { (data.scene) " / " (cause.detector) " (" (cause.model) ")" }
            @if cause.model != "rule" {
                dt { (words.score) }
                dd { (value(cause.score)) " / " (value(cause.threshold)) }
            }
            dt { (words.grading) }
            dd { (terms::grading(language, &cause.grading)) }
            dt { (words.data_quality) }
            dd { (percent(cause.quality)) }
            @if data.affected.len() > 1 {
                dt { (words.affected) " (" (data.affected.len()) ")" }
                dd { (affected(snapshot, data, language)) }
            }
            dt { (words.event_id) }
            dd .id { (data.event) }
        }
    }
}

fn contributions(snapshot: &Snapshot, data: &EventData, language: Language) -> Markup {
    let words = Words::of(language);
    let device = snapshot.community.devices.iter().find(|d| d.id == data.device);
    let points = device.map(|d| d.device_type.points.as_slice()).unwrap_or_default();
    let title = |name: &str| {
        let point = points.iter().find(|p| p.name == name);
        point.and_then(|p| p.title.as_ref()).map(|t| translated(t, language).to_owned())
    };
    html! {
        div .scroll {
            table {
                thead {
                    tr {
                        th scope="col" { (words.point) }
                        th scope="col" { (words.observed) }
                        th scope="col" { (words.expected) }
                        th scope="col" { (words.share) }
                    }
                }
                tbody {
                    @for part in &data.cause.contributions {
                        tr {
                            th scope="row" {
                                (title(&part.point).as_deref().unwrap_or(&part.point))
                                @if !printed_unit(&part.unit).is_empty() { small { " " (printed_unit(&part.unit)) } }
                            }
                            td {
                                @match part.observed {
                                    Some(observed) => (value(observed)),
                                    None => (words.nothing),
                                }
                            }
                            td { (range(part.expected.0, part.expected.1)) }
                            td { (percent(part.share)) }
                        }
                    }
                }
            }
        }
    }
}

/// A dead line may concern hundreds; the first ones tell which line it is.
fn affected(snapshot: &Snapshot, data: &EventData, language: Language) -> String {
    const SHOWN: usize = 12;
    let names = data.affected.iter().take(SHOWN);
    let names: Vec<_> = names.map(|id| device_title(&snapshot.community, id, language)).collect();
    let more = if data.affected.len() > SHOWN { " …" } else { "" };
    format!(
        "{}{more}",
        names.join(match language {
            Language::Zh => "、",
            Language::En => ", ",
        })
    )
}
