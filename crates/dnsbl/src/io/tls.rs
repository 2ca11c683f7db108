//! The identity of the TLS listener, read anew when its files change.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use base::Timestamp;
use rustls::{ServerConfig, ServerConnection};

use super::files::{Stamp, read_whole, stamp};
use super::identity::{Identity, IdentityError};

/// Where the certificates and their key are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// Certificates (PEM), the server's own first.
    pub certificate: PathBuf,
    /// Its key (PEM).
    pub key: PathBuf,
}

/// The identity that new connections are shown. Those that are there keep the one they were shown.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    identity: ArcSwap<Identity>,
    seen: Mutex<Seen>,
}

/// What was seen of the files last.
#[derive(Debug)]
struct Seen {
    stamps: [Option<Stamp>; 2],
    /// Why they are not used.
    fault: Option<String>,
}

/// Why there is no identity, with the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// What is in a file is of no use.
    #[error("{}: {source}", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: IdentityError,
    },
}

impl Tls {
    /// Reads the files.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let stamps = files.stamps();
        let identity = ArcSwap::from_pointee(files.read()?);
        Ok(Self { files, identity, seen: Mutex::new(Seen { stamps, fault: None }) })
    }

    /// Reads the files if they have changed. Where they are of no use, the identity stays. Returns what is to be told: that there
    /// is a new identity, or why not; once for each change.
    pub fn poll(&self) -> Option<Result<(), TlsError>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = self.files.stamps();
        if stamps == seen.stamps {
            return None;
        }
        seen.stamps = stamps;
        let read = self.files.read().map(|identity| self.identity.store(Arc::new(identity)));
        seen.fault = read.as_ref().err().map(ToString::to_string);
        Some(read)
    }

    /// Why the newest files are not used, if they are not.
    pub fn fault(&self) -> Option<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).fault.clone()
    }

    /// Until when clients take the certificate in use for valid.
    pub fn ends(&self) -> Timestamp {
        self.identity.load().ends()
    }

    /// The server's end of a new connection.
    pub(super) fn connection(&self) -> Result<ServerConnection, rustls::Error> {
        let config: Arc<ServerConfig> = Arc::clone(&self.identity.load().config);
        ServerConnection::new(config)
    }
}

impl TlsFiles {
    fn stamps(&self) -> [Option<Stamp>; 2] {
        [&self.certificate, &self.key].map(|path| stamp(path).ok())
    }

    fn read(&self) -> Result<Identity, TlsError> {
        let file = |path: &PathBuf| match read_whole(path) {
            Ok((content, _)) => Ok(content),
            Err(source) => Err(TlsError::Read { path: path.clone(), source }),
        };
        let (certificates, key) = (file(&self.certificate)?, file(&self.key)?);
        Identity::of(&certificates, &key).map_err(|source| {
            let path = if matches!(source, IdentityError::Certificate(_)) { &self.certificate } else { &self.key };
            TlsError::Identity { path: path.clone(), source }
        })
    }
}
