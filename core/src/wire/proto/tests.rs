use alloc::vec;
use proptest::prelude::*;

use super::*;

fn full<M: WireMessage>(message: &M) -> Vec<u8> {
    message.to_body()
}

fn minimal<M: WireMessage>(message: &M) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode_minimal(&mut out);
    out
}

/// Runs a generic check for every message.
macro_rules! for_every_message {
    ($check:ident $args:tt) => {
        for_every_message!(@ $check $args
            RetLoginMsg RetIntoFRoom RetErrorMsg RetGateAddr MsgLogin RetErrorMsgCmd MsgLoginResult MsgBindTCPSession
            ClientHeartBeat RetVoiceInfo MsgTop MsgAddPlayer MsgRemovePlayer MsgPlayer MsgPlayerSnap MsgBall
            MsgPlayerBall MsgSceneUDP BallMove MsgEndRoom EndPlayer MsgSceneChat ReqServerLogin RetServerLogin
            ReqUpdateServer ReqAddRoom ReqUpdateRoom ReqRemoveRoom ReqEndGame ReqCheckRelogin S2SCmd S2SClientCmd
            S2STypeCmd ReqTSerUserNum ReqLoadConfig)
    };
    (@ $check:ident $args:tt $($message:ident)*) => { $($check::<$message> $args;)* };
}

/// The encoded fields of a message, with their numbers.
fn fields<M: WireMessage>(bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while let Some(field) = Field::next(&mut rest, M::SHAPE).unwrap() {
        found.push((field.tag, field.whole.to_vec()));
    }
    found
}

/// The shape agrees with what prost declares, which is what the two lists could get wrong.
fn check_shape<M: WireMessage>() {
    let all = fields::<M>(&full(&M::default()));
    assert!(all.is_sorted_by(|a, b| a.0 < b.0), "{}: ascending order", M::SHAPE.name);
    for tag in M::SHAPE.required.iter().chain(M::SHAPE.text) {
        assert!(*tag < 32, "{}: the presence mask holds field {tag}", M::SHAPE.name);
        assert!(all.iter().any(|(t, _)| t == tag), "{}: field {tag} exists", M::SHAPE.name);
    }
    // Exactly the length-delimited fields that are neither children nor bytes are text.
    for (tag, whole) in &all {
        let delimited = whole[0] & 7 == WireType::LengthDelimited as u8;
        let child = M::SHAPE.children.iter().any(|(t, _)| t == tag);
        let data = M::SHAPE.name.starts_with("S2S") && delimited;
        assert_eq!(
            delimited && !child && !data,
            M::SHAPE.text.contains(tag),
            "{} field {tag}",
            M::SHAPE.name
        );
    }
}

/// Without a required field there is no message; without an optional one it is the same message.
fn check_presence<M: WireMessage>() {
    let all = fields::<M>(&full(&M::default()));
    for (absent, _) in &all {
        let bytes: Vec<u8> =
            all.iter().filter(|(tag, _)| tag != absent).flat_map(|(_, whole)| whole.clone()).collect();
        if M::SHAPE.required.contains(absent) {
            let missing = WireError::MissingField { message: M::SHAPE.name, field: *absent };
            assert_eq!(M::decode_body(&bytes), Err(missing));
        } else {
            assert_eq!(M::decode_body(&bytes), Ok(M::default()));
        }
    }
}

/// Text that is not UTF-8 reads as U+FFFD, wherever it stands.
fn check_text<M: WireMessage>() {
    let all = fields::<M>(&full(&M::default()));
    for text in M::SHAPE.text {
        let mut bytes = Vec::new();
        for (tag, whole) in &all {
            if tag == text {
                encoding::encode_key(*tag, WireType::LengthDelimited, &mut bytes);
                bytes.extend_from_slice(&[2, b'a', 0xff]);
            } else {
                bytes.extend_from_slice(whole);
            }
        }
        let message = M::decode_body(&bytes).unwrap();
        let again = fields::<M>(&full(&message));
        let (_, whole) = again.iter().find(|(tag, _)| tag == text).unwrap();
        assert!(whole.ends_with("\u{4}a\u{fffd}".as_bytes()), "{} field {text}", M::SHAPE.name);
    }
}

/// Reading any bytes ends, and what it yields is written and read back.
fn check_bytes<M: WireMessage>(bytes: &[u8]) {
    if let Ok(message) = M::decode_body(bytes) {
        let written = full(&message);
        // Compared as bytes, because a position may be a NaN.
        assert_eq!(full(&M::decode_body(&written).unwrap()), written, "{}", M::SHAPE.name);
        assert_eq!(full(&M::decode_body(&minimal(&message)).unwrap()), written, "{}", M::SHAPE.name);
    }
}

#[test]
fn shapes_agree_with_declarations() {
    for_every_message!(check_shape());
}

#[test]
fn required_fields_are_required() {
    for_every_message!(check_presence());
}

#[test]
fn text_need_not_be_utf8() {
    for_every_message!(check_text());
}

#[test]
fn errors_are_written_in_full() {
    let refused = RetErrorMsgCmd { ret_code: 17, ..Default::default() };
    let mut appended = vec![9];
    refused.encode_body(&mut appended);
    assert_eq!(appended, [9, 0x08, 0x11, 0x10, 0x00, 0x1a, 0x00]);
    assert_eq!(full(&refused), [0x08, 0x11, 0x10, 0x00, 0x1a, 0x00]);
    assert_eq!(minimal(&refused), [0x08, 0x11]);
}

