//! `POST /gtarcade`: the payload that GTarcade's launcher has handed to a game becomes a session.
//!
//! The platform's documentation says nothing of the game's own request to its server, so this is ours: the body is
//! the platform's answer, byte for byte; the answer is JSON,
//! `{"code":0,"account":1,"name":"…","newbie":true,"session":"…"}` or `{"code":6,"message":"bad_signature"}` with
//! the codes of the original, and the session is also set as the cookie of the original. With it the room is asked
//! for as always.

use std::{collections::BTreeMap, fmt, net::SocketAddr};

use bytes::Bytes;
use gatepass_core::{
    ids::Addr,
    limits::Times,
    message::{Credentials, Reply, Request, RequestBody},
    refusal::Refusal,
    role::Entropy,
    verify::{
        gtarcade::{
            BYTES_MAX, Games, Response, Settings, SignKey, SignKeys, Strict, Window, base, members, sign,
        },
        verifier::{Evidence, Unproven, Verdict, Verifier, credentials},
    },
    wire::{
        http,
        json::{self, Json, Quoted},
        php::{self, Php},
    },
};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{clock::unix_time, drive::OsEntropy};

/// Where payloads are taken.
pub const PATH: &str = "/gtarcade";
/// The game that is known if none is configured: only on loopback, for tests and first steps. No game of
/// the platform has this id.
pub const TEST_GAME: &str = "0";
/// Its sign key, which everybody can read here.
pub const TEST_SIGN_KEY: &str = "gatepass-test-sign-key";

/// What is known of the platform: which games it signs for, and how strictly its payloads are read.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GtarcadeConfig {
    /// Which PHP signs.
    pub php: Php,
    /// What becomes of payloads that could be read in two ways.
    pub strict: Strict,
    /// When a payload counts.
    pub window: Window,
    /// Games by their ids. None: only the test game, and only on loopback.
    pub games: BTreeMap<String, GameKeys>,
}

/// The keys of a game.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GameKeys {
    /// The key that the platform gave out for this game.
    pub sign_key: String,
    /// The one before or the next, while it is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_sign_key: Option<String>,
}

/// Keys are masked.
impl fmt::Debug for GtarcadeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.masked()).unwrap_or_default())
    }
}

impl fmt::Debug for GameKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GameKeys(..)")
    }
}

impl GameKeys {
    fn texts(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.sign_key).chain(&self.other_sign_key).map(|key| &key[..])
    }
}

impl GtarcadeConfig {
    /// This configuration without keys, for people to look at.
    #[must_use]
    pub(crate) fn masked(&self) -> Self {
        let mask = |keys: &GameKeys| GameKeys {
            sign_key: "***".into(),
            other_sign_key: keys.other_sign_key.as_ref().map(|_| "***".into()),
        };
        let games = self.games.iter().map(|(game, keys)| (game.clone(), mask(keys))).collect();
        Self { games, ..self.clone() }
    }

    /// Whether it can be served at this address, by servers with these times.
    pub(crate) fn check(&self, listen: SocketAddr, times: &Times) -> Result<(), String> {
        for (game, keys) in &self.games {
            if keys.texts().any(str::is_empty) {
                return Err(format!("gtarcade.games.{game}: with an empty sign key everybody could sign"));
            }
            if keys.texts().any(|key| key == TEST_SIGN_KEY) && !listen.ip().is_loopback() {
                return Err(format!(
                    "gtarcade.games.{game}: the test key, which everybody knows, is for loopback only"
                ));
            }
            if !Games::new(Settings::default()).add(game, SignKeys::one(SignKey::new(&keys.sign_key))) {
                return Err(format!("gtarcade.games.{game}: a game's id is a decimal number"));
            }
        }
        times.check_memory("gtarcade.window", self.window.length())
    }

    /// Whether payloads signed with the test key count at this address.
    #[must_use]
    pub fn takes_test_key(&self, listen: SocketAddr) -> bool {
        let mut keys = self.games.values().flat_map(GameKeys::texts);
        listen.ip().is_loopback() && (self.games.is_empty() || keys.any(|key| key == TEST_SIGN_KEY))
    }

    /// The games whose payloads count; none if no game is configured and strangers could come.
    pub(crate) fn games(&self, listen: SocketAddr) -> Option<Games> {
        let settings = Settings { php: self.php, window: self.window, strict: self.strict };
        let mut games = Games::new(settings);
        if self.games.is_empty() {
            if !listen.ip().is_loopback() {
                return None;
            }
            games.add(TEST_GAME, SignKeys::one(SignKey::new(TEST_SIGN_KEY)));
        }
        for (game, keys) in &self.games {
            let other = keys.other_sign_key.as_deref().map(SignKey::new);
            games.add(game, SignKeys { current: SignKey::new(&keys.sign_key), other });
        }
        Some(games)
    }
}

/// What the platform would answer to a launcher now, signed with this key: for tests, and for whoever tries a
/// server. A random member makes each its own.
#[must_use]
pub fn signed_response(account: &str, game: &str, key: &SignKey) -> String {
    let now = unix_time().as_secs();
    signed_response_at(account, game, key, now)
}

