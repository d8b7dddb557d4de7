//! `/integrate`: from what an unknown sensor sent to its readings, in steps that are plain forms.
//!
//! 1. [`start`]: paste a payload, look at a Modbus line ([`modbus`]) or at a broker ([`listen`]); what was
//!    made here before,
//! 2. [`choose`]: every value that stands in it, side by side,
//! 3. [`name`]: names, units and limits for what was picked,
//! 4. [`file`]: the device type's file and a device of it: checked, saved, downloaded, removed,
//! 5. [`done`]: the device's newest reading.
//!
//! Nothing is kept between the steps: each form carries the sample. What is shown comes out of
//! [`gatehouse_core::draft`]; what is saved goes through [`crate::workshop`].

mod choose;
mod done;
mod fields;
mod file;
mod listen;
mod modbus;
mod name;
mod start;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::{Markup, html};

use super::Console;
use super::failure::Failure;
use super::guard::Reader;
use super::page::{self, Here};
use super::words::integrate::IntegrateWords;
use crate::accounts::{Principal, Right};
use crate::audit::{Note, Outcome};
pub(super) use listen::Ears;
pub(super) use modbus::Scans;

/// A payload with its form's other fields, escaped to three bytes a byte.
pub(super) const MAX_BODY: usize = 192 * 1024;

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/integrate", get(start::page))
        .route("/integrate/choose", get(back).post(choose::page))
        .route("/integrate/name", get(back).post(name::page))
        .route("/integrate/file", get(back).post(file::page))
        .route("/integrate/save", get(back).post(file::save))
        .route("/integrate/remove", get(back).post(file::remove))
        .route("/integrate/done", get(done::page))
        .route("/integrate/modbus", get(modbus::page).post(modbus::act))
        .route("/integrate/listen", get(listen::page).post(listen::act))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(integrators_only))
}

/// A step that is opened without its form begins anew.
async fn back() -> Redirect {
    Redirect::to("/integrate")
}

async fn integrators_only(request: Request, next: Next) -> Response {
    let principal = request.extensions().get::<Principal>();
    if principal.is_some_and(|who| who.may(Right::Integrate)) {
        return next.run(request).await;
    }
    match request.extensions().get::<Reader>() {
        Some(reader) => Failure::NotFound.answer(reader),
        None => axum::http::StatusCode::FORBIDDEN.into_response(),
    }
}

/// Who asks, and what for.
struct Visit<'v> {
    console: &'v Arc<Console>,
    reader: &'v Reader,
    who: &'v Principal,
}

impl Visit<'_> {
    fn words(&self) -> &'static IntegrateWords {
        IntegrateWords::of(self.reader.language)
    }

    /// A step's page; `step` is its number, none for the pages beside them.
    fn page(&self, title: &str, step: Option<usize>, main: &Markup) -> Response {
        let words = self.words();
        let main = html! {
            main #main .integrate tabindex="-1" {
                h1 { (title) }
                @if let Some(step) = step {
                    ol .steps aria-label=(words.steps_label) {
                        @for (at, name) in words.steps.iter().enumerate() {
                            li aria-current=[(at == step).then_some("step")] { (name) }
                        }
                    }
                }
                (main)
            }
        };
        let snapshot = self.console.snapshot_for(self.who);
        page::html(page::full(&snapshot, self.reader.language, Here::Integrate, &main))
            .into_response()
    }

    /// What cannot be done, and the way back.
    fn refuse(&self, why: &str) -> Response {
        let words = self.words();
        let main = html! {
            p .notice role="alert" { (why) }
            p { a href="/integrate" { (words.again) } }
        };
        let page = self.page(words.title, None, &main);
        (axum::http::StatusCode::BAD_REQUEST, page).into_response()
    }

    fn csrf(&self) -> Markup {
        page::csrf(self.who)
    }

    fn note(&self, action: &'static str, about: &str, outcome: Outcome) {
        self.console.sources.audit.note(Note {
            who: self.who.name.clone(),
            action,
            about: about.chars().take(80).collect(),
            outcome,
            detail: String::new(),
        });
    }
}
