//! The thread that writes a recording.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    Aliases, Began, EXTENSION, Ending, Entry, Header, Recorder, StoreKind, Tape,
    chain::{BLOCK_COST, BLOCK_MAX, ChainWriter},
    nanos, put,
};
use crate::drive::{Origin, RoleId};

/// A block is written once it holds this much; the last of a batch may hold less.
const BLOCK: usize = 64 << 10;
/// Room that is kept for the last block, which says why there is no other.
const LAST_WORDS: u64 = 256;
/// How often the other files of the directory are counted again.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// The recording of one life of a process.
#[derive(Debug)]
pub struct Recording {
    recorder: Arc<Recorder>,
    thread: Option<JoinHandle<()>>,
}

impl Recording {
    /// Begins a recording: a new file in `dir`, which is made if need be. All files there together take at most
    /// `max_bytes`, give or take what several processes write in the same second.
    ///
    /// # Errors
    /// The directory or the file cannot be made, or the thread not be started.
    pub fn start(
        dir: &Path,
        max_bytes: u64,
        aliases: Aliases,
        settings: &gatepass_core::role::Settings,
        origin: &Origin,
        store: Option<StoreKind>,
    ) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let (since, began) = (Instant::now(), Began::now());
        let path = dir.join(file_name(origin, store, &began)?);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let header = Header {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            settings: settings.clone(),
            origin: origin.clone(),
            store,
            began,
            aliases: aliases.name(),
        };
        let mut block = Vec::new();
        put(&header, &mut block);
        let mut chain = ChainWriter::new(file)?;
        chain.write(&block)?;
        block.clear();
        let recorder = Arc::new(Recorder::new(since));
        let mut writer = Writer {
            recorder: Arc::clone(&recorder),
            chain,
            aliases,
            block,
            last: 0,
            flushed: 0,
            dir: dir.to_owned(),
            path,
            max_bytes,
            others: None,
        };
        let thread = thread::Builder::new().name("recording".to_owned()).spawn(move || writer.run(since))?;
        Ok(Self { recorder, thread: Some(thread) })
    }

    /// For the node, before its first step.
    #[must_use]
    pub fn tape(&self) -> Tape {
        Tape::new(Arc::clone(&self.recorder))
    }

    /// For whoever else has something to say.
    #[must_use]
    pub fn recorder(&self) -> Arc<Recorder> {
        Arc::clone(&self.recorder)
    }

    /// Ends it: everything that happened so far is written when this returns. Blocks for some milliseconds.
    pub fn close(mut self) {
        self.end(Ending::Orderly);
    }

    fn end(&mut self, why: Ending) {
        self.recorder.end(why);
        if let Some(thread) = self.thread.take() {
            // Its panic is in the log; there is nothing more to lose.
            let _ = thread.join();
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.end(Ending::Abrupt);
    }
}

/// A name that sorts by time, tells who it is of, and is nobody else's.
fn file_name(origin: &Origin, store: Option<StoreKind>, began: &Began) -> io::Result<String> {
    let has = origin.roles();
    let roles = RoleId::ALL.into_iter().filter(|role| has.has(*role)).map(RoleId::name);
    let names: Vec<&str> = store.map(|_| "accounts").into_iter().chain(roles).collect();
    let mut id = [0; 4];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    let millis = began.wall / 1_000_000;
    Ok(format!("{millis:013}-{}-{:08x}.{EXTENSION}", names.join("-"), u32::from_le_bytes(id)))
}

struct Writer {
    recorder: Arc<Recorder>,
    chain: ChainWriter,
    aliases: Aliases,
    block: Vec<u8>,
    /// When the last entry happened, and the last that is in the file.
    last: u64,
    flushed: u64,
    dir: PathBuf,
    path: PathBuf,
    max_bytes: u64,
    /// Bytes of all other files, and when they were counted.
    others: Option<(Instant, u64)>,
}

impl Writer {
    fn run(&mut self, since: Instant) {
        let mut batch = Vec::new();
        loop {
            let ended = self.recorder.take(&mut batch);
            let written = self.write(&batch);
            // What was in it are secrets.
            batch.fill(0);
            batch.clear();
            let Some(why) = written.err().or(ended) else { continue };
            // From now on nothing is taken.
            self.recorder.end(why);
            if !matches!(why, Ending::Orderly | Ending::Abrupt) {
                let path = self.path.display();
                tracing::warn!(%path, "the recording has ended {}; the server goes on", why.says());
            }
            self.block.clear();
            self.recorder.take(&mut batch);
            batch.fill(0);
            self.last = self.flushed;
            let at = nanos(since.elapsed()).max(self.last);
            self.append(&mut Entry::Ended { at, why });
            if let Err(error) = self.chain.write(&self.block) {
                tracing::warn!(path = %self.path.display(), %error, "the end of the recording is not written");
            }
            return;
        }
    }

    /// Writes entries.
    fn write(&mut self, mut batch: &[u8]) -> Result<(), Ending> {
        while !batch.is_empty() {
            let (mut entry, rest) = postcard::take_from_bytes::<Entry>(batch).map_err(|error| {
                tracing::error!(%error, "an entry of the recording cannot be read back");
                Ending::Failed
            })?;
            batch = rest;
            self.aliases.scrub(&mut entry);
            self.append(&mut entry);
            if self.block.len() >= BLOCK {
                self.flush()?;
            }
        }
        self.flush()
    }

    fn append(&mut self, entry: &mut Entry) {
        let at = std::mem::replace(&mut self.last, *entry.at());
        *entry.at() -= at;
        put(entry, &mut self.block);
    }

    fn flush(&mut self) -> Result<(), Ending> {
        if self.block.is_empty() {
            return Ok(());
        }
        debug_assert!(self.block.len() <= BLOCK_MAX, "one entry is far smaller than a block");
        let more = (self.block.len() + BLOCK_COST) as u64 + LAST_WORDS;
        if self.others() + self.chain.written() + more > self.max_bytes {
            return Err(Ending::Full);
        }
        self.chain.write(&self.block).map_err(|error| {
            tracing::warn!(path = %self.path.display(), %error, "the recording cannot be written");
            Ending::Failed
        })?;
        self.block.clear();
        self.flushed = self.last;
        Ok(())
    }

    /// Bytes of all other files of the directory.
    fn others(&mut self) -> u64 {
        if let Some((when, bytes)) = self.others
            && when.elapsed() < COUNT_EVERY
        {
            return bytes;
        }
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let other = entries.filter(|entry| entry.path() != self.path);
        let bytes = other.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum();
        self.others = Some((Instant::now(), bytes));
        bytes
    }
}
