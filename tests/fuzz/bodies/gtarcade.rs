//! GTarcade: JSON as it was spelled, the signed payload, the local link and both of its ends.

use gatepass_core::{
    ids::ConnId,
    launcher::{
        GameEvent, GameNotice, Launch, Launcher, LauncherEvent, LauncherLink, LauncherNotice, LinkEffect,
        LinkSettings, LinkTimer,
    },
    verify::gtarcade::{Reason, Response, Settings, SignKey, SignKeys, Strict, base, check, sign},
    wire::{
        json,
        local::{
            Cipher, Encoding, Framing, Handover, Inbox, Item, Iv, Key, Message, Outcome, Padding, Profile,
            Side, Suite, frame, message::GameIds,
        },
        php::Php,
    },
};

/// What is read, written and read again is the same.
pub(super) fn json(bytes: &[u8]) {
    let Ok(value) = json::read(bytes, 32) else { return };
    let written = value.to_string();
    assert_eq!(json::read(written.as_bytes(), 32).as_ref(), Ok(&value));
    if let Some(members) = value.object() {
        assert!(members.settled().len() <= members.0.len());
        assert_eq!(members.repeats(), members.settled().len() < members.0.len());
    }
}

/// The first byte says which PHP signs; the others are members of a payload, which has the signature that is made
/// for it.
pub(super) fn payload(bytes: &[u8]) {
    let Some((&which, data)) = bytes.split_first() else { return };
    let php = [Php::V7, Php::V80, Php::V82][usize::from(which) % 3];
    let settings = Settings { php, strict: Strict::Log, ..Settings::default() };
    let key = SignKey::new("key");
    let keys = SignKeys { current: SignKey::new("other"), other: Some(key.clone()) };
    if let Ok(genuine) = check(data, &keys, &settings, 0) {
        let _ = genuine.account(Strict::Enforce);
    }
    if let Ok(response) = Response::read(data) {
        let _ = (response.message().len(), response.claimed_game(), response.claimed_account());
        let _ = response.check(&keys, &settings, i64::MAX);
    }
    let Ok(value) = json::read(data, 511) else { return };
    let Some(members) = value.object() else { return };
    let sign = sign(&base(members, php), &key).expose();
    let mut signed = members.clone();
    signed.0.retain(|(name, _)| name != "sign");
    let sign = std::str::from_utf8(&sign).expect("hex is text");
    signed.0.push(("sign".into(), json::Json::Text(sign.into())));
    let written = json::Json::Object(signed).to_string();
    match check(written.as_bytes(), &keys, &settings, 0) {
        Ok(_) | Err(Reason::TimeMissing | Reason::TimeNotInteger | Reason::TooLong) => {}
        Err(reason) => panic!("what is signed is genuine, not {reason}"),
    }
}

/// Everything that these reads bring; whether they end in a fault.
fn arrived<'a>(framing: Framing, reads: impl Iterator<Item = &'a [u8]>) -> (Vec<Item>, bool) {
    let (mut inbox, mut items) = (Inbox::new(framing), Vec::new());
    for read in reads {
        inbox.push(read);
        loop {
            match inbox.take() {
                Ok(None) => break,
                Ok(Some(item)) => items.push(item),
                Err(_) => return (items, true),
            }
        }
    }
    (items, inbox.finish().is_err())
}

/// Three bytes are the framing, the profile and the length of reads; the others come from a peer.
pub(super) fn local(bytes: &[u8]) {
    let Some((&[framing, profile, piece], bytes)) = bytes.split_first_chunk() else { return };
    let framing = [Framing::Len32Be, Framing::Line, Framing::None][usize::from(framing) % 3];
    let whole = arrived(framing, std::iter::once(bytes));
    if framing != Framing::None {
        assert_eq!(arrived(framing, bytes.chunks(usize::from(piece).max(1))), whole, "reads are no frames");
    }
    let suites = [Suite::Aes128Cbc, Suite::Aes256Cbc, Suite::Aes128Ecb, Suite::Aes256Ecb, Suite::Aes256Gcm];
    let pick = |shift: u8| usize::from(profile / shift);
    let profile = Profile {
        suite: suites[usize::from(profile) % 5],
        iv: [Iv::RandomPrepended, Iv::KeyPrefix, Iv::Zero, Iv::Fixed([1; 16])][pick(5) % 4],
        padding: [Padding::Pkcs7, Padding::Zero][pick(20) % 2],
        encoding: [Encoding::Raw, Encoding::Base64][pick(40) % 2],
        framing,
    };
    let key = "0123456789abcdef0123456789abcdef".get(..profile.suite.key_len()).expect("ASCII");
    let key = Key::parse(key, gatepass_core::wire::local::KeyFormat::Utf8).expect("any text is a key");
    let cipher = Cipher::new(&profile, &key).expect("it has the length");
    for item in whole.0 {
        let (Item::Frame(body) | Item::Guess(body)) = item else { continue };
        let _ = cipher.open(&body, Side::Game, 0);
    }
    let sealed = cipher.seal(bytes, Side::Game, 7, [3; 16]).expect("no input is that long");
    let opened = cipher.open(&sealed, Side::Game, 7).expect("what is sealed opens");
    // Zeros at the end are padding.
    let padded = profile.padding == Padding::Zero && profile.suite != Suite::Aes256Gcm;
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    assert_eq!(&opened[..], if padded { &bytes[..end] } else { bytes });
    if let Ok(message) = Message::read(bytes) {
        let known = !matches!(message, Message::Unknown { .. });
        let written = message.write();
        if written.len() <= gatepass_core::wire::local::TEXT_MAX && known {
            assert_eq!(Message::read(written.as_bytes()), Ok(message));
        }
    }
}

