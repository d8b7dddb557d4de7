//! What a node keeps over a power cut, in two slots of flash.
//!
//! A write goes to the slot that is not in force, and counts only when its CRC is right. So a power cut
//! at any byte of a write leaves the settings from before, and a slot that rots leaves the other one.
//! The higher sequence wins; it never comes round in the life of a flash page.
//!
//! A record, little-endian: mark (4), kind (2), layout (2), sequence (4), address, baud, parity, nothing
//! (4), own holding registers (2 each), calibrations (4 each), CRC-32 of all that (4).

use gatehouse_contract::Map;
use gatehouse_contract::common::{ADDRESS, BAUD, PARITY};
use gatehouse_contract::register::Register;

/// Own holding registers that are kept.
pub const OWN: usize = 4;
/// Numbers that a calibration leaves behind.
pub const CALIBRATIONS: usize = 6;
/// Bytes of a record: a multiple of 4, as flash wants it.
pub const RECORD: usize = 16 + 2 * OWN + 4 * CALIBRATIONS + 4;

const MARK: [u8; 4] = *b"GHns";
/// Counted up when the record changes; one of another layout is no record.
const LAYOUT: u16 = 1;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// 1..=247.
    pub address: u8,
    /// Position in `BAUD_RATES`.
    pub baud: u8,
    /// As in `common::parity`.
    pub parity: u8,
    /// The map's own holding registers, as words.
    pub own: [u16; OWN],
    pub calibration: [f32; CALIBRATIONS],
}

/// Where the settings in force come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Both slots were sound, or the other one has never been written.
    Slot,
    /// The other slot was damaged; it may have been the newer one.
    Older,
    /// Neither slot holds a record.
    Made,
}

/// The settings in force, and where the next ones go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kept {
    pub settings: Settings,
    pub origin: Origin,
    sequence: u32,
    /// The slot that is not in force.
    next: usize,
}

impl Kept {
    /// Reads both slots; `made` is what the node was made with.
    pub fn load(slots: [&[u8]; 2], map: &Map, made: Settings) -> Self {
        let [first, second] = slots.map(|slot| read(slot, map));
        let is_damaged = |slot: &[u8], read: &Option<_>| {
            read.is_none() && slot.iter().any(|byte| *byte != 0xFF && *byte != 0)
        };
        let damaged = is_damaged(slots[0], &first) || is_damaged(slots[1], &second);
        let origin = if damaged { Origin::Older } else { Origin::Slot };
        let (sequence, settings, next) = match (first, second) {
            (Some((a, settings)), Some((b, _))) if a > b => (a, settings, 1),
            (_, Some((sequence, settings))) => (sequence, settings, 0),
            (Some((sequence, settings)), None) => (sequence, settings, 1),
            (None, None) => {
                return Self { settings: made, origin: Origin::Made, sequence: 0, next: 0 };
            }
        };
        Self { settings, origin, sequence, next }
    }

    /// The record to write and the slot that it goes to. Nothing is in force until [`Kept::written`].
    pub fn record(&self, settings: &Settings, map: &Map) -> (usize, [u8; RECORD]) {
        (self.next, write(settings, map, self.sequence + 1))
    }

    /// The record of these settings stands in its slot.
    pub fn written(&mut self, settings: Settings) {
        let (sequence, next) = (self.sequence + 1, 1 - self.next);
        *self = Self { settings, origin: Origin::Slot, sequence, next };
    }
}

