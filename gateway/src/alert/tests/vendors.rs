//! A local stand-in for a vendor, and whether what it is asked is what the vendor publishes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use gatehouse_core::alert::Outcome;
use gatehouse_core::alert::pace::Pace;
use gatehouse_core::reading::Timestamp;
use ring::hmac;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{config, file};
use crate::alert::channel::{Links, Message, limits, send};
use crate::alert::sample::message;

/// What a vendor was asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// As all three vendors want it: posted, JSON in UTF-8, and said so.
    fn is_json_by_post(&self) {
        assert_eq!((self.method.as_str(), self.path.as_str()), ("POST", "/hook"));
        assert_eq!(self.header("content-type"), "application/json; charset=utf-8");
        assert!(std::str::from_utf8(&self.body).is_ok());
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }

    /// A value of the query, without its percent signs.
    fn query(&self, name: &str) -> String {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next().unwrap();
        let mut bytes = Vec::new();
        let mut rest = value.bytes();
        while let Some(byte) = rest.next() {
            if byte == b'%' {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                let digits = std::str::from_utf8(&digits).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
            } else {
                assert!(byte.is_ascii_alphanumeric() || b"-._~".contains(&byte), "{value}");
                bytes.push(byte);
            }
        }
        String::from_utf8(bytes).unwrap()
    }
}

/// A local HTTP server that answers as it is told.
pub(super) struct Vendor {
    address: String,
    answer: Arc<Mutex<(u16, Value)>>,
    asked: mpsc::Receiver<Asked>,
}

type Shared = (Arc<Mutex<(u16, Value)>>, mpsc::Sender<Asked>);

impl Vendor {
    pub(super) async fn start(answer: Value) -> Self {
        let answer = Arc::new(Mutex::new((200, answer)));
        let (sender, asked) = mpsc::channel(64);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let app = Router::new().fallback(take).with_state((Arc::clone(&answer), sender));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, answer, asked }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn answers(&self, status: u16, answer: Value) {
        *self.answer.lock().unwrap() = (status, answer);
    }

    pub(super) async fn next(&mut self) -> Asked {
        tokio::time::timeout(std::time::Duration::from_mins(1), self.asked.recv())
            .await
            .unwrap()
            .unwrap()
    }
}

async fn take(State((answer, asked)): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let taken = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    asked.send(taken).await.unwrap();
    let (status, body) = answer.lock().unwrap().clone();
    let status = axum::http::StatusCode::from_u16(status).unwrap();
    (status, axum::Json(body)).into_response()
}

/// A message by the one channel of this text; `DIR` is the folder, `URL` the vendor's address.
async fn by(vendor: &Vendor, text: &str, message: &Message) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "secret", "SEC0ffee\n");
    file(folder.path(), "url", &format!("{}\n", vendor.url("/hook?key=k")));
    let text = text.replace("DIR", &folder.path().display().to_string());
    let text = text.replace("URL", &vendor.url("/sms"));
    let config = config(folder.path(), &format!("[[channel]]\nid = \"c\"\n{text}"));
    send(&config.channels[0], None, message).await
}

/// Base64 of HMAC-SHA256, with nothing of the code under test.
fn signature(key: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let mac = hmac::sign(&key, text.as_bytes());
    let digit = |bits: u32| {
        char::from(
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[bits as usize & 63],
        )
    };
    let mut out = String::new();
    for chunk in mac.as_ref().chunks(3) {
        let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            out.push(digit(bits >> (18 - 6 * at)));
        }
    }
    // 32 bytes: one sign is missing to the full four.
    out + "="
}

/// A message whose text is far too long for any vendor.
fn endless() -> Message {
    let mut message = message();
    message.letter.list = vec!["东区3号楼垃圾桶起火，请立即前往。".repeat(8); 300];
    message
}

#[tokio::test]
async fn wecom_gets_markdown_of_4096_bytes_at_most_and_its_links_whole() {
    let mut vendor = Vendor::start(json!({ "errcode": 0, "errmsg": "ok" })).await;
    let robot = "wecom = { url-file = \"DIR/url\" }";
    for message in [message(), endless()] {
        assert_eq!(by(&vendor, robot, &message).await, Outcome::Sent);

        let asked = vendor.next().await;
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/hook"));
        assert_eq!(asked.query, "key=k");
        asked.is_json_by_post();
        let body = asked.json();
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        assert_eq!(body["msgtype"], "markdown");
        let content = body["markdown"]["content"].as_str().unwrap();
        assert!(content.len() <= 4096, "{} bytes", content.len());
        assert!(content.starts_with("**<font color=\"warning\">"), "{content}");
        assert!(content.ends_with("[See more](https://box/events/01EVENT)"), "{content}");
        assert!(content.contains("[Acknowledge](https://box/a/ACK)"), "{content}");
        assert_eq!(body["markdown"].as_object().unwrap().len(), 1, "{body}");
        for (at, _) in content.match_indices("<font") {
            let colour = ["info", "comment", "warning"];
            assert!(
                colour.iter().any(|c| content[at..].starts_with(&format!("<font color=\"{c}\">")))
            );
        }
    }
}

