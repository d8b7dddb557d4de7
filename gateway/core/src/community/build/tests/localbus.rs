//! The local bus: what is told of its device types and of where the chips are.

use super::*;
use crate::community::localbus::{BusKind, Place};

const LEVEL: &str = r#"[device-type]
id = "level"
title = { zh = "", en = "" }
via = "localbus"
[localbus]
chip = "current-loop"
every = "5 s"
shunt-ohm = 165
[[point]]
name = "level"
at = { channel = "a0" }
scale = 0.3125
offset = -1.25
unit = "m"
[[example]]
values = { level = 12 }
expect = { level = 2.5 }
"#;

/// Figaro's figures for the TGS2611 in methane.
const GAS: &str = r#"[device-type]
id = "level"
title = { zh = "", en = "" }
via = "localbus"
[localbus]
chip = "gas"
every = "5 s"
[localbus.gas]
supply-volt = 5
from-ppm = 3000
to-ppm = 9000
ratio = 0.60
least-ppm = 500
most-ppm = 10000
calibration-ppm = 5000
calibration-volt = { a0 = 2.5 }
[[point]]
name = "methane"
title = { zh = "", en = "" }
at = { channel = "a0" }
unit = "ppm"
[[example]]
values = { methane = 5000 }
expect = { methane = 5000 }
"#;

const ROOM: &str = r#"[community]
id = "garden"
title = { zh = "", en = "" }
[[area]]
id = "east"
title = { zh = "", en = "" }
[[device]]
id = "tank"
type = "level"
area = "east"
bus = "inside"
address = "0x49"
"#;

#[test]
fn a_chip_is_found_on_its_bus_and_its_points_are_scaled() {
    let built = build(&files_of(LEVEL, ROOM), &wired()).unwrap().community;

    let tank = &built.devices[0];
    assert_eq!(tank.address, Address::Chip(Place::I2c(0x49)));
    assert_eq!(built.sources[tank.source.0].kind, SourceKind::Bus(BusKind::I2c));
    assert_eq!(tank.device_type.of_channels(|_| 20.0), [5.0]);
    assert_eq!(tank.device_type.silent_after().as_secs(), 25);
}

#[test]
fn a_fault_in_a_type_of_the_local_bus_is_told_with_its_place() {
    let cases = [
        (
            "[localbus]\nchip = \"current-loop\"\nevery = \"5 s\"\nshunt-ohm = 165\n",
            "",
            "4:7 a device type via `localbus` needs a section `[localbus]`",
        ),
        ("\"current-loop\"", "\"curent-loop\"", "6:8 `chip` must be one of"),
        ("every = \"5 s\"", "every = \"0 s\"", "7:9 `every` must be longer than nothing"),
        ("shunt-ohm = 165\n", "", "5:1 missing key `shunt-ohm`"),
        (
            "shunt-ohm = 165",
            "shunt-ohm = 250",
            "8:13 `shunt-ohm` is 250, expected 10 to 187 (21 mA must stay within the 4.096 V",
        ),
        ("\"current-loop\"", "\"ads1115\"", "8:1 `shunt-ohm` is for `chip = \"current-loop\"`"),
        ("\"a0\"", "\"a4\"", "11:18 a `current-loop` has no channel `a4` (did you mean `a0`?)"),
        (
            "scale = 0.3125\noffset = -1.25\n",
            "",
            "12:8 `a0` comes in `mA`, and the point is in `m` (write `unit = \"mA\"`",
        ),
        (
            "{ channel = \"a0\" }",
            "{ word = 0 }",
            "11:6 a point via `localbus` stands at `channel`, found `word`",
        ),
        (
            "values = { level = 12 }",
            "words = [12]",
            "15:1 an example of this device type has `values`",
        ),
        (
            "expect = { level = 2.5 }",
            "expect = { level = 3 }",
            "17:20 example 1: `level` is 2.5 m, expected 3 m",
        ),
    ];
    for (found, replaced, expected) in cases {
        let told = told_around(&files_of(&changed(LEVEL, found, replaced), ROOM), &wired());
        let expected = format!("level.toml:{expected}");
        assert!(told.iter().any(|line| line.starts_with(&expected)), "{replaced}: {told:#?}");
    }
}

