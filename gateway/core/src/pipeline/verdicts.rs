//! What people say of events: taken down, passed on to the platform, and taught to the detectors.
//!
//! `raised/<event>` keeps each of the last events with what was last said of it ([`Ledger`]); all that a
//! verdict does follows from them, so that nothing has to be added up or taken back. A detector's
//! [`Lesson`] is worked out anew at each verdict, at each start and change of configuration, and every
//! half hour, since it fades.
//!
//! [`Ledger`]: crate::event::verdict::Ledger
//! [`Lesson`]: crate::event::verdict::Lesson

use super::Pipeline;
use super::boundary::{Output, Ruling, Shift};
use super::health::Health;
use crate::community::quantity::Text;
use crate::community::scene::Status;
use crate::event::message::{EventData, Review, Transition};
use crate::event::verdict::{Opinion, Raised, Verdict, Whom, moved};
use crate::event::{Finding, REPORT};
use crate::reading::Timestamp;
use crate::view::SceneView;

impl Pipeline {
    /// Takes down what a person says of an event.
    pub(super) fn handle_verdict(
        &mut self,
        opinion: &Opinion,
        journal: Option<Box<EventData>>,
        now: Timestamp,
    ) {
        let journal = journal.filter(|data| data.event == opinion.event);
        if let Some(data) = &journal {
            self.note_from_journal(data, now);
        }
        let Some(ruling) = self.learn_opinion(opinion, now) else {
            return self.answer(unknown(opinion));
        };
        self.pass_on(opinion, journal, now);
        self.answer(ruling);
    }

    /// Takes an event that was forgotten out of the journal.
    pub(super) fn note_from_journal(&mut self, data: &EventData, now: Timestamp) {
        if self.ledger.get(&data.event).is_none() && !data.drill {
            let speaker = (data.device.as_str(), data.cause.detector.as_str());
            self.ledger.note(data, std::iter::once(speaker), now);
        }
    }

    /// Teaches the detectors what a person says of an event; `None` when nobody knows the event.
    pub(super) fn learn_opinion(&mut self, opinion: &Opinion, now: Timestamp) -> Option<Ruling> {
        let raised = self.ledger.judge(opinion, now).cloned()?;
        let before = self.shifts(&raised);
        self.learn_verdicts(now);
        let after = self.shifts(&raised);
        self.keep_raised(&raised.event);
        let shifts = before
            .into_iter()
            .zip(after)
            .map(|((device, detector, from), (.., to))| Shift { device, detector, from, to });
        let shifts: Vec<Shift> = shifts.collect();
        let told = self.told(opinion, &raised, &shifts);
        let Opinion { event, verdict, .. } = opinion.clone();
        Some(Ruling { event, verdict, is_known: true, shifts, told })
    }

    /// Tells the platform, which may have closed the event long ago.
    fn pass_on(&mut self, opinion: &Opinion, journal: Option<Box<EventData>>, now: Timestamp) {
        let review = |before: &Review| review(before, opinion, now);
        if self.book.review(&opinion.event, review) {
            return;
        }
        if let Some(data) = journal.filter(|data| self.is_told(&data.scene)) {
            let review = review(&data.review);
            self.send(Transition::Updated, EventData { review, ..*data }, now);
        }
    }

    /// Brings the detectors up to what people have said.
    pub(super) fn learn_verdicts(&mut self, now: Timestamp) {
        let mut lessons = self.ledger.lessons(now);
        for (device, state) in self.community.devices.iter().zip(&mut self.devices) {
            for bound in &mut state.bounds {
                let compiled = &self.compiled[bound.detector];
                bound.lesson = if lessons.is_empty() || !compiled.learns() {
                    None
                } else {
                    let whom = Whom {
                        scene: self.community.scenes[compiled.scene].head.id.clone(),
                        detector: compiled.id.clone(),
                        device: device.id.clone(),
                    };
                    lessons.remove(&whom).map(Box::new)
                };
            }
        }
    }

    /// Who raised an event and can learn: device, detector, and how far its threshold is moved.
    fn shifts(&self, raised: &Raised) -> Vec<(String, String, f64)> {
        let speakers = raised.speakers.iter().filter_map(|(device, detector)| {
            let index = self.community.find_device(device)?;
            let position = *self.positions(index, &raised.scene, detector).first()?;
            let bound = &self.devices[index.0].bounds[position];
            let learns = self.compiled[bound.detector].learns();
            learns.then(|| (device.clone(), detector.clone(), bound.shift()))
        });
        speakers.collect()
    }

    /// What the verdict did, in words.
    fn told(&self, opinion: &Opinion, raised: &Raised, shifts: &[Shift]) -> Text {
        let noted = match opinion.verdict {
            None => Text::new("已撤回。", "Taken back."),
            Some(Verdict::FalseAlarm) => Text::new("已记为误报。", "Noted as a false alarm."),
            Some(Verdict::Real) => Text::new("已记为属实。", "Noted as real."),
            Some(Verdict::PlannedWork) => Text::new(
                "已记为计划内作业，不影响阈值。",
                "Noted as planned work, which moves no threshold.",
            ),
        };
        let stands = |Shift { device, detector, to, .. }: &Shift| {
            let index = self.community.find_device(device);
            let name = index.map(|index| &self.community.device(index).title);
            let (zh, en) = name.map_or((device, device), |name| (&name.zh, &name.en));
            let is = moved(*to);
            let is = is.unwrap_or_else(|| Text::new("阈值同配置", "threshold as configured"));
            Text::new(
                format!("{zh}（{detector}）：{}。", is.zh),
                format!("{en} ({detector}): {}.", is.en),
            )
        };
        let sentences: Vec<Text> = std::iter::once(noted)
            .chain(shifts.iter().map(stands))
            .chain(self.only_counts(raised, shifts))
            .collect();
        let in_language = |of: fn(&Text) -> &str| sentences.iter().map(of).collect::<Vec<_>>();
        Text::new(in_language(|t| &t.zh).concat(), in_language(|t| &t.en).join(" "))
    }

