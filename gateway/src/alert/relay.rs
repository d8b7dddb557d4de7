//! A siren or a lamp: on for a while, then off again.
//!
//! It counts as told when it is off again; after a power cut in between it sounds once more, and goes
//! off after that. What is over makes no noise.

use std::sync::Arc;

use gatehouse_core::alert::Outcome;

use super::channel::{Message, Relay, Switched};
use super::config::RelayConfig;
use crate::audit::{Audit, Note, Outcome as Came};
use crate::writes::Writes;

/// The way to the devices: each switch is in the audit log.
pub(crate) struct Switch {
    pub(crate) writes: Writes,
    pub(crate) audit: Audit,
}

impl Relay for Switch {
    fn set<'r>(&'r self, device: &'r str, point: &'r str, on: bool) -> Switched<'r> {
        Box::pin(async move {
            let switched = self.writes.switch(device, point, on).await;
            self.audit.note(Note {
                who: "gatehouse".into(),
                action: "device.write",
                about: format!("{device}/{point}"),
                outcome: if switched.is_ok() { Came::Done } else { Came::Refused },
                detail: switched.as_ref().err().cloned().unwrap_or_else(|| format!("alert: {on}")),
            });
            switched
        })
    }
}

pub(super) async fn send(
    siren: &RelayConfig,
    relay: Option<&Arc<dyn Relay>>,
    message: &Message,
) -> Outcome {
    if message.letter.is_over {
        return Outcome::Sent;
    }
    let Some(relay) = relay else {
        let why = "nothing here can switch a device; a running gateway can".to_owned();
        return Outcome::Misconfigured { why };
    };
    if let Err(why) = relay.set(&siren.device, &siren.point, true).await {
        return Outcome::Later { why, after: None };
    }
    tokio::time::sleep(siren.lasts.0).await;
    match relay.set(&siren.device, &siren.point, false).await {
        Ok(()) => Outcome::Sent,
        Err(why) => {
            tracing::error!(device = siren.device, why, "a siren could not be switched off");
            Outcome::Later { why, after: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use gatehouse_core::community::quantity::Period;

    use super::*;
    use crate::alert::sample::message;

    #[derive(Default)]
    struct Stub(Mutex<Vec<(String, bool)>>);

    impl Relay for Stub {
        fn set<'r>(&'r self, device: &'r str, point: &'r str, on: bool) -> Switched<'r> {
            self.0.lock().unwrap().push((format!("{device}/{point}"), on));
            Box::pin(async { Ok(()) })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_siren_goes_on_and_off_and_stays_silent_for_what_is_over() {
        let siren = RelayConfig {
            device: "siren".into(),
            point: "on".into(),
            lasts: Period(Duration::from_secs(30)),
        };
        let stub = Arc::new(Stub::default());
        let relay: Arc<dyn Relay> = stub.clone();
        let mut message = message();

        assert_eq!(send(&siren, Some(&relay), &message).await, Outcome::Sent);
        message.letter.is_over = true;
        assert_eq!(send(&siren, Some(&relay), &message).await, Outcome::Sent);

        let expected = [("siren/on".to_owned(), true), ("siren/on".to_owned(), false)];
        assert_eq!(*stub.0.lock().unwrap(), expected);
        message.letter.is_over = false;
        assert!(matches!(send(&siren, None, &message).await, Outcome::Misconfigured { .. }));
    }
}
