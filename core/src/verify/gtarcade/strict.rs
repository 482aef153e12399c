//! Rules for payloads that can be read in one way only.
//!
//! Nothing is escaped in what is signed, so whoever controls one text can move bytes between members, or bring in a
//! fresh `time` or another `account` behind an `&`. With names that are identifiers, no name twice, and no `&…=`
//! inside a value there is one way to split the bytes. What is left: types are not signed, and the platform must
//! never give out accounts with `&` or `=`.

use crate::wire::{
    json::{Json, Members},
    php,
};

/// A rule that the platform itself does not keep. All are asked in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// S1: no name is there twice; others may keep the first value of two.
    DuplicateMember,
    /// S2: signed names are identifiers of at most 64 letters: `[A-Za-z_][A-Za-z0-9_]*`.
    NameShape,
    /// S3: the account is a text of 1 to 128 bytes without control characters, `&` and `=`.
    Account,
    /// S4: `game_id` is an integer that is not negative, or its canonical decimal text.
    GameId,
    /// S5: no list and no object is signed: only their being there would be.
    ArrayValue,
    /// S6: in no value an `=` follows an `&`: what comes behind the `&` could be a member of its own.
    AmbiguousValue,
}

/// Letters of a name.
const NAME_MAX: usize = 64;
/// Bytes of an account.
const ACCOUNT_MAX: usize = 128;

impl Rule {
    /// A stable name for logs and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DuplicateMember => "S1_duplicate_member",
            Self::NameShape => "S2_key_shape",
            Self::Account => "S3_account",
            Self::GameId => "S4_game_id",
            Self::ArrayValue => "S5_array_value",
            Self::AmbiguousValue => "S6_ambiguous_value",
        }
    }
}

/// The first rule that these members break; `signed` are those that take part in the signature.
pub(super) fn broken(members: &Members<'_>, signed: &[(&str, &Json<'_>)]) -> Option<Rule> {
    if members.repeats() {
        Some(Rule::DuplicateMember)
    } else if !signed.iter().all(|(name, _)| is_identifier(name)) {
        Some(Rule::NameShape)
    } else if !members.get("account").and_then(Json::text).is_some_and(is_account) {
        Some(Rule::Account)
    } else if members.get("game_id").and_then(super::natural).is_none() {
        Some(Rule::GameId)
    } else if signed.iter().any(|(_, value)| matches!(value, Json::List(_) | Json::Object(_))) {
        Some(Rule::ArrayValue)
    } else if signed.iter().any(|(_, value)| is_ambiguous(&php::text(value))) {
        Some(Rule::AmbiguousValue)
    } else {
        None
    }
}

fn is_identifier(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts = name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    starts && name.len() <= NAME_MAX && name.bytes().all(word)
}

fn is_account(account: &str) -> bool {
    let forbidden = |letter: char| letter.is_control() || matches!(letter, '&' | '=');
    (1..=ACCOUNT_MAX).contains(&account.len()) && !account.contains(forbidden)
}

fn is_ambiguous(text: &str) -> bool {
    text.split('&').skip(1).any(|part| part.contains('='))
}
