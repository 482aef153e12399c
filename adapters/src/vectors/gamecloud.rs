//! Signatures, tokens, sessions and choices of servers, as gamecloud makes them.

use gatepass_core::{
    lbs::choice,
    verify::gamecloud::sign::{admin_session, base, original_token, sign},
    wire::json,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Check, Report, holds, same};

/// Containers inside each other in an input.
const DEPTH: usize = 64;

/// Checks one file: an object with a list for each kind. Nothing if it is another form.
pub(super) fn run(file: &Value) -> Option<Report> {
    let file = file.as_object().filter(|file| file.contains_key("lbs"))?;
    let mut report = Report::default();
    for (kind, entries) in file {
        let check = match &kind[..] {
            "meta" => continue,
            "vectors" => |entry: &Value| read(entry).and_then(signature),
            "token" => |entry: &Value| read(entry).and_then(token),
            "session" => |entry: &Value| read(entry).and_then(session),
            "lbs" => |entry: &Value| read(entry).and_then(server),
            _ => |_: &Value| Err("unknown kind".to_owned()),
        };
        let Some(entries) = entries.as_array() else {
            report.add(kind.clone(), "gamecloud", Err("not a list".to_owned()));
            continue;
        };
        for (place, entry) in entries.iter().enumerate() {
            let name = match entry["note"].as_str() {
                Some(note) => format!("{kind} {place}: {note}"),
                None => format!("{kind} {place}"),
            };
            report.add(name, &format!("gamecloud_{kind}"), check(entry));
        }
    }
    Some(report)
}

fn read<'a, T: Deserialize<'a>>(entry: &'a Value) -> Result<T, String> {
    T::deserialize(entry).map_err(|error| error.to_string())
}

#[derive(Deserialize)]
struct SignatureEntry<'a> {
    input_json: &'a str,
    secret: Option<&'a str>,
    base: &'a str,
    sign: &'a str,
}

fn signature(entry: SignatureEntry<'_>) -> Check {
    let input = json::read(entry.input_json.as_bytes(), DEPTH).map_err(|error| error.to_string())?;
    let members = input.object().ok_or("the input is no object")?;
    let text = base(members).map_err(|error| error.to_string())?;
    same("the text that is signed", text.as_bytes(), entry.base.as_bytes())?;
    let ours = sign(members, entry.secret.unwrap_or_default()).map_err(|error| error.to_string())?;
    same("the signature", &ours.digits(), entry.sign.as_bytes())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenEntry<'a> {
    domain: &'a str,
    openid: &'a str,
    domain_id: &'a str,
    #[serde(rename = "game_secret")]
    secret: &'a str,
    token: &'a str,
}

fn token(entry: TokenEntry<'_>) -> Check {
    let joined = format!("{}.{}", entry.domain, entry.openid);
    same("the id with its domain", joined.as_bytes(), entry.domain_id.as_bytes())?;
    let ours = original_token(entry.domain, entry.openid, entry.secret);
    same("the token", &ours.digits(), entry.token.as_bytes())
}

#[derive(Deserialize)]
struct SessionEntry<'a> {
    id: Option<&'a str>,
    key: Option<&'a str>,
    #[serde(rename = "game_secret")]
    secret: &'a str,
    session: &'a str,
}

fn session(entry: SessionEntry<'_>) -> Check {
    let ours = admin_session(entry.id, entry.key, entry.secret);
    same("the session", &ours.digits(), entry.session.as_bytes())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerEntry<'a> {
    domain_id: &'a str,
    #[serde(rename = "crc32_signed")]
    crc32: i32,
    hash: u32,
    servers: u16,
    server_id: u16,
}

fn server(entry: ServerEntry<'_>) -> Check {
    let crc32 = choice::crc32(entry.domain_id.as_bytes());
    holds("the CRC-32 is this", crc32.cast_signed() == entry.crc32)?;
    holds("the hash is this", choice::hash(entry.domain_id) == entry.hash)?;
    holds("the server is this", choice::first(entry.domain_id, entry.servers) == Some(entry.server_id))
}
