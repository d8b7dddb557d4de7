//! One working community, and what is said when one thing in it is wrong.

mod budget;
mod calendar;
mod cameras;
mod localbus;
mod once;
mod people;
mod warning;
mod writables;

use super::*;
use crate::community::fault::line_and_column;
use crate::community::{Address, SourceKind};
use crate::reading::SourceIndex;

const PROBE: &str = r#"[device-type]
id = "probe"
title = { zh = "", en = "" }
via = "modbus"
[modbus]
function = "input"
count = 4
every = "5 s"
holes = [[3, 3]]
[[point]]
name = "level"
at = { word = 0, type = "f32" }
unit = "m"
range = [0, 5]
[[point]]
name = "temperature"
at = { word = 2, type = "i16" }
scale = 0.1
unit = "degC"
[[example]]
words = [0x3FC0, 0, 253]
expect = { level = 1.5, temperature = 25.3 }
"#;

const LID: &str = r#"[device-type]
id = "lid"
title = { zh = "", en = "" }
via = "mqtt"
echo = ["seq"]
[[point]]
name = "open"
at = { json = "/open" }
unit = "1"
[[example]]
payload = '{"open":true}'
expect = { open = 1 }
"#;

const SCENE: &str = r#"[scene]
id = "water"
title = { zh = "", en = "" }
category = "safety"
device-types = ["probe"]
advice = { zh = "", en = "" }
[[detector]]
id = "high"
point = "level"
limit-high = "2 m"
deadband = "0.1 m"
[[detector]]
id = "fast"
when = "rate.level > 0.5 && temperature < 30.0"
[[grade]]
level = 2
when = "over > 1.0"
[[story]]
title = "the water rises"
device-type = "probe"
every = "5 s"
lasts = "2m"
steps = [{ at = "0s", set = { level = 1 } }, { at = "1m", set = { level = 3 } }]
expect = ["1m opened 4"]
"#;

const SITE: &str = r#"[community]
id = "garden"
title = { zh = "", en = "" }
[[area]]
id = "east"
title = { zh = "", en = "" }
[[device]]
id = "sump"
type = "probe"
area = "east"
line = "pumps"
unit = 1
[[device]]
id = "door"
type = "lid"
area = "east"
[simulation]
every = { lid = "1 min" }
[[simulation.anomaly]]
device = "sump"
starts = "1 min"
lasts = "2 min"
set = { level = 4 }
scene = "water"
"#;

#[test]
fn files_without_faults_become_a_community() {
    let built = build(&files(), &around()).unwrap();

    let community = &built.community;
    let ids: Vec<_> = community.devices.iter().map(|d| (d.id.as_str(), d.source)).collect();
    assert_eq!(ids, [("sump", SourceIndex(1)), ("door", SourceIndex(0))]);
    assert_eq!(community.devices[0].address, Address::Unit(1));
    assert_eq!(community.devices[1].address, Address::Topic("sense/garden/door".into()));
    assert_eq!((built.examples(), community.scenes.len()), (2, 1));
    assert_eq!(built.simulation.as_ref().map(|s| s.anomalies.len()), Some(1));

    let fault = built.story_fault(0, 0, Some(0), "nothing opened", None).unwrap();
    assert_eq!(line_and_column(SCENE, fault.span.start), (24, 11));
}

