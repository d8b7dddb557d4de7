//! What is known of cameras and devices when the configuration changes: whoever is in the next one as it was
//! goes on. A car that blocks a lane has stood there for as long, and a camera that was turned away is not
//! taken for one that has always looked there.

use std::collections::BTreeMap;
use std::fmt;

use gatehouse_sight::watch::Watch;

use super::looking::Eye;
use super::posts::Post;

/// Of cameras by their ids, of devices by theirs.
#[derive(Default)]
pub(super) struct Memory {
    eyes: BTreeMap<String, (Place, Eye)>,
    watches: BTreeMap<String, (Place, Option<String>, Watch)>,
}

/// Where a camera's pictures come from: its address, or its broker and topic.
pub(super) type Place = [Option<String>; 3];

/// Nothing of it: there are pictures in it.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Memory {
    pub(super) fn of(posts: Vec<Post>, eyes: Vec<Eye>) -> Self {
        let mut memory = Self::default();
        for (post, eye) in posts.into_iter().zip(eyes) {
            for seat in post.seats {
                let known = (post.place.clone(), seat.model, seat.watch);
                memory.watches.insert(seat.id, known);
            }
            memory.eyes.insert(post.id, (post.place, eye));
        }
        memory
    }

    /// Gives it to those that are as they were; what of each camera there is to remember.
    pub(super) fn recall(mut self, posts: &mut [Post]) -> Vec<Eye> {
        posts
            .iter_mut()
            .map(|post| {
                for seat in &mut post.seats {
                    let known = self.watches.remove(&seat.id);
                    if let Some((place, model, watch)) = known
                        && (place == post.place && model == seat.model)
                        && watch.is_as(&seat.watch)
                    {
                        seat.watch = watch;
                    }
                }
                let known = self.eyes.remove(&post.id).filter(|(place, _)| *place == post.place);
                known.map(|(_, eye)| eye).unwrap_or_default()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::reading::DeviceIndex;
    use gatehouse_sight::load::Target;
    use gatehouse_sight::seen::{Detection, Region, Seen};
    use gatehouse_sight::view::View;
    use gatehouse_sight::watch::{Look, See, Shown, Want};
    use gatehouse_sight::zone::Tripwire;

    use super::super::posts::Seat;
    use super::*;

    /// A camera at an address, and one device that tells how long, and how many crossed the middle.
    fn post(address: &str, device: &str, shown: Shown) -> Post {
        let want = |see, tripwire| Want { see, labels: Vec::new(), zone: None, tripwire };
        let wants = vec![want(See::Dwell, None), want(See::Crossings(None), Some(0))];
        let wire = Tripwire { from: (0.5, 0.0), to: (0.5, 1.0) };
        Post {
            id: "gate".into(),
            place: [Some(address.into()), None, None],
            target: Target { every: 1000, share: None },
            seats: vec![Seat {
                device: DeviceIndex(0),
                id: device.into(),
                model: Some("road-users".into()),
                every: 1000,
                watch: Watch::new(wants, Vec::new(), vec![wire], shown),
                looked: None,
                asked: None,
            }],
        }
    }

    const WHOLE: Shown = Shown::Whole { tiles: [1, 1], sure: 0.5 };

    /// A car whose left side is at so much of the width.
    fn look(post: &mut Post, second: i64, left: f32) -> Vec<f64> {
        let region = Region { left, top: 0.4, right: left + 0.2, bottom: 0.6 };
        let seen = [Seen::Boxes(vec![Detection { label: 0, score: 0.9, region }])];
        let view = View::default();
        post.seats[0].watch.look(Look { at: second * 1000, seen: Some(&seen), view, motion: 0.1 })
    }

    #[test]
    fn how_long_and_how_many_go_on_after_a_reload_where_all_is_as_it_was() {
        let cases = [
            ("as it was", post("rtsp://a", "lane", WHOLE), [11.0, 1.0]),
            ("another camera", post("rtsp://b", "lane", WHOLE), [0.0, 0.0]),
            ("another device", post("rtsp://a", "yard", WHOLE), [0.0, 0.0]),
            (
                "looked at otherwise",
                post("rtsp://a", "lane", Shown::Whole { tiles: [2, 1], sure: 0.5 }),
                [0.0, 0.0],
            ),
        ];
        for (why, mut next, expected) in cases {
            let mut before = post("rtsp://a", "lane", WHOLE);
            let mut told = Vec::new();
            for second in 0..=10_u8 {
                told = look(&mut before, second.into(), 0.2 + f32::from(second) * 0.03);
            }
            assert_eq!(told, [10.0, 1.0], "{why}");

            let memory = Memory::of(vec![before], vec![Eye::default()]);
            let eyes = memory.recall(std::slice::from_mut(&mut next));

            assert_eq!(eyes.len(), 1, "{why}");
            assert_eq!(look(&mut next, 11, 0.5), expected, "{why}");
        }
    }
}
