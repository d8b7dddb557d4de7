//! The Modbus source against pymodbus: over TCP, RTU over TCP, and RTU on a pair of serial ports.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use gatehouse::clock::Clock;
use gatehouse::config::LineConfig;
use gatehouse::pace::Pace;
use gatehouse::source::modbus;
use gatehouse_core::community::device_type::DeviceType;
use gatehouse_core::decode::Decoder;
use gatehouse_core::pipeline::Input;
use gatehouse_core::reading::{Block, Body, DeviceIndex, Frame, SourceIndex, WireFault};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::demo::ALONE;
use crate::peers::PATIENCE;
use crate::peers::modbus::{Kind, Slaves};

const WIRES: [Kind; 3] = [Kind::Tcp, Kind::RtuOverTcp, Kind::Serial];
const ORDERS: [&str; 4] = ["big", "little", "big-swapped", "little-swapped"];

#[tokio::test]
async fn every_type_in_every_order_means_what_pymodbus_wrote() {
    let mut points = Points::default();
    for table in ["holding", "input"] {
        for order in ORDERS {
            for (kind, value) in [
                ("u16", 51_966.0),
                ("i16", -12_345.0),
                ("u32", 4_023_233_417.0),
                ("i32", -19_088_744.0),
                ("f32", -1_234.5),
            ] {
                points.add(table, kind, order, value);
            }
        }
    }
    for table in ["coil", "discrete"] {
        for value in [1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0] {
            points.add(table, "bit", "big", value);
        }
    }
    points.bits(
        0b1010_0000_0000_0110,
        &[("1", 1.0), ("3", 0.0), ("[1, 2]", 3.0), ("[12, 15]", 10.0)],
    );
    let device_type = points.device_type("100 ms");
    let decoder = Decoder::new(&device_type);

    for kind in WIRES {
        let slaves = Slaves::start(kind, &json!({ "5": points.tables })).await;
        let mut line = Line::start(&slaves, &[(5, &device_type)], "1 s");

        let (_, blocks) = line.frame().await;

        let requests: Vec<usize> = blocks.iter().map(|b| usize::from(b.count)).collect();
        assert_eq!(requests.len(), 4, "{kind:?}: one request a table, {requests:?}");
        let values = decoder.decode(&Body::Blocks(blocks)).unwrap().values;
        let expected: Vec<_> = points.expected.iter().map(|value| Ok(*value)).collect();
        assert_eq!(values, expected, "{kind:?}");
        line.stop().await;
    }
}

#[tokio::test]
async fn an_exception_is_no_value_and_the_rest_of_the_device_is_read_on() {
    // Words 4 and 5 do not exist, and the second device type does not say so.
    let tables = json!({ "holding": words(7, [0, 1, 2, 3, 6, 7]) });
    let honest = device_type("holes = [[4, 5]]", &[0, 3, 6, 7]);
    let wrong = device_type("max-block = 4", &[0, 3, 5, 7]);
    for kind in WIRES {
        let slaves = Slaves::start(kind, &json!({ "1": tables, "2": tables })).await;
        let mut line = Line::start(&slaves, &[(1, &honest), (2, &wrong)], "1 s");

        let mut seen = BTreeMap::new();
        for _ in 0..8 {
            let (unit, blocks) = line.frame().await;
            seen.entry(unit).or_insert_with(Vec::new).push(blocks);
        }

        for blocks in &seen[&1] {
            let words: Vec<_> = blocks.iter().map(|b| b.words.clone()).collect();
            assert_eq!(words, [Ok(vec![700, 701, 702, 703]), Ok(vec![706, 707])], "{kind:?}");
        }
        for blocks in &seen[&2] {
            let words: Vec<_> = blocks.iter().map(|b| b.words.clone()).collect();
            let illegal_address = Err(WireFault::Exception(2));
            assert_eq!(words, [Ok(vec![700, 701, 702, 703]), illegal_address], "{kind:?}");
        }
        line.stop().await;
    }
}

