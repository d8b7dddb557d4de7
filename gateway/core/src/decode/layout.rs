//! Bytes and words as numbers: widths, orders, bit fields.
//!
//! Both wires deliver bytes in some order: a binary payload as it is, a Modbus register as its two
//! bytes in network order. `ABCD` in the four [`Order`]s means those bytes.

use crate::community::device_type::{At, Bits, Function, Kind, Order};

/// How the bytes of one point are read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    kind: Kind,
    order: Order,
    /// Lowest and highest bit, both included.
    bits: Option<(u8, u8)>,
    /// A Modbus point takes whole words.
    in_words: bool,
}

impl Layout {
    pub(super) fn of_byte(at: &At) -> Self {
        Self::new(at, Kind::U8, false)
    }

    pub(super) fn of_word(at: &At, function: Function) -> Self {
        let kind = match function {
            Function::Coil | Function::Discrete => Kind::Bool,
            Function::Holding | Function::Input => Kind::U16,
        };
        Self::new(at, kind, true)
    }

    fn new(at: &At, kind: Kind, in_words: bool) -> Self {
        let bits = at.bits.map(|bits| match bits {
            Bits::One(bit) => (bit, bit),
            Bits::Field(low, high) => (low, high),
        });
        Self { kind: at.kind.unwrap_or(kind), order: at.order.unwrap_or_default(), bits, in_words }
    }

    /// Bytes that it takes on its wire.
    pub(super) fn bytes(self) -> usize {
        let own = match self.kind {
            Kind::Bool | Kind::U8 | Kind::I8 => 1,
            Kind::U16 | Kind::I16 => 2,
            Kind::U32 | Kind::I32 | Kind::F32 => 4,
        };
        if self.in_words { own.max(2) } else { own }
    }

    /// Words that it takes, on a wire of words.
    pub(super) fn words(self) -> u16 {
        if self.bytes() == 4 { 2 } else { 1 }
    }

    /// The number in `cell`, which must have [`Layout::bytes`] bytes.
    pub(super) fn read(self, cell: &[u8]) -> f64 {
        let pattern = pattern(cell, self.order);
        if let Some((low, high)) = self.bits {
            return f64::from(pattern.checked_shr(low.into()).unwrap_or(0) & mask(low, high));
        }
        let [.., c, d] = pattern.to_be_bytes();
        match self.kind {
            Kind::Bool => f64::from(u8::from(pattern != 0)),
            Kind::U8 => f64::from(d),
            Kind::I8 => f64::from(d.cast_signed()),
            Kind::U16 => f64::from(u16::from_be_bytes([c, d])),
            Kind::I16 => f64::from(i16::from_be_bytes([c, d])),
            Kind::U32 => f64::from(pattern),
            Kind::I32 => f64::from(pattern.cast_signed()),
            Kind::F32 => f64::from(f32::from_bits(pattern)),
        }
    }

    /// Writes `raw` into `cell`, rounded and at most as far as the kind reaches; bits that belong
    /// to other points stay as they are.
    pub(super) fn write(self, raw: f64, cell: &mut [u8]) {
        let pattern = match self.bits {
            Some((low, high)) => {
                let mask = mask(low, high);
                let field = whole(raw, 0.0, f64::from(mask)) & mask;
                let rest = pattern(cell, self.order) & !mask.checked_shl(low.into()).unwrap_or(0);
                rest | field.checked_shl(low.into()).unwrap_or(0)
            }
            None => self.encode(raw),
        };
        let all = pattern.to_be_bytes();
        let own = &all[4 - cell.len().min(4)..];
        cell.copy_from_slice(own);
        arrange(cell, self.order);
    }

    fn encode(self, raw: f64) -> u32 {
        match self.kind {
            Kind::Bool => u32::from(raw != 0.0 && !raw.is_nan()),
            Kind::U8 => whole(raw, 0.0, f64::from(u8::MAX)),
            Kind::I8 => whole(raw, f64::from(i8::MIN), f64::from(i8::MAX)),
            Kind::U16 => whole(raw, 0.0, f64::from(u16::MAX)),
            Kind::I16 => whole(raw, f64::from(i16::MIN), f64::from(i16::MAX)),
            Kind::U32 => whole(raw, 0.0, f64::from(u32::MAX)),
            Kind::I32 => whole(raw, f64::from(i32::MIN), f64::from(i32::MAX)),
            #[expect(clippy::cast_possible_truncation, reason = "f32 is what the wire holds")]
            Kind::F32 => (raw as f32).to_bits(),
        }
    }

    /// What devices send for "no data" when their type declares no code: NaN, or every bit set.
    pub(super) fn nothing(self) -> f64 {
        match (self.kind, self.bits) {
            (Kind::F32, _) => f64::NAN,
            (_, Some((low, high))) => f64::from(mask(low, high)),
            (Kind::Bool, None) => 1.0,
            (Kind::U8, None) => f64::from(u8::MAX),
            (Kind::U16, None) => f64::from(u16::MAX),
            (Kind::U32, None) => f64::from(u32::MAX),
            (Kind::I8, None) => f64::from(i8::MAX),
            (Kind::I16, None) => f64::from(i16::MAX),
            (Kind::I32, None) => f64::from(i32::MAX),
        }
    }
}

/// The bytes as one number, the most significant first.
fn pattern(cell: &[u8], order: Order) -> u32 {
    let mut bytes = [0; 4];
    let own = &mut bytes[4 - cell.len().min(4)..];
    own.copy_from_slice(cell);
    arrange(own, order);
    u32::from_be_bytes(bytes)
}

/// From the wire's order to the most significant byte first, and back: each order undoes itself.
fn arrange(cell: &mut [u8], order: Order) {
    match order {
        Order::Little => cell.reverse(),
        Order::BigSwapped if cell.len() == 4 => cell.rotate_left(2),
        Order::Big | Order::BigSwapped => {}
        Order::LittleSwapped => cell.chunks_exact_mut(2).for_each(<[u8]>::reverse),
    }
}

/// As many ones as the field from `low` to `high` has bits.
fn mask(low: u8, high: u8) -> u32 {
    let width = u32::from(high.saturating_sub(low)) + 1;
    u32::MAX.checked_shr(32_u32.saturating_sub(width)).unwrap_or(0)
}

/// Two's complement of the nearest whole number within the limits; NaN is the lowest.
fn whole(raw: f64, lowest: f64, highest: f64) -> u32 {
    let bounded = raw.round().max(lowest).min(highest);
    #[expect(clippy::cast_possible_truncation, reason = "the limits lie within i32 and u32")]
    let whole = bounded as i64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the same")]
    let pattern = whole as u32;
    pattern
}
