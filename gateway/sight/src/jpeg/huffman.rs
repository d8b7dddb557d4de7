//! The coded part of a JPEG as bits, and what they stand for (ITU-T T.81, annex F.2.2).
//!
//! A reduced picture needs the first numbers of a block alone. The others have to be read all the same,
//! because each begins where the one before ends; but only how long they are has to be known, and of short
//! ones several are found at once.

#![expect(clippy::inline_always, reason = "compiled for the processor of whom they are part of")]

/// Bits of a code that are looked up at once; longer ones are rare.
const LOOK: u32 = 10;

/// The order in which the waves of a block are written: down times 8 and across (T.81, figure 5).
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

type ByBits = Box<[u16; 1 << LOOK]>;

/// Takes a scan up to its next marker, without the zeros that are stuffed in after FF. Gives what follows.
pub(super) fn run<'a>(mut scan: &'a [u8], run: &mut Vec<u8>) -> &'a [u8] {
    run.clear();
    loop {
        let ff = scan.iter().position(|byte| *byte == 0xFF).unwrap_or(scan.len());
        let (plain, rest) = scan.split_at(ff);
        run.extend_from_slice(plain);
        let [0xFF, 0, behind @ ..] = rest else { return rest };
        run.push(0xFF);
        scan = behind;
    }
}

/// Where in a run of bits the next one is. What is read number by number is read from a copy, which stays in
/// registers.
#[derive(Clone, Copy, Default)]
pub(super) struct Bits {
    /// The next byte that is not among the bits.
    at: usize,
    /// The next ones from the top; what is below them is of no account.
    next: u64,
    count: u32,
}

impl Bits {
    /// So that there are 56 bits at least. Behind the end there are zeros.
    #[inline(always)]
    fn fill(&mut self, run: &[u8]) {
        let next = match run.get(self.at..).and_then(<[u8]>::first_chunk) {
            Some(next) => u64::from_be_bytes(*next),
            None => ending(run, self.at),
        };
        // What this takes of one byte too many will be taken once more, and is the same.
        self.next |= next >> self.count;
        let bytes = (63 - self.count) >> 3;
        self.at += bytes as usize;
        self.count += bytes * 8;
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "sixteen bits at most")]
    fn peek<const MANY: u32>(&self) -> usize {
        (self.next >> (64 - MANY)) as usize
    }

    #[inline(always)]
    fn skip(&mut self, many: u32) {
        self.next <<= many;
        self.count -= many;
    }

    /// A number of so many bits, 15 at most; the lower half of what they can say is negative.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "fifteen bits")]
    fn number(&mut self, size: u32) -> i32 {
        // In two steps, as none may be 64.
        let number = (self.next >> 1 >> (63 - size)) as i32;
        self.skip(size);
        let is_negative = number < (1 << size) >> 1;
        number - if is_negative { (1 << size) - 1 } else { 0 }
    }

    /// Whether more was read than there was.
    #[inline(always)]
    pub(super) fn is_past(&self, run: &[u8]) -> bool {
        self.at * 8 > run.len() * 8 + self.count as usize
    }
}

/// The last bytes, and zeros.
#[cold]
fn ending(run: &[u8], at: usize) -> u64 {
    let left = run.get(at..).unwrap_or_default();
    let byte = |i: usize| left.get(i).copied().unwrap_or_default();
    u64::from_be_bytes(std::array::from_fn(byte))
}

/// One table of codes.
pub(super) struct Codes {
    /// By the next bits: a code's length above its symbol; nothing when it is longer, or none.
    look: ByBits,
    /// By the next bits: of the numbers that end within them how many places above how many bits, and whether
    /// the block ends.
    leap: ByBits,
    /// By length: what its codes are below, as sixteen bits, and where its symbols begin less its first code.
    below: [u32; 17],
    first: [i32; 17],
    symbols: Vec<u8>,
}

