//! On trial: proven, failed, interrupted, and what is no way down.

use gatehouse_core::community::quantity::Text;
use gatehouse_core::reading::Timestamp;

use super::super::trial::OnTrial;
use super::*;

impl Site {
    fn prove(&self) {
        let OnTrial { id, .. } = self.installed().trial().unwrap();
        self.installed().prove(&id, &self.trust()).unwrap();
    }

    fn fail(&self) -> String {
        let OnTrial { id, .. } = self.installed().trial().unwrap();
        let why = Text::new("坏了", "it broke");
        let failed = self.installed().fail(&id, &self.trust(), &why, Timestamp(7)).unwrap();
        assert_eq!(self.installed().failed(), Some(failed.clone()));
        failed.why.en
    }

    fn folders(&self) -> usize {
        let entries = fs::read_dir(self.installed().folder()).unwrap().flatten();
        entries.filter(|entry| entry.path().is_dir()).count()
    }
}

#[test]
fn what_fails_is_gone_and_what_has_proven_itself_last_is_back() {
    let site = Site::new();
    site.install(&site.sign("1.0")).unwrap();
    assert_eq!(site.fail(), "air 1.0 has not stood its trial: it broke; no bundle is back");
    assert_eq!((site.current(), site.folders()), (None, 0));

    site.install(&site.sign("1.1")).unwrap();
    site.prove();
    assert_eq!((site.installed().trial(), site.installed().failed()), (None, None));
    // Neither of the two has proven itself, so that both have the same one to fall back on.
    site.install(&site.sign("2.0")).unwrap();
    site.installed().mark_trial(true).unwrap();
    site.install(&site.sign("2.1")).unwrap();
    assert_eq!(site.fail(), "air 2.1 has not stood its trial: it broke; air 1.1 is back");
    assert_eq!((site.current().as_deref(), site.folders()), (Some("air 1.1"), 1));
    assert_eq!(site.installed().trial(), None);
    site.install(&site.sign("2.1")).unwrap();
    assert_eq!(site.current().as_deref(), Some("air 2.1"), "who made it may be wrong twice");
}

#[test]
fn what_has_proven_itself_is_kept_however_many_are_installed_before_anything_is_loaded() {
    let site = Site::new();
    site.install(&site.sign("1.0")).unwrap();
    site.prove();
    for version in ["2.0", "3.0", "4.0"] {
        site.install(&site.sign(version)).unwrap();
    }
    assert_eq!(site.fail(), "air 4.0 has not stood its trial: it broke; air 1.0 is back");
    assert_eq!(site.current().as_deref(), Some("air 1.0"));
}

#[test]
fn that_a_gateway_runs_with_it_is_known_after_a_power_cut() {
    let site = Site::new();
    site.installed().mark_trial(true).unwrap();
    assert!(!site.installed().folder().exists(), "where nothing was installed nothing is written");
    site.install(&site.sign("1.0")).unwrap();
    for is_running in [false, true, true, false] {
        site.installed().mark_trial(is_running).unwrap();
        assert_eq!(site.installed().trial().unwrap().is_running, is_running);
    }
    // Going back ends nothing: whoever goes back once more finds it on trial.
    let back = || site.installed().go_back(&site.trust(), |_| Ok(())).unwrap();
    assert_eq!((back(), site.installed().trial()), (None, None));
    back();
    assert!(site.installed().trial().is_some());
    assert!(site.installed().prove("air-0.9-x", &site.trust()).is_err(), "another one is meant");
}

#[test]
fn no_older_one_comes_after_one_that_has_proven_itself_under_whatever_name_in_between() {
    let site = Site::new();
    site.install(&site.sign("2.0")).unwrap();
    site.prove();
    let scene = fs::read_to_string(site.path("b/scenes/air.toml")).unwrap();
    site.write("o/scenes/air.toml", &scene);
    site.write("o/bundle.toml", "name = \"other\"\nversion = \"1.0\"\n");
    let other = pack::sign(&site.path("o"), &site.signer(), Some(site.path("o.bundle"))).unwrap().0;
    site.install(&other).unwrap();
    site.prove();

    let refused = site.install(&site.sign("1.9")).unwrap_err().to_string();

    assert!(
        refused.starts_with("air 1.9 is older than air 2.0, which has been in use"),
        "{refused}"
    );
    let meant = Terms { may_be_older: true, ..Terms::default() };
    site.installed().install(&site.sign("1.9"), &site.trust(), meant, |_| Ok(())).unwrap();
    site.prove();
    site.install(&site.sign("1.9.1")).unwrap();
}

#[test]
fn a_state_that_a_newer_program_wrote_is_read() {
    let site = Site::new();
    let layer = site.install(&site.sign("1.0")).unwrap();
    let state = format!("{{\"current\":\"{}\",\"previous\":null,\"news\":[1]}}", layer.id());
    site.write("data/bundles/state", &state);
    assert_eq!(site.current().as_deref(), Some("air 1.0"));
}
