//! Faults of a configuration, shown as `rustc` shows those of a program: file, line, the place, and what to do.

use core::fmt;
use core::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Most faults that are shown of one file; more help nobody, and each costs a pass over the file.
const FAULTS_SHOWN_MAX: usize = 50;

/// How grave a fault is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// Ratter does not start with it.
    Error,
    /// Ratter starts, but somebody should look at it.
    Warning,
}

/// One fault of a configuration file, with its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// How grave it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub title: String,
    /// The bytes of the file that are wrong.
    pub place: Range<usize>,
    /// What stands under the caret; may be empty.
    pub label: String,
    /// Another place that has to do with it, and how.
    pub also: Option<(Range<usize>, String)>,
    /// The line of another file that is wrong; the place is then where that file is named.
    pub inside: Option<Excerpt>,
    /// What to do.
    pub hint: Option<String>,
}

/// A line of a file that the configuration names, as it may be shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Excerpt {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What stands there, without secrets.
    pub text: String,
    /// The bytes of the text that are wrong.
    pub place: Range<usize>,
}

impl Fault {
    pub(crate) fn error(place: Range<usize>, title: impl Into<String>) -> Self {
        let (title, label) = (title.into(), String::new());
        Self { severity: Severity::Error, title, place, label, also: None, inside: None, hint: None }
    }

    pub(super) fn warning(place: Range<usize>, title: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, title) }
    }

    pub(crate) fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    pub(super) fn also(self, place: Range<usize>, label: impl Into<String>) -> Self {
        Self { also: Some((place, label.into())), ..self }
    }

    pub(super) fn inside(self, excerpt: Excerpt) -> Self {
        Self { inside: Some(excerpt), ..self }
    }

    pub(crate) fn hint(self, hint: impl Into<Option<String>>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

/// All faults of one configuration file, in the order of their places. It may be empty, or hold warnings only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Faults {
    file: String,
    text: String,
    all: Vec<Fault>,
}

impl Faults {
    pub(super) fn new(file: String, text: String, mut faults: Vec<Fault>) -> Self {
        faults.sort_by(|a, b| (a.place.start, &a.title).cmp(&(b.place.start, &b.title)));
        Self { file, text, all: faults }
    }

    /// Faults that were found later in the same file, without these.
    pub(crate) fn in_same_file(&self, found: Vec<Fault>) -> Self {
        Self::new(self.file.clone(), self.text.clone(), found)
    }

    /// The faults in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.all.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many are errors.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many are warnings.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    fn count(&self, severity: Severity) -> usize {
        self.all.iter().filter(|fault| fault.severity == severity).count()
    }

    /// The file as it was named.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Line and column of a fault of this file, both from 1; columns count characters.
    pub fn line_and_column(&self, fault: &Fault) -> (usize, usize) {
        let before = self.text.get(..fault.place.start).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }

    /// The faults as text for people, the last line being their number; with the colours of a terminal if wanted.
    pub fn render(&self, colours: bool) -> String {
        let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for fault in self.all.iter().take(FAULTS_SHOWN_MAX) {
            text.push_str(&renderer.render(&[self.group(fault)]));
            text.push_str("\n\n");
        }
        text.push_str(&self.summary());
        text
    }

    fn group<'a>(&'a self, fault: &'a Fault) -> Group<'a> {
        let level = match fault.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let label = (!fault.label.is_empty()).then_some(fault.label.as_str());
        let here = |kind: AnnotationKind, label| {
            let place = kind.span(fault.place.clone()).label(label);
            Snippet::source(self.text.as_str()).path(self.file.as_str()).annotation(place)
        };
        let title = level.primary_title(fault.title.as_str());
        let group = if let Some(Excerpt { file, line, text, place }) = &fault.inside {
            let wrong = AnnotationKind::Primary.span(place.clone()).label(label);
            let inside = Snippet::source(text.as_str()).line_start(*line).path(file.as_str()).annotation(wrong);
            title.element(inside).element(here(AnnotationKind::Context, Some("the file is named here")))
        } else {
            let mut snippet = here(AnnotationKind::Primary, label);
            if let Some((place, label)) = &fault.also {
                snippet = snippet.annotation(AnnotationKind::Context.span(place.clone()).label(label.as_str()));
            }
            title.element(snippet)
        };
        match &fault.hint {
            Some(hint) => group.element(Level::HELP.message(hint.as_str())),
            None => group,
        }
    }

    /// `ratter.toml: 3 errors, 1 warning`.
    fn summary(&self) -> String {
        let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let parts = [(self.errors(), "error"), (self.warnings(), "warning")];
        let parts: Vec<_> = parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| plural(n, word)).collect();
        let parts = if parts.is_empty() { "no faults".to_owned() } else { parts.join(", ") };
        match self.all.len().saturating_sub(FAULTS_SHOWN_MAX) {
            0 => format!("{}: {parts}", self.file),
            left_off => format!("{}: {parts}; the last {left_off} are not shown", self.file),
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl core::error::Error for Faults {}
