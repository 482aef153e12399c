//! What the choices of a world do: messages arrive or are lost, timers run out, nodes crash, links break.

use gatepass_core::{
    ids::CallId,
    message::{Ask, CacheAsk},
};

use super::{edit::Traffic, *};

impl World {
    /// Whether it is under way, and nobody is stopped whose socket it would wait in.
    pub(super) fn can_arrive(&self, pick: Pick) -> bool {
        self.under_way(pick).is_some() && !self.hosts[usize::from(pick.to)].get().paused
    }

    pub(super) fn deliver(&mut self, pick: Pick, scratch: &mut Scratch) -> bool {
        if !self.can_arrive(pick) {
            return false;
        }
        let Some(taken) = self.take_packet(pick, scratch) else { return false };
        let packet = taken.get();
        let (from, to) = (usize::from(packet.from), usize::from(packet.to));
        let host = self.hosts[to].get();
        let reaches = host.up && packet.life.is_none_or(|life| life == host.life);
        let open = match &packet.body {
            Body::FromCenter(link, _) | Body::LinkClosed(link) => self.links.of_node(to) == Some(*link),
            _ => true,
        };
        if let Some(log) = &mut scratch.log {
            let label = words::body(&packet.body);
            log.push(if reaches && open {
                Happening::Message { from, to, label }
            } else {
                Happening::Lost { from, to, label }
            });
        }
        if reaches && open {
            if matches!(packet.body, Body::LinkClosed(_)) {
                self.links.set(to, None);
            }
            scratch.tell(to, packet.body.clone().event());
        }
        true
    }

    /// The end of a connection comes to a player together with what was last sent on it: he cannot do anything
    /// in between that its other end would notice.
    pub(super) fn deliver_close(&mut self, setup: &Setup, pick: Pick, scratch: &mut Scratch) {
        if usize::from(pick.to) >= setup.players() || !setup.reductions.has(Reduction::CloseWithLast) {
            return;
        }
        let next = Pick { nth: 0, ..pick };
        if self.under_way(next).is_some_and(|packet| matches!(packet.get().body, Body::Closed(_))) {
            self.deliver(next, scratch);
        }
    }

    pub(super) fn drop(&mut self, pick: Pick, scratch: &mut Scratch) -> bool {
        if self.under_way(pick).is_none() || !self.spend(|faults| &mut faults.drop) {
            return false;
        }
        let Some(packet) = self.take_packet(pick, scratch) else { return false };
        let packet = packet.get();
        if is_kick(&packet.body) {
            self.past.kick_lost = true;
        }
        if let Some(log) = &mut scratch.log {
            let (from, to) = (usize::from(packet.from), usize::from(packet.to));
            log.push(Happening::Lost { from, to, label: words::body(&packet.body) });
        }
        true
    }

    pub(super) fn fire(
        &mut self,
        setup: &Setup,
        node: usize,
        kind: TimerKind,
        nth: u16,
        scratch: &mut Scratch,
    ) -> bool {
        let Some(host) = self.hosts.get(node) else { return false };
        let Some(timer) = host.get().armed(kind, nth) else { return false };
        let free = self.runs_out_in_time(setup, host.get(), kind) && self.fires[kind as usize] == 0;
        if !host.get().runs()
            || !self.may_fire(setup, host.get(), &timer, nth)
            || !free && !self.spend_fire(kind)
        {
            return false;
        }
        self.run_out(setup, node, timer, scratch);
        true
    }

    /// A timer runs out.
    pub(super) fn run_out(&mut self, setup: &Setup, node: usize, timer: Timer, scratch: &mut Scratch) {
        if let Some(log) = &mut scratch.log {
            log.push(Happening::At { node, label: words::timer(&timer) });
        }
        self.outlast(setup, &timer);
        scratch.tell(node, Event::Fired(timer));
    }

    pub(super) fn crash(&mut self, setup: &Setup, node: usize, scratch: &mut Scratch) -> bool {
        let budget: fn(&mut Faults) -> &mut u8 = if setup.is_login(node) {
            |faults| &mut faults.crash_login
        } else if node == setup.center() {
            |faults| &mut faults.crash_center
        } else if node == setup.cache() {
            |faults| &mut faults.crash_cache
        } else if node == setup.accounts() {
            |faults| &mut faults.crash_accounts
        } else if setup.rooms().contains(&node) {
            |faults| &mut faults.crash_room
        } else {
            return false;
        };
        if !self.hosts[node].get().up || !self.spend(budget) {
            return false;
        }
        note(scratch, node, "crashes");
        self.change_net(Traffic::LoseTo(node), scratch);
        let keeps_memory = node == setup.cache() || node == setup.accounts();
        if node == setup.center() {
            for room in setup.rooms() {
                self.unlink(setup, room, Some(node), scratch);
            }
        } else if setup.is_login(node) {
            self.tell_ledger(setup, Told::LoginCrashed(node), scratch);
        } else if !keeps_memory {
            self.past.room_crashed = true;
            self.unlink(setup, node, Some(node), scratch);
            self.reset_players(setup, node, scratch);
            if let HostRole::Room(room) = &self.hosts[node].get().role {
                let id = room.id();
                self.tell_ledger(setup, Told::RoomCrashed(id), scratch);
            }
        }
        let host = self.hosts[node].edit();
        host.up = false;
        host.paused = false;
        host.missed.clear();
        if !keeps_memory {
            host.timers.clear();
        }
        true
    }

