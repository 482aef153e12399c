use alloc::{format, string::String, vec, vec::Vec};

use proptest::{prelude::*, sample::Index};

use super::*;
use crate::{
    ids::ConnId,
    wire::local::{Cipher, Framing, Handover, Key, KeyFormat, Message, Outcome, Side, frame, message::*},
};

const CONN: ConnId = ConnId(1);
const RESPONSE: &str = "{ \"code\":0,\"data\":{\"account\":\"ann\",\"x\":\"\\/\u{4e2d}\"} }\n";

fn key() -> Key {
    Key::parse("TEST-AES-key-016", KeyFormat::Utf8).unwrap()
}

fn ids(account: &str) -> GameIds {
    GameIds { account: account.into(), g_id: "9".into(), s_id: "1308440003".into(), op_id: "503".into() }
}

fn link(settings: &LinkSettings, account: &str, gcm: bool) -> LauncherLink {
    let gcm = gcm.then(|| Key::new(&[3; 32]));
    LauncherLink::new(settings, ids(account), &key(), gcm.as_ref()).unwrap()
}

fn launcher(settings: &LinkSettings, gcm: bool) -> Launcher {
    let mut launcher = Launcher::new(*settings, "1212", &key()).unwrap();
    assert!(launcher.expect(Launch { game: ids("ann"), gcm: gcm.then(|| Key::new(&[3; 32])) }));
    launcher
}

/// Both ends and the bytes between them.
struct Pair {
    game: LauncherLink,
    host: Launcher,
    to_game: Vec<u8>,
    to_host: Vec<u8>,
    told: Vec<GameNotice>,
    heard: Vec<LauncherNotice>,
    closed: [bool; 2],
    random: u8,
}

impl Pair {
    fn new(game: LauncherLink, host: Launcher) -> Self {
        let (to_game, to_host, told, heard) = (vec![], vec![], vec![], vec![]);
        let mut pair = Self { game, host, to_game, to_host, told, heard, closed: [false; 2], random: 0 };
        pair.host(LauncherEvent::Opened);
        pair.game(GameEvent::Opened);
        pair
    }

    fn game(&mut self, event: GameEvent<'_>) {
        let mut out = Vec::new();
        self.random = self.random.wrapping_add(1);
        self.game.step(event, [self.random; 16], &mut out);
        for effect in out {
            match effect {
                LinkEffect::Send(bytes) => self.to_host.extend(bytes),
                LinkEffect::Close => self.closed[0] = true,
                LinkEffect::Tell(notice) => self.told.push(notice),
                LinkEffect::Arm(..) | LinkEffect::Disarm(_) => {}
            }
        }
    }

    fn host(&mut self, event: LauncherEvent<'_>) {
        let mut out = Vec::new();
        self.random = self.random.wrapping_add(1);
        self.host.step(CONN, event, [self.random; 16], &mut out);
        for effect in out {
            match effect {
                LinkEffect::Send(bytes) => self.to_game.extend(bytes),
                LinkEffect::Close => self.closed[1] = true,
                LinkEffect::Tell(notice) => {
                    let asks = matches!(notice, LauncherNotice::Associated { .. });
                    self.heard.push(notice);
                    if asks {
                        self.host(LauncherEvent::Payload(Handover::new(RESPONSE)));
                    }
                }
                LinkEffect::Arm(..) | LinkEffect::Disarm(_) => {}
            }
        }
    }

    /// Carries bytes until nothing moves, in pieces of these lengths.
    fn carry(&mut self, pieces: &[usize]) {
        let mut pieces = pieces.iter().copied().cycle();
        let mut piece = |bytes: &mut Vec<u8>| {
            let len = pieces.next().unwrap_or(usize::MAX).clamp(1, bytes.len().max(1));
            bytes.drain(..len.min(bytes.len())).collect::<Vec<_>>()
        };
        while !self.to_game.is_empty() || !self.to_host.is_empty() {
            let (to_game, to_host) = (piece(&mut self.to_game), piece(&mut self.to_host));
            if !to_host.is_empty() {
                self.host(LauncherEvent::Received(&to_host));
            }
            if !to_game.is_empty() {
                self.game(GameEvent::Received(&to_game));
            }
        }
    }
}

fn success() -> Outcome {
    Outcome { errcode: 0, text: "success".into() }
}

