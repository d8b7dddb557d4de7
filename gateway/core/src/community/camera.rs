//! What a device sees through a camera: the zones and tripwires drawn on its picture, and what each of
//! its points asks of it.
//!
//! The core never sees a picture. Whoever looks answers with a number for each point, in the order of the
//! device type; [`Device::sight_points`] tells what the numbers are, [`Address::Camera`] where to look.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::device_type::DeviceType;
use super::quantity::Period;
use super::{Address, Community, Device, SourceKind};
use crate::reading::SourceIndex;

/// Tiles across a picture, or down.
pub const MOST_TILES: u8 = 4;
/// Corners of one zone.
pub const MOST_CORNERS: usize = 100;
/// Share of the picture's width or height; less is a point.
const SHORTEST: f64 = 1e-3;
/// Share of the picture; less is a line.
const SMALLEST: f64 = 1e-4;

/// Position of a camera among the `[[camera]]` of `gateway.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CameraIndex(pub usize);

/// A camera, as far as the core cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Camera<'c> {
    pub index: CameraIndex,
    /// Where it stands among all sources.
    pub source: SourceIndex,
    pub id: &'c str,
}

/// `[camera]`: what looks, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Looking {
    /// A picture model in `models/`, by name. Left out: only points that need none (`dark`, `covered`,
    /// `moved`, `motion` and their like).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How often it looks at most; the camera's own `every` and the load of the box make it less.
    #[serde(default = "every")]
    pub every: Period,
    /// For a model that finds things, where they are small in the picture: it is shown so many tiles of it
    /// besides, across and down, 1 to 4 each, as in `[3, 2]`. Each is a look of its own and takes as long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(inner(range(min = 1, max = 4)))]
    pub tiles: Option<[u8; 2]>,
}

impl Looking {
    /// Across and down; 1 and 1 is the whole picture alone.
    pub fn tiles(&self) -> [usize; 2] {
        self.tiles.unwrap_or([1, 1]).map(usize::from)
    }

    /// Ten looks: a box that is busy sheds some. Nothing at all for a minute is a camera that is away.
    pub fn silent_after(&self) -> Duration {
        (self.every.0 * 10).max(Duration::from_mins(1))
    }
}

fn every() -> Period {
    Period(Duration::from_secs(1))
}

/// What a point asks of a picture.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum See {
    /// How many things of `labels` are in the zone.
    Count,
    /// 1 while something of `labels` is in the zone, 0 otherwise.
    Present,
    /// Seconds that the thing of `labels` that has been in the zone longest has been there.
    Dwell,
    /// How many things of `labels` have crossed the tripwire since start.
    Crossings,
    /// Position in `labels` of what the classifier says; no data where it is not sure.
    Class,
    /// How likely the classifier takes the one of `labels` to be, 0..1.
    Probability,
    /// 1 while there is too little light to see anything, 0 otherwise.
    Dark,
    /// 1 while the picture is not sharp, 0 otherwise.
    Blurred,
    /// 1 while something covers the lens, 0 otherwise.
    Covered,
    /// 1 while the camera sends the same picture again and again, 0 otherwise.
    Frozen,
    /// 1 while the camera looks elsewhere than it did, 0 otherwise.
    Moved,
    /// Mean brightness, 0 black to 1 white.
    Brightness,
    /// How sharp the picture is; a number to compare with itself.
    Sharpness,
    /// Share of the picture that changed since the last look, 0..1.
    Motion,
}

/// What a kind of [`See`] looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Things that a detector finds in a zone.
    Things,
    /// Things that a detector finds and that pass a tripwire.
    Passing,
    /// What a classifier says of a zone's part of the picture.
    Class,
    /// The picture as a whole, without any model.
    View,
}

impl See {
    pub fn subject(self) -> Subject {
        match self {
            Self::Count | Self::Present | Self::Dwell => Subject::Things,
            Self::Crossings => Subject::Passing,
            Self::Class | Self::Probability => Subject::Class,
            Self::Dark
            | Self::Blurred
            | Self::Covered
            | Self::Frozen
            | Self::Moved
            | Self::Brightness
            | Self::Sharpness
            | Self::Motion => Subject::View,
        }
    }

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Present => "present",
            Self::Dwell => "dwell",
            Self::Crossings => "crossings",
            Self::Class => "class",
            Self::Probability => "probability",
            Self::Dark => "dark",
            Self::Blurred => "blurred",
            Self::Covered => "covered",
            Self::Frozen => "frozen",
            Self::Moved => "moved",
            Self::Brightness => "brightness",
            Self::Sharpness => "sharpness",
            Self::Motion => "motion",
        }
    }
}

