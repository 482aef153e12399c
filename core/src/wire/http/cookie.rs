//! The session cookie, written so that the original client reads it right.

use alloc::format;
use alloc::string::String;

use crate::wire::WireError;

/// Longest session value read or written, in bytes.
pub const SESSION_MAX: usize = 128;

const NAME: &str = "session";

/// The `Set-Cookie` value that gives a client its session.
///
/// `session` is the first pair and a `;` follows the value at once: the original client takes what lies between
/// the first `=` and the first `;`, and without a `;` it cuts off the last character.
///
/// # Errors
/// [`WireError::BadCookie`] unless the value is 1 to [`SESSION_MAX`] characters of those RFC 6265 allows.
pub fn set_cookie(value: &str) -> Result<String, WireError> {
    checked(value).map(|value| format!("{NAME}={value}; Path=/; HttpOnly"))
}

/// The `Cookie` value a client sends back.
///
/// # Errors
/// [`WireError::BadCookie`], as for [`set_cookie`].
pub fn cookie_header(value: &str) -> Result<String, WireError> {
    checked(value).map(|value| format!("{NAME}={value}"))
}

/// The session in a `Cookie` header: the first pair of that name. `None` if there is none or it cannot be one.
#[must_use]
pub fn session_from_cookie(header: &str) -> Option<&str> {
    header.split(';').find_map(pair)
}

/// The session in a `Set-Cookie` header, of which it has to be the first pair, as for the original client.
#[must_use]
pub fn session_from_set_cookie(header: &str) -> Option<&str> {
    header.split(';').next().and_then(pair)
}

fn pair(text: &str) -> Option<&str> {
    let (name, value) = text.split_once('=')?;
    if name.trim() != NAME {
        return None;
    }
    checked(value.trim()).ok()
}

fn checked(value: &str) -> Result<&str, WireError> {
    let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e);
    let fits = (1..=SESSION_MAX).contains(&value.len());
    if fits && value.bytes().all(allowed) { Ok(value) } else { Err(WireError::BadCookie) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn session_comes_first_and_a_semicolon_follows_its_value() {
        assert_eq!(set_cookie("abc-DEF_123").unwrap(), "session=abc-DEF_123; Path=/; HttpOnly");
    }

    #[test]
    fn values_that_would_split_the_header_are_not_written() {
        let long = "x".repeat(SESSION_MAX + 1);
        for bad in ["", "a;b", "a b", "a\r\nX: y", "a,b", "a\"b", "a\\b", "é", &long] {
            assert_eq!(set_cookie(bad), Err(WireError::BadCookie), "{bad:?}");
            assert_eq!(cookie_header(bad), Err(WireError::BadCookie), "{bad:?}");
        }
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        assert_eq!(session_from_cookie("session=abc-DEF_123"), Some("abc-DEF_123"));
        assert_eq!(session_from_cookie("lang=en; session=v=1 ; x=y"), Some("v=1"));
        assert_eq!(session_from_cookie("session=a; session=b"), Some("a"));
        assert_eq!(session_from_cookie("mysession=a; SESSION=b; session="), None);
        assert_eq!(session_from_cookie(""), None);
        assert_eq!(session_from_set_cookie("session=v; Max-Age=60; HttpOnly"), Some("v"));
        assert_eq!(session_from_set_cookie("lang=en; session=v"), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(header: String) {
            let _ = session_from_cookie(&header);
            let _ = session_from_set_cookie(&header);
        }

        #[test]
        fn what_is_set_comes_back(value in "[A-Za-z0-9_=.~-]{1,128}") {
            let set = set_cookie(&value).unwrap();
            let kept = session_from_set_cookie(&set).unwrap();
            prop_assert_eq!(kept, &value);
            // What the original client keeps: between the first `=` and the first `;`.
            let start = set.find('=').unwrap() + 1;
            prop_assert_eq!(&set[start..set.find(';').unwrap()], &value);
            let sent = cookie_header(kept).unwrap();
            prop_assert_eq!(session_from_cookie(&sent), Some(&value[..]));
        }
    }
}
