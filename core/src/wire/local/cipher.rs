//! A message's text to the bytes of its frame and back.
//!
//! CBC and ECB hide a message from who looks at the wire and nothing more: bits can be flipped, frames repeated and
//! sent back. The mode GCM, with the side that sends and a counter in what is authenticated, lets none of that
//! pass.
//!
//! There is one error for whatever is wrong with a payload. A peer that learns which of padding, length or tag it was
//! could read messages that are not its own.

use alloc::vec::Vec;
use core::fmt;

use aes::{Aes128, Aes256};
use aes_gcm::{
    Aes256Gcm,
    aead::{Aead, KeyInit, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use cbc::cipher::{
    BlockModeDecrypt, BlockModeEncrypt, KeyIvInit,
    block_padding::{NoPadding, Padding as BlockPadding, Pkcs7},
};
use zeroize::Zeroizing;

use super::{Profile, TEXT_MAX};

/// The cipher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Suite {
    /// AES-128 in CBC.
    #[default]
    Aes128Cbc,
    /// AES-256 in CBC.
    Aes256Cbc,
    /// AES-128 in ECB: equal blocks look equal.
    Aes128Ecb,
    /// AES-256 in ECB.
    Aes256Ecb,
    /// AES-256 in GCM: a version byte 2, a nonce of 12 bytes, the ciphertext, a tag of 16 bytes. Authenticated with
    /// it: `gta-local-v2`, the [`Side`] that sends, and a counter of 8 bytes big-endian, which is not sent.
    Aes256Gcm,
}

impl Suite {
    /// Bytes of its key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Cbc | Self::Aes128Ecb => 16,
            Self::Aes256Cbc | Self::Aes256Ecb | Self::Aes256Gcm => 32,
        }
    }
}

/// Where the initialisation vector of CBC is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Iv {
    /// In front of each message, random.
    #[default]
    RandomPrepended,
    /// Always this one.
    Fixed([u8; 16]),
    /// The first 16 bytes of the key.
    KeyPrefix,
    /// Zeros.
    Zero,
}

/// How the last block is filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Padding {
    /// With the number of bytes that fill it (PKCS#7).
    #[default]
    Pkcs7,
    /// With zeros, none if it is full. No JSON ends with one.
    Zero,
}

/// How the encrypted bytes stand in their frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// As they are.
    #[default]
    Raw,
    /// In base64, with padding.
    Base64,
}

/// How the platform's staff hands out a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyFormat {
    /// The bytes of its letters.
    #[default]
    Utf8,
    /// Hexadecimal digits.
    Hex,
    /// Base64.
    Base64,
}

/// A key of the local link. Wiped when dropped, shown by no `Debug`.
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

/// The key does not have the form or the length that is set. It is never cut, and nothing is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyFault;

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key has another form or length than the cipher needs")
    }
}

impl core::error::Error for KeyFault {}

impl Key {
    /// Reads a key as it was handed out.
    ///
    /// # Errors
    /// [`KeyFault`] if it is not of this format.
    pub fn parse(text: &str, format: KeyFormat) -> Result<Self, KeyFault> {
        let bytes = match format {
            KeyFormat::Utf8 => text.into(),
            KeyFormat::Hex => unhex(text).ok_or(KeyFault)?,
            KeyFormat::Base64 => STANDARD.decode(text).map_err(|_| KeyFault)?,
        };
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// A key of random bits, drawn for one start of one game.
    #[must_use]
    pub fn new(bits: &[u8; 32]) -> Self {
        Self(Zeroizing::new(bits.to_vec()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = digits.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => value(*high).zip(value(*low)).map(|(high, low)| high << 4 | low),
        _ => None,
    });
    pairs.collect()
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The game.
    Game,
    /// The launcher.
    Launcher,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Game => Self::Launcher,
            Self::Launcher => Self::Game,
        }
    }

    const fn letter(self) -> u8 {
        match self {
            Self::Game => b'G',
            Self::Launcher => b'M',
        }
    }
}

/// Something is wrong with a payload: encoding, length, padding, tag or size, nobody learns which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unopened;

impl fmt::Display for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the payload does not open")
    }
}

impl core::error::Error for Unopened {}

const BLOCK: usize = 16;
const GCM_VERSION: u8 = 2;
const NONCE: usize = 12;

