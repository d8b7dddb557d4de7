//! Whether a camera can be believed: a view that is dark, blurred, covered, frozen, or of something else.
//!
//! Each is judged on the small picture against what this camera usually shows, so that nothing has to be
//! set per camera. None of it says what a picture shows. Where a bound is a number here, it was chosen on
//! made-up views and on recorded ones; docs/cameras.md says what that is good for.

use crate::thumb::Thumb;

/// Mean brightness, of 255, below which nothing is seen.
const DARK: f32 = 18.0;
/// Mean edge below which there is nothing to see in the light: a cap, a hand, a wall.
const COVERED: f32 = 1.2;
/// Edges that are this share of the usual ones, in light: out of focus, wet, or covered in part.
const BLURRED: f32 = 0.4;
/// Likeness of the edges to the usual ones below which it is another view.
const MOVED: f32 = 0.35;
/// Looks before what is usual is known.
const LEARNING: u32 = 20;
/// Looks in a row before a view counts as covered, blurred or moved: a passing truck is none of them.
const LASTING: u32 = 5;
/// A picture that is the very same for this long is no picture of now, in ms.
const FROZEN: i64 = 60_000;
/// A view that stays another for this long is the new one, in ms. Somebody has been told by then.
const ACCEPTED: i64 = 3_600_000;
/// How much of a new look goes into what is usual.
const SHARE: f32 = 0.02;

/// What is wrong with a view, and the figures behind it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each may be so by itself")]
pub struct View {
    pub dark: bool,
    pub blurred: bool,
    pub covered: bool,
    pub frozen: bool,
    pub moved: bool,
    /// Mean, 0..1.
    pub brightness: f32,
    /// Mean change from cell to cell, 0..1.
    pub sharpness: f32,
}

impl View {
    /// What is seen can be counted. A blurred or moved view still shows whether something is there; the
    /// zones of a moved one are elsewhere.
    pub fn is_clear(&self) -> bool {
        !(self.dark || self.covered || self.frozen || self.moved)
    }
}

/// What one camera usually shows.
#[derive(Default)]
pub struct Watchman {
    looks: u32,
    edges: Vec<f32>,
    sharpness: f32,
    last: Option<(Thumb, i64)>,
    covered: u32,
    blurred: u32,
    moved: u32,
    /// Since when the view is another, in ms.
    elsewhere: Option<i64>,
}

impl Watchman {
    /// Judges the picture of a time, in ms.
    pub fn look(&mut self, at: i64, thumb: &Thumb) -> View {
        let edges = thumb.edges();
        let sharpness = edges.iter().sum::<f32>() / edges.len() as f32;
        let dark = thumb.mean() < DARK;
        let frozen = self.is_frozen(at, thumb);
        let known = self.looks >= LEARNING;
        let covered = !dark && sharpness < COVERED;
        let blurred = known && !dark && !covered && sharpness < BLURRED * self.sharpness;
        let moved = known && !(dark || covered || blurred) && likeness(&edges, &self.edges) < MOVED;
        for (count, is) in
            [(&mut self.covered, covered), (&mut self.blurred, blurred), (&mut self.moved, moved)]
        {
            *count = if is { count.saturating_add(1) } else { 0 };
        }
        // The dark says nothing of the view; anything else that is wrong must not become what is usual.
        if !(dark || covered || blurred || moved || frozen) {
            self.learn(&edges, sharpness);
            self.elsewhere = None;
        } else if moved && at - *self.elsewhere.get_or_insert(at) >= ACCEPTED {
            *self = Self::default();
        }
        View {
            dark,
            frozen,
            covered: self.covered >= LASTING,
            blurred: self.blurred >= LASTING,
            moved: self.moved >= LASTING,
            brightness: thumb.mean() / 255.0,
            sharpness: sharpness / 255.0,
        }
    }

    fn is_frozen(&mut self, at: i64, thumb: &Thumb) -> bool {
        match &self.last {
            Some((last, since)) if last == thumb => at.saturating_sub(*since) >= FROZEN,
            Some(_) | None => {
                self.last = Some((thumb.clone(), at));
                false
            }
        }
    }

