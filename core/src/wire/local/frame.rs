//! Where a message of the local link begins and ends.
//!
//! With a length in front, the first byte of every frame is 0, so the heartbeat byte `0` (0x30) between frames
//! cannot be taken for one. Without any framing a receiver can only guess; that is here for peers that were written
//! so.

use alloc::vec::Vec;
use core::fmt;

/// How frames are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Framing {
    /// A length of four bytes, big-endian, in front: 1 to [`FRAME_MAX`].
    #[default]
    Len32Be,
    /// Base64 and a line feed; a heartbeat is the line `0`.
    Line,
    /// Base64 alone, one write per message. A read of nothing but `0` is heartbeats; a message may end after `=`,
    /// or when nothing comes for [`SILENCE_MS`]. Best effort: what base64 leaves open here, only the message itself
    /// can tell.
    None,
}

/// Bytes of a frame after its length.
pub const FRAME_MAX: usize = 1 << 20;
/// Bytes of a line, and of what may be one message without any framing.
pub const UNFRAMED_MAX: usize = 131_072;
/// Milliseconds without a byte after which an unframed message must be complete.
pub const SILENCE_MS: u64 = 50;
/// The heartbeat, on the wire and unencrypted.
pub const HEARTBEAT: u8 = b'0';

const LEN: usize = 4;

/// Something that has arrived.
#[derive(Clone, PartialEq, Eq)]
pub enum Item {
    /// The peer lives.
    Heartbeat,
    /// The bytes of a frame.
    Frame(Vec<u8>),
    /// What could be a whole message: [`Inbox::accept`] it if it is, else it is the beginning of a longer one.
    Guess(Vec<u8>),
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heartbeat => f.write_str("Heartbeat"),
            Self::Frame(bytes) => write!(f, "Frame({})", bytes.len()),
            Self::Guess(bytes) => write!(f, "Guess({})", bytes.len()),
        }
    }
}

/// Why bytes are no frames. There is no way to go on behind any of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameFault {
    /// A frame longer than allowed.
    TooLong,
    /// Neither a frame nor a heartbeat begins here, or the frame is empty.
    BadFrame,
    /// The stream ended inside a frame.
    Cut,
}

impl FrameFault {
    /// A stable name for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::BadFrame => "bad_frame",
            Self::Cut => "eof_in_frame",
        }
    }
}

impl fmt::Display for FrameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for FrameFault {}

/// What has arrived and is not read yet: at most one incomplete frame behind whole ones that nobody has taken.
pub struct Inbox {
    framing: Framing,
    bytes: Vec<u8>,
    /// Bytes at the start that are read. They go when more come.
    read: usize,
    /// Without framing: bytes behind `read` that have been guessed at.
    tried: usize,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { framing, bytes, read, .. } = self;
        f.debug_struct("Inbox").field("framing", framing).field("waiting", &(bytes.len() - read)).finish()
    }
}

impl Inbox {
    /// Nothing yet.
    #[must_use]
    pub const fn new(framing: Framing) -> Self {
        Self { framing, bytes: Vec::new(), read: 0, tried: 0 }
    }

