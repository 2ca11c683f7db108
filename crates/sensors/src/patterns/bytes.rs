//! Sets of bytes, and what a piece of a regular expression can begin with, end with and consist of.

use regex_syntax::hir::{Class, Hir, HirKind};

/// A set of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    /// The set of `bytes`.
    pub(super) const fn of(bytes: &[u8]) -> Self {
        let mut set = Self([0; 4]);
        let mut at = 0;
        while at < bytes.len() {
            set.0[(bytes[at] >> 6) as usize] |= 1 << (bytes[at] & 63);
            at += 1;
        }
        set
    }

    fn add_range(&mut self, first: u8, last: u8) {
        for byte in first..=last {
            *self = self.union(Self::of(&[byte]));
        }
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(core::array::from_fn(|at| self.0[at] | other.0[at]))
    }

    pub(super) fn meets(self, other: Self) -> bool {
        self.0.iter().zip(other.0).any(|(a, b)| a & b != 0)
    }

    pub(super) fn is_within(self, other: Self) -> bool {
        self.0.iter().zip(other.0).all(|(a, b)| a & !b == 0)
    }

    pub(super) fn count(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// Digits and the letters of hexadecimal numbers.
pub(super) const HEX: ByteSet = ByteSet::of(b"0123456789abcdefABCDEF");
/// Spaces and tabs.
pub(super) const BLANK: ByteSet = ByteSet::of(b" \t\r\n\x0b\x0c");
/// What host names consist of; what may go on behind an address that is a part of one.
pub(super) const HOST: ByteSet = ByteSet::of(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-");

/// From which end a piece is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Front,
    Back,
}

/// What a piece can begin (or end) with, and whether it can be empty.
pub(super) fn edge(hir: &Hir, side: Side) -> (ByteSet, bool) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (ByteSet::default(), true),
        HirKind::Literal(literal) => {
            let byte = if side == Side::Front { literal.0.first() } else { literal.0.last() };
            (byte.map_or_else(ByteSet::default, |byte| ByteSet::of(&[*byte])), literal.0.is_empty())
        }
        HirKind::Class(class) => (of_class(class), false),
        HirKind::Repetition(repetition) => {
            let (set, is_empty) = edge(&repetition.sub, side);
            (set, is_empty || repetition.min == 0)
        }
        HirKind::Capture(capture) => edge(&capture.sub, side),
        HirKind::Concat(all) if side == Side::Front => edge_of(all.iter(), side),
        HirKind::Concat(all) => edge_of(all.iter().rev(), side),
        HirKind::Alternation(all) => all.iter().fold((ByteSet::default(), false), |(set, is_empty), hir| {
            let (more, also) = edge(hir, side);
            (set.union(more), is_empty || also)
        }),
    }
}

/// The same of pieces in a row, the nearest first.
pub(super) fn edge_of<'h>(pieces: impl Iterator<Item = &'h Hir>, side: Side) -> (ByteSet, bool) {
    let mut set = ByteSet::default();
    for piece in pieces {
        let (more, is_empty) = edge(piece, side);
        set = set.union(more);
        if !is_empty {
            return (set, false);
        }
    }
    (set, true)
}

/// The bytes that repetitions in a piece run over: where such a run ends is decided by what follows it.
pub(super) fn runs(hir: &Hir) -> ByteSet {
    match hir.kind() {
        HirKind::Repetition(repetition) if repetition.max.is_none_or(|max| max > 1) => consists_of(&repetition.sub),
        HirKind::Repetition(repetition) => runs(&repetition.sub),
        HirKind::Capture(capture) => runs(&capture.sub),
        HirKind::Concat(all) | HirKind::Alternation(all) => {
            all.iter().map(runs).fold(ByteSet::default(), ByteSet::union)
        }
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_) => ByteSet::default(),
    }
}

/// Every byte that a piece can match.
pub(super) fn consists_of(hir: &Hir) -> ByteSet {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => ByteSet::default(),
        HirKind::Literal(literal) => ByteSet::of(&literal.0),
        HirKind::Class(class) => of_class(class),
        HirKind::Repetition(repetition) => consists_of(&repetition.sub),
        HirKind::Capture(capture) => consists_of(&capture.sub),
        HirKind::Concat(all) | HirKind::Alternation(all) => {
            all.iter().map(consists_of).fold(ByteSet::default(), ByteSet::union)
        }
    }
}

/// Whether a piece stops as early as it can somewhere in it.
pub(super) fn is_lazy(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(repetition) => !repetition.greedy || is_lazy(&repetition.sub),
        HirKind::Capture(capture) => is_lazy(&capture.sub),
        HirKind::Concat(all) | HirKind::Alternation(all) => all.iter().any(is_lazy),
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_) => false,
    }
}

fn of_class(class: &Class) -> ByteSet {
    let mut set = ByteSet::default();
    match class {
        Class::Bytes(class) => class.ranges().iter().for_each(|range| set.add_range(range.start(), range.end())),
        // A character beyond ASCII is several bytes; which ones is not worth telling apart here.
        Class::Unicode(class) => {
            for range in class.ranges() {
                let (first, last) = (u32::from(range.start()), u32::from(range.end()));
                if first < 128 {
                    set.add_range(first as u8, last.min(127) as u8);
                }
                if last >= 128 {
                    set.add_range(128, 255);
                }
            }
        }
    }
    set
}

/// The longest text that every match of `hir` contains; empty if there is none.
pub(super) fn required(hir: &Hir) -> &[u8] {
    match hir.kind() {
        HirKind::Literal(literal) => &literal.0,
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Concat(all) => all.iter().map(required).max_by_key(|literal| literal.len()).unwrap_or_default(),
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) | HirKind::Repetition(_) | HirKind::Alternation(_) => &[],
    }
}
