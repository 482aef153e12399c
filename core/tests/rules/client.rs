//! The client's way: in, out, back, and where it stops.

use gatepass_core::{client::Cheat, ids::SessionKey};

use super::{edges::endpoint, *};

fn script(retries: u8, cheat: Option<Cheat>) -> Script {
    let (credentials, name) = (credentials(), nickname("nick"));
    Script { credentials, addr: A, scene: 1, name, heartbeats: Some(2), retries, resumes: true, cheat }
}

impl Sut<Client> {
    fn begun(script: Script) -> Self {
        let mut it = Self::new(Client::new(script, ConnId(1)));
        let _ = it.step(Event::Command(Command::Start));
        it
    }

    fn hears(&mut self, conn: u64, reply: Reply) -> Step {
        self.step(Event::Received { conn: ConnId(conn), msg: Message::Reply(reply) })
    }

    fn is_told(&mut self, conn: u64, msg: ToPlayer) -> Step {
        self.step(Event::Received { conn: ConnId(conn), msg: Message::ToPlayer(msg) })
    }

    fn opens(&mut self, conn: u64) -> Step {
        self.step(Event::Opened { conn: ConnId(conn), addr: B })
    }

    /// In a room, over the connections 1, 2 and 3.
    fn in_room(script: Script) -> Self {
        let mut it = Self::begun(script);
        assert_eq!(it.hears(1, logged_in()), Step::Advanced);
        assert_eq!(it.hears(2, sent_to_room()), Step::Advanced);
        assert_eq!(it.opens(3), Step::Advanced);
        assert_eq!(it.is_told(3, admitted()), Step::Advanced);
        it
    }

    fn says(&self, conn: u64, what: &ToRoom) -> bool {
        self.did(|effect| {
            matches!(effect, Effect::Send { conn: own, msg: Message::ToRoom(msg) } if own.0 == conn && msg == what)
        })
    }

    fn connects(&self, conn: u64) -> bool {
        self.did(|effect| *effect == Effect::Connect { conn: ConnId(conn), endpoint: endpoint() })
    }

    fn asks_room(&self, conn: u64) -> bool {
        let asks = |body: &RequestBody| matches!(body, RequestBody::Room { session: Some(_), scene: 1 });
        self.did(|effect| {
            matches!(effect, Effect::Send { conn: own, msg: Message::Request(request) }
                if own.0 == conn && asks(&request.body))
        })
    }

    fn arms(&self, timer: Timer) -> bool {
        self.did(|effect| matches!(effect, Effect::Arm { timer: armed, .. } if *armed == timer))
    }

    fn closes(&self, conn: u64) -> bool {
        self.did(|effect| *effect == Effect::Close(ConnId(conn)))
    }
}

fn logged_in() -> Reply {
    let (name, session) = (bounded("ann").unwrap(), SessionKey::new([1; 16]));
    Reply::LoggedIn { name, account: ANN, newbie: false, password: None, session }
}

fn sent_to_room() -> Reply {
    Reply::Room { account: ANN, endpoint: endpoint(), key: key(7), room: RoomId(1), scene: 1 }
}

fn admitted() -> ToPlayer {
    ToPlayer::Admitted { account: ANN, room: RoomId(1), name: nickname("nick") }
}

fn entry(key: Option<RoomKey>) -> ToRoom {
    ToRoom::Login { name: nickname("nick"), key }
}

