//! The protobuf messages of the login path, as the original servers write and read them.
//!
//! Writing: the original's Go encoder puts every scalar field on the wire, in ascending order, also optional ones
//! and also zero or empty ones; a negative `int32` takes ten bytes; optional sub-messages appear only if
//! present. So every scalar here is declared `required` to prost, which writes it always, and
//! [`WireMessage::encode_body`] is byte-identical. The original Python client leaves unset optional fields out;
//! that form is [`WireMessage::encode_minimal`].
//!
//! Reading: the Go decoder refuses a message that lacks a required field, skips unknown fields, lets the last
//! value of a repeated scalar win and never looks whether a string is UTF-8. prost checks the reverse on both
//! counts, so each message names its required and its text fields in a [`Shape`], and [`WireMessage::decode_body`]
//! checks and repairs before prost reads: a byte sequence that is not UTF-8 becomes U+FFFD, which is what the
//! original's own conversion to runes makes of it.
//!
//! Messages that carry a key or a password hide it from `Debug`.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use core::fmt;

use prost::encoding::{self, DecodeContext, WireType};

use super::WireError;

mod numbers;
mod player;
mod scene;
mod server;
mod wilds;

pub use numbers::{ErrorCode, ServerType, cmd};
pub use player::{RetErrorMsg, RetGateAddr, RetIntoFRoom, RetLoginMsg};
pub use scene::{
    BallMove, EndPlayer, MsgAddPlayer, MsgBall, MsgEndRoom, MsgPlayer, MsgPlayerBall, MsgPlayerSnap,
    MsgRemovePlayer, MsgSceneChat, MsgSceneUDP, MsgTop,
};
pub use server::{
    ReqAddRoom, ReqCheckRelogin, ReqEndGame, ReqLoadConfig, ReqRemoveRoom, ReqServerLogin, ReqTSerUserNum,
    ReqUpdateRoom, ReqUpdateServer, RetServerLogin, S2SClientCmd, S2SCmd, S2STypeCmd,
};
pub use wilds::{ClientHeartBeat, MsgBindTCPSession, MsgLogin, MsgLoginResult, RetErrorMsgCmd, RetVoiceInfo};

/// What prost does not know of a message: which fields must be there and which hold text.
#[derive(Debug)]
pub struct Shape {
    /// Name of the message, as the original's `.proto` files have it.
    pub name: &'static str,
    /// Numbers of the fields without which the original refuses the message.
    pub required: &'static [u32],
    /// Numbers of the fields declared `string`.
    pub text: &'static [u32],
    /// Numbers and shapes of the sub-messages.
    pub children: &'static [(u32, &'static Self)],
}

/// A message of the original system.
pub trait WireMessage: prost::Message + Default + PartialEq + fmt::Debug {
    /// What prost does not know of the message.
    const SHAPE: &'static Shape;

    /// Reads a message body, as tolerantly and as strictly as the original's Go decoder.
    ///
    /// # Errors
    /// [`WireError::BadProtobuf`] if the bytes do not have the form of the message,
    /// [`WireError::MissingField`] if a required field is absent, here or in a sub-message.
    fn decode_body(body: &[u8]) -> Result<Self, WireError> {
        let tidy = tidy(body, Self::SHAPE)?;
        Self::decode(&*tidy).map_err(|_| malformed(Self::SHAPE))
    }

    /// Appends the message as the original's Go encoder writes it: every scalar field, in ascending order.
    fn encode_body(&self, out: &mut Vec<u8>) {
        out.reserve(self.encoded_len());
        self.encode_raw(out);
    }

    /// The message as [`WireMessage::encode_body`] writes it, ready for a frame.
    fn to_body(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// Appends the message as the original's Python encoder writes one whose optional fields were set only where
    /// they are neither zero nor empty.
    fn encode_minimal(&self, out: &mut Vec<u8>) {
        let full = self.to_body();
        let mut rest = &full[..];
        // Reading back what was just written cannot fail; a failure would only end the copy early.
        while let Ok(Some(field)) = Field::next(&mut rest, Self::SHAPE) {
            // Sub-messages are present or absent, never zero.
            let scalar = field.kind != WireType::LengthDelimited || Self::SHAPE.text.contains(&field.tag);
            let keep = !scalar || !field.is_zero() || Self::SHAPE.required.contains(&field.tag);
            if keep {
                out.extend_from_slice(field.whole);
            }
        }
    }
}

/// States the shape of messages; the lists name field numbers.
macro_rules! shape {
    ($name:ident: required $required:tt, text $text:tt $(, children { $($tag:literal: $child:ident),* })?) => {
        impl $crate::wire::proto::WireMessage for $name {
            const SHAPE: &'static $crate::wire::proto::Shape = &$crate::wire::proto::Shape {
                name: stringify!($name),
                required: &$required,
                text: &$text,
                children: &[$($(
                    ($tag, <$child as $crate::wire::proto::WireMessage>::SHAPE)
                ),*)?],
            };
        }
    };
}

