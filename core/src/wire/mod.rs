//! Bytes to messages and back: one file for each link of the original system.
//!
//! Everything here is a pure function of its arguments. A codec knows frames, fields and limits; it knows no
//! session, no role and no clock, so the same code serves the sockets, the simulator and the vector check.
//!
//! | file | link |
//! |---|---|
//! | [`frame`] | the length-prefixed frame every TCP link and every HTTP answer uses |
//! | [`proto`] | the protobuf messages inside the frames, and their command numbers |
//! | [`http`] | client to LoginServer: request line, signature, cookie, answer |
//! | [`gamecloud`] | gamecloud's client to its servers, over HTTP and socket.io |
//! | [`json`] | JSON as it was written, for the signed payloads of two systems |
//! | [`local`] | the launcher of GTarcade to a game on the same machine |
//! | [`php`] | what PHP makes of decoded JSON: order of names, texts of values |
//! | [`rcenter`] | RoomServer to RCenter |
//! | [`udp`] | client to RoomServer by datagram |
//! | [`token_hash`] | the room token as it lies in the cache, between LoginServer and RoomServer |
//!
//! Reading is total: any bytes give a value or a [`WireError`], never a panic, and never more memory than the
//! limit the caller passed.

use core::fmt;

pub mod frame;
pub mod gamecloud;
pub mod http;
pub mod json;
pub mod local;
pub mod php;
pub mod proto;
pub mod rcenter;
pub mod token_hash;
pub mod udp;

/// Why bytes could not be read or written.
///
/// Every variant is data that a metric or a log may show: names of our own, numbers and limits. No variant
/// carries bytes of the peer, so no error can leak a password, a cookie or a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WireError {
    /// The input ends inside a value that has to be whole.
    Truncated,
    /// Bytes follow a value that has to be the last one.
    TrailingBytes {
        /// How many bytes too many.
        extra: usize,
    },
    /// A frame announces, or would need, more bytes after its header than allowed.
    FrameTooLong {
        /// Bytes after the 4-byte header.
        len: usize,
        /// The limit that applied.
        max: usize,
    },
    /// A datagram has more bytes than the receiver takes.
    DatagramTooLong {
        /// Bytes in the datagram.
        len: usize,
        /// The largest accepted.
        max: usize,
    },
    /// A compressed body inflates to more than the caller allows.
    InflatedTooLong {
        /// The limit in bytes.
        max: usize,
    },
    /// A body marked as compressed is not a whole zlib stream.
    BadZlib,
    /// A protobuf body does not have the form of its message.
    BadProtobuf {
        /// The message that was expected.
        message: &'static str,
    },
    /// A required field is absent.
    MissingField {
        /// The message that was expected.
        message: &'static str,
        /// Number of the absent field.
        field: u32,
    },
    /// A field is present but its value is outside its range.
    BadField {
        /// The message.
        message: &'static str,
        /// Number of the field.
        field: u32,
    },
    /// The command number has no meaning on this link.
    UnknownCommand(u16),
    /// The request line of the LoginServer is unusable.
    BadRequest(http::RequestFault),
    /// A cookie value contains a character that would end it early or split the header.
    BadCookie,
    /// A field of the token hash does not parse.
    BadTokenField {
        /// Name of the field.
        field: &'static str,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("input ends inside a value"),
            Self::TrailingBytes { extra } => write!(f, "{extra} bytes after the end"),
            Self::FrameTooLong { len, max } => write!(f, "frame of {len} bytes, limit {max}"),
            Self::DatagramTooLong { len, max } => write!(f, "datagram of {len} bytes, limit {max}"),
            Self::InflatedTooLong { max } => write!(f, "body inflates beyond {max} bytes"),
            Self::BadZlib => f.write_str("body is not a zlib stream"),
            Self::BadProtobuf { message } => write!(f, "malformed {message}"),
            Self::MissingField { message, field } => write!(f, "{message} lacks required field {field}"),
            Self::BadField { message, field } => write!(f, "{message} field {field} is out of range"),
            Self::UnknownCommand(cmd) => write!(f, "unknown command {cmd}"),
            Self::BadRequest(fault) => write!(f, "bad request: {fault}"),
            Self::BadCookie => f.write_str("cookie value has a forbidden character"),
            Self::BadTokenField { field } => write!(f, "token field {field} does not parse"),
        }
    }
}

impl core::error::Error for WireError {}

impl From<http::RequestFault> for WireError {
    fn from(fault: http::RequestFault) -> Self {
        Self::BadRequest(fault)
    }
}
