//! The console as a browser and a script meet it: over a socket, from outside.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::*;
use crate::alert::config::AlertsConfig;
use crate::config::StoreConfig;
use crate::console::sample::{NOW, community, event, quiet, troubled};
use gatehouse_core::event::message::State;

mod access;
mod api;
mod assets;
mod camera;
mod door;
mod inbox;
mod judging;
mod metrics;
mod phone;

/// A console on a port of its own, and what it is told.
struct Served {
    at: SocketAddr,
    password: String,
    store: tempfile::TempDir,
    view: watch::Sender<Arc<View>>,
    community: watch::Sender<Arc<Community>>,
    events: Store,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

async fn serve_view(view: View) -> Served {
    serve_both(view, community(), StoreState { waiting: 5, sequence: 41, ..StoreState::default() })
        .await
}

async fn serve_both(view: View, community: Community, store: StoreState) -> Served {
    serve_all(view, community, store, None).await
}

async fn serve_with(token: Option<token::Token>) -> Served {
    serve_all(quiet(), community(), StoreState::default(), token).await
}

async fn serve_all(
    view: View,
    community: Community,
    store: StoreState,
    token: Option<token::Token>,
) -> Served {
    serve_watched(view, community, store, token, Watched::default()).await
}

async fn serve_watched(
    view: View,
    community: Community,
    store: StoreState,
    token: Option<token::Token>,
    watched: Watched,
) -> Served {
    let (view, seen) = watch::channel(Arc::new(view));
    let (held, configured) = watch::channel(Arc::new(community));
    let folder = tempfile::tempdir().unwrap();
    let sources = sources(seen, configured, &folder);
    let sources = Sources { store: Box::new(move || store.clone()), ..sources };
    let sources = Sources { watched: watch::channel(Arc::new(watched)).1, ..sources };
    serve_sources(sources, (view, held), folder, token).await
}

/// What the console looks at when nothing else is said.
fn sources(
    view: watch::Receiver<Arc<View>>,
    community: watch::Receiver<Arc<Community>>,
    folder: &tempfile::TempDir,
) -> Sources {
    let stored = StoreConfig { path: folder.path().join("store"), ..StoreConfig::default() };
    let (events, _) = Store::open(&stored).unwrap();
    Sources {
        alerts: None,
        links: Signer::open(&AlertsConfig::default(), &stored.path, events.clone()).unwrap(),
        view,
        community,
        configuration: watch::channel(Configuration::default()).1,
        watched: watch::channel(Arc::default()).1,
        events,
        lookout: Lookout::new(tokio::sync::mpsc::channel(1).0, stored.path),
        workshop: None,
        wires: watch::channel(Arc::default()).1,
        tallies: crate::sight::Tallies::default(),
        store: Box::new(StoreState::default),
        desk: crate::sample::desk(),
        audit: Audit::nowhere(),
        clock: Clock::new(1.0),
        pictures: Pictures::off(),
        language: Language::En,
        place: place(),
    }
}

async fn serve_sources(
    sources: Sources,
    (view, held): (watch::Sender<Arc<View>>, watch::Sender<Arc<Community>>),
    folder: tempfile::TempDir,
    token: Option<token::Token>,
) -> Served {
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let at = listener.local_addr().unwrap();
    let (access, password) = Access::open(folder.path(), true).unwrap();
    let access = access.with_token(token);
    let password = password.unwrap();
    let events = sources.events.clone();
    let stop = CancellationToken::new();
    let task = tokio::spawn(serve(listener, None, access, sources, stop.clone()));
    Served { at, password, store: folder, view, community: held, events, stop, task }
}

/// Nobody reads the configuration again, and nothing is kept of the past.
fn place() -> Place {
    Place {
        store: "/nonexistent".into(),
        events: None,
        heat: crate::heat::Heat::default(),
        reload: tokio::sync::mpsc::channel(1).0,
        has_public_bays: false,
    }
}

impl Served {
    /// Sends one request and reads all of the answer. `Host` is ours unless the headers say another.
    async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let mut stream = self.open(method, path, headers, body).await;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    async fn open(&self, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        let host = if headers.contains("Host:") {
            String::new()
        } else {
            format!("Host: {}\r\n", self.at)
        };
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &self.bearer(), "").await
    }

