//! What a device's page tells of one that looks through a camera: whether pictures come, what is wrong with
//! the view, which pictures nobody looked at, and the zones that are drawn. And of the models page, what is
//! known of picture models. No picture stands on either.

use std::collections::BTreeSet;

use gatehouse_core::community::camera::{Drawing, Sight};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::community::{Community, Device};
use gatehouse_core::reading::Timestamp;
use gatehouse_core::reasons;
use gatehouse_core::view::DeviceView;
use maud::{Markup, html};

use super::figures::{count, value};
use super::page::{ago, may, translated};
use super::words::Words;
use super::words::camera::{CameraWords, flaw};
use super::{Console, Snapshot};
use crate::accounts::Right;
use crate::infer::manifest::About;

/// The panel of a device that looks through a camera; nothing for others.
pub(super) fn panel(
    console: &Console,
    snapshot: &Snapshot,
    device: &Device,
    view: &DeviceView,
    language: Language,
) -> Markup {
    let Some(sight) = device.sight() else { return Markup::default() };
    let (words, of_all) = (CameraWords::of(language), Words::of(language));
    let source = snapshot.view.sources.get(device.source.0);
    html! {
        section .panel aria-labelledby="camera" {
            h2 #camera { (words.picture) }
            dl .facts {
                dt { (words.camera) }
                dd {
                    span .id { (camera(&snapshot.community, sight)) } " "
                    @match source.and_then(|source| source.down.as_ref()) {
                        Some(why) => { span .bad { (of_all.down) } " " span .reason { (why.get(language)) } }
                        None => { span .good { (words.up) } }
                    }
                }
                dt { (of_all.last_reading) }
                dd {
                    @match view.last_frame {
                        Some(at) => (ago(snapshot, at, language)),
                        None => (of_all.never),
                    }
                }
                dt { (words.picture) }
                dd { (view_of(device, view, language)) }
                @for (reason, number) in source.into_iter().flat_map(|source| &source.dropped) {
                    dt { (reasons::told(language, reason)) }
                    dd { (count(*number)) }
                }
                @if let Some(shed) = shed(snapshot, sight).filter(|shed| *shed > 0) {
                    dt { (words.shed) }
                    dd { (count(shed)) }
                }
                dt { (words.zones) }
                dd {
                    (told(&sight.drawing, words))
                    (drawn_by(snapshot, &device.id, language))
                }
                @if !console.sources.pictures.basis.is_empty() {
                    dt { (words.basis) }
                    dd { (console.sources.pictures.basis) }
                }
            }
            (shapes(&sight.drawing, "board small"))
            p .reason { (words.privacy) }
            @if !console.sources.pictures.stills.are_allowed() { p .reason { (words.no_stills) } }
            @if may(snapshot, Right::Integrate) {
                p { a .button href={ "/draw/" (device.id) } { (words.draw) } }
            }
        }
    }
}

/// The camera's id in `gateway.toml`.
pub(super) fn camera<'c>(community: &'c Community, sight: &Sight) -> &'c str {
    let camera = community.cameras().find(|camera| camera.index == sight.camera);
    camera.map_or("–", |camera| camera.id)
}

/// How many of the camera's pictures there was no time for.
fn shed(snapshot: &Snapshot, sight: &Sight) -> Option<u64> {
    let camera = camera(&snapshot.community, sight);
    snapshot.cameras.iter().find(|tally| tally.camera == camera).map(|tally| tally.shed)
}

/// Who drew what is drawn, unless the configuration does.
pub(super) fn drawn_by(snapshot: &Snapshot, device: &str, language: Language) -> Markup {
    let set = snapshot.configuration.origins.overlay.devices.get(device);
    html! {
        @if let Some(set) = set {
            " " span .reason {
                (CameraWords::of(language).drawn_by) " " (set.by) " · "
                @match set.at.parse::<Timestamp>() {
                    Ok(at) => (ago(snapshot, at, language)),
                    Err(_) => (set.at),
                }
            }
        }
    }
}

fn names(drawing: &Drawing) -> Vec<&str> {
    let zones = drawing.zones.iter().map(|zone| zone.name.as_str());
    zones.chain(drawing.tripwires.iter().map(|wire| wire.name.as_str())).collect()
}

/// What is drawn, by name.
pub(super) fn told(drawing: &Drawing, words: &CameraWords) -> String {
    let names = names(drawing);
    if names.is_empty() { words.whole_picture.to_owned() } else { names.join(", ") }
}

/// What its own points say of the view.
fn view_of(device: &Device, view: &DeviceView, language: Language) -> Markup {
    let points = device.device_type.points.iter().zip(&view.points);
    let looked: Vec<_> = points
        .filter_map(|(point, (value, _))| Some((flaw(point.at.see?, language)?, (*value)?)))
        .collect();
    let wrong: Vec<&str> =
        looked.iter().filter(|(_, v)| *v >= 0.5).map(|(word, _)| *word).collect();
    html! {
        @if looked.is_empty() { "–" }
        @else if wrong.is_empty() { span .good { (CameraWords::of(language).view_good) } }
        @else { span .bad { (wrong.join(", ")) } }
    }
}

/// What is drawn, on an empty board.
fn shapes(drawing: &Drawing, class: &str) -> Markup {
    html! {
        @if !names(drawing).is_empty() {
            div class=(class) { (outlines(drawing)) }
        }
    }
}

/// To be laid over a picture of whatever size.
pub(super) fn outlines(drawing: &Drawing) -> Markup {
    let pair = |[x, y]: &[f64; 2]| format!("{x},{y}");
    html! {
        svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            @for zone in &drawing.zones {
                polygon points=(zone.corners.iter().map(pair).collect::<Vec<_>>().join(" ")) {}
            }
            @for wire in &drawing.tripwires {
                polyline points=(format!("{} {}", pair(&wire.from), pair(&wire.to))) {}
            }
        }
    }
}

/// What is known of the picture models here, for the models page.
pub(super) fn models(community: &Community, models: &[About], language: Language) -> Markup {
    let words = CameraWords::of(language);
    html! {
        @if !models.is_empty() {
            section .panel aria-labelledby="picture-models" {
                h2 #picture-models { (words.models) }
                @for model in models {
                    h3 { (translated(&model.title, language)) " " span .id { (model.name) " " (model.version) } }
                    dl .facts {
                        dt { (words.knows) }
                        dd { (model.labels.join(", ")) }
                        @for (name, figure) in &model.figures {
                            dt { (words.figures) ": " (name) }
                            dd { (value(*figure)) }
                        }
                        dt { (words.trained) }
                        dd { (model.training_data) }
                        dt { (words.licence) }
                        dd { (model.licence) }
                        @let asking = asking(community, &model.name);
                        @if !asking.is_empty() {
                            dt { (words.asked_by) }
                            dd { (asking.into_iter().collect::<Vec<_>>().join(", ")) }
                        }
                    }
                }
            }
        }
    }
}

/// The device types that name a model.
fn asking<'c>(community: &'c Community, model: &str) -> BTreeSet<&'c str> {
    let kinds = community.devices.iter().map(|device| &device.device_type);
    kinds
        .filter(|kind| kind.picture_model() == Some(model))
        .map(|kind| kind.head.id.as_str())
        .collect()
}
