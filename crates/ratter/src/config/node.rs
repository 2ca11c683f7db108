//! `[node]`: this server, where it keeps its state, and whom it never lists.

use core::ops::Range;
use std::path::{Path, PathBuf};

use base::{Login, Network};
use gates::io::Place;

use super::diagnose::Fault;
use super::forms::{Form, Mismatch, domain, network, read_network, word};
use super::listeners::reason;
use super::probe::Transport;
use super::reader::Section;

/// This server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Its name, as others know it.
    pub name: String,
    /// The folder of the store; made if it is not there.
    pub state: PathBuf,
    /// The socket by which the command line talks to the running node.
    pub control: PathBuf,
    /// Networks that are never listed.
    pub never_list: Vec<Network>,
    /// Networks in which nobody lives: whoever reports or lists one of them made it up.
    pub canaries: Vec<Network>,
    /// Logins that are never listed.
    pub never_logins: Vec<Login>,
    /// Files of networks that are on no published list.
    pub allow_files: Vec<PathBuf>,
    /// Which autonomous system an address belongs to: a file in `MaxMind`'s format.
    pub asn_file: Option<PathBuf>,
    /// Which country an address is in: a file in `MaxMind`'s format.
    pub country_file: Option<PathBuf>,
    /// Domains the senders of whose SPF are on no published list.
    pub allow_senders: Vec<String>,
    /// How it writes its own log.
    pub log: LogFormat,
}

/// How the log is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// One line of text for each event, for people and journals.
    Text,
    /// One JSON object for each event.
    Json,
}

/// What is so while nobody tells which autonomous system an address belongs to.
pub(crate) const WITHOUT_SYSTEMS: &str = "no rule counts by `asn`";

/// What is so while nobody tells which country an address is in.
pub(crate) const WITHOUT_COUNTRIES: &str = "accounts are judged without countries";

/// Name of the control socket in the state folder.
pub(super) const SOCKET: &str = "control.sock";

/// Longest path of a unix socket, in bytes: `sun_path` has 108, one is for the NUL.
pub(super) const SOCKET_PATH_BYTES_MAX: usize = 107;

pub(super) fn read(section: &Section<'_>) -> Option<Node> {
    let name = section.setting("name", &domain());
    let state = section.required("state", &section.desk.path("/var/lib/ratter"));
    let control = section.optional("control", &section.desk.path("/run/ratter/control.sock"));
    let never = section.each("never-list", &never_form());
    let allow_files = section.each("allow-files", &section.desk.path("/etc/ratter/dnswl"));
    let asn_file = section.optional("asn-file", &section.desk.path("/var/lib/GeoIP/GeoLite2-ASN.mmdb"));
    let country_file = section.optional("country-file", &section.desk.path("/var/lib/GeoIP/GeoLite2-Country.mmdb"));
    let allow_senders = section.each("allow-senders", &domain());
    let canaries = section.optional_each("canaries", &network()).unwrap_or_default();
    let log = section.setting("log", &word([("text", LogFormat::Text), ("json", LogFormat::Json)]));

    for file in &allow_files {
        tell_if_missing(section, file.place.clone(), &file.value, "nobody is protected by it");
    }
    let about_addresses =
        [("asn-file", &asn_file, WITHOUT_SYSTEMS), ("country-file", &country_file, WITHOUT_COUNTRIES)];
    for (key, file, without) in about_addresses {
        if let Some(file) = file {
            tell_if_missing(section, section.place(key), file, without);
        }
    }
    for entry in &never {
        if matches!(entry.value, Never::Network(network) if network.length() == 0) {
            let fault = Fault::warning(entry.place.clone(), "everybody is on the never-list");
            section
                .desk
                .report(fault.label("all addresses of its family").hint("nothing will ever be blocked".to_owned()));
        }
    }
    let state = state?;
    if let Err(error) = section.desk.probe.can_write_dir(&state) {
        let fault = section.wrong("state", format!("the state folder `{}` cannot be written", state.display()));
        section.desk.report(fault.label(reason(&error)));
    }
    let control_given = control.is_some();
    let control = control.unwrap_or_else(|| state.join(SOCKET));
    if control.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        let key = if control_given { "control" } else { "state" };
        let fault = section.wrong(key, format!("the control socket `{}` has too long a path", control.display()));
        section.desk.report(
            fault.hint(format!("the system allows {SOCKET_PATH_BYTES_MAX} bytes; set `control` to a shorter one")),
        );
    }
    if control_given {
        section.desk.listens_at(section.place("control"), Place::Unix(control.clone()), Transport::Tcp);
    }
    let (mut never_list, mut never_logins) = (Vec::new(), Vec::new());
    for entry in never {
        match entry.value {
            Never::Network(network) => never_list.push(network),
            Never::Login(login) => never_logins.push(login),
        }
    }
    let allow_files = allow_files.into_iter().map(|file| file.value).collect();
    let allow_senders = allow_senders.into_iter().map(|domain| domain.value).collect();
    let canaries = canaries.into_iter().map(|canary| canary.value).collect();
    Some(Node {
        name: name?,
        state,
        control,
        never_list,
        canaries,
        never_logins,
        allow_files,
        asn_file,
        country_file,
        allow_senders,
        log: log?,
    })
}

/// A file that is not there yet may come: it is looked at all the time.
fn tell_if_missing(section: &Section<'_>, place: Range<usize>, file: &Path, until_then: &str) {
    let why = match section.desk.probe.can_follow(file) {
        Ok(true) => return,
        Ok(false) => "there is no such file".to_owned(),
        Err(error) => reason(&error),
    };
    let fault = Fault::warning(place, unreadable(file));
    section.desk.report(fault.label(why).hint(format!("until it can, {until_then}")));
}

/// The title of the warning about such a file.
pub(crate) fn unreadable(file: &Path) -> String {
    format!("the file `{}` cannot be read", file.display())
}

/// An entry of the never-list, or of another list of exceptions.
pub(super) enum Never {
    Network(Network),
    Login(Login),
}

pub(super) fn never_form() -> Form<'static, Never> {
    Form::of_text("a network such as `192.0.2.0/24`, or a login such as `login:alice`", |text| {
        if let Some(login) = text.strip_prefix("login:") {
            return Login::new(login).map(Never::Login).ok_or_else(|| Mismatch::new("no login after `login:`"));
        }
        read_network(text).map(Never::Network).map_err(|mismatch| {
            let looks_like_login =
                text.contains('@') || text.bytes().any(|byte| byte.is_ascii_alphabetic() && byte > b'f');
            match Login::new(text) {
                Some(login) if looks_like_login => {
                    Mismatch::new("neither").hint(format!("write `\"login:{login}\"` if a login is meant"))
                }
                _ => mismatch,
            }
        })
    })
}
