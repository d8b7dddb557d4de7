//! Which pictures of an H.264 stream are worth decoding.
//!
//! All but key frames build on the one before. So after one that was lost or left out nothing makes sense
//! until the next key frame; and where key frames alone come often enough, or the box has no time for
//! more, the rest is left out.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Key frames whose distance is remembered: an encoder sends some early, when the scene changes.
const REMEMBERED: usize = 4;

/// Decides picture by picture.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Nothing can be decoded before the next key frame.
    needs_key: bool,
    /// When the last key frames came.
    keys: VecDeque<Instant>,
}

/// What is known about a picture before it is decoded.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each may be so by itself")]
pub(super) struct Coming {
    pub(super) is_key: bool,
    /// Something is missing between the picture before and this one.
    pub(super) has_gap: bool,
    /// There is no time for more than key frames.
    pub(super) is_busy: bool,
    /// Somebody waits for a picture.
    pub(super) is_due: bool,
}

impl Gate {
    /// At the start of a stream.
    pub(super) fn new() -> Self {
        Self { needs_key: true, ..Self::default() }
    }

    /// Whether to decode this picture, when one is wanted `every` so often.
    pub(super) fn admit(&mut self, coming: Coming, now: Instant, every: Duration) -> bool {
        if coming.is_key {
            self.keys.push_back(now);
            if self.keys.len() > REMEMBERED {
                self.keys.pop_front();
            }
            // Nothing builds on it then: one that nobody waits for need not be decoded.
            let is_idle = self.takes_keys_alone(coming.is_busy, every) && !coming.is_due;
            self.needs_key = is_idle;
            return !is_idle;
        }
        if coming.has_gap || self.takes_keys_alone(coming.is_busy, every) {
            self.needs_key = true;
        }
        !self.needs_key
    }

    /// The picture that was admitted last, or one before it, cannot be decoded.
    pub(super) fn broken(&mut self) {
        self.needs_key = true;
    }

    /// Whether what follows the key frame that was just admitted will be left out.
    pub(super) fn takes_keys_alone(&self, is_busy: bool, every: Duration) -> bool {
        is_busy || self.keys_will_do(every)
    }

    fn keys_will_do(&self, every: Duration) -> bool {
        let distances = self.keys.iter().zip(self.keys.iter().skip(1)).map(|(a, b)| *b - *a);
        self.keys.len() == REMEMBERED && distances.max().is_some_and(|longest| longest <= every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Coming = Coming { is_key: false, has_gap: false, is_busy: false, is_due: true };
    const KEY: Coming = Coming { is_key: true, ..PLAIN };

    /// What is admitted of a stream with ten pictures a second, by position.
    fn admitted(stream: &[Coming], every: Duration) -> Vec<usize> {
        let (mut gate, start) = (Gate::new(), Instant::now());
        let step = |at: usize| start + Duration::from_millis(100) * u32::try_from(at).unwrap();
        let numbered = stream.iter().enumerate();
        numbered
            .filter(|(at, coming)| gate.admit(**coming, step(*at), every))
            .map(|(at, _)| at)
            .collect()
    }

    #[test]
    fn nothing_is_decoded_before_the_first_key_frame() {
        let stream = [PLAIN, PLAIN, KEY, PLAIN];

        assert_eq!(admitted(&stream, Duration::ZERO), [2, 3]);
    }

    #[test]
    fn after_a_gap_the_next_key_frame_is_waited_for() {
        let gap = Coming { has_gap: true, ..PLAIN };
        let stream = [KEY, PLAIN, gap, PLAIN, Coming { has_gap: true, ..KEY }, PLAIN];

        assert_eq!(admitted(&stream, Duration::ZERO), [0, 1, 4, 5]);
    }

    #[test]
    fn a_busy_box_decodes_key_frames_and_goes_on_from_one() {
        let busy = Coming { is_busy: true, ..PLAIN };
        let stream = [KEY, busy, Coming { is_busy: true, ..KEY }, busy, PLAIN, KEY, PLAIN];

        assert_eq!(admitted(&stream, Duration::ZERO), [0, 2, 5, 6]);
    }

    #[test]
    fn a_busy_box_leaves_out_a_key_frame_too_that_nobody_waits_for() {
        let busy = Coming { is_busy: true, ..PLAIN };
        let idle = Coming { is_key: true, is_due: false, ..busy };
        let stream = [KEY, idle, busy, PLAIN, Coming { is_due: false, ..KEY }, PLAIN, idle, PLAIN];

        assert_eq!(admitted(&stream, Duration::ZERO), [0, 4, 5]);
    }

    #[test]
    fn where_key_frames_come_often_enough_the_rest_is_left_out() {
        let second: Vec<Coming> =
            (0..60).map(|at| if at % 10 == 0 { KEY } else { PLAIN }).collect();

        let slow = admitted(&second, Duration::from_secs(1));
        assert_eq!(
            slow.len(),
            30 + 1 + 2,
            "four key frames have to come before that is known: {slow:?}"
        );
        assert_eq!(slow[31..], [40, 50]);
        let quick = admitted(&second, Duration::from_millis(500));
        assert_eq!(quick.len(), 60);
    }
}
