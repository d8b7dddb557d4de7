//! `POST /verdict`: what a person says of an event, and the answer: what it did. On the page: the form
//! on each card, the events that are over, and how often each scene was right.
//!
//! It passes [`super::guard`] like the login: a session and one of our own pages, or the bearer token.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, State};
use axum::response::{IntoResponse, Json, Response};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::verdict::{Opinion, Verdict};
use gatehouse_core::view::SceneView;
use maud::{Markup, html};
use serde::Deserialize;

use super::failure::Failure;
use super::figures::percent;
use super::guard::Reader;
use super::page::{self, translated};
use super::words::Words;
use super::{Console, Snapshot};
use crate::accounts::Principal;
use crate::audit::Outcome;
use crate::desk::NoRuling;

/// The word that takes a verdict back.
const WITHDRAW: &str = "withdraw";

#[derive(Deserialize)]
pub(super) struct Said {
    event: String,
    verdict: String,
    by: String,
    #[serde(default)]
    note: String,
}

/// `POST /verdict`.
pub(super) async fn say(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    form: Result<Form<Said>, FormRejection>,
) -> Response {
    let Ok(Form(Said { event, verdict, by, note })) = form else {
        return Failure::BadForm.answer(&reader);
    };
    let known = Verdict::ALL.into_iter().find(|known| known.word() == verdict);
    if known.is_none() && verdict != WITHDRAW {
        return Failure::BadForm.answer(&reader);
    }
    let about = event.clone();
    let said = console.sources.desk.say(Opinion { event, verdict: known, by, note }).await;
    let outcome = if said.is_ok() { Outcome::Done } else { Outcome::Failed };
    console.note(&principal.name, "event.verdict", &about, outcome, &verdict);
    match said {
        Ok(ruling) if reader.wants_page => {
            let told = translated(&ruling.told, reader.language);
            let title = Words::of(reader.language).taken_down;
            page::html(page::notice(reader.language, title, told)).into_response()
        }
        Ok(ruling) => Json(ruling).into_response(),
        Err(NoRuling::Opinion(_)) => Failure::NoName.answer(&reader),
        Err(NoRuling::Unknown(_)) => Failure::NoEvent.answer(&reader),
        Err(error @ (NoRuling::Ending | NoRuling::Late)) => {
            tracing::warn!(%error, "a verdict was not taken down");
            Failure::NotHeard.answer(&reader)
        }
    }
}

/// Three buttons, and one to take back what was said.
pub(super) fn form(
    snapshot: &Snapshot,
    event: &str,
    is_judged: bool,
    language: Language,
) -> Markup {
    let words = Words::of(language);
    html! {
        details .judge {
            summary { (words.judge) }
            form method="post" action="/verdict" {
                @if let Some(who) = &snapshot.who { (page::csrf(who)) }
                input type="hidden" name="event" value=(event);
                label {
                    (words.your_name)
                    input name="by" required maxlength="80" autocomplete="name"
                        value=[snapshot.who.as_ref().map(|who| &who.name)];
                }
                label { (words.note) input name="note" maxlength="500" autocomplete="off"; }
                div .choices {
                    @for verdict in Verdict::ALL {
                        button type="submit" name="verdict" value=(verdict.word()) {
                            (name(verdict, words))
                        }
                    }
                    @if is_judged {
                        button type="submit" name="verdict" value=(WITHDRAW) { (words.withdraw) }
                    }
                }
            }
        }
    }
}

fn name(verdict: Verdict, words: &Words) -> &'static str {
    match verdict {
        Verdict::FalseAlarm => words.false_alarm,
        Verdict::Real => words.real,
        Verdict::PlannedWork => words.planned_work,
    }
}

/// What was said and by whom.
pub(super) fn said(verdict: &str, by: Option<&str>, language: Language) -> Markup {
    let known = Verdict::ALL.into_iter().find(|known| known.word() == verdict);
    let verdict = known.map_or(verdict, |known| name(known, Words::of(language)));
    html! {
        span .tag { (verdict) @if let Some(by) = by { " · " (by) } }
    }
}

/// How often each scene was right.
pub(super) fn records(snapshot: &Snapshot, language: Language) -> Markup {
    let words = Words::of(language);
    let scenes = &snapshot.view.scenes;
    html! {
        section #record .record data-live {
            @if !scenes.is_empty() {
                details {
                    summary { (words.record) }
                    p { (words.record_hint) }
                    (table(scenes, language))
                }
            }
        }
    }
}

fn table(scenes: &[SceneView], language: Language) -> Markup {
    let words = Words::of(language);
    html! {
        div .scroll tabindex="0" role="region" aria-label=(words.record) {
            table {
                thead {
                    tr {
                        th scope="col" { (words.scene) }
                        th scope="col" { (words.precision) }
                        th scope="col" { (words.events) }
                        th scope="col" { (words.real) }
                        th scope="col" { (words.false_alarm) }
                        th scope="col" { (words.planned_work) }
                        th scope="col" { (words.unjudged) }
                    }
                }
                tbody {
                    @for scene in scenes {
                        @let tally = &scene.tally;
                        tr {
                            th scope="row" { (translated(&scene.title, language)) }
                            td { (tally.precision().map_or("–".to_owned(), percent)) }
                            td { (tally.events) }
                            td { (tally.real) }
                            td { (tally.false_alarms) }
                            td { (tally.planned) }
                            td { (tally.unjudged()) }
                        }
                    }
                }
            }
        }
    }
}
