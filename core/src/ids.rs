//! Names of things: who, where, which attempt. Plain numbers, ordered, never reused within their scope.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

number!(
    /// A player's account: the id that the account store gave it. Zero is never an account: the original
    /// client reads it as failure.
    AccountId(u64), "account-"
);
number!(
    /// One life of one RoomServer, drawn at random when it starts: a restarted server is a different one,
    /// so nothing granted to the old life can be used by the new.
    ServerId(u64), "server-"
);
number!(
    /// One connection (or one HTTP request) as its driver names it. Never reused while the driver lives.
    ConnId(u64), "conn-"
);
number!(
    /// A room, unique per RCenter.
    RoomId(u32), "room-"
);
number!(
    /// How often the cache has lost its memory, plus one. Durable: the only number of the cache that
    /// survives everything.
    Generation(u32), "generation-"
);
number!(
    /// The id that RCenter gives to a link at registration; 16 bits on the wire, never zero.
    LinkId(u16), "link-"
);

/// One question: the connection it is asked for and its number on it. Never reused, so an answer counts
/// only for the call it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct CallId {
    /// The connection or request on whose behalf the question is asked; [`ConnId::default`] for the
    /// role's own business.
    pub conn: ConnId,
    /// Counts up on that connection. 0 is a question whose answer nobody waits for: there is none.
    pub number: u32,
}

impl CallId {
    /// A question on behalf of this connection whose answer nobody waits for.
    #[must_use]
    pub const fn unanswered(conn: ConnId) -> Self {
        Self { conn, number: 0 }
    }

    /// Whether an answer is wanted.
    #[must_use]
    pub const fn wants_answer(self) -> bool {
        self.number != 0
    }
}

/// A number that only grows, over cache losses too: the generation leads.
///
/// As a *login sequence* it orders the room tokens of all accounts (a newer login wins, there are no ties);
/// as a *version* it names one grant of ownership.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Ordinal {
    /// The cache's generation when the number was drawn.
    pub generation: Generation,
    /// Counts up within a generation.
    pub count: u64,
}

impl Ordinal {
    /// Not older than any other.
    pub const MAX: Self = Self { generation: Generation(u32::MAX), count: u64::MAX };
}

impl fmt::Debug for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.generation.0, self.count)
    }
}

/// A login sequence: see [`Ordinal`].
pub type Seq = Ordinal;
/// A version of ownership: see [`Ordinal`].
pub type Version = Ordinal;

/// The network address of a peer without its port: an IPv6 address, IPv4 mapped into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Addr(pub u128);

impl Addr {
    /// What limits are counted by: the /64 of an IPv6 address (one customer holds all of it), the whole of a
    /// mapped IPv4 address.
    #[must_use]
    pub const fn network(self) -> Self {
        const MAPPED: u128 = 0xffff;
        if self.0 >> 32 == MAPPED { self } else { Self(self.0 >> 64 << 64) }
    }
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 128 bits that nobody can guess, 32 lower-case hex digits on the wire. Equality takes constant time;
        /// `Debug` does not show it.
        #[derive(Clone, Copy, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name([u8; 16]);

        impl $name {
            /// A key of these random bits.
            #[must_use]
            pub const fn new(bits: [u8; 16]) -> Self {
                Self(bits)
            }

            /// Reads the wire form: exactly 32 lower-case hex digits. Anything else was never issued.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                parse_hex(text.as_bytes()).map(Self)
            }

            /// The wire form. The only way to see the secret: for the wire and for simulated worlds.
            #[must_use]
            pub fn expose(&self) -> [u8; 32] {
                to_hex(&self.0)
            }

            /// The same as text. It is as secret as the key.
            #[must_use]
            pub fn text(&self) -> String {
                // Hex digits are text.
                String::from_utf8(self.expose().to_vec()).unwrap_or_default()
            }

            /// The bits, for stores.
            #[must_use]
            pub const fn bits(&self) -> [u8; 16] {
                self.0
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                // As one number: byte by byte takes ten times as long.
                u128::from_ne_bytes(self.0).ct_eq(&u128::from_ne_bytes(other.0)).into()
            }
        }
        impl Eq for $name {}
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }
        impl Ord for $name {
            // Only orders table entries. A table look-up by a random key tells a stranger nothing useful:
            // keys are compared as unguessable 128-bit numbers, never extended digit by digit.
            fn cmp(&self, other: &Self) -> core::cmp::Ordering {
                self.0.cmp(&other.0)
            }
        }
        impl core::hash::Hash for $name {
            fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
        impl Zeroize for $name {
            fn zeroize(&mut self) {
                self.0.zeroize();
            }
        }
    };
}

key!(
    /// A session's key: the cookie of the original client.
    SessionKey
);
key!(
    /// A room token: admits one session, at one server, for one account.
    RoomKey
);
key!(
    /// One signed payload: 128 bits of a digest over all that was signed, so that no two payloads share it. Whoever
    /// checks the signature computes it from the bytes; it is never on a wire of players.
    Payload
);

fn parse_hex(text: &[u8]) -> Option<[u8; 16]> {
    let digits: &[u8; 32] = text.try_into().ok()?;
    let mut bits = [0; 16];
    for (byte, pair) in bits.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(bits)
}

const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn to_hex(bits: &[u8; 16]) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bits) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn a_key_round_trips_and_hides() {
        let key = RoomKey::new([0xab; 16]);
        let text = key.expose();
        assert_eq!(RoomKey::parse(core::str::from_utf8(&text).expect("hex is text")), Some(key));
        assert_eq!(format!("{key:?}"), "RoomKey(..)");
    }

    #[test]
    fn only_the_wire_form_is_a_key() {
        for text in ["", "tokA", "ABABABABABABABABABABABABABABABAB", "abababababababababababababababab0"] {
            assert_eq!(RoomKey::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn limits_count_an_ipv6_customer_once() {
        assert_eq!(Addr((1 << 64) | 7).network(), Addr((1 << 64) | 9).network());
        assert_ne!(Addr((0xffff << 32) | 7).network(), Addr((0xffff << 32) | 9).network());
    }
}
