//! Mail through a server that takes our messages (SMTP, RFC 5321; the way to it: [`super::smtp`]). Plain text,
//! in the language of who reads it.
//!
//! `Message-ID` is made of the parcel's number, the same on every retry.

use std::fmt::Write as _;
use std::time::Duration;

use gatehouse_core::alert::Outcome;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};

use super::channel::{Message, secret};
use super::config::{EmailConfig, Security};
use super::http::{later, shortened};
use super::smtp::{self, NoWay};

/// A server that has not answered by then is asked again later.
const PATIENCE: Duration = Duration::from_secs(40);

pub(super) async fn send(email: &EmailConfig, message: &Message) -> Outcome {
    let mail = match written(email, message) {
        Ok(mail) => mail,
        Err(outcome) => return outcome,
    };
    match tokio::time::timeout(PATIENCE, deliver(email, mail)).await {
        Ok(Ok(())) => Outcome::Sent,
        Ok(Err(outcome)) => outcome,
        Err(_) => later("the mail server did not answer in time"),
    }
}

fn written(email: &EmailConfig, message: &Message) -> Result<lettre::Message, Outcome> {
    let from: Mailbox = email.from.parse().map_err(|_| Outcome::Misconfigured {
        why: format!("`{}` is no sender; expected `Name <name@host>`", email.from),
    })?;
    let to: Mailbox = message.address.parse().map_err(|_| Outcome::Unfit {
        why: "the person's address is no mailbox; expected `name@host`".to_owned(),
    })?;
    let letter = &message.letter;
    let mut text = letter.plain();
    for (name, url) in message.links.named(letter.language) {
        let _ = write!(text, "\n\n{name}\n{url}");
    }
    let host = from.email.domain().to_owned();
    lettre::Message::builder()
        .from(from)
        .to(to)
        .subject(letter.headline.clone())
        .message_id(Some(format!("<{}.{}@{host}>", letter.id, message.gateway)))
        .header(ContentType::TEXT_PLAIN)
        .body(text)
        .map_err(|error| Outcome::Unfit { why: error.to_string() })
}

async fn deliver(email: &EmailConfig, mail: lettre::Message) -> Result<(), Outcome> {
    let credentials = match (&email.user, &email.password_file) {
        (Some(user), Some(file)) if email.security != Security::None => {
            Some(Credentials::new(user.clone(), secret(file)?))
        }
        _ => None,
    };
    let mut server = smtp::connect(email).await.map_err(|no_way| unreached(&no_way))?;
    if let Some(credentials) = credentials {
        let answer = server.auth(DEFAULT_MECHANISMS, &credentials).await;
        answer.map_err(|error| explained(&error))?;
    }
    let sent = server.send(mail.envelope(), &mail.formatted()).await;
    sent.map_err(|error| explained(&error))?;
    // It has taken the message, whatever it says now.
    drop(server.quit().await);
    Ok(())
}

fn unreached(no_way: &NoWay) -> Outcome {
    if let NoWay::Smtp(error) = no_way {
        return explained(error);
    }
    let why = crate::tls::explain(&shortened(&no_way.to_string()));
    match no_way {
        NoWay::Unreached(_) => later(why),
        // The wire's fault, and not what was found on the certificate.
        NoWay::Unsecured(error) if error.get_ref().is_none() => later(why),
        _ => Outcome::Misconfigured { why },
    }
}

fn explained(error: &lettre::transport::smtp::Error) -> Outcome {
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        why = format!("{why}: {cause}");
        source = cause.source();
    }
    let why = crate::tls::explain(&shortened(&why));
    let code = error.status().map(u16::from);
    match code {
        // Who we are is wrong, or not said.
        Some(530 | 534 | 535 | 538) => Outcome::Misconfigured { why },
        Some(500..) => Outcome::Unfit { why },
        _ if error.is_client() => Outcome::Misconfigured { why },
        _ => later(why),
    }
}
