//! `/draw/{id}`: zones and tripwires of a device, drawn on the picture of its camera, for integrators.
//!
//! The picture is a masked still, asked of [`crate::stills`] when the page is made and fetched by it once
//! (`/draw/{id}/still`); who saw it stands in the audit log. Without one, it is drawn on an empty board.
//! `draw.js` turns clicks and keys into the numbers of the form; without it they are typed. [`form`] reads
//! them. What is drawn goes into the overlay ([`crate::overlay`]) and the configuration is read again; where
//! that is refused, what was drawn before is put back.

mod form;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use gatehouse_core::community::Device;
use gatehouse_core::community::camera::{Drawing, Sight};
use gatehouse_core::community::quantity::{Language, Text};
use maud::{Markup, html};
use serde::Deserialize;

use super::assets::DRAW;
use super::camera::{camera, drawn_by, outlines, told};
use super::failure::Failure;
use super::guard::Reader;
use super::inbox::notices::{self, Notice};
use super::inbox::row::moment;
use super::page::{self, Frame, Here, csrf, translated};
use super::place::Reloaded;
use super::words::camera::{CameraWords, no_still};
use super::words::scenes::SceneWords;
use super::{Console, Snapshot};
use crate::accounts::Principal;
use crate::audit::Outcome;
use crate::clock;
use crate::overlay::{self, Drawn, NotSet};
use crate::stills::{NoStillNow, Still};
use form::{Fault, Row, Typed};

/// Stills that were asked for and that no browser has fetched; the oldest give way.
const HELD: usize = 4;

/// Stills on their way to the pages that asked for them: who, for which device.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<VecDeque<(String, String, Still)>>);

impl Held {
    fn put(&self, who: &str, device: &str, still: Still) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(of, about, _)| (of.as_str(), about.as_str()) != (who, device));
        held.push_back((who.to_owned(), device.to_owned(), still));
        if held.len() > HELD {
            held.pop_front();
        }
    }

    fn take(&self, who: &str, device: &str) -> Option<Still> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |(of, about, _): &(String, String, Still)| of == who && about == device;
        let at = held.iter().position(is_it)?;
        held.remove(at).map(|(.., still)| still)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    notice: String,
}

/// `GET /draw/{id}`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    told: Query<Told>,
) -> Response {
    let snapshot = console.snapshot_for(&principal);
    let Some((device, sight)) = find(&snapshot, &id) else {
        return Failure::NotFound.answer(&reader);
    };
    let notice = console.notices.take(&(&principal).into(), &told.notice);
    let typed = Typed::of(&sight.drawing, &device.device_type);
    let above = notices::shown(notice.as_ref(), reader.language);
    shown(&console, &snapshot, (device, sight), &typed, &above, reader.language).await
}

/// `GET /draw/{id}/still`: the picture that the page has asked for, once.
pub(super) async fn still(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Response {
    match console.held.take(&principal.name, &id) {
        Some(still) => jpeg(still.masked.jpeg().to_vec()),
        None => Failure::NoStill.answer(&reader),
    }
}

/// A still as a browser gets it; nothing keeps it on the way.
pub(super) fn jpeg(bytes: Vec<u8>) -> Response {
    let headers = [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "no-store")];
    (headers, bytes).into_response()
}

