//! `[action]`: what is done outside when the book changes.

use core::ops::Range;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ::actions::io::Kernel;
use ::actions::map::{Format, Style};
use base::{ListId, ListSet};

use super::diagnose::Fault;
use super::dnsbl::Statics;
use super::exports::{self, ExportFile};
use super::forms::{Form, Mismatch, boolean, name, word};
use super::kernel;
use super::listeners::reason;
use super::lists::Lists;
use super::notices::{self, About, Hook, Hooked, Mail};
use super::reader::Section;
use super::words::nearest;

/// Most actions of one kind.
pub(super) const ACTIONS_MAX: usize = 64;

/// Longest answer of a Postfix table, in bytes.
const ANSWER_BYTES_MAX: usize = 200;

/// What Postfix answers if nobody says: permanent, because who is blocked shall not try again.
const ANSWER: &str = "REJECT";

/// What is done outside when the book changes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Actions {
    /// The map files.
    pub maps: Vec<MapFile>,
    /// The files of whole lists.
    pub exports: Vec<ExportFile>,
    /// The mails.
    pub mails: Vec<Mail>,
    /// The web addresses that are told.
    pub webhooks: Vec<Hook>,
    /// The programs that are run.
    pub commands: Vec<Hooked>,
    /// What the kernel drops, if it is told.
    pub kernel: Option<Kernel>,
}

/// A file that says who is listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapFile {
    /// Its name in `ratter status` and in metrics.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// How it is written.
    pub style: Style,
    /// Whose listings are in it.
    pub lists: ListSet,
    /// Whether the console serves it too.
    pub is_served: bool,
    /// Where the path stands in the configuration.
    pub place: Range<usize>,
}

pub(super) fn read(
    section: &Section<'_>,
    lists: &Lists,
    has_console: bool,
    about: About<'_>,
    statics: Option<&Statics>,
) -> Actions {
    let maps = maps(section, lists, has_console);
    let actions = Actions {
        exports: exports::read(section, lists, &maps, statics),
        maps,
        mails: several(section, "mail", |section| notices::mail(section, lists, about)),
        webhooks: several(section, "webhook", |section| notices::webhook(section, lists, about)),
        commands: several(section, "command", |section| notices::command(section, lists)),
        kernel: section.part("nft", |section| Some(kernel::read(section, lists))),
    };
    refuse_twins(section, &actions);
    actions
}

