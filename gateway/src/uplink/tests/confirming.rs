//! Where the platform's word counts and not its broker's.

use super::super::confirming::NotConfirmed;
use super::*;

async fn bench(manners: Manners, max_waiting: usize) -> Bench {
    let mut bench = Bench::prepare(1, manners, max_waiting).await;
    bench.confirm = Confirm::Platform;
    bench
}

impl Bench {
    fn confirm(&self, ranges: &[(u64, u64)]) -> Result<usize, NotConfirmed> {
        self.confirmations.as_ref().unwrap().confirm(ranges)
    }

    fn times(&self, sequence: u64) -> usize {
        self.seen.lock().unwrap().received.iter().filter(|s| **s == sequence).count()
    }
}

#[tokio::test]
async fn a_record_stays_until_the_platform_names_it_and_is_sent_again_meanwhile() {
    let bench = bench(GOOD, 100).await;
    bench.put(1..=5).await;
    let bench = bench.go();

    bench.until(|bench| (1..=5).all(|sequence| bench.times(sequence) >= 2)).await;
    assert_eq!(bench.store.depth(), 5, "the broker's word is not enough");

    assert_eq!(bench.confirm(&[(1, 2), (4, 4)]), Ok(3));
    let before = bench.times(1);
    bench.until(|bench| bench.times(3) >= 4).await;
    assert!(bench.times(1) <= before + 1, "one may have been under way");
    assert_eq!(bench.confirm(&[(1, 5)]), Ok(2), "what is confirmed already does no harm");
    assert_eq!(bench.store.depth(), 0);
    bench.stop().await;
}

#[tokio::test]
async fn what_was_never_sent_is_not_confirmed_and_nothing_with_it() {
    let bench = bench(GOOD, 100).await;
    bench.put(1..=3).await;
    let bench = bench.go();
    bench.until(|bench| (1..=3).all(|sequence| bench.times(sequence) >= 1)).await;

    assert_eq!(bench.confirm(&[(1, 9)]), Err(NotConfirmed::NotSent(9)));
    assert_eq!(bench.confirm(&[(1, 3), (4, u64::MAX)]), Err(NotConfirmed::NotSent(u64::MAX)));
    assert_eq!(bench.store.depth(), 3);

    bench.stop().await;
}

#[tokio::test]
async fn after_a_new_connection_everything_unconfirmed_comes_again() {
    let bench = bench(Manners { dies: 8, is_sloppy: false }, 1_000).await;
    bench.put(1..=40).await;
    let bench = bench.go();

    bench.until(|bench| (1..=40).all(|sequence| bench.times(sequence) >= 2)).await;
    assert_eq!(bench.store.depth(), 40);

    assert_eq!(bench.confirm(&[(1, 40)]), Ok(40));
    bench.stop().await;
}

#[tokio::test]
async fn a_gap_is_confirmed_with_the_ranges_that_it_tells_of() {
    let bench = bench(GOOD, 5).await;
    bench.put(1..=8).await;
    let bench = bench.go();
    bench.until(|bench| bench.seen.lock().unwrap().gaps.len() >= 2).await;

    bench.until(|bench| [1, 4, 5, 6, 8].iter().all(|s| bench.times(*s) >= 1)).await;
    assert_eq!(bench.confirm(&[(1, 2), (4, 8)]), Ok(5));
    assert!(bench.store.has_gap(), "not all of its ranges were named");
    assert_eq!(bench.confirm(&[(1, 8)]), Ok(0));

    assert!(!bench.store.has_gap());
    bench.stop().await;
}

#[tokio::test]
async fn who_goes_by_the_broker_s_word_is_not_told_otherwise() {
    let bench = Bench::start(1, GOOD, 100).await;

    assert_eq!(bench.confirm(&[(1, 1)]), Err(NotConfirmed::NotAsked));
    bench.stop().await;
}
