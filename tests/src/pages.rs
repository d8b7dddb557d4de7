//! The pages of the console: each in a browser, as wide as a phone and as a desk, in both languages; and a
//! pilot that is promoted by a click, on a real gateway.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::demo::ALONE;
use crate::peers::{gatehouse, token};
use crate::reload::{LOADED, Site, heat, write};
use crate::visit::{DESK, PHONE, Visit, readable};

/// All but an event's and a month's, which have other addresses each time.
const PAGES: [&str; 24] = [
    "",
    "?level=2",
    "map",
    "map?show=heat",
    "devices",
    "devices?area=east&show=trouble",
    "devices/air-east-1",
    "devices/meter-north",
    "scenes",
    "scenes/air-quality",
    "models",
    "people",
    "reports",
    "audit",
    "settings",
    "settings?show=set&text=broker",
    "integrate",
    "integrate/modbus",
    "integrate/listen",
    "integrate/done?device=air-east-1",
    "account",
    "users",
    "bays",
    "login",
];

#[tokio::test]
async fn every_page_fits_a_phone_and_a_desk_is_readable_and_leads_to_pages_that_are_there() {
    let _alone = ALONE.lock().await;
    let Some(mut visit) = Visit::start("20").await else { return };
    visit.enter().await;
    let address = "found.getAttribute('href')";
    let event = visit.when("#events h2 a", address).await;
    visit.open("reports").await;
    let month = visit.when("main li a", address).await;
    let of_today = [&event, &month].map(|path| path.as_str().unwrap().trim_start_matches('/'));

    let mut links = BTreeSet::new();
    for (language, width, scheme) in [("zh", PHONE, "dark"), ("en", DESK, "light")] {
        visit.browser.looks(width, scheme).await;
        for page in PAGES.into_iter().chain(of_today) {
            let sign = if page.contains('?') { '&' } else { '?' };
            visit.open(&format!("{page}{sign}lang={language}")).await;
            visit
                .browser
                .ask("document.querySelectorAll('details').forEach(d => d.open = true)")
                .await;
            let what = format!("/{page}, {width} wide, in {language}");
            let heading =
                visit.browser.ask("document.querySelector('h1').textContent.trim()").await;
            assert_ne!(heading, "", "{what}");
            readable(&mut visit.browser, &what).await;
            let found = visit.browser.ask("[...document.links].map(link => link.href)").await;
            let found = found.as_array().unwrap().iter().map(|link| link.as_str().unwrap());
            links.extend(found.map(|link| link.split('#').next().unwrap().to_owned()));
        }
    }
    // The longest words on the narrowest page; and letters that are larger still.
    visit.browser.looks(PHONE, "light").await;
    visit.open("look?letters=large&next=/").await;
    for page in PAGES.into_iter().chain(of_today) {
        visit.open(page).await;
        let wider = visit.browser.ask("document.documentElement.scrollWidth - innerWidth").await;
        assert!(wider.as_i64() <= Some(0), "/{page} is {wider} too wide in large letters");
    }

    visit.open("map").await;
    assert_eq!(visit.browser.ask("document.querySelectorAll('.plan a').length").await, 92);
    // These two change what the others look like.
    links.retain(|link| !link.contains("lang=") && !link.contains("/look?"));
    assert!(links.len() > 100, "{links:?}");
    let dead = format!(
        "Promise.all({}.map(link => fetch(link, {{ headers: {{ accept: 'text/html' }} }})
            .then(answer => [link, answer.status]))).then(all => all.filter(one => one[1] !== 200))",
        json!(links)
    );
    assert_eq!(visit.browser.ask(&dead).await, json!([]));
    assert_eq!(visit.browser.faults, Vec::<String>::new());
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