fn write(settings: &Settings, map: &Map, sequence: u32) -> [u8; RECORD] {
    let Settings { address, baud, parity, own, calibration } = settings;
    let mut record = [0; RECORD];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        record[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(&MARK);
    put(&map.kind.to_le_bytes());
    put(&LAYOUT.to_le_bytes());
    put(&sequence.to_le_bytes());
    put(&[*address, *baud, *parity, 0]);
    for word in own {
        put(&word.to_le_bytes());
    }
    for number in calibration {
        put(&number.to_le_bytes());
    }
    let crc = crc32(&record[..RECORD - 4]);
    record[RECORD - 4..].copy_from_slice(&crc.to_le_bytes());
    record
}

/// A record of this kind of node whose every value is one.
fn read(slot: &[u8], map: &Map) -> Option<(u32, Settings)> {
    let (record, _) = slot.split_first_chunk::<RECORD>()?;
    let (content, crc) = record.split_last_chunk::<4>()?;
    if crc32(content) != u32::from_le_bytes(*crc) {
        return None;
    }
    let (head, rest) = content.split_first_chunk::<16>()?;
    let [m0, m1, m2, m3, k0, k1, l0, l1, s0, s1, s2, s3, address, baud, parity, _] = *head;
    let is_ours = [m0, m1, m2, m3] == MARK
        && u16::from_le_bytes([k0, k1]) == map.kind
        && u16::from_le_bytes([l0, l1]) == LAYOUT;
    let holds = |register: &Register, value: u8| {
        (register.range.0..=register.range.1).contains(&i32::from(value))
    };
    let is_meant = holds(&ADDRESS, address) && holds(&BAUD, baud) && holds(&PARITY, parity);
    if !is_ours || !is_meant {
        return None;
    }
    let (words, numbers) = rest.split_at_checked(2 * OWN)?;
    let mut own = [0; OWN];
    for (word, bytes) in own.iter_mut().zip(words.as_chunks().0) {
        *word = u16::from_le_bytes(*bytes);
    }
    let mut calibration = [0.0; CALIBRATIONS];
    for (number, bytes) in calibration.iter_mut().zip(numbers.as_chunks().0) {
        *number = f32::from_le_bytes(*bytes);
    }
    let settings = Settings { address, baud, parity, own, calibration };
    Some((u32::from_le_bytes([s0, s1, s2, s3]), settings))
}

/// CRC-32 of ISO 3309 (reflected, 0xEDB88320), bit by bit: 64 bytes at a start and at a save.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use gatehouse_contract::{air, bin};

    use super::*;

    const MADE: Settings = Settings {
        address: 1,
        baud: 0,
        parity: 0,
        own: [0; OWN],
        calibration: [0.0; CALIBRATIONS],
    };

    /// Two slots of flash, erased.
    fn erased() -> [[u8; RECORD]; 2] {
        [[0xFF; RECORD]; 2]
    }

    fn load(slots: &[[u8; RECORD]; 2]) -> Kept {
        Kept::load([&slots[0], &slots[1]], &air::MAP, MADE)
    }

    fn addressed(address: u8) -> Settings {
        Settings { address, own: [7, 0, 0xFFF0, 1], ..MADE }
    }

    #[test]
    fn the_check_value_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_node_that_was_never_set_is_what_it_was_made() {
        let kept = load(&erased());

        assert_eq!((kept.settings, kept.origin), (MADE, Origin::Made));
    }

    #[test]
    fn a_power_cut_at_any_byte_leaves_the_old_settings_or_the_new() {
        let mut slots = erased();
        let mut kept = load(&slots);
        for address in 2..9 {
            let before = kept.settings;
            let (slot, record) = kept.record(&addressed(address), &air::MAP);
            for cut in 0..RECORD {
                let mut torn = slots;
                torn[slot] = [0xFF; RECORD];
                torn[slot][..cut].copy_from_slice(&record[..cut]);
                assert_eq!(load(&torn).settings, before, "cut at byte {cut}");
            }
            slots[slot] = record;
            kept.written(addressed(address));
            assert_eq!(load(&slots), kept);
        }
    }

    #[test]
    fn any_flipped_bit_falls_back_to_the_other_slot() {
        let mut slots = erased();
        let mut kept = load(&slots);
        for address in [2, 3] {
            let (slot, record) = kept.record(&addressed(address), &air::MAP);
            slots[slot] = record;
            kept.written(addressed(address));
        }
        for (slot, left) in [(0, 3), (1, 2)] {
            for bit in 0..8 * RECORD {
                let mut rotten = slots;
                rotten[slot][bit / 8] ^= 1 << (bit % 8);
                let kept = load(&rotten);
                assert_eq!(
                    (kept.settings.address, kept.origin),
                    (left, Origin::Older),
                    "bit {bit}"
                );
            }
        }
    }

    #[test]
    fn settings_of_another_kind_of_node_are_none() {
        let mut slots = erased();
        let (slot, record) = load(&slots).record(&addressed(5), &bin::MAP);
        slots[slot] = record;

        assert_eq!(load(&slots).origin, Origin::Made);
    }
}
