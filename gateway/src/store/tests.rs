//! The store on real files, against a model of what it promises.

use std::collections::BTreeMap;
use std::path::Path;

use gatehouse_core::event::message::Record;
use gatehouse_core::pipeline::Batch;
use proptest::prelude::*;
use tokio::sync::mpsc;

use super::*;

mod events;
mod mail;
mod trouble;

const MAX_WAITING: usize = 6;
const MAX_JOURNAL: usize = 15;

/// A store with its writer and the channel that it reports to.
struct Bench {
    store: Store,
    sender: Option<BatchSender>,
    thread: Option<JoinHandle<()>>,
    _inputs: mpsc::Sender<Input>,
    reports: mpsc::Receiver<Input>,
    restored: Restored,
    batch: u64,
}

impl Bench {
    fn open(path: &Path) -> Self {
        Self::try_open(path).unwrap()
    }

    fn try_open(path: &Path) -> Result<Self, StoreError> {
        let config = StoreConfig {
            path: path.to_owned(),
            max_waiting: MAX_WAITING,
            max_journal: MAX_JOURNAL,
            ..StoreConfig::default()
        };
        let (store, restored) = Store::open(&config)?;
        let (inputs, reports) = mpsc::channel(64);
        let (sender, thread) = store.spawn_writer(inputs.downgrade()).unwrap();
        Ok(Self {
            store,
            sender: Some(sender),
            thread: Some(thread),
            _inputs: inputs,
            reports,
            restored,
            batch: 0,
        })
    }

    /// Sends without waiting.
    fn send(&mut self, records: Vec<Record>, states: Vec<(String, Option<Vec<u8>>)>) {
        self.batch += 1;
        let batch = Batch { number: self.batch, records, states, ..Batch::default() };
        self.sender.as_ref().unwrap().send(batch);
    }

    /// Waits until everything sent is stored.
    fn settle(&mut self) {
        let mut through = 0;
        while through < self.batch {
            match self.reports.blocking_recv().unwrap() {
                Input::Stored { through: t } => through = t,
                other => panic!("{other:?}"),
            }
        }
    }

    fn put(&mut self, records: Vec<Record>) {
        self.send(records, Vec::new());
        self.settle();
        self.batch = 0;
    }

    fn order(&self) -> Vec<(u64, u8)> {
        let all = self.store.waiting(1_000, |_| false).unwrap();
        all.into_iter().map(|w| (w.sequence, w.level)).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        drop(self.sender.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn record(sequence: u64, level: u8, event: &str) -> Record {
    let time = format!("2026-01-01T00:00:{:02}.000Z", sequence % 60);
    let json = serde_json::json!({
        "type": "gatehouse.event.opened", "time": time, "sequence": sequence.to_string(),
    });
    Record { sequence, level, event: event.into(), json: json.to_string().into_bytes() }
}

#[test]
fn a_record_waits_until_it_is_confirmed_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut bench = Bench::open(folder.path());
        assert_eq!(
            bench.restored,
            Restored { sequence: 0, boot: 1, states: Vec::new(), damage: None }
        );
        bench.put(vec![record(1, 4, "a"), record(2, 2, "b")]);
        assert_eq!(bench.order(), [(2, 2), (1, 4)]);
    }
    {
        let bench = Bench::open(folder.path());
        assert_eq!(
            bench.restored,
            Restored { sequence: 2, boot: 2, states: Vec::new(), damage: None }
        );
        assert_eq!(bench.order(), [(2, 2), (1, 4)]);
        assert_eq!(bench.store.waiting(5, |s| s == 2).unwrap()[0].json, record(1, 4, "a").json);
        bench.store.done(&[2]);
        assert_eq!(bench.store.depth(), 1);
    }

    let bench = Bench::open(folder.path());

    assert_eq!(bench.order(), [(1, 4)]);
    assert_eq!(bench.store.find("b").unwrap()[0].json, record(2, 2, "b").json);
}

#[test]
fn a_confirmation_that_comes_after_the_writer_has_ended_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(folder.path());
    bench.put(vec![record(1, 4, "a"), record(2, 4, "b")]);
    let store = bench.store.clone();
    drop(bench);

    store.done(&[1]);
    drop(store);

    assert_eq!(Bench::open(folder.path()).order(), [(2, 4)]);
}

