//! What a recording comes to, and what is said of cells and rows that are none.

use std::sync::Arc;

use super::*;
use gatehouse_core::community::Community;
use gatehouse_core::community::device_type::DeviceType;
use gatehouse_core::community::people::Duties;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::community::scene::Scene;
use gatehouse_core::reading::Timestamp;
use proptest::prelude::*;

const SERIES: &str = r#"
    [device-type]
    id = "series"
    title = { zh = "序列", en = "series" }
    via = "replay"
    [[point]]
    name = "value"
    at = {}
    unit = "1"
"#;
const UNUSUAL: &str = r#"
    [scene]
    id = "unusual"
    title = { zh = "异常", en = "unusual" }
    category = "environment"
    advice = { zh = "看", en = "look" }
    [[detector]]
    id = "forecast"
    model = "forecast"
"#;

fn scores(values: &[f64]) -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let models = Models::open(&folder, ["forecast"], None).unwrap();
    let device_type: Arc<DeviceType> = Arc::new(toml::from_str(SERIES).unwrap());
    let scene: Scene = toml::from_str(UNUSUAL).unwrap();
    let community = crate::stage::one_device(
        &device_type,
        vec![Arc::new(scene)],
        &Community { models: models.specs(), ..nobody() },
    );
    let mut replay = Replay::new(community, models, None::<Vec<u8>>).unwrap();
    (0..).zip(values).map(|(i, v)| replay.row(Timestamp(i * 60_000), vec![*v]).unwrap()).collect()
}

fn nobody() -> Community {
    Community {
        id: "c".into(),
        title: Text::default(),
        township: "t".into(),
        calendar: None,
        plan_size: None,
        interlocks: Vec::new(),
        duties: Duties::default(),
        gateway: "g".into(),
        areas: Vec::new(),
        feeders: Vec::new(),
        sources: Vec::new(),
        device_types: Vec::new(),
        devices: Vec::new(),
        scenes: Vec::new(),
        models: Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn a_score_depends_on_the_rows_up_to_it_alone(
        values in prop::collection::vec(prop_oneof![9 => 10.0..11.0_f64, 1 => Just(90.0), 1 => Just(f64::NAN)], 330..400),
        cut in 250_usize..330,
    ) {
        let whole = scores(&values);
        let prefix = scores(&values[..cut]);

        prop_assert_eq!(&whole[..cut], &prefix[..]);
        prop_assert!(whole.iter().any(|row| row.score > 0.0), "the model has spoken");
    }
}

#[test]
fn a_recording_is_known_under_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let [one, link, other] = ["one", "link", "other"].map(|name| folder.path().join(name));
    std::fs::write(&one, "timestamp,a\n").unwrap();
    std::fs::write(&other, "timestamp,a\n").unwrap();
    std::os::unix::fs::symlink(&one, &link).unwrap();

    assert!(is_same_file(&link, &one) && !is_same_file(&other, &one));
    assert!(!is_same_file(&folder.path().join("none"), Path::new("-")));
}

#[test]
fn an_outlier_opens_an_event_in_its_own_row() {
    let noise = (0..600_u32).map(|i| 20.0 + f64::from(i * 7919 % 101) / 100.0);
    let values: Vec<f64> = noise.chain([80.0]).collect();

    let rows = scores(&values);

    assert!(rows.last().unwrap().opens && rows.last().unwrap().score > 0.5, "{:?}", rows.last());
    assert!(!rows[450..600].iter().any(|row| row.opens), "nothing once it is known");
}

fn read(csv: &[u8]) -> (Vec<Written>, recording::Tally) {
    let mut recording = Recording::open("r.csv", csv).unwrap();
    let mut rows = Vec::new();
    while let Some(row) = recording.next().unwrap() {
        rows.push(row);
    }
    (rows, recording.finish())
}

#[test]
fn a_cell_that_is_no_number_is_refused_and_its_row_goes_on() {
    let (rows, tally) = read(
        b"timestamp,a,b\n2026-01-01 00:00:00,n/a,1.5\n2026-01-01 00:01:00,,2\n\
          2026-01-01 00:02:00,NaN,inf\n2026-01-01 00:03:00,\xff,3\n2026-01-01 00:04:00,4\n",
    );

    let b: Vec<f64> = rows.iter().map(|row| row.values.as_ref().unwrap().1[1]).collect();
    assert_eq!((b[0], b[1], b[3]), (1.5, 2.0, 3.0));
    assert!(b[2].is_nan() && b[4].is_nan(), "{b:?}");
    assert_eq!((tally.rows, tally.missing, tally.refused_cells), (5, 3, 3));
    let told: Vec<_> = tally.first.iter().map(|r| (r.line, &*r.column, r.reason.word())).collect();
    assert_eq!(told, [(2, "a", "not-a-number"), (4, "b", "not-finite"), (5, "a", "not-utf8")]);
}

