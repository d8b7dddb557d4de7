//! The uplink against mosquitto as the township's broker: client certificates, and a broker that is
//! killed while a backlog goes out.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gatehouse::clock::Clock;
use gatehouse::config::{Access, Identity, StoreConfig, UplinkConfig};
use gatehouse::store::{BatchSender, Store};
use gatehouse::uplink::{self, Standing};
use gatehouse_core::community::quantity::{Language, Period};
use gatehouse_core::event::message::Record;
use gatehouse_core::pipeline::{Batch, Input};
use rumqttc::{MqttOptions, TlsConfiguration, Transport};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::peers::PATIENCE;
use crate::peers::certificates::Authority;
use crate::peers::mosquitto::{Mosquitto, Subscriber, subscriber};

/// Nothing more is on its way after this.
const QUIET: Duration = Duration::from_secs(2);
const EVENTS: &str = "gatehouse/v1/town/gw/events";
const STATUS: &str = "gatehouse/v1/town/gw/status";

#[tokio::test]
async fn the_platform_takes_events_from_whom_it_knows_by_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let broker = mutual_tls(&authority);
    let (certificate, key) = authority.sign("gw", &["gw"]);
    let mut township = reader(&authority, &broker).await;
    let bench = Bench::new(folder.path());
    bench.put(1..=3).await;

    let access = Access {
        ca_file: Some(authority.file.clone()),
        cert_file: Some(certificate),
        key_file: Some(key),
        ..Access::default()
    };
    let uplink = bench.uplink(&format!("mqtts://localhost:{}", broker.port()), access);

    for sequence in [1, 2, 3] {
        assert_eq!(sequence_of(&township.next().await), sequence);
    }
    bench.is_empty().await;
    uplink.stop().await;
}

#[tokio::test]
async fn without_a_certificate_of_its_own_the_gateway_is_refused_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let stranger = Authority::new(folder.path(), "stranger");
    let broker = mutual_tls(&authority);
    let bench = Bench::new(folder.path());
    bench.put(1..=1).await;
    let believed = Access { ca_file: Some(authority.file.clone()), ..Access::default() };
    let (certificate, key) = stranger.sign("forged", &["gw"]);
    let forged = Access { cert_file: Some(certificate), key_file: Some(key), ..believed.clone() };

    for (access, expected) in [
        (believed, "it wants a certificate of ours: `cert-file` and `key-file`"),
        (forged, "it does not believe the authority of our `cert-file`"),
    ] {
        let mut uplink = bench.uplink(&format!("mqtts://localhost:{}", broker.port()), access);

        let standing = uplink.standing(|standing| standing.why.is_some()).await;

        assert!(standing.why.as_ref().unwrap().contains(expected), "{standing:?}");
        assert!(!standing.is_up);
        uplink.stop().await;
    }
    assert_eq!(bench.store.depth(), 1);
}

#[tokio::test]
async fn a_broker_that_stops_while_a_backlog_goes_out_gets_every_record() {
    assert_eq!(missing_when_the_broker_ends(Mosquitto::stop).await, BTreeSet::new());
}

/// mosquitto confirms a message before it saves it (its log says so: PUBACK, then "Saving", then
/// nothing), so that a kill between the two takes one message with it that is no longer ours.
#[tokio::test]
async fn a_broker_that_is_killed_while_a_backlog_goes_out_gets_every_record_but_what_it_confirmed_last()
 {
    let missing = missing_when_the_broker_ends(Mosquitto::kill).await;
    assert!(missing.len() <= ENDS.len(), "{missing:?}: more than one for each time");
}

/// The broker ends when so many records have arrived.
const ENDS: [usize; 3] = [50, 200, 400];

/// What never arrives of a backlog, once the broker has confirmed all of it.
async fn missing_when_the_broker_ends(end: impl Fn(&mut Mosquitto)) -> BTreeSet<u64> {
    const RECORDS: u64 = 600;
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Mosquitto::start(|port, folder| {
        format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n\
             persistence_location {}/\nautosave_interval 1\nautosave_on_changes true\n\
             max_queued_messages 100000\n",
            folder.display()
        )
    });
    let mut township = subscriber(broker.port(), EVENTS).await;
    let bench = Bench::new(folder.path());
    bench.put(1..=RECORDS).await;
    let mut uplink =
        bench.uplink(&format!("mqtt://127.0.0.1:{}", broker.port()), Access::default());

    let mut seen = BTreeSet::new();
    for at in ENDS {
        while seen.len() < at {
            seen.insert(sequence_of(&township.next().await));
        }
        end(&mut broker);
        uplink.standing(|standing| !standing.is_up).await;
        broker.restart();
        uplink.standing(|standing| standing.is_up).await;
    }
    bench.is_empty().await;
    seen.extend(township.until_quiet(QUIET).await.iter().map(|payload| sequence_of(payload)));
    uplink.stop().await;
    (1..=RECORDS).filter(|sequence| !seen.contains(sequence)).collect()
}

