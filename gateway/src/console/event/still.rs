//! `/events/{id}/still`, also below `/api/v1`: the masked still of an event, with `?of=proof` how it was
//! left, with `?of=sent` what somebody sent. Whoever may see the event may see it, and each view stands in the audit log.

use std::sync::Arc;

use axum::extract::{Extension, Path, Query, State};
use axum::response::Response;
use gatehouse_core::community::quantity::Language;
use maud::{Markup, html};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Shown;
use crate::accounts::Principal;
use crate::audit::Outcome;
use crate::console::Console;
use crate::console::api::events::visible;
use crate::console::drawing::jpeg;
use crate::console::failure::Failure;
use crate::console::guard::Reader;
use crate::console::words::camera::CameraWords;
use crate::evidence::{self, NoStill};

/// Which still of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Of {
    /// What happened.
    #[default]
    Event,
    /// How it was left.
    Proof,
    /// What somebody sent who saw it.
    Sent,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::console) struct Wanted {
    /// What happened, how it was left, or what somebody sent.
    of: Of,
}

/// `GET /events/{id}/still`, `GET /api/v1/events/{id}/still`.
pub(in crate::console) async fn get(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let snapshot = console.snapshot_for(&principal);
    let of = match wanted {
        Ok(Query(Wanted { of })) => of,
        Err(error) => return Failure::Malformed(error.body_text()).answer(&reader),
    };
    let id = match visible(&snapshot, Ok(Path(id))) {
        Ok(id) => id,
        Err(failure) => return failure.answer(&reader),
    };
    let (name, what) = match of {
        Of::Event => (id.clone(), "of the event"),
        Of::Proof => (evidence::proof(&id), "of how it was left"),
        Of::Sent => (evidence::sent(&id), "that was sent"),
    };
    let Some(evidence) = console.sources.pictures.evidence.clone() else {
        return Failure::NoStill.answer(&reader);
    };
    let read = tokio::task::spawn_blocking(move || evidence.still(&name)).await;
    match read {
        Ok(Ok(still)) => {
            console.note(&principal.name, "still.view", &id, Outcome::Done, what);
            jpeg(still.jpeg)
        }
        Ok(Err(NoStill::NotKept(_))) => Failure::NoStill.answer(&reader),
        Ok(Err(error @ NoStill::Unusable { .. })) => {
            tracing::warn!(%error, "a still cannot be read");
            Failure::NotKept.answer(&reader)
        }
        Err(_) => Failure::NotKept.answer(&reader),
    }
}

/// What of an event's stills is still there.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Kept {
    event: bool,
    sent: bool,
    proof: bool,
}

/// Blocks on the disk.
pub(super) fn kept(evidence: Option<&evidence::Evidence>, event: &str) -> Kept {
    evidence.map_or_else(Kept::default, |evidence| Kept {
        event: evidence.has(event),
        sent: evidence.has(&evidence::sent(event)),
        proof: evidence.has(&evidence::proof(event)),
    })
}

/// The stills on an event's page; nothing where there never was one.
pub(super) fn panel(console: &Console, shown: &Shown, title: &str, language: Language) -> Markup {
    let words = CameraWords::of(language);
    let (data, kept) = (&shown.data, shown.stills);
    let event = &data.event;
    let says = |name: &str| data.evidence.contains(&evidence::reference(name));
    let (sent, proof) = (evidence::sent(event), evidence::proof(event));
    let pictures = [
        (kept.event, says(event), words.still, words.still_alt, ""),
        (kept.sent, says(&sent), words.sent, words.sent_alt, "?of=sent"),
        (kept.proof, says(&proof), words.proof, words.proof_alt, "?of=proof"),
    ];
    html! {
        @for (is_kept, was_kept, name, alt, query) in pictures {
            @if is_kept || was_kept {
                section .panel.still {
                    h2 { (name) }
                    @if is_kept {
                        img src={ "/events/" (event) "/still" (query) } alt={ (alt) ": " (title) };
                        p .soft { (words.noted) }
                        p .soft { (words.basis) ": " (console.sources.pictures.basis) }
                    } @else {
                        p .soft { (words.still_gone) }
                    }
                }
            }
        }
    }
}
