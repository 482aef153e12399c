//! What both ends do alike: bytes to messages and back, and the switch to GCM.

use alloc::{string::String, vec::Vec};

use super::{LinkSettings, PROTO};
use crate::wire::local::{Cipher, Framing, Inbox, Item, Key, KeyFault, Message, Profile, Side, Suite, frame};

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Channel {
    side: Side,
    framing: Framing,
    cipher: Cipher,
    /// Messages sent and received in GCM.
    sent: u64,
    received: u64,
    hardened: bool,
    inbox: Inbox,
}

/// Something that came whole.
pub(super) enum Arrived {
    Heartbeat,
    Message(Message),
}

/// What came cannot be read, or what should go cannot be written.
pub(super) struct Broken;

impl Channel {
    pub(super) fn new(side: Side, profile: &Profile, cipher: Cipher) -> Self {
        Self {
            side,
            framing: profile.framing,
            cipher,
            sent: 0,
            received: 0,
            hardened: profile.suite == Suite::Aes256Gcm,
            inbox: Inbox::new(profile.framing),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.inbox.push(bytes);
    }

    pub(super) fn next(&mut self) -> Result<Option<Arrived>, Broken> {
        loop {
            return match self.inbox.take().map_err(|_| Broken)? {
                None => Ok(None),
                Some(Item::Heartbeat) => Ok(Some(Arrived::Heartbeat)),
                Some(Item::Frame(bytes)) => self.open(&bytes).map(Some),
                Some(Item::Guess(bytes)) => match self.open(&bytes) {
                    Ok(arrived) => {
                        self.inbox.accept();
                        Ok(Some(arrived))
                    }
                    Err(Broken) => continue,
                },
            };
        }
    }

    /// Nothing came for a while.
    pub(super) fn silence(&mut self) -> Result<Option<Arrived>, Broken> {
        let Some(bytes) = self.inbox.silence() else { return Ok(None) };
        let arrived = self.open(&bytes)?;
        self.inbox.accept();
        Ok(Some(arrived))
    }

    pub(super) fn waits_for_silence(&self) -> bool {
        self.inbox.waits_for_silence()
    }

    fn open(&mut self, bytes: &[u8]) -> Result<Arrived, Broken> {
        let text = self.cipher.open(bytes, self.side.other(), self.received).map_err(|_| Broken)?;
        let message = Message::read(&text).map_err(|_| Broken)?;
        self.received = self.received.saturating_add(1);
        Ok(Arrived::Message(message))
    }

    /// A frame with this message; `random` must be new for each.
    pub(super) fn seal(&mut self, message: &Message, random: [u8; 16]) -> Result<Vec<u8>, Broken> {
        let text = message.write();
        let sealed = self.cipher.seal(text.as_bytes(), self.side, self.sent, random).map_err(|_| Broken)?;
        let framed = frame::encode(self.framing, &sealed).map_err(|_| Broken)?;
        self.sent = self.sent.saturating_add(1);
        Ok(framed)
    }

    pub(super) fn heartbeat(&self) -> Vec<u8> {
        frame::heartbeat(self.framing).to_vec()
    }

    /// Goes on in GCM, in both directions.
    pub(super) fn harden(&mut self, cipher: Cipher) {
        self.cipher = cipher;
        (self.sent, self.received, self.hardened) = (0, 0, true);
    }

    pub(super) const fn is_hardened(&self) -> bool {
        self.hardened
    }
}

/// The cipher that both ends switch to.
pub(super) fn hardened(settings: &LinkSettings, key: &Key) -> Result<Cipher, KeyFault> {
    Cipher::new(&Profile { suite: Suite::Aes256Gcm, ..settings.profile }, key)
}

/// Whether the other end offers or takes GCM.
pub(super) fn is_offered(proto: Option<&String>) -> bool {
    proto.is_some_and(|proto| proto == PROTO)
}
