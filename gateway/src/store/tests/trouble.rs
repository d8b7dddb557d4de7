//! What happens around a write that failed, a store that another program holds, and one that others
//! may read.

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
