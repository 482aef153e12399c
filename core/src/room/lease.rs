//! The right to hold sessions: a lease in the cache, counted from when its renewal was sent, less a margin.
//!
//! After a cache loss the server reasserts what it holds, some accounts at a time, while its old lease lasts.
//! The new lease counts only when all of it is reasserted: what is not, ends with the old one.

use alloc::boxed::Box;
use core::{ops::Bound, time::Duration};

use super::RoomServer;
use crate::{
    ids::{AccountId, CallId, ConnId, Generation, Seq, Version},
    ledger::{Ended, Fact},
    limits::{KICKED_MAX, REASSERT_MAX},
    message::{Answer, Ask, CacheAnswer, CacheAsk, Message, ToCenter, ToPlayer},
    refusal::Refusal,
    role::{Cx, Effect, Effects, Outage, Step, Timer, Why},
};

/// A server's lease. Renewal 0 means none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Lease {
    generation: Generation,
    /// The last renewal sent.
    sent: u32,
    /// Its answer is awaited.
    pending: bool,
    /// The renewal that the lease in force stands on.
    current: u32,
    reasserting: Option<Reasserting>,
    /// The last call of the server's own business.
    call: u32,
}

/// Progress after a cache loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Reasserting {
    /// The renewal under the new generation.
    number: u32,
    /// The first account asked for.
    account: AccountId,
}

impl Lease {
    /// The newest generation it has heard of.
    pub(super) const fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether the lease is in force.
    pub(super) fn held(&self, cx: &Cx<'_>) -> bool {
        self.current != 0 || !cx.settings.policy.lease_required
    }

    /// Whether sessions are being reasserted.
    pub(super) const fn is_reasserting(&self) -> bool {
        self.reasserting.is_some()
    }

    /// Whether there is one to give back.
    pub(super) const fn is_in_force(&self) -> bool {
        self.current != 0
    }

    /// Whether one was ever asked for.
    pub(super) const fn is_wanted(&self) -> bool {
        self.sent != 0
    }

    /// Gives it up.
    pub(super) fn end(&mut self, out: &mut Effects) {
        out.disarm(Timer::LeaseEnd(self.current));
        out.disarm(Timer::LeaseEnd(self.sent));
        self.pending = false;
        self.current = 0;
        self.reasserting = None;
    }

    fn adopt(&mut self, number: u32, out: &mut Effects) {
        if self.current != number {
            out.disarm(Timer::LeaseEnd(self.current));
        }
        self.current = number;
        self.reasserting = None;
    }

    fn next_call(&mut self) -> CallId {
        self.call += 1;
        CallId { conn: ConnId::default(), number: self.call }
    }
}

impl RoomServer {
    pub(super) fn start(&mut self, cx: &Cx<'_>, out: &mut Effects) -> Step {
        if self.lease.is_wanted() || self.ended || !cx.settings.policy.lease_required {
            return Step::Ignored(Why::Unexpected);
        }
        self.renew(cx, out)
    }

    /// Sends a renewal, or asks again for what is being reasserted.
    pub(super) fn renew(&mut self, cx: &Cx<'_>, out: &mut Effects) -> Step {
        let times = &cx.settings.times;
        if let Some(Reasserting { account, .. }) = self.lease.reasserting {
            out.arm(Timer::Renew, times.retry);
            self.reassert(Bound::Included(account), out);
            return Step::Advanced;
        }
        if self.lease.pending {
            // The older renewal is void: its answer will not count.
            out.disarm(Timer::LeaseEnd(self.lease.sent));
        }
        self.lease.sent += 1;
        self.lease.pending = true;
        let number = self.lease.sent;
        let call = self.lease.next_call();
        let length: Duration = times.lease.saturating_sub(times.lease_margin);
        out.arm(Timer::LeaseEnd(number), length);
        out.arm(Timer::Renew, if self.lease.current == 0 { times.retry } else { times.renew });
        let ask = CacheAsk::Renew { server: self.id, number, terms: times.lease_terms() };
        out.push(Effect::Ask { call, ask: Ask::Cache(ask) });
        Step::Advanced
    }

