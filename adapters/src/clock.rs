//! What time it is in the world outside. Everything that has to end is counted on clocks that do not jump; this one is
//! for what is written down, and for what others have signed.

use std::time::{Duration, UNIX_EPOCH};

/// The time since the beginning of 1970, or none on a machine that believes to be before it.
pub(crate) fn unix_time() -> Duration {
    UNIX_EPOCH.elapsed().unwrap_or_default()
}
