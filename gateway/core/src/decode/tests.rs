//! What frames say, what they cannot say, and that encoding undoes decoding.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::encode::encode;
use super::*;
use crate::community::device_type::{At, Bits, Kind, Order};

const NOW: Timestamp = Timestamp(1_767_225_600_000);

#[test]
fn a_json_payload_gives_numbers_words_and_qualities() {
    let decoder = decoder(
        r#"
        [device-type]
        id = "t"
        title = { zh = "", en = "" }
        via = "mqtt"
        echo = ["seq"]
        time = { json = "/ts", format = "unix-ms" }
        [[point]]
        name = "temperature"
        at = { json = "/data/t" }
        scale = 0.1
        no-data = [-200]
        unit = "degC"
        [[point]]
        name = "lid"
        at = { json = "/lid" }
        words = { open = 1, closed = 0 }
        unit = "1"
        "#,
    );
    let cases = [
        (r#"{"ts":1767225600000,"data":{"t":253},"lid":"open"}"#, Ok(25.3), Ok(1.0), "as meant"),
        (
            r#"{"lid":false,"x":[1,{"t":5}],"data":{"t":-200}}"#,
            Err(Quality::NoData),
            Ok(0.0),
            "code",
        ),
        (
            r#"{"data":{"t":null},"lid":"ajar"}"#,
            Err(Quality::NoData),
            Err(Quality::WrongType),
            "null",
        ),
        (r#"{"data":{"t":"253"}}"#, Ok(25.3), Err(Quality::Missing), "a number in quotes"),
        (r#"{"data":{"t":"warm"}}"#, Err(Quality::WrongType), Err(Quality::Missing), "text"),
        (r#"{"data":{"t":"NaN"}}"#, Err(Quality::WrongType), Err(Quality::Missing), "no number"),
        (r#"{"data":{"t":1,"t":2},"l\u0069d":1}"#, Ok(0.2), Ok(1.0), "twice, escaped"),
        (r#"{"data":253,"lid":{}}"#, Err(Quality::Missing), Err(Quality::WrongType), "shape"),
    ];
    for (text, temperature, lid, why) in cases {
        let frame = decoder.decode(&payload(text)).unwrap();
        assert_eq!(frame.values, [temperature, lid], "{why}: {text}");
    }

    let frame = decoder.decode(&payload(r#"{"seq":{"n":7},"ts":1767225600000}"#)).unwrap();
    assert_eq!(frame.at, Some(NOW));
    assert_eq!(frame.echo, [(0, json!({"n": 7}))]);
    let late = decoder.decode(&payload(r#"{"ts":null}"#)).unwrap();
    assert_eq!(late.at, None, "a device that does not know the time has none");
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let plain = decoder(JSON);
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000));
    let cases: [(&[u8], &str); 9] = [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{\"t\": \xff}", "not-utf8"),
        (b"{\"t\": 1", "not-json"),
        (b"{\"t\": NaN}", "not-json"),
        (b"{\"t\": 1} trailing", "not-json"),
        (deep.as_bytes(), "too-deep"),
        (b"[1]", "not-an-object"),
        (b"{\"ts\": \"soon\"}", "bad-time"),
    ];
    for (bytes, word) in cases {
        let refusal = plain.decode(&Body::Payload(bytes.to_vec())).unwrap_err();
        assert_eq!(refusal.word(), word, "{refusal}");
    }

    assert_eq!(
        plain.decode(&payload("{\n\"t\": 1,,}")),
        Err(Undecodable::NotJson { line: 2, column: 8, what: "key must be a string".into() })
    );
    let wrong = plain.decode(&Body::Blocks(Vec::new())).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "the frame holds Modbus registers, but the device type reads a JSON payload"
    );
}

#[test]
fn a_binary_payload_is_read_byte_by_byte() {
    let decoder = decoder(BINARY);

    let frame = decoder.decode(&Body::Payload(vec![0b101, 0xFE, 0x0C, 0x40])).unwrap();
    assert_eq!(frame.values, [Ok(1.0), Ok(2.0), Ok(-50.0), Ok(6.4)]);

    let short = decoder.decode(&Body::Payload(vec![1, 2])).unwrap_err();
    assert_eq!(short, Undecodable::TooShort { point: "field".into(), needed: 3, got: 2 });
    let brief = decoder.decode(&Body::Payload(vec![0, 0, 0])).unwrap();
    assert_eq!(brief.values[3], Err(Quality::Missing), "it may be left out");
}

#[test]
fn the_four_orders_read_the_same_number() {
    let orders = [
        (Order::Big, [0x4366, 0xE666]),
        (Order::Little, [0x66E6, 0x6643]),
        (Order::BigSwapped, [0xE666, 0x4366]),
        (Order::LittleSwapped, [0x6643, 0x66E6]),
    ];
    for (order, words) in orders {
        let device_type = words_type(vec![(0, Kind::F32, order, None)]);
        let body = blocks(vec![(Function::Input, 100, Ok(words.to_vec()))]);
        let value = Decoder::new(&device_type).decode(&body).unwrap().values[0].unwrap();
        assert!((value - 230.9).abs() < 1e-4, "{order:?}: {value}");
    }
}

#[test]
fn a_block_that_failed_is_a_quality_and_never_a_zero() {
    let word = |at| (at, Kind::U16, Order::Big, None);
    let device_type = words_type((0..6).map(word).collect());
    let fails = |fault| Err(fault);
    let body = blocks(vec![
        (Function::Input, 100, Ok(vec![7])),
        (Function::Holding, 101, Ok(vec![8])),
        (Function::Input, 101, fails(WireFault::Timeout)),
        (Function::Input, 102, fails(WireFault::Exception(2))),
        (Function::Input, 103, fails(WireFault::Garbled)),
        (Function::Input, 104, fails(WireFault::Disconnected)),
    ]);

    let values = Decoder::new(&device_type).decode(&body).unwrap().values;

    let bad = [Quality::Timeout, Quality::Exception, Quality::Garbled, Quality::Timeout];
    assert_eq!(values[0], Ok(7.0));
    assert_eq!(values[1..5], bad.map(Err));
    assert_eq!(values[5], Err(Quality::Missing), "nobody asked for it");
}

#[test]
fn recorded_values_keep_their_codes_for_no_data() {
    let decoder = decoder(JSON);

    let frame = decoder.decode(&Body::Values { at: NOW, values: vec![21.5] }).unwrap();
    assert_eq!(frame, Decoded { at: Some(NOW), values: vec![Ok(21.5)], echo: vec![] });
    for (values, why) in [(vec![f64::NAN], Quality::NoData), (vec![-200.0], Quality::NoData)] {
        let frame = decoder.decode(&Body::Values { at: NOW, values }).unwrap();
        assert_eq!(frame.values, [Err(why)]);
    }
    let short = decoder.decode(&Body::Values { at: NOW, values: vec![] }).unwrap();
    assert_eq!(short.values, [Err(Quality::Missing)]);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        for text in [JSON, BINARY] {
            let _ = decoder(text).decode(&Body::Payload(bytes.clone()));
        }
    }

    #[test]
    fn any_json_like_text_is_read_or_refused(text in r#"[\[\]{}",:tsd0-9eE.\\ -]{0,60}"#) {
        let _ = decoder(JSON).decode(&payload(&text));
    }

    #[test]
    fn any_registers_are_read(words in prop::collection::vec(any::<u16>(), 0..8), start in 98_u16..103) {
        let device_type = words_type(vec![
            (0, Kind::F32, Order::Little, None),
            (2, Kind::U32, Order::BigSwapped, Some(Bits::Field(3, 31))),
            (u16::MAX, Kind::I32, Order::Big, None),
        ]);
        let body = blocks(vec![(Function::Input, start, Ok(words))]);
        let frame = Decoder::new(&device_type).decode(&body).unwrap();
        prop_assert_eq!(frame.values[2], Err(Quality::Missing));
    }

    #[test]
    fn registers_that_were_encoded_decode_to_the_same_values(
        raws in (any::<u16>(), any::<i16>(), any::<u32>(), any::<i32>(), -1e6_f32..1e6, 0_u8..32),
        order in prop::sample::select(vec![Order::Big, Order::Little, Order::BigSwapped, Order::LittleSwapped]),
    ) {
        let mut device_type = words_type(vec![
            (0, Kind::U16, order, None),
            (1, Kind::I16, order, None),
            (2, Kind::U32, order, None),
            (4, Kind::I32, order, None),
            (6, Kind::F32, order, None),
            (8, Kind::U32, order, Some(Bits::One(31))),
            (8, Kind::U32, order, Some(Bits::Field(12, 16))),
        ]);
        device_type.points[1].scale = 0.1;
        device_type.points[1].offset = -40.0;
        let (a, b, c, d, e, f) = raws;
        let values = [
            f64::from(a), f64::from(b) / 10.0 - 40.0, f64::from(c), f64::from(d), f64::from(e),
            f64::from(f % 2), f64::from(f),
        ];

        let body = encode(&device_type, &values.map(Some), &Map::new(), NOW);
        let frame = Decoder::new(&device_type).decode(&body).unwrap();

        prop_assert_eq!(frame.values, values.map(Ok));
    }

    #[test]
    fn a_payload_that_was_encoded_decodes_to_the_same_values(
        t in -100.0..100.0_f64, occupied in any::<bool>(), mode in 0_u8..4, field in any::<i16>(),
    ) {
        let frame = roundtrip(JSON, &[Some(t)]);
        prop_assert_eq!(frame.at, Some(NOW));
        prop_assert!((frame.values[0].unwrap() - t).abs() < 1e-9);

        let values = [f64::from(u8::from(occupied)), f64::from(mode), f64::from(field) / 10.0, 1.2];
        prop_assert_eq!(roundtrip(BINARY, &values.map(Some)).values, values.map(Ok));
    }
}

#[test]
fn no_value_is_encoded_as_the_device_would_say_it() {
    assert_eq!(roundtrip(JSON, &[None]).values, [Err(Quality::NoData)]);
    let frame = roundtrip(BINARY, &[None, Some(2.0), None, None]);
    assert_eq!(frame.values[2], Err(Quality::NoData));
    assert_eq!(frame.values[1], Ok(2.0));
}

const JSON: &str = r#"
    [device-type]
    id = "t"
    title = { zh = "", en = "" }
    via = "mqtt"
    time = { json = "/ts", format = "unix-ms" }
    [[point]]
    name = "temperature"
    at = { json = "/t" }
    no-data = [-200]
    unit = "degC"
"#;

const BINARY: &str = r#"
    [device-type]
    id = "p"
    title = { zh = "", en = "" }
    via = "mqtt"
    [[point]]
    name = "occupied"
    at = { byte = 0, bits = 0 }
    unit = "1"
    [[point]]
    name = "mode"
    at = { byte = 0, bits = [1, 2] }
    unit = "1"
    [[point]]
    name = "field"
    at = { byte = 1, type = "i16" }
    scale = 0.1
    no-data = [32767]
    unit = "uT"
    [[point]]
    name = "battery"
    at = { byte = 3 }
    scale = 0.1
    optional = true
    unit = "V"
"#;

fn decoder(text: &str) -> Decoder {
    Decoder::new(&toml::from_str(text).unwrap())
}

#[test]
fn a_frame_of_another_version_is_refused_by_name_and_a_silent_one_is_not() {
    let mut device_type =
        words_type(vec![(0, Kind::U16, Order::Big, None), (1, Kind::U16, Order::Big, None)]);
    device_type.points[0].name = "map_version".into();
    device_type.points[0].must_be = Some(1.0);
    let decoder = Decoder::new(&device_type);
    let asked = |words| decoder.decode(&blocks(vec![(Function::Input, 100, words)]));

    let known = asked(Ok(vec![1, 253])).unwrap();
    let unknown = asked(Ok(vec![2, 253])).unwrap_err();
    let silent = asked(Err(WireFault::Timeout)).unwrap();

    assert_eq!(known.values, [Ok(1.0), Ok(253.0)]);
    assert_eq!(
        unknown.to_string(),
        "`map_version` is 2, and this device type only reads what has 1 there"
    );
    assert_eq!(silent.values[0], Err(Quality::Timeout));
}

fn payload(text: &str) -> Body {
    Body::Payload(text.as_bytes().to_vec())
}

fn roundtrip(text: &str, values: &[Option<f64>]) -> Decoded {
    let body = encode(&toml::from_str(text).unwrap(), values, &Map::new(), NOW);
    decoder(text).decode(&body).unwrap()
}

type Words = Result<Vec<u16>, WireFault>;

fn blocks(list: Vec<(Function, u16, Words)>) -> Body {
    let block = |(function, start, words): (Function, u16, Words)| {
        let count = words.as_ref().map_or(1, |words| u16::try_from(words.len()).unwrap());
        Block { function, start, words, count }
    };
    Body::Blocks(list.into_iter().map(block).collect())
}

/// Points in the input registers from 100 on.
fn words_type(places: Vec<(u16, Kind, Order, Option<Bits>)>) -> DeviceType {
    let mut device_type: DeviceType = toml::from_str(
        r#"
        [device-type]
        id = "m"
        title = { zh = "", en = "" }
        via = "modbus"
        [modbus]
        function = "input"
        start = 100
        every = "1 s"
        [[point]]
        name = "p"
        at = { word = 0 }
        unit = "1"
        "#,
    )
    .unwrap();
    let template = device_type.points.remove(0);
    for (word, kind, order, bits) in places {
        let at =
            At { word: Some(word), kind: Some(kind), order: Some(order), bits, ..At::default() };
        device_type.points.push(Point { at, ..template.clone() });
    }
    device_type
}
