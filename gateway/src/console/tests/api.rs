//! What scripts meet: the list and its pages, deeds as JSON, and a stream that goes on where it was cut.

use gatehouse_core::event::message::{Message, Record, Stage};
use gatehouse_core::pipeline::{Batch, Input};
use serde_json::Value;

use super::*;
use crate::sample::message;
use crate::store::BatchSender;

/// The store's own writer, as the engine uses it.
struct Journal {
    sender: BatchSender,
    stored: tokio::sync::mpsc::Receiver<Input>,
    _inputs: tokio::sync::mpsc::Sender<Input>,
    written: u64,
    batches: u64,
}

impl Journal {
    fn of(served: &Served) -> Self {
        let (inputs, stored) = tokio::sync::mpsc::channel(8);
        let (sender, _) = served.events.spawn_writer(inputs.downgrade()).unwrap();
        Self { sender, stored, _inputs: inputs, written: 0, batches: 0 }
    }

    /// So many more records, each of an event of its own; back when they are on disk.
    async fn write(&mut self, many: u64) {
        let records = (self.written + 1..=self.written + many).map(|sequence| {
            let mut message = message();
            message.kind = "gatehouse.event.closed".into();
            message.sequence = format!("{sequence:020}");
            message.time =
                format!("2026-01-01T{:02}:{:02}:00.000Z", sequence / 60 % 24, sequence % 60);
            message.data.detected.clone_from(&message.time);
            message.data.event = format!("past-{sequence}");
            message.data.handling.stage = Stage::Closed;
            Record {
                sequence,
                level: message.data.level,
                event: message.data.event.clone(),
                json: serde_json::to_vec(&message).unwrap(),
            }
        });
        self.written += many;
        self.batches += 1;
        let records = records.collect();
        self.sender.send(Batch { number: self.batches, records, ..Batch::default() });
        let through = self.batches;
        while !matches!(self.stored.recv().await, Some(Input::Stored { through: t }) if t == through)
        {
        }
    }
}

fn ids(text: &str) -> Vec<u64> {
    let messages = text.split("\n\n").filter(|message| message.contains("event: record"));
    let ids = messages.filter_map(|message| message.lines().find_map(|l| l.strip_prefix("id: ")));
    ids.map(|id| id.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_stream_that_was_cut_goes_on_with_nothing_missing_and_nothing_twice() {
    let served = serve_view(quiet()).await;
    let mut journal = Journal::of(&served);
    journal.write(3).await;
    let path = "/api/v1/events/stream";
    let mut stream = served.open("GET", path, &served.bearer(), "").await;
    let begun = read_until(&mut stream, "data: []\n\n").await;
    assert!(begun.contains("event: events\nid: 3\n"), "{begun}");

    journal.write(150).await;
    let mut seen = ids(&read_until(&mut stream, "id: 90\n").await);
    // Cut in the middle of a message: what is not whole does not count.
    seen.retain(|id| *id < 90);
    drop(stream);
    journal.write(40).await;
    let last = format!("{}Last-Event-ID: {}\r\n", served.bearer(), seen.last().unwrap());
    let mut stream = served.open("GET", path, &last, "").await;
    let rest = read_until(&mut stream, "data: []\n\n").await;
    assert!(!rest.contains("event: reset"));
    seen.extend(ids(&rest));
    journal.write(1).await;
    seen.extend(ids(&read_until(&mut stream, "id: 194\n").await));

    assert_eq!(seen, (4..=194).collect::<Vec<_>>());
    served.end().await;
}

#[tokio::test]
async fn who_missed_too_much_is_told_and_starts_anew() {
    let served = serve_view(troubled()).await;
    let mut journal = Journal::of(&served);
    journal.write(1_200).await;

    for (why, query) in [
        ("too long ago", "?last-event-id=100"),
        ("of another store", "?last-event-id=5000"),
        ("no number", "?last-event-id=last"),
    ] {
        let path = format!("/api/v1/events/stream{query}");
        let mut stream = served.open("GET", &path, &served.bearer(), "").await;
        let told = read_until(&mut stream, "}]\n\n").await;
        let reset = "event: reset\nid: 1200\ndata: {\"through\":1200}\n\n";
        assert!(
            told.contains(reset) && told.contains("event: events\nid: 1200\n"),
            "{why}: {told}"
        );
    }
    let path = "/api/v1/events/stream?last-event-id=1199";
    let mut stream = served.open("GET", path, &served.bearer(), "").await;
    assert_eq!(ids(&read_until(&mut stream, "}]\n\n").await), [1_200]);
    served.end().await;
}

#[tokio::test]
async fn the_list_is_filtered_and_goes_back_page_by_page() {
    let served = serve_view(troubled()).await;
    Journal::of(&served).write(30).await;
    let events = |answer: &Answer| -> Vec<String> {
        let events: Vec<Value> = serde_json::from_str(&answer.body).unwrap();
        events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
    };

    assert_eq!(events(&served.get("/api/v1/events").await).len(), troubled().events.len());
    assert_eq!(events(&served.get("/api/v1/events?level=1").await).len(), 1);
    let mut path = "/api/v1/events?show=all&many=12".to_owned();
    let mut all = Vec::new();
    loop {
        let page = served.get(&path).await;
        all.extend(events(&page));
        let Some(link) = page.header("link") else { break };
        path = link.split(['<', '>']).nth(1).unwrap().to_owned();
    }
    assert_eq!(all, (1..=30).rev().map(|n| format!("past-{n}")).collect::<Vec<_>>());

    let one: Value = serde_json::from_str(&served.get("/api/v1/events/past-7").await.body).unwrap();
    assert_eq!(one["handling"]["stage"], "closed");
    let history = served.get("/api/v1/events/past-7/history").await.body;
    let history: Vec<Message> = serde_json::from_str(&history).unwrap();
    assert_eq!((history.len(), history[0].kind.as_str()), (1, "gatehouse.event.closed"));
    for (path, status, word) in [
        ("/api/v1/events/nowhere", 404, "no-event"),
        ("/api/v1/nowhere", 404, "not-found"),
        ("/api/v1/events?level=9", 400, "malformed"),
        ("/api/v1/events?many=0&show=all", 400, "malformed"),
        ("/api/v1/events?colour=red", 400, "malformed"),
        ("/api/v1/events?before=x", 400, "malformed"),
    ] {
        let answer = served.get(path).await;
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, problem["status"].as_u64()), (status, Some(status.into())));
        assert_eq!(problem["type"], format!("urn:gatehouse:problem:{word}"), "{path}");
    }
    served.end().await;
}