/// `Debug` for a message with secret fields, which show as `..`.
macro_rules! debug_without_secrets {
    ($name:ident { $($shown:ident),* }) => {
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($shown), &self.$shown))*.finish_non_exhaustive()
            }
        }
    };
}

use {debug_without_secrets, shape};

/// One field of an encoded message.
struct Field<'a> {
    tag: u32,
    kind: WireType,
    /// Key, length and value.
    whole: &'a [u8],
    /// The value alone, without the length of a length-delimited one.
    value: &'a [u8],
}

impl<'a> Field<'a> {
    /// Takes the next field off `rest`; `None` at the end.
    fn next(rest: &mut &'a [u8], shape: &Shape) -> Result<Option<Self>, WireError> {
        if rest.is_empty() {
            return Ok(None);
        }
        let start = *rest;
        let (tag, kind) = encoding::decode_key(rest).map_err(|_| malformed(shape))?;
        let mut value = *rest;
        encoding::skip_field(kind, tag, rest, DecodeContext::default()).map_err(|_| malformed(shape))?;
        let whole = &start[..start.len() - rest.len()];
        value = &value[..value.len() - rest.len()];
        if kind == WireType::LengthDelimited {
            encoding::decode_varint(&mut value).map_err(|_| malformed(shape))?;
        }
        Ok(Some(Field { tag, kind, whole, value }))
    }

    fn is_zero(&self) -> bool {
        self.value.iter().all(|&byte| byte == 0)
            && (self.kind != WireType::LengthDelimited || self.value.is_empty())
    }

    fn child(&self, shape: &Shape) -> Option<&'static Shape> {
        shape.children.iter().find(|(tag, _)| *tag == self.tag).map(|(_, child)| *child)
    }
}

/// Checks that all required fields are there and replaces text that is not UTF-8, in sub-messages too.
///
/// The bytes are copied only if there is something to replace. The recursion follows the shape, so it is as deep
/// as the deepest message, whatever the input nests.
fn tidy<'a>(body: &'a [u8], shape: &Shape) -> Result<Cow<'a, [u8]>, WireError> {
    let mut fixed: Option<Vec<u8>> = None;
    let mut missing = required_mask(shape);
    let mut rest = body;
    loop {
        let read = body.len() - rest.len();
        let Some(field) = Field::next(&mut rest, shape)? else { break };
        missing &= !bit(field.tag);
        let value = if field.kind != WireType::LengthDelimited {
            Cow::Borrowed(field.value)
        } else if let Some(child) = field.child(shape) {
            tidy(field.value, child)?
        } else if shape.text.contains(&field.tag) {
            match String::from_utf8_lossy(field.value) {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            }
        } else {
            Cow::Borrowed(field.value)
        };
        match (&mut fixed, value) {
            (None, Cow::Borrowed(_)) => {}
            (Some(fixed), Cow::Borrowed(_)) => fixed.extend_from_slice(field.whole),
            (fixed, Cow::Owned(value)) => {
                let fixed = fixed.get_or_insert_with(|| body[..read].to_vec());
                encoding::encode_key(field.tag, field.kind, fixed);
                encoding::encode_varint(value.len() as u64, fixed);
                fixed.extend_from_slice(&value);
            }
        }
    }
    if missing != 0 {
        return Err(WireError::MissingField { message: shape.name, field: missing.trailing_zeros() });
    }
    Ok(fixed.map_or(Cow::Borrowed(body), Cow::Owned))
}

/// One bit for each required field; all field numbers of the protocol are below 32.
fn required_mask(shape: &Shape) -> u32 {
    shape.required.iter().fold(0, |mask, &tag| mask | bit(tag))
}

/// The bit of a field number, none for numbers no shape has.
fn bit(tag: u32) -> u32 {
    1u32.checked_shl(tag).unwrap_or(0)
}

fn malformed(shape: &Shape) -> WireError {
    WireError::BadProtobuf { message: shape.name }
}

#[cfg(test)]
mod tests;
