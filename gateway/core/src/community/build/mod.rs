//! From the text of the files to a checked [`Community`], or to all their faults at once.
//!
//! Every file is read by itself first ([`super::document`]); then each kind is held against what it
//! refers to. A reference into a file that is itself faulty is not a fault of its own.
//!
//! 1. [`device_types`]: places, scales and limits of points,
//!    (with [`cameras`]: what is asked of a picture, and [`localbus`]: of a chip),
//! 2. [`examples`]: what a device sent, run through the decoder,
//! 3. [`scenes`]: detectors, grades and the shape of stories, over the points in their [`range`],
//!    (and [`blind`]: those that cannot see),
//! 4. [`site`]: areas, devices and their addresses
//!    (with [`plan`]: where they are drawn),
//! 5. [`interlocks`]: what must hold elsewhere before something is written,
//! 6. [`calendar`]: days that contradict each other, and who asks for what is not there,
//! 7. [`people`]: teams, shifts and times that name what there is,
//! 8. [`simulation`]: what the simulator plays.

mod blind;
mod calendar;
mod cameras;
mod device_types;
mod examples;
mod interlocks;
mod localbus;
mod people;
mod plan;
mod range;
mod scenes;
mod simulation;
mod site;
mod warning;
mod writables;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::camera::Drawing;
use super::device_type::{At, DeviceType, Point};
use super::document::Document;
use super::fault::{Fault, nearest};
use super::scene::{Scene, Status};
use super::site::{Simulation, Site};
use super::{Community, ModelSpec, Source};
use calendar::Almanac;

/// A file as the shell found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// As faults name it, such as `device-types/acme-th20.toml`.
    pub name: String,
    pub text: String,
}

/// Everything that a community is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub community: File,
    pub device_types: Vec<File>,
    pub scenes: Vec<File>,
}

/// What stands around the community: `gateway.toml` and the installed models.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Surroundings {
    pub township: String,
    pub gateway: String,
    /// `None` when they could not be read; references to them then go unchecked.
    pub sources: Option<Vec<Source>>,
    /// `None` when they could not be read; references to them then go unchecked.
    pub models: Option<Vec<ModelSpec>>,
    /// What scenes are instead of what their files say, by id; an id that no scene has is left alone.
    pub statuses: BTreeMap<String, Status>,
    /// The installed models that look at pictures. `None` when they could not be read; references to
    /// them then go unchecked.
    pub pictures: Option<Vec<PictureModel>>,
    /// Where cameras publish their pictures.
    pub camera_topics: Vec<CameraTopic>,
    /// What was drawn on the console instead of what `community.toml` says, by device; an id that no
    /// device has is left alone.
    pub drawings: BTreeMap<String, Drawing>,
}

/// The topic filter of a camera that publishes at a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraTopic {
    pub camera: String,
    pub broker: String,
    pub topic: String,
}

/// What must be known of a picture model to write a device type for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureModel {
    pub name: String,
    pub kind: PictureKind,
    pub labels: Vec<String>,
}

/// What a picture model answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureKind {
    /// Things, and where they are.
    Boxes,
    /// Which of its labels the picture shows.
    Class,
    /// How likely each part of the picture shows what it looks for.
    Mask,
}

/// A checked community, and where it was written.
#[derive(Debug, Clone)]
pub struct Built {
    pub community: Arc<Community>,
    pub simulation: Option<Simulation>,
    /// What is no fault and should be known: scenes that stay off.
    pub notices: Vec<Fault>,
    /// In the order of [`Community::scenes`].
    scene_documents: Vec<Document>,
}

impl Built {
    /// How many examples the device types carry; all of them hold.
    pub fn examples(&self) -> usize {
        self.community.device_types.iter().map(|device_type| device_type.examples.len()).sum()
    }