#[tokio::test]
async fn a_deed_takes_json_alone_and_says_what_came_of_it() {
    let served = serve_view(troubled()).await;
    let json = "Content-Type: application/json\r\n";
    for (deed, kind, body, status, told) in [
        ("acknowledge", json, r#"{"note":"on my way"}"#, 200, "\"event\""),
        ("acknowledge", "", "", 200, "\"event\""),
        ("dispatch", json, r#"{"to":"grid"}"#, 200, "\"event\""),
        ("handle", json, "{}", 200, "\"event\""),
        ("verify", json, "{}", 200, "\"event\""),
        ("shelve", json, r#"{"until":"2126-01-01T00:00:00Z"}"#, 200, "\"event\""),
        ("unshelve", json, "{}", 200, "\"event\""),
        ("dismiss", json, r#"{"as":"false-alarm"}"#, 200, "\"event\""),
        ("close", json, "{}", 200, "\"event\""),
        ("reopen", json, "{}", 200, "\"event\""),
        ("approve", json, "{}", 200, "\"event\""),
        ("refuse", json, "{}", 200, "\"event\""),
        ("acknowledge", json, "[]", 400, "malformed"),
        ("acknowledge", json, "{", 400, "malformed"),
        ("acknowledge", json, r#"{"notes":""}"#, 400, "notes"),
        ("acknowledge", "Content-Type: text/xml\r\n", "<a/>", 415, "not-json"),
        ("dispatch", json, "{}", 400, "`to`"),
        ("shelve", json, r#"{"until":"soon"}"#, 400, "until"),
        ("dismiss", json, r#"{"as":"real"}"#, 400, "malformed"),
        ("explode", json, "{}", 404, "not-found"),
    ] {
        let path = format!("/api/v1/events/e-1/{deed}");
        let answer = served.send(&path, kind, body).await;
        assert_eq!(answer.status, status, "{deed} {body}: {}", answer.body);
        assert!(answer.body.contains(told), "{deed} {body}: {}", answer.body);
    }
    let unknown = served.send("/api/v1/events/e-9/close", json, "{}").await;
    assert!(unknown.status == 404 && unknown.body.contains("no-event"), "{}", unknown.body);
    served.end().await;
}

impl Served {
    /// `POST` with these headers alone.
    async fn send(&self, path: &str, headers: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{}{headers}Connection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.at,
            self.bearer(),
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}
