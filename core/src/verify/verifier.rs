//! A way to verify a player, and the list of those that a deployment has.
//!
//! A verifier is a value without state: what it is told goes in, a verdict comes out. It never waits. One that has to
//! call out answers with a question, and is given what came back.

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use super::set::{SetFault, is_domain};
use crate::{
    ids::{Addr, Payload},
    message::Age,
    wire::json::{Json, Members},
};

/// A way to verify players.
pub trait Verifier: fmt::Debug + Send + Sync {
    /// Its name: what clients say in `authControl`, and the first part of a realm. A valid domain without dots.
    fn name(&self) -> &str;

    /// Whether a domain is one that it verifies. Exact, letter case included: whatever is not a verifier's is nobody's.
    fn owns(&self, domain: &str) -> bool;

    /// Whether these domains are its own: whoever names no verifier means it, and the domain alone is the realm of
    /// the accounts. One for each domain.
    fn is_default(&self) -> bool {
        false
    }

    /// Paths under which it issues, besides `/` and its name.
    fn routes(&self) -> &[&str] {
        &[]
    }

    /// Issues what the client is to bring to the login: the text of a JSON object with a member `sign`.
    ///
    /// # Errors
    /// Why it issues nothing.
    fn issue(&self, request: &Issue<'_>) -> Result<String, Unproven> {
        let _ = request;
        Err(Unproven::IssuesNothing)
    }

    /// What it makes of a login's evidence.
    fn check(&self, evidence: &Evidence<'_>) -> Verdict;

    /// What it makes of the answer to a question it asked about the same evidence; nothing came if it is `None`.
    fn answered(&self, evidence: &Evidence<'_>, answer: Option<&[u8]>) -> Verdict {
        let _ = (evidence, answer);
        Verdict::Refused(Unproven::NoEvidence)
    }

    /// Whether a login that finds no account makes one.
    fn registers(&self) -> bool {
        true
    }
}

/// A request for something to be issued.
#[derive(Debug)]
pub struct Issue<'a> {
    /// The parameters of the request.
    pub parameters: &'a Members<'a>,
    /// The member `oemInfo` among them, read.
    pub oem: &'a Members<'a>,
    /// Where it comes from.
    pub peer: Addr,
    /// Seconds since 1970.
    pub now: u64,
    /// Different for every request of one second, until they are [`NONCES`](super::set::NONCES).
    pub nonce: u32,
}

/// What a login brings.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Where the player wants to be known.
    pub domain: &'a str,
    /// All that the client says of itself, `oemInfo`.
    pub oem: &'a Members<'a>,
    /// Where it comes from.
    pub peer: Addr,
    /// Seconds since 1970.
    pub now: u64,
    /// Different for every login of one second, until they are [`NONCES`](super::set::NONCES).
    pub nonce: u32,
}

impl<'a> Evidence<'a> {
    /// What was issued to the client. Nothing if it is absent, or empty as the original has it: `null`, `""`, `false`
    /// or zero.
    #[must_use]
    pub fn auth(&self) -> Option<&'a Json<'a>> {
        let empty = |value: &&Json<'_>| {
            matches!(value, Json::Null | Json::Bool(false))
                || value.text() == Some("")
                || matches!(value, Json::Number(spelling) if spelling.parse::<f64>() == Ok(0.0))
        };
        self.oem.get("auth").filter(|value| !empty(value))
    }

    /// A text that the client says of itself; nothing if it is absent, empty or something else.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.oem.get(name).and_then(Json::text).filter(|text| !text.is_empty())
    }
}

/// What a verifier makes of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// He is who he says.
    Verified(Verified),
    /// Somebody else has to be asked.
    Ask(Question),
    /// He has not shown it.
    Refused(Unproven),
}

/// A player who is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Who, as the verifier names him.
    pub subject: String,
    /// Where the clock stands in the window of what he has shown.
    pub age: Age,
    /// What is to be remembered, so that it counts once.
    pub payload: Payload,
    /// How he wants to be called, if the verifier knows.
    pub nickname: Option<String>,
}

/// A question to somebody outside: an HTTP GET. It holds secrets of the player.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// The whole address, with the query.
    pub url: String,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Question(..)")
    }
}

/// Why a player is not verified, or nothing is issued to him. It carries nothing of what he brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unproven {
    /// Nobody verifies this domain, or not in this way.
    NoVerifier,
    /// He brought nothing that could be checked.
    NoEvidence,
    /// What he brought is no good.
    Set(SetFault),
    /// Whoever was asked does not know him, and said so with this number.
    Portal(i64),
    /// Whoever was asked did not answer, or nothing that makes sense.
    NoAnswer,
    /// The key of an administrator is another one.
    WrongKey,
    /// There is nothing to be had here.
    IssuesNothing,
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVerifier => f.write_str("nobody verifies this"),
            Self::NoEvidence => f.write_str("nothing to be checked"),
            Self::Set(fault) => fault.fmt(f),
            Self::Portal(number) => write!(f, "the portal says {number}"),
            Self::NoAnswer => f.write_str("the portal did not answer"),
            Self::WrongKey => f.write_str("another key"),
            Self::IssuesNothing => f.write_str("nothing is issued here"),
        }
    }
}