/// The actions of a kind.
fn several<T>(section: &Section<'_>, key: &'static str, one: impl Fn(&Section<'_>) -> Option<T>) -> Vec<T> {
    let all: Vec<T> = section.tables(key, one).into_iter().flatten().collect();
    if all.len() > ACTIONS_MAX {
        let fault = section.wrong(key, format!("more than {ACTIONS_MAX} actions of one kind"));
        section.desk.report(fault.label("too many"));
    }
    all
}

/// Metrics and `ratter status` know an action by its name alone.
fn refuse_twins(section: &Section<'_>, actions: &Actions) {
    let mut names = BTreeSet::new();
    let all = (actions.maps.iter().map(|map| ("map", &map.name)))
        .chain(actions.exports.iter().map(|export| ("export", &export.name)))
        .chain(actions.mails.iter().map(|mail| ("mail", &mail.name)))
        .chain(actions.webhooks.iter().map(|hook| ("webhook", &hook.name)))
        .chain(actions.commands.iter().map(|command| ("command", &command.name)));
    for (key, name) in all {
        // Two maps or exports of one name have been told of where they stand.
        if !names.insert(name) && !["map", "export"].contains(&key) {
            section.desk.report(section.wrong(key, format!("two actions named `{name}`")).label("one of these"));
        }
    }
}

fn maps(section: &Section<'_>, lists: &Lists, has_console: bool) -> Vec<MapFile> {
    let drafts = section.tables("map", |section| {
        let map = map_file(section, lists);
        if map.as_ref().is_some_and(|map| map.is_served) && !has_console {
            let fault = section.wrong("serve", "there is no [console] that could serve the map");
            section.desk.report(fault.hint("add `[console]`, or leave out `serve`".to_owned()));
        }
        (section.place("name"), section.place("path"), map)
    });
    let mut taken = Vec::<(Range<usize>, Range<usize>, MapFile)>::new();
    for (at_name, at_path, map) in drafts {
        let Some(map) = map else { continue };
        if let Some((first, _, _)) = taken.iter().find(|(_, _, other)| other.name == map.name) {
            let fault = Fault::error(at_name.clone(), format!("two maps named `{}`", map.name)).label("the second");
            section.desk.report(fault.also(first.clone(), "the first"));
        }
        if let Some((_, first, _)) = taken.iter().find(|(_, _, other)| other.path == map.path) {
            let fault = Fault::error(at_path.clone(), "two maps in one file").label("the second");
            section.desk.report(fault.also(first.clone(), "the first"));
        }
        taken.push((at_name, at_path, map));
    }
    if let Some((place, _, _)) = taken.get(ACTIONS_MAX) {
        section.desk.report(Fault::error(place.clone(), format!("more than {ACTIONS_MAX} maps")).label("one too many"));
    }
    taken.into_iter().map(|(_, _, map)| map).collect()
}

fn map_file(section: &Section<'_>, lists: &Lists) -> Option<MapFile> {
    let name = section.required("name", &name());
    let path = section.required("path", &section.desk.path("/var/lib/ratter-maps/blocked.cidr"));
    let format = section.required("format", &word(Format::NAMES));
    let chosen = section.optional_each("lists", &any_list(lists));
    let answer = section.optional("answer", &answer());
    let is_served = section.optional("serve", &boolean());

    let has_answer = format.is_none_or(|format| [Format::PostfixCidr, Format::PostfixAccess].contains(&format));
    if section.has("answer") && !has_answer {
        let fault =
            Fault::error(section.key_place("answer"), "`answer` has no effect").label("only Postfix has answers");
        section.desk.report(fault);
    }
    let path = path?;
    check_path(section, &path);
    let chosen = chosen.map(|lists| lists.into_iter().map(|list| list.value).collect());
    Some(MapFile {
        name: name?,
        path,
        style: Style { format: format?, answer: answer.unwrap_or_else(|| ANSWER.to_owned()) },
        lists: chosen.unwrap_or(ListSet::EMPTY.with(ListId::BLOCKED)),
        is_served: is_served.unwrap_or(false),
        place: section.place("path"),
    })
}

/// The new file is made beside the old one, so it is the folder that must be writable.
pub(super) fn check_path(section: &Section<'_>, path: &Path) {
    if section.desk.probe.can_follow(path).is_err_and(|error| error.kind() == ErrorKind::IsADirectory) {
        let fault = section.wrong("path", format!("`{}` is a folder", path.display()));
        return section.desk.report(fault.label("a file is wanted").hint("name a file in it".to_owned()));
    }
    let Some(folder) = path.parent() else { return };
    if let Err(error) = section.desk.probe.can_write_in(folder) {
        let fault = section.wrong("path", format!("no map can be made in `{}`", folder.display()));
        let hint = "a new map is made beside the old one and takes its place, so the folder must be there and writable";
        section.desk.report(fault.label(reason(&error)).hint(hint.to_owned()));
    }
}

/// Any list, `blocked` among them.
pub(super) fn any_list(lists: &Lists) -> Form<'_, ListId> {
    Form::of_text("the name of a list, such as `blocked`", move |typed| {
        lists.find(typed).ok_or_else(|| {
            let mismatch = Mismatch::new("no such list");
            match nearest(typed, lists.names()) {
                Some(name) => mismatch.hint(format!("did you mean `\"{name}\"`?")),
                None => mismatch,
            }
        })
    })
}

/// The right side of an `access(5)` table: an action that Postfix knows, with its text.
fn answer() -> Form<'static, String> {
    Form::of_text("what Postfix answers, such as `REJECT blocked here`", |text| {
        if text.len() > ANSWER_BYTES_MAX {
            Err(Mismatch::new(format!("{} bytes long, {ANSWER_BYTES_MAX} are allowed", text.len())))
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            Err(Mismatch::new("has characters beyond printable ASCII"))
        } else if text.trim() != text || text.is_empty() {
            Err(Mismatch::new("begins or ends with a space, or is empty"))
        } else if lets_in(text) {
            Err(Mismatch::new("lets in whom it shall refuse").hint("write `REJECT`, or what else refuses"))
        } else {
            Ok(text.to_owned())
        }
    })
}

/// Whether Postfix takes an answer for leave to send (access(5)): a number alone is one, too.
fn lets_in(answer: &str) -> bool {
    let word = answer.split(' ').next().unwrap_or_default().to_ascii_lowercase();
    let is_number = answer.bytes().all(|byte| byte.is_ascii_digit());
    is_number || word == "ok" || word == "dunno" || word.starts_with("permit")
}
