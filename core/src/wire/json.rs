//! JSON as it was written: numbers keep their spelling, members their order and their repetitions.
//!
//! Two of the systems sign what they *decoded*, each by the rules of its own language, so a reader that turns
//! `1e400`, `-0`, `18446744073709551615` or a repeated name into something of its own has already lost the
//! signature. This one keeps everything that may matter and leaves the meaning to
//! whoever knows the language. It takes strict JSON (RFC 8259) in UTF-8 and nothing else.

use alloc::{borrow::Cow, collections::BTreeMap, string::String, vec::Vec};
use core::fmt;

/// A value.
#[derive(Clone, PartialEq, Eq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was spelled.
    Number(&'a str),
    /// A text, unescaped.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Self>),
    /// An object.
    Object(Members<'a>),
}

/// The members of an object, in the order in which they were written, repeated names included.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Members<'a>(pub Vec<(Cow<'a, str>, Json<'a>)>);

/// Why bytes are no JSON. It carries nothing of what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JsonFault {
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON from this byte on; also: it ends too soon, or something follows.
    Syntax {
        /// Bytes before it.
        at: usize,
    },
    /// A text holds half of a surrogate pair, which no UTF-8 can.
    LoneSurrogate {
        /// Bytes before it.
        at: usize,
    },
    /// Lists and objects are nested deeper than the caller allows.
    TooDeep {
        /// The limit.
        max: usize,
    },
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::Syntax { at } => write!(f, "not JSON at byte {at}"),
            Self::LoneSurrogate { at } => write!(f, "half a surrogate pair at byte {at}"),
            Self::TooDeep { max } => write!(f, "nested deeper than {max}"),
        }
    }
}

impl core::error::Error for JsonFault {}

/// Reads one value with blanks around it.
///
/// # Errors
/// If the bytes are not exactly one JSON value in UTF-8, or hold more than `depth` containers inside each other.
pub fn read(bytes: &[u8], depth: usize) -> Result<Json<'_>, JsonFault> {
    let text = core::str::from_utf8(bytes).map_err(|_| JsonFault::NotUtf8)?;
    let mut reader = Reader { text, at: 0, depth, max: depth };
    let value = reader.value()?;
    reader.blanks();
    if reader.at == text.len() { Ok(value) } else { Err(reader.syntax()) }
}

impl<'a> Json<'a> {
    /// The members, if it is an object.
    #[must_use]
    pub const fn object(&self) -> Option<&Members<'a>> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

impl<'a> Members<'a> {
    /// The value of this name: the last one, if the name is repeated, as every reader of the original systems has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.0.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// Each name once: where it stood first, with the value it had last.
    #[must_use]
    pub fn settled(&self) -> Vec<(&str, &Json<'a>)> {
        let mut places = BTreeMap::new();
        let mut settled: Vec<(&str, &Json<'a>)> = Vec::with_capacity(self.0.len());
        for (name, value) in &self.0 {
            let place = *places.entry(&**name).or_insert(settled.len());
            match settled.get_mut(place) {
                Some(own) => own.1 = value,
                None => settled.push((name, value)),
            }
        }
        settled
    }

    /// Whether a name is there more than once.
    #[must_use]
    pub fn repeats(&self) -> bool {
        self.settled().len() != self.0.len()
    }
}

/// Payloads are credentials: only the kind of a value is shown.
impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Bool(_) => "Bool(..)",
            Self::Number(_) => "Number(..)",
            Self::Text(_) => "Text(..)",
            Self::List(_) => "List(..)",
            Self::Object(_) => "Object(..)",
        })
    }
}

impl fmt::Debug for Members<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Members({})", self.0.len())
    }
}

