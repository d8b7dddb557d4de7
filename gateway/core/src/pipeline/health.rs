//! The gateway's own scenes: silent devices and wires, refused readings, a disk that fails, models that
//! do not load or were taken back.
//!
//! They need no file: every community has them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::boundary::Damage;
use crate::alert::standing::{self, Trouble};
use crate::community::quantity::{Language, Text};
use crate::community::scene::Tier;
use crate::detect::Evidence;
use crate::reasons;

/// A scene that the gateway brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    DeviceSilent,
    SourceSilent,
    FeederSilent,
    DeviceRefused,
    ClockWentBack,
    StoreFailed,
    StoreDamaged,
    ModelsMissing,
    ChannelDown,
    CandidateStopped,
    BundleWithdrawn,
    SettingsSetAside,
    FlashWears,
}

impl Health {
    pub(super) const ALL: [Self; 13] = [
        Self::DeviceSilent,
        Self::SourceSilent,
        Self::FeederSilent,
        Self::DeviceRefused,
        Self::ClockWentBack,
        Self::StoreFailed,
        Self::StoreDamaged,
        Self::ModelsMissing,
        Self::ChannelDown,
        Self::CandidateStopped,
        Self::BundleWithdrawn,
        Self::SettingsSetAside,
        Self::FlashWears,
    ];

