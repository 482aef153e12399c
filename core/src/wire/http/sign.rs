//! The signature of a request.

use alloc::format;

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

/// Digits of a signature.
pub const SIGN_LEN: usize = 32;

/// The constant every copy of the original client contains. It keeps nobody out: it is published, and a signature
/// covers nothing but the command, so one captured request signs all later ones of its kind.
const SECRET: &str = "#@$#2ds&^%&#298";

/// The signatures of the requests there are, each at the place of its command: they never change, so that none is
/// computed for every request.
const SIGNS: [&str; 4] = [
    "",
    "7e343d61e73ecd3c600521ae9588c460",
    "0e38daa521b09c49323f920cfcfcfb5d",
    "26696f326e09d96ffe04e60b3c104157",
];

/// The signature of command `c`: lower-case hexadecimal MD5 of the constant followed by `c` in decimal.
#[must_use]
pub fn sign(c: u32) -> [u8; SIGN_LEN] {
    let digest = Md5::digest(format!("{SECRET}{c}"));
    let mut hex = [0; SIGN_LEN];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
        pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
    }
    hex
}

/// Whether `given` is the signature of command `c`.
///
/// Only the 32 lower-case digits are accepted, as the original client sends them. The comparison takes the same
/// time wherever the two differ.
#[must_use]
pub fn check_sign(c: u32, given: &str) -> bool {
    match SIGNS.get(c as usize) {
        Some(sign) if !sign.is_empty() => sign.as_bytes().ct_eq(given.as_bytes()).into(),
        _ => sign(c)[..].ct_eq(given.as_bytes()).into(),
    }
}

const fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + nibble - 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_of_the_two_requests_a_client_sends() {
        assert_eq!(&sign(1), b"7e343d61e73ecd3c600521ae9588c460");
        assert_eq!(&sign(3), b"26696f326e09d96ffe04e60b3c104157");
    }

    #[test]
    fn only_the_exact_digits_pass() {
        assert!(check_sign(1, "7e343d61e73ecd3c600521ae9588c460"));
        assert!(!check_sign(2, "7e343d61e73ecd3c600521ae9588c460"));
        assert!(!check_sign(1, "7E343D61E73ECD3C600521AE9588C460"));
        assert!(!check_sign(1, "7e343d61e73ecd3c600521ae9588c46"));
        assert!(!check_sign(1, "7e343d61e73ecd3c600521ae9588c4600"));
        assert!(!check_sign(1, ""));
        for c in [0, 1, 2, 3, 4, u32::MAX] {
            let right = sign(c);
            assert!(check_sign(c, core::str::from_utf8(&right).expect("digits")), "{c}");
            assert!(!check_sign(c, ""), "{c}");
        }
    }
}