#[test]
fn a_fault_in_a_device_type_is_told_with_its_place() {
    let cases = [
        (
            "\"probe\"",
            "\"Probe 1\"",
            "2:6 `Probe 1` is not an id; expected lower case letters, digits and dashes (`probe-1` would do)",
        ),
        (
            "via = \"modbus\"",
            "via = \"mqtt\"",
            "5:1 `[modbus]` is for device types via `modbus` (set `via = \"modbus\"`, or remove the section)",
        ),
        ("every = \"5 s\"", "every = \"0 s\"", "8:9 `every` must be longer than nothing"),
        ("count = 4", "count = 2", "17:15 the point ends at word 2, but `count` is 2 "),
        ("[[3, 3]]", "[[3, 2]]", "9:10 a hole is `[first, last]` (write `[2, 3]`)"),
        ("[[3, 3]]", "[[2, 3]]", "17:15 the point lies in the hole `[2, 3]`, which is never read"),
        (
            "word = 2,",
            "word = 9,",
            "17:15 the point ends at word 9, but `count` is 4 (words are counted from `start`; does the device have 10 of them?)",
        ),
        (
            "{ word = 2, type",
            "{ json = \"/t\", type",
            "17:6 a point via `modbus` stands at `word`, found `json`",
        ),
        (
            "\"temperature\"",
            "\"Temp.\"",
            "16:8 `Temp.` cannot stand in a rule; expected a lower case letter, then letters, digits and underscores (`temp_` would do)",
        ),
        (
            "\"temperature\"",
            "\"rate\"",
            "16:8 `rate` has a meaning of its own in rules (`rate_value` would do)",
        ),
        ("\"temperature\"", "\"level\"", "16:8 `level` is taken already, in line 11"),
        ("scale = 0.1", "scale = 0.0", "18:9 `scale` must be a number other than 0"),
        (
            "scale = 0.1",
            "scale = 0.01",
            "22:39 example 1: `temperature` is 2.53 degC, expected 25.3 degC (is `scale` right?)",
        ),
        (
            "[0, 5]",
            "[5, 0]",
            "14:9 `range` is reversed; it is `[lowest, highest]` (write `[0, 5]`)",
        ),
        (
            "[0, 5]",
            "[0, 1]",
            "22:20 example 1: `level` is 1.5 m, outside its range [0, 1], expected 1.5 m",
        ),
        (
            "type = \"f32\"",
            "type = \"f32\", order = \"little\"",
            "22:20 example 1: `level` is 0 m, expected 1.5 m (with `order = \"big\"` it would be right)",
        ),
        (
            "type = \"f32\"",
            "type = \"u16\", bits = 16",
            "12:39 bit 16 is not within the 16 bits of the type (the lowest bit is 0; `type = \"u32\"` has 32 of them)",
        ),
        (
            "expect = { level",
            "expect = { levle",
            "22:12 there is no point `levle` (did you mean `level`?)",
        ),
        (
            "words = [0x3FC0, 0, 253]",
            "payload = '{}'",
            "20:1 an example of this device type has `words`",
        ),
    ];
    for (found, replaced, expected) in cases {
        let text = changed(PROBE, found, replaced);
        let told = told(&Files { device_types: vec![file("probe.toml", &text), lid()], ..files() });
        let mine: Vec<_> = told.iter().filter(|line| line.starts_with("probe.toml:")).collect();
        assert!(
            mine.iter().any(|line| line.starts_with(&format!("probe.toml:{expected}"))),
            "{replaced}: {told:#?}"
        );
    }
}

#[test]
fn a_fault_in_json_or_in_bytes_is_told_with_its_place() {
    let cases = [
        (
            "\"/open\"",
            "\"data.open\"",
            "lid.toml:8:15 `data.open` is not a JSON pointer; it begins with `/` (write `/data/open`)",
        ),
        ("\"/open\"", "\"/open\", type = \"u8\"", "lid.toml:8:24 `type` has no meaning in JSON"),
        (
            "{ json = \"/open\" }",
            "{ byte = 0, bits = [7, 4] }",
            "lid.toml:8:25 a field of bits is `[lowest, highest]` (write `[4, 7]`)",
        ),
        (
            "{ json = \"/open\" }",
            "{}",
            "lid.toml:8:6 a point via `mqtt` stands at `json` or `byte`, found none",
        ),
        (
            "payload = '{\"open\":true}'",
            "payload-hex = '0'",
            "lid.toml:11:15 `payload-hex` is bytes in hexadecimal, as in `01 A4 00`",
        ),
        (
            "{\"open\":true}",
            "{\"open\":tru}",
            "lid.toml:10:1 example 1: the payload is not JSON at line 1, column 12: expected ident",
        ),
        (
            "[[example]]\npayload = '{\"open\":true}'\nexpect = { open = 1 }\n",
            "",
            "lid.toml:1:1 a device type carries at least one example (add an `[[example]]` with what the device sent and what it means)",
        ),
        (
            "expect = { open = 1 }",
            "quality = { open = \"stuck\" }",
            "lid.toml:12:20 example 1: `open` is 1, expected quality `stuck`",
        ),
        (
            "id = \"lid\"",
            "id = \"probe\"",
            "lid.toml:2:6 the id `probe` is taken already, in line 2 of probe.toml (each file has an id of its own)",
        ),
    ];
    for (found, replaced, expected) in cases {
        let text = changed(LID, found, replaced);
        let types = vec![file("probe.toml", PROBE), file("lid.toml", &text)];
        let told = told(&Files { device_types: types, ..files() });
        assert!(told.iter().any(|line| line == expected), "{replaced}: {told:#?}");
    }
}

