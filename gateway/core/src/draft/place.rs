//! Where a value stands in a sample, and its short name in forms: `json:/data/t`, `word:0:f32:big-swapped`.

use std::fmt;
use std::str::FromStr;

use crate::community::device_type::{At, Kind, Order};

/// One place, read in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A JSON pointer.
    Json(String),
    /// The first byte of a binary payload.
    Byte { at: usize, kind: Kind, order: Order },
    /// A register, or a bit where the table holds bits, counted from the first of the sample.
    Word { at: u16, kind: Kind, order: Order },
}

/// The text names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no place; expected one such as `json:/data/t`, `byte:3:u16:little` or `word:0:f32:big-swapped`"
)]
pub struct NotAPlace(pub String);

const KINDS: [(Kind, &str); 8] = [
    (Kind::Bool, "bool"),
    (Kind::U8, "u8"),
    (Kind::I8, "i8"),
    (Kind::U16, "u16"),
    (Kind::I16, "i16"),
    (Kind::U32, "u32"),
    (Kind::I32, "i32"),
    (Kind::F32, "f32"),
];

/// The four orders, as the configuration writes them and by the letters of manuals.
pub(super) const ORDERS: [(Order, &str, &str); 4] = [
    (Order::Big, "big", "ABCD"),
    (Order::BigSwapped, "big-swapped", "CDAB"),
    (Order::LittleSwapped, "little-swapped", "BADC"),
    (Order::Little, "little", "DCBA"),
];

/// The configuration's word for an order, and the letters that manuals use.
pub fn order_word(order: Order) -> (&'static str, &'static str) {
    let found = ORDERS.iter().find(|(known, ..)| *known == order);
    found.map_or(("big", "ABCD"), |(_, word, letters)| (word, letters))
}

/// The configuration's word for a type.
pub(super) fn kind_word(kind: Kind) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("u16", |(_, word)| word)
}

/// Bytes that a type takes on its wire.
pub(super) fn width(kind: Kind) -> usize {
    match kind {
        Kind::Bool | Kind::U8 | Kind::I8 => 1,
        Kind::U16 | Kind::I16 => 2,
        Kind::U32 | Kind::I32 | Kind::F32 => 4,
    }
}

impl Place {
    /// As a device type says it; what goes without saying is left out.
    pub fn at(&self) -> At {
        let said = |kind: Kind, order: Order| {
            let order = Some(order).filter(|order| *order != Order::Big);
            (Some(kind).filter(|kind| *kind != Kind::Bool), order)
        };
        match self {
            Self::Json(pointer) => At { json: Some(pointer.clone()), ..At::default() },
            Self::Byte { at, kind, order } => {
                let (kind, order) = said(*kind, *order);
                At { byte: Some(*at), kind, order, ..At::default() }
            }
            Self::Word { at, kind, order } => {
                let (kind, order) = said(*kind, *order);
                At { word: Some(*at), kind, order, ..At::default() }
            }
        }
    }

    /// The type and the order in which the bytes are read; none for JSON.
    pub fn reading(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Json(_) => None,
            Self::Byte { kind, order, .. } | Self::Word { kind, order, .. } => {
                Some((kind_word(*kind), order_word(*order).0))
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, at) = match self {
            Self::Json(pointer) => return write!(f, "json:{pointer}"),
            Self::Byte { at, .. } => ("byte", *at),
            Self::Word { at, .. } => ("word", usize::from(*at)),
        };
        let (kind, order) = self.reading().unwrap_or_default();
        write!(f, "{what}:{at}:{kind}:{order}")
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let (what, rest) = text.split_once(':').unwrap_or((text, ""));
        if what == "json" {
            return Ok(Self::Json(rest.to_owned()));
        }
        let parts: Vec<&str> = rest.split(':').collect();
        let [at, kind, order] = parts[..] else { return Err(NotAPlace(text.to_owned())) };
        let kind = KINDS.iter().find(|(_, word)| *word == kind).map(|(kind, _)| *kind);
        let order = ORDERS.iter().find(|(_, word, _)| *word == order).map(|(order, ..)| *order);
        let place = kind.zip(order).and_then(|(kind, order)| match what {
            "byte" => Some(Self::Byte { at: at.parse().ok()?, kind, order }),
            "word" => Some(Self::Word { at: at.parse().ok()?, kind, order }),
            _ => None,
        });
        place.ok_or_else(|| NotAPlace(text.to_owned()))
    }
}
