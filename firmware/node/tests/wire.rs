//! A node on its line: bytes at the pace of the wire, a loop that comes round every half millisecond.

use gatehouse_contract::air;
use gatehouse_contract::common::{
    BAUD_RATES, BUS_ERRORS, COMMIT_KEY, RESTART, ResetCause, SELF_TEST, SELF_TEST_RESULT, status,
};
use gatehouse_node::air::Air;
use gatehouse_node::line::character;
use gatehouse_node::sense::one;
use gatehouse_node::settings::{Kept, RECORD};
use gatehouse_node::slave::crc16;
use gatehouse_node::{Errand, Made, Node, SECOND};
use proptest::prelude::*;

const MADE: Made = Made { serial: 7, firmware: 1, cause: ResetCause::PowerOn, switches: 0 };
const ERASED: [u8; RECORD] = [0xFF; RECORD];
/// How often a board looks at its line.
const TICK: u64 = 500;

fn new() -> Node<Air> {
    Node::new([&ERASED, &ERASED], &MADE, 0)
}

fn framed(content: &[u8]) -> Vec<u8> {
    [content, &crc16(content).to_le_bytes()].concat()
}

fn ask(node: &mut Node<Air>, content: &[u8], now: u64) -> Option<Vec<u8>> {
    for byte in framed(content) {
        node.byte(byte, now);
    }
    let answer = node.answer(now + 5_000)?;
    Some(answer[..answer.len() - 2].to_vec())
}

fn write(node: &mut Node<Air>, unit: u8, address: u16, word: u16, now: u64) -> Option<Vec<u8>> {
    let ([a, b], [c, d]) = (address.to_be_bytes(), word.to_be_bytes());
    ask(node, &[unit, 6, a, b, c, d], now)
}

#[test]
fn an_answer_begins_within_three_and_a_half_characters_and_two_milliseconds() {
    let mut worst = 0;
    for (code, baud) in (0..).zip(BAUD_RATES) {
        let mut node = new();
        write(&mut node, 1, 1, code, SECOND);
        write(&mut node, 1, 3, COMMIT_KEY, 2 * SECOND);
        assert!(matches!(node.errand(3 * SECOND), Some(Errand::Save { .. })));
        node.saved(true);
        node.wired();
        assert_eq!(node.wire().baud, baud);
        // However the frame lies to the ticks. A byte is seen at the tick after it ended.
        for shift in (0..TICK).step_by(37) {
            let question = framed(&[1, 4, 0, 0, 0, 22]);
            let start = 10 * SECOND + shift;
            let ends: Vec<u64> =
                (1..=question.len() as u64).map(|nth| start + nth * character(baud)).collect();
            let last = ends[ends.len() - 1];
            let mut seen = 0;
            let mut now = 10 * SECOND;
            let answered = loop {
                now += TICK;
                while seen < ends.len() && ends[seen] <= now {
                    node.byte(question[seen], now);
                    seen += 1;
                }
                if node.answer(now).is_some() {
                    break now;
                }
                assert!(now < last + SECOND, "{baud}: no answer");
            };
            // Modbus over serial line V1.02, section 2.5.1.1: fixed above 19200 baud.
            let silence = (character(baud) * 7 / 2).max(1_750);
            assert!(answered >= last + silence - TICK, "{baud}: into the silence");
            assert!(answered <= last + silence + 2_000, "{baud}: {} us", answered - last);
            worst = worst.max(answered - last - silence);
        }
    }
    eprintln!("an answer begins at most {worst} us after the silence");
}