/// What a login tells both ends when all goes well.
fn check_login(settings: &LinkSettings, gcm: [bool; 2], pieces: &[usize], hardened: bool) {
    let mut pair = Pair::new(link(settings, "ann", gcm[0]), launcher(settings, gcm[1]));
    pair.carry(pieces);
    pair.host(LauncherEvent::Fired(LinkTimer::Beat));
    pair.carry(pieces);
    pair.game(GameEvent::Report(success()));
    pair.carry(pieces);
    let linked = GameNotice::Linked { client_id: "1".into(), code: CODE_WAITING.into() };
    assert_eq!(pair.told, [linked, GameNotice::Payload(Handover::new(RESPONSE))]);
    let associated = LauncherNotice::Associated { game: ids("ann"), client_id: "1".into() };
    assert_eq!(pair.heard, [associated, LauncherNotice::Result(success())]);
    assert_eq!(
        pair.host.games().map(|(_, _, outcome)| outcome.cloned()).collect::<Vec<_>>(),
        [Some(success())]
    );
    assert_eq!(pair.closed, [false; 2]);
    assert!(!hardened || !format!("{pair:?}", pair = pair.game).contains("Aes128"), "{:?}", pair.game);
}

#[test]
fn both_ends_switch_to_gcm_if_both_can() {
    let settings = LinkSettings::default();
    for (gcm, hardened) in
        [([false, false], false), ([true, false], false), ([false, true], false), ([true, true], true)]
    {
        check_login(&settings, gcm, &[7], hardened);
    }
    check_login(&LinkSettings { require_gcm: true, ..settings }, [true, true], &[7], true);
}

#[test]
fn who_requires_gcm_goes_on_with_nothing_else() {
    let plain = LinkSettings::default();
    let strict = LinkSettings { require_gcm: true, ..plain };
    for (game, host, over) in [(strict, plain, 0), (plain, strict, 1)] {
        let mut pair = Pair::new(link(&game, "ann", over == 0), launcher(&host, over == 1));
        pair.carry(&[1000]);
        let told = pair.told.contains(&GameNotice::Over(Over::NotHardened));
        let heard = pair.heard.contains(&LauncherNotice::Over(Over::NotHardened));
        assert_eq!(([told, heard][over], pair.closed[over]), (true, true));
        assert!(!pair.told.iter().any(|notice| matches!(notice, GameNotice::Payload(_))));
    }
}

#[test]
fn a_game_that_nobody_started_is_refused() {
    for account in ["bob", "Ann", "ann "] {
        let settings = LinkSettings::default();
        let mut pair = Pair::new(link(&settings, account, false), launcher(&settings, false));
        pair.carry(&[1000]);
        assert_eq!(pair.heard, [LauncherNotice::Over(Over::Stranger)]);
        assert_eq!((&pair.told[..], pair.closed), (&[][..], [false, true]));
    }
}

#[test]
fn a_started_game_connects_once() {
    let settings = LinkSettings::default();
    let mut host = launcher(&settings, false);
    let mut seen = Vec::new();
    for conn in [1, 2] {
        let (mut game, mut out, mut told) = (link(&settings, "ann", false), vec![], vec![]);
        game.step(GameEvent::Opened, [1; 16], &mut out);
        host.step(ConnId(conn), LauncherEvent::Opened, [2; 16], &mut told);
        for effect in out {
            if let LinkEffect::Send(bytes) = effect {
                host.step(ConnId(conn), LauncherEvent::Received(&bytes), [3; 16], &mut told);
            }
        }
        seen.push(told.contains(&LinkEffect::Close));
    }
    assert_eq!(seen, [false, true]);
}

/// A message of the other side, as it stands on the wire.
fn sealed(side: Side, message: &Message) -> Vec<u8> {
    let profile = LinkSettings::default().profile;
    let cipher = Cipher::new(&profile, &key()).unwrap();
    let sealed = cipher.seal(message.write().as_bytes(), side, 0, [9; 16]).unwrap();
    frame::encode(profile.framing, &sealed).unwrap()
}

fn status(gta_id: &str, client_id: &str, payload: Option<&str>) -> Message {
    let link = LinkIds { gta_id: gta_id.into(), client_id: client_id.into() };
    Message::Status { link, code: "0".into(), payload: payload.map(Handover::new), proto: None }
}

fn result(account: &str, gta_id: &str, client_id: &str) -> Message {
    let link = LinkIds { gta_id: gta_id.into(), client_id: client_id.into() };
    Message::Result { outcome: success(), link, game: ids(account) }
}

