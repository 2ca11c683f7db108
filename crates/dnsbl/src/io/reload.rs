//! Zones from files: read when they change, built aside, compared with what is served, and swapped. What is served is copied
//! aside, so that a start that finds the files faulty goes on with it.

use core::net::{IpAddr, Ipv4Addr};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use base::{Address, Timestamp};

use super::copies::Copies;
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
    /// The copy that a start would need cannot be written.
    #[error("cannot keep a copy of {}: {source}", path.display())]
    Keep {
        /// The first file of the dataset.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The copy from before the start cannot be used.
    #[error("cannot use the copy of {}: {why}", path.display())]
    Recall {
        /// The first file of the dataset.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Copies of files that belong to no zone any more cannot be removed.
    #[error("cannot remove old copies of files: {0}")]
    Forget(#[source] io::Error),
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
    copies: Option<Copies>,
    /// Nothing has been looked at yet.
    is_new: bool,
}

/// A zone of which something older than its files is served, or nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneFault<'a> {
    /// The zone.
    pub zone: &'a Name,
    /// What is wrong with its files.
    pub fault: &'a str,
    /// Whether what is served is the copy from before the start.
    pub is_copy: bool,
}

/// A zone with the places of its datasets.
#[derive(Debug)]
struct Zone {
    files: ZoneFiles,
    places: Vec<usize>,
    /// Why its newest content is not served.
    fault: Option<String>,
    /// What it serves is from copies.
    is_copy: bool,
}

/// A dataset's files with what was seen of them last.
#[derive(Debug)]
struct Watched {
    files: DatasetFiles,
    stamps: Vec<Option<Stamp>>,
    compiled: Option<Arc<Compiled>>,
    /// Why the newest files are not read.
    fault: Option<String>,
    /// What told the change of the files that are copied.
    copied: Vec<Option<Stamp>>,
    /// Why there is no newer copy, which is told once.
    copy_fault: Option<String>,
}

impl StaticFiles {
    /// The zones, of which nothing is read yet: see [`StaticFiles::poll`].
    pub fn new(zones: Vec<ZoneFiles>) -> Result<Self, StaticsError> {
        let statics = Arc::new(Statics::new(zones.iter().map(|zone| (zone.name.clone(), zone.sharing)))?);
        let mut datasets: Vec<Watched> = Vec::new();
        let mut place = |files: &DatasetFiles| {
            datasets.iter().position(|watched| watched.files == *files).unwrap_or_else(|| {
                datasets.push(Watched::new(files.clone()));
                datasets.len() - 1
            })
        };
        let zones = zones.into_iter().map(|zone| {
            let places = zone.datasets.iter().map(&mut place).collect();
            Zone { files: zone, places, fault: None, is_copy: false }
        });
        let zones = zones.collect();
        Ok(Self { statics, zones, datasets, copies: None, is_new: true })
    }

    /// The same, with a copy of what is served in `folder`, which is made if it is not there: if files are faulty, shrunk
    /// or gone when the first poll reads them, the copy is what is served on.
    #[must_use]
    pub fn with_copies(mut self, folder: PathBuf) -> Self {
        self.copies = Some(Copies::new(folder));
        self
    }

    /// What the responder answers from; it sees each change at once.
    pub const fn statics(&self) -> &Arc<Statics> {
        &self.statics
    }

    /// Reads the files that have changed since the last time, and swaps the content of their zones. It is to be called
    /// every now and then, and when somebody says that files have changed.
    pub fn poll(&mut self, now: Timestamp) -> Reloaded {
        let mut reloaded = Reloaded::default();
        if core::mem::take(&mut self.is_new) {
            self.recall(now, &mut reloaded);
        }
        let changed: Vec<bool> = self.datasets.iter_mut().map(|watched| watched.poll(now, &mut reloaded)).collect();
        for zone in &mut self.zones {
            if !zone.places.iter().any(|place| changed[*place]) {
                continue;
            }
            match zone.load(&self.statics, &self.datasets) {
                Some(Ok(entries)) => reloaded.zones.push((zone.files.name.clone(), entries)),
                Some(Err(error)) => reloaded.errors.push(error),
                None => {}
            }
        }
        self.keep(&mut reloaded);
        reloaded
    }

    /// Serves the copies of zones of which a file is not what was copied; the files are compared with that then, as
    /// with everything that is served.
    fn recall(&mut self, now: Timestamp, reloaded: &mut Reloaded) {
        let Some(copies) = &self.copies else { return };
        if let Err(error) = copies.forget_others(self.datasets.iter().map(|watched| &watched.files)) {
            reloaded.errors.push(ReloadError::Forget(error));
        }
        let is_changed: Vec<bool> = self.datasets.iter_mut().map(|watched| watched.compare(copies)).collect();
        for zone in &mut self.zones {
            if !zone.places.iter().any(|place| is_changed[*place]) {
                continue;
            }
            for place in &zone.places {
                if let Err(error) = self.datasets[*place].recall(copies, now) {
                    reloaded.errors.push(error);
                }
            }
            zone.is_copy = zone.load(&self.statics, &self.datasets).is_some_and(|loaded| loaded.is_ok());
            zone.fault = None;
        }
    }

    /// Copies the files that are served, unless a zone has refused them.
    fn keep(&mut self, reloaded: &mut Reloaded) {
        let Some(copies) = &self.copies else { return };
        for (place, watched) in self.datasets.iter_mut().enumerate() {
            let is_refused = self.zones.iter().any(|zone| zone.fault.is_some() && zone.places.contains(&place));
            if !is_refused && let Err(error) = watched.keep(copies) {
                reloaded.errors.push(error);
            }
        }
    }

    /// The zones of which something older than their files is served, or nothing, and why.
    pub fn faults(&self) -> Vec<ZoneFault<'_>> {
        let zones = self.zones.iter().filter_map(|zone| {
            let of_datasets = zone.places.iter().find_map(|place| self.datasets[*place].fault.as_deref());
            let fault = of_datasets.or(zone.fault.as_deref())?.trim_end();
            Some(ZoneFault { zone: &zone.files.name, fault, is_copy: zone.is_copy })
        });
        zones.collect()
    }
}

