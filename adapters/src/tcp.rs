//! The RoomServer's front: a task per player.

use std::{net::IpAddr, sync::Arc};

use gatepass_core::{ids::ConnId, message::Message, wire::frame::Frame};
use tokio::net::{TcpListener, TcpStream};

use crate::{
    codec,
    drive::RoleId,
    gate::{Gate, Pass},
    peer::{self, End, Peer, QUEUE_MAX, Session},
    shell::{self, Shell},
};

/// Accepts players, for ever.
pub(crate) async fn serve(listener: TcpListener, gate: Arc<Gate>, shell: Arc<Shell>) {
    loop {
        let (stream, from) = peer::accept(&listener).await;
        let ip = from.ip();
        let pass = match gate.enter(ip).and_then(|pass| gate.request(ip).map(|()| pass)) {
            Ok(pass) => pass,
            Err(rule) => {
                shell.metrics().limited(rule);
                continue;
            }
        };
        tokio::spawn(player(stream, ip, pass, Arc::clone(&shell)));
    }
}

async fn player(mut stream: TcpStream, ip: IpAddr, _pass: Pass, shell: Arc<Shell>) {
    let conn = shell.next_conn();
    let peer = Arc::new(Peer::new(QUEUE_MAX));
    shell.opened(RoleId::Room, conn, ip, Arc::clone(&peer));
    let mut session = Player { conn, peer: &peer, shell: &shell };
    if peer::run(&mut stream, &peer, &mut session).await != End::Flush {
        shell.closed(RoleId::Room, conn);
    }
}

struct Player<'a> {
    conn: ConnId,
    peer: &'a Peer,
    shell: &'a Shell,
}

impl Session for Player<'_> {
    fn frame_max(&self) -> usize {
        shell::frame_max(self.peer)
    }

    fn frame(&mut self, frame: Frame<'_>) {
        let msg = Message::ToRoom(codec::to_room(&frame));
        self.shell.received(RoleId::Room, self.conn, msg, Some(frame));
    }
}
