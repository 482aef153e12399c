//! The frame: `N` (24 bits, little-endian), flag (1 byte), command (16 bits, little-endian), body.
//!
//! `N` counts what follows the 4-byte header: the command and the body, after compression. Flag 1 says that the
//! body, never the command, is a zlib stream; the original compares with 1 and takes every other flag as plain.
//! There is no checksum and no sequence number.
//!
//! The original keeps two rules for when a sender compresses, and both are kept here, because they show on the
//! wire: towards clients only if that makes the body shorter ([`encode_client`]), between servers always
//! ([`encode_server`]), both from [`COMPRESS_FROM`] bytes on.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

use super::WireError;

/// Bytes of the header: three of length, one flag.
pub const HEADER_LEN: usize = 4;
/// Bytes of the command number, the first thing after the header.
pub const CMD_LEN: usize = 2;
/// Largest `N` the original RoomServer takes, in bytes: a longer frame closes the connection at once.
pub const FRAME_MAX: usize = 131_072;
/// Bodies of at least this many bytes are compressed by the sender on TCP links.
pub const COMPRESS_FROM: usize = 4096;
/// Size of the original's datagram buffer in bytes. A received datagram that fills it is dropped, one that is
/// sent may fill it, and it is the compression threshold for datagrams.
pub const DATAGRAM_MAX: usize = 548;
/// Most bytes a body may inflate to, unless the caller asks for less. The original has no such limit, so one
/// frame costs it a thousand times its size; no message of the protocol needs more than a whole plain frame.
pub const INFLATE_MAX: usize = FRAME_MAX;

/// Flag of a body that stands as it is.
pub const FLAG_PLAIN: u8 = 0;
/// Flag of a body that is a zlib stream.
pub const FLAG_ZLIB: u8 = 1;

/// The level Go's zlib writer uses when none is named.
const ZLIB_LEVEL: u8 = 6;

const _: () = assert!(FRAME_MAX < 1 << 24, "the length field has 24 bits");
const _: () = assert!(DATAGRAM_MAX < COMPRESS_FROM && COMPRESS_FROM < FRAME_MAX);

/// One frame, borrowed from the bytes it arrived in. `Debug` shows the length of the body only, because a body may
/// hold a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// How the body stands: [`FLAG_ZLIB`], or anything else for plain.
    pub flag: u8,
    /// Command number; its meaning depends on the link (see [`super::proto::cmd`]).
    pub cmd: u16,
    /// Body as it stands on the wire, compressed if the flag says so.
    pub body: &'a [u8],
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flag, cmd, body } = self;
        f.debug_struct("Frame").field("flag", flag).field("cmd", cmd).field("body_len", &body.len()).finish()
    }
}

/// Reads the frame at the start of `buf`.
///
/// `Ok(None)` means that more bytes are needed. On success the second value is the number of bytes used, header
/// included. `N` below 2 leaves no room for a command; the original reads command 0 with an empty body then, and
/// so does this.
///
/// # Errors
/// [`WireError::FrameTooLong`] if `N` exceeds `max`, decided from the first four bytes, before a caller would
/// have to buffer any of the rest.
pub fn decode(buf: &[u8], max: usize) -> Result<Option<(Frame<'_>, usize)>, WireError> {
    let Some((&[n0, n1, n2, flag], rest)) = buf.split_first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let len = u32::from_le_bytes([n0, n1, n2, 0]) as usize;
    if len > max {
        return Err(WireError::FrameTooLong { len, max });
    }
    let Some(content) = rest.get(..len) else {
        return Ok(None);
    };
    let (cmd, body) = match content.split_first_chunk::<CMD_LEN>() {
        Some((cmd, body)) => (u16::from_le_bytes(*cmd), body),
        None => (0, &[][..]),
    };
    Ok(Some((Frame { flag, cmd, body }, HEADER_LEN + len)))
}

/// Reads a buffer that has to be exactly one frame, as an HTTP answer and a scene datagram are.
///
/// # Errors
/// [`WireError::Truncated`], [`WireError::TrailingBytes`] or [`WireError::FrameTooLong`].
pub fn decode_exact(buf: &[u8], max: usize) -> Result<Frame<'_>, WireError> {
    match decode(buf, max)? {
        Some((frame, used)) if used == buf.len() => Ok(frame),
        Some((_, used)) => Err(WireError::TrailingBytes { extra: buf.len() - used }),
        None => Err(WireError::Truncated),
    }
}

