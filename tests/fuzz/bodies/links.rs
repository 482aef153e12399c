//! What servers read: frames of players and of other servers, and recordings.

use std::{fs, path::PathBuf, time::Duration};

use blake2::{Blake2b, Digest, digest::consts::U16};
use gatepass_adapters::{readers, record};

pub(super) fn links(bytes: &[u8]) {
    readers::frames(bytes);
}

/// A recording as somebody forges it who can count: blocks of arbitrary content, each vouched for. The blocks are
/// told apart by their length in two bytes.
pub(super) fn recording(bytes: &[u8]) {
    let mut file = b"gatepass trace 1\n".to_vec();
    let (mut before, mut rest) = ([0; 16], bytes);
    while let Some((&[low, high], after)) = rest.split_first_chunk() {
        let (content, after) = after.split_at(after.len().min(u16::from_le_bytes([low, high]).into()));
        let length = (content.len() as u32).to_le_bytes();
        file.extend_from_slice(&length);
        file.extend_from_slice(&sum(&before, length, b"length")[..4]);
        file.extend_from_slice(content);
        before = sum(&before, length, content);
        file.extend_from_slice(&before);
        rest = after;
    }
    file.extend_from_slice(rest);
    let dir = own_dir();
    fs::write(dir.join("forged.trace"), file).expect("a file can be written there");
    let report = record::verify(&dir, Duration::ZERO).expect("there is a recording");
    assert_eq!(report.files.len(), 1);
}

fn sum(before: &[u8; 16], length: [u8; 4], content: &[u8]) -> [u8; 16] {
    let hash = Blake2b::<U16>::new().chain_update(before).chain_update(length).chain_update(content);
    hash.finalize().into()
}

/// A directory for this process.
fn own_dir() -> PathBuf {
    let dir = std::env::temp_dir().join(format!("gatepass-forged-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("a directory can be made");
    dir
}
