//! The configuration and the models that the program carries within itself, so that `demo` runs
//! from anywhere.

use std::path::{Path, PathBuf};

/// Files by their path from the repository's root, with their content.
macro_rules! carried {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../../", $path)).as_slice())),+]
    };
}

/// Every file of `config/`, and of `models/` what is loaded.
const FILES: &[(&str, &[u8])] = carried![
    "config/community.toml",
    "config/device-types/air-rs485.toml",
    "config/device-types/air-sht4x-i2c.toml",
    "config/device-types/air-z2m.toml",
    "config/device-types/bay-camera.toml",
    "config/device-types/bin-camera.toml",
    "config/device-types/bin-fill-camera.toml",
    "config/device-types/bin-sensor.toml",
    "config/device-types/call-button-z2m.toml",
    "config/device-types/contact-z2m.toml",
    "config/device-types/elevator-monitor.toml",
    "config/device-types/gas-meter-pulse.toml",
    "config/device-types/generic-series.toml",
    "config/device-types/heat-chirpstack.toml",
    "config/device-types/lane-camera.toml",
    "config/device-types/lane-geomagnetic.toml",
    "config/device-types/level-4-20ma.toml",
    "config/device-types/level-4851.toml",
    "config/device-types/lift-camera.toml",
    "config/device-types/mains-contact-modbus.toml",
    "config/device-types/mains-contact-pin.toml",
    "config/device-types/meter-3p-f32.toml",
    "config/device-types/node-air.toml",
    "config/device-types/node-bin.toml",
    "config/device-types/node-parking.toml",
    "config/device-types/noise-rs485.toml",
    "config/device-types/parking-chirpstack.toml",
    "config/device-types/parking-geomagnetic.toml",
    "config/device-types/parking-guidance.toml",
    "config/device-types/pump-station.toml",
    "config/device-types/shelly-switch.toml",
    "config/device-types/smoke-z2m.toml",
    "config/device-types/tasmota-socket.toml",
    "config/device-types/valve-actuator.toml",
    "config/device-types/water-meter-tuf2000.toml",
    "config/device-types/water-temp-ds18b20-1wire.toml",
    "config/device-types/weather-rs485.toml",
    "config/device-types/yard-camera.toml",
    "config/gateway.toml",
    "config/scenes/air-quality.toml",
    "config/scenes/bin-fire.toml",
    "config/scenes/bin-overflow.toml",
    "config/scenes/camera-tampered.toml",
    "config/scenes/crowd.toml",
    "config/scenes/ebike-in-lift.toml",
    "config/scenes/fire-lane-blocked.toml",
    "config/scenes/general.toml",
    "config/scenes/loitering.toml",
    "config/scenes/mains-fails.toml",
    "config/scenes/mis-sorted-waste.toml",
    "config/scenes/noise.toml",
    "config/scenes/parking-full.toml",
    "config/scenes/parking-overstay.toml",
    "config/scenes/pump-room.toml",
    "config/scenes/resident-call.toml",
    "config/scenes/smoke-heat.toml",
    "config/scenes/water-leak.toml",
    "config/scenes/water-level.toml",
    "models/face/model.onnx",
    "models/face/model.toml",
    "models/forecast/model.onnx",
    "models/forecast/model.toml",
    "models/limit-forecast/model.onnx",
    "models/limit-forecast/model.toml",
    "models/person/model.onnx",
    "models/person/model.toml",
    "models/plate/model.onnx",
    "models/plate/model.toml",
    "models/road-users/model.onnx",
    "models/road-users/model.toml",
];

/// Writes everything below `folder`, as in the repository; returns the configuration's folder.
pub fn unpack(folder: &Path) -> std::io::Result<PathBuf> {
    for (name, content) in FILES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, content)?;
    }
    Ok(folder.join("config"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn nothing_that_a_demonstration_loads_was_forgotten() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut expected = BTreeSet::new();
        for folder in ["config", "models"] {
            collect(&root, Path::new(folder), &mut expected);
        }
        expected.retain(|path| {
            let is_loaded = |name| Path::new(path).file_name().is_some_and(|n| n == name);
            path.starts_with("config/") || is_loaded("model.onnx") || is_loaded("model.toml")
        });
        // The numbers of bays and bins are played: no picture of them is looked at.
        expected.retain(|path| {
            let played = ["models/bay-occupancy/", "models/waste/"];
            !played.iter().any(|folder| path.starts_with(folder))
        });

        let carried: BTreeSet<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(carried, expected);
    }

    fn collect(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                collect(root, &path, found);
            } else {
                found.insert(path.display().to_string());
            }
        }
    }
}