    /// The scene's id in its events.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::DeviceSilent => "device-silent",
            Self::SourceSilent => "source-silent",
            Self::FeederSilent => "feeder-silent",
            Self::DeviceRefused => "device-refused",
            Self::ClockWentBack => "clock-went-back",
            Self::StoreFailed => "store-failed",
            Self::StoreDamaged => "store-damaged",
            Self::ModelsMissing => "models-missing",
            Self::ChannelDown => standing::SCENE,
            Self::CandidateStopped => "candidate-stopped",
            Self::BundleWithdrawn => "bundle-withdrawn",
            Self::SettingsSetAside => "settings-set-aside",
            Self::FlashWears => "flash-wears",
        }
    }

    pub(super) fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|health| health.id() == id)
    }

    pub(super) fn title(self) -> Text {
        match self {
            Self::DeviceSilent => Text::new("设备失联", "Device silent"),
            Self::SourceSilent => Text::new("整条线路或代理失联", "Whole line or broker silent"),
            Self::FeederSilent => Text::new("整路供电或网络失联", "Whole feeder silent"),
            Self::DeviceRefused => Text::new("设备数据异常", "Device sends bad data"),
            Self::ClockWentBack => Text::new("设备时钟回拨", "Device clock went back"),
            Self::StoreFailed => Text::new("网关存储故障", "Gateway storage failed"),
            Self::StoreDamaged => Text::new("网关存储曾损坏", "Gateway storage was damaged"),
            Self::ModelsMissing => Text::new("模型未能加载", "Models did not load"),
            Self::ChannelDown => Text::new("告警通道不通", "Alert channel down"),
            Self::CandidateStopped => Text::new("候选模型已停用", "Candidate models were stopped"),
            Self::BundleWithdrawn => Text::new("配置包已自动回退", "A bundle was rolled back"),
            Self::SettingsSetAside => {
                Text::new("控制台设置已被隔离", "Settings of the console were set aside")
            }
            Self::FlashWears => Text::new("存储卡即将耗尽", "Flash is wearing out"),
        }
    }

    pub(super) fn advice(self) -> Text {
        match self {
            Self::DeviceSilent => Text::new(
                "检查设备供电、电池和信号；恢复后事件自动消除。",
                "Check the device's power, battery and signal; the event clears when it speaks again.",
            ),
            Self::SourceSilent => Text::new(
                "检查该线路的接线、串口服务器或代理是否在线。",
                "Check the line's wiring, its serial server or the broker.",
            ),
            Self::FeederSilent => Text::new(
                "检查该路供电和网络；所列设备同时失联。",
                "Check that supply and its network; the listed devices fell silent together.",
            ),
            Self::DeviceRefused => Text::new(
                "核对设备型号配置与接线；必要时更换传感器。",
                "Compare the device type with the product and its wiring; replace the sensor if need be.",
            ),
            Self::ClockWentBack => Text::new(
                "检查设备的校时和电池；确认正确后无需处理，事件自动消除。",
                "Check the device's time server and battery; nothing to do when its time is right now; the event clears by itself.",
            ),
            Self::StoreFailed => Text::new(
                "立即检查磁盘空间和存储卡；在恢复之前新事件只保存在内存中。",
                "Check disk space and the storage card at once; until then new events live in memory only.",
            ),
            Self::StoreDamaged => Text::new(
                "逐一核对平台上此前未结束的事件，网关不再跟踪它们；检查存储卡和供电，再次发生则更换；被隔离的目录可交维护人员查看，不需要时可删除。",
                "Go through the events that the platform still shows as open: the gateway no longer follows those from before. Check the storage card and its power; replace it when this happens again. What was set aside may be looked at, and deleted when nobody needs it.",
            ),
            Self::ModelsMissing => Text::new(
                "规则照常运行；用 `gatehouse check` 查看原因，重新安装所列模型，再重新加载配置。",
                "Rules go on. `gatehouse check` says what is wrong; install the named models again, then reload.",
            ),
            Self::ChannelDown => Text::new(
                "用 `gatehouse alerts test` 测试该通道，原因见“人员”页；恢复送达后事件自动消除。在此之前请用其他方式通知只有此通道的人员。",
                "Try it with `gatehouse alerts test`; the page on people says why. The event clears when the channel delivers again. Until then call those who have no other channel.",
            ),
            Self::CandidateStopped => Text::new(
                "现用模型照常运行，无需处理；请将 `gatehouse models compare` 的结果交给模型提供方。",
                "Nothing to do: the live models go on. Give what `gatehouse models compare` prints to whoever made the candidate.",
            ),
            Self::BundleWithdrawn => Text::new(
                "之前的配置已恢复，无需处理；请核对该包启用期间的报警，并将原因以及 `gatehouse models compare` 的结果交给提供方。",
                "What was installed before is back. Doubt the alerts of the time in between, and give the reason, with what `gatehouse models compare` prints, to whoever made the bundle.",
            ),
            Self::SettingsSetAside => Text::new(
                "网关按配置文件运行。请核对场景状态和在控制台上接入的设备，重新设置；也可改正被隔离的文件，放回原处后重启。",
                "The configuration's own files rule. Look through the scenes and the devices that were connected on the console and set them again; or mend what was set aside, put it back under its old name and restart.",
            ),
            Self::FlashWears => Text::new(
                "在此之前更换存储卡或网关：`gatehouse backup` 备份，在新设备上 `gatehouse restore`；同时查找写入量大的程序。",
                "Replace the card or the box before that: `gatehouse backup`, then `gatehouse restore` on the new one; and look for what writes so much.",
            ),
        }
    }

    pub(super) fn tier(self) -> Tier {
        match self {
            Self::DeviceSilent | Self::DeviceRefused | Self::ClockWentBack => Tier::Grid,
            Self::SourceSilent
            | Self::FeederSilent
            | Self::StoreFailed
            | Self::StoreDamaged
            | Self::ModelsMissing
            | Self::ChannelDown
            | Self::CandidateStopped
            | Self::BundleWithdrawn
            | Self::SettingsSetAside
            | Self::FlashWears => Tier::Community,
        }
    }

    pub(super) fn level(self) -> u8 {
        match self {
            Self::DeviceSilent
            | Self::DeviceRefused
            | Self::ClockWentBack
            | Self::CandidateStopped => 4,
            Self::SourceSilent
            | Self::FeederSilent
            | Self::BundleWithdrawn
            | Self::SettingsSetAside
            | Self::FlashWears => 3,
            Self::StoreFailed => 1,
            Self::StoreDamaged | Self::ModelsMissing | Self::ChannelDown => 2,
        }
    }

    /// Whether it happened and is over, and is only told for a while.
    pub(super) fn has_happened(self) -> bool {
        match self {
            Self::StoreDamaged
            | Self::CandidateStopped
            | Self::BundleWithdrawn
            | Self::SettingsSetAside => true,
            Self::DeviceSilent
            | Self::SourceSilent
            | Self::FeederSilent
            | Self::DeviceRefused
            | Self::ClockWentBack
            | Self::StoreFailed
            | Self::ModelsMissing
            | Self::ChannelDown
            | Self::FlashWears => false,
        }
    }

    /// Whether it is about the gateway itself; everything else has a device to go to.
    pub(super) fn is_of_the_gateway(self) -> bool {
        matches!(
            self,
            Self::StoreFailed | Self::ModelsMissing | Self::ChannelDown | Self::FlashWears
        ) || self.has_happened()
    }

    /// Evidence that is a sentence and nothing else.
    pub(super) fn evidence(self, why: Text) -> Evidence {
        Evidence {
            detector: self.id().to_owned(),
            model: "rule".to_owned(),
            score: 1.0,
            threshold: 1.0,
            over: 0.0,
            certainty: 1.0,
            why,
            contributions: Vec::new(),
            quality: 0.0,
        }
    }
}

