//! `POST /integrate/choose`: every value that a sample may hold, to be clicked.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::Response;
use gatehouse_core::community::device_type::TimeField;
use gatehouse_core::decode::Raw;
use gatehouse_core::draft::candidate::{Candidates, Cell, Field, Row, times};
use gatehouse_core::draft::{Place, Sample, order_word, recognise};
use maud::{Markup, html};

use super::Visit;
use super::fields::Fields;
use crate::accounts::Principal;
use crate::console::Console;
use crate::console::figures::value;
use crate::console::guard::Reader;
use crate::console::page::translated;

/// The four orders, as they are looked for in manuals.
const ORDERS: [gatehouse_core::community::device_type::Order; 4] = {
    use gatehouse_core::community::device_type::Order;
    [Order::Big, Order::BigSwapped, Order::LittleSwapped, Order::Little]
};

pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(who): Extension<Principal>,
    fields: Fields,
) -> Response {
    let visit = Visit { console: &console, reader: &reader, who: &who };
    match fields.sample() {
        Ok(sample) => show(&visit, &fields, &sample),
        Err(error) => visit.no_sample(&error),
    }
}

fn show(visit: &Visit<'_>, fields: &Fields, sample: &Sample) -> Response {
    let words = visit.words();
    let candidates = Candidates::of(sample);
    if candidates.is_empty() {
        return visit.refuse(words.no_values);
    }
    let times = times(sample);
    let main = html! {
        (known(visit, fields, sample))
        form method="post" action="/integrate/name" .fields {
            (visit.csrf())
            (fields.carried(sample))
            p { (words.pick) }
            @match &candidates {
                Candidates::Fields(found) => { (table(visit, found)) }
                Candidates::Rows(rows) => {
                    p { (words.orders) }
                    div .places { @for row in rows { (place(visit, row)) } }
                }
            }
            @if !times.is_empty() { (time(visit, &times)) }
            div .bar { button .main type="submit" { (words.next_names) } }
        }
    };
    visit.page(words.title, Some(1), &main)
}

/// Device types that read it already.
fn known(visit: &Visit<'_>, fields: &Fields, sample: &Sample) -> Markup {
    let community = visit.console.snapshot().community;
    let found = recognise(sample, &community.device_types);
    let words = visit.words();
    html! {
        @for known in found.iter().take(3) {
            section .panel.known {
                h2 { (words.known) " " span .id { (known.id) } " · " (translated(&known.title, visit.reader.language)) }
                p { @for (name, number, unit) in &known.values { span .pair { (name) " " b { (value(*number)) } " " (unit) } " " } }
                form method="post" action="/integrate/file" {
                    (visit.csrf())
                    (fields.carried(sample))
                    input type="hidden" name="known" value=(known.id);
                    button type="submit" { (words.install_known) }
                }
            }
        }
    }
}

fn table(visit: &Visit<'_>, fields: &[Field]) -> Markup {
    let words = visit.words();
    html! {
        div .panel.scroll tabindex="0" role="group" aria-label=(words.pick) {
            table {
                thead { tr { @for head in words.field_head { th scope="col" { (head) } } } }
                tbody {
                    @for (at, field) in fields.iter().enumerate() {
                        @let can = field.value.is_ok();
                        tr .odd[!can] {
                            td {
                                @if can {
                                    input type="checkbox" name="pick" id={ "f" (at) }
                                        value=(Place::Json(field.pointer.clone()));
                                }
                            }
                            th scope="row" { label for={ "f" (at) } .id { (field.pointer) } }
                            td .id { (field.sent.chars().take(60).collect::<String>()) }
                            td { (shown(visit, field.value)) }
                        }
                    }
                }
            }
        }
    }
}

/// A byte or register, and all that may begin there: types down, orders across.
fn place(visit: &Visit<'_>, row: &Row) -> Markup {
    let words = visit.words();
    let mut kinds: Vec<&'static str> = Vec::new();
    for cell in &row.cells {
        let kind = cell.place.reading().unwrap_or_default().0;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let find = |kind: &str, order: &str| {
        row.cells.iter().find(|cell| cell.place.reading() == Some((kind, order)))
    };
    html! {
        fieldset .place {
            legend {
                (words.at) " " (row.at) " " span .id { (row.hex) }
                @if let Some(text) = &row.ascii { " “" (text) "”" }
            }
            div .scroll tabindex="0" role="group" aria-label={ (words.at) " " (row.at) } {
                table {
                    thead {
                        tr {
                            th scope="col" { span .quiet { (words.kind) } }
                            @for order in ORDERS { th scope="col" { (order_word(order).1) } }
                        }
                    }
                    tbody {
                        @for kind in kinds {
                            tr {
                                th scope="row" { (kind) }
                                @for order in ORDERS {
                                    td { @if let Some(cell) = find(kind, order_word(order).0) { (cell_of(visit, cell)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell_of(visit: &Visit<'_>, cell: &Cell) -> Markup {
    html! {
        label .cell .likely[cell.is_plausible] {
            @if cell.value.is_ok() {
                input type="checkbox" name="pick" value=(cell.place);
            }
            (shown(visit, cell.value))
            @if cell.is_plausible { span .quiet { " " (visit.words().likely) } }
        }
    }
}

fn time(visit: &Visit<'_>, times: &[TimeField]) -> Markup {
    let words = visit.words();
    html! {
        label {
            (words.time)
            select name="time" {
                option value="" { (words.arrival) }
                @for time in times { option value=(time.json) { (time.json) } }
            }
        }
    }
}

/// A number, or why there is none.
pub(super) fn shown(visit: &Visit<'_>, raw: Raw) -> String {
    match raw {
        Ok(number) if number != 0.0 && !(1e-3..1e9).contains(&number.abs()) => {
            format!("{number:.3e}")
        }
        Ok(number) => value(number),
        Err(quality) => crate::console::terms::quality(visit.reader.language, quality).to_owned(),
    }
}
