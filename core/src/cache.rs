//! The cache as a role: sessions, room tokens, ownership of accounts, leases of servers.
//!
//! Each question is one atomic operation. On one machine this role *is* the cache.

use alloc::collections::{BTreeMap, BTreeSet};

use arrayvec::ArrayVec;

use crate::{
    ids::{AccountId, CallId, Generation, Ordinal, Payload, RoomKey, Seq, ServerId, SessionKey, Version},
    ledger::Fact,
    limits::{
        LeaseTerms, PAYLOADS_MAX, REASSERT_MAX, RECALL_MAX, SERVERS_MAX, SESSIONS_MAX, TOKENS_PER_ACCOUNT_MAX,
    },
    message::{Answer, Ask, CacheAnswer, CacheAsk, Grant, Place, Question},
    policy::Handover,
    refusal::Refusal,
    role::{Command, Cx, Effects, Event, Role, Step, Timer, Why},
};

/// The cache's memory. Only `generation` survives a loss of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cache {
    generation: Generation,
    /// Claims wait until every lease of the lost generation must have ended.
    in_grace: bool,
    /// The last ordinal drawn in this generation.
    count: u64,
    accounts: BTreeMap<AccountId, Account>,
    sessions: BTreeMap<SessionKey, AccountId>,
    /// Signed payloads that have been used.
    payloads: BTreeSet<Payload>,
    /// Others may have been used and forgotten: nothing signed is taken until those are too old.
    forgot_payloads: bool,
    tokens: BTreeMap<RoomKey, Token>,
    /// Per server the newest renewal its lease stands on. A server without a lease owns nothing.
    leases: BTreeMap<ServerId, u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Account {
    session: Option<SessionKey>,
    /// The login sequence of its newest token.
    newest: Seq,
    owner: Option<Owner>,
    /// Its tokens that are still remembered, oldest first.
    tokens: ArrayVec<RoomKey, TOKENS_PER_ACCOUNT_MAX>,
}

