//! The lines of a story's `expect`: `2m opened 3` is an event that opens at level III two minutes in.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::fault::nearest;
use crate::event::message::Transition;

/// Every transition, for looking up a word.
const TRANSITIONS: [Transition; 14] = [
    Transition::Opened,
    Transition::Updated,
    Transition::Escalated,
    Transition::Acknowledged,
    Transition::Dispatched,
    Transition::Handled,
    Transition::Cleared,
    Transition::Unknown,
    Transition::Reopened,
    Transition::Verified,
    Transition::Shelved,
    Transition::Unshelved,
    Transition::Dismissed,
    Transition::Closed,
];

/// One thing that must happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectation {
    /// Counted from the start of the story.
    pub at: Duration,
    pub transition: Transition,
    /// Any level when left out.
    pub level: Option<u8>,
}

impl Expectation {
    /// Whether what happened is what was expected.
    pub fn is_met_by(&self, told: &Self) -> bool {
        let level = self.level.is_none() || self.level == told.level;
        (self.at, self.transition) == (told.at, told.transition) && level
    }
}

/// The line does not say what must happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{line}` is not an expectation: {what}")]
pub struct NotAnExpectation {
    pub line: String,
    pub what: &'static str,
    pub help: Option<String>,
}

impl FromStr for Expectation {
    type Err = NotAnExpectation;

    fn from_str(line: &str) -> Result<Self, NotAnExpectation> {
        let fault = |what, help| NotAnExpectation { line: line.to_owned(), what, help };
        let example = || Some("as in `2m opened 3`".to_owned());
        // The time may have several words, as in `1m 30s`; it ends where letters begin a word.
        let is_word = |word: &&str| word.starts_with(|c: char| c.is_ascii_alphabetic());
        let Some(word) = line.split_whitespace().find(is_word) else {
            return Err(fault("it names no transition", example()));
        };
        let (time, rest) = line.split_once(word).unwrap_or((line, ""));
        let at = humantime::parse_duration(time.trim())
            .map_err(|_| fault("it does not begin with a length of time", example()))?;
        let transition = TRANSITIONS.into_iter().find(|known| known.word() == word);
        let transition = transition.ok_or_else(|| {
            fault("it names no transition", nearest(word, TRANSITIONS.map(Transition::word)))
        })?;
        let level = match rest.trim() {
            "" => None,
            digit => Some(
                digit
                    .parse()
                    .ok()
                    .filter(|level| (1..=4).contains(level))
                    .ok_or_else(|| fault("the level is not one of 1, 2, 3, 4", example()))?,
            ),
        };
        Ok(Self { at, transition, level })
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", humantime::format_duration(self.at), self.transition.word())?;
        self.level.map_or(Ok(()), |level| write!(f, " {level}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_time_a_transition_and_perhaps_a_level() {
        let opened = Expectation {
            at: Duration::from_secs(90),
            transition: Transition::Opened,
            level: Some(3),
        };
        assert_eq!("1m 30s opened 3".parse(), Ok(opened));
        assert_eq!(opened.to_string().parse(), Ok(opened));
        assert_eq!(
            "5 min cleared".parse::<Expectation>().map(|e| e.level),
            Err(NotAnExpectation {
                line: "5 min cleared".into(),
                what: "it does not begin with a length of time",
                help: Some("as in `2m opened 3`".into()),
            })
        );
    }

    #[test]
    fn a_wrong_line_says_what_is_wrong_with_it() {
        let cases = [
            ("", "it names no transition", Some("as in `2m opened 3`")),
            (
                "soon opened 3",
                "it does not begin with a length of time",
                Some("as in `2m opened 3`"),
            ),
            ("2m opend 3", "it names no transition", Some("did you mean `opened`?")),
            ("2m opened 5", "the level is not one of 1, 2, 3, 4", Some("as in `2m opened 3`")),
        ];
        for (line, what, help) in cases {
            let fault = line.parse::<Expectation>().unwrap_err();
            assert_eq!((fault.what, fault.help.as_deref()), (what, help), "{line}");
        }
    }
}
