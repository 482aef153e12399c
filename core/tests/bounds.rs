//! Every bound on bytes is taken exactly, and nothing beyond it.

use std::cmp::Ordering;

use gatepass_core::{
    text::Password,
    verify::verifier::Unproven,
    wire::{
        WireError,
        frame::{self, DATAGRAM_MAX},
        gamecloud::{
            call::{Call, CallFault, DEPTH_MAX, PARAMETERS_MAX, REQUEST_MAX, Request},
            engine::{self, BODY_MAX, EngineFault},
            reply::{self, Code},
            socket::{self, SocketFault},
        },
        http::{TARGET_MAX, parse_query},
        json,
        local::{
            Profile, TEXT_MAX,
            cipher::{Cipher, Encoding, Key, Side, Suite},
            frame::{FRAME_MAX, FrameFault, Framing, Inbox, Item, UNFRAMED_MAX, encode},
            message::{GameIds, Handover, LinkIds, Message, MessageFault, Outcome},
        },
        udp,
    },
};

/// Something is taken up to a size, which is the bound, and refused from there on.
#[track_caller]
fn exactly(bound: usize, takes: impl Fn(usize) -> bool) {
    assert!(takes(bound - 1) && takes(bound), "{bound}");
    assert!(!takes(bound + 1) && !takes(bound + 2), "beyond {bound}");
}

/// A text, filled up with spaces behind it.
fn filled(text: &str, len: usize) -> String {
    format!("{text}{}", " ".repeat(len - text.len()))
}

#[test]
fn requests_of_gamecloud() {
    exactly(REQUEST_MAX, |len| Request::from_query(&format!("a={}", "x".repeat(len - 2))).is_ok());
    exactly(REQUEST_MAX, |len| Request::from_json(filled("{}", len).as_bytes()).is_ok());
    exactly(REQUEST_MAX, |len| socket::read(&filled("2[\"req\",{}]", len)).is_ok());
    let members = |count: usize, name: &dyn Fn(usize) -> String| {
        let members: Vec<_> = (0..count).map(|n| format!("{}=", name(n))).collect();
        Request::from_query(&members.join("&"))
    };
    exactly(PARAMETERS_MAX, |count| members(count, &|n| format!("a{n}")).is_ok());
    exactly(PARAMETERS_MAX, |count| members(count, &|n| format!("oemInfo[a{n}]")).is_ok());
    let mixed = |n: usize| if n.is_multiple_of(2) { format!("a{n}") } else { format!("oemInfo[a{n}]") };
    exactly(PARAMETERS_MAX, |count| members(count, &mixed).is_ok());
    assert_eq!(members(PARAMETERS_MAX + 1, &mixed).err(), Some(CallFault::TooMany));
}

#[test]
fn requests_of_gamecloud_are_as_deep_wherever_they_come() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    exactly(DEPTH_MAX, |depth| Request::from_json(nested(depth).as_bytes()).is_ok());
    exactly(DEPTH_MAX, |depth| socket::read(&format!("2[\"req\",{}]", nested(depth))).is_ok());
    // What the client says of itself stands inside of the request, written out or as a text.
    exactly(DEPTH_MAX - 1, |depth| {
        Request::from_json(format!("{{\"oemInfo\":{}}}", nested(depth)).as_bytes()).is_ok()
    });
    exactly(DEPTH_MAX - 1, |depth| {
        Request::from_json(format!("{{\"oemInfo\":{}}}", json::Quoted(&nested(depth))).as_bytes()).is_ok()
    });
}

#[test]
fn a_token_is_shown_or_not() {
    for (oem, token) in [
        ("{\"token\":\"t\"}", Some("t")),
        ("{\"token\":\"\"}", None),
        ("{\"token\":1}", None),
        ("{}", None),
        ("null", None),
    ] {
        let request = Request::from_json(format!("{{\"oemInfo\":{oem}}}").as_bytes()).unwrap();
        let value = request.json().unwrap();
        assert_eq!(Call::read(&value).unwrap().token(), token, "{oem}");
    }
}

