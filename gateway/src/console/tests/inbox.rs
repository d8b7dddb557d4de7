//! The inbox and an event's page, through a browser: what is shown to whom, and what comes of a click.

use gatehouse_core::event::message::{Message, Record, Stage};
use gatehouse_core::pipeline::{Batch, Input};

use super::*;
use crate::sample::message;

/// A session that may do everything; its first line is the form's secret.
async fn session(served: &Served) -> (String, String) {
    let login = served.login(&served.password, "/").await;
    let cookie = login.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let headers =
        format!("Accept: text/html\r\nCookie: {cookie}\r\nOrigin: http://{}\r\n", served.at);
    let page = served.ask("GET", "/", &headers, "").await.body;
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap_or_default();
    let csrf = csrf.split('"').next().unwrap_or_default().to_owned();
    (headers, csrf)
}

/// Puts messages into the journal, as the engine would.
fn journal(served: &Served, messages: &[Message]) {
    let (inputs, mut reports) = tokio::sync::mpsc::channel(8);
    let (sender, thread) = served.events.spawn_writer(inputs.downgrade()).unwrap();
    let record = |(at, message): (usize, &Message)| Record {
        sequence: at as u64 + 1,
        level: message.data.level,
        event: message.data.event.clone(),
        json: serde_json::to_vec(message).unwrap(),
    };
    let records = messages.iter().enumerate().map(record).collect();
    sender.send(Batch { number: 1, records, ..Batch::default() });
    drop(sender);
    thread.join().unwrap();
    assert!(matches!(reports.try_recv(), Ok(Input::Stored { through: 1 })));
}

fn told(event: &str, word: &str, minute: u32, change: impl FnOnce(&mut Message)) -> Message {
    let mut message = message();
    message.kind = format!("gatehouse.event.{word}");
    message.time = format!("2026-01-01T00:{minute:02}:00.000Z");
    message.data.event = event.into();
    change(&mut message);
    message
}

#[tokio::test]
async fn the_inbox_shows_what_is_asked_for_and_goes_back_in_time() {
    let served = serve_view(troubled()).await;
    let past: Vec<_> = (0..30)
        .map(|minute| {
            told(&format!("past-{minute}"), "closed", minute, |m| {
                m.data.detected = m.time.clone();
                m.data.handling.stage = Stage::Closed;
            })
        })
        .collect();
    journal(&served, &past);

    let page = served.get("/?lang=en").await.body;
    assert!(page.contains("/events/past-29") && !page.contains("/events/past-4\""));
    let older = page.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(older.starts_with("/?before="), "{older}");
    let page = served.get(older).await.body;
    assert!(page.contains("/events/past-4\"") && !page.contains("class=\"card"));

    let one = served.get("/?level=1").await.body;
    assert!(one.contains("card level-1") && !one.contains("card level-3"), "{one}");
    let found = served.get("/?text=POOR").await.body;
    assert!(found.contains("card level-3") && !found.contains("card level-1"));
    let none = served.get("/?text=submarine&lang=en").await.body;
    assert!(none.contains("No open event matches.") && none.contains("No earlier event matches."));
    let odd = served.get("/?level=9&area=&stage=x&before=y-z&notice=17").await;
    assert_eq!(odd.status, 200);
    served.end().await;
}

