//! The one door through which values are written to devices: the platform's commands, a siren, a person.
//!
//! What may be written is judged by the pipeline, and a value is written when the device shows it. Who
//! calls has checked the rights of whoever asks, and notes it in the audit log.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatehouse_core::command::Refusal;
use gatehouse_core::pipeline::{Input, Write};
use tokio::sync::{mpsc, oneshot};

/// Longer than the pipeline waits for any device; it always answers.
const PATIENCE: Duration = Duration::from_mins(5);

/// Takes values to the engine. Cheap to clone.
#[derive(Clone)]
pub struct Writes(Arc<Shared>);

struct Shared {
    inputs: mpsc::WeakSender<Input>,
    ticket: AtomicU64,
    waiting: Arc<Waiting>,
}

/// Those who wait to hear what became of their values, by ticket.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<BTreeMap<u64, oneshot::Sender<Result<f64, Refusal>>>>);

impl Waiting {
    /// Tells who waits; nobody, when the one who asked has gone.
    pub fn tell(&self, ticket: u64, result: Result<f64, Refusal>) {
        if let Some(sender) = self.lock().remove(&ticket) {
            drop(sender.send(result));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, oneshot::Sender<Result<f64, Refusal>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writes {
    pub fn new(inputs: mpsc::WeakSender<Input>) -> Self {
        Self(Arc::new(Shared { inputs, ticket: AtomicU64::new(1), waiting: Arc::default() }))
    }

    /// Where the engine leaves what became of values.
    pub fn waiting(&self) -> Arc<Waiting> {
        Arc::clone(&self.0.waiting)
    }

    /// Writes a value; gives what the device shows after it.
    ///
    /// # Errors
    /// It may not be written, or the device does not show it.
    pub async fn write(&self, write: Write) -> Result<f64, Refusal> {
        let Shared { inputs, ticket, waiting } = &*self.0;
        let failed = |reason: &str| Refusal::Failed { reason: reason.to_owned() };
        let ticket = ticket.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        waiting.lock().insert(ticket, sender);
        let answered = async {
            inputs.upgrade()?.send(Input::Write { ticket, write }).await.ok()?;
            answer.await.ok()
        };
        let answered = tokio::time::timeout(PATIENCE, answered).await;
        waiting.lock().remove(&ticket);
        match answered {
            Ok(Some(result)) => result,
            Ok(None) => Err(failed("the gateway is about to end")),
            Err(_) => Err(failed("no answer came from the engine; see the gateway's log")),
        }
    }

    /// Switches a point on or off.
    ///
    /// # Errors
    /// As [`Writes::write`], in words.
    pub async fn switch(&self, device: &str, point: &str, on: bool) -> Result<(), String> {
        let value = f64::from(u8::from(on));
        let write = Write { device: device.to_owned(), point: point.to_owned(), value };
        self.write(write).await.map(drop).map_err(|refusal| refusal.to_string())
    }
}
