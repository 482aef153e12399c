//! The LoginServer: HTTP requests in, sessions and room tokens out. It remembers only what it is working on,
//! and who failed lately: a restart loses nothing that a client cannot ask for again.

mod backoff;

use alloc::collections::BTreeMap;

use self::backoff::Backoff;
use crate::{
    ids::{AccountId, Addr, CallId, ConnId, Payload, RoomKey, SessionKey},
    ledger::Fact,
    limits::REQUESTS_MAX,
    message::{
        AccountsAnswer, AccountsAsk, Age, Answer, Ask, CacheAnswer, CacheAsk, CenterAnswer, CenterAsk,
        Credentials, Message, Place, Reply, Request, RequestBody,
    },
    policy::{Policy, SignedText},
    refusal::Refusal,
    role::{Command, Cx, Effect, Effects, Event, Outage, Role, Step, Timer, Why},
    text::{Name, Password},
};

/// A LoginServer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LoginServer {
    requests: BTreeMap<ConnId, Pending>,
    backoff: Backoff,
    draining: bool,
}

/// A request that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pending {
    addr: Addr,
    call: u32,
    /// The signed payload that a login stands on.
    signature: Option<Signature>,
    phase: Phase,
}

/// A signed payload, and how old it was when it came.
type Signature = (Payload, Age);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Accounts verifies the credentials given for this name (none: a guest's device).
    Verifying { name: Option<Name>, guest_password: Password },
    /// The cache opens the session.
    Opening { login: Login, session: SessionKey },
    /// The cache looks up the cookie, for a room with this map or for nothing else.
    Finding { session: SessionKey, scene: Option<u32> },
    /// RCenter picks a place.
    Placing { session: SessionKey, account: AccountId, scene: u32 },
    /// The cache issues the token.
    Issuing { account: AccountId },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Login {
    account: AccountId,
    name: Name,
    newbie: bool,
    password: Option<Password>,
}

impl LoginServer {
    /// A LoginServer with nothing to do.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests that wait for an answer.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.requests.len()
    }

    /// Whether a login that stands on this payload waits for an answer.
    #[must_use]
    pub fn works_on(&self, payload: Payload) -> bool {
        let same = |(own, _): Signature| own == payload;
        self.requests.values().any(|pending| pending.signature.is_some_and(same))
    }

    fn request(&mut self, cx: &mut Cx<'_>, conn: ConnId, request: Request, out: &mut Effects) -> Step {
        if self.requests.contains_key(&conn) {
            return Step::Ignored(Why::Unexpected);
        }
        let Request { addr, signed, body } = request;
        let signature = signature(&body);
        let refusal = match &body {
            RequestBody::Bad(why) => Some(*why),
            _ if !signed => Some(Refusal::BadSignature),
            _ if self.draining => Some(Refusal::Draining),
            _ if self.requests.len() >= REQUESTS_MAX => Some(Refusal::Busy),
            RequestBody::Room { session: None, .. } | RequestBody::Session { session: None } => {
                Some(Refusal::NoSession)
            }
            RequestBody::Login(credentials) => unvouched(&cx.settings.policy, credentials)
                .or_else(|| self.backoff.refuses(addr, account_name(credentials)))
                .or_else(|| signature.and_then(|(_, age)| out_of_window(&cx.settings.policy, age))),
            RequestBody::Room { .. } | RequestBody::Session { .. } => None,
        };
        if let Some(why) = refusal {
            refuse(conn, signature, why, out);
            return Step::Advanced;
        }
        let (phase, ask) = match body {
            RequestBody::Login(credentials) => {
                let guest_password = guest_password(cx.entropy.bits());
                let name = account_name(&credentials);
                let ask = AccountsAsk::Verify { credentials, guest_password: guest_password.clone() };
                (Phase::Verifying { name, guest_password }, Ask::Accounts(ask))
            }
            RequestBody::Room { session: Some(session), scene } => {
                (Phase::Finding { session, scene: Some(scene) }, find(session))
            }
            RequestBody::Session { session: Some(session) } => {
                (Phase::Finding { session, scene: None }, find(session))
            }
            RequestBody::Room { session: None, .. }
            | RequestBody::Session { session: None }
            | RequestBody::Bad(_) => return Step::Advanced,
        };
        if cx.settings.policy.waits_bounded {
            out.arm(Timer::Request(conn), cx.settings.times.request);
        }
        let call = CallId { conn, number: 1 };
        self.requests.insert(conn, Pending { addr, call: call.number, signature, phase });
        out.push(Effect::Ask { call, ask });
        Step::Advanced
    }

    fn answered(
        &mut self,
        cx: &mut Cx<'_>,
        call: CallId,
        answer: Result<Answer, Outage>,
        out: &mut Effects,
    ) -> Step {
        let Some(pending) = self.requests.get_mut(&call.conn) else { return Step::Ignored(Why::Stale) };
        if pending.call != call.number && cx.settings.policy.calls_matched {
            return Step::Ignored(Why::Stale);
        }
        let conn = call.conn;
        let signature = pending.signature;
        let next = match (pending.phase.clone(), answer) {
            (_, Err(Outage::Down)) => Next::Refuse(Refusal::Unavailable),
            (_, Err(Outage::Overloaded)) => Next::Refuse(Refusal::Busy),
            (Phase::Verifying { name, guest_password }, Ok(Answer::Accounts(answer))) => {
                let addr = pending.addr;
                match answer {
                    AccountsAnswer::Verified { account, name: own, newbie, guest } => {
                        self.backoff.succeeded(addr, name, out);
                        let password = guest.then_some(guest_password);
                        let session = session_key(cx, account);
                        let login = Login { account, name: own, newbie, password };
                        let payload = signature.map(|(payload, _)| payload);
                        Next::Ask(
                            Phase::Opening { login, session },
                            Ask::Cache(CacheAsk::OpenSession { account, key: session, payload }),
                        )
                    }
                    AccountsAnswer::Refused(why) => {
                        if matches!(why, Refusal::WrongCredentials | Refusal::NameTaken) {
                            self.backoff.failed(cx, addr, name, out);
                        }
                        Next::Refuse(why)
                    }
                    AccountsAnswer::Profile | AccountsAnswer::Done => Next::Ignore,
                }
            }
            (Phase::Opening { login, session }, Ok(Answer::Cache(answer))) => match answer {
                CacheAnswer::Done => {
                    if let Some((payload, age)) = signature {
                        out.note(Fact::SignatureAccepted { payload, age });
                    }
                    let Login { account, name, newbie, password } = login;
                    Next::Reply(Reply::LoggedIn { name, account, newbie, password, session })
                }
                CacheAnswer::Refused(why) => Next::Refuse(why),
                _ => Next::Ignore,
            },
            (Phase::Finding { session, scene }, Ok(Answer::Cache(answer))) => match answer {
                CacheAnswer::Session { account } => match scene {
                    Some(scene) => Next::Ask(
                        Phase::Placing { session, account, scene },
                        Ask::Center(CenterAsk::Place { account, scene }),
                    ),
                    None => Next::Reply(Reply::Session { account }),
                },
                CacheAnswer::Refused(why) => Next::Refuse(why),
                _ => Next::Ignore,
            },
            (Phase::Placing { session, account, .. }, Ok(Answer::Center(answer))) => match answer {
                CenterAnswer::Placed(place) => {
                    let key = RoomKey::new(cx.entropy.bits());
                    Next::Ask(
                        Phase::Issuing { account },
                        Ask::Cache(CacheAsk::IssueToken { session, account, key, place }),
                    )
                }
                CenterAnswer::Full => Next::Refuse(Refusal::NoRoom),
            },
            (Phase::Issuing { account }, Ok(Answer::Cache(answer))) => match answer {
                CacheAnswer::Issued { key, place: Place { endpoint, room, scene, .. } } => {
                    Next::Reply(Reply::Room { account, endpoint, key, room, scene })
                }
                CacheAnswer::Refused(why) => Next::Refuse(why),
                _ => Next::Ignore,
            },
            _ => Next::Ignore,
        };
        self.go_on(cx, conn, next, out)
    }

    fn go_on(&mut self, cx: &Cx<'_>, conn: ConnId, next: Next, out: &mut Effects) -> Step {
        match next {
            Next::Ask(phase, ask) => {
                if let Some(pending) = self.requests.get_mut(&conn) {
                    pending.phase = phase;
                    pending.call += 1;
                    out.push(Effect::Ask { call: CallId { conn, number: pending.call }, ask });
                }
            }
            Next::Reply(reply) => {
                let newest = self.requests.keys().next_back().copied().unwrap_or(conn);
                let to = if cx.settings.policy.replies_matched { conn } else { newest };
                self.finish(conn, out);
                out.send(to, Message::Reply(reply));
            }
            Next::Refuse(why) => {
                let signature = self.finish(conn, out).and_then(|pending| pending.signature);
                refuse(conn, signature, why, out);
            }
            Next::Ignore => return Step::Ignored(Why::Unexpected),
        }
        Step::Advanced
    }

    fn finish(&mut self, conn: ConnId, out: &mut Effects) -> Option<Pending> {
        out.disarm(Timer::Request(conn));
        self.requests.remove(&conn)
    }
}

