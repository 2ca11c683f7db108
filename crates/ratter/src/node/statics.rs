//! The thread that looks whether the files of zones have changed.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ::console::api::FileZoneStatus;
use anyhow::{Context as _, anyhow};
use dnsbl::datasets::{Header, Options};
use dnsbl::io::{DatasetFiles, Gates, Reloaded, StaticFiles, ZoneFault, ZoneFiles};
use dnsbl::serve::{Name, Zones};
use dnsbl::statics::{Sharing, Statics};
use tracing::{error, info, warn};

use super::convert;
use super::dns::cannot_serve;
use crate::clock;
use crate::config::{self, Config};

/// The zones from files, and the thread that keeps them as the files are; it ends when this is dropped.
pub(super) struct FileZones {
    statics: Arc<Statics>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Nothing has been looked at yet.
    is_first: AtomicBool,
    is_stopped: Mutex<bool>,
    signal: Condvar,
    status: Mutex<Vec<FileZoneStatus>>,
    /// What somebody should know of zones that are served as they should be.
    warnings: Mutex<Vec<String>>,
}

impl FileZones {
    /// Reads all files once, so that the zones are there when the first question comes, and watches them from then on. What
    /// is wrong with them is told, and keeps nothing else from being served.
    /// `state` is the node's folder, where what is served is copied for the next start.
    pub(super) fn start(settings: &config::Statics, zones: &Zones, state: &Path) -> anyhow::Result<Self> {
        let mut files = static_files(settings, zones)?.with_copies(state.join("zones"));
        let (statics, shared) = (Arc::clone(files.statics()), Arc::new(Shared::new()));
        shared.look(&mut files);
        let (for_thread, pause) = (Arc::clone(&shared), settings.check);
        let thread = std::thread::Builder::new().name("dns-files".into());
        let thread = thread.spawn(move || for_thread.watch(files, pause)).context("no thread for zones from files")?;
        Ok(Self { statics, shared, thread: Some(thread) })
    }

    /// What the responder answers from.
    pub(super) fn statics(&self) -> &Arc<Statics> {
        &self.statics
    }

    /// What somebody should look at.
    pub(super) fn warnings(&self) -> Vec<String> {
        let faulty = self.status().into_iter().filter_map(|zone| Some(format!("zone {}: {}", zone.name, zone.fault?)));
        faulty.chain(self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned()).collect()
    }

    /// How the zones are.
    pub(super) fn status(&self) -> Vec<FileZoneStatus> {
        self.shared.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for FileZones {
    fn drop(&mut self) {
        *self.shared.is_stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.signal.notify_all();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so; there is nothing left to end.
            thread.join().unwrap_or_default();
        }
    }
}

impl Shared {
    fn new() -> Self {
        Self {
            is_first: AtomicBool::new(true),
            is_stopped: Mutex::default(),
            signal: Condvar::default(),
            status: Mutex::default(),
            warnings: Mutex::default(),
        }
    }

