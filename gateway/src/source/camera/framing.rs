//! Where a message or a packet of RTSP ends (RFC 2326, sections 4 and 10.12), and what stands in its headers.

use super::trouble::{Why, shortened};

/// Bytes of a message, its body included; real ones have a few thousand.
pub(super) const MOST_MESSAGE: usize = 64 * 1024;
/// Before each packet: a dollar sign, a channel, and how long it is.
pub(super) const PREFIX: usize = 4;
const END: &[u8] = b"\r\n\r\n";

/// How long it is what came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// Of a message; nothing of a packet, and of the empty line that may precede a message.
    pub(super) head: usize,
    pub(super) bytes: usize,
}

/// Finds the ends of what comes piece by piece.
#[derive(Debug, Default)]
pub(super) struct Framing {
    /// Bytes at the beginning in which no head ends.
    searched: usize,
    /// A message of which only the body is not whole.
    known: Option<Piece>,
}

impl Framing {
    /// The first piece; nothing while it is not whole.
    pub(super) fn first(&mut self, bytes: &[u8]) -> Result<Option<Piece>, Why> {
        let piece = match bytes {
            _ if self.known.is_some() => self.known,
            [] | [b'$' | b'\r'] | [b'$', _] | [b'$', _, _] => None,
            [b'$', _, high, low, ..] => {
                let bytes = PREFIX + usize::from(u16::from_be_bytes([*high, *low]));
                Some(Piece { head: 0, bytes })
            }
            [b'\r', b'\n', ..] => Some(Piece { head: 0, bytes: 2 }),
            _ => self.message(bytes)?,
        };
        self.known = piece.filter(|piece| piece.bytes > bytes.len());
        Ok(piece.filter(|piece| piece.bytes <= bytes.len()))
    }

    fn message(&mut self, bytes: &[u8]) -> Result<Option<Piece>, Why> {
        let begin = self.searched.saturating_sub(END.len());
        let Some(at) = bytes[begin..].windows(END.len()).position(|four| four == END) else {
            self.searched = bytes.len();
            return if bytes.len() < MOST_MESSAGE { Ok(None) } else { Err(Why::EndlessHeader) };
        };
        self.searched = 0;
        let head = begin + at + END.len();
        let body = match header(&bytes[..head], "Content-Length") {
            Some(length) => {
                let odd = |_| Why::Rtsp(format!("`{}` is no length", shortened(length)));
                length.parse().map_err(odd)?
            }
            None => 0,
        };
        match head.checked_add(body) {
            Some(bytes) if bytes <= MOST_MESSAGE => Ok(Some(Piece { head, bytes })),
            _ => Err(Why::EndlessAnswer(MOST_MESSAGE)),
        }
    }
}

/// The value of a header.
pub(super) fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    lines(head).find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
}

/// The head with another value of a header that it has.
pub(super) fn with_header(head: &[u8], name: &str, value: &str) -> Vec<u8> {
    let mut changed = Vec::with_capacity(head.len() + value.len());
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        match lines(line).next() {
            Some((found, _)) if found.eq_ignore_ascii_case(name) => {
                changed.extend(format!("{found}: {value}\r\n").bytes());
            }
            _ => changed.extend(line),
        }
    }
    changed
}

/// Names and values.
fn lines(head: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    head.split(|byte| *byte == b'\n').filter_map(|line| {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        Some((name, value.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] =
        b"RTSP/1.0 200 OK\r\nCSeq: 2\r\ncontent-length: 3\r\n\r\nv=0$\x00\x00\x02ab";

    /// All pieces of what comes so many bytes at a time.
    fn pieces(bytes: &[u8], at_a_time: usize) -> Vec<Piece> {
        let (mut framing, mut found, mut begin, mut end) = (Framing::default(), vec![], 0, 0);
        while end < bytes.len() {
            end = bytes.len().min(end + at_a_time);
            while let Some(piece) = framing.first(&bytes[begin..end]).unwrap() {
                found.push(piece);
                begin += piece.bytes;
            }
        }
        found
    }

    #[test]
    fn pieces_end_where_they_say_however_they_come() {
        let head = ANSWER.windows(4).position(|four| four == END).unwrap() + 4;
        let expected = [Piece { head, bytes: head + 3 }, Piece { head: 0, bytes: 6 }];
        for at_a_time in 1..=ANSWER.len() {
            assert_eq!(pieces(ANSWER, at_a_time), expected, "{at_a_time} at a time");
        }
        assert_eq!(pieces(b"\r\n$\x01\x00\x00", 1), [2, 4].map(|bytes| Piece { head: 0, bytes }));
    }

    #[test]
    fn what_is_too_long_for_a_message_is_refused_before_it_is_whole() {
        let first = |bytes: &[u8]| Framing::default().first(bytes);
        let endless = [b"RTSP/1.0 200 OK\r\n".as_slice(), &b"X: y\r\n".repeat(11_000)].concat();
        assert_eq!(first(&endless), Err(Why::EndlessHeader));
        for length in ["65536", "5000000000", "18446744073709551615"] {
            let head = format!("RTSP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n");
            assert_eq!(first(head.as_bytes()), Err(Why::EndlessAnswer(MOST_MESSAGE)), "{length}");
        }
        let odd = first(b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n");
        assert!(matches!(odd, Err(Why::Rtsp(_))), "{odd:?}");
    }

    #[test]
    fn one_header_is_replaced_and_the_rest_stays() {
        let head = b"SETUP rtsp://[::1]/x RTSP/1.0\r\nTRANSPORT: a;b\r\nCSeq: 3\r\n\r\n";
        assert_eq!(header(head, "Transport"), Some("a;b"));
        let changed = with_header(head, "Transport", "c");
        let expected = "SETUP rtsp://[::1]/x RTSP/1.0\r\nTRANSPORT: c\r\nCSeq: 3\r\n\r\n";
        assert_eq!(String::from_utf8(changed).unwrap(), expected);
    }
}
