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
        ("shunt-ohm = 165", "shunt-ohm = 250", "8:13 `shunt-ohm` is 250, expected 10 to 185"),
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

fn wired() -> Surroundings {
    let mut around = around();
    let bus = |id: &str, kind| Source { id: id.to_owned(), kind: SourceKind::Bus(kind) };
    if let Some(sources) = &mut around.sources {
        sources.extend([bus("inside", BusKind::I2c), bus("probes", BusKind::OneWire)]);
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
