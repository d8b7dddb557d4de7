//! Masked stills: who must be hidden is asked of the models that were made for it.
//!
//! A still is at most [`SIZE`] pixels, or as many upright. The models look at it whole, and those that find people and
//! vehicles at quarters of it as well, so that small ones are found too. What they would not count is hidden
//! all the same: a mosaic too many costs little.
//!
//! With ONNX Runtime a still takes most of a second, as tests/src/masked.rs tells, and several with tract: two thirds to
//! find them, the rest to check what came out. A part that has not changed is not looked at again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatehouse_core::reading::Timestamp;
use gatehouse_sight::mask::{Hide, Kind, Masked, Unmasked, mask};
use gatehouse_sight::picture::Picture;
use gatehouse_sight::seen::{Region, Seen};

use crate::infer::manifest::PictureSpec;
use crate::infer::pictures::PictureModels;
use crate::stills::{LARGEST, NoStillNow, Still};

/// Of a still, width and height.
pub const SIZE: (usize, usize) = (640, 480);
/// Between two looks the models are left to whoever else waits for them: a lock alone would go to whoever had it.
const TURN: Duration = Duration::from_millis(1);
/// The models that mask, by name.
pub const MASKS: [&str; 4] = ["face", "person", VEHICLES, "plate"];
/// It is for counting, and finds the plates' vehicles, and the people who fill a picture.
const VEHICLES: &str = "road-users";
/// Boxes that score so much are hidden, whatever the model's manifest asks for when it counts.
const EAGER: [(&str, f32); 4] =
    [("face", 0.2), ("person", 0.12), (VEHICLES, 0.25), ("plate", 0.33)];
/// What takes up this much of a view, across and down, is clearly seen where it is there at all. The model of
/// people has an anchor of that size that fires at anything.
const HUGE: (f32, f32) = (0.25, 0.4);
const CLEAR: f32 = 0.4;
/// The whole picture, and quarters of it that overlap by a fifth.
const VIEWS: [Region; 5] = [
    Region { left: 0.0, top: 0.0, right: 1.0, bottom: 1.0 },
    Region { left: 0.0, top: 0.0, right: 0.6, bottom: 0.6 },
    Region { left: 0.4, top: 0.0, right: 1.0, bottom: 0.6 },
    Region { left: 0.0, top: 0.4, right: 0.6, bottom: 1.0 },
    Region { left: 0.4, top: 0.4, right: 1.0, bottom: 1.0 },
];
/// A cell of a mask counts from this probability on.
const LIKELY: f32 = 0.4;
/// Halvings until a still is small enough.
const HALVINGS: u32 = 4;

/// How large the still of such a picture is at most: one that is higher than wide stands upright, too.
pub fn size((width, height): (usize, usize)) -> (usize, usize) {
    if height > width { (SIZE.1, SIZE.0) } else { SIZE }
}

/// The models without which there is no still and that are not there.
pub fn missing(is_there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    MASKS.into_iter().filter(|name| !is_there(name)).collect()
}

/// A still of a picture that shows nobody, of [`LARGEST`] bytes at most.
pub fn still(
    models: &Mutex<PictureModels>,
    picture: &Picture,
    at: Timestamp,
) -> Result<Still, NoStillNow> {
    let specs = held(models).specs();
    if let Some(missing) = missing(|name| specs.iter().any(|spec| spec.name == name)).first() {
        return Err(NoStillNow::NoMaskModel((*missing).to_owned()));
    }
    let (mut width, mut height) = size((picture.width(), picture.height()));
    for _ in 0..HALVINGS {
        let small = picture.within(width, height);
        let small = small.ok_or_else(|| NoStillNow::NotAPicture("it has no size".to_owned()))?;
        let masked = masked(models, &specs, &small)?;
        if masked.jpeg().len() <= LARGEST {
            return Ok(Still { at, masked });
        }
        (width, height) = (width * 3 / 4, height * 3 / 4);
    }
    Err(NoStillNow::NotAPicture("it cannot be made small enough".to_owned()))
}

fn masked(
    models: &Mutex<PictureModels>,
    specs: &[PictureSpec],
    picture: &Picture,
) -> Result<Masked, NoStillNow> {
    let mut before: Option<Picture> = None;
    let look = |picture: &Picture| {
        let found = find(models, specs, picture, before.as_ref());
        before = Some(picture.clone());
        found
    };
    mask(picture, look).map_err(|error| match error {
        Unmasked::NotLooked(why) => NoStillNow::NoMaskModel(why),
        Unmasked::StillSeen => NoStillNow::StillSeen,
        Unmasked::NotWritten => NoStillNow::NotAPicture("it cannot be written".to_owned()),
    })
}