/// `POST /draw/{id}`.
pub(super) async fn save(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Response {
    let snapshot = console.snapshot_for(&principal);
    let (language, words) = (reader.language, CameraWords::of(reader.language));
    let Some((device, sight)) = find(&snapshot, &id) else {
        return Failure::NotFound.answer(&reader);
    };
    let fields = match form {
        Ok(Form(fields)) => fields,
        Err(FormRejection::BytesRejection(_)) => return Failure::TooLong.answer(&reader),
        Err(_) => return Failure::BadForm.answer(&reader),
    };
    let typed = Typed::read(&fields);
    let note = |outcome, detail: &str| {
        console.note(&principal.name, "camera.draw", &id, outcome, detail);
    };
    let drawing = match typed.drawing() {
        Ok(drawing) => drawing,
        Err(faults) => {
            note(Outcome::Refused, "what was drawn is faulty");
            let above = told_faults(&faults, words);
            let page = shown(&console, &snapshot, (device, sight), &typed, &above, language).await;
            return (StatusCode::UNPROCESSABLE_ENTITY, page).into_response();
        }
    };
    let refused = |why: &str, title: &str| {
        html! { p .told.bad-news role="alert" { (title) " " (why) } }
    };
    if console.sources.place.reload.is_closed() {
        let above = refused("", words.no_reload);
        return shown(&console, &snapshot, (device, sight), &typed, &above, language).await;
    }
    let before = snapshot.configuration.origins.overlay.drawings().remove(&id);
    let detail = drawing.as_ref().map_or("as configured".to_owned(), |drawing| {
        format!("zones {}, tripwires {}", drawing.zones.len(), drawing.tripwires.len())
    });
    let draw = |drawing| console.draw(&id, sight.written(), drawing, &principal.name);
    if let Err(why) = draw(drawing).await {
        note(Outcome::Failed, &format!("{detail}: {why}"));
        let above = refused(&why, SceneWords::of(language).not_written);
        return shown(&console, &snapshot, (device, sight), &typed, &above, language).await;
    }
    let told = match console.reload().await {
        Reloaded::InEffect => {
            note(Outcome::Done, &detail);
            Text::new(CameraWords::of(Language::Zh).saved, CameraWords::of(Language::En).saved)
        }
        Reloaded::NextStart => {
            note(Outcome::Done, &format!("{detail}, from the next start on"));
            let next = |language| SceneWords::of(language).next_start;
            Text::new(next(Language::Zh), next(Language::En))
        }
        Reloaded::Refused(why) => {
            let back = draw(before).await;
            note(Outcome::Failed, &format!("{detail}: {why}"));
            let why = back.err().map_or(why.clone(), |error| format!("{why} ({error})"));
            let above = refused(&why, words.not_loaded);
            let page = shown(&console, &snapshot, (device, sight), &typed, &above, language).await;
            return (StatusCode::UNPROCESSABLE_ENTITY, page).into_response();
        }
    };
    let number = console.notices.put((&principal).into(), Notice { told, is_bad: false });
    Redirect::to(&page::with(&format!("/draw/{id}"), "notice", &number.to_string())).into_response()
}

impl Console {
    /// Lays a drawing over what the configuration draws; none lets the configuration rule.
    async fn draw(
        &self,
        device: &str,
        written: &Drawing,
        drawing: Option<Drawing>,
        by: &str,
    ) -> Result<(), String> {
        let (store, device, by) =
            (self.sources.place.store.clone(), device.to_owned(), by.to_owned());
        let written = written.clone();
        let set = move || -> Result<(), NotSet> {
            let (device, drawing, by) = (device.as_str(), drawing.as_ref(), by.as_str());
            let at = clock::wall();
            overlay::set_drawing(&store, Drawn { device, written: &written, drawing, by, at })
        };
        let set = tokio::task::spawn_blocking(set).await.map_err(|error| error.to_string())?;
        set.map_err(|error| error.to_string())
    }

    /// What a camera sees now, for somebody; taken down either way.
    async fn look_through(
        &self,
        camera: &str,
        device: &str,
        who: &str,
    ) -> Result<Still, NoStillNow> {
        let still = self.sources.pictures.stills.now(camera).await;
        let (outcome, detail) = match &still {
            Ok(_) => (Outcome::Done, format!("camera {camera}")),
            Err(why) => (Outcome::Refused, why.to_string()),
        };
        self.note(who, "camera.still", device, outcome, &detail);
        still
    }
}

fn find<'s>(snapshot: &'s Snapshot, id: &str) -> Option<(&'s Device, &'s Sight)> {
    let device = snapshot.community.devices.iter().find(|device| device.id == id)?;
    Some((device, device.sight()?))
}

fn told_faults(faults: &[Fault], words: &CameraWords) -> Markup {
    html! {
        div .told.bad-news role="alert" {
            p { (words.faulty) }
            ul { @for fault in faults { li { (fault.told(words)) } } }
        }
    }
}

