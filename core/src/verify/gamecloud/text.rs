//! Values as JavaScript turns them into text: what `"" + value` is after `JSON.parse`.

use core::fmt::{self, Write};

use ryu_js::Buffer;

use crate::wire::json::{Json, Members};

/// A value has no text: it is, or a list in it holds, an object with a member `toString`. JavaScript calls that
/// member, and nothing that JSON can spell can be called, so the original fails there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoText;

impl fmt::Display for NoText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object without a text")
    }
}

impl core::error::Error for NoText {}

/// Writes the text of a value.
///
/// Numbers are the shortest that read back as the same IEEE 754 double (`5.0` is 5, `-0` is 0, `1e400` is Infinity);
/// a list is its elements with commas between them, `null` elements empty; any object is `[object Object]`.
///
/// # Errors
/// [`NoText`]. What was written until then is of no use.
pub fn write(value: &Json<'_>, out: &mut impl Write) -> Result<(), NoText> {
    match value {
        Json::Null => put(out, "null"),
        Json::Bool(true) => put(out, "true"),
        Json::Bool(false) => put(out, "false"),
        Json::Number(spelling) => number(spelling, out),
        Json::Text(text) => put(out, text),
        Json::List(items) => {
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    put(out, ",")?;
                }
                if !matches!(item, Json::Null) {
                    write(item, out)?;
                }
            }
            Ok(())
        }
        Json::Object(members) if has_own_to_string(members) => Err(NoText),
        Json::Object(_) => put(out, "[object Object]"),
    }
}

/// Names in the order of JavaScript's `sort`: by UTF-16 code units, so what is beyond U+FFFF comes before U+E000.
#[must_use]
pub fn order(a: &str, b: &str) -> core::cmp::Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

fn has_own_to_string(members: &Members<'_>) -> bool {
    members.get("toString").is_some()
}

fn number(spelling: &str, out: &mut impl Write) -> Result<(), NoText> {
    // Whatever JSON takes for a number, Rust reads as the nearest double, and what is too large as an infinity.
    let value: f64 = spelling.parse().map_err(|_| NoText)?;
    put(out, Buffer::new().format(value))
}

/// No sink here can fail: texts grow, digests take everything.
fn put(out: &mut impl Write, text: &str) -> Result<(), NoText> {
    out.write_str(text).map_err(|_| NoText)
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;
    use crate::wire::json;

    fn check(value: &str, expected: Option<&str>) {
        let mut out = String::new();
        let written = write(&json::read(value.as_bytes(), 16).expect("JSON"), &mut out);
        assert_eq!(written.ok().map(|()| &out[..]), expected, "{value}");
    }

    #[test]
    fn numbers_are_the_shortest_that_read_back() {
        check("5.0", Some("5"));
        check("-0", Some("0"));
        check("-0.0", Some("0"));
        check("1e20", Some("100000000000000000000"));
        check("1e21", Some("1e+21"));
        check("0.000001", Some("0.000001"));
        check("1e-7", Some("1e-7"));
        check("9007199254740993", Some("9007199254740992"));
        check("1e400", Some("Infinity"));
        check("-1E400", Some("-Infinity"));
        check("4.9406564584124654e-324", Some("5e-324"));
        check("1e-400", Some("0"));
    }

    #[test]
    fn lists_flatten_and_objects_are_all_alike() {
        check(r#"[1,[2,[null,"x"]],[],{}]"#, Some("1,2,,x,,[object Object]"));
        check("[null]", Some(""));
        check("null", Some("null"));
        check(r#"{"x":{"toString":1}}"#, Some("[object Object]"));
        check(r#"{"toString":1}"#, None);
        check(r#"[[{"toString":null}]]"#, None);
    }

    #[test]
    fn names_are_ordered_by_code_units() {
        assert!(order("\u{1F600}", "\u{FF21}").is_lt());
        assert!(order("10", "9").is_lt() && order("a", "aB").is_lt() && order("aB", "ab").is_lt());
    }
}