#[test]
fn a_client_goes_in_beats_and_leaves() {
    let mut it = Sut::begun(script(0, None));
    assert_eq!(
        (it.role.conn(), it.role.account(), it.role.outcome()),
        (Some(ConnId(1)), None, Outcome::Underway)
    );
    let _ = it.hears(1, logged_in());
    assert!(
        it.asks_room(2) && it.arms(Timer::Reply) && it.role.listens(ConnId(2)) && !it.role.listens(ConnId(1))
    );
    let _ = it.hears(2, sent_to_room());
    assert!(it.connects(3) && it.arms(Timer::Reply));
    assert_eq!(it.role.place(), Some((endpoint(), RoomId(1))));
    let _ = it.opens(3);
    assert!(it.says(3, &entry(Some(key(7)))) && it.arms(Timer::Reply));
    let _ = it.is_told(3, admitted());
    assert_eq!((it.role.conn(), it.role.outcome()), (Some(ConnId(3)), Outcome::Live));
    for last in [false, true] {
        assert!(it.arms(Timer::Heartbeat));
        let _ = it.step(Event::Fired(Timer::Heartbeat));
        assert!(it.says(3, &ToRoom::Heartbeat));
        assert_eq!(it.arms(Timer::Leave), last, "two heartbeats, then he leaves");
    }
    let _ = it.step(Event::Fired(Timer::Leave));
    assert!(it.says(3, &ToRoom::Logout) && it.arms(Timer::Reply));
    assert_eq!(it.role.outcome(), Outcome::Live, "until the server has said so");
    let _ = it.is_told(3, ToPlayer::LoggedOut);
    assert!(it.closes(3));
    assert_eq!((it.role.conn(), it.role.outcome()), (None, Outcome::LoggedOut));
}

#[test]
fn a_client_waits_longer_where_he_may_have_to_wait_for_another_server() {
    let times = gatepass_core::limits::Times::default();
    let waits =
        |it: &Sut<Client>, after| it.did(|effect| *effect == Effect::Arm { timer: Timer::Reply, after });
    let mut it = Sut::begun(script(0, None));
    assert!(waits(&it, times.reply));
    let _ = it.hears(1, logged_in());
    let _ = it.hears(2, sent_to_room());
    assert!(waits(&it, times.reply));
    let _ = it.opens(3);
    assert!(waits(&it, times.unverified + times.reply));
}

#[test]
fn who_has_said_all_says_nothing_whatever_he_is_told() {
    let stays = |retries, cheat| Script { heartbeats: None, ..script(retries, cheat) };
    let refusals = [Refusal::Replaced, Refusal::Conflict, Refusal::Busy, Refusal::RoomFull];
    let told = refusals.map(ToPlayer::Refused).into_iter().chain([admitted(), ToPlayer::Echo]);
    let events: Vec<Event> = told
        .map(|msg| Event::Received { conn: ConnId(3), msg: Message::ToPlayer(msg) })
        .chain([Event::Lost(ConnId(3))])
        .collect();
    let mut it = Sut::begun(stays(0, None));
    let on_the_way: [fn(&mut Sut<Client>) -> Step; 3] =
        [|it| it.hears(1, logged_in()), |it| it.hears(2, sent_to_room()), |it| it.opens(3)];
    for step in on_the_way {
        assert!(!it.role.has_said_all());
        let _ = step(&mut it);
    }
    let entering = it.role;
    let mut live = Sut::new(entering.clone());
    let _ = live.is_told(3, admitted());
    for one in &events {
        for other in &events {
            let closes = [&entering, &live.role].map(|client| {
                let mut it = Sut::new(client.clone());
                [one, other].map(|event| {
                    assert!(it.role.has_said_all());
                    let _ = it.step(event.clone());
                    let expected = |effect: &Effect| match effect {
                        Effect::Arm { timer, .. } | Effect::Disarm(timer) => Client::TIMERS.contains(timer),
                        effect => *effect == Effect::Close(ConnId(3)),
                    };
                    assert!(!it.did(|effect| !expected(effect)), "{one:?}, then {other:?}");
                    it.closes(3)
                })
            });
            assert_eq!(closes[0], closes[1], "whether he was admitted makes no difference");
        }
    }
    // He leaves by himself, tries again, or cheats: then he has not.
    for script in [script(0, None), stays(1, None), stays(0, Some(Cheat::AnyKeyAgain))] {
        assert!(!Sut::in_room(script).role.has_said_all());
    }
}

#[test]
fn each_step_of_a_client_has_a_name() {
    let name = |it: &Sut<Client>| it.role.phase(&Event::Linked);
    let mut it = Sut::new(Client::new(script(0, None), ConnId(1)));
    let steps: [fn(&mut Sut<Client>) -> Step; 7] = [
        |it| it.step(Event::Command(Command::Start)),
        |it| it.hears(1, logged_in()),
        |it| it.hears(2, sent_to_room()),
        |it| it.opens(3),
        |it| it.is_told(3, admitted()),
        |it| it.step(Event::Command(Command::Leave)),
        |it| it.is_told(3, ToPlayer::LoggedOut),
    ];
    assert_eq!(name(&it), "idle");
    let names = steps.map(|step| {
        let _ = step(&mut it);
        name(&it)
    });
    let expected = ["logging in", "asking room", "connecting", "entering", "live", "leaving", "done"];
    assert_eq!(names, expected);
}

