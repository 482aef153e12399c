//! What is done with arbitrary bytes: by the fuzzer, and over the committed corpus by every run of the tests.
//!
//! A body may panic for one reason only: the bytes have broken something that must hold for all bytes.

mod files;
mod gamecloud;
mod gtarcade;
mod links;
mod roles;
mod wire;

/// A body of a target.
pub(crate) type Body = fn(&[u8]);

/// The targets. Each has a directory of its name in `corpus`, and a `[[bin]]` in `Cargo.toml`.
pub(crate) const TARGETS: [(&str, Body); 24] = [
    ("accounts", roles::accounts),
    ("cache", roles::cache),
    ("center", wire::center),
    ("client", roles::client),
    ("datagram", wire::datagram),
    ("frame", wire::frame),
    ("gamecloud_calls", gamecloud::calls),
    ("gamecloud_packets", gamecloud::packets),
    ("gtarcade", gtarcade::payload),
    ("http", wire::http),
    ("json", gtarcade::json),
    ("launcher", gtarcade::launcher),
    ("links", links::links),
    ("local", gtarcade::local),
    ("login", roles::login),
    ("proto", wire::proto),
    ("rcenter", roles::rcenter),
    ("recording", links::recording),
    ("replay", files::replay),
    ("room", roles::room),
    ("scenario", files::scenario),
    ("text", wire::text),
    ("token", wire::token),
    ("vectors", files::vectors),
];

/// The body of this name.
#[must_use]
pub(crate) fn named(name: &str) -> Option<Body> {
    TARGETS.iter().find(|(own, _)| *own == name).map(|(_, body)| *body)
}