#[test]
fn settings_are_kept_when_committed_and_forgotten_when_not() {
    let mut node = new();
    write(&mut node, 1, 0, 9, SECOND);
    assert!(ask(&mut node, &[1, 3, 0, 0, 0, 1], SECOND).is_some(), "not yet");
    assert_eq!(node.errand(SECOND), None);

    write(&mut node, 1, 3, COMMIT_KEY, 2 * SECOND);
    let Some(Errand::Save { slot, record }) = node.errand(2 * SECOND) else {
        panic!("nothing to save")
    };
    assert_eq!(write(&mut node, 1, 3, COMMIT_KEY, 2 * SECOND), Some(vec![1, 0x86, 6]), "busy");
    node.saved(true);

    assert_eq!(ask(&mut node, &[1, 3, 0, 0, 0, 1], 3 * SECOND), None, "it is another now");
    assert_eq!(ask(&mut node, &[9, 3, 0, 0, 0, 1], 3 * SECOND), Some(vec![9, 3, 2, 0, 9]));
    let mut slots = [ERASED; 2];
    slots[slot] = record;
    let mut again = Node::<Air>::new([&slots[0], &slots[1]], &MADE, 0);
    assert_eq!(ask(&mut again, &[9, 3, 0, 0, 0, 1], SECOND), Some(vec![9, 3, 2, 0, 9]));
    let first = Kept::load([&slots[0], &slots[1]], &air::MAP, *new().settings());
    assert_eq!(first.settings.address, 9);
}

#[test]
fn settings_that_cannot_be_written_change_nothing_and_say_so() {
    let mut node = new();
    write(&mut node, 1, 0, 9, SECOND);
    write(&mut node, 1, 3, COMMIT_KEY, SECOND);
    node.errand(SECOND);
    node.saved(false);

    assert_eq!(ask(&mut node, &[1, 3, 0, 5, 0, 1], SECOND), Some(vec![1, 3, 2, 0, 3]));
}

#[test]
fn what_no_node_may_be_told_is_refused_as_the_standard_says() {
    let cases = [
        ("address 0", 0, 0, 3),
        ("address 248", 0, 248, 3),
        ("a baud rate that is none", 1, 5, 3),
        ("a commit without the key", 3, 1, 3),
        ("a command of another node", 4, 18, 3),
        ("the result", 5, 1, 2),
        ("a register that is not there", 6, 0, 2),
        ("the last address there is", u16::MAX, 0, 2),
        ("a code for no data", 17, 0xFFFF, 3),
        ("a reference no air has", 17, 100, 3),
    ];
    for (why, address, word, exception) in cases {
        let answer = write(&mut new(), 1, address, word, SECOND);
        assert_eq!(answer, Some(vec![1, 0x86, exception]), "{why}");
    }
    let mut node = new();
    assert_eq!(write(&mut node, 0, 0, 9, SECOND), None);
    assert!(ask(&mut node, &[1, 3, 0, 0, 0, 1], SECOND).is_some(), "not by broadcast");
}

#[test]
fn two_orders_in_one_frame_are_refused_and_nothing_is_done() {
    let mut node = new();
    write(&mut node, 1, 0, 9, SECOND);
    let [key, low] = COMMIT_KEY.to_be_bytes();
    let [high, test] = SELF_TEST.to_be_bytes();

    let answer = ask(&mut node, &[1, 16, 0, 3, 0, 2, 4, key, low, high, test], SECOND);

    assert_eq!(answer, Some(vec![1, 0x90, 3]));
    assert_eq!(node.errand(SECOND), None);
    assert_eq!(ask(&mut node, &[1, 3, 0, 5, 0, 1], SECOND), Some(vec![1, 3, 2, 0, 0]));
}

#[test]
fn switches_win_over_the_register() {
    let made = Made { switches: 33, ..MADE };
    let mut node = Node::<Air>::new([&ERASED, &ERASED], &made, 0);

    assert_eq!(ask(&mut node, &[1, 3, 0, 0, 0, 1], SECOND), None);
    let status = ask(&mut node, &[33, 4, 0, 14, 0, 1], 2 * SECOND).expect("it answers");
    assert_ne!(u16::from_be_bytes([status[3], status[4]]) & status::SWITCHES, 0);
}

