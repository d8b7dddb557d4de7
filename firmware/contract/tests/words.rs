//! Every register of every map: what is encoded is decoded, and nothing else is taken for a value.

use gatehouse_contract::common::{self, KIND, MAGIC, MAP_VERSION};
use gatehouse_contract::{Access, Coding, MAPS, Map, NoData, Register, known};
use proptest::prelude::*;

fn registers() -> Vec<Register> {
    MAPS.into_iter().flat_map(|map| all(map).copied()).collect()
}

fn all(map: &Map) -> impl Iterator<Item = &'static Register> + use<> {
    map.table(Access::Input).chain(map.table(Access::Holding))
}

proptest! {
    #[test]
    fn counts_come_back_as_they_were(register in prop::sample::select(registers()), counts: i32) {
        let (lowest, highest) = register.range;
        let within = lowest <= counts && counts <= highest;

        let back = register.decode_counts(register.encode_counts(Ok(counts)).as_slice());

        prop_assert_eq!(back, if within { Ok(counts) } else { Err(NoData::Range) });
    }

    #[test]
    fn a_value_comes_back_to_half_a_count(register in prop::sample::select(registers()), share in 0.0..=1.0_f64) {
        prop_assume!(register.coding != Coding::U32);
        let (lowest, highest) = register.range;
        let step = f64::from(register.scale.0) / f64::from(register.scale.1);
        #[expect(clippy::cast_possible_truncation, reason = "it is a float that is meant")]
        let value = ((f64::from(lowest) + share * f64::from(highest - lowest)) * step) as f32;

        let back = register.decode(register.encode(Ok(value)).as_slice());

        let back = back.expect("it lies within the range");
        // A float of 24 bits adds a little of its own to half a count.
        let most = 0.5 * step + f64::from(value.abs()) * 1e-6;
        prop_assert!((f64::from(back) - f64::from(value)).abs() <= most, "{} became {}", value, back);
        prop_assert_eq!(register.encode(Ok(back)), register.encode(Ok(value)), "and stays");
    }

    #[test]
    fn any_words_are_a_value_in_range_or_none(register in prop::sample::select(registers()), words in prop::collection::vec(any::<u16>(), 0..4)) {
        let (lowest, highest) = register.range;
        match register.decode_counts(&words) {
            Ok(counts) => {
                prop_assert!((lowest..=highest).contains(&counts));
                let again = register.encode_counts(Ok(counts));
                prop_assert_eq!(again.as_slice(), &words[..]);
            }
            Err(why) if words.len() != usize::from(register.words()) => prop_assert_eq!(why, NoData::Fault),
            Err(_) => {}
        }
    }
}

#[test]
fn a_missing_value_keeps_its_reason_and_is_never_a_value() {
    for register in registers() {
        for why in NoData::ALL {
            let words = register.encode(Err(why));

            assert_eq!(register.decode(words.as_slice()), Err(why), "{}", register.name);
        }
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30] {
            let words = register.encode(Ok(wrong));

            assert_eq!(register.decode(words.as_slice()), Err(NoData::Range), "{}", register.name);
        }
    }
}

#[test]
fn codes_lie_outside_of_every_range() {
    for register in registers() {
        let (lowest, highest) = register.range;
        let top = match register.coding {
            Coding::U16 => 0xFFFF - 4,
            Coding::I16 => 0x7FFF - 4,
            Coding::U32 => i32::MAX,
        };
        let bottom = if register.coding == Coding::I16 { -0x8000 } else { 0 };
        assert!(bottom <= lowest && lowest <= highest && highest <= top, "{}", register.name);
        assert!(register.scale.0 > 0 && register.scale.1 > 0, "{}", register.name);
    }
}

#[test]
fn registers_do_not_overlap_and_input_registers_have_no_hole() {
    for map in MAPS {
        for table in [Access::Input, Access::Holding] {
            let mut next = 0;
            for register in map.table(table) {
                let is_gapless = table == Access::Holding || register.address == next;
                assert!(register.address >= next && is_gapless, "{} {}", map.name, register.name);
                next = register.end();
            }
            assert_eq!(map.end(table), next, "{}", map.name);
            // Modbus application protocol V1.1b3, section 6.3: one question holds so many.
            assert!(next <= 125, "{}", map.name);
        }
        let mut names: Vec<_> = all(map).map(|register| register.name).collect();
        names.sort_unstable();
        let many = names.len();
        names.dedup();
        assert_eq!(names.len(), many, "{}: a name twice", map.name);
    }
}

#[test]
fn a_map_is_known_by_kind_and_version_alone() {
    for map in MAPS {
        assert_eq!(known(map.kind, map.version), Some(map));
        assert_eq!(known(map.kind, map.version + 1), None);
        assert!(map.knows(common::SELF_TEST) && !map.knows(0xFF));
    }
    assert_eq!(known(9, 1), None);
}

#[test]
fn who_a_node_is_stands_where_every_version_has_it() {
    assert_eq!([MAGIC, KIND, MAP_VERSION].map(|register| register.address), [0, 1, 2]);
    assert_eq!(MAGIC.encode_counts(Ok(i32::from(common::MAGIC_WORD))).as_slice(), [0x4748]);
}

#[test]
fn a_temperature_below_zero_is_what_the_gateway_reads() {
    let words = gatehouse_contract::air::TEMPERATURE.encode(Ok(-5.25));

    assert_eq!(words.as_slice(), [0xFDF3]);
}
