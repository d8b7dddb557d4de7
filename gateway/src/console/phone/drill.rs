//! `POST /scenes/{id}/drill`: a manager begins an exercise of a scene. It runs through everything, is
//! marked everywhere and counts in no figure; the core sees to that.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::community::scene::Scene;
use gatehouse_core::event::action::Drill;
use maud::{Markup, html};
use serde::Deserialize;

use crate::accounts::{Principal, Right};
use crate::audit::Outcome;
use crate::console::failure::Failure;
use crate::console::guard::Reader;
use crate::console::inbox::acting::shown;
use crate::console::page::{csrf, may, translated};
use crate::console::words::phone::PhoneWords;
use crate::console::{Console, Snapshot};

#[derive(Debug, Deserialize)]
pub(in crate::console) struct Said {
    place: String,
    #[serde(default)]
    text: String,
}

/// The form on a scene's page.
pub(in crate::console) fn panel(snapshot: &Snapshot, scene: &Scene, language: Language) -> Markup {
    let words = PhoneWords::of(language);
    let head = &scene.head;
    let community = &snapshot.community;
    let fits = |id: &String| head.device_types.is_empty() || head.device_types.contains(id);
    let devices = community.devices.iter().filter(|device| fits(&device.device_type.head.id));
    html! {
        @if may(snapshot, Right::Act) {
            section .panel.phone aria-labelledby="drill" {
                h2 #drill { (words.drill) }
                p .soft { (words.drill_hint) }
                form method="post" action={ "/scenes/" (head.id) "/drill" } {
                    @if let Some(principal) = &snapshot.who { (csrf(principal)) }
                    label {
                        span { (words.drill_place) }
                        select name="place" required {
                            optgroup label=(words.areas) {
                                @for area in &community.areas {
                                    option value=(area.id) { (translated(&area.title, language)) }
                                }
                            }
                            optgroup label=(words.devices) {
                                @for device in devices {
                                    option value=(device.id) {
                                        (translated(&device.title, language))
                                    }
                                }
                            }
                        }
                    }
                    label {
                        span { (words.drill_text) }
                        input name="text" maxlength="300" autocomplete="off";
                    }
                    button type="submit" { (words.drill_start) }
                }
            }
        }
    }
}

/// `POST`: begins it, and shows its event.
pub(super) async fn start(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    Path(scene): Path<String>,
    form: Result<Form<Said>, FormRejection>,
) -> Response {
    let Said { place, text } = match form {
        Ok(Form(said)) => said,
        Err(refused) => return Failure::from(refused).answer(&reader),
    };
    let about: String = scene.chars().take(80).collect();
    let at: String = place.chars().take(80).collect();
    let note = |outcome, detail: &str| {
        let detail = format!("at {at}: {detail}");
        console.note(&principal.name, "drill.start", &about, outcome, &detail);
    };
    let drill = Drill { scene, place, by: principal.name.clone(), text };
    let acted = match console.sources.desk.drill(drill).await {
        Ok(acted) => acted,
        Err(error) => {
            tracing::warn!(%error, "an exercise was not begun");
            note(Outcome::Failed, &error.to_string());
            return Failure::NotHeard.answer(&reader);
        }
    };
    if let Err(why) = acted.result {
        note(Outcome::Refused, &why.to_string());
        return Failure::NotDone(why).answer(&reader);
    }
    note(Outcome::Done, &acted.event);
    shown(&console).await;
    Redirect::to(&format!("/events/{}", acted.event)).into_response()
}
