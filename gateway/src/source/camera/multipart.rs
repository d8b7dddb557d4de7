//! A stream of pictures as cameras send it over HTTP: `multipart/x-mixed-replace` (RFC 2046, section 5.1).
//!
//! Cameras take the format lightly: the boundary comes with or without its dashes, quoted or not, or not
//! at all; parts come with and without a length, or with a wrong one. All that is read, as long as it ends.

use std::io::{BufRead, Read};

use super::trouble::Why;

/// Of a part; real ones have three lines.
const MOST_HEADER: usize = 8 * 1024;
/// What a line that may be the boundary is compared with.
const MOST_LINE: usize = 1024;

/// Reads parts off a stream.
pub(super) struct Parts<R> {
    stream: R,
    /// With its two dashes; empty until the first one is seen, when the server did not tell.
    boundary: Vec<u8>,
    most_bytes: usize,
    /// The line of a boundary was read with the part before it.
    is_at_part: bool,
}

/// What a part's header tells of its length.
enum Length {
    Known(usize),
    Unknown,
    /// There is no part any more.
    End,
}

/// The boundary that a `Content-Type` names, or an empty text; `None` for another type.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !kind.trim().to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let named = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let mut found = named
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim().trim_matches('"').to_owned());
    Some(found.next_back().unwrap_or_default())
}

impl<R: BufRead> Parts<R> {
    /// `boundary` as the server told it.
    pub(super) fn new(stream: R, boundary: &str, most_bytes: usize) -> Self {
        // Some name the boundary with its dashes.
        let bare = boundary.trim_start_matches('-');
        let boundary = if bare.is_empty() { Vec::new() } else { bare.as_bytes().to_vec() };
        Self { stream, boundary, most_bytes, is_at_part: false }
    }

    pub(super) fn stream(&mut self) -> &mut R {
        &mut self.stream
    }

    /// The next part; `None` at the end of the stream.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Why> {
        if !self.is_at_part && !self.find_boundary()? {
            return Ok(None);
        }
        self.is_at_part = false;
        match self.header()? {
            Length::End => Ok(None),
            Length::Known(length) if length > self.most_bytes => {
                Err(Why::TooLarge(self.most_bytes))
            }
            Length::Known(length) => {
                let mut part = Vec::new();
                let wanted = u64::try_from(length).unwrap_or(u64::MAX);
                (&mut self.stream).take(wanted).read_to_end(&mut part).map_err(|e| lost(&e))?;
                if part.len() < length { Err(Why::HungUp) } else { Ok(Some(part)) }
            }
            Length::Unknown => self.until_boundary().map(Some),
        }
    }

    /// Skips to behind the line of the next boundary.
    fn find_boundary(&mut self) -> Result<bool, Why> {
        let mut skipped = 0;
        loop {
            let mut line = Vec::new();
            let many = self.line(&mut line, MOST_LINE)?;
            if many == 0 {
                return Ok(false);
            }
            if self.is_boundary(&line) {
                return Ok(true);
            }
            skipped += many;
            if skipped > self.most_bytes {
                return Err(Why::NoBoundary);
            }
        }
    }

    fn is_boundary(&mut self, line: &[u8]) -> bool {
        let line = line.trim_ascii_end();
        let Some(rest) = line.strip_prefix(b"--") else {
            // Without dashes, but by its name.
            return !self.boundary.is_empty() && line == self.boundary;
        };
        let dashes = rest.iter().take_while(|byte| **byte == b'-').count();
        let rest = &rest[dashes..];
        if self.boundary.is_empty() && !rest.is_empty() {
            self.boundary = rest.to_vec();
        }
        let bare = rest.strip_prefix(self.boundary.as_slice());
        // With two more dashes it is the last one; nothing follows then.
        !self.boundary.is_empty() && bare.is_some_and(|rest| rest.is_empty() || rest == b"--")
    }

    /// The length that the part's header tells.
    fn header(&mut self) -> Result<Length, Why> {
        let (mut left, mut length) = (MOST_HEADER, Length::Unknown);
        loop {
            let mut line = Vec::new();
            let many = self.line(&mut line, left)?;
            if many == 0 {
                return Ok(Length::End);
            }
            left = left.saturating_sub(many);
            if left == 0 {
                return Err(Why::EndlessHeader);
            }
            let line = line.trim_ascii();
            if line.is_empty() {
                return Ok(length);
            }
            let text = String::from_utf8_lossy(line);
            if let Some((name, value)) = text.split_once(':')
                && name.trim().eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_or(Length::Unknown, Length::Known);
            }
        }
    }

    /// Bytes up to the line of a boundary, which is read too.
    fn until_boundary(&mut self) -> Result<Vec<u8>, Why> {
        let mut part = Vec::new();
        loop {
            let start = part.len();
            let left = self.most_bytes.saturating_sub(start) + MOST_LINE;
            let many = self.line(&mut part, left)?;
            if many == 0 {
                return Err(Why::HungUp);
            }
            let line = &part[start..];
            if line.len() <= MOST_LINE && line.starts_with(b"--") && self.is_boundary(line) {
                part.truncate(start);
                // The line break before a boundary belongs to it.
                if part.ends_with(b"\r\n") {
                    part.truncate(start - 2);
                } else if part.ends_with(b"\n") {
                    part.truncate(start - 1);
                }
                self.is_at_part = true;
                return Ok(part);
            }
            if part.len() > self.most_bytes {
                return Err(Why::TooLarge(self.most_bytes));
            }
        }
    }

    /// Appends a line with its end, or `most` bytes of it; how many there were.
    fn line(&mut self, to: &mut Vec<u8>, most: usize) -> Result<usize, Why> {
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        (&mut self.stream).take(most).read_until(b'\n', to).map_err(|error| lost(&error))
    }
}