/// Which way over a tripwire, for one who stands at `from` and looks to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// From the left to the right.
    In,
    /// From the right to the left.
    Out,
}

/// `[[device.zone]]`: a part of the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Zone {
    /// What points call it.
    pub name: String,
    /// `[x, y]` each, in order, three or more: fractions of the picture's width and height, x to the
    /// right and y down.
    pub corners: Vec<[f64; 2]>,
}

/// `[[device.tripwire]]`: a line that things cross.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tripwire {
    /// What points call it.
    pub name: String,
    /// `[x, y]`, fractions of the picture's width and height.
    pub from: [f64; 2],
    pub to: [f64; 2],
}

/// What is drawn on the picture for one device.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drawing {
    pub zones: Vec<Zone>,
    pub tripwires: Vec<Tripwire>,
}

/// Where a device looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Sight {
    pub camera: CameraIndex,
    pub drawing: Drawing,
    /// What the configuration draws, where somebody drew something else on the console.
    pub overruled: Option<Drawing>,
}

impl Sight {
    /// What the configuration draws.
    pub fn written(&self) -> &Drawing {
        self.overruled.as_ref().unwrap_or(&self.drawing)
    }
}

/// What one point of a device asks, with its zone or tripwire found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SightPoint {
    pub see: See,
    /// Labels of the model that count, in the order of the file.
    pub labels: Vec<String>,
    /// The zone, by name; the whole picture without one.
    pub zone: Option<String>,
    /// The tripwire, by name; only for [`See::Crossings`].
    pub tripwire: Option<String>,
    /// One way over it; both when there is none.
    pub way: Option<Way>,
}

impl Community {
    /// The cameras, in the order of `gateway.toml`.
    pub fn cameras(&self) -> impl Iterator<Item = Camera<'_>> {
        let cameras = self.sources.iter().enumerate();
        let cameras = cameras.filter(|(_, source)| source.kind == SourceKind::Camera);
        cameras.enumerate().map(|(index, (source, camera))| Camera {
            index: CameraIndex(index),
            source: SourceIndex(source),
            id: &camera.id,
        })
    }
}

impl Device {
    /// Where it looks, when it does.
    pub fn sight(&self) -> Option<&Sight> {
        match &self.address {
            Address::Camera(sight) => Some(sight),
            Address::Topic(_) | Address::Unit(_) | Address::Chip(_) | Address::Replay => None,
        }
    }

    /// What its points ask of its camera, one each in the device type's order; none when it has none.
    pub fn sight_points(&self) -> Vec<SightPoint> {
        let Some(Sight { drawing, .. }) = self.sight() else { return Vec::new() };
        let point = |at: &super::device_type::At| {
            let see = at.see?;
            let subject = see.subject();
            let first_zone = || drawing.zones.first().map(|zone| zone.name.clone());
            let zone = at.zone.clone().or_else(first_zone);
            let first_wire = || drawing.tripwires.first().map(|tripwire| tripwire.name.clone());
            let tripwire = at.tripwire.clone().or_else(first_wire);
            Some(SightPoint {
                see,
                labels: at.labels.clone(),
                zone: zone.filter(|_| matches!(subject, Subject::Things | Subject::Class)),
                tripwire: tripwire.filter(|_| subject == Subject::Passing),
                way: at.way,
            })
        };
        self.device_type.points.iter().filter_map(|p| point(&p.at)).collect()
    }
}

impl DeviceType {
    /// The picture model that it names.
    pub fn picture_model(&self) -> Option<&str> {
        self.camera.as_ref()?.model.as_deref()
    }
}

/// A fault in a drawing: where below its device, what, and what to do.
pub type Misdrawn = (String, String, Option<String>);

impl Drawing {
    /// Everything that is wrong with it.
    pub fn faults(&self) -> Vec<Misdrawn> {
        let mut faults = Vec::new();
        let zones = self.zones.iter().map(|zone| &zone.name);
        let tripwires = self.tripwires.iter().map(|tripwire| &tripwire.name);
        check_names("zone", zones, &mut faults);
        check_names("tripwire", tripwires, &mut faults);
        for (position, zone) in self.zones.iter().enumerate() {
            check_zone(&format!("zone.{position}.corners"), &zone.corners, &mut faults);
        }
        for (position, Tripwire { name, from, to }) in self.tripwires.iter().enumerate() {
            let path = format!("tripwire.{position}");
            let are_inside = [("from", from), ("to", to)]
                .map(|(key, point)| check_point(&format!("{path}.{key}"), *point, &mut faults));
            let length = (from[0] - to[0]).hypot(from[1] - to[1]);
            if are_inside == [true, true] && length < SHORTEST {
                let message = format!("`{name}` begins where it ends, so nothing can cross it");
                faults.push((format!("{path}.to"), message, None));
            }
        }
        faults
    }
}

