//! A journal asked through its socket, by those who read well and those who do not.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use gatehouse_core::event;
use gatehouse_core::event::action::{Actor, Deed, NotDone, Side};
use gatehouse_core::event::message::Record;
use gatehouse_core::pipeline::Batch;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::ask::{Journal, NoJournal};
use super::*;
use crate::config::StoreConfig;
use crate::sample;
use crate::store::Store;

#[tokio::test]
async fn a_running_gateway_tells_its_journal_as_the_store_itself_would() {
    let served = Served::with(300, 40).await;
    let folder = served.folder.path().to_owned();

    let told = spawn_blocking(move || {
        let journal = Journal::open(&folder).unwrap();
        assert!(matches!(journal, Journal::Gateway(_)));
        let lines: Vec<Line> = journal.lines().unwrap().map(Result::unwrap).collect();
        (lines, journal.event("e-1").unwrap(), journal.event("nobody").unwrap(), journal.verify())
    });
    let (lines, event, nothing, verdict) = told.await.unwrap();

    assert_eq!(lines.len(), 300);
    assert_eq!(lines[299], Line { sequence: 300, json: json(300, 40) });
    assert_eq!(
        event.iter().map(|l| l.sequence).collect::<Vec<_>>(),
        (1..=300).step_by(2).collect::<Vec<_>>()
    );
    assert_eq!(nothing, []);
    let whole = Verdict::Whole { entries: 300, first: 1, last: 300, holes: vec![] };
    assert_eq!(verdict.unwrap(), whole);
    served.end().await;
}

#[tokio::test]
async fn only_the_gateways_user_can_open_the_socket_and_it_goes_with_the_gateway() {
    let served = Served::with(1, 40).await;
    let socket = served.folder.path().join(SOCKET);
    let mode = std::fs::metadata(&socket).unwrap().mode();

    assert_eq!(mode & 0o777, 0o600);
    let folder = served.end().await;
    assert!(!socket.exists());
    assert!(matches!(Journal::open(folder.path()), Ok(Journal::Store(_))));
}

#[tokio::test]
async fn a_socket_that_was_left_behind_does_not_keep_the_next_gateway_from_listening() {
    let folder = tempfile::tempdir().unwrap();
    drop(std::os::unix::net::UnixListener::bind(folder.path().join(SOCKET)).unwrap());

    let served = Served::within(folder, 1, 40).await;

    let path = served.folder.path().to_owned();
    let count = spawn_blocking(move || Journal::open(&path).unwrap().lines().unwrap().count());
    assert_eq!(count.await.unwrap(), 1);
    served.end().await;
}

#[tokio::test]
async fn what_is_no_question_is_answered_so() {
    let served = Served::with(1, 40).await;

    for question in ["\n", "entries\n", "{\"remove\":1}\n", &format!("\"{}\n", "x".repeat(5_000))] {
        let (socket, question) = (served.folder.path().join(SOCKET), question.to_owned());
        let answer = spawn_blocking(move || {
            let mut stream = UnixStream::connect(socket).unwrap();
            // It may have heard enough before it has heard everything.
            stream.write_all(question.as_bytes()).ok();
            BufReader::new(stream).lines().next().unwrap().unwrap()
        });
        let answer = answer.await.unwrap();
        assert!(
            answer.starts_with("{\"failed\":\"this is no question about the journal"),
            "{answer}"
        );
    }
    served.end().await;
}

#[tokio::test]
async fn clients_that_stop_reading_or_never_ask_are_cut_off_and_hold_nobody() {
    // Far more than a socket buffers.
    let served = Served::with(128, 20_000).await;
    let path = served.folder.path().join(SOCKET);
    let mut idle: Vec<_> = (0..4).map(|_| UnixStream::connect(&path).unwrap()).collect();
    for stream in &mut idle[..2] {
        stream.write_all(b"{\"entries\":{\"from\":0}}\n").unwrap();
    }

    let folder = served.folder.path().to_owned();
    let verdict = spawn_blocking(move || Journal::open(&folder).unwrap().verify());
    let verdict = verdict.await.unwrap().unwrap();

    assert_eq!(verdict, Verdict::Whole { entries: 128, first: 1, last: 128, holes: vec![] });
    served.end().await;
}

#[test]
fn a_store_in_use_whose_owner_does_not_answer_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig { path: folder.path().into(), ..StoreConfig::default() };
    let _owner = Store::open(&config).unwrap();

    let error = Journal::open(folder.path()).err().unwrap();

    assert!(matches!(error, NoJournal::NoAnswer { .. }));
    let told = error.to_string();
    assert!(told.contains("does not answer at journal.sock: No such file"), "{told}");
    assert!(told.ends_with("ask as the gateway's user, or stop the gateway"), "{told}");
}

