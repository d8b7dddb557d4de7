//! A browser without scripts: it fetches pages with curl and fills in their forms.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

pub(crate) struct Browser {
    pub(crate) console: u16,
    token: String,
}

impl Browser {
    pub(super) fn new(console: u16, token: String) -> Self {
        Self { console, token }
    }

    pub(super) fn get(&self, path: &str) -> String {
        self.curl(path, &["-H", "Accept: text/html"], None)
    }

    pub(super) fn fetch(&self, path: &str) -> String {
        self.curl(path, &[], None)
    }

    /// Head and body of what somebody gets who is not logged in.
    pub(super) fn without_token(&self, path: &str) -> String {
        let url = format!("http://127.0.0.1:{}{path}", self.console);
        let out = Command::new("curl").args(["-si", "-H", "Accept: text/html", &url]).output();
        String::from_utf8_lossy(&out.unwrap().stdout).into_owned()
    }

    /// Posts a form and follows where it leads.
    pub(super) fn post(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let escaped = |text: &str| {
            text.bytes().fold(String::new(), |mut escaped, byte| {
                let _ = write!(escaped, "%{byte:02X}");
                escaped
            })
        };
        let pairs =
            fields.iter().map(|(key, value)| format!("{}={}", escaped(key), escaped(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let origin = format!("Origin: http://127.0.0.1:{}", self.console);
        let form = "Content-Type: application/x-www-form-urlencoded";
        // An answer may come before all of a long form was sent.
        let args = [
            "-L",
            "-H",
            "Accept: text/html",
            "-H",
            &origin,
            "-H",
            form,
            "-H",
            "Expect:",
            "--data-binary",
            "@-",
        ];
        self.curl(path, &args, Some(&body))
    }

    fn curl(&self, path: &str, args: &[&str], body: Option<&str>) -> String {
        let url = format!("http://127.0.0.1:{}{path}", self.console);
        let token = format!("Authorization: Bearer {}", self.token);
        let mut curl = Command::new("curl")
            .args(["-s", "-H", &token, "-H", "Accept-Language: en"])
            .args(args)
            .arg(url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = curl.stdin.take().unwrap();
        let body = body.unwrap_or_default().to_owned();
        let writer = std::thread::spawn(move || drop(stdin.write_all(body.as_bytes())));
        let out = curl.wait_with_output().unwrap();
        writer.join().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    }
}

/// A form as the page has it.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(key, _)| key != name);
        self.add(name, value);
    }

    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn fields(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }
}

/// The first form that leads there: its inputs, texts and what is selected; nothing is ticked.
pub(super) fn form(page: &str, action: &str) -> Form {
    let begin = page.find(&format!("action=\"{action}\""));
    let begin = begin.unwrap_or_else(|| panic!("no form leads to {action}:\n{page}"));
    let rest = &page[begin..];
    let form = &rest[..rest.find("</form>").unwrap()];
    let (mut fields, mut is_first) = (Vec::new(), false);
    for part in form.split('<') {
        let Some((tag, after)) = part.split_once('>') else { continue };
        let name = attribute(tag, "name");
        if tag.starts_with("input") && !tag.contains("type=\"checkbox\"") {
            fields.extend(name.map(|name| (name, attribute(tag, "value").unwrap_or_default())));
        } else if tag.starts_with("textarea") {
            fields.extend(name.map(|name| (name, unescaped(after))));
        } else if tag.starts_with("select") {
            fields.extend(name.map(|name| (name, String::new())));
            is_first = true;
        } else if tag.starts_with("option")
            && let Some((_, chosen)) = fields.last_mut()
            && (is_first || tag.ends_with(" selected"))
        {
            is_first = false;
            *chosen = attribute(tag, "value").unwrap_or_default();
        }
    }
    Form(fields)
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| unescaped(value))
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
