//! `gtarcade_aes.json` and `gtarcade_local.json`: the link between the launcher and a game, its bytes and its
//! messages.

use gatepass_core::wire::local::{
    Cipher, Encoding, FrameFault, Framing, Inbox, Item, Key, KeyFormat, Message, Profile, Side, Suite, frame,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Check,
    gtarcade::{agree, read},
    holds, same, unhex,
};

#[derive(Deserialize)]
struct Sealed<'a> {
    profile: &'a str,
    key_utf8: &'a str,
    payload_hex: &'a str,
    plaintext: Option<&'a str>,
    /// Of CBC.
    iv_hex: Option<&'a str>,
    /// Of GCM.
    nonce_hex: Option<&'a str>,
    dir: Option<&'a str>,
    seq: Option<u64>,
    aad_hex: Option<&'a str>,
    payload_base64: Option<&'a str>,
    frame_hex: Option<&'a str>,
    frame_base64_text_hex: Option<&'a str>,
}

impl Sealed<'_> {
    fn cipher(&self, encoding: Encoding) -> Result<Cipher, String> {
        let suite = match self.profile {
            "aes-128-cbc" => Suite::Aes128Cbc,
            "aes-256-cbc" => Suite::Aes256Cbc,
            "aes-128-ecb" => Suite::Aes128Ecb,
            "aes-256-ecb" => Suite::Aes256Ecb,
            "aes-256-gcm" => Suite::Aes256Gcm,
            other => return Err(format!("unknown profile {other}")),
        };
        let key = Key::parse(self.key_utf8, KeyFormat::Utf8).map_err(|fault| fault.to_string())?;
        let profile = Profile { suite, encoding, ..Profile::default() };
        Cipher::new(&profile, &key).map_err(|fault| fault.to_string())
    }

    fn side(&self) -> Result<Side, String> {
        match self.dir {
            Some("G") => Ok(Side::Game),
            // Only GCM knows directions.
            Some("M") | None => Ok(Side::Launcher),
            Some(other) => Err(format!("unknown direction {other}")),
        }
    }

    fn random(&self) -> Result<[u8; 16], String> {
        let mut random = [0; 16];
        let given = unhex(self.iv_hex.or(self.nonce_hex).unwrap_or_default())?;
        random.get_mut(..given.len()).ok_or("a long IV")?.copy_from_slice(&given);
        Ok(random)
    }
}

/// A known answer: sealed again, and opened.
pub(super) fn known(_: &Value, entry: &Value) -> Check {
    let vector: Sealed<'_> = read(entry)?;
    let plaintext = vector.plaintext.ok_or("no plaintext")?;
    let payload = unhex(vector.payload_hex)?;
    let (side, seq) = (vector.side()?, vector.seq.unwrap_or_default());
    let cipher = vector.cipher(Encoding::Raw)?;
    let seal = |cipher: &Cipher| {
        cipher.seal(plaintext.as_bytes(), side, seq, vector.random()?).map_err(|it| it.to_string())
    };
    same("payload", &seal(&cipher)?, &payload)?;
    let opened = cipher.open(&payload, side, seq).map_err(|it| it.to_string())?;
    same("plaintext", &opened, plaintext.as_bytes())?;
    let framed = |body: &[u8]| frame::encode(Framing::Len32Be, body).map_err(|fault| fault.to_string());
    same("frame", &framed(&payload)?, &unhex(vector.frame_hex.ok_or("no frame")?)?)?;
    if let Some(aad) = vector.aad_hex {
        let letter = if side == Side::Game { b'G' } else { b'M' };
        let ours = [&b"gta-local-v2"[..], &[letter], &seq.to_be_bytes()].concat();
        same("what is authenticated", &ours, &unhex(aad)?)?;
    }
    if let Some(text) = vector.payload_base64 {
        let cipher = vector.cipher(Encoding::Base64)?;
        let sealed = seal(&cipher)?;
        same("payload in base64", &sealed, text.as_bytes())?;
        let opened = cipher.open(&sealed, side, seq).map_err(|it| it.to_string())?;
        same("plaintext of base64", &opened, plaintext.as_bytes())?;
        let frame = unhex(vector.frame_base64_text_hex.ok_or("no frame of base64")?)?;
        same("frame of base64", &framed(&sealed)?, &frame)?;
    }
    Ok(())
}