#[tokio::test]
async fn a_slave_that_does_not_answer_is_a_timeout_and_the_others_go_on() {
    let _alone = ALONE.lock().await;
    let device_type = device_type("", &[0, 1, 2]);
    for kind in WIRES {
        let units =
            json!({ "1": { "holding": words(1, 0..3) }, "3": { "holding": words(3, 0..3) } });
        let slaves = Slaves::start(kind, &units).await;
        let devices = [(1, &device_type), (2, &device_type), (3, &device_type)];
        let mut line = Line::start(&slaves, &devices, "100 ms");

        let mut polls = BTreeMap::from([(1, 0), (2, 0), (3, 0)]);
        while polls[&1] < 20 {
            let (unit, blocks) = line.frame().await;
            *polls.get_mut(&unit).unwrap() += 1;
            let expected = match unit {
                2 => Err(WireFault::Timeout),
                _ => Ok((0..3).map(|word| u16::from(unit) * 100 + word).collect()),
            };
            assert_eq!(blocks[0].words, expected, "{kind:?}");
        }

        assert!(
            (1..=5).contains(&polls[&2]),
            "{kind:?}: the dead one was asked {} times",
            polls[&2]
        );
        assert!(polls[&3] >= 19, "{kind:?}: the other one was asked {} times", polls[&3]);
        line.stop().await;
    }
}

#[tokio::test]
async fn a_late_answer_is_never_taken_for_the_next_question_s() {
    let mut lines = tokio::task::JoinSet::new();
    for kind in WIRES {
        for units in [&[1][..], &[1, 2]] {
            lines.spawn(answer_late(kind, units));
        }
    }
    let (right, faults) = lines
        .join_all()
        .await
        .into_iter()
        .fold((0, 0), |sum, line| (sum.0 + line.0, sum.1 + line.1));
    eprintln!("{right} blocks right, none wrong, {faults} polls without an answer");
}

/// Unit 1 answers late again and again. Counts right blocks, and polls without an answer.
async fn answer_late(kind: Kind, units: &'static [u8]) -> (usize, usize) {
    // Two blocks of one length, so that nothing but the question tells their answers apart.
    let device_type = device_type("holes = [[2, 9]]", &[0, 1, 10, 11]);
    let values = json!({
        "1": { "holding": words(1, [0, 1, 10, 11]) },
        "2": { "holding": words(2, [0, 1, 10, 11]) },
    });
    let mut slaves = Slaves::start(kind, &values).await;
    let devices: Vec<_> = units.iter().map(|unit| (*unit, &device_type)).collect();
    let mut line = Line::start(&slaves, &devices, "100 ms");
    let (mut right, mut faults) = (0, 0);

    // While nobody asks, while the next slave or the same one is asked, and far too late.
    for (address, late_ms) in [(10, 130), (0, 160), (10, 190), (10, 450), (0, 650), (10, 650)] {
        slaves.tell(&format!("delay 1 {address} {late_ms}")).await;
        let (mut seen_fault, mut good_after) = (false, 0);
        while good_after < 4 {
            let (unit, blocks) = line.frame().await;
            for block in &blocks {
                let Ok(words) = &block.words else { continue };
                let first = u16::from(unit) * 100 + block.start;
                let why = "a wrong value";
                assert_eq!(*words, [first, first + 1], "{kind:?}, {unit}, {late_ms} ms: {why}");
                right += 1;
            }
            let failed = blocks.iter().any(|block| block.words.is_err());
            faults += usize::from(failed);
            seen_fault |= failed && unit == 1;
            good_after += usize::from(seen_fault && !failed && unit == 1);
        }
    }
    line.stop().await;
    (right, faults)
}

