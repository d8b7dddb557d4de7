//! Cameras: what is told of their device types and of where devices look, and scenes that stay off.

use super::*;
use crate::community::build::{CameraTopic, PictureKind, PictureModel};
use crate::community::camera::{CameraIndex, Drawing, See, Zone};
use crate::community::scene::Status;

const LANE: &str = r#"[device-type]
id = "lane"
title = { zh = "", en = "" }
via = "camera"
[camera]
model = "cars"
[[point]]
name = "occupied"
at = { see = "present", labels = ["car"] }
unit = "1"
[[point]]
name = "passing"
at = { see = "crossings", labels = ["car"], way = "in" }
unit = "{cars}"
optional = true
[[point]]
name = "covered"
at = { see = "covered" }
unit = "1"
[[example]]
values = { occupied = 1, covered = 0 }
expect = { occupied = 1 }
quality = { passing = "no-data" }
"#;

const LOOKING: &str = r#"[community]
id = "garden"
title = { zh = "", en = "" }
[[area]]
id = "east"
title = { zh = "", en = "" }
[[device]]
id = "lane-1"
type = "lane"
area = "east"
camera = "gate"
[[device.zone]]
name = "lane"
corners = [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]
[[device.tripwire]]
name = "line"
from = [0.1, 0.5]
to = [0.9, 0.5]
"#;

const BLOCKED: &str = r#"[scene]
id = "blocked"
title = { zh = "", en = "" }
category = "safety"
advice = { zh = "", en = "" }
[[detector]]
id = "standing"
when = "occupied > 0.5"
"#;

#[test]
fn a_fault_in_a_camera_type_is_told_with_its_place() {
    let cases = [
        (
            "[camera]\nmodel = \"cars\"\n",
            "",
            "4:7 a device type via `camera` needs a section `[camera]`",
        ),
        ("model = \"cars\"", "model = \"forecast\"", "6:9 `forecast` is a model of numbers"),
        ("model = \"cars\"", "every = \"0 s\"", "6:9 `every` must be longer than nothing"),
        ("model = \"cars\"", "", "9:14 `see = \"present\"` needs a model"),
        (
            "\"cars\"\n",
            "\"cars\"\ntiles = [5, 1]\n",
            "7:9 [5, 1] are not tiles: 1 to 4 across, and as many down",
        ),
        ("\"cars\"\n", "\"cars\"\ntiles = [1, 1]\n", "7:9 one tile is the whole picture"),
        ("\"cars\"\n", "\"cars\"\ntiles = [2]\n", "7:9 "),
        ("model = \"cars\"", "tiles = [2, 1]", "6:1 `tiles` are shown to a model"),
        (
            "\"cars\"\n",
            "\"kinds\"\ntiles = [2, 1]\n",
            "7:1 `tiles` are for a model that finds things, and `kinds` does not",
        ),
        ("\"present\"", "\"presnt\"", "9:14 `see` must be one of"),
        ("[\"car\"] }", "[\"cra\"] }", "9:35 `cars` has no label `cra` (did you mean `car`?)"),
        (", labels = [\"car\"] }", " }", "9:6 `see = \"present\"` needs `labels`"),
        (
            "\"present\"",
            "\"class\"",
            "9:14 `cars` finds things, so nobody can ask it for `see = \"class\"`",
        ),
        (
            "\"covered\" }",
            "\"covered\", zone = \"lane\" }",
            "18:25 `zone` has no meaning for `see = \"covered\"`",
        ),
        (
            "{ see = \"covered\" }",
            "{ byte = 1 }",
            "18:6 a point via `camera` stands at `see`, found `byte`",
        ),
        (
            "unit = \"1\"\n[[point]]\nname = \"passing\"",
            "unit = \"1\"\nscale = 2.0\n[[point]]\nname = \"passing\"",
            "11:1 `scale` is for what comes over a wire",
        ),
        (
            "values = { occupied = 1, covered = 0 }",
            "payload = '{}'",
            "20:1 an example of this device type has `values`",
        ),
        (
            "covered = 0 }",
            "coverd = 0 }",
            "21:26 there is no point `coverd` (did you mean `covered`?)",
        ),
    ];
    for (found, replaced, expected) in cases {
        let text = changed(LANE, found, replaced);
        let told = told_of(&text, LOOKING);
        let expected = format!("lane.toml:{expected}");
        assert!(told.iter().any(|line| line.starts_with(&expected)), "{replaced}: {told:#?}");
    }
}

