//! Whether a client can choose what the part `address` of a pattern finds.
//!
//! A line is what the server wrote, with text of the client in some places: a login, a HELO, a reverse name. The linter
//! does not know these places, so that it assumes the worst: every part of a pattern that can match text of many kinds is
//! the client's, and that text may be anything, a whole imitation of the line included. Only these are the server's:
//! fixed text, numbers (runs of hexadecimal digits), blanks, single characters of a small class, and what the pattern
//! itself calls `service`, `session`, `time` or `host`, by which its author says that the server wrote or checked it.
//!
//! **Rule.** From one end of the text, a leading `^` or a trailing `$`, nothing but the server's parts may lie on the way to
//! the address; a part that runs over several characters must not be able to run into what follows it on that way; and
//! the characters around the address must not be able to belong to it or to a host name that only begins or ends like it.
//!
//! **Why the address found is then the true one or none.** Walk from that end. Fixed text has one length; a run ends at the
//! first character that it cannot match, because what follows cannot begin with one that it can. So each part ends at a
//! place that the line alone decides, and by what the author says of these parts the server put all of them there: the
//! address begins where the server began it. It ends, for the same reason, where the server ended it. Whatever a client
//! wrote lies on the other side, and can make the whole match fail but not move it. ∎
//!
//! So `^login failed from (?P<address>\S+) for (?P<login>.*)` is right, and so is
//! `login failed for (?P<login>.*) from (?P<address>\S+)$`; `login failed for (?P<login>.*) from (?P<address>\S+) port` is
//! not: the login `x from 192.0.2.1 port` decides.
//!
//! A success (`login-ok`, `message-sent`) makes an address known to belong to a login. So that no client can have one written
//! as his login, the pattern of a success must moreover begin with `^` and fixed text.

use core::ops::Range;

use base::EventKind;
use regex_syntax::ast::{self, Ast, Flag, FlagsItemKind, GroupKind};
use regex_syntax::hir::translate::TranslatorBuilder;
use regex_syntax::hir::{Hir, HirKind, Look};

use super::bytes::{BLANK, ByteSet, HEX, HOST, Side, consists_of, edge, edge_of, is_lazy, runs};
use super::{Fault, Part};

/// Least fixed text at the beginning of the pattern of a success, in bytes.
const OPENING_BYTES_MIN: usize = 3;

/// Most characters of a class that still counts as a choice of marks, such as `[:,]`.
const MARKS_MAX: u32 = 8;

/// The flags of a place in a pattern.
#[expect(clippy::struct_excessive_bools, reason = "a regular expression has these flags")]
#[derive(Clone, Copy, Default)]
struct Flags {
    ignores_case: bool,
    has_many_lines: bool,
    dot_is_all: bool,
    swaps_greed: bool,
}

impl Flags {
    fn with(mut self, flags: &ast::Flags) -> Self {
        let mut value = true;
        for item in &flags.items {
            match item.kind {
                FlagsItemKind::Negation => value = false,
                FlagsItemKind::Flag(Flag::CaseInsensitive) => self.ignores_case = value,
                FlagsItemKind::Flag(Flag::MultiLine) => self.has_many_lines = value,
                FlagsItemKind::Flag(Flag::DotMatchesNewLine) => self.dot_is_all = value,
                FlagsItemKind::Flag(Flag::SwapGreed) => self.swaps_greed = value,
                // These are the parser's, or make no difference where bytes are matched.
                FlagsItemKind::Flag(Flag::Unicode | Flag::CRLF | Flag::IgnoreWhitespace) => {}
            }
        }
        self
    }
}

/// A piece of the pattern beside the address.
struct Step {
    hir: Hir,
    place: Range<usize>,
    /// The name, if it is a part of its own.
    name: Option<String>,
    /// Where it contains a login.
    login: Option<Range<usize>>,
}

