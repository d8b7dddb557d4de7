//! What can be done about an event as it stands: one form, a button for each deed. What it really allows
//! the engine says; this leaves out what would only be refused.

use std::collections::BTreeSet;

use gatehouse_core::community::people::{Person, on_duty};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::community::scene::Tier;
use gatehouse_core::event::message::{EventData, Stage, State};
use gatehouse_core::view::EventView;
use maud::{Markup, html};

use crate::console::Snapshot;
use crate::console::page::{csrf, translated};
use crate::console::words::Words;
use crate::console::words::event::EventWords;

/// For how long something may be put aside, in minutes.
const ASIDE: [u64; 5] = [30, 120, 480, 1_440, 10_080];

pub(super) fn form(
    snapshot: &Snapshot,
    data: &EventData,
    open: Option<&EventView>,
    address: &str,
    language: Language,
) -> Markup {
    let words = EventWords::of(language);
    let stage = data.handling.stage;
    let needs_review = open.is_some_and(|event| event.needs_review);
    let button = |deed: &str, name: &str, is_main: bool| {
        html! { button .main[is_main] type="submit" name="deed" value=(deed) { (name) } }
    };
    html! {
        form method="post" action="/events/act" {
            @if let Some(principal) = &snapshot.who { (csrf(principal)) }
            input type="hidden" name="event" value=(data.event);
            input type="hidden" name="next" value=(address);
            @if needs_review { p .soft { (words.review_hint) } }
            @if open.is_none() {
                p .soft { (words.left) }
            } @else if stage.is_over() {
                (note(words))
                div .choices { (button("reopen", words.reopen, false)) }
            } @else if needs_review {
                (note(words))
                div .choices {
                    (button("approve", words.approve, true))
                    (button("refuse", words.refuse, false))
                }
            } @else {
                div .choices {
                    @if stage == Stage::Raised { (button("acknowledge", words.acknowledge, true)) }
                    @if stage < Stage::Handled {
                        (button("handle", words.handle, stage >= Stage::Dispatched))
                    }
                    @if stage == Stage::Handled { (button("verify", words.verify, true)) }
                    @if data.state != State::Open || stage == Stage::Verified {
                        (button("close", words.close, stage == Stage::Verified))
                    }
                }
                (note(words))
                @if stage < Stage::Handled && !snapshot.community.duties.people.is_empty() {
                    div .with {
                        label { span { (words.send) } (people(snapshot, data, language)) }
                        (button("dispatch", words.dispatch, stage == Stage::Acknowledged))
                    }
                }
                @if data.handling.shelved_until.is_some() {
                    div .choices { (button("unshelve", words.unshelve, false)) }
                } @else {
                    div .with {
                        label { span { (words.shelve_for) } (spans(language)) }
                        (button("shelve", words.shelve, false))
                    }
                }
                p .soft { (words.dismiss) }
                div .choices {
                    (button("false-alarm", words.false_alarm, false))
                    (button("planned-work", words.planned_work, false))
                }
            }
        }
    }
}

fn note(words: &EventWords) -> Markup {
    html! {
        label .note {
            span { (words.note) }
            input name="note" maxlength="500" autocomplete="off";
        }
    }
}

fn spans(language: Language) -> Markup {
    html! {
        select name="minutes" {
            @for minutes in ASIDE {
                option value=(minutes) {
                    (Words::of(language).age(std::time::Duration::from_mins(minutes)))
                }
            }
        }
    }
}

/// Those on duty for this tier and area first, then everybody else, then teams.
fn people(snapshot: &Snapshot, data: &EventData, language: Language) -> Markup {
    let words = EventWords::of(language);
    let community = &snapshot.community;
    let mut on: Vec<&Person> = Vec::new();
    for tier in [data.tier, Tier::Grid, Tier::Community] {
        for person in on_duty(community, tier, &data.area, snapshot.now) {
            if on.iter().all(|other| other.id != person.id) {
                on.push(person);
            }
        }
    }
    let known: BTreeSet<&str> = on.iter().map(|person| person.id.as_str()).collect();
    let others: Vec<&Person> =
        community.duties.people.iter().filter(|p| !known.contains(p.id.as_str())).collect();
    let assignee = data.handling.assignee.as_deref();
    html! {
        select name="to" {
            @for (label, people) in [(words.on_duty, &on), (words.others, &others)] {
                @if !people.is_empty() {
                    optgroup label=(label) {
                        @for person in people {
                            option value=(person.id) selected[assignee == Some(&person.id)] {
                                (person.name)
                            }
                        }
                    }
                }
            }
            optgroup label=(words.teams) {
                @for team in &community.duties.teams {
                    option value=(team.id) selected[assignee == Some(&team.id)] {
                        (translated(&team.title, language))
                    }
                }
            }
        }
    }
}
