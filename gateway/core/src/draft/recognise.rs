//! Which known device types read a sample already, so that nobody writes a file that there is.

use std::sync::Arc;

use super::Sample;
use crate::community::device_type::{DeviceType, Head, Via};
use crate::community::quantity::Text;
use crate::decode::Decoder;

/// A device type that reads the sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Recognised {
    pub id: String,
    pub title: Text,
    /// Point, value, unit.
    pub values: Vec<(String, f64, String)>,
}

/// Those of which every point that must be there is there and within its range, the one that reads the
/// most first. Bytes and registers have no names, so of them it is a guess; whoever sent them must have
/// sent as many as the type asks for.
pub fn recognise(sample: &Sample, known: &[Arc<DeviceType>]) -> Vec<Recognised> {
    let mut found: Vec<Recognised> =
        known.iter().filter_map(|device_type| read(sample, device_type)).collect();
    found.sort_by_key(|found| std::cmp::Reverse(found.values.len()));
    found
}

fn read(sample: &Sample, device_type: &DeviceType) -> Option<Recognised> {
    let via = match sample {
        Sample::Json(_) | Sample::Bytes(_) => Via::Mqtt,
        Sample::Words { .. } => Via::Modbus,
    };
    if device_type.head.via != via || !is_as_long(sample, device_type) {
        return None;
    }
    let decoded = Decoder::new(device_type).decode(&sample.body()).ok()?;
    let mut values = Vec::new();
    for (point, raw) in device_type.points.iter().zip(decoded.values) {
        match raw {
            Ok(value) => {
                let is_within = |(low, high)| (low..=high).contains(&value);
                if !point.range.is_none_or(is_within) {
                    return None;
                }
                values.push((point.name.clone(), value, point.unit.clone()));
            }
            Err(_) if point.optional => {}
            Err(_) => return None,
        }
    }
    // A field or two of common names are no device.
    if values.is_empty() || values.len() * 2 < device_type.points.len() {
        return None;
    }
    let Head { id, title, .. } = device_type.head.clone();
    Some(Recognised { id, title, values })
}

/// Whether bytes or words end where the device type's last point does.
fn is_as_long(sample: &Sample, device_type: &DeviceType) -> bool {
    let lengths = device_type.examples.iter().filter_map(|example| match sample {
        Sample::Json(_) => None,
        Sample::Bytes(_) => {
            let digits =
                example.payload_hex.as_ref()?.split_whitespace().map(str::len).sum::<usize>();
            Some(digits / 2)
        }
        Sample::Words { .. } => example.words.as_ref().map(Vec::len),
    });
    match sample {
        Sample::Json(_) => true,
        Sample::Bytes(bytes) => lengths.into_iter().any(|long| long == bytes.len()),
        Sample::Words { words, .. } => lengths.into_iter().any(|long| long == words.len()),
    }
}
