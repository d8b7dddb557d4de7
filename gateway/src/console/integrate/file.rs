//! The device type's file and a device of it: `POST /integrate/file` shows and checks them, `/save` puts
//! them in place and has the gateway load anew, `/remove` takes them away again.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use gatehouse_core::community::SourceKind;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::community::site::DeviceEntry;
use maud::{Markup, html};

use super::fields::Fields;
use super::{Visit, name};
use crate::accounts::Principal;
use crate::audit::Outcome;
use crate::console::Console;
use crate::console::guard::Reader;
use crate::console::page::translated;
use crate::workshop::{Change, LONGEST, Refused, Told, Workshop};

/// What loading a configuration with its models may take; a connection is not kept for much longer.
const RELOADED: Duration = Duration::from_secs(7);

/// What is on the table.
struct Bench {
    /// The file; none when a known device type is to be installed.
    text: Option<String>,
    known: String,
    replaces: String,
    is_modbus: bool,
}

impl Bench {
    fn of(fields: &Fields, text: Option<String>) -> Self {
        let is_modbus = text.as_ref().map_or(fields.get("form") == "words", |text| {
            text.lines().any(|line| line.trim() == "[modbus]")
        });
        let (known, replaces) = (fields.get("known").to_owned(), fields.get("replaces").to_owned());
        Self { text, known, replaces, is_modbus }
    }

    fn changes(&self, fields: &Fields) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some(text) = &self.text {
            let replaces = Some(self.replaces.clone()).filter(|id| !id.is_empty());
            changes.push(Change::AddType { text: text.clone(), replaces });
        }
        if !fields.get("device").is_empty() {
            changes.push(Change::AddDevice(Box::new(self.entry(fields))));
        }
        changes
    }

    fn entry(&self, fields: &Fields) -> DeviceEntry {
        let some = |key: &str| Some(fields.get(key).to_owned()).filter(|text| !text.is_empty());
        let text = |key: &str| some(key).map(|text| Text::new(text.clone(), text));
        let device_type = match &self.text {
            Some(text) => type_id(text).unwrap_or_default(),
            None => self.known.clone(),
        };
        DeviceEntry {
            id: fields.get("device").to_owned(),
            title: text("device-title"),
            device_type,
            area: fields.get("area").to_owned(),
            location: text("location"),
            at: None,
            feeder: None,
            broker: some("broker").filter(|_| !self.is_modbus),
            topic: some("topic").filter(|_| !self.is_modbus),
            line: some("line").filter(|_| self.is_modbus),
            unit: fields.number("unit").filter(|_| self.is_modbus),
            bus: None,
            address: None,
            camera: None,
            zones: Vec::new(),
            tripwires: Vec::new(),
        }
    }
}

fn type_id(text: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(text).ok()?;
    Some(table.get("device-type")?.get("id")?.as_str()?.to_owned())
}

/// `POST /integrate/file`: from the names, from an edited text, from what was saved before, or for a known
/// device type.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(who): Extension<Principal>,
    fields: Fields,
) -> Response {
    let visit = Visit { console: &console, reader: &reader, who: &who };
    let text = match written(&visit, &fields).await {
        Ok(text) => text,
        Err(response) => return response,
    };
    let mut bench = Bench::of(&fields, text);
    if !fields.get("edit").is_empty() {
        fields.get("edit").clone_into(&mut bench.replaces);
    }
    if fields.get("do") == "download" {
        return download(&bench);
    }
    let told = check(&visit, &bench, &fields).await;
    visit.page(visit.words().title, Some(3), &sheet(&visit, &fields, &bench, told.as_ref().err()))
}

/// The file's text, however it came about.
async fn written(visit: &Visit<'_>, fields: &Fields) -> Result<Option<String>, Response> {
    if !fields.get("known").is_empty() {
        return Ok(None);
    }
    if !fields.get("text").is_empty() {
        return Ok(Some(fields.raw("text").replace("\r\n", "\n").chars().take(LONGEST).collect()));
    }
    let edit = fields.get("edit").to_owned();
    if !edit.is_empty() {
        let workshop = visit.console.sources.workshop.clone();
        let kept = tokio::task::spawn_blocking(move || workshop.map(|workshop| workshop.kept()));
        let kept = kept.await.ok().flatten().unwrap_or_default();
        let found = kept.types.into_iter().find(|(id, _)| *id == edit);
        return found.map(|(_, text)| Some(text)).ok_or_else(|| visit.refuse(visit.words().gone));
    }
    let sample = fields.sample().map_err(|error| visit.no_sample(&error))?;
    match name::draft(fields, sample) {
        Ok(draft) => Ok(Some(draft.toml())),
        Err(what) => Err(visit.refuse(&format!("{} {what}", visit.words().no_number))),
    }
}

