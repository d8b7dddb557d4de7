//! Connections that say nothing, or not enough.

use super::*;

#[tokio::test(start_paused = true)]
async fn whoever_does_not_say_what_he_wants_is_shown_out() {
    let served = serve_view(quiet()).await;

    for begun in ["", "GET / HTTP/1.1\r\nHost: "] {
        let mut stream = TcpStream::connect(served.at).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_mins(2), stream.read(&mut [0; 100])).await;
        assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{begun:?}: {ended:?}");
    }
    served.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_nothing_to_tell_stays_open() {
    let served = serve_view(quiet()).await;
    let mut stream = served.open("GET", "/api/v1/events/stream", &served.bearer(), "").await;

    // The first is the answer and its first picture, then a sign of life every 15 s.
    for sign in 0..12 {
        let read = stream.read(&mut vec![0; 100_000]).await.unwrap();
        assert!(read > 0, "ended after {sign}");
    }
    drop(stream);
    served.end().await;
}
