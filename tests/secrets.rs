//! No secret in any log, at any level, whatever happens.

#[path = "common/net.rs"]
mod net;

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use gatepass_adapters::{
    client::{self, Dial, Options, System, play},
    config::{Config, Part},
    gamecloud::{GamecloudConfig, TxConfig},
    gtarcade::{GameKeys, GtarcadeConfig, signed_response},
};
use gatepass_core::{
    client::{Outcome, Script},
    ids::{Addr, Payload},
    limits::Times,
    message::{Age, Credentials},
    policy::SignedText,
    role::Settings,
    text::{Identity, Password, bounded, nickname},
    verify::gtarcade::SignKey,
};
use net::{AWAY, HOME, LOGOUT, Player, http, login_head, post, room, start, try_login, try_room};
use tracing_subscriber::{fmt::MakeWriter, prelude::*};

/// Remembers every byte that is logged.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics here").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Memory {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Memory {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("nobody panics here")).into_owned()
    }
}

/// How a secret could be written: as it is, as the bytes of a key, in hexadecimal, as a list of numbers.
fn forms(secret: &str) -> Vec<String> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut forms = vec![secret.to_lowercase(), hex(secret.as_bytes()), list(secret.as_bytes())];
    let bits: Option<Vec<u8>> = (0..secret.len() / 2)
        .map(|n| secret.get(2 * n..2 * n + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    if let Some(bits) = bits.filter(|bits| bits.len() == 16) {
        forms.push(list(&bits));
        forms.push(u128::from_be_bytes(bits.clone().try_into().expect("sixteen")).to_string());
        forms.push(String::from_utf8_lossy(&bits).to_lowercase());
    }
    forms
}

fn list(bytes: &[u8]) -> String {
    bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_forms_find_what_they_should() {
    let key = "0123456789abcdef0123456789abcdef";
    for written in [
        key.to_owned(),
        key.to_uppercase(),
        format!("{:?}", key.as_bytes()),
        format!("{:?}", [1u8, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef].repeat(2)),
    ] {
        assert!(forms(key).iter().any(|form| written.to_lowercase().contains(form)), "{written}");
    }
}

#[tokio::test]
async fn no_secret_is_ever_logged() {
    const PASSWORD: &str = "correct-horse-battery";
    const GUESS: &str = "tr0ub4dor-and-3";
    const SHARED: &str = "shared-key-of-the-deployment";
    const SIGN_KEY: &str = "sign-key-of-the-platform";
    let memory = Memory::default();
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_ansi(false).with_writer(memory.clone()))
        .init();
    tracing::trace!("the layer takes everything");
    assert!(memory.text().contains("the layer takes everything"));

    let any = std::net::SocketAddr::new(HOME, 0);
    let keys = GameKeys { sign_key: SIGN_KEY.into(), other_sign_key: Some(GUESS.into()) };
    let gtarcade = GtarcadeConfig { games: [("7".into(), keys)].into(), ..GtarcadeConfig::default() };
    let gamecloud = GamecloudConfig {
        secret: Some("what-sets-are-signed-with".into()),
        admin_secret: Some("what-admin-sets-are-signed-with".into()),
        admin_key: Some("what-administrators-know".into()),
        tx: Some(TxConfig {
            url: "http://127.0.0.1:1".into(),
            appid: "7".into(),
            appkey: "what-tencent-gave-us".into(),
            pf: "qzone".into(),
        }),
        ..GamecloudConfig::default()
    };
    let config = Config { shared_key: SHARED.into(), gtarcade, gamecloud, ..Config::local() };
    let services = start(Config {
        roles: vec![Part::Login, Part::Accounts, Part::Cache, Part::Center],
        center_listen: Some(any),
        service_listen: Some(any),
        ..config.clone()
    })
    .await;
    let rooms = Config {
        roles: vec![Part::Room],
        services: services.addresses.service.map(|addr| addr.to_string()),
        center: services.addresses.center.map(|addr| addr.to_string()),
        ..config.clone()
    };
    tracing::info!(config = ?rooms, "as `serve` logs it");
    let stranger = start(Config { shared_key: "not-the-shared-key".into(), ..rooms.clone() }).await;
    let rooms = start(rooms).await;
    let to = services.addresses.http.expect("it has a LoginServer");
    let mut secrets =
        vec![PASSWORD.to_owned(), GUESS.to_owned(), SHARED.to_owned(), "not-the-shared-key".to_owned()];
    secrets.push(SIGN_KEY.to_owned());

    // Everything that works.
    let session = try_login(HOME, to, &login_head("ann", PASSWORD, "", true)).await.expect("registers");
    let guest =
        try_login(HOME, to, &login_head("", "", "4730d114e32c13359a112ce6cc17eebbd2073944", true)).await;
    let guest = guest.expect("a guest");
    let place = room(to, &session.cookie).await;
    let mut first = Player::enter(&place, "ann").await;
    first.expect_entry(session.account).await;
    first.expect_alive().await;
    let newer = try_login(HOME, to, &login_head("ann", PASSWORD, "", false)).await.expect("logs in");
    let newer_place = room(to, &newer.cookie).await;
    let mut second = Player::enter(&newer_place, "ann").await;
    second.expect_entry(session.account).await;
    first.expect_refusal(21).await;
    for secret in
        [&session.cookie, &newer.cookie, &guest.cookie, &guest.password, &place.key, &newer_place.key]
    {
        assert_eq!(secret.len(), 32);
        secrets.push(secret.clone());
    }

    // A payload of GTarcade, twice, and one that is forged.
    let payload = signed_response("platform-account", "7", &SignKey::new(SIGN_KEY));
    for (payload, code) in
        [(&payload, 0), (&payload, 6), (&payload.replace("platform-account", "platform-victim"), 6)]
    {
        let response = post(HOME, to, "/gtarcade", payload.as_bytes()).await;
        let answer = String::from_utf8(response.body.clone()).expect("JSON");
        assert!(answer.contains(&format!("\"code\":{code},")), "{answer}");
        secrets.extend(response.cookie());
    }
    let sign = payload.split("\"sign\":\"").nth(1).and_then(|rest| rest.get(..32)).expect("a signature");
    secrets.extend([sign, "platform-account", "platform-victim"].map(ToOwned::to_owned));

    // Everything that does not.
    Player::enter(&place, "ann").await.expect_refusal(17).await;
    Player::enter_from(AWAY, &newer_place, "ann").await.expect_refusal(17).await;
    for _ in 0..5 {
        assert!(try_login(HOME, to, &login_head("ann", GUESS, "", false)).await.is_err());
    }
    assert!(try_login(AWAY, to, &login_head("ann", PASSWORD, "", true)).await.is_ok());
    assert!(
        try_login(HOME, to, &login_head("ann", PASSWORD, "", true).replace("&sign=7", "&sign=8"))
            .await
            .is_err()
    );
    assert!(try_login(HOME, to, &login_head("ann", &PASSWORD.repeat(9), "", true)).await.is_err());
    assert!(try_room(HOME, to, Some(&session.cookie)).await.is_err());
    let long = format!("GET /msg?p={PASSWORD}&x={} HTTP/1.1", "x".repeat(4_000));
    assert_eq!(http(HOME, to, &long).await.status, 414);
    let elsewhere = format!("GET /other?p={PASSWORD} HTTP/1.1\r\nCookie: session={}", session.cookie);
    assert_eq!(http(HOME, to, &elsewhere).await.status, 404);
    let mut garbage = Player::connect(place.addr).await;
    garbage.send(&net::frame(1, format!("\u{a}\u{7f}{}", newer_place.key).as_bytes())).await;
    garbage.expect_refusal(8).await;
    second.send(&LOGOUT).await;
    second.expect(21).await;

    // The client of this crate logs nothing either.
    let script = Script {
        credentials: Credentials::Password {
            name: bounded("ann").expect("short"),
            password: Password::new(PASSWORD).expect("short"),
        },
        addr: Addr::default(),
        scene: 1002,
        name: nickname("ann"),
        heartbeats: None,
        retries: 0,
        resumes: false,
        cheat: None,
    };
    let options = Options {
        server: to.to_string(),
        keep_alive: true,
        system: System::Mope,
        dial: Dial { source: Some(AWAY), reset: false },
        settings: Settings::default(),
    };
    let (live, is_live) = tokio::sync::oneshot::channel();
    let mut live = Some(live);
    let leave = async {
        let _ = is_live.await;
    };
    let ended = play(script.clone(), &options, leave, |moment| {
        tracing::trace!(?moment, "as a caller might log it");
        if matches!(moment.what, client::What::Admitted { .. })
            && let Some(live) = live.take()
        {
            let _ = live.send(());
        }
    });
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await;
    assert_eq!(ended, Ok(Outcome::LoggedOut), "{}", memory.text());

    // Nor does anything of gamecloud.
    let (logic, index) =
        (services.addresses.gamecloud.expect("logic"), services.addresses.index.expect("an Index"));
    let ask = async |to, target: String| {
        let answer = http(HOME, to, &format!("GET {target} HTTP/1.1")).await;
        String::from_utf8(answer.body).expect("text")
    };
    let admin = r#"{"openid":"root","openkey":"what-administrators-know"}"#.replace('"', "%22");
    let admin = ask(index, format!("/authAdmin.html?oemInfo={admin}")).await;
    let set = ask(logic, "/auth360.html?id=ann".into()).await;
    let evidence =
        |set: &str| format!("/index.html?func=1000&oemInfo={{%22auth%22:{}}}", set.replace('"', "%22"));
    let entered = ask(logic, evidence(&set)).await;
    let wrong = set.replace("ann", "bob");
    for wrong in [&set, &wrong] {
        assert_eq!(ask(logic, evidence(wrong)).await, r#"{"code":9006}"#);
    }
    let tx = r#"{"domain":"tx","openid":"ann","openkey":"what-tencent-gave-ann"}"#.replace('"', "%22");
    assert_eq!(
        ask(logic, format!("/index.html?func=1000&oemInfo={tx}")).await,
        r#"{"code":9001,"data":{"ret":0}}"#
    );
    for (text, name) in [(&admin, "sign"), (&admin, "session"), (&set, "sign"), (&entered, "token")] {
        let (_, value) = text.split_once(&format!("\"{name}\":\"")).unwrap_or_else(|| panic!("{text}"));
        secrets.push(value[..32].to_owned());
    }
    let named = ["what-sets-are-signed-with", "what-admin-sets-are-signed-with", "what-administrators-know"];
    secrets.extend(named.map(str::to_owned));
    secrets.extend(["what-tencent-gave-us", "what-tencent-gave-ann"].map(str::to_owned));
    let identity = Identity::new("official.IOS", "ann").expect("short");
    let signed = Credentials::Signed {
        identity,
        registers: true,
        payload: Payload::default(),
        age: Age::Fresh,
        form: Some(SignedText::Unambiguous),
    };
    let script = Script { credentials: signed, heartbeats: Some(1), ..script };
    let times = Times { heartbeat: Duration::from_millis(20), ..Times::default() };
    let options = Options {
        system: System::Gamecloud { index: index.to_string() },
        settings: Settings { times, ..Settings::default() },
        ..options
    };
    let ended = play(script, &options, std::future::pending(), |moment| {
        tracing::trace!(?moment, "as a caller might log it");
    });
    assert_eq!(ended.await, Outcome::LoggedOut);

    rooms.shutdown().await;
    stranger.shutdown().await;
    services.shutdown().await;
    let log = memory.text();
    assert!(log.contains("linked to services"), "servers log here: {log}");
    assert!(log.contains("without the shared key"), "the stranger was noticed: {log}");
    let lower = log.to_lowercase();
    for secret in secrets {
        for form in forms(&secret) {
            assert!(!lower.contains(&form), "{secret:?} stands in the log as {form:?}:\n{log}");
        }
    }
}
