//! RoomServer and RCenter: who may say what, in which direction.
//!
//! Both ends use [`frame::encode_server`]. The RoomServer speaks first ([`Up::Login`]); RCenter answers with the
//! number it gave the server ([`Down::Login`]), which the original awaits for 30 s before it gives up and exits.
//! Everything after that is one-way: no message on this link is acknowledged.

use alloc::vec::Vec;

use super::WireError;
use super::frame::{self, CMD_LEN, Frame, INFLATE_MAX};
use super::proto::cmd::center as cmd;
use super::proto::{
    ReqAddRoom, ReqCheckRelogin, ReqEndGame, ReqLoadConfig, ReqRemoveRoom, ReqServerLogin, ReqUpdateRoom,
    ReqUpdateServer, RetServerLogin, S2SCmd, WireMessage,
};

/// What a RoomServer says to RCenter.
#[derive(Clone, Debug, PartialEq)]
pub enum Up {
    /// Register; the first message after connecting.
    Login(ReqServerLogin),
    /// The load changed: after registration, each login, each logout and each end of a room.
    UpdateServer(ReqUpdateServer),
    /// A room was made.
    AddRoom(ReqAddRoom),
    /// Somebody came to a room or left it.
    UpdateRoom(ReqUpdateRoom),
    /// A room has ended.
    RemoveRoom(ReqRemoveRoom),
    /// A player ended a game; the original never sends it.
    EndGame(ReqEndGame),
    /// Forward a message to another server.
    S2S(S2SCmd),
}

impl Up {
    /// Reads what a RoomServer sent.
    ///
    /// # Errors
    /// [`WireError::UnknownCommand`] for a command no RoomServer sends, else what the body's form deserves.
    pub fn decode(frame: &Frame<'_>) -> Result<Self, WireError> {
        match frame.cmd {
            cmd::LOGIN => body(frame).map(Self::Login),
            cmd::UPDATE_SERVER => body(frame).map(Self::UpdateServer),
            cmd::ADD_ROOM => body(frame).map(Self::AddRoom),
            cmd::UPDATE_ROOM => body(frame).map(Self::UpdateRoom),
            cmd::REMOVE_ROOM => body(frame).map(Self::RemoveRoom),
            cmd::END_GAME => body(frame).map(Self::EndGame),
            cmd::S2S => body(frame).map(Self::S2S),
            other => Err(WireError::UnknownCommand(other)),
        }
    }

    /// Appends the message as one frame.
    ///
    /// # Errors
    /// [`WireError::FrameTooLong`]; `out` is untouched then.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        match self {
            Self::Login(message) => put(cmd::LOGIN, message, out),
            Self::UpdateServer(message) => put(cmd::UPDATE_SERVER, message, out),
            Self::AddRoom(message) => put(cmd::ADD_ROOM, message, out),
            Self::UpdateRoom(message) => put(cmd::UPDATE_ROOM, message, out),
            Self::RemoveRoom(message) => put(cmd::REMOVE_ROOM, message, out),
            Self::EndGame(message) => put(cmd::END_GAME, message, out),
            Self::S2S(message) => put(cmd::S2S, message, out),
        }
    }
}

/// What RCenter says to a RoomServer.
#[derive(Clone, Debug, PartialEq)]
pub enum Down {
    /// The registration is accepted.
    Login(RetServerLogin),
    /// End a session, because its account logged in on another server.
    CheckRelogin(ReqCheckRelogin),
    /// Read the configuration again.
    LoadConfig,
    /// Anything else: the original logs it and goes on.
    Unknown(u16),
}

impl Down {
    /// Reads what RCenter sent.
    ///
    /// # Errors
    /// [`WireError::BadField`] if the server number is 0 or does not fit in 16 bits (the original keeps only
    /// those, so a larger number would name another server), else what the body's form deserves.
    pub fn decode(frame: &Frame<'_>) -> Result<Self, WireError> {
        match frame.cmd {
            cmd::LOGIN => {
                let accepted: RetServerLogin = body(frame)?;
                match u16::try_from(accepted.id) {
                    Ok(1..) => Ok(Self::Login(accepted)),
                    Ok(0) | Err(_) => {
                        Err(WireError::BadField { message: RetServerLogin::SHAPE.name, field: 1 })
                    }
                }
            }
            cmd::CHECK_RELOGIN => body(frame).map(Self::CheckRelogin),
            cmd::LOAD_CONFIG => Ok(Self::LoadConfig),
            other => Ok(Self::Unknown(other)),
        }
    }

    /// Appends the message as one frame. [`Down::Unknown`] is written with an empty body.
    ///
    /// # Errors
    /// [`WireError::FrameTooLong`]; `out` is untouched then.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        match self {
            Self::Login(message) => put(cmd::LOGIN, message, out),
            Self::CheckRelogin(message) => put(cmd::CHECK_RELOGIN, message, out),
            Self::LoadConfig => put(cmd::LOAD_CONFIG, &ReqLoadConfig {}, out),
            Self::Unknown(cmd) => frame::encode_server(*cmd, &[], out),
        }
    }
}

