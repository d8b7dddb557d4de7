//! Pictures on their way from the cameras to whoever looks at them: one place for each camera, and what
//! comes before the last one was taken replaces it.
//!
//! So a camera that sends too much, or a looker that is slow, costs memory for one picture and no time;
//! what was let go is counted. The looker takes from the cameras in turn.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use gatehouse_core::reading::Timestamp;
use gatehouse_sight::picture::Picture;

/// A camera by its position among the cameras of `gateway.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CameraIndex(pub usize);

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

#[derive(Debug)]
struct State {
    slots: Vec<Slot>,
    /// Whose turn it is.
    turn: usize,
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
        let state = State { slots, turn: 0, is_closed: false };
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

    /// The next picture, waited for; `None` when no more will come. Cameras that have one take turns.
    pub fn take(&self) -> Option<Shot> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            let many = state.slots.len();
            let turn = state.turn;
            let full = (0..many)
                .map(|step| (turn + step) % many)
                .find(|position| state.slots[*position].shot.is_some());
            if let Some(position) = full {
                state.turn = position + 1;
                return state.slots[position].shot.take();
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many pictures of a camera were replaced before anybody looked at them.
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

    fn taken(slots: &Slots) -> (usize, i64) {
        let shot = slots.take().unwrap();
        (shot.camera.0, shot.at.0)
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
    fn a_camera_that_sends_a_hundred_times_as_much_takes_no_other_s_turn() {
        let slots = Slots::new(3);
        let mut order = Vec::new();

        slots.put(shot(2, 0));
        for at in 0..4 {
            for _ in 0..100 {
                slots.put(shot(1, at));
            }
            order.push(taken(&slots).0);
            slots.put(shot(2, at));
        }

        assert_eq!(order, [1, 2, 1, 2]);
    }

    #[test]
    fn who_waits_gets_what_comes_and_goes_home_in_the_end() {
        let slots = Arc::new(Slots::new(1));
        let looker = std::thread::spawn({
            let slots = Arc::clone(&slots);
            move || std::iter::from_fn(|| slots.take()).map(|shot| shot.at.0).collect::<Vec<_>>()
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