fn download(bench: &Bench) -> Response {
    let text = bench.text.clone().unwrap_or_default();
    let id = type_id(&text).unwrap_or_default();
    let plain: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let name = if plain.is_empty() { "device-type".to_owned() } else { plain };
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.toml\"")),
    ];
    (headers, text).into_response()
}

/// Works on the overlay aside: it reads the whole configuration.
async fn work(
    workshop: Arc<Workshop>,
    changes: Vec<Change>,
    work: fn(&Workshop, &[Change]) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let done = tokio::task::spawn_blocking(move || work(&workshop, &changes)).await;
    done.unwrap_or_else(|error| Err(Refused::Disk(std::io::Error::other(error))))
}

async fn check(visit: &Visit<'_>, bench: &Bench, fields: &Fields) -> Result<(), Refused> {
    match &visit.console.sources.workshop {
        Some(workshop) => work(Arc::clone(workshop), bench.changes(fields), Workshop::try_on).await,
        None => Ok(()),
    }
}

/// `POST /integrate/save`.
pub(super) async fn save(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(who): Extension<Principal>,
    fields: Fields,
) -> Response {
    let visit = Visit { console: &console, reader: &reader, who: &who };
    let text = match written(&visit, &fields).await {
        Ok(text) => text,
        Err(response) => return response,
    };
    let bench = Bench::of(&fields, text);
    match fields.get("do") {
        "download" => return download(&bench),
        "check" => {
            let told = check(&visit, &bench, &fields).await;
            let main = sheet(&visit, &fields, &bench, told.as_ref().err());
            return visit.page(visit.words().title, Some(3), &main);
        }
        _ => {}
    }
    let Some(workshop) = console.sources.workshop.clone() else {
        return visit.refuse(visit.words().no_workshop);
    };
    let id = bench.text.as_deref().and_then(type_id).unwrap_or_else(|| bench.known.clone());
    let made = work(Arc::clone(&workshop), bench.changes(&fields), Workshop::make).await;
    if let Err(refused) = made {
        visit.note("integrate.save", &id, Outcome::Refused);
        let main = sheet(&visit, &fields, &bench, Some(&refused));
        let page = visit.page(visit.words().title, Some(3), &main);
        return (StatusCode::UNPROCESSABLE_ENTITY, page).into_response();
    }
    visit.note("integrate.save", &id, Outcome::Done);
    let is_loaded = reload(&console, &workshop).await;
    let device = fields.get("device");
    let at = format!("/integrate/done?type={}&device={}", plain(&id), plain(device));
    Redirect::to(&if is_loaded { at } else { format!("{at}&late=1") }).into_response()
}

/// Has the gateway load anew, and waits until it has.
async fn reload(console: &Console, workshop: &Workshop) -> bool {
    let mut seen = console.sources.configuration.clone();
    let (loaded, refused) = {
        let before = seen.borrow_and_update();
        (before.loaded, before.refused)
    };
    workshop.reload();
    let judged = seen.wait_for(|now| now.loaded > loaded || now.refused > refused);
    match tokio::time::timeout(RELOADED, judged).await {
        Ok(Ok(now)) => now.loaded > loaded,
        Ok(Err(_)) | Err(_) => false,
    }
}

/// Ids have nothing that a query must escape.
fn plain(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}