#[tokio::test]
async fn dingtalk_gets_a_card_with_buttons_and_the_signature_in_the_query() {
    let mut vendor = Vendor::start(json!({ "errcode": 0, "errmsg": "ok" })).await;
    let robot = "dingtalk = { url-file = \"DIR/url\", secret-file = \"DIR/secret\" }";
    for message in [message(), endless()] {
        assert_eq!(by(&vendor, robot, &message).await, Outcome::Sent);

        let asked = vendor.next().await;
        asked.is_json_by_post();
        assert_eq!(
            (asked.query("key"), asked.query("timestamp")),
            ("k".into(), "1772337600123".into())
        );
        assert_eq!(asked.query("sign"), signature("SEC0ffee", "1772337600123\nSEC0ffee"));
        assert!(asked.body.len() <= 20_000, "{} bytes", asked.body.len());
        let body = asked.json();
        assert_eq!(body["msgtype"], "actionCard");
        let card = &body["actionCard"];
        assert!(card["title"].as_str().unwrap().contains("bin on fire"));
        assert!(card["text"].as_str().unwrap().contains("**Where**: east, house 3"));
        let buttons: Vec<(&str, &str)> = card["btns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|b| (b["title"].as_str().unwrap(), b["actionURL"].as_str().unwrap()))
            .collect();
        assert_eq!(buttons[0], ("Acknowledge", "https://box/a/ACK"));
        assert_eq!(buttons[1], ("False alarm", "https://box/a/FALSE"));
        assert_eq!(buttons[2], ("See more", "https://box/events/01EVENT"));
        assert!(["0", "1"].contains(&card["btnOrientation"].as_str().unwrap()));
        assert_eq!((body.as_object().unwrap().len(), card.as_object().unwrap().len()), (2, 4));
    }
    let mut bare = message();
    bare.links = Links::default();
    by(&vendor, "dingtalk = { url-file = \"DIR/url\" }", &bare).await;
    let asked = vendor.next().await;
    assert_eq!(asked.query, "key=k", "no signature without a secret");
    assert_eq!(asked.json()["msgtype"], "markdown", "no buttons without links");
}

#[tokio::test]
async fn feishu_gets_a_card_with_buttons_and_the_signature_in_the_body() {
    let mut vendor = Vendor::start(json!({ "code": 0, "msg": "success", "data": {} })).await;
    let robot = "feishu = { url-file = \"DIR/url\", secret-file = \"DIR/secret\" }";
    for message in [message(), endless()] {
        assert_eq!(by(&vendor, robot, &message).await, Outcome::Sent);

        let asked = vendor.next().await;
        asked.is_json_by_post();
        assert_eq!(asked.query, "key=k", "the signature stands in the body");
        assert!(asked.body.len() <= 20_000, "{} bytes", asked.body.len());
        let body = asked.json();
        assert_eq!(body.as_object().unwrap().len(), 4, "{body}");
        assert_eq!(body["timestamp"], "1772337600");
        assert_eq!(body["sign"], signature("1772337600\nSEC0ffee", ""));
        assert_eq!(body["msg_type"], "interactive");
        let card = &body["card"];
        assert_eq!(card["header"]["template"], "red");
        assert_eq!(card["header"]["title"]["tag"], "plain_text");
        assert_eq!(card["elements"][0]["text"]["tag"], "lark_md");
        let action = &card["elements"][1];
        assert_eq!(action["tag"], "action");
        assert_eq!(action["actions"][0]["tag"], "button");
        assert_eq!(action["actions"][0]["url"], "https://box/a/ACK");
    }
}

#[tokio::test]
async fn what_vendors_answer_is_taken_for_what_it_means() {
    const LATER: &str = "later";
    const MENDED: &str = "misconfigured";
    const UNFIT: &str = "unfit";
    let vendor = Vendor::start(Value::Null).await;
    let wecom = "wecom = { url-file = \"DIR/url\" }";
    let dingtalk = "dingtalk = { url-file = \"DIR/url\" }";
    let feishu = "feishu = { url-file = \"DIR/url\" }";
    let cases = [
        (wecom, 200, json!({ "errcode": 45009, "errmsg": "api freq out of limit" }), LATER),
        (wecom, 200, json!({ "errcode": 93000, "errmsg": "invalid webhook url" }), MENDED),
        (wecom, 200, json!({ "errcode": 40058, "errmsg": "content exceed max length" }), UNFIT),
        (wecom, 200, json!({ "errcode": 77777, "errmsg": "nobody knows" }), LATER),
        (wecom, 200, json!("no number"), LATER),
        (wecom, 502, json!("bad gateway"), LATER),
        (wecom, 404, json!("no such page"), MENDED),
        (dingtalk, 200, json!({ "errcode": 130_101, "errmsg": "send too fast" }), LATER),
        (dingtalk, 200, json!({ "errcode": 300_001, "errmsg": "token is not exist" }), MENDED),
        (dingtalk, 200, json!({ "errcode": 310_000, "errmsg": "sign not match" }), MENDED),
        (wecom, 200, json!({ "errcode": 93008, "errmsg": "not in group" }), MENDED),
        (dingtalk, 200, json!({ "errcode": 410_100, "errmsg": "speed limit" }), LATER),
        (dingtalk, 200, json!({ "errcode": 300_005, "errmsg": "token is not exist" }), MENDED),
        (dingtalk, 200, json!({ "errcode": 400_102, "errmsg": "robot is stopped" }), MENDED),
        (dingtalk, 200, json!({ "errcode": 460_101, "errmsg": "exceed 20000 bytes" }), UNFIT),
        (feishu, 400, json!({ "code": 9_499, "msg": "too many request" }), LATER),
        (feishu, 400, json!({ "code": 9_499, "msg": "Bad Request", "data": {} }), UNFIT),
        (feishu, 429, json!({ "code": 99_991_400, "msg": "request trigger" }), LATER),
        (feishu, 200, json!({ "code": 19_007, "msg": "Bot Not Enabled" }), MENDED),
        (feishu, 200, json!({ "code": 19_022, "msg": "Ip Not Allowed" }), MENDED),
        (feishu, 200, json!({ "code": 19_024, "msg": "Key Words Not Found" }), MENDED),
        (feishu, 200, json!({ "code": 11_232, "msg": "frequency limited" }), LATER),
        (feishu, 200, json!({ "code": 19_001, "msg": "token invalid" }), MENDED),
        (feishu, 200, json!({ "code": 19_021, "msg": "sign match fail" }), MENDED),
    ];
    for (robot, status, answer, expected) in cases {
        vendor.answers(status, answer.clone());
        let outcome = by(&vendor, robot, &message()).await;
        assert_eq!(outcome.word(), expected, "{answer}: {outcome:?}");
        assert!(!format!("{outcome:?}").contains("key=k"), "the address is a secret: {outcome:?}");
    }
    for (robot, answer, minutes) in [
        (wecom, json!({ "errcode": 45009 }), 1),
        (dingtalk, json!({ "errcode": 130_101 }), 10),
        (feishu, json!({ "code": 11_232 }), 1),
    ] {
        vendor.answers(200, answer);
        let Outcome::Later { after, .. } = by(&vendor, robot, &message()).await else { panic!() };
        assert_eq!(after, Some(Duration::from_mins(minutes)), "{robot}");
    }
}

#[tokio::test]
async fn a_webhook_gets_json_with_a_signature_over_the_time_and_the_body() {
    let mut vendor = Vendor::start(Value::Null).await;
    let channel = "webhook = { url = \"URL\", secret-file = \"DIR/secret\" }";
    assert_eq!(by(&vendor, channel, &message()).await, Outcome::Sent);

    let asked = vendor.next().await;
    let (time, body) = (asked.header("x-gatehouse-timestamp"), asked.body.clone());
    assert_eq!(time, "1772337600");
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/sms"));
    assert_eq!(asked.header("content-type"), "application/json; charset=utf-8");
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"SEC0ffee");
    let given = asked.header("x-gatehouse-signature").strip_prefix("sha256=").unwrap();
    let given: Vec<u8> = (0..given.len() / 2)
        .map(|at| u8::from_str_radix(&given[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    hmac::verify(&key, &[time.as_bytes(), b".", &body].concat(), &given).unwrap();
    assert_eq!(asked.header("x-gatehouse-id"), "gw-7");
    assert_eq!(asked.json()["links"]["acknowledge"], "https://box/a/ACK");
    for (status, word) in [(500, "later"), (429, "later"), (401, "misconfigured"), (400, "unfit")] {
        vendor.answers(status, Value::Null);
        assert_eq!(by(&vendor, channel, &message()).await.word(), word, "{status}");
    }
}

#[tokio::test]
async fn any_provider_of_text_messages_fits_by_its_template() {
    let mut vendor = Vendor::start(json!({ "code": 0 })).await;
    let json = r#"sms = { url = "URL", body = '{"to":"{phone}","text":"{text}","ref":"{id}"}',
        headers = ["Authorization: Bearer {secret}"], secret-file = "DIR/secret", success = '"code":0' }"#
        .replace('\n', " ");
    let mut quoted = message();
    quoted.letter.headline = "a \"fire\" {secret} \\".into();
    assert_eq!(by(&vendor, &json, &quoted).await, Outcome::Sent);
    let asked = vendor.next().await;
    assert_eq!(asked.header("authorization"), "Bearer SEC0ffee");
    assert_eq!(asked.header("content-type"), "application/json; charset=utf-8");
    let text = asked.json()["text"].as_str().unwrap().chars().count();
    assert!(text <= 200, "{text} letters");
    let text = asked.json()["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("a \"fire\" {secret} \\. take an extinguisher"), "{text}");
    assert!(text.ends_with("https://box/events/01EVENT No. gw-7"), "{text}");
    assert_eq!(
        (asked.json()["to"].as_str(), asked.json()["ref"].as_str()),
        (Some("13800000000"), Some("gw-7"))
    );

    let form =
        "sms = { url = \"URL\", body = \"p={phone}&t={text}\", format = \"form\", letters = 30 }";
    assert_eq!(by(&vendor, form, &message()).await, Outcome::Sent);
    let asked = vendor.next().await;
    assert_eq!(asked.header("content-type"), "application/x-www-form-urlencoded");
    let form = String::from_utf8(asked.body.to_vec()).unwrap();
    let text = form.strip_prefix("p=13800000000&t=").unwrap();
    assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)), "{form}");
    let get = "sms = { url = \"URL?p={phone}&t={text}\" }";
    assert_eq!(by(&vendor, get, &message()).await, Outcome::Sent);
    let asked = vendor.next().await;
    assert_eq!((asked.method.as_str(), asked.query("p")), ("GET", "13800000000".to_owned()));

    vendor.answers(200, json!({ "code": 7 }));
    assert_eq!(by(&vendor, &json, &message()).await.word(), "later");
}

