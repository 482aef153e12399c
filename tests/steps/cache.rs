//! The cache beside an obvious model of its rules: the model says which answer is right, for every question.

use std::collections::{BTreeMap, BTreeSet};

use gatepass_core::{
    cache::Cache,
    ids::{AccountId, CallId, ConnId, Generation, Payload, RoomKey, ServerId, SessionKey, Version},
    limits::{REASSERT_MAX, RECALL_MAX, TOKENS_PER_ACCOUNT_MAX, Times},
    message::{Answer, Ask, Asker, CacheAnswer, CacheAsk, Place, Question},
    policy::Policy,
    refusal::Refusal,
    role::{Effect, Event, Timer},
};

use crate::{
    events::{Draw, Kind},
    life::Life,
    lives,
    values::secret,
};

/// What is true of a cache, written down as a list of things that happened.
#[derive(Default)]
struct Model {
    in_grace: bool,
    sessions: BTreeMap<SessionKey, AccountId>,
    payloads: BTreeSet<Payload>,
    /// Payloads may have been used before it began.
    forgot_payloads: bool,
    /// In the order of issue.
    tokens: Vec<Token>,
    newest: BTreeMap<AccountId, usize>,
    issued: usize,
    owners: BTreeMap<AccountId, (ServerId, Version)>,
    leases: BTreeSet<ServerId>,
}

struct Token {
    nth: usize,
    key: RoomKey,
    account: AccountId,
    session: SessionKey,
    place: Place,
    spent: Option<(ServerId, CallId)>,
    expired: bool,
}

const NOW: Generation = Generation(1);

impl Model {
    /// Whether an answer is right; what it says of versions and logins is then believed.
    fn takes(&mut self, ask: &CacheAsk, answer: &CacheAnswer) -> bool {
        use CacheAnswer::{Done, Refused};
        match ask {
            CacheAsk::OpenSession { account, key, payload } => {
                match self.sessions.get(key) {
                    Some(other) if other != account => return *answer == Refused(Refusal::Busy),
                    // The same question once more uses nothing up.
                    Some(_) => return *answer == Done,
                    None => {}
                }
                if payload.is_some_and(|payload| self.payloads.contains(&payload)) {
                    return *answer == Refused(Refusal::SignatureReplayed);
                }
                if payload.is_some() && self.forgot_payloads {
                    return *answer == Refused(Refusal::SignatureDoubtful);
                }
                self.payloads.extend(*payload);
                self.sessions.retain(|old, other| other != account || old == key);
                self.sessions.insert(*key, *account);
                *answer == Done
            }
            CacheAsk::FindSession { key } => match self.sessions.get(key).copied() {
                None => *answer == Refused(Refusal::NoSession),
                Some(account) => *answer == CacheAnswer::Session { account },
            },
            CacheAsk::IssueToken { session, account, key, place } => {
                if self.sessions.get(session) != Some(account) {
                    return *answer == Refused(Refusal::NoSession);
                }
                if let Some((key, issued)) = self.unspent(*account, *session)
                    && issued.server == place.server
                {
                    return *answer == CacheAnswer::Issued { key, place: issued };
                }
                if !self.leases.contains(&place.server) {
                    return *answer == Refused(Refusal::NoRoom);
                }
                if self.tokens.iter().any(|token| token.key == *key) {
                    return *answer == Refused(Refusal::TokenUsed);
                }
                let own = self.tokens.iter().filter(|token| token.account == *account).count();
                if own == TOKENS_PER_ACCOUNT_MAX {
                    let oldest = self.tokens.iter().position(|token| token.account == *account);
                    self.tokens.remove(oldest.unwrap());
                }
                let (key, account, session, place) = (*key, *account, *session, *place);
                self.issued += 1;
                self.newest.insert(account, self.issued);
                let nth = self.issued;
                self.tokens.push(Token { nth, key, account, session, place, spent: None, expired: false });
                *answer == CacheAnswer::Issued { key, place }
            }
            CacheAsk::RevokeSession { account } => {
                self.sessions.retain(|_, other| other != account);
                *answer == Done
            }
            CacheAsk::Redeem { key, server, attempt, generation } => {
                self.redeem(*key, (*server, *attempt), *generation, answer)
            }
            // Strict claims with the redeem, and never so.
            CacheAsk::Claim { .. } => *answer == Refused(Refusal::Malformed),
            CacheAsk::Release { account, server, version } => {
                if self.owners.get(account) == Some(&(*server, *version)) {
                    self.owners.remove(account);
                }
                *answer == Done
            }
            CacheAsk::Renew { terms, .. } if *terms != Times::default().lease_terms() => {
                *answer == CacheAnswer::OtherTerms(Times::default().lease_terms())
            }
            CacheAsk::Renew { server, .. } => {
                self.leases.insert(*server);
                *answer == CacheAnswer::Renewed { generation: NOW }
            }
            CacheAsk::Recall { used, last } => {
                self.payloads.extend(used.iter().take(RECALL_MAX));
                self.forgot_payloads &= !(*last && used.len() <= RECALL_MAX);
                *answer == Done
            }
            CacheAsk::Reassert { server, generation, held } => {
                if *generation != NOW || !self.leases.contains(server) {
                    return *answer == CacheAnswer::NotYet;
                }
                let CacheAnswer::Reasserted(accounts) = answer else { return false };
                let known = held.iter().take(REASSERT_MAX);
                accounts.len() == known.len()
                    && known.zip(accounts).all(|((asked, _), (account, version))| {
                        let owner = self.owners.get(account).map(|(owner, _)| *owner);
                        asked == account
                            && match version {
                                None => owner.is_some_and(|owner| owner != *server),
                                Some(version) => {
                                    owner.is_none_or(|owner| owner == *server)
                                        && self.own(*account, *server, *version)
                                }
                            }
                    })
            }
            CacheAsk::Resign { server } => {
                self.lease_ended(*server);
                *answer == Done
            }
        }
    }

