//! What every node has: who it is, how it fares, where it is reached, what it can be told.
//!
//! Addresses here never change between versions, so that a reader can look at [`MAGIC`], [`KIND`] and
//! [`MAP_VERSION`] before it believes anything else.
//!
//! Address, baud and parity take effect in two steps, so that a slip on the wire does not lose a node:
//! write them, read them back, then write [`COMMIT_KEY`] to [`COMMIT`]. What was not committed is
//! forgotten at the next start.

use crate::register::{Access, Coding, Register};

/// Stands in [`MAGIC`]: "GH".
pub const MAGIC_WORD: u16 = 0x4748;
/// Written to [`COMMIT`]: keeps the settings, and takes up address, baud and parity after the answer.
pub const COMMIT_KEY: u16 = 0xC0DE;

/// Commands that every node knows.
pub const COMMANDS: [(u16, &str, &str); 3] = [
    (SELF_TEST, "self-test", "自检"),
    (RESTART, "restart", "重启"),
    (CLEAR, "clear counters", "计数清零"),
];
/// Every chip is started anew, asked who it is where it can tell, and measured once; the result stands in
/// [`SELF_TEST_RESULT`].
pub const SELF_TEST: u16 = 1;
/// The node starts anew after its answer; what was not committed is forgotten.
pub const RESTART: u16 = 2;
/// Bus errors, sensor errors, requests and the lowest supply voltage begin anew.
pub const CLEAR: u16 = 3;

/// What stands in [`RESULT`].
pub mod result {
    /// No command since the start.
    pub const NONE: i32 = 0;
    pub const DONE: i32 = 1;
    /// It takes its time.
    pub const RUNNING: i32 = 2;
    /// The conditions are not given, or the settings cannot be kept.
    pub const FAILED: i32 = 3;
}

/// What stands in [`RESET_CAUSE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum ResetCause {
    Unknown = 0,
    PowerOn = 1,
    BrownOut = 2,
    /// The reset pin.
    Pin = 3,
    /// A part of the program hung.
    Watchdog = 4,
    /// Told to, by [`RESTART`].
    Command = 5,
}

/// Bits of [`STATUS`].
pub mod status {
    /// One settings slot was damaged; the other one is in force.
    pub const SETTINGS_OLDER: u16 = 1 << 0;
    /// Both were; what the node was made with is in force.
    pub const SETTINGS_MADE: u16 = 1 << 1;
    /// There are settings that were not committed.
    pub const SETTINGS_OPEN: u16 = 1 << 2;
    /// Learning what is normal here: no answer yet.
    pub const LEARNING: u16 = 1 << 3;
    /// At least one chip gave no value in its last turn.
    pub const SENSOR: u16 = 1 << 4;
    /// Address switches are set: they override the address register.
    pub const SWITCHES: u16 = 1 << 5;
}

/// Baud rates by the code in [`BAUD`]. Modbus over serial line V1.02, section 2.5.1: 9600 and 19200 are
/// required of every device.
pub const BAUD_RATES: [u32; 5] = [9_600, 19_200, 38_400, 57_600, 115_200];

/// What stands in [`PARITY`]; without parity there are two stop bits (section 2.5.1).
pub mod parity {
    pub const EVEN: i32 = 0;
    pub const NONE: i32 = 1;
    pub const ODD: i32 = 2;
}

/// 63 years of seconds. Below the highest number, which a float cannot tell from its neighbours.
const TOP: i32 = 2_000_000_000;

pub const MAGIC: Register = input(0, "magic", "identity, 0x4748", "标识 0x4748", "1", 0xFFFB);
pub const KIND: Register =
    Register { is_point: true, ..input(1, "node_kind", "kind of node", "节点类型", "1", 255) };
pub const MAP_VERSION: Register = Register {
    is_point: true,
    ..input(2, "map_version", "version of this map", "寄存器表版本", "1", 255)
};
pub const FIRMWARE: Register =
    input(3, "firmware", "firmware, 256 * major + minor", "固件版本", "1", 0xFFFB);
