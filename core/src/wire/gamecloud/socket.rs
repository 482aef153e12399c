//! socket.io 2 inside engine.io messages, as far as gamecloud's clients use it: one namespace, events with one
//! argument, acknowledgements of them.

use alloc::{format, string::String};
use core::fmt;

use crate::wire::json::{self, Json};

use super::call::{CallFault, DEPTH_MAX, REQUEST_MAX, Request};

/// Digits of the number of an event.
const NUMBER_MAX: usize = 15;

/// The packet that a connection begins with: engine.io and socket.io in one.
pub const CONNECTED: &str = "40";
/// The packet that ends a session, from either side. A client that gets it does not come back by itself.
pub const DISCONNECTED: &str = "41";

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It connects to the one namespace there is.
    Connect,
    /// It leaves.
    Disconnect,
    /// A request, to be acknowledged with this number.
    Request {
        /// The number.
        number: u64,
        /// The request.
        request: Request,
    },
    /// A request that is not acknowledged: `notify`, or without a number.
    Notify(Request),
}

/// Why a packet is refused. It carries nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketFault {
    /// Of a kind that no client sends, or binary.
    BadKind,
    /// For another namespace.
    Namespace,
    /// Not a list that begins with the name of an event.
    NotAnEvent,
    /// An event that nobody serves.
    UnknownEvent,
    /// Its argument is no request.
    Request(CallFault),
}

impl fmt::Display for SocketFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadKind => f.write_str("no kind of packet"),
            Self::Namespace => f.write_str("no such namespace"),
            Self::NotAnEvent => f.write_str("not an event"),
            Self::UnknownEvent => f.write_str("no such event"),
            Self::Request(fault) => fault.fmt(f),
        }
    }
}

impl core::error::Error for SocketFault {}

/// Reads what an engine.io message carries.
///
/// # Errors
/// [`SocketFault`].
pub fn read(message: &str) -> Result<Said, SocketFault> {
    if message.len() > REQUEST_MAX {
        return Err(SocketFault::Request(CallFault::TooLong { len: message.len() }));
    }
    let (kind, rest) = message.split_at_checked(1).ok_or(SocketFault::BadKind)?;
    match (kind, rest) {
        ("0", "" | "/") => Ok(Said::Connect),
        ("1", "" | "/") => Ok(Said::Disconnect),
        ("0" | "1", _) => Err(SocketFault::Namespace),
        ("2", _) if rest.starts_with('/') => Err(SocketFault::Namespace),
        ("2", _) => event(rest),
        _ => Err(SocketFault::BadKind),
    }
}

fn event(rest: &str) -> Result<Said, SocketFault> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, list) = rest.split_at_checked(digits).ok_or(SocketFault::NotAnEvent)?;
    if number.len() > NUMBER_MAX {
        return Err(SocketFault::NotAnEvent);
    }
    let number = number.parse().ok();
    let list = json::read(list.as_bytes(), DEPTH_MAX + 1)
        .map_err(|fault| SocketFault::Request(CallFault::NotJson(fault)))?;
    let Json::List(items) = &list else { return Err(SocketFault::NotAnEvent) };
    let [Json::Text(name), argument] = &items[..] else { return Err(SocketFault::NotAnEvent) };
    let request = || Request::from_value(argument).map_err(SocketFault::Request);
    match (&**name, number) {
        ("req", Some(number)) => Ok(Said::Request { number, request: request()? }),
        ("req" | "notify", _) => Ok(Said::Notify(request()?)),
        _ => Err(SocketFault::UnknownEvent),
    }
}

/// The packet that acknowledges an event with an answer, which is JSON.
#[must_use]
pub fn acknowledged(number: u64, answer: &str) -> String {
    format!("43{number}[{answer}]")
}

/// The packet of a push, whose argument is JSON.
#[must_use]
pub fn pushed(argument: &str) -> String {
    format!("42[\"notify\",{argument}]")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(text: &str) -> Request {
        Request::from_json(text.as_bytes()).expect("a good request")
    }

    #[test]
    fn a_client_s_packets_are_read() {
        let said = |text| read(text).expect("a good packet");
        assert_eq!(said("0"), Said::Connect);
        assert_eq!(said("1"), Said::Disconnect);
        let body = r#"{"func":"1000"}"#;
        assert_eq!(said(r#"20["req",{"func":"1000"}]"#), Said::Request { number: 0, request: request(body) });
        assert_eq!(said(r#"2["req",{"func":"1000"}]"#), Said::Notify(request(body)));
        assert_eq!(said(r#"27["notify",{"func":"1000"}]"#), Said::Notify(request(body)));
    }

    #[test]
    fn everything_else_is_refused() {
        let check = |text, fault| assert_eq!(read(text), Err(fault), "{text}");
        for text in ["", "3", "5", "51-[\"req\",{}]", "\u{1F600}", "6", "x"] {
            check(text, SocketFault::BadKind);
        }
        check("0/admin", SocketFault::Namespace);
        check("2/admin,[\"req\",{}]", SocketFault::Namespace);
        for text in
            ["2{}", "2[]", "2[\"req\"]", "2[7,{}]", "2[\"req\",{},{}]", "21234567890123456[\"req\",{}]"]
        {
            check(text, SocketFault::NotAnEvent);
        }
        check("2[\"other\",{}]", SocketFault::UnknownEvent);
        check("2[\"req\",[]]", SocketFault::Request(CallFault::NotAnObject));
        let deep = format!("2[\"req\",{}]", "[".repeat(200));
        assert!(matches!(read(&deep), Err(SocketFault::Request(CallFault::NotJson(_)))));
        let long = "x".repeat(REQUEST_MAX + 1);
        check(&long, SocketFault::Request(CallFault::TooLong { len: REQUEST_MAX + 1 }));
    }

    #[test]
    fn what_is_sent_is_as_the_original_sends_it() {
        assert_eq!(acknowledged(0, r#"{"code":0}"#), r#"430[{"code":0}]"#);
        assert_eq!(pushed(r#"{"type":1,"info":[]}"#), r#"42["notify",{"type":1,"info":[]}]"#);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String, packet in r#"[0-2]{1,3}\[?"?(req|notify)"?,?[{}\[\]"a:1]{0,9}\]?"#) {
            let _ = read(&text);
            let _ = read(&packet);
        }
    }
}
