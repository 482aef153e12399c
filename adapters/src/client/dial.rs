//! Connecting: where from, and how a connection ends.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

use super::Trouble;

/// How connections are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dial {
    /// The address they come from; the system's choice if none.
    pub source: Option<IpAddr>,
    /// They are reset instead of closed in order, so that none lingers: for load, where ports would run out.
    pub reset: bool,
}

impl Dial {
    /// Connects.
    ///
    /// # Errors
    /// What the system says.
    pub async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = self.source {
            // The port is the system's choice among those free at this address.
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::new(source, 0))?;
        }
        if self.reset {
            SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
        }
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Connects to `host:port`.
    ///
    /// # Errors
    /// [`Trouble::Unreachable`], with what the system says.
    pub async fn reach(&self, endpoint: &str) -> Result<TcpStream, Trouble> {
        let connected = match resolve(endpoint).await {
            Ok(addr) => self.connect(addr).await,
            Err(error) => Err(error),
        };
        connected.map_err(|error| Trouble::Unreachable { endpoint: endpoint.to_owned(), error })
    }
}

/// The first address behind `host:port`.
///
/// # Errors
/// If it is not of that form or the name is unknown.
pub async fn resolve(endpoint: &str) -> io::Result<SocketAddr> {
    if let Ok(addr) = endpoint.parse() {
        return Ok(addr);
    }
    let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("{endpoint}: no such host"));
    tokio::net::lookup_host(endpoint).await?.next().ok_or_else(unknown)
}