/// The pattern as a row of pieces around the address.
#[derive(Default)]
struct Row {
    before: Vec<Step>,
    address: Option<(Hir, Range<usize>)>,
    after: Vec<Step>,
}

/// Checks the pattern of an event of `kind`.
pub(super) fn check(pattern: &str, ast: &Ast, kind: EventKind) -> Result<(), Fault> {
    let mut row = Row::default();
    row.add(pattern, ast, &mut Flags::default())?;
    if matches!(kind, EventKind::LoginOk | EventKind::MessageSent) {
        check_opening(&row, pattern)?;
    }
    let Some((address, place)) = &row.address else { return Ok(()) };
    let from_front = walk(&row.before, address, Side::Front).and_then(|()| bounded_behind(&row, address, place));
    let Err(front) = from_front else { return Ok(()) };
    let from_back = walk(&row.after, address, Side::Back).and_then(|()| bounded_before(&row, address, place));
    let Err(back) = from_back else { return Ok(()) };
    // Where both ends are open, the one that the author anchored is what he meant.
    let is_anchored_behind = row.after.last().is_some_and(|step| is_anchor(step, Side::Back));
    let is_anchored_before = row.before.first().is_some_and(|step| is_anchor(step, Side::Front));
    let of_line = row.before.first().into_iter().chain(row.after.last()).find(|step| is_end_of_line(step));
    let obstacle = match (is_anchored_before, is_anchored_behind) {
        (false, false) if let Some(step) = of_line => Obstacle {
            place: step.place.clone(),
            why: "an end of any line of a message: without `(?m)` it is one of the whole",
        },
        (false, false) => Obstacle { place: place.clone(), why: "neither `^` nor `$` leads to it" },
        (true, _) => front,
        (false, true) => back,
    };
    Err(Fault {
        part: Part::Regex,
        place: obstacle.place,
        title: "a client could choose the address".to_owned(),
        label: obstacle.why.to_owned(),
        hint: Some(
            "begin with `^` or end with `$`, and let only fixed text, numbers and `(?P<host>…)` stand between it and the address"
                .to_owned(),
        ),
    })
}

/// What stands in the way to the address.
struct Obstacle {
    place: Range<usize>,
    why: &'static str,
}

impl Row {
    /// Adds `ast` to the row.
    fn add(&mut self, pattern: &str, ast: &Ast, flags: &mut Flags) -> Result<(), Fault> {
        match ast {
            Ast::Flags(set) => *flags = flags.with(&set.flags),
            Ast::Concat(concat) => {
                for item in &concat.asts {
                    self.add(pattern, item, flags)?;
                }
            }
            Ast::Group(group) => return self.add_group(pattern, ast, group, *flags),
            Ast::Repetition(repetition) if holds(ast, "address").is_some() => {
                if !matches!(repetition.op.kind, ast::RepetitionKind::ZeroOrOne) {
                    return Err(Fault {
                        part: Part::Regex,
                        place: range(&repetition.op.span),
                        title: "the address stands in something that is repeated".to_owned(),
                        label: "it would be the last of several".to_owned(),
                        hint: Some("repeat only what stands around it".to_owned()),
                    });
                }
                self.add(pattern, &repetition.ast, flags)?;
            }
            Ast::Alternation(alternation) => {
                // Only a match by the branch that has the address has an address.
                match alternation.asts.iter().find(|branch| holds(branch, "address").is_some()) {
                    Some(branch) => self.add(pattern, branch, &mut flags.clone())?,
                    None => self.push(pattern, ast, None, *flags)?,
                }
            }
            Ast::Empty(_)
            | Ast::Literal(_)
            | Ast::Dot(_)
            | Ast::Assertion(_)
            | Ast::ClassUnicode(_)
            | Ast::ClassPerl(_)
            | Ast::ClassBracketed(_)
            | Ast::Repetition(_) => self.push(pattern, ast, None, *flags)?,
        }
        Ok(())
    }

