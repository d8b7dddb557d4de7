//! The pages about the place: map, devices, scenes, people, audit, settings, free bays.

use gatehouse_core::community::scene::{Scene, Status};
use gatehouse_core::event::verdict::Tally;
use gatehouse_core::reading::Quality;
use gatehouse_core::view::SceneView;
use tokio::sync::mpsc;

use super::*;
use crate::audit::{Note, Outcome};
use crate::console::place::Reload;
use crate::origins::{Origin, Origins, Setting};
use crate::overlay;

const SCENE: &str = r#"
[scene]
id = "air-quality"
title = { zh = "空气<差>", en = "Poor <air>" }
category = "environment"
status = "pilot"
advice = { zh = "看", en = "look" }
[[detector]]
id = "pm-high"
point = "pm2_5"
limit-high = "75 ug/m3"
on-delay = "5 min"
"#;

/// Whatever a test needs beside the usual.
struct Site {
    view: View,
    community: Community,
    sources: Box<dyn FnOnce(Sources) -> Sources>,
}

impl Site {
    fn new(view: View) -> Self {
        Self { view, community: community(), sources: Box::new(|sources| sources) }
    }

    async fn serve(self) -> Served {
        let (view, seen) = watch::channel(Arc::new(self.view));
        let (held, configured) = watch::channel(Arc::new(self.community));
        let folder = tempfile::tempdir().unwrap();
        let sources = (self.sources)(sources(seen, configured, &folder));
        serve_sources(sources, (view, held), folder, None).await
    }
}

fn has(page: &Answer, texts: &[&str]) {
    assert_eq!(page.status, 200, "{}", page.head);
    for text in texts {
        assert!(page.body.contains(text), "{text}:\n{}", page.body);
    }
}

#[tokio::test]
async fn the_map_colours_areas_tells_the_same_in_words_and_escapes_names() {
    let mut site = Site::new(troubled());
    site.community.areas[0].title.en = "East <script>".into();
    let served = site.serve().await;

    let page = served.get("/map").await;
    let chinese = served.get("/map?show=heat&lang=zh").await;

    has(
        &page,
        &[
            "<g class=\"level-1\"><polygon",
            "East &lt;script&gt;",
            "I × 1",
            "class=\"dot silent\"",
            "class=\"dot doubtful\"",
            "href=\"/devices/west-air-1\"",
            "href=\"/events/01JGD5Y100EAST-LANE\"",
            "All devices as a table (12)",
        ],
    );
    has(&chinese, &["近 30 天事件数", "<g class=\"heat-0\">", "东区"]);
    assert!(!page.body.contains("style="), "a strict policy lets no inline style in");
    served.end().await;
}

