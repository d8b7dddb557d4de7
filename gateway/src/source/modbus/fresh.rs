//! A stream on which nobody is answered before having asked.
//!
//! Modbus is question and answer. Bytes that arrive in between are a late answer, noise, or another
//! master, and must not be taken for the answer to the next question. So reading empties the stream
//! each time a question is about to leave; that also notices a peer that has closed meanwhile.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// More stray reads than this before one question: a line that babbles.
const MOST_STRAY_READS: usize = 64;

/// A stream that throws away what came in before a question leaves.
#[derive(Debug)]
pub(super) struct Fresh<T>(pub(super) T);

impl<T: AsyncRead + Unpin> Fresh<T> {
    /// An error when the other end has closed, or does not stop talking.
    fn throw_away(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        for _ in 0..MOST_STRAY_READS {
            let mut bytes = [0; 256];
            let mut stray = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.0).poll_read(context, &mut stray) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Ready(Ok(())) if stray.filled().is_empty() => {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                Poll::Ready(Ok(())) => {}
            }
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "the line does not stop talking"))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Fresh<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

/// The client writes nothing but questions, and nothing while it waits for an answer.
impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Fresh<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.throw_away(context)?;
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn what_came_unasked_is_never_an_answer() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = Fresh(near);
        far.write_all(b"late").await.unwrap();

        near.write_all(b"question").await.unwrap();
        far.write_all(b"answer").await.unwrap();

        let mut answer = [0; 6];
        near.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
    }

    #[tokio::test]
    async fn a_peer_that_has_hung_up_is_noticed_before_the_question_leaves() {
        let (near, far) = tokio::io::duplex(64);
        drop(far);

        let error = Fresh(near).write_all(b"question").await.unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_line_that_babbles_is_an_error_and_not_an_endless_loop() {
        let error = Fresh(tokio::io::join(tokio::io::repeat(7), tokio::io::sink()))
            .write_all(b"question")
            .await
            .unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