    fn add_group(&mut self, pattern: &str, ast: &Ast, group: &ast::Group, mut flags: Flags) -> Result<(), Fault> {
        if let GroupKind::NonCapturing(set) = &group.kind {
            flags = flags.with(set);
        }
        match &group.kind {
            GroupKind::CaptureName { name, .. } if name.name == "address" => {
                self.address = Some((translate(pattern, &group.ast, flags)?, range(&group.span)));
                Ok(())
            }
            GroupKind::CaptureName { name, .. } if holds(&group.ast, "address").is_none() => {
                self.push(pattern, ast, Some(name.name.clone()), flags)
            }
            GroupKind::CaptureName { .. } | GroupKind::CaptureIndex(_) | GroupKind::NonCapturing(_) => {
                self.add(pattern, &group.ast, &mut flags)
            }
        }
    }

    fn push(&mut self, pattern: &str, ast: &Ast, name: Option<String>, flags: Flags) -> Result<(), Fault> {
        let step =
            Step { hir: translate(pattern, ast, flags)?, place: range(ast.span()), name, login: holds(ast, "login") };
        if self.address.is_some() {
            self.after.push(step);
        } else {
            self.before.push(step);
        }
        Ok(())
    }
}

fn translate(pattern: &str, ast: &Ast, flags: Flags) -> Result<Hir, Fault> {
    let mut translator = TranslatorBuilder::new()
        .unicode(false)
        .utf8(false)
        .case_insensitive(flags.ignores_case)
        .multi_line(flags.has_many_lines)
        .dot_matches_new_line(flags.dot_is_all)
        .swap_greed(flags.swaps_greed)
        .build();
    translator
        .translate(pattern, ast)
        .map_err(|error| Fault::syntax(Part::Regex, range(error.span()), error.kind().to_string()))
}

/// Where `ast` holds the part `wanted`.
fn holds(ast: &Ast, wanted: &str) -> Option<Range<usize>> {
    match ast {
        Ast::Group(group) => match &group.kind {
            GroupKind::CaptureName { name, .. } if name.name == wanted => Some(range(&group.span)),
            GroupKind::CaptureName { .. } | GroupKind::CaptureIndex(_) | GroupKind::NonCapturing(_) => {
                holds(&group.ast, wanted)
            }
        },
        Ast::Repetition(repetition) => holds(&repetition.ast, wanted),
        Ast::Concat(concat) => concat.asts.iter().find_map(|ast| holds(ast, wanted)),
        Ast::Alternation(alternation) => alternation.asts.iter().find_map(|ast| holds(ast, wanted)),
        Ast::Empty(_)
        | Ast::Flags(_)
        | Ast::Literal(_)
        | Ast::Dot(_)
        | Ast::Assertion(_)
        | Ast::ClassUnicode(_)
        | Ast::ClassPerl(_)
        | Ast::ClassBracketed(_) => None,
    }
}

pub(super) const fn range(span: &ast::Span) -> Range<usize> {
    span.start.offset..span.end.offset
}

/// Whether this is an end of the whole text. Messages may have several lines, and what a client wrote into one can begin
/// another: the ends of a line, as `(?m)` has it, are none.
fn is_anchor(step: &Step, side: Side) -> bool {
    match step.hir.kind() {
        HirKind::Look(Look::Start) => side == Side::Front,
        HirKind::Look(Look::End) => side == Side::Back,
        HirKind::Empty
        | HirKind::Literal(_)
        | HirKind::Class(_)
        | HirKind::Look(_)
        | HirKind::Repetition(_)
        | HirKind::Capture(_)
        | HirKind::Concat(_)
        | HirKind::Alternation(_) => false,
    }
}

/// Whether this is an end of any line.
fn is_end_of_line(step: &Step) -> bool {
    matches!(step.hir.kind(), HirKind::Look(Look::StartLF | Look::StartCRLF | Look::EndLF | Look::EndCRLF))
}

