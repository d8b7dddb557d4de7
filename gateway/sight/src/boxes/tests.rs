//! Each way of decoding on answers small enough to be calculated by hand, and suppression.

use toml::de::DeTable;

use crate::input::Placement;
use crate::manifest::{Decoder, Fault, Output, PictureInput, Says};
use crate::seen::{Detection, Region, Seen};

const KEEP: &str = "score = 0.3\niou = 0.5\nlabels = [\"a\", \"b\"]\n";

#[test]
fn yolox_is_decoded_as_its_authors_do() {
    // Strides 2 and 4 on an input of 4 x 4: four cells, then one.
    let mut rows = [[0.0_f32; 7]; 5];
    // The second cell of the second row: centre ((0.5, 0) + (1, 1)) * 2, size exp(0) * 2.
    rows[3] = [0.5, 0.0, 0.0, 0.0, 0.8, 0.1, 0.9];
    rows[4] = [0.5, 0.5, 2.0_f32.ln() - 4.0_f32.ln(), 0.0, 0.2, 1.0, 0.0];
    let found =
        boxes("kind = \"yolox\"\nstrides = [2, 4]", &[("out", &[1, 5, 7])], &[rows.concat()]);

    assert_boxes(&found, &[(1, 0.72, [0.5, 0.25, 1.0, 0.75])]);
}

#[test]
fn fastestdet_is_decoded_as_its_authors_do() {
    // A grid of 2 x 1: planes objectness, x, y, w, h, two classes.
    let planes = [[0.0_f32, 1.0], [0.0, 0.0], [0.0; 2], [0.0; 2], [0.0; 2], [0.0, 0.25], [0.0; 2]];
    let found = boxes("kind = \"fastestdet\"", &[("out", &[1, 7, 1, 2])], &[planes.concat()]);

    // Cell (1, 0), no offset; sizes sigmoid(0) of the picture; 1^0.6 * 0.25^0.4.
    assert_boxes(&found, &[(0, 0.574_35, [0.25, 0.0, 0.75, 0.25])]);
}

#[test]
fn rows_are_read_from_one_tensor_or_two_in_pixels_or_fractions() {
    let one = [2.0_f32, 2.0, 2.0, 4.0, 0.9, 7.0, 0.5, 1.0];
    let found = boxes(
        "kind = \"rows\"\nbox = \"cxcywh\"\nunit = \"pixel\"\nobjectness = 4\nclasses-from = 6",
        &[("out", &[1, 1, 8])],
        &[one.to_vec()],
    );
    assert_boxes(&found, &[(1, 0.9, [0.25, 0.0, 0.75, 1.0])]);

    let found = boxes(
        "kind = \"rows\"\nbox = \"xyxy\"\nunit = \"fraction\"\nboxes = \"boxes\"\n\
         scores = \"scores\"\nbackground = 0\nclasses = 3",
        &[("scores", &[1, 2, 3]), ("boxes", &[1, 2, 4])],
        &[vec![0.9, 0.0, 0.1, 0.2, 0.7, 0.1], vec![0.0, 0.0, 1.0, 1.0, 0.1, 0.2, 0.5, 1.5]],
    );
    assert_boxes(&found, &[(0, 0.7, [0.1, 0.2, 0.5, 1.0])]);
}

#[test]
fn offsets_are_taken_from_anchors_as_mediapipe_lays_them_out() {
    // Strides 2 and 4 on 4 x 4: four cells with one anchor, one cell with two.
    let mut scores = vec![-9.0_f32; 12];
    scores[2] = 0.0;
    scores[11] = 900.0;
    let mut offsets = vec![0.0_f32; 6 * 5];
    offsets[5..9].copy_from_slice(&[0.0, 0.0, 2.0, 2.0]);
    offsets[25..29].copy_from_slice(&[-1.0, 1.0, 1.0, 2.0]);
    let found = boxes(
        "kind = \"ssd\"\nboxes = \"b\"\nscores = \"s\"\nsigmoid = true\nclamp = 100.0\n\
         anchors = [{ stride = 2, per-cell = 1 }, { stride = 4, per-cell = 2 }]",
        &[("b", &[1, 6, 5]), ("s", &[1, 6, 2])],
        &[offsets, scores],
    );

    assert_boxes(&found, &[(1, 1.0, [0.125, 0.5, 0.375, 1.0]), (0, 0.5, [0.5, 0.0, 1.0, 0.5])]);
}

#[test]
fn of_boxes_over_one_another_the_surest_of_each_class_stays_or_of_all() {
    let row = |x: f32, score: f32, label: usize| {
        let class = |at: usize| if at == label { score } else { 0.0 };
        [0.0 + x, 0.0, 0.5 + x, 1.0, class(0), class(1)]
    };
    let rows = [row(0.0, 0.8, 0), row(0.01, 0.9, 0), row(0.0, 0.7, 1), row(0.5, 0.6, 0)].concat();
    let table = "kind = \"rows\"\nbox = \"xyxy\"\nunit = \"fraction\"\nclasses-from = 4";
    let scores = |table: &str| -> Vec<f32> {
        let found = boxes(table, &[("out", &[1, 4, 6])], std::slice::from_ref(&rows));
        found.iter().map(|found| found.score).collect()
    };

    assert_eq!(scores(table), [0.9, 0.7, 0.6]);
    assert_eq!(scores(&format!("{table}\nacross-classes = true")), [0.9, 0.6]);
}

