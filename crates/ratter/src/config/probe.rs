//! The questions that a configuration raises about the machine it is for: files, folders, ports, time zones.

use core::net::SocketAddr;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use gates::io::Place;
use rustix::fs::{Access, access};

use super::listeners::Listening;

/// What a listener speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// TCP alone.
    Tcp,
    /// UDP alone.
    Udp,
    /// TCP and UDP on the same port, as DNS does.
    TcpAndUdp,
}

/// What the loader asks of the machine.
pub trait Probe {
    /// The bytes of a small file; one that is longer than `bytes_max` is an error of kind `FileTooLarge`.
    fn read(&self, path: &Path, bytes_max: usize) -> io::Result<Vec<u8>>;

    /// Whether only the owner and the group of the file at `path` can read it.
    fn is_private(&self, path: &Path) -> io::Result<bool>;

    /// Whether the log file at `path` can be followed: it can be read; or there is none yet, and its folder can be
    /// watched. The answer says whether the file is there.
    fn can_follow(&self, path: &Path) -> io::Result<bool>;

    /// Whether files can be made in the folder at `path`, or the folder itself if there is none yet.
    fn can_write_dir(&self, path: &Path) -> io::Result<()>;

    /// Whether files can be made in the folder at `path`, which must be there: nobody makes it.
    fn can_write_in(&self, path: &Path) -> io::Result<()>;

    /// Whether a listener can have `address`.
    fn can_bind(&self, address: SocketAddr, transport: Transport) -> io::Result<()>;

    /// Whether a listener can have a unix socket at `path`.
    fn can_bind_unix(&self, path: &Path) -> io::Result<()>;

    /// Whether the system knows the time zone.
    fn knows_time_zone(&self, name: &str) -> bool;
}

/// The machine itself.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    /// What is tried of where something shall listen.
    pub tries: Tries<'a>,
}

/// What is tried of where something shall listen.
#[derive(Clone, Copy, Debug)]
pub enum Tries<'a> {
    /// Nothing: the node that has it may be running.
    Nothing,
    /// Ports. Not unix sockets, whose folders may be made by what starts the node.
    Ports,
    /// Nor the files that a node reads and the folders in which it writes: no node is meant.
    NotEvenFiles,
    /// By the running node itself: what it does not hold yet.
    Beside(&'a [Listening]),
}

impl Tries<'_> {
    /// Whether the node listens there, or where it keeps others from listening.
    fn holds(self, wanted: &Listening) -> bool {
        match self {
            Self::Nothing | Self::NotEvenFiles | Self::Ports => false,
            Self::Beside(held) => held.iter().any(|held| held.is_in_the_way_of(wanted)),
        }
    }
}

impl Probe for Machine<'_> {
    #[expect(clippy::disallowed_methods, reason = "the one place of the loader that reads files")]
    fn read(&self, path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
        // A pipe would be waited for until somebody writes to it; what a shell hands over (`<(…)`) is one that is written.
        if path.metadata()?.file_type().is_fifo() && !path.starts_with("/dev/fd") {
            return Err(io::Error::other("it is a pipe"));
        }
        let mut bytes = Vec::new();
        // One byte more than allowed tells a file of just that length from a longer one.
        File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > bytes_max { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    }

    fn is_private(&self, path: &Path) -> io::Result<bool> {
        // The last three bits are those of others.
        Ok(path.metadata()?.permissions().mode().trailing_zeros() >= 3)
    }

    fn can_follow(&self, path: &Path) -> io::Result<bool> {
        if matches!(self.tries, Tries::NotEvenFiles) {
            return Ok(true);
        }
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => access(path, Access::READ_OK).map(|()| true).map_err(Into::into),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                access(folder_of(path), Access::READ_OK | Access::EXEC_OK).map(|()| false).map_err(Into::into)
            }
            Err(error) => Err(error),
        }
    }

    fn can_write_dir(&self, path: &Path) -> io::Result<()> {
        if matches!(self.tries, Tries::NotEvenFiles) {
            return Ok(());
        }
        // The nearest folder that is there decides, because the others are made in it.
        for folder in path.ancestors() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            match folder.metadata() {
                Ok(metadata) if !metadata.is_dir() => return Err(io::ErrorKind::NotADirectory.into()),
                Ok(_) => return access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(Into::into),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    fn can_write_in(&self, path: &Path) -> io::Result<()> {
        if matches!(self.tries, Tries::NotEvenFiles) {
            return Ok(());
        }
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        if !path.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        access(path, Access::WRITE_OK | Access::EXEC_OK).map_err(Into::into)
    }

    fn can_bind(&self, address: SocketAddr, transport: Transport) -> io::Result<()> {
        let wanted = Listening { place: Place::Tcp(address), transport };
        if matches!(self.tries, Tries::Nothing | Tries::NotEvenFiles) || self.tries.holds(&wanted) {
            return Ok(());
        }
        if transport != Transport::Udp {
            TcpListener::bind(address)?;
        }
        if transport != Transport::Tcp {
            UdpSocket::bind(address)?;
        }
        Ok(())
    }

    fn can_bind_unix(&self, path: &Path) -> io::Result<()> {
        let wanted = Listening { place: Place::Unix(path.to_owned()), transport: Transport::Tcp };
        if matches!(self.tries, Tries::Nothing | Tries::NotEvenFiles | Tries::Ports) || self.tries.holds(&wanted) {
            return Ok(());
        }
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(there) if !there.file_type().is_socket() => return Err(io::ErrorKind::AlreadyExists.into()),
            Ok(_) if UnixStream::connect(path).is_ok() => return Err(io::ErrorKind::AddrInUse.into()),
            Ok(_) => {}
        }
        self.can_write_in(folder_of(path))
    }

    fn knows_time_zone(&self, name: &str) -> bool {
        jiff::tz::TimeZone::get(name).is_ok()
    }
}

/// The folder a file is in; that of a bare name is the current one.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}