impl Account {
    fn is_idle(&self) -> bool {
        self.session.is_none() && self.owner.is_none() && self.tokens.is_empty()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Owner {
    server: ServerId,
    version: Version,
    seq: Seq,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Token {
    account: AccountId,
    session: SessionKey,
    seq: Seq,
    place: Place,
    state: TokenState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum TokenState {
    Fresh,
    Spent { server: ServerId, attempt: CallId },
    Expired,
}

impl Cache {
    /// An empty cache. `in_grace`: servers of an earlier generation may still hold sessions, so claims wait
    /// for one lease, and logins by what is signed for as long as an earlier one would have remembered it.
    #[must_use]
    pub const fn new(generation: Generation, in_grace: bool) -> Self {
        let mut cache = Self::forgetful(generation);
        (cache.in_grace, cache.forgot_payloads) = (in_grace, in_grace);
        cache
    }

    /// An empty cache after one whose servers are all gone, as where they share its process: claims need not wait, but
    /// whoever has seen a signed payload is still there.
    #[must_use]
    pub const fn forgetful(generation: Generation) -> Self {
        Self {
            generation,
            in_grace: false,
            count: 0,
            accounts: BTreeMap::new(),
            sessions: BTreeMap::new(),
            payloads: BTreeSet::new(),
            forgot_payloads: true,
            tokens: BTreeMap::new(),
            leases: BTreeMap::new(),
        }
    }

    /// The generation it lives in.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// The renewal a server's lease stands on, if it has one.
    #[must_use]
    pub fn lease(&self, server: ServerId) -> Option<u32> {
        self.leases.get(&server).copied()
    }

    /// Servers with a lease and the renewal each stands on.
    pub fn leases(&self) -> impl Iterator<Item = (ServerId, u32)> + '_ {
        self.leases.iter().map(|(server, number)| (*server, *number))
    }

    /// Whether it knows that this payload has been used.
    #[must_use]
    pub fn remembers(&self, payload: Payload) -> bool {
        self.payloads.contains(&payload)
    }

    /// Whether it takes nothing signed, since it does not know what an earlier one took.
    #[must_use]
    pub const fn doubts(&self) -> bool {
        self.forgot_payloads
    }

    /// Signed payloads that have been used, for a later life of the cache. None if some may have been forgotten.
    #[must_use]
    pub fn used_payloads(&self) -> Option<impl Iterator<Item = Payload> + '_> {
        (!self.forgot_payloads).then(|| self.payloads.iter().copied())
    }

    /// The owner of an account.
    #[must_use]
    pub fn owner(&self, account: AccountId) -> Option<(ServerId, Version)> {
        let owner = self.accounts.get(&account)?.owner?;
        Some((owner.server, owner.version))
    }

    /// How many sessions, tokens and servers it holds.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.sessions.len(), self.tokens.len(), self.leases.len())
    }

    fn draw(&mut self) -> Ordinal {
        self.count += 1;
        Ordinal { generation: self.generation, count: self.count }
    }

    fn open_session(
        &mut self,
        cx: &Cx<'_>,
        (account, key): (AccountId, SessionKey),
        payload: Option<Payload>,
        out: &mut Effects,
    ) -> CacheAnswer {
        match self.sessions.get(&key) {
            // The same question once more.
            Some(own) if *own == account => return CacheAnswer::Done,
            // Keys are random and new: whoever comes with somebody else's does not get it.
            Some(_) => return CacheAnswer::Refused(Refusal::Busy),
            None => {}
        }
        let payload = payload.filter(|_| cx.settings.policy.signature_remembered);
        if payload.is_some_and(|payload| self.payloads.contains(&payload)) {
            return CacheAnswer::Refused(Refusal::SignatureReplayed);
        }
        // It may have been used before the loss. No other one would do now: it is no use to try again at once.
        if payload.is_some() && self.forgot_payloads && cx.settings.policy.signature_grace_after_loss {
            return CacheAnswer::Refused(Refusal::SignatureDoubtful);
        }
        if payload.is_some() && self.payloads.len() >= PAYLOADS_MAX {
            return CacheAnswer::Refused(Refusal::Busy);
        }
        if cx.settings.policy.one_session {
            self.end_session_of(account, out);
        }
        if self.sessions.len() >= SESSIONS_MAX {
            return CacheAnswer::Refused(Refusal::Busy);
        }
        self.accounts.entry(account).or_default().session = Some(key);
        self.sessions.insert(key, account);
        if let Some(payload) = payload {
            self.payloads.insert(payload);
            out.arm(Timer::PayloadEnd(payload), cx.settings.times.payload_memory());
        }
        out.arm(Timer::SessionEnd(key), cx.settings.times.session);
        out.note(Fact::SessionOpened { key, account });
        CacheAnswer::Done
    }

    fn end_session_of(&mut self, account: AccountId, out: &mut Effects) {
        let Some(key) = self.accounts.get_mut(&account).and_then(|account| account.session.take()) else {
            return;
        };
        self.sessions.remove(&key);
        out.disarm(Timer::SessionEnd(key));
        out.note(Fact::SessionEnded { key });
        self.forget_if_idle(account);
    }

    fn find_session(&self, key: SessionKey) -> CacheAnswer {
        let account = self.sessions.get(&key);
        account.map_or(CacheAnswer::Refused(Refusal::NoSession), |account| CacheAnswer::Session {
            account: *account,
        })
    }

    /// The account's newest token, if this session asked for it and it can still be redeemed.
    fn unspent(&self, cx: &Cx<'_>, account: AccountId, session: SessionKey) -> Option<(RoomKey, Place)> {
        let record = self.accounts.get(&account)?;
        let key = *record.tokens.last()?;
        let token = self.tokens.get(&key)?;
        let usable = token.session == session
            && token.seq == record.newest
            && (token.state == TokenState::Fresh
                || token.state == TokenState::Expired && !cx.settings.policy.expiry_is_final)
            && self.leases.contains_key(&token.place.server);
        usable.then_some((key, token.place))
    }

    fn issue_token(
        &mut self,
        cx: &Cx<'_>,
        (session, account): (SessionKey, AccountId),
        key: RoomKey,
        place: Place,
        out: &mut Effects,
    ) -> CacheAnswer {
        let policy = &cx.settings.policy;
        if policy.session_checked_at_issue && self.sessions.get(&session) != Some(&account) {
            return CacheAnswer::Refused(Refusal::NoSession);
        }
        // A reply was lost, or two requests crossed: the session gets the token that was issued first, unless
        // its player is sent to another server by now, since the first is draining or gone.
        if policy.token_reissued
            && let Some((key, issued)) = self.unspent(cx, account, session)
            && issued.server == place.server
        {
            if let Some(token) = self.tokens.get_mut(&key) {
                token.state = TokenState::Fresh;
            }
            return CacheAnswer::Issued { key, place: issued };
        }
        // It could not let the player in.
        if policy.lease_required && !self.leases.contains_key(&place.server) {
            return CacheAnswer::Refused(Refusal::NoRoom);
        }
        // Keys are random and new: this one is asked for once more, after it was spent.
        if self.tokens.contains_key(&key) {
            return CacheAnswer::Refused(Refusal::TokenUsed);
        }
        let seq = self.draw();
        let record = self.accounts.entry(account).or_default();
        record.newest = seq;
        if record.tokens.is_full()
            && let Some(oldest) = record.tokens.pop_at(0)
        {
            self.tokens.remove(&oldest);
            out.disarm(Timer::TokenEnd(oldest));
        }
        if policy.newest_login_only {
            let fresh =
                |key: &&RoomKey| self.tokens.get(*key).is_some_and(|token| token.state == TokenState::Fresh);
            for &key in record.tokens.iter().filter(fresh) {
                out.note(Fact::TokenSuperseded { key });
            }
        }
        record.tokens.push(key);
        self.tokens.insert(key, Token { account, session, seq, place, state: TokenState::Fresh });
        out.arm(Timer::TokenEnd(key), cx.settings.times.token);
        out.note(Fact::TokenIssued { key, session, account, seq, place });
        CacheAnswer::Issued { key, place }
    }

    fn redeem(
        &mut self,
        cx: &Cx<'_>,
        key: RoomKey,
        (server, attempt): (ServerId, CallId),
        generation: Generation,
        out: &mut Effects,
    ) -> CacheAnswer {
        let policy = &cx.settings.policy;
        if policy.lease_required
            && (self.in_grace
                || policy.generation_checked && generation != self.generation
                || !self.leases.contains_key(&server))
        {
            return CacheAnswer::NotYet;
        }
        let Some(token) = self.tokens.get_mut(&key) else {
            return CacheAnswer::Refused(Refusal::TokenUnknown);
        };
        if policy.token_bound_to_server && token.place.server != server {
            return CacheAnswer::Refused(Refusal::TokenWrongServer);
        }
        let by_me = TokenState::Spent { server, attempt };
        match token.state {
            TokenState::Expired if policy.token_expires => {
                return CacheAnswer::Refused(Refusal::TokenExpired);
            }
            TokenState::Spent { .. } if token.state != by_me && policy.token_single_use => {
                return CacheAnswer::Refused(Refusal::TokenUsed);
            }
            _ => {}
        }
        let (account, seq, room) = (token.account, token.seq, token.place.room);
        let first = token.state != by_me;
        let Some(record) = self.accounts.get(&account) else {
            return CacheAnswer::Refused(Refusal::TokenUnknown);
        };
        if policy.newest_login_only && seq < record.newest {
            return CacheAnswer::Refused(Refusal::Replaced);
        }
        if first {
            token.state = by_me;
            out.arm(Timer::TokenEnd(key), cx.settings.times.token_memory);
            out.note(Fact::TokenRedeemed { key, server });
        }
        let previous = record.owner.filter(|owner| owner.server != server);
        if let Some(owner) = previous
            && policy.handover == Handover::BeforeAdmission
        {
            return CacheAnswer::Owned { account, seq, room, owner: owner.server, version: owner.version };
        }
        let version = self.draw();
        if policy.redeem_claims {
            self.accounts.entry(account).or_default().owner = Some(Owner { server, version, seq });
        }
        let previous = previous.map(|owner| (owner.server, owner.version));
        CacheAnswer::Granted(Grant { account, seq, room, version, previous })
    }

    fn release(&mut self, cx: &Cx<'_>, account: AccountId, server: ServerId, version: Version) -> bool {
        let Some(record) = self.accounts.get_mut(&account) else { return false };
        let named = record.owner.is_some_and(|owner| owner.server == server && owner.version == version);
        if !named && cx.settings.policy.release_compares {
            return false;
        }
        let freed = record.owner.take().is_some();
        self.forget_if_idle(account);
        freed
    }

    fn renew(
        &mut self,
        cx: &Cx<'_>,
        server: ServerId,
        (number, terms): (u32, LeaseTerms),
        out: &mut Effects,
    ) -> CacheAnswer {
        let own = cx.settings.times.lease_terms();
        if terms != own {
            out.note(Fact::OtherTerms { server, theirs: terms });
            return CacheAnswer::OtherTerms(own);
        }
        if self.leases.len() >= SERVERS_MAX && !self.leases.contains_key(&server) {
            return CacheAnswer::Refused(Refusal::Busy);
        }
        let newest = self.leases.entry(server).or_insert(number);
        // A renewal that was overtaken by a later one must not stand for more than that one.
        if number >= *newest {
            *newest = number;
            if cx.settings.policy.leases_expire {
                out.arm(Timer::ServerLease(server), cx.settings.times.lease);
            }
        }
        CacheAnswer::Renewed { generation: self.generation }
    }

    fn reassert(
        &mut self,
        server: ServerId,
        generation: Generation,
        held: &[(AccountId, Seq)],
    ) -> CacheAnswer {
        if generation != self.generation || !self.leases.contains_key(&server) {
            return CacheAnswer::NotYet;
        }
        let mut reassert_one = |account: AccountId, seq: Seq| {
            let owner = self.accounts.get(&account).and_then(|record| record.owner);
            if owner.is_some_and(|owner| owner.server != server) {
                return None;
            }
            let version = self.draw();
            let record = self.accounts.entry(account).or_default();
            record.owner = Some(Owner { server, version, seq });
            Some(version)
        };
        let held = held.iter().take(REASSERT_MAX);
        CacheAnswer::Reasserted(held.map(|&(account, seq)| (account, reassert_one(account, seq))).collect())
    }

    /// Ends a lease, and with it everything the server owned.
    fn end_lease(&mut self, server: ServerId) -> bool {
        if self.leases.remove(&server).is_none() {
            return false;
        }
        self.accounts.retain(|_, account| {
            if account.owner.is_some_and(|owner| owner.server == server) {
                account.owner = None;
            }
            !account.is_idle()
        });
        true
    }

    fn token_ended(&mut self, cx: &Cx<'_>, key: RoomKey, out: &mut Effects) -> Step {
        let Some(token) = self.tokens.get_mut(&key) else { return Step::Ignored(Why::Stale) };
        if token.state == TokenState::Fresh {
            token.state = TokenState::Expired;
            out.arm(Timer::TokenEnd(key), cx.settings.times.token_memory);
            out.note(Fact::TokenExpired { key, unused: true });
            return Step::Advanced;
        }
        let account = token.account;
        self.tokens.remove(&key);
        if let Some(record) = self.accounts.get_mut(&account) {
            record.tokens.retain(|held| *held != key);
        }
        self.forget_if_idle(account);
        Step::Advanced
    }

    fn forget_if_idle(&mut self, account: AccountId) {
        if self.accounts.get(&account).is_some_and(Account::is_idle) {
            self.accounts.remove(&account);
        }
    }

    fn asked(&mut self, cx: &Cx<'_>, ask: CacheAsk, out: &mut Effects) -> CacheAnswer {
        match ask {
            CacheAsk::OpenSession { account, key, payload } => {
                self.open_session(cx, (account, key), payload, out)
            }
            CacheAsk::FindSession { key } => self.find_session(key),
            CacheAsk::IssueToken { session, account, key, place } => {
                self.issue_token(cx, (session, account), key, place, out)
            }
            CacheAsk::RevokeSession { account } => {
                self.end_session_of(account, out);
                CacheAnswer::Done
            }
            CacheAsk::Redeem { key, server, attempt, generation } => {
                let answer = self.redeem(cx, key, (server, attempt), generation, out);
                if let CacheAnswer::Refused(why) = answer {
                    out.note(Fact::TokenRefused { key, server, why });
                }
                answer
            }
            CacheAsk::Recall { used, last } => {
                let told = if cx.settings.policy.signature_recalled { &used[..] } else { &[] };
                for payload in told.iter().take(RECALL_MAX) {
                    if self.payloads.len() < PAYLOADS_MAX && self.payloads.insert(*payload) {
                        // When it was used is not known any more; now is the latest it can have been.
                        out.arm(Timer::PayloadEnd(*payload), cx.settings.times.payload_memory());
                    }
                }
                let whole = last && used.len() <= RECALL_MAX && self.payloads.len() < PAYLOADS_MAX;
                if whole && core::mem::take(&mut self.forgot_payloads) {
                    out.disarm(Timer::PayloadGrace);
                }
                CacheAnswer::Done
            }
            CacheAsk::Claim { account, server, seq } => {
                if cx.settings.policy.redeem_claims {
                    return CacheAnswer::Refused(Refusal::Malformed);
                }
                let version = self.draw();
                self.accounts.entry(account).or_default().owner = Some(Owner { server, version, seq });
                CacheAnswer::Done
            }
            CacheAsk::Release { account, server, version } => {
                if !self.release(cx, account, server, version) {
                    out.note(Fact::Fencing);
                }
                CacheAnswer::Done
            }
            CacheAsk::Renew { server, number, terms } => self.renew(cx, server, (number, terms), out),
            CacheAsk::Reassert { server, generation, held } => self.reassert(server, generation, &held),
            CacheAsk::Resign { server } => {
                if self.end_lease(server) {
                    out.disarm(Timer::ServerLease(server));
                }
                CacheAnswer::Done
            }
        }
    }
}

impl Role for Cache {
    fn phase(&self, _: &Event) -> &'static str {
        if self.in_grace { "grace" } else { "open" }
    }

