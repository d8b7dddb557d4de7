//! The alerts' room: rows that are on disk when it says so.

use super::*;

fn row(key: &str, value: &str) -> (String, Option<Vec<u8>>) {
    (key.to_owned(), Some(value.as_bytes().to_vec()))
}

#[tokio::test]
async fn rows_are_there_after_a_restart_and_none_is_promised_once_the_writer_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(folder.path());
    assert!(bench.store.keep_mail(vec![row("b/li", "1"), row("c", "2")]).await);
    assert!(bench.store.keep_mail(vec![("c".to_owned(), None), row("t/e", "3")]).await);
    bench.send(vec![record(1, 2, "e")], Vec::new());
    bench.store.recorded().await;
    let store = bench.store.clone();
    drop(bench);

    assert!(!store.keep_mail(vec![row("b/li", "late")]).await);
    drop(store);

    let bench = Bench::open(folder.path());
    let expected = [("b/li".to_owned(), b"1".to_vec()), ("t/e".to_owned(), b"3".to_vec())];
    assert_eq!(bench.store.mail().unwrap(), expected);
}
