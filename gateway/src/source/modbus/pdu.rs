//! Questions and answers as the wire's library has them, made of ours and read back.
//!
//! [`super::line`] puts them; an answer that is not the one asked for comes to nothing here.

use gatehouse_core::community::device_type::Function;
use gatehouse_core::decode::order::Order;
use tokio_modbus::Response;

use super::plan::Request;
use super::probe::Told;

/// Function 43, MEI type 14, basic identification from object 0 on (Modbus application protocol V1.1b3,
/// section 6.21).
pub(super) const READ_IDENTITY: [u8; 4] = [0x2B, 0x0E, 0x01, 0x00];

/// Modbus application protocol V1.1b3, section 7.
pub(super) const ILLEGAL_FUNCTION: u8 = 1;

/// What writes, and what the slave answers when it has: Modbus application protocol V1.1b3, sections
/// 6.5, 6.6, 6.11 and 6.12.
pub(super) fn telling(order: &Order) -> Option<(tokio_modbus::Request<'static>, Response)> {
    use tokio_modbus::Request as Question;

    Some(match order {
        Order::Coil { address, on, multiple: false } => {
            (Question::WriteSingleCoil(*address, *on), Response::WriteSingleCoil(*address, *on))
        }
        Order::Coil { address, on, multiple: true } => (
            Question::WriteMultipleCoils(*address, vec![*on].into()),
            Response::WriteMultipleCoils(*address, 1),
        ),
        Order::Registers { address, words, multiple } => match words.as_slice() {
            [word] if !multiple => (
                Question::WriteSingleRegister(*address, *word),
                Response::WriteSingleRegister(*address, *word),
            ),
            words => (
                Question::WriteMultipleRegisters(*address, words.to_vec().into()),
                Response::WriteMultipleRegisters(*address, u16::try_from(words.len()).ok()?),
            ),
        },
        Order::Publish { .. } => return None,
    })
}

/// What a device says of itself; what is no text in it is left out.
pub(super) fn said_of_itself(response: Response) -> Option<Told> {
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.chars()
            .filter(|c| !c.is_control() && *c != char::REPLACEMENT_CHARACTER)
            .collect::<String>()
    };
    match response {
        Response::ReadDeviceIdentification(said) => {
            let objects =
                said.device_id_objects.iter().map(|object| (object.id, text(&object.value)));
            Some(Told::Identity(objects.collect()))
        }
        Response::ReportServerId(_, _, bytes) => Some(Told::ServerId(text(&bytes))),
        _ => None,
    }
}

/// What reads.
pub(super) fn question(request: Request) -> tokio_modbus::Request<'static> {
    use tokio_modbus::Request as Question;

    let Request { function, start, count } = request;
    match function {
        Function::Coil => Question::ReadCoils(start, count),
        Function::Discrete => Question::ReadDiscreteInputs(start, count),
        Function::Holding => Question::ReadHoldingRegisters(start, count),
        Function::Input => Question::ReadInputRegisters(start, count),
    }
}

/// The words of an answer, if it is as long as it must be. Bits come in whole bytes.
pub(super) fn words(response: Response, request: Request) -> Option<Vec<u16>> {
    let count = usize::from(request.count);
    match response {
        Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words) => {
            (words.len() == count).then_some(words)
        }
        Response::ReadCoils(bits) | Response::ReadDiscreteInputs(bits) => (bits.len()
            == count.next_multiple_of(8))
        .then(|| bits.into_iter().take(count).map(u16::from).collect()),
        _ => None,
    }
}
