//! Pictures as cameras send them, and as nobody should.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;

use super::*;

const WHOLE: (usize, usize) = (usize::MAX, usize::MAX);

#[test]
fn every_kind_of_jpeg_that_cameras_send_gives_the_same_picture() {
    let expected = gradient(160, 96);
    let cases = [
        ("plain", jpeg(160, 96, ColorType::Rgb, false)),
        ("progressive", jpeg(160, 96, ColorType::Rgb, true)),
    ];
    for (why, bytes) in cases {
        let picture = decode(&bytes, WHOLE).unwrap();

        assert_eq!((picture.width(), picture.height()), (160, 96), "{why}");
        let apart = apart(&picture.to_rgb(), &expected);
        assert!(apart < 3.0, "{why}: {apart} levels apart on average");
    }
    let grey = decode(&jpeg(160, 96, ColorType::Luma, false), WHOLE).unwrap();
    assert!(grey.pixels().iter().all(|[r, g, b, _]| r == g && g == b));
}

/// Upright: white above, grey on the left below, black on the right. The values as DC-008 tells them in section 4.6.4:
/// what of the picture as it is shown is its first row, and its first column.
#[test]
fn a_picture_that_was_sent_on_its_side_is_shown_upright() {
    type Place = fn(usize, usize, [usize; 2]) -> [usize; 2];
    let (wide, high) = (96, 160);
    let shown = |x: usize, y: usize| match (x < wide / 2, y < high / 2) {
        (_, true) => 250,
        (true, false) => 120,
        (false, false) => 5,
    };
    let (right, bottom) = (wide - 1, high - 1);
    // Where a pixel that lies at (column, row) is shown.
    let cases: [(u8, Place); 8] = [
        (1, |x, y, _| [x, y]),
        (2, |x, y, [right, _]| [right - x, y]),
        (3, |x, y, [right, bottom]| [right - x, bottom - y]),
        (4, |x, y, [_, bottom]| [x, bottom - y]),
        (5, |x, y, _| [y, x]),
        (6, |x, y, [right, _]| [right - y, x]),
        (7, |x, y, [right, bottom]| [right - y, bottom - x]),
        (8, |x, y, [_, bottom]| [y, bottom - x]),
    ];
    for (value, place) in cases {
        let (width, height) = if value < 5 { (wide, high) } else { (high, wide) };
        let mut rgb = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let [x, y] = place(x, y, [right, bottom]);
                rgb.extend([shown(x, y); 3]);
            }
        }
        let mut bytes = Vec::new();
        let [w, h] = [width, height].map(|side| u16::try_from(side).unwrap());
        Encoder::new(&mut bytes, 95).encode(&rgb, w, h, ColorType::Rgb).unwrap();
        for is_little in [true, false] {
            let tagged = tagged(&bytes, value, is_little);
            let mut sent = None;
            let picture = decode_for(&tagged, |size| {
                sent = Some(size);
                (wide / 2, high / 2)
            });
            let picture = picture.unwrap();

            assert_eq!(sent, Some((wide, high)), "{value}");
            assert_eq!((picture.width(), picture.height()), (wide / 2, high / 2), "{value}");
            for (x, y) in [(10, 20), (38, 20), (10, 60), (38, 60)] {
                let level = picture.pixels()[y * wide / 2 + x][0];
                let off = level.abs_diff(shown(x * 2, y * 2));
                assert!(off < 6, "{value}: {level} at {x}, {y}");
            }
        }
    }
}

#[test]
fn a_tag_that_cannot_be_read_turns_nothing() {
    let plain = jpeg(160, 96, ColorType::Rgb, false);
    let whole = tagged(&plain, 6, true);
    let segment = 4 + usize::from(whole[5]);
    for (why, at, byte) in [
        ("another identifier", 6, b'X'),
        ("neither order of bytes", 12, b'X'),
        ("entries far away", 17, 0xFF),
        ("another tag", 22, 0),
        ("another type", 24, 4),
        ("a ninth way", 30, 9),
    ] {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        let picture = decode(&bytes, WHOLE).unwrap();
        assert_eq!((picture.width(), picture.height()), (160, 96), "{why}");
    }
    for end in 6..segment {
        let length = u16::try_from(end - 4).unwrap().to_be_bytes();
        let cut = [&whole[..4], &length, &whole[6..end], &whole[segment..]].concat();
        let picture = decode(&cut, WHOLE).unwrap();
        // The value itself is the first two bytes of its four.
        let is_there = end >= 32;
        assert_eq!(picture.width(), if is_there { 96 } else { 160 }, "cut after {end}");
    }
}

