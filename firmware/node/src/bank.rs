//! The words that the gateway reads: one table that the node writes, one that the gateway may write too.

use gatehouse_contract::{Access, Map, NoData, Register};

/// Words of a table; no map has more.
pub const ROOM: usize = 32;

/// Both tables of a node.
#[derive(Debug, Clone)]
pub struct Bank {
    map: &'static Map,
    input: [u16; ROOM],
    holding: [u16; ROOM],
}

impl Bank {
    /// All registers of the map, with nothing measured yet.
    pub fn new(map: &'static Map) -> Self {
        let mut bank = Self { map, input: [0; ROOM], holding: [0; ROOM] };
        for register in map.table(Access::Input) {
            bank.put(register, Err(NoData::Absent));
        }
        bank
    }

    /// Puts a value in the register's unit.
    pub fn put(&mut self, register: &Register, value: Result<f32, NoData>) {
        self.write(register, register.encode(value).as_slice());
    }

    /// Puts counts.
    pub fn count(&mut self, register: &Register, counts: Result<i32, NoData>) {
        self.write(register, register.encode_counts(counts).as_slice());
    }

    /// A counter that stops at its highest instead of beginning anew.
    pub fn count_up(&mut self, register: &Register) {
        let counts = self.counts(register).unwrap_or(0);
        self.count(register, Ok((counts + 1).min(register.range.1)));
    }

    /// What stands there.
    pub fn counts(&self, register: &Register) -> Result<i32, NoData> {
        let at = usize::from(register.address);
        let table = match register.access {
            Access::Input => &self.input,
            Access::Holding => &self.holding,
        };
        table
            .get(at..at + usize::from(register.words()))
            .map_or(Err(NoData::Absent), |words| register.decode_counts(words))
    }

    /// The same in the register's unit.
    pub fn value(&self, register: &Register) -> Result<f32, NoData> {
        let counts = self.counts(register)?;
        register.decode(register.encode_counts(Ok(counts)).as_slice())
    }

    /// The register that this word belongs to.
    pub fn register(&self, table: Access, address: u16) -> Option<&'static Register> {
        let has = |register: &&Register| (register.address..register.end()).contains(&address);
        self.map.table(table).find(has)
    }

    /// A word that exists.
    pub fn word(&self, table: Access, address: u16) -> Option<u16> {
        self.register(table, address)?;
        let words = match table {
            Access::Input => &self.input,
            Access::Holding => &self.holding,
        };
        words.get(usize::from(address)).copied()
    }

    pub fn map(&self) -> &'static Map {
        self.map
    }

    fn write(&mut self, register: &Register, words: &[u16]) {
        let table = match register.access {
            Access::Input => &mut self.input,
            Access::Holding => &mut self.holding,
        };
        let at = usize::from(register.address);
        if let Some(place) = table.get_mut(at..at + words.len()) {
            place.copy_from_slice(words);
        }
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_contract::{MAPS, air, common};

    use super::*;

    #[test]
    fn every_map_has_room() {
        for map in MAPS {
            for table in [Access::Input, Access::Holding] {
                assert!(usize::from(map.end(table)) <= ROOM, "{}", map.name);
            }
        }
    }

    #[test]
    fn what_was_put_is_read_and_what_was_not_is_absent() {
        let mut bank = Bank::new(&air::MAP);
        bank.put(&air::TEMPERATURE, Ok(-5.25));
        bank.count(&common::UPTIME, Ok(70_000));
        bank.count_up(&common::BUS_ERRORS);

        assert_eq!(bank.value(&air::TEMPERATURE), Ok(-5.25));
        assert_eq!(bank.value(&air::HUMIDITY), Err(NoData::Absent));
        assert_eq!(bank.counts(&common::BUS_ERRORS), Ok(1));
        let uptime = [6, 7].map(|address| bank.word(Access::Input, address));
        assert_eq!(uptime, [Some(1), Some(4_464)]);
        assert_eq!(bank.word(Access::Input, air::MAP.end(Access::Input)), None);
    }
}
