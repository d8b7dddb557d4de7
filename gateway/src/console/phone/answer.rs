//! "Is it fixed?": a link that a manager copies from the page of a handled event and hands on. The answer
//! is one deed: yes verifies the event, no opens it again. On the page stand the place, the title and when
//! it was handled, in both languages, and nobody's name or words.
//!
//! The link holds for seven days from then on, and only in that round: the next one is asked by another
//! link. It is used up by an answer that was carried out. What stood in the way of one is told: a sensor
//! that still sees it, or that the event was closed meanwhile and has left the book.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::action::{Action, Actor, Deed, NotDone, NotNow, Side};
use gatehouse_core::event::message::{EventData, Message, Stage};
use gatehouse_core::reading::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use crate::alert::link::{ANSWER_WITHIN, BadLink, Claim, RESIDENT};
use crate::audit::Outcome;
use crate::console::failure::Failure;
use crate::console::guard::Reader;
use crate::console::inbox::filter::open_events;
use crate::console::inbox::row::moment;
use crate::console::page::{self, area_title, translated};
use crate::console::words::phone::PhoneWords;
use crate::console::{Console, Snapshot, link};

/// What the form says; other links have none.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct Said {
    fixed: Option<Fixed>,
    note: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Fixed {
    Yes,
    No,
}

/// When people last said that it was handled.
pub(in crate::console) fn handled(history: &[Message]) -> Option<Timestamp> {
    let is_handled = |message: &&Message| message.kind == "gatehouse.event.handled";
    history.iter().rev().find(is_handled)?.time.parse().ok()
}

/// The event, while the question of that link is still asked.
async fn asked(console: &Console, snapshot: &Snapshot, claim: &Claim) -> Option<EventData> {
    let open = open_events(snapshot).find(|event| event.data.event == claim.event);
    let now = open.map(|event| event.data.clone());
    let (store, id) = (console.sources.events.clone(), claim.event.clone());
    let history = tokio::task::spawn_blocking(move || store.history(&id)).await.ok()?;
    let history = history.inspect_err(|error| tracing::warn!(%error, "an event's history")).ok()?;
    let is_this_round = handled(&history)? + ANSWER_WITHIN == claim.ends;
    let data = now.or_else(|| history.into_iter().last().map(|message| message.data))?;
    let is_asked = match data.handling.stage {
        Stage::Handled | Stage::Verified | Stage::Closed => true,
        Stage::Raised | Stage::Acknowledged | Stage::Dispatched | Stage::Dismissed => false,
    };
    (is_this_round && is_asked).then_some(data)
}

/// Shows the question; changes nothing.
pub(in crate::console) async fn look(
    console: &Console,
    reader: &Reader,
    claim: &Claim,
) -> Response {
    let snapshot = console.snapshot();
    let Some(data) = asked(console, &snapshot, claim).await else {
        return link::refused(console, BadLink::Past, reader);
    };
    let both = languages(reader);
    let done = Timestamp(claim.ends.0) - ANSWER_WITHIN;
    let main = html! {
        main #main .door.phone tabindex="-1" {
            h1 { (bilingual(both, |words| words.fixed)) }
            @for language in both {
                @let location = translated(&data.location, language);
                p lang=(tag(language)) {
                    b { (translated(&data.title, language)) }
                    br;
                    (area_title(&snapshot.community, &data.area, language))
                    @if !location.is_empty() { " · " (location) }
                    br;
                    (PhoneWords::of(language).handled_at) (moment(&snapshot, done))
                }
            }
            form method="post" {
                label for="note" { (bilingual(both, |words| words.what_is_left)) }
                input #note name="note" maxlength="300" autocomplete="off";
                button .main type="submit" name="fixed" value="yes" {
                    (bilingual(both, |words| words.yes))
                }
                button type="submit" name="fixed" value="no" {
                    (bilingual(both, |words| words.no))
                }
            }
            p { (bilingual(both, |words| words.once)) }
        }
    };
    let title = PhoneWords::of(reader.language).fixed;
    page::html(page::bare(reader.language, title, &main)).into_response()
}

