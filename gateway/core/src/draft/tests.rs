//! What is drafted is what was shown, whatever the sample and whatever was picked.

use std::sync::Arc;

use proptest::prelude::*;

use super::candidate::{Candidates, times};
use super::*;
use crate::admission::Gate;
use crate::community::Source;
use crate::community::SourceKind;
use crate::community::build::{File, Files, Surroundings, build};
use crate::reading::Timestamp;

const SITE: &str = "community = { id = \"c\", title = { zh = \"社区\", en = \"c\" } }\n\
    [[area]]\nid = \"east\"\ntitle = { zh = \"东\", en = \"e\" }\npeople = 1\n";

/// What `check` says of a device type.
fn check(text: &str) -> Result<Arc<DeviceType>, Vec<String>> {
    let file = |name: &str, text: &str| File { name: name.into(), text: text.into() };
    let files = Files {
        community: file("community.toml", SITE),
        device_types: vec![file("t.toml", text)],
        scenes: Vec::new(),
    };
    let sources = vec![Source { id: "line".into(), kind: SourceKind::Line }];
    let around =
        Surroundings { sources: Some(sources), models: Some(vec![]), ..Surroundings::default() };
    match build(&files, &around) {
        Ok(built) => Ok(Arc::clone(&built.community.device_types[0])),
        Err(faults) => Err(faults.iter().map(ToString::to_string).collect()),
    }
}

fn draft(sample: Sample, points: Vec<Chosen>) -> Draft {
    let title = Text::new("新<型>\"号", "a \\ new 'type'");
    Draft { id: "new-1".into(), title, sample, time: None, every: EVERY, points }
}

/// Drafts the places, and holds what was shown against what a gateway that loads the file reads.
fn holds(sample: &Sample, picked: &[(Place, Raw)]) {
    let mut points = Vec::new();
    for (position, (place, _)) in picked.iter().enumerate() {
        let name = format!("p{position}");
        points.push(Chosen { name, range: None, ..Chosen::suggested(place.clone()) });
    }
    let text = draft(sample.clone(), points).toml();
    let device_type = check(&text).unwrap_or_else(|faults| panic!("{faults:?}\n{text}"));
    let decoded = Decoder::new(&device_type).decode(&sample.body()).unwrap();
    let mut readings = Vec::new();
    Gate::new(picked.len()).admit(&device_type, &decoded.values, Timestamp(0), &mut readings);
    for (reading, (place, shown)) in readings.iter().zip(picked) {
        match shown {
            Ok(value) => {
                assert_eq!((reading.quality, reading.value), (Quality::Good, *value), "{place}");
            }
            Err(quality) => assert_eq!(reading.quality, *quality, "{place}"),
        }
    }
}

/// Every n-th of what is offered.
fn some(sample: &Sample, every: usize) -> Vec<(Place, Raw)> {
    let all: Vec<(Place, Raw)> = match Candidates::of(sample) {
        Candidates::Fields(fields) => {
            fields.into_iter().map(|f| (Place::Json(f.pointer), f.value)).collect()
        }
        Candidates::Rows(rows) => {
            rows.into_iter().flat_map(|row| row.cells).map(|c| (c.place, c.value)).collect()
        }
    };
    all.into_iter().step_by(every).take(20).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_picked_from_words_is_drafted_as_it_was_shown(
        words in proptest::collection::vec(any::<u16>(), 1..12),
        start in 0_u16..60_000,
        every in 1_usize..9,
    ) {
        let sample = Sample::Words { function: Function::Holding, start, words };
        holds(&sample, &some(&sample, every));
    }

    #[test]
    fn whatever_is_picked_from_bytes_is_drafted_as_it_was_shown(
        bytes in proptest::collection::vec(any::<u8>(), 1..16),
        every in 1_usize..9,
    ) {
        let sample = Sample::Bytes(bytes);
        holds(&sample, &some(&sample, every));
    }

    #[test]
    fn whatever_is_pasted_ends_in_a_sample_or_in_words(text in ".{0,64}") {
        if let Ok(sample) = Sample::read(&text, Form::Guess) {
            let _ = Candidates::of(&sample);
            prop_assert_eq!(sample.body(), Sample::read(&sample.text(), match sample {
                Sample::Json(_) => Form::Json,
                Sample::Bytes(_) | Sample::Words { .. } => Form::Hex,
            }).unwrap().body());
        }
    }

    #[test]
    fn any_fields_of_a_payload_are_drafted_as_they_were_shown(
        fields in proptest::collection::btree_map("[a-z~/ '\"\\\\]{1,6}", any::<f64>().prop_filter("JSON", |n| n.is_finite()), 1..6),
    ) {
        let sample = Sample::Json(serde_json::to_string(&fields).unwrap());
        holds(&sample, &some(&sample, 1));
    }
}