    pub(super) fn lease_answered(
        &mut self,
        cx: &Cx<'_>,
        call: CallId,
        answer: Result<Answer, Outage>,
        out: &mut Effects,
    ) -> Step {
        if call.number != self.lease.call {
            return Step::Ignored(Why::Stale);
        }
        match answer {
            Ok(Answer::Cache(CacheAnswer::Renewed { generation })) if self.lease.pending => {
                self.renewed(cx, generation, out)
            }
            // It asks on: who runs the servers can still make them agree.
            Ok(Answer::Cache(CacheAnswer::OtherTerms(theirs))) if self.lease.pending => {
                out.note(Fact::OtherTerms { server: self.id, theirs });
                Step::Advanced
            }
            Ok(Answer::Cache(CacheAnswer::Reasserted(accounts))) if self.lease.is_reasserting() => {
                self.reasserted(cx, &accounts, call, out)
            }
            // It could not be asked: soon again, the old lease is the bound.
            Err(_) if self.lease.pending => {
                out.arm(Timer::Renew, cx.settings.times.retry);
                Step::Advanced
            }
            _ => Step::Ignored(Why::Stale),
        }
    }

    fn renewed(&mut self, cx: &Cx<'_>, generation: Generation, out: &mut Effects) -> Step {
        let number = self.lease.sent;
        self.lease.pending = false;
        let lost = generation != self.lease.generation;
        let was_without = self.lease.current == 0;
        self.lease.generation = generation;
        if lost && self.lease.current != 0 {
            self.lease.reasserting = Some(Reasserting { number, account: AccountId::default() });
            self.reassert(Bound::Unbounded, out);
        } else {
            self.lease.adopt(number, out);
        }
        if was_without && self.is_linked() {
            // RCenter was told that nothing is here any more.
            self.announce_rooms(Bound::Unbounded, out);
        }
        self.register(cx, out);
        Step::Advanced
    }

    /// What became of the accounts asked for: a version of each that is still this server's.
    fn reasserted(
        &mut self,
        cx: &Cx<'_>,
        accounts: &[(AccountId, Option<Version>)],
        call: CallId,
        out: &mut Effects,
    ) -> Step {
        let mut on = None;
        for (number, &(account, version)) in accounts.iter().take(REASSERT_MAX).enumerate() {
            match version {
                Some(version) => match self.held.get_mut(&account) {
                    Some(held) => held.version = held.version.max(version),
                    // The player left while it was asked for.
                    None => self.release(account, version, call.conn, out),
                },
                None if number == 0 => self.give_up(cx, account, out),
                // One that is lost has a step of its own: much follows from it.
                None => {
                    on = Some(Bound::Included(account));
                    break;
                }
            }
            on = Some(Bound::Excluded(account));
            if version.is_none() {
                break;
            }
        }
        let Some(on) = on else { return Step::Ignored(Why::Unexpected) };
        self.reassert(on, out);
        Step::Advanced
    }

    /// Asks for the next accounts that are held; the new lease counts when there are none left.
    fn reassert(&mut self, from: Bound<AccountId>, out: &mut Effects) {
        let Some(reasserting) = &mut self.lease.reasserting else { return };
        let next = self.held.range((from, Bound::Unbounded)).take(REASSERT_MAX);
        let held: Box<[_]> = next.map(|(account, held)| (*account, held.seq)).collect();
        let Some(&(first, _)) = held.first() else {
            let number = reasserting.number;
            self.lease.adopt(number, out);
            return;
        };
        reasserting.account = first;
        let (server, generation) = (self.id, self.lease.generation);
        let ask = CacheAsk::Reassert { server, generation, held };
        let call = self.lease.next_call();
        out.push(Effect::Ask { call, ask: Ask::Cache(ask) });
    }

    /// The cache has given the account to somebody else: its session here ends.
    fn give_up(&mut self, cx: &Cx<'_>, account: AccountId, out: &mut Effects) {
        for _ in 0..KICKED_MAX {
            let Some((conn, _)) = self.first_older(account, Seq::MAX) else { break };
            out.send(conn, Message::ToPlayer(ToPlayer::Refused(Refusal::Replaced)));
            self.leave(cx, conn, Ended::NotReasserted, out);
            out.push(Effect::Close(conn));
        }
    }

    /// A lease runs out: if it is the one in force, every session ends before the cache may give its account
    /// away.
    pub(super) fn lease_ended(&mut self, number: u32, out: &mut Effects) -> Step {
        let unfinished = self.lease.reasserting.is_some_and(|reasserting| reasserting.number == number);
        if number == self.lease.current && number != 0 || unfinished {
            self.lease.end(out);
            self.clear(out);
            if self.is_linked() {
                self.announced = None;
                out.disarm(Timer::Announce);
                out.push(Effect::ToCenter(Message::ToCenter(ToCenter::Fenced)));
            }
            return Step::Advanced;
        }
        if number == self.lease.sent && self.lease.pending {
            // Its answer would come too late to be of use.
            self.lease.pending = false;
            return Step::Advanced;
        }
        Step::Ignored(Why::Stale)
    }
}