/// The same with an APP1 segment that tells its orientation.
fn tagged(jpeg: &[u8], value: u8, is_little: bool) -> Vec<u8> {
    let tiff: [u8; 26] = if is_little {
        let head = [b'I', b'I', b'*', 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0];
        [&head[..], &[value, 0, 0, 0, 0, 0, 0, 0]].concat().try_into().unwrap()
    } else {
        let head = [b'M', b'M', 0, b'*', 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1];
        [&head[..], &[0, value, 0, 0, 0, 0, 0, 0]].concat().try_into().unwrap()
    };
    let segment = [&[0xFF, 0xE1, 0, 34][..], b"Exif\0\0", &tiff].concat();
    [&jpeg[..2], &segment, &jpeg[2..]].concat()
}

#[test]
fn a_picture_is_scaled_down_while_it_is_decoded_but_not_below_what_is_wanted() {
    let colour = jpeg(641, 480, ColorType::Rgb, false);
    let cases = [
        ((416, 416), (641, 480)),
        ((320, 240), (321, 240)),
        ((160, 100), (161, 120)),
        ((1, 1), (81, 60)),
        ((0, 0), (81, 60)),
        ((81, 61), (161, 120)),
    ];
    for (at_least, expected) in cases {
        let picture = decode(&colour, at_least).unwrap();

        assert_eq!((picture.width(), picture.height()), expected, "{at_least:?}");
    }
    let half = decode(&jpeg(160, 96, ColorType::Rgb, false), (80, 48)).unwrap();
    let apart = apart(&half.to_rgb(), &gradient(80, 48));
    assert!(apart < 4.0, "{apart} levels apart on average");
    let grey = decode(&jpeg(64, 64, ColorType::Luma, false), (8, 8)).unwrap();
    assert_eq!((grey.width(), grey.height()), (8, 8));
}

#[test]
fn a_reduced_picture_is_the_whole_one_seen_from_further_away_however_it_was_sent() {
    use SamplingFactor::{F_1_1, F_1_2, F_2_1, F_2_2};
    let (width, height) = (203, 117);
    let rgb = waves(width, height);
    for sampling in [F_1_1, F_2_1, F_1_2, F_2_2] {
        for interval in [0, 1, 5] {
            let mut bytes = Vec::new();
            let mut encoder = Encoder::new(&mut bytes, 92);
            encoder.set_sampling_factor(sampling);
            encoder.set_restart_interval(interval);
            encoder.encode(&rgb, 203, 117, ColorType::Rgb).unwrap();
            let whole = decode(&bytes, WHOLE).unwrap();
            for eighths in reduced::EIGHTHS {
                let why = format!("{eighths} of {sampling:?}, {interval}");
                let picture = reduced::decode(&bytes, eighths).expect(&why);
                let (wide, high) = ((width * eighths).div_ceil(8), (height * eighths).div_ceil(8));
                assert_eq!((picture.width(), picture.height()), (wide, high), "{why}");
                let expected = further_away(&whole, eighths);
                let apart = apart(&picture.to_rgb(), &expected);
                assert!(apart < 2.5, "{why}: {apart} levels apart on average");
            }
        }
    }
}