    fn bearer(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.password)
    }

    async fn login(&self, password: &str, next: &str) -> Answer {
        let origin = format!("Origin: http://{}\r\nAccept: text/html\r\n", self.at);
        self.ask("POST", "/login", &origin, &format!("password={password}&next={next}")).await
    }

    /// What the forms of that session carry, from one of its pages.
    async fn csrf(&self, session: &str) -> String {
        let page = self.ask("GET", "/users", session, "").await.body;
        let page = if page.contains("csrf") {
            page
        } else {
            self.ask("GET", "/account", session, "").await.body
        };
        let start = page.find("name=\"csrf\" value=\"").expect("a form") + 19;
        page[start..].split('"').next().unwrap().to_owned()
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

#[tokio::test]
async fn a_browser_exchanges_the_password_for_a_session_and_can_leave() {
    let served = serve_view(quiet()).await;
    let page = "Accept: text/html\r\n";

    let stranger = served.ask("GET", "/devices?show=trouble", page, "").await;
    assert_eq!(stranger.status, 303);
    assert_eq!(stranger.header("location"), Some("/login?next=/devices%3Fshow%3Dtrouble"));
    assert_eq!(served.ask("GET", "/api/v1/events", page, "").await.status, 401);

    let login = served.login(&served.password, "/devices?show=trouble").await;
    assert_eq!((login.status, login.header("location")), (303, Some("/devices?show=trouble")));
    let cookie = login.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{cookie}");
    let session = format!("{page}Cookie: a=b; {}\r\n", cookie.split(';').next().unwrap());
    let inside = served.ask("GET", "/", &session, "").await;
    assert_eq!((inside.status, inside.header("cache-control")), (200, Some("no-store")));

    let out = format!("{session}Origin: http://{}\r\n", served.at);
    assert_eq!(served.ask("POST", "/logout", &out, "").await.status, 303);
    assert_eq!(served.ask("GET", "/", &session, "").await.status, 303);
    served.end().await;
}

#[tokio::test]
async fn a_token_of_its_own_lets_a_script_in_but_is_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let token = "6b5c0d1a9e2f4b7788aa";
    let mode = std::os::unix::fs::OpenOptionsExt::mode;
    let mut file = std::fs::File::options();
    let mut file = mode(file.create(true).write(true), 0o600).open(&path).unwrap();
    std::io::Write::write_all(&mut file, token.as_bytes()).unwrap();
    let served = serve_with(Some(token::Token::read(&path).unwrap())).await;
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");

    for path in ["/metrics", "/api/v1/events"] {
        assert_eq!(served.ask("GET", path, &bearer(token), "").await.status, 200, "{path}");
        assert_eq!(served.get(path).await.status, 200, "{path}");
        let wrong = served.ask("GET", path, &bearer("6b5c0d1a9e2f4b7788ab"), "").await;
        assert_eq!(wrong.status, 401, "{path}");
    }
    assert_eq!(served.login(token, "/").await.status, 401);
    served.end().await;
}

#[tokio::test]
async fn wrong_passwords_lock_the_login_but_not_those_who_are_inside() {
    let served = serve_view(quiet()).await;

    for _ in 0..4 {
        assert_eq!(served.login("guess", "/").await.status, 401);
    }
    let locked = served.login("guess", "/").await;
    assert_eq!((locked.status, locked.header("retry-after")), (429, Some("60")));
    assert!(locked.body.contains("Try again in 60 s."));
    assert_eq!(served.login(&served.password, "/").await.status, 429);
    assert_eq!(served.get("/api/v1/events").await.status, 200);
    served.end().await;
}

#[tokio::test]
async fn requests_that_are_not_meant_for_us_are_refused() {
    let served = serve_view(quiet()).await;
    let at = served.at;
    let bearer = served.bearer();
    let cases = [
        ("another name", "GET", "/", format!("Host: evil.example\r\n{bearer}"), 421),
        ("another name, open page", "GET", "/readyz", "Host: evil.example\r\n".into(), 421),
        ("another site's form", "POST", "/login", "Origin: http://evil.example\r\n".into(), 403),
        ("another port's form", "POST", "/login", "Origin: http://127.0.0.1:1\r\n".into(), 403),
        ("a sandboxed form", "POST", "/login", "Origin: null\r\n".into(), 403),
        ("a form of unknown origin", "POST", "/logout", String::new(), 403),
        (
            "another site's script",
            "GET",
            "/api/v1/events",
            "Sec-Fetch-Site: cross-site\r\n".into(),
            403,
        ),
        (
            "a link from another site",
            "GET",
            "/login",
            "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n".into(),
            200,
        ),
        ("a wrong token", "GET", "/metrics", "Authorization: Bearer x\r\n".into(), 401),
        ("no such page", "GET", "/nowhere", bearer.clone(), 404),
        ("no such file", "GET", "/static/..%2fmod.rs", String::new(), 404),
        ("another method", "PUT", "/", format!("Origin: http://{at}\r\n{bearer}"), 405),
        ("no form", "POST", "/login", format!("Origin: http://{at}\r\n"), 400),
    ];
    for (why, method, path, headers, expected) in cases {
        let answer = served.ask(method, path, &headers, "").await;
        assert_eq!(answer.status, expected, "{why}: {}", answer.body);
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'"), "{why}");
    }
    let endless = "x".repeat(9_000);
    assert_eq!(served.login(&endless, "/").await.status, 400);
    served.end().await;
}

