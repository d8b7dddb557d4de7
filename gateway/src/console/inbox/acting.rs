//! `POST /events/act`: somebody does something about one event, or the same about many.
//!
//! Each deed goes to the engine ([`crate::desk::Desk::act`]), which alone says what an event allows; it
//! is in the audit log whatever came of it. A browser is led back to where it came from, with a notice; a
//! script gets what came of each.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, State};
use axum::response::{IntoResponse, Json, Redirect, Response};
use gatehouse_core::community::quantity::{Language, Text};
use gatehouse_core::event::action::{Action, Actor, Deed, Side};
use gatehouse_core::event::verdict::Verdict;
use gatehouse_core::reading::Timestamp;

use super::notices::Notice;
use crate::accounts::{Principal, Right};
use crate::audit::{Note, Outcome};
use crate::console::Console;
use crate::console::failure::Failure;
use crate::console::guard::Reader;
use crate::console::login::local;
use crate::console::page::with;
use crate::console::words::inbox::InboxWords;

/// Events that one form may name; a page shows fewer.
const MOST: usize = 200;

/// The snapshot is made twice a second.
const CATCH_UP: Duration = Duration::from_millis(700);

/// What a form says, field by field.
#[derive(Debug, Default)]
struct Said {
    events: Vec<String>,
    deed: String,
    to: String,
    minutes: String,
    note: String,
    next: String,
}

impl Said {
    /// `only`, `approve` and `refuse` are buttons of the list, each for one event whatever is chosen.
    fn of(fields: Vec<(String, String)>) -> Self {
        let mut said = Self::default();
        let mut only = None;
        for (name, value) in fields {
            match name.as_str() {
                "event" => said.events.push(value),
                "only" => only = Some(("acknowledge", value)),
                "approve" => only = Some(("approve", value)),
                "refuse" => only = Some(("refuse", value)),
                "deed" => said.deed = value,
                "to" => said.to = value,
                "minutes" => said.minutes = value,
                "note" => said.note = value,
                "next" => said.next = value,
                // The guard has seen to `csrf`.
                _ => {}
            }
        }
        if let Some((deed, event)) = only {
            (said.deed, said.events) = (deed.to_owned(), vec![event]);
        }
        said
    }

    fn deed(&self, now: Timestamp) -> Option<Deed> {
        Some(match self.deed.as_str() {
            "acknowledge" => Deed::Acknowledge,
            "dispatch" => Deed::Dispatch { to: self.to.clone() },
            "handle" => Deed::Handle,
            "verify" => Deed::Verify,
            "shelve" => {
                Deed::Shelve { until: now + Duration::from_mins(self.minutes.parse().ok()?) }
            }
            "unshelve" => Deed::Unshelve,
            "false-alarm" => Deed::Dismiss { as_: Verdict::FalseAlarm },
            "planned-work" => Deed::Dismiss { as_: Verdict::PlannedWork },
            "close" => Deed::Close,
            "reopen" => Deed::Reopen,
            "approve" => Deed::Approve,
            "refuse" => Deed::Refuse,
            _ => return None,
        })
    }
}

