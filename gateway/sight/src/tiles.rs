//! Looking closer: a picture in overlapping tiles besides the whole, so that a model sees what is small.
//!
//! A model is shown so many pixels, however many a camera sends: who is small in the whole picture has too
//! few of them. In a tile there are as many for a part of it. A thing in the overlap, on a seam, or large
//! enough to be seen in the whole is told by several looks, and [`joined`] makes it one again.

use crate::seen::{Detection, Region};

/// Of a tile that its neighbour shows too, as SAHI has it by default (`overlap_width_ratio`): what is no
/// wider stands whole in one of them.
const OVERLAP: f32 = 0.2;
/// Two looks tell of the same thing when they share more of the smaller box, as SAHI has it by default
/// (`postprocess_match_metric = "IOS"`): what a seam cuts is a part of what it was cut from.
const SHARED: f32 = 0.5;
/// A box that comes so near to a seam, in parts of the tile, is cut by it.
const NEAR: f32 = 0.01;

/// So many across and down, left to right and from the top; none where there is nothing to divide.
pub fn tiles([across, down]: [usize; 2]) -> Vec<Region> {
    if across * down <= 1 {
        return Vec::new();
    }
    let rows = (0..down).map(|row| span(row, down));
    rows.flat_map(|(top, bottom)| {
        (0..across).map(move |column| {
            let (left, right) = span(column, across);
            Region { left, top, right, bottom }
        })
    })
    .collect()
}

/// Where one of so many begins and ends.
fn span(position: usize, count: usize) -> (f32, f32) {
    let length = 1.0 / (1.0 + (count as f32 - 1.0) * (1.0 - OVERLAP));
    let from = position as f32 * length * (1.0 - OVERLAP);
    // The last one ends where the picture does, whatever was rounded.
    (from, if position + 1 == count { 1.0 } else { from + length })
}

/// A thing, and which looks told of it, a bit each.
struct Told {
    thing: Detection,
    is_cut: bool,
    looks: u64,
}

/// One box for each thing that looks at parts of one picture found; a look at all of it has no region.
///
/// What the seams left whole comes first, the surest before others; of two halves that only seams gave,
/// one box is made. It is as sure as the surest look at it: what is doubtful from afar may be plain in a tile. One look does not find one thing twice: who stands behind another one is kept, where
/// the same look saw both.
pub fn joined<'s>(
    looks: impl IntoIterator<Item = (Option<Region>, &'s [Detection])>,
) -> Vec<Detection> {
    let mut all: Vec<Told> = Vec::new();
    for (position, (region, boxes)) in looks.into_iter().enumerate() {
        let looks = 1 << position.min(63);
        all.extend(boxes.iter().map(|thing| {
            let is_cut = region.is_some_and(|tile| is_cut(&thing.region, &tile));
            Told { thing: *thing, is_cut, looks }
        }));
    }
    all.sort_by(|a, b| {
        a.is_cut.cmp(&b.is_cut).then_with(|| b.thing.score.total_cmp(&a.thing.score))
    });
    let mut kept: Vec<Told> = Vec::new();
    for one in all {
        let same = kept
            .iter_mut()
            .filter(|known| known.looks & one.looks == 0 && known.thing.label == one.thing.label)
            .map(|known| (shared(&known.thing.region, &one.thing.region), known))
            .filter(|(shared, _)| *shared > SHARED)
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        let Some((_, known)) = same else {
            kept.push(one);
            continue;
        };
        known.looks |= one.looks;
        known.thing.score = known.thing.score.max(one.thing.score);
        if known.is_cut {
            known.thing.region = around(known.thing.region, one.thing.region);
        }
    }
    let mut things: Vec<_> = kept.into_iter().map(|told| told.thing).collect();
    things.sort_by(|a, b| b.score.total_cmp(&a.score));
    things
}

/// Whether a tile's edge cuts it; the picture's own edge cuts for every look alike.
fn is_cut(thing: &Region, tile: &Region) -> bool {
    let (x, y) = ((tile.right - tile.left) * NEAR, (tile.bottom - tile.top) * NEAR);
    (tile.left > 0.0 && thing.left < tile.left + x)
        || (tile.top > 0.0 && thing.top < tile.top + y)
        || (tile.right < 1.0 && thing.right > tile.right - x)
        || (tile.bottom < 1.0 && thing.bottom > tile.bottom - y)
}

