//! `/integrate/modbus`: who is on a line, and what stands in a block of registers. Questions go between
//! the polls of the line; one scan at a time runs, and goes on while nobody looks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Redirect, Response};
use gatehouse_core::community::{Address, Community, SourceKind};
use gatehouse_core::draft::{function_word, sample::spaced};
use gatehouse_core::reading::WireFault;
use maud::{Markup, html};
use tokio::task::AbortHandle;

use super::Visit;
use super::fields::{Fields, table};
use super::start::tables;
use crate::accounts::Principal;
use crate::audit::Outcome;
use crate::console::Console;
use crate::console::guard::Reader;
use crate::source::modbus::{self, Found, NoProbe, Prober};

/// The scan that runs, or the last one.
#[derive(Default)]
pub(in crate::console) struct Scans(Mutex<Option<Scan>>);

#[derive(Clone)]
struct Scan {
    line: String,
    units: (u8, u8),
    /// The unit that is being asked.
    at: u8,
    found: Vec<Found>,
    end: Option<Result<(), NoProbe>>,
    task: Option<AbortHandle>,
}

impl Scans {
    fn lock(&self) -> MutexGuard<'_, Option<Scan>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, change: impl FnOnce(&mut Scan)) {
        if let Some(scan) = self.lock().as_mut() {
            change(scan);
        }
    }
}

pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(who): Extension<Principal>,
) -> Response {
    let visit = Visit { console: &console, reader: &reader, who: &who };
    let scan = console.scans.lock().clone();
    let main = html! {
        (forms(&visit, scan.as_ref()))
        @if let Some(scan) = &scan { (progress(&visit, scan)) }
    };
    visit.page(visit.words().modbus, None, &main)
}

/// `POST /integrate/modbus`: begin a scan, end it, or read a block.
pub(super) async fn act(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(who): Extension<Principal>,
    fields: Fields,
) -> Response {
    let visit = Visit { console: &console, reader: &reader, who: &who };
    if fields.get("do") == "stop" {
        console.scans.note(|scan| {
            if let Some(task) = scan.task.take() {
                task.abort();
            }
            scan.end = scan.end.or(Some(Ok(())));
        });
        return Redirect::to("/integrate/modbus").into_response();
    }
    let line = fields.get("line");
    let prober = console.sources.wires.borrow().lines.get(line).cloned();
    let Some(prober) = prober else { return visit.refuse(visit.words().no_line) };
    if fields.get("do") == "scan" {
        return begin(&visit, &fields, prober);
    }
    read(&visit, &fields, &prober).await
}

fn begin(visit: &Visit<'_>, fields: &Fields, prober: Prober) -> Response {
    let words = visit.words();
    let (first, last) =
        (fields.number("first").unwrap_or(1_u8), fields.number("last").unwrap_or(32));
    if !(1..=247).contains(&first) || !(first..=247).contains(&last) {
        return visit.refuse(words.no_units);
    }
    let line = fields.get("line").to_owned();
    {
        let mut scan = visit.console.scans.lock();
        if scan.as_ref().is_some_and(|scan| scan.end.is_none()) {
            return visit.refuse(words.busy);
        }
        let units = (first, last);
        let found = Vec::new();
        *scan = Some(Scan { line: line.clone(), units, at: first, found, end: None, task: None });
    }
    visit.note("integrate.scan", &line, Outcome::Done);
    let (console, stop) = (Arc::clone(visit.console), visit.console.stop.clone());
    let task = tokio::spawn(async move {
        let scans = &console.scans;
        let told = |unit, found: Option<Found>| {
            scans.note(|scan| {
                scan.at = unit;
                scan.found.extend(found);
            });
        };
        let scan = modbus::scan(&prober, first..=last, told);
        let end = stop.run_until_cancelled(scan).await.unwrap_or(Ok(()));
        scans.note(|scan| scan.end = Some(end));
    });
    visit.console.scans.note(|scan| scan.task = Some(task.abort_handle()));
    Redirect::to("/integrate/modbus").into_response()
}

fn forms(visit: &Visit<'_>, scan: Option<&Scan>) -> Markup {
    let words = visit.words();
    let chosen = scan.map_or("", |scan| scan.line.as_str());
    html! {
        p .lead { (words.modbus_lead) }
        form method="post" action="/integrate/modbus" .fields.panel {
            (visit.csrf())
            div .row {
                (lines(visit, chosen))
                label { (words.first_unit) input type="number" name="first" min="1" max="247" value="1"; }
                label { (words.last_unit) input type="number" name="last" min="1" max="247" value="32"; }
            }
            button .main type="submit" name="do" value="scan" { (words.scan) }
        }
        form method="post" action="/integrate/modbus" .fields.panel {
            (visit.csrf())
            div .row {
                (lines(visit, chosen))
                label { (words.unit_id) input type="number" name="unit" min="1" max="247" value="1"; }
                label { (words.table) (tables("input")) }
                label { (words.first) input type="number" name="start" min="0" max="65535" value="0"; }
                label { (words.many) input type="number" name="count" min="1" max="125" value="16"; }
            }
            button type="submit" name="do" value="read" { (words.read) }
        }
    }
}

fn lines(visit: &Visit<'_>, chosen: &str) -> Markup {
    let community = visit.console.snapshot().community;
    let lines = community.sources.iter().filter(|source| source.kind == SourceKind::Line);
    html! {
        label {
            (visit.words().line)
            select name="line" {
                @for line in lines { option value=(line.id) selected[line.id == chosen] { (line.id) } }
            }
        }
    }
}

