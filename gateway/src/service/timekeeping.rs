//! Watches the box's clock: tells the pipeline how good it is and when it was set, and writes down the last
//! time that was right, from which a box goes on that starts without a clock.

use std::path::PathBuf;
use std::time::Duration;

use gatehouse_core::pipeline::Input;
use gatehouse_core::reading::TimeQuality;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::{self, Clock};

/// How often the wall clock is compared with ours.
const CLOCK_PACE: Duration = Duration::from_secs(10);

/// How often the time is written down while it is known to be right.
const CLOCK_KEPT: Duration = Duration::from_hours(1);

/// Tells the pipeline what is known about the wall clock, and when it was set.
pub(super) async fn watch_clock(
    clock: Clock,
    inputs: mpsc::Sender<Input>,
    (store, is_trusted): (PathBuf, bool),
    stop: CancellationToken,
) {
    let (mut told, mut kept) = (None, None);
    loop {
        let jump = clock.check().map(|by_ms| Input::ClockStepped { by_ms });
        let quality = Some(clock.quality()).filter(|quality| told != Some(*quality));
        told = quality.or(told);
        // Side by side, and the step last: what it corrects is told with the new quality.
        let news: Vec<_> = quality.map(Input::Clock).into_iter().chain(jump).collect();
        let Ok(room) = inputs.reserve_many(news.len()).await else { return };
        for (place, input) in room.zip(news) {
            place.send(input);
        }
        let is_right = is_trusted || told == Some(TimeQuality::Synced);
        if is_right && kept.is_none_or(|at: Instant| at.elapsed() >= CLOCK_KEPT) {
            kept = Some(Instant::now());
            let store = store.clone();
            let written = tokio::task::spawn_blocking(move || clock::keep(&store, clock::wall()));
            if let Ok(Err(error)) = written.await {
                tracing::warn!(%error, "the time could not be written down");
            }
        }
        if stop.run_until_cancelled(tokio::time::sleep(CLOCK_PACE)).await.is_none() {
            return;
        }
    }
}
