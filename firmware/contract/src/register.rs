//! One value on the wire: which words, what they mean, and what stands there when there is no value.
//!
//! A value is a whole number of counts; `counts * numerator / denominator` is the value in the unit.
//! Counts within `range` are values, the highest numbers of the coding are codes for [`NoData`], and
//! whatever lies between is no value either. So what one side encodes the other decodes, and nothing
//! can be taken for something else.

/// Why a register holds no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoData {
    /// Not fitted, not measured yet, or not to be known in this state.
    Absent,
    /// The chip does not answer.
    Timeout,
    /// The chip answers, and what it says is damaged or contradicts itself.
    Fault,
    /// Measured, and outside of what the register can say.
    Range,
}

impl NoData {
    pub const ALL: [Self; 4] = [Self::Absent, Self::Timeout, Self::Fault, Self::Range];

    /// How far below the highest number of the coding its code lies.
    const fn below_top(self) -> i32 {
        match self {
            Self::Absent => 0,
            Self::Timeout => 1,
            Self::Fault => 2,
            Self::Range => 3,
        }
    }
}

/// How counts stand in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// One word, unsigned.
    U16,
    /// One word, two's complement.
    I16,
    /// Two words, the high one first. The highest bit is only set in codes, so that counts are an `i32`.
    U32,
}

impl Coding {
    /// Words that it takes.
    pub const fn words(self) -> u16 {
        match self {
            Self::U16 | Self::I16 => 1,
            Self::U32 => 2,
        }
    }

    /// The code for "no data", as an unsigned number of its width.
    pub const fn code(self, why: NoData) -> u32 {
        let top = match self {
            Self::U16 => 0xFFFF,
            Self::I16 => 0x7FFF,
            Self::U32 => 0xFFFF_FFFF,
        };
        top - why.below_top().unsigned_abs()
    }
}

/// Who may do what with a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// An input register (function 4): the node writes, everybody reads.
    Input,
    /// A holding register (functions 3, 6 and 16): read and written.
    Holding,
}

/// One value of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Register {
    /// As on the wire, 0-based, within the table of `access`.
    pub address: u16,
    /// A word that rules can use: lower case letters, digits, underscores.
    pub name: &'static str,
    pub title_en: &'static str,
    pub title_zh: &'static str,
    /// As in UCUM; `1` for a number without a unit.
    pub unit: &'static str,
    pub coding: Coding,
    pub access: Access,
    /// Value = counts * numerator / denominator.
    pub scale: (i32, i32),
    /// Lowest and highest counts that are a value.
    pub range: (i32, i32),
    /// Fastest believable change, in units a second; 0: any.
    pub max_rate: f32,
    /// Whether the gateway makes a point of it.
    pub is_point: bool,
}

/// The words of one register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    words: [u16; 2],
    count: u16,
}

impl Words {
    pub fn as_slice(&self) -> &[u16] {
        if self.count == 1 { &self.words[..1] } else { &self.words }
    }
}

impl Register {
    /// Words that it takes.
    pub const fn words(&self) -> u16 {
        self.coding.words()
    }

    /// The address after its last word.
    pub const fn end(&self) -> u16 {
        self.address + self.words()
    }

    /// Value in the unit to words. What is out of range, or no number, becomes [`NoData::Range`].
    pub fn encode(&self, value: Result<f32, NoData>) -> Words {
        self.encode_counts(value.and_then(|value| self.counts(value)))
    }

    /// Words to value in the unit; the inverse of [`Register::encode`]. Another number of words than the
    /// register has is a [`NoData::Fault`].
    #[expect(clippy::cast_precision_loss, reason = "16 bits fit; wider ones are read as counts")]
    pub fn decode(&self, words: &[u16]) -> Result<f32, NoData> {
        let counts = self.decode_counts(words)?;
        let (numerator, denominator) = self.scale;
        Ok(counts as f32 * numerator as f32 / denominator as f32)
    }

    /// Counts to words.
    pub fn encode_counts(&self, counts: Result<i32, NoData>) -> Words {
        let (lowest, highest) = self.range;
        let raw = match counts {
            Ok(counts) if (lowest..=highest).contains(&counts) => counts.cast_unsigned(),
            Ok(_) => self.coding.code(NoData::Range),
            Err(why) => self.coding.code(why),
        };
        let [a, b, c, d] = raw.to_be_bytes();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        match self.coding {
            Coding::U16 | Coding::I16 => Words { words: [low, 0], count: 1 },
            Coding::U32 => Words { words: [high, low], count: 2 },
        }
    }

    /// Words to counts; the inverse of [`Register::encode_counts`].
    pub fn decode_counts(&self, words: &[u16]) -> Result<i32, NoData> {
        let (raw, counts) = match (self.coding, words) {
            (Coding::U16, [word]) => (u32::from(*word), i32::from(*word)),
            (Coding::I16, [word]) => (u32::from(*word), i32::from(word.cast_signed())),
            (Coding::U32, [high, low]) => {
                let raw = u32::from(*high) << 16 | u32::from(*low);
                (raw, raw.cast_signed())
            }
            _ => return Err(NoData::Fault),
        };
        if let Some(why) = NoData::ALL.into_iter().find(|why| self.coding.code(*why) == raw) {
            return Err(why);
        }
        let (lowest, highest) = self.range;
        if (lowest..=highest).contains(&counts) { Ok(counts) } else { Err(NoData::Range) }
    }

    /// The nearest counts; halves go away from zero.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "16 bits fit, and the cast saturates: out of range stays out of range"
    )]
    fn counts(&self, value: f32) -> Result<i32, NoData> {
        let (numerator, denominator) = self.scale;
        let exact = value * denominator as f32 / numerator as f32;
        if !exact.is_finite() {
            return Err(NoData::Range);
        }
        Ok((exact + if exact < 0.0 { -0.5 } else { 0.5 }) as i32)
    }
}