    /// The fault of a story that did not go as it says, at one of its expected lines or as a whole.
    pub fn story_fault(
        &self,
        scene: usize,
        story: usize,
        line: Option<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Option<Fault> {
        let document = self.scene_documents.get(scene)?;
        let path = match line {
            Some(line) => format!("story.{story}.expect.{line}"),
            None => format!("story.{story}"),
        };
        Some(Fault {
            file: document.file().to_owned(),
            span: document.span(&path),
            message: message.into(),
            help,
        })
    }
}

/// Reads, checks and joins the files.
///
/// # Errors
/// Every fault of every file, in the order of the files and of their lines.
pub fn build(files: &Files, around: &Surroundings) -> Result<Built, Vec<Fault>> {
    let mut device_types = read_all::<DeviceType>(&files.device_types);
    let mut scenes = read_all::<Scene>(&files.scenes);
    let (mut site_document, site) =
        Document::read::<Site>(&files.community.name, &files.community.text);

    let installed = cameras::Installed {
        numbers: around.models.as_deref(),
        pictures: around.pictures.as_deref(),
    };
    unique_ids(&mut device_types, "device-type.id", |device_type| &device_type.head.id);
    unique_ids(&mut scenes, "scene.id", |scene| &scene.head.id);
    for (document, device_type) in &mut device_types {
        if let Some(device_type) = device_type {
            device_types::check(document, device_type);
            cameras::check_type(document, device_type, installed);
            localbus::check_type(document, device_type);
            examples::check(document, device_type);
        }
    }
    let types = Known::new(&device_types, "device-type.id", |device_type| &device_type.head.id);
    if let Some(calendar) = site.as_ref().and_then(|site| site.calendar.as_ref()) {
        calendar::check(&mut site_document, calendar);
    }
    let almanac = Almanac::of(&site_document, site.as_ref());
    for (document, scene) in &mut scenes {
        if let Some(scene) = scene {
            scenes::check(document, scene, &types, &almanac, around.models.as_deref());
        }
    }
    let scene_ids = Known::new(&scenes, "scene.id", |scene| &scene.head.id);
    let mut devices = Vec::new();
    if let Some(site) = &site {
        devices = site::check(&mut site_document, site, &types, around);
        interlocks::check(&mut site_document, site, &types);
        people::check(&mut site_document, site);
        if let Some(simulation) = &site.simulation {
            simulation::check(&mut site_document, simulation, site, &types, &scene_ids);
        }
    }

    let blind = blind::scenes(&scenes, &types, around.pictures.as_deref());
    let documents = device_types.iter().map(|(document, _)| document);
    let documents = documents.chain(scenes.iter().map(|(document, _)| document));
    let faults = all_faults(std::iter::once(&site_document).chain(documents));
    let Some(site) = site.filter(|_| faults.is_empty()) else { return Err(faults) };

    let (scene_documents, scenes): (Vec<_>, Vec<_>) = scenes.into_iter().unzip();
    let mut scenes: Vec<Scene> = scenes.into_iter().flatten().map(|s| (*s).clone()).collect();
    for scene in &mut scenes {
        let status = around.statuses.get(&scene.head.id);
        scene.head.status = status.copied().unwrap_or(scene.head.status);
        if blind.iter().any(|(id, _)| *id == scene.head.id) {
            scene.head.status = Status::Off;
        }
    }
    scenes::share_budget(&mut scenes, site.community.false_alarms, &devices);
    let duties = site.duties();
    Ok(Built {
        community: Arc::new(Community {
            id: site.community.id,
            title: site.community.title,
            township: around.township.clone(),
            gateway: around.gateway.clone(),
            duties,
            calendar: site.calendar.map(Arc::new),
            plan_size: site.community.plan_size,
            areas: site.areas,
            feeders: site.feeders,
            sources: around.sources.clone().unwrap_or_default(),
            device_types: types.values.into_values().cloned().collect(),
            devices,
            interlocks: site.interlocks,
            scenes: scenes.into_iter().map(Arc::new).collect(),
            models: around.models.clone().unwrap_or_default(),
        }),
        simulation: site.simulation,
        notices: blind.into_iter().map(|(_, notice)| notice).collect(),
        scene_documents,
    })
}

/// The device type of a recording with these columns: one point per column, in their order. A column
/// that the type does not know is a number without unit or limits.
pub fn recording_type(device_type: &DeviceType, columns: &[String]) -> DeviceType {
    let point = |name: &String| match device_type.point(name) {
        Some(position) => device_type.points[position].clone(),
        None => unlimited(name),
    };
    DeviceType { points: columns.iter().map(point).collect(), ..device_type.clone() }
}

fn unlimited(name: &str) -> Point {
    Point {
        name: name.to_owned(),
        title: None,
        at: At::default(),
        scale: 1.0,
        offset: 0.0,
        unit: "1".to_owned(),
        range: None,
        max_rate: None,
        stuck_after: None,
        stale: None,
        no_data: Vec::new(),
        must_be: None,
        words: BTreeMap::new(),
        optional: true,
        writable: None,
    }
}

/// A file and what could be read of it.
type Read<T> = (Document, Option<Arc<T>>);

fn read_all<T: serde::de::DeserializeOwned>(files: &[File]) -> Vec<Read<T>> {
    let read = |file: &File| {
        let (document, value) = Document::read::<T>(&file.name, &file.text);
        (document, value.map(Arc::new))
    };
    files.iter().map(read).collect()
}

/// What other files may refer to.
struct Known<'r, T> {
    values: BTreeMap<&'r str, &'r Arc<T>>,
    documents: BTreeMap<&'r str, &'r Document>,
    /// Ids of files that could not be read to the end, or that two files have.
    unread: Vec<&'r str>,
    /// Some file does not tell its id, or tells another one's.
    has_nameless: bool,
}

