//! The uplink against a broker that does its worst, on real sockets.

use std::collections::BTreeSet;
use std::sync::Mutex;

use gatehouse_core::community::quantity::{Language, Period};
use gatehouse_core::event::message::Record;
use gatehouse_core::pipeline::{Batch, Input};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::config::{Confirm, StoreConfig};

mod confirming;

/// What the broker has seen over all connections.
#[derive(Debug, Default)]
struct Seen {
    received: Vec<u64>,
    /// Sequences whose acknowledgement was about to be written.
    confirmed: BTreeSet<u64>,
    statuses: Vec<String>,
    gaps: Vec<serde_json::Value>,
    connections: u64,
}

/// How bad the broker is.
#[derive(Debug, Clone, Copy)]
struct Manners {
    /// Of 100 packets, how many end the connection.
    dies: u64,
    /// Acknowledges in disorder, late, and now and then not at all.
    is_sloppy: bool,
}

const GOOD: Manners = Manners { dies: 0, is_sloppy: false };
const BAD: Manners = Manners { dies: 8, is_sloppy: true };

#[tokio::test]
async fn nothing_is_lost_or_wrongly_confirmed_with_a_broker_that_dies_at_random() {
    for seed in 1..=8 {
        let bench = Bench::start(seed, BAD, 100_000).await;

        bench.put(1..=120).await;
        bench.until(|bench| bench.store.depth() == 0).await;

        {
            let seen = bench.seen.lock().unwrap();
            let missing: Vec<u64> = (1..=120).filter(|s| !seen.confirmed.contains(s)).collect();
            assert_eq!(missing, [0; 0], "seed {seed}");
            assert!(seen.connections > 1, "seed {seed} never killed a connection");
        }
        bench.stop().await;
    }
}

#[tokio::test]
async fn the_most_urgent_record_goes_first() {
    let bench = Bench::prepare(1, GOOD, 100_000).await;
    bench.put_levels(&[4, 3, 1, 4, 2, 1]).await;

    let bench = bench.go();
    bench.until(|bench| bench.store.depth() == 0).await;

    assert_eq!(bench.seen.lock().unwrap().received, [3, 6, 5, 2, 1, 4]);
    bench.stop().await;
}

