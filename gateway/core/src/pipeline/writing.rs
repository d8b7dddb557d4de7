//! Values that are written to devices: judged here, carried out by the sources, and done only when the
//! device shows the value.
//!
//! Nothing is written that its device type does not declare, outside of its limits, too often, or while
//! its interlock does not hold or cannot tell. What was handed to a source is never handed out again:
//! when no answer comes it is not known whether the device took it, and that is the answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Pipeline;
use super::boundary::{Output, Write, WriteOrder};
use crate::command::Refusal;
use crate::community::quantity::Text;
use crate::community::writable::{Interlock, VALUE, Writable};
use crate::community::{Address, Community};
use crate::decode::Decoded;
use crate::decode::order::{NoOrder, Order, is_same};
use crate::detect::rule::{Feature, Rule};
use crate::reading::{DeviceIndex, Quality, Timestamp};

/// How long a source may take to hand a value to its device.
const ON_ITS_WAY: Duration = Duration::from_secs(30);

/// Writes that are under way, and when each point was last written.
#[derive(Debug, Default)]
pub(super) struct Writing {
    pending: BTreeMap<u64, Pending>,
    last: BTreeMap<(String, String), Timestamp>,
}

#[derive(Debug)]
struct Pending {
    device: DeviceIndex,
    point: usize,
    value: f64,
    /// The device has it, as far as the wire can tell.
    is_taken: bool,
    /// What the device has shown since, when that was something else.
    read: Option<f64>,
    within: Duration,
    due: Timestamp,
}

impl Writing {
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.pending.values().map(|pending| pending.due).min()
    }
}

impl Pipeline {
    /// Judges a value that somebody wants written, and hands it to its source.
    pub(super) fn handle_write(&mut self, ticket: u64, write: &Write, now: Timestamp) {
        match self.judge_write(write, now) {
            Ok((device, pending, order)) => {
                let source = self.community.device(device).source;
                self.writing.last.insert((write.device.clone(), write.point.clone()), now);
                self.writing.pending.insert(ticket, pending);
                let order = WriteOrder { ticket, device, order };
                self.outputs.push_back(Output::Write { source, order });
            }
            Err(refusal) => self.answer_write(ticket, Err(refusal)),
        }
    }

    fn judge_write(
        &self,
        write: &Write,
        now: Timestamp,
    ) -> Result<(DeviceIndex, Pending, Order), Refusal> {
        let not_found =
            |what: &str, id: &str| Refusal::NotFound { what: what.into(), id: id.into() };
        let index = self.community.find_device(&write.device);
        let index = index.ok_or_else(|| not_found("device", &write.device))?;
        let device = self.community.device(index);
        let point = device.device_type.point(&write.point);
        let point = point.ok_or_else(|| not_found("point", &write.point))?;
        let declared = &device.device_type.points[point];
        let own_topic = match &device.address {
            Address::Topic(topic) => Some(topic.as_str()),
            Address::Unit(_) | Address::Camera(_) | Address::Chip(_) | Address::Replay => None,
        };
        let order = Order::new(&device.device_type, declared, write.value, own_topic);
        let order = order.map_err(|why| match why {
            NoOrder::NotWritable => {
                Refusal::NotWritable { device: write.device.clone(), point: write.point.clone() }
            }
            NoOrder::OutOfLimits(reason) => Refusal::OutOfLimits { reason },
            NoOrder::NoPlace(reason) => Refusal::NotWritten { reason: reason.to_owned() },
        })?;
        let Some(writable) = &declared.writable else {
            let (device, point) = (write.device.clone(), write.point.clone());
            return Err(Refusal::NotWritable { device, point });
        };
        self.is_its_turn(index, point, write, writable, now)?;
        self.interlock(index, write, writable, now)?;
        let within = writable.within.0;
        let pending = Pending {
            device: index,
            point,
            value: write.value,
            is_taken: false,
            read: None,
            within,
            due: now + ON_ITS_WAY,
        };
        Ok((index, pending, order))
    }

    fn is_its_turn(
        &self,
        device: DeviceIndex,
        point: usize,
        write: &Write,
        writable: &Writable,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut under_way = self.writing.pending.values();
        if under_way.any(|pending| (pending.device, pending.point) == (device, point)) {
            let reason = "another write to this point is under way".to_owned();
            return Err(Refusal::Busy { reason });
        }
        let last = self.writing.last.get(&(write.device.clone(), write.point.clone()));
        if last.is_some_and(|last| now.since(*last) < writable.every.0) {
            let reason = format!("this point is written at most every {}", writable.every);
            return Err(Refusal::Busy { reason });
        }
        Ok(())
    }