/// Takes the answer, once.
pub(in crate::console) async fn act(
    console: &Console,
    reader: &Reader,
    claim: &Claim,
    said: Said,
) -> Response {
    let Some(fixed) = said.fixed else { return Failure::BadForm.answer(reader) };
    let links = &console.sources.links;
    if let Err(bad) = links.take(claim) {
        return link::refused(console, bad, reader);
    }
    let snapshot = console.snapshot();
    if asked(console, &snapshot, claim).await.is_none() {
        links.give_back(claim);
        return link::refused(console, BadLink::Past, reader);
    }
    let (deed, action) = match fixed {
        Fixed::Yes => (Deed::Verify, "event.verify"),
        Fixed::No => (Deed::Reopen, "event.reopen"),
    };
    let note = |outcome, detail: &str| {
        console.note(RESIDENT, action, &claim.event, outcome, detail);
    };
    let actor = Actor { name: RESIDENT.to_owned(), side: Side::Box };
    let wanted = Action { event: claim.event.clone(), deed, actor, note: said.note };
    let acted = match console.sources.desk.act(wanted).await {
        Ok(acted) => acted,
        Err(error) => {
            links.give_back(claim);
            tracing::warn!(%error, event = claim.event, "an answer came to nothing");
            note(Outcome::Failed, &error.to_string());
            return Failure::NotHeard.answer(reader);
        }
    };
    let both = languages(reader);
    let (status, told) = match &acted.result {
        Ok(_) => {
            note(Outcome::Done, "by link");
            if !links.keep(claim, console.sources.clock.now()).await {
                tracing::warn!(
                    event = claim.event,
                    "that a link was used could not be written down"
                );
            }
            let told = |words: &PhoneWords| match fixed {
                Fixed::Yes => words.thanks_yes,
                Fixed::No => words.thanks_no,
            };
            (StatusCode::OK, bilingual(both, told))
        }
        Err(why) => {
            links.give_back(claim);
            note(Outcome::Refused, &why.to_string());
            let Some(told) = in_the_way(why) else {
                return Failure::NotDone(why.clone()).answer(reader);
            };
            (StatusCode::CONFLICT, bilingual(both, told))
        }
    };
    let main = html! { main #main .door.phone { h1 { (told) } } };
    let title = PhoneWords::of(reader.language).fixed;
    (status, page::html(page::bare(reader.language, title, &main))).into_response()
}

/// What a resident is told of what stands in the way; other refusals are said as to everybody.
fn in_the_way(why: &NotDone) -> Option<fn(&PhoneWords) -> &'static str> {
    let NotDone::NotNow { why, .. } = why else { return None };
    match why {
        NotNow::StillSeen => Some(|words| words.still_seen),
        NotNow::Over => Some(|words| words.over),
        NotNow::Unreviewed | NotNow::NoReview => None,
    }
}

/// Both, the reader's own first: who gets the link is not known.
fn languages(reader: &Reader) -> [Language; 2] {
    match reader.language {
        Language::Zh => [Language::Zh, Language::En],
        Language::En => [Language::En, Language::Zh],
    }
}

fn tag(language: Language) -> &'static str {
    match language {
        Language::Zh => "zh",
        Language::En => "en",
    }
}

fn bilingual(both: [Language; 2], text: impl Fn(&PhoneWords) -> &'static str) -> Markup {
    html! {
        @for language in both {
            span .either lang=(tag(language)) { (text(PhoneWords::of(language))) }
        }
    }
}

/// The link to copy, on the page of an event that somebody reported or was sent to.
pub(in crate::console) fn offer(
    console: &Console,
    data: &EventData,
    history: &[Message],
    now: Timestamp,
    language: Language,
) -> Markup {
    let words = PhoneWords::of(language);
    let was_sent = history.iter().any(|message| message.kind == "gatehouse.event.dispatched");
    let is_asked = data.handling.stage == Stage::Handled && (was_sent || !data.reports.is_empty());
    let links = &console.sources.links;
    let made = handled(history).filter(|at| is_asked && *at + ANSWER_WITHIN > now);
    html! {
        @if let Some(at) = made {
            @let path = links.answer(&data.event, at);
            section #answer .panel {
                h2 { (words.ask) }
                p .soft { (words.ask_hint) }
                p { a .copy href=(path) { (links.base().unwrap_or_default()) (path) } }
                @if links.base().is_none() { p .soft { (words.no_base) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resident_is_told_what_truly_stands_in_the_way() {
        let told = |why| {
            let told = in_the_way(&NotDone::NotNow { stage: Stage::Closed, why })?;
            Some(told(PhoneWords::of(Language::En)))
        };
        assert!(told(NotNow::StillSeen).unwrap().contains("the sensor does not find it over yet"));
        let over = told(NotNow::Over).unwrap();
        assert!(over.contains("closed meanwhile") && !over.contains("sensor"), "{over}");
        assert_eq!(told(NotNow::Unreviewed), None, "said as to everybody");
        assert!(in_the_way(&NotDone::TooLong).is_none());
    }
}
