//! The facts about a name that the model weighs. Training and judging read them with this one piece of code.

use std::net::IpAddr;

use super::brand::{Brands, Kinds};
use super::forms::{self, Form, Writing};
use super::name::{NAME_MAX, Name};
use super::numbers::Numbers;
use super::words::{Fit, Found, Mark, Words};

/// What a fact is about. It keeps equal texts in different roles apart, and names the fact in a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Role {
    /// A run of letters before the registrable domain.
    Word = 1,
    /// A few characters in a row there, numbers reduced to a mark.
    Gram,
    /// A few characters of the registrable domain's label.
    Brand,
    /// The public suffix.
    Suffix,
    /// Counts and lengths.
    Shape,
    /// The form of an address, with the kinds of words beside it.
    Form,
    /// A kind of word, and where it stands.
    Mark,
}

/// One fact: its hash, its role, and the piece of the name it was seen in.
#[derive(Clone, Copy)]
pub(super) struct Fact {
    /// Names the fact in the model.
    pub(super) hash: u32,
    /// What it is about.
    pub(super) role: Role,
    /// Where its piece begins in the name.
    pub(super) from: u8,
    /// Where its piece ends; not after `from` where it is about the whole name.
    pub(super) to: u8,
}

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

/// Hash of a fact: FNV-1a with its role first, mixed at the end.
#[derive(Clone, Copy)]
struct Hash(u32);

impl Hash {
    const fn of(role: Role) -> Self {
        Self(0x811c_9dc5).with(role as u8)
    }

    const fn with(self, byte: u8) -> Self {
        Self((self.0 ^ byte as u32).wrapping_mul(0x0100_0193))
    }

    fn all(self, bytes: &[u8]) -> Self {
        bytes.iter().fold(self, |hash, &byte| hash.with(byte))
    }

    const fn done(self) -> u32 {
        let mixed = (self.0 ^ (self.0 >> 15)).wrapping_mul(0x2c1b_3c6d);
        mixed ^ (mixed >> 13)
    }
}

/// Longest run of characters that is one fact.
const GRAM_LEN_MAX: usize = 5;

/// Shortest one.
const GRAM_LEN_MIN: usize = 3;

/// Reads all facts of a name into `sink`.
pub(super) fn read(
    name: &Name,
    address: Option<IpAddr>,
    tables: &Tables,
    sink: &mut impl FnMut(Fact),
) -> (Marks, Kinds) {
    let host = name.host();
    let numbers = Numbers::read(name.chosen());
    let mut marks = Marks {
        form: forms::find(address, name.chosen(), &numbers),
        numbers: numbers.runs.min(255) as u8,
        is_bare: host.is_empty(),
        ..Marks::default()
    };
    brand(name, sink);
    let kinds = tables.brands.kinds(name.brand());
    whole(Role::Mark, &[b'b', kinds.bits()], sink);
    host_words(host, &tables.words, &mut marks, sink);
    grams(host, &marks, sink);
    shape(name, &numbers, &marks, sink);
    (marks, kinds)
}

fn whole(role: Role, parts: &[u8], sink: &mut impl FnMut(Fact)) {
    sink(Fact { hash: Hash::of(role).all(parts).done(), role, from: 0, to: 0 });
}

fn brand(name: &Name, sink: &mut impl FnMut(Fact)) {
    let mut text = [0; NAME_MAX + 2];
    let mut len = 1;
    text[0] = b'^';
    for &byte in name.brand() {
        let byte = if byte.is_ascii_digit() { b'0' } else { byte };
        if byte == b'0' && text[len - 1] == b'0' {
            continue;
        }
        text[len] = byte;
        len += 1;
    }
    text[len] = b'$';
    let text = &text[..=len];
    let from = name.zone_start() as u8;
    let to = from + name.brand().len() as u8;
    for at in 0..text.len() {
        let mut hash = Hash::of(Role::Brand);
        for (taken, &byte) in text[at..].iter().take(GRAM_LEN_MAX).enumerate() {
            hash = hash.with(byte);
            if taken + 1 >= 3 {
                sink(Fact { hash: hash.done(), role: Role::Brand, from, to });
            }
        }
    }
    whole(Role::Suffix, name.suffix(), sink);
    let last = name.suffix().rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    if last.len() != name.suffix().len() {
        whole(Role::Suffix, last, sink);
    }
}

