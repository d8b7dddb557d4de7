use proptest::prelude::*;

use super::*;

const UNIT: u8 = 17;

/// Ten registers in each table; holding register 9 takes no value over 100.
struct Ten {
    holding: [u16; 10],
}

impl Served for Ten {
    fn input(&self, address: u16) -> Option<u16> {
        (address < 10).then_some(1_000 + address)
    }

    fn holding(&self, address: u16) -> Option<u16> {
        self.holding.get(usize::from(address)).copied()
    }

    fn write(&mut self, first: u16, words: &[u16], _: bool) -> Result<(), Exception> {
        let first = usize::from(first);
        let place = self.holding.get_mut(first..first + words.len());
        let place = place.ok_or(Exception::IllegalAddress)?;
        if first + words.len() == 10 && words.last().is_some_and(|word| *word > 100) {
            return Err(Exception::IllegalValue);
        }
        place.copy_from_slice(words);
        Ok(())
    }

    fn identity(&self, object: u8) -> Option<&str> {
        ["vendor", "product", "0.1"].get(usize::from(object)).copied()
    }
}

fn asked(content: &[u8]) -> (Outcome, Vec<u8>, Ten) {
    let mut frame = content.to_vec();
    frame.extend(crc16(content).to_le_bytes());
    let (mut ten, mut reply) = (Ten { holding: [5; 10] }, Reply::default());
    let outcome = answer(&frame, UNIT, &mut ten, &mut reply);
    let mut bytes = reply.as_slice().to_vec();
    if outcome == Outcome::Answered {
        let crc = bytes.split_off(bytes.len() - 2);
        assert_eq!(crc, crc16(&bytes).to_le_bytes(), "every answer has its CRC");
    }
    (outcome, bytes, ten)
}

#[test]
fn the_crc_is_that_of_the_standard() {
    // Modbus over serial line V1.02, section 6.2.2: 02 07 gives 41 12 on the wire.
    assert_eq!(crc16(&[0x02, 0x07]).to_le_bytes(), [0x41, 0x12]);
}

#[test]
fn a_question_gets_its_answer_or_the_right_exception() {
    let cases: [(&str, &[u8], &[u8]); 16] = [
        ("input registers", &[17, 4, 0, 8, 0, 2], &[17, 4, 4, 0x03, 0xF0, 0x03, 0xF1]),
        ("a holding register", &[17, 3, 0, 0, 0, 1], &[17, 3, 2, 0, 5]),
        ("half past the end", &[17, 4, 0, 9, 0, 2], &[17, 0x84, 2]),
        ("past the last address", &[17, 4, 0xFF, 0xFF, 0, 2], &[17, 0x84, 2]),
        ("nothing", &[17, 4, 0, 0, 0, 0], &[17, 0x84, 3]),
        ("more than a frame holds", &[17, 3, 0, 0, 0, 126], &[17, 0x83, 3]),
        ("a question cut short", &[17, 3, 0, 0, 0], &[17, 0x83, 3]),
        ("one register", &[17, 6, 0, 1, 1, 2], &[17, 6, 0, 1, 1, 2]),
        ("a value that may not be", &[17, 6, 0, 9, 1, 2], &[17, 0x86, 3]),
        ("two registers", &[17, 16, 0, 0, 0, 2, 4, 0, 1, 0, 2], &[17, 16, 0, 0, 0, 2]),
        ("a count that lies", &[17, 16, 0, 0, 0, 2, 255, 0, 1, 0, 2], &[17, 0x90, 3]),
        ("registers that are not there", &[17, 16, 0, 9, 0, 2, 4, 0, 1, 0, 2], &[17, 0x90, 2]),
        ("an echo", &[17, 8, 0, 0, 0xA5, 0x37], &[17, 8, 0, 0, 0xA5, 0x37]),
        ("coils, of which there are none", &[17, 1, 0, 0, 0, 1], &[17, 0x81, 1]),
        ("no function at all", &[17, 0x90, 1], &[17, 0x90, 1]),
        (
            "who it is",
            &[17, 43, 14, 1, 0],
            b"\x11\x2B\x0E\x01\x81\0\0\x03\0\x06vendor\x01\x07product\x02\x030.1",
        ),
    ];
    for (why, question, expected) in cases {
        let (outcome, reply, _) = asked(question);
        assert_eq!((outcome, &reply[..]), (Outcome::Answered, expected), "{why}");
    }
}

#[test]
fn several_registers_are_written_whole_or_not_at_all() {
    let (_, _, ten) = asked(&[17, 16, 0, 8, 0, 2, 4, 0, 1, 1, 2]);

    assert_eq!(ten.holding, [5; 10]);
}

#[test]
fn nobody_answers_a_broadcast_but_everybody_obeys() {
    let (outcome, reply, ten) = asked(&[0, 6, 0, 1, 0, 9]);

    assert_eq!((outcome, reply), (Outcome::Obeyed, vec![]));
    assert_eq!(ten.holding[1], 9);
}

#[test]
fn others_are_left_alone() {
    assert_eq!(asked(&[18, 3, 0, 0, 0, 1]).0, Outcome::NotOurs);
}

proptest! {
    #[test]
    fn any_bytes_end_in_silence_unless_the_crc_is_right(frame in prop::collection::vec(any::<u8>(), 0..300)) {
        let (mut ten, mut reply) = (Ten { holding: [5; 10] }, Reply::default());
        let outcome = answer(&frame, UNIT, &mut ten, &mut reply);

        let is_whole = frame.len() >= 4 && crc16(&frame[..frame.len() - 2]).to_le_bytes() == frame[frame.len() - 2..];
        prop_assert!(is_whole || outcome == Outcome::Damaged);
        prop_assert_eq!(outcome == Outcome::Answered, !reply.as_slice().is_empty());
    }

    #[test]
    fn any_content_with_a_right_crc_is_answered(
        function: u8,
        rest in prop::collection::vec(any::<u8>(), 0..252),
        near in any::<bool>(),
    ) {
        let mut content = vec![UNIT, function];
        content.extend(rest);
        if near && content.len() > 5 {
            // Within reach of what exists, or nothing would ever be found.
            (content[2], content[4]) = (0, 0);
            content[3] %= 12;
            content[5] %= 12;
        }
        let (outcome, reply, _) = asked(&content);

        prop_assert_eq!(outcome, Outcome::Answered);
        prop_assert_eq!(reply[0], UNIT);
        prop_assert_eq!(reply[1] | 0x80, function | 0x80);
        let is_exception = reply.len() == 3 && reply[1] == function | 0x80;
        prop_assert!(!is_exception || (1..=3).contains(&reply[2]));
    }
}