impl Zone {
    /// Makes a content of what is compiled, and serves it if it may take the place of the old one. Returns the number of its
    /// entries; nothing while a dataset is missing.
    fn load(&mut self, statics: &Statics, datasets: &[Watched]) -> Option<Result<usize, ReloadError>> {
        let compiled: Option<Vec<_>> = self.places.iter().map(|place| datasets[*place].compiled.clone()).collect();
        let (files, compiled) = (&self.files, compiled?);
        let content = Content::new(&files.name, files.sharing, &compiled, &files.defaults).map_err(ReloadError::from);
        let judged = content.and_then(|content| {
            files.judge(statics.content(&files.name).as_deref(), &content)?;
            Ok(content)
        });
        self.fault = judged.as_ref().err().map(ToString::to_string);
        Some(judged.map(|content| {
            let entries = content.len();
            statics.set(&files.name, Arc::new(content));
            self.is_copy = false;
            entries
        }))
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
    fn new(files: DatasetFiles) -> Self {
        let (stamps, copied) = (Vec::new(), Vec::new());
        Self { files, stamps, compiled: None, fault: None, copied, copy_fault: None }
    }

    /// Looks which files were copied. Returns whether they are others now; not if there is no copy.
    fn compare(&mut self, copies: &Copies) -> bool {
        let Some(stamps) = copies.stamps(&self.files) else { return false };
        self.copied = stamps.into_iter().map(Some).collect();
        self.copied != self.files.stamps()
    }

    /// Takes the copy for what was read last.
    fn recall(&mut self, copies: &Copies, now: Timestamp) -> Result<(), ReloadError> {
        if self.compiled.is_some() {
            return Ok(());
        }
        let failed =
            |why: String| ReloadError::Recall { path: self.files.paths.first().cloned().unwrap_or_default(), why };
        let copy = match copies.read(&self.files) {
            Ok(Some(copy)) => copy,
            Ok(None) => return Ok(()),
            Err(error) => return Err(failed(error.to_string())),
        };
        let stamps = copy.files.iter().map(|(_, stamp)| Some(*stamp)).collect();
        let (compiled, _) = self.files.compile(copy.files, now).map_err(|error| failed(error.to_string()))?;
        (self.compiled, self.stamps) = (Some(Arc::new(compiled)), stamps);
        Ok(())
    }

    /// Copies the files if they are read, and are others than those that are copied.
    fn keep(&mut self, copies: &Copies) -> Result<(), ReloadError> {
        let stamps: Option<Vec<Stamp>> = self.stamps.iter().copied().collect();
        let Some(stamps) = stamps.filter(|_| self.fault.is_none() && self.compiled.is_some()) else { return Ok(()) };
        if self.stamps == self.copied {
            return Ok(());
        }
        let fault = match copies.write(&self.files, &stamps) {
            Ok(()) => {
                (self.copied, self.copy_fault) = (self.stamps.clone(), None);
                return Ok(());
            }
            Err(fault) => fault,
        };
        // It is tried at each poll, and told once.
        if self.copy_fault.replace(fault.to_string()) == Some(fault.to_string()) {
            return Ok(());
        }
        Err(ReloadError::Keep { path: self.files.paths.first().cloned().unwrap_or_default(), source: fault })
    }

    /// Reads the files if one of them has changed. Returns whether there is a new table.
    fn poll(&mut self, now: Timestamp, reloaded: &mut Reloaded) -> bool {
        let stamps = self.files.stamps();
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
    /// What tells that the files change; nothing for one that is not there.
    fn stamps(&self) -> Vec<Option<Stamp>> {
        self.paths.iter().map(|path| stamp(path).ok()).collect()
    }

    /// Reads the files and builds their tables.
    pub fn read(&self, now: Timestamp) -> Result<(Compiled, Report), ReloadError> {
        let read = |path: &PathBuf| read_whole(path).map_err(|source| ReloadError::Read { path: path.clone(), source });
        self.compile(self.paths.iter().map(read).collect::<Result<_, _>>()?, now)
    }

    /// Builds the tables of files with these contents.
    fn compile(&self, files: Vec<(Vec<u8>, Stamp)>, now: Timestamp) -> Result<(Compiled, Report), ReloadError> {
        let mut contents = Vec::new();
        for (path, (bytes, stamp)) in self.paths.iter().zip(files) {
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