#[test]
fn a_fault_in_a_type_on_spi_is_told_with_its_place() {
    let cases = [
        ("reference-volt = 3.3\n", "", "5:1 missing key `reference-volt`; it measures in parts of"),
        ("= 3.3", "= 33", "8:18 `reference-volt` is 33, expected 0.25 to 5.5"),
        ("= 3.3", "= nan", "8:18 `reference-volt` is NaN, expected 0.25 to 5.5"),
        ("shunt-ohm = 150\n", "", "5:1 missing key `shunt-ohm`"),
        // 21 mA across 165 ohm is more than the reference.
        (
            "= 150",
            "= 165",
            "9:13 `shunt-ohm` is 165, expected 10 to 150 (21 mA must stay within the 3.3",
        ),
        (
            "\"current-loop-mcp3208\"",
            "\"mcp3208\"",
            "9:1 `shunt-ohm` is for `chip = \"current-loop\"` or `chip = \"current-loop-mcp3208\"`",
        ),
        (
            "\"current-loop-mcp3208\"",
            "\"current-loop\"",
            "8:1 `reference-volt` is for `chip = \"mcp3208\"` or",
        ),
        ("\"a7\"", "\"a8\"", "12:18 a `current-loop-mcp3208` has no channel `a8`"),
    ];
    for (found, replaced, expected) in cases {
        let told = told_around(&files_of(&changed(&spi(), found, replaced), ""), &wired());
        let expected = format!("level.toml:{expected}");
        assert!(told.iter().any(|line| line.starts_with(&expected)), "{replaced}: {told:#?}");
    }
}

#[test]
fn a_chip_on_spi_stands_alone_at_its_select_line() {
    let room = ROOM.replace("bus = \"inside\"\naddress = \"0x49\"\n", "bus = \"adc\"\n");
    let built = build(&files_of(&spi(), &room), &wired()).unwrap().community;
    assert_eq!(built.devices[0].address, Address::Chip(Place::Alone));

    let second = "[[device]]\nid = \"other\"\ntype = \"level\"\narea = \"east\"\nbus = \"adc\"\n";
    let cases = [
        (
            "bus = \"adc\"\n",
            "bus = \"adc\"\naddress = \"0x49\"\n".to_owned(),
            "12:11 a `current-loop-mcp3208` is alone at its select line and has no address",
        ),
        (
            "\"adc\"",
            "\"inside\"".to_owned(),
            "11:7 a `current-loop-mcp3208` is on `spi`, and bus `inside` is `i2c` (known are `adc`)",
        ),
        (
            "bus = \"adc\"\n",
            format!("bus = \"adc\"\n{second}"),
            "16:7 `tank` has this `bus` already",
        ),
    ];
    for (found, replaced, expected) in cases {
        let told = told_around(&files_of(&spi(), &changed(&room, found, &replaced)), &wired());
        let expected = format!("community.toml:{expected}");
        assert!(told.iter().any(|line| line.starts_with(&expected)), "{replaced}: {told:#?}");
    }
    let told = told_around(&files_of(LEVEL, &changed(ROOM, "\"inside\"", "\"adc\"")), &wired());
    let expected = "community.toml:11:7 a `current-loop` is on `i2c`, and bus `adc` is `spi`";
    assert!(told.iter().any(|line| line.starts_with(expected)), "{told:#?}");
}