#[test]
fn messages_for_others_are_dropped_by_games_and_end_a_link_at_the_launcher() {
    let settings = LinkSettings::default();
    let ready = || {
        let mut pair = Pair::new(link(&settings, "ann", false), launcher(&settings, false));
        pair.carry(&[1000]);
        pair.told.clear();
        pair.heard.clear();
        pair
    };
    for (gta_id, client_id) in [("1213", "1"), ("1212", "2")] {
        let mut pair = ready();
        pair.game(GameEvent::Received(&sealed(Side::Launcher, &status(gta_id, client_id, Some(RESPONSE)))));
        assert_eq!((&pair.told[..], pair.closed[0]), (&[GameNotice::Foreign][..], false));
        pair.host(LauncherEvent::Received(&sealed(Side::Game, &result("ann", gta_id, client_id))));
        assert_eq!((&pair.heard[..], pair.closed[1]), (&[LauncherNotice::Over(Over::Foreign)][..], true));
    }
    let mut pair = ready();
    pair.host(LauncherEvent::Received(&sealed(Side::Game, &result("bob", "1212", "1"))));
    assert_eq!(pair.heard, [LauncherNotice::Over(Over::Foreign)]);
    let mut pair = ready();
    let other = RESPONSE.replace("ann", "bob");
    pair.game(GameEvent::Received(&sealed(Side::Launcher, &status("1212", "1", Some(&other)))));
    assert_eq!(pair.told, [GameNotice::WrongAccount]);
}

#[test]
fn timers_end_what_is_late_or_dead() {
    let settings = LinkSettings::default();
    for (timer, over) in [(LinkTimer::First, Over::TooSlow), (LinkTimer::Dead, Over::Dead)] {
        let mut pair = Pair::new(link(&settings, "ann", false), launcher(&settings, false));
        pair.game(GameEvent::Fired(timer));
        pair.host(LauncherEvent::Fired(timer));
        assert_eq!(pair.told, [GameNotice::Over(over)]);
        assert_eq!(pair.heard, [LauncherNotice::Over(over)]);
        assert_eq!(pair.closed, [true; 2]);
    }
}

#[test]
fn without_framing_a_login_is_guessed_together() {
    let mut settings = LinkSettings::default();
    settings.profile.framing = Framing::None;
    settings.profile.encoding = crate::wire::local::Encoding::Base64;
    let mut pair = Pair::new(link(&settings, "ann", false), launcher(&settings, false));
    for _ in 0..4 {
        pair.carry(&[usize::MAX]);
        pair.host(LauncherEvent::Fired(LinkTimer::Silence));
        pair.game(GameEvent::Fired(LinkTimer::Silence));
    }
    assert!(pair.told.contains(&GameNotice::Payload(Handover::new(RESPONSE))), "{:?}", pair.told);
}

#[test]
fn a_payload_may_come_with_the_start_and_not_over_the_link() {
    let settings = LinkSettings { payload_by: PayloadBy::LaunchParameter, ..LinkSettings::default() };
    for (settings, disarmed) in [(settings, true), (LinkSettings::default(), false)] {
        let (mut game, mut out) = (link(&settings, "ann", false), Vec::new());
        game.step(GameEvent::Opened, [1; 16], &mut out);
        game.step(GameEvent::Received(&sealed(Side::Launcher, &status("9", "1", None))), [2; 16], &mut out);
        assert_eq!(out.contains(&LinkEffect::Disarm(LinkTimer::First)), disarmed);
    }
}

#[test]
fn places_are_bounded() {
    let mut host = Launcher::new(LinkSettings::default(), "1", &key()).unwrap();
    let launch = Launch { game: ids("ann"), gcm: None };
    assert_eq!((0..LINKS_MAX + 1).filter(|_| host.expect(launch.clone())).count(), LINKS_MAX);
    assert!(host.forget(&launch.game) && host.expect(launch));
    assert!(!host.forget(&ids("bob")));
    let mut out = Vec::new();
    for conn in 0..=LINKS_MAX as u64 {
        out.clear();
        host.step(ConnId(conn), LauncherEvent::Opened, [0; 16], &mut out);
    }
    assert_eq!(out, [LinkEffect::Tell(LauncherNotice::Over(Over::Full)), LinkEffect::Close]);
}

#[test]
fn too_long_an_answer_of_the_platform_is_not_sent() {
    let settings = LinkSettings::default();
    let mut pair = Pair::new(link(&settings, "ann", false), launcher(&settings, false));
    pair.carry(&[1000]);
    pair.host(LauncherEvent::Payload(Handover::new(&"x".repeat(70_000))));
    assert_eq!((pair.heard.last(), pair.closed), (Some(&LauncherNotice::TooLong), [false; 2]));
}

