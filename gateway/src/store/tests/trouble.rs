//! What happens around a write that failed, a store that another program holds, and one that others
//! may read.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;

#[test]
fn what_a_failed_write_would_have_given_up_waits_again_and_what_was_confirmed_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(folder.path());
    bench.put((1..=6).map(|s| record(s, 4, &format!("e{s}"))).collect());
    let shared = &bench.store.0;
    let db = shared.db().unwrap();
    {
        let mut book = shared.book();
        book.confirm(2);
        book.give_up(3, Loss::TooLarge, None);
        let batch = &mut sled::Batch::default();
        book.put(
            &[record(7, 1, "e7"), record(8, 1, "e8"), record(9, 1, "e9")],
            shared.limits,
            batch,
            &mut index::Draft::new(&db),
            |_| None,
        );
    }

    shared.replace(opening::load(&db).unwrap().book, db);

    assert_eq!(
        bench.order(),
        [(1, 4), (3, 4), (4, 4), (5, 4), (6, 4)],
        "the batch was not written"
    );
    let again = (7..=9).map(|s| record(s, 1, &format!("e{s}")));
    bench.put(again.collect());
    assert_eq!(bench.order(), [(7, 1), (8, 1), (9, 1), (4, 4), (5, 4), (6, 4)]);
    assert_eq!(bench.store.gap().unwrap().ranges, [(1, 1), (3, 3)]);
    drop(bench);
    let bench = Bench::open(folder.path());
    assert_eq!(bench.order(), [(7, 1), (8, 1), (9, 1), (4, 4), (5, 4), (6, 4)]);
}

#[test]
fn trouble_of_the_system_is_no_damage() {
    let of = |kind: io::ErrorKind| StoreError::Database(sled::Error::Io(kind.into()));
    let os = |code| StoreError::Database(sled::Error::Io(io::Error::from_raw_os_error(code)));
    let panic = |text: &str| StoreError::Broken(text.to_owned());

    // Out of files here, in the whole system; the device does not answer; too busy.
    for code in [24, 23, 5, 16] {
        assert!(!os(code).is_damage(), "{}", os(code));
    }
    let text = "Io(Os { code: 24, kind: Uncategorized, message: \"Too many open files\" })";
    assert!(!panic(text).is_damage());
    assert!(of(io::ErrorKind::UnexpectedEof).is_damage());
    assert!(of(io::ErrorKind::InvalidData).is_damage());
    assert!(StoreError::Database(sled::Error::Corruption { at: None, bt: () }).is_damage());
    assert!(panic("index out of bounds: the len is 3 but the index is 77").is_damage());
}

#[test]
fn a_database_that_another_program_has_locked_is_left_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    Bench::open(folder.path()).put(vec![record(1, 1, "a")]);
    let theirs = std::fs::File::open(folder.path().join("store-1/db")).unwrap();
    theirs.lock().unwrap();

    let Err(error) = Bench::try_open(folder.path()) else { panic!("opened a locked one") };

    assert!(matches!(error, StoreError::InUse(_)), "{error}");
    drop(theirs);
    assert_eq!(Bench::open(folder.path()).order(), [(1, 1)]);
}

#[test]
fn the_store_is_closed_to_others_also_when_it_was_open_to_them_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let mode = || path.metadata().unwrap().permissions().mode() & 0o777;
    let set = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    drop(Bench::open(&path));
    assert_eq!(mode(), 0o700);

    set(0o755);
    drop(Bench::open(&path));
    assert_eq!(mode(), 0o700);

    set(0o750);
    drop(Bench::open(&path));
    assert_eq!(mode(), 0o750, "the group was let in on purpose");
}

#[test]
fn a_gateway_waits_for_a_reader_that_is_about_to_end() {
    let folder = tempfile::tempdir().unwrap();
    Bench::open(folder.path()).put(vec![record(1, 1, "a")]);
    let reader = Store::open_to_read(folder.path()).unwrap();
    let (go, started) = std::sync::mpsc::channel();
    let reading = std::thread::spawn(move || {
        started.recv().unwrap();
        assert_eq!(reader.journal(0..=u64::MAX).count(), 1);
    });

    go.send(()).unwrap();
    let opened = Bench::try_open(folder.path()).map(|bench| bench.order());

    assert_eq!(opened.unwrap(), [(1, 1)]);
    reading.join().unwrap();
}

#[test]
fn a_journal_that_loses_its_old_end_while_it_is_verified_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(folder.path());
    for s in 1..=20 {
        bench.put(vec![record(s, 3, "e")]);
    }
    let before = bench.store.anchor().unwrap();
    bench.put((21..=40).map(|s| record(s, 3, "e")).collect());

    let verdict = bench.store.verify_from(before).unwrap();

    assert_eq!(before.0, 5);
    assert_eq!(verdict, Verdict::Whole { entries: 15, first: 26, last: 40, holes: Vec::new() });
}

#[test]
fn a_disk_that_goes_on_failing_is_logged_once_a_minute() {
    let start = std::time::Instant::now();
    let mut logged = None;
    let mut is_news =
        |second, why| writer::is_news(&mut logged, why, start + Duration::from_secs(second));

    let full = (0..=120).filter(|second| is_news(*second, "full")).count();

    assert_eq!(full, 3);
    assert!(is_news(121, "gone"));
    assert!(!is_news(122, "gone"));
}
