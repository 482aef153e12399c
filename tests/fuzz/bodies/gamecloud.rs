//! gamecloud's readers: what is read reads the same after it was written, and what is issued is what is taken.

use gatepass_core::{
    verify::gamecloud::{
        set::Set,
        sign::{self, SIGN, Secret},
        tx,
    },
    wire::{
        gamecloud::{
            call::{Call, Request},
            engine::{BODY_MAX, PACKETS_MAX, read_body, write_body},
            socket::{self, Said},
        },
        json::{self, Json},
    },
};

/// Calls: the first byte says how they are written.
pub(super) fn calls(bytes: &[u8]) {
    let Some((&how, bytes)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    let request = match how % 3 {
        0 => Request::from_json(bytes),
        1 => Request::from_query(&text),
        _ => match socket::read(&text) {
            Ok(Said::Request { request, .. } | Said::Notify(request)) => Ok(request),
            _ => return,
        },
    };
    let Ok(request) = request else { return };
    let written = request.json().expect("what was read can be read again");
    assert_eq!(Request::from_value(&written), Ok(request.clone()), "and is the same");
    let Ok(call) = Call::read(&written) else { return };
    if let Some(auth) = call.oem.get("auth") {
        set(auth);
    }
}

/// A set that is taken is one that would be issued.
fn set(auth: &Json<'_>) {
    let secret = Secret::new("secret").expect("not empty");
    let Some(members) = auth.object() else { return };
    let _ = sign::base(members);
    // Signed by whoever knows the secret: then only its form can be wrong.
    let mut signed = members.clone();
    signed.0.retain(|(name, _)| name != SIGN);
    let Ok(signature) = sign::sign(&signed, secret.expose()) else { return };
    signed.0.push((SIGN.into(), Json::Text(signature.text().into())));
    let signed = Json::Object(signed);
    for admin in [false, true] {
        let Ok((set, _)) = Set::check(&signed, "official", admin, &secret) else { continue };
        let issued = set.issue(&secret).expect("what is taken can be issued");
        let issued = json::read(issued.as_bytes(), 4).expect("JSON");
        let (Some(ours), Some(theirs)) = (issued.object(), signed.object()) else {
            panic!("a set is an object")
        };
        assert_eq!(ours.0.len(), theirs.0.len());
        assert!(theirs.0.iter().all(|(name, value)| ours.get(name) == Some(value)), "in this one form");
    }
}

/// Packets of engine.io and what they carry, and a portal's answer.
pub(super) fn packets(bytes: &[u8]) {
    let _ = tx::read(bytes);
    let Ok(packets) = read_body(bytes) else { return };
    assert!(bytes.len() <= BODY_MAX && packets.len() <= PACKETS_MAX);
    let mut body = String::new();
    for packet in &packets {
        write_body(&format!("{}{}", packet.kind, packet.data), &mut body);
        let _ = socket::read(packet.data);
    }
    assert_eq!(read_body(body.as_bytes()).as_ref(), Ok(&packets), "what is written is read");
}
