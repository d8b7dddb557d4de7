//! Mail through a server that takes our messages (SMTP, RFC 5321; TLS from the first byte, RFC 8314, or
//! by STARTTLS, RFC 3207). Plain text, in the language of who reads it.
//!
//! `Message-ID` is made of the parcel's number, the same on every retry.

use std::fmt::Write as _;
use std::time::Duration;

use gatehouse_core::alert::Outcome;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::channel::{Message, secret};
use super::config::{EmailConfig, Security};
use super::http::{later, shortened};
use crate::tls::install_provider;

/// A server that has not answered by then is asked again later.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn send(email: &EmailConfig, message: &Message) -> Outcome {
    let prepared = written(email, message).and_then(|mail| Ok((mail, transport(email)?)));
    let (mail, transport) = match prepared {
        Ok(both) => both,
        Err(outcome) => return outcome,
    };
    match tokio::time::timeout(PATIENCE * 2, transport.send(mail)).await {
        Ok(Ok(_)) => Outcome::Sent,
        Ok(Err(error)) => explained(&error),
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

fn transport(email: &EmailConfig) -> Result<AsyncSmtpTransport<Tokio1Executor>, Outcome> {
    install_provider();
    let misconfigured = |why: String| Outcome::Misconfigured { why };
    let mut parameters = TlsParameters::builder(email.server.clone());
    if let Some(path) = &email.ca_file {
        let pem = std::fs::read(path).map_err(|error| {
            misconfigured(format!("`{}` cannot be read: {error}", path.display()))
        })?;
        let certificate = Certificate::from_pem(&pem)
            .map_err(|_| misconfigured(format!("`{}` holds no certificate", path.display())))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    let parameters = || parameters.build().map_err(|error| misconfigured(error.to_string()));
    let (port, tls) = match email.security {
        Security::Tls => (465, Tls::Wrapper(parameters()?)),
        Security::Starttls => (587, Tls::Required(parameters()?)),
        Security::None => (25, Tls::None),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&email.server)
        .port(email.port.unwrap_or(port))
        .timeout(Some(PATIENCE))
        .tls(tls);
    if let (Some(user), Some(file)) = (&email.user, &email.password_file)
        && email.security != Security::None
    {
        builder = builder.credentials(Credentials::new(user.clone(), secret(file)?));
    }
    Ok(builder.build())
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
        _ if error.is_tls() || error.is_client() => Outcome::Misconfigured { why },
        _ => later(why),
    }
}