#[test]
fn packets_of_engine_io() {
    let body = |units: usize| format!("{units}:4{}", "x".repeat(units - 1));
    exactly(BODY_MAX, |len| engine::read_body(body(len - "65530:".len()).as_bytes()).is_ok());
    let beyond = body(BODY_MAX);
    assert_eq!(engine::read_body(beyond.as_bytes()).err(), Some(EngineFault::TooLong { len: BODY_MAX + 6 }));
    exactly(6, |digits| engine::read_body(format!("{:0>digits$}:4", 1).as_bytes()).is_ok());
    exactly(15, |digits| socket::read(&format!("2{:0>digits$}[\"req\",{{}}]", 1)).is_ok());
    let number = socket::read(&format!("2{:0>16}[\"req\",{{}}]", 1));
    assert_eq!(number.err(), Some(SocketFault::NotAnEvent));
}

#[test]
fn targets_and_datagrams() {
    exactly(TARGET_MAX, |len| parse_query(&format!("{:x<len$}", "/msg?c=2&x=")).is_ok());
    let datagram = |len: usize| {
        let mut bytes = Vec::new();
        frame::encode_plain(1, &vec![0; len - frame::HEADER_LEN - frame::CMD_LEN], &mut bytes).unwrap();
        bytes
    };
    exactly(DATAGRAM_MAX, |len| udp::decode_scene(&datagram(len)).is_ok());
    for len in [DATAGRAM_MAX + 1, DATAGRAM_MAX + 2] {
        let refused = Err(WireError::DatagramTooLong { len, max: DATAGRAM_MAX });
        assert_eq!(udp::decode_scene(&datagram(len)), refused);
    }
    let mut trailing = datagram(20);
    trailing.extend_from_slice(&[0; 7]);
    assert_eq!(udp::decode_scene(&trailing), Err(WireError::TrailingBytes { extra: 7 }));
    assert_eq!(udp::RECEIVED_MAX, DATAGRAM_MAX - 1);
}

type Encode = fn(u16, &[u8], &mut Vec<u8>) -> Result<(), WireError>;

#[test]
fn only_what_gets_shorter_is_compressed() {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let noise: Vec<u8> = (0..frame::COMPRESS_FROM).map(|_| noise()).collect();
    let mut seen = [false; 3];
    for zeros in 0..64 {
        let body = [&vec![0; zeros], &noise[zeros..]].concat();
        let encoded = |encode: Encode| {
            let mut out = Vec::new();
            encode(1, &body, &mut out).unwrap();
            out
        };
        let [plain, packed] = [frame::encode_plain, frame::encode_server].map(encoded);
        let shorter = packed.len() < plain.len();
        assert_eq!(encoded(frame::encode_client), if shorter { packed.clone() } else { plain.clone() });
        seen[match packed.len().cmp(&plain.len()) {
            Ordering::Less => 0,
            Ordering::Equal => 1,
            Ordering::Greater => 2,
        }] = true;
    }
    assert_eq!(seen, [true; 3], "shorter, as long, longer");
}

/// What this brings, up to the first fault or the end.
fn items(framing: Framing, bytes: &[u8]) -> Result<Vec<Item>, FrameFault> {
    let (mut inbox, mut items) = (Inbox::new(framing), Vec::new());
    inbox.push(bytes);
    while let Some(item) = inbox.take()? {
        items.push(item);
    }
    Ok(items)
}

#[test]
fn frames_of_the_local_link() {
    for (framing, max) in
        [(Framing::Len32Be, FRAME_MAX), (Framing::Line, UNFRAMED_MAX), (Framing::None, UNFRAMED_MAX)]
    {
        exactly(max, |len| encode(framing, &vec![b'a'; len]).is_ok());
        let frame = encode(framing, &vec![b'a'; max]).unwrap();
        let whole = if framing == Framing::None { vec![] } else { vec![Item::Frame(vec![b'a'; max])] };
        assert_eq!(items(framing, &frame), Ok(whole), "{framing:?}");
    }
    exactly(UNFRAMED_MAX, |len| items(Framing::Line, &vec![b'a'; len]).is_ok());
    exactly(UNFRAMED_MAX, |len| items(Framing::None, &vec![b'a'; len]).is_ok());
    let counted = |len: usize| u32::try_from(len).unwrap().to_be_bytes();
    exactly(FRAME_MAX, |len| items(Framing::Len32Be, &counted(len)).is_ok());
}

