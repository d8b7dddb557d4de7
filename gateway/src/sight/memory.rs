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
