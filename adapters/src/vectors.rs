//! Checks the wire codecs against bytes the original system made.
//!
//! A file of gamecloud is an object with a list for each kind. Any other is a JSON list. Each entry has a name, a
//! kind, the input it was made from and the bytes as hexadecimal digits; the kind says what the bytes are and how
//! to compare them. Wherever the input suffices the bytes are made again and compared whole; compressed bodies are
//! compared after inflating, because two right compressors may differ. Nothing is skipped: an entry of an unknown
//! kind or form counts as failed.

use std::collections::BTreeMap;
use std::fmt;

use gatepass_core::wire::frame::{self, FLAG_PLAIN, FLAG_ZLIB, FRAME_MAX, Frame, INFLATE_MAX};
use gatepass_core::wire::http::{self, Answer, Asked, Request};
use gatepass_core::wire::proto::WireMessage;
use gatepass_core::wire::proto::{self, cmd};
use gatepass_core::wire::rcenter::{Down, Up};
use gatepass_core::wire::token_hash::UserData;
use gatepass_core::wire::{WireError, udp};
use serde::Deserialize;
use serde_json::Value;

use self::fields::Expected;

mod fields;
mod gamecloud;
mod gob;

/// What became of a vector file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Vectors that hold.
    pub passed: usize,
    /// Vectors that do not, in the order of the file.
    pub failed: Vec<Failure>,
    /// Both counts for each kind in the file.
    pub kinds: BTreeMap<String, Tally>,
}

impl Report {
    /// Whether there was something to check and all of it holds.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failed.is_empty() && self.passed > 0
    }

    fn add(&mut self, name: String, kind: &str, outcome: Check) {
        let tally = self.kinds.entry(kind.to_owned()).or_default();
        match outcome {
            Ok(()) => {
                tally.passed += 1;
                self.passed += 1;
            }
            Err(reason) => {
                tally.failed += 1;
                self.failed.push(Failure { name, reason });
            }
        }
    }
}

/// How many vectors of a kind hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those that hold.
    pub passed: usize,
    /// Those that do not.
    pub failed: usize,
}

/// A vector that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Name of the vector, or its place in the file if it has none.
    pub name: String,
    /// What differs.
    pub reason: String,
}

/// Why a file is no vector file.
#[derive(Debug)]
pub enum VectorsError {
    /// It is not a JSON list.
    NotAList(serde_json::Error),
}

impl fmt::Display for VectorsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAList(e) => write!(f, "not a JSON list of vectors: {e}"),
        }
    }
}

impl std::error::Error for VectorsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotAList(e) => Some(e),
        }
    }
}

/// Checks every vector of a file.
///
/// # Errors
/// [`VectorsError`] if `json` is neither. Entries that make no sense are failures in the report.
pub fn run(json: &str) -> Result<Report, VectorsError> {
    if let Some(report) = serde_json::from_str(json).ok().as_ref().and_then(gamecloud::run) {
        return Ok(report);
    }
    let entries: Vec<Value> = serde_json::from_str(json).map_err(VectorsError::NotAList)?;
    let mut report = Report::default();
    for (place, entry) in entries.into_iter().enumerate() {
        let (name, kind, outcome) = match serde_json::from_value::<Vector>(entry) {
            Ok(vector) => {
                let outcome = check(&vector);
                (vector.name, vector.kind, outcome)
            }
            Err(e) => (format!("entry {place}"), "malformed".to_owned(), Err(e.to_string())),
        };
        report.add(name, &kind, outcome);
    }
    Ok(report)
}

/// An entry of the file.
#[derive(Deserialize)]
struct Vector {
    name: String,
    kind: String,
    input: Value,
    hex: String,
    flag: Option<u8>,
    plain_len: Option<usize>,
    text: Option<String>,
    hset_fields: Option<BTreeMap<String, String>>,
    reply_hex_from_stub: Option<String>,
}

type Check = Result<(), String>;

fn check(vector: &Vector) -> Check {
    let bytes = unhex(&vector.hex)?;
    match &vector.kind[..] {
        "sign" => sign(vector, &bytes),
        "client_frame" => client_frame(vector, &bytes),
        "client_frame_empty" | "client_frame_raw" => client_frame_raw(vector, &bytes),
        "client_frame_zlib" => client_frame_zlib(vector, &bytes),
        "client_udp_datagram" => client_datagram(vector, &bytes),
        "http_request_line" => request_line(vector, &bytes),
        "http_body_min_encoding" => http_body(vector, &bytes, |expected| &expected.minimal),
        "http_body_full_encoding" => http_body(vector, &bytes, |expected| &expected.full),
        "server_frame" => server_frame(vector, &bytes),
        "room_frame" => encoded_frame(vector, &bytes, frame::encode_client),
        "room_udp_datagram" => room_datagram(vector, &bytes),
        "captured_room_frame" => captured_frame(vector, &bytes),
        "redis_hash" => token_hash(vector, &bytes),
        "gob_rpc_first_call_on_connection" => gob_call(vector, &bytes),
        other => Err(format!("unknown kind {other}")),
    }
}

