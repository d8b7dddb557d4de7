//! CRC-8 of Sensirion's sensors: polynomial 0x31, start 0xFF, nothing reflected
//! (Datasheet SHT3x-DIS, version 7, section 4.12, table 20).

/// The checksum of one word of two bytes.
pub fn crc8(bytes: &[u8]) -> u8 {
    let mut crc = 0xFF_u8;
    for byte in bytes {
        crc ^= byte;
        for _ in 0..8 {
            crc = if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ 0x31 };
        }
    }
    crc
}

/// Words as they stand on the wire, each followed by its checksum; none when one is damaged.
pub fn words<const N: usize>(raw: &[u8]) -> Option<[u16; N]> {
    let mut words = [0; N];
    let (chunks, rest) = raw.as_chunks::<3>();
    if chunks.len() != N || !rest.is_empty() {
        return None;
    }
    for (word, [high, low, crc]) in words.iter_mut().zip(chunks) {
        if crc8(&[*high, *low]) != *crc {
            return None;
        }
        *word = u16::from_be_bytes([*high, *low]);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_datasheets_example_comes_out() {
        // SHT3x-DIS section 4.12: CRC (0xBEEF) = 0x92.
        assert_eq!(crc8(&[0xBE, 0xEF]), 0x92);
        assert_eq!(words(&[0xBE, 0xEF, 0x92]), Some([0xBEEF]));
    }

    proptest! {
        #[test]
        fn one_or_two_flipped_bits_are_always_noticed(word: u16, a in 0..24_u32, b in 0..24_u32) {
            let [high, low] = word.to_be_bytes();
            let whole = u32::from_be_bytes([0, high, low, crc8(&[high, low])]);
            let flipped = whole ^ (1 << a) ^ (1 << b);
            let raw = flipped.to_be_bytes();

            let found: Option<[u16; 1]> = words(&raw[1..]);

            prop_assert_eq!(found.is_some(), a == b);
        }

        #[test]
        fn any_bytes_are_words_or_nothing(raw in proptest::collection::vec(any::<u8>(), 0..10)) {
            let found: Option<[u16; 2]> = words(&raw);
            prop_assert!(found.is_none() || raw.len() == 6);
        }
    }
}
