//! `gatehouse models compare`: the candidate beside the live one, from the account that the gateway
//! keeps on disk. It is at most ten minutes old, and stays when the gateway has ended.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context;
use gatehouse_core::community::quantity::Language;
use gatehouse_core::reading::Timestamp;
use serde_json::{Value, json};

use super::Told;
use crate::bundle::installed::{Installed, Layer};
use crate::bundle::keys::Trust;
use crate::config::GatewayConfig;
use crate::shadow::PROBATION;
use crate::shadow::account::{Account, Broke, By, SceneAccount, Side};
use crate::shadow::kept::Kept;

pub(super) fn compare(config: &GatewayConfig) -> anyhow::Result<Told> {
    let trust = Trust::read(&config.bundles.trusted_keys)?;
    let installed = Installed::below(&config.store.path);
    let kept = Kept::read(installed.folder()).context("what was counted cannot be read")?;
    let candidate = installed.candidate(&trust)?;
    let account = kept.candidate.filter(|a| Some(&a.run) == installed.run_of_candidate().as_ref());
    let standing = installed.current(&trust).ok().flatten();
    Ok(told(standing.as_ref(), candidate.as_ref(), account.as_ref(), kept.probation.as_ref()))
}

fn told(
    standing: Option<&Layer>,
    candidate: Option<&Layer>,
    account: Option<&Account>,
    probation: Option<&Account>,
) -> Told {
    let standing_title = standing.map_or("no bundle", |layer| &layer.title);
    let mut text = format!("installed  {standing_title}\n");
    let mut json = json!({ "installed": standing.map(|layer| &layer.title), "candidate": null });
    if let Some(layer) = candidate {
        let _ = writeln!(text, "candidate  {} (signed by {})", layer.title, layer.signer);
        json["candidate"] = json!({ "title": layer.title, "signed-by": layer.signer });
    } else {
        text += "candidate  none; `gatehouse bundle install --shadow FILE` brings one\n";
    }
    match account {
        Some(account) => {
            text += &described(account);
            json["account"] = as_json(account);
        }
        None if candidate.is_some() => {
            text += "\nit has not run yet; start the gateway, or send it SIGHUP\n";
        }
        None => {}
    }
    if let Some(account) = probation {
        let _ = writeln!(text, "\nprobation  {}: {}", account.title, stands(account));
        json["probation"] = json!({
            "title": account.title, "ran-seconds": account.ran_seconds, "broke": account.broke,
        });
    }
    Told { json, text, holds: true }
}

/// How the bundle that was promoted last did.
fn stands(account: &Account) -> String {
    match &account.broke {
        Some(broke) => format!("taken back at {}: {}", second(broke.at), broken(broke)),
        None if account.ran() >= PROBATION => "stood".to_owned(),
        None => format!("has run for {} of {}", in_words(account.ran()), in_words(PROBATION)),
    }
}

fn described(account: &Account) -> String {
    let mut text = format!(
        "runs since {}, for {} in all (as of {})\n",
        second(account.since),
        in_words(account.ran()),
        second(account.as_of)
    );
    let _ = write!(text, "has seen   {} inputs", account.inputs);
    if account.dropped > 0 {
        let dropped = account.dropped;
        let _ = write!(text, "; {dropped} did not fit into its queue: the comparison has holes");
    }
    text += "\n";
    text += &table(account);
    text += &disagreements(account);
    let _ = writeln!(text, "\nverdict: {}", verdict(account));
    text
}

/// What is to be thought of a candidate.
fn verdict(account: &Account) -> String {
    match (&account.broke, account.broken(By::Candidate)) {
        (Some(broke), _) => format!("stopped at {}: {}", second(broke.at), broken(broke)),
        (None, Some(broke)) => broken(&broke),
        (None, None) => "within its budget".to_owned(),
    }
}

pub(super) fn broken(broke: &Broke) -> String {
    let Broke { scene, raised, likely, .. } = broke;
    format!("breaks its budget in scene {scene}: {raised} events where at most {likely} are likely")
}