#[test]
fn what_is_left_to_the_other_decoder_is_not_guessed_at() {
    let good = jpeg(64, 48, ColorType::Rgb, false);
    assert!(reduced::decode(&good, 4).is_some());
    assert_eq!(reduced::decode(&jpeg(64, 48, ColorType::Rgb, true), 4), None, "progressive");
    let end = good.len();
    let cut = [&good[..end - 40], &[0xFF, 0xD9]].concat();
    assert_eq!(reduced::decode(&cut, 4), None, "bits are missing");
    for size in 2..end / 2 {
        assert_eq!(reduced::decode(&good[..size], 4), None, "{size} bytes");
    }
    let mut apart = Vec::new();
    let mut encoder = Encoder::new(&mut apart, 90);
    encoder.set_optimized_huffman_tables(true);
    encoder.encode(&gradient(64, 48), 64, 48, ColorType::Rgb).unwrap();
    assert_eq!(reduced::decode(&apart, 4), None, "a scan for each colour");
    // Adobe's note that the three colours are red, green and blue.
    let adobe = [0xFF, 0xEE, 0, 14, b'A', b'd', b'o', b'b', b'e', 0, 100, 0, 0, 0, 0, 0];
    let noted = [&good[..2], &adobe, &good[2..]].concat();
    assert_eq!(reduced::decode(&noted, 4), None, "another meaning of colours");
    for (width, height) in [(0, 48), (64, 0), (0, 0), (u16::MAX, u16::MAX)] {
        let other = sized(&good, width, height, 0xC0);
        assert_eq!(reduced::decode(&other, 4), None, "{width} x {height}");
    }
}

#[test]
fn what_is_not_a_whole_picture_is_refused_with_the_reason() {
    let good = jpeg(64, 48, ColorType::Rgb, false);
    let with_size = |width, height, coding| sized(&good, width, height, coding);
    // Comments without end.
    let mut endless = vec![0xFF, 0xD8];
    endless
        .extend([0xFF, 0xFE, 0xFF, 0xFF].into_iter().chain(vec![0; 65_533]).cycle().take(1 << 20));
    let most = MOST_PIXELS;
    let cases = [
        ("nothing", Vec::new(), NotAPicture::NotJpeg),
        ("a page", b"<html>".to_vec(), NotAPicture::NotJpeg),
        ("two bytes", vec![0xFF, 0xD8], NotAPicture::Truncated(2)),
        ("half", good[..good.len() / 2].to_vec(), NotAPicture::Truncated(good.len() / 2)),
        ("an endless header", endless, NotAPicture::EndlessHeader),
        ("no pixel", with_size(0, 48, 0xC0), NotAPicture::Empty { width: 0, height: 48 }),
        (
            "huge",
            with_size(65_535, 65_535, 0xC0),
            NotAPicture::TooLarge { width: 65_535, height: 65_535, most },
        ),
        (
            "large and progressive",
            with_size(4_096, 4_096, 0xC2),
            NotAPicture::TooLarge { width: 4_096, height: 4_096, most: most / 4 },
        ),
        ("lossless", with_size(64, 48, 0xC3), NotAPicture::Unsupported("lossless JPEG")),
        (
            "arithmetic",
            with_size(64, 48, 0xC9),
            NotAPicture::Unsupported("JPEG with arithmetic coding"),
        ),
        (
            "four colours",
            jpeg(64, 48, ColorType::Cmyk, false),
            NotAPicture::Unsupported("four colours (CMYK)"),
        ),
        (
            "four colours by brightness",
            jpeg(64, 48, ColorType::CmykAsYcck, true),
            NotAPicture::Unsupported("four colours (CMYK)"),
        ),
        (
            "an end before the pixels",
            vec![0xFF, 0xD8, 0xFF, 0xD9],
            NotAPicture::Header("it ends before its pixels"),
        ),
        (
            "scans without end",
            [good.clone(), [0xFF, 0xDA].repeat(100)].concat(),
            NotAPicture::Unsupported("far too many scans"),
        ),
    ];
    for (why, bytes, expected) in cases {
        assert_eq!(decode(&bytes, (1, 1)), Err(expected.clone()), "{why}");
        assert_eq!(decode(&bytes, WHOLE), Err(expected), "{why}, whole");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_damage_to_a_picture_breaks_the_program_or_makes_it_larger(
        kind in 0..4_usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
        scaled in any::<bool>(),
    ) {
        let (colour, progressive) = [
            (ColorType::Rgb, false),
            (ColorType::Rgb, true),
            (ColorType::Luma, false),
            (ColorType::Luma, true),
        ][kind];
        let mut bytes = jpeg(72, 56, colour, progressive);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }

        if let Ok(picture) = decode(&bytes, if scaled { (8, 8) } else { WHOLE }) {
            prop_assert!(picture.width() * picture.height() <= MOST_PIXELS);
        }
    }

    #[test]
    fn no_damage_breaks_the_reduced_reader(
        sampling in 0..4_usize,
        interval in 0..4_u16,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        use SamplingFactor::{F_1_1, F_1_2, F_2_1, F_2_2};
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 80);
        encoder.set_sampling_factor([F_1_1, F_2_1, F_1_2, F_2_2][sampling]);
        encoder.set_restart_interval(interval);
        encoder.encode(&gradient(72, 56), 72, 56, ColorType::Rgb).unwrap();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }

        for eighths in reduced::EIGHTHS {
            // Not through what would catch its panic.
            if let Some(picture) = reduced::decode(&bytes, eighths) {
                prop_assert!(picture.width() * picture.height() <= MOST_PIXELS);
            }
        }
    }

    #[test]
    fn bytes_that_mean_nothing_are_no_picture(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(decode(&[&[0xFF, 0xD8], bytes.as_slice()].concat(), (1, 1)).is_err());
    }
}

