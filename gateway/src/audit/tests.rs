//! What is noted can be read again, and what was changed is found.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn note(about: &str) -> Note {
    Note {
        who: "wang".into(),
        action: "event.acknowledge",
        about: about.into(),
        outcome: Outcome::Done,
        detail: "\"quoted\"\n, and 汉字 ,\"hash\":\"".into(),
    }
}

fn written(folder: &Path, lines: usize) -> Book {
    let book = Book::with_files_of(folder, 1_000);
    for n in 0..lines {
        let at = format!("2026-11-22T10:00:{n:02}.000Z");
        book.append(&[(at, note(&format!("e-{n}")))]).unwrap();
    }
    book
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|p| p.extension().is_some_and(|e| e == "jsonl")).collect();
    files.sort();
    files
}

#[tokio::test]
async fn what_is_noted_is_found_again_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::in_store(folder.path()).unwrap();
    for about in ["e-1", "e-2", "e-3"] {
        audit.note(note(about));
    }
    audit.note(Note { action: "login", who: "li".into(), ..note("") });

    let found = |filter: Filter| {
        let audit = audit.clone();
        async move {
            let lines = audit.recent(filter).await.unwrap();
            lines.into_iter().map(|line| (line.n, line.about)).collect::<Vec<_>>()
        }
    };
    let events = Filter { action: Some("event.".into()), many: 2, ..Filter::default() };
    assert_eq!(found(events.clone()).await, [(3, "e-3".into()), (2, "e-2".into())]);
    assert_eq!(found(Filter { before: Some(2), ..events }).await, [(1, "e-1".into())]);
    assert_eq!(found(Filter { who: Some("li".into()), ..Filter::default() }).await.len(), 1);
    assert_eq!(audit.verify().await.unwrap(), 4);
}

#[test]
fn the_chain_goes_on_over_files_and_over_restarts() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), 12);

    assert!(files(folder.path()).len() > 2);
    assert_eq!(Book::new(folder.path()).verify().unwrap(), 12);
}

#[test]
fn a_log_that_was_changed_cut_or_reordered_is_found_with_its_line() {
    type Change = fn(&Path);
    fn edit(path: &Path, change: impl FnOnce(&mut Vec<String>)) {
        let text = fs::read_to_string(path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        fs::write(path, lines.join("\n") + "\n").unwrap();
    }
    let cases: [(&str, Change, &str); 8] = [
        (
            "another name",
            |f| edit(&files(f)[0], |l| l[1] = l[1].replace("wang", "zhao")),
            "000000000001.jsonl`, line 2: is not what was written",
        ),
        ("reordered", |f| edit(&files(f)[1], |l| l.swap(0, 1)), "line 1: is line"),
        ("a line less", |f| edit(&files(f)[0], |l| drop(l.remove(1))), "line 2: is line 3"),
        (
            "a line twice",
            |f| edit(&files(f)[0], |l| l.insert(1, l[0].clone())),
            "line 2: is line 1",
        ),
        (
            "its end was cut",
            |f| edit(files(f).last().unwrap(), |l| drop(l.pop())),
            "its end was cut",
        ),
        ("a file less", |f| fs::remove_file(&files(f)[1]).unwrap(), "line 1: begins with line"),
        (
            "the last file",
            |f| fs::remove_file(files(f).last().unwrap()).unwrap(),
            "its end was cut",
        ),
        (
            "no head",
            |f| fs::remove_file(f.join("head.json")).unwrap(),
            "head.json`, line 0: is missing",
        ),
    ];
    for (why, change, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let book = written(folder.path(), 12);

        change(folder.path());

        let told = book.verify().unwrap_err().to_string();
        assert!(told.contains(expected), "{why}: {told}");
    }
}

#[test]
fn half_a_line_after_a_power_cut_is_taken_away_and_the_chain_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let book = written(folder.path(), 2);
    let path = &files(folder.path())[0];
    let mut text = fs::read_to_string(path).unwrap();
    text.push_str("{\"n\":3,\"at\":\"20");
    fs::write(path, text).unwrap();
    assert_eq!(book.verify().unwrap(), 2);

    written(folder.path(), 1);

    assert_eq!(book.verify().unwrap(), 3);
}

#[test]
fn files_go_when_all_in_them_is_old_and_the_chain_still_holds() {
    let folder = tempfile::tempdir().unwrap();
    let book = Book::with_files_of(folder.path(), 1_000);
    for n in 0..12 {
        book.append(&[(format!("2019-11-22T10:00:{n:02}.000Z"), note("old"))]).unwrap();
    }

    let kept = book.verify().unwrap();

    assert!(kept < 12 && kept > 0, "{kept}");
    assert!(!folder.path().join("000000000001.jsonl").exists());
}

#[test]
fn a_long_or_strange_text_is_one_short_line() {
    let long = Note { who: "x\n".repeat(10_000), ..note(&"啊".repeat(100_000)) };

    let (line, text) = Line::after(1, chain::NOTHING, "2026-11-22T10:00:00.000Z", &long);

    assert!(text.len() < 32 * 1024 && !text.contains('\n'));
    assert_eq!(Line::read(&text), Some(line));
}
