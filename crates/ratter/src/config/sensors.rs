//! `[[sensor.file]]`, `[[sensor.journal]]` and `[[sensor.syslog]]`: where lines come from.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io;
use std::path::{Path, PathBuf};

use base::Network;

use super::diagnose::Fault;
use super::dovecot::{Secret, secret};
use super::forms::{Form, Mismatch, name, network, socket, text, word};
use super::listeners::reason;
use super::probe::{Probe, Transport};
use super::reader::{Placed, Section};

/// A log file that is followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileSensor {
    /// The file, which may not be there yet; or a pattern of names in one folder.
    pub path: PathBuf,
    /// Where reading begins when no position in it is known yet.
    pub from: Start,
    /// IANA name of the time zone of stamps without one; the system's if not given.
    pub time_zone: Option<String>,
    /// The daemon whose log it is, where lines do not name it.
    pub service: Option<String>,
}

/// Where reading begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// At the first line.
    Start,
    /// At the end: only what is written from now on.
    End,
}

/// A systemd journal that is followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Journal {
    /// Its name among the sensors.
    pub name: String,
    /// The units whose entries are read; empty for all.
    pub units: Vec<String>,
    /// The folder of its files; the system's own journal if not given.
    pub directory: Option<PathBuf>,
    /// Where reading begins when no place in it is known yet.
    pub from: Start,
}

impl Journal {
    /// What it is called where files have a path.
    pub fn path(&self) -> String {
        format!("journal:{}", self.name)
    }
}

/// A listener for syslog messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Syslog {
    /// Its name among the sensors.
    pub name: String,
    /// Where it listens by UDP.
    pub udp: Option<SocketAddr>,
    /// Where it listens by TCP.
    pub tcp: Option<SocketAddr>,
    /// The unix datagram socket at which it listens.
    pub unix: Option<PathBuf>,
    /// Who may send over the network.
    pub allow: Vec<Network>,
    /// IANA name of the time zone of stamps without one; the system's if not given.
    pub time_zone: Option<String>,
}

impl Syslog {
    /// What it is called where files have a path.
    pub fn path(&self) -> String {
        format!("syslog:{}", self.name)
    }
}

/// All sensors of a configuration.
#[derive(Default)]
pub(super) struct Sensors {
    pub(super) files: Vec<FileSensor>,
    pub(super) journals: Vec<Journal>,
    pub(super) syslogs: Vec<Syslog>,
    /// Where rspamd's exports are taken.
    pub(super) rspamd: Option<RspamdSensor>,
}

/// Where rspamd's exports are taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RspamdSensor {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Password of HTTP Basic authentication, with any user name; none asks for none.
    pub password: Option<Secret>,
}

/// Longest name of a systemd unit, in bytes.
const UNIT_BYTES_MAX: usize = 255;

/// Longest name of a service, in bytes.
const SERVICE_BYTES_MAX: usize = 64;

/// Longest name of a time zone; the longest there is has 32.
const ZONE_BYTES_MAX: usize = 64;

/// The sensors of `[sensor]`. Files below `state` need not be there: the folder is made at the start.
pub(super) fn read(section: &Section<'_>, state: Option<&Path>) -> Sensors {
    let journals = section.tables("journal", |section| named(section, journal));
    let syslogs = section.tables("syslog", |section| named(section, syslog));
    Sensors {
        files: files(section, state),
        journals: distinct(section, journals, |journal: &Journal| journal.path()),
        syslogs: distinct(section, syslogs, |syslog: &Syslog| syslog.path()),
        rspamd: section.part("rspamd", rspamd),
    }
}

/// A sensor with the place by which others of its name are shown.
fn named<T>(section: &Section<'_>, read: impl FnOnce(&Section<'_>) -> T) -> Placed<T> {
    Placed { value: read(section), place: section.place("name") }
}

/// The sensors, with a fault for those that are called as another one: what is stored of them would be mixed up.
fn distinct<T>(section: &Section<'_>, all: Vec<Placed<T>>, path: impl Fn(&T) -> String) -> Vec<T> {
    for (index, one) in all.iter().enumerate() {
        let name = path(&one.value);
        if let Some(first) = all[..index].iter().find(|other| path(&other.value) == name) {
            let fault = Fault::error(one.place.clone(), format!("two sensors called `{name}`")).label("the second");
            let hint = "give it another `name`".to_owned();
            section.desk.report(fault.also(first.place.clone(), "the first").hint(hint));
        }
    }
    all.into_iter().map(|one| one.value).collect()
}

