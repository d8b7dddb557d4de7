//! Frames out of a stream of bytes: sensors on a UART talk all the time, and a reader may come in
//! the middle of a word, lose a byte, or hear noise while a connector is touched.
//!
//! [`Framer`] is the pure part. It takes one byte at a time and finds the next frame by its head and
//! its checksum; after damage it looks again within what it has, so that one lost byte costs one
//! frame and not two.

use embedded_hal::delay::DelayNs;
use embedded_io::{Read, ReadReady};

use crate::Error;

/// How the frames of a sensor look. `N` is their length in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Format<const N: usize> {
    /// What every frame begins with; at least one byte.
    pub head: &'static [u8],
    /// Whether a frame is as it was sent.
    pub is_whole: fn(&[u8; N]) -> bool,
}

/// Collects bytes until they are a frame.
#[derive(Debug)]
pub struct Framer<const N: usize> {
    format: Format<N>,
    bytes: [u8; N],
    filled: usize,
    /// Frames that began well and ended badly, since the last good one.
    damaged: u32,
}

impl<const N: usize> Framer<N> {
    pub const fn new(format: Format<N>) -> Self {
        Self { format, bytes: [0; N], filled: 0, damaged: 0 }
    }

    /// Takes the next byte; a frame when it was the last of one.
    pub fn push(&mut self, byte: u8) -> Option<[u8; N]> {
        let place = self.bytes.get_mut(self.filled)?;
        *place = byte;
        self.filled += 1;
        if !self.begins_well() {
            self.drop_one();
        }
        if self.filled < N {
            return None;
        }
        let frame = self.bytes;
        if (self.format.is_whole)(&frame) {
            (self.filled, self.damaged) = (0, 0);
            return Some(frame);
        }
        self.damaged = self.damaged.saturating_add(1);
        self.drop_one();
        None
    }

    /// Whether something came that looked like a frame and was none.
    pub fn heard_damage(&self) -> bool {
        self.damaged > 0
    }

    /// Forgets what is there: what comes next is what was asked for.
    pub fn clear(&mut self) {
        (self.filled, self.damaged) = (0, 0);
    }

    /// Whether what is there can be the beginning of a frame.
    fn begins_well(&self) -> bool {
        let known = self.filled.min(self.format.head.len());
        self.bytes.get(..known) == self.format.head.get(..known)
    }

    /// Goes on to the next byte that a frame can begin with.
    fn drop_one(&mut self) {
        loop {
            self.bytes.copy_within(1.., 0);
            self.filled = self.filled.saturating_sub(1);
            if self.filled == 0 || self.begins_well() {
                return;
            }
        }
    }
}

/// Waits for a frame, but not longer than `patience_ms`. Of several that wait the newest: a sensor talks on while
/// nobody reads. What a full port threw away was newer still: who owns one that keeps the oldest bytes empties
/// it before each reading.
pub fn read_frame<U: Read + ReadReady, const N: usize>(
    uart: &mut U,
    framer: &mut Framer<N>,
    delay: &mut impl DelayNs,
    patience_ms: u32,
) -> Result<[u8; N], Error<U::Error>> {
    let mut waited_ms = 0;
    // A sensor that talks without pause and sense must not hold us either.
    let mut heard = 0;
    let mut newest = None;
    while waited_ms < patience_ms && heard < MOST_BYTES {
        if !uart.read_ready().map_err(Error::Bus)? {
            if let Some(frame) = newest {
                return Ok(frame);
            }
            delay.delay_ms(1);
            waited_ms += 1;
            continue;
        }
        let mut byte = [0];
        if uart.read(&mut byte).map_err(Error::Bus)? == 0 {
            return Err(Error::Silent);
        }
        heard += 1;
        newest = framer.push(byte[0]).or(newest);
    }
    let why = if framer.heard_damage() { Error::Checksum } else { Error::Silent };
    newest.ok_or(why)
}

/// Far more than any sensor here says within its time: 3 s at 115200 baud are 34560 bytes.
const MOST_BYTES: u32 = 40_000;

/// The same without blocking.
#[cfg(feature = "async")]
pub async fn read_frame_async<U: embedded_io_async::Read, const N: usize>(
    uart: &mut U,
    framer: &mut Framer<N>,
    delay: &mut impl embedded_hal_async::delay::DelayNs,
    patience_ms: u32,
) -> Result<[u8; N], Error<U::Error>> {
    use core::cell::Cell;
    use core::future::{Future as _, poll_fn};
    use core::pin::pin;
    use core::task::Poll;

    let newest = Cell::new(None);
    let why = {
        let mut late = pin!(delay.delay_ms(patience_ms));
        let mut reading = pin!(async {
            for _ in 0..MOST_BYTES {
                let mut byte = [0];
                match uart.read(&mut byte).await {
                    Ok(0) => return Error::Silent,
                    Ok(_) => newest.set(framer.push(byte[0]).or(newest.get())),
                    Err(error) => return Error::Bus(error),
                }
            }
            Error::Silent
        });
        poll_fn(|context| match reading.as_mut().poll(context) {
            Poll::Ready(why) => Poll::Ready(why),
            Poll::Pending if newest.get().is_some() => Poll::Ready(Error::Silent),
            Poll::Pending => late.as_mut().poll(context).map(|()| Error::Silent),
        })
        .await
    };
    match (newest.get(), why) {
        (Some(frame), Error::Silent) => Ok(frame),
        (None, Error::Silent) if framer.heard_damage() => Err(Error::Checksum),
        (_, why) => Err(why),
    }
}

