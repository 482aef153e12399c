//! What may happen next in a world, one thing at a time, and how a replay file writes it.

use std::{fmt, str::FromStr};

use crate::{attacker::Attack, host::TimerKind, net::Pick};

/// One thing that may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Choice {
    /// A player begins.
    Begin(u16),
    /// A message arrives.
    Deliver(Pick),
    /// A message is lost.
    Drop(Pick),
    /// A message arrives, and will arrive once more.
    Duplicate(Pick),
    /// A timer runs out: the `nth` armed one of its kind.
    Fire {
        /// Whose.
        node: u16,
        /// Its kind.
        kind: TimerKind,
        /// Which of that kind.
        nth: u16,
    },
    /// A node crashes.
    Crash(u16),
    /// A crashed node starts again.
    Restart(u16),
    /// The cache loses its memory.
    LoseCache,
    /// The cache ends in order, and the next one hears what was used.
    RenewCache,
    /// The link of a RoomServer to RCenter is cut.
    Cut(u16),
    /// A RoomServer links to RCenter again.
    Link(u16),
    /// A question to a service, or its answer, is lost, and the asker hears of an outage.
    Fail(Pick),
    /// A player's connection breaks.
    HangUp(u16),
    /// A RoomServer is stopped.
    Pause(u16),
    /// A RoomServer that was stopped goes on.
    Wake(u16),
    /// A RoomServer is told to take no new players and to end.
    Drain(u16),
    /// A clock jumps: a timer runs out that could not yet, the `nth` armed one of its kind.
    Jump {
        /// Whose.
        node: u16,
        /// Its kind.
        kind: TimerKind,
        /// Which of that kind.
        nth: u16,
    },
    /// The attacker does something.
    Attack(Attack),
    /// The window of a signed payload begins, or ends.
    Age {
        /// Which of those that were signed, in order.
        nth: u8,
        /// On the clock of which LoginServer.
        clock: u16,
    },
}

impl Choice {
    /// The packet that it is about.
    #[must_use]
    pub const fn pick(&self) -> Option<Pick> {
        match self {
            Self::Deliver(pick) | Self::Drop(pick) | Self::Duplicate(pick) | Self::Fail(pick) => Some(*pick),
            _ => None,
        }
    }

    /// To which nodes it happens: for a message its sender, then its receiver. None, if it names none.
    pub fn nodes(&self) -> impl Iterator<Item = u16> + use<> {
        let (one, other) = match self {
            Self::Deliver(pick) | Self::Drop(pick) | Self::Duplicate(pick) | Self::Fail(pick) => {
                (Some(pick.from), Some(pick.to))
            }
            Self::Begin(node)
            | Self::Fire { node, .. }
            | Self::Crash(node)
            | Self::Restart(node)
            | Self::Cut(node)
            | Self::HangUp(node)
            | Self::Pause(node)
            | Self::Wake(node)
            | Self::Drain(node)
            | Self::Jump { node, .. }
            | Self::Link(node) => (Some(*node), None),
            Self::LoseCache | Self::RenewCache | Self::Attack(_) | Self::Age { .. } => (None, None),
        };
        one.into_iter().chain(other)
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pick = |f: &mut fmt::Formatter<'_>, word: &str, pick: &Pick| {
            write!(f, "{word} {}>{} {}", pick.from, pick.to, pick.lane)?;
            if pick.nth > 0 { write!(f, " +{}", pick.nth) } else { Ok(()) }
        };
        match self {
            Self::Begin(node) => write!(f, "begin {node}"),
            Self::Deliver(it) => pick(f, "deliver", it),
            Self::Drop(it) => pick(f, "drop", it),
            Self::Duplicate(it) => pick(f, "duplicate", it),
            Self::Fire { node, kind, nth: 0 } => write!(f, "fire {node} {}", kind.name()),
            Self::Fire { node, kind, nth } => write!(f, "fire {node} {} +{nth}", kind.name()),
            Self::Crash(node) => write!(f, "crash {node}"),
            Self::Restart(node) => write!(f, "restart {node}"),
            Self::LoseCache => f.write_str("lose-cache"),
            Self::RenewCache => f.write_str("renew-cache"),
            Self::Cut(node) => write!(f, "cut {node}"),
            Self::Link(node) => write!(f, "link {node}"),
            Self::Fail(it) => pick(f, "fail", it),
            Self::HangUp(node) => write!(f, "hang-up {node}"),
            Self::Pause(node) => write!(f, "pause {node}"),
            Self::Wake(node) => write!(f, "wake {node}"),
            Self::Drain(node) => write!(f, "drain {node}"),
            Self::Jump { node, kind, nth: 0 } => write!(f, "jump {node} {}", kind.name()),
            Self::Jump { node, kind, nth } => write!(f, "jump {node} {} +{nth}", kind.name()),
            Self::Attack(attack) => write!(f, "attack {attack}"),
            Self::Age { nth, clock: 0 } => write!(f, "age {nth}"),
            Self::Age { nth, clock } => write!(f, "age {nth} +{clock}"),
        }
    }
}

