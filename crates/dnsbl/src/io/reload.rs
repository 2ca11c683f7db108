//! Zones from files: read when they change, built aside, compared with what is served, and swapped.

use core::net::{IpAddr, Ipv4Addr};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use base::{Address, Timestamp};

use super::files::{Stamp, read_whole, stamp};
use crate::datasets::{self, Header, Kind, Options, Report, Source, UnpackError};
use crate::serve::Name;
use crate::statics::{Compiled, Content, ContentError, Sharing, Statics, StaticsError};

/// A zone and its files.
#[derive(Clone, Debug)]
pub struct ZoneFiles {
    /// The zone's name.
    pub name: Name,
    /// Whether the book has a part in it.
    pub sharing: Sharing,
    /// Its datasets, asked in this order.
    pub datasets: Vec<DatasetFiles>,
    /// SOA and name servers where the files have none.
    pub defaults: Header,
    /// What new files are measured by.
    pub gates: Gates,
}

/// A dataset: its type and its files, read as if they were one. Zones with the same one share its tables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DatasetFiles {
    /// The type.
    pub kind: Kind,
    /// The files.
    pub paths: Vec<PathBuf>,
    /// How strictly they are read.
    pub options: Options,
}

/// When a new content is refused although its files are without fault, and the old one is served on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gates {
    /// By how many percent it may have fewer entries than the old one; 100 allows everything.
    pub shrink_percent_max: u8,
    /// Whether it may lose the test entry 127.0.0.2, or gain 127.0.0.1, by which clients know a list that is not to be
    /// used (RFC 5782 sections 5 and 7).
    pub may_break_tests: bool,
}

impl Default for Gates {
    fn default() -> Self {
        Self { shrink_percent_max: 50, may_break_tests: false }
    }
}

/// Why the old content is served on, or none at all.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A packed file is damaged.
    #[error("cannot read {}: {source}", path.display())]
    Unpack {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: UnpackError,
    },
    /// Files have faults.
    #[error("{0}")]
    Faults(Box<Report>),
    /// The datasets make no zone.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// Too many entries are gone.
    #[error("zone `{zone}` would have {after} entries instead of {before}")]
    Shrunk {
        /// The zone.
        zone: String,
        /// Entries served.
        before: usize,
        /// Entries of the new files.
        after: usize,
    },
    /// A test entry is not as it was.
    #[error("zone `{zone}` would {what}, and clients that test it would not use it any more")]
    Tests {
        /// The zone.
        zone: String,
        /// `lose 127.0.0.2` or `list 127.0.0.1`.
        what: &'static str,
    },
}

/// What a poll found.
#[derive(Debug, Default)]
pub struct Reloaded {
    /// Zones with a new content, with the number of its entries.
    pub zones: Vec<(Name, usize)>,
    /// What was refused. It is told once for each change of the files.
    pub errors: Vec<ReloadError>,
    /// What was passed over in files that are served now.
    pub warnings: Vec<Report>,
}

/// The files of all zones, and what became of them.
#[derive(Debug)]
pub struct StaticFiles {
    statics: Arc<Statics>,
    zones: Vec<Zone>,
    datasets: Vec<Watched>,
}

/// A zone with the places of its datasets.
#[derive(Debug)]
struct Zone {
    files: ZoneFiles,
    places: Vec<usize>,
    /// Why its newest content is not served.
    fault: Option<String>,
}

/// A dataset's files with what was seen of them last.
#[derive(Debug)]
struct Watched {
    files: DatasetFiles,
    stamps: Vec<Option<Stamp>>,
    compiled: Option<Arc<Compiled>>,
    /// Why the newest files are not read.
    fault: Option<String>,
}

impl StaticFiles {
    /// The zones, of which nothing is read yet: see [`StaticFiles::poll`].
    pub fn new(zones: Vec<ZoneFiles>) -> Result<Self, StaticsError> {
        let statics = Arc::new(Statics::new(zones.iter().map(|zone| (zone.name.clone(), zone.sharing)))?);
        let mut datasets: Vec<Watched> = Vec::new();
        let mut place = |files: &DatasetFiles| {
            datasets.iter().position(|watched| watched.files == *files).unwrap_or_else(|| {
                datasets.push(Watched { files: files.clone(), stamps: Vec::new(), compiled: None, fault: None });
                datasets.len() - 1
            })
        };
        let zones = zones.into_iter().map(|zone| {
            let places = zone.datasets.iter().map(&mut place).collect();
            Zone { files: zone, places, fault: None }
        });
        let zones = zones.collect();
        Ok(Self { statics, zones, datasets })
    }

    /// What the responder answers from; it sees each change at once.
    pub const fn statics(&self) -> &Arc<Statics> {
        &self.statics
    }

