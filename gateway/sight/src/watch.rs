//! What one device makes of a camera's pictures: the values of its points.
//!
//! A device type says what its points want to know ([`See`]), a device where to look ([`Zone`],
//! [`Tripwire`]). [`Watch`] is told what the model saw and how the view is, and gives one number a point,
//! in the device type's order; `NaN` where nothing can be said. The numbers are all that goes on.

use std::collections::BTreeMap;

use crate::seen::{Region, Seen};
use crate::tiles::{joined, tiles};
use crate::track::{Track, Tracker};
use crate::view::View;
use crate::zone::{Tripwire, Way, Zone};

/// What a point wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum See {
    /// How many things stand in the zone.
    Count,
    /// 1 when something does, else 0.
    Present,
    /// How long the one that is longest in the zone has been there, in seconds.
    Dwell,
    /// How many crossed the tripwire since start; one way, or both.
    Crossings(Option<Way>),
    /// Which of the point's labels the zone shows: its position; nothing when the model is not sure.
    Class,
    /// How probable the first of the point's labels is, 0..1.
    Probability,
    Dark,
    Blurred,
    Covered,
    Frozen,
    Moved,
    Brightness,
    Sharpness,
    /// The share of the picture that changed, 0..1.
    Motion,
}

/// One point of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Want {
    pub see: See,
    /// Positions in the model's labels; empty = any.
    pub labels: Vec<usize>,
    /// Position in the device's zones; `None` = the whole picture.
    pub zone: Option<usize>,
    /// Position in the device's tripwires.
    pub tripwire: Option<usize>,
}

/// What happened at one look.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// In ms.
    pub at: i64,
    /// What the model answered to each of [`Watch::regions`], in their order; `None` = not asked, since
    /// nothing moved: what was seen before still holds.
    pub seen: Option<&'a [Seen]>,
    pub view: View,
    /// The share of the picture that changed, 0..1.
    pub motion: f32,
}

/// What of the picture a model is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shown {
    /// One that finds boxes: all of it, and so many tiles across and down besides, which see what is small.
    /// From which score on it is sure; the others are doubtful.
    Whole { tiles: [usize; 2], sure: f32 },
    /// One that names what it is shown: each zone, or all where none is drawn.
    Zones,
}

/// One device at one camera.
#[derive(Debug)]
pub struct Watch {
    wants: Vec<Want>,
    zones: Vec<Zone>,
    tripwires: Vec<Tripwire>,
    shown: Shown,
    tracker: Tracker,
    /// Since when, in ms, a track is in a zone: by zone (none = the whole picture) and track.
    since: BTreeMap<(Option<usize>, u64), i64>,
    /// In and out, by tripwire and label.
    crossed: BTreeMap<(usize, usize), [u64; 2]>,
    classes: Vec<Seen>,
}

impl Watch {
    pub fn new(wants: Vec<Want>, zones: Vec<Zone>, tripwires: Vec<Tripwire>, shown: Shown) -> Self {
        Self {
            wants,
            zones,
            tripwires,
            shown,
            tracker: Tracker::default(),
            since: BTreeMap::new(),
            crossed: BTreeMap::new(),
            classes: Vec::new(),
        }
    }

    /// Whether it was made of the same, whatever it has seen since.
    pub fn is_as(&self, other: &Self) -> bool {
        (&self.wants, &self.zones, &self.tripwires, self.shown)
            == (&other.wants, &other.zones, &other.tripwires, other.shown)
    }

    /// What of the picture the model is to be shown; `None` = all of it.
    pub fn regions(&self) -> Vec<Option<Region>> {
        match self.shown {
            Shown::Zones if self.zones.is_empty() => vec![None],
            Shown::Zones => self.zones.iter().map(|zone| Some(zone.bounds())).collect(),
            Shown::Whole { tiles: counts, .. } => {
                std::iter::once(None).chain(tiles(counts).into_iter().map(Some)).collect()
            }
        }
    }

    /// Something that is followed may still be on its way: the model should be asked even though nothing
    /// seems to move.
    pub fn is_following(&self) -> bool {
        self.tracker.tracks().iter().any(|track| !track.is_confirmed())
    }

    /// Takes a look, and gives a value for each point.
    pub fn look(&mut self, look: Look<'_>) -> Vec<f64> {
        // What a blind camera does not see has not gone.
        if look.view.is_clear()
            && let Some(seen) = look.seen
        {
            match self.shown {
                Shown::Zones => self.classes = seen.to_vec(),
                Shown::Whole { sure, .. } => self.follow(look.at, seen, sure),
            }
        }
        self.wants.iter().map(|want| self.value(want, look)).collect()
    }