/// The sum of bytes, as UART sensors take it.
pub fn sum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(u16::from(*byte)))
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use proptest::prelude::*;
    use std::vec::Vec;

    use super::*;
    use crate::stand_in::Uart;

    /// Head, two bytes, their sum.
    const FORMAT: Format<4> =
        Format { head: &[0xFF], is_whole: |frame| sum(&frame[..3]).to_le_bytes()[0] == frame[3] };

    #[test]
    fn a_lost_byte_costs_one_frame_only() {
        // The second frame has lost its second byte.
        let wire = [0xFF, 1, 2, 2, 0xFF, 2, 4, 0xFF, 1, 3, 3];

        assert_eq!(frames(&wire), [[0xFF, 1, 2, 2], [0xFF, 1, 3, 3]]);
    }

    #[test]
    fn silence_noise_and_a_dead_port_are_told_apart() {
        let cases: [(&str, &[u8], _); 4] = [
            ("nothing", &[], Error::Silent),
            ("half a frame", &[0xFF, 1], Error::Silent),
            ("bytes that begin nothing", &[1, 2, 3, 4, 5, 6, 7], Error::Silent),
            ("a frame with a wrong sum", &[0xFF, 1, 2, 3], Error::Checksum),
        ];
        for (why, wire, expected) in cases {
            let mut uart = Uart::new(wire);
            let outcome = read_frame(&mut uart, &mut Framer::new(FORMAT), &mut NoopDelay, 50);
            assert_eq!(outcome, Err(expected), "{why}");
        }
    }

    #[test]
    fn of_frames_that_wait_the_newest_is_told_and_the_rest_of_the_next_is_kept() {
        let wire = [[0xFF, 1, 2, 2], [0xFF, 2, 4, 5], [0xFF, 1, 3, 3]].concat();
        let mut uart = Uart::new(&[&wire[..], &[0xFF, 7]].concat());
        let mut framer = Framer::new(FORMAT);
        let frame = read_frame(&mut uart, &mut framer, &mut NoopDelay, 50);
        assert_eq!(frame, Ok([0xFF, 1, 3, 3]));
        let mut rest = Uart::new(&[8, 14]);
        assert_eq!(read_frame(&mut rest, &mut framer, &mut NoopDelay, 50), Ok([0xFF, 7, 8, 14]));

        #[cfg(feature = "async")]
        {
            let (mut uart, mut framer) = (Uart::new(&wire), Framer::new(FORMAT));
            let mut delay = NoopDelay;
            let reading = read_frame_async(&mut uart, &mut framer, &mut delay, 50);
            assert_eq!(crate::stand_in::block_on(reading), Ok([0xFF, 1, 3, 3]));
        }
    }

    #[test]
    fn a_sensor_that_never_stops_talking_is_given_up() {
        let noise: Vec<u8> = (0..MOST_BYTES + 10).map(|_| 7).collect();
        let mut uart = Uart::new(&noise);

        let outcome = read_frame(&mut uart, &mut Framer::new(FORMAT), &mut NoopDelay, 50);

        assert_eq!(outcome, Err(Error::Silent));
    }

    #[cfg(feature = "async")]
    #[test]
    fn the_async_twin_gives_up_in_time_too() {
        let mut framer = Framer::new(FORMAT);
        let mut uart = Uart::new(&[9, 0xFF, 1, 2, 2]);
        let found =
            crate::stand_in::block_on(read_frame_async(&mut uart, &mut framer, &mut NoopDelay, 50));
        let then =
            crate::stand_in::block_on(read_frame_async(&mut uart, &mut framer, &mut NoopDelay, 50));

        assert_eq!((found, then), (Ok([0xFF, 1, 2, 2]), Err(Error::Silent)));
    }

    proptest! {
        #[test]
        fn a_frame_after_any_noise_is_found(
            noise in proptest::collection::vec(0..0xFF_u8, 0..20),
            high: u8,
            low: u8,
        ) {
            let frame = whole(high, low);

            prop_assert_eq!(frames(&[&noise[..], &frame].concat()), [frame]);
        }

        #[test]
        fn frames_are_found_wherever_one_comes_in(high: u8, low: u8, from in 0..4_usize) {
            let frame = whole(high, low);
            let wire = [frame; 4].concat();

            prop_assert!(frames(&wire[from..]).contains(&frame));
        }

        #[test]
        fn any_bytes_give_whole_frames_or_none(
            wire in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            for frame in frames(&wire) {
                prop_assert!(frame[0] == 0xFF && (FORMAT.is_whole)(&frame));
            }
        }
    }

    fn whole(high: u8, low: u8) -> [u8; 4] {
        [0xFF, high, low, sum(&[0xFF, high, low]).to_le_bytes()[0]]
    }

    fn frames(wire: &[u8]) -> Vec<[u8; 4]> {
        let mut framer = Framer::new(FORMAT);
        wire.iter().filter_map(|byte| framer.push(*byte)).collect()
    }
}
