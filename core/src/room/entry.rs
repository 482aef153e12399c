//! From the first message to admission.

use super::{Conn, Entry, Held, Phase, RoomServer, may_resume};
use crate::{
    ids::{CallId, ConnId, RoomKey, Seq},
    ledger::{Ended, Fact},
    limits::ROOMS_MAX,
    message::{
        AccountsAnswer, AccountsAsk, Answer, Ask, CacheAnswer, CacheAsk, Grant, Kick, Message, ToCenter,
        ToPlayer,
    },
    policy::{Conflict, Handover},
    refusal::Refusal,
    role::{Cx, Effect, Effects, Outage, Step, Timer, Why},
    text::Nickname,
};

impl RoomServer {
    /// `MsgLogin`.
    pub(super) fn login(
        &mut self,
        cx: &Cx<'_>,
        conn: ConnId,
        name: Nickname,
        key: Option<RoomKey>,
        out: &mut Effects,
    ) -> Step {
        if let Some(entry) = self.conns.get_mut(&conn).and_then(|state| state.residue.take()) {
            return self.enter_on_residue(cx, conn, entry, out);
        }
        let key = match key {
            Some(key) => key,
            // What the original does with it: the first player of a room left an entry under the empty key.
            None if !cx.settings.policy.empty_key_refused => {
                match self.keys.iter().min_by_key(|(_, conn)| **conn) {
                    // The oldest connection's: which key is the least in value must not matter to anybody.
                    Some((key, _)) => *key,
                    None => return self.refuse(cx, conn, Refusal::TokenUnknown, out),
                }
            }
            None => return self.refuse(cx, conn, Refusal::TokenUnknown, out),
        };
        if self.draining {
            return self.refuse(cx, conn, Refusal::Draining, out);
        }
        if let Some(&old) = self.keys.get(&key) {
            return self.resume(cx, conn, old, key, name, out);
        }
        let Some(state) = self.conns.get_mut(&conn) else { return Step::Ignored(Why::Stale) };
        self.keys.insert(key, conn);
        state.name = name;
        state.key = Some(key);
        state.phase = Phase::Redeeming;
        state.attempt = state.call + 1;
        self.ask_cache(cx, conn, out);
        Step::Advanced
    }

    /// What the original does after a lookup that failed: the connection keeps the identity, and the next login
    /// on it needs no token.
    fn enter_on_residue(&mut self, cx: &Cx<'_>, conn: ConnId, entry: Entry, out: &mut Effects) -> Step {
        let Some(state) = self.conns.get_mut(&conn) else { return Step::Ignored(Why::Stale) };
        state.phase = Phase::LookingUp(entry);
        let Entry { account, seq, room, .. } = entry;
        let version = self.released;
        let held = self.held.entry(account).or_insert(Held { version, seq, live: None, entering: 0 });
        held.entering += 1;
        *self.rooms.entry(room).or_insert(0) += 1;
        self.ask_profile(cx, conn, out);
        Step::Advanced
    }

    /// Moves a live session to a new connection that knows its token.
    fn resume(
        &mut self,
        cx: &Cx<'_>,
        conn: ConnId,
        old: ConnId,
        key: RoomKey,
        name: Nickname,
        out: &mut Effects,
    ) -> Step {
        let (Some(before), Some(state)) = (self.conns.get(&old), self.conns.get(&conn)) else {
            return Step::Ignored(Why::Stale);
        };
        let entry = match before.phase {
            Phase::Live(entry) if may_resume(cx, before.addr, state.addr) => entry,
            // Somebody else's session, or another connection is on its way in with this very token.
            _ => return self.refuse(cx, conn, Refusal::TokenUsed, out),
        };
        self.conns.remove(&old);
        out.disarm(Timer::Idle(old));
        out.note(Fact::Left { server: self.id, conn: old, account: entry.account, why: Ended::Resumed });
        out.send(old, Message::ToPlayer(ToPlayer::Refused(Refusal::Replaced)));
        out.push(Effect::Close(old));
        if let Some(state) = self.conns.get_mut(&conn) {
            state.name = name;
            state.key = Some(key);
        }
        self.enter(cx, conn, Entry { bound: false, ..entry }, Some(old), out);
        Step::Advanced
    }

