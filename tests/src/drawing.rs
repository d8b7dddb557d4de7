//! Zones of a camera, drawn in a browser on a real gateway: by pointer, by keys, and typed; and in effect
//! at once.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::demo::ALONE;
use crate::peers::chromium::Browser;
use crate::peers::gatehouse;
use crate::reload::{LOADED, Site, write};
use crate::visit::{DESK, PHONE, readable, sign_in};

const PASSWORD: &str = "correct horse battery";

const LANE: &str = r#"
[device-type]
id = "lane-camera"
title = { zh = "通道摄像头", en = "lane camera" }
via = "camera"
[camera]
every = "1 s"
[[point]]
name = "motion"
at = { see = "motion" }
unit = "1"
[[example]]
values = { motion = 0.5 }
expect = { motion = 0.5 }
"#;

/// A gateway with a camera that has no pictures, and an integrator who may sign in.
async fn site() -> Site {
    let site = Site::start().await;
    let folder = site.folder.path();
    let add = |file: &str, more: &str| {
        let text = fs::read_to_string(folder.join(file)).unwrap() + more;
        fs::write(folder.join(file), text).unwrap();
    };
    fs::create_dir(folder.join("pictures")).unwrap();
    let pictures = folder.join("pictures").display().to_string();
    add("gateway.toml", &format!("[[camera]]\nid = \"lane-cam\"\nurl = \"file://{pictures}\"\n"));
    add(
        "community.toml",
        "[[device]]\nid = \"lane-1\"\ntype = \"lane-camera\"\narea = \"east\"\ncamera = \"lane-cam\"\n",
    );
    write(folder, "device-types/lane-camera.toml", LANE);
    site.reload(LOADED);
    let mut added = Command::new(gatehouse())
        .args(["user", "add", "ann", "--role", "integrator", "--config", "."])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    added.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    assert!(added.wait().unwrap().success());
    site
}

/// Where that fraction of the board is on the screen.
async fn at(browser: &mut Browser, x: f64, y: f64) -> (f64, f64) {
    let found = browser
        .ask(&format!(
            "(() => {{ const board = document.getElementById('board');
                board.scrollIntoView({{ block: 'center' }});
                const box = board.getBoundingClientRect();
                return [box.left + {x} * box.width, box.top + {y} * box.height]; }})()"
        ))
        .await;
    (found[0].as_f64().unwrap(), found[1].as_f64().unwrap())
}

/// The numbers of a field, to two digits.
async fn corners(browser: &mut Browser, id: &str) -> Vec<f64> {
    let text = browser.ask(&format!("document.getElementById('{id}').value")).await;
    let numbers = text.as_str().unwrap().split([' ', ',']).filter(|part| !part.is_empty());
    numbers.map(|part| (part.parse::<f64>().unwrap() * 100.0).round() / 100.0).collect()
}

async fn name(browser: &mut Browser, kind: &str, at: usize, name: &str) {
    let field = format!("document.querySelectorAll('[name=\"{kind}.name\"]')[{at}]");
    browser.ask(&format!("{field}.value = {}", json!(name))).await;
}

async fn save(browser: &mut Browser) -> String {
    browser.follow("document.querySelector('button[value=save]').click()").await;
    let told = browser.ask("document.querySelector('.told')?.textContent ?? ''").await;
    told.as_str().unwrap().to_owned()
}

async fn follow(browser: &mut Browser, button: &str) {
    browser.follow(&format!("document.querySelector('button[value={button}]').click()")).await;
    let told = browser.ask("document.querySelector('.told')?.textContent ?? ''").await;
    assert_eq!(told, "Saved; it is in effect.");
}

