//! What random events speak of: few names and keys, so that they meet again.

use gatepass_core::{
    ids::Payload,
    message::{Age, Credentials},
    policy::SignedText,
    text::{Endpoint, Identity, Name, Password, bounded},
};

/// The id of the RoomServer that lives.
pub(crate) const SERVER: u64 = 1;
/// Every key begins with these bits, every password and device with this text.
const BITS: [u8; 4] = [0xd1, 0xce, 0xba, 0xbe];
/// How they would look if anything showed them: as hex, as numbers, as text, as the numbers of the text.
pub(crate) const SECRETS: [&str; 4] = ["d1cebabe", "209, 206, 186", "secret-", "115, 101, 99, 114"];

pub(crate) fn secret(n: u8) -> [u8; 16] {
    let mut bits = [n; 16];
    bits[..4].copy_from_slice(&BITS);
    bits
}

pub(crate) fn name(n: u64) -> Name {
    bounded(["", "ann", "bob", "guest3"][n as usize % 4]).unwrap()
}

pub(crate) fn password(n: u64) -> Password {
    Password::new(&format!("secret-password-{n}")).unwrap()
}

pub(crate) fn credentials(n: u64) -> Credentials {
    let (name, password) = (name(n), password(n % 5));
    match n % 7 {
        0 => Credentials::Guest { device: bounded(&format!("secret-device-{}", n % 3)).unwrap() },
        1 | 2 => Credentials::Register { name, password },
        3 => Credentials::Password { name, password: Password::empty() },
        4 => {
            let age = [Age::Fresh, Age::Fresh, Age::Future, Age::Stale][n as usize / 7 % 4];
            let identity = Identity::new("portal.games", ["ann", "Ann", "bob"][n as usize % 3]).unwrap();
            let payload = Payload::new(secret((n % 5) as u8));
            let form = [Some(SignedText::Unambiguous), Some(SignedText::Glued), None][n as usize / 28 % 3];
            Credentials::Signed { identity, registers: n.is_multiple_of(2), payload, age, form }
        }
        _ => Credentials::Password { name, password },
    }
}

pub(crate) fn endpoint(n: u64) -> Endpoint {
    bounded(&format!("room-{n}:1")).unwrap()
}
