//! The games of an operator, each with its own sign keys: a whole answer of the platform to who may log in.
//!
//! A payload says which game it is for, and is checked with that game's keys, so one for another game is refused
//! even if the same key was given out twice. Only payloads of launchers count.

use alloc::{collections::BTreeMap, format, string::String};

use super::{Genuine, Reason, Response, Rule, Settings, SignKeys, Strict};
use crate::{ids::Payload, message::Age, text::Identity};

/// A verifier of launchers' payloads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Games {
    settings: Settings,
    keys: BTreeMap<String, SignKeys>,
}

/// Who may log in, on the platform's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The realm is `gtarcade.` and the game's id, the subject the platform's account: accounts of two games are
    /// two people here.
    pub identity: Identity,
    /// To be remembered, so that nobody logs in with it twice.
    pub payload: Payload,
    /// Where the clock stands in the payload's window. Whether an old one counts is for the LoginServer to say.
    pub age: Age,
    /// A strict rule that it breaks, if they are only told.
    pub broken: Option<Rule>,
}

impl Games {
    /// No game yet.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { settings, keys: BTreeMap::new() }
    }

    /// Takes payloads for this game. Whether its id can be one: canonical decimal digits within 64 bits.
    pub fn add(&mut self, game: &str, keys: SignKeys) -> bool {
        let can_be = super::decimal(game).is_some();
        if can_be {
            self.keys.insert(game.into(), keys);
        }
        can_be
    }

    /// Checks the platform's answer as the launcher has passed it on. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// Why nobody logs in on it.
    pub fn verify(&self, response: &[u8], now: i64) -> Result<Verified, Reason> {
        let response = Response::read(response)?;
        let game = response.claimed_game()?.ok_or(Reason::UnknownGame)?;
        let keys = self.keys.get(&game).ok_or(Reason::UnknownGame)?;
        let Genuine { account, age, payload, broken, micro, .. } =
            response.check(keys, &self.settings, now)?;
        if !micro {
            return Err(Reason::NotMicro);
        }
        if let Some(rule) = broken.filter(|_| self.settings.strict == Strict::Enforce) {
            return Err(Reason::Strict(rule));
        }
        let identity = account.and_then(|account| Identity::new(&format!("gtarcade.{game}"), &account));
        Ok(Verified { identity: identity.ok_or(Reason::NoAccount)?, payload, age, broken })
    }
}
