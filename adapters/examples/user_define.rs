//! A verifier of one's own, in a few lines: players of gamecloud who are verified by `UserDefine`.
//!
//! ```console
//! cargo run -p gatepass-adapters --example user_define
//! ```
//!
//! A client asks for a set under `/auth/new.html` or `/UserDefine`, and logs in with it and
//! `authControl: "UserDefine"`. Its accounts are in a realm of their own, whatever domain it names.

use std::{process::ExitCode, time::Duration};

use gatepass_adapters::{config::Config, game::Lounge, server::Server};
use gatepass_core::{
    verify::{
        Window,
        gamecloud::{
            set::{ID_MAX, SetFault, is_time},
            sign::{SIGN, Secret, check, sign},
        },
        verifier::{Domains, Evidence, Issue, Unproven, Verdict, Verified, Verifier, Verifiers},
    },
    wire::json::{Json, Members},
};

/// Signs who a player says he is and when he asked: `{t, userId, sign}`.
#[derive(Debug)]
pub(crate) struct UserDefine {
    secret: Secret,
    domains: Domains,
}

impl UserDefine {
    /// With the secret that its sets are signed with.
    #[must_use]
    pub(crate) fn new(secret: Secret) -> Self {
        Self { secret, domains: Domains::of(&["official", "UserDefine"], &["IOS", "Android"]) }
    }
}

impl Verifier for UserDefine {
    fn name(&self) -> &'static str {
        "UserDefine"
    }

    fn domains(&self) -> &Domains {
        &self.domains
    }

    fn routes(&self) -> &[&str] {
        &["/auth/new.html"]
    }

    fn issue(&self, request: &Issue<'_>) -> Result<String, Unproven> {
        let id = request.parameters.get("id").and_then(Json::text).filter(|id| is_id(id));
        let id = id.ok_or(Unproven::NoEvidence)?;
        // A real one would find out here whether the player is who he says.
        let t = request.now.to_string();
        let mut set = Members(vec![("t".into(), Json::Number(&t)), ("userId".into(), Json::Text(id.into()))]);
        let signature = sign(&set, self.secret.expose()).map_err(|_| Unproven::NoEvidence)?;
        set.0.push((SIGN.into(), Json::Text(signature.text().into())));
        Ok(Json::Object(set).to_string())
    }

    fn check(&self, evidence: &Evidence<'_>) -> Verdict {
        let Some(auth) = evidence.auth() else { return Verdict::Refused(Unproven::NoEvidence) };
        // The members that are issued and no others, each in its form: or one signature fits two sets.
        let members = match auth.object() {
            Some(members) if members.0.len() == 3 && !members.repeats() => members,
            _ => return Verdict::Refused(Unproven::Set(SetFault::Members)),
        };
        let (Some(Json::Number(t)), Some(Json::Text(id)), Some(Json::Text(given))) =
            (members.get("t"), members.get("userId"), members.get(SIGN))
        else {
            return Verdict::Refused(Unproven::Set(SetFault::Members));
        };
        let time = t.parse().ok().filter(|time: &i64| is_time(time.unsigned_abs()) && time.to_string() == *t);
        let Some(time) = time.filter(|_| is_id(id)) else {
            return Verdict::Refused(Unproven::Set(SetFault::Form { member: "t" }));
        };
        match check(members, &self.secret, given) {
            Some(signature) => {
                let age = WINDOW.age(time, evidence.now.cast_signed());
                Verdict::Verified(Verified::new(id.to_string(), age, signature.payload()))
            }
            None => Verdict::Refused(Unproven::Set(SetFault::Signature)),
        }
    }

    fn memory(&self) -> Duration {
        WINDOW.length()
    }
}

/// When a set counts.
const WINDOW: Window = Window::EVEN;

fn is_id(id: &str) -> bool {
    (1..=ID_MAX).contains(&id.len())
}

/// Serves it on this machine until the process is ended, with accounts in memory.
#[tokio::main]
async fn main() -> ExitCode {
    let config = Config::local();
    let lounge = Box::new(Lounge::new(config.voice_address.clone()));
    let Some(secret) = Secret::new("only an example") else { return ExitCode::FAILURE };
    let verifiers = Verifiers::new().with(UserDefine::new(secret));
    match Server::start_verifying(config, lounge, verifiers).await {
        Ok(mut running) => {
            for (role, addr) in running.addresses.iter() {
                println!("listening role={role} addr={addr}");
            }
            running.failed().await;
        }
        Err(error) => eprintln!("error: {error}"),
    }
    ExitCode::FAILURE
}