    /// Redeems the connection's token, for the first time or again.
    pub(super) fn ask_cache(&mut self, cx: &Cx<'_>, conn: ConnId, out: &mut Effects) {
        let (server, generation) = (self.id, self.lease.generation());
        let Some(state) = self.conns.get_mut(&conn) else { return };
        let Some(key) = state.key else { return };
        let attempt = CallId { conn, number: state.attempt };
        let call = next_call(conn, state);
        let ask = CacheAsk::Redeem { key, server, attempt, generation };
        out.push(Effect::Ask { call, ask: Ask::Cache(ask) });
        out.arm(Timer::Retry(conn), cx.settings.times.retry);
    }

    fn ask_profile(&mut self, cx: &Cx<'_>, conn: ConnId, out: &mut Effects) {
        let Some(state) = self.conns.get_mut(&conn) else { return };
        let Phase::LookingUp(Entry { account, .. }) = state.phase else { return };
        let call = next_call(conn, state);
        out.push(Effect::Ask { call, ask: Ask::Accounts(AccountsAsk::Profile { account }) });
        out.arm(Timer::Retry(conn), cx.settings.times.retry);
    }

    fn ask_kick(&self, conn: ConnId, out: &mut Effects) {
        let Some(state) = self.conns.get(&conn) else { return };
        let Phase::Waiting { account, seq, owner, version, .. } = state.phase else { return };
        let kick = Kick { from: self.id, owner, account, below: seq, version };
        out.push(Effect::ToCenter(Message::ToCenter(ToCenter::Kick(kick))));
    }

    /// Time to ask again, whatever the connection waits for.
    pub(super) fn retry(&mut self, cx: &Cx<'_>, conn: ConnId, out: &mut Effects) -> Step {
        let Some(state) = self.conns.get(&conn) else { return Step::Ignored(Why::Stale) };
        match state.phase {
            Phase::Redeeming => self.ask_cache(cx, conn, out),
            Phase::Waiting { .. } => {
                self.ask_kick(conn, out);
                self.ask_cache(cx, conn, out);
            }
            Phase::LookingUp(_) => self.ask_profile(cx, conn, out),
            Phase::Unverified | Phase::Live(_) => return Step::Ignored(Why::Stale),
        }
        Step::Advanced
    }

    /// The bound of every wait before admission.
    pub(super) fn too_slow(&mut self, cx: &Cx<'_>, conn: ConnId, out: &mut Effects) -> Step {
        let Some(state) = self.conns.get(&conn) else { return Step::Ignored(Why::Stale) };
        let why = match state.phase {
            Phase::Live(_) => return Step::Ignored(Why::Stale),
            Phase::Unverified => Refusal::TooSlow,
            Phase::Waiting { .. } => Refusal::Busy,
            Phase::Redeeming | Phase::LookingUp(_) => Refusal::Unavailable,
        };
        let step = self.refuse(cx, conn, why, out);
        // Where a refusal does not close, this one does: the time is over.
        if self.leave(cx, conn, Ended::Lost, out) {
            out.push(Effect::Close(conn));
        }
        step
    }

    /// Whether a connection waits for the answer to this call. If it does not, it never will again: numbers of calls
    /// only grow.
    #[must_use]
    pub fn waits_for(&self, call: CallId) -> bool {
        self.conns.get(&call.conn).is_some_and(|state| state.asking && state.call == call.number)
    }

    pub(super) fn answered(
        &mut self,
        cx: &Cx<'_>,
        call: CallId,
        answer: Result<Answer, Outage>,
        out: &mut Effects,
    ) -> Step {
        let any_call = !cx.settings.policy.calls_matched && call.number != 0;
        let asks = self.conns.get(&call.conn).is_some_and(|state| state.asking);
        if !(self.waits_for(call) || asks && any_call) {
            return self.late(call, answer, out);
        }
        let conn = call.conn;
        let Some(state) = self.conns.get_mut(&conn) else { return Step::Ignored(Why::Stale) };
        state.asking = false;
        match (state.phase, answer) {
            // The original does not ask twice: it refuses, and keeps the connection.
            (Phase::LookingUp(_), Err(_)) if !cx.settings.policy.refusal_closes => {
                self.refuse(cx, conn, Refusal::Unavailable, out)
            }
            // The retry timer is armed: that is when it is asked again.
            (_, Err(_)) => Step::Advanced,
            (Phase::Redeeming | Phase::Waiting { .. }, Ok(Answer::Cache(answer))) => {
                self.redeemed(cx, conn, answer, out)
            }
            (Phase::LookingUp(entry), Ok(Answer::Accounts(answer))) => match answer {
                AccountsAnswer::Profile => self.admit(cx, conn, entry, out),
                AccountsAnswer::Refused(why) => self.refuse(cx, conn, why, out),
                AccountsAnswer::Verified { .. } | AccountsAnswer::Done => Step::Advanced,
            },
            _ => Step::Advanced,
        }
    }

