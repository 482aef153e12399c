//! The question to Tencent's open platform, third version: is this key this player's?
//!
//! A GET of `/v3/user/get_info` whose parameters are signed with HMAC-SHA1, as that service documents it: the key
//! is the game's with a `&` behind it, and the text is method, path and parameters, each encoded, with `&` between
//! them. (The original sends parameters of its own making there, and its questions are refused.)

use alloc::{
    format,
    string::{String, ToString},
};
use core::net::Ipv6Addr;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::{set::ID_MAX, sign::Secret};
use crate::{
    ids::{Addr, Payload},
    verify::verifier::{Question, Unproven},
    wire::{
        gamecloud::call::escaped,
        json::{self, Json},
    },
};

/// Longest key of a player, in bytes.
pub const OPENKEY_MAX: usize = 256;
/// Longest answer that is read, in bytes.
pub const ANSWER_MAX: usize = 16_384;
/// What is asked for.
const PATH: &str = "/v3/user/get_info";
/// Containers inside each other in an answer.
const DEPTH: usize = 8;
/// Longest name that is passed on, in bytes.
const NICKNAME_MAX: usize = 256;

/// The service, and the game's credentials there.
#[derive(Clone, Debug)]
pub struct Portal {
    /// Its address, without a `/` at the end.
    pub url: String,
    /// The game's number.
    pub appid: String,
    /// The game's key.
    pub appkey: Secret,
    /// The platform players come from, where they do not say.
    pub pf: String,
}

/// What the service says of a player it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Player {
    /// His name.
    pub nickname: Option<String>,
}

impl Portal {
    /// The question about a player, and what is to be remembered of it. Questions of one second differ by `nonce`,
    /// which the service is not told. Nothing if a text is too long to be a player's.
    #[must_use]
    pub fn question(
        &self,
        (openid, openkey): (&str, &str),
        pf: Option<&str>,
        peer: Addr,
        (now, nonce): (u64, u32),
    ) -> Option<(Question, Payload)> {
        let pf = pf.unwrap_or(&self.pf);
        if openid.len() > ID_MAX || openkey.len() > OPENKEY_MAX || pf.len() > ID_MAX {
            return None;
        }
        let (now, peer) = (now.to_string(), Ipv6Addr::from_bits(peer.0).to_canonical().to_string());
        // In the order of their names, as they are signed.
        let parameters = [
            ("appid", &self.appid[..]),
            ("format", "json"),
            ("openid", openid),
            ("openkey", openkey),
            ("pf", pf),
            ("ts", &now),
            ("userip", &peer),
        ];
        let plain = joined(parameters.map(|(name, value)| (name, value.to_string())));
        let signed = format!("GET&{}&{}", escaped(PATH), escaped(&plain));
        let key = format!("{}&", self.appkey.expose());
        let sig = STANDARD.encode(hmac(&key, &[signed.as_bytes()])?);
        let query = joined(parameters.map(|(name, value)| (name, escaped(value))));
        let url = format!("{}{PATH}?{query}&sig={}", self.url, escaped(&sig));
        let mark = hmac(&key, &[sig.as_bytes(), &nonce.to_be_bytes()])?;
        Some((Question { url }, Payload::new(*mark.first_chunk()?)))
    }
}

/// Reads an answer.
///
/// # Errors
/// [`Unproven::Portal`] with the number that says why he is not known, [`Unproven::NoAnswer`] if it has no such number.
pub fn read(answer: &[u8]) -> Result<Player, Unproven> {
    if answer.len() > ANSWER_MAX {
        return Err(Unproven::NoAnswer);
    }
    let answer = json::read(answer, DEPTH).map_err(|_| Unproven::NoAnswer)?;
    let members = answer.object().filter(|members| !members.repeats()).ok_or(Unproven::NoAnswer)?;
    let Some(Json::Number(ret)) = members.get("ret") else { return Err(Unproven::NoAnswer) };
    match ret.parse() {
        Ok(0) => {}
        Ok(number) => return Err(Unproven::Portal(number)),
        Err(_) => return Err(Unproven::NoAnswer),
    }
    let nickname = members.get("nickname").and_then(Json::text);
    Ok(Player { nickname: nickname.filter(|name| name.len() <= NICKNAME_MAX).map(String::from) })
}