#[test]
fn a_fault_in_where_a_device_looks_is_told_with_its_place() {
    let cases = [
        ("camera = \"gate\"", "camera = \"gat\"", "11:10 there is no camera `gat` in gateway.toml"),
        ("camera = \"gate\"\n", "", "7:1 missing key `camera`"),
        (
            "camera = \"gate\"",
            "camera = \"gate\"\nunit = 3",
            "12:1 `unit` is for Modbus, but `lane` looks through a camera",
        ),
        ("[0.9, 0.1], ", "", "14:11 a zone has 3 corners or more, `[x, y]` each; found 2"),
        ("[0.5, 0.9]]", "[0.5, 90.0]]", "14:36 [0.5, 90] is not on the picture"),
        (
            "[0.9, 0.1], [0.5, 0.9]]",
            "[0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]",
            "14:11 the outline crosses itself: its sides 1 and 3 meet",
        ),
        ("[0.5, 0.9]]", "[0.5, 0.1]]", "14:11 the corners lie on one line"),
        ("to = [0.9, 0.5]", "to = [0.1, 0.5]", "18:6 `line` begins where it ends"),
        (
            "[[device.tripwire]]",
            "[[device.zone]]\nname = \"lane\"\ncorners = [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]\n[[device.tripwire]]",
            "16:8 this device has a zone `lane` already",
        ),
    ];
    for (found, replaced, expected) in cases {
        let told = told_of(LANE, &changed(LOOKING, found, replaced));
        let expected = format!("community.toml:{expected}");
        assert!(told.iter().any(|line| line.starts_with(&expected)), "{replaced}: {told:#?}");
    }
    let zoned = changed(LANE, "[\"car\"] }", "[\"car\"], zone = \"yard\" }");
    let told = told_of(&zoned, LOOKING);
    assert_eq!(
        told,
        [
            "community.toml:7:1 the device has no zone `yard`, which `occupied` of `lane` needs (it has `lane`)"
        ]
    );
}

#[test]
fn a_device_looks_at_what_was_drawn_on_the_console_instead() {
    let corners = vec![[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
    let drawn =
        Drawing { zones: vec![Zone { name: "drive".into(), corners }], tripwires: Vec::new() };
    let drawings =
        [("lane-1".to_owned(), drawn.clone()), ("gone".to_owned(), drawn.clone())].into();
    let looking = Surroundings { drawings, ..looking() };

    let written = build(&files_of(LANE, LOOKING), &self::looking()).unwrap().community;
    let community = build(&files_of(LANE, LOOKING), &looking).unwrap().community;

    let (before, after) = (&written.devices[0], &community.devices[0]);
    let points = before.sight_points();
    let told: Vec<_> =
        points.iter().map(|p| (p.see, p.zone.as_deref(), p.tripwire.as_deref())).collect();
    let expected = [
        (See::Present, Some("lane"), None),
        (See::Crossings, None, Some("line")),
        (See::Covered, None, None),
    ];
    assert_eq!(told, expected);
    assert_eq!(before.sight().unwrap().camera, CameraIndex(0));
    assert_eq!(after.sight().unwrap().drawing, drawn);
    assert_eq!(after.sight().unwrap().written(), &before.sight().unwrap().drawing);
    assert_eq!(after.sight_points()[0].zone.as_deref(), Some("drive"));
    let cameras: Vec<_> = community.cameras().map(|c| (c.id, c.index.0, c.source.0)).collect();
    assert_eq!(cameras, [("gate", 0, 2)]);
}

#[test]
fn a_scene_that_needs_a_model_that_is_not_installed_stays_off_and_says_so() {
    let without = Surroundings { pictures: Some(Vec::new()), ..looking() };
    let tampered = changed(BLOCKED, "occupied > 0.5", "covered > 0.5");
    let status = |scene: &str, around: &Surroundings| {
        let files = Files { scenes: vec![file("blocked.toml", scene)], ..files_of(LANE, LOOKING) };
        let built = build(&files, around).unwrap();
        let told: Vec<_> = built.notices.iter().map(|notice| notice.message.clone()).collect();
        (built.community.scenes[0].head.status, told)
    };

    let off = "`blocked` stays off: the model `cars` that its cameras need is not installed";
    assert_eq!(status(BLOCKED, &looking()), (Status::Live, vec![]));
    assert_eq!(status(BLOCKED, &without), (Status::Off, vec![off.to_owned()]));
    assert_eq!(status(&tampered, &without), (Status::Live, vec![]), "no model is asked for that");
}

#[test]
fn a_device_that_listens_to_a_camera_s_pictures_is_refused() {
    let camera = |broker: &str| CameraTopic {
        camera: "yard".into(),
        broker: broker.into(),
        topic: "cameras/yard/+".into(),
    };
    let listening = changed(SITE, "type = \"lid\"", "type = \"lid\"\ntopic = \"cameras/#\"");
    let files = Files { community: file("community.toml", &listening), ..files() };

    let same = Surroundings { camera_topics: vec![camera("sensors")], ..around() };
    let other = Surroundings { camera_topics: vec![camera("elsewhere")], ..around() };

    let told = told_around(&files, &same);
    let expected = "community.toml:16:9 `cameras/#` takes in the pictures of camera `yard`";
    assert!(told.len() == 1 && told[0].starts_with(expected), "{told:#?}");
    assert!(build(&files, &other).is_ok(), "another broker's");
}

fn looking() -> Surroundings {
    let mut around = around();
    let camera = Source { id: "gate".into(), kind: SourceKind::Camera };
    around.sources.iter_mut().for_each(|sources| sources.push(camera.clone()));
    let cars = PictureModel {
        name: "cars".into(),
        kind: PictureKind::Boxes,
        labels: vec!["person".into(), "car".into()],
    };
    let kinds =
        PictureModel { name: "kinds".into(), kind: PictureKind::Class, labels: vec!["car".into()] };
    Surroundings { pictures: Some(vec![cars, kinds]), ..around }
}

fn files_of(device_type: &str, community: &str) -> Files {
    Files {
        community: file("community.toml", community),
        device_types: vec![file("lane.toml", device_type)],
        scenes: Vec::new(),
    }
}

fn told_of(device_type: &str, community: &str) -> Vec<String> {
    told_around(&files_of(device_type, community), &looking())
}
