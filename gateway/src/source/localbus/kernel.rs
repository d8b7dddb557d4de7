//! Sensors that the Linux kernel reads itself and shows as files: 1-Wire thermometers and `hwmon`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gatehouse_core::community::localbus::Chip;

use super::chips::{Read, Said, Trouble};

/// A DS18B20 below the kernel's folder of 1-Wire slaves (`Documentation/w1/slaves/w1_therm.rst`).
pub(super) fn thermometer(folder: &Path, name: &str) -> Read {
    let path = folder.join(name).join("w1_slave");
    Box::new(move || {
        let text = read(&path)?;
        Ok(vec![("temperature".to_owned(), celsius(&text)?)])
    })
}

/// Two lines: the nine bytes and `crc=.. YES`, and again with `t=`, in thousandths of a degree.
fn celsius(text: &str) -> Result<f64, Trouble> {
    let damaged = || Trouble::NoData("the answer is damaged (checksum)".to_owned());
    let (crc, measured) = text.split_once('\n').ok_or_else(damaged)?;
    if !crc.trim_end().ends_with("YES") {
        return Err(damaged());
    }
    let thousandths: i32 = measured
        .rsplit_once("t=")
        .and_then(|(_, number)| number.trim().parse().ok())
        .ok_or_else(damaged)?;
    // Datasheet DS18B20, "Operation": what it says before its first conversion, so after a dip of its
    // supply, is exactly 85.
    if thousandths == 85_000 {
        return Err(Trouble::NoData("it was reset before it could measure (supply?)".to_owned()));
    }
    Ok(f64::from(thousandths) / 1_000.0)
}

/// The channels of a driver under `hwmon`, found by the name that it has.
pub(super) fn hwmon(folder: &Path, name: &str, wanted: &[String]) -> Read {
    let (folder, name, wanted) = (folder.to_owned(), name.to_owned(), wanted.to_owned());
    Box::new(move || {
        // Numbers change from boot to boot, names do not.
        let Some(driver) = driver(&folder, &name)? else {
            return Err(Trouble::Silent(format!("no driver has the name `{name}`")));
        };
        let mut said = Said::new();
        for channel in &wanted {
            let Some(divisor) = Chip::hwmon_divisor(channel) else { continue };
            // A sensor that is off answers with an error; it has no data.
            let text = fs::read_to_string(driver.join(channel)).unwrap_or_default();
            if let Ok(raw) = text.trim().parse::<f64>() {
                said.push((channel.clone(), raw / divisor));
            }
        }
        Ok(said)
    })
}

fn driver(folder: &Path, name: &str) -> Result<Option<PathBuf>, Trouble> {
    let closed = |error: io::Error| Trouble::Closed(format!("`{}`: {error}", folder.display()));
    for entry in fs::read_dir(folder).map_err(closed)?.flatten() {
        let found = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
        if found.trim() == name {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

fn read(path: &Path) -> Result<String, Trouble> {
    fs::read_to_string(path)
        .map_err(|error| Trouble::Silent(format!("`{}`: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thermometer_is_read_and_its_faults_are_no_temperatures() {
        let crc = "50 05 4b 46 7f ff 0c 10 1c : crc=1c";
        let cases = [
            (
                "as measured",
                format!("{crc} YES\n50 05 4b 46 7f ff 0c 10 1c t=23125\n"),
                Some(23.125),
            ),
            (
                "below zero",
                format!("{crc} YES\n5e ff 4b 46 7f ff 02 10 1c t=-10125\n"),
                Some(-10.125),
            ),
            ("damaged", format!("{crc} NO\n50 05 4b 46 7f ff 0c 10 1c t=23125\n"), None),
            ("reset", format!("{crc} YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n"), None),
            ("cut off", format!("{crc} YES\n50 05"), None),
            ("empty", String::new(), None),
        ];
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("28-00000a1b2c3d")).unwrap();
        let mut read = thermometer(folder.path(), "28-00000a1b2c3d");

        assert!(matches!(read(), Err(Trouble::Silent(_))), "nobody is there yet");
        for (why, text, expected) in cases {
            fs::write(folder.path().join("28-00000a1b2c3d/w1_slave"), text).unwrap();
            let said = read();
            let value = said.as_ref().ok().and_then(|said| said.first()).map(|(_, value)| *value);
            assert_eq!(value, expected, "{why}");
            assert!(expected.is_some() || matches!(said, Err(Trouble::NoData(_))), "{why}");
        }
    }

    #[test]
    fn a_driver_is_found_by_its_name_and_tells_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        for (number, name) in [("hwmon0", "acpitz"), ("hwmon1", "cpu_thermal")] {
            let driver = folder.path().join(number);
            fs::create_dir(&driver).unwrap();
            fs::write(driver.join("name"), format!("{name}\n")).unwrap();
            fs::write(driver.join("temp1_input"), "48312\n").unwrap();
        }
        let wanted = ["temp1_input".to_owned(), "in1_input".to_owned()];

        let said = hwmon(folder.path(), "cpu_thermal", &wanted)();
        let missing = hwmon(folder.path(), "lm75", &wanted)();
        let nowhere = hwmon(&folder.path().join("none"), "lm75", &wanted)();

        assert_eq!(said, Ok(vec![("temp1_input".to_owned(), 48.312)]));
        assert!(matches!(missing, Err(Trouble::Silent(_))));
        assert!(matches!(nowhere, Err(Trouble::Closed(_))));
    }
}
