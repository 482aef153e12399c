//! A request: what is called, with which parameters, and what the client says of itself.
//!
//! The client writes an object: as JSON in a body or an event, or with its members as those of a query, objects among
//! them as JSON text. [`Request`] is that object in one form; [`Call::read`] finds the call in it.

use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::{self, Write};

use zeroize::Zeroizing;

use crate::wire::json::{self, Json, JsonFault, Members};

/// Longest request, in bytes: a target, a body or an event.
pub const REQUEST_MAX: usize = 16_384;
/// Members of a request that is written as a query.
pub const PARAMETERS_MAX: usize = 64;
/// Containers inside each other in a request.
pub const DEPTH_MAX: usize = 12;
/// Longest name of a control or a function, in bytes.
pub const NAME_MAX: usize = 64;

/// A request as the text of one JSON object, with what the client says of itself as an object too. It holds
/// credentials: wiped when dropped, shown by no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Request(Zeroizing<String>);

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Request(..)")
    }
}

/// Why bytes are no request. It carries nothing of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallFault {
    /// Longer than [`REQUEST_MAX`].
    TooLong {
        /// Its bytes.
        len: usize,
    },
    /// It has more members than [`PARAMETERS_MAX`].
    TooMany,
    /// A name is there twice.
    Repeated,
    /// Not UTF-8 once unescaped.
    NotText,
    /// It, or what the client says of itself, is not JSON.
    NotJson(JsonFault),
    /// It, or what the client says of itself, is not an object.
    NotAnObject,
    /// What is called is not a text, or longer than [`NAME_MAX`].
    BadName,
}

impl fmt::Display for CallFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { len } => write!(f, "request of {len} bytes, limit {REQUEST_MAX}"),
            Self::TooMany => write!(f, "more than {PARAMETERS_MAX} parameters"),
            Self::Repeated => f.write_str("a parameter is repeated"),
            Self::NotText => f.write_str("not UTF-8"),
            Self::NotJson(fault) => fault.fmt(f),
            Self::NotAnObject => f.write_str("not an object"),
            Self::BadName => f.write_str("no name of a function"),
        }
    }
}

impl core::error::Error for CallFault {}

impl From<JsonFault> for CallFault {
    fn from(fault: JsonFault) -> Self {
        Self::NotJson(fault)
    }
}

/// A request that has been read.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// Whose function: `index` if the client does not say.
    pub control: &'a str,
    /// The function: `login` if the client does not say.
    pub func: &'a str,
    /// All members.
    pub parameters: &'a Members<'a>,
    /// What the client says of itself, `oemInfo`; nothing if it says nothing.
    pub oem: Cow<'a, Members<'a>>,
}

impl Request {
    /// From the query of a target, or from a body in the form of one.
    ///
    /// `%XX` and `+` are unescaped; a `%` that begins no escape stands for itself, and so do braces and quotation
    /// marks. A form may name what the client says of itself one by one, `oemInfo[domain]=…`: then each is a text.
    ///
    /// # Errors
    /// [`CallFault`].
    pub fn from_query(query: &str) -> Result<Self, CallFault> {
        bounded(query.len())?;
        let (mut members, mut oem) = (Vec::new(), Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (unescaped(name)?, unescaped(value)?);
            let inner = name.strip_prefix("oemInfo[").and_then(|rest| rest.strip_suffix(']'));
            let list = if inner.is_some() { &mut oem } else { &mut members };
            list.push((Cow::Owned(inner.unwrap_or(&name).to_string()), Json::Text(value.into())));
            if members.len() + oem.len() > PARAMETERS_MAX {
                return Err(CallFault::TooMany);
            }
        }
        if !oem.is_empty() {
            members.push((OEM.into(), Json::Object(Members(oem))));
        }
        Self::from_value(&Json::Object(Members(members)))
    }

    /// From a JSON body.
    ///
    /// # Errors
    /// [`CallFault`].
    pub fn from_json(body: &[u8]) -> Result<Self, CallFault> {
        bounded(body.len())?;
        Self::from_value(&json::read(body, DEPTH_MAX)?)
    }

