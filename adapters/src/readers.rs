//! Everything that reads frames and targets of strangers, in one place: for tests that feed it arbitrary bytes.

use gatepass_core::{
    ids::Addr,
    wire::frame::{self, FRAME_MAX, Frame},
};

use crate::{
    codec::{self, FromServer},
    key::SharedKey,
    service,
};

/// Reads bytes as every link of a server would.
///
/// # Panics
/// If something that was read and written reads otherwise than before.
pub fn frames(bytes: &[u8]) {
    let key = SharedKey::new("shared");
    let mut server = FromServer::default();
    let mut rest = bytes;
    while let Ok(Some((frame, used))) = frame::decode(rest, FRAME_MAX) {
        let _ = codec::to_room(&frame);
        if let Some(msg) = server.read(&frame, &key) {
            let mut written = Vec::new();
            codec::encode_to_center(&msg, &key, &mut written);
            stays(&written, |frames, again| {
                let mut server = FromServer::default();
                for msg in frames.iter().filter_map(|frame| server.read(frame, &key)) {
                    codec::encode_to_center(&msg, &key, again);
                }
            });
        }
        if let Some(msg) = codec::to_server(&frame) {
            let mut written = Vec::new();
            codec::encode_to_server(&msg, &mut written);
            stays(&written, |frames, again| {
                for msg in frames.iter().filter_map(codec::to_server) {
                    codec::encode_to_server(&msg, again);
                }
            });
        }
        let mut written = Vec::new();
        service::rewrite(&frame, &mut written);
        stays(&written, |frames, again| frames.iter().for_each(|frame| service::rewrite(frame, again)));
        rest = &rest[used..];
    }
    let _ = codec::to_room_by_datagram(bytes);
    let text = String::from_utf8_lossy(bytes);
    let (target, cookie) = text.split_once('\n').unwrap_or((&text, ""));
    let _ = codec::request(target, Some(cookie), Addr(1));
}

/// What was written is read and written again to the same bytes, if it says something to this reader at all.
fn stays(written: &[u8], rewrite: impl Fn(&[Frame<'_>], &mut Vec<u8>)) {
    let (mut frames, mut rest) = (Vec::new(), written);
    while let Ok(Some((frame, used))) = frame::decode(rest, FRAME_MAX) {
        frames.push(frame);
        rest = &rest[used..];
    }
    assert!(rest.is_empty(), "servers write whole frames");
    let mut again = Vec::new();
    rewrite(&frames, &mut again);
    assert!(again.is_empty() || again == written, "read and written twice is not the same");
}