#[tokio::test]
async fn devices_are_left_out_by_area_type_state_and_text() {
    let served = Site::new(troubled()).serve().await;
    let count = async |query: &str| {
        let page = served.get(&format!("/devices?{query}")).await;
        has(&page, &[]);
        page.body.matches("<li class=\"device").count()
    };

    for (query, expected) in [
        ("", 12),
        ("area=east", 3),
        ("type=lane", 4),
        ("show=silent", 2),
        ("show=trouble", 3),
        ("show=refused", 1),
        ("show=learning", 1),
        ("text=FIRE+lane", 4),
        ("text=%E6%B6%88%E9%98%B2&area=west", 1),
        ("area=nowhere", 0),
        ("area=a&area=b", 12),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    served.end().await;
}

#[tokio::test]
async fn a_devices_page_tells_what_was_refused_and_what_helps() {
    let mut site = Site::new(troubled());
    site.sources = Box::new(|sources| {
        let mut origins = Origins::default();
        origins.device_types.insert("air-z2m".into(), "config/device-types/air-z2m.toml".into());
        let configuration =
            Configuration { origins: Arc::new(origins), ..Configuration::default() };
        Sources { configuration: watch::channel(configuration).1, ..sources }
    });
    let served = site.serve().await;

    let page = served.get("/devices/west-air-2").await;
    let chinese = served.get("/devices/west-air-2?lang=zh").await;
    let nobody = served.get("/devices/no-such").await;

    has(
        &page,
        &[
            "West air station 2",
            "config/device-types/air-z2m.toml",
            "sense/west/air-2",
            "not JSON",
            "compare one with the type",
            "no data",
            "learning",
            // 3 readings and 14 frames of 2 points were lost of 400 frames.
            "96\u{202f}%",
        ],
    );
    has(&chinese, &["可信读数", "检查接线与探头"]);
    assert_eq!(nobody.status, 404);
    served.end().await;
}

fn with_scene(reload: mpsc::Sender<Reload>, store: &std::path::Path) -> Site {
    let scene: Scene = toml::from_str(SCENE).unwrap();
    let mut site = Site::new(quiet());
    site.view.scenes = vec![SceneView {
        id: "air-quality".into(),
        title: scene.head.title.clone(),
        status: Status::Pilot,
        tally: Tally { events: 5, real: 3, false_alarms: 1, planned: 0 },
    }];
    site.view.budgets[0].scene = "air-quality".into();
    site.community.scenes = vec![Arc::new(scene)];
    let mut origins = Origins::default();
    origins.scenes.insert("air-quality".into(), ("scenes/air.toml".into(), Status::Pilot));
    let configuration = Configuration { origins: Arc::new(origins), ..Configuration::default() };
    let place = Place { store: store.to_owned(), reload, ..place() };
    site.sources = Box::new(|sources| Sources {
        configuration: watch::channel(configuration).1,
        place,
        ..sources
    });
    site
}

#[tokio::test]
async fn a_pilot_is_promoted_by_a_click_which_outlives_a_restart() {
    let store = tempfile::tempdir().unwrap();
    let (reload, mut asked) = mpsc::channel::<Reload>(1);
    let served = with_scene(reload, store.path()).serve().await;
    let list = served.get("/scenes").await;
    let before = served.get("/scenes/air-quality").await;
    let answer = tokio::spawn(async move {
        let Reload(first) = asked.recv().await.unwrap();
        first.send(Ok(())).unwrap();
        let Reload(second) = asked.recv().await.unwrap();
        second.send(Err("a fault".into())).unwrap();
    });
    let post = async |status: &str| {
        let headers = format!("{}Accept: text/html\r\n", served.bearer());
        served
            .ask("POST", "/scenes/air-quality/status", &headers, &format!("status={status}"))
            .await
    };

    let promoted = post("live").await;
    let overlay = overlay::text(store.path()).unwrap().unwrap();
    let refused = post("off").await;
    let nonsense = post("loud").await;

    has(&list, &["Poor &lt;air&gt;", "Pilot", "Would-be alerts", "75\u{202f}%"]);
    has(&before, &["Promote to live", "pm2_5 &gt; 75 ug/m3", "scenes/air.toml"]);
    assert_eq!((promoted.status, promoted.header("location")), (303, Some("/scenes/air-quality")));
    assert!(overlay.contains("[scene.air-quality]\nstatus = \"live\""), "{overlay}");
    has(&refused, &["The gateway refused it", "a fault"]);
    assert_eq!(nonsense.status, 400);
    answer.await.unwrap();
    served.end().await;
}

#[tokio::test]
async fn where_nobody_reloads_nothing_is_changed() {
    let store = tempfile::tempdir().unwrap();
    let served = with_scene(mpsc::channel(1).0, store.path()).serve().await;

    let page = served.get("/scenes/air-quality").await;
    let headers = format!("{}Accept: text/html\r\n", served.bearer());
    let posted = served.ask("POST", "/scenes/air-quality/status", &headers, "status=live").await;

    has(&page, &["does not read its configuration again"]);
    assert!(!page.body.contains("Promote to live"));
    has(&posted, &["does not read its configuration again"]);
    assert_eq!(overlay::text(store.path()).unwrap(), None);
    served.end().await;
}

#[tokio::test]
async fn a_scene_is_tried_on_the_past_and_the_page_says_what_came_of_it() {
    let store = tempfile::tempdir().unwrap();
    drop(crate::store::Store::open(&crate::config::StoreConfig {
        path: store.path().join("data"),
        ..crate::config::StoreConfig::default()
    }));
    let served = with_scene(mpsc::channel(1).0, &store.path().join("data")).serve().await;
    let begin = async |days: &str| {
        let headers = format!("{}Accept: text/html\r\n", served.bearer());
        let body = format!("days={days}");
        served.ask("POST", "/scenes/air-quality/backtest", &headers, &body).await.status
    };

    let statuses = (begin("3").await, begin("7").await);
    let outcome = loop {
        let page = served.get("/scenes/air-quality").await;
        if !page.body.contains("Under way since") {
            break page;
        }
        tokio::task::yield_now().await;
    };

    assert_eq!(statuses, (400, 303));
    has(&outcome, &["It would have raised nothing", "nothing was kept of east-air-1"]);
    served.end().await;
}

#[tokio::test]
async fn settings_are_shown_with_who_says_so() {
    let mut site = Site::new(quiet());
    let setting = |key: &str, value: &str, origin| Setting {
        part: "gateway.toml".into(),
        key: key.into(),
        value: value.into(),
        origin,
    };
    let settings = vec![
        setting(
            "gateway.id",
            "gw<1>",
            Origin::File { file: "config/gateway.toml".into(), line: 5 },
        ),
        setting("store.max-waiting", "100000", Origin::Default),
    ];
    site.sources = Box::new(|sources| {
        let origins = Arc::new(Origins { settings, ..Origins::default() });
        let configuration = Configuration { origins, ..Configuration::default() };
        Sources { configuration: watch::channel(configuration).1, ..sources }
    });
    let served = site.serve().await;

    let page = served.get("/settings").await;
    let only_set = served.get("/settings?show=set").await;
    let api = served.get("/api/v1/settings").await;

    has(&page, &["gw&lt;1&gt;", "config/gateway.toml:5", "program's own value"]);
    assert!(!only_set.body.contains("store.max-waiting"));
    let json: serde_json::Value = serde_json::from_str(&api.body).unwrap();
    assert_eq!(json[0]["origin"], "file");
    assert_eq!((&json[0]["line"], &json[1]["origin"]), (&5.into(), &"default".into()));
    served.end().await;
}

#[tokio::test]
async fn the_audit_log_is_filtered_paged_and_exported() {
    let store = tempfile::tempdir().unwrap();
    let audit = Audit::in_store(store.path()).unwrap();
    for n in 0..60 {
        audit.note(Note {
            who: if n == 7 { "li".into() } else { "owner".into() },
            action: "login",
            about: format!("<{n}>"),
            outcome: Outcome::Done,
            detail: String::new(),
        });
    }
    let mut site = Site::new(quiet());
    site.sources = Box::new(|sources| Sources { audit, ..sources });
    let served = site.serve().await;

    let page = served.get("/audit").await;
    let older = served.get("/audit?before=11").await;
    let of_li = served.get("/audit?who=li").await;
    let file = served.get("/audit/export?who=li").await;

    has(&page, &["The chain holds", "60 lines", "&lt;59&gt;", "/audit?before=11"]);
    has(&older, &["&lt;9&gt;", "Newest"]);
    assert!(!older.body.contains("&lt;10&gt;"));
    assert_eq!(of_li.body.matches("<li class=\"panel\"").count(), 1);
    assert_eq!(file.body.lines().count(), 1);
    served.end().await;
}

#[tokio::test]
async fn without_people_the_page_says_how_to_add_them() {
    let served = Site::new(quiet()).serve().await;

    let page = served.get("/people").await;

    has(&page, &["[[person]]", "community.toml"]);
    served.end().await;
}

fn lots(has_public_bays: bool) -> Site {
    let mut site = Site::new(quiet());
    for device in &mut site.community.devices {
        if device.device_type.head.id == "lane" {
            let mut kind = (*device.device_type).clone();
            kind.head.id = "parking-lane".into();
            device.device_type = Arc::new(kind);
        }
    }
    // East's bay is free, West's taken, North's in doubt.
    site.view.devices[5].points[0] = (Some(1.0), Quality::Good);
    site.view.devices[8].points[0] = (Some(0.0), Quality::Stuck);
    let place = Place { has_public_bays, ..place() };
    site.sources = Box::new(move |sources| Sources { place, ..sources });
    site
}

#[tokio::test]
async fn anybody_sees_the_free_bays_where_they_are_public() {
    let served = lots(true).serve().await;

    let page = served.ask("GET", "/bays", "Accept: text/html\r\n", "").await;
    let api = served.ask("GET", "/api/v1/bays", "", "").await;
    let tag = format!("If-None-Match: {}\r\n", api.header("etag").unwrap());
    let again = served.ask("GET", "/api/v1/bays", &tag, "").await;

    has(&page, &["Free parking bays", "not known now", "full"]);
    let lots: serde_json::Value = serde_json::from_str(&api.body).unwrap();
    let of =
        |at: usize| (&lots[at]["lot"], &lots[at]["free"], &lots[at]["known"], &lots[at]["total"]);
    assert_eq!(of(0), (&"east".into(), &1.into(), &1.into(), &1.into()));
    assert_eq!(of(1), (&"west".into(), &0.into(), &1.into(), &1.into()));
    assert_eq!(of(2), (&"north".into(), &0.into(), &0.into(), &1.into()));
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    served.end().await;
}

#[tokio::test]
async fn the_stream_of_bays_begins_with_what_there_is_and_tells_each_change() {
    let served = lots(true).serve().await;
    let mut stream = served.open("GET", "/api/v1/bays/stream", "", "").await;
    let mut text = String::new();
    let mut read = async |until: &str| {
        while !text.contains(until) {
            let mut bytes = [0; 4096];
            let many = stream.read(&mut bytes).await.unwrap();
            assert_ne!(many, 0, "{text}");
            text += std::str::from_utf8(&bytes[..many]).unwrap();
        }
    };

    read("\"lot\":\"east\"").await;
    served.view.send_modify(|view| {
        let view = Arc::make_mut(view);
        view.devices[2].points[0] = (Some(1.0), Quality::Good);
    });
    read("},\"free\":0,\"known\":1,\"total\":1},{\"lot\":\"west\"").await;

    drop(stream);
    served.end().await;
}

#[tokio::test]
async fn strangers_see_no_bays_where_they_are_not_public() {
    let served = lots(false).serve().await;

    assert_eq!(served.ask("GET", "/api/v1/bays", "", "").await.status, 401);
    assert_eq!(served.get("/api/v1/bays").await.status, 200);
    served.end().await;
}
