//! Which system's client a player is.

use gatepass_adapters::client::System;

/// A system that a player can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SystemArg {
    /// The original: a name and a password
    Mope,
    /// gamecloud: a set that its servers sign
    Gamecloud,
}

impl SystemArg {
    /// The same for the client, with gamecloud's Index.
    pub(crate) fn of(self, index: &str) -> System {
        match self {
            Self::Mope => System::Mope,
            Self::Gamecloud => System::Gamecloud { index: index.to_owned() },
        }
    }
}
