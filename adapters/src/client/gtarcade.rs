//! The login of a game that a launcher has handed a payload to: `POST /gtarcade`.

use gatepass_core::{
    ids::{AccountId, SessionKey},
    message::Reply,
    refusal::Refusal,
    text::bounded,
    wire::local::Handover,
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Dial, HttpConnection, HttpError, Refused, Trouble, Unclear};
use crate::gtarcade::PATH;

/// Reasons that only what is signed is refused for.
const SIGNED: [Refusal; 4] =
    [Refusal::BadSignature, Refusal::SignatureStale, Refusal::SignatureReplayed, Refusal::SignatureDoubtful];

/// The answer.
#[derive(Deserialize)]
struct Answer {
    code: u32,
    message: Option<String>,
    account: Option<u64>,
    name: Option<String>,
    newbie: Option<bool>,
    session: Option<String>,
}

/// Appends a whole request with this payload.
pub fn write_handover(host: &str, payload: &Handover, out: &mut Vec<u8>) {
    let payload = payload.expose().as_bytes();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: gatepass/{}\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION"),
        payload.len()
    );
    // In one piece, so that no half of it stays behind in memory.
    out.reserve_exact(head.len() + payload.len());
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(payload);
}

/// Logs in, on a connection of its own.
pub(crate) async fn log_in(
    server: &str,
    payload: &Handover,
    dial: Dial,
) -> Result<(Reply, Option<Refused>), Trouble> {
    let mut connection = HttpConnection::new(dial.reach(server).await?);
    let mut request = Zeroizing::new(Vec::new());
    write_handover(server, payload, &mut request);
    let response = connection.exchange(&request).await?;
    read(response.body)
}

fn read(body: &[u8]) -> Result<(Reply, Option<Refused>), Trouble> {
    let answer: Answer =
        serde_json::from_slice(body).map_err(|_| HttpError::Malformed("it is not JSON with a code"))?;
    if answer.code != 0 {
        // The reason says more than the code, which is the original's.
        let told = |why: &Refusal| answer.message.as_deref() == Some(why.name());
        let code = Refused::from_code(answer.code);
        let refused = Refused { why: SIGNED.into_iter().find(told).unwrap_or(code.why), ..code };
        return Ok((Reply::Refused(refused.why), Some(refused)));
    }
    let lacks = || HttpError::Malformed("a login without account, name or session");
    let session = Zeroizing::new(answer.session.ok_or_else(lacks)?);
    let reply = Reply::LoggedIn {
        name: bounded(&answer.name.ok_or_else(lacks)?).ok_or(Unclear::TooLong)?,
        account: AccountId(answer.account.ok_or_else(lacks)?),
        newbie: answer.newbie.unwrap_or_default(),
        password: None,
        session: SessionKey::parse(&session).ok_or(Unclear::ForeignKey)?,
    };
    Ok((reply, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_or_refused() {
        let session = "0123456789abcdef0123456789abcdef";
        let good = format!(r#"{{"code":0,"account":7,"name":"ann","newbie":true,"session":"{session}"}}"#);
        let (reply, refused) = read(good.as_bytes()).expect("reads");
        assert!(matches!(reply, Reply::LoggedIn { account: AccountId(7), newbie: true, .. }));
        assert_eq!(refused, None);
        let (_, refused) = read(br#"{"code":6,"message":"bad_signature"}"#).expect("reads");
        assert_eq!(refused.map(|refused| refused.code), Some(6));
        for bad in ["", "{}", r#"{"code":0}"#, &good.replace(session, "other")] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