#[test]
fn a_fault_in_what_a_gas_sensor_means_is_told_with_its_place() {
    assert!(build(&files_of(GAS, ROOM), &wired()).is_ok());
    let cases = [
        ("from-ppm = 3000\n", "", "8:1 missing key `from-ppm`"),
        ("[[point]]", "load-ohm = 3\n[[point]]", "17:1 unknown key `load-ohm`"),
        ("chip = \"gas\"", "chip = \"ads1115\"", "8:11 `gas` is for `chip = \"gas\"`"),
        ("supply-volt = 5", "supply-volt = 0", "9:15 `supply-volt` must be more than 0"),
        ("to-ppm = 9000", "to-ppm = 3000", "11:10 `to-ppm` must be more than `from-ppm`"),
        ("ratio = 0.60", "ratio = 1.6", "12:9 `ratio` must be between 0 and 1"),
        ("ratio = 0.60", "ratio = nan", "12:9 `ratio` must be between 0 and 1"),
        ("most-ppm = 10000", "most-ppm = 400", "14:12 `most-ppm` must be more than `least-ppm`"),
        (
            "calibration-ppm = 5000",
            "calibration-ppm = 2",
            "15:19 `calibration-ppm` must be between `least-ppm` and `most-ppm`",
        ),
        ("a0 = 2.5", "a9 = 2.5", "16:22 a `gas` has no channel `a9`"),
        ("a0 = 2.5", "a0 = 4.98", "16:27 `a0` is at 4.98 V, which is no part of 5 V"),
        (
            "a0 = 2.5",
            "a0 = 3.8",
            "16:27 in 10000 ppm `a0` would be at 4.07 V, too near to the 4.096 V",
        ),
        ("a0 = 2.5", "a1 = 2.5", "20:18 `a0` was not calibrated"),
        ("unit = \"ppm\"", "unit = \"V\"", "21:8 `a0` comes in `ppm`, and the point is in `V`"),
    ];
    for (found, replaced, expected) in cases {
        let told = told_around(&files_of(&changed(GAS, found, replaced), ROOM), &wired());
        let expected = format!("level.toml:{expected}");
        assert!(told.iter().any(|line| line.starts_with(&expected)), "{replaced}: {told:#?}");
    }
}

#[test]
fn a_gas_sensor_without_its_curve_is_told() {
    let section = GAS.find("[localbus.gas]").unwrap()..GAS.find("[[point]]").unwrap();
    let mut gas = GAS.to_owned();
    gas.replace_range(section, "");

    let told = told_around(&files_of(&gas, ROOM), &wired());

    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].starts_with("level.toml:5:1 missing key `gas`"), "{told:#?}");
}

#[test]
fn a_fault_in_where_a_chip_is_is_told_with_its_place() {
    let second = "[[device]]\nid = \"other\"\ntype = \"level\"\narea = \"east\"\nbus = \"inside\"\naddress = \"0x49\"\n";
    let cases = [
        (
            "\"inside\"",
            "\"insid\"",
            "11:7 there is no bus `insid` in gateway.toml (did you mean `inside`?)",
        ),
        ("bus = \"inside\"\n", "", "7:1 missing key `bus`; `level` is wired to the box"),
        (
            "\"inside\"",
            "\"probes\"",
            "11:7 a `current-loop` is on `i2c`, and bus `probes` is `one-wire`",
        ),
        (
            "\"0x49\"",
            "\"0x44\"",
            "12:11 a `current-loop` is at `0x48` or `0x49` or `0x4a` or `0x4b`, found `0x44`",
        ),
        (
            "address = \"0x49\"\n",
            &format!("address = \"0x49\"\n{second}"),
            "18:11 `tank` has this `address` already",
        ),
        (
            "address",
            "unit = 3\naddress",
            "12:1 `unit` is for Modbus, but `level` is wired to the box",
        ),
    ];
    for (found, replaced, expected) in cases {
        let told = told_around(&files_of(LEVEL, &changed(ROOM, found, replaced)), &wired());
        let expected = format!("community.toml:{expected}");
        assert!(told.iter().any(|line| line.starts_with(&expected)), "{replaced}: {told:#?}");
    }
}

/// [`LEVEL`] at the last input of an MCP3208.
fn spi() -> String {
    let shunt = "reference-volt = 3.3\nshunt-ohm = 150";
    LEVEL
        .replace("\"current-loop\"", "\"current-loop-mcp3208\"")
        .replace("shunt-ohm = 165", shunt)
        .replace("\"a0\"", "\"a7\"")
}

fn wired() -> Surroundings {
    let mut around = around();
    let bus = |id: &str, kind| Source { id: id.to_owned(), kind: SourceKind::Bus(kind) };
    if let Some(sources) = &mut around.sources {
        sources.extend([bus("inside", BusKind::I2c), bus("probes", BusKind::OneWire)]);
        sources.push(bus("adc", BusKind::Spi));
    }
    around
}

fn files_of(device_type: &str, community: &str) -> Files {
    Files {
        community: file("community.toml", community),
        device_types: vec![file("level.toml", device_type)],
        scenes: Vec::new(),
    }
}
