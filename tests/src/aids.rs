//! What helps those who cannot look all the time, or cannot point: new events read aloud, shortcuts, the way of
//! the focus, large letters.

use serde_json::json;

use crate::demo::ALONE;
use crate::visit::{DESK, PHONE, Visit};

/// Stands for the browser's voice, and keeps what it is told to say.
const VOICE: &str = "window.spoken = [];
    window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
    Object.defineProperty(window, 'speechSynthesis', { configurable: true, value: {
        speak: (said) => spoken.push([said.text, said.lang]), cancel: () => {} } });";

/// Reports something there, and remembers which cards were there before.
async fn report(visit: &mut Visit, category: &str, area: &str) {
    let post = format!(
        "fetch('/report').then(answer => answer.text()).then(html => {{
            const page = new DOMParser().parseFromString(html, 'text/html');
            const csrf = page.querySelector('[name=csrf]').value;
            const fields = {{ csrf, category: '{category}', area: '{area}', text: 'somebody saw it' }};
            return fetch('/report', {{ method: 'POST', body: new URLSearchParams(fields) }});
        }}).then(answer => answer.status)"
    );
    let there = "window.before =
        [...document.querySelectorAll('#events [data-key]')].map(card => card.dataset.key)";
    visit.browser.ask(there).await;
    assert_eq!(visit.browser.ask(&post).await, 200);
}

/// What is to be said of the card that was not there before the last report, once it has come by itself.
async fn spoken_of(visit: &mut Visit, title: &str) -> serde_json::Value {
    let wait = format!(
        "new Promise(done => {{
            const look = () => {{
                const card = [...document.querySelectorAll('#events [data-key]')].find(card =>
                    !before.includes(card.dataset.key) && card.dataset.say.includes({}));
                if (card) done(card.dataset.say);
            }};
            new MutationObserver(look).observe(document.body, {{ childList: true, subtree: true }});
            look();
        }})",
        json!(title)
    );
    visit.browser.ask(&wait).await
}

#[tokio::test]
async fn a_new_event_is_read_aloud_once_in_the_language_of_the_page_and_only_when_wanted() {
    let _alone = ALONE.lock().await;
    let Some(mut visit) = Visit::start("1").await else { return };
    visit.browser.inject(VOICE).await;
    visit.browser.narrow(PHONE).await;
    visit.enter().await;
    visit.open("?lang=zh").await;

    report(&mut visit, "waste", "south").await;
    spoken_of(&mut visit, "垃圾").await;
    assert_eq!(visit.browser.ask("spoken").await, json!([]), "nobody has asked for it");

    visit.browser.ask("document.querySelector('#voice').click()").await;
    assert_eq!(visit.browser.ask("spoken.splice(0)").await, json!([["新事件将语音播报", "zh-CN"]]));
    for (language, category, title, tag) in
        [("zh", "safety", "安全", "zh-CN"), ("en", "environment", "nvironment", "en")]
    {
        visit.open(&format!("?lang={language}")).await;
        assert_eq!(visit.browser.ask("spoken").await, json!([]), "what was there is not news");
        report(&mut visit, category, "south").await;
        let say = spoken_of(&mut visit, title).await;
        let say = say.as_str().unwrap();
        // The page is renewed a few times more; each time the card is there again.
        let renewed = "new Promise(done => {
            let left = 3;
            new MutationObserver(() => { if (--left === 0) done(1); })
                .observe(document.querySelector('#strip'), { childList: true });
        })";
        visit.browser.ask(renewed).await;

        let parts: Vec<&str> =
            say.split([',', '，', '。']).map(str::trim).filter(|part| !part.is_empty()).collect();
        let spoken = visit.browser.ask("spoken").await;
        let spoken = spoken.as_array().unwrap();
        for part in parts {
            let of_it = spoken.iter().filter(|said| said[0] == part);
            let of_it: Vec<_> = of_it.collect();
            assert!(of_it.iter().all(|said| said[1] == tag), "{spoken:?}");
            // Another event may have come to the same area meanwhile.
            let is_whole = part == say.split([',', '，']).next().unwrap().trim();
            assert!(!of_it.is_empty() && (!is_whole || of_it.len() == 1), "{part}: {spoken:?}");
        }
    }
    visit.browser.ask("document.querySelector('#voice').click()").await;
    visit.browser.ask("spoken.length = 0").await;
    report(&mut visit, "facility", "south").await;
    spoken_of(&mut visit, "acility").await;
    assert_eq!(visit.browser.ask("spoken").await, json!([]), "it was turned off");
    assert_eq!(visit.browser.faults, Vec::<String>::new());
}

/// Which card has the focus; nothing when none has.
const CURRENT: &str = "document.activeElement.closest('[data-key]')?.dataset.key ?? null";
/// What has the focus, and whether one can see that it has.
const FOCUS: &str = "(() => {
    const at = document.activeElement, box = at.getBoundingClientRect(), look = getComputedStyle(at);
    const all = [...document.querySelectorAll('a, button, input, select, summary, [tabindex]')];
    return { what: at.className || at.id || at.textContent.trim(), order: all.indexOf(at),
        seen: look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 2 && box.width > 0 &&
            box.top > -1 && box.bottom < innerHeight + 1 && box.left > -1 && box.right < innerWidth + 1 };
})()";

