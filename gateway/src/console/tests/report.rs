//! The reports: their list, a month as a page, and as a PDF.

use gatehouse_core::event::message::Record;
use gatehouse_core::pipeline::Batch;

use super::*;
use crate::sample::message;

/// Three events of January 2026, as the engine would have written them.
fn journal(served: &Served) {
    let (inputs, _reports) = tokio::sync::mpsc::channel(8);
    let (sender, thread) = served.events.spawn_writer(inputs.downgrade()).unwrap();
    let record = |number: u64| {
        let mut message = message();
        message.data.event = format!("e-{number}");
        message.data.title.en = "Lane <blocked>".into();
        message.time = format!("2026-01-0{number}T02:30:00.000Z");
        let json = serde_json::to_vec(&message).unwrap();
        Record { sequence: number, level: 3, event: message.data.event, json }
    };
    let records = (1..=3).map(record).collect();
    sender.send(Batch { number: 1, records, ..Batch::default() });
    drop(sender);
    thread.join().unwrap();
}

#[tokio::test]
async fn a_month_is_a_page_in_both_languages() {
    let served = serve_view(quiet()).await;
    journal(&served);

    let page = served.get("/reports/2026-01").await;
    let chinese = served.get("/reports/2026-01?lang=zh").await;

    assert_eq!((page.status, chinese.status), (200, 200));
    for text in [
        "In January 2026 there were 3 events",
        "What to change",
        "Lane &lt;blocked&gt;",
        "Records begin at 2026-01-01 02:30",
        "The community has no [calendar], so the month is that of UTC.",
        "/reports/2026-01.pdf?lang=zh",
        "href=\"/reports/2026-02\"",
        "role=\"img\"",
    ] {
        assert!(page.body.contains(text), "{text}:\n{}", page.body);
    }
    for text in ["2026年1月共发生事件 3 起", "需要改进", "东区"] {
        assert!(chinese.body.contains(text), "{text}:\n{}", chinese.body);
    }
    assert!(!page.body.contains(" style="), "the page keeps to its strict policy");
    served.end().await;
}

#[tokio::test]
async fn the_list_begins_with_the_first_record_and_other_months_are_no_pages() {
    let served = serve_view(quiet()).await;
    journal(&served);

    let list = served.get("/reports").await;

    assert!(list.body.contains("href=\"/reports/2026-01\""), "{}", list.body);
    assert!(!list.body.contains("href=\"/reports/2025-12\""), "{}", list.body);
    for wrong in ["2026-13", "1970-01", "x", "2026-01.docx", "..%2f..%2fetc"] {
        assert_eq!(served.get(&format!("/reports/{wrong}")).await.status, 404, "{wrong}");
    }
    assert_ne!(served.ask("GET", "/reports/2026-01", "", "").await.status, 200, "nobody signed in");
    served.end().await;
}

#[tokio::test]
async fn a_pdf_is_handed_out_without_changing_the_language_of_the_pages() {
    let served = serve_view(quiet()).await;
    journal(&served);

    let headers = format!("{}Host: {}\r\n", served.bearer(), served.at);
    let mut stream = served.open("GET", "/reports/2026-01.pdf?lang=zh", &headers, "").await;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();

    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: application/pdf"), "{head}");
    assert!(head.contains("filename=\"gatehouse-2026-01.pdf\""), "{head}");
    assert!(!head.contains("set-cookie: lang"), "{head}");
    assert!(bytes[end + 4..].starts_with(b"%PDF-"));
    served.end().await;
}

#[tokio::test]
async fn a_report_that_was_made_a_moment_ago_is_not_made_again() {
    let served = serve_view(quiet()).await;
    let first = served.get("/reports/2026-01").await.body;
    assert!(first.contains("there was no event"), "{first}");

    journal(&served);

    let again = served.get("/reports/2026-01").await.body;
    assert!(again.contains("there was no event"), "{again}");
    let chinese = served.get("/reports/2026-01?lang=zh").await.body;
    assert!(chinese.contains("共发生事件 3 起"), "another paper: {chinese}");
    served.end().await;
}