#[test]
fn a_mask_lies_over_what_was_shown_of_the_picture() {
    // Planes: channel 1 of a 2 x 2 grid; the picture is the input's upper half.
    let decoder =
        decoder("kind = \"mask\"\nchannel = 1\nlabels = [\"person\"]", &[("m", &[1, 2, 2, 2])]);
    let decoder = decoder.unwrap();
    let upper = Placement { height: 2.0, ..whole() };

    let seen = decoder.read(&[vec![0.0, 0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.4]], &upper);

    assert_eq!(decoder.says(), Says::Mask);
    assert_eq!(seen, Seen::Mask { width: 2, height: 2, cells: vec![0.1, 0.2, 0.1, 0.2] });
}

#[test]
fn a_way_of_decoding_that_does_not_fit_the_tensors_is_refused_at_its_place() {
    let cases: [(&str, Outputs, &str, &str); 9] = [
        (
            "kind = \"yolox\"\nstrides = [2, 3]",
            &[("o", &[1, 5, 7])],
            "[2, 3]",
            "must divide 4 and 4",
        ),
        ("kind = \"yolox\"\nstrides = [2, 4]", &[("o", &[1, 5, 8])], "[2, 4]", "[1, 5, 7]"),
        (
            "kind = \"yolox\"\nstrides = [4]\nanchors = 3",
            &[("o", &[1, 1, 7])],
            "anchors",
            "unknown field",
        ),
        (
            "kind = \"yolox\"\nstrides = [4]\noutput = \"p\"",
            &[("o", &[1, 1, 7])],
            "\"p\"",
            "no [[output]] is `p`: o",
        ),
        ("kind = \"fastestdet\"", &[("o", &[1, 85, 2, 2])], "", "[1, 7, H, W]"),
        (
            "kind = \"rows\"\nbox = \"xyxy\"\nunit = \"pixel\"\nclasses-from = 4",
            &[("o", &[1, 9, 5])],
            "",
            "lies beyond",
        ),
        (
            "kind = \"rows\"\nbox = \"xyxy\"\nunit = \"pixel\"\nbackground = 3",
            &[("o", &[1, 9, 9])],
            "3",
            "there are 3 classes",
        ),
        (
            "kind = \"ssd\"\nboxes = \"o\"\nscores = \"o\"\nsigmoid = true\nanchors = [{ stride = 0, per-cell = 1 }]",
            &[("o", &[1, 5, 4])],
            "[{",
            "at least 1",
        ),
        ("kind = \"darknet\"", &[("o", &[1, 5, 7])], "\"darknet\"", "unknown variant `darknet`"),
    ];
    for (table, outputs, at, expected) in cases {
        let text = format!("[decode]\n{KEEP}{table}\n");

        let fault = decoder(&format!("{KEEP}{table}"), outputs).unwrap_err();

        assert!(fault.reason.contains(expected), "{table}: {}", fault.reason);
        assert!(text[fault.at.start..].starts_with(at), "{table}: {:?}", &text[fault.at.start..]);
    }
}

/// Names and shapes.
type Outputs = &'static [(&'static str, &'static [usize])];

fn boxes(table: &str, outputs: &[(&str, &[usize])], answers: &[Vec<f32>]) -> Vec<Detection> {
    let decoder = decoder(&format!("{KEEP}{table}"), outputs).unwrap();
    let Seen::Boxes(found) = decoder.read(answers, &whole()) else { panic!("no boxes") };
    found
}

fn decoder(table: &str, outputs: &[(&str, &[usize])]) -> Result<Decoder, Fault> {
    let input: PictureInput = toml::from_str(
        "size = [4, 4]\nlayout = \"nchw\"\ncolour = \"rgb\"\nfit = \"stretch\"\nscale = 1.0\n\
         mean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]",
    )
    .unwrap();
    let outputs: Vec<Output> = outputs
        .iter()
        .map(|(name, shape)| Output { name: (*name).into(), shape: shape.to_vec() })
        .collect();
    let text = format!("[decode]\n{table}\n");
    let all = DeTable::parse(&text).unwrap().into_inner();
    Decoder::new(all.get("decode").unwrap().clone(), &input, &outputs)
}

fn whole() -> Placement {
    let region = Region { left: 0.0, top: 0.0, right: 1.0, bottom: 1.0 };
    Placement { left: 0.0, top: 0.0, width: 4.0, height: 4.0, region }
}

fn assert_boxes(found: &[Detection], expected: &[(usize, f32, [f32; 4])]) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, (label, score, place)) in found.iter().zip(expected) {
        let Region { left, top, right, bottom } = found.region;
        let off = [left, top, right, bottom].iter().zip(place).any(|(a, b)| (a - b).abs() > 1e-4);
        assert!(found.label == *label && (found.score - score).abs() < 1e-4 && !off, "{found:?}");
    }
}
