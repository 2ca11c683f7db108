//! What files in `MaxMind`'s format tell of addresses: the autonomous system (`asn-file` in `[node]`), and the country
//! (`country-file`). They are read into memory, and again when they are others.
#![expect(clippy::disallowed_methods, reason = "the node reads the files that it is given")]

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use base::Address;
use maxminddb::{LookupResult, PathElement, Reader};
use rules::Systems;
use rules::accounts::{Geo, Located};
use tracing::{info, warn};

use crate::config::{self, Config};

/// Longest file that is read; the usual ones have ten million bytes, those that know cities a hundred.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// So many networks of each family are looked at to see whether a file tells what it is to tell.
const TRIED_MAX: usize = 10_000;

/// What a file is to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tells {
    Systems,
    Countries,
}

impl Tells {
    const fn key(self) -> &'static str {
        match self {
            Self::Systems => "asn-file",
            Self::Countries => "country-file",
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Systems => "autonomous systems",
            Self::Countries => "countries",
        }
    }

    /// What is so without such a file.
    const fn without(self) -> &'static str {
        match self {
            Self::Systems => config::WITHOUT_SYSTEMS,
            Self::Countries => config::WITHOUT_COUNTRIES,
        }
    }

    /// Whether an entry says it.
    fn is_told(self, entry: &Entry<'_>) -> bool {
        match self {
            Self::Systems => system(entry).is_some(),
            Self::Countries => country(entry).is_some(),
        }
    }
}

/// A file, with what it said when it was read last.
#[derive(Debug)]
pub(super) struct AddressFile {
    path: PathBuf,
    tells: Tells,
    reader: RwLock<Option<Reader<Vec<u8>>>>,
    seen: Mutex<Seen>,
}

/// How the file was when it was looked at last.
#[derive(Default, Debug)]
struct Seen {
    /// When it was written, and how long it was; none if it is to be read at the next look.
    stamp: Option<(SystemTime, u64)>,
    /// Why it cannot be used.
    fault: Option<String>,
}

type Entry<'a> = LookupResult<'a, Vec<u8>>;

impl AddressFile {
    /// Of the file, which is read if it is there; what is wrong with it is told.
    fn open(path: PathBuf, tells: Tells) -> Arc<Self> {
        let file = Self { path, tells, reader: RwLock::default(), seen: Mutex::default() };
        file.look();
        Arc::new(file)
    }

    /// Reads the file if it is another. One that cannot be used keeps what it said before.
    fn look(&self) {
        let stamp = stamp(&self.path);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if stamp.as_ref().is_ok_and(|stamp| seen.stamp == Some(*stamp)) {
            return;
        }
        let (file, what) = (self.path.display(), self.tells.what());
        let fault = match stamp.map(|stamp| (stamp, read(&self.path, self.tells))) {
            Ok((stamp, Ok(reader))) => {
                seen.stamp = Some(stamp);
                info!(%file, "{what} read");
                *self.reader.write().unwrap_or_else(PoisonError::into_inner) = Some(reader);
                None
            }
            Ok((stamp, Err(error))) => {
                // Who may read it can change without a change of the file.
                seen.stamp = is_of_content(&error).then_some(stamp);
                Some(reason(&error))
            }
            Err(error) => {
                seen.stamp = None;
                Some(reason(&error))
            }
        };
        if let Some(fault) = fault.as_ref().filter(|fault| seen.fault.as_ref() != Some(*fault)) {
            warn!(%file, fault, "{what} cannot be read: what was read before holds");
        }
        seen.fault = fault;
    }

    /// What people are to know of it as long as it is so.
    fn warning(&self) -> Option<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = seen.fault.as_ref()?;
        let was_read = self.reader.read().unwrap_or_else(PoisonError::into_inner).is_some();
        let then = if was_read { "what it said before holds" } else { self.tells.without() };
        Some(format!("{}; {then}", cannot_be_used(self.tells, &self.path, fault)))
    }

    /// What it says of an address.
    fn tell<T>(&self, address: Address, what: impl FnOnce(&Entry<'_>) -> Option<T>) -> Option<T> {
        let reader = self.reader.read().unwrap_or_else(PoisonError::into_inner);
        what(&reader.as_ref()?.lookup(address.ip()).ok()?)
    }
}

impl Systems for AddressFile {
    fn system_of(&self, address: Address) -> Option<u32> {
        self.tell(address, system)
    }
}

/// The files of a node.
#[derive(Clone, Default, Debug)]
pub(super) struct AddressFiles {
    systems: Option<Arc<AddressFile>>,
    countries: Option<Arc<AddressFile>>,
}

impl AddressFiles {
    /// Those that are configured, read.
    pub(super) fn open(node: &config::Node) -> Self {
        let open = |path: &Option<PathBuf>, tells| path.clone().map(|path| AddressFile::open(path, tells));
        Self { systems: open(&node.asn_file, Tells::Systems), countries: open(&node.country_file, Tells::Countries) }
    }