    /// Who may be granted an account: who comes to the right server, in time, alone, with its newest token,
    /// while no other server owns it.
    fn redeem(
        &mut self,
        key: RoomKey,
        by: (ServerId, CallId),
        generation: Generation,
        answer: &CacheAnswer,
    ) -> bool {
        if self.in_grace || generation != NOW || !self.leases.contains(&by.0) {
            return *answer == CacheAnswer::NotYet;
        }
        let Some(at) = self.tokens.iter().position(|token| token.key == key) else {
            return *answer == CacheAnswer::Refused(Refusal::TokenUnknown);
        };
        let token = &mut self.tokens[at];
        let refusal = if token.place.server != by.0 {
            Some(Refusal::TokenWrongServer)
        } else if token.expired {
            Some(Refusal::TokenExpired)
        } else if token.spent.is_some_and(|spent| spent != by) {
            Some(Refusal::TokenUsed)
        } else if token.nth < self.newest[&token.account] {
            Some(Refusal::Replaced)
        } else {
            None
        };
        if let Some(why) = refusal {
            return *answer == CacheAnswer::Refused(why);
        }
        token.spent = Some(by);
        let (account, room) = (token.account, token.place.room);
        match (self.owners.get(&account).copied(), answer) {
            (
                Some((owner, version)),
                CacheAnswer::Owned { account: a, room: r, owner: o, version: v, .. },
            ) if owner != by.0 => (account, room, owner, version) == (*a, *r, *o, *v),
            (owner, CacheAnswer::Granted(grant)) if owner.is_none_or(|(owner, _)| owner == by.0) => {
                (grant.account, grant.room, grant.previous) == (account, room, None)
                    && self.own(account, by.0, grant.version)
            }
            _ => false,
        }
    }

    /// A version is never given twice, and grows.
    fn own(&mut self, account: AccountId, server: ServerId, version: Version) -> bool {
        let grows = self.owners.values().all(|(_, older)| *older < version);
        self.owners.insert(account, (server, version));
        grows && version.generation == NOW
    }

    fn unspent(&self, account: AccountId, session: SessionKey) -> Option<(RoomKey, Place)> {
        let newest = self.newest.get(&account)?;
        let newest = self.tokens.iter().find(|token| token.nth == *newest)?;
        let fresh = newest.spent.is_none() && !newest.expired && newest.session == session;
        (fresh && self.leases.contains(&newest.place.server)).then_some((newest.key, newest.place))
    }

    fn lease_ended(&mut self, server: ServerId) {
        self.leases.remove(&server);
        self.owners.retain(|_, (owner, _)| *owner != server);
    }

    fn fired(&mut self, timer: Timer) {
        match timer {
            Timer::SessionEnd(key) => {
                self.sessions.remove(&key);
            }
            Timer::TokenEnd(key) => {
                let Some(at) = self.tokens.iter().position(|token| token.key == key) else { return };
                if self.tokens[at].spent.is_none() && !self.tokens[at].expired {
                    self.tokens[at].expired = true;
                } else {
                    self.tokens.remove(at);
                }
            }
            Timer::PayloadEnd(payload) => {
                self.payloads.remove(&payload);
            }
            Timer::ServerLease(server) => self.lease_ended(server),
            Timer::Grace => self.in_grace = false,
            Timer::PayloadGrace => self.forgot_payloads = false,
            _ => {}
        }
    }
}

