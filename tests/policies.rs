//! The policies of the originals, served: what the checker finds in worlds is there on real sockets, and is gone with
//! the strict rules. It is the LoginServer that decides, the same in both.

#[path = "common/net.rs"]
mod net;

use std::time::{SystemTime, UNIX_EPOCH};

use gatepass_adapters::{
    config::{Config, PolicyName},
    gtarcade::{TEST_GAME, TEST_SIGN_KEY},
};
use gatepass_core::{
    verify::{
        gamecloud::{set::Set, sign::Secret},
        gtarcade::{SignKey, base, sign},
    },
    wire::{
        json::{self, Json},
        php::Php,
    },
};
use net::{HOME, post, start};
use serde_json::Value;

const SECRET: &str = "what the portal signs with";

fn served_with(policy: &str) -> Config {
    let mut config = Config { policy: PolicyName(policy.into()), ..Config::local() };
    config.allow_unsafe_policy = policy != "strict";
    config.gamecloud.secret = Some(SECRET.into());
    config
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}

/// The codes of gamecloud's answers to these logins, one after the other.
async fn codes(policy: &str, logins: &[String]) -> Vec<u64> {
    let server = start(served_with(policy)).await;
    let logic = server.addresses.gamecloud.expect("gamecloud is served");
    let mut codes = Vec::new();
    for oem in logins {
        let body = format!("{{\"func\":\"1000\",\"oemInfo\":{oem}}}");
        let response = post(HOME, logic, "/index.html", body.as_bytes()).await;
        let answer: Value = serde_json::from_slice(&response.body).expect("JSON");
        codes.push(answer["code"].as_u64().expect("a code"));
    }
    server.shutdown().await;
    codes
}

#[tokio::test]
async fn gamecloud_believes_a_name_and_takes_what_reads_otherwise() {
    let t = now();
    let issue = |id: String, nonce| {
        let set = Set { t: t - 2, nonce, id, domain: None, session: None };
        set.issue(&Secret::new(SECRET).expect("not empty")).expect("a good set")
    };
    let set = issue("ann".into(), 1);
    // Bytes have moved: the id is shorter, the time is another one, and the old one is in a name.
    let other: Value = serde_json::from_str(&issue(format!("annt{t}"), 2)).expect("JSON");
    let (old, sign) = (&other["t"], &other["sign"]);
    let long = format!("annt{t}");
    let recast = format!(
        "{{\"t\":{t},\"t{old}\":\"\",\"nonce\":2,\"plat_user_id\":\"ann\",\"nickname\":\"{long}\",\"avatar\":\"{long}\",\"is_tourist\":1,\"sign\":{sign}}}"
    );
    let changed = recast.replace("\"plat_user_id\":\"ann\"", "\"plat_user_id\":\"anna\"");
    let mut logins = vec![r#"{"domain":"official.IOS","openid":"ann"}"#.to_owned()];
    logins.extend(
        [&set, &set, &recast, &changed]
            .map(|auth| format!("{{\"domain\":\"official.IOS\",\"auth\":{auth}}}")),
    );
    // W6, the set, W11, W12; a wrong signature is nobody's.
    assert_eq!(codes("gamecloud", &logins).await, [0, 0, 0, 0, 9006]);
    assert_eq!(codes("strict", &logins).await, [9006, 0, 9006, 9006, 9006]);
}

/// An answer of the platform with this time and one more member.
fn payload(time: u64, nick: &str) -> String {
    let members = format!(
        "\"account\":\"ann\",\"game_id\":\"{TEST_GAME}\",\"type\":\"micro\",\"time\":{time},\"nick\":\"{nick}\""
    );
    let data = format!("{{{members}}}");
    let value = json::read(data.as_bytes(), 4).expect("JSON");
    let text = base(value.object().expect("an object"), Php::V82);
    let sign = sign(&text, &SignKey::new(TEST_SIGN_KEY)).text();
    assert!(matches!(value, Json::Object(_)));
    format!("{{\"code\":0,\"data\":{{{members},\"sign\":\"{sign}\"}}}}")
}

/// What becomes of these payloads, one after the other.
async fn told(policy: &str, payloads: &[String]) -> Vec<String> {
    let server = start(served_with(policy)).await;
    let http = server.addresses.http.expect("a LoginServer");
    let mut told = Vec::new();
    for payload in payloads {
        let response = post(HOME, http, "/gtarcade", payload.as_bytes()).await;
        let answer: Value = serde_json::from_slice(&response.body).expect("JSON");
        told.push(answer["message"].as_str().unwrap_or("in").to_owned());
    }
    server.shutdown().await;
    told
}

#[tokio::test]
async fn gtarcade_takes_what_reads_otherwise_and_what_is_still_to_come() {
    let now = now();
    let good = payload(now, "n");
    let payloads =
        [good.clone(), good, payload(now, "n&time=0"), payload(now + 9_000, "n"), payload(now - 9_000, "n")];
    // Once more, with a text in which a time could be read, and long before its time.
    assert_eq!(told("gtarcade", &payloads).await, ["in", "in", "in", "in", "signature_stale"]);
    let strict = ["in", "signature_replayed", "bad_signature", "signature_stale", "signature_stale"];
    assert_eq!(told("strict", &payloads).await, strict);
}
