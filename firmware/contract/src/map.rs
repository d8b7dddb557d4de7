//! All registers of a node: first what every node has, then its own.
//!
//! Input registers stand without a hole from 0 on, so that one question reads a whole node. Own input
//! registers begin at [`OWN`], so do own holding registers.

use crate::common;
use crate::register::{Access, Coding, Register};

/// Where a node's own registers begin, in both tables.
pub const OWN: u16 = 16;

/// What a node is and what it says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Map {
    /// Lower case; the gateway's device type is `node-<name>`.
    pub name: &'static str,
    pub title_en: &'static str,
    pub title_zh: &'static str,
    /// Stands in [`common::KIND`].
    pub kind: u16,
    /// Stands in [`common::MAP_VERSION`]; counted up whenever a register changes its meaning.
    pub version: u16,
    /// How often the gateway should ask, in seconds.
    pub every_s: u16,
    /// Its own registers, by table and address.
    pub registers: &'static [Register],
    /// Its own commands: the word for [`common::COMMAND`], its English and its Chinese name.
    pub commands: &'static [(u16, &'static str, &'static str)],
}

/// A table of registers.
pub type Table = Access;

impl Map {
    /// All registers of a table, by address.
    pub fn table(&self, table: Table) -> impl Iterator<Item = &'static Register> + use<> {
        let of_table = move |register: &&Register| register.access == table;
        common::REGISTERS.iter().chain(self.registers).filter(of_table)
    }

    /// The address after the last register of a table.
    pub fn end(&self, table: Table) -> u16 {
        self.table(table).map(Register::end).max().unwrap_or(0)
    }

    /// Whether the node knows this command.
    pub fn knows(&self, command: u16) -> bool {
        common::COMMANDS.iter().chain(self.commands).any(|(word, _, _)| *word == command)
    }
}

/// An own input register of one word; `nth` counts from [`OWN`].
pub(crate) const fn measured(
    nth: u16,
    name: &'static str,
    titles: (&'static str, &'static str),
    unit: &'static str,
    coding: Coding,
    scale: (i32, i32),
    range: (i32, i32),
) -> Register {
    let (title_en, title_zh) = titles;
    Register {
        address: OWN + nth,
        name,
        title_en,
        title_zh,
        unit,
        coding,
        access: Access::Input,
        scale,
        range,
        max_rate: 0.0,
        is_point: true,
    }
}

/// The same as a holding register, which is no point: an integrator sets it, the gateway does not.
pub(crate) const fn settable(register: Register) -> Register {
    Register { access: Access::Holding, is_point: false, ..register }
}
