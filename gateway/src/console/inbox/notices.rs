//! What came of what somebody did, for the page that comes after it. In memory, shown once.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use gatehouse_core::community::quantity::{Language, Text};
use maud::{Markup, html};

use crate::accounts::Principal;
use crate::console::page::translated;

/// Notices that nobody has looked at; the oldest give way.
const MOST: usize = 64;

/// What is told, and whether it is bad news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::console) struct Notice {
    pub told: Text,
    pub is_bad: bool,
}

/// Whom it concerns. A person with a link may be called like somebody's account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::console) enum Owner {
    Account(String),
    /// Of `community.toml`, by id.
    Person(String),
}

impl From<&Principal> for Owner {
    fn from(principal: &Principal) -> Self {
        Self::Account(principal.name.clone())
    }
}

#[derive(Debug, Default)]
pub(in crate::console) struct Notices(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    notices: VecDeque<(u64, Owner, Notice)>,
}

impl Notices {
    /// Keeps a notice; the number leads to it.
    pub(in crate::console) fn put(&self, owner: Owner, notice: Notice) -> u64 {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last += 1;
        let number = kept.last;
        kept.notices.push_back((number, owner, notice));
        if kept.notices.len() > MOST {
            kept.notices.pop_front();
        }
        number
    }

    /// What is said to that one under `?notice=`, and to nobody else.
    pub(in crate::console) fn take(&self, owner: &Owner, number: &str) -> Option<Notice> {
        let number: u64 = number.parse().ok()?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.notices.iter().position(|(n, whose, _)| (*n, whose) == (number, owner))?;
        kept.notices.remove(at).map(|(_, _, notice)| notice)
    }
}

/// Told above everything else, and read out at once where that is bad news.
pub(in crate::console) fn shown(notice: Option<&Notice>, language: Language) -> Markup {
    html! {
        @if let Some(notice) = notice {
            p .told.bad-news[notice.is_bad] role=(if notice.is_bad { "alert" } else { "status" }) {
                (translated(&notice.told, language))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_shown_once_and_old_ones_give_way() {
        let notices = Notices::default();
        let notice = Notice { told: Text::new("好", "done"), is_bad: false };
        let li = Owner::Person("li".into());
        let put = || notices.put(li.clone(), notice.clone()).to_string();
        let (first, second) = (put(), put());

        for other in [Owner::Account("li".into()), Owner::Person("wang".into())] {
            assert_eq!(notices.take(&other, &second), None, "{other:?} reads what is Li's");
        }
        assert_eq!(notices.take(&li, &second), Some(notice.clone()));
        assert_eq!(notices.take(&li, &second), None);
        (0..MOST).for_each(|_| _ = put());
        assert_eq!(notices.take(&li, &first), None);
    }
}
