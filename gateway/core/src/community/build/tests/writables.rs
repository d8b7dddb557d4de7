//! Mistakes in what may be written to a device.

use super::*;

/// A lid that can be opened, and the example that shows how.
fn lid_with(writable: &str, example: &str) -> Files {
    let point = format!("unit = \"1\"\n[point.writable]\n{writable}\n");
    let text = changed(LID, "unit = \"1\"\n", &point) + example;
    Files { device_types: vec![file("probe.toml", PROBE), file("lid.toml", &text)], ..files() }
}

const WRITABLE: &str =
    "range = [0, 1]\nwords = { UP = 1, DOWN = 0 }\ntopic = \"{topic}/set\"\npayload = \"{value}\"";

const EXAMPLE: &str = "[[example]]\nwrite = { open = 1 }\nown-topic = \"sense/garden/door\"\n\
                       topic = \"sense/garden/door/set\"\npayload = \"UP\"\n";

#[test]
fn a_point_that_can_be_written_shows_what_goes_out() {
    assert!(build(&lid_with(WRITABLE, EXAMPLE), &around()).is_ok());

    for (found, replaced, expected) in [
        ("payload = \"UP\"", "payload = \"DOWN\"", "is written as `UP` to `sense/garden/door/set`"),
        ("door/set", "door", "is written as `UP` to `sense/garden/door/set`"),
        ("open = 1", "opn = 1", "there is no point `opn`"),
        ("open = 1", "open = 2", "`open` may be 0 to 1"),
    ] {
        let told = told(&lid_with(WRITABLE, &changed(EXAMPLE, found, replaced)));
        assert!(told.iter().any(|told| told.contains(expected)), "{replaced}: {told:#?}");
    }
    let told = told(&lid_with(WRITABLE, ""));
    assert!(told.len() == 1 && told[0].contains("no example shows what goes out"), "{told:#?}");
}

#[test]
fn what_cannot_be_written_is_told_at_the_desk() {
    for (found, replaced, expected) in [
        ("range = [0, 1]", "range = [1, 0]", "`range` is `[lowest, highest]`"),
        ("range = [0, 1]", "range = [0, 1]\nstep = 0", "`step` must be more than 0"),
        (
            "range = [0, 1]",
            "range = [0, 1]\nevery = \"0 s\"",
            "`every` must be longer than nothing",
        ),
        ("range = [0, 1]", "range = [0, 1]\nmultiple = true", "`multiple` is for Modbus"),
        ("DOWN = 0", "DOWN = 7", "7 could not be written: `open` may be 0 to 1"),
        ("{topic}/set", "{9}/set", "the device's own topic has no such level"),
        ("{topic}/set", "a/#", "its topic has a wildcard"),
        ("payload = \"{value}\"", "payload = \"UP\"", "the payload is the same for every value"),
        ("payload = \"{value}\"", "", "missing key `payload`"),
        ("range = [0, 1]", "range = [0, 1]\nwhen = \"lop == 0.0\"", "has a point `lop`"),
        ("range = [0, 1]", "range = [0, 1]\nwhen = \"rate.open < 1.0\"", "as they are now"),
        ("range = [0, 1]", "rang = [0, 1]", "unknown key `rang`"),
    ] {
        let told = told(&lid_with(&changed(WRITABLE, found, replaced), EXAMPLE));
        assert!(told.iter().any(|told| told.contains(expected)), "{replaced}: {told:#?}");
    }
}

#[test]
fn input_registers_and_bits_are_only_read() {
    for (writable, expected) in [
        ("range = [0, 5]", "discrete inputs and input registers are only read"),
        (
            "range = [0, 5]\nat = { word = 0, function = \"holding\", bits = 1 }",
            "bits of a register cannot be written",
        ),
        ("range = [0, 5]\ntopic = \"x\"", "`topic` is for MQTT"),
    ] {
        let point = format!("range = [0, 5]\n[point.writable]\n{writable}\n");
        let text = changed(PROBE, "range = [0, 5]\n", &point);
        let types = vec![file("probe.toml", &text), lid()];
        let told = told(&Files { device_types: types, ..files() });
        assert!(told.iter().any(|told| told.contains(expected)), "{writable}: {told:#?}");
    }
}

#[test]
fn an_interlock_of_the_community_names_what_there_is() {
    let with = |interlock: &str| Files {
        community: file("community.toml", &format!("{SITE}\n{interlock}")),
        ..lid_with(WRITABLE, EXAMPLE)
    };
    let whole = "[[interlock]]\ndevice = \"door\"\npoint = \"open\"\nof = { level = \"sump/level\" }\n\
                 when = \"level < 2.0 || value == 0.0\"\nwhy = { zh = \"水\", en = \"water\" }\n";
    let built = build(&with(whole), &around()).unwrap();
    assert_eq!(built.community.interlocks[0].of["level"], "sump/level");

    for (found, replaced, expected) in [
        ("\"door\"", "\"dor\"", "there is no device `dor` (did you mean `door`?)"),
        ("\"open\"", "\"opn\"", "`door` has no point `opn` (did you mean `open`?)"),
        ("sump/level", "sump/levle", "`sump` has no point `levle` (did you mean `level`?)"),
        ("sump/level", "pump/level", "there is no device `pump` (did you mean `sump`?)"),
        ("sump/level", "level", "`level` is no `device/point`"),
        ("{ level =", "{ value =", "`value` is what is to be written"),
        ("level < 2.0", "levle < 2.0", "has a point `levle` (did you mean `level`?)"),
        ("level < 2.0", "rate.level < 2.0", "as they are now"),
        ("\"door\"\npoint = \"open\"", "\"sump\"\npoint = \"level\"", "is not writable"),
        ("when =", "unless =", "unknown key `unless`"),
    ] {
        let told = told(&with(&changed(whole, found, replaced)));
        assert!(told.iter().any(|told| told.contains(expected)), "{replaced}: {told:#?}");
    }
}
