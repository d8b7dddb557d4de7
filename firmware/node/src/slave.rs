//! Modbus: a frame in, an answer out, or silence.
//!
//! Modbus application protocol V1.1b3 and Modbus over serial line V1.02. Functions 3 and 4 read, 6 and 16
//! write, 8/0 echoes, 43/14 says who the node is. Only a frame with our address (or the broadcast
//! address) and the right CRC is looked at; of everything else nothing comes but a count. A write of
//! several registers is done whole or not at all.
//!
//! This is not rmodbus 0.13: that answers a frame with an unknown function without a look at the CRC, and
//! adds to a frame's own length byte in 8 bits, so that a frame of ten bytes ends a program that is built
//! with overflow checks.

/// Modbus application protocol V1.1b3, section 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exception {
    IllegalFunction = 1,
    IllegalAddress = 2,
    IllegalValue = 3,
    /// A command or a save is under way.
    Busy = 6,
}

/// What a slave has to say, and to take.
pub trait Served {
    /// An input register.
    fn input(&self, address: u16) -> Option<u16>;
    /// A holding register.
    fn holding(&self, address: u16) -> Option<u16>;
    /// Writes registers that stand next to each other, all or none. `is_broadcast`: everybody was told.
    fn write(&mut self, first: u16, words: &[u16], is_broadcast: bool) -> Result<(), Exception>;
    /// Vendor, product and revision, by object.
    fn identity(&self, object: u8) -> Option<&str>;
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The reply is to be sent.
    Answered,
    /// Done, and nobody answers a broadcast.
    Obeyed,
    /// For somebody else.
    NotOurs,
    /// The CRC is wrong, or there is no room for one.
    Damaged,
}

const BROADCAST: u8 = 0;
/// Read and write limits, sections 6.3 and 6.12.
const MOST_READ: u16 = 125;
const MOST_WRITTEN: u16 = 123;
/// Unit, function, 250 bytes of registers and their count, CRC.
const ROOM: usize = 256;

/// An answer, with its CRC.
#[derive(Debug, Clone)]
pub struct Reply {
    bytes: [u8; ROOM],
    many: usize,
}

impl Default for Reply {
    fn default() -> Self {
        Self { bytes: [0; ROOM], many: 0 }
    }
}

impl Reply {
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.many]
    }

    /// Bytes beyond the room are cut; no answer that is made here is that long.
    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(place) = self.bytes.get_mut(self.many) {
                *place = *byte;
                self.many += 1;
            }
        }
    }
}

/// Answers one frame to `unit`.
pub fn answer(frame: &[u8], unit: u8, served: &mut impl Served, reply: &mut Reply) -> Outcome {
    reply.many = 0;
    let Some((content, crc)) = frame.split_last_chunk::<2>() else { return Outcome::Damaged };
    let [to, function, rest @ ..] = content else { return Outcome::Damaged };
    if crc16(content) != u16::from_le_bytes(*crc) {
        return Outcome::Damaged;
    }
    let is_broadcast = *to == BROADCAST;
    if !is_broadcast && *to != unit {
        return Outcome::NotOurs;
    }
    reply.put(&[unit, *function]);
    let done = match *function {
        3 => read(rest, reply, |address| served.holding(address)),
        4 => read(rest, reply, |address| served.input(address)),
        6 => write_one(rest, is_broadcast, served, reply),
        8 => echo(rest, reply),
        16 => write_many(rest, is_broadcast, served, reply),
        43 => identify(rest, served, reply),
        _ => Err(Exception::IllegalFunction),
    };
    if is_broadcast {
        reply.many = 0;
        return Outcome::Obeyed;
    }
    if let Err(exception) = done {
        reply.many = 0;
        reply.put(&[unit, *function | 0x80, exception as u8]);
    }
    let crc = crc16(reply.as_slice());
    reply.put(&crc.to_le_bytes());
    Outcome::Answered
}