// One function a kind, in the order above.

fn sign(vector: &Vector, bytes: &[u8]) -> Check {
    let c = number(vector, "c")?;
    let ours = http::sign(c);
    same("signature", &ours[..], bytes)?;
    if let Some(text) = &vector.text {
        same("text", text.as_bytes(), bytes)?;
        holds("the signature is accepted", http::check_sign(c, text))?;
    }
    Ok(())
}

fn client_frame(vector: &Vector, bytes: &[u8]) -> Check {
    let expected = expected(vector)?;
    let mut ours = Vec::new();
    frame::encode_plain(command(vector)?, &expected.minimal, &mut ours).map_err(why)?;
    same("frame", &ours, bytes)?;
    expected.reads_from(exact(vector, bytes)?.body)
}

fn client_frame_raw(vector: &Vector, bytes: &[u8]) -> Check {
    let body = unhex(text(vector, "body_hex")?)?;
    let mut ours = Vec::new();
    frame::encode_plain(command(vector)?, &body, &mut ours).map_err(why)?;
    same("frame", &ours, bytes)?;
    let frame = exact(vector, bytes)?;
    same("body", frame.body, &body)?;
    // The raw logins each show a rule of reading; the note says whether the original takes them.
    if frame.cmd == cmd::room::LOGIN {
        let refused = text(vector, "note")?.contains("error");
        let read = proto::MsgLogin::decode_body(frame.body);
        holds("the login is taken or refused as the original does", read.is_err() == refused)?;
    }
    Ok(())
}

fn client_frame_zlib(vector: &Vector, bytes: &[u8]) -> Check {
    let expected = expected(vector)?;
    let frame = exact(vector, bytes)?;
    holds("the body is compressed", frame.flag == FLAG_ZLIB)?;
    let body = frame.payload(INFLATE_MAX).map_err(why)?;
    same("inflated body", &expected.minimal, &body)?;
    expected.reads_from(&body)
}

fn client_datagram(vector: &Vector, bytes: &[u8]) -> Check {
    let expected = expected(vector)?;
    exact(vector, bytes)?;
    let bind = udp::decode_bind(bytes).map_err(why)?;
    let mut body = Vec::new();
    bind.encode_body(&mut body);
    same("bind message", &body, &expected.full)?;
    let mut ours = Vec::new();
    udp::encode_bind(&bind, &mut ours).map_err(why)?;
    same("datagram", &ours, bytes)
}

fn request_line(vector: &Vector, bytes: &[u8]) -> Check {
    let line = str::from_utf8(bytes).map_err(|e| e.to_string())?;
    if let Some(text) = &vector.text {
        same("text", text.as_bytes(), bytes)?;
    }
    let target = line.strip_prefix("GET ").and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
    let signed = http::parse_query(target.ok_or("not a GET of HTTP/1.1")?).map_err(why)?;
    holds("the signature is that of the command", signed.is_signed())?;
    let ours = match &signed.request {
        Request::Login(login) => http::login_target(login),
        Request::Room(room) => http::room_target(room),
        Request::Gateway => http::gateway_target(),
    };
    same("request line", http::request_line(&ours).as_bytes(), bytes)?;
    if let Some(header) = vector.input["headers"].get("Cookie") {
        let header = header.as_str().ok_or("Cookie is not text")?;
        let session = http::session_from_cookie(header).ok_or("no session in the Cookie header")?;
        same("Cookie", http::cookie_header(session).map_err(why)?.as_bytes(), header.as_bytes())?;
    }
    Ok(())
}

