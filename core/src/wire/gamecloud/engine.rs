//! engine.io 3: packets of text, alone in a WebSocket message or several in the body of a poll.
//!
//! In a body each stands behind its length and a colon. The length counts UTF-16 code units, as JavaScript does: an
//! emoji is two. Binary packets are not taken: no client of gamecloud sends them.

use alloc::{string::String, vec::Vec};
use core::fmt;

/// Longest body of a poll that is taken, in bytes.
pub const BODY_MAX: usize = 65_536;
/// Packets of one body.
pub const PACKETS_MAX: usize = 64;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The first, from the server: who the client is, and the times.
    Open,
    /// The end.
    Close,
    /// Are you there? With `probe`: is this transport?
    Ping,
    /// Yes.
    Pong,
    /// Something for those above.
    Message,
    /// From now on over this transport.
    Upgrade,
    /// Nothing: it ends a poll.
    Noop,
}

const KINDS: [(char, Kind); 7] = [
    ('0', Kind::Open),
    ('1', Kind::Close),
    ('2', Kind::Ping),
    ('3', Kind::Pong),
    ('4', Kind::Message),
    ('5', Kind::Upgrade),
    ('6', Kind::Noop),
];

/// A packet. What it carries may be a credential and is not shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is.
    pub kind: Kind,
    /// What it carries.
    pub data: &'a str,
}

impl fmt::Debug for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} bytes)", self.kind, self.data.len())
    }
}

/// Why bytes are no packets. It carries nothing of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineFault {
    /// A body is longer than [`BODY_MAX`].
    TooLong {
        /// Its bytes.
        len: usize,
    },
    /// A body has more packets than [`PACKETS_MAX`].
    TooMany,
    /// Not UTF-8.
    NotText,
    /// A length is missing, has no colon behind it, or is not where a packet ends.
    BadLength,
    /// A packet is empty or of no known kind.
    BadKind,
}

impl fmt::Display for EngineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { len } => write!(f, "body of {len} bytes, limit {BODY_MAX}"),
            Self::TooMany => write!(f, "more than {PACKETS_MAX} packets"),
            Self::NotText => f.write_str("not UTF-8"),
            Self::BadLength => f.write_str("not the length of a packet"),
            Self::BadKind => f.write_str("no kind of packet"),
        }
    }
}

impl core::error::Error for EngineFault {}

impl<'a> Packet<'a> {
    /// Reads one packet, which is all of the text.
    ///
    /// # Errors
    /// [`EngineFault::BadKind`].
    pub fn read(text: &'a str) -> Result<Self, EngineFault> {
        let kind = text.chars().next().and_then(|digit| KINDS.iter().find(|(own, _)| *own == digit));
        let (digit, kind) = kind.ok_or(EngineFault::BadKind)?;
        Ok(Self { kind: *kind, data: text.get(digit.len_utf8()..).unwrap_or_default() })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        KINDS.iter().filter(|(_, kind)| kind == self).try_for_each(|(digit, _)| write!(f, "{digit}"))
    }
}

/// Reads the body of a poll.
///
/// # Errors
/// [`EngineFault`]; then nothing of it counts.
pub fn read_body(body: &[u8]) -> Result<Vec<Packet<'_>>, EngineFault> {
    if body.len() > BODY_MAX {
        return Err(EngineFault::TooLong { len: body.len() });
    }
    let mut rest = core::str::from_utf8(body).map_err(|_| EngineFault::NotText)?;
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let (digits, after) = rest.split_once(':').ok_or(EngineFault::BadLength)?;
        if digits.is_empty() || digits.len() > 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(EngineFault::BadLength);
        }
        let units = digits.parse().map_err(|_| EngineFault::BadLength)?;
        let end = end_of(after, units).ok_or(EngineFault::BadLength)?;
        let (packet, tail) = after.split_at_checked(end).ok_or(EngineFault::BadLength)?;
        if packets.len() == PACKETS_MAX {
            return Err(EngineFault::TooMany);
        }
        packets.push(Packet::read(packet)?);
        rest = tail;
    }
    Ok(packets)
}

/// Appends a packet, already written, to the body of a poll.
pub fn write_body(packet: &str, body: &mut String) {
    use fmt::Write as _;
    // A text takes everything.
    let _ = write!(body, "{}:{packet}", packet.encode_utf16().count());
}

/// Where so many UTF-16 code units end, if a letter does.
fn end_of(text: &str, units: usize) -> Option<usize> {
    let mut left = units;
    for (at, letter) in text.char_indices() {
        if left == 0 {
            return Some(at);
        }
        left = left.checked_sub(letter.len_utf16())?;
    }
    (left == 0).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_count_as_javascript_does() {
        let packet = "42[\"\u{1F600}\u{e9}\"]";
        let mut body = String::new();
        write_body(packet, &mut body);
        write_body("2probe", &mut body);
        assert!(body.starts_with("9:42"), "{body}");
        let packets = read_body(body.as_bytes()).expect("a good body");
        let data: Vec<_> = packets.iter().map(|packet| (packet.kind, packet.data)).collect();
        assert_eq!(data, [(Kind::Message, "2[\"\u{1F600}\u{e9}\"]"), (Kind::Ping, "probe")]);
        assert_eq!(format!("{:?}", packets[1]), "Ping(5 bytes)");
    }

    #[test]
    fn what_is_no_body_is_refused_whole() {
        let check = |body: &str, fault| assert_eq!(read_body(body.as_bytes()), Err(fault), "{body}");
        for body in ["1", ":2", "-1:2", "+1:2", "2:2", "1:\u{1F600}", "1:2x", "9999999:2", "1:21"] {
            check(body, EngineFault::BadLength);
        }
        check("0:", EngineFault::BadKind);
        check("1:7", EngineFault::BadKind);
        check("2:b4", EngineFault::BadKind);
        check(&"1:2".repeat(PACKETS_MAX + 1), EngineFault::TooMany);
        check(&"x".repeat(BODY_MAX + 1), EngineFault::TooLong { len: BODY_MAX + 1 });
        assert_eq!(read_body(b"1:\xff"), Err(EngineFault::NotText));
        assert_eq!(read_body(b""), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn what_is_written_comes_back(texts in prop::collection::vec("[0-6]\\PC{0,9}", 0..9)) {
            let mut body = String::new();
            texts.iter().for_each(|text| write_body(text, &mut body));
            let packets = read_body(body.as_bytes()).expect("a good body");
            let again: Vec<_> = packets.iter().map(|packet| format!("{}{}", packet.kind, packet.data)).collect();
            prop_assert_eq!(again, texts);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, text in "[0-9:]{0,20}") {
            let _ = read_body(&bytes);
            let _ = read_body(text.as_bytes());
        }
    }
}
