//! The floor plan's geometry: where each area and device is drawn.
//!
//! What `community.toml` says is kept; areas without an outline become tiles below, and devices without
//! a place are spread over their area. The plan is [`WIDTH`] wide, whatever the community measures, so
//! that letters and dots have one size.

use gatehouse_core::community::Community;
use gatehouse_core::community::quantity::Text;

/// Units of the drawing.
pub(super) const WIDTH: f64 = 1_000.0;
/// A long and narrow plan is not drawn narrower than this part of its width.
const LEAST_HEIGHT: f64 = WIDTH / 4.0;
/// Around what has no `plan-size` of its own.
const MARGIN: f64 = 20.0;
/// A device's dot at most, and at least.
const DOTS: (f64, f64) = (9.0, 3.5);
/// Room for a tile's name.
const HEADING: f64 = 64.0;
/// Between tiles, and within them.
const GAP: f64 = 20.0;
/// From an area's edge to its name, and from above and from below to the line on which that stands.
const BESIDE: f64 = 16.0;
const ABOVE: f64 = 40.0;
const BELOW: f64 = 14.0;
/// What stands behind a name: a numeral and a number.
const NUMBER: f64 = 130.0;
/// Between two places that are tried for a name.
const SEEK: f64 = 15.0;

/// Everything in units of the drawing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub height: f64,
    /// By position of the area.
    pub areas: Vec<Shape>,
    /// By position of the device.
    pub devices: Vec<[f64; 2]>,
    /// Half a dot.
    pub radius: f64,
}

/// An area.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Shape {
    pub corners: Vec<[f64; 2]>,
    /// Where its name begins.
    pub name: [f64; 2],
}

impl Plan {
    pub(super) fn of(community: &Community) -> Self {
        let outlines = || community.areas.iter().filter(|area| !area.outline.is_empty());
        let corners: Vec<[f64; 2]> = outlines().flat_map(|area| area.outline.clone()).collect();
        let (from, size) = extent(&corners, community.plan_size);
        let margin = if community.plan_size.is_some() { 0.0 } else { MARGIN };
        let scale = (WIDTH - 2.0 * margin) / size[0].max(f64::MIN_POSITIVE);
        let place =
            |p: [f64; 2]| [margin + (p[0] - from[0]) * scale, margin + (p[1] - from[1]) * scale];

        let mut areas: Vec<Shape> = community
            .areas
            .iter()
            .enumerate()
            .map(|(at, area)| {
                let corners: Vec<_> = area.outline.iter().map(|corner| place(*corner)).collect();
                let own = community.devices.iter().filter(|device| device.area == at);
                let fixed: Vec<_> = own.filter_map(|device| device.at).map(place).collect();
                Shape { name: heading(&corners, label(&area.title), &fixed), corners }
            })
            .collect();
        let drawn = if corners.is_empty() { 0.0 } else { size[1] * scale + 2.0 * margin };
        let height = tiles(community, &mut areas, drawn).max(LEAST_HEIGHT);

        let mut devices = vec![[0.0; 2]; community.devices.len()];
        let mut closest = f64::MAX;
        for (at, shape) in areas.iter().enumerate() {
            let own = community.devices.iter().enumerate().filter(|(_, device)| device.area == at);
            let (placed, loose): (Vec<_>, Vec<_>) =
                own.partition(|(_, device)| device.at.is_some());
            let fixed: Vec<[f64; 2]> =
                placed.iter().filter_map(|(_, device)| device.at).map(place).collect();
            for ((index, _), at) in placed.iter().zip(&fixed) {
                devices[*index] = *at;
            }
            let (spots, step) = spread(shape, loose.len(), &fixed);
            if !loose.is_empty() {
                closest = closest.min(step);
            }
            for ((index, _), spot) in loose.iter().zip(spots) {
                devices[*index] = spot;
            }
        }
        let radius = (closest / 3.0).clamp(DOTS.1, DOTS.0);
        Self { height, areas, devices, radius }
    }
}

/// The upper left corner, and width and height, in metres.
fn extent(corners: &[[f64; 2]], size: Option<[f64; 2]>) -> ([f64; 2], [f64; 2]) {
    if let Some(size) = size {
        return ([0.0, 0.0], size);
    }
    let least = |axis: usize| corners.iter().map(|c| c[axis]).fold(f64::MAX, f64::min);
    let most = |axis: usize| corners.iter().map(|c| c[axis]).fold(0.0, f64::max);
    if corners.is_empty() {
        return ([0.0, 0.0], [WIDTH, 0.0]);
    }
    ([least(0), least(1)], [most(0) - least(0), most(1) - least(1)])
}

