//! One HTTP request at a time, on a thread that may wait.

use std::path::PathBuf;
use std::time::Duration;

use gatehouse_core::alert::Outcome;

use crate::web;

/// A vendor that has not answered by then is asked again later.
const PATIENCE: Duration = Duration::from_secs(15);
/// Of an answer, so much is looked at.
const ANSWER: u64 = 64 * 1024;

/// What is asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    pub url: String,
    /// Name and value.
    pub headers: Vec<(String, String)>,
    /// Posted; fetched with GET when there is none.
    pub body: Option<Vec<u8>>,
    /// Whom to believe; those that the system believes when left out.
    pub ca_file: Option<PathBuf>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    pub body: String,
    pub retry_after: Option<Duration>,
}

impl Request {
    /// JSON, to be posted.
    pub(super) fn json(url: String, body: &serde_json::Value, ca_file: Option<PathBuf>) -> Self {
        let headers = vec![("Content-Type".into(), "application/json; charset=utf-8".into())];
        Self { url, headers, body: Some(body.to_string().into_bytes()), ca_file }
    }

    /// Asks; anything that is no answer is an outcome already.
    pub(super) async fn send(self) -> Result<Answer, Outcome> {
        let asked = tokio::task::spawn_blocking(move || self.ask()).await;
        asked.unwrap_or_else(|_| Err(later("the request broke down")))
    }

    fn ask(self) -> Result<Answer, Outcome> {
        let agent = web::agent(&self.url, self.ca_file.as_deref(), PATIENCE)
            .map_err(|why| Outcome::Misconfigured { why })?;
        let answer = if let Some(body) = self.body {
            let mut request = agent.post(&self.url);
            for (name, value) in self.headers {
                request = request.header(name, value);
            }
            request.send(&body)
        } else {
            let mut request = agent.get(&self.url);
            for (name, value) in self.headers {
                request = request.header(name, value);
            }
            request.call()
        };
        let mut answer = answer.map_err(|error| explained(&error))?;
        let retry_after = answer.headers().get("retry-after").and_then(|v| v.to_str().ok());
        let retry_after = retry_after.and_then(|v| v.parse().ok()).map(Duration::from_secs);
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER).lossy_utf8(true).read_to_string();
        let body = body.map_err(|error| explained(&error))?;
        Ok(Answer { status, body, retry_after })
    }
}

/// By the status alone, for those who mean what HTTP means.
pub(super) fn by_status(answer: &Answer) -> Outcome {
    let why = format!("HTTP {}: {}", answer.status, shortened(&answer.body));
    match answer.status {
        200..300 => Outcome::Sent,
        429 | 503 => Outcome::Later { why, after: answer.retry_after },
        400 | 413 | 415 | 422 => Outcome::Unfit { why },
        300..500 if answer.status != 408 => Outcome::Misconfigured { why },
        _ => Outcome::Later { why, after: None },
    }
}

/// The start of an answer, for a log line.
pub(super) fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

pub(super) fn later(why: impl Into<String>) -> Outcome {
    Outcome::Later { why: why.into(), after: None }
}

/// The address, which may be a secret, is left out.
fn explained(error: &ureq::Error) -> Outcome {
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::RequireHttpsOnly(_) => {
            Outcome::Misconfigured { why: "the address is none, or a header is".to_owned() }
        }
        ureq::Error::HostNotFound => later("the host's name is not known, or there is no network"),
        ureq::Error::Timeout(_) => later("no answer in time"),
        ureq::Error::Rustls(error) => {
            Outcome::Misconfigured { why: crate::tls::explain(&format!("{error:?}")) }
        }
        other => later(crate::tls::explain(&other.to_string())),
    }
}
