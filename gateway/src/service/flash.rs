//! Watches what is written to the flash: keeps the count, shows it, and has it told when the flash will be
//! worn out before long.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::pipeline::Input;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::wear::{self, Endurance, Wear};

/// How often it is counted and kept.
const PACE: Duration = Duration::from_hours(1);

/// Ends at `stop`; its first word is that of the count as it was kept.
pub(super) async fn watch_flash(
    store: PathBuf,
    endurance: Option<Endurance>,
    shown: watch::Sender<Wear>,
    inputs: mpsc::WeakSender<Input>,
    stop: CancellationToken,
) {
    let store: Arc<std::path::Path> = store.into();
    let folder = Arc::clone(&store);
    let begun =
        tokio::task::spawn_blocking(move || (Wear::recall(&folder), wear::written(&folder)));
    let Ok((mut wear, Some(mut before))) = begun.await else { return };
    let mut at = Instant::now();
    loop {
        shown.send_replace(wear);
        let why = wear.finding(endurance);
        let Some(inputs) = inputs.upgrade() else { return };
        if inputs.send(Input::FlashWears { why }).await.is_err() {
            return;
        }
        drop(inputs);
        let is_over = stop.run_until_cancelled(tokio::time::sleep(PACE)).await.is_none();
        let folder = Arc::clone(&store);
        let span = at.elapsed();
        at += span;
        let counted = tokio::task::spawn_blocking(move || {
            let now = wear::written(&folder).unwrap_or(before);
            wear.note(now.saturating_sub(before), span);
            (wear, now, wear.keep(&folder))
        });
        let Ok((counted, now, kept)) = counted.await else { return };
        (wear, before) = (counted, now);
        if let Err(error) = kept {
            tracing::warn!(%error, "what was written to the flash could not be kept");
        }
        if is_over {
            return;
        }
    }
}
