//! Do the camera parts hold together: what a device type asks of a picture, and where its devices look.

use std::collections::BTreeMap;

use super::super::camera::{CameraIndex, Drawing, MOST_TILES, See, Sight, Subject};
use super::super::device_type::{At, DeviceType, Point, Via};
use super::super::document::Document;
use super::super::fault::{listed, nearest};
use super::super::site::DeviceEntry;
use super::super::{Address, Source, SourceKind};
use super::site::{find, of_kind};
use super::{ModelSpec, PictureKind, PictureModel};
use crate::reading::SourceIndex;

/// What stands around: the models that are installed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Installed<'i> {
    pub(super) numbers: Option<&'i [ModelSpec]>,
    pub(super) pictures: Option<&'i [PictureModel]>,
}

pub(super) fn check_type(
    document: &mut Document,
    device_type: &DeviceType,
    installed: Installed<'_>,
) {
    let is_camera = device_type.head.via == Via::Camera;
    match (is_camera, &device_type.camera) {
        (true, None) if !document.is_mended("device-type.via") => document.fault(
            "device-type.via",
            "a device type via `camera` needs a section `[camera]`",
            Some("add `[camera]` with the `model` that looks".to_owned()),
        ),
        (false, Some(_)) if !document.is_mended("device-type.via") => document.fault(
            "camera",
            "`[camera]` is for device types via `camera`",
            Some("set `via = \"camera\"`, or remove the section".to_owned()),
        ),
        (true | false, None | Some(_)) => {}
    }
    let model = check_looking(document, device_type, installed);
    for (position, point) in device_type.points.iter().enumerate() {
        let path = format!("point.{position}");
        match point.at.see {
            Some(see) if is_camera => check_point(document, &path, point, see, device_type, model),
            // Told already, or by the check of its place.
            Some(_) | None => {}
        }
        if point.at.see.is_none() {
            refuse(document, &path, &point.at, &["labels", "zone", "tripwire", "way"], |key| {
                format!("`{key}` goes with `see`")
            });
        }
    }
}

/// The picture model, when it is installed.
fn check_looking<'i>(
    document: &mut Document,
    device_type: &DeviceType,
    installed: Installed<'i>,
) -> Option<&'i PictureModel> {
    let camera = device_type.camera.as_ref()?;
    if camera.every.0.is_zero() {
        document.fault("camera.every", "`every` must be longer than nothing", None);
    }
    if let Some([across, down]) = camera.tiles {
        let fits = |side| (1..=MOST_TILES).contains(&side);
        if !(fits(across) && fits(down)) {
            let message = format!(
                "[{across}, {down}] are not tiles: 1 to {MOST_TILES} across, and as many down"
            );
            document.fault("camera.tiles", message, Some("as in `tiles = [3, 2]`".to_owned()));
        } else if across * down == 1 {
            let message = "one tile is the whole picture, which is looked at anyway";
            document.fault("camera.tiles", message, Some("remove `tiles`".to_owned()));
        } else if camera.model.is_none() {
            let message = "`tiles` are shown to a model, and `[camera]` names none";
            document.key_fault(
                "camera.tiles",
                message,
                Some("add `model`, or remove it".to_owned()),
            );
        }
    }
    let name = camera.model.as_deref()?;
    let pictures = installed.pictures?;
    let found = pictures.iter().find(|model| model.name == name);
    let is_of_numbers =
        installed.numbers.is_some_and(|models| models.iter().any(|model| model.name == name));
    if found.is_none() && is_of_numbers {
        let message = format!("`{name}` is a model of numbers, and a camera needs one of pictures");
        let help = nearest("", pictures.iter().map(|model| model.name.as_str()));
        document.fault("camera.model", message, help);
    }
    if camera.tiles.is_some() && found.is_some_and(|model| model.kind != PictureKind::Boxes) {
        let message = format!("`tiles` are for a model that finds things, and `{name}` does not");
        let help = "remove `tiles`: it is shown each zone by itself".to_owned();
        document.key_fault("camera.tiles", message, Some(help));
    }
    found
}

