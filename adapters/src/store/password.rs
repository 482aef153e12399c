//! Passwords at rest: argon2id in PHC strings, at one cost for everybody, known or not.

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        PasswordHasher,
        phc::{Ident, Output, PasswordHash, Salt},
    },
};
use gatepass_core::text::Password;
use subtle::ConstantTimeEq;

use super::StoreError;

/// The most a *stored* hash may ask for, so that a damaged or planted row cannot stop the service:
/// memory in KiB, passes, lanes.
const STORED_MAX: (u32, u32, u32) = (256 * 1024, 16, 8);
/// Blocks, of one KiB, of the smallest hash that argon2id allows.
const SMALL: usize = 8;
/// Bytes of salt.
const SALT: usize = 16;

/// How much work one password check is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashCost {
    /// 19 MiB, two passes: the minimum that OWASP recommends. For everything that faces players.
    #[default]
    Default,
    /// As little as argon2id allows: for tests and measurements, never for real passwords.
    Test,
}

impl HashCost {
    fn params(self) -> Result<Params, StoreError> {
        let (memory, passes, lanes) = match self {
            Self::Default => (19_456, 2, 1),
            Self::Test => (8, 1, 1),
        };
        Params::new(memory, passes, lanes, None).map_err(|_| StoreError::Hashing)
    }
}

/// Hashes and compares passwords at one cost.
pub(super) struct Passwords {
    argon2: Argon2<'static>,
    /// The hash of a password that nobody knows: an unknown account is checked against it.
    nobody: Stored,
}

/// A stored hash, read: it brings its own cost along.
struct Stored {
    argon2: Argon2<'static>,
    salt: Salt,
    hash: Output,
}

impl Passwords {
    pub(super) fn new(cost: HashCost) -> Result<Self, StoreError> {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.params()?);
        let mut unknown = [0; 32];
        getrandom::fill(&mut unknown).map_err(|_| StoreError::Entropy)?;
        let nobody = Stored::of(&hash_with(&argon2, &unknown)?)?;
        Ok(Self { argon2, nobody })
    }

    /// Hashes a password under a fresh salt.
    pub(super) fn hash(&self, password: &Password) -> Result<String, StoreError> {
        Ok(hash_with(&self.argon2, password.expose())?.to_string())
    }

    /// Whether this is the password behind a stored hash.
    pub(super) fn verify(&self, password: &Password, stored: &str) -> Result<bool, StoreError> {
        let stored = PasswordHash::new(stored).map_err(|_| StoreError::StoredHash)?;
        Stored::of(&stored)?.fits(password)
    }

    /// Spends the time of a check on behalf of an account that does not exist. Always `false`.
    pub(super) fn verify_nobody(&self, password: &Password) -> Result<bool, StoreError> {
        self.nobody.fits(password).map(|_| false)
    }
}

fn hash_with(argon2: &Argon2<'_>, password: &[u8]) -> Result<PasswordHash, StoreError> {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt).map_err(|_| StoreError::Entropy)?;
    argon2.hash_password_with_salt(password, &salt).map_err(|_| StoreError::Hashing)
}

impl Stored {
    fn of(stored: &PasswordHash) -> Result<Self, StoreError> {
        let params = Params::try_from(stored).map_err(|_| StoreError::StoredHash)?;
        let (memory, passes, lanes) = STORED_MAX;
        let bounded = params.m_cost() <= memory && params.t_cost() <= passes && params.p_cost() <= lanes;
        let ours = Ident::new("argon2id").is_ok_and(|ours| stored.algorithm == ours);
        let version = stored.version.map_or(Ok(Version::default()), Version::try_from);
        match (version, stored.salt, stored.hash) {
            (Ok(version), Some(salt), Some(hash)) if bounded && ours => {
                Ok(Self { argon2: Argon2::new(Algorithm::Argon2id, version, params), salt, hash })
            }
            _ => Err(StoreError::StoredHash),
        }
    }

    fn fits(&self, password: &Password) -> Result<bool, StoreError> {
        let mut computed = [0; Output::MAX_LENGTH];
        let computed = &mut computed[..self.hash.len()];
        let (password, salt) = (password.expose(), &*self.salt);
        let done = if self.argon2.params().block_count() <= SMALL {
            // As much as this is cheaper to have on the stack.
            self.argon2.hash_password_into_with_memory(password, salt, computed, &mut [Block::new(); SMALL])
        } else {
            self.argon2.hash_password_into(password, salt, computed)
        };
        done.map_err(|_| StoreError::StoredHash)?;
        Ok(self.hash.as_bytes().ct_eq(computed).into())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text).expect("short enough")
    }

    #[test]
    fn only_the_right_password_fits() {
        let passwords = Passwords::new(HashCost::Test).expect("argon2 is available");
        let stored = passwords.hash(&password("correct horse")).expect("hashes");
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
        assert!(passwords.verify(&password("correct horse"), &stored).expect("verifies"));
        assert!(!passwords.verify(&password("correct horsf"), &stored).expect("verifies"));
        assert!(!passwords.verify(&password(""), &stored).expect("verifies"));
        assert!(!passwords.verify_nobody(&password("correct horse")).expect("verifies"));
    }

    #[test]
    fn the_same_password_has_two_hashes() {
        let passwords = Passwords::new(HashCost::Test).expect("argon2 is available");
        let twice = [password("a"), password("a")].map(|p| passwords.hash(&p).expect("hashes"));
        assert_ne!(twice[0], twice[1]);
    }

    #[test]
    fn a_hash_of_another_cost_still_fits() {
        let old = Passwords::new(HashCost::Test).expect("argon2 is available");
        let stored = old.hash(&password("a")).expect("hashes");
        let new = Passwords::new(HashCost::Default).expect("argon2 is available");
        assert!(new.verify(&password("a"), &stored).expect("verifies"));
    }

    #[test]
    fn absurd_and_damaged_hashes_are_refused_without_work() {
        let passwords = Passwords::new(HashCost::Test).expect("argon2 is available");
        let absurd = [
            "",
            "secret",
            "$argon2id$v=19$m=4000000000,t=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo",
            "$argon2id$v=19$m=8,t=4000000000,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo",
            "$argon2id$v=19$m=2048,t=1,p=255$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo",
            "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo",
            "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0",
            "$scrypt$ln=1,r=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo",
        ];
        let started = Instant::now();
        for stored in absurd {
            let verdict = passwords.verify(&password("a"), stored);
            assert!(matches!(verdict, Err(StoreError::StoredHash)), "{stored}");
        }
        assert!(started.elapsed().as_secs() < 2, "nothing of it was computed");
    }
}