    /// Takes what a read has brought. Call [`take`](Self::take) until it has nothing before the next read, so that no
    /// more waits here than one incomplete frame.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read.min(self.bytes.len()));
        self.read = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// What is not read yet.
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.read..).unwrap_or_default()
    }

    /// The next thing that has arrived as a whole.
    ///
    /// # Errors
    /// [`FrameFault::TooLong`] as soon as a length says so, [`FrameFault::BadFrame`].
    pub fn take(&mut self) -> Result<Option<Item>, FrameFault> {
        match self.framing {
            Framing::Len32Be => self.next_counted(),
            Framing::Line => self.next_line(),
            Framing::None => self.next_guess(),
        }
    }

    fn next_counted(&mut self) -> Result<Option<Item>, FrameFault> {
        match self.rest().first() {
            None => return Ok(None),
            Some(&HEARTBEAT) => {
                self.read += 1;
                return Ok(Some(Item::Heartbeat));
            }
            Some(0) => {}
            Some(_) => return Err(FrameFault::BadFrame),
        }
        let Some((len, body)) = self.rest().split_first_chunk::<LEN>() else { return Ok(None) };
        let len = u32::from_be_bytes(*len) as usize;
        if len == 0 {
            return Err(FrameFault::BadFrame);
        }
        if len > FRAME_MAX {
            return Err(FrameFault::TooLong);
        }
        let Some(body) = body.get(..len) else { return Ok(None) };
        let body = body.to_vec();
        self.read += LEN + len;
        Ok(Some(Item::Frame(body)))
    }

    fn next_line(&mut self) -> Result<Option<Item>, FrameFault> {
        let rest = self.rest();
        let end = rest.iter().take(UNFRAMED_MAX + 1).position(|byte| *byte == b'\n');
        let Some(end) = end else {
            return if rest.len() > UNFRAMED_MAX { Err(FrameFault::TooLong) } else { Ok(None) };
        };
        let line = rest.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
        self.read += end + 1;
        match &line[..] {
            [] => Err(FrameFault::BadFrame),
            [HEARTBEAT] => Ok(Some(Item::Heartbeat)),
            _ => Ok(Some(Item::Frame(line))),
        }
    }

    fn next_guess(&mut self) -> Result<Option<Item>, FrameFault> {
        let rest = self.rest();
        if self.tried == 0 && !rest.is_empty() && rest.iter().all(|byte| *byte == HEARTBEAT) {
            self.read += 1;
            return Ok(Some(Item::Heartbeat));
        }
        if rest.len() > UNFRAMED_MAX {
            return Err(FrameFault::TooLong);
        }
        let ends = |at: &usize| {
            let at = *at;
            at.is_multiple_of(4) && rest.get(at - 1) == Some(&b'=') && rest.get(at) != Some(&b'=')
        };
        let Some(end) = (self.tried + 1..=rest.len()).find(ends) else {
            self.tried = rest.len();
            return Ok(None);
        };
        let guess = rest.get(..end).unwrap_or_default().to_vec();
        self.tried = end;
        Ok(Some(Item::Guess(guess)))
    }

    /// The last guess was a message.
    pub fn accept(&mut self) {
        self.read += self.tried;
        self.tried = 0;
    }

    /// Nothing came for [`SILENCE_MS`]: whatever waits here unframed must be a message now.
    pub fn silence(&mut self) -> Option<Vec<u8>> {
        let whole = self.rest();
        if self.framing != Framing::None || whole.is_empty() {
            return None;
        }
        let whole = whole.to_vec();
        self.tried = whole.len();
        Some(whole)
    }

    /// Whether an unframed message may be under way.
    #[must_use]
    pub fn waits_for_silence(&self) -> bool {
        self.framing == Framing::None && !self.rest().is_empty()
    }

    /// Whether the stream may end here.
    ///
    /// # Errors
    /// [`FrameFault::Cut`] inside a frame.
    pub fn finish(&self) -> Result<(), FrameFault> {
        if self.rest().is_empty() { Ok(()) } else { Err(FrameFault::Cut) }
    }
}

/// A frame around the bytes of a message.
///
/// # Errors
/// [`FrameFault::TooLong`], or [`FrameFault::BadFrame`] if there are none.
pub fn encode(framing: Framing, body: &[u8]) -> Result<Vec<u8>, FrameFault> {
    let max = if framing == Framing::Len32Be { FRAME_MAX } else { UNFRAMED_MAX };
    if body.is_empty() {
        return Err(FrameFault::BadFrame);
    }
    let len = u32::try_from(body.len()).ok().filter(|_| body.len() <= max).ok_or(FrameFault::TooLong)?;
    let mut out = Vec::with_capacity(LEN + body.len());
    match framing {
        Framing::Len32Be => {
            out.extend_from_slice(&len.to_be_bytes());
            out.extend_from_slice(body);
        }
        Framing::Line => {
            out.extend_from_slice(body);
            out.push(b'\n');
        }
        Framing::None => out.extend_from_slice(body),
    }
    Ok(out)
}

