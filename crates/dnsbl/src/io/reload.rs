//! Zones from files: read when they change, built aside, compared with what is served, and swapped. What is served is copied
//! aside, so that a start that finds the files faulty goes on with it.

use core::net::{IpAddr, Ipv4Addr};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use base::{Address, Timestamp};

use super::copies::Copies;
use super::files::{Stamp, read_whole, stamp};
use crate::datasets::{self, Fault, Header, Kind, Options, Report, Source, UnpackError, at_end, line_that_lists};
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
    /// By how many percent it may have more entries than the old one, where that has [`SMALL_MAX`] or more.
    pub grow_percent_max: u32,
    /// Whether it may list more than half of all IPv4 addresses from which somebody can send.
    pub may_be_wide: bool,
    /// Whether it may lose the test entry 127.0.0.2, or gain 127.0.0.1, by which clients know a list that is not to be
    /// used (RFC 5782 sections 5 and 7).
    pub may_break_tests: bool,
}

impl Default for Gates {
    fn default() -> Self {
        Self { shrink_percent_max: 50, grow_percent_max: 100, may_be_wide: false, may_break_tests: false }
    }
}

/// Lists with fewer entries may grow as they like: somebody begins to fill them.
pub const SMALL_MAX: usize = 1000;

/// Half of the IPv4 addresses from which somebody can send, those below 224.0.0.0.
const SENDERS_MAX: u64 = 112 << 24;

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
    /// The files have no fault, but their zone may not change like that; see [`Gates`].
    #[error("error: {0}")]
    Gate(Box<Fault>),
}

/// Why a content may not take the place of the one before.
enum Why {
    Shrunk { before: usize, after: usize },
    Grown { before: usize, after: usize },
    ListsTheWorld,
    LosesTest,
    ListsLocalhost,
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
    /// The copy was wanted at the start.
    is_recalled: bool,
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
        let is_first = core::mem::take(&mut self.is_new);
        if is_first {
            self.recall(now, &mut reloaded);
        }
        let changed: Vec<bool> = self.datasets.iter_mut().map(|watched| watched.poll(now, &mut reloaded)).collect();
        for zone in &mut self.zones {
            if !zone.places.iter().any(|place| changed[*place]) {
                continue;
            }
            match zone.load(&self.statics, &self.datasets, &changed, now) {
                Some(Ok(entries)) => reloaded.zones.push((zone.files.name.clone(), entries)),
                Some(Err(error)) => reloaded.errors.push(error),
                None => {}
            }
        }
        if is_first {
            self.check_copies(&mut reloaded);
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
        let mut is_changed = Vec::with_capacity(self.datasets.len());
        for watched in &mut self.datasets {
            is_changed.push(watched.compare(copies).unwrap_or_else(|error| {
                reloaded.errors.push(error);
                false
            }));
        }
        for zone in &mut self.zones {
            if !zone.places.iter().any(|place| is_changed[*place]) {
                continue;
            }
            for place in &zone.places {
                if let Err(error) = self.datasets[*place].recall(copies, now) {
                    reloaded.errors.push(error);
                }
            }
            let loaded = zone.load(&self.statics, &self.datasets, &is_changed, now);
            zone.is_copy = loaded.is_some_and(|loaded| loaded.is_ok());
            zone.fault = None;
        }
    }

