//! A verifier of one's own, checked: what it makes of evidence that is missing, forged, old or shown again.
//!
//! Worlds have no bytes, so this is the part of their properties that is about bytes: what scenarios take from a verifier
//! as given is asked here of the verifier itself. Whoever wrote one says how a player comes by something to show
//! ([`Trial`]), and gets every [`Law`] checked ([`Trial::check`]), and a world played in which players are vouched for by
//! it ([`Trial::explore`]).

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use gatepass_core::{
    ids::Addr,
    message::{Age, Credentials},
    policy::SignedText,
    properties::Property,
    text::{Identity, bounded},
    verify::verifier::{Evidence, Verdict, Verified, Verifier, credentials},
    wire::json::{self, Json},
};

use crate::{
    check::{Report, explore},
    explorer::Bounds,
    scenario::Scenario,
    setup::Setup,
};

mod forgeries;

/// Containers inside each other in what is shown.
const DEPTH: usize = 16;
/// When everything is signed: a second like any other.
const NOW: u64 = 1_795_165_980;
/// Later than anything that is signed may count.
const FAR: u64 = NOW + 400 * 24 * 3_600;

/// A verifier to be checked, and somebody who signs for it.
#[derive(Clone, Copy)]
pub struct Trial<'a> {
    /// The verifier.
    pub verifier: &'a dyn Verifier,
    /// One of its domains.
    pub domain: &'a str,
    /// What a player of this id has to show if he was vouched for in this second since 1970: the text of a JSON object,
    /// another one for each number. None if nobody would vouch for such an id.
    pub sign: &'a dyn Fn(&str, u64, u32) -> Option<String>,
}

/// What a verifier has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Law {
    /// Who shows nothing is not verified.
    Evidence,
    /// A domain is its own in one spelling only.
    Domain,
    /// What was signed for somebody verifies him, now.
    Vouches,
    /// What is not what was signed verifies nobody.
    Forgery,
    /// What was signed counts for no longer than it is remembered.
    Window,
    /// What was signed once is remembered as one thing, however it is written.
    Once,
    /// Two players are two accounts.
    Apart,
}

impl Law {
    /// The property that does not hold without it.
    #[must_use]
    pub const fn property(self) -> Property {
        match self {
            Self::Evidence | Self::Domain | Self::Vouches | Self::Forgery => Property::Authentic,
            Self::Window => Property::SignatureFresh,
            Self::Once => Property::SignatureOnce,
            Self::Apart => Property::NoSecretLeaks,
        }
    }

    const fn says(self) -> &'static str {
        match self {
            Self::Evidence => "who shows nothing is verified",
            Self::Domain => "a domain that is not its own is taken for its own, or the other way round",
            Self::Vouches => "what was signed for a player does not verify him, or not as himself",
            Self::Forgery => "what nobody signed verifies somebody",
            Self::Window => "what was signed counts for longer than it would be remembered",
            Self::Once => "what was signed once is remembered as two things, or two things as one",
            Self::Apart => "two players are one account",
        }
    }
}

/// A law that is broken, and what was shown to break it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which.
    pub law: Law,
    /// What was shown, or what was asked.
    pub shown: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { law, shown } = self;
        write!(f, "{}, which breaks {}: {shown}", law.says(), law.property().name())
    }
}

impl std::error::Error for Breach {}