#[tokio::test]
async fn a_server_that_is_killed_is_a_line_that_is_down_and_up_again() {
    let device_type = device_type("", &[0, 1]);
    let units = json!({ "1": { "holding": words(1, 0..2) }, "2": { "holding": words(2, 0..2) } });
    for kind in [Kind::Tcp, Kind::RtuOverTcp] {
        let mut slaves = Slaves::start(kind, &units).await;
        let mut line = Line::start(&slaves, &[(1, &device_type), (2, &device_type)], "200 ms");
        assert!(line.frame().await.1[0].words.is_ok());

        slaves.kill().await;
        let why = line.until_source().await;
        assert!(why.as_deref().is_some_and(|why| why.contains("refused")), "{kind:?}: {why:?}");
        let (_, blocks) = line.frame().await;
        assert_eq!(blocks[0].words, Err(WireFault::Disconnected), "{kind:?}");

        let slaves = slaves.restart(&units).await;
        assert_eq!(line.until_source().await, None, "{kind:?}");
        while line.frame().await.1[0].words.is_err() {}
        drop(slaves);
        line.stop().await;
    }
}

#[tokio::test]
async fn thirty_two_slaves_on_a_pair_of_wires_keep_their_period_with_four_dead() {
    const DEAD: [u8; 4] = [4, 11, 19, 30];
    let _alone = ALONE.lock().await;
    let device_type = device_type_every("1 s", "", &[0, 1, 2, 3, 4, 5, 6, 7]);
    let units: Value = (1..=32_u8)
        .filter(|unit| !DEAD.contains(unit))
        .map(|unit| (unit.to_string(), json!({ "holding": words(u16::from(unit), 0..8) })))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let slaves = Slaves::start(Kind::Serial, &units).await;
    let devices: Vec<_> = (1..=32).map(|unit| (unit, &device_type)).collect();
    let start = Instant::now();
    let mut line = Line::start(&slaves, &devices, "100 ms");

    let mut at: BTreeMap<u8, Vec<Instant>> = BTreeMap::new();
    while at.get(&32).is_none_or(|polls| polls.len() < 16) {
        let (unit, blocks) = line.frame().await;
        at.entry(unit).or_default().push(Instant::now());
        if !DEAD.contains(&unit) {
            let expected = (0..8).map(|word| u16::from(unit) * 100 + word).collect();
            assert_eq!(blocks[0].words, Ok(expected));
        }
    }
    line.stop().await;

    let mut worst = Duration::ZERO;
    for (unit, polls) in &at {
        if DEAD.contains(unit) {
            assert!(polls.len() <= 5, "dead unit {unit} was asked {} times", polls.len());
        } else {
            // The first two cycles find out who is dead.
            assert!(polls.len() >= 12, "unit {unit} was polled {} times", polls.len());
            let longest = polls[2..].windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
            worst = worst.max(longest);
        }
    }
    assert_eq!(at.len(), 32);
    assert!(worst < Duration::from_secs(3), "a healthy slave had to wait {worst:?}");
    eprintln!("28 healthy slaves every 1 s: longest interval {worst:?} in {:?}", start.elapsed());
}

