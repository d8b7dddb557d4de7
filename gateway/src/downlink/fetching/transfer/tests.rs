//! Servers that break off, lie, change their mind, or never end.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::super::{Note, address};
use super::*;

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// What a server says to each who connects, and then again and again; what they asked is written down.
type Say = fn(asked: &str, times: usize) -> Vec<u8>;

struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(say: Say, more: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/b", listener.local_addr().unwrap());
        assert!(address(&url).is_ok());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let text = request(&stream);
                let mut asked = heard.lock().unwrap();
                asked.push(text.clone());
                let said = say(&text, asked.len());
                drop(asked);
                let mut written = stream.write_all(&said);
                while written.is_ok() && !more.is_empty() {
                    written = stream.write_all(more);
                }
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn request(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n").to_lowercase()
}

fn head(status: &str, more: &str, length: usize) -> String {
    format!("HTTP/1.1 {status}\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n")
}

/// One byte of `abc` at a time, then the line breaks. Ranges as RFC 9110 has them.
fn byte_by_byte(asked: &str, _: usize) -> Vec<u8> {
    let from = asked
        .split_once("range: bytes=")
        .map_or(0, |(_, rest)| rest.split_once('-').unwrap().0.parse::<usize>().unwrap());
    let head = match from {
        0 => head("200 OK", "ETag: \"one\"\r\n", 3),
        from => {
            let range = format!("Content-Range: bytes {from}-2/3\r\n");
            head("206 Partial Content", &range, 3 - from)
        }
    };
    [head.as_bytes(), &b"abc"[from..=from]].concat()
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join(".fetched")
    }

    /// What comes of one more try, with as much patience.
    fn fetch(&self, server: &Server, sha256: &str, idle: Duration) -> Result<Vec<u8>, Refusal> {
        let patience = Patience { request: Duration::from_mins(1), idle, pause: Duration::ZERO };
        let (url, file) = (server.url.clone(), self.file());
        let note = Note { sha256: sha256.to_owned(), ..Note::read(&file) };
        let transfer = Transfer { url, ca_file: None, sha256, file, note, patience };
        transfer.run().map(|()| fs::read(self.file()).unwrap())
    }
}

const NONE: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_mins(1);

#[test]
fn only_what_has_its_sha_256_is_handed_on() {
    let server = Server::start(|_, _| [head("200 OK", "", 3).as_bytes(), b"abc"].concat(), b"");
    assert_eq!(Place::new().fetch(&server, ABC, LONG), Ok(b"abc".to_vec()));
    let place = Place::new();
    assert_eq!(place.fetch(&server, &"0".repeat(64), LONG), Err(Refusal::WrongHash));
    assert!(!place.file().exists());
}

#[test]
fn what_breaks_off_goes_on_where_it_broke_as_long_as_it_is_the_same_file() {
    let server = Server::start(byte_by_byte, b"");

    assert_eq!(Place::new().fetch(&server, ABC, LONG), Ok(b"abc".to_vec()));

    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    assert!(!asked[0].contains("range"), "{}", asked[0]);
    for (asked, range) in asked[1..].iter().zip(["bytes=1-", "bytes=2-"]) {
        assert!(asked.contains(&format!("\nrange: {range}")), "{asked}");
        assert!(asked.contains("\nif-range: \"one\""), "{asked}");
    }
}

#[test]
fn what_broke_off_when_the_gateway_ended_is_gone_on_with_by_the_next_one() {
    let server = Server::start(byte_by_byte, b"");
    let place = Place::new();
    for have in [b"a".as_slice(), b"ab"] {
        assert!(place.fetch(&server, ABC, NONE).is_err());
        assert_eq!(fs::read(place.file()).unwrap(), have);
    }
    assert_eq!(place.fetch(&server, ABC, NONE), Ok(b"abc".to_vec()));
    assert_eq!(place.fetch(&server, ABC, NONE), Ok(b"abc".to_vec()));
    assert_eq!(server.asked().len(), 3, "what is whole is not asked for");
}

#[test]
fn a_file_that_changed_a_torn_one_and_a_server_without_ranges_begin_anew() {
    let whole: Say = |_, _| [head("200 OK", "", 3).as_bytes(), b"abc"].concat();
    let gone: Say = |asked, times| {
        if asked.contains("range") {
            return head("416 Range Not Satisfiable", "", 0).into_bytes();
        }
        byte_by_byte(asked, times)
    };
    for (why, have, say) in [
        ("it knows no ranges", b"ab".as_slice(), whole),
        ("a power cut has left zeros", b"\0\0", byte_by_byte as Say),
        ("the file there is shorter than ours", b"abcd", |asked, times| {
            if times == 1 { head("416 No", "", 0).into_bytes() } else { byte_by_byte(asked, times) }
        }),
        ("another part comes than was asked for", b"ab", |asked, times| match times {
            1 => {
                let range = "Content-Range: bytes 0-2/3\r\n";
                [head("206 Partial Content", range, 3).as_bytes(), b"abc"].concat()
            }
            times => byte_by_byte(asked, times),
        }),
    ] {
        let place = Place::new();
        fs::write(place.file(), have).unwrap();
        let server = Server::start(say, b"");
        assert_eq!(place.fetch(&server, ABC, LONG), Ok(b"abc".to_vec()), "{why}");
    }
    // Each piece alone is all that ever comes: somebody must hear of it in the end.
    let place = Place::new();
    assert!(place.fetch(&Server::start(gone, b""), ABC, Duration::from_millis(50)).is_err());
}

#[test]
fn what_leads_elsewhere_is_not_there_or_never_ends_is_told_and_leaves_nothing() {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    let cases: [(&str, Say, &'static [u8], &str); 6] = [
        ("it is not there", |_, _| head("404 No", "", 0).into_bytes(), b"", "HTTP 404"),
        ("it is broken from the first", |_, _| head("500 No", "", 0).into_bytes(), b"", "HTTP 500"),
        (
            "it leads elsewhere",
            |_, _| head("302 No", "Location: file:///etc/passwd\r\n", 0).into_bytes(),
            b"",
            "elsewhere",
        ),
        ("it is no HTTP", |_, _| b"hello\r\n\r\n".to_vec(), b"", "http"),
        ("it says so", |_, _| head("200 OK", "", 1 << 30).into_bytes(), b"", "longer than"),
        (
            "it never ends",
            |_, _| b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(),
            &ZEROS,
            "longer than",
        ),
    ];
    for (why, say, more, expected) in cases {
        let place = Place::new();
        let refused = place.fetch(&Server::start(say, more), ABC, LONG);
        let Err(Refusal::NotFetched { reason }) = refused else { panic!("{why}: {refused:?}") };
        assert!(reason.contains(expected), "{why}: {reason}");
        assert!(!place.file().exists(), "{why}");
    }
}
