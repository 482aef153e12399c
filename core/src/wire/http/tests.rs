use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::wire::WireError;
use crate::wire::frame::{FLAG_PLAIN, FRAME_MAX, decode_exact};
use crate::wire::proto::{ErrorCode, RetErrorMsg, RetGateAddr, RetIntoFRoom, RetLoginMsg, WireMessage};

const LOGIN: &str = "/msg?c=1&a=&p=&ver=1.2.0&dev=4730d114e32c13359a112ce6cc17eebbd2073944&device=android&r=1&m=0\
                     &sign=7e343d61e73ecd3c600521ae9588c460";

fn guest() -> LoginRequest {
    LoginRequest {
        version: "1.2.0".into(),
        device_id: "4730d114e32c13359a112ce6cc17eebbd2073944".into(),
        platform: "android".into(),
        register: true,
        ..LoginRequest::default()
    }
}

fn fault(target: &str) -> RequestFault {
    match parse_query(target) {
        Err(WireError::BadRequest(fault)) => fault,
        other => panic!("{target}: {other:?}"),
    }
}

#[test]
fn a_login_is_written_and_read_as_the_original_client_sends_it() {
    assert_eq!(login_target(&guest()), LOGIN);
    let read = parse_query(LOGIN).unwrap();
    assert!(read.is_signed());
    assert_eq!(read.request, Request::Login(guest()));
    assert_eq!(request_line(LOGIN), format!("GET {LOGIN} HTTP/1.1"));
}

#[test]
fn a_room_request_is_written_and_read_as_the_original_client_sends_it() {
    let room = RoomRequest { version: "1.2.0".into(), tickets: 0, scene: 1002, model: None };
    let target = "/msg?c=3&ver=1.2.0&ticketnum=0&scene=1002&sign=26696f326e09d96ffe04e60b3c104157";
    assert_eq!(room_target(&room), target);
    let read = parse_query(target).unwrap();
    assert!(read.is_signed());
    assert_eq!(read.request, Request::Room(room.clone()));
    let quick = RoomRequest { model: Some(5), ..room };
    assert_eq!(parse_query(&room_target(&quick)).unwrap().request, Request::Room(quick));
}

#[test]
fn a_gateway_request_is_its_signature() {
    let read = parse_query(&gateway_target()).unwrap();
    assert!(read.is_signed());
    assert_eq!(read.request, Request::Gateway);
}

#[test]
fn order_is_free_and_the_first_of_a_name_counts() {
    let read = parse_query("/msg?sign=x&scene=7&unknown=1&c=3&scene=8&c=1&noequals").unwrap();
    assert_eq!(read.request, Request::Room(RoomRequest { scene: 7, ..RoomRequest::default() }));
    assert!(!read.is_signed());
}

