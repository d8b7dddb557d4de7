//! What is said to a request that gets nothing: a page for a browser, a problem
//! ([`super::api::problem`]) for a script.

use std::time::Duration;

use axum::extract::Extension;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::action::NotDone;

use super::api::problem::Problem;
use super::guard::Reader;
use super::page;
use super::words::camera::no_still;
use crate::accounts::password::NoHash;
use crate::stills::NoStillNow;

/// Why a request gets nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    NotFound,
    WrongMethod,
    /// Nobody is logged in; a browser is shown the way.
    NoLogin,
    WrongToken,
    Locked(Duration),
    /// The request names another host than this one: a page elsewhere points its name at us.
    ForeignHost,
    /// A page elsewhere sent it.
    ForeignOrigin,
    BadForm,
    /// A verdict without a name, or with too long a one.
    NoName,
    NoEvent,
    /// A form that is about no event, or about too many.
    NothingChosen,
    /// A verdict that the engine or the disk did not take.
    NotHeard,
    TooManyStreams,
    NoRandom,
    WrongPassword,
    /// Known, but without the right.
    NotAllowed,
    /// A form without its session's `csrf`: forged, or from before the last login.
    OldForm,
    TooLong,
    /// An upload.
    NoPicture,
    /// None of the event was kept, or its time is over.
    NoStill,
    /// A picture that cannot be taken, and why.
    NotMasked(NoStillNow),
    /// So much is reported by one person that it is not read any more.
    TooMuch,
    /// Too many passwords are being judged.
    Busy,
    /// Nothing but the set-up before there is an account.
    NotSetUp,
    /// A file of ours cannot be read or written.
    NotKept,
    /// A script's request that cannot be read, and why.
    Malformed(String),
    NotJson,
    /// What the event or the configuration does not allow.
    NotDone(NotDone),
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::NoEvent | Self::NoStill => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoLogin | Self::WrongToken | Self::WrongPassword => StatusCode::UNAUTHORIZED,
            Self::Locked(_) | Self::TooMuch => StatusCode::TOO_MANY_REQUESTS,
            Self::ForeignHost => StatusCode::MISDIRECTED_REQUEST,
            Self::ForeignOrigin | Self::NotAllowed | Self::OldForm | Self::NotSetUp => {
                StatusCode::FORBIDDEN
            }
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoPicture | Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotDone(NotDone::NotNow { .. }) => StatusCode::CONFLICT,
            Self::Malformed(_) | Self::BadForm | Self::NoName | Self::NothingChosen => {
                StatusCode::BAD_REQUEST
            }
            Self::TooManyStreams
            | Self::NoRandom
            | Self::NotHeard
            | Self::Busy
            | Self::NotMasked(NoStillNow::Busy)
            | Self::NotKept => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotMasked(_) | Self::NotDone(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    /// The word by which programs tell one from another; never changed.
    fn word(&self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::NoEvent => "no-event",
            Self::WrongMethod => "wrong-method",
            Self::NoLogin => "no-login",
            Self::WrongToken => "wrong-token",
            Self::WrongPassword => "wrong-password",
            Self::Locked(_) => "locked",
            Self::ForeignHost => "foreign-host",
            Self::ForeignOrigin => "foreign-origin",
            Self::NotAllowed => "not-allowed",
            Self::OldForm => "old-form",
            Self::NotSetUp => "not-set-up",
            Self::TooLong => "too-long",
            Self::NotJson => "not-json",
            Self::NoPicture => "no-picture",
            Self::NoStill => "no-still",
            Self::TooMuch => "too-much",
            Self::Malformed(_) | Self::BadForm | Self::NoName | Self::NothingChosen => "malformed",
            Self::TooManyStreams => "too-many-streams",
            Self::NoRandom | Self::Busy | Self::NotMasked(NoStillNow::Busy) => "busy",
            Self::NotMasked(_) => "not-masked",
            Self::NotHeard | Self::NotKept => "not-written",
            Self::NotDone(why) => match why {
                NotDone::Unknown => "no-event",
                NotDone::NotNow { .. } => "not-now",
                NotDone::NoSuchPerson(_) => "no-such-person",
                NotDone::NoSuchPlace(_) => "no-such-place",
                NotDone::Nameless => "nameless",
                NotDone::TooLong => "too-long",
                NotDone::BadTime => "bad-time",
            },
        }
    }

    /// What happened, and what to do next.
    #[expect(clippy::too_many_lines, reason = "a table of texts")]
    fn say(&self, language: Language) -> (&'static str, String) {
        let (zh, en) = match self {
            Self::NotFound => (
                ("没有这个页面", "地址可能有误，请从事件列表重新进入。"),
                ("There is no such page", "The address may be mistyped; start from the events."),
            ),
            Self::WrongMethod => (
                ("不支持这种请求方式", "该地址只支持另一种请求方法。"),
                ("That cannot be done here", "This address takes another request method."),
            ),
            Self::NoLogin => (
                ("请先登录", "脚本请使用 `Authorization: Bearer <令牌>`。"),
                ("Please sign in", "A script sends `Authorization: Bearer <token>`."),
            ),
            Self::WrongToken => (
                ("令牌不正确", "可能已过期或被吊销；`gatehouse user token` 可生成新的。"),
                (
                    "That token is wrong",
                    "It may have ended or been revoked; `gatehouse user token` makes another.",
                ),
            ),
            Self::Locked(wait) => return locked(*wait, language),
            Self::Malformed(why) => return malformed(why, language),
            Self::NotDone(why) => return not_done(why, language),
            Self::NotMasked(why) => {
                let (title, hint) = no_still(why, language);
                return (title, hint.to_owned());
            }
            Self::NotJson => (
                ("只接受 JSON", "请发送 `Content-Type: application/json`。"),
                ("Only JSON is taken here", "Send `Content-Type: application/json`."),
            ),
            Self::ForeignHost => (
                ("此地址不可用", "请用 localhost 或网关的 IP 地址打开控制台。"),
                (
                    "Not under this name",
                    "Open the console as localhost or by the gateway's IP address.",
                ),
            ),
            Self::ForeignOrigin => (
                ("已拒绝来自其他网站的请求", "请直接打开控制台操作。"),
                ("Refused: it came from another site", "Open the console itself and try again."),
            ),
            Self::BadForm => (
                ("表单无法识别", "请返回重新填写。"),
                ("That form makes no sense", "Go back and fill it in again."),
            ),
            Self::NoName => (
                ("是谁的判断？", "请返回填写姓名（最多 80 字）；备注最多 500 字。"),
                (
                    "Who says so?",
                    "Go back and fill in your name (80 letters at most; a note 500 at most).",
                ),
            ),
            Self::NoEvent => (
                ("没有这个事件", "它可能已超出保留期限；未作任何更改。"),
                ("There is no such event", "It may be too old to be kept; nothing was done."),
            ),
            Self::NothingChosen => (
                ("没有选择事件", "请返回选择至少一个事件，最多 200 个。"),
                ("No event was chosen", "Go back and choose at least one, and 200 at most."),
            ),
            Self::NotHeard => (
                ("网关没有记下", "请稍后重试；若仍不行，请查看网关日志。"),
                (
                    "The gateway did not take it down",
                    "Try again in a moment; if that does not help, see the gateway's log.",
                ),
            ),
            Self::TooManyStreams => (
                ("实时连接过多", "请关闭不用的页面后重试。"),
                ("Too many live connections", "Close pages that you do not need and try again."),
            ),
            Self::WrongPassword => (
                ("账号或密码不正确", "请返回重新输入。"),
                ("Name or password is wrong", "Go back and try again."),
            ),
            Self::NotAllowed => (
                ("没有权限", "您的角色不能进行此操作；如有需要请联系管理员。"),
                (
                    "You may not do that",
                    "Your role does not allow it; ask an admin if you need it.",
                ),
            ),
            Self::OldForm => (
                ("页面已过期", "请返回并刷新页面后重试；未作任何更改。"),
                ("That page is out of date", "Go back, reload it and try again; nothing was done."),
            ),
            Self::TooLong => (
                ("内容过长", "请返回缩短后重试；未作任何更改。"),
                ("That is too long", "Go back and make it shorter; nothing was done."),
            ),
            Self::NoPicture => (
                (
                    "暂不接收照片",
                    "在网关能够遮挡人脸和车牌之前不接收照片；请用文字说明。未作任何更改。",
                ),
                (
                    "No pictures yet",
                    "Pictures are taken once they can be masked; say it in words. Nothing was done.",
                ),
            ),
            Self::NoStill => (
                ("没有画面", "未曾保存此事件的画面，或已按保存期限删除。"),
                (
                    "There is no still",
                    "None was kept of this event, or it was removed when its time was over.",
                ),
            ),
            Self::TooMuch => (
                ("上报过于频繁", "每人每小时最多上报 10 次；紧急情况请直接打电话。"),
                (
                    "Too many reports",
                    "One person may report 10 times an hour; if it is urgent, call somebody.",
                ),
            ),
            Self::Busy => (
                ("登录人数过多", "请稍候再试。"),
                ("Too many people are signing in", "Try again in a moment."),
            ),
            Self::NotSetUp => (
                ("尚未完成初始设置", "请先建立第一个账号：打开 /setup。"),
                ("The gateway is not set up", "Make the first account at /setup."),
            ),
            Self::NotKept => (
                ("文件无法读写", "请查看网关日志；未作任何更改。"),
                ("A file cannot be read or written", "See the gateway's log; nothing was done."),
            ),
            Self::NoRandom => (
                ("暂时无法登录", "系统无法提供随机数，请查看网关日志。"),
                (
                    "Nobody can sign in now",
                    "The system has no random numbers to give; see the gateway's log.",
                ),
            ),
        };
        let (title, hint) = match language {
            Language::Zh => zh,
            Language::En => en,
        };
        (title, hint.to_owned())
    }

    /// The answer, in the reader's form and language.
    pub(super) fn answer(&self, reader: &Reader) -> Response {
        if *self == Self::NoLogin && reader.wants_page {
            return Redirect::to(&reader.login_address()).into_response();
        }
        if *self == Self::NotSetUp && reader.wants_page {
            return Redirect::to("/setup").into_response();
        }
        let (title, hint) = self.say(reader.language);
        let mut response = if reader.wants_page {
            let html = page::notice(reader.language, title, &hint);
            (self.status(), page::html(html)).into_response()
        } else {
            Problem::new(self.word(), self.status(), title, hint).into_response()
        };
        if let Self::Locked(wait) = self {
            response.headers_mut().insert(header::RETRY_AFTER, seconds(*wait).into());
        }
        if matches!(self, Self::NoLogin | Self::WrongToken) {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<FormRejection> for Failure {
    fn from(refused: FormRejection) -> Self {
        match refused {
            FormRejection::BytesRejection(_) => Self::TooLong,
            _ => Self::BadForm,
        }
    }
}

impl From<NoHash> for Failure {
    fn from(error: NoHash) -> Self {
        match error {
            NoHash::Busy => Self::Busy,
            NoHash::Random(_) | NoHash::Broken(_) => {
                tracing::error!(%error, "a password could not be judged");
                Self::NoRandom
            }
        }
    }
}

fn locked(wait: Duration, language: Language) -> (&'static str, String) {
    let wait = seconds(wait);
    match language {
        Language::Zh => ("密码错误次数过多", format!("请在 {wait} 秒后重试。")),
        Language::En => ("Too many wrong passwords", format!("Try again in {wait} s.")),
    }
}

fn malformed(why: &str, language: Language) -> (&'static str, String) {
    match language {
        Language::Zh => ("请求无法识别", format!("未作任何更改：{why}")),
        Language::En => ("That request makes no sense", format!("Nothing was done: {why}")),
    }
}

fn not_done(why: &NotDone, language: Language) -> (&'static str, String) {
    let title = match language {
        Language::Zh => "未作任何更改",
        Language::En => "Nothing was done",
    };
    (title, why.told().get(language).to_owned())
}

/// Rounded up, so that who waits that long does not come too early.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

pub(super) async fn not_found(Extension(reader): Extension<Reader>) -> Response {
    Failure::NotFound.answer(&reader)
}

pub(super) async fn wrong_method(Extension(reader): Extension<Reader>) -> Response {
    Failure::WrongMethod.answer(&reader)
}