#[test]
fn a_negative_number_takes_ten_bytes() {
    let left = ReqUpdateRoom { room_type: 2, room_id: 11, user_num: -1, ustate: 2, ..Default::default() };
    let bytes = full(&left);
    assert_eq!(&bytes[4..15], &[0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    assert_eq!(ReqUpdateRoom::decode_body(&bytes), Ok(left));
}

#[test]
fn the_last_value_wins_and_unknown_fields_are_skipped() {
    let login = |name: &str, key: &str| MsgLogin { name: name.into(), key: key.into() };
    assert_eq!(MsgLogin::decode_body(b"\x0a\x01a\x12\x02k1\x12\x02k2"), Ok(login("a", "k2")));
    assert_eq!(MsgLogin::decode_body(b"\x0a\x01a\x12\x02k1\x18\x05"), Ok(login("a", "k1")));
    // An unknown group, closed by its own number.
    assert_eq!(MsgLogin::decode_body(b"\x0a\x01a\x12\x02k1\x1b\x08\x01\x1c"), Ok(login("a", "k1")));
    // A field number no mask holds.
    assert_eq!(MsgLogin::decode_body(b"\x0a\x01a\x12\x02k1\xf8\x03\x05"), Ok(login("a", "k1")));
    assert_eq!(
        MsgLogin::decode_body(b"\x08\x01\x12\x02k1"),
        Err(WireError::BadProtobuf { message: "MsgLogin" })
    );
}

#[test]
fn sub_messages_are_checked_too() {
    // MsgAddPlayer whose player has an id but no name.
    let bytes = b"\x0a\x02\x08\x01";
    let missing = WireError::MissingField { message: "MsgPlayer", field: 2 };
    assert_eq!(MsgAddPlayer::decode_body(bytes), Err(missing));
    // And one whose name is not UTF-8: the repair changes the length of the outer field as well.
    let bytes = b"\x0a\x07\x08\x01\x12\x01\xff\x30\x05";
    assert_eq!(MsgAddPlayer::decode_body(bytes).unwrap().player.name, "\u{fffd}");
}

#[test]
fn an_empty_sub_message_survives_the_minimal_form() {
    let top = MsgTop { players: vec![MsgPlayer::default()], ..Default::default() };
    assert_eq!(MsgTop::decode_body(&minimal(&top)), Ok(top));
    let scene = MsgSceneUDP { changing_inf: vec![vec![], vec![1]], ..Default::default() };
    assert_eq!(MsgSceneUDP::decode_body(&minimal(&scene)), Ok(scene));
}

#[test]
fn secrets_stay_out_of_debug() {
    let shown = alloc::format!(
        "{:?} {:?} {:?} {:?}",
        MsgLogin { name: "n".into(), key: "SECRET".into() },
        RetIntoFRoom { key: "SECRET".into(), ..Default::default() },
        RetLoginMsg { password: "SECRET".into(), ..Default::default() },
        S2SCmd { data: b"SECRET".to_vec(), ..Default::default() },
    );
    assert!(!shown.contains("SECRET") && !shown.contains("83, 69"), "{shown}");
    assert!(shown.contains("name: \"n\""), "{shown}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        for_every_message!(check_bytes(&bytes));
    }

    #[test]
    fn plausible_bytes_never_panic(tags in proptest::collection::vec((1u32..20, 0u8..6, 0u64..300), 0..8)) {
        let mut bytes = Vec::new();
        for (tag, kind, value) in tags {
            encoding::encode_varint(u64::from(tag) << 3 | u64::from(kind), &mut bytes);
            encoding::encode_varint(value, &mut bytes);
        }
        for_every_message!(check_bytes(&bytes));
    }

    #[test]
    fn a_greeting_around_encoded_parts_is_the_greeting(
        numbers: [u32; 7],
        id: u64,
        names in proptest::collection::vec(".{0,14}", 0..5),
        own in 0usize..5,
        items in 0usize..2,
    ) {
        let [frame, local, ball_id, team_name, team_id, team_notice_cd, left_time] = numbers;
        let player = |(n, name): (u32, &String)| MsgPlayer { id: n.into(), name: name.clone(), ..Default::default() };
        let greeting = MsgLoginResult {
            ok: id % 2 == 0, id, name: names.concat(), room_name: "r".into(), frame, local, ball_id,
            others: (0..).zip(&names).map(player).collect(),
            balls: vec![MsgBall::default(); items],
            playerballs: (0..).zip(&names).map(|(n, _)| MsgPlayerBall { id: n, ..Default::default() }).collect(),
            team_name, team_id, team_notice_cd, left_time,
        };
        let (mut others, mut balls) = (Vec::new(), [Vec::new(), Vec::new()]);
        for other in &greeting.others {
            MsgLoginResult::encode_other(other, &mut others);
        }
        for (n, ball) in greeting.playerballs.iter().enumerate() {
            MsgLoginResult::encode_playerball(ball, &mut balls[usize::from(n >= own)]);
        }
        let mut around = Vec::new();
        greeting.encode_around(&others, [&balls[0], &balls[1]], &mut around);
        prop_assert_eq!(around, full(&greeting));
    }

    #[test]
    fn a_cut_login_is_never_another_login(name in ".{0,20}", key in "[a-z0-9]{1,40}") {
        let login = MsgLogin { name, key };
        let bytes = full(&login);
        prop_assert_eq!(MsgLogin::decode_body(&bytes), Ok(login));
        for end in 0..bytes.len() {
            prop_assert!(MsgLogin::decode_body(&bytes[..end]).is_err(), "cut at {}", end);
        }
    }
}