    /// An answer that nobody waits for. A grant in it is given back: it admits nobody.
    fn late(&mut self, call: CallId, answer: Result<Answer, Outage>, out: &mut Effects) -> Step {
        let Ok(Answer::Cache(CacheAnswer::Granted(grant))) = answer else { return Step::Ignored(Why::Stale) };
        if grant.version <= self.released {
            return Step::Ignored(Why::Stale);
        }
        let asked_again = self.conns.get(&call.conn).is_some_and(|state| state.asking);
        match self.held.get_mut(&grant.account) {
            Some(held) => held.version = held.version.max(grant.version),
            // The newer call of the same connection will be answered with a newer version of the same grant.
            None if asked_again => return Step::Ignored(Why::Stale),
            None => self.release(grant.account, grant.version, call.conn, out),
        }
        out.note(Fact::Fencing);
        Step::Advanced
    }

    fn redeemed(&mut self, cx: &Cx<'_>, conn: ConnId, answer: CacheAnswer, out: &mut Effects) -> Step {
        match answer {
            CacheAnswer::Granted(grant) => self.granted(cx, conn, grant, out),
            CacheAnswer::Owned { account, seq, room, owner, version } => {
                let Some(state) = self.conns.get_mut(&conn) else { return Step::Ignored(Why::Stale) };
                let phase = Phase::Waiting { account, seq, room, owner, version };
                let known = state.phase == phase;
                state.phase = phase;
                state.waited = true;
                // An owner that was asked already is asked again when it is time to, not at once: else two
                // servers could keep each other busy while a release is on its way.
                if !known {
                    self.ask_kick(conn, out);
                }
                Step::Advanced
            }
            CacheAnswer::Refused(why) => {
                let waiting =
                    self.conns.get(&conn).is_some_and(|state| matches!(state.phase, Phase::Waiting { .. }));
                // The token was good when it began to wait: only a newer login can have taken it away.
                let why = if waiting && why == Refusal::TokenUnknown { Refusal::Replaced } else { why };
                self.refuse(cx, conn, why, out)
            }
            // Not yet, or nothing that answers this question: the retry timer asks again.
            _ => Step::Advanced,
        }
    }

    fn granted(&mut self, cx: &Cx<'_>, conn: ConnId, grant: Grant, out: &mut Effects) -> Step {
        let policy = &cx.settings.policy;
        let of_now = grant.version.generation == self.lease.generation() && !self.lease.is_reasserting();
        if policy.generation_checked && !of_now && policy.lease_required
            || policy.late_grant_is_void && grant.version <= self.released
        {
            // Overtaken by a loss of the cache or by a release of our own: the retry timer asks again.
            out.note(Fact::Fencing);
            return Step::Advanced;
        }
        let Grant { account, seq, room, version, previous } = grant;
        let held = self.held.entry(account).or_insert(Held { version, seq, live: None, entering: 0 });
        held.version = held.version.max(version);
        held.seq = held.seq.max(seq);
        let players = self.rooms.get(&room).copied().unwrap_or(0);
        let older = held.live.and_then(|live| self.conns.get(&live)).and_then(|state| match state.phase {
            Phase::Live(entry) if entry.seq < seq => Some(entry.room),
            _ => None,
        });
        let own_older = older.is_some();
        // A player who takes over his own place needs no second one.
        let own = older == Some(room);
        let full = players >= cx.settings.capacity.room && !own
            || players == 0 && self.rooms.len() >= ROOMS_MAX
            || players == u16::MAX;
        if full && policy.capacity_enforced {
            let step = self.refuse(cx, conn, Refusal::RoomFull, out);
            self.release_if_idle(account, conn, out);
            return step;
        }
        if let Some((owner, version)) = previous
            && policy.handover == Handover::AfterAdmission
        {
            let kick = Kick { from: self.id, owner, account, below: seq, version };
            out.push(Effect::ToCenter(Message::ToCenter(ToCenter::Kick(kick))));
        }
        if let Some(held) = self.held.get_mut(&account) {
            held.entering += 1;
        }
        *self.rooms.entry(room).or_insert(0) += 1;
        if let Some(state) = self.conns.get_mut(&conn) {
            state.phase = Phase::LookingUp(Entry { account, seq, room, bound: false });
        }
        if !policy.local_takeover_atomic && own_older && policy.conflict != Conflict::KeepBoth {
            self.replace(cx, account_live(self, account), seq, out);
        }
        self.ask_profile(cx, conn, out);
        Step::Advanced
    }