/// A file that draws as well is overruled by what was drawn here, also by nothing, until somebody gives it
/// its say back.
async fn over_a_file(site: &Site, browser: &mut Browser, address: &str) {
    let (file, settings) =
        (site.folder.path().join("community.toml"), site.folder.path().join("data/settings.toml"));
    let zone =
        "[[device.zone]]\nname = \"filed\"\ncorners = [[0.5, 0.5], [0.9, 0.5], [0.9, 0.9]]\n";
    fs::write(&file, fs::read_to_string(&file).unwrap() + zone).unwrap();
    site.reload(LOADED);
    browser.open(address).await;
    let page = browser.ask("document.querySelector('form.sketch').textContent").await;
    assert!(page.as_str().unwrap().contains("The configuration draws: filed"), "{page}");
    readable(browser, "the buttons, on a phone").await;

    follow(browser, "nothing").await;
    let text = fs::read_to_string(&settings).unwrap();
    assert!(text.contains("[device.lane-1]") && !text.contains("zone"), "{text}");
    let drawn = "document.querySelectorAll('#board polygon:not([points=\"\"])').length";
    assert_eq!(browser.ask(drawn).await, 0);
    assert_eq!(browser.ask("document.querySelector('button[value=nothing]')").await, json!(null));

    follow(browser, "reset").await;
    assert_eq!(browser.ask(drawn).await, 1);
    assert_eq!(corners(browser, "zone-0").await, [0.5, 0.5, 0.9, 0.5, 0.9, 0.9]);
    assert!(!fs::read_to_string(&settings).unwrap().contains("lane-1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_is_drawn_by_pointer_by_keys_and_by_typing_and_is_in_effect_at_once() {
    let _alone = ALONE.lock().await;
    let Some(mut browser) = Browser::start().await else {
        eprintln!("left out: no Chromium here; cargo xtask prepare installs it on Debian");
        return;
    };
    let site = site().await;
    let address = format!("{}/draw/lane-1?lang=en", site.address());
    browser.looks(DESK, "light").await;
    browser.open(&address).await;
    sign_in(&mut browser, Some("ann"), PASSWORD).await;

    readable(&mut browser, "an empty board, at a desk").await;
    for (x, y) in [(0.1, 0.2), (0.5, 0.2), (0.5, 0.9)] {
        let (x, y) = at(&mut browser, x, y).await;
        browser.press(&[(x, y)]).await;
    }
    assert_eq!(corners(&mut browser, "zone-0").await, [0.1, 0.2, 0.5, 0.2, 0.5, 0.9]);
    let (from, to) = (at(&mut browser, 0.5, 0.2).await, at(&mut browser, 0.8, 0.3).await);
    browser.press(&[from, to]).await;
    assert_eq!(corners(&mut browser, "zone-0").await, [0.1, 0.2, 0.8, 0.3, 0.5, 0.9]);
    name(&mut browser, "zone", 0, "lane").await;
    assert_eq!(save(&mut browser).await, "Saved; it is in effect.");
    assert_eq!(corners(&mut browser, "zone-0").await, [0.1, 0.2, 0.8, 0.3, 0.5, 0.9]);
    let settings = fs::read_to_string(site.folder.path().join("data/settings.toml")).unwrap();
    assert!(
        settings.contains("[device.lane-1]") && settings.contains("by = \"ann\""),
        "{settings}"
    );

    browser.looks(PHONE, "dark").await;
    browser.open(&address).await;
    readable(&mut browser, "a zone, on a phone").await;
    let add = "document.querySelectorAll('[data-shape=tripwire] [data-do=add]')[0].click()";
    for arrows in [["ArrowLeft", "ArrowLeft"], ["ArrowRight", "ArrowUp"]] {
        browser.ask(add).await;
        for arrow in arrows {
            browser.key(arrow).await;
        }
    }
    assert_eq!(corners(&mut browser, "tripwire-0").await, [0.48, 0.5, 0.51, 0.49]);
    name(&mut browser, "tripwire", 0, "fence").await;
    let typed = "document.getElementById('zone-1').value = '0 0, 1 1, 1 0, 0 1'";
    browser.ask(typed).await;
    name(&mut browser, "zone", 1, "crossed").await;
    let told = save(&mut browser).await;
    assert!(
        told.contains("Nothing was saved") && told.contains("Zone 2: its outline crosses"),
        "{told}"
    );
    readable(&mut browser, "a fault, on a phone").await;
    browser.ask("document.getElementById('zone-1').value = '0.1 0.1, 0.2 0.1, 0.2 0.2'").await;
    assert_eq!(save(&mut browser).await, "Saved; it is in effect.");

    browser.open(&format!("{}/devices/lane-1?lang=en", site.address())).await;
    let page = browser.ask("document.getElementById('camera').parentElement.textContent").await;
    assert!(page.as_str().unwrap().contains("lane, crossed, fence"), "{page}");
    readable(&mut browser, "the device's page").await;

    over_a_file(&site, &mut browser, &address).await;
    // A page that says what is wrong with a form is an error to the browser, and none of ours.
    browser.faults.retain(|fault| !fault.contains("422"));
    assert_eq!(browser.faults, Vec::<String>::new());
}
