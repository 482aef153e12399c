//! The verifiers that come with the original: official and 360 in two phases, admin in two, tx in one.

use alloc::string::{String, ToString};
use core::time::Duration;

use subtle::ConstantTimeEq;

use super::{
    set::{Set, SetFault},
    sign::{self, Secret},
    tx::{self, Portal},
};
use crate::{
    ids::Payload,
    message::Age,
    policy::SignedText,
    verify::{
        Window, signed,
        verifier::{Domains, Evidence, Issue, Question, Unproven, Verdict, Verified, Verifier},
    },
    wire::json::Json,
};

/// Kinds of servers in the original. `Test` is where the LBS sends those who are to test.
pub const KINDS: [&str; 3] = ["IOS", "Android", "Test"];

/// Official and 360: a signed set for anybody who asks, as the original has it. It proves no more than that its bearer
/// asked within the window; the pages are there for clients of the original, and a portal that knows its players
/// issues the sets instead.
#[derive(Debug)]
pub struct TwoPhase {
    secret: Secret,
    window: Window,
    domains: Domains,
    /// Whether a set has to name its domain. Clients of the original do not ask for that.
    bound: bool,
    /// Whether a set is issued to anybody who asks.
    issues: bool,
}

impl TwoPhase {
    /// With the secret that sets are signed with. Whoever `issues` to anybody believes everybody: it is for trials, and
    /// for servers that only a portal can reach.
    #[must_use]
    pub fn new(secret: Secret, window: Window, bound: bool, issues: bool) -> Self {
        Self { secret, window, domains: Domains::of(&["official", "360"], &KINDS), bound, issues }
    }

    /// For these kinds of servers instead of the original's.
    #[must_use]
    pub fn serving(self, kinds: &[&str]) -> Self {
        Self { domains: Domains::of(&["official", "360"], kinds), ..self }
    }
}

impl Verifier for TwoPhase {
    fn name(&self) -> &'static str {
        "360"
    }

    fn domains(&self) -> &Domains {
        &self.domains
    }

    fn is_default(&self) -> bool {
        true
    }

    fn routes(&self) -> &[&str] {
        &["/auth360.html"]
    }

    fn issue(&self, request: &Issue<'_>) -> Result<String, Unproven> {
        if !self.issues {
            return Err(Unproven::IssuesNothing);
        }
        let id = request.parameters.get("id").and_then(Json::text).ok_or(Unproven::NoEvidence)?;
        let domain = domain_of(request);
        if domain.as_deref().is_some_and(|domain| !self.domains.has(domain)) {
            return Err(Unproven::NoVerifier);
        }
        let set = Set { t: request.now, nonce: request.nonce, id: id.into(), domain, session: None };
        Ok(set.issue(&self.secret)?)
    }

    fn check(&self, evidence: &Evidence<'_>) -> Verdict {
        match (evidence.auth(), evidence.text("openid")) {
            (None, Some(id)) => Verdict::Claimed(id.into()),
            _ => check_set(evidence, (&self.secret, self.window), false, self.bound),
        }
    }

    fn memory(&self) -> Duration {
        self.window.length()
    }
}

/// Seconds: an administrator's session is good to the end of the period of this length that it was issued in, and through
/// the next.
pub const ADMIN_SESSION: u64 = 12 * 3_600;

/// Administrators: who knows the key gets a session, and a signed set with it.
#[derive(Debug)]
pub struct Admin {
    secret: Secret,
    key: Secret,
    window: Window,
    domains: Domains,
}

impl Admin {
    /// With the secret that sets are signed with, and the key that administrators know. Any other key is refused; the
    /// original takes each while it is being debugged.
    #[must_use]
    pub fn new(secret: Secret, key: Secret, window: Window) -> Self {
        Self { secret, key, window, domains: Domains::of(&["admin"], &[]) }
    }

    fn session(&self, id: &str, period: u64) -> String {
        sign::admin_session_in(period, id, &self.key, &self.secret).text()
    }
}

