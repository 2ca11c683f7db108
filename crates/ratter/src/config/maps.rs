//! `[gate.map]`: look-up tables for Postfix, which are asked and never read from a file.

use base::ListSet;
use gates::io::Place;
use gates::policy::{Refusal, Settings};

use super::ask::{self, AskPolicy, AskingGate};
use super::forms::word;
use super::gates::{Fail, fail, list, note_places, place};
use super::lists::Lists;
use super::reader::Section;

/// The servers of look-up tables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapGate {
    /// Where `socketmap:` tables are asked.
    pub socketmap: Vec<Place>,
    /// Where `tcp:` tables are asked.
    pub tcp: Vec<Place>,
    /// What they answer.
    pub settings: Settings,
    /// What they answer when nothing can be told.
    pub fail: Fail,
    /// What they do about addresses that are on other people's lists; none asks none.
    pub ask: Option<AskPolicy>,
}

pub(super) fn read(section: &Section<'_>, lists: &Lists) -> MapGate {
    let socketmap = section.optional_each("socketmap", &place(section)).unwrap_or_default();
    let tcp = section.optional_each("tcp", &place(section)).unwrap_or_default();
    note_places(section, &socketmap, "[gate.map]");
    note_places(section, &tcp, "[gate.map]");
    if !section.has("socketmap") && !section.has("tcp") {
        let fault = super::diagnose::Fault::error(section.header(), "[gate.map] listens nowhere");
        let hint = "set `socketmap`, such as `socketmap = [\"127.0.0.1:4007\"]`";
        section.desk.report(fault.label("neither `socketmap` nor `tcp`").hint(hint.to_owned()));
    }
    let refusal = section.optional("refuse", &word(Refusal::NAMES));
    let refused = section.each("refuse-lists", &list(lists));
    MapGate {
        socketmap: socketmap.into_iter().map(|place| place.value).collect(),
        tcp: tcp.into_iter().map(|place| place.value).collect(),
        settings: Settings {
            refusal: refusal.unwrap_or(Refusal::Reject),
            refuse_lists: refused.iter().fold(ListSet::EMPTY, |set, list| set.with(list.value)),
            mark_lists: ListSet::EMPTY,
        },
        fail: fail(section),
        ask: section.part("ask", |section| Some(ask::policy(section, AskingGate::Map))),
    }
}
