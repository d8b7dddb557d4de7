//! One device on a line: its questions, and what it said to them last.
//!
//! A request that the device refuses as illegal is a fault of the configuration or of its firmware.
//! It will not become legal soon, so it is put ever less often, and the refusal is reported meanwhile.

use std::time::Duration;

use gatehouse_core::community::device_type::DeviceType;
use gatehouse_core::reading::{Block, DeviceIndex, WireFault};

use super::plan::{self, Request};

/// A refused request is left out of at most 2^5 - 1 polls in between.
const MOST_DOUBLINGS: u32 = 5;

/// One device on the line.
#[derive(Debug)]
pub(super) struct Slave {
    pub(super) device: DeviceIndex,
    pub(super) unit: u8,
    pub(super) period: Duration,
    pub(super) questions: Vec<Question>,
}

impl Slave {
    /// `None` for a device type that has nothing to ask for.
    pub(super) fn new(device: DeviceIndex, unit: u8, device_type: &DeviceType) -> Option<Self> {
        let period = device_type.modbus.as_ref()?.every.0;
        let slave = Self::asking(device, unit, period, plan::plan(device_type));
        (!slave.questions.is_empty()).then_some(slave)
    }

    pub(super) fn asking(
        device: DeviceIndex,
        unit: u8,
        period: Duration,
        requests: impl IntoIterator<Item = Request>,
    ) -> Self {
        let questions =
            requests.into_iter().map(|request| Question { request, refused: None }).collect();
        Self { device, unit, period, questions }
    }

    pub(super) fn requests(&self) -> impl Iterator<Item = Request> {
        self.questions.iter().map(|question| question.request)
    }
}

/// One request of a device.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) request: Request,
    refused: Option<Refused>,
}

/// What a device has said that it will not answer.
#[derive(Debug)]
struct Refused {
    exception: u8,
    times: u32,
    /// Polls that still leave the request out.
    left_out: u32,
}

impl Question {
    /// The fault to report without asking, when it is better not to ask.
    pub(super) fn leave_out(&mut self) -> Option<WireFault> {
        let refused = self.refused.as_mut()?;
        refused.left_out = refused.left_out.checked_sub(1)?;
        Some(WireFault::Exception(refused.exception))
    }

    /// Takes note of what came of asking.
    pub(super) fn note(&mut self, answer: &Result<Vec<u16>, WireFault>) {
        self.refused = match answer {
            // Modbus application protocol V1.1b3, section 7: illegal function, illegal address.
            Err(WireFault::Exception(exception @ (1 | 2))) => {
                let before = self.refused.as_ref().map_or(0, |refused| refused.times);
                let times = (before + 1).min(MOST_DOUBLINGS);
                Some(Refused { exception: *exception, times, left_out: (1 << times) - 1 })
            }
            Ok(_) | Err(_) => None,
        };
    }

    /// The answer as it stands in a frame.
    pub(super) fn block(&self, words: Result<Vec<u16>, WireFault>) -> Block {
        let Request { function, start, count } = self.request;
        Block { function, start, words, count }
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::community::device_type::Function;

    use super::*;

    #[test]
    fn an_illegal_request_is_put_ever_less_often() {
        let mut question = question();

        let asked: Vec<u32> = (0..130)
            .filter(|_| {
                let asks = question.leave_out().is_none();
                if asks {
                    question.note(&Err(WireFault::Exception(2)));
                }
                asks
            })
            .collect();

        assert_eq!(asked, [0, 2, 6, 14, 30, 62, 94, 126]);
        assert_eq!(question.leave_out(), Some(WireFault::Exception(2)), "reported meanwhile");
    }

    #[test]
    fn what_a_device_may_yet_answer_is_asked_every_time() {
        let passing = [
            Ok(vec![1]),
            Err(WireFault::Timeout),
            Err(WireFault::Garbled),
            Err(WireFault::Disconnected),
            Err(WireFault::Exception(4)),
            Err(WireFault::Exception(6)),
        ];

        for answer in passing {
            let mut question = question();
            question.note(&Err(WireFault::Exception(1)));
            question.note(&answer);

            assert_eq!(question.leave_out(), None, "{answer:?}");
        }
    }

    fn question() -> Question {
        Question {
            request: Request { function: Function::Input, start: 0, count: 1 },
            refused: None,
        }
    }
}
