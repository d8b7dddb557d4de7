//! Pictures on their way from the cameras to whoever looks at them: one place for each camera, and what
//! comes before the last one was taken replaces it.
//!
//! So a camera that sends too much, or a looker that is slow, costs memory for one picture and no time;
//! what was let go is counted. Whose turn it is, the looker says.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatehouse_core::community::camera::CameraIndex;
use gatehouse_core::reading::Timestamp;
use gatehouse_sight::picture::Picture;

/// A picture and when it came.
#[derive(Debug)]
pub struct Shot {
    pub camera: CameraIndex,
    pub at: Timestamp,
    pub content: Content,
}

/// As it came off the wire.
pub enum Content {
    /// Whole, not looked into yet.
    Jpeg(Vec<u8>),
    /// From a stream of pictures.
    Picture(Picture),
}

/// Its size alone: what it shows is nobody's business.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Jpeg(bytes) => write!(f, "Jpeg({} bytes)", bytes.len()),
            Self::Picture(picture) => picture.fmt(f),
        }
    }
}

/// One place for each camera; shared by the cameras and whoever looks.
#[derive(Debug)]
pub struct Slots {
    state: Mutex<State>,
    filled: Condvar,
}

/// What came of waiting for a picture.
#[derive(Debug)]
pub enum Taken {
    Shot(Shot),
    /// It was nobody's turn for as long as that.
    Nothing,
    /// No more will come.
    Closed,
}

#[derive(Debug)]
struct State {
    slots: Vec<Slot>,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Slot {
    shot: Option<Shot>,
    shed: u64,
}

impl Slots {
    /// Empty places for so many cameras.
    pub fn new(cameras: usize) -> Self {
        let slots = (0..cameras).map(|_| Slot::default()).collect();
        let state = State { slots, is_closed: false };
        Self { state: Mutex::new(state), filled: Condvar::new() }
    }

    /// Never waits. What nobody has taken is replaced, and counted as shed.
    pub fn put(&self, shot: Shot) {
        let mut state = self.lock();
        if state.is_closed {
            return;
        }
        let Some(place) = state.slots.get_mut(shot.camera.0) else { return };
        let old = place.shot.replace(shot);
        place.shed += u64::from(old.is_some());
        drop(state);
        // After the lock: giving back some megabytes takes a moment.
        drop(old);
        self.filled.notify_one();
    }

    /// Counts one that was wanted and did not get as far as this.
    pub fn pass_over(&self, camera: CameraIndex) {
        if let Some(place) = self.lock().slots.get_mut(camera.0) {
            place.shed += 1;
        }
    }

    /// Waits for a picture of the camera that `choose` names among those that have one; it may answer with
    /// how long it will be nobody's turn instead, and is asked again whenever a picture comes.
    pub fn take(
        &self,
        mut choose: impl FnMut(&[CameraIndex]) -> Result<CameraIndex, Duration>,
    ) -> Taken {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return Taken::Closed;
            }
            let slots = state.slots.iter().enumerate();
            let full = slots.filter(|(_, slot)| slot.shot.is_some());
            let full: Vec<_> = full.map(|(position, _)| CameraIndex(position)).collect();
            let wait = match choose(&full) {
                Ok(camera) => {
                    let shot = state.slots.get_mut(camera.0).and_then(|slot| slot.shot.take());
                    return shot.map_or(Taken::Nothing, Taken::Shot);
                }
                Err(wait) => wait,
            };
            let waited = self.filled.wait_timeout(state, wait);
            let is_over;
            (state, is_over) = waited.unwrap_or_else(PoisonError::into_inner);
            if is_over.timed_out() {
                return Taken::Nothing;
            }
        }
    }

    /// How many pictures of a camera were wanted, and let go before anybody looked at them.
    pub fn shed(&self, camera: CameraIndex) -> u64 {
        self.lock().slots.get(camera.0).map_or(0, |slot| slot.shed)
    }

    /// No more is taken or given; who waits is sent home.
    pub fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        for slot in &mut state.slots {
            slot.shot = None;
        }
        drop(state);
        self.filled.notify_all();
    }

    /// Whole whatever a panic left: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn shot(camera: usize, at: i64) -> Shot {
        let content = Content::Jpeg(vec![0; 4]);
        Shot { camera: CameraIndex(camera), at: Timestamp(at), content }
    }

    /// The first camera that has one.
    fn first(full: &[CameraIndex]) -> Result<CameraIndex, Duration> {
        full.first().copied().ok_or(Duration::from_mins(1))
    }

    fn taken(slots: &Slots) -> (usize, i64) {
        match slots.take(first) {
            Taken::Shot(shot) => (shot.camera.0, shot.at.0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_newest_picture_wins_and_what_it_replaces_is_counted() {
        let slots = Slots::new(2);

        for at in 1..=5 {
            slots.put(shot(0, at));
        }

        assert_eq!(taken(&slots), (0, 5));
        assert_eq!(slots.shed(CameraIndex(0)), 4);
        assert_eq!(slots.shed(CameraIndex(1)), 0);
    }

    #[test]
    fn who_waits_gets_what_comes_and_goes_home_in_the_end() {
        let slots = Arc::new(Slots::new(1));
        let looker = std::thread::spawn({
            let slots = Arc::clone(&slots);
            move || {
                let next = || match slots.take(first) {
                    Taken::Shot(shot) => Some(shot.at.0),
                    Taken::Nothing | Taken::Closed => None,
                };
                std::iter::from_fn(next).collect::<Vec<_>>()
            }
        });

        slots.put(shot(0, 7));
        slots.put(shot(9, 8));
        while slots.lock().slots[0].shot.is_some() {
            std::thread::yield_now();
        }
        slots.close();
        slots.put(shot(0, 9));

        assert_eq!(looker.join().unwrap(), [7]);
    }
}