fn table(account: &Account) -> String {
    const HEAD: [&str; 9] = [
        "scene",
        "live",
        "candidate",
        "both",
        "only live",
        "only candidate",
        "budget a week",
        "live, likely",
        "candidate, likely",
    ];
    let scenes = account.scenes.iter().filter(|(_, scene)| is_worth_a_line(scene));
    let rows: Vec<[String; 9]> = scenes.map(|(id, scene)| row(id, scene)).collect();
    if rows.is_empty() {
        return "\nneither has raised anything\n".to_owned();
    }
    let head = HEAD.map(ToOwned::to_owned);
    let all = || std::iter::once(&head).chain(&rows);
    let width = |at: usize| all().map(|row| row[at].chars().count()).max().unwrap_or_default();
    let widths: [usize; 9] = std::array::from_fn(width);
    let mut text = "\n".to_owned();
    for row in all() {
        let mut line = format!("{:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            let _ = write!(line, "  {cell:>width$}");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn is_worth_a_line(scene: &SceneAccount) -> bool {
    let says = |side: &Side| side.raised > 0 || side.budget.is_some();
    says(&scene.live) || says(&scene.candidate)
}

fn row(id: &str, scene: &SceneAccount) -> [String; 9] {
    let promised = |side: &Side| side.budget.as_ref().map(|b| format!("{:.2}", b.per_week));
    let budgets = [promised(&scene.live), promised(&scene.candidate)];
    let budget = match budgets {
        [None, None] => "-".to_owned(),
        [live, candidate] if live == candidate => live.unwrap_or_default(),
        budgets => budgets.map(|b| b.unwrap_or_else(|| "-".to_owned())).join(" / "),
    };
    let spent = |side: &Side| {
        let budget = side.budget.as_ref();
        budget.map_or("-".to_owned(), |b| format!("{} of {}", b.raised, b.likely()))
    };
    [
        id.to_owned(),
        scene.live.raised.to_string(),
        scene.candidate.raised.to_string(),
        scene.both.to_string(),
        scene.only(By::Live).to_string(),
        scene.only(By::Candidate).to_string(),
        budget,
        spent(&scene.live),
        spent(&scene.candidate),
    ]
}

fn disagreements(account: &Account) -> String {
    let mut apart: Vec<_> = account
        .scenes
        .iter()
        .flat_map(|(id, scene)| scene.disagreements.iter().map(move |d| (d, id)))
        .collect();
    apart.sort_by_key(|(d, _)| d.at);
    let mut text = String::new();
    if !apart.is_empty() {
        text += "\nraised by one of them only:\n";
    }
    for (d, scene) in apart {
        let by = match d.by {
            By::Live => "live",
            By::Candidate => "candidate",
        };
        let title = d.title.get(Language::En);
        let _ = writeln!(text, "{}  {by:<9}  {scene}  {}  {title}", second(d.at), d.device);
    }
    text
}

fn as_json(account: &Account) -> Value {
    let mut json = json!(account);
    for (id, scene) in &account.scenes {
        let to = &mut json["scenes"][id];
        to["only-live"] = scene.only(By::Live).into();
        to["only-candidate"] = scene.only(By::Candidate).into();
        for (name, side) in [("live", &scene.live), ("candidate", &scene.candidate)] {
            if let Some(budget) = &side.budget {
                to[name]["budget"]["likely"] = budget.likely().into();
            }
        }
    }
    json["within-budget"] =
        (account.broke.is_none() && account.broken(By::Candidate).is_none()).into();
    json["verdict"] = verdict(account).into();
    json
}

/// A time to the second.
fn second(at: Timestamp) -> String {
    Timestamp(at.0.div_euclid(1_000) * 1_000).rfc3339().replace(".000", "")
}

/// How long, in its two largest units.
pub(super) fn in_words(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    match (days, hours, minutes) {
        (0, 0, m) => format!("{m} min"),
        (0, h, 0) => format!("{h} h"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, 0, _) => format!("{d} d"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::community::quantity::Text;

    use super::*;
    use crate::shadow::account::{self, Spent, Step};

    fn account() -> Account {
        let mut account = Account::new("b".into(), "air 2".into(), Timestamp(0));
        let budget = Some(Spent { per_week: 7.0, ..Spent::default() });
        let side = || Side { raised: 0, budget: budget.clone() };
        let scene = SceneAccount { live: side(), candidate: side(), ..SceneAccount::default() };
        account.scenes.insert("air".into(), scene);
        account.pass(Duration::from_hours(25), Timestamp(90_000_000));
        for (by, device, by_model) in [
            (By::Live, "d1", true),
            (By::Candidate, "d1", true),
            (By::Candidate, "d2", true),
            (By::Candidate, "d3", false),
        ] {
            account.note(
                by,
                account::Told {
                    event: device.into(),
                    scene: "air".into(),
                    device: device.into(),
                    about: device.into(),
                    title: Text::new("空气", "Bad air"),
                    at: Timestamp(60_000),
                    step: Step::Raised { by_model },
                },
            );
        }
        account
    }

    fn layer(title: &str) -> Layer {
        Layer { folder: "b".into(), title: title.into(), signer: "vendor.pub".into() }
    }

    #[test]
    fn the_two_stand_side_by_side_with_what_they_disagree_about() {
        let mut account = account();
        account.inputs = 1_234;
        account.dropped = 5;

        let told = told(Some(&layer("air 1")), Some(&layer("air 2")), Some(&account), None);

        assert_eq!(
            told.text,
            "\
installed  air 1
candidate  air 2 (signed by vendor.pub)
runs since 1970-01-01T00:00:00Z, for 1 d 1 h in all (as of 1970-01-02T01:00:00Z)
has seen   1234 inputs; 5 did not fit into its queue: the comparison has holes

scene  live  candidate  both  only live  only candidate  budget a week  live, likely  candidate, likely
air       1          3     1          0               2           7.00        1 of 3             2 of 3

raised by one of them only:
1970-01-01T00:01:00Z  candidate  air  d2  Bad air
1970-01-01T00:01:00Z  candidate  air  d3  Bad air

verdict: within its budget
"
        );
        assert_eq!(told.json["account"]["scenes"]["air"]["only-candidate"], 2);
        assert_eq!(told.json["account"]["scenes"]["air"]["live"]["budget"]["likely"], 3);
        assert_eq!(told.json["account"]["within-budget"], true);
    }

    #[test]
    fn a_broken_budget_is_the_verdict_and_what_was_taken_back_is_told() {
        let mut account = account();
        let at = Timestamp(0);
        let (scene, title) = ("air".to_owned(), Text::default());
        account.broke = Some(Broke { scene, title, raised: 9, likely: 6, per_week: 7.0, at });

        let beside = told(None, Some(&layer("air 2")), Some(&account), None);
        let after = told(None, None, None, Some(&account));

        let broken = "breaks its budget in scene air: 9 events where at most 6 are likely";
        let stopped = format!("verdict: stopped at 1970-01-01T00:00:00Z: {broken}\n");
        assert!(beside.text.ends_with(&stopped), "{}", beside.text);
        assert_eq!(beside.json["account"]["within-budget"], false);
        let back = format!("probation  air 2: taken back at 1970-01-01T00:00:00Z: {broken}\n");
        assert!(after.text.ends_with(&back), "{}", after.text);
    }
}
