//! Stills kept, found again, attached and thrown away when their time is over.

use std::time::SystemTime;

use super::*;
use gatehouse_sight::mask::mask;
use gatehouse_sight::picture::Picture;

const DAY: Duration = Duration::from_hours(24);

fn still() -> Masked {
    let grey = Picture::of_rgb(64, 48, &[128; 64 * 48 * 3]).unwrap();
    mask(&grey, |_| Ok::<_, ()>(Vec::new())).unwrap()
}

fn at(hours: i64) -> Timestamp {
    Timestamp(1_790_000_000_000 + hours * 3_600_000)
}

#[test]
fn a_still_is_kept_until_its_time_is_over() {
    let store = tempfile::tempdir().unwrap();
    let evidence = Evidence::in_store(store.path(), 3 * DAY);
    assert!(matches!(evidence.still("E1"), Err(NoStill::NotKept(_))));
    assert_eq!(evidence.keep("E1", at(0), &still()).unwrap(), "still/E1");
    assert_eq!(evidence.keep("E2", at(48), &still()).unwrap(), "still/E2");
    assert_eq!(
        evidence.still("E1").unwrap(),
        Still { at: at(0), hidden: 0, jpeg: still().jpeg().to_vec() }
    );
    assert_eq!(evidence.expire(at(71)).unwrap().removed, 0);
    assert_eq!(evidence.expire(at(73)).unwrap().removed, 1);
    assert!(!evidence.has("E1") && evidence.has("E2"));
}

#[test]
fn the_first_still_of_an_event_stays() {
    let store = tempfile::tempdir().unwrap();
    let evidence = Evidence::in_store(store.path(), DAY);
    evidence.keep("E1", at(0), &still()).unwrap();
    evidence.keep("E1", at(5), &still()).unwrap();
    assert_eq!(evidence.still("E1").unwrap().at, at(0));
}

#[test]
fn how_it_was_left_and_what_somebody_sent_are_kept_beside_what_happened() {
    let store = tempfile::tempdir().unwrap();
    let evidence = Evidence::in_store(store.path(), DAY);
    assert_eq!(evidence.keep(&proof("E1"), at(5), &still()).unwrap(), "still/E1-proof");
    assert_eq!(evidence.keep(&sent("E1"), at(6), &still()).unwrap(), "still/E1-sent");
    assert!(!evidence.has("E1"));
    evidence.keep("E1", at(0), &still()).unwrap();
    assert_eq!(evidence.still("E1").unwrap().at, at(0));
    assert_eq!(evidence.still(&proof("E1")).unwrap().at, at(5));
    assert_eq!(evidence.still(&sent("E1")).unwrap().at, at(6));
    assert_eq!(evidence.many().unwrap(), 3);
}

#[test]
fn an_id_that_is_a_path_leads_nowhere() {
    let store = tempfile::tempdir().unwrap();
    let evidence = Evidence::in_store(store.path(), DAY);
    evidence.keep("../../E1", at(0), &still()).unwrap();
    let files: Vec<_> =
        fs::read_dir(store.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(files, [FOLDER]);
    assert!(matches!(evidence.still("../../etc/passwd"), Err(NoStill::NotKept(_))));
}

#[test]
fn what_a_power_cut_or_a_wrong_clock_left_goes() {
    let store = tempfile::tempdir().unwrap();
    let evidence = Evidence::in_store(store.path(), DAY);
    evidence.keep("FUTURE", at(24 * 400), &still()).unwrap();
    let part = store.path().join(FOLDER).join("1790000000000-0-E9.jpg.part");
    fs::write(&part, b"\xFF\xD8").unwrap();
    touch(&part, SystemTime::now() - 2 * WRITTEN);
    assert!(!evidence.has("E9"));
    assert_eq!(evidence.expire(at(0)).unwrap().removed, 2);
}

#[test]
fn a_still_that_is_being_written_is_left_alone() {
    let store = tempfile::tempdir().unwrap();
    let evidence = Evidence::in_store(store.path(), Duration::ZERO);
    let folder = store.path().join(FOLDER);
    fs::create_dir(&folder).unwrap();
    let part = folder.join("1790000000000-0-E9.jpg.part");
    let now = SystemTime::now();
    let minutes = |many| Duration::from_mins(many);
    let cases = [
        ("at this moment", now, true),
        ("for a while", now - minutes(30), true),
        ("by a clock that is a little ahead", now + minutes(30), true),
        ("before a power cut", now - minutes(90), false),
        ("by a clock that was wrong", now + minutes(90), false),
    ];
    for (written, touched, stays) in cases {
        fs::write(&part, b"\xFF\xD8").unwrap();
        touch(&part, touched);
        evidence.expire(at(0)).unwrap();
        assert_eq!(part.exists(), stays, "{written}");
    }
}

#[test]
fn one_that_cannot_be_removed_keeps_no_older_one() {
    let store = tempfile::tempdir().unwrap();
    let evidence = Evidence::in_store(store.path(), DAY);
    for (event, hours) in [("E1", 0), ("E2", 1), ("E4", 3)] {
        evidence.keep(event, at(hours), &still()).unwrap();
    }
    // Nobody removes a folder as a file, root neither.
    let stuck = store.path().join(FOLDER).join(format!("{:013}-0-E3.jpg", at(2).0));
    fs::create_dir(&stuck).unwrap();

    let round = evidence.expire(at(48)).unwrap();

    assert_eq!(round.removed, 3);
    assert_eq!(round.stuck.iter().map(|(path, _)| path).collect::<Vec<_>>(), [&stuck]);
    fs::remove_dir(&stuck).unwrap();
    fs::write(&stuck, still().jpeg()).unwrap();
    let again = evidence.expire(at(48)).unwrap();
    assert_eq!((again.removed, again.stuck.len()), (1, 0));
}

fn touch(path: &Path, at: SystemTime) {
    File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}
