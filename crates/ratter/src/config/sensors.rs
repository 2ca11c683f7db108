//! `[[sensor.file]]`: log files that are followed.

use std::io;
use std::path::{Path, PathBuf};

use super::diagnose::Fault;
use super::forms::{Form, Mismatch, text, word};
use super::listeners::reason;
use super::probe::Probe;
use super::reader::{Placed, Section};

/// A log file that is followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileSensor {
    /// The file; it may not be there yet.
    pub path: PathBuf,
    /// Where reading begins when no position in it is known yet.
    pub from: Start,
    /// IANA name of the time zone of stamps without one; the system's if not given.
    pub time_zone: Option<String>,
}

/// Where reading begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// At the first line.
    Start,
    /// At the end: only what is written from now on.
    End,
}

/// Longest name of a time zone; the longest there is has 32.
const ZONE_BYTES_MAX: usize = 64;

/// The sensors of `[sensor]`. Files below `state` need not be there: the folder is made at the start.
pub(super) fn read(section: &Section<'_>, state: Option<&Path>) -> Vec<FileSensor> {
    let files = section.tables("file", |section| file(section, state));
    let files: Vec<_> = files.into_iter().flatten().collect();
    for (index, sensor) in files.iter().enumerate() {
        if let Some(first) = files[..index].iter().find(|other| other.value.path == sensor.value.path) {
            let title = format!("`{}` is followed twice", sensor.value.path.display());
            let fault = Fault::error(sensor.place.clone(), title).label("every line would count twice");
            section.desk.report(fault.also(first.place.clone(), "first here"));
        }
    }
    files.into_iter().map(|sensor| sensor.value).collect()
}

fn file(section: &Section<'_>, state: Option<&Path>) -> Option<Placed<FileSensor>> {
    let path = section.required("path", &section.desk.path("/var/log/mail.log"));
    let from = section.optional("from", &word([("start", Start::Start), ("end", Start::End)]));
    let time_zone = section.optional("time-zone", &time_zone(section.desk.probe));
    let path = path?;
    if !state.is_some_and(|state| path.starts_with(state)) {
        match section.desk.probe.can_follow(&path) {
            Ok(true) => {}
            Ok(false) => {
                let fault = Fault::warning(section.place("path"), format!("`{}` is not there", path.display()));
                section.desk.report(fault.label("waited for until it is"));
            }
            Err(error) => {
                let fault = section.wrong("path", format!("`{}` cannot be followed", path.display()));
                section.desk.report(fault.label(reason(&error)).hint(follow_hint(&error)));
            }
        }
    }
    let place = section.place("path");
    Some(Placed { value: FileSensor { path, from: from.unwrap_or(Start::End), time_zone }, place })
}

fn follow_hint(error: &io::Error) -> Option<String> {
    let kind = error.kind();
    let hint = if kind == io::ErrorKind::NotFound {
        "the folder must be there; the file may come later"
    } else if kind == io::ErrorKind::PermissionDenied {
        "the user that Ratter runs as wants to be in the file's group, often `adm`"
    } else if kind == io::ErrorKind::IsADirectory {
        "name the file in it"
    } else {
        return None;
    };
    Some(hint.into())
}

fn time_zone(probe: &dyn Probe) -> Form<'_, String> {
    let name = text("a time zone of the system, such as `Europe/Berlin`", ZONE_BYTES_MAX);
    Form::of_text(name.wants.clone(), move |given| {
        let given = (name.read)(&toml::de::DeValue::String(given.into()))?;
        if probe.knows_time_zone(&given) {
            Ok(given)
        } else {
            Err(Mismatch::new("not known to this system").hint("`timedatectl list-timezones` shows those that are"))
        }
    })
}