/// `POST /events/act`.
pub(in crate::console) async fn act(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Response {
    let Ok(Form(fields)) = form else { return Failure::BadForm.answer(&reader) };
    let said = Said::of(fields);
    let Some(deed) = said.deed(console.sources.clock.now()) else {
        return Failure::BadForm.answer(&reader);
    };
    if said.events.is_empty() || said.events.len() > MOST {
        return Failure::NothingChosen.answer(&reader);
    }
    if !principal.may(Right::Act) {
        let why = "no right";
        said.events.iter().for_each(|event| {
            note(&console, &principal, &deed, event, Outcome::Refused, why);
        });
        return Failure::NotAllowed.answer(&reader);
    }
    let mut all = Vec::new();
    for event in &said.events {
        let actor = Actor { name: principal.name.clone(), side: Side::Box };
        let action =
            Action { event: event.clone(), deed: deed.clone(), actor, note: said.note.clone() };
        let acted = match console.sources.desk.act(action).await {
            Ok(acted) => acted,
            Err(error) => {
                tracing::warn!(%error, "a deed was not taken down");
                note(&console, &principal, &deed, event, Outcome::Failed, &error.to_string());
                return Failure::NotHeard.answer(&reader);
            }
        };
        let (outcome, detail) = match &acted.result {
            Ok(_) => (Outcome::Done, said.note.clone()),
            Err(why) => (Outcome::Refused, why.to_string()),
        };
        note(&console, &principal, &deed, event, outcome, &detail);
        all.push(acted);
    }
    if !reader.wants_page {
        return Json(all).into_response();
    }
    shown(&console).await;
    let failed = all.iter().filter(|acted| acted.result.is_err()).count();
    let told = match all.as_slice() {
        [one] => one.told.clone(),
        many => summed(many.len() - failed, failed),
    };
    let number = console.notices.put((&principal).into(), Notice { told, is_bad: failed > 0 });
    Redirect::to(&with(local(&said.next), "notice", &number.to_string())).into_response()
}

/// Waits until the snapshot has caught up with what was done, so that the page that comes next shows it.
pub(in crate::console) async fn shown(console: &Console) {
    let done = console.sources.clock.now();
    let mut view = console.sources.view.clone();
    let caught_up = view.wait_for(|view| view.at >= done);
    // Late or gone: the page says so soon enough.
    drop(tokio::time::timeout(CATCH_UP, caught_up).await);
}

fn summed(done: usize, failed: usize) -> Text {
    let told = |language| {
        let [(before, after), (but, end)] = InboxWords::of(language).done;
        let failed = if failed > 0 { format!("{but}{failed}{end}") } else { String::new() };
        format!("{before}{done}{after}{failed}")
    };
    Text::new(told(Language::Zh), told(Language::En))
}

pub(in crate::console) fn note(
    console: &Console,
    principal: &Principal,
    deed: &Deed,
    event: &str,
    outcome: Outcome,
    detail: &str,
) {
    let (action, more) = match deed {
        Deed::Acknowledge => ("event.acknowledge", ""),
        Deed::Dispatch { to } => ("event.dispatch", to.as_str()),
        Deed::Handle => ("event.handle", ""),
        Deed::Verify => ("event.verify", ""),
        Deed::Shelve { .. } => ("event.shelve", ""),
        Deed::Unshelve => ("event.unshelve", ""),
        Deed::Dismiss { as_ } => ("event.dismiss", as_.word()),
        Deed::Close => ("event.close", ""),
        Deed::Reopen => ("event.reopen", ""),
        Deed::Approve => ("event.approve", ""),
        Deed::Refuse => ("event.refuse", ""),
    };
    let detail = [more, detail].into_iter().filter(|part| !part.is_empty());
    console.sources.audit.note(Note {
        who: principal.name.clone(),
        action,
        about: event.chars().take(80).collect(),
        outcome,
        detail: detail.collect::<Vec<_>>().join(": "),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(fields: &[(&str, &str)]) -> Said {
        Said::of(fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn a_button_of_one_event_leaves_the_chosen_ones_alone() {
        let many = said(&[("deed", "acknowledge"), ("event", "a"), ("event", "b")]);
        assert_eq!(many.events, ["a", "b"]);
        assert_eq!(many.deed(Timestamp(0)), Some(Deed::Acknowledge));

        let one = said(&[("deed", "acknowledge"), ("event", "a"), ("refuse", "c")]);
        assert_eq!(
            (one.events.as_slice(), one.deed(Timestamp(0))),
            (&["c".to_owned()][..], Some(Deed::Refuse))
        );
    }

    #[test]
    fn a_deed_that_is_none_or_lacks_something_is_no_deed() {
        for fields in [vec![("deed", "explode")], vec![("deed", "shelve"), ("minutes", "soon")]] {
            assert_eq!(said(&fields).deed(Timestamp(0)), None, "{fields:?}");
        }
        let shelve = said(&[("deed", "shelve"), ("minutes", "30")]).deed(Timestamp(0));
        assert_eq!(shelve, Some(Deed::Shelve { until: Timestamp(1_800_000) }));
    }
}