impl core::error::Error for Unproven {}

impl From<SetFault> for Unproven {
    fn from(fault: SetFault) -> Self {
        Self::Set(fault)
    }
}

/// Domains by their parts: a type, alone or with a kind of server behind a dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domains {
    types: Vec<String>,
    kinds: Vec<String>,
}

impl Domains {
    /// Each of these types, and each of them with each of these kinds: `official`, `official.IOS`, ….
    #[must_use]
    pub fn of(types: &[&str], kinds: &[&str]) -> Self {
        let own = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Self { types: own(types), kinds: own(kinds) }
    }

    /// Whether a domain is among them, exactly.
    #[must_use]
    pub fn has(&self, domain: &str) -> bool {
        let (name, kind) = match domain.split_once('.') {
            Some((name, kind)) => (name, Some(kind)),
            None => (domain, None),
        };
        let known = |names: &[String], name: &str| names.iter().any(|own| own == name);
        known(&self.types, name) && kind.is_none_or(|kind| known(&self.kinds, kind))
    }
}

/// The verifiers of a deployment.
#[derive(Debug, Default)]
pub struct Verifiers(Vec<Box<dyn Verifier>>);

impl Verifiers {
    /// None: everybody is refused.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one. Of several with the same name, or the same domains, the first counts.
    #[must_use]
    pub fn with(mut self, verifier: impl Verifier + 'static) -> Self {
        self.0.push(Box::new(verifier));
        self
    }

    /// Adds others, behind those that are there.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Who verifies a login into `domain`, where the client names `control`, if it names one: the verifier of that
    /// name or route, else the default of the domain. Exact, and nobody rather than another.
    #[must_use]
    pub fn find(&self, domain: &str, control: Option<&str>) -> Option<&dyn Verifier> {
        let mut owners = self.0.iter().filter(|verifier| is_domain(domain) && verifier.owns(domain));
        let found = match control {
            None => owners.find(|verifier| verifier.is_default()),
            Some(control) => owners.find(|verifier| serves(verifier.as_ref(), control)),
        };
        found.map(AsRef::as_ref)
    }

    /// Who issues under a path, which begins with `/`.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&dyn Verifier> {
        let name = path.strip_prefix('/')?;
        self.0.iter().find(|verifier| serves(verifier.as_ref(), name)).map(AsRef::as_ref)
    }
}

/// Whether `control` means this verifier: its name, or one of its paths without the `/`.
fn serves(verifier: &dyn Verifier, control: &str) -> bool {
    let routed = |path: &&str| path.strip_prefix('/') == Some(control);
    verifier.name() == control || verifier.routes().iter().any(routed)
}

/// Where the names of a verifier's players are unique: the domain itself for its default verifier, else the verifier's
/// name with the domain. A domain holds no `/`, so no two realms are written the same.
#[must_use]
pub fn realm(verifier: &dyn Verifier, domain: &str) -> String {
    if verifier.is_default() { domain.to_string() } else { format!("{}/{domain}", verifier.name()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Custom(&'static str, bool);

    impl Verifier for Custom {
        fn name(&self) -> &str {
            self.0
        }

        fn owns(&self, domain: &str) -> bool {
            Domains::of(&["official", "Custom"], &["IOS"]).has(domain)
        }

        fn is_default(&self) -> bool {
            self.1
        }

        fn routes(&self) -> &[&str] {
            &["/auth/new.html"]
        }

        fn check(&self, _: &Evidence<'_>) -> Verdict {
            Verdict::Refused(Unproven::NoEvidence)
        }
    }

    #[test]
    fn a_domain_is_somebody_s_in_one_spelling_only() {
        let all = Verifiers::new().with(Custom("first", true)).with(Custom("second", false));
        let name = |domain, control| all.find(domain, control).map(Verifier::name);
        assert_eq!(name("official.IOS", None), Some("first"));
        assert_eq!(name("official", Some("second")), Some("second"));
        assert_eq!(name("official", Some("auth/new.html")), Some("first"));
        for domain in
            ["", "Official", "official.ios", "official.IOS.", "official.IOS.x", ".IOS", "official ", "tx"]
        {
            assert_eq!(name(domain, None), None, "{domain}");
        }
        for control in ["", "Second", "third", "/second", "second/"] {
            assert_eq!(name("official", Some(control)), None, "{control}");
        }
        assert_eq!(all.at("/second").map(Verifier::name), Some("second"));
        assert_eq!(all.at("/auth/new.html").map(Verifier::name), Some("first"));
        assert!(all.at("second").is_none() && all.at("/").is_none());
    }

    #[test]
    fn realms_of_two_verifiers_differ() {
        assert_eq!(realm(&Custom("first", true), "official.IOS"), "official.IOS");
        assert_eq!(realm(&Custom("second", false), "official.IOS"), "second/official.IOS");
    }
}
