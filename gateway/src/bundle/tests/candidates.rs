//! Candidates: beside the one that stands, promoted, taken back, dropped.

use super::*;

const BESIDE: Terms = Terms { beside: true, may_be_older: false };

impl Site {
    fn beside(&self, file: &Path) -> Result<Layer, BundleError> {
        self.installed().install(file, &self.trust(), BESIDE, |_| Ok(()))
    }

    fn promote(&self) -> Result<Layer, BundleError> {
        self.installed().promote(&self.trust(), |_| Ok(()))
    }

    fn candidate(&self) -> Option<String> {
        self.installed().candidate(&self.trust()).unwrap().map(|layer| layer.title)
    }

    fn previous(&self) -> Option<String> {
        self.installed().previous(&self.trust()).unwrap().map(|layer| layer.title)
    }
}

#[test]
fn a_candidate_runs_beside_what_stands_until_it_is_promoted_and_that_can_be_undone() {
    let site = Site::new();
    site.install(&site.sign("1.0")).unwrap();
    site.beside(&site.sign("2.0")).unwrap();
    assert_eq!(
        (site.current(), site.candidate()),
        (Some("air 1.0".into()), Some("air 2.0".into()))
    );
    site.beside(&site.sign("3.0")).unwrap();
    assert_eq!(site.candidate().as_deref(), Some("air 3.0"), "the newer one takes its place");
    let run = site.installed().run_of_candidate();
    site.beside(&site.sign("3.0")).unwrap();
    assert_ne!(site.installed().run_of_candidate(), run, "installed again, it begins anew");
    assert_eq!(site.installed().run_of_promoted(), None);

    let layer = site.promote().unwrap();

    assert_eq!((site.current(), site.candidate()), (Some("air 3.0".into()), None));
    assert_eq!(site.previous().as_deref(), Some("air 1.0"));
    assert!(site.installed().run_of_promoted().unwrap().starts_with(&layer.id()));
    assert!(matches!(site.promote(), Err(BundleError::NoCandidate)));
    let back = |id: &str| site.installed().withdraw(id, &site.trust(), |_| Ok(()));
    assert!(back("air-2.0-x").is_err(), "another one is meant");
    assert_eq!(back(&layer.id()).unwrap().unwrap().title, "air 1.0");
    assert_eq!(site.installed().run_of_promoted(), None);
    assert!(back(&layer.id()).is_err(), "it does not stand any more");
    assert_eq!(site.current().as_deref(), Some("air 1.0"));
}

#[test]
fn a_candidate_that_is_judged_bad_is_not_promoted_and_one_that_is_dropped_is_gone() {
    let site = Site::new();
    site.beside(&site.sign("2.0")).unwrap();
    let refuse = |_: &Layer| Err(BundleError::Refused("a scene cannot work".to_owned()));

    assert!(site.installed().promote(&site.trust(), refuse).is_err());
    assert_eq!((site.current(), site.candidate().as_deref()), (None, Some("air 2.0")));

    site.installed().drop_candidate().unwrap();
    assert_eq!(site.candidate(), None);
    assert!(matches!(site.installed().drop_candidate(), Err(BundleError::NoCandidate)));
    let left = fs::read_dir(site.installed().folder()).unwrap().flatten();
    assert_eq!(left.filter(|e| e.path().is_dir()).count(), 0);
}

#[test]
fn installing_and_going_back_leave_the_candidate_and_end_a_probation() {
    let site = Site::new();
    site.beside(&site.sign("2.0")).unwrap();
    site.promote().unwrap();
    site.beside(&site.sign("4.0")).unwrap();
    assert!(site.installed().run_of_promoted().is_some());

    site.install(&site.sign("3.0")).unwrap();
    assert_eq!(
        (site.installed().run_of_promoted(), site.candidate().as_deref()),
        (None, Some("air 4.0"))
    );
    site.installed().go_back(&site.trust(), |_| Ok(())).unwrap();
    assert_eq!(
        (site.current().as_deref(), site.candidate().as_deref()),
        (Some("air 2.0"), Some("air 4.0"))
    );
    site.install(&site.sign("4.0")).unwrap();
    assert_eq!(site.candidate(), None, "it stands, so it runs beside nobody");
}