/// What an error while reading means.
pub(super) fn lost(error: &std::io::Error) -> Why {
    match error.kind() {
        std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => {
            Why::Silent(super::http::IDLE.as_secs())
        }
        std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset => Why::HungUp,
        _ => {
            let text = error.to_string();
            // ureq wraps its own.
            if text.contains("timeout") {
                Why::Silent(super::http::IDLE.as_secs())
            } else {
                Why::Unreachable(super::trouble::shortened(&text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    const MOST: usize = 4096;

    /// Hands out so many bytes at a time.
    struct Dripping<'a>(&'a [u8], usize);

    impl Read for Dripping<'_> {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            let many = self.1.min(self.0.len()).min(to.len());
            let (now, rest) = self.0.split_at(many);
            to[..many].copy_from_slice(now);
            self.0 = rest;
            Ok(many)
        }
    }

    fn read(stream: &[u8], content_type: &str, step: usize) -> (Vec<Vec<u8>>, Option<Why>) {
        let boundary = boundary(content_type).unwrap();
        let stream = BufReader::with_capacity(step.max(1), Dripping(stream, step));
        let mut parts = Parts::new(stream, &boundary, MOST);
        let mut read = Vec::new();
        loop {
            match parts.next() {
                Ok(Some(part)) => read.push(part),
                Ok(None) => return (read, None),
                Err(why) => return (read, Some(why)),
            }
        }
    }

    fn both() -> Vec<Vec<u8>> {
        // A line break and what looks like a boundary stand in a picture, too.
        vec![b"\xff\xd8\xff one \r\n--x\n two".to_vec(), b"\xff\xd8\xff three".to_vec()]
    }

    #[test]
    fn parts_with_and_without_a_length_come_whole_however_the_bytes_are_cut() {
        let [one, two] = <[Vec<u8>; 2]>::try_from(both()).unwrap();
        let with = [
            &b"ignored\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-Length: "[..],
            one.len().to_string().as_bytes(),
            b"\r\n\r\n",
            &one,
            b"\r\n--frame\r\ncontent-length:",
            two.len().to_string().as_bytes(),
            b"\r\n\r\n",
            &two,
            b"\r\n--frame--\r\n",
        ]
        .concat();
        let without =
            [&b"--frame\n\n"[..], &one, b"\n--frame\r\nX: y\r\n\r\n", &two, b"\r\n--frame--\r\n"]
                .concat();
        let types = [
            "multipart/x-mixed-replace;boundary=frame",
            "Multipart/X-Mixed-Replace; charset=x; Boundary=\"frame\"",
            "multipart/x-mixed-replace; boundary=--frame",
            "multipart/x-mixed-replace",
        ];
        for content_type in types {
            for step in 1..with.len() {
                assert_eq!(
                    read(&with, content_type, step),
                    (both(), None),
                    "{content_type} {step}"
                );
                assert_eq!(read(&without, content_type, step), (both(), None), "{step}");
            }
        }
    }

    #[test]
    fn a_length_that_is_wrong_costs_no_more_than_its_own_picture() {
        let stream =
            b"--b\r\nContent-Length: 3\r\n\r\nlonger\r\n--b\r\nContent-Length: 4\r\n\r\nnext\r\n";

        let (parts, why) = read(stream, "multipart/x-mixed-replace; boundary=b", 7);

        assert_eq!((parts, why), (vec![b"lon".to_vec(), b"next".to_vec()], None));
    }

    #[test]
    fn what_does_not_end_is_ended() {
        let endless = |text: &str| text.repeat(3 * MOST);
        let cases = [
            (format!("--b\r\n{}", endless("X: y\r\n")), Why::EndlessHeader),
            (format!("--b\r\n{}", endless("x")), Why::EndlessHeader),
            (format!("--b\r\n\r\n{}", endless("x")), Why::TooLarge(MOST)),
            (format!("--b\r\n\r\n{}", endless("x\n")), Why::TooLarge(MOST)),
            ("--b\r\nContent-Length: 99999\r\n\r\n".to_owned(), Why::TooLarge(MOST)),
            ("--b\r\nContent-Length: 99\r\n\r\nshort".to_owned(), Why::HungUp),
            ("--b\r\n\r\nshort".to_owned(), Why::HungUp),
            (endless("nothing here\r\n"), Why::NoBoundary),
            (endless("-"), Why::NoBoundary),
        ];
        for (stream, expected) in cases {
            let (parts, why) = read(stream.as_bytes(), "multipart/x-mixed-replace; boundary=b", 99);
            assert_eq!((parts, why), (vec![], Some(expected)), "{}", &stream[..20]);
        }
    }

    #[test]
    fn only_a_multipart_has_a_boundary() {
        assert_eq!(boundary("image/jpeg"), None);
        assert_eq!(boundary(""), None);
        assert_eq!(boundary("multipart/x-mixed-replace;boundary=a=b").as_deref(), Some("a=b"));
    }
}