#[test]
fn a_fault_in_a_scene_is_told_with_its_place() {
    let cases = [
        (
            "[\"probe\"]",
            "[\"prob\"]",
            "5:17 there is no device type `prob` (did you mean `probe`?)",
        ),
        (
            "point = \"level\"",
            "point = \"levl\"",
            "9:9 no device type of this scene has a point `levl` (did you mean `level`?)",
        ),
        (
            "\"2 m\"",
            "\"2 cm\"",
            "10:14 `limit-high` is in `cm`, but `level` of `probe` is in `m` (give the number in `m`)",
        ),
        (
            "\"2 m\"",
            "\"7 m\"",
            "10:14 `limit-high` can never be passed: `level` of `probe` is within [0, 5]",
        ),
        (
            "\"2 m\"",
            "\"2 m\"\nlimit-low = \"1 m\"",
            "11:1 a detector has one of `limit-high`, `limit-low`, `when` and `model`, found `limit-high`, `limit-low` (make each of them a `[[detector]]` of its own)",
        ),
        (
            "limit-high = \"2 m\"",
            "",
            "7:1 a detector has one of `limit-high`, `limit-low`, `when` and `model`, found none",
        ),
        ("\"0.1 m\"", "\"-0.1 m\"", "11:12 `deadband` is a distance, 0 or more"),
        (
            "deadband",
            "threshold = 0.5\ndeadband",
            "11:1 `threshold` belongs to `model`, not to `limit-high`",
        ),
        ("\"fast\"", "\"high\"", "13:6 `high` is taken already, in line 8"),
        (
            "rate.level >",
            "rate.levle >",
            "14:14 no device type of this scene has a point `levle` (did you mean `level`?)",
        ),
        (
            "temperature <",
            "temperature + 1 <",
            "14:9 the rule does not hold together: Unsupported binary operator 'add': Float(1.0), Int(1) (whole and decimal numbers do not mix: write `2.0` for 2)",
        ),
        ("0.5 &&", "0.5 & &", "14:26 the rule cannot be read"),
        (
            "when = \"rate.level > 0.5 && temperature < 30.0\"",
            "model = \"forcast\"",
            "14:9 there is no model `forcast` (did you mean `forecast`?)",
        ),
        (
            "category",
            "false-alarms = \"1 per week\"\ncategory",
            "4:1 `false-alarms` is for detectors with a `model`, and the scene has none",
        ),
        (
            "category",
            "false-alarms = \"often\"\ncategory",
            "4:16 `false-alarms`: `often` does not say how often; expected a number per day, week, month or year, as in \"2 per week\"",
        ),
        ("level = 2", "level = 5", "16:9 `level` is 1 (most urgent) to 4, found 5"),
        ("over >", "ovr >", "17:9 a grade does not know `ovr` (did you mean `over`?)"),
        (
            "device-type = \"probe\"",
            "device-type = \"lid\"",
            "20:15 the scene does not look at device type `lid` (it lists `probe`)",
        ),
        (
            "level = 3",
            "depth = 3",
            "23:67 device type `probe` has no point `depth` (known are `level`, `temperature`)",
        ),
        ("\"1m\", set", "\"3m\", set", "23:53 steps stand in the order of time and within `lasts`"),
        (
            "1m opened 4",
            "1m opend 4",
            "24:11 `1m opend 4` is not an expectation: it names no transition (did you mean `opened`?)",
        ),
        (
            "category = \"safety\"",
            "category = \"saftey\"",
            "4:12 `category` must be one of `environment`, `parking`, `waste`, `camera`, `facility`, `safety`, found the text \"saftey\" (did you mean `safety`?)",
        ),
    ];
    for (found, replaced, expected) in cases {
        let text = changed(SCENE, found, replaced);
        let told = told(&Files { scenes: vec![file("water.toml", &text)], ..files() });
        assert!(
            told.iter().any(|line| line.starts_with(&format!("water.toml:{expected}"))),
            "{replaced}: {told:#?}"
        );
    }
}

