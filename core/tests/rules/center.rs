//! RCenter, one rule at a time: where it sends players, what it counts, and what it hears too late.

use gatepass_core::{limits::ROOMS_MAX, role::Why};

use super::*;

const STALE: Step = Step::Ignored(Why::Stale);

/// An RCenter with these servers, which are ready.
fn center(servers: u64) -> Sut<RCenter> {
    let mut it = Sut::new(RCenter::new());
    for server in 1..=servers {
        it.register(server, server);
        let _ = it.tells(server, READY);
    }
    it
}

impl Sut<RCenter> {
    fn holds(&mut self, link: u64, room: u32, players: u16) {
        let _ = self.tells(link, ToCenter::Room { room: RoomId(room), players, joined: None });
    }

    fn rooms(&self) -> Vec<(u32, u32)> {
        self.role.rooms().map(|(room, _, taken)| (room.0, taken)).collect()
    }

    /// The room that an account is sent to.
    fn room_of(&mut self, account: u64) -> Option<u32> {
        self.place(account).map(|place| place.room.0)
    }
}

#[test]
fn a_seat_is_kept_while_its_room_has_a_place_for_it() {
    let rules = |change: fn(&mut Policy)| {
        let mut policy = Policy::STRICT;
        change(&mut policy);
        policy
    };
    for (policy, players, kept) in [
        (Policy::STRICT, 1, true),
        (Policy::STRICT, 2, false),
        (rules(|policy| policy.capacity_enforced = false), 2, true),
        (rules(|policy| policy.seats_counted = false), 2, true),
    ] {
        let mut it = center(1);
        assert_eq!(it.room_of(1), Some(1));
        it.holds(1, 1, players);
        it.policy = policy;
        it.holds(1, 2, 0);
        assert_eq!(it.room_of(1), Some(if kept { 1 } else { 2 }), "{players} players");
        assert_eq!(it.role.sizes(), (1, 1), "and no second seat");
    }
    let mut it = center(1);
    assert_eq!(
        (it.room_of(1), it.room_of(1)),
        (Some(1), Some(1)),
        "the same one, although nobody else is there"
    );
}

#[test]
fn a_seat_leads_to_the_scene_that_was_asked_for_last() {
    let mut it = center(1);
    for asked in [1, 7] {
        let ask = Ask::Center(CenterAsk::Place { account: ANN, scene: asked });
        let call = CallId { conn: ConnId(1), number: 1 };
        let _ = it.step(Event::Asked(Question { from: Asker(1), call, ask }));
        assert!(it.did(|e| matches!(e, Effect::Answer {
            answer: Answer::Center(CenterAnswer::Placed(Place { scene, .. })), ..
        } if *scene == asked)));
    }
}

#[test]
fn a_new_room_is_nobodys() {
    let mut it = center(1);
    it.holds(1, 1, 2);
    assert_eq!(it.room_of(1), Some(2), "the first is full, and it is not made twice");
}

#[test]
fn players_are_counted_room_by_room() {
    let mut it = center(1);
    it.holds(1, 1, 2);
    it.holds(1, 2, 1);
    assert_eq!(it.room_of(1), None, "the server is full");
    it.holds(1, 1, 1);
    assert_eq!(it.room_of(1), Some(1));
    it.holds(1, 2, 0);
    assert_eq!(it.rooms(), [(1, 2)], "an empty room is none");
}

#[test]
fn a_server_has_no_more_rooms_than_it_may_and_those_are_counted() {
    let mut it = center(1);
    let most = ROOMS_MAX as u32;
    for room in 1..=most + 1 {
        it.holds(1, room, 1);
    }
    assert_eq!(it.rooms().len(), ROOMS_MAX);
    it.holds(1, most, 2);
    assert_eq!(it.rooms().last(), Some(&(most, 2)));
}

#[test]
fn a_fenced_server_holds_seats_alone() {
    let mut it = center(1);
    assert_eq!(it.room_of(1), Some(1));
    it.holds(1, 1, 1);
    it.holds(1, 2, 1);
    let _ = it.tells(1, ToCenter::Fenced);
    assert_eq!(it.rooms(), [(1, 1)]);
    assert_eq!(it.room_of(1), None, "nobody is sent there");
}

#[test]
fn a_frame_is_forwarded_to_the_server_it_names() {
    let mut it = center(0);
    let links = [1, 2].map(|server| {
        it.register(server, server);
        let named = it.did.iter().find_map(|effect| match effect {
            Effect::Send { msg: Message::ToServer(ToServer::Registered(link)), .. } => Some(*link),
            _ => None,
        });
        named.expect("it is registered")
    });
    let data: Box<[u8]> = [1, 2].into();
    for (at, link) in links.into_iter().enumerate() {
        let _ = it.tells(1, ToCenter::Forward { link, flag: 3, data: data.clone() });
        let msg = Message::ToServer(ToServer::Forwarded { flag: 3, data: data.clone() });
        assert_eq!(it.did, [Effect::Send { conn: ConnId(at as u64 + 1), msg }]);
    }
    let nobody = (1..).map(gatepass_core::ids::LinkId).find(|link| !links.contains(link)).unwrap();
    let _ = it.tells(1, ToCenter::Forward { link: nobody, flag: 3, data });
    assert_eq!(it.did, []);
}

#[test]
fn a_link_on_which_nobody_registers_is_closed_in_the_end() {
    let mut it = center(1);
    let _ = it.step(Event::Opened { conn: ConnId(2), addr: A });
    let fires = |it: &mut Sut<RCenter>, conn| it.step(Event::Fired(Timer::LinkUnverified(ConnId(conn))));
    assert_eq!(fires(&mut it, 1), STALE, "it has registered");
    assert_eq!(fires(&mut it, 2), Step::Advanced);
    assert!(it.did(|e| *e == Effect::Close(ConnId(2))));
    assert_eq!(fires(&mut it, 2), STALE);
    assert_eq!(it.step(Event::Lost(ConnId(1))), Step::Advanced);
    assert_eq!(it.role.sizes().0, 0);
    assert_eq!(it.step(Event::Lost(ConnId(1))), STALE);
    assert_eq!(it.step(Event::Lost(ConnId(2))), STALE);
    assert_eq!(it.step(Event::Fired(Timer::Seat(ANN))), STALE);
    assert_eq!(it.step(Event::Linked), Step::Ignored(Why::Unexpected));
}

#[test]
fn phases_of_rcenter_and_of_players_have_names() {
    let link = Event::Lost(ConnId(1));
    let names = |it: &Sut<RCenter>| [it.role.phase(&link), it.role.phase(&Event::Linked)];
    let mut it = center(0);
    assert_eq!(names(&it), ["no link", "has no server"]);
    let _ = it.step(Event::Opened { conn: ConnId(1), addr: A });
    assert_eq!(names(&it), ["unregistered", "has no server"]);
    let mut it = center(0);
    it.register(1, 1);
    assert_eq!(names(&it), ["announcing", "has no server"]);
    let _ = it.tells(1, READY);
    assert_eq!(names(&it), ["ready", "has servers"]);
    let _ = it.tells(1, ToCenter::Draining);
    assert_eq!(names(&it), ["draining", "has servers"]);
}
