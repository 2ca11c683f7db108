//! From the scores of a name to its class, and why.

use std::fmt;

use super::Class;
use super::features::Marks;
use super::forms::Form;
use super::name::Name;
use super::words::Mark;
use super::zones::Network;

/// What is known of a name before it is decided.
pub(super) struct Case<'a> {
    pub(super) name: &'a Name,
    /// Log-odds that a machine made the name.
    pub(super) generated: f32,
    /// Log-odds that it is for a line on which addresses change, if a machine made it.
    pub(super) dynamic: f32,
    pub(super) marks: Marks,
    pub(super) network: Option<Network>,
    /// Whether the zone is known to make names of this form from addresses.
    pub(super) is_learnt: bool,
    /// The words with the strongest learnt weights for [dynamic, static-generic, mailserver].
    pub(super) strongest: [Option<(u8, u8)>; 3],
}

/// A piece of a name that a reason quotes: letters, digits, `-`, `_` and dots only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    text: [u8; Self::LEN_MAX],
    len: u8,
}

impl Piece {
    /// Longer pieces are cut.
    pub const LEN_MAX: usize = 48;

    fn of(name: &Name, from: u8, to: u8) -> Self {
        let all = name.text().get(usize::from(from)..usize::from(to)).unwrap_or_default();
        let len = all.len().min(Self::LEN_MAX);
        let mut text = [0; Self::LEN_MAX];
        text[..len].copy_from_slice(&all[..len]);
        Self { text, len: len as u8 }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }
}

/// Why a name has its class. Written out, it is one line of plain text without control characters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reason {
    /// The form of an address in the name, and where it stands.
    pub form: Option<(Form, Piece)>,
    /// Words from the tables that speak for the class, strongest first.
    pub words: [Option<(Mark, Piece)>; 2],
    /// What is known of the network that names hosts in this domain.
    pub network: Option<Network>,
    /// Whether the zone was seen to make such names from addresses.
    pub is_learnt: bool,
    /// The word with the strongest learnt weight for the class, where it stands in no table.
    pub strongest: Option<Piece>,
    /// What else there is to say.
    pub note: Option<&'static str>,
}

/// The class of a name, none where it tells too little, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// None where the classifier abstains.
    pub class: Option<Class>,
    /// Why.
    pub reason: Reason,
}

/// Log-odds from which a name is taken as generated where nobody is wronged by it.
const GENERATED: f32 = 0.0;

/// The same where it is then called dynamic, by the best evidence there is beside the learnt weights: here a chosen name
/// would be wronged.
const WITH_ADDRESS: f32 = 1.0;
const WITH_WORD: f32 = 1.5;
const WITH_NOTHING: f32 = 1.2;

/// Log-odds from which a generated name is taken as one of a line with changing addresses.
const DYNAMIC: f32 = 0.4;

/// What a learnt convention of the zone adds.
const LEARNT: f32 = 6.0;

/// Log-odds below which a name is called chosen.
const CHOSEN: f32 = -0.5;

/// For what no host can be called.
pub(super) fn no_name() -> Verdict {
    Verdict { class: None, reason: Reason { note: Some("not a host name"), ..Reason::default() } }
}

/// Decides.
pub(super) fn decide(case: &Case<'_>) -> Verdict {
    let has = |mark: Mark| case.marks.count(mark) > 0;
    let is_whole = case.marks.form.is_some_and(|form| form.is_whole());
    // A mail server's mark is never overruled, but by a line that names its kind and carries its whole address.
    let is_mail = has(Mark::Mail) && !(has(Mark::Dynamic) && is_whole);
    let is_learnt = case.is_learnt && !is_mail;
    let generated = case.generated + if is_learnt { LEARNT } else { 0.0 };
    let bound = if is_whole || is_learnt {
        WITH_ADDRESS
    } else if has(Mark::Dynamic) || has(Mark::Access) {
        WITH_WORD
    } else {
        WITH_NOTHING
    };
    let is_dynamic = case.dynamic >= DYNAMIC;
    let (class, note) = match generated {
        _ if is_mail && generated >= GENERATED && is_dynamic => (None, Some("marks of both a mail server and a line")),
        sure if sure >= bound && is_dynamic => (Some(Class::Dynamic), None),
        sure if sure >= GENERATED && !is_dynamic => (Some(Class::StaticGeneric), None),
        unsure if unsure > CHOSEN => (None, Some("tells too little")),
        _ if case.marks.is_bare => (Some(Class::Mailserver), Some("a bare domain")),
        _ => (Some(Class::Mailserver), Some("a chosen name")),
    };
    Verdict { class, reason: reason(case, class, is_learnt, note) }
}

/// The kinds of words that speak for a class, strongest first.
const fn speakers(class: Option<Class>) -> &'static [Mark] {
    match class {
        Some(Class::Dynamic) => &[Mark::Dynamic, Mark::Access, Mark::Plain],
        Some(Class::StaticGeneric) => &[Mark::Fixed, Mark::Hosting, Mark::Access, Mark::Plain],
        Some(Class::Mailserver) => &[Mark::Mail, Mark::Service],
        None => &[Mark::Mail, Mark::Dynamic, Mark::Access],
    }
}

fn reason(case: &Case<'_>, class: Option<Class>, is_learnt: bool, note: Option<&'static str>) -> Reason {
    let mut words = [None; 2];
    let present = speakers(class).iter().filter(|&&mark| case.marks.count(mark) > 0);
    for (word, &mark) in words.iter_mut().zip(present) {
        let (from, to) = case.marks.places[mark as usize];
        *word = Some((mark, Piece::of(case.name, from, to)));
    }
    let is_generated = matches!(class, Some(Class::Dynamic | Class::StaticGeneric));
    let form = case.marks.form.filter(|form| is_generated || form.is_whole());
    let strongest = class.and_then(|class| case.strongest[class as usize]);
    let piece = strongest.map(|(from, to)| Piece::of(case.name, from, to));
    Reason {
        form: form.map(|form| (form, Piece::of(case.name, form.from, form.to))),
        words,
        network: case.network,
        is_learnt,
        strongest: piece.filter(|piece| words.iter().flatten().all(|(_, word)| word != piece)),
        note,
    }
}

impl Reason {
    /// Adds it to a text.
    pub fn write(&self, to: &mut Vec<u8>) {
        let start = to.len();
        let mut part = |parts: &[&[u8]]| {
            if to.len() > start {
                to.extend_from_slice(b"; ");
            }
            for part in parts {
                to.extend_from_slice(part);
            }
        };
        if let Some(note) = self.note {
            part(&[note.as_bytes()]);
        }
        if let Some((form, piece)) = &self.form {
            let [whose, how, of] = form.words();
            part(&[whose.as_bytes(), how.as_bytes(), of.as_bytes(), b": `", piece.as_bytes(), b"`"]);
        }
        for (mark, piece) in self.words.iter().flatten() {
            part(&[b"`", piece.as_bytes(), b"` (", mark.words().as_bytes(), b")"]);
        }
        if self.is_learnt {
            part(&[b"this zone makes such names from addresses"]);
        }
        if let Some(network) = self.network {
            part(&[b"domain of a known ", network.words().as_bytes()]);
        }
        if let Some(piece) = &self.strongest {
            part(&[b"learnt: `", piece.as_bytes(), b"`"]);
        }
        if to.len() == start {
            to.extend_from_slice(b"shape of the name");
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.write(&mut text);
        formatter.write_str(&String::from_utf8_lossy(&text))
    }
}
