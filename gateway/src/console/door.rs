//! The way in for connections: how many at once, and how long each may keep us waiting.
//!
//! A connection takes a file of the few that a process may have open, and the store needs files to
//! write. So whoever connects must say what he wants before long, whether or not he may come in, and
//! those over [`MAX_CONNECTIONS`] wait outside, where they take nothing.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Connections at once; more than the live streams, so that these leave room for pages.
const MAX_CONNECTIONS: usize = 128;
/// The time from the connection to the first byte of an answer.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// The time from an answer to more of it, or to the next one; a live stream says something every
/// 15 seconds.
const NEXT_ANSWER: Duration = Duration::from_mins(1);

/// Lets connections in.
pub(super) struct Door {
    listener: TcpListener,
    room: Arc<Semaphore>,
}

impl Door {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self::with_room(listener, MAX_CONNECTIONS)
    }

    fn with_room(listener: TcpListener, connections: usize) -> Self {
        Self { listener, room: Arc::new(Semaphore::new(connections)) }
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
        (Visitor { stream, deadline, _permit: permit }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends when nothing was answered on it for too long.
pub(super) struct Visitor {
    stream: TcpStream,
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

impl AsyncRead for Visitor {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.in_time(done, context)
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(done, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.written(done, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
