//! A world of login roles.
