//! A scenario in a browser: stateright's explorer on our worlds, with our diagrams.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use stateright::Model;

use crate::{check::Worlds, setup::Setup};

/// Serves the explorer until the process ends. `ready` is called when nothing stands in the way.
///
/// # Errors
/// If the address cannot be listened on.
pub fn serve(setup: Arc<Setup>, address: SocketAddr, ready: impl FnOnce()) -> io::Result<()> {
    // The explorer panics where it cannot listen, so we try first.
    drop(TcpListener::bind(address)?);
    ready();
    Worlds::new(setup).checker().serve(address);
    Ok(())
}
