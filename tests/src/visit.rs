//! A demonstration, and a browser in front of its console.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Child;

use crate::peers::chromium::Browser;
use crate::peers::{PATIENCE, command, gatehouse, lines, start};

/// A phone of the smaller kind, and a screen on a desk.
pub(crate) const PHONE: u32 = 390;
pub(crate) const DESK: u32 = 1_440;

/// Both end when dropped.
pub(crate) struct Visit {
    pub(crate) browser: Browser,
    /// Of the console, with a slash at its end.
    pub(crate) address: String,
    password: String,
    _demo: Child,
    _elsewhere: tempfile::TempDir,
}

impl Visit {
    /// `None` where there is no Chromium.
    pub(crate) async fn start(speed: &str) -> Option<Self> {
        let Some(browser) = Browser::start().await else {
            eprintln!("left out: no Chromium here; cargo xtask prepare installs it on Debian");
            return None;
        };
        let elsewhere = tempfile::tempdir().unwrap();
        let mut demo = start(
            command(gatehouse())
                .args(["demo", "--http", "127.0.0.1:0", "--speed", speed])
                .current_dir(elsewhere.path())
                .env("LC_ALL", "C")
                .stdout(Stdio::piped()),
        );
        let mut said = lines(demo.stdout.take().unwrap());
        // Without optimisation the picture models alone take half of one to load.
        let first = tokio::time::timeout(3 * PATIENCE, said.next_line()).await;
        let first = first.unwrap().unwrap().unwrap();
        let words: Vec<&str> = first.split_whitespace().collect();
        let (address, password) = (words[1].to_owned(), words[words.len() - 1].to_owned());
        // What the demo prints must go somewhere.
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        Some(Self { browser, address, password, _demo: demo, _elsewhere: elsewhere })
    }

    /// Opens the login and signs in.
    pub(crate) async fn enter(&mut self) {
        self.open("").await;
        sign_in(&mut self.browser, None, &self.password).await;
    }

    /// Opens a page of the console.
    pub(crate) async fn open(&mut self, path: &str) {
        self.browser.open(&format!("{}{path}", self.address)).await;
    }

    /// What an expression about the first such element comes to, once there is one.
    pub(crate) async fn when(&mut self, selector: &str, expression: &str) -> Value {
        self.browser.ask(&when(selector, expression)).await
    }
}

/// Fills in the login, which is open, and presses its button.
pub(crate) async fn sign_in(browser: &mut Browser, name: Option<&str>, password: &str) {
    for (field, value) in [("name", name), ("password", Some(password))] {
        if let Some(value) = value {
            browser
                .ask(&format!("document.querySelector('#{field}').value = {}", json!(value)))
                .await;
        }
    }
    browser.follow("document.querySelector('main form button').click()").await;
}

/// See [`Visit::when`].
pub(crate) fn when(selector: &str, expression: &str) -> String {
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

/// Nothing keeps anybody from reading it, and nothing has to be pushed aside for that.
pub(crate) async fn readable(browser: &mut Browser, what: &str) {
    let wider = browser.ask("document.documentElement.scrollWidth - innerWidth").await;
    assert!(wider.as_i64().unwrap() <= 0, "{what} is {wider} too wide");
    match browser.barriers().await {
        Some(barriers) => assert_eq!(barriers, Vec::<String>::new(), "{what}"),
        None => eprintln!("{what}: nobody looked for barriers; cargo xtask prepare gets axe-core"),
    }
}
