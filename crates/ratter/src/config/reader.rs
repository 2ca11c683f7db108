//! Reads sections of the TOML tree: each file of this module asks a [`Section`] for its keys, and whatever is wrong, missing
//! or unknown becomes a fault on the [`Desk`], so that one reading finds them all.
//!
//! A reading function first asks for all keys and only then gives up on those that it cannot do without:
//!
//! ```text
//! let name = section.required("name", &name());
//! let ttl = section.setting("ttl", &duration(TTL));      // the default stands in default.toml
//! Some(Thing { name: name?, ttl: ttl? })
//! ```

use core::cell::RefCell;
use core::net::SocketAddr;
use core::ops::Range;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gates::io::Place;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::asking::Asking;
use super::diagnose::Fault;
use super::forms::{Form, Mismatch};
use super::listeners::{Listener, Listening};
use super::probe::{Probe, Transport};
use super::words::{enumerate, nearest, shown, with_article};

/// Longest path, in bytes, as Linux has it (`PATH_MAX`).
const PATH_BYTES_MAX: usize = 4095;

/// Keys of no section that switch something off that is shipped, such as `limit = []`.
const FIRST: [&str; 3] = ["limit", "list", "rule"];

/// What all sections of one file write on.
pub(super) struct Desk<'a> {
    pub(super) probe: &'a dyn Probe,
    folder: &'a Path,
    faults: RefCell<Vec<Fault>>,
    listeners: RefCell<Vec<Listener>>,
    keys: RefCell<BTreeMap<String, Option<Range<usize>>>>,
    asking: RefCell<Vec<Asking>>,
}

impl<'a> Desk<'a> {
    /// A desk for a file in `folder`, from which relative paths start.
    pub(super) fn new(probe: &'a dyn Probe, folder: &'a Path) -> Self {
        Self {
            probe,
            folder,
            faults: RefCell::default(),
            listeners: RefCell::default(),
            keys: RefCell::default(),
            asking: RefCell::default(),
        }
    }

    pub(super) fn report(&self, fault: Fault) {
        self.faults.borrow_mut().push(fault);
    }

    /// Takes note that something will listen there; [`Desk::finish`] tells whether it can.
    pub(super) fn listens(&self, place: Range<usize>, address: SocketAddr, transport: Transport) {
        self.listens_at(place, Place::Tcp(address), transport);
    }

    /// The same of an address or a unix socket.
    pub(super) fn listens_at(&self, place: Range<usize>, at: Place, transport: Transport) {
        self.listeners.borrow_mut().push(Listener { place, listening: Listening { place: at, transport } });
    }

    /// All of which [`Desk::listens`] took note.
    pub(super) fn listening(&self) -> Vec<Listening> {
        self.listeners.borrow().iter().map(|listener| listener.listening.clone()).collect()
    }

    /// Takes note that a gate asks other people's lists.
    pub(super) fn asks(&self, asking: Asking) {
        self.asking.borrow_mut().push(asking);
    }

    /// Each gate that does, once all are read.
    pub(super) fn all_asking(&self) -> Vec<Asking> {
        self.asking.take()
    }

    /// A path; a relative one starts at the folder of the configuration file.
    pub(super) fn path(&self, example: &str) -> Form<'a, PathBuf> {
        let folder = self.folder;
        Form::of_text(format!("a path, such as `{example}`"), move |text| {
            if text.trim().is_empty() {
                Err(Mismatch::new("empty"))
            } else if text.chars().any(char::is_control) {
                Err(Mismatch::new("has control characters in it"))
            } else if text.len() > PATH_BYTES_MAX {
                Err(Mismatch::new(format!("longer than {PATH_BYTES_MAX} bytes")))
            } else if text.starts_with('~') {
                Err(Mismatch::new("`~` is the shell's").hint("write the path in full"))
            } else {
                Ok(folder.join(text))
            }
        })
    }

    /// The folder at which relative paths start.
    pub(super) fn folder(&self) -> &'a Path {
        self.folder
    }

    /// Every key that was asked for, with the place of its default in `default.toml` if it has one there.
    pub(super) fn keys(&self) -> BTreeMap<String, Option<Range<usize>>> {
        self.keys.borrow().clone()
    }

    /// All faults, those of the listeners together included.
    pub(super) fn finish(self) -> Vec<Fault> {
        let mut faults = self.faults.into_inner();
        super::listeners::check(&self.listeners.into_inner(), self.probe, &mut faults);
        faults
    }
}

