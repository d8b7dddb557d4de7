//! The console in a real browser: the night of a duty manager, from the event to its end, by phone and at a
//! desk, and whether everybody can read what is shown.

use std::process::Stdio;

use serde_json::json;

use crate::demo::ALONE;
use crate::peers::chromium::Browser;
use crate::peers::{PATIENCE, command, gatehouse, lines, start};

/// A phone of the smaller kind, and a screen on a desk.
const PHONE: u32 = 390;
const DESK: u32 = 1_440;

/// Everything that a first view loads.
const FIRST_VIEW: f64 = 100_000.0;

#[tokio::test]
async fn an_event_is_acknowledged_dispatched_and_handled_by_phone_and_its_sensor_ends_it() {
    let _alone = ALONE.lock().await;
    let Some(mut browser) = Browser::start().await else {
        eprintln!("left out: there is no Chromium here; cargo xtask prepare installs it on Debian");
        return;
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let mut demo = start(
        command(gatehouse())
            .args(["demo", "--http", "127.0.0.1:0", "--speed", "60"])
            .current_dir(elsewhere.path())
            .env("LC_ALL", "C")
            .stdout(Stdio::piped()),
    );
    let mut said = lines(demo.stdout.take().unwrap());
    let first = tokio::time::timeout(PATIENCE, said.next_line()).await.unwrap().unwrap().unwrap();
    let words: Vec<&str> = first.split_whitespace().collect();
    let (address, password) = (words[1], words[words.len() - 1]);
    // What the demo prints must go somewhere.
    tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });

    browser.narrow(PHONE).await;
    browser.open(address).await;
    let fill = format!("document.querySelector('#password').value = {}", json!(password));
    browser.ask(&fill).await;
    readable(&mut browser, "the login").await;
    browser.follow("document.querySelector('form button').click()").await;
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

/// Nothing keeps anybody from reading it, and nothing has to be pushed aside for that.
async fn readable(browser: &mut Browser, what: &str) {
    let wider = browser.ask("document.documentElement.scrollWidth - innerWidth").await;
    assert!(wider.as_i64().unwrap() <= 0, "{what} is {wider} too wide");
    match browser.barriers().await {
        Some(barriers) => assert_eq!(barriers, Vec::<String>::new(), "{what}"),
        None => eprintln!("{what}: nobody looked for barriers; cargo xtask prepare gets axe-core"),
    }
}

/// What an expression about the first such element comes to, once there is one.
fn when(selector: &str, expression: &str) -> String {
    format!(
        "new Promise(done => {{
            const look = () => {{
                const found = document.querySelector({});
                if (found) done({expression});
            }};
            new MutationObserver(look).observe(document.body, {{ childList: true, subtree: true }});
            look();
        }})",
        json!(selector)
    )
}