    /// What must hold before the value is written: at the device itself, and where the community says.
    fn interlock(
        &self,
        index: DeviceIndex,
        write: &Write,
        writable: &Writable,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if let Some(text) = &writable.when {
            let own = |name: &str| self.value_now(index, name, now);
            holds(text, writable.why.as_ref(), write.value, own)?;
        }
        for Interlock { device, point, of, when, why } in &self.community.interlocks {
            if (device, point) == (&write.device, &write.point) {
                holds(when, Some(why), write.value, |name| {
                    let (device, point) = of.get(name)?.split_once('/')?;
                    self.value_now(self.community.find_device(device)?, point, now)
                })?;
            }
        }
        Ok(())
    }

    /// What a point is now: good, and not too old to tell.
    fn value_now(&self, index: DeviceIndex, point: &str, now: Timestamp) -> Option<f64> {
        let device_type = &self.community.device(index).device_type;
        let point = device_type.point(point)?;
        let state = &self.devices[index.0];
        let memory = state.gate.point(point);
        let (at, value) = memory.good?;
        let is_new = state.there(now).since(at) <= Community::stale_after(device_type, point);
        (is_new && memory.quality == Some(Quality::Good)).then_some(value)
    }

    /// A source has handed a value to its device, or could not.
    pub(super) fn handle_written(
        &mut self,
        ticket: u64,
        result: Result<(), String>,
        now: Timestamp,
    ) {
        let Some(pending) = self.writing.pending.get_mut(&ticket) else { return };
        match result {
            Ok(()) => {
                pending.is_taken = true;
                pending.due = now + pending.within;
            }
            Err(reason) => self.answer_write(ticket, Err(Refusal::NotWritten { reason })),
        }
    }

    /// A frame of a device to which something was written may show that.
    pub(super) fn read_back(&mut self, device: DeviceIndex, decoded: &Decoded) {
        let mut done = Vec::new();
        for (ticket, pending) in &mut self.writing.pending {
            let value = decoded.values.get(pending.point).copied();
            if pending.device != device || !pending.is_taken {
                continue;
            }
            match value {
                Some(Ok(value)) if is_same(pending.value, value) => done.push((*ticket, value)),
                Some(Ok(value)) => pending.read = Some(value),
                Some(Err(_)) | None => {}
            }
        }
        for (ticket, value) in done {
            self.answer_write(ticket, Ok(value));
        }
    }

    /// Gives up on devices that do not show what was written.
    pub(super) fn expire_writes(&mut self, now: Timestamp) {
        let late = self.writing.pending.iter().filter(|(_, pending)| pending.due <= now);
        let late: Vec<_> = late.map(|(ticket, pending)| (*ticket, pending.failure())).collect();
        for (ticket, failure) in late {
            self.answer_write(ticket, Err(failure));
        }
    }

    /// Positions are other ones from now on: what is under way is not waited for.
    pub(super) fn abandon_writes(&mut self) {
        let all: Vec<_> =
            self.writing.pending.iter().map(|(ticket, p)| (*ticket, p.failure())).collect();
        for (ticket, failure) in all {
            self.answer_write(ticket, Err(failure));
        }
    }

    fn answer_write(&mut self, ticket: u64, result: Result<f64, Refusal>) {
        self.writing.pending.remove(&ticket);
        self.outputs.push_back(Output::Written { ticket, result });
    }
}

/// Judges a condition over values that may be unknown; then it does not hold.
fn holds(
    text: &str,
    why: Option<&Text>,
    value: f64,
    point: impl Fn(&str) -> Option<f64>,
) -> Result<(), Refusal> {
    let env = Arc::new(cel::Env::stdlib());
    let rule = Rule::compile(text, &env).map_err(|why| Refusal::Failed { reason: why.0 })?;
    let answer = rule.test(None, |need| match need.feature {
        Feature::Value if need.point == VALUE => Some(value),
        Feature::Value => point(&need.point),
        Feature::Rate | Feature::Mean | Feature::Held => None,
    });
    let why = why.map(|why| format!(": {} / {}", why.zh, why.en)).unwrap_or_default();
    let reason = match answer {
        Some(true) => return Ok(()),
        Some(false) => format!("`{text}` does not hold{why}"),
        None => format!("whether `{text}` holds is not known now{why}"),
    };
    Err(Refusal::Interlocked { reason })
}

impl Pending {
    fn failure(&self) -> Refusal {
        match (self.is_taken, self.read) {
            (false, _) => {
                let reason = "no answer came; it may have been written or not".to_owned();
                Refusal::NotWritten { reason }
            }
            (true, Some(read)) => Refusal::Mismatch { written: self.value, read },
            (true, None) => Refusal::NotReadBack { written: self.value },
        }
    }
}