#[test]
fn a_client_hears_nothing_on_the_connections_of_others() {
    let mut it = Sut::begun(script(9, None));
    let refused = || Reply::Refused(Refusal::Busy);
    assert!(
        matches!(it.hears(9, refused()), Step::Ignored(_))
            && matches!(it.hears(9, logged_in()), Step::Ignored(_))
    );
    assert!(it.ignores(Event::Lost(ConnId(9))));
    let _ = it.hears(1, logged_in());
    assert!(matches!(it.hears(1, sent_to_room()), Step::Ignored(_)));
    assert!(it.ignores(Event::Lost(ConnId(1))));
    let _ = it.hears(2, sent_to_room());
    assert!(matches!(it.opens(9), Step::Ignored(_)));
    assert!(it.ignores(Event::Lost(ConnId(9))));
    let _ = it.opens(3);
    let deaf = |it: &mut Sut<Client>| {
        for msg in [admitted(), ToPlayer::Echo, ToPlayer::LoggedOut, ToPlayer::Refused(Refusal::Replaced)] {
            assert!(matches!(it.is_told(9, msg), Step::Ignored(_)));
        }
        assert!(it.ignores(Event::Lost(ConnId(9))));
    };
    deaf(&mut it);
    let _ = it.is_told(3, admitted());
    deaf(&mut it);
    assert_eq!(it.is_told(3, ToPlayer::Echo), Step::Advanced);
    let _ = it.step(Event::Command(Command::Leave));
    deaf(&mut it);
}

#[test]
fn a_client_who_loses_his_connection_comes_back_by_the_shortest_way() {
    let mut it = Sut::in_room(script(2, None));
    let _ = it.step(Event::Lost(ConnId(3)));
    assert!(it.connects(4), "the token still leads back");
    let _ = it.step(Event::Lost(ConnId(4)));
    assert!(it.asks_room(5), "it did not: the session does");
    let _ = it.step(Event::Lost(ConnId(5)));
    assert_eq!(it.role.outcome(), Outcome::GaveUp);
    let mut it = Sut::in_room(script(0, None));
    let _ = it.step(Event::Lost(ConnId(3)));
    assert_eq!(it.role.outcome(), Outcome::GaveUp);
    let mut it = Sut::in_room(Script { resumes: false, ..script(1, None) });
    let _ = it.step(Event::Lost(ConnId(3)));
    assert!(it.asks_room(4));
    let mut it = Sut::begun(script(1, None));
    let _ = it.step(Event::Lost(ConnId(1)));
    let again = |e: &Effect| matches!(e, Effect::Send { conn: ConnId(2), msg: Message::Request(r) } if matches!(r.body, RequestBody::Login(_)));
    assert!(it.did(again), "without a session he logs in anew");
    let mut it = Sut::in_room(script(9, None));
    let _ = it.step(Event::Command(Command::Leave));
    let _ = it.step(Event::Lost(ConnId(3)));
    assert_eq!(it.role.outcome(), Outcome::GaveUp, "whoever leaves does not come back");
}

#[test]
fn a_client_who_is_refused_knows_when_to_stop() {
    for (why, ends) in [
        (Refusal::Replaced, Some(Outcome::Replaced)),
        (Refusal::Conflict, Some(Outcome::Replaced)),
        (Refusal::Busy, None),
    ] {
        let mut it = Sut::in_room(script(1, None));
        let _ = it.is_told(3, ToPlayer::Refused(why));
        assert!(it.closes(3));
        assert_eq!(ends.is_none(), it.asks_room(4));
        assert_eq!(it.role.outcome(), ends.unwrap_or(Outcome::Underway));
    }
    for (why, again) in [(Refusal::NoRoom, true), (Refusal::WrongCredentials, false)] {
        let mut it = Sut::begun(script(1, None));
        let _ = it.hears(1, Reply::Refused(why));
        let ends = if again { Outcome::Underway } else { Outcome::Refused(why) };
        assert_eq!(it.role.outcome(), ends);
        let logs_in = |body: &RequestBody| matches!(body, RequestBody::Login(_));
        let anew =
            |e: &Effect| matches!(e, Effect::Send { msg: Message::Request(r), .. } if logs_in(&r.body));
        assert_eq!(it.did(anew), again, "there is no session yet to ask for a room with");
    }
}

