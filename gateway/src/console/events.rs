//! The numbers behind an event, for its page.

use gatehouse_core::community::quantity::{Language, printed_unit};
use gatehouse_core::event::message::EventData;
use maud::{Markup, html};

use super::Snapshot;
use super::figures::{percent, range, value};
use super::page::{device_title, translated};
use super::terms;
use super::words::Words;

/// What the detector saw, for whoever wants to check it.
pub(super) fn numbers(snapshot: &Snapshot, data: &EventData, language: Language) -> Markup {
    let words = Words::of(language);
    let cause = &data.cause;
    html! {
        @if !cause.contributions.is_empty() { (contributions(snapshot, data, language)) }
        dl .facts {
            dt { (words.detector) }
            dd { (data.scene) " / " (cause.detector) " (" (cause.model) ")" }
            @if cause.model != "rule" {
                dt { (words.score) }
                dd { (value(cause.score)) " / " (value(cause.threshold)) }
            }
            dt { (words.grading) }
            dd { (terms::grading(language, &cause.grading)) }
            dt { (words.data_quality) }
            dd { (percent(cause.quality)) }
            @if data.affected.len() > 1 {
                dt { (words.affected) " (" (data.affected.len()) ")" }
                dd { (affected(snapshot, data, language)) }
            }
            dt { (words.event_id) }
            dd .id { (data.event) }
        }
    }
}

fn contributions(snapshot: &Snapshot, data: &EventData, language: Language) -> Markup {
    let words = Words::of(language);
    let device = snapshot.community.devices.iter().find(|d| d.id == data.device);
    let points = device.map(|d| d.device_type.points.as_slice()).unwrap_or_default();
    let title = |name: &str| {
        let point = points.iter().find(|p| p.name == name);
        point.and_then(|p| p.title.as_ref()).map(|t| translated(t, language).to_owned())
    };
    html! {
        div .scroll tabindex="0" role="group" aria-label=(words.point) {
            table {
                thead {
                    tr {
                        th scope="col" { (words.point) }
                        th scope="col" { (words.observed) }
                        th scope="col" { (words.expected) }
                        th scope="col" { (words.share) }
                    }
                }
                tbody {
                    @for part in &data.cause.contributions {
                        tr {
                            th scope="row" {
                                (title(&part.point).as_deref().unwrap_or(&part.point))
                                @if !printed_unit(&part.unit).is_empty() { small { " " (printed_unit(&part.unit)) } }
                            }
                            td {
                                @match part.observed {
                                    Some(observed) => (value(observed)),
                                    None => (words.nothing),
                                }
                            }
                            td { (range(part.expected.0, part.expected.1)) }
                            td { (percent(part.share)) }
                        }
                    }
                }
            }
        }
    }
}

/// A dead line may concern hundreds; the first ones tell which line it is.
fn affected(snapshot: &Snapshot, data: &EventData, language: Language) -> String {
    const SHOWN: usize = 12;
    let names = data.affected.iter().take(SHOWN);
    let names: Vec<_> = names.map(|id| device_title(&snapshot.community, id, language)).collect();
    let more = if data.affected.len() > SHOWN { " …" } else { "" };
    format!(
        "{}{more}",
        names.join(match language {
            Language::Zh => "、",
            Language::En => ", ",
        })
    )
}
