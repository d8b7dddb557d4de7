//! The texts about cameras: a device that looks through one, drawing on its picture, stills.

use gatehouse_core::community::camera::See;
use gatehouse_core::community::quantity::Language;

use crate::stills::NoStillNow;

/// The texts of one language.
#[derive(Debug)]
pub(in crate::console) struct CameraWords {
    pub camera: &'static str,
    pub picture: &'static str,
    pub up: &'static str,
    pub view_good: &'static str,
    pub zones: &'static str,
    pub whole_picture: &'static str,
    pub shed: &'static str,
    pub draw: &'static str,
    pub drawn_by: &'static str,
    pub privacy: &'static str,
    pub no_stills: &'static str,
    pub basis: &'static str,

    pub title: &'static str,
    pub lead: &'static str,
    pub needed: &'static str,
    pub board: &'static str,
    pub taken: &'static str,
    pub hidden: &'static str,
    pub zone: &'static str,
    pub tripwire: &'static str,
    pub name: &'static str,
    pub corners: &'static str,
    pub corners_hint: &'static str,
    pub ends: &'static str,
    pub ends_hint: &'static str,
    pub choose: &'static str,
    pub add: &'static str,
    pub remove: &'static str,
    pub corner: &'static str,
    pub save: &'static str,
    pub save_hint: &'static str,
    pub nothing: &'static str,
    pub reset: &'static str,
    pub configured: &'static str,
    pub saved: &'static str,
    pub faulty: &'static str,
    pub no_name: &'static str,
    pub name_twice: &'static str,
    pub not_numbers: &'static str,
    pub too_few: &'static str,
    pub too_many: &'static str,
    pub outside: &'static str,
    pub crosses: &'static str,
    pub two_ends: &'static str,
    pub same_ends: &'static str,
    pub not_loaded: &'static str,
    pub no_reload: &'static str,

    pub still: &'static str,
    pub sent: &'static str,
    pub proof: &'static str,
    pub still_alt: &'static str,
    pub sent_alt: &'static str,
    pub proof_alt: &'static str,
    pub still_gone: &'static str,
    pub noted: &'static str,

    pub models: &'static str,
    pub knows: &'static str,
    pub figures: &'static str,
    pub trained: &'static str,
    pub licence: &'static str,
    pub asked_by: &'static str,
}

impl CameraWords {
    pub(in crate::console) fn of(language: Language) -> &'static Self {
        match language {
            Language::Zh => &ZH,
            Language::En => &EN,
        }
    }
}

/// What is wrong with the view when that point says 1.
pub(in crate::console) fn flaw(see: See, language: Language) -> Option<&'static str> {
    let (zh, en) = match see {
        See::Dark => ("太暗", "too dark"),
        See::Blurred => ("模糊", "blurred"),
        See::Covered => ("被遮挡", "covered"),
        See::Frozen => ("画面不动", "frozen"),
        See::Moved => ("镜头被移动", "moved"),
        See::Count
        | See::Present
        | See::Dwell
        | See::Crossings
        | See::Class
        | See::Probability
        | See::Brightness
        | See::Sharpness
        | See::Motion => return None,
    };
    Some(match language {
        Language::Zh => zh,
        Language::En => en,
    })
}

