//! Which autonomous system an address belongs to, by a file in `MaxMind`'s format (`asn-file` in `[node]`): `GeoLite2-ASN` and
//! those of others. It is read into memory, and again when it is another.
#![expect(clippy::disallowed_methods, reason = "the node reads the files that it is given")]

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use base::Address;
use maxminddb::Reader;
use rules::Systems;
use serde::Deserialize;
use tracing::{info, warn};

/// Longest file that is read; the usual ones have ten million bytes.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// The part of an entry that is of use.
#[derive(Deserialize)]
struct Entry {
    autonomous_system_number: Option<u32>,
}

/// A file, with what it said when it was read last.
#[derive(Debug)]
pub(super) struct SystemsFile {
    path: PathBuf,
    reader: RwLock<Option<Reader<Vec<u8>>>>,
    /// When the file was written that was looked at last, and how long it was.
    seen: Mutex<Option<(SystemTime, u64)>>,
}

impl SystemsFile {
    /// Of the file, which is read if it is there; what is wrong with it is told.
    pub(super) fn open(path: PathBuf) -> Arc<Self> {
        let file = Self { path, reader: RwLock::default(), seen: Mutex::default() };
        file.look();
        if file.reader.read().is_ok_and(|reader| reader.is_none()) {
            warn!(file = %file.path.display(), "the file of autonomous systems is not read: nobody is counted by them");
        }
        Arc::new(file)
    }

    /// Reads the file if it is another. One that cannot be read keeps what it said before.
    pub(super) fn look(&self) {
        let now = fs::metadata(&self.path).and_then(|meta| Ok((meta.modified()?, meta.len()))).ok();
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if now.is_none() || *seen == now {
                return;
            }
            *seen = now;
        }
        match self.read() {
            Ok(reader) => {
                info!(file = %self.path.display(), "autonomous systems read");
                *self.reader.write().unwrap_or_else(PoisonError::into_inner) = Some(reader);
            }
            Err(error) => {
                warn!(file = %self.path.display(), %error, "autonomous systems cannot be read: what was read before holds");
            }
        }
    }

    fn read(&self) -> io::Result<Reader<Vec<u8>>> {
        let mut bytes = Vec::new();
        File::open(&self.path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Reader::from_source(bytes).map_err(io::Error::other)
    }
}

impl Systems for SystemsFile {
    fn system_of(&self, address: Address) -> Option<u32> {
        let reader = self.reader.read().unwrap_or_else(PoisonError::into_inner);
        let entry: Entry = reader.as_ref()?.lookup(address.ip()).ok()?.decode().ok()??;
        entry.autonomous_system_number
    }
}

#[cfg(test)]
mod tests;