    /// Reads the files that have changed since the last time, and swaps the content of their zones. It is to be called
    /// every now and then, and when somebody says that files have changed.
    pub fn poll(&mut self, now: Timestamp) -> Reloaded {
        let mut reloaded = Reloaded::default();
        let changed: Vec<bool> = self.datasets.iter_mut().map(|watched| watched.poll(now, &mut reloaded)).collect();
        for Zone { files: zone, places, fault } in &mut self.zones {
            if !places.iter().any(|place| changed[*place]) {
                continue;
            }
            let compiled: Option<Vec<_>> = places.iter().map(|place| self.datasets[*place].compiled.clone()).collect();
            let Some(compiled) = compiled else { continue };
            let content = Content::new(&zone.name, zone.sharing, &compiled, &zone.defaults).map_err(ReloadError::from);
            let judged = content.and_then(|content| {
                zone.judge(self.statics.content(&zone.name).as_deref(), &content)?;
                Ok(content)
            });
            *fault = judged.as_ref().err().map(ToString::to_string);
            match judged {
                Ok(content) => {
                    reloaded.zones.push((zone.name.clone(), content.len()));
                    self.statics.set(&zone.name, Arc::new(content));
                }
                Err(error) => reloaded.errors.push(error),
            }
        }
        reloaded
    }

    /// The zones of which something older than their files is served, or nothing, and why.
    pub fn faults(&self) -> Vec<(&Name, &str)> {
        let zones = self.zones.iter().filter_map(|zone| {
            let of_datasets = zone.places.iter().find_map(|place| self.datasets[*place].fault.as_deref());
            Some((&zone.files.name, of_datasets.or(zone.fault.as_deref())?))
        });
        zones.map(|(name, fault)| (name, fault.trim_end())).collect()
    }
}

impl ZoneFiles {
    /// Whether the new content may take the place of the old one.
    fn judge(&self, old: Option<&Content>, new: &Content) -> Result<(), ReloadError> {
        let zone = || self.name.to_string();
        let lists = |content: &Content, last| content.lists(Address::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))));
        let Some(old) = old else {
            let is_wrong = lists(new, 1) && !self.gates.may_break_tests;
            return if is_wrong { Err(ReloadError::Tests { zone: zone(), what: "list 127.0.0.1" }) } else { Ok(()) };
        };
        let (before, after) = (old.len(), new.len());
        if before.saturating_sub(after) * 100 > before * usize::from(self.gates.shrink_percent_max) {
            return Err(ReloadError::Shrunk { zone: zone(), before, after });
        }
        let what = if lists(old, 2) && !lists(new, 2) {
            "lose 127.0.0.2"
        } else if lists(new, 1) && !lists(old, 1) {
            "list 127.0.0.1"
        } else {
            return Ok(());
        };
        if self.gates.may_break_tests { Ok(()) } else { Err(ReloadError::Tests { zone: zone(), what }) }
    }
}

impl Watched {
    /// Reads the files if one of them has changed. Returns whether there is a new table.
    fn poll(&mut self, now: Timestamp, reloaded: &mut Reloaded) -> bool {
        let stamps: Vec<Option<Stamp>> = self.files.paths.iter().map(|path| stamp(path).ok()).collect();
        if stamps == self.stamps {
            return false;
        }
        self.stamps = stamps;
        match self.files.read(now) {
            Ok((compiled, warnings)) => {
                if !warnings.warnings.is_empty() {
                    reloaded.warnings.push(warnings);
                }
                self.compiled = Some(Arc::new(compiled));
                self.fault = None;
                true
            }
            Err(error) => {
                if matches!(error, ReloadError::Read { .. }) {
                    // It may be readable the next time without another change.
                    self.stamps.clear();
                }
                // A file that is missing is tried at each poll, and told once.
                let fault = Some(error.to_string());
                if self.fault != fault {
                    self.fault = fault;
                    reloaded.errors.push(error);
                }
                false
            }
        }
    }
}

impl DatasetFiles {
    /// Reads the files and builds their tables.
    pub fn read(&self, now: Timestamp) -> Result<(Compiled, Report), ReloadError> {
        let mut contents = Vec::new();
        for path in &self.paths {
            let (bytes, stamp) = read_whole(path).map_err(|source| ReloadError::Read { path: path.clone(), source })?;
            let bytes = match datasets::unpack(&bytes) {
                Ok(std::borrow::Cow::Owned(unpacked)) => unpacked,
                Ok(std::borrow::Cow::Borrowed(_)) => bytes,
                Err(source) => return Err(ReloadError::Unpack { path: path.clone(), source }),
            };
            contents.push((path.display().to_string(), bytes, (stamp.nanos / 1_000_000_000) as u64));
        }
        let sources: Vec<Source<'_>> =
            contents.iter().map(|(name, bytes, modified)| Source { name, bytes, modified: *modified }).collect();
        let dataset = datasets::read(self.kind, &sources, now, self.options);
        let dataset = dataset.map_err(|report| ReloadError::Faults(Box::new(report)))?;
        Ok((Compiled::new(&dataset), dataset.report))
    }
}

#[cfg(test)]
#[path = "reload_tests.rs"]
mod tests;
