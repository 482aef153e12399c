//! The vectors made by the original system.
#[test]
fn placeholder() {}
