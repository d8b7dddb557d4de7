//! `/errands` and `/p/<token>`: what that person, or one of the teams, was sent to do: place, action, and
//! two buttons. A deed goes to the engine as everybody else's does.

use std::sync::Arc;

use axum::extract::{Extension, Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use gatehouse_core::community::quantity::{Language, Text};
use gatehouse_core::event::action::{Action, Actor, Deed, Side};
use gatehouse_core::event::message::Stage;
use gatehouse_core::event::view::{Errand, errand};
use gatehouse_core::view::EventView;
use maud::{Markup, html};
use serde::Deserialize;

use super::upload::Sent;
use super::{Visitor, encoding, framed, picture};
use crate::audit::Outcome;
use crate::console::failure::Failure;
use crate::console::guard::Reader;
use crate::console::inbox::acting::shown;
use crate::console::inbox::filter::open_events;
use crate::console::inbox::notices::{self, Notice};
use crate::console::inbox::row::{badge, moment};
use crate::console::page::{area_title, csrf, translated, with};
use crate::console::words::Words;
use crate::console::words::inbox::InboxWords;
use crate::console::words::phone::PhoneWords;
use crate::console::{Console, Snapshot};
use crate::evidence;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    notice: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Said {
    event: String,
    deed: Done,
    #[serde(default)]
    note: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Done {
    Acknowledge,
    Handle,
}

/// `GET`: what is to be done.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    visitor: Visitor,
    Query(told): Query<Told>,
) -> Response {
    let snapshot = console.snapshot();
    let (language, words) = (reader.language, PhoneWords::of(reader.language));
    let notice = console.notices.take(&visitor.owner(), &told.notice);
    let mut all: Vec<Errand> = sent(&snapshot, &visitor)
        .filter(|event| event.data.handling.stage < Stage::Handled)
        .map(|event| errand(&event.data))
        .collect();
    all.sort_by(|a, b| (a.level, &a.started).cmp(&(b.level, &b.started)));
    let body = html! {
        (notices::shown(notice.as_ref(), language))
        @if visitor.person.is_none() {
            p .panel { (words.nobody) }
        } @else if all.is_empty() {
            p .calm { (words.none) }
        }
        @for errand in &all { (one(&console, &snapshot, &visitor, errand, language)) }
    };
    framed(&visitor, language, words.errands, &body)
}

/// The open events to which that person, or one of the teams, was sent.
fn sent<'s>(
    snapshot: &'s Snapshot,
    visitor: &'s Visitor,
) -> impl Iterator<Item = &'s EventView> + use<'s> {
    let person = visitor.person.as_deref().and_then(|id| snapshot.community.duties.person(id));
    open_events(snapshot).filter(move |event| {
        let to = event.data.handling.assignee.as_ref();
        let is_sent = to.zip(person).is_some_and(|(to, p)| *to == p.id || p.teams.contains(to));
        is_sent && !event.is_pilot && !event.needs_review
    })
}

fn one(
    console: &Console,
    snapshot: &Snapshot,
    visitor: &Visitor,
    errand: &Errand,
    language: Language,
) -> Markup {
    let words = PhoneWords::of(language);
    let location = translated(&errand.location, language);
    let advice = translated(&errand.advice, language);
    let started = errand.started.parse().unwrap_or(snapshot.now);
    html! {
        article .panel.errand.{ "level-" (errand.level.clamp(1, 4)) } {
            p .head {
                (badge(errand.level, language))
                @if errand.drill { span .tag.drill { (Words::of(language).drill) } }
                span .stage { (InboxWords::of(language).stage(errand.stage)) }
            }
            h2 { (translated(&errand.title, language)) }
            p .where {
                span { (area_title(&snapshot.community, &errand.area, language)) }
                @if !location.is_empty() { span { (location) } }
                span { (moment(snapshot, started)) }
            }
            @if !advice.is_empty() { p .advice { (advice) } }
            @if visitor.may_act() {
                form method="post" action=(visitor.errands) enctype=[encoding(console)] {
                    @if let Some(principal) = &visitor.principal { (csrf(principal)) }
                    input type="hidden" name="event" value=(errand.event);
                    label {
                        span { (words.note) }
                        input name="note" maxlength="300" autocomplete="off";
                    }
                    (picture(console, &format!("picture-{}", errand.event), language))
                    div .two {
                        button type="submit" name="deed" value="acknowledge" { (words.seen) }
                        button .main type="submit" name="deed" value="handle" { (words.done) }
                    }
                }
            }
        }
    }
}

/// `POST`: the person has seen it, or has done it.
pub(super) async fn act(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    visitor: Visitor,
    request: Request,
) -> Response {
    let Sent { said, picture } = match Sent::<Said>::of(request).await {
        Ok(sent) => sent,
        Err(failure) => return failure.answer(&reader),
    };
    let (deed, action) = match said.deed {
        Done::Acknowledge => (Deed::Acknowledge, "event.acknowledge"),
        Done::Handle => (Deed::Handle, "event.handle"),
    };
    let note = |outcome, detail: &str| {
        let about: String = said.event.chars().take(80).collect();
        console.note(&visitor.name, action, &about, outcome, detail);
    };
    let snapshot = console.snapshot();
    if sent(&snapshot, &visitor).all(|event| event.data.event != said.event) {
        note(Outcome::Refused, "nobody sent them there");
        return Failure::NoEvent.answer(&reader);
    }
    let still = match console.masked(&visitor, picture).await {
        Ok(still) => still,
        Err(failure) => return failure.answer(&reader),
    };
    let actor = Actor { name: visitor.name.clone(), side: Side::Box };
    let event = said.event.clone();
    let wanted = Action { event, deed, actor, note: said.note.clone() };
    let acted = match console.sources.desk.act(wanted).await {
        Ok(acted) => acted,
        Err(error) => {
            tracing::warn!(%error, "a deed was not taken down");
            note(Outcome::Failed, &error.to_string());
            return Failure::NotHeard.answer(&reader);
        }
    };
    let notice = match &acted.result {
        Ok(_) => {
            note(Outcome::Done, &said.note);
            if let Some(still) = still {
                let name = match said.deed {
                    Done::Acknowledge => evidence::sent(&said.event),
                    Done::Handle => evidence::proof(&said.event),
                };
                console.keep_still(&visitor, &said.event, name, still).await;
            }
            Notice { told: told(said.deed), is_bad: false }
        }
        Err(why) => {
            note(Outcome::Refused, &why.to_string());
            Notice { told: acted.told, is_bad: true }
        }
    };
    shown(&console).await;
    let number = console.notices.put(visitor.owner(), notice);
    Redirect::to(&with(&visitor.errands, "notice", &number.to_string())).into_response()
}

fn told(done: Done) -> Text {
    let told = |language| {
        let words = PhoneWords::of(language);
        match done {
            Done::Acknowledge => words.told_seen,
            Done::Handle => words.told_done,
        }
    };
    Text::new(told(Language::Zh), told(Language::En))
}
