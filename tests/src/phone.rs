//! `gatehouse run` and those on the spot: a grid worker and a resident without an account, by their links.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::peers::gateway::{Running, configure, heat, is_up, run};
use crate::peers::http::{Heard, ask, post};
use crate::peers::mosquitto::{Mosquitto, free_port};
use crate::peers::{PATIENCE, audited, command, gatehouse};

const PEOPLE: &str = r#"
[[team]]
id = "grid"
title = { zh = "网格", en = "grid" }
tier = "grid"
[[person]]
id = "li"
name = "SECRET Li"
teams = ["grid"]
[[person]]
id = "wang"
name = "SECRET Wang"
"#;

const FORM: &str = "application/x-www-form-urlencoded";
const PAGE: &str = "Accept: text/html\r\nAccept-Language: en\r\n";

/// A gateway with two people, one bin and nobody who is told.
struct Box_ {
    folder: tempfile::TempDir,
    sensors: Mosquitto,
    console: String,
    _gateway: Running,
}

impl Box_ {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sensors = Mosquitto::plain();
        let console = format!("127.0.0.1:{}", free_port());
        let more = format!(
            "[console]\nlisten = \"{console}\"\n[alerts]\nbase-url = \"http://{console}\"\n"
        );
        configure(folder.path(), sensors.port(), 1, &more);
        let file = folder.path().join("community.toml");
        let community = fs::read_to_string(&file).unwrap() + PEOPLE;
        fs::write(file, community).unwrap();
        let gateway = Running(run(folder.path()));
        is_up(&console).await;
        Self { folder, sensors, console, _gateway: gateway }
    }

    /// What a command printed; `None` when it failed.
    async fn command(&self, args: &[&str]) -> Option<String> {
        let folder: &Path = self.folder.path();
        let output = command(gatehouse()).args(args).arg("--config").arg(folder).output();
        let output = timeout(PATIENCE, output).await.unwrap().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// The path of a person's own link.
    async fn link(&self, person: &str, more: &[&str]) -> String {
        let link = self.command(&[&["events", "reporter", person], more].concat()).await.unwrap();
        let base = format!("http://{}", self.console);
        link.trim().strip_prefix(&base).expect("an address under base-url").to_owned()
    }

    async fn get(&self, path: &str) -> Heard {
        ask(&self.console, "GET", path, PAGE).await
    }

    async fn post(&self, path: &str, body: &str) -> Heard {
        post(&self.console, path, PAGE, FORM, body).await.unwrap()
    }

    /// The messages about an event.
    async fn messages(&self, event: &str) -> Vec<Value> {
        let told = self.command(&["events", "show", event, "--json"]).await.unwrap();
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn count(&self, event: &str, transition: &str) -> usize {
        let kind = format!("gatehouse.event.{transition}");
        self.messages(event).await.iter().filter(|message| message["type"] == *kind).count()
    }

    /// The id of an event that is not this one, once there is one.
    async fn event_beside(&self, known: &str) -> String {
        let found = async {
            loop {
                let list = self.command(&["events", "list", "--json"]).await.unwrap();
                let messages = list.lines().map(|line| serde_json::from_str(line).unwrap());
                let mut ids = messages.map(|m: Value| m["subject"].as_str().unwrap().to_owned());
                if let Some(id) = ids.find(|id| id != known) {
                    return id;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, found).await.unwrap()
    }

    /// The headers of somebody who may see and do everything.
    async fn bearer(&self) -> String {
        let token = self.command(&["user", "token", "script", "--scope", "act"]).await.unwrap();
        format!("{PAGE}Authorization: Bearer {}\r\n", token.trim())
    }

    /// A page, once it has that: it shows what the engine said last, twice a second.
    async fn page_with(&self, path: &str, headers: &str, parts: &[&str]) -> String {
        let shown = async {
            loop {
                let page = ask(&self.console, "GET", path, headers).await.text();
                if parts.iter().all(|part| page.contains(part)) {
                    return page;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let shown = timeout(PATIENCE, shown).await;
        shown.unwrap_or_else(|_| panic!("{path} never has {parts:?}"))
    }

    /// Says that it was handled; the link that asks a resident, from the event's page.
    async fn question(&self, event: &str, bearer: &str) -> String {
        let handled = ["events", "handle", event, "--by", "li", "--note", "SECRET"];
        self.command(&handled).await.unwrap();
        let page = self.page_with(&format!("/events/{event}"), bearer, &["href=\"/a/"]).await;
        let (_, rest) = page.split_once("href=\"/a/").unwrap();
        format!("/a/{}", rest.split('"').next().unwrap())
    }
}

/// One letter of the token is another one.
fn forged(path: &str) -> String {
    let changed = if path.as_bytes()[20] == b'A' { "B" } else { "A" };
    format!("{}{changed}{}", &path[..20], &path[21..])
}

fn status(heard: &Heard) -> &str {
    heard.first.split(' ').nth(1).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grid_worker_without_an_account_reports_what_a_sensor_saw_too_and_does_the_errand() {
    let site = Box_::start().await;
    heat(site.sensors.port(), 0..1).await;
    let event = site.event_beside("").await;
    assert!(site.command(&["events", "reporter", "nobody"]).await.is_none(), "no such person");
    let link = site.link("li", &[]).await;
    let report = format!("{link}/report");

    assert!(site.get(&link).await.text().contains("Nothing is waiting for you."));
    let said = "category=safety&area=east&text=%3Cscript%3Ealert(1)%3C%2Fscript%3E%0Asmoke";
    let (one, two) = tokio::join!(site.post(&report, said), site.post(&report, said));
    for joined in [one, two] {
        let text = joined.text();
        assert!(text.contains("that the sensor saw at"), "{} {text}", joined.first);
    }
    let told = site.messages(&event).await;
    let newest = told.last().unwrap();
    assert_eq!(newest["data"]["reports"].as_array().unwrap().len(), 2, "{newest}");
    assert_eq!(newest["data"]["reports"][0]["by"], "li");
    let said = "&lt;script&gt;alert(1)&lt;/script&gt; smoke";
    let page = site.page_with(&format!("/events/{event}"), &site.bearer().await, &[said]).await;
    assert!(!page.contains("<script>alert"), "{page}");

    site.command(&["events", "dispatch", &event, "--to", "grid", "--by", "wang"]).await.unwrap();
    let errands = site.page_with(&link, PAGE, &["put it out", "value=\"handle\""]).await;
    for hidden in ["SECRET", "smoke", "script&gt;", "wang"] {
        assert!(!errands.contains(hidden), "{hidden}: {errands}");
    }
    let others = site.link("wang", &[]).await;
    let handle = format!("event={event}&deed=handle&note=aired");
    assert_eq!(status(&site.post(&others, &handle).await), "404", "nobody sent Wang there");
    let (one, two) = tokio::join!(site.post(&link, &handle), site.post(&link, &handle));
    assert_eq!((status(&one), status(&two)), ("303", "303"));
    assert_eq!(site.count(&event, "handled").await, 1, "done once");
    let is_audited = |told: &str| told.contains("event.handle") && told.contains("event.report");
    audited(site.folder.path(), is_audited).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_forged_over_too_long_or_a_picture_is_refused_in_words_and_changes_nothing() {
    let site = Box_::start().await;
    let link = site.link("li", &[]).await;
    let report = format!("{link}/report");

    let bad = site.get(&forged(&link)).await;
    assert!(status(&bad) == "404" && bad.text().contains("not one of ours"), "{}", bad.first);
    let for_a_script = ask(&site.console, "GET", &forged(&link), "").await;
    assert_eq!(for_a_script.headers["content-type"], "application/problem+json");
    assert_eq!(for_a_script.json()["type"], "urn:gatehouse:problem:link-forged");
    assert_eq!(for_a_script.json()["status"], 404);
    let over = site.link("li", &["--lasts", "1ms"]).await;
    let bad = site.get(&over).await;
    assert!(status(&bad) == "410" && bad.text().contains("expired"), "{}", bad.first);
    assert_eq!(status(&site.post(&over, "event=x&deed=handle").await), "410");
    let elsewhere = format!("/a/{}", link.strip_prefix("/p/").unwrap());
    assert_eq!(status(&site.get(&elsewhere).await), "404", "a person's link is no button");
    assert!(site.command(&["events", "reporter", "li", "--lasts", "2 years"]).await.is_none());

    let picture =
        "--b\r\nContent-Disposition: form-data; name=\"p\"; filename=\"p.jpg\"\r\n\r\nx\r\n--b--";
    for path in [&report, &link, &"/report".to_owned()] {
        let kind = "multipart/form-data; boundary=b";
        let refused = post(&site.console, path, PAGE, kind, picture).await.unwrap();
        let text = refused.text();
        assert!(text.contains("ictures are taken once they can be masked"), "{text}");
        assert_eq!(status(&refused), "415");
    }
    for (why, body, expected) in [
        ("no text", "category=safety&area=east&text=+".to_owned(), "400"),
        ("no category", "category=war&area=east&text=x".to_owned(), "400"),
        ("301 letters", format!("category=safety&area=east&text={}", "x".repeat(301)), "413"),
        ("a long form", format!("category=safety&area=east&text={}", "x".repeat(70_000)), "413"),
    ] {
        let refused = site.post(&report, &body).await;
        assert_eq!(status(&refused), expected, "{why}");
    }
    assert_eq!(status(&site.post(&link, &"x".repeat(70_000)).await), "413");
    let endless = format!("category=safety&area=east&text={}", "x".repeat(2 << 20));
    if let Some(refused) = post(&site.console, &report, PAGE, FORM, &endless).await {
        assert_eq!(status(&refused), "413");
    }
    let nowhere = site.post(&report, "category=safety&area=moon&text=x").await;
    assert_eq!(status(&nowhere), "422");
    assert!(nowhere.text().contains("no area"), "{}", nowhere.text());
    assert_eq!(site.command(&["events", "list"]).await.unwrap(), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resident_answers_once_whether_it_is_fixed() {
    let site = Box_::start().await;
    let by_li = format!("{}/report", site.link("li", &[]).await);
    let opened = site.post(&by_li, "category=waste&area=east&text=SECRET+rubbish").await;
    assert!(opened.text().contains("Taken down as a new event"), "{}", opened.text());
    let event = site.event_beside("").await;
    let bearer = site.bearer().await;

    let first = site.question(&event, &bearer).await;
    for _ in 0..2 {
        let page = site.get(&first).await.text();
        assert!(page.contains("Is it fixed?") && page.contains("修好了吗？"), "{page}");
        assert!(!page.contains("SECRET"), "{page}");
    }
    assert_eq!(status(&site.post(&forged(&first), "fixed=no").await), "404");
    assert_eq!(status(&site.post(&first, "fixed=perhaps").await), "400");
    let no = site.post(&first, "fixed=no&note=still+there").await;
    assert!(status(&no) == "200" && no.text().contains("open again"), "{}", no.text());
    assert_eq!(site.count(&event, "reopened").await, 1);
    let again = site.post(&first, "fixed=yes").await;
    assert!(status(&again) == "410" && again.text().contains("used before"), "{}", again.first);

    let second = site.question(&event, &bearer).await;
    assert_ne!(first, second, "a new round, a new question");
    let (one, two) = tokio::join!(site.post(&second, "fixed=yes"), site.post(&second, "fixed=yes"));
    let mut statuses = [status(&one), status(&two)];
    statuses.sort_unstable();
    assert_eq!(statuses, ["200", "410"]);
    assert_eq!(site.count(&event, "verified").await, 1);
    let parts = ["resident", "event.reopen", "event.verify", "the link was used before"];
    audited(site.folder.path(), |told| parts.iter().all(|part| told.contains(part))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resident_is_told_what_stands_in_the_way_and_is_asked_in_this_round_alone() {
    let site = Box_::start().await;
    let bearer = site.bearer().await;
    heat(site.sensors.port(), 0..1).await;
    let seen = site.event_beside("").await;
    site.command(&["events", "dispatch", &seen, "--to", "grid", "--by", "wang"]).await.unwrap();

    let first = site.question(&seen, &bearer).await;
    for _ in 0..2 {
        let yes = site.post(&first, "fixed=yes").await;
        let told = yes.text();
        assert_eq!(status(&yes), "409", "{told}");
        assert!(told.contains("the sensor does not find it over yet"), "{told}");
    }
    assert_eq!(status(&site.get(&first).await), "200", "the link can be used again");
    site.command(&["events", "reopen", &seen, "--by", "li"]).await.unwrap();
    site.command(&["events", "dispatch", &seen, "--to", "grid", "--by", "wang"]).await.unwrap();
    let second = site.question(&seen, &bearer).await;
    assert_ne!(first, second);
    for past in [site.get(&first).await, site.post(&first, "fixed=no").await] {
        assert_eq!(status(&past), "410", "{}", past.text());
    }
    assert_eq!(site.count(&seen, "reopened").await, 1, "not by the link of the round before");
    assert_eq!(status(&site.get(&second).await), "200");

    let by_li = format!("{}/report", site.link("li", &[]).await);
    assert_eq!(status(&site.post(&by_li, "category=waste&area=east&text=rubbish").await), "200");
    let event = site.event_beside(&seen).await;
    let link = site.question(&event, &bearer).await;
    site.command(&["events", "close", &event, "--by", "li"]).await.unwrap();
    let no = site.post(&link, "fixed=no").await;
    assert!(status(&no) == "200" && no.text().contains("open again"), "{}", no.text());
}