/// Bytes that a peer may send: whole messages of either side, heartbeats, and others.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let messages = [
        Message::Associate { game: ids("ann"), proto: None },
        Message::Associate { game: ids("ann"), proto: Some("2".into()) },
        status("1212", "1", None),
        status("1212", "1", Some(RESPONSE)),
        status("0", "1", Some("{}")),
        result("ann", "1212", "1"),
        result("ann", "1212", "7"),
        Message::Unknown { id: "7".into() },
    ];
    let frames: Vec<_> = messages
        .iter()
        .flat_map(|message| [Side::Game, Side::Launcher].map(|side| sealed(side, message)))
        .collect();
    prop_oneof![6 => prop::sample::select(frames), 2 => Just(b"0".to_vec()), 1 => any::<Vec<u8>>()]
}

fn timer() -> impl Strategy<Value = LinkTimer> {
    prop::sample::select(vec![LinkTimer::First, LinkTimer::Beat, LinkTimer::Dead, LinkTimer::Silence])
}

fn count<N>(out: &[LinkEffect<N>], is: fn(&LinkEffect<N>) -> bool) -> usize {
    out.iter().filter(|effect| is(effect)).count()
}

proptest! {
    #[test]
    fn a_login_goes_well_in_any_pieces(
        pieces in proptest::collection::vec(1usize..300, 1..6),
        gcm: bool,
        line: bool,
    ) {
        let mut settings = LinkSettings::default();
        if line {
            settings.profile.framing = Framing::Line;
            settings.profile.encoding = crate::wire::local::Encoding::Base64;
        }
        check_login(&settings, [gcm; 2], &pieces, gcm);
    }

    /// Whatever happens in whatever state: few effects, at most one message, and none after the end.
    #[test]
    fn every_event_in_every_state(
        events in proptest::collection::vec((0u8..6, bytes(), timer(), 0u64..3), 1..24),
        gcm: bool,
        require_gcm: bool,
    ) {
        let settings = LinkSettings { require_gcm, ..LinkSettings::default() };
        let (mut game, mut host) = (link(&settings, "ann", gcm), launcher(&settings, gcm));
        let (mut game_over, mut open) = (false, [false; 3]);
        for (kind, bytes, timer, conn) in events {
            let (mut out, mut told) = (Vec::new(), Vec::new());
            let (mut game_event, mut host_event) =
                (GameEvent::Received(&bytes), LauncherEvent::Received(&bytes));
            match kind {
                0 => (game_event, host_event) = (GameEvent::Opened, LauncherEvent::Opened),
                1 => (game_event, host_event) = (GameEvent::Fired(timer), LauncherEvent::Fired(timer)),
                2 => {
                    game_event = GameEvent::Report(success());
                    host_event = LauncherEvent::Payload(Handover::new(RESPONSE));
                }
                3 if conn == 0 => (game_event, host_event) = (GameEvent::Ended, LauncherEvent::Ended),
                4 if conn == 0 => (game_event, host_event) = (GameEvent::Quit, LauncherEvent::Quit),
                _ => {}
            }
            let opens = host_event == LauncherEvent::Opened;
            game.step(game_event, [7; 16], &mut out);
            host.step(ConnId(conn), host_event, [7; 16], &mut told);
            prop_assert!(out.len() <= 8 && told.len() <= 8, "{out:?} {told:?}");
            prop_assert!(count(&out, |it| matches!(it, LinkEffect::Send(bytes) if bytes.len() > 2)) <= 1);
            prop_assert!(count(&told, |it| matches!(it, LinkEffect::Send(bytes) if bytes.len() > 2)) <= 1);
            prop_assert!(!game_over || out.is_empty());
            let open = &mut open[conn as usize];
            *open |= opens;
            prop_assert!(*open || told.is_empty());
            game_over |= out.contains(&LinkEffect::Close);
            *open &= !told.contains(&LinkEffect::Close);
            // The end is the last that is heard.
            for closes in [out.iter().position(|it| *it == LinkEffect::Close).map(|at| at + 1 == out.len()),
                told.iter().position(|it| *it == LinkEffect::Close).map(|at| at + 1 == told.len())] {
                prop_assert!(closes != Some(false));
            }
        }
    }

    /// A byte that is changed on its way ends the link, and nobody says why: nothing but heartbeats leaves.
    #[test]
    fn a_changed_byte_under_gcm_ends_the_link_in_silence(at: Index, flip in 1u8..) {
        let settings = LinkSettings::default();
        let mut pair = Pair::new(link(&settings, "ann", true), launcher(&settings, true));
        pair.carry(&[usize::MAX]);
        pair.game(GameEvent::Report(success()));
        let at = at.index(pair.to_host.len());
        pair.to_host[at] ^= flip;
        let heard = pair.heard.len();
        let bytes = core::mem::take(&mut pair.to_host);
        pair.host(LauncherEvent::Received(&bytes));
        // A length that grew waits for more, until the game is dead.
        if pair.heard.len() > heard {
            prop_assert_eq!(&pair.heard[heard..], &[LauncherNotice::Over(Over::Unreadable)]);
            prop_assert!(pair.closed[1]);
        }
        prop_assert_eq!(pair.to_game.len(), 0);
        prop_assert!(!pair.heard.iter().any(|it| matches!(it, LauncherNotice::Result(_))));
    }
}