/// Lays the areas without an outline out below what is drawn; the height of it all.
fn tiles(community: &Community, areas: &mut [Shape], drawn: f64) -> f64 {
    let is_loose = |shape: &Shape| shape.corners.is_empty();
    let loose: Vec<usize> = (0..areas.len()).filter(|at| is_loose(&areas[*at])).collect();
    if loose.is_empty() {
        return drawn;
    }
    // As near to a square as it goes, and wide rather than high.
    let columns = (1..4).find(|n| n * n >= loose.len()).unwrap_or(4);
    let width = (WIDTH - GAP * (columns + 1) as f64) / columns as f64;
    let mut top = drawn + GAP;
    for row in loose.chunks(columns) {
        let devices = |at: usize| community.devices.iter().filter(|d| d.area == at).count();
        let most = row.iter().map(|at| devices(*at)).max().unwrap_or(0);
        let per_row = ((width - GAP) / 32.0).floor().max(1.0);
        let height = HEADING + (most as f64 / per_row).ceil().max(2.0) * 32.0 + GAP;
        for (column, at) in row.iter().enumerate() {
            let left = GAP + column as f64 * (width + GAP);
            let (right, bottom) = (left + width, top + height);
            let corners = vec![[left, top], [right, top], [right, bottom], [left, bottom]];
            let name = [left + BESIDE, top + ABOVE];
            areas[*at] = Shape { corners, name };
        }
        top += height + GAP;
    }
    top
}

/// How wide an area's name and the number behind it are drawn at most, in the language where it is longer.
fn label(title: &Text) -> f64 {
    let wide = |text: &str, letter: f64| text.chars().count() as f64 * letter;
    wide(&title.zh, 38.0).max(wide(&title.en, 23.0)) + NUMBER
}

/// Where a name of that width covers the fewest devices: as far up as it goes, then as far left; the middle where there is no room at all.
fn heading(corners: &[[f64; 2]], width: f64, taken: &[[f64; 2]]) -> [f64; 2] {
    let count = corners.len() as f64;
    let middle = |axis: usize| corners.iter().map(|c| c[axis]).sum::<f64>() / count.max(1.0);
    let least = |axis: usize| corners.iter().map(|c| c[axis]).fold(f64::MAX, f64::min);
    let most = |axis: usize| corners.iter().map(|c| c[axis]).fold(f64::MIN, f64::max);
    let steps = |axis: usize| {
        std::iter::successors(Some(least(axis)), |at| Some(at + SEEK))
            .take_while(move |at| *at < most(axis))
    };
    let mut best = ([middle(0) - width / 2.0, middle(1)], usize::MAX);
    for top in steps(1) {
        for left in steps(0) {
            let (right, bottom) = (left + BESIDE + width, top + ABOVE + BELOW);
            let is_within = [[left, top], [right, top], [left, bottom], [right, bottom]]
                .iter()
                .all(|[x, y]| is_inside(corners, [x + 0.5, y + 0.5]));
            let is_covered = |[x, y]: &&[f64; 2]| {
                (left - DOTS.0..right).contains(x) && (top - DOTS.0..bottom + DOTS.0).contains(y)
            };
            if is_within && best.1 > 0 {
                let covered = taken.iter().filter(is_covered).count();
                if covered < best.1 {
                    best = ([left + BESIDE, top + ABOVE], covered);
                }
            }
        }
    }
    best.0
}