impl Known<'_, DeviceType> {
    /// Whether the names of its points are all known.
    fn has_sure_points(&self, id: &str) -> bool {
        !self.documents.get(id).is_some_and(|document| document.has_doubtful("point", "name"))
    }
}

impl<'r, T> Known<'r, T> {
    fn new(files: &'r [Read<T>], path: &str, id: impl Fn(&T) -> &String) -> Self {
        let mut known = Self {
            values: BTreeMap::new(),
            documents: BTreeMap::new(),
            unread: Vec::new(),
            has_nameless: false,
        };
        for (document, value) in files {
            known.has_nameless |= document.is_doubtful(path);
            match value {
                Some(value) if !document.is_mended(path) => {
                    let id = id(value).as_str();
                    known.documents.insert(id, document);
                    // Which of two is meant, nobody knows.
                    if known.values.insert(id, value).is_some() {
                        known.unread.push(id);
                    }
                }
                Some(_) => known.has_nameless = true,
                None => match document.text_at(path) {
                    Some(id) => known.unread.push(id),
                    None => known.has_nameless = true,
                },
            }
        }
        known.values.retain(|id, _| !known.unread.contains(id));
        known
    }

    fn get(&self, id: &str) -> Option<&'r Arc<T>> {
        self.values.get(id).copied()
    }

    /// Whether something at that path of its file is told as wrong already.
    fn is_doubtful(&self, id: &str, path: &str) -> bool {
        self.documents.get(id).is_some_and(|document| document.is_doubtful(path))
    }

    /// Reports an id that no file has.
    fn check(&self, document: &mut Document, path: &str, what: &str, id: &str) {
        if !self.has_nameless && !self.values.contains_key(id) && !self.unread.contains(&id) {
            let help = nearest(id, self.values.keys().copied());
            document.fault(path, format!("there is no {what} `{id}`"), help);
        }
    }
}

fn unique_ids<T>(files: &mut [Read<T>], path: &str, id: impl Fn(&T) -> &String) {
    let mut first: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for (document, value) in files {
        let Some(value) = value else { continue };
        let id = id(value);
        check_id(document, path, id);
        if document.is_mended(path) {
            continue;
        }
        if let Some((other, line)) = first.get(id) {
            let message = format!("the id `{id}` is taken already, in line {line} of {other}");
            document.fault(path, message, Some("each file has an id of its own".to_owned()));
        } else {
            let (line, _) = document.line_and_column(path);
            first.insert(id.clone(), (document.file().to_owned(), line));
        }
    }
}

/// Reports ids that come twice in a list of one file.
fn unique<'a>(
    document: &mut Document,
    list: &str,
    key: &str,
    ids: impl Iterator<Item = &'a String>,
) {
    let mut seen: BTreeMap<&String, usize> = BTreeMap::new();
    for (position, id) in ids.enumerate() {
        let path = format!("{list}.{position}.{key}");
        if let Some(first) = seen.get(id) {
            let (line, _) = document.line_and_column(&format!("{list}.{first}.{key}"));
            document.fault(&path, format!("`{id}` is taken already, in line {line}"), None);
        } else {
            seen.insert(id, position);
        }
    }
}

fn check_id(document: &mut Document, path: &str, id: &str) {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if id.is_empty() || !id.chars().all(is_plain) || id.starts_with('-') || id.ends_with('-') {
        let message =
            format!("`{id}` is not an id; expected lower case letters, digits and dashes");
        document.fault(path, message, plain_id(id).map(|plain| format!("`{plain}` would do")));
    }
}

/// The nearest thing to an id that a text can be turned into.
fn plain_id(text: &str) -> Option<String> {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let id: String = text.chars().map(plain).collect();
    let words: Vec<&str> = id.split('-').filter(|word| !word.is_empty()).collect();
    (!words.is_empty()).then(|| words.join("-"))
}

fn all_faults<'d>(documents: impl Iterator<Item = &'d Document>) -> Vec<Fault> {
    let sorted = |document: &Document| {
        let mut faults = document.faults().to_vec();
        faults.sort_by_key(|fault| fault.span.start);
        faults
    };
    documents.flat_map(sorted).collect()
}

#[cfg(test)]
mod tests;
