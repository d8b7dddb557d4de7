//! Masked stills: who must be hidden is asked of the models that were made for it.
//!
//! A still is at most [`WIDTH`] by [`HEIGHT`] pixels. That is the size at which the models look, so whoever
//! is too small for them to be found is too small to be recognised.

use gatehouse_core::reading::Timestamp;
use gatehouse_sight::mask::{Hide, Kind, Masked, Unmasked, mask};
use gatehouse_sight::picture::Picture;
use gatehouse_sight::seen::{Region, Seen};

use crate::infer::pictures::PictureModels;
use crate::stills::{LARGEST, NoStillNow, Still};

const WIDTH: usize = 640;
const HEIGHT: usize = 480;
/// The models that mask, by name. The first two must be there; the others are used where they are.
pub(super) const MASKS: [&str; 4] = ["face", "person", "plate", "road-users"];
const NEEDED: usize = 2;
/// A cell of a mask counts from this probability on.
const LIKELY: f32 = 0.4;
/// Halvings until a still is small enough.
const HALVINGS: u32 = 4;

/// A still of a picture that shows nobody, of [`LARGEST`] bytes at most.
pub(super) fn still(
    models: &mut PictureModels,
    picture: &Picture,
    at: Timestamp,
) -> Result<Still, NoStillNow> {
    let specs = models.specs();
    let missing = MASKS[..NEEDED].iter().find(|name| specs.iter().all(|spec| spec.name != **name));
    if let Some(missing) = missing {
        return Err(NoStillNow::NoMaskModel((*missing).to_owned()));
    }
    let (mut width, mut height) = (WIDTH, HEIGHT);
    for _ in 0..HALVINGS {
        let small = picture.within(width, height);
        let small = small.ok_or_else(|| NoStillNow::NotAPicture("it has no size".to_owned()))?;
        let masked = masked(models, &small)?;
        if masked.jpeg().len() <= LARGEST {
            return Ok(Still { at, masked });
        }
        (width, height) = (width * 3 / 4, height * 3 / 4);
    }
    Err(NoStillNow::NotAPicture("it cannot be made small enough".to_owned()))
}

fn masked(models: &mut PictureModels, picture: &Picture) -> Result<Masked, NoStillNow> {
    mask(picture, |picture| find(models, picture)).map_err(|error| match error {
        Unmasked::NotLooked(why) => NoStillNow::NoMaskModel(why),
        Unmasked::StillSeen => NoStillNow::StillSeen,
        Unmasked::NotWritten => NoStillNow::NotAPicture("it cannot be written".to_owned()),
    })
}

/// Everybody that any of the models finds.
fn find(models: &mut PictureModels, picture: &Picture) -> Result<Vec<Hide>, String> {
    let mut found = Vec::new();
    for spec in models.specs() {
        if !MASKS.contains(&spec.name.as_str()) {
            continue;
        }
        match models.look(&spec.name, picture, None).map_err(|error| error.to_string())? {
            Seen::Boxes(boxes) => found.extend(boxes.into_iter().filter_map(|one| {
                let kind = kind(spec.labels.get(one.label)?)?;
                Some(Hide { kind, score: one.score, region: one.region })
            })),
            Seen::Mask { width, height, cells } => found.extend(covered(width, height, &cells)),
            Seen::Class { .. } => return Err(format!("`{}` says what, not where", spec.name)),
        }
    }
    Ok(found)
}

/// What a label means for who may be recognised.
fn kind(label: &str) -> Option<Kind> {
    match label {
        "face" | "head" => Some(Kind::Face),
        "person" | "man" | "woman" | "boy" | "girl" => Some(Kind::Person),
        "plate" | "licence plate" | "license plate" => Some(Kind::Plate),
        "car" | "bus" | "truck" | "van" | "vehicle" | "motorcycle" => Some(Kind::Vehicle),
        _ => None,
    }
}

/// A region for each row of neighbouring cells that show somebody.
fn covered(width: usize, height: usize, cells: &[f32]) -> Vec<Hide> {
    let mut found = Vec::new();
    for (row, line) in cells.chunks_exact(width.max(1)).take(height).enumerate() {
        let mut begun = None;
        for column in 0..=width {
            let is_in = line.get(column).is_some_and(|likely| *likely >= LIKELY);
            match (begun, is_in) {
                (None, true) => begun = Some(column),
                (Some(first), false) => {
                    let part = |cell: usize, of: usize| cell as f32 / of as f32;
                    let region = Region {
                        left: part(first, width),
                        top: part(row, height),
                        right: part(column, width),
                        bottom: part(row + 1, height),
                    };
                    found.push(Hide { kind: Kind::Person, score: 1.0, region });
                    begun = None;
                }
                (None, false) | (Some(_), true) => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_s_cells_become_regions_that_cover_them() {
        let cells = [0.0, 0.9, 0.9, 0.0, 0.0, 0.0, 0.0, 0.5];
        let regions: Vec<Region> = covered(4, 2, &cells).iter().map(|hide| hide.region).collect();
        let expected = [
            Region { left: 0.25, top: 0.0, right: 0.75, bottom: 0.5 },
            Region { left: 0.75, top: 0.5, right: 1.0, bottom: 1.0 },
        ];
        assert_eq!(regions, expected);
    }

    #[test]
    fn without_a_model_that_finds_faces_there_is_no_still() {
        let grey = Picture::new(64, 48, vec![128; 64 * 48 * 3]).unwrap();
        let refused = still(&mut PictureModels::default(), &grey, Timestamp(0));
        assert_eq!(refused, Err(NoStillNow::NoMaskModel("face".to_owned())));
    }
}
