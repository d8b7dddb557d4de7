//! What is left of somebody who was hidden.

use super::*;

const FACE: Region = Region { left: 0.4, top: 0.3, right: 0.6, bottom: 0.6 };

/// Stripes of one pixel, where details can be counted.
fn stripes() -> Picture {
    let rgb: Vec<u8> = (0..120 * 80).flat_map(|i| [if i % 2 == 0 { 250 } else { 5 }; 3]).collect();
    Picture::of_rgb(120, 80, &rgb).unwrap()
}

/// Finds somebody wherever there is still detail around the middle.
fn look(picture: &Picture) -> Vec<Hide> {
    let row = 36 * 120;
    let seen: Vec<u8> = (48..72).map(|x| picture.pixels()[row + x][0]).collect();
    let detail = seen.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) > 100).count();
    if detail > 4 { vec![Hide { kind: Kind::Face, score: 0.9, region: FACE }] } else { Vec::new() }
}

#[test]
fn what_is_hidden_keeps_no_detail_and_the_rest_is_as_it_was() {
    let region = FACE.grown(MARGIN);
    let out = mosaic(stripes(), region, Kind::Face);
    let colours: std::collections::BTreeSet<u8> = (24..48)
        .flat_map(|y| (50..70).map(move |x| (y, x)))
        .map(|(y, x)| out.pixels()[y * 120 + x][0])
        .collect();
    assert!(colours.len() <= 2, "{colours:?}");
    assert_eq!(out.pixels()[..120 * 10], stripes().pixels()[..120 * 10]);
}

#[test]
fn a_mosaic_has_too_few_and_too_large_cells_to_recover_anybody() {
    for kind in [Kind::Face, Kind::Person, Kind::Plate, Kind::Vehicle] {
        let most = if kind == Kind::Vehicle { 8 } else { 4 };
        for (width, height) in [(12, 16), (33, 40), (80, 30), (200, 640)] {
            let cell = kind.cell(width, height);
            assert!(cell >= CELL && width.min(height).div_ceil(cell) <= most, "{kind:?} {cell}");
            assert!(width.max(height).div_ceil(cell) <= most * 6, "{kind:?} {cell}");
        }
    }
    // A strip of a car at the edge of the picture: its plate is most of it.
    assert!(Kind::Vehicle.cell(60, 240) >= 15);
}

#[test]
fn a_cell_keeps_nothing_but_its_mean() {
    let region = Region { left: 0.2, top: 0.1, right: 0.8, bottom: 0.9 };
    let (left, right, top, bottom) = pixels(region, 120, 80);
    let cell = Kind::Face.cell(right - left, bottom - top);
    let mut x = 7_u32;
    let noise = std::iter::repeat_with(|| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        x.to_be_bytes()[0]
    });
    let rgb: Vec<u8> = noise.take(120 * 80 * 3).collect();
    // Somebody else with the same means: every row of every cell is turned round.
    let mut other = rgb.clone();
    for y in top..bottom {
        for from in (left..right).step_by(cell) {
            let to = (from + cell).min(right);
            for (i, x) in (from..to).enumerate() {
                let there = (y * 120 + to - 1 - i) * 3;
                other[(y * 120 + x) * 3..][..3].copy_from_slice(&rgb[there..there + 3]);
            }
        }
    }
    assert_ne!(rgb, other);
    let [one, other] =
        [rgb, other].map(|rgb| mosaic(Picture::of_rgb(120, 80, &rgb).unwrap(), region, Kind::Face));
    assert_eq!(one, other);
}

#[test]
fn the_file_holds_one_picture_and_nothing_about_it() {
    let masked = mask(&stripes(), |_| Ok::<_, ()>(Vec::new())).unwrap();
    let jpeg = masked.jpeg();
    let (mut at, mut markers) = (2, Vec::new());
    while at + 4 <= jpeg.len() && markers.last() != Some(&0xDA) {
        assert_eq!(jpeg[at], 0xFF);
        markers.push(jpeg[at + 1]);
        if jpeg[at + 1] == 0xE0 {
            // JFIF, which may hold a small picture: of no width and no height.
            assert_eq!(jpeg[at + 4..at + 8], *b"JFIF");
            assert_eq!(jpeg[at + 16..at + 18], [0, 0]);
        }
        at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    }
    // JFIF, tables, the frame and its scan; no Exif, no comment.
    assert!(markers.iter().all(|m| [0xE0, 0xDB, 0xC0, 0xC4, 0xDA].contains(m)), "{markers:x?}");
    let ends: Vec<usize> =
        (at..jpeg.len() - 1).filter(|i| jpeg[*i..i + 2] == [0xFF, 0xD9]).collect();
    assert_eq!(ends, [jpeg.len() - 2]);
}

#[test]
fn a_picture_full_of_detail_is_written_less_finely() {
    let mut x = 7_u32;
    let noise = std::iter::repeat_with(|| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        96 + (x.to_be_bytes()[0] >> 2)
    });
    let picture =
        Picture::of_rgb(640, 480, &noise.take(640 * 480 * 3).collect::<Vec<_>>()).unwrap();
    let masked = mask(&picture, |_| Ok::<_, ()>(Vec::new())).unwrap();
    let mut fine = Vec::new();
    let finest = Encoder::new(&mut fine, QUALITIES[0]);
    finest.encode(picture.bytes(), 640, 480, ColorType::Rgba).unwrap();
    assert!(fine.len() > BYTES && masked.jpeg().len() < fine.len());
}

#[test]
fn a_masked_picture_is_looked_at_again_and_gives_nothing() {
    let mut looks = 0;
    let masked = mask(&stripes(), |picture| {
        looks += 1;
        Ok::<_, ()>(look(picture))
    });
    let masked = masked.unwrap();
    assert_eq!((looks, masked.hidden()), (2, 1));
    assert!(masked.jpeg().starts_with(&[0xFF, 0xD8]));
}

#[test]
fn who_is_still_found_is_not_shown() {
    let always =
        |_: &Picture| Ok::<_, ()>(vec![Hide { kind: Kind::Person, score: 0.9, region: FACE }]);
    assert_eq!(mask(&stripes(), always).err(), Some(Unmasked::StillSeen));
}

#[test]
fn a_vehicle_may_still_be_seen_to_be_one() {
    let always =
        |_: &Picture| Ok::<_, ()>(vec![Hide { kind: Kind::Vehicle, score: 0.9, region: FACE }]);
    assert!(mask(&stripes(), always).is_ok());
}

#[test]
fn nobody_to_look_means_no_still() {
    let nobody = |_: &Picture| Err("the model is not installed");
    let error = mask(&stripes(), nobody).err();
    assert_eq!(error, Some(Unmasked::NotLooked("the model is not installed")));
}

#[test]
fn a_region_that_reaches_over_the_edge_or_is_no_number_does_no_harm() {
    for region in [
        Region { left: -3.0, top: -1.0, right: 9.0, bottom: 2.0 },
        Region { left: f32::NAN, top: f32::NAN, right: f32::NAN, bottom: f32::NAN },
        Region { left: 0.9, top: 0.9, right: 0.1, bottom: 0.1 },
    ] {
        assert_eq!(mosaic(stripes(), region, Kind::Face).width(), 120);
    }
}