#[test]
fn a_row_without_a_time_is_refused_and_the_next_one_counts() {
    let (rows, tally) = read(
        b"timestamp,a\n2026-01-01 00:00:00,1\nyesterday,2\n2026-01-01 00:02:00,3,5\n\
          2026-01-01 00:03:00,4,\n",
    );

    let is_read: Vec<bool> = rows.iter().map(|row| row.values.is_some()).collect();
    assert_eq!(is_read, [true, false, false, true], "an empty cell more is no cell");
    assert_eq!(rows[1].timestamp, "yesterday");
    let told: Vec<_> = tally.first.iter().map(|r| (r.line, r.reason.word())).collect();
    assert_eq!(told, [(3, "not-a-time"), (4, "too-many-cells")]);
}

#[test]
fn a_header_that_cannot_be_used_says_what_is_there() {
    let cases: [(&[u8], &str); 6] = [
        (b"time,a\n", "rename `time` if that is it"),
        (b"timestamp;a\n", "parted by ';', expected commas"),
        (b"a,b\n", "it has `a`, `b`"),
        (b"timestamp\n", "no column besides `timestamp`"),
        (b"timestamp,a,a\n", "two columns have the same name"),
        (b"timestamp,\xce\xc2\n", "r.csv:1: the file is not UTF-8"),
    ];
    for (csv, expected) in cases {
        let error = Recording::open("r.csv", csv).err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(Recording::open("r.csv", &b"\xef\xbb\xbftimestamp,a\n"[..]).is_ok(), "a mark of UTF-8");
}

#[test]
fn the_summary_names_the_first_refusals_and_counts_them_by_reason() {
    use std::fmt::Write as _;
    let mut csv = "timestamp,a\n".to_owned();
    for minute in 0..30 {
        writeln!(csv, "2026-01-01 00:{minute:02}:00,{}", if minute < 12 { "-" } else { "" })
            .unwrap();
    }
    let (_, tally) = read(csv.as_bytes());
    let mut counts = gatehouse_core::view::Counts::default();
    counts.refused.extend([("no-data", 31), ("out-of-range", 2)]);

    let summary = Summary::new(tally, 3, &counts);

    let text = summary.text();
    let mut lines = text.lines();
    let first = "30 rows, 18 cells empty, 15 refused (no-data 1, not-a-number 12, out-of-range 2), 3 events opened";
    assert_eq!(lines.next(), Some(first));
    assert_eq!(lines.next(), Some("r.csv:2: column `a`: `-` is no number"));
    assert_eq!(lines.count(), 2, "those of one column and reason are much alike: {text}");
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!((&json["rows"], &json["reasons"]["not-a-number"]), (&30.into(), &12.into()));
    assert_eq!(json["first_refused"][0]["reason"], "not-a-number");
}

#[test]
fn a_scene_for_other_device_types_is_refused_with_those_it_takes() {
    let shipped = check::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../config")).unwrap();
    let shipped = shipped.into_setup().community;
    let set = |device_type, scene, column: &str| {
        let wanted = stage::Wanted { device_type, scene };
        let outcome = stage::set(&shipped, wanted, &[column.to_owned()]);
        outcome
            .map(|(community, warnings)| (community.scenes.len(), warnings))
            .map_err(|e| e.to_string())
    };

    assert_eq!(
        set("level-4851", Some("air-quality"), "level"),
        Err("the scene `air-quality` does not look at device type `level-4851`; it takes `air-z2m`, `air-rs485`, `node-air`".into())
    );
    assert_eq!(
        set("level-4815", None, "level"),
        Err("there is no device type `level-4815`; did you mean `level-4851`?".into())
    );
    assert_eq!(
        set("level-4851", Some("water-lvl"), "level"),
        Err("there is no scene `water-lvl`; did you mean `water-level`?".into())
    );
    assert_eq!(set("level-4851", None, "level"), Ok((1, Vec::new())));
    assert_eq!(set("generic-series", None, "anything"), Ok((1, Vec::new())));
    let (scenes, warnings) = set("level-4851", None, "temperature").unwrap();
    assert_eq!((scenes, warnings.len()), (1, 1), "{warnings:?}");
}