async fn shown(
    console: &Console,
    snapshot: &Snapshot,
    (device, sight): (&Device, &Sight),
    typed: &Typed,
    above: &Markup,
    language: Language,
) -> Response {
    let words = CameraWords::of(language);
    let who = snapshot.who.as_ref().map_or("", |principal| &principal.name);
    let camera = camera(&snapshot.community, sight);
    let still = console.look_through(camera, &device.id, who).await;
    let picture = match &still {
        Ok(still) => html! {
            img src={ "/draw/" (device.id) "/still?at=" (still.at.0) } alt=(words.still_alt);
        },
        Err(why) => {
            let (title, hint) = no_still(why, language);
            html! { p .none { b { (title) } " " (hint) } }
        }
    };
    let (title, address) = (translated(&device.title, language), format!("/draw/{}", device.id));
    let needs = form::needed(&device.device_type);
    let is_drawn_here =
        snapshot.configuration.origins.overlay.devices.contains_key(device.id.as_str());
    let main = html! {
        main #main tabindex="-1" {
            p .crumbs { a href={ "/devices/" (device.id) } { (title) } }
            h1 { (words.title) }
            p .lead { (words.lead) }
            (above)
            @if !needs.is_empty() { p .reason { (words.needed) " " (needs.join(", ")) } }
            p .reason { (drawn_by(snapshot, &device.id, language)) }
            form .sketch method="post" action=(address) {
                @if let Some(who) = &snapshot.who { (csrf(who)) }
                div #board .board role="group" aria-label=(words.board) data-corner=(words.corner) {
                    (picture)
                    (outlines(&sight.drawing))
                }
                @if let Ok(still) = &still {
                    p .reason {
                        (words.taken) " " (moment(snapshot, still.at)) " · "
                        (still.masked.hidden()) " " (words.hidden)
                    }
                }
                div .shapes {
                    @for (at, row) in typed.zones.iter().enumerate() { (shape(row, at, true, words)) }
                    @for (at, row) in typed.wires.iter().enumerate() { (shape(row, at, false, words)) }
                }
                div .choices {
                    button type="submit" name="do" value="save" { (words.save) }
                    @if sight.drawing != Drawing::default() {
                        button type="submit" name="do" value="nothing" { (words.nothing) }
                    }
                    @if is_drawn_here {
                        button type="submit" name="do" value="reset" { (words.reset) }
                    }
                }
                p .reason { (words.save_hint) }
                @if is_drawn_here { p .reason { (words.configured) " " (told(sight.written(), words)) } }
            }
            p .reason { (words.privacy) }
            script src=(DRAW.address()) defer {}
        }
    };
    if let Ok(still) = still {
        console.held.put(who, &device.id, still);
    }
    let frame = Frame { here: Here::Devices, title: words.title, address: &address, feed: "" };
    page::html(page::framed(snapshot, language, frame, &main)).into_response()
}

/// The fields of one zone or tripwire; the buttons are for those with scripts.
fn shape(row: &Row, at: usize, is_zone: bool, words: &CameraWords) -> Markup {
    let kind = if is_zone { "zone" } else { "tripwire" };
    let (title, field, hint) = if is_zone {
        (words.zone, words.corners, words.corners_hint)
    } else {
        (words.tripwire, words.ends, words.ends_hint)
    };
    let id = format!("{kind}-{at}");
    html! {
        fieldset .panel data-shape=(kind) {
            legend { (title) " " (at + 1) }
            label { (words.name) input name={ (kind) ".name" } value=(row.name) maxlength="60"; }
            label for=(id) { (field) }
            textarea id=(id) name={ (kind) ".corners" } rows="2" maxlength="4000" spellcheck="false"
                aria-describedby={ (id) "-hint" } { (row.corners) }
            p .hint id={ (id) "-hint" } { (hint) }
            div .choices hidden {
                button type="button" data-do="choose" aria-pressed="false" { (words.choose) }
                button type="button" data-do="add" { (words.add) }
                button type="button" data-do="remove" { (words.remove) }
            }
        }
    }
}