fn hmac(key: &str, parts: &[&[u8]]) -> Option<[u8; 20]> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac.finalize().into_bytes().into())
}

fn joined<const N: usize>(parameters: [(&str, String); N]) -> String {
    parameters.map(|(name, value)| format!("{name}={value}")).join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portal() -> Portal {
        Portal {
            url: "http://127.0.0.1:1".into(),
            appid: "123456".into(),
            appkey: Secret::new("228bf094169a40a3bd188ba37ebe8723").expect("a secret"),
            pf: "qzone".into(),
        }
    }

    const HOME: Addr = Addr(0xffff_7f00_0001);

    #[test]
    fn the_question_is_signed_as_the_service_documents_it() {
        let ask = |openid, nonce| portal().question((openid, "k*y/+"), None, HOME, (1_300_000_000, nonce));
        let (question, mark) = ask("11111111111111111", 1).expect("short texts");
        // Computed with another implementation of HMAC-SHA1 over the text that the documents describe.
        assert_eq!(question.url, EXPECTED);
        assert_eq!(format!("{question:?}"), "Question(..)");
        assert_eq!(ask("11111111111111111", 1).map(|(_, mark)| mark), Some(mark));
        assert_ne!(ask("11111111111111111", 2).map(|(_, mark)| mark), Some(mark));
        assert!(ask(&"1".repeat(ID_MAX + 1), 1).is_none());
    }

    const EXPECTED: &str = "http://127.0.0.1:1/v3/user/get_info?appid=123456&format=json&openid=11111111111111111&openkey=k%2Ay%2F%2B\
        &pf=qzone&ts=1300000000&userip=127.0.0.1&sig=plWEparG8XBnqK1mckQR8Ze6mEI%3D";

    #[test]
    fn texts_are_taken_up_to_their_bounds() {
        let text = |len: usize| "1".repeat(len);
        let ask = |openid: usize, openkey: usize, pf: usize| {
            portal().question((&text(openid), &text(openkey)), Some(&text(pf)), HOME, (1, 1)).is_some()
        };
        assert!(ask(ID_MAX, OPENKEY_MAX, ID_MAX));
        for more in [1, 2] {
            assert!(!ask(ID_MAX + more, 1, 1) && !ask(1, OPENKEY_MAX + more, 1) && !ask(1, 1, ID_MAX + more));
            let answer = |len: usize| read(format!("{:<len$}", r#"{"ret":0}"#).as_bytes()).is_ok();
            assert!(answer(ANSWER_MAX) && !answer(ANSWER_MAX + more));
        }
    }

    #[test]
    fn only_the_number_zero_is_a_yes() {
        let name = |name: &str| Ok(Player { nickname: Some(name.into()) });
        for (answer, expected) in [
            (r#"{"ret":0,"nickname":"Ann","x":[1]}"#, name("Ann")),
            (r#"{"ret":0,"nickname":7}"#, Ok(Player { nickname: None })),
            (r#"{"ret":1002,"msg":"no"}"#, Err(Unproven::Portal(1002))),
            (r#"{"ret":-1}"#, Err(Unproven::Portal(-1))),
            (r#"{"ret":"0"}"#, Err(Unproven::NoAnswer)),
            (r#"{"ret":false}"#, Err(Unproven::NoAnswer)),
            (r#"{"ret":0.0}"#, Err(Unproven::NoAnswer)),
            (r#"{"ret":1,"ret":0}"#, Err(Unproven::NoAnswer)),
            ("{}", Err(Unproven::NoAnswer)),
            ("[]", Err(Unproven::NoAnswer)),
            ("", Err(Unproven::NoAnswer)),
        ] {
            assert_eq!(read(answer.as_bytes()), expected, "{answer}");
        }
    }
}