/// Where rspamd posts what it thinks: on this machine, or with a password.
fn rspamd(section: &Section<'_>) -> Option<RspamdSensor> {
    let listen = section.required("listen", &socket());
    let password = secret(section, "password", "password-file");
    let listen = listen?;
    section.desk.listens(section.place("listen"), listen, Transport::Tcp);
    let has_password = ["password", "password-file"].iter().any(|key| section.has(key));
    if !listen.ip().is_loopback() && !has_password {
        let fault = section.wrong("listen", "whoever reaches this listener can have anybody blocked");
        let hint = "listen on 127.0.0.1, or set `password-file` and give rspamd the same password".to_owned();
        section.desk.report(fault.label("not on loopback, and without a password").hint(hint));
    }
    Some(RspamdSensor { listen, password })
}

fn journal(section: &Section<'_>) -> Journal {
    let name = section.optional("name", &name());
    let units = section.each("units", &text("a unit, such as `dovecot.service`", UNIT_BYTES_MAX));
    let directory = section.optional("directory", &section.desk.path("/var/log/journal"));
    let from = section.optional("from", &word([("start", Start::Start), ("end", Start::End)]));
    Journal {
        name: name.unwrap_or_else(|| "system".to_owned()),
        units: units.into_iter().map(|unit| unit.value).collect(),
        directory,
        from: from.unwrap_or(Start::End),
    }
}

fn syslog(section: &Section<'_>) -> Syslog {
    let name = section.optional("name", &name());
    let udp = section.optional("udp", &socket());
    let tcp = section.optional("tcp", &socket());
    let unix = section.optional("unix", &section.desk.path("/run/ratter/log"));
    let allow = section.each("allow", &network());
    let time_zone = section.optional("time-zone", &time_zone(section.desk.probe));

    for (key, address, transport) in [("udp", udp, Transport::Udp), ("tcp", tcp, Transport::Tcp)] {
        let Some(address) = address else { continue };
        section.desk.listens(section.place(key), address, transport);
        if !address.ip().is_loopback() && !section.has("allow") {
            let fault = section.wrong(key, "nobody may send to this listener").label("not on loopback");
            let hint = "add `allow = [\"192.0.2.0/24\"]` with the networks of your servers; whoever may send lines can have anybody listed";
            section.desk.report(fault.hint(hint.to_owned()));
        }
    }
    if !["udp", "tcp", "unix"].iter().any(|key| section.has(key)) {
        let fault = Fault::error(section.header(), "a listener wants to know where");
        section.desk.report(
            fault.label("neither `udp` nor `tcp` nor `unix`").hint("add `unix = \"/run/ratter/log\"`".to_owned()),
        );
    }
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let allow = if section.has("allow") {
        allow.into_iter().map(|network| network.value).collect()
    } else {
        loopback.into_iter().map(|address| Network::containing(address.into(), 128)).collect()
    };
    Syslog { name: name.unwrap_or_else(|| "network".to_owned()), udp, tcp, unix, allow, time_zone }
}

fn files(section: &Section<'_>, state: Option<&Path>) -> Vec<FileSensor> {
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
    let service = section.optional("service", &service());
    let path = path?;
    if !state.is_some_and(|state| path.starts_with(state)) {
        match section.desk.probe.can_follow(&path) {
            Ok(true) => {}
            // What a pattern stands for may come and go.
            Ok(false) if ::sensors::io::is_glob(&path) => {}
            Ok(false) => {
                let fault = Fault::warning(section.place("path"), missing(&path));
                section.desk.report(fault.label("waited for until it is"));
            }
            Err(error) => {
                let fault = section.wrong("path", format!("`{}` cannot be followed", path.display()));
                section.desk.report(fault.label(reason(&error)).hint(follow_hint(&error)));
            }
        }
    }
    let place = section.place("path");
    Some(Placed { value: FileSensor { path, from: from.unwrap_or(Start::End), time_zone, service }, place })
}

/// What is said of a log that is not there at the start.
pub(crate) fn missing(path: &Path) -> String {
    format!("`{}` is not there", path.display())
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

fn service() -> Form<'static, String> {
    let name = text("the name of a daemon, such as `exim`", SERVICE_BYTES_MAX);
    Form::of_text(name.wants.clone(), move |given| {
        let given = (name.read)(&toml::de::DeValue::String(given.into()))?;
        let known = || format!("known are {}", ::sensors::services().join(", "));
        if ::sensors::is_service(&given) { Ok(given) } else { Err(Mismatch::new("no such service").hint(known())) }
    })
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