#[tokio::test]
async fn a_stub_on_the_path_speaks_and_one_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    let stub = file(
        folder.path(),
        "espeak-ng",
        &format!("#!/bin/sh\necho \"$@\" >> {0}\ncat >> {0}\necho >> {0}\n", said.display()),
    );
    std::fs::set_permissions(&stub, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let text = format!("speech = {{ program = \"{}\", times = 1 }}", stub.display());
    let vendor = Vendor::start(Value::Null).await;
    let mut message = message();
    message.letter.headline = "--version; rm -rf / $(id)".into();

    assert_eq!(by(&vendor, &text, &message).await, Outcome::Sent);

    let told = std::fs::read_to_string(&said).unwrap();
    assert_eq!(told, "-v en --stdin\n--version; rm -rf / $(id). take an extinguisher\n");
    let outcome = by(&vendor, "speech = { program = \"/no/such/program\" }", &message).await;
    assert_eq!(outcome.word(), "misconfigured", "{outcome:?}");
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_told_and_what_it_is_for() {
    let vendor = Vendor::start(Value::Null).await;
    let outcome = by(&vendor, "wecom = { url-file = \"DIR/none\" }", &message()).await;
    let Outcome::Misconfigured { why } = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("none` cannot be read: No such file"), "{why}");
}

/// What each channel sends in the worst minutes, on its own limits and simulated time.
#[test]
fn no_robot_is_asked_more_often_than_its_vendor_allows() {
    let folder = tempfile::tempdir().unwrap();
    let robots = ["wecom", "dingtalk", "feishu"];
    let channels =
        robots.map(|id| format!("[[channel]]\nid = \"{id}\"\n{id} = {{ url-file = \"u\" }}\n"));
    let config = config(folder.path(), &channels.concat());
    for (channel, allowed) in
        config.channels.iter().zip([&[(20, 60)][..], &[(20, 60)], &[(100, 60), (5, 1)]])
    {
        let mut pace = Pace::new(limits(channel));
        let (mut now, mut sent) = (Timestamp(0), Vec::new());
        for _ in 0..500 {
            now = pace.next(now);
            pace.sent(now);
            sent.push(now);
        }
        for (many, seconds) in allowed {
            for (first, next) in sent.iter().zip(&sent[*many..]) {
                let span = next.since(*first);
                assert!(span > Duration::from_secs(*seconds), "{}: {many} in {span:?}", channel.id);
            }
        }
    }
}