impl Codes {
    /// How many codes there are of each length from 1, and what they stand for. `None` when that cannot be.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let (mut below, mut first) = ([0; 17], [0; 17]);
        let mut look = Box::new([0; 1 << LOOK]);
        let (mut code, mut at) = (0_u32, 0_usize);
        for (length, count) in (1_u32..).zip(counts) {
            first[length as usize] = i32::try_from(at).ok()? - i32::try_from(code).ok()?;
            for symbol in symbols.get(at..at + usize::from(*count))? {
                if length <= LOOK {
                    let entry = u16::try_from(length << 8).ok()? | u16::from(*symbol);
                    let from = (code << (LOOK - length)) as usize;
                    look.get_mut(from..from + (1 << (LOOK - length)))?.fill(entry);
                }
                code += 1;
            }
            at += usize::from(*count);
            if code > 1 << length {
                return None;
            }
            below[length as usize] = code << (16 - length);
            code <<= 1;
        }
        let leap = Box::new(std::array::from_fn(|bits| leap(&look, bits)));
        Some(Self { look, leap, below, first, symbols: symbols.to_vec() })
    }

    /// The next symbol; its code is skipped.
    #[inline(always)]
    fn symbol(&self, run: &[u8], bits: &mut Bits) -> Option<u32> {
        bits.fill(run);
        let entry = match self.look[bits.peek::<LOOK>()] {
            0 => self.longer(bits.peek::<16>())?,
            entry => entry,
        };
        bits.skip(u32::from(entry >> 8));
        Some(u32::from(entry & 0xFF))
    }

    /// As the table has it, of a code that is too long for it.
    #[cold]
    fn longer(&self, next: usize) -> Option<u16> {
        let length = (LOOK + 1..=16).find(|length| next < self.below[*length as usize] as usize)?;
        let code = i32::try_from(next >> (16 - length)).ok()?;
        let place = usize::try_from(code + self.first[length as usize]).ok()?;
        let symbol = self.symbols.get(place)?;
        Some(u16::try_from(length << 8).ok()? | u16::from(*symbol))
    }

    /// How much the mean of a block differs from that of the block before.
    #[inline(always)]
    pub(super) fn difference(&self, run: &[u8], bits: &mut Bits) -> Option<i32> {
        let size = self.symbol(run, bits)?;
        (size < 16).then(|| bits.number(size))
    }

    /// The other numbers of a block, times their steps, to where they belong; those behind a place are skipped.
    /// Gives the place of the last that is not 0. Places are those of the order in which they are written.
    #[inline(always)]
    pub(super) fn waves(
        &self,
        run: &[u8],
        of: &mut Bits,
        upto: usize,
        steps: &[f32; 64],
        waves: &mut [f32; 64],
    ) -> Option<usize> {
        let (mut bits, mut at, mut last) = (*of, 1, 0);
        while at <= upto {
            let number = self.number(run, &mut bits, &mut at)?;
            if number != 0 {
                waves[usize::from(ZIGZAG[at])] = number as f32 * steps[at];
                last = at;
                at += 1;
            }
        }
        while at < 64 {
            bits.fill(run);
            let leap = self.leap[bits.peek::<LOOK>()];
            let places = usize::from(leap >> 8);
            // One that reaches the end may hold something of the next block.
            if leap > 0 && at + places < 64 {
                bits.skip(u32::from(leap & 15));
                at = if leap & ENDS == 0 { at + places } else { 64 };
            } else {
                at += usize::from(self.number(run, &mut bits, &mut at)? != 0);
            }
        }
        *of = bits;
        Some(last)
    }

    /// The next number, and its place; or 0, and the place where one may follow.
    #[inline(always)]
    fn number(&self, run: &[u8], bits: &mut Bits, at: &mut usize) -> Option<i32> {
        let symbol = self.symbol(run, bits)?;
        match (symbol >> 4, symbol & 15) {
            (15, 0) => *at += 16,
            (_, 0) => *at = 64,
            (zeros, size) => {
                *at += zeros as usize;
                return (*at < 64).then(|| bits.number(size));
            }
        }
        Some(0)
    }
}

/// Of [`Codes::leap`].
const ENDS: u16 = 128;

/// What of the numbers of a block ends within so many bits.
fn leap(look: &[u16; 1 << LOOK], bits: usize) -> u16 {
    let (mut length, mut places) = (0_u16, 0);
    loop {
        let entry = look[(bits << length) & (look.len() - 1)];
        let (code, zeros, size) = (entry >> 8, entry >> 4 & 15, entry & 15);
        if entry == 0 || u32::from(length + code + size) > LOOK {
            return places << 8 | length;
        }
        length += code + size;
        match (zeros, size) {
            (15, 0) => places += 16,
            (_, 0) => return places << 8 | ENDS | length,
            _ => places += zeros + 1,
        }
    }
}