    /// Reads the copies that nobody needed, now that everything is served: one that is damaged is told while the files are
    /// there, and written anew.
    fn check_copies(&mut self, reloaded: &mut Reloaded) {
        let Some(copies) = &self.copies else { return };
        for watched in self.datasets.iter_mut().filter(|watched| !watched.copied.is_empty()) {
            if let Err(fault) = copies.check(&watched.files) {
                watched.copied.clear();
                // A copy that was needed has been told of.
                if !watched.is_recalled {
                    reloaded.errors.push(watched.cannot_recall(fault.to_string()));
                }
            }
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

    /// The zones of which the files that are served cannot be copied for the next start, and why.
    pub fn uncopied(&self) -> impl Iterator<Item = (&Name, &str)> {
        self.zones.iter().filter_map(|zone| {
            let fault = zone.places.iter().find_map(|place| self.datasets[*place].copy_fault.as_deref())?;
            Some((&zone.files.name, fault))
        })
    }
}

impl Zone {
    /// Makes a content of what is compiled, and serves it if it may take the place of the old one. Returns the number of its
    /// entries; nothing while a dataset is missing. `changed` says which datasets are new.
    fn load(
        &mut self,
        statics: &Statics,
        datasets: &[Watched],
        changed: &[bool],
        now: Timestamp,
    ) -> Option<Result<usize, ReloadError>> {
        let compiled: Option<Vec<_>> = self.places.iter().map(|place| datasets[*place].compiled.clone()).collect();
        let (files, compiled) = (&self.files, compiled?);
        let content = Content::new(&files.name, files.sharing, &compiled, &files.defaults).map_err(ReloadError::from);
        let judged = content.and_then(|content| match files.judge(statics.content(&files.name).as_deref(), &content) {
            None => Ok(content),
            Some(why) => {
                let new = self.places.iter().filter(|place| changed[**place]);
                let new: Vec<&DatasetFiles> = new.map(|place| &datasets[*place].files).collect();
                Err(ReloadError::Gate(Box::new(files.place(&why, &new, now))))
            }
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
    /// Why the new content may not take the place of the old one.
    fn judge(&self, old: Option<&Content>, new: &Content) -> Option<Why> {
        let lists = |content: &Content, last| content.lists(Address::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))));
        let may_break = self.gates.may_break_tests;
        let lists_localhost = lists(new, 1) && !may_break;
        if new.senders() > SENDERS_MAX && !self.gates.may_be_wide {
            return Some(Why::ListsTheWorld);
        }
        let Some(old) = old else { return lists_localhost.then_some(Why::ListsLocalhost) };
        let (before, after) = (old.len(), new.len());
        if before.saturating_sub(after) * 100 > before * usize::from(self.gates.shrink_percent_max) {
            Some(Why::Shrunk { before, after })
        } else if before >= SMALL_MAX
            && after.saturating_sub(before) as u64 * 100 > before as u64 * u64::from(self.gates.grow_percent_max)
        {
            Some(Why::Grown { before, after })
        } else if lists(old, 2) && !lists(new, 2) && !may_break {
            Some(Why::LosesTest)
        } else {
            (lists_localhost && !lists(old, 1)).then_some(Why::ListsLocalhost)
        }
    }

    /// Where in the new files it stands; where something is missing, that is the end of one.
    fn place(&self, why: &Why, new: &[&DatasetFiles], now: Timestamp) -> Fault {
        let zone = &self.name;
        let untested = "and clients that test it would not use it any more";
        let (message, hint) = match why {
            Why::Shrunk { before, after } => (
                format!("zone `{zone}` would have {after} entries instead of {before}"),
                "`shrink` says how much less is believed; a download may have broken off",
            ),
            Why::Grown { before, after } => (
                format!("zone `{zone}` would have {after} entries instead of {before}"),
                "`grow` says how much more is believed; it may be another list",
            ),
            Why::ListsTheWorld => (
                format!("zone `{zone}` would list more than half of all IPv4 addresses"),
                "`may-be-wide` in the configuration allows it",
            ),
            Why::LosesTest => (format!("zone `{zone}` would lose 127.0.0.2, {untested}"), "add a line `127.0.0.2`"),
            Why::ListsLocalhost => {
                (format!("zone `{zone}` would list 127.0.0.1, {untested}"), "`!127.0.0.1` leaves it out")
            }
        };
        let find = |files: &DatasetFiles| {
            let contents = files.paths.iter().map(|path| read_whole(path).ok()).collect::<Option<_>>()?;
            let contents = files.unpack(contents).ok()?;
            let sources: Vec<_> = contents.iter().map(Unpacked::source).collect();
            if matches!(why, Why::ListsLocalhost) {
                let fault = line_that_lists(Ipv4Addr::LOCALHOST, files.kind, &sources, now, files.options, &message)?;
                return Some(Fault { hint: Some(hint.into()), ..fault });
            }
            let last = sources.last().filter(|_| files.kind != Kind::Acl)?;
            Some(at_end(last, message.as_str(), hint))
        };
        new.iter().find_map(|files| find(files)).unwrap_or_else(|| {
            // They have changed again since.
            let file = new.iter().flat_map(|files| &files.paths).next().map(|path| path.display().to_string());
            let (file, hint) = (file.unwrap_or_default().into(), Some(hint.into()));
            Fault { file, line: 0, column: 1, width: 1, text: Box::default(), message: message.as_str().into(), hint }
        })
    }
}

impl Watched {
    fn new(files: DatasetFiles) -> Self {
        let (stamps, copied) = (Vec::new(), Vec::new());
        Self { files, stamps, compiled: None, fault: None, copied, is_recalled: false, copy_fault: None }
    }

    /// Looks which files were copied. Returns whether they are others now; not if there is no copy.
    fn compare(&mut self, copies: &Copies) -> Result<bool, ReloadError> {
        let stamps = copies.stamps(&self.files).map_err(|error| self.cannot_recall(error.to_string()))?;
        let Some(stamps) = stamps else { return Ok(false) };
        self.copied = stamps.into_iter().map(Some).collect();
        Ok(self.copied != self.files.stamps())
    }

    fn cannot_recall(&self, why: String) -> ReloadError {
        ReloadError::Recall { path: self.files.paths.first().cloned().unwrap_or_default(), why }
    }

    /// Takes the copy for what was read last.
    fn recall(&mut self, copies: &Copies, now: Timestamp) -> Result<(), ReloadError> {
        if core::mem::replace(&mut self.is_recalled, true) {
            return Ok(());
        }
        let copy = match copies.read(&self.files) {
            Ok(Some(copy)) => copy,
            Ok(None) => return Ok(()),
            Err(error) => return Err(self.cannot_recall(error.to_string())),
        };
        let stamps = copy.files.iter().map(|(_, stamp)| Some(*stamp)).collect();
        let (compiled, _) =
            self.files.compile(copy.files, now).map_err(|error| self.cannot_recall(error.to_string()))?;
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
        let contents = self.unpack(files)?;
        let sources: Vec<Source<'_>> = contents.iter().map(Unpacked::source).collect();
        let dataset = datasets::read(self.kind, &sources, now, self.options);
        let dataset = dataset.map_err(|report| ReloadError::Faults(Box::new(report)))?;
        Ok((Compiled::new(&dataset), dataset.report))
    }

    /// The files with these contents, which may be packed.
    fn unpack(&self, files: Vec<(Vec<u8>, Stamp)>) -> Result<Vec<Unpacked>, ReloadError> {
        let unpack = |(path, (bytes, stamp)): (&PathBuf, (Vec<u8>, Stamp))| {
            let bytes = match datasets::unpack(&bytes) {
                Ok(std::borrow::Cow::Owned(unpacked)) => unpacked,
                Ok(std::borrow::Cow::Borrowed(_)) => bytes,
                Err(source) => return Err(ReloadError::Unpack { path: path.clone(), source }),
            };
            Ok(Unpacked { name: path.display().to_string(), bytes, modified: (stamp.nanos / 1_000_000_000) as u64 })
        };
        self.paths.iter().zip(files).map(unpack).collect()
    }
}

/// The content of a file.
struct Unpacked {
    name: String,
    bytes: Vec<u8>,
    modified: u64,
}

impl Unpacked {
    fn source(&self) -> Source<'_> {
        Source { name: &self.name, bytes: &self.bytes, modified: self.modified }
    }
}

#[cfg(test)]
#[path = "reload_tests.rs"]
mod tests;
