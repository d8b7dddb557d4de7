//! What is paired, what is not, and when a budget is broken.

use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60_000;

fn account() -> Account {
    let mut account = Account::new("b".into(), "b 1".into(), Timestamp(0));
    let budget = Some(Spent { per_week: 7.0, ..Spent::default() });
    let side = || Side { raised: 0, budget: budget.clone() };
    let scene = SceneAccount { live: side(), candidate: side(), ..SceneAccount::default() };
    account.scenes.insert("air".into(), scene);
    account
}

fn told(event: &str, about: &str, minute: i64, step: Step) -> Told {
    Told {
        event: event.into(),
        scene: "air".into(),
        device: about.into(),
        about: about.into(),
        title: Text::new("空气", "Air"),
        at: Timestamp(minute * MINUTE),
        step,
    }
}

fn raised(event: &str, about: &str, minute: i64) -> Told {
    told(event, about, minute, Step::Raised { by_model: true })
}

/// Both, only live, only candidate.
fn counts(account: &Account) -> [u64; 3] {
    let air = &account.scenes["air"];
    [air.both, air.only(By::Live), air.only(By::Candidate)]
}

#[test]
fn events_that_overlap_or_nearly_touch_are_one_and_each_is_paired_once() {
    let mut account = account();
    account.note(By::Live, raised("l1", "d1", 0));
    account.note(By::Candidate, raised("c1", "d1", 600));
    assert_eq!(counts(&account), [1, 0, 0], "the first is still open after ten hours");

    account.note(By::Candidate, raised("c2", "d1", 601));
    assert_eq!(counts(&account), [1, 0, 1], "the other one raised it once");

    account.note(By::Candidate, told("c2", "d1", 610, Step::Ended));
    account.note(By::Live, raised("l2", "d1", 625));
    assert_eq!(counts(&account), [2, 0, 0], "15 min after its end");
}

#[test]
fn events_of_other_devices_and_long_after_the_end_are_not_one() {
    let mut account = account();
    account.note(By::Candidate, raised("c1", "d1", 0));
    account.note(By::Live, raised("l1", "d2", 0));
    account.note(By::Candidate, told("c1", "d1", 10, Step::Ended));
    account.note(By::Live, raised("l2", "d1", 26));

    assert_eq!(counts(&account), [0, 2, 1]);
    let apart = &account.scenes["air"].disagreements;
    let apart: Vec<_> = apart.iter().map(|d| (d.by, d.event.as_str())).collect();
    assert_eq!(apart, [(By::Candidate, "c1"), (By::Live, "l1"), (By::Live, "l2")]);
}

#[test]
fn a_storm_of_events_that_both_raise_is_no_disagreement() {
    let mut account = account();
    for who in [By::Live, By::Candidate] {
        for device in 0..500 {
            account.note(who, raised(&format!("{who:?}{device}"), &format!("d{device}"), 0));
        }
    }
    assert_eq!(counts(&account), [500, 0, 0]);
}

#[test]
fn a_budget_is_broken_by_what_its_models_raise_beyond_what_chance_gives() {
    let mut account = account();
    // A day of one a day: at most 3 are likely, and less than 5 are never enough.
    account.pass(Duration::from_hours(24), Timestamp(0));
    for n in 0..9 {
        let by_rule = Step::Raised { by_model: false };
        account.note(By::Candidate, told(&format!("r{n}"), "d1", n, by_rule));
    }
    for n in 0..4 {
        account.note(By::Candidate, raised(&format!("m{n}"), "d1", n));
    }
    assert_eq!(account.broken(By::Candidate), None);

    account.note(By::Candidate, raised("m5", "d1", 5));

    let broke = account.broken(By::Candidate).unwrap();
    assert_eq!((broke.scene.as_str(), broke.raised, broke.likely), ("air", 5, 3));
    assert_eq!(account.broken(By::Live), None);
    account.pass(Duration::from_hours(24), Timestamp(0));
    assert_eq!(account.broken(By::Candidate), None, "5 in two days may be chance");
}

#[test]
fn an_account_is_read_as_it_was_written() {
    let mut account = account();
    account.note(By::Live, raised("l1", "d1", 0));
    account.note(By::Live, told("l1", "d1", 7, Step::Ended));
    account.pass(Duration::from_hours(12), Timestamp(90_000));
    account.broke = account.broken(By::Live);

    let json = serde_json::to_string(&account).unwrap();

    assert!(json.contains("1970-01-01T00:07:00.000Z"), "{json}");
    assert_eq!(serde_json::from_str::<Account>(&json).unwrap(), account);
}

/// Who, about which device, when, and whether it ends the last one.
fn steps() -> impl Strategy<Value = Vec<(bool, u8, i64, bool)>> {
    let step = (any::<bool>(), 0..4u8, 0..40i64, any::<bool>());
    prop::collection::vec(step, 0..300)
}

proptest! {
    #[test]
    fn every_event_is_paired_once_or_not_at_all(steps in steps()) {
        let mut account = account();
        let (mut minute, mut raises) = (0, [0u64; 2]);
        for (n, (is_live, device, wait, ends)) in steps.into_iter().enumerate() {
            let by = if is_live { By::Live } else { By::Candidate };
            minute += wait;
            let about = format!("d{device}");
            account.note(by, raised(&format!("e{n}"), &about, minute));
            raises[usize::from(is_live)] += 1;
            if ends {
                account.note(by, told(&format!("e{n}"), &about, minute, Step::Ended));
            }
        }
        let air = &account.scenes["air"];
        prop_assert_eq!([air.candidate.raised, air.live.raised], raises);
        prop_assert!(air.both <= raises[0].min(raises[1]));
        let apart = |by| air.disagreements.iter().filter(|d| d.by == by).count() as u64;
        prop_assert!(apart(By::Live) <= air.only(By::Live));
        prop_assert!(apart(By::Candidate) <= air.only(By::Candidate));
        if raises[0] + raises[1] <= 50 {
            prop_assert_eq!(apart(By::Live), air.only(By::Live), "none is forgotten");
        }
        let kept = air.disagreements.iter().filter(|d| !d.is_near(Timestamp(minute * MINUTE)));
        prop_assert!(kept.count() <= 50);
    }

    #[test]
    fn with_the_sides_exchanged_the_account_is_the_same(steps in steps()) {
        let (mut one, mut other) = (account(), account());
        for (n, (is_live, device, wait, _)) in steps.into_iter().enumerate() {
            let sides = if is_live { [By::Live, By::Candidate] } else { [By::Candidate, By::Live] };
            let minute = i64::try_from(n).unwrap() * 40 + wait;
            let event = raised(&format!("e{n}"), &format!("d{device}"), minute);
            one.note(sides[0], event.clone());
            other.note(sides[1], event);
        }
        let [both, live, candidate] = counts(&one);
        prop_assert_eq!(counts(&other), [both, candidate, live]);
    }
}