    /// From the argument of an event.
    ///
    /// # Errors
    /// [`CallFault`].
    pub fn from_value(value: &Json<'_>) -> Result<Self, CallFault> {
        let members = value.object().ok_or(CallFault::NotAnObject)?;
        if members.repeats() {
            return Err(CallFault::Repeated);
        }
        let mut text = Zeroizing::new(String::from("{"));
        for (place, (name, value)) in members.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let name = json::Quoted(name);
            // What the client says of itself may come as the text of an object.
            match (value.text(), name.0 == OEM) {
                (Some(""), true) => text.push_str(&format!("{comma}{name}:null")),
                (Some(inner), true) => {
                    let inner = json::read(inner.as_bytes(), DEPTH_MAX - 1)?;
                    if !matches!(inner, Json::Object(_) | Json::Null) {
                        return Err(CallFault::NotAnObject);
                    }
                    text.push_str(&format!("{comma}{name}:{inner}"));
                }
                _ => text.push_str(&format!("{comma}{name}:{value}")),
            }
        }
        text.push('}');
        Ok(Self(text))
    }

    /// The object, to be read again.
    ///
    /// # Errors
    /// None for what was written here; the signature is that of the reader.
    pub fn json(&self) -> Result<Json<'_>, CallFault> {
        Ok(json::read(self.0.as_bytes(), DEPTH_MAX)?)
    }
}

impl<'a> Call<'a> {
    /// Finds the call in a request.
    ///
    /// # Errors
    /// [`CallFault::NotAnObject`], [`CallFault::BadName`]; [`CallFault::Repeated`] if the client says something of
    /// itself twice.
    pub fn read(request: &'a Json<'a>) -> Result<Self, CallFault> {
        let parameters = request.object().ok_or(CallFault::NotAnObject)?;
        let name = |name, default| match parameters.get(name) {
            None | Some(Json::Null) => Ok(default),
            Some(value) => match value.text() {
                Some("") => Ok(default),
                Some(text) if text.len() <= NAME_MAX => Ok(text),
                _ => Err(CallFault::BadName),
            },
        };
        let oem = match parameters.get(OEM) {
            None | Some(Json::Null) => Cow::Owned(Members::default()),
            Some(value) => Cow::Borrowed(value.object().ok_or(CallFault::NotAnObject)?),
        };
        if oem.repeats() {
            return Err(CallFault::Repeated);
        }
        Ok(Self { control: name("control", "index")?, func: name("func", "login")?, parameters, oem })
    }

    /// The token of a session, if the client shows one.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.oem.get("token").and_then(Json::text).filter(|token| !token.is_empty())
    }
}

const OEM: &str = "oemInfo";

const fn bounded(len: usize) -> Result<(), CallFault> {
    if len > REQUEST_MAX { Err(CallFault::TooLong { len }) } else { Ok(()) }
}