#[test]
fn a_raised_event_keeps_its_records_together_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut bench = Bench::open(folder.path());
        bench.put(vec![record(1, 4, "pump"), record(2, 3, "bin")]);
        bench.put(vec![record(3, 1, "pump")]);
        assert_eq!(bench.order(), [(1, 1), (3, 1), (2, 3)]);
    }

    assert_eq!(Bench::open(folder.path()).order(), [(1, 1), (3, 1), (2, 3)]);
}

#[test]
fn what_is_given_up_is_told_until_it_is_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut bench = Bench::open(folder.path());
        assert_eq!(bench.store.gap(), None);
        let all = (1..=8).map(|s| record(s, if s == 1 { 1 } else { 4 }, &format!("e{s}")));
        bench.put(all.collect());
        assert_eq!(bench.order(), [(1, 1), (4, 4), (5, 4), (6, 4), (7, 4), (8, 4)]);
        let gap = bench.store.gap().unwrap();
        assert_eq!(gap.ranges, [(2, 3)]);
        assert_eq!(gap.missing[0].count, 2);
        assert_eq!(gap.first, "2026-01-01T00:00:02.000Z");
    }
    {
        let mut bench = Bench::open(folder.path());
        assert_eq!(bench.store.gap().unwrap().ranges, [(2, 3)]);
        bench.put(vec![record(9, 4, "e9")]);
        assert_eq!(bench.store.gap().unwrap().ranges, [(2, 3)], "what is out stays as it is");
        bench.store.gap_done();
        assert_eq!(bench.store.gap().unwrap().ranges, [(4, 4)]);
        bench.store.gap_done();
    }

    assert_eq!(Bench::open(folder.path()).store.gap(), None);
}

#[test]
fn a_second_gateway_is_told_that_one_is_running() {
    let folder = tempfile::tempdir().unwrap();
    let _bench = Bench::open(folder.path());

    let Err(error) = Store::open_to_read(folder.path()) else { panic!("opened twice") };

    assert!(matches!(error, StoreError::InUse(_)), "{error}");
    assert!(error.to_string().contains("a gateway is running on it"), "{error}");
}

#[test]
fn looking_at_a_store_counts_no_start_and_creates_none() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = Store::open_to_read(&folder.path().join("nowhere"));
    assert!(matches!(nothing, Err(StoreError::Nothing(_))));
    assert!(!folder.path().join("nowhere").exists());
    Bench::open(folder.path()).put(vec![record(1, 1, "a")]);

    let store = Store::open_to_read(folder.path()).unwrap();
    assert_eq!(store.journal(0..=u64::MAX).count(), 1);
    drop(store);

    assert_eq!(Bench::open(folder.path()).restored.boot, 2);
}

#[test]
fn the_journal_is_bounded_and_its_chain_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(folder.path());
    for s in 1..=40 {
        bench.put(vec![record(s, 3, "e")]);
        bench.store.done(&[s]);
    }

    assert_eq!(bench.store.span(), Some(26..=40));
    assert_eq!(bench.store.journal(30..=32).map(|e| e.unwrap().sequence).sum::<u64>(), 93);
    assert_eq!(bench.store.find("e").unwrap().len(), 15);
    let whole = Verdict::Whole { entries: 15, first: 26, last: 40, holes: Vec::new() };
    assert_eq!(bench.store.verify().unwrap(), whole);
}

#[test]
fn a_changed_entry_is_named_by_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(folder.path());
    bench.put((1..=9).map(|s| record(s, 3, "e")).collect());
    let db = bench.store.0.db().unwrap();
    let key = layout::journal_key(5);
    let mut value = db.get(key).unwrap().unwrap().to_vec();
    *value.last_mut().unwrap() ^= 1;
    db.insert(key, value).unwrap();

    assert_eq!(bench.store.verify().unwrap(), Verdict::Broken { sequence: 5 });
}

#[test]
fn a_torn_end_is_noticed_and_no_sequence_is_given_out_twice() {
    let folder = tempfile::tempdir().unwrap();
    let before = tempfile::tempdir().unwrap();
    Bench::open(folder.path()).put((1..=3).map(|s| record(s, 3, "e")).collect());
    copy_folder(&folder.path().join("store-1"), before.path());
    Bench::open(folder.path()).put((4..=5).map(|s| record(s, 3, "e")).collect());
    std::fs::remove_dir_all(folder.path().join("store-1")).unwrap();
    copy_folder(before.path(), &folder.path().join("store-1"));

    let bench = Bench::open(folder.path());

    assert_eq!(bench.store.damage(), Some(&Damage::CutShort { from: 4, to: 5 }));
    assert_eq!(bench.restored.damage.as_ref(), bench.store.damage(), "the pipeline tells it");
    assert_eq!(bench.restored.sequence, 5);
    assert_eq!(bench.restored.boot, 3);
    assert_eq!(bench.store.gap().unwrap().ranges, [(4, 5)]);
}