/// Everybody that any of the models finds; when what came out is checked, in what has changed since `before`.
fn find(
    models: &Mutex<PictureModels>,
    specs: &[PictureSpec],
    picture: &Picture,
    before: Option<&Picture>,
) -> Result<Vec<Hide>, String> {
    let mut found = Vec::new();
    for spec in specs {
        // A vehicle may be seen to be one.
        let is_done = spec.name == VEHICLES && before.is_some();
        let Some((_, eager)) = EAGER.iter().find(|(name, _)| *name == spec.name && !is_done) else {
            continue;
        };
        // Where a face is smaller than what is found in the whole picture, the person is found.
        let views = if spec.name == "face" { &VIEWS[..1] } else { &VIEWS };
        for (place, view) in views.iter().enumerate() {
            if before.is_some_and(|before| is_same(before, picture, *view)) {
                continue;
            }
            let part = (place > 0).then_some(*view);
            let seen = held(models).look_eagerly(&spec.name, picture, part, *eager);
            std::thread::sleep(TURN);
            match seen.map_err(|error| error.to_string())? {
                Seen::Boxes(boxes) => found.extend(boxes.into_iter().filter_map(|one| {
                    let kind = kind(spec.labels.get(one.label)?)?;
                    let is_for_another = part.is_some() || spec.name == "person";
                    let is_nothing =
                        is_for_another && one.score < CLEAR && is_huge(one.region, *view);
                    let hide = Hide { kind, score: one.score, region: one.region };
                    (!is_nothing).then_some(hide)
                })),
                Seen::Mask { width, height, cells } => {
                    found.extend(covered(width, height, &cells, *view));
                }
                Seen::Class { .. } => return Err(format!("`{}` says what, not where", spec.name)),
            }
        }
    }
    Ok(found)
}

/// A look that broke down has left the models as they were.
pub(super) fn held(models: &Mutex<PictureModels>) -> MutexGuard<'_, PictureModels> {
    models.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether it takes up so much of a view that it would be clearly seen there, or in the whole picture.
fn is_huge(region: Region, view: Region) -> bool {
    let across = (region.right - region.left) / (view.right - view.left);
    let down = (region.bottom - region.top) / (view.bottom - view.top);
    across > HUGE.0 && down > HUGE.1
}

/// Whether a part of two pictures of the same size is the same, to the pixel.
fn is_same(one: &Picture, other: &Picture, part: Region) -> bool {
    let (width, height) = (one.width(), one.height());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in the picture, rounded outwards"
    )]
    let [left, right, top, bottom] = [
        (part.left * width as f32).floor() as usize,
        (part.right * width as f32).ceil() as usize,
        (part.top * height as f32).floor() as usize,
        (part.bottom * height as f32).ceil() as usize,
    ];
    let row = |y: usize| y * width + left..y * width + right.min(width);
    (top..bottom.min(height)).all(|y| one.pixels().get(row(y)) == other.pixels().get(row(y)))
}

/// What a label means for who may be recognised.
fn kind(label: &str) -> Option<Kind> {
    match label {
        "face" | "head" => Some(Kind::Face),
        "person" | "man" | "woman" | "boy" | "girl" => Some(Kind::Person),
        "plate" | "licence plate" | "license plate" => Some(Kind::Plate),
        "car" | "bus" | "truck" | "van" | "vehicle" | "motorcycle" | "bicycle" | "e-bike"
        | "scooter" | "tricycle" => Some(Kind::Vehicle),
        _ => None,
    }
}

/// A region for each row of neighbouring cells of a view that show somebody.
fn covered(width: usize, height: usize, cells: &[f32], view: Region) -> Vec<Hide> {
    let across = |share: f32| view.left + share * (view.right - view.left);
    let down = |share: f32| view.top + share * (view.bottom - view.top);
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
                        left: across(part(first, width)),
                        top: down(part(row, height)),
                        right: across(part(column, width)),
                        bottom: down(part(row + 1, height)),
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
        let regions: Vec<Region> =
            covered(4, 2, &cells, VIEWS[0]).iter().map(|hide| hide.region).collect();
        let expected = [
            Region { left: 0.25, top: 0.0, right: 0.75, bottom: 0.5 },
            Region { left: 0.75, top: 0.5, right: 1.0, bottom: 1.0 },
        ];
        assert_eq!(regions, expected);
    }

    #[test]
    fn a_mask_over_a_quarter_lies_where_the_quarter_is() {
        let quarter = Region { left: 0.5, top: 0.25, right: 1.0, bottom: 1.0 };
        let found = covered(2, 1, &[0.0, 0.9], quarter);
        let expected = Region { left: 0.75, top: 0.25, right: 1.0, bottom: 1.0 };
        assert_eq!(found.iter().map(|hide| hide.region).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn only_what_has_changed_is_looked_at_again() {
        let grey = Picture::of_rgb(10, 10, &[128; 300]).unwrap();
        let mut rgb = [128; 300];
        rgb[(2 * 10 + 7) * 3] = 9;
        let spot = Picture::of_rgb(10, 10, &rgb).unwrap();
        let same = VIEWS.map(|view| is_same(&grey, &spot, view));
        assert_eq!(same, [false, true, false, true, true]);
        assert!(VIEWS.into_iter().all(|view| is_same(&grey, &grey, view)));
    }

    #[test]
    fn without_a_model_that_finds_faces_there_is_no_still() {
        let grey = Picture::of_rgb(64, 48, &[128; 64 * 48 * 3]).unwrap();
        let refused = still(&Mutex::default(), &grey, Timestamp(0));
        assert_eq!(refused, Err(NoStillNow::NoMaskModel("face".to_owned())));
    }
}