/// Mostly questions that get far: about sessions of their own accounts, at the server of the token.
fn event(life: &mut Life<Cache>, model: &Model, draw: &mut Draw) -> Event {
    if draw.below(9) == 0 {
        let armed: Vec<Timer> = life.memory.armed.iter().copied().collect();
        if !armed.is_empty() {
            return Event::Fired(armed[draw.below(armed.len() as u64) as usize]);
        }
    }
    let mut ask = draw.cache_ask();
    if draw.below(20) == 0 {
        let used = (0..draw.below(20)).map(|n| Payload::new(secret(n as u8 % 7))).collect();
        ask = CacheAsk::Recall { used, last: draw.below(2) == 0 };
    }
    match &mut ask {
        CacheAsk::OpenSession { account, key, .. } if draw.below(8) > 0 => {
            *account = AccountId(u64::from(key.bits()[15]) % 3);
        }
        // Mostly the session's own account.
        CacheAsk::IssueToken { session, account, .. } if draw.below(8) > 0 => {
            *account = AccountId(u64::from(session.bits()[15]) % 3);
        }
        // Mostly by the server it was issued for, and what is owned is mostly released as owned.
        CacheAsk::Redeem { key, server, attempt, .. } if draw.below(4) > 0 => {
            if let Some(token) = model.tokens.iter().find(|token| token.key == *key) {
                *server = token.place.server;
                *attempt = token.spent.map_or(*attempt, |(_, spent)| spent);
            }
        }
        CacheAsk::Release { account, server, version } if draw.below(3) > 0 => {
            if let Some(owner) = model.owners.get(account) {
                (*server, *version) = *owner;
            }
        }
        _ => {}
    }
    let call = CallId { conn: ConnId(1), number: 1 };
    Event::Asked(Question { from: Asker(1), call, ask: Ask::Cache(ask) })
}

#[test]
fn answers_as_its_model_says() {
    let told = std::cell::RefCell::new(BTreeMap::<String, u32>::new());
    for in_grace in [false, true] {
        lives(|draws| {
            let mut life = Life::new(Kind::Cache, Cache::new(NOW, in_grace), Policy::STRICT);
            let mut model = Model { in_grace, forgot_payloads: in_grace, ..Model::default() };
            life.step(Event::Command(gatepass_core::role::Command::Start));
            for &draw in draws {
                let event = event(&mut life, &model, &mut Draw(draw));
                if let Event::Fired(timer) = event {
                    model.fired(timer);
                    life.step(event);
                    continue;
                }
                let Event::Asked(Question { ask: Ask::Cache(ask), .. }) = event.clone() else {
                    unreachable!()
                };
                let effects = life.step(event);
                let answer = effects.iter().find_map(|effect| match effect {
                    Effect::Answer { answer: Answer::Cache(answer), .. } => Some(answer),
                    _ => None,
                });
                let answer = answer.expect("every question is answered");
                assert!(model.takes(&ask, answer), "{ask:?} got {answer:?} in {:?}", life.role);
                let word: String = format!("{answer:?}").chars().take_while(|c| !"{[".contains(*c)).collect();
                *told.borrow_mut().entry(word.trim_end_matches(['(', ' ']).to_owned()).or_default() += 1;
            }
            let owners = (0..4).filter_map(|n| life.role.owner(AccountId(n))).collect::<Vec<_>>();
            assert_eq!(owners, model.owners.values().copied().collect::<Vec<_>>());
        });
    }
    // Every kind of answer was given, and more than once.
    let told = told.into_inner();
    for word in [
        "Done",
        "Session",
        "Issued",
        "Granted(Grant",
        "Owned",
        "NotYet",
        "Renewed",
        "OtherTerms(LeaseTerms",
        "Reasserted",
        "Refused(TokenExpired)",
        "Refused(TokenUsed)",
        "Refused(TokenUnknown)",
        "Refused(TokenWrongServer)",
        "Refused(Replaced)",
        "Refused(NoSession)",
        "Refused(SignatureReplayed)",
        "Refused(SignatureDoubtful)",
    ] {
        assert!(told.get(word).is_some_and(|times| *times > 5), "{word}: {told:?}");
    }
}