#[test]
fn a_client_who_waits_in_vain_closes_what_he_has() {
    for (advance, own, again) in [(0, 1, false), (1, 2, false), (2, 3, true), (3, 3, true)] {
        let mut it = Sut::begun(script(1, None));
        let steps: [fn(&mut Sut<Client>) -> Step; 3] =
            [|it| it.hears(1, logged_in()), |it| it.hears(2, sent_to_room()), |it| it.opens(3)];
        for step in &steps[..advance] {
            let _ = step(&mut it);
        }
        assert_eq!(it.step(Event::Fired(Timer::Reply)), Step::Advanced);
        assert_eq!(it.closes(own), again, "requests have no connection of their own");
        assert_eq!(it.asks_room(own + 1), advance > 0);
        let _ = it.step(Event::Fired(Timer::Reply));
        assert_eq!(it.role.outcome(), Outcome::GaveUp);
    }
    let mut it = Sut::in_room(script(1, None));
    assert!(it.ignores(Event::Fired(Timer::Reply)));
    let _ = it.step(Event::Command(Command::Leave));
    let _ = it.step(Event::Fired(Timer::Reply));
    assert!(it.closes(3) && it.role.outcome() == Outcome::GaveUp);
}

#[test]
fn cheats_cheat_once() {
    let mut it = Sut::begun(script(1, Some(Cheat::AnyKeyAgain)));
    let _ = it.hears(1, logged_in());
    let _ = it.hears(2, sent_to_room());
    let _ = it.opens(3);
    let refused = ToPlayer::Refused(Refusal::TokenUnknown);
    assert!(matches!(it.is_told(9, refused.clone()), Step::Ignored(_)));
    let _ = it.is_told(3, refused.clone());
    assert!(it.says(3, &entry(Some(RoomKey::new([0xff; 16])))) && !it.closes(3));
    let _ = it.is_told(3, refused);
    assert!(it.closes(3));
    let mut it = Sut::begun(script(1, Some(Cheat::EmptyKey)));
    let _ = it.hears(1, logged_in());
    let _ = it.hears(2, sent_to_room());
    let _ = it.opens(3);
    assert!(it.says(3, &entry(None)) && !it.says(3, &ToRoom::Heartbeat));
    let mut it = Sut::begun(script(1, Some(Cheat::TalksFirst)));
    let _ = it.hears(1, logged_in());
    let _ = it.hears(2, sent_to_room());
    let _ = it.opens(3);
    assert!(it.says(3, &entry(Some(key(7)))) && it.says(3, &ToRoom::Heartbeat));
    let mut it = Sut::in_room(script(1, Some(Cheat::LogsInAgain)));
    let _ = it.step(Event::Command(Command::Leave));
    let _ = it.is_told(3, ToPlayer::LoggedOut);
    assert!(it.says(3, &entry(Some(key(7)))) && !it.closes(3));
    let _ = it.is_told(3, admitted());
    let _ = it.is_told(3, ToPlayer::LoggedOut);
    assert!(it.closes(3));
    let mut it = Sut::in_room(script(1, Some(Cheat::ReplaysToken)));
    let _ = it.is_told(3, ToPlayer::LoggedOut);
    assert!(it.closes(3) && it.connects(4));
    let elsewhere = bounded("room:2").unwrap();
    let mut it = Sut::begun(script(1, Some(Cheat::GoesTo(elsewhere))));
    let _ = it.hears(1, logged_in());
    let _ = it.hears(2, sent_to_room());
    assert!(it.did(|e| *e == Effect::Connect { conn: ConnId(3), endpoint: elsewhere }));
}