#[test]
fn values_are_raw_but_escapes_are_resolved() {
    let password = |value: &str| match parse_query(&format!("/msg?c=1&p={value}")).unwrap().request {
        Request::Login(login) => login.password.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(password("a%26b"), "a&b");
    assert_eq!(password("100%"), "100%");
    assert_eq!(password("%zz%4"), "%zz%4");
    assert_eq!(password("%%41"), "%A");
    assert_eq!(password("a+b=c"), "a+b=c");
    assert_eq!(password("密%e7%a0%81"), "密码");
    assert_eq!(fault("/msg?c=1&p=%ff").to_string(), "p is not text");
}

#[test]
fn unusable_requests_say_why() {
    assert_eq!(fault("/other?c=1"), RequestFault::UnknownPath);
    assert_eq!(fault("/msg").to_string(), "c is missing");
    assert_eq!(fault("/msg?c=x").to_string(), "c is not a number");
    assert_eq!(fault("/msg?c=+1").to_string(), "c is not a number");
    assert_eq!(fault("/msg?c=-1").to_string(), "c is not a number");
    assert_eq!(fault("/msg?c=4294967296").to_string(), "c is not a number");
    assert_eq!(fault("/msg?c=00000000001").to_string(), "c is longer than 10 bytes");
    assert_eq!(fault("/msg?c=4"), RequestFault::UnknownRequest(4));
    assert_eq!(fault("/msg?c=65537"), RequestFault::UnknownRequest(65_537));
    assert_eq!(fault("/msg?c=3").to_string(), "scene is missing");
    assert_eq!(fault("/msg?c=3&scene=1&model=q").to_string(), "model is not a number");
}

#[test]
fn every_length_is_bounded() {
    for (name, max) in [("a", 64), ("p", 128), ("ver", 32), ("dev", 64), ("device", 32), ("sign", 64)] {
        assert!(parse_query(&format!("/msg?c=1&{name}={}", "x".repeat(max))).is_ok(), "{name}");
        let long = fault(&format!("/msg?c=1&{name}={}", "x".repeat(max + 1)));
        assert_eq!(long, RequestFault::TooLong(Param { name, max }));
    }
    let unknown = format!("/msg?c=2&x={}", "x".repeat(TARGET_MAX));
    assert_eq!(fault(&unknown), RequestFault::TargetTooLong { len: unknown.len() });
}

#[test]
fn secrets_stay_out_of_debug() {
    let request = parse_query("/msg?c=1&a=acc&p=PASSWORD&sign=SIGNATURE").unwrap();
    let shown = format!("{request:?}");
    assert!(shown.contains("acc") && !shown.contains("PASSWORD") && !shown.contains("SIGNATURE"), "{shown}");
}

#[test]
fn an_error_never_carries_params() {
    for code in (0..=700).map(ErrorCode) {
        let body = encode_error(code);
        let frame = decode_exact(&body, FRAME_MAX).unwrap();
        assert_eq!((frame.flag, frame.cmd), (FLAG_PLAIN, 4));
        assert_eq!(RetErrorMsg::decode_body(frame.body).unwrap().params, 0);
        for asked in [Asked::Login, Asked::Gateway, Asked::Room] {
            assert_eq!(decode_answer(asked, &body), Ok(Answer::Refused(code)));
        }
        // Field 2 is there and 0: what the original client takes for the id of its login.
        assert!(frame.body.ends_with(&[0x10, 0x00, 0x1a, 0x00]));
    }
}

#[test]
fn a_refused_room_is_refused_in_both_forms() {
    for body in [encode_room_error(ErrorCode::SESSION), encode_error(ErrorCode::SESSION)] {
        assert_eq!(decode_answer(Asked::Room, &body), Ok(Answer::Refused(ErrorCode::SESSION)));
    }
}

#[test]
fn answers_are_exactly_one_plain_frame() {
    let login = RetLoginMsg { account: "a".repeat(5000), id: 7, ..RetLoginMsg::default() };
    let body = encode_login_ok(&login).unwrap();
    assert_eq!(body[3], FLAG_PLAIN, "the original client never inflates, so long answers stay plain");
    assert_eq!(u32::from_le_bytes([body[0], body[1], body[2], 0]) as usize + 4, body.len());
    assert_eq!(decode_answer(Asked::Login, &body), Ok(Answer::LoggedIn(login)));
    assert_eq!(decode_answer(Asked::Room, &body), Err(WireError::UnknownCommand(1)));

    let mut longer = body.clone();
    longer.push(0);
    assert_eq!(decode_answer(Asked::Login, &longer), Err(WireError::TrailingBytes { extra: 1 }));
    assert_eq!(decode_answer(Asked::Login, &body[..body.len() - 1]), Err(WireError::Truncated));
}

#[test]
fn id_zero_is_no_login() {
    let nobody = RetLoginMsg::default();
    let refused = WireError::BadField { message: "RetLoginMsg", field: 2 };
    assert_eq!(encode_login_ok(&nobody), Err(refused));
    let mut body = Vec::new();
    nobody.encode_body(&mut body);
    let mut frame = Vec::new();
    crate::wire::frame::encode_plain(1, &body, &mut frame).unwrap();
    assert_eq!(decode_answer(Asked::Login, &frame), Err(refused));
}

#[test]
fn rooms_and_gateways_read_back() {
    let room =
        RetIntoFRoom { addr: "127.0.0.1:9001".into(), key: "kk".into(), uid: 4321, ..Default::default() };
    assert_eq!(decode_answer(Asked::Room, &encode_room(&room).unwrap()), Ok(Answer::Room(room)));
    let gateway = RetGateAddr { address: "127.0.0.1:9022".into(), key: "gk".into() };
    assert_eq!(
        decode_answer(Asked::Gateway, &encode_gateway(&gateway).unwrap()),
        Ok(Answer::Gateway(gateway))
    );
}

proptest! {
    #[test]
    fn any_target_is_read_without_panic(target: String, query in "(/msg)?[?]?([a-z]{0,3}[=&%0-9]{0,3}){0,12}") {
        let _ = parse_query(&target);
        let _ = parse_query(&query);
    }

    #[test]
    fn any_login_survives_its_request_line(
        account in ".{0,16}", password in ".{0,32}", device_id in ".{0,16}", version in ".{0,8}",
        platform in ".{0,8}", register: bool, emulator: u32,
    ) {
        let password = Zeroizing::new(password);
        let login = LoginRequest { account, password, version, device_id, platform, register, emulator };
        let target = login_target(&login);
        prop_assert!(target.bytes().all(|byte| byte.is_ascii_graphic()), "one request line: {}", target);
        let read = parse_query(&target).unwrap();
        prop_assert!(read.is_signed());
        prop_assert_eq!(read.request, Request::Login(login));
    }

    #[test]
    fn any_answer_is_read_without_panic(body: Vec<u8>, cmd in 0u16..6) {
        let mut frame = Vec::new();
        crate::wire::frame::encode_plain(cmd, &body, &mut frame).unwrap();
        for asked in [Asked::Login, Asked::Gateway, Asked::Room] {
            let _ = decode_answer(asked, &body);
            let _ = decode_answer(asked, &frame);
        }
    }
}
