//! Which system's client a player is.

use gatepass_adapters::client::System;

/// A system that a player can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SystemArg {
    /// The original: a name and a password
    Mope,
    /// GTarcade: a payload that its launcher hands over
    Gtarcade,
    /// gamecloud: a set that its servers sign
    Gamecloud,
}

impl SystemArg {
    /// The same for the client, with gamecloud's Index. GTarcade's begins with a launcher, and has no payload yet.
    pub(crate) fn of(self, index: &str) -> System {
        match self {
            Self::Mope | Self::Gtarcade => System::Mope,
            Self::Gamecloud => System::Gamecloud { index: index.to_owned() },
        }
    }
}
