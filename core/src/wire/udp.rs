//! Datagrams between client and RoomServer.
//!
//! A client binds its UDP address to its live TCP session with one datagram ([`decode_bind`]); from then on the
//! RoomServer sends it scene messages ([`encode_scene`]). Nothing acknowledges the bind, and nothing else uses
//! datagrams.

use alloc::vec::Vec;

use super::WireError;
use super::frame::{self, CMD_LEN, DATAGRAM_MAX, Frame, HEADER_LEN};
use super::proto::{MsgBindTCPSession, MsgSceneUDP, WireMessage, cmd::room as cmd};

/// Largest datagram a RoomServer takes, in bytes. One that fills the buffer may have been cut, so the original
/// drops it.
pub const RECEIVED_MAX: usize = DATAGRAM_MAX - 1;

/// Reads the first datagram from an address: the wish to bind it to a session.
///
/// The original looks at neither the length nor the flag of the header, only at the command, and takes the rest
/// as plain [`MsgBindTCPSession`]. Whether that session lives and has that key is not decided here.
///
/// # Errors
/// [`WireError::DatagramTooLong`] from [`DATAGRAM_MAX`] bytes on, [`WireError::Truncated`] without a command,
/// [`WireError::UnknownCommand`] for any other command, else what the body's form deserves. The original answers
/// each of them with silence.
pub fn decode_bind(datagram: &[u8]) -> Result<MsgBindTCPSession, WireError> {
    if datagram.len() > RECEIVED_MAX {
        return Err(WireError::DatagramTooLong { len: datagram.len(), max: RECEIVED_MAX });
    }
    let after_header = datagram.get(HEADER_LEN..).ok_or(WireError::Truncated)?;
    let (command, body) = after_header.split_first_chunk::<CMD_LEN>().ok_or(WireError::Truncated)?;
    match u16::from_le_bytes(*command) {
        cmd::BIND => MsgBindTCPSession::decode_body(body),
        other => Err(WireError::UnknownCommand(other)),
    }
}

/// Appends the bind datagram a client sends.
///
/// # Errors
/// [`WireError::DatagramTooLong`] if the RoomServer would drop it; `out` is untouched then.
pub fn encode_bind(message: &MsgBindTCPSession, out: &mut Vec<u8>) -> Result<(), WireError> {
    let body = message.to_body();
    let len = HEADER_LEN + CMD_LEN + body.len();
    if len > RECEIVED_MAX {
        return Err(WireError::DatagramTooLong { len, max: RECEIVED_MAX });
    }
    frame::encode_plain(cmd::BIND, &body, out)
}

/// Appends a scene datagram. Returns whether it fits; if not, nothing is appended and the message goes over TCP.
///
/// # Errors
/// [`WireError::FrameTooLong`] if the message would not even fit a TCP frame.
pub fn encode_scene(message: &MsgSceneUDP, out: &mut Vec<u8>) -> Result<bool, WireError> {
    let body = message.to_body();
    frame::encode_datagram(cmd::SCENE_UDP, &body, out)
}

/// Reads a datagram on the client's side: exactly one frame, of at most [`DATAGRAM_MAX`] bytes.
///
/// # Errors
/// [`WireError::DatagramTooLong`], [`WireError::Truncated`], [`WireError::TrailingBytes`].
pub fn decode_scene(datagram: &[u8]) -> Result<Frame<'_>, WireError> {
    if datagram.len() > DATAGRAM_MAX {
        return Err(WireError::DatagramTooLong { len: datagram.len(), max: DATAGRAM_MAX });
    }
    frame::decode_exact(datagram, DATAGRAM_MAX)
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::proto::BallMove;

    #[test]
    fn the_header_of_a_bind_is_not_looked_at() {
        let bind = MsgBindTCPSession { id: 1001, key: "tokA".into() };
        let mut datagram = Vec::new();
        encode_bind(&bind, &mut datagram).unwrap();
        assert_eq!(decode_bind(&datagram), Ok(bind.clone()));
        datagram[..4].copy_from_slice(&[0xff, 0xff, 0xff, 1]);
        assert_eq!(decode_bind(&datagram), Ok(bind));
    }

    #[test]
    fn a_datagram_that_fills_the_buffer_is_refused() {
        let sized = |len: usize| {
            let mut bind = MsgBindTCPSession { id: 1, key: "k".into() };
            bind.key = "k".repeat(len - (HEADER_LEN + CMD_LEN + 2 + 3));
            bind
        };
        let mut out = Vec::new();
        assert_eq!(
            encode_bind(&sized(548), &mut out),
            Err(WireError::DatagramTooLong { len: 548, max: 547 })
        );
        assert!(out.is_empty());
        encode_bind(&sized(547), &mut out).unwrap();
        assert_eq!(out.len(), 547);
        assert!(decode_bind(&out).is_ok());
        out.push(0);
        assert_eq!(decode_bind(&out), Err(WireError::DatagramTooLong { len: 548, max: 547 }));
    }

    #[test]
    fn only_the_bind_command_binds() {
        assert_eq!(decode_bind(&[7, 0, 0, 0, 32, 0]), Err(WireError::UnknownCommand(32)));
        assert_eq!(decode_bind(&[7, 0, 0, 0, 33]), Err(WireError::Truncated));
        assert_eq!(decode_bind(&[]), Err(WireError::Truncated));
    }

    #[test]
    fn scenes_too_large_for_a_datagram_are_told_apart() {
        let moves = |n: u64| MsgSceneUDP {
            moves: (0..n)
                .map(|i| BallMove {
                    id: i as u32,
                    x: (i * i * 7919) as i32,
                    field4: i << 40,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        };
        let mut out = Vec::new();
        assert_eq!(encode_scene(&moves(10), &mut out), Ok(true));
        let frame = decode_scene(&out).unwrap();
        assert_eq!(MsgSceneUDP::decode_body(frame.body), Ok(moves(10)));
        out.clear();
        assert_eq!(encode_scene(&moves(400), &mut out), Ok(false));
        assert!(out.is_empty());
        assert!(decode_scene(&vec![0; 549]).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_datagrams_never_panic(datagram in proptest::collection::vec(any::<u8>(), 0..600)) {
            if decode_bind(&datagram).is_ok() {
                prop_assert!(datagram.len() <= RECEIVED_MAX);
            }
            let _ = decode_scene(&datagram);
        }

        #[test]
        fn a_cut_bind_binds_nothing(id: u64, key in "[a-z0-9]{1,40}") {
            let mut datagram = Vec::new();
            encode_bind(&MsgBindTCPSession { id, key }, &mut datagram).unwrap();
            for end in 0..datagram.len() {
                prop_assert!(decode_bind(&datagram[..end]).is_err(), "cut at {}", end);
            }
        }
    }
}
