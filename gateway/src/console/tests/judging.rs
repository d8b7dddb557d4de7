//! What people say of events, through a browser.

use std::collections::BTreeSet;

use gatehouse_core::community::quantity::Text;
use gatehouse_core::community::scene::Status;
use gatehouse_core::event::verdict::{Raised, Said, Tally, Verdict};
use gatehouse_core::view::SceneView;

use super::*;

/// One event is over, and somebody has called it a false alarm.
fn judged() -> View {
    let mut view = quiet();
    let at = Timestamp(NOW.0 - 600_000);
    view.closed = vec![Raised {
        event: "e-1".into(),
        scene: "general".into(),
        title: Text::new("异常", "Unusual reading"),
        why: Text::new("与往常不同", "not as usual"),
        area: "east".into(),
        device: "east-air-1".into(),
        level: 4,
        opened: at,
        over: Some(at),
        speakers: BTreeSet::new(),
        said: Some(Said { verdict: Verdict::FalseAlarm, by: "Li".into(), note: String::new(), at }),
        is_pilot: false,
    }];
    view.scenes = vec![SceneView {
        status: Status::Live,
        id: "general".into(),
        title: Text::new("异常", "Unusual reading"),
        tally: Tally { events: 9, real: 3, false_alarms: 1, planned: 2 },
    }];
    view
}

#[tokio::test]
async fn a_persons_verdict_is_taken_from_our_own_page_and_from_nobody_elses() {
    let served = serve_view(judged()).await;
    let login = served.login(&served.password, "/").await;
    let cookie = login.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let session = format!("Accept: text/html\r\nCookie: {cookie}\r\n");
    let ours = format!("{session}Origin: http://{}\r\n", served.at);
    let csrf = served.csrf(&session).await;
    let good = &*format!("csrf={csrf}&event=e-1&verdict=false-alarm&by=Li&note=cleaning");
    let form = |fields: &str| format!("{fields}&csrf={csrf}");
    let forged = good.replace(&csrf, "0123456789abcdef0123456789abcdef");
    let [back, unknown, nobody, perhaps, half] = [
        "event=e-1&verdict=withdraw&by=Li",
        "event=e-9&verdict=real&by=Li",
        "event=e-1&verdict=real&by=+",
        "event=e-1&verdict=perhaps&by=Li",
        "event=e-1",
    ]
    .map(form);
    let cases = [
        ("our own page", &*ours, good, 200),
        ("taking it back", &*ours, &*back, 200),
        ("a forged form", &*ours, &*forged, 403),
        ("a form of no session", &*ours, "event=e-1&verdict=real&by=Li", 403),
        ("a forged origin", &*format!("{session}Origin: http://evil.example\r\n"), good, 403),
        ("another port", &*format!("{session}Origin: http://127.0.0.1:1\r\n"), good, 403),
        ("a sandboxed page", &*format!("{session}Origin: null\r\n"), good, 403),
        ("no origin", &session, good, 403),
        ("no session", &*format!("Origin: http://{}\r\n", served.at), good, 401),
        ("no such event", &*ours, &*unknown, 404),
        ("nobody", &*ours, &*nobody, 400),
        ("no such verdict", &*ours, &*perhaps, 400),
        ("half a form", &*ours, &*half, 400),
    ];
    for (why, headers, body, expected) in cases {
        let answer = served.ask("POST", "/verdict", headers, body).await;
        assert_eq!(answer.status, expected, "{why}: {}", answer.body);
    }
    let told = served.ask("POST", "/verdict", &ours, good).await.body;
    assert!(told.contains("Taken down") && told.contains("heard Li cleaning"), "{told}");
    let script = served.ask("POST", "/verdict", &served.bearer(), good).await.body;
    let ruling: serde_json::Value = serde_json::from_str(&script).unwrap();
    assert_eq!(
        (&ruling["verdict"], &ruling["shifts"][0]["to"]),
        (&"false-alarm".into(), &0.25.into())
    );
    served.end().await;
}

#[tokio::test]
async fn each_scene_has_its_record() {
    let served = serve_view(judged()).await;

    let page = served.get("/?lang=en").await.body;
    for part in ["Nothing needs you", "%</td><td>9</td><td>3</td><td>1</td><td>2</td><td>3</td>"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let metrics = served.get("/metrics").await.body;
    for line in [
        "gatehouse_scene_verdicts{scene=\"general\",verdict=\"none\"} 3",
        "gatehouse_scene_verdicts{scene=\"general\",verdict=\"false-alarm\"} 1",
        "gatehouse_scene_verdicts{scene=\"general\",verdict=\"real\"} 3",
        "gatehouse_scene_verdicts{scene=\"general\",verdict=\"planned-work\"} 2",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line} in {metrics}");
    }
    let chinese = format!("{}Accept-Language: zh\r\n", served.bearer());
    let page = served.ask("GET", "/", &chinese, "").await.body;
    assert!(page.contains("误报") && page.contains("准确率"));
    served.end().await;
}

#[tokio::test]
async fn no_exercise_and_nothing_on_trial_is_an_open_event_in_the_metrics() {
    let mut view = troubled();
    for (event, level) in view.events.iter_mut().zip([1, 2]) {
        event.data.level = level;
        event.data.drill = level == 1;
        event.is_pilot = level == 2;
    }
    let tally = Tally { events: 3, real: 1, false_alarms: 0, planned: 0 };
    let scene =
        |id: &str, status| SceneView { id: id.into(), title: Text::default(), status, tally };
    view.scenes = vec![scene("air", Status::Live), scene("bins", Status::Pilot)];
    let served = serve_view(view).await;

    let metrics = served.get("/metrics").await.body;

    for line in [
        "gatehouse_events_open{level=\"1\"} 0",
        "gatehouse_events_open{level=\"2\"} 0",
        "gatehouse_scene_verdicts{scene=\"air\",verdict=\"real\"} 1",
        "gatehouse_pilot_verdicts{scene=\"bins\",verdict=\"none\"} 2",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line} in:\n{metrics}");
    }
    assert!(!metrics.contains("gatehouse_scene_verdicts{scene=\"bins\""), "{metrics}");
    served.end().await;
}