    /// Reads those that are others.
    pub(super) fn look(&self) {
        for file in self.all() {
            file.look();
        }
    }

    /// What is wrong with them.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.all().filter_map(|file| file.warning()).collect()
    }

    /// The file of autonomous systems.
    pub(super) fn systems(&self) -> Option<Arc<dyn Systems>> {
        self.systems.clone().map(|file| file as Arc<dyn Systems>)
    }

    /// What is known of where addresses are, if anything can be.
    pub(super) fn geo(&self) -> Option<Box<dyn Geo>> {
        let has_any = self.all().next().is_some();
        has_any.then(|| Box::new(self.clone()) as Box<dyn Geo>)
    }

    fn all(&self) -> impl Iterator<Item = &Arc<AddressFile>> {
        self.systems.iter().chain(&self.countries)
    }
}

impl Geo for AddressFiles {
    fn locate(&self, address: Address) -> Located {
        Located {
            country: self.countries.as_ref().and_then(|file| file.tell(address, country)),
            asn: self.systems.as_ref().and_then(|file| file.tell(address, system)),
        }
    }
}

/// What is wrong with what the files say now; for `ratter check`. Of those that cannot be read the configuration tells.
pub(crate) fn judge_address_files(config: &Config) -> Vec<String> {
    let files = [(&config.node.asn_file, Tells::Systems), (&config.node.country_file, Tells::Countries)];
    let fault = |(path, tells): (&Option<PathBuf>, Tells)| {
        let path = path.as_ref()?;
        let error = read(path, tells).err().filter(is_of_content)?;
        Some(format!("error: {}; {}", cannot_be_used(tells, path, &reason(&error)), tells.without()))
    };
    files.into_iter().filter_map(fault).collect()
}

fn cannot_be_used(tells: Tells, path: &Path, fault: &str) -> String {
    format!("the file `{}` of `{}` cannot be used: {fault}", path.display(), tells.key())
}

fn stamp(path: &Path) -> io::Result<(SystemTime, u64)> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.modified()?, metadata.len()))
}

/// The whole file, if it tells what it is to tell.
fn read(path: &Path, tells: Tells) -> io::Result<Reader<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let invalid = |text: String| io::Error::new(ErrorKind::InvalidData, text);
    let reader = Reader::from_source(bytes)
        .map_err(|error| invalid(format!("it is no file of MaxMind's format, or not the whole of one ({error})")))?;
    let starts = [IpAddr::V4(0.into()), IpAddr::V6(0.into())];
    if starts.into_iter().any(|start| tells_from(&reader, start, tells)) {
        return Ok(reader);
    }
    Err(invalid(format!("it tells no {}: it is of type {:?}", tells.what(), reader.metadata().database_type)))
}

/// Whether any of the first networks from there on says it. A look-up ends whatever a damaged file says; its walk of all
/// networks need not.
fn tells_from(reader: &Reader<Vec<u8>>, start: IpAddr, tells: Tells) -> bool {
    let mut at = Some(start);
    for _ in 0..TRIED_MAX {
        let Some(entry) = at.and_then(|at| reader.lookup(at).ok()) else { return false };
        if tells.is_told(&entry) {
            return true;
        }
        at = entry.network().ok().and_then(|network| match network.broadcast() {
            IpAddr::V4(last) => last.to_bits().checked_add(1).map(|next| IpAddr::V4(next.into())),
            IpAddr::V6(last) => last.to_bits().checked_add(1).map(|next| IpAddr::V6(next.into())),
        });
    }
    false
}

/// Whether it lies in what the file says, and not in reaching it.
fn is_of_content(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::FileTooLarge)
}

fn reason(error: &io::Error) -> String {
    let kind = error.kind();
    if kind == ErrorKind::FileTooLarge {
        format!("it is longer than {} MiB", FILE_BYTES_MAX >> 20)
    } else if kind == ErrorKind::InvalidData {
        error.to_string()
    } else {
        config::reason(error)
    }
}

fn system(entry: &Entry<'_>) -> Option<u32> {
    entry.decode_path(&[PathElement::Key("autonomous_system_number")]).ok()?
}

/// The country as `MaxMind` and `DB-IP` write it, or as flat files do.
fn country(entry: &Entry<'_>) -> Option<[u8; 2]> {
    let nested: &[_] = &[PathElement::Key("country"), PathElement::Key("iso_code")];
    let told = [nested, &[PathElement::Key("country_code")]].into_iter().find_map(|path| {
        let code: Option<&str> = entry.decode_path(path).ok()?;
        code
    });
    told?.as_bytes().try_into().ok().filter(|code: &[u8; 2]| code.iter().all(u8::is_ascii_uppercase))
}

#[cfg(test)]
mod mmdb;
#[cfg(test)]
mod tests;
