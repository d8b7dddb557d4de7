//! Accounts through a browser: who gets in, what each role may, and what a forged form gets.

use axum::http::Method;

use super::*;
use crate::accounts::book::Scope;
use crate::accounts::kept::Accounts;
use crate::accounts::{Right, Role, password};
use crate::console::rights::needed;

const PASSWORD: &str = "correct horse battery";

impl Served {
    fn accounts(&self) -> Accounts {
        Accounts::in_store(self.store.path())
    }

    /// Adds an account for each role, called as it is.
    fn people(&self) {
        let hash = password::hash(PASSWORD).unwrap();
        self.accounts()
            .change(|book| {
                for role in Role::ALL {
                    book.add(role.word(), role, hash.clone(), NOW)?;
                }
                Ok(())
            })
            .unwrap();
    }

    async fn sign_in(&self, name: &str, password: &str) -> Answer {
        let origin = format!("Origin: http://{}\r\nAccept: text/html\r\n", self.at);
        self.ask("POST", "/login", &origin, &format!("name={name}&password={password}")).await
    }

    /// The headers of a browser that is signed in.
    async fn browser(&self, name: &str) -> String {
        let answer = self.sign_in(name, PASSWORD).await;
        assert_eq!(answer.status, 303, "{name}: {}", answer.body);
        self.with_cookie(&answer)
    }

    fn with_cookie(&self, answer: &Answer) -> String {
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap();
        format!("Accept: text/html\r\nOrigin: http://{}\r\nCookie: {cookie}\r\n", self.at)
    }
}

/// A box that nobody has set up.
async fn fresh() -> Served {
    let mut served = serve_view(quiet()).await;
    served.stop.cancel();
    served.task.await.unwrap().unwrap();
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let (access, password) = Access::open(served.store.path(), false).unwrap();
    let sources = Sources {
        alerts: None,
        pictures: crate::stills::Pictures::off(),
        links: Signer::open(&AlertsConfig::default(), served.store.path(), served.events.clone())
            .unwrap(),
        view: served.view.subscribe(),
        community: served.community.subscribe(),
        configuration: watch::channel(Configuration::default()).1,
        watched: watch::channel(Arc::default()).1,
        events: served.events.clone(),
        lookout: Lookout::new(tokio::sync::mpsc::channel(1).0, served.store.path().to_owned()),
        store: Box::new(StoreState::default),
        desk: crate::sample::desk(),
        audit: crate::audit::Audit::in_store(served.store.path()).unwrap(),
        workshop: None,
        wires: watch::channel(Arc::default()).1,
        tallies: crate::sight::Tallies::default(),
        clock: Clock::new(1.0),
        language: Language::En,
        place: place(),
    };
    served.at = listener.local_addr().unwrap();
    served.password = password.unwrap();
    served.stop = CancellationToken::new();
    served.task = tokio::spawn(serve(listener, None, access, sources, served.stop.clone()));
    served
}

#[tokio::test]
async fn the_set_up_password_leads_to_the_first_admin_and_to_nothing_else() {
    let served = fresh().await;
    let login = served.login(&served.password, "/devices").await;
    assert_eq!((login.status, login.header("location")), (303, Some("/setup")));
    let session = served.with_cookie(&login);
    for path in ["/", "/users", "/devices"] {
        let away = served.ask("GET", path, &session, "").await;
        assert_eq!((away.status, away.header("location")), (303, Some("/setup")), "{path}");
    }
    assert_eq!(served.ask("GET", "/api/v1/events", &session, "").await.status, 403);
    assert_eq!(served.get("/api/v1/events").await.status, 401, "it is no token");
    let page = served.ask("GET", "/setup", &session, "").await.body;
    let start = page.find("name=\"csrf\" value=\"").unwrap() + 19;
    let csrf = page[start..].split('"').next().unwrap().to_owned();

    let form = |fields: &str| format!("csrf={csrf}&name=Chen&{fields}");
    for (fields, expected) in [
        ("password=short&again=short", "too short"),
        ("password=correct+horse+battery&again=correct", "two passwords differ"),
        ("password=i+am+chen+of+course&again=i+am+chen+of+course", "name in it"),
    ] {
        let refused = served.ask("POST", "/setup", &session, &form(fields)).await;
        assert!(refused.body.contains(expected), "{fields}: {}", refused.body);
    }
    let forged = served.ask("POST", "/setup", &session, "name=eve&password=x&again=x").await;
    assert_eq!(forged.status, 403);
    let good = form("password=correct+horse+battery&again=correct+horse+battery");
    let made = served.ask("POST", "/setup", &session, &good).await;
    assert_eq!((made.status, made.header("location")), (303, Some("/")));

    let admin = served.with_cookie(&made);
    assert_eq!(served.ask("GET", "/users", &admin, "").await.status, 200);
    assert_eq!(served.ask("GET", "/setup", &session, "").await.status, 303, "that one has ended");
    assert_eq!(served.login(&served.password, "/").await.status, 401, "the password is void");
    let lines = served.ask("GET", "/api/v1/audit?action=account", &admin, "").await.body;
    assert!(
        lines.contains("\"who\":\"set-up\"") && lines.contains("\"about\":\"chen\""),
        "{lines}"
    );
    served.end().await;
}

