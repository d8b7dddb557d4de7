//! `[[bays-webhook]]`: which lots have other free bays than a parking cloud knows.
//!
//! One task for each cloud compares the engine's snapshot with what that cloud has taken, and posts the lots
//! that differ, signed as [`crate::alert::webhook`] says. The newest state wins: what changed again while the
//! cloud was away is told once, and there is never more to remember than the lots. What was taken is known
//! in memory alone, so that after a restart all lots are told anew (`"all": true`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::alert::Outcome;
use gatehouse_core::community::Community;
use gatehouse_core::view::View;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Lot, lots};
use crate::alert::config::WebhookConfig;
use crate::alert::webhook::post;
use crate::clock::Clock;
use crate::config::GatewayConfig;

/// Between two posts to one cloud: what changes in between goes together.
const BETWEEN: Duration = Duration::from_secs(1);
/// The first pause after a failure; each further one doubles.
const RETRY_MIN: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_mins(5);

/// Begins to tell all clouds; ends at `stop`, or when the engine does.
pub(crate) fn start(
    config: &GatewayConfig,
    view: &watch::Receiver<Arc<View>>,
    community: &watch::Receiver<Arc<Community>>,
    clock: &Clock,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for (number, hook) in config.bays_webhooks.iter().enumerate() {
        let cloud = Cloud {
            hook: hook.clone(),
            number,
            gateway: config.gateway.id.clone(),
            view: view.clone(),
            community: community.clone(),
            clock: clock.clone(),
            taken: BTreeMap::new(),
            is_new: true,
            failures: 0,
        };
        let stop = stop.clone();
        tasks.spawn(async move {
            stop.run_until_cancelled(cloud.run()).await;
        });
    }
    tasks
}

struct Cloud {
    hook: WebhookConfig,
    /// Its place in the configuration, for the log: the address may hold a key.
    number: usize,
    gateway: String,
    view: watch::Receiver<Arc<View>>,
    community: watch::Receiver<Arc<Community>>,
    clock: Clock,
    /// What it has, by lot.
    taken: BTreeMap<String, Lot>,
    /// It has taken nothing since the start.
    is_new: bool,
    failures: u32,
}

impl Cloud {
    async fn run(mut self) {
        loop {
            let (changed, gone) = self.changed();
            if changed.is_empty() && gone.is_empty() {
                if self.view.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let pause = self.tell(changed, gone).await;
            sleep(pause).await;
        }
    }

    /// The lots that are not as the cloud knows them, and those that are gone, which have no bays.
    fn changed(&mut self) -> (Vec<Lot>, Vec<Lot>) {
        let now = lots(&self.community.borrow(), &self.view.borrow_and_update());
        let gone = self.taken.values().filter(|lot| !now.iter().any(|new| new.area == lot.area));
        let gone = gone.map(|lot| Lot { free: 0, known: 0, total: 0, ..lot.clone() }).collect();
        (now.into_iter().filter(|lot| self.taken.get(&lot.area) != Some(lot)).collect(), gone)
    }

    /// Posts them once; how long to wait before the next time.
    async fn tell(&mut self, changed: Vec<Lot>, gone: Vec<Lot>) -> Duration {
        let now = self.clock.now();
        let id = format!("{}-bays-{}", self.gateway, now.0);
        let body = json!({
            "type": "gatehouse.bays.changed",
            "id": id,
            "gateway": self.gateway,
            "community": self.community.borrow().id,
            "at": now.rfc3339(),
            "all": self.is_new,
            "lots": changed.iter().chain(&gone).collect::<Vec<_>>(),
        });
        let (why, after) = match post(&self.hook, &id, body.to_string(), now).await {
            Outcome::Sent => {
                if self.failures > 0 {
                    tracing::info!(cloud = self.number, "takes the free bays again");
                }
                self.taken.extend(changed.into_iter().map(|lot| (lot.area.clone(), lot)));
                self.taken.retain(|id, _| gone.iter().all(|lot| lot.area != *id));
                (self.is_new, self.failures) = (false, 0);
                return BETWEEN;
            }
            Outcome::Later { why, after } => (why, after),
            Outcome::Misconfigured { why } | Outcome::Unfit { why } => (why, None),
        };
        let doubled = RETRY_MIN.saturating_mul(1 << self.failures.min(16)).min(RETRY_MAX);
        let pause = doubled.max(after.unwrap_or_default());
        if self.failures == 0 {
            tracing::warn!(cloud = self.number, why, ?pause, "does not take the free bays");
        }
        self.failures += 1;
        pause
    }
}
