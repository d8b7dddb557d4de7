//! Everything that is configured about a community: parsed, checked, then immutable.
//!
//! Text of the four kinds of files comes in, an `Arc<Community>` or *all* faults at once come out;
//! nobody here opens a file. The rooms:
//!
//! 1. [`quantity`], [`frequency`]: typed strings and bilingual texts,
//! 2. [`device_type`] ([`writable`], [`camera`], [`localbus`]), [`scene`], [`site`], [`calendar`], [`people`]: the file formats,
//! 3. [`fault`], [`document`]: what is wrong in a file, with its place and the nearest valid word,
//! 4. [`rule`], [`expectation`]: CEL conditions and the lines of stories,
//! 5. [`build`]: cross-checks the files and resolves names to positions.

pub mod build;
pub mod calendar;
pub mod camera;
pub mod device_type;
pub mod document;
pub mod expectation;
pub mod fault;
pub mod frequency;
pub mod localbus;
pub mod people;
pub mod quantity;
pub mod rule;
pub mod scene;
pub mod site;
mod syntax;
mod tree;
mod wording;
pub mod writable;

use std::sync::Arc;
use std::time::Duration;

use calendar::Calendar;
use device_type::DeviceType;
use quantity::Text;
use scene::Scene;

use crate::reading::{DeviceIndex, SourceIndex};

/// A configured community. Positions in its lists are the indices that travel.
#[derive(Debug, Clone, PartialEq)]
pub struct Community {
    pub id: String,
    pub title: Text,
    /// `/townships/<t>/gateways/<g>`: the CloudEvents source of this box.
    pub township: String,
    pub gateway: String,
    /// The community's own time; rules that ask for it are faults without it.
    pub calendar: Option<Arc<Calendar>>,
    /// Width and height of the floor plan, in metres.
    pub plan_size: Option<[f64; 2]>,
    /// Who is called.
    pub duties: people::Duties,
    pub areas: Vec<site::Area>,
    pub feeders: Vec<site::Feeder>,
    pub sources: Vec<Source>,
    pub device_types: Vec<Arc<DeviceType>>,
    pub devices: Vec<Device>,
    /// What must hold before some points are written, beside what their device types say.
    pub interlocks: Vec<writable::Interlock>,
    pub scenes: Vec<Arc<Scene>>,
    /// What the scenes' models look like from outside.
    pub models: Vec<ModelSpec>,
}

/// A broker, a Modbus line, a camera or a bus of the box, as far as the core cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub id: String,
    pub kind: SourceKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    Broker,
    Line,
    Camera,
    Bus(localbus::BusKind),
    Replay,
}

/// One installed unit, names resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    pub id: String,
    pub title: Text,
    pub device_type: Arc<DeviceType>,
    /// Position in [`Community::areas`].
    pub area: usize,
    pub location: Option<Text>,
    /// On the floor plan, in metres.
    pub at: Option<[f64; 2]>,
    /// Position in [`Community::feeders`].
    pub feeder: Option<usize>,
    pub source: SourceIndex,
    pub address: Address,
}

/// Where a device is found on its source.
#[derive(Debug, Clone, PartialEq)]
pub enum Address {
    /// An MQTT topic filter.
    Topic(String),
    /// A Modbus unit id.
    Unit(u8),
    /// What it looks at through a camera.
    Camera(Box<camera::Sight>),
    /// A chip on a bus of the box.
    Chip(localbus::Place),
    /// Recorded data.
    Replay,
}

/// What the pipeline must know of a model to ask it; `models/<name>/model.toml` in the shell.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSpec {
    pub name: String,
    pub version: String,
    /// Numbers that it is shown per sample: a window, and what is known beside it.
    pub window: usize,
    /// Numbers that it answers to that.
    pub outputs: usize,
}

impl Community {
    pub fn device(&self, index: DeviceIndex) -> &Device {
        &self.devices[index.0]
    }

    /// The device of that id.
    pub fn find_device(&self, id: &str) -> Option<DeviceIndex> {
        self.devices.iter().position(|d| d.id == id).map(DeviceIndex)
    }

    /// A value of this point older than this is no value.
    pub fn stale_after(device_type: &DeviceType, point: usize) -> Duration {
        let declared = device_type.points[point].stale.map(|p| p.0);
        let polled = device_type.polled_every().map(|every| every * 3);
        let seen = device_type.camera.as_ref().map(camera::Looking::silent_after);
        declared.or(polled).or(seen).unwrap_or(Duration::from_mins(15))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Three thermometers on one broker, the first two on one feeder, in one area of 120 people.
    pub(crate) fn community() -> Community {
        let device_type: Arc<DeviceType> = Arc::new(
            toml::from_str(
                r#"
                [device-type]
                id = "thermometer"
                title = { zh = "温度计", en = "thermometer" }
                via = "mqtt"
                silent-after = "1 min"
                echo = ["seq"]
                [[point]]
                name = "temperature"
                title = { zh = "温度", en = "temperature" }
                at = { json = "/t" }
                unit = "degC"
                range = [-40, 85]
                stale = "5 min"
                [[point]]
                name = "humidity"
                at = { json = "/h" }
                unit = "%"
                range = [0, 100]
                optional = true
                "#,
            )
            .unwrap(),
        );
        let device = |number: usize| Device {
            id: format!("t{number}"),
            title: Text::new(format!("{number}号温度计"), format!("thermometer {number}")),
            device_type: Arc::clone(&device_type),
            area: 0,
            location: None,
            at: None,
            feeder: (number < 3).then_some(0),
            source: SourceIndex(0),
            address: Address::Topic(format!("sense/c/t{number}")),
        };
        Community {
            id: "c".into(),
            title: Text::new("社区", "community"),
            township: "town".into(),
            gateway: "gw".into(),
            calendar: None,
            plan_size: None,
            interlocks: Vec::new(),
            duties: people::Duties::default(),
            areas: vec![site::Area {
                id: "east".into(),
                title: Text::new("东区", "east"),
                people: 120,
                ..site::Area::default()
            }],
            feeders: vec![site::Feeder {
                id: "pole-1".into(),
                title: Text::new("一号杆", "pole 1"),
            }],
            sources: vec![Source { id: "sensors".into(), kind: SourceKind::Broker }],
            device_types: vec![Arc::clone(&device_type)],
            devices: (1..=3).map(device).collect(),
            scenes: Vec::new(),
            models: Vec::new(),
        }
    }
}
