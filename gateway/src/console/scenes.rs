//! `/scenes`, `/scenes/{id}` and `/api/v1/scenes`: what each scene is (live, on trial, off), how often it
//! was right, its budget of false alarms. [`setting`] makes it something else; [`trying`] tries it on the
//! past.

mod setting;
mod trying;

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::response::{Html, IntoResponse, Response};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::community::scene::{Detector, Scene, Status};
use gatehouse_core::event::verdict::Tally;
use gatehouse_core::view::BudgetView;
use maud::{Markup, html};

use super::failure::Failure;
use super::figures::{count, percent, value};
use super::guard::Reader;
use super::page::{self, Here, may, translated};
use super::phone::drill;
use super::words::Words;
use super::words::scenes::{SceneWords, category};
use super::{Console, Snapshot};
use crate::accounts::{Principal, Right};
pub(super) use setting::set;
pub(super) use trying::try_it;

pub(super) const WEEK: f64 = 604_800.0;

/// `GET /scenes`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
) -> Html<String> {
    let snapshot = console.snapshot_for(&principal);
    let language = reader.language;
    let main = html! {
        main #main tabindex="-1" {
            h1 { (SceneWords::of(language).scenes) }
            div #scenes data-live { (groups(&snapshot, language)) }
        }
    };
    page::html(page::full(&snapshot, language, Here::Scenes, &main))
}

/// `GET /scenes/{id}`.
pub(super) async fn one(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Response {
    let snapshot = console.snapshot_for(&principal);
    let language = reader.language;
    let Some(scene) = find(&snapshot, &id) else { return Failure::NotFound.answer(&reader) };
    let main = html! {
        main #main tabindex="-1" {
            p .crumbs { a href="/scenes" { (SceneWords::of(language).scenes) } }
            h1 { (translated(&scene.head.title, language)) }
            (setting::panel(&console, &snapshot, scene, language))
            div #scene data-live { (about(&snapshot, scene, language)) }
            (drill::panel(&snapshot, scene, language))
            (trying::panel(&console, &snapshot, scene, language))
        }
    };
    page::html(page::full(&snapshot, language, Here::Scenes, &main)).into_response()
}

fn find<'s>(snapshot: &'s Snapshot, id: &str) -> Option<&'s Arc<Scene>> {
    snapshot.community.scenes.iter().find(|scene| scene.head.id == id)
}

fn tally(snapshot: &Snapshot, scene: &str) -> Tally {
    let view = snapshot.view.scenes.iter().find(|view| view.id == scene);
    view.map(|view| view.tally).unwrap_or_default()
}

pub(super) fn budget<'s>(snapshot: &'s Snapshot, scene: &str) -> Option<&'s BudgetView> {
    snapshot.view.budgets.iter().find(|budget| budget.scene == scene)
}

/// A status as a mark: its shape tells it too.
fn mark(status: Status, language: Language) -> Markup {
    let (name, _) = SceneWords::of(language).status(status);
    let (class, shape) = match status {
        Status::Live => ("live", "●"),
        Status::Pilot => ("pilot", "◐"),
        Status::Off => ("off", "○"),
    };
    html! {
        span .status.(class) { span aria-hidden="true" { (shape) } " " (name) }
    }
}

/// Those on trial first: they wait for somebody to decide.
const ORDER: [Status; 3] = [Status::Pilot, Status::Live, Status::Off];

fn groups(snapshot: &Snapshot, language: Language) -> Markup {
    let (words, common) = (SceneWords::of(language), Words::of(language));
    let of =
        |status| snapshot.community.scenes.iter().filter(move |scene| scene.head.status == status);
    let own: Vec<_> =
        snapshot.view.scenes.iter().filter(|view| find(snapshot, &view.id).is_none()).collect();
    html! {
        p .lead { (common.record_hint) }
        @for status in ORDER {
            @if of(status).next().is_some() {
                @let (_, hint) = words.status(status);
                h2 .above { (mark(status, language)) " " small { (hint) } }
                ul .scenes role="list" {
                    @for scene in of(status) {
                        @let head = &scene.head;
                        li .panel {
                            h3 { a href={ "/scenes/" (head.id) } { (translated(&head.title, language)) } }
                            p .where { span { (category(language, head.category)) } }
                            (figures(snapshot, scene, language))
                        }
                    }
                }
            }
        }
        @if !own.is_empty() {
            h2 .above { (words.other_events) }
            ul .scenes role="list" {
                @for view in own {
                    li .panel {
                        h3 { (translated(&view.title, language)) }
                        (verdicts(view.tally, words.events_90, language))
                    }
                }
            }
        }
    }
}