#[test]
fn a_damaged_store_opens_or_is_set_aside_and_never_stops_the_gateway() {
    let source = tempfile::tempdir().unwrap();
    {
        let mut bench = Bench::open(source.path());
        for s in 1..=30 {
            let states = vec![(format!("window/{}", s % 7), Some(vec![0; 3_000]))];
            bench.send(vec![record(s, 3, "e")], states);
        }
        bench.settle();
    }
    drop(Bench::open(source.path()));
    let database = source.path().join("store-1");
    let mut set_aside = 0;
    for file in std::fs::read_dir(&database).unwrap() {
        let name = file.unwrap().file_name();
        if database.join(&name).is_dir() {
            continue;
        }
        let whole = std::fs::read(database.join(&name)).unwrap();
        let used = whole.iter().rposition(|b| *b != 0).unwrap_or(0) + 1;
        let cuts = [0, 1, used / 3, used / 2, used - 1].map(|at| whole[..at].to_vec());
        let flips = (0..12).map(|i| {
            let mut bytes = whole.clone();
            bytes[used * i / 12] ^= 0x41;
            bytes
        });
        for (case, bytes) in cuts.into_iter().chain(flips).enumerate() {
            let folder = tempfile::tempdir().unwrap();
            copy_folder(source.path(), folder.path());
            std::fs::write(folder.path().join("store-1").join(&name), bytes).unwrap();

            let mut bench = Bench::open(folder.path());

            let why = format!("{name:?}, case {case}: {:?}", bench.store.damage());
            set_aside += usize::from(why.contains("SetAside"));
            assert!(bench.restored.sequence >= 30, "{why}");
            assert!(bench.restored.boot >= 3, "{why}");
            let next = bench.restored.sequence + 1;
            bench.put(vec![record(next, 1, "after")]);
            assert_eq!(bench.order()[0], (next, 1), "{why}");
            drop(bench);
            let bench = Bench::open(folder.path());
            assert!(bench.restored.sequence >= next, "{why}");
            // sled may notice a damaged segment only when it has been written to once more.
            let is_kept = bench.store.find("after").unwrap().len() == 1;
            assert!(is_kept || bench.store.damage().is_some(), "{why}");
        }
    }
    assert!(set_aside > 0, "not all of these can have been readable");
}

#[test]
fn large_values_are_kept_too() {
    let folder = tempfile::tempdir().unwrap();
    let large = vec![7; 700_000];
    {
        let mut bench = Bench::open(folder.path());
        bench.send(vec![record(1, 1, "a")], vec![("large".into(), Some(large.clone()))]);
        bench.settle();
    }

    assert_eq!(Bench::open(folder.path()).restored.states, [("large".to_owned(), large)]);
}

#[test]
fn batches_that_the_disk_does_not_take_gather_within_bounds() {
    let queue = Arc::new(Queue::default());
    let sender = BatchSender(Arc::clone(&queue));

    for number in 1..=12_000 {
        let level = if number < 6_000 { 2 } else { 4 };
        let states = vec![("key".to_owned(), Some(number.to_string().into_bytes()))];
        let records = vec![record(number, level, "e")];
        sender.send(Batch { number, records, states, ..Batch::default() });
    }
    drop(sender);

    let text = format!("{queue:?}");
    assert_eq!(text.matches("Record {").count(), 10_000);
    assert!(text.contains("ranges: [(6000, 7999)]"), "the oldest of the lowest level went");
    assert!(text.contains("DiskFailed"));
}

/// What a test may do to a store.
#[derive(Debug, Clone)]
enum Step {
    Put(Vec<(u8, u8)>),
    State(u8, Option<u8>),
    Done(usize),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec((1u8..=4, 0u8..4), 1..4).prop_map(Step::Put),
        1 => (0u8..3, prop::option::of(any::<u8>())).prop_map(|(k, v)| Step::State(k, v)),
        3 => (0usize..8).prop_map(Step::Done),
        1 => Just(Step::Reopen),
    ]
}