/// A heartbeat.
#[must_use]
pub const fn heartbeat(framing: Framing) -> &'static [u8] {
    match framing {
        Framing::Len32Be | Framing::None => b"0",
        Framing::Line => b"0\n",
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    /// Everything that these reads bring, and what ends them.
    fn all<'a>(
        framing: Framing,
        reads: impl IntoIterator<Item = &'a [u8]>,
    ) -> (Vec<Item>, Option<FrameFault>) {
        let (mut inbox, mut items) = (Inbox::new(framing), Vec::new());
        for read in reads {
            inbox.push(read);
            loop {
                match inbox.take() {
                    Ok(None) => break,
                    Ok(Some(item)) => items.push(item),
                    Err(fault) => return (items, Some(fault)),
                }
            }
        }
        (items, inbox.finish().err())
    }

    fn check(framing: Framing, bytes: &[u8], items: &[Item], fault: Option<FrameFault>) {
        assert_eq!(all(framing, [bytes]), (items.to_vec(), fault), "{bytes:?}");
    }

    #[test]
    fn heartbeats_stand_between_frames() {
        use Item::{Frame, Heartbeat};
        check(Framing::Len32Be, b"00\0\0\0\x010", &[Heartbeat, Heartbeat, Frame(b"0".to_vec())], None);
        check(Framing::Line, b"0\n00\n0\r\n", &[Heartbeat, Frame(b"00".to_vec()), Heartbeat], None);
        check(Framing::None, b"000", &[Heartbeat, Heartbeat, Heartbeat], None);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let long = (FRAME_MAX + 1).to_be_bytes();
        let long = &long[long.len() - 4..];
        for (bytes, fault) in [
            (long, FrameFault::TooLong),
            (b"{\"", FrameFault::BadFrame),
            (b"\0\0\0\0", FrameFault::BadFrame),
            (b"\0\0\0\x02a", FrameFault::Cut),
            (b"\x01", FrameFault::BadFrame),
        ] {
            check(Framing::Len32Be, bytes, &[], Some(fault));
        }
        check(Framing::Line, b"\n", &[], Some(FrameFault::BadFrame));
        check(Framing::Line, &vec![b'a'; UNFRAMED_MAX + 1], &[], Some(FrameFault::TooLong));
        check(Framing::None, &vec![b'a'; UNFRAMED_MAX + 1], &[], Some(FrameFault::TooLong));
        assert_eq!(encode(Framing::Line, &[]), Err(FrameFault::BadFrame));
        assert_eq!(encode(Framing::Len32Be, &vec![0; FRAME_MAX + 1]), Err(FrameFault::TooLong));
    }

    #[test]
    fn without_framing_ends_are_guessed() {
        let mut inbox = Inbox::new(Framing::None);
        inbox.push(b"QUI=QUJD");
        assert_eq!(inbox.take(), Ok(Some(Item::Guess(b"QUI=".to_vec()))));
        inbox.accept();
        assert_eq!(inbox.take(), Ok(None));
        inbox.push(b"QQ==");
        assert_eq!(inbox.take(), Ok(Some(Item::Guess(b"QUJDQQ==".to_vec()))));
        // Not a message: it is the beginning of one.
        inbox.push(b"QUJD");
        assert_eq!(inbox.take(), Ok(None));
        assert_eq!(inbox.silence(), Some(b"QUJDQQ==QUJD".to_vec()));
        inbox.accept();
        assert_eq!((inbox.finish(), inbox.silence()), (Ok(()), None));
    }

    proptest! {
        #[test]
        fn any_split_brings_the_same(
            bodies in proptest::collection::vec(proptest::collection::vec(b'A'..=b'z', 1..40), 0..6),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
            line: bool,
            tail: Vec<u8>,
        ) {
            let framing = if line { Framing::Line } else { Framing::Len32Be };
            let mut bytes = Vec::new();
            for body in &bodies {
                bytes.extend(encode(framing, body).unwrap());
                bytes.extend_from_slice(heartbeat(framing));
            }
            let (items, fault) = all(framing, [&bytes[..]]);
            prop_assert_eq!((items.len(), fault), (2 * bodies.len(), None));
            bytes.extend(tail);
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let reads = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
            prop_assert_eq!(all(framing, reads), all(framing, [&bytes[..]]));
        }

        #[test]
        fn any_bytes_end(bytes: Vec<u8>) {
            for framing in [Framing::Len32Be, Framing::Line, Framing::None] {
                let _ = all(framing, [&bytes[..]]);
            }
        }
    }
}
