//! `[gate]`: the protocols by which mail servers ask.

use core::time::Duration;
use std::path::PathBuf;

use base::{ListId, ListSet};
use gates::io::Place;
use gates::policy::{Refusal, Settings};
use toml::de::DeValue;

use super::ask::{self, AskPolicy, AskingGate};
use super::diagnose::Fault;
use super::dovecot::{self, DovecotGate};
use super::forms::{Form, Mismatch, read_socket, word};
use super::http::{self, HttpGate};
use super::listeners::is_public;
use super::lists::Lists;
use super::maps::{self, MapGate};
use super::probe::Transport;
use super::reader::{Placed, Section};
use super::saslauthd::{self, SaslGate};

/// The gates that are wanted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Gates {
    /// The server of Dovecot's auth policy protocol.
    pub dovecot: Option<DovecotGate>,
    /// The server of questions over HTTP.
    pub http: Option<HttpGate>,
    /// The server of one-line questions.
    pub line: Option<LineGate>,
    /// The servers of look-up tables for Postfix.
    pub map: Option<MapGate>,
    /// The server of Postfix' policy delegation.
    pub postfix: Option<MailGate>,
    /// The milter.
    pub milter: Option<MailGate>,
    /// The gate before saslauthd.
    pub saslauthd: Option<SaslGate>,
}

impl Gates {
    /// Those that are wanted, by name, and where each listens.
    pub fn places(&self) -> Vec<(&'static str, Vec<Place>)> {
        let Self { dovecot, http, line, map, postfix, milter, saslauthd } = self;
        let all = [
            ("dovecot", dovecot.as_ref().map(|gate| vec![Place::Tcp(gate.listen)])),
            ("http", http.as_ref().map(|gate| gate.listen.clone())),
            ("line", line.as_ref().map(|gate| gate.listen.clone())),
            ("map", map.as_ref().map(|gate| [&gate.socketmap[..], &gate.tcp].concat())),
            ("postfix", postfix.as_ref().map(|gate| gate.listen.clone())),
            ("milter", milter.as_ref().map(|gate| gate.listen.clone())),
            ("saslauthd", saslauthd.as_ref().map(|gate| gate.listen.clone())),
        ];
        all.into_iter().filter_map(|(name, places)| Some((name, places?))).collect()
    }
}

/// What a gate answers when nothing can be told in time.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Fail {
    /// Clients are let through.
    #[default]
    Open,
    /// Clients are refused, for now where the protocol can say that.
    Closed,
}

pub(super) fn fail(section: &Section<'_>) -> Fail {
    section.optional("fail", &word([("open", Fail::Open), ("closed", Fail::Closed)])).unwrap_or_default()
}

/// A server of mail servers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailGate {
    /// Where it listens.
    pub listen: Vec<Place>,
    /// What it does.
    pub settings: Settings,
    /// What it answers when nothing can be told.
    pub fail: Fail,
    /// What it does about addresses that are on other people's lists; none asks none.
    pub ask: Option<AskPolicy>,
}

/// The server of one-line questions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineGate {
    /// Where it listens.
    pub listen: Vec<Place>,
    /// What it answers when nothing can be told.
    pub fail: Fail,
    /// What it does about addresses that are on other people's lists; none asks none.
    pub ask: Option<AskPolicy>,
}

pub(super) fn read(section: &Section<'_>, lists: &Lists) -> Gates {
    Gates {
        dovecot: section.part("dovecot", dovecot::read),
        http: section.part("http", |section| Some(http::read(section))),
        line: section.part("line", |section| Some(line(section))),
        map: section.part("map", |section| Some(maps::read(section, lists))),
        postfix: section.part("postfix", |section| Some(mail(section, lists, AskingGate::Postfix))),
        milter: section.part("milter", |section| Some(mail(section, lists, AskingGate::Milter))),
        saslauthd: section.part("saslauthd", saslauthd::read),
    }
}

fn mail(section: &Section<'_>, lists: &Lists, gate: AskingGate) -> MailGate {
    let listen = section.required_each("listen", &place(section));
    note_places(section, &listen, &format!("[gate.{}]", gate.name()));
    let refusal = section.optional("refuse", &word(Refusal::NAMES));
    let ask = section.part("ask", |section| Some(ask::policy(section, gate)));
    let set = |key| section.each(key, &list(lists)).iter().fold(ListSet::EMPTY, |set, list| set.with(list.value));
    MailGate {
        fail: fail(section),
        ask,
        listen: listen.into_iter().map(|place| place.value).collect(),
        settings: Settings {
            refusal: refusal.unwrap_or(Refusal::Reject),
            refuse_lists: set("refuse-lists"),
            mark_lists: set("mark-lists"),
        },
    }
}

/// A list other than that of the blocks, which are refused anyway.
pub(super) fn list(lists: &Lists) -> Form<'_, ListId> {
    let form = lists.form();
    Form::of_text(form.wants.clone(), move |name| {
        if name == "blocked" {
            return Err(Mismatch::new("blocked addresses are always refused").hint("leave it out"));
        }
        (form.read)(&DeValue::String(name.into()))
    })
}

/// How long the line gate waits for other people's lists at most: Exim waits for a second, and our helpers as long as this and
/// 50 ms (`ratter setup` tells them where there are such lists); then they let the client through, and report nothing.
const LINE_WAIT_MAX: Duration = Duration::from_millis(150);

fn line(section: &Section<'_>) -> LineGate {
    let listen = section.required_each("listen", &place(section));
    note_places(section, &listen, "[gate.line]");
    let ask = section.part("ask", |section| Some(ask::policy(section, AskingGate::Line)));
    let ask = ask.map(|policy| AskPolicy { wait: policy.wait.min(LINE_WAIT_MAX), ..policy });
    LineGate { listen: listen.into_iter().map(|place| place.value).collect(), fail: fail(section), ask }
}

/// An address with a port, or the path of a unix socket.
pub(super) fn place<'f>(section: &Section<'f>) -> Form<'f, Place> {
    let path = section.desk.path("/run/ratter/gate.sock");
    Form::of_text("an address with a port, such as `127.0.0.1:4002`, or a path, such as `/run/ratter/gate.sock`", {
        move |text| {
            let socket = text.strip_prefix("unix:").or_else(|| text.contains('/').then_some(text));
            let Some(socket) = socket else { return read_socket(text).map(Place::Tcp) };
            let path: PathBuf = (path.read)(&DeValue::String(socket.into()))?;
            if path.as_os_str().len() > super::node::SOCKET_PATH_BYTES_MAX {
                let most = super::node::SOCKET_PATH_BYTES_MAX;
                return Err(
                    Mismatch::new("too long a path for a socket").hint(format!("the system allows {most} bytes"))
                );
            }
            Ok(Place::Unix(path))
        }
    })
}

/// Has the ports tried, and warns of those that strangers can reach, because such a gate asks nobody for a password.
pub(super) fn note_places(section: &Section<'_>, places: &[Placed<Place>], title: &str) {
    for place in places {
        section.desk.listens_at(place.place.clone(), place.value.clone(), Transport::Tcp);
        let Place::Tcp(address) = place.value else { continue };
        if is_public(address.ip()) {
            let fault = Fault::warning(place.place.clone(), format!("anybody can ask and report to {title}"));
            let hint = match title {
                "[gate.http]" => {
                    "listen on 127.0.0.1, on a private network, or on a unix socket, or set `api-key-file`"
                }
                _ => "listen on 127.0.0.1, on a private network, or on a unix socket",
            };
            section.desk.report(fault.label("reachable from outside, without a password").hint(hint.to_owned()));
        }
    }
}
