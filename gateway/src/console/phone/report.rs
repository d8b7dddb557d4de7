//! `/report` and `/p/<token>/report`: a person saw something. It goes to the engine as a
//! [`Report`](gatehouse_core::event::action::Report), which joins the event that a sensor has open there
//! for the same cause, or opens one; the answer says which.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use gatehouse_core::community::quantity::Language;
use gatehouse_core::community::scene::Category;
use gatehouse_core::event::REPORT;
use gatehouse_core::event::action::Report;
use gatehouse_core::event::message::EventData;
use maud::{Markup, html};
use serde::Deserialize;
use tokio::time::Instant;

use super::upload::Sent;
use super::{Visitor, encoding, framed, picture};
use crate::audit::Outcome;
use crate::console::failure::Failure;
use crate::console::guard::Reader;
use crate::console::inbox::row::moment;
use crate::console::page::{csrf, translated};
use crate::console::words::phone::PhoneWords;
use crate::console::words::scenes::category;
use crate::console::{Console, Snapshot};
use crate::evidence;

/// Letters of what somebody saw.
const LONGEST: usize = 300;

/// What people see and report; what cameras see comes from cameras.
const ASKED: [Category; 5] = [
    Category::Safety,
    Category::Facility,
    Category::Environment,
    Category::Waste,
    Category::Parking,
];

#[derive(Debug, Deserialize)]
pub(super) struct Said {
    category: Category,
    area: String,
    text: String,
}

/// `GET`: the form.
pub(super) async fn form(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    visitor: Visitor,
) -> Response {
    let words = PhoneWords::of(reader.language);
    framed(&visitor, reader.language, words.report, &fields(&console, &visitor, reader.language))
}

fn fields(console: &Console, visitor: &Visitor, language: Language) -> Markup {
    let snapshot = console.snapshot();
    let words = PhoneWords::of(language);
    html! {
        form .panel method="post" action=(visitor.report) enctype=[encoding(console)] {
            @if let Some(principal) = &visitor.principal { (csrf(principal)) }
            fieldset {
                legend { (words.about) }
                div .tiles {
                    @for one in ASKED {
                        label {
                            input type="radio" name="category" value=(word(one)) required;
                            span { (category(language, one)) }
                        }
                    }
                }
            }
            label {
                span { (words.area) }
                select name="area" required {
                    @for area in &snapshot.community.areas {
                        option value=(area.id) { (translated(&area.title, language)) }
                    }
                }
            }
            label {
                span { (words.what) }
                textarea name="text" rows="3" maxlength=(LONGEST) required
                    aria-describedby="what-hint" {}
            }
            p #what-hint .soft { (words.what_hint) }
            (picture(console, "picture", language))
            button .main type="submit" { (words.send) }
        }
    }
}

/// `POST`: takes it down.
pub(super) async fn take(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    visitor: Visitor,
    request: Request,
) -> Response {
    let Sent { said, picture } = match Sent::<Said>::of(request).await {
        Ok(sent) => sent,
        Err(failure) => return failure.answer(&reader),
    };
    // A phone's keyboard makes lines; the text of an event is one.
    let text = said.text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return Failure::BadForm.answer(&reader);
    }
    let about =
        format!("{} in {}", word(said.category), said.area.chars().take(80).collect::<String>());
    if text.chars().count() > LONGEST {
        console.note(&visitor.name, "event.report", "", Outcome::Refused, "too long a text");
        return Failure::TooLong.answer(&reader);
    }
    if !console.reported.allows(visitor.owner(), Instant::now()) {
        let is_news = console.access().is_news(&visitor.name, Instant::now());
        if is_news {
            console.note(&visitor.name, "event.report", "", Outcome::Refused, "too many");
        }
        return Failure::TooMuch.answer(&reader);
    }
    let still = match console.masked(&visitor, picture).await {
        Ok(still) => still,
        Err(failure) => return failure.answer(&reader),
    };
    let Said { category, area, .. } = said;
    let report = Report { category, area, text, by: visitor.name.clone(), cause: None };
    let acted = match console.sources.desk.report(report).await {
        Ok(acted) => acted,
        Err(error) => {
            tracing::warn!(%error, "a report was not taken down");
            console.note(&visitor.name, "event.report", "", Outcome::Failed, &error.to_string());
            return Failure::NotHeard.answer(&reader);
        }
    };
    let language = reader.language;
    let snapshot = console.snapshot();
    let data = match acted.result {
        Ok(data) => data,
        Err(why) => {
            let told = format!("{about}: {why}");
            console.note(&visitor.name, "event.report", "", Outcome::Refused, &told);
            return Failure::NotDone(why).answer(&reader);
        }
    };
    console.note(&visitor.name, "event.report", &acted.event, Outcome::Done, &about);
    if let Some(still) = still {
        let name = evidence::sent(&acted.event);
        console.keep_still(&visitor, &acted.event, name, still).await;
    }
    let words = PhoneWords::of(language);
    let body = html! {
        (taken(&snapshot, &data, &visitor, language))
        p { a .button href=(visitor.report) { (words.another) } }
    };
    framed(&visitor, language, words.report, &body)
}

/// What became of it: a new event, or one more who says so.
fn taken(snapshot: &Snapshot, data: &EventData, visitor: &Visitor, language: Language) -> Markup {
    let words = PhoneWords::of(language);
    let is_sensed = data.scene != REPORT;
    let (before, between, after) =
        if is_sensed { words.joined_sensor } else { words.joined_report };
    let title = translated(&data.title, language);
    let since = data.started.parse().unwrap_or(snapshot.now);
    html! {
        p .told role="status" {
            @if is_sensed || data.reports.len() > 1 {
                (before) b { (title) } (between) (moment(snapshot, since)) (after)
            } @else {
                (words.opened) b { (title) }
            }
        }
        @if visitor.principal.is_some() {
            p { a href={ "/events/" (data.event) } { (words.see) } }
        }
    }
}

fn word(category: Category) -> &'static str {
    match category {
        Category::Environment => "environment",
        Category::Parking => "parking",
        Category::Waste => "waste",
        Category::Camera => "camera",
        Category::Facility => "facility",
        Category::Safety => "safety",
    }
}