/// Walks from the end at `side` to the address. `steps` are the pieces between, in the order of the pattern.
fn walk(steps: &[Step], address: &Hir, side: Side) -> Result<(), Obstacle> {
    // In the order of the walk, the anchor first.
    let steps: Vec<&Step> = if side == Side::Front { steps.iter().collect() } else { steps.iter().rev().collect() };
    let (anchor, way) = match steps.split_first() {
        Some((anchor, way)) if is_anchor(anchor, side) => (anchor, way),
        Some((first, _)) => {
            return Err(Obstacle { place: first.place.clone(), why: "nothing anchors the pattern at this end" });
        }
        None => return Err(Obstacle { place: 0..0, why: "nothing anchors the pattern at this end" }),
    };
    debug_assert!(edge(&anchor.hir, side).1, "an anchor is empty");
    for (at, step) in way.iter().enumerate() {
        if let Some(login) = &step.login {
            return Err(Obstacle { place: login.clone(), why: "a client writes the login, and an address into it" });
        }
        if !is_servers(step) {
            return Err(Obstacle { place: step.place.clone(), why: "matches whatever a client wrote" });
        }
        let rest = way[at + 1..].iter().map(|step| &step.hir).chain([address]);
        if !ends_for_certain(&step.hir, edge_of(rest, side).0, side) {
            return Err(Obstacle { place: step.place.clone(), why: "may run into what follows it" });
        }
    }
    Ok(())
}

/// Whether every run in `hir` ends at a place that the text alone decides, where `next` is what can follow `hir` on the
/// way from `side`.
fn ends_for_certain(hir: &Hir, next: ByteSet, side: Side) -> bool {
    match hir.kind() {
        HirKind::Repetition(repetition) if repetition.max.is_none_or(|max| max > 1) => {
            !consists_of(&repetition.sub).meets(next)
        }
        HirKind::Repetition(repetition) => ends_for_certain(&repetition.sub, next, side),
        HirKind::Capture(capture) => ends_for_certain(&capture.sub, next, side),
        HirKind::Alternation(all) => all.iter().all(|hir| ends_for_certain(hir, next, side)),
        HirKind::Concat(all) => {
            let all: Vec<&Hir> = if side == Side::Front { all.iter().collect() } else { all.iter().rev().collect() };
            all.iter().enumerate().all(|(at, hir)| {
                let (set, is_empty) = edge_of(all[at + 1..].iter().copied(), side);
                ends_for_certain(hir, if is_empty { set.union(next) } else { set }, side)
            })
        }
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_) => true,
    }
}

/// Whether only the server can have written what `step` matches.
fn is_servers(step: &Step) -> bool {
    is_by_server(step.name.as_deref(), &step.hir)
}

/// The same of what has that name, if any.
fn is_by_server(name: Option<&str>, hir: &Hir) -> bool {
    match name {
        Some("service" | "session" | "time") => true,
        Some("host") => consists_of(hir).is_within(HOST.union(ByteSet::of(b":"))),
        _ => is_fixed(hir),
    }
}

fn is_fixed(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) => true,
        HirKind::Class(_) => {
            let set = consists_of(hir);
            set.is_within(HEX) || set.is_within(BLANK) || set.count() <= MARKS_MAX || is_case_pair(set)
        }
        HirKind::Repetition(repetition) if repetition.max.is_some_and(|max| max <= 1) => is_fixed(&repetition.sub),
        HirKind::Repetition(repetition) => {
            let set = consists_of(&repetition.sub);
            set.is_within(HEX) || set.is_within(BLANK)
        }
        HirKind::Capture(capture) => is_by_server(capture.name.as_deref(), &capture.sub),
        HirKind::Concat(all) | HirKind::Alternation(all) => all.iter().all(is_fixed),
    }
}

