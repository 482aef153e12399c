//! tokio servers around the login roles.
