//! Whose turn it is on a bus, with chips that say what they were told to say.

use std::sync::Mutex;

use super::*;

const TYPE: &str = r#"
[device-type]
id = "air"
title = { zh = "", en = "" }
via = "localbus"
[localbus]
chip = "sht4x"
every = "10 s"
[[point]]
name = "temperature"
at = { channel = "temperature" }
unit = "degC"
[[point]]
name = "moisture"
at = { channel = "humidity" }
scale = 0.01
unit = "1"
"#;

#[tokio::test(start_paused = true)]
async fn what_the_channels_say_becomes_values_by_point() {
    let mut bench = Bench::start(vec![Ok(said(21.5, 40.0)), Err(Trouble::NoData("far".into()))]);

    let Input::Frame(first) = bench.next().await else { panic!("a frame") };
    let Input::Frame(second) = bench.next().await else { panic!("a frame") };

    assert_eq!(first.device, DeviceIndex(3));
    assert_eq!(values(&first), [21.5, 0.4]);
    assert!(values(&second).iter().all(|value| value.is_nan()), "no data is not the last value");
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_chip_is_asked_ever_less_often_and_hands_in_nothing() {
    let silent = || Err(Trouble::Silent("nobody".into()));
    let mut bench = Bench::start(vec![silent(), silent(), silent(), Ok(said(20.0, 50.0))]);
    let start = tokio::time::Instant::now();

    let Input::Frame(frame) = bench.next().await else { panic!("a frame") };

    assert_eq!(values(&frame), [20.0, 0.5]);
    // 20 s after the first, 40 s after the second, 80 s after the third.
    assert_eq!(start.elapsed().as_secs(), 140);
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_cannot_be_opened_is_down_and_comes_up_again() {
    let closed = Trouble::Closed("`/dev/i2c-9`: no such file".into());
    let mut bench = Bench::start(vec![Err(closed), Ok(said(20.0, 50.0))]);

    let Input::Source { source, down } = bench.next().await else { panic!("a source") };
    assert_eq!(
        (source, down.is_some_and(|why| why.en.contains("/dev/i2c-9"))),
        (SourceIndex(1), true)
    );
    let Input::Source { down, .. } = bench.next().await else { panic!("a source") };
    assert_eq!(down, None);
    assert!(matches!(bench.next().await, Input::Frame(_)));
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_chip_that_has_nothing_new_is_not_silent() {
    let mut bench = Bench::start(vec![Err(Trouble::NotYet), Ok(said(20.0, 50.0))]);
    let start = tokio::time::Instant::now();

    assert!(matches!(bench.next().await, Input::Frame(_)));

    assert_eq!(start.elapsed().as_secs(), 10);
    bench.end().await;
}

fn said(temperature: f64, humidity: f64) -> Said {
    vec![("temperature".to_owned(), temperature), ("humidity".to_owned(), humidity)]
}

fn values(frame: &Frame) -> Vec<f64> {
    match &frame.body {
        Body::Values { values, .. } => values.clone(),
        Body::Payload(_) | Body::Blocks(_) => Vec::new(),
    }
}

/// A bus with one chip on it, which says these things in turn and then nothing new.
struct Bench {
    inputs: mpsc::Receiver<Input>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), HungUp>>,
}

impl Bench {
    fn start(script: Vec<Result<Said, Trouble>>) -> Self {
        let script = Arc::new(Mutex::new(script.into_iter()));
        let open: Open = Arc::new(move |_, _, _| {
            let script = Arc::clone(&script);
            let next = script.lock().unwrap().next().unwrap_or(Err(Trouble::NotYet));
            if let Err(closed @ Trouble::Closed(_)) = next {
                return Err(closed);
            }
            let mut first = Some(next);
            Ok(Box::new(move || {
                let next = || script.lock().unwrap().next().unwrap_or(Err(Trouble::NotYet));
                first.take().unwrap_or_else(next)
            }))
        });
        let clock = Clock::new(1.0);
        let device_type: Arc<DeviceType> = Arc::new(toml::from_str(TYPE).unwrap());
        let wired = (DeviceIndex(3), Place::I2c(0x44), device_type);
        let devices = Wired::new(wired, clock.now()).into_iter().collect();
        let (sender, inputs) = mpsc::channel(4);
        let stop = CancellationToken::new();
        let reader = Reader {
            name: "inside".to_owned(),
            source: SourceIndex(1),
            devices,
            open,
            inputs: sender,
            clock,
            stop: stop.clone(),
            is_down: false,
        };
        Self { inputs, stop, task: tokio::spawn(reader.run()) }
    }

    async fn next(&mut self) -> Input {
        self.inputs.recv().await.unwrap()
    }

    async fn end(self) {
        self.stop.cancel();
        assert!(self.task.await.unwrap().is_ok());
    }
}
