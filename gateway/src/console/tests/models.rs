//! The page about what judges here.

use std::time::Duration;

use gatehouse_core::community::quantity::Text;

use super::*;
use crate::shadow::account::{Account, By, SceneAccount, Side, Spent, Step, Told};
use crate::shadow::kept::Kept;

fn account() -> Account {
    let mut account = Account::new("b".into(), "air 2".into(), NOW);
    let budget = Some(Spent { per_week: 7.0, ..Spent::default() });
    let side = || Side { raised: 0, budget: budget.clone() };
    let scene = SceneAccount { live: side(), candidate: side(), ..SceneAccount::default() };
    account.scenes.insert("air".into(), scene);
    account.pass(Duration::from_hours(25), NOW);
    for n in 0..5 {
        let told = Told {
            event: format!("e{n}"),
            scene: "air".into(),
            device: "east-air-1".into(),
            about: "east-air-1".into(),
            title: Text::new("空气<异常>", "Bad <air>"),
            at: NOW,
            step: Step::Raised { by_model: true },
        };
        account.note(By::Candidate, told);
    }
    account.broke = account.broken(By::Candidate);
    account
}

async fn serve(watched: Watched) -> Served {
    serve_watched(quiet(), community(), StoreState::default(), None, watched).await
}

#[tokio::test]
async fn the_models_page_says_what_runs_and_how_the_candidate_compares() {
    let kept = Kept { candidate: Some(account()), probation: None };
    let served = serve(Watched { kept, fault: None }).await;

    let page = served.get("/models").await;
    let chinese = served.get("/models?lang=zh").await;
    let api = served.get("/api/v1/models").await;

    assert_eq!((page.status, chinese.status, api.status), (200, 200, 200));
    for text in [
        "Candidate: air 2",
        "Stopped: it broke its budget",
        "its models raised 5 events where at most 3 are likely",
        "5 / 3",
        "Where they disagree (5)",
        "East air station 1",
        "Bad &lt;air&gt;",
    ] {
        assert!(page.body.contains(text), "{text}:\n{}", page.body);
    }
    for text in ["候选: air 2", "按预算至多 3 起", "不一致之处 (5)"] {
        assert!(chinese.body.contains(text), "{text}:\n{}", chinese.body);
    }
    let json: serde_json::Value = serde_json::from_str(&api.body).unwrap();
    assert_eq!(json["candidate"]["scenes"]["air"]["candidate"]["raised"], 5);
    served.end().await;
}

#[tokio::test]
async fn without_a_candidate_the_models_page_says_so_and_a_bundle_that_was_taken_back_is_told() {
    let mut taken_back = account();
    taken_back.title = "air 1".into();
    let kept = Kept { candidate: None, probation: Some(taken_back) };
    let served = serve(Watched { kept, fault: None }).await;
    let page = served.get("/models").await;
    for text in ["None runs beside.", "Promoted: air 1", "Taken back by itself"] {
        assert!(page.body.contains(text), "{text}:\n{}", page.body);
    }
    served.end().await;

    let fault = Some("it reads the device `a` in another way".to_owned());
    let served = serve(Watched { kept: Kept::default(), fault }).await;
    let page = served.get("/models").await;
    assert!(page.body.contains("It cannot run") && page.body.contains("reads the device `a`"));
    assert!(!page.body.contains("None runs beside."));
    served.end().await;
}