#[test]
fn a_power_cut_before_the_state_is_replaced_leaves_the_old_one() {
    let site = Site::new();
    site.beside(&site.sign("2.0")).unwrap();
    // All that happens before the rename.
    site.write("data/bundles/.state", "{\"current\":\"air-2.0");
    site.write("data/bundles/.incoming/models/m/model.onnx", "half");

    assert_eq!((site.current(), site.candidate().as_deref()), (None, Some("air 2.0")));
    site.promote().unwrap();
    assert_eq!((site.current().as_deref(), site.candidate()), (Some("air 2.0"), None));
}

#[test]
fn a_state_from_before_there_were_candidates_is_read() {
    let site = Site::new();
    let layer = site.install(&site.sign("1.0")).unwrap();
    site.write(
        "data/bundles/state",
        &format!("{{\"current\":\"{}\",\"previous\":null}}", layer.id()),
    );

    assert_eq!(site.current().as_deref(), Some("air 1.0"));
    assert_eq!((site.candidate(), site.installed().run_of_promoted()), (None, None));
}

#[test]
fn an_older_version_is_refused_unless_it_is_meant_and_going_back_stays_possible() {
    let site = Site::new();
    let (nine, ten) = (site.sign("1.9"), site.sign("1.10"));
    site.install(&nine).unwrap();
    site.install(&ten).unwrap();

    let refused = site.install(&nine).unwrap_err();

    assert_eq!(
        refused.to_string(),
        "air 1.9 is older than air 1.10, which is installed; `--older` installs it all the same, and \
         `gatehouse bundle rollback` goes back to what was there before"
    );
    assert!(matches!(site.beside(&nine), Err(BundleError::Older { .. })));
    site.installed().go_back(&site.trust(), |_| Ok(())).unwrap();
    assert_eq!(site.current().as_deref(), Some("air 1.9"));
    site.install(&ten).unwrap();
    let meant = Terms { may_be_older: true, ..Terms::default() };
    site.installed().install(&nine, &site.trust(), meant, |_| Ok(())).unwrap();
    assert_eq!(site.current().as_deref(), Some("air 1.9"));
    let other = fs::read_to_string(site.path("b/scenes/air.toml")).unwrap();
    site.write("o/scenes/air.toml", &other);
    site.write("o/bundle.toml", "name = \"other\"\nversion = \"0.1\"\n");
    let other = pack::sign(&site.path("o"), &site.signer(), Some(site.path("o.bundle"))).unwrap().0;
    site.install(&other).unwrap();
}

#[test]
fn what_was_installed_on_trial_and_taken_back_leaves_all_as_it_was() {
    let site = Site::new();
    site.install(&site.sign("1.0")).unwrap();
    site.beside(&site.sign("2.0")).unwrap();
    site.promote().unwrap();
    site.beside(&site.sign("3.0")).unwrap();
    let what = || {
        let installed = site.installed();
        let runs = (installed.run_of_promoted(), installed.run_of_candidate());
        let mut folders: Vec<_> =
            fs::read_dir(installed.folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        (site.current(), site.previous(), site.candidate(), runs, folders)
    };
    let before = what();

    for terms in [BESIDE, Terms::default()] {
        let (file, trust) = (site.sign("4.0"), site.trust());
        let on_trial = site.installed().install_on_trial(&file, &trust, terms, |_| Ok(()));
        let (layer, stood) = on_trial.unwrap();
        assert!(layer.folder.exists());
        assert_ne!(what(), before);
        site.installed().take_back(&stood).unwrap();
        assert_eq!(what(), before);
    }
}

#[test]
fn what_was_installed_on_trial_and_settled_removes_what_nothing_names_any_more() {
    let site = Site::new();
    site.beside(&site.sign("2.0")).unwrap();
    let (file, trust) = (site.sign("3.0"), site.trust());
    let on_trial = site.installed().install_on_trial(&file, &trust, BESIDE, |_| Ok(()));
    let _settled = on_trial.unwrap();
    site.installed().settle().unwrap();
    let names = fs::read_dir(site.installed().folder()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let bundles: Vec<_> = names.filter(|name| name.starts_with("air")).collect();
    assert!(bundles.len() == 1 && bundles[0].contains("3.0"), "{bundles:?}");
}
