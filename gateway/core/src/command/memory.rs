//! Which commands were begun and how they were answered, so that none is carried out twice.
//!
//! An id is remembered from before the first step until long after the command has expired: from then
//! on its expiry refuses it. Each [`Line`] must be on disk before what it tells of goes on; the shell
//! writes them, and hands them back in the same order after a start.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::base64::encode;
use super::{Refusal, Reply};
use crate::reading::Timestamp;

/// How far our clock may be set back without an id being forgotten too early.
const LONGER: Duration = Duration::from_hours(24);

/// More at once are refused.
pub const MOST: usize = 10_000;

/// One step in the life of a command, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// It is about to be carried out.
    Begun { id: String, until: Timestamp, digest: String },
    /// This is its answer.
    Answered(Reply),
    /// The platform's broker has the answer.
    Told { id: String },
}

/// What is known of ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory(BTreeMap<String, Known>);

#[derive(Debug, Clone, PartialEq)]
struct Known {
    until: Timestamp,
    digest: String,
    reply: Option<Reply>,
    is_told: bool,
}

/// What is to be done with a command whose id may have been there before.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// Write this down, then carry it out.
    New(Line),
    /// Answer this again. `is_told`: the broker has had it.
    Again { reply: Reply, is_told: bool },
    /// Answer this, and remember nothing.
    Refused(Refusal),
}

impl Memory {
    /// Whether a command that is in order is new. `payload` is what was signed.
    pub fn turn(&self, id: &str, until: Timestamp, payload: &str) -> Turn {
        let digest = encode(&Sha256::digest(payload));
        match self.0.get(id) {
            Some(known) if known.digest != digest => Turn::Refused(Refusal::IdTaken),
            Some(Known { reply: Some(reply), is_told, .. }) => {
                Turn::Again { reply: reply.clone(), is_told: *is_told }
            }
            Some(Known { reply: None, .. }) => {
                let reply = Reply::refused(Some(id.to_owned()), Refusal::Interrupted);
                Turn::Again { reply, is_told: false }
            }
            None if self.0.len() >= MOST => {
                let reason = format!("{MOST} commands have not expired yet");
                Turn::Refused(Refusal::Busy { reason })
            }
            None => Turn::New(Line::Begun { id: id.to_owned(), until, digest }),
        }
    }

    /// Takes in what was written down.
    pub fn apply(&mut self, line: Line) {
        match line {
            Line::Begun { id, until, digest } => {
                let known = Known { until, digest, reply: None, is_told: false };
                self.0.entry(id).or_insert(known);
            }
            Line::Answered(reply) => {
                let known = reply.id.as_ref().and_then(|id| self.0.get_mut(id));
                if let Some(known) = known {
                    known.reply = Some(reply);
                }
            }
            Line::Told { id } => {
                if let Some(known) = self.0.get_mut(&id) {
                    known.is_told = true;
                }
            }
        }
    }

    /// The answers of those that were begun and never answered: after a start, nobody knows.
    pub fn interrupted(&self) -> Vec<Reply> {
        let open = self.0.iter().filter(|(_, known)| known.reply.is_none());
        open.map(|(id, _)| Reply::refused(Some(id.clone()), Refusal::Interrupted)).collect()
    }

    /// Answers that the broker has not had.
    pub fn untold(&self) -> Vec<Reply> {
        self.0.values().filter(|known| !known.is_told).filter_map(|k| k.reply.clone()).collect()
    }

    /// Forgets what has long expired. Only to be called with a time that can be believed.
    pub fn forget(&mut self, now: Timestamp) {
        self.0.retain(|_, known| {
            known.until + LONGER > now || (known.reply.is_some() && !known.is_told)
        });
    }

    /// The lines that lead to this very memory.
    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        self.0.iter().flat_map(|(id, known)| {
            let Known { until, digest, reply, is_told } = known.clone();
            let begun = Line::Begun { id: id.clone(), until, digest };
            let told = is_told.then(|| Line::Told { id: id.clone() });
            [Some(begun), reply.map(Line::Answered), told].into_iter().flatten()
        })
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNTIL: Timestamp = Timestamp(1_000_000);

