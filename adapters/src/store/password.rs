//! Passwords at rest: argon2id in PHC strings, at one cost for everybody, known or not.

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        PasswordHasher,
        phc::{Ident, Output, PasswordHash, Salt},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
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
/// Their digits in a stored hash, and those of the hash proper.
const SALT_DIGITS: usize = (SALT * 8).div_ceil(6);
const OUTPUT_DIGITS: usize = (Params::DEFAULT_OUTPUT_LEN * 8).div_ceil(6);

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
        let stored = match Stored::of_own_form(stored) {
            Some(stored) => stored,
            None => Stored::of(&PasswordHash::new(stored).map_err(|_| StoreError::StoredHash)?)?,
        };
        stored.fits(password)
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
        let bounded = is_bounded(&params);
        let ours = Ident::new("argon2id").is_ok_and(|ours| stored.algorithm == ours);
        let version = stored.version.map_or(Ok(Version::default()), Version::try_from);
        match (version, stored.salt, stored.hash) {
            (Ok(version), Some(salt), Some(hash)) if bounded && ours => {
                Ok(Self { argon2: Argon2::new(Algorithm::Argon2id, version, params), salt, hash })
            }
            _ => Err(StoreError::StoredHash),
        }
    }

    /// The same of a hash in the very form that [`Passwords::hash`] writes, if it is one: the general way takes a
    /// twentieth of a login without its hash.
    fn of_own_form(stored: &str) -> Option<Self> {
        let rest = &mut stored.as_bytes().strip_prefix(b"$argon2id$v=19$m=")?;
        let params = Params::new(number(rest, b",t=")?, number(rest, b",p=")?, number(rest, b"$")?, None);
        let params = params.ok().filter(is_bounded)?;
        let (salt, hash) = rest.split_at_checked(SALT_DIGITS)?;
        // With room for what is not of this form.
        let (mut bytes, mut output) = ([0; SALT + 2], [0; Params::DEFAULT_OUTPUT_LEN + 2]);
        let hash = hash.strip_prefix(b"$").filter(|hash| hash.len() == OUTPUT_DIGITS)?;
        let salt = STANDARD_NO_PAD.decode_slice(salt, &mut bytes).ok()?;
        let hash = STANDARD_NO_PAD.decode_slice(hash, &mut output).ok()?;
        let (salt, hash) = (Salt::new(&bytes[..salt]).ok()?, Output::new(&output[..hash]).ok()?);
        Some(Self { argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params), salt, hash })
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

/// Whether a stored hash asks for no more work than it may.
fn is_bounded(params: &Params) -> bool {
    let (memory, passes, lanes) = STORED_MAX;
    params.m_cost() <= memory && params.t_cost() <= passes && params.p_cost() <= lanes
}

/// Takes a decimal number and what follows it.
fn number(rest: &mut &[u8], end: &[u8]) -> Option<u32> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, behind) = rest.split_at_checked(digits).filter(|(number, _)| !number.is_empty())?;
    *rest = behind.strip_prefix(end)?;
    number.iter().try_fold(0_u32, |sum, digit| sum.checked_mul(10)?.checked_add(u32::from(digit - b'0')))
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
    fn the_own_form_is_read_as_any_other() {
        for cost in [HashCost::Test, HashCost::Default] {
            let passwords = Passwords::new(cost).expect("argon2 is available");
            let text = passwords.hash(&password("a")).expect("hashes");
            let own = Stored::of_own_form(&text).expect("it is of that form");
            let any = Stored::of(&PasswordHash::new(&text).expect("reads")).expect("reads");
            let parts = |stored: &Stored| {
                let params = stored.argon2.params();
                let costs = (params.m_cost(), params.t_cost(), params.p_cost());
                (costs, stored.salt.to_vec(), stored.hash.as_bytes().to_vec())
            };
            assert_eq!(parts(&own), parts(&any));
            // Whatever is cut off, doubled or changed is another form, or another hash.
            for at in 0..text.len() {
                let (before, after) = text.split_at(at);
                for changed in
                    [before.to_owned(), format!("{before}+{after}"), format!("{before}{}", &after[1..])]
                {
                    let other = Stored::of_own_form(&changed);
                    assert!(other.is_none_or(|other| parts(&other) != parts(&own)), "{changed}");
                }
            }
        }
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