/// A letter in both cases, which is what fixed text becomes where case is ignored.
fn is_case_pair(set: ByteSet) -> bool {
    set.count() == 2
}

/// The text behind the address must not be able to belong to it, or to a name that begins with an address, such as
/// `192.0.2.1.example.org`.
fn bounded_behind(row: &Row, address: &Hir, place: &Range<usize>) -> Result<(), Obstacle> {
    let unbounded = |why| Err(Obstacle { place: place.clone(), why });
    let mut rest = row.after.as_slice();
    if let [first, second, ..] = rest
        && consists_of(&first.hir) == ByteSet::of(b".")
        && (is_anchor(second, Side::Back) || edge(&second.hir, Side::Front).0.is_within(BLANK))
        && !runs(address).meets(ByteSet::of(b"."))
    {
        // The full stop of a sentence.
        rest = &rest[1..];
    }
    let mut follows = ByteSet::default();
    for step in rest {
        follows = follows.union(edge(&step.hir, Side::Front).0);
        if !lets_pass(&step.hir) {
            return if follows.meets(runs(address)) || follows.meets(edge(address, Side::Back).0.union(HOST)) {
                unbounded("what follows could belong to the address")
            } else {
                Ok(())
            };
        }
    }
    let why = if is_lazy(address) { "stops as early as it can" } else { "nothing ends it" };
    unbounded(why)
}

/// Whether `hir` can match nothing although the text goes on.
fn lets_pass(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty => true,
        HirKind::Look(look) => *look != Look::End,
        HirKind::Literal(literal) => literal.0.is_empty(),
        HirKind::Class(_) => false,
        HirKind::Repetition(repetition) => repetition.min == 0 || lets_pass(&repetition.sub),
        HirKind::Capture(capture) => lets_pass(&capture.sub),
        HirKind::Concat(all) => all.iter().all(lets_pass),
        HirKind::Alternation(all) => all.iter().any(lets_pass),
    }
}

/// The same of the text before the address, where the walk came from behind.
fn bounded_before(row: &Row, address: &Hir, place: &Range<usize>) -> Result<(), Obstacle> {
    let (precedes, may_be_empty) = edge_of(row.before.iter().rev().map(|step| &step.hir), Side::Back);
    let starts_text = row.before.last().is_some_and(|step| is_anchor(step, Side::Front));
    let its_own = runs(address).union(edge(address, Side::Front).0).union(HOST);
    if !starts_text && (may_be_empty || precedes.meets(its_own)) {
        return Err(Obstacle { place: place.clone(), why: "what stands before it could belong to the address" });
    }
    Ok(())
}

/// The pattern of a success begins with fixed text.
fn check_opening(row: &Row, pattern: &str) -> Result<(), Fault> {
    let mut steps = row.before.iter();
    let is_anchored = steps.next().is_some_and(|step| is_anchor(step, Side::Front));
    let fixed: usize = steps
        .take_while(|step| is_servers(step) && step.login.is_none())
        .filter_map(|step| match step.hir.kind() {
            HirKind::Literal(literal) => Some(literal.0.len()),
            // Letters of which the case is ignored.
            HirKind::Class(_) if consists_of(&step.hir).count() == 2 => Some(1),
            HirKind::Empty
            | HirKind::Class(_)
            | HirKind::Look(_)
            | HirKind::Repetition(_)
            | HirKind::Capture(_)
            | HirKind::Concat(_)
            | HirKind::Alternation(_) => None,
        })
        .sum();
    if is_anchored && fixed >= OPENING_BYTES_MIN {
        return Ok(());
    }
    let place = row.before.first().map_or_else(|| 0..pattern.len().min(1), |step| step.place.clone());
    Err(Fault {
        part: Part::Regex,
        place,
        title: "a client could make up a success".to_owned(),
        label: "whoever writes the login could write this too".to_owned(),
        hint: Some("begin with `^` and the text that the server writes first".to_owned()),
    })
}
