//! The games of an operator, each with its own sign keys: a whole answer of the platform to who may log in.
//!
//! A payload says which game it is for, and is checked with that game's keys, so one for another game is refused
//! even if the same key was given out twice. Only payloads of launchers count.

use alloc::{collections::BTreeMap, string::String};
use core::time::Duration;

use super::{Genuine, Reason, Response, Settings, SignKeys, Strict, TYPE};
use crate::{
    policy::SignedText,
    verify::{
        signed,
        verifier::{Domains, Evidence, Verdict, Verified, Verifier},
    },
};

/// A verifier of launchers' payloads. Its domains are `gtarcade.` and a game's id: accounts of two games are two people
/// here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Games {
    settings: Settings,
    keys: BTreeMap<String, SignKeys>,
    domains: Domains,
}

impl Games {
    /// No game yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, keys: BTreeMap::new(), domains: Domains::of(&[TYPE], &[]) }
    }

    /// Takes payloads for this game. Whether its id can be one: canonical decimal digits within 64 bits.
    pub fn add(&mut self, game: &str, keys: SignKeys) -> bool {
        let can_be = super::decimal(game).is_some();
        if can_be {
            self.keys.insert(game.into(), keys);
            self.domains.add_kind(game);
        }
        can_be
    }

    fn verify(&self, evidence: &Evidence<'_>) -> Result<Verified, Reason> {
        let response = Response::of(evidence.shown)?;
        let game = response.claimed_game()?.ok_or(Reason::UnknownGame)?;
        let keys = self.keys.get(&game).ok_or(Reason::UnknownGame)?;
        if response.claimed_domain()? != evidence.domain {
            return Err(Reason::UnknownGame);
        }
        let Genuine { account, age, payload, broken, micro, .. } =
            response.check(keys, &self.settings, signed(evidence.now))?;
        if !micro {
            return Err(Reason::NotMicro);
        }
        let account = account.ok_or(Reason::NoAccount)?;
        let form = match broken {
            Some(_) if self.settings.strict == Strict::Enforce => SignedText::Joined,
            _ => SignedText::Unambiguous,
        };
        let remark = broken.map(|rule| Reason::Strict(rule).into());
        Ok(Verified { form, remark, ..Verified::new(account, age, payload) })
    }
}

impl Verifier for Games {
    fn name(&self) -> &'static str {
        TYPE
    }

    fn domains(&self) -> &Domains {
        &self.domains
    }

    fn is_default(&self) -> bool {
        true
    }

    /// What is shown is the platform's answer as the launcher has passed it on ([`members`](super::members)).
    fn check(&self, evidence: &Evidence<'_>) -> Verdict {
        match self.verify(evidence) {
            Ok(verified) => Verdict::Verified(verified),
            Err(reason) => Verdict::Refused(reason.into()),
        }
    }

    fn memory(&self) -> Duration {
        self.settings.window.length()
    }
}
