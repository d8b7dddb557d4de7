//! Follows things from picture to picture, so that a minute is a minute of the same car.
//!
//! The filter is that of SORT (Bewley and others, "Simple online and realtime tracking", 2016): centre,
//! area and shape of a box, with a constant speed of the first three. Its matrices couple nothing but a
//! value with its own speed, so it is three filters of two numbers and one of one, with SORT's noise. Boxes
//! are given to tracks in two rounds as in `ByteTrack` (Zhang and others, 2022): first those that the model is
//! sure of by its own measure, then the doubtful ones to tracks that are left over. A doubtful box begins no
//! track, helps none to be confirmed and brings back none that was lost.

use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

use crate::seen::{Detection, Region};

/// `ByteTrack`'s: what scores less is not even doubtful.
pub const DOUBTFUL: f32 = 0.1;
/// SORT's: less overlap than this is another thing.
const OVERLAP: f32 = 0.3;
/// SORT's: seen this often before it counts.
const CONFIRMED: u32 = 3;
/// `ByteTrack`'s: looks without a box before a track is forgotten.
const KEPT: u32 = 30;
/// And where looks are far apart, so long after it was seen, in ms: who comes later to where somebody stood is
/// somebody else.
const HIDDEN: i64 = 30_000;
/// A thing that one or two looks missed is still there.
const MISSED: u32 = 2;
/// After a pause this long nobody knows how fast a thing went, in ms.
const PAUSE: i64 = 10_000;
/// Noise is in pixels of a picture this size, whatever the camera sends.
const NOMINAL: (f32, f32) = (640.0, 480.0);

/// One thing that is followed.
#[derive(Debug, Clone)]
pub struct Track {
    /// Counted from 1 since the tracker began; says nothing of who or what it is.
    pub id: u64,
    /// Position in the model's labels.
    pub label: usize,
    /// Where it was seen last, or must be by now.
    pub region: Region,
    /// Where it was one look before.
    pub before: Region,
    /// First and last time that it was seen, in ms.
    pub first: i64,
    pub last: i64,
    looks: u32,
    missed: u32,
    state: State,
}

impl Track {
    /// It has been seen often enough to count, and not lost.
    pub fn is_there(&self) -> bool {
        self.looks >= CONFIRMED && self.missed <= MISSED
    }

    /// It has been seen often enough to count, and may be hidden for a while.
    pub fn is_confirmed(&self) -> bool {
        self.looks >= CONFIRMED
    }
}

/// Everything that one model follows in one camera's picture.
#[derive(Debug, Default)]
pub struct Tracker {
    tracks: Vec<Track>,
    begun: u64,
    looked: Option<i64>,
}

impl Tracker {
    /// Takes what was found at a time, in ms, and gives what is followed now. `sure`: the score from which
    /// on the model says that something is there.
    pub fn look(&mut self, at: i64, found: &[Detection], sure: f32) -> &[Track] {
        let paused = self.looked.is_some_and(|before| at.saturating_sub(before) > PAUSE);
        self.looked = Some(at);
        for track in &mut self.tracks {
            if paused {
                track.state.stop();
            }
            track.before = track.region;
            track.region = track.state.predict();
            track.missed = track.missed.saturating_add(1);
        }
        let (sure, doubtful): (Vec<_>, Vec<_>) =
            found.iter().filter(|one| is_fine(one)).partition(|one| one.score >= sure);
        let new = self.give(at, &sure, |_| true);
        self.give(at, &doubtful, |track| track.is_confirmed() && track.missed == 1);
        for one in new {
            self.begun += 1;
            self.tracks.push(Track {
                id: self.begun,
                label: one.label,
                region: one.region,
                before: one.region,
                first: at,
                last: at,
                looks: 1,
                missed: 0,
                state: State::new(one.region),
            });
        }
        // One that was never confirmed is not waited for.
        self.tracks.retain(|track| {
            let may_be_hidden = track.is_confirmed() && at.saturating_sub(track.last) <= HIDDEN;
            track.missed <= if may_be_hidden { KEPT } else { MISSED }
        });
        &self.tracks
    }

