//! The text that is signed, and what else can be read into it.
//!
//! Worlds have no bytes, but for this: whether a signature for one payload fits another depends on how members are
//! written one after the other. So what an attacker has signed for him is written down as the policy says, and what
//! he makes of it is accepted if the text is the same. He may add members, but their names stay in order.

use std::collections::BTreeMap;

use gatepass_core::policy::SignedText;

use crate::scenario::VerifierPlan;

/// When everything was signed: worlds have no clocks that show a time, so this is the only one.
const SIGNED_AT: &str = "1";

/// What is signed: for this account, with further members.
#[derive(Clone, Copy)]
pub(crate) struct Signed<'a> {
    /// How the members that count are called.
    pub(crate) by: &'a VerifierPlan,
    pub(crate) account: &'a str,
    pub(crate) members: &'a BTreeMap<String, String>,
}

impl Signed<'_> {
    /// Whether members can be read in this, if it is written in this form, that name the account: signed when it was or,
    /// if `moved`, at any other time.
    pub(crate) fn can_be_read(self, form: SignedText, account: &str, moved: bool) -> bool {
        if form == SignedText::Unambiguous && !is_plain(account) {
            return false;
        }
        let text = self.written(form);
        let VerifierPlan { account: whose, time, .. } = self.by;
        let mut counting = [(whose, Some(account)), (time, None)];
        counting.sort_unstable();
        let [first, second] = counting.map(|(name, value)| Member { form, name, value });
        first.read(&text, "").any(|(early, rest)| {
            second
                .read(rest, first.name)
                .any(|(late, tail)| (early || late) == moved && is_gap(form, tail, second.name, "\u{7f}"))
        })
    }

    fn written(self, form: SignedText) -> String {
        let mut all: BTreeMap<&str, &str> =
            self.members.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.extend([(&self.by.account[..], self.account), (&self.by.time, SIGNED_AT)]);
        let (between, behind_name) = separators(form);
        let member = |(name, value): (&str, &str)| format!("{name}{behind_name}{value}");
        all.into_iter().map(member).collect::<Vec<_>>().join(between)
    }
}

/// A member that counts: with this value or, if none is said, with any time.
#[derive(Clone, Copy)]
struct Member<'a> {
    form: SignedText,
    name: &'a str,
    value: Option<&'a str>,
}

impl<'a> Member<'a> {
    /// Every way to read it in this text, with further members before it whose names are behind `after`: whether it is
    /// a time at which nothing was signed, and what is behind it.
    fn read(self, text: &'a str, after: &'a str) -> impl Iterator<Item = (bool, &'a str)> {
        let (between, behind_name) = separators(self.form);
        let begins = format!("{}{behind_name}", self.name);
        let places: Vec<usize> = text.match_indices(&begins).map(|(at, _)| at).collect();
        places.into_iter().flat_map(move |at| {
            let (head, rest) = text.split_at(at);
            let head = if head.is_empty() { Some(head) } else { head.strip_suffix(between) };
            let fits = head.is_some_and(|head| is_gap(self.form, head, after, self.name));
            let rest = if fits { rest.get(begins.len()..) } else { None };
            rest.into_iter().flat_map(move |rest| self.values(rest))
        })
    }

    /// Every way to read its value at the beginning of this text.
    fn values(self, rest: &'a str) -> impl Iterator<Item = (bool, &'a str)> {
        let (between, _) = separators(self.form);
        let ends = match self.value {
            Some(value) => {
                if rest.starts_with(value) {
                    vec![value.len()]
                } else {
                    vec![]
                }
            }
            None => (1..=rest.bytes().take_while(u8::is_ascii_digit).count()).collect(),
        };
        ends.into_iter().filter_map(move |end| {
            let (value, tail) = rest.split_at_checked(end)?;
            // Behind the value comes the end of its member.
            let tail = if tail.is_empty() { tail } else { tail.strip_prefix(between)? };
            Some((self.value.is_none() && value != SIGNED_AT, tail))
        })
    }
}

/// What is between members, and between a name and its value.
const fn separators(form: SignedText) -> (&'static str, &'static str) {
    match form {
        SignedText::Unambiguous | SignedText::Joined => ("&", "="),
        SignedText::Glued => ("", ""),
    }
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
        check_by(&VerifierPlan::default(), form, own, other, expected);
    }

    fn check_by(
        by: &VerifierPlan,
        form: SignedText,
        (account, name, value): (&str, &str, &str),
        other: &str,
        expected: (bool, bool),
    ) {
        let members = if name.is_empty() { vec![] } else { vec![(name.to_owned(), value.to_owned())] };
        let members = members.into_iter().collect();
        let signed = Signed { by, account, members: &members };
        let read = |moved| signed.can_be_read(form, other, moved);
        assert_eq!((read(false), read(true)), expected, "{:?} as {other}'s", signed.written(form));
    }

    #[test]
    fn the_time_may_stand_before_the_account() {
        let by = &VerifierPlan { account: "userId".into(), time: "t".into(), ..VerifierPlan::default() };
        for form in [SignedText::Unambiguous, SignedText::Joined, SignedText::Glued] {
            check_by(by, form, ("ann", "", ""), "ann", (true, false));
        }
        // The end of the name becomes a member behind it.
        check_by(by, SignedText::Glued, ("annzone", "", ""), "ann", (true, false));
        check_by(by, SignedText::Joined, ("annzone", "", ""), "ann", (false, false));
        check_by(by, SignedText::Joined, ("mallory", "aa", "x&t=9&userId=ann&v="), "ann", (false, true));
        check_by(
            by,
            SignedText::Unambiguous,
            ("mallory", "aa", "x&t=9&userId=ann&v="),
            "ann",
            (false, false),
        );
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
