//! The way in for connections: how many at once, and how long each may keep us waiting.
//!
//! A connection takes a file of the few that a process may have open, and the store needs files to
//! write. So whoever connects must say what he wants before long, whether or not he may come in, and
//! those over [`MAX_CONNECTIONS`] wait outside, where they take nothing.
//!
//! With TLS the same limits hold for the greeting: it is part of the connection, not of `accept`, so a
//! slow one keeps nobody else out. Who speaks plain HTTP to a port with TLS is told the right address.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use super::guard::is_our_name;
use super::tls::Tls;

/// Connections at once; more than the live streams, so that these leave room for pages.
const MAX_CONNECTIONS: usize = 128;
/// The time from the connection to the first byte of an answer.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// The time from an answer to more of it, or to the next one; a live stream says something every
/// 15 seconds.
const NEXT_ANSWER: Duration = Duration::from_mins(1);

/// The first byte of a TLS greeting (RFC 8446, 5.1: handshake).
const GREETING: u8 = 0x16;
/// The longest head of a stray request that is answered.
const LONGEST_STRAY: usize = 4 * 1024;

/// Lets connections in.
pub(super) struct Door {
    listener: TcpListener,
    /// With our names, for those who have to be sent to the right address.
    tls: Option<(TlsAcceptor, Arc<[String]>)>,
    room: Arc<Semaphore>,
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Door {
    pub(super) fn new(listener: TcpListener, tls: Option<&Tls>, names: Vec<String>) -> Self {
        let tls = tls.map(|tls| (tls.acceptor(), Arc::from(names)));
        Self { tls, ..Self::with_room(listener, MAX_CONNECTIONS) }
    }

    fn with_room(listener: TcpListener, connections: usize) -> Self {
        Self { listener, tls: None, room: Arc::new(Semaphore::new(connections)) }
    }
}

impl Listener for Door {
    type Io = Visitor;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visitor, SocketAddr) {
        // Nobody closes the semaphore, so there is a permit in the end.
        let permit = Arc::clone(&self.room).acquire_owned().await.ok();
        let (stream, from) = Listener::accept(&mut self.listener).await;
        let deadline = Box::pin(tokio::time::sleep(FIRST_ANSWER));
        let wire = match self.tls.clone() {
            Some((acceptor, names)) => Wire::New { stream, acceptor, names },
            None => Wire::Plain(stream),
        };
        (Visitor { wire, deadline, _permit: permit }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends when nothing was answered on it for too long.
pub(super) struct Visitor {
    wire: Wire,
    /// Put off only by what we write: what comes in byte by byte would keep us for ever.
    deadline: Pin<Box<Sleep>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Visitor {
    /// What could not be done now may be waited for, until the deadline.
    fn in_time<T>(
        &mut self,
        done: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if done.is_pending() && self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        done
    }

    fn written(
        &mut self,
        done: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if matches!(done, Poll::Ready(Ok(1..))) {
            self.deadline.as_mut().reset(Instant::now() + NEXT_ANSWER);
        }
        self.in_time(done, context)
    }
}

/// What a connection speaks.
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// The first byte will tell.
    New {
        stream: TcpStream,
        acceptor: TlsAcceptor,
        names: Arc<[String]>,
    },
    Greeting(Box<Accept<TcpStream>>),
    /// Plain HTTP where TLS was expected.
    Stray {
        stream: TcpStream,
        head: Vec<u8>,
        names: Arc<[String]>,
    },
    /// It has been told, and hears no more.
    Told(TcpStream),
    Broken,
}

impl Wire {
    /// Goes on until it is known what is spoken; then it is `Plain`, `Tls` or `Told`.
    fn settle(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            *self = match std::mem::replace(self, Self::Broken) {
                settled @ (Self::Plain(_) | Self::Tls(_) | Self::Told(_)) => {
                    *self = settled;
                    return Poll::Ready(Ok(()));
                }
                Self::New { stream, acceptor, names } => {
                    let mut first = [0];
                    match stream.poll_peek(context, &mut ReadBuf::new(&mut first)) {
                        Poll::Ready(Ok(0)) => Self::Told(stream),
                        Poll::Ready(Ok(_)) if first[0] == GREETING => {
                            Self::Greeting(Box::new(acceptor.accept(stream)))
                        }
                        Poll::Ready(Ok(_)) => Self::Stray { stream, head: Vec::new(), names },
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Pending => {
                            *self = Self::New { stream, acceptor, names };
                            return Poll::Pending;
                        }
                    }
                }
                Self::Greeting(mut accept) => match Pin::new(&mut *accept).poll(context) {
                    Poll::Ready(Ok(stream)) => Self::Tls(Box::new(stream)),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {
                        *self = Self::Greeting(accept);
                        return Poll::Pending;
                    }
                },
                Self::Stray { mut stream, mut head, names } => {
                    let mut chunk = [0; 512];
                    let mut buffer = ReadBuf::new(&mut chunk);
                    match Pin::new(&mut stream).poll_read(context, &mut buffer) {
                        Poll::Ready(Ok(())) => {
                            head.extend_from_slice(buffer.filled());
                            let is_whole = head.windows(4).any(|end| end == b"\r\n\r\n");
                            let is_over = buffer.filled().is_empty() || head.len() > LONGEST_STRAY;
                            if is_whole || is_over {
                                // It fits into any socket's buffer; who has none left is not told.
                                let _untold = stream.try_write(&turn_away(&head, &stream, &names));
                                Self::Told(stream)
                            } else {
                                Self::Stray { stream, head, names }
                            }
                        }
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Pending => {
                            *self = Self::Stray { stream, head, names };
                            return Poll::Pending;
                        }
                    }
                }
                Self::Broken => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            };
        }
    }
}

/// The answer to a plain request: where to go, or, for one that already sent something, what to do.
fn turn_away(head: &[u8], stream: &TcpStream, names: &[String]) -> Vec<u8> {
    let address = || {
        let head = std::str::from_utf8(head).ok()?;
        let (first, rest) = head.split_once("\r\n")?;
        let path = first.strip_prefix("GET ").or_else(|| first.strip_prefix("HEAD "))?;
        let path = path.split(' ').next().filter(|path| path.starts_with('/'))?;
        let host = rest.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case("host").then(|| value.trim())
        })?;
        let is_plain = path.bytes().chain(host.bytes()).all(|byte| byte.is_ascii_graphic());
        let bound = stream.local_addr().ok()?;
        (is_plain && is_our_name(host, bound, names)).then(|| format!("https://{host}{path}"))
    };
    let text = "This port speaks HTTPS: begin the address with https://\n\
        此端口使用 HTTPS：请以 https:// 开头输入地址\n";
    let status = match address() {
        Some(address) => format!("301 Moved Permanently\r\nLocation: {address}"),
        None => "400 Bad Request".to_owned(),
    };
    let length = text.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    )
    .into_bytes()
}