#[tokio::test]
async fn a_gateway_that_vanishes_is_reported_offline_by_its_last_will() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Mosquitto::plain();
    let mut township = subscriber(broker.port(), STATUS).await;
    let bench = Bench::new(folder.path());
    let uplink = bench.uplink(&format!("mqtt://127.0.0.1:{}", broker.port()), Access::default());
    let online: Value = serde_json::from_slice(&township.next().await).unwrap();
    assert_eq!(online["state"], "online");
    assert_eq!(online["counts"]["frames"], 7);

    uplink.vanish().await;

    let offline: Value = serde_json::from_slice(&township.next().await).unwrap();
    assert_eq!(offline["state"], "offline");
}

pub(crate) fn mutual_tls(authority: &Authority) -> Mosquitto {
    let (certificate, key) = authority.sign("platform", &["localhost"]);
    Mosquitto::start(|port, _| {
        format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n\
             cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n",
            authority.file.display(),
            certificate.display(),
            key.display()
        )
    })
}

/// The township's own client at a broker that wants certificates.
pub(crate) async fn reader(authority: &Authority, broker: &Mosquitto) -> Subscriber {
    let (certificate, key) = authority.sign("township", &["township"]);
    let read = |path: &Path| std::fs::read(path).unwrap();
    let tls = TlsConfiguration::Simple {
        ca: read(&authority.file),
        alpn: None,
        client_auth: Some((read(&certificate), read(&key))),
    };
    let mut options = MqttOptions::new("township", "localhost", broker.port());
    options.set_transport(Transport::Tls(tls));
    Subscriber::start(options, EVENTS).await
}

fn sequence_of(payload: &[u8]) -> u64 {
    serde_json::from_slice::<Value>(payload).unwrap()["sequence"].as_u64().unwrap()
}

/// A store, filled by hand.
struct Bench {
    store: Store,
    sender: BatchSender,
    reports: tokio::sync::Mutex<mpsc::Receiver<Input>>,
    _inputs: mpsc::Sender<Input>,
}

impl Bench {
    fn new(folder: &Path) -> Self {
        let config = StoreConfig { path: folder.join("data"), ..StoreConfig::default() };
        let (store, _) = Store::open(&config).unwrap();
        let (inputs, reports) = mpsc::channel(4);
        let (sender, _thread) = store.spawn_writer(inputs.downgrade()).unwrap();
        Self { store, sender, reports: reports.into(), _inputs: inputs }
    }

    async fn put(&self, sequences: std::ops::RangeInclusive<u64>) {
        let records = sequences.map(|sequence| Record {
            sequence,
            level: 3,
            event: format!("event {sequence}"),
            json: json!({ "sequence": sequence }).to_string().into_bytes(),
        });
        self.sender.send(Batch { number: 1, records: records.collect(), ..Batch::default() });
        let report = timeout(PATIENCE, self.reports.lock().await.recv()).await.unwrap();
        assert!(matches!(report, Some(Input::Stored { .. })), "{report:?}");
    }

    fn uplink(&self, url: &str, access: Access) -> Uplink {
        let config = UplinkConfig {
            access,
            retry_min: Period(Duration::from_millis(10)),
            retry_max: Period(Duration::from_millis(200)),
            ..UplinkConfig::to(url)
        };
        let identity =
            Identity { id: "gw".into(), township: "town".into(), language: Language::En };
        let stop = CancellationToken::new();
        let figures: uplink::Figures = Arc::new(|| json!({ "frames": 7 }));
        let (store, clock) = (self.store.clone(), Clock::new(1.0));
        let (task, standing, _) =
            uplink::start(&config, &identity, store, clock, figures, stop.clone()).unwrap();
        Uplink { task, standing, stop }
    }

    async fn is_empty(&self) {
        let is_empty = async {
            while self.store.depth() > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, is_empty).await.unwrap();
    }
}

struct Uplink {
    task: JoinHandle<()>,
    standing: watch::Receiver<Standing>,
    stop: CancellationToken,
}

impl Uplink {
    async fn standing(&mut self, is_so: impl FnMut(&Standing) -> bool) -> Standing {
        timeout(PATIENCE, self.standing.wait_for(is_so)).await.unwrap().unwrap().clone()
    }

    async fn stop(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }

    /// As in a power cut.
    async fn vanish(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}
