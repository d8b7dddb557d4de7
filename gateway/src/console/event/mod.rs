//! `/events/{id}`: one event. What and where, how it stands, why, what was measured, what was done and by
//! whom, how the same ended before, and what to do now.
//!
//! An open event comes from the engine's snapshot, its history and those that were like it from the
//! store, its readings from [`crate::lookout`]. [`chart`] draws them, [`timeline`] tells the history,
//! [`deeds`] is the form, [`still`] the masked pictures.

mod chart;
mod deeds;
pub(super) mod still;
mod timeline;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Extension, Path, Query, State};
use axum::response::{IntoResponse, Response};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::message::{Contribution, EventData, Message};
use gatehouse_core::event::summary::Summary;
use gatehouse_core::view::EventView;
use maud::{Markup, html};
use serde::Deserialize;

use super::failure::Failure;
use super::figures::fingerprint;
use super::guard::Reader;
use super::inbox::filter::{open_events, seen};
use super::inbox::notices::{self, Owner};
use super::inbox::row::{self, badge, local, marks, moment, place, tags};
use super::judging;
use super::page::{self, Frame, Here, age, may, translated};
use super::phone::answer;
use super::words::Words;
use super::words::event::EventWords;
use super::{Console, Snapshot, events};
use crate::accounts::{Principal, Right};
use crate::lookout::Around;
use crate::store::{Filter, Place, Store, StoreError};

/// Similar events of the past that are shown.
const SIMILAR: usize = 6;
/// Points of an event that are drawn.
const CHARTS: usize = 3;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    notice: String,
}

/// All that a page is about.
struct Shown {
    data: EventData,
    /// While it is open.
    open: Option<EventView>,
    history: Vec<Message>,
    similar: Vec<Summary>,
    around: Vec<Around>,
    stills: still::Kept,
}

/// `GET /events/{id}`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    told: Query<Told>,
) -> Response {
    let snapshot = console.snapshot_for(&principal);
    let open = open_events(&snapshot).find(|event| event.data.event == id);
    if open.is_some() && seen(&snapshot).all(|event| event.data.event != id) {
        return Failure::NoEvent.answer(&reader);
    }
    let open = open.cloned();
    let store = console.sources.events.clone();
    let evidence = console.sources.pictures.evidence.clone();
    let read = move || {
        let mut shown = past(&store, &id, open)?;
        if let Some(shown) = &mut shown {
            shown.stills = still::kept(evidence.as_ref(), &id);
        }
        Ok(shown)
    };
    let read = tokio::task::spawn_blocking(read).await.unwrap_or(Err(StoreError::Closed));
    let read = read.inspect_err(|error| tracing::warn!(%error, "an event's history"));
    let Some(mut shown) = read.ok().flatten() else {
        return Failure::NoEvent.answer(&reader);
    };
    let since = shown.data.started.parse().unwrap_or(snapshot.now);
    let ended = || shown.history.last()?.time.parse().ok();
    let until = if shown.open.is_some() { None } else { ended() }.unwrap_or(snapshot.now);
    let devices: BTreeSet<String> =
        measured(&shown.data).into_iter().map(|part| part.device.clone()).collect();
    for device in devices {
        shown.around.extend(console.sources.lookout.around(&device, since, until).await);
    }
    let notice = console.notices.take(&Owner::from(&principal), &told.notice);
    let language = reader.language;
    let address = format!("/events/{}", shown.data.event);
    let title = translated(&shown.data.title, language).to_owned();
    let ask = if may(&snapshot, Right::Act) {
        answer::offer(&console, &shown.data, &shown.history, snapshot.now, language)
    } else {
        Markup::default()
    };
    let stills = still::panel(&console, &shown, &title, language);
    let main = html! {
        main #main tabindex="-1" {
            p .up { a href="/" { "← " (EventWords::of(language).back) } }
            (notices::shown(notice.as_ref(), language))
            (whole(&snapshot, &shown, &address, [&ask, &stills], language))
        }
    };
    let frame = Frame { here: Here::Events, title: &title, address: &address, feed: "" };
    page::html(page::framed(&snapshot, language, frame, &main)).into_response()
}

/// Reads what the store knows; `None` when it knows nothing and the event is not open.
fn past(store: &Store, id: &str, open: Option<EventView>) -> Result<Option<Shown>, StoreError> {
    let history = store.history(id)?;
    let newest = || history.last().map(|message| message.data.clone());
    let now = open.as_ref().map(|event| event.data.clone());
    let Some(data) = now.or_else(newest) else { return Ok(None) };
    let line = store.summary(id)?;
    let filter = Filter {
        scene: Some(data.scene.clone()),
        area: Some(data.area.clone()),
        drill: Some(data.drill),
        not_events: [id.to_owned()].into(),
        ..Filter::default()
    };
    let before = line.map(|line| Place { opened: line.opened, event: line.event });
    let mut similar = store.past(&filter, before.as_ref(), SIMILAR)?.events;
    similar.sort_by_key(|other| other.device != data.device);
    Ok(Some(Shown {
        data,
        open,
        history,
        similar,
        around: Vec::new(),
        stills: still::Kept::default(),
    }))
}

