//! What somebody does about an event, and what came of it.
//!
//! The console, the journal's socket, the platform's commands and alert buttons make an [`Action`]; the
//! pipeline carries it out by the rules of [`super::handling`] and answers with an [`Acted`]. Who may
//! act is decided before: here everybody may.

use serde::{Deserialize, Serialize};

use super::message::{EventData, Stage};
use super::verdict::Verdict;
use crate::community::quantity::Text;
use crate::community::scene::Category;
use crate::reading::Timestamp;

/// Letters of a name, an id and a note, at most.
const LONGEST_NAME: usize = 80;
const LONGEST_NOTE: usize = 500;

/// What somebody does about an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// The event's id.
    pub event: String,
    pub deed: Deed,
    pub actor: Actor,
    #[serde(default)]
    pub note: String,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// Somebody has seen it and will see to it.
    Acknowledge,
    /// Somebody is sent: a person's or team's id.
    Dispatch { to: String },
    /// What could be done there was done.
    Handle,
    /// Somebody has seen that it is over.
    Verify,
    /// Not now: it is put aside until then, at most [`super::handling::LONGEST_SHELF`].
    Shelve { until: Timestamp },
    /// It is taken up again.
    Unshelve,
    /// It needs nobody, and why: a false alarm or planned work.
    Dismiss {
        #[serde(rename = "as")]
        as_: Verdict,
    },
    /// It is over, and nothing is left to do.
    Close,
    /// Somebody says that it is not over: everything begins anew.
    Reopen,
    /// The required review: it may be sent on.
    Approve,
    /// The required review: it is sent to nobody, and dismissed.
    Refuse,
}

impl Deed {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Dispatch { .. } => "dispatch",
            Self::Handle => "handle",
            Self::Verify => "verify",
            Self::Shelve { .. } => "shelve",
            Self::Unshelve => "unshelve",
            Self::Dismiss { .. } => "dismiss",
            Self::Close => "close",
            Self::Reopen => "reopen",
            Self::Approve => "approve",
            Self::Refuse => "refuse",
        }
    }
}

/// Who does it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// An account, a person's id, or `platform`.
    pub name: String,
    pub side: Side,
}

/// Where somebody sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    Box,
    Platform,
}

/// Something that a person saw and no sensor did, or did not yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub category: Category,
    /// The area's id.
    pub area: String,
    pub text: String,
    /// Who reports it.
    pub by: String,
    /// The scene whose event it is about, when the person knows; else the category decides.
    #[serde(default)]
    pub cause: Option<String>,
}

/// A planned exercise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// The scene that is played, by id.
    pub scene: String,
    /// The area or device where it is played, by id.
    pub place: String,
    /// Who plays it.
    pub by: String,
    /// What it is about, for those who are called.
    #[serde(default)]
    pub text: String,
}

/// What came of it. Given once it is on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acted {
    /// The event's id; empty when there is none.
    pub event: String,
    /// The event as it stands now.
    pub result: Result<Box<EventData>, NotDone>,
    /// The same in words.
    pub told: Text,
}

/// Why nothing was done. It changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum NotDone {
    /// Look at the list of events.
    #[error("there is no such event")]
    Unknown,
    /// It stands where this cannot be done; look at it again.
    #[error("the event is {}, and {why}", stage.word())]
    NotNow { stage: Stage, why: NotNow },
    /// Write the person or team into community.toml.
    #[error("community.toml has no person or team `{0}`")]
    NoSuchPerson(String),
    /// Name an area, device or scene of the configuration.
    #[error("the configuration has no area, device or scene `{0}`")]
    NoSuchPlace(String),
    /// Say who it is.
    #[error("who does it? It needs a name")]
    Nameless,
    /// Say it shorter.
    #[error("a name has at most {LONGEST_NAME} letters, a text {LONGEST_NOTE}, on one line each")]
    TooLong,
    /// Give a time that is still to come, within seven days.
    #[error("an event is put aside until a time within the next seven days")]
    BadTime,
}

/// What stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum NotNow {
    #[error("its sensor still sees it: handle it, put it aside or dismiss it")]
    StillSeen,
    #[error("nothing more can be done about it")]
    Over,
    #[error("a person must first say whether it may be sent on")]
    Unreviewed,
    #[error("no review is asked for")]
    NoReview,
}

