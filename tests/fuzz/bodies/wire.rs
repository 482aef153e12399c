//! The codecs of core: no panic, no limit passed, and what was read reads the same after it was written.

use gatepass_core::{
    ids::{RoomKey, SessionKey},
    text::{Endpoint, Name, Password, bounded, nickname},
    wire::{
        WireError,
        frame::{
            self, CMD_LEN, DATAGRAM_MAX, FLAG_ZLIB, FRAME_MAX, Frame, HEADER_LEN, INFLATE_MAX, decode,
            decode_exact,
        },
        http::{self, Answer, Asked, Request, SESSION_MAX},
        proto::{
            BallMove, ClientHeartBeat, EndPlayer, MsgAddPlayer, MsgBall, MsgBindTCPSession, MsgEndRoom,
            MsgLogin, MsgLoginResult, MsgPlayer, MsgPlayerBall, MsgPlayerSnap, MsgRemovePlayer, MsgSceneChat,
            MsgSceneUDP, MsgTop, ReqAddRoom, ReqCheckRelogin, ReqEndGame, ReqRemoveRoom, ReqServerLogin,
            ReqTSerUserNum, ReqUpdateRoom, ReqUpdateServer, RetErrorMsg, RetErrorMsgCmd, RetGateAddr,
            RetIntoFRoom, RetLoginMsg, RetServerLogin, RetVoiceInfo, S2SCmd, S2STypeCmd, WireMessage,
        },
        rcenter::{Down, Up},
        token_hash::UserData,
        udp,
    },
};

/// Three bytes are limits, the rest is what a peer sends.
pub(super) fn frame(bytes: &[u8]) {
    let Some((&[max, low, high], bytes)) = bytes.split_first_chunk() else { return };
    let (max, limit) = (usize::from(max) * 32, usize::from(u16::from_le_bytes([low, high])) * 2);
    match decode(bytes, max) {
        Err(WireError::FrameTooLong { len, max: limit }) => assert!(len > limit && limit == max),
        Err(other) => panic!("a frame is too long or nothing is wrong with it: {other}"),
        Ok(None) => assert!(bytes.len() < HEADER_LEN + max),
        Ok(Some((frame, used))) => {
            assert!(used <= bytes.len() && used <= HEADER_LEN + max);
            assert_eq!(decode(&bytes[..used], max), Ok(Some((frame, used))), "what follows changes nothing");
            inflates_within(&frame, limit);
            let mut out = Vec::new();
            frame.encode(&mut out).expect("what fitted a frame fits one");
            assert_eq!(decode_exact(&out, FRAME_MAX), Ok(frame));
        }
    }
    inflates_within(&Frame { flag: FLAG_ZLIB, cmd: 0, body: bytes }, limit);
    for encode in [frame::encode_plain, frame::encode_client, frame::encode_server] {
        let mut out = Vec::new();
        encode(7, bytes, &mut out).expect("no input is that long");
        let frame = decode_exact(&out, FRAME_MAX).expect("what is written is a frame");
        assert_eq!(frame.payload(INFLATE_MAX).expect("and inflates"), bytes);
    }
    let mut out = Vec::new();
    if frame::encode_datagram(7, bytes, &mut out).expect("no input is that long") {
        assert!(out.len() <= DATAGRAM_MAX);
        assert_eq!(decode_exact(&out, FRAME_MAX).and_then(|f| f.payload(INFLATE_MAX)).expect("whole"), bytes);
    } else {
        assert!(out.is_empty());
    }
}

fn inflates_within(frame: &Frame<'_>, limit: usize) {
    if let Ok(payload) = frame.payload(limit) {
        assert!(payload.len() <= limit || frame.flag != FLAG_ZLIB);
    }
}

