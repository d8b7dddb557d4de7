//! Trying a scene on the past: a form, one attempt at a time on a thread of its own, and what came of it.

use std::sync::Arc;
use std::time::Duration;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::community::scene::Scene;
use maud::{Markup, html};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::find;
use crate::accounts::{Principal, Right};
use crate::audit::{Note, Outcome};
use crate::backtest::report::{Counts, Report};
use crate::backtest::span::{Moment, Span};
use crate::backtest::{Ground, try_scene};
use crate::console::failure::Failure;
use crate::console::guard::Reader;
use crate::console::page::{self, ago, area_title, device_title, may, translated};
use crate::console::place::Attempt;
use crate::console::words::scenes::SceneWords;
use crate::console::{Console, Snapshot};

/// How far back one may look.
const DAYS: [u32; 4] = [1, 7, 30, 90];
/// Rows that are shown.
const ROWS: usize = 60;

#[derive(Deserialize)]
pub(in crate::console) struct Wanted {
    days: u32,
}

/// `POST /scenes/{id}/backtest`.
pub(in crate::console) async fn try_it(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    form: Result<Form<Wanted>, FormRejection>,
) -> Response {
    let snapshot = console.snapshot_for(&principal);
    if find(&snapshot, &id).is_none() {
        return Failure::NotFound.answer(&reader);
    }
    let Ok(Form(Wanted { days })) = form else { return Failure::BadForm.answer(&reader) };
    if !DAYS.contains(&days) {
        return Failure::BadForm.answer(&reader);
    }
    if !principal.may(Right::Integrate) {
        return Failure::NotAllowed.answer(&reader);
    }
    let begun = snapshot.now;
    let attempt = Attempt { scene: id.clone(), days, begun, outcome: None };
    if !console.bench.begin(attempt) {
        let words = SceneWords::of(reader.language);
        return page::html(page::notice(reader.language, words.backtest, words.busy))
            .into_response();
    }
    let (who, about) = (principal.name.clone(), id.clone());
    let (action, detail) = ("scene.backtest", format!("{days} days"));
    console.sources.audit.note(Note { who, action, about, outcome: Outcome::Done, detail });
    begin(&console, &snapshot, id.clone(), days);
    Redirect::to(&format!("/scenes/{id}#backtest")).into_response()
}

/// Starts the attempt; its outcome is left on the bench.
fn begin(console: &Arc<Console>, snapshot: &Snapshot, scene: String, days: u32) {
    let store = console.sources.place.store.clone();
    let community = Arc::clone(&snapshot.community);
    let origins = Arc::clone(&snapshot.configuration.origins);
    let now = snapshot.now;
    let (done, outcome) = oneshot::channel();
    let work = move || {
        let back = Duration::from_hours(24) * days;
        let Some(span) = Span::new(Moment::Ago(back), Moment::At(now), now) else { return };
        let ground =
            Ground { store: &store, models: &origins.models, library: origins.library.as_deref() };
        let tried = try_scene(&community, &scene, span, ground);
        // Who stops the gateway does not wait for it.
        drop(done.send(tried.map_err(|error| format!("{error:#}"))));
    };
    let thread = std::thread::Builder::new().name("backtest".to_owned()).spawn(work);
    let console = Arc::clone(console);
    tokio::spawn(async move {
        let outcome = match thread {
            Ok(_) => outcome.await.unwrap_or_else(|_| Err("it broke down".to_owned())),
            Err(error) => Err(error.to_string()),
        };
        console.bench.end(outcome);
    });
}

