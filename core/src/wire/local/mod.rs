//! The local link between the platform's launcher and a game it has started, as TCP on the player's machine.
//!
//! The documentation says "TCP, AES, JSON" and the members of two messages. Mode, padding, IV, encoding and framing
//! it does not say, so each is a setting of [`Profile`], and the default is what fits most of what such platforms
//! do. The launcher sends the plain byte `0` every five seconds between messages, and the game answers with the
//! same.
//!
//! | file | what |
//! |---|---|
//! | [`frame`] | where a message begins and ends, and the heartbeat between messages |
//! | [`cipher`] | a message's text to the bytes of its frame and back |
//! | [`message`] | the text to what it means and back |

pub mod cipher;
pub mod frame;
pub mod message;

pub use cipher::{Cipher, Encoding, Iv, Key, KeyFault, KeyFormat, Padding, Side, Suite, Unopened};
pub use frame::{FrameFault, Framing, Inbox, Item};
pub use message::{Handover, Message, MessageFault, Outcome};

/// Bytes of a message's text, on either side of the link.
pub const TEXT_MAX: usize = 65_536;

/// Everything that the documentation leaves open. Both ends must have the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Profile {
    /// The cipher.
    pub suite: Suite,
    /// Where the initialisation vector of CBC is.
    pub iv: Iv,
    /// How the last block is filled; GCM has no blocks.
    pub padding: Padding,
    /// How the encrypted bytes stand in their frame.
    pub encoding: Encoding,
    /// How frames are told apart.
    pub framing: Framing,
}

impl Profile {
    /// Whether the settings fit together.
    ///
    /// # Errors
    /// Says what does not.
    pub const fn check(&self) -> Result<(), &'static str> {
        match (self.framing, self.encoding) {
            (Framing::Line | Framing::None, Encoding::Raw) => {
                Err("without a length in front only base64 can be told from what is around it")
            }
            _ => Ok(()),
        }
    }
}