/// A line of the gateway.
struct Line {
    inputs: mpsc::Receiver<Input>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Line {
    /// Devices are given by unit and type, and their index is the unit.
    fn start(slaves: &Slaves, devices: &[(u8, &Arc<DeviceType>)], timeout: &str) -> Self {
        let config: LineConfig = toml::from_str(&format!(
            "id = 'test'\n{} = '{}'\nbaud = 115200\nparity = 'none'\ntimeout = '{timeout}'",
            slaves.key(),
            slaves.place,
        ))
        .unwrap();
        let devices = devices
            .iter()
            .map(|(unit, device_type)| {
                (DeviceIndex(usize::from(*unit)), *unit, Arc::clone(device_type))
            })
            .collect();
        let (sender, inputs) = mpsc::channel(1_024);
        let stop = CancellationToken::new();
        let clock = Clock::new(1.0);
        let run = modbus::run(
            config,
            SourceIndex(0),
            devices,
            mpsc::channel(1).1,
            sender,
            modbus::probes().1,
            clock,
            Pace::default(),
            stop.clone(),
        );
        Self { inputs, stop, task: tokio::spawn(run) }
    }

    async fn next(&mut self) -> Input {
        timeout(PATIENCE, self.inputs.recv()).await.expect("nothing came").expect("the line ended")
    }

    /// The next frame: from which unit, and its blocks.
    async fn frame(&mut self) -> (u8, Vec<Block>) {
        loop {
            if let Input::Frame(Frame { device, body: Body::Blocks(blocks), .. }) =
                self.next().await
            {
                return (u8::try_from(device.0).unwrap(), blocks);
            }
        }
    }

    /// What is said next about the line as a whole: why it is down, or nothing.
    async fn until_source(&mut self) -> Option<String> {
        loop {
            if let Input::Source { down, .. } = self.next().await {
                return down.map(|why| why.en);
            }
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.task).await.expect("the line does not stop").unwrap();
    }
}

/// Points of one device type, with what pymodbus is to put there and what must be read.
#[derive(Default)]
struct Points {
    tables: serde_json::Map<String, Value>,
    next: BTreeMap<String, u16>,
    text: String,
    expected: Vec<f64>,
}

impl Points {
    fn add(&mut self, table: &str, kind: &str, order: &str, value: f64) {
        let width = if ["u32", "i32", "f32"].contains(&kind) { 2 } else { 1 };
        let at = self.take(table, width);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole numbers, and one that is told apart"
        )]
        let number = if kind == "f32" { json!(value) } else { json!(value as i64) };
        self.put(table, json!([at, kind, order, number]));
        let kind = if kind == "bit" { "bool" } else { kind };
        self.point(table, at, &format!("type = '{kind}', order = '{order}'"), value);
    }

    /// One word, and fields of its bits.
    fn bits(&mut self, word: u16, fields: &[(&str, f64)]) {
        let at = self.take("holding", 1);
        self.put("holding", json!([at, "u16", "big", word]));
        for (bits, value) in fields {
            self.point("holding", at, &format!("bits = {bits}"), *value);
        }
    }

    fn take(&mut self, table: &str, width: u16) -> u16 {
        let next = self.next.entry(table.to_owned()).or_default();
        *next += width;
        *next - width
    }

    fn put(&mut self, table: &str, entry: Value) {
        let entries = self.tables.entry(table).or_insert_with(|| json!([]));
        entries.as_array_mut().unwrap().push(entry);
    }

    fn point(&mut self, table: &str, at: u16, how: &str, value: f64) {
        let number = self.expected.len();
        writeln!(
            self.text,
            "[[point]]\nname = 'p{number}'\nunit = '1'\nat = {{ word = {at}, function = '{table}', {how} }}"
        )
        .unwrap();
        self.expected.push(value);
    }

    fn device_type(&self, every: &str) -> Arc<DeviceType> {
        parse(&format!("every = '{every}'\n{}", self.text))
    }
}

/// A device type with one register at each of these words.
fn device_type(modbus: &str, words: &[u16]) -> Arc<DeviceType> {
    device_type_every("300 ms", modbus, words)
}

fn device_type_every(every: &str, modbus: &str, words: &[u16]) -> Arc<DeviceType> {
    let mut text = format!("every = '{every}'\n{modbus}\n");
    for word in words {
        writeln!(text, "[[point]]\nname = 'p{word}'\nunit = '1'\nat = {{ word = {word} }}")
            .unwrap();
    }
    parse(&text)
}

fn parse(modbus_and_points: &str) -> Arc<DeviceType> {
    let head = "[device-type]\nid = 'test'\ntitle = { zh = '', en = '' }\nvia = 'modbus'\n";
    let text = format!("{head}[modbus]\nfunction = 'holding'\n{modbus_and_points}");
    Arc::new(toml::from_str(&text).unwrap())
}

/// Registers that hold `unit * 100 + address`, so that no two answers on a line are alike.
fn words(unit: u16, addresses: impl IntoIterator<Item = u16>) -> Value {
    addresses
        .into_iter()
        .map(|address| json!([address, "u16", "big", unit * 100 + address]))
        .collect()
}
