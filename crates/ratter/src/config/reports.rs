//! `[reports]` and `[[reporter]]`: who may report what he saw, and how much that counts.

use core::net::SocketAddr;

use ::rules::Voice;
use ::sensors::reports::{KEY_BYTES_MIN, KeyHash, Reporter};
use base::Network;

use super::diagnose::Fault;
use super::dovecot::secret_file;
use super::forms::{Form, Mismatch, name, network, number, socket};
use super::listeners::is_public;
use super::probe::Transport;
use super::reader::Section;

/// How much a report counts if nobody says: two of them are one event of one's own.
const WEIGHT: u8 = 50;

/// How many reports a day are taken if nobody says.
const DAILY_CAP: u32 = 10_000;

/// Most reporters.
const REPORTERS_MAX: usize = 100_000;

/// The listener for reports, and who may report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reports {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Web servers in front of it, whose `X-Forwarded-For` says who the reporter is.
    pub proxies: Vec<Network>,
    /// Who may report.
    pub reporters: Vec<Reporter>,
    /// The same, with what each belongs to.
    pub voices: Vec<Voice>,
}

pub(super) fn read(file: &Section<'_>) -> Option<Reports> {
    let (reporters, voices) = reporters(file).into_iter().unzip();
    let listening = file.part("reports", |section| {
        let proxies = section.optional_each("proxies", &network()).unwrap_or_default();
        let listen = section.required("listen", &socket())?;
        section.desk.listens(section.place("listen"), listen, Transport::Tcp);
        if is_public(listen.ip()) {
            let fault = Fault::warning(section.place("listen"), "reporters' keys come here unencrypted");
            let hint = "listen on 127.0.0.1 and put a web server with TLS before it";
            section.desk.report(fault.label("reachable from outside").hint(hint.to_owned()));
        }
        Some((listen, proxies.into_iter().map(|proxy| proxy.value).collect()))
    });
    if file.has("reports") && !file.has("reporter") {
        let fault = Fault::warning(file.place("reports"), "[reports] listens, and nobody may report");
        file.desk.report(fault.hint("add a `[[reporter]]` with a `name` and a `key-file`".to_owned()));
    }
    if file.has("reporter") && !file.has("reports") {
        let fault = Fault::warning(file.place("reporter"), "there are reporters, and nothing listens for them");
        file.desk.report(fault.hint("add `[reports]` with `listen = \"127.0.0.1:4006\"`".to_owned()));
    }
    let (listen, proxies) = listening?;
    Some(Reports { listen, proxies, reporters, voices })
}

/// The reporters, with a fault for those that have a name or a key in common: nobody could tell them apart.
fn reporters(file: &Section<'_>) -> Vec<(Reporter, Voice)> {
    let read = file.tables("reporter", |section| (section.place("name"), one(section)));
    let (mut reporters, mut places) = (Vec::<(Reporter, Voice)>::new(), Vec::new());
    for (place, reporter) in read {
        let Some((reporter, voice)) = reporter else { continue };
        let same = |(other, _): &(Reporter, Voice)| other.name == reporter.name || other.key == reporter.key;
        if let Some(first) = reporters.iter().position(same) {
            let what = if reporters[first].0.name == reporter.name { "name" } else { "key" };
            let fault = Fault::error(place, format!("two reporters with the same {what}")).label("the second");
            file.desk.report(fault.also(core::ops::Range::clone(&places[first]), "the first"));
            continue;
        }
        reporters.push((reporter, voice));
        places.push(place);
    }
    if let Some(place) = places.get(REPORTERS_MAX) {
        let fault = Fault::error(place.clone(), format!("more than {REPORTERS_MAX} reporters"));
        file.desk.report(fault.label("one too many"));
    }
    reporters
}

fn one(section: &Section<'_>) -> Option<(Reporter, Voice)> {
    let called = section.required("name", &name());
    let owner = section.optional("owner", &name());
    let hash = section.optional("key-hash", &key_hash());
    let from_file = secret_file(section, "key-file");
    let weight = section.optional("weight", &number(1..=100));
    let daily_cap = section.optional("daily-cap", &number(1..=10_000_000));
    if section.has("key-hash") == section.has("key-file") {
        let title = "a reporter wants either `key-file` or `key-hash`";
        let hint =
            "`head -c 24 /dev/urandom | base64` makes a key, and `printf %s KEY | sha256sum` its hash".to_owned();
        section.desk.report(Fault::error(section.header(), title).hint(hint));
        return None;
    }
    let from_file = from_file.and_then(|secret| {
        let hash = KeyHash::of(secret.expose());
        if hash.is_none() {
            let title = format!("a key has at least {KEY_BYTES_MIN} bytes");
            section.desk.report(section.wrong("key-file", title).label("the file holds a shorter one"));
        }
        hash
    });
    let (name, key, weight) = (called?, hash.or(from_file)?, weight.unwrap_or(WEIGHT));
    let owner = owner.unwrap_or_else(|| name.clone());
    let voice = Voice { name: name.as_str().into(), owner: owner.into(), weight };
    Some((Reporter { name, key, daily_cap: daily_cap.unwrap_or(DAILY_CAP) }, voice))
}

fn key_hash() -> Form<'static, KeyHash> {
    Form::of_text("the SHA-256 of a key, 64 hexadecimal digits", |text| {
        text.parse().map_err(|()| Mismatch::new("no SHA-256").hint("`printf %s KEY | sha256sum` prints it"))
    })
}
