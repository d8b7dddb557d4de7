//! What people do with the console from one end to the other, in a browser: an integrator makes a device of
//! a message, and a manager takes the month's report home.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::demo::ALONE;
use crate::integrate::Site;
use crate::peers::chromium::Browser;
use crate::peers::{PATIENCE, gatehouse};
use crate::visit::{DESK, PHONE, Visit, readable, sign_in, when};

const PASSWORD: &str = "correct horse battery";
const TOPIC: &str = "acme/9";

#[tokio::test]
async fn an_integrator_clicks_a_pasted_message_into_a_device_and_sees_what_it_says() {
    let _alone = ALONE.lock().await;
    let Some(mut browser) = Browser::start().await else {
        eprintln!("left out: no Chromium here; cargo xtask prepare installs it on Debian");
        return;
    };
    let site = Site::start().await;
    let folder = site.folder.path();
    let mut added = Command::new(gatehouse())
        .args(["user", "add", "ann", "--role", "integrator", "--config", "."])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    added.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    assert!(added.wait().unwrap().success());

    browser.wide(DESK).await;
    browser.open(&format!("http://127.0.0.1:{}/integrate?lang=en", site.browser.console)).await;
    sign_in(&mut browser, Some("ann"), PASSWORD).await;
    readable(&mut browser, "paste").await;
    let message = r#"{"ts": 1767225600000, "data": {"temp": 21.5, "lid": "OPEN"}}"#;
    fill(&mut browser, &[("sample", message)]).await;
    press(&mut browser, "/integrate/choose").await;

    readable(&mut browser, "choose").await;
    browser
        .ask(
            "[...document.querySelectorAll('tr')].find(row => row.textContent.includes('21.5'))
                .querySelector('label').click()",
        )
        .await;
    press(&mut browser, "/integrate/name").await;

    readable(&mut browser, "name").await;
    let guessed =
        "['name-0', 'unit-0'].map(name => document.querySelector(`[name=${name}]`).value)";
    assert_eq!(browser.ask(guessed).await, json!(["temperature", "degC"]));
    fill(&mut browser, &[("id", "acme"), ("title-zh", "盒子"), ("title-en", "box")]).await;
    press(&mut browser, "/integrate/file").await;

    browser.looks(PHONE, "dark").await;
    readable(&mut browser, "look over").await;
    fill(&mut browser, &[("device", "box-9"), ("topic", TOPIC)]).await;
    press(&mut browser, "/integrate/save").await;

    readable(&mut browser, "read").await;
    let comes = async {
        while site.device("box-9")["points"][0]["value"].is_null() {
            site.publish(TOPIC, message).await;
        }
    };
    tokio::time::timeout(PATIENCE, comes).await.expect("the device is heard");
    // The page asks by itself.
    let reading = browser.ask(&when("#readings dd", "found.textContent.trim()")).await;
    assert!(reading.as_str().unwrap().starts_with("21.5"), "{reading}");
    assert!(folder.join("data/overlay/device-types/acme.toml").is_file());
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[tokio::test]
async fn a_manager_reads_the_report_of_the_month_and_takes_it_home_as_a_pdf() {
    let _alone = ALONE.lock().await;
    let Some(mut visit) = Visit::start("60").await else { return };
    visit.enter().await;
    visit.when("#events .card", "1").await;
    visit.open("reports?lang=en").await;
    visit.browser.follow("document.querySelector('main li a').click()").await;

    let events = visit.browser.ask("document.querySelector('.tiles b').textContent").await;
    assert!(events.as_str().unwrap().parse::<u32>().unwrap() > 0, "{events}");
    let pdf = "fetch(document.querySelector('.paper').href).then(async answer => [answer.status,
        answer.headers.get('content-type'), (await answer.text()).slice(0, 5)])";
    assert_eq!(visit.browser.ask(pdf).await, json!([200, "application/pdf", "%PDF-"]));
    assert_eq!(visit.browser.faults, Vec::<String>::new());
}

async fn fill(browser: &mut Browser, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        let script =
            format!("document.querySelector('main [name={name}]').value = {}", json!(value));
        browser.ask(&script).await;
    }
}

/// Sends the form that leads there.
async fn press(browser: &mut Browser, action: &str) {
    let script = format!("document.querySelector('form[action=\"{action}\"] button').click()");
    browser.follow(&script).await;
}