    fn begin(memory: &mut Memory, id: &str) -> bool {
        match memory.turn(id, UNTIL, id) {
            Turn::New(line) => {
                memory.apply(line);
                true
            }
            Turn::Again { .. } | Turn::Refused(_) => false,
        }
    }

    fn done(id: &str) -> Reply {
        Reply::done(id.to_owned(), None)
    }

    #[test]
    fn an_id_that_was_answered_gets_the_same_answer_again() {
        let mut memory = Memory::default();
        assert!(begin(&mut memory, "a"));
        memory.apply(Line::Answered(done("a")));

        assert_eq!(memory.turn("a", UNTIL, "a"), Turn::Again { reply: done("a"), is_told: false });
        memory.apply(Line::Told { id: "a".to_owned() });
        assert_eq!(memory.turn("a", UNTIL, "a"), Turn::Again { reply: done("a"), is_told: true });
        assert_eq!(memory.untold(), []);
    }

    #[test]
    fn an_id_belongs_to_one_command() {
        let mut memory = Memory::default();
        assert!(begin(&mut memory, "a"));

        assert_eq!(memory.turn("a", UNTIL, "other"), Turn::Refused(Refusal::IdTaken));
    }

    #[test]
    fn what_was_begun_and_not_answered_is_not_begun_again() {
        let mut memory = Memory::default();
        assert!(begin(&mut memory, "a"));

        let reply = Reply::refused(Some("a".to_owned()), Refusal::Interrupted);
        assert_eq!(memory.interrupted(), std::slice::from_ref(&reply));
        assert_eq!(memory.turn("a", UNTIL, "a"), Turn::Again { reply, is_told: false });
    }

    #[test]
    fn an_id_is_forgotten_a_day_after_its_command_has_expired() {
        let mut memory = Memory::default();
        assert!(begin(&mut memory, "a"));
        memory.apply(Line::Answered(done("a")));
        memory.apply(Line::Told { id: "a".to_owned() });

        memory.forget(UNTIL + LONGER - Duration::from_millis(1));
        assert_eq!(memory.len(), 1);
        memory.forget(UNTIL + LONGER);
        assert!(memory.is_empty());
    }

    #[test]
    fn too_many_at_once_are_refused_and_nothing_is_forgotten_for_them() {
        let mut memory = Memory::default();
        for number in 0..MOST {
            assert!(begin(&mut memory, &number.to_string()));
        }

        assert!(matches!(memory.turn("x", UNTIL, "x"), Turn::Refused(Refusal::Busy { .. })));
        assert!(matches!(memory.turn("7", UNTIL, "7"), Turn::Again { .. }));
    }

    proptest! {
        /// Whatever comes how often, with the power cut anywhere: each id is begun once at most.
        #[test]
        fn no_command_is_begun_twice(
            steps in prop::collection::vec((0_u8..6, any::<bool>(), any::<bool>()), 0..60),
        ) {
            let (mut memory, mut disk, mut begun) = (Memory::default(), Vec::new(), Vec::new());
            for (id, is_cut, is_answered) in steps {
                let id = id.to_string();
                if let Turn::New(line) = memory.turn(&id, UNTIL, &id) {
                    disk.push(line.clone());
                    memory.apply(line);
                    begun.push(id.clone());
                    if is_answered {
                        disk.push(Line::Answered(done(&id)));
                        memory.apply(Line::Answered(done(&id)));
                    }
                }
                if is_cut {
                    let before = std::mem::take(&mut memory);
                    disk.iter().cloned().for_each(|line| memory.apply(line));
                    prop_assert_eq!(&memory, &before);
                    disk = memory.lines().collect();
                }
            }
            let mut once = begun.clone();
            once.sort();
            once.dedup();
            prop_assert_eq!(once.len(), begun.len());
        }
    }
}
