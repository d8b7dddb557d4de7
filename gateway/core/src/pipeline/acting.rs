//! What people do about events, carried out and answered once it is on disk.
//!
//! An event that is in the book goes by the book. One that has left it stands in the journal alone: what
//! can still be done about it is told to the platform from there. To dismiss an event is a verdict as
//! well ([`super::verdicts`]), from which its detector learns.

use super::Pipeline;
use super::boundary::Output;
use super::verdicts::review;
use crate::community::quantity::Text;
use crate::event::action::{Acted, Action, Deed, NotDone, NotNow, Side};
use crate::event::handling::{Sight, step, transition};
use crate::event::message::{EventData, Handling, Stage};
use crate::event::verdict::Opinion;
use crate::reading::Timestamp;

/// What a deed came to: the event's id and whether anything was left to do, or why not.
type Done = Result<(Box<EventData>, Text), NotDone>;

impl Pipeline {
    /// Carries out what somebody does about an event.
    pub(super) fn handle_action(
        &mut self,
        action: Action,
        ticket: u64,
        journal: Option<Box<EventData>>,
        now: Timestamp,
    ) {
        let event = action.event.trim().to_owned();
        let done = action.checked().and_then(|action| self.act(&action, journal, now));
        self.answer_act(ticket, event, done);
    }

    fn act(&mut self, action: &Action, journal: Option<Box<EventData>>, now: Timestamp) -> Done {
        // The platform has people of its own.
        if let (Deed::Dispatch { to }, Side::Box) = (&action.deed, action.actor.side)
            && !self.community.duties.can_send(to)
        {
            return Err(NotDone::NoSuchPerson(to.clone()));
        }
        let opinion = opinion(action);
        let done = self.book.act(action, now);
        let (is_news, data) = match done {
            Some(done) => {
                let is_news = done?;
                self.raise_again(&action.event, &action.deed, now);
                if let Some(opinion) = opinion.as_ref().filter(|_| is_news) {
                    self.book.review(&action.event, |before| review(before, opinion, now));
                }
                let (_, live) = self.book.find(&action.event).ok_or(NotDone::Unknown)?;
                (is_news, Box::new(live.data.clone()))
            }
            None => self.act_afterwards(action, journal, opinion.as_ref(), now)?,
        };
        let mut told = told(&data, is_news);
        if let Some(opinion) = opinion.filter(|_| is_news && !data.drill)
            && let Some(learnt) = self.learn_opinion(&opinion, now)
        {
            told.zh.push_str(&learnt.told.zh);
            told.en.push(' ');
            told.en.push_str(&learnt.told.en);
        }
        Ok((data, told))
    }

    /// Does what can be done about an event that has left the book.
    fn act_afterwards(
        &mut self,
        action: &Action,
        journal: Option<Box<EventData>>,
        opinion: Option<&Opinion>,
        now: Timestamp,
    ) -> Result<(bool, Box<EventData>), NotDone> {
        let mut data = journal.filter(|data| data.event == action.event).ok_or(NotDone::Unknown)?;
        let before = data.handling.stage;
        let refused = |why| NotDone::NotNow { stage: before, why };
        if matches!(action.deed, Deed::Shelve { .. } | Deed::Unshelve | Deed::Reopen) {
            return Err(refused(NotNow::Over));
        }
        let after = step(before, &action.deed, Sight::default()).map_err(refused)?;
        if after == before {
            return Ok((false, data));
        }
        data.handling = Handling {
            stage: after,
            by: Some(action.actor.name.clone()),
            at: Some(now.rfc3339()),
            note: Some(action.note.clone()).filter(|note| !note.is_empty()),
            due: None,
            shelved_until: None,
            assignee: match &action.deed {
                Deed::Dispatch { to } => Some(to.clone()),
                _ => data.handling.assignee.take(),
            },
        };
        data.echo.clear();
        if let Some(opinion) = opinion {
            self.note_from_journal(&data, now);
            data.review = review(&data.review, opinion, now);
        }
        if let Some(transition) = transition(&action.deed).filter(|_| self.is_told(&data.scene)) {
            self.send(transition, (*data).clone(), now);
        }
        Ok((true, data))
    }

    /// Answers once what was decided in this step is on disk.
    pub(super) fn answer_act(&mut self, ticket: u64, event: String, done: Done) {
        let (result, told) = match done {
            Ok((data, told)) => (Ok(data), told),
            Err(error) => {
                let told = error.told();
                (Err(error), told)
            }
        };
        let event = result.as_ref().map_or(event, |data| data.event.clone());
        let acted = Acted { event, result, told };
        self.answers.push_back((u64::MAX, Output::Acted { ticket, acted }));
    }

    /// Brings answers up to what this step has made of their events: an id, a time. Those who began one
    /// hear of it only now.
    pub(super) fn complete_answers(&mut self) {
        for (ticket, key) in std::mem::take(&mut self.begun) {
            let live = self.book.get(&key).map(|live| Box::new(live.data.clone()));
            let done = live.ok_or(NotDone::Unknown).map(|data| {
                let told = told(&data, true);
                (data, told)
            });
            self.answer_act(ticket, String::new(), done);
        }
        for (_, answer) in self.answers.iter_mut().filter(|(needs, _)| *needs == u64::MAX) {
            if let Output::Acted { acted, .. } = answer
                && let Ok(data) = &mut acted.result
                && let Some((_, live)) = self.book.find(&acted.event)
            {
                data.clone_from(&Box::new(live.data.clone()));
            }
        }
    }
}

/// To dismiss an event is to say what it was worth.
fn opinion(action: &Action) -> Option<Opinion> {
    let Deed::Dismiss { as_ } = action.deed else { return None };
    Some(Opinion {
        event: action.event.clone(),
        verdict: Some(as_),
        by: action.actor.name.clone(),
        note: action.note.clone(),
    })
}

/// Where the event stands now, in words.
fn told(data: &EventData, is_news: bool) -> Text {
    let (zh, en) = match data.handling.stage {
        _ if data.handling.shelved_until.is_some() => ("已搁置", "put aside"),
        Stage::Raised => ("待确认", "waiting for somebody to acknowledge it"),
        Stage::Acknowledged => ("已确认", "acknowledged"),
        Stage::Dispatched => ("已派单", "dispatched"),
        Stage::Handled => ("已处置", "handled"),
        Stage::Verified => ("已核实", "verified"),
        Stage::Closed => ("已关闭", "closed"),
        Stage::Dismissed => ("已排除", "dismissed"),
    };
    if is_news {
        Text::new(format!("{zh}。"), format!("It is {en}."))
    } else {
        Text::new(
            format!("{zh}，无需再操作。"),
            format!("It is {en} already; nothing was left to do."),
        )
    }
}
