//! Decodes H.264 on a thread of its own, so that reading from the wire never waits for it.
//!
//! Between the two lies a short queue. When it is full, decoding is too slow for the camera: all that
//! waits is let go, and it goes on with the next key frame. What cannot be decoded costs the decoder its
//! state and nothing more.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gatehouse_sight::picture::Picture;
use openh264::OpenH264API;
use openh264::decoder::{DecodeOptions, Decoder, DecoderConfig, Flush};
use openh264::formats::YUVSource as _;

use super::cost::Mean;
use super::eye::Eye;
use super::slots::Content;
use super::trouble::{Why, shortened};

/// Pictures that may wait: two seconds of most cameras.
const MOST_PICTURES: usize = 32;
/// Pixels of the largest picture that is decoded: 4K and some more. The decoder takes no more by itself:
/// it is what level 5.2 allows (ITU-T H.264, table A-1), its highest.
pub(super) const MOST_PIXELS: u64 = 4096 * 2304;
/// Bytes that may wait, in one picture or many.
pub(super) const MOST_BYTES: usize = 8 << 20;

/// An encoded picture.
#[derive(Debug)]
pub(super) struct Encoded {
    /// In the form of annex B; key frames with their parameter sets.
    pub(super) data: Vec<u8>,
    /// Nothing follows that builds on it.
    pub(super) is_alone: bool,
}

/// The reader's end of the queue; the decoder ends when it is dropped.
pub(super) struct Decoding(Arc<Queue>);

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// A picture could not be decoded; what follows builds on it.
    is_broken: AtomicBool,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Encoded>,
    bytes: usize,
    /// What decoding one takes.
    each: Mean,
    is_closed: bool,
    /// The decoder's thread has ended.
    is_gone: bool,
}

impl Decoding {
    /// Starts a decoder.
    pub(super) fn start(eye: &Arc<Eye>) -> Result<Self, Why> {
        let queue = Arc::new(Queue::default());
        let (theirs, eye) = (Gone(Arc::clone(&queue)), Arc::clone(eye));
        let thread = std::thread::Builder::new().name(format!("decode {}", eye.name));
        thread.spawn(move || decode(&eye, &theirs.0)).map_err(|_| Why::BrokeDown)?;
        Ok(Self(queue))
    }

    /// Hands a picture over; false when there was no room, so that all that waited was let go.
    pub(super) fn put(&self, encoded: Encoded, is_key: bool) -> Result<bool, Why> {
        let mut state = self.0.lock();
        if state.is_gone {
            return Err(Why::BrokeDown);
        }
        let bytes = encoded.data.len();
        let has_room =
            state.waiting.len() < MOST_PICTURES && state.bytes.saturating_add(bytes) <= MOST_BYTES;
        if !has_room {
            state.waiting.clear();
            state.bytes = 0;
        }
        if has_room || is_key {
            state.bytes += bytes;
            state.waiting.push_back(encoded);
        }
        drop(state);
        self.0.changed.notify_one();
        Ok(has_room)
    }

    /// What decoding one picture takes.
    pub(super) fn each(&self) -> Mean {
        self.0.lock().each
    }

    /// Whether something could not be decoded since this was asked last.
    pub(super) fn was_broken(&self) -> bool {
        self.0.is_broken.swap(false, Ordering::Relaxed)
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.changed.notify_one();
    }
}

/// Tells the reader when the decoder's thread has ended, whatever ended it.
struct Gone(Arc<Queue>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.lock().is_gone = true;
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next picture, waited for; `None` when no more will come.
    fn take(&self) -> Option<Encoded> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(encoded) = state.waiting.pop_front() {
                state.bytes -= encoded.data.len();
                return Some(encoded);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn decode(eye: &Eye, queue: &Queue) {
    let mut decoder = None;
    while let Some(encoded) = queue.take() {
        let begun = Instant::now();
        let outcome = match &mut decoder {
            Some(decoder) => picture(eye, decoder, &encoded),
            None => fresh().and_then(|fresh| picture(eye, decoder.insert(fresh), &encoded)),
        };
        queue.lock().each.note(begun.elapsed());
        match outcome {
            Ok(Some(picture)) => eye.show(Content::Picture(picture)),
            Ok(None) => {}
            Err(why) => {
                eye.count(why);
                // What it remembers is of no use any more.
                decoder = None;
                queue.is_broken.store(true, Ordering::Relaxed);
                let mut state = queue.lock();
                state.waiting.clear();
                state.bytes = 0;
            }
        }
    }
}

fn fresh() -> Result<Decoder, Why> {
    let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
    let decoder = Decoder::with_api_config(OpenH264API::from_source(), config);
    decoder.map_err(|error| Why::Corrupt(shortened(&error.to_string())))
}

/// Decodes a picture; turns it into colours only when one is due.
fn picture(eye: &Eye, decoder: &mut Decoder, encoded: &Encoded) -> Result<Option<Picture>, Why> {
    // One that waits for those after it, to be put in order, would wait for the next key frame.
    let flush = if encoded.is_alone { Flush::Flush } else { Flush::NoFlush };
    let options = DecodeOptions::new().flush_after_decode(flush);
    let outcome = decoder.decode_with_options(&encoded.data, options);
    let Some(yuv) = outcome.map_err(|error| Why::Corrupt(shortened(&error.to_string())))? else {
        return Ok(None);
    };
    let (width, height) = yuv.dimensions();
    // Parameters in the middle of a picture's bytes are the decoder's alone: the session has not seen them.
    check_size(width, height)?;
    if !eye.is_due() {
        return Ok(None);
    }
    let pixels = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(4));
    let mut bytes = vec![0; pixels.unwrap_or_default()];
    if bytes.is_empty() {
        return Err(Why::Corrupt("a picture without pixels".to_owned()));
    }
    yuv.write_rgba8(&mut bytes);
    Ok(Picture::new(width, height, bytes))
}

/// That a picture is none that would take all memory.
pub(super) fn check_size(width: impl TryInto<u32>, height: impl TryInto<u32>) -> Result<(), Why> {
    let width = width.try_into().unwrap_or(u32::MAX);
    let height = height.try_into().unwrap_or(u32::MAX);
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(Why::TooManyPixels { width, height, most: MOST_PIXELS });
    }
    Ok(())
}