#[tokio::test]
async fn a_reader_that_pauses_for_longer_than_the_gateway_waits_still_reads_everything() {
    let served = Served::with(128, 20_000).await;
    let folder = served.folder.path().to_owned();

    let read = spawn_blocking(move || {
        let mut lines = Journal::open(&folder).unwrap().lines().unwrap();
        let first = lines.next().unwrap().unwrap();
        // By the time that one who came later is cut off, we have been.
        let mut later = UnixStream::connect(folder.join(SOCKET)).unwrap();
        later.write_all(b"{").unwrap();
        assert!(BufReader::new(later).lines().next().is_none());
        std::iter::once(first)
            .chain(lines.map(Result::unwrap))
            .map(|l| l.sequence)
            .collect::<Vec<_>>()
    });

    assert_eq!(read.await.unwrap(), (1..=128).collect::<Vec<_>>());
    served.end().await;
}

#[tokio::test]
async fn a_verdict_goes_to_the_engine_and_its_answer_comes_back() {
    let served = Served::with(1, 40).await;
    let folder = served.folder.path().to_owned();
    let of = |event: &str, by: &str| Opinion {
        event: event.into(),
        verdict: Some(event::verdict::Verdict::FalseAlarm),
        by: by.into(),
        note: "长".repeat(500),
    };
    let opinions = [of("e-1", " 李 "), of("e-9", "李"), of("e-1", " ")];

    let told = spawn_blocking(move || {
        let journal = Journal::open(&folder).unwrap();
        opinions.map(|opinion| journal.judge(opinion))
    });
    let [heard, unknown, nameless] = told.await.unwrap();

    let heard = heard.unwrap();
    assert!(heard.told.en.starts_with("heard 李 长长"), "{}", heard.told.en);
    assert_eq!((heard.event.as_str(), heard.shifts[0].to), ("e-1", 0.25));
    assert!(unknown.unwrap_err().to_string().contains("there is no event `e-9`"));
    assert!(nameless.unwrap_err().to_string().contains("A verdict needs a name"));
    let folder = served.end().await;
    let nobody = Journal::open(folder.path()).unwrap().judge(of("e-1", "李")).unwrap_err();
    assert!(matches!(nobody, NoJournal::NobodyRuns), "{nobody}");
}

#[tokio::test]
async fn what_people_do_goes_through_the_socket_to_the_engine() {
    let served = Served::with(1, 40).await;
    let folder = served.folder.path().to_owned();
    let acknowledge = |event: &str| {
        let actor = Actor { name: "李".into(), side: Side::Box };
        let deed = Deed::Acknowledge;
        Plea::Act(Action { event: event.into(), deed, actor, note: "长".repeat(400) })
    };
    let (known, unknown) = (acknowledge("e-1"), acknowledge("e-9"));

    let told = spawn_blocking(move || {
        let journal = Journal::open(&folder).unwrap();
        (journal.plead(known).unwrap(), journal.plead(unknown).unwrap())
    });
    let (known, unknown) = told.await.unwrap();

    assert_eq!(known.told.en, "did acknowledge 李");
    assert_eq!(known.result.unwrap().event, "e-1");
    assert_eq!(unknown.result, Err(NotDone::Unknown));
    let folder = served.end().await;
    let nobody = Journal::open(folder.path()).unwrap().plead(acknowledge("e-1")).unwrap_err();
    assert!(matches!(nobody, NoJournal::NobodyRuns), "{nobody}");
}

/// A store with so many entries, and its socket.
struct Served {
    folder: tempfile::TempDir,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Served {
    async fn with(entries: u64, bytes: usize) -> Self {
        Self::within(tempfile::tempdir().unwrap(), entries, bytes).await
    }

    async fn within(folder: tempfile::TempDir, entries: u64, bytes: usize) -> Self {
        let config = StoreConfig { path: folder.path().into(), ..StoreConfig::default() };
        let (store, _) = Store::open(&config).unwrap();
        let (inputs, mut reports) = mpsc::channel(4);
        let (sender, writer) = store.spawn_writer(inputs.downgrade()).unwrap();
        let records = (1..=entries).map(|sequence| Record {
            sequence,
            level: 4,
            event: format!("e-{}", sequence % 2),
            json: json(sequence, bytes).into_bytes(),
        });
        sender.send(Batch { number: 1, records: records.collect(), ..Batch::default() });
        reports.recv().await.unwrap();
        drop(sender);
        spawn_blocking(move || writer.join().unwrap()).await.unwrap();
        let stop = CancellationToken::new();
        let task = serve::start(
            folder.path(),
            store,
            sample::desk(),
            Duration::from_secs(1),
            stop.clone(),
        )
        .unwrap();
        Self { folder, stop, task }
    }

    async fn end(self) -> tempfile::TempDir {
        self.stop.cancel();
        self.task.await.unwrap();
        self.folder
    }
}

/// Spaces that a second writing would lose.
fn json(sequence: u64, bytes: usize) -> String {
    format!("{{ \"n\":  {sequence}, \"x\": \"{}\" }}", "x".repeat(bytes))
}