#[test]
fn a_payload_is_read_field_by_field_and_its_names_are_understood() {
    let text = "{\"ts\": 1767225600000, \"data\": [{\"温度\": \"21.5\", \"lid\": \"OPEN\", \"ok\": true}], \"n\": null}";
    let sample = Sample::read(text, Form::Guess).unwrap();

    let Candidates::Fields(mut fields) = Candidates::of(&sample) else { panic!("{sample:?}") };
    fields.sort_by(|a, b| a.pointer.cmp(&b.pointer));

    let told: Vec<(&str, Raw)> = fields.iter().map(|f| (f.pointer.as_str(), f.value)).collect();
    assert_eq!(
        told,
        [
            ("/data/0/lid", Ok(1.0)),
            ("/data/0/ok", Ok(1.0)),
            ("/data/0/温度", Ok(21.5)),
            ("/n", Err(Quality::NoData)),
            ("/ts", Ok(1_767_225_600_000.0)),
        ]
    );
    let chosen = Chosen::suggested(Place::Json("/data/0/温度".into()));
    assert_eq!((chosen.name.as_str(), chosen.unit.as_str()), ("temperature", "degC"));
    let time = times(&sample);
    assert_eq!((time.len(), time[0].json.as_str()), (1, "/ts"));

    let lid = Chosen {
        words: fields[0].words.iter().cloned().collect(),
        ..Chosen::suggested(Place::Json("/data/0/lid".into()))
    };
    let draft = Draft { time: time.first().cloned(), ..draft(sample, vec![chosen, lid]) };
    let text = draft.toml();
    let device_type = check(&text).unwrap_or_else(|faults| panic!("{faults:?}\n{text}"));
    assert_eq!(device_type.head.title, draft.title);
    assert_eq!(device_type.examples[0].expect.get("temperature"), Some(&21.5));
    assert_eq!(recognise(&draft.sample, &[device_type])[0].id, "new-1");
}

#[test]
fn each_order_shows_what_it_means_and_the_likely_one_stands_out() {
    // 230.5 V as most meters send it: low word first.
    let sample = Sample::read_words("0x8000, 0x4366, 253", Function::Input, 0).unwrap();

    let Candidates::Rows(rows) = Candidates::of(&sample) else { panic!() };

    let f32s: Vec<(String, f64, bool)> = rows[0]
        .cells
        .iter()
        .filter(|cell| cell.place.reading().is_some_and(|(kind, _)| kind == "f32"))
        .map(|cell| (cell.place.to_string(), cell.value.unwrap(), cell.is_plausible))
        .collect();
    assert_eq!(f32s.len(), 4);
    assert_eq!(f32s[1], ("word:0:f32:big-swapped".to_owned(), 230.5, true));
    assert!(!f32s[0].2 && !f32s[3].2, "{f32s:?}");
    assert_eq!(rows[2].cells.len(), 4, "two types in two orders fit into the last word");
}

#[test]
fn bytes_are_understood_in_hexadecimal_and_in_base64() {
    for text in ["01A400", "01 a4 00", "0x01, 0xA4, 0x00", "AaQA"] {
        assert_eq!(Sample::read(text, Form::Guess), Ok(Sample::Bytes(vec![1, 0xA4, 0])), "{text}");
    }
    assert_eq!(Sample::read("AaQAAQ==", Form::Base64), Ok(Sample::Bytes(vec![1, 0xA4, 0, 1])));
    for (text, form, expected) in [
        (" ", Form::Guess, NoSample::Empty),
        ("a $", Form::Guess, NoSample::Unclear),
        ("123", Form::Hex, NoSample::NotHex),
        ("a$", Form::Base64, NoSample::NotBase64),
    ] {
        assert_eq!(Sample::read(text, form), Err(expected), "{text}");
    }
    let long = "a".repeat(sample::LONGEST + 1);
    assert_eq!(Sample::read(&long, Form::Guess), Err(NoSample::TooLong(long.len())));
    let wrong = Sample::read("{\n \"t\": }", Form::Guess).unwrap_err();
    assert!(matches!(wrong, NoSample::NotJson { line: 2, .. }), "{wrong}");
    assert!(Sample::read_words("1, x", Function::Input, 0).is_err());
    assert!(Sample::read_words("70000", Function::Input, 0).is_err());
    assert!(Sample::read_words("", Function::Input, 0).is_err());
}

#[test]
fn a_place_comes_back_from_its_short_name() {
    for text in ["json:/a:b/c", "byte:3:u16:little", "word:0:f32:big-swapped"] {
        assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
    }
    for wrong in ["", "word", "word:x:u16:big", "word:1:u64:big", "word:1:u16:up", "bit:1:u16:big"]
    {
        assert!(wrong.parse::<Place>().is_err(), "{wrong}");
    }
}

#[test]
fn what_an_integrator_mistypes_is_told_by_the_check_at_its_place() {
    let sample = Sample::read("{\"t\": 21.5}", Form::Guess).unwrap();
    let point = Chosen {
        name: "T 1".into(),
        unit: "furlong".into(),
        range: Some((30.0, 40.0)),
        ..Chosen::suggested(Place::Json("/t".into()))
    };
    let text = draft(sample, vec![point.clone(), point]).toml();

    let faults = check(&text).unwrap_err().join("\n");

    for told in ["cannot stand in a rule", "furlong", "is taken already"] {
        assert!(faults.contains(told), "{told}: {faults}");
    }
}
