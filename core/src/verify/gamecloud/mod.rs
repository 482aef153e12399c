//! gamecloud: what its Node.js servers sign, and how it is checked here.
//!
//! | file | what is there |
//! |---|---|
//! | [`text`] | values as JavaScript turns them into text |
//! | [`sign`] | the signature over a set of members, and what else is made with it |
//! | [`set`] | the signed set that a client carries from the issuer to the login, and its strict check |
//! | [`verifier`] | a way to verify a player: the original's four, and those of embedders |
//! | [`builtin`] | the original's four |
//! | [`tx`] | the question to Tencent's service, and its answer |

pub mod builtin;
pub mod set;
pub mod sign;
pub mod text;
pub mod tx;
pub mod verifier;
