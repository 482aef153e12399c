//! A way to verify a player on somebody's word, and the list of those that a door has.
//!
//! A verifier is a value without state: what it is told goes in, a verdict comes out. It never waits. One that has to
//! call out answers with a question, and is given what came back. A verdict says what was shown and in which form; what
//! is made of an old one, or of one that could be read in two ways, is for the LoginServer to say
//! ([`credentials`]), by its rules.
//!
//! A password is no such word: it is compared where it is kept, with the accounts
//! ([`Credentials::Password`]). Nobody signs it, it has no age, and it counts more than once.

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, time::Duration};

use super::{
    gamecloud::set::{SetFault, is_domain},
    gtarcade,
};
use crate::{
    ids::{Addr, Payload},
    limits::Times,
    message::{Age, Credentials},
    policy::SignedText,
    refusal::Refusal,
    text::Identity,
    wire::json::{Json, Members},
};

/// A way to verify players.
pub trait Verifier: fmt::Debug + Send + Sync {
    /// Its name: what clients of gamecloud say in `authControl`, and the first part of a realm. A valid domain without
    /// dots.
    fn name(&self) -> &str;

    /// The domains that it verifies. Exact, letter case included: whatever is not a verifier's is nobody's.
    fn domains(&self) -> &Domains;

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

    /// For how long what it took once must be remembered, so that it counts once: as long as it could be taken at all.
    /// Servers remember everything for as long as their own window asks for, and do not start with a verifier that wants
    /// more ([`Times::check_memory`]).
    fn memory(&self) -> Duration;

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
    /// Different for every request of one second, until they are [`NONCES`](super::gamecloud::set::NONCES).
    pub nonce: u32,
}

/// What a login brings.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Where the player wants to be known.
    pub domain: &'a str,
    /// All that the client shows: gamecloud's `oemInfo`, GTarcade's whole answer.
    pub shown: &'a Members<'a>,
    /// Where it comes from.
    pub peer: Addr,
    /// Seconds since 1970.
    pub now: u64,
    /// Different for every login of one second, until they are [`NONCES`](super::gamecloud::set::NONCES).
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
        self.shown.get("auth").filter(|value| !empty(value))
    }

    /// A text that the client says of itself; nothing if it is absent, empty or something else.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.shown.get(name).and_then(Json::text).filter(|text| !text.is_empty())
    }
}

/// What a verifier makes of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// He is who he says.
    Verified(Verified),
    /// He says that he is this one, and shows nothing for it. The original takes his word; strict refuses him.
    Claimed(String),
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
    /// What is to be remembered, so that it counts once: the same for whatever stands on one signature.
    pub payload: Payload,
    /// The strictest form of writing in which this, and nothing else, is what was signed.
    pub form: SignedText,
    /// Why a strict reader would refuse it, or what an operator ought to hear of it.
    pub remark: Option<Unproven>,
    /// How he wants to be called, if the verifier knows.
    pub nickname: Option<String>,
}

impl Verified {
    /// Somebody about whom there is nothing more to say, by evidence that can be read in one way only.
    #[must_use]
    pub const fn new(subject: String, age: Age, payload: Payload) -> Self {
        Self { subject, age, payload, form: SignedText::Unambiguous, remark: None, nickname: None }
    }
}

/// What a LoginServer is asked on a verdict about this evidence. The one place where identities are made: two verifiers
/// that are default for no common domain never share one ([`realm`]).
///
/// # Errors
/// Why it is asked nothing.
pub fn credentials(
    verifier: &dyn Verifier,
    evidence: &Evidence<'_>,
    verdict: &Verdict,
) -> Result<Credentials, Unproven> {
    let (subject, age, payload, form) = match verdict {
        Verdict::Verified(it) => (&it.subject, it.age, it.payload, Some(it.form)),
        Verdict::Claimed(subject) => (subject, Age::Fresh, nothing(evidence), None),
        Verdict::Refused(why) => return Err(*why),
        // One question has to be enough.
        Verdict::Ask(_) => return Err(Unproven::NoAnswer),
    };
    let identity = Identity::new(&realm(verifier, evidence.domain), subject).ok_or(Unproven::Nameless)?;
    Ok(Credentials::Signed { identity, registers: verifier.registers(), payload, age, form })
}

/// What stands for a payload where there is none: never the same twice, and no digest.
fn nothing(evidence: &Evidence<'_>) -> Payload {
    Payload::new((u128::from(evidence.now) << 64 | u128::from(evidence.nonce)).to_be_bytes())
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
    /// His set is no good.
    Set(SetFault),
    /// His payload of GTarcade is no good.
    Payload(gtarcade::Reason),
    /// He is called by a name that nobody here can have: empty, too long, or with control characters.
    Nameless,
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
            Self::Payload(reason) => reason.fmt(f),
            Self::Nameless => f.write_str("a name that nobody here can have"),
            Self::Portal(number) => write!(f, "the portal says {number}"),
            Self::NoAnswer => f.write_str("the portal did not answer"),
            Self::WrongKey => f.write_str("another key"),
            Self::IssuesNothing => f.write_str("nothing is issued here"),
        }
    }
}

impl core::error::Error for Unproven {}

