//! A connection to a RoomServer: frames in, bytes out, one buffer each way.

use gatepass_core::wire::{
    WireError,
    frame::{self, FRAME_MAX, Frame, HEADER_LEN},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::tcp::OwnedReadHalf,
};

use super::Trouble;

/// Bytes read at once.
const CHUNK: usize = 4 * 1024;

/// The reading half of a connection to a RoomServer.
#[derive(Debug)]
pub struct RoomConnection<S = OwnedReadHalf> {
    stream: S,
    input: Vec<u8>,
    /// Bytes of the frame that was handed out last.
    done: usize,
    filled: usize,
}

impl<S: AsyncRead + Unpin> RoomConnection<S> {
    /// Takes over a stream.
    #[must_use]
    pub fn new(stream: S) -> Self {
        Self { stream, input: vec![0; CHUNK], done: 0, filled: 0 }
    }

    /// The stream, for whoever also writes to it.
    pub const fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Waits for the next frame.
    ///
    /// # Errors
    /// [`Trouble::Closed`] at the end of the stream, also in the middle of a frame.
    pub async fn frame(&mut self) -> Result<Frame<'_>, Trouble> {
        loop {
            if let Some(used) = self.whole()? {
                let start = self.done;
                self.done += used;
                // Borrowed anew: the look above ends before the buffer is handed out.
                let bytes = &self.input[start..self.done];
                return frame::decode_exact(bytes, FRAME_MAX).map_err(Trouble::from);
            }
            self.input.copy_within(self.done..self.filled, 0);
            self.filled -= std::mem::take(&mut self.done);
            if self.input.len() - self.filled < CHUNK / 2 {
                let larger = (self.input.len() * 2).min(FRAME_MAX + HEADER_LEN + CHUNK);
                self.input.resize(larger, 0);
            }
            let n = self.stream.read(&mut self.input[self.filled..]).await?;
            if n == 0 {
                return Err(Trouble::Closed);
            }
            self.filled += n;
        }
    }

    /// How long the next frame is, if all of it is there.
    fn whole(&self) -> Result<Option<usize>, WireError> {
        let there = &self.input[self.done..self.filled];
        Ok(frame::decode(there, FRAME_MAX)?.map(|(_, used)| used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_come_out_whole_however_they_arrive() {
        let mut bytes = Vec::new();
        let sizes = [0, 1, 5_000, 100_000, 3];
        for (cmd, size) in (1..).zip(sizes) {
            frame::encode_plain(cmd, &vec![7; size], &mut bytes).expect("fits");
        }
        bytes.extend_from_slice(&[9, 0, 0]);
        for step in [1, 4_093, bytes.len()] {
            let (mut far, near) = tokio::io::duplex(step);
            let sent = bytes.clone();
            let sender = tokio::spawn(async move {
                tokio::io::AsyncWriteExt::write_all(&mut far, &sent).await.expect("sends");
            });
            let mut connection = RoomConnection::new(near);
            for (cmd, size) in (1..).zip(sizes) {
                let frame = connection.frame().await.expect("a frame");
                assert_eq!((frame.cmd, frame.body.len()), (cmd, size));
            }
            assert!(matches!(connection.frame().await, Err(Trouble::Closed)), "the last one is cut");
            sender.await.expect("no panic");
        }
    }

    #[tokio::test]
    async fn a_frame_that_is_too_long_is_refused_by_its_header() {
        let mut connection = RoomConnection::new(&[255, 255, 255, 0][..]);
        assert!(matches!(connection.frame().await, Err(Trouble::Wire(_))));
    }
}
