//! What PHP makes of decoded JSON: names of an array, their order under `ksort`, values as texts.
//!
//! The platform signs in PHP, so whoever checks has to arrive at the same bytes. Only what
//! `json_decode($text, true)`, `ksort($array)` and `$name . "=" . $value` do is here, as PHP 8.2 was seen to do
//! it and as the documentation of the others has it ([`Php`]).

use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
};

use super::json::Json;

mod names;
mod sort;

pub use names::ksort;

/// Containers inside each other that `json_decode` takes: its default depth is 512, of which the last level holds no
/// container.
pub const DEPTH_MAX: usize = 511;

/// Significant digits of a float as text: the setting `precision`, 14 where nobody changed it. A platform that
/// did cannot be matched without knowing its value.
const PRECISION: usize = 14;

/// The generation of PHP that signs. They differ in the order of names that look like numbers, and in nothing else
/// that matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Php {
    /// 7.x: an integer name is compared with the numeric beginning of another name; blanks behind a number make it
    /// a word. Which of two equal names comes first is not laid down there; they stay as they came here.
    #[serde(rename = "7")]
    V7,
    /// 8.0 and 8.1: as 7.x, but blanks may follow a number.
    #[serde(rename = "8.0")]
    V80,
    /// 8.2 and later: an integer name is compared with the digits of another name that is no number.
    #[default]
    #[serde(rename = "8.2")]
    V82,
}

/// A value as a text, as PHP's `.` makes it of what `json_decode` made of it: integers beyond 64 bits and all others
/// with a point or an exponent are floats; false and null are empty, lists and objects are the word `Array`.
#[must_use]
pub fn text<'a>(value: &'a Json<'_>) -> Cow<'a, str> {
    match value {
        Json::Null | Json::Bool(false) => "".into(),
        Json::Bool(true) => "1".into(),
        Json::Number(spelling) => match integer(spelling) {
            Some(number) => number.to_string().into(),
            None => float(spelling.parse().unwrap_or_default()).into(),
        },
        Json::Text(text) => Cow::Borrowed(text),
        Json::List(_) | Json::Object(_) => "Array".into(),
    }
}

/// The number, if it is an integer to PHP: digits alone, within 64 bits. `-0` is 0.
#[must_use]
pub fn integer(spelling: &str) -> Option<i64> {
    // `parse` would also take a leading `+`, which no JSON number has.
    spelling.parse().ok()
}

/// A float as text: `%.14G`, but in PHP's own shape of an exponent.
fn float(value: f64) -> String {
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let value = value.abs();
    if value.is_infinite() {
        return format!("{sign}INF");
    }
    let written = format!("{value:.*e}", PRECISION - 1);
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits = mantissa.replace('.', "");
    let digits = if keeps_zeros(value) { &digits[..] } else { digits.trim_end_matches('0') };
    // Digits before the point.
    let point = exponent + 1;
    if value == 0.0 {
        format!("{sign}0")
    } else if !(-3..=PRECISION as i32).contains(&point) {
        let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, ""));
        let rest = if rest.is_empty() { "0" } else { rest };
        format!("{sign}{first}.{rest}E{exponent:+}")
    } else if point <= 0 {
        format!("{sign}0.{}{digits}", "0".repeat(point.unsigned_abs() as usize))
    } else {
        let point = point.unsigned_abs() as usize;
        match digits.split_at_checked(point) {
            Some((whole, fraction)) if !fraction.is_empty() => format!("{sign}{whole}.{fraction}"),
            _ => format!("{sign}{digits:0<point$}"),
        }
    }
}

/// Whether the zeros at the end of the 14 digits stay: PHP's conversion has a way of its own for integers, and if
/// the 15th digit is a 5 that is rounded away to an even one, it does not look at zeros any more.
fn keeps_zeros(value: f64) -> bool {
    let whole = value as u64;
    (1e14..1e15).contains(&value)
        && whole as f64 == value
        && whole % 10 == 5
        && (whole / 10).is_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    fn check(value: &str, expected: &str) {
        let value = json::read(value.as_bytes(), DEPTH_MAX).unwrap();
        assert_eq!(text(&value), expected, "{value}");
    }

    /// Each seen in PHP 8.2.
    #[test]
    fn values_are_the_texts_of_php() {
        for (value, expected) in [
            ("null", ""),
            ("false", ""),
            ("true", "1"),
            ("[]", "Array"),
            ("{\"a\":1}", "Array"),
            ("\"007\"", "007"),
            ("-0", "0"),
            ("-0.0", "-0"),
            ("-7", "-7"),
            ("1.0", "1"),
            ("1E3", "1000"),
            ("1.10", "1.1"),
            ("0.30000000000000004", "0.3"),
            ("10.50", "10.5"),
            ("1e14", "1.0E+14"),
            ("12345678901234.5", "12345678901234"),
            ("12345678901235.5", "12345678901236"),
            ("1e25", "1.0E+25"),
            ("-123e18", "-1.23E+20"),
            ("0.0001", "0.0001"),
            ("0.00012345", "0.00012345"),
            ("0.00001", "1.0E-5"),
            ("99999999999999.9", "1.0E+14"),
            ("123456789012345.0", "1.2345678901234E+14"),
            ("853546153595505.0", "8.5354615359550E+14"),
            ("100000000000005.0", "1.0000000000000E+14"),
            ("100000000000095.0", "1.000000000001E+14"),
            ("100000000000205.0", "1.0000000000020E+14"),
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "9.2233720368548E+18"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("-9223372036854775809", "-9.2233720368548E+18"),
            ("18446744073709551615", "1.844674407371E+19"),
            ("1e400", "INF"),
            ("-1e400", "-INF"),
            ("5e-324", "4.9406564584125E-324"),
            ("1e-400", "0"),
        ] {
            check(value, expected);
        }
    }
}
