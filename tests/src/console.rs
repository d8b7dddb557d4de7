//! The console in a real browser: the night of a duty manager, from the event to its end, by phone and at a
//! desk, and whether everybody can read what is shown.

use serde_json::json;

use crate::demo::ALONE;
use crate::visit::{DESK, PHONE, Visit, readable, when};

/// Everything that a first view loads.
const FIRST_VIEW: f64 = 100_000.0;

#[tokio::test]
async fn an_event_is_acknowledged_dispatched_and_handled_by_phone_and_its_sensor_ends_it() {
    let _alone = ALONE.lock().await;
    let Some(mut visit) = Visit::start("60").await else { return };
    visit.browser.narrow(PHONE).await;
    visit.open("").await;
    readable(&mut visit.browser, "the login").await;
    visit.enter().await;
    let Visit { mut browser, address, .. } = visit;
    let bytes = browser
        .ask("performance.getEntries().reduce((sum, e) => sum + (e.transferSize ?? 0), 0)")
        .await;
    assert!(bytes.as_f64().unwrap() < FIRST_VIEW, "the first view takes {bytes} bytes");

    let urgent = "#events :is(.level-1, .level-2) h2 a";
    let event = browser.ask(&when(urgent, "found.getAttribute('href')")).await;
    let event = format!("{}{}", address.trim_end_matches('/'), event.as_str().unwrap());
    readable(&mut browser, "the inbox").await;

    browser.open(&event).await;
    readable(&mut browser, "the event").await;
    for (deed, stage) in
        [("acknowledge", "acknowledged"), ("dispatch", "dispatched"), ("handle", "handled")]
    {
        browser.ask("document.querySelector('#deeds [name=note]').value = 'on my way'").await;
        let press = format!("document.querySelector('#deeds [value={deed}]').click()");
        browser.follow(&press).await;
        let told = browser.ask("document.querySelector('.told').className").await;
        assert_eq!(told, "told", "{deed}");
        let stands = browser.ask(&when(&format!("#stands .is-{stage}"), "1")).await;
        assert_eq!(stands, 1, "{deed}");
    }
    readable(&mut browser, "the event, handled").await;

    // Nobody loads the page again: it follows the gateway.
    for ends in ["verified", "closed"] {
        assert_eq!(browser.ask(&when(&format!(".timeline .is-{ends}"), "1")).await, 1, "{ends}");
    }
    let steps = "[...document.querySelectorAll('.timeline li')].map(li => li.className.slice(3))
        .filter(word => word !== 'updated' && word !== 'escalated').reverse()";
    let night =
        ["opened", "acknowledged", "dispatched", "handled", "cleared", "verified", "closed"];
    assert_eq!(browser.ask(steps).await, json!(night));

    browser.wide(DESK).await;
    readable(&mut browser, "the event at a desk").await;
    browser.open(&format!("{address}?lang=zh")).await;
    let open = browser.ask(&when(".past .line .is-closed", "found.textContent")).await;
    assert_eq!(open.as_str().unwrap().split(' ').next(), Some("已关闭"));
    readable(&mut browser, "the inbox at a desk").await;
    browser.narrow(PHONE).await;
    browser.open(&format!("{address}look?letters=large&next=/")).await;
    readable(&mut browser, "the inbox in large letters").await;
    assert_eq!(browser.faults, Vec::<String>::new());
}