impl<'a> Frame<'a> {
    /// The body as the sender meant it: inflated if the flag is [`FLAG_ZLIB`], else as it stands.
    ///
    /// A plain body is not measured against `limit`; its length was bounded when the frame was read.
    ///
    /// # Errors
    /// [`WireError::InflatedTooLong`] beyond `limit` bytes of output; memory use stays within that limit.
    /// [`WireError::BadZlib`] for anything but a whole stream with a right checksum. (The original goes on with an
    /// empty body there, which then fails as a message if that has required fields.)
    pub fn payload(&self, limit: usize) -> Result<Cow<'a, [u8]>, WireError> {
        if self.flag != FLAG_ZLIB {
            return Ok(Cow::Borrowed(self.body));
        }
        if self.body.is_empty() {
            return Err(WireError::BadZlib);
        }
        decompress_to_vec_zlib_with_limit(self.body, limit).map(Cow::Owned).map_err(|e| match e.status {
            TINFLStatus::HasMoreOutput => WireError::InflatedTooLong { max: limit },
            _ => WireError::BadZlib,
        })
    }

    /// Appends this frame as it stands, flag and all: what an echo needs.
    ///
    /// # Errors
    /// [`WireError::FrameTooLong`] if the frame would exceed [`FRAME_MAX`]; `out` is untouched then.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        put(self.flag, Some(self.cmd), self.body, out)
    }
}

/// Appends a frame with a plain body, whatever its length: what the original Python client sends, and the form
/// of every HTTP answer.
///
/// # Errors
/// [`WireError::FrameTooLong`] if the frame would exceed [`FRAME_MAX`]; `out` is untouched then.
pub fn encode_plain(cmd: u16, body: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    put(FLAG_PLAIN, Some(cmd), body, out)
}

/// Appends a frame as the original RoomServer writes it to a client: compressed from [`COMPRESS_FROM`] bytes on,
/// if that makes it shorter.
///
/// # Errors
/// [`WireError::FrameTooLong`] if the frame would exceed [`FRAME_MAX`]; `out` is untouched then.
pub fn encode_client(cmd: u16, body: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    encode_if_shorter(COMPRESS_FROM, cmd, body, out)
}

/// Appends a frame as the original's servers write it to each other: always compressed from [`COMPRESS_FROM`]
/// bytes on, even where that makes it longer.
///
/// # Errors
/// [`WireError::FrameTooLong`] if the frame would exceed [`FRAME_MAX`]; `out` is untouched then.
pub fn encode_server(cmd: u16, body: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    if body.len() < COMPRESS_FROM {
        return encode_plain(cmd, body, out);
    }
    put(FLAG_ZLIB, Some(cmd), &compress_to_vec_zlib(body, ZLIB_LEVEL), out)
}

/// Appends a frame as a scene datagram: compressed from [`DATAGRAM_MAX`] bytes on, if that makes it shorter.
///
/// Returns whether it fits. A frame of more than [`DATAGRAM_MAX`] bytes does not; it is not appended, and the
/// original sends such a message over TCP instead.
///
/// # Errors
/// [`WireError::FrameTooLong`] if the message would not even fit a TCP frame.
pub fn encode_datagram(cmd: u16, body: &[u8], out: &mut Vec<u8>) -> Result<bool, WireError> {
    let start = out.len();
    encode_if_shorter(DATAGRAM_MAX, cmd, body, out)?;
    let fits = out.len() - start <= DATAGRAM_MAX;
    if !fits {
        out.truncate(start);
    }
    Ok(fits)
}

/// Appends a frame whose command and body come joined, as RCenter forwards them between RoomServers.
pub(super) fn encode_joined(flag: u8, content: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    put(flag, None, content, out)
}

fn encode_if_shorter(from: usize, cmd: u16, body: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    if body.len() >= from {
        let packed = compress_to_vec_zlib(body, ZLIB_LEVEL);
        if packed.len() < body.len() {
            return put(FLAG_ZLIB, Some(cmd), &packed, out);
        }
    }
    encode_plain(cmd, body, out)
}

