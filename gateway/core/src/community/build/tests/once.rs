//! One mistake is one fault: nothing is told of what only follows from it.

use super::*;

#[test]
fn a_mistake_in_a_device_type_is_told_once() {
    let cases = [
        (
            "[0, 5]",
            "[5, 0]",
            "14:9 `range` is reversed; it is `[lowest, highest]` (write `[0, 5]`)",
        ),
        (
            "unit = \"degC\"",
            "unit = \"celsius\"",
            "19:8 `celsius` is not a unit that is known here (did you mean `degC`?)",
        ),
        (
            "unit = \"m\"",
            "unit = \"mtr\"",
            "13:8 `mtr` is not a unit that is known here (did you mean `m`?)",
        ),
        ("scale = 0.1", "scale = 0", "18:9 `scale` must be a number other than 0"),
        (
            "type = \"i16\"",
            "type = \"int16\"",
            "17:25 `type` must be one of `bool`, `u8`, `i8`, `u16`, `i16`, `u32`, `i32`, `f32`, found the text \"int16\" (did you mean `i16`?)",
        ),
        ("\"temperature\"", "\"level\"", "16:8 `level` is taken already, in line 11"),
        ("[modbus]", "[modbuss]", "5:2 unknown key `modbuss` (did you mean `modbus`?)"),
        (
            "[[point]]\nname = \"level\"",
            "[point]\nname = \"level\"",
            "10:1 `[point]` is one table, but there are several (write `[[point]]`, each time)",
        ),
        ("[[example]]", "[example]", "20:1 `[example]` is one of a list (write `[[example]]`)"),
        (
            "function = \"input\"",
            "function = 4",
            "6:12 `function` must be one of `coil`, `discrete`, `holding`, `input`, found the number 4 (did you mean `\"input\"`?)",
        ),
        (
            "id = \"probe\"",
            "id = \"Probe\"",
            "2:6 `Probe` is not an id; expected lower case letters, digits and dashes (`probe` would do)",
        ),
        (
            "words = [0x3FC0, 0, 253]",
            "words = [0x3FC0, 0]",
            "22:39 example 1: `temperature` is `missing`, expected 25.3 degC (the point is at word 2, counted from 0; the example has 2 words)",
        ),
    ];
    for (found, replaced, expected) in cases {
        let text = changed(PROBE, found, replaced);
        let files = Files { device_types: vec![file("probe.toml", &text), lid()], ..files() };
        assert_eq!(told(&files), [format!("probe.toml:{expected}")], "{replaced}");
    }
}

#[test]
fn several_points_under_a_misspelt_name_are_one_fault() {
    let text = PROBE.replace("[[point]]", "[[points]]");
    let files = Files { device_types: vec![file("probe.toml", &text), lid()], ..files() };

    assert_eq!(told(&files), ["probe.toml:10:3 unknown key `points` (did you mean `point`?)"]);
}

#[test]
fn an_id_that_is_taken_is_told_once_with_both_places() {
    let copy = changed(PROBE, "via = \"modbus\"", "via = \"modbus\" # a copy");
    let types = vec![file("a.toml", &copy), file("probe.toml", PROBE), lid()];
    assert_eq!(
        told(&Files { device_types: types, ..files() }),
        [
            "probe.toml:2:6 the id `probe` is taken already, in line 2 of a.toml (each file has an id of its own)"
        ]
    );

    // The id that everybody refers to is gone: its file took another one's.
    let types = vec![file("probe.toml", &changed(PROBE, "\"probe\"", "\"lid\"")), lid()];
    assert_eq!(told(&Files { device_types: types, ..files() }).len(), 1);

    let scenes = vec![file("a.toml", SCENE), file("b.toml", SCENE)];
    assert_eq!(
        told(&Files { scenes, ..files() }),
        [
            "b.toml:2:6 the id `water` is taken already, in line 2 of a.toml (each file has an id of its own)"
        ]
    );

    let site = changed(SITE, "id = \"sump\"", "id = \"door\"");
    assert_eq!(
        told(&Files { community: file("community.toml", &site), ..files() }),
        ["community.toml:14:6 `door` is taken already, in line 8"],
        "and the anomaly of `sump` is left alone"
    );

    let site = changed(
        SITE,
        "[[device]]",
        "[[area]]\nid = \"east\"\ntitle = { zh = \"\", en = \"\" }\n[[device]]",
    );
    assert_eq!(
        told(&Files { community: file("community.toml", &site), ..files() }),
        ["community.toml:8:6 `east` is taken already, in line 5"]
    );
}

#[test]
fn a_misspelt_device_type_hides_no_misspelt_point() {
    let scene = changed(SCENE, "[\"probe\"]", "[\"probe\", \"lidd\"]");
    let scene = changed(&scene, "point = \"level\"", "point = \"levle\"");
    let scene = changed(&scene, "rate.level", "rate.leevl");
    assert_eq!(
        told(&Files { scenes: vec![file("water.toml", &scene)], ..files() }),
        [
            "water.toml:5:26 there is no device type `lidd` (did you mean `lid`?)",
            "water.toml:9:9 no device type of this scene has a point `levle` (did you mean `level`?)",
            "water.toml:14:14 no device type of this scene has a point `leevl` (did you mean `level`?)",
        ]
    );

    // `open` is a point of the type that was meant.
    let scene = changed(SCENE, "[\"probe\"]", "[\"probe\", \"lidd\"]");
    let scene = changed(&scene, "temperature < 30.0", "open > 0.0");
    assert_eq!(told(&Files { scenes: vec![file("water.toml", &scene)], ..files() }).len(), 1);
}

#[test]
fn a_quantity_without_its_unit_is_told_which_one_the_point_has() {
    for (key, found) in [("deadband", "\"0.1 m\""), ("limit-high", "\"2 m\"")] {
        let scene = changed(SCENE, found, "\"1\"");
        let told = told(&Files { scenes: vec![file("water.toml", &scene)], ..files() });
        let expected = format!(
            "`{key}` has no unit; `level` of `probe` is in `m` (write \"1 m\" if that is meant)"
        );
        assert!(told.len() == 1 && told[0].ends_with(&expected), "{told:#?}");
    }
}

#[test]
fn a_value_out_of_a_range_that_is_too_narrow_is_no_matter_of_its_bytes() {
    let text = changed(PROBE, "[0, 5]", "[0, 1]");
    let files = Files { device_types: vec![file("probe.toml", &text), lid()], ..files() };

    assert!(told(&files)[0].ends_with("expected 1.5 m (is `range` right?)"), "{:#?}", told(&files));
}

#[test]
fn every_column_of_a_recording_is_a_point_in_the_columns_order() {
    let probe: DeviceType = toml::from_str(PROBE).unwrap();

    let device_type = recording_type(&probe, &["temperature".into(), "b 2".into()]);

    let points: Vec<_> = device_type.points.iter().map(|p| (&*p.name, &*p.unit)).collect();
    assert_eq!(points, [("temperature", "degC"), ("b 2", "1")]);
}