/// What the store promises, in the plainest form.
#[derive(Debug, Default)]
struct Model {
    last: u64,
    waiting: Vec<(u8, u64, String)>,
    lost: Vec<u64>,
    states: BTreeMap<String, Vec<u8>>,
}

impl Model {
    fn put(&mut self, level: u8, event: String) {
        self.last += 1;
        for (l, _, _) in self.waiting.iter_mut().filter(|w| w.2 == event) {
            *l = level.min(*l);
        }
        self.waiting.push((level, self.last, event));
    }

    fn make_room(&mut self) {
        self.waiting.sort();
        while self.waiting.len() > MAX_WAITING {
            let lowest = self.waiting.last().unwrap().0;
            let at = self.waiting.iter().position(|w| w.0 == lowest).unwrap();
            self.lost.push(self.waiting.remove(at).1);
        }
        let oldest_kept = (self.last + 1).saturating_sub(MAX_JOURNAL as u64);
        let too_old = self.waiting.extract_if(.., |w| w.1 < oldest_kept);
        self.lost.extend(too_old.map(|w| w.1));
    }

    fn order(&self) -> Vec<(u64, u8)> {
        self.waiting.iter().map(|w| (w.1, w.0)).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_store_keeps_its_promises(steps in prop::collection::vec(step(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let mut model = Model::default();
        let mut bench = Bench::open(folder.path());
        let mut starts = 1;
        for step in steps {
            match step {
                Step::Put(records) => {
                    let mut batch = Vec::new();
                    for (level, event) in records {
                        model.put(level, format!("event {event}"));
                        batch.push(record(model.last, level, &format!("event {event}")));
                    }
                    model.make_room();
                    bench.put(batch);
                }
                Step::State(key, value) => {
                    let key = format!("state {key}");
                    let value = value.map(|v| vec![v]);
                    match &value {
                        Some(value) => model.states.insert(key.clone(), value.clone()),
                        None => model.states.remove(&key),
                    };
                    bench.send(Vec::new(), vec![(key, value)]);
                    bench.settle();
                    bench.batch = 0;
                }
                Step::Done(at) if at < model.waiting.len() => {
                    let (_, sequence, _) = model.waiting.remove(at);
                    bench.store.done(&[sequence]);
                }
                Step::Done(_) => {}
                Step::Reopen => {
                    drop(bench);
                    bench = Bench::open(folder.path());
                    starts += 1;
                    let states = model.states.clone().into_iter().collect();
                    let expected = Restored { sequence: model.last, boot: starts, states, damage: None };
                    prop_assert_eq!(&bench.restored, &expected);
                }
            }
            prop_assert_eq!(bench.order(), model.order());
            prop_assert_eq!(bench.store.depth(), model.waiting.len());
        }
        let mut lost: Vec<u64> = Vec::new();
        while let Some(gap) = bench.store.gap() {
            lost.extend(gap.ranges.iter().flat_map(|(from, to)| *from..=*to));
            bench.store.gap_done();
        }
        lost.sort_unstable();
        model.lost.sort_unstable();
        prop_assert_eq!(lost, model.lost);
        let is_whole = matches!(bench.store.verify().unwrap(), Verdict::Whole { .. });
        prop_assert!(is_whole);
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let target = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy_folder(&file.path(), &target);
        } else {
            std::fs::copy(file.path(), target).unwrap();
        }
    }
}

#[test]
fn a_disk_without_room_for_the_next_start_is_told_and_written_to_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing can be laid by where a folder stands.
    std::fs::create_dir(folder.path().join("reserve")).unwrap();
    let mut bench = Bench::open(folder.path());

    let told = bench.reports.blocking_recv();
    bench.put(vec![record(1, 1, "a")]);

    assert!(matches!(told, Some(Input::DiskFull { why: Some(_) })), "{told:?}");
    assert!(bench.store.fault().unwrap().contains("is full; make room"));
    assert_eq!(bench.order(), [(1, 1)]);
}

#[test]
fn a_full_disk_is_no_damage_however_it_is_told() {
    let full = || io::Error::from(io::ErrorKind::StorageFull);
    let errors = [
        StoreError::Database(sled::Error::Io(full())),
        StoreError::folder(Path::new("data"), full()),
        StoreError::Broken("called `unwrap()` on an `Err`: Io(No space left on device)".into()),
    ];

    for error in errors {
        assert!(error.is_full() && !error.is_damage(), "{error}");
    }
    assert!(StoreError::Unreadable.is_damage() && !StoreError::Unreadable.is_full());
}
