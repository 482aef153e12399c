//! The file of a recording: a line that says what it is, then blocks.
//!
//! A block is the length of its content (4 bytes, little endian), 4 bytes that vouch for the length, the content,
//! and 16 bytes that vouch for this content and all before it. So a byte that is changed and a block that is left
//! out, moved or repeated are noticed. The sums hold no secret: they find damage and careless hands. Who writes all
//! sums anew is found by replaying the roles.
//!
//! A file whose last block is cut off is not damaged: its process was killed.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::Path,
};

use blake2::{Blake2b, Digest, digest::consts::U16};

/// The first line of a file.
pub(super) const MAGIC: &[u8] = b"gatepass trace 2\n";
/// The most a block holds.
pub(super) const BLOCK_MAX: usize = 256 << 10;
/// What a block adds to its content.
pub(super) const BLOCK_COST: usize = 4 + 4 + 16;

type Sum = [u8; 16];

fn sum(before: &Sum, length: [u8; 4], content: &[u8]) -> Sum {
    let hash = Blake2b::<U16>::new().chain_update(before).chain_update(length).chain_update(content);
    hash.finalize().into()
}

/// The part of a sum that vouches for a length.
fn head(before: &Sum, length: [u8; 4]) -> [u8; 4] {
    let [a, b, c, d, ..] = sum(before, length, b"length");
    [a, b, c, d]
}

/// Writes blocks.
pub(super) struct ChainWriter {
    file: File,
    before: Sum,
    written: u64,
    block: Vec<u8>,
}

impl ChainWriter {
    /// Begins a file.
    pub(super) fn new(mut file: File) -> io::Result<Self> {
        file.write_all(MAGIC)?;
        Ok(Self { file, before: Sum::default(), written: MAGIC.len() as u64, block: Vec::new() })
    }

    /// Writes a block of this content, at most [`BLOCK_MAX`], in one call to the system.
    pub(super) fn write(&mut self, content: &[u8]) -> io::Result<()> {
        let length = u32::try_from(content.len()).map_err(io::Error::other)?.to_le_bytes();
        let sum = sum(&self.before, length, content);
        self.block.clear();
        self.block.extend_from_slice(&length);
        self.block.extend_from_slice(&head(&self.before, length));
        self.block.extend_from_slice(content);
        self.block.extend_from_slice(&sum);
        self.file.write_all(&self.block)?;
        self.before = sum;
        self.written += self.block.len() as u64;
        Ok(())
    }

    /// Bytes of the file.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }
}

/// What comes next in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A block.
    Block(Vec<u8>),
    /// Nothing: the last block was whole.
    End,
    /// So many bytes of a block that was not finished.
    Torn(usize),
}

/// Why a file is no recording any more.
#[derive(Debug)]
pub(super) enum Damage {
    /// It cannot be read.
    Io(io::Error),
    /// It does not begin as a recording does.
    NoTrace,
    /// The length of this block (the first is 0) is not what was written.
    Length(u64),
    /// The content of this block is not what was written after the blocks before it.
    Content(u64),
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot be read: {error}"),
            Self::NoTrace => f.write_str("does not begin as a recording of this version does"),
            Self::Length(block) => write!(f, "block {block} has not the length that was written"),
            Self::Content(block) => write!(f, "block {block} is not what was written there"),
        }
    }
}

/// Reads blocks.
#[derive(Debug)]
pub(super) struct ChainReader {
    file: BufReader<File>,
    before: Sum,
    blocks: u64,
}

impl ChainReader {
    pub(super) fn open(path: &Path) -> Result<Self, Damage> {
        let mut file = BufReader::new(File::open(path).map_err(Damage::Io)?);
        let mut magic = [0; MAGIC.len()];
        if read(&mut file, &mut magic)? < magic.len() || magic != *MAGIC {
            return Err(Damage::NoTrace);
        }
        Ok(Self { file, before: Sum::default(), blocks: 0 })
    }

    pub(super) fn next(&mut self) -> Result<Next, Damage> {
        let mut start = [0; 8];
        match read(&mut self.file, &mut start)? {
            0 => return Ok(Next::End),
            8 => {}
            part => return Ok(Next::Torn(part)),
        }
        let [a, b, c, d, vouch @ ..] = start;
        let length = [a, b, c, d];
        let size = u32::from_le_bytes(length) as usize;
        if head(&self.before, length) != vouch || size > BLOCK_MAX {
            return Err(Damage::Length(self.blocks));
        }
        let mut content = vec![0; size + 16];
        let got = read(&mut self.file, &mut content)?;
        if got < content.len() {
            return Ok(Next::Torn(start.len() + got));
        }
        let vouch = content.split_off(size);
        let sum = sum(&self.before, length, &content);
        if vouch != sum {
            return Err(Damage::Content(self.blocks));
        }
        self.before = sum;
        self.blocks += 1;
        Ok(Next::Block(content))
    }
}

/// Reads as much as there is.
fn read(file: &mut impl Read, to: &mut [u8]) -> Result<usize, Damage> {
    let mut got = 0;
    while got < to.len() {
        match file.read(&mut to[got..]) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Damage::Io(error)),
        }
    }
    Ok(got)
}
