//! How far people are with an event: which deed leads where, and what the box does by itself.
//!
//! The terms are those of ISA-18.2. A deed takes an event to its own stage or leaves it where it is when
//! it is further already, so the later stage wins and the order of arrival does not matter: what two
//! people do at the same time, one here and one at the platform, ends alike on both sides. What is
//! refused is refused by what the sensors see and by the review, never by the stage. Only
//! [`Deed::Reopen`] leads back; a new round begins with it.
//!
//! [`step`] is the whole table. [`Live`](super::Live) carries it out in [`super::course`].

use std::time::Duration;

use super::action::{Deed, NotNow};
use super::message::{Stage, Transition};

/// An event is put aside for so long at most.
pub const LONGEST_SHELF: Duration = Duration::from_hours(7 * 24);

/// What is gone and waits for a person is kept for so long.
pub const LONGEST_WAIT: Duration = Duration::from_hours(7 * 24);

/// So many events that are gone may wait for a person; the oldest is closed when there are more.
pub const MOST_RETURNED: usize = 200;

/// From this level on (III) an event that is gone needs nobody's word.
pub const CALM_LEVEL: u8 = 3;

/// An exercise is over after this time, if nobody ends it.
pub const DRILL_LASTS: Duration = Duration::from_hours(2);

/// What no sensor watches is closed so long after it was said to be handled.
pub const ANSWER_WITHIN: Duration = Duration::from_hours(3 * 24);

/// What decides about a deed beside the stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sight {
    /// A sensor sees the condition right now.
    pub is_seen: bool,
    pub review: Asked,
}

/// How it stands with a review that a scene asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Asked {
    #[default]
    Never,
    /// Nobody has said yes.
    Pending,
    Approved,
}

/// The stage after a deed; the same one when there is nothing left to do.
///
/// # Errors
/// What the sensor sees, or the review, stands in the way.
pub fn step(stage: Stage, deed: &Deed, sight: Sight) -> Result<Stage, NotNow> {
    let to = |target: Stage| Ok(stage.max(target));
    let reviewed = || match sight.review {
        Asked::Pending => Err(NotNow::Unreviewed),
        Asked::Never | Asked::Approved => Ok(()),
    };
    let unseen = || if sight.is_seen { Err(NotNow::StillSeen) } else { Ok(()) };
    match deed {
        Deed::Acknowledge => to(Stage::Acknowledged),
        Deed::Dispatch { .. } => reviewed().and_then(|()| to(Stage::Dispatched)),
        Deed::Handle => reviewed().and_then(|()| to(Stage::Handled)),
        Deed::Verify => reviewed().and(unseen()).and_then(|()| to(Stage::Verified)),
        Deed::Close => unseen().and_then(|()| to(Stage::Closed)),
        Deed::Dismiss { .. } => to(Stage::Dismissed),
        Deed::Shelve { .. } | Deed::Unshelve if stage.is_over() => Err(NotNow::Over),
        Deed::Shelve { .. } | Deed::Unshelve => reviewed().map(|()| stage),
        Deed::Reopen if stage < Stage::Handled => Ok(stage),
        Deed::Reopen => reviewed().map(|()| Stage::Raised),
        Deed::Approve | Deed::Refuse if sight.review == Asked::Never => Err(NotNow::NoReview),
        Deed::Approve if stage.is_over() => Err(NotNow::Over),
        Deed::Approve => Ok(stage),
        Deed::Refuse => to(Stage::Dismissed),
    }
}