/// How right it was, and what it used.
fn figures(snapshot: &Snapshot, scene: &Scene, language: Language) -> Markup {
    let words = SceneWords::of(language);
    if scene.head.status == Status::Pilot && !may(snapshot, Right::SeePilots) {
        return html! { p .reason { (words.on_trial) } };
    }
    let raised = match scene.head.status {
        Status::Pilot => words.would_be,
        Status::Live | Status::Off => words.events_90,
    };
    html! {
        (verdicts(tally(snapshot, &scene.head.id), raised, language))
        @if let Some(budget) = budget(snapshot, &scene.head.id) {
            @let allowed = budget.rate * WEEK;
            dl .figures {
                div { dt { (words.budget) } dd { (value(allowed)) " " small { (words.per_week) } } }
                div .odd[f64::from(budget.used) > allowed.max(1.0)] {
                    dt { (words.used) } dd { (budget.used) }
                }
                div { dt { (words.held_back) } dd { (count(budget.held_back)) } }
            }
        }
    }
}

fn verdicts(tally: Tally, raised: &str, language: Language) -> Markup {
    let (words, common) = (SceneWords::of(language), Words::of(language));
    html! {
        dl .figures {
            div { dt { (words.right) } dd { (tally.precision().map_or("–".to_owned(), percent)) } }
            div { dt { (raised) } dd { (tally.events) } }
            div { dt { (common.real) } dd { (tally.real) } }
            div { dt { (common.false_alarm) } dd { (tally.false_alarms) } }
            div { dt { (common.planned_work) } dd { (tally.planned) } }
            div { dt { (common.unjudged) } dd { (tally.unjudged()) } }
        }
    }
}

fn about(snapshot: &Snapshot, scene: &Scene, language: Language) -> Markup {
    let words = SceneWords::of(language);
    let head = &scene.head;
    let file = snapshot.configuration.origins.scenes.get(&head.id);
    let fits = |id: &String| head.device_types.is_empty() || head.device_types.contains(id);
    let devices = snapshot.community.devices.iter();
    let devices = devices.filter(|device| fits(&device.device_type.head.id)).count();
    html! {
        section .panel aria-labelledby="figures" {
            h2 #figures { (Words::of(language).record) }
            (figures(snapshot, scene, language))
            dl .facts {
                dt { (words.category) }
                dd { (category(language, head.category)) }
                dt { (words.devices) }
                dd { (devices) }
                @if let Some((file, _)) = file {
                    dt { (words.file) }
                    dd .id { (file) }
                }
            }
            h3 { (words.detectors) }
            ul .detectors role="list" {
                @for detector in &scene.detectors {
                    li {
                        b { (detector.title.as_ref().map_or(&*detector.id, |t| translated(t, language))) }
                        " " span .id { (detector.id) }
                        p .reason { (looks_at(detector, language)) }
                    }
                }
            }
        }
    }
}

/// What it judges by, as it is written.
fn looks_at(detector: &Detector, language: Language) -> String {
    let words = SceneWords::of(language);
    let point = detector.point.as_deref().unwrap_or_default();
    let by = [
        detector.limit_high.as_ref().map(|limit| format!("{point} > {limit}")),
        detector.limit_low.as_ref().map(|limit| format!("{point} < {limit}")),
        detector.when.clone(),
        detector.model.as_ref().map(|model| format!("{} {model}", words.model)),
    ];
    let by = by.into_iter().flatten().collect::<Vec<_>>().join("; ");
    if detector.on_delay.0.is_zero() {
        return by;
    }
    format!("{by} · {} {}", words.after, Words::of(language).age(detector.on_delay.0))
}
