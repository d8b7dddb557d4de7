//! The way to a mail server, over which lettre speaks SMTP. Lettre's own would judge certificates by what the
//! box's clock shows, which may be 1970; so the connection and the TLS on it are ours ([`crate::tls`]), from the
//! first byte (RFC 8314) or after STARTTLS (RFC 3207).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::Starttls;
use lettre::transport::smtp::extension::ClientId;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::config::{EmailConfig, Security};
use crate::tls::{self, AccessError};
use crate::web;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoWay {
    #[error(transparent)]
    Access(#[from] AccessError),

    #[error("`{0}` is no host name that a certificate could have")]
    NoName(String),

    #[error("no connection: {0}")]
    Unreached(#[source] io::Error),

    #[error("no TLS: {0}")]
    Unsecured(#[source] io::Error),

    #[error("it cannot STARTTLS; expected a server that can, or `security = \"tls\"`")]
    NoStarttls,

    #[error(transparent)]
    Smtp(#[from] SmtpError),
}

/// Connects to the server and greets it; nothing secret is said before the connection is as `security` wants it.
pub(super) async fn connect(email: &EmailConfig) -> Result<AsyncSmtpConnection, NoWay> {
    let usual = match email.security {
        Security::Tls => 465,
        Security::Starttls => 587,
        Security::None => 25,
    };
    let address = (email.server.as_str(), email.port.unwrap_or(usual));
    let socket = TcpStream::connect(address).await.map_err(NoWay::Unreached)?;
    let peer = socket.peer_addr().map_err(NoWay::Unreached)?;
    let socket = Socket(Arc::new(Mutex::new(socket)));
    match email.security {
        Security::None => Ok(greet(socket, peer, b"").await?),
        Security::Tls => Ok(greet(secure(email, socket).await?, peer, b"").await?),
        Security::Starttls => {
            let mut plain = greet(socket.clone(), peer, b"").await?;
            if !plain.can_starttls() {
                return Err(NoWay::NoStarttls);
            }
            plain.command(Starttls).await?;
            // And with it whatever somebody on the way has said behind the server's answer.
            drop(plain);
            Ok(greet(secure(email, socket).await?, peer, b"220 go on\r\n").await?)
        }
    }
}

async fn greet<S>(
    stream: S,
    peer: SocketAddr,
    greeting: &'static [u8],
) -> Result<AsyncSmtpConnection, SmtpError>
where
    S: AsyncRead + AsyncWrite + Send + Sync + Unpin + fmt::Debug + 'static,
{
    let wire = Box::new(Wire { greeting, stream, peer });
    AsyncSmtpConnection::connect_with_transport(wire, &ClientId::default()).await
}

async fn secure(email: &EmailConfig, socket: Socket) -> Result<TlsStream<Socket>, NoWay> {
    let name = ServerName::try_from(email.server.clone());
    let name = name.map_err(|_| NoWay::NoName(email.server.clone()))?;
    let roots = web::roots(email.ca_file.as_deref())?;
    let config = tls::judging().with_root_certificates(roots).with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, socket).await.map_err(NoWay::Unsecured)
}

/// A connection that is spoken on without TLS first and with it then.
#[derive(Debug, Clone)]
struct Socket(Arc<Mutex<TcpStream>>);

impl Socket {
    fn held(&self) -> MutexGuard<'_, TcpStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.held()).poll_read(context, room)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.held()).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.held()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.held()).poll_shutdown(context)
    }
}

/// What lettre is given.
#[derive(Debug)]
struct Wire<S> {
    /// It waits for one, and a server that was greeted before STARTTLS says none again.
    greeting: &'static [u8],
    stream: S,
    peer: SocketAddr,
}

impl<S> AsyncTokioStream for Wire<S>
where
    S: AsyncRead + AsyncWrite + Send + Sync + Unpin + fmt::Debug,
{
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.greeting.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, room);
        }
        let (now, later) = self.greeting.split_at(self.greeting.len().min(room.remaining()));
        room.put_slice(now);
        self.greeting = later;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