fn put(flag: u8, cmd: Option<u16>, body: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let len = body.len() + if cmd.is_some() { CMD_LEN } else { 0 };
    if len > FRAME_MAX {
        return Err(WireError::FrameTooLong { len, max: FRAME_MAX });
    }
    // FRAME_MAX is below 2^24, so three bytes hold any length that comes this far.
    let [n0, n1, n2, ..] = len.to_le_bytes();
    out.reserve(HEADER_LEN + len);
    out.extend_from_slice(&[n0, n1, n2, flag]);
    if let Some(cmd) = cmd {
        out.extend_from_slice(&cmd.to_le_bytes());
    }
    out.extend_from_slice(body);
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use proptest::prelude::*;

    use super::*;

    fn plain(cmd: u16, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode_plain(cmd, body, &mut out).unwrap();
        out
    }

    /// Bytes zlib cannot shorten: a fixed linear generator's high bytes.
    fn noise(len: usize) -> Vec<u8> {
        let mut x = 1u64;
        let mut next = || {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (x >> 56) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn heartbeat_is_six_bytes() {
        assert_eq!(plain(16, &[]), [2, 0, 0, 0, 16, 0]);
    }

    #[test]
    fn length_is_decided_from_the_header_alone() {
        assert_eq!(
            decode(&[1, 0, 2, 0], FRAME_MAX),
            Err(WireError::FrameTooLong { len: 131_073, max: FRAME_MAX })
        );
        assert_eq!(decode(&[0, 0, 2, 0], FRAME_MAX), Ok(None));
        assert_eq!(decode(&[9, 0, 0, 0], 8), Err(WireError::FrameTooLong { len: 9, max: 8 }));
    }

    #[test]
    fn frames_too_short_for_a_command_read_as_command_zero() {
        let empty = Frame { flag: 0, cmd: 0, body: &[] };
        assert_eq!(decode(&[0, 0, 0, 0, 7], FRAME_MAX), Ok(Some((empty, 4))));
        assert_eq!(decode(&[1, 0, 0, 0, 7], FRAME_MAX), Ok(Some((empty, 5))));
    }

    #[test]
    fn any_flag_but_one_is_plain() {
        let frame = Frame { flag: 2, cmd: 1, body: b"abc" };
        assert_eq!(frame.payload(0), Ok(Cow::Borrowed(&b"abc"[..])));
    }

    #[test]
    fn client_frames_compress_from_4096_and_only_if_shorter() {
        let mut out = Vec::new();
        encode_client(20, &[b'c'; COMPRESS_FROM - 1], &mut out).unwrap();
        assert_eq!(out[3], FLAG_PLAIN);
        out.clear();
        encode_client(20, &[b'c'; COMPRESS_FROM], &mut out).unwrap();
        assert_eq!(&out[3..8], &[FLAG_ZLIB, 20, 0, 0x78, 0x9c]);
        out.clear();
        encode_client(20, &noise(COMPRESS_FROM), &mut out).unwrap();
        assert_eq!(out[3], FLAG_PLAIN);
    }

    #[test]
    fn server_frames_compress_even_when_longer() {
        let mut out = Vec::new();
        let body = noise(COMPRESS_FROM);
        encode_server(17, &body, &mut out).unwrap();
        assert_eq!(out[3], FLAG_ZLIB);
        assert!(out.len() > HEADER_LEN + CMD_LEN + body.len());
        let frame = decode_exact(&out, FRAME_MAX).unwrap();
        assert_eq!(frame.payload(INFLATE_MAX).unwrap(), body);
    }

    #[test]
    fn a_datagram_may_fill_the_buffer_but_not_exceed_it() {
        let room = DATAGRAM_MAX - HEADER_LEN - CMD_LEN;
        let mut out = vec![0xaa];
        assert_eq!(encode_datagram(32, &noise(room), &mut out), Ok(true));
        assert_eq!(out.len(), 1 + DATAGRAM_MAX);
        let mut out = vec![0xaa];
        assert_eq!(encode_datagram(32, &noise(room + 1), &mut out), Ok(false));
        assert_eq!(out, [0xaa], "a datagram that does not fit leaves nothing behind");
        assert_eq!(encode_datagram(32, &vec![0; 4000], &mut out), Ok(true), "compression makes it fit");
    }

    #[test]
    fn frames_too_long_are_not_written() {
        let mut out = vec![1];
        let refused = Err(WireError::FrameTooLong { len: FRAME_MAX + 1, max: FRAME_MAX });
        assert_eq!(encode_plain(1, &vec![0; FRAME_MAX - 1], &mut out), refused);
        assert_eq!(out, [1]);
        assert_eq!(encode_plain(1, &vec![0; FRAME_MAX - 2], &mut out), Ok(()));
    }

    #[test]
    fn a_zlib_bomb_stops_at_the_limit() {
        let bomb = compress_to_vec_zlib(&vec![0; 16 << 20], 9);
        assert!(bomb.len() < FRAME_MAX, "it fits one frame");
        let frame = Frame { flag: FLAG_ZLIB, cmd: 1, body: &bomb };
        assert_eq!(frame.payload(INFLATE_MAX), Err(WireError::InflatedTooLong { max: INFLATE_MAX }));
        assert_eq!(frame.payload(0), Err(WireError::InflatedTooLong { max: 0 }));
    }

    #[test]
    fn the_inflate_limit_is_exact() {
        let packed = compress_to_vec_zlib(&[7; 5000], 6);
        let frame = Frame { flag: FLAG_ZLIB, cmd: 1, body: &packed };
        assert_eq!(frame.payload(5000).unwrap().len(), 5000);
        assert_eq!(frame.payload(4999), Err(WireError::InflatedTooLong { max: 4999 }));
    }

    #[test]
    fn broken_zlib_is_refused() {
        let packed = compress_to_vec_zlib(b"hello hello hello", 6);
        for end in 0..packed.len() {
            let frame = Frame { flag: FLAG_ZLIB, cmd: 1, body: &packed[..end] };
            assert_eq!(frame.payload(100), Err(WireError::BadZlib), "cut at {end}");
        }
        let mut wrong_sum = packed.clone();
        *wrong_sum.last_mut().unwrap() ^= 1;
        assert_eq!(Frame { flag: FLAG_ZLIB, cmd: 1, body: &wrong_sum }.payload(100), Err(WireError::BadZlib));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, max in 0usize..200, limit in 0usize..5000) {
            if let Ok(Some((frame, used))) = decode(&bytes, max) {
                prop_assert!(used <= bytes.len());
                if let Ok(payload) = frame.payload(limit) {
                    prop_assert!(payload.len() <= limit || frame.flag != FLAG_ZLIB);
                }
            }
            if let Ok(payload) = (Frame { flag: FLAG_ZLIB, cmd: 0, body: &bytes }).payload(limit) {
                prop_assert!(payload.len() <= limit);
            }
        }

        #[test]
        fn every_encoder_is_read_back(
            cmd: u16,
            byte: u8,
            len in prop_oneof![0usize..64, 500usize..600, 4000usize..4200],
            random: bool,
        ) {
            let body = if random { noise(len) } else { vec![byte; len] };
            for encode in [encode_plain, encode_client, encode_server] {
                let mut out = Vec::new();
                encode(cmd, &body, &mut out).unwrap();
                let frame = decode_exact(&out, FRAME_MAX).unwrap();
                prop_assert_eq!(frame.cmd, cmd);
                prop_assert_eq!(frame.payload(INFLATE_MAX).unwrap(), &body[..]);
                let mut again = Vec::new();
                frame.encode(&mut again).unwrap();
                prop_assert_eq!(&again, &out, "an echo repeats the frame byte for byte");
            }
        }

        #[test]
        fn a_cut_frame_waits_for_the_rest(cmd: u16, body: Vec<u8>, tail: Vec<u8>) {
            let mut bytes = plain(cmd, &body);
            let whole = bytes.len();
            for end in 0..whole {
                prop_assert_eq!(decode(&bytes[..end], FRAME_MAX), Ok(None));
                prop_assert_eq!(decode_exact(&bytes[..end], FRAME_MAX), Err(WireError::Truncated));
            }
            bytes.extend_from_slice(&tail);
            let (frame, used) = decode(&bytes, FRAME_MAX).unwrap().unwrap();
            prop_assert_eq!((frame.cmd, frame.body, used), (cmd, &body[..], whole));
        }
    }
}
