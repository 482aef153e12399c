//! Datagrams over real sockets: who may have a session's scene messages sent there, and where they go if not.

#[path = "common/net.rs"]
mod net;

use std::time::Duration;

use gatepass_adapters::{
    config::{Config, PolicyName},
    game::{Frames, Game, Lounge, Player as Joined},
    server::{Running, Server},
};
use gatepass_core::{
    ids::ConnId,
    wire::{
        proto::{MsgBindTCPSession, MsgSceneUDP, cmd::room as cmd},
        udp::{decode_scene, encode_bind},
    },
};
use net::{HOME, PATIENCE, Place, Session, frame, whole_entry};
use tokio::{
    net::UdpSocket,
    time::{sleep, timeout},
};

/// A command of the game.
const MOVE: u16 = 1_001;

/// A lounge that answers every frame with a scene.
struct Scenes(Lounge);

impl Game for Scenes {
    fn joined(&mut self, player: &Joined, now: Duration, to: &mut Frames) {
        self.0.joined(player, now, to);
    }

    fn frame(&mut self, conn: ConnId, _flag: u8, _command: u16, _body: &[u8], to: &mut Frames) {
        let scene = to.write(cmd::SCENE_UDP, &MsgSceneUDP::default());
        to.send(conn, scene);
    }

    fn left(&mut self, conn: ConnId, now: Duration) {
        self.0.left(conn, now);
    }

    fn emptied(&mut self) {
        self.0.emptied();
    }

    fn next_tick(&self) -> Option<Duration> {
        self.0.next_tick()
    }

    fn tick(&mut self, now: Duration, to: &mut Frames) {
        self.0.tick(now, to);
    }
}

async fn serve(policy: &str) -> Running {
    let config = Config { policy: PolicyName(policy.into()), allow_unsafe_policy: true, ..Config::local() };
    let game = Scenes(Lounge::new(String::new()));
    Server::start_with(config, Box::new(game)).await.expect("the server starts")
}

/// Asks for a session's datagrams.
async fn bind(from: &UdpSocket, session: &Session, place: &Place) {
    let wish = MsgBindTCPSession { id: session.account, key: place.key.as_str().into() };
    let mut datagram = Vec::new();
    encode_bind(&wish, &mut datagram).expect("fits");
    from.send_to(&datagram, place.addr).await.expect("sent");
}

#[tokio::test]
async fn strict_binds_nobody_and_scenes_stay_on_tcp() {
    let running = serve("strict").await;
    let to = running.addresses.http.expect("it has a LoginServer");
    let (mut player, session, place) = whole_entry(to, "ann").await;
    let socket = UdpSocket::bind((HOME, 0)).await.expect("a socket");
    bind(&socket, &session, &place).await;
    // Time for a bind to work, if it did.
    sleep(Duration::from_millis(50)).await;
    player.send(&frame(MOVE, &[])).await;
    player.expect(cmd::SCENE_UDP).await;
    let mut datagram = [0; 2_048];
    let heard = timeout(Duration::from_millis(100), socket.recv_from(&mut datagram)).await;
    assert!(heard.is_err(), "{heard:?}");
    running.shutdown().await;
}

#[tokio::test]
async fn mope_binds_whoever_knows_the_token() {
    let running = serve("mope").await;
    let to = running.addresses.http.expect("it has a LoginServer");
    let (mut player, session, place) = whole_entry(to, "ann").await;
    let socket = UdpSocket::bind((HOME, 0)).await.expect("a socket");
    let mut datagram = [0; 2_048];
    let arrived = async {
        loop {
            // A datagram may be lost, and a frame may overtake it.
            bind(&socket, &session, &place).await;
            player.send(&frame(MOVE, &[])).await;
            if let Ok(arrived) = timeout(Duration::from_millis(100), socket.recv_from(&mut datagram)).await {
                return arrived.expect("received");
            }
        }
    };
    let (len, from) = timeout(PATIENCE, arrived).await.expect("in time");
    assert_eq!(from.port(), place.addr.port());
    assert_eq!(decode_scene(&datagram[..len]).expect("a scene").cmd, cmd::SCENE_UDP);
    player.expect_alive().await;
    running.shutdown().await;
}