/// What follows from an answer.
enum Next {
    Ask(Phase, Ask),
    Reply(Reply),
    Refuse(Refusal),
    Ignore,
}

impl Role for LoginServer {
    fn phase(&self, event: &Event) -> &'static str {
        match event.conn().and_then(|conn| self.requests.get(&conn)).map(|pending| &pending.phase) {
            None if self.draining => "draining",
            None => "idle",
            Some(Phase::Verifying { .. }) => "verifying",
            Some(Phase::Opening { .. }) => "opening session",
            Some(Phase::Finding { .. }) => "finding session",
            Some(Phase::Placing { .. }) => "placing",
            Some(Phase::Issuing { .. }) => "issuing token",
        }
    }

    fn step(&mut self, cx: &mut Cx<'_>, event: Event, out: &mut Effects) -> Step {
        match event {
            Event::Received { conn, msg: Message::Request(request) } => self.request(cx, conn, request, out),
            Event::Answered { call, answer } => self.answered(cx, call, answer, out),
            Event::Lost(conn) if self.requests.contains_key(&conn) => {
                self.finish(conn, out);
                Step::Advanced
            }
            Event::Fired(Timer::Request(conn)) if self.requests.contains_key(&conn) => {
                self.go_on(cx, conn, Next::Refuse(Refusal::Unavailable), out)
            }
            Event::Fired(Timer::Backoff(addr, name)) => self.backoff.fired(cx, addr, name, out),
            Event::Command(Command::Drain) if !self.draining => {
                self.draining = true;
                Step::Advanced
            }
            Event::Lost(_) | Event::Fired(Timer::Request(_)) => Step::Ignored(Why::Stale),
            _ => Step::Ignored(Why::Unexpected),
        }
    }
}

