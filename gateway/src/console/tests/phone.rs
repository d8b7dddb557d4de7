//! Pages for a phone on the spot: who sees what by which way, and what is refused.

use gatehouse_core::community::people::{Duties, Person, Team};
use gatehouse_core::community::quantity::Text;
use gatehouse_core::community::scene::Tier;
use gatehouse_core::event::action::{Acted, NotDone};
use gatehouse_core::event::message::{Reported, Stage};
use gatehouse_core::pipeline::Input;
use tokio::sync::mpsc;

use super::*;
use crate::alert::link::{Deed, personal};

fn duties() -> Duties {
    let person = |id: &str, teams: &[&str], account: Option<&str>| Person {
        id: id.into(),
        name: format!("SECRET {id}"),
        teams: teams.iter().map(|team| (*team).to_owned()).collect(),
        language: Language::Zh,
        account: account.map(str::to_owned),
        alerts: vec![],
    };
    let title = Text::new("网格", "Grid");
    Duties {
        teams: vec![Team { id: "grid".into(), title, tier: Tier::Grid, areas: vec![] }],
        people: vec![person("li", &["grid"], None), person("wang", &[], None)],
        ..Duties::default()
    }
}

/// One event that the team of Li was sent to, and one that nobody was.
async fn serve_errand() -> Served {
    let mut view = troubled();
    let data = &mut view.events[0].data;
    data.event = "e-1".into();
    data.handling.stage = Stage::Dispatched;
    data.handling.assignee = Some("grid".into());
    data.handling.note = Some("SECRET note".into());
    let text = "<b>a car".into();
    data.reports = vec![Reported { by: "wang".into(), at: NOW.rfc3339(), text }];
    let community = Community { duties: duties(), ..community() };
    serve_both(view, community, StoreState::default()).await
}

fn link(served: &Served, person: &str) -> String {
    let store = served.store.path().join("store");
    personal(&store, person, NOW + Duration::from_hours(1_000_000)).unwrap()
}

fn page(served: &Served) -> String {
    format!("Accept: text/html\r\nAccept-Language: en\r\nOrigin: http://{}\r\n", served.at)
}

#[tokio::test]
async fn a_personal_link_shows_that_persons_errands_and_ends_when_the_person_has_gone() {
    let served = serve_errand().await;
    let (li, wang) = (link(&served, "li"), link(&served, "wang"));
    let headers = page(&served);

    let errands = served.ask("GET", &li, &headers, "").await;
    assert!(
        errands.body.contains("Fire lane blocked") && errands.body.contains("value=\"handle\"")
    );
    assert!(!errands.body.contains("SECRET") && !errands.body.contains("Poor air"));
    let done = served.ask("POST", &li, &headers, "event=e-1&deed=handle&note=x").await;
    assert_eq!(done.status, 303, "{}", done.body);
    let next = served.ask("GET", done.header("location").unwrap(), &headers, "").await;
    assert!(next.body.contains("Taken down as handled"), "{}", next.body);
    let others = served.ask("GET", &wang, &headers, "").await;
    assert!(others.body.contains("Nothing is waiting for you."), "{}", others.body);
    let not_his = served.ask("POST", &wang, &headers, "event=e-1&deed=handle").await;
    assert_eq!(not_his.status, 404);
    let close = served.ask("POST", &li, &headers, "event=e-1&deed=close").await;
    assert_eq!(close.status, 400, "a link does two things and no others");

    served.community.send_replace(Arc::new(community()));
    let revoked = served.ask("GET", &li, &headers, "").await;
    assert!(revoked.status == 410 && revoked.body.contains("withdrawn"), "{}", revoked.body);
    served.end().await;
}

