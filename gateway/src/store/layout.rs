//! What the bytes in the database mean.
//!
//! One tree, so that one batch is one atomic write. Keys begin with a letter; numbers are
//! big-endian, so that key order is the order that people mean:
//!
//! | key | value |
//! | --- | --- |
//! | `j` sequence | a journal entry: what was sent, and the hash that chains it to the one before |
//! | `o` level sequence | the event's id: this record waits for the platform |
//! | `e` event sequence | nothing: where to find an event's records |
//! | `i` opened event | the event in one line, and its newest sequence ([`super::index`]) |
//! | `p` event | when it opened: where to find its line |
//! | `s` key | a state of the pipeline |
//! | `a` key | what the alerts remember: mail that waits, who was told, links that were used |
//! | `m` name | format, boot counter, anchor of the chain, what was given up, how far `i` reaches |

use gatehouse_core::event::message::Record;
use gatehouse_core::reading::Timestamp;
use sha2::{Digest, Sha256};

/// Written into `m/format`; a store with another number is not ours to touch.
pub(super) const FORMAT: u64 = 1;

pub(super) const META_FORMAT: &[u8] = b"m/format";
pub(super) const META_BOOT: &[u8] = b"m/boot";
/// Sequences up to this one are used up, whether the journal has them or not.
pub(super) const META_FLOOR: &[u8] = b"m/floor";
/// Sequence and hash of the newest entry that was removed from the journal's old end.
pub(super) const META_ANCHOR: &[u8] = b"m/anchor";
pub(super) const META_GAPS: &[u8] = b"m/gaps";
/// Version of the index, and the newest entry that is in it.
pub(super) const META_INDEX: &[u8] = b"m/index";

/// Hash of an entry, which covers the one before and so the whole journal up to it.
pub(super) type Hash = [u8; 32];

/// One record in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub sequence: u64,
    /// As the record was made; 1 most urgent .. 4.
    pub level: u8,
    /// The event that it is about.
    pub event: String,
    /// The message, as it goes out.
    pub json: Vec<u8>,
    pub(super) hash: Hash,
}

impl Entry {
    pub(super) fn new(record: &Record, before: &Hash) -> Self {
        let mut entry = Self {
            sequence: record.sequence,
            level: record.level,
            event: record.event.clone(),
            json: record.json.clone(),
            hash: Hash::default(),
        };
        entry.hash = entry.chained(before);
        entry
    }

    /// What the hash must be when `before` is the hash of the entry before.
    pub(super) fn chained(&self, before: &Hash) -> Hash {
        Sha256::new()
            .chain_update(before)
            .chain_update(self.sequence.to_be_bytes())
            .chain_update([self.level])
            .chain_update(length(&self.event))
            .chain_update(&self.event)
            .chain_update(&self.json)
            .finalize()
            .into()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(37 + self.event.len() + self.json.len());
        bytes.push(self.level);
        bytes.extend_from_slice(&self.hash);
        bytes.extend_from_slice(&length(&self.event));
        bytes.extend_from_slice(self.event.as_bytes());
        bytes.extend_from_slice(&self.json);
        bytes
    }

    /// `None` when the bytes are not an entry.
    pub(super) fn decode(key: &[u8], value: &[u8]) -> Option<Self> {
        let sequence = number(key.strip_prefix(b"j")?)?;
        let (level, rest) = value.split_first()?;
        let (hash, rest) = rest.split_first_chunk::<32>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (event, json) = rest.split_at_checked(length)?;
        Some(Self {
            sequence,
            level: *level,
            event: String::from_utf8(event.to_vec()).ok()?,
            json: json.to_vec(),
            hash: *hash,
        })
    }
}

/// An event id is 26 characters; a text that does not fit its length would not decode.
fn length(text: &str) -> [u8; 4] {
    u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes()
}

pub(super) fn journal_key(sequence: u64) -> [u8; 9] {
    let mut key = *b"j\0\0\0\0\0\0\0\0";
    key[1..].copy_from_slice(&sequence.to_be_bytes());
    key
}

pub(super) fn outbox_key(level: u8, sequence: u64) -> [u8; 10] {
    let mut key = *b"o\0\0\0\0\0\0\0\0\0";
    key[1] = level;
    key[2..].copy_from_slice(&sequence.to_be_bytes());
    key
}

/// Level and sequence of an outbox key.
pub(super) fn outbox_place(key: &[u8]) -> Option<(u8, u64)> {
    let (level, sequence) = key.strip_prefix(b"o")?.split_first()?;
    Some((*level, number(sequence)?))
}

pub(super) fn event_prefix(event: &str) -> Vec<u8> {
    [b"e", event.as_bytes(), b"\0"].concat()
}

pub(super) fn event_key(event: &str, sequence: u64) -> Vec<u8> {
    [&event_prefix(event)[..], &sequence.to_be_bytes()].concat()
}

/// The sign bit is turned, so that times before 1970 sort before the others.
const SIGN: u64 = 1 << 63;

pub(super) fn index_key(opened: Timestamp, event: &str) -> Vec<u8> {
    let opened = opened.0.cast_unsigned() ^ SIGN;
    [b"i", &opened.to_be_bytes()[..], event.as_bytes()].concat()
}

/// When the event of an index key opened, and its id.
pub(super) fn index_place(key: &[u8]) -> Option<(Timestamp, String)> {
    let (opened, event) = key.strip_prefix(b"i")?.split_at_checked(8)?;
    let opened = Timestamp((number(opened)? ^ SIGN).cast_signed());
    Some((opened, String::from_utf8(event.to_vec()).ok()?))
}

pub(super) fn place_key(event: &str) -> Vec<u8> {
    [b"p", event.as_bytes()].concat()
}

pub(super) fn state_key(key: &str) -> Vec<u8> {
    [b"s", key.as_bytes()].concat()
}

pub(super) fn mail_key(key: &str) -> Vec<u8> {
    [b"a", key.as_bytes()].concat()
}

pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

pub(super) fn anchor_value(sequence: u64, hash: &Hash) -> Vec<u8> {
    [&sequence.to_be_bytes()[..], hash].concat()
}

pub(super) fn anchor_of(bytes: &[u8]) -> Option<(u64, Hash)> {
    let (sequence, hash) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*sequence), hash.try_into().ok()?))
}
