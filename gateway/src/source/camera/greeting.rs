//! The first question to an RTSP camera, by which what is none is told from one.
//!
//! The client library reads whatever a server sends until its answer is complete, however long that is. So
//! what answers a simple question without end is not let at it.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

use super::trouble::Why;

/// Of an answer that has no body; real ones have ten lines.
const MOST_BYTES: usize = 64 * 1024;
/// RFC 2326, section 3.2.
const PORT: u16 = 554;

/// Asks what it can do (RFC 2326, section 10.1). What cannot be reached or hangs up is left to be told by
/// who asks next.
pub(super) async fn greet(url: &Url) -> Result<(), Why> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let Ok(mut camera) = TcpStream::connect((host, url.port().unwrap_or(PORT))).await else {
        return Ok(());
    };
    let question = format!("OPTIONS {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n");
    if camera.write_all(question.as_bytes()).await.is_err() {
        return Ok(());
    }
    let mut answer = Vec::with_capacity(1024);
    while answer.len() < MOST_BYTES {
        match camera.read_buf(&mut answer).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) if answer.windows(4).any(|four| four == b"\r\n\r\n") => return Ok(()),
            Ok(_) => {}
        }
    }
    Err(Why::EndlessHeader)
}
