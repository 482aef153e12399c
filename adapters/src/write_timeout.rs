//! A stream that does not wait for ever for a peer that does not read.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// A stream whose writes fail if, from when the peer takes no more, it has not taken all of a write within a time.
///
/// To take a little now and then buys nothing: whatever waits has to be gone by then.
#[derive(Debug)]
pub(crate) struct WriteTimeout<S> {
    stream: S,
    patience: Duration,
    /// Runs while something waits to be written.
    waits: Option<Pin<Box<Sleep>>>,
}

impl<S> WriteTimeout<S> {
    /// Waits this long at most.
    pub(crate) const fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, waits: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, patience, waits } = self.get_mut();
        let written = Pin::new(stream).poll_write(cx, bytes);
        if matches!(written, Poll::Ready(Ok(n)) if n == bytes.len()) {
            *waits = None;
            return written;
        }
        let over = waits.get_or_insert_with(|| Box::pin(sleep(*patience))).as_mut().poll(cx).is_ready();
        if over { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { written }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::Instant,
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn who_does_not_read_or_only_a_little_is_given_up() {
        for sips in [false, true] {
            let (near, mut far) = duplex(16);
            let reader = tokio::spawn(async move {
                if sips {
                    while far.read_u8().await.is_ok() {
                        sleep(PATIENCE / 10).await;
                    }
                }
                // Kept open until the writer has given up.
                far
            });
            let begin = Instant::now();
            let mut stream = WriteTimeout::new(near, PATIENCE);
            let written = stream.write_all(&[7; 10_000]).await;
            assert_eq!(written.map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut), "sips: {sips}");
            assert!(begin.elapsed() >= PATIENCE && begin.elapsed() < PATIENCE * 20);
            drop(stream);
            reader.await.expect("no panic");
        }
    }

    #[tokio::test]
    async fn who_reads_late_but_everything_is_waited_for_again_and_again() {
        let (near, mut far) = duplex(16);
        let mut stream = WriteTimeout::new(near, PATIENCE);
        let writer = tokio::spawn(async move {
            for _ in 0..5 {
                stream.write_all(&[7; 32]).await?;
            }
            Ok::<_, io::Error>(stream)
        });
        for _ in 0..5 {
            sleep(PATIENCE / 2).await;
            let mut bytes = [0; 32];
            far.read_exact(&mut bytes).await.expect("it is still open");
        }
        writer.await.expect("no panic").expect("everything was taken");
    }
}