    /// What the flaw of trusting a confirmation does: the account is taken without asking the cache.
    pub(super) fn trust(&mut self, cx: &Cx<'_>, conn: ConnId, out: &mut Effects) -> Step {
        let Some(state) = self.conns.get(&conn) else { return Step::Ignored(Why::Stale) };
        let Phase::Waiting { account, seq, room, version, .. } = state.phase else {
            return Step::Ignored(Why::Stale);
        };
        self.granted(cx, conn, Grant { account, seq, room, version, previous: None }, out)
    }

    /// Everything is answered: the connection becomes the account's live one, unless a newer login is.
    fn admit(&mut self, cx: &Cx<'_>, conn: ConnId, entry: Entry, out: &mut Effects) -> Step {
        if cx.settings.policy.local_takeover_atomic {
            let live = account_live(self, entry.account);
            let newer = live
                .and_then(|live| self.conns.get(&live))
                .is_some_and(|state| matches!(state.phase, Phase::Live(other) if other.seq >= entry.seq));
            if newer && cx.settings.policy.newest_login_only {
                return self.refuse(cx, conn, Refusal::Replaced, out);
            }
            if live.is_some() && cx.settings.policy.conflict == Conflict::RejectNew {
                return self.refuse(cx, conn, Refusal::Conflict, out);
            }
            if cx.settings.policy.conflict != Conflict::KeepBoth {
                self.replace(cx, live, entry.seq, out);
            }
        }
        self.enter(cx, conn, entry, None, out);
        Step::Advanced
    }

    /// Tells a session that a newer login takes its place, and ends it.
    pub(super) fn replace(&mut self, cx: &Cx<'_>, old: Option<ConnId>, by: Seq, out: &mut Effects) {
        let Some(old) = old else { return };
        out.send(old, Message::ToPlayer(ToPlayer::Refused(Refusal::Replaced)));
        self.leave(cx, old, Ended::Replaced { by }, out);
        out.push(Effect::Close(old));
    }

    fn enter(&mut self, cx: &Cx<'_>, conn: ConnId, entry: Entry, resumes: Option<ConnId>, out: &mut Effects) {
        let Some(state) = self.conns.get_mut(&conn) else { return };
        let was_entering = matches!(state.phase, Phase::LookingUp(_));
        state.phase = Phase::Live(entry);
        let (name, key, handed_over) = (state.name, state.key, state.waited);
        if let Some(key) = key {
            self.keys.insert(key, conn);
        }
        if let Some(held) = self.held.get_mut(&entry.account) {
            held.live = Some(conn);
            held.entering -= u16::from(was_entering);
        }
        super::disarm_entry(conn, out);
        out.arm(Timer::Idle(conn), cx.settings.times.idle);
        let Entry { account, seq, room, .. } = entry;
        out.note(Fact::Admitted { server: self.id, conn, account, seq, key, room, resumes, handed_over });
        out.send(conn, Message::ToPlayer(ToPlayer::Admitted { account, room, name }));
        let players = self.rooms.get(&room).copied().unwrap_or(0);
        self.report(room, players, Some(account), out);
        let call = CallId::unanswered(conn);
        if !cx.settings.policy.redeem_claims {
            let claim = CacheAsk::Claim { account, server: self.id, seq };
            out.push(Effect::Ask { call, ask: Ask::Cache(claim) });
        }
        out.push(Effect::Ask { call, ask: Ask::Accounts(AccountsAsk::Played { account }) });
    }
}

fn account_live(server: &RoomServer, account: crate::ids::AccountId) -> Option<ConnId> {
    server.held.get(&account)?.live
}

fn next_call(conn: ConnId, state: &mut Conn) -> CallId {
    state.call += 1;
    state.asking = true;
    CallId { conn, number: state.call }
}