#[test]
fn nothing_secret_is_shown() {
    let settings = LinkSettings::default();
    let mut pair = Pair::new(link(&settings, "ann", true), launcher(&settings, true));
    pair.carry(&[usize::MAX]);
    let shown: String = format!("{:?} {:?} {:?} {:?}", pair.game, pair.host, pair.told, pair.heard);
    for secret in ["TEST-AES", "\"ann\"", "code\\\"", "[3, 3"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

#[test]
fn a_message_that_ends_in_no_padding_ends_in_silence() {
    let mut settings = LinkSettings::default();
    settings.profile.framing = Framing::None;
    settings.profile.encoding = crate::wire::local::Encoding::Base64;
    let cipher = Cipher::new(&settings.profile, &key()).unwrap();
    let frames = (0..64).map(|len| {
        let link = LinkIds { gta_id: "9".into(), client_id: "1".into() };
        let message = Message::Status { link, code: "0".repeat(len + 1), payload: None, proto: None };
        cipher.seal(message.write().as_bytes(), Side::Launcher, 0, [9; 16]).unwrap()
    });
    let frame = frames.into_iter().find(|frame| !frame.ends_with(b"=")).expect("one of three lengths");
    let (mut game, mut out) = (link(&settings, "ann", false), Vec::new());
    game.step(GameEvent::Opened, [1; 16], &mut out);
    out.clear();
    let waits = LinkEffect::Arm(LinkTimer::Silence, SILENCE);
    let linked = |out: &[LinkEffect<GameNotice>]| {
        out.iter().any(|effect| matches!(effect, LinkEffect::Tell(GameNotice::Linked { .. })))
    };
    game.step(GameEvent::Received(&frame), [2; 16], &mut out);
    assert!(out.contains(&waits) && !linked(&out), "more may come");
    out.clear();
    game.step(GameEvent::Fired(LinkTimer::Silence), [3; 16], &mut out);
    assert!(linked(&out) && !out.contains(&waits));
    let (mut framed, mut out) = (link(&LinkSettings::default(), "ann", false), Vec::new());
    framed.step(GameEvent::Opened, [1; 16], &mut out);
    framed.step(GameEvent::Received(&[0, 0]), [2; 16], &mut out);
    assert!(!out.contains(&waits), "it says itself where it ends");
}

#[test]
fn of_two_alike_neither_has_a_key_of_its_own() {
    let gcm = || Some(Key::new(&[3; 32]));
    for (first, second, fits) in [
        (None, Launch { game: ids("ann"), gcm: None }, true),
        (gcm(), Launch { game: ids("ann"), gcm: None }, false),
        (None, Launch { game: ids("ann"), gcm: gcm() }, false),
        (gcm(), Launch { game: ids("ann"), gcm: gcm() }, false),
        (gcm(), Launch { game: ids("bob"), gcm: gcm() }, true),
    ] {
        let mut host = Launcher::new(LinkSettings::default(), "1", &key()).unwrap();
        assert!(host.expect(Launch { game: ids("ann"), gcm: first }));
        assert_eq!(host.expect(second), fits);
    }
}

#[test]
fn ends_have_names_of_their_own() {
    let all = [
        Over::Quit,
        Over::Ended,
        Over::TooSlow,
        Over::Dead,
        Over::Unreadable,
        Over::NotHardened,
        Over::Stranger,
        Over::Foreign,
        Over::Full,
    ];
    let names: alloc::collections::BTreeSet<_> = all.iter().map(|over| over.name()).collect();
    assert_eq!(names.len(), all.len());
}