impl From<Unproven> for Refusal {
    /// What the client is told.
    fn from(why: Unproven) -> Self {
        match why {
            Unproven::Payload(reason) => reason.into(),
            Unproven::Nameless => Self::Malformed,
            Unproven::NoAnswer => Self::Unavailable,
            _ => Self::BadSignature,
        }
    }
}

impl From<gtarcade::Reason> for Unproven {
    fn from(reason: gtarcade::Reason) -> Self {
        Self::Payload(reason)
    }
}

impl From<SetFault> for Unproven {
    fn from(fault: SetFault) -> Self {
        Self::Set(fault)
    }
}

/// Domains by their parts: a type, alone or with a kind of server behind a dot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

    /// One more kind of server, or of whatever stands behind the dot.
    pub(super) fn add_kind(&mut self, kind: &str) {
        self.kinds.push(kind.into());
    }

    /// A type that two have in common: then they have a domain in common.
    fn common<'a>(&'a self, other: &Self) -> Option<&'a str> {
        self.types.iter().find(|name| other.types.contains(name)).map(|name| &name[..])
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

impl Domains {
    /// Every one of them.
    fn all(&self) -> impl Iterator<Item = String> {
        let with_kinds =
            |name: &String| self.kinds.iter().map(move |kind| format!("{name}.{kind}")).collect::<Vec<_>>();
        self.types.iter().flat_map(move |name| core::iter::once(name.clone()).chain(with_kinds(name)))
    }
}

/// The verifiers of a door: of the listener that their clients come to.
#[derive(Debug, Default)]
pub struct Verifiers(Vec<Box<dyn Verifier>>);

/// Why verifiers cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clash {
    /// This is no name of one: letters, digits and `-`, at most 32.
    Name(String),
    /// Two answer to this name or path.
    SameName(String),
    /// Two are the default of this type: one player could be two people, or two players one.
    SameType(String),
    /// The realms of this type are another door's.
    OtherDoor(String),
    /// A realm of one would be longer than realms are: nobody could log in there.
    LongRealm(String),
    /// One wants more to be remembered than these times do.
    Memory(String),
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => {
                write!(f, "verifier {name:?}: a name has 1 to 32 letters, digits and -")
            }
            Self::SameName(name) => write!(f, "two verifiers answer to {name:?}"),
            Self::SameType(name) => write!(f, "two verifiers are the default of {name:?}"),
            Self::OtherDoor(name) => write!(f, "a verifier is the default of {name:?}, which is GTarcade's"),
            Self::LongRealm(realm) => {
                write!(f, "the realm {realm:?} has over 32 bytes: choose a shorter name, type or kind")
            }
            Self::Memory(why) => f.write_str(why),
        }
    }
}

impl core::error::Error for Clash {}

impl Verifiers {
    /// None: everybody is refused.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one. [`Verifiers::check`] says whether it goes together with the others.
    #[must_use]
    pub fn with(mut self, verifier: impl Verifier + 'static) -> Self {
        self.0.push(Box::new(verifier));
        self
    }

    /// Adds others, but those of them in whose place somebody is already: whose name, path or domain is taken.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        for other in others.0 {
            if clash(&self.0, other.as_ref()).is_none() {
                self.0.push(other);
            }
        }
        self
    }

    /// Whether each can be told from the others, has realms of its own, and is remembered for as long as it wants.
    ///
    /// # Errors
    /// What is in the way.
    pub fn check(&self, times: &Times) -> Result<(), Clash> {
        for (at, verifier) in self.0.iter().enumerate() {
            let verifier = verifier.as_ref();
            let name = verifier.name();
            if !is_domain(name) || name.contains('.') {
                return Err(Clash::Name(name.into()));
            }
            if let Some(clash) = clash(&self.0[..at], verifier) {
                return Err(clash);
            }
            let whose = verifier.domains().types.iter().find(|name| *name == gtarcade::TYPE);
            if let Some(name) = whose.filter(|_| verifier.is_default()) {
                return Err(Clash::OtherDoor(name.clone()));
            }
            let mut realms = verifier.domains().all().map(|domain| realm(verifier, &domain));
            if let Some(long) = realms.find(|realm| Identity::new(realm, "1").is_none()) {
                return Err(Clash::LongRealm(long));
            }
            times.check_memory(name, verifier.memory()).map_err(Clash::Memory)?;
        }
        Ok(())
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|verifier| verifier.name())
    }

    /// Who verifies a login into `domain`, where the client names `control`, if it names one: the verifier of that
    /// name or route, else the default of the domain. Exact, and nobody rather than another.
    #[must_use]
    pub fn find(&self, domain: &str, control: Option<&str>) -> Option<&dyn Verifier> {
        let mut owners = self.0.iter().filter(|verifier| is_domain(domain) && verifier.domains().has(domain));
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

/// What keeps one more from being among these.
fn clash(others: &[Box<dyn Verifier>], one: &dyn Verifier) -> Option<Clash> {
    let paths = one.routes().iter().filter_map(|path| path.strip_prefix('/'));
    let names = [one.name()].into_iter().chain(paths);
    for other in others.iter().map(AsRef::as_ref) {
        if let Some(name) = names.clone().find(|name| serves(other, name)) {
            return Some(Clash::SameName(name.into()));
        }
        let defaults = one.is_default() && other.is_default();
        if let Some(name) = one.domains().common(other.domains()).filter(|_| defaults) {
            return Some(Clash::SameType(name.into()));
        }
    }
    None
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
mod tests;
