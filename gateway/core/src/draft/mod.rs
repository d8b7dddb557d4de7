//! A device type drafted from what a sensor sent: everything that it may mean, side by side, and the
//! file for what the integrator picked.
//!
//! 1. [`sample`]: a pasted payload, or the words of a Modbus answer,
//! 2. [`candidate`]: every value that stands in it, in every type and order,
//! 3. [`known`]: what field names usually mean: name, unit, range,
//! 4. [`recognise`]: the device types that read it already,
//! 5. [`write`]: the file, with the sample as its example.
//!
//! All values come out of [`crate::decode`], so that what is shown is what will be read. Whether the file
//! holds together is for [`crate::community::build`] to say, as of every other.

pub mod candidate;
pub mod known;
mod place;
mod recognise;
pub mod sample;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::time::Duration;

pub use place::{NotAPlace, Place, order_word};
pub use recognise::{Recognised, recognise};
pub use sample::{Form, NoSample, Sample};
pub use write::function_word;

use crate::community::device_type::{
    At, DeviceType, Function, Head, Modbus, Point, TimeField, Via,
};
use crate::community::quantity::{Period, Text};
use crate::decode::{Decoder, Raw};
use crate::reading::Quality;

/// How often a Modbus device is asked when nobody says otherwise.
pub const EVERY: Period = Period(Duration::from_secs(10));

/// What an integrator has picked and named so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub id: String,
    pub title: Text,
    pub sample: Sample,
    /// Where the device's own time stands; the time of arrival when left out.
    pub time: Option<TimeField>,
    /// Time between two polls; for Modbus alone.
    pub every: Period,
    pub points: Vec<Chosen>,
}

/// One value that was picked.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    pub place: Place,
    pub name: String,
    pub title: Option<Text>,
    pub unit: String,
    pub scale: f64,
    pub offset: f64,
    pub range: Option<(f64, f64)>,
    pub stale: Option<Period>,
    /// Texts that stand for numbers.
    pub words: BTreeMap<String, f64>,
}

impl Chosen {
    /// What is known of the place, for the integrator to correct: a name from the field's, the unit and
    /// range that such a field has.
    pub fn suggested(place: Place) -> Self {
        let field = match &place {
            Place::Json(pointer) => last_name(pointer),
            Place::Byte { .. } | Place::Word { .. } => String::new(),
        };
        let known = known::of_field(&field);
        let name = known.map_or_else(|| plain_name(&field, &place), |known| known.name.to_owned());
        Self {
            place,
            name,
            title: known.map(|known| Text::new(known.zh, known.en)),
            unit: known.map_or("1", |known| known.unit).to_owned(),
            scale: 1.0,
            offset: 0.0,
            range: known.and_then(|known| known.range),
            stale: None,
            words: BTreeMap::new(),
        }
    }

    fn point(&self) -> Point {
        Point {
            name: self.name.clone(),
            title: self.title.clone(),
            at: self.place.at(),
            scale: self.scale,
            offset: self.offset,
            unit: self.unit.clone(),
            range: self.range,
            max_rate: None,
            stuck_after: None,
            stale: self.stale,
            no_data: Vec::new(),
            must_be: None,
            words: self.words.clone(),
            optional: false,
            writable: None,
        }
    }
}

impl Draft {
    /// The device type, without its example.
    pub fn device_type(&self) -> DeviceType {
        let points = self.points.iter().map(Chosen::point).collect();
        DeviceType {
            head: Head {
                id: self.id.clone(),
                title: self.title.clone(),
                time: self.time.clone(),
                ..head(&self.sample)
            },
            modbus: modbus(&self.sample, self.every),
            camera: None,
            localbus: None,
            points,
            examples: Vec::new(),
        }
    }

    /// What the sample says at each picked place, in their order, scaled as chosen.
    pub fn values(&self) -> Vec<Raw> {
        values(&self.device_type(), &self.sample)
    }
}

/// What the sample says to this device type; `missing` throughout when it says nothing to it.
fn values(device_type: &DeviceType, sample: &Sample) -> Vec<Raw> {
    let decoded = Decoder::new(device_type).decode(&sample.body());
    decoded.map_or_else(
        |_| vec![Err(Quality::Missing); device_type.points.len()],
        |decoded| decoded.values,
    )
}

/// A device type that has points at these places alone.
fn reading(sample: &Sample, places: impl IntoIterator<Item = At>) -> DeviceType {
    let point = |at| Point { at, ..Chosen::suggested(Place::Json(String::new())).point() };
    DeviceType {
        head: head(sample),
        modbus: modbus(sample, EVERY),
        camera: None,
        localbus: None,
        points: places.into_iter().map(point).collect(),
        examples: Vec::new(),
    }
}

fn head(sample: &Sample) -> Head {
    Head {
        id: String::new(),
        title: Text::default(),
        via: match sample {
            Sample::Json(_) | Sample::Bytes(_) => Via::Mqtt,
            Sample::Words { .. } => Via::Modbus,
        },
        silent_after: None,
        echo: Vec::new(),
        time: None,
        any_point: false,
    }
}

fn modbus(sample: &Sample, every: Period) -> Option<Modbus> {
    let Sample::Words { function, start, .. } = sample else { return None };
    Some(Modbus {
        function: *function,
        start: *start,
        count: None,
        every,
        max_block: 125,
        holes: Vec::new(),
    })
}

/// Whether a table holds bits.
pub fn is_bits(function: Function) -> bool {
    match function {
        Function::Coil | Function::Discrete => true,
        Function::Holding | Function::Input => false,
    }
}

/// The last name of a JSON pointer that is no position in a list.
pub fn last_name(pointer: &str) -> String {
    let names: Vec<String> =
        pointer.split('/').skip(1).map(|n| n.replace("~1", "/").replace("~0", "~")).collect();
    let is_position = |name: &&String| !name.bytes().all(|byte| byte.is_ascii_digit());
    names.iter().rfind(is_position).cloned().unwrap_or_default()
}

/// A word that rules can use.
fn plain_name(field: &str, place: &Place) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = field.chars().map(plain).collect();
    let name = name.trim_matches('_');
    match place {
        _ if name.starts_with(|c: char| c.is_ascii_lowercase()) => name.to_owned(),
        Place::Json(_) => format!("value_{name}").trim_end_matches('_').to_owned(),
        Place::Byte { at, .. } => format!("byte_{at}"),
        Place::Word { at, .. } => format!("word_{at}"),
    }
}