/// What is told of a deed that changed something; `None` for the answers to a review.
pub fn transition(deed: &Deed) -> Option<Transition> {
    match deed {
        Deed::Acknowledge => Some(Transition::Acknowledged),
        Deed::Dispatch { .. } => Some(Transition::Dispatched),
        Deed::Handle => Some(Transition::Handled),
        Deed::Verify => Some(Transition::Verified),
        Deed::Shelve { .. } => Some(Transition::Shelved),
        Deed::Unshelve => Some(Transition::Unshelved),
        Deed::Dismiss { .. } | Deed::Refuse => Some(Transition::Dismissed),
        Deed::Close => Some(Transition::Closed),
        Deed::Reopen => Some(Transition::Reopened),
        Deed::Approve => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::verdict::Verdict;
    use crate::reading::Timestamp;

    /// Every deed but the one that begins a new round.
    fn deeds() -> Vec<Deed> {
        vec![
            Deed::Acknowledge,
            Deed::Dispatch { to: "li".into() },
            Deed::Dispatch { to: "wang".into() },
            Deed::Handle,
            Deed::Verify,
            Deed::Close,
            Deed::Dismiss { as_: Verdict::FalseAlarm },
            Deed::Dismiss { as_: Verdict::PlannedWork },
            Deed::Shelve { until: Timestamp(1) },
            Deed::Unshelve,
            Deed::Refuse,
        ]
    }

    const STAGES: [Stage; 7] = [
        Stage::Raised,
        Stage::Acknowledged,
        Stage::Dispatched,
        Stage::Handled,
        Stage::Verified,
        Stage::Closed,
        Stage::Dismissed,
    ];

    fn some_deeds() -> impl Strategy<Value = Vec<Deed>> {
        prop::collection::vec(prop::sample::select(deeds()), 0..6)
    }

    fn sights() -> impl Strategy<Value = Sight> {
        let review = prop::sample::select(vec![Asked::Never, Asked::Pending, Asked::Approved]);
        (any::<bool>(), review).prop_map(|(is_seen, review)| Sight { is_seen, review })
    }

    fn after<'d>(stage: Stage, deeds: impl Iterator<Item = &'d Deed>, sight: Sight) -> Stage {
        deeds.fold(stage, |stage, deed| step(stage, deed, sight).unwrap_or(stage))
    }

    proptest! {
        /// The rule for two sides: any interleaving of what was done here and at the platform, both
        /// of them in their own order, ends at the same stage.
        #[test]
        fn whatever_comes_first_the_event_ends_at_the_same_stage(
            here in some_deeds(),
            platform in some_deeds(),
            turns in prop::collection::vec(any::<bool>(), 12),
            start in prop::sample::select(STAGES.to_vec()),
            sight in sights(),
        ) {
            let expected = after(start, here.iter().chain(&platform), sight);

            let (mut ours, mut theirs) = (here.iter(), platform.iter());
            let mut mixed = Vec::new();
            for is_ours in turns {
                mixed.extend(if is_ours { ours.next() } else { theirs.next() });
            }
            mixed.extend(ours.chain(theirs));

            prop_assert_eq!(after(start, mixed.into_iter(), sight), expected);
        }

        #[test]
        fn what_is_done_twice_is_done_once(
            deed in prop::sample::select(deeds()),
            start in prop::sample::select(STAGES.to_vec()),
            sight in sights(),
        ) {
            let once = after(start, [&deed].into_iter(), sight);

            prop_assert_eq!(after(once, [&deed].into_iter(), sight), once);
            prop_assert!(once >= start, "nothing but reopening leads back");
        }
    }

    #[test]
    fn what_a_sensor_still_sees_is_not_called_over() {
        let seen = Sight { is_seen: true, ..Sight::default() };

        assert_eq!(step(Stage::Handled, &Deed::Verify, seen), Err(NotNow::StillSeen));
        assert_eq!(step(Stage::Raised, &Deed::Close, seen), Err(NotNow::StillSeen));
        let dismissed = step(Stage::Raised, &Deed::Dismiss { as_: Verdict::FalseAlarm }, seen);
        assert_eq!(dismissed, Ok(Stage::Dismissed));
    }

    #[test]
    fn nobody_is_sent_before_a_required_review_and_a_yes_after_a_no_comes_too_late() {
        let pending = Sight { review: Asked::Pending, ..Sight::default() };

        for deed in [Deed::Dispatch { to: "li".into() }, Deed::Handle, Deed::Verify] {
            assert_eq!(step(Stage::Raised, &deed, pending), Err(NotNow::Unreviewed), "{deed:?}");
        }
        assert_eq!(step(Stage::Raised, &Deed::Acknowledge, pending), Ok(Stage::Acknowledged));
        assert_eq!(step(Stage::Raised, &Deed::Refuse, pending), Ok(Stage::Dismissed));
        assert_eq!(step(Stage::Dismissed, &Deed::Approve, pending), Err(NotNow::Over));
        let approved = Sight { review: Asked::Approved, ..Sight::default() };
        assert_eq!(step(Stage::Raised, &Deed::Refuse, approved), Ok(Stage::Dismissed));
        assert_eq!(step(Stage::Raised, &Deed::Approve, Sight::default()), Err(NotNow::NoReview));
    }

    #[test]
    fn only_reopening_leads_back() {
        let now = Sight::default();
        assert_eq!(step(Stage::Verified, &Deed::Reopen, now), Ok(Stage::Raised));
        assert_eq!(step(Stage::Dispatched, &Deed::Reopen, now), Ok(Stage::Dispatched));
    }
}