impl NotDone {
    /// The same for a person, in both languages.
    pub fn told(&self) -> Text {
        let zh = match self {
            Self::Unknown => "没有这个事件，未作任何更改。".to_owned(),
            Self::NotNow { why, .. } => match why {
                NotNow::StillSeen => "传感器仍检测到该情况：请先处置、搁置或予以排除。".to_owned(),
                NotNow::Over => "该事件已结束，无法再作更改。".to_owned(),
                NotNow::Unreviewed => "须先由人审核是否可以上报。".to_owned(),
                NotNow::NoReview => "该事件无需审核。".to_owned(),
            },
            Self::NoSuchPerson(id) => format!("community.toml 中没有人员或班组“{id}”。"),
            Self::NoSuchPlace(id) => format!("配置中没有区域、设备或场景“{id}”。"),
            Self::Nameless => "请填写姓名。".to_owned(),
            Self::TooLong => {
                format!("姓名最多 {LONGEST_NAME} 字，说明最多 {LONGEST_NOTE} 字，且只能一行。")
            }
            Self::BadTime => "搁置须有期限，最长七天。".to_owned(),
        };
        Text::new(zh, format!("Nothing was done: {self}."))
    }
}

impl Action {
    /// Tidies it up.
    ///
    /// # Errors
    /// It names nobody, or is no plain text.
    pub fn checked(mut self) -> Result<Self, NotDone> {
        if let Deed::Dispatch { to } = &mut self.deed {
            tidy(to, LONGEST_NAME)?;
        }
        tidy(&mut self.event, LONGEST_NAME)?;
        tidy(&mut self.note, LONGEST_NOTE)?;
        named(&mut self.actor.name)?;
        Ok(self)
    }
}

impl Report {
    /// Tidies it up.
    ///
    /// # Errors
    /// It names nobody, or is no plain text.
    pub fn checked(mut self) -> Result<Self, NotDone> {
        tidy(&mut self.area, LONGEST_NAME)?;
        tidy(&mut self.text, LONGEST_NOTE)?;
        if let Some(cause) = &mut self.cause {
            tidy(cause, LONGEST_NAME)?;
        }
        named(&mut self.by)?;
        Ok(self)
    }
}

impl Drill {
    /// Tidies it up.
    ///
    /// # Errors
    /// It names nobody, or is no plain text.
    pub fn checked(mut self) -> Result<Self, NotDone> {
        tidy(&mut self.scene, LONGEST_NAME)?;
        tidy(&mut self.place, LONGEST_NAME)?;
        tidy(&mut self.text, LONGEST_NOTE)?;
        named(&mut self.by)?;
        Ok(self)
    }
}

fn named(name: &mut String) -> Result<(), NotDone> {
    tidy(name, LONGEST_NAME)?;
    if name.is_empty() { Err(NotDone::Nameless) } else { Ok(()) }
}

/// Cuts the blanks off, and refuses what no person writes on one line.
fn tidy(text: &mut String, most: usize) -> Result<(), NotDone> {
    // Not a letter of a text of megabytes is looked at twice.
    let is_plain = text.len() <= most * 8
        && text.trim().chars().count() <= most
        && !text.trim().contains(char::is_control);
    if !is_plain {
        return Err(NotDone::TooLong);
    }
    *text = text.trim().to_owned();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(name: &str, note: String) -> Action {
        let actor = Actor { name: name.into(), side: Side::Box };
        Action { event: "e".into(), deed: Deed::Acknowledge, actor, note }
    }

    #[test]
    fn a_note_of_two_megabytes_is_refused_and_so_is_nobody() {
        let long = "字".repeat(700_000);
        assert_eq!(action("Li", long).checked(), Err(NotDone::TooLong));
        assert_eq!(action("Li", "two\nlines".into()).checked(), Err(NotDone::TooLong));
        assert_eq!(action(" ", String::new()).checked(), Err(NotDone::Nameless));
        let plain = action(" Li ", " 已到现场 ".into()).checked().unwrap();
        assert_eq!((plain.actor.name.as_str(), plain.note.as_str()), ("Li", "已到现场"));
    }

    #[test]
    fn an_action_is_read_as_it_was_written() {
        for deed in [
            Deed::Dispatch { to: "li".into() },
            Deed::Dismiss { as_: Verdict::PlannedWork },
            Deed::Shelve { until: Timestamp(1_800_000_000_000) },
            Deed::Handle,
        ] {
            let action = Action { deed, ..action("Li", String::new()) };
            let json = serde_json::to_string(&action).unwrap();
            assert_eq!(serde_json::from_str::<Action>(&json).unwrap(), action, "{json}");
        }
    }
}
