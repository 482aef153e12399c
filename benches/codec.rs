//! The wire formats of one login, encoded and decoded: request, answer, first message in a room.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use gatepass_core::wire::{
    frame::{self, FRAME_MAX},
    http::{Asked, LoginRequest, decode_answer, encode_login_ok, login_target, parse_query},
    proto::{MsgLogin, RetLoginMsg, WireMessage, cmd},
};

fn codec(c: &mut Criterion) {
    let login = LoginRequest {
        account: "ann".into(),
        password: String::from("a password").into(),
        version: "1.0".into(),
        device_id: "0123456789abcdef0123456789abcdef01234567".into(),
        platform: "android".into(),
        ..LoginRequest::default()
    };
    let target = login_target(&login);
    c.bench_function("query: encode", |b| b.iter(|| login_target(black_box(&login))));
    c.bench_function("query: decode", |b| b.iter(|| parse_query(black_box(&target)).expect("it parses")));

    let answer = RetLoginMsg { account: "ann".into(), id: 7, ..RetLoginMsg::default() };
    let body = encode_login_ok(&answer).expect("it fits");
    c.bench_function("RetLoginMsg: encode", |b| {
        b.iter(|| encode_login_ok(black_box(&answer)).expect("it fits"));
    });
    c.bench_function("RetLoginMsg: decode", |b| {
        b.iter(|| decode_answer(Asked::Login, black_box(&body)).expect("it decodes"));
    });

    let message = MsgLogin { name: "nick".into(), key: "0123456789abcdef0123456789abcdef".into() };
    let (mut body, mut out) = (Vec::new(), Vec::new());
    message.encode_body(&mut body);
    frame::encode_client(cmd::room::LOGIN, &body, &mut out).expect("it fits");
    let bytes = out.clone();
    c.bench_function("MsgLogin: encode", |b| {
        b.iter(|| {
            out.clear();
            body.clear();
            black_box(&message).encode_body(&mut body);
            frame::encode_client(cmd::room::LOGIN, &body, &mut out).expect("it fits");
        });
    });
    c.bench_function("MsgLogin: decode", |b| {
        b.iter(|| {
            let frame = frame::decode_exact(black_box(&bytes), FRAME_MAX).expect("a frame");
            MsgLogin::decode_body(&frame.payload(FRAME_MAX).expect("plain")).expect("it decodes")
        });
    });
    c.bench_function("frame: decode", |b| {
        b.iter(|| frame::decode(black_box(&bytes), FRAME_MAX).expect("a frame").map(|(frame, _)| frame.cmd));
    });
    // Long bodies are compressed.
    let long: Vec<u8> = (0..4_000_u32).map(|n| (n / 16) as u8).collect();
    let mut packed = Vec::new();
    c.bench_function("frame: compress 4000 bytes", |b| {
        b.iter(|| {
            packed.clear();
            frame::encode_server(cmd::room::SCENE_TCP, black_box(&long), &mut packed).expect("it fits");
        });
    });
    c.bench_function("frame: inflate 4000 bytes", |b| {
        b.iter(|| {
            let frame = frame::decode_exact(black_box(&packed), FRAME_MAX).expect("a frame");
            frame.payload(FRAME_MAX).expect("it inflates").len()
        });
    });
}

criterion_group!(benches, codec);
criterion_main!(benches);