#[test]
fn a_fault_in_the_community_is_told_with_its_place() {
    let cases = [
        (
            "type = \"probe\"",
            "type = \"prob\"",
            "9:8 there is no device type `prob` (did you mean `probe`?)",
        ),
        (
            "area = \"east\"\nline",
            "area = \"esat\"\nline",
            "10:8 there is no area `esat` (did you mean `east`?)",
        ),
        (
            "line = \"pumps\"",
            "line = \"pump\"",
            "11:8 there is no line `pump` in gateway.toml (did you mean `pumps`?)",
        ),
        (
            "line = \"pumps\"",
            "topic = \"a/b\"",
            "11:1 `topic` is for MQTT, but `probe` speaks Modbus",
        ),
        ("line = \"pumps\"\n", "", "7:1 missing key `line`; `probe` speaks Modbus"),
        ("unit = 1", "unit = 248", "12:8 `unit` is 1 to 247, found 248"),
        (
            "unit = 1",
            "unit = 300",
            "12:8 `unit` must be a whole number from 1 to 247, found the number 300",
        ),
        ("id = \"door\"", "id = \"sump\"", "14:6 `sump` is taken already, in line 8"),
        (
            "type = \"lid\"",
            "type = \"lid\"\ntopic = \"a/#/b\"",
            "16:9 `a/#/b` is not a topic filter: `#` stands alone, as the last level",
        ),
        ("type = \"lid\"", "type = \"lid\"\nfeeder = \"main\"", "16:10 there is no feeder `main`"),
        (
            "type = \"lid\"",
            "type = \"lid\"\nbroker = \"pumps\"",
            "16:10 there is no broker `pumps` in gateway.toml (known are `sensors`)",
        ),
        (
            "[simulation]",
            "[[device]]\nid = \"b\"\ntype = \"probe\"\narea = \"east\"\nline = \"pumps\"\nunit = 1\n[simulation]",
            "22:8 `sump` has this `unit` already",
        ),
        (
            "[simulation]",
            "[[device]]\nid = \"b\"\ntype = \"lid\"\narea = \"east\"\ntopic = \"sense/+/door\"\n[simulation]",
            "21:9 `sense/+/door` takes in messages of `door` too",
        ),
        ("set = { level", "set = { lvl", "23:9 device type `probe` has no point `lvl`"),
        (
            "scene = \"water\"",
            "scene = \"watr\"",
            "24:9 there is no scene `watr` (did you mean `water`?)",
        ),
        (
            "device = \"sump\"",
            "device = \"smup\"",
            "20:10 there is no device `smup` (did you mean `sump`?)",
        ),
    ];
    for (found, replaced, expected) in cases {
        let text = changed(SITE, found, replaced);
        let told = told(&Files { community: file("community.toml", &text), ..files() });
        assert!(
            told.iter().any(|line| line.starts_with(&format!("community.toml:{expected}"))),
            "{replaced}: {told:#?}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_makes_no_faults_elsewhere() {
    let broken = changed(PROBE, "via = \"modbus\"", "via = ");
    let told = told(&Files { device_types: vec![file("probe.toml", &broken), lid()], ..files() });

    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].starts_with("probe.toml:4:7 "), "{told:#?}");
}

fn files() -> Files {
    Files {
        community: file("community.toml", SITE),
        device_types: vec![file("probe.toml", PROBE), lid()],
        scenes: vec![file("water.toml", SCENE)],
    }
}

fn lid() -> File {
    file("lid.toml", LID)
}

fn around() -> Surroundings {
    let source = |id: &str, kind| Source { id: id.into(), kind };
    let sources = vec![source("sensors", SourceKind::Broker), source("pumps", SourceKind::Line)];
    let model = |name: &str, window, outputs| ModelSpec {
        name: name.into(),
        version: "1".into(),
        window,
        outputs,
    };
    Surroundings {
        township: "town".into(),
        gateway: "gw".into(),
        sources: Some(sources),
        models: Some(vec![model("forecast", 35, 9), model("limit-forecast", 39, 44)]),
        ..Surroundings::default()
    }
}

fn file(name: &str, text: &str) -> File {
    File { name: name.into(), text: text.into() }
}

fn changed(text: &str, found: &str, replaced: &str) -> String {
    assert!(text.contains(found), "{found}");
    text.replacen(found, replaced, 1)
}

/// `file:line:column message (help)` for every fault.
fn told(files: &Files) -> Vec<String> {
    told_around(files, &around())
}

fn told_around(files: &Files, around: &Surroundings) -> Vec<String> {
    let all = files.device_types.iter().chain(&files.scenes).chain([&files.community]);
    let text = |name: &str| all.clone().find(|file| file.name == name).unwrap().text.clone();
    let told = |fault: &Fault| {
        let (line, column) = line_and_column(&text(&fault.file), fault.span.start);
        let help = fault.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
        format!("{}:{line}:{column} {}{help}", fault.file, fault.message)
    };
    build(files, around).unwrap_err().iter().map(told).collect()
}
