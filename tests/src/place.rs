//! A place for a test: its own folder and its own ports.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

/// Ports are taken from below the range from which the system takes those of outgoing connections, so that none of
/// those comes between.
const PORTS: std::ops::Range<u32> = 12_000..32_000;

/// A folder that the users of mail servers can reach, removed with everything in it when it is dropped; kept, with its
/// path told, when the variable `RATTER_TESTS_KEEP` is set.
#[derive(Debug)]
pub struct Place(TempDir);

impl Place {
    /// A new empty folder. It lies in `/tmp`, whatever `TMPDIR` says, because Dovecot's processes run as users of
    /// their own and a socket's path must be short.
    pub fn new(name: &str) -> Self {
        let mut dir = tempfile::Builder::new()
            .prefix(&format!("ratter-{name}-"))
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir_in("/tmp")
            .expect("a folder in /tmp");
        dir.disable_cleanup(std::env::var_os("RATTER_TESTS_KEEP").is_some());
        Self(dir)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file or folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A loopback port on which nobody listens, neither by TCP nor by UDP, and which no other test of this process gets.
pub fn free_port() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in PORTS {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        // Test programs that run at the same time begin at different places.
        let offset = (std::process::id().wrapping_mul(211).wrapping_add(step)) % (PORTS.end - PORTS.start);
        let port = u16::try_from(PORTS.start + offset).expect("the range lies below 65536");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            // A program that another test starts at this very moment has the two sockets too, until it becomes that
            // program and they are closed.
            std::thread::sleep(Duration::from_millis(5));
            return address;
        }
    }
    panic!("no port of {PORTS:?} is free");
}
