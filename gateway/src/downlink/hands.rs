//! What carries commands out, and what becomes of their answers.

use std::sync::Arc;

use gatehouse_core::command::base64;
use gatehouse_core::command::task::{EventArgs, SnapshotArgs, Task, WriteArgs};
use gatehouse_core::command::{Name, Refusal};
use gatehouse_core::event::action::{Action, Actor, Deed, Drill, NotDone, Side};
use gatehouse_core::pipeline::Write;
use gatehouse_core::reading::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::fetching::Fetching;
use crate::desk::{Desk, NoRuling};
use crate::evidence::NoStill;
use crate::stills::{LARGEST, NoStillNow, Pictures};
use crate::uplink::confirming::{Confirmations, NotConfirmed};
use crate::writes::Writes;

/// What the gateway says of itself, made when it is asked for.
pub type Report = Arc<dyn Fn() -> Value + Send + Sync>;

/// Where a picture stands in an answer; it is sent once, and not written down with the rest.
pub(super) const JPEG: &str = "jpeg";

/// Everything that commands reach.
#[derive(Clone)]
pub struct Hands {
    pub confirmations: Confirmations,
    pub desk: Arc<Desk>,
    pub writes: Writes,
    pub report: Report,
    pub fetching: Fetching,
    pub pictures: Pictures,
}

/// `args` of `drill.start`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DrillArgs {
    /// The scene that is played.
    scene: String,
    /// The area or device where it is played.
    place: String,
    #[serde(default)]
    text: String,
}

impl Hands {
    /// Does it; gives what there is to tell. Not [`Task::Install`], which takes minutes.
    pub(super) async fn carry_out(&self, task: Task, who: &str) -> Result<Value, Refusal> {
        match task {
            Task::Confirm(ranges) => self.confirm(ranges).await,
            Task::Act(args, name) => self.act(args, name, who).await,
            Task::Report => Ok((self.report)()),
            Task::Drill(args) => self.drill(args, who).await,
            Task::Write(args) => self.write(args).await,
            Task::Snapshot(args) => self.snapshot(args).await,
            Task::Install(_) => Err(unsupported("it is done beside the other commands")),
        }
    }

    async fn confirm(&self, ranges: Vec<(u64, u64)>) -> Result<Value, Refusal> {
        let confirmations = self.confirmations.clone();
        let confirmed = tokio::task::spawn_blocking(move || confirmations.confirm(&ranges)).await;
        match confirmed {
            Ok(Ok(records)) => Ok(json!({ "confirmed": records })),
            Ok(Err(why @ NotConfirmed::NotAsked)) => Err(unsupported(&why.to_string())),
            Ok(Err(why @ NotConfirmed::NotSent(_))) => {
                Err(Refusal::NotSent { reason: why.to_string() })
            }
            Err(error) => Err(Refusal::Failed { reason: error.to_string() }),
        }
    }

    async fn act(&self, args: EventArgs, name: Name, who: &str) -> Result<Value, Refusal> {
        let deed = deed(name, &args)?;
        let actor = Actor { name: who.to_owned(), side: Side::Platform };
        let action = Action { event: args.event.clone(), deed, actor, note: args.note };
        let acted = self.desk.act(action).await.map_err(no_ruling)?;
        let data = acted.result.map_err(|why| not_done(why, &args.event))?;
        Ok(json!({ "event": data.event, "stage": data.handling.stage, "state": data.state }))
    }

    async fn write(&self, args: WriteArgs) -> Result<Value, Refusal> {
        let WriteArgs { device, point, value } = args;
        let write = Write { device: device.clone(), point: point.clone(), value };
        let read = self.writes.write(write).await?;
        Ok(json!({ "device": device, "point": point, "value": read }))
    }

    /// What a camera sees now, or what was kept of an event; masked either way.
    async fn snapshot(&self, args: SnapshotArgs) -> Result<Value, Refusal> {
        let SnapshotArgs { camera, event } = args;
        let (about, at, hidden, jpeg) = if let Some(camera) = camera {
            let still =
                self.pictures.stills.now(&camera).await.map_err(|why| no_still_now(&why))?;
            let masked = still.masked;
            (json!({ "camera": camera }), still.at, masked.hidden(), masked.jpeg().to_vec())
        } else {
            let event = event.unwrap_or_default();
            let evidence = self.pictures.evidence.clone();
            let evidence = evidence.ok_or_else(|| no_still_now(&NoStillNow::NotAllowed))?;
            let id = event.clone();
            let read = tokio::task::spawn_blocking(move || evidence.of_event(&id)).await;
            let read = read.map_err(|error| Refusal::Failed { reason: error.to_string() })?;
            let still = read.map_err(|error| match error {
                NoStill::NotKept(event) => Refusal::NotKept { event },
                error @ NoStill::Unusable { .. } => Refusal::Failed { reason: error.to_string() },
            })?;
            (json!({ "event": event }), still.at, still.hidden, still.jpeg)
        };
        if jpeg.len() > LARGEST {
            return Err(Refusal::Failed { reason: "the still is too large to be sent".to_owned() });
        }
        let mut answer = about;
        answer["time"] = at.rfc3339().into();
        answer["hidden"] = hidden.into();
        answer[JPEG] = base64::standard(&jpeg).into();
        Ok(answer)
    }

