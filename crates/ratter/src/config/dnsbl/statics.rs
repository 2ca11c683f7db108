//! `[dnsbl.static]`: zones from dataset files, as rbldnsd's command line names them.

use core::ops::{Range, RangeInclusive};
use core::time::Duration;
use std::path::{Path, PathBuf};

use ::dnsbl::datasets::Kind;

use super::super::diagnose::Fault;
use super::super::forms::{Form, Mismatch, boolean, duration, number, read_domain};
use super::super::listeners::reason;
use super::super::reader::{Placed, Section};
use super::super::words::{enumerate, nearest, shown};

/// Zones from files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statics {
    /// Each name once, in the order of the file.
    pub zones: Vec<StaticZone>,
    /// How often it is looked whether a file has changed.
    pub check: Duration,
    /// By how many percent a new content may have fewer entries than the one that it replaces.
    pub shrink_percent: u8,
    /// By how many percent it may have more of them.
    pub grow_percent: u32,
    /// Whether networks may have bits behind their length.
    pub host_bits: bool,
    /// Whether a file may be empty.
    pub may_be_empty: bool,
    /// Whether it may list whole parts of the world.
    pub may_be_wide: bool,
}

/// A zone from files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticZone {
    /// Its whole name.
    pub name: String,
    /// Its datasets: a type and the files that are read as one.
    pub datasets: Vec<(Kind, Vec<PathBuf>)>,
}

impl Statics {
    /// All files that zones are read from.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.zones.iter().flat_map(|zone| &zone.datasets).flat_map(|(_, files)| files).map(PathBuf::as_path)
    }
}

/// The titles of the warnings about a file that is not there, and about one that cannot be read.
pub(crate) fn unread(file: &Path) -> [String; 2] {
    [format!("there is no file `{}`", file.display()), format!("cannot read `{}`", file.display())]
}

/// How often files can be looked at.
const CHECK: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);

/// How often they are looked at if nothing is set: looking costs nothing, and nobody need send a signal.
const CHECK_DEFAULT: Duration = Duration::from_secs(5);

/// By how many percent a content may shrink if nothing is set, and a list by an import: more is mostly the end of a download
/// that broke off.
pub(crate) const SHRINK_DEFAULT: u8 = 50;

/// By how many percent a content may grow if nothing is set: more is mostly another file than the one that was meant.
const GROW_DEFAULT: u32 = 100;

/// Most files of one dataset.
const FILES_MAX: usize = 64;

pub(super) fn read(section: &Section<'_>) -> Statics {
    let specs = section.required_each("zones", &spec());
    let folder = section.optional("folder", &section.desk.path("/var/lib/rbldns"));
    let check = section.optional("check", &duration(CHECK));
    let shrink = section.optional("shrink", &number(0..=100));
    let grow = section.optional("grow", &number(0..=1_000_000));
    let host_bits = section.optional("host-bits", &boolean());
    let may_be_empty = section.optional("may-be-empty", &boolean());
    let may_be_wide = section.optional("may-be-wide", &boolean());

    let folder = folder.unwrap_or_else(|| section.desk.folder().to_owned());
    let mut zones: Vec<StaticZone> = Vec::new();
    let mut places = Vec::new();
    for Placed { value: Spec { zone, kind, files }, place } in specs {
        let files: Vec<PathBuf> = files.iter().map(|file| folder.join(file)).collect();
        for file in &files {
            look_at(section, file, &place);
        }
        let known = zones.iter().position(|known| known.name == zone);
        let index = known.unwrap_or_else(|| {
            zones.push(StaticZone { name: zone, datasets: Vec::new() });
            places.push(place);
            zones.len() - 1
        });
        zones[index].datasets.push((kind, files));
    }
    check_overlaps(section, &zones, &places);
    Statics {
        zones,
        check: check.unwrap_or(CHECK_DEFAULT),
        shrink_percent: shrink.unwrap_or(SHRINK_DEFAULT),
        grow_percent: grow.unwrap_or(GROW_DEFAULT),
        host_bits: host_bits.unwrap_or_default(),
        may_be_empty: may_be_empty.unwrap_or_default(),
        may_be_wide: may_be_wide.unwrap_or_default(),
    }
}

