//! What becomes of mail that a channel does not take: the channel's standing, and the next way.

use std::collections::BTreeMap;

use super::{BOX, Board, STANDING};
use crate::alert::pace::Pace;
use crate::alert::standing::Standing;
use crate::alert::{Item, Outcome, Recipient, Settled};
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

    /// Passes on what is late, in boxes whose own mail fails and in those whose channel must rest.
    pub(super) fn pass_on_late(&mut self, now: Timestamp) {
        loop {
            let mut late: Vec<(Recipient, Vec<Item>)> = Vec::new();
            for (id, mail) in &mut self.boxes {
                let to = self.directory.get(id).filter(|to| to.way.is_some());
                let Some(to) = to else { continue };
                let rest = self.paces.get(&to.channel).and_then(Pace::held);
                let Some(until) = mail.retry().max(rest) else { continue };
                let items = mail.late(to, self.zone, until, now);
                if !items.is_empty() {
                    self.dirty.insert(format!("{BOX}{id}"));
                    late.push((to.clone(), items));
                }
            }
            if late.is_empty() {
                return;
            }
            // Where it goes it may be late as well.
            for (to, items) in late {
                self.pass_on(&to, items, now);
            }
        }
    }

    /// Tells a person by the next of their ways that knows nothing of it, whatever levels that one is
    /// for. What is over by then is news to nobody.
    pub(super) fn pass_on(&mut self, from: &Recipient, items: Vec<Item>, now: Timestamp) {
        let Some(way) = from.way else { return };
        let mut ways: Vec<&Recipient> = self
            .directory
            .values()
            .filter(|to| to.name == from.name && to.way.is_some() && to.channel != from.channel)
            .collect();
        ways.sort_by_key(|to| (to.way < Some(way), to.way));
        let mut passed = Vec::new();
        for item in items.into_iter().filter(|item| !item.is_over) {
            let Some(told) = self.told.get(&item.event).filter(|told| told.over.is_none()) else {
                continue;
            };
            let fits = |to: &&&Recipient| {
                !told.to.contains(&to.id) && told.about.as_ref() != Some(&to.channel)
            };
            if let Some(to) = ways.iter().find(fits) {
                passed.push((to.id.clone(), item));
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
