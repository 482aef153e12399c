//! What is done for a request, however it came.

use std::time::Instant;

use gatepass_core::{
    ids::SessionKey,
    lbs,
    message::{Reply, Request, RequestBody},
    refusal::Refusal,
    verify::verifier::{Evidence, Issue, Unproven, Verdict, Verifier, credentials},
    wire::{
        gamecloud::{
            call::{self, Call},
            reply::{self, Code, Player, push},
        },
        json::{Json, Members, Quoted},
    },
};
use tokio::time::timeout;

use super::{Gamecloud, Origin, Side, config::host_and_port, portal, unix_seconds};
use crate::{gate::addr_of, http::Unanswered, metrics::Asked};

/// What follows from a request.
pub(super) struct Done {
    /// Its answer.
    pub(super) answer: String,
    /// The session that begins with it.
    pub(super) session: Option<SessionKey>,
    /// The session that it came with is over.
    pub(super) over: bool,
}

impl From<String> for Done {
    fn from(answer: String) -> Self {
        Self { answer, session: None, over: false }
    }
}

impl From<Code> for Done {
    fn from(code: Code) -> Self {
        reply::refused(code).into()
    }
}

/// What the original pushes to who logs in on a socket, before its answer and after it.
pub(super) const GREETINGS: [(u16, &str); 2] = [
    (push::GUIDE, r#"{"gid":1}"#),
    (push::ACTION, r#"{"cur":0,"max":0,"refreshTime":0,"peroid":0,"diamond":0,"money":0}"#),
];
/// See [`GREETINGS`].
pub(super) const AFTERWARDS: (u16, &str) = (push::FRIENDS, "[]");

/// Whether a call is a login, and so replaces whatever session its socket has.
pub(super) fn is_login(side: Side, call: &Call<'_>) -> bool {
    match side {
        Side::Index => matches!((call.control, call.func), ("admin", "login")),
        Side::Logic => matches!(
            (call.control, call.func),
            ("index", "1000" | "login") | ("login", "UserLogin" | "1000" | "login")
        ),
    }
}

impl Gamecloud {
    /// Answers a request. `own` is the session of the socket it came on.
    pub(super) async fn call(&self, request: &call::Request, from: Origin, own: Option<SessionKey>) -> Done {
        let Ok(json) = request.json() else { return Code::ILLEGAL_DATA.into() };
        let Ok(call) = Call::read(&json) else { return Code::ILLEGAL_DATA.into() };
        if is_login(from.side, &call) {
            return self.log_in(&call, from).await;
        }
        match (from.side, call.control, call.func) {
            (Side::Index, "config" | "lb", "getServerInfo") => self.locate(&call, from).into(),
            (Side::Index, "admin", _) => self.administer(&call, from),
            (Side::Index, ..) => Code::ERROR.into(),
            (Side::Logic, ..) => self.play(&call, from, own).await,
        }
    }

    /// Issues what a client asks for under a path. Nothing if nobody issues there.
    pub(super) fn issue(&self, path: &str, request: &call::Request, from: Origin) -> Option<String> {
        // What administrators get, they get at the Index.
        let here = |verifier: &&dyn Verifier| from.side == Side::Index || !verifier.domains().has("admin");
        let verifier = self.verifiers.at(path).filter(here)?;
        let Ok(json) = request.json() else { return Some(reply::refused(Code::ILLEGAL_DATA)) };
        let Ok(call) = Call::read(&json) else { return Some(reply::refused(Code::ILLEGAL_DATA)) };
        Some(self.issued_by(verifier, &call, from).unwrap_or_else(reply::unproven))
    }

    fn issued_by(&self, verifier: &dyn Verifier, call: &Call<'_>, from: Origin) -> Result<String, Unproven> {
        let issued = verifier.issue(&Issue {
            parameters: call.parameters,
            oem: &call.oem,
            peer: addr_of(from.ip),
            now: unix_seconds(),
            nonce: self.nonce(),
        });
        if issued == Err(Unproven::WrongKey) {
            self.askers.guessed(from.ip);
        }
        issued
    }

    fn locate(&self, call: &Call<'_>, from: Origin) -> String {
        let (domain, id) = (text(&call.oem, "domain"), text(&call.oem, "openid"));
        match self.tell_lbs(&lbs::Event::Locate { from: addr_of(from.ip), domain, id }) {
            Some(lbs::Effect::Located { endpoint, newbie, .. }) => match host_and_port(&endpoint) {
                Some((host, port)) => reply::located(host, port, newbie),
                None => reply::refused(Code::ERROR),
            },
            Some(lbs::Effect::Malformed) => reply::refused(Code::ILLEGAL_DATA),
            _ => reply::refused(Code::ERROR),
        }
    }

    /// What administrators do at the Index. Each time they show their key, or the session they got for it.
    fn administer(&self, call: &Call<'_>, from: Origin) -> Done {
        let started = Instant::now();
        let Some(admin) = self.verifiers.find("admin", None) else { return Code::ERROR.into() };
        // Whoever could have a set issued is one.
        if let Err(why) = self.issued_by(admin, call, from) {
            return self.unproven(admin.name(), why, started);
        }
        let id = call.parameters.get("id").and_then(Json::text).unwrap_or_default();
        let is = match call.func {
            "addRoute" => true,
            "delRoute" => false,
            "getRouteList" => {
                let lbs = self.lbs();
                let testers: Vec<_> = lbs.lbs.testers().map(|id| Quoted(id).to_string()).collect();
                return reply::answer(Code::SUCCESS, format_args!("[{}]", testers.join(","))).into();
            }
            _ => return Code::ERROR.into(),
        };
        match self.tell_lbs(&lbs::Event::Tester { id, is }) {
            None => Code::SUCCESS.into(),
            Some(lbs::Effect::Full) => Code::TOO_MANY.into(),
            Some(_) => Code::ILLEGAL_DATA.into(),
        }
    }

    async fn log_in(&self, call: &Call<'_>, from: Origin) -> Done {
        let started = Instant::now();
        let domain = match call.oem.get("domain") {
            None | Some(Json::Null) => lbs::DEFAULT_DOMAIN,
            Some(Json::Text(domain)) if domain.is_empty() => lbs::DEFAULT_DOMAIN,
            Some(domain) => domain.text().unwrap_or_default(),
        };
        let evidence = Evidence {
            domain,
            shown: &call.oem,
            peer: addr_of(from.ip),
            now: unix_seconds(),
            nonce: self.nonce(),
        };
        let verifier = match call.oem.get("authControl") {
            None | Some(Json::Null) => self.verifiers.find(domain, None),
            // What is no name is nobody's.
            Some(control) => control.text().and_then(|control| self.verifiers.find(domain, Some(control))),
        };
        // Administrators log in at the Index, and nobody else does.
        let verifier = verifier.filter(|_| (domain == "admin") == (from.side == Side::Index));
        let Some(verifier) = verifier else { return self.unproven("", Unproven::NoVerifier, started) };
        let verdict = verify(verifier, &evidence).await;
        let credentials = match credentials(verifier, &evidence, &verdict) {
            Ok(credentials) => credentials,
            Err(why) => return self.unproven(verifier.name(), why, started),
        };
        let (subject, nickname) = match &verdict {
            Verdict::Verified(verified) => (&verified.subject[..], verified.nickname.as_deref()),
            Verdict::Claimed(subject) => (&subject[..], None),
            Verdict::Ask(_) | Verdict::Refused(_) => ("", None),
        };
        if let Verdict::Verified(verified) = &verdict
            && let Some(reason) = verified.remark
        {
            tracing::info!(%reason, "a set of gamecloud could be read in two ways");
        }
        if from.side == Side::Logic && !self.is_here(domain, subject) {
            return Code::ERROR.into();
        }
        let asked = Instant::now();
        let reply = self.ask(RequestBody::Login(credentials), from).await;
        self.shell.metrics().vouched(verifier.name(), &reply, asked.elapsed());
        match reply {
            Reply::LoggedIn { name, account, newbie, session, .. } => {
                let token = session.text();
                let player = Player {
                    id: account.0,
                    openid: subject,
                    token: &token,
                    time: evidence.now,
                    name: nickname.unwrap_or(&name),
                    newbie,
                    domain,
                };
                Done { answer: reply::logged_in(&player), session: Some(session), over: false }
            }
            Reply::Refused(why) => Code::from(why).into(),
            Reply::Room { .. } | Reply::Session { .. } => Code::ERROR.into(),
        }
    }

    /// Tells a client, and the operators, that nobody vouches for a player.
    fn unproven(&self, verifier: &str, why: Unproven, started: Instant) -> Done {
        tracing::info!(reason = %why, "nobody vouches for a player of gamecloud");
        let refused = Reply::Refused(why.into());
        self.shell.metrics().vouched(verifier, &refused, started.elapsed());
        reply::unproven(why).into()
    }

    /// Whether a player belongs on a server that is this process. Without such servers nobody can tell.
    fn is_here(&self, domain: &str, id: &str) -> bool {
        let lbs = self.lbs();
        self.own.is_empty() || self.own.iter().any(|node| lbs.lbs.belongs(domain, id, &node.kind))
    }

    /// A call on the strength of a session, which is looked up each time.
    async fn play(&self, call: &Call<'_>, from: Origin, own: Option<SessionKey>) -> Done {
        let session = match call.token() {
            Some(token) => SessionKey::parse(token),
            None => own,
        };
        let body = match (call.control, call.func) {
            ("index" | "room", "room") => {
                RequestBody::Room { session, scene: scene(call.parameters).unwrap_or_default() }
            }
            _ => RequestBody::Session { session },
        };
        match self.ask(body, from).await {
            Reply::Session { account } if (call.control, call.func) == ("index", "info") => {
                reply::answer(Code::SUCCESS, format_args!("{{\"id\":{}}}", account.0)).into()
            }
            Reply::Room { account, endpoint, key, room, scene } => {
                let (endpoint, key) = (Quoted(&endpoint), key.text());
                let (id, room) = (account.0, room.0);
                let data = format_args!(
                    "{{\"addr\":{endpoint},\"key\":\"{key}\",\"uid\":{id},\"room\":{room},\"scene\":{scene}}}"
                );
                reply::answer(Code::SUCCESS, data).into()
            }
            Reply::Refused(why) => Done {
                over: why == Refusal::NoSession && session.is_some() && session == own,
                ..Code::from(why).into()
            },
            Reply::Session { .. } | Reply::LoggedIn { .. } => Code::ERROR.into(),
        }
    }

    /// Whether a session has ended. Where nobody can say, it may not have: the next call will tell.
    pub(super) async fn has_ended(&self, session: SessionKey, from: Origin) -> bool {
        let body = RequestBody::Session { session: Some(session) };
        matches!(self.ask(body, from).await, Reply::Refused(Refusal::NoSession))
    }

    /// Brings a request to the LoginServer. It comes from whoever the link was checked for, so it counts as signed.
    async fn ask(&self, body: RequestBody, from: Origin) -> Reply {
        let asked = Asked::of(&body);
        let request = Request { addr: addr_of(from.ip), signed: true, body };
        let started = Instant::now();
        let conn = self.shell.next_conn();
        let reply = match self.shell.request(conn, request) {
            Ok(reply) => reply,
            Err(waiting) => {
                let mut guard = Unanswered { shell: &self.shell, conn, lost: true };
                match timeout(self.times.request, waiting).await {
                    Ok(Ok(reply)) => {
                        guard.lost = false;
                        reply
                    }
                    // The LoginServer answers sooner than this, unless the process is ending.
                    Ok(Err(_)) | Err(_) => Reply::Refused(Refusal::Unavailable),
                }
            }
        };
        if asked == Asked::Room {
            self.shell.metrics().answered(asked, &reply, started.elapsed());
        }
        reply
    }
}

/// What a verifier says in the end, whoever it has asked.
async fn verify(verifier: &dyn Verifier, evidence: &Evidence<'_>) -> Verdict {
    match verifier.check(evidence) {
        Verdict::Ask(question) => {
            let answer = portal::ask(&question).await;
            verifier.answered(evidence, answer.as_deref())
        }
        told => told,
    }
}

fn text<'a>(members: &'a Members<'_>, name: &str) -> &'a str {
    members.get(name).and_then(Json::text).unwrap_or_default()
}

/// The map a player wants: a number, in a query as text.
fn scene(parameters: &Members<'_>) -> Option<u32> {
    match parameters.get("scene")? {
        Json::Number(spelling) => spelling.parse().ok(),
        value => value.text()?.parse().ok(),
    }
}
