//! gamecloud: what its Node.js servers sign, and how it is checked here.
//!
//! | file | what is there |
//! |---|---|
//! | [`text`] | values as JavaScript turns them into text |
//! | [`sign`] | the signature over a set of members, and what else is made with it |
//! | [`set`] | the signed set that a client carries from the issuer to the login, and its strict check |
//! | [`builtin`] | the original's four verifiers |
//! | [`tx`] | the question to Tencent's service, and its answer |

pub mod builtin;
pub mod set;
pub mod sign;
pub mod text;
pub mod tx;