/// Why there is no picture, and what to do.
pub(in crate::console) fn no_still(
    why: &NoStillNow,
    language: Language,
) -> (&'static str, &'static str) {
    let (zh, en) = match why {
        NoStillNow::NoCamera(_) => (
            ("没有这个摄像头", "请检查 gateway.toml 中的 [[camera]]。"),
            ("There is no such camera", "Look at [[camera]] in gateway.toml."),
        ),
        NoStillNow::NoPicture(_) => (
            ("摄像头还没有画面", "请查看设备页上的来源状态，稍后重试。"),
            (
                "The camera has sent no picture",
                "See how its source is on the device's page, and try again.",
            ),
        ),
        NoStillNow::NoMaskModel(_) => (
            ("本机无法遮挡画面", "没有通过自检的遮挡模型，因此不显示、不保存任何画面。"),
            (
                "Nothing here can mask pictures",
                "No masking model is installed that passes its own test, so no picture is shown or kept.",
            ),
        ),
        NoStillNow::StillSeen => (
            ("遮挡后仍可能认出人", "因此不显示、不保存这张画面；请稍后或换一张再试。"),
            (
                "Somebody could still be made out",
                "So this picture is neither shown nor kept; try again, or with another one.",
            ),
        ),
        NoStillNow::NotAllowed => (
            ("未启用画面", "gateway.toml 中没有 [evidence]，因此不显示、不保存任何画面。"),
            (
                "Pictures are switched off",
                "gateway.toml has no [evidence], so no picture is shown or kept.",
            ),
        ),
        NoStillNow::NotAPicture(_) => (
            ("不是可用的照片", "请使用 8 MB 以内的 JPEG 照片。"),
            ("That is no picture that can be read", "Send a JPEG of at most 8 MB."),
        ),
        NoStillNow::Busy => (
            ("网关正忙", "正在处理其他画面，请一分钟后重试。"),
            ("The gateway is busy", "It is at work on other pictures; try again in a minute."),
        ),
    };
    match language {
        Language::Zh => zh,
        Language::En => en,
    }
}

static EN: CameraWords = CameraWords {
    camera: "Camera",
    picture: "The picture",
    up: "sends pictures",
    view_good: "nothing wrong with the view",
    zones: "Zones and tripwires",
    whole_picture: "none: it looks at the whole picture",
    shed: "pictures let go, as there was no time",
    draw: "Draw on the picture",
    drawn_by: "Drawn by",
    privacy: "Its pictures stay in the memory of this box; only numbers go on. A still is kept with an event only \
              when everybody in it is hidden.",
    no_stills: "Stills are switched off: gateway.toml has no [evidence].",
    basis: "By what right",

    title: "Zones and tripwires",
    lead: "Click or tap on the picture to set corners, drag one to move it. With the keyboard: add a corner, move \
           it with the arrow keys, take it away with Delete; or type the numbers below.",
    needed: "The points of this device type ask for:",
    board: "The picture with what is drawn on it",
    taken: "Picture of",
    hidden: "places hidden",
    zone: "Zone",
    tripwire: "Tripwire",
    name: "Name",
    corners: "Corners",
    corners_hint: "x and y of each corner in order around the zone, from 0 to 1: fractions of the picture's width \
                   and height, as in 0.10 0.20, 0.55 0.22, 0.50 0.80. Left empty, there is no such zone.",
    ends: "From, to",
    ends_hint: "The two ends, as in 0.10 0.50, 0.90 0.50. For one who stands at the first and looks to the second, \
                in is from left to right.",
    choose: "Draw this one",
    add: "Add a corner",
    remove: "Take the last corner away",
    corner: "Corner",
    save: "Save",
    save_hint: "It takes effect at once and stands in the audit log.",
    nothing: "No zone: the whole picture",
    reset: "As in the configuration",
    configured: "The configuration draws:",
    saved: "Saved; it is in effect.",
    faulty: "Nothing was saved:",
    no_name: "it needs a name",
    name_twice: "this name is taken already",
    not_numbers: "corners are pairs of numbers, as in 0.10 0.20, 0.55 0.22",
    too_few: "a zone needs three corners at least",
    too_many: "a zone has a hundred corners at most",
    outside: "a corner lies outside of the picture; numbers go from 0 to 1",
    crosses: "its outline crosses itself or encloses nothing; give the corners in order around the zone",
    two_ends: "a tripwire has two ends",
    same_ends: "a tripwire that begins where it ends cannot be crossed",
    not_loaded: "The gateway refused it, so what was drawn before goes on:",
    no_reload: "This gateway does not read its configuration again while it runs (a demonstration), so nothing can \
                be drawn here.",

    still: "Still of the event",
    sent: "Picture that was sent",
    proof: "How it was left",
    still_alt: "Masked still of the event; people, faces and number plates are pixelated",
    sent_alt: "Masked picture that somebody sent; people, faces and number plates are pixelated",
    proof_alt: "Masked picture of how it was left; people, faces and number plates are pixelated",
    still_gone: "There was a still; it was removed when its time was over.",
    noted: "Everybody who opens this page while a still is kept stands in the audit log.",

    models: "Models of pictures",
    knows: "Knows",
    figures: "How good, by its card",
    trained: "Trained on",
    licence: "Licence",
    asked_by: "Asked by",
};