#[test]
fn only_an_unframed_message_waits_for_silence() {
    for (framing, bytes, waits) in [
        (Framing::None, &b"YQ"[..], true),
        (Framing::None, b"", false),
        (Framing::Line, b"YQ", false),
        (Framing::Len32Be, b"\0\0", false),
    ] {
        let mut inbox = Inbox::new(framing);
        inbox.push(bytes);
        assert_eq!(inbox.waits_for_silence(), waits, "{framing:?} {bytes:?}");
    }
}

#[test]
fn messages_of_the_local_link() {
    exactly(TEXT_MAX, |len| Message::read(filled("{\"msg_id\":\"7\"}", len).as_bytes()).is_ok());
    exactly(256, |len| Message::read(format!("{{\"msg_id\":\"{:7<len$}\"}}", 7).as_bytes()).is_ok());
    let long = Message::read(format!("{{\"msg_id\":\"{:7<257}\"}}", 7).as_bytes());
    assert_eq!(long, Err(MessageFault::Type("msg_id")));
    let profile = Profile { suite: Suite::Aes256Cbc, ..Profile::default() };
    let cipher = Cipher::new(&profile, &Key::new(&[9; 32])).unwrap();
    exactly(TEXT_MAX, |len| cipher.seal(&vec![b' '; len], Side::Game, 0, [1; 16]).is_ok());
    let sealed = cipher.seal(&[b' '; TEXT_MAX], Side::Game, 0, [1; 16]).unwrap();
    assert_eq!(cipher.open(&sealed, Side::Game, 0).unwrap().len(), TEXT_MAX);
}

#[test]
fn results_of_the_local_link() {
    let ids = "\"account\":\"ann\",\"g_id\":9,\"s_id\":8,\"op_id\":7,\"gta_id\":1,\"client_id\":2";
    let read = |errcode: &str, outer: &str, data: &str| {
        let text = format!("{{{outer}\"errcode\":{errcode},\"msg\":\"no\",\"data\":{data}}}");
        match Message::read(text.as_bytes()) {
            Ok(Message::Result { outcome, .. }) => Ok((outcome.errcode, outcome.is_success())),
            Ok(other) => panic!("{other:?}"),
            Err(fault) => Err(fault),
        }
    };
    let with_id = |id: u8| format!("{{{ids},\"msg_id\":{id}}}");
    let (one, bare) = (with_id(1), format!("{{{ids}}}"));
    for (errcode, expected) in [
        ("0", Ok((0, true))),
        ("\"0\"", Ok((0, true))),
        ("-7", Ok((-7, false))),
        ("\"-7\"", Ok((-7, false))),
        ("\"07\"", Err(MessageFault::Type("errcode"))),
        ("\"\"", Err(MessageFault::Type("errcode"))),
        ("true", Err(MessageFault::Type("errcode"))),
        ("null", Err(MessageFault::Missing("errcode"))),
    ] {
        assert_eq!(read(errcode, "", &one), expected, "{errcode}");
    }
    let outer = "\"msg_id\":1,";
    for (outer, data, expected) in [
        ("", one.clone(), Ok((0, true))),
        ("", format!("[{one}]"), Ok((0, true))),
        (outer, bare, Ok((0, true))),
        (outer, one.clone(), Ok((0, true))),
        (outer, with_id(9), Err(MessageFault::Conflict("msg_id"))),
        (outer, format!("[{one},{one}]"), Err(MessageFault::Data)),
        ("", "[]".into(), Err(MessageFault::Data)),
    ] {
        assert_eq!(read("0", outer, &data), expected, "{outer} {data}");
    }
    let names = [FrameFault::TooLong, FrameFault::BadFrame, FrameFault::Cut].map(FrameFault::name);
    assert_eq!(names, ["too_long", "bad_frame", "eof_in_frame"]);
}