    async fn drill(&self, args: Map<String, Value>, who: &str) -> Result<Value, Refusal> {
        let args: DrillArgs = serde_json::from_value(Value::Object(args))
            .map_err(|error| Refusal::Malformed { reason: format!("`args`: {error}") })?;
        let DrillArgs { scene, place, text } = args;
        let drill = Drill { scene: scene.clone(), place, by: who.to_owned(), text };
        let acted = self.desk.drill(drill).await.map_err(no_ruling)?;
        let data = acted.result.map_err(|why| not_done(why, &scene))?;
        Ok(json!({ "event": data.event, "stage": data.handling.stage }))
    }
}

fn deed(name: Name, args: &EventArgs) -> Result<Deed, Refusal> {
    let missing = |key: &str| Refusal::Malformed { reason: format!("`args` needs `{key}`") };
    Ok(match name {
        Name::EventAcknowledge => Deed::Acknowledge,
        Name::EventDispatch => Deed::Dispatch { to: args.to.clone().ok_or_else(|| missing("to"))? },
        Name::EventHandle => Deed::Handle,
        Name::EventVerify => Deed::Verify,
        Name::EventShelve => {
            let until = args.until.as_ref().and_then(|until| until.parse::<Timestamp>().ok());
            Deed::Shelve { until: until.ok_or_else(|| missing("until"))? }
        }
        Name::EventDismiss => {
            let verdict = Value::from(args.as_.clone().unwrap_or_default());
            let as_ = serde_json::from_value(verdict).map_err(|error| Refusal::Malformed {
                reason: format!("`as` is `false-alarm` or `planned-work`: {error}"),
            })?;
            Deed::Dismiss { as_ }
        }
        Name::EventClose => Deed::Close,
        Name::EventsConfirm
        | Name::DeviceWrite
        | Name::GatewayReport
        | Name::GatewaySnapshot
        | Name::BundleInstall
        | Name::DrillStart => return Err(unsupported("this is nothing that is done to an event")),
    })
}

fn unsupported(reason: &str) -> Refusal {
    Refusal::Unsupported { reason: reason.to_owned() }
}

fn no_still_now(why: &NoStillNow) -> Refusal {
    let reason = why.to_string();
    match why {
        NoStillNow::NoCamera(_) | NoStillNow::NoPicture(_) => Refusal::NoCamera { reason },
        NoStillNow::NoMaskModel(_) | NoStillNow::StillSeen | NoStillNow::NotAPicture(_) => {
            Refusal::NotMasked { reason }
        }
        NoStillNow::NotAllowed => Refusal::NotAllowed { reason },
        NoStillNow::Busy => Refusal::Busy { reason },
    }
}

fn not_done(why: NotDone, about: &str) -> Refusal {
    let not_found = |what: &str, id: &str| Refusal::NotFound { what: what.into(), id: id.into() };
    match why {
        NotDone::Unknown => not_found("event", about),
        NotDone::NotNow { .. } => Refusal::NotNow { reason: why.to_string() },
        NotDone::NoSuchPerson(id) => not_found("person or team", &id),
        NotDone::NoSuchPlace(id) => not_found("area, device or scene", &id),
        NotDone::Nameless | NotDone::TooLong | NotDone::BadTime => {
            Refusal::Malformed { reason: why.to_string() }
        }
    }
}

fn no_ruling(why: NoRuling) -> Refusal {
    match why {
        NoRuling::Unknown(id) => Refusal::NotFound { what: "event".to_owned(), id },
        NoRuling::Opinion(_) | NoRuling::Ending | NoRuling::Late => {
            Refusal::Failed { reason: why.to_string() }
        }
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::command::Refusal;
    use gatehouse_core::event::action::NotNow;
    use gatehouse_core::event::message::Stage;

    use super::*;

    fn args(event: &str) -> EventArgs {
        serde_json::from_value(json!({ "event": event, "note": "seen" })).unwrap()
    }

    #[test]
    fn each_command_about_an_event_is_the_deed_of_its_name() {
        let to = EventArgs { to: Some("team-1".into()), ..args("e") };
        let until = EventArgs { until: Some("2030-01-01T00:00:00Z".into()), ..args("e") };
        let planned = EventArgs { as_: Some("planned-work".into()), ..args("e") };
        for (name, args, word) in [
            (Name::EventAcknowledge, args("e"), "acknowledge"),
            (Name::EventDispatch, to, "dispatch"),
            (Name::EventHandle, args("e"), "handle"),
            (Name::EventVerify, args("e"), "verify"),
            (Name::EventShelve, until, "shelve"),
            (Name::EventDismiss, planned, "dismiss"),
            (Name::EventClose, args("e"), "close"),
        ] {
            assert_eq!(deed(name, &args).map(|deed| deed.word()), Ok(word));
        }
        let wrong = EventArgs { as_: Some("boring".into()), ..args("e") };
        assert!(matches!(deed(Name::EventDismiss, &wrong), Err(Refusal::Malformed { .. })));
        assert!(deed(Name::GatewayReport, &args("e")).is_err());
    }

    #[test]
    fn why_nothing_was_done_is_told_by_kind() {
        let kind = |why: NotDone| {
            let refusal = serde_json::to_value(not_done(why, "e")).unwrap();
            refusal["kind"].as_str().unwrap().to_owned()
        };
        let not_now = NotDone::NotNow { stage: Stage::Closed, why: NotNow::Over };
        assert_eq!(kind(not_now), "not-now");
        assert_eq!(kind(NotDone::Unknown), "not-found");
        assert_eq!(kind(NotDone::NoSuchPerson("li".into())), "not-found");
        assert_eq!(kind(NotDone::BadTime), "malformed");
    }
}