fn check_names<'n>(
    list: &str,
    names: impl Iterator<Item = &'n String>,
    faults: &mut Vec<Misdrawn>,
) {
    let mut seen: Vec<&String> = Vec::new();
    for (position, name) in names.enumerate() {
        let path = format!("{list}.{position}.name");
        if name.trim().is_empty() {
            let help = Some("give it a name, as in \"lane\"".to_owned());
            faults.push((path, format!("a {list} without a name"), help));
        } else if seen.contains(&name) {
            faults.push((path, format!("this device has a {list} `{name}` already"), None));
        }
        seen.push(name);
    }
}

fn check_zone(path: &str, corners: &[[f64; 2]], faults: &mut Vec<Misdrawn>) {
    let mut fault = |message: String, help: Option<&str>| {
        faults.push((path.to_owned(), message, help.map(str::to_owned)));
    };
    match corners.len() {
        count @ 0..=2 => {
            fault(format!("a zone has 3 corners or more, `[x, y]` each; found {count}"), None);
            return;
        }
        3..=MOST_CORNERS => {}
        many => {
            fault(format!("a zone has {MOST_CORNERS} corners at most, found {many}"), None);
            return;
        }
    }
    let check =
        |(at, corner): (usize, &[f64; 2])| check_point(&format!("{path}.{at}"), *corner, faults);
    // Each corner is told, so none may be skipped.
    let inside = corners.iter().enumerate().map(check).filter(|is_inside| *is_inside).count();
    if inside < corners.len() {
        return;
    }
    if let Some((first, second)) = crossing(corners) {
        let message =
            format!("the outline crosses itself: its sides {} and {} meet", first + 1, second + 1);
        let help = "give the corners in order, around the zone".to_owned();
        faults.push((path.to_owned(), message, Some(help)));
    } else if surface(corners) < SMALLEST {
        let message = "the corners lie on one line, so that they enclose nothing";
        faults.push((path.to_owned(), message.to_owned(), None));
    }
}

fn check_point(path: &str, [x, y]: [f64; 2], faults: &mut Vec<Misdrawn>) -> bool {
    let is_inside = (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y);
    if !is_inside {
        let message = format!("[{x}, {y}] is not on the picture; both numbers are from 0 to 1");
        let help = "fractions of the picture's width and height, and no pixels".to_owned();
        faults.push((path.to_owned(), message, Some(help)));
    }
    is_inside
}

/// Two sides that meet and are not neighbours, by position.
fn crossing(corners: &[[f64; 2]]) -> Option<(usize, usize)> {
    let count = corners.len();
    let side = |at: usize| (corners[at], corners[(at + 1) % count]);
    let pairs = (0..count).flat_map(|one| (one + 2..count).map(move |other| (one, other)));
    let mut pairs = pairs.filter(|(one, other)| (other + 1) % count != *one);
    pairs.find(|(one, other)| do_meet(side(*one), side(*other)))
}

type Side = ([f64; 2], [f64; 2]);

/// Whether two sides have a point in common.
fn do_meet((a, b): Side, (c, d): Side) -> bool {
    let [of_c, of_d, of_a, of_b] = [turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b)];
    if of_c * of_d < 0.0 && of_a * of_b < 0.0 {
        return true;
    }
    let touches = |turn: f64, (from, to): Side, point: [f64; 2]| {
        let within = |axis: usize| {
            let (low, high) = (from[axis].min(to[axis]), from[axis].max(to[axis]));
            (low..=high).contains(&point[axis])
        };
        turn == 0.0 && within(0) && within(1)
    };
    touches(of_c, (a, b), c)
        || touches(of_d, (a, b), d)
        || touches(of_a, (c, d), a)
        || touches(of_b, (c, d), b)
}

/// Above 0 when the way from `a` over `b` to `c` turns one way, below 0 the other, 0 straight on.
fn turn(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// Share of the picture within the corners.
fn surface(corners: &[[f64; 2]]) -> f64 {
    let next = corners.iter().cycle().skip(1);
    let twice: f64 = corners.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum();
    twice.abs() / 2.0
}
