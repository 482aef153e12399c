//! Who somebody is, on the word of another: signatures of the systems that sign.
//!
//! Everything here is a pure function of bytes, secrets and the second it is. A check ends in a value that says who
//! was signed for, how old the signature is, and what is to be remembered so that it counts once. What follows from
//! them is decided by [`login`](crate::login) and [`cache`](crate::cache).

pub mod gamecloud;
pub mod gtarcade;
