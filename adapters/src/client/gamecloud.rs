//! A login as gamecloud's clients do it: where to, a signed set, and what it is good for. The session it ends in is
//! the one that everything after it stands on.

use gatepass_core::{
    ids::{AccountId, SessionKey},
    message::Reply,
    refusal::Refusal,
    text::{Identity, bounded},
    wire::{gamecloud::call::escaped, json::Quoted},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{Dial, HttpConnection, Refused, Trouble, Unclear, What, http};

/// Logs in, from the Index on. Each step has a connection of its own; `step` is told of those before the last.
pub(crate) async fn log_in<F: Future<Output = ()> + Send>(
    index: &str,
    identity: &Identity,
    dial: Dial,
    step: impl Fn(What) -> F + Send,
) -> Result<(Reply, Option<Refused>), Trouble> {
    let (domain, id) = (Quoted(&identity.realm), Quoted(&identity.subject));
    let oem = format!("{{\"domain\":{domain},\"openid\":{id}}}");
    let target = format!("/index.html?control=config&func=getServerInfo&oemInfo={}", escaped(&oem));
    let Located { ip, port, newbie } = match answer(index, &target, dial).await? {
        Ok(located) => located,
        Err(refused) => return Ok((Reply::Refused(refused.why), Some(refused))),
    };
    let logic = if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") };
    step(What::Located { server: logic.clone(), newbie }).await;

    let issued = exchange(&logic, &format!("/auth360.html?id={}", escaped(&identity.subject)), dial).await?;
    step(What::Issued { bytes: issued.len() }).await;
    // What is issued goes back as it came: that is what was signed.
    let set: &RawValue = serde_json::from_str(&issued).map_err(|_| Unclear::NotAsked)?;
    let oem = Zeroizing::new(format!("{{\"domain\":{domain},\"auth\":{}}}", set.get()));
    let target = Zeroizing::new(format!("/index.html?func=1000&oemInfo={}", escaped(&oem)));
    match answer::<Entered>(&logic, &target, dial).await? {
        Ok(Entered { id, token, name, info }) => {
            let token = Zeroizing::new(token);
            let reply = Reply::LoggedIn {
                name: bounded(&name).ok_or(Unclear::TooLong)?,
                account: AccountId(id),
                newbie: info.status == NEWBIE,
                password: None,
                session: SessionKey::parse(&token).ok_or(Unclear::ForeignKey)?,
            };
            Ok((reply, None))
        }
        Err(refused) => Ok((Reply::Refused(refused.why), Some(refused))),
    }
}

/// The status of a player who was never there.
const NEWBIE: u32 = 16;

#[derive(Deserialize)]
struct Located {
    ip: String,
    port: u16,
    newbie: bool,
}

#[derive(Deserialize)]
struct Entered {
    id: u64,
    token: String,
    name: String,
    info: Info,
}

#[derive(Deserialize)]
struct Info {
    status: u32,
}

#[derive(Deserialize)]
struct Answered<T> {
    code: u32,
    data: Option<T>,
}

/// An answer's data, or its refusal.
async fn answer<T: for<'a> Deserialize<'a>>(
    server: &str,
    target: &str,
    dial: Dial,
) -> Result<Result<T, Refused>, Trouble> {
    let body = exchange(server, target, dial).await?;
    // The data of a refusal is of another form.
    let Answered { code, .. } =
        serde_json::from_str::<Answered<serde::de::IgnoredAny>>(&body).map_err(|_| Unclear::NotAsked)?;
    if code != 0 {
        let why = match code {
            1 => Refusal::NoSession,
            9000 | 9008 => Refusal::Unavailable,
            9006 => Refusal::BadSignature,
            _ => Refusal::Malformed,
        };
        return Ok(Err(Refused { code, why }));
    }
    let answered = serde_json::from_str::<Answered<T>>(&body).ok().and_then(|answered| answered.data);
    answered.map(Ok).ok_or_else(|| Unclear::NotAsked.into())
}

/// One GET on a connection of its own, and the text of its answer.
async fn exchange(server: &str, target: &str, dial: Dial) -> Result<Zeroizing<String>, Trouble> {
    let mut connection = HttpConnection::new(dial.reach(server).await?);
    let mut bytes = Zeroizing::new(Vec::new());
    http::write_request(target, server, None, false, &mut bytes);
    let response = connection.exchange(&bytes).await?;
    let body = std::str::from_utf8(response.body).map_err(|_| Unclear::NotAsked)?;
    Ok(Zeroizing::new(body.to_owned()))
}
