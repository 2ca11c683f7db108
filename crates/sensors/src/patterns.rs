//! Operators' own patterns: regular expressions with named parts, for programs that no grammar speaks for.
//!
//! ```text
//! line ─ required literals (one pass, all patterns) ─> program tag ─> regex ─> parts ─> event
//! ```
//!
//! | part | meaning |
//! |---|---|
//! | `address` | the client's address; a pattern that matches something else there makes no event |
//! | `login` | the login as the client gave it |
//! | `session` | the server's name for the connection |
//! | `service` | the service; that of the pattern if there is none |
//! | `time` | the stamp, where it does not stand at the beginning of the line |
//! | `host` | text that the server wrote or checked, such as a host name: a statement for the linter |
//!
//! Expressions are those of the `regex` crate, which match in time linear in the length of the text, and match bytes
//! (`\w`, `\d` are ASCII). They see what the program said, behind its tag; without `program`, what stands behind the
//! stamp of the line. The linter (`lint`) refuses a pattern whose address a client could choose.

mod bytes;
mod lint;
#[cfg(test)]
mod tests;

use core::ops::Range;

use aho_corasick::AhoCorasick;
use base::{Address, EventKind};
use regex::bytes::{Captures, Regex, RegexBuilder};
use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{self, Ast};
use regex_syntax::hir::translate::TranslatorBuilder;

use crate::frame::{self, Frame, Stamp};
use crate::text::{address, filled};

/// Most patterns of one node.
pub const PATTERNS_MAX: usize = 256;

/// Longest expression, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 2000;

/// Longest text that patterns look at, in bytes; a longer one makes no event of theirs, because cut it could mean
/// something else.
pub const TEXT_BYTES_MAX: usize = 8 * 1024;

/// Most memory of a compiled expression, in bytes. It bounds the time that one byte of text can take, too.
const COMPILED_BYTES_MAX: usize = 512 * 1024;

/// Deepest nesting of an expression.
const NESTING_MAX: u32 = 32;

/// Shortest literal that is worth looking for before the expression.
const LITERAL_BYTES_MIN: usize = 3;

/// The parts that a pattern may have.
pub const PARTS: [&str; 6] = ["address", "login", "session", "service", "time", "host"];

/// A pattern as the operator writes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spec<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Expression that the whole program tag must match; none for lines of every program and of none.
    pub program: Option<&'a str>,
    /// The expression.
    pub regex: &'a str,
    /// Expression that must not match.
    pub unless: Option<&'a str>,
    /// What happened where it matches.
    pub kind: EventKind,
    /// At which service, if the expression has no such part.
    pub service: &'a str,
}

/// Which expression of a pattern a fault is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// `regex`.
    Regex,
    /// `program`.
    Program,
    /// `unless`.
    Unless,
}

/// Why a pattern is refused, with the place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The expression that is wrong.
    pub part: Part,
    /// The bytes of that expression that are wrong.
    pub place: Range<usize>,
    /// What is wrong, in one line.
    pub title: String,
    /// What stands under the caret.
    pub label: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Fault {
    /// The expression is none of the language.
    fn syntax(part: Part, place: Range<usize>, label: String) -> Self {
        let title = "the regular expression cannot be read".to_owned();
        Self { part, place, title, label, hint: None }
    }
}

/// A pattern that is right.
#[derive(Clone, Debug)]
pub struct Pattern {
    name: Box<str>,
    program: Option<Regex>,
    regex: Regex,
    unless: Option<Regex>,
    kind: EventKind,
    service: Box<str>,
    /// Text that is in every line it matches; empty if none is known.
    literal: Box<[u8]>,
}