pub const SERIAL: Register = wide(input(4, "serial", "serial number", "序列号", "1", TOP));
pub const UPTIME: Register = Register {
    is_point: true,
    ..wide(input(6, "uptime", "time since the start", "运行时间", "s", TOP))
};
pub const RESET_CAUSE: Register = Register {
    is_point: true,
    ..input(8, "reset_cause", "cause of the last start", "上次复位原因", "1", 5)
};
pub const BUS_ERRORS: Register = Register {
    is_point: true,
    ..input(9, "bus_errors", "damaged frames", "总线错误", "{frames}", COUNTED)
};
pub const SENSOR_ERRORS: Register = Register {
    is_point: true,
    ..input(10, "sensor_errors", "failed measurements", "传感器错误", "{errors}", COUNTED)
};
pub const SUPPLY: Register = Register {
    is_point: true,
    ..input(11, "supply", "supply voltage", "供电电压", "mV", 40_000)
};
pub const SUPPLY_LOWEST: Register = input(
    12,
    "supply_lowest",
    "lowest supply voltage since the start",
    "最低供电电压",
    "mV",
    40_000,
);
pub const SELF_TEST_RESULT: Register = Register {
    is_point: true,
    ..input(
        13,
        "self_test",
        "self-test: a bit for each chip that failed",
        "自检：故障芯片位",
        "1",
        0x00FF,
    )
};
pub const STATUS: Register =
    Register { is_point: true, ..input(14, "status", "status bits", "状态位", "1", 0x00FF) };
pub const REQUESTS: Register =
    input(15, "requests", "questions answered", "应答次数", "{requests}", COUNTED);

pub const ADDRESS: Register = holding(0, "address", "Modbus address", "Modbus 地址", "1", (1, 247));
pub const BAUD: Register = holding(1, "baud", "baud code", "波特率代码", "1", (0, 4));
pub const PARITY: Register =
    holding(2, "parity", "parity: 0 even, 1 none, 2 odd", "校验：0 偶 1 无 2 奇", "1", (0, 2));
pub const COMMIT: Register = holding(
    3,
    "commit",
    "write 0xC0DE to keep the settings",
    "写 0xC0DE 保存设置",
    "1",
    (0, 0xFFFB),
);
pub const COMMAND: Register = holding(4, "command", "command", "命令", "1", (0, 255));
pub const RESULT: Register =
    holding(5, "result", "result of the last command", "上条命令结果", "1", (0, 3));

/// Counters stop here instead of beginning anew, which would look like a restart.
pub const COUNTED: i32 = 65_000;

/// All of them, by table and address.
pub const REGISTERS: [Register; 20] = [
    MAGIC,
    KIND,
    MAP_VERSION,
    FIRMWARE,
    SERIAL,
    UPTIME,
    RESET_CAUSE,
    BUS_ERRORS,
    SENSOR_ERRORS,
    SUPPLY,
    SUPPLY_LOWEST,
    SELF_TEST_RESULT,
    STATUS,
    REQUESTS,
    ADDRESS,
    BAUD,
    PARITY,
    COMMIT,
    COMMAND,
    RESULT,
];

/// A whole number from 0 to `highest`.
const fn input(
    address: u16,
    name: &'static str,
    title_en: &'static str,
    title_zh: &'static str,
    unit: &'static str,
    highest: i32,
) -> Register {
    Register {
        address,
        name,
        title_en,
        title_zh,
        unit,
        coding: Coding::U16,
        access: Access::Input,
        scale: (1, 1),
        range: (0, highest),
        max_rate: 0.0,
        is_point: false,
    }
}

const fn wide(register: Register) -> Register {
    Register { coding: Coding::U32, ..register }
}

const fn holding(
    address: u16,
    name: &'static str,
    title_en: &'static str,
    title_zh: &'static str,
    unit: &'static str,
    range: (i32, i32),
) -> Register {
    let register = input(address, name, title_en, title_zh, unit, 0);
    Register { access: Access::Holding, range, ..register }
}