    /// What is followed, without looking.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Gives boxes to those of the tracks that have none yet, so that the overlaps together are largest, and
    /// returns the boxes that are left.
    fn give<'a>(
        &mut self,
        at: i64,
        found: &[&'a Detection],
        may: impl Fn(&Track) -> bool,
    ) -> Vec<&'a Detection> {
        let is_free = |track: &Track| track.missed > 0 && may(track);
        let free: Vec<usize> =
            (0..self.tracks.len()).filter(|&i| is_free(&self.tracks[i])).collect();
        if free.is_empty() || found.is_empty() {
            return found.to_vec();
        }
        let overlap = |box_: usize, track: usize| {
            let (one, track) = (found[box_], &self.tracks[free[track]]);
            if one.label == track.label { one.region.overlap(&track.region) } else { 0.0 }
        };
        // The method wants no more rows than columns, and whole numbers.
        let turned = found.len() > free.len();
        let (rows, columns) =
            if turned { (free.len(), found.len()) } else { (found.len(), free.len()) };
        let weights = Matrix::from_fn(rows, columns, |(row, column)| {
            let overlap = if turned { overlap(column, row) } else { overlap(row, column) };
            #[expect(clippy::cast_possible_truncation, reason = "a share of a million")]
            let weight = (overlap * 1e6) as i64;
            weight
        });
        let pairs = kuhn_munkres(&weights).1.into_iter().enumerate();
        let pairs: Vec<(usize, usize)> = pairs
            .map(|(row, column)| if turned { (column, row) } else { (row, column) })
            .filter(|&(box_, track)| overlap(box_, track) >= OVERLAP)
            .collect();
        let mut left: Vec<Option<&Detection>> = found.iter().copied().map(Some).collect();
        for (box_, track) in pairs {
            let track = &mut self.tracks[free[track]];
            track.region = track.state.update(found[box_].region);
            track.last = at;
            track.looks = track.looks.saturating_add(1);
            track.missed = 0;
            left[box_] = None;
        }
        left.into_iter().flatten().collect()
    }
}

fn is_fine(one: &Detection) -> bool {
    let Region { left, top, right, bottom } = one.region;
    right > left
        && bottom > top
        && [left, top, right, bottom, one.score].iter().all(|x| x.is_finite())
}

/// A box as SORT sees it: centre and area with their speeds, and the shape.
#[derive(Debug, Clone)]
struct State {
    x: Moving,
    y: Moving,
    area: Moving,
    shape: f32,
    shape_spread: f32,
}

impl State {
    fn new(region: Region) -> Self {
        let [x, y, area, shape] = measured(region);
        Self {
            x: Moving::new(x, 1.0, 0.01, 1.0),
            y: Moving::new(y, 1.0, 0.01, 1.0),
            area: Moving::new(area, 1.0, 0.0001, 10.0),
            shape,
            shape_spread: 10.0,
        }
    }

    /// It may have stopped since.
    fn stop(&mut self) {
        for moving in [&mut self.x, &mut self.y, &mut self.area] {
            moving.speed = 0.0;
        }
    }

    fn predict(&mut self) -> Region {
        // An area that would vanish stays.
        if self.area.value + self.area.speed <= 0.0 {
            self.area.speed = 0.0;
        }
        for moving in [&mut self.x, &mut self.y, &mut self.area] {
            moving.predict();
        }
        self.shape_spread += 1.0;
        self.region()
    }

    fn update(&mut self, region: Region) -> Region {
        let [x, y, area, shape] = measured(region);
        self.x.update(x);
        self.y.update(y);
        self.area.update(area);
        let gain = self.shape_spread / (self.shape_spread + 10.0);
        self.shape += gain * (shape - self.shape);
        self.shape_spread *= 1.0 - gain;
        self.region()
    }

    fn region(&self) -> Region {
        let width = (self.area.value.max(1.0) * self.shape.max(1e-3)).sqrt();
        let height = self.area.value.max(1.0) / width;
        Region {
            left: (self.x.value - width / 2.0) / NOMINAL.0,
            top: (self.y.value - height / 2.0) / NOMINAL.1,
            right: (self.x.value + width / 2.0) / NOMINAL.0,
            bottom: (self.y.value + height / 2.0) / NOMINAL.1,
        }
    }
}

/// Centre, area and shape (width by height) in nominal pixels.
fn measured(region: Region) -> [f32; 4] {
    let width = (region.right - region.left) * NOMINAL.0;
    let height = (region.bottom - region.top) * NOMINAL.1;
    let x = f32::midpoint(region.left, region.right) * NOMINAL.0;
    let y = f32::midpoint(region.top, region.bottom) * NOMINAL.1;
    [x, y, width * height, width / height]
}

/// A Kalman filter of one value and its speed a look.
#[derive(Debug, Clone)]
struct Moving {
    value: f32,
    speed: f32,
    /// Variance of the value, of the speed, and what they have in common.
    spread: [f32; 3],
    /// What a look adds to the variances, and the variance of a measurement.
    noise: [f32; 2],
    measurement: f32,
}

impl Moving {
    /// SORT's first variances: 10 for what was seen, 10,000 for a speed that nobody has seen.
    fn new(value: f32, noise: f32, speed_noise: f32, measurement: f32) -> Self {
        let spread = [10.0, 10_000.0, 0.0];
        Self { value, speed: 0.0, spread, noise: [noise, speed_noise], measurement }
    }

    fn predict(&mut self) {
        let [value, speed, both] = self.spread;
        self.value += self.speed;
        self.spread =
            [value + 2.0 * both + speed + self.noise[0], speed + self.noise[1], both + speed];
    }