/// A frame with this text, as a peer without the per-start key could send it.
fn sealed(side: Side, text: &[u8]) -> Vec<u8> {
    let profile = LinkSettings::default().profile;
    let cipher = Cipher::new(&profile, &link_key()).expect("16 bytes");
    let sealed = cipher.seal(text, side, 0, [5; 16]).expect("no input is that long");
    frame::encode(profile.framing, &sealed).expect("it is not empty")
}

fn link_key() -> Key {
    Key::parse("0123456789abcdef", gatepass_core::wire::local::KeyFormat::Utf8).expect("16 bytes")
}

/// The first byte is the settings; then each piece is an event: its kind, the connection, a length and so many bytes.
pub(super) fn launcher(bytes: &[u8]) {
    let Some((&settings, mut bytes)) = bytes.split_first() else { return };
    let (gcm, require_gcm) = (settings & 1 != 0, settings & 2 != 0);
    let settings = LinkSettings { require_gcm, ..LinkSettings::default() };
    let [account, g_id, s_id, op_id] = ["a", "1", "2", "3"].map(String::from);
    let game = GameIds { account, g_id, s_id, op_id };
    let start = gcm.then(|| Key::new(&[4; 32]));
    let mut link = LauncherLink::new(&settings, game.clone(), &link_key(), start.as_ref()).expect("fits");
    let mut launcher = Launcher::new(settings, "9", &link_key()).expect("fits");
    launcher.expect(Launch { game, gcm: start });
    let mut over = false;
    while let Some((&[kind, conn, len], rest)) = bytes.split_first_chunk() {
        let (data, rest) = rest.split_at(usize::from(len).min(rest.len()));
        bytes = rest;
        let frame = match kind & 0x10 {
            0 => data.to_vec(),
            _ => sealed(if kind & 0x20 == 0 { Side::Game } else { Side::Launcher }, data),
        };
        let timer =
            [LinkTimer::First, LinkTimer::Beat, LinkTimer::Dead, LinkTimer::Silence][usize::from(len) % 4];
        let payload = || Handover::new(&String::from_utf8_lossy(data));
        let outcome = || Outcome { errcode: len.into(), text: String::from_utf8_lossy(data).into_owned() };
        let (game_event, launcher_event) = match kind & 0x0f {
            0 => (GameEvent::Opened, LauncherEvent::Opened),
            1 => (GameEvent::Fired(timer), LauncherEvent::Fired(timer)),
            2 => (GameEvent::Report(outcome()), LauncherEvent::Payload(payload())),
            3 => (GameEvent::Ended, LauncherEvent::Ended),
            4 => (GameEvent::Quit, LauncherEvent::Quit),
            _ => (GameEvent::Received(&frame), LauncherEvent::Received(&frame)),
        };
        let mut out: Vec<LinkEffect<GameNotice>> = Vec::new();
        let mut told: Vec<LinkEffect<LauncherNotice>> = Vec::new();
        link.step(game_event, [6; 16], &mut out);
        launcher.step(ConnId(conn.into()), launcher_event, [6; 16], &mut told);
        assert!(!over || out.is_empty(), "nothing follows the end");
        assert!(out.iter().rev().skip(1).all(|effect| *effect != LinkEffect::Close));
        assert!(told.iter().rev().skip(1).all(|effect| *effect != LinkEffect::Close));
        over |= out.contains(&LinkEffect::Close);
    }
}