/// As [`signed_response`], at this second since 1970.
#[must_use]
pub fn signed_response_at(account: &str, game: &str, key: &SignKey, time: u64) -> String {
    let nonce = u128::from_be_bytes(OsEntropy::new().bits());
    let members = format!(
        "\"account\":{},\"game_id\":{},\"game_name\":\"Test\",\"type\":\"micro\",\"time\":{time},\"nonce\":\"{nonce:032x}\"",
        Quoted(account),
        Quoted(game)
    );
    let data = format!("{{{members}}}");
    let read = json::read(data.as_bytes(), php::DEPTH_MAX);
    let base = read.as_ref().ok().and_then(Json::object).map(|members| base(members, Php::V82));
    let sign = sign(&base.unwrap_or_default(), key).expose();
    let sign = String::from_utf8_lossy(&sign);
    format!(
        "{{\"code\":0,\"message\":\"success\",\"data\":{{{members},\"sign\":\"{sign}\",\"game_data\":{{\"server_id\":1}}}}}}"
    )
}

/// Reads a body, which may take its time but no more than the request may.
///
/// # Errors
/// [`Refusal::Malformed`] if it is too long or does not come as a whole.
pub(crate) async fn read(body: Incoming) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let whole = Limited::new(body, BYTES_MAX).collect().await.map_err(|_| Refusal::Malformed)?;
    Ok(Zeroizing::new(whole.to_bytes().to_vec()))
}

/// Reads the platform's answer. Whatever is wrong with it is for the LoginServer to answer.
pub(crate) fn request(games: &Games, body: Result<&[u8], Refusal>, addr: Addr) -> Request {
    let now = unix_time().as_secs();
    let credentials = body.and_then(|body| {
        vouched(games, body, addr, now).map_err(|reason| {
            tracing::info!(%reason, "a payload of GTarcade is refused");
            reason.into()
        })
    });
    match credentials {
        Ok(credentials) => Request { addr, signed: true, body: RequestBody::Login(credentials) },
        Err(why) => Request { addr, signed: false, body: RequestBody::Bad(why) },
    }
}

fn vouched(games: &Games, body: &[u8], peer: Addr, now: u64) -> Result<Credentials, Unproven> {
    let shown = &members(body)?;
    let domain = &Response::of(shown)?.claimed_domain()?;
    let evidence = Evidence { domain, shown, peer, now, nonce: 0 };
    let verdict = games.check(&evidence);
    if let Verdict::Verified(verified) = &verdict
        && let Some(reason) = verified.remark
    {
        tracing::warn!(%reason, "a payload of GTarcade breaks a strict rule");
    }
    credentials(games, &evidence, &verdict)
}

/// Writes the answer: the body, and the cookie's header value if there is one.
pub(crate) fn reply(reply: &Reply) -> (Bytes, Option<String>) {
    match reply {
        Reply::LoggedIn { account, name, newbie, session, .. } => {
            let session = session.text();
            let answer = serde_json::json!({
                "code": 0, "account": account.0, "name": name.as_str(), "newbie": newbie, "session": session,
            });
            (answer.to_string().into(), http::set_cookie(&session).ok())
        }
        Reply::Refused(why) => (refused(*why), None),
        // No login has another answer.
        _ => (refused(Refusal::Unavailable), None),
    }
}

fn refused(why: Refusal) -> Bytes {
    serde_json::json!({ "code": why.code(), "message": why.name() }).to_string().into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn config(game: &str, key: &str) -> GtarcadeConfig {
        let keys = GameKeys { sign_key: key.into(), other_sign_key: Some("hunter3".into()) };
        GtarcadeConfig { games: BTreeMap::from([(game.into(), keys)]), ..GtarcadeConfig::default() }
    }

    #[test]
    fn the_test_key_is_for_loopback_only() {
        let [here, everywhere] = [[127, 0, 0, 1], [0, 0, 0, 0]].map(|ip| SocketAddr::from((ip, 8123)));
        let none = GtarcadeConfig::default();
        assert!(none.games(here).is_some() && none.games(everywhere).is_none());
        assert!(none.takes_test_key(here) && !none.takes_test_key(everywhere));
        assert!(!config("7", "hunter2").takes_test_key(here));
        let times = Times::default();
        for (config, listen, fits) in [
            (&none, everywhere, true),
            (&config("7", TEST_SIGN_KEY), here, true),
            (&config("7", TEST_SIGN_KEY), everywhere, false),
            (&config("7", "hunter2"), everywhere, true),
            (&config("7", ""), here, false),
            (&config("x", "hunter2"), here, false),
        ] {
            assert_eq!(config.check(listen, &times).is_ok(), fits, "{config:?} {listen}");
        }
        let short = Times { signature_window: Duration::from_secs(179), ..times };
        assert!(none.check(here, &short).is_err_and(|why| why.contains("360 s")));
    }

    #[test]
    fn keys_are_masked() {
        let config = config("7", "hunter2");
        assert!(!format!("{config:?} {:?}", config.games).contains("hunter"));
    }
}