fn progress(visit: &Visit<'_>, scan: &Scan) -> Markup {
    let words = visit.words();
    let community = visit.console.snapshot().community;
    let (first, last) = scan.units;
    html! {
        section #scan data-live aria-labelledby="found" {
            h2 #found { (scan.line) ": " (first) "–" (last) }
            @match scan.end {
                None => {
                    p role="status" { (words.scanning) " " (scan.at) "… " a href="/integrate/modbus" { (words.look_again) } }
                    form method="post" action="/integrate/modbus" {
                        (visit.csrf())
                        button type="submit" name="do" value="stop" { (words.stop) }
                    }
                }
                Some(Ok(())) => p role="status" { (words.scanned) " " (scan.found.len()) },
                Some(Err(error)) => p .notice role="alert" { (error) },
            }
            ul .heard {
                @for found in &scan.found { li .panel { (unit(visit, &community, scan, found)) } }
            }
        }
    }
}

fn unit(visit: &Visit<'_>, community: &Community, scan: &Scan, found: &Found) -> Markup {
    let words = visit.words();
    html! {
        h2 { (words.unit_id) " " (found.unit) @if let Some(id) = device_at(community, &scan.line, found.unit) { " · " span .id { (id) } } }
        @if !found.identity.is_empty() || found.server.is_some() {
            p .hint {
                @for (_, text) in &found.identity { (text) " " }
                @if let Some(server) = &found.server { (server) }
            }
        }
        @if found.tables.is_empty() { p .hint { (words.no_tables) } }
        @for table in &found.tables {
            form method="post" action="/integrate/modbus" .found {
                (visit.csrf())
                input type="hidden" name="line" value=(scan.line);
                input type="hidden" name="unit" value=(found.unit);
                input type="hidden" name="table" value=(function_word(table.function));
                input type="hidden" name="start" value=(table.start);
                input type="hidden" name="count" value=(table.words.len());
                span { b { (function_word(table.function)) } " " (table.start) ": " span .id { (joined(&table.words)) } }
                button type="submit" name="do" value="read" { (words.read) }
            }
        }
    }
}

/// The device that is configured there.
fn device_at<'c>(community: &'c Community, line: &str, unit: u8) -> Option<&'c str> {
    let source = community.sources.iter().position(|source| source.id == line)?;
    let found = community
        .devices
        .iter()
        .find(|device| device.source.0 == source && device.address == Address::Unit(unit));
    found.map(|device| device.id.as_str())
}

async fn read(visit: &Visit<'_>, fields: &Fields, prober: &Prober) -> Response {
    let words = visit.words();
    let (unit, start) = (fields.number("unit").unwrap_or(1), fields.number("start").unwrap_or(0));
    let count = fields.number("count").unwrap_or(16_u16);
    let function = table(fields.get("table"));
    if !(1..=247).contains(&unit)
        || !(1..=125).contains(&count)
        || u32::from(start) + u32::from(count) > 65_536
    {
        return visit.refuse(words.no_units);
    }
    visit.note("integrate.read", &format!("{} {unit}", fields.get("line")), Outcome::Done);
    let read = match modbus::read(prober, unit, function, start, count).await {
        Ok(read) => read,
        Err(error) => return visit.refuse(&error.to_string()),
    };
    let before: Vec<u16> =
        fields.get("before").split(", ").filter_map(|w| w.parse().ok()).collect();
    let main = match read {
        Ok(now) => block(visit, fields, (start, &now), &before),
        Err(fault) => html! {
            p .notice role="alert" { (words.no_answer) " " (fault) @if let WireFault::Exception(2) = fault { ". " (words.exception_2) } }
        },
    };
    let scan = visit.console.scans.lock().clone();
    visit.page(words.modbus, None, &html! { (main) (forms(visit, scan.as_ref())) })
}

/// The words that were read, and which of them have changed since they were read before.
fn block(
    visit: &Visit<'_>,
    fields: &Fields,
    (start, now): (u16, &[u16]),
    before: &[u16],
) -> Markup {
    let words = visit.words();
    let hidden = |with_before: bool| {
        html! {
            (visit.csrf())
            @for key in ["line", "unit", "table", "start", "count"] {
                input type="hidden" name=(key) value=(fields.get(key));
            }
            @if with_before { input type="hidden" name="before" value=(joined(now)); }
        }
    };
    html! {
        section .panel aria-labelledby="block" {
            h2 #block { (fields.get("line")) " · " (words.unit_id) " " (fields.get("unit")) " · " (fields.get("table")) }
            ul .words {
                @for (at, word) in now.iter().enumerate() {
                    @let was = before.get(at).filter(|was| *was != word);
                    li .changed[was.is_some()] {
                        span .hint { (usize::from(start) + at) } " " b { (word) } " " span .id { (spaced(&word.to_be_bytes())) }
                        @if let Some(was) = was { " " span .hint { (words.was) " " (was) } }
                    }
                }
            }
            div .bar {
                form method="post" action="/integrate/choose" {
                    (hidden(false))
                    input type="hidden" name="form" value="words";
                    input type="hidden" name="sample" value=(joined(now));
                    button .main type="submit" { (words.use_this) }
                }
                form method="post" action="/integrate/modbus" {
                    (hidden(true))
                    button type="submit" name="do" value="read" { (words.read_again) }
                }
            }
            p .hint { (words.read_again_hint) }
        }
    }
}

fn joined(words: &[u16]) -> String {
    let words: Vec<String> = words.iter().map(u16::to_string).collect();
    words.join(", ")
}