fn refuse(conn: ConnId, signature: Option<Signature>, why: Refusal, out: &mut Effects) {
    if let Some((payload, _)) = signature {
        out.note(Fact::SignatureRefused { payload, why });
    }
    out.note(Fact::RequestRefused { why });
    out.send(conn, Message::Reply(Reply::Refused(why)));
}

const fn find(key: SessionKey) -> Ask {
    Ask::Cache(CacheAsk::FindSession { key })
}

const fn signature(body: &RequestBody) -> Option<Signature> {
    match body {
        RequestBody::Login(Credentials::Signed { payload, age, .. }) => Some((*payload, *age)),
        _ => None,
    }
}

/// Why credentials are refused for how somebody vouches for them: nobody does, or it could be meant otherwise.
fn unvouched(policy: &Policy, credentials: &Credentials) -> Option<Refusal> {
    let Credentials::Signed { form, .. } = credentials else { return None };
    let taken = match form {
        None => !policy.evidence_required,
        Some(form) => *form == SignedText::Unambiguous || *form == policy.signed_text,
    };
    if taken { None } else { Some(Refusal::BadSignature) }
}

/// Why a payload of this age is refused.
const fn out_of_window(policy: &Policy, age: Age) -> Option<Refusal> {
    let taken = match age {
        Age::Future => !policy.signature_future_refused,
        Age::Fresh => true,
        Age::Stale => !policy.signature_window_checked,
    };
    if taken { None } else { Some(Refusal::SignatureStale) }
}

/// The name that failures are counted for; neither a guest's device id nor a signature can be guessed.
const fn account_name(credentials: &Credentials) -> Option<Name> {
    match credentials {
        Credentials::Password { name, .. } | Credentials::Register { name, .. } => Some(*name),
        Credentials::Guest { .. } | Credentials::Signed { .. } => None,
    }
}

/// The key of a new session. What is made of the account alone is the same at every login: it is good again whenever
/// its owner logs in, in whosever hands it is.
fn session_key(cx: &mut Cx<'_>, account: AccountId) -> SessionKey {
    let bits = cx.entropy.bits();
    if cx.settings.policy.session_keys_drawn {
        return SessionKey::new(bits);
    }
    SessionKey::new(u128::from(account.0).to_be_bytes())
}

/// A guest's password: 128 random bits as hex.
fn guest_password(bits: [u8; 16]) -> Password {
    let digits = SessionKey::new(bits).expose();
    core::str::from_utf8(&digits).ok().and_then(Password::new).unwrap_or_else(Password::empty)
}