#[test]
fn ids_are_written_as_integers_while_every_reader_keeps_them() {
    for (id, written) in [
        ("0", "0"),
        ("9007199254740991", "9007199254740991"),
        ("9007199254740992", "\"9007199254740992\""),
        ("-1", "\"-1\""),
        ("07", "\"07\""),
    ] {
        let text = |text: &str| text.to_owned();
        let game = GameIds { account: text("ann"), g_id: text(id), s_id: text("1"), op_id: text("1") };
        let link = LinkIds { gta_id: text("1"), client_id: text("1") };
        let result = Message::Result { outcome: Outcome { errcode: 0, text: text("") }, link, game };
        assert!(result.write().contains(&format!("\"g_id\":{written},")), "{id}");
    }
}

#[test]
fn a_message_with_a_payload_is_written_without_being_moved() {
    // The longest escape there is.
    let payload = "\u{1}".repeat(20_000);
    let status = Message::Status {
        link: LinkIds { gta_id: "1".into(), client_id: "1".into() },
        code: "0".into(),
        payload: Some(Handover::new(&payload)),
        proto: None,
    };
    let written = status.write();
    assert!(written.len() > 6 * payload.len());
    // Growing doubles it, and leaves what was written so far behind in memory.
    assert!(written.capacity() < 6 * payload.len() + 8_192, "{}", written.capacity());
}

#[test]
fn without_a_length_in_front_everything_is_base64() {
    for framing in [Framing::Len32Be, Framing::Line, Framing::None] {
        for encoding in [Encoding::Raw, Encoding::Base64] {
            let fits = encoding == Encoding::Base64 || framing == Framing::Len32Be;
            let profile = Profile { framing, encoding, ..Profile::default() };
            assert_eq!(profile.check().is_ok(), fits, "{framing:?} {encoding:?}");
        }
    }
}

#[test]
fn refusals_have_their_numbers_in_gamecloud() {
    use gatepass_core::refusal::Refusal;
    for (why, code) in [
        (Refusal::BadSignature, Code::AUTH_FAILED),
        (Refusal::SignatureReplayed, Code::AUTH_FAILED),
        (Refusal::Busy, Code::TOO_MANY),
        (Refusal::TooManyAttempts, Code::TOO_MANY),
        (Refusal::Malformed, Code::ILLEGAL_DATA),
        (Refusal::UnknownCommand, Code::ERROR),
        (Refusal::Unavailable, Code::ERROR),
        (Refusal::NoSession, Code::USER_ILLEGAL),
        (Refusal::Banned, Code::USER_ILLEGAL),
    ] {
        assert_eq!(Code::from(why), code, "{}", why.name());
    }
    for (why, told) in [
        (Unproven::IssuesNothing, reply::refused(Code::ERROR)),
        (Unproven::Nameless, reply::refused(Code::ILLEGAL_DATA)),
        (Unproven::WrongKey, reply::refused(Code::AUTH_FAILED)),
    ] {
        assert_eq!(reply::unproven(why), told, "{why}");
    }
}

/// Worlds are told apart by what they hash to.
#[test]
fn passwords_hash_as_what_they_are() {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
    let hash = |text| BuildHasherDefault::<DefaultHasher>::default().hash_one(Password::new(text).unwrap());
    assert_eq!(hash("a password"), hash("a password"));
    assert_ne!(hash("a password"), hash("a passworD"));
}

#[test]
fn passwords_have_as_many_bytes_as_may_be() {
    use gatepass_core::limits::PASSWORD_BYTES_MAX;
    exactly(PASSWORD_BYTES_MAX, |len| Password::new(&"x".repeat(len)).is_some());
}