    fn watch(&self, mut files: StaticFiles, pause: Duration) {
        let mut is_stopped = self.is_stopped.lock().unwrap_or_else(PoisonError::into_inner);
        while !*is_stopped {
            is_stopped = self.signal.wait_timeout(is_stopped, pause).unwrap_or_else(PoisonError::into_inner).0;
            if !*is_stopped {
                drop(is_stopped);
                self.look(&mut files);
                is_stopped = self.is_stopped.lock().unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn look(&self, files: &mut StaticFiles) {
        let Reloaded { zones, errors, warnings } = files.poll(clock::now());
        for warning in warnings {
            warn!("{}", warning.to_string().trim_end());
        }
        for fault in errors {
            error!(
                "what is wrong in the files of one zone keeps no other from being served: {}",
                fault.to_string().trim_end()
            );
        }
        for (zone, entries) in zones {
            info!(zone = %zone, entries, "loaded");
        }
        let faults = files.faults();
        let has_nothing = |name: &Name| files.statics().content(name).is_none();
        if self.is_first.swap(false, Ordering::Relaxed) {
            for ZoneFault { zone, is_copy, .. } in &faults {
                if *is_copy {
                    error!(zone = %zone, "a copy of its files from before this start is served until they are right");
                } else if has_nothing(zone) {
                    error!(zone = %zone, "nothing of this zone is served from files until they are right; if it has no listings of the book, it answers SERVFAIL");
                }
            }
        }
        let status = |name: &Name| {
            let fault = faults.iter().find(|fault| fault.zone == name);
            let what = |is_copy| match (is_copy, has_nothing(name)) {
                (true, _) => "a copy from before the start is served",
                (false, true) => "nothing is served from files",
                (false, false) => "served as before",
            };
            FileZoneStatus {
                name: name.to_string(),
                entries: files.statics().content(name).map(|content| content.len()),
                fault: fault.map(|ZoneFault { fault, is_copy, .. }| format!("{}: {fault}", what(*is_copy))),
                is_copy: fault.is_some_and(|fault| fault.is_copy),
            }
        };
        let status = files.statics().names().map(status).collect();
        let uncopied = files.uncopied().map(|(zone, fault)| {
            format!("zone {zone}: served, but its files cannot be copied for the next start: {fault}")
        });
        *self.warnings.lock().unwrap_or_else(PoisonError::into_inner) = uncopied.collect();
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

/// The zones, of which nothing is read yet.
pub(super) fn static_files(settings: &config::Statics, zones: &Zones) -> anyhow::Result<StaticFiles> {
    StaticFiles::new(zone_files(settings, zones)?).map_err(|fault| anyhow!("[dnsbl.static]: {fault}"))
}

/// The zones with their files. One that the book has too is served from both.
fn zone_files(settings: &config::Statics, zones: &Zones) -> anyhow::Result<Vec<ZoneFiles>> {
    let config::Statics { host_bits, may_be_empty, may_be_wide, .. } = *settings;
    let options = Options { host_bits, may_be_empty, may_be_wide, ..Options::default() };
    let gates = Gates {
        shrink_percent_max: settings.shrink_percent,
        grow_percent_max: settings.grow_percent,
        may_be_wide,
        ..Gates::default()
    };
    let one = |zone: &config::StaticZone| {
        let name = Name::parse(&zone.name).map_err(|fault| anyhow!("zone `{}` {fault}", zone.name))?;
        let is_of_book = zones.names().any(|known| known.to_string().eq_ignore_ascii_case(&zone.name));
        let dataset = |(kind, paths): &(_, Vec<_>)| DatasetFiles { kind: *kind, paths: paths.clone(), options };
        Ok(ZoneFiles {
            name,
            sharing: if is_of_book { Sharing::WithBook } else { Sharing::Alone },
            datasets: zone.datasets.iter().map(dataset).collect(),
            defaults: Header::default(),
            gates,
        })
    };
    settings.zones.iter().map(one).collect()
}

/// All that is wrong with the files now, and what somebody should know of them; for `ratter check`, which serves nothing. A
/// start would find the same: it is what a first look finds.
pub(crate) fn judge_files(config: &Config) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let Some((dnsbl, settings)) = config.dnsbl.as_ref().and_then(|dnsbl| Some((dnsbl, dnsbl.statics.as_ref()?))) else {
        return Ok(Default::default());
    };
    let zones = Zones::new(&convert::dnsbl_settings(config, dnsbl)).map_err(|faults| cannot_serve(&faults))?;
    let mut files = static_files(settings, &zones)?;
    let now = clock::now();
    let Reloaded { errors, warnings, .. } = files.poll(now);
    let statics = files.statics();
    let has_expired =
        |name: &&Name| statics.content(name).and_then(|content| content.expires()).is_some_and(|end| end <= now);
    let expired = statics
        .names()
        .filter(has_expired)
        .map(|name| format!("warning: the files of zone {name} have expired: it answers SERVFAIL"));
    let warnings = warnings.iter().map(|report| report.to_string().trim_end().to_owned()).chain(expired).collect();
    Ok((errors.iter().map(|fault| fault.to_string().trim_end().to_owned()).collect(), warnings))
}