/// `POST /integrate/remove`.
pub(super) async fn remove(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(who): Extension<Principal>,
    fields: Fields,
) -> Response {
    let visit = Visit { console: &console, reader: &reader, who: &who };
    let id = fields.get("id").to_owned();
    let change = match fields.get("what") {
        "device" => Change::RemoveDevice(id.clone()),
        _ => Change::RemoveType(id.clone()),
    };
    let Some(workshop) = console.sources.workshop.clone() else {
        return visit.refuse(visit.words().no_workshop);
    };
    match work(Arc::clone(&workshop), vec![change], Workshop::make).await {
        Ok(()) => {
            visit.note("integrate.remove", &id, Outcome::Done);
            reload(&console, &workshop).await;
            Redirect::to("/integrate").into_response()
        }
        Err(refused) => {
            visit.note("integrate.remove", &id, Outcome::Refused);
            let main = html! {
                (faults(&visit, &refused))
                p { a href="/integrate" { (visit.words().again) } }
            };
            let page = visit.page(visit.words().title, None, &main);
            (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
        }
    }
}

fn faults(visit: &Visit<'_>, refused: &Refused) -> Markup {
    let words = visit.words();
    html! {
        section .panel.odd role="alert" aria-labelledby="faults" {
            h2 #faults { (words.faults) }
            @match refused {
                Refused::Disk(error) => p { (error) },
                Refused::Faults(faults) => ol .faults {
                    @for Told { file, line, column, message, help } in faults {
                        li {
                            span .id { (file) ":" (line) ":" (column) } " " (message)
                            @if let Some(help) = help { " " span .hint { (help) } }
                        }
                    }
                },
            }
        }
    }
}

fn sheet(visit: &Visit<'_>, fields: &Fields, bench: &Bench, refused: Option<&Refused>) -> Markup {
    let words = visit.words();
    let has_workshop = visit.console.sources.workshop.is_some();
    html! {
        @match refused {
            Some(refused) => (faults(visit, refused)),
            None if has_workshop => p .good role="status" { (words.sound) },
            None => p .notice { (words.no_workshop) },
        }
        form method="post" action="/integrate/save" .fields {
            (visit.csrf())
            @for key in ["form", "known"] {
                @if !fields.get(key).is_empty() { input type="hidden" name=(key) value=(fields.get(key)); }
            }
            @if !bench.replaces.is_empty() { input type="hidden" name="replaces" value=(bench.replaces); }
            @match &bench.text {
                Some(text) => label {
                    (words.file)
                    textarea .id name="text" rows=(text.lines().count().clamp(12, 40) + 1)
                        spellcheck="false" wrap="off" maxlength=(LONGEST) { (text) }
                },
                None => p { (words.of_known) " " span .id { (bench.known) } },
            }
            (device(visit, fields, bench))
            div .bar {
                @if has_workshop { button .main type="submit" name="do" value="save" { (words.save) } }
                button type="submit" name="do" value="check" { (words.check) }
                @if bench.text.is_some() {
                    button type="submit" name="do" value="download" { (words.download) }
                }
            }
        }
    }
}

/// A device of that type, when one is to be installed at once.
fn device(visit: &Visit<'_>, fields: &Fields, bench: &Bench) -> Markup {
    let words = visit.words();
    let community = visit.console.snapshot().community;
    let language = visit.reader.language;
    let (key, wanted) =
        if bench.is_modbus { ("line", SourceKind::Line) } else { ("broker", SourceKind::Broker) };
    let field = |name: &'static str, key: &str, example: &str| {
        html! {
            label {
                (name)
                input name=(key) value=(fields.get(key)) placeholder=(example) maxlength="200" autocomplete="off";
            }
        }
    };
    html! {
        fieldset .panel {
            legend { (words.install) }
            p .hint { (words.install_hint) }
            div .row {
                (field(words.device_id, "device", "th-east-1"))
                label {
                    (words.area)
                    select name="area" {
                        @for area in &community.areas {
                            option value=(area.id) selected[area.id == fields.get("area")] {
                                (translated(&area.title, language))
                            }
                        }
                    }
                }
                label {
                    (if bench.is_modbus { words.line } else { words.broker })
                    select name=(key) {
                        @for source in community.sources.iter().filter(|source| source.kind == wanted) {
                            option value=(source.id) selected[source.id == fields.get(key)] { (source.id) }
                        }
                    }
                }
                @if bench.is_modbus {
                    (field(words.unit_id, "unit", "7"))
                } @else {
                    (field(words.topic, "topic", &format!("sense/{}/…", community.id)))
                }
                (field(words.device_title, "device-title", ""))
                (field(words.location, "location", ""))
            }
        }
    }
}
