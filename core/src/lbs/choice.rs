//! Which server an id is for: the original's choice, so that its clients find what they had.

/// The server a new id is for, 1 to `servers`, where all of them take it: the distance from zero of the signed CRC-32
/// of `key` in UTF-8, modulo their number, plus one. Nothing if there are none.
#[must_use]
pub fn first(key: &str, servers: u16) -> Option<u16> {
    probes(key, servers).next()
}

/// The servers of a new id in the order in which it tries them, each once: the first is [`first`], and the one after
/// the last is the first.
pub fn probes(key: &str, servers: u16) -> impl Iterator<Item = u16> + use<> {
    let servers = u32::from(servers);
    let start = hash(key).checked_rem(servers).unwrap_or(0);
    // Below the number of servers, so it fits, and one more still does.
    (0..servers).filter_map(move |step| u16::try_from((start + step) % servers + 1).ok())
}

/// The CRC-32 of a key as a signed number, and then without its sign.
#[must_use]
pub fn hash(key: &str) -> u32 {
    crc32(key.as_bytes()).cast_signed().unsigned_abs()
}

/// CRC-32 as in ISO-HDLC (zip, PNG): reflected, polynomial 0xEDB88320.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        let mixed = crc ^ u32::from(*byte);
        (0..8).fold(mixed, |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn the_choice_is_the_original_s() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!((hash("official.IOS.u_post"), first("official.IOS.u_post", 2)), (845_862_202, Some(1)));
        assert_eq!(first("360.IOS.b", 5), Some(5));
        assert_eq!(first("anybody", 0), None);
        assert_eq!(probes("anybody", 0).count(), 0);
    }

    #[test]
    fn probing_tries_each_server_once_and_goes_round() {
        assert_eq!(probes("360.IOS.b", 5).collect::<Vec<_>>(), [5, 1, 2, 3, 4]);
    }
}
