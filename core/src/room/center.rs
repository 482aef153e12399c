//! The link to RCenter: registration, announcements, and kicks from other servers.

use core::ops::Bound;

use super::{Link, Phase, RoomServer, advanced};
use crate::{
    ids::{AccountId, ConnId, RoomId, Seq},
    ledger::Ended,
    limits::{ANNOUNCE_MAX, ANNOUNCE_PAUSE, KICKED_MAX},
    message::{Kick, Message, ToCenter, ToPlayer, ToServer},
    policy::Conflict,
    refusal::Refusal,
    role::{Cx, Effect, Effects, Step, Timer, Why},
};

impl RoomServer {
    /// Registers over a new link, once there is a lease: players who are sent here must be let in.
    pub(super) fn register(&mut self, cx: &Cx<'_>, out: &mut Effects) {
        if self.link != Link::Up || !self.lease.held(cx) {
            return;
        }
        self.link = Link::Registering;
        let capacity = &cx.settings.capacity;
        let register = ToCenter::Register {
            trusted: true,
            server: Some(self.id),
            endpoint: self.endpoint,
            room_capacity: capacity.room,
            capacity: capacity.server,
        };
        out.push(Effect::ToCenter(Message::ToCenter(register)));
    }

    pub(super) fn told_by_center(&mut self, cx: &Cx<'_>, msg: ToServer, out: &mut Effects) -> Step {
        match msg {
            ToServer::Registered(_) => {
                self.link = Link::Registered;
                self.announced = None;
                if self.draining {
                    out.push(Effect::ToCenter(Message::ToCenter(ToCenter::Draining)));
                }
                self.announce_rooms(Bound::Unbounded, out);
                Step::Advanced
            }
            ToServer::Kick(kick) => self.kick(cx, &kick, out),
            ToServer::Kicked(account) => self.kicked(cx, account, out),
            ToServer::Kept { account, below } => self.kept(cx, account, below, out),
            ToServer::CheckRelogin { key, account } => {
                let Some(conn) = key.and_then(|key| self.keys.get(&key).copied()) else {
                    return Step::Ignored(Why::Stale);
                };
                let Some(seq) = self.seq_of(conn, account) else { return Step::Ignored(Why::Stale) };
                self.replace(cx, Some(conn), seq, out);
                Step::Advanced
            }
            ToServer::LoadConfig | ToServer::Forwarded { .. } => Step::Ignored(Why::Unexpected),
        }
    }

    /// Announces the rooms there are, a batch at a time.
    pub(super) fn announce(&mut self, out: &mut Effects) -> Step {
        let Some(last) = self.announced.take() else { return Step::Ignored(Why::Stale) };
        self.announce_rooms(Bound::Excluded(last), out);
        Step::Advanced
    }

    pub(super) fn announce_rooms(&mut self, from: Bound<RoomId>, out: &mut Effects) {
        let mut rest = self.rooms.range((from, Bound::Unbounded));
        let mut last = None;
        for (&room, &players) in rest.by_ref().take(ANNOUNCE_MAX) {
            self.report(room, players, None, out);
            last = Some(room);
        }
        if rest.next().is_some() {
            self.announced = last;
            out.arm(Timer::Announce, ANNOUNCE_PAUSE);
            return;
        }
        // The load comes last: with it RCenter knows everything and may send players.
        let players = u32::try_from(self.players()).unwrap_or(u32::MAX);
        let rooms = u32::try_from(self.rooms.len()).unwrap_or(u32::MAX);
        out.push(Effect::ToCenter(Message::ToCenter(ToCenter::Load { rooms, players })));
    }

    /// Another server wants an account that belongs to this one.
    fn kick(&mut self, cx: &Cx<'_>, kick: &Kick, out: &mut Effects) -> Step {
        let Kick { from, owner, account, below, version } = *kick;
        if owner != self.id {
            return Step::Ignored(Why::Unexpected);
        }
        if cx.settings.policy.conflict != Conflict::KickOld
            && self.held.get(&account).is_some_and(|held| held.live.is_some())
        {
            let kept = ToCenter::Kept { to: from, account, below };
            out.push(Effect::ToCenter(Message::ToCenter(kept)));
            return Step::Advanced;
        }
        let held_before = self.held.contains_key(&account);
        let closes = if cx.settings.policy.kick_names_login { below } else { Seq::MAX };
        let mut closed = false;
        for _ in 0..KICKED_MAX {
            let Some((conn, live)) = self.first_older(account, closes) else { break };
            out.send(conn, Message::ToPlayer(ToPlayer::Refused(Refusal::Replaced)));
            let why = if live { Ended::Replaced { by: below } } else { Ended::Lost };
            self.leave(cx, conn, why, out);
            out.push(Effect::Close(conn));
            closed = true;
        }
        if self.held.contains_key(&account) {
            return advanced(closed);
        }
        if !held_before {
            // A grant whose answer was lost, or is late: whoever comes with it now will have to ask again.
            self.release(account, version, ConnId::default(), out);
        }
        out.push(Effect::ToCenter(Message::ToCenter(ToCenter::Kicked { to: from, account })));
        Step::Advanced
    }

    /// A connection of this account, live or waiting, that stands for an older login; whether it is live.
    pub(super) fn first_older(&self, account: AccountId, below: Seq) -> Option<(ConnId, bool)> {
        self.conns.iter().find_map(|(conn, state)| match state.phase {
            Phase::Live(entry) if entry.account == account && entry.seq < below => Some((*conn, true)),
            Phase::LookingUp(entry) if entry.account == account && entry.seq < below => Some((*conn, false)),
            Phase::Waiting { account: own, seq, .. } if own == account && seq < below => Some((*conn, false)),
            _ => None,
        })
    }

    /// The owner holds nothing any more: whoever waits for it tries now.
    fn kicked(&mut self, cx: &Cx<'_>, account: AccountId, out: &mut Effects) -> Step {
        let waiting = self.conns.iter().find_map(|(conn, state)| match state.phase {
            Phase::Waiting { account: own, .. } if own == account && !state.asking => Some(*conn),
            _ => None,
        });
        match waiting {
            Some(conn) if !cx.settings.policy.confirmation_is_hint => self.trust(cx, conn, out),
            Some(conn) => {
                self.ask_cache(cx, conn, out);
                Step::Advanced
            }
            None => Step::Ignored(Why::Stale),
        }
    }

    /// The owner keeps its session: the policy is to refuse the newcomer.
    fn kept(&mut self, cx: &Cx<'_>, account: AccountId, below: Seq, out: &mut Effects) -> Step {
        let waiting = self.conns.iter().find_map(|(conn, state)| match state.phase {
            Phase::Waiting { account: own, seq, .. } if own == account && seq == below => Some(*conn),
            _ => None,
        });
        match waiting {
            Some(conn) => self.refuse(cx, conn, Refusal::Conflict, out),
            None => Step::Ignored(Why::Stale),
        }
    }

    fn seq_of(&self, conn: ConnId, account: AccountId) -> Option<Seq> {
        match self.conns.get(&conn)?.phase {
            Phase::Live(entry) if entry.account == account => Some(entry.seq),
            _ => None,
        }
    }
}
