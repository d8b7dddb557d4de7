//! Both ends of HTTP/1.1 in a few lines: a server that notes what it is asked, and a client.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::PATIENCE;

/// A request, or the answer to one: the first line, headers in small letters, body.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) first: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Heard {
    async fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut first = String::new();
        stream.read_line(&mut first).await.ok().filter(|many| *many > 0)?;
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let mut body = Vec::new();
        match headers.get("content-length").and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => {
                body.resize(length, 0);
                stream.read_exact(&mut body).await.ok()?;
            }
            None if first.starts_with("HTTP/") => _ = stream.read_to_end(&mut body).await.ok()?,
            None => {}
        }
        Some(Self { first: first.trim().to_owned(), headers, body })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A server that answers everything with the same status.
pub(crate) struct Listener {
    pub(crate) address: String,
    status: Arc<Mutex<u16>>,
    heard: mpsc::Receiver<(u16, Heard)>,
}

impl Listener {
    pub(crate) async fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let status = Arc::new(Mutex::new(status));
        let (sender, heard) = mpsc::channel(1_000);
        let shared = Arc::clone(&status);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (status, sender) = (Arc::clone(&shared), sender.clone());
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let Some(heard) = Heard::read(&mut stream).await else { return };
                    let status = *status.lock().unwrap();
                    // A sender that was killed is not there any more.
                    drop(sender.send((status, heard)).await);
                    let answer = format!(
                        "HTTP/1.1 {status} .\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    );
                    drop(stream.write_all(answer.as_bytes()).await);
                });
            }
        });
        Self { address, status, heard }
    }

    pub(crate) fn answer(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }

    /// The next request, and what was answered.
    pub(crate) async fn next(&mut self) -> (u16, Heard) {
        timeout(PATIENCE * 3, self.heard.recv()).await.unwrap().unwrap()
    }
}

/// Asks once; `headers` end in a line break each.
pub(crate) async fn ask(address: &str, method: &str, path: &str, headers: &str) -> Heard {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n{headers}Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    timeout(PATIENCE, Heard::read(&mut stream)).await.unwrap().unwrap()
}

/// Sends a body of that type; `None` when the other end hung up in the middle of it.
pub(crate) async fn post(
    address: &str,
    path: &str,
    headers: &str,
    kind: &str,
    body: &str,
) -> Option<Heard> {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}"
    );
    // What is too long is answered before it is read.
    drop(stream.write_all(request.as_bytes()).await);
    timeout(PATIENCE, Heard::read(&mut stream)).await.unwrap()
}