impl S2SCmd {
    /// Wraps "end this session" for another RoomServer, as the original sends it: inner frame without its header.
    #[must_use]
    pub fn check_relogin(server_id: u32, message: &ReqCheckRelogin) -> Self {
        let mut data = cmd::CHECK_RELOGIN.to_le_bytes().to_vec();
        message.encode_body(&mut data);
        Self { server_id, flag: u32::from(frame::FLAG_PLAIN), data }
    }

    /// The frame inside.
    ///
    /// # Errors
    /// [`WireError::BadField`] if the flag is no byte or the data is too short for a command.
    pub fn inner(&self) -> Result<Frame<'_>, WireError> {
        let flag = self.flag_byte()?;
        match self.data.split_first_chunk::<CMD_LEN>() {
            Some((cmd, body)) => Ok(Frame { flag, cmd: u16::from_le_bytes(*cmd), body }),
            None => Err(WireError::BadField { message: Self::SHAPE.name, field: 3 }),
        }
    }

    /// Appends the frame RCenter sends on to the named server: the data as it came, behind a header of its own.
    ///
    /// # Errors
    /// [`WireError::BadField`] if the flag is no byte, [`WireError::FrameTooLong`]; `out` is untouched then.
    pub fn encode_forwarded(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        frame::encode_joined(self.flag_byte()?, &self.data, out)
    }

    fn flag_byte(&self) -> Result<u8, WireError> {
        u8::try_from(self.flag).map_err(|_| WireError::BadField { message: Self::SHAPE.name, field: 2 })
    }
}

fn body<M: WireMessage>(frame: &Frame<'_>) -> Result<M, WireError> {
    M::decode_body(&frame.payload(INFLATE_MAX)?)
}

fn put<M: WireMessage>(cmd: u16, message: &M, out: &mut Vec<u8>) -> Result<(), WireError> {
    let body = message.to_body();
    frame::encode_server(cmd, &body, out)
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::frame::{FRAME_MAX, decode_exact};

    #[test]
    fn a_registration_reads_back() {
        let login = Up::Login(ReqServerLogin {
            address: "127.0.0.1:9001".into(),
            key: "shared".into(),
            ser_type: 1,
            waddress: "127.0.0.1:9002".into(),
        });
        let mut out = Vec::new();
        login.encode(&mut out).unwrap();
        assert_eq!(Up::decode(&decode_exact(&out, FRAME_MAX).unwrap()), Ok(login));
    }

    #[test]
    fn a_server_number_is_never_zero_nor_wider_than_16_bits() {
        for (id, fine) in [(0, false), (1, true), (65_535, true), (65_536, false), (u32::MAX, false)] {
            let mut out = Vec::new();
            Down::Login(RetServerLogin { id }).encode(&mut out).unwrap();
            assert_eq!(Down::decode(&decode_exact(&out, FRAME_MAX).unwrap()).is_ok(), fine, "{id}");
        }
    }

    #[test]
    fn a_forwarded_kick_is_the_message_itself() {
        let kick = ReqCheckRelogin { key: "x1".into(), id: 9001 };
        let wrapped = S2SCmd::check_relogin(1, &kick);
        let mut forwarded = Vec::new();
        wrapped.encode_forwarded(&mut forwarded).unwrap();
        let mut direct = Vec::new();
        Down::CheckRelogin(kick.clone()).encode(&mut direct).unwrap();
        assert_eq!(forwarded, direct);
        assert_eq!(Down::decode(&wrapped.inner().unwrap()), Ok(Down::CheckRelogin(kick)));
    }

    #[test]
    fn a_forwarded_frame_needs_a_command_and_a_flag_byte() {
        let short = S2SCmd { server_id: 1, flag: 0, data: vec![3] };
        assert_eq!(short.inner(), Err(WireError::BadField { message: "S2SCmd", field: 3 }));
        let wide = S2SCmd { server_id: 1, flag: 256, data: vec![3, 0] };
        assert_eq!(wide.inner(), Err(WireError::BadField { message: "S2SCmd", field: 2 }));
        assert!(wide.encode_forwarded(&mut Vec::new()).is_err());
    }

    #[test]
    fn unknown_commands_differ_by_direction() {
        let frame = Frame { flag: 0, cmd: 99, body: &[] };
        assert_eq!(Up::decode(&frame), Err(WireError::UnknownCommand(99)));
        assert_eq!(Down::decode(&frame), Ok(Down::Unknown(99)));
    }

    proptest! {
        #[test]
        fn arbitrary_frames_never_panic(flag in 0u8..3, cmd in 0u16..30, body: Vec<u8>) {
            let frame = Frame { flag, cmd, body: &body };
            if let Ok(up) = Up::decode(&frame) {
                let mut out = Vec::new();
                up.encode(&mut out).unwrap();
                prop_assert_eq!(Up::decode(&decode_exact(&out, FRAME_MAX).unwrap()), Ok(up));
            }
            if let Ok(down) = Down::decode(&frame) {
                let mut out = Vec::new();
                down.encode(&mut out).unwrap();
                prop_assert_eq!(Down::decode(&decode_exact(&out, FRAME_MAX).unwrap()), Ok(down));
            }
        }
    }
}