    fn follow(&mut self, at: i64, seen: &[Seen], sure: f32) {
        let boxes = seen.iter().map(|seen| match seen {
            Seen::Boxes(boxes) => boxes.as_slice(),
            Seen::Class { .. } | Seen::Mask { .. } => &[],
        });
        let boxes = joined(self.regions().into_iter().zip(boxes));
        let tracks = self.tracker.look(at, &boxes, sure);
        let mut since = BTreeMap::new();
        for track in tracks {
            let foot = track.region.foot();
            for zone in (0..self.zones.len()).map(Some).chain([None]) {
                let within =
                    zone.is_none_or(|i| self.zones.get(i).is_some_and(|zone| zone.contains(foot)));
                let key = (zone, track.id);
                if within {
                    since.insert(key, self.since.get(&key).copied().unwrap_or(at));
                }
            }
            for (i, wire) in self.tripwires.iter().enumerate() {
                let way = wire.crossed(track.before.foot(), foot);
                if let Some(way) = way.filter(|_| track.is_confirmed()) {
                    let counts = self.crossed.entry((i, track.label)).or_default();
                    counts[usize::from(way == Way::Out)] += 1;
                }
            }
        }
        self.since = since;
    }

    fn value(&self, want: &Want, look: Look<'_>) -> f64 {
        let yes = |is| f64::from(u8::from(is));
        let view = look.view;
        match want.see {
            See::Dark => yes(view.dark),
            See::Blurred => yes(view.blurred),
            See::Covered => yes(view.covered),
            See::Frozen => yes(view.frozen),
            See::Moved => yes(view.moved),
            See::Brightness => view.brightness.into(),
            See::Sharpness => view.sharpness.into(),
            See::Motion => look.motion.into(),
            See::Count
            | See::Present
            | See::Dwell
            | See::Crossings(_)
            | See::Class
            | See::Probability
                if !view.is_clear() =>
            {
                f64::NAN
            }
            See::Class | See::Probability => self.class(want).unwrap_or(f64::NAN),
            See::Present if self.shown == Shown::Zones => self.class(want).unwrap_or(f64::NAN),
            See::Count => self.there(want).count() as f64,
            See::Present => yes(self.there(want).next().is_some()),
            See::Dwell => self.dwell(want, look.at),
            See::Crossings(way) => self.crossings(want, way) as f64,
        }
    }

    /// The tracks that a point counts.
    fn there<'a>(&'a self, want: &'a Want) -> impl Iterator<Item = &'a Track> {
        self.tracker.tracks().iter().filter(move |track| {
            track.is_there()
                && (want.labels.is_empty() || want.labels.contains(&track.label))
                && self.since.contains_key(&(want.zone, track.id))
        })
    }

    fn dwell(&self, want: &Want, at: i64) -> f64 {
        let longest = self
            .there(want)
            .filter_map(|track| self.since.get(&(want.zone, track.id)))
            .map(|since| at.saturating_sub(*since))
            .max();
        longest.unwrap_or(0) as f64 / 1000.0
    }

    fn crossings(&self, want: &Want, way: Option<Way>) -> u64 {
        self.crossed
            .iter()
            .filter(|((wire, label), _)| {
                Some(*wire) == want.tripwire
                    && (want.labels.is_empty() || want.labels.contains(label))
            })
            .map(|(_, [inward, outward])| match way {
                Some(Way::In) => *inward,
                Some(Way::Out) => *outward,
                None => inward + outward,
            })
            .sum()
    }

