//! An event in a list: an open one with what can be done about it, a past one in a line.

use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::message::{EventData, Stage, State};
use gatehouse_core::event::summary::Summary;
use gatehouse_core::reading::Timestamp;
use gatehouse_core::view::EventView;
use maud::{Markup, html};

use crate::accounts::Right;
use crate::console::figures::fingerprint;
use crate::console::page::{age, area_title, device_title, may, translated};
use crate::console::words::Words;
use crate::console::words::event::EventWords;
use crate::console::words::inbox::InboxWords;
use crate::console::{Snapshot, judging, terms};

/// An open event.
pub(super) fn open(snapshot: &Snapshot, event: &EventView, language: Language) -> Markup {
    let words = Words::of(language);
    let data = &event.data;
    let (_, level) = words.level(data.level);
    let title = translated(&data.title, language);
    let area = area_title(&snapshot.community, &data.area, language);
    let json = serde_json::to_vec(data).unwrap_or_default();
    let why = translated(&data.cause.why, language);
    let title_id = format!("title-{}", data.event);
    html! {
        li .card.{ "level-" (data.level.clamp(1, 4)) } data-key=(data.event) data-level=(data.level)
            data-rev=(format!("{:x}", fingerprint(&json)))
            data-say={ (level) ": " (title) ", " (area) } {
            article aria-labelledby=(title_id) {
                p .head {
                    (badge(data.level, language))
                    (marks(event, language))
                    (tags(snapshot, data, language))
                    span .age { (words.since) " " (age(snapshot, event.started, language)) }
                }
                h2 id=(title_id) {
                    a href={ "/events/" (data.event) } { (title) }
                }
                (place(snapshot, data, language))
                @if !why.is_empty() { p .why { (why) } }
                @if may(snapshot, Right::Act) { (deeds(event, &title_id, language)) }
            }
        }
    }
}

/// What can be done from the list; the rest is done on the event's own page.
fn deeds(event: &EventView, title_id: &str, language: Language) -> Markup {
    let data = &event.data;
    let words = InboxWords::of(language);
    let deeds = EventWords::of(language);
    html! {
        div .quick {
            @if event.needs_review {
                button .main type="submit" form="bulk" name="approve" value=(data.event)
                    aria-describedby=(title_id) { (deeds.approve) }
                button type="submit" form="bulk" name="refuse" value=(data.event)
                    aria-describedby=(title_id) { (deeds.refuse) }
            } @else if data.handling.stage == Stage::Raised {
                label .pick {
                    input type="checkbox" form="bulk" name="event" value=(data.event)
                        aria-describedby=(title_id);
                    " " (words.choose)
                }
                button .main type="submit" form="bulk" name="only" value=(data.event)
                    data-acknowledge aria-describedby=(title_id) { (words.acknowledge) }
            }
        }
    }
}

/// Level, in words and numerals.
pub(in crate::console) fn badge(level: u8, language: Language) -> Markup {
    let (numeral, name) = Words::of(language).level(level);
    html! { span .badge.{ "level-" (level.clamp(1, 4)) } { b { (numeral) } " " (name) } }
}

/// Who hears of it: nobody yet, or integrators only.
pub(in crate::console) fn marks(event: &EventView, language: Language) -> Markup {
    html! {
        @if event.is_pilot { span .tag.pilot { (InboxWords::of(language).pilot) } }
        @if event.needs_review { span .tag.wait { (Words::of(language).review) } }
    }
}

/// How it stands: what the sensors see, how far people are, and what makes it special.
pub(in crate::console) fn tags(
    snapshot: &Snapshot,
    data: &EventData,
    language: Language,
) -> Markup {
    let words = Words::of(language);
    let own = InboxWords::of(language);
    let verdict = data.review.verdict.as_deref();
    let handling = &data.handling;
    html! {
        @if data.drill { span .tag.drill { (words.drill) } }
        @if let Some(verdict) = verdict {
            (judging::said(verdict, data.review.by.as_deref(), language))
        }
        span .stage.{ "is-" (handling.stage.word()) } {
            (own.stage(handling.stage))
            @if let Some(to) = &handling.assignee { " · " (person(snapshot, to, language)) }
        }
        @if let Some(until) = handling.shelved_until.as_deref().and_then(|at| at.parse().ok()) {
            span .tag { (own.aside) " " (moment(snapshot, until)) }
        }
        span .state.unknown[data.state == State::Unknown] { (terms::state(language, data.state)) }
    }
}

pub(in crate::console) fn place(
    snapshot: &Snapshot,
    data: &EventData,
    language: Language,
) -> Markup {
    let location = translated(&data.location, language);
    html! {
        p .where {
            span { (area_title(&snapshot.community, &data.area, language)) }
            span { (device_title(&snapshot.community, &data.device, language)) }
            @if !location.is_empty() { span { (location) } }
        }
    }
}

/// An event of the past.
pub(in crate::console) fn past(
    snapshot: &Snapshot,
    summary: &Summary,
    language: Language,
) -> Markup {
    let words = Words::of(language);
    let own = InboxWords::of(language);
    html! {
        li .line.{ "level-" (summary.level.clamp(1, 4)) } data-key=(summary.event)
            data-rev=(format!("{:x}", fingerprint(&serde_json::to_vec(summary).unwrap_or_default()))) {
            (badge(summary.level, language))
            div .what {
                a href={ "/events/" (summary.event) } { (translated(&summary.title, language)) }
                p .where {
                    span { (area_title(&snapshot.community, &summary.area, language)) }
                    span { (device_title(&snapshot.community, &summary.device, language)) }
                }
            }
            p .tags {
                @if summary.drill { span .tag.drill { (words.drill) } }
                @if let Some(verdict) = summary.verdict {
                    (judging::said(verdict.word(), None, language))
                }
                span .stage.{ "is-" (summary.stage.word()) } { (own.stage(summary.stage)) }
            }
            p .when {
                (moment(snapshot, summary.opened))
                @let end = summary.closed.or(summary.cleared);
                small {
                    @match end {
                        Some(end) => { (own.ended) " " (words.age(end.since(summary.opened))) }
                        None => (own.lasts),
                    }
                }
            }
        }
    }
}

/// What people call somebody who was sent.
pub(in crate::console) fn person<'a>(
    snapshot: &'a Snapshot,
    id: &'a str,
    language: Language,
) -> &'a str {
    let duties = &snapshot.community.duties;
    let person = duties.person(id).map(|person| person.name.as_str());
    person.or_else(|| duties.team(id).map(|team| translated(&team.title, language))).unwrap_or(id)
}

/// Day and time by the community's clock; in UTC, and said so, where it has none.
pub(in crate::console) fn moment(snapshot: &Snapshot, at: Timestamp) -> Markup {
    html! { time .whole datetime=(at.rfc3339()) { (local(snapshot, at)) } }
}

/// `2026-03-01 14:05`.
pub(in crate::console) fn local(snapshot: &Snapshot, at: Timestamp) -> String {
    let zone = snapshot.community.calendar.as_ref().map(|calendar| calendar.time_zone);
    let shown = zone.and_then(|zone| zone.local(at)).map(|local| local.to_string());
    let (text, end) = match shown {
        Some(text) => (text, ""),
        None => (at.rfc3339(), " UTC"),
    };
    let minutes: String = text.chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect();
    format!("{minutes}{end}")
}