/// The shortest spelling, in the order of the members: what `JSON.stringify` writes.
impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(spelling) => f.write_str(spelling),
            Self::Text(text) => Quoted(text).fmt(f),
            Self::List(items) => {
                for (place, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if place == 0 { '[' } else { ',' })?;
                }
                f.write_str(if items.is_empty() { "[]" } else { "]" })
            }
            Self::Object(members) => {
                for (place, (name, value)) in members.0.iter().enumerate() {
                    write!(f, "{}{}:{value}", if place == 0 { '{' } else { ',' }, Quoted(name))?;
                }
                f.write_str(if members.0.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

/// A text with quotation marks, escaped where JSON demands it.
#[derive(Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_char('"')?;
        for letter in self.0.chars() {
            match letter {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\u{8}' => f.write_str("\\b")?,
                '\u{c}' => f.write_str("\\f")?,
                '\0'..='\u{1f}' => write!(f, "\\u{:04x}", u32::from(letter))?,
                _ => f.write_char(letter)?,
            }
        }
        f.write_char('"')
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Containers that may still be opened.
    depth: usize,
    max: usize,
}

impl<'a> Reader<'a> {
    const fn syntax(&self) -> JsonFault {
        JsonFault::Syntax { at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn value(&mut self) -> Result<Json<'a>, JsonFault> {
        self.blanks();
        match self.peek() {
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'"') => self.quoted().map(Json::Text),
            Some(b'[') => self.nested(Self::list).map(Json::List),
            Some(b'{') => self.nested(Self::members).map(|members| Json::Object(Members(members))),
            Some(b'-' | b'0'..=b'9') => self.number().map(Json::Number),
            _ => Err(self.syntax()),
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, JsonFault> {
        if !self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            return Err(self.syntax());
        }
        self.at += word.len();
        Ok(value)
    }

    fn nested<T>(&mut self, inside: fn(&mut Self) -> Result<T, JsonFault>) -> Result<T, JsonFault> {
        self.depth = self.depth.checked_sub(1).ok_or(JsonFault::TooDeep { max: self.max })?;
        self.at += 1;
        let value = inside(self)?;
        self.depth += 1;
        Ok(value)
    }

    fn list(&mut self) -> Result<Vec<Json<'a>>, JsonFault> {
        let mut items = Vec::new();
        self.blanks();
        if self.take(b']') {
            return Ok(items);
        }
        loop {
            items.push(self.value()?);
            self.blanks();
            if self.take(b']') {
                return Ok(items);
            }
            if !self.take(b',') {
                return Err(self.syntax());
            }
        }
    }

    fn members(&mut self) -> Result<Vec<(Cow<'a, str>, Json<'a>)>, JsonFault> {
        let mut members = Vec::new();
        self.blanks();
        if self.take(b'}') {
            return Ok(members);
        }
        loop {
            self.blanks();
            let name = self.quoted()?;
            self.blanks();
            if !self.take(b':') {
                return Err(self.syntax());
            }
            let value = self.value()?;
            members.push((name, value));
            self.blanks();
            if self.take(b'}') {
                return Ok(members);
            }
            if !self.take(b',') {
                return Err(self.syntax());
            }
        }
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.syntax());
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<&'a str, JsonFault> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(self.since(start))
    }

    /// Ends on a byte of ASCII in every call, so the slice is whole.
    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>, JsonFault> {
        if !self.take(b'"') {
            return Err(self.syntax());
        }
        let mut start = self.at;
        let mut unescaped = String::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    let rest = self.since(start);
                    self.at += 1;
                    if unescaped.is_empty() {
                        return Ok(Cow::Borrowed(rest));
                    }
                    unescaped.push_str(rest);
                    return Ok(Cow::Owned(unescaped));
                }
                Some(b'\\') => {
                    unescaped.push_str(self.since(start));
                    unescaped.push(self.escape()?);
                    start = self.at;
                }
                Some(0..=0x1f) | None => return Err(self.syntax()),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonFault> {
        let start = self.at;
        self.at += 1;
        let letter = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.code_units(start);
            }
            _ => return Err(self.syntax()),
        };
        self.at += 1;
        Ok(letter)
    }

    fn code_units(&mut self, start: usize) -> Result<char, JsonFault> {
        let lone = JsonFault::LoneSurrogate { at: start };
        let first = self.code_unit()?;
        if !(0xd800..0xe000).contains(&first) {
            return char::from_u32(first).ok_or(lone);
        }
        if first >= 0xdc00 || !(self.take(b'\\') && self.take(b'u')) {
            return Err(lone);
        }
        let second = self.code_unit()?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(lone);
        }
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(lone)
    }

    fn code_unit(&mut self) -> Result<u32, JsonFault> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16)).ok_or(self.syntax())?;
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString, vec, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<&str, JsonFault>) {
        let read = read(text.as_bytes(), 4).map(|value| value.to_string());
        assert_eq!(read, expected.map(ToString::to_string), "{text}");
    }

    #[test]
    fn what_is_json_comes_back_as_it_was_spelled() {
        for text in
            ["null", "true", "-0", "1e400", "18446744073709551616", "1.50", "\"\"", "[]", "{}", "[1,[2,{}]]"]
        {
            check(text, Ok(text));
        }
        check(" { \"a\" : 1 , \"a\" : [ ] }\n", Ok(r#"{"a":1,"a":[]}"#));
        check(r#""\u0061\/\ud83d\ude00\u0000""#, Ok("\"a/\u{1f600}\\u0000\""));
        let letters = read(br#""\b\f\n\r\t\"\\""#, 1).unwrap();
        assert_eq!(letters.text(), Some("\u{8}\u{c}\n\r\t\"\\"));
    }

    #[test]
    fn what_is_not_json_is_refused_where_it_goes_wrong() {
        for (text, at) in [
            ("", 0),
            ("01", 1),
            ("+1", 0),
            (".5", 0),
            ("1.", 2),
            ("1e", 2),
            ("nul", 0),
            ("True", 0),
            ("[1,]", 3),
            ("{\"a\":1,}", 7),
            ("{a:1}", 1),
            ("'a'", 0),
            ("1 2", 2),
            ("\"\n\"", 1),
            ("\"", 1),
            ("\u{feff}1", 0),
            ("\u{a0}1", 0),
            ("\"\\x\"", 2),
            ("\"\\u12g4\"", 5),
            ("NaN", 0),
            ("1//", 1),
        ] {
            check(text, Err(JsonFault::Syntax { at }));
        }
        for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#""\ud800x""#] {
            check(text, Err(JsonFault::LoneSurrogate { at: 1 }));
        }
        check("[[[[[]]]]]", Err(JsonFault::TooDeep { max: 4 }));
        check("[[[[]]],[[[]]]]", Ok("[[[[]]],[[[]]]]"));
        assert_eq!(read(b"\"\xff\"", 4), Err(JsonFault::NotUtf8));
    }

    #[test]
    fn a_repeated_name_stands_where_it_was_first_and_means_what_it_was_last() {
        let value = read(br#"{"a":1,"b":2,"\u0061":3}"#, 4).unwrap();
        let members = value.object().unwrap();
        assert_eq!(members.settled(), vec![("a", &Json::Number("3")), ("b", &Json::Number("2"))]);
        assert_eq!(members.get("a"), Some(&Json::Number("3")));
        assert!(members.repeats());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = read(&bytes, 8);
        }

        #[test]
        fn every_text_survives(text: String) {
            let written = Json::Text(Cow::Borrowed(&text)).to_string();
            prop_assert_eq!(read(written.as_bytes(), 1), Ok(Json::Text(Cow::Borrowed(&text))));
        }

        #[test]
        fn the_same_is_json_as_for_others(text in r#"[\[\]{}",:0-9eE.+\-a-c\\ntrue ]{0,16}"#) {
            let other = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(read(text.as_bytes(), 64).is_ok(), other, "{}", text);
        }
    }
}