/// How many were refused, for which reasons, most frequent first.
pub(super) fn told_refusals(by_reason: &BTreeMap<&'static str, u64>) -> Text {
    let total: u64 = by_reason.values().sum();
    let mut most: Vec<_> = by_reason.iter().collect();
    most.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let list = |language, comma| {
        let told = most.iter().map(|(word, n)| format!("{} {n}", reasons::told(language, word)));
        told.collect::<Vec<_>>().join(comma)
    };
    let (zh, en) = (list(Language::Zh, "、"), list(Language::En, ", "));
    Text::new(
        format!("拒收 {total} 条数据：{zh}"),
        format!("{total} frames or readings were refused: {en}"),
    )
}

/// Which channel, and what is wrong with it; what the other side said may name people, and stays here.
pub(super) fn told_channel(channel: &str, trouble: Trouble) -> Text {
    match trouble {
        Trouble::Unreachable => Text::new(
            format!("通道 {channel} 已超过 10 分钟无法送达"),
            format!("the channel `{channel}` has delivered nothing for over 10 min"),
        ),
        Trouble::Misconfigured => Text::new(
            format!("通道 {channel} 的配置有误，或机器人、账号已失效"),
            format!("the channel `{channel}` is set up wrongly, or its robot or account has ended"),
        ),
        Trouble::Refused => Text::new(
            format!("通道 {channel} 有消息被拒收或已放弃发送"),
            format!(
                "the channel `{channel}` does not take messages for somebody; one was given up"
            ),
        ),
    }
}

/// What was lost, and where what is left of it lies.
pub(super) fn told_damage(damage: &Damage) -> Text {
    match damage {
        Damage::SetAside { to, why } => Text::new(
            format!(
                "启动时数据库已损坏（{why}），已隔离到 {to} 并新建；平台尚未确认的记录和未结束的事件已丢失"
            ),
            format!(
                "at the start the database was found damaged ({why}); it was set aside as {to} and a \
                 fresh one begun; records that the platform had not confirmed and the memory of open \
                 events are lost"
            ),
        ),
        Damage::CutShort { from, to } => Text::new(
            format!("启动时发现最新的记录已丢失：序号 {from} 至 {to}"),
            format!("at the start the newest records were missing: sequences {from} to {to}"),
        ),
    }
}

/// A length of time in the largest unit that says enough.
pub(super) fn told_span(span: Duration) -> Text {
    let seconds = span.as_secs();
    match seconds {
        0..=119 => Text::new(format!("{seconds} 秒"), format!("{seconds} s")),
        120..=7_199 => Text::new(format!("{} 分钟", seconds / 60), format!("{} min", seconds / 60)),
        7_200..=172_799 => {
            Text::new(format!("{} 小时", seconds / 3_600), format!("{} h", seconds / 3_600))
        }
        _ => Text::new(format!("{} 天", seconds / 86_400), format!("{} days", seconds / 86_400)),
    }
}
