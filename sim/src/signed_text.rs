//! The text that is signed, and what else can be read into it.
//!
//! Worlds have no bytes, but for this: whether a signature for one payload fits another depends on how members are
//! written one after the other. So what an attacker has signed for him is written down as the policy says, and what
//! he makes of it is accepted if the text is the same. He may add members, but their names stay in order.

use std::collections::BTreeMap;

use gatepass_core::policy::SignedText;

/// The member that says for whom.
const ACCOUNT: &str = "account";
/// The member that says when.
const TIME: &str = "time";
/// When everything was signed: worlds have no clocks that show a time, so this is the only one.
const SIGNED_AT: &str = "1";

/// The text that is signed for this account, with further members.
pub(crate) fn written(form: SignedText, account: &str, members: &BTreeMap<String, String>) -> String {
    let mut all: BTreeMap<&str, &str> =
        members.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.extend([(ACCOUNT, account), (TIME, SIGNED_AT)]);
    let (between, behind_name) = separators(form);
    let member = |(name, value): (&str, &str)| format!("{name}{behind_name}{value}");
    all.into_iter().map(member).collect::<Vec<_>>().join(between)
}

/// Whether members can be read in this text that name the account: signed when it was or, if `moved`, at any other
/// time.
pub(crate) fn can_be_read(form: SignedText, text: &str, account: &str, moved: bool) -> bool {
    let (between, behind_name) = separators(form);
    if form == SignedText::Unambiguous && !is_plain(account) {
        return false;
    }
    let whose = format!("{ACCOUNT}{behind_name}{account}");
    let when = format!("{TIME}{behind_name}");
    let gap = |gap: &str, from: &str, to: &str| is_gap(form, gap, from, to);
    members(text, &whose, between).any(|(head, rest)| {
        // Behind the account comes the end of its member.
        let rest = if rest.is_empty() { Some(rest) } else { rest.strip_prefix(between) };
        gap(head, "", ACCOUNT)
            && rest.is_some_and(|rest| {
                members(rest, &when, between).any(|(middle, rest)| {
                    gap(middle, ACCOUNT, TIME)
                        && times(rest, between)
                            .any(|(time, tail)| (time != SIGNED_AT) == moved && gap(tail, TIME, "\u{7f}"))
                })
            })
    })
}

/// What is between members, and between a name and its value.
const fn separators(form: SignedText) -> (&'static str, &'static str) {
    match form {
        SignedText::Unambiguous | SignedText::Joined => ("&", "="),
        SignedText::Glued => ("", ""),
    }
}

/// Every place in the text where a member may begin and does so with `start`: what is before it, and behind.
fn members<'a>(
    text: &'a str,
    start: &'a str,
    between: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
    text.match_indices(start).filter_map(move |(at, _)| {
        let (head, rest) = text.split_at_checked(at)?;
        let head = if head.is_empty() { Some(head) } else { head.strip_suffix(between) };
        Some((head?, rest.strip_prefix(start)?))
    })
}

/// Every time that can be read where the value of its member begins, and what is behind that member.
fn times<'a>(rest: &'a str, between: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    (1..=digits).filter_map(move |end| {
        let (time, tail) = rest.split_at_checked(end)?;
        let tail = if tail.is_empty() { Some(tail) } else { tail.strip_prefix(between) };
        Some((time, tail?))
    })
}

/// Whether this is nothing, or can be read as further members, with names between these two.
fn is_gap(form: SignedText, gap: &str, from: &str, to: &str) -> bool {
    let fits = |name: &str| from < name && name < to;
    if gap.is_empty() {
        return true;
    }
    match form {
        // All of it is a name, with nothing as its value.
        SignedText::Glued => fits(gap),
        SignedText::Joined => gap.split_once('=').is_some_and(|(name, _)| fits(name)),
        SignedText::Unambiguous => {
            let pieces = gap.split('&').map(|piece| piece.split_once('='));
            let names: Option<Vec<&str>> = pieces
                .map(|piece| piece.filter(|(_, value)| is_plain(value)).map(|(name, _)| name))
                .collect();
            names.is_some_and(|names| names.is_sorted() && names.into_iter().all(fits))
        }
    }
}

/// Whether nothing in it could be taken for the end of a member or of a name.
fn is_plain(text: &str) -> bool {
    !text.contains(['&', '='])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a text that is signed for `own`, with one further member, can be read as `other`'s: signed when it
    /// was, and at another time.
    fn check(form: SignedText, own: (&str, &str, &str), other: &str, expected: (bool, bool)) {
        let (account, name, value) = own;
        let members = if name.is_empty() { vec![] } else { vec![(name.to_owned(), value.to_owned())] };
        let text = written(form, account, &members.into_iter().collect());
        let read = |moved| can_be_read(form, &text, other, moved);
        assert_eq!((read(false), read(true)), expected, "{text:?} as {other}'s");
    }

    #[test]
    fn what_is_signed_reads_as_what_it_is() {
        for form in [SignedText::Unambiguous, SignedText::Joined, SignedText::Glued] {
            check(form, ("ann", "", ""), "ann", (true, false));
            check(form, ("ann", "name", "Ann"), "ann", (true, false));
            check(form, ("ann", "zone", "7"), "ann", (true, false));
            check(form, ("ann", "name", "Ann"), "bob", (false, false));
        }
    }

    #[test]
    fn text_of_a_players_choice_becomes_members() {
        // The shorter name is in the longer one, and so is a time.
        check(SignedText::Glued, ("anntime9", "", ""), "ann", (false, true));
        check(SignedText::Joined, ("anntime9", "", ""), "ann", (false, false));
        // Another account, and the own one becomes part of a member behind it.
        check(SignedText::Joined, ("mallory", "aa", "x&account=ann&b="), "ann", (true, false));
        // A time of the player's choice, and the true one becomes part of a member behind it.
        check(SignedText::Joined, ("mallory", "nick", "n&time=9&z="), "mallory", (true, true));
        // Names keep their order: a member behind the account cannot name another one.
        check(SignedText::Joined, ("mallory", "nick", "n&account=ann&z="), "ann", (false, false));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_not_read_at_all() {
        for member in [("aa", "x&account=ann&b="), ("nick", "n&time=9&z=")] {
            let own = ("mallory", member.0, member.1);
            check(SignedText::Unambiguous, own, "mallory", (false, false));
            check(SignedText::Unambiguous, own, "ann", (false, false));
        }
        check(SignedText::Unambiguous, ("anntime9", "", ""), "ann", (false, false));
    }
}