/// Reports zones within others. The inner one alone answers for names below it: that hides entries of the outer one, if those
/// can have such names.
fn check_overlaps(section: &Section<'_>, zones: &[StaticZone], places: &[Range<usize>]) {
    for (inner, place) in zones.iter().zip(places) {
        for (outer, outer_place) in zones.iter().zip(places) {
            let Some(below) = inner.name.strip_suffix(&outer.name).and_then(|below| below.strip_suffix('.')) else {
                continue;
            };
            let label = below.rsplit('.').next().unwrap_or_default();
            let is_octet = label.parse::<u8>().is_ok();
            let is_digit = label.len() == 1 && label.bytes().all(|byte| byte.is_ascii_hexdigit());
            let has_names = |(kind, _): &(Kind, _)| matches!(kind, Kind::DnSet | Kind::Generic | Kind::Combined);
            let title = format!("the zone `{}` overlaps the zone `{}`", inner.name, outer.name);
            let fault = if is_octet || is_digit || outer.datasets.iter().any(has_names) {
                let hint = format!("put its datasets into `{}`, or name it beside that", outer.name);
                let label = format!("hides what `{}` has below `{below}`", outer.name);
                Fault::error(place.clone(), title).label(label).hint(hint)
            } else {
                let label = format!("nothing of `{}` is answered below `{below}`", outer.name);
                Fault::warning(place.clone(), title).label(label)
            };
            section.desk.report(fault.also(outer_place.clone(), "the outer zone"));
        }
    }
}

/// Reports a file that cannot be read. It is waited for, whatever keeps it away: the zone may have a copy from before, and
/// everything else of the node is not to wait for a right or a mount.
fn look_at(section: &Section<'_>, file: &Path, place: &Range<usize>) {
    let [missing, unreadable] = unread(file);
    let fault = match section.desk.probe.can_follow(file) {
        Ok(true) => return,
        Ok(false) => Fault::warning(place.clone(), missing).label("the zone is not answered before it is there"),
        Err(error) => Fault::warning(place.clone(), unreadable).label(reason(&error)).hint(
            "until it can be read, the zone is answered from the copy of its last good files, if there is one"
                .to_owned(),
        ),
    };
    section.desk.report(fault);
}

/// `zone:type:file,file`, as on rbldnsd's command line.
struct Spec {
    zone: String,
    kind: Kind,
    files: Vec<String>,
}

fn spec() -> Form<'static, Spec> {
    Form::of_text("`zone:type:file,file`, as rbldnsd takes it", |text| {
        let mut parts = text.splitn(3, ':');
        let (Some(zone), Some(kind), Some(files)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Mismatch::new("not three parts with colons between them"));
        };
        if zone.is_empty() {
            return Err(Mismatch::new("no zone").hint("an `acl` for all zones is `refused` in [dnsbl.access]"));
        }
        let names = || Kind::ALL.into_iter().map(Kind::name);
        let kind = Kind::from_name(kind).ok_or_else(|| {
            let mismatch = Mismatch::new(format!("`{}` is no type of dataset", shown(kind)));
            match nearest(kind, names()) {
                Some(name) => mismatch.hint(format!("did you mean `{name}`?")),
                None => mismatch.hint(format!("known are {}", enumerate(names()))),
            }
        })?;
        let files: Vec<String> = files.split(',').map(str::to_owned).collect();
        if files.iter().any(|file| file.trim().is_empty() || file.chars().any(char::is_control)) {
            return Err(Mismatch::new("a file without a name"));
        }
        if files.len() > FILES_MAX {
            return Err(Mismatch::new(format!("more than {FILES_MAX} files")));
        }
        Ok(Spec { zone: read_domain(zone)?, kind, files })
    })
}
