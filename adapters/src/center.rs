//! The link between RoomServers and an RCenter of another process, in the original's frames.

use std::{net::IpAddr, sync::Arc};

use gatepass_core::{
    ids::ConnId,
    message::Message,
    role::Event,
    wire::frame::{FRAME_MAX, Frame},
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};

use crate::{
    codec::{self, FromServer},
    drive::RoleId,
    gate::{Gate, Pass},
    key::SharedKey,
    peer::{self, Again, End, Peer, Session},
    service::{CONNECT, LINK_QUEUE_MAX},
    shell::{self, Shell},
};

/// RCenter's side: accepts RoomServers, for ever.
pub(crate) async fn serve(listener: TcpListener, gate: Arc<Gate>, shell: Arc<Shell>, key: SharedKey) {
    loop {
        let (stream, from) = peer::accept(&listener).await;
        peer::tune_link(&stream);
        match gate.enter(from.ip()) {
            Ok(pass) => {
                tokio::spawn(room_server(stream, from.ip(), pass, Arc::clone(&shell), key.clone()));
            }
            Err(rule) => shell.metrics().limited(rule),
        }
    }
}

async fn room_server(mut stream: TcpStream, ip: IpAddr, _pass: Pass, shell: Arc<Shell>, key: SharedKey) {
    let conn = shell.next_conn();
    let peer = Arc::new(Peer::new(LINK_QUEUE_MAX));
    shell.opened(RoleId::Center, conn, ip, Arc::clone(&peer));
    let mut session = RoomServer { conn, peer: &peer, shell: &shell, key, from: FromServer::default() };
    if peer::run(&mut stream, &peer, &mut session).await != End::Flush {
        shell.closed(RoleId::Center, conn);
    }
}

struct RoomServer<'a> {
    conn: ConnId,
    peer: &'a Peer,
    shell: &'a Shell,
    key: SharedKey,
    from: FromServer,
}

impl Session for RoomServer<'_> {
    fn frame_max(&self) -> usize {
        shell::frame_max(self.peer)
    }

    fn frame(&mut self, frame: Frame<'_>) {
        if let Some(msg) = self.from.read(&frame, &self.key) {
            self.shell.received(RoleId::Center, self.conn, Message::ToCenter(msg), None);
        }
    }
}

/// The RoomServer's side: keeps a link to RCenter, for ever. A lost link is tried again, at the latest every
/// three seconds.
pub(crate) async fn connect(address: String, shell: Arc<Shell>) {
    let mut again = Again::default();
    loop {
        if let Ok(Ok(mut stream)) = timeout(CONNECT, TcpStream::connect(&address)).await {
            peer::tune_link(&stream);
            tracing::info!(%address, "linked to RCenter");
            let peer = Arc::new(Peer::new(LINK_QUEUE_MAX));
            shell.uplink(Some(Arc::clone(&peer)));
            let since = Instant::now();
            peer::run(&mut stream, &peer, &mut Uplink { shell: &shell }).await;
            again.lasted(since.elapsed());
            shell.uplink(None);
            tracing::warn!(%address, "the link to RCenter is lost");
        }
        again.pause().await;
    }
}

struct Uplink<'a> {
    shell: &'a Shell,
}

impl Session for Uplink<'_> {
    fn frame_max(&self) -> usize {
        FRAME_MAX
    }

    fn frame(&mut self, frame: Frame<'_>) {
        if let Some(msg) = codec::to_server(&frame) {
            self.shell.feed(RoleId::Room, Event::FromCenter(Message::ToServer(msg)));
        }
    }
}