#[test]
fn a_self_test_names_the_chips_that_fail() {
    let mut node = new();
    write(&mut node, 1, 4, SELF_TEST, SECOND);
    assert_eq!(ask(&mut node, &[1, 3, 0, 5, 0, 1], SECOND), Some(vec![1, 3, 2, 0, 2]), "running");

    assert_eq!(node.errand(2 * SECOND), Some(Errand::AskWho));
    assert_eq!(node.errand(2 * SECOND), None, "once");
    while let Some(what) = node.due(2 * SECOND) {
        let is_dust = what == gatehouse_node::Quantity::Pm2_5;
        let measured =
            if is_dust { Err(gatehouse_contract::NoData::Timeout) } else { Ok(one(1.0)) };
        node.take(what, measured, 2 * SECOND);
    }

    assert_eq!(node.bank().counts(&SELF_TEST_RESULT), Ok(1 << 3));
    assert_eq!(ask(&mut node, &[1, 3, 0, 5, 0, 1], 3 * SECOND), Some(vec![1, 3, 2, 0, 1]), "done");
}

#[test]
fn a_restart_is_an_errand_after_the_answer() {
    let mut node = new();

    assert!(write(&mut node, 1, 4, RESTART, SECOND).is_some());
    assert_eq!(node.errand(SECOND), Some(Errand::Restart));
}

#[test]
fn a_measurement_that_never_ends_lets_the_watchdog_bite_though_the_line_answers() {
    let mut node = new();
    assert!(node.due(0).is_some());
    let mut now = 0;
    while node.may_pet(now) {
        now += SECOND / 2;
        node.errand(now);
        assert!(ask(&mut node, &[1, 4, 0, 0, 0, 22], now).is_some());
        assert_eq!(node.due(now), None);
        assert!(now < 60 * SECOND, "it is petted for ever");
    }
    assert_eq!(now, 10 * SECOND + SECOND / 2);
}

proptest! {
    /// Any bytes, damaged ones and pauses among them: never a panic, and afterwards the node answers.
    #[test]
    fn any_bytes_on_the_line_leave_a_node_that_answers(
        noise in prop::collection::vec((any::<u8>(), 0_u64..6_000, any::<bool>()), 0..600),
    ) {
        let mut node = new();
        let mut now = SECOND;
        for (byte, pause, is_damaged) in noise {
            if is_damaged && byte < 32 { node.damaged(now) } else { node.byte(byte, now) }
            now += pause;
            node.answer(now);
        }
        now += SECOND;
        node.answer(now);

        let answer = ask(&mut node, &[1, 4, 0, 0, 0, 22], now + SECOND);

        prop_assert_eq!(answer.map(|answer| answer.len()), Some(3 + 2 * 22));
    }

    /// The same with whole frames that have the right CRC: a gateway gone mad.
    #[test]
    fn any_frames_leave_a_node_that_answers_at_an_address_it_can_have(
        frames in prop::collection::vec((prop::sample::select(vec![3_u8, 4, 6, 16, 43]), prop_oneof![4 => 0_u16..24, 1 => any::<u16>(), 1 => 0xFFF0_u16..], any::<u16>(), prop::collection::vec(any::<u8>(), 0..8)), 0..60),
    ) {
        let mut node = new();
        let mut now = SECOND;
        for (function, address, word, rest) in frames {
            let ([a, b], [c, d]) = (address.to_be_bytes(), word.to_be_bytes());
            let unit = if node.settings().address == 1 { 1 } else { node.settings().address };
            ask(&mut node, &[&[unit, function, a, b, c, d][..], &rest].concat(), now);
            while let Some(errand) = node.errand(now) {
                match errand {
                    Errand::Save { .. } => node.saved(true),
                    Errand::CalibrateCo2(ppm) => {
                        prop_assert!((400..=2_000).contains(&ppm));
                        node.calibrated(true);
                    }
                    Errand::AskWho | Errand::Restart => {}
                }
            }
            while let Some(what) = node.due(now) {
                node.take(what, Ok(one(1.0)), now);
            }
            now += SECOND;
        }

        let unit = node.settings().address;
        prop_assert!((1..=247).contains(&unit));
        prop_assert!(ask(&mut node, &[unit, 4, 0, 0, 0, 22], now).is_some());
        prop_assert_eq!(node.bank().counts(&BUS_ERRORS), Ok(0));
    }
}
