//! The shipped model, whole and broken, on whichever engine this machine has.

use std::fs;

use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;

const NAME: &str = "forecast";

#[test]
fn the_shipped_model_passes_its_own_tests_and_says_what_it_is() {
    let models = Models::open(&shipped(), [NAME], None).unwrap();

    let specs = models.specs();
    let shelves = Shelves::from(&shipped());
    assert_eq!(load_spec(&shelves, NAME).unwrap(), Spec::Series(specs[0].clone()));
    assert_eq!((specs[0].window, specs[0].outputs), (35, 9));
    assert!(["tract", "onnxruntime"].contains(&models.engine_name()));
}

#[test]
fn rows_of_a_batch_are_answered_as_if_asked_one_by_one() {
    let mut models = Models::open(&shipped(), [NAME], None).unwrap();
    let rows: Vec<Vec<f32>> = (0..7_u8)
        .map(|row| (0..35_u8).map(|i| (f32::from(i) * f32::from(row) / 20.0).sin()).collect())
        .collect();

    let batch = models.answer(&question(1, rows.concat(), 7)).outputs.unwrap();

    for (row, together) in rows.into_iter().zip(batch.chunks(9)) {
        let alone = models.answer(&question(2, row, 1)).outputs.unwrap();
        assert!(alone.iter().zip(together).all(|(a, b)| (a - b).abs() < 1e-5));
        assert!(alone.is_sorted(), "quantiles out of order: {alone:?}");
    }
}

#[test]
fn a_question_that_cannot_be_answered_gets_a_reason() {
    let mut models = Models::open(&shipped(), [NAME], None).unwrap();
    let mut other = question(4, vec![0.0; 35], 1);
    other.model = "other".into();
    let cases = [
        ("not a number", question(1, vec![f32::NAN; 35], 1), "not a number"),
        ("too few features", question(2, vec![0.0; 34], 1), "34 features for 1 windows"),
        ("absurdly many rows", question(3, vec![0.0; 35], usize::MAX), "35 features"),
        ("an unknown model", other, "model `other` is not loaded"),
    ];

    for (why, question, expected) in cases {
        let answer = models.answer(&question);

        assert_eq!(answer.question, question.id, "{why}");
        let reason = answer.outputs.unwrap_err();
        assert!(reason.contains(expected), "{why}: {reason}");
    }
    assert_eq!(models.answer(&question(5, Vec::new(), 0)).outputs, Ok(Vec::new()));
}

#[test]
fn every_question_is_answered_once_whether_asked_or_replaced() {
    let (sender, mut inputs) = mpsc::channel(1);
    let inference =
        Inference::start(Models::open(&shipped(), [NAME], None).unwrap(), sender.downgrade())
            .unwrap();

    for id in 0..40 {
        inference.ask(question(id, vec![0.5; 35], 1));
    }

    let mut refused = 0;
    let mut ids: Vec<u64> = (0..40)
        .map(|_| {
            let Some(Input::Answer(answer)) = inputs.blocking_recv() else {
                panic!("an answer was expected");
            };
            refused += u64::from(answer.outputs.is_err());
            answer.question
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..40).collect::<Vec<_>>());
    assert_eq!(inference.replaced(), refused);
}

#[test]
fn the_thread_ends_when_the_engine_has_gone() {
    let (sender, inputs) = mpsc::channel(1);
    let weak = sender.downgrade();
    let questions = Questions::default();
    questions.put(question(1, vec![0.0; 35], 1));
    questions.put(question(2, vec![0.0; 35], 1));

    drop(inputs);
    work(Models::open(&shipped(), [NAME], None).unwrap(), &questions, &weak);
    drop(sender);
    work(Models::open(&shipped(), [NAME], None).unwrap(), &questions, &weak);

    questions.close();
    assert_eq!(questions.take(), None);
}

#[test]
fn a_model_that_is_not_what_its_manifest_says_is_refused_with_the_reason() {
    let network = fs::read(shipped().join(NAME).join("model.onnx")).unwrap();
    let checksum = engine::sha256(&network);
    let cases: [(&str, Vec<u8>, &str, &str, &str); 8] = [
        ("cut short", network[..4_000].to_vec(), "", "", "`model.onnx` has the SHA-256"),
        ("not a network", b"no network at all".to_vec(), "", "", "`model.onnx` has the SHA-256"),
        (
            "other answers",
            network.clone(),
            "-0.428",
            "-0.528",
            "test `a sensor that does not move` gave",
        ),
        ("another tensor", network.clone(), "name = \"x\"", "name = \"z\"", "its input is `x`"),
        (
            "another width",
            network.clone(),
            "outputs = 9",
            "outputs = 4",
            "output `quantiles` has another",
        ),
        ("another name", network.clone(), NAME, "else", "name is `else`, but the folder is"),
        (
            "a file elsewhere",
            network.clone(),
            "model.onnx",
            "../model.onnx",
            "expected a file in this",
        ),
        ("no tests", network.clone(), "[[test]]", "[[tset]]", "unknown field `tset`"),
    ];

    for (why, bytes, from, to, expected) in cases {
        let folder = altered(&bytes, from, to);

        let reason = refusal(&folder);

        assert!(reason.contains(expected), "{why}: {reason}");
        assert!(reason.contains(NAME), "{why} names no file: {reason}");
    }
    for (why, bytes) in [("cut short", &network[..4_000]), ("not a network", b"nothing".as_slice())]
    {
        let folder = altered(bytes, &checksum, &engine::sha256(bytes));

        let reason = refusal(&folder);

        assert!(!reason.contains("SHA-256"), "{why}, but with the right checksum: {reason}");
        assert!(!reason.contains('\n'), "{why}: {reason}");
    }
}

#[test]
fn a_misspelt_name_is_told_what_is_installed() {
    let error = load_spec(&Shelves::from(&shipped()), "forcast").unwrap_err().to_string();

    assert!(error.starts_with("there is no model `forcast` in "), "{error}");
    assert!(error.contains("installed: ") && error.contains("forecast, limit-forecast"), "{error}");
    assert!(load_spec(&Shelves::from(&shipped()), "../models/forecast").is_err());
}

#[test]
fn a_model_that_cannot_be_loaded_leaves_the_others() {
    let shelves = Shelves::from(&shipped());

    let (models, missing) = Models::open_some(&shelves, ["forcast", NAME], None);

    let names: Vec<_> = missing.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["forcast"]);
    let mut models = models.unwrap();
    assert!(models.answer(&question(1, vec![0.0; 35], 1)).outputs.is_ok());
    assert!(Models::open_some(&shelves, ["forcast"], None).0.is_none());
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")
}

fn question(id: u64, features: Vec<f32>, rows: usize) -> Question {
    Question { id, model: NAME.into(), features, rows }
}

/// A models folder with the given network and the shipped manifest, changed in one place.
fn altered(network: &[u8], from: &str, to: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join(NAME);
    let manifest = fs::read_to_string(shipped().join(NAME).join("model.toml")).unwrap();
    let changed = if from.is_empty() { manifest } else { manifest.replacen(from, to, 1) };
    fs::create_dir(&model).unwrap();
    fs::write(model.join("model.toml"), changed).unwrap();
    fs::write(model.join("model.onnx"), network).unwrap();
    folder
}

fn refusal(folder: &TempDir) -> String {
    Models::open(folder.path(), [NAME], None).err().expect("it was accepted").to_string()
}