impl Verifier for Admin {
    fn name(&self) -> &'static str {
        "admin"
    }

    fn domains(&self) -> &Domains {
        &self.domains
    }

    fn is_default(&self) -> bool {
        true
    }

    fn routes(&self) -> &[&str] {
        &["/authAdmin.html"]
    }

    fn issue(&self, request: &Issue<'_>) -> Result<String, Unproven> {
        // The original's own client sends them beside `oemInfo`, where the original does not look.
        let text = |name| {
            let said = request.oem.get(name).or_else(|| request.parameters.get(name));
            said.and_then(Json::text).filter(|text| !text.is_empty())
        };
        let id = text("openid").ok_or(Unproven::NoEvidence)?;
        let period = request.now / ADMIN_SESSION;
        let mut session = self.session(id, period);
        let shown = match (text("openkey"), text("session")) {
            (Some(key), _) => key.as_bytes().ct_eq(self.key.expose().as_bytes()),
            (None, Some(given)) => {
                let last = self.session(id, period.saturating_sub(1));
                let is_last = given.as_bytes().ct_eq(last.as_bytes());
                let shown = given.as_bytes().ct_eq(session.as_bytes()) | is_last;
                // Only the key begins a new one: a session that is shown goes on, and ends.
                if bool::from(is_last) {
                    session = last;
                }
                shown
            }
            (None, None) => return Err(Unproven::NoEvidence),
        };
        if !bool::from(shown) {
            return Err(Unproven::WrongKey);
        }
        let domain = Some("admin".to_string());
        let set = Set { t: request.now, nonce: request.nonce, id: id.into(), domain, session: Some(session) };
        Ok(set.issue(&self.secret)?)
    }

    fn check(&self, evidence: &Evidence<'_>) -> Verdict {
        check_set(evidence, (&self.secret, self.window), true, true)
    }

    fn memory(&self) -> Duration {
        self.window.length()
    }
}

/// What a set is worth: `admin` sets have a session, and `bound` ones have to name their domain.
fn check_set(
    evidence: &Evidence<'_>,
    (secret, window): (&Secret, Window),
    admin: bool,
    bound: bool,
) -> Verdict {
    let Some(auth) = evidence.auth() else { return Verdict::Refused(Unproven::NoEvidence) };
    let age = |time| window.age(time, signed(evidence.now));
    match Set::check(auth, evidence.domain, admin, secret) {
        Ok((set, _)) if bound && set.domain.is_none() => Verdict::Refused(SetFault::NoDomain.into()),
        Ok((set, signature)) => {
            Verdict::Verified(Verified::new(set.id, age(signed(set.t)), signature.payload()))
        }
        Err(fault @ (SetFault::Members | SetFault::Form { .. })) if !bound => {
            match Set::read_as_original(auth, secret) {
                Some((time, id, signature)) => Verdict::Verified(Verified {
                    form: SignedText::Glued,
                    remark: Some(fault.into()),
                    ..Verified::new(id, age(time), signature.payload())
                }),
                None => Verdict::Refused(fault.into()),
            }
        }
        Err(fault) => Verdict::Refused(fault.into()),
    }
}

/// tx: the player brings a key, and Tencent's service is asked whether it is his.
#[derive(Debug)]
pub struct OnePhase {
    portal: Portal,
    domains: Domains,
}

impl OnePhase {
    /// With the service to be asked.
    #[must_use]
    pub fn new(portal: Portal) -> Self {
        Self { portal, domains: Domains::of(&["tx"], &KINDS) }
    }
}

impl Verifier for OnePhase {
    fn name(&self) -> &'static str {
        "tx"
    }

    fn domains(&self) -> &Domains {
        &self.domains
    }

    fn is_default(&self) -> bool {
        true
    }

    fn check(&self, evidence: &Evidence<'_>) -> Verdict {
        match question(&self.portal, evidence) {
            Some((question, _)) => Verdict::Ask(question),
            None => Verdict::Refused(Unproven::NoEvidence),
        }
    }

    fn answered(&self, evidence: &Evidence<'_>, answer: Option<&[u8]>) -> Verdict {
        let Some((_, payload)) = question(&self.portal, evidence) else {
            return Verdict::Refused(Unproven::NoEvidence);
        };
        let Some(answer) = answer else { return Verdict::Refused(Unproven::NoAnswer) };
        match tx::read(answer) {
            // The answer is to the question of this moment, so it is as fresh as can be. A key of tx is good for many
            // logins: what counts once is the question about it.
            Ok(player) => Verdict::Verified(Verified {
                nickname: player.nickname,
                ..Verified::new(evidence.text("openid").unwrap_or_default().into(), Age::Fresh, payload)
            }),
            Err(why) => Verdict::Refused(why),
        }
    }

    /// No two questions are the same.
    fn memory(&self) -> Duration {
        Duration::ZERO
    }
}

fn question(portal: &Portal, evidence: &Evidence<'_>) -> Option<(Question, Payload)> {
    let (openid, openkey) = (evidence.text("openid")?, evidence.text("openkey")?);
    portal.question((openid, openkey), evidence.text("pf"), evidence.peer, (evidence.now, evidence.nonce))
}

/// The domain that a set is asked for; the original's client names none.
fn domain_of(request: &Issue<'_>) -> Option<String> {
    request.oem.get("domain").and_then(Json::text).filter(|domain| !domain.is_empty()).map(String::from)
}

#[cfg(test)]
mod tests;