/// Everything but letters, digits and `-_.~` as `%XX`: a text as a value in a query.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            // A text takes everything.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Resolves `%XX` and `+`; what is no escape stays as it is.
fn unescaped(text: &str) -> Result<String, CallFault> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escape = match after {
            [high, low, tail @ ..] if first == b'%' => hex(*high).zip(hex(*low)).map(|pair| (pair, tail)),
            _ => None,
        };
        let (byte, tail) = match escape {
            Some(((high, low), tail)) => (high << 4 | low, tail),
            None => (if first == b'+' { b' ' } else { first }, after),
        };
        out.push(byte);
        rest = tail;
    }
    String::from_utf8(out).map_err(|_| CallFault::NotText)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is called, and what the client says of itself, as JSON.
    fn check(request: Result<Request, CallFault>, expected: Result<(&str, &str, &str), CallFault>) {
        let found = request.and_then(|request| {
            let json = request.json()?;
            let call = Call::read(&json)?;
            let oem = Json::Object(call.oem.clone().into_owned()).to_string();
            Ok((call.control.to_string(), call.func.to_string(), oem))
        });
        let found = found.as_ref().map(|(control, func, oem)| (&control[..], &func[..], &oem[..]));
        assert_eq!(found.map_err(|fault| *fault), expected);
    }

    #[test]
    fn a_query_holds_json_as_clients_write_it() {
        let expected = Ok(("config", "getServerInfo", r#"{"domain":"official.IOS","openid":"a b"}"#));
        for query in [
            r#"func=getServerInfo&oemInfo={"domain":"official.IOS","openid":"a b"}&control=config"#,
            "func=getServerInfo&oemInfo={%22domain%22:%22official.IOS%22,%22openid%22:%22a+b%22}&control=config",
            "func=getServerInfo&oemInfo=%7B%22domain%22%3A%22official.IOS%22%2C%22openid%22:%22a%20b%22%7D&control=config",
            "func=getServerInfo&oemInfo[domain]=official.IOS&oemInfo%5Bopenid%5D=a+b&control=config",
        ] {
            check(Request::from_query(query), expected);
        }
        check(Request::from_query(""), Ok(("index", "login", "{}")));
        check(Request::from_query("id=u&func=&oemInfo="), Ok(("index", "login", "{}")));
        check(Request::from_query("oemInfo=null"), Ok(("index", "login", "{}")));
        check(Request::from_query("a=100%&b=%zz"), Ok(("index", "login", "{}")));
    }

    #[test]
    fn a_body_holds_the_same_object() {
        let oem = r#"{"auth":{"t":1.0,"sign":"x"}}"#;
        let expected = Ok(("index", "1000", oem));
        check(Request::from_json(format!(r#"{{"func":"1000","oemInfo":{oem}}}"#).as_bytes()), expected);
        let quoted = json::Quoted(oem).to_string();
        check(Request::from_json(format!(r#"{{"oemInfo":{quoted},"func":"1000"}}"#).as_bytes()), expected);
        // The server does not split names: clients do.
        let whole = br#"{"func":"config.getServerInfo"}"#;
        check(Request::from_json(whole), Ok(("index", "config.getServerInfo", "{}")));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let syntax = |at| Err(CallFault::NotJson(JsonFault::Syntax { at }));
        check(Request::from_query("oemInfo={"), syntax(1));
        check(Request::from_query("oemInfo=7"), Err(CallFault::NotAnObject));
        check(Request::from_query("oemInfo=\"{}\""), Err(CallFault::NotAnObject));
        check(Request::from_query("id=a&id=b"), Err(CallFault::Repeated));
        check(Request::from_query("oemInfo[a]=1&oemInfo={}"), Err(CallFault::Repeated));
        check(Request::from_query("oemInfo[a]=1&oemInfo[a]=2"), Err(CallFault::Repeated));
        check(Request::from_query("a=%ff"), Err(CallFault::NotText));
        check(Request::from_query(&"a=1&".repeat(PARAMETERS_MAX + 1)), Err(CallFault::TooMany));
        let long = "a".repeat(REQUEST_MAX + 1);
        check(Request::from_query(&long), Err(CallFault::TooLong { len: long.len() }));
        check(Request::from_json(b"[]"), Err(CallFault::NotAnObject));
        check(Request::from_json(br#"{"func":7}"#), Err(CallFault::BadName));
        check(Request::from_json(br#"{"func":"a","func":"b"}"#), Err(CallFault::Repeated));
        check(Request::from_json(br#"{"oemInfo":{"a":1,"a":2}}"#), Err(CallFault::Repeated));
        check(
            Request::from_json(format!("{{\"func\":\"{}\"}}", "a".repeat(NAME_MAX + 1)).as_bytes()),
            Err(CallFault::BadName),
        );
        check(Request::from_json(b""), syntax(0));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, text: String) {
            for request in [Request::from_json(&bytes), Request::from_query(&text)].into_iter().flatten() {
                let json = request.json().expect("what was written can be read");
                let _ = Call::read(&json);
            }
        }
    }
}
