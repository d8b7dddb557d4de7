//! The texts of the login, the accounts and the set-up.

use gatehouse_core::community::quantity::Language;

use crate::accounts::Role;
use crate::accounts::book::NotChanged;
use crate::accounts::password::Weak;

/// The texts of one language.
#[derive(Debug)]
pub(in crate::console) struct AccessWords {
    pub name: &'static str,
    pub wrong: &'static str,
    pub certificate: &'static str,
    pub certificate_hint: &'static str,
    pub setup: &'static str,
    pub setup_hint: &'static str,
    pub setup_do: &'static str,
    pub account: &'static str,
    pub users: &'static str,
    pub change_password: &'static str,
    pub old_password: &'static str,
    pub old_wrong: &'static str,
    pub new_password: &'static str,
    pub again: &'static str,
    pub differ: &'static str,
    pub rule: &'static str,
    pub password_changed: &'static str,
    pub sessions_ended: &'static str,
    pub not_changed: &'static str,
    pub not_kept: &'static str,
    pub sessions: &'static str,
    pub since: &'static str,
    pub until: &'static str,
    pub idle: &'static str,
    pub this_one: &'static str,
    pub end: &'static str,
    pub change: &'static str,
    pub change_role: &'static str,
    pub role_label: &'static str,
    pub roles_hint: &'static str,
    pub remove: &'static str,
    pub add: &'static str,
    pub tokens: &'static str,
    pub tokens_hint: &'static str,
    pub add_token: &'static str,
    pub token_made: &'static str,
    pub token_once: &'static str,
    pub scope: &'static str,
    pub days: &'static str,
    pub used: &'static str,
    pub revoke: &'static str,
    /// As [`Role::ALL`] has them.
    roles: [&'static str; 4],
}

impl AccessWords {
    pub(in crate::console) fn of(language: Language) -> &'static Self {
        match language {
            Language::Zh => &ZH,
            Language::En => &EN,
        }
    }

    pub(in crate::console) fn role(&self, role: Role) -> &'static str {
        let [viewer, manager, integrator, admin] = self.roles;
        match role {
            Role::Viewer => viewer,
            Role::Manager => manager,
            Role::Integrator => integrator,
            Role::Admin => admin,
        }
    }

    /// Why a password is not good enough.
    pub(in crate::console) fn weak(weak: Weak, language: Language) -> String {
        let zh = match weak {
            Weak::Short => "密码太短，至少 12 个字符，可以用一句话。",
            Weak::Long => "密码太长，最多 256 个字符。",
            Weak::HasName => "密码中不能包含账号名，请换一个。",
            Weak::Plain => "密码中不同的字符太少（至少 5 种），请换一个。",
        };
        match language {
            Language::Zh => zh.to_owned(),
            Language::En => sentence(&weak.to_string()),
        }
    }

    /// Why the accounts stay as they are.
    pub(in crate::console) fn not_changed(why: &NotChanged, language: Language) -> String {
        let zh = match why {
            NotChanged::BadName(name) => {
                format!("“{name}”不能用作名称，请用 1 至 40 个文字、数字或 - _ . @。")
            }
            NotChanged::Exists(name) => format!("“{name}”已存在。"),
            NotChanged::Unknown(name) => format!("没有“{name}”。"),
            NotChanged::LastAdmin(name) => {
                format!("“{name}”是唯一的管理员，请先设置另一位管理员。")
            }
            NotChanged::TooMany => "数量已达上限，请先删除不用的。".to_owned(),
            NotChanged::NotFirst => "已有账号，请用账号登录。".to_owned(),
            NotChanged::NoRandom(_) => "系统无法提供随机数，请查看网关日志。".to_owned(),
        };
        match language {
            Language::Zh => zh,
            Language::En => sentence(&why.to_string()),
        }
    }
}

/// An error's text as a sentence on a page.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str()).replace('`', "\"")
}