    fn learn(&mut self, edges: &[f32], sharpness: f32) {
        self.looks = self.looks.saturating_add(1);
        // A mean of all looks while there are few of them.
        let share = SHARE.max(1.0 / self.looks as f32);
        self.edges.resize(edges.len(), 0.0);
        for (usual, now) in self.edges.iter_mut().zip(edges) {
            *usual += share * (now - *usual);
        }
        self.sharpness += share * (sharpness - self.sharpness);
    }
}

/// Correlation of two pictures of edges, -1..1. The light changes how strong edges are, not where.
fn likeness(one: &[f32], other: &[f32]) -> f32 {
    let mean = |edges: &[f32]| edges.iter().sum::<f32>() / edges.len() as f32;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let (mut both, mut first, mut second) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(other) {
        let (a, b) = (a - mean_one, b - mean_other);
        both += a * b;
        first += a * a;
        second += b * b;
    }
    if first <= 0.0 || second <= 0.0 { 0.0 } else { both / (first * second).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;
    use crate::thumb::tests::yard;

    /// A camera that has seen its yard for a while, and the time.
    fn settled() -> (Watchman, i64) {
        let mut watchman = Watchman::default();
        for look in 0..30 {
            let noise = u32::try_from(look).unwrap() + 1;
            let view = watchman.look(look * 1000, &Thumb::of(&yard(0, 1.0, noise)));
            assert!(view.is_clear() && !view.blurred, "{view:?}");
        }
        (watchman, 30_000)
    }

    /// What the camera says after some looks at the same kind of picture, a second apart.
    fn after(looks: u32, picture: impl Fn(u32) -> Picture) -> View {
        let (mut watchman, mut at) = settled();
        let mut view = View::default();
        for look in 0..looks {
            view = watchman.look(at, &Thumb::of(&picture(100 + look)));
            at += 1000;
        }
        view
    }

    #[test]
    fn night_falls_and_it_is_dark_and_nothing_else() {
        let view = after(10, |noise| yard(0, 0.05, noise));
        assert!(view.dark && !view.covered && !view.moved && !view.blurred, "{view:?}");
    }

    #[test]
    fn dusk_is_no_fault() {
        let view = after(10, |noise| yard(0, 0.4, noise));
        assert!(view.is_clear(), "{view:?}");
    }

    #[test]
    fn a_hand_before_the_lens_covers_it_and_a_passing_truck_does_not() {
        let hand = |_| Picture::of_rgb(320, 240, &vec![130; 320 * 240 * 3]).unwrap();
        assert!(after(5, hand).covered);
        assert!(!after(4, hand).covered);
    }

    #[test]
    fn breath_on_the_lens_blurs_it() {
        let breath = |noise| {
            let sharp = yard(0, 1.0, noise);
            let pixels = sharp.bytes().iter().map(|byte| byte / 4 + 110).collect();
            Picture::new(320, 240, pixels).unwrap()
        };
        let view = after(6, breath);
        assert!(view.blurred && !view.covered, "{view:?}");
    }

    #[test]
    fn a_camera_that_was_turned_says_so_until_the_new_view_is_the_usual_one() {
        let view = after(6, |noise| yard(60, 1.0, noise));
        assert!(view.moved && !view.is_clear(), "{view:?}");
        let (mut watchman, _) = settled();
        let turned: Vec<_> = (1..9).map(|noise| Thumb::of(&yard(60, 1.0, noise))).collect();
        let mut view = View::default();
        for (look, thumb) in (30_i64..4030).zip(turned.iter().cycle()) {
            view = watchman.look(look * 1000, thumb);
        }
        assert!(!view.moved, "{view:?}");
    }

    #[test]
    fn the_very_same_picture_for_a_minute_is_frozen() {
        assert!(!after(60, |_| yard(0, 1.0, 77)).frozen);
        assert!(after(62, |_| yard(0, 1.0, 77)).frozen);
        assert!(!after(62, |noise| yard(0, 1.0, noise)).frozen);
    }
}