    fn update(&mut self, measured: f32) {
        let [value, speed, both] = self.spread;
        let sum = value + self.measurement;
        let (gain, speed_gain) = (value / sum, both / sum);
        let error = measured - self.value;
        self.value += gain * error;
        self.speed += speed_gain * error;
        self.spread = [(1.0 - gain) * value, speed - speed_gain * both, (1.0 - gain) * both];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SURE: f32 = 0.5;

    fn car(left: f32, score: f32) -> Detection {
        let region = Region { left, top: 0.5, right: left + 0.2, bottom: 0.7 };
        Detection { label: 2, score, region }
    }

    fn ids(tracks: &[Track]) -> Vec<u64> {
        tracks.iter().filter(|track| track.is_there()).map(|track| track.id).collect()
    }

    #[test]
    fn a_moving_car_stays_the_same_car_and_a_second_one_is_another() {
        let mut tracker = Tracker::default();
        for look in 0..20_u8 {
            let x = f32::from(look) * 0.02;
            tracker.look(i64::from(look) * 1000, &[car(x, 0.9), car(0.75 - x, 0.9)], SURE);
        }
        assert_eq!(ids(tracker.tracks()), [1, 2]);
    }

    #[test]
    fn one_glance_of_something_is_nothing() {
        let mut tracker = Tracker::default();
        for look in 0..10 {
            let found = if look == 4 { vec![car(0.1, 0.9)] } else { Vec::new() };
            assert_eq!(ids(tracker.look(look * 1000, &found, SURE)), [0_u64; 0]);
        }
        assert!(tracker.tracks().is_empty());
    }

    #[test]
    fn a_car_that_is_hidden_for_twenty_looks_is_the_same_car_with_its_first_time() {
        let mut tracker = Tracker::default();
        for look in 0..40 {
            let hidden = (10..30).contains(&look);
            let found = if hidden { Vec::new() } else { vec![car(0.4, 0.8)] };
            tracker.look(look * 1000, &found, SURE);
        }
        assert_eq!(ids(tracker.tracks()), [1]);
        assert_eq!(tracker.tracks()[0].first, 0);
    }

    #[test]
    fn who_comes_to_where_somebody_left_a_while_ago_is_somebody_else() {
        for (apart, expected) in [(1_000, 1), (10_000, 2)] {
            let mut tracker = Tracker::default();
            for look in 0..12 {
                let found = if (4..9).contains(&look) { Vec::new() } else { vec![car(0.4, 0.8)] };
                tracker.look(look * apart, &found, SURE);
            }
            assert_eq!(ids(tracker.tracks()), [expected], "looks {apart} ms apart");
        }
    }

    #[test]
    fn a_doubtful_box_goes_on_with_a_track_and_begins_none() {
        let mut tracker = Tracker::default();
        for look in 0..10 {
            let score = if look < 5 { 0.9 } else { 0.3 };
            tracker.look(look * 1000, &[car(0.4, score), car(0.0, 0.3)], SURE);
        }
        assert_eq!(ids(tracker.tracks()), [1]);
        assert_eq!(tracker.tracks().len(), 1);
    }

    #[test]
    fn how_sure_is_sure_is_the_model_s_to_say() {
        for (sure, expected) in [(0.4, vec![1]), (0.5, vec![])] {
            let mut tracker = Tracker::default();
            for look in 0..5 {
                tracker.look(look * 1000, &[car(0.4, 0.45)], sure);
            }
            assert_eq!(ids(tracker.tracks()), expected, "sure from {sure}");
        }
    }

    #[test]
    fn doubtful_boxes_neither_confirm_a_glance_nor_bring_back_what_was_lost() {
        let mut tracker = Tracker::default();
        for look in 0..5 {
            let score = if look == 0 { 0.9 } else { 0.3 };
            tracker.look(look * 1000, &[car(0.4, score)], SURE);
        }
        assert!(tracker.tracks().is_empty(), "seen surely once");

        for look in 5..20 {
            let found = match look {
                5..10 => vec![car(0.4, 0.9)],
                10 => Vec::new(),
                _ => vec![car(0.4, 0.3)],
            };
            tracker.look(look * 1000, &found, SURE);
        }
        assert_eq!(ids(tracker.tracks()), [0_u64; 0]);
        assert_eq!(tracker.tracks()[0].last, 9000);
    }

    #[test]
    fn boxes_that_are_no_boxes_do_no_harm() {
        let mut tracker = Tracker::default();
        let region = Region { left: f32::NAN, top: 0.0, right: 1.0, bottom: 1.0 };
        let flat = Region { left: 0.5, top: 0.5, right: 0.5, bottom: 0.6 };
        for look in 0..5 {
            let found = [region, flat].map(|region| Detection { label: 0, score: 0.9, region });
            assert!(tracker.look(look * 1000, &found, SURE).is_empty());
        }
    }

    #[test]
    fn after_a_pause_a_parked_car_is_the_same_car() {
        let mut tracker = Tracker::default();
        for look in 0..5 {
            tracker.look(look * 1000, &[car(0.4, 0.9)], SURE);
        }
        tracker.look(600_000, &[car(0.4, 0.9)], SURE);
        assert_eq!(ids(tracker.tracks()), [1]);
    }
}
