//! The facts about a name that the model weighs. Training and judging read them with this one piece of code.

use super::brand::{Brands, Kinds};
use super::facts::{self, Facts, Role};
use super::forms::{Form, Writing};
use super::name::{NAME_MAX, Name};
use super::numbers::Numbers;
use super::words::{Fit, Found, Mark, Words};

/// What the rules look at, found on the way.
#[derive(Clone, Copy, Default)]
pub(super) struct Marks {
    /// The strongest form of an address.
    pub(super) form: Option<Form>,
    /// How many words of each kind stand before the registrable domain, in the order of [`Mark::ALL`].
    pub(super) counts: [u8; 7],
    /// Where the first word of each kind stands.
    pub(super) places: [(u8, u8); 7],
    /// How many runs of digits stand there.
    pub(super) numbers: u8,
    /// Whether the name is a bare registrable domain.
    pub(super) is_bare: bool,
}

impl Marks {
    /// How many words of this kind there are.
    pub(super) const fn count(&self, mark: Mark) -> u8 {
        self.counts[mark as usize]
    }
}

impl Marks {
    /// Those of a name before its words are looked at.
    pub(super) fn of(seen: &Seen<'_>, is_bare: bool) -> Self {
        Self { form: seen.form, numbers: seen.numbers.runs.min(255) as u8, is_bare, ..Self::default() }
    }
}

/// What is known of a name before what stands before its registrable domain is read.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) numbers: &'a Numbers,
    /// The strongest form of an address.
    pub(super) form: Option<Form>,
    pub(super) kinds: Kinds,
    /// How many facts its registrable domain has.
    pub(super) first: usize,
}

/// The tables that reading needs.
pub(super) struct Tables {
    pub(super) words: Words,
    pub(super) brands: Brands,
}

impl Tables {
    pub(super) fn new() -> Self {
        Self { words: Words::new(), brands: Brands::new() }
    }
}

/// Longest run of characters that is one fact.
const GRAM_LEN_MAX: usize = 5;

/// Shortest one.
const GRAM_LEN_MIN: usize = 3;

/// Reads all facts of a name.
#[cfg(feature = "train")]
pub(super) fn read(
    name: &Name,
    address: Option<std::net::IpAddr>,
    tables: &Tables,
    facts: &mut Facts,
) -> (Marks, Kinds) {
    let kinds = read_zone(name, tables, facts);
    let numbers = Numbers::read(name.chosen());
    let form = super::forms::find(address, name.chosen(), &numbers);
    (read_host(name, &Seen { numbers: &numbers, form, kinds, first: facts.len() }, tables, facts), kinds)
}

/// Reads the facts of the registrable domain, which all names below it have.
pub(super) fn read_zone(name: &Name, tables: &Tables, facts: &mut Facts) -> Kinds {
    brand(name, facts);
    let kinds = tables.brands.kinds(name.brand());
    facts.small(Role::Mark, &[b'b', kinds.bits()]);
    kinds
}

/// Reads the facts of what stands before it.
pub(super) fn read_host(name: &Name, seen: &Seen<'_>, tables: &Tables, facts: &mut Facts) -> Marks {
    let host = name.host();
    let mut marks = Marks::of(seen, host.is_empty());
    host_words(host, &tables.words, &mut marks, facts);
    grams(host, &marks, facts);
    shape(name, seen.numbers, &marks, facts);
    beside_brand(host, &marks, seen.kinds, facts);
    marks
}

/// The facts that depend on more of the digits than where they stand.
pub(super) fn digits(host: &[u8], numbers: &Numbers, labels: usize) -> [u16; 5] {
    let ([longest, digits, small], [lengths, padding]) =
        (counts(numbers, labels), Label::read(first_of(host)).digits());
    [longest, digits, small, lengths, padding]
}

/// Characters with room behind them, so that eight can be read from each place at once.
struct Characters {
    text: [u8; NAME_MAX + 10],
    len: usize,
}

impl Characters {
    const fn new() -> Self {
        let mut text = [0; NAME_MAX + 10];
        text[0] = b'^';
        Self { text, len: 1 }
    }

    fn push(&mut self, byte: u8) {
        self.text[self.len] = byte;
        self.len += 1;
    }

    /// All runs of the lengths that are facts. `mark` tells the bits that a run at this place has beside its characters.
    fn runs(&self, role: Role, facts: &mut Facts, mut mark: impl FnMut(u8) -> u64) {
        for at in 0..self.len {
            let mut eight = [0; 8];
            eight.copy_from_slice(&self.text[at..at + 8]);
            let count = (self.len - at).min(GRAM_LEN_MAX).saturating_sub(GRAM_LEN_MIN - 1);
            facts.runs(role, u64::from_le_bytes(eight), mark(self.text[at]), count);
        }
    }
}