#[tokio::test]
async fn a_click_is_done_told_once_and_leads_back_to_where_it_came_from() {
    let served = serve_view(troubled()).await;
    let (headers, csrf) = session(&served).await;
    let act = |body: &str| format!("csrf={csrf}&next=%2F%3Flevel%3D1&{body}");

    let done = served
        .ask("POST", "/events/act", &headers, &act("deed=acknowledge&event=x&only=e-1"))
        .await;
    assert_eq!(done.status, 303, "{}", done.body);
    let next = done.header("location").unwrap().to_owned();
    assert!(next.starts_with("/?level=1&notice="), "{next}");
    let page = served.ask("GET", &next, &headers, "").await.body;
    assert!(page.contains("class=\"told\"") && page.contains("acknowledge "), "{page}");
    assert!(!served.ask("GET", &next, &headers, "").await.body.contains("class=\"told\""));

    let mixed = act("deed=acknowledge&event=e-1&event=e-9");
    let mixed = served.ask("POST", "/events/act", &headers, &mixed).await;
    let page = served.ask("GET", mixed.header("location").unwrap(), &headers, "").await.body;
    assert!(page.contains("1 done. Not done: 1."), "{page}");

    for (why, body, expected) in [
        ("no such deed", act("deed=explode&event=e-1"), 400),
        ("nothing chosen", act("deed=acknowledge"), 400),
        ("too many", act(&format!("deed=close{}", "&event=e-1".repeat(201))), 400),
        ("elsewhere", format!("csrf={csrf}&deed=close&event=e-1&next=//evil.example"), 303),
    ] {
        let answer = served.ask("POST", "/events/act", &headers, &body).await;
        assert_eq!(answer.status, expected, "{why}: {}", answer.body);
        let to = answer.header("location").unwrap_or("/");
        assert!(to.starts_with('/') && !to.starts_with("//"), "{why}: {to}");
    }
    let endless = act(&format!("deed=handle&event=e-1&note={}", "x".repeat(2 << 20)));
    let refused = served.ask("POST", "/events/act", &headers, &endless[..80_000]).await;
    assert_eq!(refused.status, 413, "a note of megabytes: {}", refused.body);
    served.end().await;
}

#[tokio::test]
async fn an_event_tells_its_whole_story_and_an_unknown_one_is_told_in_words() {
    let mut view = quiet();
    let mut open = event(3, "east-lane", ("消防通道占用", "Fire lane blocked"), State::Open, 7);
    open.data = told("e-1", "opened", 5, |m| m.data.handling.stage = Stage::Acknowledged).data;
    view.events = vec![open];
    let served = serve_view(view).await;
    journal(
        &served,
        &[
            told("before", "opened", 1, |_| {}),
            told("before", "closed", 2, |m| m.data.handling.stage = Stage::Closed),
            told("e-1", "opened", 5, |_| {}),
            told("e-1", "acknowledged", 6, |m| {
                m.data.handling.stage = Stage::Acknowledged;
                m.data.handling.by = Some("li".into());
                m.data.handling.note = Some("<b>on my way</b>".into());
            }),
        ],
    );

    let page = served.get("/events/e-1?lang=en").await.body;
    for part in [
        "<title>Fire lane blocked",
        "Something stands there: occupied 1",
        "· li",
        "&lt;b&gt;on my way",
        "/events/before",
        "value=\"handle\"",
        "value=\"false-alarm\"",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("value=\"acknowledge\""), "it is acknowledged");
    let chinese = format!("{}Accept: text/html\r\nAccept-Language: zh\r\n", served.bearer());
    let page = served.ask("GET", "/events/e-1", &chinese, "").await.body;
    assert!(page.contains("处置经过") && page.contains("消防通道占用"));
    let unknown = served.ask("GET", "/events/e-77", &chinese, "").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.body.contains("没有这个事件"));
    served.end().await;
}

#[tokio::test]
async fn large_letters_are_remembered_and_lead_back() {
    let served = serve_view(quiet()).await;

    let chosen = served.ask("GET", "/look?letters=large&next=/devices", &served.bearer(), "").await;
    assert_eq!((chosen.status, chosen.header("location")), (303, Some("/devices")));
    assert!(chosen.header("set-cookie").unwrap().starts_with("letters=large;"));
    let sheet = served.ask("GET", "/static/look.css", "Cookie: letters=large\r\n", "").await;
    assert!(sheet.body.contains("137.5%") && sheet.header("cache-control") == Some("no-store"));
    let away = served.ask("GET", "/look?next=//evil.example", &served.bearer(), "").await;
    assert_eq!(away.header("location"), Some("/"));
    served.end().await;
}