fn check_point(
    document: &mut Document,
    path: &str,
    point: &Point,
    see: See,
    device_type: &DeviceType,
    model: Option<&PictureModel>,
) {
    let (at, word) = (&point.at, see.word());
    let needless: &[&str] = match see.subject() {
        Subject::Things | Subject::Class => &["tripwire", "way"],
        Subject::Passing => &["zone"],
        Subject::View => &["labels", "zone", "tripwire", "way"],
    };
    refuse(document, path, at, needless, |key| {
        format!("`{key}` has no meaning for `see = \"{word}\"`")
    });
    for key in ["scale", "offset", "no-data", "words"] {
        if document.has(&format!("{path}.{key}")) {
            let message =
                format!("`{key}` is for what comes over a wire; what is seen is a number");
            document.key_fault(&format!("{path}.{key}"), message, None);
        }
    }
    if see.subject() == Subject::View {
        return;
    }
    if device_type.picture_model().is_none() && !document.is_doubtful("camera") {
        let message = format!("`see = \"{word}\"` needs a model, and `[camera]` names none");
        document.fault(&format!("{path}.at.see"), message, None);
    }
    let labels = format!("{path}.at.labels");
    match (see, at.labels.as_slice()) {
        (_, []) => {
            let message = format!("`see = \"{word}\"` needs `labels`: what does it look for?");
            let known =
                model.and_then(|model| nearest("", model.labels.iter().map(String::as_str)));
            document.fault(&format!("{path}.at"), message, known);
        }
        (See::Probability, [_, _, ..]) => {
            document.fault(&labels, "a probability is that of one label", None);
        }
        (_, [..]) => {}
    }
    let Some(model) = model else { return };
    let (fits, looks) = match model.kind {
        PictureKind::Boxes => {
            (matches!(see.subject(), Subject::Things | Subject::Passing), "finds things")
        }
        PictureKind::Class => (see.subject() == Subject::Class, "tells classes apart"),
        PictureKind::Mask => (false, "finds outlines for masking"),
    };
    if !fits {
        let message =
            format!("`{}` {looks}, so nobody can ask it for `see = \"{word}\"`", model.name);
        document.fault(&format!("{path}.at.see"), message, None);
        return;
    }
    for (position, label) in at.labels.iter().enumerate() {
        if !model.labels.contains(label) {
            let message = format!("`{}` has no label `{label}`", model.name);
            let help = nearest(label, model.labels.iter().map(String::as_str));
            document.fault(&format!("{labels}.{position}"), message, help);
        }
    }
}

/// Tells of keys below `at` that have no meaning.
fn refuse(
    document: &mut Document,
    path: &str,
    at: &At,
    keys: &[&str],
    message: impl Fn(&str) -> String,
) {
    let given = [
        ("labels", !at.labels.is_empty()),
        ("zone", at.zone.is_some()),
        ("tripwire", at.tripwire.is_some()),
        ("way", at.way.is_some()),
    ];
    for (key, _) in given.iter().filter(|(key, is_set)| *is_set && keys.contains(key)) {
        document.key_fault(&format!("{path}.at.{key}"), message(key), None);
    }
}

/// Where a device looks: what its file says, and over that what was drawn on the console.
pub(super) fn at_camera(
    document: &mut Document,
    path: &str,
    entry: &DeviceEntry,
    device_type: &DeviceType,
    sources: Option<&[Source]>,
    drawings: &BTreeMap<String, Drawing>,
) -> Option<(SourceIndex, Address)> {
    let written = entry.drawing();
    for (below, message, help) in written.faults() {
        document.fault(&format!("{path}.{below}"), message, help);
    }
    let (drawing, overruled) = match drawings.get(&entry.id) {
        Some(drawn) => (drawn.clone(), Some(written)),
        None => (written, None),
    };
    let is_sure = ["zone", "tripwire"].map(|list| !document.is_doubtful(&format!("{path}.{list}")));
    if is_sure == [true, true] {
        check_names(document, path, device_type, &drawing);
    }
    let Some(id) = &entry.camera else {
        let message = format!("missing key `camera`; `{}` looks through one", entry.device_type);
        document.fault(path, message, None);
        return None;
    };
    let cameras = of_kind(sources?, SourceKind::Camera);
    let source = find(document, &format!("{path}.camera"), "camera", id, &cameras)?;
    let camera = cameras.iter().position(|(index, _)| *index == source).map(CameraIndex)?;
    Some((source, Address::Camera(Box::new(Sight { camera, drawing, overruled }))))
}

/// Zones and tripwires that points name and the device lacks.
fn check_names(document: &mut Document, path: &str, device_type: &DeviceType, drawing: &Drawing) {
    let zones: Vec<&str> = drawing.zones.iter().map(|zone| zone.name.as_str()).collect();
    let wires: Vec<&str> = drawing.tripwires.iter().map(|wire| wire.name.as_str()).collect();
    // What is optional has no data where nothing is drawn for it.
    for point in device_type.points.iter().filter(|point| !point.optional) {
        let Some(see) = point.at.see else { continue };
        let of = format!("`{}` of `{}`", point.name, device_type.head.id);
        let asked = [("zone", &point.at.zone, &zones), ("tripwire", &point.at.tripwire, &wires)];
        for (what, name, there) in asked {
            let Some(name) = name else { continue };
            if !there.contains(&name.as_str()) {
                let message = format!("the device has no {what} `{name}`, which {of} needs");
                let help = if there.is_empty() {
                    format!("draw it: `[[device.{what}]]`, or on the console")
                } else {
                    format!("it has {}", listed(there))
                };
                document.fault(path, message, Some(help));
            }
        }
        let is_lost = see == See::Crossings && point.at.tripwire.is_none() && wires.is_empty();
        if is_lost {
            let message = format!("the device has no tripwire, which {of} needs");
            let help = "draw one: `[[device.tripwire]]`, or on the console".to_owned();
            document.fault(path, message, Some(help));
        }
    }
}