fn http_body(vector: &Vector, bytes: &[u8], form: fn(&Expected) -> &Vec<u8>) -> Check {
    let expected = expected(vector)?;
    let command = command(vector)?;
    let mut ours = Vec::new();
    frame::encode_plain(command, form(&expected), &mut ours).map_err(why)?;
    same("answer", &ours, bytes)?;
    expected.reads_from(exact(vector, bytes)?.body)?;
    let asked = match command {
        cmd::http::GATE_ADDR => Asked::Gateway,
        cmd::http::INTO_ROOM => Asked::Room,
        _ => Asked::Login,
    };
    let answer = http::decode_answer(asked, bytes).map_err(why)?;
    let refused = matches!(answer, Answer::Refused(_));
    let is_error =
        command == cmd::http::ERROR || vector.input["fields"].get("Err").is_some_and(|err| err != 0);
    holds("the answer is a refusal exactly if it names an error", refused == is_error)
}

fn server_frame(vector: &Vector, bytes: &[u8]) -> Check {
    encoded_frame(vector, bytes, frame::encode_server)?;
    let frame = exact(vector, bytes)?;
    let mut ours = Vec::new();
    match text(vector, "message")? {
        "RetServerLogin" | "ReqCheckRelogin" | "ReqLoadConfig" => {
            Down::decode(&frame).and_then(|down| down.encode(&mut ours)).map_err(why)?;
        }
        _ => Up::decode(&frame).and_then(|up| up.encode(&mut ours)).map_err(why)?,
    }
    same("frame of the link", &ours, bytes)
}

fn room_datagram(vector: &Vector, bytes: &[u8]) -> Check {
    encoded_frame(vector, bytes, |command, body, out| match frame::encode_datagram(command, body, out) {
        Ok(true) => Ok(()),
        Ok(false) => Err(WireError::DatagramTooLong { len: bytes.len(), max: frame::DATAGRAM_MAX }),
        Err(e) => Err(e),
    })?;
    udp::decode_scene(bytes).map(|_| ()).map_err(why)
}

fn captured_frame(vector: &Vector, bytes: &[u8]) -> Check {
    let frame = exact(vector, bytes)?;
    let body = frame.payload(INFLATE_MAX).map_err(why)?;
    let message = match frame.cmd {
        cmd::room::LOGIN => "MsgLoginResult",
        cmd::room::TOP => "MsgTop",
        cmd::room::ADD_PLAYER => "MsgAddPlayer",
        cmd::room::ERROR => "RetErrorMsgCmd",
        cmd::room::SCENE_UDP => "MsgSceneUDP",
        cmd::room::VOICE_INFO => "RetVoiceInfo",
        other => return Err(format!("no message is known for command {other}")),
    };
    same("frame written again", &fields::rewritten(message, &body)?, &body)?;
    // The values depend on the clock and the map, except those the scenario fixes.
    let scenario = text(vector, "scenario")?;
    let said = |word: &str| scenario.split_once(word).map(|(_, rest)| rest.split(',').next().unwrap_or(rest));
    let agrees =
        |word: &str, value: &str| holds("the value is the scenario's", said(word).is_none_or(|s| s == value));
    match frame.cmd {
        cmd::room::LOGIN => {
            let result = proto::MsgLoginResult::decode_body(&body).map_err(why)?;
            holds("ok is true", result.ok)?;
            agrees("user ", &result.id.to_string())?;
            agrees("name ", &result.name)
        }
        cmd::room::ADD_PLAYER => {
            let player = proto::MsgAddPlayer::decode_body(&body).map_err(why)?.player;
            agrees("user ", &player.id.to_string())?;
            agrees("name ", &player.name)
        }
        cmd::room::VOICE_INFO => {
            let voice = proto::RetVoiceInfo::decode_body(&body).map_err(why)?;
            agrees("RoomId ", &voice.room_id.to_string())
        }
        cmd::room::ERROR => {
            let refused = proto::RetErrorMsgCmd::decode_body(&body).map_err(why)?;
            holds("the code is the one of the name", vector.name.ends_with(&format!("_{}", refused.ret_code)))
        }
        _ => Ok(()),
    }
}

fn token_hash(vector: &Vector, bytes: &[u8]) -> Check {
    let given = vector.input["fields"].as_object().ok_or("no fields")?;
    let mut texts = Vec::new();
    for (name, value) in given {
        // The Go struct's name for the one field whose name in the cache differs.
        let name = if name == "HideScore" { "HideScores" } else { &name[..] };
        holds("the field is one of the hash", UserData::FIELDS.contains(&name))?;
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(flag) => u8::from(*flag).to_string(),
            Value::Number(number) => number.to_string(),
            _ => return Err(format!("{name} is neither text nor number")),
        };
        texts.push((name, text));
    }
    let data = UserData::decode(texts.iter().map(|(name, text)| (*name, &text[..]))).map_err(why)?;
    let stored = serde_json::to_vec(&data.encode()).map_err(|e| e.to_string())?;
    same("stored hash", &stored, bytes)?;
    let listed = vector.hset_fields.as_ref().ok_or("no stored fields to compare with")?;
    let read = UserData::decode(listed.iter().map(|(name, text)| (&name[..], &text[..]))).map_err(why)?;
    holds("the stored fields read as the input", read == data && listed.len() == UserData::FIELDS.len())
}