/// A line that is no choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAChoice(pub String);

impl fmt::Display for NotAChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no choice; one is written like \"deliver 0>2 1000\" or \"fire 5 retry\"", self.0)
    }
}

impl std::error::Error for NotAChoice {}

impl FromStr for Choice {
    type Err = NotAChoice;

    fn from_str(line: &str) -> Result<Self, NotAChoice> {
        parse(line).ok_or_else(|| NotAChoice(line.to_owned()))
    }
}

fn parse(line: &str) -> Option<Choice> {
    let mut words = line.split_whitespace();
    let verb = words.next()?;
    let choice = match verb {
        "lose-cache" => Choice::LoseCache,
        "renew-cache" => Choice::RenewCache,
        "begin" => Choice::Begin(words.next()?.parse().ok()?),
        "crash" => Choice::Crash(words.next()?.parse().ok()?),
        "restart" => Choice::Restart(words.next()?.parse().ok()?),
        "cut" => Choice::Cut(words.next()?.parse().ok()?),
        "link" => Choice::Link(words.next()?.parse().ok()?),
        "hang-up" => Choice::HangUp(words.next()?.parse().ok()?),
        "pause" => Choice::Pause(words.next()?.parse().ok()?),
        "wake" => Choice::Wake(words.next()?.parse().ok()?),
        "drain" => Choice::Drain(words.next()?.parse().ok()?),
        "age" => Choice::Age { nth: words.next()?.parse().ok()?, clock: nth(words.next())? },
        "attack" => Choice::Attack(Attack::parse(&mut words)?),
        "fire" | "jump" => {
            let node = words.next()?.parse().ok()?;
            let name = words.next()?;
            let kind = TimerKind::ALL.into_iter().find(|kind| kind.name() == name)?;
            let nth = nth(words.next())?;
            if verb == "fire" { Choice::Fire { node, kind, nth } } else { Choice::Jump { node, kind, nth } }
        }
        "deliver" | "drop" | "duplicate" | "fail" => {
            let (from, to) = words.next()?.split_once('>')?;
            let lane = words.next()?.parse().ok()?;
            let nth = nth(words.next())?;
            let pick = Pick { from: from.parse().ok()?, to: to.parse().ok()?, lane, nth };
            match verb {
                "deliver" => Choice::Deliver(pick),
                "drop" => Choice::Drop(pick),
                "fail" => Choice::Fail(pick),
                _ => Choice::Duplicate(pick),
            }
        }
        _ => return None,
    };
    words.next().is_none().then_some(choice)
}

fn nth(word: Option<&str>) -> Option<u16> {
    word.map_or(Some(0), |word| word.strip_prefix('+')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_back() {
        let pick = Pick { from: 0, to: 5, lane: 1002, nth: 0 };
        let choices = [
            Choice::Begin(1),
            Choice::Deliver(pick),
            Choice::Drop(Pick { nth: 2, ..pick }),
            Choice::Duplicate(pick),
            Choice::Fire { node: 3, kind: TimerKind::ServerLease, nth: 0 },
            Choice::Fire { node: 3, kind: TimerKind::TokenEnd, nth: 1 },
            Choice::Crash(6),
            Choice::Restart(6),
            Choice::LoseCache,
            Choice::RenewCache,
            Choice::Cut(6),
            Choice::Link(6),
            Choice::Fail(pick),
            Choice::HangUp(0),
            Choice::Pause(6),
            Choice::Wake(6),
            Choice::Drain(6),
            Choice::Jump { node: 3, kind: TimerKind::Grace, nth: 0 },
            Choice::Attack(Attack::Enter { token: 1, room: 6 }),
            Choice::Attack(Attack::Login { who: 0, at: 0 }),
            Choice::Attack(Attack::Login { who: 2, at: 1 }),
            Choice::Attack(Attack::Recast { who: 1, account: 0, moved: false }),
            Choice::Attack(Attack::Recast { who: 0, account: 2, moved: true }),
            Choice::Attack(Attack::Claim(1)),
            Choice::Attack(Attack::Insist),
            Choice::Age { nth: 2, clock: 0 },
            Choice::Age { nth: 0, clock: 1 },
        ];
        for choice in choices {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        for line in ["", "deliver", "deliver 0>x 1", "fire 1 nothing", "begin 1 2", "fire 1 retry 2"] {
            assert!(line.parse::<Choice>().is_err(), "{line:?}");
        }
    }
}
