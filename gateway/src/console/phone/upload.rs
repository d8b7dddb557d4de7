//! A form that may bring a picture: `multipart/form-data` (RFC 7578), in memory and bounded.
//!
//! The picture goes to [`crate::stills`] to be masked; nothing else here ever touches it, and it is never
//! written as it came. Where pictures are not taken, [`super::super::guard`] refuses such a form unread.

use std::fmt;

use axum::body::to_bytes;
use axum::extract::{Form, FromRequest as _, Request};
use axum::http::header;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as NoValue, MapDeserializer};

use super::Visitor;
use crate::audit::Outcome;
use crate::console::failure::Failure;
use crate::console::{Console, MAX_BODY};
use crate::stills::{LARGEST_UPLOAD, Still};

/// Bytes of the whole form at most.
pub(in crate::console) const MOST: usize = LARGEST_UPLOAD + MAX_BODY;
/// Of the form's parts, and of the lines above one of them.
const PARTS: usize = 16;
const HEAD: usize = 2 * 1024;
/// RFC 2046, section 5.1.1.
const LONGEST_BOUNDARY: usize = 70;

/// What a form says, and the picture that came with it.
pub(super) struct Sent<T> {
    pub said: T,
    pub picture: Option<Vec<u8>>,
}

impl<T: DeserializeOwned> Sent<T> {
    /// Reads a form of either kind.
    pub(super) async fn of(request: Request) -> Result<Self, Failure> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
        if !is_multipart(&kind) {
            return match Form::from_request(request, &()).await {
                Ok(Form(said)) => Ok(Self { said, picture: None }),
                Err(refused) => Err(Failure::from(refused)),
            };
        }
        let body = to_bytes(request.into_body(), MOST).await.map_err(|_| Failure::TooLong)?;
        let Fields { texts, picture } = Fields::read(&kind, &body).ok_or(Failure::BadForm)?;
        let said = T::deserialize(MapDeserializer::<_, NoValue>::new(texts.into_iter()));
        Ok(Self { said: said.map_err(|_| Failure::BadForm)?, picture })
    }
}

/// By the header `Content-Type`.
pub(in crate::console) fn is_multipart(kind: &str) -> bool {
    kind.starts_with("multipart/")
}

/// The parts of a form.
#[derive(Default, PartialEq, Eq)]
pub(in crate::console) struct Fields {
    pub texts: Vec<(String, String)>,
    /// Of the field `picture`, when one was chosen.
    picture: Option<Vec<u8>>,
}

/// Of a picture its size alone: what it shows is nobody's business.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let picture = self.picture.as_ref().map(Vec::len);
        f.debug_struct("Fields").field("texts", &self.texts).field("picture", &picture).finish()
    }
}

impl Fields {
    /// `None` when it is no such form.
    pub(in crate::console) fn read(kind: &str, body: &[u8]) -> Option<Self> {
        let boundary = kind.split(';').skip(1).find_map(|p| p.trim().strip_prefix("boundary="))?;
        let boundary = boundary.trim_matches('"');
        if !(1..=LONGEST_BOUNDARY).contains(&boundary.len()) {
            return None;
        }
        let (first, next) = (format!("--{boundary}"), format!("\r\n--{boundary}"));
        let mut rest = body.strip_prefix(first.as_bytes())?;
        let mut fields = Self::default();
        for _ in 0..=PARTS {
            if rest.starts_with(b"--") {
                return Some(fields);
            }
            let (part, after) = cut(rest.strip_prefix(b"\r\n")?, next.as_bytes())?;
            fields.take(part)?;
            rest = after;
        }
        None
    }

    fn take(&mut self, part: &[u8]) -> Option<()> {
        let (head, content) = cut(part, b"\r\n\r\n").filter(|(head, _)| head.len() <= HEAD)?;
        let head = std::str::from_utf8(head).ok()?;
        let (_, name) = head.split_once("; name=\"")?;
        let (name, _) = name.split_once('"')?;
        if name == "picture" {
            self.picture = (!content.is_empty()).then(|| content.to_vec());
        } else {
            self.texts.push((name.to_owned(), String::from_utf8(content.to_vec()).ok()?));
        }
        Some(())
    }
}

/// What stands before and behind the first such place.
fn cut<'b>(bytes: &'b [u8], at: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let from = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..from], &bytes[from + at.len()..]))
}

impl Console {
    /// The picture that somebody handed in, showing nobody; `None` when there was none.
    pub(super) async fn masked(
        &self,
        visitor: &Visitor,
        picture: Option<Vec<u8>>,
    ) -> Result<Option<Still>, Failure> {
        let Some(picture) = picture else { return Ok(None) };
        match self.sources.pictures.stills.mask(picture).await {
            Ok(still) => Ok(Some(still)),
            Err(why) => {
                let detail = format!("handed in: {why}");
                self.note(&visitor.name, "still.keep", "", Outcome::Refused, &detail);
                Err(Failure::NotMasked(why))
            }
        }
    }

    /// Keeps a still by that name, and has the event say so.
    pub(super) async fn keep_still(
        &self,
        visitor: &Visitor,
        event: &str,
        name: String,
        still: Still,
    ) {
        let Some(evidence) = self.sources.pictures.evidence.clone() else { return };
        let Still { at, masked } = still;
        let keep = move || evidence.keep(&name, at, &masked).map_err(|error| error.to_string());
        let kept = tokio::task::spawn_blocking(keep).await;
        match kept.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(reference) => {
                self.note(&visitor.name, "still.keep", event, Outcome::Done, "handed in");
                self.sources.desk.attach(event, reference).await;
            }
            Err(why) => {
                tracing::error!(why, "a picture was not kept");
                self.note(&visitor.name, "still.keep", event, Outcome::Failed, &why);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; boundary=xyz";

    fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (head, content) in parts {
            let disposition = format!("--xyz\r\nContent-Disposition: form-data; {head}\r\n\r\n");
            body.extend_from_slice(disposition.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--xyz--\r\n");
        body
    }

    #[test]
    fn texts_and_a_picture_are_told_apart_whatever_bytes_it_has() {
        let picture: &[u8] = b"\xFF\xD8\r\n--xy\r\n\r\n\xFF\xD9";
        let body = form(&[
            ("name=\"text\"", "满了".as_bytes()),
            ("name=\"picture\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg", picture),
        ]);
        let read = Fields::read(KIND, &body).unwrap();
        assert_eq!(read.texts, [("text".to_owned(), "满了".to_owned())]);
        assert_eq!(read.picture.as_deref(), Some(picture));
        let none = form(&[("name=\"picture\"; filename=\"\"", b"")]);
        assert_eq!(Fields::read(KIND, &none), Some(Fields::default()));
    }

    #[test]
    fn what_is_cut_off_or_no_form_is_none() {
        let body = form(&[("name=\"text\"", b"full")]);
        for end in 0..body.len() - 4 {
            assert_eq!(Fields::read(KIND, &body[..end]), None, "{end}");
        }
        let many = form(&vec![("name=\"a\"", b"" as &[u8]); PARTS + 1]);
        let long = form(&[(&format!("name=\"{}\"", "a".repeat(HEAD)), b"")]);
        for (kind, body) in [
            ("multipart/form-data", &body),
            ("multipart/form-data; boundary=", &body),
            ("multipart/form-data; boundary=abc", &body),
            (KIND, &many),
            (KIND, &long),
            (KIND, &form(&[("filename=\"text\"", b"")])),
            (KIND, &form(&[("name=\"text\"", b"\xFF")])),
        ] {
            assert_eq!(Fields::read(kind, body), None, "{kind}");
        }
    }
}