#[tokio::test]
async fn the_status_says_online_and_at_the_end_offline() {
    let bench = Bench::start(1, GOOD, 100_000).await;
    bench.put(1..=3).await;
    bench.until(|bench| bench.store.depth() == 0).await;
    let seen = Arc::clone(&bench.seen);

    bench.stop().await;

    let seen = seen.lock().unwrap();
    let states: Vec<&str> = seen
        .statuses
        .iter()
        .map(|s| if s.contains(r#""state":"online""#) { "online" } else { "offline" })
        .collect();
    assert_eq!(states, ["online", "offline"]);
    let last: serde_json::Value = serde_json::from_str(&seen.statuses[1]).unwrap();
    assert_eq!(last["outbox"], 0);
    assert_eq!(last["counts"]["frames"], 7);
}

#[tokio::test]
async fn what_waits_at_the_end_is_still_sent() {
    let bench = Bench::prepare(1, GOOD, 100_000).await;
    bench.put(1..=100).await;
    let bench = bench.go();
    let seen = Arc::clone(&bench.seen);

    bench.stop().await;

    assert_eq!(seen.lock().unwrap().confirmed.len(), 100);
}

#[tokio::test]
async fn a_gap_is_told_once() {
    let bench = Bench::prepare(1, GOOD, 5).await;
    bench.put(1..=8).await;

    let bench = bench.go();
    bench.until(|bench| bench.store.depth() == 0 && !bench.store.has_gap()).await;

    {
        let seen = bench.seen.lock().unwrap();
        assert_eq!(seen.gaps.len(), 1);
        assert_eq!(seen.gaps[0]["data"]["ranges"], json!([[2, 3], [7, 7]]));
        assert_eq!(seen.gaps[0]["source"], "/townships/t/gateways/g");
        assert_eq!(seen.received, [4, 8, 1, 5, 6]);
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_record_that_is_too_long_is_given_up_on_record() {
    let bench = Bench::prepare(1, GOOD, 100).await;
    let mut long = record(1, 1);
    long.json.extend(std::iter::repeat_n(b' ', MAX_RECORD));
    bench.send(vec![long, record(2, 4)]).await;

    let bench = bench.go();
    bench.until(|bench| bench.store.depth() == 0 && !bench.store.has_gap()).await;

    {
        let seen = bench.seen.lock().unwrap();
        assert_eq!(seen.received, [2]);
        assert_eq!(seen.gaps[0]["data"]["why"], json!(["too-large"]));
    }
    bench.stop().await;
}

/// A store, a broker and an uplink between them.
struct Bench {
    store: Store,
    sender: crate::store::BatchSender,
    writer: std::thread::JoinHandle<()>,
    reports: tokio::sync::Mutex<mpsc::Receiver<Input>>,
    _inputs: mpsc::Sender<Input>,
    seen: Arc<Mutex<Seen>>,
    port: u16,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
    confirm: Confirm,
    confirmations: Option<Confirmations>,
    broker: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn start(seed: u64, manners: Manners, max_waiting: usize) -> Self {
        Self::prepare(seed, manners, max_waiting).await.go()
    }

    async fn prepare(seed: u64, manners: Manners, max_waiting: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().into();
        let config =
            StoreConfig { path, max_waiting, max_journal: 100_000, ..StoreConfig::default() };
        let (store, _) = Store::open(&config).unwrap();
        let (inputs, reports) = mpsc::channel(64);
        let (sender, writer) = store.spawn_writer(inputs.downgrade()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let notes = Arc::new(Mutex::new(Seen::default()));
        let broker = tokio::spawn(serve(listener, Chance(seed), manners, Arc::clone(&notes)));
        Self {
            store,
            sender,
            writer,
            reports: reports.into(),
            _inputs: inputs,
            seen: notes,
            port,
            stop: CancellationToken::new(),
            task: None,
            confirm: Confirm::Broker,
            confirmations: None,
            broker,
            _folder: folder,
        }
    }

    fn go(mut self) -> Self {
        let config = UplinkConfig {
            retry_min: Period(Duration::from_millis(1)),
            retry_max: Period(Duration::from_millis(4)),
            confirm: self.confirm,
            resend_after: Period(Duration::from_millis(300)),
            ..UplinkConfig::to(format!("mqtt://127.0.0.1:{}", self.port))
        };
        let identity =
            Identity { id: "g".into(), township: "t".into(), language: Language::default() };
        let figures: Figures = Arc::new(|| json!({ "frames": 7 }));
        let clock = Clock::new(1.0);
        let (store, stop) = (self.store.clone(), self.stop.clone());
        let (task, _, confirmations) =
            start(&config, &identity, store, clock, figures, stop).unwrap();
        (self.task, self.confirmations) = (Some(task), Some(confirmations));
        self
    }

    async fn put(&self, sequences: std::ops::RangeInclusive<u64>) {
        let records = sequences.map(|s| record(s, u8::try_from(s % 4).unwrap() + 1));
        self.send(records.collect()).await;
    }

    async fn put_levels(&self, levels: &[u8]) {
        self.send((1..).zip(levels).map(|(s, level)| record(s, *level)).collect()).await;
    }

    async fn send(&self, records: Vec<Record>) {
        self.sender.send(Batch { number: 1, records, ..Batch::default() });
        assert!(matches!(self.reports.lock().await.recv().await, Some(Input::Stored { .. })));
    }

    /// Waits, and checks meanwhile that nothing left the store without the broker's word.
    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        // An emulator takes its time.
        let patience = Instant::now() + Duration::from_mins(5);
        while !is_so(self) {
            assert!(Instant::now() < patience, "{:?}", self.seen.lock().unwrap());
            // Not by an interval: where looking takes longer than that, it would leave nobody else a turn.
            tokio::time::sleep(Duration::from_millis(2)).await;
            let Some(span) = self.store.span() else { continue };
            let waiting = self.store.waiting(usize::MAX, |_| false).unwrap();
            let waiting: BTreeSet<u64> = waiting.iter().map(|w| w.sequence).collect();
            let gaps = self.store.has_gap() || !self.seen.lock().unwrap().gaps.is_empty();
            let seen = self.seen.lock().unwrap();
            for sequence in span.filter(|s| !gaps && !waiting.contains(s)) {
                assert!(seen.confirmed.contains(&sequence), "{sequence} was not confirmed");
            }
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.unwrap().await.unwrap();
        drop(self.sender);
        self.writer.join().unwrap();
        self.broker.abort();
    }
}

fn record(sequence: u64, level: u8) -> Record {
    let json = json!({ "sequence": sequence }).to_string().into_bytes();
    Record { sequence, level, event: format!("event {sequence}"), json }
}

/// A small broker: MQTT 3.1.1 as far as a publisher needs it, one connection at a time, and never a
/// session that is still there.
async fn serve(
    listener: TcpListener,
    mut chance: Chance,
    manners: Manners,
    seen: Arc<Mutex<Seen>>,
) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        seen.lock().unwrap().connections += 1;
        let _died = serve_one(stream, &mut chance, manners, &seen).await;
    }
}

async fn serve_one(
    mut stream: TcpStream,
    chance: &mut Chance,
    manners: Manners,
    seen: &Mutex<Seen>,
) -> std::io::Result<()> {
    let mut owed: Vec<(u16, Option<u64>)> = Vec::new();
    loop {
        // An acknowledgement that is owed does not wait for the client to say something.
        let late = Duration::from_millis(if owed.is_empty() { 60_000 } else { 5 });
        if tokio::time::timeout(late, stream.peek(&mut [0])).await.is_ok() {
            let (kind, body) = read_packet(&mut stream).await?;
            if chance.below(100) < manners.dies {
                return Ok(());
            }
            match kind >> 4 {
                1 => stream.write_all(&[0x20, 2, 0, 0]).await?,
                3 => owed.push(note(seen, &body)),
                12 => stream.write_all(&[0xd0, 0]).await?,
                14 => return Ok(()),
                other => panic!("packet {other}"),
            }
        }
        while !owed.is_empty() && (!manners.is_sloppy || chance.below(10) < 6) {
            let at = if manners.is_sloppy { chance.below(owed.len() as u64) } else { 0 };
            let (packet, sequence) = owed.remove(usize::try_from(at).unwrap());
            seen.lock().unwrap().confirmed.extend(sequence);
            let [high, low] = packet.to_be_bytes();
            stream.write_all(&[0x40, 2, high, low]).await?;
        }
    }
}

/// Notes a publish; returns its packet id, and its sequence when it is a record.
fn note(seen: &Mutex<Seen>, body: &[u8]) -> (u16, Option<u64>) {
    let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let topic = std::str::from_utf8(&body[2..2 + length]).unwrap();
    let packet = u16::from_be_bytes([body[2 + length], body[3 + length]]);
    let payload = &body[4 + length..];
    let mut seen = seen.lock().unwrap();
    if topic == "gatehouse/v1/t/g/status" {
        seen.statuses.push(String::from_utf8(payload.to_vec()).unwrap());
        return (packet, None);
    }
    assert_eq!(topic, "gatehouse/v1/t/g/events");
    let message: serde_json::Value = serde_json::from_slice(payload).unwrap();
    if message["type"] == "gatehouse.gap" {
        seen.gaps.push(message);
        return (packet, None);
    }
    let sequence = message["sequence"].as_u64();
    seen.received.extend(sequence);
    (packet, sequence)
}

async fn read_packet(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await?;
    let (mut length, mut shift) = (0usize, 0);
    loop {
        let byte = stream.read_u8().await?;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((kind, body))
}

/// Chance that comes out the same for the same seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
