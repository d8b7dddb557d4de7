//! Where in the picture: polygons and lines that somebody drew on it.
//!
//! All in fractions of the picture's width and height, so that a camera may change its resolution.

use crate::seen::Region;

/// A place in the picture, in fractions of its width and height.
pub type Spot = (f32, f32);

impl Region {
    /// Where the thing stands: the middle of the lower edge. A person's feet and a car's wheels are on the
    /// ground that a zone was drawn on; their heads are not.
    pub fn foot(&self) -> Spot {
        (f32::midpoint(self.left, self.right), self.bottom)
    }

    /// Intersection over union with another, 0..1.
    pub fn overlap(&self, other: &Self) -> f32 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        if width <= 0.0 || height <= 0.0 {
            return 0.0;
        }
        let both = width * height;
        both / (self.area() + other.area() - both)
    }

    /// Of the whole picture, 0..1.
    pub fn area(&self) -> f32 {
        (self.right - self.left).max(0.0) * (self.bottom - self.top).max(0.0)
    }

    /// Larger by a share of its size on every side, and cut off at the picture's edges.
    #[must_use]
    pub fn grown(&self, share: f32) -> Self {
        let (x, y) = ((self.right - self.left) * share, (self.bottom - self.top) * share);
        Self {
            left: (self.left - x).clamp(0.0, 1.0),
            top: (self.top - y).clamp(0.0, 1.0),
            right: (self.right + x).clamp(0.0, 1.0),
            bottom: (self.bottom + y).clamp(0.0, 1.0),
        }
    }
}

/// A polygon that need not be convex.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    corners: Vec<Spot>,
}

impl Zone {
    /// `None` with fewer than three corners, or when one is no number.
    pub fn new(corners: Vec<Spot>) -> Option<Self> {
        let fine =
            corners.len() >= 3 && corners.iter().all(|(x, y)| x.is_finite() && y.is_finite());
        fine.then_some(Self { corners })
    }

    /// Even-odd rule: a ray from the spot crosses the outline an odd number of times.
    pub fn contains(&self, (x, y): Spot) -> bool {
        let after = self.corners.iter().skip(1).chain(self.corners.first());
        self.corners.iter().zip(after).fold(false, |inside, (&(x1, y1), &(x2, y2))| {
            let crosses = (y1 > y) != (y2 > y) && x < (x2 - x1) * (y - y1) / (y2 - y1) + x1;
            inside != crosses
        })
    }

    /// The smallest rectangle around it, within the picture.
    pub fn bounds(&self) -> Region {
        let begin = Region { left: 1.0, top: 1.0, right: 0.0, bottom: 0.0 };
        self.corners.iter().fold(begin, |bounds, &(x, y)| {
            let (x, y) = (x.clamp(0.0, 1.0), y.clamp(0.0, 1.0));
            Region {
                left: bounds.left.min(x),
                top: bounds.top.min(y),
                right: bounds.right.max(x),
                bottom: bounds.bottom.max(y),
            }
        })
    }
}

/// A line across a way, with a left and a right as seen from `from` towards `to`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tripwire {
    pub from: Spot,
    pub to: Spot,
}

/// Which way a line was crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From its left to its right.
    In,
    Out,
}

impl Tripwire {
    /// Whether going straight from one spot to another leads across, and which way.
    pub fn crossed(&self, before: Spot, after: Spot) -> Option<Way> {
        let (started, ended) = (side(self.from, self.to, before), side(self.from, self.to, after));
        // A spot on the line counts as right of it, so that who stops there is counted once.
        let way = match (started < 0.0, ended < 0.0) {
            (true, false) => Way::In,
            (false, true) => Way::Out,
            (true, true) | (false, false) => return None,
        };
        let within = side(before, after, self.from) * side(before, after, self.to) <= 0.0;
        within.then_some(way)
    }
}

/// Negative left of the line from `a` to `b`, positive right of it, when y points down.
fn side(a: Spot, b: Spot, spot: Spot) -> f32 {
    (b.0 - a.0) * (spot.1 - a.1) - (b.1 - a.1) * (spot.0 - a.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polygon_with_a_notch_does_not_contain_the_notch() {
        let zone =
            Zone::new(vec![(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.2), (0.0, 1.0)]).unwrap();
        assert!(zone.contains((0.1, 0.5)));
        assert!(zone.contains((0.9, 0.5)));
        assert!(!zone.contains((0.5, 0.5)));
        assert!(!zone.contains((1.1, 0.5)));
        assert!(Zone::new(vec![(0.0, 0.0), (1.0, 0.0)]).is_none());
    }

    #[test]
    fn a_line_is_crossed_in_both_ways_and_only_between_its_ends() {
        // From the left edge to the right one: left of it is up.
        let wire = Tripwire { from: (0.2, 0.5), to: (0.8, 0.5) };
        assert_eq!(wire.crossed((0.5, 0.4), (0.5, 0.6)), Some(Way::In));
        assert_eq!(wire.crossed((0.5, 0.6), (0.5, 0.4)), Some(Way::Out));
        assert_eq!(wire.crossed((0.9, 0.4), (0.9, 0.6)), None);
        assert_eq!(wire.crossed((0.5, 0.1), (0.5, 0.4)), None);
        // Who stops on the line and goes on is counted once.
        assert_eq!(wire.crossed((0.5, 0.4), (0.5, 0.5)), Some(Way::In));
        assert_eq!(wire.crossed((0.5, 0.5), (0.5, 0.6)), None);
    }

    #[test]
    fn overlap_is_one_with_itself_and_nothing_with_a_neighbour() {
        let region = Region { left: 0.1, top: 0.1, right: 0.3, bottom: 0.5 };
        let next = Region { left: 0.3, top: 0.1, right: 0.5, bottom: 0.5 };
        assert!((region.overlap(&region) - 1.0).abs() < 1e-6);
        assert!(region.overlap(&next).abs() < 1e-6);
        assert!((region.grown(0.5).left - 0.0).abs() < 1e-6);
    }
}
