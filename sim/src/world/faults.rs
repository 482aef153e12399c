//! Faults beyond lost messages and crashes: services that fail, connections that break, processes that are stopped,
//! clocks that jump.

use gatepass_core::role::Outage;

use super::{edit::Traffic, *};

impl World {
    /// A question or its answer is lost, and whoever asked hears that there will be no answer.
    pub(super) fn fail(&mut self, setup: &Setup, pick: Pick, scratch: &mut Scratch) -> bool {
        let Some(packet) = self.under_way(pick).cloned() else { return false };
        let packet = packet.get();
        let (asker, life, call) = match &packet.body {
            Body::Asked(question) if question.call.wants_answer() => {
                let (asker, life) = who_asked(question.from);
                (asker, life, question.call)
            }
            Body::Answered(call, _) => (usize::from(packet.to), packet.life.unwrap_or_default(), *call),
            _ => return false,
        };
        if self.hosts[asker].get().paused || !self.spend(|faults| &mut faults.fail_service) {
            return false;
        }
        if let Some(log) = &mut scratch.log {
            let (from, to) = (usize::from(packet.from), usize::from(packet.to));
            log.push(Happening::Lost { from, to, label: words::body(&packet.body) });
            log.push(Happening::At { node: asker, label: "hears of an outage".to_owned() });
        }
        let _ = self.take_packet(pick, scratch);
        let host = self.hosts[asker].get();
        if host.up && host.life == life && asker < setup.nodes() {
            scratch.tell(asker, Event::Answered { call, answer: Err(Outage::Down) });
        }
        true
    }

    /// A player's connection breaks. The player knows at once; the server hears of it in time.
    pub(super) fn hang_up(&mut self, setup: &Setup, player: usize, scratch: &mut Scratch) -> bool {
        if player >= setup.players() {
            return false;
        }
        let Some(conn) = self.conn_of(player) else { return false };
        if !self.spend(|faults| &mut faults.hang_up) {
            return false;
        }
        note(scratch, player, "loses its connection");
        self.change_net(Traffic::LoseOn(lane(conn), player), scratch);
        let server = self.conns.room_of(conn).map_or(setup.login_of(conn), usize::from);
        self.conns.close(conn);
        self.post(setup, effects::closing(player, server, conn, Body::Closed(conn)), scratch);
        scratch.tell(player, Event::Lost(conn));
        true
    }

    /// A RoomServer's process is stopped.
    pub(super) fn pause(&mut self, setup: &Setup, room: usize, scratch: &mut Scratch) -> bool {
        if !setup.rooms().contains(&room) || !self.hosts[room].get().runs() {
            return false;
        }
        if !self.spend(|faults| &mut faults.pause_room) {
            return false;
        }
        self.hosts[room].paused = true;
        note(scratch, room, "is stopped");
        true
    }

    /// A RoomServer is told to take no new players and to end.
    pub(super) fn drain(&mut self, setup: &Setup, room: usize, scratch: &mut Scratch) -> bool {
        if !setup.rooms().contains(&room) || !self.hosts[room].get().runs() {
            return false;
        }
        if !self.spend(|faults| &mut faults.drain_room) {
            return false;
        }
        note(scratch, room, "is drained");
        scratch.tell(room, Event::Command(Command::Drain));
        true
    }

    /// It goes on: first the timers that ran out meanwhile, then what came meanwhile.
    pub(super) fn wake(&mut self, setup: &Setup, room: usize, scratch: &mut Scratch) -> bool {
        if !setup.rooms().contains(&room) || !self.hosts[room].get().paused {
            return false;
        }
        note(scratch, room, "goes on");
        let host = self.hosts[room].edit();
        host.paused = false;
        let overdue = std::mem::take(&mut host.overdue);
        let missed = std::mem::take(&mut host.missed);
        let is_due = |timer: &Timer| matches!(timer, Timer::LeaseEnd(number) if *number <= overdue);
        let due: Vec<Timer> = host.timers.iter().filter(|timer| is_due(timer)).copied().collect();
        if setup.settings.policy.timers_first {
            for timer in due {
                setup.meet(Goal::WokenServerFenced);
                scratch.goals |= 1 << Goal::WokenServerFenced as u32;
                self.run_out(setup, room, timer, scratch);
            }
            // They fire before anything else that waits is looked at.
            self.run(setup, scratch);
        }
        if let HostRole::Room(server) = &self.hosts[room].get().role {
            let id = server.id();
            let broken = self.ledger.edit().wake(id);
            self.judge(setup, scratch, Judgement { broken, ..Judgement::default() }, false);
        }
        scratch.queue.extend(missed.into_iter().map(|event| (room, event)));
        true
    }

    /// The end of a lease at the cache, or of its grace, outlasts stopped servers: their own timers are overdue, and
    /// what they hold is nobody's until they wake up.
    pub(super) fn outlast(&mut self, setup: &Setup, timer: &Timer) {
        let ended = |server: ServerId, world: &Self| match timer {
            Timer::ServerLease(ended) if *ended == server => match &world.hosts[setup.cache()].get().role {
                HostRole::Cache(cache) => cache.lease(server),
                _ => None,
            },
            Timer::Grace => {
                world.lost_leases.get().iter().find(|(lost, _)| *lost == server).map(|(_, number)| *number)
            }
            _ => None,
        };
        if !matches!(timer, Timer::ServerLease(_) | Timer::Grace) {
            return;
        }
        for room in setup.rooms() {
            let host = self.hosts[room].get();
            let HostRole::Room(server) = &host.role else { continue };
            let id = server.id();
            if !host.paused {
                continue;
            }
            if let Some(number) = ended(id, self) {
                let host = self.hosts[room].edit();
                host.overdue = host.overdue.max(number);
                self.ledger.edit().suspend(id);
            }
        }
    }

    /// A clock jumps beyond its bound: a timer runs out although the order of clocks forbids it.
    pub(super) fn jump(
        &mut self,
        setup: &Setup,
        node: usize,
        kind: TimerKind,
        nth: u16,
        scratch: &mut Scratch,
    ) -> bool {
        let Some(host) = self.hosts.get(node) else { return false };
        let Some(timer) = host.get().armed(kind, nth) else { return false };
        if !host.get().runs() || self.may_fire(setup, host.get(), &timer, nth) {
            return false;
        }
        if !self.spend(|faults| &mut faults.clock_jump) {
            return false;
        }
        note(scratch, node, "has a clock that jumps");
        self.run_out(setup, node, timer, scratch);
        true
    }
}
