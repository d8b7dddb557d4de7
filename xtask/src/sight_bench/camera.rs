//! Cameras that send MJPEG over HTTP (`multipart/x-mixed-replace`), as many as ask: two pictures in turns.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// Between two pictures.
const STEP: Duration = Duration::from_millis(100);

pub(super) struct Cameras {
    port: u16,
}

impl Cameras {
    /// Serves what lies in a folder for as long as this process lives.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let folder = folder.to_owned();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let folder = folder.clone();
                // Ends when the other side goes.
                thread::spawn(move || drop(serve(&stream, &folder)));
            }
        });
        Ok(Self { port })
    }

    /// A camera that sends pictures of that size.
    pub(super) fn url(&self, size: &str) -> String {
        format!("http://127.0.0.1:{}/{size}", self.port)
    }
}

fn serve(mut stream: &TcpStream, folder: &Path) -> Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let asked = lines.next().context("nobody asked")??;
    // The rest of what is asked ends with an empty line.
    while !lines.next().context("it ended")??.is_empty() {}
    let size = asked.split([' ', '/']).nth(2).context("no size")?;
    let read = |which: &str| {
        let path: PathBuf = folder.join(format!("{size}-{which}.jpg"));
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let pictures = [read("a")?, read("b")?];
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=next\r\n\r\n",
    )?;
    for jpeg in pictures.iter().cycle() {
        let head =
            format!("--next\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
        stream.write_all(&[head.as_bytes(), jpeg, b"\r\n"].concat())?;
        thread::sleep(STEP);
    }
    Ok(())
}