/// Every route, as `router` has it.
const ROUTES: [(Method, &str); 17] = [
    (Method::GET, "/"),
    (Method::GET, "/devices"),
    (Method::GET, "/models"),
    (Method::POST, "/verdict"),
    (Method::GET, "/account"),
    (Method::POST, "/account"),
    (Method::GET, "/users"),
    (Method::POST, "/users"),
    (Method::GET, "/live"),
    (Method::GET, "/api/v1/events"),
    (Method::GET, "/api/v1/events/stream"),
    (Method::GET, "/api/v1/devices"),
    (Method::GET, "/api/v1/models"),
    (Method::GET, "/api/v1/audit"),
    (Method::GET, "/metrics"),
    (Method::DELETE, "/"),
    (Method::POST, "/integrate"),
];

#[tokio::test]
async fn each_role_gets_what_its_rights_allow_and_a_refusal_for_the_rest() {
    let served = serve_view(quiet()).await;
    served.people();
    for role in Role::ALL {
        let browser = served.browser(role.word()).await;
        let csrf = served.csrf(&browser).await;
        for (method, path) in &ROUTES {
            if path.ends_with("/stream") || *path == "/live" {
                continue;
            }
            let body = format!("csrf={csrf}");
            let answer = served.ask(method.as_str(), path, &browser, &body).await;
            let is_refused = answer.status == 403;
            let expected = !role.may(needed(method, path));
            assert_eq!(is_refused, expected, "{role} {method} {path}: {}", answer.status);
        }
    }
    for (method, path) in &ROUTES {
        let origin = format!("Origin: http://{}\r\n", served.at);
        let stranger = served.ask(method.as_str(), path, &origin, "").await;
        assert_eq!(stranger.status, 401, "{method} {path}");
    }
    served.end().await;
}

#[tokio::test]
async fn a_viewer_cannot_act_whatever_he_sends() {
    let served = serve_view(quiet()).await;
    served.people();
    let viewer = served.browser("viewer").await;
    let csrf = served.csrf(&viewer).await;

    let verdict = format!("csrf={csrf}&event=e-1&verdict=real&by=x");
    assert_eq!(served.ask("POST", "/verdict", &viewer, &verdict).await.status, 403);
    let admin = format!("csrf={csrf}&deed=role&name=viewer&role=admin");
    assert_eq!(served.ask("POST", "/users", &viewer, &admin).await.status, 403);
    assert_eq!(served.accounts().book().account("viewer").unwrap().role, Role::Viewer);
    assert!(!Role::Viewer.may(Right::Act));
    served.end().await;
}

#[tokio::test]
async fn forged_or_strange_forms_change_nothing() {
    let served = serve_view(quiet()).await;
    served.people();
    let admin = served.browser("admin").await;
    let other = served.csrf(&served.browser("manager").await).await;
    let own = served.csrf(&admin).await;
    let remove = "deed=remove&name=viewer";
    let long = format!("csrf={own}&{remove}&x={}", "x".repeat(70_000));
    let foreign = admin.replace(&format!("http://{}", served.at), "http://evil.example");
    for (why, headers, body, expected) in [
        ("no token", &admin, remove.to_owned(), 403),
        ("an empty one", &admin, format!("csrf=&{remove}"), 403),
        ("another session's", &admin, format!("csrf={other}&{remove}"), 403),
        ("another site", &foreign, format!("csrf={own}&{remove}"), 403),
        ("a body without end", &admin, long, 413),
        ("no such deed", &admin, format!("csrf={own}&deed=explode"), 400),
        ("not UTF-8", &admin, format!("csrf={own}&deed=remove&name=%ff%fe"), 409),
        ("nobody", &admin, format!("csrf={own}&deed=remove&name=nobody"), 409),
        ("the last admin", &admin, format!("csrf={own}&deed=remove&name=admin"), 409),
    ] {
        let answer = served.ask("POST", "/users", headers, &body).await;
        assert_eq!(answer.status, expected, "{why}: {}", answer.body);
    }
    assert_eq!(served.accounts().book().accounts.len(), 4);
    let right = format!("csrf={own}&{remove}");
    assert_eq!(served.ask("POST", "/users", &admin, &right).await.status, 303);
    assert_eq!(served.accounts().book().accounts.len(), 3);
    served.end().await;
}