#[tokio::test]
async fn a_report_says_what_it_joined_and_the_eleventh_in_an_hour_is_refused() {
    let served = serve_errand().await;
    let (path, headers) = (format!("{}/report", link(&served, "li")), page(&served));

    let form = served.ask("GET", &path, &headers, "").await.body;
    assert!(form.contains("value=\"safety\"") && form.contains("value=\"east\""), "{form}");
    assert!(!form.contains("type=\"file\""), "no picture before it can be masked");
    let said = "category=safety&area=east&text=%3Cb%3Ea+car";
    for _ in 0..10 {
        let joined = served.ask("POST", &path, &headers, said).await;
        assert_eq!(joined.status, 200, "{}", joined.body);
        assert!(joined.body.contains("that the sensor saw at"), "{}", joined.body);
    }
    assert_eq!(served.ask("POST", &path, &headers, said).await.status, 429);
    let other = format!("{}/report", link(&served, "wang"));
    assert_eq!(served.ask("POST", &other, &headers, said).await.status, 200, "each their own");
    let event = served.get("/events/e-1").await.body;
    assert!(event.contains("&lt;b&gt;a car") && !event.contains("<b>a car"), "{event}");
    served.end().await;
}

#[tokio::test]
async fn accounts_report_and_drill_with_the_secret_of_their_session_only() {
    let served = serve_errand().await;
    let (headers, csrf) = super::inbox::session(&served).await;

    let form = served.ask("GET", "/report?lang=zh", &headers, "").await;
    assert!(form.status == 200 && form.body.contains("看到了什么？"), "{}", form.body);
    let said = "category=facility&area=east&text=lamp";
    assert_eq!(served.ask("POST", "/report", &headers, said).await.status, 403, "without csrf");
    let with = format!("csrf={csrf}&{said}");
    assert_eq!(served.ask("POST", "/report", &headers, &with).await.status, 200);
    assert_eq!(served.ask("GET", "/report", &page(&served), "").await.status, 303, "to the login");
    assert!(served.ask("GET", "/errands", &headers, "").await.body.contains("community.toml"));

    let drill = format!("csrf={csrf}&place=east&text=meeting+point");
    let begun = served.ask("POST", "/scenes/air-quality/drill", &headers, &drill).await;
    assert_eq!((begun.status, begun.header("location")), (303, Some("/events/e-1")));
    assert_eq!(served.ask("POST", "/scenes/x/drill", &headers, "place=east").await.status, 403);
    served.end().await;
}

#[tokio::test]
async fn what_a_link_does_is_done_to_its_end_though_the_reader_has_hung_up() {
    let (inputs, mut heard) = mpsc::channel(1);
    let desk = Desk::new(inputs.downgrade(), mpsc::channel(1).1, Arc::new(|_| None));
    let (waiting, desk) = (desk.waiting(), Arc::new(desk));
    let folder = tempfile::tempdir().unwrap();
    let (view, seen) = watch::channel(Arc::new(troubled()));
    let (held, configured) = watch::channel(Arc::new(community()));
    let sources = sources(seen, configured, &folder);
    let config = AlertsConfig { base_url: Some("http://box".into()), ..AlertsConfig::default() };
    let store = folder.path().join("store");
    let links = Signer::open(&config, &store, sources.events.clone()).unwrap();
    let link = links.link(Deed::Acknowledge, "e-1", "li", sources.clock.now()).unwrap();
    let sources = Sources { desk, links, ..sources };
    let served = serve_sources(sources, (view, held), folder, None).await;
    let (stored, _records) = mpsc::channel(8);
    let _writer = served.events.spawn_writer(stored.downgrade()).unwrap();

    let path = link.strip_prefix("http://box").unwrap();
    let mut stream = served.open("POST", path, &page(&served), "").await;
    let Some(Input::Act { ticket, .. }) = heard.recv().await else { panic!("no deed") };
    stream.shutdown().await.unwrap();
    drop(stream.read_to_end(&mut Vec::new()).await);
    let told = Text::new("没有", "none");
    waiting.tell(ticket, Acted { event: "e-1".into(), result: Err(NotDone::Unknown), told });
    let is_kept = async {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        while served.events.mail().unwrap().iter().all(|(row, _)| !row.starts_with("l/")) {
            looks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), is_kept).await.expect("that it was used");
    served.end().await;
}
