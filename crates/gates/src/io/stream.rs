use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{SocketFlags, accept_with, shutdown};

use super::inherited::lasting;

/// Where a gate listens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    /// A port of an address.
    Tcp(SocketAddr),
    /// A unix socket at that path.
    Unix(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A listening socket of either kind.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A unix socket.
    Unix(UnixListener),
}

impl Listener {
    /// Listens at `place`, with the socket that was handed over if there is one. The file of a unix socket whose owner is gone
    /// is replaced; everybody on this machine may connect to the new one (mode 0666), because mail servers run under users of
    /// their own, and its folder says who gets there.
    pub fn bind(place: &Place) -> io::Result<Self> {
        // Nobody comes to a socket whose file was removed.
        let is_gone = matches!(place, Place::Unix(path) if !path.exists());
        if let Some(listener) = super::inherited::take(place).filter(|_| !is_gone) {
            // Others wait otherwise for their clients.
            match &listener {
                Self::Tcp(listener) => listener.set_nonblocking(false),
                Self::Unix(listener) => listener.set_nonblocking(false),
            }?;
            return Ok(listener);
        }
        match place {
            Place::Tcp(address) => TcpListener::bind(address).map(Self::Tcp),
            Place::Unix(path) => {
                remove_stale(path)?;
                let listener = UnixListener::bind(path)?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
                Ok(Self::Unix(listener))
            }
        }
    }

    /// Where it listens, with the port that the system chose if 0 was asked for.
    pub(crate) fn place(&self) -> io::Result<Place> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Place::Tcp),
            Self::Unix(listener) => {
                let address = listener.local_addr()?;
                Ok(Place::Unix(address.as_pathname().map(Path::to_owned).unwrap_or_default()))
            }
        }
    }

    /// A second descriptor of the socket, which stays open when another program takes the place of this one.
    pub(super) fn lasting(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(listener) => lasting(listener),
            Self::Unix(listener) => lasting(listener),
        }
    }

    /// The next client. A signal that interrupts ends the call.
    pub(super) fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let stream = TcpStream::from(accept_with(listener, SocketFlags::CLOEXEC)?);
                // Without it the second of two small writes would wait for the client's acknowledgement; where it
                // cannot be set the reply is only later.
                _ = stream.set_nodelay(true);
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener) => Ok(Stream::Unix(UnixStream::from(accept_with(listener, SocketFlags::CLOEXEC)?))),
        }
    }

    /// Takes no more clients: whoever waits in [`Listener::accept`] comes back with an error.
    pub(super) fn stop(&self) {
        // It fails where it is stopped already.
        _ = match self {
            Self::Tcp(listener) => shutdown(listener, rustix::net::Shutdown::Both),
            Self::Unix(listener) => shutdown(listener, rustix::net::Shutdown::Both),
        };
    }
}

/// Removes the socket file of a process that is gone; what is no socket, or still answers, is left alone.
fn remove_stale(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => Err(io::ErrorKind::AlreadyExists.into()),
        Ok(_) if UnixStream::connect(path).is_ok() => Err(io::ErrorKind::AddrInUse.into()),
        Ok(_) => std::fs::remove_file(path),
    }
}

/// A connection of either kind.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl Stream {
    /// The address at the other end, if it is one of a network.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok().map(|peer| peer.ip()),
            Self::Unix(_) => None,
        }
    }

    /// Reads what is there, or waits for it as long as [`Stream::set_read_timeout`] says.
    pub(super) fn read(&self, space: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => (&mut &*stream).read(space),
            Self::Unix(stream) => (&mut &*stream).read(space),
        }
    }

    pub(super) fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => (&mut &*stream).write_all(bytes),
            Self::Unix(stream) => (&mut &*stream).write_all(bytes),
        }
    }

    pub(super) fn set_read_timeout(&self, span: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(span)),
            Self::Unix(stream) => stream.set_read_timeout(Some(span)),
        }
    }

    pub(super) fn set_write_timeout(&self, span: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_write_timeout(Some(span)),
            Self::Unix(stream) => stream.set_write_timeout(Some(span)),
        }
    }

    /// Ends the sending side.
    pub(super) fn end_sending(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    /// Ends both sides: whoever reads from it or writes to it comes back.
    pub(super) fn end(&self) {
        // It fails where the other side has ended it already.
        _ = self.shutdown(Shutdown::Both);
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
        }
    }
}
