//! `[[action.export]]`: files of whole lists, written anew while they change.

use core::ops::{Range, RangeInclusive};
use core::time::Duration;
use std::path::PathBuf;

use base::ListId;
use dnsbl::datasets::Form;

use super::actions::{ACTIONS_MAX, MapFile, any_list, check_path};
use super::diagnose::Fault;
use super::dnsbl::Statics;
use super::forms::{duration, name, word};
use super::lists::Lists;
use super::reader::Section;

/// How often a list that changes all the time is written.
const EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(7 * 24);

/// How often if nobody says.
const EVERY_DEFAULT: Duration = Duration::from_mins(5);

/// A file that has a whole list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExportFile {
    /// Its name in `ratter status` and in metrics.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Which list.
    pub list: ListId,
    /// How it is written.
    pub form: Form,
    /// The least time from one file to the next.
    pub every: Duration,
    /// Where the path stands in the configuration.
    pub place: Range<usize>,
}

/// Reads them; their names are none of the maps', and no two files are one.
pub(super) fn read(
    section: &Section<'_>,
    lists: &Lists,
    maps: &[MapFile],
    statics: Option<&Statics>,
) -> Vec<ExportFile> {
    let drafts =
        section.tables("export", |section| (section.place("name"), section.place("path"), export_file(section, lists)));
    let mut taken = Vec::<(Range<usize>, ExportFile)>::new();
    for (at_name, at_path, export) in drafts {
        let Some(export) = export else { continue };
        let mut names = maps.iter().map(|map| &map.name).chain(taken.iter().map(|(_, other)| &other.name));
        if names.any(|name| *name == export.name) {
            let fault = Fault::error(at_name.clone(), format!("two actions named `{}`", export.name));
            section.desk.report(fault.label("the second"));
        }
        let mut paths = maps.iter().map(|map| &map.path).chain(taken.iter().map(|(_, other)| &other.path));
        if paths.any(|path| *path == export.path) {
            section.desk.report(Fault::error(at_path.clone(), "two actions write one file").label("the second"));
        }
        if statics.is_some_and(|statics| statics.files().any(|file| file == export.path)) {
            let fault = Fault::error(at_path, "an export would replace a file of [dnsbl.static]");
            section.desk.report(fault.label("a zone is read from it"));
        }
        taken.push((at_name, export));
    }
    if let Some((place, _)) = taken.get(ACTIONS_MAX) {
        let fault = Fault::error(place.clone(), format!("more than {ACTIONS_MAX} exports"));
        section.desk.report(fault.label("one too many"));
    }
    taken.into_iter().map(|(_, export)| export).collect()
}

fn export_file(section: &Section<'_>, lists: &Lists) -> Option<ExportFile> {
    let name = section.required("name", &name());
    let path = section.required("path", &section.desk.path("/var/lib/ratter-lists/auth.ip4set"));
    let list = section.required("list", &any_list(lists));
    let form = section.required("format", &word(Form::ALL.map(|form| (form.name(), form))));
    let every = section.optional("every", &duration(EVERY));
    let path = path?;
    check_path(section, &path);
    let there = section.desk.probe.can_follow(&path);
    if there.is_err_and(|error| error.kind() == std::io::ErrorKind::IsADirectory) {
        section.desk.report(section.wrong("path", "an export is a file").label("a folder"));
    }
    let (every, place) = (every.unwrap_or(EVERY_DEFAULT), section.place("path"));
    Some(ExportFile { name: name?, path, list: list?, form: form?, every, place })
}
