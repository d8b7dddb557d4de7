//! `gatehouse models promote|drop-candidate`: what becomes of the candidate, on command only.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::json;

use super::Told;
use super::compare::{self, in_words};
use crate::bundle::BundleError;
use crate::bundle::installed::Installed;
use crate::bundle::keys::Trust;
use crate::cli::bundle::{THEN, judge};
use crate::config::GatewayConfig;
use crate::shadow::TRIAL;
use crate::shadow::account::{Account, By};
use crate::shadow::kept::Kept;

pub(super) fn promote(folder: &Path, config: &GatewayConfig, anyway: bool) -> anyhow::Result<Told> {
    let trust = Trust::read(&config.bundles.trusted_keys)?;
    let installed = Installed::below(&config.store.path);
    let candidate = installed.candidate(&trust)?.ok_or(BundleError::NoCandidate)?;
    let kept = Kept::read(installed.folder()).context("what was counted cannot be read")?;
    let account = kept.candidate.filter(|a| Some(&a.run) == installed.run_of_candidate().as_ref());
    if let Some(doubt) = doubt(account.as_ref()).filter(|_| !anyway) {
        bail!("{}: {doubt}; `--anyway` promotes it all the same", candidate.title);
    }
    let before = installed.current(&trust).ok().flatten().map(|layer| layer.title);
    let layer = installed
        .promote(&trust, |layer| judge(folder, Some(layer)))
        .context("the candidate is refused; nothing has changed")?;
    let json = json!({
        "installed": layer.title, "signed-by": layer.signer, "before": before, "note": THEN,
    });
    let before = before.unwrap_or_else(|| "no bundle".to_owned());
    let text = format!(
        "installed: {} (signed by {})\nbefore: {before}\nnote: {THEN}; for 7 days of running it is taken \
         back by itself if it breaks a budget\n",
        layer.title, layer.signer
    );
    Ok(Told { json, text, holds: true })
}

/// Why a candidate should not be promoted yet.
fn doubt(account: Option<&Account>) -> Option<String> {
    let Some(account) = account else {
        return Some("it has not run yet; start the gateway, or send it SIGHUP".to_owned());
    };
    if let Some(broke) = account.broke.clone().or_else(|| account.broken(By::Candidate)) {
        return Some(compare::broken(&broke));
    }
    (account.ran() < TRIAL)
        .then(|| format!("it has run for {}; wait until that is a day", in_words(account.ran())))
}

pub(super) fn drop_candidate(config: &GatewayConfig) -> anyhow::Result<Told> {
    let dropped = Installed::below(&config.store.path).drop_candidate()?;
    let text = format!("dropped: {dropped}\nnote: {THEN}\n");
    Ok(Told { json: json!({ "dropped": dropped, "note": THEN }), text, holds: true })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatehouse_core::community::quantity::Text;
    use gatehouse_core::reading::Timestamp;

    use super::*;
    use crate::shadow::account::Broke;

    #[test]
    fn a_candidate_is_in_doubt_until_it_has_run_for_a_day_and_when_it_broke_its_budget() {
        let mut account = Account::new("b".into(), "b 1".into(), Timestamp(0));
        assert!(doubt(None).unwrap().contains("SIGHUP"));
        account.pass(Duration::from_hours(23), Timestamp(0));
        assert_eq!(doubt(Some(&account)).unwrap(), "it has run for 23 h; wait until that is a day");
        account.pass(Duration::from_hours(1), Timestamp(0));
        assert_eq!(doubt(Some(&account)), None);

        let title = Text::new("空气", "Air");
        let (scene, at) = ("air".to_owned(), Timestamp(0));
        account.broke = Some(Broke { scene, title, raised: 9, likely: 6, per_week: 2.0, at });
        assert_eq!(
            doubt(Some(&account)).unwrap(),
            "breaks its budget in scene air: 9 events where at most 6 are likely"
        );
    }
}