/// The runs of letters before the registrable domain: as words, and as members of the tables.
fn host_words(host: &[u8], words: &Words, marks: &mut Marks, sink: &mut impl FnMut(Fact)) {
    let (mut at, mut label) = (0, 0_u8);
    while at < host.len() {
        if !host[at].is_ascii_alphabetic() {
            label += u8::from(host[at] == b'.');
            at += 1;
            continue;
        }
        let end = at + host[at..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let run = &host[at..end];
        let (from, to) = (at as u8, end as u8);
        let fact = |hash: Hash| Fact { hash: hash.done(), role: Role::Word, from, to };
        sink(fact(Hash::of(Role::Word).all(run)));
        sink(fact(Hash::of(Role::Word).with(b'0' + label.min(1)).all(run)));
        if !is_inside(marks.form, at) {
            for found in words.find(run).into_iter().flatten() {
                mark(found, at, label, marks, sink);
            }
        }
        at = end;
    }
    mixed_words(host, words, marks, sink);
}

/// Words with a digit inside, as `b2b` and `ec2`, which no run of letters shows.
fn mixed_words(host: &[u8], words: &Words, marks: &mut Marks, sink: &mut impl FnMut(Fact)) {
    let (mut at, mut label) = (0, 0_u8);
    for token in host.split(|byte| !byte.is_ascii_alphanumeric()) {
        let is_mixed = token.len() <= 8
            && token.first().is_some_and(u8::is_ascii_alphabetic)
            && token.iter().any(u8::is_ascii_digit);
        if is_mixed && let Some(mark_of) = words.whole(token) {
            let found = Found { mark: mark_of, fit: Fit::Whole, from: 0, len: token.len() };
            mark(found, at, label, marks, sink);
        }
        at += token.len() + 1;
        label += u8::from(host.get(at - 1) == Some(&b'.'));
    }
}

/// Whether a place belongs to an address written with letters.
fn is_inside(form: Option<Form>, at: usize) -> bool {
    form.is_some_and(|form| {
        matches!(form.writing, Writing::Hex | Writing::Base | Writing::Nibbles)
            && (usize::from(form.from)..usize::from(form.to)).contains(&at)
    })
}

fn mark(found: Found, at: usize, label: u8, marks: &mut Marks, sink: &mut impl FnMut(Fact)) {
    let index = found.mark as usize;
    let (from, to) = ((at + found.from) as u8, (at + found.from + found.len) as u8);
    if marks.counts[index] == 0 {
        marks.places[index] = (from, to);
    }
    marks.counts[index] = marks.counts[index].saturating_add(1);
    let fit = u8::from(found.fit == Fit::Whole);
    let hash = Hash::of(Role::Mark).with(index as u8).with(fit).with(label.min(1)).done();
    sink(Fact { hash, role: Role::Mark, from, to });
}

/// Runs of characters before the registrable domain. Numbers and spelled addresses are reduced to marks, so that the
/// neighbours' names give the same facts.
fn grams(host: &[u8], marks: &Marks, sink: &mut impl FnMut(Fact)) {
    let mut text = [0; NAME_MAX + 2];
    let mut len = 0;
    let mut push = |byte: u8| {
        text[len] = byte;
        len += 1;
    };
    push(b'^');
    let mut at = 0;
    while at < host.len() {
        if is_inside(marks.form, at) {
            push(b'#');
            at = usize::from(marks.form.map_or(0, |form| form.to)).max(at + 1);
        } else if host[at].is_ascii_digit() {
            let digits = host[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            push(if digits <= 3 { b'0' } else { b'9' });
            at += digits;
        } else {
            push(host[at]);
            at += 1;
        }
    }
    push(b'$');
    let text = &text[..len];
    let mut label = 0;
    for at in 0..len {
        label |= u8::from(text[at] == b'.');
        let mut hash = Hash::of(Role::Gram).with(label);
        for (taken, &byte) in text[at..].iter().take(GRAM_LEN_MAX).enumerate() {
            hash = hash.with(byte);
            if taken + 1 >= GRAM_LEN_MIN {
                sink(Fact { hash: hash.done(), role: Role::Gram, from: 0, to: 0 });
            }
        }
    }
}

/// Counts, lengths, the shape of the first label, and how the form of the address stands with the kinds of words.
fn shape(name: &Name, numbers: &Numbers, marks: &Marks, sink: &mut impl FnMut(Fact)) {
    let host = name.host();
    let labels = if host.is_empty() { 0 } else { host.split(|&byte| byte == b'.').count() };
    whole(Role::Shape, &[b'l', labels.min(5) as u8], sink);
    whole(Role::Shape, &[b'r', numbers.runs.min(6) as u8], sink);
    whole(Role::Shape, &[b'd', numbers.longest.min(9) as u8], sink);
    whole(Role::Shape, &[b'n', numbers.digits.min(16) as u8, labels.min(3) as u8], sink);
    whole(Role::Shape, &[b's', numbers.small().len().min(5) as u8], sink);
    first_label(host, sink);
    let form = match marks.form {
        None => b'-',
        Some(form) if form.writing == Writing::Nibbles => b'6',
        Some(form) if !form.is_whole() => b'0' + form.parts,
        Some(form) if form.writing == Writing::Forward => b'f',
        Some(form) if form.writing == Writing::Backward => b'b',
        Some(form) if form.writing == Writing::Mixed => b'm',
        Some(_) => b'h',
    };
    whole(Role::Form, &[b'f', form], sink);
    let has = Mark::ALL.map(|mark| u8::from(marks.count(mark) > 0));
    let bits = has.iter().fold(0, |bits, &bit| bits << 1 | bit);
    let is_form = u8::from(marks.form.is_some_and(|form| form.is_whole()));
    whole(Role::Form, &[b'w', is_form, bits], sink);
    for mark in Mark::ALL {
        whole(Role::Form, &[b'm', form, mark as u8, has[mark as usize]], sink);
    }
    let own = marks.form.map_or(b'-', |form| if form.own { b'o' } else { b'l' });
    whole(Role::Form, &[b'o', own], sink);
}

/// The first label with its runs of letters and digits reduced to one mark each: `a0-0-0` for `dsl12-3-4`; and once more
/// with their lengths, because counters of one network are equally long.
fn first_label(host: &[u8], sink: &mut impl FnMut(Fact)) {
    let label = host.split(|&byte| byte == b'.').next().unwrap_or_default();
    let (mut kinds, mut lengths) = (Hash::of(Role::Shape).with(b'f'), Hash::of(Role::Shape).with(b'g'));
    let (mut before, mut len) = (0, 0_u8);
    let mut is_padded = false;
    for &byte in label {
        let kind = match byte {
            b'0'..=b'9' => b'0',
            b'a'..=b'z' => b'a',
            other => other,
        };
        if kind == before {
            len = len.saturating_add(1);
        } else {
            kinds = kinds.with(kind);
            lengths = lengths.with(len.min(7)).with(kind);
            is_padded |= byte == b'0';
            len = 1;
        }
        before = kind;
    }
    let to = label.len() as u8;
    let mut fact = |hash: Hash| sink(Fact { hash: hash.done(), role: Role::Shape, from: 0, to });
    fact(kinds);
    fact(lengths.with(len.min(7)));
    fact(Hash::of(Role::Shape).with(b'z').with(u8::from(is_padded)));
    let others = host.get(label.len()..).unwrap_or_default();
    fact(Hash::of(Role::Shape).with(b'y').with(u8::from(others.iter().any(u8::is_ascii_digit))));
}