    pub(super) fn restart(&mut self, setup: &Setup, node: usize, scratch: &mut Scratch) -> bool {
        if self.hosts.get(node).is_none_or(|host| host.get().up) {
            return false;
        }
        note(scratch, node, "starts again");
        let keeps_memory = node == setup.cache() || node == setup.accounts();
        let host = self.hosts[node].edit();
        host.up = true;
        if keeps_memory {
            return true;
        }
        host.life += 1;
        host.overdue = 0;
        host.role = if setup.is_login(node) {
            HostRole::Login(LoginServer::new())
        } else if node == setup.center() {
            HostRole::Center(RCenter::new())
        } else {
            setup.room(node - setup.first_room(), host.life)
        };
        scratch.tell(node, Event::Command(Command::Start));
        true
    }

    /// The cache begins anew. After an orderly end the next one hears what was used, and nothing else.
    pub(super) fn renew_cache(&mut self, setup: &Setup, orderly: bool, scratch: &mut Scratch) -> bool {
        if !self.hosts[setup.cache()].get().up {
            return false;
        }
        if !self.spend(|faults| if orderly { &mut faults.renew_cache } else { &mut faults.lose_cache }) {
            return false;
        }
        let node = setup.cache();
        note(scratch, node, if orderly { "ends in order and begins anew" } else { "loses its memory" });
        self.past.cache_lost = true;
        let policy = setup.settings.policy;
        let HostRole::Cache(cache) = &self.hosts[node].get().role else { return false };
        let cache = cache.clone();
        *self.lost_leases = cache.leases().collect();
        self.forget_payloads(&cache);
        let host = self.hosts[node].edit();
        let raised = u32::from(policy.generation_durable);
        let generation = Generation(cache.generation().0 + raised);
        host.role = HostRole::Cache(Cache::new(generation, policy.grace_after_loss));
        host.timers.clear();
        host.life += 1;
        if let Some(used) = cache.used_payloads().filter(|_| orderly) {
            let ask = Ask::Cache(CacheAsk::Recall { used: used.collect(), last: true });
            let (from, call) = (Asker(node as u64), CallId::default());
            scratch.tell(node, Event::Asked(Question { from, call, ask }));
        }
        scratch.tell(node, Event::Command(Command::Start));
        true
    }

    /// The link between a RoomServer and RCenter comes up.
    pub(super) fn link(&mut self, setup: &Setup, room: usize, scratch: &mut Scratch) -> bool {
        let index = room - setup.first_room();
        let numbers = (0..).map(|number| ConnId(FIRST_LINK + index as u64 * 100 + number));
        let Some(link) = numbers.take(100).find(|link| !self.knows_link(setup, *link)) else { return false };
        self.links.set(room, Some(link));
        let addr = gatepass_core::ids::Addr(1000 + index as u128);
        scratch.tell(setup.center(), Event::Opened { conn: link, addr });
        scratch.tell(room, Event::Linked);
        if let Some(log) = &mut scratch.log {
            let label = "opens a link".to_owned();
            log.push(Happening::Message { from: room, to: setup.center(), label });
        }
        true
    }

    /// Whether anything in the world still speaks of this link. The number of one that nobody speaks of is given again:
    /// how many links there have been is nothing that anybody could notice.
    fn knows_link(&self, setup: &Setup, link: ConnId) -> bool {
        let center = self.hosts[setup.center()].get();
        let on_link = |packet: &Shared<Packet>| packet.get().lane == lane(link);
        matches!(&center.role, HostRole::Center(role) if role.knows(link))
            || center.timers.iter().any(|timer| timer.conn() == Some(link))
            || self.net.shared().get().packets.iter().any(on_link)
    }

    /// The link between a RoomServer and RCenter goes down, perhaps since one of them crashes; what is on it is lost.
    pub(super) fn unlink(
        &mut self,
        setup: &Setup,
        room: usize,
        crashed: Option<usize>,
        scratch: &mut Scratch,
    ) -> bool {
        let Some(link) = self.links.of_node(room) else { return false };
        self.links.set(room, None);
        let center = setup.center();
        if self.net.shared().get().loses_kick(link, crashed) {
            self.past.kick_lost = true;
        }
        for node in [center, room] {
            self.change_net(Traffic::LoseOn(lane(link), node), scratch);
        }
        note(scratch, room, "loses its link to rcenter");
        if self.hosts[center].get().up {
            scratch.tell(center, Event::Lost(link));
        }
        scratch.tell(room, Event::Unlinked);
        true
    }

    /// Every player's connection to this RoomServer breaks.
    pub(super) fn reset_players(&mut self, setup: &Setup, node: usize, scratch: &mut Scratch) {
        let conns = self.conns.iter().filter(|(_, room)| usize::from(*room) == node);
        let conns: Vec<ConnId> = conns.map(|(conn, _)| conn).collect();
        for conn in conns {
            self.conns.close(conn);
            self.tell_ledger(setup, Told::Closed(conn), scratch);
            // The attacker need not be told.
            let Some(player) = setup.player_of(conn) else { continue };
            self.put(Shared::new(effects::closing(node, player, conn, Body::Closed(conn))), scratch);
        }
    }
}

pub(super) const fn is_kick(body: &Body) -> bool {
    matches!(
        body,
        Body::Message(_, Message::ToCenter(ToCenter::Kick(_)))
            | Body::FromCenter(_, Message::ToServer(ToServer::Kick(_)))
    )
}