fn brand(name: &Name, facts: &mut Facts) {
    let mut text = Characters::new();
    let mut before = 0;
    for &byte in name.brand() {
        let byte = if byte.is_ascii_digit() { b'0' } else { byte };
        if byte != b'0' || before != b'0' {
            text.push(byte);
        }
        before = byte;
    }
    text.push(b'$');
    text.runs(Role::Brand, facts, |_| 0);
    facts.end_brand();
    facts.text(Role::Suffix, 0, name.suffix());
    let last = name.suffix().rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    if last.len() != name.suffix().len() {
        facts.text(Role::Suffix, 0, last);
    }
}

/// The runs of letters before the registrable domain: as words, and as members of the tables.
fn host_words(host: &[u8], words: &Words, marks: &mut Marks, facts: &mut Facts) {
    let (mut at, mut label) = (0, 0_u8);
    while at < host.len() {
        if !host[at].is_ascii_alphabetic() {
            label += u8::from(host[at] == b'.');
            at += 1;
            continue;
        }
        let end = at + host[at..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let run = &host[at..end];
        facts.word(run, label, at as u8, end as u8);
        if !is_inside(marks.form, at) {
            for found in words.find(run).into_iter().flatten() {
                mark(found, at, label, marks, facts);
            }
        }
        at = end;
    }
    mixed_words(host, words, marks, facts);
}

/// The mark of a word with a digit inside, as `b2b` and `ec2`, which no run of letters shows.
pub(super) fn mixed(token: &[u8], words: &Words) -> Option<Mark> {
    let is_mixed =
        token.len() <= 8 && token.first().is_some_and(u8::is_ascii_alphabetic) && token.iter().any(u8::is_ascii_digit);
    if is_mixed { words.whole(token) } else { None }
}

/// The words of that kind.
fn mixed_words(host: &[u8], words: &Words, marks: &mut Marks, facts: &mut Facts) {
    let (mut at, mut label) = (0, 0_u8);
    for token in host.split(|byte| !byte.is_ascii_alphanumeric()) {
        if let Some(mark_of) = mixed(token, words) {
            let found = Found { mark: mark_of, fit: Fit::Whole, from: 0, len: token.len() };
            mark(found, at, label, marks, facts);
        }
        at += token.len() + 1;
        label += u8::from(host.get(at - 1) == Some(&b'.'));
    }
}

/// Whether a place belongs to an address written with letters.
fn is_inside(form: Option<Form>, at: usize) -> bool {
    form.is_some_and(|form| form.is_spelled() && (usize::from(form.from)..usize::from(form.to)).contains(&at))
}

fn mark(found: Found, at: usize, label: u8, marks: &mut Marks, facts: &mut Facts) {
    let index = found.mark as usize;
    let (from, to) = ((at + found.from) as u8, (at + found.from + found.len) as u8);
    if marks.counts[index] == 0 {
        marks.places[index] = (from, to);
    }
    marks.counts[index] = marks.counts[index].saturating_add(1);
    let fit = u8::from(found.fit == Fit::Whole);
    facts.small(Role::Mark, &[b'w', index as u8, fit, label.min(1)]);
}

/// Runs of characters before the registrable domain. Numbers and spelled addresses are reduced to marks, so that the
/// neighbours' names give the same facts.
fn grams(host: &[u8], marks: &Marks, facts: &mut Facts) {
    let mut text = Characters::new();
    let mut at = 0;
    while at < host.len() {
        if is_inside(marks.form, at) {
            text.push(b'#');
            at = usize::from(marks.form.map_or(0, |form| form.to)).max(at + 1);
        } else if host[at].is_ascii_digit() {
            let digits = host[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            text.push(if digits <= 3 { b'0' } else { b'9' });
            at += digits;
        } else {
            text.push(host[at]);
            at += 1;
        }
    }
    text.push(b'$');
    let mut label = 0;
    text.runs(Role::Gram, facts, |byte| {
        label |= u64::from(byte == b'.') << 48;
        label
    });
}

/// Counts, lengths, the shape of the first label, and how the form of the address stands with the kinds of words.
fn shape(name: &Name, numbers: &Numbers, marks: &Marks, facts: &mut Facts) {
    let host = name.host();
    let labels = if host.is_empty() { 0 } else { host.split(|&byte| byte == b'.').count() };
    facts.small(Role::Shape, &[b'l', labels.min(5) as u8]);
    facts.small(Role::Shape, &[b'r', numbers.runs.min(6) as u8]);
    facts.add(&counts(numbers, labels));
    first_label(host, facts);
    let form = form_mark(marks.form);
    facts.small(Role::Form, &[b'f', form]);
    let has = Mark::ALL.map(|mark| u8::from(marks.count(mark) > 0));
    let bits = has.iter().fold(0, |bits, &bit| bits << 1 | bit);
    let is_form = u8::from(marks.form.is_some_and(|form| form.is_whole()));
    facts.small(Role::Form, &[b'w', is_form, bits]);
    for mark in Mark::ALL {
        facts.small(Role::Form, &[b'm', form, mark as u8, has[mark as usize]]);
    }
    facts.small(Role::Form, &[b'o', owner_mark(marks.form)]);
}

/// How many digits there are, and how they stand.
fn counts(numbers: &Numbers, labels: usize) -> [u16; 3] {
    [
        facts::small(Role::Shape, &[b'd', numbers.longest.min(9) as u8]),
        facts::small(Role::Shape, &[b'n', numbers.digits.min(16) as u8, labels.min(3) as u8]),
        facts::small(Role::Shape, &[b's', numbers.small().len().min(5) as u8]),
    ]
}

/// A mark for each kind of form.
pub(super) fn form_mark(form: Option<Form>) -> u8 {
    match form {
        None => b'-',
        Some(form) if form.writing == Writing::Nibbles => b'6',
        Some(form) if !form.is_whole() => b'0' + form.parts,
        Some(form) if form.writing == Writing::Forward => b'f',
        Some(form) if form.writing == Writing::Backward => b'b',
        Some(form) if form.writing == Writing::Mixed => b'm',
        Some(_) => b'h',
    }
}

/// A mark for whose address it is.
pub(super) const fn owner_mark(form: Option<Form>) -> u8 {
    match form {
        None => b'-',
        Some(form) if form.own => b'o',
        Some(_) => b'l',
    }
}

/// How the brand's kind stands with the form and the kinds of words: an access network's customers are called otherwise than
/// its own servers. And how many labels of letters alone there are, as a place or a kind of line has.
fn beside_brand(host: &[u8], marks: &Marks, kinds: Kinds, facts: &mut Facts) {
    let is_form = u8::from(marks.form.is_some_and(|form| form.is_whole()));
    let has = |mark: Mark| u8::from(marks.count(mark) > 0);
    let line = has(Mark::Dynamic) << 1 | has(Mark::Access);
    let fixed = has(Mark::Fixed) << 1 | has(Mark::Hosting);
    let named = has(Mark::Mail) << 1 | has(Mark::Service);
    facts.small(Role::Form, &[b'k', kinds.bits(), is_form, marks.numbers.min(3)]);
    facts.small(Role::Form, &[b'j', kinds.bits(), line, fixed, named]);
    let others = host.split(|&byte| byte == b'.').skip(1);
    let letters = others.filter(|label| label.iter().all(u8::is_ascii_alphabetic)).count();
    facts.small(Role::Shape, &[b'c', letters.min(4) as u8, is_form]);
}

/// The first label with its runs of letters and digits reduced to one mark each: `a0-0-0` for `dsl12-3-4`; and once more
/// with their lengths, because counters of one network are equally long.
#[derive(Default)]
struct Label {
    kinds: Short,
    lengths: Short,
    is_padded: bool,
}

impl Label {
    fn read(label: &[u8]) -> Self {
        let mut read = Self::default();
        let (mut before, mut len) = (0, 0_u8);
        for &byte in label {
            let kind = match byte {
                b'0'..=b'9' => b'0',
                b'a'..=b'z' => b'a',
                other => other,
            };
            if kind == before {
                len = len.saturating_add(1);
            } else {
                read.kinds.push(kind);
                read.lengths.push(len.min(7));
                read.lengths.push(kind);
                read.is_padded |= byte == b'0';
                len = 1;
            }
            before = kind;
        }
        read.lengths.push(len.min(7));
        read
    }

    fn digits(&self) -> [u16; 2] {
        let padding = facts::small(Role::Shape, &[b'z', u8::from(self.is_padded)]);
        [facts::of_text(Role::Shape, b'g', self.lengths.text()), padding]
    }
}

fn first_of(host: &[u8]) -> &[u8] {
    host.split(|&byte| byte == b'.').next().unwrap_or_default()
}

fn first_label(host: &[u8], facts: &mut Facts) {
    let text = first_of(host);
    let label = Label::read(text);
    facts.text(Role::Shape, b'f', label.kinds.text());
    facts.add(&label.digits());
    let others = host.get(text.len()..).unwrap_or_default();
    facts.small(Role::Shape, &[b'y', u8::from(others.iter().any(u8::is_ascii_digit))]);
}

/// The beginning of a text.
#[derive(Default)]
struct Short {
    text: [u8; 28],
    len: usize,
}

impl Short {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn text(&self) -> &[u8] {
        &self.text[..self.len]
    }
}