impl Trial<'_> {
    /// Checks every law.
    ///
    /// # Errors
    /// The first one that is broken.
    pub fn check(&self) -> Result<(), Breach> {
        self.domain()?;
        self.nothing_shown()?;
        self.window()?;
        self.apart()?;
        self.once()?;
        self.forged()
    }

    /// Plays the scenario `user-define` in every order of events, with what this verifier makes of all that its attacker
    /// could show: the properties that it is asked for are the ones of every world.
    ///
    /// # Panics
    /// If that scenario is not shipped: a test plays it.
    #[must_use]
    pub fn explore(&self) -> Report {
        let scenario = Scenario::named("user-define").expect("it is shipped");
        let setup = Setup::new(scenario).expect("a test plays it");
        let players: Vec<_> = setup.vouched_for().iter().map(|player| player.subject).collect();
        let mut readings = BTreeSet::new();
        for own in &players {
            let Some(shown) = (self.sign)(own, NOW, 1) else { continue };
            let far = FAR.to_string();
            let tries = forgeries::of(&shown, &far).into_iter().chain([shown.clone()]);
            for (shown, moved) in tries.flat_map(|shown| [(shown.clone(), false), (shown, true)]) {
                let taken = self.taken(&shown, if moved { FAR } else { NOW });
                let whose = taken.and_then(|(verified, _)| bounded(&verified.subject));
                readings.extend(whose.filter(|it| players.contains(it)).map(|whose| (*own, whose, moved)));
            }
        }
        explore(&Arc::new(setup.read_as(readings)), None, Bounds::default(), &mut |_| {})
    }

    fn signed(&self, id: &str, nonce: u32) -> Result<String, Breach> {
        let shown = (self.sign)(id, NOW, nonce);
        shown.ok_or_else(|| Breach { law: Law::Vouches, shown: format!("nothing is signed for {id:?}") })
    }

    /// Whoever is verified by this, now, under the strict rules, and the identity that he gets.
    fn taken(&self, shown: &str, now: u64) -> Option<(Verified, Identity)> {
        let value = json::read(shown.as_bytes(), DEPTH).ok()?;
        let evidence = Evidence { domain: self.domain, shown: value.object()?, peer: Addr(1), now, nonce: 1 };
        let verdict = self.verifier.check(&evidence);
        let Credentials::Signed { identity, .. } = credentials(self.verifier, &evidence, &verdict).ok()?
        else {
            return None;
        };
        match verdict {
            Verdict::Verified(verified)
                if verified.age == Age::Fresh && verified.form == SignedText::Unambiguous =>
            {
                Some((verified, identity))
            }
            _ => None,
        }
    }

    fn domain(&self) -> Result<(), Breach> {
        let domain = self.domain;
        let has = |domain: &str| self.verifier.domains().has(domain);
        let lower = domain.to_ascii_lowercase();
        let upper = domain.to_ascii_uppercase();
        let others =
            [format!("{domain}."), format!("{domain} "), format!(" {domain}"), lower, upper, String::new()];
        let wrong = others.into_iter().find(|other| other != domain && has(other));
        match wrong.or_else(|| (!has(domain)).then(|| domain.to_owned())) {
            Some(shown) => Err(Breach { law: Law::Domain, shown }),
            None => Ok(()),
        }
    }

    fn nothing_shown(&self) -> Result<(), Breach> {
        let shown = self.signed("ann", 1)?;
        let own = self.taken(&shown, NOW).map(|(own, _)| own.payload);
        let nothing = ["null", "\"\"", "{}", "[]", "0", "false"];
        let mut tries = vec!["{}".to_owned(), r#"{"openid":"ann","id":"ann"}"#.to_owned()];
        tries.extend(nothing.iter().map(|auth| format!(r#"{{"openid":"ann","auth":{auth}}}"#)));
        tries.extend(nothing.iter().flat_map(|nothing| forgeries::without_each(&shown, nothing)));
        // What is left may be all that was signed.
        let other = |shown: &String| self.taken(shown, NOW).is_some_and(|(it, _)| Some(it.payload) != own);
        match tries.into_iter().find(other) {
            Some(shown) => Err(Breach { law: Law::Evidence, shown }),
            None => Ok(()),
        }
    }

    fn window(&self) -> Result<(), Breach> {
        let shown = self.signed("ann", 1)?;
        let is_ann = |(verified, _): &(Verified, Identity)| verified.subject == "ann";
        if !self.taken(&shown, NOW).as_ref().is_some_and(is_ann) {
            return Err(Breach { law: Law::Vouches, shown });
        }
        // The last second at which it counts on either side, by halves.
        let memory = self.verifier.memory().as_secs().min(FAR - NOW);
        let edge = |at: &dyn Fn(u64) -> u64| {
            let (mut good, mut bad) = (0, memory + 1);
            while good + 1 < bad {
                let middle = good + (bad - good) / 2;
                if self.taken(&shown, at(middle)).is_some() { good = middle } else { bad = middle }
            }
            good
        };
        let after = edge(&|seconds| NOW + seconds);
        let before = edge(&|seconds| NOW.saturating_sub(seconds));
        let beyond = [FAR, NOW + memory + 1, NOW.saturating_sub(memory + 1), 0];
        let counts = beyond.into_iter().any(|now| self.taken(&shown, now).is_some());
        if counts || Duration::from_secs(before + after) > self.verifier.memory() {
            return Err(Breach { law: Law::Window, shown });
        }
        Ok(())
    }

    fn apart(&self) -> Result<(), Breach> {
        let mut seen = BTreeSet::new();
        for id in [
            "ann",
            "Ann",
            "ann ",
            " ann",
            "ann\u{301}",
            "a",
            "IOS.ann",
            "ann&time=9",
            "annt9",
            "7",
            "07",
            "7.0",
        ] {
            let Some(shown) = (self.sign)(id, NOW, 1) else { continue };
            let Some((verified, identity)) = self.taken(&shown, NOW) else { continue };
            if verified.subject != id {
                return Err(Breach { law: Law::Vouches, shown });
            }
            if !seen.insert(identity) {
                return Err(Breach { law: Law::Apart, shown });
            }
        }
        Ok(())
    }

    fn once(&self) -> Result<(), Breach> {
        let [first, second] = [self.signed("ann", 1)?, self.signed("ann", 2)?];
        let payload = |shown: &str| self.taken(shown, NOW).map(|(verified, _)| verified.payload);
        let own = payload(&first);
        let other = payload(&second);
        if first != second && own == other {
            return Err(Breach { law: Law::Once, shown: second });
        }
        let again = std::iter::once(first.clone()).chain(forgeries::spelled_otherwise(&first));
        match again.into_iter().find(|shown| payload(shown).is_some_and(|payload| Some(payload) != own)) {
            Some(shown) => Err(Breach { law: Law::Once, shown }),
            None => Ok(()),
        }
    }

    fn forged(&self) -> Result<(), Breach> {
        let names = self.signed("ann", 1)?;
        let far = FAR.to_string();
        for id in forgeries::ids(&names, &far) {
            let Some(shown) = (self.sign)(&id, NOW, 3) else { continue };
            let own = self.taken(&shown, NOW);
            for forged in forgeries::of(&shown, &far) {
                let same = |(verified, _): &(Verified, Identity)| {
                    own.as_ref().is_some_and(|(own, _)| {
                        (&own.subject, own.payload) == (&verified.subject, verified.payload)
                    })
                };
                let now = self.taken(&forged, NOW).is_some_and(|taken| !same(&taken));
                if now || self.taken(&forged, FAR).is_some() {
                    return Err(Breach { law: Law::Forgery, shown: forged });
                }
            }
        }
        Ok(())
    }
}

/// A value as JSON reads it, or nothing.
fn read(shown: &str) -> Option<Json<'_>> {
    json::read(shown.as_bytes(), DEPTH).ok()
}