fn read(
    rest: &[u8],
    reply: &mut Reply,
    word: impl Fn(u16) -> Option<u16>,
) -> Result<(), Exception> {
    let [a, b, c, d] = *rest else { return Err(Exception::IllegalValue) };
    let (first, many) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    if !(1..=MOST_READ).contains(&many) {
        return Err(Exception::IllegalValue);
    }
    let end = first.checked_add(many).ok_or(Exception::IllegalAddress)?;
    let [_, bytes] = (2 * many).to_be_bytes();
    reply.put(&[bytes]);
    for address in first..end {
        reply.put(&word(address).ok_or(Exception::IllegalAddress)?.to_be_bytes());
    }
    Ok(())
}

fn write_one(
    rest: &[u8],
    is_broadcast: bool,
    served: &mut impl Served,
    reply: &mut Reply,
) -> Result<(), Exception> {
    let [a, b, c, d] = *rest else { return Err(Exception::IllegalValue) };
    let (address, word) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    served.write(address, &[word], is_broadcast)?;
    reply.put(rest);
    Ok(())
}

fn write_many(
    rest: &[u8],
    is_broadcast: bool,
    served: &mut impl Served,
    reply: &mut Reply,
) -> Result<(), Exception> {
    let [a, b, c, d, bytes, values @ ..] = rest else { return Err(Exception::IllegalValue) };
    let (first, many) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
    let is_whole = usize::from(*bytes) == values.len() && values.len() == 2 * usize::from(many);
    if !(1..=MOST_WRITTEN).contains(&many) || !is_whole {
        return Err(Exception::IllegalValue);
    }
    first.checked_add(many).ok_or(Exception::IllegalAddress)?;
    let mut words = [0; MOST_WRITTEN as usize];
    for (word, bytes) in words.iter_mut().zip(values.as_chunks().0) {
        *word = u16::from_be_bytes(*bytes);
    }
    served.write(first, &words[..usize::from(many)], is_broadcast)?;
    reply.put(&[*a, *b, *c, *d]);
    Ok(())
}

/// Sub-function 0 of function 8: what was sent comes back.
fn echo(rest: &[u8], reply: &mut Reply) -> Result<(), Exception> {
    match rest {
        [0, 0, ..] => {
            reply.put(rest);
            Ok(())
        }
        _ => Err(Exception::IllegalFunction),
    }
}

/// Function 43, MEI type 14, section 6.21: basic objects 0..=2, as a stream or one by one.
fn identify(rest: &[u8], served: &impl Served, reply: &mut Reply) -> Result<(), Exception> {
    const STREAM: u8 = 1;
    const ONE: u8 = 4;
    /// Basic identification, streamed and single.
    const CONFORMITY: u8 = 0x81;

    let [0x0E, code, object] = *rest else { return Err(Exception::IllegalFunction) };
    // A stream may begin at any object; beyond the last one it begins anew.
    let objects = match code {
        STREAM if object <= 2 => object..=2,
        STREAM => 0..=2,
        ONE if object <= 2 => object..=object,
        ONE => return Err(Exception::IllegalAddress),
        _ => return Err(Exception::IllegalValue),
    };
    let many = objects.end() - objects.start() + 1;
    reply.put(&[0x0E, code, CONFORMITY, 0, 0, many]);
    for object in objects {
        let text = served.identity(object).ok_or(Exception::IllegalAddress)?.as_bytes();
        let text = &text[..text.len().min(32)];
        reply.put(&[object, text.len().to_le_bytes()[0]]);
        reply.put(text);
    }
    Ok(())
}

/// Modbus over serial line V1.02, section 6.2.2: polynomial 0xA001 (reflected), begins with all ones.
/// Bit by bit: 256 bytes are 2048 steps, well under a millisecond at 48 MHz.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(
            crc ^ u16::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0xA001 } else { crc >> 1 }
            },
        )
    })
}

#[cfg(test)]
mod tests;