/// What two have in common, of the smaller one.
fn shared(one: &Region, other: &Region) -> f32 {
    let width = one.right.min(other.right) - one.left.max(other.left);
    let height = one.bottom.min(other.bottom) - one.top.max(other.top);
    let smaller = one.area().min(other.area());
    if width <= 0.0 || height <= 0.0 || smaller <= 0.0 { 0.0 } else { width * height / smaller }
}

fn around(one: Region, other: Region) -> Region {
    Region {
        left: one.left.min(other.left),
        top: one.top.min(other.top),
        right: one.right.max(other.right),
        bottom: one.bottom.max(other.bottom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(score: f32, [left, top, right, bottom]: [f32; 4]) -> Detection {
        Detection { label: 0, score, region: Region { left, top, right, bottom } }
    }

    /// What each look at a picture in two tiles, side by side, tells: the whole, the left, the right one.
    fn of_two(whole: &[Detection], left: &[Detection], right: &[Detection]) -> Vec<Detection> {
        let tiles = tiles([2, 1]);
        joined([(None, whole), (Some(tiles[0]), left), (Some(tiles[1]), right)])
    }

    #[test]
    fn tiles_cover_the_picture_are_alike_and_lie_a_fifth_over_their_neighbours() {
        assert!(tiles([1, 1]).is_empty());
        let tiles = tiles([3, 2]);
        assert_eq!(tiles.len(), 6);
        let is_near = |a: f32, b: f32| (a - b).abs() < 1e-6;
        for (i, tile) in tiles.iter().enumerate() {
            assert!(is_near(tile.right - tile.left, 1.0 / 2.6), "{tile:?}");
            assert!(is_near(tile.bottom - tile.top, 1.0 / 1.8), "{tile:?}");
            let shared = if i % 3 < 2 { tile.right - tiles[i + 1].left } else { 0.2 / 2.6 };
            assert!(is_near(shared, 0.2 / 2.6), "{tile:?}");
        }
        let is_edge = |edge: f32, at: f32| edge.to_bits() == at.to_bits();
        assert!(is_edge(tiles[0].left, 0.0) && is_edge(tiles[5].right, 1.0));
        assert!(is_edge(tiles[0].top, 0.0) && is_edge(tiles[5].bottom, 1.0));
    }

    #[test]
    fn a_small_one_that_a_tile_alone_sees_is_there_and_one_that_all_see_is_one() {
        let small = thing(0.5, [0.1, 0.4, 0.12, 0.46]);
        let on_the_seam = thing(0.8, [0.48, 0.4, 0.52, 0.5]);
        let again = thing(0.9, [0.479, 0.4, 0.521, 0.51]);
        let seen = of_two(&[on_the_seam], &[small, again], &[on_the_seam]);
        assert_eq!(seen, [again, small]);
    }

    #[test]
    fn what_a_seam_cuts_is_a_part_of_the_whole_however_sure() {
        // The left tile ends at 5/9, the right one begins at 4/9.
        let bus = thing(0.6, [0.2, 0.3, 0.8, 0.7]);
        let front = thing(0.95, [0.2, 0.3, 0.5555, 0.7]);
        let back = thing(0.9, [0.4445, 0.3, 0.8, 0.7]);
        assert_eq!(of_two(&[bus], &[front], &[back]), [Detection { score: 0.95, ..bus }]);
    }

    #[test]
    fn of_two_halves_that_only_seams_gave_one_is_made() {
        let left = thing(0.6, [0.4, 0.3, 0.5555, 0.7]);
        let right = thing(0.7, [0.4445, 0.31, 0.6, 0.69]);
        let seen = of_two(&[], &[left], &[right]);
        assert_eq!(seen, [thing(0.7, [0.4, 0.3, 0.6, 0.7])]);
    }

    #[test]
    fn a_child_before_a_grown_up_is_two_people_and_a_dog_is_no_person() {
        let grown_up = thing(0.9, [0.1, 0.1, 0.2, 0.5]);
        let child = thing(0.5, [0.12, 0.3, 0.17, 0.5]);
        assert_eq!(of_two(&[grown_up], &[grown_up, child], &[]), [grown_up, child]);
        let dog = Detection { label: 1, ..child };
        assert_eq!(of_two(&[grown_up], &[dog], &[]), [grown_up, dog]);
    }
}
