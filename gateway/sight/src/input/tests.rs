//! Where pixels go, and what they become.

use super::*;

const SPEC: &str = r#"
size = [4, 4]
layout = "nchw"
colour = "rgb"
fit = "stretch"
scale = 1.0
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
"#;

#[test]
fn channels_are_ordered_laid_out_and_normalised_as_the_manifest_says() {
    let one = Picture::of_rgb(1, 1, &[10, 20, 30]).unwrap();
    let cases = [
        ("rgb planes", "rgb", "nchw", [10.0, 10.0, 20.0, 20.0, 30.0, 30.0]),
        ("bgr planes", "bgr", "nchw", [30.0, 30.0, 20.0, 20.0, 10.0, 10.0]),
        ("rgb pixels", "rgb", "nhwc", [10.0, 20.0, 30.0, 10.0, 20.0, 30.0]),
        ("bgr pixels", "bgr", "nhwc", [30.0, 20.0, 10.0, 30.0, 20.0, 10.0]),
    ];
    for (why, colour, layout, expected) in cases {
        let mut input =
            input(&[("[4, 4]", "[2, 1]"), ("\"rgb\"", &format!("\"{colour}\"")), ("nchw", layout)]);

        assert_eq!(input.fill(&one, None).unwrap().0, expected, "{why}");
    }
    let normalised = [
        ("[4, 4]", "[1, 1]"),
        ("scale = 1.0", "scale = 0.1"),
        ("mean = [0.0", "mean = [0.5"),
        ("std = [1.0", "std = [0.5"),
    ];
    assert_eq!(input(&normalised).fill(&one, None).unwrap().0, [1.0, 2.0, 3.0]);
}

#[test]
fn a_wide_picture_is_put_where_the_fit_says_and_points_lead_back() {
    // Twice as wide as high: left half 0, right half 200.
    let wide = Picture::of_rgb(8, 4, &[[0; 12], [200; 12]].concat().repeat(4)).unwrap();
    let cases = [
        ("stretch", "stretch", [0.0, 0.0, 200.0, 200.0].repeat(4), (0.5, 0.5)),
        (
            "top left",
            "letterbox-top-left",
            [[0.0, 0.0, 200.0, 200.0].repeat(2), vec![7.0; 8]].concat(),
            (0.5, 1.0),
        ),
        (
            "centre",
            "letterbox-centre",
            [vec![7.0; 4], [0.0, 0.0, 200.0, 200.0].repeat(2), vec![7.0; 4]].concat(),
            (0.5, 0.5),
        ),
        ("crop", "crop-centre", [0.0, 0.0, 200.0, 200.0].repeat(4), (0.5, 0.5)),
    ];
    for (why, fit, expected, middle) in cases {
        let pad = format!("\"{fit}\"\npad = 7");
        let mut input = input(&[("\"stretch\"", &pad)]);

        let (tensor, placement) = input.fill(&wide, None).unwrap();

        assert_eq!(tensor[..16], expected, "{why}");
        assert_eq!(placement.in_picture(2.0, 2.0), middle, "{why}");
    }
}

#[test]
fn a_crop_never_reaches_beyond_the_picture() {
    for filter in ["linear", "antialiased"] {
        let fit = format!("\"crop-centre\"\nfilter = \"{filter}\"");
        let mut input = input(&[("[4, 4]", "[41, 41]"), ("\"stretch\"", &fit)]);
        for side in 41..400 {
            for (width, height) in [(side * 2, side), (side, side + 7)] {
                let picture = Picture::of_rgb(width, height, &vec![9; width * height * 3]).unwrap();
                let (tensor, _) = input.fill(&picture, None).unwrap();
                let is_even = tensor.iter().all(|level| (level - 9.0).abs() < f32::EPSILON);
                assert!(is_even, "{width} x {height}");
            }
        }
    }
}

#[test]
fn a_region_is_shown_alone_and_the_padding_is_renewed_when_the_picture_changes() {
    let wide = Picture::of_rgb(8, 4, &[[0; 12], [200; 12]].concat().repeat(4)).unwrap();
    let tall = Picture::of_rgb(4, 8, &[50; 96]).unwrap();
    let right = Region { left: 0.5, top: 0.0, right: 1.0, bottom: 1.0 };
    let mut input = input(&[("\"stretch\"", "\"letterbox-top-left\"\npad = 7")]);

    let (tensor, placement) = input.fill(&wide, Some(right)).unwrap();
    assert_eq!(tensor[..16], [200.0; 16]);
    assert_eq!(placement.in_picture(2.0, 1.0), (0.75, 0.25));
    input.fill(&wide, None).unwrap();
    let (tensor, _) = input.fill(&tall, None).unwrap();
    assert_eq!(tensor[..16], [50.0, 50.0, 7.0, 7.0].repeat(4));

    let nowhere = Region { left: f32::NAN, top: 2.0, right: -1.0, bottom: 0.0 };
    assert!(input.fill(&wide, Some(nowhere)).is_ok());
    assert_eq!(input.wants(Some(right)), (8, 4));
}

#[test]
fn pixels_are_made_fewer_as_opencv_does_it() {
    let ramp: Vec<u8> = (0..10).flat_map(|x| [x * 25; 3]).collect();
    let ramp = Picture::of_rgb(10, 1, &ramp).unwrap();
    // cv2.resize(np.uint8([[0, 25, .. 225]]), (4, 1)) and Pillow's resize((4, 1), BILINEAR).
    let cases =
        [("linear", [19.0, 81.0, 144.0, 206.0]), ("antialiased", [25.0, 81.0, 144.0, 200.0])];
    for (filter, expected) in cases {
        let fit = format!("\"stretch\"\nfilter = \"{filter}\"");
        let mut input = input(&[("[4, 4]", "[4, 1]"), ("\"stretch\"", &fit)]);

        let (tensor, _) = input.fill(&ramp, None).unwrap();

        let off = tensor.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off <= 1.0, "{filter}: {tensor:?}");
    }
}

#[test]
fn padding_needs_no_pixels_of_a_picture() {
    let cases = [
        ("stretch", (1920, 1080), (416, 416)),
        ("letterbox-top-left", (1920, 1080), (416, 234)),
        ("letterbox-centre", (1080, 1920), (234, 416)),
        ("crop-centre", (1920, 1080), (740, 416)),
    ];
    for (fit, sent, expected) in cases {
        let fit = format!("\"{fit}\"\npad = 7");
        let input = input(&[("[4, 4]", "[416, 416]"), ("\"stretch\"", &fit)]);
        assert_eq!(input.wants_of(None, sent), expected, "{fit}");
    }
    let left = Region { left: 0.0, top: 0.0, right: 0.5, bottom: 1.0 };
    let centre = [("[4, 4]", "[416, 416]"), ("\"stretch\"", "\"letterbox-centre\"\npad = 7")];
    assert_eq!(input(&centre).wants_of(Some(left), (1920, 1080)), (740, 416));
}

fn input(changes: &[(&str, &str)]) -> Input {
    let text = changes.iter().fold(SPEC.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
    let spec: PictureInput = toml::from_str(&text).unwrap();
    assert_eq!(spec.problem(), None);
    Input::new(spec)
}