impl Pattern {
    /// The pattern, or why it is refused.
    pub fn new(spec: Spec<'_>) -> Result<Self, Fault> {
        let ast = parse(Part::Regex, spec.regex)?;
        let has_parts = check_parts(&ast)?;
        lint::check(spec.regex, &ast, spec.kind)?;
        if !has_parts {
            return Err(Fault {
                part: Part::Regex,
                place: 0..spec.regex.len(),
                title: "a pattern wants to know about whom it is".to_owned(),
                label: "neither an address nor a login".to_owned(),
                hint: Some("put `(?P<address>…)` around the client's address".to_owned()),
            });
        }
        let hir = TranslatorBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .translate(spec.regex, &ast)
            .map_err(|error| Fault::syntax(Part::Regex, lint::range(error.span()), error.kind().to_string()))?;
        let program = spec.program.map(|program| {
            parse(Part::Program, program)?;
            compile(Part::Program, program, &format!("^(?:{program})$"))
        });
        let unless = spec.unless.map(|unless| {
            parse(Part::Unless, unless)?;
            compile(Part::Unless, unless, unless)
        });
        Ok(Self {
            name: spec.name.into(),
            program: program.transpose()?,
            regex: compile(Part::Regex, spec.regex, spec.regex)?,
            unless: unless.transpose()?,
            kind: spec.kind,
            service: spec.service.into(),
            literal: bytes::required(&hir).into(),
        })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `text` means to this pattern.
    fn read<'a>(&'a self, text: &'a str) -> Option<Found<'a>> {
        let captures = self.regex.captures(text.as_bytes())?;
        if self.unless.as_ref().is_some_and(|unless| unless.is_match(text.as_bytes())) {
            return None;
        }
        let address = match part(text, &captures, "address") {
            // A name, or nothing: of whom it speaks is not known.
            Some(text) => Some(address(text)?),
            None if self.has_part("address") => return None,
            None => None,
        };
        Some(Found {
            pattern: &self.name,
            kind: self.kind,
            service: part(text, &captures, "service").unwrap_or(&self.service),
            address,
            login: part(text, &captures, "login"),
            session: part(text, &captures, "session"),
            stamp: part(text, &captures, "time").map(|time| frame::read(time).time),
        })
    }

    fn has_part(&self, name: &str) -> bool {
        self.regex.capture_names().flatten().any(|part| part == name)
    }
}

/// The text of a part; none if it is empty, or cut through a character.
fn part<'a>(text: &'a str, captures: &Captures<'_>, name: &str) -> Option<&'a str> {
    captures.name(name).and_then(|found| text.get(found.range())).and_then(filled)
}

/// Reads an expression.
fn parse(part: Part, expression: &str) -> Result<Ast, Fault> {
    if expression.len() > EXPRESSION_BYTES_MAX {
        let label = format!("longer than {EXPRESSION_BYTES_MAX} bytes");
        return Err(Fault::syntax(part, 0..expression.len(), label));
    }
    ParserBuilder::new().nest_limit(NESTING_MAX).build().parse(expression).map_err(|error| {
        let fault = Fault::syntax(part, lint::range(error.span()), error.kind().to_string());
        let is_not_linear =
            matches!(error.kind(), ast::ErrorKind::UnsupportedLookAround | ast::ErrorKind::UnsupportedBackreference);
        let hint = is_not_linear.then(|| "they cannot be matched in linear time; `unless` may do instead".to_owned());
        Fault { hint, ..fault }
    })
}

/// Compiles the expression `text`, which was made of `given`.
fn compile(part: Part, given: &str, text: &str) -> Result<Regex, Fault> {
    RegexBuilder::new(text)
        .unicode(false)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| {
            let label = if matches!(error, regex::Error::CompiledTooBig(_)) {
                "too large when it is compiled".to_owned()
            } else {
                error.to_string().lines().last().unwrap_or_default().to_owned()
            };
            Fault::syntax(part, 0..given.len(), label)
        })
}

/// Whether there is a part that tells of whom a line speaks; a fault if there is one that means nothing.
fn check_parts(ast: &Ast) -> Result<bool, Fault> {
    struct Names(bool);
    impl ast::Visitor for Names {
        type Output = bool;
        type Err = Fault;

        fn finish(self) -> Result<bool, Fault> {
            Ok(self.0)
        }

        fn visit_pre(&mut self, ast: &Ast) -> Result<(), Fault> {
            let Ast::Group(group) = ast else { return Ok(()) };
            let ast::GroupKind::CaptureName { name, .. } = &group.kind else { return Ok(()) };
            if !PARTS.contains(&name.name.as_str()) {
                return Err(Fault {
                    part: Part::Regex,
                    place: lint::range(&name.span),
                    title: format!("a pattern has no part `{}`", name.name),
                    label: "means nothing".to_owned(),
                    hint: Some(format!("the parts are {}; write `(?:…)` for others", PARTS.join(", "))),
                });
            }
            self.0 |= matches!(name.name.as_str(), "address" | "login");
            Ok(())
        }
    }
    ast::visit(ast, Names(false))
}

