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
/// No pause is longer, whatever the cloud asks for.
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
        let doubled = RETRY_MIN.saturating_mul(1 << self.failures.min(16));
        let pause = doubled.max(after.unwrap_or_default()).min(RETRY_MAX);
        if self.failures == 0 {
            tracing::warn!(cloud = self.number, why, ?pause, "does not take the free bays");
        }
        self.failures += 1;
        pause
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::Mutex;

    use gatehouse_core::community::device_type::DeviceType;
    use serde_json::Value;
    use tokio::sync::mpsc;
    use tokio::time::Instant;

    use super::*;
    use crate::console::sample;

    const WELL: &str = "200 OK";

    /// A gateway with a bay in each of four lots, and the cloud that it tells. Its clock is stopped: it
    /// goes on when everybody waits for it, and for no post that is on its way.
    struct Site {
        view: watch::Sender<Arc<View>>,
        community: watch::Sender<Arc<Community>>,
        /// The status line's end and what headers there are.
        answer: Arc<Mutex<&'static str>>,
        posts: mpsc::UnboundedReceiver<Value>,
        begun: Instant,
        _tasks: JoinSet<()>,
        _folder: tempfile::TempDir,
    }

    impl Site {
        fn start(answer: &'static str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let secret_file = folder.path().join("secret");
            std::fs::write(&secret_file, "SEC0ffee").unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/bays", listener.local_addr().unwrap());
            let answer = Arc::new(Mutex::new(answer));
            let (sender, posts) = mpsc::unbounded_channel();
            let answers = Arc::clone(&answer);
            std::thread::spawn(move || serve(&listener, &answers, &sender));
            let mut config: GatewayConfig =
                toml::from_str("[gateway]\nid = \"gw\"\ntownship = \"town\"").unwrap();
            config.bays_webhooks = vec![WebhookConfig { url, secret_file, ca_file: None }];
            let (view, seen) = watch::channel(Arc::new(sample::quiet()));
            let (community, held) = watch::channel(Arc::new(with_bays()));
            let stop = CancellationToken::new();
            let tasks = start(&config, &seen, &held, &Clock::new(1.0), &stop);
            let begun = Instant::now();
            Self { view, community, answer, posts, begun, _tasks: tasks, _folder: folder }
        }

        /// The next post, and when it came: seconds after the start.
        async fn next(&mut self) -> (u64, Value) {
            let body = self.posts.recv().await.unwrap();
            (self.begun.elapsed().as_secs(), body)
        }

        fn park(&self, lot: &str, cars: f64) {
            self.view.send_modify(|view| {
                let view = Arc::make_mut(view);
                let bay = view.devices.iter_mut().find(|d| d.id == format!("{lot}-lane")).unwrap();
                bay.points[0].0 = Some(cars);
            });
        }
    }

    /// Answers as it is told, until nobody listens.
    fn serve(
        listener: &TcpListener,
        answer: &Mutex<&'static str>,
        posts: &mpsc::UnboundedSender<Value>,
    ) {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while stream.read_line(&mut line).unwrap() > 2 {
                let header = line.to_ascii_lowercase();
                if let Some(value) = header.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            // Before the test hears of the post: what it changes then is for the next one.
            let answer = *answer.lock().unwrap();
            if posts.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
            let answer =
                format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    }

    fn with_bays() -> Community {
        let mut community = sample::community();
        for device in &mut community.devices {
            if device.device_type.head.id == "lane" {
                let kind: &mut DeviceType = Arc::make_mut(&mut device.device_type);
                kind.head.id = "parking-lane".into();
            }
        }
        community
    }

    /// Id, free bays and all bays.
    fn told(body: &Value) -> Vec<(&str, u64, u64)> {
        let number = |lot: &Value, name: &str| lot[name].as_u64().unwrap();
        let lots = body["lots"].as_array().unwrap().iter();
        lots.map(|l| (l["lot"].as_str().unwrap(), number(l, "free"), number(l, "total"))).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_one_post_a_second_and_a_lot_that_is_gone_has_no_bays() {
        let mut site = Site::start(WELL);
        let (at, first) = site.next().await;
        assert_eq!((at, first["all"].as_bool(), told(&first).len()), (0, Some(true), 4));

        site.park("east", 1.0);
        site.park("west", 1.0);
        let (at, second) = site.next().await;
        assert_eq!((at, second["all"].as_bool()), (1, Some(false)));
        assert_eq!(told(&second), [("east", 0, 1), ("west", 0, 1)], "together, and no others");
        site.park("west", 0.0);
        let (at, third) = site.next().await;
        assert_eq!((at, told(&third)), (2, vec![("west", 1, 1)]));

        site.community.send_replace(Arc::new(sample::community()));
        site.view.send_modify(|_| ());
        let (_, gone) = site.next().await;
        assert_eq!(told(&gone), ["east", "north", "south", "west"].map(|lot| (lot, 0, 0)));
        site.community.send_replace(Arc::new(with_bays()));
        site.park("east", 0.0);
        assert_eq!(told(&site.next().await.1).len(), 4, "and is news when it is back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cloud_that_is_away_is_asked_less_and_less_but_every_five_minutes_at_least() {
        let mut site = Site::start("503 Away");
        let mut asked = Vec::new();
        for _ in 0..10 {
            let (at, body) = site.next().await;
            assert_eq!(body["all"], true, "it has taken nothing yet");
            asked.push(at);
        }
        assert_eq!(asked, [0, 2, 6, 14, 30, 62, 126, 254, 510, 810]);

        *site.answer.lock().unwrap() = WELL;
        assert_eq!(site.next().await.0, 1_110);
        *site.answer.lock().unwrap() = "429 Enough\r\nRetry-After: 86400";
        site.park("east", 1.0);
        assert_eq!(site.next().await.0, 1_111);
        assert_eq!(site.next().await.0, 1_411, "not in a day");
        *site.answer.lock().unwrap() = "503 Away";
        assert_eq!(site.next().await.0, 1_711);
        assert_eq!(site.next().await.0, 1_719, "2, 4 and 8 s since it last took something");
    }
}
