//! Ids that a replay repeats and a boot in 1970 does not.
//!
//! An id is a ULID made of the creation time, a hash of the gateway's id and the persisted sequence:
//! no chance in it, and no two gateways or records share one.

use sha2::{Digest, Sha256};
use ulid::Ulid;

use crate::reading::Timestamp;

/// Gives out sequences and ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mint {
    gateway: [u8; 4],
    /// The last sequence that was given out.
    sequence: u64,
}

/// What an id is for; two ids of one sequence differ in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Event,
    Message,
}

impl Mint {
    pub fn new(gateway: &str, last_sequence: u64) -> Self {
        let hash = Sha256::digest(gateway.as_bytes());
        Self { gateway: [hash[0], hash[1], hash[2], hash[3]], sequence: last_sequence }
    }

    /// The sequence that the next record will have.
    pub fn next(&self) -> u64 {
        self.sequence + 1
    }

    pub fn take(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// 80 bits: 32 of the gateway, 1 of the kind, 47 of the sequence.
    pub fn id(&self, kind: Kind, sequence: u64, at: Timestamp) -> String {
        let kind = u128::from(kind == Kind::Event) << 47;
        let gateway = u128::from(u32::from_be_bytes(self.gateway)) << 48;
        let sequence = u128::from(sequence) & ((1 << 47) - 1);
        let time = u64::try_from(at.0).unwrap_or(0);
        Ulid::from_parts(time, gateway | kind | sequence).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_by_gateway_kind_sequence_and_time_and_by_nothing_else() {
        let mint = Mint::new("gw-1", 7);
        let at = Timestamp(1_800_000_000_000);
        let id = mint.id(Kind::Event, 8, at);

        assert_eq!(id.len(), 26);
        assert_eq!(id, Mint::new("gw-1", 0).id(Kind::Event, 8, at));
        for other in [
            mint.id(Kind::Message, 8, at),
            mint.id(Kind::Event, 9, at),
            mint.id(Kind::Event, 8, Timestamp(0)),
            Mint::new("gw-2", 7).id(Kind::Event, 8, at),
        ] {
            assert_ne!(id, other);
        }
    }
}
