//! Two thousand whole flows, fifty at a time: no error at all.

#[path = "common/net.rs"]
mod net;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gatepass_adapters::config::Config;
use net::{LOGOUT, start, whole_entry};
use tokio::{task::JoinSet, time::timeout};

const FLOWS: usize = 2_000;
const AT_ONCE: usize = 50;

/// Login, room, entry, heartbeat, logout, each over connections of its own, as the original client does it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_flows_fifty_at_a_time() {
    // Fifty passwords at once, and none of them is turned away: the queue is for more.
    let running = start(Config::local()).await;
    let to = running.addresses.http.expect("it has a LoginServer");
    let next = Arc::new(AtomicUsize::new(0));
    let mut players = JoinSet::new();
    for player in 0..AT_ONCE {
        let next = Arc::clone(&next);
        players.spawn(async move {
            let mut flows = 0;
            while next.fetch_add(1, Ordering::Relaxed) < FLOWS {
                // Any refusal, wrong order or missing byte is a panic in there.
                let (mut player, ..) = whole_entry(to, &format!("player{player}")).await;
                player.expect_alive().await;
                player.send(&LOGOUT).await;
                loop {
                    let frame = player.next().await.expect("the answer to the logout");
                    if !matches!(frame[4], 3 | 4) {
                        assert_eq!(frame, LOGOUT);
                        break;
                    }
                }
                flows += 1;
            }
            flows
        });
    }
    let all = async {
        let mut flows = 0;
        while let Some(player) = players.join_next().await {
            flows += player.expect("no flow fails");
        }
        flows
    };
    let flows: usize = timeout(Duration::from_secs(90), all).await.expect("in time");
    assert_eq!(flows, FLOWS);
    // Nobody is left behind.
    let admin = running.addresses.admin.expect("operators are always served");
    let metrics = net::http(net::HOME, admin, "GET /metrics HTTP/1.1").await;
    let metrics = String::from_utf8(metrics.body).expect("text");
    for line in [
        "gatepass_sessions{state=\"live\"} 0".to_owned(),
        format!("gatepass_room_tokens_total{{event=\"consumed\"}} {FLOWS}"),
        format!("gatepass_logins_total{{result=\"ok\",provider=\"password\"}} {FLOWS}"),
    ] {
        assert!(metrics.contains(&line), "{line} is missing from {metrics}");
    }
    running.shutdown().await;
}