    /// What the classifier says of the point's zone.
    fn class(&self, want: &Want) -> Option<f64> {
        let Seen::Class { probabilities, sure } = self.classes.get(want.zone.unwrap_or(0))? else {
            return None;
        };
        match want.see {
            See::Probability => probabilities.get(*want.labels.first()?).map(|p| f64::from(*p)),
            // Whether it is one of the labels.
            See::Present => Some(f64::from(u8::from(want.labels.contains(&(*sure)?)))),
            _ if want.labels.is_empty() => Some((*sure)? as f64),
            _ => want.labels.iter().position(|label| Some(*label) == *sure).map(|i| i as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::Detection;

    const PERSON: usize = 0;
    const CAR: usize = 2;

    fn want(see: See, labels: &[usize], zone: Option<usize>) -> Want {
        Want { see, labels: labels.to_vec(), zone, tripwire: Some(0) }
    }

    fn left_half() -> Zone {
        Zone::new(vec![(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]).unwrap()
    }

    fn yard() -> Watch {
        let wants = vec![
            want(See::Count, &[CAR], Some(0)),
            want(See::Count, &[PERSON], None),
            want(See::Dwell, &[CAR], Some(0)),
            want(See::Crossings(Some(Way::In)), &[PERSON], None),
            want(See::Present, &[], Some(0)),
            want(See::Dark, &[], None),
        ];
        // From the bottom to the top: left of it is the left half.
        let wire = Tripwire { from: (0.5, 1.0), to: (0.5, 0.0) };
        Watch::new(wants, vec![left_half()], vec![wire], Shown::Whole { tiles: [1, 1], sure: 0.5 })
    }

    fn thing(label: usize, x: f32) -> Detection {
        let region = Region { left: x - 0.1, top: 0.4, right: x + 0.1, bottom: 0.8 };
        Detection { label, score: 0.9, region }
    }

    fn look(watch: &mut Watch, at: i64, boxes: Vec<Detection>) -> Vec<f64> {
        let seen = [Seen::Boxes(boxes)];
        watch.look(Look { at, seen: Some(&seen), view: View::default(), motion: 0.1 })
    }

    #[test]
    fn a_car_that_stops_in_the_zone_is_counted_and_timed_and_leaves() {
        let mut watch = yard();
        for at in 0..9 {
            look(&mut watch, at * 1000, vec![thing(CAR, 0.2)]);
        }
        assert_eq!(look(&mut watch, 9000, vec![thing(CAR, 0.2)]), [1.0, 0.0, 9.0, 0.0, 1.0, 0.0]);
        for at in 10..13 {
            look(&mut watch, at * 1000, Vec::new());
        }
        assert_eq!(look(&mut watch, 13_000, Vec::new())[..3], [0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_person_who_walks_across_the_line_is_counted_once_and_one_way() {
        let mut watch = yard();
        let mut values = Vec::new();
        for step in 0..30_u8 {
            let x = 0.2 + f32::from(step) * 0.02;
            values = look(&mut watch, i64::from(step) * 1000, vec![thing(PERSON, x)]);
        }
        assert_eq!(values, [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn what_a_blind_camera_does_not_see_is_no_data_and_has_not_gone() {
        let mut watch = yard();
        for at in 0..5 {
            look(&mut watch, at * 1000, vec![thing(CAR, 0.2)]);
        }
        let covered = View { covered: true, ..View::default() };
        let blind =
            Look { at: 5000, seen: Some(&[Seen::Boxes(Vec::new())]), view: covered, motion: 0.0 };
        let values = watch.look(blind);
        assert!(values[..5].iter().all(|value| value.is_nan()), "{values:?}");
        assert_eq!(look(&mut watch, 6000, vec![thing(CAR, 0.2)])[..3], [1.0, 0.0, 6.0]);
    }

    #[test]
    fn while_nothing_moves_what_was_seen_holds_and_time_goes_on() {
        let mut watch = yard();
        for at in 0..5 {
            look(&mut watch, at * 1000, vec![thing(CAR, 0.2)]);
        }
        let idle = Look { at: 20_000, seen: None, view: View::default(), motion: 0.0 };
        assert_eq!(watch.look(idle)[..3], [1.0, 0.0, 20.0]);
    }

    #[test]
    fn a_classifier_is_shown_each_zone_and_may_be_unsure() {
        let wants = vec![
            want(See::Present, &[1], Some(0)),
            want(See::Class, &[0, 1], Some(0)),
            want(See::Probability, &[1], Some(0)),
            want(See::Class, &[], Some(1)),
        ];
        let mut watch = Watch::new(wants, vec![left_half(), left_half()], Vec::new(), Shown::Zones);
        assert_eq!(watch.regions().len(), 2);
        let seen = [
            Seen::Class { probabilities: vec![0.1, 0.9], sure: Some(1) },
            Seen::Class { probabilities: vec![0.5, 0.5], sure: None },
        ];
        let shown = Look { at: 0, seen: Some(&seen), view: View::default(), motion: 0.0 };
        let values = watch.look(shown);
        assert_eq!(values[..2], [1.0, 1.0]);
        assert!((values[2] - 0.9).abs() < 1e-6);
        assert!(values[3].is_nan(), "not sure is no data");
    }
}
