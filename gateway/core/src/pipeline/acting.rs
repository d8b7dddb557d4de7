//! What people do about events, carried out and answered once it is on disk.

use super::Pipeline;
use super::boundary::Output;
use crate::community::quantity::Text;
use crate::event::action::{Acted, Action, Deed, Drill, NotDone, Report};
use crate::event::message::EventData;
use crate::reading::Timestamp;

impl Pipeline {
    /// Carries out what somebody does about an event.
    pub(super) fn handle_action(
        &mut self,
        action: Action,
        ticket: u64,
        _journal: Option<Box<EventData>>,
        _now: Timestamp,
    ) {
        let event = action.event.clone();
        let result = action.checked().and_then(|action| match action.deed {
            Deed::Acknowledge => {
                self.book.acknowledge(&action.event).map(Box::new).ok_or(NotDone::Unknown)
            }
            _ => Err(NotDone::Unknown),
        });
        self.answer_act(ticket, event, result);
    }

    pub(super) fn handle_report(&mut self, report: Report, ticket: u64, _now: Timestamp) {
        let result = report.checked().and(Err(NotDone::Unknown));
        self.answer_act(ticket, String::new(), result);
    }

    pub(super) fn handle_drill(&mut self, drill: Drill, ticket: u64, _now: Timestamp) {
        let result = drill.checked().and(Err(NotDone::Unknown));
        self.answer_act(ticket, String::new(), result);
    }

    /// Answers once what was decided in this step is on disk.
    fn answer_act(&mut self, ticket: u64, event: String, result: Result<Box<EventData>, NotDone>) {
        let told = match &result {
            Ok(data) => Text::new(data.handling.stage.word(), data.handling.stage.word()),
            Err(error) => error.told(),
        };
        let acted = Acted { event, result, told };
        self.answers.push_back((u64::MAX, Output::Acted { ticket, acted }));
    }
}