#[tokio::test]
async fn the_first_page_lists_what_needs_somebody_and_says_when_nothing_does() {
    let served = serve_view(troubled()).await;

    let page = served.get("/?lang=en").await;
    let order = ["Fire lane blocked", "Poor air", "Bin nearly full"];
    let found: Vec<_> =
        order.iter().filter_map(|title| page.body.find(&format!(">{title}<"))).collect();
    assert!(found.len() == 3 && found.is_sorted(), "{found:?}");
    for part in ["<b>I</b> Extraordinary", "Unknown: sensor silent", "above 75 µg/m³ for 5 min"] {
        assert!(page.body.contains(part), "{part}");
    }
    assert!(page.header("set-cookie").unwrap().starts_with("lang=en;"));

    served.view.send_replace(Arc::new(quiet()));
    let chinese = format!("{}Accept-Language: zh-CN,en;q=0.5\r\n", served.bearer());
    let calm = served.ask("GET", "/", &chinese, "").await;
    assert!(calm.body.contains("一切正常") && calm.body.contains("<html lang=\"zh-CN\">"));
    assert!(calm.body.len() < 20_000);
    served.end().await;
}

#[tokio::test]
async fn the_devices_page_tells_what_each_device_said_and_what_is_wrong_with_it() {
    let served = serve_view(troubled()).await;

    let all = served.get("/devices").await.body;
    let troubled = served.get("/devices?show=trouble").await.body;

    for part in ["East air station 1", "no answer within 500 ms", "not JSON 14", "Never heard"] {
        assert!(all.contains(part), "{part}");
    }
    assert!(!troubled.contains("East air station 1") && troubled.contains("West air station 1"));
    served.end().await;
}

#[tokio::test]
async fn a_script_in_a_name_is_text_and_nothing_else() {
    let mut community = community();
    community.devices[0].title.en = "<script>alert(1)</script>".into();
    community.title.en = "\"><img src=x>".into();
    let mut view = troubled();
    let evil = ("x", "<b onclick=\"alert(1)\">\r\nlane");
    view.events = vec![event(2, "east-air-1", evil, State::Open, 1)];
    let served = serve_both(view, community, StoreState::default()).await;

    for path in ["/", "/devices"] {
        let page = served.get(path).await.body;
        assert!(!page.contains("<script>") && !page.contains("<img") && !page.contains("<b onc"));
        assert!(page.contains("&lt;script&gt;alert(1)"), "{path}");
    }
    served.end().await;
}

#[tokio::test]
async fn the_stream_shows_each_change_and_ends_with_the_program() {
    let served = serve_view(quiet()).await;
    let mut script = served.open("GET", "/api/v1/events/stream", &served.bearer(), "").await;
    let mut page = served.open("GET", "/live", &served.bearer(), "").await;

    read_until(&mut script, "data: []").await;
    read_until(&mut page, "Nothing needs you").await;
    served.view.send_replace(Arc::new(troubled()));
    let change = read_until(&mut script, "}]\n\n").await;
    let page_change = read_until(&mut page, "Poor air").await;

    let data = change.split("data: ").nth(1).unwrap().split('\n').next().unwrap();
    let events: Vec<gatehouse_core::event::message::EventData> =
        serde_json::from_str(data).unwrap();
    let expected: Vec<_> = troubled().events.into_iter().map(|event| event.data).collect();
    assert_eq!(events, expected);
    assert!(page_change.contains("event: page"));
    served.end().await;
    let mut rest = Vec::new();
    script.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n"), "it ends as it should, not torn off");
}

async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut text = String::new();
    let mut chunk = [0; 4_096];
    while !text.contains(wanted) {
        let got = stream.read(&mut chunk).await.unwrap();
        assert!(got > 0, "ended before `{wanted}` came: {text}");
        text.push_str(&String::from_utf8_lossy(&chunk[..got]));
    }
    text
}

#[tokio::test]
async fn the_device_list_is_json_with_units_and_qualities() {
    let served = serve_view(troubled()).await;

    let body = served.get("/api/v1/devices").await.body;

    let devices: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
    assert_eq!(devices.len(), 12);
    assert_eq!(
        devices[4],
        serde_json::json!({
            "device": "west-air-2",
            "title": { "zh": "西区2号空气站", "en": "West air station 2" },
            "type": "air-z2m",
            "area": "west",
            "silent": false,
            "last_frame": Timestamp(NOW.0 - 3_000).rfc3339(),
            "frames": 400,
            "points": [
                { "point": "temperature", "value": 21.5, "unit": "degC", "quality": "good", "learning": true },
                { "point": "pm2_5", "value": null, "unit": "ug/m3", "quality": "no-data", "learning": false },
            ],
            "refused": { "not-json": 14, "out-of-range": 3 },
        })
    );
    served.end().await;
}

mod models;
mod report;
mod site;
