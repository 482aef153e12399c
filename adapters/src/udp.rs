//! Datagrams of players: the wish to bind an address to a session, and scene messages to bound addresses.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use gatepass_core::{
    message::Message,
    role::Event,
    wire::{
        frame::{self, DATAGRAM_MAX, FLAG_ZLIB},
        proto::cmd::room as cmd,
    },
};
use tokio::net::UdpSocket;

use crate::{codec, drive::RoleId, gate::addr_of, shell::Shell};

/// Receives datagrams, for ever. Whatever is not a bind is dropped silently.
pub(crate) async fn serve(socket: Arc<UdpSocket>, shell: Arc<Shell>) {
    // One byte more than is accepted: a datagram that was cut is never taken for a whole one.
    let mut datagram = [0; DATAGRAM_MAX];
    loop {
        match socket.recv_from(&mut datagram).await {
            Ok((len, from)) => {
                let Some(msg) = codec::to_room_by_datagram(&datagram[..len]) else { continue };
                let (addr, port) = (addr_of(from.ip()), from.port());
                shell.feed(RoleId::Room, Event::Datagram { addr, port, msg: Message::ToRoom(msg) });
            }
            // A client that is gone answers a datagram with an error on this socket; others are not affected.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => {
                tracing::warn!(%error, "receiving datagrams failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Sends a frame as a datagram if it is a scene message that fits one. Whether it is taken care of: a datagram
/// that the network does not take now is lost, as datagrams are.
pub(crate) fn send_scene(socket: &UdpSocket, to: SocketAddr, bytes: &[u8]) -> bool {
    let Ok(written) = frame::decode_exact(bytes, frame::FRAME_MAX) else { return false };
    if written.cmd != cmd::SCENE_UDP {
        return false;
    }
    if bytes.len() <= DATAGRAM_MAX {
        let _ = socket.try_send_to(bytes, to);
        return true;
    }
    let mut packed = Vec::new();
    // Above the datagram's size only compression helps; a body that is compressed already stays on TCP.
    let fits = written.flag != FLAG_ZLIB
        && frame::encode_datagram(written.cmd, written.body, &mut packed).unwrap_or(false);
    if fits {
        let _ = socket.try_send_to(&packed, to);
    }
    fits
}
