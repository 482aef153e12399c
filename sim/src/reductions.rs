//! What an exploration leaves out because nobody could tell the difference. Each can be switched off alone, so that
//! tests can compare what is found with it and without it; ARCHITECTURE.md says why each is sound.

use std::fmt;

/// One way to see fewer worlds, or to see them at less cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reduction {
    /// Messages of different lanes are kept in one order, whichever was sent first.
    OneOrder,
    /// Of players who want the same, the first begins first.
    AlikeInOrder,
    /// The end of a connection comes to a player together with what was last sent on it.
    CloseWithLast,
    /// What is sent to a player on a connection he has given up vanishes.
    GivenUpIsMute,
    /// What matters to nobody but the player it comes to happens at once.
    LocalAtOnce,
    /// Answers that nobody waits for any more vanish, and what is given back and was taken already.
    LateAnswers,
    /// A message is lost when it is missed: when the next one on its lane can come instead.
    LostWhenMissed,
    /// What came of a choice is not played again where all parts of a world that it looked at are the same: choices and
    /// parts are told apart by 64-bit fingerprints.
    RememberedSteps,
    /// Worlds are told apart by 64-bit fingerprints.
    Fingerprints,
}

impl Reduction {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::OneOrder,
        Self::AlikeInOrder,
        Self::CloseWithLast,
        Self::GivenUpIsMute,
        Self::LocalAtOnce,
        Self::LateAnswers,
        Self::LostWhenMissed,
        Self::RememberedSteps,
        Self::Fingerprints,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneOrder => "one-order",
            Self::AlikeInOrder => "alike-in-order",
            Self::CloseWithLast => "close-with-last",
            Self::GivenUpIsMute => "given-up-is-mute",
            Self::LocalAtOnce => "local-at-once",
            Self::LateAnswers => "late-answers",
            Self::LostWhenMissed => "lost-when-missed",
            Self::RememberedSteps => "remembered-steps",
            Self::Fingerprints => "fingerprints",
        }
    }

    /// The reduction of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// The reductions that are in force.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reductions(u16);

impl Reductions {
    /// All of them.
    pub const ALL: Self = Self((1 << Reduction::ALL.len()) - 1);
    /// None: every interleaving is an interleaving of its own.
    pub const NONE: Self = Self(0);

    /// Only this one.
    #[must_use]
    pub const fn only(one: Reduction) -> Self {
        Self(1 << one as u8)
    }

    /// All of these but one.
    #[must_use]
    pub const fn without(self, one: Reduction) -> Self {
        Self(self.0 & !(1 << one as u8))
    }

    /// Whether it is in force.
    #[must_use]
    pub const fn has(self, one: Reduction) -> bool {
        self.0 & 1 << one as u8 != 0
    }

    /// Those that are not in force.
    pub fn missing(self) -> impl Iterator<Item = Reduction> {
        Reduction::ALL.into_iter().filter(move |one| !self.has(*one))
    }
}

impl Default for Reductions {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Debug for Reductions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Reduction::ALL.into_iter().filter(|one| self.has(*one))).finish()
    }
}

const _: () = assert!(Reduction::ALL.len() <= u16::BITS as usize, "each has a bit");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_switched_alone() {
        for one in Reduction::ALL {
            assert_eq!(Reduction::named(one.name()), Some(one));
            let rest = Reductions::ALL.without(one);
            assert!(rest.missing().eq([one]));
            assert!(Reduction::ALL.into_iter().all(|it| Reductions::only(one).has(it) != rest.has(it)));
        }
        assert_eq!(Reductions::NONE.missing().count(), Reduction::ALL.len());
    }
}
