//! Who somebody says he is, and what he shows for it.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    ids::Payload,
    policy::SignedText,
    text::{Device, Identity, Name, Password},
};

/// Where a clock stands in the window of a signed payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Age {
    /// Before it: it says that it was signed later than now.
    Future,
    /// Inside.
    Fresh,
    /// Behind it.
    Stale,
}

/// Who the client says it is.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Credentials {
    /// An existing account.
    Password {
        /// Account name.
        name: Name,
        /// Its password.
        password: Password,
    },
    /// A new account under this name, or the existing one if the password fits (`r=1`).
    Register {
        /// Account name.
        name: Name,
        /// Its password.
        password: Password,
    },
    /// A guest known by its device (`r=1`, empty account and password).
    Guest {
        /// The device id: as good as a password, and treated as one.
        device: Device,
    },
    /// Whoever somebody trusted says he is, who has signed it: a launcher, a portal. Like [`Request::signed`],
    /// signature and age are checked where the bytes and the clock are: this is built only of what is genuine.
    Signed {
        /// Who he is. An identity has an account of its own, which no name and no other identity leads to.
        identity: Identity,
        /// Whether the first login makes the account.
        registers: bool,
        /// What was signed.
        payload: Payload,
        /// Where the verifier's clock stands in its window, [`Times::signature_window`](crate::limits::Times) on
        /// either side of when it was signed.
        age: Age,
        /// The strictest form of writing in which this, and nothing else, is what was signed; none: nothing was, he
        /// only says so.
        form: Option<SignedText>,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { name, .. } => write!(f, "Password({name:?}, ..)"),
            Self::Register { name, .. } => write!(f, "Register({name:?}, ..)"),
            Self::Guest { .. } => f.write_str("Guest(..)"),
            Self::Signed { identity, age, .. } => write!(f, "Signed({identity:?}, {age:?}, ..)"),
        }
    }
}
