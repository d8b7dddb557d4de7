//! Maps as tables for people.

use std::fmt::Write as _;

use gatehouse_contract::common::{COMMANDS, REGISTERS};
use gatehouse_contract::{Access, Coding, Map, Register};

use super::shown;

/// What every node has.
pub(super) fn common() -> String {
    both(&REGISTERS) + &commands(&COMMANDS)
}

/// What one node has beside that.
pub(super) fn of(map: &Map) -> String {
    let who = format!("Kind {}, map version {}.\n\n", map.kind, map.version);
    who + &both(map.registers) + &commands(map.commands)
}

fn both(registers: &[Register]) -> String {
    let of = |wanted: Access| {
        let rows = registers.iter().filter(|register| register.access == wanted).map(row);
        rows.collect::<String>()
    };
    let head = "| address | name | what | coding | unit | range |\n| --- | --- | --- | --- | --- | --- |\n";
    format!(
        "Input registers (function 4):\n\n{head}{}\nHolding registers (functions 3, 6, 16):\n\n{head}{}\n",
        of(Access::Input),
        of(Access::Holding)
    )
}

fn row(register: &Register) -> String {
    let Register { address, name, title_en, unit, coding, range, .. } = register;
    let coding = match coding {
        Coding::U16 => "u16",
        Coding::I16 => "i16",
        Coding::U32 => "u32, high word first",
    };
    let scale = match shown(register, 1).as_str() {
        "1" => String::new(),
        scale => format!(" × {scale}"),
    };
    let (lowest, highest) = (shown(register, range.0), shown(register, range.1));
    format!(
        "| {address} | `{name}` | {title_en} | {coding}{scale} | {unit} | {lowest} … {highest} |\n"
    )
}

fn commands(commands: &[(u16, &str, &str)]) -> String {
    let mut text = String::from("Commands:\n\n| word | does |\n| --- | --- |\n");
    for (word, title, _) in commands {
        writeln!(text, "| {word} | {title} |").unwrap();
    }
    text
}
