//! Making a scene live, a pilot, or switching it off: written into the overlay, and the configuration
//! read again.

use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::community::scene::{Scene, Status};
use gatehouse_core::reading::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::{find, mark};
use crate::accounts::{Principal, Right};
use crate::audit::{Note, Outcome};
use crate::clock;
use crate::console::failure::Failure;
use crate::console::guard::Reader;
use crate::console::page::{self, ago, may};
use crate::console::place::Reloaded;
use crate::console::words::scenes::SceneWords;
use crate::console::{Console, Snapshot};
use crate::overlay::{self, Wish};

#[derive(Deserialize)]
pub(in crate::console) struct Wanted {
    status: Status,
}

/// `POST /scenes/{id}/status`.
pub(in crate::console) async fn set(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    form: Result<Form<Wanted>, FormRejection>,
) -> Response {
    let snapshot = console.snapshot_for(&principal);
    let Some(scene) = find(&snapshot, &id) else { return Failure::NotFound.answer(&reader) };
    let Ok(Form(Wanted { status })) = form else { return Failure::BadForm.answer(&reader) };
    let note = |outcome, detail: String| {
        let (who, about) = (principal.name.clone(), id.clone());
        console.sources.audit.note(Note { who, action: "scene.status", about, outcome, detail });
    };
    let detail = format!("{} to {}", word(scene.head.status), word(status));
    if !principal.may(Right::Integrate) {
        note(Outcome::Refused, detail);
        return Failure::NotAllowed.answer(&reader);
    }
    let words = SceneWords::of(reader.language);
    let tell = |title: &str, hint: &str| {
        page::html(page::notice(reader.language, title, hint)).into_response()
    };
    if console.sources.place.reload.is_closed() {
        return tell(words.refused, words.no_reload);
    }
    let written = snapshot.configuration.origins.scenes.get(&id);
    let written = written.map_or(scene.head.status, |(_, status)| *status);
    let (store, who, scene) =
        (console.sources.place.store.clone(), principal.name.clone(), id.clone());
    let set = move || {
        let wish = Wish { scene: &scene, written, status, by: &who, at: clock::wall() };
        overlay::set_status(&store, wish).map_err(|error| error.to_string())
    };
    let set = tokio::task::spawn_blocking(set).await;
    if let Err(why) = set.unwrap_or_else(|error| Err(error.to_string())) {
        note(Outcome::Failed, format!("{detail}: {why}"));
        return tell(words.not_written, &why);
    }
    match console.reload().await {
        Reloaded::InEffect => {
            note(Outcome::Done, detail);
            Redirect::to(&format!("/scenes/{id}")).into_response()
        }
        Reloaded::NextStart => {
            note(Outcome::Done, format!("{detail}, from the next start on"));
            tell(words.change, words.next_start)
        }
        Reloaded::Refused(why) => {
            note(Outcome::Failed, format!("{detail}: {why}"));
            tell(words.refused, &why)
        }
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Live => "live",
        Status::Pilot => "pilot",
        Status::Off => "off",
    }
}

/// What it is, who says so, and the buttons that change it.
pub(super) fn panel(
    console: &Console,
    snapshot: &Snapshot,
    scene: &Scene,
    language: Language,
) -> Markup {
    let words = SceneWords::of(language);
    let head = &scene.head;
    let origins = &snapshot.configuration.origins;
    let set = origins.overlay.scenes.get(&head.id);
    let written = origins.scenes.get(&head.id).map(|(_, status)| *status);
    let can_reload = !console.sources.place.reload.is_closed();
    let is_allowed = may(snapshot, Right::Integrate);
    html! {
        section .panel aria-labelledby="status" {
            h2 #status { (mark(head.status, language)) }
            p { (words.status(head.status).1) }
            @if let Some(set) = set {
                p .reason {
                    (words.set_by) " " (set.by) " · "
                    @match set.at.parse::<Timestamp>() {
                        Ok(at) => (ago(snapshot, at, language)),
                        Err(_) => (set.at),
                    }
                    @if let Some(written) = written {
                        " · " (words.file_says) " " (words.status(written).0)
                    }
                }
            }
            @if is_allowed && can_reload {
                form .choices method="post" action={ "/scenes/" (head.id) "/status" } {
                    @if let Some(who) = &snapshot.who { (page::csrf(who)) }
                    @for (status, name) in [
                        (Status::Live, words.promote),
                        (Status::Pilot, words.to_pilot),
                        (Status::Off, words.to_off),
                    ] {
                        @if status != head.status {
                            button type="submit" name="status" value=(word(status)) { (name) }
                        }
                    }
                }
                p .reason { (words.change_hint) }
            } @else if is_allowed {
                p .reason { (words.no_reload) }
            } @else {
                p .reason { (words.not_yours) }
            }
        }
    }
}