/// What is read, written and read again is the same; also in the short form.
fn message<M: WireMessage>(body: &[u8]) {
    let Ok(read) = M::decode_body(body) else { return };
    let full = read.to_body();
    let again = M::decode_body(&full).expect("what is written can be read");
    // Bytes, not messages: a float that is no number differs from itself.
    assert_eq!(again.to_body(), full);
    let mut short = Vec::new();
    read.encode_minimal(&mut short);
    assert!(short.len() <= full.len());
    assert_eq!(M::decode_body(&short).expect("the short form can be read").to_body(), full);
}

/// The first byte says which message the others are.
pub(super) fn proto(bytes: &[u8]) {
    const MESSAGES: [fn(&[u8]); 33] = [
        message::<BallMove>,
        message::<ClientHeartBeat>,
        message::<EndPlayer>,
        message::<MsgAddPlayer>,
        message::<MsgBall>,
        message::<MsgBindTCPSession>,
        message::<MsgEndRoom>,
        message::<MsgLogin>,
        message::<MsgLoginResult>,
        message::<MsgPlayer>,
        message::<MsgPlayerBall>,
        message::<MsgPlayerSnap>,
        message::<MsgRemovePlayer>,
        message::<MsgSceneChat>,
        message::<MsgSceneUDP>,
        message::<MsgTop>,
        message::<ReqAddRoom>,
        message::<ReqCheckRelogin>,
        message::<ReqEndGame>,
        message::<ReqRemoveRoom>,
        message::<ReqServerLogin>,
        message::<ReqTSerUserNum>,
        message::<ReqUpdateRoom>,
        message::<ReqUpdateServer>,
        message::<RetErrorMsg>,
        message::<RetErrorMsgCmd>,
        message::<RetGateAddr>,
        message::<RetIntoFRoom>,
        message::<RetLoginMsg>,
        message::<RetServerLogin>,
        message::<RetVoiceInfo>,
        message::<S2SCmd>,
        message::<S2STypeCmd>,
    ];
    let Some((&which, body)) = bytes.split_first() else { return };
    MESSAGES[usize::from(which) % MESSAGES.len()](body);
}