fn gob_call(vector: &Vector, bytes: &[u8]) -> Check {
    let method = text(vector, "method")?;
    let id = vector.input["id"].as_u64().ok_or("no id")?;
    gob::check_request(bytes, method, id)?;
    match &vector.reply_hex_from_stub {
        Some(reply) => gob::check_reply(&unhex(reply)?, method, id),
        None => Ok(()),
    }
}

/// What several kinds have in common: the message written in full, in a frame made by `encode`.
fn encoded_frame(
    vector: &Vector,
    bytes: &[u8],
    encode: impl Fn(u16, &[u8], &mut Vec<u8>) -> Result<(), WireError>,
) -> Check {
    let expected = expected(vector)?;
    let theirs = exact(vector, bytes)?;
    let body = theirs.payload(INFLATE_MAX).map_err(why)?;
    same("body", &expected.full, &body)?;
    if let Some(len) = vector.plain_len {
        holds("the body has the length it had before compression", body.len() == len)?;
    }
    expected.reads_from(&body)?;

    let mut ours = Vec::new();
    encode(theirs.cmd, &expected.full, &mut ours).map_err(why)?;
    if theirs.flag == FLAG_PLAIN {
        return same("frame", &ours, bytes);
    }
    let ours = frame::decode_exact(&ours, FRAME_MAX).map_err(why)?;
    holds("both compress", ours.flag == theirs.flag)?;
    same("body after our own compression", &ours.payload(INFLATE_MAX).map_err(why)?, &body)
}

/// The bytes as one frame with the command and the flag the vector names.
fn exact<'a>(vector: &Vector, bytes: &'a [u8]) -> Result<Frame<'a>, String> {
    let frame = frame::decode_exact(bytes, FRAME_MAX).map_err(why)?;
    holds("the command is the one named", frame.cmd == command(vector)?)?;
    let named = vector.flag.map(u64::from).or_else(|| vector.input["flag"].as_u64());
    holds("the flag is the one named", named.is_none_or(|flag| flag == u64::from(frame.flag)))?;
    Ok(frame)
}

fn expected(vector: &Vector) -> Result<Expected, String> {
    let mut values = vector.input["fields"].clone();
    // A forwarded message is given by its parts; on the wire it is the data field of the outer one.
    if let Some(inner) = vector.input.get("inner") {
        let command =
            inner["cmd"].as_u64().and_then(|c| u16::try_from(c).ok()).ok_or("inner has no command")?;
        let body =
            fields::expected(inner["type"].as_str().ok_or("inner has no type")?, &inner["fields"])?.full;
        let data = [&command.to_le_bytes()[..], &body].concat();
        values.as_object_mut().ok_or("no fields around inner")?.insert("Data".to_owned(), data.into());
    }
    fields::expected(text(vector, "message")?, &values)
}

fn command(vector: &Vector) -> Result<u16, String> {
    let value = number(vector, "cmd")?;
    u16::try_from(value).map_err(|_| format!("command {value} is wider than 16 bits"))
}

fn number(vector: &Vector, name: &str) -> Result<u32, String> {
    let value = vector.input[name].as_u64().and_then(|value| u32::try_from(value).ok());
    value.ok_or_else(|| format!("the input has no number {name}"))
}

fn text<'a>(vector: &'a Vector, name: &str) -> Result<&'a str, String> {
    vector.input[name].as_str().ok_or_else(|| format!("the input has no text {name}"))
}

fn unhex(digits: &str) -> Result<Vec<u8>, String> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = digits.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => value(*high).zip(value(*low)).map(|(high, low)| high << 4 | low),
        _ => None,
    });
    pairs.collect::<Option<_>>().ok_or_else(|| "not hexadecimal".to_owned())
}

fn holds(what: &str, truth: bool) -> Check {
    if truth { Ok(()) } else { Err(format!("not so: {what}")) }
}

fn same(what: &str, ours: &[u8], theirs: &[u8]) -> Check {
    if ours == theirs {
        return Ok(());
    }
    let at = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
    Err(format!("{what} differs at byte {at}: {} bytes here, {} in the vector", ours.len(), theirs.len()))
}

fn why(e: WireError) -> String {
    e.to_string()
}