/// Spots within an area that keep clear of its name and of what has its place, and their distance.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "steps across a drawing of a thousand units, and none is backwards"
)]
fn spread(shape: &Shape, count: usize, taken: &[[f64; 2]]) -> (Vec<[f64; 2]>, f64) {
    if count == 0 || shape.corners.is_empty() {
        return (Vec::new(), f64::MAX);
    }
    let least = |axis: usize| shape.corners.iter().map(|c| c[axis]).fold(f64::MAX, f64::min);
    let most = |axis: usize| shape.corners.iter().map(|c| c[axis]).fold(f64::MIN, f64::max);
    let (left, top, right, bottom) = (least(0), least(1), most(0), most(1));
    let mut step = 32.0;
    loop {
        let is_clear = |spot: [f64; 2]| {
            let [x, y] = [spot[0] - shape.name[0], spot[1] - shape.name[1]];
            let is_on_name = (-step..280.0).contains(&x) && (-ABOVE..BELOW).contains(&y);
            let is_near = |other: &[f64; 2]| (other[0] - spot[0]).hypot(other[1] - spot[1]) < step;
            let edge = step / 2.0;
            let is_well_inside = [[-edge, 0.0], [edge, 0.0], [0.0, -edge], [0.0, edge]]
                .iter()
                .all(|by| is_inside(&shape.corners, [spot[0] + by[0], spot[1] + by[1]]));
            is_well_inside && !is_on_name && !taken.iter().any(is_near)
        };
        let columns = ((right - left) / step) as usize;
        let rows = ((bottom - top) / step) as usize;
        let spots: Vec<[f64; 2]> = (0..=rows)
            .flat_map(|row| (0..=columns).map(move |column| (row, column)))
            .map(|(row, column)| {
                [left + (column as f64 + 0.5) * step, top + (row as f64 + 0.5) * step]
            })
            .filter(|spot| is_clear(*spot))
            .take(count)
            .collect();
        if spots.len() == count {
            return (spots, step);
        }
        step *= 0.8;
        if step < 2.0 {
            // More than can be told apart: what is left shares the last spot.
            let end = spots.last().copied().unwrap_or(shape.name);
            let rest = std::iter::repeat_n(end, count - spots.len());
            return (spots.into_iter().chain(rest).collect(), step);
        }
    }
}

/// Whether a ray to the right passes the outline an odd number of times.
fn is_inside(corners: &[[f64; 2]], [x, y]: [f64; 2]) -> bool {
    let next = corners.iter().cycle().skip(1);
    let passed = corners.iter().zip(next).filter(|(a, b)| {
        (a[1] > y) != (b[1] > y) && x < (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) + a[0]
    });
    passed.count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn is_on(plan: &Plan, at: usize, area: usize) -> bool {
        is_inside(&plan.areas[area].corners, plan.devices[at])
    }

    #[test]
    fn without_outlines_every_area_is_a_tile_with_its_devices_in_it() {
        let community = sample::community();

        let plan = Plan::of(&community);

        for (at, device) in community.devices.iter().enumerate() {
            assert!(is_on(&plan, at, device.area), "{}", device.id);
        }
        let [first, second] = [&plan.areas[0].corners, &plan.areas[1].corners];
        assert!(first[1][0] < second[0][0], "tiles do not overlap");
        assert!(
            plan.areas.iter().flat_map(|a| &a.corners).all(|c| c[0] < WIDTH && c[1] < plan.height)
        );
    }

    #[test]
    fn what_has_its_place_is_there_and_the_others_keep_clear_of_it() {
        let mut community = sample::community();
        community.plan_size = Some([200.0, 100.0]);
        community.areas[0].outline = vec![[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0]];
        community.devices[0].at = Some([50.0, 50.0]);

        let plan = Plan::of(&community);

        let [x, y] = plan.devices[0];
        assert!((x - 250.0).hypot(y - 250.0) < 1e-9, "{x} {y}");
        let [x, y] = plan.devices[1];
        assert!(is_on(&plan, 1, 0) && (x - 250.0).hypot(y - 250.0) >= 32.0, "{x} {y}");
        assert!(plan.areas[1].corners[0][1] >= 500.0, "tiles stand below the plan");
        assert!(plan.height > 500.0);
    }

    #[test]
    fn a_name_stands_where_it_covers_no_device() {
        let mut community = sample::community();
        community.plan_size = Some([200.0, 100.0]);
        community.areas[0].outline = vec![[0.0, 0.0], [200.0, 0.0], [200.0, 100.0], [0.0, 100.0]];
        for device in &mut community.devices {
            (device.area, device.at) = (0, Some([10.0, 10.0]));
        }

        let plan = Plan::of(&community);

        let [x, y] = plan.areas[0].name;
        let [left, top] = plan.devices[0];
        assert!(left < x || top > y + BELOW || top < y - ABOVE, "{x} {y} on {left} {top}");
        assert!(x > 0.0 && y < plan.height);
    }

    #[test]
    fn a_thousand_devices_in_one_small_area_still_have_a_spot() {
        let mut community = sample::community();
        let device = community.devices[0].clone();
        community.devices = (0..1_000).map(|_| device.clone()).collect();
        community.areas[0].outline = vec![[0.0, 0.0], [30.0, 0.0], [0.0, 4.0]];

        let plan = Plan::of(&community);

        assert_eq!(plan.devices.len(), 1_000);
        assert!(plan.devices.iter().all(|[x, y]| x.is_finite() && y.is_finite()));
        assert!((DOTS.1..=DOTS.0).contains(&plan.radius), "{}", plan.radius);
    }
}
