//! What became of an event, step by step, from the journal.

use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::message::{Message, Transition};
use maud::{Markup, html};

use crate::console::Snapshot;
use crate::console::inbox::row::{local, person};
use crate::console::words::Words;
use crate::console::words::event::EventWords;

/// One step, or several updates in a row that say the same.
struct Step<'m> {
    transition: Transition,
    message: &'m Message,
    /// Level, when it is another one than before.
    level: Option<u8>,
    many: usize,
}

/// Newest first: that is what somebody looks for.
pub(super) fn told(snapshot: &Snapshot, history: &[Message], language: Language) -> Markup {
    let words = EventWords::of(language);
    html! {
        ol .timeline role="list" {
            @for step in steps(history).iter().rev() {
                @let handling = &step.message.data.handling;
                li .{ "is-" (step.transition.word()) } {
                    p .step {
                        b { (words.transition(step.transition)) }
                        @if step.many > 1 { " ×" (step.many) }
                        @if let Some(level) = step.level {
                            @let (numeral, name) = Words::of(language).level(level);
                            " · " (numeral) " " (name)
                        }
                        @if step.transition == Transition::Escalated {
                            " → " (words.tier(step.message.data.tier))
                        }
                        @if step.transition == Transition::Dispatched {
                            @if let Some(to) = &handling.assignee {
                                " → " (person(snapshot, to, language))
                            }
                        }
                    }
                    p .who {
                        time datetime=(step.message.time) {
                            (step.message.time.parse().map_or(step.message.time.clone(), |at| {
                                local(snapshot, at)
                            }))
                        }
                        @if is_by_somebody(step.transition) {
                            @if let Some(by) = &handling.by { " · " (who(snapshot, by, language)) }
                        }
                    }
                    @if is_by_somebody(step.transition) {
                        @if let Some(note) = handling.note.as_ref().filter(|note| !note.is_empty()) {
                            p .said { (note) }
                        }
                    }
                }
            }
        }
    }
}

/// A person's name; the two who are none by their own words.
fn who<'a>(snapshot: &'a Snapshot, by: &'a str, language: Language) -> &'a str {
    let words = EventWords::of(language);
    match by {
        "sensor" => words.sensor,
        "platform" => words.platform,
        by => person(snapshot, by, language),
    }
}

fn steps(history: &[Message]) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    let mut before = None;
    for message in history {
        let word = message.kind.rsplit('.').next().unwrap_or_default();
        let Ok(transition) = serde_json::from_value(word.into()) else { continue };
        let level = Some(message.data.level).filter(|level| before != Some(*level));
        before = Some(message.data.level);
        match steps.last_mut() {
            Some(last)
                if transition == Transition::Updated
                    && last.transition == Transition::Updated
                    && level.is_none() =>
            {
                last.many += 1;
                last.message = message;
            }
            Some(_) | None => steps.push(Step { transition, message, level, many: 1 }),
        }
    }
    steps
}

/// Whether it is a person's, or the platform's, or the sensor's word that led to it.
fn is_by_somebody(transition: Transition) -> bool {
    match transition {
        Transition::Acknowledged
        | Transition::Dispatched
        | Transition::Handled
        | Transition::Verified
        | Transition::Shelved
        | Transition::Unshelved
        | Transition::Dismissed
        | Transition::Closed => true,
        Transition::Opened
        | Transition::Updated
        | Transition::Escalated
        | Transition::Cleared
        | Transition::Unknown
        | Transition::Reopened => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::message;

    fn told(word: &str, level: u8) -> Message {
        let mut message = message();
        message.kind = format!("gatehouse.event.{word}");
        message.data.level = level;
        message
    }

    #[test]
    fn updates_that_say_nothing_new_are_one_step() {
        let history = [
            told("opened", 3),
            told("updated", 3),
            told("updated", 3),
            told("updated", 2),
            told("updated", 2),
            told("cleared", 2),
            told("nonsense", 2),
        ];

        let steps: Vec<_> =
            steps(&history).iter().map(|s| (s.transition, s.many, s.level)).collect();
        assert_eq!(
            steps,
            [
                (Transition::Opened, 1, Some(3)),
                (Transition::Updated, 2, None),
                (Transition::Updated, 2, Some(2)),
                (Transition::Cleared, 1, None),
            ]
        );
    }
}
