//! What servers read: frames of players and of other servers, and recordings.

use std::{fs, path::PathBuf, time::Duration};

use blake2::{Blake2b, Digest, digest::consts::U16};
use gatepass_adapters::{drive::Origin, readers, record};
use gatepass_core::{
    ids::{Generation, ServerId},
    role::Settings,
    text::bounded,
};

pub(super) fn links(bytes: &[u8]) {
    readers::frames(bytes);
}

/// A recording as somebody forges it who can count: blocks of arbitrary content, each vouched for. The first byte
/// says whether they follow a head that is fine; each block's length stands before it in two bytes.
pub(super) fn recording(bytes: &[u8]) {
    let Some((&how, mut rest)) = bytes.split_first() else { return };
    let mut forger = Forger { file: b"gatepass trace 2\n".to_vec(), before: [0; 16] };
    if how & 1 == 0 {
        forger.block(&postcard::to_allocvec(&head(how & 2 == 0)).expect("a head is data"));
    }
    while let Some((&[low, high], after)) = rest.split_first_chunk() {
        let (content, after) = after.split_at(after.len().min(u16::from_le_bytes([low, high]).into()));
        forger.block(content);
        rest = after;
    }
    forger.file.extend_from_slice(rest);
    let dir = own_dir();
    fs::write(dir.join("forged.trace"), forger.file).expect("a file can be written there");
    let report = record::verify(&dir, Duration::ZERO).expect("there is a recording");
    assert_eq!(report.files.len(), 1);
}

/// The head of a process with every role.
fn head(grace: bool) -> record::Header {
    let endpoint = bounded("room:1").expect("it is short");
    record::Header {
        program: "forged".to_owned(),
        settings: Settings::default(),
        origin: Origin {
            cache: Some((Generation(1), grace)),
            center: true,
            login: true,
            room: Some((ServerId(1), endpoint)),
        },
        store: None,
        began: record::Began { boot: "once".to_owned(), monotonic: 1, wall: 1 },
        aliases: [7; 16],
    }
}

struct Forger {
    file: Vec<u8>,
    before: [u8; 16],
}

impl Forger {
    fn block(&mut self, content: &[u8]) {
        let length = (content.len() as u32).to_le_bytes();
        self.file.extend_from_slice(&length);
        self.file.extend_from_slice(&sum(&self.before, length, b"length")[..4]);
        self.file.extend_from_slice(content);
        self.before = sum(&self.before, length, content);
        self.file.extend_from_slice(&self.before);
    }
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