#[tokio::test]
async fn an_admin_looks_after_people_and_their_sessions_end_with_their_role() {
    let served = serve_view(quiet()).await;
    served.people();
    let (admin, manager) = (served.browser("admin").await, served.browser("manager").await);
    let csrf = served.csrf(&admin).await;
    let deed = async |fields: &str| {
        served.ask("POST", "/users", &admin, &format!("csrf={csrf}&{fields}")).await
    };

    let added = deed("deed=add&name=Wang&role=viewer&password=a+long+sentence+here").await;
    assert_eq!(added.status, 303, "{}", added.body);
    assert_eq!(served.sign_in("wang", "a+long+sentence+here").await.status, 303);
    assert_eq!(deed("deed=add&name=x&role=viewer&password=short").await.status, 400);
    assert_eq!(served.ask("GET", "/", &manager, "").await.status, 200);
    deed("deed=role&name=manager&role=viewer").await;
    assert_eq!(served.ask("GET", "/", &manager, "").await.status, 303, "it must sign in again");

    let page = served.ask("GET", "/users?lang=zh", &admin, "").await.body;
    assert!(page.contains("wang") && page.contains("用户与令牌") && page.contains("查看员"));
    served.end().await;
}

#[tokio::test]
async fn a_person_changes_his_password_and_the_other_browsers_are_out() {
    let served = serve_view(quiet()).await;
    served.people();
    let (here, there) = (served.browser("viewer").await, served.browser("viewer").await);
    let csrf = served.csrf(&here).await;
    let change = async |old: &str, new: &str| {
        let form = format!("csrf={csrf}&deed=password&old={old}&password={new}&again={new}");
        served.ask("POST", "/account", &here, &form).await
    };

    assert!(change("guess", "another+good+sentence").await.body.contains("nothing was changed"));
    assert_eq!(served.ask("GET", "/", &there, "").await.status, 200);
    let changed = change("correct+horse+battery", "another+good+sentence").await;
    assert!(changed.body.contains("The password is changed"), "{}", changed.body);

    assert_eq!(served.ask("GET", "/", &there, "").await.status, 303);
    assert_eq!(served.ask("GET", "/", &served.with_cookie(&changed), "").await.status, 200);
    assert_eq!(served.sign_in("viewer", "correct+horse+battery").await.status, 401);
    assert_eq!(served.sign_in("viewer", "another+good+sentence").await.status, 303);
    served.end().await;
}

#[tokio::test]
async fn unknown_names_are_answered_like_wrong_passwords() {
    let served = serve_view(quiet()).await;
    served.people();

    let wrong = served.sign_in("viewer", "guess").await;
    let unknown = served.sign_in("nobody", "guess").await;

    assert_eq!((wrong.status, unknown.status), (401, 401));
    assert_eq!(wrong.body.replace("viewer", "nobody"), unknown.body);
    served.end().await;
}

#[tokio::test]
async fn a_token_can_do_what_it_is_for_and_nothing_more() {
    let served = serve_view(quiet()).await;
    let token = |scope: Scope| {
        let make = |book: &mut Book| book.add_token(scope.word(), scope, None, NOW);
        format!("Authorization: Bearer {}\r\n", served.accounts().change(make).unwrap())
    };
    let [read, act, integrate, metrics] = Scope::ALL.map(token);
    let verdict = "event=e-1&verdict=real&by=script";
    for (why, token, method, path, body, expected) in [
        ("read reads", &read, "GET", "/api/v1/events", "", 200),
        ("read reads figures", &read, "GET", "/metrics", "", 200),
        ("read does not act", &read, "POST", "/verdict", verdict, 403),
        ("act acts", &act, "POST", "/verdict", verdict, 200),
        ("act sets up nothing", &act, "GET", "/integrate", "", 403),
        ("integrate sets up", &integrate, "GET", "/integrate", "", 200),
        ("act is no admin", &act, "GET", "/users", "", 403),
        ("metrics reads figures", &metrics, "GET", "/metrics", "", 200),
        ("metrics reads nothing else", &metrics, "GET", "/api/v1/events", "", 403),
    ] {
        let answer = served.ask(method, path, token, body).await;
        assert_eq!(answer.status, expected, "{why}: {}", answer.body);
    }
    served.end().await;
}