static EN: AccessWords = AccessWords {
    name: "Name",
    wrong: "Name or password is wrong.",
    certificate: "Certificate of this gateway",
    certificate_hint: "The gateway made it itself, so the browser warns the first time. Compare this SHA-256 \
        fingerprint with the one in the gateway's log or of \"gatehouse user list\" before you type a password.",
    setup: "Set up this gateway",
    setup_hint: "Make the first account: an admin, who can add the others. The set-up password is void then.",
    setup_do: "Make the account",
    account: "Account",
    users: "Accounts and tokens",
    change_password: "Change password",
    old_password: "Password now",
    old_wrong: "The password is wrong; nothing was changed.",
    new_password: "New password",
    again: "Once more",
    differ: "The two passwords differ.",
    rule: "At least 12 letters; a sentence is easy to remember. Not the account's name.",
    password_changed: "The password is changed",
    sessions_ended: "Other browsers that were signed in with it have to sign in again.",
    not_changed: "Nothing was changed",
    not_kept: "The accounts could not be read or written; see the gateway's log.",
    sessions: "Signed in",
    since: "since",
    until: "until",
    idle: "quiet for",
    this_one: "this browser",
    end: "Sign out",
    change: "Change",
    change_role: "Change role",
    role_label: "Role",
    roles_hint: "A viewer looks. A manager handles events. An integrator sets up devices and scenes. An admin does all \
        of it and looks after accounts.",
    remove: "Remove",
    add: "Add an account",
    tokens: "Tokens for scripts",
    tokens_hint: "\"read\" looks, \"act\" does what a manager may, \"metrics\" reads /metrics alone.",
    add_token: "Make a token",
    token_made: "The token",
    token_once: "It is shown only now. Copy it; a script sends it as \"Authorization: Bearer …\".",
    scope: "For",
    days: "Days until it ends (empty: never)",
    used: "last used",
    revoke: "Revoke",
    roles: ["Viewer", "Manager", "Integrator", "Admin"],
};

static ZH: AccessWords = AccessWords {
    name: "账号",
    wrong: "账号或密码不正确。",
    certificate: "本网关的证书",
    certificate_hint: "证书由网关自己生成，因此浏览器首次会提示风险。输入密码之前，请将下面的 SHA-256 指纹与网关日志或 \
        “gatehouse user list”给出的指纹核对。",
    setup: "初始设置",
    setup_hint: "请建立第一个账号（管理员），其他账号由其添加。完成后一次性密码即作废。",
    setup_do: "建立账号",
    account: "我的账号",
    users: "用户与令牌",
    change_password: "修改密码",
    old_password: "当前密码",
    old_wrong: "密码不正确，未作更改。",
    new_password: "新密码",
    again: "再输一次",
    differ: "两次输入的密码不一致。",
    rule: "至少 12 个字符，用一句话容易记；不能包含账号名。",
    password_changed: "密码已修改",
    sessions_ended: "用旧密码登录的其他浏览器需要重新登录。",
    not_changed: "未作更改",
    not_kept: "账号文件无法读写，请查看网关日志。",
    sessions: "已登录",
    since: "始于",
    until: "有效至",
    idle: "无操作",
    this_one: "当前浏览器",
    end: "退出该登录",
    change: "更改",
    change_role: "更改角色",
    role_label: "角色",
    roles_hint: "查看员只能查看；值班经理处置事件；集成商设置设备和场景；管理员可做以上全部并管理账号。",
    remove: "删除",
    add: "添加用户",
    tokens: "脚本令牌",
    tokens_hint: "“read”只读；“act”等同值班经理；“metrics”只能读取 /metrics。",
    add_token: "生成令牌",
    token_made: "令牌",
    token_once: "令牌只显示这一次，请立即复制；脚本以“Authorization: Bearer …”发送。",
    scope: "用途",
    days: "有效天数（留空为长期）",
    used: "最近使用",
    revoke: "吊销",
    roles: ["查看员", "值班经理", "集成商", "管理员"],
};