    /// What to say where a verdict moves nothing.
    fn only_counts(&self, raised: &Raised, shifts: &[Shift]) -> Option<Text> {
        let is_declared = raised.speakers.iter().any(|(device, detector)| {
            let is_configured = self
                .community
                .find_device(device)
                .is_some_and(|index| !self.positions(index, &raised.scene, detector).is_empty());
            let moves = |shift: &Shift| shift.device == *device && shift.detector == *detector;
            is_configured && !shifts.iter().any(moves)
        });
        let scene = &raised.scene;
        if is_declared {
            Some(Text::new(
                format!("它计入统计；声明的限值不会自动改变，如需修改请编辑场景 {scene} 的文件。"),
                format!(
                    "It counts; a declared limit is not moved: change it in the file of the scene \
                     `{scene}`."
                ),
            ))
        } else {
            let counts =
                ("它计入统计，没有可调的阈值。", "It counts; there is no threshold to move.");
            shifts.is_empty().then(|| Text::new(counts.0, counts.1))
        }
    }

    /// Answers once what was decided in this step is on disk.
    fn answer(&mut self, ruling: Ruling) {
        self.answers.push_back((u64::MAX, Output::Ruling(ruling)));
    }

    /// Gives the answers that may be given.
    pub(super) fn give_answers(&mut self) {
        for (needs, _) in &mut self.answers {
            *needs = (*needs).min(self.batches);
        }
        while let Some((_, answer)) = self.answers.pop_front_if(|(needs, _)| *needs <= self.stored)
        {
            self.outputs.push_back(answer);
        }
    }

    /// Notes an event as it stands, for those who will judge it.
    pub(super) fn note_raised<'a>(
        &mut self,
        data: &EventData,
        findings: impl Iterator<Item = &'a Finding>,
        is_told: bool,
        now: Timestamp,
    ) {
        // An exercise is nobody's mistake.
        if data.drill {
            return;
        }
        let is_new = self.ledger.get(&data.event).is_none();
        let speakers =
            findings.map(|finding| (finding.device.as_str(), finding.evidence.detector.as_str()));
        let is_news = self.ledger.note(data, speakers, now);
        // What was on trial while it lasted stays so, unless the world came to hear of it.
        let was_pilot = self.ledger.get(&data.event).is_some_and(|raised| raised.is_pilot);
        let is_pilot = !is_told && (was_pilot || self.status(&data.scene) == Status::Pilot);
        if self.ledger.mark_pilot(&data.event, is_pilot) || is_news {
            self.keep_raised(&data.event);
        }
        if is_new {
            for event in self.ledger.forget(now) {
                self.keep_raised(&event);
            }
        }
    }

    /// Writes down what is known of an event, or that nothing is.
    fn keep_raised(&mut self, event: &str) {
        let json = self.ledger.get(event).and_then(|raised| serde_json::to_vec(raised).ok());
        self.batch.states.push((format!("raised/{event}"), json));
    }

    /// Takes up an event; false when it cannot be read.
    pub(super) fn restore_raised(&mut self, json: &[u8]) -> bool {
        let raised = serde_json::from_slice::<Raised>(json);
        raised.is_ok_and(|raised| {
            self.ledger.restore(raised);
            true
        })
    }

    /// The wall clock was set.
    pub(super) fn shift_raised(&mut self, to: impl Fn(Timestamp) -> Timestamp) {
        for event in self.ledger.shift(to) {
            self.keep_raised(&event);
        }
    }

    /// How often each scene was right lately, on trial by what it would have raised: first those that are configured, in their order.
    pub(super) fn records(&self, now: Timestamp) -> Vec<SceneView> {
        let mut tallies = self.ledger.tallies(now, |scene| self.status(scene) == Status::Pilot);
        let configured = self.community.scenes.iter().filter_map(|scene| {
            let head = &scene.head;
            Some((head.id.as_str(), head.title.clone(), tallies.remove(head.id.as_str())?))
        });
        let configured: Vec<_> = configured.collect();
        let others = tallies.into_iter().map(|(id, tally)| {
            let report = (id == REPORT).then(|| Text::new("人工上报", "Reported by people"));
            let own = Health::from_id(id).map(Health::title).or(report);
            (id, own.unwrap_or_else(|| Text::new(id, id)), tally)
        });
        let all = configured.into_iter().chain(others);
        let view = |(id, title, tally): (&str, Text, _)| {
            let status = self.status(id);
            SceneView { id: id.to_owned(), title, status, tally }
        };
        all.map(view).collect()
    }
}

/// What is told of an opinion.
pub(super) fn review(before: &Review, opinion: &Opinion, now: Timestamp) -> Review {
    Review {
        required: before.required,
        verdict: opinion.verdict.map(|verdict| verdict.word().to_owned()),
        by: Some(opinion.by.clone()),
        at: Some(now.rfc3339()),
    }
}

fn unknown(opinion: &Opinion) -> Ruling {
    let event = &opinion.event;
    Ruling {
        event: event.clone(),
        verdict: opinion.verdict,
        is_known: false,
        shifts: Vec::new(),
        told: Text::new(
            format!("没有事件 {event}，未作任何更改。"),
            format!("There is no event `{event}`; nothing was done."),
        ),
    }
}