/// The form, and the last attempt when it was this scene's.
pub(super) fn panel(
    console: &Console,
    snapshot: &Snapshot,
    scene: &Scene,
    language: Language,
) -> Markup {
    let words = SceneWords::of(language);
    let id = &scene.head.id;
    let last = console.bench.last();
    let is_running = last.as_ref().is_some_and(|last| last.outcome.is_none());
    html! {
        section #backtest .panel aria-labelledby="try" {
            h2 #try { (words.backtest) }
            p .reason { (words.backtest_hint) }
            @if !may(snapshot, Right::Integrate) {
                p .reason { (words.not_yours) }
            } @else {
                form .narrow method="post" action={ "/scenes/" (id) "/backtest" } {
                    @if let Some(who) = &snapshot.who { (page::csrf(who)) }
                    label {
                        (words.past_days)
                        select name="days" {
                            @for days in DAYS {
                                option value=(days) selected[days == 7] { (days) }
                            }
                        }
                    }
                    button type="submit" disabled[is_running] { (words.try_it) }
                }
            }
            div #outcome data-live aria-live="polite" {
                @if let Some(last) = last.filter(|last| last.scene == *id) {
                    (attempt(snapshot, &last, language))
                } @else if is_running {
                    p { (words.busy) }
                }
            }
        }
    }
}

fn attempt(snapshot: &Snapshot, last: &Attempt, language: Language) -> Markup {
    let words = SceneWords::of(language);
    html! {
        @match &last.outcome {
            None => {
                p { (words.runs) " " (ago(snapshot, last.begun, language)) }
                p { a href={ "/scenes/" (last.scene) "#backtest" } { (words.look_again) } }
            }
            Some(Err(why)) => { p .bad { (words.failed) " " (why) } }
            Some(Ok(report)) => { (told(snapshot, report, last.days, language)) }
        }
    }
}

fn told(snapshot: &Snapshot, report: &Report, days: u32, language: Language) -> Markup {
    let words = SceneWords::of(language);
    let all = &report.summary;
    let rows: Vec<_> = report.rows.iter().filter(|row| is_worth_a_row(&row.counts)).collect();
    let time = |minutes: u64| {
        let common = crate::console::words::Words::of(language);
        common.age(Duration::from_secs(minutes * 60))
    };
    let name = |id: &str| {
        let device = device_title(&snapshot.community, id, language);
        if device == id {
            area_title(&snapshot.community, id, language).to_owned()
        } else {
            device.to_owned()
        }
    };
    html! {
        dl .figures {
            div { dt { (words.past_days) } dd { (days) } }
            div { dt { (words.live_raised) } dd { (all.live) } }
            div { dt { (words.changed_raised) } dd { (all.changed) } }
            div { dt { (words.same) } dd { (all.same) } }
            div .odd[all.new > 0] { dt { (words.new) } dd { (all.new) } }
            div { dt { (words.perhaps) } dd { (all.perhaps) } }
            div { dt { (words.gone) } dd { (all.gone) } }
            div { dt { (words.unknown) } dd { (all.unknown) } }
            div { dt { (words.missing) } dd { (time(all.missing_minutes)) } }
        }
        @if rows.is_empty() { p { (words.nothing_found) } } @else {
            div .scroll tabindex="0" role="group" aria-label=(words.backtest) {
                table {
                    thead {
                        tr {
                            @for head in [words.subject, words.day, words.live_raised, words.changed_raised, words.new, words.perhaps, words.gone, words.unknown] {
                                th scope="col" { (head) }
                            }
                        }
                    }
                    tbody {
                        @for row in rows.iter().take(ROWS) {
                            @let counts = &row.counts;
                            tr {
                                th scope="row" { (name(&row.subject)) }
                                td { (row.day) }
                                td { (counts.live) } td { (counts.changed) } td { (counts.new) }
                                td { (counts.perhaps) } td { (counts.gone) } td { (counts.unknown) }
                            }
                        }
                    }
                }
            }
            @if rows.len() > ROWS { p .reason { "… " (rows.len() - ROWS) } }
        }
        details {
            summary { (words.cannot_show) }
            ul .cannot {
                @for line in &report.cannot_show { li { (translated(line, language)) } }
            }
        }
    }
}

fn is_worth_a_row(counts: &Counts) -> bool {
    *counts != Counts { missing_minutes: counts.missing_minutes, ..Counts::default() }
}