/// What must not open.
pub(super) fn broken(_: &Value, entry: &Value) -> Check {
    let vector: Sealed<'_> = read(entry)?;
    agree("expected", "error", entry["expected"].as_str().unwrap_or_default())?;
    let payload = unhex(vector.payload_hex)?;
    let opened = vector.cipher(Encoding::Raw)?.open(&payload, vector.side()?, vector.seq.unwrap_or_default());
    holds("it does not open", opened.is_err())
}

/// Bytes of a connection, and what they bring: frames are named after the known answer they hold.
pub(super) fn stream(file: &Value, entry: &Value) -> Check {
    let bytes = unhex(entry["hex"].as_str().ok_or("no bytes")?)?;
    let known = file["vectors"].as_array().ok_or("no known answers")?;
    let name = |body: &[u8]| {
        let digits: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
        let known = known.iter().find(|it| it["payload_hex"] == digits && it["profile"] == "aes-128-cbc");
        known.and_then(|it| it["name"].as_str()).unwrap_or("unknown").to_owned()
    };
    let bring = |reads: &[&[u8]]| {
        let (mut inbox, mut events) = (Inbox::new(Framing::Len32Be), Vec::new());
        let error = |fault: FrameFault| format!("error:{}", fault.name());
        for read in reads {
            inbox.push(read);
            loop {
                match inbox.take() {
                    Ok(None) => break,
                    Ok(Some(Item::Heartbeat)) => events.push("hb".to_owned()),
                    Ok(Some(Item::Frame(body) | Item::Guess(body))) => {
                        events.push(format!("frame:{}", name(&body)));
                    }
                    Err(fault) => {
                        events.push(error(fault));
                        return events;
                    }
                }
            }
        }
        events.extend(inbox.finish().err().map(error));
        events
    };
    let whole = json!(bring(&[&bytes]));
    let single: Vec<_> = bytes.chunks(1).collect();
    holds("byte by byte it is the same", json!(bring(&single)) == whole)?;
    agree("events", &whole.to_string(), &entry["events"].to_string())
}

/// A text of the link, and what is read in it.
pub(super) fn message(_: &Value, entry: &Value) -> Check {
    let text = entry["plaintext"].as_str().ok_or("no plaintext")?;
    let read = match Message::read(text.as_bytes()) {
        Ok(message) => described(&message),
        Err(fault) => json!({"kind": "error", "why": fault.to_string()}),
    };
    agree("what is read", &read.to_string(), &entry["expected"].to_string())
}

/// The vectors' own words for a message.
fn described(message: &Message) -> Value {
    let mut told = Map::new();
    let mut tell = |name: &str, value: Value| told.insert(name.to_owned(), value);
    match message {
        Message::Associate { .. } => tell("kind", "associate".into()),
        Message::Status { code, .. } => {
            tell("code", code.as_str().into());
            tell("kind", "login_status".into())
        }
        Message::Result { outcome, .. } => {
            tell("errcode", outcome.errcode.into());
            tell("ok", outcome.is_success().into());
            tell("text", outcome.text.as_str().into());
            tell("kind", "login_result".into())
        }
        Message::Unknown { id } => {
            tell("msg_id", id.as_str().into());
            tell("kind", "unknown".into())
        }
    };
    if let Message::Associate { game, .. } | Message::Result { game, .. } = message {
        tell("account", game.account.as_str().into());
        tell("g_id", game.g_id.as_str().into());
        tell("s_id", game.s_id.as_str().into());
        tell("op_id", game.op_id.as_str().into());
    }
    if let Message::Status { link, .. } | Message::Result { link, .. } = message {
        tell("gta_id", link.gta_id.as_str().into());
        tell("client_id", link.client_id.as_str().into());
    }
    Value::Object(told)
}

/// A text that the writer makes of what is read in it.
pub(super) fn written(_: &Value, entry: &Value) -> Check {
    let text = entry["plaintext"].as_str().ok_or("no plaintext")?;
    let message = Message::read(text.as_bytes()).map_err(|fault| fault.to_string())?;
    let kind = described(&message)["kind"].as_str().unwrap_or_default().to_owned();
    let named = entry["kind"].as_str().unwrap_or_default();
    holds("it is of the kind that is named", named.split(' ').next() == Some(&kind))?;
    same("what is written", message.write().as_bytes(), text.as_bytes())
}
