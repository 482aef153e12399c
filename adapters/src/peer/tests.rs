//! Connections over loopback: what a slow, silent or greedy peer can do, and to whom.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use gatepass_core::wire::frame::encode_plain;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};

use super::*;

/// Counts frames and echoes them.
struct Echo {
    peer: Arc<Peer>,
    max: usize,
}

impl Session for Echo {
    fn frame_max(&self) -> usize {
        self.max
    }

    fn frame(&mut self, frame: Frame<'_>) {
        self.peer.queue(|out| frame.encode(out).expect("what came in fits"));
    }
}

async fn pair(max: usize) -> (TcpStream, Arc<Peer>, JoinHandle<End>) {
    let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("listens");
    let client = TcpStream::connect(listener.local_addr().expect("is bound")).await.expect("connects");
    let (mut stream, _) = accept(&listener).await;
    let peer = Arc::new(Peer::new(QUEUE_MAX));
    let mut session = Echo { peer: Arc::clone(&peer), max };
    let own = Arc::clone(&peer);
    let task = tokio::spawn(async move { run(&mut stream, &own, &mut session).await });
    (client, peer, task)
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_plain(20, body, &mut out).expect("short");
    out
}

#[tokio::test]
async fn frames_may_come_in_pieces_or_together() {
    let (mut client, _, _) = pair(100).await;
    let sent = [frame(b"one"), frame(b""), frame(b"three")].concat();
    for byte in &sent[..12] {
        client.write_all(&[*byte]).await.expect("writes");
    }
    client.write_all(&sent[12..]).await.expect("writes");
    let mut back = vec![0; sent.len()];
    client.read_exact(&mut back).await.expect("reads");
    assert_eq!(back, sent);
}

#[tokio::test]
async fn a_frame_too_long_ends_the_connection_before_its_body_comes() {
    let (mut client, _, task) = pair(100).await;
    client.write_all(&[101, 0, 0, 0]).await.expect("writes");
    assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0);
    assert_eq!(task.await.expect("ends"), End::Cut);
}

#[tokio::test]
async fn what_is_queued_before_the_end_arrives() {
    let (mut client, peer, task) = pair(100).await;
    // Input that nobody reads must not take the last words back.
    client.write_all(&frame(b"unread")).await.expect("writes");
    let last = frame(&[7; 60]);
    assert!(peer.queue(|out| out.extend_from_slice(&last)));
    peer.close();
    peer.wake();
    assert!(!peer.queue(|out| out.push(1)), "nothing comes after the end");
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.expect("ends in order");
    assert!(all.ends_with(&last));
    drop(client);
    assert_eq!(task.await.expect("ends"), End::Flush);
}

#[tokio::test]
async fn a_closed_peer_that_keeps_its_side_open_is_dropped_in_time() {
    let (_client, peer, task) = pair(100).await;
    let since = Instant::now();
    peer.close();
    peer.wake();
    assert_eq!(task.await.expect("ends"), End::Flush);
    assert!(since.elapsed() >= LINGER && since.elapsed() < 3 * LINGER);
}

#[tokio::test]
async fn a_peer_that_does_not_read_loses_its_own_connection() {
    let (_client, peer, task) = pair(100).await;
    let large = frame(&[0; 10_000]);
    let mut queued = 0;
    while peer.queue(|out| out.extend_from_slice(&large)) {
        queued += large.len();
        peer.wake();
        tokio::task::yield_now().await;
        assert!(queued < 64 << 20, "the kernel's buffers end somewhere");
    }
    assert!(queued > QUEUE_MAX);
    assert_eq!(task.await.expect("ends"), End::Cut);
}

#[tokio::test]
async fn a_peer_that_goes_away_is_noticed() {
    let (client, _, task) = pair(100).await;
    drop(client);
    assert_eq!(task.await.expect("ends"), End::Cut);
}