static ZH: CameraWords = CameraWords {
    camera: "摄像头",
    picture: "画面",
    up: "正在传送画面",
    view_good: "画面正常",
    zones: "区域与绊线",
    whole_picture: "无：分析整个画面",
    shed: "来不及看而放过的画面",
    draw: "在画面上绘制",
    drawn_by: "绘制人",
    privacy: "画面只存在于本机内存，只有数字继续传递。只有画面中所有人都已遮挡时，才会为事件保存一张静态画面。",
    no_stills: "未启用画面：gateway.toml 中没有 [evidence]。",
    basis: "依据",

    title: "区域与绊线",
    lead: "点击画面设置顶点，拖动可移动。键盘操作：添加顶点，用方向键移动，按 Delete 删除；也可以直接在下方输入数值。",
    needed: "此设备类型的测点需要：",
    board: "画面及已绘制的内容",
    taken: "画面时间",
    hidden: "处已遮挡",
    zone: "区域",
    tripwire: "绊线",
    name: "名称",
    corners: "顶点",
    corners_hint: "按顺序沿区域一周填写各顶点的 x 和 y，取 0 到 1，即画面宽、高的比例，例如 0.10 0.20, 0.55 0.22, 0.50 0.80。留空表示没有此区域。",
    ends: "起点、终点",
    ends_hint: "两个端点，例如 0.10 0.50, 0.90 0.50。站在起点面向终点，从左到右为“进”。",
    choose: "绘制此项",
    add: "添加顶点",
    remove: "删除最后一个顶点",
    corner: "顶点",
    save: "保存",
    save_hint: "立即生效，并记入审计日志。",
    nothing: "不设区域：分析整个画面",
    reset: "按配置文件",
    configured: "配置文件中的绘制：",
    saved: "已保存并生效。",
    faulty: "未保存：",
    no_name: "需要名称",
    name_twice: "名称重复",
    not_numbers: "顶点须为成对的数字，例如 0.10 0.20, 0.55 0.22",
    too_few: "区域至少需要三个顶点",
    too_many: "区域最多一百个顶点",
    outside: "有顶点在画面之外；数值须在 0 到 1 之间",
    crosses: "轮廓自相交或没有面积；请按顺序沿区域一周给出顶点",
    two_ends: "绊线须有两个端点",
    same_ends: "起点与终点相同的绊线无法被跨越",
    not_loaded: "网关拒绝了此设置，原有绘制继续有效：",
    no_reload: "此网关运行中不会重新读取配置（演示），因此不能在此绘制。",

    still: "事件画面",
    sent: "随报送来的照片",
    proof: "处置后的照片",
    still_alt: "已遮挡的事件画面；人、人脸和车牌均已打码",
    sent_alt: "已遮挡的来报照片；人、人脸和车牌均已打码",
    proof_alt: "已遮挡的处置照片；人、人脸和车牌均已打码",
    still_gone: "曾有画面，已按保存期限删除。",
    noted: "保存有画面期间，每个打开此页的人都会记入审计日志。",

    models: "图像模型",
    knows: "能识别",
    figures: "准确程度（据模型卡）",
    trained: "训练数据",
    licence: "许可证",
    asked_by: "使用者",
};