/// Waves of every colour, none shorter than sixty pixels.
fn waves(width: usize, height: usize) -> Vec<u8> {
    let level = |x: usize, y: usize, long: f32| {
        let wave = (x as f32 / long).sin() * (y as f32 / (long + 2.0)).cos();
        (128.0 + 100.0 * wave).to_string().split('.').next().unwrap().parse().unwrap()
    };
    let pixel =
        |x: usize, y: usize| [level(x, y, 15.0), level(x + 9, y, 11.0), level(x, y + 5, 19.0)];
    (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect()
}

/// Each pixel the mean of those that it covers.
fn further_away(whole: &Picture, eighths: usize) -> Vec<u8> {
    let (width, height) = (whole.width(), whole.height());
    let mut rgb = Vec::new();
    for y in 0..(height * eighths).div_ceil(8) {
        for x in 0..(width * eighths).div_ceil(8) {
            for colour in 0..3 {
                // In parts of a pixel, of which there are `eighths` in each direction.
                let mean = (0..64).map(|part| {
                    let x = ((x * 8 + part % 8) / eighths).min(width - 1);
                    let y = ((y * 8 + part / 8) / eighths).min(height - 1);
                    usize::from(whole.pixels()[y * width + x][colour])
                });
                rgb.push(u8::try_from(mean.sum::<usize>() / 64).unwrap());
            }
        }
    }
    rgb
}

/// The same bytes, said to be a picture of another size or coded in another way.
fn sized(jpeg: &[u8], width: u16, height: u16, coding: u8) -> Vec<u8> {
    let mut bytes = jpeg.to_vec();
    let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    bytes[frame + 1] = coding;
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

/// Red to the right, green downwards.
fn gradient(width: usize, height: usize) -> Vec<u8> {
    let level = |at: usize, of: usize| u8::try_from(at * 255 / of).unwrap();
    let pixel = |x: usize, y: usize| [level(x, width), level(y, height), 90];
    (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect()
}

fn jpeg(width: u16, height: u16, colour: ColorType, is_progressive: bool) -> Vec<u8> {
    let rgb = gradient(width.into(), height.into());
    let pixels: Vec<u8> = match colour {
        ColorType::Luma => rgb.iter().step_by(3).copied().collect(),
        // Ink, and no black: the opposite of light.
        ColorType::Cmyk | ColorType::CmykAsYcck => rgb
            .as_chunks::<3>()
            .0
            .iter()
            .flat_map(|[r, g, b]| [255 - r, 255 - g, 255 - b, 0])
            .collect(),
        _ => rgb,
    };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    encoder.set_progressive(is_progressive);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.encode(&pixels, width, height, colour).unwrap();
    bytes
}

/// Levels between two pictures, on average.
fn apart(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}
