//! What becomes of mail that a channel does not take: the channel's standing, and the next way.

use std::collections::BTreeMap;

use super::{BOX, Board, STANDING};
use crate::alert::standing::Standing;
use crate::alert::{Load, Outcome, Recipient, Settled};
use crate::reading::Timestamp;

impl Board {
    pub(super) fn note_standing(
        &mut self,
        to: &Recipient,
        outcome: &Outcome,
        settled: Settled,
        now: Timestamp,
    ) -> Settled {
        let standing = self.standings.entry(to.channel.clone()).or_default();
        standing.note(to, outcome, &settled, now);
        self.dirty.insert(format!("{STANDING}{}", to.channel));
        settled
    }

    /// Tells a person by the next of their ways that knows nothing of it, whatever levels that one is
    /// for. What is over by then is news to nobody.
    pub(super) fn pass_on(&mut self, from: &Recipient, load: &Load, now: Timestamp) {
        let Some(way) = from.way else { return };
        let mut ways: Vec<&Recipient> = self
            .directory
            .values()
            .filter(|to| to.name == from.name && to.way.is_some() && to.channel != from.channel)
            .collect();
        ways.sort_by_key(|to| (to.way < Some(way), to.way));
        let mut passed = Vec::new();
        for item in load.items().iter().filter(|item| !item.is_over) {
            let Some(told) = self.told.get(&item.event).filter(|told| told.over.is_none()) else {
                continue;
            };
            let fits = |to: &&&Recipient| {
                !told.to.contains(&to.id) && told.about.as_ref() != Some(&to.channel)
            };
            if let Some(to) = ways.iter().find(fits) {
                passed.push((to.id.clone(), item.clone()));
            }
        }
        for (id, item) in passed {
            self.note(&item.event, |told| _ = told.to.insert(id.clone()));
            self.boxes.entry(id.clone()).or_default().put(item, now);
            self.dirty.insert(format!("{BOX}{id}"));
        }
    }

    /// How each channel stands that was used.
    pub fn standings(&self) -> &BTreeMap<String, Standing> {
        &self.standings
    }
}