/// Two patterns are the same if they were written the same.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        let written = |pattern: &Self| {
            let text = |regex: &Option<Regex>| regex.as_ref().map(|regex| regex.as_str().to_owned());
            (text(&pattern.program), pattern.regex.as_str().to_owned(), text(&pattern.unless))
        };
        (&self.name, self.kind, &self.service) == (&other.name, other.kind, &other.service)
            && written(self) == written(other)
    }
}

impl Eq for Pattern {}

/// What a pattern found in a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found<'a> {
    /// The pattern's name.
    pub pattern: &'a str,
    /// What happened.
    pub kind: EventKind,
    /// At which service.
    pub service: &'a str,
    /// The client's address.
    pub address: Option<Address>,
    /// The login.
    pub login: Option<&'a str>,
    /// The server's name for the connection.
    pub session: Option<&'a str>,
    /// The time that the pattern found; none if it has no such part.
    pub stamp: Option<Stamp>,
}

/// All patterns of a node.
#[derive(Clone, Debug)]
pub struct Patterns {
    all: Vec<Pattern>,
    /// Finds the required literals; none if there are none.
    literals: Option<AhoCorasick>,
    /// The pattern of each literal.
    of_literal: Vec<usize>,
    /// The patterns without literal, which every line could match.
    without: Candidates,
}

/// A set of patterns by their places.
type Candidates = [u64; PATTERNS_MAX / 64];

impl Patterns {
    /// The patterns, the first of which that matches a line says what it means. Those beyond [`PATTERNS_MAX`] are left out.
    pub fn new(mut all: Vec<Pattern>) -> Self {
        all.truncate(PATTERNS_MAX);
        let (mut without, mut of_literal, mut literals) = (Candidates::default(), Vec::new(), Vec::new());
        for (at, pattern) in all.iter().enumerate() {
            if pattern.literal.len() < LITERAL_BYTES_MIN {
                without[at / 64] |= 1 << (at % 64);
            } else {
                literals.push(&pattern.literal);
                of_literal.push(at);
            }
        }
        // Building fails for gigabytes of literals only; without the search every pattern is tried.
        let found = AhoCorasick::new(literals).ok();
        if found.is_none() {
            without = [u64::MAX; PATTERNS_MAX / 64];
        }
        Self { all, literals: found.filter(|_| !of_literal.is_empty()), of_literal, without }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What the first pattern that matches says of `line`, which has the frame `frame`.
    pub fn read<'a>(&'a self, line: &'a str, frame: &Frame<'a>) -> Option<Found<'a>> {
        if line.len() > TEXT_BYTES_MAX {
            return None;
        }
        let mut candidates = self.without;
        if let Some(literals) = &self.literals {
            for found in literals.find_overlapping_iter(line) {
                let at = self.of_literal[found.pattern().as_usize()];
                candidates[at / 64] |= 1 << (at % 64);
            }
        }
        if candidates == Candidates::default() {
            return None;
        }
        let body = body(line, frame);
        self.all.iter().enumerate().filter(|(at, _)| candidates[at / 64] & 1 << (at % 64) != 0).find_map(
            |(_, pattern)| match &pattern.program {
                Some(program) => program.is_match(frame.program.as_bytes()).then(|| pattern.read(frame.message))?,
                None => pattern.read(body),
            },
        )
    }
}

/// What stands behind the stamp of a line; all of it where the stamp stands in brackets, as operators see it.
fn body<'a>(line: &'a str, frame: &Frame<'a>) -> &'a str {
    if line.starts_with('[') {
        return line;
    }
    let first = [frame.host, frame.program, frame.message].into_iter().find(|part| !part.is_empty());
    let Some(first) = first else { return "" };
    // All of a frame borrows from its line, so that the difference of the places is where the part stands.
    let start = (first.as_ptr() as usize).wrapping_sub(line.as_ptr() as usize);
    line.get(start..).unwrap_or(frame.message)
}