impl AsyncRead for Visitor {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let settled = self.wire.settle(context);
        let done = match (settled, &mut self.wire) {
            (Poll::Ready(Ok(())), Wire::Plain(stream)) => {
                Pin::new(stream).poll_read(context, buffer)
            }
            (Poll::Ready(Ok(())), Wire::Tls(stream)) => Pin::new(stream).poll_read(context, buffer),
            // Nothing more comes.
            (other, _) => other,
        };
        self.in_time(done, context)
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let settled = self.wire.settle(context);
        let done = match (settled, &mut self.wire) {
            (Poll::Ready(Ok(())), Wire::Plain(stream)) => {
                Pin::new(stream).poll_write(context, bytes)
            }
            (Poll::Ready(Ok(())), Wire::Tls(stream)) => Pin::new(stream).poll_write(context, bytes),
            (Poll::Ready(Err(error)), _) => Poll::Ready(Err(error)),
            (Poll::Ready(Ok(())), _) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            (Poll::Pending, _) => Poll::Pending,
        };
        self.written(done, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(context),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(context),
            _unsettled => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) | Wire::Told(stream) => Pin::new(stream).poll_shutdown(context),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            _unsettled => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::config::ConsoleConfig;

    #[tokio::test(start_paused = true)]
    async fn a_greeting_that_does_not_come_keeps_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let listen = SocketAddr::from(([0, 0, 0, 0], 0));
        let config = ConsoleConfig { listen, ..ConsoleConfig::default() };
        let tls = Tls::of(&config, folder.path()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let mut door = Door::new(listener, tls.as_ref(), Vec::new());

        for begun in [&b""[..], b"\x16\x03\x01", b"GET / HTTP/1.1\r\nHost: "] {
            let mut outside = TcpStream::connect(at).await.unwrap();
            outside.write_all(begun).await.unwrap();
            let (mut visitor, _) = door.accept().await;
            let waited = tokio::time::timeout(NEXT_ANSWER, visitor.read(&mut [0; 10])).await;
            let error = waited.expect("it ends before").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{begun:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn over_the_limit_they_wait_until_one_has_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let mut door = Door::with_room(listener, 2);
        let connect = || TcpStream::connect(at);
        let _outside =
            (connect().await.unwrap(), connect().await.unwrap(), connect().await.unwrap());
        let (first, _) = door.accept().await;
        let _second = door.accept().await;

        assert!(tokio::time::timeout(NEXT_ANSWER, door.accept()).await.is_err());

        drop(first);
        door.accept().await;
    }
}