#[tokio::test]
async fn keys_move_choose_open_and_acknowledge_and_do_nothing_while_somebody_types() {
    let _alone = ALONE.lock().await;
    let Some(mut visit) = Visit::start("1").await else { return };
    visit.browser.wide(DESK).await;
    visit.enter().await;
    visit.open("?lang=en").await;
    for area in ["south", "west"] {
        report(&mut visit, "waste", area).await;
        report(&mut visit, "parking", area).await;
    }
    visit.when("#events[data-count='4']", "1").await;
    visit.open("?lang=en").await;
    let card =
        |n: usize| format!("document.querySelectorAll('#events [data-key]')[{n}].dataset.key");
    let (first, second) = (visit.browser.ask(&card(0)).await, visit.browser.ask(&card(1)).await);
    for (key, expected) in [("j", &first), ("j", &second), ("k", &first), ("k", &first)] {
        visit.browser.key(key).await;
        assert_eq!(visit.browser.ask(CURRENT).await, *expected, "{key}");
    }

    let chosen = "document.activeElement.closest('[data-key]')
        .querySelector('input[type=checkbox]').checked";
    visit.browser.key("x").await;
    assert_eq!(visit.browser.ask(chosen).await, true);
    visit.browser.key("x").await;
    assert_eq!(visit.browser.ask(chosen).await, false);

    visit.browser.key("/").await;
    assert_eq!(visit.browser.ask("document.activeElement.id").await, "seek");
    for key in ["j", "a", "x", "?"] {
        visit.browser.key(key).await;
    }
    assert_eq!(visit.browser.ask("document.activeElement.value").await, "jax?", "they are typed");
    assert_eq!(visit.browser.ask("document.querySelector('#keys').open").await, false);
    visit.browser.ask("document.activeElement.value = ''; document.activeElement.blur()").await;

    visit.browser.key("?").await;
    assert_eq!(visit.browser.ask("document.querySelector('#keys').open").await, true);
    visit.browser.ask("document.querySelector('#keys-on').click()").await;
    visit.browser.key("Escape").await;
    visit.browser.key("j").await;
    assert_eq!(visit.browser.ask(CURRENT).await, json!(null), "they were turned off");
    visit.browser.key("?").await;
    visit.browser.ask("document.querySelector('#keys-on').click()").await;
    visit.browser.key("Escape").await;

    visit.browser.key("j").await;
    let event = visit.browser.ask(CURRENT).await;
    visit.browser.key_away("Enter").await;
    let path = format!("/events/{}", event.as_str().unwrap());
    assert_eq!(visit.browser.ask("location.pathname").await, path, "Enter opens it");
    visit.browser.key_away("a").await;
    assert_eq!(visit.when("#stands .is-acknowledged", "1").await, 1);
    visit.open("?lang=en").await;
    let mut next = event.clone();
    while next == event {
        visit.browser.key("j").await;
        next = visit.browser.ask(CURRENT).await;
    }
    visit.browser.key_away("a").await;
    visit.open(&format!("events/{}", next.as_str().unwrap())).await;
    assert_eq!(visit.when("#stands .is-acknowledged", "1").await, 1, "from the list too");
    assert_eq!(visit.browser.faults, Vec::<String>::new());
}

#[tokio::test]
async fn the_focus_is_seen_goes_in_the_order_of_the_page_and_may_skip_what_is_on_every_one() {
    let _alone = ALONE.lock().await;
    let Some(mut visit) = Visit::start("60").await else { return };
    visit.enter().await;
    visit.when("#events .card", "1").await;
    for (width, page) in [(DESK, "devices"), (PHONE, ""), (PHONE, "scenes")] {
        visit.browser.looks(width, "light").await;
        visit.open(page).await;
        let mut before = -1;
        for step in 0..16 {
            visit.browser.key("Tab").await;
            let focus = visit.browser.ask(FOCUS).await;
            let order = focus["order"].as_i64().unwrap();
            assert!(focus["seen"] == true, "/{page}, {width} wide, {step}: {focus}");
            assert!(order > before, "/{page}, {width} wide, {step}: {focus} after {before}");
            assert!(step > 0 || focus["what"] == "skip", "{focus}");
            before = order;
        }
        visit.open(page).await;
        visit.browser.key("Tab").await;
        visit.browser.key("Enter").await;
        assert_eq!(visit.browser.ask("document.activeElement.id").await, "main", "/{page}");
        visit.browser.key("Tab").await;
        let is_past = "!document.querySelector('header').contains(document.activeElement)";
        assert_eq!(visit.browser.ask(is_past).await, true, "/{page}: past the navigation");
    }

    let size = "parseFloat(getComputedStyle(document.querySelector('h1')).fontSize)";
    visit.open("people").await;
    let normal = visit.browser.ask(size).await.as_f64().unwrap();
    visit.browser.follow("document.querySelector('.to-large').click()").await;
    assert_eq!(visit.browser.ask("location.pathname").await, "/people", "back where it was");
    visit.open("devices").await;
    let large = visit.browser.ask(size).await.as_f64().unwrap();
    assert!(large > normal * 1.3, "{normal} and {large}: it is kept");
    visit.browser.follow("document.querySelector('.to-normal').click()").await;
    assert!((visit.browser.ask(size).await.as_f64().unwrap() - normal).abs() < 0.1);
    assert_eq!(visit.browser.faults, Vec::<String>::new());
}
