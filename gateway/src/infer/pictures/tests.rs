//! A network small enough to be written here, whole and broken, on whichever engine this machine has.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::infer::engine::sha256;

const NAME: &str = "brightness";

#[test]
fn a_picture_model_by_manifest_alone_says_the_class_and_how_likely_it_is() {
    let folder = installed("", "");
    let (mut models, missing) = PictureModels::open(&folder.path().into(), [NAME], None);
    assert!(missing.is_empty(), "{missing:?}");
    let grey = Picture::of_rgb(4, 4, &[51; 48]).unwrap();

    let seen = models.look(NAME, &grey, None).unwrap();

    // The network gives its input back: 51 / 255.
    let Seen::Mask { width: 2, height: 2, cells } = seen else { panic!("{seen:?}") };
    assert!(cells.iter().all(|cell| (cell - 0.2).abs() < 1e-6), "{cells:?}");
    assert_eq!(models.labels(NAME), ["bright"]);
    assert_eq!(models.wants(NAME, None), Some((2, 2)));
    let error = models.look("other", &grey, None).unwrap_err();
    assert_eq!(error.to_string(), "model `other` is not loaded");
}

#[test]
fn an_answer_that_is_no_number_is_an_error_and_no_box() {
    // 0 times infinity: the tests of a manifest do not show every picture.
    let folder = installed("scale = 0.003921569", "scale = 1e38");
    let (mut models, missing) = PictureModels::open(&folder.path().into(), [NAME], None);
    assert!(missing[0].1.to_string().contains("not a number"), "{missing:?}");
    let error = models.look(NAME, &Picture::of_rgb(1, 1, &[1; 3]).unwrap(), None).unwrap_err();
    assert!(matches!(error, InferError::NotLoaded(_)));
}

#[test]
fn a_manifest_that_contradicts_itself_is_refused_at_its_place() {
    let cases = [
        ("size = [2, 2]", "size = [0, 2]", "model.toml:16:8: a side is not between"),
        ("fit = \"stretch\"", "fit = \"squeeze\"", "model.toml:19:7: unknown variant `squeeze`"),
        (
            "fit = \"stretch\"",
            "fit = \"letterbox-centre\"",
            "model.toml:19:7: a letterbox needs `pad`",
        ),
        ("size = [2, 2]", "size = [4, 2]", "model.toml:16:8: [picture] makes one [[input]]"),
        ("std = [1.0", "std = [0.0", "model.toml:22:7: std divides"),
        ("channel = 0", "channle = 0", "model.toml:26:1: unknown field `channle`"),
        ("kind = \"mask\"", "kind = \"maks\"", "model.toml:25:8: unknown variant `maks`"),
        ("at = [0, 3]", "at = [0, 12]", "model.toml:33:6: test `noise`: `y` has 12 numbers"),
        ("[decode]", "[deocde]", "unknown field `deocde`"),
        ("expect = [0.23921569", "expect = [0.5", "test `noise`: gave 0.239"),
    ];
    for (from, to, expected) in cases {
        let folder = installed(from, to);

        let (_, missing) = PictureModels::open(&folder.path().into(), [NAME], None);

        let error = missing[0].1.to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn a_model_of_one_kind_is_not_taken_for_one_of_the_other() {
    let folder = installed("", "");
    let shelves = Shelves::from(folder.path());

    let as_series = crate::infer::Models::open(&shelves, [NAME], None).err().unwrap().to_string();
    assert!(as_series.contains("it is a model of pictures"), "{as_series}");
    crate::infer::try_out(&shelves, NAME, None).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let (_, missing) = PictureModels::open(&(&shipped).into(), ["forecast"], None);
    assert!(missing[0].1.to_string().contains("it is a model of a series"));
}

/// A folder of models with one that gives its input back, its manifest changed in one place.
fn installed(from: &str, to: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join(NAME);
    fs::create_dir(&model).unwrap();
    let network = network();
    let manifest = format!("{HEAD}sha256 = \"{}\"\n{REST}", sha256(&network));
    let changed = if from.is_empty() { manifest } else { manifest.replacen(from, to, 1) };
    fs::write(model.join("model.toml"), changed).unwrap();
    fs::write(model.join("model.onnx"), network).unwrap();
    folder
}

const HEAD: &str = r#"name = "brightness"
version = "1.0.0"
title = { en = "Brightness", zh = "亮度" }
file = "model.onnx"
licence = "Apache-2.0"
training-data = "none"
"#;

const REST: &str = r#"figures = {}
[[input]]
name = "x"
shape = [1, 3, 2, 2]
type = "f32"
unit = "0..1"

[picture]
size = [2, 2]
layout = "nchw"
colour = "rgb"
fit = "stretch"
scale = 0.003921569
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]

[decode]
kind = "mask"
channel = 0
labels = ["bright"]

[[test]]
why = "noise"
seed = 7
output = "y"
at = [0, 3]
expect = [0.23921569, 0.98431373]
tolerance = 1e-5

[[output]]
name = "y"
shape = [1, 3, 2, 2]
type = "f32"
unit = "0..1"
"#;

/// An ONNX file in protocol buffers' wire format: one `Mul` of the input with one, which tract and ONNX
/// Runtime both keep. Field numbers are those of onnx.proto3.
fn network() -> Vec<u8> {
    let text = |field: u8, text: &str| message(field, text.as_bytes());
    let number = |field: u8, n: u8| vec![field << 3, n];
    let dimensions: Vec<u8> =
        [1, 3, 2, 2].iter().flat_map(|n| message(1, &number(1, *n))).collect();
    let tensor = [number(1, 1), message(2, &dimensions)].concat();
    let port = |name: &str| [text(1, name), message(2, &message(1, &tensor))].concat();
    let one = [number(2, 1), text(8, "one"), message(9, &1.0_f32.to_le_bytes())].concat();
    let node = [text(1, "x"), text(1, "one"), text(2, "y"), text(4, "Mul")].concat();
    let graph = [
        message(1, &node),
        text(2, "g"),
        message(5, &one),
        message(11, &port("x")),
        message(12, &port("y")),
    ]
    .concat();
    [number(1, 8), message(7, &graph), message(8, &number(2, 13))].concat()
}

/// A length-delimited field, shorter than 2^14 bytes.
fn message(field: u8, bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len();
    let low = u8::try_from(length & 0x7F).unwrap();
    let high = u8::try_from(length >> 7).unwrap();
    let length = if high > 0 { vec![low | 0x80, high] } else { vec![low] };
    [vec![field << 3 | 2], length, bytes.to_vec()].concat()
}
