//! gamecloud's link: one kind of request over HTTP and over socket.io, one kind of answer.
//!
//! | file | what is there |
//! |---|---|
//! | [`call`] | a request, from a query, a form, a JSON body or an event |
//! | [`reply`] | answers, pushes and their codes |
//! | [`engine`] | engine.io 3 packets and their framing in HTTP bodies |
//! | [`socket`] | the socket.io 2 packets inside them |

pub mod call;
pub mod engine;
pub mod reply;
pub mod socket;