/// The first byte says whether the others are a target, a cookie or an answer.
pub(super) fn http(bytes: &[u8]) {
    let Some((&which, rest)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    match which % 5 {
        0 => query(&text),
        1 => cookie(&text),
        2 => answer(Asked::Login, rest),
        3 => answer(Asked::Gateway, rest),
        _ => answer(Asked::Room, rest),
    }
}

fn query(target: &str) {
    let Ok(signed) = http::parse_query(target) else { return };
    let again = match &signed.request {
        Request::Login(login) => http::login_target(login),
        Request::Room(room) => http::room_target(room),
        Request::Gateway => http::gateway_target(),
    };
    assert!(http::request_line(&again).bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '));
    let again = http::parse_query(&again).expect("what is written can be read");
    assert!(again.is_signed());
    assert_eq!(again.request, signed.request);
}

fn cookie(header: &str) {
    if let Some(value) = http::session_from_cookie(header) {
        assert!(!value.is_empty() && value.len() <= SESSION_MAX);
        let again = http::cookie_header(value).expect("what is read can be written");
        assert_eq!(http::session_from_cookie(&again), Some(value));
    }
    if let Some(value) = http::session_from_set_cookie(header) {
        let again = http::set_cookie(value).expect("what is read can be written");
        assert_eq!(http::session_from_set_cookie(&again), Some(value));
    }
}

fn answer(asked: Asked, body: &[u8]) {
    let write = |answer: &Answer| match answer {
        Answer::LoggedIn(login) => http::encode_login_ok(login),
        Answer::Gateway(gateway) => http::encode_gateway(gateway),
        Answer::Room(room) => http::encode_room(room),
        Answer::Refused(code) => Ok(http::encode_error(*code)),
    };
    let Ok(read) = http::decode_answer(asked, body) else { return };
    // Text that was no text grows when it is mended, and so may the frame beyond what fits.
    let Ok(written) = write(&read) else { return };
    assert_eq!(http::decode_answer(asked, &written).expect("what is written can be read"), read);
}

/// A flag, a command and a body, in both directions between RoomServer and RCenter.
pub(super) fn center(bytes: &[u8]) {
    let Some((&[flag, cmd], body)) = bytes.split_first_chunk() else { return };
    let frame = Frame { flag, cmd: cmd.into(), body };
    let mut out = Vec::new();
    if let Ok(up) = Up::decode(&frame) {
        if let Up::S2S(forward) = &up
            && let Ok(inner) = forward.inner()
        {
            let mut forwarded = Vec::new();
            forward.encode_forwarded(&mut forwarded).expect("it came in a longer frame");
            assert_eq!(decode_exact(&forwarded, FRAME_MAX), Ok(inner));
        }
        if up.encode(&mut out).is_ok() {
            assert_eq!(Up::decode(&decode_exact(&out, FRAME_MAX).expect("a frame")), Ok(up));
        }
    }
    out.clear();
    if let Ok(down) = Down::decode(&frame)
        && down.encode(&mut out).is_ok()
    {
        assert_eq!(Down::decode(&decode_exact(&out, FRAME_MAX).expect("a frame")), Ok(down));
    }
}

/// A datagram, for either end.
pub(super) fn datagram(bytes: &[u8]) {
    if let Ok(bind) = udp::decode_bind(bytes) {
        assert!(bytes.len() <= udp::RECEIVED_MAX && bytes.len() >= HEADER_LEN + CMD_LEN);
        let mut out = Vec::new();
        // Text that was no text grows when it is mended.
        if udp::encode_bind(&bind, &mut out).is_ok() {
            assert_eq!(udp::decode_bind(&out), Ok(bind));
        }
    }
    let Ok(frame) = udp::decode_scene(bytes) else { return };
    assert!(bytes.len() <= DATAGRAM_MAX);
    let Ok(body) = frame.payload(INFLATE_MAX) else { return };
    let Ok(scene) = MsgSceneUDP::decode_body(&body) else { return };
    let mut out = Vec::new();
    if udp::encode_scene(&scene, &mut out).is_ok_and(|fits| fits) {
        let frame = udp::decode_scene(&out).expect("what is written can be read");
        let body = frame.payload(INFLATE_MAX).expect("and inflates");
        assert_eq!(MsgSceneUDP::decode_body(&body).map(|again| again.to_body()), Ok(scene.to_body()));
    }
}

/// Lines of a field's number, a colon and its text.
pub(super) fn token(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let fields = text.split('\n').filter_map(|line| {
        let (number, text) = line.split_once(':')?;
        let name = UserData::FIELDS.get(number.parse::<usize>().ok()?);
        Some((name.copied().unwrap_or(number), text))
    });
    let Ok(read) = UserData::decode(fields) else { return };
    let written = read.encode();
    let again = UserData::decode(written.iter().map(|(name, text)| (*name, text.as_str())));
    assert_eq!(again, Ok(read));
}

/// Names, keys and passwords.
pub(super) fn text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let kept = nickname(&text);
    assert_eq!(nickname(&kept), kept, "what is kept of a name is kept");
    if let Some(name) = bounded::<32>(&text) {
        let name: Name = name;
        assert_eq!(name.as_str(), text);
    }
    if let Some(endpoint) = bounded::<64>(&text) {
        let endpoint: Endpoint = endpoint;
        assert_eq!(endpoint.as_str(), text);
    }
    if let Some(password) = Password::new(&text) {
        assert_eq!(password.expose(), text.as_bytes());
        assert_eq!(format!("{password:?}"), format!("{:?}", Password::empty()), "it shows nothing of itself");
    }
    if let Some(key) = RoomKey::parse(&text) {
        assert!(key.expose().eq_ignore_ascii_case(text.as_bytes()));
    }
    if let Some(key) = SessionKey::parse(&text) {
        assert_eq!(SessionKey::parse(core::str::from_utf8(&key.expose()).expect("hex is text")), Some(key));
    }
}