/// A table of the file while it is read.
pub(super) struct Section<'a> {
    pub(super) desk: &'a Desk<'a>,
    /// The keys that lead to it, joined by dots; empty for the whole file.
    path: String,
    /// As the admin writes it: `[node]`, `[[rule]]`, `distinct`.
    title: String,
    place: Range<usize>,
    given: Option<&'a DeTable<'a>>,
    default: Option<&'a DeTable<'a>>,
    known: RefCell<BTreeSet<&'static str>>,
    missing: RefCell<Vec<(&'static str, Fault)>>,
}

/// A value with the bytes it stands at; those of the section's header if it is the default.
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Range<usize>,
}

/// A value as it was found, in the file or among the defaults.
struct Found<'a> {
    value: &'a DeValue<'a>,
    place: Range<usize>,
    in_file: bool,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn root(desk: &'a Desk<'a>, given: &'a DeTable<'a>, default: Option<&'a DeTable<'a>>) -> Self {
        let (path, title) = (String::new(), "the file".into());
        let (known, missing) = (RefCell::default(), RefCell::default());
        Self { desk, path, title, place: 0..0, given: Some(given), default, known, missing }
    }

    /// Lets `part` read the section; the keys it does not ask for are faults.
    pub(super) fn read<T>(self, part: impl FnOnce(&Self) -> T) -> T {
        let read = part(&self);
        let known = self.known.take();
        let mut missing = self.missing.take();
        for (key, _) in self.given.into_iter().flatten() {
            if known.contains(&**key.get_ref()) {
                continue;
            }
            let meant = nearest(key.get_ref(), known.iter().copied());
            self.desk.report(self.unknown(key, meant, &known));
            // A key that is there under a wrong name is not missing too.
            missing.retain(|(key, _)| Some(*key) != meant);
        }
        for (_, fault) in missing {
            self.desk.report(fault);
        }
        read
    }

    /// A value that must be in the file.
    pub(super) fn required<T>(&self, key: &'static str, form: &Form<'_, T>) -> Option<T> {
        self.note(key, None);
        match self.in_file(key) {
            Some(found) => self.fit(key, found, form).map(|fit| fit.value),
            None => self.missing(key, &form.wants),
        }
    }

    /// A value that may be left out.
    pub(super) fn optional<T>(&self, key: &'static str, form: &Form<'_, T>) -> Option<T> {
        self.note(key, None);
        self.in_file(key).and_then(|found| self.fit(key, found, form)).map(|fit| fit.value)
    }

    /// A value whose default stands in `default.toml`.
    pub(super) fn setting<T>(&self, key: &'static str, form: &Form<'_, T>) -> Option<T> {
        self.note(key, self.default);
        match self.in_file(key).or_else(|| self.in_default(key)) {
            Some(found) => self.fit(key, found, form).map(|fit| fit.value),
            None => self.missing(key, &form.wants),
        }
    }

    /// The values of an array whose default stands in `default.toml`; those that do not fit are left out.
    pub(super) fn each<T>(&self, key: &'static str, form: &Form<'_, T>) -> Vec<Placed<T>> {
        self.note(key, self.default);
        let found = self.in_file(key).or_else(|| self.in_default(key));
        found.map(|found| self.fit_each(key, found, form)).unwrap_or_default()
    }

    /// The values of an array that must be in the file and have something in it.
    pub(super) fn required_each<T>(&self, key: &'static str, form: &Form<'_, T>) -> Vec<Placed<T>> {
        self.note(key, None);
        let Some(found) = self.in_file(key) else {
            return self.missing(key, &format!("an array of values, each {}", form.wants)).unwrap_or_default();
        };
        if matches!(found.value, DeValue::Array(array) if array.is_empty()) {
            let title = format!("`{key}` in {} wants at least one value", self.title);
            self.desk.report(Fault::error(found.place.clone(), title).label("empty"));
        }
        self.fit_each(key, found, form)
    }

    /// The values of an array that may be left out, but has something in it if it is there.
    pub(super) fn optional_each<T>(&self, key: &'static str, form: &Form<'_, T>) -> Option<Vec<Placed<T>>> {
        self.note(key, None);
        self.has(key).then(|| self.required_each(key, form))
    }

    /// A table that may be left out, which leaves out what it stands for.
    pub(super) fn part<T>(&self, key: &'static str, read: impl FnOnce(&Self) -> Option<T>) -> Option<T> {
        self.known.borrow_mut().insert(key);
        let found = self.in_file(key)?;
        let table = self.table(key, &found)?;
        self.inside(key, found.place, Some(table)).read(read)
    }

    /// A table whose keys have defaults, so that it is read even if it is not there.
    pub(super) fn always<T>(&self, key: &'static str, read: impl FnOnce(&Self) -> Option<T>) -> Option<T> {
        self.known.borrow_mut().insert(key);
        match self.in_file(key) {
            Some(found) => {
                let table = self.table(key, &found)?;
                self.inside(key, found.place, Some(table)).read(read)
            }
            None => self.inside(key, self.place.clone(), None).read(read),
        }
    }

    /// The tables of a `[[key]]`, in the order of the file; none if there is none.
    pub(super) fn tables<T>(&self, key: &'static str, read: impl Fn(&Self) -> T) -> Vec<T> {
        self.known.borrow_mut().insert(key);
        let Some(found) = self.in_file(key) else { return Vec::new() };
        let (path, title) = (self.path_of(key), format!("[[{}]]", self.path_of(key)));
        let DeValue::Array(array) = found.value else {
            let fault = Fault::error(found.place, format!("`{path}` can be given several times"));
            self.desk.report(fault.label("one pair of brackets").hint(format!("write `{title}`")));
            return Vec::new();
        };
        let mut all = Vec::new();
        for item in array {
            let DeValue::Table(table) = item.get_ref() else {
                let title = format!("{title} wants the keys of a section");
                self.desk.report(Fault::error(item.span(), title).label(with_article(item.get_ref().type_str())));
                continue;
            };
            let section = Section { title: title.clone(), ..self.inside(key, item.span(), Some(table)) };
            all.push(section.read(&read));
        }
        all
    }

    /// Whether `key` is in the file.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.in_file(key).is_some()
    }

    /// Whether `key` is in the file, as an array with nothing in it.
    pub(super) fn is_empty(&self, key: &'static str) -> bool {
        self.in_file(key).is_some_and(|found| found.value.as_array().is_some_and(|array| array.is_empty()))
    }

    /// Where the section begins.
    pub(super) fn header(&self) -> Range<usize> {
        self.place.clone()
    }

    /// Where the value of `key` stands; at the header if it is left out.
    pub(super) fn place(&self, key: &'static str) -> Range<usize> {
        self.in_file(key).map_or_else(|| self.header(), |found| found.place)
    }

    /// Where `key` itself stands; at the header if it is left out.
    pub(super) fn key_place(&self, key: &'static str) -> Range<usize> {
        self.given.and_then(|table| table.get_key_value(key)).map_or_else(|| self.header(), |(key, _)| key.span())
    }

    /// The value of `key` does not go with something else.
    pub(super) fn wrong(&self, key: &'static str, title: impl Into<String>) -> Fault {
        Fault::error(self.place(key), title)
    }

    fn in_file(&self, key: &'static str) -> Option<Found<'a>> {
        let value = self.given?.get(key)?;
        Some(Found { value: value.get_ref(), place: value.span(), in_file: true })
    }

    /// The default of `key`. A fault that comes of it is shown at the header, since its own place is in another file.
    fn in_default(&self, key: &'static str) -> Option<Found<'a>> {
        let value = self.default?.get(key)?;
        Some(Found { value: value.get_ref(), place: self.header(), in_file: false })
    }

    /// Makes `key` a known one, with its default in `defaults`.
    fn note(&self, key: &'static str, defaults: Option<&'a DeTable<'a>>) {
        self.known.borrow_mut().insert(key);
        let default = defaults.and_then(|table| table.get(key)).map(Spanned::span);
        self.desk.keys.borrow_mut().insert(self.path_of(key), default);
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The section under `key`.
    fn inside(&self, key: &'static str, place: Range<usize>, given: Option<&'a DeTable<'a>>) -> Self {
        let path = self.path_of(key);
        // What is inside an array of tables is written inline there, and has no header of its own.
        let title = if self.title.starts_with("[[") { format!("`{key}`") } else { format!("[{path}]") };
        let default = self.in_default(key).and_then(|found| found.value.as_table());
        Section {
            desk: self.desk,
            path,
            title,
            place,
            given,
            default,
            known: RefCell::default(),
            missing: RefCell::default(),
        }
    }

    /// The value as `form` reads it, or a fault.
    fn fit<T>(&self, key: &str, found: Found<'_>, form: &Form<'_, T>) -> Option<Placed<T>> {
        let mismatch = match (form.read)(found.value) {
            Ok(value) => return Some(Placed { value, place: found.place }),
            Err(mismatch) => mismatch,
        };
        let fault = Fault::error(found.place, format!("`{key}` in {} wants {}", self.title, form.wants));
        self.desk.report(fault.label(mismatch.found).hint(mismatch.hint));
        None
    }

    fn fit_each<T>(&self, key: &str, found: Found<'_>, form: &Form<'_, T>) -> Vec<Placed<T>> {
        let DeValue::Array(array) = found.value else {
            let title = format!("`{key}` in {} wants an array of values, each {}", self.title, form.wants);
            let fault = Fault::error(found.place, title).label(with_article(found.value.type_str()));
            let hint = found.value.as_str().map(|text| format!("write `[\"{}\"]`", shown(text)));
            self.desk.report(fault.hint(hint));
            return Vec::new();
        };
        let item_place = |item: &Spanned<DeValue<'_>>| if found.in_file { item.span() } else { self.header() };
        let items =
            array.iter().map(|item| Found { value: item.get_ref(), place: item_place(item), in_file: found.in_file });
        items.filter_map(|item| self.fit(key, item, form)).collect()
    }

    /// The table that a section is, or a fault.
    fn table(&self, key: &'static str, found: &Found<'a>) -> Option<&'a DeTable<'a>> {
        if let DeValue::Table(table) = found.value {
            return Some(table);
        }
        let path = self.path_of(key);
        let fault = Fault::error(found.place.clone(), format!("`{path}` is a section, which is given once"));
        self.desk.report(if found.value.is_array() {
            fault.label("two pairs of brackets").hint(format!("write `[{path}]`"))
        } else {
            let label = with_article(found.value.type_str());
            fault.label(label).hint(format!("its keys stand below `[{path}]`"))
        });
        None
    }

    /// Reports that `key` is missing, unless [`Section::read`] finds it under a wrong name.
    fn missing<T>(&self, key: &'static str, wants: &str) -> Option<T> {
        let fault = Fault::error(self.header(), format!("`{key}` is missing in {}", self.title));
        self.missing.borrow_mut().push((key, fault.hint(format!("`{key}` wants {wants}"))));
        None
    }

    fn unknown(&self, key: &Spanned<DeString<'_>>, meant: Option<&str>, known: &BTreeSet<&'static str>) -> Fault {
        let typed = shown(key.get_ref());
        let fault = Fault::error(key.span(), format!("unknown key `{typed}` in {}", self.title));
        let fault = fault.label("not known here");
        match meant {
            // `limit = []` behind a section is a key of that section.
            _ if FIRST.contains(&&*typed) && !self.path.is_empty() => {
                fault.hint(format!("write `{typed} = …` before the first section: behind `[…]` it belongs to that"))
            }
            Some(word) => fault.hint(format!("did you mean `{word}`?")),
            None => fault.hint(format!("known here: {}", enumerate(known.iter().copied()))),
        }
    }
}
