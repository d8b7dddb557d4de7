//! The pages about the place: each in a browser, as wide as a phone and as a desk; and a pilot that is
//! promoted by a click, on a real gateway.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::demo::ALONE;
use crate::peers::chromium::Browser;
use crate::peers::{PATIENCE, command, gatehouse, lines, start, token};
use crate::reload::{LOADED, Site, heat, write};

const PAGES: [&str; 13] = [
    "map",
    "map?show=heat",
    "devices",
    "devices?area=east&show=trouble",
    "devices/air-east-1",
    "devices/meter-north",
    "scenes",
    "scenes/air-quality",
    "people",
    "audit",
    "settings",
    "settings?show=set&text=broker",
    "bays",
];

#[tokio::test]
async fn every_page_fits_a_phone_and_a_desk_and_runs_without_errors() {
    let _alone = ALONE.lock().await;
    let Some(mut browser) = Browser::start().await else {
        eprintln!("left out: there is no Chromium here; cargo xtask prepare installs it on Debian");
        return;
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let mut demo = start(
        command(gatehouse())
            .args(["demo", "--http", "127.0.0.1:0", "--speed", "20"])
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

    browser.open(address).await;
    let fill = format!("document.querySelector('#password').value = {}", json!(password));
    browser.ask(&fill).await;
    browser.follow("document.querySelector('form button').click()").await;
    for width in [390, 1440] {
        browser.narrow(width).await;
        for page in PAGES {
            for language in ["zh", "en"] {
                let sign = if page.contains('?') { '&' } else { '?' };
                browser.open(&format!("{address}{page}{sign}lang={language}")).await;
                browser
                    .ask("document.querySelectorAll('details').forEach(d => d.open = true)")
                    .await;
                let found = browser.ask("document.documentElement.scrollWidth").await;
                assert!(found.as_u64() <= Some(width.into()), "/{page} is {found} wide");
                let heading = browser.ask("document.querySelector('h1').textContent.trim()").await;
                assert_ne!(heading, "", "/{page}");
            }
        }
    }
    let dots = "document.querySelectorAll('.plan a').length";
    browser.open(&format!("{address}map")).await;
    assert_eq!(browser.ask(dots).await, 85);
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pilot_that_is_promoted_by_a_click_is_live_at_once_and_after_a_restart() {
    let mut site = Site::start().await;
    let token = token(site.folder.path(), "integrate");
    let pilot = heat("60 degC").replace("category", "status = \"pilot\"\ncategory");
    write(site.folder.path(), "scenes/heat.toml", &pilot);
    site.reload(LOADED);
    site.sensor.say("th-1", 70.0).await;
    site.until("gatehouse_records_total{transition=\"withheld\"}", 1);

    let promoted =
        ask(&site, &token, &["-d", "status=live", "-o", "/dev/null", "-w", "%{http_code}"]);
    site.sensor.say("th-2", 70.0).await;

    assert_eq!(promoted, "303", "{}", site.log());
    loop {
        let message = site.message().await;
        if message["data"]["device"] == "th-2" {
            assert_eq!(message["type"], "gatehouse.event.opened");
            break;
        }
    }
    site.restart(|_| {});
    assert_eq!(scenes(&site, &token), json!([["heat", "live", "pilot"]]));
    let off = Command::new(gatehouse())
        .args(["scenes", "off", "heat", "--config", "."])
        .current_dir(site.folder.path())
        .output()
        .unwrap();
    assert!(off.status.success(), "{}", String::from_utf8_lossy(&off.stderr));
    site.reload(LOADED);
    assert_eq!(scenes(&site, &token), json!([["heat", "off", "pilot"]]));
}

/// What `POST /scenes/heat/status` answers.
fn ask(site: &Site, token: &str, args: &[&str]) -> String {
    let url = format!("http://127.0.0.1:{}/scenes/heat/status", site.console);
    curl(token, &[args, &["-H", "Accept: text/html", &url]].concat())
}

/// Id, status, and status in the file of each scene.
fn scenes(site: &Site, token: &str) -> Value {
    let told = curl(token, &[&format!("http://127.0.0.1:{}/api/v1/scenes", site.console)]);
    let scenes: Vec<Value> = serde_json::from_str(&told).unwrap();
    let of = |s: &Value| json!([s["scene"], s["status"], s["status_in_file"]]);
    scenes.iter().map(of).collect()
}

fn curl(token: &str, args: &[&str]) -> String {
    let header = format!("Authorization: Bearer {token}");
    let answer = Command::new("curl").args(["-s", "-H", &header]).args(args).output().unwrap();
    String::from_utf8_lossy(&answer.stdout).into_owned()
}