    fn step(&mut self, cx: &mut Cx<'_>, event: Event, out: &mut Effects) -> Step {
        match event {
            Event::Asked(Question { from, call, ask: Ask::Cache(ask) }) => {
                let answer = Answer::Cache(self.asked(cx, ask, out));
                out.answer(from, call, answer);
                Step::Advanced
            }
            Event::Command(Command::Start) if self.in_grace || self.forgot_payloads => {
                if self.in_grace {
                    out.arm(Timer::Grace, cx.settings.times.lease);
                }
                if self.forgot_payloads {
                    out.arm(Timer::PayloadGrace, cx.settings.times.payload_memory());
                }
                Step::Advanced
            }
            Event::Fired(Timer::SessionEnd(key)) => {
                let Some(account) = self.sessions.remove(&key) else { return Step::Ignored(Why::Stale) };
                if let Some(record) = self.accounts.get_mut(&account)
                    && record.session == Some(key)
                {
                    record.session = None;
                }
                self.forget_if_idle(account);
                out.note(Fact::SessionEnded { key });
                Step::Advanced
            }
            Event::Fired(Timer::TokenEnd(key)) => self.token_ended(cx, key, out),
            Event::Fired(Timer::PayloadEnd(payload)) if self.payloads.remove(&payload) => Step::Advanced,
            Event::Fired(Timer::ServerLease(server)) if self.end_lease(server) => Step::Advanced,
            Event::Fired(Timer::Grace) if self.in_grace => {
                self.in_grace = false;
                out.note(Fact::GraceEnded);
                Step::Advanced
            }
            Event::Fired(Timer::PayloadGrace) if self.forgot_payloads => {
                self.forgot_payloads = false;
                Step::Advanced
            }
            _ => Step::Ignored(Why::Unexpected),
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        let linked = |key: &RoomKey, token: &Token| {
            self.accounts.get(&token.account).is_some_and(|account| account.tokens.contains(key))
        };
        if !self.tokens.iter().all(|(key, token)| linked(key, token)) {
            return Err("every token is on its account's list");
        }
        if self.accounts.values().any(Account::is_idle) {
            return Err("no account is remembered for nothing");
        }
        Ok(())
    }
}