/// A key under a profile.
#[derive(Clone)]
pub struct Cipher {
    suite: Suite,
    iv: Iv,
    padding: Padding,
    encoding: Encoding,
    key: Key,
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { suite, encoding, .. } = self;
        f.debug_struct("Cipher").field("suite", suite).field("encoding", encoding).finish_non_exhaustive()
    }
}

impl Cipher {
    /// A cipher.
    ///
    /// # Errors
    /// [`KeyFault`] if the key does not have exactly [`Suite::key_len`] bytes.
    pub fn new(profile: &Profile, key: &Key) -> Result<Self, KeyFault> {
        let Profile { suite, iv, padding, encoding, .. } = *profile;
        if key.0.len() != suite.key_len() {
            return Err(KeyFault);
        }
        Ok(Self { suite, iv, padding, encoding, key: key.clone() })
    }

    /// Encrypts a text. `random` is 16 bytes nobody has seen, of which CBC takes all and GCM the first 12; `count`
    /// is how many messages this side has sent in GCM before.
    ///
    /// # Errors
    /// [`Unopened`] for a text of more than [`TEXT_MAX`] bytes, which the other end would not take.
    pub fn seal(&self, text: &[u8], side: Side, count: u64, random: [u8; 16]) -> Result<Vec<u8>, Unopened> {
        if text.len() > TEXT_MAX {
            return Err(Unopened);
        }
        let sealed = match self.suite {
            Suite::Aes256Gcm => self.seal_gcm(text, side, count, random)?,
            _ => self.seal_blocks(text, random)?,
        };
        Ok(match self.encoding {
            Encoding::Raw => sealed,
            Encoding::Base64 => STANDARD.encode(sealed).into_bytes(),
        })
    }

