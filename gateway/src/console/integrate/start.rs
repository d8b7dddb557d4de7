//! `GET /integrate`: the three ways in, and what was made here before.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::Response;
use maud::{Markup, html};

use super::Visit;
use super::fields::TABLES;
use crate::accounts::Principal;
use crate::console::Console;
use crate::console::guard::Reader;
use crate::workshop::Kept;
use gatehouse_core::draft::function_word;

pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(who): Extension<Principal>,
) -> Response {
    let visit = Visit { console: &console, reader: &reader, who: &who };
    let workshop = console.sources.workshop.clone();
    let kept = tokio::task::spawn_blocking(move || workshop.map(|workshop| workshop.kept())).await;
    let words = visit.words();
    let main = html! {
        p .lead { (words.lead) }
        (paste(&visit))
        section .panel aria-labelledby="ways" {
            h2 #ways { (words.other_ways) }
            ul .ways {
                li { a href="/integrate/modbus" { (words.modbus) } " " (words.modbus_hint) }
                li { a href="/integrate/listen" { (words.listen) } " " (words.listen_hint) }
            }
        }
        @if let Ok(Some(kept)) = &kept { (made(&visit, kept)) }
    };
    visit.page(words.title, Some(0), &main)
}

fn paste(visit: &Visit<'_>) -> Markup {
    let words = visit.words();
    html! {
        section .panel aria-labelledby="paste" {
            h2 #paste { (words.paste) }
            form method="post" action="/integrate/choose" .fields {
                (visit.csrf())
                label {
                    (words.payload)
                    textarea name="sample" rows="8" required spellcheck="false"
                        placeholder="{\"data\": {\"t\": 21.5}}  ·  01 A4 00  ·  AaQA  ·  253, 561" {}
                }
                label {
                    (words.form)
                    select name="form" {
                        option value="guess" { (words.guess) }
                        option value="json" { "JSON" }
                        option value="hex" { (words.hex) }
                        option value="base64" { "Base64" }
                        option value="words" { (words.registers) }
                    }
                }
                details {
                    summary { (words.of_registers) }
                    div .row {
                        label { (words.table) (tables("input")) }
                        label {
                            (words.first)
                            input name="start" type="number" min="0" max="65535" value="0";
                        }
                    }
                }
                button .main type="submit" { (words.show) }
            }
        }
    }
}

/// The four tables, one chosen.
pub(super) fn tables(chosen: &str) -> Markup {
    html! {
        select name="table" {
            @for table in TABLES {
                @let word = function_word(table);
                option value=(word) selected[word == chosen] { (word) }
            }
        }
    }
}

/// What lies in the overlay, each with a button that takes it away.
fn made(visit: &Visit<'_>, kept: &Kept) -> Markup {
    let words = visit.words();
    let item = |what: &str, id: &str, more: &str| {
        html! {
            li {
                form method="post" action="/integrate/remove" {
                    (visit.csrf())
                    input type="hidden" name="what" value=(what);
                    input type="hidden" name="id" value=(id);
                    span { span .id { (id) } " " (more) }
                    button type="submit" aria-label={ (words.remove) " " (id) } { (words.remove) }
                }
                @if what == "type" {
                    form method="post" action="/integrate/file" {
                        (visit.csrf())
                        input type="hidden" name="edit" value=(id);
                        button type="submit" aria-label={ (words.edit) " " (id) } { (words.edit) }
                    }
                } @else {
                    a href={ "/integrate/done?device=" (id) } { (words.newest) }
                }
            }
        }
    };
    html! {
        section .panel aria-labelledby="made" {
            h2 #made { (words.made) }
            @if kept.types.is_empty() && kept.devices.is_empty() { p { (words.nothing_made) } }
            ul .made {
                @for device in &kept.devices { (item("device", &device.id, &device.device_type)) }
                @for (id, _) in &kept.types { (item("type", id, words.device_type)) }
            }
        }
    }
}