fn whole(
    snapshot: &Snapshot,
    shown: &Shown,
    address: &str,
    [ask, stills]: [&Markup; 2],
    language: Language,
) -> Markup {
    let words = EventWords::of(language);
    let data = &shown.data;
    let advice = translated(&data.advice, language);
    let why = translated(&data.cause.why, language);
    html! {
        article .event.{ "level-" (data.level.clamp(1, 4)) } {
            (head(snapshot, shown, language))
            div .columns {
                div .first {
                    @if !advice.is_empty() {
                        section .panel.advice {
                            h2 { (Words::of(language).what_to_do) }
                            p { (advice) }
                        }
                    }
                    (act(snapshot, shown, address, language))
                    (ask)
                    section .panel {
                        h2 { (words.why) }
                        p .why { (why) }
                        (charts(snapshot, shown, language))
                        details {
                            summary { (Words::of(language).numbers) }
                            (events::numbers(snapshot, data, language))
                        }
                    }
                    (stills)
                }
                div .second {
                    section #history .panel data-live {
                        h2 { (words.history) }
                        (timeline::told(snapshot, &shown.history, language))
                    }
                    (similar(snapshot, &shown.similar, language))
                    @if may(snapshot, Right::Act) {
                        section .panel {
                            (judging::form(
                                snapshot, &data.event, data.review.verdict.is_some(), language,
                            ))
                        }
                    }
                }
            }
        }
    }
}

fn head(snapshot: &Snapshot, shown: &Shown, language: Language) -> Markup {
    let words = EventWords::of(language);
    let data = &shown.data;
    let started = data.started.parse().ok();
    let due = data.handling.due.as_deref().and_then(|due| due.parse().ok());
    html! {
        header #stands .panel.stands data-live {
            p .head {
                (badge(data.level, language))
                @if let Some(event) = &shown.open { (marks(event, language)) }
                (tags(snapshot, data, language))
            }
            h1 { (translated(&data.title, language)) }
            (place(snapshot, data, language))
            dl .facts {
                @if let Some(started) = started {
                    dt { (words.began) }
                    dd {
                        (moment(snapshot, started))
                        @if !data.handling.stage.is_over() {
                            " (" (age(snapshot, started, language)) ")"
                        }
                    }
                }
                dt { (words.tier) }
                dd {
                    (words.tier(data.tier))
                    @if let Some(to) = &data.handling.assignee {
                        " · " (row::person(snapshot, to, language))
                    }
                }
                @if let Some(due) = due.filter(|_| !data.handling.stage.is_over()) {
                    dt { (words.due) }
                    dd { (moment(snapshot, due)) }
                }
                @for report in &data.reports {
                    dt { (words.reported) }
                    dd {
                        (report.text) " " small {
                            (row::person(snapshot, &report.by, language)) " · "
                            (report.at.parse().map_or(report.at.clone(), |at| local(snapshot, at)))
                        }
                    }
                }
            }
        }
    }
}

/// What the reader may do about it now; what was typed stays while nothing has changed.
fn act(snapshot: &Snapshot, shown: &Shown, address: &str, language: Language) -> Markup {
    let words = EventWords::of(language);
    let form = deeds::form(snapshot, &shown.data, shown.open.as_ref(), address, language);
    let stands = fingerprint(form.0.as_bytes());
    html! {
        section #deeds .panel.deeds data-live aria-labelledby="deeds-title" {
            div data-key="deeds" data-rev=(format!("{stands:x}")) {
                h2 #deeds-title { (words.act) }
                @if may(snapshot, Right::Act) { (form) } @else { p { (words.may_not) } }
            }
        }
    }
}

/// The points that are drawn, each once: where several detectors looked at one, with what that one holds
/// for normal which says it.
fn measured(data: &EventData) -> Vec<&Contribution> {
    let mut parts: Vec<&Contribution> = Vec::new();
    for part in data.cause.contributions.iter().filter(|part| part.observed.is_some()) {
        let same = |other: &&mut &Contribution| {
            (&other.device, &other.point) == (&part.device, &part.point)
        };
        match parts.iter_mut().find(same) {
            Some(known) if known.expected == (None, None) => *known = part,
            Some(_) => {}
            None => parts.push(part),
        }
    }
    parts.truncate(CHARTS);
    parts
}

fn charts(snapshot: &Snapshot, shown: &Shown, language: Language) -> Markup {
    let data = &shown.data;
    let drawn: Vec<Markup> = measured(data)
        .into_iter()
        .filter_map(|part| {
            let around = shown.around.iter().find(|around| around.device() == part.device)?;
            chart::draw(snapshot, around, part, data, language)
        })
        .collect();
    html! {
        @if drawn.is_empty() {
            @if !measured(data).is_empty() {
                p .soft { (EventWords::of(language).no_readings) }
            }
        } @else {
            h3 { (EventWords::of(language).readings) }
            @for chart in drawn { (chart) }
        }
    }
}

fn similar(snapshot: &Snapshot, similar: &[Summary], language: Language) -> Markup {
    let words = EventWords::of(language);
    html! {
        section .panel.similar {
            h2 { (words.similar) }
            @if similar.is_empty() { p .soft { (words.no_similar) } }
            ol .lines role="list" {
                @for other in similar { (row::past(snapshot, other, language)) }
            }
        }
    }
}