    /// Decrypts the payload of a frame that `side` has sent as its message number `count`.
    ///
    /// # Errors
    /// [`Unopened`], whatever is wrong.
    pub fn open(&self, payload: &[u8], side: Side, count: u64) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        let decoded;
        let sealed = match self.encoding {
            Encoding::Raw => payload,
            Encoding::Base64 => {
                decoded = STANDARD.decode(payload).map_err(|_| Unopened)?;
                &decoded
            }
        };
        let text = Zeroizing::new(match self.suite {
            Suite::Aes256Gcm => self.open_gcm(sealed, side, count)?,
            _ => self.open_blocks(sealed)?,
        });
        if text.len() > TEXT_MAX { Err(Unopened) } else { Ok(text) }
    }

    fn seal_gcm(&self, text: &[u8], side: Side, count: u64, random: [u8; 16]) -> Result<Vec<u8>, Unopened> {
        let [nonce @ .., _, _, _, _] = random;
        let aad = authenticated(side, count);
        let gcm = Aes256Gcm::new_from_slice(&self.key.0).map_err(|_| Unopened)?;
        let sealed = gcm.encrypt(&nonce.into(), Payload { msg: text, aad: &aad }).map_err(|_| Unopened)?;
        let mut out = Vec::with_capacity(1 + NONCE + sealed.len());
        out.push(GCM_VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    fn open_gcm(&self, sealed: &[u8], side: Side, count: u64) -> Result<Vec<u8>, Unopened> {
        let Some((&GCM_VERSION, rest)) = sealed.split_first() else { return Err(Unopened) };
        let (nonce, msg) = rest.split_first_chunk::<NONCE>().ok_or(Unopened)?;
        let aad = authenticated(side, count);
        let gcm = Aes256Gcm::new_from_slice(&self.key.0).map_err(|_| Unopened)?;
        gcm.decrypt(&(*nonce).into(), Payload { msg, aad: &aad }).map_err(|_| Unopened)
    }

    fn seal_blocks(&self, text: &[u8], random: [u8; 16]) -> Result<Vec<u8>, Unopened> {
        let iv = self.iv(random);
        let sealed = match self.padding {
            Padding::Pkcs7 => encrypt::<Pkcs7>(self.suite, &self.key.0, &iv, text)?,
            Padding::Zero => {
                let mut padded = Zeroizing::new(text.to_vec());
                padded.resize(text.len().next_multiple_of(BLOCK), 0);
                encrypt::<NoPadding>(self.suite, &self.key.0, &iv, &padded)?
            }
        };
        Ok(match self.prepends() {
            true => [&iv[..], &sealed].concat(),
            false => sealed,
        })
    }

    fn open_blocks(&self, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        let (iv, blocks) = match self.prepends() {
            true => sealed.split_first_chunk::<BLOCK>().map(|(iv, rest)| (*iv, rest)).ok_or(Unopened)?,
            false => (self.iv([0; 16]), sealed),
        };
        match self.padding {
            Padding::Pkcs7 => decrypt::<Pkcs7>(self.suite, &self.key.0, &iv, blocks),
            Padding::Zero => {
                let mut text = decrypt::<NoPadding>(self.suite, &self.key.0, &iv, blocks)?;
                let end = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                text.truncate(end);
                Ok(text)
            }
        }
    }

    fn prepends(&self) -> bool {
        matches!(self.suite, Suite::Aes128Cbc | Suite::Aes256Cbc) && self.iv == Iv::RandomPrepended
    }

    fn iv(&self, random: [u8; 16]) -> [u8; 16] {
        match self.iv {
            Iv::RandomPrepended => random,
            Iv::Fixed(iv) => iv,
            Iv::KeyPrefix => self.key.0.first_chunk().copied().unwrap_or_default(),
            Iv::Zero => [0; 16],
        }
    }
}

/// What GCM authenticates beside the message.
fn authenticated(side: Side, count: u64) -> [u8; 21] {
    let mut aad = *b"gta-local-v2?????????";
    if let Some((counter, head)) = aad.split_last_chunk_mut::<8>().map(|(head, counter)| (counter, head)) {
        *counter = count.to_be_bytes();
        if let Some(letter) = head.last_mut() {
            *letter = side.letter();
        }
    }
    aad
}

fn encrypt<P: BlockPadding>(
    suite: Suite,
    key: &[u8],
    iv: &[u8; 16],
    text: &[u8],
) -> Result<Vec<u8>, Unopened> {
    Ok(match suite {
        Suite::Aes128Cbc => cbc::Encryptor::<Aes128>::new_from_slices(key, iv)
            .map_err(|_| Unopened)?
            .encrypt_padded_vec::<P>(text),
        Suite::Aes256Cbc => cbc::Encryptor::<Aes256>::new_from_slices(key, iv)
            .map_err(|_| Unopened)?
            .encrypt_padded_vec::<P>(text),
        Suite::Aes128Ecb => {
            ecb::Encryptor::<Aes128>::new_from_slice(key).map_err(|_| Unopened)?.encrypt_padded_vec::<P>(text)
        }
        Suite::Aes256Ecb => {
            ecb::Encryptor::<Aes256>::new_from_slice(key).map_err(|_| Unopened)?.encrypt_padded_vec::<P>(text)
        }
        Suite::Aes256Gcm => return Err(Unopened),
    })
}

fn decrypt<P: BlockPadding>(
    suite: Suite,
    key: &[u8],
    iv: &[u8; 16],
    blocks: &[u8],
) -> Result<Vec<u8>, Unopened> {
    match suite {
        Suite::Aes128Cbc => cbc::Decryptor::<Aes128>::new_from_slices(key, iv)
            .map_err(|_| Unopened)?
            .decrypt_padded_vec::<P>(blocks),
        Suite::Aes256Cbc => cbc::Decryptor::<Aes256>::new_from_slices(key, iv)
            .map_err(|_| Unopened)?
            .decrypt_padded_vec::<P>(blocks),
        Suite::Aes128Ecb => ecb::Decryptor::<Aes128>::new_from_slice(key)
            .map_err(|_| Unopened)?
            .decrypt_padded_vec::<P>(blocks),
        Suite::Aes256Ecb => ecb::Decryptor::<Aes256>::new_from_slice(key)
            .map_err(|_| Unopened)?
            .decrypt_padded_vec::<P>(blocks),
        Suite::Aes256Gcm => return Err(Unopened),
    }
    .map_err(|_| Unopened)
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    const SUITES: [Suite; 5] =
        [Suite::Aes128Cbc, Suite::Aes256Cbc, Suite::Aes128Ecb, Suite::Aes256Ecb, Suite::Aes256Gcm];

    fn every_profile() -> Vec<Profile> {
        let mut profiles = Vec::new();
        for suite in SUITES {
            for iv in [Iv::RandomPrepended, Iv::Fixed([7; 16]), Iv::KeyPrefix, Iv::Zero] {
                for padding in [Padding::Pkcs7, Padding::Zero] {
                    for encoding in [Encoding::Raw, Encoding::Base64] {
                        profiles.push(Profile { suite, iv, padding, encoding, ..Profile::default() });
                    }
                }
            }
        }
        profiles
    }

    fn cipher(profile: &Profile) -> Cipher {
        let key = Key::new(&[9; 32]);
        let key = Key(Zeroizing::new(key.0[..profile.suite.key_len()].to_vec()));
        Cipher::new(profile, &key).unwrap()
    }

    /// Where a vector that both ends know is taken from, and that nothing of it is sent then.
    #[test]
    fn a_vector_that_is_known_is_not_sent() {
        let text = [b'a'; 40];
        let seal = |iv, random| {
            let profile =
                Profile { suite: Suite::Aes256Cbc, iv, encoding: Encoding::Raw, ..Profile::default() };
            cipher(&profile).seal(&text, Side::Game, 0, [random; 16]).unwrap()
        };
        let known = [(Iv::Zero, [0; 16]), (Iv::KeyPrefix, [9; 16]), (Iv::Fixed([7; 16]), [7; 16])];
        for (iv, vector) in known {
            let sealed = seal(iv, 1);
            assert_eq!((sealed.len(), &sealed), (48, &seal(iv, 2)), "{iv:?}: nothing in it is random");
            let sent = seal(Iv::RandomPrepended, vector[0]);
            assert_eq!(sent, [&vector[..], &sealed].concat(), "{iv:?}");
        }
        for suite in [Suite::Aes128Ecb, Suite::Aes256Ecb] {
            let ecb = cipher(&Profile { suite, encoding: Encoding::Raw, ..Profile::default() });
            assert_eq!(ecb.seal(&text, Side::Game, 0, [1; 16]).unwrap().len(), 48, "{suite:?} has none");
        }
    }

    #[test]
    fn no_longer_text_is_taken_from_a_peer_that_sends_one() {
        let cipher = cipher(&Profile { encoding: Encoding::Raw, ..Profile::default() });
        for (len, taken) in [(TEXT_MAX, true), (TEXT_MAX + 1, false), (TEXT_MAX + 2, false)] {
            let sealed = cipher.seal_blocks(&vec![b'a'; len], [1; 16]).unwrap();
            assert_eq!(cipher.open(&sealed, Side::Game, 0).is_ok(), taken, "{len}");
        }
    }

    #[test]
    fn a_key_has_the_length_of_its_cipher() {
        for suite in SUITES {
            let profile = Profile { suite, ..Profile::default() };
            for len in [0, 15, 16, 17, 24, 31, 32, 33] {
                let key = Key(Zeroizing::new(vec![1; len]));
                assert_eq!(Cipher::new(&profile, &key).is_ok(), len == suite.key_len(), "{suite:?} {len}");
            }
        }
        assert_eq!(*Key::parse("00ff10", KeyFormat::Hex).unwrap().0, [0, 255, 16]);
        assert_eq!(*Key::parse("AP8Q", KeyFormat::Base64).unwrap().0, [0, 255, 16]);
        for (text, format) in [("0", KeyFormat::Hex), ("zz", KeyFormat::Hex), ("AP8", KeyFormat::Base64)] {
            assert!(Key::parse(text, format).is_err(), "{text}");
        }
        assert_eq!(format!("{:?}", Key::parse("secret", KeyFormat::Utf8)), "Ok(Key(..))");
    }

    #[test]
    fn gcm_knows_direction_and_order() {
        let cipher = cipher(&Profile { suite: Suite::Aes256Gcm, ..Profile::default() });
        let sealed = cipher.seal(b"text", Side::Game, 3, [1; 16]).unwrap();
        for (side, count, opens) in [
            (Side::Game, 3, true),
            (Side::Game, 4, false),
            (Side::Game, 2, false),
            (Side::Launcher, 3, false),
        ] {
            assert_eq!(cipher.open(&sealed, side, count).is_ok(), opens, "{side:?} {count}");
        }
    }

    proptest! {
        #[test]
        fn every_profile_reads_what_it_writes(text in "[ -~\u{4e2d}]{1,80}", random: [u8; 16]) {
            for profile in every_profile() {
                let cipher = cipher(&profile);
                let sealed = cipher.seal(text.as_bytes(), Side::Launcher, 1, random).unwrap();
                let opened = cipher.open(&sealed, Side::Launcher, 1).map(|text| text.to_vec());
                prop_assert_eq!(opened, Ok(text.clone().into_bytes()));
            }
        }

        #[test]
        fn any_bytes_open_or_do_not(bytes: Vec<u8>) {
            for profile in every_profile() {
                let _ = cipher(&profile).open(&bytes, Side::Game, 0);
            }
        }
    }
}
